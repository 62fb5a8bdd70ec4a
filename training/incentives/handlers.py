"""Who is told of an award, and which results count as achievements."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import AwardGranted, StaffResultsPublished
from training.incentives import services


@handles(AwardGranted, key="incentives.tell_of_award")
def tell_of_award(event: AwardGranted, now: datetime) -> None:
    """Tell the person, once."""
    services.tell_of_award(entry_id=event.entry_id, now=now)


@handles(StaffResultsPublished, key="incentives.record_results_above")
def record_results_above(event: StaffResultsPublished, now: datetime) -> None:
    """Results that are clearly above comparable colleagues count as achievements."""
    services.record_results_above(run_id=event.run_id, now=now)
