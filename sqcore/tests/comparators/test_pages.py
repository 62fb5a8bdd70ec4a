"""The pages of competitors and the market, and their place on the pages of results."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.comparators.models import Comparator, ComparatorValue, ForeignName
from sqcore.comparators.pages import as_entered
from sqcore.comparators.rules import reading
from sqcore.comparators.services import change_comparator, withdraw_value
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.permissions import Role
from sqcore.indicators.models import Indicator
from sqcore.org.models import Unit
from sqcore.tests.comparators.making import (
    SYSTEM,
    evaluated,
    figure,
    leaf,
    make_comparator,
    make_indicator,
    reached,
    system_of,
)
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import make_system, make_value

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


SAID = {
    "starts_on": "2025-01-01", "last_on": "2025-12-31", "value": "88 %", "low": "86 %",
    "high": "0.9", "source": "Yearbook of banks",
}  # fmt: skip


class TestTheList:
    def test_is_empty_at_first_and_says_what_to_do(self) -> None:
        html = shown(client(Role.ANALYST), "/comparators/")

        assert "Nobody to compare with yet" in html
        assert "/comparators/who/new/" in html

    def test_shows_each_value_with_its_source(self) -> None:
        market, solved = make_comparator(), make_indicator()
        reached(market, solved, 0.88, low=0.86, high=0.9, published_on=date(2026, 2, 1))

        html = shown(client(Role.ANALYST), "/comparators/")

        for text in ("88 %", "86 % – 90 %", "2025", "Yearbook of banks, published 1 Feb 2026"):
            assert text in html

    def test_is_filtered_by_indicator_kind_and_day(self) -> None:
        market, rival = make_comparator(), make_comparator("rival", "competitor")
        solved, seen = make_indicator(), make_indicator("seen")
        reached(market, solved, 0.11)
        reached(rival, solved, 0.22)
        reached(rival, seen, 0.33, starts_on=date(2024, 1, 1), ends_on=date(2025, 1, 1))
        ana = client(Role.ANALYST)

        def values(query: str) -> list[str]:
            html = shown(ana, f"/comparators/?{query}")
            return [text for text in ("11 %", "22 %", "33 %") if text in html]

        assert values("") == ["11 %", "22 %", "33 %"]
        assert values("indicator=solved") == ["11 %", "22 %"]
        assert values("kind=competitor") == ["22 %", "33 %"]
        assert values("comparator=market") == ["11 %"]
        assert values("on=2024-05-01") == ["33 %"]
        assert values("kind=nonsense&on=31.12.") == ["11 %", "22 %", "33 %"]

    def test_costs_the_same_however_long_it_is(self) -> None:
        solved, ana = make_indicator(), client(Role.ANALYST)
        reached(make_comparator("first"), solved, 0.5)
        counts = []
        for step in range(2):
            with CaptureQueriesContext(connection) as queries:
                shown(ana, "/comparators/")
            counts.append(len(queries))
            for number in range(20 * (1 - step)):
                reached(make_comparator(f"other-{number}"), solved, 0.5)

        assert counts[0] == counts[1]
        assert counts[0] <= 12

    def test_is_read_by_everybody_with_results_and_changed_by_few(self) -> None:
        made = reached(make_comparator(), make_indicator(), 0.88)
        north = make_unit("north")
        li = client(Role.STAFF, north, "li")

        html = shown(li, "/comparators/")
        assert "Write a value down" not in html
        assert "Withdraw" not in shown(li, f"/comparators/values/{made.pk}/")
        for path in ("new/", "who/new/", "names/", f"values/{made.pk}/revise/"):
            assert li.get(f"/comparators/{path}").status_code == 403
        assert (
            li.post(f"/comparators/values/{made.pk}/withdraw/", {"because": "No"}).status_code
            == 403
        )
        assert not ComparatorValue.objects.get().is_withdrawn


class TestChanging:
    def test_somebody_is_added_and_changed(self) -> None:
        ana = client(Role.ANALYST)

        ana.post(
            "/comparators/who/new/", {"code": "rival", "name_en": "Rival", "kind": "competitor"}
        )
        ana.post("/comparators/who/of/rival/", {"name_en": "The rival", "kind": "best"})

        rival = Comparator.objects.get()
        assert (str(rival), rival.kind, rival.is_active) == ("The rival", "best", False)
        html = shown(ana, "/comparators/who/")
        assert "The rival" in html
        assert "not shown" in html

    def test_a_value_is_written_down_as_people_write_numbers(self) -> None:
        market, solved, ana = make_comparator(), make_indicator(), client(Role.ANALYST)
        shown(ana, "/comparators/new/?indicator=solved")

        answer = ana.post(
            "/comparators/new/", {**SAID, "comparator": market.pk, "indicator": solved.pk}
        )

        value = ComparatorValue.objects.get()
        assert answer["Location"] == f"/comparators/values/{value.pk}/"
        assert (value.value, value.low, value.high) == (0.88, 0.86, 0.9)
        assert value.ends_on == date(2026, 1, 1)
        assert value.recorded_by.startswith("user:")

    @pytest.mark.parametrize(
        ("over", "said"),
        [
            ({"value": "88"}, "88 is no share from 0 to 1"),
            ({"value": "much"}, "“much” is no number"),
            ({"source": ""}, "This field is required."),
            ({"last_on": "2024-01-01"}, "is not after the first day"),
        ],
    )
    def test_what_is_wrong_is_said_beside_its_field(self, over: dict[str, str], said: str) -> None:
        market, solved, ana = make_comparator(), make_indicator(), client(Role.ANALYST)
        sent = {**SAID, "comparator": market.pk, "indicator": solved.pk, **over}

        answer = ana.post("/comparators/new/", sent)

        assert answer.status_code == 400
        assert said in answer.content.decode()
        assert not ComparatorValue.objects.exists()

    def test_a_revision_starts_from_what_was_said(self) -> None:
        made = reached(make_comparator(), make_indicator(), 0.29, low=0.28, high=0.3)
        ana = client(Role.ANALYST)
        html = shown(ana, f"/comparators/values/{made.pk}/revise/")
        assert 'value="29 %"' in html

        ana.post(
            f"/comparators/values/{made.pk}/revise/",
            {"value": "29 %", "low": "27 %", "high": "30 %", "source": "Second edition"},
        )

        newest = ComparatorValue.objects.current().get()
        assert (newest.revision, newest.value, newest.low) == (2, 0.29, 0.27)
        html = shown(ana, f"/comparators/values/{made.pk}/")
        assert "This is not the newest revision" in html
        html = shown(ana, f"/comparators/values/{newest.pk}/")
        assert "Second edition" in html
        assert "Yearbook of banks" in html

    def test_a_value_is_withdrawn_with_a_reason(self) -> None:
        made = reached(make_comparator(), make_indicator(), 0.88)
        ana = client(Role.ANALYST)
        path = f"/comparators/values/{made.pk}/"

        assert ana.post(f"{path}withdraw/", {"because": ""}).status_code == 400
        ana.post(f"{path}withdraw/", {"because": "A misprint."})

        assert ComparatorValue.objects.get().withdrawn_because == "A misprint."
        html = shown(ana, path)
        assert "A misprint." in html
        assert "Withdraw the value" not in html
        assert "withdrawn" in shown(ana, "/comparators/")

    def test_names_in_files_are_kept_and_forgotten(self) -> None:
        solved, ana = make_indicator(), client(Role.ANALYST)
        shown(ana, "/comparators/names/")

        ana.post("/comparators/names/", {"text": "H_COMP_1_A_P", "indicator": solved.pk})
        assert "h_comp_1_a_p" in shown(ana, "/comparators/names/")
        both = ana.post("/comparators/names/", {"text": "H_COMP_1_A_P", "indicator": solved.pk})
        assert both.status_code == 400

        ana.post(f"/comparators/names/{ForeignName.objects.get().pk}/forget/")
        assert not ForeignName.objects.exists()


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def run(north: Unit) -> EvaluationRun:
    """December 2025: a 0.9 (80 points), b 0.8 (60), c withheld; weights 0.6, 0.3, 0.1."""
    made = evaluated(
        make_system(), north, system_of(leaf("a", 0.6), leaf("b", 0.3), leaf("c", 0.1))
    )
    figure(made, north, "a", 0.9)
    figure(made, north, "b", 0.8)
    make_value(made, north, kind="indicator", code="c", status="suppressed")
    for code in "abc":
        make_indicator(code)
    return made


def said(code: str, number: float, comparator: Comparator, **over: Any) -> ComparatorValue:
    return reached(comparator, Indicator.objects.get(code=code), number, **over)


@pytest.mark.usefixtures("run")
class TestOnThePagesOfResults:
    def test_the_composite_stands_beside_the_market(self, north: Unit) -> None:
        market = make_comparator()
        said("a", 0.85, market, low=0.83, high=0.87)
        said("b", 0.75, market, low=0.73, high=0.77)
        said("c", 0.99, market)
        ana = client(Role.ANALYST)

        for path in ("/quality/", "/quality/units/north/"):
            html = shown(ana, path)
            assert "Beside competitors and the market" in html
            # 80 x 2/3 + 60 x 1/3 and 70 x 2/3 + 50 x 1/3, the withheld third on neither side
            for text in ("73.3", "63.3", "+10.0", "90 %", "Better here", "Yearbook of banks"):
                assert text in html

    def test_too_little_weight_is_said_and_shows_no_score(self) -> None:
        said("b", 0.75, make_comparator())

        html = shown(client(Role.ANALYST), "/quality/")

        assert "Not compared: both have only 30 % of the weight, and 60 % is needed." in html
        assert "Difference in points" not in html

    def test_without_an_interval_it_says_that_nobody_knows(self) -> None:
        market = make_comparator()
        said("a", 0.85, market)
        said("b", 0.75, market)

        html = shown(client(Role.ANALYST), "/quality/")

        assert "How sure the other side is, nobody says" in html
        assert "+10.0" in html

    def test_who_is_not_active_or_was_withdrawn_is_not_compared_with(self) -> None:
        market = make_comparator()
        value = said("a", 0.85, market)
        rival = make_comparator("rival", "competitor")
        said("a", 0.85, rival)
        change_comparator(
            comparator=rival, name={"en": "Rival"}, kind="competitor", note="", is_active=False,
            by=SYSTEM, now=NOW,
        )  # fmt: skip
        withdraw_value(value=value, because="A misprint.", by=SYSTEM, now=NOW + timedelta(1))

        html = shown(client(Role.ANALYST), "/quality/")

        assert "Beside competitors and the market" not in html

    def test_another_time_is_not_compared(self) -> None:
        said("a", 0.85, make_comparator(), starts_on=date(2024, 1, 1), ends_on=date(2025, 1, 1))

        assert "Beside competitors" not in shown(client(Role.ANALYST), "/quality/")

    def test_an_indicator_shows_what_others_reached(self) -> None:
        market = make_comparator()
        said("a", 0.85, market, low=0.83, high=0.87, url="https://example.org/yearbook")
        said("a", 0.8, market, starts_on=date(2024, 1, 1), ends_on=date(2025, 1, 1))

        html = shown(client(Role.ANALYST), "/quality/indicators/a/")

        for text in ("Competitors and market", "85 %", "83 % – 87 %", "+5.0", "another time"):
            assert text in html
        assert 'href="https://example.org/yearbook"' in html

    def test_a_dimension_is_compared_by_itself(self) -> None:
        market = make_comparator()
        said("a", 0.85, market)

        html = shown(client(Role.ANALYST), "/quality/indicators/care/")

        assert "60 %" in html
        assert "Difference in points" in html

    def test_costs_two_queries_more(self) -> None:
        ana = client(Role.ANALYST)
        shown(ana, "/quality/")  # what is read once and kept
        counts = []
        for number in range(2):
            with CaptureQueriesContext(connection) as queries:
                shown(ana, "/quality/")
            counts.append(len(queries))
            market = make_comparator(f"market-{number}")
            for code in "abc":
                said(code, 0.85, market)
        with CaptureQueriesContext(connection) as queries:
            shown(ana, "/quality/")

        # One to know that nobody is there; one more to compare with however many there are.
        assert counts[1] == counts[0] + 1
        assert len(queries) == counts[1]


@pytest.mark.parametrize("value", [0.88, 0.07, 0.57, 1 / 3, 0.87654321, 0.1 + 0.2])
def test_a_form_shows_a_share_so_that_it_is_read_back_unchanged(value: float) -> None:
    share = make_indicator()

    assert reading(as_entered(value, share), share) == value


@pytest.mark.parametrize("value", [1234567.0, 123456.789, 0.1 + 0.2, 1e-7, 1e30])
def test_a_form_shows_any_other_number_so_that_it_is_read_back_unchanged(value: float) -> None:
    count = make_indicator("seen", unit_of_measure="count", statistic="mean")

    assert reading(as_entered(value, count), count) == value
    assert as_entered(1234567.0, count) == "1234567"
