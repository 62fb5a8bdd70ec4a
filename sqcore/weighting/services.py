"""Weighing a group of a draft: experts judge, somebody chooses how, and applies what comes out.

Experts without an account are invited and judge by a link.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.identity.principals import Principal
from sqcore.indicators.drafts import locked_draft, set_weights
from sqcore.indicators.models import SystemVersion
from sqcore.weighting.links import address_of, digest_of, new_secret
from sqcore.weighting.methods import Needs, method_named
from sqcore.weighting.models import ExpertInvitation, ExpertRound, Judgement, WeightSet
from sqcore.weighting.queries import (
    CLOSED,
    DEFAULT_METHOD,
    Group,
    closed,
    codes_for,
    group_of,
    rounds_of,
    watched_in,
    weighting_of,
)
from sqcore.weighting.rounds import ScoreRounds

MOST = Decimal(100)
FEWEST_EXPERTS = 2
LONGEST_NAME = 100
LONGEST_DAYS = 180


@transaction.atomic
def judge(
    *,
    version: SystemVersion,
    group: str,
    answers: Mapping[str, Any],
    by: Principal,
    now: datetime,
    method: str = DEFAULT_METHOD,
) -> Judgement:
    """Keep what one expert says about a group, complete or not; answers not named stay.

    group: TOP or the code of a dimension. answers: for pairs {"a:b": 3}, a matters 3 times as much
    as b; for scores {"a": {"score": 7, "reason": "…"}}; None withdraws.
    raises: Conflict when it is no draft, NotFound, InvalidInput as the method says, or when no
    person asks
    """
    draft = locked_draft(version, by)
    if by.user is None:
        raise InvalidInput(_("Only a person can be an expert."))
    of = group_of(draft, group)
    stored = _set_of(draft, of, method_named(method).key)
    judgement = Judgement.objects.filter(weight_set=stored, method=method, expert=by.user).first()
    judgement = judgement or Judgement(weight_set=stored, method=method, expert=by.user)
    return _said(judgement, draft, of, answers, by=by, now=now)


@transaction.atomic
def judge_by_link(
    *, invitation: ExpertInvitation, answers: Mapping[str, Any], now: datetime
) -> Judgement:
    """Keep what an invited expert says; as `judge`, the link is all that they need.

    raises: Conflict when the link or the draft is closed, InvalidInput as the method says
    """
    version = SystemVersion.objects.select_for_update(of=("self",)).get(
        weight_sets__invitations=invitation
    )
    asked = ExpertInvitation.objects.select_related("weight_set").get(pk=invitation.pk)
    if why := closed(asked, version, now=now):
        raise Conflict(str(CLOSED[why]))
    of = group_of(version, asked.weight_set.group)
    judgement = Judgement.objects.filter(invitation=asked).first() or Judgement(
        weight_set=asked.weight_set, method=asked.method, invitation=asked
    )
    by = Principal(key=f"expert:{asked.pk}", name=asked.name)
    return _said(judgement, version, of, answers, by=by, now=now)


def _said(
    judgement: Judgement,
    draft: SystemVersion,
    group: Group,
    answers: Mapping[str, Any],
    *,
    by: Principal,
    now: datetime,
) -> Judgement:
    method = judgement.method
    watched = watched_in(group, judgement.weight_set.watched)
    codes = codes_for(method, group, watched)
    judgement.answers = method_named(method).heard(judgement.answers, answers, codes)
    judgement.said_at = now
    judgement.save()
    _note(draft, group, "judged", by=by, now=now, method=method, answers=len(judgement.answers))
    return judgement


@transaction.atomic
def close_round(*, version: SystemVersion, group: str, by: Principal, now: datetime) -> ExpertRound:
    """End a round of scores: all experts see its summary, and may change what they said.

    raises: Conflict when it is no draft, fewer than two experts scored all parts, or nobody
    answered since the last round; NotFound
    """
    draft = locked_draft(version, by)
    of = group_of(draft, group)
    method = ScoreRounds()
    weighting = weighting_of(draft, of, method=method.key)
    rounds = rounds_of(weighting.stored, method.key)
    if weighting.stored is None or weighting.proposal.facts.get("experts", 0) < FEWEST_EXPERTS:
        raise Conflict(
            _("A round needs at least %(n)d experts who scored all parts.") % {"n": FEWEST_EXPERTS}
        )
    if rounds and all(each.said_at <= rounds[-1].closed_at for each in weighting.experts):
        raise Conflict(_("Nobody has answered since the last round was closed."))
    closed_round = ExpertRound.objects.create(
        weight_set=weighting.stored,
        number=len(rounds) + 1,
        summary=method.summary(weighting.basis),
        closed_at=now,
        closed_by=by.user,
    )
    told = list(Judgement.objects.filter(weight_set=weighting.stored, method=method.key))
    for each in told:
        each.former = each.answers
    Judgement.objects.bulk_update(told, ["former"])
    _note(draft, of, "round_closed", by=by, now=now, number=closed_round.number)
    return closed_round


@transaction.atomic
def invite_expert(
    *,
    version: SystemVersion,
    group: str,
    method: str,
    name: str,
    days: int,
    by: Principal,
    now: datetime,
) -> tuple[ExpertInvitation, str]:
    """Invite an expert without an account; return the invitation with its address.

    The address is stored nowhere and never seen again; `renew_link` makes another one.
    raises: Conflict when it is no draft, NotFound, InvalidInput for a method that asks nobody, a
    name that is empty or invited already, or days out of range
    """
    draft = locked_draft(version, by)
    of = group_of(draft, group)
    if not method_named(method).needs.asks_experts:
        raise InvalidInput(_("This way to weigh asks no experts."))
    stored = _set_of(draft, of, method)
    problems = []
    known = " ".join(name.split())
    if not 0 < len(known) <= LONGEST_NAME:
        problems.append(Problem(_("must be a name of up to 100 letters"), field="name"))
    elif ExpertInvitation.objects.filter(
        weight_set=stored, method=method, name=known, revoked_at=None
    ).exists():
        problems.append(Problem(_("has a link already"), field="name"))
    if not 1 <= days <= LONGEST_DAYS:
        problems.append(
            Problem(_("must lie between 1 and %(most)d") % {"most": LONGEST_DAYS}, field="days")
        )
    if problems:
        raise InvalidInput(_("This expert cannot be invited."), problems=problems)
    secret = new_secret()
    invitation = ExpertInvitation.objects.create(
        weight_set=stored,
        method=method,
        name=known,
        digest=digest_of(secret),
        created_at=now,
        created_by=by.user,
        expires_at=now + timedelta(days=days),
    )
    _note(draft, of, "expert_invited", by=by, now=now, method=method, invitation=invitation.pk)
    return invitation, address_of(secret)


@transaction.atomic
def renew_link(
    *, version: SystemVersion, invitation_id: int, days: int, by: Principal, now: datetime
) -> tuple[ExpertInvitation, str]:
    """Give an invited expert another link; the former one ends. What was said stays.

    raises: as `revoke_invitation`; InvalidInput for days out of range
    """
    draft = locked_draft(version, by)
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(_("must lie between 1 and %(most)d") % {"most": LONGEST_DAYS})
    invitation = _invitation(draft, invitation_id)
    secret = new_secret()
    invitation.digest = digest_of(secret)
    invitation.expires_at = now + timedelta(days=days)
    invitation.save(update_fields=["digest", "expires_at"])
    of = group_of(draft, invitation.weight_set.group)
    _note(draft, of, "link_renewed", by=by, now=now, invitation=invitation.pk)
    return invitation, address_of(secret)


@transaction.atomic
def revoke_invitation(
    *, version: SystemVersion, invitation_id: int, by: Principal, now: datetime
) -> ExpertInvitation:
    """Withdraw an expert's link. What they said stays; let it count 0 to leave it out.

    raises: Conflict when it is no draft or was withdrawn before, NotFound
    """
    draft = locked_draft(version, by)
    invitation = _invitation(draft, invitation_id)
    invitation.revoked_at = now
    invitation.save(update_fields=["revoked_at"])
    of = group_of(draft, invitation.weight_set.group)
    _note(draft, of, "expert_withdrawn", by=by, now=now, invitation=invitation.pk)
    return invitation


def _invitation(draft: SystemVersion, invitation_id: int) -> ExpertInvitation:
    found = (
        ExpertInvitation.objects.select_related("weight_set")
        .filter(pk=invitation_id, weight_set__version=draft)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such invitation."))
    if found.revoked_at is not None:
        raise Conflict(_("This link was withdrawn before."))
    return found


@transaction.atomic
def choose_method(
    *,
    version: SystemVersion,
    group: str,
    method: str,
    by: Principal,
    now: datetime,
    settings: Mapping[str, Any] | None = None,
    exponents: Mapping[int, Decimal | float] | None = None,
    watched: Collection[str] | None = None,
) -> WeightSet:
    """Say how a group is weighed; nothing is applied yet.

    settings: what the method is told; None keeps what it was told before. For shares
        {"shares": {code: percent}}; for pairs how experts are combined: "aggregation",
        "prioritisation", "indices", "strict", "leave_out_above"
    exponents: how much an expert counts, by the id of the judgement, 0 to 100; experts not named
        stay
    watched: codes that get the weight 0; None keeps
    raises: Conflict when it is no draft, NotFound, InvalidInput naming each setting
    """
    draft = locked_draft(version, by)
    of = group_of(draft, group)
    chosen = method_named(method)
    stored = _set_of(draft, of, method)
    stored.method = method
    if watched is not None:
        stored.watched = _watched(of, watched)
    codes = codes_for(method, of, watched_in(of, stored.watched))
    told = stored.settings.get(method, {}) if settings is None else settings
    if settings is not None or chosen.needs != Needs.SHARES:
        stored.settings = {**stored.settings, method: chosen.settings(told, codes)}
    stored.save()
    _count_experts(stored, exponents or {})
    _note(draft, of, "method_chosen", by=by, now=now, method=method)
    return stored


@transaction.atomic
def apply_weights(
    *, version: SystemVersion, group: str, by: Principal, now: datetime, seen: str = ""
) -> WeightSet:
    """Write the proposed weights of a group into the draft, and keep how they came about.

    seen: the digest of the weights that whoever applies them has seen; "" does not ask
    raises: Conflict when it is no draft, there is no proposal, or it is another one by now;
    NotFound
    """
    draft = locked_draft(version, by)
    of = group_of(draft, group)
    weighting = weighting_of(draft, of)
    stored, weights = weighting.stored, weighting.weights
    if stored is None:
        raise Conflict(_("Nobody has weighed this group yet."))
    if weights is None:
        raise Conflict(
            _("There are no weights to apply: %(why)s") % {"why": weighting.proposal.reason}
        )
    if seen and seen != weighting.digest:
        raise Conflict(_("The weights have changed since you saw them. Look at them once more."))
    set_weights(
        version=draft, group=of.code, weights=weights, by=by, now=now, method=weighting.method
    )
    stored.applied = {
        "method": weighting.method,
        "weights": {code: str(weight) for code, weight in weights.items()},
        "facts": weighting.proposal.facts,
    }
    stored.applied_at, stored.applied_by = now, by.user
    stored.save(update_fields=["applied", "applied_at", "applied_by"])
    _note(
        draft,
        of,
        "applied",
        by=by,
        now=now,
        method=weighting.method,
        weights=stored.applied["weights"],
    )
    return stored


def _set_of(draft: SystemVersion, group: Group, method: str) -> WeightSet:
    """The weighting of a group, made when there is none. The draft is locked, so one is made."""
    found, _made = WeightSet.objects.get_or_create(
        version=draft, group=group.code, defaults={"method": method}
    )
    return found


def _watched(group: Group, watched: Collection[str]) -> list[str]:
    strange = sorted(set(watched) - set(group.codes))
    if strange or len(set(watched)) >= len(group.codes):
        raise InvalidInput(
            _("At least one part must have a weight."),
            problems=[
                Problem(_("It does not belong to the group."), field=code) for code in strange
            ],
        )
    return [code for code in group.codes if code in watched]


def _count_experts(stored: WeightSet, exponents: Mapping[int, Decimal | float]) -> None:
    judgements = {
        each.pk: each for each in Judgement.objects.filter(weight_set=stored, method=stored.method)
    }
    problems = []
    for judgement_id, exponent in exponents.items():
        exact = Decimal(str(exponent))
        named = f"exponent-{judgement_id}"
        if judgement_id not in judgements:
            problems.append(Problem(_("has not judged"), field=named))
        elif not exact.is_finite() or not 0 <= exact <= MOST:
            problems.append(Problem(_("must be a number from 0 to 100"), field=named))
        else:
            judgements[judgement_id].exponent = exact.quantize(Decimal("0.01"))
    if judgements and not any(each.exponent for each in judgements.values()):
        problems.append(Problem(_("Somebody must count for more than 0.")))
    if problems:
        raise InvalidInput(_("The experts cannot count like this."), problems=problems)
    Judgement.objects.bulk_update([judgements[each] for each in exponents], ["exponent"])


def _note(
    draft: SystemVersion, group: Group, act: str, *, by: Principal, now: datetime, **details: Any
) -> None:
    record(
        action=f"weighting.{act}",
        subject=f"system_version:{draft.pk}",
        by=by,
        now=now,
        details={"group": group.code, **details},
    )
