"""What must be learnt, by post and unit, and who still owes it: recomputed every day."""

from datetime import date
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff, Unit, of_people
from training.courses.models import Course


class Requirement(models.Model):
    """Whoever works in this post (none: any) at this unit or below (none: anywhere) must have
    passed the course, or hold its certificate, within `within_days` of coming under it."""

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="requirements")
    post = models.ForeignKey(
        Post, on_delete=models.PROTECT, related_name="requirements", null=True, blank=True
    )
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="requirements", null=True, blank=True
    )
    within_days = models.PositiveSmallIntegerField(_("within days"), default=90)
    reason = models.CharField(_("why"), max_length=300, blank=True)
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("requirement")
        verbose_name_plural = _("requirements")
        constraints = [
            models.UniqueConstraint(
                F("course"),
                Coalesce(F("post"), 0),
                Coalesce(F("unit"), 0),
                condition=Q(valid_to__isnull=True),
                name="requirement_once_open",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="requirement_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course} from {self.valid_from}"


class ObligationQuerySet(models.QuerySet["Obligation"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))


class Obligation(models.Model):
    """One person, one required course: the row of the matrix. It is there as long as some
    requirement says so; the strictest decides `due_on`. `holds_until`: end of what meets it.
    `unit_id` and `post_id` are those that brought it, for lists.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("state of an obligation", "To do")
        MET = "met", pgettext_lazy("state of an obligation", "Met")
        WAIVED = "waived", pgettext_lazy("state of an obligation", "Waived")

    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="obligations")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="obligations")
    unit_id = models.PositiveBigIntegerField()
    post_id = models.PositiveBigIntegerField()
    requirement = models.ForeignKey(
        Requirement, on_delete=models.PROTECT, related_name="obligations"
    )
    state = models.CharField(_("state"), max_length=6, choices=State, default=State.OPEN)
    since_on = models.DateField(_("since"))
    due_on = models.DateField(_("due"))
    holds_until = models.DateField(_("holds until"), null=True)

    objects = ObligationQuerySet.as_manager()

    class Meta:
        verbose_name = _("obligation")
        verbose_name_plural = _("obligations")
        constraints = [
            models.UniqueConstraint(fields=["staff", "course"], name="obligation_once"),
        ]
        indexes = [
            models.Index(fields=["state", "due_on"], name="obligation_by_day"),
            models.Index(fields=["unit_id", "state"], name="obligation_of_unit"),
            models.Index(fields=["course", "state"], name="obligation_of_course"),
            # Without it SQLite looks through all that is overdue, for each person anew.
            models.Index(fields=["staff", "state", "due_on"], name="obligation_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.course_id} {self.state}"


class Waiver(models.Model):
    """Somebody need not, for a reason and until a day; ended by `ended_at`."""

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="waivers")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="waivers")
    reason = models.CharField(_("why"), max_length=500)
    until = models.DateField(_("until"), null=True, blank=True)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    given_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("waiver")
        verbose_name_plural = _("waivers")
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "course"],
                condition=Q(ended_at__isnull=True),
                name="waiver_one_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.course_id}"


class Reminder(models.Model):
    """A reminder that was sent; `key` names the person, the thing and the occasion, so that each
    goes out exactly once."""

    key = models.CharField(max_length=120, unique=True)
    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="reminders")
    sent_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key


class SavedFilter(models.Model):
    """A view of the matrix that somebody gave a name."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters"
    )
    page = models.CharField(max_length=40)
    name = models.CharField(_("name"), max_length=80)
    query = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "page", "name"], name="saved_filter_once"),
        ]

    def __str__(self) -> str:
        return self.name
