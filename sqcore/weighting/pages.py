"""What the pages of weighting show, in words and ready to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from sqcore.stats.ahp import GroupPriorities, Priorities, RandomIndices, Triple
from sqcore.weighting.methods import STRONGEST, Basis, PairWeights, Said, pair_key
from sqcore.weighting.queries import Expert, Group, Weighting

A_SCREEN = 10
"""So many comparisons are asked at a time."""
STRENGTHS: dict[int, str | Promise] = {
    1: gettext_lazy("equally"),
    2: gettext_lazy("between equally and moderately more"),
    3: gettext_lazy("moderately more"),
    4: gettext_lazy("between moderately and strongly more"),
    5: gettext_lazy("strongly more"),
    6: gettext_lazy("between strongly and very strongly more"),
    7: gettext_lazy("very strongly more"),
    8: gettext_lazy("between very strongly and extremely more"),
    9: gettext_lazy("extremely more"),
}
_RATIOS = {str(step): float(step) for step in STRENGTHS} | {
    str(-step): 1 / step for step in STRENGTHS
}
"""What the form sends, and the ratio that it stands for."""
INDEX_NAMES: dict[str, str | Promise] = {
    RandomIndices.SAATY.value: gettext_lazy("Saaty"),
    RandomIndices.ALONSO_LAMATA.value: gettext_lazy("Alonso and Lamata"),
}


@dataclass(frozen=True)
class Choice:
    """One step of the scale: `value` is what the form sends, + for the first, - for the second."""

    value: str
    shown: int
    words: str
    is_chosen: bool


@dataclass(frozen=True)
class Pair:
    """One question: which of two matters more, and how much."""

    number: int
    key: str
    first: str
    second: str
    toward_first: tuple[Choice, ...]
    equal: Choice
    toward_second: tuple[Choice, ...]
    is_answered: bool

    @property
    def name(self) -> str:
        return f"pair-{self.key}"


@dataclass(frozen=True)
class Screen:
    """The pairs that are asked together; `of` screens in all, `number` from 1."""

    pairs: tuple[Pair, ...]
    number: int
    of: int
    given: int
    possible: int


@dataclass(frozen=True)
class Row:
    """A part with its weight now and the proposed one, in percent; None where there is none."""

    code: str
    name: str
    now: float
    proposed: float | None
    low: float | None
    high: float | None
    is_watched: bool

    @property
    def change(self) -> float | None:
        return None if self.proposed is None else round(self.proposed - self.now, 1)


@dataclass(frozen=True)
class ConsistencyWords:
    """A consistency ratio for people, with what it was compared with."""

    text: str
    is_fine: bool
    ratio: str
    about: str


@dataclass(frozen=True)
class Contradiction:
    """The worst triple in words, and where to change it."""

    text: str
    screen: int
    anchor: str


@dataclass(frozen=True)
class Own:
    """What one expert's comparisons say."""

    given: int
    possible: int
    consistency: ConsistencyWords | None
    contradiction: Contradiction | None
    missing: str
    weights: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class ExpertRow:
    expert: Expert
    own: Own
    is_in: bool
    why_not: str


def rows_of(weighting: Weighting) -> list[Row]:
    """Return the parts with their weights; what experts' weights span where several judged."""
    weights = weighting.weights
    spans = _spans(weighting)
    return [
        Row(
            code=each.code,
            name=each.name,
            now=percent(each.weight),
            proposed=None if weights is None else percent(weights[each.code]),
            low=spans.get(each.code, (None, None))[0],
            high=spans.get(each.code, (None, None))[1],
            is_watched=each.code in weighting.watched,
        )
        for each in weighting.group.siblings
    ]


def _spans(weighting: Weighting) -> dict[str, tuple[float, float]]:
    found = look_of(weighting)
    if found is None or found.kept.sum() < 2:
        return {}
    return {
        code: (round(100 * float(low), 1), round(100 * float(high), 1))
        for code, low, high in zip(weighting.basis.codes, found.low, found.high, strict=True)
    }


def look_of(weighting: Weighting) -> GroupPriorities | None:
    """Return everything about the comparisons; None where there is nothing to look at."""
    basis = weighting.basis
    if weighting.method != PairWeights.key or not basis.said or len(basis.codes) < 2:
        return None
    if weighting.proposal.facts.get("possible") is None:
        return None
    return PairWeights().look(basis)


def expert_rows(weighting: Weighting) -> list[ExpertRow]:
    """Return the experts with what they said and whether they went in."""
    found = look_of(weighting)
    if found is None:
        return []
    shown = zip(weighting.experts, found.experts, found.kept.tolist(), strict=True)
    rows = []
    for expert, each, is_in in shown:
        own = _own(weighting, each)
        rows.append(ExpertRow(expert, own, is_in, "" if is_in else _why_not(expert, own)))
    return rows


def _why_not(expert: Expert, own: Own) -> str:
    if own.missing:
        return own.missing
    if not expert.exponent:
        return _("Counts 0.")
    return _("Contradicts too much.")


def _own(weighting: Weighting, found: Priorities) -> Own:
    group, codes = weighting.group, weighting.basis.codes
    return Own(
        given=found.given,
        possible=found.possible,
        consistency=_consistency(weighting.basis, found),
        contradiction=_contradiction(group, codes, found.worst),
        missing=_missing(group, codes, found),
        weights=tuple(
            (group.name_of(code), round(100 * float(weight), 1))
            for code, weight in zip(codes, found.weights, strict=True)
        )
        if found.ok
        else (),
    )


def _missing(group: Group, codes: Sequence[str], found: Priorities) -> str:
    if found.ok or not found.parts:
        return ""
    parts = [_and([group.name_of(codes[at]) for at in part]) for part in found.parts]
    return _("Not linked with each other yet: %(parts)s.") % {"parts": " | ".join(parts)}


def _and(names: Sequence[str]) -> str:
    return ", ".join(names)


def _consistency(basis: Basis, found: Priorities) -> ConsistencyWords | None:
    if found.consistency is None:
        return None
    limit = PairWeights().limits(basis).of(len(basis.codes))
    ri = found.consistency.ri
    return consistency_words(
        cr=found.consistency.cr,
        ri=ri.value if ri else None,
        ri_of=ri.name.value if ri else "",
        limit=limit,
        missing=found.possible - found.given,
    )


def consistency_words(
    *, cr: float, ri: float | None, ri_of: str, limit: float, missing: int = 0
) -> ConsistencyWords:
    """Say a consistency ratio with its random index and its limit."""
    if ri is None:
        text = _("Nothing was compared twice, so nothing can contradict.")
        return ConsistencyWords(text, True, floatformat(0, 2), text)
    fine = cr <= limit
    about = _("Random index %(ri)s (%(whose)s); up to %(limit)s counts as consistent.") % {
        "ri": floatformat(ri, 2),
        "whose": INDEX_NAMES.get(ri_of, ri_of),
        "limit": floatformat(limit, 2),
    }
    if missing:
        about += " " + ngettext(
            "The index is scaled down, as %(n)d comparison is missing.",
            "The index is scaled down, as %(n)d comparisons are missing.",
            missing,
        ) % {"n": missing}
    text = _("consistent") if fine else _("contradicts itself")
    return ConsistencyWords(text, fine, floatformat(cr, 3), about)


def _contradiction(
    group: Group, codes: Sequence[str], worst: Triple | None
) -> Contradiction | None:
    if worst is None:
        return None
    a, b, c = (group.name_of(codes[at]) for at in (worst.i, worst.j, worst.k))
    text = _("You said %(first)s and %(second)s, but %(third)s. What would fit: %(fits)s.") % {
        "first": _said(a, b, worst.ij),
        "second": _said(b, c, worst.jk),
        "third": _said(a, c, worst.ik),
        "fits": _said(a, c, worst.fits),
    }
    place = list(combinations(range(len(codes)), 2)).index(
        (min(worst.i, worst.k), max(worst.i, worst.k))
    )
    return Contradiction(text, place // A_SCREEN + 1, f"pair-{place + 1}")


def _said(first: str, second: str, ratio: float) -> str:
    """One comparison in words, said from whichever matters more."""
    if ratio < 1:
        first, second, ratio = second, first, 1 / ratio
    if ratio < 1.05:
        return _("%(a)s as much as %(b)s") % {"a": first, "b": second}
    if ratio > STRONGEST:
        return _("%(a)s over %(b)s 9 or more") % {"a": first, "b": second}
    shown = floatformat(ratio, 0 if abs(ratio - round(ratio)) < 0.05 else 1)
    return _("%(a)s over %(b)s %(n)s") % {"a": first, "b": second, "n": shown}


def screens_of(weighting: Weighting, answers: Mapping[str, Any]) -> list[Screen]:
    """Return all comparisons of a group, some at a time, with one expert's answers."""
    group, codes = weighting.group, weighting.basis.codes
    pairs = [
        _pair(number, group, first, second, answers)
        for number, (first, second) in enumerate(combinations(codes, 2), start=1)
    ]
    parts = [tuple(pairs[at : at + A_SCREEN]) for at in range(0, len(pairs), A_SCREEN)]
    given = sum(pair.is_answered for pair in pairs)
    return [
        Screen(part, number, len(parts), given, len(pairs))
        for number, part in enumerate(parts, start=1)
    ]


def _pair(number: int, group: Group, first: str, second: str, answers: Mapping[str, Any]) -> Pair:
    chosen = _chosen(first, second, answers)
    names = group.name_of(first), group.name_of(second)

    def choice(value: int) -> Choice:
        name, strength = (names[0] if value > 0 else names[1]), abs(value)
        words = (
            _("Both matter equally")
            if strength == 1
            else _("%(name)s matters %(strength)s")
            % {"name": name, "strength": STRENGTHS[strength]}
        )
        return Choice(str(value), strength, words, value == chosen)

    return Pair(
        number=number,
        key=pair_key(first, second),
        first=names[0],
        second=names[1],
        toward_first=tuple(choice(step) for step in range(9, 1, -1)),
        equal=choice(1),
        toward_second=tuple(choice(-step) for step in range(2, 10)),
        is_answered=chosen is not None,
    )


def _chosen(first: str, second: str, answers: Mapping[str, Any]) -> int | None:
    """The step that stands nearest to the answer: + for the first, - for the second."""
    if (value := answers.get(pair_key(first, second))) is not None:
        return max(round(float(value)), 1)
    if (value := answers.get(pair_key(second, first))) is not None:
        steps = max(round(float(value)), 1)
        return -steps if steps > 1 else 1
    return None


def screen_asked(screens: Sequence[Screen], asked: str) -> Screen:
    """Return the screen of this number, the nearest where there is none."""
    number = int(asked) if asked.isdecimal() and len(asked) < 5 else 1
    return screens[min(max(number, 1), len(screens)) - 1]


def answers_in(posted: Mapping[str, str], screen: Screen) -> dict[str, float | None]:
    """Return what was chosen on a screen: a ratio a pair, None where nothing was."""
    return {pair.key: _RATIOS.get(posted.get(pair.name, "")) for pair in screen.pairs}


def percent(weight: Decimal | float) -> float:
    """Return a weight in percent, to a tenth."""
    return round(100 * float(weight), 1)


def own_of(weighting: Weighting, expert: Expert | None) -> Own | None:
    """Return what this expert's comparisons say; None where there is nothing to say."""
    codes = weighting.basis.codes
    if expert is None or len(codes) < 2 or weighting.proposal.facts.get("possible") is None:
        return None
    alone = Basis(codes, weighting.settings, (Said(expert.id, expert.answers),))
    return _own(weighting, PairWeights().look(alone).experts[0])
