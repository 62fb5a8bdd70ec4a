"""What results of people do when something happened."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import StaffResultsPublished
from sqcore.performance.services import tell_people


@handles(StaffResultsPublished, key="performance.tell_people")
def tell_of_results(event: StaffResultsPublished, now: datetime) -> None:
    """Tell each person that their results are there."""
    tell_people(run_id=event.run_id, now=now)
