"""Nothing that is shown tells of a group of 1 to k-1 people, by itself or by subtraction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.arrays import IntArray
from sqcore.stats.suppression import families_of
from surveys.analyses.release import LEAST, History, Release, Sum, gross, release

LATTICE = families_of([(0, [1, 2, 3])])
K = 5
APART = 1000
"""Ids of the people of a unit begin at its place times this."""


def groups(sizes: Sequence[int]) -> list[IntArray]:
    """The whole and three units of so many people; who is in no unit has the lowest ids."""
    own = sizes[0] - sum(sizes[1:])
    parts = [np.arange(at * APART, at * APART + n) for at, n in enumerate([own, *sizes[1:]])]
    return [np.concatenate(parts), *parts[1:]]


def decide(
    now: Sequence[int],
    before: Sequence[int] | None = None,
    beside: Sequence[int] | None = None,
) -> Release:
    """beside: so many of each group are in another period that is shown as well."""
    earlier = [groups(before)] if before else []
    sums = [[Sum((people,))] for people in groups(beside)] if beside else []
    return release(groups(now), LATTICE, k=K, history=History(earlier, sums))


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


@pytest.mark.parametrize(("gone", "come", "waits"), [(1, 1, True), (2, 2, True), (3, 2, False)])
def test_who_came_does_not_make_up_for_who_left(gone: int, come: int, waits: bool) -> None:
    then = groups([150, 50, 60, 40])
    unit = np.concatenate([then[1][gone:], np.arange(5000, 5000 + come)])
    now = [np.concatenate([unit, *then[2:]]), unit, *then[2:]]

    found = release(now, LATTICE, k=K, history=History([then]))

    assert found.held.tolist() == [waits, waits, False, False]


def test_every_revision_that_was_ever_shown_counts_not_the_last_alone() -> None:
    first, second = groups([150, 50, 60, 40]), groups([160, 60, 60, 40])
    unit = np.concatenate([first[1], np.arange(7000, 7003)])
    now = [np.concatenate([unit, *first[2:]]), unit, *first[2:]]

    found = release(now, LATTICE, k=K, history=History([first, second]))

    assert found.held.tolist() == [True, True, False, False], "13 from the second, 3 from the first"


def test_what_was_hidden_since_is_known_all_the_same() -> None:
    first = groups([150, 50, 60, 40])
    hidden: list[IntArray | None] = [first[0], None, first[2], first[3]]

    found = release(groups([153, 53, 60, 40]), LATTICE, k=K, history=History([first, hidden]))

    assert found.hidden[1], "it would tell of three; there is nothing on show that could stay"


def test_a_total_less_parts_of_other_moments_tells_of_nobody() -> None:
    """Fifty came into a unit and left again, but three of others: it stays with the fifty, and the
    whole less the unit as it first was would be these three."""
    first = groups([150, 50, 60, 40])
    fifty, three = np.arange(1050, 1100), np.arange(1200, 1203)
    second = [np.concatenate([first[0], fifty]), np.concatenate([first[1], fifty]), *first[2:]]
    units = [
        np.concatenate([first[1], three]),
        np.concatenate([first[2], np.arange(2060, 2090)]),
        first[3],
    ]
    whole = np.sort(np.concatenate(units))

    found = release([whole, *units], LATTICE, k=K, history=History([first, second]))

    assert gross([whole], [first[1], *units[1:]]) == 3
    assert found.held.tolist() == [True, True, False, False]


def test_a_group_that_is_too_small_by_now_is_hidden_though_it_was_shown() -> None:
    found = decide([128, 28, 60, 40], before=[130, 30, 60, 40])

    assert found.hidden.tolist() == [False, True, False, False]


def test_a_year_that_would_tell_of_a_quarter_is_hidden() -> None:
    found = decide([450, 150, 183, 117], beside=[330, 110, 180, 40])

    assert found.hidden.tolist() == [False, False, True, True], "and one more, for its sake"


def test_a_quarter_that_would_tell_of_the_rest_of_its_year_is_hidden() -> None:
    now = groups([150, 50, 60, 40])
    rest = np.arange(9000, 9040)
    year = [np.concatenate([people, rest, np.arange(9900, 9903)]) for people in now]
    beside = [[Sum((whole,), (rest,))] for whole in year]

    assert release(now, LATTICE, k=K, history=History([], beside)).hidden.all()


def test_nobody_at_all_is_no_group() -> None:
    found = release([], families_of([]), k=K)

    assert found.hidden.size == 0


def test_who_is_in_both_cancels_out() -> None:
    one, other = np.array([1, 2, 3]), np.array([3, 4])

    assert gross([one, other], [np.array([1, 3])]) == 3
    assert gross([], []) == 0


# ---- Histories: a reader who keeps all that was ever shown ---------------------------------------

STEP = st.tuples(
    *(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2), st.integers(0, 2))
        for _unit in range(4)
    )
)
"""Of each unit how many come and leave, each times 1, 0 or 5 by the number that follows."""

Page = dict[int, frozenset[int]]
"""Whose answers a page shows, by group."""


def changed(units: list[set[int]], step: Iterable[tuple[int, int, int, int]], fresh: int) -> int:
    """Let people come and leave; return the next free id."""
    for unit, (come, leave, many, more) in zip(units, step, strict=True):
        for gone in sorted(unit)[: leave * (1, 0, 5)[more]]:
            unit.remove(gone)
        for _person in range(come * (1, 0, 5)[many]):
            unit.add(fresh)
            fresh += 1
    return fresh


def as_groups(units: Sequence[set[int]]) -> list[IntArray]:
    everybody = sorted(set().union(*units))
    return [np.array(sorted(each), dtype=np.int64) for each in (everybody, *units[1:])]


def nonzero(*signed: tuple[int, frozenset[int]]) -> int:
    """How many people do not cancel out, counted without any code of the product."""
    total: Counter[int] = Counter()
    for sign, people in signed:
        for person in people:
            total[person] += sign
    return sum(count != 0 for count in total.values())


def secrets(pages: Sequence[Page]) -> list[int]:
    """What a reader of all pages computes: of one group between two pages, of a total less parts
    of whatever pages, and of what changed in a total less what changed in its parts."""
    found = []
    for one, other in combinations(pages, 2):
        found += [nonzero((1, other[at]), (-1, one[at])) for at in one.keys() & other.keys()]
        if 0 in one and 0 in other:
            parts = [at for at in (1, 2, 3) if at in one and at in other]
            found.append(
                nonzero(
                    *((1, other[0]), (-1, one[0])),
                    *((-1, other[at]) for at in parts),
                    *((1, one[at]) for at in parts),
                )
            )
    for total in {page[0] for page in pages if 0 in page}:
        of_parts = [{page[at] for page in pages if at in page} | {None} for at in (1, 2, 3)]
        for chosen in product(*of_parts):
            found.append(nonzero((1, total), *((-1, each) for each in chosen if each is not None)))
    return found


@given(start=st.tuples(*(st.integers(0, 60),) * 4), steps=st.lists(STEP, min_size=1, max_size=4))
def test_no_history_of_comings_and_goings_tells_of_few(
    start: Sequence[int], steps: Sequence[Sequence[tuple[int, int, int, int]]]
) -> None:
    fresh = sum(start)
    ends = np.cumsum(start).tolist()
    units = [set(range(end - n, end)) for n, end in zip(start, ends, strict=True)]
    earlier: list[list[IntArray | None]] = []
    pages: list[Page] = []
    for step in [None, *steps]:
        if step is not None:
            fresh = changed(units, step, fresh)
        now = as_groups(units)

        found = release(now, LATTICE, k=K, history=History(earlier))

        on_show: list[IntArray | None] = [
            None if found.hidden[at] else earlier[-1][at] if found.held[at] else people
            for at, people in enumerate(now)
        ]
        earlier.append(on_show)
        pages.append(
            {
                at: frozenset(people.tolist())
                for at, people in enumerate(on_show)
                if people is not None
            }
        )
    assert all(
        len(people) == 0 or len(people) >= LEAST for page in pages for people in page.values()
    )
    assert [n for n in secrets(pages) if 0 < n < K] == []


def test_a_total_does_not_tell_of_a_few_by_the_units_within_one_that_was_never_shown() -> None:
    """One is at no unit and three at no branch, so that the region is hidden, and the second branch
    with it. Now that 12 of the first have left, the first could be hidden in its place: then all
    but the four would have been shown."""
    lattice = families_of([(0, [1, 2]), (2, [3, 4])])
    own, other = np.arange(4), np.arange(5 * APART, 5 * APART + 200)
    first, second = np.arange(2 * APART, 2 * APART + 50), np.arange(3 * APART, 3 * APART + 40)

    def everywhere(first: IntArray) -> list[IntArray]:
        region = np.concatenate([own[1:], first, second])
        return [np.concatenate([own[:1], region, other]), other, region, first, second]

    then = everywhere(first)
    assert release(then, lattice, k=K).hidden.tolist() == [False, False, True, False, True]
    shown = [then[0], then[1], None, then[3], None]

    found = release(everywhere(first[12:]), lattice, k=K, history=History([shown]))

    assert found.hidden.tolist() == [False, False, True, False, True]
