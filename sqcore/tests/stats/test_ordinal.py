from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.stats.arrays import FloatArray, IntArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.ordinal import Ordinal, proportional_odds
from sqcore.stats.results import MethodStatus

# Copenhagen housing conditions (Madsen 1976; Cox, Snell 1984), 1,681 householders by satisfaction
# (low, medium, high; runs fastest), influence on the management (low, medium, high), type of
# dwelling (tower, apartment, atrium, terrace) and contact (low, high).
HOUSING = [
    21, 21, 28, 34, 22, 36, 10, 11, 36, 61, 23, 17, 43, 35, 40, 26, 18, 54,
    13, 9, 10, 8, 8, 12, 6, 7, 9, 18, 6, 7, 15, 13, 13, 7, 5, 11,
    14, 19, 37, 17, 23, 40, 3, 5, 23, 78, 46, 43, 48, 45, 86, 15, 25, 62,
    20, 23, 20, 10, 22, 24, 7, 10, 21, 57, 23, 13, 31, 21, 13, 5, 6, 13,
]  # fmt: skip


def housing() -> Ordinal:
    at = np.arange(72)
    influence, dwelling, contact = at // 3 % 3, at // 9 % 4, at // 36
    x = np.column_stack(
        [influence == 1, influence == 2, *(dwelling == kind for kind in (1, 2, 3)), contact == 1]
    )
    return proportional_odds(x.astype(float), at % 3, counts=HOUSING)


def drawn(n: int, slopes: list[float], seed: int = 1) -> tuple[FloatArray, IntArray]:
    """Return columns and answers 1 to 4 whose log odds rise by the slopes."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(n, len(slopes)))
    hidden = x @ slopes + chance.logistic(size=n)
    return x, np.searchsorted([-1.5, 0.0, 1.5], hidden) + 1


class TestHousing:
    def test_matches_polr_of_mass(self) -> None:
        # Venables, Ripley 2002, section 7.3: polr(Sat ~ Infl + Type + Cont, weights = Freq)
        found = housing()

        values = [slope.value for slope in found.slopes]
        expected = [0.5663937, 1.2888191, -0.5723501, -0.3661866, -1.0910149, 0.3602841]
        assert values == pytest.approx(expected, abs=1e-6)
        errors = [((s.high or 0) - (s.value or 0)) / 1.959964 for s in found.slopes]
        assert errors == pytest.approx([0.1047, 0.1272, 0.1192, 0.1552, 0.1515, 0.0955], abs=6e-5)
        assert found.cuts == pytest.approx((-0.4961353, 0.6907083), abs=1e-6)
        assert found.deviance == pytest.approx(3479.149, abs=5e-4)
        assert (found.n, found.answers, found.ridge) == (1681, (0, 1, 2), 0.0)

    def test_odds_ratios_are_the_exponentials(self) -> None:
        found = housing()

        for slope, ratio in zip(found.slopes, found.odds_ratios, strict=True):
            assert np.log(ratio.low or 0) == pytest.approx(slope.low)
            assert np.log(ratio.value or 0) == pytest.approx(slope.value)
            assert np.log(ratio.high or 0) == pytest.approx(slope.high)

    def test_the_lines_are_parallel(self) -> None:
        found = housing().parallel

        assert (found.status, found.df) == (MethodStatus.OK, 6)
        assert found.p == pytest.approx(0.2015, abs=1e-4)
        assert len(found.columns) == 6


class TestProportionalOdds:
    def test_counts_are_rows_that_come_so_many_times(self) -> None:
        x, y = drawn(60, [0.5])
        many = np.arange(60) % 3
        rows = np.repeat(np.arange(60), many)
        one, other = proportional_odds(x, y, counts=many), proportional_odds(x[rows], y[rows])

        assert (one.n, one.answers) == (other.n, other.answers)
        assert one.slopes[0].value == pytest.approx(other.slopes[0].value)
        assert one.parallel.p == pytest.approx(other.parallel.p)

    @given(st.integers(0, 500), st.sampled_from([0.01, 3.0, 1000.0]), st.integers(-50, 50))
    @settings(max_examples=25)
    def test_another_unit_changes_the_slope_by_it_and_no_deviance(
        self, seed: int, times: float, plus: int
    ) -> None:
        x, y = drawn(120, [0.5, -0.5], seed)
        one, other = proportional_odds(x, y), proportional_odds(x * times + plus, y)

        assert other.deviance == pytest.approx(one.deviance)
        assert (other.slopes[0].value or 0) * times == pytest.approx(one.slopes[0].value, rel=1e-5)

    @given(st.integers(0, 500))
    @settings(max_examples=25)
    def test_turning_the_scale_round_turns_every_slope(self, seed: int) -> None:
        x, y = drawn(120, [0.5, -0.5], seed)
        one, other = proportional_odds(x, y), proportional_odds(x, -y)

        assert [slope.value for slope in other.slopes] == pytest.approx(
            [-(slope.value or 0) for slope in one.slopes], abs=1e-6
        )
        assert other.deviance == pytest.approx(one.deviance)

    def test_answers_that_separate_perfectly_get_a_ridge_and_say_so(self) -> None:
        x = np.linspace(-1, 1, 60)[:, None]
        found = proportional_odds(x, np.repeat([1, 2, 3], 20))

        assert (found.status, found.is_separated, found.ridge) == (MethodStatus.OK, True, 1.0)
        assert found.parallel.status is MethodStatus.SINGULAR
        assert found.slopes[0].low is not None
        assert 0 < found.slopes[0].low < 100

    def test_slopes_that_differ_from_step_to_step_are_found_out(self) -> None:
        chance = np.random.default_rng(4)
        x = chance.normal(size=2000)
        y = 1 + (chance.logistic(size=2000) + 2 * x > 0) * (1 + (chance.random(2000) < 0.5))
        same, other = drawn(2000, [2.0]), proportional_odds(x[:, None], y)

        assert (other.parallel.p or 0) < 1e-6
        assert (proportional_odds(*same).parallel.p or 0) > 0.01

    @pytest.mark.slow
    def test_parallel_lines_are_doubted_about_as_rarely_as_the_test_says(self) -> None:
        p = [proportional_odds(*drawn(300, [0.8, 0.0], seed)).parallel.p for seed in range(400)]

        assert 0.02 < np.mean([one is not None and one < 0.05 for one in p]) < 0.09

    def test_two_answers_have_no_lines_to_compare(self) -> None:
        x, y = drawn(200, [1.0])
        found = proportional_odds(x, y > 2)

        assert found.status is MethodStatus.OK
        assert found.parallel.status is MethodStatus.NOT_APPLICABLE
        assert len(found.cuts) == 1

    def test_a_column_alike_for_all_is_left_out(self) -> None:
        x, y = drawn(100, [1.0])
        found = proportional_odds(np.column_stack([np.full(100, 0.1), x]), y)

        assert [slope.status for slope in found.slopes] == ["zero_variance", "ok"]
        assert found.parallel.columns[0] is None
        assert found.slopes[1] == proportional_odds(x, y).slopes[0]


X, Y = drawn(100, [1.0, 0.5])
NO_NUMBER: dict[str, tuple[Ordinal, MethodStatus]] = {
    "nobody": (proportional_odds(np.zeros((0, 2)), []), MethodStatus.INSUFFICIENT_N),
    "nobody by count": (
        proportional_odds(X, Y, counts=np.zeros(100, int)), MethodStatus.INSUFFICIENT_N
    ),
    "49 for 2 slopes and 3 cuts": (proportional_odds(X[:49], Y[:49]), MethodStatus.INSUFFICIENT_N),
    "one answer": (proportional_odds(X, np.full(100, 3)), MethodStatus.ZERO_VARIANCE),
    "no column": (proportional_odds(np.zeros((100, 0)), Y), MethodStatus.ZERO_VARIANCE),
    "columns alike for all": (
        proportional_odds(np.full((100, 2), 0.1), Y), MethodStatus.ZERO_VARIANCE
    ),
    "a column twice": (proportional_odds(X[:, [0, 0]], Y), MethodStatus.SINGULAR),
}  # fmt: skip


@pytest.mark.parametrize(("found", "status"), NO_NUMBER.values(), ids=NO_NUMBER.keys())
def test_says_why_there_are_no_slopes(found: Ordinal, status: MethodStatus) -> None:
    assert found.status is found.parallel.status is status
    assert {slope.value for slope in found.slopes} <= {None}
    assert (found.cuts, found.deviance) == ((), None)


REFUSED: dict[str, Callable[[], object]] = {
    "flat columns": lambda: proportional_odds(X[:, 0], Y),
    "answers of others": lambda: proportional_odds(X, Y[:-1]),
    "fractions as answers": lambda: proportional_odds(X, Y + 0.5),
    "a column with a gap": lambda: proportional_odds(np.where(X > 1, np.nan, X), Y),
    "an endless column": lambda: proportional_odds(np.where(X > 1, np.inf, X), Y),
    "a column too large": lambda: proportional_odds(X * 1e200, Y),
    "negative counts": lambda: proportional_odds(X, Y, counts=-np.ones(100, int)),
    "fractions as counts": lambda: proportional_odds(X, Y, counts=np.full(100, 0.5)),
    "counts of others": lambda: proportional_odds(X, Y, counts=[1]),
    "a negative ridge": lambda: proportional_odds(X, Y, ridge=-1),
    "a confidence of 95": lambda: proportional_odds(X, Y, confidence=95),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
