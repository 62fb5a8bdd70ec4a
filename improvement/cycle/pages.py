"""What the pages beside the board show: the intake, own work, what ended, what may be proposed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from improvement.actions.models import Action
from improvement.cycle.board import Card, Mark, around_of, card_of, days_said
from improvement.cycle.forms import ProposeForm
from improvement.cycle.models import Approval
from improvement.standards.models import Standard, StandardVersion
from improvement.standards.queries import standards_seen_by, valid_version
from improvement.tickets.models import INTAKE, State, Ticket, TicketSignal
from improvement.tickets.queries import is_root, title_of
from improvement.verification.models import EffectCheck
from improvement.verification.wording import amount, of_change
from sqcore.base.periods import Grain, Period
from sqcore.base.periods import title_of as period_title
from sqcore.base.text import day, in_language
from sqcore.dashboards.figures import Point
from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.wording import Scale, number, scale_of
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.models import Indicator, WeightedIndicator
from sqcore.monitoring.models import Signal, Watch
from sqcore.monitoring.queries import latest_watches
from sqcore.monitoring.wording import value_text
from sqcore.org.models import RoleGrant, Unit, during
from sqcore.org.queries import local_day, tree_on

MOST_PROPOSALS = 25
TREND = 30
"""Periods of the small trend beside a proposal."""
MOST_MINE = 50

Key = tuple[int, int, str, str]


def scale_of_indicator(indicator: Indicator | None) -> Scale:
    """Return how values of an indicator of the catalogue are written."""
    if indicator is None:
        return scale_of(None)
    leaf = IndicatorDefinition(
        code=indicator.code,
        name=indicator.name,
        definition={},
        unit_of_measure=indicator.unit_of_measure,
        direction=indicator.direction,
        statistic=indicator.statistic,
        source=indicator.source,
        measure="",
        weight=0.0,
        worst=0.0,
        best=1.0,
    )
    return scale_of(leaf)


# The intake --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """A proposal with what speaks for it; `below` are the proposals that it stands for."""

    card: Card
    evidence: str
    trend: Sequence[Point]
    trend_label: str
    below: Sequence[Ticket]
    attached: Sequence[Signal]


@dataclass(frozen=True)
class IntakePage:
    """The proposals that wait, the strongest first; those over the budget and the snoozed apart."""

    first: list[Proposal]
    behind: list[Proposal]
    snoozed: list[Proposal]
    more: int

    @property
    def waiting(self) -> int:
        return len(self.first) + len(self.behind) + self.more

    @property
    def is_empty(self) -> bool:
        return not (self.first or self.behind or self.snoozed)


def intake_page(*, principal: Principal, now: datetime) -> IntakePage:
    """Return the proposals that this person sees, with their small trends; at most so many."""
    waiting = _proposals(principal)
    tickets = sorted(waiting[: 4 * MOST_PROPOSALS], key=_rank)
    more = max(0, waiting.count() - MOST_PROPOSALS) if len(tickets) > MOST_PROPOSALS else 0
    tickets = tickets[:MOST_PROPOSALS]
    codes = {ticket.code for ticket in tickets if ticket.code}
    indicators = {i.code: i for i in Indicator.objects.filter(code__in=codes).order_by("code")}
    around = around_of(tickets, names={code: str(found) for code, found in indicators.items()})
    watches = {(w.system_id, w.grain): w for w in latest_watches(principal)} if tickets else {}
    trends = _trends(principal, tickets, indicators)
    proposals = [
        Proposal(
            card=card_of(ticket, around, principal=principal, now=now),
            evidence=evidence_of(ticket, indicators.get(ticket.code), watches),
            trend=trends.get(_key(ticket), ()),
            trend_label=_("The last periods of %(name)s") % {"name": around.names[ticket.code]}
            if ticket.code in around.names
            else "",
            below=list(ticket.children.all()),
            attached=[link.signal for link in ticket.signals.all()],
        )
        for ticket in tickets
    ]
    return IntakePage(
        first=[p for p in proposals if _stands(p.card.ticket) == "first"],
        behind=[p for p in proposals if _stands(p.card.ticket) == "behind"],
        snoozed=[p for p in proposals if _stands(p.card.ticket) == "snoozed"],
        more=more,
    )


def _proposals(principal: Principal) -> QuerySet[Ticket]:
    return (
        Ticket.objects.visible_to(principal)
        .filter(is_root(), state__in=INTAKE)
        .select_related("unit", "owner", "proposed_by", "signal__baseline")
        .prefetch_related(
            Prefetch("children", Ticket.objects.open().select_related("unit").order_by("id")),
            Prefetch(
                "signals",
                TicketSignal.objects.filter(signal__in=Signal.objects.visible_to(principal))
                .select_related("signal__unit")
                .order_by("id"),
            ),
        )
        .order_by("is_over_budget", F("severity").asc(nulls_last=True), "id")
    )


def _stands(ticket: Ticket) -> str:
    if ticket.state == State.SNOOZED:
        return "snoozed"
    return "behind" if ticket.is_over_budget else "first"


def _rank(ticket: Ticket) -> tuple[bool, bool, int, float, int]:
    strength = abs(ticket.signal.shift_sigma) if ticket.signal else 0.0
    return (
        ticket.state == State.SNOOZED,
        ticket.is_over_budget,
        ticket.severity or 9,
        -strength,
        ticket.pk,
    )


def intake_waiting(principal: Principal) -> list[QuerySet[Ticket]]:
    """Return the proposals that wait for who may decide on them at their units."""
    scope = principal.scope(Permission.RUN_TICKETS)
    if not scope:
        return []
    waiting = Ticket.objects.visible_to(principal).filter(
        is_root(), state=State.PROPOSED, is_over_budget=False
    )
    return [waiting if scope.everywhere else waiting.filter(unit_id__in=scope.units)]


def evidence_of(
    ticket: Ticket,
    indicator: Indicator | None,
    watches: Mapping[tuple[int, str], Watch] | None = None,
) -> str:
    """Say in a sentence what a proposal rests on; empty where a person just says so."""
    signal = ticket.signal
    if signal is None:
        return ""
    scale = scale_of_indicator(indicator)
    said = _("Since %(period)s it is %(by)s %(side)s %(centre)s (%(sigma)s sigma).") % {
        "period": period_title(Period(signal.since_on, Grain(signal.grain))),
        "by": amount(abs(signal.shift), of_change(scale)),
        "side": _("above") if signal.shift >= 0 else _("below"),
        "centre": value_text(signal.baseline.centre, scale),
        "sigma": number(abs(signal.shift_sigma), 1),
    }
    watch = (watches or {}).get((signal.system_id, signal.grain))
    return f"{said} {_by_chance(watch)}" if watch else said


def _by_chance(watch: Watch) -> str:
    found = ngettext(
        "One signal was found so far; chance alone lets expect %(expected)s.",
        "It is one of %(n)d signals found so far; chance alone lets expect %(expected)s.",
        watch.found_so_far,
    )
    return found % {"n": watch.found_so_far, "expected": number(watch.expected_so_far, 1)}


def _key(ticket: Ticket) -> Key:
    return (ticket.system_id or 0, ticket.unit_id, ticket.code, ticket.grain)


def _trends(
    principal: Principal, tickets: Iterable[Ticket], indicators: Mapping[str, Indicator]
) -> dict[Key, list[Point]]:
    """The last values of the series of these tickets; one query for all of them."""
    keys = {_key(ticket): ticket for ticket in tickets if ticket.system_id and ticket.code}
    if not keys:
        return {}
    wanted = Q(pk__in=())
    for (system, unit, code, grain), ticket in keys.items():
        wanted |= Q(
            system_id=system,
            unit_id=unit,
            code=code,
            grain=grain,
            starts_on__gte=_earliest(ticket),
        )
    rows = (
        KpiValue.objects.visible_to(principal)
        .current()
        .filter(wanted, margin="", kind=KpiValue.Kind.INDICATOR)
        .order_by("starts_on", "id")
        .values_list("system_id", "unit_id", "code", "grain", "starts_on", "value")
    )
    trends: dict[Key, list[Point]] = {}
    for system, unit, code, grain, starts_on, value in rows:
        scale = scale_of_indicator(indicators.get(code))
        point = Point(label=starts_on.isoformat(), value=scale.of(value))
        trends.setdefault((system, unit, code, grain), []).append(point)
    return {key: points[-TREND:] for key, points in trends.items()}


def _earliest(ticket: Ticket) -> date:
    length = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 31}.get(Grain(ticket.grain), 92)
    newest = ticket.signal.last_on if ticket.signal else ticket.proposed_at.date()
    return newest - timedelta(days=TREND * length)


# What ended --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EndedRow:
    ticket: Ticket
    title: str
    url: str
    tone: str


def ended_rows(tickets: Iterable[Ticket]) -> list[EndedRow]:
    tones = {State.CLOSED: "good", State.ABANDONED: "watch"}
    return [
        EndedRow(
            ticket,
            in_language(title_of(ticket)),
            reverse("improvement:ticket", args=[ticket.pk]),
            tones.get(State(ticket.state), ""),
        )
        for ticket in tickets
    ]


# What waits for me -------------------------------------------------------------------------------


@dataclass(frozen=True)
class MyAction:
    """An action of this person; `may_finish` while its ticket is in Do."""

    action: Action
    title: str
    url: str
    done_url: str
    due: Mark
    may_finish: bool


@dataclass(frozen=True)
class Decision:
    """A ticket that waits for this person, and for what."""

    ticket: Ticket
    title: str
    url: str
    what: str
    since: str


@dataclass(frozen=True)
class Mine:
    """What waits for a person: own actions, the first due at the front, and decisions."""

    actions: list[MyAction]
    decisions: list[Decision]

    @property
    def overdue(self) -> int:
        return sum(found.due.tone == "bad" for found in self.actions)

    @property
    def is_empty(self) -> bool:
        return not (self.actions or self.decisions)


def mine(*, principal: Principal, now: datetime) -> Mine:
    """Return what waits for this person."""
    if principal.user is None:
        return Mine([], [])
    today = local_day(now)
    actions = _own_actions(principal).select_related("ticket__unit").order_by("due_on", "id")
    waiting = _awaiting(principal).select_related("unit", "owner").order_by("severity", "moved_at")
    return Mine(
        actions=[_my_action(action, today=today) for action in actions[:MOST_MINE]],
        decisions=[_decision(t, principal, today=today) for t in waiting[:MOST_MINE]],
    )


def mine_waiting(principal: Principal) -> list[QuerySet[Any]]:
    """Return the actions and decisions that wait for this person, the intake left out."""
    if principal.user is None:
        return []
    return [_own_actions(principal), _awaiting(principal).exclude(state=State.PROPOSED)]


def _own_actions(principal: Principal) -> QuerySet[Action]:
    """Open actions of tickets that are being done, or planned."""
    return (
        Action.objects.visible_to(principal)
        .open()
        .filter(owner=principal.user, ticket__ended_at__isnull=True)
        .filter(cycle=F("ticket__cycle"))
    )


def _awaiting(principal: Principal) -> QuerySet[Ticket]:
    """Tickets whose next step is this person's: proposals of theirs, plans to approve, verdicts to
    confirm, own tickets to bring on."""
    user = principal.user
    runs = principal.scope(Permission.RUN_TICKETS)
    confirms = principal.scope(Permission.CONFIRM_EFFECTS)
    here = Q() if runs.everywhere else Q(unit_id__in=runs.units)
    there = Q() if confirms.everywhere else Q(unit_id__in=confirms.units)
    unconfirmed = EffectCheck.objects.filter(is_interim=False, confirmed_by__isnull=True)
    found = Q(owner=user, state__in=[State.PLAN, State.ACT])
    found |= Q(owner=user, state=State.PROPOSED, is_over_budget=False) & is_root()
    if runs:
        found |= (
            here
            & Q(state=State.REVIEW)
            & ~Q(owner=user)
            & ~Q(approvals__in=_own_approvals(principal))
        )
    if confirms:
        checked = unconfirmed.values("plan__ticket")
        found |= there & Q(state=State.CHECK, pk__in=checked) & ~Q(owner=user)
    return Ticket.objects.visible_to(principal).open().filter(found, blocked_at__isnull=True)


def _own_approvals(principal: Principal) -> QuerySet[Approval]:
    """What this person approved since the plan was submitted last."""
    return Approval.objects.filter(
        by=principal.user,
        subject=Approval.Subject.PLAN,
        decision=Approval.Decision.APPROVED,
        at__gte=F("ticket__moved_at"),
    )


def _my_action(action: Action, *, today: date) -> MyAction:
    page = reverse("improvement:ticket", args=[action.ticket_id])
    days = (today - action.due_on).days
    if days > 0:
        due = Mark(_("overdue %(days)s") % {"days": days_said(days)}, "bad", "bad")
    elif days >= -7:
        due = Mark(_("due %(day)s") % {"day": day(action.due_on)}, "watch", "watch")
    else:
        due = Mark(_("due %(day)s") % {"day": day(action.due_on)}, "", "calendar")
    return MyAction(
        action=action,
        title=in_language(title_of(action.ticket)),
        url=page,
        done_url=f"{page}?do=complete-action&item={action.pk}#do",
        due=due,
        may_finish=action.ticket.state == State.DO,
    )


def _decision(ticket: Ticket, principal: Principal, *, today: date) -> Decision:
    mine_too = principal.user is not None and ticket.owner_id == principal.user.pk
    what = {
        State.PROPOSED: _("Decide on this proposal"),
        State.PLAN: _("Make the plan"),
        State.REVIEW: _("Approve the plan or return it"),
        State.CHECK: _("Confirm the verdict"),
        State.ACT: _("Decide what follows") if mine_too else _("Approve what follows"),
    }
    return Decision(
        ticket=ticket,
        title=in_language(title_of(ticket)),
        url=reverse("improvement:ticket", args=[ticket.pk]),
        what=what.get(State(ticket.state), ticket.get_state_display()),
        since=days_said((today - local_day(ticket.moved_at)).days),
    )


# Proposing ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offers:
    """What a proposal can be about: pairs of value and title."""

    units: list[tuple[str, str]]
    indicators: list[tuple[str, str]]


def offers_for(*, principal: Principal, now: datetime) -> Offers:
    """Return the units where this person may propose, and the indicators of the catalogue."""
    units = Unit.objects.visible_to(principal, Permission.PROPOSE_TICKETS).open_on(local_day(now))
    indicators = Indicator.objects.visible_to(principal).filter(valid_to__isnull=True)
    return Offers(
        units=[(unit.code, str(unit)) for unit in units.order_by("code")],
        indicators=sorted(
            ((found.code, str(found)) for found in indicators.order_by("code")),
            key=lambda pair: pair[1],
        ),
    )


def subject_of(principal: Principal, form: ProposeForm) -> dict[str, Any]:
    """Return what a proposal is about, as the service takes it: a unit that is theirs, and the
    system that measures the indicator, if one does."""
    given = form.cleaned_data
    unit = Unit.objects.visible_to(principal, Permission.PROPOSE_TICKETS).get(code=given["unit"])
    code = given["indicator"]
    measured = WeightedIndicator.objects.filter(
        indicator__code=code,
        dimension__version__state="published",
        dimension__version__system__is_active=True,
    )
    found = measured.select_related("dimension__version__system").order_by("id").first()
    return {
        "unit": unit,
        "title": given["title"],
        "description": given["description"],
        "severity": given["severity"],
        "code": code,
        "system": found.dimension.version.system if found else None,
        "grain": (given["grain"] or Grain.WEEK.value) if code else "",
    }


def people_at(unit: Unit, *, on: date) -> list[tuple[int, str]]:
    """Return who could own something at a unit: those with a role there, above it or everywhere.
    Two queries."""
    grants = RoleGrant.objects.filter(during(on), role__in=_OWNERS).filter(
        Q(unit__isnull=True) | Q(unit_id__in=tree_on(on).path(unit.pk))
    )
    people = User.objects.filter(is_active=True, pk__in=grants.values("user"))
    return list(people.order_by("name", "id").values_list("id", "name"))


_OWNERS = [Role.MANAGER.value, Role.STAFF.value, Role.ANALYST.value]


# Standards ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StandardRow:
    """A standard with the version that holds; None before its first day."""

    standard: Standard
    valid: StandardVersion | None
    indicator: str


def standards_page(*, principal: Principal, now: datetime) -> list[StandardRow]:
    """Return the standards that this person may read, with the version that holds today."""
    today = local_day(now)
    found = list(standards_seen_by(principal))
    names = _names({each.indicator for each in found if each.indicator})
    return [
        StandardRow(each, valid_version(each, on=today), names.get(each.indicator, each.indicator))
        for each in found
    ]


def _names(codes: Iterable[str]) -> dict[str, str]:
    found = Indicator.objects.filter(code__in=list(codes)).order_by("code")
    return {indicator.code: str(indicator) for indicator in found}


# On the pages of others --------------------------------------------------------------------------

MOST_HERE = 5


def tickets_here(
    *, principal: Principal, unit: Unit, code: str = "", grain: str = ""
) -> dict[str, object] | None:
    """Return what a panel shows: the open tickets of a unit, or of an indicator at it, and where
    to propose one. None for a unit without tickets where nothing can be proposed."""
    found = Ticket.objects.visible_to(principal).open().filter(unit=unit)
    if code:
        found = found.filter(code=code)
    tickets = list(
        found.select_related("unit", "owner").order_by(
            F("severity").asc(nulls_last=True), "-moved_at", "id"
        )[: MOST_HERE + 1]
    )
    asked = {"unit": unit.code} | ({"indicator": code, "grain": grain} if code else {})
    may_propose = principal.may(Permission.PROPOSE_TICKETS, unit_id=unit.pk)
    if not tickets and not (code and may_propose):
        return None
    board = {"unit": unit.code} | ({"indicator": code} if code else {})
    return {
        "rows": ended_rows(tickets[:MOST_HERE]),
        "more": len(tickets) > MOST_HERE,
        "more_url": f"{reverse('improvement:board')}?{urlencode(board)}",
        "propose_url": f"{reverse('improvement:propose')}?{urlencode(asked)}"
        if may_propose
        else "",
    }
