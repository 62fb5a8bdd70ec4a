"""Charts, signals and what chance gives, over REST."""

from typing import Any

import orjson
import pytest

from sqcore.identity.permissions import Permission
from sqcore.monitoring.models import Signal, Watch
from sqcore.org.models import Unit
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import CENTRE, SIGMA, Series, leaf, make_series, quiet, shifted
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

CHART = "charts?system=bank&unit=north&code=waiting&grain=week"


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def bank(north: Unit) -> Series:
    """The alarm is in week 44, as in the tests of the pages."""
    bank = make_series(leaf("waiting", target=8.0))
    bank.put(north, shifted(quiet(60), 3, since=41), error=0.5)
    bank.watch(44)
    bank.watch(60)
    return bank


@pytest.fixture
def key() -> str:
    return make_key(Permission.VIEW_RESULTS)


def body(path: str, key: str, *, status: int = 200) -> Any:
    answer = get(path, key)
    assert answer.status_code == status, answer.content
    return orjson.loads(answer.content)


class TestChart:
    def test_has_limits_flags_profile_and_baseline(self, bank: Series, key: str) -> None:
        found = body(CHART, key)

        assert (found["system"], found["unit"], found["code"]) == ("bank", "north", "waiting")
        assert (found["grain"], found["better"], found["target"]) == ("week", "low", 8.0)
        assert found["profile"] == {"key": "nhs", "version": 1}
        assert (found["kind"], found["kind_reason"]) == ("xmr", "more_than_within_explains")
        assert (found["variation"], found["assurance"]) == ("concern_high", "hit_or_miss")
        (segment,) = found["segments"]
        assert (segment["origin"], segment["approved_by"]) == ("first", "software")
        assert (segment["starts_on"], segment["ends_on"]) == ("2024-01-01", "2024-07-01")
        assert (segment["applies_from"], segment["n0"]) == ("2024-07-01", 26)
        assert (segment["centre"], segment["sigma"]) == (CENTRE, pytest.approx(SIGMA))
        assert len(found["points"]) == 60
        newest = found["points"][-1]
        assert (newest["period"], newest["n"], newest["excluded"]) == ("2025-W08", 40, False)
        assert newest["value"] == pytest.approx(10 + 3 * SIGMA)
        assert newest["lower"] == pytest.approx(9 - 5.32)
        assert newest["upper"] == pytest.approx(9 + 5.32)
        assert newest["z"] == pytest.approx(3 + 1 / SIGMA)
        assert [flag["rule"] for flag in newest["flags"]] == ["beyond", "shift", "two_of_three"]
        assert {flag["side"] for flag in newest["flags"]} == {"high"}
        assert [signal["state"] for signal in found["signals"]] == ["ongoing"]

    def test_marks_limits_that_are_not_frozen(self, north: Unit, key: str) -> None:
        bank = make_series()
        bank.put(north, quiet(12))

        (segment,) = body(CHART, key)["segments"]

        assert (segment["baseline"], segment["status"], segment["n0"]) == (None, "trial", 12)
        assert (segment["origin"], segment["approved_by"]) == (None, None)

    def test_has_no_limits_where_there_are_too_few(self, north: Unit, key: str) -> None:
        bank = make_series()
        bank.put(north, quiet(3))

        found = body(CHART, key)

        assert found["variation"] is None
        assert (found["segments"][0]["centre"], found["points"][0]["lower"]) == (None, None)

    def test_takes_other_rules(self, bank: Series, key: str) -> None:
        assert body(f"{CHART}&profile=nelson", key)["profile"] == {"key": "nelson", "version": 1}

    def test_names_each_parameter_that_is_missing_or_wrong(self, key: str) -> None:
        missing = body("charts?system=bank&unit=north", key, status=400)
        wrong = body(f"{CHART}&profile=tarot&colour=red", key, status=400)

        assert [error["field"] for error in missing["errors"]] == ["code", "grain"]
        assert [error["field"] for error in wrong["errors"]] == ["profile", "colour"]

    def test_an_outsider_does_not_learn_that_there_is_one(self, bank: Series, north: Unit) -> None:
        south = make_key(Permission.VIEW_RESULTS, units=[make_unit("south")])

        body(CHART, south, status=404)
        body("charts?system=bank&unit=north&code=nothing&grain=week", south, status=404)

    def test_what_is_not_there_is_not_there(self, bank: Series, key: str) -> None:
        body(CHART.replace("waiting", "nothing"), key, status=404)
        body(CHART.replace("week", "month"), key, status=404)
        body(CHART.replace("bank", "shop"), key, status=404)

    def test_needs_a_log_in(self, bank: Series) -> None:
        assert get(CHART).status_code == 401


class TestSignals:
    def test_tell_what_since_when_and_how_much(self, bank: Series, key: str) -> None:
        (found,) = body("signals", key)["results"]

        assert (found["system"], found["unit"], found["code"]) == ("bank", "north", "waiting")
        assert (found["direction"], found["state"], found["episode"]) == ("high", "ongoing", 1)
        assert found["since_on"] == bank.start(40).isoformat()
        assert found["alarm_on"] == bank.start(44).isoformat()
        assert found["last_on"] == bank.start(60).isoformat()
        assert (found["recovered_on"], found["muted_until"]) == (None, None)
        assert found["shift"] == pytest.approx(3 * SIGMA + 1 / 17)
        assert found["shift_sigma"] == pytest.approx(3 + 1 / 17 / SIGMA)

    def test_are_filtered(self, bank: Series, key: str) -> None:
        def count(query: str) -> int:
            return len(body(f"signals?{query}", key)["results"])

        assert [count(f"state={state}") for state in ("open", "new", "ongoing")] == [1, 0, 1]
        assert [count(f"unit={unit}") for unit in ("north", "south")] == [1, 0]
        assert [count(f"code={code}") for code in ("waiting", "other")] == [1, 0]
        assert [count(f"system={system}") for system in ("bank", "shop")] == [1, 0]
        body("signals?state=loud", key, status=400)

    def test_come_in_pages(self, bank: Series, north: Unit, key: str) -> None:
        bank.put(make_unit("south"), shifted(quiet(60), 3, since=41))
        bank.revise(north, 60, 15.0)
        bank.watch(60)
        assert Signal.objects.count() == 2

        first = body("signals?page_size=1", key)
        second = body(first["next"].partition("/api/v1/")[2], key)

        assert [row["unit"] for row in first["results"]] == ["north"]
        assert [row["unit"] for row in second["results"]] == ["south"]
        assert second["next"] is None

    def test_of_other_units_are_not_told(self, bank: Series) -> None:
        south = make_key(Permission.VIEW_RESULTS, units=[make_unit("south")])

        assert body("signals", south)["results"] == []


def test_passes_tell_what_chance_gives(bank: Series, key: str) -> None:
    Watch.objects.update(found_so_far=3, expected_so_far=0.5, expected_a_year=0.4)

    (found,) = body("watches", key)["results"]

    assert (found["system"], found["grain"], found["through"]) == ("bank", "week", "2025-02-24")
    assert (found["series"], found["judged"], found["found_so_far"]) == (1, 1, 3)
    assert (found["expected_so_far"], found["expected_a_year"]) == (0.5, 0.4)
    body("watches?grain=week", key, status=400)


def test_who_may_not_see_results_is_refused(bank: Series) -> None:
    other = make_key(Permission.VIEW_ORGANISATION)

    for path in (CHART, "signals", "watches"):
        body(path, other, status=403)
