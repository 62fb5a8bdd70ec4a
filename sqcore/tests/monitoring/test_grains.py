"""Charts of quarters and years: drawn from what there is, and not watched."""

from datetime import date

import pytest
from django.test import Client

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import system_principal
from sqcore.monitoring.charts import Chart, chart_at
from sqcore.monitoring.forms import chosen_grain
from sqcore.monitoring.models import Baseline
from sqcore.monitoring.outlook import outlook_of
from sqcore.monitoring.outlook_page import season_text
from sqcore.monitoring.wording import status_text
from sqcore.org.models import Unit
from sqcore.stats.results import MethodStatus
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import Series, leaf, make_series, quiet
from sqcore.tests.monitoring.test_api import body
from sqcore.tests.monitoring.test_pages import client_of, page, person, words
from sqcore.tests.rest import make_key

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")
CHART = "/quality/charts/bank/north/waiting/"


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


def years(north: Unit, values: list[float | None]) -> Series:
    bank = make_series(leaf("waiting", unit_of_measure="min"), grain=Grain.YEAR)
    bank.put(north, values)
    return bank


def chart(bank: Series, unit: Unit) -> Chart:
    return chart_at(
        principal=EVERYBODY,
        system=bank.system,
        unit=unit,
        code="waiting",
        grain=bank.grain,
        today=date(2040, 1, 1),
    )


def test_seven_years_open_as_a_chart_with_trial_limits(north: Unit) -> None:
    found = chart(years(north, [12.0, 14.0, 11.0, 13.0, 15.0, 12.0, 14.0]), north)

    assert (found.limits.status, found.limits.n0, found.baseline) == ("trial", 7, None)
    assert found.limits.centre == pytest.approx(13.0)
    assert found.limits.sigma == pytest.approx(14 / 6 / 1.1283792)
    assert [str(point.seen.period.key) for point in found.points] == [
        *("2024", "2025", "2026", "2027", "2028", "2029", "2030")
    ]
    assert status_text(found) == "Trial limits from 7 periods: with fewer than 20 they are rough."


def test_four_years_are_drawn_without_limits_and_say_why(north: Unit) -> None:
    found = chart(years(north, [12.0, 14.0, None, 11.0, 13.0]), north)

    assert (found.limits.status, found.variation) == ("too_short", None)
    assert [point.upper for point in found.points] == [None] * 5
    said = "Limits need at least 5 periods with a figure; there are 4."
    assert status_text(found) == said


def test_years_have_no_season(north: Unit) -> None:
    found = chart(years(north, quiet(12)), north)
    outlook = outlook_of(found)

    assert (outlook.season.p, outlook.season.status) == (None, MethodStatus.TOO_SHORT)
    assert season_text(found, outlook) == (
        "Not looked for: seasons are read from weeks, months and quarters."
    )


def test_a_pass_freezes_nothing_of_years(north: Unit) -> None:
    years(north, quiet(30)).watch(30)

    assert not Baseline.objects.exists()


def test_the_page_of_quarters_says_that_they_are_not_watched(north: Unit) -> None:
    bank = make_series(leaf("waiting", unit_of_measure="min"), grain=Grain.QUARTER)
    bank.put(north, quiet(8))

    text = words(page(person("ana", Role.ANALYST), CHART + "?grain=quarter"))

    assert "Trial limits from 8 periods: with fewer than 20 they are rough." in text
    assert "No: signals are looked for in weeks and months." in text


def test_quarters_over_rest(north: Unit) -> None:
    bank = make_series(leaf("waiting"), grain=Grain.QUARTER)
    bank.put(north, quiet(8))

    found = body(
        "charts?system=bank&unit=north&code=waiting&grain=quarter",
        make_key(Permission.VIEW_RESULTS),
    )

    assert (found["grain"], found["kind"], len(found["points"])) == ("quarter", "xmr", 8)


def test_the_funnel_offers_the_grains_that_have_figures(north: Unit) -> None:
    bank = make_series(leaf("waiting"), grain=Grain.QUARTER)
    for code in ("a", "b", "c", "d"):
        bank.put(make_unit(code), quiet(4))

    page_of: Client = client_of(person("ana", Role.ANALYST))
    text = page_of.get("/quality/funnels/bank/waiting/?grain=week").content.decode()

    assert 'href="?grain=quarter"' in text
    assert 'href="?grain=week"' not in text


@pytest.mark.parametrize(
    ("asked", "grains", "found"),
    [
        ("year", [Grain.WEEK, Grain.YEAR], Grain.YEAR),
        ("", [Grain.DAY, Grain.MONTH, Grain.YEAR], Grain.MONTH),
        ("week", [Grain.DAY, Grain.QUARTER], Grain.DAY),
        ("", [Grain.QUARTER, Grain.YEAR], Grain.QUARTER),
        ("nonsense", [], Grain.MONTH),
    ],
)
def test_what_is_asked_for_is_shown_if_it_is_there(
    asked: str, grains: list[Grain], found: Grain
) -> None:
    assert chosen_grain(asked, grains) == found
