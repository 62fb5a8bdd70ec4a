"""How effects become evidence and evidence becomes a verdict. `docs/methods/diagnosis.md` says why.

Nothing here reads the database.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from scipy import special

from sqcore.reports.evidence import Effect, Evidence, Says, Strength
from sqcore.stats.differences import Bounded, difference

METHOD = 1
"""The version of the rules below, said with every verdict."""
MATTERS = 5.0
"""Points of 100 between the goalposts from which on a difference matters."""
SHARE_MATTERS = 0.10
"""From which on the difference of two shares matters: ten of a hundred."""
FEWEST_PEERS = 3
"""Other units that a unit is compared with at the least."""
CONFIDENCE = 0.95
BY_CHANCE, ANY_BY_CHANCE = 0.008, 0.04
"""Where no unit differs: the share of lines that speak for a class, and of units with a class that
the numbers speak for, as simulated in `docs/methods/diagnosis.md`."""
ORDER = (Strength.NONE, Strength.SMALL, Strength.MODERATE, Strength.STRONG)


class Verdict(TextChoices):
    """What all evidence about a class says together."""

    FOR = "for", _("The numbers speak for it")
    AGAINST = "against", _("The numbers speak against it")
    UNCLEAR = "unclear", _("They do not tell")
    NOTHING = "nothing", _("Not enough data")
    SILENT = "silent", _("No source speaks here yet")


@dataclass(frozen=True)
class Judgement:
    """A verdict; `strength` of what speaks for it, `weight` its largest effect in multiples of what
    matters. `is_contradicted`: something small speaks for it, and something else against it."""

    verdict: Verdict
    strength: Strength = Strength.NONE
    weight: float = 0.0
    is_contradicted: bool = False


def direction(effect: Effect) -> Says:
    """Return what an effect says by its interval; without one nobody can tell.

    It speaks for the problem when it is at least as large as what matters and its interval leaves
    out 0; against it when its whole interval is less than what matters. That an effect is not
    proven is no proof that there is none.
    """
    if effect.low is None or effect.high is None:
        return Says.UNCLEAR
    if effect.low > 0 and effect.value >= effect.matters:
        return Says.FOR
    return Says.AGAINST if effect.high < effect.matters else Says.UNCLEAR


def multiple(effect: Effect | None) -> float:
    """Return an effect in multiples of what matters; a share of variance by its root, the spread.

    >>> from sqcore.reports.evidence import Measured
    >>> multiple(Effect("behind", Measured.POINTS, 12.0, 6.0, 18.0, 5.0, 63, "answers"))
    2.4
    """
    if effect is None:
        return 0.0
    ratio = effect.value / effect.matters
    if effect.measured.is_variance:
        # icc to the squared spread over the squared error: i / (1 - i).
        odds = effect.value / (1 - effect.value) / (effect.matters / (1 - effect.matters))
        return math.sqrt(max(odds, 0.0)) if effect.value < 1 else math.inf
    return ratio


def strength(effect: Effect | None) -> Strength:
    """Return how large an effect is: small from once, moderate from twice, strong from three times
    what matters."""
    times = multiple(effect)
    return ORDER[min(int(max(times + 1e-9, 0.0)), 3)]


def judge(evidence: Iterable[Evidence]) -> Judgement:
    """Return the verdict on a class.

    For it: one piece speaks for it, and more than a small effect wherever another speaks against
    it: a class has several sides, and one bad side is a problem. Against it: all that could speak
    speak against it. What is counted without an interval makes no verdict.
    """
    heard = list(evidence)
    if not heard:
        return Judgement(Verdict.SILENT)
    deciding = [each for each in heard if not each.supports_only and each.says != Says.NOTHING]
    if not deciding:
        spoke = any(each.says != Says.NOTHING for each in heard)
        return Judgement(Verdict.UNCLEAR if spoke else Verdict.NOTHING)
    fors = [each for each in deciding if each.says == Says.FOR]
    againsts = [each for each in deciding if each.says == Says.AGAINST]
    if fors:
        most = max(fors, key=lambda each: multiple(each.effect))
        found, weight = strength(most.effect), multiple(most.effect)
        if againsts and found == Strength.SMALL:
            return Judgement(Verdict.UNCLEAR, found, weight, is_contradicted=True)
        return Judgement(Verdict.FOR, found, weight)
    if len(againsts) == len(deciding):
        return Judgement(Verdict.AGAINST)
    return Judgement(Verdict.UNCLEAR)


_PLACE = {verdict: place for place, verdict in enumerate(Verdict)}
_PLACE[Verdict.UNCLEAR], _PLACE[Verdict.AGAINST] = 1, 2


def place(judgement: Judgement) -> tuple[int, float]:
    """Return where a class stands in a list by the weight of evidence; the lowest first."""
    return _PLACE[judgement.verdict], -judgement.weight


# Several looks, several units ---------------------------------------------------------------------


def level_of(looks: int) -> float:
    """Return the confidence of each of so many intervals, so that all hold together at 95 %.

    >>> level_of(1), round(level_of(3), 4)
    (0.95, 0.9833)
    """
    return 1.0 - (1.0 - CONFIDENCE) / max(looks, 1)


def widened(found: Bounded, looks: int) -> Bounded:
    """Return an interval as wide as it must be when the worst of so many is picked (Bonferroni).

    >>> widened(Bounded(5.0, 1.0, 9.0), 3).low.__round__(2)
    0.11
    """
    wider = float(special.ndtri(0.5 + level_of(looks) / 2) / special.ndtri(0.5 + CONFIDENCE / 2))
    value, low, high = found
    return Bounded(value, value - wider * (value - low), value + wider * (high - value))


def mean_of(parts: Sequence[Bounded]) -> Bounded:
    """Return the plain mean of independent figures: each unit counts once, whatever its size.

    >>> mean_of([Bounded(70.0, 66.0, 74.0), Bounded(80.0, 77.0, 83.0)])
    Bounded(value=75.0, low=72.5, high=77.5)
    """
    k = len(parts)
    value = math.fsum(part.value for part in parts) / k
    below = math.hypot(*(part.value - part.low for part in parts)) / k
    above = math.hypot(*(part.high - part.value for part in parts)) / k
    return Bounded(value, value - below, value + above)


def behind(own: Bounded, usual: Bounded) -> Bounded:
    """Return by how much the own figure is less than the usual one, with its interval."""
    return difference(usual, own)
