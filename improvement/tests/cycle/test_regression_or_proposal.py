"""An alarm after the end of a ticket is heard twice: one of the two hearers acts, in any order."""

from datetime import date, timedelta

import pytest

from improvement.actions.models import Action
from improvement.tests.factories import (
    ALARM,
    Bank,
    come_back,
    make_bank,
    make_indicator,
    make_signal,
    make_ticket,
)
from improvement.tickets.models import State, Ticket
from sqcore.base import bus
from sqcore.base.events import SignalRaised
from sqcore.base.models import Delivery
from sqcore.monitoring.models import Signal
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db
HANDLERS = ["cycle.reopen", "improvement.tickets.take_signal"]


@pytest.fixture
def bank() -> Bank:
    make_indicator()
    return make_bank()


def closed_with_effect(bank: Bank, signal: Signal, *, effective_on: date) -> Ticket:
    ticket = make_ticket(bank.north, State.CLOSED, signal=signal, owner=bank.mei)
    Action.objects.create(
        ticket=ticket, cycle=1, kind=Action.Kind.CORRECTIVE, text="A second counter",
        owner=bank.mei, due_on=effective_on, state=Action.State.DONE, effective_on=effective_on,
        created_at=NOW, outcome="Open",
    )  # fmt: skip
    return ticket


@pytest.mark.parametrize("order", [HANDLERS, HANDLERS[::-1]])
@pytest.mark.parametrize(
    ("days", "states"),
    [(30, ["plan"]), (90, ["plan"]), (120, ["closed", "proposed"])],
)
def test_within_90_days_it_reopens_and_later_it_proposes(
    bank: Bank, order: list[str], days: int, states: list[str]
) -> None:
    signal = make_signal(bank.north)
    closed_with_effect(bank, signal, effective_on=ALARM)
    come_back(signal, alarm_on=ALARM + timedelta(days=days))
    now = NOW + timedelta(days=days)

    bus.publish(SignalRaised(signal_id=signal.pk, episode=2), now=now)
    for key in order:
        assert bus.deliver(Delivery.objects.get(handler=key).pk, now=now)

    assert list(Ticket.objects.order_by("id").values_list("state", flat=True)) == states
    newest = Ticket.objects.latest("id")
    assert newest.signals.filter(signal=signal, episode=2).exists()
