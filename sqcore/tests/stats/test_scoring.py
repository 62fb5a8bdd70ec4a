"""Points along curves: what is best in the middle, through knots, by a target and its limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.composite import Aggregation, composite, composite_change, independent
from sqcore.stats.estimates import MeanCovariance, Status
from sqcore.stats.scoring import (
    Curve,
    Goalposts,
    aimed,
    goalpost_scores,
    nominal,
    nothing_at,
    steepness,
    through,
)

REPLICATES = 4000
SPREAD, PEOPLE = 1.0, 60

numbers = st.floats(-50, 50).map(lambda number: round(number, 3))


def curves() -> st.SearchStrategy[Curve]:
    values = st.lists(st.integers(-20, 20), min_size=2, max_size=6, unique=True).map(sorted)
    return values.flatmap(
        lambda found: st.lists(st.integers(0, 100), min_size=len(found), max_size=len(found)).map(
            lambda points: through(list(zip(found, points, strict=True)))
        )
    )


class TestCurves:
    def test_nominal_falls_on_both_sides_of_its_target(self) -> None:
        assert nominal(8.0, 4.0).at([3.0, 4.0, 6.0, 8.0, 9.0, 12.0, 20.0]).tolist() == [
            *(0.0, 0.0, 50.0, 100.0, 75.0, 0.0, 0.0),
        ]

    def test_in_its_dead_band_nominal_is_full(self) -> None:
        curve = nominal(22.0, 4.0, dead_band=1.0)

        assert curve.at([21.0, 22.5, 23.0]).tolist() == [100.0] * 3
        assert curve.at([24.5, 26.0]).tolist() == [50.0, 0.0]

    def test_a_target_has_100_and_its_limit_60(self) -> None:
        fewer, more = aimed(5.0, 9.0), aimed(0.9, 0.8)

        assert fewer.at([5.0, 9.0, 12.0, 15.0, 16.0, 1.0]).tolist() == [100, 60, 30, 0, 0, 100]
        np.testing.assert_allclose(more.at([0.95, 0.9, 0.8, 0.65]), [100, 100, 60, 0], atol=1e-9)
        assert nothing_at(5.0, 9.0) == 15.0

    def test_knots_are_joined_by_straight_lines_and_kept_beyond_the_ends(self) -> None:
        curve = through([(0, 100), (5, 90), (15, 10)])

        assert curve.at([-1.0, 2.5, 10.0, 99.0]).tolist() == [100.0, 95.0, 50.0, 10.0]

    def test_nothing_measured_stays_nothing(self) -> None:
        assert np.isnan(nominal(8.0, 4.0).at([np.nan])).all()
        assert np.isnan(nominal(8.0, 4.0).between([np.nan], [np.nan])).all()

    def test_goalposts_are_a_curve_of_two_knots(self) -> None:
        ends = Goalposts(np.array([30.0, 1.0]), np.array([0.0, 7.0]))
        values = np.array([[35.0, 0.5], [12.0, 4.0], [-1.0, 8.0]])

        for at in (0, 1):
            np.testing.assert_allclose(
                ends.curve(at).at(values[:, at]), goalpost_scores(values, ends).score[:, at]
            )

    def test_some_indicators_have_a_curve_and_the_others_goalposts(self) -> None:
        ends = Goalposts(np.array([4.0, 1.0]), np.array([8.0, 7.0]), {0: nominal(8.0, 4.0)})
        scores = goalpost_scores([[10.0, 4.0], [13.0, 8.0]], ends)

        assert scores.score.tolist() == [[50.0, 50.0], [0.0, 100.0]]
        assert scores.slope[0].tolist() == [-25.0, 100 / 6]
        assert scores.clipped.tolist() == [[False, False], [True, True]]

    @given(curves(), numbers, st.floats(0, 30))
    def test_the_points_of_an_interval_are_all_that_lies_in_it(
        self, curve: Curve, low: float, width: float
    ) -> None:
        least, most = curve.between([low], [low + width])
        inside = curve.at(np.linspace(low, low + width, 400))

        assert least[0] <= inside.min() + 1e-9
        assert most[0] >= inside.max() - 1e-9
        corners = [curve.at(low), curve.at(low + width), *curve.points.tolist()]
        assert min(abs(least[0] - corner) for corner in corners) < 1e-9

    @given(curves(), numbers, st.floats(0.01, 20))
    def test_no_value_of_the_interval_is_further_off_than_the_slope_says(
        self, curve: Curve, value: float, half: float
    ) -> None:
        slope = abs(steepness(curve, [value], [half]).slope[0])
        others = np.linspace(value - half, value + half, 200)

        off = np.abs(curve.at(others) - curve.at(value))
        assert (off <= slope * np.abs(others - value) + 1e-7).all()

    @given(curves(), numbers, st.floats(0.01, 20))
    def test_the_same_holds_of_logarithms(self, curve: Curve, value: float, half: float) -> None:
        floored = curve.floored(1.0)
        slope = abs(steepness(floored, [value], [half], logarithm=True).slope[0])
        others = np.linspace(value - half, value + half, 200)

        off = np.abs(np.log(floored.at(others)) - np.log(floored.at(value)))
        # Where nothing bends it is the delta method, which follows a straight line.
        if steepness(floored, [value], [half], logarithm=True).bent[0]:
            assert (off <= slope * np.abs(others - value) + 1e-7).all()
        np.testing.assert_allclose(floored.at(others), np.maximum(curve.at(others), 1.0), atol=1e-6)


def certain(*values: float, spread: float = 0.01) -> MeanCovariance:
    v = np.array([values])
    return MeanCovariance(
        v, np.eye(v.size)[None] * spread, np.full(v.shape, 50), np.full(v.shape, 50.0)
    )


def hundred(count: int) -> Goalposts:
    return Goalposts(np.zeros(count), np.full(count, 100.0))


class TestGeometric:
    def test_matches_human_development_of_ghana_2013(self) -> None:
        # UNDP Human Development Report 2013, technical note 1: its three indices and its result
        found = composite(
            certain(70.2, 59.6, 41.7), hundred(3), [1, 1, 1], aggregation=Aggregation.GEOMETRIC
        )

        assert found.estimate.value[0] / 100 == pytest.approx(0.558, abs=0.0016)

    def test_matches_costa_rica_in_the_human_development_report_2014(self) -> None:
        # UNDP Human Development Report 2014, technical note 1; income on the log scale
        ends = Goalposts(
            np.array([20.0, 0.0, 0.0, np.log(100)]), np.array([85.0, 15.0, 18.0, np.log(75_000)])
        )
        scores = goalpost_scores([79.93, 8.37, 13.50, np.log(13_011.7)], ends).score
        indices = [scores[0], scores[1:3].mean(), scores[3]]

        found = composite(certain(*indices), hundred(3), [1, 1, 1], aggregation="geometric")

        np.testing.assert_allclose(np.array(indices) / 100, [0.922, 0.654, 0.7355], atol=0.0006)
        assert found.estimate.value[0] / 100 == pytest.approx(0.763, abs=0.0006)

    def test_one_zero_does_not_make_all_of_it_zero(self) -> None:
        found = composite(certain(0.0, 81.0), hundred(2), [1, 1], aggregation="geometric")

        assert found.estimate.value.tolist() == [pytest.approx(9.0)]

    def test_weights_are_exponents_and_are_shared_out_over_what_is_there(self) -> None:
        means = certain(16.0, 81.0, np.nan)
        means.n[0, 2] = 0
        found = composite(means, hundred(3), [3, 1, 1], aggregation="geometric")

        assert found.estimate.value[0] == pytest.approx(16 ** (3 / 4) * 81 ** (1 / 4))
        assert found.coverage.tolist() == [0.8]

    def test_too_little_of_the_weight_is_no_composite_of_either_kind(self) -> None:
        means = certain(16.0, np.nan)
        means.n[0, 1] = 0

        found = composite(means, hundred(2), [1, 1], aggregation="geometric").estimate

        assert found.status.tolist() == [Status.INSUFFICIENT_COVERAGE]

    def test_its_standard_error_is_that_of_the_logarithm(self) -> None:
        found = composite(certain(40.0, 90.0), hundred(2), [1, 1], aggregation="geometric").estimate

        by_hand = np.sqrt((0.5 * 0.1 / 40) ** 2 + (0.5 * 0.1 / 90) ** 2)
        assert found.se[0] / found.value[0] == pytest.approx(by_hand)
        np.testing.assert_allclose(found.low * found.high, found.value**2)

    def test_equal_answers_get_the_interval_of_equal_answers(self) -> None:
        found = composite(
            certain(49.0, 81.0, spread=0.0), hundred(2), [1, 1], aggregation="geometric"
        ).estimate

        assert found.status.tolist() == [Status.ZERO_VARIANCE]
        assert found.low[0] < 63.0 < found.high[0]

    def test_a_change_is_the_difference_of_two_geometric_means(self) -> None:
        change = composite_change(
            certain(36.0, 100.0), certain(16.0, 25.0), hundred(2), [1, 1], aggregation="geometric"
        ).estimate

        assert change.value.tolist() == [pytest.approx(40.0)]
        assert change.low[0] < 40.0 < change.high[0]

    @given(st.lists(st.floats(1, 100), min_size=2, max_size=5))
    def test_is_never_above_the_arithmetic_one_and_the_same_where_all_are_equal(
        self, values: list[float]
    ) -> None:
        means, ends = certain(*values), hundred(len(values))
        weights = np.arange(1, len(values) + 1)
        geometric = composite(means, ends, weights, aggregation="geometric").estimate.value[0]
        arithmetic = composite(means, ends, weights).estimate.value[0]

        assert geometric <= arithmetic + 1e-9
        same = certain(*[values[0]] * len(values))
        assert composite(same, ends, weights, aggregation="geometric").estimate.value[
            0
        ] == pytest.approx(values[0])

    @given(st.floats(1, 100), st.floats(1, 100))
    def test_with_all_of_the_weight_on_one_it_is_that_one(self, one: float, other: float) -> None:
        found = composite(certain(one, other), hundred(2), [1, 0], aggregation="geometric")

        assert found.estimate.value[0] == pytest.approx(one)


def drawn(
    truths: list[float], together: float, *, seed: int = 11, people: int = PEOPLE
) -> MeanCovariance:
    """Means and covariances of so many people each, once a replicate."""
    rng = np.random.default_rng(seed)
    size = len(truths)
    covariance = SPREAD**2 * (np.eye(size) * (1 - together) + together)
    root = np.linalg.cholesky(covariance)
    means = np.array(truths) + rng.normal(0, 1, (REPLICATES, size)) @ root.T / np.sqrt(people)
    errors = rng.normal(0, 1, (REPLICATES, people - 1, size)) @ root.T
    found = np.einsum("rpa,rpb->rab", errors, errors) / (people - 1) / people
    n = np.full((REPLICATES, size), people)
    return MeanCovariance(means, found, n, n.astype(float))


def covered(
    curve: Curve, truths: list[float], *, together: float = 0.4, aggregation: str = "arithmetic"
) -> float:
    """Return the share of replicates whose interval holds the score of the true values."""
    size = len(truths)
    ends = Goalposts(np.zeros(size), np.ones(size), dict.fromkeys(range(size), curve))
    found = composite(drawn(truths, together), ends, np.ones(size), aggregation=aggregation)
    scores = curve.at(truths)
    true = scores.mean() if aggregation == "arithmetic" else np.exp(np.log(scores).mean())
    inside = (found.estimate.low <= true + 1e-9) & (true <= found.estimate.high + 1e-9)
    return float(inside.mean())


class TestCoverage:
    """How often a 95 % interval holds the truth: 4000 composites of means of 60 people each."""

    MIDDLE = nominal(8.0, 4.0)
    BENT = through([(0, 100), (5, 90), (15, 0)])

    @pytest.mark.parametrize("aggregation", list(Aggregation))
    def test_away_from_bends_it_is_the_usual_one(self, aggregation: str) -> None:
        share = covered(self.MIDDLE, [6.0, 6.5, 9.8], aggregation=aggregation)

        assert 0.93 <= share <= 0.97

    @pytest.mark.parametrize("aggregation", list(Aggregation))
    @pytest.mark.parametrize("count", [1, 2, 4, 8])
    def test_at_a_peak_it_is_not_below(self, aggregation: str, count: int) -> None:
        for together in (0.0, 0.4):
            share = covered(self.MIDDLE, [8.0] * count, together=together, aggregation=aggregation)
            assert share >= 0.93

    @pytest.mark.parametrize("beside", [0.05, 0.1, 0.2, 0.4])
    def test_beside_a_peak_neither(self, beside: float) -> None:
        for count in (1, 3, 6):
            assert covered(self.MIDDLE, [8.0 + beside] * count, together=0.0) >= 0.93
        assert covered(self.MIDDLE, [8.0 + beside, 8.0 - beside, 6.0], together=0.4) >= 0.93

    @pytest.mark.parametrize("count", [1, 3, 6])
    def test_where_a_line_bends_or_ends_neither(self, count: int) -> None:
        for at in (0.0, 4.9, 5.0, 5.2, 15.0):
            assert covered(self.BENT, [at] * count) >= 0.93

    def test_the_delta_method_alone_would_fail_at_a_peak(self) -> None:
        """Why the bend is minded: eight peaks by plain g' V g."""
        means = drawn([8.0] * 8, 0.0)
        slopes = np.where(means.value < 8, 25.0, -25.0) / 8
        se = np.sqrt(np.einsum("ra,rab,rb->r", slopes, means.covariance, slopes))
        off = 100 - self.MIDDLE.at(means.value).mean(axis=1)

        assert (off <= 1.96 * se).mean() < 0.75


def test_the_points_of_two_sources_bend_together_all_the_same() -> None:
    one = certain(8.0, spread=0.04)
    both = independent(one, one)
    ends = Goalposts(np.zeros(2), np.ones(2), dict.fromkeys((0, 1), nominal(8.0, 4.0)))

    alone = composite(one, Goalposts(np.zeros(1), np.ones(1), {0: nominal(8.0, 4.0)}), [1.0])
    assert composite(both, ends, [1, 1], groups=[0, 1]).estimate.se == pytest.approx(
        alone.estimate.se
    )
