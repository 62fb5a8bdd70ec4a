from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats.arrays import FloatArray
from sqcore.stats.cross_products import CrossProducts, cross_products
from sqcore.stats.drivers import EXACT_UP_TO, Drivers, drivers, relative_weights, shapley
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import MethodStatus

# R's data set attitude (Chatterjee, Price 1977), n = 30: covariances of rating and of complaints,
# privileges, learning, raises, critical, advance; here with the rating last.
ATTITUDE = np.array(
    [
        [177.28275862069, 90.951724137931, 93.255172413793, 92.641379310345, 24.731034482759,
         30.765517241379, 133.779310344828],
        [90.951724137931, 149.705747126437, 70.845977011494, 56.671264367816, 17.825287356322,
         43.216091954023, 63.464367816092],
        [93.255172413793, 70.845977011494, 137.757471264368, 78.13908045977, 13.467816091954,
         64.197701149425, 89.104597701149],
        [92.641379310345, 56.671264367816, 78.13908045977, 108.102298850575, 38.773563218391,
         61.422988505747, 74.688505747126],
        [24.731034482759, 17.825287356322, 13.467816091954, 38.773563218391, 97.909195402299,
         28.845977011494, 18.842528735632],
        [30.765517241379, 43.216091954023, 64.197701149425, 61.422988505747, 28.845977011494,
         105.857471264368, 19.422988505747],
        [133.779310344828, 63.464367816092, 89.104597701149, 74.688505747126, 18.842528735632,
         19.422988505747, 148.171264367816],
    ]
)  # fmt: skip

# R's data set mtcars: cyl, disp, hp, gear, and mpg as the outcome.
MTCARS = np.array(
    [
        [6, 160, 110, 4, 21], [6, 160, 110, 4, 21], [4, 108, 93, 4, 22.8], [6, 258, 110, 3, 21.4],
        [8, 360, 175, 3, 18.7], [6, 225, 105, 3, 18.1], [8, 360, 245, 3, 14.3],
        [4, 146.7, 62, 4, 24.4], [4, 140.8, 95, 4, 22.8], [6, 167.6, 123, 4, 19.2],
        [6, 167.6, 123, 4, 17.8], [8, 275.8, 180, 3, 16.4], [8, 275.8, 180, 3, 17.3],
        [8, 275.8, 180, 3, 15.2], [8, 472, 205, 3, 10.4], [8, 460, 215, 3, 10.4],
        [8, 440, 230, 3, 14.7], [4, 78.7, 66, 4, 32.4], [4, 75.7, 52, 4, 30.4],
        [4, 71.1, 65, 4, 33.9], [4, 120.1, 97, 3, 21.5], [8, 318, 150, 3, 15.5],
        [8, 304, 150, 3, 15.2], [8, 350, 245, 3, 13.3], [8, 400, 175, 3, 19.2],
        [4, 79, 66, 4, 27.3], [4, 120.3, 91, 5, 26], [4, 95.1, 113, 5, 30.4],
        [8, 351, 264, 5, 15.8], [6, 145, 175, 5, 19.7], [8, 301, 335, 5, 15],
        [4, 121, 109, 4, 21.4],
    ]
)  # fmt: skip


def answers(n: int, size: int, *, seed: int = 1, slopes: FloatArray | None = None) -> FloatArray:
    """Return related drivers and an outcome that hangs on them less and less."""
    drawn = np.random.default_rng(seed)
    x = drawn.normal(size=(n, size)) + drawn.normal(size=(n, 1))
    by = 0.6 ** np.arange(size) if slopes is None else slopes
    return np.column_stack([x, x @ by + drawn.normal(size=n)])


def summed(rows: FloatArray, buckets: int = 20, **more: Any) -> CrossProducts:
    bucket = np.arange(len(rows)) % buckets
    return cross_products(rows, bucket=bucket, buckets=buckets, **more)


def shares_of(found: Drivers) -> list[float]:
    return [part.value for part in found.parts if part.value is not None]


def r2_of(covariance: FloatArray) -> float:
    among, towards = covariance[:-1, :-1], covariance[:-1, -1]
    return float(towards @ np.linalg.solve(among, towards) / covariance[-1, -1])


class TestRelativeWeights:
    def test_matches_the_rwa_package_on_mtcars(self) -> None:
        # martinctc/rwa, vignette: rwa(mtcars, "mpg", c("cyl", "disp", "hp", "gear"))
        parts = relative_weights(np.cov(MTCARS.T))

        np.testing.assert_allclose(
            parts, [0.2284797259282, 0.22214687054, 0.2321744392994, 0.09638860321539], atol=1e-12
        )
        np.testing.assert_allclose(parts.sum(), 0.7791896389831, atol=1e-12)
        np.testing.assert_allclose(
            100 * parts / parts.sum(),
            [29.322736660925, 28.509987739305, 29.79691049312, 12.37036510665],
            atol=1e-10,
        )

    def test_matches_genizi_of_relaimpo_on_attitude(self) -> None:
        # R relaimpo: calc.relimp(rating ~ ., attitude, type = "genizi")
        np.testing.assert_allclose(
            relative_weights(ATTITUDE),
            [0.3627601996581, 0.05600227877885, 0.1636109107505, 0.1217803996882,
             0.008255466496438, 0.02019273715898],
            atol=1e-12,
        )  # fmt: skip


class TestShapley:
    def test_matches_lmg_of_relaimpo_on_attitude(self) -> None:
        # R relaimpo: calc.relimp(rating ~ ., attitude, type = "lmg")
        found = shapley(ATTITUDE)

        np.testing.assert_allclose(
            found.parts,
            [0.3708161943193, 0.05090379297154, 0.1557659901691, 0.1203450794036,
             0.006588722545861, 0.02818221312165],
            atol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(found.parts.sum(), 0.7326019925311, atol=1e-12)
        assert found.error.tolist() == [0.0] * 6

    def test_drawn_orders_agree_with_all_orders_within_their_error(self) -> None:
        # Drivers that say nothing take it from the exact count to the sampled one.
        few = np.cov(answers(500, 6).T)
        many = np.eye(EXACT_UP_TO + 2)
        places = [*range(6), EXACT_UP_TO + 1]
        many[np.ix_(places, places)] = few
        exact, drawn = shapley(few).parts, shapley(many)

        assert (drawn.error[:6] > 0).all()
        assert (np.abs(drawn.parts[:6] - exact) < 4 * drawn.error[:6]).all()
        assert drawn.error.max() < 0.005
        np.testing.assert_allclose(drawn.parts.sum(), r2_of(few), atol=1e-12)

    def test_the_same_seed_draws_the_same_orders(self) -> None:
        many = np.cov(answers(500, 20).T)

        assert shapley(many, seed=7).parts.tolist() == shapley(many, seed=7).parts.tolist()
        assert shapley(many, seed=7).parts.tolist() != shapley(many, seed=8).parts.tolist()


COVARIANCES = arrays(np.float64, (40, 5), elements=st.integers(1, 7)).map(
    lambda rows: np.cov(rows.T) + 0.05 * np.eye(5)
)


@pytest.mark.parametrize("method", [relative_weights, lambda c: shapley(c).parts])
class TestEveryWayOfSharingOut:
    @given(COVARIANCES)
    @settings(max_examples=40)
    def test_parts_are_not_negative_and_sum_to_r2(
        self, method: Callable[[FloatArray], FloatArray], covariance: FloatArray
    ) -> None:
        parts = method(covariance)

        assert (parts >= 0).all()
        np.testing.assert_allclose(parts.sum(), r2_of(covariance), atol=1e-9)

    @given(COVARIANCES, st.permutations(range(4)))
    @settings(max_examples=40)
    def test_the_order_of_the_drivers_does_not_matter(
        self, method: Callable[[FloatArray], FloatArray], covariance: FloatArray, order: list[int]
    ) -> None:
        turned = covariance[np.ix_([*order, 4], [*order, 4])]

        np.testing.assert_allclose(method(turned), method(covariance)[order], atol=1e-9)

    @given(COVARIANCES, arrays(np.float64, 5, elements=st.sampled_from([-60.0, 0.01, 1.0, 100.0])))
    @settings(max_examples=40)
    def test_units_and_directions_do_not_matter(
        self, method: Callable[[FloatArray], FloatArray], covariance: FloatArray, units: FloatArray
    ) -> None:
        np.testing.assert_allclose(
            method(covariance * np.outer(units, units)), method(covariance), atol=1e-9
        )

    def test_unrelated_drivers_get_their_squared_correlations(
        self, method: Callable[[FloatArray], FloatArray]
    ) -> None:
        covariance = np.eye(4)
        covariance[:3, 3] = covariance[3, :3] = [0.6, 0.0, -0.5]

        np.testing.assert_allclose(method(covariance), [0.36, 0.0, 0.25], atol=1e-12)

    def test_one_driver_gets_all_of_r2(self, method: Callable[[FloatArray], FloatArray]) -> None:
        np.testing.assert_allclose(method(np.array([[4.0, 1.0], [1.0, 1.0]])), [0.25], atol=1e-12)


class TestDrivers:
    @pytest.mark.parametrize("method", ["relative", "shapley"])
    @pytest.mark.parametrize("size", [3, EXACT_UP_TO + 1])
    def test_shares_sum_to_1_within_their_intervals(self, method: Any, size: int) -> None:
        found = drivers(summed(answers(600, size)), method=method)

        assert found.status is MethodStatus.OK
        assert sum(part.value or 0 for part in found.parts) == pytest.approx(1)
        for part in (*found.parts, found.r2):
            assert part.value is not None
            assert part.low is not None
            assert part.high is not None
            assert 0 <= part.low <= part.value <= part.high <= 1
            assert part.n == 600

    def test_they_are_the_published_ones(self) -> None:
        # As above: 32 cars are too few for 4 drivers, so that each of them stands for two.
        found = drivers(summed(np.vstack([MTCARS, MTCARS])))

        shares = [round(100 * (part.value or 0), 6) for part in found.parts]
        assert shares == [29.322737, 28.509988, 29.79691, 12.370365]
        assert found.r2.value == pytest.approx(0.7791896389831)
        assert found.signs == (-1, -1, -1, 1)

    def test_both_ways_tell_the_same_r2_and_signs(self) -> None:
        rows = answers(400, 4, slopes=np.array([1.0, -3.0, 0.5, 0.0]))
        one, other = drivers(summed(rows)), drivers(summed(rows), method="shapley")

        assert one.r2.value == pytest.approx(other.r2.value)
        assert one.signs == other.signs
        assert one.signs[1] == -1

    def test_drawn_orders_tell_their_error_as_a_share(self) -> None:
        rows = answers(800, EXACT_UP_TO + 2)
        drawn = drivers(summed(rows), method="shapley")

        assert 0 < drawn.error < 0.01
        assert drivers(summed(rows)).error == 0.0

    def test_without_buckets_there_is_no_interval(self) -> None:
        found = drivers(cross_products(answers(100, 2)))

        assert found.parts[0].value is not None
        assert (found.parts[0].low, found.parts[0].high) == (None, None)
        assert (found.r2.low, found.r2.high) == (None, None)

    def test_a_driver_that_only_varies_in_one_bucket_takes_the_intervals_away(self) -> None:
        rows = answers(100, 2)
        rows[:, 1] = 0.0
        rows[20, 1] = 1.0
        found = drivers(summed(rows))

        assert found.status is MethodStatus.OK
        assert [part.low for part in found.parts] == [None, None]

    def test_a_driver_alike_for_all_has_no_part_and_the_others_share_out(self) -> None:
        rows = answers(100, 2)
        found = drivers(summed(np.column_stack([rows[:, 0], np.full(100, 0.1), rows[:, 1:]])))

        assert [part.status for part in found.parts] == ["ok", "zero_variance", "ok"]
        assert (found.signs[1], found.inflation[1]) == (0, 0.0)
        assert [found.parts[0], found.parts[2]] == list(drivers(summed(rows)).parts)

    def test_drivers_that_nearly_repeat_each_other_are_told(self) -> None:
        rows = answers(200, 2)
        noise = np.random.default_rng(2).normal(size=200)
        near = np.column_stack([rows[:, 0] + 0.1 * noise, rows])

        assert not drivers(summed(rows)).collinear
        found = drivers(summed(near))
        assert found.collinear
        assert found.inflation[0] > 10 > found.inflation[2]

    def test_weights_of_2_are_the_same_as_rows_that_come_twice(self) -> None:
        rows = answers(100, 3)
        heavy = cross_products(rows, weights=np.full(100, 2.0))

        np.testing.assert_allclose(
            shares_of(drivers(heavy)),
            shares_of(drivers(cross_products(np.vstack([rows, rows])))),
            atol=1e-12,
        )

    def test_an_outcome_that_follows_exactly_is_explained_wholly(self) -> None:
        rows = answers(100, 3)
        rows[:, -1] = rows[:, :-1] @ [1.0, 2.0, -1.0]

        for method in ("relative", "shapley"):
            assert drivers(summed(rows), method=method).r2.value == pytest.approx(1)

    @pytest.mark.slow
    def test_intervals_hold_the_truth_about_as_often_as_they_say(self) -> None:
        slopes = np.array([0.5, 0.4, 0.2])
        among = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
        truth = np.block(
            [[among, (among @ slopes)[:, None]], [(among @ slopes)[None], np.array([[1.0]])]]
        )
        truth[3, 3] = slopes @ among @ slopes + 1
        shares = relative_weights(truth) / relative_weights(truth).sum()
        drawn, root = np.random.default_rng(5), np.linalg.cholesky(among)
        held = np.zeros(3)
        for _round in range(300):
            x = drawn.normal(size=(200, 3)) @ root.T
            rows = np.column_stack([x, x @ slopes + drawn.normal(size=200)])
            for at, part in enumerate(drivers(summed(rows, 50)).parts):
                assert part.low is not None
                assert part.high is not None
                held[at] += part.low <= shares[at] <= part.high

        assert (held / 300 > 0.91).all()
        assert (held / 300 < 0.99).all()


ROWS = answers(100, 3)
NO_NUMBER: dict[str, tuple[CrossProducts, MethodStatus]] = {
    "nobody": (cross_products(np.zeros((0, 4))), MethodStatus.INSUFFICIENT_N),
    "one row": (cross_products(ROWS[:1]), MethodStatus.INSUFFICIENT_N),
    "all with something missing": (
        cross_products(np.where(np.arange(4) == 1, np.nan, ROWS)), MethodStatus.INSUFFICIENT_N
    ),
    "29 rows for 3 drivers": (summed(ROWS[:29]), MethodStatus.INSUFFICIENT_N),
    "100 rows of which one counts nearly all": (
        cross_products(ROWS, weights=np.r_[1e6, np.ones(99)]), MethodStatus.INSUFFICIENT_N
    ),
    "the same outcome for all": (
        summed(np.column_stack([ROWS[:, :3], np.full(100, 0.1)])), MethodStatus.ZERO_VARIANCE
    ),
    "the same drivers for all": (
        summed(np.column_stack([np.full((100, 3), 7.3), ROWS[:, 3]])), MethodStatus.ZERO_VARIANCE
    ),
    "a driver that comes twice": (summed(ROWS[:, [0, 0, 1, 3]]), MethodStatus.SINGULAR),
    "a driver that is the sum of others": (
        summed(np.column_stack([ROWS[:, :2], ROWS[:, :2].sum(axis=1), ROWS[:, 3]])),
        MethodStatus.SINGULAR,
    ),
    "nothing explained": (
        summed(np.array([[-1.0, 1], [1, 1], [-1, -1], [1, -1]] * 25)), MethodStatus.NOT_APPLICABLE
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["relative", "shapley"])
@pytest.mark.parametrize(("products", "status"), NO_NUMBER.values(), ids=NO_NUMBER.keys())
def test_says_why_there_are_no_parts(
    products: CrossProducts, status: MethodStatus, method: Any
) -> None:
    found: Drivers = drivers(products, method=method)

    assert found.status is status
    assert {part.status for part in found.parts} == {status}
    assert {part.value for part in found.parts} == {None}
    assert set(found.signs) == {0}


REFUSED: dict[str, Callable[[], object]] = {
    "no matrix": lambda: relative_weights([1.0, 2.0]),
    "a ragged matrix": lambda: relative_weights([[1.0, 2.0], [1.0]]),
    "a matrix that is not square": lambda: relative_weights(np.ones((2, 3))),
    "an outcome alone": lambda: shapley([[1.0]]),
    "NaN": lambda: relative_weights([[1.0, np.nan], [np.nan, 1.0]]),
    "infinite": lambda: relative_weights([[np.inf, 0.0], [0.0, 1.0]]),
    "a variance of 0": lambda: relative_weights([[0.0, 0.0], [0.0, 1.0]]),
    "a negative variance": lambda: shapley([[-1.0, 0.0], [0.0, 1.0]]),
    "not symmetric": lambda: shapley([[1.0, 0.5], [0.2, 1.0]]),
    "a correlation above 1": lambda: shapley([[1.0, 2.0], [2.0, 1.0]]),
    "drivers that repeat each other": lambda: relative_weights(np.ones((3, 3))),
    "three drawn orders": lambda: shapley(np.eye(EXACT_UP_TO + 2), draws=3),
    "another method": lambda: drivers(summed(ROWS), method="best"),  # type: ignore[arg-type]
    "a confidence of 95": lambda: drivers(summed(ROWS), confidence=95),
    "no driver": lambda: drivers(summed(ROWS[:, :1])),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()


def test_huge_and_tiny_values_are_told_like_any_others() -> None:
    plain = drivers(summed(ROWS))
    for unit in (1e-8, 1e30):
        found = drivers(summed(ROWS * unit))
        np.testing.assert_allclose(shares_of(found), shares_of(plain), atol=1e-9)
