import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sqcore.stats.arrays import IntArray
from sqcore.stats.composite import composite, composite_change, independent
from sqcore.stats.estimates import MeanCovariance, Status, mean_covariance
from sqcore.stats.moments import moments_of
from sqcore.stats.scoring import Goalposts, goalpost_scores

SEVEN = Goalposts(np.full(3, 1.0), np.full(3, 7.0))


def answers(seed: int, n: int = 60, absent: float = 0.1) -> tuple[MeanCovariance, IntArray]:
    rng = np.random.default_rng(seed)
    person = rng.normal(0, 1, (n, 1))
    values = np.clip(np.rint(5 + person + rng.normal(0, 1, (n, 3))), 1, 7).astype(int)
    here = rng.random((n, 3)) >= absent
    return mean_covariance(moments_of(values, here, None, np.zeros(n, dtype=int), 1)), values


def certain(*values: float) -> MeanCovariance:
    """Means of one cell with a given value each, NaN for none."""
    v = np.array([values])
    n = np.where(np.isnan(v), 0, 50)
    m = v.size
    return MeanCovariance(v, np.eye(m)[None] * 0.01 * ~np.isnan(v), n, n.astype(float))


class TestGoalpostScores:
    def test_matches_human_development_of_ghana_2013(self) -> None:
        # UNDP Human Development Report 2013, technical note 1; income on the log scale
        life, schooling, expected, income = 64.6, 7.0, 11.4, 1684.0
        education = goalpost_scores(
            [schooling, expected], Goalposts(np.array([0.0, 0.0]), np.array([13.3, 18.0]))
        ).score
        scores = goalpost_scores(
            [life, np.sqrt(education.prod()) / 100, np.log(income)],
            Goalposts(np.array([20.0, 0.0, np.log(100)]), np.array([83.6, 0.971, np.log(87478)])),
        ).score

        np.testing.assert_allclose(scores / 100, [0.702, 0.596, 0.417], atol=0.0016)
        assert (scores.prod() ** (1 / 3)) / 100 == pytest.approx(0.558, abs=0.0016)

    def test_runs_down_where_lower_is_better(self) -> None:
        minutes = Goalposts(np.array([30.0]), np.array([0.0]))
        scores = goalpost_scores([[30.0], [12.0], [0.0]], minutes)

        assert scores.score.tolist() == [[0.0], [60.0], [100.0]]
        assert (scores.slope < 0).all()

    def test_clips_and_says_so(self) -> None:
        scores = goalpost_scores([[0.5], [7.5], [7.0]], Goalposts(np.array([1.0]), np.array([7.0])))

        assert scores.score.tolist() == [[0.0], [100.0], [100.0]]
        assert scores.slope[:2].tolist() == [[0.0], [0.0]]
        assert scores.clipped.tolist() == [[True], [True], [False]]

    def test_no_value_stays_no_value(self) -> None:
        scores = goalpost_scores([np.nan], Goalposts(np.array([1.0]), np.array([7.0])))

        assert np.isnan(scores.score).all()
        assert not scores.clipped.any()


class TestComposite:
    def test_weighs_the_scores(self) -> None:
        result = composite(certain(1.0, 4.0, 7.0), SEVEN, [1, 1, 2])

        assert result.estimate.value.tolist() == [62.5]
        assert result.coverage.tolist() == [1.0]

    def test_renormalises_over_what_is_present(self) -> None:
        result = composite(certain(np.nan, 4.0, 7.0), SEVEN, [1, 1, 2])

        assert result.estimate.value.tolist() == [(50 + 2 * 100) / 3]
        assert result.coverage.tolist() == [0.75]
        assert result.used.tolist() == [[False, True, True]]

    def test_exactly_sixty_percent_is_enough(self) -> None:
        enough = composite(certain(4.0, 4.0, np.nan), SEVEN, [0.3, 0.3, 0.4])
        short = composite(certain(4.0, np.nan, 4.0), SEVEN, [0.3, 0.41, 0.29])

        assert enough.estimate.status.tolist() == [Status.OK]
        assert short.estimate.status.tolist() == [Status.INSUFFICIENT_COVERAGE]
        assert np.isnan(short.estimate.value).all()
        assert short.coverage.round(2).tolist() == [0.59]

    def test_without_any_indicator_there_is_nothing(self) -> None:
        result = composite(certain(np.nan, np.nan, np.nan), SEVEN, [1, 1, 1])

        assert result.estimate.status.tolist() == [Status.NOT_APPLICABLE]
        assert result.coverage.tolist() == [0.0]

    def test_one_answer_does_not_make_an_indicator(self) -> None:
        means = certain(4.0, 4.0, 7.0)
        means.n[0, 2] = 1

        result = composite(means, SEVEN, [1, 1, 1])

        assert result.estimate.value.tolist() == [50.0]
        assert result.coverage.round(4).tolist() == [0.6667]

    def test_its_standard_error_is_that_of_each_respondents_composite(self) -> None:
        means, values = answers(1, absent=0)
        result = composite(means, SEVEN, [0.2, 0.3, 0.5])

        own = (values - 1) * 100 / 6 @ np.array([0.2, 0.3, 0.5])
        assert result.estimate.value[0] == pytest.approx(own.mean())
        assert result.estimate.se[0] == pytest.approx(own.std(ddof=1) / np.sqrt(60))
        assert result.estimate.n_eff.tolist() == [60.0]

    def test_agrees_with_a_bootstrap_of_respondents_when_answers_are_absent(self) -> None:
        rng = np.random.default_rng(3)
        n, draws = 150, 4000
        person = rng.normal(0, 1, (n, 1))
        values = np.rint(40 + 10 * person + rng.normal(0, 8, (n, 3))).astype(int)
        here = rng.random((n, 3)) < 0.7
        ends = Goalposts(np.full(3, -100.0), np.full(3, 200.0))
        joint = mean_covariance(moments_of(values, here, None, np.zeros(n, dtype=int), 1))
        se = composite(joint, ends, [1, 1, 1]).estimate.se[0]

        picks = rng.multinomial(n, np.full(n, 1 / n), draws)
        resampled = (picks @ (values * here)) / (picks @ here)
        assert se == pytest.approx(resampled.mean(axis=1).std() * 100 / 300, rel=0.06)

    def test_a_clipped_indicator_counts_as_certain_and_is_flagged(self) -> None:
        ends = Goalposts(np.array([1.0, 1.0, 1.0]), np.array([7.0, 7.0, 3.0]))
        result = composite(certain(4.0, 4.0, 4.0), ends, [1, 1, 1])

        assert result.clipped.tolist() == [True]
        assert result.estimate.se[0] == pytest.approx(np.sqrt(2 * 0.01) * 100 / 6 / 3)

    def test_equal_answers_get_an_interval_of_their_own(self) -> None:
        values = np.full((20, 3), 7)
        means = mean_covariance(
            moments_of(values, np.ones((20, 3), dtype=bool), None, np.zeros(20, dtype=int), 1)
        )
        estimate = composite(means, SEVEN, [1, 1, 1]).estimate

        assert estimate.status.tolist() == [Status.ZERO_VARIANCE]
        assert estimate.value.tolist() == [100.0]
        assert 80 < estimate.low[0] < 90

    def test_an_unused_weight_hides_no_indicator(self) -> None:
        result = composite(certain(4.0, np.nan, 7.0), SEVEN, [1, 0, 1])

        assert result.coverage.tolist() == [1.0]

    @given(st.integers(0, 10_000), st.floats(0.01, 100))
    def test_only_the_ratio_of_weights_counts(self, seed: int, times: float) -> None:
        means, _ = answers(seed, n=12, absent=0.4)
        one = composite(means, SEVEN, [1, 2, 3]).estimate
        other = composite(means, SEVEN, np.array([1, 2, 3]) * times).estimate

        assert one.status.tolist() == other.status.tolist()
        np.testing.assert_allclose(one.value, other.value)
        np.testing.assert_allclose(one.low, other.low)

    def test_every_cell_may_have_weights_of_its_own(self) -> None:
        both = certain(1.0, 4.0, 7.0)
        two = MeanCovariance(*(np.concatenate([part, part]) for part in vars(both).values()))
        result = composite(two, SEVEN, [[1, 0, 0], [0, 0, 1]])

        assert result.estimate.value.tolist() == [0.0, 100.0]


class TestChange:
    def test_compares_what_both_sides_have(self) -> None:
        change = composite_change(
            certain(4.0, 7.0, np.nan), certain(1.0, 7.0, 1.0), SEVEN, [2, 2, 1]
        )

        assert change.estimate.value.tolist() == [25.0]
        assert change.coverage.tolist() == [0.8]
        assert change.composition_changed.tolist() == [True]

    def test_same_composition_is_not_flagged(self) -> None:
        change = composite_change(
            certain(4.0, 7.0, np.nan), certain(1.0, 7.0, np.nan), SEVEN, [2, 2, 1]
        )

        assert change.composition_changed.tolist() == [False]

    def test_is_welchs_interval_for_one_indicator(self) -> None:
        rng = np.random.default_rng(5)
        first, second = rng.integers(20, 60, (30, 1)), rng.integers(30, 90, (12, 1))
        ends = Goalposts(np.array([0.0]), np.array([100.0]))

        def side(values: IntArray) -> MeanCovariance:
            n = len(values)
            return mean_covariance(
                moments_of(values, np.ones((n, 1), dtype=bool), None, np.zeros(n, dtype=int), 1)
            )

        change = composite_change(side(second), side(first), ends, [1.0]).estimate

        welch = stats.ttest_ind(second[:, 0], first[:, 0], equal_var=False)
        expected = welch.confidence_interval()
        np.testing.assert_allclose([change.low[0], change.high[0]], [*expected], rtol=1e-10)

    def test_nothing_in_common_is_no_change(self) -> None:
        change = composite_change(
            certain(4.0, np.nan, np.nan), certain(np.nan, 4.0, 4.0), SEVEN, [1] * 3
        )

        assert change.estimate.status.tolist() == [Status.NOT_APPLICABLE]
        assert np.isnan(change.estimate.value).all()


def test_independent_parts_do_not_share_variance() -> None:
    joined = independent(certain(4.0), certain(5.0, 6.0))

    assert joined.value.tolist() == [[4.0, 5.0, 6.0]]
    np.testing.assert_allclose(joined.covariance[0], np.eye(3) * 0.01)


class TestGroups:
    """Indicators of different respondents, or of no respondents at all."""

    ENDS = Goalposts(np.zeros(2), np.full(2, 10.0))

    @staticmethod
    def _two(first: list[float], second: list[float]) -> MeanCovariance:
        def one(values: list[float]) -> MeanCovariance:
            moments = moments_of(
                [[round(100 * v)] for v in values],
                [[True]] * len(values),
                None,
                [0] * len(values),
                1,
            )
            return mean_covariance(moments, scale=0.01)

        return independent(one(first), one(second))

    def test_two_groups_together_are_as_sure_as_welch_says(self) -> None:
        # The sum of two means has the interval of their difference, turned around.
        long, short = [4.1, 5.0, 6.2, 5.5, 4.9, 5.3, 6.0], [3.0, 7.0, 4.5]
        welch = stats.ttest_ind(long, [-v for v in short], equal_var=False).confidence_interval()

        found = composite(self._two(long, short), self.ENDS, [0.5, 0.5], groups=[0, 1]).estimate

        assert found.low[0] == pytest.approx(welch.low * 5)
        assert found.high[0] == pytest.approx(welch.high * 5)

    def test_a_small_group_that_hardly_varies_does_not_make_all_unsure(self) -> None:
        means = self._two([4.1, 5.0, 6.2, 5.5, 4.9, 5.3, 6.0] * 9, [5.0, 5.01])

        apart = composite(means, self.ENDS, [0.5, 0.5], groups=[0, 1]).estimate
        together = composite(means, self.ENDS, [0.5, 0.5]).estimate

        assert apart.se.tolist() == together.se.tolist()
        assert (apart.high - apart.low)[0] < (together.high - together.low)[0] / 4

    def test_one_group_is_what_it_was(self) -> None:
        means, _values = answers(3)

        plain, grouped = (composite(means, SEVEN, [1, 1, 1], groups=g) for g in (None, [7, 7, 7]))

        assert plain.estimate.low.tolist() == grouped.estimate.low.tolist()
        assert plain.estimate.n_eff.tolist() == grouped.estimate.n_eff.tolist()

    def test_what_was_measured_once_counts_with_its_value_alone(self) -> None:
        many, once = [4.0, 5.0, 6.0], [9.0]
        means = self._two(many, once)

        without = composite(means, self.ENDS, [0.5, 0.5], minimum_coverage=0)
        found = composite(means, self.ENDS, [0.5, 0.5], groups=[0, 1], lone=[[False, True]])

        assert without.estimate.value.tolist() == [50.0]
        assert found.estimate.value.tolist() == [70.0]
        half = stats.t.ppf(0.975, 2) * np.sqrt(1 / 3) * 5
        assert found.estimate.low[0] == pytest.approx(70 - half)
        assert found.coverage.tolist() == [1.0]

    def test_of_what_was_all_measured_once_nobody_knows_how_sure_it_is(self) -> None:
        found = composite(self._two([4.0], [9.0]), self.ENDS, [0.5, 0.5], lone=[[True, True]])

        assert found.estimate.value.tolist() == [65.0]
        assert np.isnan(found.estimate.low).all()
        assert found.estimate.status.tolist() == [Status.INSUFFICIENT_N]

    @given(st.integers(min_value=0, max_value=10_000))
    def test_degrees_of_freedom_lie_between_the_least_and_the_sum(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        sizes = rng.integers(2, 40, 2)
        means = self._two(*(np.round(rng.normal(5, 1, size), 2).tolist() for size in sizes))

        found = composite(means, self.ENDS, [0.5, 0.5], groups=[0, 1]).estimate

        assert sizes.min() - 1e-9 <= found.n_eff[0] <= sizes.sum() - 1 + 1e-9
