"""How far means differ beyond chance: a published case, what must hold, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.errors import StatisticsError
from sqcore.stats.heterogeneity import heterogeneity
from sqcore.stats.results import MethodStatus

# Thirteen trials of the BCG vaccine (Colditz et al. 1994): cases and others, vaccinated and not.
TRIALS = (
    *((4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619)),
    *((33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619)),
    *((505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600)),
    *((186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)),
)


def log_risks() -> tuple[list[float], list[float]]:
    means = [math.log(a / (a + b) / (c / (c + d))) for a, b, c, d in TRIALS]
    variances = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in TRIALS]
    return means, variances


def test_matches_viechtbauer_bcg_vaccine() -> None:
    """Viechtbauer 2010, doi:10.18637/jss.v036.i03: Q 152.233 of 12, tau² from .1197 to 1.1115."""
    found = heterogeneity(*log_risks())

    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.df == 12
    assert found.tau.low is not None
    assert found.tau.high is not None
    assert found.tau.low**2 == pytest.approx(0.1197, abs=5e-5)
    assert found.tau.high**2 == pytest.approx(1.1115, abs=5e-5)
    assert found.tau.n == 13


@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(0.01, 100)),
        min_size=2,
        max_size=12,
    ),
    st.floats(-1000, 1000),
    st.floats(0.01, 100),
)
def test_a_shift_changes_nothing_and_a_scale_scales(
    rows: list[tuple[float, float]], shift: float, scale: float
) -> None:
    means, variances = np.array(rows).T

    plain = heterogeneity(means, variances)
    other = heterogeneity(shift + scale * means, scale**2 * variances)

    assert plain.q == pytest.approx(other.q, rel=1e-6, abs=1e-6)
    assert plain.tau.value is not None
    assert other.tau.value == pytest.approx(scale * plain.tau.value, rel=1e-4, abs=1e-3 * scale)
    if plain.tau.low is not None and plain.tau.high is not None:
        assert 0 <= plain.tau.low <= plain.tau.high


def test_groups_that_differ_are_no_spread_inside_them() -> None:
    found = heterogeneity([70, 70.5, 40, 40.5], [1, 1, 1, 1], [0, 0, 1, 1])

    assert found.q == pytest.approx(0.25)
    assert found.df == 2
    assert found.tau.value == 0.0


def test_a_true_spread_lies_in_the_interval_about_as_often_as_said() -> None:
    random, covered = np.random.default_rng(7), 0
    for _ in range(300):
        variances = random.uniform(2, 10, 12)
        means = random.normal(0, 3, 12) + random.normal(0, np.sqrt(variances))
        tau = heterogeneity(means, variances).tau
        covered += tau.low is not None and tau.high is not None and tau.low <= 3 <= tau.high

    assert 0.91 <= covered / 300 <= 0.98


def test_means_more_alike_than_chance_have_no_interval() -> None:
    found = heterogeneity([5.0] * 8, [1.0] * 8)

    assert found.status == MethodStatus.OK
    assert (found.tau.value, found.tau.low, found.tau.high) == (0.0, None, None)
    assert found.p == 1.0


@pytest.mark.parametrize(
    ("means", "variances", "group", "status"),
    [
        ([], [], None, MethodStatus.INSUFFICIENT_N),
        ([4.0], [1.0], None, MethodStatus.INSUFFICIENT_N),
        ([4.0, 5.0], [1.0, 1.0], [0, 1], MethodStatus.INSUFFICIENT_N),
        ([4.0, 5.0], [1.0, 0.0], None, MethodStatus.NOT_APPLICABLE),
    ],
)
def test_says_why_there_is_no_number(
    means: list[float], variances: list[float], group: list[int] | None, status: MethodStatus
) -> None:
    found = heterogeneity(means, variances, group)

    assert found.status == status
    assert found.q is None
    assert found.of_two.value is None


@pytest.mark.parametrize(
    ("means", "variances", "group"),
    [
        ([1.0, math.nan], [1.0, 1.0], None),
        ([1.0, math.inf], [1.0, 1.0], None),
        ([1.0, 2.0], [1.0], None),
        ([1.0, 2.0], [1.0, -1.0], None),
        ([1.0, 2.0], [1.0, 1.0], [0, -1]),
        ([[1.0, 2.0]], [[1.0, 1.0]], None),
        ([1.0, 2.0], [1.0, 1.0], [0]),
    ],
)
def test_refuses_a_wrong_call(means: object, variances: object, group: object) -> None:
    with pytest.raises(StatisticsError):
        heterogeneity(means, variances, group)  # type: ignore[arg-type]  # wrong on purpose


def test_huge_differences_give_a_number() -> None:
    found = heterogeneity([0.0, 1e9, -1e9], [1.0, 2.0, 1.0])

    assert found.tau.value == pytest.approx(1e9, rel=1e-6)
