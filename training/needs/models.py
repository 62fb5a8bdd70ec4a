"""Training needs: why somebody should learn something, and what became of it."""

from datetime import date
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, of_people
from training.competencies.models import Competency
from training.courses.models import Course
from training.enrolments.models import Enrolment


class NeedQuerySet(models.QuerySet["Need"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))

    def waiting(self) -> Self:
        return self.filter(state__in=Need.WAITING)


class Need(models.Model):
    """Somebody should learn something: a competency, or a course where no competency is meant. One
    waits at a time for each. It is developmental: no finding that the person is incompetent.
    `benefit` orders the list: the larger, the sooner.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("state of a training need", "Open")
        PLANNED = "planned", pgettext_lazy("state of a training need", "Planned")
        MET = "met", pgettext_lazy("state of a training need", "Met")
        DISMISSED = "dismissed", pgettext_lazy("state of a training need", "Dismissed")

    WAITING = ("open", "planned")

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="training_needs")
    competency = models.ForeignKey(
        Competency, on_delete=models.PROTECT, related_name="needs", null=True
    )
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="needs", null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    benefit = models.FloatField(_("expected benefit"), default=0)
    enrolment = models.ForeignKey(
        Enrolment, on_delete=models.PROTECT, related_name="needs", null=True
    )
    opened_on = models.DateField(_("opened"))
    opened_at = models.DateTimeField()
    closed_on = models.DateField(_("closed"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    why_closed = models.CharField(_("why"), max_length=300, blank=True)

    objects = NeedQuerySet.as_manager()

    class Meta:
        verbose_name = _("training need")
        verbose_name_plural = _("training needs")
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "competency"],
                condition=Q(state__in=["open", "planned"], competency__isnull=False),
                name="need_one_waits_a_competency",
            ),
            models.UniqueConstraint(
                fields=["staff", "course"],
                condition=Q(state__in=["open", "planned"], competency__isnull=True),
                name="need_one_waits_a_course",
            ),
            models.CheckConstraint(
                condition=Q(competency__isnull=False) | Q(course__isnull=False),
                name="need_of_something",
            ),
            models.CheckConstraint(
                condition=~Q(state="planned") | Q(enrolment__isnull=False),
                name="need_planned_has_enrolment",
            ),
        ]
        indexes = [models.Index(fields=["state", "-benefit"], name="need_by_benefit")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.competency_id or self.course_id}"


class NeedReason(models.Model):
    """Why a need is there; several may speak for one. `reference` is its natural key; `benefit` its
    part of the expected benefit of the need."""

    class Origin(models.TextChoices):
        RESULT = "result", _("What customers say")
        CERTIFICATE = "certificate", _("A certificate ends")
        GAP = "gap", _("The post needs a higher level")
        TICKET = "ticket", _("An improvement asks for it")
        PERSON = "person", _("Asked for")

    need = models.ForeignKey(Need, on_delete=models.CASCADE, related_name="reasons")
    origin = models.CharField(_("origin"), max_length=12, choices=Origin)
    reference = models.CharField(max_length=120, unique=True)
    text = models.JSONField(default=dict)
    benefit = models.FloatField(default=0)
    on = models.DateField(_("day"))

    class Meta:
        ordering = ["on", "id"]

    def __str__(self) -> str:
        return self.reference
