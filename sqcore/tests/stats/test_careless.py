"""Marks of careless answers against real answers, hand-worked rows and scipy."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial import distance

from sqcore.stats.arrays import FloatArray
from sqcore.stats.careless import longest_runs, mahalanobis, straight_lines, too_fast
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus
from sqcore.tests.stats.test_psychometrics import ATTITUDE, TURKIYE

MISSING = math.nan
Tables = arrays(
    np.float64,
    st.tuples(st.integers(0, 20), st.integers(0, 12)),
    elements=st.one_of(st.just(MISSING), st.integers(1, 5).map(float)),
)


def test_half_of_the_turkiye_evaluations_are_straight_lines() -> None:
    """Gunduz, Fokoue 2013 (UCI, CC BY 4.0): runs as counted from the 5,820 rows of 28 items."""
    told = json.loads(TURKIYE.read_text(encoding="utf-8"))
    runs, alike = told["longest_runs"], sum(told["alike"].values())

    assert (sum(runs), runs[28], alike) == (5820, 2985, 2985)
    assert sum(runs[:14]) == 1722, "who have no run of half of the items"
    wide = wilson(alike, sum(runs))
    assert alike / sum(runs) == pytest.approx(0.513, abs=0.0005)
    assert (float(wide.low), float(wide.high)) == pytest.approx((0.500, 0.526), abs=0.0005)


def test_each_turkiye_straight_line_is_found() -> None:
    told = json.loads(TURKIYE.read_text(encoding="utf-8"))
    lines = [[int(answer)] * 28 for answer, n in told["alike"].items() for _ in range(n)]
    others = [[1, 2] * 14] * (5820 - len(lines))

    found = straight_lines(lines + others)

    assert found.flagged.tolist() == [True] * len(lines) + [False] * len(others)
    assert (found.share.value, found.judged) == (2985 / 5820, 5820)


def test_a_line_is_the_same_answer_to_everything_that_was_answered() -> None:
    rows: list[list[float]] = [
        [3] * 10,
        [3.0] * 9 + [2.0],
        [MISSING] * 2 + [5] * 8,
        [MISSING] * 3 + [5] * 7,
    ]

    found = straight_lines(rows)

    assert found.flagged.tolist() == [True, False, True, False]
    assert found.judged == 3
    assert found.share == Figure(
        2 / 3, float(wilson(2, 3).low), float(wilson(2, 3).high), 3, MethodStatus.OK
    )


def test_few_questions_judge_nobody() -> None:
    found = straight_lines([[7] * 7] * 50)

    assert not found.flagged.any()
    assert (found.judged, found.share) == (0, Figure.none(MethodStatus.INSUFFICIENT_N))
    assert straight_lines([[7] * 7] * 50, fewest=7).flagged.all()


def test_nobody_at_all() -> None:
    assert straight_lines(np.zeros((0, 9))).judged == 0
    assert straight_lines(np.zeros((3, 0))).share.status is MethodStatus.INSUFFICIENT_N
    assert longest_runs(np.zeros((3, 0))).tolist() == [0, 0, 0]
    assert mahalanobis(np.zeros((0, 2))).status is MethodStatus.INSUFFICIENT_N
    assert mahalanobis(np.zeros((40, 0))).status is MethodStatus.NOT_APPLICABLE
    assert too_fast([], 22).share.status is MethodStatus.INSUFFICIENT_N


def test_runs_worked_by_hand() -> None:
    rows: list[list[float]] = [
        [1, 1, 2, 2, 2, 1],
        [1, 2, 3, 4, 5, 6],
        [4] * 6,
        [MISSING] * 6,
        [2, MISSING, 2, 1, 1, 3],
    ]

    assert longest_runs(rows).tolist() == [3, 1, 6, 0, 2]


@given(Tables)
def test_a_run_as_long_as_all_answers_is_a_straight_line(table: FloatArray) -> None:
    answered = (~np.isnan(table)).sum(axis=1)
    runs, lines = longest_runs(table), straight_lines(table, fewest=2)

    assert (runs <= answered).all()
    assert ((runs == answered) & (answered >= 2)).tolist() == lines.flagged.tolist()


@given(Tables, st.integers(-100, 100))
def test_the_numbers_of_a_scale_do_not_matter(table: FloatArray, shift: int) -> None:
    moved = -3 * table + shift

    assert longest_runs(moved).tolist() == longest_runs(table).tolist()
    assert straight_lines(moved).flagged.tolist() == straight_lines(table).flagged.tolist()


def test_distances_are_those_of_scipy() -> None:
    answers = np.array(ATTITUDE, dtype=np.float64)
    turned = np.linalg.inv(np.cov(answers.T))
    usual = [distance.mahalanobis(row, answers.mean(axis=0), turned) ** 2 for row in answers]

    found = mahalanobis(answers)

    assert found.status is MethodStatus.OK
    assert found.squared == pytest.approx(usual)
    assert found.squared.sum() == pytest.approx(29 * 7)
    assert found.p == pytest.approx(
        stats.beta.sf(np.array(usual) * 30 / 29**2, 7 / 2, (30 - 7 - 1) / 2)
    )
    assert found.judged.all()
    assert not found.flagged.any()
    assert found.share.value == 0.0


def test_an_unlikely_combination_of_likely_answers_is_marked() -> None:
    """A 1 and a 7 are usual, but not from the same person."""
    level = np.random.default_rng(5).integers(1, 8, 200)
    twins = np.column_stack([level, np.clip(level + (np.arange(200) % 3 - 1), 1, 7)])

    found = mahalanobis(np.vstack([twins, [[1, 7]], [[1, MISSING]]]))

    assert found.flagged.nonzero()[0].tolist() == [200]
    assert found.judged.tolist() == [True] * 201 + [False]
    assert (found.squared[201], found.p[201]) == (0.0, 1.0)
    assert found.share.n == 201


def test_p_is_uniform_for_normal_answers_of_few_people() -> None:
    rng = np.random.default_rng(8)

    p = np.concatenate([mahalanobis(rng.standard_normal((30, 6))).p for _ in range(100)])

    assert stats.kstest(p[::7], "uniform").pvalue > 0.01
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (np.arange(58.0).reshape(29, 2), MethodStatus.INSUFFICIENT_N),
        (np.column_stack([np.arange(40.0), np.ones(40)]), MethodStatus.ZERO_VARIANCE),
        (np.column_stack([np.arange(40.0), 2 * np.arange(40.0)]), MethodStatus.SINGULAR),
        (np.full((40, 2), MISSING), MethodStatus.INSUFFICIENT_N),
    ],
)
def test_where_distances_say_nothing_nobody_is_marked(
    values: FloatArray, status: MethodStatus
) -> None:
    found = mahalanobis(values)

    assert (found.status, found.share.status) == (status, status)
    assert not found.flagged.any()
    assert not found.judged.any()
    assert found.p.tolist() == [1.0] * len(values)


@given(
    arrays(
        np.float64, st.tuples(st.integers(30, 60), st.integers(1, 5)), elements=st.integers(1, 7)
    ),
    st.floats(0.01, 100),
    st.floats(-100, 100),
)
def test_distances_know_no_unit(table: FloatArray, unit: float, shift: float) -> None:
    plain, moved = mahalanobis(table), mahalanobis(unit * table + shift)

    assert moved.status is plain.status
    assert moved.squared == pytest.approx(plain.squared, rel=1e-5, abs=1e-5)
    assert np.isfinite(plain.p).all()
    assert ((plain.p >= 0) & (plain.p <= 1)).all()


def test_two_seconds_an_item() -> None:
    found = too_fast([43.9, 44.0, 20.0, MISSING, 5.0], [22, 22, 10, 22, 0])

    assert found.flagged.tolist() == [True, False, False, False, False]
    assert found.judged == 3
    assert found.share.value == pytest.approx(1 / 3)
    assert too_fast([43.9], 22, least_seconds_an_item=1.0).flagged.tolist() == [False]


@given(
    st.lists(st.one_of(st.just(MISSING), st.floats(0, 1e6)), max_size=30),
    st.floats(0.1, 10),
    st.integers(1, 60),
)
def test_a_stricter_rule_marks_no_fewer(seconds: list[float], least: float, items: int) -> None:
    usual = too_fast(seconds, items, least_seconds_an_item=least)
    strict = too_fast(seconds, items, least_seconds_an_item=2 * least)

    assert (usual.flagged <= strict.flagged).all()
    assert usual.judged == strict.judged == len([s for s in seconds if not math.isnan(s)])


ROWS = [[1.0] * 9]
REFUSED: dict[str, Callable[[], object]] = {
    "a list for a table": lambda: straight_lines([1.0, 2.0]),
    "ragged rows": lambda: straight_lines([[1.0], [1.0, 2.0]]),
    "text": lambda: longest_runs([["a"]]),
    "an infinite answer": lambda: longest_runs([[math.inf]]),
    "an answer beyond squaring": lambda: mahalanobis([[1e101]]),
    "a line of one": lambda: straight_lines(ROWS, fewest=1),
    "a confidence of 95": lambda: straight_lines(ROWS, confidence=95),
    "a confidence of 1": lambda: mahalanobis(ROWS, confidence=1.0),
    "a table of seconds": lambda: too_fast([[1.0]], 9),
    "negative seconds": lambda: too_fast([-1.0], 9),
    "infinite seconds": lambda: too_fast([math.inf], 9),
    "negative items": lambda: too_fast([1.0], -9),
    "unknown items": lambda: too_fast([1.0], MISSING),
    "items of another length": lambda: too_fast([1.0], [9, 9]),
    "no time an item": lambda: too_fast([1.0], 9, least_seconds_an_item=0.0),
    "a rule that is NaN": lambda: too_fast([1.0], 9, least_seconds_an_item=MISSING),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
