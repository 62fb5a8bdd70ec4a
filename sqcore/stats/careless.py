"""Answers that were given without reading: marks for a person who looks, nobody is deleted.

docs/methods/careless-answers.md
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, confidence_level
from sqcore.stats.covariances import LARGEST, correlation_matrix
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus

FEWEST = 8
"""The same answer to fewer items is likely to be meant."""
SECONDS_AN_ITEM = 2.0
ROWS, ROWS_AN_ITEM = 30, 2
"""Distances from fewer rows say little, as each row draws the middle towards itself."""
FAR = 0.001
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class Careless:
    """Which of N rows were marked.

    flagged: (N,), never where a row could not be judged; share: of the judged rows, with Wilson's
    interval; judged: how many could be
    """

    flagged: BoolArray
    share: Figure
    judged: int


@dataclass(frozen=True, eq=False)
class Distances:
    """How far each of N rows lies from the middle of all, seen in how items go together.

    squared, p: (N,), the squared distance and how often chance gives a larger one; 0 and 1 where
        judged is False
    judged: (N,), complete rows, if there are enough; flagged: (N,), p below .001
    share: of the judged rows that are flagged; status: ok, or why nothing was judged
    """

    squared: FloatArray
    p: FloatArray
    judged: BoolArray
    flagged: BoolArray
    share: Figure
    status: MethodStatus


def straight_lines(
    values: npt.ArrayLike, *, fewest: int = FEWEST, confidence: float = 0.95
) -> Careless:
    """Return who answered all items alike.

    values: (N, P), NaN missing, as they were given: reversed items not turned yet
    fewest: a row is judged if it has so many answers, >= 2
    returns: Careless. share insufficient_n: no row has enough answers
    raises: StatisticsError unless values is a table without infinities, or a parameter is out of
        range
    assumes: items that no one would honestly answer all alike: many, or some reversed
    source: Curran 2016, doi:10.1016/j.jesp.2015.07.006

    >>> found = straight_lines([[3] * 8, [3] * 7 + [4], [3] * 7 + [float("nan")]])
    >>> found.flagged.tolist(), found.judged, found.share.value
    ([True, False, False], 2, 0.5)
    """
    x = _table(values)
    if fewest < 2:
        raise StatisticsError("one answer is always like itself: fewest must be at least 2")
    judged = (~np.isnan(x)).sum(axis=1) >= fewest
    # They pass over what is missing.
    lowest = np.fmin.reduce(x, axis=1, initial=np.inf)
    highest = np.fmax.reduce(x, axis=1, initial=-np.inf)
    return _marked(judged & (lowest == highest), judged, confidence)


def longest_runs(values: npt.ArrayLike) -> IntArray:
    """Return the longest run of equal answers in each row.

    values: (N, P), NaN missing, items in the order in which they were asked
    returns: (N,), 0..P. Missing answers are passed over: they neither end a run nor count
    raises: StatisticsError unless values is a table without infinities
    source: Johnson 2005, doi:10.1016/j.jrp.2004.09.009

    >>> longest_runs([[1, 2, 2, 2, 3], [4, 4, float("nan"), 4, 1]]).tolist()
    [3, 3]
    """
    x = _table(values)
    last = np.full(len(x), np.nan)
    run, longest = np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
    for answer in x.T:
        known = ~np.isnan(answer)
        run = np.where(known, np.where(answer == last, run + 1, 1), run)
        last = np.where(known, answer, last)
        np.maximum(longest, run, out=longest)
    return longest


def mahalanobis(
    values: npt.ArrayLike, *, fewest: int | None = None, confidence: float = 0.95
) -> Distances:
    """Return how unusual each row's combination of answers is.

    values: (N, P), NaN missing; only complete rows are judged
    fewest: complete rows that it takes; None: 30, and 2 an item; never fewer than P + 2
    returns: Distances. insufficient_n: fewer rows. not_applicable: no items. zero_variance: an
        item has one answer only. singular: some items follow from others
    raises: StatisticsError as `straight_lines`
    assumes: normal answers, for p. Skewed answers give more small p than chance would
    source: distances: Meade, Craig 2012, doi:10.1037/a0028085; p from the beta distribution of
        n d2 / (n - 1)^2, exact as the row itself is in the mean and covariance: Gnanadesikan,
        Kettenring 1972, doi:10.2307/2528963

    >>> found = mahalanobis([[-1], [0], [1]] * 10 + [[9]])
    >>> round(float(found.squared[-1]), 2), found.flagged.nonzero()[0].tolist(), found.status.value
    (23.13, [30], 'ok')
    """
    x = _table(values)
    items = x.shape[1]
    whole = np.asarray(~np.isnan(x).any(axis=1), dtype=np.bool_)
    n = int(whole.sum())
    least = max(ROWS, ROWS_AN_ITEM * items) if fewest is None else fewest
    squared, p = np.zeros(len(x)), np.ones(len(x))
    status = MethodStatus.NOT_APPLICABLE
    if items:
        status = MethodStatus.INSUFFICIENT_N
        if n >= max(least, items + 2):
            distances, status = _squared(x, whole)
            if status is MethodStatus.OK:
                squared[whole] = distances
                share = np.minimum(distances * (n / (n - 1.0) ** 2), 1.0)
                p[whole] = special.betaincc(items / 2.0, (n - items - 1.0) / 2.0, share)
    judged = whole if status is MethodStatus.OK else np.zeros_like(whole)
    marked = _marked(judged & (p < FAR), judged, confidence)
    figure = marked.share if status is MethodStatus.OK else Figure.none(status, n=n)
    return Distances(squared, p, judged, marked.flagged, figure, status)


def too_fast(
    seconds: npt.ArrayLike,
    items: npt.ArrayLike,
    *,
    least_seconds_an_item: float = SECONDS_AN_ITEM,
    confidence: float = 0.95,
) -> Careless:
    """Return who answered faster than anybody reads.

    seconds: (N,), from the first page to the last, >= 0; NaN where not known
    items: answered by each, (N,) or one number for all, >= 0; who answered none is not judged
    least_seconds_an_item: > 0; 2 seconds is a cautious rule for a line of text, set your own for
        longer or much shorter ones
    returns: Careless. share insufficient_n: nobody's time is known
    raises: StatisticsError if a shape or number is out of range
    source: Huang et al. 2012, doi:10.1007/s10869-011-9231-8 (2 seconds an item)

    >>> found = too_fast([30, 50, float("nan")], 22)
    >>> found.flagged.tolist(), found.judged
    ([True, False, False], 2)
    """
    time = _numbers(seconds, "seconds")
    count = _numbers(items, "items")
    if time.ndim != 1 or count.shape not in ((), time.shape):
        raise StatisticsError("seconds must be a list, items one number or as many")
    if np.isnan(count).any() or (count < 0).any() or (time < 0).any():
        raise StatisticsError("seconds and items cannot be negative, nor items missing")
    if not 0.0 < least_seconds_an_item < np.inf:
        raise StatisticsError("least_seconds_an_item must be positive and finite")
    judged = ~np.isnan(time) & (count > 0)
    return _marked(judged & (time < least_seconds_an_item * count), judged, confidence)


def _marked(flagged: BoolArray, judged: BoolArray, confidence: float) -> Careless:
    confidence_level(confidence)
    n, marked = int(judged.sum()), int(flagged.sum())
    if not n:
        return Careless(flagged, Figure.none(MethodStatus.INSUFFICIENT_N), 0)
    wide = wilson(marked, n, confidence=confidence)
    return Careless(flagged, Figure(marked / n, float(wide.low), float(wide.high), n), n)


def _squared(x: FloatArray, whole: BoolArray) -> tuple[FloatArray, MethodStatus]:
    """Return the squared distances of the complete rows, of which only a block is written out."""
    n, size = int(whole.sum()), x.shape[1]
    total, low, high = np.zeros(size), np.full(size, np.inf), np.full(size, -np.inf)
    for rows in _blocks(x, whole):
        total += rows.sum(axis=0)
        low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
    mean = total / n
    scale = np.maximum(high - mean, mean - low)
    if (scale == 0.0).any() or (scale < 1e-12 * np.maximum(np.abs(low), np.abs(high))).any():
        return np.zeros(0), MethodStatus.ZERO_VARIANCE
    products = np.zeros((size, size))
    for rows in _blocks(x, whole):
        centred = (rows - mean) / scale
        products += centred.T @ centred
    covariance = products / (n - 1.0)
    r, status = correlation_matrix(covariance)
    if status is not MethodStatus.OK:
        return np.zeros(0), status
    deviation = scale * np.sqrt(np.diag(covariance))
    squared = []
    for rows in _blocks(x, whole):
        z = (rows - mean) / deviation
        squared.append(np.einsum("ij,ji->i", z, np.linalg.solve(r, z.T)))
    return np.concatenate(squared), status


def _blocks(x: FloatArray, whole: BoolArray) -> Iterator[FloatArray]:
    """Yield the complete rows, so many at once that there are some."""
    for start in range(0, len(x), ROWS_AT_ONCE):
        here = slice(start, start + ROWS_AT_ONCE)
        if whole[here].any():
            yield x[here][whole[here]]


def _table(values: npt.ArrayLike) -> FloatArray:
    x = _numbers(values, "values")
    if x.ndim != 2:
        raise StatisticsError("values must be a table: a row a respondent, a column an item")
    return x


def _numbers(values: npt.ArrayLike, name: str) -> FloatArray:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name} must be numbers, NaN where missing") from error
    # They pass over what is missing, without a copy.
    if x.size and max(np.fmax.reduce(x, axis=None), -np.fmin.reduce(x, axis=None)) > LARGEST:
        raise StatisticsError(f"{name} must be finite and no larger than {LARGEST:g}")
    return x
