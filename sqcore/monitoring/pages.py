"""What the page of a control chart shows, put together from charts and queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import day as day_text
from sqcore.dashboards.figures import Figure
from sqcore.evaluation.wording import Scale, counted, number, scale_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import counts_of_code
from sqcore.indicators.queries import system_by_code
from sqcore.indicators.sources import Counts
from sqcore.monitoring.charts import (
    EWMA,
    Chart,
    Segment,
    chart_at,
)
from sqcore.monitoring.drawing import (
    Noted,
    control_figure,
    lettered,
    meaning_of,
    spread_figure,
)
from sqcore.monitoring.forms import AskedChart, chosen_grain
from sqcore.monitoring.kinds import suiting_kinds
from sqcore.monitoring.lines import lines_on
from sqcore.monitoring.models import Annotation, Baseline, Kind
from sqcore.monitoring.outlook import Outlook, outlook_of
from sqcore.monitoring.outlook_page import OutlookPanel, outlook_panel
from sqcore.monitoring.passes import BASELINE_PERIODS
from sqcore.monitoring.queries import grains_of
from sqcore.monitoring.rare import RareEvents
from sqcore.monitoring.signals_page import SignalLine, signal_line
from sqcore.monitoring.wording import (
    PROFILE_NAMES,
    Sign,
    assurance_sign,
    drawn_scale,
    flags_text,
    reason_text,
    runs_text,
    status_text,
    value_text,
    variation_sign,
)
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from sqcore.stats.charts import ChartKind
from sqcore.stats.rules import PROFILES


@dataclass(frozen=True)
class NotedLine:
    """An annotation as a line below the chart."""

    noted: Noted
    span: str
    by: str
    may_withdraw: bool

    @property
    def annotation(self) -> Annotation:
        return self.noted.annotation


@dataclass(frozen=True)
class BaselineLine:
    """A baseline in words: from what, frozen when and by whom."""

    baseline: Baseline
    span: str
    applies: str
    kind: str
    centre: str
    origin: str
    approval: str
    is_current: bool
    may_decide: bool


@dataclass(frozen=True)
class ChartPage:
    chart: Chart
    name: str
    scale: Scale
    title: str
    value: str
    between: str
    counted: str
    said: str
    variation: Sign
    assurance: Sign | None
    target: str
    figure: Figure
    spread_figure: Figure | None
    key_signs: Sequence[tuple[str, str]]
    status: str
    facts: list[tuple[str, str]]
    notes: list[NotedLine]
    signals: list[SignalLine]
    baselines: list[BaselineLine]
    grains: list[tuple[str, str, bool]]
    profiles: list[tuple[str, str]]
    views: list[tuple[str, str]]
    kinds: list[tuple[str, str]]
    outlook: OutlookPanel
    results_url: str
    may_manage: bool
    may_approve: bool

    @property
    def has_proposal(self) -> bool:
        return any(line.baseline.state == Baseline.State.PROPOSED for line in self.baselines)


def chart_page(
    *, principal: Principal, system: str, unit: str, code: str, asked: AskedChart, today: date
) -> ChartPage:
    """Return the page of a control chart. raises: NotFound for what is not there or not theirs"""
    found = system_by_code(principal, system)
    place = Unit.objects.visible_to(principal, Permission.VIEW_RESULTS).filter(code=unit).first()
    if place is None:
        raise NotFound(_("There is no such chart, or it is not for you to see."))
    grains = grains_of(principal, system=found, unit=place, code=code)
    grain = chosen_grain(asked.grain, grains)
    chart = chart_at(
        principal=principal,
        system=found,
        unit=place,
        code=code,
        grain=grain,
        profile=asked.profile,
        today=today,
        view=asked.view,
    )
    return _page(principal, chart, grains, today)


def _page(principal: Principal, chart: Chart, grains: Sequence[Grain], today: date) -> ChartPage:
    definition, key, leaf = chart.definition, chart.key, chart.leaf
    usual = scale_of(leaf)
    scale = drawn_scale(chart, usual)
    name, counts = definition.name_of(key.code), counts_of_code(definition, key.code)
    noted = lettered(chart.annotations)
    may_manage = principal.may(Permission.MANAGE_SIGNALS, unit_id=key.unit_id)
    may_approve = principal.may(Permission.APPROVE_BASELINES, unit_id=key.unit_id)
    latest = chart.latest
    outlook = outlook_of(chart)
    lines = lines_on(chart, principal=principal)
    return ChartPage(
        chart=chart,
        name=name,
        scale=scale,
        title=title_of(latest.seen.period) if latest else "",
        value=number(scale.of(latest.seen.value) or 0.0, scale.decimals) if latest else "",
        between=_between(chart, scale),
        counted=counted(latest.seen.n, counts) if latest else "",
        said=flags_text(latest, chart.profile) if latest else "",
        variation=variation_sign(chart),
        assurance=assurance_sign(chart),
        target=value_text(chart.target, scale),
        figure=control_figure(
            chart,
            scale,
            noted,
            str(Counts(counts).label),
            None if chart.passed else outlook,
            () if chart.passed else lines,
        ),
        spread_figure=spread_figure(chart, scale),
        key_signs=[
            *key_signs(chart, noted, scale),
            *([] if chart.passed else _ahead_sign(outlook)),
            *(
                (f"beside-{at % 3 + 1}", line.name)
                for at, line in enumerate(() if chart.passed else lines)
            ),
        ],
        status=status_text(chart),
        facts=_facts(chart, scale, today),
        notes=[_note_line(principal, found) for found in noted],
        signals=[signal_line(each, definition, today) for each in chart.signals],
        baselines=_baseline_lines(principal, chart, usual, may_approve),
        grains=[(each.value, str(each.label), each == key.grain) for each in grains],
        profiles=[(each, str(PROFILE_NAMES.get(each, each))) for each in PROFILES],
        views=_views(chart),
        kinds=_kinds(chart) if may_manage or may_approve else [],
        outlook=outlook_panel(chart, outlook, usual),
        results_url=_results_url(chart),
        may_manage=may_manage,
        may_approve=may_approve,
    )


def _views(chart: Chart) -> list[tuple[str, str]]:
    """How the chart may be drawn; nothing to choose where only its points can be."""
    if chart.limits.kind != ChartKind.XMR or not chart.limits.status.usable:
        return []
    return [("", _("Each period")), (EWMA, _("Smoothed (EWMA)"))]


def _kinds(chart: Chart) -> list[tuple[str, str]]:
    """The kinds of chart that a person may choose for a new baseline: only those that suit."""
    suiting = suiting_kinds(chart.leaf, chart.window)
    if len(suiting) == 1:
        return []
    return [("", _("The one that suits the data")), *((k.value, str(k.label)) for k in suiting)]


def _between(chart: Chart, scale: Scale) -> str:
    latest = chart.latest
    if latest is None or latest.seen.low is None or latest.seen.high is None:
        return ""
    ends = (latest.seen.low, latest.seen.high)
    return " – ".join(number(scale.of(end) or 0.0, scale.decimals) for end in ends)


def _results_url(chart: Chart) -> str:
    asked = {"system": chart.system.code, "unit": chart.unit.code, "grain": chart.key.grain.value}
    return f"{reverse('sqcore:evaluation-indicator', args=[chart.key.code])}?{urlencode(asked)}"


def key_signs(chart: Chart, noted: Sequence[Noted], scale: Scale) -> list[tuple[str, str]]:
    """(what is drawn, in words) of what is on this chart; the lines with their latest values."""
    meanings = {(meaning_of(p, chart.better), p.side) for p in chart.points}
    frozen = any(segment.is_frozen for segment in chart.segments)
    solid = any(segment.is_frozen and segment.limits.n0 >= 20 for segment in chart.segments)
    dashed = any(
        segment.limits.status.usable and not (segment.is_frozen and segment.limits.n0 >= 20)
        for segment in chart.segments
    )
    line = _("value of a period") if chart.passed is None else _("what passed since the one before")
    found = [("line", line)]
    now = _lines_now(chart, scale)
    found += [("limits", _("centre and limits") + ("" if dashed else now))] if solid else []
    rough = _("trial limits, dashed") if chart.limits.n0 < 20 else _("limits not frozen, dashed")
    found += [("trial", rough + now)] if dashed else []
    if chart.is_smoothed:
        found.append(("smoothed", _("smoothed line with its limits")))
    if chart.target is not None:
        target = {"target": value_text(chart.target, scale)}
        found.append(("target", _("target %(target)s") % target))
    words = {
        ("concern", 1): _("worse: high"),
        ("concern", -1): _("worse: low"),
        ("better", 1): _("better: high"),
        ("better", -1): _("better: low"),
        ("neither", 1): _("changed: high"),
        ("neither", -1): _("changed: low"),
        ("neither", 0): _("changed pattern"),
    }
    found += [
        (f"{meaning}{side:+d}" if side else meaning, said)
        for (meaning, side), said in words.items()
        if (meaning, side) in meanings
    ]
    if any(point.seen.is_excluded for point in chart.points):
        found.append(("excluded", _("left out")))
    if chart.limits.status.usable or frozen:
        found.append(("span", _("periods that the limits come from")))
    if noted:
        found.append(("note", _("something happened")))
    return found


def _ahead_sign(outlook: Outlook) -> list[tuple[str, str]]:
    if not outlook.ahead:
        return []
    share = {"share": round(outlook.forecast.confidence * 100)}
    return [("ahead", _("forecast with its %(share)s %% interval") % share)]


def _lines_now(chart: Chart, scale: Scale) -> str:
    """Where centre and limits of the latest period are; empty without any."""
    latest = chart.latest
    if latest is None or None in (latest.lower, latest.centre, latest.upper):
        return ""
    lower, centre, upper = (
        number(scale.of(line) or 0.0, scale.decimals)
        for line in (latest.lower, latest.centre, latest.upper)
    )
    said = {"centre": centre, "lower": lower, "upper": upper, "unit": scale.unit}
    return " " + (_("(%(lower)s – %(centre)s – %(upper)s %(unit)s)") % said).replace(" )", ")")


def _facts(chart: Chart, scale: Scale, today: date) -> list[tuple[str, str]]:
    """Names and values: which chart and why, which rules, which baseline."""
    limits, baseline = chart.limits, chart.baseline
    latest = chart.latest
    facts = [
        (_("Kind of chart"), str(Kind(limits.kind.value).label)),
        (_("Why this kind"), reason_text(chart)),
        (_("Rules"), _rules(chart)),
    ]
    if limits.status.usable and latest is not None:
        facts += [
            (_("Centre"), value_text(limits.centre, scale)),
            (_("Limits of the latest period"), _limits(chart, scale)),
        ]
    facts.append((_("Baseline"), _baseline_text(chart)))
    if not chart.better_by_period:
        facts.append((_("Watched"), _not_watched()))
    elif chart.key.grain not in BASELINE_PERIODS:
        facts.append((_("Watched"), _("No: signals are looked for in weeks and months.")))
    if baseline is not None:
        facts.append((_("Frozen"), approval_text(baseline)))
    if chart.runs is not None:
        facts.append((_("Runs"), runs_text(chart.runs)))
    if chart.passed is not None:
        facts.append((_("Since the last one"), _since_text(chart.passed, today)))
    if limits.kind == ChartKind.XBAR_S:
        facts += _spread_facts(chart, scale)
    if chart.is_smoothed:
        facts.append((_("Smoothed"), _smoothed_text(chart)))
    if limits.screened:
        facts.append(
            (
                _("Left out as leaps"),
                ngettext(
                    "%(n)s step so large that it does not speak of the usual variation",
                    "%(n)s steps so large that they do not speak of the usual variation",
                    limits.screened,
                )
                % {"n": limits.screened},
            )
        )
    return facts


def _not_watched() -> str:
    return _(
        "No: its best is in the middle, so that it can become too low and too high. It has no "
        "signals and no early warnings; its points say how good it is."
    )


def _rules(chart: Chart) -> str:
    name = str(PROFILE_NAMES.get(chart.profile.key, chart.profile.key))
    return _("%(name)s, version %(version)s") % {"name": name, "version": chart.profile.version}


def _limits(chart: Chart, scale: Scale) -> str:
    latest = chart.latest
    if latest is None or latest.lower is None or latest.upper is None:
        return "–"
    ends = (value_text(latest.lower, scale), value_text(latest.upper, scale))
    return _("%(low)s to %(high)s") % {"low": ends[0], "high": ends[1]}


def _since_text(passed: RareEvents, today: date) -> str:
    """How long nothing has happened: no point of the chart yet, and often the best news on it."""
    days = max((today - passed.last_on).days, 0)
    said = ngettext("%(n)s day, since %(on)s", "%(n)s days, since %(on)s", days)
    return said % {"n": days, "on": day_text(passed.last_on)}


def _spread_facts(chart: Chart, scale: Scale) -> list[tuple[str, str]]:
    """What an x-bar and S chart says of the spread within the periods."""
    found = [(_("Spread within a period"), value_text(chart.limits.sigma, scale))]
    if chart.limits.allowance:
        found.append(
            (
                _("Allowed for between periods"),
                _("%(by)s: the means vary more than their spread within explains")
                % {"by": value_text(chart.limits.allowance, scale)},
            )
        )
    spreads = [point.spread for point in chart.points if point.spread is not None]
    beyond = sum(1 for each in spreads if each.is_beyond)
    said = ngettext(
        "beyond its limits in %(beyond)s of %(n)s period",
        "beyond its limits in %(beyond)s of %(n)s periods",
        len(spreads),
    )
    found.append((_("The spread itself"), said % {"beyond": beyond, "n": len(spreads)}))
    return found


def _smoothed_text(chart: Chart) -> str:
    lines = [point.smoothed for point in chart.points if point.smoothed is not None]
    beyond = sum(1 for each in lines if each.is_beyond)
    said = ngettext(
        "the line is beyond its limits in %(beyond)s of %(n)s period",
        "the line is beyond its limits in %(beyond)s of %(n)s periods",
        len(lines),
    ) % {"beyond": beyond, "n": len(lines)}
    now = _("beyond them now") if lines[-1].is_beyond else _("within them now")
    return _("%(said)s, %(now)s (weight 0.2, 2.86 sigma)") % {"said": said, "now": now}


def _baseline_text(chart: Chart) -> str:
    segment = chart.segments[-1]
    n0 = segment.limits.n0
    if not n0:
        return _("none yet")
    if chart.passed is not None:
        said = ngettext("%(n)s event: %(span)s", "%(n)s events: %(span)s", n0)
    else:
        said = ngettext("%(n)s period: %(span)s", "%(n)s periods: %(span)s", n0)
    return said % {"n": n0, "span": _segment_span(segment, chart)}


def _segment_span(segment: Segment, chart: Chart) -> str:
    return span_text(*segment.span, chart.seen[0].period)


def span_text(start: date, end: date, like: Period) -> str:
    """Return a span of whole periods by its first and its last: January 2025 to June 2025."""
    first = Period.of(start, like.grain, fiscal_start=like.fiscal_start)
    last = Period.of(end, like.grain, fiscal_start=like.fiscal_start).previous
    if last.start <= first.start:
        return title_of(first)
    return _("%(first)s to %(last)s") % {"first": title_of(first), "last": title_of(last)}


def approval_text(baseline: Baseline) -> str:
    """Return when and by whom a baseline was frozen, or proposed."""
    at = baseline.decided_at or baseline.created_at
    on = day_text(local_day(at))
    if baseline.state == Baseline.State.PROPOSED:
        return _("proposed by %(name)s on %(on)s") % {"name": _name(baseline.proposed_by), "on": on}
    if baseline.state == Baseline.State.DECLINED:
        return _("declined by %(name)s on %(on)s") % {"name": _name(baseline.decided_by), "on": on}
    if baseline.decided_by is None:
        return _("on %(on)s by the software, as soon as there were enough periods") % {"on": on}
    return _("on %(on)s by %(name)s") % {"on": on, "name": baseline.decided_by.name}


def _name(user: object) -> str:
    return str(getattr(user, "name", "") or "–")


def _baseline_lines(
    principal: Principal, chart: Chart, scale: Scale, may_approve: bool
) -> list[BaselineLine]:
    """Every baseline of the series, the newest first."""
    like = chart.seen[0].period
    current = chart.baseline
    return [
        BaselineLine(
            baseline=found,
            span=span_text(found.starts_on, found.ends_on, like),
            applies=title_of(
                Period.of(found.applies_from, like.grain, fiscal_start=like.fiscal_start)
            ),
            kind=str(Kind(found.kind).label),
            centre=value_text(found.centre, scale),
            origin=str(Baseline.Origin(found.origin).label),
            approval=approval_text(found),
            is_current=current is not None and found.pk == current.pk,
            may_decide=(
                found.state == Baseline.State.PROPOSED
                and may_approve
                and (principal.user is None or found.proposed_by_id != principal.user.pk)
            ),
        )
        for found in reversed(chart.baselines)
    ]


def _note_line(principal: Principal, noted: Noted) -> NotedLine:
    found = noted.annotation
    last = date.fromordinal(found.ends_on.toordinal() - 1)
    days = [day_text(each) for each in dict.fromkeys((found.starts_on, last))]
    excludes = found.kind == Annotation.Kind.EXCLUSION
    needed = Permission.APPROVE_BASELINES if excludes else Permission.MANAGE_SIGNALS
    may = (
        principal.may(needed, unit_id=found.unit_id)
        if found.unit_id is not None
        else principal.scope(needed).everywhere
    )
    return NotedLine(
        noted=noted,
        span=" – ".join(days),
        by=_name(found.created_by) if found.created_by_id else "",
        may_withdraw=may and not found.reference,
    )
