"""The pulse of the background: what an overseer asks before believing that work gets done."""

from datetime import datetime, timedelta

from sqcore.base.models import Delivery, Heartbeat

PULSE = "sweep"


def beat(*, now: datetime) -> None:
    """Note that the periodic work ran; every sweep calls it."""
    Heartbeat.objects.update_or_create(name=PULSE, defaults={"seen_at": now})


def last_beat() -> datetime | None:
    return Heartbeat.objects.filter(name=PULSE).values_list("seen_at", flat=True).first()


def overdue_deliveries(*, now: datetime, after: timedelta) -> int:
    """Return how many deliveries wait since longer than `after` although their time has come."""
    return Delivery.objects.filter(
        state=Delivery.State.PENDING, next_attempt_at__lt=now - after
    ).count()
