"""Differences of published figures."""

import pytest

from sqcore.stats.differences import Bounded, difference
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import newcombe, wilson


def test_of_shares_matches_newcombe_1998_method_10() -> None:
    # 56/70 against 48/80: .0524 to .3339
    first, other = wilson([56], [70]), wilson([48], [80])
    published = newcombe([56], [70], [48], [80])

    found = difference(
        Bounded(56 / 70, first.low[0], first.high[0]),
        Bounded(48 / 80, other.low[0], other.high[0]),
    )

    assert found.low == pytest.approx(published.low[0], abs=1e-12)
    assert found.high == pytest.approx(published.high[0], abs=1e-12)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_turns_round_with_its_sides() -> None:
    one, two = Bounded(75.0, 70.0, 78.0), Bounded(60.0, 51.0, 64.0)

    there, back = difference(one, two), difference(two, one)

    assert (there.value, there.low, there.high) == (-back.value, -back.high, -back.low)


@pytest.mark.parametrize("wrong", [Bounded(5.0, 6.0, 7.0), Bounded(8.0, 6.0, 7.0)])
def test_a_value_outside_its_interval_is_refused(wrong: Bounded) -> None:
    with pytest.raises(StatisticsError, match="outside its interval"):
        difference(wrong, Bounded(1.0, 0.0, 2.0))
