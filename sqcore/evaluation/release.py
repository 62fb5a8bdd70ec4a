"""What a run may show, given everything that was shown before.

One rule for small groups, late answers and periods within periods: nothing is published whose
difference from anything published, now or earlier, would count 1 to k-1 people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from sqcore.evaluation.lattice import Key, Lattice, positions
from sqcore.stats.arrays import BoolArray, IntArray
from sqcore.stats.suppression import suppress

HIDDEN = -1


@dataclass(frozen=True, eq=False)
class Published:
    """The counts that a run shows: `n` is (keys, codes), -1 where it shows none.

    The first code is that of the respondents.
    """

    start: date
    end: date
    keys: tuple[Key, ...]
    codes: tuple[str, ...]
    n: IntArray

    def on(self, keys: Sequence[Key], codes: Sequence[str]) -> IntArray:
        """Return its counts of these keys and codes."""
        rows = positions(self.keys, keys)
        at = {code: place for place, code in enumerate(self.codes)}
        columns = np.array([at.get(code, -1) for code in codes], dtype=np.int64)
        out = np.full((len(keys), len(codes)), HIDDEN, dtype=np.int64)
        if self.n.size:
            found = np.ix_(rows >= 0, columns >= 0)
            out[found] = self.n[np.ix_(rows[rows >= 0], columns[columns >= 0])]
        return out


def latest(revisions: Sequence[Published]) -> Published:
    """Return what was last shown of each figure of one period; what is known stays known."""
    codes = revisions[-1].codes
    keys = tuple(dict.fromkeys(key for each in revisions for key in each.keys))
    n = np.full((len(keys), len(codes)), HIDDEN, dtype=np.int64)
    for each in revisions:
        later = each.on(keys, codes)
        n = np.where(later != HIDDEN, later, n)
    return Published(revisions[-1].start, revisions[-1].end, keys, codes, n)


@dataclass(frozen=True, eq=False)
class History:
    """What had been published when the run was computed.

    `earlier` are the revisions of the same period, the current one last; `around` what was last
    shown of periods that lie within this one; `above` each revision of a longer period that this
    one lies within, with what was last shown of the others within it.
    """

    earlier: tuple[Published, ...] = ()
    around: tuple[Published, ...] = ()
    above: tuple[tuple[Published, tuple[Published, ...]], ...] = ()


@dataclass(frozen=True, eq=False)
class Release:
    """shown: (keys, codes), may be published as computed; fresh: (keys,), False where the former
    figures stay."""

    shown: BoolArray
    fresh: BoolArray


def release(
    lattice: Lattice,
    codes: Sequence[str],
    counts: IntArray,
    *,
    k: int,
    history: History,
) -> Release:
    """Decide what is shown.

    counts: people in all counted cells of the lattice, (cells, codes)
    """
    cells = len(lattice.keys)
    hidden = _hidden(lattice, counts, k=k, forced=np.zeros((cells, len(codes)), dtype=np.bool_))
    now = counts[:cells]
    desk = _Desk(
        lattice=lattice,
        now=now,
        shown=~hidden & (now > 0),
        fresh=np.ones(cells, dtype=np.bool_),
        earlier=[each.on(lattice.keys, codes) for each in history.earlier],
        k=k,
    )

    def here(published: Iterable[Published]) -> list[_Span]:
        return [_Span(each, each.on(lattice.keys, codes)) for each in published]

    around = here(history.around)
    above = [(whole.on(lattice.keys, codes), here(rest)) for whole, rest in history.above]
    while True:
        bad = desk.clashes_with_earlier() | desk.clashes_with_parts(around)
        for n, rest in above:
            bad |= desk.clashes_with_whole(n, rest)
        if not bad.any():
            bad = desk.clashes_inside()
        if not bad.any():
            return Release(desk.shown, desk.fresh)
        if desk.withdraw(bad):
            hidden = _hidden(lattice, counts, k=k, forced=~desk.shown)
            desk.shown &= ~hidden


def _hidden(lattice: Lattice, counts: IntArray, *, k: int, forced: BoolArray) -> BoolArray:
    """Return which cells are hidden, column by column; what hides respondents hides all."""
    cells = len(lattice.keys)
    known: dict[bytes, BoolArray] = {}
    out = np.zeros((cells, counts.shape[1]), dtype=np.bool_)
    for column in range(counts.shape[1]):
        already = np.zeros(len(counts), dtype=np.bool_)
        already[:cells] = (forced[:, column] | out[:, 0]) & (counts[:cells, column] > 0)
        name = counts[:, column].tobytes() + already.tobytes()
        if name not in known:
            known[name] = suppress(counts[:, column], lattice.families, k=k, hidden=already)
        out[:, column] = known[name][:cells]
    return out


@dataclass(frozen=True, eq=False)
class _Span:
    """A published period beside this one."""

    period: Published
    n: IntArray

    def holds(self, other: "_Span") -> bool:
        inside = self.period.start <= other.period.start and other.period.end <= self.period.end
        return inside and self is not other


@dataclass(eq=False)
class _Desk:
    """What is about to be published, and what speaks against it."""

    lattice: Lattice
    now: IntArray
    shown: BoolArray
    fresh: BoolArray
    earlier: list[IntArray]
    k: int

    @property
    def former(self) -> IntArray:
        return self.earlier[-1] if self.earlier else np.full_like(self.now, HIDDEN)

    @property
    def renewed(self) -> BoolArray:
        """What would be published that is not yet known."""
        return self.shown & self.fresh[:, None]

    @property
    def public(self) -> IntArray:
        """The counts as they would stand on the pages."""
        return np.where(self.fresh[:, None], np.where(self.shown, self.now, HIDDEN), self.former)

    def _small(self, people: IntArray) -> BoolArray:
        size = np.abs(people)
        small: BoolArray = (size > 0) & (size < self.k)
        return small

    def clashes_with_earlier(self) -> BoolArray:
        """An earlier revision minus this one."""
        bad = np.zeros(self.now.shape, dtype=np.bool_)
        for n in self.earlier:
            bad |= self.renewed & (n != HIDDEN) & self._small(self.now - n)
        return bad

    def clashes_with_parts(self, around: Sequence[_Span]) -> BoolArray:
        """This period minus the periods within it that are published."""
        parts, any_part = _joined(around, self.now.shape)
        return self.renewed & any_part & self._small(self.now - parts)

    def clashes_with_whole(self, whole: IntArray, rest: Sequence[_Span]) -> BoolArray:
        """A longer period minus this one and what else is published within it.

        Asked of what was not shown before: the longer period does not know yet what is new in
        this one, and is revised after it.
        """
        parts, _any = _joined(rest, self.now.shape)
        first: BoolArray = self.renewed & (self.former == HIDDEN) & (whole != HIDDEN)
        return first & self._small(whole - parts - self.now)

    def clashes_inside(self) -> BoolArray:
        """A unit minus its units, all minus the channels, when some keep their former figures.

        Of each such family the smallest new figure is marked, a child before the parent.
        """
        bad = np.zeros(self.now.shape, dtype=np.bool_)
        if self.fresh.all():
            return bad
        public, renewed = self.public, self.renewed
        for parent, children in self.lattice.published_families:
            below = public[children]
            left = public[parent] - np.where(below == HIDDEN, 0, below).sum(axis=0)
            seen = (public[parent] != HIDDEN) & (below != HIDDEN).any(axis=0)
            for code in np.flatnonzero(seen & self._small(left)).tolist():
                new = [child for child in children if renewed[child, code]]
                if new:
                    bad[min(new, key=self.now[:, code].__getitem__), code] = True
                else:
                    bad[parent, code] = renewed[parent, code]
        return bad

    def withdraw(self, bad: BoolArray) -> bool:
        """Keep the former figures of these cells; where there are none, show nothing.

        Return whether something is shown no more.
        """
        before = bad & (self.former != HIDDEN)
        self.fresh &= ~before.any(axis=1)
        gone = bad & ~before
        self.shown &= ~gone
        # Without its respondents nothing of a cell is shown.
        self.shown &= self.shown[:, :1]
        return bool(gone.any())


def _joined(spans: Iterable[_Span], shape: tuple[int, ...]) -> tuple[IntArray, BoolArray]:
    """Return the people in the longest published periods, none counted twice."""
    longest_first = sorted(
        spans, key=lambda span: (span.period.start - span.period.end, span.period.start)
    )
    total = np.zeros(shape, dtype=np.int64)
    counted: list[tuple[_Span, BoolArray]] = []
    for span in longest_first:
        open_ = span.n != HIDDEN
        for longer, taken in counted:
            if longer.holds(span):
                open_ = open_ & ~taken
        total += np.where(open_, span.n, 0)
        counted.append((span, open_))
    any_part = np.zeros(shape, dtype=np.bool_)
    for _span, taken in counted:
        any_part |= taken
    return total, any_part
