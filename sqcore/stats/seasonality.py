"""Whether a period resembles the one before, or the same one a year ago.

Both are looked at before a chart or a trend is believed: limits and p-values are for values that
do not wait for each other. docs/methods/trend.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from sqcore.stats.arrays import BoolArray, FloatArray, confidence_level
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus

HUGE = 1e100
LEAST = 8
"""Fewer neighbours say next to nothing about autocorrelation."""
LEAST_VARIANCE = 0.4
"""Of an autocorrelation, times n: a strong one in a short series is not as sure as it says."""
LEAST_SEASONS = 2
FOUND = 0.01
"""A season is believed at this p: autocorrelation makes small ones more frequent than they say."""


def autocorrelation(values: npt.ArrayLike, *, confidence: float = 0.95) -> Figure:
    """Return how much a period resembles the one before: -1 to 1, 0 not at all.

    values: shape (P,), in the order of time, NaN where there is none; only true neighbours count
    returns: Figure of the lag-1 autocorrelation, corrected for its bias in short series,
        (n r + 1) / (n - 4) of n pairs, cut to -1..1, with an interval by t; its n is that of the
        values. Fewer than 8 pairs of neighbours: insufficient_n; all alike: zero_variance
    raises: StatisticsError if values have another shape or are not finite
    assumes: no trend and no step in the values: both look like autocorrelation
    source: Bartlett 1946, JRSS Supplement 8(1):27-41 (variance (1 - r^2) / n); Marriott and Pope
        1954, Biometrika 41(3-4):390-402 (bias)

    >>> found = autocorrelation([5, 6, 7, 6, 7, 5, 4, 5, 4, 3, 5, 6, 7, 6, 5, 4])
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (0.73, 0.21, 1.0)
    """
    confidence_level(confidence)
    x = series_of(values)
    n = int((~np.isnan(x)).sum())
    both = ~np.isnan(x[1:]) & ~np.isnan(x[:-1])
    pairs = int(both.sum())
    if pairs < LEAST:
        return Figure.none(MethodStatus.INSUFFICIENT_N, n=n)
    r = lag_one(x)
    if r is None:
        return Figure.none(MethodStatus.ZERO_VARIANCE, n=n)
    value = float(np.clip((pairs * r + 1) / (pairs - 4), -1.0, 1.0))
    error = np.sqrt(max(1 - value**2, LEAST_VARIANCE) * pairs) / (pairs - 4)
    half = float(special.stdtrit(pairs - 2, 0.5 + confidence / 2) * error)
    return Figure(value, max(value - half, -1.0), min(value + half, 1.0), n)


def lag_one(x: FloatArray) -> float | None:
    """Return the plain lag-1 autocorrelation over true neighbours; None where all are alike.

    x: shape (P,), NaN where there is none

    >>> round(lag_one(np.array([1.0, 2.0, 3.0, 4.0])), 4)
    0.25
    """
    here = ~np.isnan(x)
    n = int(here.sum())
    if not n:
        return None
    deviation = np.where(here, x - x[here].mean(), 0.0)
    square = float((deviation**2).sum())
    if square <= (1e-14 * float(np.abs(x[here]).max())) ** 2 * n:
        return None
    pairs = int((here[1:] & here[:-1]).sum())
    if not pairs:
        return None
    # Scaled by what there is of each, so that gaps do not make it small.
    product = float((deviation[1:] * deviation[:-1]).sum())
    return product / square * (n - 1) / pairs if n > 1 else None


@dataclass(frozen=True)
class Season:
    """Whether the same months (weekdays, quarters) are always high or low.

    is_found: p < .01; p: of the test, None without one; effects: how far each position of the
    season lies from the mean of its year, shape (season,), () without a test; years: complete ones
    """

    is_found: bool
    p: float | None
    effects: tuple[float, ...]
    years: int
    n: int
    status: MethodStatus = MethodStatus.OK


def season_of(values: npt.ArrayLike, season: int) -> Season:
    """Return whether a series has a season of so many periods.

    values: shape (P,), in the order of time, NaN where there is none
    season: periods of a full turn, >= 2: 12 months, 4 quarters, 52 weeks
    returns: Season. Complete turns are counted back from the newest value; those with a gap do not
        count. Fewer than two: too_short; all alike: zero_variance
    raises: StatisticsError if values have another shape or are not finite, or season < 2
    assumes: a turn differs from the next by a constant. Values that resemble their neighbours give
        small p more often than they say: therefore .01, and docs/methods/trend.md how often then
    source: Friedman 1937, JASA 32(200):675-701, with Iman and Davenport's F 1980, Communications
        in Statistics A9(6):571-595

    >>> season_of([1, 5, 9, 5, 2, 6, 9, 4, 1, 5, 8, 6, 2, 7, 9, 5], 4).is_found
    True
    >>> season_of([1, 2, 3], 4).status.value
    'too_short'
    """
    x = series_of(values)
    if season < LEAST_SEASONS:
        raise StatisticsError("a season has at least 2 periods")
    n = int((~np.isnan(x)).sum())
    turns = _turns(x, season)
    years = len(turns)
    if years < LEAST_SEASONS:
        return Season(False, None, (), years, n, MethodStatus.TOO_SHORT)
    if np.ptp(turns) <= 1e-14 * np.abs(turns).max():
        return Season(False, None, (), years, n, MethodStatus.ZERO_VARIANCE)
    p = _iman_davenport(turns)
    centred = (turns - turns.mean(axis=1, keepdims=True)).mean(axis=0)
    # Turns end with the newest value: put the effects where counting from the first value has them.
    effects = np.roll(centred, (_last(x) + 1) % season)
    return Season(p < FOUND, p, tuple(float(each) for each in effects), years, n)


def series_of(values: npt.ArrayLike) -> FloatArray:
    """Return values as float64 of shape (P,), NaN where there is none, or refuse.

    >>> series_of([1, None, 2]).tolist()
    [1.0, nan, 2.0]
    """
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("values must be numbers, of one length") from error
    if x.ndim != 1:
        raise StatisticsError("values must have shape (points,)")
    beyond: BoolArray = np.abs(x) > HUGE
    if beyond.any():
        raise StatisticsError(f"values must be finite and not beyond {HUGE:g}")
    return x


def _last(x: FloatArray) -> int:
    return int(np.flatnonzero(~np.isnan(x))[-1])


def _turns(x: FloatArray, season: int) -> FloatArray:
    """Return the complete turns, shape (years, season), the newest last."""
    if np.isnan(x).all():
        return np.empty((0, season))
    until = _last(x) + 1
    whole = until // season
    turns = x[until - whole * season : until].reshape(whole, season)
    complete: FloatArray = turns[~np.isnan(turns).any(axis=1)]
    return complete


def _iman_davenport(turns: FloatArray) -> float:
    """Return the p of Friedman's test by its F; ties share their mean rank."""
    years, season = turns.shape
    ranks = stats.rankdata(turns, axis=1)
    sums = ranks.sum(axis=0)
    total = float((ranks**2).sum())
    between = float((sums**2).sum()) / years
    middle = years * season * (season + 1) ** 2 / 4
    within = total - between
    if total - middle <= 0:
        return 1.0
    if within <= 1e-9 * total:
        # All turns have one order: the chance of that, exactly, is that of the others repeating it.
        return float(np.exp(-(years - 1) * special.gammaln(season + 1)))
    f = (years - 1) * (between - middle) / within
    return float(special.fdtrc(season - 1, (season - 1) * (years - 1), max(f, 0.0)))
