"""What the pages of results show, put together from the queries; nothing here reads rows itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

import numpy as np
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.dashboards.figures import Figure as Chart
from sqcore.dashboards.figures import Point, Series, series_figure
from sqcore.evaluation import queries
from sqcore.evaluation.figures import Figure, Line, Overview, Provenance, UnitLine
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.leaves import is_opinion
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.wording import (
    SCORE,
    About,
    Mark,
    Step,
    Verdict,
    about,
    fitted,
    mark_of,
    number,
    points_of,
    reading_of,
    scale_of,
    scoring_words,
    step_in_points,
    step_of,
    title_of,
    verdict_of,
)
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import (
    COMPOSITE,
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
    counts_of_code,
    source_title,
)
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.indicators.queries import epoch_on, owner_of
from sqcore.indicators.shapes import Shape, is_even, side_of
from sqcore.indicators.sources import Counts
from sqcore.org.models import Unit
from sqcore.org.queries import managers_of
from sqcore.stats.ranks import Place, places

USUAL = (Grain.MONTH, Grain.QUARTER, Grain.YEAR, Grain.WEEK, Grain.DAY)
"""Which grain a page opens with: the first of these that there are results of."""
TREND = 12
"""Periods in a small trend."""
MOST_CHANGES = 10
"""Clear changes that a page lists; it says how many more there are."""
LONGER = frozenset({Grain.MONTH, Grain.QUARTER, Grain.YEAR})
"""Beside these, weeks have figures of what was measured and no scores."""
LONGEST = 400
"""Points of one chart at the most."""
WIDE = 2 * 1.959964
"""So many standard errors a 95 % interval is wide, if they are known."""


@dataclass(frozen=True)
class Chosen:
    """Which results a page is about, and what else could be chosen."""

    systems: list[IndicatorSystem]
    system: IndicatorSystem
    evaluated: Mapping[Grain, list[Period]]
    period: Period
    run: EvaluationRun
    former: EvaluationRun | None
    tops: list[Unit]
    path: Sequence[Unit] = ()

    @property
    def title(self) -> str:
        return title_of(self.period)

    @property
    def periods(self) -> list[tuple[str, str]]:
        return [(period.key, title_of(period)) for period in self.evaluated[self.period.grain]]

    @property
    def grains(self) -> list[tuple[str, str, bool]]:
        """(grain, title, is it the current one)"""
        return [
            (grain.value, str(grain.label), grain == self.period.grain) for grain in self.evaluated
        ]

    @property
    def earlier(self) -> Period | None:
        return self._beside(1)

    @property
    def later(self) -> Period | None:
        return self._beside(-1)

    @property
    def latest(self) -> Period:
        return self.evaluated[self.period.grain][0]

    @property
    def carry(self) -> str:
        """The query that takes these choices along to another page."""
        return urlencode({**self._system_query, "period": self.period.key})

    @property
    def carry_grain(self) -> str:
        return urlencode({**self._system_query, "grain": self.period.grain.value})

    @property
    def _system_query(self) -> dict[str, str]:
        return {"system": self.system.code} if len(self.systems) > 1 else {}

    def _beside(self, step: int) -> Period | None:
        """The next evaluated period further back (1) or further on (-1)."""
        listed = self.evaluated[self.period.grain]
        at = listed.index(self.period) + step
        return listed[at] if 0 <= at < len(listed) else None

    def back(self, count: int) -> list[Period]:
        """This period and those before it, without holes, oldest first."""
        periods = [self.period]
        while (
            len(periods) < count and periods[-1].start > self.evaluated[self.period.grain][-1].start
        ):
            periods.append(periods[-1].previous)
        return periods[::-1]


@dataclass(frozen=True)
class Row:
    """A line of a table: a score with its change in points; `natural` is an indicator's value,
    `place` that among units that have nobody in common, where the table is in that order."""

    code: str
    name: str
    mark: Mark
    step: Step | None = None
    depth: int = 0
    trend: Sequence[Point] = ()
    weight: str = ""
    kind: str = ""
    natural: str = ""
    verdict: Verdict | None = None
    goal: str = ""
    stage: str = ""
    is_watched: bool = False
    is_redefined: bool = False
    place: Place | None = None

    @property
    def trend_label(self) -> str:
        known = [point for point in self.trend if point.value is not None]
        if len(known) < 2:
            return ""
        return _("%(name)s from %(first)s: %(from)s to %(to)s") % {
            "name": self.name,
            "first": known[0].label,
            "from": number(known[0].value or 0, self.mark.scale.decimals),
            "to": number(known[-1].value or 0, self.mark.scale.decimals),
        }


@dataclass(frozen=True)
class Table:
    """Rows on one scale."""

    title: str
    rows: list[Row]
    minimum: float
    maximum: float
    key: str = ""

    @property
    def ends(self) -> tuple[str, str]:
        return number(self.minimum, 0), number(self.maximum, 0)

    @property
    def has_targets(self) -> bool:
        return any(row.verdict is not None for row in self.rows)

    @property
    def placed(self) -> int:
        """How many have a place among each other."""
        return sum(row.place is not None and row.place.rank is not None for row in self.rows)


@dataclass(frozen=True)
class StageLine:
    """A stage of service: its indicators with their values, and how many reach their target."""

    title: str
    rows: list[Row]

    @property
    def targets(self) -> str:
        aimed = [row.verdict for row in self.rows if row.verdict is not None]
        if not aimed:
            return ""
        reached = sum(verdict.key == "reached" for verdict in aimed)
        said = _("%(reached)s of %(aimed)s reached") % {"reached": reached, "aimed": len(aimed)}
        unclear = sum(verdict.key == "unclear" for verdict in aimed)
        doubt = _("%(count)s unclear") % {"count": unclear}
        return f"{said}, {doubt}" if unclear else said


@dataclass(frozen=True)
class Operand:
    """What a formula names, with its value here."""

    code: str
    name: str
    value: str
    has_page: bool


@dataclass(frozen=True)
class ChangedLine:
    unit_code: str
    unit: str
    code: str
    name: str
    mark: Mark
    step: Step


@dataclass(frozen=True)
class Changes:
    """Which units changed clearly in which dimensions, and how many chance alone would list."""

    lines: list[ChangedLine]
    found: int
    compared: int
    by_chance: float
    since: str

    @property
    def more(self) -> int:
        return self.found - len(self.lines)

    @property
    def sentence(self) -> str:
        if not self.compared:
            return _("There is nothing yet to compare with.")
        if not self.found:
            return _(
                "Nothing: none of %(compared)s comparisons (units by dimensions) is a clear "
                "change since %(since)s."
            ) % {"compared": self.compared, "since": self.since}
        said = ngettext(
            "%(found)s of %(compared)s comparisons (units by dimensions) is a clear change "
            "since %(since)s.",
            "%(found)s of %(compared)s comparisons (units by dimensions) are clear changes "
            "since %(since)s.",
            self.found,
        ) % {"found": self.found, "compared": self.compared, "since": self.since}
        chance = _(
            "If nothing had changed anywhere, chance alone would list about %(count)s of them."
        ) % {"count": number(self.by_chance, 0 if self.by_chance >= 2 else 1)}
        return f"{said} {chance}"

    @property
    def reading(self) -> str:
        """How to take the list."""
        if not self.found:
            return ""
        if self.found > 2 * self.by_chance and self.found >= 3:
            return _("That is more than chance gives: something did change.")
        return _(
            "That is about what chance gives: take single lines as hints, see whether they last."
        )


@dataclass(frozen=True)
class Hero:
    """The answer: the overall score of a unit with its change."""

    unit: Unit
    name: str
    mark: Mark
    step: Step | None
    about: About
    trend: list[Point]
    verdict: str
    aim: Verdict | None = None
    goal: str = ""
    target: float | None = None
    mean: str = ""
    """How scores became it, where that is not the usual way."""

    @property
    def has_trend(self) -> bool:
        return sum(point.value is not None for point in self.trend) > 1

    @property
    def trend_ends(self) -> tuple[str, str]:
        return (self.trend[0].label, self.trend[-1].label) if self.trend else ("", "")


@dataclass(frozen=True)
class QualityPage:
    chosen: Chosen
    hero: Hero
    dimensions: Table
    units: Table
    parts: list[Table]
    stages: list[StageLine]
    changes: Changes
    by: str
    by_name: str
    choices: list[tuple[str, str]]


@dataclass(frozen=True)
class HomeStanding:
    chosen: Chosen
    hero: Hero
    changes: Changes


@dataclass(frozen=True)
class UnitPage:
    chosen: Chosen
    hero: Hero
    unit: Unit
    trail: list[tuple[str, str]]
    dimensions: Table
    parts: list[Table]
    children: Table
    managers: list[tuple[str, str]]
    sees_people: bool


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


def choose(*, principal: Principal, asked: Asked, whole: bool = True) -> Chosen | None:
    """Return what a page is about; None while nothing was evaluated. Three queries.

    `whole` leaves out the weeks of a system that has months: they have no scores.
    raises: NotFound for a system or period that there is not, NotPermitted for who sees no results
    """
    principal.require(Permission.VIEW_RESULTS)
    known = queries.systems_with_results(principal=principal)
    if not known:
        return None
    found = [system for system, _evaluated in known]
    system = _picked_system(found, asked.system)
    evaluated = next(periods for each, periods in known if each is system)
    if whole and LONGER & set(evaluated):
        evaluated = {grain: found for grain, found in evaluated.items() if grain != Grain.WEEK}
        asked = asked if asked.grain != Grain.WEEK else replace(asked, grain="")
    period = _picked_period(evaluated, asked)
    run, former = queries.run_of(system=system, period=period)
    if asked.unit:
        path = queries.unit_and_above(principal=principal, run=run, code=asked.unit)
        if not path:
            raise NotFound(_("There is no such unit, or its results are not for you to see."))
        return Chosen(found, system, evaluated, period, run, former, path[-1:], path)
    tops = queries.top_units(principal=principal, run=run)
    units = Unit.objects.visible_to(principal, Permission.VIEW_RESULTS).filter(pk__in=tops)
    return Chosen(found, system, evaluated, period, run, former, list(units.order_by("code")))


def _picked_system(found: Sequence[IndicatorSystem], code: str) -> IndicatorSystem:
    if not code:
        return found[0]
    for system in found:
        if system.code == code:
            return system
    raise NotFound(_("There is no such indicator system."))


def _picked_period(evaluated: Mapping[Grain, list[Period]], asked: Asked) -> Period:
    if asked.period:
        begins = next(iter(evaluated.values()))[0].fiscal_start
        period = Period.parse(asked.period, fiscal_start=begins)
        if period not in evaluated.get(period.grain, []):
            raise NotFound(_("%(period)s was not evaluated.") % {"period": title_of(period)})
        return period
    grains = [asked.grain, *USUAL]
    return next(evaluated[Grain(grain)][0] for grain in grains if grain in evaluated)


def quality_page(*, principal: Principal, asked: Asked) -> QualityPage | None:
    """Return the Quality page of the asker's highest unit; None while there is nothing to show."""
    chosen = choose(principal=principal, asked=asked)
    if chosen is None or not chosen.tops:
        return None
    unit = chosen.tops[0]
    definition = SystemDefinition.from_json(chosen.run.definition)
    by = asked.by if asked.by in codes_of(definition) else COMPOSITE
    view = queries.overview(
        principal=principal, run=chosen.run, former=chosen.former, unit=unit, code=by
    )
    trends = _trends(principal, chosen, unit, view)
    compared = _placed(
        _unit_rows(view.units[by], definition, by), view.units[by], asked, chosen, by
    )
    return QualityPage(
        chosen=chosen,
        hero=_hero(unit, chosen, view, trends),
        dimensions=_table(_("Dimensions"), _dimension_rows(view, trends), "dimensions"),
        units=_table(_("Units compared"), _ordered(compared, asked.order), "units"),
        parts=_parts(view, definition, by),
        stages=_stages(view),
        changes=changes_of(view),
        by=by,
        by_name=definition.name_of(by),
        choices=[(code, definition.name_of(code)) for code in codes_of(definition)],
    )


def home_standing(*, principal: Principal, asked: Asked) -> HomeStanding | None:
    """Return the newest standing of the asker's highest unit with what changed in their scope."""
    chosen = choose(principal=principal, asked=asked)
    if chosen is None or not chosen.tops:
        return None
    unit = chosen.tops[0]
    view = queries.overview(
        principal=principal, run=chosen.run, former=chosen.former, unit=unit, parts=False
    )
    return HomeStanding(
        chosen, _hero(unit, chosen, view, _trends(principal, chosen, unit, view)), changes_of(view)
    )


def unit_page(*, principal: Principal, code: str, asked: Asked, on: date) -> UnitPage | None:
    """Return the page of a unit; None while nothing of it was evaluated. raises: NotFound"""
    chosen = choose(principal=principal, asked=replace(asked, unit=code))
    if chosen is None:
        return None
    unit = chosen.tops[0]
    view = queries.overview(
        principal=principal, run=chosen.run, former=chosen.former, unit=unit, below=unit
    )
    trends = _trends(principal, chosen, unit, view)
    path = chosen.path
    sees_people = principal.may(Permission.VIEW_PEOPLE, unit_id=unit.pk)
    return UnitPage(
        chosen=chosen,
        hero=_hero(unit, chosen, view, trends),
        unit=unit,
        trail=[(str(above), above.code) for above in path[:-1]],
        dimensions=_table(
            _("Dimensions and their indicators"),
            _dimension_rows(view, trends, deep=True),
            "dimensions",
        ),
        parts=_parts(view, view.standing.run.definition, COMPOSITE),
        children=_table(
            _("The units below it"),
            _ordered(
                _placed(
                    _unit_rows(view.units[COMPOSITE], view.standing.run.definition, COMPOSITE),
                    view.units[COMPOSITE],
                    asked,
                    chosen,
                    COMPOSITE,
                ),
                asked.order,
            ),
            "units",
        ),
        managers=_managers(path, on) if sees_people else [],
        sees_people=sees_people,
    )


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
            verdict=_verdict(newest, leaf, target_of(definition, code)),
            goal=_goal(leaf, target_of(definition, code)),
            stage=_stage(leaf),
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
        facts=_facts(principal, definition, code, leaf, view.standing.run),
        below=_table(
            _("What it is made of"),
            [_line_row(child, {}, definition) for child in (line.children if line else ())]
            if code != COMPOSITE
            else _dimension_rows(view, {}),
            "below",
        ),
        shown_points=sum(point.value is not None for point in points),
        formula=_readable(definition, leaf) if leaf else "",
        operands=_operands(view, definition, leaf) if leaf else (),
        parts=_parts(view, definition, code),
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


def choose_series(*, principal: Principal, code: str, asked: Asked) -> Chosen | None:
    """Return what a series is about: by week as well where it is measured. raises: NotFound"""
    chosen = choose(principal=principal, asked=asked, whole=False)
    if chosen is None:
        return None
    if code not in codes_of(SystemDefinition.from_json(chosen.run.definition)):
        # In a week beside months there is nothing of it.
        chosen = choose(principal=principal, asked=asked)
    if chosen is None:
        return None
    definition = SystemDefinition.from_json(chosen.run.definition)
    if code not in codes_of(definition):
        raise NotFound(_("There is no such indicator here."))
    leaf = definition.indicator(code)
    if LONGER & set(chosen.evaluated) and (leaf is None or is_opinion(leaf)):
        kept: Mapping[Grain, list[Period]] = {
            grain: found for grain, found in chosen.evaluated.items() if grain != Grain.WEEK
        }
        return replace(chosen, evaluated=kept)
    return chosen


def _grain(asked: Asked) -> str:
    return Period.parse(asked.period).grain.value if asked.period else asked.grain


def codes_of(definition: SystemDefinition) -> list[str]:
    """Return the codes that have a series: overall, the dimensions, the indicators."""
    if not definition.whole:
        return [found.code for found in definition.all_indicators()]
    return [
        COMPOSITE,
        *(found.code for found in definition.all_dimensions()),
        *(found.code for found in definition.all_indicators()),
    ]


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


def _trends(
    principal: Principal, chosen: Chosen, unit: Unit, view: Overview
) -> dict[str, list[Point]]:
    codes = [COMPOSITE, *(line.code for line in view.standing.dimensions)]
    periods = chosen.back(TREND)
    found = queries.history(
        principal=principal, system=chosen.system, unit=unit, codes=codes, periods=periods
    )
    return {code: points_of(figures, periods) for code, figures in found.items()}


def _hero(unit: Unit, chosen: Chosen, view: Overview, trends: Mapping[str, list[Point]]) -> Hero:
    line, definition = view.standing.composite, view.standing.run.definition
    counts = counts_of_code(definition, COMPOSITE)
    mark, step = mark_of(line.figure, counts=counts), step_of(line.change)
    return Hero(
        unit=unit,
        name=line.name,
        mark=mark,
        step=step,
        about=about(view.standing.run, mark.n, mark.coverage, counts),
        trend=trends.get(COMPOSITE, []),
        verdict=step.sentence if step else _no_change_known(chosen, mark),
        aim=_verdict(line.figure, None, definition.target),
        goal=_goal(None, definition.target),
        target=definition.target,
        mean=_("geometric mean") if definition.is_geometric else "",
    )


def _no_change_known(chosen: Chosen, mark: Mark) -> str:
    if not mark.is_shown:
        longer = chosen.period.grain != list(chosen.evaluated)[-1]
        return _("Choose a longer period: more answers may be shown together.") if longer else ""
    before = {"period": title_of(chosen.period.previous)}
    if _is_other_mean(chosen):
        return (
            _(
                "In %(period)s scores became one by another kind of mean: there is no change to "
                "tell."
            )
            % before
        )
    return _("There is no result of %(period)s to compare with.") % before


def _is_other_mean(chosen: Chosen) -> bool:
    """Whether the period before was aggregated otherwise."""
    if chosen.former is None:
        return False
    former = SystemDefinition.from_json(chosen.former.definition)
    return former.aggregation != SystemDefinition.from_json(chosen.run.definition).aggregation


def _dimension_rows(
    view: Overview, trends: Mapping[str, list[Point]], *, deep: bool = False
) -> list[Row]:
    rows, definition = [], view.standing.run.definition
    for line in view.standing.dimensions:
        rows.append(_line_row(line, trends, definition))
        if deep:
            rows += _rows_below(line, 1, definition)
    return rows


def _rows_below(line: Line, depth: int, definition: SystemDefinition) -> list[Row]:
    rows = []
    for child in line.children:
        rows.append(replace(_line_row(child, {}, definition), depth=depth))
        rows += _rows_below(child, depth + 1, definition)
    return rows


def _line_row(line: Line, trends: Mapping[str, list[Point]], definition: SystemDefinition) -> Row:
    leaf, target = line.indicator, target_of(definition, line.code)
    return Row(
        code=line.code,
        name=line.name,
        mark=Mark("unknown", SCORE, why=_("all in it is only watched"))
        if line.figure is None and _is_only_watched(line)
        else mark_of(line.figure, counts=counts_of_code(definition, line.code)),
        step=step_in_points(line.change, leaf),
        trend=trends.get(line.code, ()),
        weight=f"{number(100 * line.weight, 0)} %" if line.weight else _("watched"),
        kind=line.kind,
        natural=_natural(line.figure, leaf),
        verdict=_verdict(line.figure, leaf, target),
        goal=_goal(leaf, target),
        stage=_stage(leaf),
        is_watched=not line.weight,
        is_redefined=line.is_redefined,
    )


def _is_only_watched(line: Line) -> bool:
    """A dimension in which nothing weighs anything has no score."""
    return bool(line.children) and not any(child.weight for child in line.children)


def target_of(definition: SystemDefinition, code: str) -> float | None:
    """Return the target of a code: of an indicator in its unit, of a score in points."""
    if code == COMPOSITE:
        return definition.target
    leaf = definition.indicator(code)
    if leaf is not None:
        return leaf.target
    found = (each for each in definition.all_dimensions() if each.code == code)
    return next((each.target for each in found), None)


def _verdict(
    figure: Figure | None, leaf: IndicatorDefinition | None, target: float | None
) -> Verdict | None:
    if figure is None:
        return None
    if leaf is None:
        return verdict_of(figure.score, figure.score_low, figure.score_high, target=target)
    side = side_of(leaf)
    if not side:
        return None
    return verdict_of(
        figure.value, figure.low, figure.high, target=target, floor=leaf.floor, rising=side > 0
    )


def _goal(leaf: IndicatorDefinition | None, target: float | None) -> str:
    """A target, and the floor with it, as people read them."""
    if target is None:
        return ""
    said = _("target %(value)s") % {"value": _written(leaf, target)}
    if leaf is None or leaf.floor is None:
        return said
    return f"{said}, " + _("floor %(value)s") % {"value": _written(leaf, leaf.floor)}


def _written(leaf: IndicatorDefinition | None, value: float) -> str:
    scale = scale_of(leaf)
    return f"{number(scale.of(value) or 0.0, scale.decimals)} {scale.unit}".strip()


def _stage(leaf: IndicatorDefinition | None) -> str:
    return str(Indicator.Stage(leaf.stage).label) if leaf is not None and leaf.stage else ""


def _stages(view: Overview) -> list[StageLine]:
    """The indicators by the stage of service that they speak of, in its order."""
    found: dict[str, list[Row]] = {}
    rows = {row.code: row for row in _dimension_rows(view, {}, deep=True)}
    definition = view.standing.run.definition
    for leaf in definition.all_indicators():
        if leaf.stage:
            found.setdefault(leaf.stage, []).append(rows[leaf.code])
    return [
        StageLine(str(stage.label), found[stage.value])
        for stage in Indicator.Stage
        if stage.value in found
    ]


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
                value=_natural(line.figure, operand) or mark.why
                if line
                else _("enters the formula and is not shown by itself"),
                has_page=line is not None,
            )
        )
    return rows


def _natural(figure: Figure | None, leaf: IndicatorDefinition | None) -> str:
    """An indicator's value as it is measured."""
    mark = mark_of(figure, leaf=leaf)
    return f"{mark.text} {mark.scale.unit}".strip() if leaf and mark.is_shown else ""


def _unit_rows(lines: Sequence[UnitLine], definition: SystemDefinition, code: str) -> list[Row]:
    leaf, counts = definition.indicator(code), counts_of_code(definition, code)
    target = target_of(definition, code)
    highest = min((line.depth for line in lines), default=0)
    return [
        Row(
            code=line.code,
            name=line.name,
            mark=mark_of(line.figure, counts=counts),
            step=step_in_points(line.change, leaf),
            natural=_natural(line.figure, leaf),
            verdict=_verdict(line.figure, leaf, target),
            depth=min(line.depth - highest, 4),
        )
        for line in lines
    ]


def _placed(
    rows: list[Row], lines: Sequence[UnitLine], asked: Asked, chosen: Chosen, code: str
) -> list[Row]:
    """Return the rows with their places, where they are to stand in the order of their scores.

    A place never stands without those in which the unit may truly be. Units that have others of
    the table below them have none: they would be compared with parts of themselves.
    """
    if asked.order not in ("score", "-score"):
        return rows
    above = {line.parent_id for line in lines}
    ends = {at: line for at, line in enumerate(lines) if line.unit_id not in above}
    known = queries.standard_errors_of(run=chosen.run, code=code)
    numbers = np.array(
        [_sure(line.figure, known.get(line.unit_id)) for line in ends.values()], dtype=np.float64
    ).reshape(-1, 3)
    score, se, df = numbers.T
    definition = SystemDefinition.from_json(chosen.run.definition)
    if definition.is_geometric and definition.indicator(code) is None:
        # Its interval is made on the logarithm too.
        score, se = np.log(score), se / score
    found = dict(zip(ends, places(score, se, df), strict=True))
    return [replace(row, place=found.get(at)) for at, row in enumerate(rows)]


def _sure(
    figure: Figure, known: tuple[float, float] | None
) -> tuple[float | None, float | None, float | None]:
    """A score, its standard error and their degrees of freedom; of a score that was held from
    before the standard error is what its interval is worth."""
    if figure.score is None or figure.score_low is None or figure.score_high is None:
        return None, None, None
    se, df = known or ((figure.score_high - figure.score_low) / WIDE, np.inf)
    return figure.score, se, df


def _ordered(rows: list[Row], order: str) -> list[Row]:
    """Return rows in the order of the tree, or flat by a number; those without one come last."""
    key = order.removeprefix("-")
    if key not in {"score", "change", "n"}:
        return rows[::-1] if order == "-tree" else rows

    def value(row: Row) -> float | None:
        if key == "change":
            return row.step.by if row.step else None
        return row.mark.value if key == "score" else row.mark.n

    known = sorted(
        (row for row in rows if value(row) is not None),
        key=lambda row: value(row) or 0.0,
        reverse=order.startswith("-"),
    )
    unknown = [row for row in rows if value(row) is None]
    return [replace(row, depth=0) for row in [*known, *unknown]]


def _table(title: str, rows: list[Row], key: str) -> Table:
    """Rows on one scale, fitted to them."""
    return Table(title, rows, *fitted([row.mark for row in rows]), key)


def _parts(view: Overview, definition: SystemDefinition, code: str) -> list[Table]:
    leaf, counts = definition.indicator(code), counts_of_code(definition, code)
    titles = {"channel": _("By channel"), "segment": _("By customer segment")}
    return [
        _table(
            titles[margin],
            [
                Row(
                    line.value,
                    line.name,
                    mark_of(line.figure, counts=counts),
                    natural=_natural(line.figure, leaf),
                )
                for line in lines
            ],
            margin,
        )
        for margin, lines in view.margins.items()
        if lines
    ]


def changes_of(view: Overview) -> Changes:
    """Return the clear changes among all visible units and dimensions, the surest first."""
    run = view.standing.run
    dimensions = {found.code for found in run.definition.all_dimensions()}
    compared = [
        line
        for code, lines in view.units.items()
        if code in dimensions
        for line in lines
        if line.change is not None
    ]
    clear = sorted((line for line in compared if line.change and line.change.is_clear), key=_doubt)
    return Changes(
        lines=[
            ChangedLine(
                unit_code=line.code,
                unit=line.name,
                code=line.figure.code,
                name=run.definition.name_of(line.figure.code),
                mark=mark_of(line.figure, counts=counts_of_code(run.definition, line.figure.code)),
                step=step,
            )
            for line in clear[:MOST_CHANGES]
            if (step := step_of(line.change)) is not None
        ],
        found=len(clear),
        compared=len(compared),
        by_chance=len(compared) * (1 - run.confidence),
        since=title_of(run.period.previous),
    )


def _doubt(line: UnitLine) -> float:
    """How wide the interval of a change is for its size: the smaller, the surer."""
    change = line.change
    return (change.high - change.low) / abs(change.by) if change and change.by else float("inf")


def _line_at(view: Overview, code: str) -> Line | None:
    def walk(line: Line) -> Line | None:
        if line.code == code:
            return line
        return next((found for child in line.children if (found := walk(child))), None)

    lines = (view.standing.composite, *view.standing.dimensions)
    return next((found for line in lines if (found := walk(line))), None)


def _managers(path: Sequence[Unit], on: date) -> list[tuple[str, str]]:
    """(name, unit) of who manages the unit, or the nearest unit above it that has a manager."""
    found = managers_of([unit.pk for unit in path], on=on)
    for unit in reversed(path):
        if unit.pk in found:
            return [(name, str(unit)) for name in found[unit.pk]]
    return []


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
            *([(_("Stage"), _stage(leaf))] if leaf.stage else []),
            *([(_("Target"), _goal(leaf, leaf.target))] if leaf.target is not None else []),
            (_("Its n counts"), str(Counts(leaf.counts).label)),
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
