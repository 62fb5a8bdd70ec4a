"""The five gaps from the answers of customers, managers and staff to the page."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.permissions import Role
from sqcore.org.models import Unit
from sqcore.stats.results import Figure, MethodStatus
from sqcore.tests.factories import give_role, make_unit, make_user
from surveys.analyses.models import Analysis
from surveys.campaigns.models import Campaign
from surveys.gaps.kinds import CUSTOMERS, MANAGERS, STAFF
from surveys.gaps.pages import Amount
from surveys.tests.analyses.making import answer, run, take_in
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

DIMENSIONS = ("tangibles", "reliability", "responsiveness", "assurance", "empathy")


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


def campaign_of(code: str) -> Campaign:
    return make_campaign(version=make_ready_version(code), code=code)


def said(campaign: Campaign, **by_start: int) -> dict[str, int]:
    """The same answer to every scored item whose code begins so; the longest beginning counts."""
    codes = [item.code for item in campaign.version.items.order_by("position") if item.is_scored]
    found = {}
    for code in codes:
        starts = [start for start in by_start if code.startswith(start.replace("_", "-"))]
        if starts:
            found[code] = by_start[max(starts, key=len)]
    return found


def ask_all(bank: Unit, *, managers: int = 6, staff: int = 8) -> None:
    """Customers expect 6 and find 5; managers think that they expect 4 or 5; staff are torn."""
    visit = campaign_of("servqual")
    answer(visit, bank, 20, answers=said(visit, e=6, p=5))
    answer(visit, bank, 20, answers=said(visit, e=7, p=6))
    chiefs = campaign_of(MANAGERS)
    for believed, times in ((4, managers // 2), (5, managers - managers // 2)):
        given = said(chiefs, e=believed, standards=5, promises=6, research=2, upward=6, levels=6)
        answer(chiefs, bank, times, answers=given)
    front = campaign_of(STAFF)
    given = said(front, standards=6, promises=4, teamwork=6, role_conflict=6, propensity=6)
    answer(front, bank, staff, answers=given)
    take_in()
    for campaign in (visit, chiefs, front):
        run(campaign)


def found(kind: str) -> Mapping[str, Any]:
    values: Mapping[str, Any] = Analysis.objects.get(kind=kind, status="ok").found
    return values


def as_manager(client: Client, unit: Unit) -> Client:
    mei = make_user("mei")
    give_role(mei, Role.MANAGER, unit)
    client.force_login(mei)
    return client


def test_what_too_few_answered_was_asked_all_the_same() -> None:
    amount = Amount("Empathy", Figure.none(MethodStatus.NOT_APPLICABLE))

    assert amount.why_not.startswith("Too few people answered")


class TestKinds:
    @pytest.mark.parametrize("by", [1, 4])
    def test_what_fewer_than_five_managers_answered_says_nothing(self, bank: Unit, by: int) -> None:
        chiefs = campaign_of(MANAGERS)
        full = said(chiefs, e=4, standards=5, promises=6, research=2, upward=6, levels=6)
        few = [code for code in full if code.startswith("research")]
        few += [item.code for item in chiefs.version.items.filter(dimension="empathy")]
        assert "standards-empathy" in few
        assert "e18" in few
        answer(chiefs, bank, by, answers=full)
        rest = {code: value for code, value in full.items() if code not in few}
        answer(chiefs, bank, 6 - by, answers=rest)
        take_in()
        run(chiefs)

        values = found(MANAGERS)
        nothing = {"value": None, "low": None, "high": None, "n": 0, "status": "insufficient_n"}
        for key in ("standards", "communication"):
            assert [each["n"] for each in values[key]["dimensions"]] == [6, 6, 6, 6, 0]
            assert values[key]["dimensions"][4] == nothing
        assert values["expectations"]["n"] == [6, 6, 6, 6, 0]
        assert values["expectations"]["mean"] == [4.0, 4.0, 4.0, 4.0, 0.0]
        causes = {each["cause"]: each for each in values["causes"]["1"]}
        assert causes["research_orientation"] == {
            "cause": "research_orientation",
            "speaks": False,
            **nothing,
        }

    def test_each_side_is_found_from_its_own_questionnaire(self, bank: Unit) -> None:
        ask_all(bank)

        customers, managers, staff = found(CUSTOMERS), found(MANAGERS), found(STAFF)
        assert customers["dimensions"] == list(DIMENSIONS)
        assert customers["expectations"]["mean"] == [6.5] * 5
        assert customers["service"]["overall"]["value"] == -1.0
        assert managers["expectations"]["mean"] == [4.5] * 5
        assert managers["standards"]["overall"]["value"] == -2.0
        assert staff["delivery"]["overall"]["value"] == -1.0
        assert staff["communication"]["overall"]["value"] == -3.0

    def test_causes_are_turned_so_that_below_the_middle_is_bad(self, bank: Unit) -> None:
        ask_all(bank)

        by_cause = {each["cause"]: each for each in found(MANAGERS)["causes"]["1"]}
        assert by_cause["research_orientation"]["value"] == -2.0
        assert by_cause["levels_of_management"]["value"] == -2.0
        assert by_cause["levels_of_management"]["speaks"]
        # Two questions are agreed with, the third is reversed: (6 + 6 + 2) / 3 - 4.
        assert by_cause["upward_communication"]["value"] == pytest.approx(2 / 3)
        conflict = next(c for c in found(STAFF)["causes"]["3"] if c["cause"] == "role_conflict")
        assert conflict["value"] == -2.0

    def test_four_managers_are_too_few(self, bank: Unit) -> None:
        ask_all(bank, managers=4)

        row = Analysis.objects.get(kind=MANAGERS)
        assert (row.status, row.n, row.found) == ("insufficient_n", None, {})


class TestPage:
    def test_shows_all_five_with_their_intervals(self, client: Client, bank: Unit) -> None:
        ask_all(bank)

        page = as_manager(client, bank).get("/gaps/").context["page"]

        shown = [(line.number, line.overall.value, line.tone) for line in page.lines]
        assert shown == [
            (1, "−2.00", "bad"),
            (2, "−2.00", "bad"),
            (3, "−1.00", "bad"),
            (4, "−3.00", "bad"),
            (5, "−1.00", "bad"),
        ]
        assert page.lines[0].overall.figure.n == 6
        assert page.widest.number == 4
        assert page.lines[3].aside.startswith("Managers say −1.00")

    def test_says_what_is_missing_and_who_can_ask(self, client: Client, bank: Unit) -> None:
        visit = campaign_of("servqual")
        answer(visit, bank, 40, answers=said(visit, e=6, p=5))
        take_in()
        run(visit)
        make_ready_version(MANAGERS)
        ana = make_user("ana")
        give_role(ana, Role.ANALYST)
        client.force_login(ana)

        response = client.get("/gaps/")

        page = response.context["page"]
        assert [line.number for line in page.lines if line.missing] == [1, 2, 3, 4]
        assert page.lines[4].overall.value == "−1.00"
        assert [title for title, _pk in page.to_ask] == [
            "What managers think and set (gaps 1, 2, 4)"
        ]

    def test_shows_nothing_of_a_whole_that_the_reader_does_not_see(
        self, client: Client, bank: Unit
    ) -> None:
        branch = make_unit("branch", parent=bank)
        ask_all(bank)

        page = as_manager(client, branch).get("/gaps/").context["page"]

        assert all(line.missing for line in page.lines)

    def test_asks_few_questions_of_the_database(
        self, client: Client, bank: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ask_all(bank)
        as_manager(client, bank).get("/gaps/")

        with django_assert_num_queries(11):
            client.get("/gaps/")

    def test_empty_installation_says_so(self, client: Client) -> None:
        page = as_manager(client, make_unit("bank")).get("/gaps/").context["page"]

        assert all(line.missing for line in page.lines)
        assert page.end == ""
