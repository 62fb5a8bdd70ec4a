"""Exponential smoothing: the recursions of level, trend and season, for many numbers at once.

`forecast.py` chooses among them; here is only what a recursion gives. docs/methods/forecast.md
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import numpy as np

from sqcore.stats.arrays import FloatArray

DAMPED_STEPS = (0.8, 0.9)
LEVEL_STEPS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
TREND_STEPS = (0.02, 0.1, 0.2, 0.4)
SEASON_STEPS = (0.05, 0.2, 0.5)


class Method(StrEnum):
    """How the next periods are foretold."""

    NAIVE = "naive"
    """As the last one."""
    SEASONAL_NAIVE = "seasonal_naive"
    """As the same one a season ago."""
    MEAN = "mean"
    """As the mean of all."""
    SIMPLE = "simple"
    """A level that follows."""
    HOLT = "holt"
    """A level and a trend that follow."""
    DAMPED = "damped"
    """The same with a trend that peters out."""
    HOLT_WINTERS = "holt_winters"
    """A level, a trend and a season that follow, added up."""


_DAMPINGS: dict[Method, tuple[float, ...]] = {
    Method.DAMPED: DAMPED_STEPS,
    Method.HOLT_WINTERS: (*DAMPED_STEPS, 1.0),
}


@dataclass(frozen=True)
class Weights:
    """G sets of numbers, each of shape (G,): how fast level, trend and season follow, and by how
    much the trend lessens a period."""

    level: FloatArray
    trend: FloatArray
    season: FloatArray
    damping: FloatArray


@dataclass(frozen=True, eq=False)
class Path:
    """What G recursions knew after each of P periods.

    level, trend: (P, G); seasons: (P, G, season), by the place of a period in its season;
    error: (P, G), of the forecast one period ahead, 0 where there is no value
    """

    level: FloatArray
    trend: FloatArray
    seasons: FloatArray
    error: FloatArray


def weights_of(method: Method) -> Weights:
    """Return the numbers among which a method chooses.

    >>> weights_of(Method.SIMPLE).level.tolist()
    [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0]
    """
    has_trend = method in (Method.HOLT, Method.DAMPED, Method.HOLT_WINTERS)
    trends = TREND_STEPS if has_trend else (0.0,)
    seasons = SEASON_STEPS if method == Method.HOLT_WINTERS else (0.0,)
    dampings = _DAMPINGS.get(method, (1.0,))
    table = np.array(list(product(LEVEL_STEPS, trends, seasons, dampings)))
    return Weights(*table.T)


def smoothed(
    values: FloatArray,
    weights: Weights,
    *,
    level: float,
    trend: float = 0.0,
    seasons: FloatArray | None = None,
) -> Path:
    """Return what the recursions know after each period.

    values: shape (P,), NaN where there is none: then nothing is learnt and time goes on
    level, trend, seasons: before the first period; seasons: shape (season,), the effect of each
        place, the first period at place 0; None: no season
    source: Holt 1957 (reprinted 2004, International Journal of Forecasting 20(1):5-10); Winters
        1960, Management Science 6(3):324-342; damped: Gardner and McKenzie 1985, Management
        Science 31(10):1237-1246

    >>> weights = Weights(*(np.array([each]) for each in (0.5, 0.0, 0.0, 1.0)))
    >>> smoothed(np.array([10.0, 14.0]), weights, level=8.0).level[:, 0].tolist()
    [9.0, 11.5]
    """
    points, sets = len(values), len(weights.level)
    effects = np.zeros(1) if seasons is None else seasons
    now, slope = np.full(sets, level), np.full(sets, trend)
    season = np.tile(effects, (sets, 1))
    path = Path(
        np.empty((points, sets)),
        np.empty((points, sets)),
        np.empty((points, *season.shape)),
        np.zeros((points, sets)),
    )
    for at, value in enumerate(values):
        place = at % len(effects)
        carried = weights.damping * slope
        before = now
        now = before + carried
        if not np.isnan(value):
            error = value - now - season[:, place]
            path.error[at] = error
            now = now + weights.level * error
            slope = weights.trend * (now - before) + (1 - weights.trend) * carried
            if seasons is not None:
                new = value - before - carried
                season[:, place] += weights.season * (new - season[:, place])
        else:
            slope = carried
        path.level[at], path.trend[at], path.seasons[at] = now, slope, season
    return path


def ahead(path: Path, weights: Weights, at: int, which: int, horizon: int) -> FloatArray:
    """Return the forecasts of the next periods as set `which` knew them after period `at`.

    returns: shape (horizon,)

    >>> weights = Weights(*(np.array([each]) for each in (1.0, 1.0, 0.0, 0.5)))
    >>> path = smoothed(np.array([1.0, 2.0]), weights, level=0.0)
    >>> ahead(path, weights, 1, 0, 3).tolist()
    [2.5, 2.75, 2.875]
    """
    steps = np.arange(1, horizon + 1)
    damping = weights.damping[which]
    reach = np.cumsum(damping**steps)
    season = path.seasons[at, which]
    found: FloatArray = (
        path.level[at, which] + reach * path.trend[at, which] + season[(at + steps) % len(season)]
    )
    return found
