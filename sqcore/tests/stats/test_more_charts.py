"""Counts, rare events, groups, EWMA and CUSUM, and runs, each against its published chart."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.charts import ChartKind, ChartStatus, bands, chart_for, freeze, unbias, z_of
from sqcore.stats.errors import StatisticsError
from sqcore.stats.ewma import (
    ewma,
    ewma_run_length,
    shewhart_run_length,
    two_sided_cusum,
)
from sqcore.stats.rare import Lines, between_events, c_lines, g_lines, is_rare, t_lines
from sqcore.stats.results import MethodStatus
from sqcore.stats.rules import PROFILES, Rule, flags, suited
from sqcore.stats.runs import runs_of
from sqcore.stats.subgroups import group_lines
from sqcore.tests.stats.test_charts import (
    BED_DAYS,
    COMPLAINTS,
    CUSTOMERS,
    INFECTIONS,
    JUICE,
    LOAN_COST,
    SHIPMENTS,
)

# Montgomery, Introduction to Statistical Quality Control, by qicharts2 1b9487e: example 6.3, the
# inside diameters of 25 samples of 5 piston rings; 7.3, faults of printed circuit boards; 7.6,
# hours between failures of a valve.
RINGS = [
    74.03, 74.002, 74.019, 73.992, 74.008, 73.995, 73.992, 74.001, 74.011, 74.004, 73.988,
    74.024, 74.021, 74.005, 74.002, 74.002, 73.996, 73.993, 74.015, 74.009, 73.992, 74.007,
    74.015, 73.989, 74.014, 74.009, 73.994, 73.997, 73.985, 73.993, 73.995, 74.006, 73.994, 74,
    74.005, 73.985, 74.003, 73.993, 74.015, 73.988, 74.008, 73.995, 74.009, 74.005, 74.004,
    73.998, 74, 73.99, 74.007, 73.995, 73.994, 73.998, 73.994, 73.995, 73.99, 74.004, 74, 74.007,
    74, 73.996, 73.983, 74.002, 73.998, 73.997, 74.012, 74.006, 73.967, 73.994, 74, 73.984,
    74.012, 74.014, 73.998, 73.999, 74.007, 74, 73.984, 74.005, 73.998, 73.996, 73.994, 74.012,
    73.986, 74.005, 74.007, 74.006, 74.01, 74.018, 74.003, 74, 73.984, 74.002, 74.003, 74.005,
    73.997, 74, 74.01, 74.013, 74.02, 74.003, 73.982, 74.001, 74.015, 74.005, 73.996, 74.004,
    73.999, 73.99, 74.006, 74.009, 74.01, 73.989, 73.99, 74.009, 74.014, 74.015, 74.008, 73.993,
    74, 74.01, 73.982, 73.984, 73.995, 74.017, 74.013,
]  # fmt: skip
CIRCUITS = [
    21, 24, 16, 12, 15, 5, 28, 20, 31, 25, 20, 24, 16, 19, 10, 17, 13, 22, 18, 39, 30, 24, 16,
    19, 17, 15, 16, 18, 12, 15, 24, 21, 28, 20, 25, 19, 18, 21, 16, 22, 19, 12, 14, 9, 16, 21,
]  # fmt: skip
VALVE = [
    286, 948, 536, 124, 816, 729, 4, 143, 431, 8, 2837, 596, 81, 227, 603, 492, 1199, 1214, 2831,
    96,
]  # fmt: skip
# Operations between two deaths, the last 24 (cabg, in qicharts2).
BETWEEN_DEATHS = [
    16, 23, 43, 25, 1, 26, 45, 54, 96, 21, 21, 19, 3, 59, 50, 6, 20, 65, 35, 24, 71, 14, 4, 2,
]  # fmt: skip
# Montgomery, examples 9.1 and 9.2: centre 10, sigma 1; EWMA of .1 and 2.7, CUSUM of .5 and 5:
# by spc and by hand.
MONTGOMERY_9 = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.2, 10.34, 9.03, 11.47, 10.51, 9.4,
    10.08, 9.37, 10.62, 10.31, 8.52, 10.84, 10.9, 9.33, 12.29, 11.5, 10.6, 11.08, 10.38, 11.62,
    11.31, 10.52,
]  # fmt: skip
SMOOTHED = [
    9.945, 9.7495, 9.70355, 9.899195, 10.125276, 10.130748, 9.921673, 10.075506, 9.987955,
    10.02316, 9.923844, 10.078459, 10.121613, 10.049452, 10.052507, 9.984256, 10.047831,
    10.074048, 9.918643, 10.010778, 10.099701, 10.022731, 10.249458, 10.374512, 10.397061,
    10.465355, 10.456819, 10.573137, 10.646823, 10.634141,
]  # fmt: skip
UPPER = [
    10.27, 10.363248, 10.424003, 10.467462, 10.499902, 10.52471, 10.543976, 10.559095, 10.571048,
    10.580549, 10.588133, 10.594205, 10.599078, 10.602996, 10.606151, 10.608695, 10.610748,
    10.612405, 10.613745, 10.614828, 10.615703, 10.616412, 10.616985, 10.617449, 10.617824,
    10.618128, 10.618374, 10.618574, 10.618735, 10.618866,
]  # fmt: skip
UP = [
    0, 0, 0, 1.16, 2.82, 2.5, 0.04, 1, 0, 0, 0, 0.97, 0.98, 0, 0, 0, 0.12, 0, 0, 0.34, 0.74, 0,
    1.79, 2.79, 2.89, 3.47, 3.35, 4.47, 5.28, 5.3,
]  # fmt: skip
DOWN = [
    0.05, 1.56, 1.77, 0, 0, 0, 1.46, 0, 0.3, 0, 0.47, 0, 0, 0.1, 0, 0.13, 0, 0, 0.98, 0, 0, 0.17,
    0, 0, 0, 0, 0, 0, 0, 0,
]  # fmt: skip
# NIST/SEMATECH e-Handbook, section 6.3.2.4: centre 50, sigma 2.0539, lambda .3.
NIST = [
    52, 47, 53, 49.3, 50.1, 47, 51, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6,
    52.4, 53.6, 52.1,
]  # fmt: skip
NIST_SMOOTHED = [
    50.6, 49.52, 50.564, 50.1848, 50.1594, 49.2116, 49.7481, 49.8537, 50.2576, 50.3303, 50.1112,
    49.3578, 49.5205, 50.0543, 49.378, 49.9246, 50.7272, 51.2291, 51.9403, 51.9882,
]  # fmt: skip
D2_OF_1_128 = 1e-3


def test_diameters_have_the_limits_of_montgomery() -> None:
    rings = np.array(RINGS).reshape(25, 5)
    means = rings.mean(axis=1)

    found = group_lines(means, rings.std(axis=1, ddof=1), [5] * 25)

    assert found.centre == pytest.approx(74.001176)
    assert (found.lower[0], found.upper[0]) == pytest.approx((73.987760123296, 74.014591876704))
    assert found.spread_centre[0] == pytest.approx(0.009399483885737)
    assert found.spread_lower[0] == 0
    assert found.spread_upper[0] == pytest.approx(0.01963550180353)
    assert ((means > found.lower) & (means < found.upper)).all()
    assert found.status == ChartStatus.OK


def test_boards_leave_two_samples_out_and_are_frozen_at_26() -> None:
    first = np.arange(46) < 26
    first[[5, 19]] = False

    found = c_lines(CIRCUITS, valid=first)

    assert found.centre == pytest.approx(19.666666666667)
    assert (found.lower, found.upper) == pytest.approx((6.362531971017, 32.970801362317))
    assert found.beyond(CIRCUITS) == ((5,), (19,))


def test_times_between_failures_are_turned_to_the_power_of_3_6_and_back() -> None:
    found = t_lines(VALVE)

    assert found.centre == pytest.approx(430.040951789758)
    assert found.lower == 0
    assert found.upper == pytest.approx(6937.93348816658, rel=D2_OF_1_128)
    assert found.beyond(VALVE) == ((), ())


def test_operations_between_deaths_have_their_median_in_the_middle() -> None:
    found = g_lines(BETWEEN_DEATHS)

    assert (found.centre, found.lower) == (23.5, 0)
    assert found.upper == pytest.approx(125.321412050594)
    assert found.beyond(BETWEEN_DEATHS) == ((), ())


def test_the_smoothed_line_of_montgomery_9_2_leaves_its_limits_at_29() -> None:
    found = ewma(MONTGOMERY_9, centre=10, sigma=1, weight=0.1, width=2.7)

    assert found.line == pytest.approx(SMOOTHED, abs=1e-6)
    assert found.upper == pytest.approx(UPPER, abs=1e-6)
    assert found.lower == pytest.approx(20 - np.array(UPPER), abs=1e-6)
    assert found.beyond == (28, 29)


def test_the_smoothed_line_of_nist_stays_in_control() -> None:
    found = ewma(NIST, centre=50, sigma=2.0539, weight=0.3, width=3, asymptotic=True)

    assert found.line == pytest.approx(NIST_SMOOTHED, abs=1e-3)
    assert (found.lower[0], found.upper[0]) == pytest.approx((47.4115, 52.5884), abs=1e-3)
    assert found.beyond == ()


def test_both_sums_of_montgomery_9_1() -> None:
    found = two_sided_cusum(np.array(MONTGOMERY_9) - 10)

    assert found.up == pytest.approx(UP)
    assert found.down == pytest.approx(DOWN)
    assert found.beyond == (28, 29)


@pytest.mark.parametrize(
    ("weight", "width", "shift", "length"),
    [
        (0.1, 2.7, 0, 368.993733980588),
        (0.2, 2.86, 0, 371.103304250187),
        (0.1, 2.7, 1, 9.730011622255),
        (1.0, 3.0, 0, 370.398347344959),
        (1.0, 3.0, 1, 43.89468171854),
    ],
)
def test_run_lengths_are_those_of_spc(
    weight: float, width: float, shift: float, length: float
) -> None:
    """CRAN spc: xewma.arl; Shewhart as in Montgomery, section 5.3."""
    assert ewma_run_length(weight, width, shift) == pytest.approx(length, abs=0.01)
    if weight == 1:
        assert shewhart_run_length(width, shift) == pytest.approx(length)


def _without(values: Sequence[float], *left_out: int) -> list[float]:
    return [np.nan if at in left_out else float(each) for at, each in enumerate(values)]


def _share(counts: Sequence[float], sizes: Sequence[float]) -> npt.NDArray[np.float64]:
    share: npt.NDArray[np.float64] = np.asarray(counts, dtype=np.float64) / np.asarray(sizes)
    return share


# As qicharts2 1b9487e counts them: values, centre, useful points, longest run and the most by
# chance, crossings and the least by chance, whether it is a signal.
RUNS: dict[str, tuple[Sequence[float] | npt.NDArray[np.float64], float, tuple[object, ...]]] = {
    "loan cost": (LOAN_COST, 300.5, (40, 6, 8, 20, 14, False)),
    "juice": (_without(JUICE[:30], 14, 22), 10.75, (28, 5, 8, 13, 9, False)),
    "juice, adjusted": (JUICE[30:], 5.484375, (64, 7, 9, 30, 25, False)),
    "shipments": (SHIPMENTS, 3.7, (20, 2, 7, 15, 6, False)),
    "boards": (_without(CIRCUITS, 5, 19), 19.666666666667, (44, 8, 8, 14, 16, True)),
    "valve": (VALVE, 430.040951789758, (20, 5, 7, 10, 6, False)),
    "operations": (BETWEEN_DEATHS, 23.5, (24, 4, 8, 8, 8, False)),
    "infections": (_share(INFECTIONS, BED_DAYS), 10.380231037895e-4, (36, 17, 8, 5, 13, True)),
    "infections, frozen": (
        _share(INFECTIONS, BED_DAYS), 13.024226317929e-4, (36, 15, 8, 10, 13, True),
    ),
    "complaints": (_share(COMPLAINTS, CUSTOMERS), 4.997252747253e-3, (20, 5, 7, 7, 6, False)),
    "diameters": (
        np.array(RINGS).reshape(25, 5).mean(axis=1), 74.001176, (25, 3, 8, 15, 8, False),
    ),
    "their spread": (
        np.array(RINGS).reshape(25, 5).std(axis=1, ddof=1), 0.009399483885737,
        (25, 4, 8, 16, 8, False),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "centre", "expected"), RUNS.values(), ids=RUNS.keys())
def test_runs_are_those_of_qicharts2(
    values: npt.ArrayLike, centre: float, expected: tuple[object, ...]
) -> None:
    found = runs_of(values, centre)

    assert (
        found.useful,
        found.longest,
        found.longest_most,
        found.crossings,
        found.crossings_least,
        found.is_signal,
    ) == expected


def test_the_longest_run_is_told_by_its_first_and_last_point() -> None:
    found = runs_of([1, np.nan, -1, -2, 0, -1, -1, 2, -1, -1, -1, 1, 1])

    assert (found.longest, found.first, found.last, found.side) == (4, 2, 6, -1)


def test_the_profile_of_anhoej_has_its_runs_and_the_others_have_none() -> None:
    assert [key for key, each in PROFILES.items() if each.has_runs] == ["anhoej"]
    assert list(PROFILES) == ["nhs", "nelson", "western_electric", "anhoej", "ticket"]


def test_the_spread_of_few_values_falls_short() -> None:
    """Montgomery, appendix VI."""
    assert unbias([2, 3, 4, 10]).round(4).tolist() == [0.7979, 0.8862, 0.9213, 0.9727]


def test_a_mean_of_more_values_has_narrower_limits() -> None:
    found = group_lines([5.0] * 6, [1.0] * 6, [4, 4, 4, 4, 16, 1])

    widths = found.upper - found.lower
    assert widths[4] == pytest.approx(widths[0] / 2)
    assert widths[5] == pytest.approx(widths[0] * 2)
    assert np.isnan(found.spread_upper[5])


@pytest.mark.parametrize("lines", [c_lines, t_lines, g_lines])
def test_too_few_and_constant_have_no_limits(lines: Callable[[npt.ArrayLike], Lines]) -> None:
    short, flat = lines([3, 4, 5, 6]), lines([0] * 8)

    assert (short.status, short.centre, short.n0) == (ChartStatus.TOO_SHORT, None, 4)
    assert short.beyond([100]) == ((), ())
    assert (flat.status, flat.centre, flat.upper) == (ChartStatus.ZERO_VARIANCE, 0, 0)
    assert lines([3, 4, 5, 6, 9]).status == ChartStatus.TRIAL


def test_groups_without_spread_have_no_limits() -> None:
    short = group_lines([1.0] * 4, [1.0] * 4, [5] * 4)
    flat = group_lines([1.0] * 6, [0.0] * 6, [5] * 6)

    assert (short.status, short.centre) == (ChartStatus.TOO_SHORT, None)
    assert np.isnan(short.upper).all()
    assert (flat.status, flat.within) == (ChartStatus.ZERO_VARIANCE, 0)


def test_missing_points_leave_the_sums_as_they_were() -> None:
    smooth = ewma([12, np.nan, 12], centre=10, sigma=1)
    sums = two_sided_cusum([2, np.nan, 2])

    assert smooth.line.tolist() == pytest.approx([10.4, 10.4, 10.72])
    assert smooth.upper[0] == smooth.upper[1] < smooth.upper[2]
    assert sums.up.tolist() == [1.5, 1.5, 3.0]


def test_ten_points_are_needed_to_speak_of_runs() -> None:
    found = runs_of([1] * 9)

    assert (found.status, found.longest, found.is_signal) == (MethodStatus.TOO_SHORT, 9, False)
    assert runs_of([]).useful == 0
    assert runs_of([0.0] * 20).useful == 0


@given(counts=st.lists(st.one_of(st.integers(0, 60), st.sampled_from([np.nan, 1e30])), max_size=30))
def test_lines_are_ordered_and_finite(counts: list[float]) -> None:
    for lines in (c_lines(counts), t_lines(counts), g_lines(counts)):
        if lines.centre is not None:
            assert lines.lower is not None
            assert lines.upper is not None
            assert 0 <= lines.lower <= lines.centre <= lines.upper < np.inf
    known = [each for each in counts if each == each]
    assert is_rare(counts) == bool(known and min(np.mean(known), np.median(known)) < 1)


@given(values=st.lists(st.integers(-5, 5), max_size=40))
def test_runs_upside_down_are_the_same(values: list[int]) -> None:
    one, other = runs_of(values), runs_of([-each for each in values])

    assert (one.longest, one.crossings, one.side) == (other.longest, other.crossings, -other.side)


REFUSED: dict[str, Callable[[], object]] = {
    "negative counts": lambda: c_lines([-1, 2, 3]),
    "more events than cases": lambda: between_events([3], [2]),
    "negative events": lambda: between_events([-1, 2]),
    "means without a spread": lambda: freeze([1.0] * 6, kind=ChartKind.XBAR_S, sizes=[3] * 6),
    "negative spreads": lambda: freeze(
        [1.0] * 6, kind=ChartKind.XBAR_S, sizes=[3] * 6, spreads=[-1.0] * 6
    ),
    "negative times between": lambda: freeze([-1.0] * 6, kind=ChartKind.T),
    "negative times": lambda: t_lines([-1.0] * 6),
    "parts of cases": lambda: g_lines([0.5] * 6),
    "no width": lambda: c_lines([1, 2, 3], width=0),
    "a mask of numbers": lambda: c_lines([1, 2], valid=[1, 0]),
    "infinite": lambda: g_lines([np.inf]),
    "a table": lambda: runs_of([[1.0]]),
    "ragged groups": lambda: group_lines([1.0, 2.0], [1.0], [2, 2]),
    "negative spread": lambda: group_lines([1.0], [-1.0], [2]),
    "parts of answers": lambda: group_lines([1.0], [1.0], [2.5]),
    "one value": lambda: unbias([1]),
    "no weight": lambda: ewma([1.0], centre=0, sigma=1, weight=0),
    "no sigma": lambda: ewma([1.0], centre=0, sigma=0),
    "no limit": lambda: two_sided_cusum([1.0], h=0),
    "too wide": lambda: ewma_run_length(0.2, 25),
    "no width at all": lambda: shewhart_run_length(0),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()


class TestAsFrozenLimits:
    """The charts of counts, groups and rare events as the charts of series read them."""

    def test_of_circuit_boards_are_those_of_the_counts(self) -> None:
        known = c_lines(CIRCUITS)
        limits = freeze(CIRCUITS, kind=ChartKind.C, sizes=[1] * len(CIRCUITS))
        lines = bands(limits, points=1, sizes=[1])

        assert (lines.centre[0], lines.lower[0], lines.upper[0]) == pytest.approx(
            (known.centre, known.lower, known.upper)
        )
        assert chart_for("rate", CIRCUITS, sizes=[1] * len(CIRCUITS)).kind != ChartKind.U

    def test_of_piston_rings_are_those_of_the_groups(self) -> None:
        rings = np.array(RINGS).reshape(25, 5)
        means, spreads = rings.mean(axis=1), rings.std(axis=1, ddof=1)
        known = group_lines(means, spreads, [5] * 25)

        limits = freeze(means, kind=ChartKind.XBAR_S, sizes=[5] * 25, spreads=spreads)
        lines = bands(limits, points=25, sizes=[5] * 25)

        assert limits.allowance == 0
        assert (lines.lower[0], lines.upper[0]) == pytest.approx((known.lower[0], known.upper[0]))
        # They vary by a quarter more than within: a hint, so that XmR is what they get unasked.
        assert chart_for("mean", means, sizes=[5] * 25, spreads=spreads).kind == ChartKind.XMR

    def test_of_the_valve_and_of_deaths_are_those_of_rare_events(self) -> None:
        for values, kind, known in (
            (VALVE, ChartKind.T, t_lines(VALVE)),
            (BETWEEN_DEATHS, ChartKind.G, g_lines(BETWEEN_DEATHS)),
        ):
            limits = freeze(values, kind=kind)
            lines = bands(limits, points=1)
            assert (lines.centre[0], lines.lower[0], lines.upper[0]) == pytest.approx(
                (known.centre, known.lower, known.upper)
            )
            ends = z_of([limits.centre, lines.upper[0]], limits)
            assert ends.tolist() == pytest.approx([0.0, 3.0], abs=1e-9)

    def test_of_many_values_a_period_are_wider_than_their_spread_says(self) -> None:
        rng = np.random.default_rng(11)
        means = rng.normal(7.0, 0.4, 30)
        found = freeze(means, kind=ChartKind.XBAR_S, sizes=[5000] * 30, spreads=[2.0] * 30)
        assert found.allowance == pytest.approx(0.4, rel=0.3)
        assert chart_for("mean", means, sizes=[5000] * 30, spreads=[2.0] * 30) == (
            ChartKind.XMR,
            "more_than_within_explains",
        )
        plain = bands(replace(found, allowance=0.0), points=30, sizes=[5000] * 30)
        wide = bands(found, points=30, sizes=[5000] * 30)
        assert ((means > plain.upper) | (means < plain.lower)).mean() > 0.5
        assert ((means > wide.upper) | (means < wide.lower)).mean() == 0

    def test_means_that_differ_by_chance_alone_are_mostly_seen_as_such(self) -> None:
        rng = np.random.default_rng(12)
        found = []
        for _series in range(200):
            groups = rng.normal(7.0, 2.0, (26, 40))
            spreads = groups.std(axis=1, ddof=1)
            found.append(chart_for("mean", groups.mean(axis=1), sizes=[40] * 26, spreads=spreads))
        kept = np.mean([each.kind == ChartKind.XBAR_S for each in found])
        assert 0.7 < kept < 0.95

    def test_shares_and_steps_of_cases_are_read_without_zones(self) -> None:
        found = flags(
            z_of([*BETWEEN_DEATHS, 400], freeze(BETWEEN_DEATHS, kind=ChartKind.G))[None],
            suited(PROFILES["nhs"], ChartKind.G),
        )
        assert found.rules_at(0, len(BETWEEN_DEATHS)) == (Rule.BEYOND,)
        assert suited(PROFILES["nhs"], ChartKind.T) is PROFILES["nhs"]


def test_several_events_of_a_day_are_no_days_apart_and_share_its_cases() -> None:
    found = between_events([2, 0, 1], [8, 5, 3])

    assert found.days.tolist() == [0.0, 2.0]
    # The events of the first day are its 3rd and 7th case, the other is the 2nd of 3.
    assert found.cases.tolist() == [3.0, 7.0]
    assert between_events([0, 0, 1]).days.size == 0


@given(events=st.lists(st.integers(0, 3), max_size=60))
def test_what_passed_between_events_adds_up_to_the_whole(events: list[int]) -> None:
    found = between_events(events, [10] * len(events))
    assert len(found.days) == max(sum(events) - 1, 0)
    if len(found.days):
        happened = [at for at, count in enumerate(events) if count]
        assert found.days.sum() == happened[-1] - happened[0]
        assert (found.cases >= 0).all()
