"""Memory and season of series whose memory and season are known."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus
from sqcore.stats.seasonality import autocorrelation, season_of


def test_the_interval_holds_a_known_autocorrelation() -> None:
    drawn = np.random.default_rng(1946)
    held = 0
    for _each in range(300):
        noise = drawn.normal(size=74)
        series = np.zeros(74)
        for at in range(1, 74):
            series[at] = 0.6 * series[at - 1] + noise[at]
        found = autocorrelation(series[50:])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.6 <= found.high

    assert 0.90 <= held / 300 <= 0.98


def test_the_value_is_corrected_for_its_bias() -> None:
    values = [5, 6, 7, 6, 7, 5, 4, 5, 4, 3, 5, 6, 7, 6, 5, 4]
    deviation = np.array(values) - np.mean(values)
    plain = (deviation[1:] * deviation[:-1]).sum() / (deviation**2).sum()

    found = autocorrelation(values)

    assert found.value == pytest.approx((15 * plain + 1) / 11)
    assert found.n == 16


def test_only_true_neighbours_count() -> None:
    assert autocorrelation([1, np.nan] * 20).status == MethodStatus.INSUFFICIENT_N
    assert autocorrelation([1, 2, 1, 2, 1, 2, 1, 2, 1, np.nan, 5]).n == 10


def test_a_season_is_friedmans_test_by_iman_and_davenport() -> None:
    """Conover, Practical Nonparametric Statistics: F = (b - 1) T / (b (k - 1) - T)."""
    drawn = np.random.default_rng(1937)
    years = drawn.normal(size=(5, 4)) + np.array([0, 1, 2, 1])
    chi2 = scipy_stats.friedmanchisquare(*years.T).statistic
    f = 4 * chi2 / (5 * 3 - chi2)

    found = season_of(years.ravel(), 4)

    assert found.p == pytest.approx(scipy_stats.f.sf(f, 3, 12))
    assert (found.years, found.n) == (5, 20)


def test_effects_stand_where_counting_from_the_first_period_has_them() -> None:
    values = [7.0, 1, 5, 9, 5, 1, 5, 9, 5, 1, 5, 9, 5]  # a fourth quarter before three years

    found = season_of(values, 4)

    assert found.is_found
    assert found.effects == (0.0, -4.0, 0.0, 4.0)


def test_chance_has_a_season_in_one_of_fifty_at_most() -> None:
    drawn = np.random.default_rng(1980)

    found = [season_of(drawn.normal(size=36), 12).is_found for _each in range(400)]

    assert np.mean(found) < 0.03


def test_years_in_one_order_are_as_unlikely_as_that_order() -> None:
    assert season_of([1, 2, 3, 4] * 2, 4).p == pytest.approx(1 / 24)


def test_less_than_two_turns_are_too_short() -> None:
    assert season_of(range(7), 4).status == MethodStatus.TOO_SHORT
    assert season_of([], 4).status == MethodStatus.TOO_SHORT
    assert season_of([1, 2, np.nan, 4] * 3, 4).status == MethodStatus.TOO_SHORT


def test_a_constant_series_has_neither() -> None:
    assert season_of([3.0] * 12, 4).status == MethodStatus.ZERO_VARIANCE
    assert autocorrelation([3.0] * 12).status == MethodStatus.ZERO_VARIANCE


@given(
    values=st.lists(st.one_of(st.integers(-9, 9), st.sampled_from([np.nan, 1e15])), max_size=40),
    season=st.integers(2, 12),
)
def test_whatever_comes_there_is_a_number_or_a_reason(values: list[float], season: int) -> None:
    memory, seasonal = autocorrelation(values), season_of(values, season)

    assert (memory.value is None) == (memory.status != MethodStatus.OK)
    assert (seasonal.p is None) == (seasonal.status != MethodStatus.OK)
    if memory.value is not None:
        assert memory.low is not None
        assert memory.high is not None
        assert -1 <= memory.low <= memory.value <= memory.high <= 1
    if seasonal.p is not None:
        assert 0 <= seasonal.p <= 1


REFUSED: dict[str, Callable[[], object]] = {
    "a table": lambda: autocorrelation([[1.0]]),
    "infinite": lambda: season_of([np.inf], 4),
    "season of one": lambda: season_of([1.0], 1),
    "words": lambda: season_of(["a"], 4),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
