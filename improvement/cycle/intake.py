"""Deciding on proposals: accept, reject, name the same one, put off.

All take the `revision` of the ticket that the person saw (None: whatever it is now) and refuse
alike. raises: NotFound for tickets that are not theirs; NotPermitted without RUN_TICKETS at the
unit; Conflict when somebody decided or changed the ticket since; InvalidInput.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from improvement.tickets.from_signals import join_signals
from improvement.tickets.models import INTAKE, Severity, State, Ticket
from improvement.tickets.queries import may_run, snoozed_until
from improvement.tickets.services import fault_of_text, hold_intake, locked, move
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day

REJECTIONS = (
    Ticket.EndReason.FALSE_ALARM,
    Ticket.EndReason.KNOWN,
    Ticket.EndReason.NOT_OURS,
    Ticket.EndReason.TOO_SMALL,
    Ticket.EndReason.OTHER,
)
"""Why a proposal may be rejected."""
LONGEST_SNOOZE = timedelta(days=180)
LONGEST_CONTAINMENT = 2000
LONGEST_NOTE = 1000
MOST_CUSTOMERS = 1_000_000_000


@transaction.atomic
def accept(
    *,
    ticket_id: int,
    revision: int | None,
    owner_id: int,
    severity: int,
    containment: str = "",
    contained_on: date | None = None,
    is_containment_waived: bool = False,
    customers_affected: int | None = None,
    by: Principal,
    now: datetime,
) -> Ticket:
    """Take a proposal on: from now on it is a ticket of its owner, who plans.

    Customers are protected first: what contains the problem and since when, or, waived, why
    nothing has to. For a small fix (S4) it is waived by itself. The owner must be somebody who
    runs tickets at the unit.
    """
    ticket = _proposal(ticket_id, revision, by)
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    today = local_day(now)
    text = containment.strip()
    waived = is_containment_waived or (severity == Severity.S4 and not text)
    may_own = owner is not None and may_run(owner, ticket.unit_id, on=today)
    _refuse(
        owner_id="" if may_own else _("Choose somebody who runs tickets of this unit."),
        severity="" if severity in Severity.values else _("There is no such severity."),
        customers_affected=_fault_of_count(customers_affected),
        containment=_fault_of_containment(text, severity=severity),
        contained_on="" if waived else _fault_of_day(contained_on, today=today),
    )
    return move(
        ticket=ticket,
        to=State.PLAN,
        action="accepted",
        by=by,
        now=now,
        owner=owner,
        severity=severity,
        containment=text,
        contained_on=None if waived else contained_on,
        is_containment_waived=waived,
        customers_affected=customers_affected,
        is_over_budget=False,
        snoozed_until=None,
        accepted_at=now,
    )


@transaction.atomic
def reject(
    *,
    ticket_id: int,
    revision: int | None,
    reason: str,
    note: str = "",
    by: Principal,
    now: datetime,
) -> Ticket:
    """End a proposal with a reason; proposals below it, which only it speaks for, end with it.

    Its signals propose nothing until they cooled down.
    """
    ticket = _proposal(ticket_id, revision, by)
    words = note.strip()
    needs_words = reason == Ticket.EndReason.OTHER and not words
    _refuse(
        reason="" if reason in REJECTIONS else _("Choose a reason from the list."),
        note=_("Say why.") if needs_words else fault_of_text(words, most=LONGEST_NOTE),
    )
    for each in [ticket, *_below(ticket)]:
        move(
            ticket=each,
            to=State.REJECTED,
            action="rejected",
            by=by,
            now=now,
            note=words,
            end_reason=reason,
            end_note=words,
            snoozed_until=None,
        )
    return ticket


@transaction.atomic
def mark_duplicate(
    *, ticket_id: int, revision: int | None, of_id: int, by: Principal, now: datetime
) -> Ticket:
    """End a proposal as the same problem as another open ticket, which takes over its signals.

    raises: as above; Conflict when the other one is the same, ended, or below this one
    """
    ticket = _proposal(ticket_id, revision, by)
    try:
        other = locked(of_id, revision=None, by=by)
    except NotFound as error:
        reason = _("There is no such ticket.")
        raise InvalidInput(reason, problems=[Problem(reason, field="of_id")]) from error
    if other.pk == ticket.pk:
        raise Conflict(_("A ticket cannot be a duplicate of itself."))
    if other.ended_at is not None:
        raise Conflict(_("That ticket has ended. Name one that is open."))
    if ticket.children.open().exists():
        raise Conflict(_("This ticket stands for several units. Decide on those below it first."))
    join_signals(of=ticket, to=other, now=now)
    return move(
        ticket=ticket,
        to=State.DUPLICATE,
        action="duplicate",
        by=by,
        now=now,
        note=other.reference,
        duplicate_of=other,
        end_reason=Ticket.EndReason.DUPLICATE,
        snoozed_until=None,
    )


@transaction.atomic
def snooze(
    *, ticket_id: int, revision: int | None, until: date, by: Principal, now: datetime
) -> Ticket:
    """Put a proposal off until a day, on which it comes back to the intake by itself."""
    ticket = _proposal(ticket_id, revision, by)
    today = local_day(now)
    fault = ""
    if until <= today:
        fault = _("Choose a day that is still to come.")
    elif until > today + LONGEST_SNOOZE:
        fault = _("Choose a day within half a year, or reject the proposal.")
    _refuse(until=fault)
    return move(
        ticket=ticket,
        to=State.SNOOZED,
        action="snoozed",
        by=by,
        now=now,
        note=until.isoformat(),
        snoozed_until=until,
    )


@transaction.atomic
def wake_snoozed(*, now: datetime) -> int:
    """Bring back the proposals whose day has come; return how many."""
    hold_intake()
    due = snoozed_until(local_day(now)).select_for_update(no_key=True, of=("self",))
    for ticket in (woken := list(due)):
        move(
            ticket=ticket,
            to=State.PROPOSED,
            action="woken",
            by=None,
            now=now,
            snoozed_until=None,
        )
    return len(woken)


# ---- What is refused -----------------------------------------------------------------------------
def _proposal(ticket_id: int, revision: int | None, by: Principal) -> Ticket:
    """Return the proposal, held, for somebody who decides on it."""
    hold_intake()
    ticket = locked(ticket_id, revision=revision, by=by)
    by.require(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    if ticket.state not in INTAKE:
        raise Conflict(_("Somebody has decided on this proposal already."))
    return ticket


def _below(ticket: Ticket) -> list[Ticket]:
    """Return the proposals that stand below this one, and below those."""
    found: list[Ticket] = []
    level = [ticket.pk]
    while level:
        waiting = Ticket.objects.filter(parent__in=level, state__in=INTAKE).order_by("id")
        children = list(waiting.select_for_update(no_key=True, of=("self",)))
        found += children
        level = [child.pk for child in children]
    return found


def _refuse(**faults: str) -> None:
    """raises: InvalidInput naming each field that has a fault"""
    problems = [Problem(fault, field=name) for name, fault in faults.items() if fault]
    if problems:
        raise InvalidInput(" ".join(each.reason for each in problems), problems=problems)


def _fault_of_count(count: Any) -> str:
    if count is None or 0 <= count <= MOST_CUSTOMERS:
        return ""
    return _("This number cannot be.")


def _fault_of_containment(text: str, *, severity: int) -> str:
    if not text and severity != Severity.S4:
        return _("Say what protects customers now, or why nothing has to.")
    return fault_of_text(text, most=LONGEST_CONTAINMENT)


def _fault_of_day(on: date | None, *, today: date) -> str:
    if on is None:
        return _("Say since when it is contained, or that nothing has to be.")
    return _("This day is still to come.") if on > today else ""
