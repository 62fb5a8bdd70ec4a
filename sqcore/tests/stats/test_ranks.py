import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.ranks import places
from sqcore.stats.results import MethodStatus


def told(value: list[float], half: float) -> list[tuple[int | None, int | None, int | None]]:
    v = np.array(value)
    return [(each.rank, each.low, each.high) for each in places(v, v - half, v + half)]


def test_scores_far_apart_have_firm_places() -> None:
    assert told([70, 90, 80], 0.1) == [(3, 3, 3), (1, 1, 1), (2, 2, 2)]


def test_scores_that_nobody_can_tell_apart_may_have_any_place() -> None:
    assert told([70.0, 70.1, 70.2], 8.0) == [(3, 1, 3), (2, 1, 3), (1, 1, 3)]


def test_equal_scores_share_the_better_place() -> None:
    assert [rank for rank, _low, _high in told([80, 80, 70, 60], 0.1)] == [1, 1, 3, 4]


def test_what_has_no_interval_takes_no_part_and_moves_nobody() -> None:
    nothing = np.nan
    found = places([80, 75, 70], [79, nothing, 69], [81, nothing, 71])

    assert found[1].status == MethodStatus.NOT_APPLICABLE
    assert (found[1].rank, found[0].rank, found[2].rank) == (None, 1, 2)


def test_one_alone_has_no_place() -> None:
    found = places([80.0], [79.0], [81.0])

    assert (found[0].rank, found[0].status) == (None, MethodStatus.INSUFFICIENT_N)
    assert places([], [], []) == ()


def test_two_units_change_places_as_often_as_the_normal_distribution_says() -> None:
    """Apart by 1.2816 standard errors of the difference, 10 % of draws turn them: 5 % do not."""
    apart = 10 * np.sqrt(2) / 1.959964
    near, far = apart * 1.2816, apart * 1.75

    assert told([50 + near, 50], 10)[0] == (1, 1, 2)
    assert told([50 + far, 50], 10)[0] == (1, 1, 1)


def test_a_lopsided_interval_moves_a_unit_on_its_long_side_only() -> None:
    found = places([80, 70], [60, 69.9], [80, 70.1])

    assert (found[0].rank, found[0].low, found[0].high) == (1, 1, 2)
    above = places([80, 70], [79.9, 69.9], [80.1, 70.1])
    assert (above[0].low, above[0].high) == (1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), min_size=2, max_size=12),
)
def test_each_place_lies_within_its_ends_and_among_the_units(rows: list[tuple[int, int]]) -> None:
    value = np.array([score for score, _half in rows], dtype=float)
    half = np.array([half for _score, half in rows], dtype=float)
    found = places(value, value - half, value + half)

    for each in found:
        assert each.rank is not None
        assert each.low is not None
        assert each.high is not None
        assert 1 <= each.low <= each.rank <= each.high <= len(rows)
    assert found == places(value, value - half, value + half)
