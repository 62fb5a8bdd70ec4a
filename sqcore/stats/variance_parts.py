"""How much of the spread of answers is within people, and how much between those of a group."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import (
    MOST_COUNTED,
    FloatArray,
    IntArray,
    codes_below,
    dense_codes,
    divisible,
    finite,
    int64s,
    shaped,
    squarable,
)
from sqcore.stats.errors import StatisticsError

STEPS = 2000
"""Each about doubles what is still small beside the variances: enough for all numbers let in."""


@dataclass(frozen=True)
class VarianceParts:
    """How much of the spread of answers is within people, and how much between them.

    within: variance of the answers of one person
    between: variance of people inside their group, >= 0; differences of groups are not in it
    icc: between / (between + within); icc_se: its standard error, for large numbers
    within_square, between_square: the mean squares of the analysis of variance inside groups
    persons: with answers; groups: with such persons; n: answers
    """

    within: float
    between: float
    icc: float
    icc_se: float
    within_square: float
    between_square: float
    persons: int
    groups: int
    n: int


def variance_parts(
    values: npt.ArrayLike, person: npt.ArrayLike, group_of_person: npt.ArrayLike
) -> VarianceParts:
    """Return the parts of the variance within people and between people of a group.

    values: shape (N,), after case mix; person: shape (N,), codes 0..P-1
    group_of_person: shape (P,), codes >= 0, whom each is compared with
    returns: VarianceParts
    raises: StatisticsError if shapes differ, a code or number is out of range, nobody has two
        answers, no group has two people with answers, or all answers of each person are equal
    assumes: one variance within all people, one between them in all groups
    source: `variance_parts_of_sums`

    >>> parts = variance_parts([4, 6, 5, 9, 7, 8], [0, 0, 1, 1, 2, 2], [0, 0, 0])
    >>> parts.within, parts.within_square, parts.between_square, parts.n
    (3.5, 3.5, 3.5, 6)
    """
    x = squarable(finite(values, "values"), "values")
    groups = int64s(group_of_person, "group_of_person")
    if x.ndim != 1 or groups.ndim != 1:
        raise StatisticsError("values and group_of_person must be lists")
    persons = len(groups)
    codes = codes_below(person, persons, len(x), "person")
    n = np.bincount(codes, minlength=persons)
    # Around one value, so that the squares do not cancel.
    deviation = x - (x.mean() if x.size else 0.0)
    total = np.bincount(codes, deviation, minlength=persons)
    squares = np.bincount(codes, deviation * deviation, minlength=persons)
    return variance_parts_of_sums(n, total, squares, groups)


def variance_parts_of_sums(
    n: npt.ArrayLike,
    total: npt.ArrayLike,
    squares: npt.ArrayLike,
    group_of_person: npt.ArrayLike,
) -> VarianceParts:
    """Return the parts of the variance from the sums of each person.

    n, total, squares: shape (P,), how many answers, their sum and the sum of their squares;
        people without answers do not count
    group_of_person: shape (P,), codes >= 0
    returns: VarianceParts; within is the pooled mean square, between is by Paule and Mandel,
        pooled over the groups
    raises, assumes: as `variance_parts`
    source: Paule, Mandel 1982, doi:10.6028/jres.087.022; the standard error by the delta method
        from the variances of both parts

    >>> variance_parts_of_sums([2, 2, 2], [10, 14, 15], [52, 106, 113], [0, 0, 0]).within
    3.5
    """
    size, s, q = finite(n, "n"), finite(total, "total"), finite(squares, "squares")
    group = int64s(group_of_person, "group_of_person")
    for array, name in ((size, "n"), (s, "total"), (q, "squares"), (group, "group_of_person")):
        shaped(array, (size.size,), name)
    if (size < 0).any() or ((size > 0) & (size < 1)).any() or (size > MOST_COUNTED).any():
        raise StatisticsError("n must be numbers of answers")
    if (squarable(q, "squares") < 0).any():
        raise StatisticsError("squares must not be negative")
    some = size > 0
    size, s, q = size[some], s[some], q[some]
    if not size.size or size.sum() <= size.size:
        raise StatisticsError("nobody has two answers")
    means = squarable(s, "total") / size
    squarable(s * means, "squares of the totals")
    # Below the rounding of the sums there is no spread.
    rest = np.maximum(q - s * means, 0.0)
    square = float(rest.sum() / (size.sum() - size.size))
    if square <= 1e-12 * max(float(q.sum() / size.sum()), 1e-300):
        raise StatisticsError("all answers of each person are equal")
    code, groups = dense_codes(group[some])
    between = between_variance(means, square / size, code)
    spread = _between_square(means, size, code, groups)
    return VarianceParts(
        within=square,
        between=between,
        icc=between / (between + square),
        icc_se=_icc_error(between, square, size, code),
        within_square=square,
        between_square=spread,
        persons=size.size,
        groups=groups,
        n=round(float(size.sum())),
    )


def _between_square(means: FloatArray, n: FloatArray, code: IntArray, groups: int) -> float:
    centre = np.bincount(code, n * means) / np.bincount(code, n)
    return float((n * (means - centre[code]) ** 2).sum() / (means.size - groups))


def _icc_error(between: float, within: float, n: FloatArray, code: IntArray) -> float:
    """Return the standard error of between / (between + within)."""
    w = 1.0 / (between + within / n)
    left = 1.0 - w / np.bincount(code, w)[code]
    free = float(left.sum())
    slope = float((w * left).sum())
    # How far the part between moves with that within, as both are taken from the same spread.
    pull = float((w * left / n).sum()) / slope
    of_within = 2.0 * within**2 / (n.sum() - n.size)
    of_between = 2.0 * free / slope**2 + pull**2 * of_within
    whole = (between + within) ** 2
    by_between, by_within = within / whole, -between / whole
    variance = (
        by_between**2 * of_between
        + by_within**2 * of_within
        - 2.0 * by_between * by_within * pull * of_within
    )
    # Its parts take each other off: what is next to nothing may come out below it.
    return math.sqrt(max(variance, 0.0))


def between_variance(
    means: npt.ArrayLike,
    variances: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    method: Literal["paule_mandel", "moments"] = "paule_mandel",
) -> float:
    """Return the variance between people inside their groups, pooled over the groups.

    means: shape (P,); variances: shape (P,), of each mean given the person, > 0
    group: shape (P,), codes >= 0; a group of one tells nothing
    method: paule_mandel, or moments (DerSimonian and Laird), which is less good when the
        variances differ
    returns: tau^2 >= 0, so large that the squared deviations from the groups' means, each
        divided by its variance, sum up to persons minus groups; 0 if they are less without it
    raises: StatisticsError if shapes differ, a variance is not positive, a number is out of
        range, or no group has two people
    assumes: one variance in all groups
    source: Paule, Mandel 1982, doi:10.6028/jres.087.022; DerSimonian, Laird 1986,
        doi:10.1016/0197-2456(86)90046-2; pooled as in docs/methods/results-of-staff.md

    >>> means, variances = [4.9, 4.2, 3.8, 4.35, 4.1], [1 / 8, 1 / 20, 1 / 45, 1 / 120, 1 / 300]
    >>> round(between_variance(means, variances, [0] * 5, method="moments"), 6)
    0.042045
    >>> round(between_variance(means, variances, [0] * 5), 6)
    0.091515
    """
    m, v, code = means_in_groups(means, variances, group)
    groups = int(code.max()) + 1
    free = m.size - groups
    if free < 1:
        raise StatisticsError("no group has two people")
    if method == "moments":
        w = 1.0 / v
        left = 1.0 - w / np.bincount(code, w)[code]
        return max(0.0, (_heterogeneity(m, w, code)[0] - free) / float((w * left).sum()))
    return _paule_mandel(m, v, code, free)


def _paule_mandel(m: FloatArray, v: FloatArray, code: IntArray, free: int) -> float:
    """Solve for tau^2 by Newton's steps; they come from the left, as the function is convex."""
    tau2 = 0.0
    for _ in range(STEPS):
        squares, slope = _heterogeneity(m, 1.0 / (v + tau2), code)
        if squares <= free * (1.0 + 1e-12):
            break
        step = (squares - free) / slope
        if step <= 1e-14 * tau2:
            break
        tau2 += step
    else:
        raise StatisticsError("the variance between people cannot be told from such numbers")
    return tau2


def _heterogeneity(m: FloatArray, w: FloatArray, code: IntArray) -> tuple[float, float]:
    """Return the weighted squares about the groups' means, and how fast they fall with tau^2."""
    centre = np.bincount(code, w * m) / np.bincount(code, w)
    terms = w * (m - centre[code]) ** 2
    return float(terms.sum()), float((w * terms).sum())


def means_in_groups(
    means: npt.ArrayLike, variances: npt.ArrayLike, group: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return means, their variances and the dense codes of their groups, or refuse."""
    m, v, code = finite(means, "means"), finite(variances, "variances"), int64s(group, "group")
    if m.ndim != 1 or not m.size:
        raise StatisticsError("there must be a list of means")
    shaped(v, m.shape, "variances")
    shaped(code, m.shape, "group")
    squarable(squarable(m, "means") / divisible(v, "variances"), "means by their variances")
    return m, v, dense_codes(code)[0]
