"""What evaluation does when something happened elsewhere."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import ResponsesImported
from sqcore.evaluation.services import start_due


@handles(ResponsesImported, key="evaluation.start_due")
def start_what_is_due(event: ResponsesImported, now: datetime) -> None:
    """Evaluate at once what an import touched, instead of at the next beat."""
    start_due(now=now)
