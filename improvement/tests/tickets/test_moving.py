"""Holding a ticket and bringing it into another state: the one place where it happens."""

from datetime import timedelta

import pytest

from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Step, Ticket
from improvement.tickets.services import locked, move
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound
from sqcore.base.models import OutboxEvent
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def test_moving_raises_the_revision_and_writes_step_ledger_and_event(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.DO, owner=bank.mei)

    move(
        ticket=ticket,
        to=State.CHECK,
        action="done",
        by=bank.as_(bank.mei),
        now=LATER,
        note="All in place",
        lesson="Open earlier",
    )

    ticket.refresh_from_db()
    step = ticket.steps.get()
    assert (ticket.state, ticket.revision, ticket.moved_at, ticket.lesson) == (
        State.CHECK,
        2,
        LATER,
        "Open earlier",
    )
    assert (step.action, step.former, step.state, step.by, step.note, step.at) == (
        "done",
        "do",
        "check",
        bank.mei,
        "All in place",
        LATER,
    )
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.actor) == (
        "ticket.done",
        f"ticket:{ticket.pk}",
        f"user:{bank.mei.pk}",
    )
    assert entry.details == {"from": "do", "to": "check", "revision": 2, "cycle": 1}
    event = OutboxEvent.objects.get()
    assert event.kind == "improvement.ticket.moved"
    assert event.payload == {
        "ticket_id": ticket.pk,
        "former": "do",
        "state": "check",
        "step_id": step.pk,
    }


def test_staying_in_a_state_writes_a_step_and_tells_nobody(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.DO, owner=bank.mei)

    move(
        ticket=ticket,
        to=State.DO,
        action="blocked",
        by=bank.as_(bank.mei),
        now=LATER,
        blocked_at=LATER,
    )

    ticket.refresh_from_db()
    assert (ticket.is_blocked, ticket.revision, ticket.moved_at) == (True, 2, NOW)
    assert not OutboxEvent.objects.exists()


def test_what_ends_has_its_time_and_what_reopens_has_it_no_longer(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.STANDARD, owner=bank.mei)

    move(ticket=ticket, to=State.CLOSED, action="sustained", by=None, now=NOW, end_reason="quick")
    ended = ticket.ended_at
    move(ticket=ticket, to=State.PLAN, action="regressed", by=None, now=LATER, cycle=2)

    ticket.refresh_from_db()
    assert ended == NOW
    assert (ticket.ended_at, ticket.state, ticket.cycle) == (None, State.PLAN, 2)
    assert list(Step.objects.values_list("action", "cycle")) == [
        ("sustained", 1),
        ("regressed", 2),
    ]


@pytest.mark.parametrize(
    ("former", "to"),
    [
        (State.PROPOSED, State.DO),
        (State.PROPOSED, State.CANCELLED),
        (State.PLAN, State.CHECK),
        (State.PLAN, State.REJECTED),
        (State.DO, State.ACT),
        (State.CHECK, State.CLOSED),
        (State.CLOSED, State.CLOSED),
        (State.REJECTED, State.PROPOSED),
        (State.CANCELLED, State.PLAN),
    ],
)
def test_a_step_that_does_not_exist_is_refused(bank: Bank, former: State, to: State) -> None:
    ticket = make_ticket(bank.north, former, owner=bank.mei)

    with pytest.raises(Conflict, match="cannot go to"):
        move(ticket=ticket, to=to, action="jump", by=bank.as_(bank.mei), now=LATER)

    ticket.refresh_from_db()
    assert (ticket.state, ticket.revision) == (former, 1)
    assert not Step.objects.exists()
    assert not OutboxEvent.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_note_that_is_too_long_moves_nothing(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.DO, owner=bank.mei)

    with pytest.raises(InvalidInput, match="too long"):
        move(ticket=ticket, to=State.CHECK, action="done", by=None, now=LATER, note="x" * 2001)

    assert Ticket.objects.get().state == State.DO


class TestHolding:
    def test_who_saw_an_older_revision_is_told(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.DO, owner=bank.mei, revision=3)

        with pytest.raises(Conflict, match="Somebody changed this ticket"):
            locked(ticket.pk, revision=2, by=bank.as_(bank.mei))

        assert locked(ticket.pk, revision=3, by=bank.as_(bank.mei)) == ticket
        assert locked(ticket.pk, revision=None, by=bank.as_(bank.mei)) == ticket

    def test_a_ticket_of_another_unit_is_not_there(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(NotFound):
            locked(ticket.pk, revision=None, by=bank.as_(bank.chen))

    def test_the_owner_holds_it_anywhere(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.DO, owner=bank.chen)

        assert locked(ticket.pk, revision=None, by=bank.as_(bank.chen)) == ticket
