"""The page on which an expert scores every part, and what is shown of rounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.stats.agreement import STRONG, Settling
from sqcore.weighting.models import ExpertRound
from sqcore.weighting.queries import Expert, Weighting
from sqcore.weighting.rounds import LEAST, LONGEST_REASON, MOST, ScoreRounds, scores_of

SETTLED: dict[str, str | Promise] = {
    Settling.AGREED.value: gettext_lazy("They agree: another round is not needed."),
    Settling.STEADY.value: gettext_lazy(
        "The scores lie close together and no longer move: another round is not needed."
    ),
    Settling.OPEN.value: gettext_lazy("Not settled: another round may bring them closer."),
    Settling.UNKNOWN.value: gettext_lazy(
        "Everybody scored all parts alike, so that there is no order to agree on."
    ),
}
MODERATE = 0.5
FEW = 4
"""With fewer experts everybody can guess who said what."""


@dataclass(frozen=True)
class Told:
    """What the last round said of a part: no names."""

    median: str
    low: str
    high: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """One part to score: `former` is what this expert gave in the last round."""

    number: int
    code: str
    name: str
    scores: tuple[tuple[int, bool], ...]
    chosen: int | None
    reason: str
    former: int | None
    told: Told | None

    @property
    def longest(self) -> int:
        return LONGEST_REASON


@dataclass(frozen=True)
class AgreementWords:
    """How far experts agree, for people; `is_fine` from W .7 on."""

    text: str
    is_fine: bool
    w: str
    about: str


@dataclass(frozen=True)
class PartRow:
    """What experts gave a part in all, as numbers ready to read."""

    name: str
    mean: str
    bounds: str
    median: str
    quartiles: str
    iqr: float
    cv: str
    n: int


@dataclass(frozen=True)
class ScorerRow:
    """Who scored how many parts, whether since the last round, and whether it goes in."""

    expert: Expert
    given: int
    possible: int
    is_in: bool
    is_new: bool
    is_invited: bool


@dataclass(frozen=True)
class RoundRow:
    number: int
    at: datetime
    experts: int
    agreement: AgreementWords
    settled: str


def cards_of(weighting: Weighting, expert: Expert | None) -> list[Card]:
    """Return the parts to score, with this expert's answers and what the last round said."""
    last = weighting.basis.rounds[-1] if weighting.basis.rounds else None
    return [
        _card(number, code, weighting, expert, last)
        for number, code in enumerate(weighting.basis.codes, start=1)
    ]


def _card(
    number: int,
    code: str,
    weighting: Weighting,
    expert: Expert | None,
    last: Mapping[str, Any] | None,
) -> Card:
    own = expert.answers.get(code, {}) if expert else {}
    former = expert.former.get(code, {}) if expert else {}
    part = (last or {}).get("parts", {}).get(code)
    chosen = own.get("score")
    return Card(
        number=number,
        code=code,
        name=weighting.group.name_of(code),
        scores=tuple((score, score == chosen) for score in range(LEAST, MOST + 1)),
        chosen=chosen,
        reason=own.get("reason", ""),
        former=former.get("score"),
        told=Told(
            median=floatformat(part["median"], -1),
            low=floatformat(part["low_quartile"], -1),
            high=floatformat(part["high_quartile"], -1),
            reasons=tuple(part.get("reasons", ())),
        )
        if part and part.get("median") is not None
        else None,
    )


def scores_in(posted: Mapping[str, str], cards: list[Card]) -> dict[str, dict[str, Any] | None]:
    """Return what was chosen: a score and its reason a part, None where nothing was."""
    known = {str(score): score for score in range(LEAST, MOST + 1)}
    return {
        card.code: {"score": score, "reason": posted.get(f"reason-{card.code}", "")}
        if (score := known.get(posted.get(f"score-{card.code}", "")))
        else None
        for card in cards
    }


def agreement_words(facts: Mapping[str, Any]) -> AgreementWords | None:
    """Say how far experts agree; None where fewer than two scored everything."""
    if facts.get("status") == "zero_variance":
        text = _("all parts scored alike")
        return AgreementWords(text, True, "–", str(SETTLED[Settling.UNKNOWN.value]))
    w, p = facts.get("w"), facts.get("p")
    if w is None or p is None:
        return None
    text = _("weak agreement")
    if w >= STRONG:
        text = _("strong agreement")
    elif w >= MODERATE:
        text = _("moderate agreement")
    about = _(
        "Kendall's W from 0, no common order, to 1, the same order; by chance at least this much"
        " with probability %(p)s."
    ) % {"p": _probability(p)}
    return AgreementWords(text, w >= STRONG, floatformat(w, 2), about)


def _probability(p: float) -> str:
    return _("below %(p)s") % {"p": floatformat(0.001, 3)} if p < 0.001 else floatformat(p, 3)


def part_rows(weighting: Weighting) -> list[PartRow]:
    """Return what experts gave each part, by those who scored all of them."""
    parts = weighting.proposal.facts.get("parts", {})
    return [
        _part_row(weighting.group.name_of(code), told)
        for code, told in parts.items()
        if told["mean"] is not None
    ]


def _part_row(name: str, told: Mapping[str, Any]) -> PartRow:
    bounds = ""
    if told["low"] is not None:
        bounds = _("%(low)s to %(high)s") % {
            "low": floatformat(max(told["low"], LEAST), 1),
            "high": floatformat(min(told["high"], MOST), 1),
        }
    quartiles = _("%(low)s to %(high)s") % {
        "low": floatformat(told["low_quartile"], -1),
        "high": floatformat(told["high_quartile"], -1),
    }
    cv = "" if told["cv"] is None else f"{floatformat(100 * told['cv'], 0)} %"
    return PartRow(
        name=name,
        mean=floatformat(told["mean"], 1),
        bounds=bounds,
        median=floatformat(told["median"], -1),
        quartiles=quartiles,
        iqr=told["iqr"],
        cv=cv,
        n=told["n"],
    )


def scorer_rows(weighting: Weighting, closed: list[ExpertRound]) -> list[ScorerRow]:
    """Return the experts who scored, without their scores."""
    if weighting.method != ScoreRounds.key:
        return []
    since = closed[-1].closed_at if closed else None
    possible = len(weighting.basis.codes)
    table = scores_of(weighting.basis)
    given = [int((row == row).sum()) for row in table]
    return [
        ScorerRow(
            expert=expert,
            given=count,
            possible=possible,
            is_in=count == possible and expert.exponent > 0,
            is_new=since is None or expert.said_at > since,
            is_invited=expert.invitation_id is not None,
        )
        for expert, count in zip(weighting.experts, given, strict=True)
    ]


def round_rows(closed: list[ExpertRound]) -> list[RoundRow]:
    """Return the closed rounds, oldest first."""
    return [
        RoundRow(
            number=each.number,
            at=each.closed_at,
            experts=each.summary.get("experts", 0),
            agreement=agreement_words(each.summary)
            or AgreementWords(_("not known"), False, "–", ""),
            settled=str(SETTLED.get(each.summary.get("settled", ""), "")),
        )
        for each in closed
    ]
