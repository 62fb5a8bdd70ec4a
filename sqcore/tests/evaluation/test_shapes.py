"""Scores of other shapes, and geometric means, from the answers to the page and back again."""

from datetime import date

import numpy as np
import orjson
import pytest
from django.test import Client

from sqcore.base.periods import Grain
from sqcore.evaluation import frozen, queries
from sqcore.evaluation.figures import Change
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.rules import digest_of
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE
from sqcore.indicators.definition import SystemDefinition, definition_of
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.indicators.shapes import Scoring, along, by_limit, in_the_middle, shape_of
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import (
    MemorySource,
    bank_system,
    branch,
    indicator,
    measure,
    months_later,
    tree_system,
)
from sqcore.tests.factories import give_role, make_principal, make_unit, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

DAY = date(2026, 1, 9)
ANA = make_principal({Permission.VIEW_RESULTS: EVERYWHERE}, key="user:ana")
OLD = {
    "system": "bank", "name": {"en": "Bank quality"}, "version": 1, "operands": [], "target": None,
    "whole": True,
    "dimensions": [{
        "code": "o", "name": {"en": "O"}, "weight": 1.0, "dimensions": [], "target": None,
        "indicators": [{
            "code": "overall", "name": {"en": "Overall"}, "definition": {}, "unit_of_measure": "",
            "direction": "higher", "statistic": "mean", "source": "memory", "measure": "overall",
            "weight": 1.0, "worst": 1.0, "best": 7.0, "counts": "answers", "formula": "",
            "stage": "", "target": None, "floor": None,
        }],
    }],
}  # fmt: skip
"""The definition of a run as it was stored before there were shapes and geometric means."""
BESIDE = ["published", "errors"]
OLD_DIGEST = "8a70cda8d7a352c6b7c6806f9374581c41e8b1ea6648db5820b64a6bad5ddf4e"
"""The hash that its figures had then, of a unit with the number 1."""


@pytest.fixture
def unit() -> Unit:
    return make_unit("bank")


def _leaf(code: str, weight: float, scoring: Scoring) -> Leaf:
    direction = "higher" if scoring.best > scoring.worst else "lower"
    found = indicator(code, source="memory", direction=direction)
    return Leaf(found, weight, scoring.worst, scoring.best, **shape_of(scoring))


def _figure(unit: Unit, code: str) -> KpiValue:
    return KpiValue.objects.current().get(unit=unit, code=code, margin="")


def _answers(source: MemorySource, unit: Unit, on: date = DAY) -> None:
    rows = zip((4, 5, 5, 6, 6, 7), (10, 10, 12, 12, 11, 11), strict=True)
    source.add(unit, on, *[{"overall": r, "empathy": e} for r, e in rows])


def _both(scoring: Scoring, aggregation: str = "arithmetic") -> SystemVersion:
    return tree_system(
        [branch("said", 1, _leaf("overall", 0.5, scoring), _leaf("empathy", 0.5, Scoring(1, 7)))],
        aggregation=aggregation,
    )


@pytest.mark.parametrize(
    ("scoring", "score", "ends"),
    [
        # The mean is 5.5 and its interval 4.39935 to 6.60065.
        (in_the_middle(5.0, 2.0), 75.0, (19.9675, 100.0)),
        (in_the_middle(5.5, 2.0, 1.2), 100.0, (100.0, 100.0)),
        (by_limit(6.0, 5.0), 80.0, (35.974, 100.0)),
        (along([(1, 0), (5, 80), (7, 100)]), 85.0, (67.987, 96.0065)),
    ],
)
def test_a_score_lies_between_the_least_and_most_that_its_interval_holds(
    source: MemorySource, unit: Unit, scoring: Scoring, score: float, ends: tuple[float, float]
) -> None:
    tree_system([branch("said", 1, _leaf("overall", 1, scoring))])
    _answers(source, unit)

    evaluate_due(now=months_later(1))

    found = _figure(unit, "overall")
    assert found.score == pytest.approx(score)
    assert (found.score_low, found.score_high) == pytest.approx(ends, abs=1e-3)
    alone = _figure(unit, "composite")
    assert (alone.score, alone.score_low, alone.score_high) == pytest.approx(
        (score, *ends), abs=1e-3
    )
    assert replay(run_id=EvaluationRun.objects.get().pk).is_same


def test_the_shape_is_of_the_mean_not_of_each_respondent(source: MemorySource, unit: Unit) -> None:
    """Half say 3 and half say 7: their mean is best, though nobody's answer is."""
    tree_system([branch("said", 1, _leaf("overall", 1, in_the_middle(5, 2)))])
    source.add(unit, DAY, *[{"overall": value} for value in (3, 7) * 6])

    evaluate_due(now=months_later(1))

    found = _figure(unit, "overall")
    assert (found.value, found.score, found.score_high) == (5.0, 100.0, 100.0)
    assert found.score_low is not None
    assert found.score_low < 40


def test_a_composite_is_less_sure_where_a_score_bends(source: MemorySource, unit: Unit) -> None:
    _both(in_the_middle(5.5, 4.5, 0.0))
    _answers(source, unit)

    evaluate_due(now=months_later(1))

    # Slopes 100/4.5 (bent) and 100/6, halved; variances 1.1/6 and .2/6, covariance .2/6, which
    # counts whole since the side of the peak is not known.
    first, second = 100 / 4.5 / 2, 100 / 6 / 2
    variance = first**2 * 1.1 / 6 + second**2 * 0.2 / 6 + 2 * first * second * 0.2 / 6
    found = _figure(unit, "composite")
    assert found.score == pytest.approx(87.5)
    assert found.score_low == pytest.approx(87.5 - 2.570582 * np.sqrt(variance), abs=1e-4)


def test_a_geometric_mean_is_evaluated_replayed_and_below_the_arithmetic(
    source: MemorySource, unit: Unit
) -> None:
    _both(along([(1, 0), (5.5, 36), (7, 100)]), "geometric")
    _answers(source, unit)

    evaluate_due(now=months_later(1))

    composite, dimension = _figure(unit, "composite"), _figure(unit, "said")
    assert composite.score == pytest.approx(np.sqrt(36 * 75))
    assert dimension.score == composite.score
    assert (composite.n, composite.coverage) == (6, 1.0)
    run = EvaluationRun.objects.get()
    assert run.definition["aggregation"] == "geometric"
    assert replay(run_id=run.pk).is_same


def test_dimensions_of_a_geometric_mean_multiply_as_their_indicators_do(
    source: MemorySource, unit: Unit
) -> None:
    tree_system(
        [
            branch("one", 0.25, _leaf("overall", 1, along([(1, 0), (5.5, 16), (7, 100)]))),
            branch("other", 0.75, _leaf("empathy", 1, along([(1, 0), (5.5, 81), (7, 100)]))),
        ],
        aggregation="geometric",
    )
    _answers(source, unit)

    evaluate_due(now=months_later(1))

    assert _figure(unit, "one").score == pytest.approx(16)
    assert _figure(unit, "composite").score == pytest.approx(16**0.25 * 81**0.75)


def test_a_run_of_before_there_were_shapes_replays_to_the_same_hash(
    source: MemorySource, unit: Unit
) -> None:
    _system, version = bank_system([measure("overall", "o")])
    _answers(source, unit)
    evaluate_due(now=months_later(1))
    run = EvaluationRun.objects.get()

    assert run.definition == OLD
    assert SystemDefinition.from_json(OLD).as_json() == OLD
    assert definition_of(version).as_json() == OLD
    rows = [row._replace(unit_id=1) for row in replay(run_id=run.pk).rows]
    assert digest_of(rows) == OLD_DIGEST
    cells = {each.source: each.digest for each in run.frozen_cells.exclude(source__in=BESIDE)}
    assert run.input_digest == frozen.input_digest(
        definition=orjson.loads(orjson.dumps(OLD)), policy=run.policy, tree=run.tree, cells=cells
    )
    assert replay(run_id=run.pk).is_same
    assert evaluate_due(now=months_later(1)) == 0


class TestChange:
    def _two_versions(self, source: MemorySource, unit: Unit, second: str) -> None:
        self.first = _both(Scoring(1, 7), "geometric")
        for month in (1, 2):
            _answers(source, unit, date(2026, month, 9))
        evaluate_due(now=months_later(2))
        if second != "geometric":
            january = EvaluationRun.objects.get(starts_on=date(2026, 1, 1))
            january.definition = {
                key: value for key, value in january.definition.items() if key != "aggregation"
            }
            january.save(update_fields=["definition"])

    def _change(self, unit: Unit, code: str = "composite") -> Change | None:
        system = IndicatorSystem.objects.get()
        period = queries.periods_of(system=system, grain=Grain.MONTH)[0]
        run, former = queries.run_of(system=system, period=period)
        view = queries.overview(principal=ANA, run=run, former=former, unit=unit)
        line = view.standing.composite if code == "composite" else view.standing.dimensions[0]
        return line.change

    def test_geometric_means_of_two_periods_are_compared(
        self, source: MemorySource, unit: Unit
    ) -> None:
        self._two_versions(source, unit, "geometric")

        change = self._change(unit)
        assert change is not None
        assert change.by == pytest.approx(0.0)
        assert not change.composition_changed

    def test_over_a_border_of_aggregation_there_is_no_change(
        self, source: MemorySource, unit: Unit
    ) -> None:
        self._two_versions(source, unit, "arithmetic")

        assert self._change(unit) is None
        assert self._change(unit, "said") is None

    def test_the_page_says_why(self, source: MemorySource, unit: Unit) -> None:
        self._two_versions(source, unit, "arithmetic")
        user = make_user("ana")
        give_role(user, Role.ANALYST)
        client = Client()
        client.force_login(user)

        page = client.get("/quality/").content.decode()

        assert "of 100, geometric mean" in page
        assert "another kind of mean: there is no change to tell" in page
        assert faults_of(page) == []
        about = client.get("/quality/indicators/composite/").content.decode()
        assert "The weighted geometric mean of the dimensions" in about


def test_the_page_of_an_indicator_says_its_shape(source: MemorySource, unit: Unit) -> None:
    _both(in_the_middle(5.5, 4.5, 0.5))
    _answers(source, unit)
    _answers(source, unit, date(2026, 2, 9))
    evaluate_due(now=months_later(2))
    user = make_user("ana")
    give_role(user, Role.ANALYST)
    client = Client()
    client.force_login(user)

    page = client.get("/quality/indicators/overall/").content.decode()

    assert "Best in the middle" in page
    assert "5.00 to 6.00 is 100 points; 1.00 and 10.00 are 0" in page
    assert faults_of(page) == []
    assert faults_of(client.get("/quality/").content.decode()) == []


def test_over_rest_a_run_says_shapes(source: MemorySource, unit: Unit) -> None:
    _both(in_the_middle(5.5, 4.5, 0.5))
    _answers(source, unit)
    evaluate_due(now=months_later(1))

    definition = SystemDefinition.from_json(EvaluationRun.objects.get().definition)
    rows = {row["code"]: row for row in queries.series_of(definition)}

    assert rows["overall"]["shape"] == "nominal"
    assert (rows["overall"]["dead_band"], rows["overall"]["knots"]) == (0.5, ())
    assert (rows["composite"]["shape"], rows["composite"]["best"]) == ("", None)
