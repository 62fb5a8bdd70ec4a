"""How much a result moves with what staff cannot influence, and results put right by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    dense_codes,
    finite,
    int64s,
    shaped,
    squarable,
)
from sqcore.stats.errors import StatisticsError


@dataclass(frozen=True, eq=False)
class CaseMix:
    """How much a result moves with what staff cannot influence.

    factors: names; coefficients, standard_errors: shape (F,), 0 where not identified
    identified: bool, shape (F,): whether the factor varies within people, other than as the
        factors before it
    n: answers; persons: with answers
    """

    factors: list[str]
    coefficients: FloatArray
    standard_errors: FloatArray
    identified: BoolArray
    n: int
    persons: int


def case_mix(
    values: npt.ArrayLike,
    person: npt.ArrayLike,
    factors: npt.ArrayLike,
    *,
    names: Sequence[str] | None = None,
) -> CaseMix:
    """Return how the values move with the factors within people.

    values: shape (N,); person: shape (N,), codes >= 0
    factors: shape (N, F), only what staff cannot influence: channel, service, hour, segment
    names: of the factors; None: their numbers
    returns: CaseMix. Least squares with a level of their own for each person, so that good
        people who serve hard customers do not make these look easy; the standard errors allow
        answers of a person to hang together
    raises: StatisticsError if shapes differ or a number is not finite
    assumes: the factors move the answers of all people alike
    source: fixed effects, Wooldridge 2010, Econometric Analysis of Cross Section and Panel Data,
        10.5; its standard errors by Arellano 1987, doi:10.1111/j.1468-0084.1987.mp49004006.x

    >>> mix = case_mix([5, 4, 3, 2], [0, 0, 1, 1], [[0], [1], [0], [1]], names=["complaint"])
    >>> mix.coefficients.tolist(), mix.identified.tolist()
    ([-1.0], [True])
    """
    y, x = finite(values, "values"), finite(factors, "factors")
    if y.ndim != 1 or x.ndim != 2:
        raise StatisticsError("values must be a list and factors a table")
    squarable(y, "values")
    squarable(x, "factors")
    shaped(x, (len(y), x.shape[1]), "factors")
    titles = [str(at) for at in range(x.shape[1])] if names is None else list(names)
    if len(titles) != x.shape[1]:
        raise StatisticsError("there must be a name for each factor")
    raw = int64s(person, "person")
    shaped(raw, y.shape, "person")
    code, persons = dense_codes(raw)
    inside, levels = _within(x, code, persons), _within(y[:, None], code, persons)[:, 0]
    identified = _identified(inside, x)
    beta, error = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    if identified.any():
        part = inside[:, identified]
        beta[identified], error[identified] = _least_squares(part, levels, code, persons)
    return CaseMix(titles, beta, error, identified, len(y), persons)


def _within(table: FloatArray, code: IntArray, persons: int) -> FloatArray:
    """Return the columns with the mean of each person taken out."""
    n = np.maximum(np.bincount(code, minlength=persons), 1)
    out = np.empty_like(table)
    for at in range(table.shape[1]):
        column = table[:, at]
        out[:, at] = column - (np.bincount(code, column, minlength=persons) / n)[code]
    return out


def _identified(inside: FloatArray, table: FloatArray) -> BoolArray:
    """Whether each column has something of its own, beside the columns before it."""
    found = np.zeros(inside.shape[1], dtype=bool)
    basis: list[FloatArray] = []
    for at in range(inside.shape[1]):
        column = inside[:, at]
        length = float(np.linalg.norm(column))
        if length <= 1e-9 * float(np.linalg.norm(table[:, at])):
            continue
        # Twice, as once leaves the rounding of nearly equal columns.
        rest = column / length
        for _ in range(2):
            for known in basis:
                rest = rest - (known @ rest) * known
        own = float(np.linalg.norm(rest))
        if own > 1e-7:
            found[at] = True
            basis.append(rest / own)
    return found


def _least_squares(
    x: FloatArray, y: FloatArray, code: IntArray, persons: int
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and standard errors that are clustered by person."""
    scale = np.linalg.norm(x, axis=0)
    unit = x / scale
    inverse = np.linalg.inv(unit.T @ unit)
    beta = inverse @ (unit.T @ y)
    residual = y - unit @ beta
    scores = np.stack(
        [np.bincount(code, unit[:, at] * residual, minlength=persons) for at in range(x.shape[1])],
        axis=1,
    )
    correction = persons / max(persons - 1, 1)
    covariance = correction * inverse @ (scores.T @ scores) @ inverse
    return beta / scale, np.sqrt(np.maximum(np.diag(covariance), 0.0)) / scale


def adjusted(
    values: npt.ArrayLike,
    factors: npt.ArrayLike,
    mix: CaseMix,
    reference_means: npt.ArrayLike,
) -> FloatArray:
    """Return the values as if everybody had served the same mix.

    values: shape (N,), answers, or the means of people with the means of their factors
    factors: shape (N, F); reference_means: shape (F,), the mix of all
    returns: values - sum of coefficient (factor - reference), shape (N,)
    raises: StatisticsError if shapes differ or a number is not finite
    source: docs/methods/results-of-staff.md

    >>> mix = CaseMix(["complaint"], np.array([-0.6]), np.array([0.1]), np.array([True]), 900, 30)
    >>> adjusted([4.10], [[0.35]], mix, [0.20]).round(2).tolist()
    [4.19]
    """
    y, x = finite(values, "values"), finite(factors, "factors")
    reference = finite(reference_means, "reference_means")
    shaped(y, (y.size,), "values")
    shaped(x, (y.size, len(mix.factors)), "factors")
    shaped(reference, (len(mix.factors),), "reference_means")
    for array, name in ((y, "values"), (x, "factors"), (reference, "reference_means")):
        squarable(array, name)
    moved: FloatArray = y - (x - reference) @ mix.coefficients
    return moved
