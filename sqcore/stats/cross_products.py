"""Sums of squares and products of complete rows, in buckets: covariances and their jackknife.

Everything that needs covariances only (reliability, factor fit, drivers) starts here, and gets its
uncertainty by leaving out one bucket of respondents after another. docs/methods/cross-products.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray, IntArray, finite, int64s
from sqcore.stats.errors import StatisticsError

BUCKETS = 50
"""Enough for a steady jackknife, few enough to keep beside each other."""
ROWS_AT_ONCE = 1 << 16
LARGEST, HEAVIEST = 1e50, 1e20
"""Beyond them sums of squares leave the range of the numbers."""


@dataclass(frozen=True)
class CrossProducts:
    """Sums over complete rows of P columns in B buckets.

    n: rows, shape (B,); weight: their summed weights, (B,), and squares: of the squared weights;
    sums: (B, P); products: (B, P, P), all of weighted values. left_out: rows with a value missing.
    """

    n: IntArray
    weight: FloatArray
    squares: FloatArray
    sums: FloatArray
    products: FloatArray
    left_out: int

    @property
    def rows(self) -> int:
        return int(self.n.sum())

    @property
    def effective(self) -> float:
        """Kish's effective number of rows: all of them where weights are alike."""
        squares = float(self.squares.sum())
        return float(self.weight.sum()) ** 2 / squares if squares else 0.0

    @property
    def mean(self) -> FloatArray:
        """Return the mean of each column, shape (P,).

        raises: StatisticsError without rows
        """
        if not self.rows:
            raise StatisticsError("a mean needs a row")
        return np.asarray(self.sums.sum(axis=0) / self.weight.sum())

    @property
    def covariance(self) -> FloatArray:
        """Return the covariance of all buckets, shape (P, P), divided by n - 1.

        raises: StatisticsError with fewer than two rows
        """
        return _covariance(self.n.sum(), self.weight.sum(), self.sums.sum(0), self.products.sum(0))

    def leave_one_out(self) -> tuple[IntArray, FloatArray]:
        """Return the rows left and the covariance, (K,) and (K, P, P), without each of the K
        buckets that have rows; buckets whose rest has fewer than two rows are left out."""
        kept = np.flatnonzero((self.n > 0) & (self.n.sum() - self.n > 1))
        n = self.n.sum() - self.n[kept]
        each = [
            _covariance(
                self.n.sum() - self.n[b],
                self.weight.sum() - self.weight[b],
                self.sums.sum(0) - self.sums[b],
                self.products.sum(0) - self.products[b],
            )
            for b in kept
        ]
        size = self.sums.shape[1]
        return n, np.array(each).reshape(len(kept), size, size)


def cross_products(
    values: npt.ArrayLike,
    *,
    bucket: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    buckets: int = BUCKETS,
) -> CrossProducts:
    """Return the sums of the complete rows.

    values: shape (N, P), NaN where missing. bucket: of each row, 0 to buckets - 1; all 0 if not
    given. weights: more than 0, each row's; 1 if not given.
    raises: StatisticsError for infinite values and such as cannot be squared, weights not above
        0, buckets out of range or not whole

    >>> found = cross_products([[1, 2], [3, 4], [5, 9], [float("nan"), 1]])
    >>> found.rows, found.left_out, found.covariance.tolist()
    (3, 1, [[4.0, 7.0], [7.0, 13.0]])
    """
    x = _table(values)
    owner = np.zeros(len(x), dtype=np.int64) if bucket is None else int64s(bucket, "bucket")
    w = np.ones(len(x)) if weights is None else finite(weights, "weights")
    if owner.shape != (len(x),) or w.shape != (len(x),):
        raise StatisticsError("bucket and weights must have one entry a row")
    if len(x) and (owner.min() < 0 or owner.max() >= buckets):
        raise StatisticsError(f"buckets must be 0 to {buckets - 1}")
    if ((w < 1.0 / HEAVIEST) | (w > HEAVIEST)).any():
        raise StatisticsError(f"weights must be above 0 and no more than {HEAVIEST:g}")
    size = x.shape[1]
    found = CrossProducts(
        n=np.zeros(buckets, dtype=np.int64),
        weight=np.zeros(buckets),
        squares=np.zeros(buckets),
        sums=np.zeros((buckets, size)),
        products=np.zeros((buckets, size, size)),
        left_out=0,
    )
    # Block by block: a million rows take no more room beside them than some thousand.
    for start in range(0, len(x), ROWS_AT_ONCE):
        here = slice(start, start + ROWS_AT_ONCE)
        found = _with_rows(found, x[here], owner[here], w[here])
    return found


def _with_rows(
    before: CrossProducts, x: FloatArray, owner: IntArray, w: FloatArray
) -> CrossProducts:
    whole = ~np.isnan(x).any(axis=1)
    in_order = np.flatnonzero(whole)[np.argsort(owner[whole], kind="stable")]
    x, owner, w = x[in_order], owner[in_order], w[in_order]
    buckets = len(before.n)
    n = np.bincount(owner, minlength=buckets).astype(np.int64)
    weighted = x * w[:, None]
    sums, products = before.sums.copy(), before.products.copy()
    ends = np.cumsum(n)
    for b in np.flatnonzero(n):
        here = slice(ends[b] - n[b], ends[b])
        sums[b] += weighted[here].sum(axis=0)
        products[b] += weighted[here].T @ x[here]
    return CrossProducts(
        n=before.n + n,
        weight=before.weight + np.bincount(owner, weights=w, minlength=buckets),
        squares=before.squares + np.bincount(owner, weights=w * w, minlength=buckets),
        sums=sums,
        products=products,
        left_out=before.left_out + int((~whole).sum()),
    )


def _table(values: npt.ArrayLike) -> FloatArray:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("values must be numbers, NaN where missing") from error
    if x.ndim != 2 or not _is_within(x, LARGEST):
        raise StatisticsError(f"values must be a table of numbers up to {LARGEST:g}")
    return x


def _is_within(x: FloatArray, largest: float) -> bool:
    """Whether all that is known lies between -largest and largest."""
    if not x.size:
        return True
    # They pass over what is missing, without a copy; of nothing else they give -largest.
    highest = np.fmax.reduce(x, axis=None, initial=-largest)
    return bool(highest <= largest and np.fmin.reduce(x, axis=None, initial=largest) >= -largest)


def _covariance(n: int, weight: float, sums: FloatArray, products: FloatArray) -> FloatArray:
    if n < 2:
        raise StatisticsError("a covariance needs at least two rows")
    # Of whole numbers the difference is exact; only then is it divided.
    centred = weight * products - np.outer(sums, sums)
    return np.asarray(centred / (weight * weight) * (n / (n - 1)))
