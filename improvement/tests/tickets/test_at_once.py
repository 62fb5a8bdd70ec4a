"""Two at once: the database decides, one ticket stands, and the second is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from improvement.cycle.intake import accept, mark_duplicate
from improvement.tests.factories import (
    Bank,
    make_bank,
    make_indicator,
    make_signal,
    make_system,
    make_ticket,
)
from improvement.tickets.comments import attach_file
from improvement.tickets.from_signals import take_signal
from improvement.tickets.models import Attachment, State, Step, Ticket
from improvement.tickets.services import propose
from sqcore.base.errors import Conflict
from sqcore.identity.permissions import Permission
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW
from sqcore.tests.rest import make_key, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bank() -> Bank:
    make_indicator()
    return make_bank()


def at_once(*acts: Callable[[], str]) -> list[str]:
    """Do them at the same moment, each on a connection of its own; return what they say."""
    gate = Barrier(len(acts))

    def run(act: Callable[[], str]) -> str:
        gate.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_the_same_key_at_once_makes_one_ticket(bank: Bank) -> None:
    def ask() -> str:
        _ticket, is_new = propose(
            unit=Unit.objects.get(code="north"), title="Queue", dedup_key="queue",
            by=bank.as_(bank.ana), now=NOW,
        )  # fmt: skip
        return "new" if is_new else "there"

    assert sorted(at_once(ask, ask, ask, ask)) == ["new", "there", "there", "there"]
    assert Ticket.objects.count() == Step.objects.count() == 1


def test_the_same_key_at_once_over_rest_is_created_once(bank: Bank) -> None:
    key = make_key(Permission.PROPOSE_TICKETS)
    sent = {"unit": "north", "title": "Queue", "dedup_key": "queue"}

    def ask(number: int) -> Callable[[], str]:
        return lambda: str(post("tickets", sent, key, once=f"key-0000000{number}").status_code)

    assert sorted(at_once(*(ask(number) for number in range(4)))) == ["200", "200", "200", "201"]
    assert Ticket.objects.count() == 1


def test_alarms_of_branch_region_and_bank_at_once_end_in_one_ticket(bank: Bank) -> None:
    signals = [make_signal(unit) for unit in (bank.bank, bank.region, bank.north)]

    def take(signal_id: int) -> Callable[[], str]:
        return lambda: str(take_signal(signal_id=signal_id, episode=1, now=NOW) is not None)

    assert at_once(*(take(signal.pk) for signal in signals)) == ["True"] * 3
    ticket = Ticket.objects.get()
    assert (ticket.unit, ticket.signals.count()) == (bank.north, 3)


def test_of_two_who_accept_one_card_the_second_is_told(bank: Bank) -> None:
    ticket = make_ticket(bank.north)

    def decide(name: str) -> Callable[[], str]:
        user = getattr(bank, name)

        def act() -> str:
            try:
                accept(
                    ticket_id=ticket.pk, revision=1, owner_id=user.pk, severity=4,
                    by=bank.as_(user), now=NOW,
                )  # fmt: skip
            except Conflict:
                return "told"
            return name

        return act

    found = set(at_once(decide("mei"), decide("ana")))

    ticket.refresh_from_db()
    assert found in ({"mei", "told"}, {"ana", "told"})
    assert ticket.owner is not None
    assert {ticket.owner.username, "told"} == found
    assert (ticket.state, ticket.revision) == (State.PLAN, 2)


def test_the_same_file_at_once_is_kept_once(bank: Bank) -> None:
    ticket = make_ticket(bank.north)

    def attach() -> str:
        made = attach_file(
            ticket_id=ticket.pk, name="a.pdf", chunks=[b"%PDF-1.7"], by=bank.as_(bank.ana), now=NOW
        )
        return made.sha256

    assert len(set(at_once(attach, attach, attach))) == 1
    assert Attachment.objects.count() == 1


def test_two_proposals_marked_as_each_other_do_not_wait_for_each_other(bank: Bank) -> None:
    """Without the hold on the intake each holds its own and waits for the other's."""
    make_system()
    north = Unit.objects.get(code="north")
    pairs = [(make_ticket(north).pk, make_ticket(north, code="x").pk) for _number in range(10)]

    def mark(ticket_id: int, of_id: int) -> Callable[[], str]:
        def act() -> str:
            try:
                mark_duplicate(
                    ticket_id=ticket_id, revision=None, of_id=of_id, by=bank.as_(bank.mei), now=NOW
                )
            except Conflict:
                return "refused"
            return "done"

        return act

    for first, second in pairs:
        assert sorted(at_once(mark(first, second), mark(second, first))) == ["done", "refused"]
    assert Ticket.objects.filter(state=State.DUPLICATE).count() == len(pairs)
