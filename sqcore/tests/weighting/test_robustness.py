"""Would another unit be first: by page and REST, only what one may see, only what is published."""

import json
from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal, Scope, system_principal
from sqcore.indicators.models import SystemVersion
from sqcore.org.models import Unit
from sqcore.stats.results import MethodStatus
from sqcore.tests.factories import NOW, give_role, make_principal, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import get, make_key
from sqcore.tests.weighting.factories import evaluate, make_draft, make_units, publish
from sqcore.tests.weighting.test_pages import words
from sqcore.weighting.robustness import sensitivity_of

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")
ROWS = [(80, 70, 60), (70, 75, 62), (30, 20, 10)]


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def branches(bank: Unit) -> list[Unit]:
    return make_units(3, bank)


@pytest.fixture
def version(bank: Unit, branches: list[Unit]) -> SystemVersion:
    """Three equal weights: 70, 69 and 20 points in January."""
    published = publish(make_draft())
    evaluate(published, "2026-01", dict(zip(branches, ROWS, strict=True)), top=bank)
    return published


def client_of(name: str, role: Role, unit: Unit | None = None) -> Client:
    user = make_user(name)
    give_role(user, role, unit)
    client = Client()
    client.force_login(user)
    return client


def of_units(*units: Unit) -> Principal:
    scope = Scope(units=frozenset(unit.pk for unit in units))
    return make_principal({Permission.VIEW_RESULTS: scope})


class TestOrder:
    def test_of_two_close_units_one_may_overtake_the_other(self, version: SystemVersion) -> None:
        found = sensitivity_of(version, principal=EVERYBODY)

        assert [(each.unit.code, each.rank.rank) for each in found.units] == [
            ("branch-1", 1), ("branch-2", 2), ("branch-3", 3)
        ]  # fmt: skip
        assert [(each.rank.low, each.rank.high) for each in found.units] == [(1, 2), (1, 2), (3, 3)]
        assert found.period is not None
        assert (found.period.key, found.figures_of, found.left_out) == ("2026-01", 1, 0)

    def test_how_far_a_weight_may_move_is_exact(self, version: SystemVersion) -> None:
        # Branch 1 leads by 10 w - (5 + 2) / 2 (1 - w): even at w = 3.5 / 13.5
        room = sensitivity_of(version, principal=EVERYBODY).rooms[0]

        assert room.share.low == pytest.approx(3.5 / 13.5)
        assert (room.code, room.share.high) == ("reliability", 1.0)
        assert (room.rival_below, room.rival_above) == ("Branch-2", "")

    def test_the_newest_closed_period_counts(
        self, version: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        evaluate(version, "2026-02", dict(zip(branches, reversed(ROWS), strict=True)), top=bank)

        found = sensitivity_of(version, principal=EVERYBODY)

        assert found.units[0].unit.code == "branch-3"

    def test_suppressed_figures_take_no_part(self, version: SystemVersion, bank: Unit) -> None:
        four = make_unit("four", parent=bank)
        five = make_unit("five", parent=bank)
        rows = {four: (99.0, None, None), five: (99.0, 99.0, 99.0)}
        evaluate(version, "2026-02", rows, top=bank, hidden=[five])

        found = sensitivity_of(version, principal=EVERYBODY)

        assert (found.units, found.left_out) == ((), 2)
        assert found.status is MethodStatus.INSUFFICIENT_N

    def test_a_draft_is_judged_by_the_figures_of_the_version_in_force(
        self, version: SystemVersion
    ) -> None:
        draft = make_draft(system=version.system, number=2)
        draft.dimensions.filter(code="reliability").update(weight="0.1")
        draft.dimensions.filter(code="responsiveness").update(weight="0.8")
        draft.dimensions.filter(code="empathy").update(weight="0.1")

        found = sensitivity_of(draft, principal=EVERYBODY)

        assert found.units[0].unit.code == "branch-2"
        assert found.figures_of == 1

    def test_only_units_that_one_may_see_take_part_and_are_named(
        self, version: SystemVersion, branches: list[Unit]
    ) -> None:
        found = sensitivity_of(version, principal=of_units(branches[1], branches[2]))

        assert [each.unit.code for each in found.units] == ["branch-2", "branch-3"]
        assert found.units[0].rank.rank == 1
        assert "Branch-1" not in str(found)
        alone = sensitivity_of(version, principal=of_units(branches[1]))
        assert alone.status is MethodStatus.INSUFFICIENT_N

    def test_without_a_closed_period_there_is_nothing_to_test(self) -> None:
        found = sensitivity_of(make_draft(), principal=EVERYBODY)

        assert (found.period, found.units, found.rooms) == (None, (), ())

    def test_takes_the_same_queries_for_any_number_of_units(
        self, version: SystemVersion, bank: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        many = [make_unit(f"unit-{number}", parent=bank) for number in range(12)]
        evaluate(version, "2026-02", dict.fromkeys(many, (50.0, 60.0, 70.0)), top=bank)

        with django_assert_num_queries(6):
            assert len(sensitivity_of(version, principal=EVERYBODY).units) == 12


class TestPage:
    def test_says_how_firm_the_order_is(self, version: SystemVersion) -> None:
        ana = client_of("ana", Role.ANALYST)

        response = ana.get(f"/setup/systems/versions/{version.pk}/weights/sensitivity")

        text = words(response)
        assert faults_of(response.content.decode()) == []
        assert "Scores of January 2026, evaluated by version 1." in text
        assert "Of 2000 draws of weights around what they are." in text
        assert "Branch-1 1 1 to 2" in text
        assert "Reliability 33.3 % 25.9 to 100.0 % 25.9 to 100.0 % below: Branch-2" in text

    def test_names_no_unit_beyond_ones_own(
        self, version: SystemVersion, branches: list[Unit]
    ) -> None:
        chen = client_of("chen", Role.MANAGER, branches[2])

        response = chen.get(f"/setup/systems/versions/{version.pk}/weights/sensitivity")

        assert response.status_code == 200
        assert b"Branch-1" not in response.content
        assert "at least two units whose results you may see" in words(response)

    def test_of_a_draft_is_for_its_makers(self, version: SystemVersion) -> None:
        draft = make_draft(system=version.system, number=2)
        address = f"/setup/systems/versions/{draft.pk}/weights/sensitivity"

        assert client_of("hua", Role.HR).get(address).status_code == 403
        text = words(client_of("ana", Role.ANALYST).get(address))
        assert "The weights are those of this draft." in text

    def test_says_when_nothing_was_evaluated(self, bank: Unit) -> None:
        version = publish(make_draft())

        response = client_of("ana", Role.ANALYST).get(
            f"/setup/systems/versions/{version.pk}/weights/sensitivity"
        )

        assert faults_of(response.content.decode()) == []
        assert "Nothing to put in order yet" in words(response)


class TestRest:
    def test_tells_the_same(self, version: SystemVersion) -> None:
        response = get("systems/service/weights/sensitivity", make_key(Permission.VIEW_RESULTS))

        told = json.loads(response.content)
        assert (told["code"], told["version"], told["period"]) == ("service", 1, "2026-01")
        assert (told["status"], told["draws"], told["left_out"]) == ("ok", 2000, 0)
        first = told["units"][0]
        assert (first["unit"], first["rank"], first["low"], first["high"]) == ("branch-1", 1, 1, 2)
        assert first["next_overtakes"] == told["first_changes"]["share"]
        assert told["units"][2]["next_overtakes"] is None
        assert told["weights"][0] == {
            "code": "reliability",
            "weight": pytest.approx(1 / 3),
            "low": pytest.approx(3.5 / 13.5),
            "high": 1.0,
            "order_low": pytest.approx(3.5 / 13.5),
            "order_high": 1.0,
            "status": "ok",
        }

    def test_of_a_client_bound_to_units_only_these(
        self, version: SystemVersion, branches: list[Unit]
    ) -> None:
        key = make_key(Permission.VIEW_RESULTS, units=branches[1:])

        told = json.loads(get("systems/service/weights/sensitivity", key).content)

        assert [row["unit"] for row in told["units"]] == ["branch-2", "branch-3"]

    def test_without_a_published_version_there_is_nothing(self) -> None:
        make_draft()

        key = make_key(Permission.VIEW_RESULTS)
        told = json.loads(get("systems/service/weights/sensitivity", key).content)

        assert (told["version"], told["units"], told["status"]) == (None, [], "insufficient_n")
