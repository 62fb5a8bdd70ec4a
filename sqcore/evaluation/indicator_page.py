"""The page of an indicator, a dimension or the overall score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from operator import itemgetter
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from sqcore.base.periods import Period
from sqcore.base.text import in_language
from sqcore.dashboards.figures import Figure as Chart
from sqcore.dashboards.figures import Point, Series, series_figure
from sqcore.evaluation import queries
from sqcore.evaluation.chosen import Chosen, choose_series
from sqcore.evaluation.figures import Figure, Line, Overview, Provenance, UnitLine
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.tables import (
    Row,
    Table,
    dimension_rows,
    goal_text,
    line_row,
    natural_value,
    part_tables,
    stage_title,
    table_of,
    target_of,
    verdict_on,
)
from sqcore.evaluation.wording import (
    About,
    about,
    mark_of,
    number,
    points_of,
    reading_of,
    scale_of,
    scoring_words,
    step_of,
)
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import (
    COMPOSITE,
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
    counts_of_code,
    source_title,
)
from sqcore.indicators.queries import epoch_on, owner_of
from sqcore.indicators.shapes import Shape, is_even
from sqcore.indicators.sources import Between, Counts, between_of
from sqcore.org.models import Unit
from sqcore.org.queries import organisation
from sqcore.org.shifts import starts_of, usual_shifts

LONGEST = 400
"""Points of one chart at the most."""


@dataclass(frozen=True)
class Operand:
    """What a formula names, with its value here."""

    code: str
    name: str
    value: str
    has_page: bool


@dataclass(frozen=True)
class IndicatorPage:
    chosen: Chosen
    unit: Unit
    code: str
    name: str
    kind: str
    row: Row
    about: About | None
    part: str
    part_title: str
    unit_choices: list[tuple[str, str]]
    part_choices: list[tuple[str, str]]
    chart: Chart
    facts: list[tuple[str, str]]
    below: Table
    shown_points: int
    formula: str = ""
    operands: Sequence[Operand] = ()
    parts: Sequence[Table] = ()
    epoch: str = ""


def indicator_page(*, principal: Principal, code: str, asked: Asked) -> IndicatorPage | None:
    """Return the page of an indicator, a dimension or the composite. raises: NotFound"""
    # The series goes up to the newest period of the grain, whichever page it was opened from.
    asked = replace(asked, period="", grain=_grain(asked))
    chosen = choose_series(principal=principal, code=code, asked=asked)
    if chosen is None or not chosen.tops:
        return None
    figures = _series(principal, chosen, chosen.tops[0], code, asked.part)
    if figures and chosen.period.start not in figures:
        # Other indicators are further on than this one.
        latest = replace(chosen.period, start=max(figures))
        asked = replace(asked, period=latest.key)
        chosen = choose_series(principal=principal, code=code, asked=asked) or chosen
    definition = SystemDefinition.from_json(chosen.run.definition)
    unit, leaf = chosen.tops[0], definition.indicator(code)
    view = queries.overview(
        principal=principal, run=chosen.run, former=chosen.former, unit=unit, code=code
    )
    periods = chosen.back(LONGEST)
    newest = figures.get(chosen.period.start)
    counts = counts_of_code(definition, code)
    mark = mark_of(newest, leaf=leaf, counts=counts)
    line = _line_at(view, code)
    step = step_of(line.change, scale_of(leaf)) if line and not asked.part else None
    points = points_of(figures, periods, leaf=leaf)
    part_choices = _part_choices(view)
    part_title = dict(part_choices).get(asked.part, "")
    name = definition.name_of(code)
    return IndicatorPage(
        chosen=chosen,
        unit=unit,
        code=code,
        name=name,
        kind=line.kind if line else "",
        row=Row(
            code,
            name,
            mark,
            step,
            verdict=verdict_on(newest, leaf, target_of(definition, code)),
            goal=goal_text(leaf, target_of(definition, code)),
            stage=stage_title(leaf),
            is_watched=bool(leaf and not leaf.weight),
            is_redefined=bool(line and line.is_redefined),
        ),
        epoch=_epoch(principal, code, chosen.period, leaf),
        about=about(view.standing.run, mark.n, mark.coverage, counts) if mark.is_shown else None,
        part=asked.part,
        part_title=part_title if asked.part else "",
        unit_choices=_unit_choices(view.units[code], unit),
        part_choices=part_choices,
        chart=_chart(points, leaf, target_of(definition, code)),
        facts=_facts(principal, definition, code, leaf, view.standing.run, chosen.run.policy),
        below=table_of(
            _("What it is made of"),
            [line_row(child, {}, definition) for child in (line.children if line else ())]
            if code != COMPOSITE
            else dimension_rows(view, {}),
            "below",
        ),
        shown_points=sum(point.value is not None for point in points),
        formula=_readable(definition, leaf) if leaf else "",
        operands=_operands(view, definition, leaf) if leaf else (),
        parts=part_tables(view, definition, code),
    )


def _epoch(
    principal: Principal, code: str, period: Period, leaf: IndicatorDefinition | None
) -> str:
    """Since when it, or what its formula names, measures what it does in this period, and why;
    empty since ever."""
    if leaf is None:
        return ""
    epoch = epoch_on(principal, (code, *leaf.names), on=period.end - timedelta(days=1))
    if epoch is None:
        return ""
    return _("Measured otherwise since %(day)s: %(reason)s") % {
        "day": date_format(epoch.starts_on, _("j M Y")),
        "reason": epoch.reason,
    }


def _grain(asked: Asked) -> str:
    return Period.parse(asked.period).grain.value if asked.period else asked.grain


def _series(
    principal: Principal, chosen: Chosen, unit: Unit, code: str, part: str
) -> dict[date, Figure]:
    margin, _colon, value = part.partition(":")
    found = queries.kpi_series(
        principal=principal,
        system=chosen.system,
        unit=unit,
        code=code,
        grain=chosen.period.grain,
        margin=margin,
        margin_value=value,
    )
    return {figure.period.start: figure for figure in found}


def _readable(definition: SystemDefinition, leaf: IndicatorDefinition) -> str:
    """A formula with the names of what it is computed from."""
    text = leaf.formula
    for name in leaf.names if leaf.formula else ():
        text = text.replace(f"[{name}]", f"[{definition.name_of(name)}]")
    return text


def _operands(
    view: Overview, definition: SystemDefinition, leaf: IndicatorDefinition
) -> list[Operand]:
    rows = []
    for code in leaf.names if leaf.formula else ():
        line, operand = _line_at(view, code), definition.indicator(code)
        mark = mark_of(line.figure if line else None, leaf=operand)
        rows.append(
            Operand(
                code=code,
                name=definition.name_of(code),
                value=natural_value(line.figure, operand) or mark.why
                if line
                else _("enters the formula and is not shown by itself"),
                has_page=line is not None,
            )
        )
    return rows


def _line_at(view: Overview, code: str) -> Line | None:
    def walk(line: Line) -> Line | None:
        if line.code == code:
            return line
        return next((found for child in line.children if (found := walk(child))), None)

    lines = (view.standing.composite, *view.standing.dimensions)
    return next((found for line in lines if (found := walk(line))), None)


def _unit_choices(lines: Sequence[UnitLine], unit: Unit) -> list[tuple[str, str]]:
    highest = min((line.depth for line in lines), default=0)
    choices = [(line.code, "\u2003" * (line.depth - highest) + line.name) for line in lines]
    return choices if unit.code in dict(choices) else [(unit.code, str(unit)), *choices]


def _part_choices(view: Overview) -> list[tuple[str, str]]:
    named = {"channel": _("Channel: %(name)s"), "segment": _("Segment: %(name)s")}
    return [
        ("", _("All customers")),
        *(
            (f"{margin}:{line.value}", named[margin] % {"name": line.name})
            for margin, lines in view.margins.items()
            for line in lines
        ),
    ]


def _chart(
    points: Sequence[Point], leaf: IndicatorDefinition | None, target: float | None
) -> Chart:
    scale = scale_of(leaf)
    return series_figure(
        [Series("", points)],
        target=scale.of(target),
        decimals=scale.decimals,
        unit=f" {scale.unit}" if scale.unit else "",
    )


def _facts(
    principal: Principal,
    definition: SystemDefinition,
    code: str,
    leaf: IndicatorDefinition | None,
    run: Provenance,
    policy: Mapping[str, Any],
) -> list[tuple[str, str]]:
    """Names and values: what it means, from where, how it counts."""
    system = _("%(system)s, version %(version)s") % {"system": run.system, "version": run.version}
    if leaf is None:
        meaning = _meaning(definition, code)
        facts = [
            (
                _("Definition"),
                f"{meaning} "
                + _("0 is the worst and 100 the best that its indicators are judged by."),
            ),
        ]
    else:
        facts = [
            (_("Definition"), in_language(leaf.definition) or in_language(leaf.name)),
            *([(_("How to read it"), reading)] if (reading := reading_of(leaf)) else []),
            *([(_("Source"), source_title(leaf.source))] if leaf.source else []),
            *([(_("Stage"), stage_title(leaf))] if leaf.stage else []),
            *([(_("Target"), goal_text(leaf, leaf.target))] if leaf.target is not None else []),
            (_("Its n counts"), str(Counts(leaf.counts).label)),
            *([(_("Shifts"), _shifts(policy))] if _is_between_shifts(leaf) else []),
            (
                _("Goalposts") if is_even(leaf) else str(Shape(leaf.shape).label),
                scoring_words(leaf, scale_of(leaf)),
            ),
        ]
    # In a week beside months there is no score in which it could weigh anything.
    facts += _weights(definition, code) if definition.whole else []
    if leaf is not None and (owner := owner_of(principal, code)):
        facts.append((_("Looked after by"), owner))
    return [*facts, (_("Indicator system"), system)]


def _is_between_shifts(leaf: IndicatorDefinition) -> bool:
    return between_of(leaf.measure) is Between.SHIFT


def _shifts(policy: Mapping[str, Any]) -> str:
    """The shifts that a run compared, by their hours then and their names now."""
    starts = policy.get("shifts") or starts_of(usual_shifts())
    known = [*usual_shifts(), *organisation().shifts]
    names = {each["code"]: in_language(each["name"]) for each in known}
    return ", ".join(
        _("%(name)s from %(hour)s:00") % {"name": names.get(code, code), "hour": hour}
        for code, hour in sorted(starts.items(), key=itemgetter(1))
    )


def _meaning(definition: SystemDefinition, code: str) -> str:
    """What the overall score or that of a dimension is, in a sentence."""
    if definition.is_geometric:
        said = (
            _("The weighted geometric mean of the dimensions' scores.")
            if code == COMPOSITE
            else _("The weighted geometric mean of its indicators' scores.")
        )
        return f"{said} " + _("A good one makes up for a bad one only in part.")
    if code == COMPOSITE:
        return _("The weighted mean of the dimensions' scores.")
    return _("The weighted mean of its indicators' scores.")


def _weights(definition: SystemDefinition, code: str) -> list[tuple[str, str]]:
    """(what, share) of the weight of a dimension or an indicator, in its dimension and overall."""

    def walk(dimension: DimensionDefinition, overall: float, within: str) -> list[tuple[str, str]]:
        name = definition.name_of(dimension.code)
        if dimension.code == code:
            return [(_("Weight"), _share(dimension.weight, overall, within))]
        for leaf in dimension.indicators:
            if leaf.code == code and not leaf.weight:
                return [(_("Weight"), _("None: it is watched, and in no score."))]
            if leaf.code == code:
                return [(_("Weight"), _share(leaf.weight, overall * leaf.weight, name))]
        for below in dimension.dimensions:
            if found := walk(below, overall * below.weight, name):
                return found
        return []

    for top in definition.dimensions:
        if found := walk(top, top.weight, ""):
            return found
    return []


def _share(weight: float, overall: float, within: str) -> str:
    whole = _("%(share)s %% of overall quality") % {"share": number(100 * overall, 1)}
    if not within:
        return whole
    part = _("%(share)s %% of %(dimension)s") % {
        "share": number(100 * weight, 0),
        "dimension": within,
    }
    return f"{part}, {whole}"
