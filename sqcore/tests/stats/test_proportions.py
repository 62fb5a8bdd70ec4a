from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Status
from sqcore.stats.proportions import (
    effort,
    newcombe,
    nps,
    nps_difference,
    proportion,
    wilson,
)


class TestWilson:
    def test_matches_newcombe_1998_table_1_method_3(self) -> None:
        interval = wilson([81, 15, 0, 1], [263, 148, 20, 29])

        np.testing.assert_allclose(interval.low, [0.2553, 0.0624, 0, 0.0061], atol=6e-5)
        np.testing.assert_allclose(interval.high, [0.3662, 0.1605, 0.1611, 0.1718], atol=6e-5)

    @given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
    def test_agrees_with_statsmodels(self, trials: int, share: float, confidence: float) -> None:
        successes = round(trials * share)
        interval = wilson([successes], [trials], confidence=confidence)

        low, high = proportion_confint(successes, trials, alpha=1 - confidence, method="wilson")
        np.testing.assert_allclose(interval.low, max(low, 0), atol=1e-12)
        np.testing.assert_allclose(interval.high, min(high, 1), atol=1e-12)
        assert interval.low[0] <= successes / trials <= interval.high[0]


class TestNewcombe:
    def test_matches_newcombe_1998_comparative_example_a(self) -> None:
        difference = newcombe([56], [70], [48], [80])

        assert difference.low.round(4).tolist() == [0.0524]
        assert difference.high.round(4).tolist() == [0.3339]

    @given(st.integers(0, 30), st.integers(0, 50))
    def test_agrees_with_statsmodels(self, first: int, other: int) -> None:
        difference = newcombe([first], [30], [other], [50])

        expected = confint_proportions_2indep(
            first, 30, other, 50, method="newcomb", compare="diff"
        )
        np.testing.assert_allclose([difference.low[0], difference.high[0]], expected, atol=1e-12)

    @given(st.integers(0, 30), st.integers(0, 50))
    def test_turns_round_with_its_groups(self, first: int, other: int) -> None:
        one, back = newcombe([first], [30], [other], [50]), newcombe([other], [50], [first], [30])

        np.testing.assert_allclose(one.low, -back.high, atol=1e-15)


class TestProportion:
    def test_is_the_wilson_interval_on_the_effective_size(self) -> None:
        estimate = proportion([0.4], [100], [50.0])

        assert estimate.low.tolist() == wilson([20], [50]).low.tolist()
        assert estimate.n.tolist() == [100]
        assert estimate.n_eff.tolist() == [50.0]

    def test_nobody_is_not_zero(self) -> None:
        estimate = proportion([np.nan], [0], [0.0])

        assert estimate.status.tolist() == [Status.NOT_APPLICABLE]
        assert np.isnan(estimate.value).all()


class TestNps:
    def test_matches_whuber_margin_of_error(self) -> None:
        # Cross Validated, "margin of error in an NPS result": p 1/2, 1/3, 1/6, n = 324
        score = nps([162], [108], [54])

        np.testing.assert_allclose(score.value, [33.333333], atol=1e-5)
        np.testing.assert_allclose(score.se, [4.1408], atol=1e-3)
        np.testing.assert_allclose([score.low[0], score.high[0]], [25.2, 41.4], atol=0.5)

    def test_ten_promoters_are_not_certain(self) -> None:
        score = nps([10], [0], [0])

        assert score.value.tolist() == [100.0]
        assert score.low.round(1).tolist() == [47.5]
        assert score.high.tolist() == [100.0]

    @given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
    def test_the_interval_contains_the_value_within_the_scale(
        self, up: int, middle: int, down: int
    ) -> None:
        score = nps([up], [middle], [down])

        if up + middle + down == 0:
            assert score.status.tolist() == [Status.NOT_APPLICABLE]
        else:
            assert -100 <= score.low[0] <= score.value[0] <= score.high[0] <= 100

    def test_weights_count_by_their_effective_size(self) -> None:
        heavy = nps([1000], [1000], [1000], n=[30], n_eff=[30.0])

        assert heavy.low.tolist() == nps([10], [10], [10]).low.tolist()
        assert heavy.n.tolist() == [30]

    @pytest.mark.parametrize(("p", "d"), [(0.5, 0.2), (0.9, 0.05), (0.1, 0.1)])
    def test_covers_the_truth_as_often_as_it_says_with_20_answers(self, p: float, d: float) -> None:
        rng = np.random.default_rng(1)
        counts = rng.multinomial(20, [p, 1 - p - d, d], 20_000)
        score = nps(counts[:, 0], counts[:, 1], counts[:, 2])

        truth = 100 * (p - d)
        assert 0.92 < ((score.low <= truth) & (truth <= score.high)).mean() < 0.985


class TestNpsDifference:
    def test_is_made_of_both_intervals(self) -> None:
        after, before = nps([60], [25], [15]), nps([50], [25], [25])
        rise, interval = nps_difference(after, before)

        np.testing.assert_allclose(rise, [20])
        down = np.hypot(after.value - after.low, before.high - before.value)
        np.testing.assert_allclose(interval.low, 20 - down)

    @given(st.lists(st.integers(0, 40), min_size=6, max_size=6))
    def test_turns_round_and_stays_within_200_points(self, counts: list[int]) -> None:
        one = nps(counts[0], counts[1], counts[2] + 1)
        other = nps(counts[3], counts[4] + 1, counts[5])
        rise, there = nps_difference(one, other)
        fall, back = nps_difference(other, one)

        np.testing.assert_allclose(rise, -fall)
        np.testing.assert_allclose(there.low, -back.high)
        assert -200 <= there.low <= rise <= there.high <= 200

    def test_without_one_of_the_scores_there_is_no_difference(self) -> None:
        rise, interval = nps_difference(nps([1], [1], [1]), nps([0], [0], [0]))

        assert np.isnan([rise[0], interval.low[0], interval.high[0]]).all()

    def test_scores_of_other_shapes_are_refused(self) -> None:
        with pytest.raises(StatisticsError):
            nps_difference(nps([1, 2], [1, 2], [1, 2]), nps([1] * 3, [1] * 3, [1] * 3))

    def test_covers_the_truth_as_often_as_it_says_with_30_answers_each(self) -> None:
        rng = np.random.default_rng(2)
        one = rng.multinomial(30, [0.6, 0.25, 0.15], 10_000)
        other = rng.multinomial(30, [0.4, 0.3, 0.3], 10_000)
        _rise, interval = nps_difference(nps(*one.T), nps(*other.T))

        assert 0.93 < ((interval.low <= 35) & (interval.high >= 35)).mean() < 0.98


class TestEffort:
    def test_is_the_mean_with_its_interval_and_the_share_of_the_top_three(self) -> None:
        counts = [2, 3, 5, 10, 20, 35, 25]
        found = effort([counts])

        answers = np.repeat(np.arange(1, 8), counts)
        low, high = stats.t.interval(0.95, 99, answers.mean(), stats.sem(answers))
        np.testing.assert_allclose(found.mean.value, [5.48])
        # Of ordinary answers it is nearly that of Student, drawn out to the long tail.
        np.testing.assert_allclose([found.mean.low[0], found.mean.high[0]], [low, high], atol=0.025)
        assert found.mean.low[0] < low
        assert found.mean.high[0] < high
        np.testing.assert_allclose(found.easy.value, [0.8])
        np.testing.assert_allclose(found.easy.low, wilson([80], [100]).low)
        assert found.mean.n.tolist() == [100]

    def test_of_two_answers_its_ends_are_those_of_the_binomial_likelihood(self) -> None:
        found = effort([[70, 30], [1, 99]], lowest=0, top=1).mean

        given = np.array([[0.3, 0.7], [0.99, 0.01]])
        for end in (found.low, found.high):
            p = np.stack([end, 1 - end], axis=1)
            ratio = 2 * 100 * (given * np.log(given / p)).sum(axis=1)
            np.testing.assert_allclose(ratio, stats.t.ppf(0.975, 99) ** 2, rtol=1e-9)

    def test_counts_on_an_answer_that_nobody_gave(self) -> None:
        found = effort([[0, 0, 0, 0, 0, 4, 96]]).mean

        # With w of 1..7 at 1 the given are (1 - w)^100 as likely; the rest draws 6 a little nearer.
        w = 1 - np.exp(-(stats.t.ppf(0.975, 99) ** 2) / 200)
        assert found.value.tolist() == pytest.approx([6.96])
        assert 6.96 - 6 * w - 0.01 < found.low[0] < 6.96 - 5.5 * w
        assert found.high[0] == pytest.approx(6.9876, abs=1e-4)

    @pytest.mark.parametrize(
        ("shares", "by_t"),
        [
            ([0.01, 0, 0, 0, 0, 0.04, 0.95], 0.72),
            ([0.01, 0, 0.01, 0.01, 0.01, 0.01, 0.95], 0.90),
            ([0.005, 0, 0, 0, 0, 0.005, 0.99], 0.82),
            ([0.9, 0.05, 0.02, 0.01, 0.01, 0, 0.01], 0.89),
            ([0.02, 0, 0, 0.96, 0, 0, 0.02], 0.96),
            ([0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.25], 0.95),
            ([0.05, 0.1, 0.2, 0.3, 0.2, 0.1, 0.05], 0.95),
            ([0.3, 0.1, 0.05, 0.1, 0.05, 0.1, 0.3], 0.95),
        ],
    )
    def test_holds_the_truth_also_where_nearly_all_answer_alike(
        self, shares: list[float], by_t: float
    ) -> None:
        drawn = np.random.default_rng(5).multinomial(100, shares, 4000)
        found = effort(drawn).mean

        truth = np.arange(1, 8) @ shares
        held = ((found.low <= truth) & (truth <= found.high)).mean()
        half = found.se * stats.t.ppf(0.975, 99)
        by_student = (np.abs(found.value - truth) <= half) & (found.se > 0)
        alike = (found.se == 0) & (found.low <= truth) & (truth <= found.high)
        assert (by_student | alike).mean() == pytest.approx(by_t, abs=0.015)
        assert 0.895 < held < 0.99

    def test_says_where_there_is_no_interval(self) -> None:
        found = effort([[0, 0, 0], [0, 1, 0], [0, 0, 9], [1, 1, 1]], top=1)

        assert found.mean.status.tolist() == [
            Status.NOT_APPLICABLE, Status.INSUFFICIENT_N, Status.ZERO_VARIANCE, Status.OK,
        ]  # fmt: skip
        assert found.mean.value[1:].tolist() == [2, 3, 2]
        assert np.isnan(found.mean.low[:2]).all()
        assert np.isnan(found.easy.value[0])
        assert found.easy.value[1:].tolist() == pytest.approx([0, 1, 1 / 3])

    def test_equal_answers_are_no_certainty(self) -> None:
        found = effort([[0, 0, 0, 0, 0, 0, 10], [0, 0, 0, 10, 0, 0, 0]]).mean

        share = 1 - 0.05 ** (1 / 10)
        assert found.se.tolist() == [0.0, 0.0]
        assert found.low.tolist() == pytest.approx([7 - 6 * share, 4 - 3 * share])
        assert found.high.tolist() == pytest.approx([7.0, 4 + 3 * share])

    def test_weights_count_by_their_effective_size(self) -> None:
        heavy = effort([[10.0, 20.0, 10.0]], top=1, n=[40], n_eff=[20.0])

        assert heavy.mean.n_eff.tolist() == [20.0]
        np.testing.assert_allclose(heavy.mean.se, np.sqrt(0.5 / 19))
        np.testing.assert_allclose(heavy.easy.low, wilson([5], [20]).low)

    @given(st.lists(st.integers(0, 30), min_size=7, max_size=7))
    def test_stays_within_the_scale(self, counts: list[int]) -> None:
        found = effort([counts])

        if found.mean.status[0] == Status.OK:
            assert 1 <= found.mean.low[0] <= found.mean.value[0] <= found.mean.high[0] <= 7

    @pytest.mark.parametrize(
        "arguments",
        [
            {"counts": [-1, 2]},
            {"counts": [3]},
            {"counts": [1, np.nan]},
            {"counts": [1, 2, 3], "top": 3},
            {"counts": [1, 2, 3], "top": 0},
            {"counts": [1, 2, 3], "n_eff": 0, "top": 1},
            {"counts": [1, 2, 3], "confidence": 95, "top": 1},
        ],
    )
    def test_refuses(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(StatisticsError):
            effort(**({"top": 1} | arguments))
