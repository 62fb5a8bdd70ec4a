"""What monitoring does when something happened elsewhere."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import EvaluationPublished
from sqcore.monitoring.services import watch_after


@handles(EvaluationPublished, key="monitoring.watch_after")
def watch_when_all_is_in(event: EvaluationPublished, now: datetime) -> None:
    """Watch at once what was published last, instead of at the next beat."""
    watch_after(run_id=event.run_id)
