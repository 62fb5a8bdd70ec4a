"""What a person is told, in the inbox and by e-mail."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


def _still_allowed(principal: Principal) -> Q:
    allowed = Q(permission="")
    for permission, scope in principal.permissions.items():
        if scope.everywhere:
            allowed |= Q(permission=permission)
        elif scope:
            here = Q(unit_id__isnull=True) | Q(unit_id__in=scope.units)
            allowed |= Q(permission=permission) & here
    return allowed


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, principal: Principal) -> Self:
        """The own, without those about what this person may no longer see."""
        if principal.user is None:
            return self.none()
        return self.filter(_still_allowed(principal), reader=principal.user)

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)


class Notice(models.Model):
    """One message to one person, once a key; text in every language of the house.

    Who lost the permission it needs (at that unit, where one is named) no longer sees it.
    `mail_at` is when an e-mail is tried next; empty when none is to be sent any more.
    """

    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    key = models.CharField(max_length=160)
    title = models.JSONField()
    body = models.JSONField(default=dict)
    reason = models.JSONField(default=dict)
    link = models.CharField(max_length=300, blank=True)
    permission = models.CharField(max_length=30, blank=True, choices=Permission)
    unit_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mail_at = models.DateTimeField(null=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
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
                fields=["mail_at"], name="notice_to_mail", condition=Q(mail_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} to {self.reader_id}"
