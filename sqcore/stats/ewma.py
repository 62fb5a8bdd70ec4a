"""Charts that add up: EWMA and the two-sided CUSUM, for small shifts that last.

The opener of signals is `cusum.py`; these two are pictures. docs/methods/control-charts.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.seasonality import series_of

NODES = 81
LONGEST_RUN = 1e12


@dataclass(frozen=True, eq=False)
class Ewma:
    """The smoothed line of P points with its limits, each of shape (P,).

    line: goes on unchanged where a point is missing; beyond: the indices outside the limits
    """

    line: FloatArray
    lower: FloatArray
    upper: FloatArray
    beyond: tuple[int, ...]


def ewma(
    values: npt.ArrayLike,
    *,
    centre: float,
    sigma: float,
    weight: float = 0.2,
    width: float = 2.86,
    asymptotic: bool = False,
) -> Ewma:
    """Return the exponentially weighted moving average and its limits.

    values: shape (P,), NaN where there is none
    centre, sigma: of the frozen baseline; sigma > 0
    weight: lambda, in (0, 1]; width: L, > 0. The usual ones have an in-control run length of 371
    asymptotic: limits as after many points, from the first on
    raises: StatisticsError if a shape is wrong or a number out of range
    assumes: points that do not wait for each other
    source: Roberts 1959, Technometrics 1(3):239-250; Montgomery, section 9.2

    >>> found = ewma([10.0, 12.0, 13.0, 13.5], centre=10.0, sigma=1.0)
    >>> found.line.round(3).tolist(), found.beyond
    ([10.0, 10.4, 10.92, 11.436], (2, 3))
    """
    _numbers(weight, width)
    x = series_of(values)
    if not np.isfinite(centre) or not 0 < sigma < np.inf:
        raise StatisticsError("centre must be finite and sigma positive")
    there = ~np.isnan(x)
    line = np.empty(len(x))
    now = float(centre)
    for at, value in enumerate(x):
        if there[at]:
            now = weight * float(value) + (1 - weight) * now
        line[at] = now
    seen = np.cumsum(there)
    grown = 1.0 if asymptotic else 1 - (1 - weight) ** (2.0 * seen)
    half = width * sigma * np.sqrt(weight / (2 - weight) * grown) * np.ones(len(x))
    beyond = np.flatnonzero(there & (np.abs(line - centre) > half))
    return Ewma(line, centre - half, centre + half, tuple(int(at) for at in beyond))


@dataclass(frozen=True, eq=False)
class Sums:
    """The two sums of a CUSUM, >= 0, shape (P,), and where either exceeds the limit.

    A missing point leaves them as they were.
    """

    up: FloatArray
    down: FloatArray
    beyond: tuple[int, ...]


def two_sided_cusum(z: npt.ArrayLike, *, k: float = 0.5, h: float = 5.0) -> Sums:
    """Return the upward and the downward sum of a CUSUM; nothing is reset.

    z: shape (P,), distances from the centre in sigma, NaN where there is no point
    k: allowance, >= 0; h: limit, > 0; both in sigma
    raises: StatisticsError if a shape is wrong or a number out of range
    source: Page 1954, Biometrika 41(1-2):100-115; Montgomery, section 9.1

    >>> found = two_sided_cusum([0, 3, 3, 3, -1])
    >>> found.up.tolist(), found.beyond
    ([0.0, 2.5, 5.0, 7.5, 6.0], (3, 4))
    """
    if not 0 <= k < np.inf or not 0 < h < np.inf:
        raise StatisticsError("k must be >= 0 and h > 0, both finite")
    x = series_of(z)
    up, down = np.empty(len(x)), np.empty(len(x))
    high = low = 0.0
    for at, value in enumerate(x):
        if not np.isnan(value):
            high, low = max(high + float(value) - k, 0.0), max(low - float(value) - k, 0.0)
        up[at], down[at] = high, low
    beyond = np.flatnonzero(~np.isnan(x) & ((up > h) | (down > h)))
    return Sums(up, down, tuple(int(at) for at in beyond))


def ewma_run_length(weight: float, width: float, shift: float = 0.0) -> float:
    """Return after how many points an EWMA with asymptotic limits is beyond them on average.

    weight, width: as in `ewma`, below 20; shift: of the mean, in sigma
    returns: the mean number of points, at most 1e12
    raises: StatisticsError if a number is out of range
    assumes: independent normal points, parameters known
    source: Crowder 1987, Technometrics 29(4):401-407 (integral equation, Gauss-Legendre)

    >>> round(ewma_run_length(0.2, 2.86), 1), round(ewma_run_length(1.0, 3.0), 1)
    (371.1, 370.4)
    """
    _numbers(weight, width)
    if width >= 20 or not abs(shift) < 20:
        raise StatisticsError("width and shift must be below 20 sigma")
    limit = width * float(np.sqrt(weight / (2 - weight)))
    nodes, shares = np.polynomial.legendre.leggauss(NODES)
    at, share = nodes * limit, shares * limit
    step = (at[None, :] - (1 - weight) * at[:, None]) / weight - shift
    move = _density(step) / weight * share[None, :]
    inside = np.linalg.solve(np.eye(NODES) - move, np.ones(NODES))
    first = _density(at / weight - shift) / weight * share
    length = 1 + float(first @ inside)
    return length if 1 <= length < LONGEST_RUN else LONGEST_RUN


def shewhart_run_length(width: float = 3.0, shift: float = 0.0) -> float:
    """Return after how many points one lies beyond limits of so many sigma on average.

    raises: StatisticsError if width is not positive or shift not finite
    source: Montgomery, section 5.3: the inverse of the chance of one point

    >>> round(shewhart_run_length(), 1), round(shewhart_run_length(shift=1), 1)
    (370.4, 43.9)
    """
    if not 0 < width < np.inf or not np.isfinite(shift):
        raise StatisticsError("width must be positive and shift finite")
    chance = float(special.ndtr(-width - shift) + special.ndtr(shift - width))
    return min(1 / chance, LONGEST_RUN) if chance > 0 else LONGEST_RUN


def _density(z: FloatArray) -> FloatArray:
    found: FloatArray = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return found


def _numbers(weight: float, width: float) -> None:
    if not 0 < weight <= 1 or not 0 < width < np.inf:
        raise StatisticsError("weight must lie in (0, 1] and width be positive")
