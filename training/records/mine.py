"""What one person has to do with training: what is due and the way there, sessions, certificates,
needs, how a session was; for the page of that person, for Home and for a person's page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import in_language
from sqcore.dashboards.tags import day
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from sqcore.questionnaires.port import questionnaires
from training.certificates.models import Certificate, Standing
from training.certificates.pages import CertificateRow, certificate_row
from training.certificates.queries import certificates_of
from training.courses.models import Session
from training.courses.pages import SessionRow, session_rows
from training.courses.queries import reaction_person, reaction_subject
from training.enrolments.models import Enrolment
from training.enrolments.pages import TONES, days_said, slot_open_at
from training.enrolments.queries import my_enrolments
from training.needs.models import Need
from training.records.feed import address_of, feed_of
from training.requirements.models import Obligation

State = Enrolment.State
COMING = (State.ENROLLED, State.WAITING)
ASKED_FOR = timedelta(days=14)
"""How long after its session somebody is asked how it was."""
MOST_ASKED = 3
MOST_PAST = 10
SOON = timedelta(days=30)
NEXT = timedelta(days=14)


@dataclass(frozen=True)
class Due:
    """By when something has to be done, in words and with its tone."""

    text: str
    tone: str


def due_mark(due_on: date, *, on: date) -> Due:
    """Return how far a day is away: overdue 3 days, due in 5 days, due 2 Mar 2026."""
    days = (due_on - on).days
    if days < 0:
        said = ngettext("overdue %(n)d day", "overdue %(n)d days", -days) % {"n": -days}
        return Due(said, "bad")
    if days == 0:
        return Due(_("due today"), "watch")
    if days <= SOON.days:
        return Due(ngettext("due in %(n)d day", "due in %(n)d days", days) % {"n": days}, "watch")
    return Due(_("due %(day)s") % {"day": day(due_on)}, "")


@dataclass(frozen=True)
class Duty:
    """A course that has to be passed, and the way there: one's own session, or one to enrol in."""

    obligation: Obligation
    due: Due
    reason: str
    enrolled: str
    offer: SessionRow | None
    ask: str


@dataclass(frozen=True)
class Ahead:
    """A session that one is in, or waits for."""

    enrolment: Enrolment
    title: str
    when: str
    tone: str
    symbol: str
    may_sign_in: bool
    may_leave: bool


@dataclass(frozen=True)
class Past:
    enrolment: Enrolment
    title: str
    when: str
    tone: str
    symbol: str
    reaction: str | None


@dataclass(frozen=True)
class NeedRow:
    need: Need
    title: str
    reasons: Sequence[str]
    planned: str
    teaches: str


@dataclass(frozen=True)
class Mine:
    duties: Sequence[Duty]
    ahead: Sequence[Ahead]
    past: Sequence[Past]
    certificates: Sequence[CertificateRow]
    needs: Sequence[NeedRow]
    address: str

    @property
    def is_empty(self) -> bool:
        return not (self.duties or self.ahead or self.past or self.certificates or self.needs)

    @property
    def overdue(self) -> int:
        return sum(duty.due.tone == "bad" for duty in self.duties)

    @cached_property
    def asked(self) -> Sequence[Past]:
        """The sessions of which one may still say how they were."""
        return [past for past in self.past if past.reaction]


def mine(*, principal: Principal, staff_id: int, now: datetime) -> Mine:
    """Return all that is about the training of who asks."""
    today = local_day(now)
    enrolments = list(my_enrolments(staff_id))
    newest = _newest(certificates_of(staff_id))
    feed = feed_of(staff_id)
    return Mine(
        duties=_duties(principal, staff_id, enrolments, now=now),
        ahead=[_ahead(row, now=now) for row in reversed(enrolments) if _is_coming(row)],
        past=list(_past(enrolments, staff_id, now=now)),
        certificates=[certificate_row(each, on=today) for each in newest],
        needs=_needs(staff_id),
        address=address_of(feed) if feed else "",
    )


def _is_coming(row: Enrolment) -> bool:
    return row.state in COMING and row.session.state == Session.State.PLANNED


def _newest(certificates: Iterable[Certificate]) -> list[Certificate]:
    """The newest certificate of each course; revoked ones only where there is no other."""
    found: dict[int, Certificate] = {}
    for each in certificates:
        held = found.setdefault(each.course_id, each)
        if held.revoked_at is not None and each.revoked_at is None:
            found[each.course_id] = each
    return list(found.values())


# What has to be done -----------------------------------------------------------------------------


def _duties(
    principal: Principal, staff_id: int, enrolments: Sequence[Enrolment], *, now: datetime
) -> list[Duty]:
    today = local_day(now)
    rows = list(
        Obligation.objects.filter(staff=staff_id, state=Obligation.State.OPEN)
        .select_related("course", "requirement")
        .order_by("due_on", "id")
    )
    coming = {row.session.version.course_id: row for row in enrolments if _is_coming(row)}
    offers = _offers({row.course_id for row in rows} - set(coming), principal, now=now)
    return [
        Duty(
            obligation=row,
            due=due_mark(row.due_on, on=today),
            reason=row.requirement.reason,
            enrolled=_enrolled(coming.get(row.course_id)),
            offer=offers.get(row.course_id),
            ask="" if row.course_id in coming else _ask(offers.get(row.course_id)),
        )
        for row in rows
    ]


def _enrolled(row: Enrolment | None) -> str:
    if row is None:
        return ""
    when = days_said(row.session)
    if row.state == State.WAITING:
        return _("on the waiting list for %(when)s") % {"when": when}
    return _("you have a seat: %(when)s") % {"when": when}


def _offers(
    courses: Iterable[int], principal: Principal, *, now: datetime
) -> dict[int, SessionRow]:
    """The session of each course to go to: one to enrol in with a free seat before all others."""
    wanted = list(courses)
    if not wanted:
        return {}
    sessions = Session.objects.visible_to(principal).filter(
        version__course__in=wanted,
        state=Session.State.PLANNED,
        starts_on__gt=local_day(now),
    )
    found: dict[int, SessionRow] = {}
    for row in session_rows(sessions, principal=principal, now=now):
        course = row.session.version.course_id
        held = found.get(course)
        if held is None or _worth(row) > _worth(held):
            found[course] = row
    return found


def _worth(row: SessionRow) -> tuple[bool, bool]:
    return row.may_enrol, row.free > 0


def _ask(offer: SessionRow | None) -> str:
    """Say whom to ask where one cannot enrol oneself."""
    if offer is None:
        return _("No session is planned yet; ask your manager or HR.")
    if offer.may_enrol:
        return ""
    when = days_said(offer.session)
    return _("Next session: %(when)s. Your manager or HR enrols you.") % {"when": when}


# Sessions ----------------------------------------------------------------------------------------


def _ahead(row: Enrolment, *, now: datetime) -> Ahead:
    slots = list(row.session.slots.all())
    begun = any(slot.starts_at <= now for slot in slots)
    return Ahead(
        row,
        str(row.session.version.course),
        days_said(row.session),
        *TONES[State(row.state)],
        may_sign_in=row.state == State.ENROLLED and slot_open_at(slots, now) is not None,
        may_leave=row.origin == Enrolment.Origin.SELF and not begun,
    )


def _past(enrolments: Iterable[Enrolment], staff_id: int, *, now: datetime) -> Iterable[Past]:
    ended = [row for row in enrolments if row.concluded_on is not None][:MOST_PAST]
    asked = 0
    for row in ended:
        link = None
        closed_at = row.session.closed_at
        is_asked = row.state != State.ABSENT and row.session.version.reaction
        if is_asked and closed_at and now - closed_at <= ASKED_FOR and asked < MOST_ASKED:
            asked += 1
            link = questionnaires().link_of(
                subject=reaction_subject(row.session_id),
                person=reaction_person(staff_id),
                now=now,
            )
        yield Past(
            row,
            str(row.session.version.course),
            days_said(row.session),
            *TONES[State(row.state)],
            reaction=link,
        )


# Needs -------------------------------------------------------------------------------------------


def _needs(staff_id: int) -> list[NeedRow]:
    rows = (
        Need.objects.waiting()
        .filter(staff=staff_id)
        .select_related("competency", "course", "enrolment__session")
        .prefetch_related("reasons", "competency__taught_by__course")
        .order_by("-benefit", "id")
    )
    return [_need(row) for row in rows]


def _need(row: Need) -> NeedRow:
    planned = row.enrolment.session if row.enrolment else None
    taught = row.competency.taught_by.all() if row.competency else ()
    return NeedRow(
        row,
        str(row.competency or row.course),
        [
            in_language(reason.text) or str(reason.get_origin_display())
            for reason in row.reasons.all()
        ],
        days_said(planned) if planned else "",
        ", ".join(str(each.course) for each in taught if each.course.is_active),
    )


# On the pages of others --------------------------------------------------------------------------


@dataclass(frozen=True)
class DueSoon:
    """What Home says about one's own training."""

    duties: Sequence[tuple[Obligation, Due]]
    sessions: Sequence[tuple[Enrolment, str]]
    ending: Sequence[CertificateRow]


def due_soon(*, staff_id: int, now: datetime) -> DueSoon:
    """Return what is overdue or due within a month, and the sessions of the next two weeks."""
    today = local_day(now)
    duties = (
        Obligation.objects.filter(
            staff=staff_id, state=Obligation.State.OPEN, due_on__lte=today + SOON
        )
        .select_related("course")
        .order_by("due_on", "id")
    )
    sessions = (
        Enrolment.objects.filter(
            staff=staff_id,
            state=State.ENROLLED,
            session__state=Session.State.PLANNED,
            session__ends_on__gte=today,
            session__starts_on__lte=today + NEXT,
        )
        .select_related("session__version__course")
        .order_by("session__starts_on", "id")
    )
    owed = [(row, due_mark(row.due_on, on=today)) for row in duties]
    known = {row.course_id for row, _mark in owed}
    rows = [certificate_row(each, on=today) for each in _newest(certificates_of(staff_id))]
    ending = [
        row
        for row in rows
        if row.standing == Standing.DUE and row.certificate.course_id not in known
    ]
    return DueSoon(owed, [(row, days_said(row.session)) for row in sessions], ending)


def training_of(
    *, principal: Principal, staff_id: int, now: datetime
) -> tuple[list[tuple[Obligation, Due]], list[tuple[Enrolment, str]]]:
    """Return what a person still owes and the sessions ahead, of who may see their training."""
    today = local_day(now)
    owed = (
        Obligation.objects.visible_to(principal, on=today)
        .filter(staff=staff_id, state=Obligation.State.OPEN)
        .select_related("course")
        .order_by("due_on", "id")
    )
    ahead = (
        Enrolment.objects.visible_to(principal, on=today)
        .filter(staff=staff_id, state__in=COMING, session__state=Session.State.PLANNED)
        .select_related("session__version__course")
        .order_by("session__starts_on", "id")
    )
    return (
        [(row, due_mark(row.due_on, on=today)) for row in owed[:20]],
        [(row, days_said(row.session)) for row in ahead[:20]],
    )
