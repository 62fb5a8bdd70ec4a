"""Published scores of a unit beside what competitors and the market reach in the same period."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqcore.base.periods import Grain, Period
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.comparators.queries import values_about
from sqcore.comparators.rules import (
    Comparison,
    OwnScore,
    compare,
    for_period,
    roots_of,
    shares_of,
)
from sqcore.evaluation.figures import Figure
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.queries import history
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, SystemDefinition
from sqcore.org.models import Unit
from sqcore.org.queries import fiscal_start


@dataclass(frozen=True)
class Compared:
    """A score beside that of one comparator; `own` are the figures of its indicators, by code."""

    comparator: Comparator
    comparison: Comparison
    own: Mapping[str, Figure]


def compared(
    *, principal: Principal, run: EvaluationRun, unit: Unit, code: str = COMPOSITE
) -> list[Compared]:
    """Set a unit's composite, or one of its dimensions, beside every comparator that has a value
    for the run's period; in the order of their codes.

    Only figures that this person sees as published go in: what is withheld is left out. Two
    queries, one where nothing can be compared.
    """
    definition = SystemDefinition.from_json(run.definition)
    shares = shares_of(roots_of(definition, code), alone=code != COMPOSITE)
    if not shares:
        return []
    period = Period(run.starts_on, Grain(run.grain), fiscal_start())
    values = values_about(principal, shares, first=period.start, end=period.end)
    market = for_period(values, period)
    if not market:
        return []
    found = history(
        principal=principal,
        system=run.system,
        unit=unit,
        codes=[code, *shares],
        periods=[period],
    )
    shown = {
        each: figures[period.start]
        for each, figures in found.items()
        if period.start in figures and figures[period.start].is_shown
    }
    own = {each: own_score(figure) for each, figure in shown.items()}
    return [
        Compared(
            comparator,
            compare(
                shares,
                own,
                market[comparator.pk],
                published=own.get(code),
                aggregation=definition.aggregation,
            ),
            shown,
        )
        for comparator in _comparators(values)
        if comparator.pk in market
    ]


def own_score(figure: Figure) -> OwnScore:
    return OwnScore(figure.score or 0.0, figure.score_low, figure.score_high)


def _comparators(values: list[ComparatorValue]) -> list[Comparator]:
    """Each once, in the order in which the values came: by code."""
    return list({value.comparator_id: value.comparator for value in values}.values())
