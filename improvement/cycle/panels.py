"""What improvement shows on the pages of others: what waits for me, tickets of a unit, a series."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from improvement.cycle.pages import mine, tickets_here
from sqcore.dashboards.panels import Page
from sqcore.evaluation.indicator_page import IndicatorPage
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE
from sqcore.monitoring.queries import SeriesKey
from sqcore.org.models import Unit

LISTED = 6


@dataclass(frozen=True)
class WaitingPanel:
    """Decisions and actions that wait for this person; the first thing on Home."""

    key: str = "improvement.waiting"
    page: Page = Page.HOME
    order: int = 1
    template_name: str = "improvement/_home_waiting.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        found = mine(principal=principal, now=now)
        if found.is_empty:
            return None
        decisions = found.decisions[:LISTED]
        actions = found.actions[: max(0, LISTED - len(decisions))]
        count = len(found.decisions) + len(found.actions)
        return {
            "decisions": decisions,
            "actions": actions,
            "count": count,
            "more": count - len(decisions) - len(actions),
        }


@dataclass(frozen=True)
class UnitTickets:
    """The open tickets of a unit."""

    key: str = "improvement.unit"
    page: Page = Page.UNIT
    order: int = 40
    template_name: str = "improvement/_tickets_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Unit) or not _sees(principal, subject.pk):
            return None
        return tickets_here(principal=principal, unit=subject)


@dataclass(frozen=True)
class IndicatorTickets:
    """The open tickets about an indicator at a unit."""

    key: str = "improvement.indicator"
    page: Page = Page.INDICATOR
    order: int = 40
    template_name: str = "improvement/_tickets_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, IndicatorPage) or subject.code == COMPOSITE:
            return None
        if not _sees(principal, subject.unit.pk):
            return None
        grain = subject.chosen.period.grain.value
        return tickets_here(principal=principal, unit=subject.unit, code=subject.code, grain=grain)


@dataclass(frozen=True)
class ChartTickets:
    """The open tickets about the series of a control chart."""

    key: str = "improvement.chart"
    page: Page = Page.CHART
    order: int = 10
    template_name: str = "improvement/_tickets_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, SeriesKey) or not _sees(principal, subject.unit_id):
            return None
        unit = Unit.objects.filter(pk=subject.unit_id).first()
        if unit is None:
            return None
        return tickets_here(
            principal=principal, unit=unit, code=subject.code, grain=subject.grain.value
        )


def _sees(principal: Principal, unit_id: int) -> bool:
    return principal.may(Permission.VIEW_TICKETS, unit_id=unit_id)
