"""Where a series is going: below its chart, over REST, and what it does not do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import orjson
import pytest

from sqcore.base.periods import Grain
from sqcore.evaluation.wording import scale_of
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import system_principal
from sqcore.indicators.models import UnitOfMeasure
from sqcore.monitoring.charts import chart_of
from sqcore.monitoring.models import Annotation, Signal
from sqcore.monitoring.outlook import Outlook, outlook_of
from sqcore.monitoring.outlook_page import outlook_panel
from sqcore.monitoring.services import annotate
from sqcore.org.models import Unit
from sqcore.stats.results import MethodStatus
from sqcore.stats.rules import Variation
from sqcore.stats.smoothing import Method
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import MIDDLE, Series, leaf, make_series, quiet
from sqcore.tests.monitoring.test_pages import page, person, words
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")
LATER = date(2030, 1, 1)
RISING = [9.0 + 0.25 * at + (0.5 if at % 2 else -0.5) for at in range(24)]
"""Minutes: 0.25 more every month, to and fro by a minute."""

STEPPED = [(9.0 if at < 12 else 12.0) + at % 2 for at in range(24)]


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


def months(north: Unit, values: Sequence[float | None], **over: object) -> Series:
    fields: dict[str, object] = {
        "unit_of_measure": UnitOfMeasure.MINUTES.value,
        "statistic": "mean",
        **over,
    }
    bank = make_series(leaf("waiting", **fields), grain=Grain.MONTH)
    bank.put(north, values)
    return bank


def outlook(bank: Series, unit: Unit) -> Outlook:
    return outlook_of(chart_of(principal=EVERYBODY, key=bank.key(unit), today=LATER))


def facts(bank: Series, unit: Unit) -> dict[str, str]:
    chart = chart_of(principal=EVERYBODY, key=bank.key(unit), today=LATER)
    return dict(outlook_panel(chart, outlook_of(chart), scale_of(chart.leaf)).facts)


class TestOutlook:
    def test_a_steady_rise_has_a_direction_with_slope_and_interval(self, north: Unit) -> None:
        found = outlook(months(north, RISING), north)

        assert (found.trend.direction, found.n) == (1, 24)
        assert found.trend.slope.value == pytest.approx(0.25, abs=0.02)
        assert found.trend.slope.low is not None
        assert found.trend.slope.low > 0
        assert found.changes.is_gradual or not found.dated

    def test_the_next_periods_follow_the_newest_value(self, north: Unit) -> None:
        found = outlook(months(north, RISING), north)

        assert [each.period.key for each in found.ahead] == [
            *("2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"),
        ]
        assert all(each.point.low <= each.point.value <= each.point.high for each in found.ahead)

    def test_one_period_is_foretold_for_every_four_that_are_known(self, north: Unit) -> None:
        assert len(outlook(months(north, RISING[:13]), north).ahead) == 3

    def test_a_rise_toward_the_floor_is_a_warning(self, north: Unit) -> None:
        bank = months(north, RISING, target=8.0, floor=15.6)

        found = outlook(bank, north)

        (floor,) = [each for each in found.passings if each.line == "floor"]
        assert floor.is_worse
        assert floor.possible is not None
        assert floor.possible.key <= "2026-02"
        assert floor in found.told_passings

    def test_a_target_that_is_met_by_chance_is_no_warning(self, north: Unit) -> None:
        bank = months(north, [9.0 + (at * 7 % 5 - 2) for at in range(24)], target=9.5)

        found = outlook(bank, north)

        assert found.trend.direction == 0
        assert found.told_passings == ()

    def test_what_is_left_out_of_the_limits_is_left_out_here(self, north: Unit) -> None:
        bank = months(north, [*quiet(12), 900.0, *quiet(11)])
        annotate(
            kind=Annotation.Kind.EXCLUSION,
            unit=north,
            code="",
            starts_on=bank.start(13),
            ends_on=bank.period(13).end,
            text="The counter was closed",
            by=EVERYBODY,
            now=bank.after(24),
        )

        found = outlook(bank, north)

        assert found.n == 23
        assert max(each.point.high for each in found.ahead) < 20

    def test_a_short_series_says_so_in_every_part(self, north: Unit) -> None:
        found = outlook(months(north, [9.0, 10.0]), north)

        assert found.trend.status == MethodStatus.TOO_SHORT
        assert found.changes.status == MethodStatus.TOO_SHORT
        assert found.season.status == MethodStatus.TOO_SHORT
        assert found.memory.status == MethodStatus.INSUFFICIENT_N
        assert found.forecast.status == MethodStatus.TOO_SHORT
        assert (found.ahead, found.passings) == ((), ())

    def test_a_season_is_found_and_the_trend_compares_the_same_months(self, north: Unit) -> None:
        drawn = np.random.default_rng(7)
        wave = 10 + 4 * np.sin(2 * np.pi * np.arange(48) / 12) + 0.05 * np.arange(48)
        bank = months(north, (wave + 0.3 * drawn.normal(size=48)).tolist())

        found = outlook(bank, north)

        assert found.season.is_found
        assert found.slope_is_a_year
        assert found.trend.slope.value == pytest.approx(0.6, abs=0.15)
        assert found.forecast.method in (Method.HOLT_WINTERS, Method.SEASONAL_NAIVE)

    def test_it_opens_no_signal(self, north: Unit) -> None:
        bank = months(north, RISING, floor=15.6)

        outlook(bank, north)

        assert not Signal.objects.exists()


class TestWords:
    def test_direction_has_slope_interval_p_and_n(self, north: Unit) -> None:
        said = facts(months(north, RISING), north)["Direction"]

        assert said.startswith("Rises, which is worse, by 0.2")
        assert " min a month (95 % interval +0." in said
        assert "p < 0.001; 24 months)." in said

    def test_a_step_is_dated(self, north: Unit) -> None:
        values = [9.0, 9.4, 8.8, 9.2, 9.1, 8.7, 9.3, 8.9, 9.0, 9.2, 8.8, 9.1]
        said = facts(months(north, [*values, *(each + 5 for each in values)]), north)

        assert said["Likely change"] == (
            "Probably with January 2025: from about 9.0 min to about 14.0 min."
        )

    def test_too_short_is_said_with_what_is_there(self, north: Unit) -> None:
        said = facts(months(north, [9.0, 10.0, 9.0]), north)

        assert said["Direction"] == "Too short: a direction needs at least 8 periods, there are 3."
        assert said["Season"] == ("Too short: it takes two full years without gaps (24 periods).")
        assert said["Memory"] == "Too short: it takes 8 pairs of neighbouring periods."

    def test_equal_values_have_nothing_to_say(self, north: Unit) -> None:
        said = facts(months(north, [9.0] * 24), north)

        assert set(said.values()) == {"All periods have the same value."}


class TestPage:
    def test_shows_direction_change_forecast_and_warning(self, north: Unit) -> None:
        months(north, RISING, target=8.0, floor=15.6)

        html = page(
            person("mei", Role.MANAGER, north),
            "/quality/charts/bank/north/waiting/?grain=month",
        )

        text = words(html)
        assert "Trend and forecast" in text
        assert "Rises, which is worse, by" in text
        assert "what should never be missed (15.6 min)." in text
        assert "January 2026" in text
        assert "80 % interval" in text
        assert "A forecast opens no signal and no ticket." in text

    def test_the_runs_of_anhoej_are_told_in_words(self, north: Unit) -> None:
        months(north, STEPPED)

        html = page(
            person("mei", Role.MANAGER, north),
            "/quality/charts/bank/north/waiting/?grain=month&profile=anhoej",
        )

        assert "12 in a row on one side of the centre (by chance 8 at most)" in words(html)

    def test_a_series_whose_runs_are_no_chance_changed_in_its_pattern(self, north: Unit) -> None:
        bank = months(
            north, [9.0 + at % 2 for at in range(12)] + [12.0 + at % 2 for at in range(12)]
        )

        chart = chart_of(principal=EVERYBODY, key=bank.key(north), profile="anhoej", today=LATER)

        assert chart.runs is not None
        assert chart.runs.is_signal
        assert chart.variation in (Variation.NEITHER_HIGH, Variation.CONCERN_HIGH)

    @pytest.mark.parametrize("profile", ["nhs", "nelson", "western_electric", "ticket"])
    def test_other_profiles_read_no_runs(self, north: Unit, profile: str) -> None:
        bank = months(north, quiet(24))

        chart = chart_of(principal=EVERYBODY, key=bank.key(north), profile=profile, today=LATER)

        assert chart.runs is None
        assert chart.profile.key == profile


class TestRest:
    PATH = "charts/forecast?system=bank&unit=north&code=waiting&grain=month"

    def test_tells_the_same_with_n_and_version(self, north: Unit) -> None:
        months(north, RISING, floor=15.6)

        answer = get(self.PATH, make_key(Permission.VIEW_RESULTS))

        found = orjson.loads(answer.content)
        assert (found["n"], found["version"], found["better"]) == (24, 1, "low")
        assert (found["trend"]["direction"], found["trend"]["status"]) == ("up", "ok")
        assert found["trend"]["slope"]["n"] == 24
        assert found["forecast"]["version"] == 1
        assert found["forecast"]["tests"] == 12
        assert [each["period"] for each in found["forecast"]["periods"]][:2] == [
            "2026-01",
            "2026-02",
        ]
        (passing,) = found["forecast"]["passes"]
        assert (passing["line"], passing["worse"]) == ("floor", True)

    def test_too_short_has_reasons_and_no_numbers(self, north: Unit) -> None:
        months(north, [9.0, 10.0])

        found = orjson.loads(get(self.PATH, make_key(Permission.VIEW_RESULTS)).content)

        assert (found["trend"]["status"], found["trend"]["p"]) == ("too_short", None)
        assert (found["forecast"]["status"], found["forecast"]["periods"]) == ("too_short", [])

    def test_needs_the_series_and_the_right_to_see_it(self, north: Unit) -> None:
        months(north, RISING)
        key = make_key(Permission.VIEW_RESULTS)

        assert get("charts/forecast?system=bank", key).status_code == 400
        assert get(self.PATH.replace("north", "south"), key).status_code == 404
        assert get(self.PATH, make_key(Permission.VIEW_ORGANISATION)).status_code == 403


def test_what_is_best_in_the_middle_rises_and_gets_neither_better_nor_worse(north: Unit) -> None:
    bank = make_series(replace(MIDDLE, floor=12.0), grain=Grain.MONTH)
    bank.put(north, RISING)

    assert facts(bank, north)["Direction"].startswith("Rises by ")
    assert outlook(bank, north).passings == ()
