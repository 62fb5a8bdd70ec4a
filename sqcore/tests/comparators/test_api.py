"""Competitors and the market over REST: read, written down once, withdrawn, compared."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import orjson
import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from sqcore.comparators.models import ComparatorValue
from sqcore.identity.permissions import Permission
from sqcore.org.models import Unit
from sqcore.tests.comparators.making import (
    evaluated,
    figure,
    leaf,
    make_comparator,
    make_indicator,
    reached,
    system_of,
)
from sqcore.tests.factories import NOW, make_unit
from sqcore.tests.rest import get, make_key, make_system, post

pytestmark = pytest.mark.django_db

VALUE = {
    "comparator": "market", "indicator": "solved", "starts_on": "2025-01-01",
    "ends_on": "2026-01-01", "value": 0.86, "low": 0.84, "high": 0.88, "n": 5200,
    "source": "Yearbook of banks, table 4", "published_on": "2026-02-01",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def key() -> str:
    return make_key(Permission.MANAGE_COMPARATORS)


def read(answer: HttpResponse) -> Any:
    return orjson.loads(answer.content)


def fields_of(answer: HttpResponse) -> list[str]:
    return [each["field"] for each in read(answer)["errors"]]


class TestReading:
    def test_comparators_come_by_code_and_kind(self, key: str) -> None:
        make_comparator("rival", "competitor", note="Across the street")
        make_comparator()

        rows = read(get("comparators", key))["results"]
        rivals = read(get("comparators?kind=competitor", key))["results"]

        assert [row["code"] for row in rows] == ["market", "rival"]
        assert rivals == [
            {
                "code": "rival", "name": {"en": "Rival"}, "kind": "competitor",
                "note": "Across the street", "is_active": True,
            }
        ]  # fmt: skip

    def test_values_are_filtered_by_what_they_speak_of(self, key: str) -> None:
        market, solved = make_comparator(), make_indicator()
        reached(market, solved, 0.8, starts_on=date(2024, 1, 1), ends_on=date(2025, 1, 1))
        reached(market, solved, 0.9)
        reached(make_comparator("rival", "competitor"), make_indicator("seen"), 0.5)

        def values(query: str) -> list[float]:
            rows = read(get(f"comparator-values?{query}", key))["results"]
            return sorted(row["value"] for row in rows)

        assert values("") == [0.5, 0.8, 0.9]
        assert values("indicator=solved&since=2025-01-01") == [0.9]
        assert values("until=2025-01-01") == [0.8]
        assert values("kind=competitor") == [0.5]
        assert values("comparator=market") == [0.8, 0.9]
        assert get("comparator-values?who=market", key).status_code == 400

    def test_a_list_costs_the_same_however_long(self, key: str) -> None:
        solved = make_indicator()
        reached(make_comparator("first"), solved, 0.5)
        get("comparator-values", key)
        counts = []
        for _step in range(2):
            with CaptureQueriesContext(connection) as queries:
                assert get("comparator-values", key).status_code == 200
            counts.append(len(queries))
            for number in range(5):
                reached(make_comparator(f"other-{_step}-{number}"), solved, 0.5)

        assert counts[0] == counts[1]


class TestWriting:
    def test_a_value_is_written_down_once(self, key: str) -> None:
        make_comparator()
        make_indicator()

        first = post("comparator-values", VALUE, key)
        again = post("comparator-values", VALUE, key)
        other = post("comparator-values", VALUE, key, once="key-00000002")

        assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
        assert first.content == again.content
        row = read(first)
        assert {name: row[name] for name in VALUE} == VALUE
        assert (row["revision"], row["withdrawn_at"]) == (1, None)
        stored = ComparatorValue.objects.get()
        assert stored.recorded_by.startswith("token:")

    @pytest.mark.parametrize(
        ("over", "field"),
        [
            ({"value": 86}, "value"),
            ({"source": ""}, "source"),
            ({"comparator": "nobody"}, "comparator"),
            ({"indicator": "nothing"}, "indicator"),
            ({"high": None}, "high"),
            ({"url": "ftp://example.org"}, "url"),
            ({"rank": 1}, "rank"),
            ({"starts_on": "01/01/2025"}, "starts_on"),
        ],
    )
    def test_what_is_wrong_is_named(self, key: str, over: dict[str, Any], field: str) -> None:
        make_comparator()
        make_indicator()

        answer = post("comparator-values", VALUE | over, key)

        assert (answer.status_code, fields_of(answer)) == (400, [field])
        assert not ComparatorValue.objects.exists()

    def test_withdrawing_needs_a_reason(self, key: str) -> None:
        value = reached(make_comparator(), make_indicator(), 0.8)
        path = f"comparator-values/{value.pk}/withdraw"

        assert post(path, {"because": ""}, key).status_code == 400
        done = post(path, {"because": "A misprint."}, key)

        assert done.status_code == 200
        assert read(done)["withdrawn_because"] == "A misprint."
        assert post(path, {"because": "Again."}, key, once="key-00000002").status_code == 409
        assert post("comparator-values/999999/withdraw", {"because": "x"}, key).status_code == 404

    def test_who_only_reads_writes_nothing(self) -> None:
        make_comparator()
        make_indicator()

        answer = post("comparator-values", VALUE, make_key(Permission.VIEW_RESULTS))

        assert answer.status_code == 403
        assert not ComparatorValue.objects.exists()


class TestComparison:
    @pytest.fixture
    def north(self) -> Unit:
        north = make_unit("north")
        run = evaluated(make_system(), north, system_of(leaf("a", 0.6), leaf("b", 0.4)))
        figure(run, north, "a", 0.9)
        figure(run, north, "b", 0.8)
        return north

    def test_scores_stand_side_by_side(self, north: Unit) -> None:
        reached(make_comparator(), make_indicator("a"), 0.85, low=0.83, high=0.87)

        answer = read(get("systems/service/comparison", make_key(Permission.VIEW_RESULTS)))

        assert (answer["unit"], answer["period"], answer["code"]) == (
            "north",
            "2025-12",
            "composite",
        )
        [row] = answer["comparisons"]
        assert (row["comparator"], row["status"]) == ("market", "shown")
        assert row["coverage"] == pytest.approx(0.6)
        assert row["own"]["score"] == pytest.approx(80.0)
        assert row["theirs"]["score"] == pytest.approx(70.0)
        assert row["difference"] == {
            "score": pytest.approx(10.0),
            "low": pytest.approx(10 - 32**0.5),
            "high": pytest.approx(10 + 32**0.5),
        }
        assert [each["code"] for each in row["indicators"]] == ["a"]

    def test_too_little_weight_has_no_scores(self, north: Unit) -> None:
        reached(make_comparator(), make_indicator("b"), 0.85)
        key = make_key(Permission.VIEW_RESULTS)

        [row] = read(get("systems/service/comparison?unit=north", key))["comparisons"]

        assert (row["status"], row["coverage"]) == ("coverage", pytest.approx(0.4))
        assert (row["own"], row["theirs"], row["difference"]) == (None, None, None)

    def test_a_unit_that_is_not_theirs_is_not_found(self, north: Unit) -> None:
        key = make_key(Permission.VIEW_RESULTS, units=[make_unit("south")])

        assert get("systems/service/comparison?unit=north", key).status_code == 404

    def test_a_part_or_period_that_there_is_not_is_not_found(self, north: Unit) -> None:
        key = make_key(Permission.VIEW_RESULTS)

        for query in ("code=nothing", "period=2024-01", "unit=nowhere"):
            assert get(f"systems/service/comparison?{query}", key).status_code == 404
