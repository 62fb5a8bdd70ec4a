"""What an outcome hangs on: how much of its spread goes with each of several related drivers.

Everything is computed from a covariance matrix whose last column is the outcome, and is uncertain
by leaving out one bucket of respondents after another. docs/methods/drivers.md
"""

from dataclasses import dataclass
from math import factorial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray, IntArray, confidence_level, finite
from sqcore.stats.cross_products import CrossProducts
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus

Method = Literal["relative", "shapley"]

EXACT_UP_TO = 14
"""So many drivers have all their orders counted by way of their subsets; more are sampled."""
DRAWS = 4096
JACKKNIFE_DRAWS = 64
"""Of the same orders: what differs between two covariances in the same orders is nearly exact."""
ROWS_A_DRIVER = 10
INFLATED = 10.0
"""From this variance inflation on the drivers repeat each other too much for a steady order."""

_LEAST_EIGENVALUE = 1e-10
_NOTHING = 1e-12


@dataclass(frozen=True)
class Drivers:
    """How much of what the drivers explain together goes to each of P drivers.

    parts: the share of each in r2, 0..1, sum 1, with its jackknife interval. A driver whose
        answers are all alike has none and says so
    signs: 1 where the outcome rises with the driver (alone), -1 where it falls, 0 where neither
    r2: of the outcome's spread the share that goes with all drivers together
    n: complete rows. status: OK, or why there are no parts
    collinear: some driver is told by the others so well that the order of shares is unsteady
    inflation: by how much the others inflate the variance of each slope, 1 without any relation;
        0 for a driver whose answers are all alike. Empty without parts
    error: the largest standard error that comes of sampling orders; 0 where all were counted
    """

    parts: tuple[Figure, ...]
    signs: tuple[int, ...]
    r2: Figure
    n: int
    status: MethodStatus
    collinear: bool = False
    inflation: tuple[float, ...] = ()
    error: float = 0.0


class Shapley(NamedTuple):
    """parts (P,) sum to R2; error (P,): the standard error of each from sampling, 0 if exact."""

    parts: FloatArray
    error: FloatArray


def relative_weights(covariance: npt.ArrayLike) -> FloatArray:
    """Return how much of R2 goes to each driver, by Johnson's relative weights.

    covariance: shape (P + 1, P + 1), the outcome last; any scale (a correlation matrix does)
    returns: shape (P,), each 0 or more; they sum to R2
    raises: StatisticsError if it is no covariance matrix, a column does not vary, or some
        drivers follow from others
    source: Johnson 2000, Multivariate Behavioral Research 35(1):1-19,
        doi:10.1207/S15327906MBR3501_1; equal to Genizi 1993, Statistica Sinica 3:407-420

    >>> relative_weights([[1, 0.5, 0.6], [0.5, 1, 0.6], [0.6, 0.6, 1]]).round(3).tolist()
    [0.24, 0.24]
    """
    among, towards = _correlations(covariance)
    return np.asarray(_relative(among[None], towards[None])[0])


def shapley(covariance: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 1) -> Shapley:
    """Return how much of R2 goes to each driver: what it adds, averaged over all orders.

    covariance: as in `relative_weights`
    draws: so many orders are drawn, in pairs of an order and its reverse, where there are more
        than EXACT_UP_TO drivers; at least 4
    returns: Shapley; the parts sum to R2 exactly, also where orders are drawn
    raises: StatisticsError as in `relative_weights`
    source: Lindeman, Merenda, Gold 1980; Grömping 2006, doi:10.18637/jss.v017.i01

    >>> shapley([[1, 0.5, 0.6], [0.5, 1, 0.6], [0.6, 0.6, 1]]).parts.round(3).tolist()
    [0.24, 0.24]
    """
    among, towards = _correlations(covariance)
    size = len(towards)
    if size <= EXACT_UP_TO:
        return Shapley(_all_orders(among, towards), np.zeros(size))
    added = _in_orders(among[None], towards[None], _orders(size, draws, seed))[0]
    return Shapley(added.mean(axis=0), _error(added))


def drivers(
    products: CrossProducts,
    *,
    method: Method = "relative",
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 1,
) -> Drivers:
    """Return what the outcome hangs on, with intervals.

    products: at least two columns, the outcome last. Intervals need rows in several buckets
    method: "relative" (Johnson) or "shapley" (average over orders); they rarely differ by much
    confidence: in (0, 1). draws, seed: as in `shapley`
    returns: Drivers. INSUFFICIENT_N with fewer than 10 (effective) rows for each driver that
        varies; ZERO_VARIANCE where the outcome or every driver is the same for all; SINGULAR
        where some drivers follow from others; NOT_APPLICABLE where nothing is explained
    raises: StatisticsError for wrong arguments or numbers too large to be squared
    assumes: straight relations; independent respondents. It says what goes together, not what
        would happen if a driver were changed
    source: as the two functions above. Intervals: jackknife by unequal groups, Busing, Meijer,
        van der Leeden 1999, doi:10.1023/A:1008800423698, on the scale arcsin sqrt(share)

    >>> from sqcore.stats.cross_products import cross_products
    >>> rng = np.random.default_rng(3)
    >>> x = rng.normal(size=(400, 2))
    >>> y = 2 * x[:, 0] - x[:, 1] + rng.normal(size=400)
    >>> rows = np.column_stack([x, y])
    >>> found = drivers(cross_products(rows, bucket=np.arange(400) % 20, buckets=20))
    >>> [round(part.value, 2) for part in found.parts], found.signs
    ([0.79, 0.21], (1, -1))
    """
    confidence_level(confidence)
    if method not in ("relative", "shapley"):
        raise StatisticsError("method must be relative or shapley")
    size = products.sums.shape[1] - 1
    if size < 1:
        raise StatisticsError("there must be a driver and an outcome")
    kept, status = _usable(products)
    if status is not MethodStatus.OK:
        return _none(size, status, Figure.none(status, n=products.rows))
    among, towards = _scaled(_spread(products)[np.ix_(kept, kept)])
    rest, each, to_each = _left_out(products, kept)
    if method == "relative":
        found = _by_relative(among, towards, each, to_each)
    elif len(towards) <= EXACT_UP_TO:
        found = _by_all_orders(among, towards, each, to_each)
    else:
        found = _by_some_orders(among, towards, each, to_each, _orders(len(towards), draws, seed))
    total = float(found.used.sum())
    sure = _Jackknife(products.rows, rest, confidence)
    r2 = sure.figure(total, total, found.others.sum(axis=1))
    if total < _NOTHING:
        return _none(size, MethodStatus.NOT_APPLICABLE, r2)
    parts = [Figure.none(MethodStatus.ZERO_VARIANCE, n=products.rows)] * size
    signs, inflation = [0] * size, [0.0] * size
    factors = np.diag(np.linalg.inv(among))
    shares = found.others / np.maximum(found.others.sum(axis=1, keepdims=True), _NOTHING)
    for at, column in enumerate(kept[:-1]):
        parts[column] = sure.figure(found.shown[at] / total, found.used[at] / total, shares[:, at])
        signs[column] = int(np.sign(towards[at])) if abs(towards[at]) > _NOTHING else 0
        inflation[column] = float(factors[at])
    return Drivers(
        parts=tuple(parts),
        signs=tuple(signs),
        r2=r2,
        n=products.rows,
        status=MethodStatus.OK,
        collinear=bool(factors.max() > INFLATED),
        inflation=tuple(inflation),
        error=found.error / total,
    )


def _none(size: int, status: MethodStatus, r2: Figure) -> Drivers:
    return Drivers((Figure.none(status, n=r2.n),) * size, (0,) * size, r2, r2.n, status)


# ---- What can be told apart ----------------------------------------------------------------------


def _usable(products: CrossProducts) -> tuple[IntArray, MethodStatus]:
    """Return the columns that vary, the outcome last, and whether they can be told apart."""
    nothing = np.zeros(0, dtype=np.int64)
    if products.rows < 2:
        return nothing, MethodStatus.INSUFFICIENT_N
    covariance = _spread(products)
    # What is left of a column of equal numbers after rounding is far below its squared mean.
    varies = np.diag(covariance) > _NOTHING * products.mean**2
    kept = np.flatnonzero(varies)
    if not varies[-1] or len(kept) < 2:
        return nothing, MethodStatus.ZERO_VARIANCE
    if products.effective < ROWS_A_DRIVER * (len(kept) - 1) - 1e-9:
        return nothing, MethodStatus.INSUFFICIENT_N
    among, _towards = _scaled(covariance[np.ix_(kept, kept)])
    if _is_singular(among):
        return nothing, MethodStatus.SINGULAR
    return kept, MethodStatus.OK


def _spread(products: CrossProducts) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        covariance = products.covariance
    if not np.isfinite(covariance).all():
        raise StatisticsError("the values are too large to be squared")
    return covariance


def _correlations(covariance: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the correlations among the drivers and with the outcome, or refuse."""
    c = finite(covariance, "covariance")
    if c.ndim != 2 or c.shape[0] != c.shape[1] or len(c) < 2:
        raise StatisticsError("covariance must be square, with a driver and the outcome")
    if (np.diag(c) <= 0).any():
        raise StatisticsError("every column must vary")
    if not np.allclose(c, c.T, rtol=1e-9, atol=1e-12 * float(np.abs(c).max())):
        raise StatisticsError("covariance must be symmetric")
    among, towards = _scaled(c)
    if _is_singular(among):
        raise StatisticsError("some drivers follow from others: their parts cannot be told apart")
    if float(towards @ np.linalg.solve(among, towards)) > 1 + 1e-9:
        raise StatisticsError("these numbers are no covariance matrix")
    return among, towards


def _scaled(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return correlations of covariances, (..., P + 1, P + 1): (..., P, P) and (..., P)."""
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    r = covariance / sd[..., :, None] / sd[..., None, :]
    return np.asarray(r[..., :-1, :-1]), np.asarray(r[..., :-1, -1])


def _is_singular(among: FloatArray) -> bool:
    return bool(np.linalg.eigvalsh(among).min() < _LEAST_EIGENVALUE)


# ---- The two ways of sharing out -----------------------------------------------------------------


def _relative(among: FloatArray, towards: FloatArray) -> FloatArray:
    """(K, P, P), (K, P) -> (K, P): share out by way of the nearest uncorrelated drivers."""
    values, vectors = np.linalg.eigh(among)
    root = (vectors * np.sqrt(values)[:, None, :]) @ vectors.swapaxes(1, 2)
    slopes = np.linalg.solve(root, towards[:, :, None])[:, :, 0]
    return np.asarray(((root**2) @ (slopes**2)[:, :, None])[:, :, 0])


def _all_orders(among: FloatArray, towards: FloatArray) -> FloatArray:
    """(P, P), (P,) -> (P,): what each adds over all orders, from R2 of every subset.

    One driver after another is either left out or taken into account, so that the states double
    while the matrices that are still to be looked at shrink: 2^P times a few steps in all.
    """
    size = len(towards)
    states = np.empty((1, size + 1, size + 1))
    states[0, :-1, :-1], states[0, -1, -1] = among, 1.0
    states[0, :-1, -1] = states[0, -1, :-1] = towards
    taken = np.zeros(1, dtype=np.int64)
    for _driver in range(size):
        with_it, rest = states[:, 0, 1:], states[:, 1:, 1:]
        slope = with_it / states[:, 0, :1]
        states = np.concatenate([rest, rest - with_it[:, :, None] * slope[:, None, :]])
        taken = np.concatenate([taken, taken + 1])
    explained = 1.0 - states[:, 0, 0]
    # An order has the subset S before i with the chance |S|! (P - |S| - 1)! / P!.
    ways = [factorial(s) * factorial(size - s - 1) / factorial(size) for s in range(size)]
    before, after = np.array([*ways, 0.0])[taken], np.array([0.0, *ways])[taken]
    without = float(before @ explained)
    worth = (before + after) * explained
    parts = np.empty(size)
    for at in reversed(range(size)):
        halves = worth.reshape(2, -1)
        parts[at] = halves[1].sum() - without
        worth = halves.sum(axis=0)
    return np.maximum(parts, 0.0)


def _orders(size: int, draws: int, seed: int) -> IntArray:
    """Return drawn orders and, as the second half, their reverses."""
    if draws < 4:
        raise StatisticsError("at least 4 orders must be drawn")
    drawn = np.random.default_rng(seed).random(((draws + 1) // 2, size)).argsort(axis=1)
    return np.concatenate([drawn, drawn[:, ::-1]])


def _in_orders(among: FloatArray, towards: FloatArray, orders: IntArray) -> FloatArray:
    """(K, P, P), (K, P), (D, P) -> (K, D, P): what each driver adds in each order.

    In the Cholesky factor of drivers in an order, with the outcome as the last row, the squares of
    that row are what one driver after another adds to R2.
    """
    count, size = towards.shape
    tables = np.full((count, len(orders), size + 1, size + 1), 2.0)
    tables[..., :-1, :-1] = among[:, orders[:, :, None], orders[:, None, :]]
    tables[..., -1, :-1] = tables[..., :-1, -1] = towards[:, orders]
    added = np.linalg.cholesky(tables)[..., -1, :-1] ** 2
    found = np.empty_like(added)
    np.put_along_axis(found, np.broadcast_to(orders, added.shape), added, axis=2)
    return found


# ---- How sure it is ------------------------------------------------------------------------------


class _Shared(NamedTuple):
    """shown (P,): the parts to be told; used (P,) and others (K, P): the parts of all rows and
    without each of K buckets, both from the same orders; error: of sampling orders."""

    shown: FloatArray
    used: FloatArray
    others: FloatArray
    error: float = 0.0


def _left_out(products: CrossProducts, kept: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return which share of the rows stays without each of K buckets, (K,), and the correlations
    then. None at all where one of them could not be split up: then nothing tells how sure it is."""
    n, covariances = products.leave_one_out()
    chosen = covariances[:, kept[:, None], kept]
    at_all = np.diagonal(products.covariance)[kept]
    varies = (np.diagonal(chosen, axis1=1, axis2=2) > _NOTHING * at_all).all()
    if len(n) and varies:
        among, towards = _scaled(chosen)
        if not _is_singular(among):
            return n / products.rows, among, towards
    size = len(kept) - 1
    return np.zeros(0), np.zeros((0, size, size)), np.zeros((0, size))


def _by_relative(
    among: FloatArray, towards: FloatArray, each: FloatArray, to_each: FloatArray
) -> _Shared:
    whole = _relative(among[None], towards[None])[0]
    return _Shared(whole, whole, _relative(each, to_each))


def _by_all_orders(
    among: FloatArray, towards: FloatArray, each: FloatArray, to_each: FloatArray
) -> _Shared:
    whole = _all_orders(among, towards)
    others = [_all_orders(one, its) for one, its in zip(each, to_each, strict=True)]
    return _Shared(whole, whole, np.array(others).reshape(to_each.shape))


def _by_some_orders(
    among: FloatArray, towards: FloatArray, each: FloatArray, to_each: FloatArray, orders: IntArray
) -> _Shared:
    added = _in_orders(among[None], towards[None], orders)[0]
    half = len(orders) // 2
    chosen = np.r_[: min(half, JACKKNIFE_DRAWS // 2)]
    chosen = np.concatenate([chosen, chosen + half])
    others = [
        _in_orders(one[None], its[None], orders[chosen])[0].mean(axis=0)
        for one, its in zip(each, to_each, strict=True)
    ]
    return _Shared(
        added.mean(axis=0),
        added[chosen].mean(axis=0),
        np.array(others).reshape(to_each.shape),
        float(_error(added).max()),
    )


def _error(added: FloatArray) -> FloatArray:
    """(D, P) -> (P,): the standard error of the mean over drawn orders and their reverses."""
    half = len(added) // 2
    pairs = (added[:half] + added[half:]) / 2
    return np.asarray(pairs.std(axis=0, ddof=1) / np.sqrt(half))


class _Jackknife(NamedTuple):
    """How sure a share is, from what it becomes without each bucket."""

    n: int
    rest: FloatArray
    confidence: float

    def figure(self, shown: float, used: float, others: FloatArray) -> Figure:
        value = min(max(float(shown), 0.0), 1.0)
        if len(others) < 2:
            return Figure(value, None, None, self.n)
        moved = _angle(used) - _angle(others)
        # Buckets are of unequal size: each deviation counts by what its bucket weighs.
        odds = self.rest / (1.0 - self.rest)
        pseudo = odds * moved - float(self.rest @ moved)
        se = float(np.sqrt((pseudo**2 / odds).mean()))
        half = se * float(special.stdtrit(len(others) - 1, 0.5 + self.confidence / 2))
        at = float(_angle(value))
        low, high = np.sin(np.clip([at - half, at + half], 0.0, np.pi / 2)) ** 2
        return Figure(value, min(float(low), value), max(float(high), value), self.n)


def _angle(share: npt.ArrayLike) -> FloatArray:
    """Return a scale on which the spread of a share hardly depends on the share."""
    return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))))
