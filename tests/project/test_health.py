"""`/healthz` and `/readyz`, as an overseer asks them."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from sqcore.base import heartbeat
from sqcore.base.models import Delivery, Heartbeat, OutboxEvent


def test_the_process_answers_without_the_database(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.django_db
class TestReady:
    def test_ready_when_all_holds(self, client: Client) -> None:
        heartbeat.beat(now=timezone.now())

        answer = client.get("/readyz")

        assert answer.status_code == 200
        assert answer.json() == {
            "ready": True,
            "checks": {
                "database_writable": True,
                "migrations_applied": True,
                "deliveries_on_time": True,
                "clock_beating": True,
            },
        }

    def test_the_check_of_writing_leaves_nothing(self, client: Client) -> None:
        client.get("/readyz")

        assert not Heartbeat.objects.exists()

    def test_not_ready_before_the_clock_beat(self, client: Client) -> None:
        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"]["clock_beating"] is False

    def test_not_ready_when_the_clock_is_silent(self, client: Client) -> None:
        heartbeat.beat(now=timezone.now() - timedelta(minutes=2))

        assert client.get("/readyz").json()["checks"]["clock_beating"] is False

    def test_not_ready_while_deliveries_wait_too_long(self, client: Client) -> None:
        long_ago = timezone.now() - timedelta(minutes=2)
        event = OutboxEvent.objects.create(kind="x", payload={}, published_at=long_ago)
        Delivery.objects.create(event=event, handler="x", next_attempt_at=long_ago)

        assert client.get("/readyz").json()["checks"]["deliveries_on_time"] is False

    def test_not_ready_when_the_database_cannot_be_written(self, client: Client) -> None:
        with patch.object(Heartbeat.objects, "update_or_create", side_effect=OperationalError):
            answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"]["database_writable"] is False

    def test_the_demo_is_ready_when_it_is_evaluated(
        self, client: Client, settings: Settings
    ) -> None:
        settings.DEMO = True

        assert client.get("/readyz").json()["checks"]["demo_evaluated"] is False
