"""Stating a population, and weighing answers by it."""

from datetime import date
from typing import Any
from unittest.mock import patch

import pytest
from django.db.models import F

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import InvalidInput, NotPermitted
from sqcore.base.periods import Period
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Scope
from sqcore.org.models import Channel, Unit
from sqcore.tests.factories import NOW, make_channel, make_principal, make_unit
from surveys.campaigns.models import Campaign
from surveys.representation import services
from surveys.representation.models import Population, Weighing
from surveys.representation.services import state_population, weigh_answers
from surveys.representation.wording import remarks
from surveys.responses.models import Response, Rollup
from surveys.tests.analyses.making import Q4, YEAR, answer, take_in
from surveys.tests.factories import analyst, make_campaign, make_ready_version
from surveys.tests.representation.making import known, weigh

pytestmark = pytest.mark.django_db

HAPPY = {"p1": 7, "p2": 7, "overall": 7}
SAD = {"p1": 2, "p2": 2, "overall": 2}


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def counter() -> Channel:
    return make_channel("counter")


@pytest.fixture
def web() -> Channel:
    return make_channel("web")


@pytest.fixture
def visits(bank: Unit, counter: Channel, web: Channel) -> Campaign:
    """90 happy answers of the counter, 30 sad ones of the web."""
    campaign = make_campaign(opens_on=date(2025, 1, 1))
    answer(campaign, bank, 90, channel_id=counter.pk, answers=HAPPY)
    answer(campaign, bank, 30, channel_id=web.pk, answers=SAD)
    return campaign


def measures(weighing: Weighing) -> dict[str, Any]:
    return {each["measure"]: each for each in weighing.found["measures"]}


class TestStatePopulation:
    def test_keeps_the_figures_with_a_hash_and_an_entry_in_the_ledger(
        self, counter: Channel, web: Channel
    ) -> None:
        population = known(channel={"counter": 400, "web": 600})

        assert population.figures == {"channel": {"counter": 400, "web": 600}}
        assert len(population.digest) == 64
        entry = AuditEntry.objects.get(action="population.stated")
        assert entry.details["digest"] == population.digest

    @pytest.mark.parametrize(
        ("figures", "said"),
        [
            ({}, "nothing in it to compare"),
            ({"channel": {"counter": 4, "fax": 6}}, "fax: there is no channel"),
            ({"channel": {"counter": 4, "web": 0}}, "two categories"),
            ({"channel": {"counter": 4, "web": -1}}, "0 or more"),
            ({"unit": {"bank": 4, "north": 6}}, "north: lies within another unit"),
        ],
    )
    def test_refuses_what_compares_nothing(
        self,
        bank: Unit,
        counter: Channel,
        web: Channel,
        figures: dict[str, dict[str, float]],
        said: str,
    ) -> None:
        make_unit("north", parent=bank)

        with pytest.raises(InvalidInput) as refused:
            known(**figures)

        assert said in " ".join(map(str, refused.value.problems))
        assert not Population.objects.exists()

    def test_is_for_who_runs_surveys(self, counter: Channel, web: Channel) -> None:
        mei = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            state_population(
                name="Customers", source="Core", stated_on=date(2025, 12, 31),
                figures={"channel": {"counter": 1, "web": 1}}, by=mei, now=NOW,
            )  # fmt: skip


class TestWeighAnswers:
    def test_shows_both_results_beside_each_other(self, visits: Campaign) -> None:
        weighing = weigh(visits, known(channel={"counter": 50, "web": 50}))

        assert weighing is not None
        assert (weighing.status, weighing.n) == ("ok", 120)
        overall = measures(weighing)["item:overall"]
        assert (overall["plain"]["value"], overall["weighted"]["value"]) == (5.8, 4.5)
        assert overall["weighted"]["low"] < 4.5 < overall["weighted"]["high"]
        assert weighing.found["deff"] == 1.34
        assert weighing.found["effective"] == overall["effective"] == 89
        assert weighing.found["margins"] == [
            {
                "margin": "channel",
                "categories": [
                    {"codes": ["counter"], "population": 0.5, "sample": 0.75, "people": 90},
                    {"codes": ["web"], "population": 0.5, "sample": 0.25, "people": 30},
                ],
            }
        ]

    def test_keeps_the_weights_by_combination_and_a_hash(self, visits: Campaign) -> None:
        population = known(channel={"counter": 50, "web": 50})

        weighing = weigh(visits, population)
        assert weighing is not None
        first = weighing.digest
        again = weigh(visits, population)

        assert again is not None
        assert again.weights == [[[0], 667, 90], [[1], 2000, 30]]
        assert again.digest == first
        asked = AuditEntry.objects.filter(action="weighing.asked").order_by("id")
        assert [entry.details["replaces"] for entry in asked] == ["", first]

    def test_the_order_in_which_a_population_is_kept_changes_nothing(
        self, visits: Campaign
    ) -> None:
        one = weigh(visits, known(channel={"counter": 50, "web": 50}))
        other = weigh(visits, known(channel={"web": 50, "counter": 50}))

        assert one is not None
        assert other is not None
        assert other.found == one.found
        assert other.weights == one.weights

    def test_enters_no_sum_that_indicators_read(self, visits: Campaign) -> None:
        take_in()
        before = list(Rollup.objects.order_by("id").values_list("content", flat=True))

        weigh(visits, known(channel={"counter": 50, "web": 50}))
        take_in()

        assert list(Rollup.objects.order_by("id").values_list("content", flat=True)) == before
        assert not Response.objects.exclude(weight=1000).exists()

    def test_units_stand_for_all_below_them(self, bank: Unit) -> None:
        north, south = make_unit("north", parent=bank), make_unit("south", parent=bank)
        desk = make_unit("desk", parent=north)
        campaign = make_campaign(opens_on=date(2025, 1, 1))
        answer(campaign, desk, 60, answers=HAPPY)
        answer(campaign, south, 60, answers=SAD)

        weighing = weigh(campaign, known(unit={"north": 30, "south": 10}))

        assert weighing is not None
        assert measures(weighing)["item:overall"]["weighted"]["value"] == 5.8

    def test_fewer_than_thirty_are_not_weighed(self, bank: Unit, counter: Channel) -> None:
        make_channel("web")
        campaign = make_campaign(opens_on=date(2025, 1, 1))
        answer(campaign, bank, 29, channel_id=counter.pk)

        weighing = weigh(campaign, known(channel={"counter": 50, "web": 50}))

        assert weighing is not None
        assert (weighing.status, weighing.n, weighing.found) == ("insufficient_n", None, {})

    def test_one_category_alone_compares_nothing(self, bank: Unit, counter: Channel) -> None:
        make_channel("web")
        campaign = make_campaign(opens_on=date(2025, 1, 1))
        answer(campaign, bank, 40, channel_id=counter.pk)

        weighing = weigh(campaign, known(channel={"counter": 50, "web": 50}))

        assert weighing is not None
        assert (weighing.status, weighing.found) == ("not_applicable", {})

    def test_a_few_that_came_later_are_not_told_by_the_difference(
        self, visits: Campaign, bank: Unit, web: Channel
    ) -> None:
        population = known(channel={"counter": 50, "web": 50})
        first = weigh(visits, population)
        answer(visits, bank, 2, channel_id=web.pk, answers=HAPPY)

        second = weigh(visits, population)

        assert first is not None
        assert second is not None
        assert (second.n, second.found) == (first.n, first.found)

    def test_enough_that_came_later_count(self, visits: Campaign, bank: Unit, web: Channel) -> None:
        population = known(channel={"counter": 50, "web": 50})
        weigh(visits, population)
        answer(visits, bank, 30, channel_id=web.pk, answers=HAPPY)

        weighing = weigh(visits, population)

        assert weighing is not None
        assert weighing.n == 150

    def test_what_was_shown_stays_when_one_of_them_was_taken_back(self, visits: Campaign) -> None:
        population = known(channel={"counter": 50, "web": 50})
        first = weigh(visits, population)
        last = Response.objects.order_by("-id")[0]
        Response.objects.filter(pk=last.pk).update(withdrawn=True)

        second = weigh(visits, population)

        assert first is not None
        assert second is not None
        assert (second.pk, second.n) == (first.pk, 120)

    def test_another_population_between_does_not_forget_what_was_shown(
        self, visits: Campaign, bank: Unit, web: Channel
    ) -> None:
        make_channel("fax"), make_channel("post")
        by_channel = known(channel={"counter": 50, "web": 50})
        first = weigh(visits, by_channel)
        between = weigh(visits, known(channel={"fax": 50, "post": 50}))
        answer(visits, bank, 1, channel_id=web.pk, answers=HAPPY)

        again = weigh(visits, by_channel)

        assert first is not None
        assert between is not None
        assert again is not None
        assert (between.status, between.n, between.found) == ("not_applicable", None, {})
        assert (again.n, again.found) == (120, first.found)

    def test_nobody_of_a_small_channel_is_told_of(self, visits: Campaign, bank: Unit) -> None:
        fax, post = make_channel("fax"), make_channel("post")
        answer(visits, bank, 3, channel_id=fax.pk, answers=HAPPY)
        answer(visits, bank, 6, channel_id=post.pk, answers=HAPPY)

        weighing = weigh(visits, known(channel={"counter": 40, "web": 40, "fax": 10, "post": 10}))

        assert weighing is not None
        categories = weighing.found["margins"][0]["categories"]
        assert [(each["codes"], each["people"]) for each in categories] == [
            (["counter"], 90),
            (["web"], 30),
            (["fax", "post"], 9),
        ]

    def test_the_loyalty_index_and_promoters_are_weighed_as_well(
        self, bank: Unit, counter: Channel, web: Channel
    ) -> None:
        campaign = make_campaign(
            version=make_ready_version("experience"), opens_on=date(2025, 1, 1)
        )
        loyal = {"repurchase": 10, "recommend": 10, "preference": 10}
        answer(campaign, bank, 90, channel_id=counter.pk, answers=loyal)
        answer(campaign, bank, 30, channel_id=web.pk, answers={"recommend": 0, "repurchase": 1})

        weighing = weigh(campaign, known(channel={"counter": 50, "web": 50}))

        assert weighing is not None
        found = measures(weighing)
        # 90 of 100 and 30 of 0 are 75, between two steps of 2.
        assert found["index:loyalty"]["plain"]["value"] in (74.0, 76.0)
        assert found["index:loyalty"]["weighted"]["value"] == 50.0
        assert found["nps:recommend"]["weighted"]["value"] == 0
        assert found["item:preference"]["n"] == 90
        assert found["item:satisfaction"] == {
            "measure": "item:satisfaction", "n": None, "effective": None,
            "plain": None, "weighted": None,
        }  # fmt: skip

    @pytest.mark.parametrize("key", ["2026-Q1", "2026", "2025-12"])
    def test_only_closed_quarters_and_years_are_weighed(self, visits: Campaign, key: str) -> None:
        with pytest.raises(InvalidInput):
            weigh(visits, known(channel={"counter": 1, "web": 1}), Period.parse(key))

    def test_is_asked_by_who_runs_surveys(self, visits: Campaign) -> None:
        population = known(channel={"counter": 1, "web": 1})
        mei = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            weigh_answers(version=visits.version, period=Q4, population=population, by=mei, now=NOW)

        assert not Weighing.objects.exists()


class TestAYearAndItsQuarters:
    """Neither tells of a few by what the other shows."""

    def of(self, campaign: Campaign, period: Period) -> Weighing:
        weigh(campaign, known(channel={"counter": 50, "web": 50}), period)
        return Weighing.objects.get(starts_on=period.start, grain=period.grain)

    def test_a_year_with_three_people_beside_its_quarter_is_not_weighed(
        self, visits: Campaign, bank: Unit, web: Channel
    ) -> None:
        assert self.of(visits, Q4).n == 120
        answer(visits, bank, 3, channel_id=web.pk, on=date(2025, 2, 3))

        year = self.of(visits, YEAR)

        assert (year.status, year.n, year.found) == ("insufficient_n", None, {})

    def test_a_quarter_that_would_leave_three_people_of_its_year_is_not_weighed(
        self, visits: Campaign, bank: Unit, web: Channel
    ) -> None:
        answer(visits, bank, 3, channel_id=web.pk, on=date(2025, 2, 3))
        assert self.of(visits, YEAR).n == 123

        quarter = self.of(visits, Q4)

        assert (quarter.status, quarter.n, quarter.found) == ("insufficient_n", None, {})

    def test_enough_people_between_them_hide_nothing(
        self, visits: Campaign, bank: Unit, web: Channel
    ) -> None:
        answer(visits, bank, 30, channel_id=web.pk, on=date(2025, 2, 3))

        assert (self.of(visits, Q4).n, self.of(visits, YEAR).n) == (120, 150)

    def test_what_was_weighed_while_another_was_computed_is_known_to_it(
        self, visits: Campaign, bank: Unit, web: Channel
    ) -> None:
        """The quarter is weighed after the year has read, before it is kept."""
        answer(visits, bank, 3, channel_id=web.pk, on=date(2025, 2, 3))
        made = services._Desk.made
        meanwhile = [Q4]

        def late(desk: Any, population: Population) -> Any:
            found = made(desk, population)
            if meanwhile:
                self.of(visits, meanwhile.pop())
            return found

        with patch.object(services._Desk, "made", late):
            year = self.of(visits, YEAR)

        assert (year.status, year.n) == ("insufficient_n", None)
        assert Weighing.objects.get(grain="quarter").n == 120


class TestCrossedMargins:
    """A population known by unit and channel together."""

    @pytest.fixture
    def north(self, bank: Unit) -> Unit:
        return make_unit("north", parent=bank)

    @pytest.fixture
    def south(self, bank: Unit) -> Unit:
        return make_unit("south", parent=bank)

    @pytest.fixture
    def crossed(self, north: Unit, south: Unit, counter: Channel, web: Channel) -> Campaign:
        """60 at the counter and 40 on the web of north, 60 at the counter of south."""
        campaign = make_campaign(opens_on=date(2025, 1, 1))
        answer(campaign, north, 60, channel_id=counter.pk, answers=HAPPY)
        answer(campaign, north, 40, channel_id=web.pk, answers=SAD)
        answer(campaign, south, 60, channel_id=counter.pk, answers=HAPPY)
        return campaign

    def test_a_cell_is_a_category(self, crossed: Campaign) -> None:
        cells = {"north+counter": 25, "north+web": 50, "south+counter": 25}

        weighing = weigh(crossed, known(**{"unit+channel": cells}))

        assert weighing is not None
        assert measures(weighing)["item:overall"]["weighted"]["value"] == 4.5
        (margin,) = weighing.found["margins"]
        assert (margin["margin"], margin["unanswered"]) == ("unit+channel", [])
        assert [(each["codes"], each["people"]) for each in margin["categories"]] == [
            (["north+counter"], 60),
            (["north+web"], 40),
            (["south+counter"], 60),
        ]

    def test_cells_without_answers_are_named(self, crossed: Campaign) -> None:
        cells = {"north+counter": 25, "north+web": 45, "south+counter": 25, "south+web": 5}

        weighing = weigh(crossed, known(**{"unit+channel": cells}))

        assert weighing is not None
        assert weighing.found["margins"][0]["unanswered"] == ["south+web"]
        assert "nobody answered from 1 cell with customers (south × web)" in " ".join(
            remarks(weighing.found)
        )

    def test_no_cell_tells_of_a_few_beside_its_unit_and_channel(
        self, crossed: Campaign, south: Unit, web: Channel
    ) -> None:
        answer(crossed, south, 3, channel_id=web.pk, answers=SAD)
        cells = {"north+counter": 25, "north+web": 45, "south+counter": 25, "south+web": 5}

        weighing = weigh(crossed, known(**{"unit+channel": cells}))

        assert weighing is not None
        assert (weighing.status, weighing.found) == ("not_applicable", {}), "all four would tell"

    @pytest.mark.parametrize("finer_first", [True, False])
    def test_cells_of_a_region_do_not_tell_of_a_few_in_its_units_by_another_population(
        self, bank: Unit, counter: Channel, web: Channel, finer_first: bool
    ) -> None:
        east, west = make_unit("east", parent=bank), make_unit("west", parent=bank)
        north, south = make_unit("north", parent=east), make_unit("south", parent=east)
        campaign = make_campaign(opens_on=date(2025, 1, 1))
        for unit, at_counter, on_web in ((north, 60, 40), (south, 40, 3), (west, 50, 35)):
            answer(campaign, unit, at_counter, channel_id=counter.pk, answers=HAPPY)
            answer(campaign, unit, on_web, channel_id=web.pk, answers=SAD)
        fine = {
            f"{unit}+{channel}": 10
            for unit in ("north", "south", "west")
            for channel in ("counter", "web")
        }
        coarse = {
            f"{unit}+{channel}": 10 for unit in ("east", "west") for channel in ("counter", "web")
        }
        told: dict[str, int] = {}

        for cells in (fine, coarse) if finer_first else (coarse, fine):
            weighing = weigh(campaign, known(**{"unit+channel": cells}))
            assert weighing is not None
            for margin in weighing.found.get("margins", []):
                told |= {
                    each["codes"][0]: each["people"]
                    for each in margin["categories"]
                    if len(each["codes"]) == 1
                }

        assert told, "one of the two is told"
        assert not {"east+web", "north+web"} <= told.keys(), "south has three on the web"

    @pytest.mark.parametrize(
        ("cells", "said"),
        [
            ({"north+counter": 4, "west+web": 6}, "west+web: there is no unit+channel"),
            ({"north+counter": 4, "north": 6}, "north: there is no unit+channel"),
            ({"bank+counter": 4, "north+web": 6}, "north: lies within another unit"),
        ],
    )
    def test_cells_of_nothing_are_refused(
        self, crossed: Campaign, cells: dict[str, float], said: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            known(**{"unit+channel": cells})

        assert said in " ".join(map(str, refused.value.problems))
        assert not Population.objects.exists()


def test_weights_given_with_the_answers_are_where_raking_begins(
    bank: Unit, counter: Channel, web: Channel
) -> None:
    campaign = make_campaign(opens_on=date(2025, 1, 1))
    answer(campaign, bank, 60, channel_id=counter.pk, answers=HAPPY, weight=2000)
    answer(campaign, bank, 60, channel_id=web.pk, answers=SAD, weight=1000)
    Response.objects.filter(channel=web).update(weight=F("weight"))

    weighing = weigh(campaign, known(channel={"counter": 50, "web": 50}))

    assert weighing is not None
    overall = measures(weighing)["item:overall"]
    assert (overall["plain"]["value"], overall["weighted"]["value"]) == (5.35, 4.5)


def test_the_analyst_sees_it_and_who_sees_one_unit_does_not(visits: Campaign, bank: Unit) -> None:
    north = make_unit("north", parent=bank)
    weigh(visits, known(channel={"counter": 1, "web": 1}))
    mei = make_principal({Permission.VIEW_RESULTS: Scope(units=frozenset({north.pk}))})

    assert Weighing.objects.visible_to(analyst()).count() == 1
    assert Weighing.objects.visible_to(mei).count() == 0
