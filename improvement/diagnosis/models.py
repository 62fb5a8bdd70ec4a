"""Why the problem is there: chains of whys and the branches of a fishbone, each with evidence."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from improvement.tickets.models import Ticket


class Finding(models.Model):
    """One cause that was found: a step of a chain of whys (under its `parent`), or a branch of the
    fishbone under a cause of the taxonomy. A root cause is what the actions take away.
    """

    class Kind(models.TextChoices):
        WHY = "why", _("Five whys")
        FACTOR = "factor", _("Fishbone")

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="findings")
    cycle = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=6, choices=Kind)
    cause = models.CharField(_("kind of cause"), max_length=50, blank=True)
    text = models.CharField(_("cause"), max_length=500)
    evidence = models.CharField(_("evidence"), max_length=1000, blank=True)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, related_name="deeper", null=True)
    is_root = models.BooleanField(_("root cause"), default=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("cause")
        verbose_name_plural = _("causes")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="why") | ~Q(cause=""), name="finding_factor_names_its_cause"
            ),
        ]

    def __str__(self) -> str:
        return self.text
