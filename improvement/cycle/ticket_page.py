"""What the page of one ticket shows, and its sheet on paper, put together from the queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement.actions.models import Action
from improvement.actions.queries import actions_of
from improvement.cycle.board import (
    AT_ONCE,
    Around,
    Mark,
    days_said,
    moves_of,
    severity_mark,
    waits_for,
)
from improvement.cycle.drawing import Fishbone, StillChart, fishbone_of, still_chart
from improvement.cycle.pages import evidence_of, scale_of_indicator
from improvement.cycle.queries import blocked_time, possible_actions
from improvement.cycle.transitions import TRANSITIONS
from improvement.diagnosis.queries import Branch, Why, findings_of, whys_of
from improvement.diagnosis.queries import fishbone_of as branches_of
from improvement.standards.models import StandardVersion
from improvement.tickets import queries as tickets
from improvement.tickets.models import (
    INTAKE,
    Attachment,
    Comment,
    Phase,
    Severity,
    State,
    Step,
    Ticket,
)
from improvement.verification.another import AnotherLook, another_look
from improvement.verification.models import EffectCheck, EffectPlan, Verdict
from improvement.verification.planning import Outlook
from improvement.verification.queries import plans_of
from improvement.verification.wording import (
    TONES,
    agreement_text,
    amount,
    amount_at_least,
    another_said,
    between,
    of_change,
    ratio_text,
    reason_text,
    shift,
    spans,
)
from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain
from sqcore.base.text import in_language
from sqcore.dashboards.figures import Figure
from sqcore.dashboards.tags import day
from sqcore.evaluation.wording import Scale, number, scale_of
from sqcore.identity.permissions import Permission
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

DONE, NOW, TO_COME = "done", "now", "to come"


@dataclass(frozen=True)
class Stage:
    """A phase of the stepper: done, now or to come."""

    title: str | Promise
    standing: str


@dataclass(frozen=True)
class NextStep:
    """What this person could do next; `why_not` says what is missing for it."""

    name: str
    title: str
    url: str
    why_not: str = ""
    at_once: bool = False
    is_main: bool = False


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
class Balance:
    """A measure that must not get worse: what was allowed, and what came."""

    name: str
    allowed: str
    came: str = ""
    tone: str = ""


@dataclass(frozen=True)
class CheckView:
    """One look at the effect, in words."""

    check: EffectCheck
    verdict: Mark
    found: str
    sure: str
    promised: str
    figures: list[tuple[str, str]]
    standing: list[tuple[str, str]]
    reasons: list[str]
    balancing: list[Balance]
    another: list[str]
    waits: str
    comes_next: str
    may_confirm: bool
    may_override: bool
    may_withdraw: bool


@dataclass(frozen=True)
class EffectView:
    """A promise with its checks, in words."""

    plan: EffectPlan
    is_present: bool
    promise: str
    facts: list[tuple[str, str]]
    balancing: list[Balance]
    checks: list[CheckView]


@dataclass(frozen=True)
class Happening:
    """A line of the history."""

    at: datetime
    who: str
    what: str
    note: str


@dataclass(frozen=True)
class Relation:
    ticket: Ticket
    title: str
    how: str
    url: str


@dataclass(frozen=True)
class RelatedSignal:
    """A signal of the ticket, in words, with the way to its chart."""

    signal: Signal
    said: str
    url: str


@dataclass(frozen=True)
class May:
    """What this person may do on the page, besides the steps of the ticket."""

    plan: bool = False
    act: bool = False
    check: bool = False
    comment: bool = False


@dataclass(frozen=True)
class TicketPage:
    ticket: Ticket
    title: str
    indicator: str
    severity: Mark | None
    waits: Mark
    age: str
    blocked: str
    evidence: str
    stages: list[Stage]
    steps: list[NextStep]
    part: NextStep | None
    chart: Charted | None
    whys: list[Why]
    fishbone: Fishbone | None
    branches: list[Branch]
    actions: list[Action]
    effects: list[EffectView]
    standards: list[StandardVersion]
    history: list[Happening]
    comments: list[Comment]
    files: list[Attachment]
    related: list[Relation]
    signals: list[RelatedSignal]
    watchers: list[str]
    is_watching: bool
    last_step: int
    may: May

    @property
    def is_ended(self) -> bool:
        return self.ticket.phase == Phase.ENDED

    @property
    def possible(self) -> list[NextStep]:
        return [step for step in self.steps if not step.why_not]

    @property
    def impossible(self) -> list[NextStep]:
        return [step for step in self.steps if step.why_not]

    @property
    def effect(self) -> EffectView | None:
        """The promise of the present cycle."""
        return next((found for found in self.effects if found.is_present), None)

    @property
    def verdict(self) -> CheckView | None:
        """The last verdict of the present cycle; None before there is one."""
        checks = self.effect.checks if self.effect else ()
        return next((each for each in checks if not each.check.is_interim), None)


def ticket_page(*, ticket: Ticket, principal: Principal, now: datetime) -> TicketPage:
    """Return all that the page of a ticket shows to this person."""
    today = local_day(now)
    charted = chart_for(ticket, principal, now=now)
    plans = plans_of(ticket)
    leaves = _leaves(ticket, plans)
    effects = _effects(ticket, plans, principal, leaves)
    actions = actions_of(ticket)
    present = findings_of(ticket)
    steps = tickets.history(ticket)
    indicator = leaves.get(ticket.code)
    around = _around(ticket, effects, actions)
    may = _may(ticket, principal, effects)
    watchers = tickets.watchers_of(ticket)
    branches = [branch for branch in branches_of(present) if branch.findings]
    return TicketPage(
        ticket=ticket,
        title=in_language(tickets.title_of(ticket)),
        indicator=str(indicator) if indicator else ticket.code,
        severity=severity_mark(ticket.severity),
        waits=waits_for(ticket, around, today=today),
        age=days_said((today - local_day(ticket.moved_at)).days),
        blocked=_blocked(ticket, now),
        evidence=evidence_of(ticket, indicator),
        stages=stages_of(ticket),
        steps=next_steps(ticket, principal),
        part=_part(ticket, may, effects, around),
        chart=charted,
        whys=whys_of(present),
        fishbone=fishbone_of(
            [(str(each.of), [(f.text, f.is_root) for f in each.findings]) for each in branches],
            ticket.problem or ticket.title,
        ),
        branches=branches,
        actions=actions,
        effects=effects,
        standards=_standards(ticket),
        history=[_happening(step) for step in steps],
        comments=tickets.comments_of(ticket),
        files=tickets.attachments_of(ticket),
        related=_related(ticket, principal),
        signals=_signals(ticket, principal, indicator),
        watchers=[user.name for user in watchers],
        is_watching=principal.user in watchers,
        last_step=steps[-1].pk if steps else 0,
        may=may,
    )


def _around(ticket: Ticket, effects: Sequence[EffectView], actions: Sequence[Action]) -> Around:
    """What `waits_for` looks at, from what the page has read already."""
    plan = next((found.plan for found in effects if found.is_present), None)
    if plan is not None:
        final = [check for check in plan.checks.all() if not check.is_interim]
        plan.awaits_confirmation = any(c.confirmed_by_id is None for c in final)  # type: ignore[attr-defined]  # as the board annotates it
    todo = [a for a in actions if a.cycle == ticket.cycle and a.state == Action.State.OPEN]
    return Around(
        names={},
        plans={ticket.pk: plan} if plan else {},
        open_actions={ticket.pk: (len(todo), min(a.due_on for a in todo))} if todo else {},
    )


def _blocked(ticket: Ticket, now: datetime) -> str:
    """How long it stood still in all; empty where it never did."""
    days = blocked_time(ticket, now=now).days
    return _("It stood still %(days)s in all.") % {"days": days_said(days)} if days else ""


def stages_of(ticket: Ticket) -> list[Stage]:
    """Return the phases with where the ticket is among them."""
    order = (Phase.INTAKE, Phase.PLAN, Phase.DO, Phase.CHECK, Phase.ACT)
    at = order.index(ticket.phase) if ticket.phase in order else len(order)
    return [
        Stage(phase.label, DONE if index < at else NOW if index == at else TO_COME)
        for index, phase in enumerate(order)
    ]


# What next ---------------------------------------------------------------------------------------


def next_steps(ticket: Ticket, principal: Principal) -> list[NextStep]:
    """Return the steps that are this person's to take, with what is missing for each."""
    if ticket.state in INTAKE:
        found = [(move.name, move.title, "") for move in moves_of(ticket, principal=principal)]
    else:
        parts = {"problem", "contain"}  # they stand in their section
        found = [
            (each.action, str(each.title), each.why_not)
            for each in possible_actions(ticket, principal)
            if each.is_theirs and each.action not in parts
        ]
        hidden = {"block"} if ticket.is_blocked else {"unblock"}
        found = [each for each in found if each[0] not in hidden]
    return _steps(found, ticket)


_SIDE = frozenset({"reject", "duplicate", "snooze", "block", "cancel", "return", "abandon"})


def _steps(found: Sequence[tuple[str, str, str]], ticket: Ticket) -> list[NextStep]:
    main = next((name for name, _title, why in found if not why and name not in _SIDE), "")
    page = reverse("improvement:ticket", args=[ticket.pk])
    return [
        NextStep(
            name=name,
            title=title,
            url=reverse("improvement:do", args=[ticket.pk, name])
            if name in AT_ONCE
            else f"{page}?do={name}#do",
            why_not=why,
            at_once=name in AT_ONCE,
            is_main=name == main,
        )
        for name, title, why in found
    ]


def _part(
    ticket: Ticket, may: May, effects: Sequence[EffectView], around: Around
) -> NextStep | None:
    """The part of the page that has to be filled in before the ticket can go on."""
    page = reverse("improvement:ticket", args=[ticket.pk])
    if may.act and ticket.state == State.DO and ticket.pk in around.open_actions:
        return NextStep("actions", _("See the open actions"), "#actions", is_main=True)
    if not may.plan or ticket.severity == Severity.S4:
        return None
    parts = (
        ("problem", not ticket.problem, _("State the problem")),
        ("add-action", ticket.pk not in around.open_actions, _("Add an action")),
        ("promise", not any(each.is_present for each in effects), _("Promise an effect")),
    )
    for name, is_missing, title in parts:
        if is_missing:
            return NextStep(name, title, f"{page}?do={name}#do", is_main=True)
    return None


def _may(ticket: Ticket, principal: Principal, effects: Sequence[EffectView]) -> May:
    runs = principal.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    is_owner = principal.user is not None and principal.user.pk == ticket.owner_id
    theirs = principal.user is not None and (runs or is_owner)
    return May(
        plan=theirs and ticket.state == State.PLAN,
        act=theirs and ticket.state in (State.PLAN, State.DO),
        check=theirs and ticket.state == State.CHECK and _is_to_be_checked(effects),
        comment=principal.user is not None
        and (is_owner or principal.may(Permission.PROPOSE_TICKETS, unit_id=ticket.unit_id)),
    )


def _is_to_be_checked(effects: Sequence[EffectView]) -> bool:
    """Whether a look is still to come: there is no verdict, or the check was extended since."""
    present = next((found for found in effects if found.is_present), None)
    if present is None:
        return False
    verdicts = [each for each in present.checks if not each.check.is_interim]
    return len(verdicts) < (1 if present.plan.extended_to is None else 2)


# The chart ---------------------------------------------------------------------------------------


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


def _signals(
    ticket: Ticket, principal: Principal, indicator: Indicator | None
) -> list[RelatedSignal]:
    """The signals of a ticket, each once; those of another system have no chart beside it."""
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


# The effect --------------------------------------------------------------------------------------


def _leaves(ticket: Ticket, plans: Sequence[EffectPlan]) -> dict[str, Indicator]:
    """The indicators that a ticket and its promises are about; one query."""
    codes = {plan.code for plan in plans} | {m.code for p in plans for m in p.balancing.all()}
    found = Indicator.objects.filter(code__in={*codes, ticket.code}).order_by("code")
    return {indicator.code: indicator for indicator in found}


def _effects(
    ticket: Ticket,
    plans: Sequence[EffectPlan],
    principal: Principal,
    leaves: Mapping[str, Indicator],
) -> list[EffectView]:
    newest = plans[0].pk if plans and plans[0].cycle == ticket.cycle else None
    return [
        _effect(plan, ticket, principal, leaves, is_present=plan.pk == newest) for plan in plans
    ]


def _scale(code: str, leaves: Mapping[str, Indicator]) -> Scale:
    return scale_of_indicator(leaves.get(code))


def _change_scale(code: str, leaves: Mapping[str, Indicator]) -> Scale:
    return of_change(_scale(code, leaves))


def _name(code: str, leaves: Mapping[str, Indicator]) -> str:
    return str(leaves[code]) if code in leaves else code


def _effect(
    plan: EffectPlan,
    ticket: Ticket,
    principal: Principal,
    leaves: Mapping[str, Indicator],
    *,
    is_present: bool,
) -> EffectView:
    scale, grain = _change_scale(plan.code, leaves), Grain(plan.grain)
    way = (
        _("%(name)s: lower by at least %(by)s")
        if plan.better < 0
        else _("%(name)s: higher by at least %(by)s")
    )
    facts = [
        (_("Compared with"), f"{plan.get_comparison_display()} ({spans(plan.n_before, grain)})"),
        (_("Action planned for"), day(plan.starts_on)),
        (_("Left out after it"), spans(plan.washout, grain)),
        (_("Check on"), _check_day(plan, grain)),
        (_("Smallest detectable effect"), amount_at_least(plan.smallest_detectable, scale)),
    ]
    return EffectView(
        plan=plan,
        is_present=is_present,
        promise=way % {"name": _name(plan.code, leaves), "by": amount(plan.minimum, scale)},
        facts=[(name, value) for name, value in facts if value],
        balancing=[
            Balance(
                _name(each.code, leaves),
                _("at most %(margin)s worse")
                % {"margin": amount(each.margin, _change_scale(each.code, leaves))},
            )
            for each in plan.balancing.all()
        ],
        checks=[
            _check(check, plan, ticket, principal, leaves) for check in plan.checks.all()
        ][::-1],
    )  # fmt: skip


def _check_day(plan: EffectPlan, grain: Grain) -> str:
    on = plan.extended_to or plan.check_on
    said = _("%(day)s, after %(periods)s") % {
        "day": day(on),
        "periods": spans(plan.n_after, grain),
    }
    return _("%(check)s (extended)") % {"check": said} if plan.extended_to else said


def _check(
    check: EffectCheck,
    plan: EffectPlan,
    ticket: Ticket,
    principal: Principal,
    leaves: Mapping[str, Indicator],
) -> CheckView:
    waiting = not check.is_interim and check.confirmed_by_id is None
    present = plan.cycle == ticket.cycle and ticket.state == State.CHECK
    me = principal.user.pk if principal.user else 0
    quality = principal.may(Permission.CONFIRM_EFFECTS, unit_id=ticket.unit_id)
    mine = waiting and present and quality and ticket.owner_id != me
    overridden = check.override_by_id is not None
    look = another_look(check.points)
    return CheckView(
        check=check,
        verdict=_verdict(check),
        found=_found(check, plan, leaves),
        sure=_sure(check, plan, leaves),
        promised=_promised(plan, leaves),
        figures=_figures(check, plan, leaves) + _figures_besides(look),
        standing=_standing(check),
        reasons=[reason_text(str(code)) for code in check.reasons],
        balancing=_balancing(check, leaves),
        another=_another(check, look),
        waits=_waits(check) if waiting else "",
        comes_next=_comes_next(check, plan, ticket),
        may_confirm=mine and check.override_by_id != me,
        may_override=mine and not overridden,
        may_withdraw=mine and overridden,
    )


def _verdict(check: EffectCheck) -> Mark:
    if check.is_interim:
        return Mark(_("Interim look: no verdict"), "", "watch")
    verdict = check.confirmed_verdict or check.verdict
    symbols = {
        Verdict.IMPROVED: "good",
        Verdict.WORSE: "bad",
        Verdict.NO_CHANGE: "flat",
        Verdict.INCONCLUSIVE: "watch",
    }
    return Mark(str(Verdict(verdict).label), TONES[verdict], symbols[Verdict(verdict)])


def _found(check: EffectCheck, plan: EffectPlan, leaves: Mapping[str, Indicator]) -> str:
    """What was found, in a sentence."""
    if check.estimate is None:
        return _("There is nothing to compare yet.")
    scale = _scale(plan.code, leaves)
    by = amount(abs(check.estimate), _change_scale(plan.code, leaves))
    said = {
        "name": _name(plan.code, leaves),
        "by": by,
        "before": amount(check.mean_before or 0.0, scale),
        "after": amount(check.mean_after or 0.0, scale),
    }
    known = check.mean_before is not None and check.mean_after is not None
    if check.estimate < 0:
        way = _("%(name)s: %(by)s lower than before the action")
    else:
        way = _("%(name)s: %(by)s higher than before the action")
    words = way % said
    if known:
        means = _("%(change)s, from %(before)s to %(after)s")
        words = means % {"change": words, **said}
    return _("%(sentence)s.") % {"sentence": words}


def _sure(check: EffectCheck, plan: EffectPlan, leaves: Mapping[str, Indicator]) -> str:
    """How sure that is, and from how much."""
    if check.estimate is None:
        return ""
    grain = Grain(plan.grain)
    said = {
        "before": spans(check.n_before, grain),
        "after": spans(check.n_after, grain),
        "percent": _percent(check),
    }
    if check.low is None or check.high is None:
        return _("From %(before)s before and %(after)s after; how sure is not said yet.") % said
    said["between"] = between(check.low, check.high, _change_scale(plan.code, leaves))
    if check.low <= 0 <= check.high:
        return (
            _(
                "Chance alone can explain that: the %(percent)s interval of the change, "
                "%(between)s, includes zero. From %(before)s before and %(after)s after."
            )
            % said
        )
    return (
        _(
            "Chance does not explain that: the %(percent)s interval of the change is %(between)s. "
            "From %(before)s before and %(after)s after."
        )
        % said
    )


def _promised(plan: EffectPlan, leaves: Mapping[str, Indicator]) -> str:
    by = amount(plan.minimum, _change_scale(plan.code, leaves))
    if plan.better < 0:
        return _("Promised was: lower by at least %(by)s.") % {"by": by}
    return _("Promised was: higher by at least %(by)s.") % {"by": by}


def _comes_next(check: EffectCheck, plan: EffectPlan, ticket: Ticket) -> str:
    """What follows from a verdict of the present cycle; empty once it has followed."""
    if check.is_interim or plan.cycle != ticket.cycle or ticket.state != State.CHECK:
        return ""
    if check.confirmed_by_id is not None:
        return _("Next the owner concludes the check.")
    if (check.override_verdict or check.verdict) == Verdict.IMPROVED:
        return _("Once it is confirmed, the owner makes the new way the standard.")
    return _(
        "Once it is confirmed, the owner decides: another cycle with another cause, or an end with "
        "the lesson."
    )


def _percent(check: EffectCheck) -> str:
    return f"{number(100 * check.confidence, 1).removesuffix('0').rstrip('.,')} %"


def _waits(check: EffectCheck) -> str:
    if check.override_by is None:
        return _("It counts once quality confirms it: somebody else than the owner.")
    said = {
        "name": check.override_by.name,
        "verdict": Verdict(check.override_verdict).label,
        "reason": check.override_reason,
    }
    return _("%(name)s asks for “%(verdict)s” instead: %(reason)s A second person decides.") % said


def _figures(
    check: EffectCheck, plan: EffectPlan, leaves: Mapping[str, Indicator]
) -> list[tuple[str, str]]:
    scale, grain = _change_scale(plan.code, leaves), Grain(plan.grain)
    percent = _percent(check)
    known: list[tuple[str, str]] = []
    if check.estimate is not None:
        known.append((_("Change"), shift(check.estimate, scale)))
    if check.low is not None and check.high is not None:
        interval = between(check.low, check.high, scale)
        known.append((_("%(percent)s interval") % {"percent": percent}, interval))
    n = _("%(before)s before, %(after)s after") % {
        "before": spans(check.n_before, grain),
        "after": spans(check.n_after, grain),
    }
    known.append((_("From"), n))
    if check.mean_before is not None and check.mean_after is not None:
        level = _scale(plan.code, leaves)
        means = f"{amount(check.mean_before, level)} → {amount(check.mean_after, level)}"
        known.append((_("Mean before and after"), means))
    if check.smallest_detectable is not None:
        seen = amount_at_least(check.smallest_detectable, scale)
        known.append((_("Smallest detectable effect"), seen))
    return known


def _another(check: EffectCheck, look: AnotherLook | None) -> list[str]:
    """What the counts say beside the verdict; empty where nothing is counted."""
    if look is None:
        return []
    said = [*another_said(look)]
    if look.ratio is not None and check.low is not None and check.high is not None:
        said.append(agreement_text(look, low=check.low, high=check.high))
    return said


def _figures_besides(look: AnotherLook | None) -> list[tuple[str, str]]:
    if look is None or look.ratio is None or look.dispersion is None:
        return []
    n = _("%(before)s before, %(after)s after") % {
        "before": spans(look.n_before, look.grain),
        "after": spans(look.n_after, look.grain),
    }
    return [
        (_("Another look: ratio of the rates"), ratio_text(look)),
        (_("Another look: from"), n),
        (_("Another look: spread, 1 is that of chance"), number(look.dispersion, 2)),
    ]


def _standing(check: EffectCheck) -> list[tuple[str, str]]:
    """What a look is worth, and who stands for it."""
    known = [(_("Looked at"), day(check.through))]
    if not check.is_interim:
        known.append((_("Restored"), _restored(check.is_restored)))
        known.append((_("Evidence"), check.get_grade_display()))
    if check.override_verdict:
        known.append((_("Computed verdict"), check.get_verdict_display()))
    return known


def _restored(is_restored: bool | None) -> str:
    if is_restored is None:
        return _("cannot be told: there is no frozen baseline")
    if is_restored:
        return _("yes: again within 1 sigma of the frozen baseline")
    return _("no: not within 1 sigma of the frozen baseline")


def _balancing(check: EffectCheck, leaves: Mapping[str, Indicator]) -> list[Balance]:
    found = []
    for each in check.balancing:
        code = str(each.get("code", ""))
        scale = _change_scale(code, leaves)
        low, high, estimate = (each.get(name) for name in ("low", "high", "estimate"))
        came = shift(estimate, scale) if estimate is not None else _("cannot be told")
        if low is not None and high is not None:
            came = f"{came} ({between(low, high, scale)})"
        worse = each.get("is_worse")
        found.append(
            Balance(
                _name(code, leaves),
                _("at most %(margin)s worse") % {"margin": amount(each.get("margin") or 0, scale)},
                came,
                "bad" if worse else "" if worse is None else "good",
            )
        )
    return found


# The rest ----------------------------------------------------------------------------------------


def _standards(ticket: Ticket) -> list[StandardVersion]:
    if ticket.phase not in (Phase.ACT, Phase.ENDED) and ticket.cycle == 1:
        return []
    found = ticket.standard_versions.select_related("standard", "written_by", "approved_by")
    return list(found.order_by("id"))


_HAPPENED: Mapping[str, Promise] = {
    "proposed": gettext_lazy("Proposed"),
    "announced": gettext_lazy("Announced to who decides"),
    "accepted": gettext_lazy("Accepted"),
    "rejected": gettext_lazy("Rejected"),
    "duplicate": gettext_lazy("Marked as a duplicate"),
    "grouped": gettext_lazy("Put below a common proposal"),
    "narrowed": gettext_lazy("Moved to the unit where it lies"),
    "effect_planned": gettext_lazy("Effect promised"),
    "cause-added": gettext_lazy("Cause added"),
    "cause-removed": gettext_lazy("Cause removed"),
    "action-added": gettext_lazy("Action added"),
    "action-changed": gettext_lazy("Action changed"),
    "action-done": gettext_lazy("Action done"),
    "action-cancelled": gettext_lazy("Action cancelled"),
    "snoozed": gettext_lazy("Snoozed"),
    "woken": gettext_lazy("Back in the intake"),
    "withdrawn": gettext_lazy("Withdrawn: the numbers recovered"),
    "problem": gettext_lazy("Problem stated"),
    "contain": gettext_lazy("Contained"),
    "submit": gettext_lazy("Plan submitted"),
    "plan-small": gettext_lazy("Small fix planned"),
    "approve": gettext_lazy("Plan approved"),
    "return": gettext_lazy("Plan returned"),
    "block": gettext_lazy("Blocked"),
    "unblock": gettext_lazy("Unblocked"),
    "finish": gettext_lazy("Finished doing"),
    "conclude": gettext_lazy("Check concluded"),
    "standardise": gettext_lazy("Standard written"),
    "approve-standard": gettext_lazy("Standard approved"),
    "return-standard": gettext_lazy("Standard returned"),
    "next-cycle": gettext_lazy("Next cycle started"),
    "extend": gettext_lazy("Check extended"),
    "abandon": gettext_lazy("Abandoned"),
    "cancel": gettext_lazy("Cancelled"),
    "close": gettext_lazy("Closed: the effect held"),
    "not-held": gettext_lazy("Reopened: it did not hold"),
    "regressed": gettext_lazy("Reopened: it came back"),
}


def _happening(step: Step) -> Happening:
    known = _HAPPENED.get(step.action)
    listed = TRANSITIONS.get(step.action)
    plain = step.action.replace("_", " ").replace("-", " ").capitalize()
    what = known or (listed.title if listed else plain)
    who = step.by.name if step.by else _("the software")
    return Happening(step.at, who, str(what), _note(step))


def _note(step: Step) -> str:
    """What was said with a step; the day until which it was snoozed is written as a day."""
    if step.action != "snoozed":
        return step.note
    try:
        return _("until %(day)s") % {"day": day(date.fromisoformat(step.note))}
    except ValueError:
        return step.note


def happened_since(ticket: Ticket, step: int) -> list[Happening]:
    """Return what was done with a ticket after this step of its history."""
    found = ticket.steps.filter(pk__gt=step).select_related("by").order_by("id")
    return [_happening(each) for each in found]


def _related(ticket: Ticket, principal: Principal) -> list[Relation]:
    """The tickets above, below and beside this one that this person sees; one query."""
    beside = {ticket.parent_id, ticket.duplicate_of_id, ticket.recurrence_of_id} - {None}
    same = Q(pk__in=beside) | Q(parent=ticket) | Q(duplicate_of=ticket) | Q(recurrence_of=ticket)
    found = Ticket.objects.visible_to(principal).filter(same).select_related("unit")
    return [
        Relation(
            each,
            in_language(tickets.title_of(each)),
            _how(each, ticket),
            reverse("improvement:ticket", args=[each.pk]),
        )
        for each in found.order_by("id")
    ]


def _how(other: Ticket, ticket: Ticket) -> str:
    ways: Sequence[tuple[bool, str]] = (
        (other.pk == ticket.parent_id, _("above it")),
        (other.parent_id == ticket.pk, _("below it")),
        (other.pk == ticket.duplicate_of_id, _("it is a duplicate of this")),
        (other.duplicate_of_id == ticket.pk, _("a duplicate of it")),
        (other.pk == ticket.recurrence_of_id, _("the same problem before")),
        (other.recurrence_of_id == ticket.pk, _("the same problem again")),
    )
    return next(words for fits, words in ways if fits)


@dataclass(frozen=True)
class OutlookView:
    """What can be seen by when, in words."""

    refusal: str
    check_on: date | None
    said: str
    horizons: list[tuple[str, int, str]]


def outlook_view(outlook: Outlook) -> OutlookView:
    """Say an outlook in the unit of its indicator."""
    ground = outlook.ground
    if ground is None:
        return OutlookView(outlook.refusal, None, "", [])
    scale, grain = ground.place.scale, ground.place.key.grain
    said = ""
    if outlook.n_after and outlook.smallest_detectable is not None:
        said = _(
            "Compared with %(before)s before the action. After %(after)s a change of %(effect)s or "
            "more is seen four times out of five."
        ) % {
            "before": spans(ground.n_before, grain),
            "after": spans(outlook.n_after, grain),
            "effect": amount_at_least(outlook.smallest_detectable, scale),
        }
    horizons = [
        (day(each.on), each.n_after, amount_at_least(each.effect, scale))
        for each in outlook.horizons
    ]
    return OutlookView(outlook.refusal, outlook.check_on, said, horizons)
