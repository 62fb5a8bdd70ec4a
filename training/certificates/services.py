"""Closing sessions, issuing and revoking certificates, taking training that was had elsewhere.

Who issues holds the person: of two that would issue the same at once, one finds the other's.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.events import CertificateIssued, CertificateRevoked, TrainingCompleted
from sqcore.base.text import in_all_languages, in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.services import notify
from sqcore.org.models import Staff, Unit
from sqcore.org.queries import local_day, root_unit_id
from sqcore.questionnaires.port import questionnaires
from training.certificates.files import clean_name, kind_of
from training.certificates.models import Certificate, ExternalTraining, NumberSeries
from training.certificates.rules import Validity, until, validity_of
from training.competencies.models import Evidence
from training.competencies.queries import held_levels, may_for
from training.competencies.services import record_evidence, withdraw_evidence
from training.courses.models import Course, CourseVersion, Session
from training.courses.queries import (
    may_manage,
    may_plan,
    newest_version,
    reaction_person,
    reaction_subject,
    version_on,
)
from training.courses.services import FIRST_DAY, LAST_DAY, MOST_COST, MOST_MINUTES, wrong
from training.enrolments.models import Enrolment
from training.enrolments.queries import may_enrol
from training.enrolments.services import conclude_enrolments, held_session, said_why

ASKED_FOR = timedelta(days=14)
"""How long people are asked how a session was."""


# ---- Closing a session ---------------------------------------------------------------------------
@transaction.atomic
def close_session(
    *, session_id: int, actual_cost: int | None, by: Principal, now: datetime
) -> Session:
    """Conclude a session that is over: each enrolment once, evidence of what is taught and a
    certificate for who passed, and the questionnaire after it for who was there. Closed again,
    nothing changes. Cost in cents.

    By who plans at its unit; where it gives certificates, by who sees to those and takes no part.
    raises: NotFound; NotPermitted; InvalidInput; Conflict while it runs, or when it was called off
    """
    session = held_session(session_id)
    may = may_manage if session.version.certifies else may_plan
    if not may(by, session.unit_id):
        raise NotPermitted(_("Who runs training at the unit closes this session."))
    if session.state == Session.State.HELD:
        return session
    if session.version.certifies and _takes_part(by, session):
        raise NotPermitted(_("You would certify yourself; another person closes this session."))
    _refuse_to_close(session, actual_cost, now)
    session.state, session.closed_at, session.actual_cost = Session.State.HELD, now, actual_cost
    session.save(update_fields=["state", "closed_at", "actual_cost"])
    people = conclude_enrolments(session=session, by=by, now=now)
    for enrolment in people:
        if enrolment.state == Enrolment.State.PASSED:
            _complete(enrolment, session, by=by, now=now)
    asked = _ask_how_it_was(session, people, now=now)
    record(
        action="session.closed",
        subject=f"session:{session.pk}",
        by=by,
        now=now,
        details={
            "cost": actual_cost,
            "outcomes": {str(row.pk): str(row.state) for row in people},
            "asked": asked,
        },
    )
    return session


def _takes_part(by: Principal, session: Session) -> bool:
    seated = session.enrolments.filter(state=Enrolment.State.ENROLLED)
    return by.staff_id is not None and seated.filter(staff=by.staff_id).exists()


def _refuse_to_close(session: Session, actual_cost: int | None, now: datetime) -> None:
    if session.state == Session.State.CANCELLED:
        raise Conflict(_("This session was called off."))
    if session.slots.filter(ends_at__gt=now).exists():
        raise Conflict(_("The session is not over yet."))
    if actual_cost is not None and not 0 <= actual_cost <= MOST_COST:
        raise wrong("actual_cost", _("Costs are not below zero."))


def _complete(enrolment: Enrolment, session: Session, *, by: Principal, now: datetime) -> None:
    version, on = session.version, enrolment.concluded_on or session.ends_on
    source = _Source(enrolment=enrolment)
    certificate = None
    if version.certifies:
        certificate, _is_new = _issue(
            enrolment.staff, version.course, version, on, source=source, by=by, now=now
        )
    _record_taught(
        enrolment.staff, version.course, on, source.reference,
        expires_on=certificate.expires_on if certificate else None, by=by, now=now,
    )  # fmt: skip
    publish(
        TrainingCompleted(
            enrolment_id=enrolment.pk,
            staff_id=enrolment.staff_id,
            course=version.course.code,
            on=on.isoformat(),
            title=version.course.name,
        ),
        now=now,
    )


def _record_taught(
    staff: Staff,
    course: Course,
    on: date,
    reference: str,
    *,
    expires_on: date | None,
    by: Principal,
    now: datetime,
) -> None:
    """Keep that somebody has the levels that the course teaches, where they are not above them."""
    held = held_levels([staff.pk], on=on)
    for taught in course.teaches.select_related("competency").order_by("competency"):
        if held.get((staff.pk, taught.competency_id), 0) <= taught.level:
            record_evidence(
                staff=staff,
                competency=taught.competency,
                level=taught.level,
                kind=Evidence.Kind.COURSE,
                on=on,
                text=in_language(course.name),
                expires_on=expires_on,
                reference=f"{reference}:{taught.competency.code}",
                by=by,
                now=now,
            )


def _ask_how_it_was(session: Session, people: list[Enrolment], *, now: datetime) -> int:
    """Open the questionnaire of the course for who was there; return how many are asked.

    A course whose questionnaire is gone is closed without it.
    """
    template = session.version.reaction
    there = [row for row in people if row.state != Enrolment.State.ABSENT]
    if not template or not there:
        return 0
    today = local_day(now)
    unit = session.unit or Unit.objects.get(pk=root_unit_id(on=today))
    try:
        with transaction.atomic():
            questionnaires().open(
                subject=reaction_subject(session.pk),
                template=template,
                name=session.version.course.name,
                unit=unit,
                persons=[reaction_person(row.staff_id) for row in there],
                opens_on=today,
                closes_on=today + ASKED_FOR,
                now=now,
            )
    except NotFound:
        return 0
    return len(there)


# ---- Certificates --------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Source:
    """Where a certificate comes from; from each at most one."""

    enrolment: Enrolment | None = None
    external: ExternalTraining | None = None
    external_key: str | None = None
    number: str | None = None

    @property
    def reference(self) -> str:
        """Name it in evidence."""
        if self.enrolment is not None:
            return f"enrolment:{self.enrolment.pk}"
        return f"external:{self.external.pk}" if self.external is not None else ""

    def of(self, staff: Staff, course: Course, issued_on: date) -> QuerySet[Certificate]:
        """Return the certificate that came from it; of no source, the one of the same day."""
        named: dict[str, Any] = {
            "enrolment": self.enrolment,
            "external": self.external,
            "external_key": self.external_key,
            "number": self.number,
        }
        same = Q(pk__in=())
        for name, value in named.items():
            if value is not None:
                same |= Q(**{name: value})
        if not any(value is not None for value in named.values()):
            same = Q(staff=staff, course=course, issued_on=issued_on, revoked_at__isnull=True)
        return Certificate.objects.filter(same).order_by("id")


@transaction.atomic
def issue_certificate(
    *,
    staff_id: int,
    course: Course,
    version: CourseVersion | None,
    issued_on: date,
    enrolment: Enrolment | None = None,
    external: ExternalTraining | None = None,
    external_key: str | None = None,
    number: str | None = None,
    expires_on: date | None = None,
    by: Principal,
    now: datetime,
) -> Certificate:
    """Issue a certificate, once a source; without a source once a person, course and day. How long
    it holds follows from the version unless `expires_on` says so.

    By who sees to certificates where the person works, never for oneself.
    raises: NotFound; NotPermitted; InvalidInput; Conflict for a source or number of another person
    """
    staff = _held_person(staff_id)
    _require_issuer(staff.pk, by, now)
    if any(each is not None and each.staff_id != staff.pk for each in (enrolment, external)):
        raise Conflict(_("It belongs to another person or course already."))
    source = _Source(enrolment, external, external_key or None, number or None)
    certificate, _is_new = _issue(
        staff, course, version, issued_on, source=source, expires_on=expires_on, by=by, now=now
    )
    return certificate


@transaction.atomic
def take_certificate(
    *,
    external_key: str,
    staff_number: str,
    course_code: str,
    issued_on: date,
    expires_on: date | None = None,
    by: Principal,
    now: datetime,
) -> tuple[Certificate, bool]:
    """Take a certificate that another system keeps under its key; return it, and whether it is new.
    Sent again with other days, they take the place of the former ones.

    raises: NotPermitted; InvalidInput naming each field; Conflict for the key of another person or
    course, or of a certificate that was revoked
    """
    staff = Staff.objects.filter(number=staff_number).first()
    course = Course.objects.filter(code=course_code).first()
    if staff is not None and by.staff_id == staff.pk:
        raise NotPermitted(_("Another person does this for you."))
    faults = {
        # Of people elsewhere a system learns nothing, not even that they are there.
        "staff": (staff is None or not _may_issue(staff.pk, by, now))
        and _("There is no such person."),
        "course": course is None and _("There is no such course."),
        "external_key": not 1 <= len(external_key) <= 80
        and _("Give a key of at most %(most)d characters.") % {"most": 80},
    }
    problems = [Problem(str(why), field=name) for name, why in faults.items() if why]
    if problems or staff is None or course is None:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)
    held = _held_person(staff.pk)
    certificate, is_new = _issue(
        held, course, version_on(course, issued_on), issued_on,
        source=_Source(external_key=external_key), expires_on=expires_on, by=by, now=now,
    )  # fmt: skip
    if not is_new:
        _take_days(certificate, issued_on, expires_on, by=by, now=now)
    return certificate, is_new


def _take_days(
    certificate: Certificate,
    issued_on: date,
    expires_on: date | None,
    *,
    by: Principal,
    now: datetime,
) -> None:
    holds = _validity(certificate.version, issued_on, expires_on, today=local_day(now))
    asked = (issued_on, holds.due_on, holds.expires_on)
    if (certificate.issued_on, certificate.due_on, certificate.expires_on) == asked:
        return
    if certificate.revoked_at is not None:
        raise Conflict(_("This certificate was revoked."))
    certificate.issued_on, certificate.due_on, certificate.expires_on = asked
    certificate.save(update_fields=["issued_on", "due_on", "expires_on"])
    _note("changed", certificate, by=by, now=now)
    # What follows from it is computed again by who hears of it.
    _publish_issued(certificate, now=now)


def _issue(
    staff: Staff,
    course: Course,
    version: CourseVersion | None,
    issued_on: date,
    *,
    source: _Source,
    by: Principal,
    now: datetime,
    expires_on: date | None = None,
) -> tuple[Certificate, bool]:
    """Return the certificate of a source, and whether it was issued just now. The caller holds the
    person. raises: InvalidInput, Conflict"""
    there = source.of(staff, course, issued_on).first()
    if there is not None:
        if (there.staff_id, there.course_id) != (staff.pk, course.pk):
            raise Conflict(_("It belongs to another person or course already."))
        return there, False
    holds = _validity(version, issued_on, expires_on, today=local_day(now))
    certificate = Certificate.objects.create(
        number=source.number or _next_number(issued_on.year),
        staff=staff,
        course=course,
        version=version,
        enrolment=source.enrolment,
        external=source.external,
        external_key=source.external_key,
        renews=_renewed(staff, course, issued_on),
        issued_on=issued_on,
        due_on=holds.due_on,
        expires_on=holds.expires_on,
        issued_by=by.user,
        issued_at=now,
    )
    _note("issued", certificate, by=by, now=now)
    _publish_issued(certificate, now=now)
    return certificate, True


def _validity(
    version: CourseVersion | None, issued_on: date, expires_on: date | None, *, today: date
) -> Validity:
    """Return how long it holds; until a newer version took the place of its version at the most.

    raises: InvalidInput
    """
    if not FIRST_DAY <= issued_on <= today:
        raise wrong("issued_on", _("A certificate is issued today or before, from 2000 on."))
    if expires_on is not None and not issued_on < expires_on <= LAST_DAY:
        raise wrong("expires_on", _("It ends after the day it is issued."))
    due_days = version.due_days if version else 60
    holds = validity_of(version, issued_on)
    if expires_on is not None:
        holds = until(expires_on, issued_on=issued_on, due_days=due_days)
    replaced_on = _replaced_on(version) if version else None
    if replaced_on is None or issued_on >= replaced_on:
        return holds
    if holds.expires_on is not None and holds.expires_on <= replaced_on:
        return holds
    return until(replaced_on, issued_on=issued_on, due_days=due_days)


def _replaced_on(version: CourseVersion) -> date | None:
    newer = CourseVersion.objects.filter(
        course=version.course_id, number__gt=version.number, replaces_older=True
    )
    at = newer.order_by("number").values_list("published_at", flat=True).first()
    return local_day(at) if at else None


def _renewed(staff: Staff, course: Course, issued_on: date) -> Certificate | None:
    former = Certificate.objects.filter(
        staff=staff, course=course, revoked_at__isnull=True, issued_on__lte=issued_on
    )
    return former.order_by("-issued_on", "-id").first()


def _next_number(year: int) -> str:
    NumberSeries.objects.get_or_create(year=year)
    series = NumberSeries.objects.select_for_update().get(year=year)
    number = ""
    while not number or Certificate.objects.filter(number=number).exists():
        series.last += 1
        number = f"C-{year}-{series.last:06d}"
    series.save(update_fields=["last"])
    return number


@transaction.atomic
def revoke_certificate(
    *, certificate_id: int, why: str, by: Principal, now: datetime
) -> Certificate:
    """Take a certificate back for a reason; evidence that came with it counts no longer, and the
    person is told. Again, nothing changes.

    raises: NotFound; NotPermitted; InvalidInput
    """
    rows = Certificate.objects.select_for_update(of=("self",), no_key=True)
    seen = rows.visible_to(by, on=local_day(now)).filter(pk=certificate_id)
    certificate = seen.select_related("staff__user", "course").first()
    if certificate is None:
        raise NotFound(_("There is no such certificate."))
    _require_issuer(certificate.staff_id, by, now)
    if certificate.revoked_at is not None:
        return certificate
    said = said_why(why)
    certificate.revoked_at, certificate.revoked_by, certificate.revoked_why = now, by.user, said
    certificate.save(update_fields=["revoked_at", "revoked_by", "revoked_why"])
    _withdraw_evidence_of(certificate, said, now=now)
    _note("revoked", certificate, by=by, now=now)
    publish(
        CertificateRevoked(
            certificate_id=certificate.pk,
            staff_id=certificate.staff_id,
            course=certificate.course.code,
            reason=said,
        ),
        now=now,
    )
    _tell(certificate.staff, f"certificate:{certificate.pk}:revoked", REVOKED,
          certificate.course.name, said, now=now)  # fmt: skip
    return certificate


def _withdraw_evidence_of(certificate: Certificate, why: str, *, now: datetime) -> None:
    source = _Source(enrolment=certificate.enrolment, external=certificate.external)
    if not source.reference:
        return
    rows = Evidence.objects.filter(
        staff=certificate.staff_id,
        reference__startswith=f"{source.reference}:",
        withdrawn_at__isnull=True,
    )
    for pk in rows.order_by("id").values_list("pk", flat=True):
        # Who revokes has been checked; the ledger names them beside the certificate.
        withdraw_evidence(evidence_id=pk, why=why, by=system_principal("certificates"), now=now)


@transaction.atomic
def end_older_certificates(*, version_id: int, on: date, now: datetime) -> int:
    """End the certificates of older versions on this day where this version takes their place;
    return how many. Those that end sooner stay as they are."""
    version = CourseVersion.objects.select_related("course").get(pk=version_id)
    if not version.replaces_older:
        return 0
    older = Certificate.objects.filter(
        Q(version__isnull=True) | Q(version__number__lt=version.number),
        Q(expires_on__isnull=True) | Q(expires_on__gt=on),
        course=version.course_id,
        revoked_at__isnull=True,
        issued_on__lt=on,
    )
    ended = older.update(
        due_on=Case(When(due_on__lt=on, then=F("due_on")), default=Value(on)), expires_on=on
    )
    if ended:
        record(
            action="certificates.replaced",
            subject=f"course:{version.course_id}",
            by=system_principal("certificates"),
            now=now,
            details={"version": version.number, "on": on.isoformat(), "ended": ended},
        )
    return ended


# ---- Training had elsewhere ----------------------------------------------------------------------
@transaction.atomic
def claim_external(
    *,
    staff_id: int,
    course: Course | None,
    title: str,
    provider: str,
    ended_on: date,
    minutes: int,
    cost: int,
    file_name: str,
    content: bytes | None,
    by: Principal,
    now: datetime,
) -> ExternalTraining:
    """Claim training that was had elsewhere, with evidence; another person decides. By the person,
    or by who plans training where they work, who may leave the evidence out. The same claim again
    is the one that is there.

    raises: NotFound; NotPermitted; InvalidInput naming each field
    """
    staff = _held_person(staff_id)
    plans = may_enrol(by, staff.pk, on=local_day(now))
    if by.staff_id != staff.pk and not plans:
        raise NotPermitted(_("You may not claim training of this person."))
    said, where = " ".join(title.split()), " ".join(provider.split())
    _refuse_claim(said, where, ended_on, minutes, cost, today=local_day(now))
    waiting = ExternalTraining.objects.exclude(state=ExternalTraining.State.REJECTED)
    there = waiting.filter(staff=staff, title=said, ended_on=ended_on).defer("evidence").first()
    if there is not None:
        return there
    if content is None and (by.staff_id == staff.pk or not plans):
        raise wrong("evidence", _("Attach what shows it: a certificate, a confirmation."))
    kind = kind_of(content) if content is not None else ""
    external = ExternalTraining.objects.create(
        staff=staff,
        course=course,
        title=said,
        provider=where,
        ended_on=ended_on,
        minutes=minutes,
        cost=cost,
        evidence_name=clean_name(file_name, kind=kind) if kind else "",
        evidence_type=kind,
        evidence=content,
        claimed_by=by.user,
        claimed_at=now,
    )
    _note_external("claimed", external, by=by, now=now, size=len(content or b""))
    return external


def _refuse_claim(
    title: str, provider: str, ended_on: date, minutes: int, cost: int, *, today: date
) -> None:
    """raises: InvalidInput naming each field"""
    faults = {
        "title": (not title or len(title) > 200)
        and _("Write something here, at most %(most)d characters.") % {"most": 200},
        "provider": (not provider or len(provider) > 150)
        and _("Write something here, at most %(most)d characters.") % {"most": 150},
        "ended_on": (ended_on > today and _("This day is still to come."))
        or (ended_on < FIRST_DAY and _("This day cannot be meant.")),
        "minutes": not 1 <= minutes <= MOST_MINUTES
        and _("Give a number from %(least)d to %(most)d.") % {"least": 1, "most": MOST_MINUTES},
        "cost": not 0 <= cost <= MOST_COST and _("Costs are not below zero."),
    }
    problems = [Problem(str(why), field=name) for name, why in faults.items() if why]
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


@transaction.atomic
def decide_external(
    *,
    external_id: int,
    approve: bool,
    why: str,
    course: Course | None = None,
    by: Principal,
    now: datetime,
) -> ExternalTraining:
    """Accept training had elsewhere, or not; by who sees to certificates where the person works,
    never by the person or who claimed it. Accepted for a course it counts as having passed that,
    with its certificate. The person is told; the same decision again changes nothing.

    raises: NotFound; NotPermitted; InvalidInput without a reason against it; Conflict when it was
    decided otherwise
    """
    external = _held_external(external_id, by, now)
    _require_issuer(external.staff_id, by, now)
    if by.user is None:
        raise NotPermitted(_("Only a person does this."))
    if external.claimed_by_id == by.user.pk:
        raise NotPermitted(_("You claimed it; another person decides."))
    wanted = ExternalTraining.State.APPROVED if approve else ExternalTraining.State.REJECTED
    if external.state == wanted:
        return external
    if external.state != ExternalTraining.State.CLAIMED:
        raise Conflict(_("It was decided already."))
    said = " ".join(why.split())[:500] if approve else said_why(why)
    external.state, external.why = wanted, said
    external.decided_by, external.decided_at = by.user, now
    external.course = course or external.course
    external.save(update_fields=["state", "why", "decided_by", "decided_at", "course"])
    _note_external("approved" if approve else "rejected", external, by=by, now=now)
    if approve and external.course is not None:
        _count_external(external, external.course, by=by, now=now)
    _tell(external.staff, f"external:{external.pk}:decided", APPROVED if approve else REJECTED,
          {"en": external.title}, said, now=now)  # fmt: skip
    return external


def _held_external(external_id: int, by: Principal, now: datetime) -> ExternalTraining:
    """Return a claim after holding its person, as everywhere. raises: NotFound"""
    seen = ExternalTraining.objects.visible_to(by, on=local_day(now)).filter(pk=external_id)
    staff_id = seen.values_list("staff_id", flat=True).first()
    if staff_id is None:
        raise NotFound(_("There is no such claim."))
    staff = _held_person(staff_id)
    rows = ExternalTraining.objects.select_for_update(of=("self",), no_key=True)
    external = rows.select_related("course").defer("evidence").get(pk=external_id)
    external.staff = staff
    return external


def _count_external(
    external: ExternalTraining, course: Course, *, by: Principal, now: datetime
) -> None:
    version, source = newest_version(course), _Source(external=external)
    certificate = None
    if version is not None and version.certifies:
        certificate, _is_new = _issue(
            external.staff, course, version, external.ended_on, source=source, by=by, now=now
        )
    _record_taught(
        external.staff, course, external.ended_on, source.reference,
        expires_on=certificate.expires_on if certificate else None, by=by, now=now,
    )  # fmt: skip
    publish(
        TrainingCompleted(
            enrolment_id=None,
            external_id=external.pk,
            staff_id=external.staff_id,
            course=course.code,
            on=external.ended_on.isoformat(),
            title=course.name,
        ),
        now=now,
    )


# ---- Who may, what is noted, who is told ---------------------------------------------------------
def _held_person(staff_id: int) -> Staff:
    found = Staff.objects.select_for_update(of=("self",), no_key=True).select_related("user")
    staff = found.filter(pk=staff_id).first()
    if staff is None:
        raise NotFound(_("There is no such person."))
    return staff


def _may_issue(staff_id: int, by: Principal, now: datetime) -> bool:
    return may_for(by, Permission.MANAGE_TRAINING, staff_id, on=local_day(now))


def _require_issuer(staff_id: int, by: Principal, now: datetime) -> None:
    if by.staff_id is not None and by.staff_id == staff_id:
        raise NotPermitted(_("Another person does this for you."))
    if not _may_issue(staff_id, by, now):
        raise NotPermitted(_("Who runs training where this person works does this."))


def _publish_issued(certificate: Certificate, *, now: datetime) -> None:
    publish(
        CertificateIssued(
            certificate_id=certificate.pk,
            staff_id=certificate.staff_id,
            course=certificate.course.code,
            on=certificate.issued_on.isoformat(),
            title=certificate.course.name,
        ),
        now=now,
    )


def _note(act: str, certificate: Certificate, *, by: Principal, now: datetime) -> None:
    ends_on = certificate.expires_on
    record(
        action=f"certificate.{act}",
        subject=f"certificate:{certificate.pk}",
        by=by,
        now=now,
        details={
            "staff": certificate.staff_id,
            "course": certificate.course_id,
            "issued_on": certificate.issued_on.isoformat(),
            "expires_on": ends_on.isoformat() if ends_on else None,
        },
    )


def _note_external(
    act: str, external: ExternalTraining, *, by: Principal, now: datetime, **details: Any
) -> None:
    said = {"staff": external.staff_id, "course": external.course_id, **details}
    record(
        action=f"external.{act}", subject=f"external:{external.pk}", by=by, now=now, details=said
    )


REVOKED = gettext_lazy("A certificate was taken back: %(name)s")
APPROVED = gettext_lazy("Your training elsewhere counts: %(name)s")
REJECTED = gettext_lazy("Your training elsewhere was not accepted: %(name)s")


def _tell(
    staff: Staff, key: str, title: Any, name: dict[str, str], why: str, *, now: datetime
) -> None:
    if staff.user is None:
        return
    notify(
        readers=[staff.user],
        key=key,
        title=in_all_languages(title, name=name),
        body={"en": why},
        reason=in_all_languages(gettext_lazy("It is about your training.")),
        link=reverse("training:records-mine"),
        now=now,
    )
