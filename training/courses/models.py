"""What can be learnt: programmes, courses in versions, their sessions and slots."""

from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, Unit
from training.competencies.models import Competency, Level


class Mode(models.TextChoices):
    CLASSROOM = "classroom", _("Classroom")
    ONLINE = "online", _("Online")
    PRACTICE = "practice", _("Practice at work")
    SIMULATION = "simulation", _("Simulation or VR")


class Programme(models.Model):
    """Courses that belong together, in their order."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    description = models.JSONField(_("description"), default=dict, blank=True)

    class Meta:
        verbose_name = _("programme")
        verbose_name_plural = _("programmes")

    def __str__(self) -> str:
        return in_language(self.name)


class Course(models.Model):
    """Something to learn. What is taught, and how it is passed and renewed, is in its versions."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    description = models.JSONField(_("description"), default=dict, blank=True)
    mode = models.CharField(_("mode"), max_length=12, choices=Mode, default=Mode.CLASSROOM)
    is_active = models.BooleanField(_("offered"), default=True)
    is_open = models.BooleanField(_("people may enrol themselves"), default=False)

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")

    def __str__(self) -> str:
        return in_language(self.name)


class ProgrammeCourse(models.Model):
    programme = models.ForeignKey(Programme, on_delete=models.CASCADE, related_name="places")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="places")
    position = models.PositiveSmallIntegerField(_("order"))

    class Meta:
        ordering = ["programme_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "course"], name="programme_course_once"),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.position}"


class Prerequisite(models.Model):
    """A course that must be passed before another; never in a circle (the service sees to it)."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="prerequisites")
    needs = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="opens")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["course", "needs"], name="prerequisite_once"),
            models.CheckConstraint(
                condition=~Q(course=F("needs")), name="prerequisite_not_of_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course_id} needs {self.needs_id}"


class Taught(models.Model):
    """The level of a competency that who passes the course has shown."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="teaches")
    competency = models.ForeignKey(Competency, on_delete=models.PROTECT, related_name="taught_by")
    level = models.PositiveSmallIntegerField(_("level"), choices=Level)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["course", "competency"], name="taught_once"),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=4), name="taught_on_scale"),
        ]

    def __str__(self) -> str:
        return f"{self.course_id} {self.competency_id} {self.level}"


class CourseVersion(models.Model):
    """One version of a course; fixed once it is published.

    `pass_mark` in per cent (none: attending is passing), `attempts` how often the test may be
    taken, `attendance` the least share of the minutes, in per cent. A certificate holds
    `valid_months` (none: for ever) either from its day (rolling) or to the end of the
    `renewal_month` of the year in which these months end (calendar); it is due `due_days` before.
    `replaces_older`: publishing this version ends the certificates of older ones on that day.
    """

    class Renewal(models.TextChoices):
        ROLLING = "rolling", _("so many months after its day")
        CALENDAR = "calendar", _("to the end of a month of the calendar")

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField(_("version"))
    outline = models.TextField(_("outline"), max_length=20000, blank=True)
    minutes = models.PositiveIntegerField(_("minutes"), validators=[MinValueValidator(1)])
    pass_mark = models.PositiveSmallIntegerField(
        _("pass mark in per cent"), null=True, blank=True, validators=[MaxValueValidator(100)]
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=3)
    attendance = models.PositiveSmallIntegerField(
        _("least attendance in per cent"), default=80, validators=[MaxValueValidator(100)]
    )
    certifies = models.BooleanField(_("gives a certificate"), default=False)
    valid_months = models.PositiveSmallIntegerField(_("valid for months"), null=True, blank=True)
    renewal = models.CharField(_("holds"), max_length=8, choices=Renewal, default=Renewal.ROLLING)
    renewal_month = models.PositiveSmallIntegerField(
        _("last month"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(12)],
    )
    due_days = models.PositiveSmallIntegerField(_("due so many days before"), default=60)
    replaces_older = models.BooleanField(_("ends certificates of older versions"), default=False)
    reaction = models.CharField(_("questionnaire after it"), max_length=50, blank=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("version of a course")
        verbose_name_plural = _("versions of courses")
        ordering = ["course_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["course", "number"], name="course_version_once"),
            models.CheckConstraint(
                condition=Q(renewal="rolling") | Q(renewal_month__isnull=False),
                name="course_version_calendar_has_month",
            ),
            models.CheckConstraint(
                condition=Q(attempts__gte=1), name="course_version_can_be_tried"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course} {self.number}"


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, principal: Principal) -> Self:
        """Sessions are there to be found, by everybody who works here or sees to training."""
        sees = principal.staff_id is not None or principal.may(Permission.VIEW_TRAINING)
        return self if sees else self.none()


class Session(models.Model):
    """A course held once, in one or more slots, with so many seats. Costs are in cents."""

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        HELD = "held", _("Held")
        CANCELLED = "cancelled", _("Cancelled")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    version = models.ForeignKey(CourseVersion, on_delete=models.PROTECT, related_name="sessions")
    mode = models.CharField(_("mode"), max_length=12, choices=Mode)
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="training_sessions", null=True, blank=True
    )
    place = models.CharField(_("place"), max_length=200, blank=True)
    trainer = models.ForeignKey(
        Staff, on_delete=models.PROTECT, related_name="sessions_held", null=True, blank=True
    )
    provider = models.CharField(_("provider"), max_length=150, blank=True)
    capacity = models.PositiveSmallIntegerField(_("seats"), validators=[MinValueValidator(1)])
    enrol_until = models.DateField(_("enrol until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNED)
    planned_cost = models.PositiveBigIntegerField(_("planned cost"), default=0)
    actual_cost = models.PositiveBigIntegerField(_("actual cost"), null=True, blank=True)
    starts_on = models.DateField(_("first day"))
    ends_on = models.DateField(_("last day"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        constraints = [
            models.CheckConstraint(condition=Q(capacity__gte=1), name="session_has_seats"),
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="session_ends_after_it_starts"
            ),
        ]
        indexes = [models.Index(fields=["starts_on"], name="session_by_day")]

    def __str__(self) -> str:
        return f"{self.version.course} {self.starts_on}"


class Slot(models.Model):
    """A stretch of time of a session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="slots")
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("slot")
        verbose_name_plural = _("slots")
        ordering = ["session_id", "starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["session", "starts_at"], name="slot_once"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="slot_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at}"
