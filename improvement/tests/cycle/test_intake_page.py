"""The intake: proposals in their rank with what speaks for them, and what a person proposes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from improvement.cycle.pages import intake_page, intake_waiting
from improvement.tests.factories import (
    Bank,
    make_bank,
    make_indicator,
    make_signal,
    make_system,
    make_ticket,
)
from improvement.tickets.models import State, Ticket, TicketSignal
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.monitoring.models import Watch
from sqcore.tests.factories import NOW, TODAY
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db
QUERIES = 13


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def client(user: User) -> Client:
    found = Client()
    found.force_login(user)
    return found


def shown(user: User, path: str = "/intake/") -> str:
    answer = client(user).get(path)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert faults_of(html) == []
    return html


def watched() -> None:
    Watch.objects.create(
        system=make_system(),
        grain=Grain.WEEK,
        through=TODAY,
        watched_at=NOW,
        series=200,
        judged=9000,
        found_so_far=31,
        open_signals=1,
        expected_so_far=1.4,
        expected_a_year=1.9,
    )


def test_a_proposal_says_what_speaks_for_it(bank: Bank) -> None:
    make_indicator()
    watched()
    make_ticket(bank.north, signal=make_signal(bank.north), system=make_system())

    html = shown(bank.mei)

    assert "Since week 5 of 2026 it is 1.2 min above 6.0 min (2.4 sigma)." in html
    assert "It is one of 31 signals found so far; chance alone lets expect 1.4." in html
    assert "Accept" in html


def test_the_gravest_stand_first_then_the_strongest_and_those_over_budget_apart(
    bank: Bank,
) -> None:
    weak = make_ticket(bank.north, signal=make_signal(bank.north, shift_sigma=1.5), severity=3)
    strong = make_ticket(bank.south, signal=make_signal(bank.south, shift_sigma=-3.0), severity=3)
    grave = make_ticket(bank.east, severity=2)
    behind = make_ticket(bank.region, severity=1, is_over_budget=True)

    page = intake_page(principal=bank.as_(bank.mei), now=NOW)

    assert [proposal.card.ticket for proposal in page.first] == [grave, strong, weak]
    assert [proposal.card.ticket for proposal in page.behind] == [behind]


def test_what_stands_below_a_proposal_is_listed_with_it(bank: Bank) -> None:
    parent = make_ticket(bank.region, title="All branches")
    make_ticket(bank.north, parent=parent)
    make_ticket(bank.south, parent=parent)

    page = intake_page(principal=bank.as_(bank.mei), now=NOW)

    assert [proposal.card.ticket for proposal in page.first] == [parent]
    assert len(page.first[0].below) == 2
    assert "2 proposals below it" in shown(bank.mei)


def test_the_count_is_of_what_this_person_decides_on(bank: Bank) -> None:
    make_ticket(bank.north)
    make_ticket(bank.elsewhere)
    make_ticket(bank.north, is_over_budget=True)

    counts = [
        sum(rows.count() for rows in intake_waiting(bank.as_(user)))
        for user in (bank.mei, bank.chen, bank.ana, bank.li)
    ]

    assert counts == [1, 1, 2, 0]


def test_an_outsider_sees_nothing_of_it(bank: Bank) -> None:
    make_ticket(bank.north)

    assert "People wait too long" not in shown(bank.chen)
    assert "No proposal waits" in shown(bank.chen)


@pytest.mark.parametrize("count", [1, 6])
def test_however_many_proposals_the_queries_are_as_many(bank: Bank, count: int) -> None:
    make_indicator()
    system = make_system()
    for unit in (bank.north, bank.south, bank.east, bank.region)[:count]:
        make_ticket(unit, signal=make_signal(unit), system=system)
    asker = client(bank.mei)
    asker.get("/intake/")

    with CaptureQueriesContext(connection) as seen:
        asker.get("/intake/")

    assert len(seen) == QUERIES


def test_a_proposal_is_accepted_by_its_form(bank: Bank) -> None:
    ticket = make_ticket(bank.north)
    form = shown(bank.mei, f"/tickets/{ticket.pk}/?do=accept")

    answer = client(bank.mei).post(
        f"/tickets/{ticket.pk}/do/accept/",
        {
            "revision": ticket.revision,
            "owner_id": bank.mei.pk,
            "severity": "3",
            "containment": "A guide hands out numbers",
            "contained_on": TODAY,
        },
    )

    ticket.refresh_from_db()
    assert "Accept it" in form
    assert answer.status_code == 302
    assert (ticket.state, ticket.owner) == (State.PLAN, bank.mei)


def test_it_is_rejected_snoozed_or_a_duplicate_by_their_forms(bank: Bank) -> None:
    first, second, third, other = (make_ticket(bank.north) for _number in range(4))
    mei = client(bank.mei)

    mei.post(f"/tickets/{first.pk}/do/reject/", {"reason": "known", "note": "The works outside"})
    mei.post(f"/tickets/{second.pk}/do/snooze/", {"until": TODAY + timedelta(days=7)})
    mei.post(f"/tickets/{third.pk}/do/duplicate/", {"of_id": other.reference})

    states = Ticket.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["rejected", "snoozed", "duplicate", "proposed"]


def test_a_reference_that_is_none_is_refused(bank: Bank) -> None:
    ticket = make_ticket(bank.north)

    answer = client(bank.mei).post(f"/tickets/{ticket.pk}/do/duplicate/", {"of_id": "the other"})

    assert answer.status_code == 400
    assert "Write the reference of a ticket, such as T-12." in answer.content.decode()
    assert Ticket.objects.get().state == State.PROPOSED


def test_an_agent_proposes_and_does_not_decide(bank: Bank) -> None:
    make_indicator()
    form = shown(bank.li, "/tickets/new/?indicator=waiting-time")

    answer = client(bank.li).post(
        "/tickets/new/",
        {"title": "Noon is too slow", "unit": "north", "indicator": "waiting-time"},
    )

    ticket = Ticket.objects.get()
    assert '<option value="waiting-time" selected>' in form
    assert answer.headers["Location"] == f"/tickets/{ticket.pk}/"
    assert (ticket.unit, ticket.proposed_by, ticket.code) == (bank.north, bank.li, "waiting-time")
    assert "Accept" not in shown(bank.li, f"/tickets/{ticket.pk}/")
    refused = client(bank.li).post(f"/tickets/{ticket.pk}/do/reject/", {"reason": "known"})
    assert refused.status_code == 403
    assert Ticket.objects.get().state == State.PROPOSED


def test_nothing_is_proposed_at_units_of_others(bank: Bank) -> None:
    answer = client(bank.li).post("/tickets/new/", {"title": "Slow", "unit": "elsewhere"})

    assert answer.status_code == 400
    assert Ticket.objects.count() == 0


def test_a_proposal_names_no_signals_of_units_whose_results_are_not_seen(bank: Bank) -> None:
    ticket = make_ticket(bank.north, signal=make_signal(bank.north))
    for unit in (bank.region, bank.south):
        signal = make_signal(unit)
        TicketSignal.objects.create(
            ticket=ticket, signal=signal, episode=signal.episode, attached_at=NOW
        )
    assert "3 signals belong to it" in shown(bank.mei)

    assert "belong to it" not in shown(bank.li)
