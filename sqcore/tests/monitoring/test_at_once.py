"""Two real connections at one pass: on SQLite a file, on PostgreSQL a server."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from sqcore.base.models import OutboxEvent
from sqcore.monitoring.models import Baseline, Signal, SignalEvent, Watch
from sqcore.monitoring.watching import watch, watch_due
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import make_series, quiet, shifted

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(*calls: Callable[[], object]) -> None:
    """Run these at the same time, each with a connection of its own, and wait for all."""
    start = threading.Barrier(len(calls))
    failures: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            start.wait()
            call()
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []


def test_two_passes_at_once_find_and_tell_once() -> None:
    bank = make_series()
    for number in range(4):
        bank.put(make_unit(f"unit-{number}"), shifted(quiet(44), 3, since=40))
    now = bank.after(44)

    in_threads(
        *[lambda: watch(system=bank.system, grain=bank.grain, now=now)] * 3,
        lambda: watch_due(now=now + timedelta(seconds=1)),
    )

    assert (Baseline.objects.count(), Signal.objects.count()) == (4, 4)
    assert SignalEvent.objects.count() == 4
    assert OutboxEvent.objects.filter(kind="monitoring.signal.raised").count() == 4
    assert Watch.objects.get().found_so_far == 4
