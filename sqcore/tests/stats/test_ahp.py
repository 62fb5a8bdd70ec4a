from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from sqcore.stats.ahp import (
    LARGEST,
    STRICT,
    USUAL,
    Aggregation,
    AhpStatus,
    Prioritisation,
    RandomIndices,
    comparison_matrix,
    group_priorities,
    priorities,
    random_index,
    reciprocal,
)
from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError

NAN = np.nan
DRINKS: list[list[float]] = [
    [1, 9, 5, 2, 1, 1, 1 / 2],
    [1 / 9, 1, 1 / 3, 1 / 9, 1 / 9, 1 / 9, 1 / 9],
    [1 / 5, 3, 1, 1 / 3, 1 / 4, 1 / 3, 1 / 9],
    [1 / 2, 9, 3, 1, 1 / 2, 1, 1 / 3],
    [1, 9, 4, 2, 1, 2, 1 / 2],
    [1, 9, 3, 1, 1 / 2, 1, 1 / 3],
    [2, 9, 9, 3, 2, 3, 1],
]
"""Consumption of drinks in the USA, in pairs: coffee, wine, tea, beer, soda, milk, water."""
SCALE = [1 / 9, 1 / 7, 1 / 5, 1 / 3, 1 / 2, 1, 2, 3, 5, 7, 9]


def upper(*rows: list[float]) -> FloatArray:
    """A matrix from what stands right of its diagonal."""
    matrix = np.full((len(rows) + 1, len(rows) + 1), NAN)
    np.fill_diagonal(matrix, 1.0)
    for i, row in enumerate(rows):
        matrix[i, i + 1 :] = row
    return matrix


LEADER = upper([4, 3, 7], [1 / 3, 3], [5])
CIRCLE = upper([3, 1], [2])


def random_matrix(seed: int, n: int = 5, present: float = 1.0) -> FloatArray:
    """Judgements from the scale; the chain 0-1-2-... is always there."""
    rng = np.random.default_rng(seed)
    raw = np.full((n, n), NAN)
    np.fill_diagonal(raw, 1.0)
    for i in range(n):
        for j in range(i + 1, n):
            if j == i + 1 or rng.random() < present:
                raw[i, j] = rng.choice(SCALE)
    return reciprocal(raw)


def consistent(weights: FloatArray) -> FloatArray:
    return weights[:, None] / weights


class TestPublished:
    def test_drinks(self) -> None:
        # Saaty 2008, Int. J. Services Sciences 1(1):83-98
        found = priorities(DRINKS)

        np.testing.assert_allclose(
            found.weights, [0.177, 0.019, 0.042, 0.116, 0.190, 0.129, 0.327], atol=0.0006
        )
        assert found.consistency is not None
        assert found.consistency.cr == pytest.approx(0.022, abs=0.0006)
        assert found.consistency.lambda_max == pytest.approx(7.176629, abs=1e-6)
        assert found.consistency.ri == random_index(7)

    def test_drinks_by_the_geometric_mean(self) -> None:
        found = priorities(DRINKS, method=Prioritisation.GEOMETRIC_MEAN)

        np.testing.assert_allclose(
            found.weights,
            [0.178723, 0.018461, 0.042234, 0.116498, 0.191136, 0.128625, 0.324323],
            atol=1e-6,
        )

    def test_a_leader(self) -> None:
        # Wikipedia, "Analytic hierarchy process - leader example": experience, education,
        # charisma, age
        found = priorities(LEADER)

        np.testing.assert_allclose(found.weights, [0.547, 0.127, 0.270, 0.056], atol=0.0006)
        assert found.consistency is not None
        assert found.consistency.cr == pytest.approx(0.044, abs=0.001)

    def test_the_bank_of_the_ready_system(self) -> None:
        # sqcore/indicators/ready/bank.toml: its weights and ratio, computed elsewhere
        found = priorities(upper([2, 2, 3, 4], [1, 2, 3], [2, 2], [1]))

        assert found.weights.round(4).tolist() == [0.3803, 0.2192, 0.2007, 0.1067, 0.0931]
        assert found.consistency is not None
        assert round(found.consistency.cr, 3) == 0.007

    def test_random_indices(self) -> None:
        # Saaty 1980; Alonso and Lamata 2006: CR = (lambda - n) / (2.7699 n - 4.3513 - n)
        saaty = [random_index(n) for n in range(3, 11)]

        assert [found.value for found in saaty if found] == [
            0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49
        ]  # fmt: skip
        fitted = priorities(DRINKS, indices=RandomIndices.ALONSO_LAMATA).consistency
        assert fitted is not None
        assert fitted.cr == pytest.approx(0.1766290393 / (2.7699 * 7 - 4.3513 - 7), rel=1e-9)

    def test_the_page_by_hand(self) -> None:
        # docs/methods/ahp.md; for three things lambda = 1 + c + 1/c with c the cube root of
        # a12 a23 / a13, and the eigenvector is the geometric mean
        found = priorities(CIRCLE)

        c = 6 ** (1 / 3)
        assert found.consistency is not None
        assert found.consistency.lambda_max == pytest.approx(1 + c + 1 / c, rel=1e-12)
        assert found.weights.round(4).tolist() == [0.4638, 0.2809, 0.2552]
        assert round(found.consistency.ci, 4) == 0.1837
        assert round(found.consistency.cr, 3) == 0.317
        assert found.worst is not None
        assert (found.worst.i, found.worst.j, found.worst.k) == (0, 1, 2)
        assert (found.worst.ij, found.worst.jk, found.worst.ik) == (3, 2, 1)
        assert found.worst.fits == 6

    def test_mending_the_worst_triple_makes_three_consistent(self) -> None:
        mended = priorities(upper([3, 6], [2]))

        assert mended.weights.round(4).tolist() == [0.6667, 0.2222, 0.1111]
        assert mended.consistency is not None
        assert mended.consistency.cr == pytest.approx(0, abs=1e-12)
        assert mended.worst is None


class TestPriorities:
    @given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9), st.sampled_from(Prioritisation))
    def test_consistent_judgements_give_back_their_weights(
        self, raw: list[float], method: Prioritisation
    ) -> None:
        weights = np.array(raw) / sum(raw)

        found = priorities(consistent(weights), method=method)

        np.testing.assert_allclose(found.weights, weights, rtol=1e-9)
        assert found.consistency is not None
        assert found.consistency.cr == pytest.approx(0, abs=1e-9)
        assert found.worst is None

    @settings(deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from(Prioritisation), st.sampled_from([1.0, 0.5]))
    def test_the_order_of_things_does_not_matter(
        self, seed: int, method: Prioritisation, present: float
    ) -> None:
        matrix = random_matrix(seed, present=present)
        order = np.random.default_rng(seed).permutation(5)

        plain = priorities(matrix, method=method)
        turned = priorities(matrix[np.ix_(order, order)], method=method)

        np.testing.assert_allclose(turned.weights, plain.weights[order], rtol=1e-6)
        assert plain.consistency is not None
        assert turned.consistency is not None
        assert turned.consistency.cr == pytest.approx(plain.consistency.cr, abs=1e-8)

    @given(st.integers(0, 10_000))
    def test_the_eigenvector_is_one(self, seed: int) -> None:
        matrix = random_matrix(seed, n=7)

        found = priorities(matrix)

        values, vectors = np.linalg.eig(matrix)
        first = int(values.real.argmax())
        vector = np.abs(vectors[:, first].real)
        np.testing.assert_allclose(found.weights, vector / vector.sum(), rtol=1e-8)
        assert found.consistency is not None
        assert found.consistency.lambda_max == pytest.approx(values[first].real, rel=1e-10)

    def test_a_circle_of_extreme_judgements_ends(self) -> None:
        found = priorities(upper([1e6, 1e-6], [1e6]))

        np.testing.assert_allclose(found.weights, [1 / 3] * 3, rtol=1e-9)

    def test_two_things_cannot_contradict(self) -> None:
        found = priorities(upper([4]))

        assert found.weights.round(9).tolist() == [0.8, 0.2]
        assert found.consistency is not None
        assert (found.consistency.cr, found.consistency.ri) == (0, None)

    def test_one_thing_has_all_the_weight(self) -> None:
        found = priorities([[1]])

        assert found.ok
        assert found.weights.tolist() == [1]
        assert (found.given, found.possible) == (0, 0)

    def test_beyond_saatys_table_the_index_says_whose_it_is(self) -> None:
        index = random_index(12)

        assert index is not None
        assert index.name == RandomIndices.ALONSO_LAMATA
        assert index.value == pytest.approx((1.7699 * 12 - 4.3513) / 11)

    def test_limits_can_be_strict(self) -> None:
        assert [USUAL.of(n) for n in (3, 4, 5)] == [0.10, 0.10, 0.10]
        assert [STRICT.of(n) for n in (3, 4, 5)] == [0.05, 0.08, 0.10]


class TestIncomplete:
    def test_a_chain_decides_the_weights_and_cannot_contradict(self) -> None:
        found = priorities(comparison_matrix({(0, 1): 2, (1, 2): 3}, 3))

        np.testing.assert_allclose(found.weights, [0.6, 0.3, 0.1], rtol=1e-9)
        assert found.consistency is not None
        assert (found.consistency.cr, found.consistency.ri) == (0, None)
        assert (found.given, found.possible) == (2, 3)

    @settings(deadline=None)
    @given(st.integers(0, 10_000))
    def test_least_squares_leave_the_least_squares(self, seed: int) -> None:
        matrix = random_matrix(seed, n=6, present=0.4)

        logs = np.log(priorities(matrix, method=Prioritisation.GEOMETRIC_MEAN).weights)

        residual = np.where(np.isnan(matrix), 0, np.log(matrix) - (logs[:, None] - logs))
        np.testing.assert_allclose(residual.sum(axis=1), 0, atol=1e-9)

    def test_the_completion_has_the_least_eigenvalue(self) -> None:
        matrix = random_matrix(3)
        matrix[0, 4] = matrix[4, 0] = NAN

        def root(y: float) -> float:
            full = matrix.copy()
            full[0, 4], full[4, 0] = np.exp(y), np.exp(-y)
            return float(np.linalg.eigvals(full).real.max())

        least = minimize_scalar(root, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10})

        found = priorities(matrix).consistency
        assert found is not None
        assert found.lambda_max == pytest.approx(least.fun, rel=1e-9)
        assert found.ri is not None
        assert found.ri.value == pytest.approx(1.12 * (1 - 1 / 6))

    def test_what_is_not_linked_is_named(self) -> None:
        found = priorities(comparison_matrix({(0, 2): 2, (1, 3): 3}, 5))

        assert found.status == AhpStatus.NOT_CONNECTED
        assert found.status.reason
        assert found.parts == ((0, 2), (1, 3), (4,))
        assert np.isnan(found.weights).all()
        assert found.consistency is None


class TestWorstTriple:
    def test_names_the_comparison_that_all_others_speak_against(self) -> None:
        matrix = consistent(np.array([8.0, 4.0, 2.0, 1.0]))
        matrix[1, 3], matrix[3, 1] = 1 / 4, 4.0

        found = priorities(matrix).worst

        assert found is not None
        assert {found.i, found.k} == {1, 3}
        assert found.fits == pytest.approx(4 if found.i == 1 else 1 / 4)
        assert found.deviation == pytest.approx(np.log(16))

    @given(st.integers(0, 10_000))
    def test_no_other_three_contradict_more(self, seed: int) -> None:
        matrix = random_matrix(seed)
        logs = np.log(matrix)

        found = priorities(matrix).worst

        most = np.abs(logs[:, :, None] + logs[None] - logs[:, None]).max()
        assert (found.deviation if found else 0) == pytest.approx(most, abs=1e-8)
        if found:
            assert abs(np.log(found.fits / found.ik)) == pytest.approx(found.deviation)


class TestGroup:
    @given(st.integers(0, 10_000), st.lists(st.floats(0.1, 3), min_size=3, max_size=3))
    def test_the_mean_of_judgements_is_reciprocal_whoever_names_first(
        self, seed: int, power: list[float]
    ) -> None:
        experts = [random_matrix(seed + k) for k in range(3)]

        plain = group_priorities(experts, exponents=power, aggregation=Aggregation.JUDGEMENTS)
        turned = group_priorities([each.T for each in experts], exponents=power)

        # Everybody turned round turns the group round: only the geometric mean does that.
        mean = np.exp(sum(p * np.log(e) for p, e in zip(power, experts, strict=True)) / sum(power))
        np.testing.assert_allclose(mean * mean.T, 1, rtol=1e-12)
        np.testing.assert_allclose(plain.together.weights, priorities(mean).weights, rtol=1e-9)
        np.testing.assert_allclose(turned.together.weights, priorities(mean.T).weights, rtol=1e-9)

    @given(st.integers(0, 10_000), st.lists(st.floats(0.1, 3), min_size=3, max_size=3))
    def test_with_geometric_means_both_aggregations_agree(
        self, seed: int, power: list[float]
    ) -> None:
        experts = [random_matrix(seed + k) for k in range(3)]

        both = [
            group_priorities(
                experts,
                exponents=power,
                aggregation=aggregation,
                method=Prioritisation.GEOMETRIC_MEAN,
            ).together.weights
            for aggregation in Aggregation
        ]

        np.testing.assert_allclose(both[0], both[1], rtol=1e-9)

    def test_equal_experts_are_one(self) -> None:
        found = group_priorities([LEADER, LEADER], exponents=[1, 4])

        np.testing.assert_allclose(found.together.weights, priorities(LEADER).weights, rtol=1e-9)
        np.testing.assert_allclose(found.low, found.high, rtol=1e-12)

    def test_exponents_count_an_expert_more(self) -> None:
        found = group_priorities([upper([8]), upper([1])], exponents=[2, 1])

        np.testing.assert_allclose(found.together.weights, [0.8, 0.2], rtol=1e-9)
        np.testing.assert_allclose(found.high, [8 / 9, 1 / 2], rtol=1e-9)

    def test_who_contradicts_too_much_is_left_out(self) -> None:
        fair = consistent(np.array([0.6, 0.3, 0.1]))

        found = group_priorities([fair, CIRCLE], leave_out_above=0.1)

        assert found.kept.tolist() == [True, False]
        np.testing.assert_allclose(found.together.weights, [0.6, 0.3, 0.1], rtol=1e-9)
        assert found.experts[1].ok

    def test_who_has_not_linked_everything_is_left_out(self) -> None:
        part = comparison_matrix({(0, 1): 2}, 3)

        found = group_priorities([consistent(np.array([0.6, 0.3, 0.1])), part])

        assert found.kept.tolist() == [True, False]

    def test_a_pair_is_averaged_over_those_who_compared_it(self) -> None:
        chain = comparison_matrix({(0, 1): 2, (1, 2): 3}, 3)
        other = comparison_matrix({(0, 1): 8, (0, 2): 6}, 3)

        found = group_priorities([chain, other], method=Prioritisation.GEOMETRIC_MEAN)

        whole = comparison_matrix({(0, 1): 4, (1, 2): 3, (0, 2): 6}, 3)
        np.testing.assert_allclose(
            found.together.weights,
            priorities(whole, method=Prioritisation.GEOMETRIC_MEAN).weights,
            rtol=1e-9,
        )

    def test_without_anybody_left_there_are_no_weights(self) -> None:
        found = group_priorities([CIRCLE], leave_out_above=0.1)

        assert found.together.status == AhpStatus.NOBODY_LEFT
        assert np.isnan(found.together.weights).all()
        assert np.isnan(found.low).all()
        assert found.together.possible == 3


REFUSED = {
    "a row": [1, 2],
    "an oblong": [[1, 2, 3], [1, 1, 1]],
    "no things": np.ones((0, 0)),
    "words": [["a"]],
    "too many things": np.ones((LARGEST + 1, LARGEST + 1)),
    "a comparison of 0": [[1, 0], [NAN, 1]],
    "a negative comparison": [[1, -2], [NAN, 1]],
    "an infinite comparison": [[1, np.inf], [0.1, 1]],
    "a diagonal of 2": [[2, 3], [1 / 3, 1]],
    "a diagonal that is missing": [[NAN, 3], [1 / 3, 1]],
    "two directions that contradict": [[1, 3], [3, 1]],
}


@pytest.mark.parametrize("matrix", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_a_matrix(matrix: object) -> None:
    with pytest.raises(StatisticsError):
        priorities(matrix)  # type: ignore[arg-type]  # what is no matrix at all, too
    with pytest.raises(StatisticsError):
        group_priorities([[[1, 1], [1, 1]], matrix])  # type: ignore[list-item]


@pytest.mark.parametrize("choice", ["method", "indices"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_refuses_a_choice_that_is_none(choice: str, n: int) -> None:
    other: dict[str, Any] = {choice: "logarithmic"}

    with pytest.raises(StatisticsError, match="'logarithmic'"):
        priorities(np.ones((n, n)), **other)
    with pytest.raises(StatisticsError, match="'logarithmic'"):
        group_priorities([np.ones((n, n))], **other)


def test_refuses_an_aggregation_and_indices_that_are_none() -> None:
    other: Any = "harmonic"

    with pytest.raises(StatisticsError, match="no aggregation 'harmonic'"):
        group_priorities([np.ones((3, 3))], aggregation=other)
    with pytest.raises(StatisticsError, match="no random index 'harmonic'"):
        random_index(2, indices=other)


def test_rounded_reciprocals_are_no_contradiction() -> None:
    assert reciprocal(np.array([[1, 3], [0.3333, 1]]))[0, 1] == pytest.approx(3, rel=1e-3)
    assert reciprocal(np.array([[1, NAN], [0.25, 1]])).tolist() == [[1, 4], [0.25, 1]]
