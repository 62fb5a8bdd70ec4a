import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.suppression import Families, differences, families_of, keep_former, suppress


class Lattice:
    """Cells as sets of atoms: units x periods x one margin, the way results are published."""

    def __init__(self, atoms: IntArray) -> None:
        self.atoms = atoms
        units, periods, values = atoms.shape
        sets = [
            list(dict.fromkeys([*((i,) for i in range(size)), tuple(range(size))]))
            for size in (units, periods, values)
        ]
        if units > 3:
            sets[0] += [(0, 1), tuple(range(2, units))]
        keys = list(itertools.product(*sets))
        number = {key: i for i, key in enumerate(keys)}
        self.members = np.zeros((len(keys), *atoms.shape), dtype=int)
        for key, i in number.items():
            self.members[i][np.ix_(*key)] = 1
        self.members = self.members.reshape(len(keys), -1)
        self.counts = self.members @ atoms.ravel()
        families = []
        for key, parent in number.items():
            for axis in range(3):
                for children in self.partitions(sets[axis], key[axis]):
                    families.append(
                        (parent, [number[*key[:axis], c, *key[axis + 1 :]] for c in children])
                    )
        self.families = families_of(families)

    @staticmethod
    def partitions(
        sets: list[tuple[int, ...]], whole: tuple[int, ...]
    ) -> list[list[tuple[int, ...]]]:
        """A group of sub-units splits into its units, the whole into its groups or its units."""
        if len(whole) == 1:
            return []
        groups = [s for s in sets if 1 < len(s) < len(whole) and set(s) < set(whole)]
        return [groups or [(i,) for i in whole]]


def groups_given_away(lattice: Lattice, hidden: BoolArray, k: int) -> FloatArray:
    """Every set of atoms of 1..k-1 people whose sum is a linear combination of what is shown.

    Independent of the method: all sets of atoms, tried one by one against the row space.
    """
    full = np.flatnonzero(lattice.atoms.ravel())
    shown = lattice.members[~hidden][:, full].astype(float)
    people = lattice.atoms.ravel()[full]
    every = np.array(list(itertools.product([0, 1], repeat=full.size)))
    sizes = every @ people
    small = every[(sizes > 0) & (sizes < k)].astype(float)
    if not small.size or not shown.size:
        return small[:0]
    _, singular, basis = np.linalg.svd(shown, full_matrices=False)
    basis = basis[singular > 1e-9]
    left = small - small @ basis.T @ basis
    given_away: FloatArray = small[np.abs(left).max(axis=1) < 1e-7]
    return given_away


def random_atoms(seed: int) -> IntArray:
    rng = np.random.default_rng(seed)
    shape = [(2, 3, 2), (3, 2, 2), (4, 3, 1), (3, 4, 1), (2, 2, 3), (5, 2, 1)][seed % 6]
    return rng.negative_binomial(1, rng.uniform(0.05, 0.5), shape)


class TestSuppress:
    def test_hides_a_small_group_and_the_next_smallest(self) -> None:
        lattice = families_of([(0, [1, 2, 3])])

        assert suppress([60, 2, 8, 50], lattice).tolist() == [False, True, True, False]

    def test_breaks_ties_by_position(self) -> None:
        lattice = families_of([(0, [1, 2, 3])])

        assert suppress([18, 2, 8, 8], lattice).tolist() == [False, True, True, False]

    def test_hides_nothing_where_every_group_is_large(self) -> None:
        assert not suppress([20, 5, 15, 0], families_of([(0, [1, 2, 3])])).any()

    def test_an_empty_cell_protects_nobody(self) -> None:
        lattice = families_of([(0, [1, 2, 3])])

        assert suppress([32, 2, 0, 30], lattice).tolist() == [False, True, False, True]

    def test_two_small_groups_that_are_large_together_protect_each_other(self) -> None:
        lattice = families_of([(0, [1, 2, 3])])

        assert suppress([37, 3, 4, 30], lattice).tolist() == [False, True, True, False]

    def test_hides_the_parent_that_repeats_its_only_child(self) -> None:
        # The channel is hidden for the sake of its sibling; the unit below says the same.
        lattice = families_of([(0, [1, 2]), (2, [3])])

        assert suppress([10, 2, 8, 8], lattice).tolist() == [False, True, True, True]

    def test_follows_a_chain_through_a_hidden_parent(self) -> None:
        # 20 = 2 + 18 and 18 = 16 + 2: with 20 and 16 shown, 20 - 16 tells of 2 + 2 people.
        lattice = families_of([(0, [1, 2]), (2, [3, 4])])

        assert suppress([20, 2, 18, 16, 2], lattice).tolist() == [False, True, True, True, True]

    def test_breaks_a_bridge_between_two_tables(self) -> None:
        # Two closed squares joined by one cell: no family alone tells it, all together do.
        rows, columns = 4, 4
        table = np.full((rows, columns), 100)
        table[:2, :2] = table[2:, 2:] = 4
        table[1, 2] = 3
        counts = [*table.sum(axis=1), *table.sum(axis=0), *table.ravel()]
        inner = np.arange(8, 24).reshape(4, 4)
        lattice = families_of(
            [(r, inner[r]) for r in range(4)] + [(4 + c, inner[:, c]) for c in range(4)]
        )

        hidden = suppress(counts, lattice)

        assert not hidden[:8].any()
        assert hidden[8:].sum() > (table < 5).sum()

    def test_people_whose_channel_is_not_known_are_a_group_too(self) -> None:
        lattice = families_of([(0, [1, 2])])

        # 52 - 20 - 30 = 2 came through a channel that nobody wrote down.
        assert suppress([52, 20, 30], lattice).tolist() == [False, True, False]
        assert not suppress([55, 20, 30], lattice).any()

    def test_a_group_that_is_never_shown_protects_for_nothing(self) -> None:
        lattice = families_of([(0, [1, 2])])

        # 54 - 30 = 4 + 20, and the 20 stand nowhere.
        assert suppress([54, 4, 30], lattice).tolist() == [False, True, False]

    def test_keeps_hidden_what_is_hidden_for_another_reason(self) -> None:
        lattice = families_of([(0, [1, 2, 3])])
        hidden = suppress([60, 20, 20, 20], lattice, hidden=[False, False, True, False])

        assert hidden.tolist() == [False, True, True, False]

    def test_does_not_change_what_it_was_given(self) -> None:
        given_hidden = np.zeros(4, dtype=bool)
        suppress([60, 2, 8, 50], families_of([(0, [1, 2, 3])]), hidden=given_hidden)

        assert not given_hidden.any()

    @given(st.integers(0, 10**6), st.sampled_from([3, 5]))
    @settings(max_examples=300, deadline=None)
    def test_no_small_group_is_a_combination_of_what_is_shown(self, seed: int, k: int) -> None:
        lattice = Lattice(random_atoms(seed))
        hidden = suppress(lattice.counts, lattice.families, k=k)

        assert groups_given_away(lattice, hidden, k).tolist() == []

    @given(st.integers(0, 10**6))
    @settings(max_examples=50, deadline=None)
    def test_no_family_leaves_a_small_difference(self, seed: int) -> None:
        lattice = Lattice(random_atoms(seed))
        hidden = suppress(lattice.counts, lattice.families)

        left = differences(lattice.counts, ~hidden, lattice.families)

        assert not ((left > 0) & (left < 5)).any()

    def test_shows_what_it_can_of_an_ordinary_year(self) -> None:
        rng = np.random.default_rng(3)
        lattice = Lattice(rng.poisson(30, (5, 12, 4)))
        lattice.atoms[0, 0, 0] = 2
        counts = lattice.members @ lattice.atoms.ravel()

        hidden = suppress(counts, lattice.families)

        # One small cell needs one corner in each direction: a unit, a month, a channel.
        assert hidden.sum() == 8

    def test_the_search_itself_finds_a_leak_where_nothing_is_done(self) -> None:
        lattice = Lattice(np.array([[[2], [9]], [[9], [9]]]))
        only_small = (lattice.counts > 0) & (lattice.counts < 5)

        assert len(groups_given_away(lattice, only_small, 5)) == 1


class TestKeepFormer:
    def test_waits_until_enough_have_come(self) -> None:
        lattice = families_of([(0, [1, 2])])

        assert keep_former([100, 60, 40], [104, 64, 40], lattice).tolist() == [True, True, False]
        assert keep_former([100, 60, 40], [105, 65, 40], lattice).tolist() == [False, False, False]

    def test_who_left_is_as_private_as_who_came(self) -> None:
        lattice = families_of([(0, [1, 2])])

        assert keep_former([100, 60, 40], [97, 57, 40], lattice).tolist() == [True, True, False]

    def test_holds_a_sibling_back_when_the_parent_moves(self) -> None:
        lattice = families_of([(0, [1, 2])])

        assert keep_former([100, 60, 40], [112, 62, 50], lattice).tolist() == [False, True, True]

    def test_a_corrected_answer_waits_like_a_new_one(self) -> None:
        lattice = families_of([(0, [1, 2])])
        held = keep_former([100, 60, 40], [100, 60, 40], lattice, changed=[True, False, True])

        assert held.tolist() == [True, False, True]

    def test_opposite_moves_in_a_family_hold_the_parent_back(self) -> None:
        lattice = families_of([(0, [1, 2])])

        assert keep_former([100, 60, 40], [100, 62, 38], lattice).tolist() == [True, True, True]

    def test_nothing_new_holds_nothing_back(self) -> None:
        lattice = families_of([(0, [1, 2])])

        assert not keep_former([100, 60, 40], [100, 60, 40], lattice).any()

    @given(st.integers(0, 10**6))
    @settings(max_examples=60, deadline=None)
    def test_no_small_group_is_a_combination_of_all_versions_ever_shown(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = [(2, 2, 1), (4, 1, 1)][seed % 2]
        batches = [rng.negative_binomial(1, p, shape) for p in (0.05, 0.15, 0.3)]
        lattices = [Lattice(batch) for batch in batches]
        families = lattices[0].families
        before = np.cumsum([lattice.counts for lattice in lattices], axis=0)
        never = suppress(before[0], families)
        unseen = [never] + [
            never | keep_former(old, new, families) for old, new in itertools.pairwise(before)
        ]

        # Every version of a cell shows one increment; all increments over all batches at once.
        together = Lattice(batches[0])
        together.atoms = np.concatenate([batch.ravel() for batch in batches])
        together.members = np.kron(np.eye(3, dtype=int), together.members)
        assert groups_given_away(together, np.concatenate(unseen), 5).tolist() == []


class TestDifferences:
    def test_says_what_is_left_of_each_published_parent(self) -> None:
        lattice = families_of([(0, [1, 2]), (1, [3, 4])])
        published = [True, False, True, True, True]

        assert differences([60, 2, 58, 1, 1], published, lattice).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("counts", "families", "k", "reason"),
    [
        ([-1, 2], [(0, [1])], 5, "negative"),
        ([1.5, 2], [(0, [1])], 5, "integers"),
        ([[1, 2]], [(0, [1])], 5, "shape"),
        ([1, 2], [(0, [2])], 5, "0..1"),
        ([1, 2], [(-1, [1])], 5, "0..1"),
        ([1, 2], [(0, [])], 2, "below 3"),
        ([1, 2], [(0, [1])], 5, "more people than their parent"),
    ],
)
def test_refuses_a_lattice_that_cannot_be(
    counts: list[Any], families: list[tuple[int, list[int]]], k: int, reason: str
) -> None:
    with pytest.raises(StatisticsError, match=reason):
        suppress(counts, families_of(families), k=k)


def test_refuses_a_cell_that_is_its_own_child() -> None:
    with pytest.raises(StatisticsError, match="own child"):
        families_of([(0, [0, 1])])


def test_refuses_pairs_out_of_order() -> None:
    with pytest.raises(StatisticsError, match="in order"):
        Families(np.array([0, 1]), np.array([1, 0]), np.array([2, 3]))
