"""The Check: did a series move after the action, by how much, and can it be seen at all?"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray, confidence_level, finite
from sqcore.stats.errors import StatisticsError

LEAST_BEFORE = 8
LEAST_AFTER = 4
LARGEST_PHI = 0.8
MOST_FACTORS = 1e3
"""Effects beyond so many times what one point shows take no more points than this one."""
LOOK_CONFIDENCE = 0.975
"""Of each look when the check may be extended once: .025 a look, .05 together."""


class EffectStatus(StrEnum):
    """What kind of answer an effect is; only `OK` has an interval."""

    OK = "ok"
    TOO_FEW_BEFORE = "too_few_before"
    TOO_FEW_AFTER = "too_few_after"
    ZERO_VARIANCE = "zero_variance"
    TOO_DEPENDENT = "too_dependent"


@dataclass(frozen=True)
class Effect:
    """How far the mean after lies above the mean before.

    status: see `EffectStatus`; unless it is ok, low, high, df, smallest_detectable and p are None
    estimate: after minus before; None if one of them has no points
    low, high: the interval at `confidence`
    n_before, n_after: points that are there
    phi: lag-1 autocorrelation of the residuals, 0 to .8; None where it cannot be estimated
    sigma: spread of a point about its mean; 0 with zero_variance, else None where phi is
    df: degrees of freedom of the interval
    smallest_detectable: what would be seen with 80 % power with these points
    p: of no shift, two-sided
    """

    status: EffectStatus
    estimate: float | None
    low: float | None
    high: float | None
    n_before: int
    n_after: int
    phi: float | None
    sigma: float | None
    df: float | None
    smallest_detectable: float | None
    p: float | None
    confidence: float


def mean_shift(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    least_before: int = LEAST_BEFORE,
    least_after: int = LEAST_AFTER,
) -> Effect:
    """Return the shift of the mean with an interval that knows of autocorrelation.

    before: the points strictly after the signal and before the first action or containment; for
        a gap that a person found without a signal, the baseline before the ticket. In order of
        time; NaN holds the place of a point that is missing or excluded
    after: the points after the action and its washout, likewise
    confidence: in (0, 1); `LOOK_CONFIDENCE` at both looks if the check may be extended
    least_before, least_after: fewer points give no interval, >= 3
    returns: Effect. phi = (n r + 1) / (n - 4), cut to 0..0.8, with r the lag-1 correlation of the
        residuals about the two means and n the points of both sides; t with
        df = n (1 - phi) / (1 + phi) - 2, sigma^2 = squares (1 - phi) / (1 + phi) / df, and
        se^2 = sigma^2 (1/n0 + 1/n1) (1 + phi) / (1 - phi). df below 1: too_dependent
    raises: StatisticsError if a side is not flat, holds an infinity or a parameter is out of range
    assumes: one level on each side, the same spread and autocorrelation on both, no season
    source: docs/methods/effect-check.md; Kendall 1954, doi:10.1093/biomet/41.3-4.403 (bias of r)

    >>> e = mean_shift([9, 10, 11, 10, 9, 10, 11, 10], [7, 8, 7, 6, 7, 8, 7, 6])
    >>> e.estimate, round(e.low, 2), round(e.high, 2), round(e.phi, 3), round(e.sigma, 3)
    (-3.0, -3.91, -2.09, 0.083, 0.766)
    """
    confidence_level(confidence)
    if min(least_before, least_after) < 3:
        raise StatisticsError("either side needs at least 3 points")
    old, new = _side(before, "before"), _side(after, "after")
    bare = _without_interval(old, new, confidence)
    if bare.n_before < least_before:
        return replace(bare, status=EffectStatus.TOO_FEW_BEFORE)
    if bare.n_after < least_after:
        return replace(bare, status=EffectStatus.TOO_FEW_AFTER)
    if _constant(old) and _constant(new):
        return replace(bare, status=EffectStatus.ZERO_VARIANCE, phi=None, sigma=0.0)
    return _with_interval(bare, _residuals(old), _residuals(new))


def autocorrelation(*stretches: npt.ArrayLike) -> float | None:
    """Return phi as the check estimates it, from stretches that each have a level of their own.

    stretches: points in order of time, NaN where one is missing
    returns: (n r + 1) / (n - 4) cut to 0..0.8; None with fewer than 8 points or if all
        stretches are constant. Of 26 points its own standard error is about .2. The correction
        is that of one mean: for many series of a kind take the median of theirs, as many
        stretches together come out too low
    raises: StatisticsError as `mean_shift`

    >>> autocorrelation([1, 2, 3, 4, 5, 4, 3, 2]), autocorrelation([5] * 9)
    (0.8, None)
    """
    sides = [_side(values, "a stretch") for values in stretches]
    if sum(_count(side) for side in sides) < LEAST_BEFORE or all(map(_constant, sides)):
        return None
    return _phi(*(_residuals(side) for side in sides))


class Verdict(StrEnum):
    """What a check says before a person confirms it."""

    IMPROVED = "improved"
    NO_CHANGE = "no_change"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"


def verdict(effect: Effect, *, better: int, minimum: float) -> tuple[Verdict, str]:
    """Return what the effect means for what was promised, and the code of the reason.

    effect: of the indicator that was registered
    better: +1 if more is better, -1 if less is
    minimum: the registered smallest gain, >= 0, in units of the indicator
    returns: the first that holds of
        inconclusive, the code of the status: there is no interval
        worse, "interval_on_the_bad_side": the interval excludes 0 on the unwanted side
        improved, "minimum_reached": it excludes 0 on the wanted side and the estimate reaches
            the minimum
        no_change, "gain_below_minimum": it excludes 0 on the wanted side, the estimate does not
            reach the minimum: real, but not what was promised
        no_change, "minimum_excluded": 0 is inside and so large a gain is outside
        inconclusive, "underpowered": 0 and the minimum are inside, and the smallest detectable
            effect is larger than the minimum
        no_change, "not_detected": otherwise
    raises: StatisticsError if better is not +1 or -1 or the minimum is negative or not finite
    source: docs/methods/effect-check.md

    >>> e = mean_shift([9, 10, 11, 10, 9, 10, 11, 10], [7, 8, 7, 6, 7, 8, 7, 6])
    >>> verdict(e, better=-1, minimum=2.0)
    (<Verdict.IMPROVED: 'improved'>, 'minimum_reached')
    """
    _direction(better)
    _not_negative(minimum, "minimum")
    if effect.low is None or effect.high is None or effect.estimate is None:
        return Verdict.INCONCLUSIVE, effect.status.value
    gain = better * effect.estimate
    least, most = sorted((better * effect.low, better * effect.high))
    if most < 0:
        return Verdict.WORSE, "interval_on_the_bad_side"
    if least > 0:
        if gain >= minimum:
            return Verdict.IMPROVED, "minimum_reached"
        return Verdict.NO_CHANGE, "gain_below_minimum"
    if most < minimum:
        return Verdict.NO_CHANGE, "minimum_excluded"
    if effect.smallest_detectable is None or effect.smallest_detectable > minimum:
        return Verdict.INCONCLUSIVE, "underpowered"
    return Verdict.NO_CHANGE, "not_detected"


def restored(after: npt.ArrayLike, *, centre: float, sigma: float) -> bool:
    """Return whether the mean after lies within 1 sigma of the frozen baseline.

    after: points, NaN where one is missing; at least one is there
    centre, sigma: of the frozen baseline; sigma >= 0
    raises: StatisticsError if there are no points or a number is out of range

    >>> restored([9.5, 10.5, 9.0], centre=9.0, sigma=1.43)
    True
    """
    points = _side(after, "after")
    _not_negative(sigma, "sigma")
    if not math.isfinite(centre):
        raise StatisticsError("centre must be finite")
    if not _count(points):
        raise StatisticsError("there are no points after")
    return bool(abs(float(np.nanmean(points)) - centre) <= sigma)


def smallest_detectable(
    *,
    n_before: int,
    n_after: int,
    sigma: float,
    phi: float,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    """Return the shift that a check with so many points sees with this power.

    n_before, n_after: >= 1; sigma: of a point, > 0; phi: in [0, 1)
    power, confidence: in (0, 1), power above 1 - confidence
    returns: 2.80 sigma sqrt((1/n0 + 1/n1) (1 + phi) / (1 - phi)); the factor is the sum of the
        two normal quantiles, to hundredths
    raises: StatisticsError if a parameter is out of range
    assumes: phi and sigma known; with few points it takes a little more
    source: Bloom 1995, doi:10.1177/0193841X9501900504

    >>> round(smallest_detectable(n_before=24, n_after=12, sigma=1.0, phi=0.3), 2)
    1.35
    """
    if min(n_before, n_after) < 1:
        raise StatisticsError("both sides need points")
    factor = _factor(power, confidence) * _inflated(sigma, phi)
    return factor * math.sqrt(1.0 / n_before + 1.0 / n_after)


def periods_needed(
    *,
    effect: float,
    n_before: int,
    sigma: float,
    phi: float,
    most: int = 104,
    power: float = 0.8,
    confidence: float = 0.95,
) -> int | None:
    """Return how many points after the action show this effect, or None if no number does.

    effect: the smallest that must be seen, in units of sigma's; its sign does not matter
    n_before: >= 0, points between the signal and the action
    sigma, phi, power, confidence: as in `smallest_detectable`
    most: no check waits longer than so many points
    returns: at least `LEAST_AFTER`. None if n_before is below `LEAST_BEFORE`, if the effect is at
        most 2.80 sigma sqrt((1 + phi) / (n0 (1 - phi))), or if it takes more than `most`
    raises: StatisticsError if a parameter is out of range
    source: docs/methods/effect-check.md

    >>> periods_needed(effect=1.0, n_before=24, sigma=1.0, phi=0.0)
    12
    >>> periods_needed(effect=1.0, n_before=12, sigma=1.0, phi=0.25) is None
    True
    """
    if not math.isfinite(effect) or n_before < 0 or most < 1:
        raise StatisticsError("effect must be finite, n_before >= 0 and most >= 1")
    factor = _factor(power, confidence) * _inflated(sigma, phi)
    if n_before < LEAST_BEFORE or abs(effect) <= factor / math.sqrt(n_before):
        return None
    rest = min(abs(effect) / factor, MOST_FACTORS) ** 2 - 1.0 / n_before
    if rest * most < 1.0 - 1e-12:
        return None
    # Rounding must not ask for a point more.
    return max(LEAST_AFTER, math.ceil(1.0 / rest - 1e-9))


def balancing_worse(effect: Effect, *, better: int, margin: float) -> bool:
    """Return whether a balancing measure got worse by more than its margin.

    effect: of the balancing measure; without an interval it is not called worse: show its status
    better: +1 or -1; margin: what may be lost, >= 0
    returns: whether the interval excludes 0 on the bad side and the loss exceeds the margin
    raises: StatisticsError as `verdict`

    >>> e = mean_shift([9, 10, 11, 10, 9, 10, 11, 10], [7, 8, 7, 6, 7, 8, 7, 6])
    >>> balancing_worse(e, better=1, margin=2.0), balancing_worse(e, better=1, margin=3.5)
    (True, False)
    """
    _direction(better)
    _not_negative(margin, "margin")
    if effect.low is None or effect.high is None or effect.estimate is None:
        return False
    bad_side = effect.high < 0 if better > 0 else effect.low > 0
    return bad_side and -better * effect.estimate > margin


def _without_interval(old: FloatArray, new: FloatArray, confidence: float) -> Effect:
    sizes = _count(old), _count(new)
    return Effect(
        status=EffectStatus.TOO_DEPENDENT,
        estimate=float(np.nanmean(new) - np.nanmean(old)) if all(sizes) else None,
        low=None,
        high=None,
        n_before=sizes[0],
        n_after=sizes[1],
        phi=None,
        sigma=None,
        df=None,
        smallest_detectable=None,
        p=None,
        confidence=confidence,
    )


def _with_interval(bare: Effect, old: FloatArray, new: FloatArray) -> Effect:
    n0, n1 = bare.n_before, bare.n_after
    phi = _phi(old, new)
    told = (1.0 - phi) / (1.0 + phi)
    df = (n0 + n1) * told - 2.0
    if df < 1.0 or bare.estimate is None:
        return replace(bare, phi=phi)
    sigma = math.sqrt(told / df) * math.hypot(*_lengths(old, new))
    error = sigma * math.sqrt((1.0 / n0 + 1.0 / n1) / told)
    half = error * float(special.stdtrit(df, 0.5 + bare.confidence / 2.0))
    return replace(
        bare,
        status=EffectStatus.OK,
        low=bare.estimate - half,
        high=bare.estimate + half,
        phi=phi,
        sigma=sigma,
        df=df,
        smallest_detectable=smallest_detectable(
            n_before=n0, n_after=n1, sigma=sigma, phi=phi, confidence=bare.confidence
        ),
        p=min(1.0, 2.0 * float(special.stdtr(df, -abs(bare.estimate) / error))),
    )


def _phi(*residuals: FloatArray) -> float:
    """Return the corrected lag-1 autocorrelation, cut to 0..LARGEST_PHI."""
    n = sum(_count(part) for part in residuals)
    # Divided first, as the squares of small numbers vanish.
    length = math.hypot(*_lengths(*residuals))
    products = [part[1:] / length * (part[:-1] / length) for part in residuals]
    pairs = sum(_count(product) for product in products)
    # Where points are missing so are pairs: their mean then stands for the absent ones.
    whole = n - len(residuals)
    total = sum(float(np.nansum(product)) for product in products) * whole / max(pairs, 1)
    return min(max((n * total + 1.0) / (n - 4.0), 0.0), LARGEST_PHI)


def _lengths(*residuals: FloatArray) -> list[float]:
    """Return the roots of the sums of squares."""
    return [math.hypot(*part[~np.isnan(part)].tolist()) for part in residuals]


def _side(values: npt.ArrayLike, name: str) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name} must be numbers") from error
    if array.ndim != 1:
        raise StatisticsError(f"{name} must be a list of points")
    known = finite(np.where(np.isnan(array), 0.0, array), name)
    if (np.abs(known) > 1e100).any():
        raise StatisticsError(f"{name} has a value too large to be squared")
    return array


def _count(points: FloatArray) -> int:
    return int((~np.isnan(points)).sum())


def _residuals(points: FloatArray) -> FloatArray:
    known = ~np.isnan(points)
    rest: FloatArray = points - (np.nanmean(points) if known.any() else 0.0)
    return rest


def _constant(points: FloatArray) -> bool:
    """Whether the points differ by no more than rounding."""
    known = points[~np.isnan(points)]
    if not known.size:
        return True
    return bool(np.ptp(known) <= 1e-12 * np.abs(known).max())


def _factor(power: float, confidence: float) -> float:
    confidence_level(confidence)
    if not 1.0 - confidence < power < 1.0:
        raise StatisticsError("power must lie between 1 - confidence and 1")
    return round(float(special.ndtri(0.5 + confidence / 2.0) + special.ndtri(power)), 2)


def _inflated(sigma: float, phi: float) -> float:
    """Return the sigma of independent points that tell as much as these."""
    if not 0.0 < sigma < math.inf:
        raise StatisticsError("sigma must be positive and finite")
    if not 0.0 <= phi < 1.0:
        raise StatisticsError("phi must lie in [0, 1)")
    return sigma * math.sqrt((1.0 + phi) / (1.0 - phi))


def _direction(better: int) -> None:
    if better not in (1, -1):
        raise StatisticsError("better must be +1 or -1")


def _not_negative(value: float, name: str) -> None:
    if not 0.0 <= value < math.inf:
        raise StatisticsError(f"{name} must be finite and >= 0")
