"""Files of answers: what was taken in, how it was read, what was left out and why."""

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from surveys.campaigns.models import Campaign


class ImportQuerySet(models.QuerySet["Import"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.MANAGE_SURVEYS) else self.none()


class Import(models.Model):
    """A file of answers that was taken in: what it was, how it was read, what was left out."""

    class State(models.TextChoices):
        CHECKED = "checked", _("Checked")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="imports", null=True
    )
    file_name = models.CharField(max_length=200)
    file_digest = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=200, blank=True)
    encoding = models.CharField(max_length=30, blank=True)
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.CHECKED)
    rows_read = models.PositiveIntegerField(default=0)
    rows_taken = models.PositiveIntegerField(default=0)
    rows_left_out = models.PositiveIntegerField(default=0)
    report = models.JSONField(default=dict)
    job_key = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="imports", null=True
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        indexes = [models.Index(fields=["-created_at", "id"], name="import_newest")]

    def __str__(self) -> str:
        return f"{self.file_name} {self.created_at:%Y-%m-%d}"
