"""What certificates do when a new version of their course is published."""

from datetime import date, datetime

from sqcore.base.bus import handles
from sqcore.base.events import CourseVersionPublished
from training.certificates import services


@handles(CourseVersionPublished, key="training.certificates.end_older")
def end_older(event: CourseVersionPublished, now: datetime) -> None:
    """End the certificates of older versions where the new one says so."""
    services.end_older_certificates(
        version_id=event.version_id, on=date.fromisoformat(event.on), now=now
    )
