"""Taking back what was reported: a revision with its reason, and nothing left in the figures."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.base.periods import Grain, Period
from sqcore.identity.permissions import Permission, Role
from sqcore.measurements.models import Equipment, Observation
from sqcore.measurements.queries import Standing, grid_of
from sqcore.measurements.services import retire_equipment
from sqcore.measurements.sources import MeasurementSource
from sqcore.measurements.withdrawal import withdraw_measurement, withdraw_measurements
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.measurements.making import SYSTEM, machine, measure, send, sender, share
from sqcore.tests.rest import make_key, post

pytestmark = pytest.mark.django_db

JANUARY = Period(date(2026, 1, 1), Grain.MONTH)
LATER = NOW + timedelta(hours=1)
WHY = "Counted at another branch"


@pytest.fixture
def north() -> Unit:
    measure()
    return make_unit("north")


def only() -> Observation:
    return Observation.objects.current().get()


def withdraw(observation: Observation, **over: Any) -> Observation:
    asked: dict[str, Any] = {"because": WHY, "by": SYSTEM, "now": LATER, **over}
    return withdraw_measurement(observation=observation, **asked)


def sums() -> tuple[list[Any], list[int]]:
    found = MeasurementSource().collect(measures=["errors"], period=JANUARY)
    return list(found.cells), [int(n) for n in found.moments.n.ravel()]


class TestAWithdrawal:
    def test_is_the_next_revision_and_says_why(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))

        withdraw(only())

        rows = Observation.objects.order_by("revision")
        assert [(row.revision, row.withdrawn_because) for row in rows] == [(1, ""), (2, WHY)]
        assert [row.superseded_at for row in rows] == [LATER, LATER]
        assert not Observation.objects.current().exists()
        entry = AuditEntry.objects.get(action="measurement.withdrawn")
        assert (entry.details["because"], entry.details["starts_on"]) == (WHY, "2026-01-01")

    def test_takes_exactly_its_numbers_out_of_the_figures(self, north: Unit) -> None:
        make_unit("south")
        send(share("north", "2026-01", 5, 200))
        before = sums()
        send(share("south", "2026-01", 9, 90))
        wrong = Observation.objects.get(unit__code="south")

        withdraw(wrong)

        assert sums() == before
        days = MeasurementSource().changed_since(NOW)
        assert (JANUARY.start, JANUARY.end - timedelta(days=1)) in days

    def test_what_was_known_before_is_known_of_that_moment(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))

        withdraw(only())

        assert Observation.objects.as_known_at(NOW).get().numerator == 5
        assert not Observation.objects.as_known_at(LATER).exists()

    def test_what_is_reported_again_is_the_revision_after_it(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))
        withdraw(only())

        taken = send(share("north", "2026-01", 5, 200), now=LATER)

        assert (taken.new, taken.unchanged) == (1, 0)
        assert only().revision == 3

    def test_a_unit_that_has_nothing_else_is_not_expected_to_report(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))
        now = NOW + timedelta(days=60)
        found = only().measure
        assert grid_of(found, [north], now=now).count(Standing.MISSING) > 0

        withdraw(only())

        assert grid_of(found, [north], now=now).rows == []

    def test_the_database_keeps_no_withdrawal_that_is_current(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))
        with pytest.raises(IntegrityError), transaction.atomic():
            Observation.objects.update(withdrawn_because=WHY)


class TestRefusals:
    def test_without_a_reason(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))

        with pytest.raises(InvalidInput) as refusal:
            withdraw(only(), because="  ")

        assert [(each.field, each.reason) for each in refusal.value.problems] == [
            ("because", "is missing")
        ]
        assert only().revision == 1

    def test_twice(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))
        seen = only()
        withdraw(seen)

        with pytest.raises(Conflict):
            withdraw(seen)

        assert Observation.objects.count() == 2

    def test_of_another_unit(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))

        with pytest.raises(NotPermitted):
            withdraw(only(), by=sender(make_unit("south")))

        assert only().revision == 1

    def test_of_a_batch_name_each_row_and_take_nothing_back(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))
        right = {"measure": "errors", "unit": "north", "period": "2026-01", "because": WHY}

        with pytest.raises(InvalidInput) as refusal:
            withdraw_measurements(
                rows=[
                    right, right, right | {"period": "2026-02"}, right | {"unit": "nowhere"},
                    right | {"because": ""}, right | {"value": "5"}, right | {"channel": "app"}, 7,
                ],
                by=SYSTEM,
                now=LATER,
            )  # fmt: skip

        assert [(each.row, each.field, each.reason) for each in refusal.value.problems] == [
            (2, "period", "an earlier row is for the same place and period"),
            (3, "period", "nothing is current there that could be withdrawn"),
            (4, "unit", "“nowhere” is not known, or not yours"),
            (5, "because", "is missing"),
            (6, "value", "is no field here"),
            (7, "period", "nothing is current there that could be withdrawn"),
            (8, "", "must be an object"),
        ]
        assert only().revision == 1


class TestOverRest:
    def test_a_sender_takes_a_value_back(self, north: Unit) -> None:
        send(share("north", "2026-01", 5, 200))
        key = make_key(Permission.SEND_MEASUREMENTS, now=timezone.now())
        row = {"measure": "errors", "unit": "north", "period": "2026-01", "because": WHY}

        answer: Any = post("measurement-withdrawals", {"withdrawals": [row]}, key)

        assert (answer.status_code, answer.json()) == (200, {"withdrawn": 1})
        assert not Observation.objects.current().exists()


def login(client: Client, name: str, role: Role, unit: Unit | None = None) -> None:
    user = make_user(name)
    give_role(user, role, unit)
    client.force_login(user)


class TestPages:
    def test_a_value_is_withdrawn_and_its_story_stays(self, north: Unit, client: Client) -> None:
        send(share("north", "2026-01", 5, 200))
        login(client, "ada", Role.ADMINISTRATOR)
        page = f"/measurements/values/{only().pk}/withdraw/"
        assert client.post(page, {"because": ""}).status_code == 400
        assert only().revision == 1

        answer: Any = client.post(page, {"because": WHY}, follow=True)

        text = answer.content.decode()
        assert answer.request["PATH_INFO"] == "/measurements/of/errors/north/2026-01/"
        assert WHY in text
        assert "200</td>" in text
        assert client.post(page, {"because": WHY}).status_code == 400

    def test_a_manager_reads_the_story_and_withdraws_nothing(
        self, north: Unit, client: Client
    ) -> None:
        send(share("north", "2026-01", 5, 200))
        login(client, "mei", Role.MANAGER, north)

        text = client.get("/measurements/of/errors/north/2026-01/").content.decode()

        assert "200</td>" in text
        assert "/withdraw/" not in text
        page = f"/measurements/values/{only().pk}/withdraw/"
        assert client.post(page, {"because": WHY}).status_code == 403
        assert only().revision == 1

    def test_a_machine_is_retired_from_a_day_on(self, north: Unit, client: Client) -> None:
        machine("atm-1", north)
        login(client, "ada", Role.ADMINISTRATOR)
        page = "/measurements/equipment/atm-1/retire/"
        assert page in client.get("/measurements/equipment/atm-1/").content.decode()
        assert client.post(page, {"on": "2024-12-31"}).status_code == 400
        assert Equipment.objects.get().retired_on is None

        client.post(page, {"on": "2026-03-01"})

        assert Equipment.objects.get().retired_on == date(2026, 3, 1)
        assert AuditEntry.objects.get(action="equipment.retired").details == {"on": "2026-03-01"}
        assert client.post(page, {"on": "2026-03-02"}).status_code == 400
        assert page not in client.get("/measurements/equipment/atm-1/").content.decode()

    def test_a_machine_that_retires_later_is_listed_until_then(
        self, north: Unit, client: Client
    ) -> None:
        for code, on in (("atm-1", date(2026, 1, 1)), ("atm-2", date(2190, 1, 1))):
            retire_equipment(equipment=machine(code, north), on=on, by=SYSTEM, now=NOW)
        login(client, "ada", Role.ADMINISTRATOR)

        text = client.get("/measurements/equipment/").content.decode()

        assert ("ATM-1" in text, "ATM-2" in text) == (False, True)

    def test_a_manager_retires_no_machine(self, north: Unit, client: Client) -> None:
        machine("atm-1", north)
        login(client, "mei", Role.MANAGER, north)

        assert client.post("/measurements/equipment/atm-1/retire/").status_code == 403
        assert Equipment.objects.get().retired_on is None
