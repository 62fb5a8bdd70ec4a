"""What a post needs and what a person can do: competencies, levels, dated evidence."""

from datetime import date
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff, of_people


class Level(models.IntegerChoices):
    NONE = 0, _("Not yet")
    BASIC = 1, _("Basic: with help")
    INDEPENDENT = 2, _("Independent")
    SKILLED = 3, _("Skilled: also what is difficult")
    TEACHES = 4, _("Teaches others")


class Competency(models.Model):
    """Something that people can do more or less well. `measures` are keys of what customers judge
    about a person (`servqual/empathy`) that depends on it."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    description = models.JSONField(_("description"), default=dict, blank=True)
    measures = models.JSONField(_("what customers judge of it"), default=list, blank=True)
    position = models.PositiveSmallIntegerField(_("order"), default=0)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("competency")
        verbose_name_plural = _("competencies")
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return in_language(self.name)


class RequiredLevel(models.Model):
    """The level of a competency that a post needs during [valid_from, valid_to)."""

    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="required_levels")
    competency = models.ForeignKey(
        Competency, on_delete=models.PROTECT, related_name="required_levels"
    )
    level = models.PositiveSmallIntegerField(_("level"), choices=Level)
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("required level")
        verbose_name_plural = _("required levels")
        constraints = [
            models.UniqueConstraint(
                fields=["post", "competency"],
                condition=Q(valid_to__isnull=True),
                name="required_level_one_open",
            ),
            models.CheckConstraint(
                condition=Q(level__gte=1, level__lte=4), name="required_level_on_scale"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="required_level_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post} {self.competency} {self.level}"


class EvidenceQuerySet(models.QuerySet["Evidence"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))

    def counted(self) -> Self:
        return self.filter(withdrawn_at__isnull=True).exclude(kind=Evidence.Kind.SELF)


class Evidence(models.Model):
    """Somebody was seen to have a level on a day. The newest that counts is the level held; what
    people say of themselves is kept beside it and never counts."""

    class Kind(models.TextChoices):
        ASSESSMENT = "assessment", _("Assessment by the manager")
        COURSE = "course", _("Course passed")
        CERTIFICATE = "certificate", _("Certificate")
        EXPERIENCE = "experience", _("Experience on record")
        SELF = "self", _("Self-assessment")

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="evidence")
    competency = models.ForeignKey(Competency, on_delete=models.PROTECT, related_name="evidence")
    level = models.PositiveSmallIntegerField(_("level"), choices=Level)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    on = models.DateField(_("day"))
    expires_on = models.DateField(_("holds until"), null=True, blank=True)
    text = models.CharField(_("what was seen"), max_length=500, blank=True)
    reference = models.CharField(max_length=80, null=True, unique=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    recorded_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_why = models.CharField(max_length=300, blank=True)

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        constraints = [
            models.CheckConstraint(
                condition=Q(level__gte=0, level__lte=4), name="evidence_level_on_scale"
            ),
            models.CheckConstraint(
                condition=Q(expires_on__isnull=True) | Q(expires_on__gt=F("on")),
                name="evidence_expires_after_its_day",
            ),
        ]
        indexes = [
            models.Index(fields=["staff", "competency", "-on"], name="evidence_of_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.competency_id} {self.level}"
