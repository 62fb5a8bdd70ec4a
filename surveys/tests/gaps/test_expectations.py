"""What customers expect by segment and quarter, and whether that shifted beyond chance."""

import json
from datetime import date
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.base.periods import Period
from sqcore.identity.permissions import Permission, Role
from sqcore.org.models import Segment, Unit
from sqcore.stats.selection import benjamini_hochberg
from sqcore.tests.factories import give_role, make_segment, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import get, make_key
from surveys.analyses.models import Analysis
from surveys.campaigns.models import Campaign
from surveys.gaps.expectations import EXPECTATIONS, Expectations
from surveys.gaps.shifts import Expected, change, changes_in, with_families
from surveys.tests.analyses.making import answer, only, run
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

QUARTERS = {
    "2024-Q4": date(2024, 11, 5),
    "2025-Q3": date(2025, 8, 5),
    "2025-Q4": date(2025, 11, 5),
}


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def private() -> Segment:
    return make_segment("private")


@pytest.fixture
def visit() -> Campaign:
    return make_campaign(
        version=make_ready_version("servqual"), code="visit", opens_on=date(2024, 1, 1)
    )


def ask(
    campaign: Campaign, unit: Unit, quarter: str, expected: int, times: int = 60, **over: Any
) -> None:
    """Twice so many answers: half expect this of everything, half one more; all find 5."""
    codes = [item.code for item in campaign.version.items.order_by("position") if item.is_scored]
    for more in (0, 1):
        given = {code: 5 for code in codes if code.startswith("p")}
        given |= {code: expected + more for code in codes if code.startswith("e")}
        answer(campaign, unit, times, on=QUARTERS[quarter], answers=given, **over)


def analyse_all(campaign: Campaign) -> None:
    with only(Expectations()):
        for quarter in QUARTERS:
            run(campaign, Period.parse(quarter))


@pytest.fixture
def risen(visit: Campaign, bank: Unit, private: Segment) -> None:
    """Private customers expect one more of seven in the last quarter, others what they did."""
    for quarter, expected in (("2024-Q4", 4), ("2025-Q3", 4), ("2025-Q4", 5)):
        ask(visit, bank, quarter, expected, segment_id=private.pk)
        ask(visit, bank, quarter, 4)
    analyse_all(visit)


def rows(query: str = "", key: str = "") -> list[dict[str, Any]]:
    response = get(f"expectations{query}", key or make_key(Permission.VIEW_RESULTS))
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = json.loads(response.content)["results"]
    return found


def page(client: Client, unit: Unit | None) -> str:
    mei = make_user("mei")
    give_role(mei, Role.MANAGER if unit else Role.ANALYST, unit)
    client.force_login(mei)
    return client.get("/gaps/").content.decode()


class TestKind:
    def test_tells_a_mean_so_coarse_that_it_tells_of_nobody(
        self, visit: Campaign, bank: Unit
    ) -> None:
        ask(visit, bank, "2025-Q4", 5)
        analyse_all(visit)

        found = Analysis.objects.get(kind=EXPECTATIONS, status="ok", unit=bank).found

        first = found["dimensions"][0]
        assert first == {
            **{"code": "tangibles", "status": "ok", "n": 120},
            # 60 times 4/6 and 60 times 5/6 of the way: 75, and sd 8.37 / sqrt(120) = 0.764
            **{"mean": 75.0, "se": 0.8, "step": 1.0},
        }

    def test_fewer_than_a_hundred_say_nothing(self, visit: Campaign, bank: Unit) -> None:
        ask(visit, bank, "2025-Q4", 5, times=49)
        analyse_all(visit)

        row = Analysis.objects.get(kind=EXPECTATIONS, unit=bank)
        assert (row.status, row.n, row.found) == ("insufficient_n", None, {})


class TestChange:
    def test_is_the_difference_with_an_interval_wide_enough_for_rounding(self) -> None:
        found = change(Expected("care", 400, 84.0, 0.9, 1.0), Expected("care", 90, 80.0, 1.2, 0.1))

        se = np.sqrt(0.9**2 + 1.2**2 + (1.0**2 + 0.1**2) / 12)
        assert found.value == 4.0
        assert (found.low, found.high) == pytest.approx((4 - 1.959964 * se, 4 + 1.959964 * se))

    def test_q_counts_all_dimensions_of_the_whole_and_its_segments(self, risen: None) -> None:
        found = changes_in(
            list(Analysis.objects.filter(kind=EXPECTATIONS, grain="quarter").order_by("id"))
        )

        quarter = [each for (_pk, _code, against), each in found.items() if against == "quarter"]
        assert len(quarter) == 10, "five dimensions of the whole and of one segment"
        q = benjamini_hochberg([each.p for each in quarter])
        assert [each.q for each in quarter] == q.tolist()


class TestRest:
    def test_tells_each_mean_beside_its_changes(self, risen: None) -> None:
        found = rows("?segment=private&starts_on=2025-10-01")

        assert len(found) == 1
        row = found[0]
        assert (row["instrument"], row["period"], row["n"]) == ("servqual", "2025-Q4", 120)
        first = row["dimensions"][0]
        assert (first["code"], first["mean"]) == ("tangibles", 75.0)
        # From 58.33, told as 58: 17 points, of which rounding may be one.
        assert first["since_quarter"]["value"] == first["since_year"]["value"] == 17.0
        assert first["since_quarter"]["is_clear"]

    def test_nothing_is_compared_with_what_is_not_shown(
        self, visit: Campaign, bank: Unit, private: Segment
    ) -> None:
        ask(visit, bank, "2025-Q3", 4, times=20, segment_id=private.pk)
        ask(visit, bank, "2025-Q4", 5, segment_id=private.pk)
        analyse_all(visit)

        found = {row["period"]: row for row in rows("?segment=private")}

        assert (found["2025-Q3"]["n"], found["2025-Q3"]["dimensions"]) == (None, [])
        assert {each["since_quarter"] for each in found["2025-Q4"]["dimensions"]} == {None}

    def test_q_is_the_same_whatever_is_filtered_by(self, risen: None) -> None:
        """A quarter alone, a segment alone and everything: all count the ten of the quarter."""
        newest = [
            next(row for row in rows(query) if (row["period"], row["segment"]) == key)
            for query in ("", "?starts_on=2025-10-01", "?segment=private")
            for key in [("2025-Q4", "private")]
        ]

        assert newest[0] == newest[1] == newest[2]
        assert newest[0]["dimensions"][0]["since_quarter"]["q"] > 0

    def test_reads_no_quarter_that_no_row_is_compared_with(self, risen: None) -> None:
        some = Analysis.objects.filter(kind=EXPECTATIONS, starts_on=date(2024, 10, 1))

        found = with_families(Analysis.objects.filter(kind=EXPECTATIONS), some)

        assert {row.starts_on for row in found} == {date(2024, 10, 1)}

    def test_is_of_the_whole_and_seen_by_who_sees_that(self, risen: None, bank: Unit) -> None:
        north = make_unit("north", parent=bank)

        assert rows(key=make_key(Permission.VIEW_RESULTS, units=[north])) == []
        assert get("expectations", make_key(Permission.SUBMIT_RESPONSES)).status_code == 403

    def test_takes_few_questions_however_many_rows(
        self, risen: None, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = make_key(Permission.VIEW_RESULTS)
        rows(key=key)

        with django_assert_num_queries(3):
            assert len(rows(key=key)) == 6


class TestPage:
    def test_says_what_shifted_and_shows_the_rest(
        self, risen: None, bank: Unit, client: Client
    ) -> None:
        html = page(client, bank)

        assert "Since the former quarter, Private expect more of “Tangibles”:" in html
        assert "All customers" in html
        assert "not known" not in html
        assert faults_of(html) == []

    def test_without_an_earlier_quarter_says_so(
        self, visit: Campaign, bank: Unit, client: Client
    ) -> None:
        ask(visit, bank, "2025-Q4", 5)
        analyse_all(visit)

        assert "There is no earlier quarter to compare with yet." in page(client, bank)

    def test_what_stays_is_no_shift(self, visit: Campaign, bank: Unit, client: Client) -> None:
        ask(visit, bank, "2025-Q3", 5)
        ask(visit, bank, "2025-Q4", 5)
        analyse_all(visit)

        html = page(client, bank)

        assert "No shift of what customers expect can be told from chance." in html

    def test_before_anything_is_known_says_when_it_will_be(
        self, bank: Unit, client: Client
    ) -> None:
        assert "It is told of every quarter that is over" in page(client, bank)

    def test_who_sees_a_branch_alone_sees_nothing_of_the_whole(
        self, risen: None, bank: Unit, client: Client
    ) -> None:
        assert "Private" not in page(client, make_unit("north", parent=bank))
