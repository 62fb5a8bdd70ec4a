"""Early warnings: found while a forecast passes a line, told once, gone when it no longer does."""

import re

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.base.periods import Grain, Period, title_of
from sqcore.identity.permissions import Permission, Role
from sqcore.indicators.models import UnitOfMeasure
from sqcore.monitoring.early_page import early_page, lines_in, trust_text
from sqcore.monitoring.foretelling import foretell, foretell_due
from sqcore.monitoring.forms import asked_warnings
from sqcore.monitoring.models import EarlyWarning, Signal
from sqcore.notices.models import Notice
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import Series, leaf, make_series
from sqcore.tests.monitoring.test_api import body
from sqcore.tests.monitoring.test_outlook import RISING
from sqcore.tests.monitoring.test_pages import page, person, words
from sqcore.tests.rest import make_key

pytestmark = pytest.mark.django_db

FLOOR = 15.6
"""Minutes that must never be exceeded; the series is at 14.2 to 15.2 in month 24."""


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


def months(north: Unit, values: list[float] | None = None, **over: object) -> Series:
    fields: dict[str, object] = {
        "unit_of_measure": UnitOfMeasure.MINUTES.value,
        "floor": FLOOR,
        **over,
    }
    bank = make_series(leaf("waiting", **fields), grain=Grain.MONTH)
    bank.put(north, RISING if values is None else values)
    return bank


def search(bank: Series, number: int) -> int:
    return foretell(system=bank.system, grain=bank.grain, now=bank.after(number))


def test_a_rise_toward_the_floor_is_warned_of_with_what_it_rests_on(north: Unit) -> None:
    bank = months(north)

    assert search(bank, 24) == 1

    warning = EarlyWarning.objects.get()
    assert (warning.state, warning.line, warning.line_at) == ("open", "floor", FLOOR)
    assert (warning.direction, warning.n) == (Signal.Direction.HIGH, 24)
    assert bank.start(25) <= warning.possible_on <= warning.crosses_on <= warning.horizon_on
    assert warning.low <= warning.forecast <= warning.high
    assert warning.high > FLOOR
    assert warning.last_on == bank.start(24)
    assert Signal.objects.count() == 0


def test_the_same_search_again_changes_nothing_and_tells_nobody_again(north: Unit) -> None:
    person("mei", Role.MANAGER, north)
    bank = months(north)
    search(bank, 24)
    before = EarlyWarning.objects.values().get()

    search(bank, 24)

    assert EarlyWarning.objects.values().get() == before
    notice = Notice.objects.get()
    assert notice.reader.username == "mei"
    assert notice.title["en"] == "Early warning: Waiting, North"


def test_without_a_floor_the_target_is_looked_at(north: Unit) -> None:
    bank = months(north, floor=None, target=FLOOR)

    search(bank, 24)

    assert EarlyWarning.objects.get().line == "target"


def test_none_without_a_line_or_far_from_it_or_for_what_goes_nowhere(north: Unit) -> None:
    nothing = months(north, floor=None)
    assert search(nothing, 24) == 0
    EarlyWarning.objects.all().delete()

    level = [9.0 + (at * 7 % 5 - 2) for at in range(24)]
    bank = make_series(leaf("waiting", floor=16.0), grain=Grain.MONTH, code="level")
    bank.put(north, level)
    assert search(bank, 24) == 0
    far = make_series(leaf("waiting", floor=500.0), grain=Grain.MONTH, code="far")
    far.put(north, level)
    assert search(far, 24) == 0


def test_it_comes_true_when_a_period_passes_the_line(north: Unit) -> None:
    bank = months(north)
    search(bank, 24)
    bank.put(north, [16.4], first=25)

    assert search(bank, 25) == 0

    warning = EarlyWarning.objects.get()
    assert (warning.state, warning.ended_on) == ("came_true", bank.start(25))


def test_it_passes_off_when_the_forecast_no_longer_passes_the_line(north: Unit) -> None:
    bank = months(north)
    search(bank, 24)
    bank.put(north, [8.0, 9.0, 8.0, 9.0, 8.0, 8.5, 8.0, 9.0, 8.0, 9.0], first=25)

    assert search(bank, 34) == 0

    warning = EarlyWarning.objects.get()
    assert (warning.state, warning.ended_on) == ("passed_off", bank.start(34))


def test_it_stays_while_its_newest_period_has_no_figure_until_its_time_is_over(north: Unit) -> None:
    bank = months(north)
    search(bank, 24)
    ahead = EarlyWarning.objects.get().horizon_on
    bank.put(make_unit("south"), [9.0] * 40)

    assert search(bank, 25) == 1

    last = next(number for number in range(25, 41) if bank.start(number) >= ahead)
    search(bank, last)
    assert EarlyWarning.objects.get().state == "passed_off"


def test_is_told_once_a_series_and_year(north: Unit) -> None:
    person("mei", Role.MANAGER, north)
    bank = months(north)
    search(bank, 24)
    EarlyWarning.objects.update(state="passed_off", ended_on=bank.start(24))

    search(bank, 24)

    assert EarlyWarning.objects.open().count() == 1
    assert Notice.objects.count() == 1


def test_is_due_when_there_are_other_figures(north: Unit) -> None:
    bank = months(north)
    assert foretell_due(now=bank.after(24)) == 0
    bank.watch(24)

    assert foretell_due(now=bank.after(24)) == 1
    assert foretell_due(now=bank.after(24)) == 0
    bank.put(north, [15.0], first=25)
    assert foretell_due(now=bank.after(25)) == 1


def test_a_search_costs_the_same_for_many_series(
    north: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    bank = months(north)
    for number in range(8):
        bank.put(make_unit(f"branch-{number}"), RISING)
    search(bank, 24)
    bank.put(north, [15.0], first=25)

    with django_assert_max_num_queries(40):
        search(bank, 25)


class TestShown:
    def test_on_home_of_who_sees_the_unit(self, north: Unit) -> None:
        search(months(north), 24)
        south = make_unit("south")

        text = words(page(person("mei", Role.MANAGER, north), "/"))
        other = words(page(person("chen", Role.MANAGER, south), "/"))

        assert "Early warnings If it goes on as it did" in text
        assert "Waiting · North" in text
        assert "what it must never exceed (15.6 min) in" in text
        assert "80 % interval" in text
        assert "from 24 months; erred by" in text
        assert "1 series is near enough to be forecast; by chance alone about 0.0" in text
        assert "How often such warnings come true is not known yet: 0 have ended" in text
        assert "Early warnings" not in other

    def test_above_the_list_of_signals(self, north: Unit) -> None:
        search(months(north), 24)

        text = words(page(person("ana", Role.ANALYST), "/quality/signals/"))

        assert "Not yet: what the forecast says will pass its floor or target" in text
        assert "Waiting · North" in text

    def test_over_rest_with_those_that_ended(self, north: Unit) -> None:
        search(months(north), 24)
        key = make_key(Permission.VIEW_RESULTS)

        (found,) = body("early-warnings", key)["results"]

        assert (found["system"], found["unit"], found["code"]) == ("bank", "north", "waiting")
        assert (found["line"], found["line_at"], found["direction"]) == ("floor", FLOOR, "high")
        assert found["confidence"] == 0.8
        assert body("early-warnings?state=came_true", key)["results"] == []
        assert body("early-warnings?unit=south", key)["results"] == []

    def test_how_often_they_came_true_is_told_once_five_have_ended(self) -> None:
        assert "not known yet: 4 have ended, it takes 5" in trust_text(3, 1)
        assert "Of 8 warnings that ended 6 came true (41 to 93 %, 95 % interval)" in trust_text(
            6, 2
        )


class TestPage:
    PATH = "/quality/early-warnings/"

    def test_says_when_which_line_is_passed_with_the_forecast_and_its_interval(
        self, north: Unit
    ) -> None:
        search(months(north), 24)
        warning = EarlyWarning.objects.get()

        shown = page(person("ana", Role.ANALYST), self.PATH)
        text = words(shown)

        period = title_of(Period(warning.crosses_on, Grain.MONTH))
        way = "probably in" if warning.expected_on else "perhaps from"
        assert f"{way} {period}" in text
        assert "what it must never exceed, 15.6 min" in text
        assert f"{warning.low:.1f} – {warning.high:.1f} (80 % interval); from 24 months" in text
        assert "How often such warnings come true is not known yet: 0 have ended" in text
        assert "/quality/charts/bank/north/waiting/?grain=month#outlook" in shown

    def test_can_be_asked_by_state_unit_and_indicator(self, north: Unit) -> None:
        bank = months(north)
        bank.put(make_unit("south"), RISING)
        search(bank, 24)
        EarlyWarning.objects.filter(unit=north).update(state="came_true", ended_on=bank.start(25))
        ana = person("ana", Role.ANALYST)

        def units(query: str) -> list[str]:
            shown = page(ana, self.PATH + query)
            return re.findall(r'<td data-label="Where"><a href="/quality/units/(\w+)/', shown)

        assert units("") == ["south"]
        assert units("?state=came_true") == ["north"]
        assert units("?state=all") == ["south", "north"]
        assert units("?state=all&unit=north") == ["north"]
        assert units("?unit=north") == []
        assert units("?code=nothing") == []
        assert units("?state=nonsense") == ["south"]
        came_true = words(page(ana, self.PATH + "?state=came_true"))
        assert "Came true in January 2026" in came_true
        assert "None of these There is no such early warning at the moment." in words(
            page(ana, self.PATH + "?unit=north")
        )

    def test_shows_only_the_units_that_somebody_sees(self, north: Unit) -> None:
        south = make_unit("south")
        search(months(north), 24)

        text = words(page(person("chen", Role.MANAGER, south), self.PATH))

        assert "No early warning so far" in text
        assert "Waiting" not in text

    def test_is_reached_from_home_and_from_the_signals(self, north: Unit) -> None:
        search(months(north), 24)
        ana = person("ana", Role.ANALYST)

        assert f'href="{self.PATH}"' in page(ana, "/")
        assert f'href="{self.PATH}"' in page(ana, "/quality/signals/")

    def test_costs_the_same_for_many(
        self, north: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        bank = months(north)
        for number in range(8):
            bank.put(make_unit(f"branch-{number}"), RISING)
        search(bank, 24)
        ana = principal_for(person("ana", Role.ANALYST), on=bank.start(25))
        ana.scope(Permission.VIEW_RESULTS)

        with django_assert_num_queries(6):
            shown = early_page(ana, asked_warnings({}))
            lines = lines_in(ana, list(shown.warnings))

        assert len(lines) == 9


def test_what_is_best_in_the_middle_is_not_warned_of(north: Unit) -> None:
    bank = months(north, worst=1.0, best=9.0, shape="nominal", dead_band=0.0)

    assert search(bank, 24) == 0
