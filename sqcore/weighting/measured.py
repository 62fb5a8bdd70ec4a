"""Ways to weigh that ask nobody: by what was published of the units, or by two other ways."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import InvalidInput, Problem
from sqcore.stats.arrays import FloatArray
from sqcore.stats.data_weights import (
    Combination,
    DataWeights,
    combine,
    critic_weights,
    entropy_weights,
)
from sqcore.stats.results import MethodStatus
from sqcore.weighting.methods import (
    METHODS,
    AsksNobody,
    Basis,
    EqualWeights,
    Needs,
    Proposal,
    choice_in,
    exact_shares,
)

FEWEST_UNITS = 5
NEWEST = ""
"""As a period: the newest that there is when one looks."""

_REASONS = {
    MethodStatus.ZERO_VARIANCE: gettext_lazy(
        "The units hardly differ in these parts, so that their figures cannot weigh them."
    ),
    MethodStatus.SINGULAR: gettext_lazy(
        "All parts put the units into the same order, so that their figures cannot tell the parts"
        " apart."
    ),
    MethodStatus.NOT_APPLICABLE: gettext_lazy("Some scores are negative, which has no shares."),
    MethodStatus.INSUFFICIENT_N: gettext_lazy("There are too few units with figures."),
}


class FigureWeights(AsksNobody):
    """What entropy and CRITIC share: weights by the published scores of units."""

    needs = Needs.FIGURES
    caution = gettext_lazy(
        "This says which parts tell your units apart, not what matters to customers: a part in"
        " which all units are equally bad gets no weight. Use it beside other ways."
    )
    weights_of: Callable[[FloatArray], DataWeights]

    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        return {"period": str(given.get("period") or NEWEST)[:20]}

    def weigh(self, basis: Basis) -> Proposal:
        if len(basis.codes) < 2:
            return EqualWeights().weigh(basis)
        figures = basis.figures
        if figures is None:
            return Proposal(
                None,
                _("There are no published figures of a closed period by the version in force."),
            )
        facts: dict[str, Any] = {
            "period": figures.period,
            "of_version": figures.version,
            "run": figures.run,
            "revision": figures.revision,
        }
        if figures.missing:
            return Proposal(
                None,
                _("No unit has a published figure of: %(parts)s.")
                % {"parts": ", ".join(figures.missing)},
                facts,
            )
        table = np.array(figures.scores, dtype=np.float64).reshape(-1, len(basis.codes))
        found = type(self).weights_of(table)
        facts |= {"units": found.n, "units_left_out": found.left_out}
        if found.n < FEWEST_UNITS:
            return Proposal(None, _too_few(found.n), facts)
        if found.weights is None or found.status != MethodStatus.OK:
            return Proposal(None, str(_REASONS[found.status]), facts)
        facts |= {
            "spread": dict(zip(basis.codes, found.spread.tolist(), strict=True)),
            "conflict": None
            if found.conflict is None
            else dict(zip(basis.codes, found.conflict.tolist(), strict=True)),
        }
        exact = exact_shares(found.weights.tolist())
        return Proposal(dict(zip(basis.codes, exact, strict=True)), facts=facts)


def _too_few(n: int) -> str:
    return _(
        "%(n)d units have a published figure in every part; at least %(fewest)d are needed."
    ) % {"n": n, "fewest": FEWEST_UNITS}


class EntropyWeights(FigureWeights):
    """Weights by how unevenly scores are spread among units. docs/methods/data-weights.md"""

    key = "entropy"
    title = gettext_lazy("Entropy")
    explanation = gettext_lazy(
        "By published figures: a part weighs more the more unevenly units score in it."
    )
    weights_of = staticmethod(entropy_weights)


class CriticWeights(FigureWeights):
    """Weights by spread, and by how little other parts say the same."""

    key = "critic"
    title = gettext_lazy("CRITIC")
    explanation = gettext_lazy(
        "By published figures: a part weighs more the more units differ in it, and the less other"
        " parts say the same."
    )
    weights_of = staticmethod(critic_weights)


class CombinedWeights(AsksNobody):
    """Two other ways made one: by sum with a share, by product, or by its root."""

    key = "combined"
    title = gettext_lazy("Combined")
    explanation = gettext_lazy("What two other ways propose, made one.")
    caution: str | Promise = gettext_lazy(
        "What one of the two does not know, the other may: look at both first. By product, a part"
        " that one side finds unimportant loses nearly all."
    )
    needs = Needs.OTHERS

    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        problems: list[Problem] = []
        found: dict[str, Any] = {
            "first": str(given.get("first", "ahp")),
            "second": str(given.get("second", "critic")),
            "how": choice_in(given, "how", Combination, problems),
        }
        for name in ("first", "second"):
            if found[name] not in METHODS or found[name] == self.key:
                problems.append(Problem(_("is not among the choices"), field=name))
        if found["first"] == found["second"]:
            problems.append(Problem(_("must be another way than the first"), field="second"))
        try:
            theta = float(given.get("theta", 0.5))
        except (TypeError, ValueError):
            theta = -1.0
        if not 0 <= theta <= 1:
            problems.append(Problem(_("must lie between 0 and 1"), field="theta"))
        if problems:
            raise InvalidInput(_("These settings cannot be."), problems=problems)
        return {**found, "theta": theta}

    def weigh(self, basis: Basis) -> Proposal:
        settings = self.settings(basis.settings, basis.codes)
        parts: dict[str, Any] = {}
        for key in (settings["first"], settings["second"]):
            other = basis.others.get(key)
            if other is None or other.weights is None:
                why = other.reason if other else ""
                return Proposal(
                    None,
                    _("“%(title)s” proposes nothing: %(why)s")
                    % {"title": METHODS[key].title, "why": why},
                    settings,
                )
            parts[key] = {
                "weights": {code: str(weight) for code, weight in other.weights.items()},
                "facts": other.facts,
            }
        tables = [
            [float(basis.others[key].weights[code]) for code in basis.codes]  # type: ignore[index]  # none is None here
            for key in (settings["first"], settings["second"])
        ]
        if not all(any(weights) for weights in tables):
            return Proposal(None, _("One of the two weighs none of these parts."), settings)
        found = combine(*tables, how=Combination(settings["how"]), theta=settings["theta"]).weights
        facts = {**settings, "parts": parts}
        if found is None:
            return Proposal(None, _("No part has a weight in both."), facts)
        exact = exact_shares(found.tolist())
        return Proposal(dict(zip(basis.codes, exact, strict=True)), facts=facts)
