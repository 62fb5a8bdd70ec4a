"""Addresses of other systems that are told what happened, and what was sent to them."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_USERS) else self.none()


class Webhook(models.Model):
    """Another system that is told of some kinds of events.

    Its secret is computed from the installation's key and `salt`, so that none is stored; a new
    salt is a new secret. An ended one stays, with what was sent.
    """

    name = models.CharField(_("name"), max_length=100)
    url = models.URLField(_("address"), max_length=500)
    kinds = models.JSONField(_("events"), default=list)
    salt = models.CharField(max_length=32)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.name


class WebhookMessage(models.Model):
    """One event on its way to one webhook. `id` is what the receiver sees: it stays the same when
    the message is sent again, so that nothing is taken twice.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=60)
    body = models.JSONField()
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField()
    answer = models.CharField(_("answer"), max_length=200, blank=True)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("message of a webhook")
        verbose_name_plural = _("messages of webhooks")
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="webhook_waiting",
                condition=models.Q(state="waiting"),
            ),
            models.Index(fields=["webhook", "-created_at"], name="webhook_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to webhook {self.webhook_id}"
