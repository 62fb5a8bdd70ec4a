"""What opens training needs, and what answers them."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import (
    CertificateIssued,
    CompetencyShown,
    StaffResultsPublished,
    TrainingCompleted,
    TrainingRequested,
)
from training.needs import services


@handles(StaffResultsPublished, key="training.needs.open_from_results")
def open_from_results(event: StaffResultsPublished, now: datetime) -> None:
    """Open developmental needs where a result that may be used for coaching is low."""
    services.open_from_results(run_id=event.run_id, now=now)


@handles(TrainingRequested, key="training.needs.open_from_request")
def open_from_request(event: TrainingRequested, now: datetime) -> None:
    """Open a need for each person that an improvement wants trained."""
    services.open_from_request(
        reference=event.reference,
        staff_ids=event.staff_ids,
        competency=event.competency,
        text=event.text,
        now=now,
    )


@handles(CertificateIssued, key="training.needs.meet_by_certificate")
def meet_by_certificate(event: CertificateIssued, now: datetime) -> None:
    """End what a certificate answers."""
    services.meet_needs(staff_id=event.staff_id, course=event.course, now=now)


@handles(TrainingCompleted, key="training.needs.meet_by_course")
def meet_by_course(event: TrainingCompleted, now: datetime) -> None:
    """End what a passed course answers."""
    services.meet_needs(staff_id=event.staff_id, course=event.course, now=now)


@handles(CompetencyShown, key="training.needs.meet_by_evidence")
def meet_by_evidence(event: CompetencyShown, now: datetime) -> None:
    """End what a level that was seen answers."""
    services.meet_by_evidence(staff_id=event.staff_id, competency=event.competency, now=now)
