"""What happens to a ticket by itself: it is closed, comes back, or is called systemic."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from improvement.cycle.queries import alarms_again, times_back
from improvement.tickets.models import State, Ticket
from improvement.tickets.services import locked, move
from improvement.verification.services import check_held
from sqcore.identity.principals import system_principal
from sqcore.monitoring.models import Signal

SYSTEMIC_FROM = 3
"""From the third time on that a problem comes back, it is called systemic."""


def close_sustained(*, now: datetime) -> int:
    """Look again at the tickets whose standard is being held; return how many are closed.

    Who held the effect over the later periods is closed; who did not is planned anew. Each in a
    transaction of its own.
    """
    held = Ticket.objects.filter(state=State.STANDARD).order_by("id").values_list("id", flat=True)
    return sum(_look_again(pk, now=now) for pk in list(held))


@transaction.atomic
def _look_again(ticket_id: int, *, now: datetime) -> bool:
    ticket = locked(ticket_id, revision=None, by=system_principal())
    if ticket.state != State.STANDARD:
        return False
    held = check_held(ticket_id=ticket.pk, now=now)
    if held is None:
        return False
    if held:
        sustained = Ticket.EndReason.SUSTAINED
        move(ticket=ticket, to=State.CLOSED, action="close", by=None, now=now, end_reason=sustained)
    else:
        _reopen(ticket, "not-held", now=now)
    return held


@transaction.atomic
def reopen_if_regressed(*, signal_id: int, episode: int, now: datetime) -> bool:
    """Reopen the ticket of a signal that came back, in its next cycle; True when it was one.

    Only when its standard is being held, or it was closed at most 90 days ago, and the alarm's
    period starts after the change took effect: what happened before says nothing against it.
    """
    signal = Signal.objects.filter(pk=signal_id, episode=episode).first()
    found = None if signal is None else alarms_again(signal, now=now)
    if signal is None or found is None:
        return False
    ticket = locked(found.pk, revision=None, by=system_principal())
    if alarms_again(signal, now=now) != ticket:
        return False
    ticket.signals.get_or_create(signal=signal, episode=episode, defaults={"attached_at": now})
    _reopen(ticket, "regressed", now=now)
    return True


def _reopen(ticket: Ticket, action: str, *, now: datetime) -> None:
    fields: dict[str, Any] = {"cycle": ticket.cycle + 1, "end_reason": "", "end_note": ""}
    if action == "regressed" and times_back(ticket) + 1 == SYSTEMIC_FROM:
        fields["description"] = _systemic(ticket)
    move(ticket=ticket, to=State.PLAN, action=action, by=None, now=now, **fields)


@transaction.atomic
def mark_systemic(*, ticket_id: int, now: datetime) -> bool:
    """Say of a new proposal that its problem came back for the third time; True when it did."""
    ticket = locked(ticket_id, revision=None, by=system_principal())
    is_new = ticket.state == State.PROPOSED and ticket.recurrence_of_id is not None
    told = ticket.steps.filter(action="systemic").exists()
    if told or not is_new or times_back(ticket) < SYSTEMIC_FROM:
        return False
    move(
        ticket=ticket,
        to=State.PROPOSED,
        action="systemic",
        by=None,
        now=now,
        description=_systemic(ticket),
    )
    return True


def _systemic(ticket: Ticket) -> str:
    said = _("Systemic: it came back for the third time. Look for a cause above this unit.")
    return f"{said}\n\n{ticket.description}".strip()
