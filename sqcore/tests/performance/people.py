"""Plain makers for results of people: a branch of ten tellers, and answers with exact values.

Nine tellers get 4 and 6 in turn, one gets 3 and 5, each sixty times. With equal n all can be done
by hand: within 600 / 590, between .1 less a sixtieth of that, so that the ICC is .0755.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count as counting

import numpy as np

from sqcore.encounters.services import take_encounters
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal
from sqcore.org.models import Assignment, Post, Staff, Unit
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.performance.runs import evaluate_people
from sqcore.performance.sources import PersonAnswers, PersonMeasure
from sqcore.tests.encounters.factories import encounter
from sqcore.tests.factories import make_staff, make_user

ENDS_ON = date(2026, 3, 1)
STARTS_ON = date(2025, 3, 1)
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CARE = PersonMeasure("made/care", {"en": "Care"}, 1.0, 7.0, ({"en": "Kind?"},), is_overall=True)
USUAL, WEAK = (4.0, 6.0), (3.0, 5.0)
SIXTY = 60

NUMBERS = counting(1)


@dataclass(frozen=True)
class Answer:
    staff: int
    value: float
    on: date = date(2025, 6, 2)
    unit: int = 0
    channel: int = 0
    segment: int = 0
    encounter: str = ""
    number: int = field(default_factory=lambda: next(NUMBERS))


@dataclass
class MadeSource:
    """A person source of what a test puts into `rows`."""

    rows: list[Answer] = field(default_factory=list)
    key: str = "made"

    def measures(self) -> Sequence[PersonMeasure]:
        return [CARE]

    def collect(
        self, *, first: date, end: date, staff_ids: Collection[int] | None = None
    ) -> PersonAnswers:
        rows = [
            row
            for row in sorted(self.rows, key=lambda row: row.on)
            if first <= row.on < end and (staff_ids is None or row.staff in staff_ids)
        ]
        return PersonAnswers(
            measures=(CARE,),
            staff=np.array([row.staff for row in rows], dtype=np.int64),
            unit=np.array([row.unit for row in rows], dtype=np.int64),
            on=np.array([row.on for row in rows], dtype="datetime64[D]"),
            channel=np.array([row.channel for row in rows], dtype=np.int64),
            segment=np.array([row.segment for row in rows], dtype=np.int64),
            encounter=[row.encounter for row in rows],
            answer=np.array([row.number for row in rows], dtype=np.uint64),
            values=np.array([[row.value] for row in rows], dtype=np.float64).reshape(-1, 1),
        )

    def put(
        self, staff: Staff, values: Sequence[float], count: int = SIXTY, **over: object
    ) -> None:
        """Put so many answers about somebody, these values in turn."""
        self.rows += [
            Answer(staff.pk, values[at % len(values)], **over)  # type: ignore[arg-type]  # by name
            for at in range(count)
        ]


@dataclass
class Branch:
    """A unit with its tellers; the last of them is the weak one."""

    unit: Unit
    post: Post
    staff: list[Staff]

    @property
    def weak(self) -> Staff:
        return self.staff[-1]


def make_branch(unit: Unit, post: Post, people: int = 10) -> Branch:
    return Branch(unit, post, [hire(f"{unit.code}-{at}", unit, post) for at in range(people)])


def hire(number: str, unit: Unit, post: Post, *, user: User | None = None) -> Staff:
    staff = make_staff(number, user=user)
    Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=date(2020, 1, 1))
    return staff


def answer_all(source: MadeSource, branch: Branch) -> None:
    """Sixty answers about each: the usual ones, and those of the weak one."""
    for staff in branch.staff[:-1]:
        source.put(staff, USUAL)
    source.put(branch.weak, WEAK)


def evaluated(ends_on: date = ENDS_ON, now: datetime = NOW) -> ResultsRun:
    return evaluate_people(ends_on=ends_on, now=now)


def result(staff: Staff, run: ResultsRun | None = None) -> StaffResult:
    run = run or evaluated()
    return StaffResult.objects.get(run=run, staff=staff, measure=CARE.key)


def serve(staff: Staff, unit: Unit, key: str, *, at: datetime | None = None) -> None:
    """An encounter that was this person's alone."""
    arrived = at or datetime(2025, 6, 2, 2, 0, tzinfo=UTC)
    rows = [encounter(key, unit, at=arrived, shares={staff.pk: 10_000})]
    take_encounters(rows=rows, now=arrived + timedelta(days=1))


def principal_of(staff: Staff) -> Principal:
    """The staff member, logged in."""
    if staff.user is None:
        staff.user = make_user(f"u{staff.number}")
        staff.save()
    return Principal(f"user:{staff.user_id}", staff.name, {}, staff.user, staff.pk)


def decider(*more: Permission) -> Principal:
    """Ana, who decides disputes."""
    user = User.objects.filter(username="ana").first() or make_user("ana")
    permissions = dict.fromkeys((Permission.DECIDE_DISPUTES, *more), EVERYWHERE)
    return Principal(f"user:{user.pk}", user.name, permissions, user)
