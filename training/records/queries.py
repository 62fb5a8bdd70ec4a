"""What leaves as files and can come back: staff, assignments, past training, certificates."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Staff, during
from training.certificates.models import Certificate
from training.enrolments.models import Attempt, Enrolment

Row = tuple[Any, ...]
AT_ONCE = 2000


@dataclass(frozen=True)
class Export:
    """A kind of file that leaves; `columns` are those that its kind of rows takes in again."""

    key: str
    title: str | Promise
    about: str | Promise
    permission: Permission
    takes: Permission
    columns: tuple[str, ...]
    rows: Callable[[Principal, date], Iterable[Row]]


def _staff(principal: Principal, on: date) -> Iterator[Row]:
    present = Assignment.objects.filter(during(on), staff=OuterRef("pk")).order_by("-valid_from")
    found = Staff.objects.visible_to(principal, on=on).annotate(
        place=Subquery(present.values("pk")[:1])
    )
    places = {
        pk: place
        for pk, *place in Assignment.objects.filter(during(on)).values_list(
            "pk", "unit__code", "post__code", "valid_from"
        )
    }
    rows = found.order_by("number").values_list("number", "name", "joined_on", "left_on", "place")
    for *person, place in rows.iterator(chunk_size=AT_ONCE):
        yield (*person, *places.get(place, (None, None, None)))


def _assignments(principal: Principal, on: date) -> Iterator[Row]:
    seen = Staff.objects.visible_to(principal, on=on)
    rows = Assignment.objects.filter(staff__in=seen).order_by("staff__number", "valid_from", "pk")
    yield from rows.values_list(
        "staff__number", "unit__code", "post__code", "valid_from", "valid_to"
    ).iterator(chunk_size=AT_ONCE)


def _records(principal: Principal, on: date) -> Iterator[Row]:
    last = Attempt.objects.filter(enrolment=OuterRef("pk"), kind=Attempt.Kind.TEST)
    rows = (
        Enrolment.objects.visible_to(principal, on=on)
        .filter(state__in=[Enrolment.State.PASSED, Enrolment.State.FAILED])
        .filter(concluded_on__isnull=False)
        .annotate(score=Subquery(last.order_by("-number").values("score")[:1]))
        .order_by("staff__number", "concluded_on", "pk")
        .values_list(
            "staff__number", "session__version__course__code", "concluded_on", "minutes", "score",
            "state",
        )
    )  # fmt: skip
    for number, course, day, minutes, score, state in rows.iterator(chunk_size=AT_ONCE):
        passed = "yes" if state == Enrolment.State.PASSED else "no"
        yield number, course, day, minutes, None if score is None else float(score), passed


def _certificates(principal: Principal, on: date) -> Iterator[Row]:
    rows = Certificate.objects.visible_to(principal, on=on).filter(revoked_at__isnull=True)
    yield from (
        rows.order_by("staff__number", "issued_on", "pk")
        .values_list(
            "staff__number", "number", "external_key", "course__code", "issued_on", "expires_on"
        )
        .iterator(chunk_size=AT_ONCE)
    )


EXPORTS = {
    export.key: export
    for export in (
        Export(
            "staff", _("Staff"), _("People by number, and where they work today."),
            Permission.VIEW_PEOPLE, Permission.MANAGE_PEOPLE,
            ("number", "name", "joined_on", "left_on", "unit", "post", "since"), _staff,
        ),
        Export(
            "assignments", _("Assignments"), _("Where people work and worked, with their days."),
            Permission.VIEW_PEOPLE, Permission.MANAGE_PEOPLE,
            ("number", "unit", "post", "valid_from", "valid_to"), _assignments,
        ),
        Export(
            "training-records", _("Past training"), _("Courses that people ended, and how."),
            Permission.VIEW_TRAINING, Permission.MANAGE_TRAINING,
            ("number", "course", "day", "minutes", "score", "passed"), _records,
        ),
        Export(
            "certificates", _("Certificates"), _("Certificates with their days; none revoked."),
            Permission.VIEW_TRAINING, Permission.MANAGE_TRAINING,
            ("number", "certificate", "external_key", "course", "issued_on", "expires_on"),
            _certificates,
        ),
    )
}  # fmt: skip
