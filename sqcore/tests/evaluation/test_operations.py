"""What was measured stands beside what people said, and is not guarded like it."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sqcore.base.periods import Grain
from sqcore.evaluation import frozen
from sqcore.evaluation.due import due_periods
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue
from sqcore.evaluation.rules import METHOD
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


@pytest.fixture
def unit() -> Unit:
    return make_unit("bank")


def _row(unit: Unit, code: str, **over: object) -> KpiValue:
    found = {"margin": "", "is_current": True, **over}
    return KpiValue.objects.get(unit=unit, code=code, **found)


def _wait(minutes: float = 0) -> dict[str, int]:
    return {"waiting": round(60 * minutes)}


def _waiting(weight: float = 1, **over: object) -> Leaf:
    found = indicator("waiting", source="desk", direction="lower", unit_of_measure="min")
    return Leaf(found, weight, 30, 0)


def _said(weight: float = 1) -> Leaf:
    return Leaf(indicator("overall", source="memory"), weight, 1, 7)


class TestWhatWasMeasuredIsShown:
    def test_however_little_there_is(self, desk: MemorySource, unit: Unit) -> None:
        tree_system([branch("process", 1, _waiting())])
        desk.add(unit, DAY, _wait(6), _wait(12))

        evaluate_due(now=months_later(1))

        waiting = _row(unit, "waiting")
        assert (waiting.status, waiting.value, waiting.score, waiting.n) == ("ok", 9.0, 70.0, 2)
        half = stats.t.ppf(0.975, 1) * 3
        assert waiting.high == pytest.approx(9 + half)
        assert waiting.low == 0
        assert (_row(unit, "process").score, _row(unit, "composite").n) == (70.0, 2)

    def test_a_single_measurement_without_an_interval(self, desk: MemorySource, unit: Unit) -> None:
        tree_system([branch("process", 1, _waiting())])
        desk.add(unit, DAY, _wait(6))

        evaluate_due(now=months_later(1))

        for code in ("waiting", "process", "composite"):
            row = _row(unit, code)
            assert (row.status, row.reason, row.score, row.n) == ("ok", "no_interval", 80.0, 1)
            assert (row.low, row.score_low) == (None, None)

    def test_by_channel_as_well(self, desk: MemorySource, unit: Unit) -> None:
        tree_system([branch("process", 1, _waiting())])
        desk.add(unit, DAY, _wait(6), channel="app")
        desk.add(unit, DAY, *[_wait(9)] * 20, channel="desk")

        evaluate_due(now=months_later(1))

        assert _row(unit, "waiting", margin="channel", margin_value="app").n == 1

    def test_a_single_measurement_counts_and_the_interval_says_that_it_is_left_out(
        self, desk: MemorySource, unit: Unit
    ) -> None:
        stock = Leaf(indicator("stock", source="desk", statistic="mean"), 0.5, 0, 10)
        tree_system([branch("process", 1, _waiting(0.5), stock)])
        desk.add(unit, DAY, _wait(6), _wait(12), _wait(9))
        desk.add(unit, DAY, {"stock": 50})

        evaluate_due(now=months_later(1))

        row = _row(unit, "process")
        assert (row.score, row.reason, row.coverage) == (60.0, "partly", 1.0)
        half = stats.t.ppf(0.975, 2) * np.sqrt(9 / 3) * (100 / 30) / 2
        assert row.score_high == pytest.approx(60 + half)


class TestRates:
    def test_a_rate_is_a_count_for_its_exposure(self, desk: MemorySource, unit: Unit) -> None:
        faults = indicator(
            "errors", source="desk", statistic="rate", direction="lower", unit_of_measure="per 1000"
        )
        tree_system([branch("process", 1, Leaf(faults, 1, 10, 0))])
        # Ten faults in 4,000 hours: the weight is the exposure.
        desk.add(unit, DAY, {"errors": 1}, weight=4)
        desk.add(unit, DAY, {"errors": 1}, weight=6)
        desk.add(unit, DAY, {"errors": 0}, weight=3990)

        evaluate_due(now=months_later(1))

        row = _row(unit, "errors")
        assert (row.value, row.n, row.score) == (2.5, 3, 75.0)
        assert row.low == pytest.approx(1.1988, abs=1e-4)
        assert row.high == pytest.approx(4.5976, abs=1e-4)

    def test_none_at_all_is_an_answer_too(self, desk: MemorySource, unit: Unit) -> None:
        faults = indicator("errors", source="desk", statistic="rate", direction="lower")
        tree_system([branch("process", 1, Leaf(faults, 1, 0.01, 0))])
        desk.add(unit, DAY, {"errors": 0}, weight=1000)

        evaluate_due(now=months_later(1))

        row = _row(unit, "errors")
        assert (row.value, row.low, row.n, row.reason) == (0.0, 0.0, 1, "")
        assert row.high == pytest.approx(0.0036889, abs=1e-7)


class TestBesideOpinions:
    def test_a_small_group_stays_hidden_and_the_waiting_time_is_shown(
        self, source: MemorySource, desk: MemorySource, unit: Unit
    ) -> None:
        tree_system([branch("said", 0.4, _said()), branch("process", 0.6, _waiting())])
        source.add(unit, DAY, *[{"overall": 7}] * 3)
        desk.add(unit, DAY, _wait(6), _wait(12), _wait(9))

        evaluate_due(now=months_later(1))

        assert _row(unit, "overall").status == "suppressed"
        assert _row(unit, "said").status == "suppressed"
        assert _row(unit, "waiting").n == 3
        assert (_row(unit, "process").score, _row(unit, "process").n) == (70.0, 3)
        composite = _row(unit, "composite")
        assert (composite.score, composite.n, composite.coverage) == (70.0, 0, 0.6)
        assert EvaluationRun.objects.get().respondents is None

    def test_sources_are_independent_and_each_has_its_own_degrees_of_freedom(
        self, source: MemorySource, desk: MemorySource, unit: Unit
    ) -> None:
        tree_system([branch("said", 0.5, _said()), branch("process", 0.5, _waiting())])
        answers, minutes = [4, 5, 5, 6, 6, 7], [6, 9, 15, 12]
        source.add(unit, DAY, *[{"overall": value} for value in answers])
        desk.add(unit, DAY, *[_wait(value) for value in minutes])

        evaluate_due(now=months_later(1))

        composite = _row(unit, "composite")
        parts = [
            (np.var(answers, ddof=1) / 6 * (100 / 6 / 2) ** 2, 5),
            (np.var(minutes, ddof=1) / 4 * (100 / 30 / 2) ** 2, 3),
        ]
        variance = sum(v for v, _df in parts)
        df = variance**2 / sum(v**2 / df for v, df in parts)
        assert composite.score == pytest.approx((75 + 65) / 2)
        assert composite.score_high == pytest.approx(
            70 + stats.t.ppf(0.975, df) * np.sqrt(variance)
        )
        assert (composite.n, composite.reason) == (6, "")

    def test_measurements_decide_nothing_about_answers(
        self, source: MemorySource, desk: MemorySource
    ) -> None:
        root = make_unit("bank")
        units = [make_unit(f"b{at}", parent=root) for at in range(4)]
        tree_system([branch("said", 0.5, _said()), branch("process", 0.5, _waiting())])
        for unit, people in zip(units, (3, 9, 0, 20), strict=True):
            source.add(unit, DAY, *[{"overall": 5}] * people, channel="app")
            desk.add(unit, DAY, _wait(3), _wait(4), channel="app")
        desk.add(root, DAY, _wait(3), channel="desk", segment="old")

        evaluate_due(now=months_later(1))

        said = {
            row.unit.code: row.status for row in KpiValue.objects.filter(code="overall", margin="")
        }
        assert said == {"bank": "ok", "b0": "suppressed", "b1": "suppressed", "b3": "ok"}
        assert KpiValue.objects.filter(code="waiting", status="ok", margin="").count() == 5
        assert not KpiValue.objects.filter(
            code="overall", margin_value__in=["desk", "old"]
        ).exists()

    def test_where_figures_are_held_what_was_measured_is_new(
        self, source: MemorySource, desk: MemorySource, unit: Unit
    ) -> None:
        tree_system([branch("said", 0.5, _said()), branch("process", 0.5, _waiting())])
        source.add(unit, DAY, *[{"overall": value} for value in (4, 5, 5, 6, 6, 7)])
        desk.add(unit, DAY, _wait(9), _wait(15))
        evaluate_due(now=months_later(1))
        before = _row(unit, "composite").score
        late = months_later(1) + timedelta(days=1)
        source.add(unit, DAY, {"overall": 1}, came_at=late)
        desk.add(unit, DAY, _wait(3), came_at=late)

        evaluate_due(now=months_later(2))

        assert (_row(unit, "waiting").value, _row(unit, "waiting").reason) == (9.0, "")
        assert _row(unit, "process").score == 70.0
        for code in ("overall", "said", "composite"):
            assert (_row(unit, code).reason, _row(unit, code).run.revision) == ("held", 2)
        assert (_row(unit, "overall").value, _row(unit, "composite").score) == (5.5, before)
        assert [replay(run_id=run.pk).fault for run in EvaluationRun.objects.all()] == ["", ""]


class TestWatched:
    def test_what_weighs_nothing_is_shown_and_in_no_score(
        self, source: MemorySource, desk: MemorySource, unit: Unit
    ) -> None:
        solved = Leaf(indicator("solved", source="desk", statistic="proportion"), 0, 0, 1)
        tree_system([branch("said", 1, _said()), branch("process", 0, _waiting(1), solved)])
        source.add(unit, DAY, *[{"overall": value} for value in (4, 5, 5, 6, 6, 7)])
        desk.add(unit, DAY, _wait(6) | {"solved": 1}, _wait(12) | {"solved": 0})

        evaluate_due(now=months_later(1))

        assert _row(unit, "solved").value == 0.5
        assert (_row(unit, "process").score, _row(unit, "process").coverage) == (70.0, 1.0)
        composite = _row(unit, "composite")
        assert (composite.score, composite.coverage, composite.n) == (75.0, 1.0, 6)

    def test_what_is_only_watched_does_not_count_as_missing(
        self, source: MemorySource, desk: MemorySource, unit: Unit
    ) -> None:
        tree_system([branch("said", 1, _said(1), _waiting(0))])
        source.add(unit, DAY, *[{"overall": value} for value in (4, 5, 5, 6, 6, 7)])

        evaluate_due(now=months_later(1))

        assert _row(unit, "said").coverage == 1.0
        assert not KpiValue.objects.filter(code="waiting").exists()


class TestWeeksBesideMonths:
    def test_a_week_has_what_was_measured_and_no_score(
        self, source: MemorySource, desk: MemorySource, unit: Unit
    ) -> None:
        tree_system(
            [branch("said", 0.5, _said()), branch("process", 0.5, _waiting())],
            grains=[Grain.WEEK, Grain.MONTH],
        )
        source.add(unit, DAY, *[{"overall": value} for value in (4, 5, 5, 6, 6, 7)])
        desk.add(unit, DAY, _wait(6), _wait(12))

        evaluate_due(now=months_later(1))

        rows = KpiValue.objects.order_by("id").values_list("grain", "kind", "code", "value")
        assert [row for row in rows if row[0] == "week"] == [("week", "indicator", "waiting", 9.0)]
        assert {row[2] for row in rows if row[0] == "month"} == {
            *("composite", "said", "process", "overall", "waiting")
        }
        week = EvaluationRun.objects.get(grain="week")
        assert (week.definition["whole"], week.respondents) == (False, None)
        assert replay(run_id=week.pk).fault == ""

    def test_without_measurements_no_week_is_due(self, source: MemorySource, unit: Unit) -> None:
        version = tree_system([branch("said", 1, _said())])
        version.grains = ["week", "month"]
        version.save(update_fields=["grains"])
        source.add(unit, DAY, *[{"overall": value} for value in (4, 5, 5, 6, 6, 7)])

        assert [due.period.key for due in due_periods(now=months_later(1))] == ["2026-01"]


def test_corrections_of_measurements_wait_an_hour(desk: MemorySource, unit: Unit) -> None:
    tree_system([branch("process", 1, _waiting())])
    desk.add(unit, DAY, _wait(6), _wait(12))
    now = months_later(1)
    evaluate_due(now=now)

    desk.add(unit, DAY, _wait(9), came_at=now + timedelta(minutes=1))

    assert due_periods(now=now + timedelta(minutes=59)) == []
    assert evaluate_due(now=now + timedelta(minutes=60)) == 1


def _in_the_old_form(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition as it was stored before there were formulas, targets and counts."""
    old = {"code", "name", "definition", "unit_of_measure", "direction", "statistic"}
    old |= {"source", "measure", "weight"}

    def dimension(found: dict[str, Any]) -> dict[str, Any]:
        return {
            **{key: found[key] for key in ("code", "name", "weight")},
            "dimensions": [dimension(below) for below in found["dimensions"]],
            "indicators": [
                {key: leaf[key] for key in leaf if key in old}
                | {"floor": leaf["worst"], "target": leaf["best"]}
                for leaf in found["indicators"]
            ],
        }

    return {
        **{key: definition[key] for key in ("system", "name", "version")},
        "dimensions": [dimension(found) for found in definition["dimensions"]],
    }


def test_runs_whose_definition_had_fewer_fields_are_replayed(
    source: MemorySource, unit: Unit
) -> None:
    reliability = Leaf(indicator("reliability", source="memory"), 0.5, 1, 7)
    tree_system([branch("said", 1, _said(0.5), reliability)])
    source.add(unit, DAY, *[{"overall": v, "reliability": 8 - v} for v in (4, 5, 5, 6, 6, 7)])
    evaluate_due(now=months_later(1))
    run = EvaluationRun.objects.get()
    run.definition, run.policy = _in_the_old_form(run.definition), {**run.policy, "method": 1}
    run.input_digest = frozen.input_digest(
        definition=run.definition,
        policy=run.policy,
        tree=run.tree,
        cells={
            cells.source: cells.digest
            for cells in FrozenCells.objects.exclude(source__in=["published", "errors"]).order_by(
                "id"
            )
        },
    )
    run.save()

    assert replay(run_id=run.pk).fault == ""
    run.definition["dimensions"][0]["indicators"][0]["target"] = 8
    run.save()
    assert replay(run_id=run.pk).fault == "The frozen inputs are not those of the run."


def test_a_run_of_the_first_method_keeps_its_degrees_of_freedom(
    source: MemorySource, desk: MemorySource, unit: Unit
) -> None:
    tree_system([branch("said", 0.5, _said()), branch("process", 0.5, _waiting())])
    source.add(unit, DAY, *[{"overall": value} for value in (4, 5, 5, 6, 6, 7)])
    desk.add(unit, DAY, *[_wait(value) for value in (6, 9, 15, 12)])
    evaluate_due(now=months_later(1))
    run = EvaluationRun.objects.get()
    assert run.policy["method"] == METHOD == 2
    run.policy["method"] = 1
    run.save()

    then, now = replay(run_id=run.pk).rows[0], _row(unit, "composite")

    assert then.score == now.score
    half = (then.score_high or 0) - (then.score or 0), (now.score_high or 0) - (now.score or 0)
    assert half[0] / half[1] == pytest.approx(stats.t.ppf(0.975, 3) / stats.t.ppf(0.975, 6.6), 0.05)
