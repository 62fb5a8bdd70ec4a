"""Tickets from proposal to the end, and what hangs on them: signals, comments, files, history."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.models import Signal
from sqcore.org.models import Unit


class State(models.TextChoices):
    PROPOSED = "proposed", pgettext_lazy("state of a ticket", "Proposed")
    SNOOZED = "snoozed", _("Snoozed")
    PLAN = "plan", _("Plan")
    REVIEW = "review", _("Plan in review")
    DO = "do", _("Do")
    CHECK = "check", _("Check")
    ACT = "act", pgettext_lazy("Plan, Do, Check, Act", "Act")
    STANDARD = "standard", _("Standard, being held")
    CLOSED = "closed", _("Closed")
    REJECTED = "rejected", _("Rejected")
    DUPLICATE = "duplicate", _("Duplicate")
    WITHDRAWN = "withdrawn", _("Withdrawn on recovery")
    ABANDONED = "abandoned", _("Abandoned")
    CANCELLED = "cancelled", _("Cancelled")


class Phase(models.TextChoices):
    """The columns of the board."""

    INTAKE = "intake", _("Intake")
    PLAN = "plan", _("Plan")
    DO = "do", _("Do")
    CHECK = "check", _("Check")
    ACT = "act", pgettext_lazy("Plan, Do, Check, Act", "Act")
    ENDED = "ended", pgettext_lazy("phase of a ticket", "Ended")


PHASE_OF = {
    State.PROPOSED: Phase.INTAKE,
    State.SNOOZED: Phase.INTAKE,
    State.PLAN: Phase.PLAN,
    State.REVIEW: Phase.PLAN,
    State.DO: Phase.DO,
    State.CHECK: Phase.CHECK,
    State.ACT: Phase.ACT,
    State.STANDARD: Phase.ACT,
    State.CLOSED: Phase.ENDED,
    State.REJECTED: Phase.ENDED,
    State.DUPLICATE: Phase.ENDED,
    State.WITHDRAWN: Phase.ENDED,
    State.ABANDONED: Phase.ENDED,
    State.CANCELLED: Phase.ENDED,
}
ENDED = tuple(state for state, phase in PHASE_OF.items() if phase == Phase.ENDED)
INTAKE = (State.PROPOSED, State.SNOOZED)
ACCEPTED = tuple(state for state in State if state not in (*INTAKE, *ENDED))
"""A person took it on, and it is not ended."""


class Severity(models.IntegerChoices):
    S1 = 1, _("S1: customers come to harm, or a rule of law is broken")
    S2 = 2, _("S2: many customers, or far from the target")
    S3 = 3, _("S3: some customers")
    S4 = 4, _("S4: small, fixed in a few steps")


class TicketQuerySet(models.QuerySet["Ticket"]):
    def visible_to(self, principal: Principal) -> Self:
        """Those of the units that the asker sees tickets of, and their own anywhere."""
        scope = principal.scope(Permission.VIEW_TICKETS)
        if scope.everywhere:
            return self
        mine = Q(unit_id__in=scope.units)
        if principal.user is not None:
            mine |= Q(owner=principal.user) | Q(proposed_by=principal.user)
        return self.filter(mine)

    def open(self) -> Self:
        return self.filter(ended_at__isnull=True)


class Ticket(models.Model):
    """One problem of a service, from its proposal to its end. Nobody is ever its subject.

    `revision` rises with every change; who changes names the one that they saw. `code` is the
    indicator that it is about, if any. `blocked_for` is the time that it stood still, without the
    block that still holds (`blocked_at`).
    """

    class Source(models.TextChoices):
        SIGNAL = "signal", _("A signal of a control chart")
        PERSON = "person", _("A person")
        CLIENT = "client", _("Another system")

    class EndReason(models.TextChoices):
        FALSE_ALARM = "false_alarm", _("False alarm: nothing changed")
        KNOWN = "known", _("Known, and explained")
        NOT_OURS = "not_ours", _("Not ours to change")
        TOO_SMALL = "too_small", _("Not worth the effort now")
        DUPLICATE = "duplicate", _("The same as another ticket")
        RECOVERED = "recovered", _("The numbers recovered before anybody took it on")
        SUSTAINED = "sustained", _("The effect held")
        QUICK = "quick", _("A small fix, done")
        NO_EFFECT = "no_effect", _("No effect was found")
        OTHER = "other", _("Another reason")

    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), max_length=5000, blank=True)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="tickets")
    system = models.ForeignKey(
        IndicatorSystem, on_delete=models.PROTECT, related_name="tickets", null=True
    )
    code = models.CharField(_("indicator"), max_length=80, blank=True)
    grain = models.CharField(max_length=8, choices=Grain, blank=True)
    source = models.CharField(_("source"), max_length=8, choices=Source)
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="tickets", null=True)
    episode = models.PositiveSmallIntegerField(null=True)
    evidence = models.JSONField(default=dict)
    dedup_key = models.CharField(max_length=255, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PROPOSED)
    severity = models.PositiveSmallIntegerField(_("severity"), choices=Severity, null=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_tickets", null=True
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, related_name="children", null=True)
    duplicate_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="duplicates", null=True
    )
    recurrence_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="recurrences", null=True
    )
    is_over_budget = models.BooleanField(default=False)
    cycle = models.PositiveSmallIntegerField(_("cycle"), default=1)
    revision = models.PositiveIntegerField(default=1)
    customers_affected = models.PositiveIntegerField(_("customers affected"), null=True)
    containment = models.TextField(_("containment"), max_length=2000, blank=True)
    contained_on = models.DateField(_("contained on"), null=True)
    is_containment_waived = models.BooleanField(default=False)
    problem = models.TextField(_("problem statement"), max_length=5000, blank=True)
    similar = models.TextField(_("similar elsewhere"), max_length=2000, blank=True)
    lesson = models.TextField(_("lesson"), max_length=5000, blank=True)
    snoozed_until = models.DateField(null=True)
    blocked_at = models.DateTimeField(null=True)
    blocked_reason = models.CharField(max_length=500, blank=True)
    blocked_for = models.DurationField(null=True)
    end_reason = models.CharField(max_length=12, choices=EndReason, blank=True)
    end_note = models.CharField(max_length=1000, blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="proposed_tickets",
        null=True,
    )
    proposed_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        constraints = [
            models.UniqueConstraint(
                fields=["dedup_key"],
                condition=Q(ended_at__isnull=True) & ~Q(dedup_key=""),
                name="ticket_open_once_a_key",
            ),
            models.UniqueConstraint(
                fields=["signal"],
                condition=Q(ended_at__isnull=True) & Q(signal__isnull=False),
                name="ticket_open_once_a_signal",
            ),
            models.CheckConstraint(
                condition=(Q(ended_at__isnull=True) & ~Q(state__in=[s.value for s in ENDED]))
                | (Q(ended_at__isnull=False) & Q(state__in=[s.value for s in ENDED])),
                name="ticket_ended_has_its_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[s.value for s in ACCEPTED])
                | (Q(owner__isnull=False) & Q(severity__isnull=False)),
                name="ticket_accepted_has_owner_and_severity",
            ),
            models.CheckConstraint(
                condition=~Q(state="duplicate") | Q(duplicate_of__isnull=False),
                name="ticket_duplicate_of_another",
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of__isnull=True) | ~Q(duplicate_of=F("id")),
                name="ticket_not_duplicate_of_itself",
            ),
            models.CheckConstraint(
                condition=~Q(state="snoozed") | Q(snoozed_until__isnull=False),
                name="ticket_snoozed_until_a_day",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "moved_at"],
                name="ticket_open_by_state",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(fields=["unit", "code"], name="ticket_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"

    @property
    def reference(self) -> str:
        """What people call it."""
        return f"T-{self.pk}"

    @property
    def phase(self) -> Phase:
        return PHASE_OF[State(self.state)]

    @property
    def is_blocked(self) -> bool:
        return self.blocked_at is not None


class TicketSignal(models.Model):
    """An episode of a signal that belongs to a ticket: its own, or of a unit below or above."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="signals")
    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="ticket_links")
    episode = models.PositiveSmallIntegerField()
    attached_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "signal", "episode"], name="ticket_signal_once"
            ),
        ]

    def __str__(self) -> str:
        return f"signal {self.signal_id} of ticket {self.ticket_id}"


class Step(models.Model):
    """What was done with a ticket, in order; never changed."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="steps")
    action = models.CharField(max_length=40)
    former = models.CharField(max_length=10, choices=State, blank=True)
    state = models.CharField(max_length=10, choices=State)
    cycle = models.PositiveSmallIntegerField(default=1)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    note = models.CharField(max_length=2000, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.action} of ticket {self.ticket_id}"


class Comment(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="comments")
    text = models.TextField(_("comment"), max_length=5000)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"comment on ticket {self.ticket_id}"


class Watcher(models.Model):
    """Somebody who is told of what happens with a ticket though they have no part in it."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="watchers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ticket", "user"], name="watcher_once"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} watches ticket {self.ticket_id}"


class Attachment(models.Model):
    """A file of a ticket: its kind found from its content, handed out as a download only."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(_("file name"), max_length=200)
    kind = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    path = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "sha256", "name"], name="attachment_once"),
        ]

    def __str__(self) -> str:
        return self.name
