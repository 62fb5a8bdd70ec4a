"""The control chart of one series: its points set against frozen limits, with all that is on it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property

import numpy as np
from django.db.models import Exists, OuterRef, Prefetch, prefetch_related_objects
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotFound
from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.tables import target_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import IndicatorDefinition, SystemDefinition
from sqcore.indicators.models import IndicatorSystem, UnitOfMeasure
from sqcore.indicators.shapes import side_of
from sqcore.monitoring.kinds import (
    Drawn,
    Window,
    drawn_between,
    drawn_for,
    is_even,
    limits_by_period,
    limits_of,
    reason_of,
    uncut,
    window_of,
)
from sqcore.monitoring.models import Annotation, Baseline, Kind, Signal, SignalEvent
from sqcore.monitoring.passes import BASELINE_PERIODS, standard_errors
from sqcore.monitoring.queries import (
    SeriesKey,
    SeriesPoint,
    annotations_of,
    marked,
    signals_of,
    visible_series,
)
from sqcore.monitoring.rare import RareEvents, is_rare_series, rare_events
from sqcore.org.models import Unit
from sqcore.stats.arrays import FloatArray
from sqcore.stats.charts import ChartKind, Limits, bands, freeze, unbias, z_of
from sqcore.stats.ewma import ewma
from sqcore.stats.rules import (
    PROFILES,
    Assurance,
    Flags,
    Rule,
    RuleProfile,
    Variation,
    assurance,
    flags,
    suited,
    variation,
)
from sqcore.stats.runs import Runs, runs_of

USUAL_PROFILE = "nhs"
EWMA = "ewma"
VIEWS = ("", EWMA)
"""How a chart is drawn: its points, or besides them the smoothed line of small shifts that last."""
CHARTED = tuple(Grain)
"""The grains that have charts. Watched, with baselines that freeze by themselves, are weeks and
months; of the others all periods that there are give the limits, until a person sets a baseline."""


@dataclass(frozen=True)
class Flag:
    """A rule that a point belongs to: on which side (1, -1, 0: none), and since which period this
    could be seen."""

    rule: Rule
    side: int
    seen_on: date


@dataclass(frozen=True)
class Lined:
    """Another number of a point with its own limits."""

    value: float
    centre: float
    lower: float
    upper: float

    @property
    def is_beyond(self) -> bool:
        return not self.lower <= self.value <= self.upper


@dataclass(frozen=True)
class ChartPoint:
    """A period with its limits; without a value there is nothing to set against them.

    On a chart of rare events a point is an event, in its day, and its value what passed since the
    one before. spread: the standard deviation within the period, on an x-bar and S chart;
    smoothed: the line of an EWMA, where it is asked for
    """

    seen: SeriesPoint
    centre: float | None = None
    lower: float | None = None
    upper: float | None = None
    z: float | None = None
    flags: tuple[Flag, ...] = ()
    spread: Lined | None = None
    smoothed: Lined | None = None

    @property
    def side(self) -> int:
        """The side of the first flag that has one."""
        return next((flag.side for flag in self.flags if flag.side), 0)


@dataclass(frozen=True)
class Segment:
    """The points that one baseline judges; `baseline` is None where the limits are not frozen."""

    limits: Limits
    points: tuple[ChartPoint, ...]
    span: tuple[date, date]
    reason: str
    median: float | None = None
    baseline: Baseline | None = None

    @property
    def is_frozen(self) -> bool:
        return self.baseline is not None


@dataclass(frozen=True)
class Reading:
    """A series set against its limits: the newest segment says the variation and the assurance.

    `variation` is None while there are no limits to judge by. Numbers are in natural units, of
    scores in points; `better` is 1 where high is better, -1 where low is, 0 where the best
    is in the middle. `baselines` are all of the series, those that wait or were declined too, in
    the order in which they would take over. `runs` are those of the newest segment, where the
    profile reads them.

    `seen` are the periods, whatever the chart is of. `passed` is there where its points are rare
    events: then `better` says whether long is good, and there is no target.
    """

    key: SeriesKey
    definition: SystemDefinition
    profile: RuleProfile
    segments: tuple[Segment, ...]
    variation: Variation | None
    assurance: Assurance
    target: float | None
    better: int
    baselines: tuple[Baseline, ...]
    runs: Runs | None
    seen: tuple[SeriesPoint, ...]
    window: Window
    passed: RareEvents | None
    view: str

    @property
    def leaf(self) -> IndicatorDefinition | None:
        return self.definition.indicator(self.key.code)

    @cached_property
    def points(self) -> tuple[ChartPoint, ...]:
        return tuple(point for segment in self.segments for point in segment.points)

    @property
    def latest(self) -> ChartPoint | None:
        """The newest point that has a value."""
        return next((p for p in reversed(self.points) if p.seen.value is not None), None)

    @property
    def limits(self) -> Limits:
        return self.segments[-1].limits

    @property
    def baseline(self) -> Baseline | None:
        return self.segments[-1].baseline

    @property
    def reason(self) -> str:
        """Why this kind of chart: a code of `sqcore.monitoring.kinds.drawn_for`."""
        return self.segments[-1].reason

    @property
    def goal(self) -> float | None:
        """The target of the periods, also where the chart is of what passed between events."""
        return target_of(self.definition, self.key.code)

    @property
    def better_by_period(self) -> int:
        """1 where a high value of a period is better, -1 where a low one is, 0 for neither."""
        return better_of(self.leaf)

    @property
    def is_smoothed(self) -> bool:
        return any(point.smoothed is not None for point in self.points)


@dataclass(frozen=True)
class Chart(Reading):
    """A control chart: a reading with what was written on it and the signals found in it."""

    system: IndicatorSystem
    unit: Unit
    annotations: tuple[Annotation, ...]
    signals: tuple[Signal, ...]


def chart_of(
    *, principal: Principal, key: SeriesKey, profile: str = USUAL_PROFILE, today: date
) -> Chart:
    """Return the control chart of a series by the period: those that ended until today.

    Rare events are shown by the period, too: who sets an effect beside it counts in periods.
    raises: NotFound for a series that is not there or not theirs, InvalidInput for an unknown
        profile of rules
    """
    system = IndicatorSystem.objects.visible_to(principal).filter(pk=key.system_id).first()
    units = Unit.objects.visible_to(principal, Permission.VIEW_RESULTS)
    unit = units.filter(pk=key.unit_id).first()
    if system is None or unit is None:
        raise NotFound(_("There is no such series."))
    return chart_at(
        principal=principal,
        system=system,
        unit=unit,
        code=key.code,
        grain=key.grain,
        profile=profile,
        today=today,
        by_period=True,
    )


def chart_at(
    *,
    principal: Principal,
    system: IndicatorSystem,
    unit: Unit,
    code: str,
    grain: Grain,
    profile: str = USUAL_PROFILE,
    today: date,
    view: str = "",
    by_period: bool = False,
) -> Chart:
    """Return the chart to whom has read the system and the unit already; of rare events, unless
    `by_period`, what passed between them. raises: as `chart_of`"""
    key = SeriesKey(system.pk, unit.pk, code, grain)
    definitions = newest_definitions(principal, [key.system_id], key.grain)
    definition = definitions.get((key.system_id, key.grain.value))
    if definition is None:
        raise NotFound(_("There is no such series."))
    read = reading_of(
        principal=principal,
        key=key,
        definition=definition,
        profile=profile,
        today=today,
        view=view,
        by_period=by_period,
    )
    return Chart(
        **{field.name: getattr(read, field.name) for field in fields(Reading)},
        system=system,
        unit=unit,
        annotations=tuple(annotations_of(principal, key)),
        signals=_signals(principal, key, system, unit),
    )


def reading_of(
    *,
    principal: Principal,
    key: SeriesKey,
    definition: SystemDefinition,
    profile: str = USUAL_PROFILE,
    today: date,
    view: str = "",
    by_period: bool = False,
) -> Reading:
    """Return a series set against its limits; `definition` is what its newest figures mean.

    Three queries, a fourth where something is excluded at a unit; where the events of an indicator
    are rare, those of its source besides. raises: as `chart_of`
    """
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise InvalidInput(f"There is no profile “{profile[:40]}”; there are: {known}.")
    seen = visible_series(principal=principal, key=key, through=today)
    baselines = _baselines(principal, key)
    series = _Series.of(key, definition.indicator(key.code), seen, baselines)
    passed = None if by_period else series.passed(today)
    points: Sequence[SeriesPoint] = seen
    if passed is not None:
        scope = principal.scope(Permission.VIEW_RESULTS)
        points = marked(passed.points(series.kind_of(passed)), key, scope)
    rules = PROFILES[profile]
    judged = list(series.segments(points, rules, passed, view))
    newest, found = judged[-1]
    runs = _runs(newest) if rules.has_runs else None
    better = better_of(series.leaf)
    if passed is not None and better:
        better = 1 if passed.is_bad else -1
    target = target_of(definition, key.code) if passed is None else None
    return Reading(
        key=key,
        definition=definition,
        profile=suited(rules, newest.limits.kind),
        segments=tuple(segment for segment, _found in judged),
        variation=_variation(found, better, runs) if newest.limits.status.usable else None,
        assurance=assurance(
            newest.limits, target, better, size=series.latest_size, width=rules.width
        ),
        target=target,
        better=better,
        baselines=baselines,
        runs=runs,
        seen=tuple(seen),
        window=series.window,
        passed=passed,
        view=view,
    )


@dataclass(frozen=True, eq=False)
class _Series:
    """The periods of a series on their way into segments; `window` holds all of them as the charts
    read them, `held` the baselines in force."""

    key: SeriesKey
    leaf: IndicatorDefinition | None
    seen: Sequence[SeriesPoint]
    window: Window
    held: Sequence[Baseline]

    @classmethod
    def of(
        cls,
        key: SeriesKey,
        leaf: IndicatorDefinition | None,
        seen: Sequence[SeriesPoint],
        baselines: Sequence[Baseline],
    ) -> "_Series":
        held = [each for each in baselines if each.state == Baseline.State.IN_FORCE]
        return cls(key, leaf, seen, _window(leaf, seen), held)

    @property
    def latest_size(self) -> float | None:
        known = np.flatnonzero(~np.isnan(self.window.values))
        return float(np.nan_to_num(self.window.sizes[known[-1]])) if known.size else None

    @property
    def first(self) -> list[SeriesPoint]:
        """The periods that limits come from where none are frozen."""
        usable = [point for point in self.seen if point.is_usable]
        return usable[: BASELINE_PERIODS.get(self.key.grain)]

    def passed(self, today: date) -> RareEvents | None:
        """Return what passed between its events, where its chart is of that."""
        leaf, window = self.leaf, self.window
        if self.held:
            is_rare = ChartKind(self.held[-1].kind).between_events
        else:
            is_rare = leaf is not None and is_rare_series(leaf, window.values, window.sizes)
        if leaf is None or not is_rare:
            return None
        found = rare_events(leaf, self.key.unit_id, window.values, window.sizes, through=today)
        if found is None or self.held:
            return found
        return found if self._trial_between(found) is not None else None

    def kind_of(self, passed: RareEvents) -> Kind:
        return Kind(self.held[-1].kind) if self.held else passed.kind

    def _trial_between(self, passed: RareEvents) -> Drawn | None:
        first = self.first
        if not first:
            return None
        span = (first[0].period.start, first[-1].period.end)
        return drawn_between(passed, passed.kind, *span)

    def segments(
        self,
        points: Sequence[SeriesPoint],
        rules: RuleProfile,
        passed: RareEvents | None,
        view: str,
    ) -> Iterator[tuple[Segment, Flags]]:
        """Yield the points of each baseline, judged by it; the first also judges what came before.

        Baselines that count something else (periods, days, cases) have no place on the chart.
        """
        held = self._held_for(passed)
        if not held:
            yield self._trial(points, rules, passed, view)
            return
        ends = [each.applies_from for each in held[1:]] + [date.max]
        begins = date.min
        for baseline, end in zip(held, ends, strict=True):
            own = [point for point in points if begins <= point.period.start < end]
            limits = limits_by_period(baseline) if passed is None else limits_of(baseline)
            empty = Segment(
                limits,
                (),
                (baseline.starts_on, baseline.ends_on),
                reason_of(baseline, self.leaf),
                baseline.median if limits.kind == baseline.kind else None,
                baseline,
            )
            yield _judged(empty, own, self.leaf, suited(rules, limits.kind), view)
            begins = end

    def _held_for(self, passed: RareEvents | None) -> list[Baseline]:
        if passed is None:
            return list(self.held)
        kind = self.kind_of(passed)
        return [each for each in self.held if each.kind == kind]

    def _trial(
        self,
        points: Sequence[SeriesPoint],
        rules: RuleProfile,
        passed: RareEvents | None,
        view: str,
    ) -> tuple[Segment, Flags]:
        """Judge a series without a baseline by its first points: as many as one would be frozen
        from, or those that there are."""
        first = self.first
        span = (first[0].period.start, first[-1].period.end) if first else (date.min, date.min)
        drawn = self._trial_between(passed) if passed is not None else None
        if drawn is None:
            window = _window(self.leaf, first)
            single = freeze(window.values, kind=ChartKind.XMR)
            drawn = drawn_for(self.leaf, window, single=single, unit_id=None)
        empty = Segment(drawn.limits, (), span, drawn.reason, drawn.median)
        return _judged(empty, points, self.leaf, suited(rules, drawn.limits.kind), view)


def better_of(leaf: IndicatorDefinition | None) -> int:
    """Return 1 where a high value is better (scores, too), -1 where a low one is, 0 where the best
    is in the middle."""
    return 1 if leaf is None else side_of(leaf)


def _window(leaf: IndicatorDefinition | None, points: Sequence[SeriesPoint]) -> Window:
    numbers = [(p.value, p.n, p.low, p.high) for p in points]
    values, n, low, high = (
        np.array([np.nan if each is None else float(each) for each in column])
        for column in (zip(*numbers, strict=True) if numbers else ((), (), (), ()))
    )
    return window_of(
        leaf,
        values,
        n=np.nan_to_num(n),
        errors=standard_errors(*uncut(values, low, high, is_even(leaf))),
        starts_on=points[0].period.start if points else date.min,
        ends_on=points[-1].period.end if points else date.min,
    )


def _runs(segment: Segment) -> Runs:
    """Return the runs around the median of the baseline, where it is kept, else the centre."""
    kept = [p for p in segment.points if not p.seen.is_excluded and p.z is not None]
    if segment.median is None:
        return runs_of(np.array([p.z for p in kept], dtype=np.float64))
    return runs_of(np.array([p.seen.value for p in kept], dtype=np.float64), segment.median)


def _variation(found: Flags, better: int, runs: Runs | None) -> Variation:
    """Return what the latest point says, or else what the runs of the whole series say."""
    said = variation(found, better)
    if said != Variation.COMMON or runs is None or not runs.is_signal:
        return said
    return Variation.NEITHER_LOW if runs.side < 0 else Variation.NEITHER_HIGH


def _judged(
    empty: Segment,
    own: Sequence[SeriesPoint],
    leaf: IndicatorDefinition | None,
    rules: RuleProfile,
    view: str,
) -> tuple[Segment, Flags]:
    """Return the segment with its points set against its limits."""
    limits, window = empty.limits, _window(leaf, own)
    values, sizes = window.values, window.sizes
    lines = bands(limits, points=len(own), sizes=sizes, width=rules.width)
    least, most = (0.0, np.inf) if limits.kind.between_events else possible_values(leaf)
    z = z_of(values, limits, sizes=sizes)
    is_out = np.array([point.is_excluded for point in own], dtype=np.bool_)
    found = flags(np.where(is_out, np.nan, z)[None], rules)
    spreads = _spreads(limits, window)
    smoothed = _smoothed(limits, np.where(is_out, np.nan, values)) if view == EWMA else {}
    points = tuple(
        ChartPoint(
            seen=point,
            centre=_known(lines.centre[at]) if lines.known[at] else None,
            lower=_known(np.maximum(lines.lower[at], least)),
            upper=_known(np.minimum(lines.upper[at], most)),
            z=_known(z[at]),
            flags=tuple(_flags_at(found, at, own)),
            spread=spreads.get(at),
            smoothed=smoothed.get(at),
        )
        for at, point in enumerate(own)
    )
    return replace(empty, points=points), found


def _spreads(limits: Limits, window: Window) -> dict[int, Lined]:
    """Return the S chart of an x-bar chart: by place, what the values of a period scatter."""
    if limits.kind is not ChartKind.XBAR_S or not limits.status.usable:
        return {}
    found = {}
    for at in np.flatnonzero((window.sizes >= 2) & ~np.isnan(window.spreads)).tolist():
        c4 = float(unbias(window.sizes[at]))
        centre, half = limits.sigma * c4, 3 * limits.sigma * (1 - c4**2) ** 0.5
        found[at] = Lined(float(window.spreads[at]), centre, max(centre - half, 0.0), centre + half)
    return found


def _smoothed(limits: Limits, values: FloatArray) -> dict[int, Lined]:
    """Return the smoothed line by place, from the frozen centre on; only of single values."""
    if limits.kind is not ChartKind.XMR or not limits.status.usable:
        return {}
    found = ewma(values, centre=limits.centre, sigma=limits.sigma)
    return {
        at: Lined(
            float(found.line[at]), limits.centre, float(found.lower[at]), float(found.upper[at])
        )
        for at in np.flatnonzero(~np.isnan(values)).tolist()
    }


def _flags_at(found: Flags, at: int, own: Sequence[SeriesPoint]) -> Iterator[Flag]:
    """Yield the rules of a point in their order of precedence, each with its side."""
    sides = ((found.first_high, 1), (found.first_low, -1), (found.first_neither, 0))
    for rule in found.rules_at(0, at):
        for table, side in sides:
            if rule in table and table[rule][0, at] >= 0:
                yield Flag(rule, side, own[table[rule][0, at]].period.start)


def possible_values(leaf: IndicatorDefinition | None) -> tuple[float, float]:
    """Return the least and the most that a value can be: nobody waits less than no time."""
    if leaf is None:
        return 0.0, 100.0
    if leaf.unit_of_measure not in UnitOfMeasure.values:
        return -np.inf, np.inf
    return UnitOfMeasure(leaf.unit_of_measure).limits


def _known(number: np.float64) -> float | None:
    return None if np.isnan(number) else float(number)


def newest_definitions(
    principal: Principal, system_ids: Collection[int], *grains: Grain
) -> dict[tuple[int, str], SystemDefinition]:
    """Return what the newest figures mean, by system and grain (default: those that have charts).

    One query.
    """
    runs = EvaluationRun.objects.visible_to(principal).current()
    newer = runs.filter(
        system=OuterRef("system"), grain=OuterRef("grain"), starts_on__gt=OuterRef("starts_on")
    )
    wanted = runs.filter(system__in=system_ids, grain__in=grains or CHARTED)
    rows = wanted.filter(~Exists(newer)).order_by("id")
    return {
        (system_id, grain): SystemDefinition.from_json(kept)
        for system_id, grain, kept in rows.values_list("system_id", "grain", "definition")
    }


def _baselines(principal: Principal, key: SeriesKey) -> tuple[Baseline, ...]:
    found = Baseline.objects.visible_to(principal).filter(
        system=key.system_id, unit=key.unit_id, code=key.code, grain=key.grain
    )
    people = found.select_related("proposed_by", "decided_by")
    return tuple(people.order_by("applies_from", "id"))


def _signals(
    principal: Principal, key: SeriesKey, system: IndicatorSystem, unit: Unit
) -> tuple[Signal, ...]:
    """The signals of the series, each with what became of it, the newest first."""
    found = signals_of(principal, key)
    for signal in found:
        signal.system, signal.unit = system, unit
    history = SignalEvent.objects.select_related("by").order_by("-at", "-id")
    prefetch_related_objects(found, Prefetch("history", history), "muted_by")
    return tuple(sorted(found, key=lambda each: (each.found_at, each.pk), reverse=True))
