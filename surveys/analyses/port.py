"""The port of kinds of analyses: what is computed from the answers of a group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.functional import Promise

from sqcore.base.registry import Registry
from sqcore.stats.results import MethodStatus
from surveys.instruments.codebook import Codebook
from surveys.responses.items import ItemAnswers

SMALLEST = 5
"""The smallest group that is shown where the organisation did not choose another."""


@dataclass(frozen=True)
class Found:
    """What a kind found: JSON, only numbers that are finite; or why nothing could be found."""

    status: MethodStatus
    values: Mapping[str, Any]

    @classmethod
    def nothing(cls, status: MethodStatus) -> "Found":
        return cls(status, {})


class AnalysisKind(Protocol):
    """A kind of analysis. Register an instance in `<app>/plugins.py`: `KINDS.register(…)`.

    - `key` never changes: rows name it. `method` rises when its numbers would differ.
    - `suits(codebook)`: whether a questionnaire has what it needs; if not, it is never run.
    - `only_whole`: asks for the whole organisation only, not for units, channels and segments.
    - `find(answers, k=k)` is a pure function of the answers of one group; it is never called for
      fewer than `fewest` respondents, nor for fewer than k, the organisation's smallest group, and
      never raises for what answers may well be. Of questions that fewer than k answered it says
      nothing.
    """

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str | Promise: ...
    @property
    def method(self) -> int: ...
    @property
    def only_whole(self) -> bool: ...
    @property
    def fewest(self) -> int: ...
    def suits(self, codebook: Codebook) -> bool: ...
    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found: ...


KINDS: Registry[AnalysisKind] = Registry("kinds of analyses")
"""What can be found out about the answers to a questionnaire."""
