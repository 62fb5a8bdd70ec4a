from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sqcore.stats.errors import StatisticsError
from sqcore.stats.loyalty import (
    SIGNS,
    Level,
    Sign,
    acsi_index,
    customer_signs,
    loyalty_index,
    loyalty_scores,
    scorecard,
)
from sqcore.stats.results import MethodStatus

NAN = float("nan")
SCALES = [(1.0, 5.0), (0.0, 10.0)]


class TestLoyaltyIndex:
    def test_is_the_mean_of_rescaled_answers_with_its_t_interval(self) -> None:
        found = loyalty_index([[5, 10], [3, 5], [4, 7], [1, 0]], SCALES)

        own = np.array([100.0, 50.0, 72.5, 0.0])
        low, high = stats.t.interval(0.95, 3, own.mean(), stats.sem(own))
        assert (found.value, found.n) == (55.625, 4)
        assert found.low == max(low, 0)
        assert found.high == min(high, 100)

    def test_half_of_the_questions_must_be_answered(self) -> None:
        found = loyalty_index(np.array([[5, NAN, NAN], [3, 3, NAN], [1, 1, 1]]), [(1, 5)] * 3)

        assert (found.value, found.n) == (25, 2)

    def test_a_scale_may_run_down(self) -> None:
        assert loyalty_index([[1], [2]], [(5, 1)]).value == 87.5

    @given(
        st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10)), min_size=1, max_size=20),
    )
    def test_stays_within_0_and_100_and_turns_round_with_its_scales(
        self, answers: list[tuple[int, int]]
    ) -> None:
        found = loyalty_index(answers, SCALES)
        turned = loyalty_index(answers, [(b, a) for a, b in SCALES])

        assert found.value is not None
        assert 0 <= (found.low or 0) <= found.value <= (found.high or 100) <= 100
        assert turned.value == pytest.approx(100 - found.value)

    @pytest.mark.parametrize("answers", [np.zeros((0, 2)), [[NAN, NAN]]])
    def test_nobody_is_not_applicable(self, answers: list[list[float]]) -> None:
        found = loyalty_index(answers, SCALES)

        assert (found.status, found.value) == (MethodStatus.NOT_APPLICABLE, None)

    @pytest.mark.parametrize("answers", [[[5, 10]], [[3, 5]] * 9])
    def test_one_or_all_alike_have_no_interval(self, answers: list[list[int]]) -> None:
        found = loyalty_index(answers, SCALES)

        assert found.status is MethodStatus.OK
        assert (found.low, found.high) == (None, None)


class TestLoyaltyScores:
    def test_are_what_the_index_is_the_mean_of(self) -> None:
        own = loyalty_scores([[5, 10], [3, 5], [4, 7], [1, 0]], SCALES)

        assert own.tolist() == [100, 50, 72.5, 0]

    def test_who_answered_less_than_half_has_none(self) -> None:
        own = loyalty_scores(np.array([[5, NAN, NAN], [3, NAN, 3]]), [(1, 5)] * 3)

        assert np.isnan(own).tolist() == [True, False]


class TestAcsiIndex:
    def test_is_the_published_form(self) -> None:
        # Fornell et al. 1996: (sum w mean - sum w) / (9 sum w) x 100 with answers 1 to 10
        answers, w = np.array([[8, 7, 9], [6, 6, 7], [9, 8, 10]]), np.array([0.8, 0.6, 0.6])
        found = acsi_index(answers, w)

        expected = 100 * ((w * answers.mean(axis=0)).sum() - w.sum()) / (9 * w.sum())
        assert found.value == pytest.approx(expected)
        assert found.value == pytest.approx(75.185185)

    def test_the_ends_of_the_scale_are_0_and_100(self) -> None:
        assert acsi_index([[1, 1]], [1, 2]).value == 0
        assert acsi_index([[10, 10]], [1, 2]).value == 100
        assert acsi_index([[5, 1], [1, 1]], [3, 1], scale=(1, 5)).value == 37.5

    def test_only_complete_rows_count(self) -> None:
        found = acsi_index(np.array([[8, NAN], [6, 6], [9, 8]]), [1, 1])

        assert (found.n, acsi_index([[NAN, 1]], [1, 1]).status) == (2, "not_applicable")


class TestScorecard:
    def test_points_levels_and_reasons(self) -> None:
        found = scorecard([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]])

        assert found.points.tolist() == [6, 4, 2, 0]
        assert found.levels == (Level.HIGH, Level.MEDIUM, Level.LOW, Level.LOW)
        assert found.because == (
            ("detractor", "open_complaint"),
            ("falling_scores", "long_away"),
            ("falling_scores",),
            (),
        )

    def test_too_little_known_is_unknown_unless_it_is_high_anyway(self) -> None:
        found = scorecard([[0, NAN, NAN, NAN], [1, NAN, 0, NAN], [1, 1, NAN, NAN]], high=6)

        assert found.known.tolist() == [3, 5, 6]
        assert found.levels == (Level.UNKNOWN, Level.MEDIUM, Level.HIGH)
        assert scorecard([[1, NAN, NAN, NAN]], high=3).levels == (Level.HIGH,)

    def test_reasons_come_gravest_first(self) -> None:
        found = scorecard([[1, 1, 1]], [Sign("a", 1), Sign("b", 4), Sign("c", 1)])

        assert found.because == (("b", "a", "c"),)

    @given(st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=4, max_size=4))
    def test_one_more_sign_never_lowers_the_points(self, row: list[float]) -> None:
        points = scorecard([row]).points[0]
        for at in range(4):
            more = [*row[:at], 1.0, *row[at + 1 :]]
            assert scorecard([more]).points[0] >= points


class TestCustomerSigns:
    def test_reads_every_sign(self) -> None:
        found = customer_signs(
            recommend=[6, 7, NAN],
            open_complaints=[1, 0, NAN],
            scores=np.array([[5, 4, 3], [5, 3, 4], [NAN, 5, 4]]),
            days_away=[61, 60, NAN],
            usual_gap=[30, 30, 30],
        )

        np.testing.assert_array_equal(found, [[1] * 4, [0] * 4, [NAN] * 4])
        assert len(SIGNS) == found.shape[1]

    def test_scores_are_falling_if_the_last_of_three_is_the_lowest(self) -> None:
        rows = [[6, 4, 5, 4], [4, 4, 4, 4], [3, 6, 5, 4], [6, NAN, 5, 4], [6, NAN, NAN, 4]]
        found = customer_signs(
            recommend=[NAN] * 5, open_complaints=[NAN] * 5, scores=np.array(rows),
            days_away=[NAN] * 5, usual_gap=[NAN] * 5,
        )  # fmt: skip

        np.testing.assert_array_equal(found[:, 2], [1, 0, 0, 1, NAN])

    def test_nobody_has_no_signs(self) -> None:
        none = customer_signs(
            recommend=[], open_complaints=[], scores=np.zeros((0, 3)), days_away=[], usual_gap=[]
        )

        assert none.shape == (0, 4)
        assert scorecard(none).levels == ()


def signs(**other: object) -> object:
    plain: dict[str, object] = {
        "recommend": [5], "open_complaints": [0], "scores": [[1, 2, 3]],
        "days_away": [9], "usual_gap": [9],
    }  # fmt: skip
    return customer_signs(**(plain | other))  # type: ignore[arg-type]


REFUSED: dict[str, Callable[[], object]] = {
    "an answer beyond its scale": lambda: loyalty_index([[6, 5]], SCALES),
    "a customer's answer beyond its scale": lambda: loyalty_scores([[6, 5]], SCALES),
    "equal ends": lambda: loyalty_index([[5]], [(5, 5)]),
    "other columns": lambda: loyalty_index([[5]], SCALES),
    "an endless answer": lambda: loyalty_index([[np.inf, 5]], SCALES),
    "ragged answers": lambda: loyalty_index([[1, 2], [3]], SCALES),
    "a confidence of 95": lambda: loyalty_index([[5, 5]], SCALES, confidence=95),
    "no weights": lambda: acsi_index(np.zeros((2, 0)), []),
    "a weight of 0": lambda: acsi_index([[5, 5]], [0, 1]),
    "an answer of 0": lambda: acsi_index([[0, 5]], [1, 1]),
    "a scale upside down": lambda: acsi_index([[5, 5]], [1, 1], scale=(10, 1)),
    "no signs": lambda: scorecard(np.zeros((2, 0)), []),
    "a sign twice": lambda: scorecard([[1, 0]], [Sign("a", 1), Sign("a", 2)]),
    "a sign without points": lambda: scorecard([[1]], [Sign("a", 0)]),
    "levels out of order": lambda: scorecard([[1]], [Sign("a", 1)], medium=3, high=2),
    "half a sign": lambda: scorecard([[0.5]], [Sign("a", 1)]),
    "a customer more": lambda: signs(recommend=[5, 6]),
    "scores of others": lambda: signs(scores=[[1], [2]]),
    "a negative number of complaints": lambda: signs(open_complaints=[-1]),
    "a usual gap of 0": lambda: signs(usual_gap=[0]),
    "an endless absence": lambda: signs(days_away=[np.inf]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
