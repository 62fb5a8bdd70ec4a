"""Whether groups of people are treated alike: selection ratios, and many comparisons at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from sqcore.stats.arrays import FloatArray, finite, integers, numbers, shaped, squarable
from sqcore.stats.errors import StatisticsError

FOUR_FIFTHS = 0.8


@dataclass(frozen=True, eq=False)
class Compared:
    """G groups beside the one with the highest mean, `reference`.

    n: people; mean: of what they got; ratio: to the mean of the reference (1 where nobody got
    anything); effect: the difference to the reference in standard deviations between people; p:
    two-sided, NaN for the reference and where it cannot be said
    """

    n: npt.NDArray[np.int64]
    mean: FloatArray
    ratio: FloatArray
    effect: FloatArray
    p: FloatArray
    reference: int


def compare_groups(values: npt.ArrayLike, group: npt.ArrayLike, groups: int) -> Compared:
    """Compare what people of G groups got, each group with the one that got most on average.

    values: (N,), not negative: amounts, or 1 for who was selected and 0 for who was not
    group: (N,), codes 0..groups - 1; no group is empty
    raises: StatisticsError
    source: ratio: Uniform Guidelines on Employee Selection Procedures 1978, 29 CFR 1607.4 D; p:
        Fisher 1935 where both groups together got two amounts (such as 0 and 1), else Welch 1947,
        doi:10.1093/biomet/34.1-2.28

    >>> compare_groups([1, 1, 1, 0, 1, 1, 0, 0], [0] * 4 + [1] * 4, 2).ratio.round(3).tolist()
    [1.0, 0.667]
    """
    y, code = _checked(values, group, groups)
    n = np.bincount(code, minlength=groups)
    mean = np.bincount(code, weights=y, minlength=groups) / n
    reference = int(np.argmax(mean))
    top = float(mean[reference])
    spread = float(np.std(y, ddof=1)) if len(y) > 1 else 0.0
    ratio = mean / top if top > 0 else np.ones(groups)
    effect = (mean - top) / spread if spread > 0 else np.zeros(groups)
    p = np.full(groups, np.nan)
    for place in range(groups):
        if place != reference:
            ours, theirs = y[code == place], y[code == reference]
            two_amounts = len(np.unique(np.concatenate([ours, theirs]))) <= 2
            p[place] = _fisher(ours, theirs) if two_amounts else _welch(ours, theirs)
    return Compared(n, mean, ratio, effect, p, reference)


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Return the q-value of each p: the least rate of false discoveries at which it counts as one.

    p: (N,), in [0, 1]; NaN stays NaN and is not counted as a comparison
    raises: StatisticsError
    assumes: comparisons that are independent or positively dependent
    source: Benjamini, Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    given = numbers(p, "p")
    known = ~np.isnan(given)
    some = given[known]
    if ((some < 0) | (some > 1)).any():
        raise StatisticsError("p must lie between 0 and 1")
    order = np.argsort(some, kind="stable")
    stepped = some[order] * len(some) / np.arange(1, len(some) + 1)
    q = np.empty_like(some)
    q[order] = np.minimum.accumulate(stepped[::-1])[::-1]
    found = np.full(given.shape, np.nan)
    found[known] = q
    return found


def is_alarm(compared: Compared, q: npt.ArrayLike, *, least: float = 0.2) -> npt.NDArray[np.bool_]:
    """Return which groups got less beyond chance, by what matters, and below four fifths.

    q: (G,), of `benjamini_hochberg`, NaN where there is none
    raises: StatisticsError if there is not one q for each group
    """
    known = numbers(q, "q")
    shaped(known, compared.effect.shape, "q")
    beyond_chance = known < 0.05
    found = beyond_chance & (-compared.effect >= least) & (compared.ratio < FOUR_FIFTHS)
    return np.asarray(found, dtype=np.bool_)


def _checked(
    values: npt.ArrayLike, group: npt.ArrayLike, groups: int
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    y = squarable(finite(values, "values"), "values")
    code = integers(group, "groups").astype(np.int64)
    if y.ndim != 1 or code.shape != y.shape:
        raise StatisticsError("values and groups must be lists of the same length")
    if (y < 0).any():
        raise StatisticsError("values must not be negative")
    if groups < 1 or not np.array_equal(np.unique(code), np.arange(groups)):
        raise StatisticsError("groups must be numbered from 0 and none be empty")
    return y, code


def _fisher(ours: FloatArray, theirs: FloatArray) -> float:
    most = max(ours.max(), theirs.max())
    yes, other = int((ours == most).sum()), int((theirs == most).sum())
    table = np.array([[yes, len(ours) - yes], [other, len(theirs) - other]])
    return float(stats.fisher_exact(table).pvalue)


def _welch(ours: FloatArray, theirs: FloatArray) -> float:
    if len(ours) < 2 or len(theirs) < 2:
        return float("nan")
    a, b = float(np.var(ours, ddof=1)) / len(ours), float(np.var(theirs, ddof=1)) / len(theirs)
    gap = float(np.mean(ours) - np.mean(theirs))
    if a + b <= 0:
        return float("nan")
    df = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1))
    return float(2 * special.stdtr(df, -abs(gap) / np.sqrt(a + b)))
