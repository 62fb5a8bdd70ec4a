"""Counts per exposure against published limits and other libraries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Status
from sqcore.stats.rates import exposure_of, garwood, rate

# The 95 % limits of Garwood's table, 1936, as textbooks repeat them.
PUBLISHED = [
    (0, 0.000, 3.689),
    (1, 0.025, 5.572),
    (2, 0.242, 7.225),
    (3, 0.619, 8.767),
    (5, 1.623, 11.668),
    (10, 4.795, 18.390),
    (20, 12.217, 30.888),
    (30, 20.241, 42.827),
]

Counts = st.integers(min_value=0, max_value=5_000)
Exposures = st.floats(min_value=1e-3, max_value=1e6)


@pytest.mark.parametrize(("count", "low", "high"), PUBLISHED)
def test_published_limits_of_a_poisson_count(count: int, low: float, high: float) -> None:
    exact = garwood([count])

    assert exact.low[0] == pytest.approx(low, abs=5.1e-4)
    assert exact.high[0] == pytest.approx(high, abs=5.1e-4)


def test_limits_are_those_of_the_chi_square_form() -> None:
    counts = np.arange(1, 200)

    exact = garwood(counts, confidence=0.9)

    np.testing.assert_allclose(exact.low, stats.chi2.ppf(0.05, 2 * counts) / 2, rtol=1e-12)
    np.testing.assert_allclose(exact.high, stats.chi2.ppf(0.95, 2 * counts + 2) / 2, rtol=1e-12)


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(1936).poisson(3.4, 20_000)
    exact = garwood(drawn)

    inside = np.mean((exact.low <= 3.4) & (exact.high >= 3.4))

    assert 0.95 <= inside <= 0.985


@given(count=Counts, exposure=Exposures)
def test_a_rate_lies_within_its_interval(count: int, exposure: float) -> None:
    found = rate([count], [exposure])

    assert found.low[0] <= found.value[0] <= found.high[0]
    assert found.value[0] == pytest.approx(count / exposure)
    assert found.status[0] == Status.OK


@given(count=Counts, exposure=Exposures)
def test_another_unit_changes_nothing_but_the_numbers(count: int, exposure: float) -> None:
    plain, per_thousand = rate([count], [exposure]), rate([count], [exposure], unit=1000)

    for name in ("value", "se", "low", "high"):
        expected = 1000 * getattr(plain, name)
        np.testing.assert_allclose(getattr(per_thousand, name), expected, rtol=1e-12)


@given(count=Counts, exposure=Exposures)
def test_more_of_the_same_is_surer(count: int, exposure: float) -> None:
    once, thrice = rate([count], [exposure]), rate([3 * count], [3 * exposure])

    assert thrice.high[0] - thrice.low[0] < once.high[0] - once.low[0]


def test_without_exposure_there_is_no_rate() -> None:
    found = rate([0, 3], [0.0, 0.0], [0, 2])

    assert found.status.tolist() == [Status.NOT_APPLICABLE] * 2
    assert np.isnan([found.value, found.se, found.low, found.high]).all()


def test_records_are_counted_apart_from_events() -> None:
    found = rate([12, 0], [300.0, 300.0], [4, 4])

    assert found.n.tolist() == [4, 4]
    assert found.n_eff.tolist() == [27, 3]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40, 900, 250_000])
def test_what_was_counted_is_read_back_from_the_interval(count: int) -> None:
    found = rate([count], [321.5], unit=100)

    exposure = exposure_of(found.value, found.high - found.low)

    assert exposure[0] == pytest.approx(3.215, rel=1e-6)
    assert exposure[0] * found.value[0] == pytest.approx(count, rel=1e-6)


def test_nothing_is_read_back_from_no_interval() -> None:
    assert np.isnan(exposure_of([5.0, np.nan], [0.0, 2.0])).all()
    with pytest.raises(StatisticsError):
        exposure_of([-1.0], [1.0])
