"""How likely something is (a customer leaves), and how far such a probability can be believed.

docs/methods/loyalty-and-risk.md
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    confidence_level,
    finite,
    int64s,
    shaped,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus

FEWEST_EVENTS = 50
"""So many must have left and so many stayed before a model is better than a scorecard."""
FALLBACK_RIDGE = 1.0
"""Where the groups are told apart perfectly: a slope of one standard deviation is then as likely
to be within 1 as a standard normal number."""

_STEPS = 50
_SETTLED = 1e-10
_RUNAWAY = 15.0
"""Beyond this slope for one standard deviation it is separation: odds of 3 million to 1."""
_LEAST_PROBABILITY = 1e-9
_LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Logistic:
    """log odds = intercept + x slopes, of P columns.

    slopes: change of the log odds for one unit of the column; odds_ratios: exp of that, both with
        intervals. A column that is the same for all has ZERO_VARIANCE and does not count
    errors: the standard error of the intercept and of each slope, 0 where there is none, (P + 1,)
    deviance, null_deviance: with the columns and without them
    ridge: the penalty that was used; is_separated: it was needed because the columns tell
        both outcomes apart perfectly, so that slopes without penalty would be endless
    n: rows; events: rows with outcome 1
    """

    intercept: float | None
    slopes: tuple[Figure, ...]
    odds_ratios: tuple[Figure, ...]
    errors: tuple[float, ...]
    deviance: float | None
    null_deviance: float | None
    ridge: float
    is_separated: bool
    n: int
    events: int
    status: MethodStatus

    def probabilities(self, x: npt.ArrayLike) -> FloatArray:
        """Return the probability of outcome 1 for rows of x, shape (N, P) -> (N,).

        raises: StatisticsError without a model, or for another number of columns
        """
        table = finite(x, "x")
        if self.intercept is None:
            raise StatisticsError("there is no model")
        if table.ndim != 2 or table.shape[1] != len(self.slopes):
            raise StatisticsError("x must have the columns of the model")
        slopes = np.array([figure.value or 0.0 for figure in self.slopes])
        return np.asarray(special.expit(self.intercept + table @ slopes))


def logistic(
    x: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    ridge: float = 0.0,
    fewest_events: int = FEWEST_EVENTS,
    confidence: float = 0.95,
) -> Logistic:
    """Return how the odds of an outcome go with columns.

    x: shape (N, P), complete; outcome: shape (N,), 0 or 1
    ridge: 0 or more: the penalty on half the squared slopes for one standard deviation of each
        column. 0: none, unless the columns separate the outcomes
    fewest_events: INSUFFICIENT_N with fewer rows of either outcome. With fewer than 10 of the
        rarer outcome for each column give a ridge
    returns: Logistic; SINGULAR where columns follow from others
    raises: StatisticsError for other shapes, numbers that are not finite, outcomes not 0 or 1
    assumes: independent rows; log odds on a straight line. Intervals are Wald's; with a ridge
        they are around slopes that are pulled towards 0
    source: iteratively reweighted least squares, McCullagh, Nelder 1989; ridge: le Cessie, van
        Houwelingen 1992, doi:10.2307/2347628

    >>> x = np.tile([0.0, 1.0], 200)[:, None]
    >>> left = np.tile([0, 0, 0, 1, 1, 1, 0, 1], 50)
    >>> model = logistic(x, left)
    >>> round(model.odds_ratios[0].value, 2), model.events
    (9.0, 200)
    """
    table, y = _rows(x, outcome)
    confidence_level(confidence)
    if not 0.0 <= ridge < np.inf:
        raise StatisticsError("ridge must be 0 or more")
    events = int(y.sum())
    varies = columns_that_vary(table)
    status = _enough(events, len(y) - events, int(varies.sum()), fewest_events)
    if status is MethodStatus.OK and is_dependent(table[:, varies]):
        status = MethodStatus.SINGULAR
    if status is not MethodStatus.OK:
        return _none(table.shape[1], len(y), events, status)
    standard = Standard.of(table[:, varies])
    fit = irls(standard.x, y, ridge=ridge)
    is_separated = fit is None
    if fit is None:
        ridge = max(ridge, FALLBACK_RIDGE)
        fit = irls(standard.x, y, ridge=ridge)
    if fit is None:
        return _none(table.shape[1], len(y), events, MethodStatus.SINGULAR)
    return _told(fit, standard, varies, ridge, is_separated, y, confidence)


def _rows(x: npt.ArrayLike, outcome: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    table, y = finite(x, "x"), finite(outcome, "outcome")
    if table.ndim != 2:
        raise StatisticsError("x must be a table")
    shaped(y, (len(table),), "outcome")
    if not np.isin(y, (0.0, 1.0)).all():
        raise StatisticsError("outcome must be 0 or 1")
    return table, y


def _enough(events: int, others: int, columns: int, fewest: int) -> MethodStatus:
    rarer = min(events, others)
    if columns == 0:
        return MethodStatus.ZERO_VARIANCE if rarer else MethodStatus.INSUFFICIENT_N
    return MethodStatus.OK if rarer >= max(fewest, 1) else MethodStatus.INSUFFICIENT_N


def _none(columns: int, n: int, events: int, status: MethodStatus) -> Logistic:
    nothing = (Figure.none(status, n=n),) * columns
    return Logistic(None, nothing, nothing, (), None, None, 0.0, False, n, events, status)


def _told(
    fit: "Fit",
    standard: "Standard",
    varies: BoolArray,
    ridge: float,
    is_separated: bool,
    y: FloatArray,
    confidence: float,
) -> Logistic:
    n, z = len(y), float(special.ndtri(0.5 + confidence / 2))
    back = standard.back()
    own, covariance = back @ fit.slopes, back @ fit.covariance @ back.T
    errors = np.sqrt(np.diag(covariance))
    slopes = [Figure.none(MethodStatus.ZERO_VARIANCE, n=n)] * len(varies)
    ratios, all_errors = list(slopes), np.zeros(len(varies) + 1)
    all_errors[0] = errors[0]
    for at, column in enumerate(np.flatnonzero(varies), start=1):
        half = z * float(errors[at])
        slope = Figure(float(own[at]), float(own[at]) - half, float(own[at]) + half, n)
        slopes[column], ratios[column] = slope, exponential(slope)
        all_errors[column + 1] = errors[at]
    return Logistic(
        intercept=float(own[0]),
        slopes=tuple(slopes),
        odds_ratios=tuple(ratios),
        errors=tuple(float(one) for one in all_errors),
        deviance=fit.deviance,
        null_deviance=_deviance(np.full(n, special.logit(y.mean())), y, np.ones(n)),
        ridge=ridge,
        is_separated=is_separated,
        n=n,
        events=int(y.sum()),
        status=MethodStatus.OK,
    )


def exponential(figure: Figure) -> Figure:
    """Return the odds ratio of a slope; NOT_APPLICABLE where it is too large to be a number."""
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    if max(abs(figure.low), abs(figure.high)) > 700.0:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=figure.n)
    low, value, high = np.exp([figure.low, figure.value, figure.high])
    return Figure(float(value), float(low), float(high), figure.n)


# ---- The fit -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Standard:
    """Columns with mean 0 and standard deviation 1: x (N, P), and what they were."""

    x: FloatArray
    mean: FloatArray
    sd: FloatArray

    @classmethod
    def of(cls, x: FloatArray, weights: FloatArray | None = None) -> "Standard":
        mean = np.average(x, axis=0, weights=weights)
        sd = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
        return cls((x - mean) / sd, mean, sd)

    def back(self) -> FloatArray:
        """Return the matrix that turns (intercept, slopes) of x back to the columns' own units."""
        size = len(self.sd)
        matrix = np.zeros((size + 1, size + 1))
        matrix[0, 0] = 1.0
        matrix[0, 1:] = -self.mean / self.sd
        matrix[1:, 1:] = np.diag(1.0 / self.sd)
        return matrix


def columns_that_vary(x: FloatArray) -> BoolArray:
    """Return which columns are not the same for all, shape (P,).

    raises: StatisticsError for numbers too large to be squared
    """
    if x.size == 0:
        return np.zeros(x.shape[1], dtype=bool)
    most = np.abs(x).max(axis=0)
    if most.max() > _LARGEST:
        raise StatisticsError("x holds numbers too large to be squared")
    return np.asarray(np.ptp(x, axis=0) > np.maximum(1e-12 * most, 1 / _LARGEST))


def is_dependent(x: FloatArray) -> bool:
    """Whether some columns follow from others and a constant."""
    if x.shape[1] == 0:
        return False
    if len(x) <= x.shape[1]:
        return True
    standard = Standard.of(x).x
    return bool(np.linalg.eigvalsh(standard.T @ standard / len(x)).min() < 1e-10)


@dataclass(frozen=True, eq=False)
class Fit:
    """slopes (P + 1,), the intercept first; their covariance; the deviance of the rows."""

    slopes: FloatArray
    covariance: FloatArray
    deviance: float


def irls(
    x: FloatArray,
    y: FloatArray,
    *,
    ridge: float = 0.0,
    offset: FloatArray | None = None,
    weights: FloatArray | None = None,
) -> Fit | None:
    """Return the fit of log odds = offset + intercept + x slopes; None where slopes run away.

    x: standardised columns, (N, P); y: 0 or 1; ridge: not on the intercept; weights: how many
        each row stands for
    """
    table = np.column_stack([np.ones(len(x)), x])
    base = np.zeros(len(x)) if offset is None else offset
    w = np.ones(len(x)) if weights is None else weights
    penalty = np.diag([0.0] + [ridge] * x.shape[1])
    b = np.zeros(table.shape[1])

    def loss(at: FloatArray) -> float:
        return _deviance(base + table @ at, y, w) + float(at @ penalty @ at)

    now = loss(b)
    for _step in range(_STEPS):
        p = special.expit(base + table @ b)
        pull = table.T @ (w * (y - p)) - penalty @ b
        bent = (table * (w * p * (1 - p))[:, None]).T @ table + penalty
        if np.linalg.cond(bent) > 1e14:
            return None
        step = np.linalg.solve(bent, pull)
        b, then = halved(loss, b, step, now)
        if np.abs(b[1:]).max(initial=0.0) > _RUNAWAY and ridge == 0.0:
            return None
        if now - then <= _SETTLED * (abs(then) + _SETTLED):
            return Fit(b, np.linalg.inv(bent), _deviance(base + table @ b, y, w))
        now = then
    return None


def halved(
    loss: Callable[[FloatArray], float], at: FloatArray, step: FloatArray, now: float
) -> tuple[FloatArray, float]:
    """Go the step, or half of it, or a quarter..., until the loss is no larger than it is now."""
    for _half in range(30):
        then = loss(at + step)
        if then <= now + 1e-12 * abs(now):
            return at + step, then
        step = step / 2
    return at, now


def _deviance(log_odds: FloatArray, y: FloatArray, w: FloatArray) -> float:
    # log(1 + e^z) - y z, twice, without overflow
    return float(2.0 * (w @ (np.logaddexp(0.0, log_odds) - y * log_odds)))


def out_of_fold(
    x: npt.ArrayLike, outcome: npt.ArrayLike, fold: npt.ArrayLike, *, ridge: float = 0.0
) -> FloatArray | None:
    """Return each row's probability by a model that has not seen the rows of its fold.

    x, outcome, ridge: as in `logistic`; fold: shape (N,), whole numbers
    returns: shape (N,); None where a fold leaves too little to learn from (one outcome only, or
        columns that follow from others). By these, not by the model's own rows, the area under
        the curve and the calibration are to be judged
    raises: StatisticsError as in `logistic`

    >>> x = np.linspace(-2, 2, 80)[:, None]
    >>> left = (np.arange(80) * 7 % 10 < 4 + x[:, 0]).astype(int)
    >>> out_of_fold(x, left, np.arange(80) % 5).shape
    (80,)
    """
    table, y = _rows(x, outcome)
    folds = int64s(fold, "fold")
    shaped(folds, y.shape, "fold")
    found = np.empty(len(y))
    for one in np.unique(folds):
        rest, here = folds != one, folds == one
        model = logistic(table[rest], y[rest], ridge=ridge, fewest_events=1)
        if model.status is not MethodStatus.OK:
            return None
        found[here] = model.probabilities(table[here])
    return found


# ---- How good probabilities are ------------------------------------------------------------------


def auc(outcome: npt.ArrayLike, score: npt.ArrayLike, *, confidence: float = 0.95) -> Figure:
    """Return how often somebody with outcome 1 has a higher score than somebody with outcome 0.

    outcome: shape (N,), 0 or 1; score: shape (N,), any scale; equal scores count half
    returns: Figure in 0..1, .5 is chance; NOT_APPLICABLE where only one outcome occurs
    raises: StatisticsError for other shapes or numbers
    assumes: independent rows. The interval inverts the variance of Hanley and McNeil, so that it
        is no point where the scores tell both outcomes apart perfectly
    source: Hanley, McNeil 1982, doi:10.1148/radiology.143.1.7063747; inverted as in Newcombe
        2006, doi:10.1002/sim.2324

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    y, s = finite(outcome, "outcome"), finite(score, "score")
    if y.ndim != 1 or not np.isin(y, (0.0, 1.0)).all():
        raise StatisticsError("outcome must be a list of 0 and 1")
    shaped(s, y.shape, "score")
    z = float(special.ndtri(0.5 + confidence_level(confidence) / 2))
    events, others = int(y.sum()), int(len(y) - y.sum())
    if min(events, others) == 0:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=len(y))
    _values, at, count = np.unique(s, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    above = float(rank[at][y == 1].sum()) - events * (events + 1) / 2
    value = above / (events * others)

    def excess(truth: float) -> float:
        higher = truth / (2 - truth) - truth**2
        lower = 2 * truth**2 / (1 + truth) - truth**2
        spread = truth * (1 - truth) + (events - 1) * higher + (others - 1) * lower
        return (value - truth) ** 2 - z * z * spread / (events * others)

    return Figure(value, _root(excess, 0.0, value), _root(excess, 1.0, value), len(y))


def _root(excess: Callable[[float], float], end: float, value: float) -> float:
    """Return where excess changes its sign between an end (above 0) and the value (below)."""
    outside, inside = end, value
    for _half in range(60):
        middle = (outside + inside) / 2
        if excess(middle) > 0:
            outside = middle
        else:
            inside = middle
    return outside


@dataclass(frozen=True)
class CalibrationGroup:
    """Rows of like probability: their mean probability, and the share that came true."""

    n: int
    predicted: float
    observed: Figure


@dataclass(frozen=True)
class Calibration:
    """Whether 20 % means 20 %.

    groups: from the lowest probabilities to the highest
    slope: 1 if probabilities are as far apart as they should be, below 1 if they are too extreme
    shift: of the log odds: 0 if they are right on the whole, above 0 if too low
    """

    groups: tuple[CalibrationGroup, ...]
    slope: Figure
    shift: Figure
    n: int
    status: MethodStatus


def calibration(
    outcome: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    groups: int = 10,
    confidence: float = 0.95,
) -> Calibration:
    """Return probabilities beside what came true.

    outcome: shape (N,), 0 or 1; probability: shape (N,), 0..1, of rows the model has not learnt
        from
    groups: at most so many of about equal size, 1 or more; equal probabilities stay together
    returns: Calibration; slope and shift NOT_APPLICABLE where only one outcome occurs, the slope
        ZERO_VARIANCE where all probabilities are alike, SINGULAR where they separate perfectly
    raises: StatisticsError for other shapes or numbers out of range
    source: Cox 1958, doi:10.1093/biomet/45.3-4.562; Van Calster et al. 2019,
        doi:10.1186/s12916-019-1466-7

    >>> found = calibration([0, 0, 0, 1] * 25, [0.25] * 100)
    >>> found.groups[0].predicted, found.groups[0].observed.value, found.shift.value
    (0.25, 0.25, 0.0)
    """
    y, p = finite(outcome, "outcome"), finite(probability, "probability")
    if y.ndim != 1 or not np.isin(y, (0.0, 1.0)).all():
        raise StatisticsError("outcome must be a list of 0 and 1")
    shaped(p, y.shape, "probability")
    if ((p < 0) | (p > 1)).any():
        raise StatisticsError("probability must lie in 0..1")
    if groups < 1:
        raise StatisticsError("there must be a group")
    z = float(special.ndtri(0.5 + confidence_level(confidence) / 2))
    n = len(y)
    if n == 0:
        none = Figure.none(MethodStatus.NOT_APPLICABLE)
        return Calibration((), none, none, 0, MethodStatus.NOT_APPLICABLE)
    log_odds = special.logit(np.clip(p, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY))
    return Calibration(
        groups=_grouped(y, p, groups, confidence),
        slope=_slope(log_odds, y, z),
        shift=_shift(log_odds, y, z),
        n=n,
        status=MethodStatus.OK,
    )


def _grouped(
    y: FloatArray, p: FloatArray, groups: int, confidence: float
) -> tuple[CalibrationGroup, ...]:
    edges = np.unique(np.quantile(p, np.linspace(0, 1, groups + 1)[1:-1]))
    belongs: IntArray = np.searchsorted(edges, p, side="left").astype(np.int64)
    found = []
    for one in np.unique(belongs):
        here = belongs == one
        n, came = int(here.sum()), int(y[here].sum())
        interval = wilson(came, n, confidence=confidence)
        observed = Figure(came / n, float(interval.low), float(interval.high), n)
        found.append(CalibrationGroup(n, float(p[here].mean()), observed))
    return tuple(found)


def _slope(log_odds: FloatArray, y: FloatArray, z: float) -> Figure:
    n = len(y)
    if y.min() == y.max():
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    if np.ptp(log_odds) <= 1e-9:
        return Figure.none(MethodStatus.ZERO_VARIANCE, n=n)
    standard = Standard.of(log_odds[:, None])
    fit = irls(standard.x, y)
    if fit is None:
        return Figure.none(MethodStatus.SINGULAR, n=n)
    value = float(fit.slopes[1] / standard.sd[0])
    half = z * float(np.sqrt(fit.covariance[1, 1]) / standard.sd[0])
    return Figure(value, value - half, value + half, n)


def _shift(log_odds: FloatArray, y: FloatArray, z: float) -> Figure:
    n = len(y)
    fit = None if y.min() == y.max() else irls(np.zeros((n, 0)), y, offset=log_odds)
    if fit is None:
        return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
    value, half = float(fit.slopes[0]), z * float(np.sqrt(fit.covariance[0, 0]))
    return Figure(value, value - half, value + half, n)
