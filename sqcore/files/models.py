"""Files of rows that were given: what they were, how they are read, what came of them."""

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from sqcore.files.kinds import ROW_KINDS
from sqcore.identity.principals import Principal


class FileImportQuerySet(models.QuerySet["FileImport"]):
    def visible_to(self, principal: Principal) -> Self:
        kinds = [kind.key for kind in ROW_KINDS if principal.may(kind.permission)]
        return self.filter(kind__in=kinds)


class FileImport(models.Model):
    """A file of rows of one kind: checked, then taken in as a job. `leaves_out`: rows with errors
    are left out; otherwise one of them refuses the file."""

    class State(models.TextChoices):
        GIVEN = "given", _("Given")
        CHECKED = "checked", _("Checked")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    kind = models.SlugField(max_length=40)
    file_name = models.CharField(max_length=200)
    file_digest = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=64, blank=True)
    mapping = models.JSONField(default=dict)
    leaves_out = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State, default=State.GIVEN)
    rows_read = models.PositiveIntegerField(default=0)
    rows_left_out = models.PositiveIntegerField(default=0)
    report = models.JSONField(default=dict)
    job_key = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="file_imports", null=True
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = FileImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("file of rows")
        verbose_name_plural = _("files of rows")
        indexes = [models.Index(fields=["kind", "-created_at", "id"], name="file_import_newest")]

    def __str__(self) -> str:
        return f"{self.file_name} {self.created_at:%Y-%m-%d}"

    @property
    def rows_good(self) -> int:
        return self.rows_read - self.rows_left_out
