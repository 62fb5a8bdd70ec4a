from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.arrays import IntArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.kano import Category, KanoResult, categories, kano, kano_of_categories
from sqcore.stats.proportions import wilson
from sqcore.stats.results import MethodStatus

M, O, A, I, R, Q = Category  # noqa: E741 - as the method calls them

# Sauerwein, Bailom, Matzler, Hinterhuber 1996, the example of skis; per mille of A, O, M, I, R, Q.
SKIS = {
    "edge grip": ([70, 323, 493, 95, 3, 15], M, 0.40, -0.83),
    "ease of turn": ([104, 451, 305, 115, 12, 12], O, 0.57, -0.78),
    "service": ([638, 216, 29, 85, 7, 25], A, 0.88, -0.25),
}


def result(**counts: int) -> KanoResult:
    return kano_of_categories({Category(letter): n for letter, n in counts.items()})


class TestEvaluationTable:
    def test_is_that_of_berger_1993(self) -> None:
        # Like, must be, neutral, live with, dislike; if it is there (row), if it is not (column)
        expected = ["QAAAO", "RIIIM", "RIIIM", "RIIIM", "RRRRQ"]
        for row, letters in enumerate(expected):
            for column, letter in enumerate(letters):
                table = np.zeros((5, 5), dtype=int)
                table[row, column] = 1
                assert categories(table) == dict.fromkeys(Category, 0) | {Category(letter): 1}

    @given(arrays(np.int64, (5, 5), elements=st.integers(0, 60)))
    def test_every_answer_falls_into_one_category(self, table: IntArray) -> None:
        found = kano(table)

        assert sum(categories(table).values()) == found.n == table.sum()
        if found.n:
            assert sum(share.value or 0 for share in found.shares.values()) == pytest.approx(1)


class TestKano:
    @pytest.mark.parametrize("feature", SKIS)
    def test_matches_sauerwein_1996(self, feature: str) -> None:
        counts, category, better, worse = SKIS[feature]
        found = kano_of_categories(dict(zip((A, O, M, I, R, Q), counts, strict=True)))

        assert found.category is category
        assert found.better.value == pytest.approx(better, abs=0.006)
        assert found.worse.value == pytest.approx(worse, abs=0.006)

    def test_better_and_worse_leave_reverse_and_questionable_out(self) -> None:
        found = result(A=2, O=3, M=4, I=1, R=5, Q=1)

        assert (found.better.value, found.better.n) == (0.5, 10)
        assert (found.worse.value, found.worse.n) == (-0.7, 10)
        interval = wilson(7, 10)
        assert found.worse.low == -float(interval.high)
        assert found.worse.high == -float(interval.low)
        assert found.better.low == float(wilson(5, 10).low)

    @pytest.mark.parametrize(
        ("counts", "category", "second"),
        [
            ({"M": 3, "O": 3, "A": 3, "I": 3}, M, O),
            ({"O": 3, "A": 3, "I": 3}, O, A),
            ({"A": 3, "I": 3}, A, I),
            ({"I": 3, "R": 3, "Q": 3}, I, R),
            ({"Q": 3}, Q, None),
            ({"I": 4, "M": 3}, I, M),
        ],
    )
    def test_of_equal_counts_the_graver_one_is_taken(
        self, counts: dict[str, int], category: Category, second: Category | None
    ) -> None:
        found = result(**counts)

        assert (found.category, found.second) == (category, second)

    def test_is_mixed_by_fongs_comparison(self) -> None:
        # a = 50, b = 35, N = 100: 1.65 sqrt(85 (200 - 85) / 200) = 11.535; a - b must stay below
        assert not result(M=50, O=35, A=15).mixed
        # 48 and 37: the same bound, a difference of 11
        assert result(M=48, O=37, A=15).mixed
        assert not result(M=100).mixed

    @given(st.lists(st.integers(0, 200), min_size=6, max_size=6))
    def test_ten_times_as_many_answers_never_make_it_mixed(self, counts: list[int]) -> None:
        few = kano_of_categories(dict(zip(Category, counts, strict=True)))
        many = kano_of_categories(dict(zip(Category, (10 * n for n in counts), strict=True)))

        assert many.category is few.category
        # More than one is mixed only if few is, apart from a category that nobody chose.
        assert few.mixed or not many.mixed

    def test_more_than_a_tenth_of_contradictions_is_told(self) -> None:
        assert not result(M=9, Q=1).questionable
        assert result(M=89, Q=11).questionable

    def test_nobody_is_not_applicable(self) -> None:
        found = kano(np.zeros((5, 5), dtype=int))

        assert (found.status, found.category, found.n) == (MethodStatus.NOT_APPLICABLE, None, 0)
        assert found.better.value is None
        assert {share.status for share in found.shares.values()} == {MethodStatus.NOT_APPLICABLE}

    def test_only_reverse_has_a_category_but_no_better(self) -> None:
        found = result(R=8)

        assert (found.category, found.status) == (R, MethodStatus.OK)
        assert (found.better.status, found.worse.value) == (MethodStatus.NOT_APPLICABLE, None)


REFUSED: dict[str, Callable[[], object]] = {
    "a table of another shape": lambda: kano(np.zeros((5, 4), dtype=int)),
    "a ragged table": lambda: kano([[1, 2], [3]]),
    "negative counts": lambda: kano(-np.eye(5, dtype=int)),
    "fractions": lambda: kano(np.full((5, 5), 0.5)),
    "NaN": lambda: kano(np.full((5, 5), np.nan)),
    "a negative category": lambda: result(M=-1, O=3),
    "a confidence of 0": lambda: kano(np.eye(5, dtype=int), confidence=0),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()


def test_an_unknown_category_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="X"):
        result(X=1)
