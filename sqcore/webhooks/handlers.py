"""What happened in the house is queued for who wants to hear it outside."""

from datetime import datetime

from sqcore.base.bus import handles
from sqcore.base.events import Event
from sqcore.webhooks.queries import TITLES
from sqcore.webhooks.services import queue


def tell(event: Event, now: datetime) -> None:
    queue(event, now=now)


for _event in TITLES:
    handles(_event, key=f"sqcore.webhooks.{_event.kind}")(tell)
