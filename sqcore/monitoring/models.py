"""Frozen baselines of control charts, signals that something really changed, and annotations."""

from datetime import date
from typing import Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Unit


class Kind(models.TextChoices):
    """The kinds of chart (the keys are those of `sqcore.stats.charts.ChartKind`)."""

    XMR = "xmr", _("XmR chart (single values)")
    P = "p", _("p chart (shares)")
    P_PRIME = "p_prime", _("p′ chart (shares, after Laney)")
    U = "u", _("u chart (rates)")
    U_PRIME = "u_prime", _("u′ chart (rates, after Laney)")
    C = "c", _("c chart (counts with equal opportunity)")
    XBAR_S = "xbar_s", _("x̄ and S chart (means and their spread)")
    T = "t", _("t chart (days between rare events)")
    G = "g", _("g chart (cases between rare events)")


Row = TypeVar("Row", bound=models.Model, covariant=True)


class OfUnits(models.QuerySet[Row]):
    """Rows that belong to a series, and so to a unit."""

    def visible_to(self, principal: Principal) -> Self:
        scope = principal.scope(Permission.VIEW_RESULTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)


class BaselineQuerySet(OfUnits["Baseline"]):
    def in_force(self) -> Self:
        return self.filter(state=Baseline.State.IN_FORCE)


class Baseline(models.Model):
    """The frozen limits of one series (a code of a system at a unit, in a grain).

    They were computed from the periods that start in [starts_on, ends_on) and judge those that
    start on `applies_from` or later, until a newer row does. The first is frozen by the software
    as soon as there are enough periods; every other one by a person, with a reason. A row never
    changes but for the decision on a proposal.

    `centre`, `spread`, `between`, `phi` and `n` are those of the values of the periods, in the unit
    of the indicator, whatever the chart: the opener, a shift and an effect are measured by them.
    Where the chart has another centre, or is not of periods (days or cases between events), that
    stands in `drawn_centre` and `drawn_n`. `sigma`, `allowance` and `median` are of the chart, as
    `sqcore.stats.charts.Limits` says. `kind_chosen`: by a person, not by the data.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("state of a baseline", "Proposed")
        IN_FORCE = "in_force", _("In force")
        DECLINED = "declined", _("Declined")

    class Origin(models.TextChoices):
        FIRST = "first", _("The first periods of the series")
        PERSON = "person", _("Set anew by a person")
        TICKET = "ticket", _("Set anew after an improvement")

    system = models.ForeignKey(
        IndicatorSystem, on_delete=models.PROTECT, related_name="baselines", db_index=False
    )
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="baselines", db_index=False
    )
    code = models.CharField(max_length=80)
    grain = models.CharField(max_length=8, choices=Grain)
    kind = models.CharField(_("chart"), max_length=8, choices=Kind)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"))
    applies_from = models.DateField(_("applies from"))
    n = models.PositiveSmallIntegerField(_("periods"))
    centre = models.FloatField(_("centre"))
    sigma = models.FloatField()
    spread = models.FloatField()
    between = models.FloatField()
    phi = models.FloatField()
    screened = models.PositiveSmallIntegerField(default=0)
    drawn_centre = models.FloatField(null=True)
    drawn_n = models.PositiveSmallIntegerField(null=True)
    allowance = models.FloatField(default=0.0)
    median = models.FloatField(null=True)
    kind_chosen = models.BooleanField(default=False)
    method = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.IN_FORCE)
    origin = models.CharField(_("origin"), max_length=8, choices=Origin)
    reference = models.CharField(max_length=60, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    objects = BaselineQuerySet.as_manager()

    class Meta:
        verbose_name = _("baseline")
        verbose_name_plural = _("baselines")
        constraints = [
            models.UniqueConstraint(
                fields=["system", "grain", "unit", "code", "applies_from"],
                condition=Q(state="in_force"),
                name="baseline_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__gt=F("starts_on")), name="baseline_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(origin="first") | ~Q(reason=""), name="baseline_rebased_with_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(origin="first") | ~Q(state="in_force") | Q(decided_by__isnull=False),
                name="baseline_rebased_by_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} of unit {self.unit_id} from {self.applies_from}"


class SignalQuerySet(OfUnits["Signal"]):
    def open(self) -> Self:
        return self.exclude(state=Signal.State.RECOVERED)

    def not_muted_on(self, on: date) -> Self:
        return self.filter(Q(muted_until__isnull=True) | Q(muted_until__lte=on))


class Signal(models.Model):
    """Something changed for the worse in one series, beyond what chance explains.

    The fingerprint names the problem and no period: who comes back is the same signal in a new
    `episode`. `alarm_on` is the start of the period in which it was found, `since_on` the estimated
    start of the change, `last_on` the newest period that was judged. `shift` is the mean of the
    periods since the alarm (with it) minus the centre, in the unit of the indicator.
    """

    class State(models.TextChoices):
        NEW = "new", _("New")
        ONGOING = "ongoing", _("Ongoing")
        RECOVERED = "recovered", _("Recovered")

    class Direction(models.TextChoices):
        HIGH = "high", _("Too high")
        LOW = "low", _("Too low")

    fingerprint = models.CharField(max_length=64, unique=True)
    algorithm = models.PositiveSmallIntegerField(default=1)
    system = models.ForeignKey(IndicatorSystem, on_delete=models.PROTECT, related_name="signals")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="signals")
    code = models.CharField(max_length=80)
    grain = models.CharField(max_length=8, choices=Grain)
    direction = models.CharField(_("direction"), max_length=4, choices=Direction)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.NEW)
    episode = models.PositiveSmallIntegerField(_("time"), default=1)
    baseline = models.ForeignKey(Baseline, on_delete=models.PROTECT, related_name="signals")
    alarm_on = models.DateField()
    since_on = models.DateField()
    last_on = models.DateField()
    recovered_on = models.DateField(null=True)
    height = models.FloatField()
    shift = models.FloatField()
    shift_sigma = models.FloatField()
    found_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    muted_at = models.DateTimeField(null=True)
    muted_until = models.DateField(null=True)
    muted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    mute_reason = models.CharField(max_length=500, blank=True)

    objects = SignalQuerySet.as_manager()

    class Meta:
        verbose_name = _("signal")
        verbose_name_plural = _("signals")
        constraints = [
            models.CheckConstraint(
                condition=Q(muted_until__isnull=True)
                | (Q(muted_by__isnull=False) & ~Q(mute_reason="")),
                name="signal_muted_by_somebody_with_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state="recovered") | Q(recovered_on__isnull=False),
                name="signal_recovered_on_a_day",
            ),
        ]
        indexes = [models.Index(fields=["state", "found_at"], name="signal_by_state")]

    def __str__(self) -> str:
        return f"{self.code} of unit {self.unit_id} {self.direction}"

    def is_muted_on(self, on: date) -> bool:
        return self.muted_until is not None and self.muted_until > on


class SignalEvent(models.Model):
    """What became of a signal, in order; each kind once an episode and period."""

    class Kind(models.TextChoices):
        FOUND = "found", _("Found")
        CAME_BACK = "came_back", _("Came back")
        CONTINUES = "continues", _("In alarm again")
        RECOVERED = "recovered", _("Recovered")
        MUTED = "muted", _("Muted")
        UNMUTED = "unmuted", _("No longer muted")

    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="history")
    kind = models.CharField(max_length=10, choices=Kind)
    episode = models.PositiveSmallIntegerField()
    period_on = models.DateField()
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("event of a signal")
        verbose_name_plural = _("events of signals")
        constraints = [
            models.UniqueConstraint(
                fields=["signal", "kind", "episode", "period_on"],
                condition=Q(by__isnull=True),
                name="signal_event_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of signal {self.signal_id}"


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def visible_to(self, principal: Principal) -> Self:
        scope = principal.scope(Permission.VIEW_RESULTS)
        if scope.everywhere:
            return self
        return self.filter(Q(unit__isnull=True) | Q(unit_id__in=scope.units))

    def in_force(self) -> Self:
        return self.filter(withdrawn_at__isnull=True)


class Annotation(models.Model):
    """What happened in a span of days, written on the charts of a unit (or of all) and of an
    indicator (or of all). An exclusion takes the periods it touches out of baselines and signals.
    """

    class Kind(models.TextChoices):
        EVENT = "event", _("Event")
        CHANGE = "change", _("Change")
        EXCLUSION = "exclusion", _("Excluded")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="annotations", null=True)
    code = models.CharField(max_length=80, blank=True)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"))
    text = models.CharField(_("text"), max_length=300)
    reference = models.CharField(max_length=60, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField()
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    withdrawn_at = models.DateTimeField(null=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__gt=F("starts_on")), name="annotation_ends_after_it_starts"
            ),
            models.UniqueConstraint(
                fields=["reference", "unit", "code", "starts_on", "kind"],
                condition=~Q(reference=""),
                name="annotation_once_a_reference",
            ),
        ]

    def __str__(self) -> str:
        return self.text


class Watch(models.Model):
    """One pass of the openers over all series of a system in one grain: what it saw and found.

    `through` is the end of the newest period that was judged. `expected_so_far` is how many
    false signals chance alone lets expect over all periods that were judged, `found_so_far` how
    many were found; `expected_a_year` goes on from today. `foretold` says how many series the last
    search for early warnings forecast, `foretold_seen` from which figures.
    """

    system = models.ForeignKey(IndicatorSystem, on_delete=models.CASCADE, related_name="watches")
    grain = models.CharField(max_length=8, choices=Grain)
    through = models.DateField()
    watched_at = models.DateTimeField()
    series = models.PositiveIntegerField()
    judged = models.PositiveIntegerField()
    found_so_far = models.PositiveIntegerField()
    open_signals = models.PositiveIntegerField()
    expected_so_far = models.FloatField()
    expected_a_year = models.FloatField()
    opener = models.JSONField(default=dict)
    foretold_at = models.DateTimeField(null=True)
    foretold = models.PositiveIntegerField(default=0)
    foretold_seen = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("pass over the charts")
        verbose_name_plural = _("passes over the charts")
        constraints = [
            models.UniqueConstraint(fields=["system", "grain"], name="watch_one_a_grain"),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.grain} through {self.through}"


class EarlyWarningQuerySet(OfUnits["EarlyWarning"]):
    def open(self) -> Self:
        return self.filter(state=EarlyWarning.State.OPEN)


class EarlyWarning(models.Model):
    """The forecast of a series passes its floor (or its target, where it has no floor) to the wrong
    side within the periods that are foretold.

    One row a series while it holds; each search writes the forecast as it is now. It ends when the
    line was passed (`came_true`) or when the forecast no longer passes it (`passed_off`), and then
    says how far such warnings can be trusted. `possible_on` is the first period whose interval
    passes the line, `expected_on` the first whose forecast itself does; `forecast`, `low` and
    `high` are those of the latter, else of the former. All are in the unit of the indicator.
    """

    class Line(models.TextChoices):
        FLOOR = "floor", _("Floor")
        TARGET = "target", _("Target")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("state of an early warning", "Open")
        CAME_TRUE = "came_true", _("Came true")
        PASSED_OFF = "passed_off", _("Passed off")

    system = models.ForeignKey(
        IndicatorSystem, on_delete=models.PROTECT, related_name="early_warnings", db_index=False
    )
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="early_warnings", db_index=False
    )
    code = models.CharField(max_length=80)
    grain = models.CharField(max_length=8, choices=Grain)
    direction = models.CharField(_("direction"), max_length=4, choices=Signal.Direction)
    line = models.CharField(_("line"), max_length=6, choices=Line)
    line_at = models.FloatField()
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    possible_on = models.DateField()
    expected_on = models.DateField(null=True)
    horizon_on = models.DateField()
    forecast = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    confidence = models.FloatField()
    n = models.PositiveIntegerField()
    error = models.FloatField(null=True)
    tests = models.PositiveIntegerField(default=0)
    inside = models.PositiveIntegerField(default=0)
    tried = models.PositiveIntegerField(default=0)
    last_on = models.DateField()
    method = models.PositiveSmallIntegerField(default=1)
    found_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_on = models.DateField(null=True)

    objects = EarlyWarningQuerySet.as_manager()

    class Meta:
        verbose_name = _("early warning")
        verbose_name_plural = _("early warnings")
        constraints = [
            models.UniqueConstraint(
                fields=["system", "grain", "unit", "code"],
                condition=Q(state="open"),
                name="early_warning_one_open",
            ),
            models.CheckConstraint(
                condition=Q(state="open") | Q(ended_on__isnull=False),
                name="early_warning_ends_on_a_day",
            ),
        ]
        indexes = [models.Index(fields=["state", "possible_on"], name="early_warning_by_state")]

    def __str__(self) -> str:
        return f"{self.code} of unit {self.unit_id} passes its {self.line}"

    @property
    def crosses_on(self) -> date:
        """The start of the period in which the line is passed, probably or perhaps."""
        return self.expected_on or self.possible_on
