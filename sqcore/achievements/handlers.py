"""What happened elsewhere in the house becomes an achievement of a person."""

from datetime import date, datetime

from sqcore.achievements import services
from sqcore.achievements.models import Kind
from sqcore.base.bus import handles
from sqcore.base.events import (
    AwardGranted,
    CertificateIssued,
    CertificateRevoked,
    EffectVerified,
    TrainingCompleted,
)
from sqcore.org.queries import local_day

IMPROVED = "improved"


@handles(CertificateIssued, key="achievements.certificate")
def record_certificate(event: CertificateIssued, now: datetime) -> None:
    services.record_achievement(
        staff_id=event.staff_id,
        kind=Kind.CERTIFICATE,
        title=event.title,
        on=date.fromisoformat(event.on),
        reference=f"certificate:{event.certificate_id}",
        now=now,
    )


@handles(CertificateRevoked, key="achievements.certificate_revoked")
def take_certificate_back(event: CertificateRevoked, now: datetime) -> None:
    services.take_back(
        staff_id=event.staff_id,
        kind=Kind.CERTIFICATE,
        title={"en": event.course},
        reference=f"certificate:{event.certificate_id}",
        reason=event.reason,
        now=now,
    )


@handles(TrainingCompleted, key="achievements.course")
def record_course(event: TrainingCompleted, now: datetime) -> None:
    elsewhere = event.enrolment_id is None
    services.record_achievement(
        staff_id=event.staff_id,
        kind=Kind.COURSE,
        title=event.title,
        on=date.fromisoformat(event.on),
        reference=f"external:{event.external_id}"
        if elsewhere
        else f"enrolment:{event.enrolment_id}",
        now=now,
    )


@handles(EffectVerified, key="achievements.improvement")
def record_improvement(event: EffectVerified, now: datetime) -> None:
    """Only what really became better counts; a ticket counts once for each who carried it out."""
    if event.verdict == IMPROVED:
        services.record_improvement(
            ticket_id=event.ticket_id,
            staff_ids=event.staff_ids,
            on=date.fromisoformat(event.on) if event.on else local_day(now),
            now=now,
        )


@handles(AwardGranted, key="achievements.award")
def record_award(event: AwardGranted, now: datetime) -> None:
    services.record_achievement(
        staff_id=event.staff_id,
        kind=Kind.AWARD,
        title=event.title,
        on=date.fromisoformat(event.on),
        reference=f"award:{event.entry_id}",
        now=now,
    )
