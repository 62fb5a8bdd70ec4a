"""The page and the panels: who sees what, in which words, and what is said where nothing is."""

import json
import re
from dataclasses import replace
from datetime import date
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.stats.importance import Quadrant
from sqcore.tests.factories import (
    NOW,
    TODAY,
    give_role,
    make_channel,
    make_unit,
    make_user,
)
from sqcore.tests.pages import faults_of
from surveys.analyses.api import analysis_row
from surveys.analyses.models import Analysis
from surveys.drivers.kinds import DriversKind
from surveys.drivers.pages import MattersPage, Nothing, matters_page
from surveys.drivers.panels import StrongestDriversPanel
from surveys.drivers.queries import Asked, latest_drivers
from surveys.drivers.reading import Reading, reading_of
from surveys.drivers.wording import cautions, explained, first_steps, percents
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.analyses.making import only, run
from surveys.tests.drivers.making import (
    CODES,
    make_analysis,
    make_kano,
    planted,
    raw_kano,
    raw_visit,
)
from surveys.tests.factories import analyst, make_campaign, make_version

pytestmark = pytest.mark.django_db

SPEED, CARE = [0.9, 0.3, 0.0], [0.3, 0.9, 0.0]
URL = "/what-matters/"


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def north(bank: Unit) -> Unit:
    return make_unit("north", parent=bank)


@pytest.fixture
def south(bank: Unit) -> Unit:
    return make_unit("south", parent=bank)


@pytest.fixture
def version() -> InstrumentVersion:
    return make_version(raw_visit())


def manager(username: str, unit: Unit | None) -> User:
    user = make_user(username)
    give_role(user, Role.MANAGER, unit)
    return user


def seen_by(user: User) -> Principal:
    return principal_for(user, on=TODAY)


def page_for(principal: Principal, **asked: str) -> MattersPage:
    page = matters_page(principal=principal, asked=Asked(**asked))
    assert isinstance(page, MattersPage)
    return page


def told(page: MattersPage, at: int = 0) -> Reading:
    found = page.sides[at].reading
    assert found is not None
    return found


def html_of(user: User, url: str = URL) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == 200
    return unescape(re.sub(r"\s+", " ", response.content.decode()))


class TestWhoSeesWhat:
    def test_the_analyst_sees_every_group_the_whole_first(
        self, version: InstrumentVersion, bank: Unit, north: Unit
    ) -> None:
        phone = make_channel("phone")
        make_analysis(version, north, CARE)
        make_analysis(version, bank, SPEED)
        make_analysis(version, bank, SPEED, margin="channel", margin_value=phone.code)

        page = page_for(analyst())

        assert [group.key for group in page.chosen.groups] == [
            "unit:bank",
            "unit:north",
            "channel:phone",
        ]
        assert page.chosen.group.key == "unit:bank"

    def test_a_manager_sees_their_own_branch_and_nothing_of_the_whole(
        self, version: InstrumentVersion, bank: Unit, north: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)
        make_analysis(version, north, CARE)

        page = page_for(seen_by(manager("mei", north)), of="unit:bank", against="unit:bank")

        assert [group.key for group in page.chosen.groups] == ["unit:north"]
        assert page.chosen.against is None
        assert told(page).drivers[0].name == "Care"

    def test_a_manager_from_elsewhere_sees_nothing(
        self, version: InstrumentVersion, bank: Unit, north: Unit, south: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)
        make_analysis(version, north, CARE)
        chen = manager("chen", south)

        assert matters_page(principal=seen_by(chen), asked=Asked()) == Nothing(is_asked_for=True)
        html = html_of(chen, f"{URL}?of=unit:north")
        assert "Not enough has been answered yet" in html
        assert "Care" not in html

    def test_who_may_see_no_results_is_refused(self, version: InstrumentVersion) -> None:
        client = Client()
        client.force_login(make_user("nobody"))

        assert client.get(URL).status_code == 403

    def test_the_page_needs_a_log_in(self) -> None:
        assert Client().get(URL).status_code == 302


class TestThePage:
    def test_says_what_counts_in_words_with_its_interval(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)

        html = html_of(manager("mei", bank))

        assert faults_of(html) == []
        reading = told(page_for(analyst()))
        assert reading.drivers[0].name == "Speed"
        assert f"It makes up {percents(reading.drivers[0].share)} of what explains" in html
        assert "Together they explain" in html
        assert "need not be cause and effect" in html

    def test_names_the_cross_and_draws_uncertain_places_open(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)

        side = page_for(analyst()).sides[0]

        assert side.reading is not None
        assert side.figure is not None
        assert side.reading.cross is not None
        named = [each["text"] for each in side.figure.layout["annotations"]]
        assert f"mean {side.reading.cross[0]:.1f}" in named
        assert "mean 33.3 %" in named
        assert {"improve first", "keep it up", "can wait", "enough is done"} <= set(named)
        discs = {
            trace["marker"]["color"]: trace["text"]
            for trace in side.figure.traces
            if "text" in trace
        }
        certain = [str(d.rank) for d in side.reading.drivers if d.is_certain]
        open_ = [str(d.rank) for d in side.reading.drivers if not d.is_certain]
        assert discs.get("--series-1", []) == certain
        assert discs.get("--surface", []) == open_
        assert len(side.figure.rows) == 3
        json.dumps(side.figure.payload, allow_nan=False)

    def test_two_groups_stand_side_by_side_with_the_same_numbers(
        self, version: InstrumentVersion, bank: Unit, north: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)
        make_analysis(version, north, CARE, seed=8)

        page = page_for(analyst(), of="unit:north", against="unit:bank")

        assert [side.group.name for side in page.sides] == ["North", "Bank"]
        assert [(d.rank, d.name) for d in told(page, 0).drivers] == [
            (1, "Care"), (2, "Speed"), (3, "Rooms"),
        ]  # fmt: skip
        assert [(d.rank, d.name) for d in told(page, 1).drivers] == [
            (1, "Care"), (2, "Speed"), (3, "Rooms"),
        ]  # fmt: skip
        assert [(line.name, line.verdict) for line in page.compared] == [
            ("Care", "clearly counts more here"),
            ("Speed", "clearly counts less here"),
            ("Rooms", "no clear difference"),
        ]

    def test_says_what_bad_costs_and_good_brings_and_what_would_change_it(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, size=800)

        html = html_of(manager("mei", bank))

        assert "What bad costs, what good brings: " in html
        assert "Judged low: −" in html
        assert "answers would tell it from 0." in html
        assert "difference in the outcome, in points" in html, "the picture"
        assert faults_of(html) == []

    def test_an_ordinal_regression_checks_the_order(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, size=800)

        side = page_for(analyst()).sides[0]

        assert side.agreement == (
            "An ordinal regression puts “Speed” first as well. "
            "Of 3 pairs 3 stand in the same order."
        )
        assert [(line.place, line.place_by_share) for line in side.odds] == [
            *(("1", 1), ("2", 2), ("3", 3))
        ]
        assert "A check of the order" in html_of(manager("mei", bank))

    def test_an_order_that_differs_is_called_open(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        row = make_analysis(version, bank, SPEED, size=800)
        first, second, _third = row.found["outcomes"][0]["levels"][0]["drivers"]
        first["odds_place"], second["odds_place"] = 2, 1
        first["alike_p"] = row.found["outcomes"][0]["levels"][0]["ordinal"]["alike"]["p"] = 0.001
        row.save()

        side = page_for(analyst()).sides[0]

        assert side.agreement.startswith(
            "An ordinal regression puts “Care” first, not “Speed”: take as open which"
        )
        assert side.agreement.endswith("Of 3 pairs 2 stand in the same order.")
        assert side.steps_alike.endswith("The steps differ for “Speed”.")
        assert [line.differs for line in side.odds] == [True, False, False]

    def test_too_few_for_it_are_said(self, version: InstrumentVersion, bank: Unit) -> None:
        make_analysis(version, bank, SPEED, size=60)

        side = page_for(analyst()).sides[0]

        assert side.agreement.startswith("Too few people answered all of it for an ordinal")
        assert side.odds == []
        assert "A check of the order" in html_of(manager("mei", bank))

    def test_a_group_is_not_laid_beside_itself(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)

        assert len(page_for(analyst(), of="unit:bank", against="unit:bank").sides) == 1

    def test_another_outcome_and_the_questions_can_be_chosen(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)

        page = page_for(analyst(), outcome="nps", by="item")

        assert page.asked_outcome == "Recommend"
        assert [select.value for select in page.selects if select.name == "outcome"] == ["nps"]
        assert told(page).drivers[0].name.startswith("Question speed")
        assert [(level, current) for level, _title, current in page.tabs] == [
            ("dimension", False), ("item", True),
        ]  # fmt: skip

    def test_opens_with_the_newest_period(self, version: InstrumentVersion, bank: Unit) -> None:
        make_analysis(version, bank, SPEED, starts_on=date(2025, 7, 1))
        make_analysis(version, bank, CARE)
        make_analysis(version, bank, SPEED, grain="year", starts_on=date(2025, 1, 1))

        page = page_for(analyst())

        assert [period.key for period in page.chosen.periods] == ["2025-Q4", "2025", "2025-Q3"]
        assert told(page).drivers[0].name == "Care"
        assert told(page_for(analyst(), period="2025-Q3")).drivers[0].name == "Speed"

    @pytest.mark.parametrize(
        "query", ["period=never", "of=unit:", "of=planet:mars", "by=colour", "questionnaire=x"]
    )
    def test_an_address_that_asks_nonsense_gets_the_default(
        self, version: InstrumentVersion, bank: Unit, query: str
    ) -> None:
        make_analysis(version, bank, SPEED)

        assert "It makes up" in html_of(manager("mei", bank), f"{URL}?{query}")

    def test_costs_as_many_queries_for_many_groups_as_for_one(
        self,
        version: InstrumentVersion,
        bank: Unit,
        north: Unit,
        south: Unit,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for unit in (bank, north, south):
            make_analysis(version, unit, SPEED)
        ana = analyst()
        page_for(ana)  # the codebook and the fiscal year are remembered

        with django_assert_num_queries(6):
            page_for(ana, of="unit:north", against="unit:bank").compared  # noqa: B018 - reads it


class TestWhatIsSaidWhereNothingIs:
    def test_no_questionnaire_that_asks_for_an_outcome(self, bank: Unit) -> None:
        make_version(raw_visit(outcome=False))

        html = html_of(manager("mei", bank))

        assert "No questionnaire asks for the outcome" in html

    def test_no_closed_quarter(self, version: InstrumentVersion, bank: Unit) -> None:
        html = html_of(manager("mei", bank))

        assert "Not enough has been answered yet" in html
        assert "every group of 100 answers or more" in html

    def test_fewer_than_a_hundred_answers(
        self, version: InstrumentVersion, bank: Unit, north: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)
        make_analysis(version, north, None)

        page = page_for(analyst(), of="unit:north", against="unit:bank")

        assert page.sides[0].why.startswith("Fewer than 100 people answered")
        assert page.sides[1].reading is not None
        assert page.compared == []
        html = html_of(manager("mei", bank), f"{URL}?of=unit:north")
        assert "Fewer than 100 people answered" in html
        assert "It makes up" not in html


class TestWords:
    @pytest.fixture
    def reading(self, version: InstrumentVersion, bank: Unit) -> Reading:
        found = reading_of(make_analysis(version, bank, SPEED), "overall", "dimension")
        assert found is not None
        return found

    def test_what_is_important_and_weak_for_certain_comes_first(self, reading: Reading) -> None:
        placed = self.with_places(reading, Quadrant.CONCENTRATE, is_certain=True)

        assert first_steps(placed) == (
            "Improve “Speed” first: it counts more than the others and is judged lower."
        )

    def test_what_is_not_certain_is_said_so(self, reading: Reading) -> None:
        placed = self.with_places(reading, Quadrant.CONCENTRATE, is_certain=False)

        assert "but the intervals do not settle it" in first_steps(placed)

    def test_without_anything_weak_the_strongest_is_to_be_kept(self, reading: Reading) -> None:
        placed = self.with_places(reading, Quadrant.KEEP_UP, is_certain=True)

        assert first_steps(placed) == (
            "Nothing is both important and weak. Keep “Speed” as good as it is: it counts most."
        )

    def test_says_whether_it_is_settled_which_counts_most(
        self, version: InstrumentVersion, north: Unit, reading: Reading
    ) -> None:
        even = reading_of(make_analysis(version, north, [0.5, 0.5, 0.5]), "overall", "dimension")

        assert even is not None
        assert "not settled" in explained(even, "All in all")
        assert "not settled" not in explained(reading, "All in all")

    def test_warns_of_what_repeats_each_other_and_of_who_left_out(self, reading: Reading) -> None:
        said = " ".join(cautions(replace(reading, repeat_each_other=True, left_out=1)))

        assert "their order is unsteady" in said
        assert "1 person left out" in said
        assert len(cautions(reading)) == 1

    @staticmethod
    def with_places(reading: Reading, quadrant: Quadrant, *, is_certain: bool) -> Reading:
        first, *others = reading.drivers
        placed = replace(first, quadrant=quadrant, is_certain=is_certain)
        rest = [replace(each, quadrant=Quadrant.LOW_PRIORITY) for each in others]
        return replace(reading, drivers=[placed, *rest])


class TestKano:
    def test_says_what_delights_and_how_many_see_it_so(self, bank: Unit) -> None:
        wishes = make_version(raw_kano())
        make_kano(wishes, bank, [(1, 3)] * 80 + [(1, 5)] * 20)

        page = page_for(analyst())
        html = html_of(manager("mei", bank))

        line = page.wanted[0].lines[0]
        assert page.sides == []
        assert line.said is not None
        assert (line.wanted.name, line.said.title) == ("Tea", "delights")
        assert line.text == "71 to 87 % of 100 people see it so."
        assert "delights" in html
        assert faults_of(html) == []

    def test_too_few_pairs_are_said(self, bank: Unit) -> None:
        make_kano(make_version(raw_kano()), bank, [(1, 3)] * 49)

        html = html_of(manager("mei", bank))

        assert "Fewer than 50 people answered here" in html


class TestPanels:
    def test_show_the_three_strongest_of_the_highest_unit_that_one_sees(
        self, version: InstrumentVersion, bank: Unit, north: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, size=500)
        make_analysis(version, north, CARE, size=300)
        panel = StrongestDriversPanel()

        everything = panel.context(principal=analyst(), now=NOW, subject=None)
        mine = panel.context(principal=seen_by(manager("mei", north)), now=NOW, subject=None)

        assert everything is not None
        assert mine is not None
        assert self.strongest(everything) == ("bank", ["Speed", "Care", "Rooms"])
        assert self.strongest(mine) == ("north", ["Care", "Speed", "Rooms"])

    def test_show_a_unit_on_its_page_with_a_way_to_all_of_it(
        self, version: InstrumentVersion, bank: Unit, north: Unit
    ) -> None:
        make_analysis(version, bank, SPEED)
        make_analysis(version, north, CARE)

        shown = StrongestDriversPanel().context(principal=analyst(), now=NOW, subject=north)

        assert shown is not None
        query = shown["strongest"].query  # type: ignore[attr-defined]  # of our own panel
        html = html_of(manager("mei", bank), f"{reverse('surveys:drivers-matters')}?{query}")
        assert '<option value="unit:north" selected>' in html

    def test_in_a_review_are_the_newest_that_were_over_by_its_end(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, starts_on=date(2025, 7, 1))
        make_analysis(version, bank, CARE, starts_on=date(2025, 10, 1))
        principal = analyst()

        def first_by(end: date) -> str:
            found = latest_drivers(principal, unit=bank, by=end)
            return "" if found is None else str(found.starts_on)

        assert first_by(date(2026, 1, 1)) == "2025-10-01"
        assert first_by(date(2025, 12, 31)) == "2025-07-01"
        assert first_by(date(2025, 9, 30)) == ""

    def test_are_not_shown_to_outsiders_or_where_nothing_was_found(
        self, version: InstrumentVersion, bank: Unit, north: Unit, south: Unit
    ) -> None:
        make_analysis(version, north, CARE)
        make_analysis(version, south, None)
        panel, chen = StrongestDriversPanel(), seen_by(manager("chen", south))

        assert panel.context(principal=chen, now=NOW, subject=None) is None
        assert panel.context(principal=chen, now=NOW, subject=north) is None
        assert panel.context(principal=analyst(), now=NOW, subject=south) is None

    def test_cost_one_query(
        self,
        version: InstrumentVersion,
        bank: Unit,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        make_analysis(version, bank, SPEED)
        ana, panel = analyst(), StrongestDriversPanel()
        panel.context(principal=ana, now=NOW, subject=None)  # the codebook is remembered

        with django_assert_num_queries(1):
            panel.context(principal=ana, now=NOW, subject=None)

    @staticmethod
    def strongest(context: object) -> tuple[str, list[str]]:
        found = context["strongest"]  # type: ignore[index]  # of our own panel
        return found.row.unit.code, [line.driver.name for line in found.lines]


def test_answers_become_what_the_page_and_the_rest_interface_tell(
    bank: Unit, north: Unit, version: InstrumentVersion
) -> None:
    campaign = make_campaign(version=version, opens_on=date(2025, 1, 1))
    codes = [*CODES, "overall", "nps"]
    responses = [
        NewResponse(
            answers=dict(zip(codes, row, strict=True)),
            unit_id=north.pk,
            answered_on=date(2025, 11, 5),
        )
        for row in planted(130, SPEED).tolist()
    ]
    add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=NOW)
    with only(DriversKind()):
        run(campaign)

    rows = Analysis.objects.order_by("id")

    assert [(row.unit.code, row.n, row.status) for row in rows] == [
        ("bank", 130, "ok"),
        ("north", 130, "ok"),
    ]
    assert told(page_for(analyst())).drivers[0].name == "Speed"
    with only(DriversKind()):
        sent = json.loads(json.dumps(analysis_row(rows[0], 1)["found"], allow_nan=False))
    driver = sent["outcomes"][0]["levels"][0]["drivers"][0]
    assert (driver["code"], driver["of"], driver["sign"]) == ("speed", "dimension", 1)
    assert {"share", "performance", "quadrant", "is_certain", "penalty", "reward"} <= set(driver)
