"""A scorecard tried on history: how many of those with so many points left. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray
from sqcore.stats.logistic import FEWEST_EVENTS, auc, calibration, logistic
from sqcore.stats.loyalty import Sign
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus
from surveys.churn.shares import step_of

Json = dict[str, Any]
RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The customers of one day: signs (N, S) of a scorecard, points (N,), who left (N,)."""

    day: int
    present: FloatArray
    points: IntArray
    left: BoolArray


def trial_of(signs: Sequence[Sign], snapshots: Sequence[Snapshot], *, k: int) -> Json:
    """Return what the scorecard would have told on the last of these days, oldest first.

    Chances by points, and the model beside, are learnt on the earlier days only: the last one is
    what they are judged by. Each customer counts once in it.
    """
    *earlier, last = snapshots
    learnt = _chances(earlier)
    told = None if learnt is None else learnt[np.minimum(last.points, len(learnt) - 1)]
    base = float(np.concatenate([each.left for each in earlier]).mean()) if earlier else None
    return {
        "day": last.day,
        "customers": len(last.left),
        "left": _coarse(last.left),
        "groups": _groups(last, k),
        "auc": _figure(auc(last.left, last.points)),
        "brier": None if told is None else _brier(last.left, told),
        "brier_of_base": None if base is None else _brier(last.left, np.full(len(last.left), base)),
        "model": _model(signs, earlier, last),
    }


def _groups(last: Snapshot, k: int) -> list[Json]:
    """Return the shares that left by points, as coarse as those of units; points that few have are
    put together."""
    bands: list[list[int]] = []
    for value in np.unique(last.points).tolist():
        if bands and int((np.isin(last.points, bands[-1])).sum()) < k:
            bands[-1].append(value)
        else:
            bands.append([value])
    if len(bands) > 1 and int(np.isin(last.points, bands[-1]).sum()) < k:
        bands[-2:] = [bands[-2] + bands[-1]]
    return [_group(last, band) for band in bands]


def _group(last: Snapshot, band: Sequence[int]) -> Json:
    here = np.isin(last.points, band)
    n = int(here.sum())
    share = _coarse(last.left[here])
    interval = wilson(round(share * n), n)
    return {
        "from": band[0],
        "to": band[-1],
        "n": n,
        "share": share,
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
    }


def _coarse(left: BoolArray) -> float:
    step = step_of(len(left))
    return step * round(100 * float(left.mean()) / step) / 100


def _chances(earlier: Sequence[Snapshot]) -> FloatArray | None:
    """Return the chance to leave by points, of earlier days; of points nobody had, of the next."""
    if not earlier:
        return None
    points = np.concatenate([each.points for each in earlier])
    left = np.concatenate([each.left for each in earlier]).astype(np.float64)
    n = np.bincount(points)
    # One customer of the mean is added to each, so that few people give no certainty.
    return np.asarray((np.bincount(points, weights=left) + left.mean()) / (n + 1))


def _brier(left: BoolArray, chance: FloatArray) -> float:
    return round(float(((chance - left) ** 2).mean()), 4)


def _model(signs: Sequence[Sign], earlier: Sequence[Snapshot], last: Snapshot) -> Json:
    """Return what a logistic model of the same signs would tell; never used by itself."""
    if not earlier:
        return {"status": MethodStatus.INSUFFICIENT_N.value}
    x = np.nan_to_num(np.concatenate([each.present for each in earlier]))
    left = np.concatenate([each.left for each in earlier])
    fit = logistic(x, left, ridge=RIDGE, fewest_events=FEWEST_EVENTS)
    if fit.status is not MethodStatus.OK:
        return {"status": fit.status.value, "events": int(left.sum())}
    chance = fit.probabilities(np.nan_to_num(last.present))
    judged = calibration(last.left, chance, groups=5)
    return {
        "status": MethodStatus.OK.value,
        "events": int(left.sum()),
        "auc": _figure(auc(last.left, chance)),
        "brier": _brier(last.left, chance),
        "slope": _figure(judged.slope),
        "odds": {
            sign.code: _figure(ratio) for sign, ratio in zip(signs, fit.odds_ratios, strict=True)
        },
    }


def _figure(figure: Figure) -> Json:
    def told(number: float | None) -> float | None:
        return None if number is None else round(number, 3)

    return {
        "value": told(figure.value),
        "low": told(figure.low),
        "high": told(figure.high),
        "status": figure.status.value,
    }
