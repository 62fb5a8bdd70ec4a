"""Two real connections at one job: on SQLite a file, on PostgreSQL a server."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from sqcore.base import bus
from sqcore.base.events import JobFailed
from sqcore.base.models import Delivery, Heartbeat, OutboxEvent
from sqcore.jobs import runner
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext, run_job
from sqcore.tests.jobs.kinds import kind_that, start_job

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


def test_one_of_many_messages_at_once_runs_the_job() -> None:
    runs: list[int] = []

    def work(context: JobContext) -> None:
        runs.append(context.job.fence)
        with context.completing():
            Heartbeat.objects.create(name="effect", seen_at=context.now())

    with kind_that(work):
        job = start_job(now=timezone.now())
        in_threads(*[lambda: run_job(job.pk, clock=timezone.now)] * 6)

    job.refresh_from_db()
    assert runs == [1]
    assert (job.state, job.fence) == (Job.State.DONE, 1)


def test_many_starts_at_once_open_one_job() -> None:
    now = timezone.now()
    with kind_that(lambda context: None):
        in_threads(*[lambda: start_job(now=now)] * 6)

    assert Job.objects.count() == 1


def test_worker_paused_beyond_its_lease_writes_nothing() -> None:
    """The first worker stands still inside its last transaction, as under SIGSTOP."""
    paused, go_on = threading.Event(), threading.Event()
    effects: list[str] = []

    def work(context: JobContext) -> None:
        if context.job.fence == 1:
            paused.set()
            assert go_on.wait(30)
        with context.completing({"by": context.job.fence}):
            Heartbeat.objects.create(name=f"by {context.job.fence}", seen_at=context.now())
            effects.append("tried")

    begun = timezone.now()
    later = begun + runner.LEASE

    def second() -> None:
        assert paused.wait(30)
        assert run_job(job.pk, clock=lambda: later) is not None
        go_on.set()

    with kind_that(work):
        job = start_job(now=begun)
        in_threads(lambda: run_job(job.pk, clock=lambda: begun), second)

    job.refresh_from_db()
    assert effects == ["tried", "tried"]
    assert (job.state, job.fence, job.result) == (Job.State.DONE, 2, {"by": 2})
    assert [beat.name for beat in Heartbeat.objects.all()] == ["by 2"]


def test_lease_is_renewed_while_a_long_step_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RENEW_EVERY", 0.05)
    moment = [timezone.now()]
    first = moment[0] + runner.LEASE
    seen: list[datetime] = []

    def work(context: JobContext) -> None:
        moment[0] += timedelta(seconds=20)
        for _turn in range(200):
            until = Job.objects.values_list("lease_until", flat=True).get()
            if until and until > first:
                seen.append(until)
                break
            threading.Event().wait(0.05)

    with kind_that(work):
        job = start_job(now=moment[0])
        run_job(job.pk, clock=lambda: moment[0])

    job.refresh_from_db()
    assert seen == [first + timedelta(seconds=20)]
    assert job.state == Job.State.DONE


def test_one_event_delivered_by_many_workers_has_one_effect() -> None:
    def effect(event: JobFailed, now: datetime) -> None:
        OutboxEvent.objects.create(kind="effect", payload={}, published_at=now)

    now = timezone.now()
    before = dict(bus._handlers)
    bus._handlers.clear()
    bus.handles(JobFailed, key="one")(effect)
    try:
        bus.publish(JobFailed("j", 1, {}, None), now=now)
        event = OutboxEvent.objects.get().pk
        in_threads(*[lambda: bus.deliver_event(event, now=now)] * 6)
    finally:
        bus._handlers.clear()
        bus._handlers.update(before)

    assert OutboxEvent.objects.filter(kind="effect").count() == 1
    assert Delivery.objects.get().state == Delivery.State.DONE


def test_handler_that_outlasts_its_lock_is_undone_when_a_second_worker_is_faster() -> None:
    paused, go_on = threading.Event(), threading.Event()
    calls: list[int] = []

    def slow_at_first(event: JobFailed, now: datetime) -> None:
        calls.append(1)
        if len(calls) == 1:
            paused.set()
            assert go_on.wait(30)
        OutboxEvent.objects.create(kind="effect", payload={}, published_at=now)

    now = timezone.now()
    before = dict(bus._handlers)
    bus._handlers.clear()
    bus.handles(JobFailed, key="one")(slow_at_first)

    def second() -> None:
        assert paused.wait(30)
        if connection.vendor == "sqlite":
            # One writer at a time: the second can only come when the first has ended.
            go_on.set()
        bus.drain(now=now + bus.LOCK_FOR)
        go_on.set()

    try:
        bus.publish(JobFailed("j", 1, {}, None), now=now)
        in_threads(lambda: bus.drain(now=now), second)
    finally:
        bus._handlers.clear()
        bus._handlers.update(before)

    assert OutboxEvent.objects.filter(kind="effect").count() == 1
    assert Delivery.objects.get().state == Delivery.State.DONE
