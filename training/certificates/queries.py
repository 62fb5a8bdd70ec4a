"""Reading certificates and training elsewhere: whose, in force, soon to end; what they prove."""

from collections.abc import Collection
from datetime import date, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from training.certificates.models import Certificate, ExternalTraining
from training.enrolments.models import Enrolment


def certificates_seen_by(principal: Principal, *, on: date) -> QuerySet[Certificate]:
    """Return one's own certificates and those of the people whose training one may see."""
    found = Certificate.objects.visible_to(principal, on=on)
    return found.select_related("staff", "course", "version", "renews")


def certificates_of(staff_id: int) -> list[Certificate]:
    """Return all certificates of a person, the newest first, revoked ones too. One query."""
    rows = Certificate.objects.filter(staff=staff_id).select_related("course", "version", "renews")
    return list(rows.order_by("-issued_on", "-id"))


def certificate_numbered(principal: Principal, number: str, *, on: date) -> Certificate:
    """raises: NotFound"""
    found = certificates_seen_by(principal, on=on).filter(number=number).first()
    if found is None:
        raise NotFound(f"There is no certificate “{number}”.")
    return found


def expiring(principal: Principal, *, on: date, days: int) -> QuerySet[Certificate]:
    """Return the certificates in force that end within so many days and were not renewed, the
    soonest first."""
    rows = Certificate.objects.visible_to(principal, on=on).held_on(on)
    soon = rows.filter(expires_on__lte=on + timedelta(days=days)).exclude(renewed_by_newer())
    found = soon.select_related("staff", "course", "version", "renews")
    return found.order_by("expires_on", "id")


def renewed_by_newer() -> Exists:
    """Return the condition that a newer certificate of the same course holds for longer."""
    newer = Certificate.objects.filter(
        staff=OuterRef("staff"),
        course=OuterRef("course"),
        revoked_at__isnull=True,
        issued_on__gte=OuterRef("issued_on"),
    ).exclude(pk=OuterRef("pk"))
    return Exists(
        newer.filter(Q(expires_on__isnull=True) | Q(expires_on__gt=OuterRef("expires_on")))
    )


def externals_seen_by(principal: Principal, *, on: date) -> QuerySet[ExternalTraining]:
    """Return training had elsewhere that the asker may see, without the bytes of its evidence."""
    found = ExternalTraining.objects.visible_to(principal, on=on)
    return found.select_related("staff", "course", "decided_by").defer("evidence")


def completions(
    staff_ids: Collection[int] | None, course_ids: Collection[int], *, on: date
) -> dict[tuple[int, int], date | None]:
    """Return who has passed which of these courses, as it stands on this day, and until which day
    that holds (None: for ever). `staff_ids` None: everybody. Three queries.

    Where a course gives a certificate, that alone counts.
    """
    found: dict[tuple[int, int], date | None] = {}
    for staff_id, course_id, ends_on in _certified(staff_ids, course_ids, on):
        pair = (staff_id, course_id)
        former = found.get(pair, ends_on)
        found[pair] = None if ends_on is None or former is None else max(ends_on, former)
    for pair in _attended(staff_ids, course_ids, on):
        found[pair] = None
    for pair in _elsewhere(staff_ids, course_ids, on):
        found[pair] = None
    return found


def _certified(
    staff_ids: Collection[int] | None, course_ids: Collection[int], on: date
) -> list[tuple[int, int, date | None]]:
    rows = Certificate.objects.held_on(on).filter(_of(staff_ids), course__in=course_ids)
    return list(rows.values_list("staff_id", "course_id", "expires_on"))


def _attended(
    staff_ids: Collection[int] | None, course_ids: Collection[int], on: date
) -> list[tuple[int, int]]:
    rows = Enrolment.objects.filter(
        _of(staff_ids),
        state=Enrolment.State.PASSED,
        concluded_on__lte=on,
        session__version__certifies=False,
        session__version__course__in=course_ids,
    )
    return list(rows.values_list("staff_id", "session__version__course_id"))


def _elsewhere(
    staff_ids: Collection[int] | None, course_ids: Collection[int], on: date
) -> list[tuple[int, int]]:
    rows = ExternalTraining.objects.filter(
        _of(staff_ids),
        state=ExternalTraining.State.APPROVED,
        certificate__isnull=True,
        ended_on__lte=on,
        course__in=course_ids,
    )
    return [(staff, course) for staff, course in rows.values_list("staff_id", "course_id")]


def _of(staff_ids: Collection[int] | None) -> Q:
    return Q() if staff_ids is None else Q(staff__in=staff_ids)
