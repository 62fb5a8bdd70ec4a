"""Certificates: how long they hold, once a source, renewal, revoking, records of other systems."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base import bus
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW, TODAY
from training.certificates.models import Certificate, Standing
from training.certificates.queries import (
    certificate_numbered,
    certificates_of,
    completions,
    expiring,
)
from training.certificates.rules import validity_of
from training.certificates.services import (
    issue_certificate,
    revoke_certificate,
    take_certificate,
)
from training.competencies.models import Evidence
from training.courses.models import CourseVersion
from training.courses.services import publish_version
from training.tests.factories import (
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


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def issue(bank: Bank, version: CourseVersion | None, on: date, **over: Any) -> Certificate:
    fields: dict[str, Any] = {"staff_id": bank.li.pk, "by": SYSTEM, "now": NOW}
    if version is not None:
        fields["course"] = version.course
    return issue_certificate(version=version, issued_on=on, **{**fields, **over})


@pytest.mark.parametrize(
    ("rules", "issued", "due", "ends"),
    [
        ({"valid_months": 12}, date(2026, 3, 2), date(2027, 1, 1), date(2027, 3, 2)),
        ({"valid_months": 1}, date(2026, 1, 31), date(2026, 1, 31), date(2026, 2, 28)),
        ({"valid_months": 24, "due_days": 0}, date(2024, 2, 29), date(2026, 2, 28),
         date(2026, 2, 28)),
        ({"valid_months": 12, "renewal": "calendar", "renewal_month": 12}, date(2026, 3, 2),
         date(2027, 11, 2), date(2028, 1, 1)),
        ({"valid_months": 12, "renewal": "calendar", "renewal_month": 3, "due_days": 90},
         date(2025, 11, 20), date(2026, 1, 1), date(2026, 4, 1)),
        ({"valid_months": 1, "renewal": "calendar", "renewal_month": 1, "due_days": 30},
         date(2026, 6, 10), date(2027, 1, 2), date(2027, 2, 1)),
        ({"valid_months": None}, date(2026, 3, 2), None, None),
    ],
    ids=str,
)  # fmt: skip
def test_how_long_a_certificate_holds(
    rules: dict[str, Any], issued: date, due: date | None, ends: date | None
) -> None:
    holds = validity_of(course_of(**rules), issued)

    assert (holds.due_on, holds.expires_on) == (due, ends)


def test_a_certificate_goes_from_valid_over_due_to_expired(bank: Bank) -> None:
    held = issue(bank, course_of(valid_months=12, due_days=60), date(2025, 3, 10))

    days = (date(2026, 1, 8), date(2026, 1, 9), date(2026, 3, 9), date(2026, 3, 10))
    assert [held.standing_on(day) for day in days] == [
        Standing.VALID, Standing.DUE, Standing.DUE, Standing.EXPIRED,
    ]  # fmt: skip


def test_numbers_rise_by_year_and_never_meet_a_given_one(bank: Bank) -> None:
    issue(bank, course_of("a"), date(2026, 1, 5), number="C-2026-000002")

    for code, on in (("b", date(2026, 1, 5)), ("c", date(2026, 2, 1)), ("d", date(2025, 7, 1))):
        issue(bank, course_of(code), on)

    assert list(Certificate.objects.order_by("id").values_list("number", flat=True)) == [
        "C-2026-000002", "C-2026-000001", "C-2026-000003", "C-2025-000001",
    ]  # fmt: skip


def test_each_source_gives_one_certificate(bank: Bank) -> None:
    version, on = course_of(certifies=True), date(2026, 3, 1)
    enrolment = enrolment_of(session_of(version), bank.li, state="passed")

    for source in (
        {"enrolment": enrolment}, {"external_key": "lms-1"}, {"number": "OLD-7"}, {},
    ):  # fmt: skip
        first = issue(bank, version, on, **source)
        assert issue(bank, version, on, **source) == first

    # The last one, without a source, is that of the same day.
    assert Certificate.objects.count() == 3
    assert OutboxEvent.objects.filter(kind="training.certificate.issued").count() == 3


def test_a_number_of_another_person_is_refused(bank: Bank) -> None:
    version = course_of()
    issue(bank, version, TODAY, number="C-1")

    with pytest.raises(Conflict):
        issue(bank, version, TODAY, number="C-1", staff_id=bank.chen.pk)

    assert Certificate.objects.count() == 1


def test_a_renewal_is_linked_to_what_it_renews(bank: Bank) -> None:
    version = course_of(valid_months=12)

    first = issue(bank, version, date(2025, 3, 1))
    second = issue(bank, version, date(2026, 2, 1))
    of_another = issue(bank, version, date(2026, 2, 2), staff_id=bank.chen.pk)

    assert (first.renews, second.renews, of_another.renews) == (None, first, None)
    assert certificates_of(bank.li.pk) == [second, first]


@pytest.mark.parametrize(
    ("on", "expires_on", "field"),
    [
        (TODAY + timedelta(days=1), None, "issued_on"),
        (date(1999, 12, 31), None, "issued_on"),
        (TODAY, TODAY, "expires_on"),
        (TODAY, date(2201, 1, 1), "expires_on"),
    ],
)
def test_impossible_days_are_refused_by_field(
    bank: Bank, on: date, expires_on: date | None, field: str
) -> None:
    version = course_of()

    with pytest.raises(InvalidInput) as refused:
        issue(bank, version, on, expires_on=expires_on)

    assert [p.field for p in refused.value.problems] == [field]
    assert not Certificate.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_only_who_runs_training_issues_and_never_to_oneself(bank: Bank) -> None:
    version = course_of()

    for person, staff in ((bank.mei, bank.li), (bank.hua, bank.hua)):
        with pytest.raises(NotPermitted):
            issue(bank, version, TODAY, by=bank.as_(person), staff_id=staff.pk)
    with pytest.raises(NotFound):
        issue(bank, version, TODAY, staff_id=0)

    assert not Certificate.objects.exists()
    assert issue(bank, version, TODAY, by=bank.as_(bank.hua)).issued_by == bank.hua.user


def test_a_version_that_replaces_older_ones_ends_their_certificates_that_day(bank: Bank) -> None:
    first = course_of(certifies=True, valid_months=24)
    long_ago = issue(bank, first, date(2025, 3, 1))
    nearly = issue(bank, first, date(2025, 6, 1), staff_id=bank.chen.pk, expires_on=TODAY)
    publish_version(
        course=first.course, outline="", minutes=480, pass_mark=None, attempts=3, attendance=80,
        certifies=True, valid_months=24, renewal="rolling", renewal_month=None, due_days=60,
        replaces_older=True, reaction="", by=bank.as_(bank.hua), now=NOW,
    )  # fmt: skip

    bus.drain(now=NOW)
    bus.drain(now=NOW)

    for held in (long_ago, nearly):
        held.refresh_from_db()
    assert (long_ago.due_on, long_ago.expires_on) == (TODAY, TODAY)
    assert (nearly.due_on, nearly.expires_on) == (date(2026, 1, 1), TODAY)
    late = issue(bank, first, date(2026, 2, 1), staff_id=teller("wang", bank.north).pk)
    assert late.expires_on == TODAY
    newest = first.course.versions.get(number=2)
    assert issue(bank, newest, TODAY).expires_on == date(2028, 3, 2)


def test_a_certificate_is_revoked_once_with_its_evidence(bank: Bank) -> None:
    version = course_of(certifies=True)
    enrolment = enrolment_of(session_of(version), bank.li, state="passed")
    held = issue(bank, version, TODAY, enrolment=enrolment)
    for code, reference in (("words", f"enrolment:{enrolment.pk}:words"), ("calm", "other:1")):
        show(bank.li, make_competency(code), 2, kind="course", reference=reference)
    hua = bank.as_(bank.hua)

    for why in ("Copied the test", "Again"):
        revoke_certificate(certificate_id=held.pk, why=why, by=hua, now=NOW)

    held.refresh_from_db()
    assert (held.revoked_at, held.revoked_by, held.revoked_why) == (
        NOW, bank.hua.user, "Copied the test",
    )  # fmt: skip
    assert held.standing_on(TODAY) == Standing.REVOKED
    assert [each.reference for each in Evidence.objects.counted()] == ["other:1"]
    told = Notice.objects.get()
    assert (told.reader, told.title["en"]) == (
        bank.li.user, "A certificate was taken back: Complaints",
    )  # fmt: skip
    assert OutboxEvent.objects.filter(kind="training.certificate.revoked").count() == 1


def test_revoking_needs_the_right_and_a_reason(bank: Bank) -> None:
    held = issue(bank, course_of(), TODAY)

    for person, refusal in ((bank.mei, NotPermitted), (bank.chen, NotFound)):
        with pytest.raises(refusal):
            revoke_certificate(certificate_id=held.pk, why="No", by=bank.as_(person), now=NOW)
    with pytest.raises(InvalidInput):
        revoke_certificate(certificate_id=held.pk, why=" ", by=bank.as_(bank.hua), now=NOW)

    held.refresh_from_db()
    assert held.revoked_at is None
    assert not Notice.objects.exists()


def take(by: Principal = SYSTEM, **over: Any) -> tuple[Certificate, bool]:
    fields: dict[str, Any] = {
        "external_key": "lms-1",
        "staff_number": "li",
        "course_code": "complaints",
        "issued_on": date(2026, 1, 10),
    }
    return take_certificate(**{**fields, **over}, by=by, now=NOW)


def test_a_record_sent_again_is_the_same_certificate_with_its_newest_days(bank: Bank) -> None:
    course_of(certifies=True, valid_months=12)

    first, is_new = take()
    same, again = take()
    changed, later = take(issued_on=date(2026, 1, 11), expires_on=date(2026, 12, 31))

    assert (is_new, again, later) == (True, False, False)
    assert first == same == changed
    held = Certificate.objects.get()
    assert (held.issued_on, held.expires_on, held.due_on) == (
        date(2026, 1, 11), date(2026, 12, 31), date(2026, 11, 1),
    )  # fmt: skip
    acts = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(acts) == ["certificate.issued", "certificate.changed"]


def test_a_key_never_changes_its_person_and_a_revoked_record_stays(bank: Bank) -> None:
    course_of()
    held, _is_new = take()

    with pytest.raises(Conflict):
        take(staff_number="chen")
    revoke_certificate(certificate_id=held.pk, why="Wrong", by=SYSTEM, now=NOW)
    with pytest.raises(Conflict):
        take(issued_on=date(2026, 2, 1))

    assert Certificate.objects.get().issued_on == date(2026, 1, 10)


def test_unknown_people_courses_and_keys_are_refused_by_field(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refused:
        take(staff_number="nobody", course_code="nothing", external_key="")
    assert {p.field for p in refused.value.problems} == {"staff", "course", "external_key"}

    course_of()
    with pytest.raises(InvalidInput) as hidden:
        take(by=bank.as_(bank.mei))

    assert [p.field for p in hidden.value.problems] == ["staff"]
    assert not Certificate.objects.exists()


def test_what_ends_soon_and_was_not_renewed(bank: Bank, django_assert_num_queries: Any) -> None:
    version = course_of(valid_months=12)
    soon = issue(bank, version, date(2025, 4, 1))
    issue(bank, course_of("calm", valid_months=12), date(2025, 4, 1))
    issue(bank, course_of("calm", valid_months=12), date(2026, 2, 1))
    issue(bank, version, date(2025, 9, 1), staff_id=bank.chen.pk)
    hua, chen = bank.as_(bank.hua), bank.as_(bank.chen)

    with django_assert_num_queries(1):
        found = [(str(each.course), each.staff.number) for each in expiring(hua, on=TODAY, days=60)]

    assert found == [("Complaints", "li")]
    assert list(expiring(hua, on=TODAY, days=29)) == []
    assert list(expiring(chen, on=TODAY, days=60)) == []
    assert certificate_numbered(hua, soon.number, on=TODAY) == soon
    with pytest.raises(NotFound):
        certificate_numbered(chen, soon.number, on=TODAY)


def test_completions_take_three_queries_and_say_until_when(
    bank: Bank, django_assert_num_queries: Any
) -> None:
    safety, plain = course_of("safety", certifies=True, valid_months=12), course_of("plain")
    issue(bank, safety, date(2025, 6, 1))
    issue(bank, safety, date(2024, 1, 1), staff_id=bank.chen.pk)
    for staff, state in ((bank.li, "passed"), (bank.chen, "failed")):
        enrolment_of(session_of(plain, f"p-{staff.number}"), staff, state=state, concluded_on=TODAY)
    enrolment_of(session_of(safety, "s"), bank.chen, state="passed", concluded_on=TODAY)
    courses = [safety.course_id, plain.course_id]

    with django_assert_num_queries(3):
        found = completions(None, courses, on=TODAY)

    li = bank.li.pk
    assert found == {(li, safety.course_id): date(2026, 6, 1), (li, plain.course_id): None}
    assert completions([bank.chen.pk], courses, on=TODAY) == {}


def test_the_day_of_issue_is_the_day_of_the_organisation(bank: Bank) -> None:
    """Late in the evening in London it is tomorrow in Shanghai."""
    late = datetime(2026, 3, 2, 20, 0, tzinfo=timezone(timedelta(0)))

    assert issue(bank, course_of(), date(2026, 3, 3), now=late).issued_on == date(2026, 3, 3)


def test_nobody_sends_a_certificate_of_their_own(bank: Bank) -> None:
    course_of(certifies=True)

    with pytest.raises(NotPermitted):
        take(by=bank.as_(bank.hua), staff_number="hua")

    assert not Certificate.objects.exists()


def test_a_certificate_of_somebody_elses_enrolment_is_refused(bank: Bank) -> None:
    version = course_of(certifies=True)
    enrolment = enrolment_of(session_of(version), bank.mei)

    with pytest.raises(Conflict):
        issue(bank, version, TODAY, enrolment=enrolment)

    assert not Certificate.objects.exists()


def test_an_old_record_does_not_outlive_the_version_that_took_its_place(bank: Bank) -> None:
    old = course_of(certifies=True, valid_months=36, published_at=NOW - timedelta(days=400))
    replaced_at = NOW - timedelta(days=100)
    course_of(certifies=True, valid_months=36, replaces_older=True, published_at=replaced_at)

    held, _is_new = take(issued_on=TODAY - timedelta(days=200))
    newer, _is_new = take(external_key="lms-2", issued_on=TODAY - timedelta(days=50))

    assert (held.version, held.expires_on) == (old, TODAY - timedelta(days=100))
    assert newer.standing_on(TODAY) == Standing.VALID
