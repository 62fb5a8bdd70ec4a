"""How loyal customers are, and who may leave: an index and a scorecard that anybody can check.

Models that learn from who left stand in `logistic`. docs/methods/loyalty-and-risk.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    LARGEST,
    FloatArray,
    IntArray,
    confidence_level,
    finite,
    squarable,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus

DETRACTOR_UP_TO = 6.0
LONG_AWAY = 2.0
"""So many times their own usual gap between visits makes an absence a sign."""
KNOWN = 0.5
"""At least this share of all points must be known, or the level is not known either."""


def loyalty_index(
    answers: npt.ArrayLike,
    scales: Sequence[tuple[float, float]],
    *,
    confidence: float = 0.95,
) -> Figure:
    """Return how loyal customers are, 0..100: the mean of their answers on a common scale.

    answers: shape (N, K), NaN where missing: whether they would come again, recommend, prefer...
    scales: the lowest and the highest answer of each of the K questions, the loyal end second;
        (5, 1) for a question where 1 is loyal
    confidence: in (0, 1), of the t interval, cut to 0..100
    returns: Figure; who answered at least half of the questions counts with the mean of them.
        NOT_APPLICABLE where nobody did; no interval for one person or where all are alike
    raises: StatisticsError for other shapes, equal ends or answers beyond their scale
    assumes: independent respondents; every question counts the same

    >>> found = loyalty_index([[5, 10], [3, 5], [4, 7], [1, 0]], [(1, 5), (0, 10)])
    >>> round(found.value, 1), found.n
    (55.6, 4)
    """
    own = loyalty_scores(answers, scales)
    return _mean(own[~np.isnan(own)], confidence)


def loyalty_scores(answers: npt.ArrayLike, scales: Sequence[tuple[float, float]]) -> FloatArray:
    """Return how loyal each customer is, 0..100: what `loyalty_index` is the mean of.

    answers, scales: as in `loyalty_index`
    returns: shape (N,), the mean of the answers on a common scale; NaN for who answered less than
        half of the questions
    raises: StatisticsError for other shapes, equal ends or answers beyond their scale

    >>> loyalty_scores([[5, 10], [3, 5], [4, float("nan")]], [(1, 5), (0, 10)]).tolist()
    [100.0, 50.0, 75.0]
    """
    ends = squarable(finite(scales, "scales"), "scales")
    ends = ends if ends.size else np.zeros((0, 2))
    if ends.ndim != 2 or ends.shape[1] != 2 or (ends[:, 0] == ends[:, 1]).any():
        raise StatisticsError("a scale must have two different ends")
    x = _answers(answers, len(ends))
    if ((x < ends.min(axis=1)) | (x > ends.max(axis=1))).any():
        raise StatisticsError("an answer lies beyond its scale")
    rescaled = 100.0 * (x - ends[:, 0]) / (ends[:, 1] - ends[:, 0])
    there = ~np.isnan(rescaled)
    many = there.sum(axis=1)
    enough = 2 * many >= max(len(ends), 1)
    total = np.where(there, rescaled, 0.0).sum(axis=1)
    return np.where(enough, total / np.maximum(many, 1), np.nan)


def acsi_index(
    answers: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    scale: tuple[float, float] = (1.0, 10.0),
    confidence: float = 0.95,
) -> Figure:
    """Return the customer satisfaction index in the form of the ACSI, 0..100.

    answers: shape (N, K), NaN where missing, all on the same scale; weights: shape (K,), above 0,
        how much each question counts; scale: its lowest and highest answer
    returns: Figure: (sum of w times mean - lowest sum of w) / ((highest - lowest) sum of w) x 100
        over the complete rows, t interval, cut to 0..100. NOT_APPLICABLE without complete rows
    raises: StatisticsError for other shapes, weights not above 0, answers beyond the scale
    assumes: independent respondents; the weights are given, not learnt from these answers
    source: Fornell et al. 1996, Journal of Marketing 60(4):7-18, doi:10.1177/002224299606000403

    >>> found = acsi_index([[8, 7, 9], [6, 6, 7], [9, 8, 10]], [0.4, 0.3, 0.3])
    >>> round(found.value, 2)
    75.19
    """
    w = finite(weights, "weights")
    if w.ndim != 1 or not len(w) or (w <= 0).any():
        raise StatisticsError("weights must be a list of numbers above 0")
    low, high = float(scale[0]), float(scale[1])
    if not (-LARGEST <= low < high <= LARGEST):
        raise StatisticsError("the scale must go from a lower to a higher finite number")
    x = _answers(answers, len(w))
    if ((x < low) | (x > high)).any():
        raise StatisticsError("an answer lies beyond the scale")
    whole = x[~np.isnan(x).any(axis=1)]
    own = 100.0 * (whole @ (w / w.sum()) - low) / (high - low)
    return _mean(own, confidence)


def _answers(answers: npt.ArrayLike, questions: int) -> FloatArray:
    x = _numbers(answers)
    if x.ndim != 2 or x.shape[1] != questions:
        raise StatisticsError(f"a table of {questions} columns is needed")
    return x


def _numbers(values: npt.ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("numbers are needed, in rows of one length") from error
    if np.isinf(array).any():
        raise StatisticsError("numbers must be finite, NaN where missing")
    return array


def _mean(own: FloatArray, confidence: float) -> Figure:
    """Return the mean of numbers in 0..100."""
    confidence_level(confidence)
    n = len(own)
    if n == 0:
        return Figure.none(MethodStatus.NOT_APPLICABLE)
    value = min(max(float(own.mean()), 0.0), 100.0)
    se = float(own.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    if se <= 1e-12 * abs(value):
        return Figure(value, None, None, n)
    half = se * float(special.stdtrit(n - 1, 0.5 + confidence / 2))
    return Figure(value, max(value - half, 0.0), min(value + half, 100.0), n)


# ---- Scorecard -----------------------------------------------------------------------------------


class Level(StrEnum):
    """How likely it is, by the scorecard, that a customer leaves."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"
    """Too little is known of the customer."""


@dataclass(frozen=True)
class Sign:
    """Something that speaks for leaving, and what it counts."""

    code: str
    points: int


SIGNS = (
    Sign("detractor", 3),
    Sign("open_complaint", 3),
    Sign("falling_scores", 2),
    Sign("long_away", 2),
)
"""What experience says. Where it is known who left, set the points after them (`logistic`)."""


@dataclass(frozen=True, eq=False)
class Scorecard:
    """points: (N,), of the signs that are there; known: (N,), of the signs of which it is known
    whether they are there; because: of each customer the signs that are there, gravest first."""

    points: IntArray
    known: IntArray
    levels: tuple[Level, ...]
    because: tuple[tuple[str, ...], ...]


def scorecard(
    present: npt.ArrayLike,
    signs: Sequence[Sign] = SIGNS,
    *,
    medium: int = 3,
    high: int = 5,
) -> Scorecard:
    """Return points, level and reasons of each customer.

    present: shape (N, S), 1 where a sign is there, 0 where not, NaN where that is not known
    signs: S of them, points above 0. medium, high: from so many points on
    returns: Scorecard. UNKNOWN where less than half of all points is known, unless what is known
        already makes it high
    raises: StatisticsError for other shapes or numbers, or points and levels out of order
    assumes: nothing; it is a rule that people agreed upon. Whether it tells who leaves is to be
        looked at with `logistic.auc`

    >>> found = scorecard([[1, 0, 1, 0], [0, 0, 0, 0], [1, float("nan")] + [float("nan")] * 2])
    >>> found.points.tolist(), [level.value for level in found.levels], found.because[0]
    ([5, 0, 3], ['high', 'low', 'unknown'], ('detractor', 'falling_scores'))
    """
    worth = np.array([sign.points for sign in signs], dtype=np.int64)
    if not len(signs) or (worth <= 0).any() or len({sign.code for sign in signs}) < len(signs):
        raise StatisticsError("signs must have different codes and points above 0")
    if not 0 < medium <= high:
        raise StatisticsError("the levels must be above 0, medium not above high")
    x = _answers(present, len(signs))
    if not np.isin(x[~np.isnan(x)], (0.0, 1.0)).all():
        raise StatisticsError("a sign is there (1), not there (0) or not known (NaN)")
    is_there = x == 1.0
    points, known = is_there @ worth, ~np.isnan(x) @ worth
    order = np.argsort(-worth, kind="stable")
    total = int(worth.sum())
    return Scorecard(
        points=points,
        known=known,
        levels=tuple(
            _level(int(own), int(its), total, medium, high)
            for own, its in zip(points, known, strict=True)
        ),
        because=tuple(tuple(signs[at].code for at in order if row[at]) for row in is_there),
    )


def _level(points: int, known: int, total: int, medium: int, high: int) -> Level:
    if points >= high:
        return Level.HIGH
    if known < KNOWN * total:
        return Level.UNKNOWN
    return Level.MEDIUM if points >= medium else Level.LOW


def customer_signs(
    *,
    recommend: npt.ArrayLike,
    open_complaints: npt.ArrayLike,
    scores: npt.ArrayLike,
    days_away: npt.ArrayLike,
    usual_gap: npt.ArrayLike,
) -> FloatArray:
    """Return which of `SIGNS` each customer shows, for `scorecard`.

    recommend: (N,), the last answer 0..10; open_complaints: (N,), how many; scores: (N, T), the
        last T scores from the oldest to the newest; days_away: (N,), since the last visit;
        usual_gap: (N,), the median days between visits, above 0. NaN where not known
    returns: shape (N, 4), 1, 0 or NaN. Detractor: at most 6. Falling: the last of at least three
        scores is the lowest, and lower than the first. Long away: more than twice the usual gap
    raises: StatisticsError for other shapes, infinite or negative numbers

    >>> customer_signs(recommend=[4], open_complaints=[0], scores=[[6, 6, 5]], days_away=[90],
    ...                usual_gap=[30]).tolist()
    [[1.0, 0.0, 1.0, 1.0]]
    """
    likely, complaints, away, gap = (
        _numbers(column) for column in (recommend, open_complaints, days_away, usual_gap)
    )
    if likely.ndim != 1 or not likely.shape == complaints.shape == away.shape == gap.shape:
        raise StatisticsError("every list must have one entry a customer")
    rows = _numbers(scores)
    if rows.ndim != 2 or len(rows) != len(likely):
        raise StatisticsError("scores must have one row a customer")
    for column in (likely, complaints, away):
        if (column < 0).any():
            raise StatisticsError("answers, counts and days cannot be negative")
    if (gap <= 0).any():
        raise StatisticsError("the usual gap must be above 0")
    return np.column_stack(
        [
            _sign(likely <= DETRACTOR_UP_TO, ~np.isnan(likely)),
            _sign(complaints > 0, ~np.isnan(complaints)),
            np.array([_is_falling(row[~np.isnan(row)]) for row in rows]).reshape(len(rows)),
            _sign(away > LONG_AWAY * gap, ~(np.isnan(away) | np.isnan(gap))),
        ]
    )


def _sign(is_there: npt.NDArray[np.bool_], is_known: npt.NDArray[np.bool_]) -> FloatArray:
    return np.where(is_known, is_there.astype(np.float64), np.nan)


def _is_falling(scores: FloatArray) -> float:
    if len(scores) < 3:
        return float("nan")
    return float(scores[-1] < scores[0] and scores[-1] <= scores.min())
