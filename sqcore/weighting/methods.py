"""The ways to weigh siblings, and the first of them: entered, equal, compared in pairs.

Expert rounds stand in `rounds.py`, what weighs by figures or by other ways in `measured.py`. More
can be registered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import isfinite
from typing import Any, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.registry import Registry
from sqcore.indicators.drafts import STEP, equal_weights
from sqcore.stats.ahp import (
    LARGEST,
    STRICT,
    USUAL,
    Aggregation,
    AhpStatus,
    GroupPriorities,
    Limits,
    Prioritisation,
    RandomIndices,
    comparison_matrix,
    group_priorities,
)

STRONGEST = 9.0
"""The end of Saaty's scale."""
SUM = Decimal(100)
NEAR = Decimal("0.5")
"""Shares in percent may miss 100 by this much: people round."""


class Needs(StrEnum):
    """What people give to a method; its page shows the form for it."""

    NOTHING = "nothing"
    SHARES = "shares"
    COMPARISONS = "comparisons"
    SCORES = "scores"
    FIGURES = "figures"
    OTHERS = "others"

    @property
    def asks_experts(self) -> bool:
        return self in (Needs.COMPARISONS, Needs.SCORES)


@dataclass(frozen=True)
class Said:
    """One expert's answers, in the method's own form, and how much they count."""

    expert_id: int
    answers: Mapping[str, Any]
    exponent: float = 1.0


@dataclass(frozen=True)
class Figures:
    """Published scores of units in a closed period: `scores` has one row a unit and one column a
    code of the basis, None where nothing is shown. `missing` are codes that no unit has."""

    period: str
    version: int
    run: int
    revision: int
    scores: tuple[tuple[float | None, ...], ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Basis:
    """What a method weighs by: the siblings' codes in order, its settings, what experts said.

    `rounds` are the summaries of closed rounds, oldest first; `figures` what was published of the
    parts; `others` what other methods propose, by key. Who calls it fills what the method needs.
    """

    codes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    rounds: tuple[Mapping[str, Any], ...] = ()
    figures: Figures | None = None
    others: "Mapping[str, Proposal]" = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """Weights by code that sum to exactly 1; or None and the reason in words.

    `facts` is JSON: what one must know to trust them. It is kept with the version.
    """

    weights: dict[str, Decimal] | None
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class WeightingMethod(Protocol):
    """A way to come to the weights of siblings. The contract:

    - `key` is stable: it is stored. `title` and `explanation` are for people.
      `caution` is what one must know before trusting it, or empty.
    - `needs` says what it weighs by: nothing, one share a sibling, comparisons or scores of
      experts, published figures, or what other methods propose.
    - `settings(given, codes)` returns what is stored of the settings, defaults filled in, as JSON;
      it raises InvalidInput with a problem a field.
    - `heard(former, said, codes)` returns an expert's stored answers with what is said now; None
      withdraws an answer. It raises InvalidInput. A method that asks no experts refuses.
    - `weigh(basis)` is a pure function of its argument. It never raises for what people may well
      give, such as too few answers: then the proposal has no weights and a reason. Codes that
      are gone from the siblings are ignored, new ones are missing.
    """

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str | Promise: ...
    @property
    def explanation(self) -> str | Promise: ...
    @property
    def caution(self) -> str | Promise: ...
    @property
    def needs(self) -> Needs: ...
    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]: ...
    def heard(
        self, former: Mapping[str, Any], said: Mapping[str, Any], codes: Sequence[str]
    ) -> dict[str, Any]: ...
    def weigh(self, basis: Basis) -> Proposal: ...


METHODS: Registry[WeightingMethod] = Registry("the methods of weighting")


def method_named(key: str) -> WeightingMethod:
    """Return the method of this key. raises: InvalidInput"""
    if key not in METHODS:
        known = ", ".join(method.key for method in METHODS)
        raise InvalidInput(
            _("There is no way to weigh called “%(key)s”; there are: %(known)s.")
            % {"key": key, "known": known}
        )
    return METHODS[key]


def exact_shares(raw: Sequence[float | Decimal]) -> list[Decimal]:
    """Return shares of the sum, in the steps in which weights are kept; they sum to exactly 1.

    raises: InvalidInput unless all are at least 0 and one is more

    >>> [str(share) for share in exact_shares([1, 1, 1])]
    ['0.333333333334', '0.333333333333', '0.333333333333']
    """
    exact = [value if isinstance(value, Decimal) else Decimal(repr(float(value))) for value in raw]
    total = sum(exact, Decimal(0))
    if not total.is_finite() or total <= 0 or min(exact) < 0:
        raise InvalidInput(_("Shares must not be negative, and not all 0."))
    whole = int(1 / STEP)
    parts = [value / total * whole for value in exact]
    steps = [int(part) for part in parts]
    rests = sorted(range(len(parts)), key=lambda at: (steps[at] - parts[at], at))
    for at in rests[: whole - sum(steps)]:
        steps[at] += 1
    return [STEP * step for step in steps]


class AsksNobody:
    """What methods share that no expert is asked for."""

    caution: str | Promise = ""

    def heard(
        self, former: Mapping[str, Any], said: Mapping[str, Any], codes: Sequence[str]
    ) -> dict[str, Any]:
        raise InvalidInput(_("This way to weigh asks no experts."))


class DirectWeights(AsksNobody):
    """Shares that people enter."""

    key = "direct"
    title = gettext_lazy("Entered directly")
    explanation = gettext_lazy("You say what share each part has.")
    needs = Needs.SHARES

    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        shares, problems = {}, []
        raw = given.get("shares")
        entered = raw if isinstance(raw, Mapping) else {}
        for code in codes:
            try:
                share = Decimal(str(entered.get(code, "")))
            except InvalidOperation:
                share = Decimal("NaN")
            if not share.is_finite() or not 0 <= share <= SUM:
                problems.append(Problem(_("must be a number from 0 to 100"), field=code))
            shares[code] = str(share)
        problems += [
            Problem(_("is not among the parts"), field=str(code))
            for code in entered
            if code not in codes
        ]
        if not problems:
            total = sum(map(Decimal, shares.values()), Decimal(0))
            if abs(total - SUM) > NEAR:
                problems.append(
                    Problem(_("The shares sum to %(total)s, not to 100.") % {"total": f"{total:f}"})
                )
        if problems:
            raise InvalidInput(_("These shares cannot be weights."), problems=problems)
        return {"shares": shares}

    def weigh(self, basis: Basis) -> Proposal:
        shares = basis.settings.get("shares", {})
        if not shares:
            return Proposal(None, _("Nobody has entered shares yet."))
        if set(shares) != set(basis.codes):
            return Proposal(None, _("The shares were entered for other parts. Enter them anew."))
        exact = exact_shares([Decimal(shares[code]) for code in basis.codes])
        return Proposal(dict(zip(basis.codes, exact, strict=True)))


class EqualWeights(AsksNobody):
    """The same share for each."""

    key = "equal"
    title = gettext_lazy("All equal")
    explanation = gettext_lazy("Each part has the same share.")
    needs = Needs.NOTHING

    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        return {}

    def weigh(self, basis: Basis) -> Proposal:
        return Proposal(dict(zip(basis.codes, equal_weights(len(basis.codes)), strict=True)))


def pair_key(first: str, second: str) -> str:
    """Return the key of an answer: how many times as much `first` matters as `second`."""
    return f"{first}:{second}"


class PairWeights:
    """AHP: experts compare in pairs. docs/methods/ahp.md

    An answer is `{"a:b": 3}`: a matters three times as much as b; 1/9 to 9. It is stored in the
    direction in which it is at least 1.
    """

    key = "ahp"
    title = gettext_lazy("Compared in pairs (AHP)")
    explanation = gettext_lazy(
        "Experts say of every two parts which matters more, and how much. Contradictions show."
    )
    caution = ""
    needs = Needs.COMPARISONS

    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        problems: list[Problem] = []
        found = {
            "prioritisation": choice_in(given, "prioritisation", Prioritisation, problems),
            "aggregation": choice_in(given, "aggregation", Aggregation, problems),
            "indices": choice_in(given, "indices", RandomIndices, problems),
            "strict": bool(given.get("strict", False)),
        }
        above = given.get("leave_out_above", USUAL.usual)
        if above is not None:
            try:
                above = float(above)
            except (TypeError, ValueError):
                above = -1.0
            if not 0 < above <= 1:
                problems.append(Problem(_("must lie between 0 and 1"), field="leave_out_above"))
        if problems:
            raise InvalidInput(_("These settings cannot be."), problems=problems)
        return {**found, "leave_out_above": above}

    def heard(
        self, former: Mapping[str, Any], said: Mapping[str, Any], codes: Sequence[str]
    ) -> dict[str, Any]:
        if len(codes) > LARGEST:
            raise InvalidInput(
                _("No more than %(most)d parts can be compared in pairs.") % {"most": LARGEST}
            )
        kept = dict(former)
        problems = []
        seen: set[frozenset[str]] = set()
        for key, value in said.items():
            first, _colon, second = str(key).partition(":")
            pair = frozenset((first, second))
            if first == second or not pair <= set(codes):
                problems.append(Problem(_("is no pair of these parts"), field=str(key)))
            elif pair in seen:
                problems.append(Problem(_("is said twice"), field=str(key)))
            elif value is not None and not _is_on_scale(value):
                problems.append(Problem(_("must lie between 1/9 and 9"), field=str(key)))
            seen.add(pair)
            kept.pop(pair_key(first, second), None)
            kept.pop(pair_key(second, first), None)
            if not problems and value is not None:
                strong = float(value)
                turned = strong < 1
                kept[pair_key(second, first) if turned else pair_key(first, second)] = (
                    1 / strong if turned else strong
                )
        if problems:
            raise InvalidInput(_("These comparisons cannot be kept."), problems=problems)
        return kept

    def weigh(self, basis: Basis) -> Proposal:
        if len(basis.codes) < 2:
            return EqualWeights().weigh(basis)
        if len(basis.codes) > LARGEST:
            return Proposal(None, _("These are too many parts to compare in pairs."))
        if not basis.said:
            return Proposal(None, _("Nobody has compared yet."))
        found = self.look(basis)
        together = found.together
        settings = self.settings(basis.settings, basis.codes)
        consistency = together.consistency
        facts = {
            "prioritisation": settings["prioritisation"],
            "aggregation": settings["aggregation"],
            "experts": int(found.kept.sum()),
            "left_out": int((~found.kept).sum()),
            "given": together.given,
            "possible": together.possible,
            "limit": self.limits(basis).of(len(basis.codes)),
        }
        if consistency is None:
            return Proposal(None, str(_REASONS[together.status]), facts)
        ri = consistency.ri
        facts |= {
            "lambda_max": consistency.lambda_max,
            "ci": consistency.ci,
            "cr": consistency.cr,
            "ri": ri.value if ri else None,
            "ri_of": ri.name.value if ri else None,
        }
        exact = exact_shares(together.weights.tolist())
        return Proposal(dict(zip(basis.codes, exact, strict=True)), facts=facts)

    def look(self, basis: Basis) -> GroupPriorities:
        """Return everything about the experts' judgements, theirs in the order of the basis."""
        settings = self.settings(basis.settings, basis.codes)
        place = {code: at for at, code in enumerate(basis.codes)}
        matrices = []
        for one in basis.said:
            pairs = {}
            for key, value in one.answers.items():
                first, _colon, second = key.partition(":")
                if first in place and second in place:
                    pairs[place[first], place[second]] = float(value)
            matrices.append(comparison_matrix(pairs, len(basis.codes)))
        powers = [one.exponent for one in basis.said]
        return group_priorities(
            matrices,
            exponents=powers if any(powers) else None,
            aggregation=Aggregation(settings["aggregation"]),
            method=Prioritisation(settings["prioritisation"]),
            indices=RandomIndices(settings["indices"]),
            leave_out_above=settings["leave_out_above"],
        )

    def limits(self, basis: Basis) -> Limits:
        """Return up to which ratio judgements count as consistent here."""
        return STRICT if basis.settings.get("strict") else USUAL


_REASONS = {
    AhpStatus.NOT_CONNECTED: gettext_lazy("The comparisons do not link all parts yet."),
    AhpStatus.NOBODY_LEFT: gettext_lazy(
        "No expert is left whose comparisons link all parts and are consistent enough."
    ),
}


def choice_in(
    given: Mapping[str, Any], name: str, choices: type[StrEnum], problems: list[Problem]
) -> str:
    """Return which of the choices is given, the first unless told; else note a problem."""
    first = next(iter(choices)).value
    value = given.get(name, first)
    if value not in set(choices):
        problems.append(Problem(_("is not among the choices"), field=name))
    return str(value)


def _is_on_scale(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    number = float(value)
    return isfinite(number) and 1 / STRONGEST - 1e-9 <= number <= STRONGEST + 1e-9
