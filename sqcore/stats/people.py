"""Results of staff: how sure they are, what is fair to compare, and who is clearly below."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import (
    LARGEST,
    FloatArray,
    IntArray,
    codes_below,
    confidence_level,
    divisible,
    finite,
    squarable,
    together,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.variance_parts import means_in_groups

LEAST_SHARE = 0.8
"""An encounter counts as a person's if at least so much of it was theirs."""
NOTHING_BELOW = 1000.0
"""So many standard deviations below there is nothing in a float."""
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
    codes = codes_below(person, persons, len(w), "person")
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
    size, part = together("n and icc", finite(n, "n"), _share(icc, "icc"))
    if (size < 0).any():
        raise StatisticsError("n must not be negative")
    # 0 of 0 answers is 0, also where the icc is 1.
    below = np.where(size > 0, 1.0 + (size - 1.0) * part, 1.0)
    # Where a part of an answer is all there is, that sum has no digits left.
    told = (size > 0) & (below > 0)
    found = np.minimum(size * part / np.where(told, below, 1.0), 1.0)
    return np.where(told, found, np.where(size > 0, part, 0.0))


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
    below = (1.0 - reliability) * icc
    if below == 0.0:
        return math.inf if reliability else 0.0
    return reliability * (1.0 - icc) / below


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
    m, v, code = means_in_groups(means, variances, group)
    _tau2(tau2)
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
    size, spread = together(
        "n and centre_variance", finite(n, "n"), finite(centre_variance, "centre_variance")
    )
    if (squarable(spread, "centre_variance") < 0).any():
        raise StatisticsError("centre_variance must not be negative")
    divisible(size, "n")
    divisible(finite(within, "within"), "within")
    _tau2(tau2)
    _margin(margin)
    z = float(special.ndtri(confidence_level(level)))
    v = within / size
    weight = tau2 / (tau2 + v)
    sd = np.sqrt(weight * v + weight**2 * spread)
    # The estimated difference and what remains uncertain make up tau2 together.
    of_estimate = np.sqrt(np.maximum(tau2 - sd * sd, 0.0))
    told = (of_estimate > 0) & (sd > 0)
    cut = np.where(told, (-margin - z * sd) / np.where(told, of_estimate, 1.0), -np.inf)[told]
    if not cut.size:
        return ExpectedFlags(0.0, 0.0)
    # The tail below the cut; beyond 9 more there is nothing left of it.
    x = np.maximum(cut, -NOTHING_BELOW)[:, None] - 4.5 * (NODES + 1.0)
    density = np.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
    distance = margin + of_estimate[told][:, None] * x
    mistaken = special.ndtr(distance / np.maximum(sd[told], 1e-300)[:, None])
    wrong = 4.5 * (NODE_WEIGHTS * density * mistaken).sum()
    return ExpectedFlags(float(wrong), float(special.ndtr(cut).sum()))


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
    divisible(finite(sd, "sd"), "sd")
    whole = mean * (1.0 - mean) / sd**2 - 1.0
    if whole <= 0.0:
        raise StatisticsError("sd must lie clearly below sqrt(mean (1 - mean))")
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
    x, n = together(
        "successes and trials", finite(successes, "successes"), finite(trials, "trials")
    )
    if ((x < 0) | (x > squarable(n, "trials"))).any():
        raise StatisticsError("successes must lie in 0..trials")
    divisible(finite([prior.a, prior.b], "prior"), "prior")
    found: FloatArray = (x + prior.a) / (n + prior.a + prior.b)
    return found


def _share(values: npt.ArrayLike, name: str) -> FloatArray:
    share = finite(values, name)
    if ((share < 0) | (share > 1)).any():
        raise StatisticsError(f"{name} must lie in [0, 1]")
    return share


def _tau2(tau2: float) -> float:
    if not 0.0 <= tau2 <= LARGEST:
        raise StatisticsError(f"tau2 must lie in 0..{LARGEST:g}")
    return tau2


def _margin(margin: float) -> float:
    if not 0.0 <= margin <= LARGEST:
        raise StatisticsError(f"margin must lie in 0..{LARGEST:g}")
    return margin
