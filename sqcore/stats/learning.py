"""The effect of a training: what was learnt, and whether results moved because of it."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    LARGEST,
    FloatArray,
    confidence_level,
    finite,
    numbers,
    shaped,
    squarable,
    together,
)
from sqcore.stats.errors import StatisticsError

POWER = 0.8


@dataclass(frozen=True)
class PairedGain:
    """How much more the same people reach after than before.

    n: people; before, after: means; gain: after minus before; low, high: its interval
    t, p: of no gain, two-sided; dz: gain in standard deviations of the gains; g: dz without its
        bias for few people. All of these are None if everybody gained the same
    hake: which part of what was still to be learnt was learnt; None if the most that can be
        reached is unknown or everybody had it before
    """

    n: int
    before: float
    after: float
    gain: float
    low: float | None
    high: float | None
    t: float | None
    p: float | None
    dz: float | None
    g: float | None
    hake: float | None


def paired_gain(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    most: float | None = None,
    level: float = 0.95,
) -> PairedGain:
    """Return the gain of people who were tested twice.

    before, after: shape (n,), n >= 2, the same people in the same order
    most: the most points that can be reached, if that is known
    level: of the interval, in (0, 1)
    returns: PairedGain; the t interval of the differences, df = n - 1
    raises: StatisticsError if shapes differ, there are fewer than 2 people, a number is not
        finite or lies above `most`
    assumes: independent people. It says that they know more, not that the course is why: a
        second test is easier, and who scored low by chance scores better
    source: Student 1908 (sleep data); Hake 1998, doi:10.1119/1.18809; Hedges 1981,
        doi:10.3102/10769986006002107

    >>> gain = paired_gain([30, 40, 50], [60, 75, 75], most=100)
    >>> gain.gain, round(gain.low, 1), round(gain.high, 1), gain.hake
    (30.0, 17.6, 42.4, 0.5)
    """
    first, second = finite(before, "before"), finite(after, "after")
    if first.ndim != 1:
        raise StatisticsError("before must be a list")
    shaped(second, first.shape, "after")
    confidence_level(level)
    n = first.size
    if n < 2:
        raise StatisticsError("a gain needs at least 2 people")
    if most is not None and (first.max() > most or second.max() > most):
        raise StatisticsError("nobody can have more than the most points")
    mean = _Mean.of(squarable(second, "after") - squarable(first, "before"), None)
    t = mean.value / mean.se if mean.se > 0 else None
    half = mean.half(level)
    dz = t / math.sqrt(n) if t is not None else None
    start, end = float(first.mean()), float(second.mean())
    return PairedGain(
        n=n,
        before=start,
        after=end,
        gain=mean.value,
        low=None if half is None else mean.value - half,
        high=None if half is None else mean.value + half,
        t=t,
        p=_two_sided(t, n - 1.0),
        dz=dz,
        g=None if dz is None else dz * small_sample(n - 1.0),
        hake=(end - start) / (most - start) if most is not None and start < most else None,
    )


def small_sample(df: float) -> float:
    """Return what a standardised difference is multiplied by, as it is too large for few people.

    df: degrees of freedom of its standard deviation, >= 1
    returns: J, in [0, 1), exact; about 1 - 3 / (4 df - 1). 0 for a df of 1: two people say
        nothing of the spread
    raises: StatisticsError if df is below 1
    source: Hedges 1981, doi:10.3102/10769986006002107

    >>> round(small_sample(98), 4)
    0.9923
    """
    if not 1.0 <= df < math.inf:
        raise StatisticsError("df must be at least 1")
    if df == 1.0:
        return 0.0
    return math.exp(math.lgamma(df / 2.0) - math.lgamma((df - 1.0) / 2.0)) / math.sqrt(df / 2.0)


@dataclass(frozen=True)
class StandardisedDifference:
    """A difference of two groups in standard deviations; g is d without its bias."""

    d: float
    d_variance: float
    g: float
    g_variance: float


def standardised_difference(
    means: tuple[float, float], sds: tuple[float, float], ns: tuple[int, int]
) -> StandardisedDifference:
    """Return how far two independent groups lie apart, in standard deviations.

    means, sds, ns: of the first and the other group; sds >= 0, not both 0; ns >= 2
    returns: StandardisedDifference, first minus other, with the pooled standard deviation
    raises: StatisticsError if a number is out of range
    source: Borenstein et al. 2009, Introduction to Meta-Analysis, chapter 4

    >>> found = standardised_difference((103, 100), (5.5, 4.5), (50, 50))
    >>> round(found.d, 4), round(found.g, 4)
    (0.597, 0.5924)
    """
    if len(means) != 2 or len(sds) != 2 or len(ns) != 2:
        raise StatisticsError("there must be two groups")
    (n1, n2), (s1, s2) = ns, sds
    known = all(abs(each) <= LARGEST for each in (*means, s1, s2))
    if min(n1, n2) < 2 or min(s1, s2) < 0 or not known:
        raise StatisticsError("means must be finite, sds not negative and groups of at least 2")
    df = n1 + n2 - 2
    pooled = math.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / df)
    if pooled == 0:
        raise StatisticsError("one of the groups must vary")
    d = (means[0] - means[1]) / pooled
    if not abs(d) <= LARGEST:
        raise StatisticsError("the groups lie too far apart to be told in standard deviations")
    variance = (n1 + n2) / (n1 * n2) + d * d / (2.0 * (n1 + n2))
    factor = small_sample(df)
    return StandardisedDifference(d, variance, factor * d, factor**2 * variance)


class Trend(NamedTuple):
    """How much faster the trained moved than the controls before the training, per window."""

    effect: float
    low: float
    high: float


@dataclass(frozen=True)
class Differences:
    """How much more the trained moved than the controls.

    trained, controls: people; ..._before, ..._after: their means
    effect: (trained after - before) - (controls after - before); low, high: its interval;
        se, df: of the effect; smallest_detectable: what would be seen with 80 % power.
        low, high, df and smallest_detectable are None where nobody's change differs
    pre_trend: see `Trend`; None if it was not asked for or cannot be known
    naive_t, naive_p: what comparing the trained with themselves would have said; None where
        all of them moved the same
    """

    trained: int
    controls: int
    trained_before: float
    trained_after: float
    controls_before: float
    controls_after: float
    effect: float
    low: float | None
    high: float | None
    se: float
    df: float | None
    smallest_detectable: float | None
    pre_trend: Trend | None = None
    naive_t: float | None = None
    naive_p: float | None = None


@dataclass(frozen=True)
class Change:
    """Of one group: people, mean before, mean after, and the standard error of their difference."""

    n: int
    before: float
    after: float
    se: float


def difference_from_changes(
    trained: Change, controls: Change, *, level: float = 0.95
) -> Differences:
    """Return the difference in differences from what is published of two groups.

    trained, controls: at least 2 people each, se >= 0
    level: of the interval, in (0, 1)
    returns: Differences without pre-trend; Welch's degrees of freedom
    raises: StatisticsError if a number is out of range
    assumes: as `difference_in_differences`
    source: Card, Krueger 1994, American Economic Review 84:772-793, table 3

    >>> jersey, pennsylvania = Change(309, 20.44, 21.03, 0.54), Change(75, 23.33, 21.17, 1.25)
    >>> found = difference_from_changes(jersey, pennsylvania)
    >>> round(found.effect, 2), round(found.se, 2)
    (2.75, 1.36)
    """
    for side in (trained, controls):
        if side.n < 2:
            raise StatisticsError("each side needs at least 2 people")
        if not 0.0 <= side.se < math.inf or not math.isfinite(side.before + side.after):
            raise StatisticsError("means must be finite and standard errors not negative")
    changes = (
        _Mean(side.after - side.before, side.se, side.n - 1.0) for side in (trained, controls)
    )
    return _differences(trained, controls, *changes, level=level)


def _differences(
    trained: Change,
    controls: Change,
    trained_change: "_Mean",
    controls_change: "_Mean",
    *,
    level: float,
) -> Differences:
    effect = trained_change.minus(controls_change)
    half = effect.half(level)
    return Differences(
        trained=trained.n,
        controls=controls.n,
        trained_before=trained.before,
        trained_after=trained.after,
        controls_before=controls.before,
        controls_after=controls.after,
        effect=effect.value,
        low=None if half is None else effect.value - half,
        high=None if half is None else effect.value + half,
        se=effect.se,
        df=None if half is None else effect.df,
        smallest_detectable=None if half is None else half + effect.se * _quantile(POWER, effect),
    )


def difference_in_differences(
    trained_before: npt.ArrayLike,
    trained_after: npt.ArrayLike,
    controls_before: npt.ArrayLike,
    controls_after: npt.ArrayLike,
    *,
    trained_weights: npt.ArrayLike | None = None,
    controls_weights: npt.ArrayLike | None = None,
    selected: npt.ArrayLike | None = None,
    pre_windows: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    level: float = 0.95,
) -> Differences:
    """Return how much more the trained moved than comparable people who were not trained.

    trained_before, trained_after: shape (T,), T >= 2, the mean of each person in the baseline
        window and after the training; controls_before, controls_after: shape (C,), C >= 2
    trained_weights, controls_weights: shape (T,), (C,), > 0, how much each person counts; None:
        all the same. A person is one unit however many answers there are
    selected: shape (T,), the means by which the trained were picked: what the naive comparison
        would start from; None: trained_before
    pre_windows: the trained (T, k) and the controls (C, k) in k >= 2 windows of equal length
        before the training, in order of time; NaN where a person has no value
    level: of the intervals, in (0, 1)
    returns: Differences; a t interval with Welch's degrees of freedom
    raises: StatisticsError if shapes differ, a side has fewer than 2 people or a number is out
        of range
    assumes: without the training both would have moved alike. Therefore the controls come from
        the same selected pool, by lot or from the waiting list, and the selection window is no
        part of the baseline window: who is picked for a bad spell gets better by himself
    source: docs/methods/effect-of-training.md; Daw, Hatfield 2018,
        doi:10.1111/1475-6773.12993; Bertrand, Duflo, Mullainathan 2004,
        doi:10.1162/003355304772839588 (one change a person)

    >>> found = difference_in_differences([3.8, 4.0, 3.9], [4.3, 4.2, 4.4], [3.9, 4.0], [4.0, 4.0])
    >>> round(found.effect, 2), round(found.low, 2), round(found.high, 2)
    (0.35, -0.02, 0.72)
    """
    trained = _Side.of(trained_before, trained_after, trained_weights, "trained")
    controls = _Side.of(controls_before, controls_after, controls_weights, "controls")
    naive = trained.moved
    if selected is not None:
        start = finite(selected, "selected")
        shaped(start, trained.after.shape, "selected")
        naive = _Mean.of(trained.after - squarable(start, "selected"), trained.weights)
    t = naive.value / naive.se if naive.se > 0 else None
    return replace(
        _differences(trained.change, controls.change, trained.moved, controls.moved, level=level),
        pre_trend=_pre_trend(pre_windows, trained, controls, level) if pre_windows else None,
        naive_t=t,
        naive_p=_two_sided(t, naive.df),
    )


class Verdict(StrEnum):
    """What a course is called. "Not yet known" is an answer."""

    EFFECTIVE = "effective"
    NOT_EFFECTIVE = "not_effective"
    HARMFUL = "harmful"
    NOT_YET_KNOWN = "not_yet_known"


def verdict(
    effect: float, low: float | None, high: float | None, *, minimum: float, better: int = 1
) -> Verdict:
    """Return what an effect with its interval says of the course.

    effect, low, high: of `difference_in_differences`; low and high None: there is no interval
    minimum: the smallest gain that makes the course worth it, registered before, >= 0
    better: +1 if more is better, -1 if less is
    returns: harmful: the interval lies on the wrong side of 0; effective: on the right one, and
        the effect reaches the minimum; not effective: the minimum lies outside, on the far side;
        else not yet known
    raises: StatisticsError if a parameter is out of range or low, effect and high are not in order
    source: docs/methods/effect-of-training.md

    >>> verdict(0.2, -0.19, 0.59, minimum=0.25), verdict(0.5, 0.2, 0.8, minimum=0.25)
    (<Verdict.NOT_YET_KNOWN: 'not_yet_known'>, <Verdict.EFFECTIVE: 'effective'>)
    """
    if better not in (1, -1) or not 0.0 <= minimum < math.inf:
        raise StatisticsError("better must be +1 or -1, and the minimum finite and >= 0")
    if low is None or high is None:
        return Verdict.NOT_YET_KNOWN
    if not -math.inf < low <= effect <= high < math.inf:
        raise StatisticsError("the effect must lie in its interval")
    least, most = sorted((better * low, better * high))
    if most < 0:
        return Verdict.HARMFUL
    if least > 0 and better * effect >= minimum:
        return Verdict.EFFECTIVE
    return Verdict.NOT_EFFECTIVE if most < minimum else Verdict.NOT_YET_KNOWN


def regression_to_the_mean(
    observed: npt.ArrayLike, mean: npt.ArrayLike, reliability: npt.ArrayLike
) -> FloatArray:
    """Return what people gain without any training, because they were picked for what they had.

    observed: means by which they were picked; mean: of all of whom they were picked
    reliability: of such means, in [0, 1]; shapes that broadcast
    returns: (1 - reliability) (mean - observed)
    raises: StatisticsError if a number is out of range
    assumes: nothing changes but chance; people and means normal
    source: Barnett, van der Pols, Dobson 2005, doi:10.1093/ije/dyh299

    >>> float(regression_to_the_mean(3.6, 4.1, 0.5).round(2))
    0.25
    """
    found, all_of_them, known = together(
        "observed, mean and reliability",
        squarable(finite(observed, "observed"), "observed"),
        squarable(finite(mean, "mean"), "mean"),
        finite(reliability, "reliability"),
    )
    if ((known < 0) | (known > 1)).any():
        raise StatisticsError("reliability must lie in [0, 1]")
    gain: FloatArray = np.asarray((1.0 - known) * (all_of_them - found))
    return gain


class _Mean(NamedTuple):
    """A mean of people with its standard error and degrees of freedom."""

    value: float
    se: float
    df: float

    @classmethod
    def of(cls, values: FloatArray, weights: FloatArray | None) -> "_Mean":
        part = np.full(values.size, 1.0 / values.size) if weights is None else weights
        squarable(values, "values")
        value = float(values.mean() if weights is None else part @ values)
        squares = float((part * part).sum())
        if 1.0 - squares <= 1e-12:
            raise StatisticsError("one person outweighs all the others")
        rest = values - value
        # Rounding is no variance.
        rest[np.abs(rest) <= 1e-12 * np.abs(values).max()] = 0.0
        return cls(
            value,
            math.sqrt(float(((part * rest) ** 2).sum()) / (1.0 - squares)),
            1.0 / squares - 1.0,
        )

    def minus(self, other: "_Mean") -> "_Mean":
        se = math.hypot(self.se, other.se)
        if se == 0:
            return _Mean(self.value - other.value, 0.0, self.df + other.df)
        parts = (self.se / se) ** 4 / self.df + (other.se / se) ** 4 / other.df
        return _Mean(self.value - other.value, se, 1.0 / parts)

    def half(self, level: float) -> float | None:
        """Half of the interval; None where nothing varies."""
        return self.se * _quantile(0.5 + confidence_level(level) / 2.0, self) if self.se else None


def _quantile(share: float, mean: _Mean) -> float:
    return float(special.stdtrit(mean.df, share))


def _two_sided(t: float | None, df: float) -> float | None:
    return None if t is None else min(1.0, 2.0 * float(special.stdtr(df, -abs(t))))


class _Side(NamedTuple):
    before: FloatArray
    after: FloatArray
    weights: FloatArray | None
    moved: _Mean

    @classmethod
    def of(
        cls,
        before: npt.ArrayLike,
        after: npt.ArrayLike,
        weights: npt.ArrayLike | None,
        name: str,
    ) -> "_Side":
        first, second = finite(before, f"{name} before"), finite(after, f"{name} after")
        if first.ndim != 1 or first.size < 2:
            raise StatisticsError(f"the {name} must be a list of at least 2 people")
        shaped(second, first.shape, f"{name} after")
        squarable(first, f"{name} before"), squarable(second, f"{name} after")
        part = None
        if weights is not None:
            part = finite(weights, f"{name} weights")
            shaped(part, first.shape, f"{name} weights")
            if (part <= 0).any():
                raise StatisticsError(f"{name} weights must be positive")
            part = part / part.sum()
        return cls(first, second, part, _Mean.of(second - first, part))

    @property
    def change(self) -> Change:
        start, end = (
            float(np.average(values, weights=self.weights)) for values in (self.before, self.after)
        )
        return Change(self.before.size, start, end, self.moved.se)


def _pre_trend(
    windows: tuple[npt.ArrayLike, npt.ArrayLike],
    trained: _Side,
    controls: _Side,
    level: float,
) -> Trend | None:
    """Return the difference of the mean slopes; None if a side has fewer than 2 of them."""
    sides = [
        _slopes(values, side.before.size)
        for values, side in zip(windows, (trained, controls), strict=True)
    ]
    if min(side.size for side in sides) < 2:
        return None
    found = _Mean.of(sides[0], None).minus(_Mean.of(sides[1], None))
    half = found.half(level)
    if half is None:
        return None
    return Trend(found.value, found.value - half, found.value + half)


def _slopes(values: npt.ArrayLike, people: int) -> FloatArray:
    """Return the least-squares slope per window of everybody with two windows or more."""
    table = numbers(values, "the windows before")
    if table.ndim != 2 or table.shape[0] != people or table.shape[1] < 2:
        raise StatisticsError("the windows before must be a table of people by at least 2 windows")
    known = ~np.isnan(table)
    filled = finite(np.where(known, table, 0.0), "the windows before")
    n = known.sum(axis=1)
    some = n >= 2
    known, filled, n = known[some], squarable(filled[some], "the windows before"), n[some]
    at = np.arange(table.shape[1]) * known
    time = (at - (at.sum(axis=1) / n)[:, None]) * known
    slopes: FloatArray = (time * filled).sum(axis=1) / (time * time).sum(axis=1)
    return slopes
