"""Measurements and states of machines over REST."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sqcore.base.api import BULK_BYTES
from sqcore.base.models import RememberedRequest
from sqcore.identity.permissions import Permission
from sqcore.measurements.models import EquipmentState, Observation
from sqcore.tests.factories import NOW, make_channel, make_unit
from sqcore.tests.measurements.making import machine, measure, send, share, tell
from sqcore.tests.rest import get, make_key, post

pytestmark = pytest.mark.django_db


def sending(*units: Any) -> str:
    return make_key(Permission.SEND_MEASUREMENTS, units=units)


def reading(*units: Any) -> str:
    return make_key(Permission.VIEW_RESULTS, units=units)


def body(response: HttpResponse) -> Any:
    return json.loads(response.content)


class TestSending:
    def test_a_batch_is_taken_once(self) -> None:
        make_unit("north")
        measure()
        key, batch = sending(), {"measurements": [share("north", "2026-01", 5, 200)]}

        first = post("measurements", batch, key)
        again = post("measurements", batch, key)
        later = post("measurements", batch, key, once="key-00000002")

        assert (first.status_code, body(first)) == (200, {"new": 1, "replaced": 0, "unchanged": 0})
        assert (again["Idempotent-Replayed"], again.content) == ("true", first.content)
        assert body(later) == {"new": 0, "replaced": 0, "unchanged": 1}
        assert Observation.objects.count() == 1

    def test_half_a_wrong_batch_is_not_stored(self) -> None:
        make_unit("north")
        measure()
        rows = [share("north", "2026-01", 5, 200), share("north", "2026-02", 5, 3)]

        refused = post("measurements", {"measurements": rows}, sending())

        assert refused.status_code == 400
        assert body(refused)["errors"] == [
            {"row": 2, "field": "numerator", "reason": "is more than the denominator"}
        ]
        assert not Observation.objects.exists()
        assert not RememberedRequest.objects.exists()

    @pytest.mark.parametrize("sent", [{}, {"measurements": {}}, {"measurements": [], "x": 1}])
    def test_what_is_no_batch_is_refused(self, sent: dict[str, Any]) -> None:
        assert post("measurements", sent, sending()).status_code == 400

    def test_ten_thousand_rows_go_in_at_once_although_they_are_over_a_megabyte(self) -> None:
        unit = make_unit("north")
        for number in range(28):
            make_channel(f"way-{number}")
        measure("wait", "mean", every="day")
        day = NOW.date() - timedelta(days=399)
        rows = [
            {
                "measure": "wait", "unit": "north", "channel": f"way-{number % 25}",
                "period": (day + timedelta(days=number // 25)).isoformat(),
                "n": 40, "sum": 1200, "sum_of_squares": 40000,
            }
            for number in range(10_000)
        ]  # fmt: skip

        response = post("measurements", {"measurements": rows}, sending(unit))

        assert len(json.dumps(rows)) > 1_000_000
        assert body(response)["new"] == 10_000

    def test_more_than_the_limit_is_too_large(self) -> None:
        sent = {"measurements": ["x" * BULK_BYTES]}

        assert post("measurements", sent, sending()).status_code == 413


class TestReading:
    def test_values_come_as_people_mean_them(self) -> None:
        make_unit("north")
        make_channel("phone")
        measure("wait", "mean", decimals=1, every="day")
        row = {"measure": "wait", "unit": "north", "period": "2026-02-01", "channel": "phone"}
        send(row | {"n": 4, "sum": 5.0, "sum_of_squares": 7.5})

        (found,) = body(get("measurements?measure=wait", reading()))["results"]

        assert found == {
            "measure": "wait", "unit": "north", "channel": "phone", "segment": None,
            "period": "2026-02-01", "starts_on": "2026-02-01", "value": 1.25, "n": 4,
            "numerator": 5.0, "denominator": None, "sum_of_squares": 7.5, "revision": 1,
            "source": "api", "recorded_at": "2026-03-02T09:00:00Z",
        }  # fmt: skip

    def test_what_was_known_at_a_moment_can_be_asked(self) -> None:
        make_unit("north")
        measure()
        send(share("north", "2026-01", 5, 200))
        send(share("north", "2026-01", 6, 200), now=NOW + timedelta(hours=1))
        address, key = "measurements?measure=errors&known_at=2026-03-02T09:30:00Z", reading()

        assert [row["numerator"] for row in body(get(address, key))["results"]] == [5]
        now = body(get("measurements?measure=errors", key))["results"]
        assert [(row["numerator"], row["revision"]) for row in now] == [(6, 2)]

    def test_pages_follow_each_other_through_all_units(self) -> None:
        make_unit("north")
        make_unit("south")
        measure()
        for unit in ("south", "north"):
            for month in ("2025-11", "2025-12", "2026-01"):
                send(share(unit, month, 5, 200))
        key, address, seen = reading(), "measurements?measure=errors&page_size=2", []

        while address:
            page = body(get(address, key))
            seen += [(row["unit"], row["period"]) for row in page["results"]]
            address = (page["next"] or "").partition("/api/v1/")[2]

        months = ["2025-11", "2025-12", "2026-01"]
        assert seen == [(unit, month) for unit in ("north", "south") for month in months]

    def test_a_reader_of_one_unit_sees_that_one(self) -> None:
        north = make_unit("north")
        make_unit("south")
        measure()
        send(share("north", "2026-01", 5, 200), share("south", "2026-01", 5, 200))

        found = body(get("measurements?measure=errors", reading(north)))["results"]

        assert [row["unit"] for row in found] == ["north"]

    @pytest.mark.parametrize(
        "asked",
        [
            "", "?measure=wonders", "?measure=errors&known_at=noon", "?measure=errors&when=1",
            "?measure=errors&known_at=0001-01-01T00:00:00%2B14:00",
        ],
    )  # fmt: skip
    def test_a_question_that_cannot_be_understood_is_refused(self, asked: str) -> None:
        measure()

        assert get(f"measurements{asked}", reading()).status_code == 400

    def test_a_page_costs_few_queries(self) -> None:
        make_unit("north")
        measure(every="day")
        for number in range(20):
            send(share("north", f"2026-02-{number + 1:02d}", 1, 10))
        key = reading()

        with CaptureQueriesContext(
            connection,
        ) as queries:
            get("measurements?measure=errors", key)

        assert len(queries) <= 8

    def test_measures_are_listed(self) -> None:
        measure("errors")
        measure("wait", "mean", every="", unit_of_measure="min")

        assert [row["code"] for row in body(get("measures", sending()))["results"]] == [
            "errors", "wait",
        ]  # fmt: skip
        (mean,) = body(get("measures?kind=mean", reading()))["results"]
        assert (mean["every"], mean["unit_of_measure"], mean["since"]) == ("", "min", "2020-01-01")


class TestEquipment:
    def test_states_are_taken_and_a_repeat_changes_nothing(self) -> None:
        north = make_unit("north")
        machine("atm-1", north)
        state = {"equipment": "atm-1", "state": "down", "at": "2026-02-17T09:30:00+08:00"}
        key = sending(north)

        first = post("equipment-states", {"states": [state]}, key)
        again = post("equipment-states", {"states": [state]}, key, once="key-00000002")

        assert body(first) == {"new": 1, "replaced": 0, "unchanged": 0}
        assert body(again) == {"new": 0, "replaced": 0, "unchanged": 1}
        assert EquipmentState.objects.get().at.isoformat() == "2026-02-17T01:30:00+00:00"

    def test_another_state_of_the_same_moment_is_a_conflict(self) -> None:
        atm = machine("atm-1", make_unit("north"))
        tell(atm, ("02-17 09:30", "down"))
        state = {"equipment": "atm-1", "state": "up", "at": "2026-02-17T09:30:00+08:00"}

        assert post("equipment-states", {"states": [state]}, sending()).status_code == 409
        assert EquipmentState.objects.get().state == "down"

    @pytest.mark.parametrize(
        ("over", "error"),
        [
            ({"equipment": "atm-9"}, ("equipment", "“atm-9” is not known, or not yours")),
            ({"equipment": "tv-1"}, ("equipment", "“tv-1” is not known, or not yours")),
            ({"state": "tired"}, ("state", "must be one of up, degraded, down")),
            ({"at": "2026-02-17T09:30:00"}, ("at", "needs its zone: Z, or +08:00")),
            ({"at": "soon"}, ("at", "must be a moment, such as 2026-05-17T09:30:00Z")),
            ({"at": "2199-01-01T00:00:00Z"}, ("at", "is in the future")),
            ({"at": "2024-01-01T00:00:00Z"}, ("at", "the machine was not installed then")),
            ({"mood": "good"}, ("mood", "is no field of a state")),
        ],
    )
    def test_a_state_that_is_wrong_is_named(
        self, over: dict[str, str], error: tuple[str, str]
    ) -> None:
        north = make_unit("north")
        machine("atm-1", north)
        machine("tv-1", make_unit("south"))
        state = {"equipment": "atm-1", "state": "down", "at": "2026-02-17T09:30:00Z"} | over

        refused = post("equipment-states", {"states": [state]}, sending(north))

        found = [(row["field"], row["reason"]) for row in body(refused)["errors"]]
        assert (refused.status_code, found) == (400, [error])
        assert not EquipmentState.objects.exists()

    def test_the_present_state_and_since_when(self) -> None:
        north = make_unit("north")
        tell(
            machine("atm-1", north),
            ("02-17 08:00", "up"), ("02-17 09:00", "down"), ("02-17 10:00", "down"),
        )  # fmt: skip
        machine("atm-2", north)

        found = body(get("equipment?kind=atm", reading(north)))["results"]

        assert [(row["code"], row["state"], row["since"]) for row in found] == [
            ("atm-1", "down", "2026-02-17T01:00:00Z"), ("atm-2", None, None),
        ]  # fmt: skip


def test_the_feed_is_heard_at_the_time_of_the_request() -> None:
    from sqcore.measurements.services import define_feed
    from sqcore.tests.measurements.making import SYSTEM

    feed = define_feed(code="core", name={"en": "Core"}, by=SYSTEM, now=NOW)
    make_unit("north")
    measure(feed=feed)

    post("measurements", {"measurements": [share("north", "2026-01", 5, 200)]}, sending())

    feed.refresh_from_db()
    assert feed.heard_at is not None
    assert abs(feed.heard_at - timezone.now()) < timedelta(minutes=1)
