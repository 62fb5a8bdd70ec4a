"""The rules against published cases and against their own definition; what the icons say."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sqcore.stats.arrays import FloatArray
from sqcore.stats.charts import ChartKind, freeze, z_of
from sqcore.stats.errors import StatisticsError
from sqcore.stats.rules import (
    PROFILES,
    Assurance,
    Flags,
    Parameters,
    Rule,
    RuleProfile,
    Variation,
    assurance,
    flags,
    variation,
)

NHS, NELSON, WESTERN = PROFILES["nhs"], PROFILES["nelson"], PROFILES["western_electric"]
TABLES = (
    ("high", "first_high"),
    ("low", "first_low"),
    ("neither", "first_neither"),
)


def _seen_at_once(found: Flags, rule: Rule) -> list[int]:
    """The points, counted from 1, with which a run became or stayed complete: as qcc flags."""
    time = np.arange(found.present.shape[1])
    return sorted(
        int(at) + 1
        for _members, first in TABLES
        for at in np.flatnonzero(getattr(found, first).get(rule, np.array([[-1]]))[0] == time)
    )


def _members(found: Flags, rule: Rule) -> list[int]:
    """1 where a point belongs to a run above, -1 below."""
    both = zip(found.high[rule][0], found.low[rule][0], strict=True)
    return [int(high) - int(low) for high, low in both]


# qcc af35099, tests/testthat/test-rules.R: centre 0, sigma 1.
QCC: list[tuple[RuleProfile, Rule, list[float], list[int]]] = [
    (WESTERN, Rule.BEYOND, [0, 3.2, -3.5, 2.9], [2, 3]),
    (WESTERN, Rule.TWO_OF_THREE, [0, 2.5, 1, 2.6, 0], [4]),
    (WESTERN, Rule.FOUR_OF_FIVE, [0, 1.2, 1.3, 0.2, 1.4, 1.5], [6]),
    (WESTERN, Rule.SHIFT, [-1.0] * 8 + [1.0], [8]),
    (NELSON, Rule.BEYOND, [0, 3.2, -3.4, 3], [2, 3]),
    (NELSON, Rule.SHIFT, [0.5] * 10 + [-0.5] * 10, [9, 10, 19, 20]),
    (NELSON, Rule.TREND, [1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1], [6, 7, 13, 14]),
    (NELSON, Rule.ALTERNATING, [1, 3, 2, 4, 3, 5, 4, 6, 5, 7, 6, 8, 7, 9, 8], [14, 15]),
    (NELSON, Rule.TWO_OF_THREE, [0, 2.3, 0.4, 2.2, -2.4, -0.2, -2.5], [4, 7]),
    (
        NELSON,
        Rule.FOUR_OF_FIVE,
        [1.2, 1.3, 0.2, 1.4, 1.5, -1.2, -1.3, -0.1, -1.4, -1.5],
        [5, 10],
    ),
    (NELSON, Rule.FIFTEEN_WITHIN, [0.3] * 16 + [1.2], [15, 16]),
    (NELSON, Rule.EIGHT_OUTSIDE, [1.2, -1.3, 1.1, -1.4, 1.5, -1.2, 1.3, -1.1, 0.2], [8]),
    (NELSON, Rule.EIGHT_OUTSIDE, [1.2] * 8, []),
]


@pytest.mark.parametrize(("profile", "rule", "z", "points"), QCC)
def test_a_run_is_seen_with_the_point_at_which_qcc_flags_it(
    profile: RuleProfile, rule: Rule, z: list[float], points: list[int]
) -> None:
    assert _seen_at_once(flags([z], profile), rule) == points


# NHSRplotthedots 050b07d, tests/testthat/test-ptd_calculate_point_type.R.
@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([1, 2, 3, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0, 0]),
        ([1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 0, 1]),
        ([2, 1, 2, 3, 4, 5, 6, 7, 3], [0, 0, 0, 0, 0, 0, 0, 1, 0]),
        ([7, 6, 5, 4, 3, 2, 1], [0, 0, 0, 0, 0, 0, -1]),
    ],
)
def test_seven_points_make_a_trend_as_in_the_nhs_package(
    values: list[float], ends: list[int]
) -> None:
    found = flags([values], NHS)

    time = np.arange(len(values))
    up, down = (table[Rule.TREND][0] == time for table in (found.first_high, found.first_low))
    assert (up.astype(int) - down).tolist() == ends


def test_seven_points_on_one_side_make_a_shift_as_in_the_nhs_package() -> None:
    found = flags([[1] * 8 + [-1]], NHS)

    assert _seen_at_once(found, Rule.SHIFT) == [7, 8]
    assert _members(found, Rule.SHIFT) == [1] * 8 + [0]
    assert found.first_high[Rule.SHIFT][0].tolist() == [6] * 7 + [7, -1]


# Close to the limit is 2.5 sigma here. The package marks the whole window, then of it the
# points that are close; those are the members.
@pytest.mark.parametrize(
    ("z", "members"),
    [
        ([0.5, 0.5, 2.5, 0.5, 2.5, 0.5, 0.5], [0, 0, 1, 0, 1, 0, 0]),
        ([0.5, 0.5, 2.5, 2.5, 0.5, 0.5, 0.5], [0, 0, 1, 1, 0, 0, 0]),
        ([2.5, -0.5, 2.5], [0, 0, 0]),
    ],
)
def test_two_of_three_are_on_one_side_with_the_third_in_the_nhs_profile(
    z: list[float], members: list[int]
) -> None:
    assert _members(flags([z], NHS), Rule.TWO_OF_THREE) == members


def test_nelsons_third_point_may_lie_anywhere() -> None:
    found = flags([[2.5, -0.5, 2.5]], NELSON)

    assert _members(found, Rule.TWO_OF_THREE) == [1, 0, 1]
    assert found.first_high[Rule.TWO_OF_THREE][0].tolist() == [2, -1, 2]


def test_points_near_opposite_limits_are_chance() -> None:
    # NHSRplotthedots 050b07d, issue 143.
    values = [1, -1] * 7 + [5.5, -5.5]
    limits = freeze(values, kind=ChartKind.XMR)

    found = flags([z_of(values, limits)], NHS)

    assert not any(table[rule].any() for table in (found.high, found.low) for rule in table)
    assert variation(found, 1) == Variation.COMMON


# NHSRdatasets::ae_attendances, England, 2016-04 to 2019-03; vignette deviations.Rmd: all common.
ATTENDANCES = [
    *(1867781, 2070340, 1958802, 2079034, 1932901, 1952464, 2001816, 1907871, 1944567, 1895272),
    *(1735619, 2015834, 1949762, 2066789, 1994056, 2073944, 1924663, 1925961, 2044137, 1976971),
    *(2003954, 2000086, 1820012, 2049785, 1984369, 2164458, 2093942, 2179896, 1997854, 2005695),
    *(2079492, 2037847, 2047518, 2113413, 1954947, 2167550),
]


@pytest.mark.parametrize("part", [slice(0, 36), slice(0, 12), slice(12, 24), slice(24, 36)])
def test_attendances_are_common_cause_whole_and_rebased_each_year(part: slice) -> None:
    values = ATTENDANCES[part]

    found = flags([z_of(values, freeze(values, kind=ChartKind.XMR))], NHS)

    assert found.rules_at(0, len(values) - 1) == ()
    assert not any(table[rule].any() for table in (found.high, found.low) for rule in table)
    assert variation(found, -1) == Variation.COMMON


def test_nhs_limits_are_two_and_two_thirds_moving_ranges() -> None:
    assert NHS.width == pytest.approx(3.00149, abs=1e-5)
    assert (NELSON.width, WESTERN.width) == (3.0, 3.0)


def _by_definition(z: list[float], rule: Rule, numbers: Parameters, side: int) -> list[int]:
    """Read a rule as its text says, window by window over the points that are there.

    Returns when the run of each point was first complete, -1 where it belongs to none.
    """
    there = [at for at, value in enumerate(z) if not np.isnan(value)]
    first = [-1] * len(z)
    for last in range(len(there)):
        window = there[max(0, last - numbers.points + 1) : last + 1]
        # Two of the first two are two of three, whatever came before.
        whole = len(window) == numbers.points or (numbers.least > 1 and not numbers.one_side)
        for at in _found(z, window, rule, numbers, side) if whole else []:
            first[at] = first[at] if first[at] >= 0 else window[-1]
    return first


def _found(
    z: list[float], window: list[int], rule: Rule, numbers: Parameters, side: int
) -> list[int]:
    own = [z[at] for at in window]
    steps = [np.sign(b - a) for a, b in pairwise(own)]
    if rule in (Rule.TWO_OF_THREE, Rule.FOUR_OF_FIVE):
        beyond = [at for at in window if side * z[at] > numbers.sigma]
        together = not numbers.one_side or all(side * value > 0 for value in own)
        ends = numbers.one_side or window[-1] in beyond
        return beyond if len(beyond) >= numbers.least and together and ends else []
    holds = {
        Rule.BEYOND: lambda: side * own[0] > numbers.sigma,
        Rule.SHIFT: lambda: all(side * value > 0 for value in own),
        Rule.TREND: lambda: all(step == side for step in steps),
        Rule.FIFTEEN_WITHIN: lambda: all(abs(value) < numbers.sigma for value in own),
        Rule.ALTERNATING: lambda: all(a * b < 0 for a, b in pairwise(steps)),
        Rule.EIGHT_OUTSIDE: lambda: (
            all(abs(value) > numbers.sigma for value in own)
            and len({np.sign(value) for value in own}) == 2
        ),
    }
    return window if holds[rule]() else []


Steps = st.sampled_from([-3.5, -2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.5])
Series = st.one_of(
    st.lists(Steps, min_size=1, max_size=30),
    st.lists(st.one_of(Steps, st.just(np.nan)), min_size=1, max_size=30),
    st.lists(st.sampled_from([0.2, 0.4, np.nan]), min_size=15, max_size=30),
    st.lists(st.sampled_from([-1.5, 1.5]), min_size=8, max_size=30),
)
SHORT = RuleProfile(
    "short",
    1,
    (
        (Rule.BEYOND, Parameters(sigma=3.0)),
        (Rule.SHIFT, Parameters(points=3)),
        (Rule.TREND, Parameters(points=3)),
        (Rule.TWO_OF_THREE, Parameters(points=3, least=2, sigma=2.0, one_side=True)),
        (Rule.FOUR_OF_FIVE, Parameters(points=5, least=3, sigma=1.0)),
        (Rule.FIFTEEN_WITHIN, Parameters(points=4, sigma=1.0)),
        (Rule.ALTERNATING, Parameters(points=4)),
        (Rule.EIGHT_OUTSIDE, Parameters(points=3, sigma=1.0)),
    ),
)


@given(z=Series, profile=st.sampled_from([*PROFILES.values(), SHORT]), trailing=st.integers(0, 3))
def test_each_rule_finds_what_its_text_says(
    z: list[float], profile: RuleProfile, trailing: int
) -> None:
    # The second row has gaps behind it: one series never changes another.
    found = flags([z + [1.5] * trailing, z + [np.nan] * trailing], profile)

    for rule, numbers in profile.rules:
        for side, (members, first) in zip((1, -1, 0), TABLES, strict=True):
            if rule not in getattr(found, first):
                continue
            expected = _by_definition(z, rule, numbers, side)
            assert getattr(found, first)[rule][1].tolist() == expected + [-1] * trailing
            assert getattr(found, members)[rule][1].tolist() == (
                [at >= 0 for at in expected] + [False] * trailing
            )


@given(z=arrays.arrays(np.float64, (3, 25), elements=st.one_of(Steps, st.just(np.nan))))
def test_mirrored_series_have_mirrored_flags(z: FloatArray) -> None:
    for profile in PROFILES.values():
        found, mirrored = flags(z, profile), flags(-z, profile)
        for rule in found.high:
            np.testing.assert_array_equal(found.first_high[rule], mirrored.first_low[rule])
            np.testing.assert_array_equal(found.low[rule], mirrored.high[rule])
        for rule in found.neither:
            np.testing.assert_array_equal(found.first_neither[rule], mirrored.first_neither[rule])


@given(z=Series, profile=st.sampled_from([*PROFILES.values(), SHORT]), upto=st.integers(1, 30))
def test_what_was_seen_at_a_time_is_what_was_there_then(
    z: list[float], profile: RuleProfile, upto: int
) -> None:
    whole, then = flags([z], profile), flags([z[:upto]], profile)

    for members, first in TABLES:
        for rule, at in getattr(whole, first).items():
            seen = (at >= 0) & (at < upto)
            assert not seen[0, upto:].any()
            np.testing.assert_array_equal(seen[:, :upto], getattr(then, members)[rule])


@given(z=Series)
def test_a_run_is_complete_with_a_point_of_its_own(z: list[float]) -> None:
    found = flags([z], NELSON)

    for members, first in TABLES:
        for rule, at in getattr(found, first).items():
            belongs = np.flatnonzero(getattr(found, members)[rule][0])
            assert (at[0, belongs] >= belongs).all()
            assert np.isin(at[0, belongs], belongs).all()


@pytest.mark.parametrize(
    ("profile", "run_length"),
    [
        (WESTERN, 91.75),  # Champ and Woodall 1987, Technometrics 29(4):393-399
        (NELSON, 74.0),
    ],
)
def test_chance_alone_is_flagged_as_often_as_published(
    profile: RuleProfile, run_length: float
) -> None:
    drawn = np.random.default_rng(1987).normal(size=(3000, 1200))

    found = flags(drawn, profile)

    never = np.iinfo(np.int16).max
    tables = (found.first_high, found.first_low, found.first_neither)
    seen = [np.where(at >= 0, at, never).min(axis=1) for table in tables for at in table.values()]
    lengths = np.min(seen, axis=0) + 1
    assert lengths.max() <= 1200
    assert lengths.mean() == pytest.approx(run_length, abs=5)


def test_missing_points_neither_count_nor_break_a_run() -> None:
    gap = np.nan

    found = flags([[gap, 1, 1, gap, 1, 1, 1, gap, gap, 1, 1, gap]], NHS)

    assert found.high[Rule.SHIFT][0].nonzero()[0].tolist() == [1, 2, 4, 5, 6, 9, 10]
    assert set(found.first_high[Rule.SHIFT][0].tolist()) == {-1, 10}
    assert found.present[0].tolist() == [
        not np.isnan(v) for v in [gap, 1, 1, gap, 1, 1, 1, gap, gap, 1, 1, gap]
    ]


def test_a_point_on_a_line_is_not_beyond_it_nor_on_a_side() -> None:
    # Rounding must not decide: a mean of tenths is rarely the tenth itself.
    found = flags([[0.3, 0.3, 0.3, 1e-16, 0.3, 0.3, 0.3, 3.0000000000000004]], NELSON)

    assert not found.high[Rule.BEYOND].any()
    assert not flags([[0.3] * 4 + [1e-16] + [0.3] * 5], NELSON).high[Rule.SHIFT].any()
    assert found.side[0].tolist() == [1, 1, 1, 0, 1, 1, 1, 1]
    assert not flags([[1.0, -1.0] * 8], NELSON).neither[Rule.FIFTEEN_WITHIN].any()
    assert not flags([[1.0, -1.0] * 8], NELSON).neither[Rule.EIGHT_OUTSIDE].any()


@pytest.mark.parametrize(
    ("z", "better", "says"),
    [
        ([0.0, 0.1, -0.2], 1, "common"),
        ([3.5, 0.1, -0.2], 1, "common"),
        ([0.0, 0.1, 3.5], 1, "improving_high"),
        ([0.0, 0.1, 3.5], -1, "concern_high"),
        ([0.0, 0.1, 3.5], 0, "neither_high"),
        ([0.0, 0.1, -3.5], 1, "concern_low"),
        ([0.0, 0.1, -3.5], -1, "improving_low"),
        ([0.0, 0.1, -3.5, np.nan], 0, "neither_low"),
        ([-0.1] * 7, -1, "improving_low"),
        ([np.nan, np.nan], 1, "common"),
        ([], 1, "common"),
    ],
)
def test_the_last_point_says_what_varies(z: list[float], better: int, says: str) -> None:
    assert variation(flags([z], NHS), better) == says


def test_the_rule_of_highest_precedence_says_the_side() -> None:
    falling_from_high = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.5]
    trend_first = replace(NHS, key="trend_first", rules=NHS.rules[::-1])

    assert variation(flags([falling_from_high], NHS), 1) == Variation.IMPROVING_HIGH
    found = flags([[1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]], trend_first)
    assert found.rules_at(0, 6) == (Rule.TREND, Rule.SHIFT)
    assert variation(found, 1) == Variation.CONCERN_LOW


def test_a_rule_without_side_is_neither_better_nor_worse() -> None:
    found = flags([[0.3] * 4 + [-0.3] * 4 + [0.3] * 4 + [-0.3] * 3, [0.0] * 15], NELSON)

    assert variation(found, 1) == Variation.NEITHER_LOW
    assert variation(found, -1, series=1) == Variation.NEITHER_HIGH


WAITS = freeze([12, 14, 11, 13, 15, 12, 13, 14], kind=ChartKind.XMR)  # 7.68 .. 18.32
SHARES = freeze([0.1, 0.2, 0.1, 0.2, 0.1], kind=ChartKind.P, sizes=[50] * 5)  # 0 .. .287 of 50


@pytest.mark.parametrize(
    ("target", "low_is_better", "high_is_better"),
    [(20, "pass", "fail"), (13, "hit_or_miss", "hit_or_miss"), (7, "fail", "pass")],
)
def test_assurance_says_whether_the_limits_lie_on_the_good_side_of_the_target(
    target: float, low_is_better: str, high_is_better: str
) -> None:
    assert assurance(WAITS, target, -1) == low_is_better
    assert assurance(WAITS, target, 1) == high_is_better
    assert assurance(WAITS, target, 0) == Assurance.NONE


def test_assurance_of_shares_follows_the_size_of_the_latest_point() -> None:
    assert assurance(SHARES, 0.25, -1, size=50) == Assurance.HIT_OR_MISS
    assert assurance(SHARES, 0.25, -1, size=500) == Assurance.PASS
    assert assurance(SHARES, 0.25, -1, size=0) == Assurance.NONE


def test_a_target_on_the_limit_may_be_missed() -> None:
    shares_may_be_nothing = assurance(SHARES, 0.0, 1, size=50)

    assert shares_may_be_nothing == Assurance.HIT_OR_MISS


def test_there_is_no_assurance_without_target_or_limits() -> None:
    assert assurance(WAITS, None, 1) == Assurance.NONE
    assert assurance(freeze([1, 2], kind=ChartKind.XMR), 3, 1) == Assurance.NONE
    assert assurance(freeze([1] * 9, kind=ChartKind.XMR), 3, 1) == Assurance.NONE


@pytest.mark.parametrize(("series", "points"), [(0, 0), (0, 5), (3, 0), (2, 1)])
def test_little_or_nothing_has_no_flags(series: int, points: int) -> None:
    for profile in PROFILES.values():
        found = flags(np.zeros((series, points)), profile)
        tables = [getattr(found, name) for pair in TABLES for name in pair]
        assert {at.shape for table in tables for at in table.values()} == {(series, points)}
        assert not any(at.any() for table in (found.high, found.low) for at in table.values())


def test_huge_distances_are_beyond_and_nothing_else_breaks() -> None:
    found = flags([[-1e300, 1e300, 0.0]], NELSON)

    assert _members(found, Rule.BEYOND) == [-1, 1, 0]


REFUSED: dict[str, Callable[[], object]] = {
    "one series flat": lambda: flags([1.0, 2.0], NHS),
    "ragged series": lambda: flags([[1.0], [1.0, 2.0]], NHS),
    "text": lambda: flags([["a"]], NHS),
    "an infinite distance": lambda: flags([[np.inf]], NHS),
    "a series too long": lambda: flags(np.zeros((1, 32_000)), NHS),
    "a rule twice": lambda: RuleProfile("x", 1, ((Rule.BEYOND, Parameters()),) * 2),
    "a trend of one": lambda: RuleProfile("x", 1, ((Rule.TREND, Parameters(points=1)),)),
    "an alternation of two": lambda: RuleProfile(
        "x", 1, ((Rule.ALTERNATING, Parameters(points=2)),)
    ),
    "a window of none": lambda: Parameters(points=0),
    "a window too long": lambda: Parameters(points=101),
    "more than the window": lambda: Parameters(points=2, least=3),
    "a line at the centre": lambda: Parameters(sigma=0),
    "a line nowhere": lambda: Parameters(sigma=np.nan),
    "a direction of two": lambda: variation(flags([[1.0]], NHS), 2),
    "an assurance of two": lambda: assurance(WAITS, 3, 2),
    "a target that is NaN": lambda: assurance(WAITS, np.nan, 1),
    "a share without size": lambda: assurance(SHARES, 0.1, 1),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
