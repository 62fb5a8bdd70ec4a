"""What moves an answer up an ordered scale: regression with proportional odds.

docs/methods/ordinal-regression.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, confidence_level, finite, int64s
from sqcore.stats.errors import StatisticsError
from sqcore.stats.logistic import (
    FALLBACK_RIDGE,
    Standard,
    columns_that_vary,
    exponential,
    halved,
    irls,
    is_dependent,
)
from sqcore.stats.results import Figure, MethodStatus

ROWS_A_PARAMETER = 10

_STEPS = 60
_SETTLED = 1e-11
_RUNAWAY = 15.0


@dataclass(frozen=True)
class ParallelLines:
    """Whether each column moves every step of the scale alike, as the model takes for granted.

    chi2, df, p: a small p says that the steps differ; None where it could not be tried, and
        status says why
    columns: p of each column on its own, None for one that is the same for all
    """

    chi2: float | None
    df: int
    p: float | None
    columns: tuple[float | None, ...]
    status: MethodStatus


@dataclass(frozen=True)
class Ordinal:
    """log odds of an answer of at most the k-th = cut k - x slopes.

    slopes: change of the log odds of a higher answer for one unit of each of P columns;
        odds_ratios: exp of that; both with intervals. A column that is the same for all has
        ZERO_VARIANCE and does not count
    answers: which answers occur, ascending, J of them; cuts: J - 1
    deviance: minus twice the log likelihood. parallel: see `ParallelLines`
    ridge: the penalty that was used; is_separated: it was needed because columns tell answers
        apart perfectly
    """

    slopes: tuple[Figure, ...]
    odds_ratios: tuple[Figure, ...]
    answers: tuple[int, ...]
    cuts: tuple[float, ...]
    deviance: float | None
    parallel: ParallelLines
    ridge: float
    is_separated: bool
    n: int
    status: MethodStatus


def proportional_odds(
    x: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    counts: npt.ArrayLike | None = None,
    ridge: float = 0.0,
    confidence: float = 0.95,
) -> Ordinal:
    """Return what moves an answer up its scale.

    x: shape (N, P), complete; outcome: shape (N,), whole numbers in the order of the scale;
        answers that nobody gave are not missed
    counts: shape (N,), how many respondents each row stands for; None: one each
    ridge: 0 or more, the penalty on half the squared slopes for one standard deviation. 0: none,
        unless columns tell answers apart perfectly
    returns: Ordinal; INSUFFICIENT_N with fewer than 10 respondents for each slope and cut,
        ZERO_VARIANCE where all answer alike or no column varies, SINGULAR where columns follow
        from others
    raises: StatisticsError for other shapes, fractions as outcome or counts, numbers that are not
        finite
    assumes: independent respondents; one slope for all steps of the scale (see `parallel`)
    source: McCullagh 1980, Journal of the Royal Statistical Society B 42(2):109-142; parallel
        lines: Brant 1990, doi:10.2307/2532457

    >>> x = np.repeat([0.0, 1.0], 50)[:, None]
    >>> answers = np.repeat([1, 2, 3, 1, 2, 3], [25, 15, 10, 10, 15, 25])
    >>> found = proportional_odds(x, answers)
    >>> round(found.odds_ratios[0].value, 2), found.answers
    (4.0, (1, 2, 3))
    """
    confidence_level(confidence)
    if not 0.0 <= ridge < np.inf:
        raise StatisticsError("ridge must be 0 or more")
    table, codes, weights, answers = _rows(x, outcome, counts)
    n = int(weights.sum())
    varies = columns_that_vary(table)
    status = _enough(n, len(answers), int(varies.sum()))
    if status is MethodStatus.OK and is_dependent(table[:, varies]):
        status = MethodStatus.SINGULAR
    if status is not MethodStatus.OK:
        return _none(table.shape[1], answers, n, status)
    standard = Standard.of(table[:, varies], weights)
    problem = _Problem.of(standard.x, codes, weights, len(answers))
    fit, is_separated = problem.solve(ridge), False
    if fit is None:
        ridge, is_separated = max(ridge, FALLBACK_RIDGE), True
        fit = problem.solve(ridge)
    if fit is None:
        return _none(table.shape[1], answers, n, MethodStatus.SINGULAR)
    parallel = _parallel(standard.x, codes, weights, len(answers), varies)
    return _told(fit, standard, varies, answers, n, parallel, ridge, is_separated, confidence)


def _rows(
    x: npt.ArrayLike, outcome: npt.ArrayLike, counts: npt.ArrayLike | None
) -> tuple[FloatArray, IntArray, FloatArray, tuple[int, ...]]:
    """Return the rows that stand for somebody: columns, codes from 0, counts; and the answers."""
    table, given = finite(x, "x"), int64s(outcome, "outcome")
    if table.ndim != 2 or given.shape != (len(table),):
        raise StatisticsError("x must be a table and outcome a list of the same length")
    many = np.ones(len(given), np.int64) if counts is None else int64s(counts, "counts")
    if many.shape != given.shape or (many < 0).any():
        raise StatisticsError("counts must be one for each row, 0 or more")
    there = many > 0
    answers, codes = np.unique(given[there], return_inverse=True)
    told = tuple(int(answer) for answer in answers)
    return table[there], codes.astype(np.int64), many[there].astype(np.float64), told


def _enough(n: int, answers: int, columns: int) -> MethodStatus:
    if n == 0:
        return MethodStatus.INSUFFICIENT_N
    if answers < 2 or columns == 0:
        return MethodStatus.ZERO_VARIANCE
    is_enough = n >= ROWS_A_PARAMETER * (columns + answers - 1)
    return MethodStatus.OK if is_enough else MethodStatus.INSUFFICIENT_N


def _none(columns: int, answers: tuple[int, ...], n: int, status: MethodStatus) -> Ordinal:
    nothing = (Figure.none(status, n=n),) * columns
    parallel = ParallelLines(None, 0, None, (None,) * columns, status)
    return Ordinal(nothing, nothing, answers, (), None, parallel, 0.0, False, n, status)


def _told(
    fit: "_Fit",
    standard: Standard,
    varies: BoolArray,
    answers: tuple[int, ...],
    n: int,
    parallel: ParallelLines,
    ridge: float,
    is_separated: bool,
    confidence: float,
) -> Ordinal:
    z = float(special.ndtri(0.5 + confidence / 2))
    cuts, own = fit.at[: len(answers) - 1], fit.at[len(answers) - 1 :] / standard.sd
    errors = np.sqrt(np.diag(fit.covariance)[len(answers) - 1 :]) / standard.sd
    slopes = [Figure.none(MethodStatus.ZERO_VARIANCE, n=n)] * len(varies)
    ratios = list(slopes)
    for at, column in enumerate(np.flatnonzero(varies)):
        value, half = float(own[at]), z * float(errors[at])
        slopes[column] = Figure(value, value - half, value + half, n)
        ratios[column] = exponential(slopes[column])
    return Ordinal(
        slopes=tuple(slopes),
        odds_ratios=tuple(ratios),
        answers=answers,
        cuts=tuple(float(cut) for cut in cuts + own @ standard.mean),
        deviance=fit.deviance,
        parallel=parallel,
        ridge=ridge,
        is_separated=is_separated,
        n=n,
        status=MethodStatus.OK,
    )


# ---- The fit -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Fit:
    """Cuts and slopes, (J - 1 + P,), of standardised columns; their covariance; the deviance."""

    at: FloatArray
    covariance: FloatArray
    deviance: float


@dataclass(frozen=True, eq=False)
class _Problem:
    """upper, lower: what to take times (cuts, slopes) for the log odds of each row's answer and of
    the answer below, (N, J - 1 + P); has_upper, has_lower: not the last, not the first answer."""

    upper: FloatArray
    lower: FloatArray
    has_upper: BoolArray
    has_lower: BoolArray
    weights: FloatArray
    cuts: int
    start: FloatArray

    @classmethod
    def of(cls, x: FloatArray, codes: IntArray, weights: FloatArray, answers: int) -> "_Problem":
        steps = np.arange(answers - 1)
        share = np.bincount(codes, weights=weights, minlength=answers)
        until = np.cumsum(share)[:-1] / share.sum()
        return cls(
            upper=np.column_stack([codes[:, None] == steps, -x]).astype(np.float64),
            lower=np.column_stack([codes[:, None] == steps + 1, -x]).astype(np.float64),
            has_upper=codes < answers - 1,
            has_lower=codes > 0,
            weights=weights,
            cuts=answers - 1,
            start=np.concatenate([special.logit(until), np.zeros(x.shape[1])]),
        )

    def solve(self, ridge: float) -> _Fit | None:
        """Return the fit by Newton's steps; None where slopes run away."""
        size = len(self.start)
        penalty = np.diag(np.repeat([0.0, ridge], [self.cuts, size - self.cuts]))

        def loss(at: FloatArray) -> float:
            deviance = self.deviance(at)
            return deviance + float(at @ penalty @ at)

        at, now = self.start, loss(self.start)
        for _step in range(_STEPS):
            pull, bent = self._slopes(at)
            pull, bent = pull - penalty @ at, bent + penalty
            if not np.isfinite(bent).all() or np.linalg.cond(bent) > 1e13:
                return None
            step = np.asarray(np.linalg.solve(bent, pull), dtype=np.float64)
            at, then = halved(loss, at, step, now)
            if np.abs(at).max() > _RUNAWAY and ridge == 0.0:
                return None
            if now - then <= _SETTLED * (abs(then) + _SETTLED):
                return _Fit(at, np.asarray(np.linalg.inv(bent)), self.deviance(at))
            now = then
        return None

    def deviance(self, at: FloatArray) -> float:
        """Minus twice the log likelihood; infinite where cuts are out of order."""
        if (np.diff(at[: self.cuts]) <= 0).any():
            return float("inf")
        up, down = self._log_odds(at)
        # F(u) - F(d) = F(u) (1 - F(d)) (1 - exp(d - u)), without loss of digits in the tails
        logs = special.log_expit(up) + special.log_expit(-down) + np.log(-np.expm1(down - up))
        return float(-2.0 * (self.weights @ logs))

    def _log_odds(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        up = np.where(self.has_upper, self.upper @ at, np.inf)
        return up, np.where(self.has_lower, self.lower @ at, -np.inf)

    def _slopes(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradient of the log likelihood and minus its second derivatives."""
        up, down = self._log_odds(at)
        p = special.expit(up) * special.expit(-down) * -np.expm1(down - up)
        p = np.maximum(p, 1e-300)
        steep_up = special.expit(up) * special.expit(-up)
        steep_down = special.expit(down) * special.expit(-down)
        by_up, by_down = steep_up / p, -steep_down / p
        bend_up = by_up**2 - steep_up * (special.expit(-up) - special.expit(up)) / p
        bend_down = by_down**2 + steep_down * (special.expit(-down) - special.expit(down)) / p
        w, upper, lower = self.weights, self.upper, self.lower
        pull = upper.T @ (w * by_up) + lower.T @ (w * by_down)
        both = upper.T @ (lower * (w * by_up * by_down)[:, None])
        bent = upper.T @ (upper * (w * bend_up)[:, None])
        bent += lower.T @ (lower * (w * bend_down)[:, None])
        return pull, bent + both + both.T


# ---- Parallel lines ------------------------------------------------------------------------------


def _parallel(
    x: FloatArray, codes: IntArray, weights: FloatArray, answers: int, varies: BoolArray
) -> ParallelLines:
    """Compare the slopes of one logistic regression at each step of the scale (Brant's test)."""
    size, steps = x.shape[1], answers - 1
    if steps < 2:
        none: tuple[float | None, ...] = (None,) * len(varies)
        return ParallelLines(None, 0, None, none, MethodStatus.NOT_APPLICABLE)
    table = np.column_stack([np.ones(len(x)), x])
    slopes, chances = [], []
    for step in range(steps):
        fit = irls(x, (codes > step).astype(np.float64), weights=weights)
        if fit is None:
            none = (None,) * len(varies)
            return ParallelLines(None, 0, None, none, MethodStatus.SINGULAR)
        slopes.append(fit.slopes[1:])
        chances.append(special.expit(table @ fit.slopes))
    among = _between_steps(table, weights, chances)
    told = _differ(np.array(slopes), among, list(range(size)))
    if told is None:
        none = (None,) * len(varies)
        return ParallelLines(None, 0, None, none, MethodStatus.SINGULAR)
    columns: list[float | None] = [None] * len(varies)
    for at, column in enumerate(np.flatnonzero(varies)):
        one = _differ(np.array(slopes), among, [at])
        columns[column] = None if one is None else one[1]
    df = (steps - 1) * size
    return ParallelLines(told[0], df, told[1], tuple(columns), MethodStatus.OK)


def _between_steps(table: FloatArray, weights: FloatArray, chances: list[FloatArray]) -> FloatArray:
    """Return the covariance of the slopes of all steps, (steps, steps, P, P)."""
    steps, size = len(chances), table.shape[1] - 1
    own = [np.linalg.inv(table.T @ (table * (weights * p * (1 - p))[:, None])) for p in chances]
    found = np.empty((steps, steps, size, size))
    for a in range(steps):
        for b in range(a, steps):
            # Who is above the later step is above the earlier one too.
            shared = weights * chances[b] * (1 - chances[a])
            part = (own[a] @ (table.T @ (table * shared[:, None])) @ own[b])[1:, 1:]
            found[a, b], found[b, a] = part, part.T
    return found


def _differ(
    slopes: FloatArray, among: FloatArray, columns: list[int]
) -> tuple[float, float] | None:
    """Return chi2 and p of these columns having the same slope at all steps."""
    steps, size = len(slopes), len(columns)
    flat = slopes[:, columns].ravel()
    covariance = among[:, :, columns][:, :, :, columns].transpose(0, 2, 1, 3)
    covariance = covariance.reshape(steps * size, steps * size)
    contrast = np.hstack([np.tile(np.eye(size), (steps - 1, 1)), -np.eye((steps - 1) * size)])
    spread = contrast @ covariance @ contrast.T
    if np.linalg.cond(spread) > 1e12:
        return None
    apart = contrast @ flat
    chi2 = float(apart @ np.linalg.solve(spread, apart))
    return (chi2, float(special.chdtrc((steps - 1) * size, chi2))) if chi2 >= 0 else None
