"""Control charts: frozen limits of single values (XmR), shares (p), rates (u), Laney's p' and u'.

A baseline is frozen once; every later point is set against it. Points that are missing close up:
the moving range is taken between neighbours that are there.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, finite, shaped
from sqcore.stats.errors import StatisticsError

D2 = 2 / math.sqrt(math.pi)
"""The mean distance of two values of a normal distribution, in sigma: 1.128379."""
SCREEN = 3.267
"""D4 of two values: a moving range so many times the mean one is beyond its own limit."""
WIDTH = 3.0
MINIMUM = 5
TRIAL_BELOW = 20
PHI_FROM = 10
PHI_MOST = 0.8
DISPERSED = (0.8, 1.2)
LARGE = 5.0
"""Expected events of a period from which on Laney's factor may take part: of one or two a week
most moving ranges are nothing, and limits would be far too narrow."""
HUGE = 1e100
ROUNDING = 1e-14


class ChartKind(StrEnum):
    """Which limits a series has."""

    XMR = "xmr"
    P = "p"
    P_PRIME = "p_prime"
    U = "u"
    U_PRIME = "u_prime"

    @property
    def sized(self) -> bool:
        """Whether the limits of a point depend on how many it was counted from."""
        return self is not ChartKind.XMR

    @property
    def share(self) -> bool:
        return self in (ChartKind.P, ChartKind.P_PRIME)

    @property
    def prime(self) -> bool:
        return self in (ChartKind.P_PRIME, ChartKind.U_PRIME)


class ChartStatus(StrEnum):
    """What kind of limits these are.

    trial: from fewer than 20 points; too_short: from fewer than 5, so there are none;
    zero_variance: all points are the same, so no distance can be measured in sigma
    """

    OK = "ok"
    TRIAL = "trial"
    TOO_SHORT = "too_short"
    ZERO_VARIANCE = "zero_variance"

    @property
    def usable(self) -> bool:
        """Whether points can be set against the limits."""
        return self in (ChartStatus.OK, ChartStatus.TRIAL)


StatusArray = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Limits:
    """One frozen baseline of one series, in plain numbers.

    centre: in units of the values; of shares and rates the pooled one
    sigma: XmR: of single points, in units of the values; else how many times the points vary as
        much as their sizes explain (1.0 without Laney)
    spread: the larger of sigma by moving ranges and the standard deviation, in the unit of sigma
        (of shares and rates never below sigma)
    n0: points that it comes from; screened: moving ranges that were left out
    phi: lag-1 autocorrelation, bias-corrected, 0 to .8; 0 where n0 < 10
    Too short: centre, sigma and spread are NaN. Zero variance: sigma and spread are 0
    """

    kind: ChartKind
    status: ChartStatus
    centre: float
    sigma: float
    spread: float
    n0: int
    screened: int
    phi: float


@dataclass(frozen=True, eq=False)
class LimitsArray:
    """The frozen baselines of S series of single values; fields as in `Limits`, shape (S,)."""

    status: StatusArray
    centre: FloatArray
    sigma: FloatArray
    spread: FloatArray
    n0: IntArray
    screened: IntArray
    phi: FloatArray

    @property
    def usable(self) -> BoolArray:
        found: BoolArray = (self.status == ChartStatus.OK) | (self.status == ChartStatus.TRIAL)
        return found

    def one(self, series: int) -> Limits:
        """Return the limits of one series."""
        return Limits(
            ChartKind.XMR,
            ChartStatus(str(self.status[series])),
            float(self.centre[series]),
            float(self.sigma[series]),
            float(self.spread[series]),
            int(self.n0[series]),
            int(self.screened[series]),
            float(self.phi[series]),
        )


@dataclass(frozen=True, eq=False)
class Bands:
    """The lines of a chart, each of shape (points,).

    sigma: of a point, in units of the values. NaN where `known` is False: the limits are too
    short, or the point has no size
    """

    centre: FloatArray
    lower: FloatArray
    upper: FloatArray
    sigma: FloatArray

    @property
    def known(self) -> BoolArray:
        there: BoolArray = ~np.isnan(self.sigma)
        return there


class Choice(NamedTuple):
    """Which chart a series gets, and a stable code of the reason."""

    kind: ChartKind
    reason: str


def freeze(
    values: npt.ArrayLike,
    *,
    kind: ChartKind,
    sizes: npt.ArrayLike | None = None,
    screen: bool = True,
    valid: npt.ArrayLike | None = None,
) -> Limits:
    """Return the limits that a baseline gives.

    values: shape (P,), NaN where there is none. p: shares, 0..1; u: counts per size, >= 0
    sizes: p and u: shape (P,), what each value was counted from, so that value x size is the
        count; 0 or NaN: the point is missing. XmR: not looked at
    screen: leave out moving ranges of 3.267 times their mean or more, once. Where this left no
        variation at all, nothing is left out
    valid: shape (P,), bool: points that count; None: all that have a value
    returns: Limits. Fewer than 5 points: too_short. No variation, or nothing ever (or always)
        happened: zero_variance. Fewer than 20 points: trial
    raises: StatisticsError if a shape is wrong or a number out of range
    assumes: points that belong together, in the order of time, without trend
    source: Wheeler 2000, Understanding Variation (XmR; "as few as five or six values"); Nelson
        1982, Journal of Quality Technology 14(3):172-173 (screening); Laney 2002, Quality
        Engineering 14(4):531-537 (p', u'); qicharts2

    >>> weekly = [12, 14, 11, 13, 15, 12, 13, 14]
    >>> limits = freeze(weekly, kind=ChartKind.XMR)
    >>> limits.centre, round(limits.sigma, 4), limits.status.value
    (13.0, 1.7725, 'trial')
    """
    x = _series(values, "values")
    good = _good(x, valid)
    if not kind.sized:
        return freeze_many(x[None], good[None], screen=screen).one(0)
    sized = _sizes(sizes, x.shape)
    good &= sized > 0
    _check_range(x[good], kind)
    return _freeze_sized(x, sized, good, kind, screen=screen)


def freeze_many(
    values: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    baseline: npt.ArrayLike | None = None,
    *,
    screen: bool = True,
) -> LimitsArray:
    """Return the XmR limits of many series at once.

    values: shape (S, P), NaN where there is none
    valid: shape (S, P), bool: points that count; None: all that have a value
    baseline: shape (P,) or (S, P), bool: the points that are frozen; None: all
    screen: as in `freeze`
    returns: LimitsArray (S,)
    raises: StatisticsError if a shape is wrong or a number out of range
    source: as `freeze`

    >>> many = freeze_many([[12, 14, 11, 13, 15], [7, 7, 7, 7, 7]])
    >>> many.status.tolist(), many.centre.tolist()
    (['trial', 'zero_variance'], [13.0, 7.0])
    """
    x = _numbers(values, "values")
    if x.ndim != 2:
        raise StatisticsError("values must have shape (series, points)")
    good = _good(x, valid)
    if baseline is not None:
        good = good & _mask(baseline, "baseline", (x.shape, x.shape[1:]))
    return _single_values(np.where(good, x, 0.0), good, screen=screen)


def bands(
    limits: Limits, *, points: int, sizes: npt.ArrayLike | None = None, width: float = WIDTH
) -> Bands:
    """Return the lines of a chart of so many points.

    limits: frozen ones
    points: >= 0
    sizes: p and u: shape (points,), as in `freeze`
    width: > 0, how many sigma the limits are away from the centre
    returns: Bands. Limits of shares and rates do not go below 0, those of shares not above 1
    raises: StatisticsError if sizes are needed and missing, or a number is out of range
    source: as `freeze`

    >>> limits = freeze([.1, .2, .1, .2, .1], kind=ChartKind.P, sizes=[50] * 5)
    >>> lines = bands(limits, points=2, sizes=[50, 200])
    >>> lines.lower.round(3).tolist(), lines.upper.round(3).tolist()
    ([0.0, 0.066], [0.287, 0.214])
    """
    if points < 0 or not 0 < width < np.inf:
        raise StatisticsError("points must not be negative and width must be positive")
    sigma = _sigma_of_points(limits, (points,), sizes)
    centre = np.full(points, limits.centre)
    lower, upper = centre - width * sigma, centre + width * sigma
    if limits.kind.sized:
        lower = np.maximum(lower, 0.0)
    if limits.kind.share:
        upper = np.minimum(upper, 1.0)
    return Bands(centre, lower, upper, sigma)


def z_of(
    values: npt.ArrayLike, limits: Limits, *, sizes: npt.ArrayLike | None = None
) -> FloatArray:
    """Return how many sigma each value is away from the centre: what the rules read.

    values: shape (P,), NaN where there is none
    limits: frozen ones
    sizes: p and u: shape (P,), as in `freeze`
    returns: shape (P,); NaN where there is no point, and everywhere if the limits are not usable
    raises: StatisticsError if a shape is wrong or a number out of range

    >>> limits = freeze([12, 14, 11, 13, 15, 12, 13, 14], kind=ChartKind.XMR)
    >>> z_of([13, 20], limits).round(3).tolist()
    [0.0, 3.949]
    """
    x = _series(values, "values")
    if limits.kind.sized:
        _check_range(x[~np.isnan(x)], limits.kind)
    sigma = _sigma_of_points(limits, x.shape, sizes)
    if not limits.status.usable:
        return np.full(x.shape, np.nan)
    return np.asarray((x - limits.centre) / sigma, dtype=np.float64)


def z_many(values: npt.ArrayLike, limits: LimitsArray) -> FloatArray:
    """Return how many sigma each value of many XmR series is away from its centre.

    values: shape (S, P), NaN where there is none
    limits: of the same S series
    returns: shape (S, P); NaN where there is no point, and where the limits are not usable
    raises: StatisticsError if a shape is wrong or a number out of range

    >>> many = freeze_many([[12, 14, 11, 13, 15], [7, 7, 7, 7, 7]])
    >>> z_many([[13], [8]], many).tolist()
    [[0.0], [nan]]
    """
    x = _numbers(values, "values")
    if x.ndim != 2 or x.shape[0] != limits.centre.size:
        raise StatisticsError(f"values must have shape ({limits.centre.size}, points)")
    sigma = np.where(limits.usable, limits.sigma, np.nan)
    return np.asarray((x - limits.centre[:, None]) / sigma[:, None], dtype=np.float64)


def chart_for(
    statistic: str,
    values: npt.ArrayLike | None = None,
    *,
    sizes: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
) -> Choice:
    """Return which chart the baseline of a series gets, and why.

    statistic: "proportion", "rate" or anything else ("mean", "score", ...)
    values, sizes, valid: the baseline, as in `freeze`; without sizes a share is a single value
    returns: Choice. Shares with sizes: p, rates with sizes: u, each with Laney's factor where
        the baseline varies more than 1.2 or less than .8 times what its sizes explain, and is
        large enough for that to mean something: at least 5 of the rarer outcome in the median
        period; everything else XmR. Reasons: single_values, no_sizes, too_short_to_tell,
        too_few_to_tell, as_sizes_explain, more_than_sizes_explain, less_than_sizes_explain
    raises: StatisticsError if a shape is wrong or a number out of range
    source: Laney 2002, Quality Engineering 14(4):531-537

    >>> chart_for("mean")
    Choice(kind=<ChartKind.XMR: 'xmr'>, reason='single_values')
    >>> chart_for("proportion", [.1, .4, .1, .5, .1], sizes=[900] * 5).reason
    'more_than_sizes_explain'
    """
    if statistic not in ("proportion", "rate"):
        return Choice(ChartKind.XMR, "single_values")
    if values is None or sizes is None:
        return Choice(ChartKind.XMR, "no_sizes")
    share = statistic == "proportion"
    plain = ChartKind.P if share else ChartKind.U
    prime = ChartKind.P_PRIME if share else ChartKind.U_PRIME
    found = freeze(values, kind=prime, sizes=sizes, valid=valid)
    if not found.status.usable:
        return Choice(plain, "too_short_to_tell")
    rarer = min(found.centre, 1 - found.centre) if share else found.centre
    counted = np.asarray(sizes, dtype=np.float64)
    if rarer * float(np.nanmedian(counted)) < LARGE:
        return Choice(plain, "too_few_to_tell")
    if found.sigma > DISPERSED[1]:
        return Choice(prime, "more_than_sizes_explain")
    if found.sigma < DISPERSED[0]:
        return Choice(prime, "less_than_sizes_explain")
    return Choice(plain, "as_sizes_explain")


def _freeze_sized(
    x: FloatArray, sizes: FloatArray, good: BoolArray, kind: ChartKind, *, screen: bool
) -> Limits:
    n0 = int(good.sum())
    if n0 < MINIMUM:
        return Limits(kind, ChartStatus.TOO_SHORT, math.nan, math.nan, math.nan, n0, 0, 0.0)
    # The same sum above and below: what always happened is 1 exactly.
    centre = float((x[good] * sizes[good]).sum() / sizes[good].sum())
    rest = 1 - centre if kind.share else 1.0
    if min(centre, rest) < 1 / HUGE:
        return Limits(kind, ChartStatus.ZERO_VARIANCE, centre, 0.0, 0.0, n0, 0, 0.0)
    z = (x[good] - centre) / np.sqrt(centre * rest / sizes[good])
    of_z = freeze_many(z[None], screen=screen).one(0)
    if not kind.prime:
        status = _by_length(n0)
        spread = max(1.0, of_z.spread)
        return Limits(kind, status, centre, 1.0, spread, n0, of_z.screened, of_z.phi)
    return Limits(kind, of_z.status, centre, of_z.sigma, of_z.spread, n0, of_z.screened, of_z.phi)


def _by_length(n0: int) -> ChartStatus:
    return ChartStatus.TRIAL if n0 < TRIAL_BELOW else ChartStatus.OK


def _single_values(x: FloatArray, good: BoolArray, *, screen: bool) -> LimitsArray:
    """x: 0 where it is not good."""
    n0 = good.sum(axis=1)
    centre = x.sum(axis=1) / np.maximum(n0, 1)
    before, follows = _before(good)
    deviation = np.where(good, x - centre[:, None], 0.0)
    former = np.where(follows, np.take_along_axis(deviation, before, axis=1), 0.0)
    moving = np.where(follows, np.abs(x - np.take_along_axis(x, before, axis=1)), 0.0)
    kept = _screened(moving, follows) if screen else follows
    sigma = (moving * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1) / D2
    squares = (deviation**2).sum(axis=1)
    spread = np.maximum(sigma, np.sqrt(squares / np.maximum(n0 - 1, 1)))
    largest = np.abs(x).max(axis=1, initial=0.0)
    flat = sigma <= np.maximum(ROUNDING * largest, 1 / HUGE)
    short = n0 < MINIMUM
    status = np.select(
        [short, flat, n0 < TRIAL_BELOW],
        [ChartStatus.TOO_SHORT.value, ChartStatus.ZERO_VARIANCE.value, ChartStatus.TRIAL.value],
        ChartStatus.OK.value,
    )
    nothing = np.where(short, np.nan, 0.0)
    unknown = short | flat
    return LimitsArray(
        status,
        centre=np.where(short, np.nan, centre),
        sigma=np.where(unknown, nothing, sigma),
        spread=np.where(unknown, nothing, spread),
        n0=n0,
        screened=np.where(unknown, 0, (follows & ~kept).sum(axis=1)),
        phi=np.where(unknown, 0.0, _phi(deviation, former, squares, n0)),
    )


def _before(good: BoolArray) -> tuple[IntArray, BoolArray]:
    """Return where the good point before each point is, and which good points have one."""
    series, points = good.shape
    last = np.maximum.accumulate(np.where(good, np.arange(points), -1), axis=1)
    before = np.concatenate([np.full((series, min(points, 1)), -1), last[:, :-1]], axis=1)
    follows: BoolArray = good & (before >= 0)
    return np.maximum(before, 0), follows


def _screened(moving: FloatArray, follows: BoolArray) -> BoolArray:
    """Return the moving ranges that stay: below their limit, unless nothing that moves stays."""
    mean = moving.sum(axis=1) / np.maximum(follows.sum(axis=1), 1)
    kept = follows & (moving < SCREEN * mean[:, None])
    moves = (moving * kept).any(axis=1, keepdims=True)
    stays: BoolArray = np.where(moves, kept, follows)
    return stays


def _phi(
    deviation: FloatArray, former: FloatArray, squares: FloatArray, n0: IntArray
) -> FloatArray:
    raw = (deviation * former).sum(axis=1) / np.where(squares > 0, squares, 1.0)
    corrected = (n0 * raw + 1) / np.maximum(n0 - 4, 1)
    return np.where(n0 < PHI_FROM, 0.0, np.clip(corrected, 0.0, PHI_MOST))


def _sigma_of_points(
    limits: Limits, shape: tuple[int, ...], sizes: npt.ArrayLike | None
) -> FloatArray:
    """Return sigma of each point in units of the values; NaN where it has no size."""
    if not limits.kind.sized:
        return np.full(shape, limits.sigma)
    sized = _sizes(sizes, shape)
    rest = 1 - limits.centre if limits.kind.share else 1.0
    variance = limits.centre * rest / np.where(sized > 0, sized, np.nan)
    return np.asarray(limits.sigma * np.sqrt(variance), dtype=np.float64)


def _numbers(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return the values as float64, NaN where there is none, or refuse."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name} must be numbers, of one length") from error
    if (np.abs(array) > HUGE).any():
        raise StatisticsError(f"{name} must be finite and not beyond {HUGE:g}")
    return array


def _series(values: npt.ArrayLike, name: str) -> FloatArray:
    array = _numbers(values, name)
    if array.ndim != 1:
        raise StatisticsError(f"{name} must have shape (points,)")
    return array


def _sizes(sizes: npt.ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    """Return the sizes, 0 where there is none, or refuse."""
    if sizes is None:
        raise StatisticsError("shares and rates need sizes")
    array = np.nan_to_num(_numbers(sizes, "sizes"))
    shaped(array, shape, "sizes")
    if (array < 0).any():
        raise StatisticsError("sizes cannot be negative")
    return array


def _good(x: FloatArray, valid: npt.ArrayLike | None) -> BoolArray:
    there: BoolArray = ~np.isnan(x)
    return there if valid is None else there & _mask(valid, "valid", (x.shape,))


def _mask(values: npt.ArrayLike, name: str, shapes: tuple[tuple[int, ...], ...]) -> BoolArray:
    array = np.asarray(values)
    if array.dtype.kind != "b" or array.shape not in shapes:
        raise StatisticsError(f"{name} must be bool and have shape {shapes[0]}")
    return array


def _check_range(x: FloatArray, kind: ChartKind) -> None:
    finite(x, "values")
    if (x < 0).any() or (kind.share and (x > 1).any()):
        raise StatisticsError("shares must lie in 0..1, rates must not be negative")
