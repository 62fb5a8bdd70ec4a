"""The pages about surveys: who sees what, how much was answered, links and codes."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.base.text import day
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.queries import published_versions
from sqcore.org.models import Unit
from sqcore.tests.factories import (
    NOW,
    TODAY,
    give_role,
    make_channel,
    make_unit,
    make_user,
)
from sqcore.tests.pages import faults_of
from surveys.campaigns.models import Campaign, Link
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.factories import (
    make_campaign,
    make_link,
    make_ready_version,
    make_version,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def harbour(bank: Unit) -> Unit:
    return make_unit("harbour", parent=bank)


@pytest.fixture
def market(bank: Unit) -> Unit:
    return make_unit("market", parent=bank)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ana() -> Client:
    user = make_user("ana")
    give_role(user, Role.ANALYST)
    return logged_in(user)


@pytest.fixture
def mei(harbour: Unit) -> Client:
    user = make_user("mei")
    give_role(user, Role.MANAGER, harbour)
    return logged_in(user)


@pytest.fixture
def chen() -> Client:
    return logged_in(make_user("chen"))


def answers(campaign: Campaign, unit: Unit, count: int) -> None:
    given = NewResponse(answers={"p1": 4}, unit_id=unit.pk, answered_on=TODAY)
    responses = [NewResponse(**{**vars(given), "key": key}) for key in _keys(count)]
    add_responses(campaign=campaign, responses=responses, origin=Response.Origin.LINK, now=NOW)


def _keys(count: int) -> list[Any]:
    return [NewResponse({}, 0, TODAY).key for _ in range(count)]


class TestHome:
    def test_lists_what_takes_answers_today(self, ana: Client) -> None:
        version = make_version()
        make_campaign("spring", version=version, closes_on=TODAY)
        make_campaign("autumn", version=version, closes_on=TODAY + timedelta(days=1))
        make_campaign("winter", version=version, opens_on=TODAY + timedelta(days=1))
        make_campaign("always", version=version)

        panel = ana.get("/").content.decode().split('id="live"')[1].split("</section>")[0]

        assert re.findall("Spring|Autumn|Winter|Always", panel) == ["Always", "Autumn"]
        assert f"until {day(TODAY)}" in panel


class TestCampaigns:
    def test_are_listed_with_answers_in_steps(self, ana: Client, harbour: Unit) -> None:
        campaign = make_campaign()
        answers(campaign, harbour, 9)

        page = ana.get("/surveys/").content.decode()

        assert "5 or more" in page
        assert not re.search(r"\b9\b", page.split("<tbody>")[1])
        answers(campaign, harbour, 1)
        assert "10 or more" in ana.get("/surveys/").content.decode()

    def test_below_the_smallest_group_look_like_none(self, ana: Client, harbour: Unit) -> None:
        campaign = make_campaign()
        before = ana.get("/surveys/").content.decode().split("<tbody>")[1]

        answers(campaign, harbour, 4)

        assert ana.get("/surveys/").content.decode().split("<tbody>")[1] == before
        assert "fewer than 5" in before

    def test_can_be_chosen_by_state(self, ana: Client) -> None:
        version = make_version()
        make_campaign("spring", version=version)
        make_campaign("autumn", version=version, state=Campaign.State.CLOSED)

        page = ana.get("/surveys/?state=closed").content.decode()

        assert "Autumn" in page
        assert "Spring" not in page

    @pytest.mark.parametrize("query", ["state=<x>", "page=0", "page=%00", "page=99999999999999999"])
    def test_ignore_nonsense_in_the_address(self, ana: Client, query: str) -> None:
        make_campaign()

        assert ana.get(f"/surveys/?{query}").status_code == 200

    def test_tell_the_analyst_how_to_begin(self, ana: Client) -> None:
        page = ana.get("/surveys/").content.decode()

        assert "No campaign yet" in page
        assert "Start a campaign" in page

    def test_cost_the_same_queries_however_many(
        self, ana: Client, harbour: Unit, django_assert_num_queries: Any
    ) -> None:
        version = make_version()
        make_campaign("first", version=version)
        ana.get("/surveys/")

        with django_assert_num_queries(11):
            ana.get("/surveys/")
        for number in range(20):
            make_link(make_campaign(f"more-{number}", version=version), harbour)
        with django_assert_num_queries(11):
            ana.get("/surveys/")


class TestWhoSeesWhat:
    PAGES = ("", "sheet/", "preview/")

    def test_a_manager_sees_campaigns_at_their_units_and_their_links_only(
        self, mei: Client, harbour: Unit, market: Unit
    ) -> None:
        version = make_version()
        here = make_campaign("here", version=version)
        there = make_campaign("there", version=version)
        mine, other = make_link(here, harbour), make_link(here, market)
        make_link(there, market)

        listed = mei.get("/surveys/").content.decode()
        page = mei.get("/surveys/campaigns/here/").content.decode()
        sheet = mei.get("/surveys/campaigns/here/sheet/").content.decode()

        assert "Here" in listed
        assert "There" not in listed
        for text in (page, sheet):
            assert mine.token in text
            assert other.token not in text
        assert mei.get("/surveys/campaigns/there/").status_code == 404
        codes = "/surveys/campaigns/here/codes"
        assert mei.get(f"{codes}/{mine.token}.svg").status_code == 200
        assert mei.get(f"{codes}/{other.token}.svg").status_code == 404

    def test_a_manager_changes_nothing(self, mei: Client, harbour: Unit) -> None:
        campaign = make_campaign("here")
        link = make_link(campaign, harbour)

        page = mei.get("/surveys/campaigns/here/").content.decode()

        assert "Withdraw" not in page
        for path, data in (
            ("/surveys/new/", {}),
            ("/surveys/campaigns/here/state/", {"state": "closed"}),
            ("/surveys/campaigns/here/links/", {"everywhere": "on"}),
            (f"/surveys/campaigns/here/links/{link.token}/revoke/", {}),
        ):
            assert mei.post(path, data).status_code == 403
        assert Campaign.objects.get().state == Campaign.State.OPEN
        assert Link.objects.get().revoked_at is None

    @pytest.mark.parametrize(
        "path",
        [
            "/surveys/",
            "/surveys/new/",
            "/surveys/questionnaires/",
            "/surveys/questionnaires/visit/1/",
            "/surveys/campaigns/here/",
            "/surveys/campaigns/here/sheet/",
            "/surveys/campaigns/here/preview/",
            "/surveys/campaigns/here/links/",
        ],
    )
    def test_an_outsider_sees_nothing(self, chen: Client, harbour: Unit, path: str) -> None:
        make_link(make_campaign("here"), harbour)

        response = chen.get(path)

        assert response.status_code == 403
        assert "Here" not in response.content.decode()
        assert Client().get(path).status_code == 302


class TestCampaign:
    def test_shows_links_and_answers_by_unit(
        self, ana: Client, harbour: Unit, market: Unit
    ) -> None:
        campaign = make_campaign()
        links = [make_link(campaign, harbour, make_channel("counter")), make_link(campaign, market)]
        answers(campaign, harbour, 12)

        page = ana.get("/surveys/campaigns/visits/").content.decode()

        rows = page.split("<tbody>")[1].split("</tr>")
        assert "Harbour" in rows[0]
        assert "10 or more" in rows[0]
        assert f"/a/{links[0].token}/" in rows[0]
        assert "fewer than 5" in rows[1]
        assert f"/a/{links[1].token}/" in rows[1]

    def test_opens_and_closes(self, ana: Client) -> None:
        make_campaign(state=Campaign.State.DRAFT)

        opened = ana.post("/surveys/campaigns/visits/state/", {"state": "open"}, follow=True)
        assert "its links take answers" in opened.content.decode()
        assert Campaign.objects.get().state == Campaign.State.OPEN
        ana.post("/surveys/campaigns/visits/state/", {"state": "closed"})
        assert Campaign.objects.get().state == Campaign.State.CLOSED

    def test_withdraws_a_link_after_asking(self, ana: Client, harbour: Unit) -> None:
        link = make_link(make_campaign(), harbour)
        path = f"/surveys/campaigns/visits/links/{link.token}/revoke/"

        asked = ana.get(path).content.decode()
        assert "will take no more answers, for good" in asked
        assert Link.objects.get().revoked_at is None
        ana.post(path)

        assert Link.objects.get().revoked_at == NOW
        assert link.token not in ana.get("/surveys/campaigns/visits/").content.decode()

    def test_draws_the_code_of_the_full_address(
        self, ana: Client, harbour: Unit, settings: Any
    ) -> None:
        settings.BASE_URL = "https://quality.bank.test"
        link = make_link(make_campaign(), harbour)

        image = ana.get(f"/surveys/campaigns/visits/codes/{link.token}.svg")
        sheet = ana.get("/surveys/campaigns/visits/sheet/").content.decode()

        assert image["Content-Type"] == "image/svg+xml"
        assert image.content.startswith(b"<svg")
        assert f"https://quality.bank.test/a/{link.token}/" in sheet
        assert sheet.count("<svg") == 1

    def test_costs_the_same_queries_however_many_units(
        self, ana: Client, bank: Unit, django_assert_num_queries: Any
    ) -> None:
        campaign = make_campaign()
        make_link(campaign, bank)
        ana.get("/surveys/campaigns/visits/")

        with django_assert_num_queries(16):
            ana.get("/surveys/campaigns/visits/")
        for number in range(30):
            make_link(campaign, make_unit(f"u{number}", parent=bank))
        with django_assert_num_queries(16):
            ana.get("/surveys/campaigns/visits/")


class TestNewCampaign:
    def data(self, **over: Any) -> dict[str, Any]:
        fields = {
            "name_en": "How was it?",
            "name_zh-hans": "感觉怎么样？",
            "version": make_ready_version("short-form").pk,
            "mode": "anonymous",
            "opens_on": "2026-03-02",
            "last_on": "2026-03-31",
            "open_now": "on",
        }
        return fields | over

    def test_is_open_with_its_links(self, ana: Client, harbour: Unit, market: Unit) -> None:
        counter = make_channel("counter")

        ana.post("/surveys/new/", self.data(units=[harbour.pk, market.pk], channels=[counter.pk]))

        campaign = Campaign.objects.get()
        assert campaign.name == {"en": "How was it?", "zh-hans": "感觉怎么样？"}
        assert (campaign.opens_on, campaign.closes_on) == (date(2026, 3, 2), date(2026, 4, 1))
        assert campaign.state == Campaign.State.OPEN
        places = campaign.links.order_by("unit__code").values_list("unit__code", "channel__code")
        assert list(places) == [("harbour", "counter"), ("market", "counter")]

    def test_can_have_links_everywhere(self, ana: Client, harbour: Unit, market: Unit) -> None:
        harbour.closed_on = TODAY - timedelta(days=1)
        harbour.save()

        ana.post("/surveys/new/", self.data(everywhere="on"))

        units = Campaign.objects.get().links.order_by("unit__code")
        assert list(units.values_list("unit__code", flat=True)) == ["bank", "market"]

    @pytest.mark.parametrize(
        ("over", "words"),
        [
            ({"name_en": "", "name_zh-hans": ""}, "Give a name in at least one language."),
            ({"last_on": "2026-03-01"}, "The last day is before the first."),
            ({"opens_on": "31.13.2026"}, "Enter a valid date."),
            ({"version": "999"}, "Select a valid choice."),
            ({"mode": "secret"}, "Select a valid choice."),
            ({"units": ["999"]}, "Select a valid choice."),
            ({"name_en": "a\x00b"}, "Null characters are not allowed."),
            ({"mode": "identified", "everywhere": "on"}, "does not know who answers"),
        ],
    )
    def test_says_what_is_wrong_and_makes_nothing(
        self, ana: Client, harbour: Unit, over: dict[str, Any], words: str
    ) -> None:
        response = ana.post("/surveys/new/", self.data(**over))

        assert response.status_code == 400
        assert words in response.content.decode()
        assert not Campaign.objects.exists()

    def test_evaluates_a_questionnaire_that_nothing_judges(
        self, ana: Client, harbour: Unit
    ) -> None:
        ana.post("/surveys/new/", self.data(everywhere="on", judge="on"))

        [judged] = published_versions()
        assert judged.system.code == "short-form"
        assert judged.since == date(2026, 3, 2)
        assert "Evaluate these answers" not in ana.get("/surveys/new/").content.decode()

    def test_says_where_units_are_added_before_there_is_one(self, ana: Client) -> None:
        assert "An administrator adds them in Set-up." in ana.get("/surveys/new/").content.decode()

        ada = make_user("ada")
        give_role(ada, Role.ADMINISTRATOR)
        page = logged_in(ada).get("/surveys/new/").content.decode()
        assert 'href="/admin/sqcore/unit/add/"' in page
        assert 'name="opens_on"' not in page


class TestMoreLinks:
    def test_are_added_to_those_that_are_there(
        self, ana: Client, harbour: Unit, market: Unit
    ) -> None:
        old = make_link(make_campaign(), harbour)

        ana.post("/surveys/campaigns/visits/links/", {"units": [harbour.pk, market.pk]})

        assert Link.objects.count() == 2
        assert Link.objects.get(unit=harbour).token == old.token


class TestQuestionnaires:
    def test_are_listed_with_their_versions(self, ana: Client) -> None:
        make_ready_version("servqual")

        page = ana.get("/surveys/questionnaires/").content.decode()

        assert "Service quality, expected and perceived (SERVQUAL)" in page
        assert ">53<" in page

    def test_show_their_codebook_in_all_languages(self, ana: Client) -> None:
        make_ready_version("servqual")

        page = ana.get("/surveys/questionnaires/servqual/1/").content.decode()

        assert "The person who served me was glad to help." in page
        assert "为我服务的员工乐于帮助我。" in page
        assert "Responsiveness" in page
        assert page.count("The person who served<") == 12

    def test_that_are_not_there_are_not_found(self, ana: Client) -> None:
        assert ana.get("/surveys/questionnaires/servqual/1/").status_code == 404


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    "path",
    [
        "/surveys/",
        "/surveys/new/",
        "/surveys/questionnaires/",
        "/surveys/questionnaires/visit/1/",
        "/surveys/campaigns/visits/",
        "/surveys/campaigns/visits/links/",
        "/surveys/campaigns/visits/preview/",
    ],
)
def test_every_page_keeps_the_rules_of_pages(
    ana: Client, harbour: Unit, path: str, language: str
) -> None:
    make_link(make_campaign(), harbour, make_channel("counter"))

    response = ana.get(path, headers={"accept-language": language})

    assert response.status_code == 200
    assert faults_of(response.content.decode()) == []
