"""Service encounters: who was served where, how long each stage took, and what came of it."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Staff, Unit

WHOLE = 10_000
"""What the shares of the staff of an encounter sum to."""
ALONE = 8_000
"""From this share on an encounter was a person's own."""
MOST_SECONDS = 1 << 26
"""No time of an encounter is as long: two years."""


class Service(models.Model):
    """What customers come for: opening an account, a loan, a complaint."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")

    def __str__(self) -> str:
        return in_language(self.name)


class Stage(models.Model):
    """A step of a service: drawing a number, advice, signing."""

    class Phase(models.TextChoices):
        PREPARATION = "preparation", _("Preparation")
        EXECUTION = "execution", _("Execution")
        COMPLETION = "completion", _("Completion")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    phase = models.CharField(_("phase"), max_length=12, choices=Phase, default=Phase.EXECUTION)
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")

    def __str__(self) -> str:
        return in_language(self.name)


class Customer(models.Model):
    """A customer under a pseudonym: a digest of the sender's own number, keyed with the secret of
    this installation. Neither name nor address is kept."""

    pseudonym = models.CharField(max_length=64, unique=True)
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="customers", null=True
    )
    first_on = models.DateField()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self) -> str:
        return self.pseudonym[:8]


class EncounterQuerySet(models.QuerySet["Encounter"]):
    def visible_to(self, principal: Principal) -> Self:
        """Single encounters are for who takes in operational data, where they may."""
        scope = principal.scope(Permission.MANAGE_MEASUREMENTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)


class Encounter(models.Model):
    """One occasion on which a customer was served.

    `key` is the sender's own. `waiting_s` is what the customer waited in all, `handling_s` what
    the stages took, both in whole seconds. `solved`: at the first contact; `reworked`: a stage had
    to be done again. `steps` are the stages in order of their start, `[stage code, seconds from
    arrival to start, seconds from arrival to end or null, staff number or ""]`. `shares` maps staff
    ids to their part, summing to 10,000; `staff` is who had at least 8,000 of it.
    Nothing has a foreign key to an encounter. The same key with other content replaces it.
    """

    key = models.CharField(max_length=80, unique=True)
    customer = models.ForeignKey(
        Customer, on_delete=models.SET_NULL, related_name="encounters", null=True
    )
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="encounters", db_index=False
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="encounters", null=True, db_index=False
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="encounters", null=True, db_index=False
    )
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, related_name="encounters", null=True, db_index=False
    )
    staff = models.ForeignKey(
        Staff, on_delete=models.PROTECT, related_name="encounters", null=True, db_index=False
    )
    shares = models.JSONField(default=dict)
    on = models.DateField(_("day"))
    arrived_at = models.DateTimeField(_("arrived"))
    waiting_s = models.PositiveIntegerField(_("waiting time"), null=True)
    handling_s = models.PositiveIntegerField(_("handling time"), null=True)
    solved = models.BooleanField(_("solved at first contact"), null=True)
    reworked = models.BooleanField(_("reworked"), null=True)
    steps = models.JSONField(default=list)
    digest = models.CharField(max_length=32)
    recorded_at = models.DateTimeField(_("recorded"))

    objects = EncounterQuerySet.as_manager()

    class Meta:
        verbose_name = _("service encounter")
        verbose_name_plural = _("service encounters")
        constraints = [
            models.CheckConstraint(
                condition=Q(waiting_s__isnull=True) | Q(waiting_s__lt=MOST_SECONDS),
                name="encounter_waiting_plausible",
            ),
            models.CheckConstraint(
                condition=Q(handling_s__isnull=True) | Q(handling_s__lt=MOST_SECONDS),
                name="encounter_handling_plausible",
            ),
        ]
        indexes = [
            models.Index(fields=["unit", "on"], name="encounter_of_unit"),
            models.Index(fields=["on"], name="encounter_by_day"),
            models.Index(
                fields=["staff", "on"],
                name="encounter_of_staff",
                condition=Q(staff__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.key


class EncounterSums(models.Model):
    """Exact sums of a unit's encounters in one span: the days that an ISO week and a month share,
    so that weeks and months are both sums of spans.

    `content` bundles the packed moments by channel and segment together. Computed anew from the
    rows of the span whenever one of them changed; can be rebuilt at any time.
    """

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="encounter_sums")
    starts_on = models.DateField()
    ends_on = models.DateField()
    content = models.BinaryField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["unit", "starts_on"], name="encounter_sums_once"),
            models.CheckConstraint(
                condition=Q(ends_on__gt=F("starts_on")), name="encounter_sums_end_after_start"
            ),
        ]
        indexes = [
            models.Index(fields=["starts_on"], name="encounter_sums_by_day"),
            models.Index(fields=["changed_at"], name="encounter_sums_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.starts_on}"


class TouchedSpan(models.Model):
    """A span of a unit whose encounters changed since its sums were computed."""

    unit = models.ForeignKey(Unit, on_delete=models.CASCADE, related_name="touched_spans")
    starts_on = models.DateField()

    def __str__(self) -> str:
        return f"{self.unit_id} {self.starts_on}"
