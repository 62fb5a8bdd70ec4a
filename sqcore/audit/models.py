"""The ledger: what was done, by whom, to what; sealed into a chain of hashes afterwards."""

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.VIEW_AUDIT) else self.none()


class AuditEntry(models.Model):
    """One act. Triggers of the database refuse to change or delete it."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=40)
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=120)
    details = models.JSONField(default=dict)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["subject", "id"], name="audit_of_subject"),
            models.Index(fields=["actor", "id"], name="audit_of_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.subject}"


class AuditSeal(models.Model):
    """One link of the chain: an entry, the hash before it and its own.

    Triggers of the database refuse to change or delete it.
    """

    sequence = models.PositiveBigIntegerField(unique=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="seal")
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ()

    def __str__(self) -> str:
        return f"{self.sequence} {self.digest[:12]}"


class AuditCheck(models.Model):
    """What came out when the whole chain was computed again: up to where it holds, or why not."""

    checked_at = models.DateTimeField()
    sequence = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = _("check of the audit chain")
        verbose_name_plural = _("checks of the audit chain")

    def __str__(self) -> str:
        return f"{self.checked_at:%Y-%m-%d %H:%M} up to {self.sequence}"
