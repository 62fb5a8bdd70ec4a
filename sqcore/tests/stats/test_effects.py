"""The check against hand-worked numbers, scipy, the reference's tables and simulation."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from sqcore.stats.arrays import FloatArray
from sqcore.stats.effects import (
    LEAST_AFTER,
    LEAST_BEFORE,
    LOOK_CONFIDENCE,
    Effect,
    EffectStatus,
    Verdict,
    autocorrelation,
    balancing_worse,
    mean_shift,
    periods_needed,
    restored,
    smallest_detectable,
    verdict,
)
from sqcore.stats.errors import StatisticsError

# The reference's smallest detectable effects in sigma, 24 points before.
DETECTABLE = {
    0.0: {4: 1.51, 6: 1.28, 8: 1.14, 12: 0.99, 26: 0.79},
    0.3: {4: 2.06, 6: 1.74, 8: 1.56, 12: 1.35, 26: 1.08},
}
CELLS = [(phi, n, size) for phi, row in DETECTABLE.items() for n, size in row.items()]
NO_DIFFERENCE = [9.0, 10.0, 11.0, 10.0] * 3
LOWER = [7.0, 8.0, 7.0, 6.0] * 2

Points = st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=40)
Gappy = st.lists(st.one_of(st.just(math.nan), st.floats(-1e6, 1e6)), max_size=40)


def an_effect(low: float, estimate: float, high: float, detectable: float = 1.0) -> Effect:
    found = mean_shift(NO_DIFFERENCE, LOWER)
    return replace(found, low=low, estimate=estimate, high=high, smallest_detectable=detectable)


def autoregressive(seed: int, series: int, points: int, phi: float) -> FloatArray:
    drawn = np.random.default_rng(seed).standard_normal((series, points))
    drawn[:, 1:] *= math.sqrt(1 - phi * phi)
    out: FloatArray = lfilter([1.0], [1.0, -phi], drawn, axis=1)
    return out


def share_wrong(seed: int, phi: float, *, before: int, after: int) -> float:
    """How often the interval excludes the truth, which is 0."""
    effects = [
        mean_shift(row[:before], row[before:])
        for row in autoregressive(seed, 1_000, before + after, phi)
    ]
    known = [e for e in effects if e.low is not None and e.high is not None]
    return float(np.mean([e.low > 0 or e.high < 0 for e in known]))  # type: ignore[operator]


def test_a_shift_worked_by_hand() -> None:
    # Residuals -1 0 1 0 on both sides: squares 8, no lag-1 products, so r = 0.
    found = mean_shift([9, 10, 11, 10] * 2, LOWER)

    phi = (16 * 0 + 1) / (16 - 4)
    df = 16 * (1 - phi) / (1 + phi) - 2
    sigma = math.sqrt(8 * (1 - phi) / (1 + phi) / df)
    half = stats.t.ppf(0.975, df) * sigma * math.sqrt((1 / 8 + 1 / 8) * (1 + phi) / (1 - phi))
    assert found.status is EffectStatus.OK
    assert (found.estimate, found.n_before, found.n_after) == (-3.0, 8, 8)
    assert found.phi == pytest.approx(phi)
    assert found.df == pytest.approx(df)
    assert found.sigma == pytest.approx(sigma)
    assert (found.low, found.high) == pytest.approx((-3 - half, -3 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(3 / half * stats.t.ppf(0.975, df), df))
    assert found.smallest_detectable == pytest.approx(2.80 * half / stats.t.ppf(0.975, df))


def test_without_autocorrelation_it_is_the_t_test() -> None:
    before, after = [1, 5, 2, 6, 1, 5, 2, 6], [3, 7, 2, 8, 3, 9]

    found = mean_shift(before, after)

    usual = stats.ttest_ind(after, before)
    interval = usual.confidence_interval(0.95)
    assert found.phi == 0.0
    assert found.df == 12
    assert found.p == pytest.approx(usual.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_residuals_of_both_sides_give_one_phi_and_a_step_gives_none() -> None:
    flat = mean_shift([1, 5, 2, 6] * 3, [1, 5, 2, 6] * 3)

    stepped = mean_shift([1, 5, 2, 6] * 3, [101, 105, 102, 106] * 3)

    assert stepped.phi == flat.phi == 0.0
    assert stepped.sigma == pytest.approx(flat.sigma)


def test_a_slow_series_has_a_wider_interval_than_a_quick_one() -> None:
    quick = mean_shift([1, 4, 2, 3, 1, 4, 2, 3, 1, 4, 2, 3], [2, 3, 1, 4] * 3)
    slow = mean_shift([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], [4, 4, 3, 3, 2, 2, 1, 1, 2, 3, 3, 2])

    assert quick.phi == 0.0
    assert slow.phi == 0.8
    assert slow.status is EffectStatus.TOO_DEPENDENT
    assert (slow.low, slow.high, slow.p, slow.smallest_detectable) == (None,) * 4


def test_seven_points_before_give_no_interval() -> None:
    found = mean_shift([9, 10, 11, 10, 9, 10, 11], LOWER)

    assert found.status is EffectStatus.TOO_FEW_BEFORE
    assert found.estimate == pytest.approx(-3.0)
    assert (found.low, found.high, found.sigma, found.phi) == (None,) * 4
    assert verdict(found, better=-1, minimum=1) == (Verdict.INCONCLUSIVE, "too_few_before")


def test_three_points_after_give_no_interval() -> None:
    found = mean_shift(NO_DIFFERENCE, [7, 8, 7])

    assert found.status is EffectStatus.TOO_FEW_AFTER
    assert verdict(found, better=-1, minimum=1) == (Verdict.INCONCLUSIVE, "too_few_after")


def test_nothing_at_all_has_no_estimate() -> None:
    found = mean_shift([], [math.nan])

    assert (found.status, found.estimate) == (EffectStatus.TOO_FEW_BEFORE, None)
    assert (found.n_before, found.n_after) == (0, 0)


def test_missing_points_are_not_counted() -> None:
    found = mean_shift([9, 10, math.nan, 11, 10] * 2, [*LOWER, math.nan])

    assert (found.n_before, found.n_after) == (8, 8)
    assert found.estimate == -3.0
    assert mean_shift([9, 10, 11, 10, 9, 10, 11, math.nan], LOWER).n_before == 7


def test_neighbours_across_a_gap_do_not_tell_the_autocorrelation() -> None:
    rising = [float(n) for n in range(20)]
    apart = [value for n in rising for value in (n, math.nan)]

    assert autocorrelation(rising) == 0.8
    assert autocorrelation(apart) == pytest.approx(1 / 16)


def test_a_constant_series_says_so() -> None:
    found = mean_shift([5.0] * 8, [5.1] * 8)

    assert found.status is EffectStatus.ZERO_VARIANCE
    assert found.estimate == pytest.approx(0.1)
    assert (found.low, found.sigma) == (None, 0.0)
    assert verdict(found, better=1, minimum=0) == (Verdict.INCONCLUSIVE, "zero_variance")


def test_rounding_is_not_variance() -> None:
    third = 0.1 + 0.2

    assert mean_shift([0.3, third] * 6, [third] * 8).status is EffectStatus.ZERO_VARIANCE


def test_one_constant_side_borrows_the_spread_of_the_other() -> None:
    found = mean_shift([9, 11, 9, 11, 9, 11, 9, 11], [5.0] * 8)

    assert found.status is EffectStatus.OK
    assert found.sigma == pytest.approx(math.sqrt(8 / 14))


@given(Gappy, Gappy, st.floats(0.5, 0.999))
def test_is_finite_wherever_it_is_ok_and_none_elsewhere(
    before: list[float], after: list[float], confidence: float
) -> None:
    found = mean_shift(before, after, confidence=confidence)

    interval = [found.low, found.high, found.df, found.p, found.smallest_detectable]
    if found.status is EffectStatus.OK:
        assert all(value is not None and math.isfinite(value) for value in interval)
        assert found.sigma is not None
        assert found.sigma > 0
        assert found.low <= found.estimate <= found.high  # type: ignore[operator]
        assert 0 <= found.p <= 1  # type: ignore[operator]
    else:
        assert interval == [None] * 5
    assert found.estimate is None or math.isfinite(found.estimate)
    assert verdict(found, better=1, minimum=1.0)[0] in Verdict


@given(Points, Points, st.floats(-100, 100), st.floats(0.1, 10))
def test_moves_and_scales_with_the_unit(
    before: list[float], after: list[float], shift: float, unit: float
) -> None:
    assume(np.std(before) > 0.01 and np.std(after) > 0.01)
    plain = mean_shift(before, after)
    other = mean_shift([unit * x + shift for x in before], [unit * x + shift for x in after])

    assert other.status is plain.status
    assert other.estimate == pytest.approx(unit * (plain.estimate or 0), abs=1e-6)
    if plain.low is not None:
        assert other.low == pytest.approx(unit * plain.low, rel=1e-6, abs=1e-6)


@given(Points, Points)
def test_turned_round_it_is_the_opposite(before: list[float], after: list[float]) -> None:
    there, back = mean_shift(before, after), mean_shift(after, before)

    assert there.status is back.status
    if there.low is not None and back.high is not None:
        assert there.low == pytest.approx(-back.high, abs=1e-9)
    up, down = verdict(there, better=1, minimum=1), verdict(back, better=-1, minimum=1)
    assert up == down


@given(Points, Points)
def test_more_confidence_is_a_wider_interval(before: list[float], after: list[float]) -> None:
    once, twice = mean_shift(before, after), mean_shift(before, after, confidence=LOOK_CONFIDENCE)

    assume(once.low is not None and once.high is not None)
    assert twice.low <= once.low  # type: ignore[operator]
    assert twice.high >= once.high  # type: ignore[operator]
    assert twice.p == once.p
    assert twice.smallest_detectable == pytest.approx(3.08 / 2.80 * once.smallest_detectable)  # type: ignore[operator]


@pytest.mark.parametrize(("phi", "least", "most"), [(0.0, 0.03, 0.06), (0.3, 0.04, 0.09)])
def test_is_wrong_about_as_often_as_it_says(phi: float, least: float, most: float) -> None:
    assert least <= share_wrong(12_20, phi, before=12, after=20) <= most


def improved(rows: FloatArray, before: slice, after: slice, minimum: float) -> float:
    said = [
        verdict(mean_shift(row[before], row[after]), better=-1, minimum=minimum)[0] for row in rows
    ]
    return said.count(Verdict.IMPROVED) / len(said)


def test_a_repaired_shift_is_seen_against_the_points_after_the_signal_only() -> None:
    waits = autoregressive(27, 500, 56, 0.0)
    waits[:, 24:36] += 2.7

    assert improved(waits, slice(0, 24), slice(36, 56), 0.0) <= 0.04
    assert improved(waits, slice(24, 36), slice(36, 56), 1.0) >= 0.99


def test_regression_to_the_mean_does_not_pass_for_an_improvement() -> None:
    """A bad spell ends by itself; the naive comparison would call it a success."""
    waits = 9 + 1.43 * autoregressive(61, 500, 104, 0.0)
    waits[:, 60:65] += 6.0

    naive = stats.ttest_ind(waits[:, 60:65], waits[:, 65:73], axis=1).pvalue
    assert (naive < 0.05).mean() >= 0.99
    assert improved(waits, slice(66, 78), slice(78, 98), 1.43) <= 0.01


@pytest.mark.parametrize(("phi", "n_after", "size"), CELLS)
def test_the_table_of_smallest_detectable_effects(phi: float, n_after: int, size: float) -> None:
    found = smallest_detectable(n_before=24, n_after=n_after, sigma=1.0, phi=phi)

    assert round(found, 2) == size


def test_the_smallest_detectable_effect_is_found_in_four_of_five_cases() -> None:
    size = smallest_detectable(n_before=52, n_after=26, sigma=1.0, phi=0.0)
    rows = autoregressive(80, 1_000, 78, 0.0)

    effects = [mean_shift(row[:52], row[52:] + size) for row in rows]

    assert np.mean([(e.low or 0.0) > 0 for e in effects]) == pytest.approx(0.80, abs=0.05)


@pytest.mark.parametrize(
    ("n_before", "phi", "needed"),
    [(24, 0.0, 12), (26, 0.0, 12), (12, 0.0, 23), (8, 0.0, 392), (24, 0.3, 38)],
)
def test_points_that_one_sigma_takes(n_before: int, phi: float, needed: int) -> None:
    found = periods_needed(effect=-1.0, n_before=n_before, sigma=1.0, phi=phi, most=500)

    assert found == needed


def test_there_is_no_check_date_at_the_limit_and_there_is_one_above_it() -> None:
    limit = 2.80 * 1.5 * math.sqrt(1.3 / (24 * 0.7))

    assert periods_needed(effect=limit, n_before=24, sigma=1.5, phi=0.3) is None
    assert periods_needed(effect=limit * 1.01, n_before=24, sigma=1.5, phi=0.3) is None
    assert periods_needed(effect=limit * 1.01, n_before=24, sigma=1.5, phi=0.3, most=10_000) == 1195


def test_nobody_waits_longer_than_two_years_nor_decides_on_three_points() -> None:
    assert periods_needed(effect=1.0, n_before=8, sigma=1.0, phi=0.0) is None
    assert periods_needed(effect=1.0, n_before=7, sigma=0.1, phi=0.0) is None
    assert periods_needed(effect=9.0, n_before=12, sigma=1.0, phi=0.0) == LEAST_AFTER


@given(st.floats(0.01, 10), st.integers(LEAST_BEFORE, 60), st.floats(0.1, 10), st.floats(0, 0.8))
def test_the_check_date_is_the_first_on_which_the_effect_can_be_seen(
    effect: float, n_before: int, sigma: float, phi: float
) -> None:
    def seen(n_after: int) -> float:
        return smallest_detectable(n_before=n_before, n_after=n_after, sigma=sigma, phi=phi)

    needed = periods_needed(effect=effect, n_before=n_before, sigma=sigma, phi=phi)

    if needed is None:
        assert seen(104) >= effect * (1 - 1e-9)
    else:
        assert seen(needed) <= effect * (1 + 1e-9)
        assert needed == LEAST_AFTER or seen(needed - 1) > effect * (1 - 1e-9)


@pytest.mark.parametrize(
    ("low", "estimate", "high", "detectable", "said"),
    [
        (1.5, 2.0, 2.5, 1.0, (Verdict.IMPROVED, "minimum_reached")),
        (0.1, 1.0, 1.9, 2.0, (Verdict.IMPROVED, "minimum_reached")),
        (0.1, 0.9, 1.7, 1.0, (Verdict.NO_CHANGE, "gain_below_minimum")),
        (0.1, 0.5, 0.9, 1.0, (Verdict.NO_CHANGE, "gain_below_minimum")),
        (-0.4, 0.2, 0.8, 1.2, (Verdict.NO_CHANGE, "minimum_excluded")),
        (-0.4, 0.8, 2.0, 1.2, (Verdict.INCONCLUSIVE, "underpowered")),
        (-0.1, 0.5, 1.1, 0.9, (Verdict.NO_CHANGE, "not_detected")),
        (0.0, 2.0, 4.0, 3.0, (Verdict.INCONCLUSIVE, "underpowered")),
        (-2.0, -1.0, -0.1, 3.0, (Verdict.WORSE, "interval_on_the_bad_side")),
        (-2.0, -1.0, 0.0, 0.9, (Verdict.NO_CHANGE, "minimum_excluded")),
    ],
)
def test_verdicts_of_both_directions(
    low: float, estimate: float, high: float, detectable: float, said: tuple[Verdict, str]
) -> None:
    more = an_effect(low, estimate, high, detectable)
    less = an_effect(-high, -estimate, -low, detectable)

    assert verdict(more, better=1, minimum=1.0) == said
    assert verdict(less, better=-1, minimum=1.0) == said


def test_restored_is_within_one_sigma_of_the_baseline_on_either_side() -> None:
    assert restored([10.43] * 9, centre=9.0, sigma=1.5)
    assert restored([8.0, math.nan, 8.0], centre=9.0, sigma=1.0)
    assert not restored([11.0] * 9, centre=9.0, sigma=1.5)
    assert not restored([7.0] * 9, centre=9.0, sigma=1.5)


def test_a_balancing_measure_is_worse_only_clearly_and_beyond_its_margin() -> None:
    slower = an_effect(0.5, 2.0, 3.5)

    assert balancing_worse(slower, better=-1, margin=1.0)
    assert not balancing_worse(slower, better=-1, margin=2.0)
    assert not balancing_worse(slower, better=1, margin=0.0)
    assert not balancing_worse(an_effect(-0.1, 2.0, 4.1), better=-1, margin=0.0)
    assert not balancing_worse(mean_shift([], LOWER), better=-1, margin=0.0)


def test_autocorrelation_corrects_its_bias() -> None:
    rows = autoregressive(36, 2_000, 52, 0.3)

    found = [autocorrelation(row) or 0.0 for row in rows]

    assert np.mean(found) == pytest.approx(0.3, abs=0.02)


def test_autocorrelation_of_two_stretches_by_hand() -> None:
    # Residuals -1 -1 1 1: the products within a stretch are 1, -1 and 1; r = 3 / 12.
    assert autocorrelation(*[[1, 1, 3, 3]] * 3) == pytest.approx((12 * 0.25 + 1) / (12 - 4))
    assert autocorrelation([1, 2, 3, 4, 5, 6, 7]) is None
    assert autocorrelation([5.0] * 30) is None
    assert autocorrelation() is None


OK = mean_shift(NO_DIFFERENCE, LOWER)
REFUSED: dict[str, Callable[[], object]] = {
    "a table of points": lambda: mean_shift([[1.0]], LOWER),
    "text": lambda: mean_shift(["a"], LOWER),
    "an infinite point": lambda: mean_shift(NO_DIFFERENCE, [math.inf]),
    "a point beyond squaring": lambda: mean_shift([1e101], LOWER),
    "a confidence of 95": lambda: mean_shift(NO_DIFFERENCE, LOWER, confidence=95),
    "an interval from two points": lambda: mean_shift(NO_DIFFERENCE, LOWER, least_after=2),
    "an infinite stretch": lambda: autocorrelation([math.inf] * 9),
    "a better of 0": lambda: verdict(OK, better=0, minimum=1.0),
    "a negative minimum": lambda: verdict(OK, better=1, minimum=-1.0),
    "a minimum that is NaN": lambda: verdict(OK, better=1, minimum=math.nan),
    "a negative margin": lambda: balancing_worse(OK, better=1, margin=-1.0),
    "a better of 2": lambda: balancing_worse(OK, better=2, margin=1.0),
    "restored without points": lambda: restored([math.nan], centre=9.0, sigma=1.0),
    "restored to NaN": lambda: restored([9.0], centre=math.nan, sigma=1.0),
    "restored within a negative sigma": lambda: restored([9.0], centre=9.0, sigma=-1.0),
    "no points before": lambda: smallest_detectable(n_before=0, n_after=9, sigma=1.0, phi=0.0),
    "a sigma of 0": lambda: smallest_detectable(n_before=9, n_after=9, sigma=0.0, phi=0.0),
    "a phi of 1": lambda: smallest_detectable(n_before=9, n_after=9, sigma=1.0, phi=1.0),
    "a negative phi": lambda: periods_needed(effect=1.0, n_before=9, sigma=1.0, phi=-0.1),
    "a power of 1": lambda: smallest_detectable(
        n_before=9, n_after=9, sigma=1.0, phi=0.0, power=1.0
    ),
    "less power than chance": lambda: periods_needed(
        effect=1.0, n_before=9, sigma=1.0, phi=0.0, power=0.04
    ),
    "an infinite effect": lambda: periods_needed(
        effect=math.inf, n_before=9, sigma=1.0, phi=0.0
    ),
    "a negative number of points": lambda: periods_needed(
        effect=1.0, n_before=-1, sigma=1.0, phi=0.0
    ),
    "a wait of no points": lambda: periods_needed(
        effect=1.0, n_before=9, sigma=1.0, phi=0.0, most=0
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
