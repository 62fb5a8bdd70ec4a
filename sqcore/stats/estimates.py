"""Means, shares and scores with their uncertainty, for many cells at once."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    LARGEST,
    BoolArray,
    FloatArray,
    IntArray,
    confidence_level,
    finite,
    int64s,
    numbers,
    squarable,
    together,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.moments import Moments


class Status(IntEnum):
    """What kind of answer an estimate is; its text is `reason`."""

    OK = 0
    INSUFFICIENT_N = 1
    ZERO_VARIANCE = 2
    NOT_APPLICABLE = 3
    SINGULAR = 4
    INSUFFICIENT_COVERAGE = 5

    @property
    def code(self) -> str:
        return self.name.lower()

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    Status.OK: "",
    Status.INSUFFICIENT_N: "There are too few answers for an interval.",
    Status.ZERO_VARIANCE: "All answers are the same, so they do not show how sure the value is.",
    Status.NOT_APPLICABLE: "There is nothing to compute it from.",
    Status.SINGULAR: "The measures repeat each other, so they cannot be told apart.",
    Status.INSUFFICIENT_COVERAGE: "Too many of the indicators have no value.",
}

StatusArray = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values with their uncertainty; all arrays have the same shape.

    value, se, low, high: float64; finite wherever the status is ok. Otherwise what is not
        known is NaN: never a made-up 0
    n: int64, respondents; n_eff: float64, how many equally weighted ones tell as much
    status: uint8, see `Status`
    """

    value: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    n: IntArray
    n_eff: FloatArray
    status: StatusArray

    @property
    def ok(self) -> BoolArray:
        good: BoolArray = self.status == Status.OK
        return good

    @property
    def reason(self) -> npt.NDArray[np.str_]:
        """The reason of each status in words; empty where it is ok."""
        return np.array([status.reason for status in Status])[self.status]


@dataclass(frozen=True, eq=False)
class MeanCovariance:
    """Means of M measures and how they vary together; leading axis C cells.

    value: (C, M), NaN where nobody has the measure; covariance: (C, M, M), 0 where it is not known
    n, n_eff: (C, M)
    """

    value: FloatArray
    covariance: FloatArray
    n: IntArray
    n_eff: FloatArray


def mean_covariance(moments: Moments, *, scale: npt.ArrayLike = 1.0) -> MeanCovariance:
    """Return the weighted means of all measures and the covariance matrix of these means.

    moments: C cells, M measures
    scale: what an integer step of a measure is worth, > 0, a number or shape (M,)
        (a dimension stored x 60 has 1/60)
    returns: MeanCovariance in units of the measures; a composite with weights w has the
        variance w' covariance w
    raises: StatisticsError if scale is not positive and finite
    assumes: independent respondents; a measure may be absent for some of them (each mean is a
        ratio over its own respondents, linearised; pairs count where both are present)
    source: Cochran 1977, Sampling Techniques, section 6.4 (ratio), with n/(n-1) for each measure

    >>> from sqcore.stats.moments import moments_of
    >>> m = moments_of([[4, 1], [6, 3], [8, 2]], [[True, True]] * 3, None, [0] * 3, 1)
    >>> mean_covariance(m).value.tolist()
    [[6.0, 2.0]]
    >>> mean_covariance(m).covariance.round(6).tolist()
    [[[1.333333, 0.333333], [0.333333, 0.333333]]]
    """
    ratio = _ratios(moments, _unit(scale, moments.measures))
    covariance = _centred(moments, ratio.centre, ratio.rest)
    covariance *= ratio.factor[:, :, None]
    covariance *= ratio.factor[:, None, :]
    return MeanCovariance(ratio.value, covariance, moments.n, ratio.n_eff)


@dataclass(frozen=True, eq=False)
class _Ratios:
    """Each mean as centre + rest integer steps, and what a deviation from it counts in it."""

    centre: IntArray
    rest: FloatArray
    value: FloatArray
    factor: FloatArray
    n_eff: FloatArray


def _ratios(moments: Moments, unit: FloatArray) -> _Ratios:
    weight, total = np.split(moments.linear, 2, axis=1)
    some = weight > 0
    safe = np.where(some, weight, 1)
    centre = np.rint(total / safe).astype(np.int64)
    rest = (total - centre * weight) / safe
    correction = np.sqrt(np.where(moments.n > 1, moments.n / np.maximum(moments.n - 1, 1), 0.0))
    squared_weight = np.where(some, moments.own[0], 1)
    return _Ratios(
        centre,
        rest,
        value=np.where(some, (centre + rest) * unit, np.nan),
        factor=unit * correction / safe,
        n_eff=np.where(some, weight.astype(np.float64) ** 2 / squared_weight, 0.0),
    )


def _unit(scale: npt.ArrayLike, measures: int) -> FloatArray:
    unit = finite(scale, "scale")
    if unit.shape not in ((), (measures,)) or ((unit <= 0) | (unit > LARGEST)).any():
        raise StatisticsError(f"scale must be positive, a number or of shape ({measures},)")
    return unit * np.ones(measures)


def _centred(moments: Moments, centre: IntArray, rest: FloatArray) -> FloatArray:
    """Return the sums of w^2 (x_a - mean_a)(x_b - mean_b) over who has both, (C, M, M).

    The mean is centre + rest. The integers are shifted by the centre first, so that nothing
    cancels; 64-bit wrap-around on the way does no harm, as the result fits.
    """
    m = moments.measures
    gram = moments.gram
    both, crossed, squares = gram[:, :m, :m], gram[:, :m, m:], gram[:, m:, m:]
    right = crossed - centre[:, None, :] * both
    middle = (
        squares
        - centre[:, :, None] * crossed
        - centre[:, None, :] * crossed.transpose(0, 2, 1)
        + centre[:, :, None] * centre[:, None, :] * both
    )
    cross = rest[:, :, None] * right
    both_rests = rest[:, :, None] * rest[:, None, :]
    centred: FloatArray = middle - cross - cross.transpose(0, 2, 1) + both_rests * both
    return centred


def means(
    moments: Moments,
    *,
    scale: npt.ArrayLike = 1.0,
    confidence: float = 0.95,
    minimum: int = 2,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Return the weighted mean of every measure in every cell with its t interval.

    moments: C cells, M measures
    scale: what an integer step is worth, > 0, a number or shape (M,)
    confidence: in (0, 1)
    minimum: an interval needs at least so many respondents, >= 2
    bounds: lowest and highest possible value of the scaled measures, if there are such: an
        interval never leaves them, and equal answers get the interval of `equal_answers`
    returns: Estimate of shape (C, M); n_eff = (sum w)^2 / sum w^2, df = n_eff - 1.
        Nobody: not_applicable. Fewer than minimum: insufficient_n, with the value and no
        interval. All answers equal: zero_variance, with the value, se 0 and the interval that
        the bounds give, or none
    raises: StatisticsError if a parameter is out of range
    assumes: independent respondents
    source: t interval of a linearised ratio mean, Cochran 1977; effective size of Kish 1965

    >>> from sqcore.stats.moments import moments_of
    >>> m = moments_of([[4], [6], [8]], [[True]] * 3, None, [0] * 3, 1)
    >>> e = means(m)
    >>> e.value.tolist(), e.se.round(4).tolist(), e.low.round(3).tolist(), e.high.round(3).tolist()
    ([[6.0]], [[1.1547]], [[1.032]], [[10.968]])
    """
    ratio = _ratios(moments, _unit(scale, moments.measures))
    both, crossed, squares = moments.own
    right = crossed - ratio.centre * both
    middle = squares - ratio.centre * (crossed + right)
    spread = middle - 2 * ratio.rest * right + ratio.rest**2 * both
    return interval_of(
        ratio.value,
        np.sqrt(np.maximum(spread, 0.0)) * ratio.factor,
        moments.n,
        ratio.n_eff,
        confidence=confidence,
        minimum=minimum,
        bounds=bounds,
        constant=_constant(moments),
    )


def _constant(moments: Moments) -> BoolArray:
    """Whether all answers to a measure are the same; exact."""
    weight, total = np.split(moments.linear, 2, axis=1)
    both, crossed, squares = moments.own
    value = total // np.maximum(weight, 1)
    same: BoolArray = (
        (value * weight == total) & (value * both == crossed) & (value * crossed == squares)
    )
    return same


def interval_of(
    value: npt.ArrayLike,
    se: npt.ArrayLike,
    n: npt.ArrayLike,
    n_eff: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    minimum: int = 2,
    bounds: tuple[float, float] | None = None,
    constant: npt.ArrayLike | None = None,
) -> Estimate:
    """Return values with their t intervals on n_eff - 1 degrees of freedom.

    value, se, n, n_eff: shapes that broadcast; value NaN where there is none
    confidence, minimum, bounds: as in `means`
    constant: bool, which are known to rest on equal answers; None: where se is 0
    returns: Estimate
    raises: StatisticsError if a parameter is out of range

    >>> interval_of([50.0], [2.0], [100], [100.0]).low.round(3).tolist()
    [46.032]
    """
    confidence_level(confidence)
    if minimum < 2:
        raise StatisticsError("an interval needs at least 2 respondents")
    if bounds is not None and not bounds[0] < bounds[1]:
        raise StatisticsError("the lower bound must be below the upper one")
    v, s, size, effective = together(
        "value, se, n and n_eff",
        squarable(numbers(value, "value"), "value"),
        squarable(numbers(se, "se"), "se"),
        int64s(n, "n"),
        numbers(n_eff, "n_eff"),
    )
    same = s == 0 if constant is None else np.broadcast_to(np.asarray(constant, bool), v.shape)
    enough = (size >= minimum) & (effective > 1)
    status = np.select(
        [np.isnan(v), ~enough, same],
        [Status.NOT_APPLICABLE, Status.INSUFFICIENT_N, Status.ZERO_VARIANCE],
        Status.OK,
    ).astype(np.uint8)
    ok = status == Status.OK
    half = s * special.stdtrit(np.where(ok, effective - 1, 1.0), 0.5 + confidence / 2)
    low, high = np.where(ok, v - half, np.nan), np.where(ok, v + half, np.nan)
    if bounds is not None:
        low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
        flat = status == Status.ZERO_VARIANCE
        equal_low, equal_high = equal_answers(
            v[flat], effective[flat], bounds=bounds, confidence=confidence
        )
        low[flat], high[flat] = equal_low, equal_high
    known = np.where(ok, s, np.where(status == Status.ZERO_VARIANCE, 0.0, np.nan))
    return Estimate(v.copy(), known, low, high, size.copy(), effective.copy(), status)


def equal_answers(
    value: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    bounds: tuple[float, float],
    confidence: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Return an interval for a mean when all n answers were the same.

    Their variance says nothing. But if n of n answered alike, at most the share
    q = 1 - (1 - confidence)^(1/n) would have answered otherwise, at worst at a bound.

    value, n: shapes that broadcast; n > 0
    bounds: lowest and highest possible value
    returns: low and high, within the bounds
    raises: StatisticsError if confidence is out of range, n is not positive or a value lies
        outside the bounds
    source: exact binomial bound for zero events; "rule of three", Hanley and Lippman-Hand 1983,
        doi:10.1001/jama.1983.03330370053031

    >>> low, high = equal_answers([7.0], [30], bounds=(1, 7))
    >>> low.round(3).tolist(), high.tolist()
    ([6.43], [7.0])
    """
    confidence_level(confidence)
    if not -np.inf < bounds[0] < bounds[1] < np.inf:
        raise StatisticsError("the bounds must be finite, the lower one below the upper one")
    v, size = together("value and n", finite(value, "value"), finite(n, "n"))
    if (size < 1e-100).any():
        raise StatisticsError("n must be positive")
    if ((v < bounds[0]) | (v > bounds[1])).any():
        raise StatisticsError(f"value must lie in {bounds[0]}..{bounds[1]}")
    share = -np.expm1(np.log1p(-confidence) / size)
    return v - share * (v - bounds[0]), v + share * (bounds[1] - v)
