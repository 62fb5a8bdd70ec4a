"""Encounters from other systems: all or none, each problem named by row and field, once."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import InvalidInput, NotPermitted
from sqcore.encounters.intake import MOST_AT_ONCE, receive_encounters
from sqcore.encounters.models import Encounter, Service, TouchedSpan
from sqcore.encounters.services import Taken, define_service, define_stage, take_encounters
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, Scope, system_principal
from sqcore.org.models import Assignment, Unit
from sqcore.tests.encounters.factories import encounter
from sqcore.tests.factories import (
    NOW,
    make_channel,
    make_post,
    make_principal,
    make_segment,
    make_staff,
    make_unit,
)
from sqcore.tests.rest import get, make_key, post

pytestmark = pytest.mark.django_db

SEND = Permission.SEND_MEASUREMENTS
SENDER = make_principal({SEND: EVERYWHERE}, key="token:1")
ADMINISTRATOR = system_principal("test")


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def north() -> Unit:
    root = make_unit("bank")
    make_unit("south", parent=root)
    unit = make_unit("north", parent=root)
    post = make_post()
    for number in ("1001", "1002"):
        Assignment.objects.create(
            staff=make_staff(number), unit=unit, post=post, valid_from=date(2024, 1, 1)
        )
    make_channel("counter")
    make_segment("private")
    define_service(code="account", name={"en": "Account"}, by=ADMINISTRATOR, now=NOW)
    for code in ("number", "advice"):
        define_stage(code=code, name={"en": code}, phase="execution", by=ADMINISTRATOR, now=NOW)
    return unit


def stage(name: str, start: str, end: str | None, **over: Any) -> dict[str, Any]:
    ends = {} if end is None else {"ended_at": f"2026-03-02T{end}+08:00"}
    return {"stage": name, "started_at": f"2026-03-02T{start}+08:00", **ends, **over}


def row(**over: Any) -> dict[str, Any]:
    return {
        "key": "t-1",
        "unit": "north",
        "arrived_at": "2026-03-02T09:00:00+08:00",
        "customer": "6222-0001",
        "channel": "counter",
        "segment": "private",
        "service": "account",
        "solved": True,
        "shares": {"1001": 0.8, "1002": 0.2},
        "stages": [
            stage("number", "09:00:00", "09:00:20"),
            stage("advice", "09:09:20", "09:15:20", staff="1001"),
        ],
        **over,
    }


def receive(*rows: Any, by: Principal = SENDER) -> Taken:
    return receive_encounters(rows=rows, by=by, now=NOW)


def refused(*rows: Any, by: Principal = SENDER) -> list[tuple[int | None, str, str]]:
    with pytest.raises(InvalidInput) as caught:
        receive(*rows, by=by)
    assert not Encounter.objects.filter(key__startswith="t-").exists()
    assert not TouchedSpan.objects.exists()
    return [(each.row, each.field, each.reason) for each in caught.value.problems]


class TestWhatIsTaken:
    def test_an_encounter_is_kept_with_its_times(self, north: Unit) -> None:
        assert receive(row()) == Taken(new=1)

        kept = Encounter.objects.get()
        assert (kept.unit, kept.waiting_s, kept.handling_s) == (north, 540, 380)
        assert (kept.solved, kept.reworked) == (True, False)
        assert kept.staff is not None
        assert kept.staff.number == "1001"
        assert sorted(kept.shares.values()) == [2000, 8000]
        assert AuditEntry.objects.get(action="encounters.received").details == {
            "new": 1,
            "replaced": 0,
            "unchanged": 0,
        }

    def test_only_key_unit_and_arrival_are_needed(self, north: Unit) -> None:
        receive({"key": "t-1", "unit": "north", "arrived_at": "2026-03-02T01:00:00Z"})

        kept = Encounter.objects.get()
        assert (kept.waiting_s, kept.handling_s, kept.solved, kept.reworked) == (None,) * 4
        assert (kept.customer, kept.staff, kept.shares, kept.steps) == (None, None, {}, [])

    def test_one_person_who_did_every_stage_had_all_of_it(self, north: Unit) -> None:
        stages = [stage("advice", "09:01:00", "09:02:00", staff="1002")]

        receive(row(shares=None, stages=stages))

        assert list(Encounter.objects.get().shares.values()) == [10_000]

    def test_who_did_a_part_only_has_no_share_by_that(self, north: Unit) -> None:
        receive(row(shares=None))

        assert Encounter.objects.get().shares == {}

    def test_thirds_that_were_rounded_are_whole(self, north: Unit) -> None:
        receive(row(shares={"1001": 0.333, "1002": 0.667}))

        assert sorted(Encounter.objects.get().shares.values()) == [3330, 6670]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"unit": "nrth"}, "unit", "“nrth” is not known, or not yours"),
    ({"channel": "conter"}, "channel", "“conter” is not known; did you mean “counter”?"),
    ({"segment": "vip"}, "segment", "“vip” is not known"),
    ({"service": "loan"}, "service", "“loan” is not known"),
    ({"key": ""}, "key", "is missing"),
    ({"key": "x" * 81}, "key", "has more than 80 characters"),
    ({"unit": 7}, "unit", "must be a text"),
    ({"chanel": "counter"}, "chanel", "is no field of an encounter; did you mean “channel”?"),
    ({"solved": "yes"}, "solved", "must be true, false or null"),
    ({"arrived_at": "yesterday"}, "arrived_at", "is no time; write 2026-03-02T09:30:00+08:00"),
    (
        {"arrived_at": "2026-03-02T09:00:00"},
        "arrived_at",
        "has no time zone; end it with Z or an offset such as +08:00",
    ),
    ({"arrived_at": "2026-03-03T09:00:00Z"}, "arrived_at", "is in the future"),
    (
        {"arrived_at": "2019-03-03T09:00:00Z", "shares": None, "stages": []},
        "arrived_at",
        "is on a day on which the unit was not open",
    ),
    ({"shares": {"1001": 0.5, "1002": 0.4}}, "shares", "sum to 0.9; they must sum to 1"),
    ({"shares": {"1001": 1.5}}, "shares.1001", "must be more than 0 and at most 1"),
    ({"shares": {"1001": "all"}}, "shares.1001", "must be a number"),
    (
        {"shares": {"1009": 1}},
        "shares.1009",
        "nobody of this number works at the unit that day",
    ),
    ({"shares": [1]}, "shares", "must be an object: staff number → share"),
    ({"stages": {}}, "stages", "must be a list"),
    ({"stages": [7]}, "stages[0]", "must be an object"),
    ({"stages": [{"stage": "number"}]}, "stages[0].started_at", "is missing"),
    (
        {"stages": [stage("advise", "09:01:00", "09:02:00")]},
        "stages[0].stage",
        "“advise” is not known; did you mean “advice”?",
    ),
    (
        {"stages": [stage("advice", "09:02:00", "09:01:00")]},
        "stages[0].ended_at",
        "is before the start of the stage",
    ),
    (
        {"stages": [stage("advice", "08:59:00", "09:01:00")]},
        "stages[0].started_at",
        "is before the arrival",
    ),
    (
        {"stages": [stage("advice", "09:01:00", "09:02:00", staff="9")]},
        "stages[0].staff",
        "nobody of this number works at the unit that day",
    ),
    (
        {"arrived_at": "2026-01-30T09:00:00+08:00"},
        "stages[0].started_at",
        "is more than 30 days after the arrival",
    ),
]


class TestWhatIsRefused:
    @pytest.mark.parametrize(("over", "field", "reason"), WRONG)
    def test_a_wrong_field_is_named_and_nothing_is_stored(
        self, north: Unit, over: dict[str, Any], field: str, reason: str
    ) -> None:
        assert (2, field, reason) in refused(row(), row(key="t-2") | over)

    def test_a_row_that_is_no_object_is_named(self, north: Unit) -> None:
        assert refused("t-1") == [(1, "", "must be an object")]

    def test_a_key_twice_in_a_batch_is_named(self, north: Unit) -> None:
        assert refused(row(), row()) == [(2, "key", "row 1 has the same key")]

    def test_who_left_the_unit_before_that_day_does_not_serve_there(self, north: Unit) -> None:
        Assignment.objects.filter(staff__number="1002").update(valid_to=date(2026, 3, 2))

        assert [field for _row, field, _reason in refused(row())] == ["shares.1002"]

    def test_none_and_too_many_are_refused(self, north: Unit) -> None:
        assert refused() == []
        assert refused(*[row()] * (MOST_AT_ONCE + 1)) == []

    def test_another_units_encounters_are_not_for_who_sends_for_one(self, north: Unit) -> None:
        south = Unit.objects.get(code="south")
        by = make_principal({SEND: Scope(units=frozenset({south.pk}))})

        assert [field for _row, field, _reason in refused(row(), by=by)] == ["unit"]

    def test_a_key_of_another_unit_cannot_be_taken_over(self, north: Unit) -> None:
        south = Unit.objects.get(code="south")
        take_encounters(rows=[encounter("k-1", south)], now=NOW)
        TouchedSpan.objects.all().delete()
        by = make_principal({SEND: Scope(units=frozenset({north.pk}))})

        reason = "is taken by an encounter of a unit that is not yours"
        assert refused(row(key="k-1"), by=by) == [(1, "key", reason)]
        assert Encounter.objects.get().unit == south

    def test_who_may_not_send_is_refused(self, north: Unit) -> None:
        with pytest.raises(NotPermitted):
            receive(row(), by=make_principal({}))


class TestOverRest:
    def test_a_batch_is_taken_and_a_repeat_changes_nothing(self, north: Unit) -> None:
        key = make_key(SEND, units=[north])
        batch = {"encounters": [row(), row(key="t-2")]}

        first, again = post("encounters", batch, key), post("encounters", batch, key)

        assert json.loads(first.content) == {"new": 2, "replaced": 0, "unchanged": 0}
        assert again.content == first.content
        assert again["Idempotent-Replayed"] == "true"
        other = post("encounters", batch, key, once="key-00000002")
        assert json.loads(other.content) == {"new": 0, "replaced": 0, "unchanged": 2}

    def test_a_batch_half_of_which_is_wrong_is_refused_whole(self, north: Unit) -> None:
        batch = {"encounters": [row(), row(key="t-2", channel="fax")]}

        answer = post("encounters", batch, make_key(SEND))

        assert answer.status_code == 400
        assert json.loads(answer.content)["errors"] == [
            {"row": 2, "field": "channel", "reason": "“fax” is not known"}
        ]
        assert not Encounter.objects.exists()

    def test_ten_thousand_fit_into_one_call(
        self, north: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        batch = {"encounters": [row(key=f"t-{number}") for number in range(MOST_AT_ONCE)]}

        with django_assert_max_num_queries(80):
            answer = post("encounters", batch, make_key(SEND))

        assert json.loads(answer.content)["new"] == MOST_AT_ONCE

    def test_single_encounters_are_not_for_tokens(self, north: Unit) -> None:
        assert get("encounters", make_key(SEND, Permission.VIEW_RESULTS)).status_code == 403

    def test_services_and_stages_are_listed(self, north: Unit) -> None:
        key = make_key(SEND)

        services = json.loads(get("services", key).content)["results"]
        stages = json.loads(get("stages", key).content)["results"]

        assert services == [{"code": "account", "name": {"en": "Account"}}]
        assert [each["code"] for each in stages] == ["advice", "number"]
        assert stages[0]["phase"] == "execution"


class TestDefining:
    def test_a_service_gets_another_name_under_its_code(self) -> None:
        for name in ("Acount", "Account"):
            define_service(code="account", name={"en": name}, by=ADMINISTRATOR, now=NOW)

        assert Service.objects.get().name == {"en": "Account"}
        assert AuditEntry.objects.filter(action="service.defined").count() == 2

    def test_a_stage_needs_a_phase_that_there_is(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            define_stage(code="a b", name={}, phase="x", by=ADMINISTRATOR, now=NOW)

        assert {each.field for each in caught.value.problems} == {"code", "name", "phase"}

    def test_who_does_not_manage_measurements_defines_nothing(self) -> None:
        with pytest.raises(NotPermitted):
            define_service(code="account", name={"en": "A"}, by=SENDER, now=NOW)

        assert not Service.objects.exists()


def test_a_month_old_encounter_may_still_come(north: Unit) -> None:
    stages = [stage("advice", "09:00:00", None)]
    receive(
        row(
            arrived_at=(NOW - timedelta(days=29)).isoformat(),
            stages=stages,
            shares=None,
        )
    )

    assert Encounter.objects.get().waiting_s is None
