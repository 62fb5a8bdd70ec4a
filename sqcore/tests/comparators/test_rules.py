"""Which value stands for a period, and scores side by side on the same indicators."""

from datetime import date
from typing import Any

import pytest

from sqcore.base.periods import Grain, Period
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.comparators.rules import (
    OwnScore,
    Standing,
    compare,
    for_period,
    points_of,
    reading,
    roots_of,
    shares_of,
)
from sqcore.indicators.definition import COMPOSITE, DimensionDefinition, SystemDefinition
from sqcore.indicators.models import Indicator
from sqcore.tests.comparators.making import leaf, system_of

SOLVED = Indicator(pk=1, code="solved", statistic="proportion", unit_of_measure="share")
MARKET = Comparator(pk=1, code="market", name={"en": "Market"})


def value(number: float, **over: Any) -> ComparatorValue:
    fields: dict[str, Any] = {
        "comparator": MARKET,
        "indicator": SOLVED,
        "starts_on": date(2025, 1, 1),
        "ends_on": date(2026, 1, 1),
        "source": "Yearbook",
    }
    return ComparatorValue(value=number, **{**fields, **over})


def month(key: str) -> Period:
    return Period.parse(key)


class TestReading:
    @pytest.mark.parametrize(
        ("text", "found"),
        [("0.88", 0.88), ("88 %", 0.88), ("88%", 0.88), (" 0,5 ", 0.5), ("much", None), ("", None)],
    )
    def test_a_share_is_written_in_two_ways(self, text: str, found: float | None) -> None:
        assert reading(text, SOLVED) == found

    def test_what_is_kept_in_percent_stays(self) -> None:
        cost = Indicator(code="cost", statistic="mean", unit_of_measure="%")

        assert reading("12 %", cost) == 12
        assert reading("12", cost, in_percent=True) == 12
        assert reading("12", SOLVED, in_percent=True) == 0.12


class TestForAPeriod:
    def found(self, period: Period, *values: ComparatorValue) -> list[float]:
        by_comparator = for_period(values, period)
        return [each.value for found in by_comparator.values() for each in found.values()]

    def test_a_year_stands_for_each_of_its_months(self) -> None:
        assert self.found(month("2025-05"), value(0.8)) == [0.8]
        assert self.found(month("2026-01"), value(0.8)) == []

    def test_the_shorter_time_is_nearer(self) -> None:
        quarter = value(0.7, starts_on=date(2025, 4, 1), ends_on=date(2025, 7, 1))

        assert self.found(month("2025-05"), value(0.8), quarter) == [0.7]
        assert self.found(month("2025-08"), value(0.8), quarter) == [0.8]

    def test_less_than_half_of_a_period_is_too_little(self) -> None:
        short = value(0.7, starts_on=date(2025, 4, 17), ends_on=date(2025, 5, 1))
        half = value(0.7, starts_on=date(2025, 4, 16), ends_on=date(2025, 5, 1))

        assert self.found(month("2025-04"), short) == []
        assert self.found(month("2025-04"), half) == [0.7]

    def test_a_month_does_not_stand_for_its_year(self) -> None:
        may = value(0.7, starts_on=date(2025, 5, 1), ends_on=date(2025, 6, 1))

        assert self.found(Period(date(2025, 1, 1), Grain.YEAR), may) == []


class TestShares:
    def test_are_the_weights_of_the_whole_without_what_is_watched(self) -> None:
        care = DimensionDefinition("care", {}, 0.6, indicators=(leaf("a", 0.5), leaf("b", 0.5)))
        time = DimensionDefinition("time", {}, 0.4, indicators=(leaf("c", 1.0), leaf("d", 0.0)))
        system = SystemDefinition("service", {}, 1, (care, time))

        whole = shares_of(roots_of(system, COMPOSITE))
        part = shares_of(roots_of(system, "care"), alone=True)

        assert {code: weight for code, (_leaf, weight) in whole.items()} == {
            "a": pytest.approx(0.3), "b": pytest.approx(0.3), "c": pytest.approx(0.4),
        }  # fmt: skip
        assert {code: weight for code, (_leaf, weight) in part.items()} == {"a": 0.5, "b": 0.5}


class TestPoints:
    def test_lie_between_the_goalposts_of_the_indicator(self) -> None:
        assert points_of(leaf("a", 1.0), value(0.75, low=0.7, high=0.8)) == pytest.approx(
            (50.0, 40.0, 60.0)
        )
        assert points_of(leaf("a", 1.0), value(0.4)) == (0.0, 0.0, 0.0)

    def test_follow_the_shape_of_the_indicator(self) -> None:
        warmth = leaf("warmth", 1.0, worst=18.0, best=22.0, shape="nominal")

        assert points_of(warmth, value(23.0, low=21.0, high=24.0)) == (75.0, 50.0, 100.0)

    def test_turn_round_where_less_is_better(self) -> None:
        waits = leaf("wait", 1.0, worst=20.0, best=0.0)

        assert points_of(waits, value(5.0, low=4.0, high=8.0)) == pytest.approx((75.0, 60.0, 80.0))


class TestComparing:
    """Two indicators of three and one quarter of the weight: a 0.6, b 0.3, c 0.1."""

    shares = shares_of(
        roots_of(system_of(leaf("a", 0.6), leaf("b", 0.3), leaf("c", 0.1)), COMPOSITE)
    )
    own = {
        "a": OwnScore(80.0, 77.0, 83.0),
        "b": OwnScore(60.0, 57.0, 63.0),
        "c": OwnScore(50.0, 45.0, 55.0),
    }

    def test_both_sides_have_the_same_indicators_and_weights(self) -> None:
        market = {
            "a": value(0.85, low=0.83, high=0.87),  # 70 (66 to 74)
            "b": value(0.75, low=0.73, high=0.77),  # 50 (46 to 54)
        }

        found = compare(self.shares, self.own, market, published=OwnScore(72.0, 71.0, 73.0))

        assert found.standing == Standing.SHOWN
        assert found.coverage == pytest.approx(0.9)
        assert found.own is not None
        assert found.market is not None
        assert found.by is not None
        # 80 x 2/3 + 60 x 1/3, and not the published 72, which has c in it.
        assert (found.own.score, found.own.low, found.own.high) == pytest.approx(
            (73.3333, 70.3333, 76.3333), abs=1e-3
        )
        assert (found.market.score, found.market.low, found.market.high) == pytest.approx(
            (63.3333, 59.3333, 67.3333), abs=1e-3
        )
        # The root of 3^2 + 4^2 is 5.
        assert (found.by.score, found.by.low, found.by.high) == pytest.approx((10.0, 5.0, 15.0))
        assert found.is_clear

    def test_all_of_it_is_the_published_score(self) -> None:
        market = {code: value(0.85, low=0.83, high=0.87) for code in self.shares}

        found = compare(self.shares, self.own, market, published=OwnScore(71.0, 70.0, 72.0))

        assert (found.own, found.coverage) == (OwnScore(71.0, 70.0, 72.0), 1.0)

    def test_a_geometric_system_compares_geometrically(self) -> None:
        own = {"a": OwnScore(81.0, 81.0, 81.0), "b": OwnScore(64.0, 64.0, 64.0)}
        shares = shares_of(roots_of(system_of(leaf("a", 0.5), leaf("b", 0.5)), COMPOSITE))
        market = {"a": value(0.5 + 0.18), "b": value(0.5 + 0.5 * 0.25)}  # 36 and 25 points

        found = compare(shares, own, market, aggregation="geometric")

        assert found.own is not None
        assert found.market is not None
        assert found.own.score == pytest.approx(72.0)
        assert found.market.score == pytest.approx(30.0)

    def test_without_an_interval_there_nobody_knows_how_sure_it_is(self) -> None:
        market = {"a": value(0.85, low=0.83, high=0.87), "b": value(0.75)}

        found = compare(self.shares, self.own, market)

        assert found.market is not None
        assert found.market.score == pytest.approx(63.3333, abs=1e-3)
        assert found.market.bounded is None
        assert found.by is not None
        assert found.by.score == pytest.approx(10.0)
        assert found.by.bounded is None
        assert not found.is_clear

    def test_below_sixty_percent_of_the_weight_nothing_is_said(self) -> None:
        market = {"b": value(0.75), "c": value(0.75)}

        found = compare(self.shares, self.own, market)

        assert found.standing == Standing.COVERAGE
        assert found.coverage == pytest.approx(0.4)
        assert (found.own, found.market, found.by) == (None, None, None)

    def test_sixty_percent_are_enough(self) -> None:
        found = compare(self.shares, self.own, {"a": value(0.85)})

        assert found.standing == Standing.SHOWN
        assert found.coverage == pytest.approx(0.6)

    def test_what_is_withheld_here_is_not_compared(self) -> None:
        own = {"c": self.own["c"]}
        market = {code: value(0.85) for code in self.shares}

        assert compare(self.shares, own, market).standing == Standing.COVERAGE
        assert compare(self.shares, {}, market).standing == Standing.NOTHING
