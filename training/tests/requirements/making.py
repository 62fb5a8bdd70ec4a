"""Makers for what is required: courses, rules, certificates, passes."""

from datetime import date
from typing import Any

from sqcore.org.models import Staff
from sqcore.tests.factories import NOW
from training.certificates.models import Certificate
from training.courses.models import Course, CourseVersion, Mode, Session
from training.enrolments.models import Enrolment
from training.requirements.models import Requirement


def course(code: str = "fire-safety", *, certifies: bool = True, **over: Any) -> Course:
    """A course with one published version; its certificate holds twelve months."""
    made = Course.objects.create(code=code, name={"en": code.replace("-", " ").capitalize()})
    version(made, certifies=certifies, **over)
    return made


def version(of: Course, **over: Any) -> CourseVersion:
    fields: dict[str, Any] = {"minutes": 60, "certifies": True, "published_at": NOW}
    number = of.versions.count() + 1
    if over.get("certifies", True):
        fields["valid_months"] = 12
    return CourseVersion.objects.create(course=of, number=number, **{**fields, **over})


def rule(of: Course, **over: Any) -> Requirement:
    """Everybody, within 30 days from the first of January 2026, unless told otherwise."""
    fields: dict[str, Any] = {"within_days": 30, "valid_from": date(2026, 1, 1)}
    return Requirement.objects.create(course=of, **{**fields, **over})


def hold(staff: Staff, of: Course, issued: date, expires: date | None = None) -> Certificate:
    return Certificate.objects.create(
        number=f"C-{Certificate.objects.count() + 1}",
        staff=staff,
        course=of,
        issued_on=issued,
        expires_on=expires,
        issued_at=NOW,
    )


def session(of: CourseVersion, on: date) -> Session:
    return Session.objects.create(
        code=f"s-{Session.objects.count() + 1}",
        version=of,
        mode=Mode.CLASSROOM,
        capacity=20,
        state=Session.State.HELD,
        starts_on=on,
        ends_on=on,
        created_at=NOW,
        closed_at=NOW,
    )


def passed(staff: Staff, of: CourseVersion, on: date, **over: Any) -> Enrolment:
    fields: dict[str, Any] = {
        "state": Enrolment.State.PASSED,
        "origin": Enrolment.Origin.MANAGER,
        "concluded_on": on,
        "enrolled_at": NOW,
    }
    return Enrolment.objects.create(session=session(of, on), staff=staff, **{**fields, **over})
