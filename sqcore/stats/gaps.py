"""The five gaps of service quality, each from the people who know it, and what may cause them.

A gap below 0 is a shortfall. docs/methods/five-gaps.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    FloatArray,
    IntArray,
    confidence_level,
    finite,
    flags,
    int64s,
    shaped,
)
from sqcore.stats.covariances import LARGEST
from sqcore.stats.differences import Bounded, difference
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import MeanCovariance, equal_answers
from sqcore.stats.results import Figure, MethodStatus

SCALE = (1.0, 7.0)
ROUNDING, NEAR = 1e-12, 1e-9
MOST_CAUSES = 1_000


class Gap(IntEnum):
    """The gaps by their number in the literature."""

    KNOWLEDGE = 1
    """Managers' idea of what customers expect, minus what these expect."""
    STANDARDS = 2
    """Formal standards minus what they should be."""
    DELIVERY = 3
    """What staff can keep of the standards."""
    COMMUNICATION = 4
    """What can be kept of what was promised."""
    SERVICE = 5
    """What customers perceive minus what they expect."""


CAUSES: dict[Gap, tuple[str, ...]] = {
    Gap.KNOWLEDGE: ("research_orientation", "upward_communication", "levels_of_management"),
    Gap.STANDARDS: ("commitment", "goal_setting", "standardisation", "feasibility"),
    Gap.DELIVERY: (
        "teamwork",
        "employee_job_fit",
        "technology_job_fit",
        "perceived_control",
        "supervisory_control",
        "role_conflict",
        "role_ambiguity",
    ),
    Gap.COMMUNICATION: ("horizontal_communication", "propensity_to_overpromise"),
}
"""What the literature says makes each of the gaps inside the organisation wider."""


@dataclass(frozen=True, eq=False)
class Side:
    """What one group of people says about D dimensions.

    mean: (D,), 0 where nobody answered; covariance: (D, D) of these means; n and n_eff: (D,)
    respondents and their effective number
    """

    mean: FloatArray
    covariance: FloatArray
    n: IntArray
    n_eff: FloatArray


@dataclass(frozen=True)
class GapResult:
    """One gap on each dimension and overall, negative where the service falls short.

    overall: the mean of the dimensions; not_applicable if a dimension has none
    """

    gap: Gap
    dimensions: tuple[Figure, ...]
    overall: Figure


@dataclass(frozen=True)
class Cause:
    """How far a likely cause lies from the middle of its scale; below 0 it speaks.

    number: of the cause as it was given; speaks: the whole interval lies below the middle
    """

    number: int
    figure: Figure
    speaks: bool


def side_of(values: npt.ArrayLike) -> Side:
    """Return what respondents say, from their scores.

    values: (N, D), NaN where a respondent has no score
    raises: StatisticsError unless values is a table of finite numbers, NaN where missing
    assumes: independent respondents; a score may be missing for some

    >>> side_of([[6, 7], [4, float("nan")]]).mean.tolist()
    [5.0, 7.0]
    """
    x = _table(values)
    known = ~np.isnan(x)
    n = known.sum(axis=0)
    safe = np.maximum(n, 1)
    mean = np.where(known, x, 0.0).sum(axis=0) / safe
    rest = np.where(known, x - mean, 0.0)
    factor = np.sqrt(np.where(n > 1, n / np.maximum(n - 1, 1), 0.0)) / safe
    covariance = (rest.T @ rest) * np.outer(factor, factor)
    return Side(mean, covariance, n.astype(np.int64), n.astype(np.float64))


def side_from(joint: MeanCovariance, cell: int = 0) -> Side:
    """Return what respondents say, from the exact sums that are kept of them.

    joint: as `estimates.mean_covariance` returns it; cell: which of its cells
    raises: StatisticsError if there is no such cell

    >>> from sqcore.stats.estimates import mean_covariance
    >>> from sqcore.stats.moments import moments_of
    >>> m = moments_of([[6, 7], [4, 7]], [[True, True]] * 2, None, [0, 0], 1)
    >>> side_from(mean_covariance(m)).mean.tolist()
    [5.0, 7.0]
    """
    if not 0 <= cell < len(joint.n):
        raise StatisticsError(f"there is no cell {cell}")
    mean = np.where(joint.n[cell] > 0, np.nan_to_num(joint.value[cell]), 0.0)
    return Side(mean, joint.covariance[cell], joint.n[cell], joint.n_eff[cell])


def knowledge_gap(
    managers: Side,
    customers: Side,
    *,
    weights: npt.ArrayLike | None = None,
    scale: tuple[float, float] = SCALE,
    confidence: float = 0.95,
) -> GapResult:
    """Return gap 1: managers' idea of customers' expectations minus these expectations.

    managers: what they think that customers would answer; customers: their expectations; on the
        same D dimensions and the same scale
    weights: (D,), of the dimensions in `overall`, for example points; None: all alike
    scale: lowest and highest answer
    confidence: in (0, 1)
    returns: GapResult with the interval of Welch, as the two are different people. insufficient_n:
        one respondent on a side; not_applicable: none. Where all on a side agree, that side has
        the interval of `equal_answers` and the two are put together as in `differences`. n is that
        of the smaller group
    raises: StatisticsError if the sides have other dimensions, a mean is off the scale or a
        parameter is out of range
    assumes: independent respondents
    source: Zeithaml, Berry, Parasuraman 1988, Journal of Marketing 52(2):35-48; Welch 1947,
        doi:10.1093/biomet/34.1-2.28

    >>> gap = knowledge_gap(side_of([[5.0], [6.0], [5.5]]), side_of([[6.5], [6.0], [7.0], [6.5]]))
    >>> [round(x, 2) for x in (gap.overall.value, gap.overall.low, gap.overall.high)]
    [-1.0, -2.0, -0.0]
    """
    if len(managers.mean) != len(customers.mean):
        raise StatisticsError("both sides must speak of the same dimensions")
    rows = _rows(len(managers.mean), weights)
    _on_scale(managers, scale)
    _on_scale(customers, scale)
    confidence_level(confidence)
    parts = [_difference(managers, customers, row, scale, confidence) for row in rows]
    return GapResult(Gap.KNOWLEDGE, tuple(parts[:-1]), parts[-1])


def standards_gap(
    standards: npt.ArrayLike,
    wanted: npt.ArrayLike | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    scale: tuple[float, float] = SCALE,
    confidence: float = 0.95,
) -> GapResult:
    """Return gap 2: how far formal standards are set, minus what they should be.

    standards: (N, D), how far managers say that formal standards are set, NaN missing
    wanted: (N, D), of the same managers in the same order, what they think that customers expect;
        None: the top of the scale
    weights, scale, confidence: as in `knowledge_gap`
    returns: GapResult with the t interval. insufficient_n: one manager; not_applicable: none.
        Where all agree, the interval of `equal_answers`
    raises: StatisticsError as `knowledge_gap`, or for values outside the scale
    assumes: independent respondents
    source: Zeithaml, Berry, Parasuraman 1988; against the top of the scale: Zeithaml, Parasuraman,
        Berry 1990, Delivering Quality Service, appendix

    >>> gap = standards_gap([[5, 6], [4, 6], [6, 6]])
    >>> [figure.value for figure in gap.dimensions], gap.overall.value
    ([-2.0, -1.0], -1.5)
    """
    if wanted is None:
        return _below_top(Gap.STANDARDS, standards, weights, scale, confidence)
    x, against = _answers(standards, scale), _answers(wanted, scale)
    shaped(against, x.shape, "wanted")
    wide = scale[1] - scale[0]
    return _paired(Gap.STANDARDS, x - against, weights, (-wide, wide), confidence)


def delivery_gap(
    able: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    scale: tuple[float, float] = SCALE,
    confidence: float = 0.95,
) -> GapResult:
    """Return gap 3: how far contact staff can keep the standards, minus the top of the scale.

    able: (N, D), NaN missing; the rest as in `standards_gap`

    >>> delivery_gap([[7], [5], [6]]).overall.value
    -1.0
    """
    return _below_top(Gap.DELIVERY, able, weights, scale, confidence)


def communication_gap(
    kept: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    scale: tuple[float, float] = SCALE,
    confidence: float = 0.95,
) -> GapResult:
    """Return gap 4: how far promises to customers can be kept, minus the top of the scale.

    kept: (N, D), of contact staff and managers, NaN missing; the rest as in `standards_gap`

    >>> communication_gap([[7], [4], [7]]).overall.value
    -1.0
    """
    return _below_top(Gap.COMMUNICATION, kept, weights, scale, confidence)


def service_gap(
    gaps: npt.ArrayLike | Side,
    *,
    weights: npt.ArrayLike | None = None,
    scale: tuple[float, float] = SCALE,
    confidence: float = 0.95,
) -> GapResult:
    """Return gap 5: what customers perceive minus what they expect.

    gaps: (N, D), perception minus expectation of each respondent, NaN missing; or a Side of them
    weights: (D,), None: all alike. Weights of all respondents together; where each gave points of
        their own, `servqual.weighted_scores` is the right form
    scale, confidence: as in `knowledge_gap`
    returns: GapResult with the paired t interval. insufficient_n: one respondent; not_applicable:
        none. Where all agree, the interval of `equal_answers`
    raises: StatisticsError as `knowledge_gap`, or for gaps wider than the scale
    source: Parasuraman, Zeithaml, Berry 1988, Journal of Retailing 64(1):12-40

    >>> gap = service_gap([[-1, 0], [-2, 0], [0, -1]])
    >>> round(gap.overall.value, 3), round(gap.overall.low, 3), round(gap.overall.high, 3)
    (-0.667, -1.384, 0.05)
    """
    wide = scale[1] - scale[0]
    if isinstance(gaps, Side):
        return _alone(Gap.SERVICE, gaps, weights, (-wide, wide), confidence)
    return _paired(Gap.SERVICE, _table(gaps), weights, (-wide, wide), confidence)


def causes(
    answers: npt.ArrayLike,
    cause: Sequence[int],
    turned: npt.ArrayLike | None = None,
    *,
    scale: tuple[float, float] = SCALE,
    confidence: float = 0.95,
) -> tuple[Cause, ...]:
    """Return likely causes of a gap, those that speak most strongly first.

    answers: (N, I), agreement with items, NaN missing, as they were given
    cause: (I,), of each item, 0..C-1; what no item asks about is not_applicable
    turned: (I,), bool, items where agreement is bad (such as "I often get contradicting orders"):
        they are turned here; None: no item
    scale, confidence: as in `knowledge_gap`
    returns: C causes. A figure is the mean over respondents of their mean of the items of a cause
        (at least half of them answered) minus the middle of the scale. First those whose interval
        lies below the middle, then the others, each by size; those without a number last
    raises: StatisticsError if a shape is wrong, there is no item or an answer is off the scale
    assumes: independent respondents; it shows where to look, not what works
    source: Zeithaml, Berry, Parasuraman 1988, Journal of Marketing 52(2):35-48

    >>> found = causes([[2, 6, 6], [3, 6, 5], [2, 6, 6]], [0, 0, 1], [False, True, False])
    >>> [(each.number, round(each.figure.value, 2), each.speaks) for each in found]
    [(0, -1.83, True), (1, 1.67, False)]
    """
    x = _answers(answers, scale)
    member = int64s(cause, "cause")
    shaped(member, (x.shape[1],), "cause")
    if not member.size or int(member.min()) < 0 or int(member.max()) >= MOST_CAUSES:
        raise StatisticsError(f"each item needs its cause, numbered from 0 to {MOST_CAUSES - 1}")
    against = np.zeros(member.shape, bool) if turned is None else flags(turned, "turned")
    shaped(against, member.shape, "turned")
    x = np.where(against, scale[0] + scale[1] - x, x)
    scores = np.column_stack([half_mean(x[:, member == c]) for c in range(int(member.max()) + 1)])
    middle, half = (scale[0] + scale[1]) / 2.0, (scale[1] - scale[0]) / 2.0
    side = side_of(scores - middle)
    figures = [
        _figure(side, row, (-half, half), confidence_level(confidence))
        for row in np.eye(len(side.mean))
    ]
    found = [Cause(i, f, f.high is not None and f.high < 0.0) for i, f in enumerate(figures)]
    return tuple(sorted(found, key=_loudness))


def _loudness(each: Cause) -> tuple[bool, bool, float, int]:
    value = each.figure.value
    return value is None, not each.speaks, value or 0.0, each.number


def half_mean(values: npt.ArrayLike) -> FloatArray:
    """Return each respondent's mean of what was answered, if that is at least half.

    values: (N, K), NaN where not answered
    returns: (N,), NaN where fewer than half, or none, of the K have a value
    raises: StatisticsError unless values is a table of finite numbers, NaN where missing
    source: half rule, Parasuraman, Zeithaml, Berry 1988, Journal of Retailing 64(1):12-40

    >>> half_mean([[1, 3], [4, float("nan")], [float("nan"), float("nan")]]).tolist()
    [2.0, 4.0, nan]
    """
    x = _table(values)
    known = ~np.isnan(x)
    count = known.sum(axis=1)
    mean = np.where(known, x, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where((2 * count >= x.shape[1]) & (count > 0), mean, np.nan)


def _below_top(
    gap: Gap,
    values: npt.ArrayLike,
    weights: npt.ArrayLike | None,
    scale: tuple[float, float],
    confidence: float,
) -> GapResult:
    below = _answers(values, scale) - scale[1]
    return _paired(gap, below, weights, (scale[0] - scale[1], 0.0), confidence)


def _paired(
    gap: Gap,
    values: FloatArray,
    weights: npt.ArrayLike | None,
    bounds: tuple[float, float],
    confidence: float,
) -> GapResult:
    known = values[~np.isnan(values)]
    if ((known < bounds[0]) | (known > bounds[1])).any():
        raise StatisticsError(f"a gap must lie in {bounds[0]}..{bounds[1]}")
    return _alone(gap, side_of(values), weights, bounds, confidence)


def _alone(
    gap: Gap,
    side: Side,
    weights: npt.ArrayLike | None,
    bounds: tuple[float, float],
    confidence: float,
) -> GapResult:
    rows = _rows(len(side.mean), weights)
    _on_scale(side, bounds)
    parts = [_figure(side, row, bounds, confidence_level(confidence)) for row in rows]
    return GapResult(gap, tuple(parts[:-1]), parts[-1])


def _rows(dimensions: int, weights: npt.ArrayLike | None) -> FloatArray:
    """Return what each figure takes of the dimensions: one row each, and one for all together."""
    if not dimensions:
        raise StatisticsError("there is no dimension")
    w = np.ones(dimensions) if weights is None else finite(weights, "weights")
    shaped(w, (dimensions,), "weights")
    if (w < 0).any() or w.sum() <= 0:
        raise StatisticsError("weights must not be negative, and one must be above 0")
    return np.vstack([np.eye(dimensions), w / w.sum()])


def _part(side: Side, row: FloatArray) -> tuple[float, float, int, float]:
    """Return mean, variance of the mean, and the fewest respondents and effective ones."""
    used = row > 0
    mean, variance = float(row @ side.mean), float(row @ side.covariance @ row)
    if variance <= ROUNDING**2 * max(1.0, mean * mean):
        variance = 0.0
    return mean, variance, int(side.n[used].min()), float(side.n_eff[used].min())


def _figure(side: Side, row: FloatArray, bounds: tuple[float, float], confidence: float) -> Figure:
    """Return the mean with its t interval within the bounds."""
    mean, variance, n, effective = _part(side, row)
    short = _too_few(n, effective)
    if short is not None:
        return short
    mean = min(max(mean, bounds[0]), bounds[1])
    if variance == 0.0:
        low, high = equal_answers([mean], [effective], bounds=bounds, confidence=confidence)
        return Figure(mean, float(low[0]), float(high[0]), n)
    half = _quantile(effective - 1.0, confidence) * float(np.sqrt(variance))
    return Figure(mean, max(mean - half, bounds[0]), min(mean + half, bounds[1]), n)


def _difference(
    first: Side, other: Side, row: FloatArray, scale: tuple[float, float], confidence: float
) -> Figure:
    """Return first minus other with the interval of Welch; n is that of the smaller group."""
    mean, variance, n, effective = _part(first, row)
    other_mean, other_variance, other_n, other_effective = _part(other, row)
    fewer, least = min(n, other_n), min(effective, other_effective)
    short = _too_few(fewer, least)
    if short is not None:
        return short
    if variance == 0.0 or other_variance == 0.0:
        sides = (_bounded(_figure(side, row, scale, confidence)) for side in (first, other))
        return Figure(*difference(*sides), fewer)
    gap, wide = mean - other_mean, scale[1] - scale[0]
    together = variance + other_variance
    parts = (variance / together) ** 2 / (effective - 1.0)
    parts += (other_variance / together) ** 2 / (other_effective - 1.0)
    half = _quantile(1.0 / parts, confidence) * float(np.sqrt(together))
    return Figure(gap, max(gap - half, -wide), min(gap + half, wide), fewer)


def _bounded(figure: Figure) -> Bounded:
    if figure.value is None or figure.low is None or figure.high is None:
        raise StatisticsError("a side without an interval cannot be compared")
    return Bounded(figure.value, figure.low, figure.high)


def _on_scale(side: Side, scale: tuple[float, float]) -> None:
    if not (np.isfinite(scale).all() and scale[0] < scale[1]):
        raise StatisticsError("the scale must run from a lower to a higher finite number")
    mean = side.mean[side.n > 0]
    if ((mean < scale[0] - NEAR) | (mean > scale[1] + NEAR)).any():
        raise StatisticsError(f"a mean lies outside {scale[0]}..{scale[1]}")


def _too_few(n: int, effective: float) -> Figure | None:
    if not n:
        return Figure.none(MethodStatus.NOT_APPLICABLE)
    if n < 2 or effective <= 1.0:
        return Figure.none(MethodStatus.INSUFFICIENT_N, n=n)
    return None


def _quantile(df: float, confidence: float) -> float:
    return float(special.stdtrit(df, 0.5 + confidence / 2.0))


def _answers(values: npt.ArrayLike, scale: tuple[float, float]) -> FloatArray:
    if not (np.isfinite(scale).all() and scale[0] < scale[1]):
        raise StatisticsError("the scale must run from a lower to a higher finite number")
    x = _table(values)
    known = x[~np.isnan(x)]
    if ((known < scale[0]) | (known > scale[1])).any():
        raise StatisticsError(f"answers must lie in {scale[0]}..{scale[1]}")
    return x


def _table(values: npt.ArrayLike) -> FloatArray:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("values must be numbers, NaN where missing") from error
    if x.ndim != 2 or (np.abs(x[~np.isnan(x)]) > LARGEST).any():
        raise StatisticsError("values must be a table of finite numbers, NaN where missing")
    return x
