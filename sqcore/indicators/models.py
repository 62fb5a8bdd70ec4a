"""The indicator catalogue, and indicator systems in versions that never change once published."""

from datetime import date
from math import inf
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.append_only import AppendOnly
from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.shapes import Aggregation, Shape, fault_of


class UnitOfMeasure(models.TextChoices):
    """The units in which indicators are kept. What a source has in another one, a formula
    turns: `60 * [waiting-time]`."""

    SHARE = "share", _("share, 0 to 1")
    PERCENT = "%", _("percent")
    POINTS = "points", _("points")
    SECONDS = "s", _("seconds")
    MINUTES = "min", _("minutes")
    HOURS = "h", _("hours")
    DAYS = "days", _("days")
    COUNT = "count", _("number")
    PER_HUNDRED = "per 100", _("per 100")
    PER_THOUSAND = "per 1000", _("per 1,000")
    PER_MONTH = "per month", _("per month")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most that a value in it can be."""
        if self in (UnitOfMeasure.SHARE, UnitOfMeasure.PERCENT):
            return 0.0, 1.0 if self == UnitOfMeasure.SHARE else 100.0
        return (-inf if self == UnitOfMeasure.POINTS else 0.0), inf


EPOCHS_NEVER_CHANGED = AppendOnly(
    tables=("sqcore_indicatorepoch",),
    function="sqcore_indicatorepoch_refuse",
    message="an epoch of an indicator is never changed",
)


class IndicatorQuerySet(models.QuerySet["Indicator"]):
    def visible_to(self, principal: Principal) -> Self:
        """What is measured is known to everybody who sees results anywhere."""
        return self if principal.may(Permission.VIEW_RESULTS) else self.none()


class Indicator(models.Model):
    """What is measured, from where, and which way is better.

    `source` is a key of the registry of sources, `parameters` what that source is asked for. An
    indicator with a `formula` has no source: it is computed from other indicators of the catalogue.
    """

    class Stage(models.TextChoices):
        """The part of a service that it speaks of, or what came of it."""

        PREPARATION = "preparation", _("Preparation")
        EXECUTION = "execution", _("Execution")
        COMPLETION = "completion", _("Completion")
        OUTCOME = "outcome", _("Outcome")

    class Direction(models.TextChoices):
        HIGHER = "higher", _("Higher is better")
        LOWER = "lower", _("Lower is better")

    class Statistic(models.TextChoices):
        MEAN = "mean", _("Mean")
        PROPORTION = "proportion", _("Share")
        NPS = "nps", _("Net promoter score")
        RATE = "rate", _("Rate")
        SPREAD = "spread", _("Spread between groups")
        ICC = "icc", _("Share of the variance between groups")

    code = models.SlugField(_("code"), max_length=80, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    definition = models.JSONField(_("definition"), default=dict, blank=True)
    unit_of_measure = models.CharField(_("unit of measure"), max_length=30, blank=True)
    direction = models.CharField(
        _("direction"), max_length=10, choices=Direction, default=Direction.HIGHER
    )
    statistic = models.CharField(
        _("statistic"), max_length=12, choices=Statistic, default=Statistic.MEAN
    )
    source = models.CharField(_("source"), max_length=60, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    formula = models.CharField(_("formula"), max_length=500, blank=True)
    stage = models.CharField(_("stage"), max_length=12, choices=Stage, blank=True, default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="owned_indicators",
        null=True,
        blank=True,
    )
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_to = models.DateField(_("until"), null=True, blank=True)

    objects = IndicatorQuerySet.as_manager()

    class Meta:
        verbose_name = _("indicator")
        verbose_name_plural = _("indicators")
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True)
                | Q(valid_from__isnull=True)
                | Q(valid_to__gt=F("valid_from")),
                name="indicator_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=~Q(source="", formula="") & (Q(source="") | Q(formula="")),
                name="indicator_has_source_or_formula",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)

    @property
    def ordered_targets(self) -> list["Target"]:
        """Its targets over time; no query where they were read along with it."""
        return sorted(self.targets.all(), key=lambda target: target.valid_from)

    def is_valid_on(self, on: date) -> bool:
        started = self.valid_from is None or self.valid_from <= on
        return started and (self.valid_to is None or self.valid_to > on)


class Target(models.Model):
    """What an indicator should reach (`value`) and not fall short of (`floor`) during
    [valid_from, valid_to), everywhere. The periods of one indicator never overlap."""

    indicator = models.ForeignKey(Indicator, on_delete=models.CASCADE, related_name="targets")
    value = models.FloatField(_("target"))
    floor = models.FloatField(_("floor"), null=True, blank=True)
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        constraints = [
            models.UniqueConstraint(fields=["indicator", "valid_from"], name="target_once_a_day"),
            models.UniqueConstraint(
                fields=["indicator"], condition=Q(valid_to__isnull=True), name="target_one_open"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="target_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.indicator} from {self.valid_from}"


class IndicatorEpochQuerySet(models.QuerySet["IndicatorEpoch"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.VIEW_RESULTS) else self.none()


class IndicatorEpoch(models.Model):
    """From `starts_on` on, an indicator that was published measures something else than before.

    `before` and `after` hold what is measured: source, parameters, formula, statistic, unit of
    measure, direction. The first definition is epoch 1 and has no row. Rows are only ever added,
    the database refuses everything else. Of two that begin on one day the one with the higher
    number counts.
    """

    indicator = models.ForeignKey(Indicator, on_delete=models.PROTECT, related_name="epochs")
    number = models.PositiveSmallIntegerField(_("epoch"))
    starts_on = models.DateField(_("counts from"))
    before = models.JSONField(_("measured before"))
    after = models.JSONField(_("measured from then on"))
    reason = models.CharField(_("reason"), max_length=300)
    begun_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="indicator_epochs"
    )
    begun_at = models.DateTimeField(_("decided"))

    objects = IndicatorEpochQuerySet.as_manager()

    class Meta:
        verbose_name = _("epoch of an indicator")
        verbose_name_plural = _("epochs of indicators")
        constraints = [
            models.UniqueConstraint(fields=["indicator", "number"], name="indicator_epoch_number"),
            models.CheckConstraint(condition=Q(number__gte=2), name="indicator_epoch_after_first"),
        ]

    def __str__(self) -> str:
        return f"{self.indicator_id} epoch {self.number}"


class IndicatorSystemQuerySet(models.QuerySet["IndicatorSystem"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.VIEW_RESULTS) else self.none()


class IndicatorSystem(models.Model):
    """A way to judge quality as a whole; its versions follow each other."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    is_active = models.BooleanField(_("evaluated every period"), default=True)

    objects = IndicatorSystemQuerySet.as_manager()

    class Meta:
        verbose_name = _("indicator system")
        verbose_name_plural = _("indicator systems")

    def __str__(self) -> str:
        return in_language(self.name)


class SystemVersionQuerySet(models.QuerySet["SystemVersion"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if principal.may(Permission.VIEW_RESULTS) else self.none()

    def published(self) -> Self:
        return self.filter(state=SystemVersion.State.PUBLISHED)


class SystemVersion(models.Model):
    """One version: a draft until published, immutable from then on.

    `grains` lists the grains that are evaluated as their periods close, and `since` the first day
    that is evaluated. Where weeks stand beside months, only what is no opinion is evaluated by
    week. `target` is what the overall score should reach, in points. `aggregation` is how scores
    become one, in each dimension and overall.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        RETIRED = "retired", _("Retired")

    system = models.ForeignKey(IndicatorSystem, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    grains = models.JSONField(_("evaluated by"), default=list)
    since = models.DateField(_("evaluated from"))
    target = models.FloatField(_("target"), null=True, blank=True)
    aggregation = models.CharField(
        _("aggregation"), max_length=10, choices=Aggregation, default=Aggregation.ARITHMETIC
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.CharField(max_length=40, blank=True)

    objects = SystemVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("version of an indicator system")
        verbose_name_plural = _("versions of indicator systems")
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="system_version_number"),
            models.UniqueConstraint(
                fields=["system"],
                condition=Q(state="published"),
                name="system_one_published_version",
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(published_at__isnull=False),
                name="system_version_published_at",
            ),
            models.CheckConstraint(
                condition=Q(aggregation__in=Aggregation.values),
                name="system_version_aggregation_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.number}"


class Dimension(models.Model):
    """A branch of a version's tree: a named part of quality with its weight among its siblings."""

    version = models.ForeignKey(SystemVersion, on_delete=models.CASCADE, related_name="dimensions")
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, related_name="children", null=True, blank=True
    )
    code = models.SlugField(_("code"), max_length=50)
    name = models.JSONField(_("name"), validators=[validate_translated])
    weight = models.DecimalField(_("weight"), max_digits=13, decimal_places=12)
    target = models.FloatField(_("target"), null=True, blank=True)
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("dimension")
        verbose_name_plural = _("dimensions")
        constraints = [
            models.UniqueConstraint(fields=["version", "code"], name="dimension_code_once"),
            models.CheckConstraint(
                condition=Q(weight__gte=0, weight__lte=1), name="dimension_weight_is_share"
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)


class WeightedIndicator(models.Model):
    """An indicator in a dimension: its weight there, and which values have 0 and 100 points.

    With the weight 0 it is watched: shown in its place, and in no score. What `shape` says beside
    `worst` and `best` is told by `sqcore.indicators.shapes`; `knots` are [[value, points], ...].
    """

    dimension = models.ForeignKey(Dimension, on_delete=models.CASCADE, related_name="indicators")
    indicator = models.ForeignKey(Indicator, on_delete=models.PROTECT, related_name="uses")
    weight = models.DecimalField(_("weight"), max_digits=13, decimal_places=12)
    worst = models.FloatField(_("value of 0 points"))
    best = models.FloatField(_("value of 100 points"))
    shape = models.CharField(_("shape"), max_length=10, choices=Shape, default=Shape.GOALPOSTS)
    dead_band = models.FloatField(_("dead band"), null=True, blank=True)
    limit = models.FloatField(_("limit"), null=True, blank=True)
    knots = models.JSONField(_("points"), null=True, blank=True)
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("weighted indicator")
        verbose_name_plural = _("weighted indicators")
        constraints = [
            models.UniqueConstraint(
                fields=["dimension", "indicator"], name="weighted_indicator_once"
            ),
            models.CheckConstraint(
                condition=Q(weight__gte=0, weight__lte=1), name="weighted_indicator_is_share"
            ),
            models.CheckConstraint(
                condition=~Q(worst=F("best")), name="weighted_indicator_goalposts_differ"
            ),
            models.CheckConstraint(
                condition=Q(shape__in=Shape.values), name="weighted_indicator_shape_known"
            ),
            models.CheckConstraint(
                condition=Q(shape=Shape.NOMINAL, dead_band__isnull=False, dead_band__gte=0)
                & (
                    Q(dead_band__lt=F("best") - F("worst"))
                    | Q(dead_band__lt=F("worst") - F("best"))
                )
                | ~Q(shape=Shape.NOMINAL) & Q(dead_band__isnull=True),
                name="weighted_indicator_dead_band_within",
            ),
            models.CheckConstraint(
                condition=Q(shape=Shape.TARGET, limit__isnull=False) & ~Q(limit=F("best"))
                | ~Q(shape=Shape.TARGET) & Q(limit__isnull=True),
                name="weighted_indicator_limit_of_target",
            ),
            models.CheckConstraint(
                condition=Q(shape=Shape.KNOTS, knots__isnull=False)
                | ~Q(shape=Shape.KNOTS) & Q(knots__isnull=True),
                name="weighted_indicator_knots_given",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.indicator} in {self.dimension}"

    def clean(self) -> None:
        """Refuse a shape that cannot be. raises: ValidationError"""
        if self.worst is None or self.best is None:
            return
        fault = fault_of(self)
        if fault is not None:
            known = {field.name for field in self._meta.fields}
            raise ValidationError({fault[0] if fault[0] in known else "__all__": fault[1]})
