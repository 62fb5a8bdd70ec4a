"""What the next periods will probably be, tried out on the past before it is believed.

Every method forecasts from every point of the second half of the series what came next; the one
that errs least is taken, and its errors there are the width of the interval.
docs/methods/forecast.md
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray, IntArray, confidence_level
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.seasonality import series_of
from sqcore.stats.smoothing import Method, Path, Weights, ahead, smoothed, weights_of

VERSION = 1
"""Of the method as a whole, to be kept beside what it said."""
LEAST = 3
LEAST_TESTED = 6
"""Fewer values leave nothing to try a method on: their mean is all that can be said."""
LEAST_TESTS = 4
BETTER = 0.95
"""A less simple method must err by so much less than a simpler one."""
LONGEST = 1_000
MOST_AHEAD = 60

ORDER = (
    Method.NAIVE,
    Method.MEAN,
    Method.SIMPLE,
    Method.SEASONAL_NAIVE,
    Method.DAMPED,
    Method.HOLT,
    Method.HOLT_WINTERS,
)
"""The simpler first."""


@dataclass(frozen=True)
class ForecastPoint:
    """A period to come: `at` is its index if the series went on."""

    at: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """The next periods, by which method, and how well that did on the past.

    points: () without status ok; confidence: of their intervals
    error: mean absolute error over the tests, None without tests; naive_error: of "as the last
        one" on the same tests; tests: forecasts one period ahead that were tried
    coverage: the share of those tests that fell into the interval their own past gave
    """

    method: Method | None
    points: tuple[ForecastPoint, ...]
    error: float | None
    naive_error: float | None
    tests: int
    coverage: Figure
    confidence: float
    n: int
    status: MethodStatus = MethodStatus.OK
    version: int = VERSION


def forecast(
    values: npt.ArrayLike,
    *,
    season: int | None = None,
    horizon: int = 3,
    confidence: float = 0.8,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Forecast:
    """Return what the next periods will probably be.

    values: shape (P,), in the order of time, NaN where there is none; P <= 1,000
    season: periods of a full turn; None: there is none. Methods with a season need two full turns
        and 4 values more to be tried on
    horizon: periods ahead of the newest value, 1 to 60
    confidence: of the intervals
    bounds: what a value can be; forecasts are cut to it
    returns: Forecast. Fewer than 3 values: too_short; all alike: zero_variance; 3 to 5: their mean,
        untried
    raises: StatisticsError if values have another shape, are too many or not finite, or another
        argument is out of range
    assumes: what happened will go on as it did: no promise of what somebody plans to change
    source: methods as in `smoothing.py`; rolling origin: Tashman 2000, International Journal of
        Forecasting 16(4):437-450; Hyndman and Athanasopoulos 2018, Forecasting, chapters 3 and 7

    >>> found = forecast([50, 52, 51, 54, 55, 57, 56, 59, 60, 62, 61, 64], horizon=2)
    >>> found.method.value, [round(each.value, 1) for each in found.points]
    ('holt', [64.9, 66.2])
    >>> forecast([1, 2]).status.value
    'too_short'
    """
    _check(season, horizon, confidence, bounds)
    x = series_of(values)
    if x.size > LONGEST:
        raise StatisticsError(f"a series has at most {LONGEST} points")
    there = np.flatnonzero(~np.isnan(x))
    n = len(there)
    if n < LEAST:
        return _none(MethodStatus.TOO_SHORT, n, confidence)
    first, last = int(there[0]), int(there[-1])
    own = x[first : last + 1]
    middle, size = float(np.median(x[there])), float(np.ptp(x[there]))
    if size <= 1e-13 * float(np.abs(x[there]).max()):
        return _none(MethodStatus.ZERO_VARIANCE, n, confidence)
    scaled = (own - middle) / size
    if n < LEAST_TESTED:
        found = _untested(scaled, horizon, confidence)
    else:
        found = _tested(scaled, season, horizon, confidence)
    return _in_units(found, last + 1, middle, size, bounds)


@dataclass(frozen=True)
class Crossing:
    """When a forecast passes a line: periods ahead, from 1; None: not in what was forecast.

    possible: from then on the interval reaches beyond the line; expected: the forecast itself does;
    certain: the whole interval does
    """

    possible: int | None
    expected: int | None
    certain: int | None


def crosses(found: Forecast, limit: float, *, below: bool) -> Crossing:
    """Return when a forecast passes a floor (`below`) or a ceiling.

    limit: in units of the values, finite
    raises: StatisticsError if the limit is not finite

    >>> points = (ForecastPoint(9, 63, 61, 65), ForecastPoint(10, 61, 58, 64))
    >>> whole = forecast([60, 61, 62, 60, 61, 62, 63, 62])
    >>> from dataclasses import replace
    >>> crosses(replace(whole, points=points), 60, below=True)
    Crossing(possible=2, expected=None, certain=None)
    """
    if not np.isfinite(limit):
        raise StatisticsError("the line must be finite")

    near = [point.low if below else point.high for point in found.points]
    far = [point.high if below else point.low for point in found.points]
    middle = [point.value for point in found.points]
    side = -1 if below else 1
    return Crossing(*(_first_beyond(each, limit, side) for each in (near, middle, far)))


def _first_beyond(numbers: Sequence[float], limit: float, side: int) -> int | None:
    return next((at for at, each in enumerate(numbers, 1) if (each - limit) * side > 0), None)


@dataclass(frozen=True, eq=False)
class _Trial:
    """What a method foretold from each origin, (origins, horizon), and from the end, (horizon,)."""

    method: Method
    foretold: FloatArray
    next: FloatArray


def _check(
    season: int | None, horizon: int, confidence: float, bounds: tuple[float, float]
) -> None:
    confidence_level(confidence)
    if season is not None and season < 2:
        raise StatisticsError("a season has at least 2 periods")
    if not 1 <= horizon <= MOST_AHEAD:
        raise StatisticsError(f"the horizon must lie between 1 and {MOST_AHEAD}")
    if not bounds[0] < bounds[1]:
        raise StatisticsError("the lower bound must be below the upper one")


def _none(status: MethodStatus, n: int, confidence: float) -> Forecast:
    return Forecast(None, (), None, None, 0, Figure.none(status, n=0), confidence, n, status)


def _untested(x: FloatArray, horizon: int, confidence: float) -> Forecast:
    """Return the mean with what a further value may differ from it by t."""
    here = x[~np.isnan(x)]
    n, mean = len(here), float(here.mean())
    width = float(np.std(here, ddof=1)) * np.sqrt(1 + 1 / n)
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * width
    points = tuple(ForecastPoint(at, mean, mean - half, mean + half) for at in range(horizon))
    nothing = Figure.none(MethodStatus.TOO_SHORT)
    return Forecast(Method.MEAN, points, None, None, 0, nothing, confidence, n)


def _tested(x: FloatArray, season: int | None, horizon: int, confidence: float) -> Forecast:
    has_season = season is not None and len(x) >= 2 * season + LEAST_TESTS
    turn = season if has_season and season is not None else None
    origins = _origins(x, turn)
    came = _came(x, origins, horizon)
    trials = [
        _trial(x, method, origins, horizon, turn)
        for method in ORDER
        if turn is not None or method not in (Method.SEASONAL_NAIVE, Method.HOLT_WINTERS)
    ]
    errors = [came - trial.foretold for trial in trials]
    means = [_mean_error(each) for each in errors]
    best = 0
    for at, mean in enumerate(means):
        if mean < BETTER * means[best]:
            best = at
    left, foretold = errors[best], trials[best].next
    widths = _widths(left, confidence)
    points = tuple(
        ForecastPoint(at, float(value), float(value - half), float(value + half))
        for at, (value, half) in enumerate(zip(foretold, widths, strict=True))
    )
    tests = int((~np.isnan(left[:, 0])).sum())
    n = int((~np.isnan(x)).sum())
    coverage = _coverage(left[:, 0], confidence)
    method = trials[best].method
    return Forecast(method, points, means[best], means[0], tests, coverage, confidence, n)


def _origins(x: FloatArray, season: int | None) -> IntArray:
    """Return the indices after which it is tried what comes next: of the second half."""
    known = np.cumsum(~np.isnan(x))
    enough = known >= max(LEAST, int(known[-1]) // 2)
    if season is not None:
        enough &= np.arange(len(x)) >= 2 * season - 1
    enough[-1] = False
    found: IntArray = np.flatnonzero(enough)
    return found


def _came(x: FloatArray, origins: IntArray, horizon: int) -> FloatArray:
    """Return what came after each origin, NaN where nothing did: (origins, horizon)."""
    longer = np.concatenate([x, np.full(horizon, np.nan)])
    came: FloatArray = longer[origins[:, None] + np.arange(1, horizon + 1)]
    return came


def _trial(
    x: FloatArray, method: Method, origins: IntArray, horizon: int, season: int | None
) -> _Trial:
    ends: IntArray = np.append(origins, len(x) - 1)
    foretold = _SIMPLE[method](x, ends, horizon, season) if method in _SIMPLE else None
    if foretold is None:
        foretold = _smooth(x, method, ends, horizon, season)
    return _Trial(method, foretold[:-1], foretold[-1])


def _naive(x: FloatArray, ends: IntArray, horizon: int, season: int | None) -> FloatArray:
    filled = _filled(x)
    return np.repeat(filled[ends][:, None], horizon, axis=1)


def _mean(x: FloatArray, ends: IntArray, horizon: int, season: int | None) -> FloatArray:
    known = np.cumsum(~np.isnan(x))
    sums = np.cumsum(np.nan_to_num(x))
    return np.repeat((sums[ends] / known[ends])[:, None], horizon, axis=1)


def _as_a_season_ago(x: FloatArray, ends: IntArray, horizon: int, season: int | None) -> FloatArray:
    turn = season or 1
    filled = x.copy()
    for at in range(turn, len(x)):
        if np.isnan(filled[at]):
            filled[at] = filled[at - turn]
    filled = np.where(np.isnan(filled), np.nanmean(x[: 2 * turn]), filled)
    back = ends[:, None] - turn + 1 + (np.arange(horizon) % turn)
    found: FloatArray = filled[back]
    return found


_SIMPLE = {
    Method.NAIVE: _naive,
    Method.MEAN: _mean,
    Method.SEASONAL_NAIVE: _as_a_season_ago,
}


def _filled(x: FloatArray) -> FloatArray:
    """Return the values with each gap as the value before it; the first one is there."""
    last = np.maximum.accumulate(np.where(np.isnan(x), 0, np.arange(len(x))))
    filled: FloatArray = x[last]
    return filled


def _smooth(
    x: FloatArray, method: Method, ends: IntArray, horizon: int, season: int | None
) -> FloatArray:
    """Return the forecasts after each of these indices, by the numbers that did best until then."""
    weights = weights_of(method)
    path = _path(x, method, weights, season)
    until = np.cumsum(path.error**2, axis=0)
    which = np.argmin(until[ends], axis=1)
    return np.stack(
        [
            ahead(path, weights, int(at), int(one), horizon)
            for at, one in zip(ends, which, strict=True)
        ]
    )


def _path(x: FloatArray, method: Method, weights: Weights, season: int | None) -> Path:
    if method == Method.HOLT_WINTERS and season is not None:
        level, trend, effects = _first_turns(x, season)
        return smoothed(x, weights, level=level, trend=trend, seasons=effects)
    here = np.flatnonzero(~np.isnan(x))[:4]
    first = x[here]
    if method == Method.SIMPLE:
        return smoothed(x, weights, level=float(first[:LEAST].mean()))
    trend = float((first[2] - first[0]) / (here[2] - here[0]))
    return smoothed(x, weights, level=float(first[:3].mean()) - 2 * trend, trend=trend)


def _first_turns(x: FloatArray, season: int) -> tuple[float, float, FloatArray]:
    """Return level and trend before the first period and the effects, from two full turns."""
    turns = x[: 2 * season].reshape(2, season)
    if np.isnan(turns).all(axis=1).any():
        turns = np.where(np.isnan(turns), np.nanmean(x[: 2 * season]), turns)
    means = np.nanmean(turns, axis=1)
    trend = float(means[1] - means[0]) / season
    time = np.arange(season) - (season - 1) / 2
    rest = turns - means[:, None] - trend * time
    known = ~np.isnan(rest)
    effects = np.where(known, rest, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    level = float(means[0]) - trend * (season + 1) / 2
    return level, trend, np.asarray(effects - effects.mean())


def _mean_error(errors: FloatArray) -> float:
    """Return the mean absolute error, each number of periods ahead counted alike."""
    known = ~np.isnan(errors)
    tests = known.sum(axis=0)
    each = np.abs(np.where(known, errors, 0.0)).sum(axis=0) / np.maximum(tests, 1)
    counted = tests >= min(2, int(tests.max()))
    return float(each[counted].mean())


def _widths(errors: FloatArray, confidence: float) -> FloatArray:
    """Return half the interval of each number of periods ahead: never narrower than before."""
    horizon = errors.shape[1]
    widths = np.zeros(horizon)
    widest, wide_at = 0.0, 1
    for at in range(horizon):
        seen = errors[~np.isnan(errors[:, at]), at]
        if at == 0 or len(seen) >= LEAST_TESTS:
            spread = float(np.sqrt(np.mean(seen**2)))
            # Errors of forecasts that overlap are not independent: they are worth fewer.
            df = max(len(seen) / (1 + at / 2), 2.0)
            half = float(special.stdtrit(df, 0.5 + confidence / 2)) * spread
            widest, wide_at = max(widest, half), at + 1
            widths[at] = widest
        else:
            widths[at] = widest * np.sqrt((at + 1) / wide_at)
    return np.maximum.accumulate(widths)


def _coverage(errors: FloatArray, confidence: float) -> Figure:
    """Return how often the next value fell into the interval that the errors before it gave."""
    seen = errors[~np.isnan(errors)]
    inside = 0
    judged = 0
    for at in range(LEAST, len(seen)):
        half = _widths(seen[:at, None], confidence)[0]
        inside += bool(abs(seen[at]) <= half)
        judged += 1
    if not judged:
        return Figure.none(MethodStatus.TOO_SHORT)
    ends = wilson(inside, judged)
    return Figure(inside / judged, float(ends.low), float(ends.high), judged)


def _in_units(
    found: Forecast, start: int, middle: float, size: float, bounds: tuple[float, float]
) -> Forecast:
    def back(number: float) -> float:
        return float(np.clip(middle + size * number, *bounds))

    points: Sequence[ForecastPoint] = [
        ForecastPoint(start + each.at, back(each.value), back(each.low), back(each.high))
        for each in found.points
    ]
    errors = [None if each is None else each * size for each in (found.error, found.naive_error)]
    return Forecast(
        found.method,
        tuple(points),
        errors[0],
        errors[1],
        found.tests,
        found.coverage,
        found.confidence,
        found.n,
    )
