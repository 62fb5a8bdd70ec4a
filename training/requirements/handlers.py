"""What somebody owes is worked out anew when something happens that may meet it."""

from datetime import date, datetime

from sqcore.base.bus import handles
from sqcore.base.events import (
    CertificateIssued,
    CertificateRevoked,
    CourseVersionPublished,
    PeopleMoved,
    TrainingCompleted,
)
from training.requirements.services import recompute_for_version, recompute_staff


@handles(CertificateIssued, key="training.requirements.certificate_issued")
def certificate_issued(event: CertificateIssued, now: datetime) -> None:
    """See what a new certificate meets."""
    recompute_staff(staff_ids=[event.staff_id], now=now)


@handles(CertificateRevoked, key="training.requirements.certificate_revoked")
def certificate_revoked(event: CertificateRevoked, now: datetime) -> None:
    """See what is owed again."""
    recompute_staff(staff_ids=[event.staff_id], now=now)


@handles(TrainingCompleted, key="training.requirements.completed")
def completed(event: TrainingCompleted, now: datetime) -> None:
    """See what a passed course meets."""
    recompute_staff(staff_ids=[event.staff_id], now=now)


@handles(PeopleMoved, key="training.requirements.moved")
def moved(event: PeopleMoved, now: datetime) -> None:
    """See what people owe where they work now."""
    recompute_staff(staff_ids=event.staff_ids, now=now)


@handles(CourseVersionPublished, key="training.requirements.version_published")
def version_published(event: CourseVersionPublished, now: datetime) -> None:
    """See who owes a course again of which a new version takes the place of the older ones."""
    recompute_for_version(version_id=event.version_id, on=date.fromisoformat(event.on), now=now)
