"""Reading the KPI series. Every figure comes through `KpiValue.objects.visible_to`."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db.models import Max, Q, QuerySet, Value

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.evaluation import frozen, standard_errors
from sqcore.evaluation.figures import Figure, MarginLine, Overview, Provenance, Standing, UnitLine
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue
from sqcore.evaluation.standings import (
    UNIT_FIELDS,
    Compared,
    UnitName,
    definition_at,
    parents_at,
    provenance_of,
    standing_of,
    unit_name,
)
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import (
    COMPOSITE,
    OVERALL_NAME,
    SystemDefinition,
    counts_of_code,
)
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import UnitTree, fiscal_start, organisation

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
    parents = parents_at(run)
    return [
        unit
        for unit, parent in parents.items()
        if unit in scope and (parent is None or parent not in scope)
    ]


def unit_and_above(*, principal: Principal, run: EvaluationRun, code: str) -> list[Unit]:
    """Return the unit of this code, after all above it that the asker may see; none when there is
    no such unit for them. One query, which reads whatever has units below it."""
    parents = parents_at(run)
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
    definition, formerly = SystemDefinition.from_json(run.definition), definition_at(former)
    parents = parents_at(run)
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
    names: dict[int, UnitName] = {}
    at: dict[tuple[date, str], dict[int, Figure]] = {}
    broken_down: dict[tuple[str, str], Figure] = {}
    for row in rows.values(*_FIELDS, *UNIT_FIELDS):
        figure = _figure(row, period.fiscal_start)
        if figure.margin:
            broken_down[figure.margin, figure.margin_value] = figure
            continue
        names[figure.unit_id] = unit_name(row)
        at.setdefault((figure.period.start, figure.code), {})[figure.unit_id] = figure
    own = {
        start: {
            key[1]: found[unit.pk]
            for key, found in at.items()
            if key[0] == start and unit.pk in found
        }
        for start in (period.start, period.previous.start)
    }
    compare = Compared(names, parents, definition, formerly)
    beside_ids = None if below is None else set(children)
    return Overview(
        standing=standing_of(
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
    return standing_of(
        unit.pk,
        run,
        SystemDefinition.from_json(run.definition),
        definition_at(before),
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
    parents = parents_at(run)
    if below is not None:
        children = [unit for unit, parent in parents.items() if parent == below.pk]
        rows = rows.filter(unit_id__in=[below.pk, *children])
    names = {}
    figures: dict[date, dict[int, Figure]] = {}
    for row in rows.order_by("id").values(*_FIELDS, *UNIT_FIELDS):
        figure = _figure(row, period.fiscal_start)
        names[figure.unit_id] = unit_name(row)
        figures.setdefault(figure.period.start, {})[figure.unit_id] = figure
    compare = Compared(
        names,
        parents,
        SystemDefinition.from_json(run.definition),
        definition_at(runs.get(period.previous.start)),
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
    return provenance_of(run, definition, organisation().fiscal_start)


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
