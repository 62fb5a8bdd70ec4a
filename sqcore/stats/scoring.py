"""From values to points: between goalposts, or along straight lines through given points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import LARGEST, BoolArray, FloatArray, finite, numbers, together
from sqcore.stats.errors import StatisticsError

SCORES = (0.0, 100.0)
LIMIT = 60.0
"""The points at the limit of a target."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Points as straight lines through knots, level before the first and behind the last.

    values: (K,), K >= 2, rising; points: (K,), 0..100
    """

    values: FloatArray
    points: FloatArray

    def __post_init__(self) -> None:
        finite(self.values, "values of knots")
        shape = np.shape(self.values)
        if np.shape(finite(self.points, "points of knots")) != shape or len(shape) != 1:
            raise StatisticsError("each knot must have one value and one number of points")
        if shape[0] < 2:
            raise StatisticsError("there must be at least two knots")
        if (np.diff(self.values) <= 0).any():
            raise StatisticsError("the values of knots must rise")
        if (np.asarray(self.points) < SCORES[0]).any() or (np.asarray(self.points) > 100).any():
            raise StatisticsError("points must lie in 0..100")

    def at(self, value: npt.ArrayLike) -> FloatArray:
        """Return the points of values of any shape; NaN stays NaN.

        >>> nominal(8.0, 4.0).at([6.0, 8.0, 13.0]).tolist()
        [50.0, 100.0, 0.0]
        """
        x = numbers(value, "value")
        return np.asarray(np.interp(x, self.values, self.points), dtype=np.float64)

    def between(self, low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the least and the most points of all values from low to high, NaN for NaN.

        >>> nominal(8.0, 4.0).between([7.0], [10.0])
        (array([50.]), array([100.]))
        """
        first, last = together("low and high", numbers(low, "low"), numbers(high, "high"))
        ends = np.stack([self.at(first), self.at(last)])
        least, most = ends.min(axis=0), ends.max(axis=0)
        for value, points in zip(self.values.tolist(), self.points.tolist(), strict=True):
            inside = (first < value) & (value < last)
            least = np.where(inside, np.minimum(least, points), least)
            most = np.where(inside, np.maximum(most, points), most)
        return least, most

    def floored(self, floor: float) -> "Curve":
        """Return the curve that is nowhere below `floor`, with a knot wherever it meets it."""
        values, points = [float(self.values[0])], [float(self.points[0])]
        for x, y in zip(self.values[1:].tolist(), self.points[1:].tolist(), strict=True):
            if (points[-1] - floor) * (y - floor) < 0:
                part = (floor - points[-1]) / (y - points[-1])
                between = values[-1] + part * (x - values[-1])
                if values[-1] < between < x:
                    values.append(between)
                    points.append(floor)
            values.append(x)
            points.append(y)
        return Curve(np.array(values), np.maximum(points, floor))


def nominal(target: float, tolerance: float, dead_band: float = 0.0) -> Curve:
    """Return the curve of what is best in the middle: 100 max(0, 1 - |x - target| / tolerance).

    tolerance: > 0, so far from the target on either side there are 0 points
    dead_band: 0 <= dead_band < tolerance, so far on either side there are still 100; from there
        points fall evenly
    raises: StatisticsError for anything else, or a tolerance that vanishes beside the target
    source: Taguchi's nominal-the-best, as the straight line of OECD/JRC 2008, step 5

    >>> nominal(22.0, 4.0, dead_band=1.0).at([22.8, 24.5, 26.0]).tolist()
    [100.0, 50.0, 0.0]
    """
    centre, reach, band = finite([target, tolerance, dead_band], "target and tolerance").tolist()
    if reach <= 0 or not 0 <= band < reach:
        raise StatisticsError(
            "the tolerance must be positive, the dead band smaller and not below 0"
        )
    middle = [centre - band, centre + band] if band else [centre]
    values = np.array([centre - reach, *middle, centre + reach])
    return Curve(values, np.array([0.0, *(100.0 for _each in middle), 0.0]))


def aimed(target: float, limit: float) -> Curve:
    """Return the curve with 100 points at a target and 60 at a limit, straight on and cut.

    target, limit: differ; the limit lies on the bad side
    raises: StatisticsError if they are equal

    >>> aimed(5.0, 9.0).at([5.0, 9.0, 15.0, 3.0]).tolist()
    [100.0, 60.0, 0.0, 100.0]
    """
    ends = sorted([(nothing_at(target, limit), 0.0), (float(target), 100.0)])
    return through(ends)


def nothing_at(target: float, limit: float) -> float:
    """Return the value of 0 points on the line of `aimed`.

    >>> nothing_at(5.0, 9.0)
    15.0
    """
    good, bad = finite([target, limit], "target and limit").tolist()
    if good == bad:
        raise StatisticsError("target and limit must differ")
    return float(good + (bad - good) * 100.0 / (100.0 - LIMIT))


def through(knots: Sequence[tuple[float, float]]) -> Curve:
    """Return the curve through (value, points), in rising order of values.

    raises: StatisticsError for fewer than two, values that do not rise, points outside 0..100

    >>> through([(0, 100), (5, 90), (15, 0)]).at([2.5, 10.0, 20.0]).tolist()
    [95.0, 45.0, 0.0]
    """
    pairs = finite([list(knot) for knot in knots] or np.zeros((0, 2)), "knots")
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise StatisticsError("each knot must have one value and one number of points")
    return Curve(pairs[:, 0].copy(), pairs[:, 1].copy())


@dataclass(frozen=True, eq=False)
class Goalposts:
    """The fixed ends of M indicators: worst (M,) scores 0, best (M,) scores 100.

    Where lower is better, worst is the larger number. `curves`: by position, the indicators that
    do not score evenly between their ends; of these the ends count for nothing.
    """

    worst: FloatArray
    best: FloatArray
    curves: Mapping[int, Curve] = field(default_factory=dict)

    def __post_init__(self) -> None:
        finite(self.worst, "worst")
        shape = np.shape(self.worst)
        if np.shape(finite(self.best, "best")) != shape or len(shape) != 1:
            raise StatisticsError("worst and best must have shape (indicators,)")
        if (np.asarray(self.worst) == np.asarray(self.best)).any():
            raise StatisticsError("worst and best must differ")
        if any(not 0 <= at < shape[0] for at in self.curves):
            raise StatisticsError("a curve must belong to one of the indicators")

    def curve(self, at: int) -> Curve:
        """Return how one indicator scores as a curve, evenly between its ends or not."""
        if at in self.curves:
            return self.curves[at]
        ends = sorted([(float(self.worst[at]), 0.0), (float(self.best[at]), 100.0)])
        return through(ends)


@dataclass(frozen=True, eq=False)
class GoalpostScores:
    """score 0..100, NaN where there is no value; slope, score points per unit of the value,
    0 where clipped; clipped, whether the value lies beyond a goalpost. All shape (C, M).
    """

    score: FloatArray
    slope: FloatArray
    clipped: BoolArray


def goalpost_scores(value: npt.ArrayLike, goalposts: Goalposts) -> GoalpostScores:
    """Return where values lie between their goalposts, 0 (worst) to 100 (best), or on their curve.

    value: shape (..., M), NaN where there is none
    goalposts: M of them
    returns: GoalpostScores of the same shape; of a curve the slope is that of the line the value
        lies on, at a knot of the line behind it
    raises: StatisticsError if the last axis is not M or a value is infinite; a value far beyond
        its goalposts, as the end of an interval on next to no degrees of freedom, is at the end
    assumes: goalposts fixed beforehand, so that periods and units compare
    source: OECD/JRC 2008, Handbook on Constructing Composite Indicators, step 5 (min-max)

    >>> ends = Goalposts(np.array([1.0, 30.0]), np.array([7.0, 0.0]))
    >>> goalpost_scores([[5.5, 12.0]], ends).score.tolist()
    [[75.0, 60.0]]
    """
    x = np.clip(numbers(value, "value"), -LARGEST, LARGEST)
    if x.ndim == 0 or x.shape[-1] != goalposts.worst.size:
        raise StatisticsError(f"value must end in an axis of {goalposts.worst.size}")
    step = 100.0 / (goalposts.best - goalposts.worst)
    raw = (x - goalposts.worst) * step
    clipped: BoolArray = (raw < 0) | (raw > 100)
    score, slope = np.clip(raw, *SCORES), np.where(clipped, 0.0, step)
    for at, curve in goalposts.curves.items():
        mine = x[..., at]
        score[..., at] = curve.at(mine)
        slope[..., at] = _slopes(curve)[np.searchsorted(curve.values, mine, side="right")]
        clipped[..., at] = (mine < curve.values[0]) | (mine > curve.values[-1])
    return GoalpostScores(score, slope, clipped)


@dataclass(frozen=True, eq=False)
class Steepness:
    """How much a score moves with its value. slope: in points by unit, with its sign, or of the
    logarithm; bent: whether the score bends within the interval, so that no one slope holds."""

    slope: FloatArray
    bent: BoolArray


def steepness(
    curve: Curve, value: npt.ArrayLike, half: npt.ArrayLike, *, logarithm: bool = False
) -> Steepness:
    """Return the slope of a curve at values that are sure to plus and minus `half` each.

    value, half: shape (C,), half >= 0; value NaN where there is none
    logarithm: of the logarithm of the points; the curve must then be above 0
    returns: Steepness. Where a knot at which the line bends lies within the interval, the
        steepest slope of all lines that it touches: |s(x) - s(m)| <= slope |x - m| for every m in
        it. Elsewhere the slope of the line, 0 beyond the ends
    raises: StatisticsError if the points must be above 0 and are not

    >>> found = steepness(nominal(8.0, 4.0), [6.0, 8.5], [1.0, 1.0])
    >>> found.slope.tolist(), found.bent.tolist()
    ([25.0, -25.0], [False, True])
    """
    if logarithm and (curve.points <= 0).any():
        raise StatisticsError("a logarithm needs points above 0")
    x, reach = together("value and half", numbers(value, "value"), numbers(half, "half"))
    slopes = _slopes(curve)
    at = curve.at(x) if logarithm else np.ones(x.shape)
    found = slopes[np.searchsorted(curve.values, x, side="right")] / at
    bent = np.zeros(x.shape, dtype=np.bool_)
    for knot, value_of in enumerate(curve.values.tolist()):
        if slopes[knot] != slopes[knot + 1]:
            bent |= (x - reach < value_of) & (value_of < x + reach)
    for line, slope in enumerate(slopes[1:-1].tolist()):
        first = np.maximum(x - reach, curve.values[line])
        last = np.minimum(x + reach, curve.values[line + 1])
        least = np.minimum(curve.at(first), curve.at(last)) if logarithm else np.ones(x.shape)
        steeper = bent & (first < last) & (abs(slope) / least > np.abs(found))
        found = np.where(steeper, slope / least, found)
    return Steepness(found, bent)


def _slopes(curve: Curve) -> FloatArray:
    """The slope before the first knot, between knots, behind the last: (K + 1,)."""
    inner = np.diff(curve.points) / np.diff(curve.values)
    return np.concatenate([[0.0], inner, [0.0]])
