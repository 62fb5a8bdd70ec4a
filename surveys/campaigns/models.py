"""Campaigns: an instrument version put to people, and the links that lead to it."""

import secrets
from datetime import date, datetime, timedelta
from typing import NamedTuple, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Staff, Unit
from surveys.instruments.models import InstrumentVersion


def new_token() -> str:
    """Return 132 random bits, fit for an address."""
    return secrets.token_urlsafe(17)[:22]


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def visible_to(self, principal: Principal) -> Self:
        """Who runs surveys sees all; others those with a link to one of their units or somebody
        invited from there, and who sends answers, wherever, those that were opened."""
        if principal.may(Permission.MANAGE_SURVEYS):
            return self
        scope = principal.scope(Permission.VIEW_RESULTS)
        if scope.everywhere:
            return self
        links = Link.objects.filter(unit__in=scope.units)
        invitations = Campaign.invitations.rel.related_model._default_manager.filter(
            campaign=OuterRef("pk"), unit__in=scope.units
        )
        seen = Q(pk__in=links.values("campaign_id")) | Q(Exists(invitations))
        if principal.may(Permission.SUBMIT_RESPONSES):
            seen |= ~Q(state=Campaign.State.DRAFT)
        return self.filter(seen)


class Campaign(models.Model):
    """`mode` is printed on the form and frozen at the first answer; `finest_grain` is how exactly
    the day of an answer is known (a yearly wave: year)."""

    class Mode(models.TextChoices):
        ANONYMOUS = "anonymous", _("Anonymous")
        CONFIDENTIAL = "confidential", _("Confidential")
        IDENTIFIED = "identified", _("With name")

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    code = models.SlugField(_("code"), max_length=60, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    version = models.ForeignKey(
        InstrumentVersion, on_delete=models.PROTECT, related_name="campaigns"
    )
    mode = models.CharField(_("privacy"), max_length=12, choices=Mode, default=Mode.ANONYMOUS)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.DRAFT)
    opens_on = models.DateField(_("opens"))
    closes_on = models.DateField(_("closes"), null=True, blank=True)
    finest_grain = models.CharField(
        _("day known by"), max_length=8, choices=Grain, default=Grain.DAY
    )
    created_at = models.DateTimeField(_("made"))

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_on__isnull=True) | Q(closes_on__gt=F("opens_on")),
                name="campaign_closes_after_it_opens",
            ),
            models.CheckConstraint(
                # A week belongs to no month: answers known by week could enter nothing coarser.
                condition=~Q(finest_grain="week"),
                name="campaign_grain_nests",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)

    @property
    def last_on(self) -> date | None:
        """The last day on which it takes answers."""
        return self.closes_on - timedelta(days=1) if self.closes_on else None


class Closed(models.TextChoices):
    """Why a link takes no answers now."""

    REVOKED = "revoked"
    NOT_OPENED = "not_opened"
    EARLY = "early"
    OVER = "over"


class Link(models.Model):
    """A way into a campaign for one unit (and channel, segment, person): an address, a QR code."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="links")
    token = models.CharField(max_length=22, unique=True, default=new_token)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="survey_links")
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="survey_links", null=True, blank=True
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="survey_links", null=True, blank=True
    )
    staff = models.ForeignKey(
        Staff, on_delete=models.PROTECT, related_name="survey_links", null=True, blank=True
    )
    created_at = models.DateTimeField(_("made"))
    revoked_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(
                F("campaign"),
                F("unit"),
                Coalesce(F("channel"), 0),
                Coalesce(F("segment"), 0),
                Coalesce(F("staff"), 0),
                condition=Q(revoked_at__isnull=True),
                name="link_once_a_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} at {self.unit}"

    @property
    def standing(self) -> "Standing":
        campaign = self.campaign
        return Standing(
            self.revoked_at, campaign.mode, campaign.state, campaign.opens_on, campaign.closes_on
        )

    def closed_on(self, on: date) -> Closed | None:
        """Return why no answer can come in by this link on this day; None: it can."""
        return self.standing.closed_on(on)


class Standing(NamedTuple):
    """What can change of a link and its campaign."""

    revoked_at: datetime | None
    mode: str
    state: str
    opens_on: date
    closes_on: date | None

    def closed_on(self, on: date) -> Closed | None:
        if self.revoked_at is not None:
            return Closed.REVOKED
        is_over = self.closes_on is not None and self.closes_on <= on
        if self.state == Campaign.State.CLOSED or is_over:
            return Closed.OVER
        if self.state == Campaign.State.DRAFT:
            return Closed.NOT_OPENED
        return Closed.EARLY if on < self.opens_on else None
