"""The catalogue and the systems over REST: targets, formulas, stages, versions."""

import json
from datetime import date
from typing import Any

import pytest

from sqcore.identity.permissions import Permission
from sqcore.indicators import sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.models import Indicator
from sqcore.indicators.services import copy_version, define_system, draft_version, publish_version
from sqcore.indicators.sources import Counts
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Branch, Leaf
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource(scales={"errors": 1}, key="counted", counts=Counts.MEASUREMENTS)
    monkeypatch.setitem(sources.SOURCES._offers, source.key, source)
    define_indicator(
        code="error-rate",
        name={"en": "Errors"},
        source="counted",
        parameters={"measure": "errors"},
        direction="lower",
        by=SYSTEM,
        now=NOW,
    )
    accuracy = define_indicator(
        code="accuracy",
        name={"en": "Accuracy"},
        formula="1 - [error-rate]",
        unit_of_measure="share",
        stage="execution",
        by=SYSTEM,
        now=NOW,
    )
    set_target(indicator=accuracy, value=0.99, floor=0.98, on=SINCE, by=SYSTEM, now=NOW)
    draft = draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=["week", "month"],
        since=SINCE,
        target=75,
        tree=[
            Branch("reliable", {"en": "Reliable"}, 1, [Leaf(accuracy, 1, 0.95, 1)], target=70),
        ],
        by=SYSTEM,
        now=NOW,
    )
    version = publish_version(version=draft, by=SYSTEM, now=NOW)
    copy_version(system=version.system, by=SYSTEM, now=NOW)


@pytest.fixture
def key() -> str:
    return make_key(Permission.VIEW_RESULTS)


def _got(path: str, key: str) -> Any:
    response = get(path, key)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def test_a_formula_stands_in_the_catalogue_with_its_targets(key: str) -> None:
    row = _got("indicators/accuracy", key)

    assert (row["source"], row["formula"], row["stage"]) == ("", "1 - [error-rate]", "execution")
    assert row["targets"] == [
        {"value": 0.99, "floor": 0.98, "valid_from": "2026-01-01", "valid_to": None}
    ]


def test_the_catalogue_is_filtered_by_stage(key: str) -> None:
    rows = _got("indicators?stage=execution", key)["results"]

    assert [row["code"] for row in rows] == ["accuracy"]


def test_targets_of_a_long_catalogue_are_read_at_once(
    key: str, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    indicator = Indicator.objects.get(code="error-rate")
    for number in range(20):
        indicator.pk, indicator.code = None, f"copy-{number}"
        indicator.save(force_insert=True)
    get("indicators", key)

    with django_assert_max_num_queries(7):  # type: ignore[operator]  # pytest-django's fixture
        assert len(_got("indicators", key)["results"]) == 22


def test_a_system_says_its_targets_operands_and_versions(key: str) -> None:
    row = _got("systems/bank", key)

    assert (row["version"], row["target"], row["operands"]) == (1, 75.0, ["error-rate"])
    (dimension,) = row["dimensions"]
    assert (dimension["target"], row["aggregation"]) == (70.0, "arithmetic")
    assert dimension["indicators"] == [
        {
            "code": "accuracy",
            "weight": 1.0,
            "worst": 0.95,
            "best": 1.0,
            "shape": "goalposts",
            "dead_band": None,
            "limit": None,
            "knots": [],
            "stage": "execution",
            "formula": "1 - [error-rate]",
            "counts": "measurements",
            "target": 0.99,
            "floor": 0.98,
        }
    ]
    assert [(found["number"], found["state"]) for found in row["versions"]] == [(1, "published")]
