from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.stats.arrays import FloatArray, IntArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.raking import Collapsed, Raked, design_effect, rake
from sqcore.stats.results import MethodStatus


def respondents(table: list[list[int]]) -> tuple[IntArray, IntArray]:
    """Return row and column of each respondent of a table of counts."""
    counts = np.array(table)
    row, column = np.indices(counts.shape)
    return np.repeat(row.ravel(), counts.ravel()), np.repeat(column.ravel(), counts.ravel())


def totals(codes: IntArray, found: Raked, size: int) -> FloatArray:
    return np.asarray(np.bincount(codes, weights=found.weights, minlength=size) / found.n)


# The table by which the method is usually shown, also at en.wikipedia.org, "Iterative
# proportional fitting"; fitted values as in the documentation of ProportionalFitting.jl.
SEED = [[40, 30, 20, 10], [35, 50, 100, 75], [30, 80, 70, 120], [20, 30, 40, 50]]
ROWS, COLUMNS = [150, 300, 400, 150], [200, 300, 400, 100]
FITTED = [
    [64.5585, 46.2325, 35.3843, 3.82473],
    [49.9679, 68.1594, 156.499, 25.3742],
    [56.7219, 144.428, 145.082, 53.7673],
    [28.7516, 41.18, 63.0347, 17.0337],
]


class TestRake:
    def test_matches_the_usual_table(self) -> None:
        row, column = respondents(SEED)
        found = rake(
            [row, column], [ROWS, COLUMNS], lowest=0, highest=float("inf"), tolerance=1e-10
        )

        cell = np.bincount(4 * row + column, weights=found.weights).reshape(4, 4)
        np.testing.assert_allclose(1000 * cell / found.n, FITTED, rtol=1e-5)
        assert found.has_converged
        assert found.collapsed == ()
        assert found.trimmed == 0

    def test_one_margin_is_plain_post_stratification(self) -> None:
        found = rake([[0] * 30 + [1] * 10], [[50, 50]])

        assert found.weights.round(9).tolist() == [round(2 / 3, 9)] * 30 + [2.0] * 10
        assert found.deff == pytest.approx(40 * (30 * 4 / 9 + 40) / 1600)
        assert found.effective == pytest.approx(30)
        assert found.rounds <= 2

    @given(st.integers(0, 200))
    @settings(max_examples=40)
    def test_meets_every_margin_and_keeps_the_mean_and_the_limits(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        row, column = chance.integers(0, 3, 200), chance.integers(0, 2, 200)
        targets = [chance.uniform(0.8, 1.2, 3), chance.uniform(0.8, 1.2, 2)]
        found = rake([row, column], targets)

        assert found.has_converged
        for codes, target in zip((row, column), targets, strict=True):
            share = target / target.sum()
            np.testing.assert_allclose(totals(codes, found, len(target)), share, atol=2e-6)
        assert found.weights.mean() == pytest.approx(1)
        assert found.weights.min() >= 0.3 - 1e-9
        assert found.weights.max() <= 3 + 1e-9
        assert (found.deff or 0) >= 1
        assert (found.effective or 0) <= 200

    @given(st.permutations(range(60)))
    @settings(max_examples=20)
    def test_the_order_of_respondents_does_not_matter(self, order: list[int]) -> None:
        row, column = np.arange(60) % 3, np.arange(60) // 7 % 2
        targets = [[1, 2, 3], [3, 2]]
        one, other = rake([row, column], targets), rake([row[order], column[order]], targets)

        np.testing.assert_allclose(other.weights, one.weights[order], atol=1e-9)

    def test_weights_are_trimmed_and_what_is_left_off_is_told(self) -> None:
        found = rake([[0] * 98 + [1] * 2], [[50, 50]])

        assert found.weights.max() == pytest.approx(3)
        assert found.trimmed == pytest.approx(0.02)
        assert not found.has_converged
        assert found.off == pytest.approx(0.5 - 0.06)
        assert found.weights.mean() == pytest.approx(1)

    def test_a_category_without_respondents_goes_to_the_others_and_is_told(self) -> None:
        codes = [0] * 10 + [2] * 10
        found = rake([codes, [0] * 20], [[30, 40, 30], [1]])

        assert found.collapsed == (Collapsed(margin=0, category=1, target=0.4),)
        assert found.weights.tolist() == pytest.approx([1.0] * 20)
        assert found.has_converged

    def test_a_category_that_nobody_falls_into_is_not_missed(self) -> None:
        assert rake([[0, 0, 1]], [[1, 1, 0]]).collapsed == ()

    def test_starting_weights_keep_their_relation_within_a_cell(self) -> None:
        found = rake([[0, 0, 1, 1]], [[1, 1]], start=[1, 2, 1, 1])

        assert found.weights[1] / found.weights[0] == pytest.approx(2)
        assert found.weights[:2].sum() == pytest.approx(2)

    def test_contradicting_margins_end_and_say_how_far_they_are_off(self) -> None:
        same = [0] * 10 + [1] * 10
        found = rake([same, same], [[1, 1], [3, 1]], rounds=50)

        assert not found.has_converged
        assert found.off == pytest.approx(0.25)
        assert np.isfinite(found.weights).all()

    def test_nobody_has_no_weights(self) -> None:
        found = rake([[]], [[1, 1]])

        assert (found.status, found.n) == (MethodStatus.INSUFFICIENT_N, 0)
        assert (found.deff, found.effective, len(found.weights)) == (None, None, 0)


class TestDesignEffect:
    def test_is_1_for_equal_weights_of_any_size(self) -> None:
        assert design_effect([0.1] * 7) == 1
        assert design_effect([1e200, 1e200]) == 1

    def test_matches_kish(self) -> None:
        # n sum w^2 / (sum w)^2 = 3 x 6 / 16
        assert design_effect([1, 1, 2]) == pytest.approx(1.125)


REFUSED: dict[str, Callable[[], object]] = {
    "no margin": lambda: rake([], []),
    "targets of another margin": lambda: rake([[0]], [[1], [1]]),
    "margins of others": lambda: rake([[0], [0, 0]], [[1], [1]]),
    "a table as margin": lambda: rake([[[0]]], [[1]]),
    "a fraction as code": lambda: rake([[0.5]], [[1, 1]]),
    "ragged codes": lambda: rake([[[0], [0, 1]]], [[1, 1]]),
    "a negative code": lambda: rake([[-1]], [[1, 1]]),
    "a code without target": lambda: rake([[2]], [[1, 1]]),
    "a target of 0 where somebody answered": lambda: rake([[0]], [[0, 1]]),
    "targets that are all 0": lambda: rake([[0]], [[0, 0]]),
    "a negative target": lambda: rake([[0]], [[1, -1]]),
    "a target that is NaN": lambda: rake([[0]], [[1, np.nan]]),
    "limits that leave out 1": lambda: rake([[0]], [[1]], lowest=1.5),
    "no rounds": lambda: rake([[0]], [[1]], rounds=0),
    "a tolerance of 0": lambda: rake([[0]], [[1]], tolerance=0),
    "a starting weight of 0": lambda: rake([[0]], [[1]], start=[0]),
    "starting weights of others": lambda: rake([[0]], [[1]], start=[1, 1]),
    "no weights": lambda: design_effect([]),
    "a negative weight": lambda: design_effect([1, -1]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
