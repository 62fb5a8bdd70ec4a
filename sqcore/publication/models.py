"""How a version of an indicator system comes about: its goals, and what was screened for it."""

from typing import Self, TypeVar
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator, SystemVersion

M = TypeVar("M", bound=models.Model)


class OfVersionQuerySet(models.QuerySet[M]):
    def visible_to(self, principal: Principal) -> Self:
        """How a published version came about is for who sees results; drafts are their makers'."""
        if principal.may(Permission.MANAGE_INDICATORS):
            return self
        if principal.may(Permission.VIEW_RESULTS):
            return self.exclude(version__state=SystemVersion.State.DRAFT)
        return self.none()


class Goal(models.Model):
    """What a version is to bring to light. `dimension` is the code of the one that serves it, empty
    while none does. `key` names it for good: in addresses, in the ledger and in copied versions;
    `position` is only the order."""

    key = models.UUIDField(default=uuid4, editable=False)
    version = models.ForeignKey(SystemVersion, on_delete=models.CASCADE, related_name="goals")
    position = models.PositiveSmallIntegerField(_("order"))
    text = models.JSONField(_("goal"), validators=[validate_translated])
    dimension = models.SlugField(_("dimension"), max_length=50, blank=True)

    objects = OfVersionQuerySet["Goal"].as_manager()

    class Meta:
        verbose_name = _("goal")
        verbose_name_plural = _("goals")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="goal_once_a_place"),
            models.UniqueConstraint(fields=["version", "key"], name="goal_once_in_a_version"),
        ]

    def __str__(self) -> str:
        return in_language(self.text)


class Candidate(models.Model):
    """Something that might be measured: an indicator of the catalogue, or one that is proposed and
    only has a name yet. People rate it and decide whether it stays."""

    class Decision(models.TextChoices):
        OPEN = "open", pgettext_lazy("a decision", "Open")
        KEEP = "keep", _("Kept")
        DROP = "drop", _("Dropped")

    version = models.ForeignKey(SystemVersion, on_delete=models.CASCADE, related_name="candidates")
    position = models.PositiveSmallIntegerField(_("order"))
    indicator = models.ForeignKey(
        Indicator, on_delete=models.PROTECT, related_name="candidacies", null=True, blank=True
    )
    name = models.JSONField(_("name"), default=dict, blank=True)
    decision = models.CharField(
        _("decision"), max_length=4, choices=Decision, default=Decision.OPEN
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    objects = OfVersionQuerySet["Candidate"].as_manager()

    class Meta:
        verbose_name = _("candidate")
        verbose_name_plural = _("candidates")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="candidate_once_a_place"),
            models.UniqueConstraint(
                fields=["version", "indicator"],
                condition=Q(indicator__isnull=False),
                name="candidate_once_an_indicator",
            ),
            models.CheckConstraint(
                condition=Q(decision="open", decided_at__isnull=True)
                | (~Q(decision="open") & Q(decided_at__isnull=False) & ~Q(reason="")),
                name="candidate_decided_with_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.indicator.name if self.indicator else self.name)


_POINTS = [MinValueValidator(1), MaxValueValidator(5)]


class Rating(models.Model):
    """What one person holds of a candidate, 1 to 5 by criterion."""

    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="ratings")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="candidate_ratings"
    )
    important = models.PositiveSmallIntegerField(_("important"), validators=_POINTS)
    operable = models.PositiveSmallIntegerField(_("operable"), validators=_POINTS)
    consistent = models.PositiveSmallIntegerField(_("consistent"), validators=_POINTS)
    complete = models.PositiveSmallIntegerField(_("complete"), validators=_POINTS)
    dynamic = models.PositiveSmallIntegerField(_("dynamic"), validators=_POINTS)
    rated_at = models.DateTimeField()

    class Meta:
        verbose_name = _("rating of a candidate")
        verbose_name_plural = _("ratings of candidates")
        constraints = [
            models.UniqueConstraint(fields=["candidate", "person"], name="rating_once_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.candidate_id} by {self.person_id}"
