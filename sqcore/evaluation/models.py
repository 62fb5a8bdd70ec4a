"""Evaluation runs, what they froze, and the KPI series that they publish."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.jobs.models import Job
from sqcore.org.models import Unit


class EvaluationRunQuerySet(models.QuerySet["EvaluationRun"]):
    def visible_to(self, principal: Principal) -> Self:
        """When and from what figures came is known to everybody who sees figures anywhere."""
        return self if principal.may(Permission.VIEW_RESULTS) else self.none()

    def current(self) -> Self:
        return self.filter(is_current=True)


class EvaluationRun(models.Model):
    """One evaluation of one system version for one closed period; a repeat is a new revision.

    It freezes what it used: the definition (indicators, weights, goalposts), the policy (smallest
    group, rules), the unit tree, the input cells and what was published before, so that `replay`
    gets the same result hash. `collected_at` is when the sources were read, `checked_at` when they
    were last found unchanged. `respondents` is None when the whole is too small to be shown, or
    nobody was asked.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        PUBLISHED = "published", _("Published")

    class Reason(models.TextChoices):
        CLOSED = "closed", _("The period was over")
        DATA = "data", _("Answers came in or were withdrawn")
        RULES = "rules", _("The indicator system, the smallest group or the shifts changed")
        ASKED = "asked", _("Somebody asked for it")

    system = models.ForeignKey(IndicatorSystem, on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey(SystemVersion, on_delete=models.PROTECT, related_name="runs")
    grain = models.CharField(_("grain"), max_length=8, choices=Grain)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"))
    scope = models.CharField(max_length=60, default="organisation")
    revision = models.PositiveIntegerField(_("revision"), default=1)
    is_current = models.BooleanField(default=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    reason = models.CharField(_("reason"), max_length=10, choices=Reason)
    definition = models.JSONField(default=dict)
    policy = models.JSONField(default=dict)
    tree = models.JSONField(default=dict)
    libraries = models.JSONField(default=dict)
    respondents = models.PositiveIntegerField(null=True)
    input_digest = models.CharField(max_length=64, blank=True)
    result_digest = models.CharField(max_length=64, blank=True)
    job = models.ForeignKey(
        Job, on_delete=models.SET_NULL, related_name="evaluation_runs", null=True
    )
    created_at = models.DateTimeField()
    collected_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)

    objects = EvaluationRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("evaluation run")
        verbose_name_plural = _("evaluation runs")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "grain", "starts_on", "scope", "revision"],
                name="run_once_a_revision",
            ),
            models.UniqueConstraint(
                fields=["system", "grain", "starts_on", "scope"],
                condition=Q(is_current=True),
                name="run_one_current",
            ),
            models.CheckConstraint(
                condition=Q(is_current=False) | Q(state="published"),
                name="run_current_is_published",
            ),
        ]
        # Whether anything was published since is asked by every REST client, each time.
        indexes = [models.Index(fields=["state", "published_at"], name="run_published")]

    def __str__(self) -> str:
        return f"{self.system} {self.grain} {self.starts_on} r{self.revision}"


class QuietPeriod(models.Model):
    """A closed period in which the sources had nothing: not looked at again until they change."""

    version = models.ForeignKey(
        SystemVersion, on_delete=models.CASCADE, related_name="quiet_periods"
    )
    grain = models.CharField(max_length=8, choices=Grain)
    starts_on = models.DateField()
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "grain", "starts_on"], name="quiet_period_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.grain} {self.starts_on}"


class FrozenCells(models.Model):
    """The sufficient statistics that a run read from one source, packed.

    Under the key `published` stands what had been published before around the period, which
    decides what may be shown. With the run's own fields nothing else enters the figures. Under
    `errors` stands what came out beside them: how sure the score of each unit is.
    """

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="frozen_cells")
    source = models.CharField(max_length=60)
    content = models.BinaryField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "source"], name="frozen_cells_once_a_source"),
        ]

    def __str__(self) -> str:
        return f"{self.source} of run {self.run_id}"


class KpiValueQuerySet(models.QuerySet["KpiValue"]):
    def visible_to(self, principal: Principal) -> Self:
        scope = principal.scope(Permission.VIEW_RESULTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)

    def current(self) -> Self:
        return self.filter(is_current=True)


class KpiValue(models.Model):
    """One figure of the series: of an indicator, a dimension or the composite, at one unit (and
    below), overall or for one channel or segment, in one period.

    `value` is in natural units (indicators only), `score` in points 0 to 100; `low` and `high`
    bound the value where there is one, `score_low` and `score_high` the score. A suppressed or
    insufficient figure has no numbers at all, n included. What `n` counts, the definition says;
    the n of a score with opinions in its system counts answers and is 0 where none is in it.
    """

    class Kind(models.TextChoices):
        COMPOSITE = "composite", _("Overall")
        DIMENSION = "dimension", _("Dimension")
        INDICATOR = "indicator", _("Indicator")

    class Status(models.TextChoices):
        OK = "ok", _("Shown")
        SUPPRESSED = "suppressed", _("Too few answers to show")
        INSUFFICIENT = "insufficient", _("Not enough data")

    class Reason(models.TextChoices):
        """Why a figure is as it is. It never tells a small group from one that protects it."""

        TOO_FEW = "too_few", _("Too few answers to show, here or in a group beside it")
        COVERAGE = "coverage", _("Too little of what belongs to it was measured")
        NO_SPREAD = "no_interval", _("How sure it is cannot be said")
        HELD = "held", _("As published before: too few answers changed to show a new figure")
        PARTLY = "partly", _("Its interval leaves out what was measured only once")
        MISSING = "missing", _("Something that it is computed from is missing")
        UNDEFINED = "undefined", _("Its formula has no value here: it would divide by zero")
        FEW_GROUPS = "few_groups", _("Too few groups are large enough to be compared")

    # No indexes of their own: a run writes thousands of rows, and those below find them.
    run = models.ForeignKey(
        EvaluationRun, on_delete=models.CASCADE, related_name="kpi_values", db_index=False
    )
    is_current = models.BooleanField(default=False)
    system = models.ForeignKey(
        IndicatorSystem, on_delete=models.PROTECT, related_name="kpi_values", db_index=False
    )
    grain = models.CharField(max_length=8, choices=Grain)
    starts_on = models.DateField()
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="kpi_values", db_index=False
    )
    margin = models.CharField(max_length=8, blank=True)
    margin_value = models.CharField(max_length=50, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    code = models.CharField(max_length=80)
    status = models.CharField(max_length=12, choices=Status)
    reason = models.CharField(max_length=12, choices=Reason, default="", blank=True)
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    score = models.FloatField(null=True)
    score_low = models.FloatField(null=True)
    score_high = models.FloatField(null=True)
    n = models.PositiveIntegerField(null=True)
    coverage = models.FloatField(null=True)

    objects = KpiValueQuerySet.as_manager()

    class Meta:
        verbose_name = _("KPI value")
        verbose_name_plural = _("KPI values")
        constraints = [
            models.UniqueConstraint(
                fields=["run", "unit", "margin", "margin_value", "kind", "code"],
                name="kpi_value_once_a_run",
            ),
            models.CheckConstraint(
                condition=Q(status="ok") | Q(value=None, score=None, n=None, low=None, high=None),
                name="kpi_value_hidden_has_no_numbers",
            ),
            models.CheckConstraint(
                condition=~Q(status="ok") | Q(score__isnull=False, n__isnull=False),
                name="kpi_value_shown_has_numbers",
            ),
        ]
        indexes = [
            models.Index(
                fields=["system", "grain", "unit", "code", "margin", "starts_on"],
                name="kpi_series",
                condition=Q(is_current=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} of unit {self.unit_id} {self.grain} {self.starts_on}"
