"""Answers: one row a response; what is derived from them can always be rebuilt."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Staff, Unit
from surveys.campaigns.models import Campaign
from surveys.instruments.models import InstrumentVersion

WEIGHT_ONE = 1000
"""A survey weight of 1: weights are kept as whole thousandths, so that sums stay exact."""


class ResponseQuerySet(models.QuerySet["Response"]):
    def visible_to(self, principal: Principal) -> Self:
        """Single answers are for who runs surveys; everybody else sees aggregates."""
        return self if principal.may(Permission.MANAGE_SURVEYS) else self.none()

    def counted(self) -> Self:
        return self.filter(withdrawn=False)


class Response(models.Model):
    """One filled-in questionnaire.

    `answers` is {item code: whole number, text, or "na"} as given; `packed` holds one byte a scored
    item in the order of `position`, reversed items turned, 254 not applicable, 255 missing.
    `key` is random and known only to the form that sent it: a second sending finds it taken.
    Of an anonymous response neither the moment nor the link is kept (`received_at` is null).
    `withdrawn` rows are in no figure: taken back, or of an import that is not complete yet.
    Nothing has a foreign key to a response.
    """

    class Origin(models.TextChoices):
        LINK = "link", _("Link")
        API = "api", _("REST")
        IMPORT = "import", _("Import")
        INVITED = "invited", _("Invitation")

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The unique pair with the external key begins with the campaign, and serves as its index.
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="responses", db_index=False
    )
    version = models.ForeignKey(
        InstrumentVersion, on_delete=models.PROTECT, related_name="responses"
    )
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="responses")
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="responses", null=True
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="responses", null=True
    )
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="responses", null=True)
    subject = models.CharField(max_length=80, blank=True)
    encounter_key = models.CharField(max_length=80, blank=True)
    answered_on = models.DateField()
    finest_grain = models.CharField(max_length=8, choices=Grain, default=Grain.DAY)
    received_at = models.DateTimeField(null=True)
    language = models.CharField(max_length=10, blank=True)
    origin = models.CharField(max_length=8, choices=Origin)
    import_id = models.PositiveBigIntegerField(null=True)
    external_key = models.CharField(max_length=120, null=True)
    answers = models.JSONField(default=dict)
    packed = models.BinaryField()
    weight = models.PositiveIntegerField(default=WEIGHT_ONE)
    withdrawn = models.BooleanField(default=False)
    in_rollup = models.BooleanField(default=False)

    objects = ResponseQuerySet.as_manager()

    class Meta:
        verbose_name = _("response")
        verbose_name_plural = _("responses")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "external_key"], name="response_external_key_once"
            ),
            models.CheckConstraint(condition=Q(weight__gt=0), name="response_weight_positive"),
        ]
        indexes = [
            models.Index(fields=["version", "finest_grain", "answered_on"], name="response_by_day"),
            # Two, not one with an "or": SQLite uses them for questions that have their terms.
            models.Index(
                fields=["version", "id"],
                name="response_to_add",
                condition=Q(in_rollup=False, withdrawn=False),
            ),
            models.Index(
                fields=["version", "id"],
                name="response_to_subtract",
                condition=Q(in_rollup=True, withdrawn=True),
            ),
            models.Index(
                fields=["campaign", "unit"],
                name="response_in_force",
                condition=Q(withdrawn=False),
            ),
            models.Index(
                fields=["import_id"],
                name="response_of_import",
                condition=Q(import_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.answered_on}"


class Rollup(models.Model):
    """Exact sums of one unit x month of a version's answers: all, by channel and by segment.

    `place` spells unit, month and grain as one text, so that a batch finds its rows with one
    question. `content` bundles the packed moments of each part (`surveys.responses.sums`). Kept up
    in batches; can be rebuilt from the rows at any time.
    """

    version = models.ForeignKey(InstrumentVersion, on_delete=models.PROTECT, related_name="rollups")
    place = models.CharField(max_length=60)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="rollups")
    month = models.DateField()
    finest_grain = models.CharField(max_length=8, choices=Grain, default=Grain.DAY)
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "place"], name="rollup_once_a_place"),
        ]
        indexes = [models.Index(fields=["version", "month"], name="rollup_of_month")]

    def __str__(self) -> str:
        return f"{self.version_id} {self.place}"


class RollupMonth(models.Model):
    """When the sums of a month last changed: for all units together, so that the row does not tell
    when a single anonymous answer came."""

    version = models.ForeignKey(
        InstrumentVersion, on_delete=models.PROTECT, related_name="rollup_months"
    )
    month = models.DateField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "month"], name="rollup_month_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.month:%Y-%m}"
