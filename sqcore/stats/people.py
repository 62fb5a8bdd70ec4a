"""Results of staff: how sure they are, what is fair to compare, and who is clearly below."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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

LEAST_SHARE = 0.8
"""An encounter counts as a person's if at least so much of it was theirs."""
STEPS = 100
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(48)


def information(
    share: npt.ArrayLike, person: npt.ArrayLike, persons: int, *, least_share: float = LEAST_SHARE
) -> FloatArray:
    """Return how many answers about a person alone those about them and others are worth.

    share: shape (N,), in (0, 1], which part of the encounter was the person's
    person: shape (N,), codes 0..persons-1
    least_share: shares below it count nothing, in [0, 1]
    returns: sum of squared shares, shape (persons,). Not (sum w)^2 / sum w^2: that takes the
        other people in the encounter for nobody
    raises: StatisticsError if a share or a code is out of range
    source: docs/methods/results-of-staff.md; Browne, Goldstein, Rasbash 2001,
        doi:10.1177/1471082X0100100202 (people who share an outcome)

    >>> ten_alone_twenty_halves = [1.0] * 10 + [0.5] * 20
    >>> information(ten_alone_twenty_halves, [0] * 30, 1, least_share=0).tolist()
    [15.0]
    >>> information(ten_alone_twenty_halves, [0] * 30, 1).tolist()
    [10.0]
    """
    w = finite(share, "share")
    if w.ndim != 1 or ((w <= 0) | (w > 1)).any() or not 0.0 <= least_share <= 1.0:
        raise StatisticsError("share must be a list of numbers in (0, 1]")
    codes = _codes(person, persons, len(w), "person")
    found: FloatArray = np.bincount(
        codes, np.where(w >= least_share, w * w, 0.0), minlength=persons
    ).astype(np.float64)
    return found


def reliability(n: npt.ArrayLike, icc: npt.ArrayLike) -> FloatArray:
    """Return which part of the variance of people's means is of the people.

    n: answers a person, >= 0; icc: in [0, 1]; shapes that broadcast
    returns: n icc / (1 + (n - 1) icc), in [0, 1]; 0 without answers
    raises: StatisticsError if a number is out of range
    assumes: answers to one person are independent given the person
    source: Spearman 1910 and Brown 1910; Safran et al. 2006, doi:10.1111/j.1525-1497.2005.00311.x

    >>> reliability([10, 30, 45], 0.05).round(4).tolist()
    [0.3448, 0.6122, 0.7031]
    """
    size, part = np.broadcast_arrays(finite(n, "n"), _share(icc, "icc"))
    if (size < 0).any():
        raise StatisticsError("n must not be negative")
    # 0 of 0 answers is 0, also where the icc is 1.
    below = np.where(size > 0, 1.0 + (size - 1.0) * part, 1.0)
    return np.where(size > 0, size * part / below, 0.0)


def answers_needed(reliability: float, icc: float) -> float:
    """Return how many answers give people's means this reliability; round it up.

    reliability: in [0, 1); icc: in [0, 1]
    returns: R (1 - icc) / ((1 - R) icc); infinite if the icc is 0
    raises: StatisticsError if a number is out of range
    source: as `reliability`

    >>> round(answers_needed(0.7, 0.05), 1), round(answers_needed(0.8, 0.02), 1)
    (44.3, 196.0)
    """
    if not 0.0 <= reliability < 1.0 or not 0.0 <= icc <= 1.0:
        raise StatisticsError("reliability must lie in [0, 1) and icc in [0, 1]")
    if icc == 0.0:
        return math.inf if reliability else 0.0
    return reliability * (1.0 - icc) / ((1.0 - reliability) * icc)


def truly_lowest(reliability: float, share: float = 0.25) -> float:
    """Return how many of those with the lowest means are truly among the lowest.

    reliability: in [0, 1]; share: which part is called lowest, in (0, 1)
    returns: in [share, 1]
    raises: StatisticsError if a number is out of range
    assumes: one reliability for all; people and means normal
    source: docs/methods/results-of-staff.md; Adams 2009, RAND TR-653 (misclassification)

    >>> round(truly_lowest(0.7), 3)
    0.708
    """
    if not 0.0 <= reliability <= 1.0 or not 0.0 < share < 1.0:
        raise StatisticsError("reliability must lie in [0, 1] and share in (0, 1)")
    cut = float(special.ndtri(share))
    if reliability == 1.0:
        return 1.0
    low = max(-cut, cut) + 10.0
    x = cut - low * (NODES + 1.0) / 2.0
    density = np.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
    below = special.ndtr((cut - math.sqrt(reliability) * x) / math.sqrt(1.0 - reliability))
    return float(low / 2.0 * (NODE_WEIGHTS * density) @ below) / share


@dataclass(frozen=True)
class VarianceParts:
    """How much of the spread of answers is within people, and how much between them.

    within: variance of the answers of one person
    between: variance of people inside their group, >= 0; differences of groups are not in it
    icc: between / (between + within); icc_se: its standard error, for large numbers
    within_square, between_square: the mean squares of the analysis of variance inside groups
    persons: with answers; groups: with such persons; n: answers
    """

    within: float
    between: float
    icc: float
    icc_se: float
    within_square: float
    between_square: float
    persons: int
    groups: int
    n: int


def variance_parts(
    values: npt.ArrayLike, person: npt.ArrayLike, group_of_person: npt.ArrayLike
) -> VarianceParts:
    """Return the parts of the variance within people and between people of a group.

    values: shape (N,), after case mix; person: shape (N,), codes 0..P-1
    group_of_person: shape (P,), codes >= 0, whom each is compared with
    returns: VarianceParts
    raises: StatisticsError if shapes differ, a code is out of range, nobody has two answers,
        no group has two people with answers, or all answers of each person are equal
    assumes: one variance within all people, one between them in all groups
    source: `variance_parts_of_sums`

    >>> parts = variance_parts([4, 6, 5, 9, 7, 8], [0, 0, 1, 1, 2, 2], [0, 0, 0])
    >>> parts.within, parts.within_square, parts.between_square, parts.n
    (3.5, 3.5, 3.5, 6)
    """
    x = finite(values, "values")
    groups = int64s(group_of_person, "group_of_person")
    if x.ndim != 1 or groups.ndim != 1:
        raise StatisticsError("values and group_of_person must be lists")
    persons = len(groups)
    codes = _codes(person, persons, len(x), "person")
    n = np.bincount(codes, minlength=persons)
    # Around one value, so that the squares do not cancel.
    deviation = x - (x.mean() if x.size else 0.0)
    total = np.bincount(codes, deviation, minlength=persons)
    squares = np.bincount(codes, deviation * deviation, minlength=persons)
    return variance_parts_of_sums(n, total, squares, groups)


def variance_parts_of_sums(
    n: npt.ArrayLike,
    total: npt.ArrayLike,
    squares: npt.ArrayLike,
    group_of_person: npt.ArrayLike,
) -> VarianceParts:
    """Return the parts of the variance from the sums of each person.

    n, total, squares: shape (P,), how many answers, their sum and the sum of their squares;
        people without answers do not count
    group_of_person: shape (P,), codes >= 0
    returns: VarianceParts; within is the pooled mean square, between is by Paule and Mandel,
        pooled over the groups
    raises, assumes: as `variance_parts`
    source: Paule, Mandel 1982, doi:10.6028/jres.087.022; the standard error by the delta method
        from the variances of both parts

    >>> variance_parts_of_sums([2, 2, 2], [10, 14, 15], [52, 106, 113], [0, 0, 0]).within
    3.5
    """
    size, s, q = finite(n, "n"), finite(total, "total"), finite(squares, "squares")
    group = int64s(group_of_person, "group_of_person")
    for array, name in ((size, "n"), (s, "total"), (q, "squares"), (group, "group_of_person")):
        shaped(array, (size.size,), name)
    some = size > 0
    size, s, q = size[some], s[some], q[some]
    if not size.size or size.sum() <= size.size:
        raise StatisticsError("nobody has two answers")
    means = s / size
    # Below the rounding of the sums there is no spread.
    rest = np.maximum(q - s * means, 0.0)
    square = float(rest.sum() / (size.sum() - size.size))
    if square <= 1e-12 * max(float(q.sum() / size.sum()), 1e-300):
        raise StatisticsError("all answers of each person are equal")
    code, groups = _dense(group[some])
    between = between_variance(means, square / size, code)
    spread = _between_square(means, size, code, groups)
    return VarianceParts(
        within=square,
        between=between,
        icc=between / (between + square),
        icc_se=_icc_error(between, square, size, code),
        within_square=square,
        between_square=spread,
        persons=size.size,
        groups=groups,
        n=round(float(size.sum())),
    )


def _between_square(means: FloatArray, n: FloatArray, code: IntArray, groups: int) -> float:
    centre = np.bincount(code, n * means) / np.bincount(code, n)
    return float((n * (means - centre[code]) ** 2).sum() / (means.size - groups))


def _icc_error(between: float, within: float, n: FloatArray, code: IntArray) -> float:
    """Return the standard error of between / (between + within)."""
    w = 1.0 / (between + within / n)
    left = 1.0 - w / np.bincount(code, w)[code]
    free = float(left.sum())
    slope = float((w * left).sum())
    # How far the part between moves with that within, as both are taken from the same spread.
    pull = float((w * left / n).sum()) / slope
    of_within = 2.0 * within**2 / (n.sum() - n.size)
    of_between = 2.0 * free / slope**2 + pull**2 * of_within
    whole = (between + within) ** 2
    by_between, by_within = within / whole, -between / whole
    variance = (
        by_between**2 * of_between
        + by_within**2 * of_within
        - 2.0 * by_between * by_within * pull * of_within
    )
    return math.sqrt(variance)


def between_variance(
    means: npt.ArrayLike,
    variances: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    method: Literal["paule_mandel", "moments"] = "paule_mandel",
) -> float:
    """Return the variance between people inside their groups, pooled over the groups.

    means: shape (P,); variances: shape (P,), of each mean given the person, > 0
    group: shape (P,), codes >= 0; a group of one tells nothing
    method: paule_mandel, or moments (DerSimonian and Laird), which is less good when the
        variances differ
    returns: tau^2 >= 0, so large that the squared deviations from the groups' means, each
        divided by its variance, sum up to persons minus groups; 0 if they are less without it
    raises: StatisticsError if shapes differ, a variance is not positive, or no group has two
        people
    assumes: one variance in all groups
    source: Paule, Mandel 1982, doi:10.6028/jres.087.022; DerSimonian, Laird 1986,
        doi:10.1016/0197-2456(86)90046-2; pooled as in docs/methods/results-of-staff.md

    >>> means, variances = [4.9, 4.2, 3.8, 4.35, 4.1], [1 / 8, 1 / 20, 1 / 45, 1 / 120, 1 / 300]
    >>> round(between_variance(means, variances, [0] * 5, method="moments"), 6)
    0.042045
    >>> round(between_variance(means, variances, [0] * 5), 6)
    0.091515
    """
    m, v, code = _people(means, variances, group)
    groups = int(code.max()) + 1
    free = m.size - groups
    if free < 1:
        raise StatisticsError("no group has two people")
    if method == "moments":
        w = 1.0 / v
        left = 1.0 - w / np.bincount(code, w)[code]
        return max(0.0, (_heterogeneity(m, w, code)[0] - free) / float((w * left).sum()))
    return _paule_mandel(m, v, code, free)


def _paule_mandel(m: FloatArray, v: FloatArray, code: IntArray, free: int) -> float:
    """Solve for tau^2 by Newton's steps; they come from the left, as the function is convex."""
    tau2 = 0.0
    for _ in range(STEPS):
        squares, slope = _heterogeneity(m, 1.0 / (v + tau2), code)
        if squares <= free * (1.0 + 1e-12):
            break
        step = (squares - free) / slope
        if step <= 1e-14 * tau2:
            break
        tau2 += step
    return tau2


def _heterogeneity(m: FloatArray, w: FloatArray, code: IntArray) -> tuple[float, float]:
    """Return the weighted squares about the groups' means, and how fast they fall with tau^2."""
    centre = np.bincount(code, w * m) / np.bincount(code, w)
    terms = w * (m - centre[code]) ** 2
    return float(terms.sum()), float((w * terms).sum())


@dataclass(frozen=True, eq=False)
class Shrunk:
    """People's results, drawn towards the mean of their group; every array has shape (P,).

    centre: mean of the group; centre_variance: its variance
    weight: how much a person's own mean counts, B, in [0, 1)
    estimate: theta; sd: of theta; low, high: its interval at `level`
    difference: estimate minus centre; difference_sd: of that difference. It is not sd: what is
        uncertain about the centre moves both
    peers: how many others are in the group
    """

    centre: FloatArray
    centre_variance: FloatArray
    weight: FloatArray
    estimate: FloatArray
    sd: FloatArray
    low: FloatArray
    high: FloatArray
    difference: FloatArray
    difference_sd: FloatArray
    peers: IntArray
    level: float


def shrink(
    means: npt.ArrayLike,
    variances: npt.ArrayLike,
    group: npt.ArrayLike,
    tau2: float,
    *,
    level: float = 0.95,
) -> Shrunk:
    """Return each person's result as their own mean and that of their group tell it together.

    means: shape (P,), after case mix; variances: shape (P,), > 0: the pooled variance within
        people divided by n, not each person's own
    group: shape (P,), codes >= 0: branch and post, or the post where peers are too few
    tau2: variance between people of a group, >= 0, of `between_variance`
    level: of the interval, in (0, 1)
    returns: Shrunk. B = tau2 / (tau2 + v), the centre is the mean of the group weighted by
        1 / (tau2 + v), theta = centre + B (mean - centre),
        sd = sqrt(B v + (1 - B)^2 Var(centre)), difference_sd = sqrt(B v + B^2 Var(centre))
    raises: StatisticsError if shapes differ or a number is out of range
    assumes: people of a group normal about its mean; tau2 known. Where it is 0 all of a group
        have the same estimate: no difference can be seen, and there is nothing to rank
    source: Efron, Morris 1975, doi:10.1080/01621459.1975.10479864; Morris 1983,
        doi:10.1080/01621459.1983.10477920

    >>> means, variances = [4.9, 4.2, 3.8, 4.35, 4.1], [1 / 8, 1 / 20, 1 / 45, 1 / 120, 1 / 300]
    >>> s = shrink(means, variances, [0] * 5, 0.042045)
    >>> s.estimate.round(4).tolist(), s.weight.round(4).tolist()
    ([4.3635, 4.1908, 3.9324, 4.3224, 4.1061], [0.2517, 0.4568, 0.6542, 0.8346, 0.9265])
    """
    m, v, code = _people(means, variances, group)
    if not 0.0 <= tau2 < math.inf:
        raise StatisticsError("tau2 must be finite and >= 0")
    z = float(special.ndtri(0.5 + confidence_level(level) / 2.0))
    w = 1.0 / (v + tau2)
    sums = np.bincount(code, w)
    centre = (np.bincount(code, w * m) / sums)[code]
    centre_variance = (1.0 / sums)[code]
    weight = tau2 * w
    difference = weight * (m - centre)
    estimate = centre + difference
    sd = np.sqrt(weight * v + (1.0 - weight) ** 2 * centre_variance)
    return Shrunk(
        centre=centre,
        centre_variance=centre_variance,
        weight=weight,
        estimate=estimate,
        sd=sd,
        low=estimate - z * sd,
        high=estimate + z * sd,
        difference=difference,
        difference_sd=np.sqrt(weight * v + weight**2 * centre_variance),
        peers=np.bincount(code)[code] - 1,
        level=level,
    )


def probability_below(shrunk: Shrunk, margin: float) -> FloatArray:
    """Return how sure it is that each person lies below their peers by more than the margin.

    margin: the smallest difference that matters, >= 0
    returns: P(theta < centre - margin | data), shape (P,). A low verdict needs .975
    raises: StatisticsError if the margin is negative or not finite
    assumes: as `shrink`. Theta and the centre are uncertain together: their difference has
        difference_sd. With sd a group of 9 would get .073 instead of .022 wrong verdicts
    source: docs/methods/results-of-staff.md

    >>> s = shrink([5.3, 5.4, 5.2, 5.3, 4.1], [0.024] * 4 + [0.01], [0] * 5, 0.09)
    >>> probability_below(s, 0.3).round(3).tolist()
    [0.002, 0.001, 0.009, 0.002, 1.0]
    """
    return _normal(-_margin(margin) - shrunk.difference, shrunk.difference_sd)


def probability_above(shrunk: Shrunk, margin: float) -> FloatArray:
    """Return how sure it is that each person lies above their peers by more than the margin.

    margin, returns, raises, assumes, source: as `probability_below`, turned round

    >>> s = shrink([5.3, 5.4, 5.2, 5.3, 6.5], [0.024] * 4 + [0.01], [0] * 5, 0.09)
    >>> probability_above(s, 0.3).round(3).tolist()
    [0.002, 0.009, 0.001, 0.002, 1.0]
    """
    return _normal(shrunk.difference - _margin(margin), shrunk.difference_sd)


def _normal(distance: FloatArray, sd: FloatArray) -> FloatArray:
    """Return Phi(distance / sd); where nothing is uncertain, whether the distance is passed."""
    known = sd > 0
    sure: FloatArray = special.ndtr(distance / np.where(known, sd, 1.0))
    return np.where(known, sure, np.where(distance > 0, 1.0, 0.0))


@dataclass(frozen=True)
class ExpectedFlags:
    """How many low verdicts the model leads one to expect.

    all: verdicts; wrong: of people who are not below by the margin
    """

    wrong: float
    all: float


def expected_flags(
    n: npt.ArrayLike,
    within: float,
    tau2: float,
    margin: float,
    level: float = 0.975,
    *,
    centre_variance: npt.ArrayLike = 0.0,
) -> ExpectedFlags:
    """Return how many of these people will be called low, and how many of them wrongly.

    n: shape (P,), answers of each, > 0
    within: variance within a person, > 0; tau2: between people, >= 0
    margin, level: a person is low if P(theta < centre - margin) >= level; margin >= 0
    centre_variance: of the mean of each person's group, a number or shape (P,); 0: known
    returns: ExpectedFlags; the same figures hold for high verdicts
    raises: StatisticsError if a number is out of range
    assumes: as `shrink`; more people far below than the normal model has are flagged besides
    source: docs/methods/results-of-staff.md

    >>> flags = expected_flags([50] * 240, within=1.21, tau2=0.09, margin=0.30)
    >>> round(flags.all, 2), round(flags.wrong, 3)
    (3.86, 0.033)
    """
    size, spread = np.broadcast_arrays(finite(n, "n"), finite(centre_variance, "centre_variance"))
    if (size <= 0).any() or (spread < 0).any():
        raise StatisticsError("n must be positive and centre_variance not negative")
    if not 0.0 < within < math.inf or not 0.0 <= tau2 < math.inf:
        raise StatisticsError("within must be positive and tau2 not negative")
    _margin(margin)
    z = float(special.ndtri(confidence_level(level)))
    v = within / size
    weight = tau2 / (tau2 + v)
    sd = np.sqrt(weight * v + weight**2 * spread)
    # The estimated difference and what remains uncertain make up tau2 together.
    of_estimate = np.sqrt(np.maximum(tau2 - sd * sd, 0.0))
    told = of_estimate > 0
    cut = np.where(told, (-margin - z * sd) / np.where(told, of_estimate, 1.0), -np.inf)[told]
    if not cut.size:
        return ExpectedFlags(0.0, 0.0)
    # The tail below the cut; beyond 9 more there is nothing left of it.
    x = cut[:, None] - 4.5 * (NODES + 1.0)
    density = np.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
    distance = margin + of_estimate[told][:, None] * x
    mistaken = special.ndtr(distance / np.maximum(sd[told], 1e-300)[:, None])
    wrong = 4.5 * (NODE_WEIGHTS * density * mistaken).sum()
    return ExpectedFlags(float(wrong), float(special.ndtr(cut).sum()))


@dataclass(frozen=True, eq=False)
class CaseMix:
    """How much a result moves with what staff cannot influence.

    factors: names; coefficients, standard_errors: shape (F,), 0 where not identified
    identified: bool, shape (F,): whether the factor varies within people, other than as the
        factors before it
    n: answers; persons: with answers
    """

    factors: list[str]
    coefficients: FloatArray
    standard_errors: FloatArray
    identified: BoolArray
    n: int
    persons: int


def case_mix(
    values: npt.ArrayLike,
    person: npt.ArrayLike,
    factors: npt.ArrayLike,
    *,
    names: Sequence[str] | None = None,
) -> CaseMix:
    """Return how the values move with the factors within people.

    values: shape (N,); person: shape (N,), codes >= 0
    factors: shape (N, F), only what staff cannot influence: channel, service, hour, segment
    names: of the factors; None: their numbers
    returns: CaseMix. Least squares with a level of their own for each person, so that good
        people who serve hard customers do not make these look easy; the standard errors allow
        answers of a person to hang together
    raises: StatisticsError if shapes differ or a number is not finite
    assumes: the factors move the answers of all people alike
    source: fixed effects, Wooldridge 2010, Econometric Analysis of Cross Section and Panel Data,
        10.5; its standard errors by Arellano 1987, doi:10.1111/j.1468-0084.1987.mp49004006.x

    >>> mix = case_mix([5, 4, 3, 2], [0, 0, 1, 1], [[0], [1], [0], [1]], names=["complaint"])
    >>> mix.coefficients.tolist(), mix.identified.tolist()
    ([-1.0], [True])
    """
    y, x = finite(values, "values"), finite(factors, "factors")
    if y.ndim != 1 or x.ndim != 2:
        raise StatisticsError("values must be a list and factors a table")
    shaped(x, (len(y), x.shape[1]), "factors")
    titles = [str(at) for at in range(x.shape[1])] if names is None else list(names)
    if len(titles) != x.shape[1]:
        raise StatisticsError("there must be a name for each factor")
    raw = int64s(person, "person")
    shaped(raw, y.shape, "person")
    code, persons = _dense(raw)
    inside, levels = _within(x, code, persons), _within(y[:, None], code, persons)[:, 0]
    identified = _identified(inside, x)
    beta, error = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    if identified.any():
        part = inside[:, identified]
        beta[identified], error[identified] = _least_squares(part, levels, code, persons)
    return CaseMix(titles, beta, error, identified, len(y), persons)


def _within(table: FloatArray, code: IntArray, persons: int) -> FloatArray:
    """Return the columns with the mean of each person taken out."""
    n = np.maximum(np.bincount(code, minlength=persons), 1)
    out = np.empty_like(table)
    for at in range(table.shape[1]):
        column = table[:, at]
        out[:, at] = column - (np.bincount(code, column, minlength=persons) / n)[code]
    return out


def _identified(inside: FloatArray, table: FloatArray) -> BoolArray:
    """Whether each column has something of its own, beside the columns before it."""
    found = np.zeros(inside.shape[1], dtype=bool)
    basis: list[FloatArray] = []
    for at in range(inside.shape[1]):
        column = inside[:, at]
        length = float(np.linalg.norm(column))
        if length <= 1e-9 * float(np.linalg.norm(table[:, at])):
            continue
        # Twice, as once leaves the rounding of nearly equal columns.
        rest = column / length
        for _ in range(2):
            for known in basis:
                rest = rest - (known @ rest) * known
        own = float(np.linalg.norm(rest))
        if own > 1e-7:
            found[at] = True
            basis.append(rest / own)
    return found


def _least_squares(
    x: FloatArray, y: FloatArray, code: IntArray, persons: int
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and standard errors that are clustered by person."""
    scale = np.linalg.norm(x, axis=0)
    unit = x / scale
    inverse = np.linalg.inv(unit.T @ unit)
    beta = inverse @ (unit.T @ y)
    residual = y - unit @ beta
    scores = np.stack(
        [np.bincount(code, unit[:, at] * residual, minlength=persons) for at in range(x.shape[1])],
        axis=1,
    )
    correction = persons / max(persons - 1, 1)
    covariance = correction * inverse @ (scores.T @ scores) @ inverse
    return beta / scale, np.sqrt(np.maximum(np.diag(covariance), 0.0)) / scale


def adjusted(
    values: npt.ArrayLike,
    factors: npt.ArrayLike,
    mix: CaseMix,
    reference_means: npt.ArrayLike,
) -> FloatArray:
    """Return the values as if everybody had served the same mix.

    values: shape (N,), answers, or the means of people with the means of their factors
    factors: shape (N, F); reference_means: shape (F,), the mix of all
    returns: values - sum of coefficient (factor - reference), shape (N,)
    raises: StatisticsError if shapes differ or a number is not finite
    source: docs/methods/results-of-staff.md

    >>> mix = CaseMix(["complaint"], np.array([-0.6]), np.array([0.1]), np.array([True]), 900, 30)
    >>> adjusted([4.10], [[0.35]], mix, [0.20]).round(2).tolist()
    [4.19]
    """
    y, x = finite(values, "values"), finite(factors, "factors")
    reference = finite(reference_means, "reference_means")
    shaped(y, (y.size,), "values")
    shaped(x, (y.size, len(mix.factors)), "factors")
    shaped(reference, (len(mix.factors),), "reference_means")
    moved: FloatArray = y - (x - reference) @ mix.coefficients
    return moved


@dataclass(frozen=True, eq=False)
class Funnel:
    """Limits that a mean of so many answers keeps by chance; low, high: shape (levels, P)."""

    levels: tuple[float, ...]
    low: FloatArray
    high: FloatArray


def funnel_limits(
    theta: float,
    n: npt.ArrayLike,
    *,
    kind: Literal["proportion", "mean"] = "proportion",
    within: float | None = None,
    levels: Sequence[float] = (0.95, 0.998),
) -> Funnel:
    """Return the limits of a funnel plot. It is a picture, not a verdict.

    theta: value of all; in (0, 1) for shares
    n: shape (P,), answers, whole numbers > 0
    kind: proportion: exact, of the binomial distribution, interpolated; mean: normal
    within: variance within a person, > 0; for means
    levels: each in (0, 1)
    returns: Funnel; shares stay in [0, 1]
    raises: StatisticsError if a number is out of range, or within is missing or not asked for
    assumes: no differences between people but chance; see `overdispersion`
    source: Spiegelhalter 2005, doi:10.1002/sim.1970, appendix A.1

    >>> f = funnel_limits(0.9, [30])
    >>> f.low.round(4).tolist(), f.high.round(4).tolist()
    ([[0.7651], [0.6783]], [[0.9803], [0.9992]])
    """
    size = int64s(n, "n")
    if size.ndim != 1 or (size <= 0).any():
        raise StatisticsError("n must be a list of positive numbers")
    tails = np.array([(1.0 - confidence_level(level)) / 2.0 for level in levels])[:, None]
    if kind == "mean":
        if within is None or not 0.0 < within < math.inf or not math.isfinite(theta):
            raise StatisticsError("a funnel of means needs a variance within, and a finite theta")
        half = -special.ndtri(tails) * np.sqrt(within / size)
        return Funnel(tuple(levels), theta - half, theta + half)
    if within is not None or not 0.0 < theta < 1.0:
        raise StatisticsError("theta must lie in (0, 1), and shares have no variance within")
    low, high = _binomial_limit(tails, size, theta), _binomial_limit(1.0 - tails, size, theta)
    return Funnel(tuple(levels), low, high)


def _binomial_limit(p: FloatArray, n: IntArray, theta: float) -> FloatArray:
    """Return the interpolated quantile of the share, by bisection over all at once."""
    p, size = np.broadcast_arrays(p, n)
    low, high = np.full(p.shape, -1, dtype=np.int64), size.astype(np.int64).copy()
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = special.bdtr(middle.clip(0), size, theta) >= p
        reached &= middle >= 0
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle)
    upto = special.bdtr(high, size, theta)
    before = np.where(high > 0, special.bdtr((high - 1).clip(0), size, theta), 0.0)
    limit: FloatArray = (high - (upto - p) / (upto - before)) / size
    return limit.clip(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Overdispersion:
    """How much more people differ than chance has it.

    phi: mean of the squared, winsorised z; about 1 if there is chance alone
    tau2: the variance between people that explains it, >= 0, in units of the standard errors
    z: the scores with it, shape (P,)
    """

    phi: float
    tau2: float
    z: FloatArray


def overdispersion(
    z: npt.ArrayLike, standard_errors: npt.ArrayLike, *, share: float = 0.1
) -> Overdispersion:
    """Return by how much funnel limits are too narrow, and the scores put right.

    z: shape (P,), P >= 2, the distances from the centre in standard errors
    standard_errors: shape (P,), > 0
    share: which part of the scores at either end is drawn in, in [0, .5)
    returns: Overdispersion; z becomes z / sqrt(1 + tau2 / s^2)
    raises: StatisticsError if shapes differ or a number is out of range
    assumes: most people differ as the model of chance plus one variance has it
    source: Spiegelhalter 2005, doi:10.1002/sim.1970, appendix A.2 and A.3; NHS Digital SHMI,
        as in FunnelPlotR

    >>> z = [-0.7998, 3.0917, 1.1177, -1.675, 1.8232, 0.3333]
    >>> s = 1 / np.sqrt([108, 112, 165, 95, 100, 220])
    >>> found = overdispersion(z, s)
    >>> round(found.phi, 3), round(found.tau2, 5), found.z.round(2).tolist()
    (2.149, 0.01212, [-0.53, 2.01, 0.65, -1.14, 1.23, 0.17])
    """
    score, error = finite(z, "z"), finite(standard_errors, "standard_errors")
    shaped(error, score.shape, "standard_errors")
    if score.ndim != 1 or score.size < 2 or (error <= 0).any() or not 0.0 <= share < 0.5:
        raise StatisticsError("z must be a list of at least 2, and standard errors positive")
    low, high = np.quantile(score, [share, 1.0 - share])
    phi = float((score.clip(low, high) ** 2).mean())
    k, w = score.size, error**-2.0
    slope = float(w.sum() - (w * w).sum() / w.sum())
    tau2 = max(0.0, (k * phi - (k - 1)) / slope)
    return Overdispersion(phi, tau2, score / np.sqrt(1.0 + tau2 * w))


@dataclass(frozen=True)
class SharePrior:
    """What is known of a person's share before their own answers: as a of a + b."""

    a: float
    b: float


def share_prior(mean: float, sd: float) -> SharePrior:
    """Return the beta distribution that has the mean and spread of people's true shares.

    mean: in (0, 1); sd: between people, > 0, below sqrt(mean (1 - mean))
    returns: SharePrior with a + b = mean (1 - mean) / sd^2 - 1
    raises: StatisticsError if a number is out of range
    source: Gelman et al. 2013, Bayesian Data Analysis, 5.1

    >>> prior = share_prior(0.136, 0.103)
    >>> round(prior.a, 1), round(prior.b, 1)
    (1.4, 8.7)
    """
    if not 0.0 < mean < 1.0 or not 0.0 < sd < math.sqrt(mean * (1.0 - mean)):
        raise StatisticsError("mean must lie in (0, 1) and sd in (0, sqrt(mean (1 - mean)))")
    whole = mean * (1.0 - mean) / sd**2 - 1.0
    return SharePrior(mean * whole, (1.0 - mean) * whole)


def shrunk_share(successes: npt.ArrayLike, trials: npt.ArrayLike, prior: SharePrior) -> FloatArray:
    """Return each person's share as their own answers and the prior tell it together.

    successes, trials: shapes that broadcast, 0 <= successes <= trials
    returns: (x + a) / (n + a + b), in (0, 1)
    raises: StatisticsError if a count is out of range or the prior not positive
    source: as `share_prior`

    >>> shrunk_share([8, 30, 270], [10, 30, 300], SharePrior(45, 5)).round(4).tolist()
    [0.8833, 0.9375, 0.9]
    """
    x, n = np.broadcast_arrays(finite(successes, "successes"), finite(trials, "trials"))
    if ((x < 0) | (x > n)).any() or min(prior.a, prior.b) <= 0:
        raise StatisticsError("successes must lie in 0..trials, and the prior be positive")
    found: FloatArray = (x + prior.a) / (n + prior.a + prior.b)
    return found


def _people(
    means: npt.ArrayLike, variances: npt.ArrayLike, group: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, IntArray]:
    m, v, code = finite(means, "means"), finite(variances, "variances"), int64s(group, "group")
    if m.ndim != 1 or not m.size:
        raise StatisticsError("there must be a list of means")
    shaped(v, m.shape, "variances")
    shaped(code, m.shape, "group")
    if (v <= 0).any():
        raise StatisticsError("variances must be positive")
    return m, v, _dense(code)[0]


def _codes(values: npt.ArrayLike, count: int, length: int, name: str) -> IntArray:
    code = int64s(values, name)
    shaped(code, (length,), name)
    if count < 1 or ((code < 0) | (code >= count)).any():
        raise StatisticsError(f"{name} must lie in 0..{count - 1}")
    return code


def _dense(code: IntArray) -> tuple[IntArray, int]:
    """Return the codes without gaps, and how many there are."""
    if (code < 0).any():
        raise StatisticsError("codes must not be negative")
    known, dense = np.unique(code, return_inverse=True)
    return dense.astype(np.int64), len(known)


def _share(values: npt.ArrayLike, name: str) -> FloatArray:
    share = finite(values, name)
    if ((share < 0) | (share > 1)).any():
        raise StatisticsError(f"{name} must lie in [0, 1]")
    return share


def _margin(margin: float) -> float:
    if not 0.0 <= margin < math.inf:
        raise StatisticsError("margin must be finite and >= 0")
    return margin
