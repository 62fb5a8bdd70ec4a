"""Analyses of questionnaires: what a method found in the answers of a group in a closed period."""

import zlib
from typing import Self

import numpy as np
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.org.models import Unit
from sqcore.stats.arrays import IntArray
from surveys.instruments.models import InstrumentVersion


class AnalysisQuerySet(models.QuerySet["Analysis"]):
    def visible_to(self, principal: Principal) -> Self:
        """Who sees results of a unit sees analyses of it; channels and segments are of the whole
        organisation, and seen by who sees the unit that stands for it. Who runs surveys may read
        every answer, and so what was found in them."""
        if principal.may(Permission.MANAGE_SURVEYS):
            return self
        scope = principal.scope(Permission.VIEW_RESULTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)


class Analysis(models.Model):
    """What one kind of analysis found: for a unit with all below it, overall or for one channel or
    segment, in one closed period.

    `kind` is a key of KINDS, `method` the version of its method; `status` one of
    `sqcore.stats.results.MethodStatus`; `found` is JSON that only the kind reads, {} unless the
    status is ok. `n` are the respondents, None where too few answered to say so. A row is replaced
    when answers of its period came in or were withdrawn: it can always be made again. Where those
    were so few that the difference would tell of them, it stays as it was; `made_at` is when it
    was last found or found to stand.
    """

    kind = models.CharField(_("analysis"), max_length=40)
    version = models.ForeignKey(
        InstrumentVersion, on_delete=models.PROTECT, related_name="analyses", db_index=False
    )
    grain = models.CharField(_("grain"), max_length=8, choices=Grain)
    starts_on = models.DateField(_("from"))
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="analyses")
    margin = models.CharField(max_length=8, blank=True)
    margin_value = models.CharField(max_length=50, blank=True)
    method = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(_("status"), max_length=20)
    n = models.PositiveIntegerField(null=True)
    found = models.JSONField(default=dict)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, related_name="analyses", null=True)
    made_at = models.DateTimeField(_("made"))

    objects = AnalysisQuerySet.as_manager()

    class Meta:
        verbose_name = _("analysis")
        verbose_name_plural = _("analyses")
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("version", "kind", "grain", "starts_on", "unit"),
                    *("margin", "margin_value"),
                ],
                name="analysis_once_a_group",
            ),
            models.CheckConstraint(
                condition=Q(status="ok", n__isnull=False) | (~Q(status="ok") & Q(found={})),
                name="analysis_found_nothing_unless_ok",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.version_id} at unit {self.unit_id} {self.grain}"


class ShownGroup(models.Model):
    """Whose answers the analyses of a group were found in while they were on show.

    By these rows a later analysis knows who came and who left since. `revision` counts, by version
    and period, how often what is on show changed; the row was on show from `revision` on, before
    `until` (None: it still is). No moment is kept: nothing tells when a single answer came in.
    `responses` are ids, without a foreign key: answers may be withdrawn and erased.
    """

    version = models.ForeignKey(
        InstrumentVersion, on_delete=models.PROTECT, related_name="shown_groups", db_index=False
    )
    grain = models.CharField(max_length=8, choices=Grain)
    starts_on = models.DateField()
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="shown_groups")
    margin = models.CharField(max_length=8, blank=True)
    margin_value = models.CharField(max_length=50, blank=True)
    revision = models.PositiveIntegerField()
    until = models.PositiveIntegerField(null=True)
    responses = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("version", "grain", "starts_on", "unit", "margin", "margin_value"),
                    "revision",
                ],
                name="shown_group_once_a_revision",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=models.F("revision")),
                name="shown_group_until_later",
            ),
        ]

    def __str__(self) -> str:
        return f"unit {self.unit_id} {self.grain} {self.starts_on}, revision {self.revision}"


def packed_ids(ids: IntArray) -> bytes:
    """Return ascending ids as few bytes: what one is more than the one before, compressed.

    >>> ids_of(packed_ids(np.array([3, 4, 900]))).tolist()
    [3, 4, 900]
    """
    return zlib.compress(np.diff(ids, prepend=0).astype("<i8").tobytes(), 1)


def ids_of(packed: bytes | memoryview) -> IntArray:
    return np.cumsum(np.frombuffer(zlib.decompress(packed), dtype="<i8"), dtype=np.int64)
