"""Where to act first: importance beside performance, and what good and bad service do each.

docs/methods/importance-performance.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, confidence_level, squarable
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus

Cross = Literal["means", "middle"]

ROWS_A_COEFFICIENT = 10
FEWEST_A_SIDE = 10
"""So many must score low, high and in between before a driver's two effects are told apart."""
COLUMNS_AT_ONCE = 30


class Quadrant(StrEnum):
    """What a place in the picture says of something customers judge."""

    CONCENTRATE = "concentrate"
    """Important and weak: act here first."""
    KEEP_UP = "keep_up"
    """Important and strong."""
    LOW_PRIORITY = "low_priority"
    """Neither important nor strong."""
    POSSIBLE_OVERKILL = "possible_overkill"
    """Strong where it counts little."""


@dataclass(frozen=True)
class Placed:
    """Where one thing lies.

    certain: both intervals keep to one side of the cross. Without intervals it is not
    quadrant: None where a figure has no value or the cross cannot be set; status says why
    """

    quadrant: Quadrant | None
    certain: bool
    status: MethodStatus = MethodStatus.OK


@dataclass(frozen=True)
class Quadrants:
    """The picture: where each thing lies, and where the two lines cross (None without lines).

    cross: which lines were asked for
    """

    placed: tuple[Placed, ...]
    performance: float | None
    importance: float | None
    cross: Cross
    status: MethodStatus


def importance_performance(
    performance: Sequence[Figure],
    importance: Sequence[Figure],
    *,
    cross: Cross = "means",
    scale: tuple[float, float] | None = None,
    importance_scale: tuple[float, float] | None = None,
) -> Quadrants:
    """Return into which quadrant each thing falls, and whether that is certain.

    performance, importance: of the same things in the same order
    cross: "means": the lines stand at the means of the things that have both figures, so that
        some are always below; "middle": in the middle of their scales
    scale: low and high end of performance; needed for "middle"
    importance_scale: the same of importance; without it (shares of drivers have no middle) its
        line stands at the mean in "middle" as well
    returns: Quadrants; a value on a line counts as strong, or as important. A thing without
        a figure keeps the reason of that figure. Lines at the means need two things
        (INSUFFICIENT_N) that differ in both (ZERO_VARIANCE)
    raises: StatisticsError for lists of different length or wrong scales
    assumes: `certain` takes the lines as given; with lines at the means of few things that
        claims a little too much
    source: Martilla, James 1977, Journal of Marketing 41(1):77-79, doi:10.1177/002224297704100112

    >>> weak, strong = Figure(2.6, 2.4, 2.8, 90), Figure(3.3, 3.1, 3.5, 90)
    >>> found = importance_performance([weak, strong], [Figure(3.8, 3.6, 4, 90), weak])
    >>> [(one.quadrant.value, one.certain) for one in found.placed]
    [('concentrate', True), ('possible_overkill', True)]
    """
    if len(performance) != len(importance):
        raise StatisticsError("performance and importance must be of the same things")
    if cross not in ("means", "middle"):
        raise StatisticsError("cross must be means or middle")
    both = [
        (p.value, i.value)
        for p, i in zip(performance, importance, strict=True)
        if p.value is not None and i.value is not None
    ]
    if not np.isfinite(both).all():
        raise StatisticsError("figures must be finite")
    strong, important = zip(*both, strict=True) if both else ((), ())
    down = _line(strong, scale, at_means=cross == "means")
    across = _line(important, importance_scale, at_means=cross == "means" or not importance_scale)
    if isinstance(down, MethodStatus):
        return _nowhere(down, len(performance), cross)
    if isinstance(across, MethodStatus):
        return _nowhere(across, len(performance), cross)
    placed = tuple(_place(p, i, down, across) for p, i in zip(performance, importance, strict=True))
    return Quadrants(placed, down, across, cross, MethodStatus.OK)


def _nowhere(status: MethodStatus, things: int, cross: Cross) -> Quadrants:
    placed = (Placed(None, certain=False, status=status),) * things
    return Quadrants(placed, None, None, cross, status)


def _line(
    values: Sequence[float], scale: tuple[float, float] | None, *, at_means: bool
) -> float | MethodStatus:
    """Return where a line stands, or why it cannot stand anywhere."""
    if scale is not None and not (np.isfinite(scale).all() and scale[0] < scale[1]):
        raise StatisticsError("a scale must go from a lower to a higher finite number")
    if not at_means:
        if scale is None:
            raise StatisticsError("the middle needs the scale of performance")
        return (scale[0] + scale[1]) / 2
    if len(values) < 2:
        return MethodStatus.INSUFFICIENT_N
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return MethodStatus.ZERO_VARIANCE
    return float(np.mean(values))


def _place(performance: Figure, importance: Figure, down: float, across: float) -> Placed:
    if performance.value is None:
        return Placed(None, certain=False, status=performance.status)
    if importance.value is None:
        return Placed(None, certain=False, status=importance.status)
    quadrant = {
        (True, False): Quadrant.CONCENTRATE,
        (True, True): Quadrant.KEEP_UP,
        (False, False): Quadrant.LOW_PRIORITY,
        (False, True): Quadrant.POSSIBLE_OVERKILL,
    }[importance.value >= across, performance.value >= down]
    return Placed(quadrant, certain=_clears(performance, down) and _clears(importance, across))


def _clears(figure: Figure, line: float) -> bool:
    return (figure.low is not None and figure.low > line) or (
        figure.high is not None and figure.high < line
    )


# ---- Penalty and reward --------------------------------------------------------------------------


class Kind(StrEnum):
    """What a driver does when it is bad and when it is good."""

    BASIC = "basic"
    """Bad service costs more than good service brings: see to it that it never fails."""
    PERFORMANCE = "performance"
    """Bad service costs about what good service brings, as far as can be seen."""
    EXCITEMENT = "excitement"
    """Good service brings more than bad service costs: a place to shine."""
    UNCLEAR = "unclear"
    """Neither can be told from nothing."""


@dataclass(frozen=True)
class PenaltyReward:
    """What one driver does to the outcome, beside the others.

    penalty: by how much the outcome is lower for those who score the driver low than for those
        in between; reward: by how much it is higher for those who score it high. In units of the
        outcome; negative where it goes the other way
    asymmetry: reward minus penalty. kind: None without figures; then status says why
    """

    penalty: Figure
    reward: Figure
    asymmetry: Figure
    kind: Kind | None
    status: MethodStatus


def penalty_reward(
    scores: npt.ArrayLike, outcome: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[PenaltyReward, ...]:
    """Return what low and what high scores of each driver go with, all in one regression.

    scores: shape (N, P), NaN where missing; outcome: shape (N,), the same
    confidence: in (0, 1), of each interval and of what sets a kind apart
    returns: one for each driver. Low is the first quartile and below, high the third and above.
        NOT_APPLICABLE for a driver with fewer than 10 people low, high or in between (often: one
        answer holds half of them): it is left out of the regression. INSUFFICIENT_N with fewer
        than 10 complete rows for each coefficient, ZERO_VARIANCE with an outcome that is
        the same for all, SINGULAR where low or high groups coincide
    raises: StatisticsError for other shapes or infinite numbers
    assumes: independent respondents; nothing about the spread (HC3 standard errors)
    source: Brandt 1987, Journal of Services Marketing 1(4):61-65 (penalty and reward factors);
        quartiles: Hyndman, Fan 1996, type 7, doi:10.1080/00031305.1996.10473566; HC3:
        MacKinnon, White 1985, doi:10.1016/0304-4076(85)90158-7

    >>> score = np.repeat([1.0, 2, 3, 4, 5], 20)
    >>> outcome = 10 - 4 * (score <= 2) + (score >= 4) + np.tile([0.5, -0.5], 50)
    >>> found = penalty_reward(score[:, None], outcome)
    >>> found[0].kind.value, round(found[0].penalty.value, 1), round(found[0].reward.value, 1)
    ('basic', 4.0, 1.0)
    """
    x, y = _numbers(scores), _numbers(outcome)
    if x.ndim != 2 or y.shape != (len(x),):
        raise StatisticsError("scores must be a table and outcome a list of the same length")
    if np.isinf(x).any() or np.isinf(y).any():
        raise StatisticsError("scores and outcome must be finite, NaN where missing")
    squarable(y, "outcome")
    confidence_level(confidence)
    whole = ~(np.isnan(x).any(axis=1) | np.isnan(y))
    x, y = x[whole], y[whole]
    n, size = x.shape
    if n == 0 or size == 0:
        return tuple(_unknown(MethodStatus.INSUFFICIENT_N, n) for _driver in range(size))
    low, high = _sides(x)
    there = np.minimum(low.sum(axis=0), high.sum(axis=0)) >= FEWEST_A_SIDE
    used = np.flatnonzero(there & ((~(low | high)).sum(axis=0) >= FEWEST_A_SIDE))
    status = _status(y, len(used))
    fit = None
    if status is MethodStatus.OK and len(used):
        fit = _regress(low[:, used], high[:, used], y)
        status = status if fit else MethodStatus.SINGULAR
    is_small = n < ROWS_A_COEFFICIENT * 2 * size
    unfit = MethodStatus.INSUFFICIENT_N if is_small else MethodStatus.NOT_APPLICABLE
    told = [_unknown(unfit, n)] * size
    for at, driver in enumerate(used):
        told[driver] = _told(fit, at, len(used), n, confidence) if fit else _unknown(status, n)
    return tuple(told)


def _numbers(values: npt.ArrayLike) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("scores and outcome must be numbers in rows of one length") from error


def _sides(x: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return who scores low and who scores high; nobody does where the quartiles meet."""
    first, third = np.quantile(x, [0.25, 0.75], axis=0)
    apart = first < third
    return (x <= first) & apart, (x >= third) & apart


def _status(y: FloatArray, drivers: int) -> MethodStatus:
    if len(y) < ROWS_A_COEFFICIENT * 2 * drivers:
        return MethodStatus.INSUFFICIENT_N
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        return MethodStatus.ZERO_VARIANCE
    return MethodStatus.OK


@dataclass(frozen=True, eq=False)
class _Fit:
    slopes: FloatArray
    covariance: FloatArray
    df: int


def _regress(low: BoolArray, high: BoolArray, y: FloatArray) -> _Fit | None:
    """Return slopes with their HC3 covariance; None where they cannot be told apart.

    Rows of the same sides are one pattern, with one leverage: only patterns are written out.
    """
    sides, pattern, people = _patterns(low, high)
    x = np.column_stack([np.ones(len(sides)), sides])
    gram = x.T @ (x * people[:, None])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    inverse = np.linalg.inv(gram)
    slopes = inverse @ (x.T @ np.bincount(pattern, weights=y))
    rest = 1.0 - np.einsum("ij,jk,ik->i", x, inverse, x)
    if rest.min() < 1e-9:
        return None
    errors = y - (x @ slopes)[pattern]
    pulled = np.bincount(pattern, weights=errors * errors) / rest**2
    covariance = inverse @ (x.T @ (x * pulled[:, None])) @ inverse
    return _Fit(slopes[1:], covariance[1:, 1:], len(y) - x.shape[1])


def _patterns(low: BoolArray, high: BoolArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the different rows of low and high side by side, which of them each row is, and how
    many rows are alike."""
    columns = [*low.T, *high.T]
    pattern = np.zeros(len(low), dtype=np.int64)
    # Numbered anew after some columns, so that numbers stay within 63 bits.
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        for column in columns[start : start + COLUMNS_AT_ONCE]:
            pattern = 2 * pattern + column
        pattern = np.unique(pattern, return_inverse=True)[1]
    _found, first, people = np.unique(pattern, return_index=True, return_counts=True)
    sides = np.column_stack([low[first], high[first]]).astype(np.float64)
    return sides, pattern, people


def _told(fit: _Fit, at: int, drivers: int, n: int, confidence: float) -> PenaltyReward:
    t = float(special.stdtrit(fit.df, 0.5 + confidence / 2))
    low, high = at, drivers + at

    def figure(weights: dict[int, float]) -> Figure:
        by = np.zeros(len(fit.slopes))
        by[list(weights)] = list(weights.values())
        # Where the outcome follows exactly, rounding may leave a variance just below 0.
        spread = max(float(by @ fit.covariance @ by), 0.0)
        value, half = float(by @ fit.slopes), t * spread**0.5
        return Figure(value, value - half, value + half, n)

    penalty, reward = figure({low: -1.0}), figure({high: 1.0})
    asymmetry = figure({low: 1.0, high: 1.0})
    return PenaltyReward(
        penalty, reward, asymmetry, _kind(penalty, reward, asymmetry), MethodStatus.OK
    )


def _kind(penalty: Figure, reward: Figure, asymmetry: Figure) -> Kind:
    if not (_is_above(penalty) or _is_above(reward)):
        return Kind.UNCLEAR
    if _is_above(asymmetry):
        return Kind.EXCITEMENT
    return Kind.BASIC if asymmetry.high is not None and asymmetry.high < 0 else Kind.PERFORMANCE


def _is_above(figure: Figure) -> bool:
    return figure.low is not None and figure.low > 0


def _unknown(status: MethodStatus, n: int) -> PenaltyReward:
    none = Figure.none(status, n=n)
    return PenaltyReward(none, none, none, None, status)
