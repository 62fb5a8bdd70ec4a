"""The Quality page, and its answer on Home."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from sqcore.evaluation import queries
from sqcore.evaluation.chosen import Chosen, choose, codes_of
from sqcore.evaluation.clear_changes import Changes, changes_of
from sqcore.evaluation.figures import Overview
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.hero import Hero, hero_of, trends_of
from sqcore.evaluation.tables import Row, Table, dimension_rows, part_tables, table_of
from sqcore.evaluation.unit_table import in_order, unit_rows, with_places
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, SystemDefinition
from sqcore.indicators.models import Indicator


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
    trends = trends_of(principal, chosen, unit, view)
    compared = with_places(
        unit_rows(view.units[by], definition, by), view.units[by], asked, chosen, by
    )
    return QualityPage(
        chosen=chosen,
        hero=hero_of(unit, chosen, view, trends),
        dimensions=table_of(_("Dimensions"), dimension_rows(view, trends), "dimensions"),
        units=table_of(_("Units compared"), in_order(compared, asked.order), "units"),
        parts=part_tables(view, definition, by),
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
        chosen,
        hero_of(unit, chosen, view, trends_of(principal, chosen, unit, view)),
        changes_of(view),
    )


def _stages(view: Overview) -> list[StageLine]:
    """The indicators by the stage of service that they speak of, in its order."""
    found: dict[str, list[Row]] = {}
    rows = {row.code: row for row in dimension_rows(view, {}, deep=True)}
    definition = view.standing.run.definition
    for leaf in definition.all_indicators():
        if leaf.stage:
            found.setdefault(leaf.stage, []).append(rows[leaf.code])
    return [
        StageLine(str(stage.label), found[stage.value])
        for stage in Indicator.Stage
        if stage.value in found
    ]
