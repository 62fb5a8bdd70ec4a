"""Tickets over REST: proposed once, listed by what is declared, without people."""

import json
import time
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from improvement.tests.factories import (
    Bank,
    make_bank,
    make_indicator,
    make_signal,
    make_ticket,
)
from improvement.tickets.models import Comment, State, Ticket
from sqcore.base.models import RememberedRequest
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW
from sqcore.tests.rest import API, get, make_key, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    make_indicator()
    return make_bank()


def client(*units: Unit) -> str:
    return make_key(Permission.VIEW_TICKETS, Permission.PROPOSE_TICKETS, units=units)


def body(response: HttpResponse) -> Any:
    return json.loads(response.content)


def asked(**over: Any) -> dict[str, Any]:
    fields = {
        "unit": "north",
        "title": "The queue machine fails",
        "indicator": "waiting-time",
        "dedup_key": "queue-machine",
    }
    return {**fields, **over}


def as_person(user: User, path: str, sent: Any, once: str = "key-00000001") -> HttpResponse:
    browser = Client(enforce_csrf_checks=False)
    browser.force_login(user)
    response: HttpResponse = browser.post(  # type: ignore[assignment]  # the test client's own kind
        API + path, sent, content_type="application/json", headers={"Idempotency-Key": once}
    )
    return response


class TestProposing:
    def test_the_first_creates_and_the_next_is_told_of_it(self, bank: Bank) -> None:
        key = client()

        first = post("tickets", asked(), key)
        repeated = post("tickets", asked(), key)
        again = post("tickets", asked(title="Still failing"), key, once="key-00000002")

        ticket = Ticket.objects.get()
        assert (first.status_code, repeated.status_code, again.status_code) == (201, 201, 200)
        assert (repeated["Idempotent-Replayed"], repeated.content) == ("true", first.content)
        assert body(again) == body(first)
        assert body(first)["reference"] == f"T-{ticket.pk}"
        assert (ticket.source, ticket.proposed_by, ticket.dedup_key, ticket.title) == (
            "client", None, "queue-machine", "The queue machine fails",
        )  # fmt: skip
        assert list(ticket.steps.values_list("action", flat=True)) == ["proposed"]

    def test_when_it_ended_the_key_proposes_anew(self, bank: Bank) -> None:
        make_ticket(bank.north, State.REJECTED, dedup_key="queue-machine")

        assert post("tickets", asked(), client()).status_code == 201
        assert Ticket.objects.count() == 2

    def test_the_budget_holds_for_programs_too(self, bank: Bank) -> None:
        key = client()
        for number in range(5):
            post("tickets", asked(dedup_key=f"k{number}"), key, once=f"key-0000000{number}")

        over = Ticket.objects.order_by("id").values_list("is_over_budget", flat=True)
        assert list(over) == [False, False, False, True, True]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"dedup_key": ""}, "dedup_key"),
            ({"dedup_key": "x" * 256}, "dedup_key"),
            ({"title": " "}, "title"),
            ({"title": "x" * 201}, "title"),
            ({"indicator": "no-such"}, "indicator"),
            ({"staff": "4711"}, "staff"),
            ({"owner": "mei"}, "owner"),
        ],
    )
    def test_what_is_wrong_is_named_and_nothing_is_kept(
        self, bank: Bank, wrong: dict[str, Any], field: str
    ) -> None:
        response = post("tickets", asked(**wrong), client())

        assert response.status_code == 400
        assert [error["field"] for error in body(response)["errors"]] == [field]
        assert not Ticket.objects.exists()
        assert not RememberedRequest.objects.exists()

    def test_a_unit_out_of_reach_is_not_there(self, bank: Bank) -> None:
        assert post("tickets", asked(), client(bank.elsewhere)).status_code == 404
        assert post("tickets", asked(unit="moon"), client()).status_code == 404
        assert not Ticket.objects.exists()

    def test_a_key_that_another_unit_uses_is_refused_without_telling_which(
        self, bank: Bank
    ) -> None:
        make_ticket(bank.elsewhere, dedup_key="queue-machine", title="Secret")

        response = post("tickets", asked(), client(bank.north))

        assert response.status_code == 409
        assert "Secret" not in response.content.decode()

    def test_who_may_only_look_cannot_propose(self, bank: Bank) -> None:
        assert post("tickets", asked(), make_key(Permission.VIEW_TICKETS)).status_code == 403
        assert post("tickets", asked(), "").status_code == 401

    def test_a_person_needs_no_dedup_key(self, bank: Bank) -> None:
        response = as_person(bank.ana, "tickets", asked(dedup_key=""))

        ticket = Ticket.objects.get()
        assert response.status_code == 201
        assert (ticket.source, ticket.proposed_by) == ("person", bank.ana)


class TestReading:
    def test_a_list_has_no_people_and_can_be_filtered(self, bank: Bank) -> None:
        proposed = make_ticket(bank.north, owner=bank.mei, proposed_by=bank.li)
        doing = make_ticket(bank.south, State.DO, owner=bank.mei, severity=2, code="errors")
        make_ticket(bank.elsewhere, State.CLOSED, owner=bank.chen)
        key = client(bank.region)

        def found(query: str) -> list[int]:
            return [row["id"] for row in body(get(f"tickets?{query}", key))["results"]]

        assert found("") == [proposed.pk, doing.pk]
        assert found("state=do") == found("phase=do") == [doing.pk]
        assert found("phase=intake") == found("unit=north") == [proposed.pk]
        assert found("severity=2") == found("indicator=errors") == [doing.pk]
        rows = body(get("tickets", key))["results"]
        assert [row["has_owner"] for row in rows] == [False, True]
        text = get("tickets", key).content.decode().lower()
        assert not {"mei", "chen"} & set(text.replace('"', " ").split())

    @pytest.mark.parametrize("query", ["owner=1", "state=gone", "phase=x", "severity=9"])
    def test_what_is_no_filter_is_refused(self, bank: Bank, query: str) -> None:
        assert get(f"tickets?{query}", client()).status_code == 400

    def test_one_ticket_comes_with_its_steps_and_signals(self, bank: Bank) -> None:
        make_ticket(bank.north, signal=make_signal(bank.north))
        post("tickets", asked(unit="south"), client())
        first, second = Ticket.objects.order_by("id")
        reader = make_key(Permission.VIEW_TICKETS, Permission.VIEW_RESULTS)

        signals = body(get(f"tickets/{first.pk}", reader))["signals"]
        steps = body(get(f"tickets/{second.pk}", client()))["steps"]

        assert signals == [
            {
                "signal": first.signal_id,
                "unit": "north",
                "episode": 1,
                "attached_at": "2026-03-02T09:00:00Z",
            }
        ]
        assert [(step["action"], step["former"], step["state"]) for step in steps] == [
            ("proposed", "", "proposed")
        ]
        assert "by" not in steps[0]

    def test_signals_of_a_unit_above_are_for_those_who_see_its_results(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, signal=make_signal(bank.north))
        above = make_signal(bank.region)
        ticket.signals.create(signal=above, episode=1, attached_at=NOW)

        def units(*scope: Unit) -> list[str]:
            key = make_key(Permission.VIEW_TICKETS, Permission.VIEW_RESULTS, units=scope)
            return [each["unit"] for each in body(get(f"tickets/{ticket.pk}", key))["signals"]]

        assert units(bank.region) == ["north", "region"]
        assert units(bank.north) == ["north"]
        assert body(get(f"tickets/{ticket.pk}", client()))["signals"] == []

    def test_a_ticket_out_of_reach_is_not_there(self, bank: Bank) -> None:
        ticket = make_ticket(bank.elsewhere)

        assert get(f"tickets/{ticket.pk}", client(bank.region)).status_code == 404

    def test_a_page_costs_the_same_queries_however_long(
        self, bank: Bank, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = client(bank.region)
        for _number in range(60):
            make_ticket(bank.north)
        get("tickets", key)

        with django_assert_num_queries(1):
            first = body(get("tickets", key))
        with django_assert_num_queries(1):
            second = body(get(first["next"].partition(API)[2], key))

        assert (len(first["results"]), len(second["results"]), second["next"]) == (50, 10, None)

    def test_five_thousand_open_tickets_page_in_under_300_ms(self, bank: Bank) -> None:
        Ticket.objects.bulk_create(
            Ticket(
                unit=bank.north, title=f"Problem {number}", description="x" * 2000,
                source=Ticket.Source.PERSON, proposed_at=NOW, moved_at=NOW,
            )
            for number in range(5000)
        )  # fmt: skip
        key = client(bank.region)
        get("tickets", key)
        times = []

        for _time in range(5):
            begun = time.perf_counter()
            response = get("tickets?state=proposed&page_size=200", key)
            times.append(time.perf_counter() - begun)

        assert len(body(response)["results"]) == 200
        assert min(times) < 0.3


class TestCommenting:
    def test_a_person_says_something_once(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        path = f"tickets/{ticket.pk}/comments"

        first = as_person(bank.ana, path, {"text": "Looking at it"})
        again = as_person(bank.ana, path, {"text": "Looking at it"})

        made = Comment.objects.get()
        assert (first.status_code, again.content) == (201, first.content)
        assert (made.text, made.by) == ("Looking at it", bank.ana)
        assert body(first)["id"] == made.pk

    def test_programs_and_others_do_not(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        path = f"tickets/{ticket.pk}/comments"

        assert post(path, {"text": "Beep"}, client()).status_code == 403
        assert as_person(bank.chen, path, {"text": "Hm"}).status_code == 404
        assert as_person(bank.ana, path, {"text": " "}).status_code == 400
        assert not Comment.objects.exists()
