from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.db import transaction
from django.test import Client

from sqcore.base import bus, tasks
from sqcore.base.events import EvaluationPublished, Event, JobFailed
from sqcore.base.models import Delivery, Heartbeat, OutboxEvent
from sqcore.tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db

SOME_EVENT = JobFailed(job_id="j", fence=1, title={}, owner_id=None)


@contextmanager
def heard_by(**handlers: Callable[[JobFailed, datetime], None]) -> Iterator[None]:
    """Let exactly these listen, for the length of one test."""
    before = dict(bus._handlers)
    bus._handlers.clear()
    for key, handle in handlers.items():
        bus.handles(JobFailed, key=key)(handle)
    try:
        yield
    finally:
        bus._handlers.clear()
        bus._handlers.update(before)


def effect(event: Event, now: datetime) -> None:
    """An effect without a natural key: twice would fail to be once."""
    OutboxEvent.objects.create(kind="effect", payload={}, published_at=now)


def effects() -> int:
    return OutboxEvent.objects.filter(kind="effect").count()


def broken(event: Event, now: datetime) -> None:
    effect(event, now)
    raise ZeroDivisionError("cause\nDETAIL: values of a row")


class TestPublish:
    def test_writes_one_delivery_a_handler_and_rings_after_the_commit(
        self,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: Callable[..., Any],
    ) -> None:
        rung: list[dict[str, object]] = []
        monkeypatch.setattr(
            "sqcore.base.bell.current_app.send_task",
            lambda task, **options: rung.append({"task": task, **options["kwargs"]}),
        )

        with heard_by(one=effect, two=effect):
            with django_capture_on_commit_callbacks() as callbacks:
                bus.publish(SOME_EVENT, now=NOW)
            assert rung == []
            callbacks[0]()

        row = OutboxEvent.objects.get()
        assert row.payload == asdict(SOME_EVENT)
        assert sorted(row.deliveries.values_list("handler", flat=True)) == ["one", "two"]
        assert rung == [{"task": "sqcore.base.deliver", "event_id": row.pk}]

    def test_leaves_nothing_behind_when_its_transaction_fails(self) -> None:
        @transaction.atomic
        def act() -> None:
            bus.publish(SOME_EVENT, now=NOW)
            raise ZeroDivisionError

        with heard_by(one=effect), pytest.raises(ZeroDivisionError):
            act()

        assert not OutboxEvent.objects.exists()
        assert not Delivery.objects.exists()

    def test_refuses_two_handlers_under_one_key(self) -> None:
        with heard_by(one=effect), pytest.raises(bus.DuplicateHandler):
            bus.handles(EvaluationPublished, key="one")(effect)


class TestDeliver:
    def test_applies_the_effect_once_however_often_the_bell_rings(self) -> None:
        with heard_by(one=effect):
            bus.publish(SOME_EVENT, now=NOW)
            event_id = OutboxEvent.objects.get().pk
            bus.deliver_event(event_id, now=NOW)
            bus.deliver_event(event_id, now=NOW + timedelta(days=1))
            again = bus.deliver(Delivery.objects.get().pk, now=NOW + timedelta(days=1))

        assert again
        assert effects() == 1
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts, delivery.done_at) == ("done", 1, NOW)

    def test_one_broken_handler_does_not_hold_up_another(self) -> None:
        with heard_by(bad=broken, good=effect):
            bus.publish(SOME_EVENT, now=NOW)
            assert bus.drain(now=NOW) == 1

        assert effects() == 1
        assert dict(Delivery.objects.values_list("handler", "state")) == {
            "bad": "pending",
            "good": "done",
        }

    def test_undoes_what_a_broken_handler_wrote_and_keeps_the_first_line_of_why(self) -> None:
        with heard_by(bad=broken):
            bus.publish(SOME_EVENT, now=NOW)
            bus.drain(now=NOW)

        assert effects() == 0
        assert Delivery.objects.get().last_error == "ZeroDivisionError: cause"

    def test_comes_back_after_growing_pauses_and_ends_as_a_dead_letter(self) -> None:
        moment, pauses = NOW, []
        with heard_by(bad=broken):
            bus.publish(SOME_EVENT, now=NOW)
            while (delivery := Delivery.objects.get()).state == "pending":
                pauses.append((delivery.next_attempt_at - moment).total_seconds())
                moment = delivery.next_attempt_at
                assert bus.deliver_due(clock=lambda: moment) == 0  # noqa: B023 - called here

        assert pauses == [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
        assert (delivery.state, delivery.attempts) == ("dead", 12)
        assert bus.drain(now=moment + timedelta(days=1)) == 0

    def test_dead_letter_lives_again_when_it_is_requeued(self) -> None:
        with heard_by(bad=broken):
            bus.publish(SOME_EVENT, now=NOW)
        Delivery.objects.update(state="dead", attempts=12)
        with heard_by(bad=effect):
            assert bus.requeue(Delivery.objects.all(), now=NOW) == 1
            assert bus.requeue(Delivery.objects.all(), now=NOW) == 0
            bus.drain(now=NOW)

        assert Delivery.objects.get().state == "done"
        assert effects() == 1

    def test_worker_killed_in_the_middle_leaves_it_to_the_next(self) -> None:
        def die(event: Event, now: datetime) -> None:
            effect(event, now)
            raise SystemExit

        with heard_by(one=die):
            bus.publish(SOME_EVENT, now=NOW)
            with pytest.raises(SystemExit):
                bus.drain(now=NOW)
        with heard_by(one=effect):
            early = bus.drain(now=NOW + bus.LOCK_FOR - timedelta(seconds=1))
            late = bus.drain(now=NOW + bus.LOCK_FOR)

        assert (early, late) == (0, 1)
        assert effects() == 1

    def test_handler_that_kills_every_worker_ends_as_a_dead_letter(self) -> None:
        with heard_by(one=effect):
            bus.publish(SOME_EVENT, now=NOW)
            Delivery.objects.update(attempts=bus.MAX_ATTEMPTS)
            bus.drain(now=NOW)

        assert Delivery.objects.get().state == "dead"
        assert effects() == 0

    def test_slow_handler_is_undone_when_another_worker_was_faster(self) -> None:
        def slow(event: Event, now: datetime) -> None:
            effect(event, now)
            Delivery.objects.update(state="done", done_at=now)

        with heard_by(one=slow):
            bus.publish(SOME_EVENT, now=NOW)
            delivered = bus.deliver(Delivery.objects.get().pk, now=NOW)

        assert delivered
        assert effects() == 0

    def test_handler_that_this_release_does_not_have_waits_for_one_that_has(self) -> None:
        with heard_by(new=effect):
            bus.publish(SOME_EVENT, now=NOW)
        with heard_by():
            assert bus.drain(now=NOW) == 0
        with heard_by(new=effect):
            assert bus.drain(now=NOW + timedelta(seconds=10)) == 1

        assert effects() == 1

    def test_event_of_a_newer_release_loses_only_what_is_not_known_here(self) -> None:
        payload = {**asdict(SOME_EVENT), "colour": "blue"}
        row = OutboxEvent.objects.create(kind=JobFailed.kind, payload=payload, published_at=NOW)

        assert bus.event_of(row) == SOME_EVENT

    def test_drain_also_delivers_what_handlers_publish(self) -> None:
        def chain(event: JobFailed, now: datetime) -> None:
            if event.fence < 3:
                bus.publish(JobFailed("j", event.fence + 1, {}, None), now=now)

        with heard_by(one=chain):
            bus.publish(SOME_EVENT, now=NOW)
            assert bus.drain(now=NOW) == 3

    def test_stops_taking_more_when_its_time_is_up(self) -> None:
        moments = iter(NOW + timedelta(seconds=15 * step) for step in range(9))
        with heard_by(one=effect):
            for _turn in range(3):
                bus.publish(SOME_EVENT, now=NOW)
            done = bus.deliver_due(clock=lambda: next(moments))

        assert done == 1
        assert Delivery.objects.filter(state="pending").count() == 2


class TestKeeping:
    def test_sweep_delivers_what_the_bell_missed_and_gives_a_sign_of_life(self) -> None:
        with heard_by(one=effect):
            bus.publish(SOME_EVENT, now=NOW - timedelta(days=9000))
            tasks.sweep()

        assert effects() == 1
        assert Heartbeat.objects.filter(name="sweep").exists()

    def test_forgets_old_events_only_when_all_is_delivered(self) -> None:
        with heard_by(one=effect):
            for _turn in range(3):
                bus.publish(SOME_EVENT, now=NOW)
        done, dead, _pending = Delivery.objects.order_by("pk")
        Delivery.objects.filter(pk=done.pk).update(state="done")
        Delivery.objects.filter(pk=dead.pk).update(state="dead")

        assert bus.forget_events(before=NOW) == 0
        assert bus.forget_events(before=NOW + timedelta(seconds=1)) == 1
        assert not OutboxEvent.objects.filter(pk=done.event_id).exists()
        assert OutboxEvent.objects.count() == 2

    def test_administrator_sees_dead_letters_and_sends_them_again(self, client: Client) -> None:
        assert site.is_registered(Delivery)
        with heard_by(one=effect):
            bus.publish(SOME_EVENT, now=NOW)
        Delivery.objects.update(state="dead", attempts=12, last_error="OSError: gone")
        client.force_login(
            make_user("ada", is_staff=True, is_superuser=True),
            backend="django.contrib.auth.backends.ModelBackend",
        )

        page = client.get("/admin/sqcore/delivery/?state__exact=dead")
        sent = client.post(
            "/admin/sqcore/delivery/",
            {"action": "deliver_again", "_selected_action": [Delivery.objects.get().pk]},
            follow=True,
        )

        assert "OSError: gone" in page.content.decode()
        assert "1 delivery will be tried again." in sent.content.decode()
        assert Delivery.objects.get().state == "pending"
