"""Reading enrolments: one's own, the roster of a session, its seats, who is busy when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from training.competencies.queries import may_for
from training.courses.models import Session, Slot
from training.courses.queries import session_named, sessions_seen_by
from training.enrolments.models import Attempt, Attendance, Enrolment

SEATED = (
    Enrolment.State.ENROLLED,
    Enrolment.State.PASSED,
    Enrolment.State.FAILED,
    Enrolment.State.ABSENT,
)
"""States that take a seat of a session."""


@dataclass(frozen=True)
class Seats:
    """`free` may be below zero nowhere: a session is never made smaller than who is in it."""

    taken: int
    free: int
    waiting: int


def may_enrol(by: Principal, staff_id: int, *, on: date) -> bool:
    """True for who plans training where this person works on this day."""
    return any(
        may_for(by, permission, staff_id, on=on)
        for permission in (Permission.PLAN_TRAINING, Permission.MANAGE_TRAINING)
    )


def may_manage_of(by: Principal, staff_id: int, *, on: date) -> bool:
    """True for who runs training where this person works on this day."""
    return may_for(by, Permission.MANAGE_TRAINING, staff_id, on=on)


def enrolments_seen_by(principal: Principal, *, on: date) -> QuerySet[Enrolment]:
    """Return one's own enrolments and those of the people whose training one may see."""
    found = Enrolment.objects.visible_to(principal, on=on)
    return found.select_related("staff", "session__version__course", "session__unit")


def my_enrolments(staff_id: int) -> QuerySet[Enrolment]:
    """Return the enrolments of a person, the latest session first, with their attempts. Three
    queries."""
    found = Enrolment.objects.filter(staff=staff_id).order_by("-session__starts_on", "-id")
    found = found.select_related("session__version__course", "session__unit", "session__trainer")
    return found.prefetch_related("session__slots", "attempts")


def roster(session: Session) -> list[Enrolment]:
    """Return who is or waits in a session, by name, those who wait last and in their order; each
    with their attendances and attempts. Three queries."""
    found = session.enrolments.alive().select_related("staff")
    rows = found.prefetch_related(
        Prefetch("attendances", Attendance.objects.order_by("slot_id")),
        Prefetch("attempts", Attempt.objects.order_by("recorded_at", "id")),
    )
    waiting = Enrolment.State.WAITING
    return sorted(
        rows,
        key=lambda row: (
            row.state == waiting,
            row.waits_since.isoformat() if row.state == waiting and row.waits_since else "",
            row.staff.name,
            row.pk,
        ),
    )


def seats(session: Session) -> Seats:
    """Return how full a session is. One query."""
    counted = session.enrolments.aggregate(
        taken=Count("id", filter=Q(state__in=SEATED)),
        waiting=Count("id", filter=Q(state=Enrolment.State.WAITING)),
    )
    return Seats(counted["taken"], session.capacity - counted["taken"], counted["waiting"])


def sessions_listed(principal: Principal) -> QuerySet[Session]:
    """Return the sessions, each with how many are in it (`taken`) and wait (`waiting`)."""
    return sessions_seen_by(principal).annotate(
        taken=Count("enrolments", filter=Q(enrolments__state__in=SEATED)),
        waiting=Count("enrolments", filter=Q(enrolments__state=Enrolment.State.WAITING)),
    )


def sessions_reported(principal: Principal) -> QuerySet[Session]:
    """Return those of the whole organisation and of the units whose training one may see."""
    scope = principal.scope(Permission.VIEW_TRAINING)
    found = sessions_listed(principal)
    if scope.everywhere:
        return found
    return found.filter(Q(unit__isnull=True) | Q(unit__in=scope.units))


def busy_elsewhere(staff_ids: Collection[int], condition: Q, *, session: Session) -> set[int]:
    """Return who of these is in, or holds, another session with a slot that meets the condition."""
    others = Slot.objects.filter(condition).exclude(session=session)
    states = (Enrolment.State.ENROLLED, Enrolment.State.PASSED, Enrolment.State.FAILED)
    taking = Enrolment.objects.filter(
        staff__in=staff_ids, state__in=states, session__in=others.values("session_id")
    )
    held = others.filter(session__trainer__in=staff_ids).exclude(
        session__state=Session.State.CANCELLED
    )
    return set(taking.values_list("staff_id", flat=True)) | {
        trainer for trainer in held.values_list("session__trainer_id", flat=True) if trainer
    }


def enrolments_in(principal: Principal, session: Session, *, on: date) -> QuerySet[Enrolment]:
    """Return who of the people whose training one may see is in a session, with their attempts."""
    rows = Enrolment.objects.visible_to(principal, on=on).filter(session=session)
    return rows.select_related("staff", "session").prefetch_related("attempts")


def staff_numbered(principal: Principal, number: str, *, on: date) -> Staff:
    """Return somebody whom one may enrol. raises: NotFound, also for others"""
    found = Staff.objects.filter(number=number).first()
    if found is None or not may_enrol(principal, found.pk, on=on):
        raise NotFound(_("There is no such person."))
    return found


def enrolment_of_number(principal: Principal, code: str, number: str, *, on: date) -> Enrolment:
    """Return the enrolment of somebody in a session. raises: NotFound, also for others"""
    session = session_named(principal, code)
    rows = Enrolment.objects.visible_to(principal, on=on).alive()
    found = rows.filter(session=session, staff__number=number).first()
    if found is None:
        raise NotFound(_("There is no such enrolment."))
    return found
