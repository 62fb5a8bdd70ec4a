"""Which results a page is about: system, period, units; and what else could be chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.evaluation import queries
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.leaves import is_opinion
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.wording import title_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, SystemDefinition
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Unit

USUAL = (Grain.MONTH, Grain.QUARTER, Grain.YEAR, Grain.WEEK, Grain.DAY)
"""Which grain a page opens with: the first of these that there are results of."""
LONGER = frozenset({Grain.MONTH, Grain.QUARTER, Grain.YEAR})
"""Beside these, weeks have figures of what was measured and no scores."""


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


def codes_of(definition: SystemDefinition) -> list[str]:
    """Return the codes that have a series: overall, the dimensions, the indicators."""
    if not definition.whole:
        return [found.code for found in definition.all_indicators()]
    return [
        COMPOSITE,
        *(found.code for found in definition.all_dimensions()),
        *(found.code for found in definition.all_indicators()),
    ]
