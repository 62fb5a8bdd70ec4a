"""Courses, their versions, what they need and teach, and planning sessions."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import Principal
from sqcore.tests.factories import NOW
from training.courses.models import (
    Course,
    CourseVersion,
    Prerequisite,
    Programme,
    Session,
    Slot,
    Taught,
)
from training.courses.queries import (
    courses_seen_by,
    newest_version,
    programmes,
    session_named,
    sessions_ahead,
)
from training.courses.services import (
    plan_session,
    publish_version,
    save_course,
    save_programme,
    set_prerequisites,
    set_taught,
)
from training.tests.factories import A_DAY, Bank, course_of, make_bank, make_competency, session_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def save(by: Principal, code: str = "complaints", **over: Any) -> Course:
    fields: dict[str, Any] = {
        "name": {"en": "Handling complaints", "zh-hans": "投诉处理"},
        "description": {},
        "mode": "classroom",
        "is_open": False,
    }
    return save_course(code=code, **{**fields, **over}, by=by, now=NOW)


def publish(course: Course, by: Principal, **over: Any) -> CourseVersion:
    fields: dict[str, Any] = {
        "outline": "Listen, apologise, solve.",
        "minutes": 480,
        "pass_mark": 70,
        "attempts": 3,
        "attendance": 80,
        "certifies": True,
        "valid_months": 12,
        "renewal": "rolling",
        "renewal_month": None,
        "due_days": 60,
        "replaces_older": False,
        "reaction": "training-reaction",
    }
    return publish_version(course=course, **{**fields, **over}, by=by, now=NOW)


def plan(bank: Bank, by: Principal, version: CourseVersion, **over: Any) -> Session:
    fields: dict[str, Any] = {
        "code": "complaints-march",
        "mode": "classroom",
        "unit": bank.north,
        "place": "Room 2",
        "trainer": None,
        "provider": "",
        "capacity": 12,
        "slots": [A_DAY],
        "enrol_until": date(2026, 3, 9),
        "planned_cost": 150000,
    }
    return plan_session(version=version, **{**fields, **over}, by=by, now=NOW)


def test_hr_adds_a_course_and_changes_it(bank: Bank) -> None:
    hua = bank.as_(bank.hua)

    save(hua)
    save(hua, mode="online", is_open=True)

    course = Course.objects.get()
    assert (course.code, course.mode, course.is_open) == ("complaints", "online", True)
    assert AuditEntry.objects.filter(action="course.saved").count() == 2


def test_only_who_runs_training_everywhere_changes_courses(bank: Bank) -> None:
    with pytest.raises(NotPermitted):
        save(bank.as_(bank.mei))

    assert not Course.objects.exists()


def test_a_course_without_name_or_with_a_strange_mode_is_refused_by_field(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refused:
        save(bank.as_(bank.hua), name={}, mode="dream", code="no spaces")

    assert {p.field for p in refused.value.problems} == {"name", "mode", "code"}
    assert not Course.objects.exists()


def test_a_published_version_stays_and_a_change_is_the_next_one(bank: Bank) -> None:
    hua = bank.as_(bank.hua)
    course = save(hua)

    first = publish(course, hua)
    again = publish(course, hua)
    second = publish(course, hua, pass_mark=80)

    assert (first.number, again.pk, second.number) == (1, first.pk, 2)
    assert list(course.versions.values_list("number", "pass_mark")) == [(1, 70), (2, 80)]
    assert newest_version(course) == second
    assert OutboxEvent.objects.filter(kind="training.course.version-published").count() == 2


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"pass_mark": 101}, "pass_mark"),
        ({"attendance": 150}, "attendance"),
        ({"attempts": 0}, "attempts"),
        ({"minutes": 0}, "minutes"),
        ({"renewal": "calendar"}, "renewal_month"),
        ({"renewal": "calendar", "renewal_month": 3, "valid_months": None}, "valid_months"),
        ({"renewal_month": 13}, "renewal_month"),
        ({"renewal": "sometimes"}, "renewal"),
    ],
)
def test_a_version_that_makes_no_sense_is_refused_by_field(
    bank: Bank, over: dict[str, Any], field: str
) -> None:
    hua = bank.as_(bank.hua)
    course = save(hua)

    with pytest.raises(InvalidInput) as refused:
        publish(course, hua, **over)

    assert [p.field for p in refused.value.problems] == [field]
    assert not CourseVersion.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_courses_never_need_each_other_in_a_circle(bank: Bank) -> None:
    hua = bank.as_(bank.hua)
    basics, middle, advanced = (save(hua, code) for code in ("basics", "middle", "advanced"))
    set_prerequisites(course=advanced, needs=[middle], by=hua, now=NOW)
    set_prerequisites(course=middle, needs=[basics], by=hua, now=NOW)

    with pytest.raises(InvalidInput) as refused:
        set_prerequisites(course=basics, needs=[advanced], by=hua, now=NOW)
    with pytest.raises(InvalidInput):
        set_prerequisites(course=basics, needs=[basics], by=hua, now=NOW)

    assert refused.value.message == (
        "These courses would need each other in a circle: basics → advanced → middle → basics."
    )
    assert Prerequisite.objects.count() == 2


def test_prerequisites_are_replaced_by_those_named(bank: Bank) -> None:
    hua = bank.as_(bank.hua)
    basics, other, advanced = (save(hua, code) for code in ("basics", "other", "advanced"))

    set_prerequisites(course=advanced, needs=[basics, other], by=hua, now=NOW)
    set_prerequisites(course=advanced, needs=[other], by=hua, now=NOW)
    set_prerequisites(course=advanced, needs=[other], by=hua, now=NOW)

    assert list(advanced.prerequisites.values_list("needs__code", flat=True)) == ["other"]
    assert AuditEntry.objects.filter(action="course.prerequisites_set").count() == 2


def test_a_course_teaches_levels_of_competencies(bank: Bank) -> None:
    hua = bank.as_(bank.hua)
    course, calm, words = save(hua), make_competency("emotion"), make_competency()

    set_taught(course=course, levels={calm: 2, words: 3}, by=hua, now=NOW)
    set_taught(course=course, levels={words: 2}, by=hua, now=NOW)
    with pytest.raises(InvalidInput):
        set_taught(course=course, levels={words: 5}, by=hua, now=NOW)

    assert list(Taught.objects.values_list("competency__code", "level")) == [("communication", 2)]


def test_a_programme_keeps_its_courses_in_order(bank: Bank) -> None:
    hua = bank.as_(bank.hua)
    first, second = save(hua, "basics"), save(hua, "advanced")
    new = {"code": "teller-start", "name": {"en": "Start"}, "description": {}}

    save_programme(**new, courses=[first, second], by=hua, now=NOW)  # type: ignore[arg-type]
    save_programme(**new, courses=[second, first], by=hua, now=NOW)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        save_programme(**new, courses=[first, first], by=hua, now=NOW)  # type: ignore[arg-type]

    programme = programmes().get()
    assert [place.course.code for place in programme.places.all()] == ["advanced", "basics"]
    assert Programme.objects.count() == 1


def test_a_manager_plans_a_session_at_the_own_branch(bank: Bank) -> None:
    session = plan(bank, bank.as_(bank.mei), course_of())

    assert (session.starts_on, session.ends_on) == (date(2026, 3, 10), date(2026, 3, 10))
    assert list(session.slots.values_list("starts_at", "ends_at")) == [A_DAY]
    assert (session.state, session.planned_cost, session.created_by) == (
        "planned", 150000, bank.mei.user,
    )  # fmt: skip


def test_a_session_of_another_branch_or_of_all_is_not_planned_by_a_manager(bank: Bank) -> None:
    version = course_of()

    with pytest.raises(NotPermitted):
        plan(bank, bank.as_(bank.chen), version)
    with pytest.raises(NotPermitted):
        plan(bank, bank.as_(bank.mei), version, unit=None)

    assert not Session.objects.exists()
    assert plan(bank, bank.as_(bank.hua), version, unit=None).unit is None


START, END = A_DAY
YEARS_LATER = (START + timedelta(days=900), END + timedelta(days=900))


@pytest.mark.parametrize(
    ("over", "field", "row"),
    [
        ({"slots": []}, "slots", None),
        ({"slots": [(END, START)]}, "slots", 1),
        ({"slots": [A_DAY, (START, START + timedelta(hours=30))]}, "slots", 2),
        ({"slots": [A_DAY, (START + timedelta(hours=1), END)]}, "slots", None),
        ({"slots": [A_DAY, YEARS_LATER]}, "slots", None),
        ({"slots": [(datetime(1026, 3, 10, tzinfo=UTC), END)]}, "slots", 1),
        ({"enrol_until": date(2026, 3, 11)}, "enrol_until", None),
        ({"capacity": 0}, "capacity", None),
        ({"planned_cost": -1}, "planned_cost", None),
        ({"mode": "dream"}, "mode", None),
    ],
)  # fmt: skip
def test_impossible_sessions_are_refused_by_field(
    bank: Bank, over: dict[str, Any], field: str, row: int | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan(bank, bank.as_(bank.hua), course_of(), **over)

    assert [(p.field, p.row) for p in refused.value.problems] == [(field, row)]
    assert not Session.objects.exists()
    assert not Slot.objects.exists()


def test_a_trainer_holds_one_session_at_a_time(bank: Bank) -> None:
    version = course_of()
    session_of(version, trainer=bank.chen)

    with pytest.raises(InvalidInput) as refused:
        plan(bank, bank.as_(bank.hua), version, trainer=bank.chen)

    assert [p.field for p in refused.value.problems] == ["trainer"]
    assert Session.objects.count() == 1


def test_a_closed_branch_a_taken_code_and_a_course_not_offered_are_refused(bank: Bank) -> None:
    hua, version = bank.as_(bank.hua), course_of()
    plan(bank, hua, version)
    bank.south.closed_on = date(2026, 3, 1)
    bank.south.save()

    with pytest.raises(InvalidInput) as refused:
        plan(bank, hua, version, unit=bank.south, code="other")
    with pytest.raises(Conflict):
        plan(bank, hua, version)
    version.course.is_active = False
    version.course.save()
    with pytest.raises(Conflict):
        plan(bank, hua, version, code="third")

    assert [p.field for p in refused.value.problems] == ["unit"]
    assert Session.objects.count() == 1


def test_the_catalogue_takes_four_queries_and_the_sessions_ahead_two(
    bank: Bank, django_assert_num_queries: Any
) -> None:
    li = bank.as_(bank.li)
    for code in ("basics", "middle", "advanced"):
        session_of(course_of(code), f"{code}-1")

    with django_assert_num_queries(4):
        catalogue = [
            (each.code, [v.number for v in each.versions.all()], list(each.teaches.all()))
            for each in courses_seen_by(li)
        ]
    with django_assert_num_queries(2):
        ahead = [
            (str(each.version.course), len(each.slots.all()))
            for each in sessions_ahead(li, on=date(2026, 3, 10))
        ]

    assert [code for code, _numbers, _levels in catalogue] == ["advanced", "basics", "middle"]
    assert ahead == [("Basics", 1), ("Middle", 1), ("Advanced", 1)]
    assert list(sessions_ahead(li, on=date(2026, 3, 11))) == []
    assert session_named(li, "basics-1").version.course.code == "basics"
