"""SERVQUAL and SERVPERF scores of each respondent, as exact integers that add up.

A mean of up to five items is a multiple of 1/60, the least common multiple of 1 to 5. Scores are
kept as that integer, so that sums over respondents stay exact (see `moments`).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    finite,
    flags,
    int64s,
    integers,
    shaped,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Estimate, interval_of, mean_covariance
from sqcore.stats.moments import Moments

ROWS_AT_ONCE = 2**16
POINTS = 100
POINTS_MAY_MISS = 10


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of N respondents on D dimensions: values (N, D) integers of 1/scale, present (N, D).

    A value that is not present is 0.
    """

    values: IntArray
    present: BoolArray
    scale: int


def dimension_scores(
    items: npt.ArrayLike,
    answered: npt.ArrayLike,
    dimension: npt.ArrayLike,
    *,
    scale: int | None = None,
) -> Scores:
    """Return each respondent's mean of the answered items of each dimension.

    items: shape (N, I), integers, reversed items already turned; what was not answered is not
        looked at
    answered: shape (N, I), bool; not applicable and missing are both not answered
    dimension: shape (I,), the dimension of each item, 0..D-1, each with an item at least
    scale: by what means are multiplied, > 0; None: the least common multiple of 1..k for the k
        items of the longest dimension, which makes every mean whole. With another scale a mean
        that is not whole is rounded to the nearest
    returns: Scores (N, D); present where at least half of the items (rounded up) are answered
    raises: StatisticsError if a shape or type is wrong, a dimension has no item or the scale is
        not positive
    source: Parasuraman, Zeithaml, Berry 1988, Journal of Retailing 64(1):12-40; half rule
        as in Fayers et al. 2001, EORTC QLQ-C30 Scoring Manual

    >>> scores = dimension_scores([[7, 6, 5], [7, 1, 2]], [[1, 1, 1] , [1, 0, 0]], [0, 0, 0])
    >>> scores.values.tolist(), scores.present.tolist(), scores.scale
    ([[36], [0]], [[True], [False]], 6)
    """
    x, seen, groups = _items(items, answered, dimension)
    sizes = np.bincount(groups)
    if (sizes == 0).any():
        raise StatisticsError("every dimension needs an item")
    if scale is None:
        scale = math.lcm(*range(1, int(sizes.max()) + 1))
    if scale < 1:
        raise StatisticsError("scale must be positive")
    member = np.equal.outer(groups, np.arange(sizes.size)).astype(_exact_float(x))
    values = np.zeros((x.shape[0], sizes.size), dtype=np.int64)
    present = np.zeros(values.shape, dtype=np.bool_)
    for at in range(0, x.shape[0], ROWS_AT_ONCE):
        rows = slice(at, at + ROWS_AT_ONCE)
        count = seen[rows].astype(member.dtype) @ member
        total = np.where(seen[rows], x[rows], 0).astype(member.dtype) @ member
        enough = 2 * count >= sizes
        mean = np.rint(total.astype(np.float64) * scale / np.maximum(count, 1))
        values[rows] = np.where(enough, mean, 0)
        present[rows] = enough
    return Scores(values, present, scale)


def _exact_float(x: npt.NDArray[np.integer[Any]]) -> type[np.floating[Any]]:
    """The shorter float in which sums of a few such integers are exact."""
    return np.float32 if x.dtype.itemsize <= 2 and x.shape[1] < 2**8 else np.float64


def _items(
    items: npt.ArrayLike, answered: npt.ArrayLike, dimension: npt.ArrayLike
) -> tuple[npt.NDArray[np.integer[Any]], BoolArray, IntArray]:
    x = integers(items, "items")
    if x.ndim != 2 or x.shape[1] == 0:
        raise StatisticsError("items must have shape (respondents, items)")
    seen = flags(answered, "answered")
    shaped(seen, x.shape, "answered")
    groups = int64s(dimension, "dimension")
    shaped(groups, (x.shape[1],), "dimension")
    if not 0 <= int(groups.min()) <= int(groups.max()) < x.shape[1]:
        raise StatisticsError("dimensions must be numbered from 0, each with an item")
    if x.dtype.itemsize > 2 and seen.any() and int(np.abs(np.where(seen, x, 0)).max()) > 2**31:
        raise StatisticsError("items must fit 32 bits")
    return x, seen, groups


def gap_scores(
    expectations: npt.ArrayLike,
    perceptions: npt.ArrayLike,
    expected: npt.ArrayLike,
    perceived: npt.ArrayLike,
    dimension: npt.ArrayLike,
    *,
    scale: int | None = None,
) -> Scores:
    """Return each respondent's mean gap, perception minus expectation, on each dimension.

    expectations, perceptions: shape (N, I), integers
    expected, perceived: shape (N, I), bool, whether that half of the pair is answered
    dimension: shape (I,), 0..D-1
    scale: as in `dimension_scores`
    returns: Scores (N, D), negative where the service falls short; present where at least half
        of the pairs (rounded up) are complete
    raises: StatisticsError as `dimension_scores`
    source: Parasuraman, Zeithaml, Berry 1988

    >>> gap_scores([[7, 7]], [[6, 5]], [[1, 1]], [[1, 1]], [0, 0]).values.tolist()
    [[-3]]
    """
    e, p = integers(expectations, "expectations"), integers(perceptions, "perceptions")
    shaped(p, e.shape, "perceptions")
    halves = flags(expected, "expected"), flags(perceived, "perceived")
    for half, name in zip(halves, ("expected", "perceived"), strict=True):
        shaped(half, e.shape, name)
    both = halves[0] & halves[1]
    width = np.int16 if max(e.dtype.itemsize, p.dtype.itemsize) == 1 else np.int64
    gaps = np.subtract(p, e, dtype=width, casting="unsafe")
    return dimension_scores(gaps, both, dimension, scale=scale)


def shared_points(points: npt.ArrayLike) -> FloatArray:
    """Return how respondents divided 100 points, as usable points; NaN for who gave none usable.

    points: shape (N, D), finite
    returns: shape (N, D): rows that sum to 90..110 rescaled to 100; others, and those with
        negative points, NaN
    source: as `weighted_scores`

    >>> shared_points([[20, 80], [45, 45], [100, 50]]).tolist()
    [[20.0, 80.0], [50.0, 50.0], [nan, nan]]
    """
    given = finite(points, "points")
    if given.ndim != 2:
        raise StatisticsError("points must have the shape (N, D)")
    usable = _usable(given)[:, None]
    total = np.where(usable, given.sum(axis=1, keepdims=True), 1.0)
    return np.where(usable, np.where(usable, given, 0.0) / total * POINTS, np.nan)


def _usable(given: FloatArray) -> BoolArray:
    total = given.sum(axis=1)
    return np.asarray((given >= 0).all(axis=1) & (np.abs(total - POINTS) <= POINTS_MAY_MISS))


def weighted_scores(
    scores: Scores, points: npt.ArrayLike, *, fallback: npt.ArrayLike | None = None
) -> Scores:
    """Return each respondent's score weighted by the points they gave to the dimensions.

    scores: (N, D), of one instrument
    points: shape (N, D), how a respondent divided 100 points; finite, negative counts as none
    fallback: shape (D,), points of those who gave none that can be used; None: the mean of
        the usable points here (equal points if there are none)
    returns: Scores (N, 1) in 1/(100 x scale): sum of points x score / sum of points over the
        dimensions present, rounded to that step; exact if all are present and the points sum
        to 100. Present if a dimension with points is. Points that sum to 90..110 are rescaled,
        others are dropped for the fallback
    raises: StatisticsError if a shape is wrong or the fallback has no positive sum
    source: Zeithaml, Parasuraman, Berry 1990, Delivering Quality Service, appendix; the
        mean of respondents' weighted scores, not mean points times mean gaps

    >>> gap = Scores(np.array([[-60, -120]]), np.array([[True, True]]), 60)
    >>> weighted = weighted_scores(gap, [[25, 75]])
    >>> (weighted.values / weighted.scale).tolist()
    [[-1.75]]
    """
    given = finite(points, "points")
    shaped(given, scores.values.shape, "points")
    usable = _usable(given)
    if fallback is not None:
        other = finite(fallback, "fallback")
        shaped(other, given.shape[1:], "fallback")
    elif usable.any():
        other = (given[usable] / given[usable].sum(axis=1, keepdims=True)).mean(axis=0)
    else:
        other = np.ones(given.shape[1])
    if (other < 0).any() or other.sum() <= 0:
        raise StatisticsError("fallback points must be positive in sum and none negative")
    weights = np.where(usable[:, None], given, other) * scores.present
    total = weights.sum(axis=1)
    mean = (weights * scores.values).sum(axis=1) / np.where(total > 0, total, 1.0)
    values = np.rint(mean * POINTS).astype(np.int64)
    return Scores(values[:, None], (total > 0)[:, None], scores.scale * POINTS)


def overall(
    moments: Moments,
    *,
    scale: int,
    confidence: float = 0.95,
    minimum: int = 2,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Return overall quality: the mean of the dimension means, each over its own respondents.

    moments: C cells, the D dimensions as measures
    scale: as in Scores
    confidence, minimum, bounds: as in `estimates.means`
    returns: Estimate (C,); n is the most respondents that a dimension has, n_eff the least
        effective size. A dimension that nobody answered: not_applicable
    raises: StatisticsError as `estimates.means`
    assumes: independent respondents; the dimensions of one respondent may go together
    source: mean of dimensions, not of the 22 items, as these are 4, 5, 4, 4 and 5:
        Parasuraman, Zeithaml, Berry 1988

    >>> from sqcore.stats.moments import moments_of
    >>> m = moments_of([[60, 180], [120, 180]], np.ones((2, 2), dtype=bool), None, [0, 0], 1)
    >>> overall(m, scale=60).value.tolist(), overall(m, scale=60).se.tolist()
    ([2.25], [0.25])
    """
    if moments.measures == 0 or scale < 1:
        raise StatisticsError("there must be a dimension, and a positive scale")
    joint = mean_covariance(moments, scale=1 / scale)
    variance = joint.covariance.mean(axis=(1, 2))
    return interval_of(
        joint.value.mean(axis=1),
        np.sqrt(np.maximum(variance, 0.0)),
        joint.n.max(axis=1),
        joint.n_eff.min(axis=1),
        confidence=confidence,
        minimum=minimum,
        bounds=bounds,
    )
