"""What the pages of certificates show: whose they are and what they are worth, one on paper,
training had elsewhere, and what closing a session will do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Unit, during, of_people
from sqcore.org.queries import local_day, organisation, tree_on
from training.certificates.models import Certificate, ExternalTraining, Standing
from training.certificates.queries import certificates_seen_by, externals_seen_by, renewed_by_newer
from training.competencies.queries import may_for
from training.courses.models import Course, Session
from training.courses.pages import hours
from training.enrolments.models import Attempt, Enrolment
from training.enrolments.pages import TONES, Frame, frame_of, money, score_said
from training.enrolments.queries import roster
from training.enrolments.services import minutes_of, outcome_of

Choices = list[tuple[str, str]]
STANDING_TONES = {
    Standing.VALID: ("good", "check"),
    Standing.DUE: ("watch", "watch"),
    Standing.EXPIRED: ("bad", "close"),
    Standing.REVOKED: ("bad", "close"),
}
CLAIM_TONES = {
    ExternalTraining.State.CLAIMED: ("watch", ""),
    ExternalTraining.State.APPROVED: ("good", "check"),
    ExternalTraining.State.REJECTED: ("bad", "close"),
}
MOST_CLAIMS = 100


# Certificates ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CertificateRow:
    """A certificate as it stands today; `last_on` is the last day on which it holds."""

    certificate: Certificate
    url: str
    standing: Standing
    tone: str
    symbol: str
    last_on: date | None


def certificate_row(certificate: Certificate, *, on: date) -> CertificateRow:
    standing = certificate.standing_on(on)
    ends_on = certificate.expires_on
    return CertificateRow(
        certificate,
        reverse("training:certificates-certificate", args=[certificate.pk]),
        standing,
        *STANDING_TONES[standing],
        last_on=ends_on - timedelta(days=1) if ends_on else None,
    )


def certificates_listed(
    *, principal: Principal, asked: Mapping[str, str], now: datetime
) -> QuerySet[Certificate]:
    """Return the certificates that are asked for, the newest first; those that end, the soonest."""
    today = local_day(now)
    found = certificates_seen_by(principal, on=today)
    if asked["course"]:
        found = found.filter(course__code=asked["course"])
    if asked["text"]:
        words = asked["text"]
        found = found.filter(
            Q(number__iexact=words)
            | Q(staff__number__istartswith=words)
            | Q(staff__name__icontains=words)
        )
    if asked["unit"]:
        found = found.filter(staff__in=_working_at(asked["unit"], today))
    condition = _of_standing(asked["standing"], today)
    if asked["standing"] in (Standing.DUE, Standing.EXPIRED):
        return found.filter(condition).exclude(renewed_by_newer()).order_by("expires_on", "id")
    return found.filter(condition).order_by("-id")


def _working_at(code: str, on: date) -> Any:
    """The people who work at a unit or below it on this day."""
    unit = Unit.objects.filter(code=code).values_list("pk", flat=True).first()
    below = tree_on(on).within([unit]) if unit else ()
    return Assignment.objects.filter(during(on), unit__in=below).values("staff_id")


def _of_standing(standing: str, on: date) -> Q:
    alive = Q(revoked_at__isnull=True)
    lasts = Q(expires_on__isnull=True) | Q(expires_on__gt=on)
    is_due = Q(due_on__isnull=False, due_on__lte=on)
    return {
        Standing.VALID.value: alive & lasts & ~is_due,
        Standing.DUE.value: alive & lasts & is_due,
        Standing.EXPIRED.value: alive & Q(expires_on__lte=on),
        Standing.REVOKED.value: Q(revoked_at__isnull=False),
    }.get(standing, Q())


def filter_choices(principal: Principal) -> dict[str, Choices]:
    units = Unit.objects.visible_to(principal, Permission.VIEW_TRAINING).order_by("code")
    return {
        "standings": [("", _("every standing")), *((s.value, str(s.label)) for s in Standing)],
        "courses": [("", _("every course")), *course_choices()],
        "units": [("", _("every unit")), *((unit.code, str(unit)) for unit in units)],
    }


def course_choices() -> Choices:
    return [(course.code, str(course)) for course in Course.objects.order_by("code")]


@dataclass(frozen=True)
class CertificatePage:
    row: CertificateRow
    organisation: str
    renewed_by: Certificate | None
    may_revoke: bool
    is_own: bool


def certificate_shown(pk: int, *, principal: Principal, now: datetime) -> Certificate:
    """raises: NotFound"""
    rows = certificates_seen_by(principal, on=local_day(now))
    found = rows.select_related("issued_by", "revoked_by").filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such certificate."))
    return found


def certificate_page(
    *, certificate: Certificate, principal: Principal, now: datetime
) -> CertificatePage:
    today = local_day(now)
    newer = certificate.renewed_by.order_by("-issued_on", "-id").first()
    is_own = certificate.staff_id == principal.staff_id
    return CertificatePage(
        row=certificate_row(certificate, on=today),
        organisation=str(organisation()),
        renewed_by=newer,
        may_revoke=certificate.revoked_at is None
        and not is_own
        and may_for(principal, Permission.MANAGE_TRAINING, certificate.staff_id, on=today),
        is_own=is_own,
    )


# Training had elsewhere --------------------------------------------------------------------------


@dataclass(frozen=True)
class ClaimRow:
    claim: ExternalTraining
    lasts: str
    cost: str
    tone: str
    symbol: str
    may_decide: bool


@dataclass(frozen=True)
class ExternalPage:
    """One's own claims, those that wait for who asks, and those that were decided lately."""

    own: Sequence[ClaimRow]
    waiting: Sequence[ClaimRow]
    decided: Sequence[ClaimRow]
    sees_others: bool

    @property
    def is_empty(self) -> bool:
        return not (self.own or self.waiting or self.decided)


def external_page(*, principal: Principal, now: datetime) -> ExternalPage:
    today = local_day(now)
    rows = externals_seen_by(principal, on=today)
    own = rows.filter(staff=principal.staff_id or 0).order_by("-claimed_at", "-id")
    others = rows.exclude(staff=principal.staff_id or 0)
    waiting = others.filter(state=ExternalTraining.State.CLAIMED).order_by("claimed_at", "id")
    decided = others.exclude(state=ExternalTraining.State.CLAIMED).order_by("-decided_at", "-id")
    mine = set(
        claims_to_decide(principal, on=today).values_list("pk", flat=True)[: 10 * MOST_CLAIMS]
    )
    return ExternalPage(
        own=[_claim_row(claim, may_decide=False) for claim in own[:MOST_CLAIMS]],
        waiting=[_claim_row(c, may_decide=c.pk in mine) for c in waiting[:MOST_CLAIMS]],
        decided=[_claim_row(claim, may_decide=False) for claim in decided[:MOST_CLAIMS]],
        sees_others=principal.may(Permission.VIEW_TRAINING),
    )


def _claim_row(claim: ExternalTraining, *, may_decide: bool) -> ClaimRow:
    tones = CLAIM_TONES[ExternalTraining.State(claim.state)]
    return ClaimRow(claim, hours(claim.minutes), money(claim.cost), *tones, may_decide=may_decide)


def claims_to_decide(principal: Principal, *, on: date) -> QuerySet[ExternalTraining]:
    """Return the claims of others that wait for who asks; not what they claimed themselves."""
    if principal.user is None or not principal.may(Permission.MANAGE_TRAINING):
        return ExternalTraining.objects.none()
    return (
        ExternalTraining.objects.filter(
            of_people(principal, Permission.MANAGE_TRAINING, on=on),
            state=ExternalTraining.State.CLAIMED,
        )
        .exclude(staff=principal.staff_id or 0)
        .exclude(claimed_by=principal.user)
        .defer("evidence")
    )


def claims_waiting(principal: Principal) -> list[QuerySet[ExternalTraining]]:
    """Return what the navigation counts."""
    if principal.user is None or not principal.may(Permission.MANAGE_TRAINING):
        return []
    return [claims_to_decide(principal, on=local_day(timezone.now()))]


def external_shown(pk: int, *, principal: Principal, now: datetime) -> ExternalTraining:
    """Return a claim without its evidence. raises: NotFound"""
    found = externals_seen_by(principal, on=local_day(now)).filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such claim."))
    return found


def evidence_shown(pk: int, *, principal: Principal, now: datetime) -> ExternalTraining:
    """Return a claim with its evidence. raises: NotFound"""
    rows = ExternalTraining.objects.visible_to(principal, on=local_day(now))
    found = rows.filter(pk=pk, evidence__isnull=False).first()
    if found is None:
        raise NotFound(_("There is no such file."))
    return found


def claim_page(*, claim: ExternalTraining, principal: Principal, now: datetime) -> ClaimRow:
    mine = claims_to_decide(principal, on=local_day(now)).filter(pk=claim.pk)
    return _claim_row(claim, may_decide=mine.exists())


# Closing a session -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What closing makes of one person, and why."""

    enrolment: Enrolment
    label: str
    tone: str
    symbol: str
    attended: str
    score: str
    why: str


@dataclass(frozen=True)
class ClosePage:
    """What will happen when a session is closed now; nothing has happened yet."""

    frame: Frame
    outcomes: Sequence[Outcome]
    said: Sequence[str]
    is_over: bool
    unsaid: int


def close_page(*, session: Session, principal: Principal, now: datetime) -> ClosePage:
    slots = list(session.slots.all())
    offered = sum(minutes_of(slot) for slot in slots)
    people = roster(session)
    seated = [row for row in people if row.state == Enrolment.State.ENROLLED]
    for row in seated:
        row.session = session
    outcomes = [_outcome(row, offered) for row in seated]
    waiting = sum(row.state == Enrolment.State.WAITING for row in people)
    return ClosePage(
        frame=frame_of(session, principal=principal, now=now),
        outcomes=outcomes,
        said=list(_said(session, seated, offered, waiting)),
        is_over=all(slot.ends_at <= now for slot in slots),
        unsaid=sum(not row.attendances.all() for row in seated),
    )


def _tests(row: Enrolment) -> list[Attempt]:
    return [attempt for attempt in row.attempts.all() if attempt.kind == Attempt.Kind.TEST]


def _outcome(row: Enrolment, offered: int) -> Outcome:
    state = outcome_of(row, _tests(row), offered=offered)
    tone, symbol = TONES[state]
    return Outcome(
        row,
        str(state.label),
        tone,
        symbol,
        _("%(n)d of %(total)d min") % {"n": row.minutes, "total": offered},
        score_said(row.attempts.all()),
        _why(row, state, offered),
    )


def _why(row: Enrolment, state: Enrolment.State, offered: int) -> str:
    """Say why somebody does not pass."""
    if state == Enrolment.State.ABSENT:
        return _("was there for no minute and took no test")
    if state != Enrolment.State.FAILED:
        return ""
    version, reasons = row.session.version, []
    if row.minutes * 100 < version.attendance * offered:
        reasons.append(_("less than %(n)d %% of the minutes") % {"n": version.attendance})
    if version.pass_mark is not None and not any(test.passed for test in _tests(row)):
        reasons.append(_("test not passed") if _tests(row) else _("no result of the test"))
    return ", ".join(reasons)


def _said(
    session: Session, seated: Iterable[Enrolment], offered: int, waiting: int
) -> Iterable[str]:
    """Say in sentences what closing will do."""
    states = [outcome_of(row, _tests(row), offered=offered) for row in seated]
    passed = states.count(Enrolment.State.PASSED)
    failed = states.count(Enrolment.State.FAILED)
    absent = states.count(Enrolment.State.ABSENT)
    yield ngettext("%(n)d person passes.", "%(n)d people pass.", passed) % {"n": passed}
    yield ngettext("%(n)d person does not pass.", "%(n)d people do not pass.", failed) % {
        "n": failed
    }
    yield ngettext("%(n)d person did not come.", "%(n)d people did not come.", absent) % {
        "n": absent
    }
    if session.version.certifies:
        yield ngettext("%(n)d certificate is issued.", "%(n)d certificates are issued.", passed) % {
            "n": passed
        }
    if session.version.reaction and passed + failed:
        yield ngettext(
            "%(n)d person is asked how it was, anonymously.",
            "%(n)d people are asked how it was, anonymously.",
            passed + failed,
        ) % {"n": passed + failed}
    if waiting:
        yield ngettext(
            "%(n)d person on the waiting list is let go.",
            "%(n)d people on the waiting list are let go.",
            waiting,
        ) % {"n": waiting}
