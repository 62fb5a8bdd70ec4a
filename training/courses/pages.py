"""What the pages of courses show: the catalogue, a course, the programme board by month."""

from calendar import Calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, F, FilteredRelation, Min, Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils.dates import MONTHS
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import NotFound, NotPermitted
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from training.competencies.models import Competency, Level
from training.courses.models import Course, CourseVersion, Mode, Session, Slot
from training.courses.queries import courses_seen_by, may_manage

Choices = list[tuple[str, str]]
GONE = ("cancelled", "waiting")
"""States of an enrolment that take no seat."""
MOST_SLOTS = 500
"""Slots of one month on the board."""
MOST_LATE = 20


def reads_courses(principal: Principal) -> bool:
    """True for who works here or sees to training."""
    return principal.staff_id is not None or principal.may(Permission.VIEW_TRAINING)


def require_reader(principal: Principal) -> None:
    """raises: NotPermitted for who neither works here nor sees to training"""
    if not reads_courses(principal):
        raise NotPermitted(_("Courses are for who works here, and who sees to training."))


def plans_somewhere(principal: Principal) -> bool:
    return bool(planning_scope(principal))


def planning_scope(principal: Principal) -> Scope:
    return principal.scope(Permission.PLAN_TRAINING) | principal.scope(Permission.MANAGE_TRAINING)


def runs_courses(principal: Principal) -> bool:
    """True for who writes courses and their versions."""
    return may_manage(principal, None)


def hours(minutes: int) -> str:
    """Return minutes as people say them.

    >>> hours(45), hours(90), hours(480)
    ('45 min', '1 h 30 min', '8 h')
    """
    whole, rest = divmod(minutes, 60)
    if not whole:
        return _("%(n)d min") % {"n": rest}
    if not rest:
        return _("%(n)d h") % {"n": whole}
    return _("%(hours)d h %(minutes)d min") % {"hours": whole, "minutes": rest}


def validity_of(version: CourseVersion) -> str:
    """Say what the certificate of this version is worth, and for how long."""
    if not version.certifies:
        return _("no certificate")
    if version.valid_months is None:
        return _("certificate for ever")
    months = ngettext(
        "certificate for %(n)d month", "certificate for %(n)d months", version.valid_months
    ) % {"n": version.valid_months}
    if version.renewal == CourseVersion.Renewal.CALENDAR and version.renewal_month:
        # Translators: how long a certificate holds, and the month of the year in which it ends
        return _("%(months)s, to the end of %(month)s") % {
            "months": months,
            "month": MONTHS[version.renewal_month],
        }
    return months


# The catalogue -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CatalogueRow:
    course: Course
    version: CourseVersion | None
    lasts: str
    validity: str
    description: str


def catalogue(*, principal: Principal, asked: Mapping[str, Any], now: datetime) -> QuerySet[Course]:
    """Return the courses that are offered, with the day of the next session as `next_on`."""
    today = local_day(now)
    found = courses_seen_by(principal).filter(is_active=True)
    if asked["mode"]:
        found = found.filter(mode=asked["mode"])
    if asked["open"]:
        found = found.filter(is_open=True)
    if asked["text"]:
        found = found.filter(Q(name__icontains=asked["text"]) | Q(code__icontains=asked["text"]))
    ahead = Q(versions__sessions__state="planned", versions__sessions__starts_on__gt=today)
    return found.annotate(next_on=Min("versions__sessions__starts_on", filter=ahead)).order_by(
        F("next_on").asc(nulls_last=True), "code"
    )


def catalogue_rows(courses: Iterable[Course]) -> list[CatalogueRow]:
    rows = []
    for course in courses:
        newest = next(iter(course.versions.all()), None)
        rows.append(
            CatalogueRow(
                course,
                newest,
                hours(newest.minutes) if newest else "",
                validity_of(newest) if newest else "",
                in_language(course.description or {}),
            )
        )
    return rows


# A course ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SessionRow:
    """A session as a person meets it in a list; `mine` is the state of their own enrolment."""

    session: Session
    taken: int
    waiting: int
    mine: str
    mine_id: int | None
    may_enrol: bool
    why_not: str

    @property
    def free(self) -> int:
        return max(self.session.capacity - self.taken, 0)


@dataclass(frozen=True)
class CoursePage:
    course: Course
    version: CourseVersion | None
    versions: list[tuple[CourseVersion, str]]
    validity: str
    lasts: str
    description: str
    needs: list[Course]
    opens: list[Course]
    teaches: list[tuple[Competency, str]]
    sessions: list[SessionRow]
    may_manage: bool
    may_plan: bool


def course_shown(code: str, *, principal: Principal) -> Course:
    """Return a course with all that its page needs. raises: NotPermitted, NotFound"""
    require_reader(principal)
    found = courses_seen_by(principal).prefetch_related("opens__course").filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no such course."))
    return found


def course_page(*, course: Course, principal: Principal, now: datetime) -> CoursePage:
    versions = list(course.versions.all())
    newest = versions[0] if versions else None
    ahead = session_rows(
        Session.objects.visible_to(principal).filter(
            version__course=course, state=Session.State.PLANNED, ends_on__gte=local_day(now)
        ),
        principal=principal,
        now=now,
    )
    return CoursePage(
        course=course,
        version=newest,
        versions=[(version, validity_of(version)) for version in versions],
        validity=validity_of(newest) if newest else "",
        lasts=hours(newest.minutes) if newest else "",
        description=in_language(course.description or {}),
        needs=[row.needs for row in course.prerequisites.all()],
        opens=[row.course for row in course.opens.all()],
        teaches=[(row.competency, str(Level(row.level).label)) for row in course.teaches.all()],
        sessions=ahead,
        may_manage=runs_courses(principal),
        may_plan=course.is_active and bool(versions) and plans_somewhere(principal),
    )


def session_rows(
    sessions: QuerySet[Session], *, principal: Principal, now: datetime
) -> list[SessionRow]:
    """Return sessions with their seats and one's own place, the first at the top. One query."""
    today = local_day(now)
    found = with_seats(sessions).select_related("version__course", "unit", "trainer")
    found = found.alias(
        own=FilteredRelation(
            "enrolments",
            condition=Q(enrolments__staff=principal.staff_id or 0)
            & ~Q(enrolments__state="cancelled"),
        )
    ).annotate(mine=F("own__state"), mine_id=F("own__id"))
    return [
        _session_row(session, principal, today) for session in found.order_by("starts_on", "id")
    ]


def with_seats(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Annotate `taken` and `waiting`."""
    return sessions.annotate(
        taken=Count("enrolments", filter=~Q(enrolments__state__in=GONE), distinct=True),
        waiting=Count("enrolments", filter=Q(enrolments__state="waiting"), distinct=True),
    )


def _session_row(session: Session, principal: Principal, today: date) -> SessionRow:
    values: Any = session
    why_not = why_not_enrol(session, principal, today)
    return SessionRow(
        session,
        values.taken,
        values.waiting,
        values.mine or "",
        values.mine_id,
        not values.mine and not why_not,
        "" if values.mine else why_not,
    )


def why_not_enrol(session: Session, principal: Principal, today: date) -> str:
    """Say why somebody cannot enrol themselves; empty when they can."""
    if session.state != Session.State.PLANNED:
        return session.get_state_display()
    if principal.staff_id is None:
        return " "
    if not session.version.course.is_open:
        return _("Your manager or HR enrols you.")
    last = session.enrol_until or session.starts_on
    if last < today:
        return _("Enrolment has ended.")
    return ""


# Planning a session ------------------------------------------------------------------------------


def units_to_plan_at(principal: Principal, *, now: datetime) -> dict[str, Unit]:
    """Return the open units at which who asks plans training, by their code."""
    scope = planning_scope(principal)
    units = Unit.objects.open_on(local_day(now))
    found = units if scope.everywhere else units.filter(pk__in=scope.units)
    return {unit.code: unit for unit in found.order_by("code")}


def unit_choices(principal: Principal, units: Mapping[str, Unit]) -> Choices:
    """Return these units to choose from, and none of them for who plans everywhere."""
    found = [(code, str(unit)) for code, unit in units.items()]
    everywhere = planning_scope(principal).everywhere
    return [("", _("no unit of its own")), *found] if everywhere else found


def suggested_code(course: Course, first: datetime) -> str:
    """Return a code for a session that nothing has yet: the course and its first day."""
    base = slugify(f"{course.code[:38]}-{local_day(first):%y%m%d}")
    known = set(Session.objects.filter(code__startswith=base).values_list("code", flat=True))
    return next(
        code
        for n in range(1, len(known) + 2)
        if (code := base if n == 1 else f"{base}-{n}") not in known
    )


# The programme board -----------------------------------------------------------------------------


@dataclass(frozen=True)
class BoardEntry:
    """One slot of a session on its day."""

    session: Session
    title: str
    at: str
    seats: str
    is_full: bool
    is_cancelled: bool
    slot: Slot


@dataclass(frozen=True)
class BoardDay:
    on: date
    is_within: bool
    is_today: bool
    entries: list[BoardEntry]


@dataclass(frozen=True)
class BoardPage:
    """A month as weeks of days, with the sessions that wait to be closed."""

    title: str
    weekdays: list[str]
    weeks: list[list[BoardDay]]
    former: str
    following: str
    this: str
    n_sessions: int
    courses: Choices
    units: Choices
    late: Sequence[Session]
    may_plan: bool

    @property
    def is_empty(self) -> bool:
        return self.n_sessions == 0


def board_page(*, principal: Principal, asked: Mapping[str, str], now: datetime) -> BoardPage:
    """Return the month that is asked for (default: this one) with its slots."""
    today = local_day(now)
    first = date.fromisoformat(f"{asked['month']}-01") if asked["month"] else today.replace(day=1)
    days = list(Calendar().monthdatescalendar(first.year, first.month))
    sessions = _asked_sessions(principal, asked)
    entries = _entries(sessions, first=days[0][0], last=days[-1][-1])
    weeks = [
        [BoardDay(on, on.month == first.month, on == today, entries.get(on, [])) for on in week]
        for week in days
    ]
    within = {
        entry.session.pk for week in weeks for day in week if day.is_within for entry in day.entries
    }
    return BoardPage(
        title=date_format(first, "YEAR_MONTH_FORMAT"),
        weekdays=[date_format(on, "l") for on in days[0]],
        weeks=weeks,
        former=f"{first - timedelta(days=1):%Y-%m}",
        following=f"{first + timedelta(days=31):%Y-%m}",
        this=f"{first:%Y-%m}",
        n_sessions=len(within),
        courses=[("", _("every course")), *_course_choices()],
        units=[("", _("every unit")), *_unit_choices(principal)],
        late=_late(principal, today),
        may_plan=plans_somewhere(principal),
    )


def _asked_sessions(principal: Principal, asked: Mapping[str, str]) -> QuerySet[Session]:
    found = Session.objects.visible_to(principal)
    if asked["course"]:
        found = found.filter(version__course__code=asked["course"])
    if asked["unit"]:
        found = found.filter(unit__code=asked["unit"])
    return found


def _entries(
    sessions: QuerySet[Session], *, first: date, last: date
) -> dict[date, list[BoardEntry]]:
    """The slots of these days, by their local day. Two queries."""
    seen = with_seats(sessions.filter(starts_on__lte=last, ends_on__gte=first))
    rows = (
        Slot.objects.filter(session__in=sessions.filter(starts_on__lte=last, ends_on__gte=first))
        .order_by("starts_at", "id")
        .prefetch_related(
            Prefetch("session", seen.select_related("version__course", "unit", "trainer"))
        )[:MOST_SLOTS]
    )
    found: dict[date, list[BoardEntry]] = {}
    for slot in rows:
        on = local_day(slot.starts_at)
        if first <= on <= last:
            found.setdefault(on, []).append(_entry(slot))
    return found


def _entry(slot: Slot) -> BoardEntry:
    session = slot.session
    values: Any = session
    seats = _("%(taken)d of %(seats)d") % {"taken": values.taken, "seats": session.capacity}
    if values.waiting:
        seats = _("%(seats)s, %(n)d wait") % {"seats": seats, "n": values.waiting}
    return BoardEntry(
        session,
        str(session.version.course),
        f"{_clock(slot.starts_at)}–{_clock(slot.ends_at)}",
        seats,
        values.taken >= session.capacity,
        session.state == Session.State.CANCELLED,
        slot,
    )


def _clock(at: datetime) -> str:
    return date_format(localtime(at), "H:i")


def _late(principal: Principal, today: date) -> Sequence[Session]:
    """Sessions that are over and wait to be closed, of who may close them."""
    scope = planning_scope(principal)
    own = Q(trainer=principal.staff_id) if principal.staff_id else Q(pk__in=())
    if scope.everywhere:
        own = Q()
    elif scope:
        own |= Q(unit__in=scope.units)
    return list(
        Session.objects.visible_to(principal)
        .filter(own, state=Session.State.PLANNED, ends_on__lt=today)
        .select_related("version__course", "unit")
        .order_by("ends_on", "id")[:MOST_LATE]
    )


def _course_choices() -> Choices:
    return [(course.code, str(course)) for course in Course.objects.order_by("code")]


def _unit_choices(principal: Principal) -> Choices:
    rows = Unit.objects.visible_to(principal).filter(training_sessions__isnull=False).distinct()
    return [(unit.code, str(unit)) for unit in rows.order_by("code")]


def mode_choices() -> Choices:
    return [("", _("every mode")), *((mode.value, str(mode.label)) for mode in Mode)]


def course_crumbs(course: Course, last: str = "") -> dict[str, list[tuple[str, str]]]:
    """The trail of a page below a course."""
    trail = [(_("Courses"), reverse("training:courses-list"))]
    if not last:
        return {"trail": [*trail, (str(course), "")]}
    return {
        "trail": [
            *trail,
            (str(course), reverse("training:courses-course", args=[course.code])),
            (last, ""),
        ]
    }
