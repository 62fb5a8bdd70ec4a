"""When a series changed its level: the steps that explain it best, by least squares.

Where a control chart says that something changed, this says when, with the periods between which
it could have been. docs/methods/change-points.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus
from sqcore.stats.seasonality import lag_one, series_of

LEAST = 5
"""The fewest values between two changes."""
LONGEST = 2_000
MOST = 0.8
MOST_COST = 1e12
TINY = 1e-12
"""Of the squared span of the values: nothing."""
ARGMAX_95 = 11.033
"""The 97.5 % point of where a random walk with drift has its maximum (Bai 1997)."""


@dataclass(frozen=True)
class Change:
    """One step: `at` is the index of the first period of the new level.

    earliest, latest: the step lies between these indices with 95 % certainty; before, after: the
    levels; by: how much it changed, with its interval
    """

    at: int
    earliest: int
    latest: int
    before: float
    after: float
    by: Figure


@dataclass(frozen=True)
class Changes:
    """The steps of a series, oldest first; `changes` may be empty where the status is ok.

    sigma: the spread within the levels; autocorrelation: of what the levels leave, lag 1 (0 to .8);
    is_gradual: a straight line explains the series better than these steps do
    """

    changes: tuple[Change, ...]
    sigma: float | None
    autocorrelation: float | None
    is_gradual: bool
    n: int
    status: MethodStatus = MethodStatus.OK


def change_points(
    values: npt.ArrayLike, *, least: int = LEAST, penalty: float | None = None
) -> Changes:
    """Return when the level of a series changed, however often.

    values: shape (P,), in the order of time, NaN where there is none; P <= 2,000. Missing values
        close up
    least: values between two changes, >= 2
    penalty: what a further step must save of the sum of squares; None: 2 s^2 ln n, times
        (1 + phi) / (1 - phi) where neighbours resemble each other by phi (0 to .8)
    returns: Changes, the exact optimum. Fewer than 2 x least values: too_short; all alike:
        zero_variance
    raises: StatisticsError if values have another shape, are too many or not finite, or least or
        penalty is out of range
    assumes: levels with the same spread around them, no season
    source: Jackson and others 2005, IEEE Signal Processing Letters 12(2):105-108 (optimum);
        Killick, Fearnhead and Eckley 2012, JASA 107(500):1590-1598 (the same, pruned); Yao 1988,
        Statistics and Probability Letters 6(3):181-189 (penalty); interval of the place: Bai 1997,
        Review of Economics and Statistics 79(4):551-563

    >>> found = change_points([5, 6, 5, 4, 5, 6, 9, 10, 9, 8, 9, 10])
    >>> [(each.at, each.earliest, each.latest, round(each.by.value, 2)) for each in found.changes]
    [(6, 6, 6, 4.0)]
    """
    if least < 2:
        raise StatisticsError("a level needs at least 2 values")
    if penalty is not None and not 0 <= penalty < np.inf:
        raise StatisticsError("the penalty must be finite and not negative")
    x = series_of(values)
    if x.size > LONGEST:
        raise StatisticsError(f"a series has at most {LONGEST} points")
    place = np.flatnonzero(~np.isnan(x))
    n = len(place)
    if n < 2 * least:
        return Changes((), None, None, False, n, MethodStatus.TOO_SHORT)
    size = float(np.ptp(x[place]))
    if size <= 1e-13 * float(np.abs(x[place]).max()):
        return Changes((), None, None, False, n, MethodStatus.ZERO_VARIANCE)
    # In units of the span: squares of huge and of tiny values are numbers too.
    origin = float(x[place].min())
    y = (x[place] - origin) / size
    # Of a span so small a penalty may be more than all numbers: it then costs the most there is.
    with np.errstate(over="ignore"):
        cost = None if penalty is None else np.float64(penalty) / size / size
    within = None if cost is None else float(min(cost, MOST_COST))
    starts = _optimum(y, least, _usual_penalty(y, least) if within is None else within)
    phi = _phi(y, starts)
    sigma = _sigma(y, starts)
    ends = [0, *starts, n]
    changes = tuple(
        _change(y, ends[at : at + 3], phi, (origin, size, place)) for at in range(len(starts))
    )
    return Changes(changes, sigma * size, phi, _is_gradual(y, starts), n)


def _usual_penalty(y: FloatArray, least: int) -> float:
    """Return 2 s^2 ln n, for values that resemble their neighbours times (1 + phi) / (1 - phi).

    Both come once from the differences of neighbours, which several steps hardly move, and once
    from what the best single step leaves, which is surer of one; the smaller product counts.
    """
    found = (_from_differences(y), _from_one_step(y, least))
    return min(2 * variance * (1 + phi) / (1 - phi) for variance, phi in found) * float(
        np.log(len(y))
    )


def _from_differences(y: FloatArray) -> tuple[float, float]:
    """Return the variance around the levels and phi, by the variogram at lags 1 and 2."""
    near = max(float(np.mean(np.diff(y) ** 2)) / 2, TINY)
    far = float(np.mean((y[2:] - y[:-2]) ** 2)) / 2
    phi = float(np.clip(far / near - 1, 0.0, MOST))
    return near / (1 - phi), phi


def _from_one_step(y: FloatArray, least: int) -> tuple[float, float]:
    n = len(y)
    place = np.arange(least, n - least + 1)
    sums = np.cumsum(y)[place - 1]
    gain = (sums - place * y.mean()) ** 2 * n / (place * (n - place))
    starts = [int(place[np.argmax(gain)])]
    left = float((_rest(y, starts) ** 2).sum())
    return max(left / (n - 2), TINY), _phi(y, starts)


def _optimum(y: FloatArray, least: int, penalty: float) -> list[int]:
    """Return where levels start in the least sum of squares with a penalty a step."""
    n = len(y)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (y, y**2))
    best = np.full(n + 1, np.inf)
    best[0] = -penalty
    came = np.zeros(n + 1, dtype=np.int64)
    for end in range(least, n + 1):
        start = np.arange(end - least + 1)
        length = end - start
        cost = squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / length
        total = best[start] + np.maximum(cost, 0.0) + penalty
        at = int(np.argmin(total))
        best[end], came[end] = total[at], at
    starts: list[int] = []
    end = n
    while came[end] > 0:
        end = int(came[end])
        starts.append(end)
    return starts[::-1]


def _rest(y: FloatArray, starts: list[int]) -> FloatArray:
    parts = np.split(y, starts)
    return np.concatenate([part - part.mean() for part in parts])


def _sigma(y: FloatArray, starts: list[int]) -> float:
    rest = _rest(y, starts)
    return float(np.sqrt((rest**2).sum() / max(len(y) - len(starts) - 1, 1)))


def _phi(y: FloatArray, starts: list[int]) -> float:
    """Return the autocorrelation that the levels leave, corrected for each mean taken out."""
    rest = _rest(y, starts)
    raw = lag_one(rest) if np.ptp(rest) > TINY else None
    n, levels = len(y), len(starts) + 1
    if raw is None or n <= 4 + 3 * len(starts):
        return 0.0
    return float(np.clip((n * raw + levels) / (n - 4 - 3 * len(starts)), 0.0, MOST))


def _is_gradual(y: FloatArray, starts: list[int]) -> bool:
    """Return whether a line is the better story than the steps, each paying for its numbers."""
    if not starts:
        return False
    n = len(y)
    time = np.arange(n) - (n - 1) / 2
    slope = float(time @ y / (time @ time))
    line = float(((y - y.mean() - slope * time) ** 2).sum())
    steps = float((_rest(y, starts) ** 2).sum())
    cost_of_line = n * np.log(max(line, TINY) / n) + 2 * np.log(n)
    cost_of_steps = n * np.log(max(steps, TINY) / n) + (2 * len(starts) + 1) * np.log(n)
    return bool(cost_of_line < cost_of_steps)


def _change(
    y: FloatArray,
    span: list[int],
    phi: float,
    units: tuple[float, float, npt.NDArray[np.int64]],
) -> Change:
    (first, start, end), (origin, size, place) = span, units
    old, new = y[first:start], y[start:end]
    gap = float(new.mean() - old.mean())
    wider = (1 + phi) / (1 - phi)
    # How far the place may be off on each side goes by the spread on that side.
    reach = [
        ARGMAX_95 * float(np.var(part)) * wider / gap**2 if gap else float(len(part))
        for part in (old, new)
    ]
    earliest = max(first + 1, int(np.floor(start - reach[0])) if reach[0] >= 1 else start)
    latest = min(end - 1, int(np.ceil(start + reach[1])) if reach[1] >= 1 else start)
    return Change(
        at=int(place[start]),
        earliest=int(place[earliest]),
        latest=int(place[latest]),
        before=origin + size * float(old.mean()),
        after=origin + size * float(new.mean()),
        by=_difference(old, new, wider, size),
    )


def _difference(old: FloatArray, new: FloatArray, wider: float, size: float) -> Figure:
    """Return the step with an interval by t, the values counted by what they are worth."""
    n = len(old) + len(new)
    df = n - 2
    spread = (((old - old.mean()) ** 2).sum() + ((new - new.mean()) ** 2).sum()) / df
    error = float(np.sqrt(spread * wider * (1 / len(old) + 1 / len(new))))
    half = float(special.stdtrit(max(df / wider, 1.0), 0.975)) * error
    gap = float(new.mean() - old.mean())
    return Figure(gap * size, (gap - half) * size, (gap + half) * size, n)
