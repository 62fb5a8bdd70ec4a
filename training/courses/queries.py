"""Reading courses: the catalogue, the version in use, sessions ahead, and who may do what here."""

from datetime import date

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from training.courses.models import (
    Course,
    CourseVersion,
    Prerequisite,
    Programme,
    ProgrammeCourse,
    Session,
    Taught,
)


def may_plan(by: Principal, unit_id: int | None) -> bool:
    """True for who plans training at this unit; without a unit, of the whole organisation."""
    scope = by.scope(Permission.PLAN_TRAINING) | by.scope(Permission.MANAGE_TRAINING)
    return scope.everywhere if unit_id is None else unit_id in scope


def may_manage(by: Principal, unit_id: int | None) -> bool:
    """True for who sees to certificates at this unit; without a unit, of the whole organisation."""
    scope = by.scope(Permission.MANAGE_TRAINING)
    return scope.everywhere if unit_id is None else unit_id in scope


def may_run(by: Principal, session: Session) -> bool:
    """True for the trainer of a session and for who plans at its unit."""
    is_trainer = by.staff_id is not None and by.staff_id == session.trainer_id
    return is_trainer or may_plan(by, session.unit_id)


def courses_seen_by(principal: Principal) -> QuerySet[Course]:
    """Return the courses with their versions (the newest first), what they teach and what they
    need. The catalogue is for everybody who works here or sees to training. Four queries."""
    sees = principal.staff_id is not None or principal.may(Permission.VIEW_TRAINING)
    found = Course.objects.all() if sees else Course.objects.none()
    return found.order_by("code").prefetch_related(
        Prefetch("versions", CourseVersion.objects.order_by("-number")),
        Prefetch("teaches", Taught.objects.select_related("competency").order_by("competency")),
        Prefetch("prerequisites", Prerequisite.objects.select_related("needs").order_by("id")),
    )


def newest_version(course: Course) -> CourseVersion | None:
    return course.versions.order_by("-number").first()


def version_on(course: Course, on: date) -> CourseVersion | None:
    """Return the version that was in use on a day; of a day before all of them the first."""
    versions = list(course.versions.filter(published_at__isnull=False).order_by("number"))
    in_use = [each for each in versions if each.published_at and local_day(each.published_at) <= on]
    return next(iter(in_use[-1:] or versions[:1]), None)


def programmes() -> QuerySet[Programme]:
    """Return the programmes with their courses in order. Two queries."""
    places = ProgrammeCourse.objects.select_related("course").order_by("position")
    return Programme.objects.order_by("code").prefetch_related(Prefetch("places", places))


def sessions_seen_by(principal: Principal) -> QuerySet[Session]:
    """Return the sessions with their course, place, trainer and slots. Two queries."""
    found = Session.objects.visible_to(principal)
    return found.select_related("version__course", "unit", "trainer").prefetch_related("slots")


def sessions_ahead(principal: Principal, *, on: date) -> QuerySet[Session]:
    """Return the planned sessions that are not over on this day, the next one first."""
    found = sessions_seen_by(principal).filter(state=Session.State.PLANNED, ends_on__gte=on)
    return found.order_by("starts_on", "id")


def session_named(principal: Principal, code: str) -> Session:
    """raises: NotFound"""
    found = sessions_seen_by(principal).filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no session “%(code)s”.") % {"code": code})
    return found


def reaction_subject(session_id: int) -> str:
    """Return what the questionnaire after a session is about, for the questionnaires port."""
    return f"session:{session_id}"


def reaction_person(staff_id: int) -> str:
    """Return the key under which somebody is asked, for the questionnaires port."""
    return f"staff:{staff_id}"
