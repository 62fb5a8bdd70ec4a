"""Within which places units stay when each score is only known as surely as its n allows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray, IntArray, numbers, squarable
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

DRAWS = 2000
SHARE = 0.95
"""A place lies between the ends in this share of draws."""
SAME = 1e-9
"""Scores that differ by less are a tie."""
LEAST_SPREAD_KNOWN = 3
"""Of fewer units nobody can say how far units lie apart."""
LEAST_FREEDOM = 1e-6
"""Of fewer degrees of freedom a standard error says nothing at all."""
_STEPS = 90
"""So many sizes of the spread between units are weighed, up to three times that of the scores."""
_SURE = 400.0
"""From so many degrees of freedom a standard error counts as known."""
_BLOCK = 2_000_000
"""So many drawn scores are held at a time."""


@dataclass(frozen=True)
class Place:
    """A unit's place (1 is best; ties share one) and the places between which it lies in the middle
    95 percent of draws. None where it takes no part: it has no score, or nobody knows how sure it
    is."""

    rank: int | None
    low: int | None
    high: int | None
    status: MethodStatus = MethodStatus.OK


def places(
    score: npt.ArrayLike,
    se: npt.ArrayLike,
    df: npt.ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    share: float = SHARE,
    seed: int = 20,
) -> tuple[Place, ...]:
    """Return the place of each unit with those in which it may truly be.

    score, se: shape (u,), a score (more is better) and its standard error, >= 0; NaN where a unit
        has none: it takes no part and moves no other one
    df: shape (u,), on how many degrees of freedom the standard error rests, 1e-6 or more, inf
        where it is known; None: all are known
    draws, share, seed: how many, how much of them lies between the ends, from where they start
    returns: one Place a unit. Without a score or a standard error: NOT_APPLICABLE; fewer than two
        units that take part: INSUFFICIENT_N
    raises: StatisticsError for shapes that differ, scores that are infinite or beyond what can be
        squared, se < 0, df < 1e-6
    assumes: units that have nobody in common, so that their errors are independent: not one within
        the other. True scores are normal about their mean, with a spread that is drawn too (flat
        prior); of two units nothing is assumed. No doubt about weights is in it
        (`sensitivity.rank_intervals`)
    source: Laird, Louis 1989, doi:10.3102/10769986014001029; Goldstein, Spiegelhalter 1996,
        doi:10.2307/2983325; Gelman 2006, doi:10.1214/06-BA117A (the prior of the spread)

    >>> found = places([80, 70, 69], [1.0, 2.0, 2.0])
    >>> [(each.rank, each.low, each.high) for each in found]
    [(1, 1, 1), (2, 2, 3), (3, 2, 3)]
    """
    y, error = (
        squarable(numbers(each, name), name) for each, name in ((score, "score"), (se, "se"))
    )
    free = np.full(y.shape, np.inf) if df is None else _freedom(df)
    if y.ndim != 1 or not y.shape == error.shape == free.shape:
        raise StatisticsError("score, se and df must have the same shape (units,)")
    if (error < 0).any():
        raise StatisticsError("standard errors must not be negative")
    if draws < 1 or not 0 < share < 1 or seed < 0:
        raise StatisticsError("draws must be positive, the share between 0 and 1, the seed >= 0")
    rows = np.flatnonzero(~(np.isnan(y) | np.isnan(error) | np.isnan(free)))
    if (free[rows] < LEAST_FREEDOM).any():
        raise StatisticsError(f"degrees of freedom must be {LEAST_FREEDOM:g} or more")
    missing = Place(None, None, None, MethodStatus.NOT_APPLICABLE)
    found = [missing] * len(y)
    if rows.size < 2:
        for at in rows.tolist():
            found[at] = Place(None, None, None, MethodStatus.INSUFFICIENT_N)
        return tuple(found)
    own = _ranks(y[rows])
    ends = _drawn(y[rows], error[rows], free[rows], draws, share, seed)
    for at, rank, best, worst in zip(rows.tolist(), own.tolist(), *ends.tolist(), strict=True):
        found[at] = Place(rank, min(best, rank), max(worst, rank))
    return tuple(found)


def _freedom(df: npt.ArrayLike) -> FloatArray:
    try:
        return np.asarray(df, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("df must be numbers in one list") from error


def _drawn(
    score: FloatArray, se: FloatArray, df: FloatArray, draws: int, share: float, seed: int
) -> IntArray:
    """The best and worst place of each unit in the middle share of draws: (2, units)."""
    # Around one score and in units of the largest distance: single precision does for an order.
    moved = score - np.median(score)
    unit = max(float(np.abs(moved).max()), float(se.max())) or 1.0
    y, variance = moved / unit, np.maximum((se / unit) ** 2, 1e-16)
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // score.size)
    ranks = []
    for start in range(0, draws, step):
        truths = _truths(y, variance, df, min(step, draws - start), rng)
        order = np.argsort(-truths, axis=1)
        of_draw = np.empty(order.shape, dtype=np.int32)
        places_of = np.arange(1, score.size + 1, dtype=np.int32)
        np.put_along_axis(of_draw, order, np.broadcast_to(places_of, order.shape), axis=1)
        ranks.append(of_draw)
    every = np.sort(np.concatenate(ranks).T.copy(), axis=1)
    outside = int(draws * (1 - share) / 2)
    return every[:, [outside, draws - 1 - outside]].T.astype(np.int64)


def _truths(
    y: FloatArray, variance: FloatArray, df: FloatArray, draws: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw what the scores may truly be, (draws, units).

    How sure each score is, how far true scores lie apart and about what mean are drawn first;
    given these a true score lies between that mean and what was found.
    """
    size = draws, y.size
    noise = np.broadcast_to(variance.astype(np.float32), size)
    unsure = np.flatnonzero(df < _SURE)
    if unsure.size:
        half = (df[unsure] / 2).astype(np.float32)
        noise = noise.copy()
        squares = rng.standard_gamma(half, (draws, unsure.size), dtype=np.float32)
        noise[:, unsure] *= half / np.maximum(squares, np.float32(1e-6))
    normal = rng.standard_normal(size, dtype=np.float32)
    found = y.astype(np.float32)
    if y.size < LEAST_SPREAD_KNOWN:
        return np.asarray(found + normal * np.sqrt(noise))
    spread = _spreads(y, variance, df, draws, rng).astype(np.float32)[:, None]
    weight = 1 / (noise + spread)
    total = weight.sum(axis=1, keepdims=True)
    mean = (weight @ found)[:, None] / total
    mean += rng.standard_normal((draws, 1), dtype=np.float32) / np.sqrt(total)
    drawn_in = noise * weight
    return np.asarray(found + drawn_in * (mean - found) + np.sqrt(drawn_in * spread) * normal)


def _spreads(
    y: FloatArray, variance: FloatArray, df: FloatArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draw the variance between true scores from what the scores say of it, (draws,)."""
    # A t distribution has tails: of a few values the error is larger than its standard error says.
    free = np.where(np.isinf(df), 1e9, df)
    noise = variance * np.where(free > 3, free / np.maximum(free - 2, 1.0), 3.0)
    widest = 3 * max(float(y.std(ddof=1)), float(np.sqrt(np.median(noise))))
    tau = widest * (np.arange(_STEPS) + 0.5) / _STEPS
    weight = 1 / (noise + tau[:, None] ** 2)
    total = weight.sum(axis=1)
    mean = (weight @ y) / total
    apart = (weight * (y - mean[:, None]) ** 2).sum(axis=1)
    log = (np.log(weight).sum(axis=1) - np.log(total) - apart) / 2
    chance = np.exp(log - log.max())
    # What is between two steps is as likely as they are.
    steps = rng.choice(_STEPS, draws, p=chance / chance.sum()) + rng.random(draws)
    return np.asarray((widest * steps / _STEPS) ** 2)


def _ranks(scores: FloatArray) -> IntArray:
    """Competition ranks, 1 the highest; what is the same shares the better place."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    is_same = np.concatenate([[False], ordered[:-1] - ordered[1:] <= SAME])
    places_of = np.arange(1, scores.size + 1)
    ranks = np.empty(scores.size, dtype=np.int64)
    ranks[order] = np.maximum.accumulate(np.where(is_same, 0, places_of))
    return ranks
