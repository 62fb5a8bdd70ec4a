"""Early warnings in words: on Home, above the list of signals, and on a page of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import in_language
from sqcore.evaluation.wording import Scale, number, scale_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.monitoring.addresses import chart_url
from sqcore.monitoring.charts import newest_definitions
from sqcore.monitoring.early import BY_CHANCE
from sqcore.monitoring.forms import ALL, AskedSignals
from sqcore.monitoring.models import EarlyWarning, Signal
from sqcore.monitoring.outlook_page import amount_text, periods_text
from sqcore.monitoring.queries import ended_warnings, open_warnings, series_foretold
from sqcore.monitoring.wording import value_text
from sqcore.org.queries import fiscal_start
from sqcore.stats.proportions import wilson

ENOUGH_ENDED = 5
"""So many warnings must have ended before one says how often they come true."""


@dataclass(frozen=True)
class EarlyLine:
    """A warning: what, where, and what its forecast says with what it rests on."""

    warning: EarlyWarning
    name: str
    unit: str
    unit_code: str
    url: str
    said: str
    rests_on: str
    is_likely: bool
    when: str
    line: str
    forecast: str
    interval: str
    state: str
    became: str


@dataclass(frozen=True)
class EarlyLines:
    """The warnings that are shown, how many there are besides, and how far to trust them."""

    lines: list[EarlyLine]
    more: int
    trust: str


@dataclass(frozen=True)
class EarlyPage:
    """The list before it is cut into pages; `lines_in` says the rows of one page in words."""

    warnings: QuerySet[EarlyWarning]
    states: list[tuple[str, str]]
    units: list[tuple[str, str]]
    codes: list[tuple[str, str]]
    asked: AskedSignals
    is_anything_known: bool
    trust: str


def early_lines(principal: Principal, *, at_most: int) -> EarlyLines:
    """Return the open early warnings in words. Six queries, one without any"""
    found = list(open_warnings(principal)[: at_most + 1])
    if not found:
        return EarlyLines([], 0, "")
    more = open_warnings(principal).count() - at_most if len(found) > at_most else 0
    return EarlyLines(lines_in(principal, found[:at_most]), max(more, 0), _trust())


def early_page(principal: Principal, asked: AskedSignals) -> EarlyPage:
    """Return the page of early warnings: those that are open, the likely and near ones first.

    raises: NotPermitted for who sees no results
    """
    principal.require(Permission.VIEW_RESULTS)
    whole = EarlyWarning.objects.visible_to(principal)
    places = list(
        whole.order_by("unit__code")
        .values_list("unit__code", "unit__name", "code", "system_id", "grain")
        .distinct()
    )
    definitions = newest_definitions(principal, {row[3] for row in places})
    names = {}
    for _unit, _name, code, system_id, grain in places:
        definition = definitions.get((system_id, grain))
        names[code] = definition.name_of(code) if definition else code
    units = {row[0]: in_language(row[1]) for row in places}
    return EarlyPage(
        warnings=_listed(whole, asked),
        states=[
            *(
                ("" if state == EarlyWarning.State.OPEN else state.value, str(state.label))
                for state in EarlyWarning.State
            ),
            (ALL, _("All")),
        ],
        units=[("", _("All units")), *units.items()],
        codes=[("", _("All indicators")), *sorted(names.items(), key=lambda each: each[1])],
        asked=asked,
        is_anything_known=bool(places),
        trust=_trust(),
    )


def _listed(whole: QuerySet[EarlyWarning], asked: AskedSignals) -> QuerySet[EarlyWarning]:
    found = whole
    if asked.state != ALL:
        found = found.filter(state=asked.state or EarlyWarning.State.OPEN)
    if asked.unit:
        found = found.filter(unit__code=asked.unit)
    if asked.code:
        found = found.filter(code=asked.code)
    return found.select_related("system", "unit").order_by(
        F("ended_on").desc(nulls_first=True),
        F("expected_on").asc(nulls_last=True),
        "possible_on",
        "id",
    )


def _trust() -> str:
    return f"{chance_text(series_foretold())} {trust_text(*ended_warnings())}"


def lines_in(principal: Principal, warnings: Sequence[EarlyWarning]) -> list[EarlyLine]:
    """Return warnings in words, with the way to the chart of each. Two queries, none without."""
    if not warnings:
        return []
    definitions = newest_definitions(principal, {each.system_id for each in warnings})
    first_month = fiscal_start()
    lines = []
    for warning in warnings:
        definition = definitions.get((warning.system_id, warning.grain))
        scale = scale_of(definition.indicator(warning.code) if definition else None)
        lines.append(
            EarlyLine(
                warning=warning,
                name=definition.name_of(warning.code) if definition else warning.code,
                unit=str(warning.unit),
                unit_code=warning.unit.code,
                url=chart_url(
                    system=warning.system.code,
                    unit=warning.unit.code,
                    code=warning.code,
                    grain=warning.grain,
                ),
                said=_said(warning, scale, first_month),
                rests_on=_rests_on(warning, scale),
                is_likely=warning.expected_on is not None,
                when=title_of(Period(warning.crosses_on, Grain(warning.grain), first_month)),
                line=_line(warning, scale),
                forecast=value_text(warning.forecast, scale),
                interval=_interval(warning, scale),
                state=str(EarlyWarning.State(warning.state).label),
                became=_became(warning, first_month),
            )
        )
    return lines


def _said(warning: EarlyWarning, scale: Scale, first_month: int) -> str:
    period = Period(warning.crosses_on, Grain(warning.grain), first_month)
    said = {
        "period": title_of(period),
        "line": value_text(warning.line_at, scale),
        "share": round(warning.confidence * 100),
        "between": _between(warning, scale),
    }
    return _way(warning) % said


def _between(warning: EarlyWarning, scale: Scale) -> str:
    return " – ".join(
        number(scale.of(end) or 0.0, scale.decimals) for end in (warning.low, warning.high)
    )


def _interval(warning: EarlyWarning, scale: Scale) -> str:
    said = {"share": round(warning.confidence * 100), "between": _between(warning, scale)}
    return _("%(between)s (%(share)s %% interval)") % said


def _line(warning: EarlyWarning, scale: Scale) -> str:
    value = {"value": value_text(warning.line_at, scale)}
    if warning.line == EarlyWarning.Line.TARGET:
        return _("its target, %(value)s") % value
    if warning.direction == Signal.Direction.LOW:
        return _("its floor, %(value)s") % value
    return _("what it must never exceed, %(value)s") % value


def _became(warning: EarlyWarning, first_month: int) -> str:
    """In which period it ended; empty while it is open."""
    if warning.ended_on is None:
        return ""
    period = Period.of(warning.ended_on, Grain(warning.grain), fiscal_start=first_month)
    return _("in %(period)s") % {"period": title_of(period)}


def _way(warning: EarlyWarning) -> str:
    is_low = warning.direction == Signal.Direction.LOW
    if warning.line == EarlyWarning.Line.FLOOR:
        if warning.expected_on is not None:
            return (
                _(
                    "Expected to fall below its floor (%(line)s) in %(period)s: %(share)s %% "
                    "interval %(between)s"
                )
                if is_low
                else _(
                    "Expected to rise above what it must never exceed (%(line)s) in %(period)s: "
                    "%(share)s %% interval %(between)s"
                )
            )
        return (
            _(
                "May fall below its floor (%(line)s) in %(period)s: %(share)s %% interval "
                "%(between)s"
            )
            if is_low
            else _(
                "May rise above what it must never exceed (%(line)s) in %(period)s: %(share)s %% "
                "interval %(between)s"
            )
        )
    if warning.expected_on is not None:
        return _(
            "Expected to miss its target (%(line)s) in %(period)s: %(share)s %% interval "
            "%(between)s"
        )
    return _("May miss its target (%(line)s) in %(period)s: %(share)s %% interval %(between)s")


def _rests_on(warning: EarlyWarning, scale: Scale) -> str:
    """From how many periods, how much the method erred on the past, how often it held."""
    said = [
        _("from %(periods)s") % {"periods": periods_text(warning.n, Grain(warning.grain))},
    ]
    if warning.error is None:
        said.append(_("not tried on the past: too few periods"))
    else:
        said.append(
            _("erred by %(error)s on average when tried on the past")
            % {"error": amount_text(warning.error, scale)}
        )
    if warning.tried:
        said.append(
            ngettext(
                "%(inside)s of %(n)s next value lay in its interval",
                "%(inside)s of %(n)s next values lay in their intervals",
                warning.tried,
            )
            % {"inside": warning.inside, "n": warning.tried}
        )
    return _("; ").join(said)


def chance_text(foretold: int) -> str:
    """Say how many warnings there would be if no series went anywhere."""
    said = ngettext(
        "%(n)s series is near enough to be forecast; by chance alone about %(chance)s would seem "
        "to go that way.",
        "%(n)s series are near enough to be forecast; by chance alone about %(chance)s would seem "
        "to go that way.",
        foretold,
    )
    return said % {"n": number(foretold, 0), "chance": number(foretold * BY_CHANCE, 1)}


def trust_text(came_true: int, passed_off: int) -> str:
    """Say how often such warnings came true, or why that is not known yet."""
    ended = came_true + passed_off
    if ended < ENOUGH_ENDED:
        return ngettext(
            "How often such warnings come true is not known yet: %(n)s has ended, it takes "
            "%(least)s.",
            "How often such warnings come true is not known yet: %(n)s have ended, it takes "
            "%(least)s.",
            ended,
        ) % {"n": ended, "least": ENOUGH_ENDED}
    found = wilson([came_true], [ended])
    return _(
        "Of %(n)s warnings that ended %(true)s came true (%(low)s to %(high)s %%, 95 %% interval); "
        "the others passed off, by chance or because somebody acted."
    ) % {
        "n": ended,
        "true": came_true,
        "low": number(float(found.low[0]) * 100, 0),
        "high": number(float(found.high[0]) * 100, 0),
    }
