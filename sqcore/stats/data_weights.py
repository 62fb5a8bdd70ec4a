"""Weights from the figures of units (entropy, CRITIC), and two sets of weights made one."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray, chosen, finite, shaped
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

FEWEST = 2
CONSTANT = 1e-12
"""A column that spreads by less than this share of its size is constant."""
ALIKE = 1e-12
"""Correlations that differ from 1 by less leave no conflict."""


@dataclass(frozen=True, eq=False)
class DataWeights:
    """Weights of columns, summing to 1, and what they were computed from.

    weights: shape (p,), or None where there are none; where all columns are constant they are
        equal, and the status is ZERO_VARIANCE
    spread: shape (p,), what a column tells apart: 1 - entropy, or the standard deviation of its
        scaled values; 0 of a constant column
    conflict: shape (p,), the sum of 1 - r with the others (CRITIC only, else None)
    n: rows without a gap; left_out: rows with one
    There is no interval: the rows are all units that there are, not a sample.
    """

    weights: FloatArray | None
    spread: FloatArray
    conflict: FloatArray | None
    n: int
    left_out: int
    status: MethodStatus = MethodStatus.OK


class Combination(StrEnum):
    """How two sets of weights become one."""

    ADDITIVE = "additive"
    MULTIPLICATIVE = "multiplicative"
    GEOMETRIC = "geometric"


@dataclass(frozen=True, eq=False)
class Combined:
    """Weights of shape (p,) that sum to 1; None when no part has a weight in both sets."""

    weights: FloatArray | None
    status: MethodStatus = MethodStatus.OK


def entropy_weights(values: npt.ArrayLike) -> DataWeights:
    """Return weights by how unevenly each column is shared out among the rows.

    values: shape (n units, p parts), >= 0 with a true zero and all in the same direction; NaN where
        a unit has no figure: that unit is left out
    returns: weights (1 - e_j) / sum, e_j = -sum p ln p / ln n. Fewer than two units:
        INSUFFICIENT_N; negative values: NOT_APPLICABLE, as shares of a sum need a true zero; all
        columns constant: equal weights and ZERO_VARIANCE
    raises: StatisticsError if values are no table or infinite
    assumes: spread among units is what shall count. It is not what matters to customers
    source: Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x; Zeleny 1982, Multiple Criteria
        Decision Making, ch. 7

    >>> entropy_weights([[1, 2], [4, 16]]).weights.round(4).tolist()
    [0.3589, 0.6411]
    """
    table, left_out = _complete(values)
    n, p = table.shape
    nothing = np.zeros(p)
    if n < FEWEST:
        return DataWeights(None, nothing, None, n, left_out, MethodStatus.INSUFFICIENT_N)
    if (table < 0).any():
        return DataWeights(None, nothing, None, n, left_out, MethodStatus.NOT_APPLICABLE)
    spread = np.array([0.0 if _is_constant(column) else _information(column) for column in table.T])
    if not spread.any():
        return DataWeights(_equal(p), spread, None, n, left_out, MethodStatus.ZERO_VARIANCE)
    return DataWeights(spread / spread.sum(), spread, None, n, left_out)


def critic_weights(values: npt.ArrayLike) -> DataWeights:
    """Return weights by how much a column spreads and how little the others say the same (CRITIC).

    values: shape (n units, p parts), all in the direction in which more is better; NaN where a unit
        has no figure: that unit is left out
    returns: weights C_j / sum, C_j = s_j sum_k (1 - r_jk) with s_j and r of the values scaled to
        0..1. A constant column has the weight 0 and enters no correlation. Fewer than two units:
        INSUFFICIENT_N; fewer than two columns that spread: equal weights and ZERO_VARIANCE;
        columns that all say the same: equal weights and SINGULAR
    raises: StatisticsError if values are no table or infinite
    assumes: as `entropy_weights`; least and greatest unit set the scale, so one unit can move it
    source: Diakoulaki, Mavrotas, Papayannakis 1995, doi:10.1016/0305-0548(94)00059-H

    >>> critic_weights([[0, 0, 1], [1, 1, 0], [2, 3, 0]]).weights.round(3).tolist()
    [0.239, 0.229, 0.531]
    """
    table, left_out = _complete(values)
    n, p = table.shape
    if n < FEWEST:
        few = MethodStatus.INSUFFICIENT_N
        return DataWeights(None, np.zeros(p), np.zeros(p), n, left_out, few)
    varying = np.array([not _is_constant(column) for column in table.T], dtype=bool)
    spread, conflict = np.zeros(p), np.zeros(p)
    if varying.sum() < 2 and p > 1:
        flat = MethodStatus.ZERO_VARIANCE
        return DataWeights(_equal(p), spread, conflict, n, left_out, flat)
    if p == 1:
        alone = MethodStatus.OK if varying.any() else MethodStatus.ZERO_VARIANCE
        return DataWeights(np.ones(1), spread, conflict, n, left_out, alone)
    scaled = np.array([_scaled(column) for column in table.T[varying]])
    spread[varying] = scaled.std(axis=1, ddof=1)
    apart = 1 - np.clip(np.corrcoef(scaled), -1.0, 1.0)
    conflict[varying] = np.where(apart < ALIKE, 0.0, apart).sum(axis=1)
    told = spread * conflict
    if not told.any():
        return DataWeights(_equal(p), spread, conflict, n, left_out, MethodStatus.SINGULAR)
    return DataWeights(told / told.sum(), spread, conflict, n, left_out)


def combine(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    how: Combination = Combination.ADDITIVE,
    theta: float = 0.5,
) -> Combined:
    """Return one set of weights from two.

    first, second: shape (p,), >= 0, not all 0; each is scaled to the sum 1 first
    how: theta a + (1 - theta) b; ab / sum ab; or sqrt(ab) / sum sqrt(ab), which is nearest to both
        by the mean of the two divergences of Kullback and Leibler
    theta: share of the first in [0, 1]; only of the additive one
    returns: weights that sum to 1. By product, when no part has a weight in both: NOT_APPLICABLE
    raises: StatisticsError for other shapes, negative or infinite weights, all 0, another
        `how`, theta out of range
    source: Kullback and Leibler 1951, doi:10.1214/aoms/1177729694; OECD and JRC 2008, Handbook on
        Constructing Composite Indicators, doi:10.1787/9789264043466-en

    >>> combine([0.6, 0.4], [0.2, 0.8]).weights.round(3).tolist()
    [0.4, 0.6]
    >>> combine([0.6, 0.4], [0.2, 0.8], how=Combination.MULTIPLICATIVE).weights.round(3).tolist()
    [0.273, 0.727]
    """
    chosen(how, Combination, "combination")
    a, b = _unit_sum(first, "the first weights"), _unit_sum(second, "the second weights")
    shaped(b, a.shape, "the second weights")
    if not 0.0 <= theta <= 1.0:
        raise StatisticsError("theta must lie between 0 and 1")
    if how == Combination.ADDITIVE:
        mixed = theta * a + (1 - theta) * b
    else:
        root = np.sqrt(a) * np.sqrt(b)
        mixed = root if how == Combination.GEOMETRIC else root * root
    if mixed.sum() <= 0:
        return Combined(None, MethodStatus.NOT_APPLICABLE)
    return Combined(mixed / mixed.sum())


def _complete(values: npt.ArrayLike) -> tuple[FloatArray, int]:
    """The rows without a gap, and how many have one."""
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("values must be a table of numbers") from error
    if table.ndim != 2 or not table.shape[1]:
        raise StatisticsError("values must have one row a unit and one column a part")
    if np.isinf(table).any():
        raise StatisticsError("values must be finite")
    whole = ~np.isnan(table).any(axis=1)
    return table[whole], int((~whole).sum())


def _is_constant(column: FloatArray) -> bool:
    size = float(np.abs(column).max())
    return bool(float((column / (size or 1.0)).max() - (column / (size or 1.0)).min()) <= CONSTANT)


def _scaled(column: FloatArray) -> FloatArray:
    """0 for the least, 1 for the greatest; divided first, so that nothing huge is subtracted."""
    part = column / np.abs(column).max()
    return np.asarray((part - part.min()) / (part.max() - part.min()), dtype=np.float64)


def _information(column: FloatArray) -> float:
    part = column / column.max()
    share = part / part.sum()
    told = share[share > 0]
    return max(1.0 + float((told * np.log(told)).sum()) / float(np.log(column.size)), 0.0)


def _equal(p: int) -> FloatArray:
    return np.full(p, 1.0 / p)


def _unit_sum(weights: npt.ArrayLike, name: str) -> FloatArray:
    array = finite(weights, name)
    if array.ndim != 1 or not array.size:
        raise StatisticsError(f"{name} must be one number a part")
    if (array < 0).any() or not (array > 0).any():
        raise StatisticsError(f"{name} must not be negative, and not all 0")
    scaled = array / array.max()
    return np.asarray(scaled / scaled.sum(), dtype=np.float64)
