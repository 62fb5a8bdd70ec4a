"""Plain makers for the tests of training: a bank with its people, and what they can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Post, Staff, Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import (
    NOW,
    TODAY,
    give_role,
    make_post,
    make_staff,
    make_unit,
    make_user,
)
from training.competencies.models import Competency, Evidence, RequiredLevel
from training.courses.models import Course, CourseVersion, Session, Slot
from training.enrolments.models import Enrolment


@dataclass
class Bank:
    """A bank with the branches north and south: Mei manages the north, Li (agent) is a teller
    there, Chen manages the south, Hua is HR. Each is also a staff member."""

    bank: Unit
    north: Unit
    south: Unit
    teller: Post
    mei: Staff
    li: Staff
    chen: Staff
    hua: Staff

    def as_(self, person: Staff, *, on: date = TODAY) -> Principal:
        """The person as a principal with their roles of this day."""
        assert person.user is not None
        return principal_for(person.user, on=on)


def make_bank() -> Bank:
    bank = make_unit("bank")
    north, south = make_unit("north", parent=bank), make_unit("south", parent=bank)
    teller, manager = make_post("teller"), make_post("manager")
    mei, li, chen, hua = (_known(name) for name in ("mei", "li", "chen", "hua"))
    for person, unit, post, role in (
        (mei, north, manager, Role.MANAGER),
        (li, north, teller, Role.STAFF),
        (chen, south, manager, Role.MANAGER),
    ):
        assign(person, unit, post)
        give_role(_user(person), role, unit)
    give_role(_user(hua), Role.HR)
    return Bank(bank, north, south, teller, mei, li, chen, hua)


def _known(name: str) -> Staff:
    return make_staff(name, user=make_user(name))


def _user(person: Staff) -> User:
    assert person.user is not None
    return person.user


def assign(staff: Staff, unit: Unit, post: Post, *, on: date = date(2020, 1, 1)) -> Assignment:
    return Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=on)


def make_competency(code: str = "communication", **over: Any) -> Competency:
    fields: dict[str, Any] = {"name": {"en": code.replace("-", " ").capitalize()}}
    return Competency.objects.create(code=code, **{**fields, **over})


def require(post: Post, competency: Competency, level: int) -> RequiredLevel:
    return RequiredLevel.objects.create(
        post=post, competency=competency, level=level, valid_from=date(2020, 1, 1)
    )


def show(staff: Staff, competency: Competency, level: int, **over: Any) -> Evidence:
    """Evidence of this level: an assessment of the first of January 2026 unless told otherwise."""
    fields: dict[str, Any] = {
        "kind": Evidence.Kind.ASSESSMENT,
        "on": date(2026, 1, 1),
        "recorded_at": NOW,
    }
    return Evidence.objects.create(
        staff=staff, competency=competency, level=level, **{**fields, **over}
    )


Times = Sequence[tuple[datetime, datetime]]
A_DAY = (datetime(2026, 3, 10, 1, 0, tzinfo=UTC), datetime(2026, 3, 10, 9, 0, tzinfo=UTC))
"""Nine to five in Shanghai on the tenth of March 2026: 480 minutes."""


def post_named(code: str) -> Post:
    found = Post.objects.filter(code=code).first()
    return found or make_post(code)


def teller(number: str, unit: Unit) -> Staff:
    """A teller with a log-in who works at this unit."""
    person = _known(number)
    assign(person, unit, post_named("teller"))
    give_role(_user(person), Role.STAFF, unit)
    return person


def course_of(code: str = "complaints", *, is_open: bool = False, **over: Any) -> CourseVersion:
    """A course of a day and its next version: no test, no certificate, unless told otherwise."""
    course, _is_new = Course.objects.get_or_create(
        code=code, defaults={"name": {"en": code.capitalize()}, "is_open": is_open}
    )
    fields: dict[str, Any] = {
        "number": course.versions.count() + 1,
        "minutes": 480,
        "published_at": NOW,
    }
    return CourseVersion.objects.create(course=course, **{**fields, **over})


def session_of(
    version: CourseVersion, code: str = "s1", *, slots: Times = (A_DAY,), **over: Any
) -> Session:
    """A planned session of ten seats on the tenth of March 2026 unless told otherwise."""
    fields: dict[str, Any] = {
        "mode": "classroom",
        "capacity": 10,
        "starts_on": min(start for start, _end in slots).date(),
        "ends_on": max(end for _start, end in slots).date(),
        "created_at": NOW,
    }
    session = Session.objects.create(code=code, version=version, **{**fields, **over})
    Slot.objects.bulk_create(
        Slot(session=session, starts_at=start, ends_at=end) for start, end in slots
    )
    return session


def enrolment_of(session: Session, staff: Staff, **over: Any) -> Enrolment:
    fields: dict[str, Any] = {"origin": Enrolment.Origin.MANAGER, "enrolled_at": NOW}
    return Enrolment.objects.create(session=session, staff=staff, **{**fields, **over})
