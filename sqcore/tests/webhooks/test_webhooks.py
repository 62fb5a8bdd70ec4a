"""Webhooks are made by administrators, hear what happens, and are tried until they answer."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base import bus
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.base.events import JobFailed, SignalRaised, SignalRecovered
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal, system_principal
from sqcore.tests.factories import NOW, give_role, make_principal, make_user
from sqcore.tests.webhooks.test_sending import NEAR, Receiver, receiver
from sqcore.webhooks.models import Webhook, WebhookMessage
from sqcore.webhooks.services import (
    PAUSES,
    end_webhook,
    forget_messages,
    make_webhook,
    ping,
    queue,
    renew_secret,
    send_again,
    send_waiting,
)

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db
RAISED = SignalRaised(signal_id=7, episode=1)


@pytest.fixture
def ada() -> Principal:
    return system_principal()


def make(by: Principal, url: str = "https://localhost/", **over: object) -> Webhook:
    asked = {"name": "Service desk", "kinds": [SignalRaised.kind], **over}
    webhook, _secret = make_webhook(url=url, by=by, now=NOW, ways=NEAR, **asked)  # type: ignore[arg-type]  # the names are those of the service
    return webhook


class TestMaking:
    def test_keeps_no_secret(self, ada: Principal) -> None:
        webhook, secret = make_webhook(
            name="Desk", url="https://localhost/", kinds=[SignalRaised.kind], by=ada, now=NOW,
            ways=NEAR,
        )  # fmt: skip

        assert re.fullmatch(r"whsec_[\w+/]{43}=", secret)
        assert secret not in str(Webhook.objects.values().get())
        assert webhook.kinds == ["monitoring.signal.raised"]
        assert AuditEntry.objects.get().action == "webhook.made"

    @pytest.mark.parametrize("kinds", [[], ["no.such.event"], [JobFailed.kind]])
    def test_refuses_events_that_do_not_leave_the_house(
        self, ada: Principal, kinds: list[str]
    ) -> None:
        with pytest.raises(InvalidInput, match="at least one event"):
            make(ada, kinds=kinds)
        assert not Webhook.objects.exists()

    def test_refuses_a_private_address(self, ada: Principal) -> None:
        with pytest.raises(InvalidInput, match="private network") as refusal:
            make_webhook(
                name="Desk", url="https://192.168.1.7/", kinds=[SignalRaised.kind], by=ada, now=NOW
            )
        assert refusal.value.problems[0].field == "url"
        assert not Webhook.objects.exists()

    def test_is_for_who_manages_access(self, ada: Principal) -> None:
        webhook = make(ada)
        mei = make_principal({})

        with pytest.raises(NotPermitted):
            make(mei)
        with pytest.raises(NotPermitted):
            renew_secret(webhook=webhook, by=mei, now=NOW)
        with pytest.raises(NotPermitted):
            end_webhook(webhook=webhook, by=mei, now=NOW)
        with pytest.raises(NotPermitted):
            ping(webhook=webhook, by=mei, now=NOW)
        with pytest.raises(NotPermitted):
            send_again(webhook=webhook, by=mei, now=NOW)
        assert Webhook.objects.get().ended_at is None


class TestQueueing:
    def test_an_event_is_queued_once_for_each_that_wants_it(self, ada: Principal) -> None:
        make(ada)
        make(ada, kinds=[SignalRecovered.kind])

        bus.publish(RAISED, now=NOW)
        bus.drain(now=NOW)
        bus.drain(now=NOW)

        message = WebhookMessage.objects.get()
        assert message.body == {
            "type": "monitoring.signal.raised",
            "timestamp": NOW.isoformat(),
            "data": {"signal_id": 7, "episode": 1},
        }

    def test_an_ended_one_hears_nothing_and_what_waited_is_given_up(self, ada: Principal) -> None:
        webhook = make(ada)
        queue(RAISED, now=NOW)
        end_webhook(webhook=webhook, by=ada, now=NOW)

        assert queue(RAISED, now=NOW) == 0
        assert WebhookMessage.objects.get().state == "failed"
        with pytest.raises(Conflict):
            end_webhook(webhook=webhook, by=ada, now=NOW)


class TestSending:
    def test_a_message_is_delivered_once(self, ada: Principal, receiver: Receiver) -> None:
        make(ada, receiver.url)
        queue(RAISED, now=NOW)

        assert send_waiting(now=NOW, ways=NEAR) == 1
        assert send_waiting(now=NOW + timedelta(days=1), ways=NEAR) == 0
        message = WebhookMessage.objects.get()
        assert (message.state, message.answer, message.attempts) == ("delivered", "200", 1)
        assert [headers["webhook-id"] for headers, _body in receiver.got] == [str(message.pk)]

    def test_a_failure_is_tried_again_with_growing_pauses_then_given_up(
        self, ada: Principal, receiver: Receiver
    ) -> None:
        webhook = make(ada, receiver.url)
        receiver.status = 503
        queue(RAISED, now=NOW)
        at = NOW
        for pause in PAUSES:
            assert send_waiting(now=at, ways=NEAR) == 0
            assert send_waiting(now=at + pause - timedelta(seconds=1), ways=NEAR) == 0
            at += pause
        send_waiting(now=at, ways=NEAR)

        message = WebhookMessage.objects.get()
        assert (message.state, message.attempts) == ("failed", 8)
        assert message.answer.startswith("503")
        assert len({headers["webhook-id"] for headers, _body in receiver.got}) == 1
        assert len(receiver.got) == 8

        receiver.status = 204
        assert send_again(webhook=webhook, by=ada, now=at) == 1
        assert send_waiting(now=at, ways=NEAR) == 1

    def test_another_worker_stays_away_from_what_one_is_sending(
        self, ada: Principal, receiver: Receiver
    ) -> None:
        make(ada, receiver.url)
        queue(RAISED, now=NOW)
        WebhookMessage.objects.update(next_attempt_at=NOW + timedelta(minutes=2), attempts=1)

        assert send_waiting(now=NOW, ways=NEAR) == 0
        assert receiver.got == []

    def test_a_private_address_gets_nothing_from_the_task(
        self, ada: Principal, receiver: Receiver
    ) -> None:
        make(ada, receiver.url)
        queue(RAISED, now=NOW)

        assert send_waiting(now=NOW) == 0
        assert receiver.got == []
        assert "https" in WebhookMessage.objects.get().answer

    def test_old_messages_are_forgotten_but_not_what_waits(self, ada: Principal) -> None:
        make(ada)
        queue(RAISED, now=NOW)
        queue(RAISED, now=NOW)
        WebhookMessage.objects.filter(pk=WebhookMessage.objects.first().pk).update(state="failed")  # type: ignore[union-attr]  # there are two

        assert forget_messages(before=NOW + timedelta(days=1)) == 1
        assert WebhookMessage.objects.get().state == "waiting"


class TestPages:
    def client_of(self, name: str, role: Role) -> Client:
        user = make_user(name)
        give_role(user, role)
        client = Client()
        client.force_login(user)
        return client

    def test_lists_whom_is_told_of_what(
        self, ada: Principal, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _each in range(5):
            make(ada)
        client = self.client_of("ada", Role.ADMINISTRATOR)
        client.get("/webhooks/")

        with django_assert_num_queries(8):
            page = client.get("/webhooks/").content.decode()

        assert page.count("<code>https://localhost/</code>") == 5
        assert "A signal was found" in page

    def test_says_beside_the_field_what_is_wrong(self) -> None:
        client = self.client_of("ada", Role.ADMINISTRATOR)

        answer = client.post(
            "/webhooks/",
            {"name": "Desk", "url": "https://127.0.0.1/", "kinds": [SignalRaised.kind]},
        )

        assert answer.status_code == 400
        assert "private network" in answer.content.decode()
        assert not Webhook.objects.exists()

    def test_is_tried_renewed_and_ended_from_its_page(self, ada: Principal) -> None:
        webhook = make(ada)
        client = self.client_of("ada", Role.ADMINISTRATOR)

        client.post(f"/webhooks/{webhook.pk}/try")
        page = client.get(f"/webhooks/{webhook.pk}/").content.decode()
        renewed = client.post(f"/webhooks/{webhook.pk}/renew").content.decode()
        client.post(f"/webhooks/{webhook.pk}/end")

        assert "webhooks.test" in page
        assert "whsec_" in renewed
        webhook.refresh_from_db()
        assert webhook.ended_at is not None

    def test_is_closed_to_others(self, ada: Principal) -> None:
        webhook = make(ada)
        client = self.client_of("ana", Role.ANALYST)

        assert client.get("/webhooks/").status_code == 403
        assert client.get(f"/webhooks/{webhook.pk}/").status_code == 403
        assert client.post(f"/webhooks/{webhook.pk}/end").status_code in (403, 404)
        webhook.refresh_from_db()
        assert webhook.ended_at is None
