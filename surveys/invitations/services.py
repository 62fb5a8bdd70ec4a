"""Inviting after service encounters, and taking the answers that come by invitation.

A bulk replay goes `draw_invitations` and then `submit_invited`, a day or a week at a time.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.prepared import PreparedInsert
from sqcore.encounters.models import Encounter, Service
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import local_day
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import codebook_of
from surveys.invitations.crowd import Context, Crowd
from surveys.invitations.links import spent_digest
from surveys.invitations.models import (
    Drawing,
    Invitation,
    LastInvited,
    SamplingPlan,
    SpentLink,
    new_ref,
)
from surveys.invitations.queries import (
    SQL_LIST,
    Preview,
    Reach,
    candidates_of,
    closed_on,
    crowd_of,
    invited_by_week,
    is_spent,
    last_asked,
    midnight,
    not_invited,
    plans_in_force,
    preview_of,
    rules_of,
    spent_among,
    staff_of,
    standing_of,
    units_below,
)
from surveys.invitations.sampling import Candidate, Draw, Fate, Rules, monday_of
from surveys.responses.models import Response
from surveys.responses.services import (
    NewResponse,
    NothingAnswered,
    NotTakingAnswers,
    PromiseChanged,
    add_responses,
)

DRAW_LOCK = 0x1471
"""The number of PostgreSQL's advisory lock that the one drawing holds: recontact counts over all
campaigns, so two plans cannot draw at once."""
LATE_COMMITS = timedelta(hours=1)
"""How long before the last look an encounter may be recorded that was not to be seen then."""
STRAGGLERS = timedelta(days=60)
"""How far back those are counted that came too late to be invited."""
WEEK = timedelta(days=7)
ROWS = 2000
MOST_AT_ONCE = 10_000
LONGEST = 366


# ---- Plans ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewPlan:
    """What somebody wants to sample; see `SamplingPlan` for what the fields mean."""

    share: Decimal
    starts_on: date
    ends_on: date | None = None
    below: Unit | None = None
    channels: Sequence[Channel] = ()
    segments: Sequence[Segment] = ()
    services: Sequence[Service] = ()
    least: int = 0
    most: int | None = None
    delay_h: int = 2
    oldest_days: int = 14
    valid_days: int = 14
    recontact_days: int = 90
    with_unknown: bool = True


@transaction.atomic
def make_plan(*, campaign: Campaign, new: NewPlan, by: Principal, now: datetime) -> SamplingPlan:
    """Add a sampling plan to a campaign. Locks the campaign.

    raises: InvalidInput naming each field that makes no sense, Conflict for a campaign that is
    closed or asks with names, and where another plan of it draws in the same days
    """
    by.require(Permission.MANAGE_SURVEYS)
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    _check_campaign(locked)
    if problems := plan_problems(new, campaign=locked):
        raise InvalidInput(_("The sampling plan cannot be made like this."), problems=problems)
    if other := _overlapping(locked, new):
        raise Conflict(
            _("Another plan of this campaign draws in these days; end that one first."),
            problems=[Problem(f"overlaps the plan from {other.starts_on}", field="starts_on")],
        )
    plan = SamplingPlan.objects.create(
        campaign=locked,
        created_at=now,
        below=new.below,
        **{name: getattr(new, name) for name in PLAIN_FIELDS},
    )
    for name in ("channels", "segments", "services"):
        getattr(plan, name).set(getattr(new, name))
    record(
        action="invitations.plan_made",
        subject=f"campaign:{campaign.pk}",
        by=by,
        now=now,
        details={"plan": plan.pk, "share": str(plan.share), "from": str(plan.starts_on)},
    )
    return plan


PLAIN_FIELDS = (
    "share", "starts_on", "ends_on", "least", "most", "delay_h", "oldest_days", "valid_days",
    "recontact_days", "with_unknown",
)  # fmt: skip


def plan_problems(new: NewPlan, *, campaign: Campaign) -> list[Problem]:
    """Return what is wrong with a plan by itself, each with its field."""
    found = []
    if not 0 < new.share <= 100:
        found.append(Problem(_("must be more than 0 and at most 100"), field="share"))
    if new.least < 0 or new.least > 100_000:
        found.append(Problem(_("must be 0 to 100,000"), field="least"))
    if new.most is not None and not max(new.least, 1) <= new.most <= 100_000:
        found.append(
            Problem(_("must be at least 1 and not less than the smallest number"), field="most")
        )
    if new.ends_on is not None and new.ends_on <= new.starts_on:
        found.append(Problem(_("must not be before the first day"), field="ends_on"))
    for name, longest in (("oldest_days", 60), ("valid_days", 90)):
        if not 1 <= getattr(new, name) <= longest:
            reason = _("must be 1 to %(longest)d days") % {"longest": longest}
            found.append(Problem(reason, field=name))
    if not 0 <= new.recontact_days <= 10 * LONGEST:
        found.append(Problem(_("must be 0 to 3,660 days"), field="recontact_days"))
    if not 0 <= new.delay_h <= min(24 * new.oldest_days, 24 * 60):
        found.append(
            Problem(_("must be less than the days after which nobody is asked"), field="delay_h")
        )
    is_anonymous = campaign.mode == Campaign.Mode.ANONYMOUS
    if is_anonymous and new.recontact_days < new.valid_days + WEEK.days:
        # Or the crowd behind an answer could be one customer with five open invitations.
        found.append(
            Problem(
                _("must be at least a week longer than a link is valid, as answers are anonymous"),
                field="recontact_days",
            )
        )
    return found


def try_plan(*, campaign: Campaign, new: NewPlan, by: Principal, now: datetime) -> Preview:
    """Return what a plan would have made of the last weeks; nothing is stored.

    raises: as `make_plan`, but for days that overlap
    """
    by.require(Permission.MANAGE_SURVEYS)
    _check_campaign(campaign)
    if problems := plan_problems(new, campaign=campaign):
        raise InvalidInput(_("The sampling plan cannot be made like this."), problems=problems)
    today = local_day(now)
    return preview_of(
        rules=Rules(
            float(new.share) / 100, new.least, new.most, new.recontact_days, new.with_unknown
        ),
        reach=Reach(
            units_below(new.below.pk if new.below else None, on=today),
            *(
                frozenset(one.pk for one in chosen)
                for chosen in (new.channels, new.segments, new.services)
            ),
        ),
        campaign=campaign,
        delay_h=new.delay_h,
        today=today,
    )


def _check_campaign(campaign: Campaign) -> None:
    if campaign.mode == Campaign.Mode.IDENTIFIED:
        raise Conflict(
            _(
                "Answers with names come in by REST or from a file; choose “anonymous” or "
                "“confidential” to invite by links."
            )
        )
    if campaign.state == Campaign.State.CLOSED:
        raise Conflict(_("This campaign is closed; open it again before you invite to it."))


def _overlapping(campaign: Campaign, new: NewPlan) -> SamplingPlan | None:
    for plan in campaign.sampling_plans.order_by("starts_on"):
        begins_before = new.ends_on is None or plan.starts_on < new.ends_on
        if begins_before and (plan.ends_on is None or new.starts_on < plan.ends_on):
            return plan
    return None


@transaction.atomic
def end_plan(*, plan: SamplingPlan, by: Principal, now: datetime) -> None:
    """Invite to no encounter from today on; one that has not begun is taken away.

    Links that are out stay valid. Ending one that has ended changes nothing.
    """
    by.require(Permission.MANAGE_SURVEYS)
    today = local_day(now)
    locked = SamplingPlan.objects.select_for_update().get(pk=plan.pk)
    if locked.ends_on is not None and locked.ends_on <= today:
        return
    if locked.starts_on >= today and not locked.invitations.exists():
        locked.delete()
    else:
        # A plan of today that has drawn already ends with today.
        locked.ends_on = plan.ends_on = max(today, locked.starts_on + timedelta(days=1))
        locked.save(update_fields=["ends_on"])
    record(
        action="invitations.plan_ended",
        subject=f"campaign:{plan.campaign_id}",
        by=by,
        now=now,
        details={"from": str(plan.starts_on)},
    )


# ---- Drawing -------------------------------------------------------------------------------------


@dataclass
class Drawn:
    """What came of a drawing: how many encounters of each fate, and those that came too late."""

    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    too_old: int = 0

    @property
    def invited(self) -> int:
        return self.fates[Fate.INVITED]

    def add(self, other: Mapping[Fate, int]) -> None:
        for fate, count in other.items():
            self.fates[fate] += count


def draw_all(*, now: datetime) -> int:
    """Draw for every plan of an open campaign; return how many were invited."""
    today = local_day(now)
    return sum(draw_invitations(plan=plan, now=now).invited for plan in plans_in_force(today))


def draw_invitations(*, plan: SamplingPlan, now: datetime) -> Drawn:
    """Invite after the encounters that became due, or known, since the plan last looked.

    Drawing again at the same moment invites nobody more, and whether an encounter is sampled
    depends on its key and the campaign alone. Each week is one transaction under the lock of all
    drawings. A campaign that takes no answers now draws nothing. For a replay call it with the
    story's clock, at least once in `oldest_days`.
    """
    today, drawn = local_day(now), Drawn()
    plan.refresh_from_db()
    if plan.campaign.mode == Campaign.Mode.IDENTIFIED or _takes_no_answers(plan.campaign, today):
        return drawn
    reach = Reach.of(plan, on=today)
    since = plan.looked_at
    if since is not None and since >= now:
        return drawn
    for first, end in _weeks_to_look_at(plan, today=today):
        drawn.add(_draw_week(plan, reach, first, end, since=since, now=now))
    for monday in _weeks_that_ended(plan, since=since, now=now):
        drawn.add(_fill_week(plan, reach, monday, now=now))
    drawn.too_old = _count_too_old(plan, reach, since=since, today=today)
    _keep_report(plan, drawn, now=now)
    return drawn


def _takes_no_answers(campaign: Campaign, today: date) -> bool:
    is_over = campaign.closes_on is not None and campaign.closes_on <= today
    return campaign.state != Campaign.State.OPEN or today < campaign.opens_on or is_over


def _weeks_to_look_at(plan: SamplingPlan, *, today: date) -> list[tuple[date, date]]:
    """Return the parts of weeks, each [first, end), whose encounters are not too old."""
    first = max(plan.starts_on, today - timedelta(days=plan.oldest_days))
    end = min(plan.ends_on or date.max, today + timedelta(days=1))
    found = []
    while first < end:
        until = min(monday_of(first) + WEEK, end)
        found.append((first, until))
        first = until
    return found


def _weeks_that_ended(plan: SamplingPlan, *, since: datetime | None, now: datetime) -> list[date]:
    """Return the Mondays of the weeks whose last encounter became due since the last look."""
    if plan.least == 0:
        return []
    delay = timedelta(hours=plan.delay_h)
    oldest = local_day(now) - timedelta(days=plan.oldest_days)
    monday = monday_of(max(plan.starts_on, oldest))
    found = []
    while (due := midnight(monday + WEEK) + delay) <= now:
        if since is None or due > since:
            found.append(monday)
        monday += WEEK
    return found


@transaction.atomic
def _draw_week(
    plan: SamplingPlan,
    reach: Reach,
    first: date,
    end: date,
    *,
    since: datetime | None,
    now: datetime,
) -> Mapping[Fate, int]:
    _one_draws()
    due = _due(plan, reach, now=now).filter(on__gte=first, on__lt=end)
    fresh, again = due, due.none()
    if since is not None:
        is_fresh = Q(arrived_at__gt=since - timedelta(hours=plan.delay_h)) | Q(
            recorded_at__gt=since, recorded_at__lte=now
        )
        fresh = due.filter(is_fresh)
        again = due.filter(~is_fresh, recorded_at__gt=since - LATE_COMMITS, recorded_at__lte=since)
    looked_at = list(candidates_of(fresh, plan.campaign.code))
    missed = list(candidates_of(again, plan.campaign.code))
    draw = _draw_for(plan, looked_at + missed, monday=monday_of(first))
    draw.decide(looked_at, invited_on=local_day(now))
    fates = Counter(draw.fates)
    draw.decide(missed, invited_on=local_day(now))
    # Most of these were looked at and counted the last time.
    fates[Fate.INVITED] = len(draw.invited)
    _invite(plan, draw, now=now)
    return fates


@transaction.atomic
def _fill_week(
    plan: SamplingPlan, reach: Reach, monday: date, *, now: datetime
) -> Mapping[Fate, int]:
    """Bring the units of a week up to the plan's least number, as far as there are encounters."""
    _one_draws()
    week = _due(plan, reach, now=now).filter(
        on__gte=max(monday, plan.starts_on), on__lt=min(monday + WEEK, plan.ends_on or date.max)
    )
    candidates = list(candidates_of(week, plan.campaign.code))
    draw = _draw_for(plan, candidates, monday=monday)
    draw.fill_up(candidates, invited_on=local_day(now))
    _invite(plan, draw, now=now)
    return draw.fates


def _due(plan: SamplingPlan, reach: Reach, *, now: datetime) -> QuerySet[Encounter]:
    due = reach.encounters().filter(arrived_at__lte=now - timedelta(hours=plan.delay_h))
    return not_invited(due, plan.campaign)


def _draw_for(plan: SamplingPlan, candidates: Sequence[Candidate], *, monday: date) -> Draw:
    customers = {one.customer_id for one in candidates if one.customer_id is not None}
    return Draw(
        rules_of(plan),
        asked=last_asked(customers),
        taken=invited_by_week(plan.campaign, first=monday, end=monday + WEEK),
    )


def _invite(plan: SamplingPlan, draw: Draw, *, now: datetime) -> None:
    today = local_day(now)
    valid_until = _valid_until(plan, today)
    _insert_invitations(plan, draw.invited, today=today, valid_until=valid_until)
    asked = {one.customer_id for one in draw.invited if one.customer_id is not None}
    LastInvited.objects.bulk_create(
        [LastInvited(customer_id=customer_id, on=today) for customer_id in sorted(asked)],
        batch_size=ROWS,
        update_conflicts=True,
        unique_fields=["customer"],
        update_fields=["on"],
    )


def _insert_invitations(
    plan: SamplingPlan, invited: Sequence[Candidate], *, today: date, valid_until: date
) -> None:
    """Insert them as the database takes them: a model of each would cost more than all the rest."""
    adapted = connections[DEFAULT_DB_ALIAS].ops.adapt_datefield_value
    same = {
        "campaign_id": plan.campaign_id,
        "plan_id": plan.pk,
        "issue": 1,
        "invited_on": adapted(today),
        "valid_until": adapted(valid_until),
        "handed_out_on": None,
        "withdrawn_at": None,
    }
    rows = [
        same
        | {
            "encounter_key": one.key,
            "ref": new_ref(),
            "unit_id": one.unit_id,
            "channel_id": one.channel_id,
            "segment_id": one.segment_id,
            "encounter_on": adapted(one.on),
        }
        for one in invited
    ]
    insert = _inserter()
    insert.insert_values([[row[name] for name in insert.names] for row in rows])


@cache
def _inserter() -> PreparedInsert:
    return PreparedInsert(Invitation)


def _valid_until(plan: SamplingPlan, today: date) -> date:
    """Return the first day on which links of today are no longer valid.

    Those of an anonymous campaign expire together, at the end of a week: the last ones of a plan
    would else stand alone.
    """
    until = today + timedelta(days=plan.valid_days)
    if plan.campaign.mode == Campaign.Mode.ANONYMOUS and until.weekday():
        return monday_of(until) + WEEK
    return until


def _count_too_old(plan: SamplingPlan, reach: Reach, *, since: datetime | None, today: date) -> int:
    """Count the encounters that became known since the last look, too late to be invited."""
    if since is None:
        return 0
    end = min(plan.ends_on or date.max, today - timedelta(days=plan.oldest_days))
    first = max(plan.starts_on, end - STRAGGLERS)
    late = reach.encounters().filter(on__gte=first, on__lt=end, recorded_at__gt=since)
    return late.count()


@transaction.atomic
def _keep_report(plan: SamplingPlan, drawn: Drawn, *, now: datetime) -> None:
    plan.looked_at = now
    plan.save(update_fields=["looked_at"])
    counts = {fate.value: count for fate, count in drawn.fates.items()}
    counts["too_old"] = drawn.too_old
    if not any(counts.values()):
        return
    row, _is_new = Drawing.objects.get_or_create(plan=plan, on=local_day(now))
    changes = {name: F(name) + count for name, count in counts.items() if count > 0}
    Drawing.objects.filter(pk=row.pk).update(**changes)


def _one_draws() -> None:
    """Wait until nobody else draws, and keep others waiting until the commit.

    Raises nothing on SQLite, where whoever writes is alone.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DRAW_LOCK])


# ---- Links: handed out, withdrawn ----------------------------------------------------------------


@transaction.atomic
def hand_out(
    *, campaign: Campaign, encounter_keys: Sequence[str], by: Principal, now: datetime
) -> int:
    """Note that these invitations left the house; return how many are noted now.

    The first day stays; a repeat changes nothing. raises: NotPermitted; InvalidInput naming each
    row whose invitation there is not, or not for who asks
    """
    invitations = _visible(campaign, by)
    asked = list(dict.fromkeys(encounter_keys))
    if not 1 <= len(encounter_keys) <= MOST_AT_ONCE:
        reason = _("name 1 to %(most)d at once") % {"most": MOST_AT_ONCE}
        raise InvalidInput(_("Nothing was noted."), problems=[Problem(reason, field="encounters")])
    there = {
        key
        for part in _parts(asked)
        for key in invitations.filter(encounter_key__in=part).values_list(
            "encounter_key", flat=True
        )
    }
    problems = [
        Problem("there is no invitation of this encounter", field="encounters", row=row)
        for row, key in enumerate(encounter_keys, start=1)
        if key not in there
    ]
    if problems:
        raise InvalidInput(_("Some invitations are not there; none was noted."), problems=problems)
    today, noted = local_day(now), 0
    for part in _parts(asked):
        fresh = invitations.filter(encounter_key__in=part, handed_out_on=None)
        noted += fresh.update(handed_out_on=today)
    if noted:
        _record_links("invitations.handed_out", campaign, noted, by=by, now=now)
    return len(asked)


@transaction.atomic
def hand_out_open(*, campaign: Campaign, by: Principal, now: datetime) -> list[Invitation]:
    """Return every open invitation of a campaign, to be sent, and note that they left the house.

    Leaves an audit row: the list says who is asked. raises: NotPermitted
    """
    by.require(Permission.MANAGE_SURVEYS)
    today = local_day(now)
    found = Invitation.objects.filter(campaign=campaign).open_on(today)
    listed = list(found.select_related("unit", "channel").order_by("encounter_on", "encounter_key"))
    found.filter(handed_out_on=None).update(handed_out_on=today)
    _record_links("invitations.exported", campaign, len(listed), by=by, now=now)
    return listed


@transaction.atomic
def withdraw_invitations(
    *,
    campaign: Campaign,
    by: Principal,
    now: datetime,
    encounter_keys: Sequence[str] | None = None,
) -> int:
    """Take open links out of use for good, all of a campaign or those of these encounters.

    Returns how many; answers that came by them stay, and doing it twice changes nothing.
    """
    by.require(Permission.MANAGE_SURVEYS)
    rows = Invitation.objects.filter(campaign=campaign, withdrawn_at=None)
    if encounter_keys is None:
        withdrawn = rows.filter(valid_until__gt=local_day(now)).update(withdrawn_at=now)
    else:
        parts = _parts(list(encounter_keys))
        withdrawn = sum(
            rows.filter(encounter_key__in=part).update(withdrawn_at=now) for part in parts
        )
    if withdrawn:
        _record_links("invitations.withdrawn", campaign, withdrawn, by=by, now=now)
    return withdrawn


def _visible(campaign: Campaign, by: Principal) -> QuerySet[Invitation]:
    if not by.may(Permission.MANAGE_SURVEYS):
        by.require(Permission.SEND_MEASUREMENTS)
    return Invitation.objects.visible_to(by).filter(campaign=campaign)


def _record_links(
    action: str, campaign: Campaign, count: int, *, by: Principal, now: datetime
) -> None:
    record(
        action=action,
        subject=f"campaign:{campaign.pk}",
        by=by,
        now=now,
        details={"invitations": count},
    )


def _parts(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + SQL_LIST] for start in range(0, len(keys), SQL_LIST))


# ---- Answers -------------------------------------------------------------------------------------


class AlreadyAnswered(Conflict):
    """The link was used before."""

    code = "already_answered"


@dataclass(frozen=True)
class InvitedAnswer:
    """What somebody answered who was invited after this encounter."""

    encounter_key: str
    answers: Mapping[str, Any]
    language: str = ""
    key: uuid.UUID = field(default_factory=uuid.uuid4)


@dataclass(frozen=True)
class Submitted:
    """What became of many answers: how many were taken, and how many not and why."""

    taken: int
    already: int
    closed: int
    not_invited: int


def submit_invitation(
    *,
    invitation: Invitation,
    key: uuid.UUID,
    promised: str,
    answers: Mapping[str, Any],
    language: str,
    now: datetime,
) -> bool:
    """Store what a respondent sent by an invitation; False when this very form is stored already.

    The link is spent by it: of two forms sent at once one is stored. Publishes and records nothing,
    as `submit_response`. raises: AlreadyAnswered, NotTakingAnswers, PromiseChanged,
    NothingAnswered, InvalidInput naming each question
    """
    campaign, on = invitation.campaign, local_day(now)
    codebook_of(campaign.version).check(answers)
    if not answers and not _is_stored(key):
        raise NothingAnswered("There is no answer yet.")
    answer = InvitedAnswer(invitation.encounter_key, answers, language, key)
    try:
        with transaction.atomic():
            _spend([invitation])
            if why := closed_on(invitation, on):
                raise NotTakingAnswers(why)
            _store(campaign, [(invitation, answer)], on=on, now=now)
            _keep_promise(invitation, promised, on=on)
    except IntegrityError as error:
        if _is_stored(key):
            return False
        if is_spent(spent_digest(campaign.pk, invitation.encounter_key)):
            raise AlreadyAnswered("This invitation was answered already.") from error
        raise
    return True


@transaction.atomic
def submit_invited(
    *, campaign: Campaign, answers: Iterable[InvitedAnswer], now: datetime
) -> Submitted:
    """Store many answers at once, each by the invitation of its encounter; for replays and files.

    Keeps every rule of the respondent's page: an invitation must be there, open on the day of `now`
    and not spent, it is spent by its answer, and what is kept follows the campaign's privacy. All
    answers are of the day of `now`. Those that cannot be taken are counted, not stored; of two for
    one encounter the first counts. 30,000 take some seconds.
    raises: NotTakingAnswers when the campaign takes no answers at all, InvalidInput for answers
    that the questionnaire does not know (nothing is stored then)
    """
    campaign.refresh_from_db(fields=["mode", "state", "opens_on", "closes_on"])
    on = local_day(now)
    if why := standing_of(campaign).closed_on(on):
        raise NotTakingAnswers(why)
    given = list(answers)
    first = {answer.encounter_key: answer for answer in reversed(given)}
    invitations = _invitations_of(campaign, list(first))
    spent = spent_among([spent_digest(campaign.pk, key) for key in invitations])
    open_ones = {
        key: one
        for key, one in invitations.items()
        if closed_on(one, on) is None and spent_digest(campaign.pk, key) not in spent
    }
    codebook = codebook_of(campaign.version)
    taken = [
        (open_ones[a.encounter_key], a) for a in first.values() if a.encounter_key in open_ones
    ]
    for _invitation, answer in taken:
        codebook.check(answer.answers)
    _spend([invitation for invitation, _answer in taken])
    _store(campaign, taken, on=on, now=now)
    already = sum(1 for key in invitations if spent_digest(campaign.pk, key) in spent)
    return Submitted(
        taken=len(taken),
        already=already + len(given) - len(first),
        closed=len(invitations) - len(open_ones) - already,
        not_invited=len(first) - len(invitations),
    )


def _invitations_of(campaign: Campaign, keys: Sequence[str]) -> dict[str, Invitation]:
    found: dict[str, Invitation] = {}
    for part in _parts(keys):
        for one in Invitation.objects.filter(campaign=campaign, encounter_key__in=part):
            one.campaign = campaign
            found[one.encounter_key] = one
    return found


def _spend(invitations: Iterable[Invitation]) -> None:
    """Mark these links as used. raises: IntegrityError when one was used already"""
    digests = (spent_digest(one.campaign_id, one.encounter_key) for one in invitations)
    # In the order of the digests: not in that of the answers.
    marks = [SpentLink(digest=digest) for digest in sorted(digests)]
    SpentLink.objects.bulk_create(marks, batch_size=ROWS)


def _store(
    campaign: Campaign,
    given: Sequence[tuple[Invitation, InvitedAnswer]],
    *,
    on: date,
    now: datetime,
) -> None:
    is_anonymous = campaign.mode == Campaign.Mode.ANONYMOUS
    told = _told_places(campaign, given, on=on) if is_anonymous else _exact_places(given)
    keys = [] if is_anonymous else [one.encounter_key for one, _answer in given]
    staff = staff_of(keys)
    add_responses(
        campaign=campaign,
        responses=[
            NewResponse(
                key=answer.key,
                answers=answer.answers,
                unit_id=place.unit_id,
                channel_id=place.channel_id,
                segment_id=place.segment_id,
                staff_id=staff.get(one.encounter_key),
                encounter_key="" if is_anonymous else one.encounter_key,
                answered_on=on,
                language=answer.language,
            )
            for (one, answer), place in zip(given, told, strict=True)
        ],
        origin=Response.Origin.INVITED,
        now=now,
    )


def _exact_places(given: Sequence[tuple[Invitation, InvitedAnswer]]) -> list[Context]:
    return [Context(one.unit_id, one.channel_id, one.segment_id) for one, _answer in given]


def _told_places(
    campaign: Campaign, given: Sequence[tuple[Invitation, InvitedAnswer]], *, on: date
) -> list[Context]:
    """Return where anonymous answers may say that they are from."""
    crowds: dict[bool, Crowd] = {}
    told = []
    for (one, _answer), exact in zip(given, _exact_places(given), strict=True):
        is_out = one.handed_out_on is not None
        if is_out not in crowds:
            crowds[is_out] = crowd_of(campaign, on=on, handed_out=is_out)
        told.append(crowds[is_out].told(exact))
    return told


def _is_stored(key: uuid.UUID) -> bool:
    return Response.objects.filter(key=key).exists()


def _keep_promise(invitation: Invitation, promised: str, *, on: date) -> None:
    """Look whether answers are taken, after this one is in and before it is committed.

    As for links: `change_mode` waits for answers that are being stored.
    raises: NotTakingAnswers, PromiseChanged
    """
    stored = Invitation.objects.select_related("campaign").get(pk=invitation.pk)
    if why := closed_on(stored, on):
        raise NotTakingAnswers(why)
    if not stored.campaign.mode == promised == invitation.campaign.mode:
        raise PromiseChanged("The privacy of this survey was changed while you answered.")


@transaction.atomic
def settle(*, least: int) -> int:
    """Store the marks of used links anew in the order of their digests; return how many.

    A database keeps rows in the order in which they came, beside answers that are in the order in
    which they came. Waits until there are at least so many, so that each is one of a crowd.
    """
    fresh = SpentLink.objects.filter(settled=False)
    digests = sorted(fresh.select_for_update().values_list("digest", flat=True))
    if len(digests) < least:
        return 0
    for part in _parts(digests):
        SpentLink.objects.filter(digest__in=part).delete()
    marks = [SpentLink(digest=digest, settled=True) for digest in digests]
    SpentLink.objects.bulk_create(marks, batch_size=ROWS)
    return len(digests)
