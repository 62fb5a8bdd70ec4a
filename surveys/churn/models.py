"""Customers who may leave: scorecards in versions, and what each run of one found."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.org.models import Unit


class RiskScorecard(models.Model):
    """What counts as a sign that a customer leaves, and how much: a version, which never changes.

    `points` is {sign: points}; a sign without points is not looked at. Looked at are customers who
    came within `active_days`; one has left who does not come again within `horizon_days`.
    """

    number = models.PositiveIntegerField(_("version"), unique=True)
    points = models.JSONField(_("points"), default=dict)
    medium = models.PositiveSmallIntegerField(_("medium from"), default=3)
    high = models.PositiveSmallIntegerField(_("high from"), default=5)
    horizon_days = models.PositiveSmallIntegerField(_("left after days"), default=90)
    active_days = models.PositiveSmallIntegerField(_("customer within days"), default=180)
    reason = models.CharField(_("reason"), max_length=300)
    created_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("risk scorecard")
        verbose_name_plural = _("risk scorecards")
        constraints = [
            models.CheckConstraint(
                condition=Q(medium__gt=0, high__gte=models.F("medium")),
                name="risk_scorecard_levels_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}"


class RiskRun(models.Model):
    """A scorecard tried on history and applied to the customers at the end of a month; the latest
    one counts.

    `on` is the day before the one it looks from, `starts_on` the first of the month (None: of a
    run before there were months; these are not shown any more). `trial` is JSON: how many of those
    with so many points left, how well they tell, a model beside. `tried` are the customers whom the
    trial that is on show counts, as packed ids: a later trial is compared with it.
    """

    scorecard = models.ForeignKey(RiskScorecard, on_delete=models.PROTECT, related_name="runs")
    on = models.DateField(_("day"))
    starts_on = models.DateField(_("month"), null=True)
    customers = models.PositiveIntegerField(null=True)
    trial = models.JSONField(default=dict)
    tried = models.BinaryField(null=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, related_name="risk_runs", null=True)
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("run of a risk scorecard")
        verbose_name_plural = _("runs of risk scorecards")

    def __str__(self) -> str:
        return f"{self.on}"


class UnitRiskQuerySet(models.QuerySet["UnitRisk"]):
    def visible_to(self, principal: Principal) -> Self:
        """Aggregates of units are for who sees results there."""
        scope = principal.scope(Permission.VIEW_RESULTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)


class UnitRisk(models.Model):
    """The customers last served at a unit or below it, by level; no numbers where they are few, or
    would be found by subtracting. Shares are percents in steps of two customers at least.

    `customers` are who stands behind the numbers, as packed ids, by which a later run knows who
    came and left since. `as_of` is the day they are of, where they stayed as an earlier run of the
    same scorecard told them.
    """

    run = models.ForeignKey(RiskRun, on_delete=models.CASCADE, related_name="units")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="risks")
    n = models.PositiveIntegerField(null=True)
    low = models.PositiveSmallIntegerField(null=True)
    medium = models.PositiveSmallIntegerField(null=True)
    high = models.PositiveSmallIntegerField(null=True)
    unknown = models.PositiveSmallIntegerField(null=True)
    customers = models.BinaryField(null=True)
    as_of = models.DateField(_("as of"), null=True)

    objects = UnitRiskQuerySet.as_manager()

    class Meta:
        verbose_name = _("risk of a unit")
        verbose_name_plural = _("risks of units")
        constraints = [
            models.UniqueConstraint(fields=["run", "unit"], name="unit_risk_once_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.n}"
