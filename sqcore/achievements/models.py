"""What a person achieved: appended, never changed; what was wrong is reversed by another row."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.append_only import AppendOnly
from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, of_people

NEVER_CHANGED = AppendOnly(
    tables=("sqcore_achievement",),
    function="sqcore_achievement_refuse",
    message="what was achieved is never changed",
)


class Kind(models.TextChoices):
    COURSE = "course", _("Course completed")
    CERTIFICATE = "certificate", _("Certificate")
    IMPROVEMENT = "improvement", _("Verified improvement")
    RESULT = "result", _("Result above comparable colleagues")
    AWARD = "award", _("Award")
    RECOGNITION = "recognition", _("Recognition")


class AchievementQuerySet(models.QuerySet["Achievement"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """One's own, and of who works on this day where one may see the training of people."""
        return self.filter(of_people(principal, Permission.VIEW_TRAINING, on=on))

    def standing(self) -> Self:
        """Those that were not reversed, without the reversals."""
        return self.filter(reverses__isnull=True, reversal__isnull=True)


class Achievement(models.Model):
    """One thing that somebody achieved on a day. `reference` is its natural key."""

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="achievements")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    title = models.JSONField(_("title"), validators=[validate_translated])
    on = models.DateField(_("day"))
    reference = models.CharField(max_length=80, unique=True)
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, related_name="reversal", null=True
    )
    reason = models.CharField(max_length=300, blank=True)
    recorded_at = models.DateTimeField()

    objects = AchievementQuerySet.as_manager()

    class Meta:
        verbose_name = _("achievement")
        verbose_name_plural = _("achievements")
        constraints = [
            models.CheckConstraint(
                condition=Q(reverses__isnull=True) | ~Q(reverses=F("id")),
                name="achievement_reverses_another",
            ),
        ]
        indexes = [models.Index(fields=["staff", "on"], name="achievement_of_staff")]

    def __str__(self) -> str:
        return in_language(self.title)
