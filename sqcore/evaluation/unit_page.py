"""The page of a unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext as _

from sqcore.evaluation import queries
from sqcore.evaluation.chosen import Chosen, choose
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.hero import Hero, hero_of, trends_of
from sqcore.evaluation.tables import Table, dimension_rows, part_tables, table_of
from sqcore.evaluation.unit_table import in_order, unit_rows, with_places
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE
from sqcore.org.models import Unit
from sqcore.org.queries import managers_of


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


def unit_page(*, principal: Principal, code: str, asked: Asked, on: date) -> UnitPage | None:
    """Return the page of a unit; None while nothing of it was evaluated. raises: NotFound"""
    chosen = choose(principal=principal, asked=replace(asked, unit=code))
    if chosen is None:
        return None
    unit = chosen.tops[0]
    view = queries.overview(
        principal=principal, run=chosen.run, former=chosen.former, unit=unit, below=unit
    )
    trends = trends_of(principal, chosen, unit, view)
    path = chosen.path
    sees_people = principal.may(Permission.VIEW_PEOPLE, unit_id=unit.pk)
    return UnitPage(
        chosen=chosen,
        hero=hero_of(unit, chosen, view, trends),
        unit=unit,
        trail=[(str(above), above.code) for above in path[:-1]],
        dimensions=table_of(
            _("Dimensions and their indicators"),
            dimension_rows(view, trends, deep=True),
            "dimensions",
        ),
        parts=part_tables(view, view.standing.run.definition, COMPOSITE),
        children=table_of(
            _("The units below it"),
            in_order(
                with_places(
                    unit_rows(view.units[COMPOSITE], view.standing.run.definition, COMPOSITE),
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


def _managers(path: Sequence[Unit], on: date) -> list[tuple[str, str]]:
    """(name, unit) of who manages the unit, or the nearest unit above it that has a manager."""
    found = managers_of([unit.pk for unit in path], on=on)
    for unit in reversed(path):
        if unit.pk in found:
            return [(name, str(unit)) for name in found[unit.pk]]
    return []
