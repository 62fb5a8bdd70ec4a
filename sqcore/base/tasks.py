"""The workers' door to events and what else the floor keeps."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from sqcore.base import bus, heartbeat, idempotency

KEEP_EVENTS = timedelta(days=30)


@shared_task(name=bus.DELIVER_TASK)
def deliver(*, event_id: int, **_later: object) -> None:
    bus.deliver_event(event_id, now=timezone.now())


@shared_task(name="sqcore.base.sweep")
def sweep(**_later: object) -> None:
    heartbeat.beat(now=timezone.now())
    bus.deliver_due(clock=timezone.now)


@shared_task(name="sqcore.base.forget_events")
def forget_events(**_later: object) -> None:
    bus.forget_events(before=timezone.now() - KEEP_EVENTS)


@shared_task(name="sqcore.base.forget_requests")
def forget_requests(**_later: object) -> None:
    idempotency.forget_requests(today=timezone.now().date())
