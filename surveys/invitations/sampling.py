"""Who is invited: the rules of a sampling plan, applied to encounters in the order of their days.

Knows no database, so that a preview and a drawing come from the same lines.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from math import ceil
from typing import NamedTuple

WORKING_DAYS = 5
"""A week's quota is let out in equal parts from Monday to Friday, so that it does not all go to who
came first; the weekend takes what is left."""


class Fate(StrEnum):
    """What became of an encounter that a plan looked at."""

    INVITED = "invited"
    NOT_SAMPLED = "not_sampled"
    RECENT = "recent"
    FULL = "full"
    UNKNOWN = "unknown"


class Candidate(NamedTuple):
    """An encounter that a plan looks at; `lot` in [0, 1) is its own for ever."""

    key: str
    customer_id: int | None
    unit_id: int
    channel_id: int | None
    segment_id: int | None
    on: date
    lot: float


@dataclass(frozen=True)
class Rules:
    """What a plan asks for; `share` is a number in (0, 1]."""

    share: float
    least: int
    most: int | None
    recontact_days: int
    with_unknown: bool


UnitWeek = tuple[int, date]
"""A unit and the Monday of a week."""


def monday_of(on: date) -> date:
    return on - timedelta(days=on.weekday())


@dataclass
class Draw:
    """A drawing under way: what was decided, whom one may not ask again, how full the quotas are.

    `asked` is the day on which each customer was last asked, `taken` how many are invited by unit
    and week already. Both are changed as the drawing goes on.
    """

    rules: Rules
    asked: dict[int, date] = field(default_factory=dict)
    taken: Counter[UnitWeek] = field(default_factory=Counter[UnitWeek])
    fates: Counter[Fate] = field(default_factory=Counter[Fate])
    invited: list[Candidate] = field(default_factory=list)

    def decide(self, candidates: Iterable[Candidate], *, invited_on: date) -> list[Candidate]:
        """Decide about these and return who was not sampled, and so could fill a quota up.

        Within a day those with the smallest lots come first, so that a quota that is full takes
        nothing of the chance.
        """
        left = []
        for candidate in sorted(candidates, key=lambda one: (one.on, one.lot, one.key)):
            fate = self._fate(candidate, invited_on)
            self.fates[fate] += 1
            if fate == Fate.INVITED:
                self._invite(candidate, invited_on)
            elif fate == Fate.NOT_SAMPLED:
                left.append(candidate)
        return left

    def fill_up(self, left: Iterable[Candidate], *, invited_on: date) -> None:
        """Invite more where a week that is over has fewer than the least: the smallest lots.

        In `fates` only the invited are counted; what these were before is the caller's to know.
        """
        for candidate in sorted(left, key=lambda one: (one.lot, one.key)):
            place = (candidate.unit_id, monday_of(candidate.on))
            if self.taken[place] >= self.rules.least:
                continue
            if self._is_known_enough(candidate) and not self._is_recent(candidate, invited_on):
                self.fates[Fate.INVITED] += 1
                self._invite(candidate, invited_on)

    def _fate(self, candidate: Candidate, invited_on: date) -> Fate:
        if not self._is_known_enough(candidate):
            return Fate.UNKNOWN
        if candidate.lot >= self.rules.share:
            return Fate.NOT_SAMPLED
        if self._is_recent(candidate, invited_on):
            return Fate.RECENT
        return Fate.FULL if self._is_full(candidate) else Fate.INVITED

    def _is_known_enough(self, candidate: Candidate) -> bool:
        return candidate.customer_id is not None or self.rules.with_unknown

    def _is_recent(self, candidate: Candidate, invited_on: date) -> bool:
        last = self.asked.get(candidate.customer_id) if candidate.customer_id is not None else None
        return last is not None and (invited_on - last).days < self.rules.recontact_days

    def _is_full(self, candidate: Candidate) -> bool:
        place = (candidate.unit_id, monday_of(candidate.on))
        return self.rules.most is not None and self.taken[place] >= _let_out(
            self.rules.most, candidate.on
        )

    def _invite(self, candidate: Candidate, invited_on: date) -> None:
        self.invited.append(candidate)
        self.taken[candidate.unit_id, monday_of(candidate.on)] += 1
        if candidate.customer_id is not None:
            self.asked[candidate.customer_id] = invited_on


def _let_out(most: int, on: date) -> int:
    """Return how much of a week's quota is let out by this day."""
    return ceil(most * min(on.weekday() + 1, WORKING_DAYS) / WORKING_DAYS)
