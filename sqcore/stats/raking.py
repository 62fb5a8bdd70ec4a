"""Weights that make respondents look like all customers, margin by margin.

docs/methods/raking.md
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import FloatArray, IntArray, finite, int64s
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

LOWEST, HIGHEST = 0.3, 3.0
"""No respondent counts less or more than so many times the mean."""
TOLERANCE = 1e-6
ROUNDS = 100


@dataclass(frozen=True)
class Collapsed:
    """A category that customers fall into but no respondent: its target went to the others of its
    margin, in proportion to theirs."""

    margin: int
    category: int
    target: float


@dataclass(frozen=True, eq=False)
class Raked:
    """Weights of N respondents, and what they cost.

    weights: (N,), mean 1; empty without weights, and status says why
    deff: how many times larger variances become than those of as many equal weights, >= 1
    effective: n / deff, the n to use in standard errors
    off: the largest difference left between a margin and its target, as a share; more than the
        tolerance where weights had to be trimmed or the targets contradict each other
    trimmed: the share of respondents at one of the two limits
    collapsed: categories without respondents
    """

    weights: FloatArray
    deff: float | None
    effective: float | None
    off: float | None
    trimmed: float
    collapsed: tuple[Collapsed, ...]
    rounds: int
    has_converged: bool
    n: int
    status: MethodStatus


def rake(
    margins: Sequence[npt.ArrayLike],
    targets: Sequence[npt.ArrayLike],
    *,
    start: npt.ArrayLike | None = None,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    tolerance: float = TOLERANCE,
    rounds: int = ROUNDS,
) -> Raked:
    """Return weights by which the respondents' margins become those of all customers.

    margins: of each margin (age group, channel...) the category of each respondent, (N,), codes
        from 0; targets: of each margin how many customers fall into each category: counts or
        shares, 0 or more
    start: (N,), above 0: weights to start from (how unlikely it was to be asked); None: all alike
    lowest, highest: limits of a weight, in means of the weights; 0 and infinity: no limits
    tolerance: of the margins, as a share of all. rounds: at most so many
    returns: Raked; INSUFFICIENT_N without respondents
    raises: StatisticsError for shapes that do not fit, codes without a target, targets that are
        all 0 or 0 where somebody answered, limits that leave out 1
    assumes: within a category those who answer are like those who do not. What distinguishes them
        otherwise stays in the result, and weights hide it
    source: Deming, Stephan 1940, doi:10.1214/aoms/1177731829; trimming as in Battaglia,
        Hoaglin, Frankel 2009, Survey Practice 2(5); design effect: Kish 1965

    >>> channel, age = [0, 0, 0, 1, 1], [0, 1, 0, 1, 0]
    >>> found = rake([channel, age], [[50, 50], [40, 60]])
    >>> found.weights.round(3).tolist(), round(found.effective, 2)
    ([0.603, 1.294, 0.603, 1.706, 0.794], 4.21)
    """
    if rounds < 1 or not tolerance > 0:
        raise StatisticsError("there must be a round, and a tolerance above 0")
    codes, wanted = _checked(margins, targets, lowest, highest)
    n = len(codes[0])
    if n == 0:
        nothing = np.zeros(0)
        return Raked(nothing, None, None, None, 0.0, (), 0, False, 0, MethodStatus.INSUFFICIENT_N)
    weights = np.ones(n) if start is None else finite(start, "start").copy()
    if weights.shape != (n,) or (weights <= 0).any():
        raise StatisticsError("start must have one weight above 0 for each respondent")
    shares, collapsed = _collapsed(codes, wanted)
    weights, off, needed = _fitted(
        codes, shares, weights / weights.mean(), (lowest, highest), tolerance, rounds
    )
    effect = design_effect(weights)
    return Raked(
        weights=weights,
        deff=effect,
        effective=n / effect,
        off=off,
        trimmed=float(_at_limit(weights, lowest, highest).mean()),
        collapsed=collapsed,
        rounds=needed,
        has_converged=off <= tolerance,
        n=n,
        status=MethodStatus.OK,
    )


def design_effect(weights: npt.ArrayLike) -> float:
    """Return how many times larger variances become by these weights: n sum w^2 / (sum w)^2.

    weights: shape (N,), N > 0, above 0
    raises: StatisticsError otherwise
    assumes: weights that have nothing to do with the answers; if they have, it is less
    source: Kish 1965, Survey Sampling

    >>> round(design_effect([1, 1, 2]), 3)
    1.125
    """
    w = finite(weights, "weights")
    if w.ndim != 1 or not len(w) or (w <= 0).any():
        raise StatisticsError("weights must be a list of numbers above 0")
    w = w / w.max()
    return max(float(len(w) * (w**2).sum() / w.sum() ** 2), 1.0)


def _checked(
    margins: Sequence[npt.ArrayLike],
    targets: Sequence[npt.ArrayLike],
    lowest: float,
    highest: float,
) -> tuple[list[IntArray], list[FloatArray]]:
    if not len(margins) or len(margins) != len(targets):
        raise StatisticsError("there must be a margin, and targets for each margin")
    if not 0.0 <= lowest < 1.0 < highest:
        raise StatisticsError("the limits must lie below and above 1")
    codes: list[IntArray] = []
    wanted: list[FloatArray] = []
    for margin, target in zip(margins, targets, strict=True):
        finite(margin, "a margin")
        code, goal = int64s(margin, "a margin"), finite(target, "targets")
        if code.ndim != 1 or (codes and code.shape != codes[0].shape):
            raise StatisticsError("every margin must have one category for each respondent")
        if goal.ndim != 1 or (goal < 0).any() or not goal.sum() > 0:
            raise StatisticsError("targets must be 0 or more, and not all 0")
        if len(code) and (code.min() < 0 or code.max() >= len(goal)):
            raise StatisticsError("a category has no target")
        if len(code) and (goal[code] == 0).any():
            raise StatisticsError("somebody answered from a category with a target of 0")
        codes.append(code)
        wanted.append(goal / goal.sum())
    return codes, wanted


def _collapsed(
    codes: list[IntArray], wanted: list[FloatArray]
) -> tuple[list[FloatArray], tuple[Collapsed, ...]]:
    """Return targets of the categories with respondents alone, sum 1, and which had none."""
    shares, found = [], []
    for margin, (code, goal) in enumerate(zip(codes, wanted, strict=True)):
        is_there = np.bincount(code, minlength=len(goal)) > 0
        for category in np.flatnonzero(~is_there & (goal > 0)):
            found.append(Collapsed(margin, int(category), float(goal[category])))
        kept = np.where(is_there, goal, 0.0)
        shares.append(kept / kept.sum())
    return shares, tuple(found)


def _fitted(
    codes: list[IntArray],
    shares: list[FloatArray],
    weights: FloatArray,
    limits: tuple[float, float],
    tolerance: float,
    rounds: int,
) -> tuple[FloatArray, float, int]:
    """Return weights, how far a margin is off, and after how many rounds."""
    n, off, needed = len(weights), 1.0, 0
    while needed < rounds:
        needed += 1
        before = weights
        for code, share in zip(codes, shares, strict=True):
            weights = weights * (share * n / _sums(code, weights, len(share), fill=1.0))[code]
        weights = _trimmed(weights, *limits)
        off = _off(codes, shares, weights)
        # With limits the margins may stay off; then it has settled when the weights have.
        if off <= tolerance or np.abs(weights - before).max() <= tolerance / 10:
            break
    return weights, off, needed


def _sums(code: IntArray, weights: FloatArray, size: int, *, fill: float = 0.0) -> FloatArray:
    sums = np.bincount(code, weights=weights, minlength=size)
    return np.where(sums > 0, sums, fill)


def _off(codes: list[IntArray], shares: list[FloatArray], weights: FloatArray) -> float:
    total = weights.sum()
    return max(
        float(np.abs(_sums(code, weights, len(share)) / total - share).max())
        for code, share in zip(codes, shares, strict=True)
    )


def _trimmed(weights: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Return weights of mean 1 between the limits: what is cut off goes to all others."""
    for _round in range(ROUNDS):
        weights = weights / weights.mean()
        cut = np.clip(weights, lowest, highest)
        if np.array_equal(cut, weights):
            break
        # Only those within the limits move, so that it ends.
        free = (cut > lowest) & (cut < highest)
        rest = len(cut) - cut[~free].sum()
        if not free.any() or rest <= 0:
            return np.asarray(cut / cut.mean())
        cut[free] *= rest / cut[free].sum()
        weights = cut
    return weights


def _at_limit(weights: FloatArray, lowest: float, highest: float) -> npt.NDArray[np.bool_]:
    return (weights <= lowest * (1 + 1e-9)) | (weights >= highest * (1 - 1e-9))
