"""Who takes part: enrolments with the waiting list, minutes attended, attempts at the test."""

from datetime import date
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, of_people
from training.courses.models import Session, Slot


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))

    def alive(self) -> Self:
        return self.exclude(state=Enrolment.State.CANCELLED)


class Enrolment(models.Model):
    """A person in a session. `unit_id`: where the person worked when enrolled. The waiting list is
    in the order of `waits_since`."""

    class State(models.TextChoices):
        ENROLLED = "enrolled", _("Enrolled")
        WAITING = "waiting", _("On the waiting list")
        CANCELLED = "cancelled", _("Cancelled")
        PASSED = "passed", pgettext_lazy("state of an enrolment", "Passed")
        FAILED = "failed", pgettext_lazy("state of an enrolment", "Not passed")
        ABSENT = "absent", _("Did not come")

    class Origin(models.TextChoices):
        SELF = "self", _("by the person")
        MANAGER = "manager", _("by the manager or HR")
        NEED = "need", _("for a training need")
        REQUIRED = "required", _("because it is required")
        IMPORT = "import", _("from a file or another system")

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="enrolments")
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="enrolments")
    unit_id = models.PositiveBigIntegerField(null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ENROLLED)
    origin = models.CharField(_("enrolled"), max_length=10, choices=Origin)
    enrolled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    enrolled_at = models.DateTimeField()
    waits_since = models.DateTimeField(null=True)
    cancelled_why = models.CharField(max_length=300, blank=True)
    concluded_on = models.DateField(null=True)
    minutes = models.PositiveIntegerField(_("minutes attended"), default=0)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        constraints = [
            models.UniqueConstraint(
                fields=["session", "staff"],
                condition=~Q(state="cancelled"),
                name="enrolment_once_alive",
            ),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(waits_since__isnull=False),
                name="enrolment_waits_since_a_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["staff", "state"], name="enrolment_of_staff"),
            models.Index(fields=["unit_id", "concluded_on"], name="enrolment_of_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.staff_id} in {self.session_id}"


class Attendance(models.Model):
    """Minutes that somebody was there in one slot. `source`: who says so."""

    class Source(models.TextChoices):
        TRAINER = "trainer", _("list of the trainer")
        SIGN_IN = "sign-in", _("signed in with the code")
        SYSTEM = "system", _("learning system")

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="attendances")
    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="attendances")
    minutes = models.PositiveSmallIntegerField(_("minutes"))
    source = models.CharField(max_length=8, choices=Source, default=Source.TRAINER)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("attendance")
        verbose_name_plural = _("attendances")
        constraints = [
            models.UniqueConstraint(fields=["enrolment", "slot"], name="attendance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment_id} {self.minutes} min"


class Attempt(models.Model):
    """A test before, at the end of, or some time after a course, in per cent; all are kept."""

    class Kind(models.TextChoices):
        BEFORE = "before", _("Before the course")
        TEST = "test", _("Test of the course")
        LATER = "later", _("Test some time later")

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="attempts")
    kind = models.CharField(_("kind"), max_length=6, choices=Kind, default=Kind.TEST)
    number = models.PositiveSmallIntegerField(_("attempt"), default=1)
    score = models.DecimalField(
        _("score in per cent"),
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    passed = models.BooleanField(_("passed"), null=True)
    on = models.DateField(_("day"))
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["enrolment_id", "kind", "number"]
        constraints = [
            models.UniqueConstraint(fields=["enrolment", "kind", "number"], name="attempt_once"),
            models.CheckConstraint(
                condition=Q(score__gte=0, score__lte=100), name="attempt_score_in_per_cent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment_id} {self.kind} {self.number}: {self.score}"
