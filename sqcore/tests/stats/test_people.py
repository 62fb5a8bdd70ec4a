"""Results of staff against published cases, hand-worked numbers, scipy and simulation."""

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from sqcore.stats.arrays import FloatArray, IntArray
from sqcore.stats.case_mix import CaseMix, adjusted, case_mix
from sqcore.stats.errors import StatisticsError
from sqcore.stats.funnels import funnel_limits, overdispersion
from sqcore.stats.people import (
    SharePrior,
    Shrunk,
    answers_needed,
    expected_flags,
    information,
    probability_above,
    probability_below,
    reliability,
    share_prior,
    shrink,
    shrunk_share,
    truly_lowest,
)
from sqcore.stats.proportions import wilson
from sqcore.stats.variance_parts import between_variance, variance_parts, variance_parts_of_sums

# R package multilevel, bh1996 (Bliese): HRS by GRP. Its ICC1 takes the mean group size.
BH_N = [
    74, 63, 96, 42, 102, 28, 29, 34, 39, 65, 39, 36, 88, 94, 81, 46, 95, 81, 42, 64, 92, 44, 80, 96,
    32, 57, 102, 34, 58, 35, 42, 48, 31, 99, 92, 85, 49, 56, 43, 96, 62, 43, 100, 53, 75, 101, 42,
    63, 78, 29, 36, 37, 33, 63, 55, 76, 98, 64, 86, 94, 52, 101, 50, 52, 74, 62, 94, 44, 33, 100,
    81, 15, 41, 70, 59, 86, 48, 67, 57, 50, 191, 57, 226, 161, 160, 220, 172, 81, 106, 223, 93,
    114, 176, 110, 104, 44, 68, 16, 27,
]  # fmt: skip
BH_SUM = [
    812, 767, 1002, 510, 1044, 302, 332, 354, 385, 810, 425, 420, 996, 1151, 1047, 463, 1063, 940,
    490, 768, 1117, 507, 952, 1074, 333, 703, 1022, 394, 668, 457, 491, 551, 334, 1155, 1212, 1032,
    607, 599, 535, 1183, 723, 465, 1302, 672, 867, 1050, 473, 769, 879, 312, 425, 402, 418, 716,
    689, 818, 1332, 693, 922, 1174, 612, 1316, 574, 625, 806, 647, 1079, 424, 307, 1129, 972, 177,
    425, 713, 658, 914, 523, 747, 603, 568, 1925, 604, 2340, 1706, 1824, 2265, 1814, 881, 1225,
    2537, 1006, 1346, 1906, 1208, 1208, 456, 731, 192, 306,
]  # fmt: skip
BH_SQUARES = [
    9118, 9565, 10936, 6330, 11014, 3298, 3866, 3972, 3923, 10420, 4761, 5190, 11874, 14375, 13965,
    4803, 12159, 11100, 5766, 9344, 14387, 5951, 11814, 12384, 3633, 8819, 10572, 4764, 7870, 6285,
    5947, 6451, 3626, 13727, 16676, 12884, 7751, 6469, 7105, 15395, 8727, 5163, 17564, 8794, 10613,
    11218, 5409, 9681, 10217, 3416, 5155, 4546, 5414, 8334, 9141, 9450, 18746, 7769, 10044, 14916,
    7580, 18014, 6726, 7735, 9168, 6927, 12903, 4218, 2933, 13117, 11920, 2139, 4543, 7445, 7720,
    9904, 5829, 8659, 6581, 6660, 20007, 6628, 24986, 18648, 21416, 24635, 19928, 10017, 14729,
    29895, 11490, 16422, 21272, 13732, 14370, 4910, 8245, 2340, 3514,
]  # fmt: skip

# Five people by hand, with a variance of 1 within people.
N_OF_FIVE = [8, 20, 45, 120, 300]
MEANS_OF_FIVE = [4.90, 4.20, 3.80, 4.35, 4.10]
VARIANCES_OF_FIVE = [1 / n for n in N_OF_FIVE]
ONE_GROUP = [0] * 5

# Efron and Morris 1975, 1977: 45 at bats of 18 players, and their averages in the rest of 1970.
HITS = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]
SEASON = [
    0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269, 0.230, 0.264, 0.256, 0.303,
    0.264, 0.226, 0.285, 0.316, 0.200,
]  # fmt: skip

Means = st.lists(st.floats(1, 7), min_size=4, max_size=30)


def staff(
    seed: int, *, groups: int, peers: int, tau: float = 0.3, n: int = 50
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray, FloatArray]:
    """Draw true results, means, their variances, groups and the true centres."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), peers)
    centre = rng.normal(5.3, 0.15, groups)[group]
    theta = centre + rng.normal(0, tau, group.size)
    answers = np.maximum(rng.gamma(1 / 0.35**2, n * 0.35**2, group.size).round(), 5)
    variance = 1.21 / answers
    return theta, theta + rng.normal(0, np.sqrt(variance)), variance, group, centre


@pytest.mark.parametrize(
    ("icc", "n", "found"),
    [(0.05, 45, 0.7031), (0.05, 30, 0.6122), (0.05, 10, 0.3448), (0.05, 0, 0.0), (1.0, 0, 0.0)],
)
def test_reliability_of_so_many_answers(icc: float, n: int, found: float) -> None:
    assert round(float(reliability(n, icc)), 4) == found


@pytest.mark.parametrize(
    ("icc", "at_coaching", "at_pay"),
    [(0.02, 114.3, 196.0), (0.05, 44.3, 76.0), (0.10, 21.0, 36.0)],
)
def test_answers_that_coaching_and_pay_need(icc: float, at_coaching: float, at_pay: float) -> None:
    assert round(answers_needed(0.7, icc), 1) == at_coaching
    assert round(answers_needed(0.8, icc), 1) == at_pay


@given(st.floats(0.001, 0.99), st.floats(0, 0.99))
def test_answers_needed_give_the_reliability(icc: float, wanted: float) -> None:
    assert float(reliability(answers_needed(wanted, icc), icc)) == pytest.approx(wanted)


def test_without_differences_between_people_no_number_of_answers_is_enough() -> None:
    assert answers_needed(0.7, 0.0) == math.inf
    assert answers_needed(0.0, 0.0) == 0.0
    assert reliability(1_000, 0.0) == 0.0


@pytest.mark.parametrize(
    ("known", "right"), [(0.3, 0.508), (0.5, 0.607), (0.7, 0.708), (0.8, 0.766), (0.9, 0.837)]
)
def test_how_many_of_the_lowest_quarter_truly_are(known: float, right: float) -> None:
    assert round(truly_lowest(known), 3) == right


@given(st.floats(0.01, 0.99), st.floats(0.02, 0.98))
def test_the_lowest_agree_with_the_bivariate_normal_distribution(known: float, part: float) -> None:
    cut, rho = stats.norm.ppf(part), math.sqrt(known)
    both = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([cut, cut])

    assert truly_lowest(known, part) == pytest.approx(both / part, abs=1e-5)


def test_the_lowest_of_pure_chance_and_of_perfect_means() -> None:
    assert truly_lowest(0.0) == pytest.approx(0.25)
    assert truly_lowest(1.0) == 1.0


def test_shared_encounters_are_worth_the_squares_of_their_shares() -> None:
    shares, person = [1.0] * 10 + [0.5] * 20 + [0.9], [0] * 30 + [2]

    assert information(shares, person, 3, least_share=0).tolist() == [15.0, 0.0, 0.81]
    assert information(shares, person, 3).tolist() == [10.0, 0.0, 0.81]


def test_matches_bliese_bh1996() -> None:
    parts = variance_parts_of_sums(BH_N, BH_SUM, BH_SQUARES, [0] * len(BH_N))

    assert parts.between_square == pytest.approx(55.811485647276, abs=1e-9)
    assert parts.within_square == pytest.approx(4.483158303192, abs=1e-9)
    spread = parts.between_square - parts.within_square
    mean_n = np.mean(BH_N)
    icc1 = spread / (parts.between_square + (mean_n - 1) * parts.within_square)
    assert icc1 == pytest.approx(0.1331066790865, abs=1e-9)
    assert spread / parts.between_square == pytest.approx(0.9196731953791, abs=1e-9)
    assert parts.icc == pytest.approx(0.131, abs=0.01)
    assert (parts.persons, parts.groups, parts.n) == (99, 1, 7382)


def test_variance_parts_by_hand() -> None:
    # Means 5, 7 and 7.5 of two answers each; squares within 2 + 8 + .5, between 2 x 3.5.
    parts = variance_parts([4, 6, 5, 9, 7, 8], [0, 0, 1, 1, 2, 2], [3, 3, 3])

    assert parts.within == pytest.approx(3.5)
    assert parts.between_square == pytest.approx(3.5)
    assert (parts.between, parts.icc) == (0.0, 0.0)


def test_balanced_parts_are_those_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(40), 12)
    values = rng.normal(0, 0.5, 40)[person] + rng.normal(0, 1, 480)

    parts = variance_parts(values, person, [0] * 40)

    f = stats.f_oneway(*values.reshape(40, 12)).statistic
    assert parts.between_square / parts.within_square == pytest.approx(f)
    assert parts.between == pytest.approx((parts.between_square - parts.within_square) / 12)


def test_differences_of_branches_are_not_personal() -> None:
    rng = np.random.default_rng(6)
    group, person = np.repeat(np.arange(20), 12), np.repeat(np.arange(240), 50)
    values = rng.normal(0, 1.0, 20)[group][person] + rng.normal(0, 1.1, person.size)

    inside = variance_parts(values, person, group)
    raw = variance_parts(values, person, [0] * 240)

    assert inside.icc < 0.01
    assert raw.icc > 0.3


def test_the_icc_and_its_standard_error_are_right_on_average() -> None:
    """240 people, 50 answers each: the reference's tau .30 and 1.10 within, icc .069."""
    rng = np.random.default_rng(12)
    found = []
    for _ in range(400):
        n = np.maximum(rng.gamma(1 / 0.35**2, 50 * 0.35**2, 240).round(), 5)
        means = rng.normal(0, 0.3, 240) + rng.normal(0, 1.1 / np.sqrt(n))
        squares = n * means**2 + 1.21 * rng.chisquare(n - 1)
        group = np.repeat(np.arange(20), 12)
        parts = variance_parts_of_sums(n, n * means, squares, group)
        found.append((parts.icc, parts.icc_se))

    icc, error = np.array(found).T
    assert icc.mean() == pytest.approx(0.09 / 1.30, abs=0.001)
    assert error.mean() == pytest.approx(icc.std(), rel=0.08)


def test_people_without_answers_do_not_count() -> None:
    some = variance_parts([4, 6, 5, 9], [0, 0, 2, 2], [0, 0, 0, 9])

    assert (some.persons, some.groups, some.n) == (2, 1, 4)


@given(Means, st.floats(-100, 100), st.floats(0.1, 10))
def test_variance_parts_move_and_scale_with_the_unit(
    values: list[float], shift: float, unit: float
) -> None:
    assume(np.ptp(values) > 0.1)
    answers = np.repeat(values, 3) + np.tile([0.0, 0.5, 1.0], len(values))
    person, group = np.repeat(np.arange(len(values)), 3), [0] * len(values)
    plain = variance_parts(answers, person, group)

    other = variance_parts(unit * answers + shift, person, group)

    assert other.within == pytest.approx(unit**2 * plain.within, rel=1e-6)
    assert other.between == pytest.approx(unit**2 * plain.between, rel=1e-5, abs=1e-8)
    assert 0 <= other.icc <= 1


def test_between_people_by_moments_as_worked_by_hand() -> None:
    found = between_variance(MEANS_OF_FIVE, VARIANCES_OF_FIVE, ONE_GROUP, method="moments")

    assert found == pytest.approx(0.042045, abs=5e-7)


def test_paule_and_mandel_solve_their_equation() -> None:
    tau2 = between_variance(MEANS_OF_FIVE, VARIANCES_OF_FIVE, ONE_GROUP)

    w = 1 / (np.array(VARIANCES_OF_FIVE) + tau2)
    centre = np.average(MEANS_OF_FIVE, weights=w)
    assert (w * (np.array(MEANS_OF_FIVE) - centre) ** 2).sum() == pytest.approx(4.0)


def test_paule_and_mandel_reach_a_variance_far_beyond_those_of_the_means() -> None:
    found = between_variance([0.0, 1e20], [1e-60, 1e-60], [0, 0])

    assert found == pytest.approx(5e39, rel=1e-9)


def test_a_part_of_an_answer_is_no_more_reliable_than_all() -> None:
    assert reliability([1e-300, 2.0, 0.0], 1.0).tolist() == [1.0, 1.0, 0.0]


def test_a_funnel_of_two_billion_answers_is_the_normal_one() -> None:
    found = funnel_limits(0.5, [2**31 - 1], levels=[0.95])

    half = stats.norm.ppf(0.975) / 2 / math.sqrt(2**31 - 1)
    assert (found.high - found.low).item() / 2 == pytest.approx(half, rel=1e-3)


def test_two_groups_are_pooled_about_their_own_means() -> None:
    once = between_variance(MEANS_OF_FIVE, VARIANCES_OF_FIVE, ONE_GROUP)
    moved = [mean + 2 for mean in MEANS_OF_FIVE]

    twice = between_variance(MEANS_OF_FIVE + moved, VARIANCES_OF_FIVE * 2, ONE_GROUP + [7] * 5)

    assert twice == pytest.approx(once)
    assert between_variance(MEANS_OF_FIVE + moved, VARIANCES_OF_FIVE * 2, [0] * 10) > 1


def test_people_who_differ_less_than_chance_have_no_variance_between_them() -> None:
    assert between_variance([5.0, 5.01, 4.99], [0.1] * 3, [0] * 3) == 0.0


def test_matches_the_worked_example_of_five_people() -> None:
    s = shrink(MEANS_OF_FIVE, VARIANCES_OF_FIVE, ONE_GROUP, 0.042045)

    assert s.centre.round(6).tolist() == [4.183045] * 5
    assert s.weight.round(4).tolist() == [0.2517, 0.4568, 0.6542, 0.8346, 0.9265]
    assert s.estimate.round(4).tolist() == [4.3635, 4.1908, 3.9324, 4.3224, 4.1061]
    own = np.sqrt(s.weight * VARIANCES_OF_FIVE)
    assert own.round(4).tolist() == [0.1774, 0.1511, 0.1206, 0.0834, 0.0556]
    assert s.sd.tolist() == pytest.approx(
        np.sqrt(own**2 + (1 - s.weight) ** 2 * s.centre_variance).tolist()
    )
    assert s.peers.tolist() == [4] * 5


def test_without_variance_between_people_all_have_the_mean_and_there_is_no_ranking() -> None:
    s = shrink(MEANS_OF_FIVE, VARIANCES_OF_FIVE, ONE_GROUP, 0.0)

    assert s.estimate.round(6).tolist() == [4.150507] * 5
    q = ((np.array(MEANS_OF_FIVE) - s.centre) ** 2 * N_OF_FIVE).sum()
    assert q == pytest.approx(15.612373, abs=1e-6)
    assert probability_below(s, 0.3).tolist() == [0.0] * 5
    assert probability_above(s, 0.0).tolist() == [0.0] * 5
    assert s.sd.tolist() == pytest.approx([math.sqrt(1 / sum(N_OF_FIVE))] * 5)


def test_matches_efron_and_morris_1977() -> None:
    y = np.array(HITS) / 45
    variance = y.mean() * (1 - y.mean()) / 45
    group = [0] * 18
    s = shrink(y, [variance] * 18, group, between_variance(y, [variance] * 18, group))

    # With equal variances 1 - B = (k - 1) v / S; James and Stein take k - 3.
    c = 1 - (1 - s.weight[0]) * 15 / 17
    drawn = y.mean() + c * (y - y.mean())

    assert (round(y.mean(), 6), round(variance, 7)) == (0.265432, 0.0043328)
    assert c == pytest.approx(0.21165, abs=5e-6)
    assert c == pytest.approx(0.212, abs=0.0005)
    assert (round(drawn[0], 3), round(drawn[-1], 3)) == (0.294, 0.242)
    raw_error, drawn_error = ((y - SEASON) ** 2).sum(), ((drawn - SEASON) ** 2).sum()
    assert (round(raw_error, 4), round(drawn_error, 4)) == (0.0753, 0.0213)


def test_matches_efron_and_morris_1975_on_the_arcsine_scale() -> None:
    x, truth = (
        math.sqrt(45) * np.arcsin(2 * np.array(share) - 1)
        for share in (np.array(HITS) / 45, SEASON)
    )
    group = [0] * 18
    s = shrink(x, [1.0] * 18, group, between_variance(x, [1.0] * 18, group))

    c = 1 - (1 - s.weight[0]) * 15 / 17
    drawn = x.mean() + c * (x - x.mean())

    assert round(x.mean(), 4) == -3.3166
    assert c == pytest.approx(0.20897, abs=5e-6)
    raw_error, drawn_error = ((x - truth) ** 2).sum(), ((drawn - truth) ** 2).sum()
    assert (round(raw_error, 2), round(drawn_error, 2)) == (17.57, 5.0)
    assert raw_error / drawn_error == pytest.approx(3.51, abs=0.01)


@given(Means, st.floats(0, 4))
def test_shrinking_stays_between_the_mean_and_the_group(means: list[float], tau2: float) -> None:
    variances = np.linspace(0.01, 1.0, len(means))
    group = np.arange(len(means)) % 2

    s = shrink(means, variances, group, tau2)

    low, high = np.minimum(means, s.centre), np.maximum(means, s.centre)
    assert ((s.estimate >= low - 1e-9) & (s.estimate <= high + 1e-9)).all()
    assert (s.low <= s.estimate).all()
    assert ((s.weight >= 0) & (s.weight < 1)).all()
    below, above = probability_below(s, 0.3), probability_above(s, 0.3)
    assert ((below >= 0) & (below + above <= 1 + 1e-9)).all()


@given(Means)
def test_turned_round_the_low_are_the_high(means: list[float]) -> None:
    variances, group = [0.02] * len(means), [0] * len(means)
    there = shrink(means, variances, group, 0.09)
    back = shrink([-mean for mean in means], variances, group, 0.09)

    assert probability_below(there, 0.3) == pytest.approx(probability_above(back, 0.3))


def drawn(groups: int, peers: int) -> tuple[Shrunk, FloatArray, FloatArray]:
    found = [staff(seed, groups=groups, peers=peers) for seed in range(60)]
    theta, means, variances, group, centre = (
        np.concatenate([draw[at] for draw in found]) for at in range(5)
    )
    group = group.astype(np.int64) + np.repeat(np.arange(60) * groups, groups * peers)
    return shrink(means, variances, group, 0.09), theta, centre


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    s, theta, _ = drawn(27, 9)

    assert ((s.low <= theta) & (theta <= s.high)).mean() == pytest.approx(0.95, abs=0.005)


def test_probabilities_come_true_also_in_small_groups() -> None:
    """With the spread of theta alone instead of that of the difference they would not."""
    s, theta, centre = drawn(27, 9)
    below = probability_below(s, 0.0)

    likely = below > 0.8
    assert below[likely].mean() == pytest.approx((theta < centre)[likely].mean(), abs=0.007)
    alone = stats.norm.cdf(-s.difference / s.sd)
    assert alone[likely].mean() > (theta < centre)[likely].mean() + 0.015


def test_expected_flags_are_those_of_the_simulation() -> None:
    s, theta, centre = drawn(8, 30)
    said = probability_below(s, 0.3) >= 0.975
    wrong = said & (theta >= centre - 0.3)
    # B = tau2 / (tau2 + within / n), solved for n.
    n = 1.21 * s.weight / (0.09 * (1 - s.weight))

    expected = expected_flags(n, 1.21, 0.09, 0.3, centre_variance=s.centre_variance)

    assert said.sum() == pytest.approx(expected.all, abs=3 * math.sqrt(expected.all))
    assert wrong.sum() == pytest.approx(expected.wrong, abs=3 * math.sqrt(expected.wrong) + 1)


@given(st.integers(5, 500), st.floats(0.01, 1), st.floats(0, 0.5))
def test_expected_flags_agree_with_the_bivariate_normal_distribution(
    n: int, tau2: float, margin: float
) -> None:
    weight = tau2 / (tau2 + 1.21 / n)
    cut = -margin - stats.norm.ppf(0.975) * math.sqrt(weight * 1.21 / n)
    shared = [[tau2, weight * tau2], [weight * tau2, weight * tau2]]
    right = stats.multivariate_normal([0, 0], shared).cdf([-margin, cut])

    found = expected_flags([n], 1.21, tau2, margin)

    low = stats.norm.cdf(cut / math.sqrt(weight * tau2))
    assert found.all == pytest.approx(low, abs=1e-9)
    assert found.wrong == pytest.approx(low - right, abs=1e-5)


def test_nobody_is_flagged_if_people_do_not_differ() -> None:
    assert expected_flags([50] * 9, 1.21, 0.0, 0.0).all == 0.0


def test_the_truly_weak_teller_is_seen() -> None:
    """Of 120 answers, 1.2 below; the reference says with .999."""
    rng = np.random.default_rng(240)
    said = 0
    for seed in range(300):
        _, means, variances, group, centre = staff(seed, groups=8, peers=30)
        variances[0] = 1.21 / 120
        means[0] = centre[0] - 1.2 + rng.normal(0, math.sqrt(variances[0]))
        said += probability_below(shrink(means, variances, group, 0.09), 0.3)[0] >= 0.975

    assert said >= 299


def test_case_mix_by_hand() -> None:
    # Within each person a complaint costs .6; the second person is lower and has more of them.
    values = [5.0, 5.0, 5.0, 4.4, 4.0, 3.4, 3.4, 3.4]
    complaint = np.array([[0], [0], [0], [1], [0], [1], [1], [1]], dtype=float)

    mix = case_mix(values, [5, 5, 5, 5, 9, 9, 9, 9], complaint, names=["complaint"])

    assert mix.coefficients == pytest.approx([-0.6])
    assert mix.standard_errors == pytest.approx([0.0], abs=1e-9)
    assert (mix.n, mix.persons, mix.factors) == (8, 2, ["complaint"])
    raw_difference = np.polyfit(complaint[:, 0], values, 1)[0]
    assert raw_difference == pytest.approx(-1.1)


def test_a_result_is_put_right_by_its_mix() -> None:
    mix = CaseMix(["complaint"], np.array([-0.6]), np.array([0.1]), np.array([True]), 900, 30)

    assert adjusted([4.10], [[0.35]], mix, [0.20]) == pytest.approx([4.19])


def test_factors_that_do_not_vary_within_people_are_not_identified() -> None:
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(30), 20)
    hour, branch = rng.random(600), (person < 15).astype(float)
    values = 5 - 0.5 * hour + branch + rng.normal(0, 0.1, 600)
    table = np.stack([branch, hour, 1 - hour, np.ones(600)], axis=1)

    mix = case_mix(values, person, table)

    assert mix.identified.tolist() == [False, True, False, False]
    assert mix.coefficients[[0, 2, 3]].tolist() == [0, 0, 0]
    assert mix.coefficients[1] == pytest.approx(-0.5, abs=0.05)


def test_case_mix_and_its_standard_errors_are_right_on_average() -> None:
    rng = np.random.default_rng(9)
    person = np.repeat(np.arange(60), 20)
    found = []
    for _ in range(200):
        hard = (rng.random(1200) < rng.random(60)[person]).astype(float)
        values = rng.normal(0, 0.3, 60)[person] - 0.6 * hard + rng.normal(0, 1.1, 1200)
        mix = case_mix(values, person, hard[:, None])
        found.append((mix.coefficients[0], mix.standard_errors[0]))

    beta, error = np.array(found).T
    assert beta.mean() == pytest.approx(-0.6, abs=0.02)
    assert error.mean() == pytest.approx(beta.std(), rel=0.15)


def test_no_factors_leave_the_values_as_they_are() -> None:
    mix = case_mix([1, 2, 3], [0, 0, 1], np.zeros((3, 0)))

    assert adjusted([1, 2, 3], np.zeros((3, 0)), mix, []).tolist() == [1, 2, 3]


@given(st.lists(st.floats(1, 7), min_size=8, max_size=8), st.floats(-2, 2))
def test_the_same_mix_changes_nothing(values: list[float], share: float) -> None:
    mix = CaseMix(["hour"], np.array([-0.7]), np.array([0.1]), np.array([True]), 8, 2)

    same = adjusted(values, [[share]] * 8, mix, [share])

    assert same == pytest.approx(values)


@pytest.mark.parametrize(
    ("n", "limits"),
    [
        (10, (0.4573, 0.6213, 0.9928, 0.9997)),
        (30, (0.6783, 0.7651, 0.9803, 0.9992)),
        (100, (0.7916, 0.8323, 0.9496, 0.9758)),
        (400, (0.8497, 0.8684, 0.9272, 0.9421)),
    ],
)
def test_exact_funnel_of_shares(n: int, limits: tuple[float, ...]) -> None:
    funnel = funnel_limits(0.90, [n])

    found = (funnel.low[1, 0], funnel.low[0, 0], funnel.high[0, 0], funnel.high[1, 0])
    assert tuple(round(float(limit), 4) for limit in found) == limits


def test_matches_spiegelhalter_appendix_a1() -> None:
    """Limits at .001, .025, .975, .999 around .85, computed in R."""
    rows = {
        10: (0.3693081650513, 0.5377245091836, 0.9873015488815, 0.9994920619553),
        25: (0.5722752409763, 0.6789307929335, 0.9558866938321, 0.997674122441),
        50: (0.665257569107, 0.7340092451903, 0.9332127175218, 0.9746029159055),
        100: (0.7250472209393, 0.77166779713, 0.9116169893148, 0.9449031440654),
        200: (0.7649447034985, 0.7962993627446, 0.8952234611171, 0.9199625698183),
    }

    funnel = funnel_limits(0.85, list(rows))

    found = np.stack([funnel.low[1], funnel.low[0], funnel.high[0], funnel.high[1]], axis=1)
    assert found == pytest.approx(np.array(list(rows.values())), abs=1e-8)


@given(st.floats(0.01, 0.99), st.lists(st.integers(1, 3_000), min_size=1, max_size=5))
def test_a_funnel_holds_its_centre_and_narrows(theta: float, n: list[int]) -> None:
    funnel = funnel_limits(theta, n)

    assert (funnel.low >= 0).all()
    assert (funnel.high <= 1).all()
    assert (funnel.low[1] <= funnel.low[0] + 1e-12).all()
    assert (funnel.high[1] >= funnel.high[0] - 1e-12).all()
    assert (funnel.low <= funnel.high).all()


def test_a_funnel_of_means_is_normal() -> None:
    funnel = funnel_limits(5.3, [25, 100], kind="mean", within=1.21, levels=[0.95])

    assert funnel.low.round(4).tolist() == [[4.8688, 5.0844]]
    assert funnel.high.round(4).tolist() == [[5.7312, 5.5156]]


@pytest.mark.parametrize(
    ("n", "low", "lowest"), [(30, 0.7926, 0.7307), (100, 0.8412, 0.8073), (400, 0.8706, 0.8536)]
)
def test_the_normal_funnel_of_the_reference(n: int, low: float, lowest: float) -> None:
    funnel = funnel_limits(0.9, [n], kind="mean", within=0.09)

    assert funnel.low.round(4)[:, 0].tolist() == [low, lowest]


def test_matches_the_overdispersion_of_funnelplotr() -> None:
    num = np.array([100, 150, 180, 80, 120, 225])
    den = np.array([108, 112, 165, 95, 100, 220])
    z = np.log(num / den) * np.sqrt(den)

    found = overdispersion(z, 1 / np.sqrt(den))

    assert z.round(4).tolist() == [-0.7998, 3.0917, 1.1177, -1.675, 1.8232, 0.3333]
    assert found.phi == pytest.approx(2.1491, abs=5e-5)
    assert found.tau2 == pytest.approx(0.012118, abs=5e-7)
    assert found.z.round(4).tolist() == [-0.5264, 2.0137, 0.6453, -1.142, 1.2259, 0.1741]


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40))
def test_overdispersion_never_makes_a_score_larger(z: list[float]) -> None:
    found = overdispersion(z, np.linspace(0.1, 1.0, len(z)))

    assert found.tau2 >= 0
    assert (np.abs(found.z) <= np.abs(z)).all()


def test_matches_gelman_rat_tumours() -> None:
    prior = share_prior(0.136, 0.103)

    assert (prior.a, prior.b) == pytest.approx((1.4, 8.6), abs=0.15)
    assert shrunk_share(4, 14, prior) == pytest.approx(0.223, abs=0.003)
    assert shrunk_share(4, 14, SharePrior(1.4, 8.6)) == pytest.approx(0.225)


def test_shares_are_drawn_towards_the_prior() -> None:
    found = shrunk_share([8, 30, 270], [10, 30, 300], SharePrior(45, 5))

    assert found.round(4).tolist() == [0.8833, 0.9375, 0.9000]


def test_intervals_of_the_shares_of_people() -> None:
    """Newcombe 1998, table I, method 3, and the reference's three."""
    found = wilson([8, 30, 270, 81, 15, 0, 1], [10, 30, 300, 263, 148, 20, 29])

    assert np.stack([found.low, found.high], axis=1) == pytest.approx(
        np.array([
            [0.4902, 0.9433], [0.8865, 1.0], [0.8608, 0.9291], [0.2553, 0.3662], [0.0624, 0.1605],
            [0.0, 0.1611], [0.0061, 0.1718],
        ]),
        abs=6e-5,
    )  # fmt: skip


def test_five_thousand_people_take_less_than_a_second() -> None:
    rng = np.random.default_rng(5)
    person = rng.integers(0, 5_000, 250_000)
    group = np.arange(5_000) % 400
    factors = rng.random((250_000, 6))
    values = rng.integers(1, 8, 250_000).astype(float)

    started = time.process_time()
    mix = case_mix(values, person, factors)
    moved = adjusted(values, factors, mix, factors.mean(axis=0))
    parts = variance_parts(moved, person, group)
    n = np.bincount(person, minlength=5_000)
    means = np.bincount(person, moved, minlength=5_000) / n
    found = shrink(means, parts.within / n, group, max(parts.between, 0.01))
    probability_below(found, 0.3)
    expected_flags(n, parts.within, 0.05, 0.3, centre_variance=found.centre_variance)
    funnel_limits(0.8, n)
    took = time.process_time() - started

    assert took < 1.0


MIX = CaseMix(["hour"], np.array([-0.7]), np.array([0.1]), np.array([True]), 8, 2)
FIVE = shrink(MEANS_OF_FIVE, VARIANCES_OF_FIVE, ONE_GROUP, 0.04)
REFUSED: dict[str, Callable[[], object]] = {
    "a share of 0": lambda: information([0.0], [0], 1),
    "a share above 1": lambda: information([1.5], [0], 1),
    "a person beyond the last": lambda: information([1.0], [1], 1),
    "a person without a share": lambda: information([1.0], [0, 0], 1),
    "nobody": lambda: information([1.0], [0], 0),
    "fewer than no answers": lambda: reliability(-1, 0.1),
    "an icc above 1": lambda: reliability(1, 1.1),
    "a reliability of 1": lambda: answers_needed(1.0, 0.1),
    "a negative icc": lambda: answers_needed(0.7, -0.1),
    "a lowest part of all": lambda: truly_lowest(0.7, 1.0),
    "a reliability above 1": lambda: truly_lowest(1.2),
    "one answer each": lambda: variance_parts([1, 2], [0, 1], [0, 0]),
    "no answers": lambda: variance_parts([], [], [0]),
    "equal answers": lambda: variance_parts([1, 1, 2, 2], [0, 0, 1, 1], [0, 0]),
    "a person in no group": lambda: variance_parts([1, 2, 3], [0, 0, 1], [0]),
    "one person a group": lambda: variance_parts([1, 2, 3, 5], [0, 0, 1, 1], [0, 1]),
    "a text": lambda: variance_parts(["a"], [0], [0]),
    "a table of values": lambda: variance_parts([[1.0]], [0], [0]),
    "sums of other shapes": lambda: variance_parts_of_sums([2, 2], [1], [1, 1], [0, 0]),
    "a group of one": lambda: between_variance([1.0, 2.0], [1.0, 1.0], [0, 1]),
    "a variance of 0": lambda: between_variance([1.0, 2.0], [0.0, 1.0], [0, 0]),
    "means without variances": lambda: shrink([1.0, 2.0], [1.0], [0, 0], 0.1),
    "no means": lambda: shrink([], [], [], 0.1),
    "an unknown mean": lambda: shrink([math.nan], [1.0], [0], 0.1),
    "a group below 0": lambda: shrink([1.0], [1.0], [-1], 0.1),
    "a negative tau2": lambda: shrink([1.0], [1.0], [0], -0.1),
    "a level of 95": lambda: shrink([1.0], [1.0], [0], 0.1, level=95),
    "a negative margin": lambda: probability_below(FIVE, -0.1),
    "an infinite margin": lambda: probability_above(FIVE, math.inf),
    "flags without answers": lambda: expected_flags([0], 1.0, 0.1, 0.3),
    "flags without variance": lambda: expected_flags([9], 0.0, 0.1, 0.3),
    "flags of a negative centre variance": lambda: expected_flags(
        [9], 1.0, 0.1, 0.3, centre_variance=-1.0
    ),
    "factors of another length": lambda: case_mix([1, 2], [0, 0], [[1.0]]),
    "a list of factors": lambda: case_mix([1, 2], [0, 0], [1.0, 2.0]),
    "names of other factors": lambda: case_mix([1, 2], [0, 0], [[1.0], [2.0]], names=["a", "b"]),
    "a mix of other factors": lambda: adjusted([1.0], [[1.0, 2.0]], MIX, [0.2]),
    "a reference of other factors": lambda: adjusted([1.0], [[1.0]], MIX, [0.2, 0.3]),
    "a funnel of no answers": lambda: funnel_limits(0.9, [0]),
    "a funnel around 1": lambda: funnel_limits(1.0, [9]),
    "a funnel of means without a variance": lambda: funnel_limits(5.0, [9], kind="mean"),
    "a funnel of shares with a variance": lambda: funnel_limits(0.9, [9], within=1.0),
    "a funnel at 95": lambda: funnel_limits(0.9, [9], levels=[95]),
    "one score": lambda: overdispersion([1.0], [1.0]),
    "a standard error of 0": lambda: overdispersion([1.0, 2.0], [0.0, 1.0]),
    "half of the scores drawn in": lambda: overdispersion([1.0, 2.0], [1.0, 1.0], share=0.5),
    "a prior around 0": lambda: share_prior(0.0, 0.1),
    "a prior too wide": lambda: share_prior(0.5, 0.5),
    "answers and parts of other shapes": lambda: reliability([1, 2], [0.1, 0.1, 0.1]),
    "flags of other shapes": lambda: expected_flags(
        [9, 9], 1.0, 0.1, 0.3, centre_variance=[0.1, 0.1, 0.1]
    ),
    "shares of other shapes": lambda: shrunk_share([1, 2], [3, 3, 3], SharePrior(1, 1)),
    "a funnel of more than can be counted": lambda: funnel_limits(0.9, [2**31]),
    "huge values": lambda: variance_parts([1e300, 2e300, 3e300, 5e300], [0, 0, 1, 1], [0, 0]),
    "a tiny variance": lambda: between_variance([1.0, 2.0], [1e-300, 1.0], [0, 0]),
    "squares below 0": lambda: variance_parts_of_sums([2, 2], [1, 1], [-1, 1], [0, 0]),
    "a huge tau2": lambda: shrink([1.0], [1.0], [0], 1e200),
    "hardly any spread of shares": lambda: share_prior(0.5, 1e-300),
    "more successes than trials": lambda: shrunk_share(3, 2, SharePrior(1, 1)),
    "no prior": lambda: shrunk_share(1, 2, SharePrior(0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
