"""Lines of the tables of results: scores with their changes, targets and values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from sqcore.dashboards.figures import Point
from sqcore.evaluation.figures import Figure, Line, Overview
from sqcore.evaluation.wording import (
    SCORE,
    Mark,
    Step,
    Verdict,
    fitted,
    mark_of,
    number,
    scale_of,
    step_in_points,
    verdict_of,
)
from sqcore.indicators.definition import (
    COMPOSITE,
    IndicatorDefinition,
    SystemDefinition,
    counts_of_code,
)
from sqcore.indicators.models import Indicator
from sqcore.indicators.shapes import side_of
from sqcore.stats.ranks import Place


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


def dimension_rows(
    view: Overview, trends: Mapping[str, list[Point]], *, deep: bool = False
) -> list[Row]:
    rows, definition = [], view.standing.run.definition
    for line in view.standing.dimensions:
        rows.append(line_row(line, trends, definition))
        if deep:
            rows += _rows_below(line, 1, definition)
    return rows


def _rows_below(line: Line, depth: int, definition: SystemDefinition) -> list[Row]:
    rows = []
    for child in line.children:
        rows.append(replace(line_row(child, {}, definition), depth=depth))
        rows += _rows_below(child, depth + 1, definition)
    return rows


def line_row(line: Line, trends: Mapping[str, list[Point]], definition: SystemDefinition) -> Row:
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
        natural=natural_value(line.figure, leaf),
        verdict=verdict_on(line.figure, leaf, target),
        goal=goal_text(leaf, target),
        stage=stage_title(leaf),
        is_watched=not line.weight,
        is_redefined=line.is_redefined,
    )


def _is_only_watched(line: Line) -> bool:
    """A dimension in which nothing weighs anything has no score."""
    return bool(line.children) and not any(child.weight for child in line.children)


def part_tables(view: Overview, definition: SystemDefinition, code: str) -> list[Table]:
    leaf, counts = definition.indicator(code), counts_of_code(definition, code)
    titles = {"channel": _("By channel"), "segment": _("By customer segment")}
    return [
        table_of(
            titles[margin],
            [
                Row(
                    line.value,
                    line.name,
                    mark_of(line.figure, counts=counts),
                    natural=natural_value(line.figure, leaf),
                )
                for line in lines
            ],
            margin,
        )
        for margin, lines in view.margins.items()
        if lines
    ]


def table_of(title: str, rows: list[Row], key: str) -> Table:
    """Rows on one scale, fitted to them."""
    return Table(title, rows, *fitted([row.mark for row in rows]), key)


def target_of(definition: SystemDefinition, code: str) -> float | None:
    """Return the target of a code: of an indicator in its unit, of a score in points."""
    if code == COMPOSITE:
        return definition.target
    leaf = definition.indicator(code)
    if leaf is not None:
        return leaf.target
    found = (each for each in definition.all_dimensions() if each.code == code)
    return next((each.target for each in found), None)


def verdict_on(
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


def goal_text(leaf: IndicatorDefinition | None, target: float | None) -> str:
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


def stage_title(leaf: IndicatorDefinition | None) -> str:
    return str(Indicator.Stage(leaf.stage).label) if leaf is not None and leaf.stage else ""


def natural_value(figure: Figure | None, leaf: IndicatorDefinition | None) -> str:
    """An indicator's value as it is measured."""
    mark = mark_of(figure, leaf=leaf)
    return f"{mark.text} {mark.scale.unit}".strip() if leaf and mark.is_shown else ""
