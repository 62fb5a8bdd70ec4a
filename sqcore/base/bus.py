"""Events: written with what caused them, delivered at least once to each handler, applied once.

The database is the truth, the broker only a bell: `publish` writes the event and one delivery row
a handler in the caller's transaction; after the commit one message tells a worker to look. What the
bell misses, the sweep delivers.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from sqcore.base.bell import ring_after_commit
from sqcore.base.events import Event, all_events
from sqcore.base.models import Delivery, OutboxEvent

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Clock = Callable[[], datetime]

DELIVER_TASK = "sqcore.base.deliver"
MAX_ATTEMPTS = 12
LOCK_FOR = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
BUDGET = timedelta(seconds=20)


@dataclass(frozen=True)
class Handler(Generic[E]):
    key: str
    event: type[E]
    handle: Callable[[E, datetime], None]


_handlers: dict[str, Handler[Event]] = {}


class DuplicateHandler(RuntimeError):
    """Two handlers under one key: the program must not start."""


class WorkersDied(RuntimeError):
    """A handler ended the process each time, so that nobody could write what happened."""


class _Overtaken(Exception):
    """The handler took so long that another worker was done first; its effects are undone."""


def handles(event: type[E], *, key: str) -> Callable[[Callable[[E, datetime], None]], None]:
    """Register a handler `(event, now)` under a key that never changes.

    It runs in one transaction with the mark that it ran, so that its effects in the database
    happen once; it may be called more than once, so effects elsewhere need natural keys. Work of
    more than a few seconds is a job that it starts.
    """

    def register(handle: Callable[[E, datetime], None]) -> None:
        if key in _handlers:
            raise DuplicateHandler(key)
        _handlers[key] = Handler(key, event, handle)  # type: ignore[arg-type]  # the registry holds handlers of any event

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
            ring_after_commit(DELIVER_TASK, event_id=row.pk)


def event_of(row: OutboxEvent) -> Event:
    """Rebuild the event from its row.

    What the class no longer knows is dropped, what it newly has takes its default: a row may have
    been written by another release.
    """
    kind = all_events()[row.kind]
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in row.payload.items() if name in known})


def deliver(delivery_id: int, *, now: datetime) -> bool:
    """Run one delivery if it is due; True when it is done (now or before).

    Claims it by moving its next attempt on, so that other workers stay away while the handler
    runs. Should it run longer, another may start it too: who ends first is kept, the other undone.
    What the handler raises is kept on the row and the delivery comes back with a growing pause;
    after MAX_ATTEMPTS it is dead.
    """
    due = Delivery.objects.filter(
        pk=delivery_id, state=Delivery.State.PENDING, next_attempt_at__lte=now
    )
    if not due.update(next_attempt_at=now + LOCK_FOR, attempts=F("attempts") + 1):
        return Delivery.objects.filter(pk=delivery_id, state=Delivery.State.DONE).exists()
    delivery = Delivery.objects.select_related("event").get(pk=delivery_id)
    try:
        _handle(delivery, now=now)
    except _Overtaken:
        log.warning("Delivery %s (%s) was done by a faster worker.", delivery.pk, delivery)
    except Exception as error:
        log.exception("Delivery %s (%s) broke.", delivery.pk, delivery)
        _put_off(delivery, error, now=now)
        return False
    return True


@transaction.atomic
def _handle(delivery: Delivery, *, now: datetime) -> None:
    if delivery.attempts > MAX_ATTEMPTS:
        raise WorkersDied("None of the workers that tried it lived to tell.")
    _handlers[delivery.handler].handle(event_of(delivery.event), now)
    pending = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING)
    if not pending.update(state=Delivery.State.DONE, done_at=now, last_error=""):
        raise _Overtaken


def _put_off(delivery: Delivery, error: Exception, *, now: datetime) -> None:
    dead = delivery.attempts >= MAX_ATTEMPTS
    # The first line only: what a database says after it may repeat values of a row.
    reason = next(iter(str(error).splitlines()), "")
    Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING).update(
        state=Delivery.State.DEAD if dead else Delivery.State.PENDING,
        next_attempt_at=now + pause_after(delivery.attempts),
        last_error=f"{type(error).__name__}: {reason}"[:300],
    )


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after this many attempts: 10 s, 20 s, 40 s … 1 hour."""
    return min(timedelta(seconds=5 * 2 ** min(attempts, 20)), LONGEST_PAUSE)


def deliver_event(event_id: int, *, now: datetime) -> None:
    """Run what is due of one event."""
    for pk in _due(now=now).filter(event=event_id).values_list("pk", flat=True):
        deliver(pk, now=now)


def deliver_due(*, clock: Clock, limit: int = 200, budget: timedelta = BUDGET) -> int:
    """Deliver what is due, oldest first, and stop taking more after `budget`; return how many."""
    begun = clock()
    done = 0
    for pk in list(_due(now=begun).values_list("pk", flat=True)[:limit]):
        now = clock()
        if now - begun > budget:
            break
        done += deliver(pk, now=now)
    return done


def drain(*, now: datetime) -> int:
    """Deliver all that is due, also what the handlers publish; for commands and tests."""
    total = 0
    while done := deliver_due(clock=lambda: now):
        total += done
    return total


def requeue(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Give dead deliveries a second life; return how many."""
    return deliveries.filter(state=Delivery.State.DEAD).update(
        state=Delivery.State.PENDING, attempts=0, next_attempt_at=now
    )


def forget_events(*, before: datetime) -> int:
    """Delete events published before this time whose deliveries are all done; return how many."""
    unfinished = Delivery.objects.exclude(state=Delivery.State.DONE).filter(event=OuterRef("pk"))
    old = OutboxEvent.objects.filter(~Exists(unfinished), published_at__lt=before)
    _rows, by_model = old.delete()
    return by_model.get(OutboxEvent._meta.label, 0)


def _due(*, now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=Delivery.State.PENDING, next_attempt_at__lte=now).order_by(
        "next_attempt_at", "pk"
    )
