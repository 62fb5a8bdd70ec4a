"""Competitors and the market: who they are, what they reach, what files of others call them."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator


def _sees(principal: Principal) -> bool:
    """The market is known to everybody who sees results anywhere, and to who keeps it."""
    return principal.may(Permission.VIEW_RESULTS) or principal.may(Permission.MANAGE_COMPARATORS)


class ComparatorQuerySet(models.QuerySet["Comparator"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if _sees(principal) else self.none()


class Comparator(models.Model):
    """Somebody or something to compare with. What is not active is shown nowhere but here."""

    class Kind(models.TextChoices):
        COMPETITOR = "competitor", _("Competitor")
        AVERAGE = "average", _("Average of the market")
        BEST = "best", _("Best of the market")
        OWN_GROUP = "own_group", _("Own target group or percentile")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    note = models.CharField(_("note"), max_length=300, blank=True)
    is_active = models.BooleanField(_("shown beside own results"), default=True)

    objects = ComparatorQuerySet.as_manager()

    class Meta:
        verbose_name = _("comparator")
        verbose_name_plural = _("comparators")

    def __str__(self) -> str:
        return in_language(self.name)


class ComparatorValueQuerySet(models.QuerySet["ComparatorValue"]):
    def visible_to(self, principal: Principal) -> Self:
        return self if _sees(principal) else self.none()

    def current(self) -> Self:
        """The newest revision of each, also where it is withdrawn."""
        return self.filter(superseded_at__isnull=True)

    def in_force(self) -> Self:
        """What is compared with: current, not withdrawn, of who is active."""
        return self.current().filter(withdrawn_at__isnull=True, comparator__is_active=True)

    def about(self, first: date, end: date) -> Self:
        """What speaks of a day in [first, end)."""
        return self.filter(starts_on__lt=end, ends_on__gt=first)


class ComparatorValue(models.Model):
    """What a comparator reached in an indicator during [starts_on, ends_on); append-only.

    `value`, `low` and `high` (a 95 % interval) are in the unit of the indicator. A correction is a
    next revision; of the former one only `superseded_at` is written, of a withdrawn one when, by
    whom and why. `source` says where somebody else finds the number.
    """

    comparator = models.ForeignKey(
        Comparator, on_delete=models.PROTECT, related_name="values", db_index=False
    )
    indicator = models.ForeignKey(
        Indicator, on_delete=models.PROTECT, related_name="comparator_values"
    )
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"))
    value = models.FloatField(_("value"))
    low = models.FloatField(_("lower end of the interval"), null=True)
    high = models.FloatField(_("upper end of the interval"), null=True)
    n = models.PositiveIntegerField(_("number of answers or cases"), null=True)
    source = models.CharField(_("source"), max_length=300)
    url = models.URLField(_("address of the source"), max_length=500, blank=True)
    published_on = models.DateField(_("published"), null=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    revision = models.PositiveIntegerField(default=1)
    recorded_by = models.CharField(max_length=40)
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=40, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_because = models.CharField(max_length=300, blank=True)

    objects = ComparatorValueQuerySet.as_manager()

    class Meta:
        verbose_name = _("value of a comparator")
        verbose_name_plural = _("values of comparators")
        constraints = [
            models.UniqueConstraint(
                fields=["comparator", "indicator", "starts_on", "ends_on"],
                condition=Q(superseded_at__isnull=True),
                name="comparator_value_one_current",
            ),
            models.UniqueConstraint(
                fields=["comparator", "indicator", "starts_on", "ends_on", "revision"],
                name="comparator_value_revision_once",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__gt=F("starts_on")),
                name="comparator_value_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(low__isnull=True, high__isnull=True)
                | Q(
                    low__isnull=False,
                    high__isnull=False,
                    low__lte=F("value"),
                    high__gte=F("value"),
                ),
                name="comparator_value_lies_in_its_interval",
            ),
            models.CheckConstraint(condition=~Q(source=""), name="comparator_value_has_a_source"),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | ~Q(withdrawn_because=""),
                name="comparator_value_withdrawn_because",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.comparator_id} {self.indicator_id} {self.starts_on} r{self.revision}"

    @property
    def is_withdrawn(self) -> bool:
        return self.withdrawn_at is not None

    @property
    def has_interval(self) -> bool:
        return self.low is not None and self.high is not None


class ForeignName(models.Model):
    """What files of others call one of the indicators or comparators: `H_COMP_1_A_P`, `TX`.

    `text` is written as `sqcore.files.cells.normal` makes it.
    """

    text = models.CharField(_("in the file"), max_length=100)
    indicator = models.ForeignKey(
        Indicator, on_delete=models.CASCADE, related_name="foreign_names", null=True, blank=True
    )
    comparator = models.ForeignKey(
        Comparator, on_delete=models.CASCADE, related_name="foreign_names", null=True, blank=True
    )

    class Meta:
        verbose_name = _("name in files of others")
        verbose_name_plural = _("names in files of others")
        constraints = [
            models.CheckConstraint(
                condition=Q(indicator__isnull=False, comparator__isnull=True)
                | Q(indicator__isnull=True, comparator__isnull=False),
                name="foreign_name_of_one_thing",
            ),
            models.UniqueConstraint(
                fields=["text"],
                condition=Q(indicator__isnull=False),
                name="foreign_name_of_one_indicator",
            ),
            models.UniqueConstraint(
                fields=["text"],
                condition=Q(comparator__isnull=False),
                name="foreign_name_of_one_comparator",
            ),
        ]

    def __str__(self) -> str:
        return self.text
