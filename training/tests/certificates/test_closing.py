"""Closing a session: each enrolment is concluded once, with evidence, certificate, reaction."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import system_principal
from sqcore.notices.models import Notice
from sqcore.org.models import Staff
from sqcore.questionnaires.port import questionnaires
from sqcore.tests.factories import NOW
from training.certificates.models import Certificate
from training.certificates.services import close_session
from training.competencies.models import Evidence
from training.courses.models import Session, Taught
from training.enrolments.models import Attempt, Attendance, Enrolment
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    make_competency,
    session_of,
    show,
    teller,
)

pytestmark = pytest.mark.django_db

SYSTEM = system_principal("test")
START, END = A_DAY
EVENING = END + timedelta(hours=1)
THAT_DAY = date(2026, 3, 10)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def came(session: Session, staff: Staff, minutes: int, *scores: int) -> Enrolment:
    """Somebody who was there for these minutes and had these results, of 70 to pass."""
    enrolment = enrolment_of(session, staff, minutes=minutes)
    for number, score in enumerate(scores, start=1):
        Attempt.objects.create(
            enrolment=enrolment, number=number, score=Decimal(score), passed=score >= 70,
            on=THAT_DAY + timedelta(days=number - 1), recorded_at=NOW,
        )  # fmt: skip
    return enrolment


def close(session: Session, **over: Any) -> Session:
    fields: dict[str, Any] = {"actual_cost": 120000, "by": SYSTEM, "now": EVENING}
    return close_session(session_id=session.pk, **{**fields, **over})


def test_who_was_there_and_passed_the_test_has_passed(bank: Bank) -> None:
    session = session_of(course_of(pass_mark=70, attendance=80))
    people = [teller(name, bank.north) for name in ("wang", "zhao", "sun", "zhou", "wu")]
    came(session, people[0], 384, 60, 70)
    came(session, people[1], 383, 90)
    came(session, people[2], 480, 69)
    came(session, people[3], 0)
    came(session, people[4], 480)
    enrolment_of(session, bank.li, state="waiting", waits_since=NOW)

    close(session)

    found = Enrolment.objects.order_by("id").values_list("staff__number", "state", "concluded_on")
    assert list(found) == [
        ("wang", "passed", date(2026, 3, 11)),
        ("zhao", "failed", THAT_DAY),
        ("sun", "failed", THAT_DAY),
        ("zhou", "absent", THAT_DAY),
        ("wu", "failed", THAT_DAY),
        ("li", "cancelled", None),
    ]
    assert [notice.title["en"] for notice in Notice.objects.order_by("reader__username")] == [
        "There was no free seat: Complaints",
        "Not passed this time: Complaints",
        "You passed: Complaints",
        "Not passed this time: Complaints",
        "Not passed this time: Complaints",
        "You were not there: Complaints",
    ]
    held = Session.objects.get()
    assert (held.state, held.actual_cost, held.closed_at) == ("held", 120000, EVENING)


def test_without_a_test_presence_is_passing(bank: Bank) -> None:
    session = session_of(course_of(attendance=80))
    there = came(session, bank.li, 384)

    close(session)

    there.refresh_from_db()
    assert there.state == "passed"
    assert not Certificate.objects.exists()


def test_a_session_closed_again_changes_nothing(bank: Bank) -> None:
    session = session_of(course_of(certifies=True, valid_months=12))
    came(session, bank.li, 480)

    for cost in (120000, 999):
        close(session, actual_cost=cost)

    assert Certificate.objects.count() == 1
    assert Session.objects.get().actual_cost == 120000
    kinds = sorted(OutboxEvent.objects.values_list("kind", flat=True))
    assert kinds == ["training.certificate.issued", "training.course.completed"]
    assert Notice.objects.count() == 1
    assert AuditEntry.objects.filter(action="session.closed").count() == 1


def test_passing_gives_a_certificate_that_events_tell_of(bank: Bank) -> None:
    session = session_of(course_of("safety", certifies=True, valid_months=12, due_days=60))
    enrolment = came(session, bank.li, 480)

    close(session)

    certificate = Certificate.objects.get()
    assert (certificate.number, certificate.enrolment, certificate.version) == (
        "C-2026-000001", enrolment, session.version,
    )  # fmt: skip
    assert (certificate.issued_on, certificate.due_on, certificate.expires_on) == (
        THAT_DAY, date(2027, 1, 9), date(2027, 3, 10),
    )  # fmt: skip
    issued, completed = OutboxEvent.objects.order_by("kind").values_list("payload", flat=True)
    assert issued == {
        "certificate_id": certificate.pk, "staff_id": bank.li.pk, "course": "safety",
        "on": "2026-03-10", "title": {"en": "Safety"},
    }  # fmt: skip
    assert completed == {
        "enrolment_id": enrolment.pk, "external_id": None, "staff_id": bank.li.pk,
        "course": "safety", "on": "2026-03-10", "title": {"en": "Safety"},
    }  # fmt: skip


def test_passing_is_evidence_of_what_is_taught_but_lowers_nobody(bank: Bank) -> None:
    version, words, calm = course_of(), make_competency(), make_competency("emotion")
    for competency in (words, calm):
        Taught.objects.create(course=version.course, competency=competency, level=2)
    show(bank.li, calm, 3)
    enrolment = came(session_of(version), bank.li, 480)

    close(Session.objects.get())

    evidence = Evidence.objects.get(kind="course")
    assert (evidence.staff, evidence.competency, evidence.level, evidence.on) == (
        bank.li, words, 2, THAT_DAY,
    )  # fmt: skip
    assert evidence.reference == f"enrolment:{enrolment.pk}:communication"


def test_who_was_there_is_asked_how_it_was(bank: Bank) -> None:
    session = session_of(course_of(reaction="training-reaction"), unit=bank.north)
    came(session, bank.li, 480)
    absent = teller("wang", bank.north)
    came(session, absent, 0)

    close(session)

    engine = questionnaires()
    asked = {
        person.number: engine.link_of(
            subject=f"session:{session.pk}", person=f"staff:{person.pk}", now=EVENING
        )
        for person in (bank.li, absent)
    }
    assert asked["li"] is not None
    assert asked["wang"] is None
    results = engine.results_of(subject=f"session:{session.pk}", now=EVENING)
    assert results is not None
    assert results.asked == 1


def test_a_session_is_closed_even_when_its_questionnaire_is_gone(bank: Bank) -> None:
    session = session_of(course_of(reaction="no-such-questionnaire"), unit=bank.north)
    came(session, bank.li, 480)

    assert close(session).state == "held"
    assert questionnaires().results_of(subject=f"session:{session.pk}", now=EVENING) is None


def test_a_session_that_runs_or_was_called_off_is_not_closed(bank: Bank) -> None:
    session = session_of(course_of(certifies=True))
    came(session, bank.li, 480)

    with pytest.raises(Conflict):
        close(session, now=END - timedelta(seconds=1))
    with pytest.raises(InvalidInput):
        close(session, actual_cost=-1)
    Session.objects.update(state="cancelled")
    with pytest.raises(Conflict):
        close(session)

    assert not Certificate.objects.exists()
    assert Enrolment.objects.get().state == "enrolled"
    assert not Notice.objects.exists()


def test_a_manager_closes_at_the_own_branch_but_only_hr_where_certificates_come_of_it(
    bank: Bank,
) -> None:
    plain = session_of(course_of(), unit=bank.north)
    certified = session_of(course_of("safety", certifies=True), "s2", unit=bank.north)
    mei = bank.as_(bank.mei)

    with pytest.raises(NotPermitted):
        close(plain, by=bank.as_(bank.chen))
    with pytest.raises(NotPermitted):
        close(certified, by=mei)
    assert Session.objects.filter(state="planned").count() == 2

    assert close(plain, by=mei).state == "held"
    assert close(certified, by=bank.as_(bank.hua)).state == "held"


def test_attendance_and_attempts_stay_when_a_session_is_closed(bank: Bank) -> None:
    session = session_of(course_of(pass_mark=70))
    enrolment = came(session, bank.li, 480, 80)
    Attendance.objects.create(
        enrolment=enrolment, slot=session.slots.get(), minutes=480, recorded_at=NOW
    )

    close(session)

    assert Attendance.objects.count() == Attempt.objects.count() == 1


def test_nobody_closes_a_session_that_would_certify_themselves(bank: Bank) -> None:
    session = session_of(course_of(certifies=True))
    came(session, bank.hua, 480)

    with pytest.raises(NotPermitted):
        close(session, by=bank.as_(bank.hua))

    session.refresh_from_db()
    assert session.state == Session.State.PLANNED
    assert not Certificate.objects.exists()
    assert close(session).state == Session.State.HELD
