"""How far things differ beyond what chance explains: units, channels or people with their means."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from sqcore.stats.arrays import (
    FloatArray,
    IntArray,
    confidence_level,
    finite,
    int64s,
    shaped,
    squarable,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.variance_parts import between_variance

APART = 1e12
"""Differences of so many uncertainties leave nothing to weigh."""
OF_TWO = 2.0 / math.sqrt(math.pi)
"""The mean distance of two values drawn from a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Heterogeneity:
    """How far K means lie apart beyond their own uncertainty.

    q: their weighted squares about the mean of their group, df: K minus the groups; p: how often
    chance alone gives such a q or a larger one
    tau: standard deviation of the true means inside a group, with its interval; its n is K
    of_two: mean distance of two true means, tau times 1.128, with its interval
    """

    q: float | None
    df: int
    p: float | None
    tau: Figure
    of_two: Figure

    @property
    def status(self) -> MethodStatus:
        return self.tau.status


def heterogeneity(
    means: npt.ArrayLike,
    variances: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Heterogeneity:
    """Return how far means differ beyond chance, inside their groups.

    means, variances: shape (K,); the variances are those of each mean given what it is the mean
        of, >= 0: where one is 0, or next to it beside the others or the distances of the means,
        no method applies, as its weight is infinite
    group: shape (K,), codes >= 0 of who is compared with whom; None: all with all
    confidence: of the intervals, in (0, 1)
    returns: Heterogeneity; tau by Paule and Mandel, its interval by the profile of q. Where the
        means are more alike than chance lets them be, the profile has no end: no interval.
        insufficient_n: no group has two means
    raises: StatisticsError if shapes differ, a number is not finite or a variance is negative
    assumes: means normal about the truth, truths normal about the mean of their group, variances
        known. Means that rest on fewer than about 20 answers have variances that are not
    source: Viechtbauer 2007, doi:10.1002/sim.2514 (q profile); Paule, Mandel 1982,
        doi:10.6028/jres.087.022

    >>> found = heterogeneity([70, 74, 66, 71, 79], [4, 5, 4, 6, 5])
    >>> round(found.q, 2), found.df, round(found.tau.value, 2)
    (20.64, 4, 4.35)
    """
    level = confidence_level(confidence)
    m, v = finite(means, "means"), finite(variances, "variances")
    if m.ndim != 1:
        raise StatisticsError("means must be a list")
    code = np.zeros(m.size, dtype=np.int64) if group is None else int64s(group, "group")
    for array, name in ((v, "variances"), (code, "group")):
        shaped(array, (m.size,), name)
    if (v < 0).any() or (code < 0).any():
        raise StatisticsError("variances and codes must not be negative")
    _known, dense = np.unique(code, return_inverse=True)
    free = m.size - len(_known)
    if free < 1:
        return _nothing(MethodStatus.INSUFFICIENT_N, max(free, 0), m.size)
    if (v == 0).any():
        return _nothing(MethodStatus.NOT_APPLICABLE, free, m.size)
    return _judged(m, v, dense.astype(np.int64), free, level)


def _nothing(status: MethodStatus, free: int, n: int) -> Heterogeneity:
    none = Figure.none(status, n=n)
    return Heterogeneity(None, free, None, none, none)


def _judged(m: FloatArray, v: FloatArray, code: IntArray, free: int, level: float) -> Heterogeneity:
    # Around one value and in units of the smallest uncertainty: nothing cancels or overflows.
    unit = math.sqrt(float(v.min()))
    with np.errstate(over="ignore", invalid="ignore"):
        moved = (m - np.median(squarable(m, "means"))) / unit
        scaled = squarable(v, "variances") / unit / unit
    if not (np.abs(moved).max() <= APART and scaled.max() <= APART):
        return _nothing(MethodStatus.NOT_APPLICABLE, free, m.size)
    q = _squares(moved, scaled, code, 0.0)
    tau2 = between_variance(moved, scaled, code)
    tail = (1.0 - level) / 2.0
    if q < float(special.chdtri(free, 1.0 - tail)):
        tau = of_two = Figure(0.0, None, None, m.size)
    else:
        ends = [
            _solved(moved, scaled, code, float(special.chdtri(free, share)))
            for share in (tail, 1.0 - tail)
        ]
        # Of next to no confidence the profile leaves the value aside.
        ends = [min(ends[0], tau2), max(ends[1], tau2)]
        value, low, high = (unit * math.sqrt(each) for each in (tau2, *ends))
        tau = Figure(value, low, high, m.size)
        of_two = Figure(OF_TWO * value, OF_TWO * low, OF_TWO * high, m.size)
    return Heterogeneity(q, free, float(special.chdtrc(free, q)), tau, of_two)


def _squares(m: FloatArray, v: FloatArray, code: IntArray, tau2: float) -> float:
    w = 1.0 / (v + tau2)
    centre = np.bincount(code, w * m) / np.bincount(code, w)
    return float((w * (m - centre[code]) ** 2).sum())


def _solved(m: FloatArray, v: FloatArray, code: IntArray, wanted: float) -> float:
    """Return the variance between the means at which their squares come to what is wanted."""
    if _squares(m, v, code, 0.0) <= wanted:
        return 0.0
    high = max(float(((m - m.mean()) ** 2).sum()) / wanted, 1.0)
    while _squares(m, v, code, high) > wanted:
        high *= 4.0
    return float(
        optimize.brentq(lambda at: _squares(m, v, code, at) - wanted, 0.0, high, rtol=1e-10)
    )
