"""Did a course work? Studies with a pool, two groups, windows, and a verdict."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from training.courses.models import Course


class StudyQuerySet(models.QuerySet["Study"]):
    def visible_to(self, principal: Principal) -> Self:
        """For who runs training; who plans it sees what came out."""
        scope = principal.scope(Permission.VIEW_TRAINING)
        return self if scope else self.none()


class Study(models.Model):
    """A course judged by what customers say: difference in differences within a selected pool.

    The pool is chosen by the `measure` in [selected_from, selected_to), which is in neither window;
    `is_by_lot`: who of it was trained was drawn with `seed`. Registered before the results are in:
    windows, minimum and groups never change afterwards.
    """

    class State(models.TextChoices):
        REGISTERED = "registered", _("Registered")
        CONCLUDED = "concluded", _("Concluded")
        ABANDONED = "abandoned", _("Abandoned")

    class Pool(models.TextChoices):
        LOWEST = "lowest", _("those whom customers judged lowest")
        WAITING = "waiting", _("who enrolled and who waited")

    class Verdict(models.TextChoices):
        EFFECTIVE = "effective", _("It works")
        NOT_EFFECTIVE = "not-effective", _("Not by as much as was promised")
        HARMFUL = "harmful", _("It made things worse")
        NOT_YET = "not-yet", _("Not yet known")

    code = models.SlugField(_("code"), max_length=60, unique=True)
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="studies")
    measure = models.CharField(_("measure"), max_length=80)
    pool = models.CharField(_("pool"), max_length=8, choices=Pool)
    is_by_lot = models.BooleanField(default=True)
    seed = models.PositiveBigIntegerField(null=True)
    selected_from = models.DateField(null=True)
    selected_to = models.DateField(null=True)
    before_from = models.DateField(_("before, from"))
    before_to = models.DateField(_("before, until"))
    after_from = models.DateField(_("after, from"))
    after_to = models.DateField(_("after, until"))
    minimum = models.FloatField(_("least effect that counts"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.REGISTERED)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    registered_at = models.DateTimeField()
    outcome = models.JSONField(default=dict)
    verdict = models.CharField(_("verdict"), max_length=14, choices=Verdict, blank=True)
    concluded_at = models.DateTimeField(null=True)
    why_abandoned = models.CharField(max_length=300, blank=True)

    objects = StudyQuerySet.as_manager()

    class Meta:
        verbose_name = _("study of a course")
        verbose_name_plural = _("studies of courses")
        constraints = [
            models.CheckConstraint(
                condition=Q(before_to__gt=F("before_from"), after_to__gt=F("after_from"))
                & Q(after_from__gte=F("before_to")),
                name="study_windows_in_order",
            ),
            models.CheckConstraint(
                condition=Q(selected_to__isnull=True) | Q(selected_to__lte=F("before_from")),
                name="study_chosen_outside_its_windows",
            ),
            models.CheckConstraint(condition=Q(minimum__gt=0), name="study_promises_something"),
        ]

    def __str__(self) -> str:
        return self.code


class StudyMember(models.Model):
    """A person of the pool, and in which group."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="members")
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="+")
    is_trained = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "staff"], name="study_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.study_id} {self.staff_id}"
