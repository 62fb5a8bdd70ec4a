"""The list of signals, and a signal in words wherever it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from django.db.models import F, QuerySet
from django.db.models.functions import Abs
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import in_language
from sqcore.evaluation.wording import number, scale_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition
from sqcore.monitoring.addresses import chart_url
from sqcore.monitoring.chance import false_shares
from sqcore.monitoring.charts import (
    newest_definitions,
)
from sqcore.monitoring.early_page import EarlyLines, early_lines
from sqcore.monitoring.forms import ALL, MUTED, AskedSignals
from sqcore.monitoring.models import Signal, SignalEvent, Watch
from sqcore.monitoring.queries import latest_watches, note_of
from sqcore.monitoring.wording import (
    shift_text,
)

SHOWN_EVENTS = 12
EARLY = 5
"""Early warnings that stand above the signals; all of them have a page of their own."""


@dataclass(frozen=True)
class SignalLine:
    """A signal in words; `name`, `unit` and `url` lead to its chart."""

    signal: Signal
    name: str
    unit: str
    unit_code: str
    system: str
    url: str
    shift: str
    since: str
    found: str
    recovered: str
    state: str
    tone: str
    symbol: str
    is_muted: bool
    history: Sequence["EventLine"] = ()
    chance: str = ""


@dataclass(frozen=True)
class EventLine:
    title: str
    period: str
    event: SignalEvent
    note: str


_STATES = {
    Signal.State.NEW: ("bad", "bad"),
    Signal.State.ONGOING: ("watch", "watch"),
    Signal.State.RECOVERED: ("good", "check"),
}


def signal_line(signal: Signal, definition: SystemDefinition | None, today: date) -> SignalLine:
    """Return a signal in words; its system and unit are read already."""
    leaf = definition.indicator(signal.code) if definition else None
    like = Period(signal.alarm_on, Grain(signal.grain))
    tone, symbol = _STATES[Signal.State(signal.state)]
    history = (
        [_event_line(event, like) for event in signal.history.all()[:SHOWN_EVENTS]]
        if "history" in getattr(signal, "_prefetched_objects_cache", {})
        else []
    )
    return SignalLine(
        signal=signal,
        name=definition.name_of(signal.code) if definition else signal.code,
        unit=str(signal.unit),
        unit_code=signal.unit.code,
        system=str(signal.system),
        url=chart_url(
            system=signal.system.code,
            unit=signal.unit.code,
            code=signal.code,
            grain=signal.grain,
        ),
        shift=shift_text(signal, scale_of(leaf)),
        since=title_of(Period(signal.since_on, like.grain)),
        found=title_of(like),
        recovered=_recovered(signal, like),
        state=str(Signal.State(signal.state).label),
        tone=tone,
        symbol=symbol,
        is_muted=signal.is_muted_on(today),
        history=history,
    )


def _recovered(signal: Signal, like: Period) -> str:
    if signal.recovered_on is None or signal.state != Signal.State.RECOVERED:
        return ""
    return title_of(Period(signal.recovered_on, like.grain))


def _event_line(event: SignalEvent, like: Period) -> EventLine:
    period = title_of(Period.of(event.period_on, like.grain))
    return EventLine(str(SignalEvent.Kind(event.kind).label), period, event, note_of(event))


# The list of signals ----------------------------------------------------------------------------


@dataclass(frozen=True)
class WatchLine:
    """What one pass found, and what chance alone lets expect, in words."""

    watch: Watch
    title: str
    sentence: str
    reading: str


@dataclass(frozen=True)
class SignalsPage:
    """The list before it is cut into pages; `lines_of` says the rows of one page in words."""

    signals: QuerySet[Signal]
    watches: list[WatchLine]
    states: list[tuple[str, str]]
    units: list[tuple[str, str]]
    codes: list[tuple[str, str]]
    asked: AskedSignals
    is_anything_known: bool
    definitions: Mapping[tuple[int, str], SystemDefinition]
    false_shares: Mapping[int, float]
    early: EarlyLines

    def lines_of(self, signals: Sequence[Signal], today: date) -> list[SignalLine]:
        return [
            replace(
                signal_line(signal, self.definitions.get((signal.system_id, signal.grain)), today),
                chance=_chance_text(self.false_shares.get(signal.pk)),
            )
            for signal in signals
        ]


def signals_page(*, principal: Principal, asked: AskedSignals, today: date) -> SignalsPage:
    """Return the list of signals: the open ones first, the strongest of them first."""
    principal.require(Permission.VIEW_RESULTS)
    whole = Signal.objects.visible_to(principal)
    places = list(
        whole.order_by("unit__code")
        .values_list("unit__code", "unit__name", "code", "system_id", "grain")
        .distinct()
    )
    watches = latest_watches(principal)
    definitions = newest_definitions(principal, {row[3] for row in places})
    units = {row[0]: in_language(row[1]) for row in places}
    names = {row[2]: _name_in(definitions, row[3], row[4], row[2]) for row in places}
    return SignalsPage(
        signals=_listed(whole, asked, today),
        watches=[watch_line(found) for found in watches],
        states=_state_choices(),
        units=[("", _("All units")), *units.items()],
        codes=[("", _("All indicators")), *sorted(names.items(), key=lambda each: each[1])],
        asked=asked,
        is_anything_known=bool(places),
        definitions=definitions,
        false_shares=false_shares(principal),
        early=early_lines(principal, at_most=EARLY),
    )


def _chance_text(q: float | None) -> str:
    """Say what share of the signals as strong as this one chance lets expect."""
    if q is None:
        return ""
    if q < 0.01:
        return _("hardly by chance (q < %(q)s)") % {"q": number(0.01, 2)}
    said = _("hardly by chance (q = %(q)s)") if q < 0.1 else _("perhaps by chance (q = %(q)s)")
    return said % {"q": number(q, 2)}


def _state_choices() -> list[tuple[str, str]]:
    return [
        ("", _("Open")),
        *((state.value, str(state.label)) for state in Signal.State),
        (MUTED, _("Muted")),
        (ALL, _("All")),
    ]


def _listed(whole: QuerySet[Signal], asked: AskedSignals, today: date) -> QuerySet[Signal]:
    found = whole
    if asked.state in Signal.State.values:
        found = found.filter(state=asked.state)
    elif asked.state == MUTED:
        found = found.filter(muted_until__gt=today)
    elif asked.state != ALL:
        found = found.exclude(state=Signal.State.RECOVERED)
    if asked.unit:
        found = found.filter(unit__code=asked.unit)
    if asked.code:
        found = found.filter(code=asked.code)
    return found.select_related("system", "unit").order_by(
        F("recovered_on").desc(nulls_first=True), Abs(F("shift_sigma")).desc(), "id"
    )


def _name_in(
    definitions: dict[tuple[int, str], SystemDefinition], system_id: int, grain: str, code: str
) -> str:
    definition = definitions.get((system_id, grain))
    return definition.name_of(code) if definition else code


def watch_line(watch: Watch) -> WatchLine:
    """Say how many signals were found and how many chance alone lets expect."""
    grain = {
        Grain.WEEK.value: _("%(system)s by week"),
        Grain.MONTH.value: _("%(system)s by month"),
    }.get(watch.grain, "%(system)s")
    found = ngettext(
        "%(found)s signal found in %(judged)s series so far; chance alone would have given about "
        "%(expected)s.",
        "%(found)s signals found in %(judged)s series so far; chance alone would have given about "
        "%(expected)s.",
        watch.found_so_far,
    ) % {
        "found": watch.found_so_far,
        "judged": number(watch.judged, 0),
        "expected": _about(watch.expected_so_far),
    }
    later = _("Expect about %(a_year)s that mean nothing in a year from now.") % {
        "a_year": _about(watch.expected_a_year)
    }
    return WatchLine(
        watch=watch,
        title=grain % {"system": str(watch.system)},
        sentence=f"{found} {later}" if watch.judged else "",
        reading=_reading(watch),
    )


def _about(value: float) -> str:
    return number(value, 0 if value >= 10 else 1)


def _reading(watch: Watch) -> str:
    """How to take the number."""
    if not watch.judged:
        return _("No series has enough periods yet to be watched.")
    if not watch.found_so_far:
        return ""
    if watch.found_so_far > 2 * watch.expected_so_far and watch.found_so_far >= 3:
        return _("That is more than chance gives: some of them are real.")
    return _("That is about what chance gives: look twice before you act on a single one.")
