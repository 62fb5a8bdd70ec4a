"""Long work as a row: what it is, how far it is, who holds it."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, principal: Principal) -> Self:
        """All for who may see all long work; otherwise the own."""
        if principal.may(Permission.VIEW_JOBS):
            return self
        return self.filter(owner=principal.user) if principal.user else self.none()


class Job(models.Model):
    """A piece of long work. The row is the truth; a message to a worker only says "look at it".

    Who works on it holds a lease and a fence number; whoever takes it over gets the next number,
    and a write under an old number changes nothing. `bell_at` is when a worker is told again.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    title = models.JSONField()
    parameters = models.JSONField(default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs", null=True
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    stage = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    bell_at = models.DateTimeField()
    bells = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=Q(state__in=["queued", "running"]),
                name="job_one_open_a_key",
            ),
            models.CheckConstraint(condition=Q(done__lte=models.F("total")), name="job_progress"),
        ]
        indexes = [
            models.Index(
                fields=["bell_at"],
                name="job_open",
                condition=Q(state__in=["queued", "running"]),
            ),
            models.Index(fields=["-created_at", "id"], name="job_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def failure(self) -> str:
        """Why it failed, for people; an unexpected error is in the log under the job's number."""
        if self.state != self.State.FAILED:
            return ""
        return self.error or gettext(
            "Something unexpected went wrong, also on trying again. "
            "An administrator finds the cause in the log under the number of this job."
        )


OPEN = (Job.State.QUEUED, Job.State.RUNNING)
