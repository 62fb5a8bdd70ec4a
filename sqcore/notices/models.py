"""What a person is told, in the inbox and by e-mail."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.identity.principals import Principal


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, principal: Principal) -> Self:
        return self.filter(reader=principal.user) if principal.user else self.none()

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)


class Notice(models.Model):
    """One message to one person, once a key; text in every language of the house."""

    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    key = models.CharField(max_length=160)
    title = models.JSONField()
    body = models.JSONField(default=dict)
    reason = models.JSONField(default=dict)
    link = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.UniqueConstraint(fields=["reader", "key"], name="notice_once_a_key"),
        ]
        indexes = [
            models.Index(fields=["reader", "-created_at", "id"], name="notice_inbox"),
            models.Index(
                fields=["created_at"], name="notice_to_mail", condition=Q(mailed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} to {self.reader_id}"
