"""Shares, their differences, the net promoter score and the customer effort score."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    FloatArray,
    confidence_level,
    finite,
    int64s,
    numbers,
    squarable,
    together,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Estimate, Status, equal_answers

MOST_PEOPLE = 2.0**53
LEAST_TRIALS = 1e-100
"""Fewer (effective) answers are none."""
_DRAWS, _HALVINGS = (-575.0, 140.0), 60
"""Logarithms between which lies what draws answers towards an end; how often that is halved."""


@dataclass(frozen=True, eq=False)
class Interval:
    """low and high, arrays of the same shape."""

    low: FloatArray
    high: FloatArray


def wilson(
    successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95
) -> Interval:
    """Return the Wilson score interval of a share, without continuity correction.

    successes, trials: shapes that broadcast, 0 <= successes <= trials, trials > 0; need not be
        integers (effective sizes)
    confidence: in (0, 1)
    returns: low and high in [0, 1]
    raises: StatisticsError if a count is out of range
    assumes: independent trials
    source: Wilson 1927; recommended by Brown, Cai, DasGupta 2001, doi:10.1214/ss/1009213286

    >>> wilson([8], [10]).low.round(3).tolist()
    [0.49]
    """
    x, n = _checked(successes, trials)
    z = float(special.ndtri(0.5 + confidence_level(confidence) / 2))
    p = x / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = np.where(x == 0, 0.0, np.clip(centre - half, 0.0, p))
    return Interval(low, np.where(x == n, 1.0, np.clip(centre + half, p, 1.0)))


def _checked(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, n = together(
        "successes and trials", finite(successes, "successes"), finite(trials, "trials")
    )
    squarable(n, "trials")
    if (n < LEAST_TRIALS).any():
        raise StatisticsError("trials must be positive")
    if ((x < 0) | (x > n)).any():
        raise StatisticsError("successes must lie in 0..trials")
    return x, n


def newcombe(
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    other_successes: npt.ArrayLike,
    other_trials: npt.ArrayLike,
    *,
    confidence: float = 0.95,
) -> Interval:
    """Return the interval of the difference of two independent shares, first minus other.

    successes, trials, other_successes, other_trials: as in `wilson`
    returns: low and high in [-1, 1]
    raises: StatisticsError if a count is out of range
    assumes: two independent groups
    source: Newcombe 1998, Statistics in Medicine 17:873-890, method 10

    >>> difference = newcombe([56], [70], [48], [80])
    >>> difference.low.round(4).tolist(), difference.high.round(4).tolist()
    ([0.0524], [0.3339])
    """
    x1, n1 = _checked(successes, trials)
    x2, n2 = _checked(other_successes, other_trials)
    p1, p2 = x1 / n1, x2 / n2
    first = wilson(x1, n1, confidence=confidence)
    other = wilson(x2, n2, confidence=confidence)
    return Interval(
        p1 - p2 - np.hypot(p1 - first.low, other.high - p2),
        p1 - p2 + np.hypot(first.high - p1, p2 - other.low),
    )


def proportion(
    share: npt.ArrayLike, n: npt.ArrayLike, n_eff: npt.ArrayLike, *, confidence: float = 0.95
) -> Estimate:
    """Return (weighted) shares with the Wilson interval on the effective size.

    share: 0..1, the weighted share; what it is where n is 0 is not looked at
    n: respondents; n_eff: (sum w)^2 / sum w^2, in (0, n]
    returns: Estimate; nobody: not_applicable. A share of 0 or 1 is ok: its interval is wide
    raises: StatisticsError if a number is out of range
    assumes: independent respondents
    source: as `wilson`, with the effective size of Kish 1965

    >>> proportion([1.0], [20], [20.0]).low.round(3).tolist()
    [0.839]
    """
    confidence_level(confidence)
    p, size, effective = together(
        "share, n and n_eff", numbers(share, "share"), int64s(n, "n"), finite(n_eff, "n_eff")
    )
    some = size > 0
    if (~((p >= 0) & (p <= 1)) & some).any():
        raise StatisticsError("share must lie in 0..1")
    if (size < 0).any() or ((effective < LEAST_TRIALS) & some).any():
        raise StatisticsError("n and n_eff must be positive")
    value = np.where(some, p, 0.0)
    trials = np.where(some, effective, 1.0)
    wide = wilson(value * trials, trials, confidence=confidence)
    return _where_some(
        some, value, np.sqrt(value * (1 - value) / trials), wide.low, wide.high, size, effective
    )


def nps(
    promoters: npt.ArrayLike,
    passives: npt.ArrayLike,
    detractors: npt.ArrayLike,
    *,
    n: npt.ArrayLike | None = None,
    n_eff: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Return the net promoter score, -100..100, with an interval that holds for few answers.

    promoters, passives, detractors: answers 9-10, 7-8 and 0-6; counts or sums of weights >= 0
    n, n_eff: respondents and their effective size where the answers are weighted; None: the sum
        of the three
    returns: Estimate; value is the plain score and se its standard error
        100 sqrt((p + d - (p - d)^2) / n). The interval is that of the adjusted counts (3/4 more
        promoters, 3/4 more detractors, 1 1/2 more passives), so it is not a point when all
        answer alike; it always contains the value. Nobody: not_applicable
    raises: StatisticsError if a count is negative
    assumes: independent respondents
    source: adjusted Wald interval, Rocks 2016, The American Statistician 70(4):365-372,
        and its R package NPS (pseudo-observations .75, 1.5, .75)

    >>> score = nps([162], [108], [54])
    >>> score.value.round(4).tolist(), score.se.round(3).tolist()
    ([33.3333], [4.141])
    >>> nps([10], [0], [0]).low.round(1).tolist()
    [47.5]
    """
    z = float(special.ndtri(0.5 + confidence_level(confidence) / 2))
    up, middle, down = together(
        "promoters, passives and detractors",
        finite(promoters, "promoters"),
        finite(passives, "passives"),
        finite(detractors, "detractors"),
    )
    if (up < 0).any() or (middle < 0).any() or (down < 0).any():
        raise StatisticsError("counts cannot be negative")
    total = squarable(up, "counts") + squarable(middle, "counts") + squarable(down, "counts")
    some = total > 0
    safe = np.where(some, total, 1.0)
    people, size = _sizes(total, n, n_eff)
    p, d = up / safe, down / safe
    value, se = 100 * (p - d), 100 * _spread(p, d, np.where(some, size, 1.0))
    p, d = (p * size + 0.75) / (size + 3), (d * size + 0.75) / (size + 3)
    half = 100 * z * _spread(p, d, size + 3)
    low = np.clip(np.minimum(100 * (p - d) - half, value), -100.0, 100.0)
    high = np.clip(np.maximum(100 * (p - d) + half, value), -100.0, 100.0)
    return _where_some(some, value, se, low, high, np.rint(people).astype(np.int64), size)


def nps_difference(after: Estimate, before: Estimate) -> tuple[FloatArray, Interval]:
    """Return by how many points a net promoter score rose, and the interval of that.

    after, before: of `nps`, at the same confidence, shapes that broadcast
    returns: after minus before, -200..200, and its interval; NaN where one of them has no score
    raises: StatisticsError if their shapes do not fit
    assumes: different respondents
    source: Zou, Donner 2008, doi:10.1002/sim.3095, from the intervals of both scores

    >>> rise, interval = nps_difference(nps([60], [25], [15]), nps([50], [25], [25]))
    >>> rise.round(1).tolist(), interval.low.round(1).tolist(), interval.high.round(1).tolist()
    ([20.0], [-1.9], [41.2])
    """
    try:
        np.broadcast_shapes(after.value.shape, before.value.shape)
    except ValueError as error:
        raise StatisticsError("the scores must have shapes that fit") from error
    rise = after.value - before.value
    down = np.hypot(after.value - after.low, before.high - before.value)
    up = np.hypot(after.high - after.value, before.value - before.low)
    return rise, Interval(np.maximum(rise - down, -200.0), np.minimum(rise + up, 200.0))


@dataclass(frozen=True, eq=False)
class Effort:
    """The customer effort score: the mean of answers on a scale, and who found it easy."""

    mean: Estimate
    easy: Estimate


def effort(
    counts: npt.ArrayLike,
    *,
    lowest: int = 1,
    top: int = 3,
    n: npt.ArrayLike | None = None,
    n_eff: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Effort:
    """Return the mean answer to "it was easy", and the share of the highest answers.

    counts: shape (..., K), how often each of K >= 2 answers was given, from `lowest` on, which
        is 1 of 7 where nothing else is said; counts or sums of weights >= 0. The easy end is last
    top: how many of the highest answers count as easy, 1 to K - 1
    n, n_eff: as in `nps`
    returns: Effort; the mean with the interval of the likelihood ratio: every mean that some shares
        of all K answers have, under which the given ones are not too unlikely, by the square of
        the t quantile. So it counts on answers that nobody gave yet, and stays on the scale.
        Nobody: not_applicable, fewer than 2 (effective) respondents: insufficient_n, with the
        value alone; all alike: zero_variance, with se 0 and the interval of
        `estimates.equal_answers`; the share as `proportion`
    raises: StatisticsError for negative counts or numbers out of range
    assumes: independent respondents; steps of the scale that are alike
    source: Dixon, Freeman, Toman 2010, Harvard Business Review 88(7/8):116-122 (the question);
        Owen 1988, doi:10.1093/biomet/75.2.237 (the ratio, here of all answers of the scale)

    >>> found = effort([[2, 3, 5, 10, 20, 35, 25]])
    >>> found.mean.value.round(2).tolist(), found.easy.value.tolist()
    ([5.48], [0.8])
    """
    x = finite(counts, "counts")
    if x.ndim < 1 or x.shape[-1] < 2 or (x < 0).any():
        raise StatisticsError("counts must be 0 or more, of at least two answers")
    if not 1 <= top < x.shape[-1]:
        raise StatisticsError("top must leave an answer out")
    total = x.sum(axis=-1)
    some = total > 0
    people, size = _sizes(squarable(total, "counts"), n, n_eff)
    share = x / np.where(some, total, 1.0)[..., None]
    respondents = np.where(some, np.rint(people), 0).astype(np.int64)
    return Effort(
        _mean_answer(share, lowest, respondents, np.where(some, size, 0.0), confidence),
        proportion(
            share[..., -top:].sum(axis=-1).clip(0.0, 1.0),
            respondents,
            np.where(some, size, 1.0),
            confidence=confidence,
        ),
    )


def _mean_answer(
    share: FloatArray,
    lowest: int,
    n: npt.NDArray[np.int64],
    n_eff: FloatArray,
    confidence: float,
) -> Estimate:
    answer = lowest + np.arange(share.shape[-1], dtype=np.float64)
    value = share @ answer
    # From the deviations, so that equal answers have no variance at all.
    variance = (share * (answer - value[..., None]) ** 2).sum(axis=-1)
    varied = (share > 0).sum(axis=-1) > 1
    status = np.where(n_eff < 2, Status.INSUFFICIENT_N, Status.ZERO_VARIANCE)
    status = np.where((n_eff >= 2) & varied, Status.OK, status)
    status = np.where(n == 0, Status.NOT_APPLICABLE, status)
    known = status == Status.OK
    df = np.where(known, n_eff - 1, 1.0)
    se = np.where(known, np.sqrt(variance / df), np.nan)
    most = special.stdtrit(df, 0.5 + confidence_level(confidence) / 2) ** 2
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    steps = answer - answer[0]
    told = n_eff[known], most[known]
    low[known] = answer[0] + _least_mean(share[known], steps, *told)
    high[known] = answer[-1] - _least_mean(share[known][:, ::-1], steps, *told)
    low, high = np.minimum(low, value), np.maximum(high, value)
    alike = np.asarray(status == Status.ZERO_VARIANCE)
    ends = float(answer[0]), float(answer[-1])
    size = np.where(alike, n_eff, 1.0)
    least, largest = equal_answers(np.clip(value, *ends), size, bounds=ends, confidence=confidence)
    return Estimate(
        np.where(n > 0, value, np.nan),
        np.where(alike, 0.0, se),
        np.where(alike, least, low),
        np.where(alike, largest, high),
        n=n,
        n_eff=n_eff,
        status=status.astype(np.uint8),
    )


def _least_mean(
    share: FloatArray, steps: FloatArray, n: FloatArray, most: FloatArray
) -> FloatArray:
    """Return the least mean under which the given answers are not too unlikely.

    share: (C, K), of each answer; steps: (K,), from the first answer, the end that is sought
    n: (C,), answers; most: (C,), of twice the logarithm of how much likelier they are by their own
        shares than by the likeliest shares with that mean
    returns: steps from the first answer

    The likeliest shares with a mean are share / (draw + steps): the smaller draw, the less the
    mean. Where nobody gave the first answer and draw has come to 0, it gets the rest.
    """
    lowest, highest = np.full(len(n), _DRAWS[0]), np.full(len(n), _DRAWS[1])
    for _each in range(_HALVINGS):
        middle = (lowest + highest) / 2
        unlikely = _ratio(share, steps, n, np.exp(middle)) > most
        lowest, highest = np.where(unlikely, middle, lowest), np.where(unlikely, highest, middle)
    draw = np.exp(lowest)
    rest = np.exp((_ratio(share, steps, n, draw) - most).clip(None, 0.0) / (2 * n))
    weight = share / (draw[:, None] + steps)
    least: FloatArray = np.minimum((weight @ steps) / weight.sum(axis=1) * rest, share @ steps)
    return least


def _ratio(share: FloatArray, steps: FloatArray, n: FloatArray, draw: FloatArray) -> FloatArray:
    away = draw[:, None] + steps
    total = (share / away).sum(axis=1, keepdims=True)
    return np.asarray(2 * n * (share * np.log(away * total)).sum(axis=1))


def _sizes(
    total: FloatArray, n: npt.ArrayLike | None, n_eff: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """Return how many people answered and what their answers are worth, by what was given."""
    people = total if n is None else finite(n, "n")
    size = total if n_eff is None else finite(n_eff, "n_eff")
    if any(each.size != 1 and each.shape != total.shape for each in (people, size)):
        raise StatisticsError("n and n_eff must be a number or one for each score")
    if people.ndim > total.ndim or size.ndim > total.ndim:
        raise StatisticsError("n and n_eff must not have more axes than the counts")
    if (people < 0).any() or (people > MOST_PEOPLE).any():
        raise StatisticsError("n must be a number of people")
    size = np.broadcast_to(size, total.shape)
    if ((size < LEAST_TRIALS) & (total > 0)).any():
        raise StatisticsError("n_eff must be positive")
    return np.broadcast_to(people, total.shape), squarable(size, "n_eff")


def _spread(p: FloatArray, d: FloatArray, n: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(p + d - (p - d) ** 2, 0.0) / n)


def _where_some(
    some: npt.NDArray[np.bool_],
    value: FloatArray,
    se: FloatArray,
    low: FloatArray,
    high: FloatArray,
    n: npt.NDArray[np.int64],
    n_eff: FloatArray,
) -> Estimate:
    value, se, low, high = (np.where(some, part, np.nan) for part in (value, se, low, high))
    return Estimate(
        value,
        se,
        low,
        high,
        n=n.copy(),
        n_eff=np.where(some, n_eff, 0.0),
        status=np.where(some, Status.OK, Status.NOT_APPLICABLE).astype(np.uint8),
    )
