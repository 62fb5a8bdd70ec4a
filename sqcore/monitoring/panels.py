"""What the pages of results show of charts and signals: on Home, of a unit, of an indicator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain
from sqcore.dashboards.panels import Page
from sqcore.evaluation.indicator_page import IndicatorPage
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition
from sqcore.monitoring.addresses import chart_url, funnel_url
from sqcore.monitoring.charts import CHARTED, newest_definitions, reading_of
from sqcore.monitoring.early_page import early_lines
from sqcore.monitoring.models import Signal
from sqcore.monitoring.queries import SeriesKey, open_signals
from sqcore.monitoring.signals_page import SignalLine, signal_line
from sqcore.monitoring.wording import assurance_sign, variation_sign
from sqcore.org.models import Unit
from sqcore.org.queries import local_day

LISTED = 5
RECENT = timedelta(weeks=4)


@dataclass(frozen=True)
class ChartPanel:
    """Whether an indicator really changed at a unit, with the way to its control chart."""

    key: str = "monitoring.chart"
    page: Page = Page.INDICATOR
    order: int = 10
    template_name: str = "sqcore/monitoring/_indicator_chart.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, IndicatorPage) or subject.part:
            return None
        grain = subject.chosen.period.grain
        if grain not in CHARTED:
            return None
        definition = SystemDefinition.from_json(subject.chosen.run.definition)
        key = SeriesKey(subject.chosen.system.pk, subject.unit.pk, subject.code, Grain(grain))
        try:
            read = reading_of(
                principal=principal, key=key, definition=definition, today=local_day(now)
            )
        except NotFound:
            return None
        return {
            "variation": variation_sign(read),
            "assurance": assurance_sign(read),
            "funnel_url": funnel_url(
                system=subject.chosen.system.code, code=key.code, grain=grain.value
            )
            if read.leaf
            else "",
            "url": chart_url(
                system=subject.chosen.system.code,
                unit=subject.unit.code,
                code=key.code,
                grain=grain.value,
            ),
        }


@dataclass(frozen=True)
class UnitSignalsPanel:
    """The open signals of a unit, the strongest first."""

    key: str = "monitoring.unit"
    page: Page = Page.UNIT
    order: int = 10
    template_name: str = "sqcore/monitoring/_unit_signals.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Unit):
            return None
        found = list(open_signals(principal=principal, unit_id=subject.pk)[: LISTED + 1])
        if not found:
            return None
        lines = _lines(principal, found[:LISTED], now)
        return {"lines": lines, "more": len(found) > LISTED, "unit": subject}


@dataclass(frozen=True)
class NewSignalsPanel:
    """The signals found in the last weeks in the units that somebody sees, while they last."""

    key: str = "monitoring.new"
    page: Page = Page.HOME
    order: int = 15
    template_name: str = "sqcore/monitoring/_home_signals.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.VIEW_RESULTS):
            return None
        recent = open_signals(principal=principal).filter(found_at__gte=now - RECENT)
        found = list(recent.not_muted_on(local_day(now))[: LISTED + 1])  # type: ignore[attr-defined]  # the method is its own query set's
        if not found:
            return None
        return {"lines": _lines(principal, found[:LISTED], now), "more": len(found) > LISTED}


@dataclass(frozen=True)
class EarlyWarningsPanel:
    """What may soon miss its floor or its target, in the units that somebody sees."""

    key: str = "monitoring.early"
    page: Page = Page.HOME
    order: int = 16
    template_name: str = "sqcore/monitoring/_home_early.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.VIEW_RESULTS):
            return None
        shown = early_lines(principal, at_most=LISTED)
        return {"early": shown} if shown.lines else None


def _lines(principal: Principal, signals: Sequence[Signal], now: datetime) -> list[SignalLine]:
    definitions = newest_definitions(principal, {signal.system_id for signal in signals})
    return [
        signal_line(signal, definitions.get((signal.system_id, signal.grain)), local_day(now))
        for signal in signals
    ]
