"""Goals of a draft and the screening of what it might measure. A published version keeps both."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.base.text import TranslatedText, in_language
from sqcore.identity.principals import Principal
from sqcore.indicators.drafts import locked_draft, note, save
from sqcore.indicators.models import Dimension, Indicator, SystemVersion, WeightedIndicator
from sqcore.publication.models import Candidate, Goal, Rating

CRITERIA = ("important", "operable", "consistent", "complete", "dynamic")
LEAST, MOST = 1, 5
LONGEST_REASON = 300


@transaction.atomic
def add_goal(
    *,
    version: SystemVersion,
    text: TranslatedText,
    by: Principal,
    now: datetime,
    dimension: str = "",
) -> Goal:
    """Add a goal to a draft, after the others; `dimension` is the code of the one that serves it.

    raises: Conflict when it is no draft or the goal stands there already, InvalidInput without a
    text or for an unknown dimension
    """
    draft = locked_draft(version, by)
    _require_dimension(draft, dimension)
    _require_new(text, Goal.objects.filter(version=draft))
    goal = Goal(version=draft, position=_next(Goal, draft), text=dict(text), dimension=dimension)
    save(goal, _("goal"))
    note(draft, "goal_added", by=by, now=now, goal=str(goal.key))
    return goal


@transaction.atomic
def change_goal(
    *,
    version: SystemVersion,
    key: UUID,
    text: TranslatedText,
    dimension: str,
    by: Principal,
    now: datetime,
) -> Goal:
    """Say a goal otherwise, or have another dimension serve it. raises: as `add_goal`, NotFound"""
    draft = locked_draft(version, by)
    goal = _goal(draft, key)
    _require_dimension(draft, dimension)
    _require_new(text, Goal.objects.filter(version=draft).exclude(pk=goal.pk))
    goal.text, goal.dimension = dict(text), dimension
    save(goal, _("goal"), new=False)
    note(draft, "goal_changed", by=by, now=now, goal=str(key))
    return goal


@transaction.atomic
def remove_goal(*, version: SystemVersion, key: UUID, by: Principal, now: datetime) -> None:
    """Take a goal out of a draft. raises: Conflict when it is no draft, NotFound"""
    draft = locked_draft(version, by)
    _goal(draft, key).delete()
    note(draft, "goal_removed", by=by, now=now, goal=str(key))


@transaction.atomic
def propose_candidate(
    *,
    version: SystemVersion,
    by: Principal,
    now: datetime,
    indicator: str = "",
    name: TranslatedText | None = None,
) -> Candidate:
    """Put up an indicator of the catalogue by its code, or one that only has a name yet.

    raises: Conflict when it is no draft or stands there already; InvalidInput without either
    """
    draft = locked_draft(version, by)
    found = Indicator.objects.filter(code=indicator).first() if indicator else None
    if indicator and found is None:
        raise NotFound(_("There is no indicator “%(code)s”.") % {"code": indicator})
    if found is None and not name:
        reason = _("Choose an indicator, or name one that is proposed.")
        raise InvalidInput(reason, problems=[Problem(reason, field="indicator")])
    if found is not None and Candidate.objects.filter(version=draft, indicator=found).exists():
        reason = _("“%(name)s” is a candidate already.") % {"name": found}
        raise Conflict(reason, problems=[Problem(reason, field="indicator")])
    named = Candidate.objects.filter(version=draft, indicator=None)
    if found is None and any(each.name == name for each in named):
        raise Conflict(_("“%(name)s” is a candidate already.") % {"name": in_language(name or {})})
    made = Candidate(
        version=draft,
        position=_next(Candidate, draft),
        indicator=found,
        name={} if found else dict(name or {}),
    )
    save(made, _("candidate"))
    note(draft, "candidate_proposed", by=by, now=now, code=indicator)
    return made


@transaction.atomic
def propose_placed(*, version: SystemVersion, by: Principal, now: datetime) -> int:
    """Put up all indicators that stand in a draft and are no candidates yet; return how many."""
    draft = locked_draft(version, by)
    placed = (
        WeightedIndicator.objects.filter(dimension__version=draft)
        .exclude(indicator__candidacies__version=draft)
        .order_by("dimension__position", "dimension__code", "position", "indicator__code")
        .values_list("indicator__code", flat=True)
    )
    codes = list(placed)
    for code in codes:
        propose_candidate(version=draft, indicator=code, by=by, now=now)
    return len(codes)


@transaction.atomic
def rate_candidate(
    *,
    version: SystemVersion,
    position: int,
    points: Mapping[str, int],
    by: Principal,
    now: datetime,
) -> Rating:
    """Keep what somebody holds of a candidate, 1 to 5 for each of `CRITERIA`; said again, it
    replaces what they said before.

    raises: Conflict when it is no draft, NotFound, InvalidInput naming each criterion, or when no
    person asks
    """
    draft = locked_draft(version, by)
    candidate = _candidate(draft, position)
    wrong = [
        Problem(_("must lie between 1 and 5"), field=name)
        for name in CRITERIA
        if not LEAST <= points.get(name, 0) <= MOST
    ]
    if by.user is None or wrong:
        raise InvalidInput(_("The rating is not complete."), problems=wrong)
    given = {name: points[name] for name in CRITERIA}
    rating, _made = Rating.objects.update_or_create(
        candidate=candidate, person=by.user, defaults={**given, "rated_at": now}
    )
    note(draft, "candidate_rated", by=by, now=now, position=str(position))
    return rating


@transaction.atomic
def decide_candidate(
    *,
    version: SystemVersion,
    position: int,
    keep: bool,
    reason: str,
    by: Principal,
    now: datetime,
) -> Candidate:
    """Keep a candidate or drop it, with a reason; a later decision replaces the former.

    raises: Conflict when it is no draft, NotFound, InvalidInput without a reason or a person
    """
    draft = locked_draft(version, by)
    candidate = _candidate(draft, position)
    said = " ".join(reason.split())
    if by.user is None or not 0 < len(said) <= LONGEST_REASON:
        why = _("Say why, in at most %(most)d characters.") % {"most": LONGEST_REASON}
        raise InvalidInput(why, problems=[Problem(why, field="reason")])
    candidate.decision = Candidate.Decision.KEEP if keep else Candidate.Decision.DROP
    candidate.reason, candidate.decided_by, candidate.decided_at = said, by.user, now
    candidate.save(update_fields=["decision", "reason", "decided_by", "decided_at"])
    note(draft, "candidate_decided", by=by, now=now, position=str(position), to=candidate.decision)
    return candidate


class WorkflowCompanion:
    """Goals, candidates with their ratings and decisions go along with a copied version."""

    key = "publication"

    def carry(self, *, former: SystemVersion, draft: SystemVersion, now: datetime) -> None:
        Goal.objects.bulk_create(
            Goal(
                version=draft,
                key=each.key,
                position=each.position,
                text=each.text,
                dimension=each.dimension,
            )
            for each in Goal.objects.filter(version=former).order_by("position")
        )
        candidates = Candidate.objects.filter(version=former).order_by("position")
        for each in candidates.prefetch_related("ratings"):
            ratings = sorted(each.ratings.all(), key=lambda rating: rating.person_id)
            each.pk, each.version = None, draft
            each.save(force_insert=True)
            for rating in ratings:
                rating.pk, rating.candidate = None, each
            Rating.objects.bulk_create(ratings)


def _next(model: type[models.Model], draft: SystemVersion) -> int:
    found: dict[str, Any] = model._default_manager.filter(version=draft).aggregate(
        last=Max("position")
    )
    return (found["last"] or 0) + 1


def _goal(draft: SystemVersion, key: UUID) -> Goal:
    found = Goal.objects.filter(version=draft, key=key).first()
    if found is None:
        raise NotFound(_("There is no such goal."))
    return found


def _require_new(text: TranslatedText, others: Iterable[Goal]) -> None:
    if any(each.text == text for each in others):
        raise Conflict(_("“%(goal)s” is written down already.") % {"goal": in_language(text)})


def _candidate(draft: SystemVersion, position: int) -> Candidate:
    found = Candidate.objects.filter(version=draft, position=position).first()
    if found is None:
        raise NotFound(_("There is no such candidate."))
    return found


def _require_dimension(draft: SystemVersion, code: str) -> None:
    if code and not Dimension.objects.filter(version=draft, code=code).exists():
        reason = _("The draft has no dimension “%(code)s”.") % {"code": code}
        raise InvalidInput(reason, problems=[Problem(reason, field="dimension")])
