"""Reliability and validity of a questionnaire, from the covariance of its items alone.

docs/methods/reliability-and-validity.md
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray, confidence_level
from sqcore.stats.covariances import correlation_matrix, covariance_matrix, varying
from sqcore.stats.factor_fit import (
    FEWEST,
    FEWEST_AN_ITEM,
    FactorFit,
    factor_fit,
    solution,
)
from sqcore.stats.results import Figure, MethodStatus

__all__ = [
    "FEW",
    "Adequacy",
    "FactorFit",
    "ItemPart",
    "Reliability",
    "adequacy",
    "factor_fit",
    "reliability",
]

FEW = 30
"""Below it alpha comes with a warning and omega not at all."""
NOTHING = 1e-12


@dataclass(frozen=True)
class ItemPart:
    """What an item does for its dimension.

    total: correlation of the item with the sum of the others, with Fisher's interval
    alpha_without: alpha of the others
    """

    total: Figure
    alpha_without: Figure


@dataclass(frozen=True)
class Reliability:
    """How far the items of a dimension tell the same.

    alpha: with Feldt's interval; standardised: alpha of the correlations; omega: of one factor
    items: one part an item; turn_round: items that go against the others: was a reversed item
        not turned?
    few: fewer than 30 respondents, to be shown with a warning
    """

    alpha: Figure
    standardised: Figure
    omega: Figure
    items: tuple[ItemPart, ...]
    turn_round: tuple[int, ...]
    few: bool


@dataclass(frozen=True)
class Adequacy:
    """Whether items have enough in common to look for factors.

    kmo: 0..1, from .5 bearable, from .8 good; items: the same of each item, None for one that
        goes with no other at all; chi2, df, p: Bartlett's test that nothing goes together
    """

    kmo: Figure
    items: tuple[float | None, ...]
    chi2: float | None
    df: int | None
    p: float | None
    status: MethodStatus


def reliability(covariance: npt.ArrayLike, n: int, *, confidence: float = 0.95) -> Reliability:
    """Return alpha, omega and what each item adds.

    covariance: (P, P), divided by n - 1, of complete rows, reversed items turned
    n: respondents
    confidence: of all intervals, in (0, 1)
    returns: Reliability. alpha is at most 1 and may be below 0. insufficient_n: fewer than 2
        respondents, for omega fewer than 30 or not more than items. not_applicable: one item, for
        alpha without an item two, for omega two. zero_variance: an item, or the sum, is the same
        for all. omega also singular, improper or not_converged as in `factor_fit`. standardised
        has no interval
    raises: StatisticsError as `covariance_matrix`, or if confidence is out of range
    assumes: normal, equally strong items for Feldt's interval; for omega one factor
    source: Cronbach 1951, doi:10.1007/BF02310555; Feldt 1965, doi:10.1007/BF02289499; McDonald
        1999, Test Theory

    >>> found = reliability([[2, 1, 1], [1, 2, 1], [1, 1, 2]], 50)
    >>> [round(x, 3) for x in (found.alpha.value, found.alpha.low, found.alpha.high)]
    [0.75, 0.6, 0.85]
    >>> round(found.omega.value, 3), round(found.items[0].alpha_without.value, 3), found.turn_round
    (0.75, 0.667, ())
    """
    confidence_level(confidence)
    c = covariance_matrix(covariance, n)
    parts = tuple(_item(c, n, item, confidence) for item in range(len(c)))
    against = (i for i, part in enumerate(parts) if (part.total.value or 0.0) < 0.0)
    return Reliability(
        alpha=_alpha(c, n, confidence),
        standardised=_standardised(c, n),
        omega=_omega(c, n, confidence),
        items=parts,
        turn_round=tuple(against),
        few=n < FEW,
    )


def adequacy(covariance: npt.ArrayLike, n: int, *, fewest: int | None = None) -> Adequacy:
    """Return the measure of Kaiser, Meyer and Olkin, and Bartlett's test.

    covariance: (P, P), divided by n - 1; n: respondents
    fewest: respondents that it takes; None: 100, and 5 an item
    returns: Adequacy. insufficient_n: fewer than `fewest`, or not more than items.
        not_applicable: fewer than three items, or none that go together. zero_variance: an item
        has one answer only. singular: some items follow from others. kmo has no interval
    raises: StatisticsError as `covariance_matrix`
    assumes: normal for Bartlett's test; with many respondents it finds the slightest correlation
    source: Kaiser 1974, doi:10.1007/BF02291575; Bartlett 1951, doi:10.1093/biomet/38.3-4.337

    >>> found = adequacy([[2, 1, 1], [1, 2, 1], [1, 1, 2]], 150)
    >>> round(found.kmo.value, 3), round(found.chi2, 1), found.df
    (0.692, 102.0, 3)
    """
    c = covariance_matrix(covariance, n)
    items = len(c)
    least = max(FEWEST, FEWEST_AN_ITEM * items) if fewest is None else fewest
    if items < 3:
        return _not_adequate(MethodStatus.NOT_APPLICABLE, n)
    factor = n - 1.0 - (2.0 * items + 5.0) / 6.0
    if n < least or n <= items or factor <= 0.0:
        return _not_adequate(MethodStatus.INSUFFICIENT_N, n)
    r, status = correlation_matrix(c)
    if status is not MethodStatus.OK:
        return _not_adequate(status, n)
    inverse = np.linalg.inv(r)
    own = np.sqrt(np.diag(inverse))
    shared, partial = r**2, (inverse / own[:, None] / own[None, :]) ** 2
    np.fill_diagonal(shared, 0.0)
    np.fill_diagonal(partial, 0.0)
    if float(shared.sum()) <= NOTHING:
        return _not_adequate(MethodStatus.NOT_APPLICABLE, n)
    each, rest = shared.sum(axis=0), partial.sum(axis=0)
    known = zip(each.tolist(), rest.tolist(), strict=True)
    chi2 = max(-factor * float(np.linalg.slogdet(r)[1]), 0.0)
    df = items * (items - 1) // 2
    return Adequacy(
        kmo=Figure(float(each.sum() / (each.sum() + rest.sum())), None, None, n),
        items=tuple(a / (a + b) if a > NOTHING else None for a, b in known),
        chi2=chi2,
        df=df,
        p=float(special.chdtrc(df, chi2)),
        status=MethodStatus.OK,
    )


def _not_adequate(status: MethodStatus, n: int) -> Adequacy:
    return Adequacy(Figure.none(status, n=n), (), None, None, None, status)


def _alpha(c: FloatArray, n: int, confidence: float) -> Figure:
    """Return alpha with the interval of Feldt."""
    items = len(c)
    if items < 2:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    if n < 2:
        return Figure.none(MethodStatus.INSUFFICIENT_N, n=n)
    own, total = float(np.trace(c)), float(c.sum())
    if total <= NOTHING * own:
        return Figure.none(MethodStatus.ZERO_VARIANCE, n=n)
    alpha = items / (items - 1.0) * (1.0 - own / total)
    tail = (1.0 - confidence) / 2.0
    df = n - 1.0, (n - 1.0) * (items - 1.0)
    low, high = (
        1.0 - (1.0 - alpha) * float(special.fdtri(*df, share)) for share in (1.0 - tail, tail)
    )
    # The median of F is not 1: at a confidence next to 0 the interval would miss its own value.
    return Figure(alpha, min(low, alpha), max(high, alpha), n)


def _standardised(c: FloatArray, n: int) -> Figure:
    if len(c) < 2:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    r, status = correlation_matrix(c)
    if status is MethodStatus.ZERO_VARIANCE:
        return Figure.none(status, n=n)
    found = _alpha(r, n, 0.95)
    return Figure(found.value, None, None, n, found.status)


def _item(c: FloatArray, n: int, item: int, confidence: float) -> ItemPart:
    others = np.delete(np.delete(c, item, axis=0), item, axis=1)
    if not others.size:
        alone = Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
        return ItemPart(alone, alone)
    return ItemPart(_item_total(c, others, n, item, confidence), _alpha(others, n, confidence))


def _item_total(c: FloatArray, others: FloatArray, n: int, item: int, confidence: float) -> Figure:
    """Return the correlation of an item with the sum of the others."""
    if n < 2:
        return Figure.none(MethodStatus.INSUFFICIENT_N, n=n)
    rest = float(others.sum())
    if not varying(c)[item] or rest <= NOTHING * float(np.trace(others)):
        return Figure.none(MethodStatus.ZERO_VARIANCE, n=n)
    together = float(np.delete(c[item], item).sum())
    r = together / math.sqrt(c[item, item]) / math.sqrt(rest)
    return _correlation(min(max(r, -1.0), 1.0), n, confidence)


def _correlation(r: float, n: int, confidence: float) -> Figure:
    """Return a correlation with the interval of Fisher, none of fewer than four respondents."""
    if n < 4:
        return Figure(r, None, None, n)
    if abs(r) >= 1.0:
        return Figure(r, r, r, n)
    half = float(special.ndtri(0.5 + confidence / 2.0)) / math.sqrt(n - 3.0)
    return Figure(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), n)


def _omega(c: FloatArray, n: int, confidence: float) -> Figure:
    """Return the share of the sum's variance that one factor explains.

    The interval is that of the delta method on the logit, as omega lies in 0..1.
    """
    items = len(c)
    if items < 3:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    if n < FEW or n <= items:
        return Figure.none(MethodStatus.INSUFFICIENT_N, n=n)
    r, status = correlation_matrix(c)
    if status is not MethodStatus.OK:
        return Figure.none(status, n=n)
    found = solution(r, np.zeros(items, dtype=np.int64))
    if found.status is not MethodStatus.OK:
        return Figure.none(found.status, n=n)
    spread = np.sqrt(np.diag(c) / np.diag(c).max())
    common = float(spread @ found.loadings)
    own = float(spread**2 @ found.unique)
    whole = common**2 + own
    omega = common**2 / whole
    if not 0.0 < omega < 1.0:
        return Figure(omega, None, None, n)
    slope = np.concatenate([2.0 * common * own * spread, -(common**2) * spread**2]) / whole**2
    error = math.sqrt(max(float(slope @ found.covariance(n) @ slope), 0.0))
    half = float(special.ndtri(0.5 + confidence / 2.0)) * error / (omega * (1.0 - omega))
    at = float(special.logit(omega))
    return Figure(omega, float(special.expit(at - half)), float(special.expit(at + half)), n)
