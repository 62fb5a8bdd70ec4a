"""What customers say counts: points and ratings, how they are counted, and how the page tells."""

import re
from html import unescape
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import InvalidInput
from sqcore.identity.permissions import Role
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.pages import faults_of
from surveys.analyses.api import analysis_row
from surveys.drivers.kinds import DriversKind
from surveys.drivers.pages import MattersPage, matters_page
from surveys.drivers.panels import StrongestDriversPanel
from surveys.drivers.queries import Asked
from surveys.instruments.codebook import MISSING
from surveys.instruments.definitions import read_definition
from surveys.instruments.models import InstrumentVersion
from surveys.tests.drivers.making import (
    answers_of,
    codebook,
    divided,
    level,
    make_analysis,
    planted,
    raw_visit,
)
from surveys.tests.factories import analyst, make_version

SPEED = [0.9, 0.3, 0.0]
ROOMS_FIRST = ([10, 30, 60], [20, 30, 50])
URL = "/what-matters/"


def found(points: Any, *, scale: tuple[int, int] = (0, 100), k: int = 5) -> Any:
    """All that is found, with these points beside answers that hang on speed."""
    table = np.column_stack([planted(len(points), SPEED), np.asarray(points, dtype=np.uint8)])
    answers = answers_of(codebook(raw_visit(points=scale)), table)
    return DriversKind().find(answers, k=k).values


def stated(points: Any, **over: Any) -> Any:
    return found(points, **over)["stated"]


def means(said: Any) -> dict[str, float]:
    return {thing["code"]: thing["points"]["value"] for thing in said["things"]}


class TestPoints:
    def test_by_hand(self) -> None:
        # 50 people give 60, 25, 15 and 50 give 40, 35, 25. Speed: mean 50, each 10 away, so the
        # variance is 100 x 100 / 99, the standard error sqrt(101.01 / 100) = 1.005, and with
        # t = 1.984 the interval 48.006 to 51.994. Of 100 people a mean is told in whole points.
        said = stated(divided(100, [60, 25, 15], [40, 35, 25]))

        assert (said["how"], said["level"], said["status"]) == ("points", "dimension", "ok")
        assert (said["n"], said["left_out"]) == (100, 0)
        assert said["things"][0]["points"] == {
            "status": "ok", "n": 100, "value": 50.0, "low": 48.0, "high": 52.0, "se": 1.0,
        }  # fmt: skip
        assert means(said) == {"speed": 50.0, "care": 30.0, "rooms": 20.0}
        assert said["cross"]["importance"] == round(100 / 3, 4)

    def test_of_more_people_more_digits_are_told(self) -> None:
        # The same of 1,000: the standard error is sqrt(100 x 1000 / 999 / 1000) = 0.3164.
        told = stated(divided(1000, [60, 25, 15], [40, 35, 25]))["things"][0]["points"]

        assert (told["value"], told["low"], told["high"]) == (50.0, 49.4, 50.6)
        assert told["se"] == 0.3

    def test_90_to_110_are_brought_to_100_and_others_do_not_count(self) -> None:
        points = np.vstack(
            [divided(60, [45, 27, 18]), divided(60, [55, 33, 22]), divided(7, [80, 80, 80])]
        )

        said = stated(points)

        assert (said["n"], said["left_out"]) == (120, 7)
        assert means(said) == {"speed": 50.0, "care": 30.0, "rooms": 20.0}

    def test_what_was_left_open_beside_100_points_got_none(self) -> None:
        assert means(stated(divided(100, [70, 30, MISSING]))) == {
            "speed": 70.0, "care": 30.0, "rooms": 0.0,
        }  # fmt: skip

    def test_nobody_gave_points(self) -> None:
        values = found(divided(120, [MISSING] * 3))

        assert values["stated"] == {
            "how": "points", "level": "dimension", "status": "insufficient_n"
        }  # fmt: skip
        assert level(values)["status"] == "ok"

    def test_fewer_than_a_hundred_say_nothing(self) -> None:
        few = np.vstack([divided(99, [60, 25, 15]), divided(100, [MISSING] * 3)])
        enough = np.vstack([divided(100, [60, 25, 15]), divided(100, [MISSING] * 3)])

        assert stated(few)["status"] == "insufficient_n"
        assert stated(enough)["status"] == "ok"
        assert stated(enough, k=101)["status"] == "insufficient_n"

    def test_are_not_told_where_they_were_not_asked(self) -> None:
        answers = answers_of(codebook(raw_visit()), planted(200, SPEED))

        assert "stated" not in DriversKind().find(answers).values

    def test_change_nothing_of_what_is_derived(self) -> None:
        plain = DriversKind().find(answers_of(codebook(raw_visit()), planted(200, SPEED)))

        beside = found(divided(200, *ROOMS_FIRST))

        assert beside["outcomes"] == plain.values["outcomes"]

    def test_a_corner_is_certain_where_both_intervals_keep_to_it(self) -> None:
        table = planted(1000, SPEED)
        table[:, 6:9] = np.maximum(table[:, 6:9].astype(int) - 1, 1)
        table = np.column_stack([table, divided(1000, *ROOMS_FIRST)])
        answers = answers_of(codebook(raw_visit(points=(0, 100))), table)

        things = DriversKind().find(answers).values["stated"]["things"]

        assert [(t["code"], t["quadrant"], t["is_certain"]) for t in things] == [
            ("speed", "possible_overkill", True),
            ("care", "possible_overkill", True),
            ("rooms", "concentrate", True),
        ]


def test_ratings_are_means_from_0_to_100() -> None:
    said = stated(divided(100, [7, 4, 1], [5, 4, 1]), scale=(1, 7))

    assert said["how"] == "rating"
    assert means(said) == {"speed": 83.0, "care": 50.0, "rooms": 0.0}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dimension": ""}, "names no dimension that is judged"),
        ({"dimension": "care"}, "“care” is asked about 2 times"),
        ({"high": 50}, "has another scale than"),
        ({"is_reversed": True}, "is asked on a scale that is not reversed"),
    ],
)
def test_a_questionnaire_that_asks_it_askew_is_refused(change: dict[str, Any], reason: str) -> None:
    raw = raw_visit(points=(0, 100))
    raw["items"][-3] |= change

    with pytest.raises(InvalidInput) as refused:
        read_definition(raw)

    assert any(reason in problem.reason for problem in refused.value.problems)


def test_every_judged_dimension_is_asked_about() -> None:
    raw = raw_visit(points=(0, 100))
    del raw["items"][-1]

    with pytest.raises(InvalidInput) as refused:
        read_definition(raw)

    assert [problem.reason for problem in refused.value.problems] == [
        "how much rooms counts is not asked"
    ]


def page_for(**asked: str) -> MattersPage:
    page = matters_page(principal=analyst(), asked=Asked(**asked))
    assert isinstance(page, MattersPage)
    return page


def html_of(unit: Unit, query: str = "") -> str:
    user = make_user("mei")
    give_role(user, Role.MANAGER, unit)
    client = Client()
    client.force_login(user)
    response = client.get(f"{URL}{query}")
    assert response.status_code == 200
    return unescape(re.sub(r"\s+", " ", response.content.decode()))


@pytest.mark.django_db
class TestPage:
    @pytest.fixture
    def bank(self) -> Unit:
        return make_unit("bank")

    @pytest.fixture
    def version(self) -> InstrumentVersion:
        return make_version(raw_visit(points=(0, 100)))

    def test_switches_between_what_is_derived_and_what_is_stated(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, points=ROOMS_FIRST)

        derived, page = page_for(), page_for(counts="stated")
        html = html_of(bank, "?counts=stated")

        assert [line.driver.name for line in derived.sides[0].lines] == ["Speed", "Care", "Rooms"]
        assert [line.driver.name for line in page.sides[0].lines] == ["Rooms", "Care", "Speed"]
        assert [(key, is_current) for key, _title, is_current in page.ways] == [
            ("derived", False), ("stated", True),
        ]  # fmt: skip
        assert page.sides[0].lines[0].share == "Customers give it 55.0 (55.0 – 55.0) of 100 points."
        assert "400 people divided 100 points over all of these" in html
        assert "It makes up" not in html
        assert "said to count: points from 0 to 100" in html, "the picture"
        assert faults_of(html) == []

    def test_says_in_one_sentence_where_both_clearly_disagree(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        row = make_analysis(version, bank, SPEED, points=ROOMS_FIRST)
        said = "Customers say that “Rooms” counts most; what they judge by is rather “Speed”."

        assert page_for().disagreement == said
        assert page_for(counts="stated").disagreement == said
        panel = StrongestDriversPanel().context(principal=analyst(), now=NOW, subject=bank)
        assert panel is not None
        assert panel["strongest"].disagreement == said  # type: ignore[attr-defined]  # our panel's
        assert said in html_of(bank)
        assert analysis_row(row, 1)["found"]["stated"]["n"] == 400

    @pytest.mark.parametrize(
        "points", [([60, 25, 15],), ([45, 10, 45], [35, 10, 55], [58, 10, 32])]
    )
    def test_is_silent_where_they_agree_or_the_intervals_overlap(
        self, version: InstrumentVersion, bank: Unit, points: Any
    ) -> None:
        make_analysis(version, bank, SPEED, points=points)

        assert page_for().disagreement == ""

    def test_lays_two_groups_side_by_side_at_no_more_queries(
        self,
        version: InstrumentVersion,
        bank: Unit,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        make_analysis(version, bank, SPEED, points=ROOMS_FIRST)
        north = make_unit("north", parent=bank)
        make_analysis(version, north, SPEED, points=([60, 30, 10], [50, 30, 20]))
        page_for()  # the codebook and the fiscal year are remembered

        principal = analyst()
        with django_assert_num_queries(6):
            page = matters_page(
                principal=principal,
                asked=Asked(of="unit:north", against="unit:bank", counts="stated"),
            )
            assert isinstance(page, MattersPage)
            verdicts = {line.name: line.verdict for line in page.compared}
        assert verdicts == {
            "Speed": "clearly counts more here",
            "Care": "no clear difference",
            "Rooms": "clearly counts less here",
        }
        assert "Points that customers gave" in html_of(
            bank, "?of=unit:north&against=unit:bank&counts=stated"
        )

    def test_without_the_question_a_sentence_stands_for_the_switch(self, bank: Unit) -> None:
        make_analysis(make_version(raw_visit()), bank, SPEED)

        page = page_for(counts="stated")

        assert (page.ways, page.counts) == ([], "derived")
        assert "this questionnaire does not ask them to divide 100 points" in html_of(bank)

    def test_by_question_it_says_that_dimensions_were_asked_about(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, points=ROOMS_FIRST)

        page = page_for(by="item", counts="stated")

        assert (page.ways, page.counts) == ([], "derived")
        assert page.why_not_stated.endswith("choose “By dimension” to see it.")

    def test_a_finding_of_an_older_method_says_that_it_comes_with_the_next(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, method=3)

        side = page_for(counts="stated").sides[0]

        assert side.reading is None
        assert side.why == ("What customers say counts is found with the next run of the analyses.")

    def test_too_few_who_gave_points_are_said(self, version: InstrumentVersion, bank: Unit) -> None:
        make_analysis(version, bank, SPEED, points=([MISSING] * 3,))

        html = html_of(bank, "?counts=stated")

        assert "Fewer than 100 people said here in this period what counts." in html
        assert "of 100 points." not in html

    def test_a_group_that_shows_nothing_derived_shows_nothing_stated(
        self, version: InstrumentVersion, bank: Unit
    ) -> None:
        make_analysis(version, bank, SPEED, points=ROOMS_FIRST)
        make_analysis(version, make_unit("north", parent=bank), None)

        side = page_for(of="unit:north", counts="stated").sides[0]

        assert side.reading is None
        assert side.why.startswith("Fewer than 100 people answered")
