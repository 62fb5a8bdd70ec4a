"""What the cycle does when a signal comes back, and whom it tells when a ticket moved."""

from datetime import datetime

from improvement.cycle import reopening, telling
from sqcore.base.bus import handles
from sqcore.base.events import SignalRaised, TicketMoved


@handles(SignalRaised, key="cycle.reopen")
def reopen(event: SignalRaised, now: datetime) -> None:
    """Reopen the ticket whose problem came back."""
    reopening.reopen_if_regressed(signal_id=event.signal_id, episode=event.episode, now=now)


@handles(TicketMoved, key="cycle.mark_systemic")
def mark_systemic(event: TicketMoved, now: datetime) -> None:
    """Say of a new ticket that its problem keeps coming back."""
    if not event.former:
        reopening.mark_systemic(ticket_id=event.ticket_id, now=now)


@handles(TicketMoved, key="cycle.tell_of_move")
def tell_of_move(event: TicketMoved, now: datetime) -> None:
    """Tell who has to do something now, and who wants to know."""
    telling.tell_of_move(ticket_id=event.ticket_id, step_id=event.step_id, now=now)
