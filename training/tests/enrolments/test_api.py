"""Courses, sessions, enrolments and results over REST."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse

from sqcore.audit.models import AuditEntry
from sqcore.identity.permissions import Permission
from sqcore.tests.factories import NOW
from sqcore.tests.rest import get, make_key, post
from training.courses.models import Prerequisite, Session, Taught
from training.enrolments.models import Attempt, Enrolment
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    make_competency,
    session_of,
    teller,
)

pytestmark = pytest.mark.django_db
P = Permission


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def key(bank: Bank) -> str:
    """The token of a learning system of the north."""
    return make_key(P.VIEW_TRAINING, P.MANAGE_TRAINING, units=[bank.north])


def json(response: HttpResponse) -> Any:
    return response.json()  # type: ignore[attr-defined]  # the test client's own


def test_courses_show_the_rules_of_their_newest_version(bank: Bank, key: str) -> None:
    course_of("basics")
    version = course_of("advanced", pass_mark=70, certifies=True, valid_months=12)
    Prerequisite.objects.create(course=version.course, needs_id=course_of("basics").course_id)
    Taught.objects.create(course=version.course, competency=make_competency(), level=2)

    found = json(get("courses?code=advanced", key))["results"]

    assert found == [
        {
            "code": "advanced",
            "name": {"en": "Advanced"},
            "description": {},
            "mode": "classroom",
            "is_active": True,
            "is_open": False,
            "needs": ["basics"],
            "teaches": [{"competency": "communication", "level": 2}],
            "version": {
                "number": 1,
                "minutes": 480,
                "pass_mark": 70,
                "attempts": 3,
                "attendance": 80,
                "certifies": True,
                "valid_months": 12,
                "renewal": "rolling",
                "renewal_month": None,
                "due_days": 60,
            },
        }
    ]
    assert [row["version"]["number"] for row in json(get("courses", key))["results"]] == [1, 2]


def test_sessions_show_how_full_they_are(bank: Bank, key: str) -> None:
    session = session_of(course_of(), unit=bank.north, trainer=bank.mei, capacity=1)
    session_of(course_of("calm"), "s2")
    enrolment_of(session, bank.li)
    enrolment_of(session, bank.chen, state="waiting", waits_since=NOW)

    (found,) = json(get("sessions?course=complaints&unit=north&state=planned", key))["results"]

    assert found == {
        "code": "s1",
        "course": "complaints",
        "version": 1,
        "mode": "classroom",
        "unit": "north",
        "place": "",
        "trainer": "mei",
        "provider": "",
        "capacity": 1,
        "taken": 1,
        "waiting": 1,
        "state": "planned",
        "starts_on": "2026-03-10",
        "ends_on": "2026-03-10",
        "enrol_until": None,
        "planned_cost": 0,
        "actual_cost": None,
        "slots": [
            {
                "id": session.slots.get().pk,
                "starts_at": "2026-03-10T01:00:00Z",
                "ends_at": "2026-03-10T09:00:00Z",
            }
        ],
    }
    assert json(get("sessions?starts_from=2026-03-11", key))["results"] == []
    assert get("sessions?colour=red", key).status_code == 400


def test_a_system_sees_who_takes_part_of_its_units_and_the_ledger_says_so(
    bank: Bank, key: str
) -> None:
    session = session_of(course_of())
    mine = enrolment_of(session, bank.li, minutes=120)
    enrolment_of(session, bank.chen)
    Attempt.objects.create(
        enrolment=mine, score=82, passed=True, on=A_DAY[0].date(), recorded_at=NOW
    )

    found = json(get("sessions/s1/enrolments", key))["results"]

    assert found == [
        {
            "id": mine.pk,
            "session": "s1",
            "staff": "li",
            "state": "enrolled",
            "origin": "manager",
            "enrolled_at": "2026-03-02T09:00:00Z",
            "concluded_on": None,
            "minutes": 120,
            "attempts": [
                {"kind": "test", "number": 1, "score": "82.00", "passed": True,
                 "on": "2026-03-10"}
            ],
        }
    ]  # fmt: skip
    assert AuditEntry.objects.get(action="people.read").details == {"numbers": ["li"]}
    assert get("sessions/nothing/enrolments", key).status_code == 404


def test_somebody_is_enrolled_once_a_key_and_waits_without_a_seat(bank: Bank, key: str) -> None:
    session_of(course_of(), capacity=1)
    teller("wang", bank.north)

    first = post("enrolments", {"session": "s1", "staff": "li"}, key)
    again = post("enrolments", {"session": "s1", "staff": "li"}, key)
    second = post("enrolments", {"session": "s1", "staff": "wang"}, key, once="key-00000002")

    assert (first.status_code, json(first)["state"], json(first)["origin"]) == (
        201, "enrolled", "import",
    )  # fmt: skip
    assert again["Idempotent-Replayed"] == "true"
    assert again.content == first.content
    assert json(second)["state"] == "waiting"
    assert Enrolment.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"session": "s1", "staff": "chen"}, 404),
        ({"session": "s1", "staff": "nobody"}, 404),
        ({"session": "nothing", "staff": "li"}, 404),
        ({"session": "s1"}, 400),
        ({"session": "s1", "staff": "li", "seat": 7}, 400),
    ],
)
def test_who_cannot_be_enrolled_is_refused(
    bank: Bank, key: str, body: dict[str, Any], status: int
) -> None:
    session_of(course_of())

    assert post("enrolments", body, key).status_code == status
    assert post("enrolments", body, key, once="").status_code == 400
    assert not Enrolment.objects.exists()


def test_a_session_called_off_answers_409(bank: Bank, key: str) -> None:
    session_of(course_of(), state=Session.State.CANCELLED)

    refused = post("enrolments", {"session": "s1", "staff": "li"}, key)

    assert (refused.status_code, json(refused)["detail"]) == (409, "This session was called off.")
    assert not Enrolment.objects.exists()


def test_results_are_sent_once_a_key_until_the_attempts_are_used(bank: Bank, key: str) -> None:
    enrolment_of(session_of(course_of(pass_mark=70, attempts=1)), bank.li)
    body = {"session": "s1", "staff": "li", "score": "69.5", "on": "2026-03-10"}

    with time_machine.travel(A_DAY[1], tick=False):
        first, again = post("attempts", body, key), post("attempts", body, key)
        other = post("attempts", {**body, "score": "90"}, key, once="key-00000002")

    assert (first.status_code, json(first)) == (
        201,
        {"kind": "test", "number": 1, "score": "69.50", "passed": False, "on": "2026-03-10"},
    )
    assert again["Idempotent-Replayed"] == "true"
    assert (other.status_code, json(other)["detail"]) == (409, "All 1 attempts are used.")
    assert Attempt.objects.count() == 1


def test_impossible_results_are_refused_by_field(bank: Bank, key: str) -> None:
    enrolment_of(session_of(course_of()), bank.li)
    body = {"session": "s1", "staff": "li", "score": "50", "on": "2026-03-10"}

    wrong = [
        post("attempts", {**body, **over}, key)
        for over in ({"score": 101}, {"kind": "magic"}, {"on": "10.3.2026"}, {"on": "2026-03-10"})
    ]

    assert [(each.status_code, json(each)["errors"][0]["field"]) for each in wrong] == [
        (400, "score"), (400, "kind"), (400, "on"), (400, "on"),
    ]  # fmt: skip
    assert post("attempts", {**body, "staff": "chen"}, key).status_code == 404
    assert not Attempt.objects.exists()


def test_without_the_permission_nothing_is_seen_or_done(bank: Bank) -> None:
    session_of(course_of())
    other = make_key(P.VIEW_ORGANISATION)
    sees = make_key(P.VIEW_TRAINING, units=[bank.north])

    for path in ("courses", "sessions", "sessions/s1/enrolments"):
        assert get(path).status_code == 401
        assert get(path, other).status_code == 403
    assert post("enrolments", {"session": "s1", "staff": "li"}, sees).status_code == 403
    assert not Enrolment.objects.exists()


def test_the_lists_take_a_fixed_number_of_queries(
    bank: Bank, key: str, django_assert_num_queries: Any
) -> None:
    version = course_of()
    get("courses", key)
    for number in range(3):
        session = session_of(version, f"s{number}", unit=bank.north)
        for name in ("a", "b", "c"):
            enrolment_of(session, teller(f"{name}{number}", bank.north))

    with django_assert_num_queries(4):
        get("courses", key)
    with django_assert_num_queries(2):
        get("sessions", key)
    with django_assert_num_queries(5):
        get("sessions/s1/enrolments", key)
