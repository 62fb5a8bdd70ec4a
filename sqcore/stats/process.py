"""Process maps out of event logs: stages, moves between them, where the time goes, usual paths."""

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    confidence_level,
    finite,
    int64s,
    numbers,
    squarable,
)
from sqcore.stats.errors import StatisticsError

FEWEST_CASES = 20
"""Below this many cases nothing is called a bottleneck."""
SHOWN_FLOW = 0.9
"""How much of the flow `filter_edges` keeps unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Times:
    """How long each of T kinds of spells took, in the unit of the events; all of shape (T,).

    n: spells whose time is known; cases: cases that have one
    median, mean, p90: of a spell; low, high: the interval of the mean; NaN where it is not known
    total: of all spells; share: of the total time of all kinds, with its interval
    """

    n: IntArray
    cases: IntArray
    median: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    p90: FloatArray
    total: FloatArray
    share: FloatArray
    share_low: FloatArray
    share_high: FloatArray

    def __getitem__(self, where: slice) -> "Times":
        return Times(**{name: part[where] for name, part in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Stages:
    """The A activities: how often, in how many cases, in how many of them more than once.

    place: mean place of its first occurrence in a case, 0 for the first; NaN where it never occurs
    handling: from start to end
    """

    n: IntArray
    cases: IntArray
    repeated: IntArray
    place: FloatArray
    handling: Times


@dataclass(frozen=True, eq=False)
class Edges:
    """The E moves that occur, ordered by source and target.

    source: 0 to A - 1, or A for the arrival; target: 0 to A - 1, or A + 1 for the leaving
    n, cases: how often, in how many cases
    overlaps: how often the next stage began before this one ended; the wait then counts as 0
    untimed: how often the end of the source is not known, so that the wait runs from its start
    wait: from the end of the source to the start of the target; to the leaving there is none
    """

    source: IntArray
    target: IntArray
    n: IntArray
    cases: IntArray
    overlaps: IntArray
    untimed: IntArray
    wait: Times


@dataclass(frozen=True, eq=False)
class ProcessMap:
    """A directly-follows graph with its times."""

    cases: int
    events: int
    stages: Stages
    edges: Edges

    @property
    def arrival(self) -> int:
        """The source of the moves into a case."""
        return len(self.stages.n)

    @property
    def leaving(self) -> int:
        """The target of the moves out of a case."""
        return self.arrival + 1


def process_map(
    case: npt.ArrayLike,
    activity: npt.ArrayLike,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    *,
    activities: int,
    arrived: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> ProcessMap:
    """Return which stages follow each other directly, how often, and how long all of it took.

    case: (E,) integers, all events of a case together; activity: (E,) integers in 0..activities-1
    start: (E,) in one unit of time, ascending within a case; end: (E,), NaN where it is not known
    arrived: (E,) when the case arrived, the same for all its events; None: with its first event
    returns: ProcessMap; the lower end of a mean is found on the logarithmic scale, the upper by
        Hall's transformation, which allows for skewness; a share on the logit scale; all from the
        spread between cases with Student's t; NaN where cases do not differ or there is only one
    raises: StatisticsError if an event ends before it starts, starts before the one before it or
        before the arrival, or the events of a case are scattered
    assumes: independent cases
    source: van der Aalst 2016, Process Mining, 2nd ed., sections 7.2 and 9.4; the intervals are
        those of a ratio with cases as clusters, Cochran 1977, Sampling Techniques, section 6.4;
        Hall 1992, On the removal of skewness by transformation, J. R. Stat. Soc. B 54, 221-228

    >>> found = process_map([0, 0, 1, 1], [0, 1, 0, 1], [0, 9, 0, 6], [4, 10, 5, 8], activities=2)
    >>> list(zip(found.edges.source.tolist(), found.edges.target.tolist(), found.edges.n.tolist()))
    [(0, 1, 2), (1, 3, 2), (2, 0, 2)]
    >>> found.edges.wait.mean.tolist()
    [3.0, nan, 0.0]
    >>> found.stages.handling.mean.tolist()
    [4.5, 1.5]
    """
    confidence_level(confidence)
    log = _checked(case, activity, start, end, activities, arrived)
    source, target = _moves(log)
    width = activities + 2
    kinds, edge = np.unique(source * width + target, return_inverse=True)
    times = _times(_spells(log, edge), activities + len(kinds), log.cases, confidence)
    n = np.bincount(edge, minlength=len(kinds))
    return ProcessMap(
        cases=log.cases,
        events=len(log.case),
        stages=_stages(log, times[slice(0, activities)]),
        edges=Edges(
            source=kinds // width,
            target=kinds % width,
            n=n.astype(np.int64),
            cases=_cases_with(edge, np.append(log.case, log.case[log.last]), len(kinds), log.cases),
            overlaps=_tally(edge[: len(log.case)], log.gap < 0, len(kinds)),
            untimed=_tally(edge[: len(log.case)], log.untimed, len(kinds)),
            wait=times[slice(activities, None)],
        ),
    )


@dataclass(frozen=True, eq=False)
class _Log:
    """Checked events of E rows; `case` counts from 0. `gap` is what lies before each event, below
    0 where the stage before it was not over; `untimed`: it is not known when that one was over."""

    case: IntArray
    activity: IntArray
    activities: int
    cases: int
    first: BoolArray
    last: BoolArray
    length: FloatArray
    gap: FloatArray
    untimed: BoolArray


def _checked(
    case: npt.ArrayLike,
    activity: npt.ArrayLike,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    activities: int,
    arrived: npt.ArrayLike | None,
) -> _Log:
    cases, stages = int64s(case, "case"), int64s(activity, "activity")
    starts, ends = squarable(finite(start, "start"), "start"), numbers(end, "end")
    squarable(ends, "end")
    came = starts if arrived is None else squarable(finite(arrived, "arrived"), "arrived")
    if cases.ndim != 1 or any(a.shape != cases.shape for a in (stages, starts, ends, came)):
        raise StatisticsError("case, activity, start, end and arrived must have the same length")
    if ((stages < 0) | (stages >= activities)).any():
        raise StatisticsError("activity must lie in 0..activities-1")
    if (ends < starts).any():
        raise StatisticsError("an event cannot end before it starts")
    first = np.append(True, cases[1:] != cases[:-1])[: len(cases)]
    if first.sum() != len(np.unique(cases)):
        raise StatisticsError("the events of a case must stand together")
    before = np.append(0.0, starts[:-1])[: len(starts)]
    if ((starts < before) & ~first).any() or (came > starts)[first].any():
        raise StatisticsError("the events of a case must be ordered by their start")
    over = np.append(np.nan, ends[:-1])[: len(ends)]
    untimed = np.isnan(over) & ~first
    over = np.where(first, came, np.where(untimed, before, over))
    number = np.cumsum(first, dtype=np.int64) - 1
    last = np.append(first[1:], True)[: len(first)]
    return _Log(
        number, stages, activities, int(first.sum()), first, last,
        ends - starts, starts - over, untimed,
    )  # fmt: skip


def _moves(log: _Log) -> tuple[IntArray, IntArray]:
    """(source, target) of the move into each event, then of the move out of each case."""
    source = np.append(log.activities, log.activity[:-1])[: len(log.activity)]
    source = np.where(log.first, log.activities, source)
    out = log.activity[log.last]
    return (
        np.append(source, out).astype(np.int64),
        np.append(log.activity, np.full(len(out), log.activities + 1)).astype(np.int64),
    )


def _tally(kind: IntArray, where: BoolArray, kinds: int) -> IntArray:
    return np.bincount(kind[where], minlength=kinds).astype(np.int64)


def _cases_with(kind: IntArray, case: IntArray, kinds: int, cases: int) -> IntArray:
    """In how many cases each kind occurs."""
    once = np.unique(kind * max(cases, 1) + case)
    return np.bincount(once // max(cases, 1), minlength=kinds).astype(np.int64)


def _stages(log: _Log, handling: Times) -> Stages:
    key, first_at, count = np.unique(
        log.activity * max(log.cases, 1) + log.case, return_index=True, return_counts=True
    )
    stage = key // max(log.cases, 1)
    begins = np.flatnonzero(log.first)
    place = (first_at - begins[log.case[first_at]]).astype(np.float64)
    cases = np.bincount(stage, minlength=log.activities).astype(np.int64)
    with np.errstate(invalid="ignore"):
        mean_place = np.bincount(stage, weights=place, minlength=log.activities) / cases
    return Stages(
        n=np.bincount(log.activity, minlength=log.activities).astype(np.int64),
        cases=cases,
        repeated=_tally(stage, count > 1, log.activities),
        place=mean_place,
        handling=handling,
    )


# Where the time goes ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Spells:
    """Stretches of time: handling of the stages, then waits of the edges, each of a kind."""

    kind: IntArray
    case: IntArray
    length: FloatArray


def _spells(log: _Log, edge: IntArray) -> _Spells:
    known = ~np.isnan(log.length)
    return _Spells(
        np.append(log.activity[known], log.activities + edge[: len(log.case)]),
        np.append(log.case[known], log.case),
        np.append(log.length[known], np.maximum(log.gap, 0.0)),
    )


def _times(spells: _Spells, kinds: int, cases: int, confidence: float) -> Times:
    middle, upper = _quantiles(spells, kinds, (0.5, 0.9))
    key, at = np.unique(spells.kind * max(cases, 1) + spells.case, return_inverse=True)
    kind, case = key // max(cases, 1), key % max(cases, 1)
    length = np.bincount(at, weights=spells.length, minlength=len(key)).astype(np.float64)
    count = np.bincount(at, minlength=len(key)).astype(np.float64)

    def by_kind(weights: npt.NDArray[Any] | None = None) -> FloatArray:
        return np.bincount(kind, weights=weights, minlength=kinds).astype(np.float64)

    groups, n, total = by_kind(), by_kind(count), by_kind(length)
    tail = 0.5 + confidence / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        rest = length - np.where(n > 0, mean, 0.0)[kind] * count
        squares, cubes = by_kind(rest**2), by_kind(rest**3)
        se = np.sqrt(squares * groups / (groups - 1)) / n
        steps = np.asarray(special.stdtrit(np.maximum(groups - 1, 1), tail), dtype=np.float64)
        relative = np.asarray(se / mean, dtype=np.float64)
        known = (groups > 1) & (se > 0)
        low = np.where(known, mean * np.exp(-steps * relative), np.nan)
        above = se * _hall(steps, groups, _skewness(squares, cubes, groups, relative))
        high = np.where(known, mean + above, np.nan)
    share, share_low, share_high = _shares(length, kind, case, total, cases, tail)
    return Times(
        n.astype(np.int64), groups.astype(np.int64), middle, mean, low, high, upper,
        total, share, share_low, share_high,
    )  # fmt: skip


def _skewness(
    squares: FloatArray, cubes: FloatArray, n: FloatArray, relative: FloatArray
) -> FloatArray:
    """Return the skewness of what n cases leave, with its usual correction for few.

    Few values of a skewed kind show too little of it: at least that of gamma times is taken, twice
    the coefficient of variation. relative: the standard error by the mean
    """
    plain = np.where(squares > 0, cubes / n / (squares / n) ** 1.5, 0.0)
    corrected = plain * np.where(n > 2, np.sqrt(n * (n - 1)) / (n - 2), 1.0)
    return np.asarray(np.maximum(corrected, 2 * relative * np.sqrt(n)))


def _hall(steps: FloatArray, n: FloatArray, skewness: FloatArray) -> FloatArray:
    """Return how many standard errors above the mean the upper end lies, by Hall's transformation
    of the studentised mean."""
    root = np.sqrt(n)
    inner = 1 - skewness * (steps / root + skewness / (6 * n))
    return np.asarray(3 * root / skewness * (1 - np.cbrt(inner)))


def _quantiles(spells: _Spells, kinds: int, wanted: Iterable[float]) -> list[FloatArray]:
    """Return each quantile of each kind, linear between the order statistics; NaN for none."""
    order = np.lexsort((spells.length, spells.kind))
    length = np.append(spells.length[order], np.nan)
    n = np.bincount(spells.kind, minlength=kinds)
    begins = np.cumsum(n) - n
    found = []
    for quantile in wanted:
        place = np.maximum(n - 1, 0) * quantile
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(n - 1, 0))
        empty = n == 0
        low = length[np.where(empty, -1, begins + below)]
        high = length[np.where(empty, -1, begins + above)]
        found.append(low + (place - below) * (high - low))
    return found


def _shares(
    length: FloatArray, kind: IntArray, case: IntArray, total: FloatArray, cases: int, tail: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each kind's share of all time, with low and high on the logit scale."""
    whole = np.bincount(case, weights=length, minlength=cases).astype(np.float64)
    kinds, time = len(total), float(whole.sum())
    if time <= 0:
        nothing = np.full(kinds, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    share = total / time
    squares = np.bincount(kind, weights=length**2, minlength=kinds)
    cross = np.bincount(kind, weights=length * whole[case], minlength=kinds)
    rest = np.maximum(squares - 2 * share * cross + share**2 * float((whole**2).sum()), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(rest * cases / max(cases - 1, 1)) / time
        half = special.stdtrit(max(cases - 1, 1), tail) * se / (share * (1 - share))
        known = (cases > 1) & (share > 0) & (share < 1) & (se > 0)
        low, high = (
            np.where(known, special.expit(special.logit(share) + side * half), np.nan)
            for side in (-1, 1)
        )
    return share, low, high


@dataclass(frozen=True)
class Bottleneck:
    """The stage or move on which most of the time goes, and the one after it.

    stage: its activity, None when it is a move; edge: its place in `Edges`, None when a stage
    is_clear: its interval lies above that of the second, in enough cases
    """

    stage: int | None
    edge: int | None
    share: float
    low: float
    high: float
    cases: int
    is_clear: bool
    second: "Bottleneck | None" = None


def stretches(found: ProcessMap, *, fewest: int = 1) -> list[Bottleneck]:
    """Return the stages and moves that take time, the largest share first.

    fewest: what occurs in fewer cases is left out (it still counts in the whole)
    """
    return sorted(
        (
            Bottleneck(
                stage=place if times is found.stages.handling else None,
                edge=place if times is found.edges.wait else None,
                share=float(times.share[place]),
                low=float(times.share_low[place]),
                high=float(times.share_high[place]),
                cases=int(times.cases[place]),
                is_clear=False,
            )
            for times in (found.stages.handling, found.edges.wait)
            for place in np.flatnonzero((times.cases >= fewest) & (times.total > 0)).tolist()
        ),
        key=lambda one: -one.share,
    )


def bottleneck(found: ProcessMap, *, fewest: int = 1) -> Bottleneck | None:
    """Return where the largest share of the customers' time goes, or None when no time passed.

    fewest: what occurs in fewer cases is not looked at (it still counts in the whole)
    returns: Bottleneck. Clear only if its interval lies above the second's: two intervals that do
        not touch differ clearly however the two go together, and the largest of many was chosen
    assumes: as `process_map`

    >>> stays = [9.0, 11, 10, 9, 11, 10] * 4
    >>> found = process_map(
    ...     range(24), [0] * 24, range(1, 25), [i + 1 + s for i, s in enumerate(stays)],
    ...     activities=1, arrived=[i + .5 + i % 2 * .2 for i in range(24)])
    >>> most = bottleneck(found)
    >>> most.stage, round(most.share, 3), most.is_clear
    (0, 0.962, True)
    """
    ranked = stretches(found, fewest=fewest)
    if not ranked:
        return None
    most, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    apart = second is None or most.low > (second.high if second.high > 0 else second.share)
    is_clear = found.cases >= FEWEST_CASES and (apart or most.share == 1)
    return Bottleneck(**{**vars(most), "is_clear": bool(is_clear), "second": second})


# Usual paths ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """A path that cases took from their first to their last stage.

    share: of all cases; coverage: of all cases, with all more frequent paths
    """

    path: tuple[int, ...]
    n: int
    share: float
    coverage: float


def variants(case: npt.ArrayLike, activity: npt.ArrayLike) -> list[Variant]:
    """Return every path with its frequency, the most frequent first, equals in order of the path.

    case, activity: (E,) integers, all events of a case together in their order
    raises: StatisticsError if the lengths differ

    >>> [(v.path, v.n, v.coverage) for v in variants([7, 7, 8, 9, 9], [0, 1, 0, 0, 1])]
    [((0, 1), 2, 0.6666666666666666), ((0,), 1, 1.0)]
    """
    cases, stages = int64s(case, "case"), int64s(activity, "activity")
    if cases.shape != stages.shape or cases.ndim != 1:
        raise StatisticsError("case and activity must have the same length")
    begins = np.flatnonzero(np.append(True, cases[1:] != cases[:-1])[: len(cases)])
    width = stages.itemsize
    packed = np.ascontiguousarray(stages).tobytes()
    cuts = [*(begins * width).tolist(), len(packed)]
    counts = Counter(packed[a:b] for a, b in itertools.pairwise(cuts))
    paths = [(n, tuple(np.frombuffer(path, np.int64).tolist())) for path, n in counts.items()]
    found, so_far = [], 0
    for n, path in sorted(paths, key=lambda one: (-one[0], one[1])):
        so_far += n
        found.append(Variant(path, n, n / len(begins), so_far / len(begins)))
    return found


# What a map shows -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Shown:
    """Which edges are shown, (E,), and what share of all moves they are."""

    edges: BoolArray
    flow: float


def filter_edges(found: ProcessMap, *, flow: float = SHOWN_FLOW, fewest: int = 1) -> Shown:
    """Return the most frequent edges that make up this share of all moves, and those without
    which a stage would stand apart.

    flow: 0 to 1; fewest: an edge in fewer cases is never shown
    returns: Shown. Every stage keeps the way from the arrival and the way to the leaving whose
        rarest move is the most frequent there is (its widest path), as far as moves in enough
        cases lead there. Frequent edges that were hidden for clarity still count in all figures
    raises: StatisticsError if flow is out of range
    source: the caution against thresholds alone, van der Aalst 2019, A practitioner's guide to
        process mining: limitations of the directly-follows graph, doi:10.1016/j.procs.2019.12.189

    >>> found = process_map([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [0, 1, 0, 1, 0], [0, 1, 0, 1, 0],
    ...     activities=2)
    >>> filter_edges(found, flow=0.8).edges.tolist(), filter_edges(found, flow=0.8).flow
    ([True, False, True, True], 0.875)
    """
    if not 0 <= flow <= 1:
        raise StatisticsError("flow must lie in 0..1")
    edges = found.edges
    allowed = edges.cases >= fewest
    order = np.argsort(-edges.n, kind="stable")
    order = order[allowed[order]]
    shown = np.zeros(len(edges.n), dtype=np.bool_)
    moves = int(edges.n.sum())
    before = np.cumsum(edges.n[order]) - edges.n[order]
    shown[order[before < flow * moves]] = True
    shown[_widest(edges.source, edges.target, edges.n, allowed, found.arrival)] = True
    shown[_widest(edges.target, edges.source, edges.n, allowed, found.leaving)] = True
    return Shown(shown, float(edges.n[shown].sum() / moves) if moves else 1.0)


def _widest(
    source: IntArray, target: IntArray, n: IntArray, allowed: BoolArray, root: int
) -> list[int]:
    """Return the edge by which the widest path from the root enters each node that it reaches."""
    leaves: dict[int, list[int]] = {}
    for edge in np.flatnonzero(allowed).tolist():
        leaves.setdefault(int(source[edge]), []).append(edge)
    entered: dict[int, int] = {root: -1}
    waiting = [(-int(n[edge]), edge) for edge in leaves.get(root, [])]
    waiting.sort()
    while waiting:
        width, edge = heappop(waiting)
        node = int(target[edge])
        if node not in entered:
            entered[node] = edge
            for following in leaves.get(node, []):
                heappush(waiting, (max(width, -int(n[following])), following))
    return [edge for edge in entered.values() if edge >= 0]
