"""The opener against published sums and run lengths, its table, and a simulation."""

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.arrays import FloatArray
from sqcore.stats.cusum import (
    Opener,
    average_run_length,
    between_sigma,
    false_alarms_a_year,
    h_for,
    in_table,
    openers,
    standardised,
)
from sqcore.stats.errors import StatisticsError

# Montgomery, example 9.1: centre 10, sigma 1, K = 0.5, H = 5.
WEIGHTS = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.2, 10.34,
    9.03, 11.47, 10.51, 9.4, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84,
    10.9, 9.33, 12.29, 11.5, 10.6, 11.08, 10.38, 11.62, 11.31, 10.52,
]  # fmt: skip
C_PLUS = [
    0, 0, 0, 1.16, 2.82, 2.5, 0.04, 1, 0, 0, 0, 0.97, 0.98, 0, 0, 0, 0.12, 0, 0, 0.34,
    0.74, 0, 1.79, 2.79, 2.89, 3.47, 3.35, 4.47, 5.28, 5.3,
]  # fmt: skip
C_MINUS = [
    0.05, 1.56, 1.77, 0, 0, 0, 1.46, 0, 0.3, 0, 0.47, 0, 0, 0.1, 0, 0.13, 0, 0, 0.98, 0,
    0, 0.17, 0, 0, 0, 0, 0, 0, 0, 0,
]  # fmt: skip
# CRAN spc, and Montgomery tables 9.3 and 9.11.
TWO_SIDED = [
    (4, 0.0, 167.683788813621),
    (5, 0.0, 465.44350603212),
    (5, 1.0, 10.375969921594),
    (5, 0.5, 37.996143189367),
]
# The reference table of the product: false alarms a weekly series-year.
REFERENCE = [
    (26, 0.0, {5: 0.139, 6: 0.081, 8: 0.033, 10: 0.014}),
    (26, 0.2, {5: 0.345, 6: 0.231, 8: 0.116, 10: 0.067}),
    (52, 0.0, {5: 0.099, 6: 0.049, 8: 0.012, 10: 0.005}),
]
ROWS = [(n0, phi, h, rate) for n0, phi, row in REFERENCE for h, rate in row.items()]

Point = st.one_of(st.just(np.nan), st.floats(-20, 20))
Series = st.integers(1, 60).flatmap(lambda points: arrays(float, (3, points), elements=Point))


def quiet_series(count: int, points: int, *, n0: int, seed: int) -> FloatArray:
    """Stationary series in sigma of their first n0 points, of which they are the rest."""
    drawn = np.random.default_rng(seed).standard_normal((count, n0 + points))
    base = drawn[:, :n0]
    moving = np.abs(np.diff(base, axis=1)).mean(axis=1) / 1.128379
    spread = np.maximum(moving, base.std(axis=1, ddof=1))
    return standardised(drawn[:, n0:], centre=base.mean(axis=1), sigma_between=spread)


def test_montgomery_9_1_alarms_at_the_29th_point() -> None:
    z = standardised([WEIGHTS], centre=10.0, sigma_between=1.0)

    both = openers(np.vstack([z, -z]), Opener(k=0.5, h=5, cool_down=0))

    np.testing.assert_allclose(both.height[0, :29], C_PLUS[:29], atol=1e-9)
    np.testing.assert_allclose(both.height[1], C_MINUS, atol=1e-9)
    assert np.flatnonzero(both.alarm[0]).tolist() == [28]
    assert not both.alarm[1].any()


def test_montgomery_9_1_without_reset_is_the_book_to_its_last_point() -> None:
    z = standardised([WEIGHTS], centre=10.0, sigma_between=1.0)

    never = openers(z, Opener(k=0.5, h=1000))

    np.testing.assert_allclose(never.height[0], C_PLUS, atol=1e-9)


def test_starts_from_0_after_an_alarm_and_shows_the_height_that_alarmed() -> None:
    found = openers([[5.0, 4.5, 1.5]], Opener(h=8.0))

    assert found.height.tolist() == [[4.5, 8.5, 1.0]]
    assert found.alarm.tolist() == [[False, True, False]]


def test_does_not_alarm_at_the_limit_itself() -> None:
    assert not openers([[8.5]], Opener(h=8.0)).alarm.any()


def test_goes_on_through_the_cool_down_and_alarms_when_it_is_over() -> None:
    found = openers([[9.0] * 16], Opener(h=8.0, cool_down=13))

    assert np.flatnonzero(found.alarm[0]).tolist() == [0, 14]
    assert found.height[0, 13] == 13 * 8.5
    assert found.height[0, 15] == 8.5


def test_a_shift_that_ended_leaves_no_alarm_after_the_cool_down() -> None:
    found = openers([[9.0, 9.0] + [0.0] * 30], Opener(h=8.0, cool_down=13))

    assert np.flatnonzero(found.alarm[0]).tolist() == [0]
    assert found.height[0, -1] == 0.0


def test_a_skipped_point_neither_counts_nor_resets_nor_ends_the_cool_down() -> None:
    z = np.array([9.0] + [9.0] * 13 + [9.0])
    gaps = np.insert(z, [1, 5, 14], np.nan)

    whole, gappy = openers([z]), openers([gaps])

    there = ~np.isnan(gaps)
    np.testing.assert_array_equal(gappy.alarm[0, there], whole.alarm[0])
    np.testing.assert_array_equal(gappy.height[0, there], whole.height[0])
    assert not gappy.alarm[0, ~there].any()
    assert gappy.height[0, 1] == 0.0
    assert gappy.height[0, 6] == gappy.height[0, 5] == 4 * 8.5


@given(Series, st.integers(0, 5))
def test_each_series_is_judged_alone_as_a_plain_loop_does(z: FloatArray, cool_down: int) -> None:
    rule = Opener(k=0.5, h=3.0, cool_down=cool_down)

    found = openers(z, rule)

    for series, points in enumerate(z):
        total, quiet = 0.0, 0
        for at, point in enumerate(points):
            alarms = False
            if not np.isnan(point):
                total = max(total + point - rule.k, 0.0)
                alarms = total > rule.h and quiet == 0
            assert found.height[series, at] == total
            assert found.alarm[series, at] == alarms
            quiet = cool_down if alarms else quiet - (quiet > 0 and not np.isnan(point))
            total = 0.0 if alarms else total


@given(Series)
def test_never_gives_nan_and_a_higher_limit_never_alarms_earlier(z: FloatArray) -> None:
    low, high = openers(z, Opener(h=2.0)), openers(z, Opener(h=4.0))

    assert np.isfinite(low.height).all()
    assert (low.height >= 0).all()
    assert (low.alarm.cumsum(axis=1) > 0)[high.alarm].all()


def test_knows_no_alarm_in_nothing() -> None:
    assert openers(np.empty((0, 104))).alarm.shape == (0, 104)
    assert openers(np.empty((3, 0))).height.shape == (3, 0)
    assert not openers(np.full((1, 9), np.nan)).alarm.any()


def test_a_point_of_few_answers_counts_less() -> None:
    z = standardised([[12.0, 12.0]], centre=9.0, sigma_between=0.9, errors=[[1.2, 4.0]])

    assert z.round(4).tolist() == [[2.0, 0.7317]]


def test_a_point_of_unknown_error_gets_the_usual_one_of_its_series() -> None:
    z = standardised([[12.0] * 3], centre=[9.0], sigma_between=[0.0], errors=[[3.0, 4.0, np.nan]])

    assert z[0, 2] == pytest.approx(3.0 / np.sqrt(12.5))


def test_a_series_without_errors_at_all_has_its_plain_sigma() -> None:
    z = standardised([[12.0]], centre=9.0, sigma_between=1.5, errors=[[np.nan]])

    assert z.tolist() == [[2.0]]


def test_a_missing_value_and_a_series_without_spread_stay_nan_and_never_alarm() -> None:
    z = standardised([[12.0, np.nan], [12.0, 99.0]], centre=9.0, sigma_between=[1.5, 0.0])

    np.testing.assert_array_equal(z, [[2.0, np.nan], [np.nan, np.nan]])
    assert not openers(z, Opener(h=0.5)).alarm[1].any()


def test_between_sigma_is_what_sampling_does_not_explain() -> None:
    spread, errors = [1.43, 1.0, 1.0], [[1.2471, 1.2471], [2.0, 2.0], [np.nan, np.nan]]

    found = between_sigma(spread, errors)

    assert found.round(2).tolist() == [0.7, 0.0, 1.0]


def test_the_opener_of_a_series_of_equal_errors_is_that_of_its_plain_spread() -> None:
    values, errors = np.array([[9.0, 12.0, 15.0]]), np.full((1, 3), 1.2)
    between = between_sigma([1.5], errors)

    z = standardised(values, centre=9.0, sigma_between=between, errors=errors)

    np.testing.assert_allclose(z, [[0.0, 2.0, 4.0]])


@pytest.mark.parametrize(("h", "shift", "published"), TWO_SIDED)
def test_published_run_lengths_of_the_two_sided_sum(
    h: float, shift: float, published: float
) -> None:
    assert average_run_length(0.5, h, shift, two_sided=True) == pytest.approx(published, rel=1e-6)


@pytest.mark.parametrize(("h", "published"), [(4, 335.4), (5, 930.9)])
def test_one_sided_run_lengths_are_twice_the_published_two_sided(
    h: float, published: float
) -> None:
    assert average_run_length(0.5, h) == pytest.approx(published, abs=0.05)


def test_a_run_length_is_finite_however_rare_the_alarm() -> None:
    assert average_run_length(2.0, 30.0) == 1e12
    assert average_run_length(0.5, 1.0, shift=19.0) == pytest.approx(1.0)


def test_the_simulated_run_length_is_the_computed_one() -> None:
    z = np.random.default_rng(1954).standard_normal((4_000, 900)) + 0.5

    alarm = openers(z, Opener(h=5.0)).alarm

    assert alarm.any(axis=1).all()
    first = alarm.argmax(axis=1) + 1.0
    assert first.mean() == pytest.approx(average_run_length(0.5, 5.0, 0.5), rel=0.05)


@pytest.mark.parametrize(("n0", "phi", "h", "rate"), ROWS)
def test_gives_the_reference_table_as_it_stands(n0: int, phi: float, h: float, rate: float) -> None:
    assert false_alarms_a_year(n0=n0, phi=phi, h=h) == rate
    assert in_table(n0=n0, phi=phi, h=h)


def test_the_simulated_false_alarms_are_those_of_the_table_at_26_points() -> None:
    z = quiet_series(20_000, 78, n0=26, seed=131)

    rate = openers(z).alarm.sum() / 20_000 * 52 / 78

    assert rate == pytest.approx(0.033, rel=0.2)


@given(st.integers(2, 300), st.floats(-0.9, 0.9), st.floats(1, 60))
def test_false_alarms_grow_with_phi_and_fall_with_h_and_the_baseline(
    n0: int, phi: float, h: float
) -> None:
    rate = false_alarms_a_year(n0=n0, phi=phi, h=h)

    assert 0 < rate < 2
    assert false_alarms_a_year(n0=n0, phi=min(phi + 0.05, 0.95), h=h) >= rate
    assert false_alarms_a_year(n0=n0, phi=phi, h=h + 1) <= rate
    assert false_alarms_a_year(n0=n0 + 5, phi=phi, h=h) <= rate


def test_reads_between_the_entries_on_the_logarithm() -> None:
    assert false_alarms_a_year(n0=26, phi=0, h=7) == pytest.approx(np.sqrt(0.081 * 0.033))
    assert false_alarms_a_year(n0=26, phi=0.1, h=8) == pytest.approx(np.sqrt(0.033 * 0.116))


def test_a_monthly_series_has_12_points_a_year() -> None:
    monthly = false_alarms_a_year(n0=26, phi=0, h=8, points_a_year=12)

    assert monthly == pytest.approx(0.033 * 12 / 52)


@pytest.mark.parametrize(
    ("n0", "phi", "h", "edge"),
    [(200, 0.0, 8.0, (104, 0.0, 8.0)), (26, 0.7, 8.0, (26, 0.6, 8.0)), (26, -0.3, 3, (26, 0, 4))],
)
def test_beyond_the_table_its_edge_holds(
    n0: int, phi: float, h: float, edge: tuple[int, float, float]
) -> None:
    at = dict(zip(("n0", "phi", "h"), edge, strict=True))

    assert false_alarms_a_year(n0=n0, phi=phi, h=h) == false_alarms_a_year(**at)  # type: ignore[arg-type]


def test_says_where_the_table_understates() -> None:
    assert in_table(n0=200, phi=-0.3, h=8)
    assert not in_table(n0=10, phi=0, h=8)
    assert not in_table(n0=26, phi=0.65, h=8)
    assert not in_table(n0=26, phi=0, h=3)


def test_the_limit_for_one_false_alarm_in_20_years_is_8_at_26_points() -> None:
    assert h_for(n0=26, phi=0.0) == 8
    assert h_for(n0=52, phi=0.0) == 6
    assert h_for(n0=26, phi=0.2) == 12
    assert h_for(n0=12, phi=0.6) == 40


@given(st.integers(12, 104), st.floats(0, 0.5), st.floats(0.02, 0.5))
def test_the_limit_keeps_its_promise_and_the_next_lower_does_not(
    n0: int, phi: float, a_year: float
) -> None:
    h = h_for(n0=n0, phi=phi, a_year=a_year)

    if h < 40:
        assert false_alarms_a_year(n0=n0, phi=phi, h=h) <= a_year
    if h > 4:
        assert false_alarms_a_year(n0=n0, phi=phi, h=h - 1) > a_year


def test_a_shift_of_three_sigma_is_told_within_nine_weeks() -> None:
    z = quiet_series(4_000, 22, n0=26, seed=40)
    z[:, 13:] += 5.0 / 1.43

    seen = openers(z)

    assert seen.alarm.any(axis=1).mean() >= 0.999


def test_ten_thousand_series_of_two_years_take_no_time() -> None:
    z = np.random.default_rng(0).standard_normal((10_000, 104))
    started = perf_counter()

    openers(z)

    assert perf_counter() - started < 2.0


REFUSED: dict[str, Callable[[], object]] = {
    "z of one series alone": lambda: openers([0.0]),
    "an infinite z": lambda: openers([[np.inf]]),
    "a negative allowance": lambda: Opener(k=-0.1),
    "a limit of 0": lambda: Opener(h=0.0),
    "a limit that is NaN": lambda: Opener(h=np.nan),
    "a negative cool-down": lambda: Opener(cool_down=-1),
    "a baseline of one": lambda: Opener(baseline=1),
    "flat values": lambda: standardised([1.0], centre=0.0, sigma_between=1.0),
    "an infinite value": lambda: standardised([[np.inf]], centre=0.0, sigma_between=1.0),
    "a centre that is NaN": lambda: standardised([[1.0]], centre=np.nan, sigma_between=1.0),
    "centres of other series": lambda: standardised([[1.0]], centre=[0, 0], sigma_between=1.0),
    "a negative sigma": lambda: standardised([[1.0]], centre=0.0, sigma_between=-1.0),
    "errors of other points": lambda: standardised(
        [[1.0]], centre=0.0, sigma_between=1.0, errors=[[1.0, 1.0]]
    ),
    "a negative error": lambda: standardised(
        [[1.0]], centre=0.0, sigma_between=1.0, errors=[[-1.0]]
    ),
    "a distance beyond all numbers": lambda: standardised(
        [[1e308]], centre=-1e308, sigma_between=1e-9
    ),
    "a spread that is negative": lambda: between_sigma([-1.0], [[1.0]]),
    "a spread that is NaN": lambda: between_sigma([np.nan], [[1.0]]),
    "a spread too many": lambda: between_sigma([1.0, 1.0], [[1.0]]),
    "an error that is infinite": lambda: between_sigma([1.0], [[np.inf]]),
    "a baseline of one point": lambda: false_alarms_a_year(n0=1, phi=0, h=8),
    "phi of 1": lambda: false_alarms_a_year(n0=26, phi=1, h=8),
    "phi that is NaN": lambda: h_for(n0=26, phi=np.nan),
    "an infinite limit": lambda: false_alarms_a_year(n0=26, phi=0, h=np.inf),
    "a year of no points": lambda: false_alarms_a_year(n0=26, phi=0, h=8, points_a_year=0),
    "no false alarm ever": lambda: h_for(n0=26, phi=0, a_year=0.0),
    "a run length without limit": lambda: average_run_length(0.5, np.inf),
    "a run length of a NaN shift": lambda: average_run_length(0.5, 5, np.nan),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
