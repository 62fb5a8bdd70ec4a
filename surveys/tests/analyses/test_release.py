"""Nothing that is shown tells of a group of 1 to k-1 people, by itself or by subtraction."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.arrays import IntArray
from sqcore.stats.suppression import families_of
from surveys.analyses.release import LEAST, NEVER, Release, release

LATTICE = families_of([(0, [1, 2, 3])])


def decide(
    now: list[int], before: list[int] | None = None, beside: list[int] | None = None
) -> Release:
    return release(
        np.array(now),
        np.array(before or [NEVER] * len(now)),
        np.array(beside or [0] * len(now)),
        LATTICE,
        k=5,
    )


def test_all_is_shown_where_groups_are_large() -> None:
    found = decide([150, 50, 60, 40])

    assert not found.hidden.any()
    assert not found.held.any()


def test_a_group_of_fewer_than_thirty_is_hidden() -> None:
    assert decide([139, 50, 60, 29]).hidden.tolist() == [False, False, False, True]


def test_a_group_whose_rest_is_small_is_hidden_with_it() -> None:
    assert decide([114, 50, 60, 4]).hidden.tolist() == [False, True, False, True]


def test_a_unit_whose_own_few_answers_would_follow_is_hidden() -> None:
    found = decide([152, 50, 60, 40])

    assert found.hidden.tolist() == [False, False, False, True]


def test_few_late_answers_leave_what_was_shown() -> None:
    found = decide([153, 53, 60, 40], before=[150, 50, 60, 40])

    assert found.held.tolist() == [True, True, False, False]
    assert not found.hidden.any()


def test_many_late_answers_are_taken_in() -> None:
    assert not decide([160, 60, 60, 40], before=[150, 50, 60, 40]).held.any()


def test_the_whole_waits_where_it_would_tell_of_late_answers_of_a_part() -> None:
    found = decide([158, 55, 63, 40], before=[150, 50, 60, 40])

    assert found.held.tolist() == [True, False, True, False]


def test_withdrawn_answers_are_late_answers_too() -> None:
    assert decide([148, 48, 60, 40], before=[150, 50, 60, 40]).held.tolist() == [
        *(True, True, False, False)
    ]


def test_a_group_that_is_too_small_by_now_is_hidden_though_it_was_shown() -> None:
    found = decide([128, 28, 60, 40], before=[130, 30, 60, 40])

    assert found.hidden.tolist() == [False, True, False, False]


def test_a_year_that_would_tell_of_a_quarter_is_hidden() -> None:
    found = decide([450, 150, 183, 117], beside=[330, 110, 180, 40])

    assert found.hidden.tolist() == [False, False, True, True], "and one more, for its sake"


def test_nobody_at_all_is_no_group() -> None:
    none = np.zeros(0, dtype=np.int64)

    found = release(none, none, none, families_of([]), k=5)

    assert found.hidden.size == 0


CELLS = st.lists(st.integers(0, 80), min_size=4, max_size=4)
CHANGES = st.lists(st.integers(-8, 8), min_size=4, max_size=4)


def totals(own: list[int]) -> IntArray:
    """The whole with three units and own answers."""
    return np.array([sum(own), *own[1:]], dtype=np.int64)


def small(people: int, k: int = 5) -> bool:
    return 0 < abs(people) < k


@given(own=CELLS, changes=CHANGES)
def test_no_difference_of_what_was_ever_shown_tells_of_few(
    own: list[int], changes: list[int]
) -> None:
    then = totals(own)
    nobody = np.full(4, NEVER)
    first = release(then, nobody, np.zeros(4, np.int64), LATTICE, k=5)
    before = np.where(first.hidden, NEVER, then)
    now = totals([max(n + by, 0) for n, by in zip(own, changes, strict=True)])

    second = release(now, before, np.zeros(4, np.int64), LATTICE, k=5)

    for decided, counts in ((first, then), (second, np.where(second.held, before, now))):
        shown = np.where(decided.hidden, 0, counts)
        assert all(n == 0 or n >= LEAST for n in shown.tolist())
        assert decided.hidden[0] or not small(int(shown[0] - shown[1:].sum()))
    change = np.where(second.hidden | second.held | (before == NEVER), 0, now - before)
    assert not any(small(by) for by in change.tolist())
    if change[0]:
        assert not small(int(change[0] - change[1:].sum()))
