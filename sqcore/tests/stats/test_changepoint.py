"""Steps of the Nile, of series made by hand, and how often chance looks like one."""

from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.changepoint import change_points
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus
from sqcore.tests.stats.test_trend import NILE


def test_the_nile_fell_after_1898_as_strucchange_says() -> None:
    """R strucchange breakpoints(Nile ~ 1): observation 28, between 25 and 32 (heterogeneous
    errors, no autocorrelation; here they are wider for it)."""
    found = change_points(NILE, least=15)

    (change,) = found.changes
    assert 1871 + change.at - 1 == 1898
    assert change.before == pytest.approx(1097.75)
    assert change.after == pytest.approx(849.972222222222)
    assert change.by.value == pytest.approx(849.972222222222 - 1097.75)
    assert change.earliest <= 25
    assert 31 <= change.latest <= 34
    assert not found.is_gradual
    split = np.split(np.array(NILE, dtype=float), [change.at])
    assert sum(((part - part.mean()) ** 2).sum() for part in split) == pytest.approx(
        1597457.1944444445
    )


def test_the_usual_penalty_and_least_length_find_the_same_step_of_the_nile() -> None:
    assert [each.at for each in change_points(NILE).changes] == [28]


@given(
    values=st.lists(st.integers(0, 20), min_size=6, max_size=11),
    penalty=st.sampled_from([5.0, 20.0, 80.0]),
)
def test_no_other_steps_are_better(values: list[int], penalty: float) -> None:
    """Every way of cutting the series into levels of two values or more is tried."""

    def cost(cuts: tuple[int, ...]) -> float:
        parts = np.split(np.array(values, dtype=float), cuts)
        return float(sum(((part - part.mean()) ** 2).sum() for part in parts)) + penalty * len(cuts)

    places = range(2, len(values) - 1)
    ways = [
        cuts
        for count in range(4)
        for cuts in combinations(places, count)
        if all(b - a >= 2 for a, b in pairwise(cuts))
    ]

    found = change_points(values, least=2, penalty=penalty)

    if found.status == MethodStatus.OK and len(found.changes) < 4:
        chosen = tuple(each.at for each in found.changes)
        assert cost(chosen) == pytest.approx(min(cost(cuts) for cuts in ways))


def test_there_and_back_are_two_steps() -> None:
    drawn = np.random.default_rng(5)
    values = drawn.normal(size=60) + np.repeat([0, 4, 0], 20)

    found = change_points(values)

    assert [each.at for each in found.changes] == [20, 40]
    assert [round(each.by.value or 0) for each in found.changes] == [4, -4]


def test_a_steady_rise_is_called_gradual() -> None:
    drawn = np.random.default_rng(6)

    found = change_points(drawn.normal(size=36) + 0.2 * np.arange(36))

    assert found.changes
    assert found.is_gradual


def test_missing_periods_close_up_and_the_place_is_that_of_the_series() -> None:
    found = change_points([5, 6, np.nan, 5, 4, 5, np.nan, 9, 10, 9, np.nan, 8, 9])

    assert [(each.at, each.before, each.after) for each in found.changes] == [(7, 5.0, 9.0)]


def test_chance_looks_like_a_step_in_one_of_ten_or_less() -> None:
    drawn = np.random.default_rng(1988)

    found = [bool(change_points(drawn.normal(size=36)).changes) for _each in range(300)]

    assert np.mean(found) < 0.13


def test_less_than_two_levels_are_too_short() -> None:
    found = change_points(range(9))

    assert (found.status, found.changes, found.sigma) == (MethodStatus.TOO_SHORT, (), None)


def test_a_constant_series_has_no_level_to_leave() -> None:
    assert change_points([7.0] * 20).status == MethodStatus.ZERO_VARIANCE


def test_a_step_without_noise_is_exact_and_finite() -> None:
    found = change_points([1.0] * 10 + [3.0] * 10)

    (change,) = found.changes
    assert (change.at, change.earliest, change.latest) == (10, 10, 10)
    assert (change.by.value, change.by.low, change.by.high) == (2, 2, 2)


@given(
    values=st.lists(
        st.one_of(st.integers(-50, 50), st.sampled_from([np.nan, -1e60, 1e60])), max_size=40
    )
)
def test_whatever_comes_there_are_places_inside_the_series(values: list[float]) -> None:
    for each in change_points(values).changes:
        assert 0 < each.earliest <= each.at <= each.latest < len(values)
        assert np.isfinite([each.before, each.after, each.by.low or 0, each.by.high or 0]).all()


REFUSED: dict[str, Callable[[], object]] = {
    "levels of one": lambda: change_points(range(20), least=1),
    "a negative penalty": lambda: change_points(range(20), penalty=-1),
    "an infinite value": lambda: change_points([np.inf] * 20),
    "too many": lambda: change_points(np.zeros(2001)),
    "a table": lambda: change_points([[1.0, 2.0]]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
