"""Funnels: the limits that a mean of so many answers keeps by chance, and how far they are off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    LARGEST,
    FloatArray,
    IntArray,
    confidence_level,
    divisible,
    finite,
    int64s,
    shaped,
    squarable,
)
from sqcore.stats.errors import StatisticsError

MOST_OF_A_SHARE = 2**31 - 1
"""The binomial distribution takes no more trials."""


@dataclass(frozen=True, eq=False)
class Funnel:
    """Limits that a mean of so many answers keeps by chance; low, high: shape (levels, P)."""

    levels: tuple[float, ...]
    low: FloatArray
    high: FloatArray


def funnel_limits(
    theta: float,
    n: npt.ArrayLike,
    *,
    kind: Literal["proportion", "mean"] = "proportion",
    within: float | None = None,
    levels: Sequence[float] = (0.95, 0.998),
) -> Funnel:
    """Return the limits of a funnel plot. It is a picture, not a verdict.

    theta: value of all; in (0, 1) for shares
    n: shape (P,), answers, whole numbers > 0
    kind: proportion: exact, of the binomial distribution, interpolated; mean: normal
    within: variance within a person, > 0; for means
    levels: each in (0, 1)
    returns: Funnel; shares stay in [0, 1]
    raises: StatisticsError if a number is out of range, or within is missing or not asked for
    assumes: no differences between people but chance; see `overdispersion`
    source: Spiegelhalter 2005, doi:10.1002/sim.1970, appendix A.1

    >>> f = funnel_limits(0.9, [30])
    >>> f.low.round(4).tolist(), f.high.round(4).tolist()
    ([[0.7651], [0.6783]], [[0.9803], [0.9992]])
    """
    size = int64s(n, "n")
    if size.ndim != 1 or (size <= 0).any():
        raise StatisticsError("n must be a list of positive numbers")
    if finite(levels, "levels").ndim != 1:
        raise StatisticsError("levels must be a list")
    tails = np.array([(1.0 - confidence_level(level)) / 2.0 for level in levels])[:, None]
    if kind == "mean":
        if within is None or not -LARGEST <= theta <= LARGEST:
            raise StatisticsError("a funnel of means needs a variance within, and a finite theta")
        divisible(finite(within, "within"), "within")
        half = -special.ndtri(tails) * np.sqrt(within / size)
        return Funnel(tuple(levels), theta - half, theta + half)
    if within is not None or not 0.0 < theta < 1.0:
        raise StatisticsError("theta must lie in (0, 1), and shares have no variance within")
    if (size > MOST_OF_A_SHARE).any():
        raise StatisticsError(f"n of a share must not be beyond {MOST_OF_A_SHARE}")
    low, high = _binomial_limit(tails, size, theta), _binomial_limit(1.0 - tails, size, theta)
    return Funnel(tuple(levels), low, high)


def _binomial_limit(p: FloatArray, n: IntArray, theta: float) -> FloatArray:
    """Return the interpolated quantile of the share, by bisection over all at once."""
    p, size = np.broadcast_arrays(p, n)
    low, high = np.full(p.shape, -1, dtype=np.int64), size.astype(np.int64).copy()
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = special.bdtr(middle.clip(0), size, theta) >= p
        reached &= middle >= 0
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle)
    upto = special.bdtr(high, size, theta)
    before = np.where(high > 0, special.bdtr((high - 1).clip(0), size, theta), 0.0)
    limit: FloatArray = (high - (upto - p) / (upto - before)) / size
    return limit.clip(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Overdispersion:
    """How much more people differ than chance has it.

    phi: mean of the squared, winsorised z; about 1 if there is chance alone
    tau2: the variance between people that explains it, >= 0, in units of the standard errors
    z: the scores with it, shape (P,)
    """

    phi: float
    tau2: float
    z: FloatArray


def overdispersion(
    z: npt.ArrayLike, standard_errors: npt.ArrayLike, *, share: float = 0.1
) -> Overdispersion:
    """Return by how much funnel limits are too narrow, and the scores put right.

    z: shape (P,), P >= 2, the distances from the centre in standard errors
    standard_errors: shape (P,), > 0
    share: which part of the scores at either end is drawn in, in [0, .5)
    returns: Overdispersion; z becomes z / sqrt(1 + tau2 / s^2)
    raises: StatisticsError if shapes differ or a number is out of range
    assumes: most people differ as the model of chance plus one variance has it
    source: Spiegelhalter 2005, doi:10.1002/sim.1970, appendix A.2 and A.3; NHS Digital SHMI,
        as in FunnelPlotR

    >>> z = [-0.7998, 3.0917, 1.1177, -1.675, 1.8232, 0.3333]
    >>> s = 1 / np.sqrt([108, 112, 165, 95, 100, 220])
    >>> found = overdispersion(z, s)
    >>> round(found.phi, 3), round(found.tau2, 5), found.z.round(2).tolist()
    (2.149, 0.01212, [-0.53, 2.01, 0.65, -1.14, 1.23, 0.17])
    """
    score, error = finite(z, "z"), finite(standard_errors, "standard_errors")
    shaped(error, score.shape, "standard_errors")
    if score.ndim != 1 or score.size < 2 or not 0.0 <= share < 0.5:
        raise StatisticsError("z must be a list of at least 2, and share lie in [0, .5)")
    divisible(error, "standard_errors")
    squarable(score, "z")
    low, high = np.quantile(score, [share, 1.0 - share])
    phi = float((score.clip(low, high) ** 2).mean())
    k, w = score.size, error**-2.0
    slope = float(w.sum() - (w * w).sum() / w.sum())
    if slope <= 0.0:
        raise StatisticsError("beside one standard error the others tell nothing")
    tau2 = max(0.0, (k * phi - (k - 1)) / slope)
    return Overdispersion(phi, tau2, score / np.sqrt(1.0 + tau2 * w))
