"""What the pages of a session show: who is in it, who could be, presence, results, the door."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import segno
from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import (
    Case,
    F,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import in_language, number
from sqcore.dashboards.tags import day, moment
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Staff, Unit, during
from sqcore.org.queries import local_day
from training.courses.models import Session, Slot
from training.courses.pages import hours, planning_scope, plans_somewhere, why_not_enrol
from training.courses.queries import may_manage, may_plan, may_run
from training.enrolments.models import Attempt, Attendance, Enrolment
from training.enrolments.queries import Seats, seats
from training.enrolments.services import DOOR, minutes_of, sign_in_code

State = Enrolment.State
PEOPLE_A_PAGE = 50
MOST_FOUND = 50
MOST_SLOTS = 20
"""Slots that the grid of minutes shows at once."""
TONES = {
    State.ENROLLED: ("accent", ""),
    State.WAITING: ("watch", ""),
    State.PASSED: ("good", "check"),
    State.FAILED: ("bad", "close"),
    State.ABSENT: ("bad", "close"),
    State.CANCELLED: ("", ""),
}
SESSION_TONES = {
    Session.State.PLANNED: ("accent", "calendar"),
    Session.State.HELD: ("good", "check"),
    Session.State.CANCELLED: ("", "close"),
}


@dataclass(frozen=True)
class Tab:
    title: str
    url: str
    is_here: bool


@dataclass(frozen=True)
class Frame:
    """What every page of a session shows: what it is, where one is, what one may do with it."""

    session: Session
    title: str
    state: str
    tone: str
    symbol: str
    when: str
    planned_cost: str
    actual_cost: str
    is_planned: bool
    is_over: bool
    may_run: bool
    may_plan: bool
    may_enrol: bool
    tabs: Sequence[Tab]
    trail: Sequence[tuple[str, str]]


def frame_of(session: Session, *, principal: Principal, now: datetime, here: str = "") -> Frame:
    """Return the frame of a session's page; `here` is the name of the address that is shown."""
    runs = may_run(principal, session)
    plans = may_plan(principal, session.unit_id)
    is_planned = session.state == Session.State.PLANNED
    tone, symbol = SESSION_TONES[Session.State(session.state)]
    course = session.version.course
    return Frame(
        session=session,
        title=str(course),
        state=session.get_state_display(),
        tone=tone,
        symbol=symbol,
        when=days_said(session),
        planned_cost=money(session.planned_cost),
        actual_cost=money(session.actual_cost or 0),
        is_planned=is_planned,
        is_over=session.ends_on < local_day(now) or not is_planned,
        may_run=runs,
        may_plan=plans,
        may_enrol=is_planned and plans_somewhere(principal),
        tabs=_tabs(session, here) if runs else (),
        trail=[
            (_("Sessions"), reverse("training:courses-calendar")),
            (str(course), reverse("training:courses-course", args=[course.code])),
            (days_said(session), ""),
        ],
    )


def may_close(principal: Principal, session: Session) -> bool:
    """True for who closes this session: where it gives certificates, who sees to those."""
    may = may_manage if session.version.certifies else may_plan
    return may(principal, session.unit_id)


def _tabs(session: Session, here: str) -> list[Tab]:
    names = [
        ("courses-session", _("People")),
        ("enrolments-attendance", _("Presence")),
        ("enrolments-results", _("Tests")),
    ]
    if session.state == Session.State.PLANNED:
        names.append(("enrolments-door", _("Sign-in")))
    return [
        Tab(title, reverse(f"training:{name}", args=[session.code]), name == here)
        for name, title in names
    ]


def money(cents: int) -> str:
    """Return an amount in the currency."""
    return number(cents / 100, 2)


def days_said(session: Session) -> str:
    """Return the days of a session: 2 Mar 2026, or 2 Mar 2026 – 4 Mar 2026."""
    first, last = day(session.starts_on), day(session.ends_on)
    return first if first == last else f"{first} – {last}"


# The session -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RosterRow:
    """A person in a session; `place` on the waiting list counts from 1."""

    enrolment: Enrolment
    unit: str
    tone: str
    symbol: str
    attended: str
    score: str
    certificate: str
    certificate_url: str
    place: int | None
    may_cancel: bool


@dataclass(frozen=True)
class Mine:
    """One's own place in a session, and what one may do about it."""

    enrolment: Enrolment | None
    place: int | None
    may_join: bool
    why_not: str
    may_leave: bool
    may_sign_in: bool


@dataclass(frozen=True)
class SessionPage:
    frame: Frame
    seats: Seats
    slots: Sequence[Slot]
    lasts: str
    mine: Mine | None
    rows: Sequence[RosterRow]
    page: Page[Enrolment]
    sees_all: bool
    sees_cost: bool
    may_close: bool
    is_full: bool


def session_page(
    *, session: Session, principal: Principal, page: str | None, now: datetime
) -> SessionPage:
    today = local_day(now)
    frame = frame_of(session, principal=principal, now=now, here="courses-session")
    slots = list(session.slots.all())
    found = _people(session, principal, on=today)
    filled = seats(session)
    paginator = Paginator(found, PEOPLE_A_PAGE)
    if frame.may_run:
        paginator.count = filled.taken + filled.waiting
    shown = paginator.get_page(page)
    places = _places(session) if filled.waiting else {}
    full = filled.free <= 0
    return SessionPage(
        frame=frame,
        seats=filled,
        slots=slots,
        lasts=hours(sum(minutes_of(slot) for slot in slots)),
        mine=_mine(session, principal, slots, places, now=now),
        rows=_roster_rows(shown, slots, places, principal, frame),
        page=shown,
        sees_all=frame.may_run,
        sees_cost=frame.may_plan,
        may_close=frame.is_planned
        and may_close(principal, session)
        and all(slot.ends_at <= now for slot in slots),
        is_full=full,
    )


_IN_LINE = tuple(
    Case(When(state=State.WAITING, then=F(name))).asc(nulls_first=True)
    for name in ("waits_since", "id")
)
"""The order of the waiting list; who has a seat by now stands in it no more."""


def _people(session: Session, principal: Principal, *, on: date) -> QuerySet[Enrolment]:
    """Who is in a session, the waiting list last and in its order; all of them for who runs it."""
    found = session.enrolments.alive()
    if not may_run(principal, session):
        found = found.visible_to(principal, on=on)
    waits_last = Case(
        When(state=State.WAITING, then=Value(1)), default=Value(0), output_field=IntegerField()
    )
    unit = Unit.objects.filter(pk=OuterRef("unit_id"))
    return (
        found.annotate(waits_last=waits_last, unit_name=Subquery(unit.values("name")[:1]))
        .select_related("staff", "certificate")
        .prefetch_related(
            Prefetch("attendances", Attendance.objects.order_by("slot_id")),
            Prefetch("attempts", Attempt.objects.order_by("recorded_at", "id")),
        )
        .order_by("waits_last", *_IN_LINE, "staff__name", "id")
    )


def _roster_rows(
    rows: Iterable[Enrolment],
    slots: Sequence[Slot],
    places: Mapping[int, int],
    principal: Principal,
    frame: Frame,
) -> list[RosterRow]:
    total = sum(minutes_of(slot) for slot in slots)
    scope = planning_scope(principal)
    return [
        _roster_row(row, places, total, may_cancel=frame.is_planned and _in(scope, row))
        for row in rows
    ]


def _in(scope: Any, row: Enrolment) -> bool:
    return bool(scope.everywhere or (row.unit_id is not None and row.unit_id in scope))


def _places(session: Session) -> dict[int, int]:
    """The places on the waiting list, by enrolment."""
    waiting = session.enrolments.filter(state=State.WAITING).order_by("waits_since", "id")
    return {pk: place for place, pk in enumerate(waiting.values_list("pk", flat=True), start=1)}


def _roster_row(
    row: Enrolment,
    places: Mapping[int, int],
    total: int,
    *,
    may_cancel: bool,
) -> RosterRow:
    tone, symbol = TONES[State(row.state)]
    values: Any = row
    certificate = getattr(row, "certificate", None)
    return RosterRow(
        enrolment=row,
        unit=in_language(values.unit_name or {}),
        tone=tone,
        symbol=symbol,
        attended=_("%(n)d of %(total)d min") % {"n": row.minutes, "total": total}
        if row.attendances.all()
        else "",
        score=score_said(row.attempts.all()),
        certificate=certificate.number if certificate else "",
        certificate_url=reverse("training:certificates-certificate", args=[certificate.pk])
        if certificate
        else "",
        place=places.get(row.pk),
        may_cancel=may_cancel and row.state in (State.ENROLLED, State.WAITING),
    )


def score_said(attempts: Iterable[Attempt]) -> str:
    """Return the best result of the test of the course, and how often it was tried."""
    scores = [attempt.score for attempt in attempts if attempt.kind == Attempt.Kind.TEST]
    if not scores:
        return ""
    tries = ngettext("%(n)d attempt", "%(n)d attempts", len(scores)) % {"n": len(scores)}
    return f"{max(scores):.0f} % ({tries})"


def _mine(
    session: Session,
    principal: Principal,
    slots: Sequence[Slot],
    places: Mapping[int, int],
    *,
    now: datetime,
) -> Mine | None:
    if principal.staff_id is None:
        return None
    row = session.enrolments.alive().filter(staff=principal.staff_id).first()
    why_not = "" if row else why_not_enrol(session, principal, local_day(now))
    begun = any(slot.starts_at <= now for slot in slots)
    is_own = row is not None and row.origin == Enrolment.Origin.SELF
    alive = row is not None and row.state in (State.ENROLLED, State.WAITING)
    return Mine(
        enrolment=row,
        place=places.get(row.pk) if row else None,
        may_join=row is None and not why_not and not begun,
        why_not=why_not,
        may_leave=is_own and alive and not begun,
        may_sign_in=row is not None
        and row.state == State.ENROLLED
        and slot_open_at(slots, now) is not None,
    )


def slot_open_at(slots: Iterable[Slot], now: datetime) -> Slot | None:
    """Return the slot at whose door one can sign in now."""
    return next(
        (slot for slot in slots if slot.starts_at - DOOR <= now <= slot.ends_at + DOOR), None
    )


# Who could be enrolled ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """Somebody who could be enrolled; `standing` is their place in the session already."""

    staff: Staff
    where: str
    standing: str


@dataclass(frozen=True)
class EnrolPage:
    frame: Frame
    seats: Seats
    candidates: Sequence[Candidate]
    more: bool
    ways: Sequence[tuple[str, str]]
    way: str
    text: str


def enrol_page(
    *, session: Session, principal: Principal, way: str, text: str, now: datetime
) -> EnrolPage:
    """Return people to enrol: who owes the course, who needs it, or who was searched for."""
    today = local_day(now)
    found = _found(session, principal, way=way, text=text, on=today)
    listed = list(found[: MOST_FOUND + 1])
    there = dict(
        session.enrolments.alive()
        .filter(staff__in=[staff.pk for staff in listed])
        .values_list("staff_id", "state")
    )
    return EnrolPage(
        frame=frame_of(session, principal=principal, now=now),
        seats=seats(session),
        candidates=[
            Candidate(
                staff,
                ", ".join(f"{each.unit} · {each.post}" for each in staff.here),
                str(State(there[staff.pk]).label) if staff.pk in there else "",
            )
            for staff in listed[:MOST_FOUND]
        ],
        more=len(listed) > MOST_FOUND,
        ways=[("owed", _("Must have it")), ("needed", _("Need it")), ("search", _("Search"))],
        way=way,
        text=text,
    )


def _found(
    session: Session, principal: Principal, *, way: str, text: str, on: date
) -> QuerySet[Any]:
    course = session.version.course_id
    found = people_to_enrol(principal, on=on)
    if way == "owed":
        found = found.filter(obligations__course=course, obligations__state="open").order_by(
            "obligations__due_on", "name", "id"
        )
    elif way == "needed":
        wanted = Q(training_needs__course=course) | Q(
            training_needs__competency__taught_by__course=course
        )
        ids = Staff.objects.filter(wanted, training_needs__state="open").values("pk")
        found = found.filter(pk__in=ids).order_by("name", "id")
    else:
        said = Q(name__icontains=text) | Q(number__istartswith=text)
        found = found.filter(said).order_by("name", "id") if text else found.none()
    here = Assignment.objects.filter(during(on)).select_related("unit", "post").order_by("id")
    return found.prefetch_related(Prefetch("assignments", here, to_attr="here"))


def people_to_enrol(principal: Principal, *, on: date) -> QuerySet[Staff]:
    """Return who works here and may be enrolled by who asks."""
    scope = planning_scope(principal)
    found = Staff.objects.filter(Q(left_on__isnull=True) | Q(left_on__gt=on))
    if scope.everywhere:
        return found
    assigned = Assignment.objects.filter(during(on), unit__in=scope.units)
    return found.filter(pk__in=assigned.values("staff_id"))


def people_numbered(numbers: Sequence[str], *, principal: Principal, on: date) -> dict[int, Staff]:
    """Return those of these staff numbers whom who asks may enrol, by their id."""
    found = people_to_enrol(principal, on=on).filter(number__in=set(numbers))
    return {staff.pk: staff for staff in found}


# Presence and results ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """Minutes of one person in one slot; without a record `minutes` is None."""

    name: str
    label: str
    when: str
    minutes: int | None
    most: int
    is_open: bool


@dataclass(frozen=True)
class GridRow:
    enrolment: Enrolment
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Grid:
    """The minutes of the people of a page in the slots, with what stands behind each cell."""

    frame: Frame
    slots: Sequence[Slot]
    rows: Sequence[GridRow]
    page: Page[Enrolment]
    is_open: bool
    begun: Sequence[Slot]
    hidden: int


def grid_of(*, session: Session, principal: Principal, page: str | None, now: datetime) -> Grid:
    slots = list(session.slots.all())[:MOST_SLOTS]
    frame = frame_of(session, principal=principal, now=now, here="enrolments-attendance")
    people = _people(session, principal, on=local_day(now)).exclude(state=State.WAITING)
    shown = Paginator(people, PEOPLE_A_PAGE).get_page(page)
    return Grid(
        frame=frame,
        slots=slots,
        rows=[
            GridRow(row, [_cell(row, slot, frame, principal, now) for slot in slots])
            for row in shown
        ],
        page=shown,
        is_open=frame.is_planned,
        begun=[slot for slot in slots if slot.starts_at <= now],
        hidden=max(session.slots.count() - MOST_SLOTS, 0),
    )


def _cell(row: Enrolment, slot: Slot, frame: Frame, principal: Principal, now: datetime) -> Cell:
    held = next((each.minutes for each in row.attendances.all() if each.slot_id == slot.pk), None)
    is_open = (
        frame.is_planned
        and row.state == State.ENROLLED
        and slot.starts_at <= now
        and row.staff_id != principal.staff_id
    )
    return Cell(
        name=f"m{row.pk}-{slot.pk}",
        label=row.staff.name,
        when=moment(slot.starts_at),
        minutes=held,
        most=minutes_of(slot),
        is_open=is_open,
    )


@dataclass(frozen=True)
class ResultRow:
    enrolment: Enrolment
    tone: str
    symbol: str
    made: Sequence[Attempt]
    name: str
    is_open: bool


@dataclass(frozen=True)
class Results:
    frame: Frame
    rows: Sequence[ResultRow]
    page: Page[Enrolment]


def results_of(
    *, session: Session, principal: Principal, page: str | None, now: datetime
) -> Results:
    frame = frame_of(session, principal=principal, now=now, here="enrolments-results")
    people = _people(session, principal, on=local_day(now)).exclude(state=State.WAITING)
    shown = Paginator(people, PEOPLE_A_PAGE).get_page(page)
    open_states = (State.ENROLLED,) if frame.is_planned else (State.PASSED, State.FAILED)
    return Results(
        frame=frame,
        rows=[
            ResultRow(
                row,
                *TONES[State(row.state)],
                made=list(row.attempts.all()),
                name=f"s{row.pk}",
                is_open=row.state in open_states and row.staff_id != principal.staff_id,
            )
            for row in shown
        ],
        page=shown,
    )


# The door ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DoorPage:
    """The code of a slot, with the picture of the address that carries it."""

    frame: Frame
    slot: Slot | None
    code: str
    image: SafeString | None
    address: str
    present: int
    expected: int
    following: Slot | None


def door_page(*, session: Session, principal: Principal, now: datetime) -> DoorPage:
    slots = list(session.slots.all())
    frame = frame_of(session, principal=principal, now=now, here="enrolments-door")
    slot = slot_open_at(slots, now) if frame.is_planned else None
    code = sign_in_code(session=session, slot=slot, now=now) if slot else ""
    address = sign_in_address(session)
    present = slot.attendances.filter(minutes__gt=0).count() if slot else 0
    return DoorPage(
        frame=frame,
        slot=slot,
        code=code,
        image=_drawing(f"{address}?code={code}") if slot else None,
        address=address,
        present=present,
        expected=seats(session).taken,
        following=next((each for each in slots if each.starts_at > now), None),
    )


def sign_in_address(session: Session) -> str:
    base: str = settings.BASE_URL
    return base + reverse("training:enrolments-sign-in", args=[session.code])


def _drawing(address: str) -> SafeString:
    image = segno.make(address, error="m", micro=False).svg_inline(
        border=3, omitsize=True, svgclass=None, lineclass=None
    )
    return mark_safe(image)  # noqa: S308 - drawn here, holds no text from outside
