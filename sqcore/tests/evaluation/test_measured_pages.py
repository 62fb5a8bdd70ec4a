"""Pages of a bank in which measurements stand beside answers."""

import json
from datetime import date

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.services import evaluate_due
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import (
    BEFORE,
    SYSTEM,
    MemorySource,
    branch,
    indicator,
    months_later,
    tree_system,
)
from sqcore.tests.evaluation.test_pages import page, person, words
from sqcore.tests.factories import make_channel, make_unit
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(source: MemorySource, desk: MemorySource) -> Unit:
    """Two branches in January and February; in January nobody recorded errors."""
    root = make_unit("bank")
    units = [make_unit(code, parent=root) for code in ("north", "south")]
    make_channel("counter")
    indicator("errors", source="desk", statistic="proportion", direction="lower")
    said = indicator("satisfaction", source="memory", of="overall", stage="outcome")
    minutes = {"source": "desk", "direction": "lower", "unit_of_measure": "min"}
    waiting = indicator("waiting", stage="preparation", **minutes)
    handling = indicator("handling", stage="execution", **minutes)
    faultless = indicator("faultless", formula="1 - [errors]", unit_of_measure="share")
    set_target(indicator=waiting, value=20, floor=25, on=date(2026, 1, 1), by=SYSTEM, now=BEFORE)
    tree_system(
        [
            branch("experience", 0.4, Leaf(said, 1, 1, 7)),
            branch("process", 0.6, Leaf(waiting, 0.7, 30, 0), Leaf(faultless, 0.3, 0.5, 1)),
            branch("watched", 0, Leaf(handling, 0, 30, 0)),
        ],
        grains=["week", "month"],
        target=60.0,
    )
    for month in (1, 2):
        for at, unit in enumerate(units):
            for number in range(24):
                on = date(2026, month, 1 + number)
                source.add(unit, on, {"overall": 4 + number % 3}, channel="counter")
                errors = {"errors": int(number == 3)} if month == 2 else {}
                times = {"waiting": 60 * (8 + number % 5 + 2 * at), "handling": 300}
                desk.add(unit, on, {**times, **errors}, channel="counter")
    evaluate_due(now=months_later(2))
    return root


@pytest.fixture
def ana() -> User:
    return person("ana", Role.ANALYST)


def test_quality_shows_what_is_counted_the_target_and_the_stages(bank: Unit, ana: User) -> None:
    text = words(page(ana, "/quality/"))

    assert "48 answers · 100 % of the weight measured" in text
    assert "reached target 60.0" in text
    assert "New in it: Faultless." in text
    assert "48 encounters" in text
    assert "Preparation Waiting 10.9 min 1 of 1 reached" in text
    assert "Execution Handling 5.0 min –" in text


def test_a_unit_lists_its_indicators_with_verdicts_and_watched_ones(bank: Unit, ana: User) -> None:
    text = words(page(ana, "/quality/units/north/"))

    assert "9.9 min" in text
    assert "reached target 20.0 min, floor 25.0 min" in text
    assert "24 encounters 70 %" in text
    assert "24 encounters watched" in text


def test_an_indicator_that_is_measured_has_weeks(bank: Unit, ana: User) -> None:
    month = words(page(ana, "/quality/indicators/waiting/"))
    week = words(page(ana, "/quality/indicators/waiting/?grain=week"))

    assert "10.9 min" in month
    assert "Week" in month
    assert "week 8 of 2026" in week
    assert "14 encounters" in week
    assert "By channel" in week


def test_an_opinion_and_a_score_have_none(bank: Unit, ana: User) -> None:
    for code in ("satisfaction", "process", "composite"):
        text = words(page(ana, f"/quality/indicators/{code}/?grain=week"))
        assert "February 2026" in text
        assert "Week" not in text
    assert "Week" not in words(page(ana, "/quality/?grain=week"))


def test_a_formula_is_shown_with_what_it_is_computed_from(bank: Unit, ana: User) -> None:
    text = words(page(ana, "/quality/indicators/faultless/"))

    assert "1 - [Errors]" in text
    assert "Errors enters the formula and is not shown by itself" in text
    assert "95.8 %" in text


def test_what_is_watched_says_so(bank: Unit, ana: User) -> None:
    text = words(page(ana, "/quality/indicators/handling/"))

    assert "watched, in no score" in text
    assert "None: it is watched, and in no score." in text


def test_a_week_is_a_file_too(bank: Unit, ana: User) -> None:
    client = Client()
    client.force_login(ana)

    lines = client.get("/quality/indicators/waiting/series.csv?grain=week").content.decode()

    first, second, *_rest = lines.splitlines()
    assert first.endswith(",evaluation,counts,target,floor")
    assert ",week,2026-W02," in second
    assert second.endswith(",encounters,20.0,25.0")


def test_a_run_says_over_rest_what_its_series_mean(bank: Unit) -> None:
    run = EvaluationRun.objects.get(grain="month", starts_on="2026-02-01")

    series = json.loads(get(f"runs/{run.pk}", make_key(Permission.VIEW_RESULTS)).content)["series"]

    found = {each["code"]: each for each in series}
    assert list(found) == [
        *("composite", "experience", "process", "watched"),
        *("satisfaction", "waiting", "faultless", "handling"),
    ]
    assert (found["composite"]["counts"], found["composite"]["target"]) == ("answers", 60.0)
    assert (found["process"]["counts"], found["watched"]["weight"]) == ("encounters", 0.0)
    waiting = found["waiting"]
    assert (waiting["target"], waiting["floor"], waiting["unit_of_measure"]) == (20.0, 25.0, "min")
    assert (waiting["worst"], waiting["best"], waiting["stage"]) == (30.0, 0.0, "preparation")
    assert found["faultless"]["formula"] == "1 - [errors]"


@pytest.mark.parametrize("path", ["/quality/", "/quality/units/north/"])
def test_costs(
    bank: Unit, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = Client()
    client.force_login(person("mei", Role.MANAGER, bank))
    with django_assert_max_num_queries(19):
        client.get(path)
