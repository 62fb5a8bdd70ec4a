"""The report on a questionnaire: who sees it, what it says, how it is reached."""

from collections.abc import Iterator
from datetime import date

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.permissions import Role
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from surveys.analyses.models import Analysis
from surveys.campaigns.models import Campaign
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.analyses.making import Q4, YEAR, only, run
from surveys.tests.factories import make_campaign, make_version, raw_definition
from surveys.tests.validation.making import drawn
from surveys.validation.kinds import Validation

pytestmark = pytest.mark.django_db

REPORT = "/surveys/questionnaires/visit/1/soundness/"


@pytest.fixture(autouse=True)
def _validation() -> Iterator[None]:
    with only(Validation()):
        yield


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def campaign() -> Campaign:
    """A questionnaire of eight questions in two dimensions."""
    raw = raw_definition()
    raw["items"] = [
        {"code": f"{name}{at}", "dimension": dimension, "text": {"en": f"Question {name}{at}"}}
        for name, dimension in (("s", "speed"), ("c", "care"))
        for at in range(4)
    ]
    return make_campaign(version=make_version(raw), opens_on=date(2025, 1, 1))


def fill(campaign: Campaign, unit: Unit, people: int = 200) -> None:
    codes = [item.code for item in campaign.version.items.order_by("position")]
    responses = [
        NewResponse(
            answers=dict(zip(codes, row, strict=True)),
            unit_id=unit.pk,
            answered_on=date(2025, 11, 5),
        )
        for row in drawn(people).tolist()
    ]
    add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=NOW)


def client(role: Role, unit: Unit | None = None, name: str = "ana") -> Client:
    user = make_user(name)
    give_role(user, role, unit)
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def ana() -> Client:
    return client(Role.ANALYST)


class TestReport:
    @pytest.fixture(autouse=True)
    def _answers(self, campaign: Campaign, bank: Unit) -> None:
        fill(campaign, bank)
        run(campaign, Q4)
        run(campaign, YEAR)

    def test_answers_each_question_in_plain_words(self, ana: Client) -> None:
        page = ana.get(REPORT).content.decode()

        assert "6 of 6 questions about the questionnaire have a good answer." in page
        assert "In each dimension the questions tell of the same thing." in page
        assert "Were people attentive?" in page

    def test_names_its_thresholds_as_conventions(self, ana: Client) -> None:
        page = ana.get(REPORT).content.decode()

        assert "They are conventions, not laws of nature" in page
        assert "Hu, Bentler 1999" in page

    def test_shows_the_newest_period_and_any_other(self, ana: Client) -> None:
        newest = ana.get(REPORT).context["page"]
        chosen = ana.get(REPORT, {"period": "2025-Q4"}).context["page"]
        unknown = ana.get(REPORT, {"period": "1871"}).context["page"]

        assert [period.key for period in newest.periods] == ["2025", "2025-Q4"]
        assert (newest.period.key, chosen.period.key) == ("2025", "2025-Q4")
        assert unknown.period.key == "2025"

    def test_takes_few_queries_however_many_questions(
        self, ana: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ana.get(REPORT)

        with django_assert_num_queries(9):
            ana.get(REPORT)

    def test_can_be_read_in_chinese(self, ana: Client) -> None:
        assert ana.get(REPORT, headers={"Accept-Language": "zh-hans"}).status_code == 200

    def test_is_reached_from_the_questionnaire_and_the_campaign(self, ana: Client) -> None:
        questionnaire = ana.get("/surveys/questionnaires/visit/1/").content.decode()
        campaign = ana.get("/surveys/campaigns/visits/").content.decode()

        assert f'href="{REPORT}"' in questionnaire
        assert f'href="{REPORT}"' in campaign
        assert "6 of 6 questions about the questionnaire" in campaign


class TestWhoSees:
    def test_who_sees_all_results(self, campaign: Campaign) -> None:
        assert client(Role.HR).get(REPORT).status_code == 200

    def test_not_who_sees_one_branch(self, campaign: Campaign, bank: Unit) -> None:
        north = make_unit("north", parent=bank)
        fill(campaign, north)
        run(campaign)
        mei = client(Role.MANAGER, north, "mei")

        assert mei.get(REPORT).status_code == 403
        assert REPORT not in mei.get("/surveys/questionnaires/visit/1/").content.decode()

    def test_who_manages_the_whole_organisation_as_over_rest(
        self, campaign: Campaign, bank: Unit
    ) -> None:
        fill(campaign, bank)
        run(campaign)

        assert client(Role.MANAGER, bank, "hua").get(REPORT).status_code == 200

    def test_not_a_stranger(self, campaign: Campaign) -> None:
        assert Client().get(REPORT).status_code == 302


class TestNothingToShow:
    def test_before_the_first_report(self, campaign: Campaign, ana: Client) -> None:
        page = ana.get(REPORT)

        assert "No report yet" in page.content.decode()

    def test_a_questionnaire_without_perceptions_cannot_be_judged(self, ana: Client) -> None:
        raw = raw_definition("short")
        raw["items"] = raw["items"][-2:]
        raw["dimensions"] = []
        make_version(raw)

        page = ana.get("/surveys/questionnaires/short/1/soundness/").content.decode()

        assert "This questionnaire cannot be judged so" in page

    def test_a_draft_cannot_be_judged(self, ana: Client) -> None:
        make_version(publish=False)

        assert "cannot be judged so" in ana.get(REPORT).content.decode()

    def test_too_few_answers_say_why(self, campaign: Campaign, bank: Unit, ana: Client) -> None:
        fill(campaign, bank, 20)
        run(campaign)

        page = ana.get(REPORT).content.decode()

        assert "Nothing can be told yet" in page
        assert "Too few people answered" in page
        assert "20 answers" not in page

    def test_no_such_version(self, campaign: Campaign, ana: Client) -> None:
        assert ana.get("/surveys/questionnaires/visit/9/soundness/").status_code == 404


def test_only_the_whole_organisation_is_judged(campaign: Campaign, bank: Unit) -> None:
    north = make_unit("north", parent=bank)
    fill(campaign, north)

    run(campaign)

    assert [row.unit for row in Analysis.objects.all()] == [bank]
