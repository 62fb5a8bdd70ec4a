"""The opener: a one-sided CUSUM that asks for a ticket, and how often it does so by chance."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import BoolArray, FloatArray, finite, numbers, squarable
from sqcore.stats.errors import StatisticsError

WEEKS = 52.0
"""Points a year of the series that `false_alarms_a_year` was simulated for."""

LONGEST_RUN = 1e12
"""No run length beyond this is told apart."""


@dataclass(frozen=True)
class Opener:
    """When a series asks for a ticket; the usual one has h for 26 weekly baseline points.

    k: the allowance in sigma, half the shift that is looked for; >= 0
    h: it alarms when the sum exceeds this; > 0
    cool_down: after an alarm so many usable points cannot alarm
    baseline: so many points give the centre and the spread; >= 2
    version: of the rule, to be kept with what it opened
    """

    k: float = 0.5
    h: float = 8.0
    cool_down: int = 13
    baseline: int = 26
    version: int = 1

    def __post_init__(self) -> None:
        _allowance(self.k, self.h)
        if self.cool_down < 0 or self.baseline < 2:
            raise StatisticsError("the cool-down must be >= 0 points and the baseline >= 2")


@dataclass(frozen=True, eq=False)
class Alarms:
    """What the opener says of S series at P points; both (S, P).

    height: the sum, >= 0; at an alarm it is the one that alarmed, and the next starts from 0.
        A point that is skipped shows the sum as it was, 0 right after an alarm
    alarm: whether a ticket is asked for here
    """

    height: FloatArray
    alarm: BoolArray


def openers(z: npt.ArrayLike, opener: Opener | None = None) -> Alarms:
    """Return the upward CUSUM of every series and where it alarms.

    z: (S, P), standardised, turned so that up is the side of concern. NaN is excluded or missing:
        it neither counts nor resets, nor does it use up the cool-down
    opener: None: the usual one
    returns: Alarms. The sum goes on through the cool-down, so that it still tells whether the
        shift lasts; it only cannot alarm. If it stands above h when the cool-down is over, it
        alarms again at once
    raises: StatisticsError if z has another shape or an infinite value
    assumes: independent points of known centre and spread; `false_alarms_a_year` says what
        follows when they are neither
    source: Page 1954, doi:10.1093/biomet/41.1-2.100; Montgomery, section 9.1

    >>> a = openers([[0.0, 2.5, np.nan, 2.5, 3.0, 0.0]], Opener(k=0.5, h=4, cool_down=2))
    >>> a.height.tolist()
    [[0.0, 2.0, 2.0, 4.0, 6.5, 0.0]]
    >>> a.alarm.tolist()
    [[False, False, False, False, True, False]]
    """
    rule = Opener() if opener is None else opener
    values = _points(z, "z")
    # Point by point over all series: a row of the turned array is then one piece of memory.
    points = np.ascontiguousarray(values.T)
    usable = ~np.isnan(points)
    height = np.empty_like(points)
    alarm = np.empty(points.shape, dtype=np.bool_)
    total = np.zeros(points.shape[1])
    quiet = np.zeros(points.shape[1], dtype=np.int64)
    for at, (point, use) in enumerate(zip(points, usable, strict=True)):
        total = np.where(use, np.maximum(total + point - rule.k, 0.0), total)
        over = use & (total > rule.h) & (quiet == 0)
        height[at], alarm[at] = total, over
        total = np.where(over, 0.0, total)
        quiet = np.where(over, rule.cool_down, np.maximum(quiet - use, 0))
    return Alarms(np.ascontiguousarray(height.T), np.ascontiguousarray(alarm.T))


def standardised(
    values: npt.ArrayLike,
    *,
    centre: npt.ArrayLike,
    sigma_between: npt.ArrayLike,
    errors: npt.ArrayLike | None = None,
) -> FloatArray:
    """Return how many sigma each point lies above its centre.

    values: (S, P), NaN where excluded or missing
    centre, sigma_between: (S,) or a number, finite; sigma_between >= 0
    errors: (S, P), the standard error of each point, >= 0; where it is NaN the point gets the
        root mean square of its series' other errors. None: sigma_between is the whole spread
    returns: (values - centre) / sqrt(sigma_between^2 + errors^2); NaN where the value is, and
        where there is no spread at all to divide by: such a series never alarms, so whoever
        asks must mark it
    raises: StatisticsError if a shape is wrong, a value infinite or a spread negative
    source: variance components; docs/methods/signals.md

    >>> standardised([[12.0, 12.0]], centre=9.0, sigma_between=0.9, errors=[[1.2, np.nan]]).tolist()
    [[2.0, 2.0]]
    """
    x = _points(values, "values")
    middle, between = _each(centre, x, "centre"), _each(sigma_between, x, "sigma_between")
    if (between < 0).any():
        raise StatisticsError("sigma_between must be >= 0")
    own = np.zeros_like(x) if errors is None else _filled(_errors(errors, x.shape))
    sigma = np.sqrt(between**2 + own**2)
    with np.errstate(over="ignore"):
        z = np.where(sigma > 0, (x - middle) / np.where(sigma > 0, sigma, 1.0), np.nan)
    if np.isinf(z).any():
        raise StatisticsError("a value lies too many sigma from its centre to be a number")
    return z


def between_sigma(spread: npt.ArrayLike, errors_of_baseline: npt.ArrayLike) -> FloatArray:
    """Return what of the spread of the baseline points is not their sampling error.

    spread: (S,), of the baseline points, >= 0
    errors_of_baseline: (S, n0), their standard errors, NaN where not known; a series that knows
        none keeps its spread
    returns: (S,), sqrt(spread^2 - mean errors^2), 0 where the errors explain all
    raises: StatisticsError if a shape is wrong or a number negative or infinite

    >>> between_sigma([1.5], [[1.2, 1.2, np.nan]]).round(3).tolist()
    [0.9]
    """
    whole = squarable(finite(spread, "spread"), "spread")
    if whole.ndim != 1 or (whole < 0).any():
        raise StatisticsError("spread must have shape (series,) and be >= 0")
    errors = _points(errors_of_baseline, "errors")
    if len(errors) != len(whole):
        raise StatisticsError("spread and errors must be of the same series")
    return np.sqrt(np.maximum(whole**2 - _mean_square(_errors(errors, errors.shape)), 0.0))


def average_run_length(k: float, h: float, shift: float = 0.0, two_sided: bool = False) -> float:
    """Return after how many points a CUSUM alarms on average, from 0, parameters known.

    k: allowance, >= 0; h: limit, > 0; both in sigma
    shift: of the mean, in sigma, upwards
    two_sided: with the mirrored sum beside it
    returns: the mean number of points, at most `LONGEST_RUN`
    raises: StatisticsError if k, h or shift is out of range
    assumes: independent normal points
    source: Brook and Evans 1972, doi:10.1093/biomet/59.3.539, Markov chain, extrapolated from
        two numbers of states; two sides 1/L = 1/L+ + 1/L-, Montgomery, equation 9.6

    >>> round(average_run_length(0.5, 5), 1), round(average_run_length(0.5, 5, two_sided=True), 1)
    (930.9, 465.4)
    """
    _allowance(k, h)
    if not abs(shift) < 20:
        raise StatisticsError("shift must lie between -20 and 20 sigma")
    up = _run_length(k, h, shift)
    return 1.0 / (1.0 / up + 1.0 / _run_length(k, h, -shift)) if two_sided else up


def _run_length(k: float, h: float, shift: float) -> float:
    # The error falls with the square of the number of states.
    coarse, fine = (_chain(k, h, shift, states) for states in (150, 300))
    if max(coarse, fine) >= LONGEST_RUN:
        return LONGEST_RUN
    return max(1.0, fine + (fine - coarse) / 3.0)


def _chain(k: float, h: float, shift: float, states: int) -> float:
    width = 2.0 * h / (2 * states - 1)
    step = width * (np.arange(states)[None, :] - np.arange(states)[:, None])
    above = special.ndtr(step + width / 2 + k - shift)
    move = above - special.ndtr(step - width / 2 + k - shift)
    move[:, 0] = above[:, 0]
    try:
        length = float(np.linalg.solve(np.eye(states) - move, np.ones(states))[0])
    except np.linalg.LinAlgError:
        return LONGEST_RUN
    return length if 0 < length < LONGEST_RUN else LONGEST_RUN


@dataclass(frozen=True, eq=False)
class _Table:
    """Simulated false alarms a weekly series-year, (n0, phi, h)."""

    n0: FloatArray
    phi: FloatArray
    h: FloatArray
    rate: FloatArray


LIMITS = np.array([4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 30.0, 40.0])
LEAST_RATE = 1e-4
"""A rate below this was not told apart."""

_SIMULATED = {
    (12, 0.0): (0.4206, 0.2805, 0.1978, 0.1121, 0.0714, 0.0491, 0.0267, 0.0162, 0.0058, 0.0024),
    (12, 0.2): (0.7096, 0.5184, 0.3925, 0.2453, 0.1667, 0.1202, 0.0701, 0.045, 0.0184, 0.0087),
    (12, 0.4): (1.0417, 0.8303, 0.6753, 0.4698, 0.3447, 0.2632, 0.1667, 0.1143, 0.0533, 0.0283),
    (12, 0.6): (1.3731, 1.1797, 1.026, 0.7975, 0.6382, 0.5223, 0.3679, 0.2723, 0.1465, 0.0881),
    (20, 0.0): (0.3077, 0.1808, 0.1132, 0.0526, 0.0284, 0.0169, 0.0073, 0.0037, 0.0009, 0.0002),
    (20, 0.2): (0.5821, 0.3914, 0.2735, 0.1478, 0.0887, 0.0575, 0.0284, 0.0156, 0.0047, 0.0016),
    (20, 0.4): (0.8981, 0.6791, 0.524, 0.3307, 0.2225, 0.1569, 0.0875, 0.0538, 0.0199, 0.0086),
    (20, 0.6): (1.2135, 1.0082, 0.85, 0.6216, 0.4705, 0.366, 0.2352, 0.1617, 0.0745, 0.0394),
    (26, 0.0): (0.2661, 0.1463, 0.0861, 0.0351, 0.017, 0.0094, 0.0035, 0.0016, 0.0003, 0.0001),
    (26, 0.2): (0.5355, 0.3468, 0.2329, 0.1163, 0.0651, 0.0394, 0.0173, 0.0088, 0.002, 0.0006),
    (26, 0.4): (0.8392, 0.6177, 0.4641, 0.278, 0.1784, 0.1207, 0.0622, 0.0356, 0.0114, 0.0043),
    (26, 0.6): (1.1377, 0.9284, 0.7689, 0.5437, 0.398, 0.2999, 0.1835, 0.1196, 0.05, 0.024),
    (36, 0.0): (0.2292, 0.1164, 0.0633, 0.0222, 0.0092, 0.0044, 0.0013, 0.0005, 0.0, 0.0),
    (36, 0.2): (0.4843, 0.2978, 0.1899, 0.0857, 0.0433, 0.024, 0.0091, 0.0039, 0.0007, 0.0001),
    (36, 0.4): (0.7733, 0.5512, 0.401, 0.225, 0.1355, 0.0863, 0.0398, 0.0207, 0.0052, 0.0015),
    (36, 0.6): (1.0606, 0.8475, 0.6852, 0.4649, 0.3267, 0.2371, 0.1349, 0.0826, 0.0299, 0.0124),
    (52, 0.0): (0.1983, 0.093, 0.0465, 0.0136, 0.0047, 0.0019, 0.0004, 0.0001, 0.0, 0.0),
    (52, 0.2): (0.4402, 0.2576, 0.1558, 0.0626, 0.028, 0.0138, 0.0041, 0.0014, 0.0001, 0.0),
    (52, 0.4): (0.7145, 0.4933, 0.3472, 0.1809, 0.1015, 0.0603, 0.024, 0.0109, 0.002, 0.0004),
    (52, 0.6): (0.9888, 0.7734, 0.6123, 0.3961, 0.2659, 0.1851, 0.0968, 0.0551, 0.0165, 0.0057),
    (104, 0.0): (0.1653, 0.0683, 0.0296, 0.0062, 0.0015, 0.0004, 0.0, 0.0, 0.0, 0.0),
    (104, 0.2): (0.3891, 0.2117, 0.1178, 0.0396, 0.0146, 0.0057, 0.0011, 0.0002, 0.0, 0.0),
    (104, 0.4): (0.6414, 0.4218, 0.2818, 0.1311, 0.065, 0.0336, 0.0101, 0.0034, 0.0003, 0.0),
    (104, 0.6): (0.9001, 0.6808, 0.5201, 0.3132, 0.1955, 0.1262, 0.0563, 0.0272, 0.0053, 0.0012),
}
_PUBLISHED = {
    (26, 0.0): (0.139, 0.081, 0.033, 0.014),
    (26, 0.2): (0.345, 0.231, 0.116, 0.067),
    (52, 0.0): (0.099, 0.049, 0.012, 0.005),
}


def _table() -> _Table:
    sizes, phis = sorted({n0 for n0, _ in _SIMULATED}), sorted({phi for _, phi in _SIMULATED})
    rate = np.array([[_SIMULATED[n0, phi] for phi in phis] for n0 in sizes])
    signed = np.searchsorted(LIMITS, (5, 6, 8, 10))
    for (n0, phi), rates in _PUBLISHED.items():
        rate[sizes.index(n0), phis.index(phi), signed] = rates
    return _Table(np.log(sizes), np.array(phis), LIMITS, np.log(np.maximum(rate, LEAST_RATE)))


_TABLE = _table()


def false_alarms_a_year(*, n0: int, phi: float, h: float, points_a_year: float = WEEKS) -> float:
    """Return how often a series that never changes alarms in a year, by chance.

    n0: baseline points; phi: lag-1 autocorrelation; h: limit
    points_a_year: of the series; 12 for months
    returns: the expected number, from a table simulated with k .5, spread max(moving range, SD),
        a cool-down of 13 points and 18 months after the baseline; its logarithm is linear
        between the entries in h, phi and log n0. Outside the table (`in_table`) its edge holds
    raises: StatisticsError if n0 < 2, h is not positive, phi outside (-1, 1) or a number is
        not finite
    assumes: normal points, autocorrelation of the first order, no season
    source: docs/methods/signals.md: 12 entries are the reference, the others are simulated by
        the same rule

    >>> false_alarms_a_year(n0=26, phi=0, h=8), false_alarms_a_year(n0=26, phi=0.2, h=8)
    (0.033, 0.116)
    """
    _series_of(n0, phi)
    if not 0 < h < np.inf or not 0 < points_a_year < np.inf:
        raise StatisticsError("h and points_a_year must be positive and finite")
    rate = float(np.exp(np.interp(h, _TABLE.h, _log_rates(n0, phi))))
    return float(f"{rate * points_a_year / WEEKS:.12g}")


def in_table(*, n0: int, phi: float, h: float) -> bool:
    """Return whether a rate of `false_alarms_a_year` is read between entries, not at an edge.

    >>> in_table(n0=26, phi=0.2, h=8), in_table(n0=26, phi=0.7, h=8), in_table(n0=6, phi=0, h=8)
    (True, False, False)
    """
    _series_of(n0, phi)
    inside = (_TABLE.n0[0] <= np.log(n0), phi <= _TABLE.phi[-1], LIMITS[0] <= h <= LIMITS[-1])
    return all(inside)


def h_for(*, n0: int, phi: float, a_year: float = 0.05, points_a_year: float = WEEKS) -> float:
    """Return the least whole h with at most so many false alarms a series-year.

    n0, phi, points_a_year: as in `false_alarms_a_year`
    a_year: expected false alarms, > 0
    returns: 4 to 40; 40 if even that is not enough, as `false_alarms_a_year` then says
    raises: StatisticsError as `false_alarms_a_year`, or if a_year is not positive
    source: docs/methods/signals.md: h = 8 at 26 independent points

    >>> h_for(n0=26, phi=0), h_for(n0=52, phi=0)
    (8.0, 6.0)
    """
    if not a_year > 0:
        raise StatisticsError("a_year must be positive")
    limits = np.arange(LIMITS[0], LIMITS[-1] + 1)
    for h in limits[:-1]:
        rate = false_alarms_a_year(n0=n0, phi=phi, h=float(h), points_a_year=points_a_year)
        if rate <= a_year:
            return float(h)
    return float(limits[-1])


def _log_rates(n0: int, phi: float) -> FloatArray:
    """Return the logarithms of the rates at `LIMITS`."""
    by_phi = np.array([_between(_TABLE.n0, np.log(n0), row) for row in _TABLE.rate.swapaxes(0, 1)])
    return _between(_TABLE.phi, phi, by_phi)


def _between(axis: FloatArray, at: float, rows: FloatArray) -> FloatArray:
    """Return the row at this place of the axis, linear between its neighbours."""
    place = float(np.interp(at, axis, np.arange(len(axis))))
    left = min(int(place), len(axis) - 2)
    share = place - left
    row: FloatArray = (1 - share) * rows[left] + share * rows[left + 1]
    return row


def _series_of(n0: int, phi: float) -> None:
    if not 2 <= n0 < np.inf:
        raise StatisticsError("a baseline has at least 2 points")
    if not -1 < phi < 1:
        raise StatisticsError("phi must lie between -1 and 1")


def _allowance(k: float, h: float) -> None:
    if not 0 <= k < np.inf or not 0 < h < np.inf:
        raise StatisticsError("k must be >= 0 and h > 0, both finite")


def _points(values: npt.ArrayLike, name: str) -> FloatArray:
    array = numbers(values, name)
    if array.ndim != 2:
        raise StatisticsError(f"{name} must have shape (series, points), not {array.shape}")
    return squarable(array, name)


def _each(values: npt.ArrayLike, points: FloatArray, name: str) -> FloatArray:
    """Return one number a series as a column."""
    array = squarable(finite(values, name), name)
    if array.shape not in ((), points.shape[:1]):
        raise StatisticsError(f"{name} must be a number or have shape {points.shape[:1]}")
    return np.broadcast_to(array, points.shape[:1])[:, None]


def _errors(values: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    errors = _points(values, "errors")
    if errors.shape != shape or (errors < 0).any():
        raise StatisticsError(f"errors must have shape {shape} and be >= 0")
    return errors


def _mean_square(errors: FloatArray) -> FloatArray:
    known = ~np.isnan(errors)
    square: FloatArray = np.where(known, errors, 0.0) ** 2
    mean: FloatArray = square.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean


def _filled(errors: FloatArray) -> FloatArray:
    filled: FloatArray = np.where(np.isnan(errors), np.sqrt(_mean_square(errors))[:, None], errors)
    return filled
