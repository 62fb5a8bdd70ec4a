"""The port to the survey engine: a questionnaire is opened for a subject, asked by personal links,
and read as figures. The survey engine offers itself at start (`provide_questionnaires`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from sqcore.org.models import Unit


@dataclass(frozen=True)
class QuestionFigure:
    """Answers to one question: its n, mean and interval, or no figures and why not."""

    code: str
    text: Mapping[str, str]
    lowest: int
    highest: int
    n: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class QuestionnaireResults:
    """`answered` of `asked`; no figures before it has closed, or of fewer answers than the smallest
    group. `is_open`: answers may still come in."""

    asked: int
    answered: int | None
    figures: tuple[QuestionFigure, ...]
    is_open: bool = False


class Questionnaires(Protocol):
    """`subject` is a natural key such as `session:12`: opening it a second time changes nothing."""

    def open(
        self,
        *,
        subject: str,
        template: str,
        name: Mapping[str, str],
        unit: Unit,
        persons: Sequence[str],
        opens_on: date,
        closes_on: date,
        now: datetime,
    ) -> None:
        """Open the ready questionnaire `template` for this subject, and invite these persons, each
        under a key of the caller's, to one anonymous answer until the day before `closes_on`.

        Opening it again invites who is new. The caller has checked that it may be asked.
        raises: NotFound without such a template, InvalidInput for days that make no sense
        """
        ...

    def link_of(self, *, subject: str, person: str, now: datetime) -> str | None:
        """Return the address of the one answer that this person may give; None when it was given,
        or the questionnaire is not open. What was answered cannot be traced to the person."""
        ...

    def results_of(self, *, subject: str, now: datetime) -> QuestionnaireResults | None:
        """Return the figures; None when nothing was opened for the subject.

        There are none before the day on which it closes: from figures of five answers and then of
        six, everybody could tell the sixth.
        """
        ...


_provided: list[Questionnaires] = []


def provide_questionnaires(engine: Questionnaires) -> None:
    """Called once, at start, by the survey engine."""
    if _provided:
        raise RuntimeError("There is a survey engine already.")
    _provided.append(engine)


def questionnaires() -> Questionnaires:
    return _provided[0]
