"""The pages of encounters: what each says, for whom, at what cost."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.encounters.models import Encounter, Service, Stage
from sqcore.encounters.services import define_stage, sum_up, take_encounters
from sqcore.identity.permissions import Role
from sqcore.identity.principals import system_principal
from sqcore.org.models import Unit
from sqcore.tests.encounters.factories import encounter, step
from sqcore.tests.factories import (
    NOW,
    give_role,
    make_channel,
    make_segment,
    make_unit,
    make_user,
)
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

SYSTEM = system_principal("test")


@pytest.fixture
def bank() -> dict[str, Unit]:
    root = make_unit("bank")
    units = {code: make_unit(code, parent=root) for code in ("north", "south")}
    counter, private = make_channel("counter"), make_segment("private")
    define_stage(code="counter", name={"en": "Counter"}, phase="execution", by=SYSTEM, now=NOW)
    rows = [
        encounter(
            f"{code}-{number}",
            unit,
            wait=5 + number,
            solved=number % 2 == 0,
            channel_id=counter.pk,
            segment_id=private.pk,
            customer="6222",
        )
        for code, unit in units.items()
        for number in range(6)
    ]
    take_encounters(rows=rows, now=NOW)
    sum_up(clock=lambda: NOW)
    for name, role, code in (
        ("ana", Role.ANALYST, ""),
        ("mei", Role.MANAGER, "north"),
    ):
        give_role(make_user(name), role, units.get(code))
    return units | {"bank": root}


def client_of(name: str) -> Client:
    from sqcore.identity.models import User

    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


class TestOverview:
    def test_says_how_many_how_long_and_what_came_of_it(self, bank: dict[str, Unit]) -> None:
        html = client_of("ana").get("/encounters/?period=2026-03").content.decode()

        assert not faults_of(html)
        assert "7.5 min" in html  # the mean of 5 to 10 minutes
        assert "6.0 min" in html
        assert "50.0 %" in html
        assert "n = 6" in html
        assert "North" in html
        assert "South" in html

    def test_a_manager_sees_their_own_unit(self, bank: dict[str, Unit]) -> None:
        html = client_of("mei").get("/encounters/?period=2026-03").content.decode()

        assert "North" in html
        assert "South" not in html

    @pytest.mark.parametrize("by", ["unit", "channel", "segment", "nonsense"])
    def test_asks_little(
        self, bank: dict[str, Unit], by: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_of("ana")
        with django_assert_max_num_queries(15):
            response = client.get(f"/encounters/?period=2026-W10&by={by}")

        assert response.status_code == 200

    def test_without_encounters_says_so(self, bank: dict[str, Unit]) -> None:
        Encounter.objects.all().delete()

        html = client_of("ana").get("/encounters/").content.decode()

        assert "There are no encounters yet" in html


class TestSingleEncounters:
    def test_are_listed_with_few_questions_and_without_customers(
        self, bank: dict[str, Unit], django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_of("ana")
        with django_assert_max_num_queries(15):
            html = client.get("/encounters/list/?unit=north&channel=counter").content.decode()

        assert not faults_of(html)
        assert "north-0" in html
        assert "south-0" not in html
        assert "6222" not in html

    def test_one_shows_its_stages_in_time(self, bank: dict[str, Unit]) -> None:
        steps = [step("counter", 9, 15), step("signing", 20, None)]
        take_encounters(rows=[encounter("t", bank["north"], steps=steps)], now=NOW)
        found = Encounter.objects.get(key="t")

        html = client_of("ana").get(f"/encounters/{found.pk}/").content.decode()

        assert not faults_of(html)
        assert 'class="stage" data-phase="execution" x="45.0%" width="30.0%"' in html
        assert "9 min 0 s" in html
        assert "end not known" in html

    @pytest.mark.parametrize("path", ["list/", "catalogue/", "services/new/", "stages/new/"])
    def test_are_not_for_managers(self, bank: dict[str, Unit], path: str) -> None:
        assert client_of("mei").get(f"/encounters/{path}").status_code == 403
        found = Encounter.objects.filter(unit=bank["north"])[0]
        assert client_of("mei").get(f"/encounters/{found.pk}/").status_code == 403

    def test_one_that_there_is_not_is_not_found(self, bank: dict[str, Unit]) -> None:
        assert client_of("ana").get("/encounters/999999/").status_code == 404


class TestServicesAndStages:
    def test_a_service_is_added_and_changed(self, bank: dict[str, Unit]) -> None:
        client = client_of("ana")
        sent = {"code": "loan", "name_0": "Loan", "name_1": "贷款", "position": 1}
        names = {"name_en": "Loan", "name_zh_hans": "贷款"}

        added = client.post("/encounters/services/new/", sent | names)
        changed = client.post("/encounters/services/loan/", sent | {"name_en": "Loans"})

        assert (added.status_code, changed.status_code) == (302, 302)
        assert Service.objects.get().code == "loan"
        assert "loan" in client.get("/encounters/catalogue/").content.decode()

    def test_a_stage_with_a_wrong_phase_is_not_kept(self, bank: dict[str, Unit]) -> None:
        sent = {"code": "sign", "name_en": "Sign", "position": 1, "phase": "never"}

        response = client_of("ana").post("/encounters/stages/new/", sent)

        assert response.status_code == 400
        assert not Stage.objects.filter(code="sign").exists()

    def test_what_there_is_not_cannot_be_changed(self, bank: dict[str, Unit]) -> None:
        assert client_of("ana").get("/encounters/stages/nothing/").status_code == 404
