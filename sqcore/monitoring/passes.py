"""One pass of the opener over all series of a system, array by array; it reads and never writes.

What comes out depends on the series up to a day, their baselines and exclusions alone, and on no
clock and on no earlier pass.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.indicators.definition import IndicatorDefinition, SystemDefinition
from sqcore.indicators.models import IndicatorSystem
from sqcore.indicators.shapes import side_of
from sqcore.monitoring.kinds import drawn_for, frozen_fields, is_even, uncut, window_of
from sqcore.monitoring.models import Baseline, Signal
from sqcore.monitoring.queries import exclusions, periods_from
from sqcore.org.queries import fiscal_start
from sqcore.stats.arrays import BoolArray, FloatArray
from sqcore.stats.charts import freeze_many
from sqcore.stats.cusum import (
    Opener,
    between_sigma,
    false_alarms_a_year,
    openers,
    standardised,
)

BASELINE_PERIODS = {Grain.WEEK: 26, Grain.MONTH: 24}
"""From so many usable periods the first baseline is frozen; other grains have no opener."""
PERIODS_A_YEAR = {Grain.WEEK: 52.0, Grain.MONTH: 12.0}
OPENER = Opener()
RECOVERED_AFTER = 8
"""So many usable periods in a row, without an alarm, tell that a signal is over…"""
RECOVERED_WITHIN = 1.0
"""…when their mean is less than so many sigma on the side of concern."""
CONFIDENCE = 0.95
ROWS_AT_ONCE = 10_000

Columns = npt.NDArray[np.intp]
Place = tuple[int, str]
"""A series within its system and grain: unit and code."""


@dataclass(frozen=True, eq=False)
class Grid:
    """S series over P periods without a hole between them; NaN where nothing is shown.

    errors: the standard error of each value, NaN where there is none; sizes: what its n counts
    """

    places: Sequence[Place]
    periods: Sequence[Period]
    values: FloatArray
    errors: FloatArray
    sizes: FloatArray
    excluded: BoolArray

    @cached_property
    def usable(self) -> BoolArray:
        found: BoolArray = ~np.isnan(self.values) & ~self.excluded
        return found

    @cached_property
    def starts(self) -> list[date]:
        return [period.start for period in self.periods]

    def column(self, on: date) -> int:
        """Return where the first period stands that starts on this day or later."""
        return bisect_left(self.starts, on)


@dataclass(frozen=True)
class Episode:
    """A stretch in which one series stood in alarm; `recovered_on` is None while it lasts.

    `again` are the later alarms. `height` is the sum at the last alarm; `shift` and `shift_sigma`
    are the mean distance from the centre since the first, positive when above it.
    """

    alarm_on: date
    since_on: date
    again: tuple[date, ...]
    recovered_on: date | None
    last_on: date
    height: float
    shift: float
    shift_sigma: float
    baseline: Baseline


@dataclass(frozen=True)
class Findings:
    """What a pass found. `first` are baselines to be kept, with which `episodes` were found.

    `directions` says which side of an indicator is of concern; what is best in the middle has none
    and is not judged. `through` is None without a series.
    """

    series: int
    judged: int
    through: date | None
    newest_on: date | None
    first: Sequence[Baseline]
    episodes: Mapping[Place, Sequence[Episode]]
    directions: Mapping[str, str]
    expected_so_far: float
    expected_a_year: float


def judge(*, system: IndicatorSystem, grain: Grain, through: date, now: datetime) -> Findings:
    """Judge every period that ended on or before `through`, in a handful of queries."""
    leaves = leaves_of(system, grain)
    grid = read_grid(system, grain, through=through, leaves=leaves)
    held = _held(system, grain)
    first = first_baselines(grid, system, grain, leaves=leaves, held=held, now=now)
    for baseline in first:
        held[baseline.unit_id, baseline.code] = [baseline]
    sides = {code: direction_of(leaf) for code, leaf in leaves.items()}
    directions = {code: side for code, side in sides.items() if side is not None}
    watched = {place: rows for place, rows in held.items() if place[1] in directions}
    judged = _Judged.of(grid, watched, directions)
    so_far, a_year = _expected(judged, PERIODS_A_YEAR.get(grain, 1.0))
    return Findings(
        series=len(grid.places),
        judged=len({grid.places[row.series] for row in judged.rows_judged}),
        through=grid.periods[-1].end if grid.periods else None,
        newest_on=grid.periods[-1].start if grid.periods else None,
        first=first,
        episodes=_episodes(judged),
        directions=directions,
        expected_so_far=so_far,
        expected_a_year=a_year,
    )


def leaves_of(system: IndicatorSystem, grain: Grain) -> dict[str, IndicatorDefinition]:
    """Return the indicators that the newest run of the newest version has, by code. One query."""
    run = (
        EvaluationRun.objects.current()
        .filter(system=system, grain=grain)
        .order_by("-version__number", "-starts_on", "-id")
        .first()
    )
    if run is None:
        return {}
    definition = SystemDefinition.from_json(run.definition)
    return {leaf.code: leaf for leaf in definition.all_indicators()}


def direction_of(leaf: IndicatorDefinition) -> str | None:
    """Return the side of concern: where less is better, too high is. None where the best is in
    the middle: the sum of one side would miss what goes off to the other."""
    sides = {1: Signal.Direction.LOW.value, -1: Signal.Direction.HIGH.value}
    return sides.get(side_of(leaf))


def read_grid(
    system: IndicatorSystem,
    grain: Grain,
    *,
    through: date,
    leaves: Mapping[str, IndicatorDefinition],
) -> Grid:
    """Read all series of these indicators at all units, without margins. A handful of queries.

    The figures are asked for by their runs, as they lie side by side in the database: from the
    index of the series a million of them would be fetched one by one.
    """
    before = Period.of(through, grain, fiscal_start=fiscal_start()).start
    runs = {
        run_id: (starts_on, policy.get("confidence", CONFIDENCE))
        for run_id, starts_on, policy in EvaluationRun.objects.current()
        .filter(system=system, grain=grain, starts_on__lt=before)
        .values_list("pk", "starts_on", "policy")
    }
    rows = KpiValue.objects.filter(
        run__in=sorted(runs),
        margin="",
        kind=KpiValue.Kind.INDICATOR,
        status=KpiValue.Status.OK,
    )
    table = _Table()
    if leaves and runs:
        for chunk in _chunks(*rows.values_list(*_Table.FIELDS).query.sql_with_params()):
            table.take(chunk)
    return table.grid(grain, runs, leaves)


def _chunks(sql: str, params: Any) -> Iterator[list[tuple[object, ...]]]:
    """Yield the rows of a query as the database gives them: models would take most of the time."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        while chunk := cursor.fetchmany(ROWS_AT_ONCE):
            yield chunk


class _Table:
    """Rows on their way into a grid."""

    FIELDS = ("run_id", "unit_id", "code", "value", "low", "high", "n")

    def __init__(self) -> None:
        self.series: dict[Place, int] = {}
        self.parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]] = []

    def take(self, rows: Sequence[tuple[Any, ...]]) -> None:
        runs, units, codes, *numbers = zip(*rows, strict=True)
        series = self.series
        at = [series.setdefault(place, len(series)) for place in zip(units, codes, strict=True)]
        self.parts.append((np.array(at), np.array(runs), np.array(numbers, dtype=np.float64)))

    def grid(
        self,
        grain: Grain,
        runs: Mapping[int, tuple[date, float]],
        leaves: Mapping[str, IndicatorDefinition],
    ) -> Grid:
        """Return the rows of these indicators in order; `runs`: the start and the confidence."""
        places = sorted(place for place in self.series if place[1] in leaves)
        if not places:
            nothing = np.empty((0, 0))
            return Grid((), (), nothing, nothing, nothing, nothing.astype(np.bool_))
        at, run, numbers = (np.concatenate(part, axis=-1) for part in zip(*self.parts, strict=True))
        row_of = np.full(len(self.series), -1)
        row_of[[self.series[place] for place in places]] = np.arange(len(places))
        kept = np.flatnonzero(row_of[at] >= 0)
        known, run_at = np.unique(run[kept], return_inverse=True)
        days = [runs[run_id][0] for run_id in known.tolist()]
        periods = periods_from(min(days), max(days), grain)
        columns = {period.start: column for column, period in enumerate(periods)}
        column = np.array([columns[day] for day in days])[run_at]
        filled = np.full((4, len(places), len(periods)), np.nan)
        filled[:, row_of[at[kept]], column] = numbers[:, kept]
        values, low, high, sizes = filled
        even = np.array([is_even(leaves[code]) for _unit, code in places], dtype=np.bool_)
        low, high = uncut(values, low, high, even[:, None])
        sure = dict(runs.values())
        return Grid(
            places=places,
            periods=periods,
            values=values,
            errors=standard_errors(low, high, [sure.get(p.start, CONFIDENCE) for p in periods]),
            sizes=sizes,
            excluded=_excluded(places, periods),
        )


def standard_errors(
    low: FloatArray, high: FloatArray, confidence: Sequence[float] = (CONFIDENCE,)
) -> FloatArray:
    """Return the standard errors that intervals of this confidence imply; NaN without one."""
    z = np.array([NormalDist().inv_cdf((1 + each) / 2) for each in confidence])
    return np.asarray(np.maximum(high - low, 0.0) / 2 / z, dtype=np.float64)


def _excluded(places: Sequence[Place], periods: Sequence[Period]) -> BoolArray:
    found = np.zeros((len(places), len(periods)), dtype=np.bool_)
    units = np.array([unit for unit, _code in places])
    codes = np.array([code for _unit, code in places])
    for each in exclusions():
        rows = np.ones(len(places), dtype=np.bool_)
        if each.units is not None:
            rows &= np.isin(units, sorted(each.units))
        if each.code:
            rows &= codes == each.code
        columns = np.array([each.touches(period) for period in periods], dtype=np.bool_)
        found[np.ix_(rows, columns)] = True
    return found


def _held(system: IndicatorSystem, grain: Grain) -> dict[Place, list[Baseline]]:
    """Return the baselines in force by series, in the order in which they take over. One query."""
    found: dict[Place, list[Baseline]] = {}
    rows = Baseline.objects.in_force().filter(system=system, grain=grain)
    for baseline in rows.order_by("applies_from", "id"):
        found.setdefault((baseline.unit_id, baseline.code), []).append(baseline)
    return found


def first_baselines(
    grid: Grid,
    system: IndicatorSystem,
    grain: Grain,
    *,
    leaves: Mapping[str, IndicatorDefinition],
    held: Mapping[Place, Sequence[Baseline]],
    now: datetime,
) -> list[Baseline]:
    """Return, unsaved, the first baselines of the series that have none and enough periods.

    A series that never varied in them gets none: there is nothing to measure a change by.
    """
    need = BASELINE_PERIODS.get(grain)
    if need is None or not grid.periods:
        return []
    count = grid.usable.cumsum(axis=1)
    without = np.array([place not in held for place in grid.places])
    rows = np.flatnonzero(without & (count[:, -1] >= need))
    if not rows.size:
        return []
    taken = grid.usable[rows] & (count[rows] <= need)
    limits = freeze_many(grid.values[rows], taken)
    errors = np.where(taken, grid.errors[rows], np.nan)
    between = between_sigma(limits.spread, errors)
    made = []
    for at in np.flatnonzero(limits.usable):
        unit_id, code = grid.places[rows[at]]
        columns = np.flatnonzero(taken[at])
        last = grid.periods[columns[-1]]
        leaf, place = leaves[code], (rows[at], columns)
        single = limits.one(int(at))
        window = window_of(
            leaf,
            grid.values[place],
            n=grid.sizes[place],
            errors=grid.errors[place],
            starts_on=grid.periods[columns[0]].start,
            ends_on=last.end,
        )
        drawn = drawn_for(leaf, window, single=single, unit_id=unit_id)
        made.append(
            Baseline(
                system=system,
                unit_id=unit_id,
                code=code,
                grain=grain,
                starts_on=grid.periods[columns[0]].start,
                ends_on=last.end,
                applies_from=last.end,
                origin=Baseline.Origin.FIRST,
                created_at=now,
                **frozen_fields(drawn, single=single, between=float(between[at])),
            )
        )
    return made


@dataclass(frozen=True)
class _Row:
    """What one baseline judges of one series: the columns from `first` up to `end`."""

    series: int
    baseline: Baseline
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class _Judged:
    """R rows over the P periods of the grid: what each baseline says of its own.

    z: as the opener reads it, up is the side of concern; NaN outside its columns.
    distance: from the centre in units of the values; sigmas: the same in spreads of the baseline
    """

    grid: Grid
    rows: Sequence[_Row]
    sides: FloatArray
    z: FloatArray
    distance: FloatArray
    sigmas: FloatArray

    @classmethod
    def of(
        cls,
        grid: Grid,
        held: Mapping[Place, Sequence[Baseline]],
        directions: Mapping[str, str],
    ) -> "_Judged":
        rows = list(_rows(grid, held))
        series = np.array([row.series for row in rows], dtype=np.intp)
        column = np.arange(len(grid.periods))
        inside = (column >= np.array([row.first for row in rows], dtype=np.intp)[:, None]) & (
            column < np.array([row.end for row in rows], dtype=np.intp)[:, None]
        )
        values = np.where(inside & grid.usable[series], grid.values[series], np.nan)
        centre = _numbers(row.baseline.centre for row in rows)
        spread = _numbers(row.baseline.spread for row in rows)
        high = [directions[grid.places[row.series][1]] == Signal.Direction.HIGH for row in rows]
        sides = np.where(np.array(high, dtype=np.bool_), 1.0, -1.0)
        distance = values - centre[:, None]
        z = standardised(
            values,
            centre=centre,
            sigma_between=_numbers(row.baseline.between for row in rows),
            errors=grid.errors[series],
        )
        return cls(
            grid=grid,
            rows=rows,
            sides=sides,
            z=z * sides[:, None],
            distance=distance,
            sigmas=distance / spread[:, None],
        )

    @cached_property
    def counts(self) -> npt.NDArray[np.intp]:
        """How many periods were judged, by row."""
        return np.asarray((~np.isnan(self.z)).sum(axis=1), dtype=np.intp)

    @property
    def rows_judged(self) -> list[_Row]:
        return [self.rows[at] for at in np.flatnonzero(self.counts).tolist()]


def _numbers(found: Iterable[float]) -> FloatArray:
    return np.array(list(found), dtype=np.float64)


def _rows(grid: Grid, held: Mapping[Place, Sequence[Baseline]]) -> Iterator[_Row]:
    for series, place in enumerate(grid.places):
        own = [baseline for baseline in held.get(place, ()) if baseline.spread > 0]
        bounds = [*(grid.column(baseline.applies_from) for baseline in own), len(grid.periods)]
        for baseline, (first, end) in zip(own, pairwise(bounds), strict=True):
            if first < end:
                yield _Row(series, baseline, first, end)


def _expected(judged: _Judged, a_year: float) -> tuple[float, float]:
    """Return how many false signals chance lets expect so far, and in a year from now on."""
    phi = _usual_phi(judged)
    rates: dict[int, float] = {}
    so_far, ahead = [], {}
    for row, periods in zip(judged.rows, judged.counts.tolist(), strict=True):
        if periods:
            n0 = row.baseline.n
            if n0 not in rates:
                rates[n0] = false_alarms_a_year(n0=n0, phi=phi, h=OPENER.h, points_a_year=a_year)
            so_far.append(rates[n0] * periods / a_year)
            ahead[row.series] = rates[n0]
    return float(np.sum(so_far)), float(np.sum(list(ahead.values())))


def _usual_phi(judged: _Judged) -> float:
    """Return the median autocorrelation of the baselines.

    That of a single one is known to some +-.2 and cut off at 0, while false alarms grow faster
    than it: their sum over each own phi would be twice what chance really gives (.073 a series and
    year instead of .033 where there is none).
    """
    found = {row.series: row.baseline.phi for row in judged.rows}
    return float(np.median(list(found.values()))) if found else 0.0


def _episodes(judged: _Judged) -> dict[Place, list[Episode]]:
    """Return the episodes of every series that was ever in alarm.

    After a recovery the sum begins again at 0, so the rest is read anew, for all at once.
    """
    if not judged.rows:
        return {}
    found = openers(judged.z, OPENER)
    alarmed = {judged.rows[at].series for at in np.flatnonzero(found.alarm.any(axis=1)).tolist()}
    rows: dict[int, list[int]] = {series: [] for series in sorted(alarmed)}
    for at, row in enumerate(judged.rows):
        if row.series in rows:
            rows[row.series].append(at)
    tracks = [_Track.of(judged, own, found.height, found.alarm) for own in rows.values()]
    waiting = [track for track in tracks if track.advance()]
    while waiting:
        anew = openers(np.array([track.rest() for track in waiting]), OPENER)
        for at, track in enumerate(waiting):
            track.take(anew.height[at], anew.alarm[at])
        waiting = [track for track in waiting if track.advance()]
    return {judged.grid.places[track.series]: track.episodes for track in tracks}


@dataclass(eq=False)
class _Track:
    """One series that was in alarm, read from its first period on; all arrays are (P,).

    row: of `_Judged` that judges each period, -1 where none does. `position` is the last period
    that was read, `begins` where the present sum began.
    """

    judged: _Judged
    series: int
    row: Columns
    z: FloatArray
    distance: FloatArray
    sigmas: FloatArray
    height: FloatArray
    alarm: BoolArray
    episodes: list[Episode] = field(default_factory=list)
    open: list[int] = field(default_factory=list)
    since: int = -1
    position: int = -1

    @classmethod
    def of(
        cls, judged: _Judged, own: Sequence[int], height: FloatArray, alarm: BoolArray
    ) -> "_Track":
        points = len(judged.grid.periods)
        row = np.full(points, -1, dtype=np.intp)
        for at in own:
            row[judged.rows[at].first : judged.rows[at].end] = at
        column = np.arange(points)
        return cls(
            judged=judged,
            series=judged.rows[own[0]].series,
            row=row,
            z=judged.z[row, column],
            distance=judged.distance[row, column],
            sigmas=judged.sigmas[row, column] * judged.sides[row],
            height=height[row, column],
            alarm=alarm[row, column] & (row >= 0),
        )

    @cached_property
    def columns(self) -> Columns:
        """The periods that were judged."""
        return np.flatnonzero((self.row >= 0) & ~np.isnan(self.z))

    def advance(self) -> bool:
        """Read on up to the next recovery; False when the end was reached before one."""
        for at in self.columns[self.columns > self.position].tolist():
            # Over comes first: what is left of a large sum would alarm again when all is good.
            if self.open and self._is_over(at):
                self._close(at, recovered=True)
                self.position = at
                return True
            if self.alarm[at]:
                if not self.open:
                    self.since = self._since(at)
                self.open.append(at)
        if self.open:
            self._close(int(self.columns[-1]), recovered=False)
        return False

    def rest(self) -> FloatArray:
        """Return what the baseline of the recovery says of the periods after it."""
        after = (np.arange(len(self.z)) > self.position) & (self.row == self.row[self.position])
        return np.where(after, self.z, np.nan)

    def take(self, height: FloatArray, alarm: BoolArray) -> None:
        """Put the sum that began again in the place of the old one."""
        after = ~np.isnan(self.rest())
        self.height = np.where(after, height, self.height)
        self.alarm = np.where(after, alarm, self.alarm)

    def _since(self, at: int) -> int:
        """Return the period after the last zero of the sum before it alarmed."""
        same = self.columns[(self.row[self.columns] == self.row[at]) & (self.columns <= at)]
        present = same[same > self.position]
        zeros = np.flatnonzero(self.height[present[:-1]] == 0)
        return int(present[zeros[-1] + 1] if zeros.size else present[0])

    def _is_over(self, at: int) -> bool:
        since = self.columns[(self.columns > self.open[-1]) & (self.columns <= at)]
        newest = since[-RECOVERED_AFTER:]
        if len(newest) < RECOVERED_AFTER:
            return False
        return bool(self.sigmas[newest].mean() < RECOVERED_WITHIN)

    def _close(self, at: int, *, recovered: bool) -> None:
        first, *again = self.open
        periods = self.judged.grid.periods
        stretch = self.columns[(self.columns >= first) & (self.columns <= at)]
        side = self.judged.sides[self.row[first]]
        self.episodes.append(
            Episode(
                alarm_on=periods[first].start,
                since_on=periods[self.since].start,
                again=tuple(periods[column].start for column in again),
                recovered_on=periods[at].start if recovered else None,
                last_on=periods[at].start,
                height=float(self.height[self.open[-1]]),
                shift=float(self.distance[stretch].mean()),
                shift_sigma=float(self.sigmas[stretch].mean() * side),
                baseline=self.judged.rows[int(self.row[first])].baseline,
            )
        )
        self.open = []
