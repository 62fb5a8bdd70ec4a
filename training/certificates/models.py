"""Certificates with their time, and training that was had elsewhere."""

from datetime import date
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, of_people
from training.courses.models import Course, CourseVersion
from training.enrolments.models import Enrolment


class ExternalTrainingQuerySet(models.QuerySet["ExternalTraining"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))


class ExternalTraining(models.Model):
    """Training had elsewhere: claimed by the person with evidence, approved by another one."""

    class State(models.TextChoices):
        CLAIMED = "claimed", _("Waits for approval")
        APPROVED = "approved", pgettext_lazy("state of external training", "Approved")
        REJECTED = "rejected", pgettext_lazy("state of external training", "Not accepted")

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="external_training")
    course = models.ForeignKey(
        Course, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    title = models.CharField(_("title"), max_length=200)
    provider = models.CharField(_("provider"), max_length=150)
    ended_on = models.DateField(_("ended"))
    minutes = models.PositiveIntegerField(_("minutes"))
    cost = models.PositiveBigIntegerField(_("cost"), default=0)
    evidence_name = models.CharField(max_length=200, blank=True)
    evidence_type = models.CharField(max_length=100, blank=True)
    evidence = models.BinaryField(null=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.CLAIMED)
    claimed_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)
    why = models.CharField(_("why"), max_length=500, blank=True)

    objects = ExternalTrainingQuerySet.as_manager()

    class Meta:
        verbose_name = _("training elsewhere")
        verbose_name_plural = _("training elsewhere")
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "title", "ended_on"],
                condition=~Q(state="rejected"),
                name="external_training_once",
            ),
            models.CheckConstraint(
                condition=Q(state="claimed") | Q(decided_at__isnull=False),
                name="external_training_decided_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class NumberSeries(models.Model):
    """The last number that was given to a certificate of this year; who numbers holds the row."""

    year = models.PositiveSmallIntegerField(unique=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year} {self.last}"


class Standing(models.TextChoices):
    """What a certificate is worth on a day."""

    VALID = "valid", pgettext_lazy("of a certificate", "Valid")
    DUE = "due", pgettext_lazy("of a certificate", "To be renewed")
    EXPIRED = "expired", pgettext_lazy("of a certificate", "Expired")
    REVOKED = "revoked", pgettext_lazy("of a certificate", "Revoked")


class CertificateQuerySet(models.QuerySet["Certificate"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))

    def held_on(self, on: date) -> Self:
        """Those in force on this day, due ones among them."""
        return self.filter(revoked_at__isnull=True, issued_on__lte=on).filter(
            Q(expires_on__isnull=True) | Q(expires_on__gt=on)
        )


class Certificate(models.Model):
    """Proof that somebody passed a course, in force during [issued_on, expires_on) unless revoked.

    `number` is what people read aloud. It comes from one enrolment, one training elsewhere, or a
    file (`external_key`), and from each at most once.
    """

    number = models.CharField(_("number"), max_length=40, unique=True)
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="certificates")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="certificates")
    version = models.ForeignKey(
        CourseVersion, on_delete=models.PROTECT, related_name="certificates", null=True
    )
    enrolment = models.OneToOneField(
        Enrolment, on_delete=models.PROTECT, related_name="certificate", null=True
    )
    external = models.OneToOneField(
        ExternalTraining, on_delete=models.PROTECT, related_name="certificate", null=True
    )
    external_key = models.CharField(max_length=80, null=True, unique=True)
    renews = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="renewed_by", null=True
    )
    issued_on = models.DateField(_("issued"))
    due_on = models.DateField(_("to be renewed from"), null=True)
    expires_on = models.DateField(_("valid until"), null=True)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    revoked_why = models.CharField(_("why"), max_length=500, blank=True)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        verbose_name = _("certificate")
        verbose_name_plural = _("certificates")
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_on__isnull=True) | Q(expires_on__gt=F("issued_on")),
                name="certificate_expires_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(due_on__isnull=True) | Q(expires_on__isnull=False),
                name="certificate_due_only_when_it_expires",
            ),
        ]
        indexes = [
            models.Index(fields=["staff", "course", "-issued_on"], name="certificate_of_staff"),
            models.Index(fields=["expires_on"], name="certificate_by_end"),
        ]

    def __str__(self) -> str:
        return self.number

    def standing_on(self, on: date) -> Standing:
        if self.revoked_at is not None:
            return Standing.REVOKED
        if self.expires_on is not None and self.expires_on <= on:
            return Standing.EXPIRED
        return Standing.DUE if self.due_on is not None and self.due_on <= on else Standing.VALID
