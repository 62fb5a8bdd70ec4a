"""Analyses over REST: who sees which, and nothing but aggregates."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.permissions import Permission
from sqcore.org.models import Unit
from sqcore.tests.factories import make_channel, make_unit
from sqcore.tests.rest import get, make_key
from surveys.tests.analyses.making import YEAR, Counting, answer, only, run
from surveys.tests.factories import make_campaign

pytestmark = pytest.mark.django_db

P = Permission


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    with only(Counting()):
        yield


@pytest.fixture
def north() -> Unit:
    """A bank of two units, of which the south has too few answers; analysed by quarter and year."""
    bank, phone = make_unit("bank"), make_channel("phone")
    north, south = make_unit("north", parent=bank), make_unit("south", parent=bank)
    campaign = make_campaign(opens_on=date(2025, 1, 1))
    answer(campaign, north, 40, channel_id=phone.pk)
    answer(campaign, south, 20)
    run(campaign)
    run(campaign, YEAR)
    return north


def rows(query: str = "", key: str = "") -> list[dict[str, Any]]:
    response = get(f"analyses{query}", key or make_key(P.VIEW_RESULTS))
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = json.loads(response.content)["results"]
    return found


def test_says_what_was_found_in_which_group(north: Unit) -> None:
    found = rows("?grain=quarter&unit=north")

    assert len(found) == 1
    assert found[0] == {
        **{"kind": "counting", "title": "Counting", "method": 1},
        **{"instrument": "visit", "version": 1},
        **{"grain": "quarter", "period": "2025-Q4"},
        **{"starts_on": "2025-10-01", "ends_on": "2026-01-01"},
        **{"unit": "north", "margin": "overall", "margin_value": None},
        **{"status": "ok", "n": 40, "found": {"people": 40, "mean": 5.0}},
        "said": "Found in the answers of 40 people.",
        "made_at": "2026-03-02T09:00:00Z",
    }


def test_a_group_that_is_not_shown_says_why(north: Unit) -> None:
    found = rows("?grain=year&unit=south")[0]

    assert (found["n"], found["found"], found["status"]) == (None, {}, "insufficient_n")
    assert found["said"].startswith("Too few people answered")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?kind=counting", 8),
        ("?kind=drivers", 0),
        ("?instrument=visit&starts_on=2025-01-01", 4),
        ("?margin=overall", 6),
        ("?margin=channel&margin_value=phone", 2),
        ("?status=insufficient_n", 2),
    ],
)
def test_can_be_filtered(north: Unit, query: str, count: int) -> None:
    assert len(rows(query)) == count


def test_shows_the_units_of_the_token_alone(north: Unit) -> None:
    found = rows(key=make_key(P.VIEW_RESULTS, units=[north]))

    assert {row["unit"] for row in found} == {"north"}


def test_is_for_who_sees_results(north: Unit) -> None:
    assert get("analyses", make_key(P.SUBMIT_RESPONSES)).status_code == 403


def test_names_what_cannot_be_asked(north: Unit) -> None:
    answer = get("analyses?person=7&grain=day", make_key(P.VIEW_RESULTS))

    assert answer.status_code == 400
    errors = json.loads(answer.content)["errors"]
    assert {error["field"] for error in errors} == {"person", "grain"}


def test_a_page_takes_one_question_for_its_rows(
    north: Unit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key = make_key(P.VIEW_RESULTS)
    rows(key=key)

    with django_assert_num_queries(1):
        rows(key=key)
