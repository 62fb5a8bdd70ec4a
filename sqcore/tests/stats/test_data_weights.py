"""Weights from figures and combinations: published cases, invariants, and what cannot be."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.arrays import FloatArray
from sqcore.stats.data_weights import (
    Combination,
    DataWeights,
    combine,
    critic_weights,
    entropy_weights,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

NAN = np.nan
COMPANIES = [
    [61, 1.08, 4.33],
    [20.7, 0.26, 4.34],
    [16.3, 1.98, 2.53],
    [9, 3.29, 1.65],
    [5.4, 2.77, 2.33],
    [4, 4.12, 1.21],
    [-6.1, 3.52, 2.10],
    [-34.6, 3.31, 0.98],
]
"""Profitability, market share and productivity of pharmaceutical companies, as printed."""
TABLES = st.integers(2, 8).flatmap(
    lambda n: st.integers(2, 5).flatmap(
        lambda p: arrays(np.float64, (n, p), elements=st.integers(0, 100).map(float))
    )
)
METHODS = [entropy_weights, critic_weights]


def rows(*given: Sequence[float]) -> FloatArray:
    return np.array(given, dtype=np.float64)


def rounded(found: DataWeights, digits: int = 6) -> list[float]:
    assert found.weights is not None
    return [round(float(weight), digits) for weight in found.weights]


class TestPublished:
    def test_entropy_matches_scikit_criteria(self) -> None:
        # scikit-criteria, test_EntropyWeighter_simple_matrix
        assert rounded(entropy_weights([[1, 2], [4, 16]])) == [0.358889, 0.641111]

    def test_critic_matches_diakoulaki_1995(self) -> None:
        # Diakoulaki, Mavrotas, Papayannakis 1995, Computers and Operations Research 22(7):763-770
        found = critic_weights(COMPANIES)

        assert rounded(found, 8) == [0.20222554, 0.48090173, 0.31687273]
        assert (found.n, found.left_out, found.status) == (8, 0, MethodStatus.OK)


class TestEntropy:
    def test_by_hand(self) -> None:
        # One column alike: e 1. The other all in one unit: e 0.
        found = entropy_weights([[5, 8], [5, 0]])

        assert rounded(found) == [0.0, 1.0]
        assert found.spread.round(12).tolist() == [0.0, 1.0]

    def test_negative_figures_have_no_shares(self) -> None:
        found = entropy_weights([[1, -1], [2, 3]])

        assert (found.weights, found.status) == (None, MethodStatus.NOT_APPLICABLE)

    @given(table=TABLES)
    def test_the_unit_of_a_column_does_not_matter(self, table: FloatArray) -> None:
        found = entropy_weights(table)
        scaled = entropy_weights(table * np.geomspace(1, 1e6, table.shape[1]))

        assert found.weights is not None
        assert scaled.weights is not None
        assert scaled.weights == pytest.approx(found.weights, abs=1e-9)

    def test_a_column_of_zeros_says_nothing(self) -> None:
        assert rounded(entropy_weights([[0, 1], [0, 3], [0, 9]])) == [0.0, 1.0]

    def test_huge_figures_stay_numbers(self) -> None:
        assert rounded(entropy_weights([[1e308, 1e308], [1.5e308, 1e300]]), 3) == [0.028, 0.972]


class TestCritic:
    def test_a_constant_column_gets_no_weight(self) -> None:
        found = critic_weights([[1, 5, 9], [2, 5, 7], [3, 5, 8]])

        assert rounded(found)[1] == 0.0
        assert found.conflict is not None
        assert found.conflict[1] == 0.0

    def test_columns_that_say_the_same_cannot_be_told_apart(self) -> None:
        found = critic_weights([[1, 10], [2, 20], [3, 30]])

        assert (rounded(found), found.status) == ([0.5, 0.5], MethodStatus.SINGULAR)

    @given(table=TABLES, step=st.integers(-50, 50))
    def test_where_a_scale_begins_and_its_unit_do_not_matter(
        self, table: FloatArray, step: int
    ) -> None:
        found, moved = critic_weights(table), critic_weights(table * 3 + step)

        assert found.status == moved.status
        assert found.weights is not None
        assert moved.weights is not None
        assert moved.weights == pytest.approx(found.weights, abs=1e-7)


class TestBoth:
    @pytest.mark.parametrize("method", METHODS)
    @given(table=TABLES)
    def test_weights_sum_to_1_and_follow_the_columns(
        self, method: Callable[[FloatArray], DataWeights], table: FloatArray
    ) -> None:
        found, turned = method(table), method(table[::-1, ::-1])

        assert found.weights is not None
        assert turned.weights is not None
        assert found.weights.min() >= 0
        assert found.weights.sum() == pytest.approx(1)
        assert turned.weights[::-1] == pytest.approx(found.weights, abs=1e-9)

    @pytest.mark.parametrize("method", METHODS)
    def test_units_with_a_gap_are_left_out(
        self, method: Callable[[npt.ArrayLike], DataWeights]
    ) -> None:
        found = method(rows([1, 2], [NAN, 99], [4, 16], [2, 1]))

        assert (found.n, found.left_out) == (3, 1)
        assert rounded(found) == rounded(method([[1, 2], [4, 16], [2, 1]]))

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("table", [np.zeros((0, 2)), [[1, 2]], [[1, NAN], [NAN, 2]]])
    def test_of_fewer_than_two_units_there_are_none(
        self, method: Callable[[npt.ArrayLike], DataWeights], table: npt.ArrayLike
    ) -> None:
        found = method(table)

        assert (found.weights, found.status) == (None, MethodStatus.INSUFFICIENT_N)

    @pytest.mark.parametrize("method", METHODS)
    def test_where_all_units_are_alike_weights_are_equal_and_it_says_so(
        self, method: Callable[[npt.ArrayLike], DataWeights]
    ) -> None:
        found = method([[3, 7], [3, 7], [3, 7]])

        assert (rounded(found), found.status) == ([0.5, 0.5], MethodStatus.ZERO_VARIANCE)


class TestCombine:
    A, B = [0.5, 0.3, 0.2], [0.2, 0.2, 0.6]

    def test_additive_by_hand(self) -> None:
        found = combine(self.A, self.B, theta=0.25).weights

        assert found is not None
        assert found.round(12).tolist() == [0.275, 0.225, 0.5]

    def test_multiplicative_by_hand(self) -> None:
        # Products .10 .06 .12, sum .28
        found = combine(self.A, self.B, how=Combination.MULTIPLICATIVE).weights

        assert found == pytest.approx([10 / 28, 6 / 28, 12 / 28])

    def test_geometric_is_the_root_of_the_product(self) -> None:
        found = combine(self.A, self.B, how=Combination.GEOMETRIC).weights
        roots = np.sqrt(np.array(self.A) * np.array(self.B))

        assert found == pytest.approx(roots / roots.sum())

    def test_without_a_part_in_both_there_is_no_product(self) -> None:
        found = combine([1, 0], [0, 1], how=Combination.MULTIPLICATIVE)

        assert (found.weights, found.status) == (None, MethodStatus.NOT_APPLICABLE)

    @pytest.mark.parametrize("how", list(Combination))
    def test_of_two_equal_sets_additive_and_geometric_are_the_same(self, how: Combination) -> None:
        found = combine(self.A, [5, 3, 2], how=how).weights

        if how is Combination.MULTIPLICATIVE:
            assert found == pytest.approx([25 / 38, 9 / 38, 4 / 38])
        else:
            assert found == pytest.approx(self.A)

    @given(
        parts=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=6),
        theta=st.floats(0, 1),
        how=st.sampled_from(Combination),
    )
    def test_sums_to_1(
        self, parts: list[tuple[float, float]], theta: float, how: Combination
    ) -> None:
        a, b = [one for one, _two in parts], [two for _one, two in parts]
        if not any(a) or not any(b):
            return
        found = combine(a, b, how=how, theta=theta)

        assert (found.weights is None) == (found.status is not MethodStatus.OK)
        if found.weights is not None:
            assert found.weights.sum() == pytest.approx(1)
            assert found.weights.min() >= 0


REFUSED: dict[str, Callable[[], object]] = {
    "ragged values": lambda: entropy_weights([[1, 2], [1]]),
    "a row of values": lambda: entropy_weights([1, 2]),
    "infinite values": lambda: critic_weights(rows([1, np.inf], [1, 2])),
    "no columns": lambda: critic_weights(np.zeros((3, 0))),
    "words": lambda: critic_weights([["a"], ["b"]]),
    "weights of another length": lambda: combine([1, 2], [1]),
    "negative weights": lambda: combine([1, -1], [1, 1]),
    "weights all 0": lambda: combine([0, 0], [1, 1]),
    "NaN weights": lambda: combine([NAN, 1], [1, 1]),
    "no weights": lambda: combine([], []),
    "theta beyond 1": lambda: combine([1], [1], theta=1.1),
    "another way to combine": lambda: combine([1], [1], how="harmonic"),  # type: ignore[arg-type]
    "theta NaN": lambda: combine([1], [1], theta=NAN),
}


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_calls_are_refused(what: str) -> None:
    with pytest.raises(StatisticsError):
        REFUSED[what]()
