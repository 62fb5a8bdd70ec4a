"""How firmly an order stands on its weights: by hand, by search, invariants, what cannot be."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus
from sqcore.stats.sensitivity import Room, rank_intervals, room_to_move

NAN = np.nan
BRANCHES = [[80, 70, 60], [72, 79, 65], [40, 90, 80], [30, 30, 30]]
WEIGHTS = [0.5, 0.3, 0.2]
TABLES = st.integers(2, 6).flatmap(
    lambda u: st.integers(2, 4).flatmap(
        lambda k: arrays(np.float64, (u, k), elements=st.integers(0, 100).map(float))
    )
)


def table(*rows: Sequence[float]) -> FloatArray:
    return np.array(rows, dtype=np.float64)


def first_at(scores: FloatArray, weights: FloatArray, at: int, share: float) -> int:
    """Who is first when the weight `at` has this share and the others are scaled to fit."""
    moved = weights * (1 - share) / (1 - weights[at])
    moved[at] = share
    known = np.isfinite(scores)
    return int(np.argmax((np.where(known, scores, 0) @ moved) / (known @ moved)))


class TestRanks:
    def test_the_last_is_always_last_and_the_others_change_places(self) -> None:
        # 73.0, 72.7, 63.0 and 30: the first two lie closer than weights can tell
        found = rank_intervals(BRANCHES, WEIGHTS)

        assert [(each.rank, each.low, each.high) for each in found.units] == [
            (1, 1, 2), (2, 1, 2), (3, 3, 3), (4, 4, 4)
        ]  # fmt: skip
        assert found.order == (0, 1, 2, 3)
        assert found.neighbours[2] == 0.0

    def test_of_two_parts_the_share_is_that_of_a_beta_distribution(self) -> None:
        # A is ahead of B as long as the first weight exceeds .5, and it is Beta(60, 40):
        # the probability to fall below is .0227 (scipy.stats.beta.cdf)
        found = rank_intervals([[1, 0], [0, 1]], [0.6, 0.4], draws=20_000)

        share = found.first_changes
        assert share.value is not None
        assert share.low is not None
        assert share.high is not None
        assert share.low < 0.0227 < share.high
        assert share.n == 20_000
        assert found.any_changes.value == share.value == found.neighbours[0]

    def test_is_the_same_each_time(self) -> None:
        assert rank_intervals(BRANCHES, WEIGHTS) == rank_intervals(BRANCHES, WEIGHTS)

    def test_ties_share_a_place_and_have_no_order_to_change(self) -> None:
        found = rank_intervals([[50, 50], [50, 50], [10, 10]], [1, 1])

        assert [each.rank for each in found.units] == [1, 1, 3]
        assert (found.first_changes.value, found.any_changes.value) == (0.0, 0.0)

    def test_a_unit_without_enough_figures_takes_no_part(self) -> None:
        found = rank_intervals(table([80, 70, 60], [NAN, 99, 99], [70, NAN, 65]), WEIGHTS)

        assert found.order == (0, 2)
        assert found.units[1].rank is None
        assert found.units[1].status is MethodStatus.INSUFFICIENT_N

    def test_what_is_only_watched_changes_nothing(self) -> None:
        plain = rank_intervals(BRANCHES, WEIGHTS)
        watched = rank_intervals([[*row, 100 - row[0]] for row in BRANCHES], [*WEIGHTS, 0])

        assert [each.rank for each in watched.units] == [each.rank for each in plain.units]

    @pytest.mark.parametrize(
        ("scores", "weights", "status"),
        [
            ([[80, 70]], [0.5, 0.5], MethodStatus.INSUFFICIENT_N),
            (np.zeros((0, 2)), [0.5, 0.5], MethodStatus.INSUFFICIENT_N),
            ([[NAN, NAN], [NAN, NAN]], [0.5, 0.5], MethodStatus.INSUFFICIENT_N),
            ([[80], [70]], [1], MethodStatus.NOT_APPLICABLE),
            ([[80, 1], [70, 2]], [1, 0], MethodStatus.NOT_APPLICABLE),
        ],
    )
    def test_without_numbers_it_says_why(
        self, scores: npt.ArrayLike, weights: list[float], status: MethodStatus
    ) -> None:
        found = rank_intervals(scores, weights)

        assert found.status is status
        assert (found.first_changes.value, found.first_changes.status) == (None, status)
        assert (found.neighbours, found.draws) == ((), 0)

    def test_huge_negative_and_equal_scores_stay_numbers(self) -> None:
        found = rank_intervals(
            table([1e308, -1e308], [-1e308, 1e308], [0, 0]), [0.5, 0.5], draws=50
        )

        assert [each.rank for each in found.units] == [1, 1, 1]

    def test_hardly_any_concentration_is_no_division_by_zero(self) -> None:
        found = rank_intervals(BRANCHES, WEIGHTS, concentration=1e-320, draws=50)

        assert found.status is MethodStatus.OK

    @settings(max_examples=30)
    @given(scores=TABLES)
    def test_a_rank_lies_in_its_interval_or_is_a_tie(self, scores: FloatArray) -> None:
        weights = np.arange(1.0, scores.shape[1] + 1)
        found = rank_intervals(scores, weights, draws=200)
        scaled = rank_intervals(scores * 7, weights * 3, draws=200)

        assert [each.rank for each in scaled.units] == [each.rank for each in found.units]
        for each in found.units:
            assert each.low is not None
            assert each.high is not None
            assert 1 <= each.low <= each.high <= len(scores)
        assert sorted(found.order) == list(range(len(scores)))


class TestRoom:
    def test_by_hand(self) -> None:
        # A 90 w + 50 (1 - w) against B 60 w + 70 (1 - w): even at w = .4
        first, second = room_to_move([[90, 50], [60, 70]], [0.5, 0.5])

        assert first.share.low == pytest.approx(0.4)
        assert (first.share.high, first.rival_below, first.rival_above) == (1.0, 1, None)
        assert second.share.high == pytest.approx(0.6)
        assert (second.share.low, second.rival_below, second.rival_above) == (0.0, None, 1)
        assert (first.share.value, first.share.n) == (0.5, 2)

    def test_the_order_changes_before_the_first_does(self) -> None:
        # B 60 w + 40 (1 - w) against C 20 w + 70 (1 - w): even at w = 3 / 7; A leads by far
        first, second = room_to_move([[90, 90], [60, 40], [20, 70]], [0.5, 0.5])

        assert (first.share.low, first.share.high) == (0.0, 1.0)
        assert (first.order.value, first.order.n) == (0.5, 3)
        assert first.order.low == pytest.approx(3 / 7)
        assert second.order.high == pytest.approx(4 / 7)
        assert (first.order.high, second.order.low) == (1.0, 0.0)

    def test_units_that_are_even_have_no_order_among_them(self) -> None:
        # B and C are even now; B falls to D at 25 w = 5 (1 - w), C never does
        tied = room_to_move([[90, 90], [60, 40], [40, 60], [35, 45]], [0.5, 0.5])[0]
        all_even = room_to_move([[80, 70], [70, 80]], [0.5, 0.5])[0]

        assert tied.share.status is MethodStatus.OK
        assert tied.order.low == pytest.approx(1 / 6)
        assert tied.order.high == 1.0
        assert (all_even.order.value, all_even.order.status) == (None, MethodStatus.NOT_APPLICABLE)

    @settings(max_examples=60)
    @given(scores=TABLES)
    def test_within_the_room_of_the_order_nobody_changes_places(self, scores: FloatArray) -> None:
        weights = np.arange(1.0, scores.shape[1] + 1)
        weights /= weights.sum()
        now = scores @ weights
        apart = now[:, None] - now > 1e-9 * max(float(np.abs(now).max()), 1e-300)
        for at, each in enumerate(room_to_move(scores, weights)):
            if each.order.low is None or each.order.high is None:
                continue
            assert each.share.low is None or each.order.low >= each.share.low
            for step in np.linspace(each.order.low, each.order.high, 9)[1:-1]:
                moved = weights * (1 - step) / (1 - weights[at])
                moved[at] = step
                total = scores @ moved
                assert (total[:, None] - total >= -1e-6 * max(np.abs(total).max(), 1e-300))[
                    apart
                ].all()

    def test_one_best_in_everything_can_never_be_overtaken(self) -> None:
        for each in room_to_move([[9, 9], [1, 2], [3, 3]], [0.7, 0.3]):
            assert (each.share.low, each.share.high) == (0.0, 1.0)
            assert (each.rival_below, each.rival_above) == (None, None)

    @settings(max_examples=60)
    @given(scores=TABLES, gap=st.booleans())
    def test_agrees_with_moving_the_weight_step_by_step(
        self, scores: FloatArray, gap: bool
    ) -> None:
        weights = np.arange(1.0, scores.shape[1] + 1)
        weights /= weights.sum()
        if gap:
            scores = scores.copy()
            scores[1, 0] = NAN
        for at, each in enumerate(room_to_move(scores, weights)):
            if each.share.status is MethodStatus.OK:
                self.holds(scores, weights, at, each)

    def holds(self, scores: FloatArray, weights: FloatArray, at: int, each: Room) -> None:
        low, high = each.share.low, each.share.high
        assert low is not None
        assert high is not None
        taking = np.isfinite(scores) @ weights >= 0.6 - 1e-9
        rows = np.flatnonzero(taking)
        leader = rows[first_at(scores[rows], weights, at, float(weights[at]))]
        for step in np.linspace(low, high, 9)[1:-1]:
            assert rows[first_at(scores[rows], weights, at, float(step))] == leader
        if each.rival_below is not None and low > 1e-3:
            beyond = low - min(1e-6, low / 2)
            assert rows[first_at(scores[rows], weights, at, beyond)] != leader
        if each.rival_above is not None and high < 1 - 1e-3:
            beyond = high + 1e-6
            assert rows[first_at(scores[rows], weights, at, beyond)] != leader

    @pytest.mark.parametrize(
        ("scores", "weights", "status"),
        [
            ([[80, 70]], [0.5, 0.5], MethodStatus.INSUFFICIENT_N),
            ([[80, 70], [70, 80]], [0.5, 0.5], MethodStatus.NOT_APPLICABLE),
            ([[80], [70]], [1], MethodStatus.NOT_APPLICABLE),
            ([[0, 0], [0, 0]], [0.5, 0.5], MethodStatus.NOT_APPLICABLE),
        ],
    )
    def test_without_a_number_it_says_why(
        self, scores: list[list[float]], weights: list[float], status: MethodStatus
    ) -> None:
        for each in room_to_move(scores, weights):
            assert (each.share.value, each.share.status) == (None, status)
            assert (each.rival_below, each.rival_above) == (None, None)


REFUSED: dict[str, Callable[[], object]] = {
    "ragged scores": lambda: rank_intervals([[1, 2], [1]], [1, 1]),
    "a row of scores": lambda: rank_intervals([1, 2], [1, 1]),
    "no columns": lambda: room_to_move(np.zeros((2, 0)), []),
    "infinite scores": lambda: room_to_move(table([1, np.inf], [1, 2]), [1, 1]),
    "words": lambda: room_to_move([["a"], ["b"]], [1]),
    "weights of another length": lambda: rank_intervals([[1, 2], [2, 1]], [1]),
    "negative weights": lambda: rank_intervals([[1, 2], [2, 1]], [1, -1]),
    "weights all 0": lambda: room_to_move([[1, 2], [2, 1]], [0, 0]),
    "NaN weights": lambda: room_to_move([[1, 2], [2, 1]], [NAN, 1]),
    "no draws": lambda: rank_intervals([[1, 2], [2, 1]], [1, 1], draws=0),
    "no concentration": lambda: rank_intervals([[1, 2], [2, 1]], [1, 1], concentration=0),
    "NaN concentration": lambda: rank_intervals([[1, 2], [2, 1]], [1, 1], concentration=NAN),
}


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_calls_are_refused(what: str) -> None:
    with pytest.raises(StatisticsError):
        REFUSED[what]()
