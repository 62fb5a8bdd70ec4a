"""Indicators that are computed from other indicators, with their uncertainty."""

from datetime import date

import numpy as np
import pytest
from scipy import stats

from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import (
    MemorySource,
    branch,
    indicator,
    months_later,
    tree_system,
)
from sqcore.tests.factories import make_unit

pytestmark = pytest.mark.django_db

DAY = date(2026, 1, 9)
HANDLING, WAITING = (4, 6, 9, 5, 8, 4), (6, 10, 15, 9, 12, 8)


@pytest.fixture
def unit() -> Unit:
    return make_unit("bank")


def _row(unit: Unit, code: str) -> KpiValue:
    return KpiValue.objects.get(unit=unit, code=code, margin="", is_current=True)


def _minutes(code: str) -> None:
    indicator(code, source="desk", direction="lower", unit_of_measure="min")


def _encounters(desk: MemorySource, unit: Unit) -> None:
    rows = zip(HANDLING, WAITING, strict=True)
    desk.add(unit, DAY, *[{"handling": 60 * h, "waiting": 60 * w} for h, w in rows])


def _formula(text: str, weight: float = 1, worst: float = 0, best: float = 1) -> Leaf:
    direction = "higher" if best > worst else "lower"
    return Leaf(indicator("computed", formula=text, direction=direction), weight, worst, best)


def test_a_ratio_knows_that_its_parts_go_together(desk: MemorySource, unit: Unit) -> None:
    for code in ("handling", "waiting"):
        _minutes(code)
    tree_system([branch("process", 1, _formula("[handling] / ([handling] + [waiting])"))])
    _encounters(desk, unit)

    evaluate_due(now=months_later(1))

    row = _row(unit, "computed")
    h, w = np.mean(HANDLING), np.mean(WAITING)
    v = np.cov(HANDLING, WAITING) / 6
    gradient = np.array([w, -h]) / (h + w) ** 2
    se = np.sqrt(gradient @ v @ gradient)
    assert row.value == pytest.approx(6 / 16)
    assert row.high == pytest.approx(6 / 16 + stats.t.ppf(0.975, 5) * se)
    assert row.score == pytest.approx(37.5)
    assert row.n == 6
    assert row.score_low == pytest.approx(100 * (row.low or 0))


def test_operands_outside_the_tree_have_no_rows_and_are_frozen(
    desk: MemorySource, unit: Unit
) -> None:
    for code in ("handling", "waiting"):
        _minutes(code)
    tree_system([branch("process", 1, _formula("[handling] + [waiting]", worst=60, best=0))])
    _encounters(desk, unit)

    evaluate_due(now=months_later(1))

    assert set(KpiValue.objects.values_list("code", flat=True)) == {
        *("composite", "process", "computed")
    }
    run = EvaluationRun.objects.get()
    assert [found["code"] for found in run.definition["operands"]] == ["handling", "waiting"]
    assert FrozenCells.objects.filter(run=run, source="desk").exists()
    assert replay(run_id=run.pk).fault == ""


def test_it_goes_together_with_its_operands_in_the_score(desk: MemorySource, unit: Unit) -> None:
    _minutes("handling")
    waiting = Leaf(
        indicator("waiting", source="desk", direction="lower", unit_of_measure="min"), 0.5, 30, 0
    )
    both = _formula("[handling] + [waiting]", 0.5, 50, 0)
    tree_system([branch("process", 1, waiting, both)])
    _encounters(desk, unit)

    evaluate_due(now=months_later(1))

    row = _row(unit, "process")
    v = np.cov(HANDLING, WAITING) / 6
    gradient = np.array([-1, -1 - 50 / 30])
    se = np.sqrt(gradient @ v @ gradient)
    assert row.score == pytest.approx((100 * (1 - 10 / 30) + 100 * (1 - 16 / 50)) / 2)
    assert row.score_high == pytest.approx((row.score or 0) + stats.t.ppf(0.975, 5) * se)


def test_parts_from_two_sources_are_independent(
    source: MemorySource, desk: MemorySource, unit: Unit
) -> None:
    _minutes("waiting")
    said = Leaf(indicator("overall", source="memory"), 0, 1, 7)
    tree_system([branch("process", 1, said, _formula("[waiting] / [overall]", worst=9, best=0))])
    answers = (4, 5, 5, 6, 6, 7)
    source.add(unit, DAY, *[{"overall": value} for value in answers])
    _encounters(desk, unit)

    evaluate_due(now=months_later(1))

    row = _row(unit, "computed")
    variances = np.var(WAITING, ddof=1) / 6, np.var(answers, ddof=1) / 6
    se = np.sqrt(variances[0] / 5.5**2 + variances[1] * (10 / 5.5**2) ** 2)
    assert row.value == pytest.approx(10 / 5.5)
    assert row.high == pytest.approx(10 / 5.5 + stats.t.ppf(0.975, 5) * se)


def test_of_one_share_it_keeps_the_interval_of_that_share(desk: MemorySource, unit: Unit) -> None:
    indicator("errors", source="desk", statistic="proportion", direction="lower")
    tree_system([branch("process", 1, _formula("1 - [errors]"))])
    desk.add(unit, DAY, *[{"errors": 0}] * 20)

    evaluate_due(now=months_later(1))

    row = _row(unit, "computed")
    assert (row.value, row.high, row.reason) == (1.0, 1.0, "")
    assert row.low == pytest.approx(0.8389, abs=1e-4)
    assert _row(unit, "process").score_low == pytest.approx(83.89, abs=1e-2)


def test_a_hidden_operand_hides_it(source: MemorySource, desk: MemorySource, unit: Unit) -> None:
    waiting = Leaf(
        indicator("waiting", source="desk", direction="lower", unit_of_measure="min"), 0.5, 30, 0
    )
    said = Leaf(indicator("overall", source="memory"), 0, 1, 7)
    tree_system([branch("p", 1, waiting, said, _formula("[waiting] / [overall]", 0.5, 9, 0))])
    source.add(unit, DAY, *[{"overall": 5}] * 3)
    _encounters(desk, unit)

    evaluate_due(now=months_later(1))

    assert (_row(unit, "computed").status, _row(unit, "computed").value) == ("suppressed", None)
    assert _row(unit, "p").status == "insufficient"


def test_an_opinion_that_stands_nowhere_in_the_system_is_never_shown_through_a_formula(
    source: MemorySource, unit: Unit
) -> None:
    indicator("overall", source="memory")
    said = Leaf(indicator("reliability", source="memory"), 1, 1, 7)
    tree_system([branch("p", 1, said, _formula("[overall] / 7", 0))])
    source.add(unit, DAY, *[{"overall": 5, "reliability": 4}] * 9)

    evaluate_due(now=months_later(1))

    assert _row(unit, "computed").status == "suppressed"
    assert _row(unit, "reliability").n == 9


def test_what_is_missing_is_said(desk: MemorySource, unit: Unit) -> None:
    for code in ("handling", "waiting"):
        _minutes(code)
    tree_system([branch("p", 1, _formula("[handling] / [waiting]"))])
    desk.add(unit, DAY, {"handling": 300})

    evaluate_due(now=months_later(1))

    row = _row(unit, "computed")
    assert (row.status, row.reason, row.score, row.n) == ("insufficient", "missing", None, None)
    assert _row(unit, "p").status == "insufficient"


def test_dividing_by_zero_is_no_number(desk: MemorySource, unit: Unit) -> None:
    for code in ("handling", "waiting"):
        _minutes(code)
    tree_system([branch("p", 1, _formula("[handling] / [waiting]"))])
    desk.add(unit, DAY, *[{"handling": 300, "waiting": 0}] * 3)

    evaluate_due(now=months_later(1))

    assert (_row(unit, "computed").status, _row(unit, "computed").reason) == (
        *("insufficient", "undefined"),
    )
    assert replay(run_id=EvaluationRun.objects.get().pk).fault == ""


def test_where_nothing_was_measured_there_is_no_row(desk: MemorySource, unit: Unit) -> None:
    for code in ("handling", "waiting"):
        _minutes(code)
    stock = Leaf(indicator("stock", source="desk"), 1, 0, 10)
    tree_system([branch("p", 1, stock), branch("q", 0, _formula("[handling] / [waiting]"))])
    desk.add(unit, DAY, {"stock": 50})

    evaluate_due(now=months_later(1))

    assert set(KpiValue.objects.values_list("code", flat=True)) == {"composite", "p", "stock"}
