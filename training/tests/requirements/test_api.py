"""Requirements and obligations over REST."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW
from training.requirements.models import Requirement
from training.requirements.services import recompute_all
from training.tests.factories import Bank, make_bank
from training.tests.requirements.making import course, hold, rule

pytestmark = pytest.mark.django_db

BODY = {"course": "cash", "unit": "north", "within_days": 30, "valid_from": "2026-03-02"}


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    made = make_bank()
    fire = course()
    course("cash")
    rule(fire)
    hold(made.li, fire, date(2025, 5, 1), date(2026, 5, 1))
    recompute_all(now=NOW)
    return made


def client_of(person: Staff) -> Client:
    client = Client()
    assert person.user is not None
    client.force_login(person.user)
    return client


def post(client: Client, body: dict[str, Any], key: str = "key-0001") -> Any:
    return client.post(
        "/api/v1/requirements", body, content_type="application/json", HTTP_IDEMPOTENCY_KEY=key
    )


def test_obligations_are_listed_filtered_and_noted(bank: Bank) -> None:
    client = client_of(bank.hua)

    rows = client.get("/api/v1/obligations?state=met").json()["results"]

    assert [{name: row[name] for name in row if name != "id"} for row in rows] == [
        {"staff": "li", "course": "fire-safety", "state": "met", "since_on": "2026-01-01",
         "due_on": "2026-01-31", "holds_until": "2026-05-01"},
    ]  # fmt: skip
    assert AuditEntry.objects.get(action="training.read").details == {"numbers": ["li"]}
    mine = client_of(bank.mei).get("/api/v1/obligations?due_before=2026-03-01").json()["results"]
    assert {row["staff"] for row in mine} == {"li", "mei"}


def test_a_requirement_is_made_once_a_key(bank: Bank) -> None:
    client = client_of(bank.hua)

    first, again = post(client, BODY), post(client, BODY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Requirement.objects.filter(course__code="cash").count() == 1
    assert post(client, BODY, "key-0002").status_code == 409


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"course": "moon"}, "course"),
        ({"unit": "moon"}, "unit"),
        ({"within_days": -1}, "within_days"),
        ({"valid_from": "0026-01-01"}, "valid_from"),
        ({"person": "li"}, "person"),
    ],
)
def test_what_is_wrong_is_named(bank: Bank, over: dict[str, Any], field: str) -> None:
    answer = post(client_of(bank.hua), BODY | over)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert Requirement.objects.count() == 1


def test_a_manager_reads_and_does_not_require(bank: Bank) -> None:
    client = client_of(bank.mei)

    assert [row["course"] for row in client.get("/api/v1/requirements").json()["results"]] == [
        "fire-safety"
    ]
    assert post(client, BODY).status_code == 403
    assert Requirement.objects.count() == 1
