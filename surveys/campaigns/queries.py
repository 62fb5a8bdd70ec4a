"""Reading campaigns: who answers what, through which links, and how many so far."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache

from django.db.models import BigIntegerField, Count, Q, QuerySet

from sqcore.base.errors import NotFound, NotPermitted
from sqcore.base.memory import ShortMemory
from sqcore.base.prepared import Prepared, Slot
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import organisation
from surveys.campaigns.models import Campaign, Link, Standing

TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True)
class Answers:
    """How many answers there are, in whole steps of the smallest group.

    A live total that grows by one would let somebody watch a mean before and after one answer.
    """

    shown: int
    step: int

    @classmethod
    def of(cls, count: int, *, step: int) -> "Answers":
        return cls(shown=count - count % step, step=step)


@dataclass(frozen=True)
class CampaignRow:
    campaign: Campaign
    answers: Answers
    links: int
    days: "Days"


@dataclass(frozen=True)
class Days:
    """Where a campaign stands on a day: what people can do with its links."""

    is_early: bool
    is_late: bool

    @classmethod
    def of(cls, campaign: Campaign, on: date) -> "Days":
        late = campaign.closes_on is not None and campaign.closes_on <= on
        return cls(is_early=on < campaign.opens_on, is_late=late)


@dataclass(frozen=True)
class UnitRow:
    """A unit in a campaign: its links, and how many answers came from it."""

    name: str
    code: str
    links: list[Link]
    answers: Answers


def campaigns_for(principal: Principal, *, state: str = "") -> QuerySet[Campaign]:
    """Return the campaigns that who asks may see, newest first.

    raises: NotPermitted for who sees neither surveys nor results anywhere
    """
    if not (principal.may(Permission.MANAGE_SURVEYS) or principal.may(Permission.VIEW_RESULTS)):
        raise NotPermitted("Surveys are for who runs them or sees results.")
    campaigns = Campaign.objects.visible_to(principal).select_related("version__instrument")
    campaigns = campaigns.filter(state=state) if state else campaigns
    return campaigns.order_by("-opens_on", "-id")


def campaigns_running(principal: Principal, *, on: date) -> QuerySet[Campaign]:
    """Return the open campaigns whose days include this one, as `campaigns_for` does."""
    campaigns = campaigns_for(principal, state=Campaign.State.OPEN).filter(opens_on__lte=on)
    return campaigns.filter(Q(closes_on=None) | Q(closes_on__gt=on))


def campaign_rows(campaigns: Iterable[Campaign], *, on: date) -> list[CampaignRow]:
    """Return what a list says about each of these campaigns, in three queries for all.

    Both counts read one index each, none of the rows: 1 M answers in 0.2 s.
    """
    listed = list(campaigns)
    if not listed:
        return []
    ids = [campaign.pk for campaign in listed]
    step = organisation().smallest_group
    counted = dict(
        Campaign.objects.filter(pk__in=ids, responses__withdrawn=False)
        .values("pk")
        .annotate(count=Count("responses"))
        .values_list("pk", "count")
    )
    links = dict(
        Link.objects.filter(campaign__in=ids, revoked_at=None)
        .values("campaign")
        .annotate(count=Count("id"))
        .values_list("campaign", "count")
    )
    return [
        CampaignRow(
            campaign,
            Answers.of(counted.get(campaign.pk, 0), step=step),
            links.get(campaign.pk, 0),
            Days.of(campaign, on),
        )
        for campaign in listed
    ]


def campaign_named(code: str, *, principal: Principal) -> Campaign:
    """Return the campaign with this code. raises: NotFound, also when it is not for who asks."""
    campaign = campaigns_for(principal).filter(code=code).first()
    if campaign is None:
        raise NotFound("There is no such campaign, or it is not for you to see.")
    return campaign


def links_for(campaign: Campaign, *, principal: Principal) -> QuerySet[Link]:
    """Return the links in use that who asks may see, by unit and channel."""
    links = Link.objects.filter(campaign=campaign, revoked_at=None)
    if not principal.may(Permission.MANAGE_SURVEYS):
        scope = principal.scope(Permission.VIEW_RESULTS)
        links = links if scope.everywhere else links.filter(unit__in=scope.units)
    return links.select_related("unit", "channel").order_by("unit__code", "channel__position", "id")


def link_named(token: str, *, campaign: Campaign, principal: Principal) -> Link:
    """Return a link of the campaign. raises: NotFound"""
    found = links_for(campaign, principal=principal).filter(token=token)
    link = found.first() if TOKEN.fullmatch(token) else None
    if link is None:
        raise NotFound("There is no such link, or it is not for you to see.")
    return link


def unit_rows(campaign: Campaign, *, principal: Principal) -> list[UnitRow]:
    """Return the units of a campaign with their links and answers, in three queries."""
    by_unit: dict[int, list[Link]] = {}
    for link in links_for(campaign, principal=principal):
        by_unit.setdefault(link.unit_id, []).append(link)
    step = organisation().smallest_group
    counted = dict(
        Campaign.objects.filter(
            pk=campaign.pk, responses__withdrawn=False, responses__unit__in=list(by_unit)
        )
        .values("responses__unit")
        .annotate(count=Count("responses"))
        .values_list("responses__unit", "count")
    )
    return [
        UnitRow(
            name=str(links[0].unit),
            code=links[0].unit.code,
            links=links,
            answers=Answers.of(counted.get(unit_id, 0), step=step),
        )
        for unit_id, links in by_unit.items()
    ]


_answering: ShortMemory[str, Link] = ShortMemory(seconds=300, entries=5000)


def answering_link(token: str) -> Link:
    """Return the link that a respondent came by, whatever its state. raises: NotFound"""
    found = Link.objects.select_related("campaign__version__instrument").filter(token=token)
    link = found.first() if TOKEN.fullmatch(token) else None
    if link is None:
        raise NotFound("This address leads to no survey.")
    _answering.put(token, link)
    return link


def remembered_link(token: str) -> Link:
    """Return the link as it was at most five minutes ago. raises: NotFound

    Where it leads and what is asked there never change. Whether it takes answers and under which
    promise may have changed: who stores asks `standing_now`.
    """
    return _answering.get(token) or answering_link(token)


def standing_now(link: Link) -> Standing:
    """Return whether a link takes answers and under which promise, as the database has it now."""
    [row] = _standing().rows({"link": link.pk})
    return Standing(*row)


@cache
def _standing() -> Prepared:
    links = Link.objects.filter(pk=Slot("link", BigIntegerField())).order_by()
    campaign = (f"campaign__{name}" for name in ("mode", "state", "opens_on", "closes_on"))
    return Prepared(links.values_list("revoked_at", *campaign))
