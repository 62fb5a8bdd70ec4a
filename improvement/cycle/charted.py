"""The control chart of a ticket's indicator, and its signals in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from improvement.cycle.drawing import StillChart, still_chart
from improvement.cycle.pages import scale_of_indicator
from improvement.tickets import queries as tickets
from improvement.tickets.models import Ticket
from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain
from sqcore.dashboards.figures import Figure
from sqcore.evaluation.wording import scale_of
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import counts_of_code
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.indicators.sources import Counts
from sqcore.monitoring.addresses import chart_url
from sqcore.monitoring.charts import Chart, chart_of
from sqcore.monitoring.drawing import Noted, control_figure, lettered
from sqcore.monitoring.models import Signal
from sqcore.monitoring.pages import key_signs
from sqcore.monitoring.queries import SeriesKey
from sqcore.monitoring.wording import Sign, shift_text, variation_sign
from sqcore.org.queries import local_day


@dataclass(frozen=True)
class Charted:
    """The control chart of the ticket's indicator, for the screen and for paper."""

    name: str
    figure: Figure
    still: StillChart | None
    noted: list[Noted]
    key_signs: Sequence[tuple[str, str]]
    variation: Sign
    url: str
    grain: str
    unit: str


@dataclass(frozen=True)
class RelatedSignal:
    """A signal of the ticket, in words, with the way to its chart."""

    signal: Signal
    said: str
    url: str


def chart_for(ticket: Ticket, principal: Principal, *, now: datetime) -> Charted | None:
    """Return the control chart of the ticket's indicator; None where there is none to see."""
    if not (ticket.system_id and ticket.code and ticket.grain in (Grain.WEEK, Grain.MONTH)):
        return None
    grain = Grain(ticket.grain)
    key = SeriesKey(ticket.system_id, ticket.unit_id, ticket.code, grain)
    try:
        chart = chart_of(principal=principal, key=key, today=local_day(now))
    except NotFound:
        return None
    scale = scale_of(chart.leaf)
    noted = lettered(chart.annotations)
    counts = counts_of_code(chart.definition, ticket.code)
    return Charted(
        name=chart.definition.name_of(ticket.code),
        figure=control_figure(chart, scale, noted, str(Counts(counts).label)),
        still=still_chart(chart, scale),
        noted=noted,
        key_signs=key_signs(chart, noted, scale),
        variation=variation_sign(chart),
        url=_chart_url(chart),
        grain=str(grain.label),
        unit=scale.unit,
    )


def _chart_url(chart: Chart) -> str:
    return chart_url(
        system=chart.system.code,
        unit=chart.unit.code,
        code=chart.key.code,
        grain=chart.key.grain.value,
    )


def signals_of(
    ticket: Ticket, principal: Principal, indicator: Indicator | None
) -> list[RelatedSignal]:
    """Return its signals, each once; those of another system have no chart beside it."""
    scale, system = scale_of_indicator(indicator), ticket.system
    found = {link.signal.pk: link.signal for link in tickets.signals_seen_by(principal, ticket)}
    return [
        RelatedSignal(signal, shift_text(signal, scale), _signal_url(signal, system))
        for signal in found.values()
    ]


def _signal_url(signal: Signal, system: IndicatorSystem | None) -> str:
    if system is None or system.pk != signal.system_id:
        return ""
    return chart_url(
        system=system.code, unit=signal.unit.code, code=signal.code, grain=signal.grain
    )
