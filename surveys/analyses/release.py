"""Which groups may be shown, given who answered and what was ever shown of them. Pure functions.

docs/decisions/analyses-of-groups.md argues the rules.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sqcore.stats.arrays import BoolArray, IntArray
from sqcore.stats.suppression import Families, suppress

LEAST = 30
"""Answers that most analyses of a group rest on; below, their figures say more about chance."""

People = IntArray
"""The ids of a group's answers, each once."""
Shown = Sequence[People | None]
"""Whose answers what is shown of each of C groups was found in; None where nothing is shown."""


@dataclass(frozen=True, eq=False)
class Sum:
    """People added up and taken away: a year that was shown less the other quarters."""

    plus: tuple[People, ...]
    minus: tuple[People, ...] = ()


@dataclass(frozen=True, eq=False)
class History:
    """What was shown when this is decided.

    earlier: the revisions of this period, the one on show last
    beside: for each of C groups what other periods leave for it: of a year its quarters, as last
        shown; of a quarter each revision of its year less the other quarters
    """

    earlier: Sequence[Shown] = ()
    beside: Sequence[Sequence[Sum]] = ()


@dataclass(frozen=True, eq=False)
class Release:
    """hidden: (C,), nothing is shown; held: (C,), what was shown stays, without those who came or
    left since; all others are shown as they are now."""

    hidden: BoolArray
    held: BoolArray


def release(
    now: Sequence[People],
    families: Families,
    *,
    k: int,
    history: History | None = None,
    least: int = LEAST,
) -> Release:
    """Decide what is shown of C groups, so that no difference tells of 1 to k-1 people.

    Who came and who left are added, not set off: the difference of two revisions with the same n
    may be one person who left and one who came.

    now: of each group, whose answers there are
    families: which groups are sums of which; k: smallest group that is shown; least: fewest answers
        that any of the analyses asked for rests on

    >>> from sqcore.stats.suppression import families_of
    >>> lattice = families_of([(0, [1, 2])])
    >>> everybody = np.arange(100)
    >>> then = [everybody, everybody[:60], everybody[60:]]
    >>> one_for_another = np.append(everybody[1:], 100)
    >>> now = [one_for_another, one_for_another[:59], one_for_another[59:]]
    >>> release(now, lattice, k=5, history=History([then])).held.tolist()
    [True, True, True]
    """
    desk = _Desk(now, families, k, history or History(), least)
    desk.decide()
    return Release(desk.hidden, desk.held & ~desk.hidden)


def gross(plus: Iterable[People], minus: Iterable[People]) -> int:
    """Return how many people are in a sum of groups less others: each who does not cancel out.

    >>> gross([np.array([1, 2, 3])], [np.array([2, 3, 4])])
    2
    """
    more, less = list(plus), list(minus)
    if len(more) == len(less) == 1 and np.array_equal(more[0], less[0]):
        return 0
    people = np.concatenate([*more, *less, np.zeros(0, dtype=np.int64)])
    signs = np.ones(len(people), dtype=np.int64)
    signs[sum(map(len, more)) :] = -1
    _ids, place = np.unique(people, return_inverse=True)
    return int(np.count_nonzero(np.bincount(place, weights=signs)))


class _Desk:
    """What is about to be shown; `decide` takes back what would tell of a few."""

    def __init__(
        self, now: Sequence[People], families: Families, k: int, history: History, least: int
    ) -> None:
        self.now, self.k, self.history, self.families = now, k, history, families
        self.size = np.array([len(people) for people in now], dtype=np.int64)
        self.few = self.size < least
        self.held = np.zeros(len(now), dtype=np.bool_)
        self.forced = np.zeros(len(now), dtype=np.bool_)
        self.family: list[tuple[int, list[int]]] = [
            (int(parent), families.children[families.family == at].tolist())
            for at, parent in enumerate(families.parents)
        ]
        self.parts = dict(reversed(self.family))
        nothing: Shown = [None] * len(now)
        self.on_show = history.earlier[-1] if history.earlier else nothing

    @property
    def hidden(self) -> BoolArray:
        # Groups under `least` are not secret, so nobody else is hidden for their sake.
        found = suppress(self.size, self.families, k=self.k, hidden=self.forced)
        return np.asarray(found | self.few)

    def decide(self) -> None:
        for place in range(len(self.now)):
            if not self.few[place] and any(map(self._is_small, self._differences(place))):
                self._take_back(place)
        while (worst := self._worst()) is not None:
            self._take_back(worst)

    def _take_back(self, place: int) -> None:
        """Keep what was shown; where nothing was, show nothing."""
        known = self.on_show[place] is not None
        (self.held if known else self.forced)[place] = True

    def _is_small(self, people: int) -> bool:
        return 0 < people < self.k

    def _differences(self, place: int) -> Iterator[int]:
        """Yield what a group less each that was ever shown of it would tell of."""
        now = self.now[place]
        for shown in self._revisions(place):
            yield gross([now], [shown])
        if self.history.beside:
            for other in self.history.beside[place]:
                yield gross([now, *other.minus], other.plus)

    def _revisions(self, place: int) -> Iterator[People]:
        last: People | None = None
        for moment in self.history.earlier:
            shown = moment[place]
            if shown is not None and shown is not last:
                yield shown
                last = shown

    def _worst(self) -> int | None:
        """Return the group to take back next, of a family whose groups together tell of a few.

        The total, if it is new; else the smallest part that is new.
        """
        hidden = self.hidden
        if not self.history.earlier and not self.held.any():
            return None  # All are new: `suppress` has seen to them.
        public: Shown = [
            None if hidden[at] else self.on_show[at] if self.held[at] else people
            for at, people in enumerate(self.now)
        ]
        fresh = ~(hidden | self.held)
        seen = {at for at, people in enumerate(public) if people is not None}
        seen |= {
            at
            for shown in self.history.earlier
            for at in range(len(shown))
            if shown[at] is not None
        }
        for parent, direct in self.family:
            for children in self._ways(direct, seen):
                new = [place for place in (parent, *children) if fresh[place]]
                if new and self._is_told(parent, children, public, fresh):
                    if new[0] == parent:
                        return parent
                    return min(new, key=lambda at: int(self.size[at]))
        return None

    def _ways(self, children: Sequence[int], seen: Collection[int]) -> list[list[int]]:
        """Return the ways to take a total apart: by its parts; by the parts of those that were
        never shown; by the smallest there are."""
        found = [list(children)]
        for wanted in (seen, ()):
            way = [end for child in children for end in self._ends(child, wanted)]
            if way not in found:
                found.append(way)
        return found

    def _ends(self, place: int, seen: Collection[int]) -> list[int]:
        if place in seen or place not in self.parts:
            return [place]
        return [end for child in self.parts[place] for end in self._ends(child, seen)]

    def _is_told(
        self, parent: int, children: Sequence[int], public: Shown, fresh: BoolArray
    ) -> bool:
        """Whether a total and its parts tell of a few: as shown at whatever moments, or by what
        changed since a revision."""
        totals = self._ever_shown(parent, public, fresh)
        parts = [self._ever_shown(child, public, fresh) for child in children]
        theirs = [
            _union([self.now[child], *(people for people, _is_new in shown)])
            for child, shown in zip(children, parts, strict=True)
        ]
        if any(self._is_total_told(total, parts, theirs) for total in totals):
            return True
        return any(map(self._is_small, self._changes(parent, children, public)))

    def _ever_shown(self, place: int, public: Shown, fresh: BoolArray) -> list[tuple[People, bool]]:
        """Return whatever was or would be shown of a group, each with whether it is new."""
        found = [(people, False) for people in self._revisions(place)]
        people = public[place]
        if people is not None and not any(np.array_equal(people, known) for known, _new in found):
            found.append((people, bool(fresh[place])))
        return found

    def _is_total_told(
        self,
        total: tuple[People, bool],
        parts: Sequence[Sequence[tuple[People, bool]]],
        theirs: Sequence[People],
    ) -> bool:
        """Whether a total less some parts, each as it was shown at any moment, is 1 to k-1 people,
        and something new is in it. Parts have nobody in common, so that their differences from
        what the total has of them add up.

        theirs: of each part everybody who ever was in it
        """
        people, is_new = total
        last = max((int(each[-1]) for each in (people, *theirs) if len(each)), default=0)
        inside = np.zeros(last + 1, dtype=np.bool_)
        inside[people] = True
        within = [int(inside[each].sum()) for each in theirs]
        sums = {(len(people) - sum(within), is_new)}
        for many, shown in zip(within, parts, strict=True):
            differences = {(many, False)} | {
                (many + len(part) - 2 * int(inside[part].sum()), new) for part, new in shown
            }
            sums = {
                (so_far + more, used or new)
                for so_far, used in sums
                for more, new in differences
                if so_far + more < self.k
            }
        return any(so_far > 0 and used for so_far, used in sums)

    def _changes(self, parent: int, children: Sequence[int], public: Shown) -> Iterator[int]:
        """Yield who the change of a total since a revision, less that of its parts, tells of."""
        total = public[parent]
        if total is None:
            return
        for moment in self.history.earlier:
            then = moment[parent]
            if then is not None:
                both = [at for at in children if public[at] is not None and moment[at] is not None]
                came, went = [public[at] for at in both], [moment[at] for at in both]
                yield gross([total, *_there(went)], [then, *_there(came)])


def _union(groups: Sequence[People]) -> People:
    """Return everybody of ascending groups, each once."""
    return groups[0] if len(groups) == 1 else np.unique(np.concatenate(groups))


def _there(people: Iterable[People | None]) -> list[People]:
    return [each for each in people if each is not None]
