"""Quality, Unit, Indicator and Home: what each person sees, with exact numbers."""

import csv
import io
import re
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.files.writing import harmless
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.org.models import Unit
from sqcore.tests.factories import give_role, make_channel, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import make_run, make_system, make_value

pytestmark = pytest.mark.django_db


def leaf(code: str, *, statistic: str = "mean") -> IndicatorDefinition:
    return IndicatorDefinition(
        code=code,
        name={"en": code.replace("-", " ").title()},
        definition={"en": f"What customers say about {code}."},
        unit_of_measure="points",
        direction="higher",
        statistic=statistic,
        source="surveys",
        measure=code,
        weight=1.0,
        worst=0.0 if statistic == "proportion" else 1.0,
        best=1.0 if statistic == "proportion" else 7.0,
    )


DEFINITION = SystemDefinition(
    system="service",
    name={"en": "Service"},
    version=1,
    dimensions=(
        DimensionDefinition(
            "reliability", {"en": "Reliability"}, 0.6, (), (leaf("kept-promises"),)
        ),
        DimensionDefinition(
            "empathy", {"en": "Empathy"}, 0.4, (), (leaf("listened", statistic="proportion"),)
        ),
    ),
)


class Bank:
    """A bank with two regions and a branch each, evaluated in January and February 2026."""

    def __init__(self) -> None:
        self.system: IndicatorSystem = make_system()
        self.root = make_unit("bank")
        self.east, self.west = (
            make_unit("east", parent=self.root),
            make_unit("west", parent=self.root),
        )
        self.gate = make_unit("gate", parent=self.east)
        self.mill = make_unit("mill", parent=self.west)
        self.counter = make_channel("counter")
        self.january, self.february = self._run("2026-01"), self._run("2026-02")
        for unit in (self.root, self.east, self.west, self.gate, self.mill):
            for run in (self.january, self.february):
                self.tell(run, unit)

    def _run(self, period: str) -> EvaluationRun:
        run = make_run(self.system, period)
        run.definition = DEFINITION.as_json()
        run.policy = {"smallest_group": 5, "coverage": 0.6, "confidence": 0.95}
        run.tree = {
            str(self.root.pk): None,
            str(self.east.pk): self.root.pk,
            str(self.west.pk): self.root.pk,
            str(self.gate.pk): self.east.pk,
            str(self.mill.pk): self.west.pk,
        }
        run.save()
        return run

    def tell(self, run: EvaluationRun, unit: Unit) -> None:
        make_value(run, unit)
        for code in ("reliability", "empathy"):
            make_value(run, unit, kind="dimension", code=code)
        make_value(
            run, unit, kind="indicator", code="kept-promises", value=5.2, low=5.08, high=5.32
        )
        make_value(run, unit, kind="indicator", code="listened", value=0.7, low=0.68, high=0.72)

    def change(self, run: EvaluationRun, unit: Unit, code: str, **over: object) -> None:
        found = KpiValue.objects.get(run=run, unit=unit, code=code, margin="")
        KpiValue.objects.filter(pk=found.pk).update(**over)

    def hide(self, run: EvaluationRun, unit: Unit, status: str = "suppressed") -> None:
        nothing = dict.fromkeys(
            ("value", "low", "high", "score", "score_low", "score_high", "n", "coverage")
        )
        KpiValue.objects.filter(run=run, unit=unit).update(status=status, **nothing)


@pytest.fixture
def bank() -> Bank:
    return Bank()


def person(username: str, role: Role, unit: Unit | None = None) -> User:
    user = make_user(username)
    give_role(user, role, unit)
    return user


def page(user: User, path: str, *, status: int = 200) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(path)
    assert response.status_code == status, response.content
    html = response.content.decode()
    assert faults_of(html) == []
    return html


def words(html: str) -> str:
    """What a person reads, on one line."""
    shown = html[html.index("<main") : html.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())


class TestQuality:
    def test_answers_how_good_and_whether_it_changed(self, bank: Bank) -> None:
        bank.change(bank.february, bank.root, "composite", score=76, score_low=74, score_high=78)

        text = words(page(person("ana", Role.ANALYST), "/quality/"))

        assert "Bank · February 2026 76.0 of 100" in text
        assert "95 % interval 74.0 – 78.0 · 120 answers · 100 % of the weight measured" in text
        # 76 - 70 = 6, with a half width of sqrt(2² + 2²) = 2.8
        assert (
            "Clearly up by 6.0 since January 2026: the change lies between +3.2 and +8.8." in text
        )

    def test_does_not_call_a_step_within_its_interval_a_change(self, bank: Bank) -> None:
        bank.change(bank.february, bank.root, "composite", score=72, score_low=70, score_high=74)

        text = words(page(person("ana", Role.ANALYST), "/quality/"))

        assert "No clear change since January 2026: the change lies between −0.8 and +4.8." in text

    def test_says_how_many_changes_chance_alone_would_list(self, bank: Bank) -> None:
        bank.change(bank.february, bank.gate, "empathy", score=60, score_low=58, score_high=62)

        text = words(page(person("ana", Role.ANALYST), "/quality/"))

        assert "1 of 10 comparisons (units by dimensions) is a clear change since January" in text
        assert "chance alone would list about 0.5 of them" in text
        assert "down by 10.0 Gate · Empathy now 60.0 of 100" in text
        assert "take single lines as hints" in text

    def test_says_that_nothing_changed(self, bank: Bank) -> None:
        text = words(page(person("ana", Role.ANALYST), "/quality/"))

        assert "none of 10 comparisons (units by dimensions) is a clear change" in text

    def test_tells_how_sure_from_what_since_when(self, bank: Bank) -> None:
        text = words(page(person("ana", Role.ANALYST), "/quality/"))

        assert "95 % interval from the spread of what was counted" in text
        assert "120 answers. Source: Survey answers." in text
        assert "Indicator system “Service”, version 1." in text
        assert "Groups of fewer than 5 answers are not shown anywhere." in text
        assert f"Evaluation {bank.february.pk}, revision 1, of February 2026. Published" in text

    @pytest.mark.parametrize("status", ["suppressed", "insufficient"])
    def test_says_in_words_what_cannot_be_shown(self, bank: Bank, status: str) -> None:
        bank.hide(bank.february, bank.gate, status)

        html = page(person("li", Role.STAFF, bank.gate), "/quality/")

        said = {"suppressed": "too few answers to show", "insufficient": "not enough data"}[status]
        assert f"Gate · February 2026 {said}" in words(html)
        assert "of 100 95 %" not in words(html)

    def test_a_manager_sees_the_region_and_below(self, bank: Bank) -> None:
        text = words(page(person("mei", Role.MANAGER, bank.east), "/quality/"))

        assert "East · February 2026" in text
        assert "Gate" in text
        assert "West" not in text
        assert "Mill" not in text
        assert "none of 4 comparisons" in text

    def test_who_has_no_role_is_refused(self, bank: Bank) -> None:
        page(make_user("nobody"), "/quality/", status=403)

    def test_orders_units_by_score_and_by_change(self, bank: Bank) -> None:
        for unit, score in ((bank.gate, 75), (bank.mill, 65)):
            bank.change(
                bank.february, unit, "composite", score=score, score_low=score, score_high=score
            )
        ana = person("ana", Role.ANALYST)

        def order(key: str) -> list[str]:
            html = page(ana, f"/quality/?order={key}")
            return re.findall(r'href="/quality/units/([a-z]+)/\?', html)

        assert order("tree") == ["bank", "east", "gate", "west", "mill"]
        assert (order("score")[0], order("-score")[0]) == ("mill", "gate")
        assert (order("change")[0], order("-change")[0]) == ("mill", "gate")

    def test_in_the_order_of_scores_each_place_stands_with_its_ends(self, bank: Bank) -> None:
        for unit, score in ((bank.gate, 75), (bank.mill, 65)):
            bank.change(
                bank.february, unit, "composite", score=score, score_low=score - 9,
                score_high=score + 9,
            )  # fmt: skip
        ana = person("ana", Role.ANALYST)

        text = words(page(ana, "/quality/?order=-score"))

        assert "1 from 1 to 2" in text
        assert "2 from 1 to 2" in text
        assert "Places among 2 units without units below them here" in text
        assert "3 from" not in text
        assert "Places among" not in words(page(ana, "/quality/"))
        assert "Places among" not in words(page(ana, "/quality/?order=-change"))

    def test_equal_scores_share_a_place_and_one_without_interval_has_none(self, bank: Bank) -> None:
        bank.change(bank.february, bank.gate, "composite", score_low=None, score_high=None)
        ana = person("ana", Role.ANALYST)

        assert "Place" not in words(page(ana, "/quality/?order=-score"))

        below = make_unit("lake", parent=bank.west)
        bank.february.tree = {**bank.february.tree, str(below.pk): bank.west.pk}
        bank.february.save(update_fields=["tree"])
        bank.tell(bank.february, below)
        text = words(page(ana, "/quality/?order=-score"))
        assert text.count("1 from 1 to 2") == 2

    def test_goes_back_and_forth_between_periods(self, bank: Bank) -> None:
        ana = person("ana", Role.ANALYST)

        assert "?period=2026-01" in page(ana, "/quality/")
        earlier = page(ana, "/quality/?period=2026-01")
        assert "Bank · January 2026" in words(earlier)
        assert "There is no result of December 2025 to compare with." in words(earlier)

    def test_an_unknown_period_is_not_there(self, bank: Bank) -> None:
        page(person("ana", Role.ANALYST), "/quality/?period=2020-01", status=404)

    def test_nonsense_in_the_address_gives_the_default(self, bank: Bank) -> None:
        html = page(person("ana", Role.ANALYST), "/quality/?grain=eon&order=%00&by=nothing")

        assert "Bank · February 2026 70.0 of 100" in words(html)

    def test_an_installation_without_results_says_so(self) -> None:
        assert "Nothing was evaluated here yet" in words(
            page(person("ana", Role.ANALYST), "/quality/")
        )

    def test_costs_no_more_with_more_units(
        self, bank: Bank, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = Client()
        client.force_login(person("mei", Role.MANAGER, bank.east))
        with django_assert_max_num_queries(15):
            client.get("/quality/")


class TestUnit:
    def test_shows_its_path_its_dimensions_and_who_manages_it(self, bank: Bank) -> None:
        mei = person("mei", Role.MANAGER, bank.east)

        html = page(mei, "/quality/units/gate/")

        assert "Quality East Gate Gate Managed by Mei (East)" in words(html)
        assert "Kept Promises 70.0 5.20" in words(html)
        assert "Listened 70.0 70.0 %" in words(html)

    def test_lists_the_units_below_it_alone(self, bank: Bank) -> None:
        html = page(person("ana", Role.ANALYST), "/quality/units/east/")

        table = html[html.index('id="units"') :]
        assert "/quality/units/gate/" in table
        assert "/quality/units/mill/" not in table

    def test_hides_from_an_analyst_who_manages_it(self, bank: Bank) -> None:
        person("mei", Role.MANAGER, bank.east)

        assert "Managed by" not in page(person("ana", Role.ANALYST), "/quality/units/gate/")

    def test_an_outsider_does_not_learn_that_there_is_one(self, bank: Bank) -> None:
        chen = person("chen", Role.MANAGER, bank.west)

        there, not_there = (
            page(chen, f"/quality/units/{code}/", status=404) for code in ("gate", "nowhere")
        )

        assert "70.0" not in there
        assert words(there) == words(not_there)

    def test_staff_compare_no_units(self, bank: Bank) -> None:
        assert "Units compared" not in page(person("li", Role.STAFF, bank.gate), "/quality/")

    def test_staff_see_their_own_unit_alone(self, bank: Bank) -> None:
        li = person("li", Role.STAFF, bank.gate)

        assert "Gate · February 2026 70.0 of 100" in words(page(li, "/quality/units/gate/"))
        page(li, "/quality/units/east/", status=404)

    def test_costs(self, bank: Bank, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
        client = Client()
        client.force_login(person("mei", Role.MANAGER, bank.east))
        with django_assert_max_num_queries(18):
            client.get("/quality/units/gate/")


class TestIndicator:
    def test_shows_the_series_in_natural_units_with_its_definition(self, bank: Bank) -> None:
        owner = make_user("hua")
        Indicator.objects.create(
            code="kept-promises", name={"en": "Kept Promises"}, source="surveys", owner=owner
        )

        text = words(page(person("ana", Role.ANALYST), "/quality/indicators/kept-promises/"))

        assert "February 2026 5.20 95 % interval 5.08 – 5.32 · 120 answers" in text
        assert "Definition What customers say about kept-promises." in text
        assert "1.00 is 0 points, 7.00 is 100 points" in text
        assert "100 % of Reliability, 60.0 % of overall quality" in text
        assert "Looked after by Hua" in text
        assert "January 2026 5.20 5.08 – 5.32 120" in text

    def test_shows_shares_in_percent(self, bank: Bank) -> None:
        text = words(page(person("ana", Role.ANALYST), "/quality/indicators/listened/"))

        assert "February 2026 70.0 % 95 % interval 68.0 – 72.0" in text

    def test_leaves_a_gap_where_there_is_too_little(self, bank: Bank) -> None:
        bank.hide(bank.january, bank.root)

        text = words(page(person("ana", Role.ANALYST), "/quality/indicators/composite/"))

        assert "January 2026 too few answers to show" in text
        assert "February 2026 70.0 68.0 – 72.0 120" in text

    def test_breaks_down_by_channel(self, bank: Bank) -> None:
        make_value(
            bank.february, bank.root, margin="channel", margin_value="counter", score=64.0,
            score_low=62.0, score_high=66.0,
        )  # fmt: skip

        text = words(
            page(person("ana", Role.ANALYST), "/quality/indicators/composite/?part=channel:counter")
        )

        assert "Bank · Channel: Counter · February 2026" in text
        assert "February 2026 64.0 95 % interval 62.0 – 66.0" in text

    def test_another_unit_is_not_there_for_an_outsider(self, bank: Bank) -> None:
        chen = person("chen", Role.MANAGER, bank.west)

        page(chen, "/quality/indicators/composite/?unit=gate", status=404)

    def test_an_unknown_code_is_not_there(self, bank: Bank) -> None:
        page(person("ana", Role.ANALYST), "/quality/indicators/charm/", status=404)

    def test_costs(self, bank: Bank, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
        client = Client()
        client.force_login(person("mei", Role.MANAGER, bank.east))
        with django_assert_max_num_queries(20):
            client.get("/quality/indicators/kept-promises/")


class TestFile:
    def rows(self, user: User, query: str = "") -> list[dict[str, str]]:
        client = Client()
        client.force_login(user)
        response = client.get(f"/quality/indicators/composite/series.csv{query}")
        assert response.status_code == 200
        return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))

    def test_holds_the_series_and_stands_in_the_ledger(self, bank: Bank) -> None:
        mei = person("mei", Role.MANAGER, bank.east)

        january, february = self.rows(mei)

        assert (january["period"], february["period"]) == ("2026-01", "2026-02")
        assert (february["unit"], february["score"], february["n"]) == ("east", "70.0", "120")
        entry = AuditEntry.objects.get(action="results.exported")
        assert (entry.actor, entry.subject) == (f"user:{mei.pk}", f"unit:{bank.east.pk}")
        assert entry.details["rows"] == 2

    def test_has_no_number_that_is_hidden(self, bank: Bank) -> None:
        bank.hide(bank.february, bank.east)

        february = self.rows(person("mei", Role.MANAGER, bank.east))[1]

        assert (february["status"], february["score"], february["n"]) == ("suppressed", "", "")

    def test_of_another_unit_is_refused_and_leaves_no_trace(self, bank: Bank) -> None:
        client = Client()
        client.force_login(person("chen", Role.MANAGER, bank.west))

        response = client.get("/quality/indicators/composite/series.csv?unit=gate")

        assert response.status_code == 404
        assert not AuditEntry.objects.filter(action="results.exported").exists()

    def test_never_holds_a_formula(self, bank: Bank) -> None:
        Unit.objects.filter(pk=bank.root.pk).update(name={"en": "=HYPERLINK(1)"})

        assert self.rows(person("ana", Role.ANALYST))[0]["unit_name"] == "'=HYPERLINK(1)"
        assert [harmless(cell) for cell in ("\t=1", "-1", -1.5, "a")] == ["'\t=1", "'-1", -1.5, "a"]


class TestHome:
    """It is made of the panels of all rooms, each with reads of its own."""

    def test_a_manager_sees_first_how_the_region_stands(self, bank: Bank) -> None:
        text = words(page(person("mei", Role.MANAGER, bank.east), "/"))

        assert "East · February 2026 70.0 of 100" in text
        assert "Health of the installation" not in text
        assert "Three steps" not in text

    def test_staff_see_their_unit(self, bank: Bank) -> None:
        assert "Gate · February 2026 70.0" in words(page(person("li", Role.STAFF, bank.gate), "/"))

    def test_an_administrator_sees_whether_the_installation_keeps_up(self, bank: Bank) -> None:
        text = words(page(person("ada", Role.ADMINISTRATOR), "/"))

        assert "Health of the installation Last evaluation 2 Mar 2026, 17:00" in text
        assert "Deliveries none waits" in text

    def test_an_empty_installation_shows_three_steps(self) -> None:
        ada = person("ada", Role.ADMINISTRATOR)
        User.objects.filter(pk=ada.pk).update(is_staff=True)

        html = page(ada, "/")

        assert "Three steps to the first result" in words(html)
        assert 'href="/surveys/"' in html
        assert 'href="/admin/"' in html

    def test_who_has_no_role_is_told_what_to_do(self) -> None:
        assert "Ask an administrator for a role" in words(page(make_user("nobody"), "/"))

    def test_costs(self, bank: Bank, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
        client = Client()
        client.force_login(person("mei", Role.MANAGER, bank.east))
        client.get("/")  # From now on the rules of the organisation are remembered.
        with django_assert_max_num_queries(21):
            client.get("/")


def test_pages_ask_for_the_log_in() -> None:
    for path in ("/", "/quality/", "/quality/units/gate/", "/quality/indicators/composite/"):
        assert Client().get(path).status_code == 302
