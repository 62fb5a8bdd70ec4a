"""Making what can be learnt: courses and their versions, programmes, sessions.

A version is published as it is written and never changes: what holds for a certificate can be read
for ever. raises, all of them: NotPermitted, and InvalidInput naming each field
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted, Problem
from sqcore.base.events import CourseVersionPublished
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, Unit
from sqcore.org.queries import local_day
from training.competencies.models import Competency, Level
from training.courses.models import (
    Course,
    CourseVersion,
    Prerequisite,
    Programme,
    ProgrammeCourse,
    Session,
    Slot,
    Taught,
)
from training.courses.queries import may_plan

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2200, 12, 31)
"""Days that can be meant."""
LONGEST_SLOT = timedelta(hours=24)
LONGEST_SESSION = timedelta(days=731)
MOST_SLOTS = 200
MOST_SEATS = 10_000
MOST_ATTEMPTS = 50
MOST_MONTHS = 600
MOST_COST = 10**13
MOST_MINUTES = 1_000_000

Times = Sequence[tuple[datetime, datetime]]


# ---- Courses -------------------------------------------------------------------------------------
@transaction.atomic
def save_course(
    *,
    code: str,
    name: Mapping[str, str],
    description: Mapping[str, str],
    mode: str,
    is_open: bool,
    by: Principal,
    now: datetime,
    is_active: bool = True,
) -> Course:
    """Add the course `code`, or change it."""
    require_everywhere(by)
    course = Course.objects.select_for_update(no_key=True).filter(code=code).first()
    course = course or Course(code=code)
    course.name, course.description = dict(name), dict(description)
    course.mode, course.is_open, course.is_active = mode, is_open, is_active
    refuse_unclean(course)
    course.save()
    _note("course.saved", f"course:{course.pk}", by=by, now=now, code=code, is_active=is_active)
    return course


@transaction.atomic
def publish_version(
    *,
    course: Course,
    outline: str,
    minutes: int,
    pass_mark: int | None,
    attempts: int,
    attendance: int,
    certifies: bool,
    valid_months: int | None,
    renewal: str,
    renewal_month: int | None,
    due_days: int,
    replaces_older: bool,
    reaction: str,
    by: Principal,
    now: datetime,
) -> CourseVersion:
    """Publish the next version of a course; the same content again is the newest version itself.

    Locks the course. Where it replaces older ones, their certificates end today.
    """
    require_everywhere(by)
    held = Course.objects.select_for_update(no_key=True).get(pk=course.pk)
    content: dict[str, Any] = {
        "outline": outline.strip(),
        "minutes": minutes,
        "pass_mark": pass_mark,
        "attempts": attempts,
        "attendance": attendance,
        "certifies": certifies,
        "valid_months": valid_months,
        "renewal": renewal,
        "renewal_month": renewal_month,
        "due_days": due_days,
        "replaces_older": replaces_older,
        "reaction": reaction,
    }
    last = held.versions.order_by("-number").first()
    if last is not None and all(getattr(last, name) == value for name, value in content.items()):
        return last
    version = CourseVersion(
        course=held, number=last.number + 1 if last else 1, published_at=now, **content
    )
    refuse_unclean(version, also=_faults_of_version(version))
    version.save(force_insert=True)
    _note(
        "course.version_published",
        f"course:{held.pk}",
        by=by,
        now=now,
        version=version.number,
        replaces_older=replaces_older,
    )
    on = local_day(now).isoformat()
    publish(CourseVersionPublished(version_id=version.pk, on=on), now=now)
    return version


def _faults_of_version(version: CourseVersion) -> list[Problem]:
    calendar = version.renewal == CourseVersion.Renewal.CALENDAR
    faults = {
        "minutes": _outside(version.minutes, 1, MOST_MINUTES),
        "attempts": _outside(version.attempts, 1, MOST_ATTEMPTS),
        "attendance": _outside(version.attendance, 0, 100),
        "pass_mark": _outside(version.pass_mark, 0, 100),
        "valid_months": _outside(version.valid_months, 1, MOST_MONTHS)
        or (
            calendar
            and version.valid_months is None
            and _("What is renewed by the calendar holds for some months; say how many.")
        ),
        "renewal_month": _outside(version.renewal_month, 1, 12)
        or (calendar and version.renewal_month is None and _("Name the last month.")),
        "due_days": _outside(version.due_days, 0, 3650),
    }
    return [Problem(str(why), field=name) for name, why in faults.items() if why]


def _outside(value: int | None, least: int, most: int) -> str:
    if value is None or least <= value <= most:
        return ""
    return _("Give a number from %(least)d to %(most)d.") % {"least": least, "most": most}


@transaction.atomic
def set_prerequisites(
    *, course: Course, needs: Sequence[Course], by: Principal, now: datetime
) -> None:
    """Say which courses must be passed before this one, and no others.

    Holds all courses: two that change at once could make a circle that neither sees.
    raises: InvalidInput for a circle, naming its courses
    """
    require_everywhere(by)
    codes = dict(
        Course.objects.select_for_update(no_key=True).order_by("id").values_list("id", "code")
    )
    wanted = {each.pk for each in needs}
    links = Prerequisite.objects.exclude(course=course).values_list("course_id", "needs_id")
    graph: dict[int, set[int]] = {course.pk: wanted}
    for before, needed in links:
        graph.setdefault(before, set()).add(needed)
    if circle := _circle(graph, course.pk):
        raise wrong(
            "needs",
            _("These courses would need each other in a circle: %(courses)s.")
            % {"courses": " → ".join(codes[each] for each in circle)},
        )
    former = set(course.prerequisites.values_list("needs_id", flat=True))
    course.prerequisites.exclude(needs__in=wanted).delete()
    Prerequisite.objects.bulk_create(
        Prerequisite(course=course, needs_id=pk) for pk in sorted(wanted - former)
    )
    if former != wanted:
        _note(
            "course.prerequisites_set", f"course:{course.pk}", by=by, now=now, needs=sorted(wanted)
        )


def _circle(graph: Mapping[int, set[int]], start: int) -> list[int]:
    """Return the courses of a circle through `start`, which stands at both ends; else nothing."""
    waiting, seen = [[start]], set[int]()
    while waiting:
        path = waiting.pop()
        for needed in sorted(graph.get(path[-1], ())):
            if needed == start:
                return [*path, start]
            if needed not in seen:
                seen.add(needed)
                waiting.append([*path, needed])
    return []


@transaction.atomic
def set_taught(
    *, course: Course, levels: Mapping[Competency, int], by: Principal, now: datetime
) -> None:
    """Say which level of which competency who passes the course has shown, and no others."""
    require_everywhere(by)
    if any(level not in Level.values or level == Level.NONE for level in levels.values()):
        raise wrong("levels", _("Give a level from 1 to 4."))
    Course.objects.select_for_update(no_key=True).get(pk=course.pk)
    former = dict(course.teaches.values_list("competency_id", "level"))
    asked = {competency.pk: int(level) for competency, level in levels.items()}
    if former == asked:
        return
    course.teaches.all().delete()
    Taught.objects.bulk_create(
        Taught(course=course, competency_id=pk, level=level) for pk, level in sorted(asked.items())
    )
    said = {str(pk): level for pk, level in sorted(asked.items())}
    _note("course.taught_set", f"course:{course.pk}", by=by, now=now, levels=said)


@transaction.atomic
def save_programme(
    *,
    code: str,
    name: Mapping[str, str],
    description: Mapping[str, str],
    courses: Sequence[Course],
    by: Principal,
    now: datetime,
) -> Programme:
    """Add the programme `code`, or change it; its courses stand in the order given."""
    require_everywhere(by)
    ids = [course.pk for course in courses]
    if len(set(ids)) != len(ids):
        raise wrong("courses", _("A course stands in it twice."))
    programme = Programme.objects.select_for_update(no_key=True).filter(code=code).first()
    programme = programme or Programme(code=code)
    programme.name, programme.description = dict(name), dict(description)
    refuse_unclean(programme)
    programme.save()
    programme.places.all().delete()
    ProgrammeCourse.objects.bulk_create(
        ProgrammeCourse(programme=programme, course_id=pk, position=position)
        for position, pk in enumerate(ids, start=1)
    )
    _note("programme.saved", f"programme:{programme.pk}", by=by, now=now, courses=ids)
    return programme


# ---- Sessions ------------------------------------------------------------------------------------
@transaction.atomic
def plan_session(
    *,
    code: str,
    version: CourseVersion,
    mode: str,
    unit: Unit | None,
    place: str,
    trainer: Staff | None,
    provider: str,
    capacity: int,
    slots: Times,
    enrol_until: date | None,
    planned_cost: int,
    by: Principal,
    now: datetime,
) -> Session:
    """Plan a session at a unit, or (without one) for the whole organisation. One that was held
    already may be put on record. Costs are in cents.

    raises: Conflict where the code is taken, or the course is not offered
    """
    require_planner(by, unit)
    if not version.course.is_active:
        raise Conflict(_("This course is not offered any more."))
    if Session.objects.filter(code=code).exists():
        raise Conflict(_("There is a session “%(code)s” already.") % {"code": code})
    session = Session(code=code, version=version, created_by=by.user, created_at=now)
    describe_session(
        session,
        mode=mode,
        unit=unit,
        place=place,
        trainer=trainer,
        provider=provider,
        capacity=capacity,
        slots=slots,
        enrol_until=enrol_until,
        planned_cost=planned_cost,
    )
    session.save(force_insert=True)
    write_slots(session, slots)
    _note(
        "session.planned",
        f"session:{session.pk}",
        by=by,
        now=now,
        course=version.course_id,
        version=version.number,
        unit=session.unit_id,
        capacity=capacity,
    )
    return session


def describe_session(
    session: Session,
    *,
    mode: str,
    unit: Unit | None,
    place: str,
    trainer: Staff | None,
    provider: str,
    capacity: int,
    slots: Times,
    enrol_until: date | None,
    planned_cost: int,
) -> None:
    """Put these details on a session, which is not saved, once all of them can be meant.

    raises: InvalidInput naming each field that is wrong
    """
    problems = [*_faults_of_times(slots)]
    if not problems:
        session.starts_on = local_day(min(start for start, _end in slots))
        session.ends_on = local_day(max(end for _start, end in slots) - timedelta(microseconds=1))
    session.mode, session.unit, session.place = mode, unit, " ".join(place.split())
    session.trainer, session.provider = trainer, " ".join(provider.split())
    session.capacity, session.enrol_until = capacity, enrol_until
    session.planned_cost = planned_cost
    faults = {
        "capacity": _outside(capacity, 1, MOST_SEATS),
        "planned_cost": _outside(planned_cost, 0, MOST_COST),
        "unit": unit is not None
        and not problems
        and not Unit.objects.open_on(session.starts_on).filter(pk=unit.pk).exists()
        and _("This unit is closed on the first day."),
        "enrol_until": enrol_until is not None
        and not problems
        and not FIRST_DAY <= enrol_until <= session.ends_on
        and _("This day is after the session; choose an earlier one."),
        "trainer": trainer is not None
        and not problems
        and _fault_of_trainer(session, trainer, slots),
    }
    problems += [Problem(str(why), field=name) for name, why in faults.items() if why]
    refuse_unclean(session, also=problems)


def write_slots(session: Session, slots: Times) -> None:
    """Give a saved session these slots, and no others."""
    session.slots.all().delete()
    Slot.objects.bulk_create(
        Slot(session=session, starts_at=start, ends_at=end) for start, end in sorted(slots)
    )


def _faults_of_times(slots: Times) -> list[Problem]:
    """Return what is wrong with the slots, each named by its place in the list."""
    if not 1 <= len(slots) <= MOST_SLOTS:
        return [Problem(_outside(len(slots), 1, MOST_SLOTS), field="slots")]
    found = [
        Problem(why, field="slots", row=row)
        for row, (start, end) in enumerate(slots, start=1)
        if (why := _fault_of_slot(start, end))
    ]
    if found:
        return found
    ordered = sorted(slots)
    if any(late < end for (_start, end), (late, _end) in pairwise(ordered)):
        return [Problem(_("Two of the slots overlap."), field="slots")]
    if ordered[-1][1] - ordered[0][0] > LONGEST_SESSION:
        return [Problem(_("A session lasts two years at the most."), field="slots")]
    return []


def _fault_of_slot(start: datetime, end: datetime) -> str:
    if start.tzinfo is None or end.tzinfo is None:
        return _("Name the time zone.")
    if not FIRST_DAY < start.date() < LAST_DAY or not FIRST_DAY < end.date() < LAST_DAY:
        return _("This day cannot be meant.")
    if end <= start:
        return _("It ends before it starts.")
    if end - start > LONGEST_SLOT:
        return _("A slot is longer than a day; make several.")
    if start.second or start.microsecond or end.second or end.microsecond:
        return _("Slots begin and end at whole minutes.")
    return ""


def _fault_of_trainer(session: Session, trainer: Staff, slots: Times) -> str:
    if trainer.left_on is not None and trainer.left_on <= session.ends_on:
        return _("This person does not work here any more on that day.")
    # Held, so that two sessions planned at once see each other.
    Staff.objects.select_for_update(no_key=True).get(pk=trainer.pk)
    others = Slot.objects.filter(
        overlapping(slots), session__trainer=trainer, session__state=Session.State.PLANNED
    )
    if others.exclude(session=session.pk).exists():
        return _("This person holds another session at that time.")
    return ""


def overlapping(slots: Times, *, prefix: str = "") -> Q:
    """Return the condition of slots that share time with one of these."""
    found = Q(pk__in=())
    for start, end in slots:
        found |= Q(**{f"{prefix}starts_at__lt": end, f"{prefix}ends_at__gt": start})
    return found


# ---- Who may, and what is wrong ------------------------------------------------------------------
def require_everywhere(by: Principal) -> None:
    """Courses belong to the whole organisation. raises: NotPermitted"""
    if not by.scope(Permission.MANAGE_TRAINING).everywhere:
        raise NotPermitted(_("Who runs training for the whole organisation does this."))


def require_planner(by: Principal, unit: Unit | None) -> None:
    """raises: NotPermitted"""
    if not may_plan(by, unit.pk if unit else None):
        raise NotPermitted(_("You may not plan training here."))


def refuse_unclean(row: models.Model, *, also: Sequence[Problem] = ()) -> None:
    """raises: InvalidInput with each field that breaks a rule of its form, and these problems"""
    problems = list(also)
    named = {problem.field for problem in also}
    unset = {field.name for field in row._meta.fields if getattr(row, field.attname) is None}
    optional = {field.name for field in row._meta.fields if field.null or field.is_relation}
    try:
        row.clean_fields(exclude=unset & optional | {"id"})
    except ValidationError as error:
        problems += [
            Problem(reason, field=name)
            for name, reasons in error.message_dict.items()
            for reason in reasons
            if name not in named and not (name in ("starts_on", "ends_on") and "slots" in named)
        ]
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field=field)])


def _note(action: str, subject: str, *, by: Principal, now: datetime, **details: Any) -> None:
    record(action=action, subject=subject, by=by, now=now, details=details)
