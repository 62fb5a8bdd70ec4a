"""What improvement shows on other pages, and what waits for a person."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from improvement.cycle.pages import mine, mine_waiting
from improvement.cycle.panels import ChartTickets, UnitTickets, WaitingPanel
from improvement.tests.cycle.making import doing, looked, make_action, submitted, take
from improvement.tests.factories import Bank, make_bank, make_system, make_ticket
from improvement.tickets.models import State, Ticket
from improvement.verification.models import Verdict
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.monitoring.queries import SeriesKey
from sqcore.tests.factories import NOW, TODAY
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db
QUERIES = 9


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def waits(bank: Bank, user: User) -> list[str]:
    found = mine(principal=bank.as_(user), now=NOW)
    return [decision.what for decision in found.decisions]


class TestMine:
    def test_own_actions_stand_in_the_order_of_their_days(self, bank: Bank) -> None:
        ticket = doing(bank, is_done=False)
        ticket.actions.update(due_on=TODAY - timedelta(days=2))
        make_action(ticket, text="Later", due_on=TODAY + timedelta(days=3))
        make_action(ticket, text="Mei's", owner=bank.mei)

        found = mine(principal=bank.as_(bank.li), now=NOW)

        said = [(each.action.text, each.due.text) for each in found.actions]
        assert said == [
            ("Open a third counter at noon", "overdue 2 days"),
            ("Later", "due 5 Mar 2026"),
        ]
        assert found.overdue == 1

    def test_a_plan_waits_for_the_others_until_they_approved(self, bank: Bank) -> None:
        ticket = submitted(bank, severity=2)

        assert waits(bank, bank.mei) == waits(bank, bank.ana) == ["Approve the plan or return it"]
        assert waits(bank, bank.li) == []

        take(bank, "approve", ticket, by=bank.mei)
        assert waits(bank, bank.mei) == []
        assert waits(bank, bank.ana) == ["Approve the plan or return it"]

    def test_a_verdict_waits_for_quality_alone(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        looked(ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None)

        assert waits(bank, bank.ana) == ["Confirm the verdict"]
        assert waits(bank, bank.mei) == []

    def test_a_proposal_waits_for_who_decides_on_it(self, bank: Bank) -> None:
        make_ticket(bank.north, owner=bank.mei)

        assert waits(bank, bank.mei) == ["Decide on this proposal"]
        assert waits(bank, bank.li) == []

    def test_the_count_is_what_is_listed_but_for_the_intake(self, bank: Bank) -> None:
        doing(bank, is_done=False)
        submitted(bank)
        make_ticket(bank.north, owner=bank.mei)

        assert sum(rows.count() for rows in mine_waiting(bank.as_(bank.li))) == 2
        assert sum(rows.count() for rows in mine_waiting(bank.as_(bank.mei))) == 1
        assert sum(rows.count() for rows in mine_waiting(bank.as_(bank.chen))) == 0

    @pytest.mark.parametrize("count", [1, 5])
    def test_however_much_waits_the_queries_are_as_many(self, bank: Bank, count: int) -> None:
        for _number in range(count):
            doing(bank, is_done=False)
            submitted(bank)
        li = Client()
        li.force_login(bank.li)
        li.get("/my-actions/")

        with CaptureQueriesContext(connection) as seen:
            html = li.get("/my-actions/").content.decode()

        assert faults_of(html) == []
        assert len(seen) == QUERIES


class TestHome:
    def test_what_waits_stands_first_on_home(self, bank: Bank) -> None:
        submitted(bank)
        mei = Client()
        mei.force_login(bank.mei)

        html = mei.get("/").content.decode()

        assert faults_of(html) == []
        assert "Approve the plan or return it" in html
        assert WaitingPanel().order == 1

    def test_nothing_is_shown_to_who_has_nothing_to_do(self, bank: Bank) -> None:
        submitted(bank)

        panel = WaitingPanel().context(principal=bank.as_(bank.chen), now=NOW, subject=None)

        assert panel is None


class TestTicketsOfOthersPages:
    def test_a_unit_shows_its_open_tickets(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        make_ticket(bank.north, State.REJECTED)
        make_ticket(bank.south)

        shown = UnitTickets().context(principal=bank.as_(bank.mei), now=NOW, subject=bank.north)

        assert shown is not None
        assert [row.ticket for row in shown["rows"]] == [ticket]  # type: ignore[attr-defined]  # rows of tickets
        assert shown["propose_url"] == "/tickets/new/?unit=north"

    def test_a_chart_shows_the_tickets_of_its_series_and_where_to_propose(self, bank: Bank) -> None:
        make_ticket(bank.north, code="errors")
        key = SeriesKey(make_system().pk, bank.north.pk, "waiting-time", Grain.WEEK)

        shown = ChartTickets().context(principal=bank.as_(bank.li), now=NOW, subject=key)

        assert shown is not None
        assert shown["rows"] == []
        assert shown["propose_url"] == (
            "/tickets/new/?unit=north&indicator=waiting-time&grain=week"
        )

    def test_an_outsider_is_shown_none(self, bank: Bank) -> None:
        make_ticket(bank.north)

        assert (
            UnitTickets().context(principal=bank.as_(bank.chen), now=NOW, subject=bank.north)
            is None
        )
