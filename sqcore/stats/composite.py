"""The weighted composite of indicator scores, arithmetic or geometric, with its uncertainty."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    chosen,
    finite,
    flags,
    int64s,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Estimate, MeanCovariance, Status, interval_of
from sqcore.stats.scoring import SCORES, Goalposts, goalpost_scores, steepness

FLOOR = 1.0
"""Points below which a geometric mean counts no score: one 0 would make all of it 0."""


class Aggregation(StrEnum):
    """How scores become one: a weighted mean, in which a good one makes up for a bad one, or a
    weighted geometric mean, in which it does so less the worse the bad one is."""

    ARITHMETIC = "arithmetic"
    GEOMETRIC = "geometric"


@dataclass(frozen=True, eq=False)
class Composite:
    """A composite of C cells.

    estimate: (C,), 0..100; a change: -100..100
    coverage: (C,), share of the weight that has a value, 0..1
    clipped: (C,), whether a used indicator lies beyond a goalpost: it counts as certain there
    used: (C, M), the indicators that went in
    composition_changed: (C,), for a change: whether the two sides have different indicators
    """

    estimate: Estimate
    coverage: FloatArray
    clipped: BoolArray
    used: BoolArray
    composition_changed: BoolArray


def composite(
    means: MeanCovariance,
    goalposts: Goalposts,
    weights: npt.ArrayLike,
    *,
    minimum_coverage: float = 0.6,
    minimum: int = 2,
    confidence: float = 0.95,
    groups: npt.ArrayLike | None = None,
    lone: npt.ArrayLike | None = None,
    aggregation: str = Aggregation.ARITHMETIC,
) -> Composite:
    """Return the weighted mean of goalpost scores, its coverage and its interval.

    means: C cells, M indicators; see `independent` for indicators of different respondents
    goalposts: M of them
    weights: shape (M,) or (C, M), finite, >= 0, positive in sum; need not sum to 1
    minimum_coverage: in [0, 1], the share of the weight that must have a value
    minimum: an indicator counts from so many respondents, >= 2
    confidence: in (0, 1)
    groups: shape (M,), integers: indicators of the same respondents have the same one, those of
        different groups are independent; None: all are of the same
    lone: shape (C, M), bool: measured once, so it counts with its value and adds no variance
        beyond what the covariance says; None: none is
    aggregation: of `Aggregation`. Geometric: exp(sum w ln s / sum w), each score at least `FLOOR`;
        its interval is made on the logarithm, so it is longer downwards
    returns: Composite. Weights renormalise over what has a value. The variance is g' V g with V
        the covariance of the means and g = weight x slope (delta method). Where a curve bends
        within the interval of its value, the slope is the steepest that it has there, and what it
        has in common with others counts against it (`_bent`). Each group has the
        least effective size of its used indicators, minus 1, as degrees of freedom; together
        they are those of Welch and Satterthwaite. n is the most respondents that a used indicator
        has. Nothing used: not_applicable; too little: insufficient_coverage; no variance: the
        interval of `estimates.equal_answers`
    raises: StatisticsError if a shape or parameter is wrong
    assumes: compensation between indicators; in an arithmetic composite an indicator beyond a
        goalpost has slope 0, so its uncertainty is not in the interval (`clipped`)
    source: OECD/JRC 2008, steps 5 to 7; delta method; Satterthwaite 1946, doi:10.2307/3002019;
        geometric: Human Development Report 2010, technical note 1

    >>> from sqcore.stats.moments import moments_of
    >>> from sqcore.stats.estimates import mean_covariance
    >>> m = moments_of([[4, 5], [6, 7], [5, 6]], np.ones((3, 2), dtype=bool), None, [0] * 3, 1)
    >>> ends = Goalposts(np.array([1.0, 1.0]), np.array([7.0, 7.0]))
    >>> c = composite(mean_covariance(m), ends, [0.5, 0.5])
    >>> c.estimate.value.tolist(), c.estimate.se.round(3).tolist(), c.coverage.tolist()
    ([75.0], [9.623], [1.0])
    """
    w = _weights(weights, means)
    _share(minimum_coverage)
    single = _lone(lone, means)
    used = (_countable(means, minimum) | (single & ~np.isnan(means.value))) & (w > 0)
    coverage = _coverage(w, used)
    part = _aggregate(means, goalposts, w, used, aggregation, confidence)
    status = _status(used, coverage, minimum_coverage)
    estimate = interval_of(
        np.where(status == Status.OK, part.value, np.nan),
        part.se,
        np.where(used & ~single, means.n, 0).max(axis=1, initial=0),
        _effective(means, part, used & ~single, _groups(groups, means)),
        confidence=confidence,
        minimum=minimum,
        bounds=SCORES,
    )
    if aggregation == Aggregation.GEOMETRIC:
        estimate = _on_the_logarithm(estimate, confidence)
    nothing = np.zeros(coverage.shape, dtype=np.bool_)
    counted = replace(estimate, n=_most(means.n, used))
    return Composite(_with(counted, status), coverage, part.clipped, used, nothing)


def composite_change(
    after: MeanCovariance,
    before: MeanCovariance,
    goalposts: Goalposts,
    weights: npt.ArrayLike,
    *,
    minimum_coverage: float = 0.6,
    minimum: int = 2,
    confidence: float = 0.95,
    aggregation: str = Aggregation.ARITHMETIC,
) -> Composite:
    """Return the change of a composite, on the indicators that both sides have.

    after, before: the same C cells and M indicators
    goalposts, weights, minimum_coverage, minimum, confidence: as in `composite`
    aggregation: of `Aggregation`, the same on both sides: a mean of one kind less one of the other
        is no change of anything
    returns: Composite with the estimate after minus before; coverage is that of the common
        indicators; composition_changed where a side has an indicator that the other lacks.
        df after Welch-Satterthwaite. No variance on either side: zero_variance without interval
    raises: StatisticsError as `composite`
    assumes: different respondents on the two sides
    source: OECD/JRC 2008; Satterthwaite 1946, doi:10.2307/3002019

    >>> from sqcore.stats.moments import moments_of
    >>> from sqcore.stats.estimates import mean_covariance
    >>> yes, ends = np.ones((3, 1), dtype=bool), Goalposts(np.array([1.0]), np.array([7.0]))
    >>> old = mean_covariance(moments_of([[4], [5], [6]], yes, None, [0] * 3, 1))
    >>> new = mean_covariance(moments_of([[5], [6], [7]], yes, None, [0] * 3, 1))
    >>> composite_change(new, old, ends, [1.0]).estimate.value.round(3).tolist()
    [16.667]
    """
    if after.value.shape != before.value.shape:
        raise StatisticsError("both sides must have the same cells and indicators")
    w = _weights(weights, after)
    _share(minimum_coverage)
    has = _countable(after, minimum) & (w > 0), _countable(before, minimum) & (w > 0)
    used = has[0] & has[1]
    coverage = _coverage(w, used)
    late, early = (
        _aggregate(side, goalposts, w, used, aggregation, confidence) for side in (after, before)
    )
    variance = late.se**2, early.se**2
    sizes = _least(after.n_eff, used), _least(before.n_eff, used)
    below = sum(v**2 / np.maximum(n - 1, 1e-9) for v, n in zip(variance, sizes, strict=True))
    total = variance[0] + variance[1]
    df = np.where(total > 0, total**2 / np.where(below > 0, below, 1.0), 1.0)
    status = _status(used, coverage, minimum_coverage)
    estimate = interval_of(
        np.where(status == Status.OK, late.value - early.value, np.nan),
        np.sqrt(total),
        np.minimum(_most(after.n, used), _most(before.n, used)),
        np.where(np.minimum(*sizes) > 1, df + 1, 0.0),
        confidence=confidence,
        minimum=minimum,
    )
    return Composite(
        _with(estimate, status),
        coverage,
        late.clipped | early.clipped,
        used,
        (has[0] != has[1]).any(axis=1),
    )


def independent(*parts: MeanCovariance) -> MeanCovariance:
    """Return the indicators of several groups of respondents side by side, uncorrelated.

    parts: each of the same C cells
    returns: MeanCovariance of all their measures, in order
    raises: StatisticsError if there is none or their cells differ
    assumes: no respondent is in two of them

    >>> part = MeanCovariance(
    ...     np.array([[5.0]]), np.array([[[0.25]]]), np.array([[9]]), np.array([[9.0]])
    ... )
    >>> independent(part, part).covariance.tolist()
    [[[0.25, 0.0], [0.0, 0.25]]]
    """
    if len({part.value.shape[0] for part in parts}) != 1:
        raise StatisticsError("all parts must have the same cells")
    cells, measures = parts[0].value.shape[0], sum(part.value.shape[1] for part in parts)
    covariance = np.zeros((cells, measures, measures))
    at = 0
    for part in parts:
        own = slice(at, at + part.value.shape[1])
        covariance[:, own, own] = part.covariance
        at = own.stop
    return MeanCovariance(
        np.concatenate([part.value for part in parts], axis=1),
        covariance,
        np.concatenate([part.n for part in parts], axis=1),
        np.concatenate([part.n_eff for part in parts], axis=1),
    )


@dataclass(frozen=True, eq=False)
class _Aggregate:
    """gradient: (C, M), what a unit of each value adds to the composite; 0 where it is not used."""

    value: FloatArray
    se: FloatArray
    clipped: BoolArray
    gradient: FloatArray


def _weights(weights: npt.ArrayLike, means: MeanCovariance) -> FloatArray:
    w = finite(weights, "weights")
    cells, measures = means.value.shape
    if w.shape not in ((measures,), (cells, measures)):
        raise StatisticsError(f"weights must have shape ({measures},) or ({cells}, {measures})")
    if (w < 0).any() or (w.sum(axis=-1) <= 0).any():
        raise StatisticsError("weights must be positive in sum and none negative")
    return w * np.ones((cells, 1))


def _share(minimum_coverage: float) -> None:
    if not 0.0 <= minimum_coverage <= 1.0:
        raise StatisticsError("minimum_coverage must lie in 0..1")


def _countable(means: MeanCovariance, minimum: int) -> BoolArray:
    enough: BoolArray = (means.n >= minimum) & (means.n_eff > 1) & ~np.isnan(means.value)
    return enough


def _coverage(w: FloatArray, used: BoolArray) -> FloatArray:
    return np.asarray((w * used).sum(axis=1) / w.sum(axis=1), dtype=np.float64)


def _aggregate(
    means: MeanCovariance,
    goalposts: Goalposts,
    w: FloatArray,
    used: BoolArray,
    aggregation: str,
    confidence: float,
) -> _Aggregate:
    chosen(aggregation, Aggregation, "aggregation")
    scores = goalpost_scores(means.value, goalposts)
    total = (w * used).sum(axis=1, keepdims=True)
    safe = np.where(total > 0, total, 1.0)
    share = w * used / safe
    clipped: BoolArray = np.asarray((scores.clipped & used).any(axis=1))
    geometric = aggregation == Aggregation.GEOMETRIC
    slope, bent = _moving(means, goalposts, scores.slope, confidence, geometric=geometric)
    if geometric:
        logs = np.log(np.maximum(np.where(used, scores.score, FLOOR), FLOOR))
        value = np.exp((share * logs).sum(axis=1))
        slope = slope * value[:, None]
    else:
        value = np.where(used, w * scores.score, 0.0).sum(axis=1) / safe[:, 0]
    value = np.clip(value, *SCORES)
    gradient = np.where(used, share * slope, 0.0)
    variance = np.einsum("ca,cab,cb->c", gradient, means.covariance, gradient)
    if (bent & used).any():
        variance = variance + _bent(means.covariance, gradient, bent & used)
    return _Aggregate(value, np.sqrt(np.maximum(variance, 0.0)), clipped, gradient)


def _moving(
    means: MeanCovariance,
    goalposts: Goalposts,
    even: FloatArray,
    confidence: float,
    *,
    geometric: bool,
) -> tuple[FloatArray, BoolArray]:
    """How each score moves with its value, or its logarithm does: slopes, and which are bent.

    even: the slopes between goalposts; they stay as they are in an arithmetic composite
    """
    bent = np.zeros(means.value.shape, dtype=np.bool_)
    curved = range(means.value.shape[1]) if geometric else sorted(goalposts.curves)
    slope = even.copy()
    for at in curved:
        spread = np.sqrt(np.maximum(means.covariance[:, at, at], 0.0))
        df = np.maximum(means.n_eff[:, at] - 1, 1e-9)
        known = (means.n_eff[:, at] > 1) & (spread > 0)
        half = np.where(
            known, spread * special.stdtrit(np.where(known, df, 1.0), 0.5 + confidence / 2), 0.0
        )
        curve = goalposts.curve(at)
        found = steepness(
            curve.floored(FLOOR) if geometric else curve,
            means.value[:, at],
            half,
            logarithm=geometric,
        )
        slope[:, at], bent[:, at] = found.slope, found.bent
    return slope, bent


def _bent(covariance: FloatArray, gradient: FloatArray, bent: BoolArray) -> FloatArray:
    """What must be added to g' V g where scores bend: (C,).

    There the sign of a slope is not known, and errors have a mean of their own: beside a peak both
    sides are lower. So with others such a score counts as if it never offset them, and two such as
    if they went together fully.
    """
    size = gradient.shape[1]
    pair = gradient[:, :, None] * covariance * gradient[:, None, :]
    spread = np.abs(gradient) * np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0))
    either = bent[:, :, None] | bent[:, None, :]
    both = bent[:, :, None] & bent[:, None, :]
    worst = np.where(both, spread[:, :, None] * spread[:, None, :], np.abs(pair))
    added = np.where(either & ~np.eye(size, dtype=np.bool_), worst - pair, 0.0)
    return np.asarray(added.sum(axis=(1, 2)), dtype=np.float64)


def _on_the_logarithm(estimate: Estimate, confidence: float) -> Estimate:
    """The estimate of a geometric mean with its interval made on the logarithm.

    Where there was no variance it keeps the interval of equal answers.
    """
    ok = estimate.status == Status.OK
    value = np.where(ok, estimate.value, 1.0)
    quantile = special.stdtrit(np.where(ok, estimate.n_eff - 1, 1.0), 0.5 + confidence / 2)
    times = np.exp(np.minimum(quantile * np.where(ok, estimate.se, 0.0) / value, np.log(100.0)))
    low, high = np.maximum(value / times, FLOOR), np.minimum(value * times, SCORES[1])
    return replace(
        estimate,
        low=np.where(ok, low, estimate.low),
        high=np.where(ok, high, estimate.high),
    )


def _lone(lone: npt.ArrayLike | None, means: MeanCovariance) -> BoolArray:
    if lone is None:
        return np.zeros(means.value.shape, dtype=np.bool_)
    single = flags(lone, "lone")
    if single.shape != means.value.shape:
        raise StatisticsError("lone must have shape (cells, indicators)")
    return single


def _groups(groups: npt.ArrayLike | None, means: MeanCovariance) -> IntArray:
    measures = means.value.shape[1]
    found = np.zeros(measures, dtype=np.int64) if groups is None else int64s(groups, "groups")
    if found.shape != (measures,):
        raise StatisticsError(f"groups must have shape ({measures},)")
    return found


def _effective(
    means: MeanCovariance, part: _Aggregate, used: BoolArray, groups: IntArray
) -> FloatArray:
    """The effective size whose degrees of freedom are those of the groups together, (C,).

    Where not more than one group varies it is the least size of all that is used.
    """
    least = _least(means.n_eff, used)
    if len(np.unique(groups)) < 2:
        return least
    total, below, varying = (np.zeros(len(least)) for _each in range(3))
    for group in np.unique(groups):
        inside = used & (groups == group)
        mine = np.where(inside, part.gradient, 0.0)
        variance = np.maximum(np.einsum("ca,cab,cb->c", mine, means.covariance, mine), 0.0)
        df = np.maximum(_least(means.n_eff, inside) - 1, 1e-9)
        total += variance
        below += variance**2 / df
        varying += variance > 0
    together = total**2 / np.where(below > 0, below, 1.0) + 1
    return np.where(varying > 1, together, least)


def _status(
    used: BoolArray, coverage: FloatArray, minimum_coverage: float
) -> npt.NDArray[np.uint8]:
    short = coverage < minimum_coverage - 1e-12
    return np.select(
        [~used.any(axis=1), short],
        [Status.NOT_APPLICABLE, Status.INSUFFICIENT_COVERAGE],
        Status.OK,
    ).astype(np.uint8)


def _with(estimate: Estimate, status: npt.NDArray[np.uint8]) -> Estimate:
    """The estimate with what the coverage has to say about it put first."""
    return Estimate(
        estimate.value,
        estimate.se,
        estimate.low,
        estimate.high,
        estimate.n,
        estimate.n_eff,
        np.where(status == Status.OK, estimate.status, status).astype(np.uint8),
    )


def _most(n: npt.NDArray[np.int64], used: BoolArray) -> npt.NDArray[np.int64]:
    return np.asarray(np.where(used, n, 0).max(axis=1, initial=0))


def _least(n_eff: FloatArray, used: BoolArray) -> FloatArray:
    least = np.where(used, n_eff, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isinf(least), 0.0, least)
