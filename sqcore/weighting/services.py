"""Weighing a group of a draft: experts judge, somebody chooses how, and applies what comes out."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.identity.principals import Principal
from sqcore.indicators.drafts import locked_draft, set_weights
from sqcore.indicators.models import SystemVersion
from sqcore.weighting.methods import Needs, method_named
from sqcore.weighting.models import Judgement, WeightSet
from sqcore.weighting.queries import (
    DEFAULT_METHOD,
    Group,
    basis_of,
    group_of,
    watched_in,
    weighting_of,
)

MOST = Decimal(100)


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
    as b; None withdraws.
    raises: Conflict when it is no draft, NotFound, InvalidInput as the method says, or when no
    person asks
    """
    draft = locked_draft(version, by)
    if by.user is None:
        raise InvalidInput(_("Only a person can be an expert."))
    of = group_of(draft, group)
    asked = method_named(method)
    stored = _set_of(draft, of, method)
    judgement = Judgement.objects.filter(weight_set=stored, method=method, expert=by.user).first()
    if judgement is None:
        judgement = Judgement(weight_set=stored, method=method, expert=by.user)
    codes = basis_of(method, of, watched_in(of, stored.watched), {}, ()).codes
    judgement.answers = asked.heard(judgement.answers, answers, codes)
    judgement.said_at = now
    judgement.save()
    _note(draft, of, "judged", by=by, now=now, method=method, answers=len(judgement.answers))
    return judgement


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
    exponents: how much an expert counts, by user id, 0 to 100; experts not named stay
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
    codes = basis_of(method, of, watched_in(of, stored.watched), {}, ()).codes
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
        each.expert_id: each
        for each in Judgement.objects.filter(weight_set=stored, method=stored.method)
    }
    problems = []
    for user_id, exponent in exponents.items():
        exact = Decimal(str(exponent))
        if user_id not in judgements:
            problems.append(Problem(_("has not judged"), field=f"exponent-{user_id}"))
        elif not exact.is_finite() or not 0 <= exact <= MOST:
            problems.append(
                Problem(_("must be a number from 0 to 100"), field=f"exponent-{user_id}")
            )
        else:
            judgements[user_id].exponent = exact.quantize(Decimal("0.01"))
    if judgements and not any(each.exponent for each in judgements.values()):
        problems.append(Problem(_("Somebody must count for more than 0.")))
    if problems:
        raise InvalidInput(_("The experts cannot count like this."), problems=problems)
    Judgement.objects.bulk_update([judgements[user_id] for user_id in exponents], ["exponent"])


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
