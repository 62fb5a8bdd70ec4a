"""The effect that was promised before the action, and the checks of what really came."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from improvement.tickets.models import Ticket
from sqcore.base.periods import Grain
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Unit


class EffectPlan(models.Model):
    """The pre-registered effect: on what, which way, how much at least, judged how and when.

    Locked under the hash of its content when the plan is approved; a change after that is a new
    version. `minimum` is in the unit of the indicator and positive. The comparison is with the
    periods after the signal and before the first action (`after_signal`), or, of a problem that a
    person brought without a signal, with those before the ticket (`before_ticket`), or, when an
    earlier cycle changed something, with those after it (`after_cycle`); none of them starts before
    `compares_from`. `washout` is the number of periods from the one of the effective date on that
    are left out. A plan that `is_extendable` may be looked at twice, each time at 97.5 %.
    """

    class Comparison(models.TextChoices):
        AFTER_SIGNAL = "after_signal", _("Periods after the signal, before the action")
        BEFORE_TICKET = "before_ticket", _("Periods before the ticket")
        AFTER_CYCLE = "after_cycle", _("Periods after the former cycle, before the action")

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="effect_plans")
    cycle = models.PositiveSmallIntegerField()
    version = models.PositiveSmallIntegerField(default=1)
    system = models.ForeignKey(IndicatorSystem, on_delete=models.PROTECT, related_name="+")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(_("indicator"), max_length=80)
    grain = models.CharField(max_length=8, choices=Grain)
    better = models.SmallIntegerField(choices=[(1, _("higher")), (-1, _("lower"))])
    minimum = models.FloatField(_("at least"))
    comparison = models.CharField(max_length=14, choices=Comparison)
    compares_from = models.DateField()
    starts_on = models.DateField(_("action planned for"))
    washout = models.PositiveSmallIntegerField(_("periods left out"), default=1)
    n_before = models.PositiveSmallIntegerField()
    n_after = models.PositiveSmallIntegerField()
    check_on = models.DateField(_("check on"))
    sigma = models.FloatField()
    phi = models.FloatField()
    smallest_detectable = models.FloatField()
    is_extendable = models.BooleanField(_("may be extended once"), default=False)
    method = models.CharField(max_length=30, default="ar1-mean-shift/1")
    digest = models.CharField(max_length=64, blank=True)
    locked_at = models.DateTimeField(null=True)
    extended_to = models.DateField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("effect plan")
        verbose_name_plural = _("effect plans")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "cycle", "version"], name="effect_plan_version_once"
            ),
            models.CheckConstraint(
                condition=Q(minimum__gt=0), name="effect_plan_minimum_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(locked_at__isnull=True) | ~Q(digest=""),
                name="effect_plan_locked_by_hash",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} of ticket {self.ticket_id}, cycle {self.cycle}"


class BalancingMeasure(models.Model):
    """What must not get worse by more than `margin` (in its unit, positive) for the effect."""

    plan = models.ForeignKey(EffectPlan, on_delete=models.CASCADE, related_name="balancing")
    code = models.CharField(_("indicator"), max_length=80)
    better = models.SmallIntegerField(choices=[(1, _("higher")), (-1, _("lower"))])
    margin = models.FloatField(_("at most worse by"))

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "code"], name="balancing_measure_once"),
            models.CheckConstraint(
                condition=Q(margin__gte=0), name="balancing_measure_margin_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Verdict(models.TextChoices):
    IMPROVED = "improved", _("Improved")
    NO_CHANGE = "no_change", _("No detectable change")
    WORSE = "worse", _("Worse")
    INCONCLUSIVE = "inconclusive", _("Inconclusive")


class EffectCheck(models.Model):
    """One look at a locked plan: the points that it used and what follows from them.

    An interim look has no verdict. A final one is confirmed by quality, or overridden with a
    reason by one person and confirmed by a second. The computed verdict never changes.
    """

    class Grade(models.TextChoices):
        A = "A", _("A: staggered or randomised roll-out")
        B = "B", _("B: with comparison units")
        C = "C", _("C: before and after, on a frozen baseline")
        D = "D", _("D: before and after only")

    plan = models.ForeignKey(EffectPlan, on_delete=models.CASCADE, related_name="checks")
    look = models.PositiveSmallIntegerField()
    is_interim = models.BooleanField(default=False)
    checked_at = models.DateTimeField()
    through = models.DateField()
    verdict = models.CharField(_("verdict"), max_length=12, choices=Verdict, blank=True)
    reasons = models.JSONField(default=list)
    estimate = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    p = models.FloatField(null=True)
    confidence = models.FloatField(default=0.95)
    phi = models.FloatField(null=True)
    sigma = models.FloatField(null=True)
    mean_before = models.FloatField(null=True)
    mean_after = models.FloatField(null=True)
    n_before = models.PositiveSmallIntegerField()
    n_after = models.PositiveSmallIntegerField()
    smallest_detectable = models.FloatField(null=True)
    is_restored = models.BooleanField(null=True)
    grade = models.CharField(_("evidence"), max_length=1, choices=Grade)
    balancing = models.JSONField(default=list)
    points = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    confirmed_verdict = models.CharField(max_length=12, choices=Verdict, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    confirmed_at = models.DateTimeField(null=True)
    override_verdict = models.CharField(max_length=12, choices=Verdict, blank=True)
    override_reason = models.CharField(max_length=1000, blank=True)
    override_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )

    class Meta:
        verbose_name = _("effect check")
        verbose_name_plural = _("effect checks")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "look"],
                condition=Q(is_interim=False),
                name="effect_check_once_a_look",
            ),
            models.CheckConstraint(
                condition=Q(is_interim=True, verdict="") | (Q(is_interim=False) & ~Q(verdict="")),
                name="effect_check_interim_has_no_verdict",
            ),
            models.CheckConstraint(
                condition=Q(override_verdict="")
                | (~Q(override_reason="") & Q(override_by__isnull=False)),
                name="effect_check_overridden_with_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True)
                | Q(override_by__isnull=True)
                | ~Q(confirmed_by=models.F("override_by")),
                name="effect_check_overridden_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"look {self.look} of plan {self.plan_id}"
