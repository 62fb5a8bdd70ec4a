"""Recursions against published and independent numbers; intervals against known processes."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.forecast import Crossing, ForecastPoint, crosses, forecast
from sqcore.stats.results import MethodStatus
from sqcore.stats.smoothing import Method, Weights, ahead, smoothed

# Hyndman and Athanasopoulos 2018, Forecasting, second edition, sections 7.1 and 7.2: oil of Saudi
# Arabia 1996 to 2013 with the levels of table 7.1, air passengers of Australia 1990 to 2016.
OIL = [
    445.36, 453.20, 454.41, 422.38, 456.04, 440.39, 425.19, 486.21, 500.43, 521.28, 508.95, 488.89,
    509.87, 456.72, 473.82, 525.95, 549.83, 542.34,
]  # fmt: skip
OIL_LEVELS = [
    445.57, 451.93, 454.00, 427.63, 451.32, 442.20, 428.02, 476.54, 496.46, 517.15, 510.31, 492.45,
    506.98, 465.07, 472.36, 517.05, 544.39, 542.68,
]  # fmt: skip
PASSENGERS = [
    17.55, 21.86, 23.89, 26.93, 26.89, 28.83, 30.08, 30.95, 30.19, 31.58, 32.58, 33.48, 39.02,
    41.39, 41.60, 44.66, 46.95, 48.73, 51.49, 50.03, 60.64, 63.36, 66.36, 68.20, 68.12, 69.78,
    72.60,
]  # fmt: skip


def _weights(level: float, trend: float = 0, season: float = 0, damping: float = 1) -> Weights:
    return Weights(*(np.array([float(each)]) for each in (level, trend, season, damping)))


def test_a_level_that_follows_is_that_of_the_book() -> None:
    path = smoothed(np.array(OIL), _weights(0.8339), level=446.5868)

    assert path.level[:, 0] == pytest.approx(OIL_LEVELS, abs=0.011)
    assert ahead(path, _weights(0.8339), 17, 0, 2) == pytest.approx([542.68, 542.68], abs=0.005)


def test_a_level_with_trend_is_that_of_the_book() -> None:
    weights = _weights(0.8321, 0.0001)

    path = smoothed(np.array(PASSENGERS), weights, level=15.57, trend=2.102)

    foretold = ahead(path, weights, 26, 0, 5)
    assert foretold == pytest.approx([74.60, 76.70, 78.80, 80.91, 83.01], abs=0.011)


@pytest.mark.parametrize("damping", [1.0, 0.9])
def test_a_season_follows_as_in_statsmodels(damping: float) -> None:
    drawn = np.random.default_rng(3)
    values = 20 + 0.3 * np.arange(40) + np.tile([3, -1, -4, 2], 10) + drawn.normal(size=40)
    effects = np.array([2.0, 0.0, -3.0, 1.0])
    weights = _weights(0.3, 0.1, 0.2, damping)

    path = smoothed(values, weights, level=20, trend=0.2, seasons=effects)

    model = ExponentialSmoothing(
        values, trend="add", damped_trend=damping < 1, seasonal="add", seasonal_periods=4,
        initialization_method="known", initial_level=20, initial_trend=0.2,
        initial_seasonal=effects,
    )  # fmt: skip
    numbers = {"smoothing_level": 0.3, "smoothing_trend": 0.1, "smoothing_seasonal": 0.2}
    if damping < 1:
        numbers["damping_trend"] = damping
    fitted = model.fit(optimized=False, **numbers)
    assert path.error[:, 0] == pytest.approx(fitted.resid)
    assert ahead(path, weights, 39, 0, 3) == pytest.approx(fitted.forecast(3))


def test_a_missing_period_teaches_nothing_and_time_goes_on() -> None:
    weights = _weights(0.5, 0.5)

    path = smoothed(np.array([2.0, np.nan, 6.0]), weights, level=0, trend=2)

    assert path.level[:, 0].tolist() == [2, 4, 6]
    assert path.error[:, 0].tolist() == [0, 0, 0]


def _series(kind: str, count: int, drawn: np.random.Generator) -> FloatArray:
    noise = drawn.normal(size=count)
    made = {
        "noise": noise,
        "walk": np.cumsum(noise),
        "trend": 0.3 * np.arange(count) + noise,
        "season": 3 * np.sin(2 * np.pi * np.arange(count) / 12) + noise,
    }
    return made[kind]


@pytest.mark.parametrize("kind", ["noise", "walk", "trend", "season"])
def test_the_interval_holds_about_what_it_says(kind: str) -> None:
    drawn = np.random.default_rng(2000)
    held = 0
    for _each in range(120):
        values = _series(kind, 51, drawn)
        found = forecast(values[:48], season=12 if kind == "season" else None)
        held += sum(
            point.low <= came <= point.high
            for point, came in zip(found.points, values[48:], strict=True)
        )

    assert 0.70 <= held / 360 <= 0.90


def test_the_method_follows_what_the_series_does() -> None:
    drawn = np.random.default_rng(4)

    steady = forecast(drawn.normal(size=60))
    rising = forecast(np.arange(60) + drawn.normal(size=60))
    turning = forecast(_series("season", 60, drawn), season=12)

    assert steady.method == Method.MEAN
    assert rising.method in (Method.HOLT, Method.DAMPED)
    assert turning.method in (Method.HOLT_WINTERS, Method.SEASONAL_NAIVE)
    for found in (steady, rising, turning):
        assert found.error is not None
        assert found.naive_error is not None
        assert found.error < found.naive_error


def test_a_series_that_wanders_is_foretold_by_its_last_value() -> None:
    drawn = np.random.default_rng(8)
    values = np.cumsum(drawn.normal(size=60))

    found = forecast(values)

    assert found.method == Method.NAIVE
    assert found.error == found.naive_error
    assert [point.value for point in found.points] == pytest.approx([values[-1]] * 3)


def test_the_tests_are_those_of_the_second_half() -> None:
    found = forecast([float(each % 5) for each in range(20)])

    assert (found.tests, found.n) == (10, 20)
    assert found.coverage.n == 7


def test_a_season_needs_two_turns_and_four_values_more() -> None:
    year = [0, 3, 9, 4, 1, 0, 5, 8, 2, 7, 6, 1]

    assert forecast(year * 2 + year[:3], season=12).method != Method.SEASONAL_NAIVE
    assert forecast(year * 2 + year[:4], season=12).method == Method.SEASONAL_NAIVE


def test_a_forecast_starts_after_the_newest_value() -> None:
    found = forecast([np.nan, 1, 2, 1, np.nan, 2, 1, 2, np.nan, np.nan], horizon=2)

    assert [point.at for point in found.points] == [8, 9]
    assert found.n == 6


def test_three_to_five_values_are_foretold_by_their_mean_untried() -> None:
    found = forecast([4, 5, 6], horizon=1)

    # t of 2 degrees of freedom at .9 is 1.8856; the spread is 1, of a further value sqrt(4 / 3).
    half = 1.8856 * np.sqrt(4 / 3)
    assert found.method == Method.MEAN
    assert found.points[0].value == pytest.approx(5)
    assert found.points[0].high - 5 == pytest.approx(half, abs=1e-3)
    assert (found.tests, found.error) == (0, None)
    assert found.coverage.status == MethodStatus.TOO_SHORT


@pytest.mark.parametrize("values", [[], [1], [1, 2], [np.nan] * 30])
def test_less_than_three_values_are_too_short(values: list[float]) -> None:
    found = forecast(values)

    assert (found.status, found.points, found.method) == (MethodStatus.TOO_SHORT, (), None)


def test_a_constant_series_has_no_error_to_learn_from() -> None:
    assert forecast([3.3] * 30).status == MethodStatus.ZERO_VARIANCE


def test_nothing_is_foretold_beyond_what_can_be() -> None:
    found = forecast([80, 84, 85, 90, 92, 95, 97, 99, 99.5, 100], horizon=6, bounds=(0, 100))

    assert max(point.high for point in found.points) == 100
    assert max(point.value for point in found.points) <= 100


def test_a_line_is_passed_possibly_then_probably_then_certainly() -> None:
    points = (
        ForecastPoint(8, 63, 61, 65),
        ForecastPoint(9, 60, 57, 63),
        ForecastPoint(10, 56, 53, 59),
    )
    found = replace(forecast([60, 61, 62, 60, 61, 62, 63, 62]), points=points)

    assert crosses(found, 60, below=True) == Crossing(possible=2, expected=3, certain=3)
    assert crosses(found, 64, below=False) == Crossing(possible=1, expected=None, certain=None)
    assert crosses(found, 50, below=True) == Crossing(None, None, None)
    assert crosses(forecast([1]), 50, below=True) == Crossing(None, None, None)


@given(
    values=st.lists(st.one_of(st.integers(-20, 20), st.sampled_from([np.nan, 1e9])), max_size=40),
    season=st.sampled_from([None, 4, 12]),
)
def test_whatever_comes_there_are_ordered_numbers_or_a_reason(
    values: list[float], season: int | None
) -> None:
    found = forecast(values, season=season, horizon=4)

    assert len(found.points) == (4 if found.status == MethodStatus.OK else 0)
    widths = [point.high - point.low for point in found.points]
    for point in found.points:
        assert np.isfinite(point.value)
        assert point.low <= point.value <= point.high
    assert all(b >= a * (1 - 1e-9) for a, b in itertools.pairwise(widths))


@given(
    values=st.lists(st.integers(-20, 20), min_size=6, max_size=30),
    shift=st.integers(-100, 100),
    scale=st.sampled_from([2.0, 8.0]),
)
def test_a_forecast_moves_and_stretches_with_the_values(
    values: list[int], shift: int, scale: float
) -> None:
    plain = forecast(values)
    moved = forecast([shift + scale * each for each in values])

    assert moved.status == plain.status
    if plain.error is not None and moved.method == plain.method:
        for one, other in zip(plain.points, moved.points, strict=True):
            assert other.value == pytest.approx(shift + scale * one.value, abs=1e-6)


REFUSED: dict[str, Callable[[], object]] = {
    "no horizon": lambda: forecast([1, 2, 3], horizon=0),
    "too far": lambda: forecast([1, 2, 3], horizon=61),
    "season of one": lambda: forecast([1, 2, 3], season=1),
    "confidence": lambda: forecast([1, 2, 3], confidence=0),
    "bounds": lambda: forecast([1, 2, 3], bounds=(1, 1)),
    "infinite": lambda: forecast([1, np.inf]),
    "a table": lambda: forecast([[1, 2], [3, 4]]),
    "too many": lambda: forecast(np.zeros(1001)),
    "a line at infinity": lambda: crosses(forecast([1]), np.inf, below=True),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
