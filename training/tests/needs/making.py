"""Makers for the tests of training needs: results of a run, courses and sessions."""

from datetime import date, datetime, timedelta
from typing import Any

from sqcore.org.models import Staff
from sqcore.performance.models import ResultsPolicy, ResultsRun, StaffResult
from sqcore.tests.factories import NOW, TODAY
from training.certificates.models import Certificate
from training.competencies.models import Competency
from training.courses.models import Course, CourseVersion, Session, Slot, Taught
from training.tests.factories import Bank


def make_run(*, ends_on: date = date(2026, 3, 1), **over: Any) -> ResultsRun:
    policy, _is_new = ResultsPolicy.objects.get_or_create(
        number=1, defaults={"valid_from": date(2025, 1, 1), "made_at": NOW}
    )
    return ResultsRun.objects.create(
        ends_on=ends_on, policy=policy, input_hash="0", result_hash="0", computed_at=NOW,
        **over,
    )  # fmt: skip


def make_result(bank: Bank, run: ResultsRun, staff: Staff, **over: Any) -> StaffResult:
    """A low result that may be used for coaching: half a point below, sure by 0.98."""
    fields: dict[str, Any] = {
        "unit": bank.north,
        "post": bank.teller,
        "measure": "servqual/assurance",
        "starts_on": date(2025, 3, 1),
        "n": 60,
        "estimate": 3.5,
        "centre": 4.0,
        "probability_low": 0.98,
        "verdict": StaffResult.Verdict.LOW,
        "gate": StaffResult.Gate.COACHING,
    }
    return StaffResult.objects.create(run=run, staff=staff, **{**fields, **over})


def make_course_version(
    code: str = "talking", *, teaches: Competency | None = None, level: int = 2
) -> CourseVersion:
    course, _is_new = Course.objects.get_or_create(
        code=code, defaults={"name": {"en": code.title()}}
    )
    if teaches is not None:
        Taught.objects.create(course=course, competency=teaches, level=level)
    return CourseVersion.objects.create(
        course=course, number=course.versions.count() + 1, minutes=60, published_at=NOW
    )


def make_session(version: CourseVersion, bank: Bank, **over: Any) -> Session:
    """One hour in a week, with ten seats."""
    day = over.pop("on", TODAY + timedelta(days=7))
    fields: dict[str, Any] = {
        "code": f"{version.course.code}-{Session.objects.count() + 1}",
        "mode": "classroom",
        "unit": bank.bank,
        "capacity": 10,
        "starts_on": day,
        "ends_on": day,
        "created_at": NOW,
    }
    session = Session.objects.create(version=version, **{**fields, **over})
    begins = datetime(day.year, day.month, day.day, 9, tzinfo=NOW.tzinfo)
    Slot.objects.create(session=session, starts_at=begins, ends_at=begins + timedelta(hours=1))
    return session


def make_certificate(staff: Staff, course: Course, *, expires_on: date | None) -> Certificate:
    return Certificate.objects.create(
        number=f"C-{Certificate.objects.count() + 1}",
        staff=staff,
        course=course,
        issued_on=date(2025, 1, 1),
        expires_on=expires_on,
        issued_at=NOW,
    )
