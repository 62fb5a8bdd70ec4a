"""Decisions of a second person in the cycle."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from improvement.tickets.models import Ticket


class Approval(models.Model):
    """What a second person decided: on the plan (with the hash that they saw), or on the Act."""

    class Subject(models.TextChoices):
        PLAN = "plan", _("Plan")
        STANDARD = "standard", _("Standard")
        END = "end", _("End of the ticket")

    class Decision(models.TextChoices):
        APPROVED = "approved", _("Approved")
        RETURNED = "returned", _("Returned")

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="approvals")
    cycle = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=10, choices=Subject)
    decision = models.CharField(max_length=10, choices=Decision)
    digest = models.CharField(max_length=64, blank=True)
    comment = models.CharField(_("comment"), max_length=2000, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "cycle", "subject", "digest", "by", "decision"],
                name="approval_once_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision} of ticket {self.ticket_id}"
