"""The five gaps against the forum's example, scipy and hand-worked sides."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import equal_answers, mean_covariance
from sqcore.stats.gaps import (
    CAUSES,
    Gap,
    GapResult,
    causes,
    communication_gap,
    delivery_gap,
    half_mean,
    knowledge_gap,
    service_gap,
    side_from,
    side_of,
    standards_gap,
)
from sqcore.stats.moments import moments_of
from sqcore.stats.results import Figure, MethodStatus

MISSING = math.nan
MANAGERS = np.array([[6, 5], [5, 6], [7, 6], [6, 4.5]])
CUSTOMERS = np.array([[6.5, 6], [7, 7], [6, 6.5], [6.5, 7], [7, 6], [6, 6]])

Answers = arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.just(3)),
    elements=st.one_of(st.just(MISSING), st.integers(1, 7).map(float)),
)
Whole = arrays(np.float64, st.tuples(st.integers(2, 12), st.just(3)), elements=st.integers(1, 7))


def figures_of(result: GapResult) -> list[Figure]:
    return [*result.dimensions, result.overall]


def around(means: list[float]) -> FloatArray:
    """Three respondents with these means who do not agree."""
    return np.asarray(np.array(means) + np.array([[-0.3], [0.0], [0.3]]), dtype=np.float64)


def test_overall_matches_12manage_example_54() -> None:
    # 12manage.com, forum zeithaml_servqual 54: tangibles -.65, reliability -1.10,
    # responsiveness -.83, assurance -.70, empathy -1.01 give -.858.
    found = service_gap(around([-0.65, -1.1, -0.83, -0.7, -1.01]))

    assert found.overall.value == pytest.approx(-0.858)
    assert [figure.value for figure in found.dimensions] == pytest.approx(
        [-0.65, -1.1, -0.83, -0.7, -1.01]
    )


def test_points_weigh_the_dimensions() -> None:
    # The same gaps with the points 11, 32, 22, 19, 16 of Zeithaml, Parasuraman, Berry 1990.
    found = service_gap(around([-0.65, -1.1, -0.83, -0.7, -1.01]), weights=[11, 32, 22, 19, 16])

    assert found.overall.value == pytest.approx(-0.9007)


def test_gap_1_is_welch_of_two_different_groups() -> None:
    found = knowledge_gap(side_of(MANAGERS), side_of(CUSTOMERS))

    for column, figure in enumerate(found.dimensions):
        usual = stats.ttest_ind(MANAGERS[:, column], CUSTOMERS[:, column], equal_var=False)
        interval = usual.confidence_interval(0.95)
        apart = MANAGERS[:, column].mean() - CUSTOMERS[:, column].mean()
        assert figure.value == pytest.approx(apart)
        assert (figure.low, figure.high) == pytest.approx((interval.low, interval.high))
        assert figure.n == 4
    usual = stats.ttest_ind(MANAGERS.mean(axis=1), CUSTOMERS.mean(axis=1), equal_var=False)
    interval = usual.confidence_interval(0.95)
    assert (found.overall.low, found.overall.high) == pytest.approx((interval.low, interval.high))


def test_managers_who_expect_too_little_of_customers_are_a_shortfall() -> None:
    found = knowledge_gap(side_of(MANAGERS), side_of(CUSTOMERS))

    assert found.gap is Gap.KNOWLEDGE
    assert found.overall.value == pytest.approx(5.6875 - 6.4583, abs=1e-4)
    sure = knowledge_gap(side_of(np.tile(MANAGERS, (3, 1))), side_of(CUSTOMERS))
    assert (sure.overall.high or 0) < 0 < (found.overall.high or 0)


def test_managers_who_all_agree_are_not_certain() -> None:
    """Two who say 6 leave room for others: the side has the interval of equal answers."""
    agreed = knowledge_gap(side_of([[6.0], [6.0]]), side_of(CUSTOMERS[:, :1]))
    all_agree = knowledge_gap(side_of([[6.0], [6.0]]), side_of([[7.0]] * 50))

    assert agreed.overall.value == pytest.approx(-0.5)
    low, _ = equal_answers([6.0], [2.0], bounds=(1, 7))
    assert agreed.overall.low is not None
    assert agreed.overall.low < -0.5 - (6.0 - float(low[0])) + 0.1
    assert all_agree.overall.value == -1.0
    assert (all_agree.overall.low or 0) < -4
    assert (all_agree.overall.high or 1) == pytest.approx(-0.16, abs=0.02)


def test_gap_2_against_the_top_and_against_what_managers_expect() -> None:
    standards = np.array([[5, 6], [4, 6], [6, 7.0]])
    wanted = np.array([[6, 6], [6, 7], [7, 7.0]])

    top, own = standards_gap(standards), standards_gap(standards, wanted)

    assert (top.gap, own.gap) == (Gap.STANDARDS, Gap.STANDARDS)
    assert [figure.value for figure in top.dimensions] == pytest.approx([-2, -2 / 3])
    assert [figure.value for figure in own.dimensions] == pytest.approx([-4 / 3, -1 / 3])
    usual = stats.ttest_rel(standards[:, 0], wanted[:, 0]).confidence_interval(0.95)
    assert (own.dimensions[0].low, own.dimensions[0].high) == pytest.approx((usual.low, usual.high))


def test_a_gap_below_the_top_never_reaches_above_it() -> None:
    found = delivery_gap([[7.0], [5.0], [7.0]])

    assert found.overall.value == pytest.approx(-2 / 3)
    assert found.overall.high == 0.0


def test_gaps_3_and_4_are_told_apart() -> None:
    able = [[6.0], [4.0], [5.0], [5.0]]

    delivery, communication = delivery_gap(able), communication_gap(able)

    assert (delivery.gap, communication.gap) == (Gap.DELIVERY, Gap.COMMUNICATION)
    assert delivery.overall == communication.overall
    usual = stats.ttest_1samp(np.ravel(able) - 7, 0).confidence_interval(0.95)
    assert (delivery.overall.low, delivery.overall.high) == pytest.approx((usual.low, usual.high))


def test_gap_5_is_the_paired_interval_over_people_not_over_items() -> None:
    gaps = np.array([[-1, 0], [-2, 0.5], [0, -1], [-1.5, -0.5]])

    found = service_gap(gaps)

    usual = stats.ttest_1samp(gaps.mean(axis=1), 0).confidence_interval(0.95)
    assert found.overall.value == pytest.approx(gaps.mean())
    assert (found.overall.low, found.overall.high) == pytest.approx((usual.low, usual.high))


def test_the_sums_that_are_kept_give_the_same_gap_as_the_answers() -> None:
    gaps = np.array([[-60, 0], [-120, 30], [0, -60], [-90, -30]])
    sums = moments_of(gaps, np.ones((4, 2), dtype=bool), None, [0] * 4, 1)

    kept = service_gap(side_from(mean_covariance(sums, scale=1 / 60)))

    for one, other in zip(figures_of(kept), figures_of(service_gap(gaps / 60)), strict=True):
        assert (one.value, one.low, one.high, one.n) == pytest.approx(
            (other.value, other.low, other.high, other.n)
        )


def test_a_dimension_that_nobody_answered_leaves_no_overall() -> None:
    found = delivery_gap([[5.0, MISSING], [6.0, MISSING]])

    assert found.dimensions[0].value == -1.5
    assert found.dimensions[1] == Figure.none(MethodStatus.NOT_APPLICABLE)
    assert found.overall == Figure.none(MethodStatus.NOT_APPLICABLE)
    weighted = delivery_gap([[5.0, MISSING], [6.0, MISSING]], weights=[1, 0])
    assert weighted.overall.value == -1.5


def test_one_manager_is_no_group() -> None:
    one, two = side_of([[6.0]]), side_of([[6.0], [7.0]])

    for found in (knowledge_gap(one, two), knowledge_gap(two, one), standards_gap([[6.0]])):
        assert found.overall == Figure.none(MethodStatus.INSUFFICIENT_N, n=1)
    nobody = side_of(np.zeros((0, 1)))
    assert knowledge_gap(two, nobody).overall == Figure.none(MethodStatus.NOT_APPLICABLE)


def test_all_who_agree_have_the_interval_of_equal_answers() -> None:
    found = communication_gap([[7.0]] * 30)

    low, _ = equal_answers([0.0], [30.0], bounds=(-6, 0))
    assert found.overall == Figure(0.0, float(low[0]), 0.0, 30)


def test_another_scale() -> None:
    found = delivery_gap([[4.0], [5.0], [3.0]], scale=(1, 5))

    assert found.overall.value == -1.0


@given(Answers)
def test_every_gap_has_a_finite_interval_or_a_reason(answers: FloatArray) -> None:
    results = [
        knowledge_gap(side_of(answers), side_of(CUSTOMERS[:, [0, 1, 0]])),
        standards_gap(answers),
        standards_gap(answers, answers[::-1]),
        delivery_gap(answers),
        communication_gap(answers),
        service_gap(answers - 4),
    ]

    for figure in (figure for result in results for figure in figures_of(result)):
        if figure.status is MethodStatus.OK:
            assert figure.low is not None
            assert figure.value is not None
            assert figure.high is not None
            assert -6 <= figure.low <= figure.value + 1e-9
            assert figure.value - 1e-9 <= figure.high <= 6
        else:
            assert (figure.value, figure.low, figure.high) == (None, None, None)


@given(Whole, Whole)
def test_gap_1_turned_round_is_the_opposite(one: FloatArray, other: FloatArray) -> None:
    there = knowledge_gap(side_of(one), side_of(other))
    back = knowledge_gap(side_of(other), side_of(one))

    for a, b in zip(figures_of(there), figures_of(back), strict=True):
        assert a.value == pytest.approx(-(b.value or 0), abs=1e-9)
        assert a.low == pytest.approx(-(b.high or 0), abs=1e-9)


@given(Whole)
def test_overall_is_the_mean_of_the_dimensions(answers: FloatArray) -> None:
    found = delivery_gap(answers)

    assert found.overall.value == pytest.approx(
        np.mean([figure.value for figure in found.dimensions])
    )


@given(Whole, st.floats(0.01, 1000))
def test_only_the_ratio_of_weights_matters(answers: FloatArray, factor: float) -> None:
    one = delivery_gap(answers, weights=[11, 32, 57]).overall
    other = delivery_gap(answers, weights=[11 * factor, 32 * factor, 57 * factor]).overall

    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_the_cause_that_lies_clearly_lowest_comes_first() -> None:
    # Two items each; the second item of the first cause is turned: 6 becomes 2.
    answers = [[2, 6, 4, 4, 3, 1], [2, 6, 5, 3, 7, 1], [2, 6, 4, 5, 1, 4], [3, 5, 3, 4, 2, 2]]

    found = causes(answers, [0, 0, 1, 1, 2, 2], [False, True] + [False] * 4)

    assert [(each.number, each.speaks) for each in found] == [(0, True), (2, False), (1, False)]
    assert [each.figure.value for each in found] == pytest.approx([-1.75, -1.375, 0.0])
    scores = np.array([-2.0, -2.0, -2.0, -1.0])
    usual = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (found[0].figure.low, found[0].figure.high) == pytest.approx((usual.low, usual.high))


def test_a_loud_but_unsure_cause_stands_behind_a_sure_one() -> None:
    answers = [[1.0, 3.0], [6.0, 3.25], [1.0, 3.25]]

    found = causes(answers, [0, 1])

    assert [(each.number, each.speaks) for each in found] == [(1, True), (0, False)]
    assert (found[1].figure.value or 0) < (found[0].figure.value or 0)


def test_a_cause_needs_half_of_its_items_and_one_without_answers_comes_last() -> None:
    answers = [
        [MISSING, 2, MISSING, 5, MISSING],
        [3, 3, MISSING, 6, MISSING],
        [MISSING, MISSING, 1, 5, MISSING],
    ]

    found = causes(answers, [0, 0, 0, 1, 2])

    assert [each.number for each in found] == [1, 0, 2]
    assert found[1].figure == Figure.none(MethodStatus.INSUFFICIENT_N, n=1)
    assert found[2].figure == Figure.none(MethodStatus.NOT_APPLICABLE)
    assert [each.speaks for each in found] == [False] * 3


def test_a_cause_that_no_item_asks_about_is_not_applicable() -> None:
    found = causes([[2.0], [3.0]], [1])

    assert [each.number for each in found] == [1, 0]
    assert found[1].figure == Figure.none(MethodStatus.NOT_APPLICABLE)


@given(Whole)
def test_turning_all_items_turns_the_cause(answers: FloatArray) -> None:
    plain = {each.number: each.figure.value for each in causes(answers, [0, 1, 1])}
    turned = {each.number: each.figure.value for each in causes(answers, [0, 1, 1], [True] * 3)}

    for number, value in plain.items():
        assert turned[number] == pytest.approx(-(value or 0), abs=1e-9)


def test_the_gaps_inside_the_house_have_their_causes_and_gap_5_is_their_sum() -> None:
    assert [len(CAUSES[gap]) for gap in CAUSES] == [3, 4, 7, 2]
    assert list(CAUSES) == [Gap.KNOWLEDGE, Gap.STANDARDS, Gap.DELIVERY, Gap.COMMUNICATION]


ONE_SIDE = side_of([[6.0], [7.0]])
REFUSED: dict[str, Callable[[], object]] = {
    "a list for a table": lambda: side_of([1.0]),
    "ragged rows": lambda: side_of([[1.0], [1.0, 2.0]]),
    "text": lambda: delivery_gap([["a"]]),
    "infinity": lambda: side_of([[math.inf]]),
    "a mean of a list": lambda: half_mean([1.0, 2.0]),
    "a number beyond squaring": lambda: side_of([[1e101]]),
    "no dimension": lambda: delivery_gap(np.zeros((3, 0))),
    "an answer off the scale": lambda: delivery_gap([[8.0]]),
    "a standard of 0": lambda: standards_gap([[0.0]]),
    "what is wanted of others": lambda: standards_gap([[5.0]], [[5.0], [6.0]]),
    "a gap wider than the scale": lambda: service_gap([[-7.0], [0.0]]),
    "a mean gap wider than the scale": lambda: service_gap(side_of([[-7.0], [-7.5]])),
    "sides of other dimensions": lambda: knowledge_gap(ONE_SIDE, side_of([[6.0, 6.0]])),
    "a side off the scale": lambda: knowledge_gap(ONE_SIDE, side_of([[8.0], [9.0]])),
    "a scale upside down": lambda: delivery_gap([[5.0]], scale=(7, 1)),
    "an endless scale": lambda: knowledge_gap(ONE_SIDE, ONE_SIDE, scale=(1, math.inf)),
    "weights of another length": lambda: delivery_gap([[5.0]], weights=[1, 1]),
    "a negative weight": lambda: delivery_gap([[5.0, 5.0]], weights=[2, -1]),
    "no weight at all": lambda: delivery_gap([[5.0]], weights=[0]),
    "a weight that is NaN": lambda: delivery_gap([[5.0]], weights=[MISSING]),
    "a confidence of 95": lambda: service_gap([[0.0]], confidence=95),
    "a confidence of 0": lambda: knowledge_gap(ONE_SIDE, ONE_SIDE, confidence=0),
    "causes of another length": lambda: causes([[5.0]], [0, 1]),
    "a negative cause": lambda: causes([[5.0]], [-1]),
    "no causes": lambda: causes(np.zeros((2, 0)), []),
    "turned of another length": lambda: causes([[5.0]], [0], [True, False]),
    "a cause off the scale": lambda: causes([[9.0]], [0]),
    "causes at a confidence of 95": lambda: causes([[5.0]], [0], confidence=95),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
