"""Answers are read item by item: by group, in the words of the codebook, with nothing lost."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.base.periods import Grain, Period
from sqcore.org.models import Unit
from sqcore.stats.cross_products import BUCKETS
from sqcore.tests.factories import NOW, make_channel, make_segment, make_unit
from surveys.campaigns.models import Campaign
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers, item_answers
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.factories import make_campaign, make_version, raw_definition

pytestmark = pytest.mark.django_db

MARCH = Period.parse("2026-03")


@pytest.fixture
def branch() -> Unit:
    return make_unit("riverside")


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign()


def answer(
    campaign: Campaign,
    unit: Unit,
    answers: Mapping[str, Any],
    *,
    on: date = date(2026, 3, 5),
    **over: Any,
) -> None:
    response = NewResponse(answers=answers, unit_id=unit.pk, answered_on=on, **over)
    add_responses(campaign=campaign, responses=[response], origin=Response.Origin.API, now=NOW)


def read(campaign: Campaign, period: Period = MARCH) -> ItemAnswers:
    return item_answers(campaign.version, period)


def plain(answers: ItemAnswers, *codes: str) -> list[list[float | None]]:
    return [
        [None if value != value else value for value in row]
        for row in answers.values(codes).tolist()
    ]


class TestReading:
    def test_missing_and_not_applicable_are_no_numbers(
        self, campaign: Campaign, branch: Unit
    ) -> None:
        answer(campaign, branch, {"p1": 4, "p2": "na"})
        answer(campaign, branch, {"p1": 5, "p2": 6, "overall": 7})

        found = read(campaign)

        assert len(found) == 2
        assert plain(found, "p2", "p1", "overall") == [[None, 4.0, None], [6.0, 5.0, 7.0]]

    def test_a_reversed_item_is_turned(self, branch: Unit) -> None:
        raw = raw_definition()
        raw["items"][2]["is_reversed"] = True
        campaign = make_campaign(version=make_version(raw))
        item = Item.objects.get(version=campaign.version, code=raw["items"][2]["code"])
        answer(campaign, branch, {item.code: 2})

        assert plain(read(campaign), item.code) == [[6.0]]

    def test_a_code_that_is_no_scored_item_is_refused(self, campaign: Campaign) -> None:
        with pytest.raises(KeyError):
            read(campaign).values(["comment"])

    def test_the_days_of_the_period_and_no_others(self, campaign: Campaign, branch: Unit) -> None:
        for on, given in ((2, 28), 1), ((3, 1), 2), ((3, 31), 3), ((4, 1), 4):
            answer(campaign, branch, {"p1": given}, on=date(2026, *on))

        assert plain(read(campaign), "p1") == [[2.0], [3.0]]

    def test_not_what_was_withdrawn(self, campaign: Campaign, branch: Unit) -> None:
        answer(campaign, branch, {"p1": 2})
        answer(campaign, branch, {"p1": 3})
        Response.objects.filter(answers__p1=2).update(withdrawn=True)

        assert plain(read(campaign), "p1") == [[3.0]]

    def test_a_day_known_by_year_only_is_in_no_month(self, branch: Unit) -> None:
        wave = make_campaign(finest_grain=Grain.YEAR)
        answer(wave, branch, {"p1": 2})

        assert len(read(wave)) == 0
        assert len(read(wave, Period.parse("2026"))) == 1

    def test_nobody_is_a_table_without_rows(self, campaign: Campaign) -> None:
        found = read(campaign)

        assert len(found) == 0
        assert found.values(["p1", "p2"]).shape == (0, 2)

    def test_takes_one_question(
        self, campaign: Campaign, branch: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        answer(campaign, branch, {"p1": 2})
        read(campaign)

        with django_assert_num_queries(1):
            read(campaign)


class TestGroups:
    @pytest.fixture(autouse=True)
    def _answers(self, campaign: Campaign, branch: Unit) -> None:
        other, phone, private = make_unit("hill"), make_channel("phone"), make_segment("private")
        answer(campaign, branch, {"p1": 1}, channel_id=phone.pk)
        answer(campaign, branch, {"p1": 2}, segment_id=private.pk)
        answer(campaign, other, {"p1": 3}, channel_id=phone.pk, segment_id=private.pk)

    def test_can_be_chosen_by_unit_channel_and_segment(
        self, campaign: Campaign, branch: Unit
    ) -> None:
        found = read(campaign)
        phone, private = found.channel.max(), found.segment.max()

        assert plain(found.of(units=[branch.pk]), "p1") == [[1.0], [2.0]]
        assert plain(found.of(channel=phone), "p1") == [[1.0], [3.0]]
        assert plain(found.of(segment=private), "p1") == [[2.0], [3.0]]
        assert plain(found.of(units=[branch.pk], channel=phone), "p1") == [[1.0]]
        assert plain(found.of(units=[]), "p1") == []

    def test_keep_weight_and_bucket_with_the_answers(
        self, campaign: Campaign, branch: Unit
    ) -> None:
        answer(campaign, branch, {"p1": 4}, weight=2500)
        found = read(campaign)

        chosen = found.of(units=[branch.pk])

        assert chosen.weight.tolist() == [1.0, 1.0, 2.5]
        assert chosen.bucket.tolist() == found.bucket[found.unit == branch.pk].tolist()


def test_answers_are_spread_over_all_buckets(campaign: Campaign, branch: Unit) -> None:
    for _ in range(10):
        responses = [
            NewResponse(answers={"p1": 4}, unit_id=branch.pk, answered_on=date(2026, 3, 5))
            for _ in range(100)
        ]
        add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=NOW)

    counts = np.bincount(read(campaign).bucket, minlength=BUCKETS)

    assert (counts.sum(), counts.size) == (1000, BUCKETS)
    assert counts.min() >= 10
    assert counts.max() <= 30


def test_sums_of_products_are_weighted(campaign: Campaign, branch: Unit) -> None:
    answer(campaign, branch, {"p1": 1, "p2": 2}, weight=2000)
    answer(campaign, branch, {"p1": 4, "p2": 6})
    answer(campaign, branch, {"p1": 4})
    found = read(campaign)

    sums = found.cross_products(found.values(["p1", "p2"]))

    assert (sums.rows, sums.left_out) == (2, 1)
    assert sums.mean.tolist() == pytest.approx([2.0, 10 / 3])
