"""How effects become evidence and evidence a verdict; nothing here needs a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.reports.evidence import Effect, Evidence, Measured, Says, Strength
from sqcore.reports.rules import (
    ANY_BY_CHANCE,
    BY_CHANCE,
    Verdict,
    direction,
    judge,
    multiple,
    place,
    strength,
    widened,
)
from sqcore.stats.differences import Bounded
from sqcore.tests.reports.chance import simulate


def points(value: float, low: float | None, high: float | None) -> Effect:
    return Effect("behind", Measured.POINTS, value, low, high, 5.0, 60, "answers")


def says(value: float, low: float, high: float, *, supports_only: bool = False) -> Evidence:
    effect = points(value, low, high)
    return Evidence(direction(effect), "", effect, supports_only=supports_only)


BAD, WORST = says(6.0, 1.0, 11.0), says(16.0, 12.0, 20.0)
FINE, OPEN = says(0.0, -3.0, 3.0), says(4.0, -2.0, 10.0)
NOTHING = Evidence.not_enough("Too few answers.")


@pytest.mark.parametrize(
    ("value", "low", "high", "found"),
    [
        (5.0, 0.1, 9.9, Says.FOR),
        (4.9, 0.1, 9.7, Says.UNCLEAR),
        (5.0, 0.0, 10.0, Says.UNCLEAR),
        (1.0, -2.0, 4.9, Says.AGAINST),
        (1.0, 0.5, 1.5, Says.AGAINST),
        (1.0, -3.0, 5.0, Says.UNCLEAR),
        (9.0, None, None, Says.UNCLEAR),
    ],
)
def test_speaks_only_as_far_as_its_interval_does(
    value: float, low: float | None, high: float | None, found: Says
) -> None:
    assert direction(points(value, low, high)) == found


@given(st.floats(-50, 50), st.floats(0, 30), st.floats(0, 30))
def test_never_speaks_for_and_against_alike(value: float, below: float, above: float) -> None:
    effect = points(value, value - below, value + above)

    if direction(effect) == Says.FOR:
        assert value - below > 0
        assert value + above >= 5.0
    if direction(effect) == Says.AGAINST:
        assert value < 5.0


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (-3.0, Strength.NONE),
        (4.99, Strength.NONE),
        (5.0, Strength.SMALL),
        (10.0, Strength.MODERATE),
        (15.0, Strength.STRONG),
        (90.0, Strength.STRONG),
    ],
)
def test_is_as_strong_as_the_multiple_of_what_matters(value: float, found: Strength) -> None:
    assert strength(points(value, None, None)) == found


def test_a_share_of_variance_counts_by_the_spread_behind_it() -> None:
    """A share of .2 is a spread of half the error, one of .0588 of a quarter of it."""
    effect = Effect("", Measured.VARIANCE, 0.2, 0.1, 0.4, 1 / 17, 12, "people")

    assert multiple(effect) == pytest.approx(2.0)
    assert strength(effect) == Strength.MODERATE


class TestVerdict:
    def test_nobody_speaks(self) -> None:
        assert judge([]).verdict == Verdict.SILENT

    def test_nobody_has_enough_data(self) -> None:
        assert judge([NOTHING, NOTHING]).verdict == Verdict.NOTHING

    def test_one_bad_side_is_a_problem(self) -> None:
        found = judge([FINE, WORST, OPEN, NOTHING])

        assert (found.verdict, found.strength) == (Verdict.FOR, Strength.STRONG)
        assert found.weight == pytest.approx(3.2)

    def test_a_small_bad_side_beside_a_good_one_does_not_tell(self) -> None:
        found = judge([BAD, FINE])

        assert found.verdict == Verdict.UNCLEAR
        assert found.is_contradicted

    def test_a_small_bad_side_alone_is_a_problem(self) -> None:
        assert judge([BAD, OPEN]).verdict == Verdict.FOR

    def test_against_is_what_all_speak_against(self) -> None:
        assert judge([FINE, FINE, NOTHING]).verdict == Verdict.AGAINST

    def test_what_is_not_shown_is_not_shown_to_be_absent(self) -> None:
        assert judge([FINE, OPEN]).verdict == Verdict.UNCLEAR

    def test_what_has_no_interval_makes_no_verdict(self) -> None:
        signal = Evidence(Says.FOR, "", points(20.0, None, None), supports_only=True)

        assert judge([signal]).verdict == Verdict.UNCLEAR
        assert judge([signal, FINE]).verdict == Verdict.AGAINST

    def test_the_heaviest_comes_first(self) -> None:
        judged = [judge(each) for each in ([], [FINE], [BAD], [NOTHING], [OPEN], [WORST])]

        assert [found.verdict.value for found in sorted(judged, key=place)] == [
            *("for", "for", "unclear", "against", "nothing", "silent")
        ]
        assert sorted(judged, key=place)[0].strength == Strength.STRONG


def test_the_worst_of_several_needs_a_wider_interval() -> None:
    one = Bounded(6.0, 0.5, 11.5)

    assert widened(one, 1) == pytest.approx(one)
    assert widened(one, 3).low < 0


def test_chance_alone_seldom_speaks_for_a_problem() -> None:
    """What the page says is of 2,000 units; these are 80."""
    found = simulate(80)

    assert found.by_line <= BY_CHANCE + 0.025
    assert found.by_unit <= ANY_BY_CHANCE + 0.08
    assert found.shown_against >= 0.35
