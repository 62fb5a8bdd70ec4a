"""Operational data: measures, who sends them, the observations, and the state of equipment."""

from datetime import date, datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import UnitOfMeasure
from sqcore.org.models import Channel, Segment, Unit

MOST_DECIMALS = 3


class Feed(models.Model):
    """A system, device or person that sends; `heard_at` is when it last did."""

    class Kind(models.TextChoices):
        SYSTEM = "system", _("System")
        DEVICE = "device", _("Device")
        PERSON = "person", _("Person")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    kind = models.CharField(_("kind"), max_length=6, choices=Kind, default=Kind.SYSTEM)
    silent_after_days = models.PositiveSmallIntegerField(
        _("silent after days"), null=True, blank=True
    )
    heard_at = models.DateTimeField(_("last heard"), null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="owned_feeds",
        null=True,
        blank=True,
    )

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")

    def __str__(self) -> str:
        return in_language(self.name)


class MeasureQuerySet(models.QuerySet["Measure"]):
    def visible_to(self, principal: Principal) -> Self:
        """What is measured is known to who sees results, sends or keeps measures."""
        needed = (
            Permission.VIEW_RESULTS,
            Permission.SEND_MEASUREMENTS,
            Permission.MANAGE_MEASUREMENTS,
        )
        return self if any(principal.may(found) for found in needed) else self.none()

    def in_force(self) -> Self:
        return self.filter(retired_on__isnull=True)


class Measure(models.Model):
    """What is measured, how often, and which values are plausible.

    Its numbers are kept as whole numbers: those with decimals times 10 to the power of `decimals`,
    so that sums are exact. `every` is the grain in which it comes; what comes irregularly is kept
    by day. A period is late `due_days` days after it ended.
    """

    class Kind(models.TextChoices):
        MEAN = "mean", _("Mean of readings")
        SHARE = "share", _("Share of a number")
        RATE = "rate", _("Count per exposure")
        RATIO = "ratio", _("Part of an amount")

    class Every(models.TextChoices):
        DAY = Grain.DAY.value, _("Every day")
        WEEK = Grain.WEEK.value, _("Every week")
        MONTH = Grain.MONTH.value, _("Every month")
        IRREGULAR = "", _("Irregularly")

    code = models.SlugField(_("code"), max_length=80, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    definition = models.JSONField(_("definition"), default=dict, blank=True)
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    unit_of_measure = models.CharField(
        _("unit of measure"), max_length=30, choices=UnitOfMeasure, blank=True
    )
    decimals = models.PositiveSmallIntegerField(_("decimals"), default=0)
    minimum = models.FloatField(_("least plausible value"), null=True, blank=True)
    maximum = models.FloatField(_("greatest plausible value"), null=True, blank=True)
    every = models.CharField(_("comes"), max_length=5, choices=Every, blank=True, default="")
    due_days = models.PositiveSmallIntegerField(_("days until it is late"), default=5)
    feed = models.ForeignKey(
        Feed, on_delete=models.PROTECT, related_name="measures", null=True, blank=True
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="owned_measures",
        null=True,
        blank=True,
    )
    since = models.DateField(_("since"))
    retired_on = models.DateField(_("retired"), null=True, blank=True)

    objects = MeasureQuerySet.as_manager()

    class Meta:
        verbose_name = _("measure")
        verbose_name_plural = _("measures")
        constraints = [
            models.CheckConstraint(condition=Q(decimals__lte=3), name="measure_decimals"),
            models.CheckConstraint(
                condition=Q(maximum__gte=F("minimum"))
                | Q(minimum__isnull=True)
                | Q(maximum__isnull=True),
                name="measure_bounds",
            ),
            models.CheckConstraint(
                condition=Q(retired_on__isnull=True) | Q(retired_on__gt=F("since")),
                name="measure_retires_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)

    @property
    def scale(self) -> int:
        """What its numbers are multiplied by to be whole."""
        return int(10**self.decimals)

    @property
    def grain(self) -> Grain:
        """The grain in which its observations are kept."""
        return Grain(self.every or Grain.DAY)


class ObservationQuerySet(models.QuerySet["Observation"]):
    def visible_to(self, principal: Principal) -> Self:
        scope = principal.scope(Permission.VIEW_RESULTS) | principal.scope(
            Permission.MANAGE_MEASUREMENTS
        )
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)

    def current(self) -> Self:
        return self.filter(superseded_at__isnull=True)

    def as_known_at(self, moment: datetime) -> Self:
        """What was known at this moment: recorded by then, and not yet replaced."""
        return self.filter(
            Q(superseded_at__isnull=True) | Q(superseded_at__gt=moment), recorded_at__lte=moment
        )


class Observation(models.Model):
    """What was measured at one place in one period; append-only.

    A correction is a next revision; of the former one only `superseded_at` is written. Means:
    `n` readings, their sum in `numerator`, the sum of their squares in `squares` where it is known.
    Shares: `numerator` of `denominator`. Rates: a count in `numerator`, its exposure in
    `denominator`. Ratios: an amount of another one. `numerator` of means and ratios is times the
    measure's scale, `squares` times its square. Nothing has a foreign key to an observation.
    A withdrawal is a revision too: it repeats the numbers that it takes back, says why, and is
    superseded the moment it is recorded, so that nothing is current there.
    """

    measure = models.ForeignKey(
        Measure, on_delete=models.PROTECT, related_name="observations", db_index=False
    )
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="observations", db_index=False
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="observations", null=True, db_index=False
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="observations", null=True, db_index=False
    )
    grain = models.CharField(max_length=7, choices=Grain)
    starts_on = models.DateField()
    n = models.PositiveBigIntegerField()
    numerator = models.BigIntegerField()
    denominator = models.PositiveBigIntegerField()
    squares = models.PositiveBigIntegerField(null=True)
    revision = models.PositiveIntegerField(default=1)
    source = models.CharField(max_length=20)
    feed = models.ForeignKey(
        Feed, on_delete=models.PROTECT, related_name="observations", null=True, db_index=False
    )
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)
    withdrawn_because = models.CharField(max_length=300, blank=True, default="")

    objects = ObservationQuerySet.as_manager()

    class Meta:
        verbose_name = _("observation")
        verbose_name_plural = _("observations")
        constraints = [
            models.UniqueConstraint(
                F("measure"),
                F("starts_on"),
                F("unit"),
                Coalesce(F("channel"), 0),
                Coalesce(F("segment"), 0),
                F("grain"),
                condition=Q(superseded_at__isnull=True),
                name="observation_one_current",
            ),
            models.CheckConstraint(condition=Q(n__gte=1), name="observation_of_something"),
            models.CheckConstraint(
                condition=Q(superseded_at__isnull=True) | Q(superseded_at__gte=F("recorded_at")),
                name="observation_superseded_later",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_because="")
                | Q(superseded_at__isnull=False, superseded_at=F("recorded_at")),
                name="observation_withdrawn_at_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["measure", "unit", "starts_on", "id"], name="observation_of_measure"
            ),
            models.Index(fields=["grain", "starts_on"], name="observation_by_grain"),
            models.Index(fields=["recorded_at"], name="observation_recorded"),
            models.Index(
                fields=["measure", "starts_on"],
                condition=~Q(withdrawn_because=""),
                name="observation_withdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.measure_id} {self.unit_id} {self.starts_on} r{self.revision}"


class EquipmentQuerySet(models.QuerySet["Equipment"]):
    def visible_to(self, principal: Principal) -> Self:
        scope = principal.scope(Permission.VIEW_RESULTS) | principal.scope(
            Permission.MANAGE_MEASUREMENTS
        )
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)

    def in_use_on(self, day: date) -> Self:
        """Those that are not retired yet."""
        return self.filter(Q(retired_on__isnull=True) | Q(retired_on__gt=day))


class Equipment(models.Model):
    """A machine that serves customers: it is installed at one unit and tells its state."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    kind = models.SlugField(_("kind"), max_length=50)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="equipment")
    feed = models.ForeignKey(
        Feed, on_delete=models.PROTECT, related_name="equipment", null=True, blank=True
    )
    installed_on = models.DateField(_("installed"))
    retired_on = models.DateField(_("retired"), null=True, blank=True)

    objects = EquipmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("piece of equipment")
        verbose_name_plural = _("equipment")
        constraints = [
            models.CheckConstraint(
                condition=Q(retired_on__isnull=True) | Q(retired_on__gt=F("installed_on")),
                name="equipment_retires_after_it_starts",
            ),
        ]
        indexes = [models.Index(fields=["kind"], name="equipment_of_kind")]

    def __str__(self) -> str:
        return in_language(self.name)


class EquipmentState(models.Model):
    """From `at` on the equipment was in this state, until it told another one; append-only."""

    class State(models.TextChoices):
        UP = "up", _("Works")
        DEGRADED = "degraded", _("Works in part")
        DOWN = "down", _("Out of order")

    equipment = models.ForeignKey(
        Equipment, on_delete=models.PROTECT, related_name="states", db_index=False
    )
    state = models.CharField(max_length=8, choices=State)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("state of equipment")
        verbose_name_plural = _("states of equipment")
        constraints = [
            models.UniqueConstraint(fields=["equipment", "at"], name="equipment_state_once"),
        ]
        indexes = [models.Index(fields=["recorded_at"], name="equipment_state_recorded")]

    def __str__(self) -> str:
        return f"{self.equipment_id} {self.state} {self.at:%Y-%m-%d %H:%M}"
