"""Which cells of a published lattice are hidden so that no small group can be computed.

Cells are sums over groups of people. A family says that one cell, the parent, is the sum of
others, its children: a unit and its sub-units, a total and its channels, a quarter and its
months. A cell takes part in any number of families. Everything that can be subtracted from
published cells follows from these equations, so they are all that the method needs to know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsmr

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, flags, int64s, shaped
from sqcore.stats.errors import StatisticsError

FLOOR = 3


@dataclass(frozen=True, eq=False)
class Families:
    """F families over cells: parents (F,), and their E children as pairs (family, child).

    The pairs are in order of their family.
    """

    parents: IntArray
    family: IntArray
    children: IntArray

    def __post_init__(self) -> None:
        shaped(self.children, self.family.shape, "children")
        if (np.diff(self.family) < 0).any():
            raise StatisticsError("the pairs must be in order of their family")
        if self.family.size and not 0 <= self.family[0] <= self.family[-1] < self.parents.size:
            raise StatisticsError(f"family must lie in 0..{self.parents.size - 1}")
        if (self.parents[self.family] == self.children).any():
            raise StatisticsError("a cell cannot be its own child")

    @property
    def size(self) -> int:
        return int(self.parents.size)


def families_of(families: Iterable[tuple[int, Sequence[int]]]) -> Families:
    """Return families from (parent, children) pairs.

    families: cell positions; a family without children says nothing and is dropped
    returns: Families
    raises: StatisticsError if a cell is its own child

    >>> families_of([(0, [1, 2]), (1, [3, 4])]).family.tolist()
    [0, 0, 1, 1]
    """
    kept = [(parent, list(children)) for parent, children in families if len(children)]
    lengths = [len(children) for _, children in kept]
    return Families(
        np.array([parent for parent, _ in kept], dtype=np.int64),
        np.repeat(np.arange(len(kept), dtype=np.int64), lengths),
        np.array([child for _, children in kept for child in children], dtype=np.int64),
    )


def suppress(
    counts: npt.ArrayLike,
    families: Families,
    *,
    k: int = 5,
    hidden: npt.ArrayLike | None = None,
) -> BoolArray:
    """Return which cells are hidden so that nobody can compute a group of 1..k-1 people.

    counts: shape (C,), how many people a cell holds, >= 0. Empty cells are never hidden for
        their own sake: they tell of nobody
    families: which cells are the sum of which. A parent may hold people who are in none of its
        children (their channel is not known); they are a group like the others
    k: smallest group that is shown, >= 3
    hidden: shape (C,), bool, cells that are hidden for another reason, or None
    returns: shape (C,), bool
    raises: StatisticsError if a count is negative, k is below 3, a family names no cell, or
        children hold more people than their parent
    assumes: who looks knows every published figure and every family, and that an empty cell is
        empty; not what else they know about people, and not estimates (bounds) of a hidden one.
        The sum of a set of hidden cells that only several families together give away is
        searched for up to two cells, and up to four where at most `LONG_SEARCH` small cells
        hang together (so with k <= 5 such a lattice is searched completely)
    source: primary and complementary suppression as in Hundepool et al. 2012, Statistical
        Disclosure Control, chapter 4; what the equations determine is read off a random vector
        of their null space

    >>> lattice = families_of([(0, [1, 2, 3])])
    >>> suppress([60, 2, 8, 50], lattice).tolist()
    [False, True, True, False]
    >>> suppress([58, 0, 8, 50], lattice).tolist()
    [False, False, False, False]
    """
    n = _counts(counts, families, k)
    already = np.zeros(n.shape, np.bool_) if hidden is None else flags(hidden, "hidden")
    shaped(already, n.shape, "hidden")
    rest = n[families.parents] - _sums(families, n)
    if (rest < 0).any():
        raise StatisticsError("the children of a family hold more people than their parent")
    return _suppressed(n, rest, families, k, already)


def _suppressed(
    n: IntArray, rest: IntArray, families: Families, k: int, hidden: BoolArray
) -> BoolArray:
    """Return what is hidden; those of a parent who are in no child are one child more."""
    cells = n.size
    left_over = np.flatnonzero(rest)
    order = np.argsort(np.concatenate([families.family, left_over]), kind="stable")
    complete = Families(
        families.parents,
        np.concatenate([families.family, left_over])[order],
        np.concatenate([families.children, cells + np.arange(left_over.size)])[order],
    )
    n = np.concatenate([n, rest[left_over]])
    out: BoolArray = (n > 0) & (n < k)
    out[:cells] |= hidden
    lattice = _Lattice(n, complete, k, never_shown=cells)
    lattice.settle(out)
    fresh = out
    while found := lattice.leaks(out, fresh):
        before = out.copy()
        lattice.close(out, found)
        lattice.settle(out)
        fresh = out & ~before
    return out[:cells]


def keep_former(
    old: npt.ArrayLike,
    new: npt.ArrayLike,
    families: Families,
    *,
    k: int = 5,
    changed: npt.ArrayLike | None = None,
) -> BoolArray:
    """Return which cells must keep their former figures when a batch of late answers comes in.

    The figure with the batch minus the one without it tells of those who came or went with it.
    A cell takes the batch in only if they are none or at least k, and if no smaller group
    follows from the cells that take it in. Whoever keeps its former figure stays without this
    batch for good, also when later ones are taken in: made up for later, the batch could be
    subtracted from what others showed in between. So batches are best large and rare.

    old, new: shape (C,), people in each cell without and with this batch, >= 0; everybody who
        is in, whether the cell took them in or not
    families: which cells are the sum of which
    k: smallest group that is shown, >= 3
    changed: shape (C,), bool, cells whose figures differ although their number may not (an
        answer was corrected); such a cell counts as a group of one at least. None: none
    returns: shape (C,), bool; True keeps the former figures
    raises: StatisticsError as in `suppress`
    assumes: within a cell and batch either some came or some went; if both, pass the people
        who came plus those who went as `new` and zeros as `old`. A cell that was hidden before
        its first batch stays hidden
    source: batches are disjoint groups of people, so what can be computed from all of them
        together falls apart into what can be computed from each

    >>> lattice = families_of([(0, [1, 2])])
    >>> keep_former([100, 60, 40], [103, 63, 40], lattice).tolist()
    [True, True, False]
    >>> keep_former([100, 60, 40], [112, 62, 50], lattice).tolist()
    [False, True, True]
    """
    before, now = _counts(old, families, k), _counts(new, families, k)
    shaped(now, before.shape, "new")
    signed = now - before
    moved = np.abs(signed)
    if changed is not None:
        touched = flags(changed, "changed")
        shaped(touched, moved.shape, "changed")
        moved = np.where(touched, np.maximum(moved, 1), moved)
    rest = np.abs(signed[families.parents] - _sums(families, signed))
    return _suppressed(moved, rest, families, k, np.zeros(moved.shape, dtype=np.bool_))


def differences(counts: npt.ArrayLike, published: npt.ArrayLike, families: Families) -> IntArray:
    """Return what is left of every published parent after its published children.

    counts: shape (C,), people, >= 0
    published: shape (C,), bool
    families: F of them
    returns: shape (F,), parent minus the sum of its published children; 0 where the parent is
        not published. A value in 1..k-1 is a leak
    raises: StatisticsError if a shape is wrong or a count is negative

    >>> lattice = families_of([(0, [1, 2])])
    >>> differences([60, 2, 58], [True, False, True], lattice).tolist()
    [2]
    """
    n = _counts(counts, families, FLOOR)
    shown = flags(published, "published")
    shaped(shown, n.shape, "published")
    given = _sums(families, np.where(shown, n, 0))
    return np.where(shown[families.parents], n[families.parents] - given, 0)


def _counts(counts: npt.ArrayLike, families: Families, k: int) -> IntArray:
    n = int64s(counts, "counts")
    if n.ndim != 1:
        raise StatisticsError("counts must have shape (cells,)")
    if n.size and int(n.min()) < 0:
        raise StatisticsError("counts cannot be negative")
    if k < FLOOR:
        raise StatisticsError(f"k cannot be below {FLOOR}")
    for cells in (families.parents, families.children):
        if cells.size and not 0 <= int(cells.min()) <= int(cells.max()) < n.size:
            raise StatisticsError(f"the families must name cells in 0..{n.size - 1}")
    return n


def _sums(families: Families, of_cells: npt.NDArray[np.int64]) -> IntArray:
    sums = np.zeros(families.size, dtype=np.int64)
    np.add.at(sums, families.family, of_cells[families.children])
    return sums


LONG_SEARCH = 1500
TOLERANCE = 1e-6


class _Lattice:
    """One lattice of counts; `hidden` goes in and is widened in place."""

    def __init__(self, n: IntArray, families: Families, k: int, *, never_shown: int) -> None:
        """Cells from `never_shown` on are not published anyway, so they are hidden first."""
        self.n, self.families, self.k = n, families, k
        # Empty children never matter, so they are left out from the start.
        kept = n[families.children] > 0
        self.child = families.children[kept]
        self.of = families.family[kept]
        self.parent = families.parents
        self.rank = np.empty(n.size, dtype=np.int64)
        shown = np.arange(n.size) < never_shown
        self.rank[np.lexsort((np.arange(n.size), n, shown))] = np.arange(n.size)
        self.price = np.where(shown, n, 0).astype(np.float64)

    # One family at a time

    def settle(self, hidden: BoolArray) -> None:
        """Hide more until no family by itself, nor a chain of parents, gives a group away."""
        while True:
            inside = self._per_family(hidden[self.child].astype(np.int64))
            parent_hidden = hidden[self.parent]
            rest = self._per_family(self._left_of(hidden, inside)[self.child])
            small = (rest > 0) & (rest < self.k)
            bad = np.where(
                parent_hidden,
                (inside == 0) & (self.n[self.parent] > 0),
                small | (inside == 1),
            )
            if not self._hide_one_more(hidden, bad, inside):
                return

    def _per_family(self, of_edges: IntArray) -> IntArray:
        sums = np.bincount(self.of, weights=of_edges, minlength=self.families.size)
        return sums.astype(np.int64)

    def _left_of(self, hidden: BoolArray, inside: IntArray) -> IntArray:
        """How many people of a hidden cell stay unknown after its published children."""
        left = np.where(hidden, self.n, 0)
        through = hidden[self.parent] & (inside > 0)
        while True:
            rest = self._per_family(left[self.child])
            lower = left.copy()
            np.minimum.at(lower, self.parent[through], rest[through])
            if np.array_equal(lower, left):
                return left
            left = lower

    def _hide_one_more(self, hidden: BoolArray, bad: BoolArray, inside: IntArray) -> bool:
        """In every bad family hide the child that costs least, or else the parent."""
        if not bad.any():
            return False
        edges = np.flatnonzero(bad[self.of] & ~hidden[self.child])
        cost = self._openings(inside)[self.child[edges]] * self.n.size
        cost += self.rank[self.child[edges]]
        best = np.full(self.families.size, np.iinfo(np.int64).max)
        np.minimum.at(best, self.of[edges], cost)
        chosen = self.child[edges[cost == best[self.of[edges]]]]
        without = bad & (best == np.iinfo(np.int64).max) & ~hidden[self.parent]
        hidden[chosen] = True
        hidden[self.parent[without]] = True
        return bool(chosen.size or without.any())

    def _openings(self, inside: IntArray) -> IntArray:
        """In how many of a cell's families it would be the first to be hidden."""
        untouched = inside == 0
        first = np.bincount(self.child[untouched[self.of]], minlength=self.n.size)
        return first + np.bincount(self.parent[untouched], minlength=self.n.size)

    # All families together

    def _equations(self, cells: IntArray) -> sparse.csr_array:
        """Each family as an equation over some cells: parent - children = 0."""
        column = np.full(self.n.size, -1)
        column[cells] = np.arange(cells.size)
        rows = np.concatenate([np.arange(self.families.size), self.of])
        columns = column[np.concatenate([self.parent, self.child])]
        signs = np.concatenate([np.ones(self.families.size), -np.ones(self.of.size)])
        among = columns >= 0
        return sparse.csr_array(
            (signs[among], (rows[among], columns[among])), shape=(self.families.size, cells.size)
        )

    def _connected(self, hidden: BoolArray, to: BoolArray) -> IntArray:
        """The hidden cells that hang together, through families, with a hidden cell of `to`."""
        unknown = np.flatnonzero(hidden & (self.n > 0))
        equations = self._equations(unknown)
        _, part = connected_components(abs(equations.T) @ abs(equations), directed=False)
        return unknown[np.isin(part, np.unique(part[to[unknown]]))]

    def leaks(self, hidden: BoolArray, fresh: BoolArray) -> list[IntArray]:
        """Return sets of hidden cells, each of 1..k-1 people, whose sum the equations give.

        A sum of hidden cells is determined exactly if it vanishes on the null space of the
        equations, and a random vector of that space vanishes on nothing else. Only what hangs
        together with the `fresh` cells is looked at: elsewhere nothing has changed.
        """
        unknown = self._connected(hidden, fresh)
        small = np.flatnonzero(self.n[unknown] < self.k)
        if small.size == 0:
            return []
        null = _null_vectors(self._equations(unknown))
        values, people = null[small], self.n[unknown[small]]
        return [unknown[small[found]] for found in _zero_sums(values, people, self.k)]

    def close(self, hidden: BoolArray, found: list[IntArray]) -> None:
        """Hide the cells that cost least and leave the sum of each set free to move."""
        for cells in found:
            for hops in (2, 3, 5, None):
                near = self._near(cells, hops)
                moved = self._cheapest_move(hidden, cells, near)
                if moved is not None:
                    hidden[moved] = True
                    break

    def _near(self, cells: IntArray, hops: int | None) -> IntArray:
        """The cells that so many families lead to; None: all."""
        reached = self.n > 0
        if hops is not None:
            reached = np.zeros_like(reached)
            reached[cells] = True
            for _ in range(hops):
                families = np.bincount(self.of, reached[self.child], self.families.size) > 0
                families |= reached[self.parent]
                reached[self.parent[families]] = True
                reached[self.child[families[self.of]]] = True
        return np.flatnonzero(reached)

    def _cheapest_move(self, hidden: BoolArray, cells: IntArray, near: IntArray) -> IntArray | None:
        """The cells of a movement that keeps every family and changes the sum of a set.

        What is hidden already moves free of cost, others cost their people; the least sum of
        |movement| x cost is a linear programme.
        """
        # Imported here: with it come megabytes and seconds that only this needs.
        from scipy.optimize import linprog

        equations = self._equations(near)
        equations = equations[np.diff(equations.indptr) > 0]
        total = sparse.csr_array(np.isin(near, cells).astype(np.float64)[None, :])
        kept = sparse.vstack([equations, total], format="csr")
        cost = np.where(hidden[near], 0.0, self.price[near])
        target = np.zeros(kept.shape[0])
        target[-1] = 1.0
        solved = linprog(
            np.concatenate([cost, cost]),
            A_eq=sparse.hstack([kept, -kept], format="csr"),
            b_eq=target,
            method="highs",
        )
        if solved.x is None:
            return None
        size = near.size
        return near[np.abs(solved.x[:size] - solved.x[size:]) > TOLERANCE]


def _least_squares(matrix: sparse.csr_array, target: FloatArray) -> FloatArray:
    solution: FloatArray = lsmr(matrix, target, atol=1e-13, btol=1e-13, maxiter=10_000)[0]
    return solution


def _null_vectors(equations: sparse.csr_array) -> FloatArray:
    """Return two random vectors of the null space, shape (cells, 2); a fixed seed."""
    across = equations.T.tocsr()
    start = np.random.default_rng(20).normal(size=(across.shape[0], 2))
    columns = []
    for vector in start.T:
        once = vector - across @ _least_squares(across, vector)
        columns.append(once - across @ _least_squares(across, once))
    return np.column_stack(columns)


def _zero_sums(values: FloatArray, people: IntArray, k: int) -> list[IntArray]:
    """Return the least sets of up to four cells of fewer than k people whose values sum to 0."""
    alone = np.flatnonzero((np.abs(values) < TOLERANCE).all(axis=1))
    found = [np.array([cell]) for cell in alone]
    rest = np.flatnonzero((np.abs(values) >= TOLERANCE).any(axis=1))
    singles = rest[:, None]
    found += _opposite(values, people, k, singles, singles)
    if rest.size <= LONG_SEARCH:
        first, second = np.triu_indices(rest.size, 1)
        pairs = np.column_stack([rest[first], rest[second]])
        pairs = pairs[people[pairs].sum(axis=1) < k - 1]
        found += _opposite(values, people, k, pairs, singles)
        found += _opposite(values, people, k, pairs, pairs)
    return found


def _opposite(
    values: FloatArray, people: IntArray, k: int, left: IntArray, right: IntArray
) -> list[IntArray]:
    """Return the unions of a set of `left` and a set of `right` with opposite sums."""
    sums, against = values[left].sum(axis=1), -values[right].sum(axis=1)
    order = np.argsort(against[:, 0], kind="stable")
    low = np.searchsorted(against[order, 0], sums[:, 0] - TOLERANCE)
    high = np.searchsorted(against[order, 0], sums[:, 0] + TOLERANCE)
    found = {}
    for at in np.flatnonzero(high > low):
        for other in order[low[at] : high[at]]:
            cells = np.unique(np.concatenate([left[at], right[other]]))
            whole = cells.size == left.shape[1] + right.shape[1]
            if (
                whole
                and people[cells].sum() < k
                and abs(sums[at, 1] - against[other, 1]) < TOLERANCE
            ):
                found[tuple(cells.tolist())] = cells
    return list(found.values())
