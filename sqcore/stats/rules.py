"""The rules that tell a special cause from chance on a control chart, and what they mean.

A profile is data: which rules, with which numbers, in which order of precedence. Points that are
missing neither count nor break a run: runs are read over the points that are there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import BoolArray
from sqcore.stats.charts import D2, WIDTH, ChartKind, Limits, bands
from sqcore.stats.errors import StatisticsError

NEVER = np.int16(-1)
FAR = np.int16(32_000)
"""Later than any point."""
ON_THE_LINE = 1e-9
"""A point this near to a line, in sigma, lies on it: neither beyond nor on a side."""


class Rule(StrEnum):
    """What makes points special. The first five have a side, the last three have none."""

    BEYOND = "beyond"
    SHIFT = "shift"
    TREND = "trend"
    TWO_OF_THREE = "two_of_three"
    FOUR_OF_FIVE = "four_of_five"
    FIFTEEN_WITHIN = "fifteen_within"
    ALTERNATING = "alternating"
    EIGHT_OUTSIDE = "eight_outside"


SIDED = tuple(Rule)[:5]


@dataclass(frozen=True)
class Parameters:
    """The numbers of a rule; what a rule does not use is not looked at.

    points: the length of its window, 1 to 100
    sigma: the distance from the centre that it is about, > 0
    least: so many points of the window are beyond sigma
    one_side: the whole window lies on one side of the centre, the other points too
    """

    points: int = 1
    sigma: float = WIDTH
    least: int = 1
    one_side: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.points <= 100 or not 0 < self.sigma < np.inf:
            raise StatisticsError("a rule needs 1 <= least <= points <= 100 and a positive sigma")


@dataclass(frozen=True)
class RuleProfile:
    """Rules in order of precedence: the first that holds says which way a point points.

    key, version: its identity; other numbers are another version
    has_runs: the whole series is also read by `sqcore.stats.runs`: longest run and crossings
    """

    key: str
    version: int
    rules: tuple[tuple[Rule, Parameters], ...]
    has_runs: bool = False

    def __post_init__(self) -> None:
        least = {Rule.TREND: 2, Rule.ALTERNATING: 3}
        if len({rule for rule, _numbers in self.rules}) != len(self.rules):
            raise StatisticsError("a profile has each rule at most once")
        if any(numbers.points < least.get(rule, 1) for rule, numbers in self.rules):
            raise StatisticsError("a trend needs 2 points, an alternation 3")

    @property
    def width(self) -> float:
        """How many sigma its limits are away from the centre: what `bands` draws."""
        return dict(self.rules).get(Rule.BEYOND, Parameters()).sigma


NHS_WIDTH = 2.66 * D2

PROFILES: Mapping[str, RuleProfile] = {
    profile.key: profile
    for profile in (
        RuleProfile(
            "nhs",
            1,
            (
                (Rule.BEYOND, Parameters(sigma=NHS_WIDTH)),
                (Rule.SHIFT, Parameters(points=7)),
                (Rule.TREND, Parameters(points=7)),
                (
                    Rule.TWO_OF_THREE,
                    Parameters(points=3, least=2, sigma=NHS_WIDTH * 2 / 3, one_side=True),
                ),
            ),
        ),
        RuleProfile(
            "nelson",
            1,
            (
                (Rule.BEYOND, Parameters(sigma=3.0)),
                (Rule.SHIFT, Parameters(points=9)),
                (Rule.TREND, Parameters(points=6)),
                (Rule.TWO_OF_THREE, Parameters(points=3, least=2, sigma=2.0)),
                (Rule.FOUR_OF_FIVE, Parameters(points=5, least=4, sigma=1.0)),
                (Rule.FIFTEEN_WITHIN, Parameters(points=15, sigma=1.0)),
                (Rule.ALTERNATING, Parameters(points=14)),
                (Rule.EIGHT_OUTSIDE, Parameters(points=8, sigma=1.0)),
            ),
        ),
        RuleProfile(
            "western_electric",
            1,
            (
                (Rule.BEYOND, Parameters(sigma=3.0)),
                (Rule.TWO_OF_THREE, Parameters(points=3, least=2, sigma=2.0)),
                (Rule.FOUR_OF_FIVE, Parameters(points=5, least=4, sigma=1.0)),
                (Rule.SHIFT, Parameters(points=8)),
            ),
        ),
        RuleProfile("anhoej", 1, ((Rule.BEYOND, Parameters(sigma=3.0)),), has_runs=True),
        RuleProfile(
            "ticket",
            1,
            (
                (Rule.BEYOND, Parameters(sigma=3.0)),
                (Rule.SHIFT, Parameters(points=8)),
            ),
        ),
    )
}


BY_SIDE = (Rule.BEYOND, Rule.SHIFT, Rule.TREND, Rule.ALTERNATING)
"""Rules that hold for any spread: they ask for a limit, a side or a step, and no share of sigma."""


def suited(profile: RuleProfile, kind: ChartKind) -> RuleProfile:
    """Return the rules of a profile that suit a kind of chart.

    Cases between events (g) are far from normal: between centre and limit no distance in sigma
    means what the zones of a normal chart mean, so that the rules of zones are left out. All
    others suit: times between events (t) are read after they are turned normal.

    >>> [rule.value for rule, _numbers in suited(PROFILES["nhs"], ChartKind.G).rules]
    ['beyond', 'shift', 'trend']
    """
    if kind is not ChartKind.G:
        return profile
    kept = tuple(each for each in profile.rules if each[0] in BY_SIDE)
    return replace(profile, rules=kept)


IndexArray = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Flags:
    """The points of S series that the rules of a profile found; arrays have shape (S, P).

    high, low: by rule that has a side: the points that belong to a run on that side
    neither: by rule that has no side: the points that belong to a run
    first_high, first_low, first_neither: for each of these points the index of the point with
        which its run was first complete, so that it could be seen; -1 elsewhere. A run that
        goes on has later ones for its later points. What was seen at time t is 0 <= first <= t
    present: where there is a point
    side: -1, 0 or 1: below, on or above the centre; 0 where there is no point
    """

    high: Mapping[Rule, BoolArray]
    low: Mapping[Rule, BoolArray]
    neither: Mapping[Rule, BoolArray]
    first_high: Mapping[Rule, IndexArray]
    first_low: Mapping[Rule, IndexArray]
    first_neither: Mapping[Rule, IndexArray]
    present: BoolArray
    side: npt.NDArray[np.int8]
    profile: RuleProfile

    def rules_at(self, series: int, point: int) -> tuple[Rule, ...]:
        """Return the rules that a point belongs to, in order of precedence."""
        tables = (self.high, self.low, self.neither)
        return tuple(
            rule
            for rule, _numbers in self.profile.rules
            if any(rule in table and table[rule][series, point] for table in tables)
        )


def flags(z: npt.ArrayLike, profile: RuleProfile) -> Flags:
    """Return which points are special by the rules of a profile.

    z: shape (S, P), distances from the centre in sigma, NaN where there is no point. One segment
        of frozen limits: runs do not go on over a rebase, so give each segment apart
    profile: of `PROFILES`, or another
    returns: Flags. On a line is neither beyond it nor on a side of it; equal neighbours end a
        trend and an alternation. Of the rules that count (two of three, four of five) only
        points beyond sigma belong to the run
    raises: StatisticsError if z has another shape or is infinite
    assumes: where the limits depend on sizes, trend and alternation are those of z
    source: Western Electric 1956, Statistical Quality Control Handbook; Nelson 1984, Journal of
        Quality Technology 16(4):237-239; NHS England, Making Data Count, as NHSRplotthedots

    >>> found = flags([[0, 0.4, 0.3, 0.1, 0.9, 0.2, 0.3, 0.5, -0.1, 3.2]], PROFILES["nhs"])
    >>> found.high[Rule.SHIFT][0].nonzero()[0].tolist()
    [1, 2, 3, 4, 5, 6, 7]
    >>> found.first_high[Rule.SHIFT][0].tolist()
    [-1, 7, 7, 7, 7, 7, 7, 7, -1, -1]
    >>> found.rules_at(0, 9)
    (<Rule.BEYOND: 'beyond'>,)
    """
    points = _points(z)
    there = ~np.isnan(points)
    closed = _Closed(points, there)
    lines = _Lines(closed.z)
    high, low, neither = (
        {
            rule: closed.first(_RUNS[rule](lines, numbers, side))
            for rule, numbers in profile.rules
            if (rule in SIDED) == (side != 0)
        }
        for side in (1, -1, 0)
    )
    side = (points > ON_THE_LINE).astype(np.int8) - (points < -ON_THE_LINE)
    return Flags(
        high=_members(high),
        low=_members(low),
        neither=_members(neither),
        first_high=high,
        first_low=low,
        first_neither=neither,
        present=there,
        side=side,
        profile=profile,
    )


class Variation(StrEnum):
    """What the last point says: chance, better, worse, or a change that is neither."""

    COMMON = "common"
    IMPROVING_HIGH = "improving_high"
    IMPROVING_LOW = "improving_low"
    CONCERN_HIGH = "concern_high"
    CONCERN_LOW = "concern_low"
    NEITHER_HIGH = "neither_high"
    NEITHER_LOW = "neither_low"


def variation(found: Flags, better: int, *, series: int = 0) -> Variation:
    """Return what the last point of a series says.

    found: of `flags`
    better: 1 if high is better, -1 if low is, 0 if neither
    returns: common if no rule holds at the last point that is there, or there is none. Else the
        rule of highest precedence says which side; one without side says the side on which the
        point lies, and is neither better nor worse
    raises: StatisticsError if better is something else
    source: NHS England, Making Data Count, icons of variation

    >>> variation(flags([[0, 0.1, -0.2, 3.5]], PROFILES["nhs"]), -1)
    <Variation.CONCERN_HIGH: 'concern_high'>
    """
    _check_better(better)
    there = found.present[series].nonzero()[0]
    if not there.size:
        return Variation.COMMON
    at = int(there[-1])
    for rule, _numbers in found.profile.rules:
        if rule in found.neither and found.neither[rule][series, at]:
            low = found.side[series, at] < 0
            return Variation.NEITHER_LOW if low else Variation.NEITHER_HIGH
        for table, side in ((found.high, 1), (found.low, -1)):
            if rule in table and table[rule][series, at]:
                return _MEANING[side * better, side]
    return Variation.COMMON


class Assurance(StrEnum):
    """Whether the process as it is will meet its target."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    HIT_OR_MISS = "hit_or_miss"
    NONE = "none"


def assurance(
    limits: Limits,
    target: float | None,
    better: int,
    *,
    size: float | None = None,
    width: float = WIDTH,
) -> Assurance:
    """Return whether a process will meet its target by chance, always or never.

    limits: those of the latest segment
    target: in units of the values; None: there is none
    better: 1 if high is better, -1 if low is, 0 if neither
    size: p and u: of the latest point
    width: of the profile
    returns: pass where both limits are on the good side of the target, fail where both are on the
        bad side, hit_or_miss where the target is between or on them; none without target,
        direction or limits
    raises: StatisticsError if better is something else, the target is not finite, or a size is
        needed and missing
    source: NHS England, Making Data Count, icons of assurance

    >>> from sqcore.stats.charts import ChartKind, freeze
    >>> waits = freeze([12, 14, 11, 13, 15, 12, 13, 14], kind=ChartKind.XMR)
    >>> [assurance(waits, target, -1).value for target in (20, 15, 5)]
    ['pass', 'hit_or_miss', 'fail']
    """
    _check_better(better)
    if target is not None and not np.isfinite(target):
        raise StatisticsError("a target must be finite")
    if target is None or better == 0 or not limits.status.usable:
        return Assurance.NONE
    lines = bands(limits, points=1, sizes=None if size is None else [size], width=width)
    if not lines.known[0]:
        return Assurance.NONE
    if lines.lower[0] <= target <= lines.upper[0]:
        return Assurance.HIT_OR_MISS
    above = lines.lower[0] > target
    return Assurance.PASS if above == (better > 0) else Assurance.FAIL


_MEANING = {
    (1, 1): Variation.IMPROVING_HIGH,
    (1, -1): Variation.IMPROVING_LOW,
    (-1, 1): Variation.CONCERN_HIGH,
    (-1, -1): Variation.CONCERN_LOW,
    (0, 1): Variation.NEITHER_HIGH,
    (0, -1): Variation.NEITHER_LOW,
}
"""By (side x better, side)."""


@dataclass(frozen=True, eq=False)
class _Run:
    """Where a window of a rule is complete, how long it is, and which of its points belong to it.

    Arrays are (P, S): a step in time is a contiguous row.
    """

    ends: BoolArray
    span: int
    belongs: BoolArray | None = None


class _Lines:
    """z by time (P, S), and comparisons with lines, each made once."""

    def __init__(self, z: npt.NDArray[np.float64]) -> None:
        self.z = z
        self._beyond: dict[tuple[float, int], BoolArray] = {}
        self._steps: dict[int, BoolArray] = {}

    def beyond(self, sigma: float, side: int) -> BoolArray:
        """Whether a point lies beyond so many sigma on a side (1, -1)."""
        if (sigma, side) not in self._beyond:
            line = side * (sigma + ON_THE_LINE)
            self._beyond[sigma, side] = self.z > line if side > 0 else self.z < line
        return self._beyond[sigma, side]

    def steps(self, side: int) -> BoolArray:
        """Whether a point is higher (1) or lower (-1) than the one before."""
        if side not in self._steps:
            moved = np.zeros(self.z.shape, dtype=np.bool_)
            compare = np.greater if side > 0 else np.less
            compare(self.z[1:], self.z[:-1], out=moved[1:])
            self._steps[side] = moved
        return self._steps[side]


def _beyond(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    return _Run(lines.beyond(numbers.sigma, side), 1)


def _shift(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    return _Run(_all_of_last(lines.beyond(0.0, side), numbers.points), numbers.points)


def _trend(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    return _Run(_all_of_last(lines.steps(side), numbers.points - 1), numbers.points)


def _so_many_of(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    beyond = lines.beyond(numbers.sigma, side)
    ends: BoolArray = _count_of_last(beyond, numbers.points) >= numbers.least
    if numbers.one_side:
        ends &= _all_of_last(lines.beyond(0.0, side), numbers.points)
    return _Run(ends, numbers.points, beyond)


def _within(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    inside: BoolArray = np.abs(lines.z) < numbers.sigma - ON_THE_LINE
    return _Run(_all_of_last(inside, numbers.points), numbers.points)


def _alternating(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    up, down = lines.steps(1), lines.steps(-1)
    turns = np.zeros(up.shape, dtype=np.bool_)
    turns[1:] = (up[1:] & down[:-1]) | (down[1:] & up[:-1])
    return _Run(_all_of_last(turns, numbers.points - 2), numbers.points)


def _outside(lines: _Lines, numbers: Parameters, side: int) -> _Run:
    high, low = lines.beyond(numbers.sigma, 1), lines.beyond(numbers.sigma, -1)
    ends = _all_of_last(high | low, numbers.points)
    for one in (high, low):
        ends &= ~_all_of_last(one, numbers.points)
    return _Run(ends, numbers.points)


_RUNS: dict[Rule, Callable[[_Lines, Parameters, int], _Run]] = {
    Rule.BEYOND: _beyond,
    Rule.SHIFT: _shift,
    Rule.TREND: _trend,
    Rule.TWO_OF_THREE: _so_many_of,
    Rule.FOUR_OF_FIVE: _so_many_of,
    Rule.FIFTEEN_WITHIN: _within,
    Rule.ALTERNATING: _alternating,
    Rule.EIGHT_OUTSIDE: _outside,
}


def _all_of_last(holds: BoolArray, points: int) -> BoolArray:
    """Return where something held at each of the last so many points, by doubling the window."""
    found, covered = holds.copy(), 1
    while covered < points:
        step = min(covered, points - covered)
        # The right side is read before it is written: numpy sees that they overlap.
        found[step:] &= found[:-step]
        found[:step] = False
        covered += step
    return found


def _count_of_last(holds: BoolArray, points: int) -> npt.NDArray[np.uint8]:
    """Return at how many of the last so many points something held; before the first it did not."""
    count = holds.astype(np.uint8)
    for back in range(1, min(points, holds.shape[0])):
        count[back:] += holds[:-back]
    return count


def _any_of_next(holds: BoolArray, points: int) -> BoolArray:
    """Return where something holds at this point or one of the next, so many together."""
    found, covered = holds.copy(), 1
    while covered < points:
        step = min(covered, points - covered)
        found[:-step] |= found[step:]
        covered += step
    return found


class _Closed:
    """Series with their gaps closed up, by time (P, S); `first` goes back to where points were."""

    def __init__(self, points: npt.NDArray[np.float64], there: BoolArray) -> None:
        self.z = np.ascontiguousarray(points.T)
        time = np.arange(points.shape[1], dtype=np.int16)[:, None]
        self._when = np.broadcast_to(time, self.z.shape)
        self._place: npt.NDArray[np.intp] | None = None
        if not there.all():
            self._close(np.ascontiguousarray(there.T))

    def _close(self, there: BoolArray) -> None:
        length, series = there.shape
        place = np.cumsum(there, axis=0, dtype=np.intp)
        place -= 1
        place *= series
        place += np.arange(series)
        taken = place[there]
        z, when = np.full(there.shape, np.nan), np.full(there.shape, FAR, dtype=np.int16)
        z.ravel()[taken] = self.z[there]
        when.ravel()[taken] = self._when[there]
        # What is missing reads from a row behind the last one, where nothing is found.
        place[~there] = length * series
        self.z, self._when, self._place = z, when, place

    def first(self, run: _Run) -> IndexArray:
        """Return (S, P) when the run of each point was first complete, -1 where it has none."""
        length, series = run.ends.shape
        found = np.empty((length + 1, series), dtype=np.int16)
        found[length] = NEVER
        first = found[:length]
        np.multiply(~run.ends, FAR, out=first)
        np.maximum(first, self._when, out=first)
        if run.span > 1:
            for at in range(length - 2, -1, -1):
                np.minimum(first[at], first[at + 1], out=first[at])
        belongs = _any_of_next(run.ends, run.span)
        if run.belongs is not None:
            belongs &= run.belongs
        # NEVER wherever it does not belong, without a pass that branches.
        first -= NEVER
        first *= belongs
        first += NEVER
        return first.T if self._place is None else found.ravel().take(self._place).T


def _members(first: Mapping[Rule, IndexArray]) -> dict[Rule, BoolArray]:
    return {rule: at >= 0 for rule, at in first.items()}


def _points(z: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        points = np.asarray(z, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("z must be numbers, of one length") from error
    if points.ndim != 2:
        raise StatisticsError("z must have shape (series, points)")
    if points.shape[1] >= FAR:
        raise StatisticsError(f"a series has fewer than {FAR} points")
    if np.isinf(points).any():
        raise StatisticsError("z must be finite, NaN where there is no point")
    return points


def _check_better(better: int) -> None:
    if better not in (-1, 0, 1):
        raise StatisticsError("better must be 1, 0 or -1")
