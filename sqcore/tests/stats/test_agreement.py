"""How far experts agree: published tables, a package, hand arithmetic, and what cannot be."""

from collections.abc import Callable, Sequence
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.agreement import (
    Agreement,
    ProbabilityBy,
    Settling,
    Spread,
    delphi_settled,
    kendalls_w,
    spread,
)
from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

NAN = np.nan
ANXIETY = [
    [3, 3, 3, 4, 5, 5, 2, 3, 5, 2, 2, 6, 1, 5, 2, 2, 1, 2, 4, 3],
    [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
    [2, 1, 4, 4, 3, 2, 1, 6, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2],
]
"""Three raters of the anxiety of twenty people: the data set `anxiety` of R's package irr."""
SCORES = st.integers(2, 5).flatmap(
    lambda m: st.integers(2, 4).flatmap(
        lambda n: arrays(np.float64, (m, n), elements=st.integers(1, 10).map(float))
    )
)


def table(*rows: Sequence[float]) -> FloatArray:
    return np.array(rows, dtype=np.float64)


class TestPublished:
    def test_matches_r_irr_kendall_on_anxiety(self) -> None:
        # irr::kendall(anxiety, TRUE): corrected for ties
        found = kendalls_w(ANXIETY)

        assert found.w == pytest.approx(0.5396568759544, abs=1e-12)
        assert found.chi2 == pytest.approx(30.760441929399, abs=1e-10)
        assert found.p == pytest.approx(0.04288347312695, abs=1e-10)
        assert (found.df, found.experts, found.items) == (19, 3, 20)
        assert found.p_by is ProbabilityBy.CHI_SQUARED

    @pytest.mark.parametrize(
        ("third", "chi2", "p"),
        [
            ([1, 2, 3], 6.0, 0.028),
            ([2, 1, 3], 4.667, 0.194),
            ([3, 1, 2], 2.0, 0.528),
        ],
    )
    def test_matches_friedman_1937_table_for_three_by_three(
        self, third: list[int], chi2: float, p: float
    ) -> None:
        # Friedman 1937, JASA 32:675-701, table V; also Siegel 1956, table N
        found = kendalls_w([[1, 2, 3], [1, 2, 3], third])

        assert found.chi2 == pytest.approx(chi2, abs=5e-4)
        assert found.p == pytest.approx(p, abs=5e-4)
        assert found.p_by is ProbabilityBy.EXACT

    def test_four_who_all_agree_on_three_are_one_in_216(self) -> None:
        assert kendalls_w([[1, 2, 3]] * 4).p == pytest.approx(1 / 216)


class TestKendallsW:
    def test_by_hand_with_ties(self) -> None:
        # Ranks 1 2 3 and 1.5 1.5 3: sums 2.5 3.5 6, S = 6.5; 12 S / (4 x 24 - 2 x 6) = 78 / 84
        found = kendalls_w([[1, 2, 3], [5, 5, 9]])

        assert found.w == pytest.approx(78 / 84)

    def test_who_did_not_score_all_is_left_out(self) -> None:
        found = kendalls_w(table([1, 2, 3], [3, NAN, 1], [1, 2, 3]))

        assert (found.w, found.experts, found.left_out) == (1.0, 2, 1)

    @pytest.mark.parametrize(
        ("ratings", "status"),
        [
            ([[1, 2, 3]], MethodStatus.INSUFFICIENT_N),
            ([[1], [2]], MethodStatus.INSUFFICIENT_N),
            (np.zeros((0, 3)), MethodStatus.INSUFFICIENT_N),
            ([[1, NAN], [NAN, 2]], MethodStatus.INSUFFICIENT_N),
            ([[5, 5, 5], [7, 7, 7]], MethodStatus.ZERO_VARIANCE),
        ],
    )
    def test_without_a_number_it_says_why(
        self, ratings: npt.ArrayLike, status: MethodStatus
    ) -> None:
        found = kendalls_w(ratings)

        assert (found.w, found.chi2, found.p, found.status) == (None, None, None, status)

    def test_one_who_ties_all_says_nothing_about_order(self) -> None:
        assert kendalls_w([[1, 2, 3], [1, 2, 3], [4, 4, 4]]).w == pytest.approx(12 * 8 / 144)

    def test_negative_and_huge_scores_are_orders_like_others(self) -> None:
        assert kendalls_w(table([-1e300, 0, 1e300], [-3, -2, -1])).w == 1.0

    def test_many_orders_are_drawn_the_same_way_each_time(self) -> None:
        ratings = [[1, 2, 3, 4, 5, 6], [2, 1, 3, 4, 6, 5], [1, 3, 2, 5, 4, 6]]

        found = kendalls_w(ratings)

        assert found.p_by is ProbabilityBy.PERMUTATION
        assert found == kendalls_w(ratings)
        assert found.p is not None
        assert 0 < found.p < 0.01

    @given(ratings=SCORES)
    def test_lies_between_0_and_1_and_knows_no_order_of_people_or_things(
        self, ratings: FloatArray
    ) -> None:
        found = kendalls_w(ratings)
        turned = kendalls_w(ratings[::-1, ::-1])

        assert (found.w is None) == (found.status is not MethodStatus.OK)
        if found.w is not None:
            assert 0 <= found.w <= 1
            assert turned.w == pytest.approx(found.w, abs=1e-12)
            assert kendalls_w(ratings * 3 + 1).w == found.w

    def test_the_exact_probability_agrees_with_looking_at_every_order(self) -> None:
        ratings = [[1, 2, 2], [3, 1, 2], [1, 1, 2]]

        every = [
            kendalls_w(list(orders)).w or 0.0
            for orders in product(*(list(permutations(row)) for row in ratings))
        ]

        found = kendalls_w(ratings)
        assert found.w is not None
        assert found.p == pytest.approx(np.mean(np.array(every) >= found.w - 1e-12))


class TestSpread:
    def test_by_hand(self) -> None:
        # 6 8 10: mean 8, sd 2, t(2) .975 = 4.3027; half = 4.3027 x 2 / sqrt 3 = 4.9683
        only = spread([[6], [8], [10]])[0]

        assert (only.mean.value, only.median, only.iqr) == (8.0, 8.0, 2.0)
        assert only.mean.low == pytest.approx(8 - 4.9683, abs=1e-4)
        assert only.mean.high == pytest.approx(8 + 4.9683, abs=1e-4)
        assert (only.cv.value, only.cv.n) == (0.25, 3)

    def test_counts_only_who_scored_the_item(self) -> None:
        first, second, third = spread([[4, 7, NAN], [6, NAN, NAN]])

        assert (first.mean.value, first.mean.n) == (5.0, 2)
        assert (second.mean.value, second.mean.low, second.mean.n) == (7.0, None, 1)
        assert second.cv.status is MethodStatus.INSUFFICIENT_N
        assert (third.mean.value, third.median) == (None, None)
        assert third.mean.status is MethodStatus.INSUFFICIENT_N

    def test_without_a_positive_mean_there_is_no_cv(self) -> None:
        for scores in ([[-1], [1]], [[0], [0]], [[-3], [-5]]):
            assert spread(scores)[0].cv.status is MethodStatus.NOT_APPLICABLE

    def test_equal_scores_spread_by_nothing(self) -> None:
        only = spread([[8], [8], [8]])[0]

        assert (only.mean.low, only.mean.high, only.iqr, only.cv.value) == (8.0, 8.0, 0.0, 0.0)

    def test_huge_scores_stay_numbers(self) -> None:
        only = spread([[1e308], [-1e308], [1.7e308]])[0]

        assert only.mean.value == pytest.approx(1.7e308 / 3)
        assert (only.mean.low, only.mean.high) == (None, None)


class TestSettled:
    def agreement(self, w: float | None) -> Agreement:
        return Agreement(w, None, 2, None, ProbabilityBy.EXACT, 4, 0, 3)

    NARROW = spread([[7, 8, 5], [8, 8, 5], [8, 9, 6]])
    WIDE = spread([[1, 8, 5], [10, 8, 5], [5, 9, 6]])

    def test_strong_agreement_ends_the_rounds(self) -> None:
        found = delphi_settled(self.agreement(0.7), self.WIDE)

        assert (found, found.is_settled) == (Settling.AGREED, True)

    def test_narrow_scores_that_no_longer_move_end_them_too(self) -> None:
        found = delphi_settled(self.agreement(0.5), self.NARROW, self.agreement(0.46))

        assert (found, found.is_settled) == (Settling.STEADY, True)

    @pytest.mark.parametrize(
        ("spreads", "before"), [(WIDE, 0.5), (NARROW, 0.44), (NARROW, 0.56), (NARROW, None)]
    )
    def test_else_they_go_on(self, spreads: tuple[Spread, ...], before: float | None) -> None:
        found = delphi_settled(self.agreement(0.5), spreads, before)

        assert (found, found.is_settled) == (Settling.OPEN, False)

    def test_without_w_nobody_knows(self) -> None:
        assert delphi_settled(self.agreement(None), self.NARROW, 0.5) is Settling.UNKNOWN


REFUSED: dict[str, Callable[[], object]] = {
    "ragged ratings": lambda: kendalls_w([[1, 2], [1]]),
    "a row": lambda: kendalls_w([1, 2, 3]),
    "infinite ratings": lambda: kendalls_w(table([1, np.inf], [1, 2])),
    "words": lambda: kendalls_w([["a", "b"], ["c", "d"]]),
    "a row of scores": lambda: spread([1, 2]),
    "infinite scores": lambda: spread([[np.inf]]),
    "confidence 1": lambda: spread([[1]], confidence=1),
}


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_calls_are_refused(what: str) -> None:
    with pytest.raises(StatisticsError):
        REFUSED[what]()
