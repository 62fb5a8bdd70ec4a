"""Where a series is going: its memory and season, direction, likely changes and next periods.

It reads what a chart shows and opens nothing: no signal and no ticket comes of a forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sqcore.base.periods import Grain, Period
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.monitoring.charts import Reading, possible_values
from sqcore.stats.arrays import FloatArray
from sqcore.stats.changepoint import Change, Changes, change_points
from sqcore.stats.forecast import Crossing, Forecast, ForecastPoint, crosses, forecast
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.seasonality import Season, autocorrelation, season_of
from sqcore.stats.trend import Trend, TrendMethod, mann_kendall, seasonal_mann_kendall

VERSION = 1
"""Of everything here together; each method has its own besides."""
SEASONS = {Grain.WEEK: 52, Grain.MONTH: 12, Grain.QUARTER: 4}
"""Periods of a year, where it is known by them whether it has a season."""
NO_SEASON = Season(is_found=False, p=None, effects=(), years=0, n=0, status=MethodStatus.TOO_SHORT)
AHEAD = 6
SHARE_AHEAD = 4
"""At most one period ahead for so many that are known."""
LONGEST = 520
"""So many of the newest periods are looked at: ten years of weeks."""


@dataclass(frozen=True)
class DatedChange:
    """A likely change: the first period of the new level, and between which it could lie."""

    change: Change
    at: Period
    earliest: Period
    latest: Period


@dataclass(frozen=True)
class Ahead:
    """A period to come with its forecast."""

    period: Period
    point: ForecastPoint


@dataclass(frozen=True)
class Passing:
    """A line that the forecast passes: `line` is floor or target, `value` where it lies.

    is_worse: to its bad side; possible, expected, certain: from which period on
    """

    line: str
    value: float
    is_worse: bool
    possible: Period | None
    expected: Period | None
    certain: Period | None


@dataclass(frozen=True)
class Outlook:
    """What the periods of a series say of what was and what comes; each part has its status.

    Numbers are in natural units, of scores in points. Of a trend with a season the slope is a
    year's. `passings` are warnings first. `n`: periods with a value that counts
    """

    memory: Figure
    season: Season
    trend: Trend
    changes: Changes
    dated: tuple[DatedChange, ...]
    forecast: Forecast
    ahead: tuple[Ahead, ...]
    passings: tuple[Passing, ...]
    n: int
    better: int
    version: int = VERSION

    @property
    def slope_is_a_year(self) -> bool:
        return self.trend.method == TrendMethod.SEASONAL

    @property
    def told_passings(self) -> tuple[Passing, ...]:
        """The passings worth a sentence.

        Those that the forecast itself makes; and to the worse side those that are possible later,
        or while the series goes that way. A line that lies in the interval from the first period
        on, of a series that goes nowhere, is met by chance: the chart says so already.
        """
        return tuple(each for each in self.passings if self._is_told(each))

    def _is_told(self, passing: Passing) -> bool:
        if passing.expected is not None:
            return True
        is_later = passing.possible is not None and passing.possible != self.ahead[0].period
        return passing.is_worse and (is_later or self.trend.direction == -self.better)


def outlook_of(read: Reading) -> Outlook:
    """Return where a series is going. No query: everything stands on its chart.

    What was left out of limits and signals is left out here too.
    """
    points = read.seen[-LONGEST:]
    periods = [point.period for point in points]
    values = np.array(
        [point.value if point.is_usable else np.nan for point in points], dtype=np.float64
    )
    turn = SEASONS.get(read.key.grain)
    season = NO_SEASON if turn is None else season_of(values, turn)
    changes = change_points(values)
    floor = read.leaf.floor if read.leaf else None
    found, ahead, passings = foretold(
        values,
        periods,
        leaf=read.leaf,
        lines=(("floor", floor), ("target", read.goal)),
        better=read.better_by_period,
    )
    return Outlook(
        memory=autocorrelation(values),
        season=season,
        trend=direction_of(values, season, turn),
        changes=changes,
        dated=tuple(_dated(each, periods) for each in changes.changes),
        forecast=found,
        ahead=ahead,
        passings=passings,
        n=int((~np.isnan(values)).sum()),
        better=read.better_by_period,
    )


def foretold(
    values: FloatArray,
    periods: Sequence[Period],
    *,
    leaf: IndicatorDefinition | None,
    lines: Sequence[tuple[str, float | None]],
    better: int,
) -> tuple[Forecast, tuple[Ahead, ...], tuple[Passing, ...]]:
    """Return the next periods of a series and which of these lines lie ahead, warnings first.

    values: (P,), NaN where nothing counts; periods: theirs; better: 1 where high is,
    -1 where low is; where it is 0, no line has a good side and none is told
    """
    found = forecast(
        values,
        season=SEASONS.get(periods[-1].grain),
        horizon=_horizon(values),
        bounds=possible_values(leaf),
    )
    ahead = tuple(Ahead(_period_at(periods, point.at), point) for point in found.points)
    return found, ahead, _passings(lines, found, ahead, values, better)


def _horizon(values: FloatArray) -> int:
    known = int((~np.isnan(values)).sum())
    return min(AHEAD, max(1, known // SHARE_AHEAD))


def direction_of(values: FloatArray, season: Season, turn: int | None) -> Trend:
    """Return the direction; with a season, and years enough, each month beside itself."""
    if season.is_found and turn is not None:
        seasonal = seasonal_mann_kendall(values, turn)
        if seasonal.p is not None:
            return seasonal
    return mann_kendall(values)


def _period_at(periods: Sequence[Period], at: int) -> Period:
    """Return the period of this index; behind the last one the series goes on."""
    period = periods[min(at, len(periods) - 1)]
    for _step in range(at - len(periods) + 1):
        period = period.next
    return period


def _dated(change: Change, periods: Sequence[Period]) -> DatedChange:
    places = (change.at, change.earliest, change.latest)
    return DatedChange(change, *(periods[at] for at in places))


def _passings(
    lines: Sequence[tuple[str, float | None]],
    found: Forecast,
    ahead: Sequence[Ahead],
    values: FloatArray,
    better: int,
) -> tuple[Passing, ...]:
    """Return the lines that lie ahead, on the side where the series is not."""
    known = values[~np.isnan(values)]
    if not ahead or not known.size or not better:
        return ()
    now = float(known[-1])
    passed = []
    for line, value in lines:
        if value is None or not np.isfinite(value):
            continue
        is_good_now = (now - value) * better >= 0
        # Low is the bad side where high is better; what is there already may come back.
        below = is_good_now == (better > 0)
        when = crosses(found, value, below=below)
        if when.possible is not None:
            passed.append(_passing(line, value, is_good_now, when, ahead))
    return tuple(sorted(passed, key=lambda each: not each.is_worse))


def _passing(
    line: str, value: float, is_worse: bool, when: Crossing, ahead: Sequence[Ahead]
) -> Passing:
    periods = [
        None if step is None else ahead[step - 1].period
        for step in (when.possible, when.expected, when.certain)
    ]
    return Passing(line, value, is_worse, *periods)
