"""How firmly an order of units stands on the weights behind it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, finite, shaped
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus

DRAWS = 2000
CONCENTRATION = 100.0
"""Draws lie as close to the weights as if 100 answers had been shared out by them."""
COVERAGE = 0.6
"""A unit takes part when its scores have this share of the weight."""
SAME = 1e-9
"""Scores that differ by less, as a share of the greatest, are a tie."""
_BLOCK = 2_000_000
"""So many scores of units are held at a time."""


@dataclass(frozen=True)
class UnitRank:
    """A unit's place under the weights as they are (1 is best; ties share one), and the places
    between which it stays in the middle 90 % of draws. None where it takes no part."""

    rank: int | None
    low: int | None
    high: int | None
    status: MethodStatus = MethodStatus.OK


@dataclass(frozen=True)
class Robustness:
    """How an order holds when the weights are drawn around what they are.

    units: in the order given; order: those that take part, best first, as positions
    first_changes: share of draws in which another unit is alone at the top
    any_changes: share of draws in which two neighbours of the order stand the other way round
    neighbours: the same for each pair of neighbours, one fewer than `order`
    The intervals of the shares are Wilson's, by the number of draws: how well they are simulated.
    """

    units: tuple[UnitRank, ...]
    order: tuple[int, ...]
    first_changes: Figure
    any_changes: Figure
    neighbours: tuple[float, ...]
    draws: int
    status: MethodStatus = MethodStatus.OK


@dataclass(frozen=True)
class Room:
    """How far one weight may move, the others scaled to fit, before ranks change.

    share: the weight with its lowest and highest value with which the first unit stays first, all
        in 0..1; n is the number of units
    order: the same with which no two units change places; units that are even have no order
    rival_below, rival_above: the unit that is first beyond that end of `share`; None where the end
        is 0 or 1
    """

    share: Figure
    order: Figure
    rival_below: int | None
    rival_above: int | None


def rank_intervals(
    scores: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    draws: int = DRAWS,
    concentration: float = CONCENTRATION,
    seed: int = 20,
) -> Robustness:
    """Return within which places units stay when the weights are drawn from Dirichlet(w * 100).

    scores: shape (u units, k parts), more is better; NaN where a unit has no figure: its weights
        are scaled to what is left, and below 60 % of the weight it takes no part
    weights: shape (k,), >= 0, any positive sum; a weight of 0 stays 0
    draws, concentration, seed: how many, how close to the weights, and from where they start
    returns: Robustness. Fewer than two units that take part: INSUFFICIENT_N; one weight alone
        counts, so that there is nothing to draw: NOT_APPLICABLE
    raises: StatisticsError for other shapes, infinite scores, or weights that cannot be
    assumes: scores add up by weight (arithmetic). Doubt about scores is not in it, only about
        weights
    source: OECD and JRC 2008, Handbook on Constructing Composite Indicators, ch. 7,
        doi:10.1787/9789264043466-en; Saisana, Saltelli, Tarantola 2005,
        doi:10.1111/j.1467-985X.2005.00350.x

    >>> found = rank_intervals([[90, 80], [50, 60], [60, 50]], [0.5, 0.5])
    >>> [(each.rank, each.low, each.high) for each in found.units]
    [(1, 1, 1), (2, 2, 3), (2, 2, 3)]
    """
    table, w, takes = _checked(scores, weights)
    if draws < 1 or not np.isfinite(concentration) or concentration <= 0:
        raise StatisticsError("draws and concentration must be positive")
    rows = np.flatnonzero(takes)
    status = MethodStatus.INSUFFICIENT_N if rows.size < 2 else MethodStatus.OK
    if status == MethodStatus.OK and np.count_nonzero(w) < 2:
        status = MethodStatus.NOT_APPLICABLE
    own = _totals(table[rows], w[None, :])[0]
    order = np.lexsort((rows, -own))
    best = tuple(int(rows[at]) for at in order)
    if status != MethodStatus.OK:
        ranks = _ranks(own[None, :])[0] if rows.size else np.zeros(0, dtype=np.int64)
        units = _units(len(table), rows, ranks, ranks, ranks)
        none = Figure.none(status, n=0)
        return Robustness(units, best, none, none, (), 0, status)
    return _drawn(table, w, rows, own, order, draws, concentration, seed)


def room_to_move(scores: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[Room, ...]:
    """Return for each weight how far it may move before another unit comes first, and before any
    two units change places. Exact.

    scores, weights: as in `rank_intervals`. The other weights keep their proportions
    returns: one Room a weight. Fewer than two units that take part: INSUFFICIENT_N. Two units
        share the first place (of the order: all do), or there is no other weight: NOT_APPLICABLE
    raises: as `rank_intervals`
    assumes: as `rank_intervals`; which units take part is judged by the weights as they are
    source: the weighted sum is a ratio of two straight lines in one weight, so the first place
        changes where two of them cross: Triantaphyllou and Sanchez 1997,
        doi:10.1111/j.1540-5915.1997.tb01306.x. Who first change places were neighbours before

    >>> first = room_to_move([[90, 50], [60, 70]], [0.5, 0.5])[0]
    >>> round(first.share.low, 3), first.share.high, first.rival_below
    (0.4, 1.0, 1)
    """
    table, w, takes = _checked(scores, weights)
    rows = np.flatnonzero(takes)
    if rows.size < 2:
        few = Figure.none(MethodStatus.INSUFFICIENT_N, n=rows.size)
        return tuple(Room(few, few, None, None) for _each in w)
    taking = table[rows]
    own = _totals(taking, w[None, :])[0]
    leader = int(np.argmax(own))
    near = SAME * max(float(np.abs(own).max()), 1e-300)
    tied = bool(np.count_nonzero(own >= own[leader] - near) > 1)
    apart = _neighbours(own, near)
    return tuple(_room(taking, w, at, leader, tied, rows, apart) for at in range(w.size))


def _checked(
    scores: npt.ArrayLike, weights: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Scores, weights that sum to 1, and which units have enough of the weight."""
    try:
        table = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("scores must be a table of numbers") from error
    if table.ndim != 2 or not table.shape[1]:
        raise StatisticsError("scores must have one row a unit and one column a part")
    if np.isinf(table).any():
        raise StatisticsError("scores must be finite")
    w = finite(weights, "weights")
    shaped(w, (table.shape[1],), "weights")
    if (w < 0).any() or not (w > 0).any():
        raise StatisticsError("weights must not be negative, and not all 0")
    w = w / w.max()
    w = w / w.sum()
    size = float(np.nanmax(np.abs(table))) if np.isfinite(table).any() else 0.0
    covered = np.isfinite(table).astype(np.float64) @ w
    # Divided by the greatest: only the order counts, and no product is beyond a float.
    return table / (size or 1.0), w, covered >= COVERAGE - SAME


def _totals(table: FloatArray, weights: FloatArray) -> FloatArray:
    """The weighted means, shape (draws, units), over the scores that a unit has."""
    known = np.isfinite(table)
    total = weights @ np.where(known, table, 0.0).T
    share = weights @ known.T.astype(np.float64)
    return np.asarray(total / np.where(share > 0, share, 1.0), dtype=np.float64)


def _ranks(totals: FloatArray) -> IntArray:
    """Competition ranks in each row: ties share the best place."""
    order = np.argsort(-totals, axis=1, kind="stable")
    falling = np.take_along_axis(totals, order, axis=1)
    steps = falling[:, :-1] - falling[:, 1:] > SAME
    places = np.arange(1, totals.shape[1])
    begins = np.concatenate(
        [np.ones((len(totals), 1), dtype=np.int64), np.where(steps, places + 1, 0)], axis=1
    )
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.maximum.accumulate(begins, axis=1), axis=1)
    return np.asarray(ranks, dtype=np.int64)


def _drawn(
    table: FloatArray,
    w: FloatArray,
    rows: IntArray,
    own: FloatArray,
    order: IntArray,
    draws: int,
    concentration: float,
    seed: int,
) -> Robustness:
    rng = np.random.default_rng(seed)
    gamma = rng.gamma(np.broadcast_to(w * concentration, (draws, w.size)))
    sums = gamma.sum(axis=1, keepdims=True)
    # Of hardly any concentration all may round down to 0: then the weights stand as they are.
    weights = np.where(sums > 0, gamma / np.where(sums > 0, sums, 1.0), w)
    taking = table[rows]
    ranks = np.empty((draws, rows.size), dtype=np.int32)
    turned = np.zeros((draws, rows.size - 1), dtype=bool)
    apart = own[order[:-1]] - own[order[1:]] > SAME
    block = max(_BLOCK // rows.size, 1)
    for at in range(0, draws, block):
        totals = _totals(taking, weights[at : at + block])
        ranks[at : at + block] = _ranks(totals)
        ordered = totals[:, order]
        turned[at : at + block] = (ordered[:, 1:] - ordered[:, :-1] > SAME) & apart
    now = _ranks(own[None, :])[0]
    low, high = np.quantile(ranks, [0.05, 0.95], axis=0, method="inverted_cdf").astype(np.int64)
    # Who is first now stays so as long as one of them is.
    overtaken = (ranks[:, now == 1] > 1).all(axis=1)
    return Robustness(
        units=_units(len(table), rows, now, low, high),
        order=tuple(int(rows[at]) for at in order),
        first_changes=_share(int(overtaken.sum()), draws),
        any_changes=_share(int(turned.any(axis=1).sum()), draws),
        neighbours=tuple(float(share) for share in turned.mean(axis=0)),
        draws=draws,
    )


def _share(count: int, draws: int) -> Figure:
    bounds = wilson([count], [draws])
    return Figure(count / draws, float(bounds.low[0]), float(bounds.high[0]), draws)


def _units(
    u: int, rows: IntArray, ranks: IntArray, low: IntArray, high: IntArray
) -> tuple[UnitRank, ...]:
    found = [UnitRank(None, None, None, MethodStatus.INSUFFICIENT_N)] * u
    for at, row in enumerate(rows.tolist()):
        found[row] = UnitRank(int(ranks[at]), int(low[at]), int(high[at]))
    return tuple(found)


def _neighbours(own: FloatArray, near: float) -> tuple[IntArray, IntArray]:
    """All pairs of units of which one stands right above the other, those above and those below.

    Units that are even stand side by side: each is a neighbour of all right below.
    """
    order = np.argsort(-own, kind="stable")
    steps = np.flatnonzero(own[order[:-1]] - own[order[1:]] > near) + 1
    even = np.split(order, steps)
    pairs = [(a, b) for above, below in pairwise(even) for a in above for b in below]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _room(
    taking: FloatArray,
    w: FloatArray,
    at: int,
    leader: int,
    tied: bool,
    rows: IntArray,
    apart: tuple[IntArray, IntArray],
) -> Room:
    rest = 1.0 - w[at]
    n = int(rows.size)
    none = Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    if rest <= SAME:
        return Room(none, none, None, None)
    known = np.isfinite(taking)
    filled = np.where(known, taking, 0.0)
    others = np.where(np.arange(w.size) == at, 0.0, w) / rest
    # With t the weight: total (t x + (1 - t) r) over share (t a + (1 - t) c), each a line in t.
    total = _line(filled[:, at], filled @ others)
    share = _line(known[:, at].astype(np.float64), known.astype(np.float64) @ others)
    now = float(w[at])
    one, two = apart
    between = _product(total[one], share[two]) - _product(share[one], total[two])
    order = none
    if one.size:
        below, above = _ends(_roots(between), now)
        order = Figure(now, float(below.max()), float(above.min()), n)
    if tied:
        return Room(none, order, None, None)
    ahead = _product(total[leader], share) - _product(share[leader], total)
    rivals = np.delete(rows, leader)
    below, above = _ends(_roots(np.delete(ahead, leader, axis=0)), now)
    low, high = float(below.max()), float(above.min())
    return Room(
        share=Figure(now, low, high, n),
        order=order,
        rival_below=int(rivals[int(below.max(axis=1).argmax())]) if low > 0 else None,
        rival_above=int(rivals[int(above.min(axis=1).argmin())]) if high < 1 else None,
    )


def _ends(roots: FloatArray, now: float) -> tuple[FloatArray, FloatArray]:
    """The roots below, 0 where there is none, and those above, else 1."""
    below, above = roots.copy(), roots.copy()
    below[~((roots > 0) & (roots < now))] = 0.0
    above[~((roots >= now) & (roots < 1))] = 1.0
    return below, above


def _line(at_one: FloatArray, at_zero: FloatArray) -> FloatArray:
    """Coefficients, highest first, of the lines through these values at t = 1 and t = 0."""
    return np.stack([at_one - at_zero, at_zero], axis=1)


def _product(one: FloatArray, lines: FloatArray) -> FloatArray:
    """The coefficients of a line, or of as many, times each of the others, highest first."""
    a, b = lines[:, 0], lines[:, 1]
    steep, base = one[..., 0], one[..., 1]
    return np.stack([steep * a, steep * b + base * a, base * b], axis=1)


def _roots(quadratics: FloatArray) -> FloatArray:
    """Where each crosses zero, shape (n, 2); NaN where it does not, or only touches it."""
    size = np.abs(quadratics).max(axis=1, keepdims=True)
    a, b, c = (quadratics / np.where(size > 0, size, 1.0)).T
    inside = b * b - 4 * a * c
    crosses = inside > 1e-15
    q = -0.5 * (b + np.where(b < 0, -1.0, 1.0) * np.sqrt(np.where(crosses, inside, 0.0)))
    bent, moving = np.abs(a) > 1e-12, np.abs(q) > 1e-15
    one = np.where(bent & crosses, q / np.where(bent, a, 1.0), np.nan)
    other = np.where(moving & crosses, c / np.where(moving, q, 1.0), np.nan)
    return np.stack([one, other], axis=1)
