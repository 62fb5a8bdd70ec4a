"""How alike a service is from group to group: channels, units, shifts, people, weeks."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    MOST_COUNTED,
    FloatArray,
    confidence_level,
    finite,
    shaped,
    squarable,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.heterogeneity import heterogeneity
from sqcore.stats.results import Figure, MethodStatus

FLAT = 1e-12
"""Below this part of the squares a spread is the rounding of sums."""
LEAST_FREE = 1.0
"""Inside the groups: one group of two. Effective numbers next to 1 say nothing of a variance."""


@dataclass(frozen=True)
class Consistency:
    """How far K groups differ beyond what chance explains.

    tau: standard deviation of the groups' true means, in the unit of the measure, with its
        interval: the typical distance of a group from what is usual
    icc: share of the variance of single values that is between groups, 0 to 1, with its interval
    between_square, within_square: the mean squares of the analysis of variance; n0: its size of a
        group; None where tau has no number
    groups: K; n: values in them
    """

    tau: Figure
    icc: Figure
    between_square: float | None
    within_square: float | None
    n0: float | None
    groups: int
    n: float

    @property
    def status(self) -> MethodStatus:
        return self.tau.status


def consistency(
    n: npt.ArrayLike,
    means: npt.ArrayLike,
    variances: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    least_groups: int = 3,
) -> Consistency:
    """Return how far groups differ beyond chance, from their sizes, means and variances.

    n: shape (K,), values in each group, >= 1; of weighted values their effective number
    means: shape (K,), any unit
    variances: shape (K,), of the values inside each group, by n - 1, >= 0; of one value any number
    confidence: of the intervals, in (0, 1)
    least_groups: fewer are INSUFFICIENT_N, >= 2
    returns: Consistency. The variance inside is pooled over the groups; tau by Paule and Mandel
        with the q profile, of groups of one size the same as the analysis of variance; icc
        (MSB - MSW) / (MSB + (n0 - 1) MSW), at least 0, with Searle's F interval, cut at 0.
        Groups more alike than chance lets them be: tau 0 without interval. Nothing varies inside
        the groups: tau is what the means show, and icc 1; where the means are equal as well tau
        is 0 without interval and icc ZERO_VARIANCE. Less than one value beyond the groups:
        INSUFFICIENT_N
    raises: StatisticsError if shapes differ, a number is not finite or out of range
    assumes: values independent given their group; one variance inside all groups; the groups' true
        means normal about their mean. tau's interval takes the pooled variance as known, which
        from about 20 values beyond the groups it is
    source: Searle 1971, Linear Models (one-way components, F interval); n0 of Smith 1956,
        doi:10.1111/j.1469-1809.1956.tb01387.x; tau as `heterogeneity`

    >>> found = consistency([60, 80, 40], [6.0, 9.0, 7.0], [16.0, 20.0, 18.0])
    >>> round(found.tau.value, 2), round(found.tau.low, 2), round(found.tau.high, 2)
    (1.44, 0.61, 9.59)
    >>> round(found.icc.value, 3), round(found.n0, 1)
    (0.12, 57.8)
    """
    level = confidence_level(confidence)
    size, m, v = finite(n, "n"), finite(means, "means"), finite(variances, "variances")
    if size.ndim != 1:
        raise StatisticsError("n must be a list")
    for array, name in ((m, "means"), (v, "variances")):
        shaped(array, (size.size,), name)
    if (size < 1).any() or (size > MOST_COUNTED).any():
        raise StatisticsError("n must be a number of values, from 1 to 2**53")
    squarable(m, "means")
    if (v < 0).any():
        raise StatisticsError("variances must not be negative")
    squarable(np.sqrt(v), "standard deviations")
    if least_groups < 2:
        raise StatisticsError("two groups are the least that can be compared")
    total, groups = float(size.sum()), size.size
    if groups < least_groups or total - groups < LEAST_FREE:
        none = Figure.none(MethodStatus.INSUFFICIENT_N, n=groups)
        return Consistency(none, none, None, None, None, groups, total)
    return _judged(size, m, v, level)


def _judged(size: FloatArray, m: FloatArray, v: FloatArray, level: float) -> Consistency:
    groups, total = size.size, float(size.sum())
    v = np.where(size > 1, v, 0.0)
    # Around one value and in units of the largest distance: nothing cancels or overflows.
    unit = max(float(np.abs(m - np.median(m)).max()), float(np.sqrt(v.max()))) or 1.0
    moved, inside = (m - np.median(m)) / unit, v / unit / unit
    centre = float(size @ moved) / total
    between = float(size @ (moved - centre) ** 2) / (groups - 1)
    within = float((size - 1.0) @ inside) / (total - groups)
    n0 = (total - float(size @ size) / total) / (groups - 1)
    if within <= FLAT:
        tau, icc = _flat(moved, level)
    else:
        found = heterogeneity(moved, within / size, confidence=level).tau
        tau, icc = found, _icc(between / within, n0, groups, total, level)
    return Consistency(
        _scaled(tau, unit), icc, between * unit * unit, within * unit * unit, n0, groups, total
    )


def _flat(moved: FloatArray, level: float) -> tuple[Figure, Figure]:
    """Of groups inside which nothing varies: their means are what they truly are."""
    spread, free = float(moved.std(ddof=1)), moved.size - 1
    if spread <= FLAT:
        return Figure(0.0, None, None, moved.size), Figure.none(
            MethodStatus.ZERO_VARIANCE, n=moved.size
        )
    tail = (1.0 - level) / 2.0
    low, high = (
        spread * math.sqrt(free / float(special.chdtri(free, share)))
        for share in (tail, 1.0 - tail)
    )
    return _around(spread, low, high, moved.size), Figure(1.0, None, None, moved.size)


def _icc(ratio: float, n0: float, groups: int, total: float, level: float) -> Figure:
    """Return the share of the variance between groups, given how often MSB holds MSW."""
    free, tail = (groups - 1, total - groups), (1.0 - level) / 2.0
    value, low, high = (
        max((each - 1.0) / (each + n0 - 1.0), 0.0)
        for each in (
            ratio,
            ratio / float(special.fdtri(*free, 1.0 - tail)),
            ratio / float(special.fdtri(*free, tail)),
        )
    )
    return _around(value, low, high, groups)


def _around(value: float, low: float, high: float, n: int) -> Figure:
    """Quantiles at next to no confidence lie about the median, not about the value."""
    return Figure(value, min(low, value), max(high, value), n)


def _scaled(figure: Figure, unit: float) -> Figure:
    value, low, high = (
        None if each is None else each * unit for each in (figure.value, figure.low, figure.high)
    )
    return Figure(value, low, high, figure.n, figure.status)
