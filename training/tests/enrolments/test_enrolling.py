"""Enrolling: who may, seats and the waiting list, what stands against it, changes and the end."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.identity.principals import system_principal
from sqcore.notices.models import Notice
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW
from training.certificates.models import Certificate
from training.courses.models import CourseVersion, Prerequisite, Session
from training.enrolments.models import Enrolment
from training.enrolments.queries import my_enrolments, roster, seats, sessions_listed
from training.enrolments.services import (
    cancel_enrolment,
    cancel_session,
    change_session,
    enrol,
    release_leavers,
    tell_of_unclosed,
)
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    session_of,
    teller,
)

pytestmark = pytest.mark.django_db

SYSTEM = system_principal("test")
START, END = A_DAY


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def put(session: Session, staff: Staff, *, now: datetime = NOW) -> Enrolment:
    return enrol(session_id=session.pk, staff_id=staff.pk, origin="manager", by=SYSTEM, now=now)


def told(person: Staff) -> list[str]:
    """The titles of a person's notices, the oldest first."""
    found = Notice.objects.filter(reader=person.user).order_by("id")
    return [notice.title["en"] for notice in found]


def test_a_manager_enrols_a_person_who_is_told_once(bank: Bank) -> None:
    session, mei = session_of(course_of()), bank.as_(bank.mei)

    for _twice in range(2):
        enrol(session_id=session.pk, staff_id=bank.li.pk, origin="manager", by=mei, now=NOW)

    enrolment = Enrolment.objects.get()
    assert (enrolment.state, enrolment.unit_id, enrolment.enrolled_by) == (
        "enrolled", bank.north.pk, bank.mei.user,
    )  # fmt: skip
    assert told(bank.li) == ["You have a seat: Complaints"]
    assert Notice.objects.get().link == "/training/sessions/s1/"


def test_nobody_enrols_people_of_another_branch(bank: Bank) -> None:
    session = session_of(course_of(is_open=True))

    for outsider in (bank.as_(bank.chen), bank.as_(teller("wang", bank.north))):
        with pytest.raises(NotPermitted):
            enrol(
                session_id=session.pk, staff_id=bank.li.pk, origin="manager", by=outsider, now=NOW
            )

    assert not Enrolment.objects.exists()
    assert not Notice.objects.exists()


def test_people_enrol_themselves_only_where_the_course_is_open_to_it(bank: Bank) -> None:
    shut, opened = session_of(course_of()), session_of(course_of("calm", is_open=True), "s2")
    li, own = bank.as_(bank.li), {"staff_id": bank.li.pk, "origin": "self", "now": NOW}

    with pytest.raises(NotPermitted):
        enrol(session_id=shut.pk, by=li, **own)  # type: ignore[arg-type]
    assert not Enrolment.objects.exists()

    assert enrol(session_id=opened.pk, by=li, **own).origin == "self"  # type: ignore[arg-type]


def test_after_the_last_day_to_enrol_only_planners_do(bank: Bank) -> None:
    session = session_of(course_of(is_open=True), enrol_until=date(2026, 3, 1))
    of = {"session_id": session.pk, "staff_id": bank.li.pk, "now": NOW}

    with pytest.raises(Conflict) as refused:
        enrol(**of, origin="self", by=bank.as_(bank.li))  # type: ignore[arg-type]

    assert refused.value.message == "The last day to enrol was 1 Mar 2026."
    assert not Enrolment.objects.exists()
    assert enrol(**of, origin="manager", by=bank.as_(bank.mei)).state == "enrolled"  # type: ignore[arg-type]


def test_who_comes_when_all_seats_are_taken_waits_and_moves_up_in_order(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    first, second, third = (teller(name, bank.north) for name in ("wang", "zhao", "sun"))
    seat = put(session, first)
    put(session, second, now=NOW + timedelta(minutes=2))
    put(session, third, now=NOW + timedelta(minutes=1))
    assert (seats(session).taken, seats(session).free, seats(session).waiting) == (1, 0, 2)

    for _twice in range(2):
        cancel_enrolment(enrolment_id=seat.pk, why="On leave", by=bank.as_(bank.mei), now=NOW)

    assert [(row.staff.number, row.state) for row in roster(session)] == [
        ("sun", "enrolled"), ("zhao", "waiting"),
    ]  # fmt: skip
    assert told(first) == ["You have a seat: Complaints", "You were taken out: Complaints"]
    assert told(third) == [
        "You are on the waiting list: Complaints", "A seat became free for you: Complaints",
    ]  # fmt: skip
    assert told(second) == ["You are on the waiting list: Complaints"]


def test_who_is_busy_by_now_goes_on_waiting_and_the_next_moves_up(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    first, busy, third = (teller(name, bank.north) for name in ("wang", "zhao", "sun"))
    seat = put(session, first)
    put(session, busy, now=NOW + timedelta(minutes=1))
    put(session, third, now=NOW + timedelta(minutes=2))
    put(session_of(course_of("calm"), "s2"), busy)

    cancel_enrolment(enrolment_id=seat.pk, why="On leave", by=SYSTEM, now=NOW)

    states = {row.staff.number: row.state for row in roster(session)}
    assert states == {"sun": "enrolled", "zhao": "waiting"}


def test_nobody_moves_up_into_a_session_that_has_begun(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    seat = put(session, teller("wang", bank.north))
    put(session, bank.li)

    cancel_enrolment(enrolment_id=seat.pk, why="Ill", by=SYSTEM, now=START)

    assert [row.state for row in roster(session)] == ["waiting"]


def test_slots_of_one_person_never_overlap(bank: Bank) -> None:
    put(session_of(course_of()), bank.li)
    late = (START + timedelta(hours=7), END + timedelta(hours=3))
    after = (END, END + timedelta(hours=2))
    clash = session_of(course_of("calm"), "s2", slots=[late])
    fits = session_of(course_of("words"), "s3", slots=[after])

    with pytest.raises(Conflict) as refused:
        put(clash, bank.li)

    assert refused.value.message == "This person is in another session at that time."
    assert not clash.enrolments.exists()
    assert put(fits, bank.li).state == "enrolled"


def test_a_course_that_is_needed_before_must_be_passed(bank: Bank) -> None:
    basics, advanced = course_of("basics"), course_of("advanced")
    Prerequisite.objects.create(course=advanced.course, needs=basics.course)
    session = session_of(advanced)

    with pytest.raises(Conflict) as refused:
        put(session, bank.li)
    assert refused.value.message == "These courses must be passed before: Basics."
    assert not Enrolment.objects.exists()
    past = (START - timedelta(days=30), END - timedelta(days=30))
    enrolment_of(
        session_of(basics, "s0", slots=[past]), bank.li,
        state="passed", concluded_on=date(2026, 2, 8),
    )  # fmt: skip

    assert put(session, bank.li).state == "enrolled"


def test_of_a_course_with_certificates_only_one_in_force_proves_it(bank: Bank) -> None:
    safety = course_of("safety", certifies=True)
    advanced = course_of("advanced")
    Prerequisite.objects.create(course=advanced.course, needs=safety.course)
    session = session_of(advanced)
    held = Certificate.objects.create(
        number="C-1", staff=bank.li, course=safety.course, issued_on=date(2025, 3, 1),
        expires_on=date(2026, 3, 1), issued_at=NOW,
    )  # fmt: skip

    with pytest.raises(Conflict):
        put(session, bank.li)
    held.expires_on = date(2026, 3, 11)
    held.save()

    assert put(session, bank.li).state == "enrolled"


@pytest.mark.parametrize("state", ["cancelled", "held"])
def test_a_session_that_is_over_or_called_off_takes_nobody(bank: Bank, state: str) -> None:
    session = session_of(course_of(), state=state)

    with pytest.raises(Conflict):
        put(session, bank.li)

    assert not Enrolment.objects.exists()


def test_who_left_and_who_holds_the_session_are_refused(bank: Bank) -> None:
    session = session_of(course_of(), trainer=bank.mei)
    bank.li.left_on = date(2026, 3, 10)
    bank.li.save()

    for person in (bank.li, bank.mei):
        with pytest.raises(Conflict):
            put(session, person)
    with pytest.raises(NotFound):
        enrol(session_id=session.pk, staff_id=0, origin="manager", by=SYSTEM, now=NOW)
    with pytest.raises(NotFound):
        enrol(session_id=0, staff_id=bank.li.pk, origin="manager", by=SYSTEM, now=NOW)

    assert not Enrolment.objects.exists()


def test_people_leave_what_they_chose_themselves_until_it_begins(bank: Bank) -> None:
    session, li = session_of(course_of(is_open=True)), bank.as_(bank.li)
    mine = enrolment_of(session, bank.li, origin="self")
    sent = enrolment_of(session, teller("wang", bank.north))
    wang = bank.as_(Staff.objects.get(number="wang"))

    with pytest.raises(NotFound):
        cancel_enrolment(enrolment_id=sent.pk, why="No", by=li, now=NOW)
    with pytest.raises(NotPermitted):
        cancel_enrolment(enrolment_id=sent.pk, why="No", by=wang, now=NOW)
    with pytest.raises(Conflict):
        cancel_enrolment(enrolment_id=mine.pk, why="No", by=li, now=START)
    with pytest.raises(InvalidInput):
        cancel_enrolment(enrolment_id=mine.pk, why=" ", by=li, now=NOW)
    assert Enrolment.objects.alive().count() == 2

    cancel_enrolment(enrolment_id=mine.pk, why="On leave", by=li, now=NOW)
    again = enrol(session_id=session.pk, staff_id=bank.li.pk, origin="self", by=li, now=NOW)

    assert again.pk != mine.pk
    assert told(bank.li) == ["You have a seat: Complaints"]


def change(session: Session, bank: Bank, **over: Any) -> Session:
    fields: dict[str, Any] = {
        "mode": session.mode,
        "unit": session.unit,
        "place": session.place,
        "trainer": session.trainer,
        "provider": session.provider,
        "capacity": session.capacity,
        "slots": None,
        "enrol_until": session.enrol_until,
        "planned_cost": session.planned_cost,
    }
    return change_session(
        session_id=session.pk, **{**fields, **over}, by=bank.as_(bank.hua), now=NOW
    )


def test_more_seats_go_to_who_waits(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    put(session, teller("wang", bank.north))
    put(session, bank.li)

    change(session, bank, capacity=2)

    assert {row.state for row in roster(session)} == {"enrolled"}
    assert told(bank.li)[-1] == "A seat became free for you: Complaints"
    with pytest.raises(InvalidInput) as refused:
        change(session, bank, capacity=1)
    assert [p.field for p in refused.value.problems] == ["capacity"]


def test_who_is_in_a_session_is_told_of_another_time_or_place_once(bank: Bank) -> None:
    session = session_of(course_of())
    put(session, bank.li)
    later = (START + timedelta(days=1), END + timedelta(days=1))

    change(session, bank, slots=[later])
    change(Session.objects.get(), bank, slots=[later])

    assert Session.objects.get().starts_on == date(2026, 3, 11)
    assert list(session.slots.values_list("starts_at", "ends_at")) == [later]
    assert told(bank.li)[1:] == ["Another time or place: Complaints"]


def test_a_session_is_not_moved_onto_another_one_of_its_people(bank: Bank) -> None:
    session = session_of(course_of())
    later = (START + timedelta(days=1), END + timedelta(days=1))
    put(session, bank.li)
    put(session_of(course_of("calm"), "s2", slots=[later]), bank.li)

    with pytest.raises(InvalidInput) as refused:
        change(session, bank, slots=[later])

    assert refused.value.message == "They are in another session at that time: Staff li."
    assert Session.objects.get(pk=session.pk).starts_on == date(2026, 3, 10)
    assert list(session.slots.values_list("starts_at", "ends_at")) == [A_DAY]


def test_a_session_is_called_off_once_and_all_are_told(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1, unit=bank.north)
    wang = teller("wang", bank.north)
    put(session, wang)
    put(session, bank.li)

    with pytest.raises(NotPermitted):
        cancel_session(session_id=session.pk, why="No", by=bank.as_(bank.chen), now=NOW)
    assert Enrolment.objects.alive().count() == 2
    for _twice in range(2):
        cancel_session(session_id=session.pk, why="Trainer ill", by=bank.as_(bank.mei), now=NOW)

    assert Session.objects.get().state == "cancelled"
    assert not Enrolment.objects.alive().exists()
    assert told(wang)[1:] == told(bank.li)[1:] == ["It was called off: Complaints"]
    assert Notice.objects.filter(body={"en": "Trainer ill"}).count() == 2
    assert AuditEntry.objects.filter(action="session.cancelled").count() == 1


def test_who_planned_a_session_is_told_once_that_it_waits_to_be_closed(bank: Bank) -> None:
    session_of(course_of(), created_by=bank.mei.user, trainer=bank.mei)
    night = END + timedelta(days=1)

    assert [tell_of_unclosed(now=at) for at in (END, night, night)] == [0, 1, 0]
    assert told(bank.mei) == ["To be closed: Complaints"]


def test_a_refusal_of_any_kind_leaves_nothing(bank: Bank) -> None:
    session = session_of(course_of())

    with pytest.raises(DomainError):
        enrol(session_id=session.pk, staff_id=bank.li.pk, origin="magic", by=SYSTEM, now=NOW)

    assert not Enrolment.objects.exists()
    assert not AuditEntry.objects.exists()
    assert not Notice.objects.exists()


def test_the_roster_takes_three_queries_and_the_lists_two_and_three(
    bank: Bank, django_assert_num_queries: Any
) -> None:
    version: CourseVersion = course_of()
    session = session_of(version, capacity=5)
    for name in ("wang", "zhao", "sun", "zhou", "wu", "zheng"):
        put(session, teller(name, bank.north))

    with django_assert_num_queries(3):
        rows = [
            (row.staff.number, list(row.attendances.all()), list(row.attempts.all()))
            for row in roster(session)
        ]
    hua, wang = bank.as_(bank.hua), Staff.objects.get(number="wang")
    with django_assert_num_queries(2):
        listed = [(each.taken, each.waiting) for each in sessions_listed(hua)]  # type: ignore[attr-defined]  # annotated
    with django_assert_num_queries(3):
        mine = [str(each.session) for each in my_enrolments(wang.pk)]

    assert [number for number, _a, _t in rows] == ["sun", "wang", "wu", "zhao", "zhou", "zheng"]
    assert listed == [(5, 1)]
    assert mine == ["Complaints 2026-03-10"]


def test_who_waits_and_is_free_again_comes_before_who_asks_later(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    elsewhere = session_of(course_of("other"), "s2")
    first = put(session, bank.mei)
    waiter = put(session, bank.li, now=NOW + timedelta(minutes=1))
    other = enrolment_of(elsewhere, bank.li)
    cancel_enrolment(enrolment_id=first.pk, why="Ill", by=SYSTEM, now=NOW)
    waiter.refresh_from_db()
    assert waiter.state == Enrolment.State.WAITING
    cancel_enrolment(enrolment_id=other.pk, why="Moved", by=SYSTEM, now=NOW)

    late = put(session, bank.chen, now=NOW + timedelta(hours=1))

    waiter.refresh_from_db()
    assert (waiter.state, late.state) == (Enrolment.State.ENROLLED, Enrolment.State.WAITING)


def test_who_leaves_before_the_session_is_passed_over(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    first, leaver, next_one = (
        put(session, person, now=NOW + timedelta(minutes=minute))
        for minute, person in enumerate((bank.mei, bank.li, bank.chen))
    )
    Staff.objects.filter(pk=bank.li.pk).update(left_on=date(2026, 3, 9))

    cancel_enrolment(enrolment_id=first.pk, why="Ill", by=SYSTEM, now=NOW)

    leaver.refresh_from_db()
    next_one.refresh_from_db()
    assert (leaver.state, next_one.state) == (Enrolment.State.WAITING, Enrolment.State.ENROLLED)


def test_a_session_that_people_attended_to_its_end_is_not_called_off(bank: Bank) -> None:
    session = session_of(course_of())
    there = enrolment_of(session, bank.li, minutes=480)

    with pytest.raises(Conflict):
        cancel_session(session_id=session.pk, why="Oops", by=SYSTEM, now=END)

    there.refresh_from_db()
    assert there.state == Enrolment.State.ENROLLED
    assert not Notice.objects.exists()
    cancel_session(session_id=session.pk, why="Fire", by=SYSTEM, now=START + timedelta(hours=1))


def test_who_leaves_loses_later_seats_on_the_last_day_and_the_next_moves_up(bank: Bank) -> None:
    session = session_of(course_of(), capacity=1)
    leaver, waits = teller("sun", bank.north), teller("zhao", bank.north)
    put(session, leaver)
    put(session, waits)
    Staff.objects.filter(pk=leaver.pk).update(left_on=session.starts_on)

    assert release_leavers(now=NOW + timedelta(days=6)) == 0
    assert release_leavers(now=NOW + timedelta(days=7)) == 1
    assert release_leavers(now=NOW + timedelta(days=7)) == 0

    states = {row.staff.number: row.state for row in Enrolment.objects.all()}
    assert states == {"sun": "cancelled", "zhao": "enrolled"}
    assert told(leaver)[-1] == "You were taken out: Complaints"
    assert told(waits)[-1] == "A seat became free for you: Complaints"


def test_what_begins_by_the_last_day_is_kept(bank: Bank) -> None:
    session = session_of(course_of())
    leaver = teller("sun", bank.north)
    put(session, leaver)
    Staff.objects.filter(pk=leaver.pk).update(left_on=session.starts_on + timedelta(days=1))

    assert release_leavers(now=NOW + timedelta(days=400)) == 0
    assert Enrolment.objects.get().state == "enrolled"
