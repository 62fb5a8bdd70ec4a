"""Pages and REST about whether those who answered stand for the customers."""

import json
from collections.abc import Iterator
from datetime import date

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.jobs.models import Job
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_channel, make_unit, make_user
from sqcore.tests.rest import get, make_key
from surveys.campaigns.models import Campaign
from surveys.representation.models import Population, Weighing
from surveys.tests.analyses.making import answer, take_in
from surveys.tests.factories import make_campaign
from surveys.tests.representation.making import known, weigh

pytestmark = pytest.mark.django_db

PAGE = "/surveys/questionnaires/visit/1/representation/"
NEW = "/surveys/populations/new/"


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def visits(bank: Unit) -> Campaign:
    counter, web = make_channel("counter"), make_channel("web")
    campaign = make_campaign(opens_on=date(2025, 1, 1))
    answer(campaign, bank, 90, channel_id=counter.pk, answers={"p1": 7, "p2": 7, "overall": 7})
    answer(campaign, bank, 30, channel_id=web.pk, answers={"p1": 2, "p2": 2, "overall": 2})
    take_in()
    return campaign


def client_of(role: Role, unit: Unit | None = None) -> Client:
    user = make_user(role.value)
    give_role(user, role, unit)
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


class TestThePage:
    def test_shows_both_results_and_what_differs(self, visits: Campaign) -> None:
        weigh(visits, known(channel={"counter": 50, "web": 50}))

        page = client_of(Role.ANALYST).get(PAGE).content.decode()

        for said in ("5.80", "4.50", "1.34", "Out of the interval", "+25.0", "Core system"):
            assert said in page

    def test_says_what_to_do_before_anything_was_weighed(self, visits: Campaign) -> None:
        page = client_of(Role.ANALYST).get(PAGE).content.decode()

        assert "Not compared yet" in page
        assert "Weigh the answers of a period" in page

    def test_the_analyst_weighs_a_period(self, visits: Campaign) -> None:
        population = known(channel={"counter": 50, "web": 50})

        response = client_of(Role.ANALYST).post(
            f"{PAGE}weigh/", {"period": "2025-Q4", "population": population.pk}
        )

        assert response.status_code == 302
        assert Job.objects.get().kind == "surveys.representation"

    def test_a_manager_of_a_unit_is_not_shown_it(self, visits: Campaign, bank: Unit) -> None:
        weigh(visits, known(channel={"counter": 50, "web": 50}))
        north = make_unit("north", parent=bank)
        client = client_of(Role.MANAGER, north)

        assert client.get(PAGE).status_code == 403
        assert client.post(f"{PAGE}weigh/").status_code == 403
        assert Job.objects.count() == 1

    def test_stands_on_the_page_of_the_campaign(self, visits: Campaign) -> None:
        weigh(visits, known(channel={"counter": 50, "web": 50}))

        page = (
            client_of(Role.ANALYST)
            .get(reverse("surveys:campaigns-detail", args=[visits.code]))
            .content.decode()
        )

        assert "Do those who answered stand for all customers?" in page
        assert PAGE in page


class TestPopulations:
    def test_are_stated_in_lines(self, visits: Campaign) -> None:
        response = client_of(Role.ANALYST).post(
            NEW,
            {
                "name": "Customers", "source": "Core system", "stated_on": "2025-12-31",
                "channel": "counter 400\nweb 600",
            },
        )  # fmt: skip

        assert response.status_code == 302
        population = Population.objects.get()
        assert population.figures == {"channel": {"counter": 400, "web": 600}}
        assert population.origin == Population.Origin.TYPED

    def test_come_from_a_file(self, visits: Campaign) -> None:
        file = SimpleUploadedFile(
            "p.csv", b"margin,code,number\nchannel,counter,4\nchannel,web,6\n"
        )

        client_of(Role.ANALYST).post(
            NEW,
            {"name": "C", "source": "Core", "stated_on": "2025-12-31", "file": file},
        )

        assert Population.objects.get().origin == Population.Origin.FILE

    def test_a_wrong_line_is_named(self, visits: Campaign) -> None:
        response = client_of(Role.ANALYST).post(
            NEW,
            {"name": "C", "source": "Core", "stated_on": "2025-12-31", "channel": "counter many"},
        )

        assert response.status_code == 400
        assert "must be a number, 0 or more" in response.content.decode()
        assert not Population.objects.exists()

    def test_are_listed_with_their_figures(
        self, visits: Campaign, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_of(Role.ANALYST)
        for _each in range(3):
            population = known(channel={"counter": 40, "web": 60})

        with django_assert_max_num_queries(15):
            page = client.get("/surveys/populations/").content.decode()

        assert page.count("Core system") == 3
        shown = client.get(f"/surveys/populations/{population.pk}/").content.decode()
        assert "60.0 %" in shown

    def test_without_encounters_nobody_can_be_counted(self, visits: Campaign) -> None:
        response = client_of(Role.ANALYST).post(
            "/surveys/populations/served/", {"period": "2025-Q4"}, follow=True
        )

        assert "nothing in it to compare" in response.content.decode()
        assert not Population.objects.exists()

    def test_are_for_who_runs_surveys(self, visits: Campaign, bank: Unit) -> None:
        client = client_of(Role.MANAGER, bank)

        for path in ("/surveys/populations/", NEW):
            assert client.get(path).status_code == 403


class TestOverRest:
    def test_gives_aggregates_with_remarks(self, visits: Campaign) -> None:
        weigh(visits, known(channel={"counter": 50, "web": 50}))

        response = get("weighings?instrument=visit", make_key(Permission.VIEW_RESULTS))

        found = json.loads(response.content)["results"]
        assert len(found) == 1
        assert (found[0]["period"], found[0]["n"], found[0]["population_source"]) == (
            "2025-Q4", 120, "Core system",
        )  # fmt: skip
        assert found[0]["found"]["deff"] == 1.34
        assert "weights" not in found[0]
        assert Weighing.objects.get().weights

    def test_a_token_of_one_unit_sees_nothing_of_the_whole(
        self, visits: Campaign, bank: Unit
    ) -> None:
        north = make_unit("north", parent=bank)
        weigh(visits, known(channel={"counter": 50, "web": 50}))

        response = get("weighings", make_key(Permission.VIEW_RESULTS, units=[north]))

        assert json.loads(response.content)["results"] == []
