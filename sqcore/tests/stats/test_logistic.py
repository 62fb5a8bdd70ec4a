from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.api import Logit, add_constant

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.logistic import Logistic, auc, calibration, logistic, out_of_fold
from sqcore.stats.results import MethodStatus

# R's data set mtcars: weight, and whether the gearbox is manual.
WEIGHT = np.array(
    [2.62, 2.875, 2.32, 3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73, 3.78, 5.25,
     5.424, 5.345, 2.2, 1.615, 1.835, 2.465, 3.52, 3.435, 3.84, 3.845, 1.935, 2.14, 1.513, 3.17,
     2.77, 3.57, 2.78]
)[:, None]  # fmt: skip
MANUAL = np.array([1] * 3 + [0] * 14 + [1] * 3 + [0] * 5 + [1] * 7)


def drawn(n: int, slopes: list[float], seed: int = 1) -> tuple[FloatArray, FloatArray]:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(n, len(slopes)))
    return x, (x @ slopes + chance.logistic(size=n) > 0.5).astype(float)


class TestLogistic:
    def test_matches_glm_of_r_on_mtcars(self) -> None:
        # R: glm(am ~ wt, binomial, mtcars)
        found = logistic(WEIGHT, MANUAL, fewest_events=10)

        assert found.intercept == pytest.approx(12.040369658963, abs=1e-6)
        assert found.slopes[0].value == pytest.approx(-4.023969940328, abs=1e-6)
        assert found.errors == pytest.approx((4.50970610475, 1.436415784321), abs=1e-3)
        assert found.deviance == pytest.approx(19.176084807445, abs=1e-9)
        assert (found.n, found.events, found.is_separated) == (32, 13, False)

    @given(st.integers(0, 500))
    @settings(max_examples=20)
    def test_agrees_with_statsmodels(self, seed: int) -> None:
        x, y = drawn(300, [1.0, -0.5], seed)
        found, fit = logistic(x, y), Logit(y, add_constant(x)).fit(disp=0)

        own = [found.intercept, *(slope.value for slope in found.slopes)]
        assert own == pytest.approx(fit.params.tolist(), abs=1e-6)
        assert found.errors == pytest.approx(fit.bse.tolist(), rel=1e-4)
        assert found.deviance == pytest.approx(-2 * fit.llf)
        assert found.null_deviance == pytest.approx(-2 * fit.llnull)
        assert found.slopes[0].low == pytest.approx(fit.conf_int()[1, 0], abs=1e-4)

    @given(st.floats(0.01, 100), st.integers(-9, 9))
    @settings(max_examples=20)
    def test_units_do_not_change_probabilities_with_or_without_a_ridge(
        self, times: float, plus: int
    ) -> None:
        x, y = drawn(300, [1.0, -0.5])
        for ridge in (0.0, 5.0):
            one, other = logistic(x, y, ridge=ridge), logistic(x * times + plus, y, ridge=ridge)
            np.testing.assert_allclose(
                one.probabilities(x), other.probabilities(x * times + plus), atol=1e-6
            )

    @given(st.integers(0, 500))
    @settings(max_examples=20)
    def test_the_mean_probability_is_the_share_of_events(self, seed: int) -> None:
        x, y = drawn(300, [1.0, -0.5], seed)

        assert logistic(x, y).probabilities(x).mean() == pytest.approx(y.mean())
        assert logistic(x, y, ridge=9.0).probabilities(x).mean() == pytest.approx(y.mean())

    def test_a_ridge_pulls_slopes_towards_0(self) -> None:
        x, y = drawn(300, [1.0])
        slopes = [logistic(x, y, ridge=ridge).slopes[0].value or 0 for ridge in (0, 1, 10, 1e6)]

        assert slopes == sorted(slopes, reverse=True)
        assert slopes[-1] == pytest.approx(0, abs=1e-3)

    def test_a_column_that_separates_perfectly_gets_a_ridge_and_says_so(self) -> None:
        y = np.repeat([0, 1], 60)
        found = logistic(np.column_stack([y * 2.0, np.arange(120) % 7]), y)

        assert (found.status, found.is_separated, found.ridge) == (MethodStatus.OK, True, 1.0)
        assert found.slopes[0].value is not None
        assert np.isfinite(found.slopes[0].value)
        assert found.probabilities([[2.0, 3.0]])[0] > 0.9

    def test_a_column_alike_for_all_is_left_out(self) -> None:
        x, y = drawn(300, [1.0])
        found = logistic(np.column_stack([np.full(300, 0.1), x]), y)

        assert [slope.status for slope in found.slopes] == ["zero_variance", "ok"]
        assert found.errors[1] == 0.0
        np.testing.assert_allclose(
            found.probabilities(np.column_stack([np.full(300, 0.1), x])),
            logistic(x, y).probabilities(x),
        )

    @pytest.mark.parametrize(
        ("x", "y", "status"),
        [
            (np.zeros((0, 1)), [], MethodStatus.INSUFFICIENT_N),
            (np.arange(99.0)[:, None], [1] * 49 + [0] * 50, MethodStatus.INSUFFICIENT_N),
            (np.arange(99.0)[:, None], [1] * 99, MethodStatus.INSUFFICIENT_N),
            (np.full((200, 2), 0.1), [0, 1] * 100, MethodStatus.ZERO_VARIANCE),
            (np.zeros((200, 0)), [0, 1] * 100, MethodStatus.ZERO_VARIANCE),
            (np.arange(200.0)[:, None] * [1, 2], [0, 1] * 100, MethodStatus.SINGULAR),
        ],
    )
    def test_says_why_there_is_no_model(
        self, x: FloatArray, y: list[int], status: MethodStatus
    ) -> None:
        found: Logistic = logistic(x, y)

        assert (found.status, found.intercept, found.deviance) == (status, None, None)
        assert {slope.status for slope in found.slopes} <= {status}
        with pytest.raises(StatisticsError, match="no model"):
            found.probabilities(x)


class TestOutOfFold:
    def test_nobody_is_told_by_a_model_that_saw_the_fold(self) -> None:
        x, y = drawn(200, [1.0])
        fold = np.arange(200) % 4
        found = out_of_fold(x, y, fold)

        assert found is not None
        rest = fold != 2
        model = logistic(x[rest], y[rest], fewest_events=1)
        np.testing.assert_allclose(found[fold == 2], model.probabilities(x[fold == 2]))

    def test_chance_is_not_taken_for_knowledge(self) -> None:
        chance = np.random.default_rng(1)
        x, y = chance.normal(size=(200, 20)), np.arange(200) % 2
        found = out_of_fold(x, y, np.arange(200) // 2 % 10)

        assert found is not None
        assert (auc(y, logistic(x, y).probabilities(x)).value or 0) > 0.6
        assert (auc(y, found).low or 0) < 0.5

    def test_a_fold_with_all_events_leaves_nothing_to_learn_from(self) -> None:
        assert out_of_fold(WEIGHT, MANUAL, MANUAL) is None


class TestAuc:
    @pytest.mark.parametrize(
        ("score", "value"), [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([1, 1, 1, 1], 0.5)]
    )
    def test_is_how_often_the_one_is_above_the_other(self, score: list[int], value: float) -> None:
        found = auc([0, 0, 1, 1], score)

        assert found.value == value
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= value <= found.high <= 1
        assert found.high - found.low > 0.3

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60))
    def test_agrees_with_counting_pairs(self, pairs: list[tuple[bool, int]]) -> None:
        y, s = [float(is_event) for is_event, _score in pairs], [score for _event, score in pairs]
        ahead = [
            (a > b) + 0.5 * (a == b)
            for is_event, a in pairs
            if is_event
            for other, b in pairs
            if not other
        ]
        found = auc(y, s)

        if not ahead:
            assert found.status is MethodStatus.NOT_APPLICABLE
        else:
            assert found.value == pytest.approx(np.mean(ahead))
            turned = auc(y, [-score for score in s])
            assert turned.value == pytest.approx(1 - np.mean(ahead))

    @pytest.mark.slow
    def test_holds_the_truth_about_as_often_as_it_says(self) -> None:
        chance = np.random.default_rng(6)
        held, rounds = {0.76: 0, 0.92: 0}, 1000
        for truth, apart in ((0.76, 1.0), (0.92, 2.0)):
            for _round in range(rounds):
                score = np.r_[chance.normal(apart, 1, 30), chance.normal(0, 1, 50)]
                found = auc([1] * 30 + [0] * 50, score)
                held[truth] += (found.low or 0) <= truth <= (found.high or 0)

        assert all(0.92 < times / rounds < 0.985 for times in held.values())


class TestCalibration:
    def test_right_probabilities_have_slope_1_and_no_shift(self) -> None:
        x, y = drawn(5000, [1.5], seed=3)
        found = calibration(y, 1 / (1 + np.exp(0.5 - 1.5 * x[:, 0])))

        assert found.slope.low is not None
        assert found.slope.high is not None
        assert found.slope.low < 1 < found.slope.high
        assert found.shift.low is not None
        assert found.shift.high is not None
        assert found.shift.low < 0 < found.shift.high
        for group in found.groups:
            assert abs(group.predicted - (group.observed.value or 0)) < 0.06

    def test_the_models_own_rows_have_slope_1_exactly(self) -> None:
        x, y = drawn(300, [1.0])
        found = calibration(y, logistic(x, y).probabilities(x))

        assert found.slope.value == pytest.approx(1, abs=1e-5)
        assert found.shift.value == pytest.approx(0, abs=1e-5)

    def test_too_extreme_ones_have_a_slope_below_1(self) -> None:
        x, y = drawn(3000, [1.0])
        found = calibration(y, 1 / (1 + np.exp(0.5 - 2 * x[:, 0])))

        assert found.slope.value == pytest.approx(0.5, abs=0.06)

    def test_groups_hold_all_rows_and_keep_equal_probabilities_together(self) -> None:
        found = calibration([0, 1] * 50, np.repeat([0.1, 0.4, 0.4, 0.4, 0.9], 20))

        assert [group.n for group in found.groups] == [20, 60, 20]
        assert [group.predicted for group in found.groups] == pytest.approx([0.1, 0.4, 0.9])
        assert found.groups[0].observed.value == 0.5

    @pytest.mark.parametrize(
        ("y", "p", "slope", "shift"),
        [
            ([], [], "not_applicable", "not_applicable"),
            ([1, 1], [0.4, 0.6], "not_applicable", "not_applicable"),
            ([0, 1], [0.5, 0.5], "zero_variance", "ok"),
            ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], "singular", "ok"),
            ([0, 1, 0, 1], [0.0, 0.0, 1.0, 1.0], "ok", "ok"),
        ],
    )
    def test_says_why_there_is_no_slope(
        self, y: list[int], p: list[float], slope: str, shift: str
    ) -> None:
        found = calibration(y, p)

        assert (found.slope.status, found.shift.status) == (slope, shift)


X, Y = drawn(200, [1.0])
REFUSED: dict[str, Callable[[], object]] = {
    "flat columns": lambda: logistic(X[:, 0], Y),
    "ragged columns": lambda: logistic([[1.0], [1.0, 2.0]], [0, 1]),
    "a column with a gap": lambda: logistic(np.where(X > 1, np.nan, X), Y),
    "a column too large": lambda: logistic(X * 1e200, Y),
    "outcomes of others": lambda: logistic(X, Y[:-1]),
    "an outcome of 2": lambda: logistic(X, Y * 2),
    "a negative ridge": lambda: logistic(X, Y, ridge=-1),
    "an endless ridge": lambda: logistic(X, Y, ridge=np.inf),
    "a confidence of 95": lambda: logistic(X, Y, confidence=95),
    "other columns": lambda: logistic(X, Y).probabilities([[1.0, 2.0]]),
    "folds of others": lambda: out_of_fold(X, Y, [1, 2]),
    "scores of others": lambda: auc(Y, [1.0]),
    "a score that is NaN": lambda: auc([0, 1], [0.5, np.nan]),
    "a table of outcomes": lambda: auc([[0, 1]], [[0, 1]]),
    "a probability of 2": lambda: calibration([0, 1], [0.5, 2]),
    "no group": lambda: calibration([0, 1], [0.5, 0.4], groups=0),
    "an outcome of a half": lambda: calibration([0.5, 1], [0.5, 0.4]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
