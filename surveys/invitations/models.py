"""Invitations from service encounters: who is asked, by which link, and that it was used."""

import secrets
from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.encounters.models import Customer, Service
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit
from surveys.campaigns.models import Campaign

REF_LENGTH = 10


def new_ref() -> str:
    """Return 60 random bits: enough to tell invitations apart, not enough to use one."""
    return secrets.token_urlsafe(8)[:REF_LENGTH]


class SamplingPlan(models.Model):
    """Which encounters of a campaign's time are followed by an invitation.

    An encounter is looked at once, `delay_h` hours after the customer arrived, if its day lies in
    [starts_on, ends_on) and is not longer ago than `oldest_days`. Empty `channels`, `segments` or
    `services` mean all of them, and no `below` every unit. A plan that has drawn is never changed:
    it ends, and another one begins.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="sampling_plans")
    below = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="sampling_plans", null=True, blank=True
    )
    channels = models.ManyToManyField(Channel, related_name="+", blank=True)
    segments = models.ManyToManyField(Segment, related_name="+", blank=True)
    services = models.ManyToManyField(Service, related_name="+", blank=True)
    share = models.DecimalField(_("share, in percent"), max_digits=5, decimal_places=2)
    least = models.PositiveIntegerField(_("at least, by unit and week"), default=0)
    most = models.PositiveIntegerField(_("at most, by unit and week"), null=True, blank=True)
    delay_h = models.PositiveSmallIntegerField(_("hours after the encounter"), default=2)
    oldest_days = models.PositiveSmallIntegerField(_("not after this many days"), default=14)
    valid_days = models.PositiveSmallIntegerField(_("days that a link is valid"), default=14)
    recontact_days = models.PositiveSmallIntegerField(
        _("days before a customer is asked again"), default=90
    )
    with_unknown = models.BooleanField(_("also customers that are not known"), default=True)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"), null=True, blank=True)
    looked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("sampling plan")
        verbose_name_plural = _("sampling plans")
        constraints = [
            models.CheckConstraint(
                condition=Q(share__gt=0, share__lte=100), name="sampling_share_in_percent"
            ),
            models.CheckConstraint(
                condition=Q(most__isnull=True) | Q(most__gte=F("least"), most__gt=0),
                name="sampling_most_not_under_least",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gt=F("starts_on")),
                name="sampling_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(valid_days__gt=0, oldest_days__gt=0), name="sampling_days_positive"
            ),
            models.UniqueConstraint(fields=["campaign", "starts_on"], name="sampling_starts_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} {self.starts_on}"


class Drawing(models.Model):
    """What a plan made of the encounters that it looked at on one day: how many of each fate."""

    plan = models.ForeignKey(SamplingPlan, on_delete=models.CASCADE, related_name="drawings")
    on = models.DateField(_("day"))
    invited = models.PositiveIntegerField(_("invited"), default=0)
    not_sampled = models.PositiveIntegerField(_("not sampled"), default=0)
    recent = models.PositiveIntegerField(_("asked not long ago"), default=0)
    full = models.PositiveIntegerField(_("quota full"), default=0)
    unknown = models.PositiveIntegerField(_("customer not known"), default=0)
    too_old = models.PositiveIntegerField(_("too long ago"), default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "on"], name="drawing_once_a_day")]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.on}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def visible_to(self, principal: Principal) -> Self:
        """Who runs surveys sees all; who sends encounters those of the units they send for."""
        if principal.may(Permission.MANAGE_SURVEYS):
            return self
        scope = principal.scope(Permission.SEND_MEASUREMENTS)
        return self if scope.everywhere else self.filter(unit_id__in=scope.units)

    def open_on(self, on: date) -> Self:
        """Those whose link is valid on this day, whether or not it was used: nobody is told."""
        return self.filter(withdrawn_at=None, invited_on__lte=on, valid_until__gt=on)


class Invitation(models.Model):
    """A link for one encounter, or for one person who is asked about something else: then there is
    no plan, and `encounter_key` is a key of the subject and the person. The link itself is not
    stored: it is computed from the secret of the installation, and `ref` are the characters by
    which it is found.

    Nothing here changes when the link is used: that is one row of `SpentLink`, which leads here
    only for who has the secret. `valid_until` is the first day on which it is no longer valid.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="invitations", db_index=False
    )
    plan = models.ForeignKey(
        SamplingPlan,
        on_delete=models.PROTECT,
        related_name="invitations",
        null=True,
        db_index=False,
    )
    encounter_key = models.CharField(max_length=80)
    ref = models.CharField(max_length=REF_LENGTH, unique=True, default=new_ref)
    issue = models.PositiveSmallIntegerField(default=1)
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="invitations", db_index=False
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    encounter_on = models.DateField()
    invited_on = models.DateField()
    valid_until = models.DateField()
    handed_out_on = models.DateField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "encounter_key"], name="invitation_once_an_encounter"
            ),
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("invited_on")), name="invitation_is_valid_for_days"
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "valid_until"], name="invitation_open"),
            models.Index(fields=["plan", "encounter_on"], name="invitation_of_plan"),
        ]

    def __str__(self) -> str:
        return self.ref


class SpentLink(models.Model):
    """That a link was used, under a digest that only this installation's secret can compute.

    No time, no number: `settled` rows are stored anew in the order of their digests, many at once,
    so that the order in which answers came is nowhere (`surveys.invitations.services.settle`).
    """

    digest = models.CharField(max_length=43, primary_key=True)
    settled = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["settled"], name="spent_to_settle", condition=Q(settled=False))
        ]

    def __str__(self) -> str:
        return self.digest[:8]


class LastInvited(models.Model):
    """The day on which a customer was last asked, by whatever campaign."""

    customer = models.OneToOneField(
        Customer, on_delete=models.CASCADE, related_name="last_invited", primary_key=True
    )
    on = models.DateField()

    def __str__(self) -> str:
        return f"{self.on}"
