"""Steps, checks and standards over REST."""

from typing import Any

import pytest
from django.test import Client

from improvement.cycle.api import STEPS
from improvement.cycle.serializers import FIELDS_OF, StepRequest
from improvement.cycle.transitions import TABLE, Who
from improvement.standards.services import approve_standard
from improvement.tests.cycle.making import acting, planned, submitted, with_draft
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Step, Ticket
from sqcore.base.models import RememberedRequest
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.tests.factories import NOW
from sqcore.tests.rest import make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(
    client: Client, ticket: Ticket, action: str, body: dict[str, Any], *, key: str = "key-00000001"
) -> Any:
    return client.post(
        f"/api/v1/tickets/{ticket.pk}/{action}",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


def test_every_step_of_people_can_be_taken() -> None:
    of_people = {each.action for each in TABLE if each.who != Who.SYSTEM}

    assert set(STEPS) == set(FIELDS_OF) == of_people | {"accept", "reject", "duplicate", "snooze"}
    named = {name for needed, also in FIELDS_OF.values() for name in needed | also}
    assert named | {"revision"} == set(StepRequest().fields)


def test_manager_approves_a_plan_once_however_often_it_is_sent(bank: Bank) -> None:
    ticket = submitted(bank)
    client, body = client_of(bank.mei), {"revision": ticket.revision, "comment": "Good."}

    first = post(client, ticket, "approve", body)
    again = post(client, ticket, "approve", body)

    assert first.status_code == 200
    assert first.json() == {
        "id": ticket.pk,
        "reference": f"T-{ticket.pk}",
        "state": "do",
        "cycle": 1,
        "revision": ticket.revision + 1,
    }
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    assert Step.objects.filter(action="approve").count() == 1


def test_who_saw_an_older_ticket_is_told_so(bank: Bank) -> None:
    ticket = submitted(bank)

    answer = post(client_of(bank.mei), ticket, "approve", {"revision": ticket.revision - 1})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    ticket.refresh_from_db()
    assert ticket.state == State.REVIEW


def test_refused_plan_says_what_it_lacks(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.mei)

    answer = post(client_of(bank.mei), ticket, "submit", {"revision": 1})

    assert answer.status_code == 409
    assert "The plan has no action yet." in answer.json()["detail"]
    assert not RememberedRequest.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"revision": 1}, ["comment"]),
        ({"comment": "Why?"}, ["revision"]),
        ({"revision": 0, "comment": "Why?"}, ["revision"]),
        ({"revision": 1, "comment": "Why?", "state": "closed"}, ["state"]),
    ],
)
def test_fields_are_those_of_the_step(body: dict[str, Any], fields: list[str], bank: Bank) -> None:
    ticket = submitted(bank)

    answer = post(client_of(bank.mei), ticket, "return", body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == fields
    ticket.refresh_from_db()
    assert ticket.state == State.REVIEW


def test_step_that_there_is_not_is_not_found(bank: Bank) -> None:
    ticket = planned(bank)

    assert post(client_of(bank.mei), ticket, "explode", {"revision": 1}).status_code == 404
    assert post(client_of(bank.mei), ticket, "close", {"revision": 1}).status_code == 404


def test_outsider_does_not_learn_of_a_ticket(bank: Bank) -> None:
    ticket = submitted(bank)

    assert post(client_of(bank.chen), ticket, "approve", {"revision": 2}).status_code == 404
    assert client_of(bank.chen).get(f"/api/v1/tickets/{ticket.pk}/checks").status_code == 404


def test_token_takes_no_step_but_reads_checks_and_standards(bank: Bank) -> None:
    ticket = submitted(bank)
    key = make_key(Permission.VIEW_TICKETS, Permission.VIEW_RESULTS)
    client = Client(headers={"Authorization": f"Bearer {key}"})

    assert post(client, ticket, "approve", {"revision": ticket.revision}).status_code == 403
    assert client.get(f"/api/v1/tickets/{ticket.pk}/checks").json()["results"] == []
    assert client.get("/api/v1/standards").json() == {"results": [], "next": None}
    ticket.refresh_from_db()
    assert ticket.state == State.REVIEW


def test_checks_are_for_those_who_see_results_of_the_unit(bank: Bank) -> None:
    ticket = acting(bank)
    address = f"/api/v1/tickets/{ticket.pk}/checks"
    key = make_key(Permission.VIEW_TICKETS, Permission.PROPOSE_TICKETS)
    Ticket.objects.filter(pk=ticket.pk).update(owner=bank.chen)

    assert Client(headers={"Authorization": f"Bearer {key}"}).get(address).status_code == 403
    assert client_of(bank.chen).get(f"/api/v1/tickets/{ticket.pk}").status_code == 200
    assert client_of(bank.chen).get(address).status_code == 403
    assert client_of(bank.li).get(address).status_code == 200


def test_checks_say_what_was_promised_and_what_came(
    bank: Bank, django_assert_max_num_queries: Any
) -> None:
    ticket = acting(bank)
    client = client_of(bank.mei)

    with django_assert_max_num_queries(12):
        row = client.get(f"/api/v1/tickets/{ticket.pk}/checks").json()["results"][0]

    assert (row["verdict"], row["confirmed_verdict"], row["is_overridden"]) == (
        "improved",
        "improved",
        False,
    )
    assert (row["code"], row["unit"], row["better"], row["minimum"]) == (
        "waiting-time", "north", -1, 0.8,
    )  # fmt: skip
    assert (row["low"], row["high"], row["grade"]) == (-1.6, -0.9, "C")


def test_standards_are_listed_by_indicator_without_drafts(bank: Bank) -> None:
    ticket = with_draft(bank, acting(bank))
    client = client_of(bank.mei)
    before = client.get("/api/v1/standards").json()["results"]
    approve_standard(version=ticket.standard_versions.get(), by=bank.as_(bank.mei), now=NOW)

    found = client.get("/api/v1/standards?indicator=waiting-time").json()["results"]

    assert before == []
    assert [(row["code"], row["unit"], row["indicator"]) for row in found] == [
        ("noon-rota", "north", "waiting-time")
    ]
    assert found[0]["versions"] == [
        {
            "version": 1,
            "title": "Counters at noon",
            "text": "Three counters are open from 11:30 to 13:30.",
            "valid_from": "2026-03-02",
            "ticket": ticket.pk,
            "approved_at": "2026-03-02T09:00:00Z",
        }
    ]
    assert client.get("/api/v1/standards?indicator=other").json()["results"] == []
    assert client_of(bank.chen).get("/api/v1/standards").json()["results"] == []
