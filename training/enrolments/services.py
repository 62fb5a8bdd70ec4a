"""Taking part: enrolling with the waiting list, presence, attempts; what changes a session that
people are in.

A session is held before its people, and people in the order of their ids: of two who want the last
seat at once, one waits.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.text import TranslatedText, day, in_all_languages
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.services import notify
from sqcore.org.models import Assignment, Staff, Unit, during
from sqcore.org.queries import local_day
from training.courses.models import Course, Session, Slot
from training.courses.queries import may_run
from training.courses.services import (
    Times,
    describe_session,
    overlapping,
    require_planner,
    write_slots,
    wrong,
)
from training.enrolments.models import Attempt, Attendance, Enrolment
from training.enrolments.queries import SEATED, busy_elsewhere, may_enrol, may_manage_of, seats
from training.enrolments.sources import has_passed

State = Enrolment.State
DOOR = timedelta(minutes=30)
"""How long before and after a slot its code lets people sign in."""
REPEAT = timedelta(minutes=1)
"""The same result of the same person within this time is the same sending."""
SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 6
LONGEST_WHY = 300


@dataclass(frozen=True)
class Presence:
    """So many minutes of one slot somebody was there."""

    enrolment_id: int
    slot_id: int
    minutes: int


# ---- Enrolling -----------------------------------------------------------------------------------
@transaction.atomic
def enrol(
    *, session_id: int, staff_id: int, origin: str, by: Principal, now: datetime
) -> Enrolment:
    """Give somebody a seat, or a place on the waiting list when there is none; they are told.

    Who is in the session already stays as they are. People enrol themselves where the course is
    open to that and the day to enrol is not over; who plans training where they work enrols them
    as long as the session is not closed.

    raises: NotFound; NotPermitted; InvalidInput; Conflict with what stands against it: the session
    is over or cancelled, another one is at the same time, a course before it is missing
    """
    session = held_session(session_id)
    waiting = session.enrolments.filter(state=State.WAITING)
    _hold_people([staff_id, *waiting.values_list("staff_id", flat=True)])
    staff = _held_staff(staff_id)
    _require_enroller(session, staff, origin, by, now)
    there = session.enrolments.alive().filter(staff=staff).first()
    if there is not None:
        return there
    _require_planned(session)
    _refuse_unfit(session, staff)
    # Who waited because they were busy may be free by now: they come first.
    _move_up(session, by=by, now=now)
    waits = seats(session).free <= 0
    enrolment = Enrolment.objects.create(
        session=session,
        staff=staff,
        unit_id=_unit_of(staff, on=local_day(now)),
        state=State.WAITING if waits else State.ENROLLED,
        origin=origin,
        enrolled_by=by.user,
        enrolled_at=now,
        waits_since=now if waits else None,
    )
    _note("waits" if waits else "enrolled", enrolment, by=by, now=now)
    _tell(enrolment, WAITS if waits else ENROLLED, "waiting" if waits else "enrolled", now=now)
    return enrolment


def _require_enroller(
    session: Session, staff: Staff, origin: str, by: Principal, now: datetime
) -> None:
    if origin not in Enrolment.Origin.values:
        raise wrong("origin", _("There is no such origin."))
    if may_enrol(by, staff.pk, on=local_day(now)):
        return
    if by.staff_id != staff.pk:
        raise NotPermitted(_("You may not enrol this person."))
    if origin != Enrolment.Origin.SELF or not session.version.course.is_open:
        raise NotPermitted(_("Ask your manager or HR to enrol you in this course."))
    last = session.enrol_until or session.starts_on
    if local_day(now) > last:
        raise Conflict(_("The last day to enrol was %(day)s.") % {"day": day(last)})


def _refuse_unfit(session: Session, staff: Staff) -> None:
    """raises: Conflict with the reason"""
    if staff.joined_on > session.ends_on or (
        staff.left_on is not None and staff.left_on <= session.starts_on
    ):
        raise Conflict(_("This person does not work here on these days."))
    if session.trainer_id == staff.pk:
        raise Conflict(_("This person holds the session."))
    if busy_elsewhere([staff.pk], overlapping(_times(session)), session=session):
        raise Conflict(_("This person is in another session at that time."))
    course_id = session.version.course_id
    needed = Course.objects.filter(opens__course=course_id).order_by("code")
    ids = [course.pk for course in needed]
    passed = has_passed([staff.pk], ids, on=session.starts_on)
    missing = [str(course) for course in needed if (staff.pk, course.pk) not in passed]
    if missing:
        raise Conflict(
            _("These courses must be passed before: %(courses)s.") % {"courses": ", ".join(missing)}
        )


@transaction.atomic
def cancel_enrolment(*, enrolment_id: int, why: str, by: Principal, now: datetime) -> Enrolment:
    """Take somebody out of a session; the next of the waiting list moves up and is told.

    Who enrolled themselves may leave again until it begins. Cancelled again, nothing changes.
    raises: NotFound; NotPermitted; InvalidInput; Conflict when it is concluded
    """
    enrolment = _held_enrolment(enrolment_id)
    session = enrolment.session
    if not may_enrol(by, enrolment.staff_id, on=local_day(now)):
        _require_leaver(enrolment, by, now)
    if enrolment.state == State.CANCELLED:
        return enrolment
    if enrolment.state not in (State.ENROLLED, State.WAITING):
        raise Conflict(_("This enrolment is concluded."))
    _cancel(enrolment, said_why(why), by=by, now=now)
    if by.staff_id != enrolment.staff_id:
        _tell(enrolment, CANCELLED, "cancelled", now=now)
    _move_up(session, by=by, now=now)
    return enrolment


def _require_leaver(enrolment: Enrolment, by: Principal, now: datetime) -> None:
    if by.staff_id is None or by.staff_id != enrolment.staff_id:
        raise NotFound(_("There is no such enrolment."))
    if enrolment.origin != Enrolment.Origin.SELF:
        raise NotPermitted(_("Ask your manager or HR to take you out of this session."))
    if has_begun(enrolment.session, now):
        raise Conflict(_("The session has begun."))


def _cancel(enrolment: Enrolment, why: str, *, by: Principal, now: datetime) -> None:
    enrolment.state, enrolment.cancelled_why = State.CANCELLED, why
    enrolment.save(update_fields=["state", "cancelled_why"])
    _note("cancelled", enrolment, by=by, now=now)


def _move_up(session: Session, *, by: Principal, now: datetime) -> None:
    """Give free seats to who waits, in their order; who is busy by now goes on waiting, and who
    will have left or holds the session by now gets none."""
    free = seats(session).free
    waiting = list(
        session.enrolments.filter(state=State.WAITING)
        .exclude(staff__left_on__lte=session.starts_on)
        .exclude(staff=session.trainer_id or 0)
        .select_related("staff__user")
        .order_by("waits_since", "id")
    )
    if free <= 0 or not waiting or has_begun(session, now):
        return
    ids = [row.staff_id for row in waiting]
    _hold_people(ids)
    busy = busy_elsewhere(ids, overlapping(_times(session)), session=session)
    for enrolment in [row for row in waiting if row.staff_id not in busy][:free]:
        enrolment.state = State.ENROLLED
        enrolment.save(update_fields=["state"])
        _note("moved_up", enrolment, by=by, now=now)
        _tell(enrolment, MOVED_UP, "moved-up", now=now)


def release_leavers(*, now: datetime) -> int:
    """Take who leaves out of the sessions after their last day, from that day on; their seats go to
    who waits, and both are told. Return how many seats and places of waiting lists they were."""
    tomorrow = local_day(now) + timedelta(days=1)
    rows = Enrolment.objects.filter(
        state__in=(State.ENROLLED, State.WAITING),
        staff__left_on__lte=tomorrow,
        session__starts_on__gte=F("staff__left_on"),
        session__state=Session.State.PLANNED,
    )
    released = 0
    for pk in list(rows.order_by("session_id", "pk").values_list("pk", flat=True)):
        with transaction.atomic():
            enrolment = _held_enrolment(pk)
            if enrolment.state not in (State.ENROLLED, State.WAITING):
                continue
            by = system_principal("enrolments")
            _cancel(enrolment, str(LEFT), by=by, now=now)
            _tell(enrolment, CANCELLED, "cancelled", now=now)
            _move_up(enrolment.session, by=by, now=now)
            released += 1
    return released


# ---- What changes a session that people are in ---------------------------------------------------
@transaction.atomic
def change_session(
    *,
    session_id: int,
    mode: str,
    unit: Unit | None,
    place: str,
    trainer: Staff | None,
    provider: str,
    capacity: int,
    slots: Times | None,
    enrol_until: date | None,
    planned_cost: int,
    by: Principal,
    now: datetime,
) -> Session:
    """Change a planned session; without slots they stay. More seats go to who waits; who is in it
    is told of another time or place.

    raises: NotFound; NotPermitted; InvalidInput naming each field; Conflict once it is closed, or
    for other slots when presence is on record
    """
    session = held_session(session_id)
    require_planner(by, session.unit)
    require_planner(by, unit)
    _require_planned(session)
    former, was_at = _times(session), (session.place, session.unit_id)
    wanted = sorted(slots) if slots is not None else former
    describe_session(
        session,
        mode=mode,
        unit=unit,
        place=place,
        trainer=trainer,
        provider=provider,
        capacity=capacity,
        slots=wanted,
        enrol_until=enrol_until,
        planned_cost=planned_cost,
    )
    _refuse_who_is_in(session, wanted, is_moved=wanted != former)
    session.save()
    if wanted != former:
        write_slots(session, wanted)
    _note_session("changed", session, by=by, now=now)
    if wanted != former or (session.place, session.unit_id) != was_at:
        for enrolment in _people_in(session):
            _tell(enrolment, CHANGED, f"changed:{now.isoformat()}", now=now)
    _move_up(session, by=by, now=now)
    return session


def _refuse_who_is_in(session: Session, slots: Times, *, is_moved: bool) -> None:
    """raises: InvalidInput, Conflict"""
    taken = seats(session).taken
    if session.capacity < taken:
        raise wrong("capacity", _("%(n)d people are in it already.") % {"n": taken})
    inside = session.enrolments.filter(state__in=SEATED)
    if session.trainer_id and inside.filter(staff=session.trainer_id).exists():
        raise wrong("trainer", _("This person takes part in the session."))
    if not is_moved:
        return
    if Attendance.objects.filter(slot__session=session).exists():
        raise Conflict(_("Presence is on record; the slots stay as they are."))
    ids = list(inside.values_list("staff_id", flat=True))
    _hold_people(ids)
    busy = busy_elsewhere(ids, overlapping(slots), session=session)
    if busy:
        names = Staff.objects.filter(pk__in=busy).order_by("name").values_list("name", flat=True)
        raise wrong(
            "slots",
            _("They are in another session at that time: %(names)s.") % {"names": ", ".join(names)},
        )


def tell_of_unclosed(*, now: datetime) -> int:
    """Tell who planned a session, and who held it, that it is over and waits to be closed; each
    once. Return how many people were told."""
    over = Session.objects.filter(state=Session.State.PLANNED, ends_on__lt=local_day(now))
    told = 0
    for session in over.select_related("version__course", "created_by", "trainer__user"):
        trainer = session.trainer.user if session.trainer else None
        told += notify(
            readers=[reader for reader in (session.created_by, trainer) if reader is not None],
            key=f"session:{session.pk}:unclosed",
            title=in_all_languages(UNCLOSED, course=session.version.course.name),
            body=in_all_languages(
                gettext_lazy("It ended on %(last)s. Check presence and results, then close it."),
                last=session.ends_on,
            ),
            reason=in_all_languages(gettext_lazy("You planned it or held it.")),
            link=_page_of(session),
            now=now,
        )
    return told


@transaction.atomic
def cancel_session(*, session_id: int, why: str, by: Principal, now: datetime) -> Session:
    """Call a session off; everybody in it, or waiting, is told. Again, nothing changes.

    raises: NotFound; NotPermitted; InvalidInput; Conflict when it was held, or is over and
    presence is on record
    """
    session = held_session(session_id)
    require_planner(by, session.unit)
    if session.state == Session.State.CANCELLED:
        return session
    _require_planned(session)
    _refuse_held(session, now)
    said = said_why(why)
    session.state, session.closed_at = Session.State.CANCELLED, now
    session.save(update_fields=["state", "closed_at"])
    for enrolment in _people_in(session, only=(State.ENROLLED, State.WAITING)):
        _cancel(enrolment, said, by=by, now=now)
        _tell(enrolment, SESSION_CANCELLED, "session-cancelled", now=now)
    _note_session("cancelled", session, by=by, now=now)
    return session


def _refuse_held(session: Session, now: datetime) -> None:
    """raises: Conflict for a session that is over and that people were in"""
    if session.slots.filter(ends_at__gt=now).exists():
        return
    if session.enrolments.filter(state=State.ENROLLED, minutes__gt=0).exists():
        raise Conflict(_("It took place: presence is on record. Close it instead."))


# ---- Presence ------------------------------------------------------------------------------------
@transaction.atomic
def record_attendance(
    *, session_id: int, rows: Sequence[Presence], by: Principal, now: datetime
) -> int:
    """Keep how many minutes people were there, slot by slot; return how many rows changed.

    By the trainer or who plans at the unit, never about themselves. All rows are taken or none.
    raises: NotFound; NotPermitted; Conflict once it is closed; InvalidInput naming row and field
    """
    session = held_session(session_id)
    _require_runner(session, by)
    _require_planned(session)
    inside = {row.pk: row for row in _people_in(session)}
    slots = {slot.pk: slot for slot in session.slots.all()}
    problems = [
        problem
        for number, row in enumerate(rows, start=1)
        for problem in _faults_of_presence(row, number, inside, slots, by=by, now=now)
    ]
    if problems:
        raise InvalidInput(_("Some rows are wrong."), problems=problems)
    changed = [row for row in rows if _keep_presence(row, by=by, now=now)]
    for enrolment_id in {row.enrolment_id for row in changed}:
        _add_up(inside[enrolment_id])
    if changed:
        record(
            action="session.attendance_recorded",
            subject=f"session:{session.pk}",
            by=by,
            now=now,
            details={"rows": [[r.enrolment_id, r.slot_id, r.minutes] for r in changed]},
        )
    return len(changed)


def _faults_of_presence(
    row: Presence,
    number: int,
    inside: dict[int, Enrolment],
    slots: dict[int, Slot],
    *,
    by: Principal,
    now: datetime,
) -> list[Problem]:
    enrolment, slot = inside.get(row.enrolment_id), slots.get(row.slot_id)
    if enrolment is None:
        return [Problem(_("This person is not in the session."), field="enrolment", row=number)]
    if slot is None:
        return [Problem(_("The session has no such slot."), field="slot", row=number)]
    if by.staff_id == enrolment.staff_id:
        return [Problem(_("Another person records your presence."), field="enrolment", row=number)]
    if slot.starts_at > now:
        return [Problem(_("This slot has not begun."), field="slot", row=number)]
    most = minutes_of(slot)
    if not 0 <= row.minutes <= most:
        reason = _("Give a number from %(least)d to %(most)d.") % {"least": 0, "most": most}
        return [Problem(reason, field="minutes", row=number)]
    return []


def _keep_presence(row: Presence, *, by: Principal, now: datetime) -> bool:
    """Keep one row; True when it says something new."""
    source = Attendance.Source.TRAINER if by.user is not None else Attendance.Source.SYSTEM
    found, is_new = Attendance.objects.get_or_create(
        enrolment_id=row.enrolment_id,
        slot_id=row.slot_id,
        defaults={
            "minutes": row.minutes,
            "source": source,
            "recorded_by": by.user,
            "recorded_at": now,
        },
    )
    if is_new or found.minutes == row.minutes:
        return is_new
    found.minutes, found.source = row.minutes, source
    found.recorded_by, found.recorded_at = by.user, now
    found.save(update_fields=["minutes", "source", "recorded_by", "recorded_at"])
    return True


def _add_up(enrolment: Enrolment) -> None:
    total = enrolment.attendances.aggregate(total=Sum("minutes"))["total"] or 0
    enrolment.minutes = total
    enrolment.save(update_fields=["minutes"])


def sign_in_code(*, session: Session, slot: Slot, now: datetime) -> str:
    """Return the code of a slot that its trainer shows; another one every hour, so that a picture
    of it is soon worth nothing."""
    return _code(session.pk, slot.pk, _hour(now))


@transaction.atomic
def sign_in(*, session_id: int, code: str, by: Principal, now: datetime) -> Attendance:
    """Keep that who asks is there, by the code that is shown, from half an hour before a slot until
    half an hour after it. It counts as the whole slot; the trainer's list says who came late. What
    is on record stays.

    raises: NotFound; NotPermitted for who is not in the session, or runs it; InvalidInput for
    another code, or at another time
    """
    session = held_session(session_id)
    mine = session.enrolments.filter(staff=by.staff_id or 0, state=State.ENROLLED).first()
    if mine is None:
        raise NotPermitted(_("You have no seat in this session."))
    if may_run(by, session):
        raise NotPermitted(_("Who sees the code does not sign in; another person records it."))
    _require_planned(session)
    open_now = [
        slot for slot in session.slots.all() if slot.starts_at - DOOR <= now <= slot.ends_at + DOOR
    ]
    if not open_now:
        raise wrong("code", _("No slot of this session takes place now."))
    slot = next((each for each in open_now if _opens(session, each, code, now)), None)
    if slot is None:
        raise wrong("code", _("This is not the code that is shown now."))
    found, is_new = Attendance.objects.get_or_create(
        enrolment=mine,
        slot=slot,
        defaults={
            "minutes": minutes_of(slot),
            "source": Attendance.Source.SIGN_IN,
            "recorded_by": by.user,
            "recorded_at": now,
        },
    )
    if is_new:
        _add_up(mine)
        record(
            action="session.signed_in",
            subject=f"session:{session.pk}",
            by=by,
            now=now,
            details={"enrolment": mine.pk, "slot": slot.pk, "minutes": found.minutes},
        )
    return found


def _opens(session: Session, slot: Slot, code: str, now: datetime) -> bool:
    """True for the code of this hour, and of the one before: it may just have changed."""
    given = "".join(code.split()).upper().encode()
    hours = (_hour(now), _hour(now) - 1)
    return any(
        hmac.compare_digest(given, _code(session.pk, slot.pk, hour).encode()) for hour in hours
    )


def _hour(now: datetime) -> int:
    return int(now.timestamp() // 3600)


def _code(session_id: int, slot_id: int, hour: int) -> str:
    said = f"sq.sign-in/{session_id}/{slot_id}/{hour}".encode()
    digest = hmac.digest(settings.SECRET_KEY.encode(), said, "sha256")
    return "".join(SIGNS[byte % len(SIGNS)] for byte in digest[:CODE_LENGTH])


def minutes_of(slot: Slot) -> int:
    return int((slot.ends_at - slot.starts_at).total_seconds()) // 60


# ---- Tests ---------------------------------------------------------------------------------------
@transaction.atomic
def record_attempt(
    *, enrolment_id: int, kind: str, score: Decimal, on: date, by: Principal, now: datetime
) -> Attempt:
    """Keep a result in per cent; all attempts stay. By the trainer, who plans at the unit, or who
    runs training where the person works; never about oneself. The same result again within a
    minute is the same sending.

    One test before the course; of the test of the course as many as its version allows, until one
    is passed or the session is closed; later tests once it was held.

    raises: NotFound; NotPermitted; InvalidInput naming each field; Conflict where none is left
    """
    enrolment = _held_enrolment(enrolment_id)
    session = enrolment.session
    if not may_manage_of(by, enrolment.staff_id, on=local_day(now)):
        _require_runner(session, by)
    if by.staff_id == enrolment.staff_id:
        raise NotPermitted(_("Another person records your results."))
    points = _points(score)
    _refuse_day(session, kind, on, today=local_day(now))
    of_kind = list(enrolment.attempts.filter(kind=kind).order_by("number"))
    repeat = of_kind[-1] if of_kind else None
    if repeat and (repeat.score, repeat.on) == (points, on) and now - repeat.recorded_at < REPEAT:
        return repeat
    _refuse_attempt(enrolment, kind, of_kind)
    mark = session.version.pass_mark
    is_test = kind == Attempt.Kind.TEST
    attempt = Attempt.objects.create(
        enrolment=enrolment,
        kind=kind,
        number=len(of_kind) + 1,
        score=points,
        passed=points >= mark if is_test and mark is not None else None,
        on=on,
        recorded_by=by.user,
        recorded_at=now,
    )
    record(
        action="enrolment.attempt_recorded",
        subject=f"enrolment:{enrolment.pk}",
        by=by,
        now=now,
        details={"kind": str(kind), "number": attempt.number, "score": str(points)},
    )
    return attempt


def _points(score: Decimal) -> Decimal:
    """raises: InvalidInput"""
    try:
        points = Decimal(score).quantize(Decimal("0.01"))
    except InvalidOperation:
        points = Decimal(-1)
    if not points.is_finite() or not 0 <= points <= 100:
        raise wrong("score", _("Give a score from 0 to 100 per cent."))
    return points


def _refuse_day(session: Session, kind: str, on: date, *, today: date) -> None:
    """raises: InvalidInput"""
    faults = {
        Attempt.Kind.BEFORE.value: on > session.starts_on
        and _("The course had begun before that day."),
        Attempt.Kind.TEST.value: on < session.starts_on
        and _("The course had not begun on that day."),
        Attempt.Kind.LATER.value: on <= session.ends_on
        and _("The course was not over on that day."),
    }
    if kind not in faults:
        raise wrong("kind", _("There is no such kind of test."))
    why = faults[kind] or (on > today and _("This day is still to come."))
    if why or on.year < 2000:
        raise wrong("on", why or _("This day cannot be meant."))


def _refuse_attempt(enrolment: Enrolment, kind: str, made: Sequence[Attempt]) -> None:
    """raises: Conflict"""
    is_later = kind == Attempt.Kind.LATER
    seated = (State.PASSED, State.FAILED) if is_later else (State.ENROLLED,)
    if enrolment.state not in seated:
        raise Conflict(
            _("Later tests are for who was there, once the session is closed.")
            if is_later
            else _("Results are taken of who has a seat, until the session is closed.")
        )
    allowed = 1 if kind == Attempt.Kind.BEFORE else enrolment.session.version.attempts
    if len(made) >= allowed:
        raise Conflict(_("All %(n)d attempts are used.") % {"n": allowed})
    if any(attempt.passed for attempt in made):
        raise Conflict(_("The test is passed already."))


# ---- The end -------------------------------------------------------------------------------------
def conclude_enrolments(*, session: Session, by: Principal, now: datetime) -> list[Enrolment]:
    """Say of everybody in a session that is over what came of it, and tell them; who still waits is
    let go. Return who was in it, by person. The caller holds the session and closes it.

    Passed is who was there for the least share of the minutes and passed the test, where there is
    one; absent who was there for no minute and took no test.
    """
    for enrolment in _people_in(session, only=(State.WAITING,)):
        _cancel(enrolment, _("There was no free seat."), by=by, now=now)
        _tell(enrolment, NO_SEAT, "no-seat", now=now)
    people = _people_in(session)
    _hold_people([enrolment.staff_id for enrolment in people])
    tests: dict[int, list[Attempt]] = {}
    of_test = Attempt.objects.filter(enrolment__in=people, kind=Attempt.Kind.TEST)
    for attempt in of_test.order_by("number"):
        tests.setdefault(attempt.enrolment_id, []).append(attempt)
    offered = sum(minutes_of(slot) for slot in session.slots.all())
    for enrolment in people:
        made = tests.get(enrolment.pk, [])
        enrolment.state = outcome_of(enrolment, made, offered=offered)
        passed_on = [attempt.on for attempt in made if attempt.passed]
        enrolment.concluded_on = max([session.ends_on, *passed_on])
        enrolment.save(update_fields=["state", "concluded_on"])
        _note(enrolment.state, enrolment, by=by, now=now)
        _tell(enrolment, OUTCOMES[State(enrolment.state)], "concluded", now=now)
    return people


def outcome_of(enrolment: Enrolment, tests: Sequence[Attempt], *, offered: int) -> State:
    """Return what comes of an enrolment with these tests, of so many minutes `offered`."""
    version = enrolment.session.version
    if not enrolment.minutes and not tests:
        return State.ABSENT
    was_there = enrolment.minutes * 100 >= version.attendance * offered
    knows = version.pass_mark is None or any(attempt.passed for attempt in tests)
    return State.PASSED if was_there and knows else State.FAILED


# ---- What is held, who may -----------------------------------------------------------------------
def held_session(session_id: int) -> Session:
    """Return a session, held until the transaction ends. raises: NotFound"""
    found = Session.objects.select_for_update(of=("self",), no_key=True)
    session = found.select_related("version__course", "unit").filter(pk=session_id).first()
    if session is None:
        raise NotFound(_("There is no such session."))
    return session


def _held_enrolment(enrolment_id: int) -> Enrolment:
    """Return an enrolment, held after its session. raises: NotFound"""
    session_id = Enrolment.objects.filter(pk=enrolment_id).values_list("session_id", flat=True)
    session = held_session(session_id.first() or 0)
    rows = Enrolment.objects.select_for_update(of=("self",), no_key=True)
    enrolment = rows.select_related("staff__user").get(pk=enrolment_id)
    enrolment.session = session
    return enrolment


def _held_staff(staff_id: int) -> Staff:
    found = Staff.objects.select_for_update(of=("self",), no_key=True).select_related("user")
    staff = found.filter(pk=staff_id).first()
    if staff is None:
        raise NotFound(_("There is no such person."))
    return staff


def _hold_people(ids: Sequence[int]) -> None:
    people = Staff.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("id")
    list(people.values_list("id"))


def _people_in(session: Session, *, only: Sequence[str] = (State.ENROLLED,)) -> list[Enrolment]:
    rows = session.enrolments.filter(state__in=only).order_by("staff_id")
    found = list(rows.select_related("staff__user"))
    for row in found:
        row.session = session
    return found


def _require_planned(session: Session) -> None:
    if session.state != Session.State.PLANNED:
        raise Conflict(
            _("This session was called off.")
            if session.state == Session.State.CANCELLED
            else _("This session is closed.")
        )


def _require_runner(session: Session, by: Principal) -> None:
    if not may_run(by, session):
        raise NotPermitted(_("The trainer does this, or who plans training at the unit."))


def has_begun(session: Session, now: datetime) -> bool:
    return session.slots.filter(starts_at__lte=now).exists()


def said_why(why: str) -> str:
    """Return a reason that was given. raises: InvalidInput"""
    said = " ".join(why.split())
    if not said or len(said) > LONGEST_WHY:
        raise wrong("why", _("Say why, in at most %(most)d characters.") % {"most": LONGEST_WHY})
    return said


def _times(session: Session) -> list[tuple[datetime, datetime]]:
    return sorted(session.slots.values_list("starts_at", "ends_at"))


def _unit_of(staff: Staff, *, on: date) -> int | None:
    rows = Assignment.objects.filter(during(on), staff=staff).order_by("valid_from", "id")
    return rows.values_list("unit_id", flat=True).first()


def _note(act: str, enrolment: Enrolment, *, by: Principal, now: datetime) -> None:
    record(
        action=f"enrolment.{act}",
        subject=f"enrolment:{enrolment.pk}",
        by=by,
        now=now,
        details={"session": enrolment.session_id, "staff": enrolment.staff_id},
    )


def _note_session(act: str, session: Session, *, by: Principal, now: datetime) -> None:
    record(
        action=f"session.{act}",
        subject=f"session:{session.pk}",
        by=by,
        now=now,
        details={"state": str(session.state), "capacity": session.capacity},
    )


# ---- Telling -------------------------------------------------------------------------------------
ENROLLED = gettext_lazy("You have a seat: %(course)s")
WAITS = gettext_lazy("You are on the waiting list: %(course)s")
MOVED_UP = gettext_lazy("A seat became free for you: %(course)s")
LEFT = gettext_lazy("It begins after the last day in the organisation.")
CANCELLED = gettext_lazy("You were taken out: %(course)s")
CHANGED = gettext_lazy("Another time or place: %(course)s")
SESSION_CANCELLED = gettext_lazy("It was called off: %(course)s")
UNCLOSED = gettext_lazy("To be closed: %(course)s")
NO_SEAT = gettext_lazy("There was no free seat: %(course)s")
OUTCOMES = {
    State.PASSED: gettext_lazy("You passed: %(course)s"),
    State.FAILED: gettext_lazy("Not passed this time: %(course)s"),
    State.ABSENT: gettext_lazy("You were not there: %(course)s"),
}


def _tell(enrolment: Enrolment, title: object, occasion: str, *, now: datetime) -> None:
    """Tell somebody what became of their enrolment, once an occasion."""
    session, user = enrolment.session, enrolment.staff.user
    if user is None:
        return
    place = ", ".join(part for part in (session.place, session.provider) if part)
    notify(
        readers=[user],
        key=f"enrolment:{enrolment.pk}:{occasion}",
        title=in_all_languages(title, course=session.version.course.name),  # type: ignore[arg-type]  # a lazy text
        body=_body(session, place, enrolment.cancelled_why),
        reason=in_all_languages(gettext_lazy("It is about your training.")),
        link=_page_of(session),
        now=now,
    )


def _page_of(session: Session) -> str:
    return reverse("training:courses-session", args=[session.code])


def _body(session: Session, place: str, why: str) -> TranslatedText:
    if why:
        return {"en": why}
    return in_all_languages(
        gettext_lazy("From %(first)s to %(last)s. %(place)s"),
        first=session.starts_on,
        last=session.ends_on,
        place={"en": place},
    )
