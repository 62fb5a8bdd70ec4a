import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from sqcore.stats.estimates import Status
from sqcore.stats.proportions import newcombe, nps, proportion, wilson


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
