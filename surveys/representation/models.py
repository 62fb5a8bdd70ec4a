"""Whether those who answered stand for the customers: known populations, and weighings by them."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.org.models import Unit
from surveys.instruments.models import InstrumentVersion


class PopulationQuerySet(models.QuerySet["Population"]):
    def visible_to(self, principal: Principal) -> Self:
        """Populations are of the whole organisation: for who runs surveys or sees all results."""
        everywhere = principal.scope(Permission.VIEW_RESULTS).everywhere
        return self if everywhere or principal.may(Permission.MANAGE_SURVEYS) else self.none()


class Population(models.Model):
    """How many customers there are, by unit, channel or segment, as somebody knows it.

    `figures` is {margin: {code: number}}, numbers of each margin by themselves: counts or shares.
    It never changes: who knows better states another one. `digest` is a hash of the figures.
    """

    class Origin(models.TextChoices):
        TYPED = "typed", _("Entered by hand")
        FILE = "file", _("From a file")
        ENCOUNTERS = "encounters", _("Counted: who was served")
        INVITED = "invited", _("Counted: who was invited")

    name = models.CharField(_("name"), max_length=120)
    source = models.CharField(_("source"), max_length=200)
    stated_on = models.DateField(_("as of"))
    origin = models.CharField(_("how known"), max_length=12, choices=Origin)
    figures = models.JSONField(_("figures"), default=dict)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("entered"))

    objects = PopulationQuerySet.as_manager()

    class Meta:
        verbose_name = _("population")
        verbose_name_plural = _("populations")

    def __str__(self) -> str:
        return self.name


class WeighingQuerySet(models.QuerySet["Weighing"]):
    def visible_to(self, principal: Principal) -> Self:
        """Who sees results of the whole organisation sees how it was weighed, and who runs surveys,
        who may read every answer."""
        if principal.may(Permission.MANAGE_SURVEYS):
            return self
        scope = principal.scope(Permission.VIEW_RESULTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)


class Weighing(models.Model):
    """The answers to a version in one closed period, weighed by a population, and what came of it.

    `unit` stands for the whole organisation. `found` is JSON ({} unless the status is ok), as
    coarse as it may be shown. `weights` are the frozen weights by combination of categories, with
    the people in each: kept to be able to make it again, never shown. `digest` is a hash over both
    and the population. `groups` are the people of each group as last shown in this period. Late
    answers change nothing; a person weighs anew. It never enters an indicator.
    """

    version = models.ForeignKey(
        InstrumentVersion, on_delete=models.PROTECT, related_name="weighings", db_index=False
    )
    grain = models.CharField(_("grain"), max_length=8, choices=Grain)
    starts_on = models.DateField(_("from"))
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="weighings")
    population = models.ForeignKey(Population, on_delete=models.PROTECT, related_name="weighings")
    status = models.CharField(_("status"), max_length=20)
    n = models.PositiveIntegerField(null=True)
    found = models.JSONField(default=dict)
    weights = models.JSONField(default=list)
    groups = models.JSONField(default=list)
    digest = models.CharField(max_length=64)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, related_name="weighings", null=True)
    made_at = models.DateTimeField(_("made"))

    objects = WeighingQuerySet.as_manager()

    class Meta:
        verbose_name = _("weighing of answers")
        verbose_name_plural = _("weighings of answers")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "grain", "starts_on"], name="weighing_once_a_period"
            ),
            models.CheckConstraint(
                condition=Q(status="ok", n__isnull=False) | (~Q(status="ok") & Q(found={})),
                name="weighing_found_nothing_unless_ok",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.grain} {self.starts_on}"
