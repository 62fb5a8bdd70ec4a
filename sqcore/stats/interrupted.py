"""Whether a rate made a step at a known time, beyond its trend and its season.

docs/methods/interrupted-series.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import BoolArray, FloatArray, confidence_level
from sqcore.stats.effects import LARGEST_PHI
from sqcore.stats.errors import StatisticsError
from sqcore.stats.logistic import exponential, halved
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.seasonality import HUGE, LEAST, series_of

LEAST_BEFORE, LEAST_BEFORE_AT_ALL = 12, 3
LEAST_AFTER = 4
LEAST_EVENTS = 5
"""With fewer counted in a state the logarithm of a ratio is far from normal."""
LEAST_DF = 3
"""With fewer degrees of freedom the spread about the lines is next to unknown."""
MOST_LAGS = 10
LARGEST = 1e15


_STEPS = 100
_SETTLED = 1e-13
_MOST_LOG = 650.0
_RUNAWAY = 25.0
"""Beyond this logarithm of a ratio to the mean it is separation: one in 70 billion."""
_NOTHING = 1e-9


@dataclass(frozen=True)
class Memory:
    """Whether what the lines leave over resembles its neighbours.

    correlations: with the period before, the one before that, and so on; () without a test
    q, p: of the Ljung-Box test of all of them together, None without one. A small p says that the
        interval of the ratio is likely to be too short
    """

    correlations: tuple[float, ...]
    q: float | None
    p: float | None
    status: MethodStatus = MethodStatus.OK


@dataclass(frozen=True)
class Interrupted:
    """log(rate) = level + trend t + season + step + change (t - at + 1), the last two from `at` on.

    ratio: by how much the step multiplied the rate. trend: by how much a period does; change: by
        how much each from `at` on does besides; both NOT_APPLICABLE where they were not asked for
    step, error: the logarithm of the ratio and its standard error
    dispersion: how much more the counts vary than those of independent events, 1 is as much
    phi: the autocorrelation by which the intervals were widened, 0 where they were not
    deviance: what the lines leave over; df: degrees of freedom of the intervals
    fitted: rate of each period by the lines, without: had there been neither step nor change, both
        (P,), also of periods without a count
    memory: of the deviance residuals. n_before, n_after: counts that are there
    A status other than OK has no numbers, () as lines.
    """

    ratio: Figure
    trend: Figure
    change: Figure
    step: float | None
    error: float | None
    dispersion: float | None
    phi: float
    deviance: float | None
    df: float
    fitted: tuple[float, ...]
    without: tuple[float, ...]
    memory: Memory
    n_before: int
    n_after: int
    status: MethodStatus = MethodStatus.OK


def interrupted_series(
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike,
    *,
    at: int,
    earlier: int | None = None,
    with_trend: bool = True,
    with_change: bool = False,
    season: float = 0.0,
    harmonics: int = 0,
    dispersion: float | None = None,
    independent: bool = False,
    least_before: int = LEAST_BEFORE,
    confidence: float = 0.95,
) -> Interrupted:
    """Return by how much the rate of events changed from a known period on.

    counts: shape (P,), >= 0, one a period in the order of time; NaN where there is none or where
        it shall not count. exposure: shape (P,), what they were counted from; NaN or 0 is a gap
    at: the first period of the new state, counted from 0. earlier: a period before it in which
        the level changed as well, so that the step is told from the state between the two
    with_trend: a straight line of the logarithm; with_change: it may turn at the step
    season: periods of a full turn, need not be whole, 0 for none; harmonics: pairs of sine and
        cosine for it, fewer than half of its periods
    dispersion: how much more the counts vary than those of independent events, > 0 (1: Poisson);
        None: it is estimated, Pearson's chi-square by the degrees of freedom
    independent: True: periods do not resemble their neighbours, whatever is left over. False: the
        intervals are widened for AR(1), phi from 0 to .8, where the dispersion is not given
    least_before: with fewer counts before it is too_short, >= 3
    returns: Interrupted. Intervals by t, those of a given dispersion by the normal. TOO_SHORT
        with fewer than `LEAST_AFTER` counts after or `LEAST_DF` degrees of freedom, which phi
        makes fewer; ZERO_VARIANCE
        where nothing was ever counted or the lines meet every count; NOT_APPLICABLE where
        nothing was counted in a state, before or after (a ratio would be 0 or endless);
        INSUFFICIENT_N with fewer than `LEAST_EVENTS` in a state; SINGULAR where the parts cannot
        be told apart
    raises: StatisticsError for other shapes, negative or endless numbers, a count without
        exposure, a period outside of the series, harmonics without a season that is long enough
    assumes: nothing else happened at that time; counts whose variance goes with their mean and
        that do not wait for each other (see `memory`); one season throughout
    source: Lopez Bernal, Cummins, Gasparrini 2017, doi:10.1093/ije/dyw098; quasi-likelihood:
        Wedderburn 1974, doi:10.1093/biomet/61.3.439; Ljung, Box 1978, doi:10.1093/biomet/65.2.297

    >>> faults = [20, 24, 19, 23, 21, 18, 22, 25, 20, 21, 23, 19, 12, 10, 13, 11, 9, 12]
    >>> found = interrupted_series(faults, [100.0] * 18, at=12, with_trend=False)
    >>> round(found.ratio.value, 3), round(found.ratio.low, 3), round(found.ratio.high, 3)
    (0.525, 0.459, 0.601)
    """
    confidence_level(confidence)
    if least_before < LEAST_BEFORE_AT_ALL:
        raise StatisticsError("there must be at least 3 counts before")
    if dispersion is not None and not 0.0 < dispersion < LARGEST:
        raise StatisticsError("dispersion must be positive and finite")
    y, weight = _series(counts, exposure)
    lines = _lines(len(y), at, earlier, with_trend, with_change, season, harmonics)
    here = ~np.isnan(y)
    sides = _Sides.of(y, [at] if earlier is None else [earlier, at])
    df = int(here.sum()) - len(lines.names)
    status = sides.status(df, least_before)
    if status is MethodStatus.OK and _is_dependent(lines.table[here]):
        status = MethodStatus.SINGULAR
    if status is not MethodStatus.OK:
        return _none(status, sides)
    fit = _fit(lines.table[here], y[here], weight[here])
    if fit is None:
        return _none(MethodStatus.NOT_APPLICABLE, sides)
    if fit.chi2 <= _NOTHING * df * float(y[here].max()):
        return _none(MethodStatus.ZERO_VARIANCE, sides)
    if dispersion is not None:
        normal = float(special.ndtri(0.5 + confidence / 2))
        return _told(lines, fit, here, sides, _Spread(dispersion, 0.0, df, normal))
    spread = _Spread.of(fit, here, 0.0 if independent else _phi(fit, here), confidence)
    if spread is None:
        return _none(MethodStatus.TOO_SHORT, sides)
    return _told(lines, fit, here, sides, spread)


def _series(counts: npt.ArrayLike, exposure: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return counts and exposure, both NaN in gaps."""
    y, weight = series_of(counts), series_of(exposure)
    if y.shape != weight.shape:
        raise StatisticsError("each period has one count and one exposure")
    if (y < 0).any() or (y > LARGEST).any():
        raise StatisticsError(f"counts must lie between 0 and {LARGEST:g}")
    if (weight < 0).any() or ((weight > 0) & (weight < 1 / HUGE)).any():
        raise StatisticsError("exposure cannot be negative, nor too small to divide by")
    some = weight > 0
    if ((y > 0) & ~some).any():
        raise StatisticsError("something was counted without exposure")
    known = some & ~np.isnan(y)
    return np.where(known, y, np.nan), np.where(known, weight, np.nan)


# ---- The lines -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Lines:
    """The columns of all P periods, (P, K), each of about the size of 1, by name; how many periods
    one unit of the straight lines is; which periods are after the step; the season."""

    table: FloatArray
    names: tuple[str, ...]
    unit: float
    at: int
    season: float

    @property
    def without(self) -> FloatArray:
        """The same columns, had there been neither step nor change."""
        found = self.table.copy()
        found[:, [name in ("step", "change") for name in self.names]] = 0.0
        return found


def _lines(
    n: int,
    at: int,
    earlier: int | None,
    with_trend: bool,
    with_change: bool,
    season: float,
    harmonics: int,
) -> _Lines:
    if not 0 < at < n or (earlier is not None and not 0 < earlier < at):
        raise StatisticsError("a step lies within the series, an earlier one before it")
    if harmonics < 0 or not 0.0 <= season < HUGE or (harmonics and 2 * harmonics >= season):
        raise StatisticsError("a season has more than 2 periods for each of its harmonics")
    t, unit = np.arange(n, dtype=np.float64), float(n)
    columns = {"level": np.ones(n), "step": (t >= at).astype(np.float64)}
    if earlier is not None:
        columns["earlier"] = (t >= earlier).astype(np.float64)
    if with_trend:
        columns["trend"] = (t - at) / unit
    if with_change:
        columns["change"] = np.maximum(t - at + 1, 0.0) / unit
    for turn in range(1, harmonics + 1):
        angle = 2 * np.pi * turn * t / season
        columns |= {f"sine {turn}": np.sin(angle), f"cosine {turn}": np.cos(angle)}
    return _Lines(np.column_stack(list(columns.values())), tuple(columns), unit, at, season)


@dataclass(frozen=True)
class _Sides:
    """How many counts there are before and after the step, and how many events in each state."""

    before: int
    after: int
    events: tuple[float, ...]

    @classmethod
    def of(cls, y: FloatArray, steps: list[int]) -> "_Sides":
        here = ~np.isnan(y)
        states = np.split(np.where(here, y, 0.0), steps)
        events = tuple(float(state.sum()) for state in states)
        return cls(int(here[: steps[-1]].sum()), int(here[steps[-1] :].sum()), events)

    def status(self, df: int, least_before: int) -> MethodStatus:
        if self.before < least_before or self.after < LEAST_AFTER or df < LEAST_DF:
            return MethodStatus.TOO_SHORT
        if max(self.events) == 0.0:
            return MethodStatus.ZERO_VARIANCE
        if min(self.events) == 0.0:
            return MethodStatus.NOT_APPLICABLE
        return MethodStatus.OK if min(self.events) >= LEAST_EVENTS else MethodStatus.INSUFFICIENT_N


def _is_dependent(table: FloatArray) -> bool:
    """Whether some columns follow from others in the periods that are there."""
    size = np.sqrt((table**2).sum(axis=0))
    if (size == 0.0).any():
        return True
    spread = np.linalg.svd(table / size, compute_uv=False)
    return bool(spread[-1] < 1e-8 * spread[0])


# ---- The fit -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Fit:
    """slopes (K,), their covariance at a dispersion of 1, Pearson's chi-square, deviance, the hat
    matrix (N, N) and the deviance residual of each count (N,)."""

    slopes: FloatArray
    covariance: FloatArray
    chi2: float
    deviance: float
    hat: FloatArray
    residuals: FloatArray


def _fit(table: FloatArray, y: FloatArray, weight: FloatArray) -> _Fit | None:
    """Return the fit of log(mean) = log(weight) + table slopes; None where slopes run away."""
    base = np.log(weight) + np.log(y.sum()) - np.log(weight.sum())
    b = np.zeros(table.shape[1])

    def loss(at: FloatArray) -> float:
        return float(_deviances(y, base + table @ at).sum())

    now = loss(b)
    for _step in range(_STEPS):
        if np.abs(table @ b).max() > _RUNAWAY:
            return None
        mean = np.exp(base + table @ b)
        bent = table.T @ (table * mean[:, None])
        if np.linalg.cond(bent) > 1e14:
            return None
        b, then = halved(loss, b, np.linalg.solve(bent, table.T @ (y - mean)), now)
        if now - then <= _SETTLED * (abs(then) + _SETTLED):
            break
        now = then
    else:
        return None
    mean = np.exp(base + table @ b)
    parts = _deviances(y, base + table @ b)
    level = np.zeros(len(b))
    level[0] = np.log(y.sum()) - np.log(weight.sum())
    root = np.linalg.qr(table * np.sqrt(mean)[:, None])[0]
    return _Fit(
        slopes=b + level,
        covariance=np.linalg.inv(table.T @ (table * mean[:, None])),
        chi2=float(((y - mean) ** 2 / mean).sum()),
        deviance=float(parts.sum()),
        hat=root @ root.T,
        residuals=np.sign(y - mean) * np.sqrt(np.maximum(parts, 0.0)),
    )


def _deviances(y: FloatArray, eta: FloatArray) -> FloatArray:
    """Return by how much each count lies off its mean exp(eta)."""
    held = np.clip(eta, -_MOST_LOG, _MOST_LOG)
    return np.asarray(2.0 * (special.xlogy(y, y) - y * held - y + np.exp(held)))


# ---- How sure it is ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Spread:
    """The dispersion, the autocorrelation it was told with, the degrees of freedom of an interval
    and its quantile."""

    dispersion: float
    phi: float
    df: float
    quantile: float

    @classmethod
    def of(cls, fit: _Fit, here: BoolArray, phi: float, confidence: float) -> "_Spread | None":
        """As in the check of an effect: n periods tell as much as n (1 - phi) / (1 + phi)."""
        worth = (1 - phi) / (1 + phi)
        df = float(here.sum()) * worth - len(fit.slopes)
        if df < LEAST_DF:
            return None
        quantile = float(special.stdtrit(df, 0.5 + confidence / 2))
        return cls(fit.chi2 * worth / df, phi, df, quantile)

    @property
    def factor(self) -> float:
        """What the variance of a slope at a dispersion of 1 is multiplied by."""
        return self.dispersion * (1 + self.phi) / (1 - self.phi)


def _phi(fit: _Fit, here: BoolArray) -> float:
    """Return how much neighbours resemble each other, from 0 to .8.

    Lines that follow the counts make residuals unlike their neighbours: what they would be for
    independent counts is known from the hat matrix and taken off.
    """
    n, columns = len(fit.residuals), len(fit.slopes)
    places = np.flatnonzero(here)
    near = np.flatnonzero(np.diff(places) == 1)
    found = _correlations(fit.residuals, here, 1)
    if len(near) < LEAST or not len(found):
        return 0.0
    by_lines = -float(fit.hat[near, near + 1].sum()) / (n - columns) * (n - 1) / len(near)
    return float(np.clip((found[0] - by_lines) * n / (n - 4), 0.0, LARGEST_PHI))


def _correlations(residuals: FloatArray, here: BoolArray, most: int) -> FloatArray:
    """Return the autocorrelations of 1 to `most` periods; () where a gap leaves too few pairs or
    all are alike. Neighbours across a gap do not count."""
    n = len(residuals)
    off = np.zeros(len(here))
    off[here] = residuals - residuals.mean()
    square = float((off**2).sum())
    lags = range(1, most + 1)
    pairs = np.array([(here[lag:] & here[:-lag]).sum() for lag in lags])
    if most < 1 or pairs.min() < LEAST or square <= _NOTHING * n:
        return np.empty(0)
    products = np.array([float((off[lag:] * off[:-lag]).sum()) for lag in lags])
    return np.asarray(products / square * (n - np.array(lags)) / pairs)


# ---- What it says --------------------------------------------------------------------------------


def _told(lines: _Lines, fit: _Fit, here: BoolArray, sides: _Sides, spread: _Spread) -> Interrupted:
    n = int(here.sum())
    fitted, without = lines.table @ fit.slopes, lines.without @ fit.slopes
    if max(np.abs(fitted).max(), np.abs(without).max()) > _MOST_LOG:
        return _none(MethodStatus.NOT_APPLICABLE, sides)

    def error(at: int) -> float:
        return float(np.sqrt(spread.factor * fit.covariance[at, at]))

    def slope(name: str, unit: float = 1.0) -> Figure:
        if name not in lines.names:
            return Figure.none(MethodStatus.NOT_APPLICABLE, n=n)
        at = lines.names.index(name)
        value = float(fit.slopes[at]) / unit
        half = spread.quantile * error(at) / unit
        return Figure(value, value - half, value + half, n)

    step = slope("step")
    ratio = exponential(step)
    if ratio.status is not MethodStatus.OK:
        return _none(MethodStatus.NOT_APPLICABLE, sides)
    return Interrupted(
        ratio=ratio,
        trend=exponential(slope("trend", lines.unit)),
        change=exponential(slope("change", lines.unit)),
        step=step.value,
        error=error(lines.names.index("step")),
        dispersion=spread.dispersion,
        phi=spread.phi,
        deviance=fit.deviance,
        df=spread.df,
        fitted=_numbers(np.exp(fitted)),
        without=_numbers(np.exp(without)),
        memory=_memory(fit.residuals, here, lines.season),
        n_before=sides.before,
        n_after=sides.after,
    )


def _memory(residuals: FloatArray, here: BoolArray, season: float) -> Memory:
    """Return the Ljung-Box test: of two turns of a season, else of 10 periods, but of no more
    than a quarter of what is there. Neighbours across a gap do not count."""
    n = len(residuals)
    most = min(int(2 * season) if season else MOST_LAGS, n // 4)
    found = _correlations(residuals, here, most)
    if not len(found):
        return Memory((), None, None, MethodStatus.INSUFFICIENT_N)
    q = float(n * (n + 2) * (found**2 / (n - np.arange(1, most + 1))).sum())
    return Memory(_numbers(found), q, float(special.chdtrc(most, q)))


def _numbers(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _none(status: MethodStatus, sides: _Sides) -> Interrupted:
    nothing = Figure.none(status, n=sides.before + sides.after)
    return Interrupted(
        ratio=nothing,
        trend=nothing,
        change=nothing,
        step=None,
        error=None,
        dispersion=None,
        phi=0.0,
        deviance=None,
        df=0,
        fitted=(),
        without=(),
        memory=Memory((), None, None, status),
        n_before=sides.before,
        n_after=sides.after,
        status=status,
    )
