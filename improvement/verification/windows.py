"""Which periods are compared: those before the first action, and those after the washout.

Nothing here reads the database. A period that is missing or excluded keeps its place: it is a hole,
so that neighbours in the series stay neighbours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import nan
from typing import Any

from sqcore.base.periods import Grain, Period
from sqcore.monitoring.queries import SeriesPoint

LEAST = 8
"""Fewer usable periods on the side before say nothing."""
MOST_BEFORE = 12
"""Usable periods between a signal and an action that are compared with: the newest ones. What made
the signal may go on for a while and then pass; older periods would still be full of it."""
MOST_BEFORE_TICKET = 26
LATE = 2
"""So many periods may be over and not yet evaluated."""
HOLES = 5
"""More than one hole in so many periods, and the data are not good enough for a verdict."""


@dataclass(frozen=True)
class Spot:
    """One period of a window, as a check keeps it."""

    on: date
    value: float | None
    is_excluded: bool = False

    @property
    def is_usable(self) -> bool:
        return self.value is not None and not self.is_excluded

    def as_json(self) -> dict[str, Any]:
        return {"on": self.on.isoformat(), "value": self.value, "is_excluded": self.is_excluded}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Spot":
        return cls(date.fromisoformat(stored["on"]), stored["value"], stored["is_excluded"])


@dataclass(frozen=True)
class Window:
    """Neighbouring periods of one series."""

    spots: tuple[Spot, ...] = ()

    @property
    def values(self) -> list[float]:
        """One number a period, NaN in place of a hole."""
        return [
            nan if spot.value is None or spot.is_excluded else spot.value for spot in self.spots
        ]

    @property
    def usable(self) -> int:
        return sum(spot.is_usable for spot in self.spots)

    @property
    def mean(self) -> float | None:
        found = [spot.value for spot in self.spots if spot.value is not None and spot.is_usable]
        return sum(found) / len(found) if found else None

    @property
    def has_too_many_holes(self) -> bool:
        return (len(self.spots) - self.usable) * HOLES > len(self.spots)

    def as_json(self) -> list[dict[str, Any]]:
        return [spot.as_json() for spot in self.spots]

    @classmethod
    def from_json(cls, stored: Iterable[Mapping[str, Any]]) -> "Window":
        return cls(tuple(Spot.from_json(each) for each in stored))


@dataclass(frozen=True)
class Windows:
    """The two sides of a check. `is_full`: nothing that comes later enters the side after."""

    before: Window
    left_out: Window
    after: Window
    is_full: bool


@dataclass(frozen=True)
class Bounds:
    """Where the sides begin and end: before is the newest `most` usable periods of
    [compares_from, first_on), after begins with `after_from`. `first_on` is the first day of an
    action or a containment."""

    compares_from: date
    first_on: date
    after_from: date
    most: int = MOST_BEFORE


def period_from(day: date, grain: Grain, *, fiscal_start: int) -> Period:
    """Return the first period that does not begin before this day.

    >>> str(period_from(date(2026, 3, 2), Grain.WEEK, fiscal_start=1))
    '2026-W10'
    >>> str(period_from(date(2026, 3, 3), Grain.WEEK, fiscal_start=1))
    '2026-W11'
    """
    period = Period.of(day, grain, fiscal_start=fiscal_start)
    return period if period.start == day else period.next


def first_after(effective_on: date, washout: int, grain: Grain, *, fiscal_start: int) -> Period:
    """Return the first period of the side after: the washout counts from the period of the
    effective date on, and a period that had begun before that day is never in it.

    >>> str(first_after(date(2026, 3, 2), 2, Grain.WEEK, fiscal_start=1))
    '2026-W12'
    >>> str(first_after(date(2026, 3, 5), 0, Grain.WEEK, fiscal_start=1))
    '2026-W11'
    """
    found = Period.of(effective_on, grain, fiscal_start=fiscal_start)
    least = period_from(effective_on, grain, fiscal_start=fiscal_start)
    for _period in range(washout):
        found = found.next
    return max(found, least)


def periods_before(day: date, n: int, grain: Grain, *, fiscal_start: int) -> date:
    """Return the first day of the last n periods that ended on or before this day."""
    found = Period.of(day, grain, fiscal_start=fiscal_start)
    for _period in range(n):
        found = found.previous
    return found.start


def end_of(first: Period, n: int) -> date:
    """Return the end of the nth period from this one on."""
    found = first
    for _period in range(n - 1):
        found = found.next
    return found.end


def spots_of(points: Sequence[SeriesPoint], *, through: date) -> list[Spot]:
    """Return one spot a period up to `through`: a series that ended goes on with holes."""
    spots = [Spot(each.period.start, each.value, each.is_excluded) for each in points]
    if not points:
        return spots
    period = points[-1].period.next
    while period.end <= through:
        spots.append(Spot(period.start, None))
        period = period.next
    return spots


def longest(n: int) -> int:
    """How many periods a side of n usable ones may take: one in five may be a hole."""
    return n + n // (HOLES - 1)


def windows_of(points: Sequence[SeriesPoint], bounds: Bounds, *, n: int, through: date) -> Windows:
    """Return the two sides of a check with at most n usable periods after.

    The side after is full with n usable periods, or when too many of its periods are holes.
    """
    spots = spots_of(points, through=through)
    ends = _ends(points, spots)
    before = _newest(
        [
            spot
            for spot in spots
            if spot.on >= bounds.compares_from and ends[spot.on] <= bounds.first_on
        ],
        bounds.most,
    )
    later = [spot for spot in spots if spot.on >= bounds.after_from]
    ended = ends[before[-1].on] if before else bounds.compares_from
    between = [spot for spot in spots if ended <= spot.on < bounds.after_from]
    after = _up_to(later, n)
    usable = sum(spot.is_usable for spot in after)
    return Windows(
        Window(tuple(before)),
        Window(tuple(between)),
        Window(tuple(after)),
        is_full=usable == n or _is_over(after, later, n),
    )


def _is_over(after: Sequence[Spot], later: Sequence[Spot], n: int) -> bool:
    """Whether the side after took all the time it may: its last hole is not merely late."""
    if len(after) < longest(n):
        return False
    return after[-1].is_usable or len(later) >= longest(n) + LATE


def _ends(points: Sequence[SeriesPoint], spots: Sequence[Spot]) -> dict[date, date]:
    if not points:
        return {}
    model = points[0].period
    return {spot.on: Period(spot.on, model.grain, model.fiscal_start).end for spot in spots}


def _newest(spots: Sequence[Spot], n: int) -> list[Spot]:
    """The last spots from the nth usable one on, counted from the end."""
    usable = [place for place, spot in enumerate(spots) if spot.is_usable]
    return list(spots[usable[-n] :]) if len(usable) > n else list(spots)


def _up_to(spots: Sequence[Spot], n: int) -> list[Spot]:
    """The first spots up to the nth usable one, and never more than `longest(n)`."""
    taken: list[Spot] = []
    for spot in spots:
        if sum(each.is_usable for each in taken) == n or len(taken) == longest(n):
            break
        taken.append(spot)
    return taken


def beside(points: Sequence[SeriesPoint], window: Window) -> Window:
    """Return another series in the same periods."""
    known = {each.period.start: each for each in points}
    spots = []
    for spot in window.spots:
        found = known.get(spot.on)
        value, is_excluded = (found.value, found.is_excluded) if found else (None, False)
        spots.append(Spot(spot.on, value, is_excluded))
    return Window(tuple(spots))
