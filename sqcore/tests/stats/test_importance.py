from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.api import OLS, add_constant

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.importance import (
    Kind,
    Quadrant,
    importance_performance,
    penalty_reward,
)
from sqcore.stats.results import Figure, MethodStatus

# Martilla, James 1977, Journal of Marketing 41(1):77-79: service of a car dealer, importance and
# performance on a scale of 1 to 4.
DEALER = [
    ("Job done right the first time", 3.83, 2.63, Quadrant.CONCENTRATE),
    ("Fast action on complaints", 3.63, 2.73, Quadrant.CONCENTRATE),
    ("Prompt warranty work", 3.60, 3.15, Quadrant.KEEP_UP),
    ("Able to do any job needed", 3.56, 3.00, Quadrant.KEEP_UP),
    ("Service available when needed", 3.41, 3.05, Quadrant.KEEP_UP),
    ("Courteous and friendly service", 3.41, 3.29, Quadrant.KEEP_UP),
    ("Car ready when promised", 3.38, 3.03, Quadrant.KEEP_UP),
    ("Perform only necessary work", 3.37, 3.11, Quadrant.KEEP_UP),
    ("Low prices on service", 3.29, 2.00, Quadrant.CONCENTRATE),
    ("Clean up after service work", 3.27, 3.02, Quadrant.KEEP_UP),
    ("Convenient to home", 2.52, 2.25, Quadrant.LOW_PRIORITY),
    ("Convenient to work", 2.43, 2.49, Quadrant.LOW_PRIORITY),
    ("Courtesy buses and rental cars", 2.37, 2.35, Quadrant.LOW_PRIORITY),
    ("Send out maintenance notices", 2.05, 3.33, Quadrant.POSSIBLE_OVERKILL),
]


def figure(value: float, half: float | None = 0.1) -> Figure:
    if half is None:
        return Figure(value, None, None, 90)
    return Figure(value, value - half, value + half, 90)


class TestImportancePerformance:
    def test_matches_martilla_and_james_1977(self) -> None:
        found = importance_performance(
            [figure(performance) for _name, _importance, performance, _quadrant in DEALER],
            [figure(importance) for _name, importance, _performance, _quadrant in DEALER],
        )

        assert found.importance == pytest.approx(3.1514285714)
        assert found.performance == pytest.approx(2.8164285714)
        assert [one.quadrant for one in found.placed] == [row[3] for row in DEALER]

    def test_is_certain_only_where_both_intervals_keep_off_the_cross(self) -> None:
        found = importance_performance(
            [figure(2), figure(4), figure(3.05), figure(2.95, None), figure(2)],
            [figure(4), figure(2), figure(4), figure(4), figure(2.9, 0.2)],
            cross="middle",
            scale=(1, 5),
            importance_scale=(1, 5),
        )

        assert (found.performance, found.importance) == (3, 3)
        assert [one.certain for one in found.placed] == [True, True, False, False, False]
        assert found.placed[4].quadrant is Quadrant.LOW_PRIORITY

    def test_on_the_cross_counts_as_strong_and_important(self) -> None:
        found = importance_performance(
            [figure(3)], [figure(3)], cross="middle", scale=(1, 5), importance_scale=(1, 5)
        )

        assert found.placed[0].quadrant is Quadrant.KEEP_UP
        assert not found.placed[0].certain

    def test_shares_without_a_scale_are_parted_at_their_mean(self) -> None:
        found = importance_performance(
            [figure(2), figure(3)], [figure(0.7), figure(0.3)], cross="middle", scale=(1, 7)
        )

        assert (found.performance, found.importance) == (4, 0.5)
        assert [one.quadrant for one in found.placed] == ["concentrate", "low_priority"]

    def test_what_has_no_figure_keeps_its_reason_and_moves_no_line(self) -> None:
        hidden = Figure.none(MethodStatus.INSUFFICIENT_N, n=3)
        found = importance_performance(
            [figure(2), figure(4), hidden, figure(100)],
            [figure(4), figure(2), figure(100), hidden],
        )

        assert (found.performance, found.importance) == (3, 3)
        assert [one.quadrant for one in found.placed[2:]] == [None, None]
        assert [one.status for one in found.placed[2:]] == ["insufficient_n"] * 2

    @pytest.mark.parametrize(
        ("performance", "importance", "status"),
        [
            ([], [], MethodStatus.INSUFFICIENT_N),
            ([figure(2)], [figure(3)], MethodStatus.INSUFFICIENT_N),
            ([figure(0.1)] * 3, [figure(1), figure(2), figure(3)], MethodStatus.ZERO_VARIANCE),
            ([figure(1), figure(2), figure(3)], [figure(0.1)] * 3, MethodStatus.ZERO_VARIANCE),
        ],
    )
    def test_says_why_there_is_no_cross(
        self, performance: list[Figure], importance: list[Figure], status: MethodStatus
    ) -> None:
        found = importance_performance(performance, importance)

        assert (found.status, found.performance, found.importance) == (status, None, None)
        assert {one.quadrant for one in found.placed} <= {None}

    @given(
        st.lists(st.tuples(st.floats(1, 5), st.floats(1, 5)), min_size=2, max_size=9),
        st.floats(0.5, 3),
        st.floats(-5, 5),
    )
    def test_another_unit_of_both_changes_no_quadrant(
        self, points: list[tuple[float, float]], times: float, plus: float
    ) -> None:
        def placed(of: Callable[[float], float]) -> list[Quadrant | None]:
            found = importance_performance(
                [figure(round(of(a), 9)) for a, _b in points],
                [figure(round(of(b), 9)) for _a, b in points],
            )
            lines = (found.performance or 0, found.importance or 0)
            clear = [
                abs(of(a) - lines[0]) > 1e-6 and abs(of(b) - lines[1]) > 1e-6 for a, b in points
            ]
            return [
                one.quadrant if is_clear else None
                for one, is_clear in zip(found.placed, clear, strict=True)
            ]

        whole = [(round(a, 3), round(b, 3)) for a, b in points]
        points = whole
        if min(np.ptp(points, axis=0)) < 0.01:
            return
        assert placed(lambda value: times * value + plus) == placed(lambda value: value)


def scores(n: int, size: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).integers(1, 8, (n, size)).astype(np.float64)


class TestPenaltyReward:
    def test_is_the_regression_on_both_dummies_with_hc3_errors(self) -> None:
        drawn = np.random.default_rng(2)
        x = scores(300, 3)
        y = x @ [0.5, 0.1, 0.0] + drawn.normal(size=300) * x[:, 0]
        found = penalty_reward(x, y)

        first, third = np.quantile(x, [0.25, 0.75], axis=0)
        table = add_constant(np.column_stack([x <= first, x >= third]).astype(float))
        fit = OLS(y, table).fit(cov_type="HC3", use_t=True)
        for at, one in enumerate(found):
            assert one.penalty.value == pytest.approx(-fit.params[1 + at])
            assert one.reward.value == pytest.approx(fit.params[4 + at])
            assert one.reward.low == pytest.approx(fit.conf_int()[4 + at, 0])
            assert one.penalty.low == pytest.approx(-fit.conf_int()[1 + at, 1])
            both = fit.t_test(np.eye(7)[1 + at] + np.eye(7)[4 + at])
            assert one.asymmetry.value == pytest.approx(both.effect[0])
            assert one.asymmetry.high == pytest.approx(both.conf_int()[0, 1])

    def test_tells_the_four_kinds(self) -> None:
        drawn = np.random.default_rng(3)
        x = scores(800, 4)
        y = 5 + 0.3 * drawn.normal(size=800)
        y -= 2.0 * (x[:, 0] <= 2) - 1.5 * (x[:, 1] >= 6)
        y += 1.0 * (x[:, 2] >= 6) - 1.0 * (x[:, 2] <= 2)
        kinds = [one.kind for one in penalty_reward(x, y)]

        assert kinds == [Kind.BASIC, Kind.EXCITEMENT, Kind.PERFORMANCE, Kind.UNCLEAR]

    @given(st.integers(0, 1000))
    @settings(max_examples=20)
    def test_turning_both_scales_round_swaps_penalty_and_reward(self, seed: int) -> None:
        x = scores(200, 2, seed)
        y = x.sum(axis=1) + np.random.default_rng(seed).normal(size=200)
        for one, turned in zip(penalty_reward(x, y), penalty_reward(8 - x, -y), strict=True):
            assert one.penalty.value == pytest.approx(turned.reward.value)
            assert one.reward.value == pytest.approx(turned.penalty.value)

    def test_rows_with_something_missing_do_not_count(self) -> None:
        x = scores(200, 2)
        y = x.sum(axis=1)
        gaps = np.vstack([x, [[np.nan, 3]], [[1, 1]]])
        found = penalty_reward(gaps, [*y, 4.0, np.nan])

        assert found == penalty_reward(x, y)
        assert found[0].penalty.n == 200

    def test_a_driver_that_nearly_all_score_alike_is_left_out(self) -> None:
        x = scores(200, 2)
        most = np.where(np.arange(200) % 10 == 0, 1.0, 7.0)
        found = penalty_reward(np.column_stack([x[:, 0], most]), x[:, 0])

        assert [one.status for one in found] == ["ok", "not_applicable"]
        assert (found[1].kind, found[1].penalty.value) == (None, None)

    def test_an_outcome_that_follows_exactly_leaves_no_doubt(self) -> None:
        x = scores(100, 1)
        found = penalty_reward(x, np.where(x[:, 0] >= np.quantile(x, 0.75), 1e6, 0.0))[0]

        assert found.kind is Kind.EXCITEMENT
        assert found.reward.value == pytest.approx(1e6)
        assert found.reward.low == pytest.approx(1e6)
        assert found.penalty.value == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize(
        ("x", "y", "status"),
        [
            (np.zeros((0, 2)), [], MethodStatus.INSUFFICIENT_N),
            (scores(39, 2), scores(39, 1)[:, 0], MethodStatus.INSUFFICIENT_N),
            (scores(15, 1), scores(15, 1)[:, 0], MethodStatus.INSUFFICIENT_N),
            (scores(75, 4), scores(75, 1)[:, 0], MethodStatus.INSUFFICIENT_N),
            (scores(100, 2), np.full(100, 0.1), MethodStatus.ZERO_VARIANCE),
            (scores(100, 2)[:, [0, 0]], scores(100, 1)[:, 0], MethodStatus.SINGULAR),
            (np.full((100, 2), 5.0), scores(100, 1)[:, 0], MethodStatus.NOT_APPLICABLE),
        ],
    )
    def test_says_why_there_are_no_figures(
        self, x: FloatArray, y: FloatArray, status: MethodStatus
    ) -> None:
        found = penalty_reward(x, y)

        assert {one.status for one in found} == {status}
        assert {one.reward.value for one in found} == {None}


REFUSED: dict[str, Callable[[], object]] = {
    "things of another number": lambda: importance_performance([figure(1)], []),
    "another cross": lambda: importance_performance([], [], cross="best"),  # type: ignore[arg-type]
    "a middle without a scale": lambda: importance_performance([], [], cross="middle"),
    "a scale upside down": lambda: importance_performance([], [], cross="middle", scale=(5, 1)),
    "a scale of importance without an end": lambda: importance_performance(
        [], [], cross="middle", scale=(1, 5), importance_scale=(1, np.inf)
    ),
    "a figure that is NaN": lambda: importance_performance([figure(np.nan)], [figure(1)]),
    "ragged scores": lambda: penalty_reward([[1.0, 2.0], [3.0]], [1.0, 2.0]),
    "flat scores": lambda: penalty_reward([1.0], [1.0]),
    "an outcome of others": lambda: penalty_reward(scores(9, 2), [1.0]),
    "endless scores": lambda: penalty_reward([[np.inf]], [1.0]),
    "an endless outcome": lambda: penalty_reward([[1.0]], [-np.inf]),
    "a confidence of 95": lambda: penalty_reward(scores(9, 2), [1.0] * 9, confidence=95),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
