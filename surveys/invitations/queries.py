"""Reading invitations: candidates of a plan, whom a link is of, who is in the crowd."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from sqcore.base.errors import NotFound
from sqcore.encounters.models import Encounter
from sqcore.org.queries import organisation, tree_on
from surveys.campaigns.models import Campaign, Closed, Standing
from surveys.invitations.crowd import Context, Crowd
from surveys.invitations.links import TOKEN, is_token_of, lot_of
from surveys.invitations.models import (
    REF_LENGTH,
    Invitation,
    LastInvited,
    SamplingPlan,
    SpentLink,
)
from surveys.invitations.sampling import Candidate, Rules, UnitWeek, monday_of

AT_ONCE = 5000
SQL_LIST = 900
"""How many values one question may hold; SQLite takes a little more."""


def rules_of(plan: SamplingPlan) -> Rules:
    return Rules(
        share=float(plan.share) / 100,
        least=plan.least,
        most=plan.most,
        recontact_days=plan.recontact_days,
        with_unknown=plan.with_unknown,
    )


@dataclass(frozen=True)
class Reach:
    """Which encounters a plan is about, as ids: None means all of them."""

    units: frozenset[int] | None
    channels: frozenset[int]
    segments: frozenset[int]
    services: frozenset[int]

    @classmethod
    def of(cls, plan: SamplingPlan, *, on: date) -> "Reach":
        return cls(
            units_below(plan.below_id, on=on),
            *(
                frozenset(chosen.values_list("pk", flat=True))
                for chosen in (plan.channels, plan.segments, plan.services)
            ),
        )

    def encounters(self) -> QuerySet[Encounter]:
        found = Encounter.objects.all()
        if self.units is not None:
            found = found.filter(unit__in=self.units)
        for name in ("channels", "segments", "services"):
            if chosen := getattr(self, name):
                found = found.filter(**{f"{name[:-1]}__in": chosen})
        return found


def units_below(unit_id: int | None, *, on: date) -> frozenset[int] | None:
    """Return the unit and all below it as the tree stands on this day; None for no unit: all."""
    return None if unit_id is None else tree_on(on).within([unit_id])


def candidates_of(encounters: QuerySet[Encounter], campaign_code: str) -> Iterator[Candidate]:
    fields = ("key", "customer_id", "unit_id", "channel_id", "segment_id", "on")
    rows = encounters.order_by("on", "id").values_list(*fields)
    for key, customer_id, unit_id, channel_id, segment_id, on in rows.iterator(AT_ONCE):
        lot = lot_of(campaign_code, key)
        yield Candidate(key, customer_id, unit_id, channel_id, segment_id, on, lot)


def not_invited(encounters: QuerySet[Encounter], campaign: Campaign) -> QuerySet[Encounter]:
    invited = Invitation.objects.filter(campaign=campaign, encounter_key=OuterRef("key"))
    return encounters.filter(~Exists(invited))


def invited_by_week(campaign: Campaign, *, first: date, end: date) -> Counter[UnitWeek]:
    """Return how many encounters of [first, end) are invited, by unit and Monday of their week."""
    rows = (
        Invitation.objects.filter(campaign=campaign, encounter_on__gte=first, encounter_on__lt=end)
        .values_list("unit_id", "encounter_on")
        .annotate(count=Count("id"))
        .order_by()
    )
    counts = Counter[UnitWeek]()
    for unit_id, on, count in rows:
        counts[unit_id, monday_of(on)] += count
    return counts


def last_asked(customers: Collection[int]) -> dict[int, date]:
    """Return the day on which each of these customers was last invited, by whatever campaign."""
    found: dict[int, date] = {}
    wanted = sorted(customers)
    for start in range(0, len(wanted), SQL_LIST):
        rows = LastInvited.objects.filter(customer__in=wanted[start : start + SQL_LIST])
        found |= dict(rows.values_list("customer_id", "on"))
    return found


def midnight(on: date) -> datetime:
    """Return the moment at which this day begins where the organisation is."""
    return datetime.combine(on, time(), tzinfo=ZoneInfo(organisation().time_zone))


def invitation_of(token: str) -> Invitation:
    """Return the invitation that a respondent came by, whatever its state. raises: NotFound"""
    if TOKEN.fullmatch(token):
        found = Invitation.objects.select_related("campaign__version__instrument")
        invitation = found.filter(ref=token[:REF_LENGTH]).first()
        if invitation is not None and is_token_of(invitation, token):
            return invitation
    raise NotFound("This address leads to no survey.")


def is_spent(digest: str) -> bool:
    return SpentLink.objects.filter(digest=digest).exists()


def spent_among(digests: Collection[str]) -> set[str]:
    """Return which of these links were used."""
    wanted, found = list(digests), set[str]()
    for start in range(0, len(wanted), SQL_LIST):
        rows = SpentLink.objects.filter(digest__in=wanted[start : start + SQL_LIST])
        found.update(rows.values_list("digest", flat=True))
    return found


def standing_of(campaign: Campaign) -> Standing:
    """Return whether a campaign takes answers and under which promise, as it stands in here."""
    return Standing(None, campaign.mode, campaign.state, campaign.opens_on, campaign.closes_on)


def closed_on(invitation: Invitation, on: date) -> Closed | None:
    """Return why no answer can come in by this invitation on this day; None: it can.

    One that has expired or is not valid yet is over or early, as its campaign could be.
    """
    if invitation.withdrawn_at is not None:
        return Closed.REVOKED
    if on >= invitation.valid_until:
        return Closed.OVER
    if on < invitation.invited_on:
        return Closed.EARLY
    return standing_of(invitation.campaign).closed_on(on)


def crowd_of(campaign: Campaign, *, on: date, handed_out: bool) -> Crowd:
    """Return the invitations that an answer of this day could belong to, by unit and margins.

    With `handed_out` those alone that are known to have left the house.
    """
    open_now = Invitation.objects.filter(campaign=campaign).open_on(on)
    if handed_out:
        open_now = open_now.filter(handed_out_on__isnull=False)
    rows = (
        open_now.values_list("unit_id", "channel_id", "segment_id")
        .annotate(count=Count("id"))
        .order_by()
    )
    tree = tree_on(on)
    return Crowd(
        {Context(*place): count for *place, count in rows},
        path=tree.path,
        least=organisation().smallest_group,
    )


def staff_of(encounter_keys: Collection[str]) -> dict[str, int]:
    """Return, by encounter key, who had the encounter as their own; others are not in it."""
    found: dict[str, int] = {}
    keys = list(encounter_keys)
    for start in range(0, len(keys), SQL_LIST):
        rows = Encounter.objects.filter(key__in=keys[start : start + SQL_LIST], staff__isnull=False)
        found.update(rows.values_list("key", "staff_id"))
    return found


def plans_in_force(on: date) -> QuerySet[SamplingPlan]:
    """Return the plans that may have something to draw on this day, the oldest first."""
    late = Q(ends_on__isnull=True) | Q(ends_on__gt=on - timedelta(days=60))
    return (
        SamplingPlan.objects.filter(late, starts_on__lte=on, campaign__state=Campaign.State.OPEN)
        .select_related("campaign")
        .order_by("id")
    )
