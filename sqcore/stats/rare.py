"""Charts of counts and of rare events: c, t (time between events) and g (cases between events).

Where less than about one event falls into a period, most periods say 0 and no limit of them says
anything; how long it took from one event to the next does. docs/methods/rare-events.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray, IntArray, int64s, shaped
from sqcore.stats.charts import (
    MINIMUM,
    TRIAL_BELOW,
    WIDEST,
    WIDTH,
    ChartKind,
    ChartStatus,
    bands,
    freeze,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.seasonality import series_of

RARE = 1.0
"""Fewer events a period than this, and a chart of counts says little."""


@dataclass(frozen=True)
class Lines:
    """The limits of one chart whose lines are the same for every point, in units of the values.

    status: as of `charts.Limits`; without limits the numbers are None. n0: values they come from
    """

    status: ChartStatus
    centre: float | None
    lower: float | None
    upper: float | None
    n0: int

    def beyond(self, values: npt.ArrayLike) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the indices of the points below the lower and above the upper limit."""
        x = series_of(values)
        if self.lower is None or self.upper is None:
            return (), ()
        low, high = np.flatnonzero(x < self.lower), np.flatnonzero(x > self.upper)
        return tuple(int(at) for at in low), tuple(int(at) for at in high)


def c_lines(
    counts: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, width: float = WIDTH
) -> Lines:
    """Return the limits of counts in periods (or units) that are alike.

    counts: shape (P,), >= 0, NaN where there is none
    valid: shape (P,), bool: the points that give the limits; None: all that have a value
    width: > 0, of the limits in sigma
    returns: Lines. Fewer than 5 counts: too_short; nothing ever happened: zero_variance; fewer
        than 20: trial
    raises: StatisticsError if a shape is wrong or a number out of range
    assumes: events that do not wait for each other (Poisson)
    source: Montgomery, Introduction to Statistical Quality Control, section 7.3

    >>> lines = c_lines([4, 2, 5, 3, 6, 4])
    >>> lines.centre, lines.lower, lines.upper
    (4.0, 0.0, 10.0)
    """
    _width(width)
    kept = _kept(counts, valid)
    status = _status(kept)
    if status == ChartStatus.TOO_SHORT:
        return Lines(status, None, None, None, len(kept))
    centre = float(kept.mean())
    if not centre:
        return Lines(ChartStatus.ZERO_VARIANCE, 0.0, 0.0, 0.0, len(kept))
    half = width * float(np.sqrt(centre))
    return Lines(status, centre, max(centre - half, 0.0), centre + half, len(kept))


def t_lines(
    times: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, width: float = WIDTH
) -> Lines:
    """Return the limits of times between events: many short ones are the bad news.

    times: shape (P,), >= 0, from one event to the next, NaN where it is not known
    valid, width: as in `c_lines`
    returns: Lines, in units of the times: an XmR chart of times^(1/3.6), turned back; moving ranges
        of 3.267 times their mean or more are left out once. All alike: zero_variance
    raises: StatisticsError as `c_lines`
    assumes: events at a constant rate that do not wait for each other
    source: Nelson 1994, Journal of Quality Technology 26(3):239-241; Montgomery, section 7.3.5

    >>> lines = t_lines([3, 9, 1, 6, 14, 5, 2, 8])
    >>> round(lines.centre, 2), round(lines.lower, 2), round(lines.upper, 1)
    (4.96, 0.0, 53.5)
    """
    _width(width)
    return _between(_kept(times, valid), ChartKind.T, width)


def g_lines(
    cases: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, width: float = WIDTH
) -> Lines:
    """Return the limits of cases between events, such as good calls between two complaints.

    cases: shape (P,), integers >= 0, NaN where it is not known
    valid, width: as in `c_lines`
    returns: Lines: the centre is the median, so that as many points lie above as below it, the
        limits are mean -+ width x sqrt(m (m + 1)) with the mean m, not below 0. All 0:
        zero_variance
    raises: StatisticsError as `c_lines`, or if a case is no whole number
    assumes: every case has the same chance to be an event (geometric)
    source: Benneyan 2001, Health Care Management Science 4(4):305-318; centre as qicharts2

    >>> lines = g_lines([16, 23, 43, 25, 1, 26, 45])
    >>> lines.centre, lines.lower, round(lines.upper, 2)
    (25.0, 0.0, 103.77)
    """
    _width(width)
    return _between(_kept(cases, valid), ChartKind.G, width)


def is_rare(counts: npt.ArrayLike) -> bool:
    """Return whether events are so few a period that the time between them is the better chart.

    counts: shape (P,), >= 0, NaN where there is none
    returns: whether there is less than one event a period, in the mean or in the median (so also
        where more than half of the periods have none)
    raises: StatisticsError if a shape is wrong or a number out of range
    source: Provost and Murray 2011, The Health Care Data Guide, chapter 7

    >>> is_rare([0, 1, 0, 0, 2, 0]), is_rare([0, 9, 0, 0, 2, 1]), is_rare([4, 7, 5]), is_rare([])
    (True, True, False, False)
    """
    kept = _kept(counts, None)
    return bool(len(kept)) and min(float(kept.mean()), float(np.median(kept))) < RARE


@dataclass(frozen=True, eq=False)
class Between:
    """What passed from one event to the next, one entry for each event but the first, in order.

    at: shape (G,), the day (as an index) on which the later event happened
    days: shape (G,), from the former event to it; cases: cases that passed in between
    """

    at: IntArray
    days: FloatArray
    cases: FloatArray


def between_events(events: npt.ArrayLike, cases: npt.ArrayLike | None = None) -> Between:
    """Return what passed between events that were counted by the day.

    events: shape (D,), whole numbers >= 0, how many of each day; days follow each other
    cases: shape (D,), whole numbers >= events, of how many cases; None: they are the days
    returns: Between. Several of one day are 0 days apart; among the cases of their day they are
        taken as evenly spread
    raises: StatisticsError if a shape is wrong or a number out of range

    >>> found = between_events([1, 0, 0, 2, 0, 1], [10, 10, 10, 10, 10, 10])
    >>> found.at.tolist(), found.days.tolist(), found.cases.tolist()
    ([3, 3, 5], [3.0, 0.0, 2.0], [26.0, 4.0, 17.0])
    """
    count = int64s(events, "events")
    if count.ndim != 1:
        raise StatisticsError("events must have shape (days,)")
    total = np.maximum(count, 1) if cases is None else int64s(cases, "cases")
    shaped(total, count.shape, "cases")
    if (count < 0).any() or (total < count).any():
        raise StatisticsError("events cannot be negative, and not more than their cases")
    at = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(total) - total
    order = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    place = before[at] + (2 * order + 1) * total[at] // (2 * np.maximum(count[at], 1))
    return Between(
        at=at[1:],
        days=np.diff(at).astype(np.float64),
        cases=np.maximum(np.diff(place) - 1, 0).astype(np.float64),
    )


def _between(kept: FloatArray, kind: ChartKind, width: float) -> Lines:
    limits = freeze(kept, kind=kind)
    if limits.status == ChartStatus.TOO_SHORT:
        return Lines(limits.status, None, None, None, len(kept))
    if limits.status == ChartStatus.ZERO_VARIANCE:
        level = float(kept.mean())
        return Lines(limits.status, level, level, level, len(kept))
    lines = bands(limits, points=1, width=width)
    centre, lower, upper = (float(line[0]) for line in (lines.centre, lines.lower, lines.upper))
    return Lines(limits.status, centre, lower, upper, len(kept))


def _kept(values: npt.ArrayLike, valid: npt.ArrayLike | None) -> FloatArray:
    x = series_of(values)
    good = ~np.isnan(x)
    if valid is not None:
        try:
            mask = np.asarray(valid)
        except ValueError as error:
            raise StatisticsError("valid must be a list") from error
        if mask.dtype.kind != "b" or mask.shape != x.shape:
            raise StatisticsError(f"valid must be bool and have shape {x.shape}")
        good &= mask
    kept: FloatArray = x[good]
    if (kept < 0).any():
        raise StatisticsError("counts and times cannot be negative")
    return kept


def _status(kept: FloatArray) -> ChartStatus:
    if len(kept) < MINIMUM:
        return ChartStatus.TOO_SHORT
    return ChartStatus.TRIAL if len(kept) < TRIAL_BELOW else ChartStatus.OK


def _width(width: float) -> None:
    if not 0 < width <= WIDEST:
        raise StatisticsError(f"width must be positive and at most {WIDEST:g}")
