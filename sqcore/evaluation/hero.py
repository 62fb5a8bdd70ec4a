"""The answer above everything: the overall score of a unit, its change, its trend."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sqcore.dashboards.figures import Point
from sqcore.evaluation import queries
from sqcore.evaluation.chosen import Chosen
from sqcore.evaluation.figures import Overview
from sqcore.evaluation.tables import goal_text, verdict_on
from sqcore.evaluation.wording import (
    About,
    Mark,
    Step,
    Verdict,
    about,
    mark_of,
    points_of,
    step_of,
    title_of,
)
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, SystemDefinition, counts_of_code
from sqcore.org.models import Unit

TREND = 12
"""Periods in a small trend."""


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


def trends_of(
    principal: Principal, chosen: Chosen, unit: Unit, view: Overview
) -> dict[str, list[Point]]:
    codes = [COMPOSITE, *(line.code for line in view.standing.dimensions)]
    periods = chosen.back(TREND)
    found = queries.history(
        principal=principal, system=chosen.system, unit=unit, codes=codes, periods=periods
    )
    return {code: points_of(figures, periods) for code, figures in found.items()}


def hero_of(unit: Unit, chosen: Chosen, view: Overview, trends: Mapping[str, list[Point]]) -> Hero:
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
        aim=verdict_on(line.figure, None, definition.target),
        goal=goal_text(None, definition.target),
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
