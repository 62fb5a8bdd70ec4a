from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.composite import composite
from sqcore.stats.estimates import Status, mean_covariance
from sqcore.stats.moments import Moments, moments_of
from sqcore.stats.scoring import Goalposts
from sqcore.stats.servqual import (
    Scores,
    dimension_scores,
    gap_scores,
    overall,
    weighted_scores,
)

TWENTY_TWO = np.repeat(np.arange(5), [4, 5, 4, 4, 5])
GAPS_12MANAGE = [-0.65, -1.1, -0.83, -0.7, -1.01]


def moments(scores: Scores) -> Moments:
    n = len(scores.values)
    return moments_of(scores.values, scores.present, None, np.zeros(n, dtype=int), 1)


class TestDimensionScores:
    @given(st.integers(0, 10_000))
    def test_is_the_exact_mean_of_what_is_answered(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        items, answered = rng.integers(1, 8, (6, 22)), rng.random((6, 22)) < 0.6
        scores = dimension_scores(items, answered, TWENTY_TWO)

        assert scores.scale == 60
        for row in range(6):
            for d in range(5):
                mine = [
                    int(items[row, i]) for i in range(22) if TWENTY_TWO[i] == d and answered[row, i]
                ]
                k = int(np.count_nonzero(d == TWENTY_TWO))
                present = len(mine) >= (k + 1) // 2
                assert scores.present[row, d] == present
                mean = Fraction(sum(mine), len(mine)) if present else Fraction(0)
                assert Fraction(int(scores.values[row, d]), 60) == mean

    def test_needs_half_of_the_items_rounded_up(self) -> None:
        items = np.full((3, 5), 4)
        answered = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)

        present = dimension_scores(items, answered, [0] * 5).present

        assert present.tolist() == [[False], [True], [False]]

    def test_does_not_look_at_what_is_not_answered(self) -> None:
        scores = dimension_scores([[7, 2**40]], [[True, False]], [0, 0])

        assert scores.values.tolist() == [[14]]


class TestGapScores:
    def test_counts_complete_pairs_only(self) -> None:
        gaps = gap_scores(
            [[7, 7, 7, 7]], [[6, 5, 1, 1]], [[1, 1, 0, 1]], [[1, 1, 1, 0]], [0, 0, 0, 0]
        )

        assert gaps.values.tolist() == [[-18]]
        assert gaps.scale == 12

    def test_is_missing_where_the_halves_do_not_meet(self) -> None:
        gaps = gap_scores(
            [[7, 7, 7, 7]], [[6, 5, 1, 1]], [[1, 1, 0, 0]], [[0, 1, 1, 1]], [0, 0, 0, 0]
        )

        assert gaps.present.tolist() == [[False]]


class TestOverall:
    def test_matches_12manage_example(self) -> None:
        gaps = np.rint(np.array([GAPS_12MANAGE, GAPS_12MANAGE]) * 100).astype(int)
        estimate = overall(moments(Scores(gaps, np.ones((2, 5), dtype=bool), 100)), scale=100)

        assert estimate.value.round(10).tolist() == [-0.858]

    def test_is_the_mean_of_dimensions_and_not_of_items(self) -> None:
        perceptions = np.array([[7] * 4 + [1] * 18] * 2)
        scores = dimension_scores(perceptions, np.ones((2, 22), dtype=bool), TWENTY_TWO)

        value = overall(moments(scores), scale=60).value[0]

        assert value == pytest.approx((7 + 4) / 5)
        assert value != pytest.approx(perceptions.mean())

    def test_knows_that_the_dimensions_of_a_person_go_together(self) -> None:
        rng = np.random.default_rng(1)
        alike = np.rint(rng.normal(300, 60, (200, 1)) + np.zeros((1, 5))).astype(int)
        scores = Scores(alike, np.ones((200, 5), dtype=bool), 60)

        estimate = overall(moments(scores), scale=60)

        one = alike[:, 0] / 60
        assert estimate.se[0] == pytest.approx(one.std(ddof=1) / np.sqrt(200))

    def test_lacks_a_dimension_that_nobody_answered(self) -> None:
        scores = Scores(np.full((3, 2), 60), np.array([[True, False]] * 3), 60)

        assert overall(moments(scores), scale=60).status.tolist() == [Status.NOT_APPLICABLE]

    def test_equals_the_composite_of_equal_weights(self) -> None:
        rng = np.random.default_rng(2)
        present = rng.random((80, 5)) < 0.8
        data = moments(Scores(rng.integers(60, 421, (80, 5)), present, 60))
        plain = overall(data, scale=60)

        scored = composite(
            mean_covariance(data, scale=1 / 60),
            Goalposts(np.full(5, 1.0), np.full(5, 7.0)),
            np.ones(5),
        ).estimate

        np.testing.assert_allclose(scored.value, (plain.value - 1) * 100 / 6)
        np.testing.assert_allclose(scored.se, plain.se * 100 / 6)


class TestWeightedScores:
    def test_matches_the_weighted_example_of_zeithaml_parasuraman_berry(self) -> None:
        gaps = np.rint(np.array([GAPS_12MANAGE]) * 100).astype(int)
        scores = Scores(gaps, np.ones((1, 5), dtype=bool), 100)

        weighted = weighted_scores(scores, [[11, 32, 22, 19, 16]])

        assert weighted.values.tolist() == [[-9007]]
        assert weighted.scale == 10_000

    def test_is_per_respondent_and_then_averaged(self) -> None:
        scores = Scores(np.array([[0, -60], [-60, 0]]), np.ones((2, 2), dtype=bool), 60)
        weighted = weighted_scores(scores, [[100, 0], [0, 100]])

        # Mean points times mean gaps would be -.5.
        assert weighted.values.tolist() == [[0], [0]]

    def test_rescales_points_that_nearly_sum_to_100_and_drops_others(self) -> None:
        scores = Scores(np.array([[60, 0]] * 3), np.ones((3, 2), dtype=bool), 60)
        weighted = weighted_scores(scores, [[55, 55], [80, 9], [50, 50]], fallback=[20, 80])

        assert weighted.values.tolist() == [[3000], [1200], [3000]]

    def test_falls_back_to_the_mean_points_of_the_others(self) -> None:
        scores = Scores(np.array([[60, 0]] * 2), np.ones((2, 2), dtype=bool), 60)
        weighted = weighted_scores(scores, [[0, 0], [30, 70]])

        assert weighted.values.tolist() == [[1800], [1800]]

    def test_weighs_only_the_dimensions_that_are_present(self) -> None:
        scores = Scores(np.array([[60, 0], [60, 0]]), np.array([[True, False]] * 2), 60)
        weighted = weighted_scores(scores, [[30, 70], [0, 100]])

        assert weighted.values.tolist() == [[6000], [0]]
        assert weighted.present.tolist() == [[True], [False]]
