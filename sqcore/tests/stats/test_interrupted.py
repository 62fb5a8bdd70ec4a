"""A step in a rate against the published case, simulated truths, and what must hold."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.interrupted import Interrupted, interrupted_series
from sqcore.stats.results import MethodStatus

# Acute coronary episodes in Sicily, January 2002 to November 2006, and the standardised
# population; from January 2005 (the 37th month) on smoking was banned in public places. Data of
# Lopez Bernal, Cummins, Gasparrini 2017, doi:10.1093/ije/dyw098.
EPISODES = [
    728, 659, 791, 734, 757, 726, 760, 740, 720, 814, 795, 858, 887, 766, 851, 769, 781, 756, 766,
    752, 765, 831, 879, 928, 914, 808, 937, 840, 916, 828, 845, 818, 860, 839, 887, 886, 831, 796,
    833, 820, 877, 758, 767, 738, 781, 843, 850, 908, 1021, 859, 976, 888, 962, 838, 810, 876, 843,
    936, 912,
]  # fmt: skip
PEOPLE = [
    379875.3, 376495.5, 377040.8, 377116.4, 377383.4, 374113.1, 379513.3, 376295.5, 374653.2,
    378485.6, 375955.5, 378349.7, 376762.4, 379032.3, 379360.4, 376162, 377972.4, 381830.7,
    379888.6, 380872.2, 380966.9, 381240.4, 382104.9, 381802.7, 381656.3, 383680, 383504.2,
    386462.9, 383783.1, 380836.8, 383483, 380906.2, 382926.8, 384052.4, 384449.6, 383428.4,
    388153.2, 388373.2, 386470.1, 386033.2, 383686.4, 385509.3, 385901.9, 386516.6, 388436.5,
    383255.2, 390148.7, 385874.9, 391613.6, 391750.4, 394005.6, 391364.9, 391664.6, 389022.3,
    391878.5, 388575.3, 392989, 390018.8, 390712.3,
]  # fmt: skip
BAN = 36
CLOSE = 1e-5
"""Relative: the authors' fit stops a little earlier."""


def sicily(**over: object) -> Interrupted:
    fields: dict[str, object] = {"at": BAN, "season": 12, "independent": True}
    return interrupted_series(EPISODES, PEOPLE, **{**fields, **over})  # type: ignore[arg-type]  # fields by name


def by_the_normal(found: Interrupted) -> tuple[float, float]:
    """The interval as the authors have it: the estimate and 1.96 errors."""
    assert found.step is not None
    assert found.error is not None
    return math.exp(found.step - 1.959964 * found.error), math.exp(
        found.step + 1.959964 * found.error
    )


class TestSicily:
    def test_poisson_matches_the_authors(self) -> None:
        found = sicily(dispersion=1.0)

        assert found.step == pytest.approx(-0.1116284425589, rel=CLOSE)
        assert found.error == pytest.approx(0.01722476505887, rel=CLOSE)
        assert found.ratio.value == pytest.approx(0.8943765080182, rel=CLOSE)
        assert found.ratio.low == pytest.approx(0.8646858803784, rel=CLOSE)
        assert found.ratio.high == pytest.approx(0.9250866195997, rel=CLOSE)

    def test_quasi_poisson_matches_the_authors(self) -> None:
        found = sicily()

        assert found.step == pytest.approx(-0.1116284425589, rel=CLOSE)
        assert found.error == pytest.approx(0.0324959453606, rel=CLOSE)
        assert found.dispersion == pytest.approx(3.559194632011, rel=CLOSE)
        assert by_the_normal(found) == pytest.approx((0.8391880217093, 0.9531944181777), rel=CLOSE)
        assert (found.n_before, found.n_after, found.df) == (36, 23, 56.0)
        assert found.memory.correlations[0] == pytest.approx(0.2083514618155, rel=CLOSE)
        assert found.memory.correlations[11] == pytest.approx(0.461910456608, rel=CLOSE)
        assert found.memory.p == pytest.approx(8.2e-8, rel=0.01)

    def test_with_two_harmonics_it_matches_the_authors(self) -> None:
        found = sicily(harmonics=2)

        assert found.step == pytest.approx(-0.1220867928985, rel=CLOSE)
        assert found.error == pytest.approx(0.02703110725541, rel=CLOSE)
        assert found.dispersion == pytest.approx(2.26218641456, rel=CLOSE)
        assert found.ratio.value == pytest.approx(0.8850715472439, rel=CLOSE)
        assert by_the_normal(found) == pytest.approx((0.8394001384704, 0.9332279181753), rel=CLOSE)
        assert found.trend.value is not None
        assert found.trend.value**12 == pytest.approx(1.066807596881, rel=CLOSE)
        assert found.memory.correlations[0] == pytest.approx(-0.214683865628, rel=CLOSE)

    def test_with_a_change_of_the_trend_it_matches_the_authors(self) -> None:
        plain, found = sicily(harmonics=2), sicily(harmonics=2, with_change=True)

        assert found.step == pytest.approx(-0.1318591712498, rel=CLOSE)
        assert found.error == pytest.approx(0.02979129924403, rel=CLOSE)
        assert found.change.value == pytest.approx(1.001483327041, rel=CLOSE)
        assert plain.deviance is not None
        assert found.deviance is not None
        assert found.dispersion is not None
        f = (plain.deviance - found.deviance) / found.dispersion
        assert f == pytest.approx(0.6387914651456, rel=CLOSE)

    def test_the_interval_of_few_months_is_by_t_and_a_little_longer(self) -> None:
        found = sicily(harmonics=2)

        assert found.ratio.low == pytest.approx(0.838342, abs=1e-6)
        assert found.ratio.high == pytest.approx(0.934405, abs=1e-6)

    def test_months_that_resemble_each_other_make_it_less_sure(self) -> None:
        plain, widened = sicily(), sicily(independent=False)

        assert (plain.phi, plain.ratio.value) == (0.0, widened.ratio.value)
        assert widened.phi == pytest.approx(0.277, abs=0.001)
        assert plain.error is not None
        assert widened.error is not None
        assert widened.error > 1.3 * plain.error
        assert widened.df < plain.df
        assert sicily(harmonics=2, independent=False) == sicily(harmonics=2)

    def test_what_was_avoided_lies_between_the_lines(self) -> None:
        found = sicily(harmonics=2)

        assert found.fitted[:BAN] == found.without[:BAN]
        ratios = np.array(found.fitted[BAN:]) / np.array(found.without[BAN:])
        assert ratios.tolist() == pytest.approx([found.ratio.value] * 23)
        expected = np.array(found.fitted) * PEOPLE
        # Lines with a level in each state hit the sums of both.
        assert expected[:BAN].sum() == pytest.approx(sum(EPISODES[:BAN]))
        assert expected[BAN:].sum() == pytest.approx(sum(EPISODES[BAN:]))


def drawn(seed: int, before: int = 24, after: int = 12, mean: float = 20.0) -> FloatArray:
    counts = np.random.default_rng(seed).poisson(mean, before + after)
    return counts.astype(np.float64)


def told(found: Interrupted) -> list[float | None]:
    figures = (found.ratio, found.trend)
    return [number for each in figures for number in (each.low, each.value, each.high)]


class TestInvariants:
    @given(st.integers(0, 300), st.floats(1e-6, 1e6))
    @settings(max_examples=30)
    def test_another_unit_of_exposure_changes_nothing_but_the_rates(
        self, seed: int, times: float
    ) -> None:
        counts, exposure = drawn(seed), np.linspace(90, 110, 36)
        one = interrupted_series(counts, exposure, at=24)
        other = interrupted_series(counts, exposure * times, at=24)

        assert told(other) == pytest.approx(told(one), rel=1e-6)
        assert other.dispersion == pytest.approx(one.dispersion, rel=1e-6)
        np.testing.assert_allclose(np.array(other.fitted) * times, one.fitted, rtol=1e-6)

    @given(st.integers(0, 300), st.integers(2, 50))
    @settings(max_examples=30)
    def test_so_many_times_the_counts_give_the_same_ratio_and_so_much_dispersion(
        self, seed: int, times: int
    ) -> None:
        one = interrupted_series(drawn(seed), np.full(36, 100.0), at=24)
        other = interrupted_series(drawn(seed) * times, np.full(36, 100.0), at=24)

        assert told(other) == pytest.approx(told(one), rel=1e-6)
        assert other.dispersion == pytest.approx(times * (one.dispersion or 0), rel=1e-6)

    @given(st.integers(0, 300))
    @settings(max_examples=30)
    def test_turned_round_in_time_the_ratio_is_turned_over(self, seed: int) -> None:
        counts = drawn(seed, 18, 18)
        one = interrupted_series(counts, np.full(36, 10.0), at=18)
        other = interrupted_series(counts[::-1], np.full(36, 10.0), at=18)

        assert other.step == pytest.approx(-(one.step or 0), abs=1e-7)
        assert other.error == pytest.approx(one.error, rel=1e-6)

    @given(st.integers(0, 300))
    @settings(max_examples=30)
    def test_gaps_at_either_end_change_nothing(self, seed: int) -> None:
        counts, exposure = drawn(seed), np.full(36, 10.0)
        gaps = np.full(3, np.nan)
        one = interrupted_series(counts, exposure, at=24)
        other = interrupted_series(
            np.concatenate([gaps, counts, gaps]), np.concatenate([gaps, exposure, gaps]), at=27
        )

        assert told(other) == pytest.approx(told(one), rel=1e-6)
        assert len(other.fitted) == 42

    @given(
        st.lists(st.one_of(st.integers(0, 40), st.just(float("nan"))), min_size=2, max_size=60),
        st.integers(1, 59),
        st.integers(0, 2),
        st.booleans(),
    )
    @settings(max_examples=200)
    def test_every_number_is_one(
        self, counts: list[float], at: int, harmonics: int, with_change: bool
    ) -> None:
        found = interrupted_series(
            counts,
            np.full(len(counts), 5.0),
            at=min(at, len(counts) - 1),
            season=12 if harmonics else 0,
            harmonics=harmonics,
            with_change=with_change,
        )

        numbers = [found.ratio.low, found.ratio.value, found.ratio.high]
        if found.status is MethodStatus.OK:
            shown = [*numbers, found.error, found.dispersion, *found.fitted, *found.without]
            assert all(number is not None and math.isfinite(number) for number in shown)
        else:
            assert (numbers, found.fitted, found.dispersion) == ([None] * 3, (), None)


class TestTruths:
    def test_the_interval_holds_the_truth_about_as_often_as_it_says(self) -> None:
        chance, held = np.random.default_rng(2017), 0
        at, t = 36, np.arange(60)
        mean = 20 * np.exp(0.002 * t + 0.2 * np.sin(2 * np.pi * t / 12) + np.log(0.7) * (t >= at))
        for _series in range(400):
            counts = chance.negative_binomial(mean / 2, 1 / 3)  # three times the variance
            found = interrupted_series(counts, np.ones(60), at=at, season=12, harmonics=2)
            assert found.ratio.low is not None
            assert found.ratio.high is not None
            held += found.ratio.low <= 0.7 <= found.ratio.high

        assert 0.93 <= held / 400 <= 0.985

    def test_a_season_alone_is_no_step(self) -> None:
        t = np.arange(48)
        counts = np.round(200 * np.exp(0.4 * np.cos(2 * np.pi * t / 12)))
        found = interrupted_series(counts, np.ones(48), at=41, season=12, harmonics=1)
        blind = interrupted_series(counts, np.ones(48), at=41, with_trend=False, independent=True)

        assert found.ratio.value == pytest.approx(1.0, abs=0.01)
        assert (blind.ratio.value or 1) < 0.9 or (blind.ratio.value or 1) > 1.1

    def test_an_earlier_state_is_told_from_the_one_before_the_step(self) -> None:
        counts = np.repeat([20.0, 40.0, 20.0], [24, 12, 12]) + np.tile([1.0, -1.0], 24)
        found = interrupted_series(counts, np.ones(48), at=36, earlier=24)
        blind = interrupted_series(counts, np.ones(48), at=36, with_trend=False)

        assert found.ratio.value == pytest.approx(0.5, abs=0.02)
        assert blind.ratio.value == pytest.approx(0.75, abs=0.01)

    def test_a_gap_before_the_step_leaves_the_ratio_between_the_states(self) -> None:
        counts = np.repeat([20.0, 90.0, 10.0], [24, 3, 12]) + np.tile([1.0, -1.0], 20)[:39]
        counts[24:27] = np.nan
        found = interrupted_series(counts, np.ones(39), at=27, with_trend=False)

        assert found.ratio.value == pytest.approx(0.5, abs=0.01)
        assert (found.n_before, found.n_after) == (24, 12)


FLAT, SOME = np.ones(30), drawn(7, 20, 10, 5.0)
NO_NUMBER: dict[str, tuple[Interrupted, MethodStatus]] = {
    "eleven before": (interrupted_series(SOME[9:], FLAT[9:], at=11), MethodStatus.TOO_SHORT),
    "three after": (interrupted_series(SOME[:23], FLAT[:23], at=20), MethodStatus.TOO_SHORT),
    "more lines than counts": (
        interrupted_series(SOME[:16], FLAT[:16], at=12, season=30, harmonics=6),
        MethodStatus.TOO_SHORT,
    ),
    "nothing is there": (
        interrupted_series(np.full(30, np.nan), FLAT, at=20), MethodStatus.TOO_SHORT
    ),
    "nothing ever counted": (interrupted_series(0 * FLAT, FLAT, at=20), MethodStatus.ZERO_VARIANCE),
    "always as many": (interrupted_series(5 * FLAT, FLAT, at=20), MethodStatus.ZERO_VARIANCE),
    "nothing before": (
        interrupted_series(np.where(np.arange(30) < 20, 0, SOME), FLAT, at=20),
        MethodStatus.NOT_APPLICABLE,
    ),
    "nothing after": (
        interrupted_series(np.where(np.arange(30) < 20, SOME, 0), FLAT, at=20),
        MethodStatus.NOT_APPLICABLE,
    ),
    "nothing in an earlier state": (
        interrupted_series(np.where(np.arange(30) < 10, 0, SOME), FLAT, at=20, earlier=10),
        MethodStatus.NOT_APPLICABLE,
    ),
    "four events after": (
        interrupted_series([*SOME[:20], 1, 0, 1, 1, 0, 1], FLAT[:26], at=20),
        MethodStatus.INSUFFICIENT_N,
    ),
    "an earlier state that is a gap": (
        interrupted_series(np.where(np.arange(30) < 6, np.nan, SOME), FLAT, at=20, earlier=6),
        MethodStatus.NOT_APPLICABLE,
    ),
    "a season of one month a year": (
        interrupted_series(
            np.where(np.arange(240) % 12 == 0, np.tile(SOME, 8), np.nan), np.ones(240), at=150,
            season=12, harmonics=1,
        ),
        MethodStatus.SINGULAR,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "status"), NO_NUMBER.values(), ids=NO_NUMBER.keys())
def test_says_why_there_is_no_ratio(found: Interrupted, status: MethodStatus) -> None:
    assert found.status is found.ratio.status is found.memory.status is status
    assert (found.ratio.value, found.step, found.error, found.fitted) == (None, None, None, ())


REFUSED: dict[str, Callable[[], object]] = {
    "a table of counts": lambda: interrupted_series(np.ones((2, 2)), np.ones((2, 2)), at=1),
    "exposure of others": lambda: interrupted_series(SOME, FLAT[1:], at=20),
    "a negative count": lambda: interrupted_series(-SOME, FLAT, at=20),
    "an endless count": lambda: interrupted_series(SOME * np.inf, FLAT, at=20),
    "a count too large": lambda: interrupted_series(SOME * 1e50, FLAT, at=20),
    "a negative exposure": lambda: interrupted_series(SOME, -FLAT, at=20),
    "a count of nothing": lambda: interrupted_series(SOME, 0 * FLAT, at=20),
    "a step before the series": lambda: interrupted_series(SOME, FLAT, at=0),
    "a step after the series": lambda: interrupted_series(SOME, FLAT, at=30),
    "an earlier step that is later": lambda: interrupted_series(SOME, FLAT, at=20, earlier=20),
    "harmonics without a season": lambda: interrupted_series(SOME, FLAT, at=20, harmonics=1),
    "harmonics that are too many": lambda: interrupted_series(
        SOME, FLAT, at=20, season=4, harmonics=2
    ),
    "a dispersion of 0": lambda: interrupted_series(SOME, FLAT, at=20, dispersion=0.0),
    "two counts before": lambda: interrupted_series(SOME, FLAT, at=20, least_before=2),
    "a confidence of 95": lambda: interrupted_series(SOME, FLAT, at=20, confidence=95),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
