"""Direction and slope against published numbers, all orders counted, and known trends."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus
from sqcore.stats.trend import (
    Trend,
    TrendMethod,
    mann_kendall,
    seasonal_mann_kendall,
    sen_slope,
)

# The flow of the Nile at Aswan, 1871 to 1970 (R datasets).
NILE = [
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960,
    1180, 799, 958, 1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694,
    940, 833, 701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821,
    768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010,
    771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918, 986,
    797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
]  # fmt: skip


def _ends(found: Trend) -> tuple[float, float]:
    assert found.slope.low is not None
    assert found.slope.high is not None
    return found.slope.low, found.slope.high


def test_the_nile_falls_as_pymannkendall_1_4_3_says() -> None:
    found = mann_kendall(NILE, independent=True)

    assert found.s == -1387
    assert found.variance == pytest.approx(112728.333333)
    assert found.z == pytest.approx(-4.128066522844101)
    assert found.p == pytest.approx(3.658262921657496e-05)
    assert found.tau == pytest.approx(-0.2802020202)
    assert found.slope.value == -2.6
    assert found.direction == -1


def test_years_that_resemble_each_other_make_the_nile_less_sure() -> None:
    plain, widened = mann_kendall(NILE, independent=True), mann_kendall(NILE)

    assert plain.is_doubtful
    assert plain.method == TrendMethod.NORMAL
    assert not widened.is_doubtful
    assert widened.method == TrendMethod.WIDENED
    assert widened.autocorrelation == pytest.approx(0.40, abs=0.01)
    assert (widened.s, widened.slope.value) == (plain.s, plain.slope.value)
    assert plain.p is not None
    assert widened.p is not None
    assert widened.p > plain.p
    widths = [ends[1] - ends[0] for ends in (_ends(plain), _ends(widened))]
    assert widths[0] < widths[1]


@pytest.mark.parametrize(
    "values", [[1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 2, 3, 3, 3, 4, 5], [2, 2, 2, 2, 1, 1, 3, 9]]
)
def test_up_to_ten_values_p_counts_every_order(values: list[float]) -> None:
    def score(order: tuple[float, ...]) -> int:
        return sum(int(np.sign(later - sooner)) for sooner, later in combinations(order, 2))

    found = mann_kendall(values)

    scores = Counter(score(order) for order in permutations(values))
    far = sum(count for each, count in scores.items() if abs(each) >= abs(found.s))
    assert found.method == TrendMethod.EXACT
    assert found.p == pytest.approx(far / sum(scores.values()))


def test_ten_values_have_the_exact_p_of_kendalls_tau() -> None:
    values = [3.0, 1, 4, 2, 6, 5, 9, 7, 8, 10]

    found = mann_kendall(values)

    kendall = scipy_stats.kendalltau(np.arange(10), values, method="exact")
    assert found.p == pytest.approx(kendall.pvalue)
    assert found.tau == pytest.approx(kendall.statistic)


def test_the_slope_is_theil_and_sens() -> None:
    values = [9, 10, 9, 11, 12, 11, 13, 14, 13, 15, 16, 15]

    assert sen_slope(values).value == pytest.approx(scipy_stats.theilslopes(values).slope)


def test_a_missing_period_is_a_step_of_two() -> None:
    found = sen_slope([0, 1, 2, np.nan, 4, 5, 6, 7, 8, 9])

    assert (found.value, found.low, found.high, found.n) == (1, 1, 1, 9)


def test_a_season_hides_no_trend_from_the_seasonal_test() -> None:
    months = np.arange(48)
    values = 10 * np.sin(2 * np.pi * months / 12) + 0.1 * months

    found = seasonal_mann_kendall(values, 12)

    assert found.s == 12 * 6
    assert found.variance == pytest.approx(12 * 4 * 3 * 13 / 18)
    assert found.slope.value == pytest.approx(1.2)
    assert found.direction == 1


def test_chance_has_a_direction_in_one_of_twenty_also_where_neighbours_resemble() -> None:
    drawn = np.random.default_rng(1945)
    noise = drawn.normal(size=(400, 86))
    alike = np.zeros_like(noise)
    for at in range(1, 86):
        alike[:, at] = 0.3 * alike[:, at - 1] + noise[:, at]

    of_noise = np.mean([mann_kendall(each[50:]).direction != 0 for each in noise])
    of_alike = np.mean([mann_kendall(each[50:]).direction != 0 for each in alike])
    plainly = np.mean([mann_kendall(each[50:], independent=True).direction != 0 for each in alike])

    assert of_noise < 0.07
    assert of_alike < 0.12
    assert plainly > of_alike


@pytest.mark.parametrize("count", range(8))
def test_fewer_than_eight_periods_are_too_short(count: int) -> None:
    found = mann_kendall(range(count))

    assert (found.status, found.p, found.slope.value) == (MethodStatus.TOO_SHORT, None, None)
    assert found.n == count


@pytest.mark.parametrize("value", [0.0, -3.0, 1e90, 0.1])
def test_a_constant_series_has_no_direction(value: float) -> None:
    for found in (mann_kendall([value] * 12), seasonal_mann_kendall([value] * 12, 4)):
        assert found.status == MethodStatus.ZERO_VARIANCE
        assert found.slope.status == MethodStatus.ZERO_VARIANCE


def test_less_than_three_turns_have_no_seasonal_direction() -> None:
    assert seasonal_mann_kendall(range(23), 12).status == MethodStatus.TOO_SHORT
    assert seasonal_mann_kendall(range(36), 12).direction == 1


Values = st.lists(
    st.one_of(st.integers(-50, 50), st.sampled_from([-1e12, 1e12, np.nan])),
    max_size=40,
)


@given(values=Values)
def test_whatever_comes_there_is_a_number_or_a_reason(values: list[float]) -> None:
    found = mann_kendall(values)

    assert (found.p is None) == (found.status != MethodStatus.OK)
    if found.p is not None:
        assert 0 <= found.p <= 1
        low, high = _ends(found)
        assert found.slope.value is not None
        assert low <= found.slope.value <= high


@given(values=st.lists(st.integers(-50, 50), min_size=8, max_size=30))
def test_backwards_and_upside_down_turn_the_direction(values: list[int]) -> None:
    def told(found: Trend) -> tuple[object, ...]:
        return found.direction, found.s, found.status

    there = mann_kendall(values, independent=True)
    back = mann_kendall(values[::-1], independent=True)
    down = mann_kendall([-each for each in values], independent=True)

    turned = (-there.direction, -there.s, there.status)
    assert told(back) == turned
    assert told(down) == turned


REFUSED: dict[str, Callable[[], object]] = {
    "a table": lambda: mann_kendall([[1, 2], [3, 4]]),
    "words": lambda: mann_kendall(["a", "b"]),
    "infinite": lambda: mann_kendall([1, np.inf]),
    "too huge": lambda: mann_kendall([1, 1e101]),
    "ragged": lambda: mann_kendall([[1], [2, 3]]),
    "too many": lambda: mann_kendall(np.zeros(5001)),
    "confidence": lambda: mann_kendall([1, 2], confidence=1),
    "season of one": lambda: seasonal_mann_kendall([1, 2], 1),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
