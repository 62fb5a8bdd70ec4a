"""Events: written with what caused them, delivered at least once to each handler, applied once.

The database is the truth, the broker only a bell: `publish` writes the event and one delivery row
a handler in the caller's transaction; after the commit one message tells a worker to look. What the
bell misses, `due_deliveries` finds.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from celery import current_app
from django.db import transaction

from sqcore.base.events import Event, all_events
from sqcore.base.models import Delivery, OutboxEvent

E = TypeVar("E", bound=Event)

DELIVER_TASK = "sqcore.base.deliver"
MAX_ATTEMPTS = 12
LOCK_FOR = timedelta(seconds=60)


@dataclass(frozen=True)
class Handler(Generic[E]):
    key: str
    event: type[E]
    handle: Callable[[E, datetime], None]


_handlers: dict[str, Handler[Event]] = {}


class DuplicateHandler(RuntimeError):
    """Two handlers under one key: the program must not start."""


def handles(event: type[E], *, key: str) -> Callable[[Callable[[E, datetime], None]], None]:
    """Register a handler `(event, now)` under a key that never changes.

    It runs in one transaction with the mark that it ran; it may still be called again after a
    crash, so its effects have natural keys.
    """

    def register(handle: Callable[[E, datetime], None]) -> None:
        if key in _handlers:
            raise DuplicateHandler(key)
        _handlers[key] = Handler(key, event, handle)  # type: ignore[assignment, arg-type]  # the registry holds handlers of any event

    return register


def handlers_of(event: type[Event]) -> list[str]:
    """Return the keys of all handlers of this event."""
    return [handler.key for handler in _handlers.values() if handler.event is event]


def publish(event: Event, *, now: datetime) -> None:
    """Write the event and its deliveries in the running transaction; ring after the commit."""
    keys = handlers_of(type(event))
    with transaction.atomic():
        row = OutboxEvent.objects.create(kind=event.kind, payload=asdict(event), published_at=now)
        Delivery.objects.bulk_create(
            [Delivery(event=row, handler=key, next_attempt_at=now) for key in keys]
        )
    if keys:
        transaction.on_commit(lambda: ring(row.pk))


def ring(event_id: int) -> None:
    """Tell a worker to look at this event; a broker that is away costs only time."""
    try:
        current_app.send_task(DELIVER_TASK, kwargs={"event_id": event_id}, retry=False)
    except OSError:
        # The sweeper finds the pending delivery; kombu's connection errors are OSErrors.
        return


def event_of(row: OutboxEvent) -> Event:
    """Rebuild the event from its row."""
    return all_events()[row.kind](**row.payload)


def due_deliveries(*, now: datetime, limit: int = 200) -> list[int]:
    """Return the ids of pending deliveries whose time has come, oldest first."""
    return list(
        Delivery.objects.filter(state=Delivery.State.PENDING, next_attempt_at__lte=now)
        .order_by("next_attempt_at", "id")
        .values_list("id", flat=True)[:limit]
    )


def deliver(delivery_id: int, *, now: datetime) -> bool:
    """Run one delivery; True when it is done (now or before).

    Claims it by moving its next attempt on, so that a second worker stays away; what the handler
    raises is kept on the row and the delivery comes back with a growing pause.
    """
    claimed = Delivery.objects.filter(
        pk=delivery_id, state=Delivery.State.PENDING, next_attempt_at__lte=now
    ).update(next_attempt_at=now + LOCK_FOR)
    if not claimed:
        return Delivery.objects.filter(pk=delivery_id, state=Delivery.State.DONE).exists()
    delivery = Delivery.objects.select_related("event").get(pk=delivery_id)
    try:
        with transaction.atomic():
            _handlers[delivery.handler].handle(event_of(delivery.event), now)
            Delivery.objects.filter(pk=delivery_id).update(
                state=Delivery.State.DONE,
                attempts=delivery.attempts + 1,
                done_at=now,
                last_error="",
            )
    except Exception as error:  # noqa: BLE001 - outermost edge: kept on the row, tried again
        _put_off(delivery, error, now=now)
        return False
    return True


def _put_off(delivery: Delivery, error: Exception, *, now: datetime) -> None:
    attempts = delivery.attempts + 1
    dead = attempts >= MAX_ATTEMPTS
    Delivery.objects.filter(pk=delivery.pk).update(
        state=Delivery.State.DEAD if dead else Delivery.State.PENDING,
        attempts=attempts,
        next_attempt_at=now + timedelta(seconds=min(5 * 2**attempts, 3600)),
        last_error=f"{type(error).__name__}: {error}"[:2000],
    )


def deliver_due(*, now: datetime, limit: int = 200) -> int:
    """Deliver what is due; return how many are done."""
    return sum(deliver(pk, now=now) for pk in due_deliveries(now=now, limit=limit))
