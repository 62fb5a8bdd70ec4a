"""Reading webhooks and their messages, and which events can be sent."""

from dataclasses import dataclass

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import NotFound
from sqcore.base.events import (
    AwardGranted,
    CertificateIssued,
    EffectVerified,
    EvaluationPublished,
    Event,
    SignalRaised,
    SignalRecovered,
    StaffResultsPublished,
    TicketMoved,
    TrainingCompleted,
)
from sqcore.identity.principals import Principal
from sqcore.webhooks.models import Webhook, WebhookMessage

TITLES: dict[type[Event], Promise] = {
    EvaluationPublished: _("An evaluation was published"),
    SignalRaised: _("A signal was found"),
    SignalRecovered: _("A signal is over"),
    TicketMoved: _("A ticket was proposed or moved"),
    EffectVerified: _("The effect of an improvement was confirmed"),
    StaffResultsPublished: _("Results of people were published"),
    TrainingCompleted: _("Somebody ended a course with success"),
    CertificateIssued: _("A certificate was issued"),
    AwardGranted: _("An award was granted"),
}
"""The events that leave the house. They hold ids and states: details are read over REST, where
the receiver's token says what it may see."""
PING = "webhooks.test"
NEWEST = 20


@dataclass(frozen=True)
class WebhookRow:
    webhook: Webhook
    titles: list[str | Promise]
    waiting: int
    failed: int


def webhook_rows(principal: Principal) -> list[WebhookRow]:
    """Return all webhooks, those in use first. Two queries."""
    titles = {event.kind: title for event, title in TITLES.items()}
    webhooks = list(Webhook.objects.visible_to(principal).order_by("ended_at", "name", "id"))
    counts = (
        WebhookMessage.objects.filter(webhook__in=webhooks)
        .exclude(state=WebhookMessage.State.DELIVERED)
        .order_by()
        .values_list("webhook_id", "state")
        .annotate(count=Count("id"))
    )
    of = {(webhook_id, state): count for webhook_id, state, count in counts}
    return [
        WebhookRow(
            webhook,
            [titles.get(kind, kind) for kind in webhook.kinds],
            of.get((webhook.pk, WebhookMessage.State.WAITING), 0),
            of.get((webhook.pk, WebhookMessage.State.FAILED), 0),
        )
        for webhook in webhooks
    ]


def webhook_by_id(webhook_id: int, *, principal: Principal) -> Webhook:
    """raises: NotFound"""
    found = Webhook.objects.visible_to(principal).filter(pk=webhook_id).first()
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def newest_messages(webhook: Webhook) -> list[WebhookMessage]:
    return list(webhook.messages.order_by("-created_at", "-id")[:NEWEST])
