"""Reading training needs: the list by expected benefit, one with what answers it, of a person."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Unit, during
from sqcore.org.queries import tree_on
from training.courses.models import Course, Session
from training.courses.queries import sessions_ahead
from training.needs.models import Need, NeedReason

DEVELOPMENTAL = _("Developmental, not a finding of incompetence.")
"""Stands beside every need, wherever it is shown or sent."""


def needs_seen_by(principal: Principal, *, on: date) -> QuerySet[Need]:
    """Return the needs that this asker may see, with the reasons that they may see. Two queries."""
    found = Need.objects.visible_to(principal, on=on)
    return (
        found.select_related("staff", "competency", "course", "enrolment__session")
        .order_by("-benefit", "id")
        .prefetch_related(Prefetch("reasons", reasons_seen_by(principal, on=on)))
    )


def reasons_seen_by(principal: Principal, *, on: date) -> QuerySet[NeedReason]:
    """Return all reasons but those that tell of results that the asker may not see."""
    scope = principal.scope(Permission.VIEW_PEOPLE_RESULTS)
    rows = NeedReason.objects.order_by("on", "id")
    if scope.everywhere:
        return rows
    here = Assignment.objects.filter(during(on), unit__in=scope.units).values("staff_id")
    seen = Q(need__staff__in=here)
    if principal.staff_id is not None:
        seen |= Q(need__staff_id=principal.staff_id)
    return rows.filter(~Q(origin=NeedReason.Origin.RESULT) | seen)


def needs_listed(
    principal: Principal,
    *,
    on: date,
    unit: Unit | None = None,
    state: str = "",
    origin: str = "",
    subject: str = "",
) -> QuerySet[Need]:
    """Return the needs of people who see them for others, the greatest benefit first. Without a
    state: what waits. `subject`: `competency:code` or `course:code`."""
    found = needs_seen_by(principal, on=on)
    found = (
        found.filter(state=state)
        if state in Need.State.values
        else found.filter(state__in=Need.WAITING)
    )
    if unit is not None:
        units = tree_on(on).within([unit.pk])
        here = Assignment.objects.filter(during(on), unit__in=units)
        found = found.filter(staff__in=here.values("staff_id"))
    if origin in NeedReason.Origin.values:
        rows = reasons_seen_by(principal, on=on).filter(origin=origin)
        found = found.filter(pk__in=rows.order_by().values("need_id"))
    kind, _colon, code = subject.partition(":")
    if kind == "competency":
        found = found.filter(competency__code=code)
    elif kind == "course":
        found = found.filter(competency__isnull=True, course__code=code)
    return found


def open_needs_of_others(principal: Principal, *, on: date) -> QuerySet[Need]:
    """Return the open needs of people whose training one plans."""
    scope = principal.scope(Permission.PLAN_TRAINING)
    found = Need.objects.filter(state=Need.State.OPEN)
    if scope.everywhere:
        return found
    if not scope:
        return found.none()
    here = Assignment.objects.filter(during(on), unit__in=scope.units)
    return found.filter(staff__in=here.values("staff_id"))


def need_of(principal: Principal, need_id: int, *, on: date) -> Need:
    """raises: NotFound"""
    found = needs_seen_by(principal, on=on).filter(pk=need_id).first()
    if found is None:
        raise NotFound("There is no such need, or you may not know of it.")
    return found


def answering(need: Need) -> QuerySet[Course]:
    """Return the courses that answer a need: the course that it asks for, or those that teach the
    competency."""
    courses = Course.objects.filter(is_active=True).order_by("code")
    if need.competency_id is None:
        return courses.filter(pk=need.course_id or 0)
    return courses.filter(teaches__competency=need.competency_id).distinct()


@dataclass(frozen=True)
class Offer:
    """A session that answers a need, with the seats that are free."""

    session: Session
    free: int


def offers_for(principal: Principal, need: Need, *, on: date) -> list[Offer]:
    """Return the sessions ahead that answer a need, the next one first. Three queries."""
    seats = Count("enrolments", filter=Q(enrolments__state="enrolled"))
    sessions = sessions_ahead(principal, on=on).filter(version__course__in=answering(need))
    return [
        Offer(each, max(0, each.capacity - each.taken)) for each in sessions.annotate(taken=seats)
    ]


def places_of(staff_ids: Collection[int], *, on: date) -> Mapping[int, Assignment]:
    """Return where these people work on this day, by person. One query."""
    rows = Assignment.objects.filter(during(on), staff_id__in=staff_ids)
    rows = rows.select_related("unit", "post").order_by("-valid_from", "-id")
    return {row.staff_id: row for row in rows}


def tells_of_results(needs: Collection[Need]) -> list[int]:
    """Return the people about whom the shown reasons tell a result."""
    return sorted(
        {
            need.staff_id
            for need in needs
            for reason in need.reasons.all()
            if reason.origin == NeedReason.Origin.RESULT
        }
    )
