"""How alike groups are: published cases, what must hold, what is refused."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.consistency import Consistency, consistency
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus
from sqcore.tests.stats.test_people import BH_N, BH_SQUARES, BH_SUM

# Davies 1967: five yields of each of six batches of a dyestuff.
DYESTUFF = (
    (1545, 1440, 1440, 1520, 1580),
    (1540, 1555, 1490, 1560, 1495),
    (1595, 1550, 1605, 1510, 1560),
    (1445, 1440, 1595, 1465, 1545),
    (1595, 1630, 1515, 1635, 1625),
    (1520, 1455, 1450, 1480, 1445),
)
# Shrout and Fleiss 1979, table 2: six persons rated four times each.
RATINGS = (
    *((9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8)),
    *((7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7)),
)


def of_rows(rows: npt.ArrayLike) -> Consistency:
    table = np.asarray(rows, dtype=np.float64)
    sizes = np.full(len(table), table.shape[1])
    return consistency(sizes, table.mean(axis=1), table.var(axis=1, ddof=1))


def test_matches_bates_dyestuff() -> None:
    """Bates et al. 2015, doi:10.18637/jss.v067.i01: 1764.05 between batches, 2451.25 within."""
    found = of_rows(DYESTUFF)

    assert found.tau.value == pytest.approx(math.sqrt(1764.05), abs=1e-6)
    assert found.within_square == pytest.approx(2451.25)
    assert found.icc.value == pytest.approx(1764.05 / (1764.05 + 2451.25), abs=1e-9)
    assert (found.groups, found.n, found.n0) == (6, 30.0, 5.0)


def test_matches_shrout_fleiss() -> None:
    """ICC(1,1) .17 of mean squares 11.24 and 6.26; its interval from -.133 to .723, here cut."""
    found = of_rows(RATINGS)

    assert found.between_square == pytest.approx(11.24, abs=0.005)
    assert found.within_square == pytest.approx(6.26, abs=0.005)
    assert found.icc.value == pytest.approx(0.17, abs=0.005)
    assert found.icc.low == 0.0
    assert found.icc.high == pytest.approx(0.723, abs=0.0005)


def test_matches_bliese_bh1996() -> None:
    n, total, squares = (np.array(each, dtype=np.float64) for each in (BH_N, BH_SUM, BH_SQUARES))
    means = total / n

    found = consistency(n, means, (squares - n * means**2) / (n - 1))

    assert found.between_square == pytest.approx(55.811485647276, abs=1e-9)
    assert found.within_square == pytest.approx(4.483158303192, abs=1e-9)
    # The package takes the mean size of a group for n0, which is larger where sizes differ.
    assert found.icc.value == pytest.approx(0.1331066790865, abs=0.003)
    assert found.n0 is not None
    assert found.n0 < n.mean()


GROUPS = st.lists(
    st.tuples(st.integers(2, 400), st.floats(-50, 50), st.floats(0.01, 400)),
    min_size=3,
    max_size=10,
)


@given(GROUPS, st.floats(-1000, 1000), st.floats(0.01, 100))
def test_a_shift_changes_nothing_and_a_scale_scales(
    rows: list[tuple[int, float, float]], shift: float, scale: float
) -> None:
    n, means, variances = (np.array(each) for each in zip(*rows, strict=True))

    plain = consistency(n, means, variances)
    other = consistency(n, shift + scale * means, scale**2 * variances)

    assert plain.tau.value is not None
    assert other.tau.value == pytest.approx(scale * plain.tau.value, rel=1e-4, abs=1e-3 * scale)
    assert other.icc.value == pytest.approx(plain.icc.value, abs=1e-6)


@given(GROUPS)
def test_the_order_of_groups_does_not_matter_and_intervals_hold_their_value(
    rows: list[tuple[int, float, float]],
) -> None:
    found = consistency(*zip(*rows, strict=True))
    turned = consistency(*zip(*reversed(rows), strict=True))

    for figure, other in ((found.tau, turned.tau), (found.icc, turned.icc)):
        assert figure.value is not None
        assert figure.value == pytest.approx(other.value, rel=1e-6, abs=1e-6)
        if figure.low is not None and figure.high is not None:
            slack = 1e-6 * (1 + figure.value)
            assert 0 <= figure.low <= figure.value + slack
            assert figure.value <= figure.high + slack
    assert found.icc.value is not None
    assert found.icc.value <= 1


def test_a_true_spread_lies_in_the_interval_about_as_often_as_said() -> None:
    random, covered = np.random.default_rng(11), np.zeros(2)
    icc = 4 / (4 + 25)
    for _ in range(300):
        n = random.integers(20, 80, 8)
        truth = random.normal(60, 2, 8)
        values = [random.normal(mean, 5, size) for mean, size in zip(truth, n, strict=True)]
        found = consistency(n, [v.mean() for v in values], [v.var(ddof=1) for v in values])
        for at, (figure, true) in enumerate(((found.tau, 2.0), (found.icc, icc))):
            covered[at] += (
                figure.low is not None and figure.high is not None
            ) and figure.low <= true <= figure.high

    assert (covered / 300 >= 0.91).all()
    assert (covered / 300 <= 0.985).all()


def test_groups_of_equal_means_have_no_spread() -> None:
    found = consistency([50, 60, 70], [5.0, 5.0, 5.0], [4.0, 4.0, 4.0])

    assert found.status == MethodStatus.OK
    assert (found.tau.value, found.tau.high, found.icc.value) == (0.0, None, 0.0)


def test_where_nothing_varies_inside_the_means_are_the_truth() -> None:
    found = consistency([10, 10, 10], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0])

    assert found.tau.value == pytest.approx(1.0)
    # One degree of chi-squared for each mean but one: quantiles .025 and .975 are .0506 and 7.378.
    assert found.tau.low == pytest.approx(math.sqrt(2 / 7.377759), abs=1e-6)
    assert found.tau.high == pytest.approx(math.sqrt(2 / 0.0506356), abs=1e-5)
    assert found.icc.value == 1.0


def test_where_nothing_varies_at_all_everything_is_alike() -> None:
    found = consistency([10, 10, 10], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])

    assert (found.tau.value, found.tau.low, found.tau.high) == (0.0, None, None)
    assert found.icc.status == MethodStatus.ZERO_VARIANCE


@pytest.mark.parametrize(("n", "least"), [([], 3), ([9, 9], 3), ([1, 1, 1], 3), ([9], 2)])
def test_says_that_there_is_too_little(n: list[int], least: int) -> None:
    found = consistency(n, [float(each) for each in n], [1.0] * len(n), least_groups=least)

    assert found.status == found.icc.status == MethodStatus.INSUFFICIENT_N
    assert (found.tau.value, found.within_square, found.groups) == (None, None, len(n))


def test_a_group_of_one_counts_with_its_mean_alone() -> None:
    one = consistency([1, 40, 40], [5.0, 6.0, 7.0], [0.0, 4.0, 4.0])
    other = consistency([1, 40, 40], [5.0, 6.0, 7.0], [99.0, 4.0, 4.0])

    assert one == other
    assert one.within_square == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("n", "means", "variances", "more"),
    [
        ([9, 9, 9], [1.0, math.nan, 2.0], [1.0] * 3, {}),
        ([9, 9, 9], [1.0, math.inf, 2.0], [1.0] * 3, {}),
        ([9, 9, 9], [1.0, 2.0], [1.0] * 3, {}),
        ([9, 9, 9], [1.0, 2.0, 3.0], [1.0, -1.0, 1.0], {}),
        ([9, 0, 9], [1.0, 2.0, 3.0], [1.0] * 3, {}),
        ([[9, 9, 9]], [[1.0, 2.0, 3.0]], [[1.0] * 3], {}),
        ([9, 9, 9], [1.0, 2.0, 3.0], ["a"] * 3, {}),
        ([9, 9, 9], [1.0, 2.0, 3.0], [1.0] * 3, {"confidence": 1.0}),
        ([9, 9, 9], [1.0, 2.0, 3.0], [1.0] * 3, {"least_groups": 1}),
    ],
)
def test_refuses_a_wrong_call(
    n: object, means: object, variances: object, more: dict[str, float]
) -> None:
    with pytest.raises(StatisticsError):
        consistency(n, means, variances, **more)  # type: ignore[arg-type]  # wrong on purpose


def test_groups_that_are_hardly_more_than_one_value_each_say_nothing() -> None:
    found = consistency([1.0, 1.0 + 2e-16, 1.0 + 4e-16], [1.0, 2.0, 3.0], [1.0] * 3)

    assert found.status is MethodStatus.INSUFFICIENT_N
    assert found.between_square is None


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e99])
def test_tiny_and_huge_values_give_a_number(size: float) -> None:
    found = consistency([40, 40, 40], [size, 2 * size, 3 * size], [(size / 10) ** 2] * 3)

    assert found.tau.value == pytest.approx(size, rel=1e-3)
