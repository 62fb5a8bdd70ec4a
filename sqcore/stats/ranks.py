"""Within which places units stay when each score is only known up to its interval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray, IntArray, confidence_level
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

DRAWS = 2000
SHARE = 0.9
"""A place lies between the ends in this share of draws: 5 to 95 percent."""
SAME = 1e-9
"""Scores that differ by less are a tie."""
_BLOCK = 2_000_000
"""So many drawn scores are held at a time."""


@dataclass(frozen=True)
class Place:
    """A unit's place (1 is best; ties share one) and the places between which it lies in the middle
    90 percent of draws. None where it takes no part: it has no score, or no interval."""

    rank: int | None
    low: int | None
    high: int | None
    status: MethodStatus = MethodStatus.OK


def places(
    value: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    share: float = SHARE,
    seed: int = 20,
) -> tuple[Place, ...]:
    """Return the place of each unit with the places that chance alone could give it.

    value, low, high: shape (u,), a score (more is better) with its interval; NaN where a unit has
        none: it takes no part and moves no other one
    confidence: of the intervals, in (0, 1)
    draws, share, seed: how many, how much of them lies between the ends, from where they start
    returns: one Place a unit. Without a score or an interval: NOT_APPLICABLE; fewer than two units
        that take part: INSUFFICIENT_N
    raises: StatisticsError for shapes that differ, infinite numbers, low > high
    assumes: units that have nobody in common, so that their errors are independent: not one within
        the other. Draws are normal about the score, as wide on either side as that side of the
        interval, not at all where the score lies beyond it; no doubt about weights is in it
        (`sensitivity.rank_intervals`)
    source: Marshall, Spiegelhalter 1998, BMJ 316:1701, doi:10.1136/bmj.316.7146.1701; Goldstein,
        Spiegelhalter 1996, doi:10.2307/2983325

    >>> found = places([80, 70, 69], [78, 66, 65], [82, 74, 73])
    >>> [(each.rank, each.low, each.high) for each in found]
    [(1, 1, 1), (2, 2, 3), (3, 2, 3)]
    """
    confidence_level(confidence)
    v, first, last = (np.asarray(each, dtype=np.float64) for each in (value, low, high))
    if v.ndim != 1 or not v.shape == first.shape == last.shape:
        raise StatisticsError("value, low and high must have the same shape (units,)")
    if any(np.isinf(each).any() for each in (v, first, last)):
        raise StatisticsError("scores and intervals must be finite")
    if draws < 1 or not 0 < share < 1:
        raise StatisticsError("draws must be positive and the share between 0 and 1")
    known = ~(np.isnan(v) | np.isnan(first) | np.isnan(last))
    rows = np.flatnonzero(known)
    if (first[rows] > last[rows]).any():
        raise StatisticsError("an interval must not end below where it begins")
    missing = Place(None, None, None, MethodStatus.NOT_APPLICABLE)
    found = [missing] * len(v)
    if rows.size < 2:
        for at in rows.tolist():
            found[at] = Place(None, None, None, MethodStatus.INSUFFICIENT_N)
        return tuple(found)
    own = _ranks(v[rows][None, :])[0]
    ends = _drawn(v[rows], first[rows], last[rows], confidence, draws, share, seed)
    for at, rank, best, worst in zip(rows.tolist(), own.tolist(), *ends.tolist(), strict=True):
        found[at] = Place(rank, min(best, rank), max(worst, rank))
    return tuple(found)


def _drawn(
    value: FloatArray,
    low: FloatArray,
    high: FloatArray,
    confidence: float,
    draws: int,
    share: float,
    seed: int,
) -> IntArray:
    """The lowest and highest places of each unit in the middle share of draws: (2, units)."""
    quantile = float(special.ndtri(0.5 + confidence / 2))
    below, above = np.maximum(value - low, 0) / quantile, np.maximum(high - value, 0) / quantile
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // value.size)
    ranks = []
    for start in range(0, draws, step):
        errors = rng.standard_normal((min(step, draws - start), value.size))
        ranks.append(_ranks(value + errors * np.where(errors < 0, below, above)))
    tail = (1 - share) / 2
    every = np.concatenate(ranks)
    return np.stack(
        [
            np.quantile(every, tail, axis=0, method="inverted_cdf"),
            np.quantile(every, 1 - tail, axis=0, method="inverted_cdf"),
        ]
    ).astype(np.int64)


def _ranks(scores: FloatArray) -> IntArray:
    """Competition ranks of each row, 1 the highest; what is the same shares the better place."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    places_of = np.broadcast_to(np.arange(1, scores.shape[1] + 1), scores.shape).copy()
    same = ordered[:, :-1] - ordered[:, 1:] <= SAME
    first = np.where(np.concatenate([np.zeros((len(scores), 1), bool), same], axis=1), 0, places_of)
    shared = np.maximum.accumulate(first, axis=1)
    ranks = np.empty_like(shared)
    np.put_along_axis(ranks, order, shared, axis=1)
    return ranks
