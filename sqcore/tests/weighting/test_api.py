"""The weights of a published system over REST."""

import json

import pytest

from sqcore.identity.permissions import Permission
from sqcore.indicators.conditions import TOP
from sqcore.tests.factories import NOW, make_unit
from sqcore.tests.rest import get, make_key
from sqcore.tests.weighting.factories import (
    SCORES,
    evaluate,
    make_draft,
    make_expert,
    make_units,
    publish,
    scored,
)
from sqcore.tests.weighting.test_measured import FIVE
from sqcore.tests.weighting.test_services import CONSISTENT
from sqcore.weighting.api import group_row
from sqcore.weighting.queries import origins_of
from sqcore.weighting.services import apply_weights, choose_method, close_round, judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    return make_key(Permission.VIEW_RESULTS)


def test_says_each_group_with_its_origin(key: str) -> None:
    draft, mei = make_draft(), make_expert("mei")
    judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)
    apply_weights(version=draft, group=TOP, by=mei, now=NOW)
    publish(draft)

    response = get("systems/service/weights", key)

    assert response.status_code == 200
    told = json.loads(response.content)
    assert (told["code"], told["version"]) == ("service", 1)
    top, reliability = told["groups"]
    assert [weight["code"] for weight in top["weights"]] == [
        "reliability", "responsiveness", "empathy"
    ]  # fmt: skip
    assert top["weights"][0]["weight"] == pytest.approx(2 / 3)
    assert (top["method"], top["for_version"], top["experts"]) == ("ahp", 1, 1)
    assert top["applied_at"] == "2026-03-02T09:00:00Z"
    assert top["consistency"] == {
        "ratio": pytest.approx(0, abs=1e-9),
        "random_index": 0.58,
        "random_index_of": "saaty",
        "limit": 0.1,
    }
    assert (reliability["method"], reliability["consistency"]) == (None, None)
    assert b"Mei" not in response.content


def test_a_draft_is_not_told(key: str) -> None:
    make_draft()

    told = json.loads(get("systems/service/weights", key).content)

    assert told == {"code": "service", "version": None, "groups": []}


def test_a_system_that_is_not_there_is_not_found(key: str) -> None:
    assert get("systems/price/weights", key).status_code == 404


def test_says_of_rounds_and_figures_how_they_were_made_one(key: str) -> None:
    bank = make_unit("bank")
    published = publish(make_draft())
    rows = dict(zip(make_units(5, bank), FIVE, strict=True))
    evaluate(published, "2026-01", rows, top=bank)
    draft, ana = make_draft(system=published.system, number=2), make_expert("ana")
    for name, scores in SCORES.items():
        judge(
            version=draft,
            group=TOP,
            method="rounds",
            answers=scored(scores),
            by=make_expert(name),
            now=NOW,
        )
    close_round(version=draft, group=TOP, by=ana, now=NOW)
    expected = {
        "rounds": (1, {"w": 1.0, "p": pytest.approx(1 / 36), "p_by": "exact"}, None, None),
        "critic": (None, None, {"period": "2026-01", "version": 1, "units": 5}, None),
        "combined": (
            *(None, None, None),
            {"first": "rounds", "second": "critic", "how": "additive", "theta": 0.5},
        ),
    }
    for method in expected:
        settings = {"first": "rounds"} if method == "combined" else None
        choose_method(version=draft, group=TOP, method=method, settings=settings, by=ana, now=NOW)
        apply_weights(version=draft, group=TOP, by=ana, now=NOW)

        row = group_row(origins_of(draft)[0])

        told = tuple(row[name] for name in ("rounds", "agreement", "figures", "made_of"))
        assert (row["method"], told) == (method, expected[method])
    publish(draft)
    top = json.loads(get("systems/service/weights", key).content)["groups"][0]
    assert top["made_of"]["second"] == "critic"
    assert top["agreement"] is None
