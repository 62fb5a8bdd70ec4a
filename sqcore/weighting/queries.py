"""Reading weightings: the groups of a version, what is proposed for one, how weights came about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import NotFound
from sqcore.base.periods import Period
from sqcore.base.text import in_language
from sqcore.identity.principals import Principal, system_principal
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import Dimension, SystemVersion, WeightedIndicator
from sqcore.indicators.queries import published_version
from sqcore.weighting.links import LONGEST, digest_of
from sqcore.weighting.methods import METHODS, Basis, Figures, Needs, Proposal, Said
from sqcore.weighting.models import ExpertInvitation, ExpertRound, Judgement, WeightSet
from sqcore.weighting.port import Part, published_scores

DEFAULT_METHOD = "ahp"
ALSO_TOP = "top"
"""What an address may call the group of the top dimensions."""
SAME = Decimal("0.000000001")
"""Weights that differ by less are the same: they were copied, or rounded."""


@dataclass(frozen=True)
class Sibling:
    """A dimension or an indicator in its group, with its weight now."""

    code: str
    name: str
    weight: Decimal
    is_dimension: bool


@dataclass(frozen=True)
class Group:
    """What is weighed against each other; `code` is TOP or that of the dimension around it."""

    code: str
    name: str
    siblings: tuple[Sibling, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(sibling.code for sibling in self.siblings)

    @property
    def weights(self) -> dict[str, Decimal]:
        return {sibling.code: sibling.weight for sibling in self.siblings}

    def name_of(self, code: str) -> str:
        return next((each.name for each in self.siblings if each.code == code), code)


@dataclass(frozen=True)
class Expert:
    """Somebody who was asked and said something: their answers, and how much these count.

    `id` is that of the judgement; it has a user or an invitation.
    """

    id: int
    name: str
    answers: Mapping[str, Any]
    former: Mapping[str, Any]
    exponent: Decimal
    said_at: datetime
    user_id: int | None
    invitation_id: int | None


@dataclass(frozen=True)
class Weighting:
    """A group with its method and what that proposes; `experts` are those of the method."""

    version: SystemVersion
    group: Group
    stored: WeightSet | None
    method: str
    settings: Mapping[str, Any]
    watched: tuple[str, ...]
    experts: tuple[Expert, ...]
    basis: Basis
    proposal: Proposal

    def expert_of(
        self, *, user_id: int | None = None, invitation_id: int | None = None
    ) -> Expert | None:
        """Return who has said something under this account or by this invitation."""
        return next(
            (
                each
                for each in self.experts
                if (user_id is not None and each.user_id == user_id)
                or (invitation_id is not None and each.invitation_id == invitation_id)
            ),
            None,
        )

    @property
    def is_draft(self) -> bool:
        return self.version.state == SystemVersion.State.DRAFT

    @property
    def weighed(self) -> tuple[str, ...]:
        return tuple(code for code in self.group.codes if code not in self.watched)

    @property
    def weights(self) -> dict[str, Decimal] | None:
        """What would be applied: the proposal, and 0 for what is only watched."""
        proposed = self.proposal.weights
        if proposed is None:
            return None
        return {code: proposed.get(code, Decimal(0)) for code in self.group.codes}

    @property
    def digest(self) -> str:
        """Stands for the weights that would be applied: whoever saw others agreed to others."""
        told = ";".join(f"{code}={weight}" for code, weight in sorted((self.weights or {}).items()))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Origin:
    """How the weights of a group came about; without `method` nobody wrote it down.

    `number` is the version for which that was: weights are carried on into later ones.
    """

    group: Group
    method: str = ""
    facts: Mapping[str, Any] | None = None
    number: int | None = None
    at: datetime | None = None
    by: str = ""

    @property
    def title(self) -> str:
        if not self.method:
            return _("Set in the system itself")
        return str(METHODS[self.method].title) if self.method in METHODS else self.method


def version_by_id(version_id: int, *, principal: Principal) -> SystemVersion:
    """Return the version with its system. raises: NotFound"""
    found = (
        SystemVersion.objects.visible_to(principal)
        .select_related("system")
        .filter(pk=version_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such version of an indicator system."))
    return found


def groups_of(version: SystemVersion) -> list[Group]:
    """Return the groups of a version in the order of its tree, the top first. Two queries."""
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves = (
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
    )
    inside: dict[int | None, list[Sibling]] = {}
    for leaf in leaves:
        inside.setdefault(leaf.dimension_id, []).append(
            Sibling(leaf.indicator.code, in_language(leaf.indicator.name), leaf.weight, False)
        )
    for each in dimensions:
        inside.setdefault(each.parent_id, []).append(
            Sibling(each.code, in_language(each.name), each.weight, True)
        )
    found = [Group(TOP, _("Dimensions"), tuple(inside.get(None, [])))]

    def walk(parent: int | None) -> None:
        for each in dimensions:
            if each.parent_id == parent:
                members = tuple(inside.get(each.pk, []))
                found.append(Group(each.code, in_language(each.name), members))
                walk(each.pk)

    walk(None)
    return found


def group_of(version: SystemVersion, code: str) -> Group:
    """Return one group; "top" is the top unless a dimension is called so. raises: NotFound"""
    groups = {group.code: group for group in groups_of(version)}
    found = groups.get(code) or (groups[TOP] if code == ALSO_TOP else None)
    if found is None:
        raise NotFound(_("There is no dimension “%(code)s” in this version.") % {"code": code})
    return found


def weighting_of(version: SystemVersion, group: Group, *, method: str = "") -> Weighting:
    """Return what is proposed for a group: by its own method, or by another one to look at."""
    stored = WeightSet.objects.filter(version=version, group=group.code).first()
    own = stored.method if stored else DEFAULT_METHOD
    return _weighting(version, group, stored, method if method in METHODS else own)


def _weighting(
    version: SystemVersion, group: Group, stored: WeightSet | None, method: str
) -> Weighting:
    needs = METHODS[method].needs
    settings = stored.settings.get(method, {}) if stored else {}
    watched = watched_in(group, stored.watched if stored else None)
    codes = codes_for(method, group, watched)
    experts = _experts_of(stored, method)
    others: dict[str, Proposal] = {}
    if needs == Needs.OTHERS:
        settings = METHODS[method].settings(settings, codes)
        for key in (settings["first"], settings["second"]):
            others[key] = _weighting(version, group, stored, key).proposal
    basis = Basis(
        codes=codes,
        settings=settings,
        said=tuple(Said(each.id, each.answers, float(each.exponent)) for each in experts),
        rounds=tuple(each.summary for each in rounds_of(stored, method)),
        figures=_figures(version, group, codes, settings) if needs == Needs.FIGURES else None,
        others=others,
    )
    proposal = METHODS[method].weigh(basis)
    return Weighting(version, group, stored, method, settings, watched, experts, basis, proposal)


def rounds_of(stored: WeightSet | None, method: str) -> list[ExpertRound]:
    """Return the closed rounds of a method that scores, oldest first."""
    if stored is None or METHODS[method].needs != Needs.SCORES:
        return []
    return list(
        ExpertRound.objects.filter(weight_set=stored).select_related("closed_by").order_by("number")
    )


def in_force(version: SystemVersion) -> SystemVersion | None:
    """Return the version by which the system is evaluated now; of a draft its predecessor."""
    if version.state == SystemVersion.State.PUBLISHED:
        return version
    return published_version(version.system)


def periods_with_figures(version: SystemVersion) -> list[Period]:
    """Return the closed periods evaluated by the version in force, the newest first."""
    published, now = published_scores(), in_force(version)
    return published.periods(version=now) if published and now else []


def _figures(
    version: SystemVersion, group: Group, codes: Sequence[str], settings: Mapping[str, Any]
) -> Figures | None:
    """The published scores of the group's parts, whoever looks: weights must not depend on it."""
    published, now = published_scores(), in_force(version)
    if published is None or now is None:
        return None
    asked = settings.get("period", "")
    periods = published.periods(version=now)
    period = next((each for each in periods if asked in ("", each.key)), None)
    if period is None:
        return None
    parts = [Part(each.code, each.is_dimension) for each in group.siblings if each.code in codes]
    found = published.scores(
        version=now, period=period, parts=parts, principal=system_principal("weighting")
    )
    if found is None:
        return None
    rows = tuple(unit.scores for unit in found.units)
    return Figures(
        period=period.key,
        version=now.number,
        run=found.run_id,
        revision=found.revision,
        scores=rows,
        missing=tuple(
            group.name_of(part.code)
            for at, part in enumerate(parts)
            if all(row[at] is None for row in rows)
        ),
    )


def watched_in(group: Group, chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Return what gets no weight: what was chosen, else what has none while others have."""
    zero = [each.code for each in group.siblings if each.weight == 0]
    codes = zero if chosen is None else [code for code in group.codes if code in chosen]
    return tuple(codes) if len(codes) < len(group.siblings) else ()


class Closed(StrEnum):
    """Why a link takes no answers."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DECIDED = "decided"


CLOSED: dict[Closed, str | Promise] = {
    Closed.WITHDRAWN: gettext_lazy("This invitation was withdrawn."),
    Closed.EXPIRED: gettext_lazy("The days of this invitation are over."),
    Closed.DECIDED: gettext_lazy("The weights are decided: this version is published."),
}


def invitation_by_secret(secret: str) -> ExpertInvitation:
    """Return the invitation with its version and system. raises: NotFound"""
    found = None
    if len(secret) <= LONGEST:
        found = (
            ExpertInvitation.objects.select_related("weight_set__version__system")
            .filter(digest=digest_of(secret))
            .first()
        )
    if found is None:
        raise NotFound(_("This address leads to no invitation."))
    return found


def closed(invitation: ExpertInvitation, version: SystemVersion, *, now: datetime) -> Closed | None:
    """Return why the link takes no answers, None when it does."""
    if invitation.revoked_at is not None:
        return Closed.WITHDRAWN
    if version.state != SystemVersion.State.DRAFT:
        return Closed.DECIDED
    return Closed.EXPIRED if now >= invitation.expires_at else None


def codes_for(method: str, group: Group, watched: Sequence[str]) -> tuple[str, ...]:
    """Return what the method weighs; shares are entered for all, the watched ones included."""
    leaves_out = METHODS[method].needs != Needs.SHARES
    return tuple(code for code in group.codes if not (leaves_out and code in watched))


def _experts_of(stored: WeightSet | None, method: str) -> tuple[Expert, ...]:
    if stored is None or not METHODS[method].needs.asks_experts:
        return ()
    judged = (
        Judgement.objects.filter(weight_set=stored, method=method)
        .select_related("expert", "invitation")
        .order_by("said_at", "id")
    )
    return tuple(
        Expert(
            id=each.pk,
            name=_name_of(each),
            answers=each.answers,
            former=each.former,
            exponent=each.exponent,
            said_at=each.said_at,
            user_id=each.expert_id,
            invitation_id=each.invitation_id,
        )
        for each in judged
        if each.answers
    )


def _name_of(judgement: Judgement) -> str:
    if judgement.expert is not None:
        return judgement.expert.name or judgement.expert.username
    return judgement.invitation.name if judgement.invitation else ""


def invitations_of(stored: WeightSet | None, method: str) -> list[ExpertInvitation]:
    """Return the experts who were asked by a link and are not withdrawn, by name."""
    if stored is None or not METHODS[method].needs.asks_experts:
        return []
    return list(
        ExpertInvitation.objects.filter(weight_set=stored, method=method, revoked_at=None)
        .prefetch_related("judgements")
        .order_by("name", "id")
    )


def origins_of(version: SystemVersion) -> list[Origin]:
    """Return how the weights of each group with two or more members came about. Three queries.

    What was applied counts as long as the weights are still those, also in later versions of the
    system that carried them on.
    """
    applied: dict[str, list[WeightSet]] = {}
    sets = (
        WeightSet.objects.filter(
            version__system=version.system_id,
            version__number__lte=version.number,
            applied__isnull=False,
        )
        .select_related("version", "applied_by")
        .order_by("-version__number")
    )
    for each in sets:
        applied.setdefault(each.group, []).append(each)
    return [
        _origin(group, applied.get(group.code, []))
        for group in groups_of(version)
        if len(group.siblings) > 1
    ]


def _origin(group: Group, sets: Sequence[WeightSet]) -> Origin:
    for each in sets:
        told = each.applied
        if told is not None and _are_same(told["weights"], group.weights):
            by = each.applied_by.name or each.applied_by.username if each.applied_by else ""
            return Origin(
                group, told["method"], told["facts"], each.version.number, each.applied_at, by
            )
    return Origin(group)


def _are_same(told: Mapping[str, str], weights: Mapping[str, Decimal]) -> bool:
    return set(told) == set(weights) and all(
        abs(Decimal(weight) - weights[code]) < SAME for code, weight in told.items()
    )
