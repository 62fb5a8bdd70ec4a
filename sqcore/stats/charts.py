"""Control charts: frozen limits of single values (XmR), shares (p), rates (u), Laney's p' and u',
counts (c), means with their spread (x-bar and S), times (t) and cases (g) between rare events.

A baseline is frozen once; every later point is set against it. Points that are missing close up:
the moving range is taken between neighbours that are there.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, finite, shaped
from sqcore.stats.errors import StatisticsError

D2 = 2 / math.sqrt(math.pi)
"""The mean distance of two values of a normal distribution, in sigma: 1.128379."""
SCREEN = 3.267
"""D4 of two values: a moving range so many times the mean one is beyond its own limit."""
WIDTH = 3.0
WIDEST = 1e6
"""Limits so many sigma away are none."""
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
POWER = 3.6
"""Times between events to the power 1/3.6 are nearly normal."""
ALIKE = 0.05
"""Opportunities that differ by no more than this share of the usual one are equal."""
HINT, HETEROGENEOUS = 0.05, 0.01
"""Means vary more than their spread explains where chance gives as much less often than this: a
hint is enough to stay with XmR, while limits of x-bar are widened where it is clear."""


class ChartKind(StrEnum):
    """Which limits a series has."""

    XMR = "xmr"
    P = "p"
    P_PRIME = "p_prime"
    U = "u"
    U_PRIME = "u_prime"
    C = "c"
    XBAR_S = "xbar_s"
    T = "t"
    G = "g"

    @property
    def sized(self) -> bool:
        """Whether the limits of a point depend on how many it was counted from."""
        return self not in (ChartKind.XMR, ChartKind.T, ChartKind.G)

    @property
    def counted(self) -> bool:
        """Whether the spread of a point follows from counts alone, as of shares and rates."""
        return self.sized and self is not ChartKind.XBAR_S

    @property
    def between_events(self) -> bool:
        """Whether a point is what passed from one event to the next, and no period."""
        return self in (ChartKind.T, ChartKind.G)

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
    sigma: XmR: of single points, in units of the values; x-bar and S: of the values within a
        period; t: of times^(1/3.6); g: sqrt(m (m + 1)) of the mean m; else how many times the
        points vary as much as their sizes explain (1.0 without Laney)
    spread: the larger of sigma by moving ranges and the standard deviation, in the unit of sigma
        (of shares and rates never below sigma)
    n0: points that it comes from; screened: moving ranges that were left out
    phi: lag-1 autocorrelation, bias-corrected, 0 to .8; 0 where n0 < 10
    allowance: x-bar and S: what the means vary beyond their spread within, in units of the values
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
    allowance: float = 0.0


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
    spreads: npt.ArrayLike | None = None,
    screen: bool = True,
    valid: npt.ArrayLike | None = None,
) -> Limits:
    """Return the limits that a baseline gives.

    values: shape (P,), NaN where there is none. p: shares, 0..1; u, c: counts per size, >= 0;
        t, g: times or whole cases from one event to the next, >= 0
    sizes: p, u, c: shape (P,), what each value was counted from, so that value x size is the
        count; x-bar: how many values a mean is of; 0 or NaN: the point is missing. XmR, t and g:
        not looked at
    spreads: x-bar and S: shape (P,), the standard deviation of the values of each period, by
        n - 1; NaN where it is not known. The others: not looked at
    screen: leave out moving ranges of 3.267 times their mean or more, once. Where this left no
        variation at all, nothing is left out
    valid: shape (P,), bool: points that count; None: all that have a value
    returns: Limits. Fewer than 5 points: too_short. No variation, or nothing ever (or always)
        happened: zero_variance. Fewer than 20 points: trial. The centre of t is that of
        times^(1/3.6), turned back; that of g the median
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
    if kind.sized:
        sized = _sizes(sizes, x.shape)
        good &= sized > 0
    if kind.counted or kind.between_events:
        _check_range(x[good], kind)
    if kind is ChartKind.XBAR_S:
        found = _freeze_means(x, sized, _spreads(spreads, x.shape), good, screen=screen)
    elif kind.counted:
        found = _freeze_sized(x, sized, good, kind, screen=screen)
    elif kind.between_events:
        found = _freeze_between(x[good], kind, screen=screen)
    else:
        found = freeze_many(x[None], good[None], screen=screen).one(0)
    return found


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
    returns: Bands. Limits of shares, rates and what passes between events do not go below 0,
        those of shares not above 1. sigma of t and g is a third of the way to the upper limit
    raises: StatisticsError if sizes are needed and missing, or a number is out of range
    source: as `freeze`

    >>> limits = freeze([.1, .2, .1, .2, .1], kind=ChartKind.P, sizes=[50] * 5)
    >>> lines = bands(limits, points=2, sizes=[50, 200])
    >>> lines.lower.round(3).tolist(), lines.upper.round(3).tolist()
    ([0.0, 0.066], [0.287, 0.214])
    """
    if points < 0 or not 0 < width <= WIDEST:
        raise StatisticsError(f"points must not be negative, width positive and at most {WIDEST:g}")
    if limits.kind.between_events:
        return _bands_between(limits, points, width)
    sigma = _sigma_of_points(limits, (points,), sizes)
    centre = np.full(points, limits.centre)
    lower, upper = centre - width * sigma, centre + width * sigma
    if limits.kind.counted:
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
    returns: shape (P,); NaN where there is no point, and everywhere if the limits are not usable.
        Of t: of times^(1/3.6). Of g the distance from the median as a share of the way to the
        limit, three times: beyond the limits and the side of the median are right, what lies
        between is not normal (`rules.suited` leaves such rules out)
    raises: StatisticsError if a shape is wrong or a number out of range

    >>> limits = freeze([12, 14, 11, 13, 15, 12, 13, 14], kind=ChartKind.XMR)
    >>> z_of([13, 20], limits).round(3).tolist()
    [0.0, 3.949]
    """
    x = _series(values, "values")
    if limits.kind.counted or limits.kind.between_events:
        _check_range(x[~np.isnan(x)], limits.kind)
    if limits.kind.between_events:
        return _z_between(x, limits)
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
    spreads: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
) -> Choice:
    """Return which chart the baseline of a series gets, and why.

    statistic: "proportion", "rate", "mean" or anything else ("score", ...)
    values, sizes, spreads, valid: the baseline, as in `freeze`; without sizes a share is a single
        value, without spreads a mean is
    returns: Choice. Shares with sizes: p, rates with sizes: u (c where all sizes are within 5 % of
        the usual one), each with Laney's factor where the baseline varies more than 1.2 or less
        than .8 times what its sizes explain, and is large enough for that to mean something: at
        least 5 of the rarer outcome in the median period. Means of which the spread within the
        periods is known, of 20 periods or more: x-bar and S where the spread explains how the
        means vary, else XmR of the means. Everything else XmR. Reasons: single_values, no_sizes,
        too_short_to_tell, too_few_to_tell, equal_opportunity, as_sizes_explain,
        more_than_sizes_explain, less_than_sizes_explain, as_within_explains,
        more_than_within_explains, less_than_within_explains
    raises: StatisticsError if a shape is wrong or a number out of range
    source: Laney 2002, Quality Engineering 14(4):531-537

    >>> chart_for("mean")
    Choice(kind=<ChartKind.XMR: 'xmr'>, reason='single_values')
    >>> chart_for("proportion", [.1, .4, .1, .5, .1], sizes=[900] * 5).reason
    'more_than_sizes_explain'
    """
    if statistic == "mean" and values is not None and sizes is not None and spreads is not None:
        return _choice_of_means(values, sizes, spreads, valid)
    if statistic not in ("proportion", "rate"):
        return Choice(ChartKind.XMR, "single_values")
    if values is None or sizes is None:
        return Choice(ChartKind.XMR, "no_sizes")
    share = statistic == "proportion"
    plain, reason = ChartKind.P if share else ChartKind.U, "as_sizes_explain"
    prime = ChartKind.P_PRIME if share else ChartKind.U_PRIME
    found = freeze(values, kind=prime, sizes=sizes, valid=valid)
    if not found.status.usable:
        return Choice(plain, "too_short_to_tell")
    if not share and equal_sizes(values, sizes, valid=valid):
        plain, reason = ChartKind.C, "equal_opportunity"
    rarer = min(found.centre, 1 - found.centre) if share else found.centre
    counted = np.asarray(sizes, dtype=np.float64)
    if rarer * float(np.nanmedian(counted)) < LARGE:
        return Choice(plain, "too_few_to_tell")
    if found.sigma > DISPERSED[1]:
        return Choice(prime, "more_than_sizes_explain")
    if found.sigma < DISPERSED[0]:
        return Choice(prime, "less_than_sizes_explain")
    return Choice(plain, reason)


def equal_sizes(
    values: npt.ArrayLike, sizes: npt.ArrayLike, *, valid: npt.ArrayLike | None = None
) -> bool:
    """Return whether all points had the same opportunity: no size is off the median by over 5 %.

    values, sizes, valid: as in `freeze`; points without a value or a size are not looked at
    returns: False where there is none
    raises: StatisticsError if a shape is wrong or a number out of range

    >>> equal_sizes([4, 7, 5], [30, 31, 30]), equal_sizes([4, 7, 5], [30, 60, 30])
    (True, False)
    """
    x = _series(values, "values")
    sized = _sizes(sizes, x.shape)
    kept = sized[_good(x, valid) & (sized > 0)]
    if not kept.size:
        return False
    usual = float(np.median(kept))
    return bool((np.abs(kept - usual) <= ALIKE * usual).all())


def unbias(n: npt.ArrayLike) -> FloatArray:
    """Return c4: by how much the standard deviation of n values falls short of sigma on average.

    n: >= 2
    raises: StatisticsError if n is smaller
    source: Montgomery, appendix VI

    >>> unbias([2, 5, 25]).round(4).tolist()
    [0.7979, 0.94, 0.9896]
    """
    count = finite(n, "n")
    if (count < 2).any():
        raise StatisticsError("a standard deviation needs 2 values")
    found: FloatArray = np.sqrt(2 / (count - 1)) * np.exp(
        special.gammaln(count / 2) - special.gammaln((count - 1) / 2)
    )
    return found


def _choice_of_means(
    values: npt.ArrayLike, sizes: npt.ArrayLike, spreads: npt.ArrayLike, valid: npt.ArrayLike | None
) -> Choice:
    found = freeze(values, kind=ChartKind.XBAR_S, sizes=sizes, spreads=spreads, valid=valid)
    if found.status != ChartStatus.OK:
        return Choice(ChartKind.XMR, "single_values")
    x = _series(values, "values")
    sized = _sizes(sizes, x.shape)
    good = _good(x, valid) & (sized > 0)
    z = (x[good] - found.centre) * np.sqrt(sized[good]) / found.sigma
    factor = freeze_many(z[None]).one(0).sigma
    if _by_chance(z) < HINT or factor > DISPERSED[1]:
        return Choice(ChartKind.XMR, "more_than_within_explains")
    if factor < DISPERSED[0]:
        return Choice(ChartKind.XMR, "less_than_within_explains")
    return Choice(ChartKind.XBAR_S, "as_within_explains")


def _freeze_means(
    x: FloatArray, sizes: FloatArray, spreads: FloatArray, good: BoolArray, *, screen: bool
) -> Limits:
    """Return the limits of means: those of their spread within, wider where that explains too
    little, so that neither very many values a period nor changing numbers make them too narrow."""
    kind, n0 = ChartKind.XBAR_S, int(good.sum())
    spread_known = good & (sizes >= 2) & ~np.isnan(spreads)
    if min(n0, int(spread_known.sum())) < MINIMUM:
        return Limits(kind, ChartStatus.TOO_SHORT, math.nan, math.nan, math.nan, n0, 0, 0.0)
    single = freeze_many(x[None], good[None], screen=screen).one(0)
    centre = float((x[good] * sizes[good]).sum() / sizes[good].sum())
    df = sizes[spread_known] - 1
    within = float((spreads[spread_known] / unbias(sizes[spread_known]) * df).sum() / df.sum())
    if within <= max(ROUNDING * abs(centre), 1 / HUGE):
        return Limits(kind, ChartStatus.ZERO_VARIANCE, centre, 0.0, 0.0, n0, 0, 0.0)
    z = (x[good] - centre) * np.sqrt(sizes[good]) / within
    of_z = freeze_many(z[None], screen=screen).one(0)
    allowance = 0.0
    if _by_chance(z) < HETEROGENEOUS:
        sampling = within**2 * float((1 / sizes[good]).mean())
        allowance = math.sqrt(max(single.spread**2 - sampling, 0.0))
    return Limits(
        kind, _by_length(n0), centre, within, single.spread, n0, of_z.screened, of_z.phi, allowance
    )


def _by_chance(z: FloatArray) -> float:
    """Return how often chance alone makes so many means, in their own sigma, vary so much."""
    return float(special.chdtrc(len(z) - 1, float((z**2).sum())))


def _freeze_between(x: FloatArray, kind: ChartKind, *, screen: bool) -> Limits:
    """Return the limits of what passed between events; x: the points that count."""
    n0 = len(x)
    if n0 < MINIMUM:
        return Limits(kind, ChartStatus.TOO_SHORT, math.nan, math.nan, math.nan, n0, 0, 0.0)
    if kind is ChartKind.T:
        turned = freeze_many((x ** (1 / POWER))[None], screen=screen).one(0)
        return replace(turned, kind=kind, centre=max(turned.centre, 0.0) ** POWER)
    if (x != np.floor(x)).any():
        raise StatisticsError("cases are whole numbers")
    mean, centre = float(x.mean()), float(np.median(x))
    if not mean:
        return Limits(kind, ChartStatus.ZERO_VARIANCE, 0.0, 0.0, 0.0, n0, 0, 0.0)
    sigma = math.sqrt(mean) * math.sqrt(mean + 1)
    phi = freeze_many(x[None], screen=screen).one(0).phi
    return Limits(kind, _by_length(n0), centre, sigma, sigma, n0, 0, phi)


def _ends_between(limits: Limits, width: float) -> tuple[float, float]:
    """Return the lower and the upper limit of what passed between events."""
    if limits.kind is ChartKind.T:
        turned = limits.centre ** (1 / POWER)
        half = width * limits.sigma
        return max(turned - half, 0.0) ** POWER, (turned + half) ** POWER
    mean = math.sqrt(0.25 + limits.sigma**2) - 0.5
    half = width * limits.sigma
    return max(mean - half, 0.0), mean + half


def _bands_between(limits: Limits, points: int, width: float) -> Bands:
    if limits.status == ChartStatus.TOO_SHORT:
        nothing = np.full(points, np.nan)
        return Bands(nothing, nothing, nothing, nothing)
    if limits.status == ChartStatus.ZERO_VARIANCE:
        level = np.full(points, limits.centre)
        return Bands(level, level, level, np.zeros(points))
    lower, upper = _ends_between(limits, width)
    lines = (limits.centre, lower, upper, (upper - limits.centre) / width)
    return Bands(*(np.full(points, line) for line in lines))


def _z_between(x: FloatArray, limits: Limits) -> FloatArray:
    if not limits.status.usable:
        return np.full(x.shape, np.nan)
    if limits.kind is ChartKind.T:
        turned = x ** (1 / POWER) - limits.centre ** (1 / POWER)
        return np.asarray(turned / limits.sigma, dtype=np.float64)
    lower, upper = _ends_between(limits, WIDTH)
    below, above = max(limits.centre - lower, ROUNDING), max(upper - limits.centre, ROUNDING)
    off = x - limits.centre
    return np.asarray(np.where(off < 0, off / below, off / above) * WIDTH, dtype=np.float64)


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
    if limits.kind is ChartKind.XBAR_S:
        within = limits.sigma**2 / np.where(sized > 0, sized, np.nan)
        return np.asarray(np.sqrt(within + limits.allowance**2), dtype=np.float64)
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
        raise StatisticsError("shares, rates and means with a spread need sizes")
    array = np.nan_to_num(_numbers(sizes, "sizes"))
    shaped(array, shape, "sizes")
    if ((array < 0) | ((array > 0) & (array < 1 / HUGE))).any():
        raise StatisticsError("sizes cannot be negative, nor next to nothing")
    return array


def _spreads(spreads: npt.ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    if spreads is None:
        raise StatisticsError("means need the spread within their periods")
    array = _numbers(spreads, "spreads")
    shaped(array, shape, "spreads")
    if (array < 0).any():
        raise StatisticsError("spreads cannot be negative")
    return array


def _good(x: FloatArray, valid: npt.ArrayLike | None) -> BoolArray:
    there: BoolArray = ~np.isnan(x)
    return there if valid is None else there & _mask(valid, "valid", (x.shape,))


def _mask(values: npt.ArrayLike, name: str, shapes: tuple[tuple[int, ...], ...]) -> BoolArray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise StatisticsError(f"{name} must have rows of one length") from error
    if array.dtype.kind != "b" or array.shape not in shapes:
        raise StatisticsError(f"{name} must be bool and have shape {shapes[0]}")
    return array


def _check_range(x: FloatArray, kind: ChartKind) -> None:
    finite(x, "values")
    if (x < 0).any() or (kind.share and (x > 1).any()):
        raise StatisticsError("shares must lie in 0..1, rates and times must not be negative")
