"""The port through which results of people get what customers said about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sqcore.base.registry import Registry

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]
Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class PersonMeasure:
    """Something that customers judge about a person: the mean of some questions about the person.

    `key` never changes (`servqual/overall`, `servqual/empathy`); `is_overall`: of all its source's
    questions about the person together.
    """

    key: str
    name: Mapping[str, str]
    lowest: float
    highest: float
    questions: tuple[Mapping[str, str], ...]
    is_overall: bool = False


@dataclass(frozen=True)
class PersonAnswers:
    """N answers about people, column by column: of encounters that were one person's (a share of at
    least 0.8). `channel` and `segment` are ids, 0 unknown; `encounter` the keys, "" unknown;
    `answer` are numbers at random that stand for the answers: the same one always has the same, and
    one that was corrected another. `values` has shape (N, measures), NaN where too little was
    answered."""

    measures: tuple[PersonMeasure, ...]
    staff: Ints
    unit: Ints
    on: Days
    channel: Ints
    segment: Ints
    encounter: Sequence[str]
    answer: Keys
    values: Floats

    def __len__(self) -> int:
        return len(self.staff)


class PersonSource(Protocol):
    """Where answers about people come from. Register an instance in `PERSON_SOURCES`.

    Only questions that are about a person, only answers that count, never free text.
    """

    @property
    def key(self) -> str: ...

    def measures(self) -> Sequence[PersonMeasure]:
        """Return what this source can say about a person."""
        ...

    def collect(
        self, *, first: date, end: date, staff_ids: Collection[int] | None = None
    ) -> PersonAnswers:
        """Return the answers of days [first, end), ordered by day and then at random but always
        the same, so that the order does not tell who came first. The same rows, the same answer.
        """
        ...


PERSON_SOURCES: Registry[PersonSource] = Registry("sources of results of people")
