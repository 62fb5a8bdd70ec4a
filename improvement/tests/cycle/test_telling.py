"""Who is told when a ticket moved, and why they are."""

import pytest
from django.urls import reverse

from improvement.tests.cycle.making import (
    LATER,
    acting,
    doing,
    make_action,
    planned,
    submitted,
    take,
)
from improvement.tests.factories import Bank, make_bank
from improvement.tickets.models import Ticket, Watcher
from improvement.verification.models import Verdict
from sqcore.base import bus
from sqcore.notices.models import Notice

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def told() -> dict[str, tuple[str, str]]:
    """What each person was told last, and why."""
    bus.drain(now=LATER)
    rows = Notice.objects.select_related("reader").order_by("id")
    return {row.reader.username: (row.title["en"], row.reason["en"]) for row in rows}


def test_those_who_may_approve_are_asked(bank: Bank) -> None:
    ticket = submitted(bank)

    assert told() == {
        "mei": (f"A plan waits for approval: {ticket}", "You may approve plans of this unit."),
        "ana": (f"A plan waits for approval: {ticket}", "You may approve plans of this unit."),
    }
    notice = Notice.objects.filter(reader=bank.mei).get()
    assert notice.link == reverse("improvement:ticket", args=[ticket.pk])
    assert (notice.permission, notice.unit_id) == ("tickets.view", bank.north.pk)


def test_owner_hears_that_the_plan_was_returned_and_why(bank: Bank) -> None:
    ticket = submitted(bank)
    Notice.objects.all().delete()
    bus.drain(now=LATER)
    Notice.objects.all().delete()

    take(bank, "return", ticket, by=bank.mei, comment="Which weeks?")

    assert told() == {"li": (f"The plan was returned: {ticket}", "You own this ticket.")}
    assert Notice.objects.get().body == {"en": "Which weeks?"}


def test_nobody_is_told_of_what_they_did(bank: Bank) -> None:
    take(bank, "finish", doing(bank), by=bank.li)

    assert told() == {}


def test_watcher_and_proposer_hear_of_the_end(bank: Bank) -> None:
    ticket = acting(bank, Verdict.WORSE, proposed_by=bank.chen)
    Watcher.objects.create(ticket=ticket, user=bank.ana)

    take(bank, "abandon", ticket, by=bank.mei)

    title = f"Abandoned: {ticket}"
    assert told() == {
        "li": (title, "You own this ticket."),
        "chen": (title, "You proposed this ticket."),
        "ana": (title, "You watch this ticket."),
    }


def test_somebody_with_two_parts_is_told_once(bank: Bank) -> None:
    ticket = doing(bank)
    Watcher.objects.create(ticket=ticket, user=bank.li)
    make_action(ticket)

    take(bank, "cancel", ticket, by=bank.mei)

    told()
    assert Notice.objects.filter(reader=bank.li).count() == 1


def test_change_of_a_part_tells_nobody(bank: Bank) -> None:
    take(bank, "problem", planned(bank), by=bank.mei)

    assert told() == {}
    assert Ticket.objects.get().revision == 2
