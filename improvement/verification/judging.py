"""From the points that a check keeps to its numbers and its verdict: the same every time.

What goes in is plain JSON, kept with the check, so that `judge` can be asked again years later.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from improvement.verification.models import EffectCheck, Verdict
from improvement.verification.windows import Window
from sqcore.stats.effects import (
    Effect,
    balancing_worse,
    mean_shift,
    restored,
    verdict,
)

DIGITS = 12
"""Significant digits that enter a hash: more may differ between machines."""

DATA_QUALITY = "data_quality"
CONCURRENT_CHANGE = "concurrent_change"
BALANCING_WORSE = "balancing_worse"


@dataclass(frozen=True)
class Balance:
    """What became of a balancing measure. `status` says why there is no interval."""

    code: str
    status: str
    is_worse: bool
    margin: float
    better: int
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Outcome:
    """What follows from the points. An interim one has the means and nothing more: who saw an
    interval would take it for a verdict."""

    verdict: str
    reasons: tuple[str, ...]
    confidence: float
    n_before: int
    n_after: int
    mean_before: float | None
    mean_after: float | None
    estimate: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    phi: float | None = None
    sigma: float | None = None
    smallest_detectable: float | None = None
    is_restored: bool | None = None
    grade: str = EffectCheck.Grade.D.value
    balancing: tuple[Balance, ...] = ()

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        return {
            **found,
            "reasons": list(self.reasons),
            "balancing": [asdict(each) for each in self.balancing],
        }


def judge(points: Mapping[str, Any]) -> Outcome:
    """Return what these points say (they are described at `EffectCheck.points`' maker,
    `improvement.verification.evidence`)."""
    before, after = Window.from_json(points["before"]), Window.from_json(points["after"])
    baseline = points["baseline"]
    outcome = Outcome(
        verdict="",
        reasons=(),
        confidence=points["confidence"],
        n_before=before.usable,
        n_after=after.usable,
        mean_before=before.mean,
        mean_after=after.mean,
        estimate=_difference(before, after),
        grade=(EffectCheck.Grade.C if baseline else EffectCheck.Grade.D).value,
    )
    return outcome if points["is_interim"] else _final(outcome, points, before, after)


def _final(outcome: Outcome, points: Mapping[str, Any], before: Window, after: Window) -> Outcome:
    effect = mean_shift(before.values, after.values, confidence=points["confidence"])
    found, reason = verdict(effect, better=points["better"], minimum=points["minimum"])
    balances = tuple(_balance(each, points["confidence"]) for each in points["balancing"])
    holes = before.has_too_many_holes or after.has_too_many_holes
    named, reasons = _with_doubts(
        Verdict(found.value),
        reason,
        holes=holes,
        concurrent=bool(points["concurrent"]),
        worse=any(each.is_worse for each in balances),
    )
    return replace(
        outcome,
        verdict=named.value,
        reasons=reasons,
        estimate=effect.estimate,
        low=effect.low,
        high=effect.high,
        p=effect.p,
        phi=effect.phi,
        sigma=effect.sigma,
        smallest_detectable=effect.smallest_detectable,
        is_restored=_is_restored(after, points["baseline"]),
        balancing=balances,
    )


def _with_doubts(
    found: Verdict, reason: str, *, holes: bool, concurrent: bool, worse: bool
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict with its reasons, what decides first.

    Holes and another change make every verdict inconclusive: nobody can say what the numbers owe
    to the action. A balancing measure that got worse only takes an improvement away.
    """
    doubts = [DATA_QUALITY] * holes + [CONCURRENT_CHANGE] * concurrent
    if doubts:
        found = Verdict.INCONCLUSIVE
    if worse and found == Verdict.IMPROVED:
        found, doubts = Verdict.INCONCLUSIVE, [BALANCING_WORSE]
        return found, (*doubts, reason)
    return found, (*doubts, reason, *[BALANCING_WORSE] * worse)


def _balance(measure: Mapping[str, Any], confidence: float) -> Balance:
    before, after = Window.from_json(measure["before"]), Window.from_json(measure["after"])
    effect: Effect = mean_shift(before.values, after.values, confidence=confidence)
    worse = balancing_worse(effect, better=measure["better"], margin=measure["margin"])
    return Balance(
        code=measure["code"],
        status=effect.status.value,
        is_worse=worse,
        margin=measure["margin"],
        better=measure["better"],
        estimate=effect.estimate,
        low=effect.low,
        high=effect.high,
    )


def _is_restored(after: Window, baseline: Mapping[str, Any] | None) -> bool | None:
    if baseline is None or not after.usable:
        return None
    return restored(after.values, centre=baseline["centre"], sigma=baseline["spread"])


def _difference(before: Window, after: Window) -> float | None:
    if before.mean is None or after.mean is None:
        return None
    return after.mean - before.mean


def digest_of(content: object) -> str:
    """Return the hash of plain content, whatever the order of its keys."""
    text = json.dumps(_rounded(content), sort_keys=True, ensure_ascii=False, allow_nan=False)
    return sha256(text.encode()).hexdigest()


def _rounded(content: object) -> object:
    if isinstance(content, float):
        return float(f"{content:.{DIGITS}g}")
    if isinstance(content, Mapping):
        return {str(key): _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return content
