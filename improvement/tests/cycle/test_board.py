"""The board: what stands where, what a card waits for, where it may go, who sees it."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from improvement.cycle.board import Asked, Board, Card, board_of
from improvement.tests.cycle.making import checking, doing, looked, make_action, planned, submitted
from improvement.tests.factories import Bank, make_bank, make_indicator, make_ticket
from improvement.tickets.models import State, Step, Ticket
from improvement.verification.models import Verdict
from sqcore.identity.models import User
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


def board(bank: Bank, by: User | None = None, asked: Asked | None = None) -> Board:
    return board_of(principal=bank.as_(by or bank.mei), asked=asked or Asked(), now=NOW)


def card(bank: Bank, user: User | None = None) -> Card:
    """The only card that there is."""
    (found,) = [card for column in board(bank, user).columns for card in column.cards]
    return found


def moves(bank: Bank, user: User | None = None) -> list[tuple[str, str]]:
    return [(move.name, move.to) for move in card(bank, user).moves]


def standing(shown: Board) -> dict[str, list[str]]:
    return {
        column.phase.value: [card.ticket.title for card in column.cards]
        for column in shown.columns
        if column.cards
    }


class TestColumns:
    def test_an_open_ticket_stands_in_the_column_of_its_phase(self, bank: Bank) -> None:
        for state in State:
            over = {"owner": bank.li, "severity": 3, "title": state.value}
            if state == State.SNOOZED:
                over["snoozed_until"] = TODAY + timedelta(days=3)
            if state == State.DUPLICATE:
                over["duplicate_of"] = Ticket.objects.first()
            make_ticket(bank.north, state, **over)

        assert standing(board(bank)) == {
            "intake": ["proposed", "snoozed"],
            "plan": ["plan", "review"],
            "do": ["do"],
            "check": ["check"],
            "act": ["act", "standard"],
        }

    def test_the_gravest_and_oldest_stand_first_and_those_over_budget_last(
        self, bank: Bank
    ) -> None:
        make_ticket(bank.north, title="over", is_over_budget=True, severity=1)
        make_ticket(bank.north, title="unsaid")
        make_ticket(bank.north, title="new", severity=2)
        make_ticket(bank.north, title="old", severity=2, now=NOW - timedelta(days=9))

        assert standing(board(bank))["intake"] == ["old", "new", "unsaid", "over"]

    def test_thirty_cards_of_a_column_are_shown_and_the_rest_counted(self, bank: Bank) -> None:
        for _number in range(53):
            make_ticket(bank.north)

        column = board(bank).columns[0]

        assert (len(column.cards), column.total, column.more) == (30, 53, 23)
        assert "and 23 more" in client(bank.mei).get("/board/").content.decode()

    def test_what_hangs_below_a_proposal_has_no_card(self, bank: Bank) -> None:
        parent = make_ticket(bank.region, title="All three branches")
        make_ticket(bank.north, title="North", parent=parent)

        assert standing(board(bank)) == {"intake": ["All three branches"]}


class TestFilters:
    @pytest.mark.parametrize(
        ("asked", "titles"),
        [
            ({"unit": "region"}, ["North", "South"]),
            ({"unit": "south"}, ["South"]),
            ({"indicator": "errors"}, ["South"]),
            ({"owner": "me"}, ["South"]),
            ({"severity": "2"}, ["South"]),
            ({"text": "nort"}, ["North"]),
            ({"unit": "nowhere"}, []),
        ],
    )
    def test_only_what_fits_is_shown(
        self, bank: Bank, asked: dict[str, str], titles: list[str]
    ) -> None:
        make_ticket(bank.north, State.PLAN, title="North", owner=bank.li)
        make_ticket(
            bank.south, State.PLAN, title="South", owner=bank.mei, code="errors", severity=2
        )

        shown = [
            title
            for found in standing(board(bank, asked=Asked(**asked))).values()
            for title in found
        ]

        assert sorted(shown) == titles

    def test_a_reference_finds_its_ticket(self, bank: Bank) -> None:
        make_ticket(bank.north, title="North")
        wanted = make_ticket(bank.south, title="South")

        assert standing(board(bank, asked=Asked(text=wanted.reference.lower()))) == {
            "intake": ["South"]
        }

    def test_what_cannot_be_meant_filters_nothing(self, bank: Bank) -> None:
        make_ticket(bank.north, title="North")

        answer = client(bank.mei).get("/board/?owner=x'&severity=99&text=")

        assert answer.status_code == 200
        assert "North" in answer.content.decode()


class TestWaiting:
    def test_a_plan_says_what_it_lacks_first(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)
        assert card(bank).waits.text == "problem statement is missing"

        Ticket.objects.filter(pk=ticket.pk).update(problem="14 minutes")
        assert card(bank).waits.text == "no action is planned yet"

        make_action(ticket)
        assert card(bank).waits.text == "no effect is promised yet"

    def test_a_complete_plan_waits_to_be_submitted(self, bank: Bank) -> None:
        planned(bank)

        assert card(bank).waits.text == "ready to be submitted"

    def test_a_submitted_plan_waits_for_somebody_else(self, bank: Bank) -> None:
        submitted(bank)

        assert card(bank).waits.text == "waits for approval by somebody else than Li"

    def test_a_grave_one_counts_its_approvals(self, bank: Bank) -> None:
        submitted(bank, severity=2)

        assert card(bank).waits.text == "waits for approval by somebody else than Li: 0 of 2"

    def test_a_check_names_its_day(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)

        assert card(bank).waits.text == "check on 4 May 2026"

        ticket.effect_plans.update(check_on=date(2026, 2, 23))
        assert card(bank).waits.text == "check is due since 23 Feb 2026"

    def test_a_verdict_waits_for_quality(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        looked(ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None)

        assert card(bank).waits.text == "waits for quality to confirm the verdict"

    def test_a_verdict_waits_for_quality_and_for_nobody_else(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        looked(ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None)

        assert card(bank, bank.ana).is_mine
        assert not card(bank, bank.li).is_mine
        assert board(bank, bank.ana).mine == 1

    def test_a_blocked_one_says_for_how_long_and_why(self, bank: Bank) -> None:
        make_ticket(
            bank.north,
            State.DO,
            owner=bank.li,
            blocked_at=NOW - timedelta(days=3),
            blocked_reason="the counter comes in May",
        )

        assert card(bank).waits.text == "blocked 3 days: the counter comes in May"
        assert card(bank).waits.tone == "bad"

    def test_an_overdue_action_is_said(self, bank: Bank) -> None:
        ticket = doing(bank, is_done=False)
        ticket.actions.update(due_on=date(2026, 2, 20))

        assert card(bank).overdue == "an action is overdue since 20 Feb 2026"


class TestMoves:
    def test_a_proposal_is_decided_on_by_who_runs_tickets_there(self, bank: Bank) -> None:
        make_ticket(bank.north)

        assert moves(bank) == [
            ("accept", "plan"), ("reject", ""), ("duplicate", ""), ("snooze", ""),
        ]  # fmt: skip
        assert moves(bank, bank.li) == []

    def test_a_plan_is_approved_by_another_than_its_owner(self, bank: Bank) -> None:
        submitted(bank)

        assert moves(bank) == [("approve", "do"), ("return", ""), ("cancel", "")]
        assert moves(bank, bank.li) == []

    def test_a_small_plan_goes_straight_to_do(self, bank: Bank) -> None:
        planned(bank, severity=4)

        assert ("submit", "do") in moves(bank, bank.li)

    def test_a_card_offers_what_leads_on(self, bank: Bank) -> None:
        doing(bank)

        assert moves(bank, bank.li) == [("finish", "check"), ("block", "")]

    def test_what_needs_no_words_is_done_from_the_card(self, bank: Bank) -> None:
        ticket = doing(bank)

        html = client(bank.li).get("/board/").content.decode()
        answer = client(bank.li).post(
            f"/tickets/{ticket.pk}/do/finish/", {"revision": ticket.revision, "next": "/board/"}
        )

        assert f'formaction="/tickets/{ticket.pk}/do/finish/"' in html
        assert answer.headers["Location"] == "/board/"
        assert Ticket.objects.get().state == State.CHECK

    def test_two_who_move_one_card_do_it_once(self, bank: Bank) -> None:
        ticket = doing(bank)
        seen = {"revision": ticket.revision, "next": "/board/"}
        client(bank.li).post(f"/tickets/{ticket.pk}/do/finish/", seen)

        answer = client(bank.mei).post(f"/tickets/{ticket.pk}/do/finish/", seen)

        assert answer.status_code == 409
        assert "Somebody changed this ticket" in answer.content.decode()
        assert Step.objects.filter(action="finish").count() == 1

    def test_nobody_is_sent_to_another_place(self, bank: Bank) -> None:
        ticket = doing(bank)

        answer = client(bank.li).post(
            f"/tickets/{ticket.pk}/do/finish/", {"next": "https://elsewhere.test/"}
        )

        assert answer.headers["Location"] == f"/tickets/{ticket.pk}/#next"


class TestPage:
    def test_it_is_a_page_of_the_house(self, bank: Bank) -> None:
        submitted(bank)
        make_ticket(bank.north)

        html = client(bank.mei).get("/board/").content.decode()

        assert faults_of(html) == []
        assert "People wait too long" in html

    def test_an_outsider_sees_no_card_of_others(self, bank: Bank) -> None:
        make_ticket(bank.north)

        html = client(bank.chen).get("/board/").content.decode()

        assert "People wait too long" not in html
        assert "No open ticket" in html

    def test_a_move_needs_the_token_of_the_page(self, bank: Bank) -> None:
        ticket = doing(bank)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(bank.li)

        answer = strict.post(f"/tickets/{ticket.pk}/do/finish/")

        assert answer.status_code == 403
        assert Ticket.objects.get().state == State.DO

    @pytest.mark.parametrize("count", [1, 9])
    def test_however_many_cards_the_queries_are_as_many(self, bank: Bank, count: int) -> None:
        make_indicator()
        for _number in range(count):
            submitted(bank)
            checking(bank)
            doing(bank, is_done=False)
            make_ticket(bank.north)
        asker = client(bank.mei)
        asker.get("/board/")

        with CaptureQueriesContext(
            connection,
        ) as seen:
            asker.get("/board/")

        assert len(seen) == QUERIES

    def test_what_ended_is_listed_with_its_reason(self, bank: Bank) -> None:
        make_ticket(bank.north, State.REJECTED, end_reason="known", title="Heat pump")

        html = client(bank.mei).get("/board/ended/").content.decode()

        assert faults_of(html) == []
        assert "Heat pump" in html
        assert "Known, and explained" in html
        assert "Heat pump" not in client(bank.chen).get("/board/ended/").content.decode()
