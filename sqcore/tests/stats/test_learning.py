"""The effect of training against published cases, hand-worked numbers, scipy and simulation."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.learning import (
    Change,
    Differences,
    Verdict,
    difference_from_changes,
    difference_in_differences,
    paired_gain,
    regression_to_the_mean,
    small_sample,
    standardised_difference,
    verdict,
)

# Student 1908, the sleep data of R.
SLEEP_FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

People = st.lists(st.floats(1, 7), min_size=2, max_size=30)
Pairs = st.lists(st.tuples(st.floats(1, 7), st.floats(1, 7)), min_size=2, max_size=30)


def a_course(
    rng: np.random.Generator, effect: float, *, by_lot: bool = True
) -> tuple[FloatArray, ...]:
    """Pick the 80 lowest of 240 by 33 answers; train 40; 16 answers before and 45 after.

    by_lot: the controls are the other 40; else all who were not trained, and the baseline is
        the window in which they were picked.
    """
    theta = rng.normal(5.3, 0.3, 240)
    picked, before, after = (theta + rng.normal(0, 1.1 / math.sqrt(n), 240) for n in (33, 16, 45))
    if by_lot:
        pool = rng.permutation(np.argsort(picked)[:80])
        trained, controls = pool[:40], pool[40:]
    else:
        trained, controls = np.split(np.argsort(picked), [40])
        before = picked
    after[trained] += effect
    return before[trained], after[trained], before[controls], after[controls], picked[trained]


def test_matches_the_sleep_data() -> None:
    found = paired_gain(SLEEP_FIRST, SLEEP_SECOND)

    assert found.t == pytest.approx(4.062127683382)
    assert found.p == pytest.approx(0.002832890197384)
    assert (found.low, found.high) == pytest.approx((0.700114236723, 2.459885763277))
    assert found.dz == pytest.approx(1.284557562591)
    assert found.g == pytest.approx(1.173924903514)
    assert (found.n, found.hake) == (10, None)


def test_hake_gain_of_the_reference() -> None:
    assert paired_gain([35, 45], [75, 65], most=100).hake == pytest.approx(0.5)


def test_who_had_everything_before_has_nothing_to_learn() -> None:
    found = paired_gain([10, 10, 10], [10, 9, 10], most=10)

    assert found.hake is None
    assert found.gain == pytest.approx(-1 / 3)


def test_equal_gains_have_no_interval() -> None:
    found = paired_gain([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])

    assert found.gain == pytest.approx(0.3)
    assert (found.low, found.high, found.t, found.p, found.dz, found.g) == (None,) * 6


@given(Pairs)
def test_a_gain_is_the_paired_t_test(pairs: list[tuple[float, float]]) -> None:
    before, after = zip(*pairs, strict=True)
    assume(np.std(np.subtract(after, before)) > 1e-3)

    found = paired_gain(before, after, most=7)

    usual = stats.ttest_rel(after, before)
    assert found.t == pytest.approx(usual.statistic, rel=1e-6)
    assert found.p == pytest.approx(usual.pvalue, rel=1e-6, abs=1e-12)
    interval = usual.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


@given(Pairs, st.floats(-50, 50), st.floats(0.1, 10))
def test_a_gain_scales_with_the_unit(
    pairs: list[tuple[float, float]], shift: float, unit: float
) -> None:
    before, after = np.array(pairs).T
    assume(np.std(after - before) > 1e-3)
    plain = paired_gain(before, after)

    other = paired_gain(unit * before + shift, unit * after + shift)

    assert other.gain == pytest.approx(unit * plain.gain, abs=1e-6)
    assert other.dz == pytest.approx(plain.dz, rel=1e-5, abs=1e-6)


def test_matches_borenstein_chapter_4() -> None:
    found = standardised_difference((103, 100), (5.5, 4.5), (50, 50))

    assert found.d == pytest.approx(0.5970, abs=5e-5)
    assert found.d_variance == pytest.approx(0.0418, abs=5e-5)
    assert small_sample(98) == pytest.approx(0.9923, abs=5e-5)
    assert found.g == pytest.approx(0.5924, abs=5e-5)
    assert found.g_variance == pytest.approx(0.0411, abs=5e-5)


@given(st.floats(3, 1e6))
def test_the_correction_for_few_people_is_about_its_short_form(df: float) -> None:
    assert small_sample(df) == pytest.approx(1 - 3 / (4 * df - 1), abs=0.005)


def test_two_people_say_nothing_of_the_spread() -> None:
    assert small_sample(1) == 0.0


def test_matches_the_banks_of_mississippi() -> None:
    """Angrist, Pischke 2015, Mastering 'Metrics, chapter 5: banks in business on 1 July in the
    sixth and the eighth district, 1929 to 1933; what was done in the sixth began in 1931."""
    sixth, eighth = [141.0, 135.0, 121.0, 113.0, 102.0], [169.0, 165.0, 132.0, 120.0, 111.0]
    cells = [years for each in (sixth, eighth) for years in (each[:2], each[2:])]
    pooled = math.sqrt(sum(float(np.var(cell)) * len(cell) for cell in cells) / 6)
    se = pooled * math.sqrt(1 / 2 + 1 / 3)

    def district(before: list[float], after: list[float]) -> Change:
        return Change(5, float(np.mean(before)), float(np.mean(after)), se)

    found = difference_from_changes(
        district(sixth[:2], sixth[2:]), district(eighth[:2], eighth[2:])
    )

    assert found.effect == pytest.approx(20.0, abs=1e-9)
    assert found.se == pytest.approx(10.929064207170002)
    assert found.low is not None
    assert found.low < 0
    first_year = (sixth[2] - sixth[1]) - (eighth[2] - eighth[1])
    assert first_year == 19.0


def test_matches_card_and_krueger_1994() -> None:
    new_jersey, pennsylvania = Change(309, 20.44, 21.03, 0.54), Change(75, 23.33, 21.17, 1.25)

    found = difference_from_changes(new_jersey, pennsylvania)

    # The printed 2.76 is of means that are not rounded.
    assert found.effect == pytest.approx(2.75)
    assert found.se == pytest.approx(1.36, abs=0.006)
    assert (found.trained, found.controls, found.pre_trend, found.naive_t) == (309, 75, None, None)


def test_the_example_of_the_reference_is_not_yet_known() -> None:
    # 100 a cell with a spread of 1: each change has a standard error of the root of .02.
    change = math.sqrt(0.02)

    found = difference_from_changes(
        Change(100, 3.90, 4.20, change), Change(100, 3.95, 4.05, change)
    )

    assert found.effect == pytest.approx(0.20)
    assert found.se == pytest.approx(0.20)
    assert found.low == pytest.approx(-0.194, abs=0.001)
    assert found.smallest_detectable == pytest.approx(2.80 * 0.20, abs=0.01)
    assert verdict(found.effect, found.low, found.high, minimum=0.25) is Verdict.NOT_YET_KNOWN


def test_differences_by_hand() -> None:
    found = difference_in_differences([3, 4, 5], [4, 6, 6], [4, 6], [4, 7])

    # Changes 1 2 1 and 0 1: means 4/3 and 1/2, variances of the means 1/9 and 1/4.
    assert found.effect == pytest.approx(5 / 6)
    assert found.se == pytest.approx(math.sqrt(1 / 9 + 1 / 4))
    assert found.df == pytest.approx((13 / 36) ** 2 / ((1 / 9) ** 2 / 2 + (1 / 4) ** 2))
    assert found.df is not None
    assert found.low == pytest.approx(5 / 6 - found.se * stats.t.ppf(0.975, found.df))
    assert (found.trained_before, found.trained_after) == pytest.approx((4, 16 / 3))
    assert (found.controls_before, found.controls_after) == (5, 5.5)
    assert found.naive_t == pytest.approx(4.0)
    assert found.naive_p == pytest.approx(stats.ttest_rel([4, 6, 6], [3, 4, 5]).pvalue)


@given(Pairs, Pairs)
def test_the_effect_is_welchs_test_of_the_changes(
    trained: list[tuple[float, float]], controls: list[tuple[float, float]]
) -> None:
    t, c = np.array(trained).T, np.array(controls).T
    assume(np.std(t[1] - t[0]) > 1e-3 and np.std(c[1] - c[0]) > 1e-3)

    found = difference_in_differences(t[0], t[1], c[0], c[1])

    usual = stats.ttest_ind(t[1] - t[0], c[1] - c[0], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high), rel=1e-6, abs=1e-6)


@given(Pairs, Pairs, st.floats(-2, 2))
def test_what_moves_everybody_is_no_effect(
    trained: list[tuple[float, float]], controls: list[tuple[float, float]], season: float
) -> None:
    t, c = np.array(trained).T, np.array(controls).T

    plain = difference_in_differences(t[0], t[1], c[0], c[1])
    moved = difference_in_differences(t[0], t[1] + season, c[0], c[1] + season)

    assert moved.effect == pytest.approx(plain.effect, abs=1e-9)
    assert moved.se == pytest.approx(plain.se, abs=1e-9)


@given(Pairs, Pairs)
def test_equal_weights_are_no_weights(
    trained: list[tuple[float, float]], controls: list[tuple[float, float]]
) -> None:
    t, c = np.array(trained).T, np.array(controls).T

    plain = difference_in_differences(t[0], t[1], c[0], c[1])
    same = difference_in_differences(
        t[0], t[1], c[0], c[1],
        trained_weights=[7.0] * len(trained), controls_weights=[0.5] * len(controls),
    )  # fmt: skip

    assert same.effect == pytest.approx(plain.effect, abs=1e-9)
    assert same.se == pytest.approx(plain.se, rel=1e-6, abs=1e-9)


def test_weights_count_the_surer_person_more() -> None:
    found = difference_in_differences(
        [3, 3, 3], [4, 4, 3], [3, 3], [3, 3.1], trained_weights=[1, 1, 2]
    )

    assert found.trained_after == pytest.approx(3.5)
    assert found.effect == pytest.approx(0.45)


def test_changes_that_are_all_the_same_have_no_interval() -> None:
    found = difference_in_differences([3, 4], [3.5, 4.5], [3, 4], [3, 4])

    assert found.effect == pytest.approx(0.5)
    assert (found.low, found.high, found.df, found.smallest_detectable) == (None,) * 4
    assert (found.naive_t, found.naive_p) == (None, None)
    assert verdict(found.effect, found.low, found.high, minimum=0) is Verdict.NOT_YET_KNOWN


def test_the_trend_before_is_the_difference_of_slopes() -> None:
    trained = [[3.0, 3.2, 3.4], [4.0, 4.1, 4.2], [5.0, math.nan, 5.6], [4.0, math.nan, math.nan]]
    controls = [[3.0, 3.0, 3.1], [4.0, 4.0, 3.9]]

    found = difference_in_differences(
        [3, 4, 5, 4], [4, 4, 6, 4.5], [3, 4], [3, 4.1], pre_windows=(trained, controls)
    ).pre_trend

    assert found is not None
    # Slopes .2 .1 .3 and .05 -.05; who has one window has none.
    assert found.effect == pytest.approx(0.2)
    assert found.low < 0.2 < found.high
    usual = stats.ttest_ind([0.2, 0.1, 0.3], [0.05, -0.05], equal_var=False)
    assert found.low == pytest.approx(usual.confidence_interval().low)


def test_no_trend_is_known_of_one_person() -> None:
    found = difference_in_differences(
        [3, 4], [4, 4], [3, 4], [3, 4.1],
        pre_windows=([[3.0, math.nan], [3.0, 3.1]], [[3.0, 3.0], [3.0, 3.1]]),
    )  # fmt: skip

    assert found.pre_trend is None


def wrongly_effective(by_lot: bool, effect: float) -> tuple[float, float, float]:
    """Return how often the interval is above 0, the verdict is effective, the naive test is so."""
    rng = np.random.default_rng(2018)
    found: list[Differences] = []
    for _ in range(400):
        tb, ta, cb, ca, picked = a_course(rng, effect, by_lot=by_lot)
        found.append(difference_in_differences(tb, ta, cb, ca, selected=picked))
    above = np.mean([(each.low or 0.0) > 0 for each in found])
    said = [verdict(e.effect, e.low, e.high, minimum=0.25) for e in found]
    effective = np.mean([each is Verdict.EFFECTIVE for each in said])
    naive = np.mean([(each.naive_p or 1.0) < 0.05 for each in found])
    return float(above), float(effective), float(naive)


def test_a_useless_course_passes_the_naive_comparison_and_not_this_one() -> None:
    above, effective, naive = wrongly_effective(True, 0.0)

    assert above <= 0.045
    assert effective <= 0.03
    assert naive >= 0.5


def test_a_useless_course_works_if_the_controls_are_all_the_others() -> None:
    assert wrongly_effective(False, 0.0)[0] >= 0.9


def test_a_course_that_works_is_found() -> None:
    above, effective, _ = wrongly_effective(True, 0.5)

    assert above >= 0.98
    assert effective >= 0.95


@pytest.mark.parametrize(
    ("low", "effect", "high", "said"),
    [
        (0.1, 0.5, 0.9, Verdict.EFFECTIVE),
        (0.1, 0.25, 0.4, Verdict.EFFECTIVE),
        (0.1, 0.2, 0.3, Verdict.NOT_YET_KNOWN),
        (0.05, 0.1, 0.15, Verdict.NOT_EFFECTIVE),
        (-0.2, 0.0, 0.2, Verdict.NOT_EFFECTIVE),
        (0.0, 0.3, 0.6, Verdict.NOT_YET_KNOWN),
        (-0.2, 0.1, 0.25, Verdict.NOT_YET_KNOWN),
        (-0.6, -0.3, 0.0, Verdict.NOT_EFFECTIVE),
        (-0.6, -0.3, -0.1, Verdict.HARMFUL),
    ],
)
def test_verdicts_of_both_directions(low: float, effect: float, high: float, said: Verdict) -> None:
    assert verdict(effect, low, high, minimum=0.25) is said
    assert verdict(-effect, -high, -low, minimum=0.25, better=-1) is said


def test_the_gain_that_chance_alone_brings() -> None:
    assert regression_to_the_mean(3.6, 4.1, 0.5) == pytest.approx(0.25)
    assert regression_to_the_mean([3.6, 4.1, 4.6], 4.1, [1.0, 0.3, 0.0]) == pytest.approx(
        [0.0, 0.0, -0.5]
    )


@given(People, st.floats(1, 7))
def test_perfect_results_do_not_regress(observed: list[float], mean: float) -> None:
    assert not regression_to_the_mean(observed, mean, 1.0).any()


SIDE = Change(9, 4.0, 4.1, 0.1)
REFUSED: dict[str, Callable[[], object]] = {
    "one person": lambda: paired_gain([1], [2]),
    "another length": lambda: paired_gain([1, 2], [2]),
    "a table": lambda: paired_gain([[1, 2]], [[2, 3]]),
    "a result that is missing": lambda: paired_gain([1, math.nan], [2, 3]),
    "more than the most": lambda: paired_gain([1, 2], [2, 11], most=10),
    "a level of 95": lambda: paired_gain([1, 2], [2, 4], level=95),
    "no degrees of freedom": lambda: small_sample(0.5),
    "degrees of freedom that are NaN": lambda: small_sample(math.nan),
    "a group of one": lambda: standardised_difference((1, 2), (1, 1), (1, 9)),
    "groups without spread": lambda: standardised_difference((1, 2), (0, 0), (9, 9)),
    "a negative spread": lambda: standardised_difference((1, 2), (-1, 1), (9, 9)),
    "a side of one": lambda: difference_from_changes(Change(1, 1.0, 2.0, 0.1), SIDE),
    "a negative error": lambda: difference_from_changes(SIDE, Change(9, 1.0, 2.0, -0.1)),
    "a mean that is NaN": lambda: difference_from_changes(SIDE, Change(9, math.nan, 2.0, 0.1)),
    "one trained": lambda: difference_in_differences([1], [2], [1, 2], [1, 2]),
    "one control": lambda: difference_in_differences([1, 2], [2, 4], [1], [2]),
    "an after of others": lambda: difference_in_differences([1, 2], [2], [1, 2], [1, 2]),
    "a weight of 0": lambda: difference_in_differences(
        [1, 2], [2, 4], [1, 2], [1, 2], trained_weights=[0, 1]
    ),
    "weights of others": lambda: difference_in_differences(
        [1, 2], [2, 4], [1, 2], [1, 2], controls_weights=[1]
    ),
    "picked others": lambda: difference_in_differences(
        [1, 2], [2, 4], [1, 2], [1, 2], selected=[1]
    ),
    "one window before": lambda: difference_in_differences(
        [1, 2], [2, 4], [1, 2], [1, 2], pre_windows=([[1], [2]], [[1], [2]])
    ),
    "windows of others": lambda: difference_in_differences(
        [1, 2], [2, 4], [1, 2], [1, 2], pre_windows=([[1, 2]], [[1, 2], [1, 2]])
    ),
    "an endless window": lambda: difference_in_differences(
        [1, 2], [2, 4], [1, 2], [1, 2], pre_windows=([[1.0, math.inf]] * 2, [[1, 2], [1, 2]])
    ),
    "a better of 0": lambda: verdict(0.1, 0.0, 0.2, minimum=0.1, better=0),
    "a negative minimum": lambda: verdict(0.1, 0.0, 0.2, minimum=-0.1),
    "an effect outside its interval": lambda: verdict(0.3, 0.0, 0.2, minimum=0.1),
    "a reliability above 1": lambda: regression_to_the_mean(3.6, 4.1, 1.5),
    "an observed NaN": lambda: regression_to_the_mean(math.nan, 4.1, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
