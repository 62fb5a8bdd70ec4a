"""The search for early warnings: which series are going to pass floor or target; it only reads.

A forecast costs thousands of times what a rule costs, so only series that could get there are
forecast, the nearest first, and at most so many in one search.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from sqcore.base.periods import Grain
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.charts import better_of
from sqcore.monitoring.models import EarlyWarning, Signal
from sqcore.monitoring.outlook import (
    LONGEST,
    SEASONS,
    VERSION,
    Passing,
    direction_of,
    foretold,
)
from sqcore.monitoring.passes import Grid, Place, leaves_of, read_grid
from sqcore.stats.arrays import FloatArray
from sqcore.stats.seasonality import season_of

LEAST = 12
"""Periods with a figure that a warning rests on at the least."""
REACH = 6.0
"""A line farther away than so many standard deviations of the newest periods is not looked at."""
NEWEST = 24
AT_MOST = 1_000
"""Series that are forecast in one search; the nearest to their line first."""
BY_CHANCE = 0.025
"""Of series that go nowhere so many are found to go to the worse side: half of 5 %."""


@dataclass(frozen=True, eq=False)
class Search:
    """What a search found: the fields of a warning by series, and how many were forecast.

    judged: the series whose newest period has a figure, but for those that there was no room for;
        of the others the search says nothing
    """

    grid: Grid
    found: Mapping[Place, Mapping[str, Any]]
    foretold: int
    judged: frozenset[Place]

    @property
    def newest_on(self) -> date | None:
        return self.grid.periods[-1].start if self.grid.periods else None

    def is_over(self, warning: EarlyWarning) -> bool:
        """Whether a warning passed off: its forecast no longer passes the line, or the time that it
        spoke of is over."""
        place = (warning.unit_id, warning.code)
        if place in self.found:
            return False
        is_past = self.newest_on is not None and self.newest_on >= warning.horizon_on
        return place in self.judged or is_past

    def passed_on(self, warning: EarlyWarning) -> date | None:
        """Return the first period since the warning was last looked at that passed its line."""
        place = (warning.unit_id, warning.code)
        if place not in self.grid.places:
            return None
        row = list(self.grid.places).index(place)
        is_low = warning.direction == Signal.Direction.LOW
        for at, period in enumerate(self.grid.periods):
            value = float(self.grid.values[row, at])
            if period.start <= warning.last_on or not self.grid.usable[row, at]:
                continue
            if value < warning.line_at if is_low else value > warning.line_at:
                return period.start
        return None


def search_ahead(*, system: IndicatorSystem, grain: Grain, through: date) -> Search:
    """Forecast the watched series that could pass their line. A handful of queries."""
    leaves = {
        code: leaf
        for code, leaf in leaves_of(system, grain).items()
        if _line(leaf)[1] is not None and better_of(leaf)
    }
    grid = read_grid(system, grain, through=through, leaves=leaves)
    near = _nearest(grid, leaves)
    left_out = {grid.places[row] for row in near[AT_MOST:]}
    near = near[:AT_MOST]
    found = {}
    for row in near:
        place = grid.places[row]
        warned = _foretell(grid, row, leaves[place[1]])
        if warned is not None:
            found[place] = warned
    known = {place for row, place in enumerate(grid.places) if grid.usable[row, -1:].any()}
    return Search(grid, found, len(near), frozenset(known - left_out))


def _line(leaf: IndicatorDefinition) -> tuple[str, float | None]:
    """Return what a series must not pass: its floor, else its target."""
    if leaf.floor is not None:
        return EarlyWarning.Line.FLOOR.value, leaf.floor
    return EarlyWarning.Line.TARGET.value, leaf.target


def _nearest(grid: Grid, leaves: Mapping[str, IndicatorDefinition]) -> list[int]:
    """Return the series that stand on the good side of their line and could pass it, the nearest
    first."""
    reach: list[tuple[float, int]] = []
    for row, (_unit, code) in enumerate(grid.places):
        values = grid.values[row, grid.usable[row]]
        line = _line(leaves[code])[1]
        if len(values) < LEAST or line is None or not grid.usable[row, -1]:
            continue
        spread = float(values[-NEWEST:].std(ddof=1))
        off = (float(values[-1]) - line) * better_of(leaves[code])
        if off >= 0 and spread > 0 and off <= REACH * spread:
            reach.append((off / spread, row))
    return [row for _off, row in sorted(reach)]


def _foretell(grid: Grid, row: int, leaf: IndicatorDefinition) -> Mapping[str, Any] | None:
    """Return the fields of a warning: the forecast itself passes the line, or its interval does
    while the series goes that way. An interval alone, of a series that goes nowhere, is chance."""
    used = np.flatnonzero(grid.usable[row])
    first = max(int(used[0]), len(grid.periods) - LONGEST)
    values: FloatArray = np.where(grid.usable[row], grid.values[row], np.nan)[first:]
    periods = grid.periods[first:]
    better = better_of(leaf)
    told, ahead, passings = foretold(
        values, periods, leaf=leaf, lines=(_line(leaf),), better=better
    )
    worse = next((each for each in passings if each.is_worse), None)
    if worse is None or worse.possible is None:
        return None
    turn = SEASONS[periods[-1].grain]
    trend = direction_of(values, season_of(values, turn), turn)
    if worse.expected is None and trend.direction != -better:
        return None
    at = worse.expected or worse.possible
    point = next(each.point for each in ahead if each.period == at)
    coverage = told.coverage
    return {
        **_of_line(worse, better),
        "horizon_on": ahead[-1].period.start,
        "forecast": point.value,
        "low": point.low,
        "high": point.high,
        "confidence": told.confidence,
        "n": told.n,
        "error": told.error,
        "tests": told.tests,
        "tried": coverage.n if coverage.value is not None else 0,
        "inside": round(coverage.value * coverage.n) if coverage.value is not None else 0,
        "last_on": periods[-1].start,
        "method": VERSION,
    }


def _of_line(passing: Passing, better: int) -> dict[str, Any]:
    return {
        "direction": Signal.Direction.LOW if better > 0 else Signal.Direction.HIGH,
        "line": passing.line,
        "line_at": passing.value,
        "possible_on": passing.possible.start if passing.possible else None,
        "expected_on": passing.expected.start if passing.expected else None,
    }
