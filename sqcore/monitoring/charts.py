"""The control chart of one series: its points set against frozen limits, with all that is on it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property

import numpy as np
from django.db.models import Exists, OuterRef, Prefetch, prefetch_related_objects
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotFound
from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.pages import target_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import IndicatorDefinition, SystemDefinition
from sqcore.indicators.models import IndicatorSystem, UnitOfMeasure
from sqcore.monitoring.models import Annotation, Baseline, Signal, SignalEvent
from sqcore.monitoring.passes import BASELINE_PERIODS, drawn_limits
from sqcore.monitoring.queries import (
    SeriesKey,
    SeriesPoint,
    annotations_of,
    signals_of,
    visible_series,
)
from sqcore.org.models import Unit
from sqcore.stats.arrays import FloatArray
from sqcore.stats.charts import (
    TRIAL_BELOW,
    ChartKind,
    ChartStatus,
    Limits,
    bands,
    freeze,
    z_of,
)
from sqcore.stats.rules import (
    PROFILES,
    Assurance,
    Flags,
    Rule,
    RuleProfile,
    Variation,
    assurance,
    flags,
    variation,
)
from sqcore.stats.runs import Runs, runs_of

USUAL_PROFILE = "nhs"
CHARTED = tuple(BASELINE_PERIODS)
"""The grains that have charts."""


@dataclass(frozen=True)
class Flag:
    """A rule that a point belongs to: on which side (1, -1, 0: none), and since which period this
    could be seen."""

    rule: Rule
    side: int
    seen_on: date


@dataclass(frozen=True)
class ChartPoint:
    """A period with its limits; without a value there is nothing to set against them."""

    seen: SeriesPoint
    centre: float | None = None
    lower: float | None = None
    upper: float | None = None
    z: float | None = None
    flags: tuple[Flag, ...] = ()

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
    baseline: Baseline | None = None

    @property
    def is_frozen(self) -> bool:
        return self.baseline is not None


@dataclass(frozen=True)
class Reading:
    """A series set against its limits: the newest segment says the variation and the assurance.

    `variation` is None while there are no limits to judge by. Numbers are in natural units, of
    scores in points; `better` is 1 where high is better, else -1. `baselines` are all of the
    series, those that wait or were declined too, in the order in which they would take over.
    `runs` are those of the newest segment, where the profile reads them.
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
        """Why this kind of chart: a code of `sqcore.stats.charts.chart_for`."""
        return reason_of(self.limits, self.leaf)


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
    """Return the control chart of a series: the periods that ended until today.

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
) -> Chart:
    """Return the same as `chart_of` to whom has read the system and the unit already."""
    key = SeriesKey(system.pk, unit.pk, code, grain)
    definitions = newest_definitions(principal, [key.system_id], key.grain)
    definition = definitions.get((key.system_id, key.grain.value))
    if definition is None:
        raise NotFound(_("There is no such series."))
    read = reading_of(
        principal=principal, key=key, definition=definition, profile=profile, today=today
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
) -> Reading:
    """Return a series set against its limits; `definition` is what its newest figures mean.

    Three queries, a fourth where something is excluded at a unit. raises: as `chart_of`
    """
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise InvalidInput(f"There is no profile “{profile[:40]}”; there are: {known}.")
    rules = PROFILES[profile]
    seen = visible_series(principal=principal, key=key, through=today)
    leaf = definition.indicator(key.code)
    baselines = _baselines(principal, key)
    judged = list(_segments(seen, baselines, leaf, rules))
    newest, found = judged[-1]
    better = 1 if leaf is None or leaf.best > leaf.worst else -1
    target = target_of(definition, key.code)
    size = next((p.seen.n for p in reversed(newest.points) if p.seen.value is not None), None)
    runs = _runs(newest) if rules.has_runs else None
    return Reading(
        key=key,
        definition=definition,
        profile=rules,
        segments=tuple(segment for segment, _found in judged),
        variation=_variation(found, better, runs) if newest.limits.status.usable else None,
        assurance=assurance(newest.limits, target, better, size=size, width=rules.width),
        target=target,
        better=better,
        baselines=baselines,
        runs=runs,
    )


def _runs(segment: Segment) -> Runs:
    kept = [np.nan if p.seen.is_excluded or p.z is None else p.z for p in segment.points]
    return runs_of(np.array(kept, dtype=np.float64))


def _variation(found: Flags, better: int, runs: Runs | None) -> Variation:
    """Return what the latest point says, or else what the runs of the whole series say."""
    said = variation(found, better)
    if said != Variation.COMMON or runs is None or not runs.is_signal:
        return said
    return Variation.NEITHER_LOW if runs.side < 0 else Variation.NEITHER_HIGH


def reason_of(limits: Limits, leaf: IndicatorDefinition | None) -> str:
    """Return why a series has this kind of chart, a code as `chart_for` gives it.

    A baseline keeps its kind and its factor, and those say why it was chosen.
    """
    if not limits.kind.sized:
        sized = leaf is not None and leaf.statistic in ("proportion", "rate")
        return "no_sizes" if sized else "single_values"
    if not limits.kind.prime:
        return "as_sizes_explain" if limits.status.usable else "too_short_to_tell"
    return "more_than_sizes_explain" if limits.sigma > 1 else "less_than_sizes_explain"


def limits_of(baseline: Baseline) -> Limits:
    """Return the limits that a baseline keeps."""
    if not baseline.spread:
        status = ChartStatus.ZERO_VARIANCE
    else:
        status = ChartStatus.TRIAL if baseline.n < TRIAL_BELOW else ChartStatus.OK
    return Limits(
        kind=ChartKind(baseline.kind),
        status=status,
        centre=baseline.centre,
        sigma=baseline.sigma,
        spread=baseline.spread,
        n0=baseline.n,
        screened=baseline.screened,
        phi=baseline.phi,
    )


def _segments(
    seen: Sequence[SeriesPoint],
    baselines: Sequence[Baseline],
    leaf: IndicatorDefinition | None,
    rules: RuleProfile,
) -> Iterator[tuple[Segment, Flags]]:
    """Yield the points of each baseline, judged by it; the first also judges what came before."""
    held = [each for each in baselines if each.state == Baseline.State.IN_FORCE]
    if not held:
        yield _trial(seen, leaf, rules)
        return
    ends = [each.applies_from for each in held[1:]] + [date.max]
    begins = date.min
    for baseline, end in zip(held, ends, strict=True):
        own = [point for point in seen if begins <= point.period.start < end]
        span = (baseline.starts_on, baseline.ends_on)
        yield _judged(own, limits_of(baseline), span, baseline, leaf, rules)
        begins = end


def _trial(
    seen: Sequence[SeriesPoint], leaf: IndicatorDefinition | None, rules: RuleProfile
) -> tuple[Segment, Flags]:
    """Judge a series without a baseline by its first points: as many as one would be frozen from,
    or those that there are."""
    usable = [point for point in seen if point.value is not None and not point.is_excluded]
    first = usable[: BASELINE_PERIODS.get(seen[0].period.grain)]
    values = _values(first)
    single = freeze(values, kind=ChartKind.XMR)
    limits = drawn_limits(leaf, values, sizes=_sizes(first), single=single)
    span = (first[0].period.start, first[-1].period.end) if first else (date.min, date.min)
    return _judged(seen, limits, span, None, leaf, rules)


def _judged(
    own: Sequence[SeriesPoint],
    limits: Limits,
    span: tuple[date, date],
    baseline: Baseline | None,
    leaf: IndicatorDefinition | None,
    rules: RuleProfile,
) -> tuple[Segment, Flags]:
    values, sizes = _values(own), _sizes(own)
    lines = bands(limits, points=len(own), sizes=sizes, width=rules.width)
    least, most = possible_values(leaf)
    z = z_of(values, limits, sizes=sizes)
    is_out = np.array([point.is_excluded for point in own], dtype=np.bool_)
    found = flags(np.where(is_out, np.nan, z)[None], rules)
    points = tuple(
        ChartPoint(
            seen=point,
            centre=_known(lines.centre[at]) if lines.known[at] else None,
            lower=_known(np.maximum(lines.lower[at], least)),
            upper=_known(np.minimum(lines.upper[at], most)),
            z=_known(z[at]),
            flags=tuple(_flags_at(found, at, own)),
        )
        for at, point in enumerate(own)
    )
    return Segment(limits, points, span, baseline), found


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


def _values(points: Sequence[SeriesPoint]) -> FloatArray:
    return np.array([np.nan if p.value is None else p.value for p in points], dtype=np.float64)


def _sizes(points: Sequence[SeriesPoint]) -> FloatArray:
    return np.array([point.n or 0 for point in points], dtype=np.float64)


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
