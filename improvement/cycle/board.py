"""The board: a column for each phase, a card for each open ticket, and where a card may go.

What a card waits for is read for all cards at once; nothing here asks the database card by card.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from improvement.actions.models import Action
from improvement.cycle.models import Approval
from improvement.cycle.plan import approvers_needed
from improvement.cycle.transitions import TABLE, Who
from improvement.tickets.models import INTAKE, PHASE_OF, Phase, Severity, State, Ticket
from improvement.tickets.queries import is_root, title_of
from improvement.verification.models import EffectCheck, EffectPlan
from sqcore.base.text import in_language
from sqcore.dashboards.tags import day
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.org.models import Unit
from sqcore.org.queries import local_day, tree_on

MOST_CARDS = 30
"""Cards of a column; it says how many more there are."""
_WAYS_INTO: Mapping[Phase, Promise] = {
    Phase.INTAKE: gettext_lazy("What was accepted does not go back to the intake."),
    Phase.PLAN: gettext_lazy(
        "A ticket comes to Plan when it is accepted, when its plan is returned, or with its next "
        "cycle."
    ),
    Phase.DO: gettext_lazy(
        "A ticket comes to Do when somebody else than its owner approves the plan."
    ),
    Phase.CHECK: gettext_lazy(
        "A ticket comes to Check when its actions are done and its owner says so."
    ),
    Phase.ACT: gettext_lazy("A ticket comes to Act when the verdict of its check is confirmed."),
}
COLUMNS = (Phase.INTAKE, Phase.PLAN, Phase.DO, Phase.CHECK, Phase.ACT)


@dataclass(frozen=True)
class Asked:
    """What the board is filtered by; an empty text filters nothing. `owner` may be “me”."""

    unit: str = ""
    indicator: str = ""
    owner: str = ""
    severity: str = ""
    text: str = ""

    @property
    def is_anything(self) -> bool:
        return any((self.unit, self.indicator, self.owner, self.severity, self.text))


@dataclass(frozen=True)
class Mark:
    """A word with its tone and its shape."""

    text: str
    tone: str = ""
    symbol: str = ""


@dataclass(frozen=True)
class Move:
    """A named action on a ticket. `to` is the column in which it arrives, empty when it stays or
    ends; one that needs words leads to the ticket page, another is done at once."""

    name: str
    title: str
    url: str
    to: str = ""
    needs_words: bool = False


@dataclass(frozen=True)
class Card:
    """A ticket as the board shows it."""

    ticket: Ticket
    phase: Phase
    title: str
    url: str
    indicator: str
    severity: Mark | None
    age: str
    waits: Mark
    overdue: str
    moves: list[Move]
    is_mine: bool = False
    """Whether it waits for who looks."""

    @property
    def targets(self) -> str:
        """The columns that a move leads to, for the pointer."""
        return " ".join(sorted({move.to for move in self.moves if move.to}))


@dataclass(frozen=True)
class Column:
    """A phase; `way` says by what a card comes here, for who drops one that cannot."""

    phase: Phase
    title: str | Promise
    cards: list[Card]
    total: int
    way: str | Promise

    @property
    def more(self) -> int:
        return self.total - len(self.cards)


@dataclass(frozen=True)
class Choices:
    """What the filters offer: pairs of value and title."""

    units: list[tuple[str, str]]
    indicators: list[tuple[str, str]]
    owners: list[tuple[str, str]]
    severities: list[tuple[str, str]]


@dataclass(frozen=True)
class Board:
    columns: list[Column]
    choices: Choices
    asked: Asked

    @property
    def total(self) -> int:
        return sum(column.total for column in self.columns)

    @property
    def mine(self) -> int:
        """How many of the cards wait for who looks."""
        return sum(card.is_mine for column in self.columns for card in column.cards)


@dataclass(frozen=True)
class Around:
    """What stands beside the tickets that are shown, by their id."""

    names: Mapping[str, str]
    plans: Mapping[int, EffectPlan] = field(default_factory=dict)
    open_actions: Mapping[int, tuple[int, date]] = field(default_factory=dict)


def board_of(*, principal: Principal, asked: Asked, now: datetime) -> Board:
    """Return the open tickets that this person sees, in their columns."""
    today = local_day(now)
    seen = Ticket.objects.visible_to(principal).open()
    seen = seen.filter(is_root() | ~Q(state__in=INTAKE))  # what hangs below a proposal is in it
    found = filtered(seen, asked, principal=principal, today=today)
    tickets = list(_first_of_each_column(found, principal))
    around = around_of(tickets, names=_indicator_names(seen))
    cards = [card_of(ticket, around, principal=principal, now=now) for ticket in tickets]
    tally = _tally(found)
    columns = [_column(phase, cards, tally) for phase in COLUMNS]
    # Owners are offered of what is shown; who chose one can still show everybody.
    return Board(columns, _choices(principal, tally, around.names, today=today), asked)


def ended_tickets(*, principal: Principal, asked: Asked, now: datetime) -> QuerySet[Ticket]:
    """Return the ended tickets that this person sees, the last that ended first."""
    seen = Ticket.objects.visible_to(principal).filter(ended_at__isnull=False)
    found = filtered(seen, asked, principal=principal, today=local_day(now))
    return found.select_related("unit", "owner").order_by("-ended_at", "-id")


def choices_of_ended(*, principal: Principal, now: datetime) -> Choices:
    """Return what the filters of ended tickets offer."""
    seen = Ticket.objects.visible_to(principal).filter(ended_at__isnull=False)
    return _choices(principal, _tally(seen), _indicator_names(seen), today=local_day(now))


def filtered(
    tickets: QuerySet[Ticket], asked: Asked, *, principal: Principal, today: date
) -> QuerySet[Ticket]:
    """Narrow tickets to what is asked; a unit stands for itself and all below it."""
    if asked.unit:
        found = Unit.objects.filter(code=asked.unit).values_list("id", flat=True)
        tickets = tickets.filter(unit_id__in=tree_on(today).within(found))
    if asked.indicator:
        tickets = tickets.filter(code=asked.indicator)
    if asked.owner == "me":
        tickets = tickets.filter(owner=principal.user)
    elif asked.owner.isdecimal():
        tickets = tickets.filter(owner_id=int(asked.owner))
    if asked.severity.isdecimal():
        tickets = tickets.filter(severity=int(asked.severity))
    return _with_words(tickets, asked.text) if asked.text else tickets


def _with_words(tickets: QuerySet[Ticket], words: str) -> QuerySet[Ticket]:
    """Find by title, description or reference (T-12 or 12)."""
    found = Q(title__icontains=words) | Q(description__icontains=words)
    reference = words.strip().upper().removeprefix("T-")
    if reference.isdecimal() and len(reference) < 10:
        found |= Q(pk=int(reference))
    return tickets.filter(found)


def _first_of_each_column(tickets: QuerySet[Ticket], principal: Principal) -> QuerySet[Ticket]:
    """The first cards of every column; one query, which sorts no more than what it sorts by."""
    whens = [
        When(state__in=[s.value for s, of in PHASE_OF.items() if of == phase], then=Value(index))
        for index, phase in enumerate(COLUMNS)
    ]
    order: list[Any] = [
        F("is_over_budget").asc(),
        F("severity").asc(nulls_last=True),
        F("moved_at").asc(),
        F("id").asc(),
    ]
    placed = tickets.annotate(
        place=Window(RowNumber(), partition_by=Case(*whens), order_by=order)
    ).filter(place__lte=MOST_CARDS)
    return (
        Ticket.objects.filter(pk__in=placed.values("id"))
        .annotate(
            column=Case(*whens),
            approved_by=_approvals(),
            has_mine=_own_approval(principal),
            has_my_action=_own_action(principal),
        )
        .select_related("unit", "owner")
        .order_by("column", *order)
    )


def _approvals() -> Subquery:
    """How many people approved the plan of a ticket since it was last submitted."""
    given = (
        Approval.objects.filter(
            ticket=OuterRef("pk"),
            cycle=OuterRef("cycle"),
            subject=Approval.Subject.PLAN,
            decision=Approval.Decision.APPROVED,
            at__gte=OuterRef("moved_at"),
        )
        .order_by()
        .values("ticket")
    )
    return Subquery(given.annotate(people=Count("by", distinct=True)).values("people"))


def _own_approval(principal: Principal) -> Exists:
    """Whether this person approved the plan of a ticket since it was last submitted."""
    given = Approval.objects.filter(
        ticket=OuterRef("pk"),
        cycle=OuterRef("cycle"),
        subject=Approval.Subject.PLAN,
        decision=Approval.Decision.APPROVED,
        at__gte=OuterRef("moved_at"),
        by=principal.user,
    )
    return Exists(given)


def _own_action(principal: Principal) -> Exists:
    """Whether an open action of a ticket is this person's."""
    mine = Action.objects.open().filter(owner=principal.user)
    return Exists(mine.filter(ticket=OuterRef("pk"), cycle=OuterRef("cycle")))


@dataclass(frozen=True)
class _Tally:
    """How many tickets there are by phase, and who owns them."""

    by_phase: Mapping[Phase, int]
    owners: Mapping[int, str]


def _tally(tickets: QuerySet[Ticket]) -> _Tally:
    """Count by phase and owner; one query."""
    rows = (
        tickets.order_by("owner__name", "owner_id", "state")
        .values_list("state", "owner_id", "owner__name")
        .annotate(count=Count("id"))
    )
    by_phase: dict[Phase, int] = {}
    owners: dict[int, str] = {}
    for state, owner_id, name, count in rows:
        phase = PHASE_OF[State(state)]
        by_phase[phase] = by_phase.get(phase, 0) + count
        if owner_id is not None:
            owners[owner_id] = name
    return _Tally(by_phase, owners)


def _column(phase: Phase, cards: Sequence[Card], tally: _Tally) -> Column:
    mine = [card for card in cards if card.phase == phase]
    return Column(phase, phase.label, mine, tally.by_phase.get(phase, 0), _WAYS_INTO[phase])


def around_of(tickets: Sequence[Ticket], *, names: Mapping[str, str]) -> Around:
    """Read what the cards say beside their tickets: plans and open actions. Two queries at the
    most, however many cards."""
    working = [t for t in tickets if t.phase not in (Phase.INTAKE, Phase.ENDED)]
    if not working:
        return Around(names)
    ids = [ticket.pk for ticket in working]
    cycles = {ticket.pk: ticket.cycle for ticket in working}
    unconfirmed = EffectCheck.objects.filter(
        plan=OuterRef("pk"), is_interim=False, confirmed_by__isnull=True
    )
    plans = (
        EffectPlan.objects.filter(ticket__in=ids, cycle=F("ticket__cycle"))
        .annotate(awaits_confirmation=Exists(unconfirmed))
        .order_by("version")
    )
    actions = (
        Action.objects.filter(ticket__in=ids)
        .open()
        .values("ticket_id", "cycle")
        .annotate(count=Count("id"), first_due=Min("due_on"))
        .order_by("ticket_id")
    )
    return Around(
        names,
        plans={plan.ticket_id: plan for plan in plans},
        open_actions={
            row["ticket_id"]: (row["count"], row["first_due"])
            for row in actions
            if row["cycle"] == cycles[row["ticket_id"]]
        },
    )


def _indicator_names(tickets: QuerySet[Ticket]) -> dict[str, str]:
    """The names of the indicators that these tickets are about, by their code; one query."""
    codes = tickets.exclude(code="").order_by().values("code")
    found = Indicator.objects.filter(code__in=codes).order_by("code")
    return {indicator.code: str(indicator) for indicator in found}


def _choices(
    principal: Principal, tally: _Tally, names: Mapping[str, str], *, today: date
) -> Choices:
    units = Unit.objects.visible_to(principal, Permission.VIEW_TICKETS).open_on(today)
    me = [("me", _("Me"))] if principal.user is not None else []
    return Choices(
        units=[
            ("", _("All units")),
            *sorted(((u.code, str(u)) for u in units.order_by("code")), key=lambda pair: pair[1]),
        ],
        indicators=[
            ("", _("All indicators")),
            *sorted(names.items(), key=lambda pair: pair[1]),
        ],
        owners=[("", _("Everybody")), *me, *((str(pk), name) for pk, name in tally.owners.items())],
        severities=[("", _("All")), *((str(each.value), str(each.label)) for each in Severity)],
    )


@cache
def _ticket_pattern() -> str:
    return reverse("improvement:ticket", args=[0])


def ticket_url(pk: int) -> str:
    """Return where a ticket is; a board asks this a thousand times."""
    return _ticket_pattern().replace("/0/", f"/{pk}/")


# A card --------------------------------------------------------------------------------------


def card_of(ticket: Ticket, around: Around, *, principal: Principal, now: datetime) -> Card:
    today = local_day(now)
    _count, first_due = around.open_actions.get(ticket.pk, (0, None))
    late = first_due is not None and first_due < today
    return Card(
        ticket=ticket,
        phase=ticket.phase,
        title=in_language(title_of(ticket)),
        url=ticket_url(ticket.pk),
        indicator=around.names.get(ticket.code, ticket.code),
        severity=severity_mark(ticket.severity),
        age=days_said((today - local_day(ticket.moved_at)).days),
        waits=waits_for(ticket, around, today=today),
        overdue=_("an action is overdue since %(day)s") % {"day": day(first_due)} if late else "",
        moves=moves_of(ticket, principal=principal),
        is_mine=_is_mine(ticket, around, principal),
    )


def _is_mine(ticket: Ticket, around: Around, principal: Principal) -> bool:
    """Whether the next step is this person's, as “My actions” counts it, or an action in Do."""
    user = principal.user
    if user is None or ticket.blocked_at is not None:
        return False
    is_owner, state = ticket.owner_id == user.pk, State(ticket.state)
    if state in (State.PROPOSED, State.PLAN, State.ACT):
        return is_owner and not (state == State.PROPOSED and ticket.is_over_budget)
    if state == State.DO:
        is_done = ticket.pk not in around.open_actions
        return getattr(ticket, "has_my_action", False) or (is_owner and is_done)
    if state == State.REVIEW:
        runs = principal.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
        return runs and not is_owner and not getattr(ticket, "has_mine", False)
    if state == State.CHECK:
        plan = around.plans.get(ticket.pk)
        waits = plan is not None and getattr(plan, "awaits_confirmation", False)
        confirms = principal.may(Permission.CONFIRM_EFFECTS, unit_id=ticket.unit_id)
        return waits and confirms and not is_owner
    return False


def severity_mark(severity: int | None) -> Mark | None:
    """S1 to S4 with a word; None before anybody said."""
    words = {
        Severity.S1: Mark(_("S1 harm"), "bad", "bad"),
        Severity.S2: Mark(_("S2 many"), "watch", "watch"),
        Severity.S3: Mark(_("S3 some")),
        Severity.S4: Mark(_("S4 small")),
    }
    return None if severity is None else words[Severity(severity)]


def days_said(days: int) -> str:
    """How long ago, in days."""
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days} if days > 0 else _("today")


def waits_for(ticket: Ticket, around: Around, *, today: date) -> Mark:
    """Say in a few words what has to happen next, and by whom."""
    if ticket.blocked_at is not None:
        days = days_said((today - local_day(ticket.blocked_at)).days)
        said = {"days": days, "reason": ticket.blocked_reason}
        return Mark(_("blocked %(days)s: %(reason)s") % said, "bad", "lock")
    say = _WAITING.get(State(ticket.state))
    return say(ticket, around, today) if say else Mark(ticket.get_state_display())


def _intake(ticket: Ticket, around: Around, today: date) -> Mark:
    if ticket.is_over_budget:
        return Mark(_("over budget: waits for its turn"))
    if ticket.owner is not None:
        return Mark(_("waits for a decision of %(name)s") % {"name": ticket.owner.name}, "accent")
    return Mark(_("waits for a decision"), "accent")


def _snoozed(ticket: Ticket, around: Around, today: date) -> Mark:
    return Mark(_("snoozed until %(day)s") % {"day": day(ticket.snoozed_until)}, "", "calendar")


def _plan(ticket: Ticket, around: Around, today: date) -> Mark:
    if ticket.severity == Severity.S4 and ticket.pk not in around.open_actions:
        return Mark(_("small: one action is all it needs"), "", "tasks")
    missing = (
        (not ticket.problem, _("problem statement is missing")),
        (ticket.pk not in around.open_actions, _("no action is planned yet")),
        (
            ticket.pk not in around.plans and ticket.severity != Severity.S4,
            _("no effect is promised yet"),
        ),
    )
    for is_missing, words in missing:
        if is_missing:
            return Mark(words, "", "indicator")
    return Mark(_("ready to be submitted"), "accent", "check")


def _review(ticket: Ticket, around: Around, today: date) -> Mark:
    needed = approvers_needed(ticket)
    given = getattr(ticket, "approved_by", None) or 0
    owner = ticket.owner.name if ticket.owner else ""
    if needed > 1:
        words = _("waits for approval by somebody else than %(owner)s: %(given)d of %(needed)d")
        said = words % {"owner": owner, "given": given, "needed": needed}
    else:
        said = _("waits for approval by somebody else than %(owner)s") % {"owner": owner}
    return Mark(said, "accent", "people")


def _do(ticket: Ticket, around: Around, today: date) -> Mark:
    count, first_due = around.open_actions.get(ticket.pk, (0, today))
    if not count:
        return Mark(_("all actions are done: ready for Check"), "accent", "check")
    said = ngettext(
        "%(n)d open action, due %(day)s", "%(n)d open actions, the first due %(day)s", count
    )
    return Mark(said % {"n": count, "day": day(first_due)}, "", "calendar")


def _check(ticket: Ticket, around: Around, today: date) -> Mark:
    plan = around.plans.get(ticket.pk)
    if plan is None:
        return Mark(_("waits for its check"))
    if getattr(plan, "awaits_confirmation", False):
        return Mark(_("waits for quality to confirm the verdict"), "accent", "people")
    on = plan.extended_to or plan.check_on
    if on <= today:
        return Mark(_("check is due since %(day)s") % {"day": day(on)}, "watch", "watch")
    return Mark(_("check on %(day)s") % {"day": day(on)}, "", "calendar")


def _act(ticket: Ticket, around: Around, today: date) -> Mark:
    return Mark(_("waits for a decision: standard, next cycle or end"), "accent", "watch")


def _standard(ticket: Ticket, around: Around, today: date) -> Mark:
    return Mark(_("holding: the second check is to come"), "good", "check")


_WAITING: Mapping[State, Callable[[Ticket, Around, date], Mark]] = {
    State.PROPOSED: _intake,
    State.SNOOZED: _snoozed,
    State.PLAN: _plan,
    State.REVIEW: _review,
    State.DO: _do,
    State.CHECK: _check,
    State.ACT: _act,
    State.STANDARD: _standard,
}


# Where a card may go ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """A named action of a state; `who` as in the table of transitions."""

    name: str
    title: str | Promise
    to: Phase | None = None
    who: Who = Who.OWNER


_DECIDE = (
    _Way("accept", gettext_lazy("Accept"), Phase.PLAN),
    _Way("reject", gettext_lazy("Reject")),
    _Way("duplicate", gettext_lazy("Mark as a duplicate")),
)
_SNOOZE = _Way("snooze", gettext_lazy("Snooze"))
AT_ONCE = frozenset({"submit", "unblock", "finish", "conclude"})
"""What is done without a word; everything else asks something on the ticket page."""
_PARTS_OF_A_PLAN = frozenset({"problem", "contain", "plan-small"})
"""These belong to the ticket page alone."""


def _ways_of(ticket: Ticket) -> Iterable[_Way]:
    state = State(ticket.state)
    if state in INTAKE:
        return _DECIDE if state == State.SNOOZED else (*_DECIDE, _SNOOZE)
    return (
        _Way(each.action, each.title, _arrives(each.action, each.to, ticket), each.who)
        for each in TABLE
        if state in each.sources and each.action not in _PARTS_OF_A_PLAN
    )


def _arrives(action: str, to: Sequence[State], ticket: Ticket) -> Phase | None:
    """The column in which a ticket arrives; None when it ends."""
    state = to[-1] if action == "submit" and ticket.severity == Severity.S4 else to[0]
    phase = PHASE_OF[state]
    return None if phase == Phase.ENDED else phase


def moves_of(ticket: Ticket, *, principal: Principal) -> list[Move]:
    """Return what this person could do with the ticket by its state and their part in it; whether
    all that it needs is there, the ticket page says."""
    skipped = {"block"} if ticket.is_blocked else {"unblock"}
    ways = [way for way in _ways_of(ticket) if way.name not in skipped]
    moves = [_move(way, ticket) for way in ways if _is_for(way.who, ticket, principal)]
    return sorted(moves, key=lambda move: not move.to)  # what leads on stands first


def _is_for(who: Who, ticket: Ticket, principal: Principal) -> bool:
    if who == Who.SYSTEM or principal.user is None:
        return False
    runs = principal.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    is_owner = ticket.owner_id == principal.user.pk
    if ticket.state in INTAKE:
        return runs
    return runs and not is_owner if who == Who.SECOND else runs or is_owner


def _move(way: _Way, ticket: Ticket) -> Move:
    stays = way.to is None or way.to == ticket.phase
    needs_words = way.name not in AT_ONCE
    page = ticket_url(ticket.pk)
    url = f"{page}?do={way.name}#do" if needs_words else f"{page}do/{way.name}/"
    to = "" if stays or way.to is None else way.to.value
    return Move(way.name, str(way.title), url, to, needs_words)
