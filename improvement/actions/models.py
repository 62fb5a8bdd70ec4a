"""What is done about a problem: by whom, until when, and from when it takes effect."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from improvement.tickets.models import Ticket
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff


class ActionQuerySet(models.QuerySet["Action"]):
    def visible_to(self, principal: Principal) -> Self:
        """Those of the tickets that the asker sees, and their own."""
        seen = Q(ticket__in=Ticket.objects.visible_to(principal))
        if principal.user is not None:
            seen |= Q(owner=principal.user)
        return self.filter(seen)

    def open(self) -> Self:
        return self.filter(state=Action.State.OPEN)


class Action(models.Model):
    """One action of a plan. Once done it takes effect on `effective_on`; periods before that day
    say nothing about it. Done and cancelled ones stay as they are.

    Training names a competency, by its code, and who is to be trained; `trained` of `to_train` is
    how far that has come, None before it was asked for.
    """

    class Kind(models.TextChoices):
        CORRECTIVE = "corrective", _("Corrective")
        PREVENTIVE = "preventive", _("Preventive")
        IMPROVEMENT = "improvement", _("Improvement")
        TRAINING = "training", _("Training")
        DOCUMENT = "document", _("Document")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("state of an action", "Open")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="actions")
    cycle = models.PositiveSmallIntegerField()
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.CORRECTIVE)
    text = models.CharField(_("action"), max_length=500)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="improvement_actions"
    )
    due_on = models.DateField(_("due"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    effective_on = models.DateField(_("takes effect on"), null=True)
    outcome = models.CharField(_("what was done"), max_length=1000, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    competency = models.CharField(_("competency"), max_length=50, blank=True)
    people = models.ManyToManyField(
        Staff, related_name="+", blank=True, verbose_name=_("who is to be trained")
    )
    trained = models.PositiveIntegerField(null=True)
    to_train = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    objects = ActionQuerySet.as_manager()

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        ordering = ["due_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="done") | (Q(effective_on__isnull=False) & ~Q(outcome="")),
                name="action_done_has_outcome_and_date",
            ),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | ~Q(outcome=""),
                name="action_cancelled_has_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["owner", "state", "due_on"], name="action_of_owner")]

    def __str__(self) -> str:
        return self.text
