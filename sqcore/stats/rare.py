"""Charts of counts and of rare events: c, t (time between events) and g (cases between events).

Where less than about one event falls into a period, most periods say 0 and no limit of them says
anything; how long it took from one event to the next does. docs/methods/rare-events.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray
from sqcore.stats.charts import (
    MINIMUM,
    TRIAL_BELOW,
    WIDTH,
    ChartKind,
    ChartStatus,
    freeze,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.seasonality import series_of

POWER = 3.6
"""Times between events to the power 1/3.6 are nearly normal."""
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
    kept = _kept(times, valid)
    limits = freeze(kept ** (1 / POWER), kind=ChartKind.XMR)
    if not limits.status.usable:
        centre = float(kept.mean()) if limits.status == ChartStatus.ZERO_VARIANCE else None
        return Lines(limits.status, centre, centre, centre, len(kept))
    half = width * limits.sigma
    lower, centre, upper = (
        max(each, 0.0) ** POWER
        for each in (limits.centre - half, limits.centre, limits.centre + half)
    )
    return Lines(limits.status, centre, lower, upper, len(kept))


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
    kept = _kept(cases, valid)
    if (kept != np.floor(kept)).any():
        raise StatisticsError("cases are whole numbers")
    status = _status(kept)
    if status == ChartStatus.TOO_SHORT:
        return Lines(status, None, None, None, len(kept))
    mean, median = float(kept.mean()), float(np.median(kept))
    if not mean:
        return Lines(ChartStatus.ZERO_VARIANCE, 0.0, 0.0, 0.0, len(kept))
    half = width * float(np.sqrt(mean) * np.sqrt(mean + 1))
    return Lines(status, median, max(mean - half, 0.0), mean + half, len(kept))


def is_rare(counts: npt.ArrayLike) -> bool:
    """Return whether events are so few a period that the time between them is the better chart.

    counts: shape (P,), >= 0, NaN where there is none
    raises: StatisticsError if a shape is wrong or a number out of range
    source: Provost and Murray 2011, The Health Care Data Guide, chapter 7

    >>> is_rare([0, 1, 0, 0, 2, 0]), is_rare([4, 7, 5]), is_rare([])
    (True, False, False)
    """
    kept = _kept(counts, None)
    return bool(len(kept)) and float(kept.mean()) < RARE


def _kept(values: npt.ArrayLike, valid: npt.ArrayLike | None) -> FloatArray:
    x = series_of(values)
    good = ~np.isnan(x)
    if valid is not None:
        mask = np.asarray(valid)
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
    if not 0 < width < np.inf:
        raise StatisticsError("width must be positive and finite")
