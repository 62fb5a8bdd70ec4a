"""A bank of 60 tellers about whom customers say things, a course, and who went to it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Staff, Unit
from sqcore.org.queries import principal_for
from sqcore.performance.sources import PersonAnswers, PersonMeasure
from sqcore.tests.factories import NOW, TODAY, give_role, make_post, make_unit, make_user
from training.courses.models import Course, CourseVersion, Session
from training.enrolments.models import Attempt, Enrolment

CARE = "talk/care"
SELECTED = (date(2025, 6, 1), date(2025, 11, 1))
BEFORE = (date(2025, 11, 1), date(2026, 3, 1))
AFTER = (date(2026, 4, 1), date(2026, 8, 1))
STAFF = 60
# The lot and the answers follow from the ids: they are given here, not by the database.
FIRST_ID = 700_001
LOT = 20_260_301


@dataclass
class Said:
    """What customers said, as a source of results of people: 20 answers a window and person.

    `levels`: the true result by person; `moved`: added to the answers from AFTER on.
    """

    levels: dict[int, float]
    moved: dict[int, float] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)
    key: str = "talk"

    def measures(self) -> Sequence[PersonMeasure]:
        return [PersonMeasure(CARE, {"en": "Care", "zh-hans": "关心"}, 1, 7, ({"en": "Cared?"},))]

    def collect(
        self, *, first: date, end: date, staff_ids: Collection[int] | None = None
    ) -> PersonAnswers:
        rows = [
            (staff_id, on, self._value(staff_id, on, number))
            for staff_id in self.levels
            if staff_ids is None or staff_id in staff_ids
            for window in (SELECTED, BEFORE, AFTER)
            for number, on in enumerate(self._days(*window))
            if first <= on < end and not (window == AFTER and staff_id in self.silent)
        ]
        rows.sort(key=lambda row: row[1])
        n = len(rows)
        return PersonAnswers(
            measures=tuple(self.measures()),
            staff=np.array([row[0] for row in rows], dtype=np.int64),
            unit=np.zeros(n, np.int64),
            on=np.array([row[1] for row in rows], dtype="datetime64[D]"),
            channel=np.zeros(n, np.int64),
            segment=np.zeros(n, np.int64),
            encounter=[""] * n,
            answer=np.array(
                [hash((row[0], row[1].toordinal(), at)) for at, row in enumerate(rows)]
            ).astype(np.uint64),
            values=np.array([[row[2]] for row in rows], dtype=np.float64).reshape(n, 1),
        )

    @staticmethod
    def _days(first: date, end: date) -> list[date]:
        step = (end - first) / 20
        return [first + number * step for number in range(20)]

    def _value(self, staff_id: int, on: date, number: int) -> float:
        # Two answers below, two above, so that the mean of a window is nearly the level.
        wave = (-1.0, 1.0, -0.5, 0.5)[(number + staff_id) % 4]
        moved = self.moved.get(staff_id, 0.0) if on >= AFTER[0] else 0.0
        month = 0.02 * ((staff_id * 7 + on.month) % 5 - 2)
        return self.levels[staff_id] + wave + moved + month


@dataclass
class Bank:
    north: Unit
    staff: list[Staff]
    course: Course
    said: Said
    hua: User
    mei: User
    li: User

    def as_(self, user: User, *, on: date = TODAY) -> Principal:
        return principal_for(user, on=on)


def make_bank(register: Callable[[Said], object]) -> Bank:
    """Tellers 0 to 59, each a little better than the one before; HR Hua, manager Mei, agent Li."""
    north, teller = make_unit("north"), make_post()
    staff = Staff.objects.bulk_create(
        Staff(pk=FIRST_ID + n, number=f"{n:03}", name=f"Teller {n}", joined_on=date(2020, 1, 1))
        for n in range(STAFF)
    )
    Assignment.objects.bulk_create(
        Assignment(staff=each, unit=north, post=teller, valid_from=date(2020, 1, 1))
        for each in staff
    )
    said = Said({each.pk: 4.5 + 0.02 * n for n, each in enumerate(staff)})
    register(said)
    hua, mei, li = (make_user(name) for name in ("hua", "mei", "li"))
    give_role(hua, Role.HR)
    give_role(mei, Role.MANAGER, north)
    give_role(li, Role.STAFF, north)
    return Bank(north, staff, make_course(), said, hua, mei, li)


def make_course(code: str = "listening") -> Course:
    course = Course.objects.create(code=code, name={"en": code.title()})
    CourseVersion.objects.create(course=course, number=1, minutes=120, published_at=NOW)
    return course


def make_session(course: Course, code: str, *, on: date = date(2026, 3, 10)) -> Session:
    return Session.objects.create(
        code=code, version=course.versions.get(), mode="classroom", capacity=30, starts_on=on,
        ends_on=on + timedelta(days=1), created_at=NOW,
    )  # fmt: skip


def make_enrolment(session: Session, staff: Staff, **over: Any) -> Enrolment:
    fields: dict[str, Any] = {"state": "enrolled", "origin": "manager", "enrolled_at": NOW}
    return Enrolment.objects.create(session=session, staff=staff, **{**fields, **over})


def make_attempts(enrolment: Enrolment, **scores: Sequence[float]) -> None:
    """Record the scores of each kind in their order: before=[40], test=[60, 80]."""
    for kind, found in scores.items():
        for number, score in enumerate(found, 1):
            Attempt.objects.create(
                enrolment=enrolment, kind=kind, number=number, score=score, on=TODAY,
                recorded_at=NOW,
            )  # fmt: skip
