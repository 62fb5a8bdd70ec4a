"""Whether a series rises or falls, and how fast: Mann-Kendall's test and Sen's slope.

Both only look at which of two periods is higher, and at the middle of all slopes between two: one
wild period moves neither. docs/methods/trend.md
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import comb

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray, confidence_level
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.seasonality import lag_one, series_of

LEAST = 8
"""Fewer periods show no direction that could be told from chance."""
EXACT_UPTO = 10
RESEMBLES = 0.2
"""From this lag-1 autocorrelation on a test that is not widened says so."""
MOST = 0.8
LONGEST = 5_000
LEAST_YEARS = 3


class TrendMethod(StrEnum):
    """How the p came about."""

    EXACT = "exact"
    """All orders of the values counted: up to 10 periods."""
    NORMAL = "normal"
    """The normal approximation, corrected for ties and for continuity."""
    WIDENED = "widened"
    """The same with the variance of values that resemble their neighbours (after Hamed and Rao)."""
    SEASONAL = "seasonal"
    """Each season for itself, summed (Hirsch, Slack and Smith)."""


@dataclass(frozen=True)
class Trend:
    """A direction with its certainty.

    direction: 1 rises, -1 falls, 0 neither that could be told from chance
    tau: -1 to 1, the share of pairs that rise minus the share that fall
    s, variance, z: of the test; z None where p is exact
    p: two-sided; slope: a period, with its interval; per season in `seasonal_mann_kendall`: a turn
    autocorrelation: of what the slope leaves, lag 1, corrected for bias; None where it leaves
        nothing
    is_doubtful: neighbours resemble each other and p does not account for it
    """

    direction: int
    tau: float | None
    s: int
    variance: float
    z: float | None
    p: float | None
    slope: Figure
    n: int
    method: TrendMethod | None
    autocorrelation: float | None
    is_doubtful: bool
    status: MethodStatus = MethodStatus.OK


def mann_kendall(
    values: npt.ArrayLike, *, confidence: float = 0.95, independent: bool = False
) -> Trend:
    """Return whether a series rises or falls.

    values: shape (P,), in the order of time at equal distances, NaN where there is none; P <= 5,000
    confidence: of the slope's interval; a direction is told where p < 1 - confidence
    independent: the values are known not to resemble their neighbours: the variance is not widened
    returns: Trend. Fewer than 8 values: too_short; all alike: zero_variance. Up to 10 values p is
        exact, ties too. From 11 on the variance is widened, never narrowed, as Hamed and Rao do,
        by the autocorrelation of the first order that the slope leaves (0 to .8)
    raises: StatisticsError if values have another shape, are too many or not finite
    assumes: no season (`seasonal_mann_kendall`) and one direction all the way
    source: Mann 1945, Econometrica 13(3):245-259; Kendall 1975, Rank Correlation Methods; Hamed
        and Rao 1998, Journal of Hydrology 204(1-4):182-196; Sen 1968, JASA 63(324):1379-1389

    >>> waits = [9, 10, 9, 11, 12, 11, 13, 14, 13, 15, 16, 15]
    >>> found = mann_kendall(waits)
    >>> found.direction, round(found.slope.value, 2), found.p < 0.001
    (1, 0.67, True)
    >>> mann_kendall([1, 2, 3]).status.value
    'too_short'
    """
    confidence_level(confidence)
    x = _series(values)
    at = np.flatnonzero(~np.isnan(x))
    y, n = x[at], len(at)
    if n < LEAST:
        return _none(MethodStatus.TOO_SHORT, n)
    if _is_flat(y):
        return _none(MethodStatus.ZERO_VARIANCE, n)
    s, variance = _score(y), _variance(y)
    slopes = _slopes(at, y)
    rest = np.full(x.shape, np.nan)
    rest[at] = y - float(np.median(slopes)) * at
    phi = _memory(rest, n)
    method = TrendMethod.EXACT if n <= EXACT_UPTO else TrendMethod.NORMAL
    if method == TrendMethod.NORMAL and not independent and phi is not None and phi > 0:
        method = TrendMethod.WIDENED
        variance *= _widening(phi, n)
    z = None if method == TrendMethod.EXACT else _z(s, variance)
    p = _exact_p(s, y) if z is None else float(2 * special.ndtr(-abs(z)))
    slope = _slope(slopes, variance, n, confidence)
    return Trend(
        direction=int(np.sign(s)) if p < 1 - confidence else 0,
        tau=s / comb(n, 2),
        s=s,
        variance=variance,
        z=z,
        p=p,
        slope=slope,
        n=n,
        method=method,
        autocorrelation=phi,
        is_doubtful=phi is not None and phi > RESEMBLES and method != TrendMethod.WIDENED,
    )


def sen_slope(values: npt.ArrayLike, *, confidence: float = 0.95) -> Figure:
    """Return the change a period: the median of the slopes between all pairs of periods.

    values, confidence: as in `mann_kendall`
    returns: Figure in units of the values a period; as the slope of `mann_kendall`, that is with
        the same widening
    raises: as `mann_kendall`
    source: Sen 1968, JASA 63(324):1379-1389; interval: Gilbert 1987, Statistical Methods for
        Environmental Pollution Monitoring, section 16.5

    >>> slope = sen_slope([9, 10, 9, 11, 12, 11, 13, 14, 13, 15, 16, 15])
    >>> round(slope.value, 2), round(slope.low, 2), round(slope.high, 2)
    (0.67, 0.5, 0.75)
    """
    return mann_kendall(values, confidence=confidence).slope


def seasonal_mann_kendall(values: npt.ArrayLike, season: int, *, confidence: float = 0.95) -> Trend:
    """Return whether a series with a season rises or falls: January only beside January.

    values: shape (P,), as in `mann_kendall`
    season: periods of a full turn, >= 2
    returns: Trend; its slope is a whole turn's (a year's, of 12 months). Fewer than 8 values or
        less than 3 turns: too_short
    raises: StatisticsError as `mann_kendall`, or if season < 2
    assumes: the same direction in all seasons; years that do not resemble the one before
    source: Hirsch, Slack and Smith 1982, Water Resources Research 18(1):107-121

    >>> quarters = [1, 5, 9, 5, 2, 7, 10, 5, 3, 7, 12, 8, 4, 9, 12, 8]
    >>> found = seasonal_mann_kendall(quarters, 4)
    >>> found.s, found.direction, round(found.slope.value, 2)
    (20, 1, 1.0)
    """
    confidence_level(confidence)
    if season < 2:
        raise StatisticsError("a season has at least 2 periods")
    x = _series(values)
    at = np.flatnonzero(~np.isnan(x))
    n = len(at)
    if n < LEAST or at[-1] - at[0] + 1 < LEAST_YEARS * season:
        return _none(MethodStatus.TOO_SHORT, n)
    if _is_flat(x[at]):
        return _none(MethodStatus.ZERO_VARIANCE, n)
    parts = [x[first::season] for first in range(season)]
    kept = [(np.flatnonzero(~np.isnan(part)), part[~np.isnan(part)]) for part in parts]
    s = sum(_score(y) for _when, y in kept)
    variance = float(sum(_variance(y) for _when, y in kept))
    slopes = np.concatenate([_slopes(when, y) for when, y in kept])
    if not variance > 0 or not len(slopes):
        return _none(MethodStatus.TOO_SHORT, n)
    z = _z(s, variance)
    p = float(2 * special.ndtr(-abs(z)))
    return Trend(
        direction=int(np.sign(s)) if p < 1 - confidence else 0,
        tau=s / len(slopes),
        s=s,
        variance=variance,
        z=z,
        p=p,
        slope=_slope(slopes, variance, n, confidence),
        n=n,
        method=TrendMethod.SEASONAL,
        autocorrelation=None,
        is_doubtful=False,
    )


def _none(status: MethodStatus, n: int) -> Trend:
    return Trend(
        0, None, 0, 0.0, None, None, Figure.none(status, n=n), n, None, None, False, status
    )


def _series(values: npt.ArrayLike) -> FloatArray:
    x = series_of(values)
    if x.size > LONGEST:
        raise StatisticsError(f"a series has at most {LONGEST} points")
    return x


def _is_flat(y: FloatArray) -> bool:
    return bool(np.ptp(y) <= 1e-13 * np.abs(y).max())


def _score(y: FloatArray) -> int:
    """Return how many pairs rise minus how many fall."""
    return int(sum(int(np.sign(y[at + 1 :] - y[at]).sum()) for at in range(len(y) - 1)))


def _ties(y: FloatArray) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = np.unique(y, return_counts=True)[1].astype(np.int64)
    return counts


def _variance(y: FloatArray) -> float:
    n, tied = len(y), _ties(y)
    both = n * (n - 1) * (2 * n + 5) - int((tied * (tied - 1) * (2 * tied + 5)).sum())
    return both / 18


def _z(s: int, variance: float) -> float:
    return float((s - np.sign(s)) / np.sqrt(variance)) if s else 0.0


def _exact_p(s: int, y: FloatArray) -> float:
    """Return the share of all orders of these values with a score as far from 0."""
    ways = _ways(tuple(sorted(int(each) for each in _ties(y))))
    pairs = len(ways) - 1
    far = sum(count for falls, count in enumerate(ways) if abs(pairs - 2 * falls) >= abs(s))
    return far / sum(ways)


@lru_cache(maxsize=256)
def _ways(tied: tuple[int, ...]) -> tuple[int, ...]:
    """Return in how many orders of values with such ties so many pairs fall.

    The numbers are the coefficients of the q-multinomial: MacMahon 1916, Combinatory Analysis.
    """
    ways, size = [1], 0
    for count in tied:
        for each in range(1, count + 1):
            size += 1
            ways = _divided(_times(ways, size), each)
    return tuple(ways)


def _times(ways: list[int], size: int) -> list[int]:
    """Return the product with 1 + q + ... + q^(size - 1)."""
    found = [0] * (len(ways) + size - 1)
    for at, count in enumerate(ways):
        for step in range(size):
            found[at + step] += count
    return found


def _divided(ways: list[int], size: int) -> list[int]:
    """Return the quotient by 1 + q + ... + q^(size - 1), which leaves no rest."""
    length = len(ways) - size + 1
    found: list[int] = []
    for at in range(length):
        found.append(ways[at] - sum(found[max(0, at - size + 1) : at]))
    return found


def _slopes(at: npt.NDArray[np.int64], y: FloatArray) -> FloatArray:
    """Return the slopes between all pairs."""
    first, second = np.triu_indices(len(y), 1)
    slopes: FloatArray = (y[second] - y[first]) / (at[second] - at[first])
    return slopes


def _slope(slopes: FloatArray, variance: float, n: int, confidence: float) -> Figure:
    ordered = np.sort(slopes)
    half = float(special.ndtri(0.5 + confidence / 2)) * np.sqrt(variance)
    count = len(ordered)
    # Of ranks counted from 1: (N - C) / 2 and (N + C) / 2 + 1, between two by their distance.
    places = (count - half) / 2 - 1, (count + half) / 2
    low, high = (float(np.interp(place, np.arange(count), ordered)) for place in places)
    return Figure(float(np.median(ordered)), low, high, n)


def _memory(rest: FloatArray, n: int) -> float | None:
    """Return how much what the slope leaves resembles its neighbour, corrected for its bias."""
    raw = None if _is_flat(rest[~np.isnan(rest)]) else lag_one(rest)
    return None if raw is None else float(np.clip((n * raw + 1) / (n - 4), -1.0, 1.0))


def _widening(phi: float, n: int) -> float:
    """Return by how much the score varies more than that of independent values; at least 1."""
    lag = np.arange(1, n - 2)
    ranks = 6 / np.pi * np.arcsin(min(max(phi, 0.0), MOST) ** lag / 2)
    total = float(((n - lag) * (n - lag - 1) * (n - lag - 2) * ranks).sum())
    return 1 + 2 * total / (n * (n - 1) * (n - 2))
