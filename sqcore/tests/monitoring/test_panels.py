"""What Home, a unit and an indicator say of signals and charts."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sqcore.identity.permissions import Role
from sqcore.indicators.models import UnitOfMeasure
from sqcore.monitoring.models import Signal
from sqcore.org.models import Unit
from sqcore.tests.factories import make_unit, make_user
from sqcore.tests.monitoring.series import Series, leaf, make_series, quiet, shifted
from sqcore.tests.monitoring.test_pages import CHART, page, person, words

pytestmark = pytest.mark.django_db

UNIT = "/quality/units/north/"
INDICATOR = "/quality/indicators/waiting/?unit=north"
SAID = "5.4 min higher (3.0 sigma) · since about week 40 of 2024, found with week 44 of 2024"


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def bank(north: Unit) -> Series:
    """The alarm is in week 44, as in the tests of the pages."""
    bank = make_series(leaf("waiting", unit_of_measure=UnitOfMeasure.MINUTES.value, target=8.0))
    bank.put(north, shifted(quiet(60), 3, since=41), error=0.5)
    for run in bank.runs.values():
        run.tree = {str(north.pk): None}
        run.save()
    bank.watch(44)
    bank.watch(60)
    return bank


def found_now() -> None:
    Signal.objects.update(found_at=timezone.now() - timedelta(days=3))


class TestHome:
    def test_names_the_signals_of_the_last_weeks(self, bank: Series, north: Unit) -> None:
        found_now()

        html = page(person("mei", Role.MANAGER, north), "/")

        assert "New signals Found in the last four weeks" in words(html)
        assert f"Waiting · North {SAID} Ongoing" in words(html)
        assert f'href="{CHART}?grain=week"' in html

    def test_is_silent_when_they_are_older(self, bank: Series, north: Unit) -> None:
        assert "New signals" not in words(page(person("mei", Role.MANAGER, north), "/"))

    def test_is_silent_about_what_is_muted(self, bank: Series, north: Unit) -> None:
        found_now()
        mei = person("mei", Role.MANAGER, north)
        Signal.objects.update(
            muted_until=timezone.localdate() + timedelta(days=9), muted_by=mei, mute_reason="x"
        )

        assert "New signals" not in words(page(mei, "/"))

    def test_is_silent_about_the_units_of_others(self, bank: Series, north: Unit) -> None:
        found_now()
        chen = person("chen", Role.MANAGER, make_unit("south"))

        assert "New signals" not in words(page(chen, "/"))

    def test_who_sees_no_results_sees_none(self, bank: Series) -> None:
        found_now()

        assert "New signals" not in words(page(make_user("nobody"), "/"))


class TestUnit:
    def test_lists_its_open_signals(self, bank: Series, north: Unit) -> None:
        html = page(person("li", Role.STAFF, north), UNIT)

        assert "Open signals What changed here for the worse" in words(html)
        assert f"Waiting {SAID} Ongoing" in words(html)

    def test_says_nothing_when_there_is_none(self, bank: Series, north: Unit) -> None:
        Signal.objects.update(state="recovered", recovered_on=bank.start(60))

        assert "Open signals" not in words(page(person("li", Role.STAFF, north), UNIT))


class TestIndicator:
    def test_says_whether_it_really_changed(self, bank: Series, north: Unit) -> None:
        html = page(person("li", Role.STAFF, north), INDICATOR)

        assert "Did it really change? Worse: it went up The latest point is" in words(html)
        assert "Reaches its target by chance" in words(html)
        assert f'href="{CHART}?grain=week"' in html

    def test_a_part_of_the_customers_has_no_chart(self, bank: Series, north: Unit) -> None:
        html = page(person("li", Role.STAFF, north), f"{INDICATOR}&part=channel:counter")

        assert "Did it really change?" not in words(html)
