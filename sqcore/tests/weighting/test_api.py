"""The weights of a published system over REST."""

import json

import pytest

from sqcore.identity.permissions import Permission
from sqcore.indicators.conditions import TOP
from sqcore.tests.factories import NOW
from sqcore.tests.rest import get, make_key
from sqcore.tests.weighting.factories import make_draft, make_expert, publish
from sqcore.tests.weighting.test_services import CONSISTENT
from sqcore.weighting.services import apply_weights, judge

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
