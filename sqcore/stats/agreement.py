"""How far experts agree who scored the same things, and whether another round can add anything."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from math import factorial, isfinite

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from sqcore.stats.arrays import FloatArray, IntArray, confidence_level
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus

FEW_ITEMS = 7
"""Up to so many items chi-squared is too rough for W, and orders are permuted instead."""
EXACT = 50_000
"""So many orders are looked at one by one; beyond them they are drawn."""
DRAWS = 20_000
HUGE = 1e100
STRONG = 0.7
NARROW = 1.0
STEADY = 0.05


class ProbabilityBy(StrEnum):
    """How the probability of an agreement like this by chance was found."""

    CHI_SQUARED = "chi_squared"
    EXACT = "exact"
    PERMUTATION = "permutation"


@dataclass(frozen=True)
class Agreement:
    """Kendall's W of a panel, 0 (no agreement) to 1 (all put the items into one order).

    p: how probable a W at least as great is when all order by chance; `p_by` says how it was found
    experts: how many scored all items; left_out: how many did not, and do not count
    There is no interval: the panel is no sample of a population of experts.
    """

    w: float | None
    chi2: float | None
    df: int
    p: float | None
    p_by: ProbabilityBy
    experts: int
    left_out: int
    items: int
    status: MethodStatus = MethodStatus.OK


@dataclass(frozen=True)
class Spread:
    """What experts gave one item: the mean with its t interval, the middle, and how wide it lies.

    median, low_quartile, high_quartile, iqr: by linear interpolation
    cv: standard deviation by mean; NOT_APPLICABLE where the mean is not positive
    """

    mean: Figure
    median: float | None
    low_quartile: float | None
    high_quartile: float | None
    iqr: float | None
    cv: Figure


class Settling(StrEnum):
    """Whether a further round is likely to change anything, and by which rule."""

    AGREED = "agreed"
    """W is at least STRONG."""
    STEADY = "steady"
    """Every item's quartiles lie within NARROW, and W moved by less than STEADY."""
    OPEN = "open"
    """Neither holds: ask once more."""
    UNKNOWN = "unknown"
    """There is no W to judge by."""

    @property
    def is_settled(self) -> bool:
        return self in (Settling.AGREED, Settling.STEADY)


def kendalls_w(ratings: npt.ArrayLike, *, seed: int = 20) -> Agreement:
    """Return how far experts agree on the order of items, with ties taken into account.

    ratings: shape (m experts, n items), any unit; NaN where an expert did not score. Who did not
        score all items is left out
    seed: of the draws where the orders of up to 7 items are too many to be looked at one by one
    returns: W in [0, 1]. Fewer than two experts or items: INSUFFICIENT_N. Every expert gave all
        items the same: ZERO_VARIANCE
    raises: StatisticsError if ratings are not a table or infinite
    assumes: experts judged alone. Only orders count, not by how much scores differ
    source: Kendall and Babington Smith 1939, doi:10.1214/aoms/1177732186; ties: Kendall 1970, Rank
        Correlation Methods; chi2 = m (n - 1) W, for n <= 7 by permutation as in Friedman 1937

    >>> found = kendalls_w([[1, 2, 3], [1, 2, 3], [2, 1, 3]])
    >>> round(found.w, 3), round(found.p, 3), found.p_by.value
    (0.778, 0.194, 'exact')
    """
    raw = _table(ratings)
    complete = raw[~np.isnan(raw).any(axis=1)]
    (m, n), left_out = complete.shape, len(raw) - len(complete)
    if m < 2 or n < 2:
        return _no_agreement(m, left_out, n, MethodStatus.INSUFFICIENT_N)
    # Twice the ranks are integers, so that equal sums of squares are equal.
    twice = np.rint(2 * stats.rankdata(complete, axis=1)).astype(np.int64)
    whole = m * m * (n**3 - n) - m * _ties(complete)
    if whole <= 0:
        return _no_agreement(m, left_out, n, MethodStatus.ZERO_VARIANCE)
    spread = _spread_of_sums(twice.sum(axis=0))
    # The sums are of doubled ranks, and n times their squares: S is a 4 n-th of it.
    w = min(12.0 * float(spread) / (4 * n) / whole, 1.0)
    chi2 = m * (n - 1) * w
    p, by = float(special.chdtrc(n - 1, chi2)), ProbabilityBy.CHI_SQUARED
    if n <= FEW_ITEMS:
        p, by = _permuted(twice, spread, seed)
    return Agreement(w, chi2, n - 1, p, by, m, left_out, n)


def spread(ratings: npt.ArrayLike, *, confidence: float = 0.95) -> tuple[Spread, ...]:
    """Return what experts gave each item: mean, middle half, and coefficient of variation.

    ratings: shape (m experts, n items); NaN where an expert did not score
    confidence: of the t interval of the mean, in (0, 1)
    returns: one Spread an item. Nobody scored it: no numbers, INSUFFICIENT_N. One expert: a mean
        without interval, and no CV
    raises: StatisticsError if ratings are not a table or infinite
    source: Dalkey and Helmer 1963, doi:10.1287/mnsc.9.3.458 (median and quartiles of a round)

    >>> only = spread([[6], [8], [10]])[0]
    >>> only.median, only.iqr, round(only.cv.value, 3)
    (8.0, 2.0, 0.25)
    """
    table = _table(ratings)
    confidence_level(confidence)
    return tuple(_spread(column[~np.isnan(column)], confidence) for column in table.T)


def delphi_settled(
    now: Agreement, spreads: tuple[Spread, ...], before: Agreement | float | None = None
) -> Settling:
    """Return whether a round ends the asking.

    now, spreads: of this round; before: the round before, or its W; None in the first
    returns: AGREED from W .7 on. STEADY when the quartiles of every item lie within 1 point and W
        moved by less than .05 since the round before. Else OPEN; UNKNOWN without a W
    source: W as a stopping rule: Schmidt 1997, doi:10.1111/j.1540-5915.1997.tb01330.x; spread and
        stability: von der Gracht 2012, doi:10.1016/j.techfore.2012.04.013

    >>> same = kendalls_w([[1, 2, 3], [1, 2, 3]])
    >>> delphi_settled(same, spread([[1, 2, 3], [1, 2, 3]])).value
    'agreed'
    """
    if now.w is None:
        return Settling.UNKNOWN
    if now.w >= STRONG:
        return Settling.AGREED
    former = before.w if isinstance(before, Agreement) else before
    narrow = all(each.iqr is not None and each.iqr <= NARROW + 1e-9 for each in spreads)
    if narrow and spreads and former is not None and abs(now.w - former) < STEADY:
        return Settling.STEADY
    return Settling.OPEN


def _table(ratings: npt.ArrayLike) -> FloatArray:
    try:
        array = np.asarray(ratings, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("ratings must be a table of numbers") from error
    if array.ndim != 2:
        raise StatisticsError("ratings must have one row an expert and one column an item")
    if np.isinf(array).any():
        raise StatisticsError("ratings must be finite")
    return array


def _no_agreement(m: int, left_out: int, n: int, status: MethodStatus) -> Agreement:
    return Agreement(
        None, None, max(n - 1, 0), None, ProbabilityBy.CHI_SQUARED, m, left_out, n, status
    )


def _ties(complete: FloatArray) -> int:
    """The sum of t^3 - t over all groups of t items that one expert gave the same."""
    total = 0
    for row in complete:
        sizes = [int(size) for size in np.unique(row, return_counts=True)[1]]
        total += sum(size**3 - size for size in sizes)
    return total


def _spread_of_sums(sums: IntArray) -> int:
    """n times the squared deviations of the sums from their mean, exact."""
    return int(sums.size * (sums * sums).sum() - sums.sum() ** 2)


def _permuted(twice: IntArray, spread: int, seed: int) -> tuple[float, ProbabilityBy]:
    """The share of orders whose sums spread at least as much. The first expert can stay put."""
    m, n = twice.shape
    if factorial(n) ** (m - 1) <= EXACT:
        sums = twice[:1]
        for row in twice[1:]:
            orders = np.array(list(permutations(row.tolist())), dtype=np.int64)
            sums = (sums[:, None, :] + orders).reshape(-1, n)
        return float(np.mean(_spreads(sums) >= spread)), ProbabilityBy.EXACT
    rng = np.random.default_rng(seed)
    drawn = np.zeros((DRAWS, n), dtype=np.int64)
    for row in twice:
        drawn += rng.permuted(np.broadcast_to(row, (DRAWS, n)), axis=1)
    beyond = int((_spreads(drawn) >= spread).sum())
    return (beyond + 1) / (DRAWS + 1), ProbabilityBy.PERMUTATION


def _spreads(sums: npt.NDArray[np.int64]) -> IntArray:
    found = sums.shape[1] * (sums * sums).sum(axis=1) - sums.sum(axis=1) ** 2
    return np.asarray(found, dtype=np.int64)


def _spread(scores: FloatArray, confidence: float) -> Spread:
    m = scores.size
    if not m:
        nothing = Figure.none(MethodStatus.INSUFFICIENT_N)
        return Spread(nothing, None, None, None, None, nothing)
    # What is huge is divided first, so that no square is beyond what a float can hold.
    greatest = float(np.abs(scores).max())
    size = greatest if greatest > HUGE else 1.0
    scaled = scores / size
    mean = float(scaled.mean())
    low, middle, high = (float(q) for q in np.quantile(scaled, [0.25, 0.5, 0.75]))
    wide = (high - low) * size
    middles = (middle * size, low * size, high * size, wide if isfinite(wide) else None)
    if m < 2:
        few = Figure.none(MethodStatus.INSUFFICIENT_N, n=m)
        return Spread(Figure(mean * size, None, None, m), *middles, few)
    sd = float(scaled.std(ddof=1))
    half = float(special.stdtrit(m - 1, 0.5 + confidence / 2)) * sd / m**0.5
    low, high = (mean - half) * size, (mean + half) * size
    bounded = isfinite(low) and isfinite(high)
    cv = Figure.none(MethodStatus.NOT_APPLICABLE, n=m)
    if mean > 0 and isfinite(sd / mean):
        cv = Figure(sd / mean, None, None, m)
    whole = Figure(mean * size, low if bounded else None, high if bounded else None, m)
    return Spread(whole, *middles, cv)
