import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from sqcore.stats.arrays import BoolArray, IntArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import (
    Status,
    equal_answers,
    interval_of,
    mean_covariance,
    means,
)
from sqcore.stats.moments import Moments, moments_of, no_moments


def one_cell(
    values: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    present: npt.ArrayLike | None = None,
) -> Moments:
    values = np.asarray(values)
    here = np.ones(values.shape, dtype=bool) if present is None else np.asarray(present)
    return moments_of(values, here, weights, np.zeros(len(values), dtype=int), 1)


def sample(
    seed: int, rows: int = 40, measures: int = 3
) -> tuple[IntArray, BoolArray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.integers(60, 421, (rows, measures)), rng.random((rows, measures)) < 0.8, rng


class TestMeans:
    def test_agrees_with_statsmodels_and_scipy_without_weights(self) -> None:
        values, _, _ = sample(1)
        estimate = means(one_cell(values), scale=1 / 60)

        other = DescrStatsW(values / 60)
        low, high = other.tconfint_mean()
        np.testing.assert_allclose(estimate.value[0], other.mean, rtol=1e-13)
        np.testing.assert_allclose(estimate.se[0], other.std_mean, rtol=1e-12)
        np.testing.assert_allclose(estimate.low[0], low, rtol=1e-12)
        np.testing.assert_allclose(estimate.high[0], high, rtol=1e-12)
        np.testing.assert_allclose(estimate.se[0], stats.sem(values / 60), rtol=1e-12)

    def test_weighted_mean_and_linearised_variance_from_the_definition(self) -> None:
        values, _, rng = sample(2)
        weights = rng.integers(1, 400, len(values))
        estimate = means(one_cell(values, weights))

        mean = DescrStatsW(values, weights=weights).mean
        z = weights[:, None] * (values - mean) / weights.sum()
        n = len(values)
        np.testing.assert_allclose(estimate.value[0], mean, rtol=1e-13)
        np.testing.assert_allclose(
            estimate.se[0], np.sqrt(n / (n - 1) * (z**2).sum(axis=0)), rtol=1e-12
        )
        n_eff = weights.sum() ** 2 / (weights**2).sum()
        np.testing.assert_allclose(estimate.n_eff[0], n_eff, rtol=1e-13)
        half = stats.t.ppf(0.975, n_eff - 1) * estimate.se[0]
        np.testing.assert_allclose(estimate.high[0] - mean, half, rtol=1e-9)

    @given(st.integers(0, 10_000))
    def test_the_interval_contains_the_value_and_ok_is_never_nan(self, seed: int) -> None:
        values, present, rng = sample(seed, rows=int(seed % 7))
        estimate = means(one_cell(values, rng.integers(0, 9, len(values)), present))

        ok = estimate.ok
        assert (estimate.low[ok] <= estimate.value[ok]).all()
        assert (estimate.value[ok] <= estimate.high[ok]).all()
        for part in (estimate.value, estimate.se, estimate.low, estimate.high):
            assert np.isfinite(part[ok]).all()

    @given(st.integers(1, 1000))
    def test_the_size_of_equal_weights_does_not_matter(self, weight: int) -> None:
        values, present, _ = sample(3)
        plain = means(one_cell(values, None, present))
        heavy = means(one_cell(values, np.full(len(values), weight), present))

        for name in ("value", "se", "low", "high", "n_eff"):
            np.testing.assert_allclose(getattr(plain, name), getattr(heavy, name), rtol=1e-11)

    def test_constant_answers_have_an_answer_of_their_own(self) -> None:
        estimate = means(one_cell([[7]] * 30), bounds=(1, 7))

        assert estimate.status.tolist() == [[Status.ZERO_VARIANCE]]
        assert estimate.value.tolist() == [[7.0]]
        assert estimate.se.tolist() == [[0.0]]
        np.testing.assert_allclose(estimate.low, 7 - 6 * (1 - 0.05 ** (1 / 30)))
        assert estimate.high.tolist() == [[7.0]]

    def test_constant_answers_without_bounds_have_no_interval(self) -> None:
        estimate = means(one_cell([[7]] * 30))

        assert np.isnan(estimate.low).all()
        assert estimate.reason.tolist() == [
            ["All answers are the same, so they do not show how sure the value is."]
        ]

    def test_weighted_constant_answers_are_seen_as_constant(self) -> None:
        estimate = means(one_cell([[-7]] * 5, [3, 9, 1, 100, 17]))

        assert estimate.status.tolist() == [[Status.ZERO_VARIANCE]]

    def test_one_answer_has_a_value_and_no_interval(self) -> None:
        estimate = means(one_cell([[7]]))

        assert estimate.status.tolist() == [[Status.INSUFFICIENT_N]]
        assert estimate.value.tolist() == [[7.0]]
        assert np.isnan([estimate.se, estimate.low, estimate.high]).all()

    def test_nobody_is_not_zero(self) -> None:
        estimate = means(no_moments(1, 1))

        assert estimate.status.tolist() == [[Status.NOT_APPLICABLE]]
        assert np.isnan(estimate.value).all()
        assert estimate.n.tolist() == [[0]]

    def test_the_interval_stays_within_the_scale(self) -> None:
        estimate = means(one_cell([[1], [1], [7]]), bounds=(1, 7))

        assert estimate.ok.all()
        assert (estimate.low[0, 0], estimate.high[0, 0]) == (1.0, 7.0)

    def test_large_values_do_not_cancel(self) -> None:
        base = 90_000_000
        estimate = means(one_cell([[base], [base + 1], [base + 2]]))

        np.testing.assert_allclose(estimate.se, [[np.sqrt(1 / 3)]], rtol=1e-12)

    def test_covers_the_truth_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(4)
        cells, n = 4000, 12
        values = np.rint(rng.normal(300, 60, (cells * n, 1))).astype(int)
        estimate = means(
            moments_of(
                values, np.ones(values.shape, bool), None, np.repeat(np.arange(cells), n), cells
            )
        )

        covered = ((estimate.low <= 300) & (estimate.high >= 300)).mean()
        assert 0.94 < covered < 0.96


class TestMeanCovariance:
    def test_complete_answers_give_the_covariance_matrix_over_n(self) -> None:
        values, _, _ = sample(5)

        joint = mean_covariance(one_cell(values), scale=1 / 60)

        np.testing.assert_allclose(
            joint.covariance[0], np.cov(values / 60, rowvar=False) / 40, rtol=1e-11, atol=1e-15
        )

    def test_absent_answers_give_the_linearised_covariance(self) -> None:
        values, here, rng = sample(6)
        weights = rng.integers(1, 50, len(values))
        joint = mean_covariance(one_cell(values, weights, here))

        w = weights[:, None] * here
        mean = (w * values).sum(axis=0) / w.sum(axis=0)
        n = here.sum(axis=0)
        z = w * (values - mean) / w.sum(axis=0) * np.sqrt(n / (n - 1))
        np.testing.assert_allclose(joint.value[0], mean, rtol=1e-13)
        np.testing.assert_allclose(joint.covariance[0], z.T @ z, rtol=1e-10, atol=1e-12)

    @given(st.integers(0, 10_000))
    def test_no_composite_has_a_negative_variance(self, seed: int) -> None:
        values, present, rng = sample(seed, rows=10)
        joint = mean_covariance(one_cell(values, rng.integers(0, 9, 10), present))

        assert np.linalg.eigvalsh(joint.covariance[0]).min() > -1e-9

    def test_the_diagonal_is_the_squared_standard_error(self) -> None:
        values, present, rng = sample(7)
        moments = one_cell(values, rng.integers(1, 9, len(values)), present)

        np.testing.assert_allclose(
            np.sqrt(np.diagonal(mean_covariance(moments).covariance[0])),
            means(moments).se[0],
            rtol=1e-11,
        )


class TestEqualAnswers:
    def test_is_close_to_the_rule_of_three(self) -> None:
        low, _ = equal_answers([1.0], [100], bounds=(0, 1))

        assert low[0] == pytest.approx(1 - 3 / 100, abs=0.001)

    def test_holds_on_both_sides(self) -> None:
        low, high = equal_answers([4.0], [10], bounds=(1, 7))

        assert (low + high).tolist() == [8.0]


@pytest.mark.parametrize("status", Status)
def test_every_status_but_ok_gives_a_reason(status: Status) -> None:
    assert bool(status.reason) == (status != Status.OK)


def test_interval_of_refuses_bounds_in_the_wrong_order() -> None:
    with pytest.raises(StatisticsError, match="lower bound"):
        interval_of([1.0], [1.0], [9], [9.0], bounds=(7, 1))
