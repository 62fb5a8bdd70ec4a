"""Results of people: the rules they follow, what was computed when, disputes, and who looked."""

from datetime import date
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff, Unit, of_people


class ResultsPolicy(models.Model):
    """The rules by which people are judged; a new version holds from the first run after its day.

    `smallest_difference`: the least that matters, in points of the answers. `freezing` lists codes
    of indicators: while a unit has an open signal on one of them, its people get no verdict.
    """

    number = models.PositiveSmallIntegerField(_("version"), unique=True)
    valid_from = models.DateField(_("from"))
    smallest_difference = models.FloatField(
        _("smallest difference that matters"), default=0.30, validators=[MinValueValidator(0.01)]
    )
    certainty = models.FloatField(
        _("certainty of a verdict"),
        default=0.975,
        validators=[MinValueValidator(0.9), MaxValueValidator(0.9999)],
    )
    smallest_n = models.PositiveSmallIntegerField(
        _("fewest answers of a verdict"), default=30, validators=[MinValueValidator(30)]
    )
    coaching_reliability = models.FloatField(
        _("reliability for coaching"),
        default=0.7,
        validators=[MinValueValidator(0.7), MaxValueValidator(1)],
    )
    pay_reliability = models.FloatField(
        _("reliability for pay"),
        default=0.8,
        validators=[MinValueValidator(0.8), MaxValueValidator(1)],
    )
    window_months = models.PositiveSmallIntegerField(
        _("months of the window"), default=12, validators=[MinValueValidator(12)]
    )
    fewest_peers = models.PositiveSmallIntegerField(
        _("fewest people of a comparison group at the unit, all counted"),
        default=8,
        validators=[MinValueValidator(8)],
    )
    dispute_days = models.PositiveSmallIntegerField(_("days to decide a dispute"), default=14)
    batch = models.PositiveSmallIntegerField(
        _("answers shown to a person at once, at least"),
        default=5,
        validators=[MinValueValidator(5)],
    )
    delay_days = models.PositiveSmallIntegerField(
        _("days before a person is shown answers"), default=7
    )
    freezing = models.JSONField(_("indicators whose signals freeze verdicts"), default=list)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("rules for results of people")
        verbose_name_plural = _("rules for results of people")

    def __str__(self) -> str:
        return str(self.number)


class FrozenReliability(models.Model):
    """How much of the differences between answers is between people (ICC), of one measure: computed
    once a year and used until the next, so that the gates stand still."""

    measure = models.CharField(max_length=80)
    year = models.PositiveSmallIntegerField()
    icc = models.FloatField()
    icc_se = models.FloatField()
    within = models.FloatField()
    between = models.FloatField()
    persons = models.PositiveIntegerField()
    n = models.PositiveIntegerField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["measure", "year"], name="frozen_reliability_once"),
        ]

    def __str__(self) -> str:
        return f"{self.measure} {self.year}"


class ResultsRun(models.Model):
    """One computation of the results of all people for the window of months that ends before
    `ends_on`. Of a window one revision is current. `frozen` keeps rules, pooled figures and hashes
    so that the same rows give the same results again.
    """

    ends_on = models.DateField(_("until"))
    revision = models.PositiveSmallIntegerField(default=1)
    is_current = models.BooleanField(default=True)
    policy = models.ForeignKey(ResultsPolicy, on_delete=models.PROTECT, related_name="runs")
    reason = models.CharField(max_length=40, blank=True)
    frozen = models.JSONField(default=dict)
    input_hash = models.CharField(max_length=64)
    result_hash = models.CharField(max_length=64)
    computed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("run of results of people")
        verbose_name_plural = _("runs of results of people")
        constraints = [
            models.UniqueConstraint(fields=["ends_on", "revision"], name="results_run_once"),
            models.UniqueConstraint(
                fields=["ends_on"], condition=Q(is_current=True), name="results_run_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ends_on} {self.revision}"


class StaffResultQuerySet(models.QuerySet["StaffResult"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see results of people."""
        return self.filter(of_people(principal, Permission.VIEW_PEOPLE_RESULTS, on=on))

    def current(self) -> Self:
        return self.filter(run__is_current=True)


class StaffResult(models.Model):
    """What the answers of a window say about one person by one measure.

    `unit` and `post` are those of the window's last day. Below the smallest group nothing but the
    verdict "not enough data" is kept (figures null). `estimate` is the shrunk one, `low`/`high` its
    95 % interval; `probability_low`: that the person is below comparable colleagues by what
    matters. `gate`: what the result may be used for. `held` says why there is no verdict though
    there could be one ("signal" of waiting time at the unit, "dispute" that is pending).
    """

    class Verdict(models.TextChoices):
        LOW = "low", _("Below comparable colleagues")
        ABOVE = "above", _("Above comparable colleagues")
        ALIKE = "alike", _("No detectable difference")
        NOT_ENOUGH = "few", _("Not enough data")
        HELD = "held", _("Held back for now")

    class Gate(models.TextChoices):
        NONE = "none", _("For nothing but information")
        COACHING = "coaching", _("For coaching")
        PAY = "pay", _("For coaching and pay")

    class Group(models.TextChoices):
        UNIT_POST = "unit", _("same unit and post")
        POST = "post", _("same post")

    run = models.ForeignKey(ResultsRun, on_delete=models.CASCADE, related_name="results")
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="results")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="people_results")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="people_results")
    measure = models.CharField(max_length=80)
    starts_on = models.DateField(_("from"))
    n = models.PositiveIntegerField()
    raw = models.FloatField(null=True)
    adjusted = models.FloatField(null=True)
    estimate = models.FloatField(null=True)
    sd = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    reliability = models.FloatField(null=True)
    group = models.CharField(max_length=4, choices=Group, blank=True)
    peers = models.PositiveIntegerField(null=True)
    centre = models.FloatField(null=True)
    weight = models.FloatField(null=True)
    probability_low = models.FloatField(null=True)
    probability_above = models.FloatField(null=True)
    verdict = models.CharField(_("verdict"), max_length=5, choices=Verdict)
    gate = models.CharField(_("use"), max_length=8, choices=Gate, default=Gate.NONE)
    held = models.CharField(max_length=10, blank=True)
    disputed = models.PositiveSmallIntegerField(default=0)

    objects = StaffResultQuerySet.as_manager()

    class Meta:
        verbose_name = _("result of a person")
        verbose_name_plural = _("results of people")
        constraints = [
            models.UniqueConstraint(fields=["run", "staff", "measure"], name="staff_result_once"),
            models.CheckConstraint(
                condition=Q(verdict__in=["few", "held"]) | Q(estimate__isnull=False),
                name="staff_result_verdict_has_figures",
            ),
        ]
        indexes = [
            models.Index(fields=["staff", "measure"], name="staff_result_of_staff"),
            models.Index(fields=["run", "unit"], name="staff_result_of_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.measure}"


SMALLEST_BATCH = 5


class AnswerBatch(models.Model):
    """At least five answers about one person that enter results together, or leave them together.

    So whatever is shown, and whatever one subtracts from what else, is about whole batches: nothing
    that can be worked out is about fewer answers. Members never change. `members` are the numbers
    that stand for the answers (`PersonAnswers.answer`), eight bytes each; `family` is the first
    part of the keys of the measures that they answer.
    """

    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="+")
    family = models.CharField(max_length=80)
    first_on = models.DateField()
    until = models.DateField()
    members = models.BinaryField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(until__gte=F("first_on")), name="answer_batch_ends_after_it_begins"
            ),
        ]
        indexes = [models.Index(fields=["until"], name="answer_batch_by_day")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.family} {self.until}"


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def visible_to(self, principal: Principal) -> Self:
        """One's own, and those of units where one decides them."""
        scope = principal.scope(Permission.DECIDE_DISPUTES)
        if scope.everywhere:
            return self
        own = Q(staff_id=principal.staff_id) if principal.staff_id else Q(pk__in=[])
        return self.filter(own | Q(unit_id__in=scope.units))


class Dispute(models.Model):
    """A person says that an encounter must not count for them. Neither the person nor who decides
    sees whether, or what, its customer answered. While it is open the encounter can neither lower a
    verdict nor raise what a result may be used for. One dispute an encounter and person.
    """

    class Reason(models.TextChoices):
        NOT_MINE = "not-mine", _("Somebody else served this customer")
        OUTAGE = "outage", _("A system or machine was down")
        POLICY = "policy", _("I had to apply a rule that the customer disliked")
        OTHER_CUSTOMER = "customer", _("The record belongs to another customer or service")
        ABUSE = "abuse", _("The customer was abusive")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        UPHELD = "upheld", _("Upheld: the encounter does not count")
        REJECTED = "rejected", pgettext_lazy("state of a dispute", "Rejected")
        WITHDRAWN = "withdrawn", pgettext_lazy("state of a dispute", "Withdrawn")
        REVERSED = "reversed", _("Reversed: the encounter counts again")

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="disputes")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    encounter_key = models.CharField(max_length=80)
    encounter_at = models.DateTimeField()
    reason = models.CharField(_("reason"), max_length=10, choices=Reason)
    text = models.CharField(_("what happened"), max_length=1000, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    raised_at = models.DateTimeField()
    due_on = models.DateField(_("decided by"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(_("why"), max_length=1000, blank=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        constraints = [
            models.UniqueConstraint(fields=["staff", "encounter_key"], name="dispute_once"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "withdrawn"]) | Q(decided_at__isnull=False),
                name="dispute_decided_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["state", "due_on"], name="dispute_by_state")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.encounter_key}"


class Outage(models.Model):
    """Hours at a unit whose encounters count for nobody, because a dispute about an outage was
    upheld; ended when that is reversed."""

    dispute = models.OneToOneField(Dispute, on_delete=models.PROTECT, related_name="outage")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="outage_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.starts_at}"


class LookQuerySet(models.QuerySet["Look"]):
    def visible_to(self, principal: Principal) -> Self:
        """Who looked at somebody is told to that person, and to no other."""
        return self.filter(staff_id=principal.staff_id) if principal.staff_id else self.none()


class Look(models.Model):
    """Somebody looked at the results of another person: one row a viewer, way and day."""

    class Way(models.TextChoices):
        PAGE = "page", _("Page")
        LIST = "list", _("List")
        EXPORT = "export", _("Export")
        REST = "rest", _("REST")

    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="looks")
    viewer = models.CharField(max_length=80)
    viewer_name = models.CharField(_("who"), max_length=200)
    way = models.CharField(_("where"), max_length=6, choices=Way)
    on = models.DateField(_("day"))
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)

    objects = LookQuerySet.as_manager()

    class Meta:
        verbose_name = _("look at results")
        verbose_name_plural = _("looks at results")
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "viewer", "way", "on"], name="look_once_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.viewer} {self.staff_id} {self.on}"
