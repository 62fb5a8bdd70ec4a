"""Reading invitations: candidates of a plan, whom a link is of, who is in the crowd."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from sqcore.base.errors import NotFound
from sqcore.encounters.models import Encounter
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Unit
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
from surveys.invitations.rates import Rate, rate_by_steps, without_the_only_secret
from surveys.invitations.sampling import Candidate, Draw, Fate, Rules, UnitWeek, monday_of
from surveys.responses.models import Response

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


# ---- What is seen of a campaign's invitations ----------------------------------------------------


@dataclass(frozen=True)
class RateRow:
    name: str
    rate: Rate | None


@dataclass(frozen=True)
class Rates:
    """Who answered of the invited: in all and by channel for who sees everything, and by unit."""

    in_all: Rate | None
    units: list[RateRow]
    channels: list[RateRow]
    sees_all: bool
    least: int


Part = tuple[int, int | None, date]
"""Unit, channel and the Monday of a week."""


def rates_of(campaign: Campaign, *, principal: Principal, today: date) -> Rates:
    """Return the rates of the weeks that are over, of the units that who asks may see."""
    least, this_week = organisation().smallest_group, monday_of(today)
    scope = principal.scope(Permission.VIEW_RESULTS)
    sees_all = scope.everywhere or principal.may(Permission.MANAGE_SURVEYS)
    links = Invitation.objects.filter(campaign=campaign, withdrawn_at=None)
    invited = _by_part(links, "invited_on", this_week)
    answers = Response.objects.counted().filter(campaign=campaign, origin=Response.Origin.INVITED)
    answered = _by_part(answers, "answered_on", this_week)
    by_unit = _rates_by(invited, answered, least, lambda part: part[0])
    by_channel = _rates_by(invited, answered, least, lambda part: part[1] or 0)
    units = Unit.objects.filter(pk__in=by_unit).order_by("code")
    channels = Channel.objects.filter(pk__in=by_channel).order_by("position", "id")
    return Rates(
        in_all=_rates_by(invited, answered, least, lambda _part: 0).get(0) if sees_all else None,
        units=[
            RateRow(str(unit), by_unit[unit.pk]) for unit in units if sees_all or unit.pk in scope
        ],
        channels=[RateRow(str(one), by_channel[one.pk]) for one in channels] if sees_all else [],
        sees_all=sees_all,
        least=least,
    )


def _by_part(rows: QuerySet[Any], day: str, before: date) -> Counter[Part]:
    counted = (
        rows.filter(**{f"{day}__lt": before})
        .values_list("unit_id", "channel_id", day)
        .annotate(count=Count("id"))
        .order_by()
    )
    parts = Counter[Part]()
    for unit_id, channel_id, on, count in counted:
        parts[unit_id, channel_id, monday_of(on)] += count
    return parts


def _rates_by(
    invited: Counter[Part], answered: Counter[Part], least: int, key: Callable[[Part], int]
) -> dict[int, Rate | None]:
    """Return the rates of the parts into which the key sorts them, those with invitations."""
    weeks: dict[int, tuple[Counter[date], Counter[date]]] = {}
    for at, counts in enumerate((invited, answered)):
        for part, count in counts.items():
            of_key = weeks.setdefault(key(part), (Counter(), Counter()))
            of_key[at][part[2]] += count
    rates = {
        value: rate_by_steps(of_invited, of_answered, least=least)
        for value, (of_invited, of_answered) in weeks.items()
        if of_invited
    }
    return without_the_only_secret(rates)


@dataclass(frozen=True)
class State:
    """What there is of a campaign's invitations today."""

    invited: int
    open: int
    waiting: int
    withdrawn: int


def state_of(campaign: Campaign, *, today: date) -> State:
    rows = Invitation.objects.filter(campaign=campaign)
    is_open = Q(withdrawn_at=None, invited_on__lte=today, valid_until__gt=today)
    counted = rows.aggregate(
        invited=Count("id"),
        open=Count("id", filter=is_open),
        waiting=Count("id", filter=is_open & Q(handed_out_on=None)),
        withdrawn=Count("id", filter=Q(withdrawn_at__isnull=False)),
    )
    return State(**counted)


@dataclass(frozen=True)
class PlanRow:
    plan: SamplingPlan
    is_over: bool
    is_early: bool
    drawn: dict[str, int]


def plan_rows(campaign: Campaign, *, today: date) -> list[PlanRow]:
    """Return the plans of a campaign with what each drew, the newest first; five queries."""
    plans = campaign.sampling_plans.select_related("below").prefetch_related(
        "channels", "segments", "services"
    )
    names = ("invited", "not_sampled", "recent", "full", "unknown", "too_old")
    sums = {name: Coalesce(Sum(f"drawings__{name}"), 0) for name in names}
    rows = campaign.sampling_plans.annotate(**sums).values_list("pk", *names)
    counts = {pk: dict(zip(names, drawn, strict=True)) for pk, *drawn in rows}
    return [
        PlanRow(
            plan=plan,
            is_over=plan.ends_on is not None and plan.ends_on <= today,
            is_early=plan.starts_on > today,
            drawn=counts[plan.pk],
        )
        for plan in plans.order_by("-starts_on")
    ]


@dataclass(frozen=True)
class Preview:
    """What a plan would have made of the last days, had it drawn then."""

    days: int
    looked_at: int
    fates: dict[str, int]


PREVIEWED = 28
MOST_PREVIEWED = 200_000


def preview_of(
    *, rules: Rules, reach: Reach, campaign: Campaign, delay_h: int, today: date
) -> Preview:
    """Try the rules on the encounters of the last four weeks (of the last one, if these are very
    many). Whom campaigns asked since then is not counted against them."""
    days = PREVIEWED
    found = reach.encounters().filter(on__gte=today - timedelta(days=days), on__lt=today)
    if found.count() > MOST_PREVIEWED:
        days = 7
        found = found.filter(on__gte=today - timedelta(days=days))
    asked = LastInvited.objects.filter(on__lt=today - timedelta(days=days))
    recent = asked.filter(on__gt=today - timedelta(days=days + rules.recontact_days))
    draw = Draw(rules, asked=dict(recent.values_list("customer_id", "on")))
    later = timedelta(hours=delay_h)
    filled = 0
    for monday, week in groupby(candidates_of(found, campaign.code), lambda one: monday_of(one.on)):
        left: list[Candidate] = []
        for on, of_day in groupby(week, lambda one: one.on):
            left += draw.decide(of_day, invited_on=on + later)
        before = len(draw.invited)
        draw.fill_up(left, invited_on=monday + timedelta(days=7) + later)
        filled += len(draw.invited) - before
    looked_at = sum(draw.fates.values()) - filled
    draw.fates[Fate.NOT_SAMPLED] -= filled
    return Preview(days, looked_at, {fate.value: draw.fates[fate] for fate in Fate})
