"""The port to published figures: evaluation stands above this room and offers them at start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqcore.base.periods import Period
from sqcore.identity.principals import Principal
from sqcore.indicators.models import SystemVersion


@dataclass(frozen=True)
class Part:
    """A dimension or an indicator whose scores are wanted."""

    code: str
    is_dimension: bool


@dataclass(frozen=True)
class ScoredUnit:
    """A unit at the end of the tree. `is_ranked`: its overall score is published."""

    code: str
    name: str
    is_ranked: bool
    scores: tuple[float | None, ...]


@dataclass(frozen=True)
class UnitScores:
    """Scores, 0 to 100 and more is better, of one period by the parts that were asked for; None
    where nothing is shown. Units by code."""

    period: Period
    run_id: int
    revision: int
    units: tuple[ScoredUnit, ...]


class PublishedScores(Protocol):
    """Only what is published and what `principal` may see."""

    def periods(self, *, version: SystemVersion) -> list[Period]:
        """Return the closed periods that were evaluated by this version as a whole, the one that
        ended last first, of equal ends the shortest first."""
        ...

    def scores(
        self, *, version: SystemVersion, period: Period, parts: Sequence[Part], principal: Principal
    ) -> UnitScores | None:
        """Return the scores of the units at the end of the tree; None without that period."""
        ...


_provided: list[PublishedScores] = []


def provide_scores(published: PublishedScores) -> None:
    """Called once, at start, by the room that publishes figures."""
    if _provided:
        raise RuntimeError("There are published scores already.")
    _provided.append(published)


def published_scores() -> PublishedScores | None:
    return _provided[0] if _provided else None
