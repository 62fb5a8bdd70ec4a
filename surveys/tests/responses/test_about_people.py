"""What customers say about the person who served, as results of people get it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest

from sqcore.encounters.services import take_encounters
from sqcore.org.models import Staff, Unit
from sqcore.performance.sources import PERSON_SOURCES, PersonAnswers
from sqcore.tests.encounters.factories import encounter
from sqcore.tests.factories import NOW, make_channel, make_segment, make_staff, make_unit
from surveys.campaigns.models import Campaign
from surveys.instruments.services import draft_next_version, publish_version
from surveys.responses.about_people import AnswersAboutPeople
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.factories import SYSTEM, make_campaign, make_ready_version, make_version

pytestmark = pytest.mark.django_db

FIRST, END = date(2026, 1, 1), date(2026, 4, 1)
SOURCE = AnswersAboutPeople()


@pytest.fixture
def branch() -> Unit:
    return make_unit("riverside")


@pytest.fixture
def li() -> Staff:
    return make_staff("Li")


@pytest.fixture
def servqual() -> Campaign:
    version = make_ready_version("servqual")
    return make_campaign(version=version, mode=Campaign.Mode.CONFIDENTIAL)


def answer(
    campaign: Campaign,
    unit: Unit,
    staff: Staff | None,
    answers: Mapping[str, Any],
    *,
    on: date = date(2026, 3, 5),
    **over: Any,
) -> None:
    response = NewResponse(
        answers=answers,
        unit_id=unit.pk,
        staff_id=staff.pk if staff else None,
        answered_on=on,
        **over,
    )
    add_responses(campaign=campaign, responses=[response], origin=Response.Origin.API, now=NOW)


def collected(**over: Any) -> PersonAnswers:
    return SOURCE.collect(**{"first": FIRST, "end": END, **over})


def column(found: PersonAnswers, key: str) -> list[float]:
    place = [measure.key for measure in found.measures].index(key)
    values: list[float] = found.values[:, place].tolist()
    return values


def test_it_is_registered() -> None:
    assert isinstance(PERSON_SOURCES["surveys"], AnswersAboutPeople)


def test_servqual_says_four_things_about_a_person(servqual: Campaign) -> None:
    measures = SOURCE.measures()

    assert [measure.key for measure in measures] == [
        "servqual/overall",
        "servqual/responsiveness",
        "servqual/assurance",
        "servqual/empathy",
    ]
    assert [len(measure.questions) for measure in measures] == [6, 1, 3, 2]
    assert [measure.is_overall for measure in measures] == [True, False, False, False]
    assert {(measure.lowest, measure.highest) for measure in measures} == {(1.0, 7.0)}


def test_only_items_about_a_person_count_as_perceived(
    servqual: Campaign, branch: Unit, li: Staff
) -> None:
    personal = {"p12": 7, "p14": 6, "p16": 5, "p17": 4, "p20": 3, "p22": 2}
    others = {f"p{item}": 1 for item in (11, 13, 15, 18, 19, 21)}
    expected = {f"e{item}": 1 for item in (12, 14, 16, 17, 20, 22)}
    answer(servqual, branch, li, personal | others | expected)

    found = collected()

    assert found.values.tolist() == [[4.5, 7.0, 5.0, 2.5]]


def test_a_measure_is_there_when_half_of_its_items_were_answered(
    servqual: Campaign, branch: Unit, li: Staff
) -> None:
    answer(servqual, branch, li, {"p12": "na", "p14": 6, "p16": 4, "p20": 3})

    found = collected()

    # Four of six, none of one, two of three, one of two.
    assert column(found, "servqual/overall") == [(6 + 4 + 3) / 3]
    assert np.isnan(column(found, "servqual/responsiveness")).tolist() == [True]
    assert column(found, "servqual/assurance") == [5.0]
    assert column(found, "servqual/empathy") == [3.0]


def test_less_than_half_is_too_little(servqual: Campaign, branch: Unit, li: Staff) -> None:
    answer(servqual, branch, li, {"p14": 6, "p20": 3})

    found = collected()

    assert np.isnan(column(found, "servqual/overall")).tolist() == [True]
    assert np.isnan(column(found, "servqual/assurance")).tolist() == [True]
    assert column(found, "servqual/empathy") == [3.0]


def test_places_days_and_encounters_come_along(branch: Unit, li: Staff) -> None:
    campaign = make_campaign(mode=Campaign.Mode.CONFIDENTIAL)
    counter, retail = make_channel("counter"), make_segment("retail")
    answer(
        campaign, branch, li, {"p2": 6}, on=date(2026, 3, 9), encounter_key="E-1",
        channel_id=counter.pk, segment_id=retail.pk,
    )  # fmt: skip
    answer(campaign, branch, li, {"p2": 5}, on=date(2026, 3, 8))

    found = collected()

    assert found.on.tolist() == [date(2026, 3, 8), date(2026, 3, 9)]
    assert found.channel.tolist() == [0, counter.pk]
    assert found.segment.tolist() == [0, retail.pk]
    assert found.unit.tolist() == [branch.pk] * 2
    assert found.staff.tolist() == [li.pk] * 2
    assert list(found.encounter) == ["", "E-1"]
    assert column(found, "visit/overall") == column(found, "visit/care") == [5.0, 6.0]


def test_what_does_not_count_is_left_out(branch: Unit, li: Staff) -> None:
    version = make_version()
    campaign = make_campaign(version=version, mode=Campaign.Mode.CONFIDENTIAL)
    yearly = make_campaign(
        "yearly", version=version, mode=Campaign.Mode.CONFIDENTIAL, finest_grain="year"
    )
    nameless = make_campaign("nameless", version=version)
    answer(campaign, branch, None, {"p2": 1})
    answer(campaign, branch, li, {"p2": 1}, on=date(2025, 12, 31))
    answer(campaign, branch, li, {"p2": 1}, on=END)
    answer(yearly, branch, li, {"p2": 1})
    answer(nameless, branch, li, {"p2": 1})
    answer(campaign, branch, li, {"p2": 1})
    Response.objects.filter(campaign=campaign, answered_on=date(2026, 3, 5)).update(withdrawn=True)
    answer(campaign, branch, li, {"p2": 7})

    assert column(collected(), "visit/overall") == [7.0]


def test_an_answer_that_lost_its_privacy_does_not_name_a_person(branch: Unit, li: Staff) -> None:
    campaign = make_campaign(mode=Campaign.Mode.CONFIDENTIAL)
    answer(campaign, branch, li, {"p2": 7})
    Campaign.objects.filter(pk=campaign.pk).update(mode=Campaign.Mode.ANONYMOUS)

    assert len(collected()) == 0


def test_an_encounter_is_a_persons_from_a_share_of_eight_tenths_on(branch: Unit, li: Staff) -> None:
    campaign, chen = make_campaign(mode=Campaign.Mode.CONFIDENTIAL), make_staff("Chen")
    shares = {
        "alone": {li.pk: 10_000},
        "enough": {li.pk: 8_000, chen.pk: 2_000},
        "shared": {li.pk: 7_999, chen.pk: 2_001},
        "other": {chen.pk: 10_000},
    }
    rows = [encounter(key, branch, shares=share) for key, share in shares.items()]
    take_encounters(rows=rows, now=NOW)
    for value, key in enumerate([*shares, "unknown"], start=1):
        answer(campaign, branch, li, {"p2": value}, encounter_key=key)

    found = collected()

    assert sorted(column(found, "visit/overall")) == [1.0, 2.0, 5.0]
    assert sorted(found.encounter) == ["alone", "enough", "unknown"]


def test_an_older_version_counts_where_its_scale_is_the_same(branch: Unit, li: Staff) -> None:
    first = make_version()
    old = make_campaign("old", version=first, mode=Campaign.Mode.CONFIDENTIAL)
    answer(old, branch, li, {"p2": 3})
    version = draft_next_version(version=first, by=SYSTEM)
    publish_version(version=version, by=SYSTEM, now=NOW)
    new = make_campaign("new", version=version, mode=Campaign.Mode.CONFIDENTIAL)
    answer(new, branch, li, {"p2": 6}, on=date(2026, 3, 6))

    assert version.number == 2
    assert column(collected(), "visit/care") == [3.0, 6.0]
    assert [measure.key for measure in SOURCE.measures()] == ["visit/overall", "visit/care"]


def test_two_questionnaires_keep_their_measures_apart(
    servqual: Campaign, branch: Unit, li: Staff
) -> None:
    visits = make_campaign("others", mode=Campaign.Mode.CONFIDENTIAL)
    answer(servqual, branch, li, {"p12": 7})
    answer(visits, branch, li, {"p2": 5})

    found = collected()

    assert np.nansum(found.values, axis=0).tolist() == [0.0, 7.0, 0.0, 0.0, 5.0, 5.0]
    assert (~np.isnan(found.values)).sum() == 3


def test_some_people_are_asked_for_by_name(branch: Unit, li: Staff) -> None:
    campaign, chen = make_campaign(mode=Campaign.Mode.CONFIDENTIAL), make_staff("Chen")
    answer(campaign, branch, li, {"p2": 5})
    answer(campaign, branch, chen, {"p2": 6})

    few = collected(staff_ids=[chen.pk])
    many = collected(staff_ids=[chen.pk, *range(10**9, 10**9 + 2_000)])

    assert column(few, "visit/overall") == column(many, "visit/overall") == [6.0]
    assert len(collected(staff_ids=[])) == 0


def test_the_order_within_a_day_tells_nothing_and_stays(branch: Unit, li: Staff) -> None:
    campaign = make_campaign(mode=Campaign.Mode.CONFIDENTIAL)
    for value in range(1, 8):
        for _again in range(3):
            answer(campaign, branch, li, {"p2": value})
    by_key = [
        float(answers["p2"])
        for answers in Response.objects.order_by("key").values_list("answers", flat=True)
    ]

    assert column(collected(), "visit/overall") == by_key
    assert column(collected(), "visit/overall") == by_key


def test_it_asks_three_questions_of_the_database(
    servqual: Campaign,
    branch: Unit,
    li: Staff,
    django_assert_num_queries: Any,
) -> None:
    for day in range(1, 20):
        answer(servqual, branch, li, {"p12": 7}, on=date(2026, 3, day))
    SOURCE.measures()

    with django_assert_num_queries(3):
        collected()
