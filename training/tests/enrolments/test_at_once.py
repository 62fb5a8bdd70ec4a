"""Two at the last seat, two cancellations, two closings: each on a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier

import pytest
from django.db import connection

from sqcore.base.errors import Conflict
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import system_principal
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW
from training.certificates.models import Certificate
from training.certificates.services import close_session, take_certificate
from training.courses.models import Course, Prerequisite, Session
from training.courses.services import set_prerequisites
from training.enrolments.models import Enrolment
from training.enrolments.services import cancel_enrolment, enrol
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    session_of,
    teller,
)

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEM = system_principal("test")
EVENING = A_DAY[1] + timedelta(hours=1)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Do them at the same moment, each on a connection of its own; return what they say."""
    gate = Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        gate.wait()
        try:
            return str(act())
        except Conflict as error:
            return error.message
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def seat(session: Session, staff_id: int) -> Callable[[], str]:
    def ask() -> str:
        return enrol(
            session_id=session.pk, staff_id=staff_id, origin="manager", by=SYSTEM, now=NOW
        ).state

    return ask


def test_of_four_at_the_last_two_seats_two_wait(bank: Bank) -> None:
    session = session_of(course_of(), capacity=3)
    enrolment_of(session, bank.li)
    people = [teller(name, bank.north).pk for name in ("wang", "zhao", "sun", "zhou")]

    said = at_once(*(seat(session, pk) for pk in people))

    assert sorted(said) == ["enrolled", "enrolled", "waiting", "waiting"]
    assert Enrolment.objects.filter(state="enrolled").count() == 3
    assert Notice.objects.count() == 4


def test_the_same_person_enrolled_twice_at_once_has_one_seat(bank: Bank) -> None:
    session = session_of(course_of())

    assert at_once(*[seat(session, bank.li.pk)] * 3) == ["enrolled"] * 3
    assert Enrolment.objects.count() == Notice.objects.count() == 1


def test_of_two_sessions_at_the_same_time_a_person_gets_one(bank: Bank) -> None:
    sessions = [session_of(course_of(code), code) for code in ("calm", "words")]

    said = at_once(*(seat(session, bank.li.pk) for session in sessions))

    assert sorted(said) == ["This person is in another session at that time.", "enrolled"] or (
        sorted(said) == ["enrolled", "This person is in another session at that time."]
    )
    assert Enrolment.objects.count() == 1


def test_two_who_leave_at_once_let_two_move_up(bank: Bank) -> None:
    session = session_of(course_of(), capacity=2)
    inside = [enrolment_of(session, teller(name, bank.north)).pk for name in ("wang", "zhao")]
    for name in ("sun", "zhou", "wu"):
        enrolment_of(session, teller(name, bank.north), state="waiting", waits_since=NOW)

    at_once(
        *(
            lambda pk=pk: cancel_enrolment(enrolment_id=pk, why="Ill", by=SYSTEM, now=NOW)
            for pk in inside
        )
    )

    found = Enrolment.objects.order_by("id").values_list("staff__number", "state")
    assert list(found)[2:] == [("sun", "enrolled"), ("zhou", "enrolled"), ("wu", "waiting")]


def test_a_session_closed_twice_at_once_gives_one_certificate(bank: Bank) -> None:
    session = session_of(course_of(certifies=True, attendance=0, valid_months=12))
    enrolment_of(session, bank.li, minutes=480)

    said = at_once(
        *[lambda: close_session(session_id=session.pk, actual_cost=0, by=SYSTEM, now=EVENING).state]
        * 3
    )

    assert said == ["held"] * 3
    assert Certificate.objects.count() == 1
    assert OutboxEvent.objects.filter(kind="training.certificate.issued").count() == 1


def test_sessions_closed_at_once_number_their_certificates_apart(bank: Bank) -> None:
    sessions = [
        session_of(course_of(code, certifies=True, attendance=0), code)
        for code in ("calm", "words", "safety")
    ]
    for session, name in zip(sessions, ("wang", "zhao", "sun"), strict=True):
        enrolment_of(session, teller(name, bank.north), minutes=480)

    at_once(
        *(
            lambda pk=each.pk: close_session(session_id=pk, actual_cost=0, by=SYSTEM, now=EVENING)
            for each in sessions
        )
    )

    numbers = Certificate.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == ["C-2026-000001", "C-2026-000002", "C-2026-000003"]


def test_the_same_record_sent_twice_at_once_is_one_certificate(bank: Bank) -> None:
    course_of("safety", certifies=True)

    def send() -> bool:
        return take_certificate(
            external_key="lms-1", staff_number="li", course_code="safety",
            issued_on=date(2026, 3, 1), by=SYSTEM, now=NOW,
        )[1]  # fmt: skip

    assert sorted(at_once(send, send, send)) == ["False", "False", "True"]
    assert Certificate.objects.count() == 1


def test_two_who_make_half_a_circle_each_make_none(bank: Bank) -> None:
    first, second = (course_of(code).course for code in ("calm", "words"))

    def needs(course: Course, other: Course) -> Callable[[], str]:
        def ask() -> str:
            try:
                set_prerequisites(course=course, needs=[other], by=SYSTEM, now=NOW)
            except Exception as error:  # noqa: BLE001 - what it says is what is asserted
                return type(error).__name__
            return "set"

        return ask

    assert sorted(at_once(needs(first, second), needs(second, first))) == ["InvalidInput", "set"]
    assert Prerequisite.objects.count() == 1
