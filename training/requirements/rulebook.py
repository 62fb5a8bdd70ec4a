"""What somebody owes: from requirements, places of work, certificates, passes and waivers. Pure.

A person comes under a requirement on the later of the day it holds from and the day on which they
began such work; a transfer to another place where it holds as well begins nothing anew. Of several
requirements of one course the one that is due first decides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

OPEN, MET, WAIVED = "open", "met", "waived"


class Place(NamedTuple):
    """Where somebody works or worked: the days [start, end)."""

    unit_id: int
    post_id: int
    start: date
    end: date | None


class Rule(NamedTuple):
    """A requirement; `units` are those where it holds (None: everywhere)."""

    id: int
    course_id: int
    post_id: int | None
    units: frozenset[int] | None
    within_days: int
    valid_from: date

    def is_for(self, place: Place) -> bool:
        return (self.post_id is None or self.post_id == place.post_id) and (
            self.units is None or place.unit_id in self.units
        )


class Owed(NamedTuple):
    course_id: int
    unit_id: int
    post_id: int
    requirement_id: int
    since_on: date
    due_on: date


class Proof(NamedTuple):
    """A certificate, or a pass that never ends. `ended_on`: when it was taken back."""

    from_on: date
    expires_on: date | None = None
    ended_on: date | None = None

    def ends(self) -> date | None:
        days = [day for day in (self.expires_on, self.ended_on) if day is not None]
        return min(days) if days else None


class Release(NamedTuple):
    """A waiver, in force until this day (None: for good), or ended before."""

    until: date | None
    ended_on: date | None = None

    def ends(self) -> date | None:
        days = [day for day in (self.until, self.ended_on) if day is not None]
        return min(days) if days else None


class Standing(NamedTuple):
    state: str
    due_on: date
    holds_until: date | None


@dataclass
class RuleBook:
    """The requirements of a day; which of them meet a place is worked out once."""

    rules: Sequence[Rule]
    on: date
    _known: dict[tuple[int, int], tuple[Rule, ...]] = field(default_factory=dict)

    def of(self, place: Place) -> tuple[Rule, ...]:
        key = (place.unit_id, place.post_id)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = tuple(r for r in self.rules if r.is_for(place))
        return found

    def owed(self, places: Sequence[Place]) -> dict[int, Owed]:
        """Return what somebody owes who works and worked at these places, by course."""
        found: dict[int, Owed] = {}
        for place in places:
            if place.start > self.on or (place.end is not None and place.end <= self.on):
                continue
            for rule in self.of(place):
                owed = self._owed(rule, place, places)
                best = found.get(rule.course_id)
                if best is None or _strictness(owed) < _strictness(best):
                    found[rule.course_id] = owed
        return found

    def _owed(self, rule: Rule, place: Place, places: Sequence[Place]) -> Owed:
        began = place.start if len(places) == 1 else self._began(rule, place, places)
        since = max(rule.valid_from, began)
        due = since + timedelta(days=rule.within_days)
        return Owed(rule.course_id, place.unit_id, place.post_id, rule.id, since, due)

    def _began(self, rule: Rule, place: Place, places: Sequence[Place]) -> date:
        """Return since when somebody has without a gap been where the rule holds."""
        began = place.start
        earlier = [p for p in places if p.start < began and rule in self.of(p)]
        for before in sorted(earlier, key=lambda p: p.start, reverse=True):
            if before.end is None or before.end >= began:
                began = before.start
        return began


def _strictness(owed: Owed) -> tuple[date, int, int]:
    return owed.due_on, owed.requirement_id, owed.unit_id


def standing(
    owed: Owed, *, proofs: Iterable[Proof], releases: Iterable[Release], on: date
) -> Standing:
    """Return how somebody stands with what they owe.

    What was met or waived until a day is due again on that day, unless the first due day is later.
    """
    proved = [proof for proof in proofs if proof.from_on <= on]
    due, held = _ended(owed.due_on, [proof.ends() for proof in proved], on)
    if held:
        return Standing(MET, due, None if None in held else _latest(held))
    due, free = _ended(due, [release.ends() for release in releases], on)
    if free:
        return Standing(WAIVED, due, None if None in free else _latest(free))
    return Standing(OPEN, due, None)


def _ended(due: date, ends: Sequence[date | None], on: date) -> tuple[date, list[date | None]]:
    """Return the due day after what ended until this day, and the ends of what is in force."""
    over = [end for end in ends if end is not None and end <= on]
    return max([due, *over]), [end for end in ends if end is None or end > on]


def _latest(ends: Iterable[date | None]) -> date:
    return max(end for end in ends if end is not None)
