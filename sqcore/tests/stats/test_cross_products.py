"""Sums of complete rows against numpy, and their jackknife against simulation."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.arrays import FloatArray
from sqcore.stats.cross_products import CrossProducts, cross_products
from sqcore.stats.errors import StatisticsError
from sqcore.stats.psychometrics import reliability
from sqcore.tests.stats.test_psychometrics import ATTITUDE

MISSING = math.nan
Rows = arrays(
    np.float64, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=st.integers(1, 7)
)
Gappy = arrays(
    np.float64,
    st.tuples(st.integers(0, 30), st.integers(1, 4)),
    elements=st.one_of(st.just(MISSING), st.integers(1, 7).map(float)),
)


def added(one: CrossProducts, other: CrossProducts) -> CrossProducts:
    return CrossProducts(
        one.n + other.n,
        one.weight + other.weight,
        one.squares + other.squares,
        one.sums + other.sums,
        one.products + other.products,
        one.left_out + other.left_out,
    )


def test_the_covariance_is_that_of_numpy_on_attitude() -> None:
    found = cross_products(ATTITUDE, bucket=np.arange(30))

    assert (found.rows, found.left_out, found.effective) == (30, 0, 30.0)
    assert found.mean == pytest.approx(np.mean(ATTITUDE, axis=0))
    assert found.covariance == pytest.approx(np.cov(np.transpose(ATTITUDE)))


def test_alpha_from_the_sums_is_the_published_one() -> None:
    found = cross_products(ATTITUDE, bucket=[row % 7 for row in range(30)])

    # R psych 2.2.9, alpha(attitude).
    assert reliability(found.covariance, found.rows).alpha.value == pytest.approx(0.8431427695648)


def test_rows_with_a_hole_are_left_out_and_counted() -> None:
    rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 9.0], [MISSING, 1.0], [MISSING, MISSING]]

    found = cross_products(rows)

    assert (found.rows, found.left_out) == (3, 2)
    assert found.covariance.tolist() == [[4.0, 7.0], [7.0, 13.0]]


def test_without_one_bucket_it_is_the_covariance_of_the_others() -> None:
    rows, bucket = np.array(ATTITUDE, dtype=np.float64), np.arange(30) % 4

    n, covariances = cross_products(rows, bucket=bucket).leave_one_out()

    assert n.tolist() == [22, 22, 23, 23]
    for each, covariance in enumerate(covariances):
        assert covariance == pytest.approx(np.cov(rows[bucket != each].T))


def test_empty_buckets_are_not_left_out_of_anything() -> None:
    n, covariances = cross_products([[1.0], [2.0], [4.0]], bucket=[0, 3, 49]).leave_one_out()

    assert n.tolist() == [2, 2, 2]
    assert covariances.ravel().tolist() == [2.0, 4.5, 0.5]


def test_a_bucket_that_holds_nearly_everybody_has_no_rest() -> None:
    n, covariances = cross_products([[1.0], [2.0], [4.0]], bucket=[0, 0, 1]).leave_one_out()

    assert n.tolist() == [2]
    assert covariances.tolist() == [[[0.5]]]


def test_weights_by_hand() -> None:
    # Mean (1 1 + 3 5) / 4 = 4; the spread 12/4 = 3, times n/(n-1) = 2.
    found = cross_products([[1.0], [5.0]], weights=[1, 3])

    assert found.mean.tolist() == [4.0]
    assert found.covariance.tolist() == [[6.0]]
    assert found.effective == pytest.approx(16 / 10)


@given(Rows, st.floats(0.01, 100))
def test_equal_weights_are_no_weights(rows: FloatArray, weight: float) -> None:
    plain, weighted = cross_products(rows), cross_products(rows, weights=np.full(len(rows), weight))

    assert weighted.covariance == pytest.approx(plain.covariance, abs=1e-9)
    assert weighted.effective == pytest.approx(len(rows))


@given(Gappy, st.randoms(use_true_random=False))
def test_neither_order_nor_buckets_matter(rows: FloatArray, chance: object) -> None:
    rng = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined]
    order = rng.permutation(len(rows))
    plain = cross_products(rows)
    other = cross_products(rows[order], bucket=rng.integers(0, 50, len(rows)))

    assert (other.rows, other.left_out) == (plain.rows, plain.left_out)
    assert (other.sums.sum(0) == plain.sums.sum(0)).all()
    assert (other.products.sum(0) == plain.products.sum(0)).all()
    assume(plain.rows > 1)
    assert (other.covariance == plain.covariance).all()


@given(Rows, Rows)
def test_two_periods_add_up_exactly(one: FloatArray, other: FloatArray) -> None:
    width = min(one.shape[1], other.shape[1])
    one, other = one[:, :width], other[:, :width]

    together = added(cross_products(one), cross_products(other))

    whole = cross_products(np.vstack([one, other]))
    assert (together.covariance == whole.covariance).all()


@given(Rows)
def test_whole_numbers_lose_nothing_far_from_zero(rows: FloatArray) -> None:
    near, far = cross_products(rows), cross_products(rows + 100_000)

    assert far.covariance == pytest.approx(near.covariance, abs=1e-12)
    assert (np.diag(far.covariance) >= 0).all()


def alpha(covariance: FloatArray) -> float:
    items = len(covariance)
    return float(items / (items - 1) * (1 - np.trace(covariance) / covariance.sum()))


def test_the_jackknife_of_buckets_is_as_wide_as_alpha_is_unsure() -> None:
    rng = np.random.default_rng(11)
    alphas, errors = [], []
    for _ in range(60):
        rows = rng.standard_normal((400, 1)) + rng.standard_normal((400, 5))
        found = cross_products(rows, bucket=rng.integers(0, 50, 400))
        each = np.array([alpha(covariance) for covariance in found.leave_one_out()[1]])
        alphas.append(alpha(found.covariance))
        errors.append(np.sqrt((len(each) - 1) / len(each) * ((each - each.mean()) ** 2).sum()))

    assert np.mean(errors) == pytest.approx(np.std(alphas), rel=0.3)


def test_nobody_has_no_mean_and_one_no_covariance() -> None:
    nobody, one = cross_products(np.zeros((0, 2))), cross_products([[1.0, 2.0]])

    assert (nobody.rows, nobody.effective, one.mean.tolist()) == (0, 0.0, [1.0, 2.0])
    assert nobody.leave_one_out()[1].shape == one.leave_one_out()[1].shape == (0, 2, 2)


NOBODY = cross_products(np.zeros((0, 2)))
ONE = cross_products([[1.0, 2.0]])
REFUSED: dict[str, Callable[[], object]] = {
    "a list for a table": lambda: cross_products([1.0]),
    "ragged rows": lambda: cross_products([[1.0], [1.0, 2.0]]),
    "text": lambda: cross_products([["a"]]),
    "infinity": lambda: cross_products([[math.inf]]),
    "a number beyond squaring": lambda: cross_products([[1e51]]),
    "a weight of 0": lambda: cross_products([[1.0]], weights=[0]),
    "a negative weight": lambda: cross_products([[1.0]], weights=[-1]),
    "a weight that is NaN": lambda: cross_products([[1.0]], weights=[MISSING]),
    "a weight beyond squaring": lambda: cross_products([[1.0]], weights=[1e21]),
    "weights of another length": lambda: cross_products([[1.0]], weights=[1, 1]),
    "buckets of another length": lambda: cross_products([[1.0]], bucket=[0, 0]),
    "a bucket too far": lambda: cross_products([[1.0]], bucket=[50]),
    "a negative bucket": lambda: cross_products([[1.0]], bucket=[-1]),
    "half a bucket": lambda: cross_products([[1.0]], bucket=[0.5]),
    "the mean of nobody": lambda: NOBODY.mean,
    "the covariance of nobody": lambda: NOBODY.covariance,
    "the covariance of one": lambda: replace(ONE, left_out=1).covariance,
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
