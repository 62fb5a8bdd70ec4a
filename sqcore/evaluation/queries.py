"""Reading the KPI series. Every figure comes through `KpiValue.objects.visible_to`."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db.models import Max, Q, QuerySet, Value

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.evaluation import frozen, standard_errors
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import (
    COMPOSITE,
    OVERALL_NAME,
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
    counts_of_code,
    scored_leaves,
    source_title,
)
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.indicators.shapes import is_even, scoring_of
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import UnitTree, fiscal_start, organisation
from sqcore.stats.composite import FLOOR
from sqcore.stats.differences import Bounded, difference

MARGINS = ("channel", "segment")

_FIELDS = (
    "run_id",
    "unit_id",
    "grain",
    "starts_on",
    "margin",
    "margin_value",
    "kind",
    "code",
    "status",
    "reason",
    "value",
    "low",
    "high",
    "score",
    "score_low",
    "score_high",
    "n",
    "coverage",
)


@dataclass(frozen=True)
class Figure:
    """One row of the series. Without numbers, n included, unless `is_shown`."""

    run_id: int
    unit_id: int
    period: Period
    margin: str
    margin_value: str
    kind: str
    code: str
    status: str
    reason: str
    value: float | None
    low: float | None
    high: float | None
    score: float | None
    score_low: float | None
    score_high: float | None
    n: int | None
    coverage: float | None

    @property
    def is_shown(self) -> bool:
        return self.status == KpiValue.Status.OK

    @property
    def status_label(self) -> str:
        return str(KpiValue.Status(self.status).label)

    @property
    def is_held(self) -> bool:
        """True when answers came in since, but too few to show what they changed."""
        return self.reason == KpiValue.Reason.HELD


@dataclass(frozen=True)
class Change:
    """What became of a figure since the period before, on the indicators that both periods have.

    `by` with its interval is in score points, of an indicator in its natural unit. It is clear
    when the interval leaves 0 out; `is_better` is None when it is not. `composition_changed` says
    that the two periods do not have the same indicators: `came` and `went` are their names, and
    `redefined` are those that measure something else now.
    `points`: of an indicator whose score has a shape, the change of the score, and whether that
    says better; None where points rise evenly with the value, or the shape is another.
    """

    since: Period
    by: float
    low: float
    high: float
    is_clear: bool
    is_better: bool | None
    composition_changed: bool = False
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    redefined: tuple[str, ...] = ()
    points: "Change | None" = None


@dataclass(frozen=True)
class Line:
    """A figure in its place in the tree of the system. Without a figure: nothing was measured.

    `is_redefined`: it measured something else in the period before, so that there is no change.
    """

    code: str
    name: str
    kind: str
    weight: float
    figure: Figure | None
    change: Change | None
    children: tuple["Line", ...] = ()
    indicator: IndicatorDefinition | None = None
    is_redefined: bool = False


@dataclass(frozen=True)
class Standing:
    """Where a unit stands in a period: overall, by dimension, by indicator."""

    unit_id: int
    period: Period
    run: "Provenance"
    composite: Line
    dimensions: tuple[Line, ...]


@dataclass(frozen=True)
class UnitLine:
    unit_id: int
    code: str
    name: str
    depth: int
    parent_id: int | None
    figure: Figure
    change: Change | None


@dataclass(frozen=True)
class MarginLine:
    """A channel or segment (value "" and its name "" for all together)."""

    value: str
    name: str
    figure: Figure


@dataclass(frozen=True)
class Overview:
    """One period as a page shows it: a unit's standing, its parts, and other units beside it.

    `units` holds the composite and each dimension (and `code`) of every unit by code, `margins`
    one code of the unit by channel and by segment, without the line of all together.
    """

    standing: "Standing"
    units: Mapping[str, list[UnitLine]]
    margins: Mapping[str, list[MarginLine]]


@dataclass(frozen=True)
class Provenance:
    """From what, how and since when: what stands behind every figure of a run."""

    run_id: int
    revision: int
    period: Period
    system: str
    version: int
    reason: str
    collected_at: datetime | None
    published_at: datetime | None
    sources: tuple[str, ...]
    respondents: int | None
    smallest_group: int
    coverage: float
    confidence: float
    input_digest: str
    result_digest: str
    libraries: Mapping[str, str]
    definition: SystemDefinition


def grains_of(*, system: IndicatorSystem) -> list[Grain]:
    """Return the grains that there are results of, finest first. One query."""
    found = set(
        EvaluationRun.objects.current()
        .filter(system=system)
        .order_by()
        .values_list("grain", flat=True)
        .distinct()
    )
    return [grain for grain in Grain if grain.value in found]


def periods_of(*, system: IndicatorSystem, grain: Grain) -> list[Period]:
    """Return the periods that there are results of, newest first. Two queries."""
    fiscal_start = organisation().fiscal_start
    starts = (
        EvaluationRun.objects.current()
        .filter(system=system, grain=grain)
        .order_by("-starts_on")
        .values_list("starts_on", flat=True)
    )
    return [Period(start, grain, fiscal_start) for start in starts]


def latest_period(*, system: IndicatorSystem, grain: Grain) -> Period | None:
    """Return the newest period that there are results of. One query, two when there is one."""
    start = (
        EvaluationRun.objects.current()
        .filter(system=system, grain=grain)
        .order_by("-starts_on")
        .values_list("starts_on", flat=True)
        .first()
    )
    return None if start is None else Period(start, grain, organisation().fiscal_start)


def systems_with_results(
    *, principal: Principal
) -> list[tuple[IndicatorSystem, dict[Grain, list[Period]]]]:
    """Return the active systems that there are results of, the one defined first at the front,
    with their periods by grain, finest first, each newest first. One query, and seldom a second.
    """
    begins = fiscal_start()
    runs = (
        EvaluationRun.objects.visible_to(principal)
        .current()
        .filter(system__is_active=True, system__versions__state=SystemVersion.State.PUBLISHED)
        .order_by("system_id", "-starts_on", "id")
        .values_list("grain", "starts_on", "system_id", "system__code", "system__name")
    )
    systems: dict[int, IndicatorSystem] = {}
    found: dict[int, dict[str, list[Period]]] = {}
    for grain, start, pk, code, name in runs:
        systems.setdefault(pk, IndicatorSystem(pk=pk, code=code, name=name, is_active=True))
        periods = found.setdefault(pk, {}).setdefault(grain, [])
        periods.append(Period(start, Grain(grain), begins))
    return [
        (system, {grain: found[pk][grain] for grain in Grain if grain in found[pk]})
        for pk, system in systems.items()
    ]


def evaluated(*, system: IndicatorSystem) -> dict[Grain, list[Period]]:
    """Return the periods that there are results of by grain, finest first, each newest first.

    One query, and seldom a second.
    """
    begins = fiscal_start()
    found: dict[str, list[Period]] = {}
    runs = EvaluationRun.objects.current().filter(system=system).order_by("-starts_on", "id")
    for grain, start in runs.values_list("grain", "starts_on"):
        found.setdefault(grain, []).append(Period(start, Grain(grain), begins))
    return {grain: found[grain] for grain in Grain if grain in found}


def series_of(definition: SystemDefinition) -> list[dict[str, Any]]:
    """Return what each code of a run stands for: overall, dimensions, indicators."""
    found: list[dict[str, Any]] = []
    nothing = {"floor": None, "unit_of_measure": "", "statistic": "", "stage": "", "formula": ""}
    ends = {"worst": None, "best": None, "shape": "", "dead_band": None, "limit": None, "knots": ()}
    if definition.whole:
        whole = {"name": OVERALL_NAME, "weight": 1.0, "target": definition.target}
        found.append({"code": COMPOSITE, "kind": "composite", **whole, **nothing, **ends})
        for each in definition.all_dimensions():
            part = {"name": each.name, "weight": each.weight, "target": each.target}
            found.append({"code": each.code, "kind": "dimension", **part, **nothing, **ends})
    for leaf in definition.all_indicators():
        named = ("code", "name", "weight", "target", *nothing, *ends)
        found.append({"kind": "indicator", **{name: getattr(leaf, name) for name in named}})
    return [{**each, "counts": counts_of_code(definition, each["code"])} for each in found]


def is_anything_evaluated() -> bool:
    return EvaluationRun.objects.current().exists()


def last_published_at() -> datetime | None:
    """Return when results were last published."""
    return EvaluationRun.objects.aggregate(last=Max("published_at"))["last"]  # type: ignore[no-any-return]  # a DateTimeField's maximum


def top_units(*, principal: Principal, run: EvaluationRun) -> list[int]:
    """Return the highest units of the run's tree whose results the asker may see."""
    scope = principal.scope(Permission.VIEW_RESULTS)
    parents = _parents(run)
    return [
        unit
        for unit, parent in parents.items()
        if unit in scope and (parent is None or parent not in scope)
    ]


def unit_and_above(*, principal: Principal, run: EvaluationRun, code: str) -> list[Unit]:
    """Return the unit of this code, after all above it that the asker may see; none when there is
    no such unit for them. One query, which reads whatever has units below it."""
    parents = _parents(run)
    above = {parent for parent in parents.values() if parent is not None}
    visible = Unit.objects.visible_to(principal, Permission.VIEW_RESULTS)
    units = {
        unit.pk: unit for unit in visible.filter(Q(code=code) | Q(pk__in=above)).order_by("code")
    }
    unit_id = next((pk for pk, unit in units.items() if unit.code == code), None)
    if unit_id is None:
        return []
    path = UnitTree(parents).path(unit_id) if unit_id in parents else [unit_id]
    return [units[found] for found in reversed(list(path)) if found in units]


def run_of(
    *, system: IndicatorSystem, period: Period
) -> tuple[EvaluationRun, EvaluationRun | None]:
    """Return the current runs of a period and of the one before. One query. raises: NotFound"""
    runs = _runs(system, period)
    if period.start not in runs:
        raise NotFound(f"{period} is not evaluated.")
    return runs[period.start], runs.get(period.previous.start)


def overview(
    *,
    principal: Principal,
    run: EvaluationRun,
    former: EvaluationRun | None,
    unit: Unit,
    code: str = COMPOSITE,
    below: Unit | None = None,
    parts: bool = True,
) -> Overview:
    """Return what a page shows of a period; two queries, whatever the number of units.

    `former` is the current run of the period before, as `run_of` returns it.
    `code` is broken down by channel and segment if `parts`; `below` keeps only its children.
    """
    period = Period(run.starts_on, Grain(run.grain), fiscal_start())
    definition, formerly = SystemDefinition.from_json(run.definition), _definition(former)
    parents = _parents(run)
    codes = [COMPOSITE, *(found.code for found in definition.all_dimensions())]
    codes = codes if code in codes else [*codes, code]
    beside = Q(code__in=codes)
    if below is not None:
        children = [found for found, parent in parents.items() if parent == below.pk]
        beside &= Q(unit__in=children)
    wanted = Q(margin="") & (Q(unit=unit) | beside)
    if parts:
        wanted |= Q(margin__in=MARGINS, unit=unit, code=code, run=run)
    # By run, not by period: the index that begins with it finds the few rows of one period.
    rows = (
        KpiValue.objects.visible_to(principal)
        .current()
        .filter(run__in=[run, former] if former else [run])
        .filter(wanted)
        .order_by("id")
    )
    names: dict[int, tuple[str, str]] = {}
    at: dict[tuple[date, str], dict[int, Figure]] = {}
    broken_down: dict[tuple[str, str], Figure] = {}
    for row in rows.values(*_FIELDS, "unit__code", "unit__name"):
        figure = _figure(row, period.fiscal_start)
        if figure.margin:
            broken_down[figure.margin, figure.margin_value] = figure
            continue
        names[figure.unit_id] = (row["unit__code"], in_language(row["unit__name"]))
        at.setdefault((figure.period.start, figure.code), {})[figure.unit_id] = figure
    own = {
        start: {
            key[1]: found[unit.pk]
            for key, found in at.items()
            if key[0] == start and unit.pk in found
        }
        for start in (period.start, period.previous.start)
    }
    compare = _Compared(names, parents, definition, formerly)
    beside_ids = None if below is None else set(children)
    return Overview(
        standing=_standing(
            unit.pk, run, definition, formerly, own[period.start], own[period.previous.start]
        ),
        units={
            each: compare.lines(
                at.get((period.start, each), {}),
                at.get((period.previous.start, each), {}),
                only=beside_ids,
            )
            for each in codes
        },
        margins=_broken_down(broken_down),
    )


def margin_names() -> list[tuple[str, str, str]]:
    """Return (margin, code, name) of every channel and segment in their order. One query."""
    fields = ("margin_of", "position", "id", "code", "name")
    channels = Channel.objects.annotate(margin_of=Value("channel")).order_by()
    segments = Segment.objects.annotate(margin_of=Value("segment")).order_by()
    rows = channels.values_list(*fields).union(segments.values_list(*fields), all=True)
    return [(row[0], row[3], in_language(row[4])) for row in sorted(rows, key=lambda row: row[:3])]


def _broken_down(figures: Mapping[tuple[str, str], Figure]) -> dict[str, list[MarginLine]]:
    found: dict[str, list[MarginLine]] = {margin: [] for margin in MARGINS}
    for margin, value, name in margin_names() if figures else []:
        if (margin, value) in figures:
            found[margin].append(MarginLine(value, name, figures[margin, value]))
    return found


def history(
    *,
    principal: Principal,
    system: IndicatorSystem,
    unit: Unit,
    codes: Sequence[str],
    periods: Sequence[Period],
) -> dict[str, dict[date, Figure]]:
    """Return these codes of a unit, all together, by code and start of period. One query."""
    found: dict[str, dict[date, Figure]] = {code: {} for code in codes}
    if not periods:
        return found
    starts = [period.start for period in periods]
    rows = _visible(principal, system).filter(
        unit=unit,
        code__in=codes,
        grain=periods[0].grain,
        margin="",
        starts_on__gte=min(starts),
        starts_on__lte=max(starts),
    )
    for figure in _figures(rows.order_by("starts_on", "id"), periods[0].fiscal_start):
        found[figure.code][figure.period.start] = figure
    return found


def kpi_series(
    *,
    principal: Principal,
    system: IndicatorSystem,
    unit: Unit,
    code: str,
    grain: Grain,
    margin: str = "",
    margin_value: str = "",
    first: date | None = None,
    last: date | None = None,
) -> list[Figure]:
    """Return one series, oldest first; `first` and `last` bound the starts of its periods.

    A period without data has no figure. Two queries.
    """
    rows = _visible(principal, system).filter(
        unit=unit, code=code, grain=grain, margin=margin, margin_value=margin_value
    )
    if first is not None:
        rows = rows.filter(starts_on__gte=first)
    if last is not None:
        rows = rows.filter(starts_on__lte=last)
    return _figures(rows.order_by("starts_on"), fiscal_start())


def standing(
    *, principal: Principal, system: IndicatorSystem, unit: Unit, period: Period
) -> Standing:
    """Return where a unit stands in a period, with each change since the period before.

    Three queries. raises: NotFound when the period was not evaluated
    """
    runs = _runs(system, period)
    run = runs.get(period.start)
    if run is None:
        raise NotFound(f"{period} is not evaluated.")
    before = runs.get(period.previous.start)
    rows = _visible(principal, system).filter(
        unit=unit, grain=period.grain, margin="", starts_on__in=list(runs)
    )
    figures = _by_period(_figures(rows.order_by("id"), period.fiscal_start))
    return _standing(
        unit.pk,
        run,
        SystemDefinition.from_json(run.definition),
        _definition(before),
        figures.get(period.start, {}),
        figures.get(period.previous.start, {}),
    )


def units_compared(
    *,
    principal: Principal,
    system: IndicatorSystem,
    period: Period,
    code: str,
    margin: str = "",
    margin_value: str = "",
    below: Unit | None = None,
) -> list[UnitLine]:
    """Return one code at every unit that has it, in the order of the tree; two queries.

    `below` limits it to the unit and its children. The change of a dimension or the composite is
    given only where both periods have the same indicators.
    """
    runs = _runs(system, period)
    run = runs.get(period.start)
    if run is None:
        return []
    rows = _visible(principal, system).filter(
        code=code,
        grain=period.grain,
        margin=margin,
        margin_value=margin_value,
        starts_on__in=list(runs),
    )
    parents = _parents(run)
    if below is not None:
        children = [unit for unit, parent in parents.items() if parent == below.pk]
        rows = rows.filter(unit_id__in=[below.pk, *children])
    names = {}
    figures: dict[date, dict[int, Figure]] = {}
    for row in rows.order_by("id").values(*_FIELDS, "unit__code", "unit__name"):
        figure = _figure(row, period.fiscal_start)
        names[figure.unit_id] = (row["unit__code"], in_language(row["unit__name"]))
        figures.setdefault(figure.period.start, {})[figure.unit_id] = figure
    compare = _Compared(
        names,
        parents,
        SystemDefinition.from_json(run.definition),
        _definition(runs.get(period.previous.start)),
    )
    return compare.lines(figures.get(period.start, {}), figures.get(period.previous.start, {}))


def margins_compared(
    *,
    principal: Principal,
    system: IndicatorSystem,
    unit: Unit,
    period: Period,
    code: str,
    margin: str,
) -> list[MarginLine]:
    """Return one code of a unit for all together and for each channel or segment; two queries."""
    kinds: Mapping[str, QuerySet[Channel] | QuerySet[Segment]] = {
        "channel": Channel.objects.order_by("position", "id"),
        "segment": Segment.objects.order_by("position", "id"),
    }
    if margin not in kinds:
        raise NotFound(f"There is no breakdown by “{margin}”.")
    rows = _visible(principal, system).filter(
        unit=unit,
        code=code,
        grain=period.grain,
        starts_on=period.start,
        margin__in=["", margin],
    )
    figures = {
        figure.margin_value: figure for figure in _figures(rows.order_by("id"), period.fiscal_start)
    }
    named = {"": "", **{found.code: str(found) for found in kinds[margin]}}
    return [
        MarginLine(value, name, figures[value]) for value, name in named.items() if value in figures
    ]


def standard_errors_of(*, run: EvaluationRun, code: str) -> dict[int, tuple[float, float]]:
    """Return how sure the scores of one code are, by unit: standard error in points and degrees of
    freedom. One query.

    A unit is missing whose figures were held from before; all are, of runs of before they were
    kept.
    """
    stored = FrozenCells.objects.filter(run=run, source=standard_errors.KEY).first()
    if stored is None:
        return {}
    return standard_errors.thaw(frozen.decompressed(bytes(stored.content))).of(code)


def provenance(*, principal: Principal, run_id: int) -> Provenance:
    """Return what stands behind the figures of a run. Two queries. raises: NotFound"""
    run = (
        EvaluationRun.objects.visible_to(principal)
        .filter(state=EvaluationRun.State.PUBLISHED, pk=run_id)
        .select_related("system", "version")
        .first()
    )
    if run is None:
        raise NotFound("There is no such evaluation.")
    definition = SystemDefinition.from_json(run.definition)
    return _provenance(run, definition, organisation().fiscal_start)


def _visible(principal: Principal, system: IndicatorSystem) -> QuerySet[KpiValue]:
    return KpiValue.objects.visible_to(principal).current().filter(system=system)


def _runs(system: IndicatorSystem, period: Period) -> dict[date, EvaluationRun]:
    """Return the current runs of a period and the one before, by start."""
    found = (
        EvaluationRun.objects.current()
        .filter(
            system=system,
            grain=period.grain,
            starts_on__in=[period.start, period.previous.start],
        )
        .select_related("system", "version")
    )
    return {run.starts_on: run for run in found}


@dataclass(frozen=True)
class _Compared:
    """Units in the order of the tree, each with its change."""

    names: Mapping[int, tuple[str, str]]
    parents: Mapping[int, int | None]
    definition: SystemDefinition
    former: SystemDefinition | None

    def lines(
        self,
        now: Mapping[int, Figure],
        then: Mapping[int, Figure],
        *,
        only: Collection[int] | None = None,
    ) -> list[UnitLine]:
        same = self.former is not None and _shape(self.former) == _shape(self.definition)
        return [
            UnitLine(
                unit_id=unit_id,
                code=self.names[unit_id][0],
                name=self.names[unit_id][1],
                depth=depth,
                parent_id=self.parents.get(unit_id),
                figure=now[unit_id],
                change=self._change(now[unit_id], then.get(unit_id), same=same),
            )
            for unit_id, depth in _in_tree_order(self.parents, self.names)
            if unit_id in now and (only is None or unit_id in only)
        ]

    def _change(self, now: Figure, then: Figure | None, *, same: bool) -> Change | None:
        is_leaf = self.definition.indicator(now.code) is not None
        if is_leaf and not _asked_alike(self.former, self.definition, now.code):
            return None
        return _plain_change(now, then, self.definition, same=same)


def _standing(
    unit_id: int,
    run: EvaluationRun,
    definition: SystemDefinition,
    former: SystemDefinition | None,
    now: Mapping[str, Figure],
    then: Mapping[str, Figure],
) -> Standing:
    compare = _Comparison(definition, former, now, then)
    provenance = _provenance(run, definition, fiscal_start())
    return Standing(
        unit_id=unit_id,
        period=provenance.period,
        run=provenance,
        composite=Line(
            code=COMPOSITE,
            name=definition.name_of(COMPOSITE),
            kind=KpiValue.Kind.COMPOSITE,
            weight=1.0,
            figure=now.get(COMPOSITE),
            change=compare.aggregate(COMPOSITE, definition.dimensions),
        ),
        dimensions=tuple(_line(found, now, compare) for found in definition.dimensions),
    )


def _definition(run: EvaluationRun | None) -> SystemDefinition | None:
    return None if run is None else SystemDefinition.from_json(run.definition)


def _parents(run: EvaluationRun) -> dict[int, int | None]:
    return {int(unit): parent for unit, parent in run.tree.items()}


def _in_tree_order(
    parents: Mapping[int, int | None], names: Mapping[int, tuple[str, str]]
) -> Iterable[tuple[int, int]]:
    """Yield (unit, depth), parents before children, siblings by code."""
    below: dict[int | None, list[int]] = {}
    for unit, parent in parents.items():
        below.setdefault(parent, []).append(unit)

    def walk(at: int | None, depth: int) -> Iterable[tuple[int, int]]:
        for unit in sorted(below.get(at, []), key=lambda u: names.get(u, ("", ""))[0]):
            if unit in names:
                yield unit, depth
            yield from walk(unit, depth + 1)

    yield from walk(None, 0)


def _figures(rows: QuerySet[KpiValue], fiscal_start: int) -> list[Figure]:
    return [_figure(row, fiscal_start) for row in rows.values(*_FIELDS)]


def _figure(row: Mapping[str, Any], fiscal_start: int) -> Figure:
    fields = {name: row[name] for name in _FIELDS}
    period = Period(fields.pop("starts_on"), Grain(fields.pop("grain")), fiscal_start)
    return Figure(period=period, **fields)


def _by_period(figures: Sequence[Figure]) -> dict[date, dict[str, Figure]]:
    found: dict[date, dict[str, Figure]] = {}
    for figure in figures:
        found.setdefault(figure.period.start, {})[figure.code] = figure
    return found


def _line(
    dimension: DimensionDefinition, now: Mapping[str, Figure], compare: "_Comparison"
) -> Line:
    leaves = [
        Line(
            code=leaf.code,
            name=in_language(leaf.name),
            kind=KpiValue.Kind.INDICATOR,
            weight=leaf.weight,
            figure=now.get(leaf.code),
            change=compare.indicator(leaf),
            indicator=leaf,
            is_redefined=compare.is_redefined(leaf.code),
        )
        for leaf in dimension.indicators
    ]
    return Line(
        code=dimension.code,
        name=in_language(dimension.name),
        kind=KpiValue.Kind.DIMENSION,
        weight=dimension.weight,
        figure=now.get(dimension.code),
        change=compare.aggregate(dimension.code, [dimension]),
        children=(*(_line(below, now, compare) for below in dimension.dimensions), *leaves),
    )


class _Comparison:
    """The figures of two periods side by side, by code."""

    def __init__(
        self,
        definition: SystemDefinition,
        former: SystemDefinition | None,
        now: Mapping[str, Figure],
        then: Mapping[str, Figure],
    ) -> None:
        self.definition, self.former = definition, former
        self.now, self.then = now, then

    def indicator(self, leaf: IndicatorDefinition) -> Change | None:
        former = self.former.indicator(leaf.code) if self.former else None
        if not _asked_alike(self.former, self.definition, leaf.code):
            return None
        now, then = self.now.get(leaf.code), self.then.get(leaf.code)
        return _value_change(now, then, leaf, alike=_scores_alike(former, leaf))

    def is_redefined(self, code: str) -> bool:
        """True when the former period has it too, and it measured something else then."""
        known = self.former is not None and self.former.indicator(code) is not None
        return known and not _asked_alike(self.former, self.definition, code)

    def aggregate(self, code: str, roots: Sequence[DimensionDefinition]) -> Change | None:
        """Compare a dimension or the composite on the indicators that both periods show.

        Where these are all there are, the published intervals serve. Else the score of what is
        common is computed anew, with the widest interval that any correlation could give it.
        Between an arithmetic and a geometric mean there is no change: they do not say the same.
        """
        if self.former is not None and self.former.aggregation != self.definition.aggregation:
            return None
        after, before = self.now.get(code), self.then.get(code)
        if after is None or before is None or not (after.is_shown and before.is_shown):
            return None
        common, complete = self._common(roots)
        if not common:
            return None
        if complete:
            return _score_change(_score(after), _score(before), after, before)
        found = _score_change(
            self._partial(roots, common, self.now),
            self._partial(roots, common, self.then),
            after,
            before,
            composition_changed=True,
        )
        now = self._shown(self.definition, self.now, roots)
        then = self._shown(self.former, self.then, roots)
        redefined = {code for code in now & then if self.is_redefined(code)}
        return found and replace(
            found,
            came=self._names(self.definition, now - redefined, common),
            went=self._names(self.former, then - redefined, common),
            redefined=self._names(self.definition, redefined, common),
        )

    def _shown(
        self,
        source: SystemDefinition | None,
        rows: Mapping[str, Figure],
        roots: Sequence[DimensionDefinition],
    ) -> set[str]:
        """The codes of what counts in these dimensions and is shown."""
        codes = self._codes(source, roots)
        return {code for code in codes if code in rows and rows[code].is_shown}

    @staticmethod
    def _names(
        source: SystemDefinition | None, shown: set[str], common: set[str]
    ) -> tuple[str, ...]:
        if source is None:
            return ()
        order = [leaf.code for leaf in source.all_indicators()]
        return tuple(source.name_of(code) for code in order if code in shown - common)

    def _common(self, roots: Sequence[DimensionDefinition]) -> tuple[set[str], bool]:
        """The indicators that both periods show alike, and whether there are no others."""
        mine = {
            leaf.code: leaf for root in roots for each in root.walk() for leaf in each.indicators
        }
        shown = [
            self._shown(self.definition, self.now, roots),
            self._shown(self.former, self.then, roots),
        ]
        alike = {
            code
            for code in shown[0] & shown[1]
            if _asked_alike(self.former, self.definition, code)
            and self.former is not None
            and _scores_alike(self.former.indicator(code), mine[code])
        }
        same_tree = self.former is not None and _shape(self.former) == _shape(self.definition)
        return alike, same_tree and shown[0] == shown[1] == alike

    def _codes(
        self, source: SystemDefinition | None, roots: Sequence[DimensionDefinition]
    ) -> set[str]:
        if source is None:
            return set()
        wanted = {root.code for root in roots}
        return {
            leaf.code
            for top in source.all_dimensions()
            if top.code in wanted
            for leaf in scored_leaves([replace(top, weight=1.0)])
        }

    def _partial(
        self,
        roots: Sequence[DimensionDefinition],
        common: set[str],
        rows: Mapping[str, Figure],
    ) -> Bounded:
        """The mean of the common indicators, as if they were perfectly correlated."""
        weights = {code: weight for root in roots for code, weight in _leaf_weights(root).items()}
        total = sum(weights[code] for code in common)
        shares = [(weights[code] / total, _score(rows[code])) for code in sorted(common)]
        mean = _geometric if self.definition.is_geometric else _arithmetic
        return Bounded(
            mean([(share, each.value) for share, each in shares]),
            mean([(share, each.low) for share, each in shares]),
            mean([(share, each.high) for share, each in shares]),
        )


def _arithmetic(shares: Sequence[tuple[float, float]]) -> float:
    return sum(share * score for share, score in shares)


def _geometric(shares: Sequence[tuple[float, float]]) -> float:
    return math.exp(sum(share * math.log(max(score, FLOOR)) for share, score in shares))


def _asked(definition: SystemDefinition, leaf: IndicatorDefinition) -> tuple[Any, ...]:
    """What is measured, in what its formula needs too: what makes two values comparable."""
    operands = [(name, definition.indicator(name)) for name in leaf.names]
    return (
        leaf.source,
        leaf.measure,
        leaf.formula,
        leaf.statistic,
        leaf.unit_of_measure,
        *((name, found and _asked(definition, found)) for name, found in operands),
    )


def _asked_alike(former: SystemDefinition | None, now: SystemDefinition, code: str) -> bool:
    """Whether an indicator measured the same then; over the border of an epoch it did not."""
    then, leaf = former.indicator(code) if former else None, now.indicator(code)
    if former is None or then is None or leaf is None:
        return False
    return _asked(former, then) == _asked(now, leaf)


def _scores_alike(former: IndicatorDefinition | None, leaf: IndicatorDefinition) -> bool:
    """Whether a value of it had the same score then."""
    return former is not None and scoring_of(former) == scoring_of(leaf)


def _shape(definition: SystemDefinition) -> Any:
    """All that decides what a score means: targets, names and what is watched do not."""

    def of(dimension: DimensionDefinition) -> Any:
        leaves = [
            (leaf.code, leaf.weight, scoring_of(leaf), _asked(definition, leaf))
            for leaf in dimension.indicators
            if leaf.weight
        ]
        below = [of(each) for each in dimension.dimensions]
        return dimension.code, dimension.weight, leaves, below

    return definition.aggregation, [of(top) for top in definition.dimensions]


def _leaf_weights(root: DimensionDefinition) -> dict[str, float]:
    weights = {leaf.code: root.weight * leaf.weight for leaf in root.indicators}
    for below in root.dimensions:
        weights |= {code: root.weight * weight for code, weight in _leaf_weights(below).items()}
    return weights


def _score(figure: Figure) -> Bounded:
    score = figure.score if figure.score is not None else 0.0
    return Bounded(
        score,
        score if figure.score_low is None else figure.score_low,
        score if figure.score_high is None else figure.score_high,
    )


def _score_change(
    after: Bounded,
    before: Bounded,
    now: Figure,
    then: Figure,
    *,
    composition_changed: bool = False,
) -> Change | None:
    if now.score_low is None or then.score_low is None:
        return None
    by = difference(after, before)
    clear = by.low > 0 or by.high < 0
    return Change(
        since=then.period,
        by=by.value,
        low=by.low,
        high=by.high,
        is_clear=clear,
        is_better=by.value > 0 if clear else None,
        composition_changed=composition_changed,
    )


def _value_change(
    now: Figure | None, then: Figure | None, leaf: IndicatorDefinition, *, alike: bool
) -> Change | None:
    """`alike`: whether a value has the same score on both sides."""
    after, before = _value(now), _value(then)
    if after is None or before is None or now is None or then is None:
        return None
    by = difference(after, before)
    clear = by.low > 0 or by.high < 0
    if not is_even(leaf):
        points = _score_change(_score(now), _score(then), now, then) if alike else None
        better = None if points is None else points.is_better
        return Change(then.period, by.value, by.low, by.high, clear, better, points=points)
    rising_is_better = leaf.best > leaf.worst
    return Change(
        since=then.period,
        by=by.value,
        low=by.low,
        high=by.high,
        is_clear=clear,
        is_better=(by.value > 0) == rising_is_better if clear else None,
    )


def _value(figure: Figure | None) -> Bounded | None:
    if figure is None or figure.value is None or figure.low is None or figure.high is None:
        return None
    return Bounded(figure.value, figure.low, figure.high)


def _plain_change(
    now: Figure, then: Figure | None, definition: SystemDefinition, *, same: bool
) -> Change | None:
    if then is None or not now.is_shown or not then.is_shown:
        return None
    leaf = definition.indicator(now.code)
    if leaf is not None:
        return _value_change(now, then, leaf, alike=same)
    if not same or now.coverage != then.coverage:
        return None
    return _score_change(_score(now), _score(then), now, then)


def _provenance(run: EvaluationRun, definition: SystemDefinition, fiscal_start: int) -> Provenance:
    return Provenance(
        run_id=run.pk,
        revision=run.revision,
        period=Period(run.starts_on, Grain(run.grain), fiscal_start),
        system=in_language(definition.name),
        version=definition.version,
        reason=run.get_reason_display(),
        collected_at=run.collected_at,
        published_at=run.published_at,
        sources=tuple(source_title(key) for key in definition.sources()),
        respondents=run.respondents,
        smallest_group=run.policy["smallest_group"],
        coverage=run.policy["coverage"],
        confidence=run.policy["confidence"],
        input_digest=run.input_digest,
        result_digest=run.result_digest,
        libraries=run.libraries,
        definition=definition,
    )
