"""Frozen limits against published charts; what holds for any series; what is refused."""

import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sqcore.stats.arrays import BoolArray, FloatArray
from sqcore.stats.charts import (
    D2,
    Bands,
    ChartKind,
    ChartStatus,
    Limits,
    bands,
    chart_for,
    freeze,
    freeze_many,
    z_many,
    z_of,
)
from sqcore.stats.errors import StatisticsError
from sqcore.stats.rules import PROFILES

XMR, P, U, P_PRIME, U_PRIME = (
    ChartKind.XMR,
    ChartKind.P,
    ChartKind.U,
    ChartKind.P_PRIME,
    ChartKind.U_PRIME,
)

# Montgomery, Introduction to Statistical Quality Control, example 6.5: the weekly cost of
# processing mortgage loan applications, by qicharts2 1b9487e.
LOAN_COST = [
    *(310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306),
    *(301, 304, 305, 282, 305, 296, 314, 295, 287, 301, 298, 311, 310, 292, 305, 299, 304, 310),
    *(304, 305, 333, 328),
]
# Montgomery, example 7.1: faulty cans of 50; the machine was adjusted after sample 30.
JUICE = [
    *(12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9),
    *(12, 7, 13, 9, 6, 9, 6, 12, 5, 6, 4, 6, 3, 7, 6, 2, 4, 3, 6, 5, 4, 8, 5, 6, 7, 5, 6, 3, 5),
    *(8, 7, 5, 6, 4, 5, 2, 3, 4, 7, 6, 5, 5, 3, 7, 9, 6, 10, 4, 3, 5, 8, 11, 9, 7, 3, 5, 2, 1),
    *(4, 5, 3, 7, 6, 4, 4, 6, 8, 5, 6),
]
# Montgomery, example 7.4: errors in the papers of 50 shipments a week.
SHIPMENTS = [2, 3, 8, 1, 1, 4, 1, 4, 5, 1, 8, 2, 4, 3, 4, 1, 8, 3, 7, 4]
# Hospital infections by bed days, 36 months from November 2012 (esundhed.dk, in qicharts2).
INFECTIONS = [
    *(17, 12, 27, 20, 20, 18, 22, 19, 19, 24, 17, 16, 24, 19, 19, 22, 25, 19, 17, 6, 25, 17, 11),
    *(14, 9, 11, 7, 13, 5, 5, 3, 5, 9, 4, 5, 9),
]
BED_DAYS = [
    *(14768.4166666667, 14460.3333333333, 16176.9166666667, 14226.5, 14816.25, 14335.2916666667),
    *(14964.5416666667, 14327.875, 13200.5833333333, 13855.625, 13794.5, 14070.8333333333),
    *(14496.8333333333, 14332.25, 14927, 13362.125, 14058.125, 14388.0833333333),
    *(14673.4166666667, 14153.5416666667, 13830.7083333333, 14171.375, 14637.9583333333),
    *(14713.0833333333, 14750.625, 14881.6666666667, 15203.75, 13589.75, 15111.5416666667),
    *(13729.9583333333, 13879.8333333333, 13895.8333333333, 13140.6666666667),
    *(13372.9166666667, 13959.375, 14181.3333333333),
]
# Complaints by customers served (Wayne Taylor, in qicharts2).
COMPLAINTS = [
    *(426, 543, 428, 67, 303, 481, 304, 718, 681, 1030, 704, 1062, 1085, 1311, 1309, 1342, 1740),
    *(1468, 1364, 1824),
]
CUSTOMERS = [
    *(90000, 110000, 90000, 40000, 60000, 70000, 90000, 120000, 150000, 210000, 190000, 250000),
    *(220000, 210000, 230000, 220000, 310000, 330000, 320000, 330000),
]
# Attendances of accident and emergency, England, April 2016 to March 2019
# (NHSRdatasets, by NHSRplotthedots 050b07d).
ATTENDANCES = [
    *(1867781, 2070340, 1958802, 2079034, 1932901, 1952464, 2001816, 1907871, 1944567, 1895272),
    *(1735619, 2015834, 1949762, 2066789, 1994056, 2073944, 1924663, 1925961, 2044137, 1976971),
    *(2003954, 2000086, 1820012, 2049785, 1984369, 2164458, 2093942, 2179896, 1997854, 2005695),
    *(2079492, 2037847, 2047518, 2113413, 1954947, 2167550),
]
NHS = PROFILES["nhs"].width


def _outside(z: FloatArray) -> list[int]:
    """The points beyond 3 sigma, counted from 1 as the references do."""
    return [int(at) + 1 for at in np.flatnonzero(np.abs(z) > 3)]


def _rates(counts: list[int], sizes: list[float]) -> FloatArray:
    found: FloatArray = np.asarray(counts, dtype=np.float64) / np.asarray(sizes)
    return found


def test_limits_of_loan_cost_frozen_at_20_weeks_are_those_of_montgomery() -> None:
    limits = freeze(LOAN_COST[:20], kind=XMR)

    lines = bands(limits, points=40)

    assert (limits.status, limits.n0, limits.screened) == (ChartStatus.OK, 20, 0)
    assert limits.centre == 300.5
    # The package divides by 1.128: 279.783315 and 321.216685. d2 is exact here.
    assert lines.lower[0] == pytest.approx(279.783314669653, rel=1e-4)
    assert lines.upper[0] == pytest.approx(321.216685330347, rel=1e-4)
    moving = np.abs(np.diff(LOAN_COST[:20])).mean()
    assert limits.sigma == pytest.approx(moving * math.sqrt(math.pi) / 2, rel=1e-12)
    assert _outside(z_of(LOAN_COST, limits)) == [39, 40]


def test_limits_of_faulty_cans_leave_out_two_samples_and_are_rebased_after_30() -> None:
    shares, sizes = np.array(JUICE) / 50, [50] * 94
    counts_in_baseline = np.ones(30, dtype=bool)
    counts_in_baseline[[14, 22]] = False

    before = freeze(shares[:30], kind=P, sizes=sizes[:30], valid=counts_in_baseline)
    after = freeze(shares[30:], kind=P, sizes=sizes[30:])

    first, second = bands(before, points=1, sizes=[50]), bands(after, points=1, sizes=[50])
    assert before.n0 == 28
    assert before.centre == pytest.approx(0.215, rel=1e-12)
    assert [*first.lower, *first.upper] == pytest.approx([0.04070283995429, 0.3892971600457])
    assert after.centre == pytest.approx(0.1096875, rel=1e-12)
    assert [*second.lower, *second.upper] == pytest.approx([0.0, 0.2422699551812])
    assert _outside(z_of(shares[:30], before, sizes=sizes[:30])) == [15, 21, 23]
    assert _outside(z_of(shares[30:], after, sizes=sizes[30:])) == []


def test_limits_of_shipment_errors_are_those_of_montgomery() -> None:
    limits = freeze(_rates(SHIPMENTS, [50.0] * 20), kind=U, sizes=[50] * 20)

    lines = bands(limits, points=20, sizes=[50] * 20)

    assert limits.centre == pytest.approx(0.074)
    assert lines.upper == pytest.approx([0.18941230437] * 20)
    assert lines.lower.tolist() == [0.0] * 20


@pytest.mark.parametrize(
    ("baseline", "centre", "first", "last", "outside"),
    [
        (
            24,
            13.024226317929,
            (4.115199762681, 21.933252873177),
            (3.93266045685, 22.115792179009),
            [29, 30, 31, 32, 34, 35],
        ),
        (
            36,
            10.380231037895,
            (2.426739995223, 18.333722080567),
            (2.263778898984, 18.496683176806),
            [31],
        ),
    ],
)
def test_limits_of_infections_follow_the_bed_days(
    baseline: int,
    centre: float,
    first: tuple[float, float],
    last: tuple[float, float],
    outside: list[int],
) -> None:
    rates = _rates(INFECTIONS, BED_DAYS)

    limits = freeze(rates[:baseline], kind=U, sizes=BED_DAYS[:baseline])

    lines = bands(limits, points=36, sizes=BED_DAYS)
    assert limits.centre * 10_000 == pytest.approx(centre)
    assert [lines.lower[0] * 10_000, lines.upper[0] * 10_000] == pytest.approx(first)
    assert [lines.lower[-1] * 10_000, lines.upper[-1] * 10_000] == pytest.approx(last)
    assert _outside(z_of(rates, limits, sizes=BED_DAYS)) == outside


def test_plain_limits_of_complaints_alarm_where_laneys_do_not() -> None:
    rates, sizes = _rates(COMPLAINTS, [float(n) for n in CUSTOMERS]), CUSTOMERS

    plain, prime = (freeze(rates, kind=kind, sizes=sizes) for kind in (U, U_PRIME))

    ordinary, wide = (bands(limits, points=20, sizes=sizes) for limits in (plain, prime))
    assert plain.centre * 1000 == pytest.approx(4.997252747253)
    assert ordinary.lower[:2] * 1000 == pytest.approx([4.290340252862, 4.357826337205])
    assert ordinary.upper[3] * 1000 == pytest.approx(6.057621488838)
    beyond = [4, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20]
    assert _outside(z_of(rates, plain, sizes=sizes)) == beyond
    # The package divides by 1.128.
    assert wide.lower[:5] * 1000 == pytest.approx(
        [1.238321392638, 1.597171406536, 1.238321392638, 0, 0.3935208487752], abs=2e-3
    )
    assert wide.upper[3] * 1000 == pytest.approx(10.635649779175, rel=1e-3)
    assert _outside(z_of(rates, prime, sizes=sizes)) == []


def test_nhs_limits_of_attendances_are_those_of_the_package() -> None:
    lines = bands(freeze(ATTENDANCES, kind=XMR), points=36, width=NHS)

    assert lines.centre[0] == pytest.approx(2000538.94444444, rel=1e-12)
    assert lines.lower[0] == pytest.approx(1731844.36444444, rel=1e-12)
    assert lines.upper[0] == pytest.approx(2269233.52444444, rel=1e-12)


@pytest.mark.parametrize(
    ("year", "centre", "lower", "upper"),
    [
        (0, 1946858.41666667, 1639947.37484848, 2253769.45848485),
        (1, 1985843.33333333, 1732836.94969697, 2238849.7169697),
        (2, 2068915.08333333, 1805691.39787879, 2332138.76878788),
    ],
)
def test_nhs_limits_rebased_each_year_are_those_of_the_package(
    year: int, centre: float, lower: float, upper: float
) -> None:
    limits = freeze(ATTENDANCES[12 * year : 12 * year + 12], kind=XMR)

    lines = bands(limits, points=1, width=NHS)

    assert limits.status == ChartStatus.TRIAL
    assert [lines.centre[0], lines.lower[0], lines.upper[0]] == pytest.approx(
        [centre, lower, upper], rel=1e-12
    )


def test_screening_one_moving_range_narrows_the_limits_as_in_the_package() -> None:
    # NHSRplotthedots 050b07d, test of issue 143: limits 6.175 with screening.
    values = [1, -1] * 7 + [5.5, -5.5]

    screened, plain = (freeze(values, kind=XMR, screen=screen) for screen in (True, False))

    assert bands(screened, points=1, width=NHS).upper[0] == pytest.approx(6.175, rel=1e-12)
    assert (screened.screened, plain.screened) == (1, 0)
    assert plain.sigma == pytest.approx((13 * 2 + 6.5 + 11) / 15 / D2)


def test_screening_never_takes_all_the_variation() -> None:
    limits = freeze([7.0] * 9 + [9.0], kind=XMR)

    assert (limits.status, limits.screened) == (ChartStatus.TRIAL, 0)
    assert limits.sigma == pytest.approx(2 / 9 / D2)


def test_spread_is_the_standard_deviation_where_a_series_drifts() -> None:
    values = np.arange(20.0)

    limits = freeze(values, kind=XMR)

    assert limits.sigma == pytest.approx(1 / D2)
    assert limits.spread == pytest.approx(values.std(ddof=1))
    assert limits.phi == 0.8


def test_phi_is_the_corrected_autocorrelation_of_neighbours() -> None:
    values = np.array([3.0, 4, 4, 5, 3, 2, 2, 4, 5, 5, 4, 2])
    deviation = values - values.mean()
    raw = (deviation[1:] * deviation[:-1]).sum() / (deviation**2).sum()

    assert freeze(values, kind=XMR).phi == pytest.approx((12 * raw + 1) / 8)
    assert freeze(values[:9], kind=XMR).phi == 0.0


def test_missing_points_close_up() -> None:
    gaps = [np.nan, 12, 14, np.nan, np.nan, 11, 13, 15, np.nan]

    assert freeze(gaps, kind=XMR) == freeze([12, 14, 11, 13, 15], kind=XMR)


def test_periods_without_cases_are_missing_in_shares() -> None:
    limits = freeze([0.1, 0.9, 0.3, 0.2, 0.3, 0.1], kind=P, sizes=[10, 0, 10, 10, 20, np.nan])
    whole = freeze([0.1, 0.3, 0.2, 0.3, 0.2], kind=P, sizes=[10, 10, 10, 20, 10])

    assert (limits.status, limits.n0) == (ChartStatus.TOO_SHORT, 4)
    lines = bands(whole, points=3, sizes=[10, 0, np.nan])
    assert lines.known.tolist() == [True, False, False]
    assert np.isnan(z_of([0.2, 0.2, 0.2], whole, sizes=[10, 0, np.nan])).tolist() == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_fewer_than_five_points_have_no_limits(count: int) -> None:
    limits = freeze([1.0, 2.0, 1.0, 3.0][:count], kind=XMR)

    assert (limits.status, limits.n0, limits.phi) == (ChartStatus.TOO_SHORT, count, 0.0)
    assert np.isnan([limits.centre, limits.sigma, limits.spread]).all()
    assert not bands(limits, points=2).known.any()
    assert np.isnan(z_of([1.0, 2.0], limits)).all()


@pytest.mark.parametrize(("count", "status"), [(5, "trial"), (19, "trial"), (20, "ok")])
def test_limits_are_on_trial_below_20_points(count: int, status: str) -> None:
    assert freeze(np.arange(count) % 3, kind=XMR).status == status


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e99, 1e-120])
def test_a_constant_series_has_no_sigma(value: float) -> None:
    limits = freeze([value] * 25, kind=XMR)

    assert limits.status == ChartStatus.ZERO_VARIANCE
    assert [limits.centre, limits.sigma] == [pytest.approx(value), 0.0]
    assert np.isnan(z_of([value, value + 1], limits)).all()


def test_what_differs_by_rounding_only_is_constant() -> None:
    assert freeze([0.1 + 0.2, 0.3] * 10, kind=XMR).status == ChartStatus.ZERO_VARIANCE


@pytest.mark.parametrize(
    ("kind", "value"), [(P, 0.0), (P, 1.0), (P_PRIME, 0.0), (U, 0.0), (U_PRIME, 0.0)]
)
def test_nothing_ever_or_always_has_no_sigma(kind: ChartKind, value: float) -> None:
    limits = freeze([value] * 6, kind=kind, sizes=[30] * 6)

    assert (limits.status, limits.centre) == (ChartStatus.ZERO_VARIANCE, value)
    lines = bands(limits, points=1, sizes=[30])
    assert (lines.lower[0], lines.upper[0]) == (value, value)


def test_equal_shares_have_limits_by_size_but_none_by_laney() -> None:
    plain, prime = (freeze([0.2] * 6, kind=kind, sizes=[30] * 6) for kind in (P, P_PRIME))

    assert (plain.status, plain.sigma) == (ChartStatus.TRIAL, 1.0)
    assert prime.status == ChartStatus.ZERO_VARIANCE


def test_a_series_gets_the_chart_of_its_kind_of_data() -> None:
    rng = np.random.default_rng(1924)
    few, many = np.full(40, 50), np.full(40, 50_000)
    wandering = rng.binomial(many, np.clip(rng.normal(0.2, 0.03, 40), 0, 1)) / many
    by_chance = rng.binomial(few, 0.2) / few
    steady = np.where(np.arange(40) % 2, 0.2, 0.21)

    assert chart_for("mean", by_chance) == (XMR, "single_values")
    assert chart_for("proportion", by_chance) == (XMR, "no_sizes")
    assert chart_for("proportion", by_chance, sizes=few) == (P, "as_sizes_explain")
    assert chart_for("proportion", wandering, sizes=many) == (P_PRIME, "more_than_sizes_explain")
    assert chart_for("rate", steady, sizes=few) == (U_PRIME, "less_than_sizes_explain")
    assert chart_for("rate", by_chance[:3], sizes=few[:3]) == (U, "too_short_to_tell")
    rates = _rates(COMPLAINTS, [float(n) for n in CUSTOMERS])
    assert chart_for("rate", rates, sizes=CUSTOMERS) == (U_PRIME, "more_than_sizes_explain")


def test_limits_hold_a_known_process() -> None:
    rng = np.random.default_rng(1931)
    many = freeze_many(rng.normal(50, 4, (2000, 26)))

    assert many.centre.mean() == pytest.approx(50, abs=0.1)
    # Screening takes about 1 % off: it leaves out large ranges of chance too.
    assert many.sigma.mean() == pytest.approx(4, rel=0.02)
    assert many.phi.mean() == pytest.approx(0.1, abs=0.03)


Values = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=5, max_size=40)


@given(values=Values, shift=st.floats(-1e4, 1e4), scale=st.floats(1e-3, 1e3))
def test_limits_move_and_stretch_with_the_values(
    values: list[float], shift: float, scale: float
) -> None:
    x = np.array(values)
    limits = freeze(x, kind=XMR, screen=False)
    assume(limits.status.usable and limits.sigma > 1e-3)

    moved = freeze(shift + scale * x, kind=XMR, screen=False)

    unit = scale * np.abs(x).max() + abs(shift)
    assert moved.centre == pytest.approx(shift + scale * limits.centre, abs=1e-9 * unit)
    assert moved.sigma == pytest.approx(scale * limits.sigma, rel=1e-6, abs=1e-9 * unit)
    assert moved.spread == pytest.approx(scale * limits.spread, rel=1e-6, abs=1e-9 * unit)
    assert moved.phi == pytest.approx(limits.phi, abs=1e-5)


@given(values=Values)
def test_mirrored_values_have_mirrored_limits(values: list[float]) -> None:
    limits, mirrored = (freeze(np.array(values) * sign, kind=XMR) for sign in (1, -1))

    assert astuple(mirrored) == astuple(
        Limits(limits.kind, limits.status, -limits.centre, *astuple(limits)[3:])
    )


@given(
    x=arrays.arrays(np.float64, (4, 12), elements=st.floats(-50, 50)),
    valid=arrays.arrays(np.bool_, (4, 12)),
    baseline=arrays.arrays(np.bool_, 12),
)
def test_many_series_are_as_each_alone(
    x: FloatArray,
    valid: BoolArray,
    baseline: BoolArray,
) -> None:
    many = freeze_many(x, valid, baseline)

    z = z_many(x, many)
    for series in range(4):
        alone = freeze(x[series], kind=XMR, valid=valid[series] & baseline)
        assert astuple(many.one(series)) == pytest.approx(astuple(alone), nan_ok=True)
        np.testing.assert_array_equal(z[series], z_of(x[series], many.one(series)))


@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), min_size=5, max_size=30
    ),
    kind=st.sampled_from([P, P_PRIME, U, U_PRIME]),
)
def test_limits_of_counts_are_finite_and_in_range(pairs: list[list[int]], kind: ChartKind) -> None:
    counts, sizes = np.array(pairs).T
    values = counts / np.maximum(sizes, 1)
    limits = freeze(values, kind=kind, sizes=sizes)

    lines = bands(limits, points=len(pairs), sizes=sizes)
    z = z_of(values, limits, sizes=sizes)

    if limits.status != ChartStatus.TOO_SHORT:
        assert lines.known.tolist() == (sizes > 0).tolist()
    known = lines.known
    assert (lines.lower[known] >= 0).all()
    assert (lines.lower[known] <= lines.centre[known]).all()
    assert (lines.centre[known] <= lines.upper[known]).all()
    assert not kind.share or (lines.upper[known] <= 1).all()
    assert (np.isnan(z) == ~(known & limits.status.usable)).all()


def test_a_chart_of_no_points_is_empty() -> None:
    limits = freeze(LOAN_COST, kind=XMR)

    lines: Bands = bands(limits, points=0)

    assert lines.upper.shape == z_of([], limits).shape == (0,)
    assert freeze_many(np.zeros((3, 0))).status.tolist() == ["too_short"] * 3
    assert freeze_many(np.zeros((0, 7))).centre.shape == (0,)


LIMITS = freeze(LOAN_COST, kind=XMR)
SHARES = freeze([0.1, 0.2, 0.1, 0.2, 0.1], kind=P, sizes=[50] * 5)
FIVE = [0.1, 0.2, 0.1, 0.2, 0.1]

REFUSED: dict[str, Callable[[], object]] = {
    "text": lambda: freeze(["a"], kind=XMR),
    "an infinite value": lambda: freeze([1, 2, np.inf], kind=XMR),
    "a value beyond all": lambda: freeze([1, 2, -1e101], kind=XMR),
    "a table for a series": lambda: freeze([[1, 2], [3, 4]], kind=XMR),
    "ragged rows": lambda: freeze_many([[1, 2], [3]]),
    "a series for a table": lambda: freeze_many([1, 2]),
    "valid of another length": lambda: freeze([1, 2, 3], kind=XMR, valid=[True]),
    "valid that is not bool": lambda: freeze([1, 2, 3], kind=XMR, valid=[1, 1, 0]),
    "a baseline of another length": lambda: freeze_many([[1, 2, 3]], None, [True]),
    "shares without sizes": lambda: freeze(FIVE, kind=P),
    "sizes of another length": lambda: freeze(FIVE, kind=P, sizes=[50]),
    "negative sizes": lambda: freeze(FIVE, kind=U, sizes=[50, 50, 50, 50, -1]),
    "infinite sizes": lambda: freeze(FIVE, kind=U, sizes=[50, 50, 50, 50, np.inf]),
    "a share above 1": lambda: freeze([1.1] * 5, kind=P, sizes=[50] * 5),
    "a negative rate": lambda: freeze([-0.1] * 5, kind=U_PRIME, sizes=[50] * 5),
    "lines of shares without sizes": lambda: bands(SHARES, points=5),
    "lines of other sizes": lambda: bands(SHARES, points=5, sizes=[50]),
    "a negative number of points": lambda: bands(LIMITS, points=-1),
    "limits of no width": lambda: bands(LIMITS, points=1, width=0),
    "limits without end": lambda: bands(LIMITS, points=1, width=np.inf),
    "an infinite distance": lambda: z_of([np.inf], LIMITS),
    "a distance of text": lambda: z_of(["a"], LIMITS),
    "distances of shares without sizes": lambda: z_of(FIVE, SHARES),
    "a distance of no share": lambda: z_of([2.0], SHARES, sizes=[50]),
    "other series than the limits": lambda: z_many([[1], [2]], freeze_many([[1, 2, 3, 2, 1]])),
    "a chart for a share above 1": lambda: chart_for("proportion", [2] * 5, sizes=[5] * 5),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()


def test_laney_takes_no_part_where_too_few_are_counted() -> None:
    shares = [1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0]

    assert chart_for("proportion", shares, sizes=[2] * 12) == (P, "too_few_to_tell")
    assert chart_for("proportion", shares, sizes=[200] * 12).kind == ChartKind.P_PRIME
