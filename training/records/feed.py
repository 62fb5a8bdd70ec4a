"""The calendar of one person behind a secret address: their sessions, and what is due by when."""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from hashlib import blake2b
from secrets import token_urlsafe

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from sqcore.base.errors import NotFound
from sqcore.org.models import Staff
from sqcore.org.queries import local_day
from training.certificates.models import Certificate
from training.certificates.queries import renewed_by_newer
from training.courses.models import Session, Slot
from training.enrolments.models import Enrolment
from training.records.calendar import CalendarEvent, written
from training.records.models import CalendarFeed
from training.requirements.models import Obligation

REF_LENGTH = 22
PROOF_LENGTH = 22
SECRET = re.compile(rf"[A-Za-z0-9_-]{{{REF_LENGTH + PROOF_LENGTH}}}")
KEPT = timedelta(days=60)
"""How long a past session stays in the calendar."""
AHEAD = timedelta(days=400)
"""How far ahead the end of a certificate is told."""
COMING = (Enrolment.State.ENROLLED, Enrolment.State.WAITING)


def new_ref() -> str:
    return token_urlsafe(16)


def secret_of(feed: CalendarFeed) -> str:
    """Return what stands in the address: the reference and 132 bits that prove it."""
    digest = blake2b(
        feed.ref.encode(),
        digest_size=32,
        key=blake2b(settings.SECRET_KEY.encode(), digest_size=64).digest(),
        person=b"sq.calendar",
    ).digest()
    return feed.ref + urlsafe_b64encode(digest).decode()[:PROOF_LENGTH]


def address_of(feed: CalendarFeed) -> str:
    """Return the full address, as it leaves the house."""
    base: str = settings.BASE_URL
    return base + reverse("training:records-calendar", args=[secret_of(feed)])


def feed_of(staff_id: int) -> CalendarFeed | None:
    return CalendarFeed.objects.filter(staff_id=staff_id).first()


def calendar_behind(secret: str, *, now: datetime) -> bytes:
    """Return the calendar of whose secret this is, in their language.

    raises: NotFound for any other secret, a former one, and of who has left
    """
    staff = _whose(secret, now=now)
    with override(staff.user.language if staff.user else settings.LANGUAGE_CODE):
        return written(events_of(staff, now=now), name=_("My training"), now=now)


def _whose(secret: str, *, now: datetime) -> Staff:
    nobody = NotFound(_("There is no such calendar."))
    if not SECRET.fullmatch(secret):
        raise nobody
    rows = CalendarFeed.objects.select_related("staff__user")
    feed = rows.filter(ref=secret[:REF_LENGTH]).first()
    if feed is None or not hmac.compare_digest(secret_of(feed).encode(), secret.encode()):
        raise nobody
    staff = feed.staff
    has_left = staff.left_on is not None and staff.left_on <= local_day(now)
    if has_left or staff.user is None or not staff.user.is_active:
        raise nobody
    return staff


def events_of(staff: Staff, *, now: datetime) -> Iterator[CalendarEvent]:
    """Yield the slots of this person's sessions, then the days by which something is due."""
    today = local_day(now)
    yield from _slots(staff, today)
    yield from _due(staff)
    yield from _ending(staff, today)


def _slots(staff: Staff, today: date) -> Iterator[CalendarEvent]:
    waiting = set(
        Enrolment.objects.filter(staff=staff, state=Enrolment.State.WAITING).values_list(
            "session_id", flat=True
        )
    )
    alive = Enrolment.objects.alive().filter(staff=staff)
    rows = (
        Slot.objects.filter(
            session__in=alive.values("session_id"), session__ends_on__gt=today - KEPT
        )
        .exclude(session__state=Session.State.CANCELLED)
        .select_related("session__version__course")
        .order_by("starts_at", "id")
    )
    for slot in rows:
        session = slot.session
        waits = session.pk in waiting
        title = str(session.version.course)
        yield CalendarEvent(
            uid=_uid(f"slot-{slot.pk}"),
            title=_("%(course)s (waiting list)") % {"course": title} if waits else title,
            start=slot.starts_at,
            end=slot.ends_at,
            place=session.place,
            text=_("You are on the waiting list.") if waits else session.get_mode_display(),
            url=_full(reverse("training:courses-session", args=[session.code])),
            is_busy=not waits,
            status="TENTATIVE" if waits else "CONFIRMED",
        )


def _due(staff: Staff) -> Iterator[CalendarEvent]:
    rows = Obligation.objects.filter(staff=staff, state=Obligation.State.OPEN)
    for row in rows.select_related("course").order_by("due_on", "id"):
        yield CalendarEvent(
            uid=_uid(f"due-{staff.pk}-{row.course_id}"),
            title=_("Due: %(course)s") % {"course": row.course},
            start=row.due_on,
            text=_("The last day to have passed this course."),
            url=_full(reverse("training:courses-course", args=[row.course.code])),
            is_busy=False,
        )


def _ending(staff: Staff, today: date) -> Iterator[CalendarEvent]:
    rows = Certificate.objects.held_on(today).filter(staff=staff, expires_on__lte=today + AHEAD)
    for row in (
        rows.exclude(renewed_by_newer()).select_related("course").order_by("expires_on", "id")
    ):
        if row.expires_on is None:
            continue
        yield CalendarEvent(
            uid=_uid(f"certificate-{row.pk}"),
            title=_("Certificate ends: %(course)s") % {"course": row.course},
            start=row.expires_on - timedelta(days=1),
            text=_("The last day of certificate %(number)s.") % {"number": row.number},
            url=_full(reverse("training:courses-course", args=[row.course.code])),
            is_busy=False,
        )


def _uid(key: str) -> str:
    """The same thing has the same name for ever, and another installation another one."""
    base: str = settings.BASE_URL
    return f"{key}@{base.split('://')[-1]}"


def _full(path: str) -> str:
    base: str = settings.BASE_URL
    return base + path
