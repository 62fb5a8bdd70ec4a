"""Certificates over REST: read by number, sent by learning systems."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse

from sqcore.audit.models import AuditEntry
from sqcore.identity.permissions import Permission
from sqcore.tests.factories import NOW
from sqcore.tests.rest import get, make_key, post
from training.certificates.models import Certificate
from training.tests.factories import Bank, course_of, make_bank

pytestmark = pytest.mark.django_db
P = Permission
RECORD = {"external_key": "lms-1", "staff": "li", "course": "safety", "issued_on": "2025-03-10"}


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    course_of("safety", certifies=True, valid_months=12)
    return make_bank()


@pytest.fixture
def key(bank: Bank) -> str:
    return make_key(P.VIEW_TRAINING, P.MANAGE_TRAINING, units=[bank.north])


def json(response: HttpResponse) -> Any:
    return response.json()  # type: ignore[attr-defined]  # the test client's own


ROW = {
    "number": "C-2025-000001", "staff": "li", "course": "safety", "version": 1,
    "external_key": "lms-1", "renews": None, "issued_on": "2025-03-10", "due_on": "2026-01-09",
    "expires_on": "2026-03-10", "standing": "due", "revoked_at": None,
}  # fmt: skip


def test_a_record_is_taken_once_and_changed_by_its_key(bank: Bank, key: str) -> None:
    new = post("certificates", RECORD, key)
    replayed = post("certificates", RECORD, key)
    same = post("certificates", RECORD, key, once="key-00000002")
    changed = post("certificates", {**RECORD, "expires_on": "2026-12-31"}, key, once="key-00000003")

    assert (new.status_code, json(new)) == (201, ROW)
    assert (replayed.content, replayed["Idempotent-Replayed"]) == (new.content, "true")
    assert (same.status_code, json(same)) == (200, ROW)
    assert (changed.status_code, json(changed)["due_on"], json(changed)["standing"]) == (
        200, "2026-11-01", "valid",
    )  # fmt: skip
    assert Certificate.objects.get().expires_on == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"staff": "chen"}, "staff"),
        ({"staff": "nobody"}, "staff"),
        ({"course": "nothing"}, "course"),
        ({"issued_on": "2026-03-03"}, "issued_on"),
        ({"issued_on": "March"}, "issued_on"),
        ({"expires_on": "2025-03-10"}, "expires_on"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_records_that_cannot_be_taken_are_refused_by_field(
    bank: Bank, key: str, over: dict[str, Any], field: str
) -> None:
    refused = post("certificates", {**RECORD, **over}, key)

    assert (refused.status_code, [e["field"] for e in json(refused)["errors"]]) == (400, [field])
    assert not Certificate.objects.exists()


def test_certificates_of_the_units_are_listed_and_the_ledger_says_so(
    bank: Bank, key: str, django_assert_num_queries: Any
) -> None:
    post("certificates", RECORD, key)
    everywhere = make_key(P.VIEW_TRAINING, units=[bank.south])

    with django_assert_num_queries(2):
        found = get("certificates?course=safety&staff=li&expires_before=2026-04-01", key)

    assert json(found)["results"] == [ROW]
    assert json(get("certificates", everywhere))["results"] == []
    readings = AuditEntry.objects.filter(action="people.read").order_by("id")
    assert [entry.details for entry in readings] == [{"numbers": ["li"]}, {"numbers": []}]


def test_reading_alone_does_not_write(bank: Bank) -> None:
    sees = make_key(P.VIEW_TRAINING, units=[bank.north])

    assert post("certificates", RECORD, sees).status_code == 403
    assert get("certificates").status_code == 401
    assert not Certificate.objects.exists()
