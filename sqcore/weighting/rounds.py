"""Expert rounds: each scores every part, sees what all said without names, and may change it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import InvalidInput, Problem
from sqcore.stats.agreement import Agreement, Spread, delphi_settled, kendalls_w, spread
from sqcore.stats.arrays import FloatArray
from sqcore.weighting.methods import Basis, EqualWeights, Needs, Proposal, exact_shares

LEAST, MOST = 1, 10
LONGEST_REASON = 500


class ScoreRounds:
    """Experts score every part from 1 to 10, in rounds. docs/methods/expert-rounds.md

    An answer is `{"a": {"score": 7, "reason": "…"}}`; the reason may be left out.
    """

    key = "rounds"
    title = gettext_lazy("Expert rounds")
    explanation = gettext_lazy(
        "Each expert scores every part from 1 to 10. After a round all see what the others gave,"
        " without names, and may change their mind."
    )
    caution = gettext_lazy(
        "That experts agree does not say that they are right: customers were not asked."
    )
    needs = Needs.SCORES

    def settings(self, given: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        return {}

    def heard(
        self, former: Mapping[str, Any], said: Mapping[str, Any], codes: Sequence[str]
    ) -> dict[str, Any]:
        kept, problems = dict(former), []
        for code, answer in said.items():
            if code not in codes:
                problems.append(Problem(_("is not among the parts"), field=str(code)))
            elif answer is None:
                kept.pop(code, None)
            elif not isinstance(answer, Mapping) or not _is_score(answer.get("score")):
                problems.append(
                    Problem(
                        _("must be a whole number from %(least)d to %(most)d")
                        % {"least": LEAST, "most": MOST},
                        field=str(code),
                    )
                )
            else:
                # PostgreSQL stores no NUL.
                reason = " ".join(str(answer.get("reason") or "").replace("\0", " ").split())
                if len(reason) > LONGEST_REASON:
                    problems.append(
                        Problem(
                            _("The reason is longer than %(most)d characters.")
                            % {"most": LONGEST_REASON},
                            field=str(code),
                        )
                    )
                kept[code] = {"score": int(answer["score"]), "reason": reason}
        if problems:
            raise InvalidInput(_("These scores cannot be kept."), problems=problems)
        return kept

    def weigh(self, basis: Basis) -> Proposal:
        if len(basis.codes) < 2:
            return EqualWeights().weigh(basis)
        if not basis.said:
            return Proposal(None, _("Nobody has scored yet."))
        table = scores_of(basis)
        powers = np.array([one.exponent for one in basis.said])
        if not powers.any():
            powers = np.ones(len(powers))
        counts = ~np.isnan(table).any(axis=1) & (powers > 0)
        agreement, spreads = self.look(basis)
        facts = {
            "experts": int(counts.sum()),
            "left_out": int((~counts).sum()),
            "round": len(basis.rounds) + 1,
            "rounds": [
                {name: told.get(name) for name in ("number", "experts", "w", "p", "settled")}
                for told in basis.rounds
            ],
            **agreement_facts(agreement),
            "parts": parts_facts(basis.codes, spreads),
        }
        if not counts.any():
            return Proposal(None, _("No expert has scored all parts yet."), facts)
        means = powers[counts] @ table[counts] / powers[counts].sum()
        exact = exact_shares(means.tolist())
        return Proposal(dict(zip(basis.codes, exact, strict=True)), facts=facts)

    def look(self, basis: Basis) -> tuple[Agreement, tuple[Spread, ...]]:
        """Return how far those agree who scored all parts, and what they gave each part.

        Who counts 0 is not in it; how much more than others somebody counts is not, either.
        """
        table = scores_of(basis)
        powers = np.array([one.exponent for one in basis.said])
        if powers.any():
            table = table[powers > 0]
        whole = table[~np.isnan(table).any(axis=1)] if len(table) else table
        return kendalls_w(table), spread(whole)

    def summary(self, basis: Basis) -> dict[str, Any]:
        """Return what all experts are shown of a round: figures and reasons, nobody's name."""
        agreement, spreads = self.look(basis)
        before = basis.rounds[-1].get("w") if basis.rounds else None
        reasons = {
            code: sorted(
                {r for one in basis.said if (r := one.answers.get(code, {}).get("reason"))}
            )
            for code in basis.codes
        }
        parts = parts_facts(basis.codes, spreads)
        return {
            "number": len(basis.rounds) + 1,
            "experts": agreement.experts,
            **agreement_facts(agreement),
            "settled": delphi_settled(agreement, spreads, before).value,
            "parts": {code: {**parts[code], "reasons": reasons[code]} for code in basis.codes},
        }


def scores_of(basis: Basis) -> FloatArray:
    """Return the experts' scores, one row each, NaN where one left a part out."""
    table = np.full((len(basis.said), len(basis.codes)), np.nan)
    for row, one in enumerate(basis.said):
        for column, code in enumerate(basis.codes):
            if code in one.answers:
                table[row, column] = one.answers[code]["score"]
    return table


def agreement_facts(agreement: Agreement) -> dict[str, Any]:
    return {
        "w": agreement.w,
        "chi2": agreement.chi2,
        "df": agreement.df,
        "p": agreement.p,
        "p_by": agreement.p_by.value,
        "status": agreement.status.value,
    }


def parts_facts(codes: Sequence[str], spreads: Sequence[Spread]) -> dict[str, dict[str, Any]]:
    return {
        code: {
            "mean": each.mean.value,
            "low": each.mean.low,
            "high": each.mean.high,
            "n": each.mean.n,
            "median": each.median,
            "low_quartile": each.low_quartile,
            "high_quartile": each.high_quartile,
            "iqr": each.iqr,
            "cv": each.cv.value,
        }
        for code, each in zip(codes, spreads, strict=True)
    }


def _is_score(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and LEAST <= value <= MOST
