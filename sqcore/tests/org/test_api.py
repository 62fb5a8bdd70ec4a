"""The organisation over REST: the tree of a day, and staff for the few, by number only."""

import json
from datetime import date
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.identity.permissions import Permission
from sqcore.org.models import Assignment, Placement, Staff, Unit
from sqcore.tests.factories import (
    TODAY,
    make_channel,
    make_post,
    make_segment,
    make_staff,
    make_unit,
)
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

ORGANISATION, PEOPLE = Permission.VIEW_ORGANISATION, Permission.VIEW_PEOPLE


def rows(path: str, key: str) -> list[dict[str, Any]]:
    response = get(path, key)
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = json.loads(response.content)["results"]
    return found


class TestUnits:
    @pytest.fixture
    def north(self) -> Unit:
        root = make_unit("bank")
        north, south = make_unit("north", parent=root), make_unit("south", parent=root)
        mill = make_unit("mill", parent=north)
        Placement.objects.filter(unit=mill).update(valid_to=TODAY)
        Placement.objects.create(unit=mill, parent=south, valid_from=TODAY)
        make_unit("later", parent=root, on=date(2099, 1, 1))
        return north

    def test_are_the_tree_of_the_day(self, north: Unit) -> None:
        key = make_key(ORGANISATION)

        before = {row["code"]: row["parent"] for row in rows("units?on=2026-03-01", key)}
        after = {row["code"]: row["parent"] for row in rows("units?on=2026-03-02", key)}

        assert before == {"bank": None, "mill": "north", "north": "bank", "south": "bank"}
        assert after == {"bank": None, "mill": "south", "north": "bank", "south": "bank"}

    def test_of_a_bound_token_are_its_own_and_name_nobody_above(self, north: Unit) -> None:
        assert rows("units", make_key(ORGANISATION, units=[north])) == [
            {
                "code": "north",
                "name": {"en": "North"},
                "kind": "branch",
                "parent": None,
                "opened_on": "2020-01-01",
                "closed_on": None,
            }
        ]

    def test_one_that_is_not_the_askers_is_not_found(self, north: Unit) -> None:
        bound = make_key(ORGANISATION, units=[north])

        assert get("units/north", bound).status_code == 200
        assert get("units/south", bound).status_code == 404
        assert get("units/nowhere", bound).status_code == 404
        assert get("units/south", bound).content != b""

    def test_come_in_pages(self, north: Unit) -> None:
        key = make_key(ORGANISATION)
        first = json.loads(get("units?page_size=3", key).content)
        rest = json.loads(get(first["next"].partition("/api/v1/")[2], key).content)

        codes = [row["code"] for row in first["results"] + rest["results"]]
        assert codes == ["bank", "mill", "north", "south"]
        assert rest["next"] is None

    def test_cost_a_fixed_number_of_queries(
        self, north: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = make_key(ORGANISATION)
        get("", key)

        # The codes above, the page.
        with django_assert_num_queries(2):
            rows("units", key)


def test_the_organisation_and_its_rules() -> None:
    answer = get("organisation", make_key(ORGANISATION))

    assert json.loads(answer.content)["smallest_group"] == 5


def test_channels_and_segments() -> None:
    make_channel("counter")
    make_segment("private")
    key = make_key(ORGANISATION)

    assert rows("channels", key) == [{"code": "counter", "name": {"en": "Counter"}}]
    assert rows("segments", key) == [{"code": "private", "name": {"en": "Private"}}]


class TestStaff:
    @pytest.fixture
    def north(self) -> Unit:
        root = make_unit("bank")
        north, south = make_unit("north", parent=root), make_unit("south", parent=root)
        teller = make_post()
        for number, units in (("100", [north]), ("200", [south]), ("300", [north, south])):
            staff = make_staff(number)
            for unit in units:
                Assignment.objects.create(
                    staff=staff, unit=unit, post=teller, valid_from=date(2024, 1, 1)
                )
        return north

    def test_are_numbers_and_assignments_at_the_tokens_units_only(self, north: Unit) -> None:
        assignment = {
            "unit": "north",
            "post": "teller",
            "valid_from": "2024-01-01",
            "valid_to": None,
        }
        assert rows("staff", make_key(PEOPLE, units=[north])) == [
            {"number": "100", "assignments": [assignment]},
            {"number": "300", "assignments": [assignment]},
        ]

    def test_of_another_unit_are_not_shown_when_it_is_named(self, north: Unit) -> None:
        assert rows("staff?unit=south", make_key(PEOPLE, units=[north])) == []

    def test_are_those_of_the_day(self, north: Unit) -> None:
        key = make_key(PEOPLE, units=[north])

        assert rows("staff?on=2023-12-31", key) == []

    def test_each_reading_stands_in_the_ledger(self, north: Unit) -> None:
        key = make_key(PEOPLE, units=[north])
        AuditEntry.objects.all()

        rows("staff", key)

        entry = AuditEntry.objects.get(action="people.read")
        assert entry.actor.startswith("token:")
        assert entry.details["numbers"] == ["100", "300"]

    def test_names_never_leave(self, north: Unit) -> None:
        name = Staff.objects.get(number="100").name

        assert name.encode() not in get("staff", make_key(PEOPLE, units=[north])).content

    def test_cost_a_fixed_number_of_queries(
        self, north: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = make_key(PEOPLE, units=[north])
        get("", key)

        # The page, its assignments, the ledger.
        with django_assert_num_queries(3):
            rows("staff", key)
