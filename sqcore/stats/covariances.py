"""The checks that every method on a covariance matrix shares."""

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray, finite
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

LARGEST = 1e100
"""Beyond it squares leave the range of the numbers."""
ROUNDING = 1e-8
FLAT = 1e-14
"""A variance so small beside the largest one is rounding."""
SINGULAR = 1e-10
"""The smallest eigenvalue of a correlation matrix that can still be turned round."""


def covariance_matrix(values: npt.ArrayLike, n: int) -> FloatArray:
    """Return the covariance matrix, or refuse what cannot be one.

    values: shape (P, P), P >= 1; n: respondents behind it, >= 0
    raises: StatisticsError unless it is square, finite, symmetric and without a combination of
        columns whose variance is below 0

    >>> covariance_matrix([[2, 1], [1, 2]], 30).tolist()
    [[2.0, 1.0], [1.0, 2.0]]
    """
    c = finite(values, "the covariance")
    if c.ndim != 2 or c.shape[0] != c.shape[1] or not c.size:
        raise StatisticsError("the covariance must be square, with a row and column an item")
    if n < 0:
        raise StatisticsError("n cannot be negative")
    largest = float(np.abs(c).max())
    if largest > LARGEST:
        raise StatisticsError("the covariance has a value too large to be squared")
    if np.abs(c - c.T).max() > ROUNDING * largest:
        raise StatisticsError("the covariance must be symmetric")
    if largest and float(np.linalg.eigvalsh(c / largest)[0]) < -ROUNDING * len(c):
        raise StatisticsError("this is no covariance: a combination of items varies less than 0")
    return np.asarray((c + c.T) / 2.0)


def varying(covariance: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which items vary at all, shape (P,).

    >>> varying(np.array([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [True, False]
    """
    variance = np.diag(covariance)
    return np.asarray(variance > FLAT * variance.max(), dtype=np.bool_)


def correlation_matrix(covariance: FloatArray) -> tuple[FloatArray, MethodStatus]:
    """Return the correlations and whether they can be turned round.

    covariance: as `covariance_matrix` returns it
    returns: (P, P) and ok; zero_variance with an empty matrix if an item does not vary;
        singular if some items follow from others

    >>> correlation_matrix(np.array([[4.0, 1.0], [1.0, 1.0]]))[0].tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    if not varying(covariance).all():
        return np.zeros((0, 0)), MethodStatus.ZERO_VARIANCE
    spread = np.sqrt(np.diag(covariance))
    r = covariance / spread[:, None] / spread[None, :]
    np.fill_diagonal(r, 1.0)
    if float(np.linalg.eigvalsh(r)[0]) < SINGULAR:
        return r, MethodStatus.SINGULAR
    return r, MethodStatus.OK
