"""What tickets do when a signal is raised or over, and whom a move is told to."""

from datetime import datetime

from improvement.tickets.from_signals import take_signal, withdraw_recovered
from improvement.tickets.telling import tell_of_step
from sqcore.base.bus import handles
from sqcore.base.events import SignalRaised, SignalRecovered, TicketMoved


@handles(SignalRaised, key="improvement.tickets.take_signal")
def take(event: SignalRaised, now: datetime) -> None:
    """Let it propose a ticket or join one; a regression is for the cycle."""
    take_signal(signal_id=event.signal_id, episode=event.episode, now=now)


@handles(SignalRecovered, key="improvement.tickets.withdraw_recovered")
def withdraw(event: SignalRecovered, now: datetime) -> None:
    """Withdraw what nobody took on."""
    withdraw_recovered(signal_id=event.signal_id, now=now)


@handles(TicketMoved, key="improvement.tickets.tell")
def tell(event: TicketMoved, now: datetime) -> None:
    """Tell who has a part in the ticket; proposals are told of in digests."""
    tell_of_step(step_id=event.step_id, now=now)
