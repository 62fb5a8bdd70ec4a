"""Whether items measure the dimensions that they stand for: confirmatory factor fit.

Each item loads on one factor, the factors may go together. docs/methods/reliability-and-validity.md
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, special

from sqcore.stats.arrays import FloatArray, IntArray, int64s, shaped
from sqcore.stats.covariances import correlation_matrix, covariance_matrix
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus

FEWEST, FEWEST_AN_ITEM = 100, 5
"""Fits of fewer respondents, in all and for each item, are mostly chance."""
STEPS, HALVINGS = 200, 30
ENOUGH, NEARLY_ENOUGH = 1e-13, 1e-9
"""The search ends when a step could improve the fit by no more."""
NOTHING = 1e-8
UNIQUE = 1e-10
"""Below it the parameters can be traded against each other."""


@dataclass(frozen=True, eq=False)
class FactorFit:
    """How well a structure of factors reproduces the covariances of P items.

    chi2, df, p: the test that the structure holds exactly; p None where df is 0
    cfi, tli: 1 is perfect, from about .95 good; None where df is 0 or the items do not go together
        any more than by chance. cfi lies in 0..1, tli may leave it
    rmsea: misfit for each degree of freedom with its 90 % interval, to about .06 good
    srmr: mean difference of observed and implied correlations, to about .08 good
    loadings: (P,), correlation of each item with its factor, and their standard errors
    correlations: (F, F) of the factors, and their standard errors
    status: ok, or why all of this is None or empty
    """

    n: int
    chi2: float | None
    df: int | None
    p: float | None
    cfi: float | None
    tli: float | None
    rmsea: Figure
    srmr: float | None
    loadings: tuple[float, ...]
    loading_errors: tuple[float, ...]
    correlations: FloatArray
    correlation_errors: FloatArray
    status: MethodStatus


@dataclass(frozen=True, eq=False)
class Solution:
    """The maximum likelihood estimates on the correlations of the items.

    loadings, unique: (P,), parts of each item that are common and its own; correlations (F, F) of
    the factors; implied: (P, P); badness: n times it is chi2; information: of one respondent's
    2 x log-likelihood on loadings, unique parts and correlations in this order
    """

    loadings: FloatArray
    unique: FloatArray
    correlations: FloatArray
    implied: FloatArray
    badness: float
    information: FloatArray
    status: MethodStatus

    def covariance(self, n: int) -> FloatArray:
        """Return the covariance of the estimates from n respondents."""
        return np.asarray(2.0 / n * np.linalg.inv(self.information))


def factor_fit(
    covariance: npt.ArrayLike, n: int, factors: Sequence[int], *, fewest: int | None = None
) -> FactorFit:
    """Return how well items measure the factors that they stand for.

    covariance: (P, P), divided by n - 1, reversed items turned; n: respondents
    factors: (P,), the factor of each item, 0..F-1; each has two items at least
    fewest: respondents that it takes; None: 100, and 5 an item
    returns: FactorFit. insufficient_n: fewer than `fewest`, or not more than items. zero_variance:
        an item has one answer only. singular: some items follow from others, or the structure can
        be had in more than one way. not_applicable: fewer covariances than parameters, such as
        two items on one factor. improper: the best solution has an item explained by more than
        all, or factors that correlate 1. not_converged: the search came to no end
    raises: StatisticsError as `covariance_matrix`, or if factors do not number the items
    assumes: multivariate normal, independent respondents. Skewed answers of a few steps make chi2
        too large and everything that comes from it too bad
    source: Jöreskog 1969, doi:10.1007/BF02289343; chi2 = n F and SRMR as lavaan; CFI: Bentler
        1990, doi:10.1037/0033-2909.107.2.238; RMSEA: Browne, Cudeck 1992,
        doi:10.1177/0049124192021002005; what is good: Hu, Bentler 1999,
        doi:10.1080/10705519909540118

    >>> c = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    >>> fit = factor_fit(c, 200, [0, 0, 0, 0])
    >>> fit.df, round(fit.cfi, 3), [round(x, 3) for x in fit.loadings]
    (2, 1.0, [0.707, 0.707, 0.707, 0.707])
    """
    c = covariance_matrix(covariance, n)
    member = _members(factors, len(c))
    least = max(FEWEST, FEWEST_AN_ITEM * len(c)) if fewest is None else fewest
    if n < least or n <= len(c):
        return _no_fit(MethodStatus.INSUFFICIENT_N, n)
    r, status = correlation_matrix(c)
    if status is not MethodStatus.OK:
        return _no_fit(status, n)
    df = degrees_of_freedom(member)
    if df < 0 or int(np.bincount(member).min()) < 2:
        return _no_fit(MethodStatus.NOT_APPLICABLE, n)
    found = solution(r, member)
    return _told(found, r, n, df) if found.status is MethodStatus.OK else _no_fit(found.status, n)


def degrees_of_freedom(member: IntArray) -> int:
    """Return how many covariances there are beyond the parameters."""
    items, factors = len(member), int(member.max()) + 1
    return items * (items + 1) // 2 - 2 * items - factors * (factors - 1) // 2


def _members(factors: Sequence[int], items: int) -> IntArray:
    member = int64s(factors, "factors")
    shaped(member, (items,), "factors")
    if not 0 <= int(member.min()) <= int(member.max()) < items or not np.bincount(member).all():
        raise StatisticsError("factors must be numbered 0, 1, 2 ... without a gap")
    return member


def solution(r: FloatArray, member: IntArray) -> Solution:
    """Return the maximum likelihood solution by Fisher scoring with halved steps.

    r: (P, P), correlations that can be turned round; member: (P,), the factor of each item
    """
    structure = _Structure(r, member)
    values = structure.start()
    badness, status = structure.badness(values), MethodStatus.NOT_CONVERGED
    for _ in range(STEPS):
        step, gain = structure.step(values)
        if step is None:
            status = MethodStatus.SINGULAR
            break
        if gain < ENOUGH:
            status = MethodStatus.OK
            break
        values, badness, moved = structure.advance(values, step, badness)
        if not moved:
            # Where rounding hides the last bit of the way, this is its end.
            status = MethodStatus.OK if gain < NEARLY_ENOUGH else status
            break
    return structure.solved(values, badness, status)


class _Structure:
    """The parameters (loadings, unique parts, correlations of factors) as one vector."""

    def __init__(self, r: FloatArray, member: IntArray) -> None:
        self.r, self.member = r, member
        self.items, self.factors = len(member), int(member.max()) + 1
        self.pairs = np.triu_indices(self.factors, 1)
        self.constant = float(np.linalg.slogdet(r)[1]) + self.items

    def start(self) -> FloatArray:
        """Begin at the first principal component of each factor's items."""
        loadings = np.empty(self.items)
        for factor in range(self.factors):
            mine = np.flatnonzero(self.member == factor)
            size, direction = np.linalg.eigh(self.r[np.ix_(mine, mine)])
            sign = -1.0 if direction[:, -1].sum() < 0 else 1.0
            loadings[mine] = sign * np.clip(direction[:, -1] * math.sqrt(size[-1]), -0.9, 0.9)
        marks = np.equal.outer(self.member, np.arange(self.factors)) * loadings[:, None]
        sums = marks.T @ self.r @ marks
        scale = np.sqrt(np.diag(sums))
        together = np.clip(sums / scale[:, None] / scale[None, :], -0.9, 0.9)
        between = together[self.pairs]
        return np.concatenate([loadings, 1.0 - loadings**2, 0.9 * between])

    def parts(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return loadings, unique parts and the correlations of the factors."""
        together = np.eye(self.factors)
        together[self.pairs] = values[2 * self.items :]
        together.T[self.pairs] = values[2 * self.items :]
        return values[: self.items], values[self.items : 2 * self.items], together

    def implied(self, values: FloatArray) -> FloatArray:
        loadings, unique, together = self.parts(values)
        common = np.outer(loadings, loadings) * together[np.ix_(self.member, self.member)]
        return np.asarray(common + np.diag(unique))

    def badness(self, values: FloatArray) -> float:
        """Return the discrepancy, infinite where the implied matrix is no covariance."""
        try:
            lower = linalg.cholesky(self.implied(values), lower=True)
        except linalg.LinAlgError:
            return math.inf
        trace = float(np.trace(linalg.cho_solve((lower, True), self.r)))
        return 2.0 * float(np.log(np.diag(lower)).sum()) + trace - self.constant

    def slope(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivative of the badness and its expected second derivative.

        A loading moves one row and column of the implied matrix by its part of `common`, a unique
        part one place of the diagonal, a correlation of factors their common block.
        """
        loadings, _, together = self.parts(values)
        first, second = self.pairs
        inverse = np.linalg.inv(self.implied(values))
        rest = inverse - inverse @ self.r @ inverse
        common = together[np.ix_(self.member, self.member)] * loadings
        blocks = np.equal.outer(self.member, np.arange(self.factors)) * loadings[:, None]
        slope = [2.0 * (rest * common).sum(axis=1), np.diag(rest)]
        slope.append(2.0 * (blocks.T @ rest @ blocks)[first, second])
        turned, seen = common @ inverse, inverse @ blocks
        between, size = common @ seen, blocks.T @ seen
        a, b = np.ix_(first, first), np.ix_(second, second)
        c, d = np.ix_(first, second), np.ix_(second, first)
        ll = turned * turned.T + inverse * (turned @ common.T)
        lu = inverse * turned
        lf = seen[:, first] * between[:, second] + seen[:, second] * between[:, first]
        uf = seen[:, first] * seen[:, second]
        ff = size[a] * size[b] + size[c] * size[d]
        information = np.block(
            [[2 * ll, 2 * lu, 2 * lf], [2 * lu.T, inverse**2, 2 * uf], [2 * lf.T, 2 * uf.T, 2 * ff]]
        )
        return np.concatenate(slope), information

    def step(self, values: FloatArray) -> tuple[FloatArray | None, float]:
        """Return the step of Fisher scoring and what it promises; none where it is not unique."""
        slope, information = self.slope(values)
        if not _invertible(information):
            return None, 0.0
        step = np.asarray(np.linalg.solve(information, -slope), dtype=np.float64)
        return step, -float(slope @ step)

    def advance(
        self, values: FloatArray, step: FloatArray, badness: float
    ) -> tuple[FloatArray, float, bool]:
        """Go along the step as far as it makes the fit better."""
        for _ in range(HALVINGS):
            there = values + step
            reached = self.badness(there)
            if reached < badness:
                return there, reached, True
            step = step / 2.0
        return values, badness, False

    def solved(self, values: FloatArray, badness: float, status: MethodStatus) -> Solution:
        loadings, unique, together = self.parts(values)
        if float(unique.min()) < NOTHING or float(np.linalg.eigvalsh(together)[0]) < NOTHING:
            status = MethodStatus.IMPROPER
        signs = np.where(np.bincount(self.member, weights=loadings) < 0, -1.0, 1.0)
        turned = np.outer(signs, signs)[self.pairs]
        values = np.concatenate(
            [loadings * signs[self.member], unique, values[2 * self.items :] * turned]
        )
        loadings, unique, together = self.parts(values)
        return Solution(
            loadings=loadings,
            unique=unique,
            correlations=together,
            implied=self.implied(values),
            badness=max(badness, 0.0),
            information=self.slope(values)[1],
            status=status,
        )


def _invertible(information: FloatArray) -> bool:
    scale = np.sqrt(np.diag(information))
    if not (np.isfinite(scale).all() and (scale > 0.0).all()):
        return False
    return bool(np.linalg.eigvalsh(information / scale[:, None] / scale[None, :])[0] > UNIQUE)


def _told(found: Solution, r: FloatArray, n: int, df: int) -> FactorFit:
    items = len(r)
    chi2 = n * found.badness
    apart, apart_df = -n * float(np.linalg.slogdet(r)[1]), items * (items - 1) // 2
    cfi, tli = _beside_nothing(chi2, df, apart, apart_df)
    below = np.tril_indices(items, -1)
    squares = float(((r - found.implied)[below] ** 2).sum())
    spread = found.covariance(n)
    return FactorFit(
        n=n,
        chi2=chi2,
        df=df,
        p=float(special.chdtrc(df, chi2)) if df else None,
        cfi=cfi,
        tli=tli,
        rmsea=_rmsea(chi2, df, n),
        srmr=math.sqrt(squares / (items * (items + 1) / 2)),
        loadings=tuple(found.loadings.tolist()),
        loading_errors=tuple(_loading_errors(found, spread).tolist()),
        correlations=found.correlations,
        correlation_errors=_correlation_errors(found, spread),
        status=MethodStatus.OK,
    )


def _beside_nothing(
    chi2: float, df: int, apart: float, apart_df: int
) -> tuple[float | None, float | None]:
    """Return CFI and TLI: the fit beside that of items that have nothing to do with each other."""
    if not df or apart <= apart_df:
        return None, None
    misfit = max(chi2 - df, 0.0)
    cfi = 1.0 - misfit / max(misfit, apart - apart_df)
    ratio = apart / apart_df
    return cfi, (ratio - chi2 / df) / (ratio - 1.0)


def _rmsea(chi2: float, df: int, n: int) -> Figure:
    if not df:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    low, high = (math.sqrt(_noncentrality(chi2, df, share) / (df * n)) for share in (0.95, 0.05))
    value = math.sqrt(max(chi2 - df, 0.0) / (df * n))
    return Figure(value, min(low, value), max(high, value), n)


def _noncentrality(chi2: float, df: int, share: float) -> float:
    """Return how far from fitting it may be, that so small a chi2 has this probability."""
    if float(special.chdtr(df, chi2)) <= share:
        return 0.0

    def beyond(distance: float) -> float:
        return float(special.chndtr(chi2, df, distance)) - share

    top = max(chi2 - df, 1.0) + 10.0 * math.sqrt(2.0 * (df + 2.0 * chi2))
    return float(optimize.brentq(beyond, 1e-12, top))


def _loading_errors(found: Solution, spread: FloatArray) -> FloatArray:
    """Standard errors of loading / root of (loading² + unique), which is 1 at the solution."""
    items = len(found.loadings)
    at = np.arange(items)
    by_loading, by_unique = found.unique, -found.loadings / 2.0
    variance = (
        by_loading**2 * spread[at, at]
        + 2.0 * by_loading * by_unique * spread[at, items + at]
        + by_unique**2 * spread[items + at, items + at]
    )
    return np.sqrt(np.maximum(variance, 0.0))


def _correlation_errors(found: Solution, spread: FloatArray) -> FloatArray:
    errors = np.zeros_like(found.correlations)
    first, second = np.triu_indices(len(errors), 1)
    own = np.diag(spread)[2 * len(found.loadings) :]
    errors[first, second] = errors[second, first] = np.sqrt(np.maximum(own, 0.0))
    return errors


def _no_fit(status: MethodStatus, n: int) -> FactorFit:
    return FactorFit(
        n=n,
        chi2=None,
        df=None,
        p=None,
        cfi=None,
        tli=None,
        rmsea=Figure.none(status, n=n),
        srmr=None,
        loadings=(),
        loading_errors=(),
        correlations=np.zeros((0, 0)),
        correlation_errors=np.zeros((0, 0)),
        status=status,
    )
