"""The pages of operational data: what is there, what is missing, who may change it."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.base.periods import Grain, Period
from sqcore.identity.permissions import Role
from sqcore.indicators.importers import ready_measures
from sqcore.measurements import queries
from sqcore.measurements.models import Equipment, Feed, Measure, Observation
from sqcore.measurements.queries import Standing, grid_of, is_late, last_due, standings
from sqcore.measurements.services import define_feed, retire_measure, tell_of_silence
from sqcore.notices.models import Notice
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, TODAY, give_role, make_channel, make_unit, make_user
from sqcore.tests.measurements.making import SYSTEM, machine, measure, send, share, tell
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def client(role: Role, unit: Unit | None = None, name: str = "ana") -> Client:
    user = make_user(name)
    give_role(user, role, unit)
    found = Client()
    found.force_login(user)
    return found


def shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert faults_of(html) == []
    return html


class TestStandings:
    def test_a_month_is_late_so_many_days_after_it_ended(self) -> None:
        found = measure(due_days=5)
        january = Period(date(2026, 1, 1), Grain.MONTH)

        assert not is_late(found, january, date(2026, 2, 5))
        assert is_late(found, january, date(2026, 2, 6))
        assert last_due(found, today=TODAY) == january
        assert last_due(measure("seldom", every=""), today=TODAY) is None

    def test_every_cell_says_what_it_is(self) -> None:
        north, south = make_unit("north"), make_unit("south")
        make_unit("silent")
        found = measure(due_days=5)
        send(share("north", "2025-11", 1, 10), now=NOW.replace(year=2025, month=12, day=3))
        send(share("north", "2025-12", 2, 10), now=NOW.replace(month=1, day=20))
        send(share("south", "2026-01", 3, 10), now=NOW.replace(month=2, day=2))
        send(share("south", "2026-01", 4, 10), now=NOW)

        grid = grid_of(found, list(Unit.objects.order_by("code")), now=NOW, count=5)

        assert [period.key for period in grid.periods] == [
            "2026-03", "2026-02", "2026-01", "2025-12", "2025-11",
        ]  # fmt: skip
        assert [
            (unit.code, [cell.standing.value for cell in cells]) for unit, cells in grid.rows
        ] == [
            (north.code, ["waiting", "waiting", "missing", "late", "in_time"]),
            (south.code, ["waiting", "waiting", "in_time", "not_expected", "not_expected"]),
        ]
        corrected = grid.rows[1][1][2]
        assert (corrected.value, corrected.revision) == (0.4, 2)
        assert grid.count(Standing.MISSING) == 1
        before = grid_of(found, [south], now=NOW, count=5, known_at=NOW.replace(month=2, day=3))
        assert [cell.value for cell in before.rows[0][1]] == [None, 0.3, None, None, None]

    def test_parts_stand_for_the_whole(self) -> None:
        north = make_unit("north")
        for code in ("phone", "app"):
            make_channel(code)
        found = measure()
        send(share("north", "2026-01", 1, 10, channel="phone"))
        send(share("north", "2026-01", 3, 10, channel="app"))

        grid = grid_of(found, [north], now=NOW, count=3)
        (standing,) = standings([found], [north], today=TODAY)

        assert grid.rows[0][1][2].value == 0.2
        assert (standing.value, standing.expected, standing.missing) == (0.2, 1, 0)

    def test_nothing_is_expected_of_a_retired_measure(self) -> None:
        north = make_unit("north")
        found = measure()
        send(share("north", "2025-11", 1, 10))
        found = retire_measure(measure=found, on=date(2025, 12, 1), by=SYSTEM, now=NOW)

        grid = grid_of(found, [north], now=NOW, count=5)

        assert grid.count(Standing.MISSING) == 0


class TestReading:
    def test_the_list_says_what_is_missing(self) -> None:
        make_unit("north")
        make_unit("south")
        measure(unit_of_measure="share")
        send(share("north", "2026-01", 5, 200), share("south", "2025-12", 5, 200))

        html = shown(client(Role.ANALYST), "/measurements/")

        assert "1 of 2 units is missing" in html
        assert "2.50 %" in html

    def test_a_manager_sees_their_units_alone_and_no_buttons(self) -> None:
        north = make_unit("north")
        make_unit("south")
        measure()
        send(share("north", "2026-01", 5, 200), share("south", "2025-12", 7, 200))
        mei = client(Role.MANAGER, north, "mei")

        assert "all of 1 unit" in shown(mei, "/measurements/")
        html = shown(mei, "/measurements/of/errors/")
        assert "North" in html
        assert "South" not in html
        assert "Define a measure" not in html

    def test_a_measure_shows_its_values_as_they_were_known(self) -> None:
        make_unit("north")
        measure()
        send(share("north", "2026-01", 20, 200), now=NOW - timedelta(days=2))
        send(share("north", "2026-01", 40, 200), now=NOW - timedelta(hours=1))
        ana = client(Role.ANALYST)

        assert "revision 2" in shown(ana, "/measurements/of/errors/")
        before = shown(ana, "/measurements/of/errors/?known_at=2026-03-01T12:00")
        assert "revision 2" not in before
        assert "as they were known" in before
        assert "0.10" in before
        for asked in ("0001-01-01T00:00", "9999-12-31T23:59"):
            now = shown(ana, f"/measurements/of/errors/?known_at={asked}")
            assert "as they were known" not in now

    def test_a_machine_that_told_nothing_yet_has_a_page(self) -> None:
        machine("atm-1", make_unit("north"))

        assert "ATM-1" in shown(client(Role.ANALYST), "/measurements/equipment/atm-1/")

    def test_machines_with_their_state_and_outages(self) -> None:
        north = make_unit("north")
        tell(machine("atm-1", north), ("02-17 08:00", "up"), ("02-17 09:00", "down"))
        machine("atm-2", north)
        mei = client(Role.MANAGER, north, "mei")

        listed = shown(mei, "/measurements/equipment/?kind=atm")
        assert "1 machine is out of order now." in listed
        assert "not heard yet" in listed
        one = shown(mei, "/measurements/equipment/atm-1/")
        assert "1 outage" in one
        assert "it lasts" in one

    def test_who_sees_no_results_sees_nothing(self) -> None:
        make_user("nobody")
        chen = Client()
        measure()

        assert chen.get("/measurements/").status_code == 302

    def test_a_thousand_values_cost_few_queries(self) -> None:
        for number in range(5):
            make_unit(f"unit-{number}")
        for number in range(10):
            measure(f"measure-{number}", every="day")
        send(
            *(
                share(f"unit-{unit}", f"2026-02-{day:02d}", 1, 10, measure=f"measure-{code}")
                for unit in range(5)
                for code in range(10)
                for day in range(1, 21)
            )
        )
        ana = client(Role.ANALYST)

        for path in ("/measurements/", "/measurements/of/measure-1/", "/measurements/equipment/"):
            with CaptureQueriesContext(connection) as queries:
                shown(ana, path)
            assert len(queries) <= 15, (path, len(queries))


class TestChanging:
    FORM = {
        "code": "loans", "name_en": "Loans in time", "name_zh_hans": "", "kind": "share",
        "unit_of_measure": "share", "decimals": "0", "every": "month", "due_days": "5",
        "since": "2025-01-01",
    }  # fmt: skip

    def test_a_measure_is_defined_changed_and_retired(self) -> None:
        ana = client(Role.ANALYST)
        shown(ana, "/measurements/new/")

        made = ana.post("/measurements/new/", self.FORM)
        assert made.headers["Location"] == "/measurements/of/loans/"
        shown(ana, "/measurements/of/loans/change/")
        ana.post("/measurements/of/loans/change/", self.FORM | {"due_days": "9"})
        ana.post("/measurements/of/loans/retire/")

        loans = Measure.objects.get()
        assert (loans.due_days, loans.retired_on) == (9, TODAY)

    def test_a_code_that_is_taken_is_said_beside_the_field(self) -> None:
        measure("loans")

        answer = client(Role.ANALYST).post("/measurements/new/", self.FORM)

        assert answer.status_code == 400
        assert Measure.objects.count() == 1

    def test_feeds_and_machines_are_added(self) -> None:
        north = make_unit("north")
        ana = client(Role.ANALYST)
        for path in ("/measurements/feeds/new/", "/measurements/machines/new/"):
            shown(ana, path)

        ana.post("/measurements/feeds/new/", {"code": "core", "name_en": "Core", "kind": "system"})
        ana.post(
            "/measurements/machines/new/",
            {
                "code": "atm-1", "name_en": "Cash machine", "kind": "atm", "unit": north.pk,
                "installed_on": "2026-01-01", "feed": Feed.objects.get().pk,
            },
        )  # fmt: skip

        assert Equipment.objects.get().feed == Feed.objects.get()
        assert "Core" in shown(ana, "/measurements/")

    def test_the_measures_of_a_ready_system_are_defined_at_once(self) -> None:
        ana = client(Role.ANALYST)
        assert "needs measures that are not defined" in shown(ana, "/measurements/")

        ana.post("/measurements/needed/bank/")
        codes = {row.code for row in ready_measures("bank")}

        assert set(Measure.objects.values_list("code", flat=True)) == codes
        assert "needs measures that are not defined" not in shown(ana, "/measurements/")

    @pytest.mark.parametrize(
        "path",
        [
            "new/", "feeds/new/", "machines/new/", "of/errors/change/", "of/errors/retire/",
            "needed/bank/",
        ],
    )  # fmt: skip
    def test_a_manager_changes_nothing(self, path: str) -> None:
        north = make_unit("north")
        measure()

        answer = client(Role.MANAGER, north, "mei").post(f"/measurements/{path}", self.FORM)

        assert answer.status_code == 403
        assert Measure.objects.get().retired_on is None
        assert not Observation.objects.exists()


def test_the_owner_of_a_silent_feed_is_told_once() -> None:
    ana = make_user("ana")
    give_role(ana, Role.ANALYST)
    feed = define_feed(
        code="core", name={"en": "Core"}, silent_after_days=2, owner=ana, by=SYSTEM, now=NOW
    )
    make_unit("north")
    measure(feed=feed)
    send(share("north", "2026-01", 5, 200))

    told = [tell_of_silence(now=NOW + timedelta(days=days)) for days in (0, 1, 3, 4)]

    assert told == [0, 0, 1, 0]
    assert Notice.objects.get().title["en"] == "Core fell silent"


def test_values_are_rounded_not_cut_off() -> None:
    found = measure(unit_of_measure="share")

    assert queries.shown(found, 4 / 240) == "1.67 %"
    assert queries.shown(found, None) == ""
