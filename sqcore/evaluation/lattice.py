"""The lattice of a run: the unit tree x one margin, and which of its cells are sums of which."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sqcore.indicators.sources import Collected, SourceCell
from sqcore.stats.arrays import IntArray
from sqcore.stats.moments import Moments, merge
from sqcore.stats.suppression import Families, families_of

MARGINS = ("", "channel", "segment")
"""What is published: everybody, and one of these."""


class Key(NamedTuple):
    """A cell: a unit and all below it; of everybody ("", ""), or of one channel or segment."""

    unit: int
    margin: str = ""
    value: str = ""


class _Counted(NamedTuple):
    """A cell that only counts: `own` is the unit without what is below, an empty value of a margin
    those of whom the channel or segment is not known. Never published."""

    key: Key
    own: bool


@dataclass(frozen=True)
class Lattice:
    """The cells of a run, units in the order of the tree, everybody before the margins."""

    parents: Mapping[int, int | None]
    keys: tuple[Key, ...]

    @classmethod
    def over(
        cls,
        parents: Mapping[int, int | None],
        sources: Iterable[Collected],
        *,
        margins: Collection[str] = MARGINS,
    ) -> "Lattice":
        """Return the lattice of all cells in which a source has anything, and those above them.

        Cells of other margins than these are groups that are compared, and never published.
        """
        paths = _paths(parents)
        keys = {
            Key(above, cell.margin, cell.value)
            for source in sources
            for cell in source.cells
            if cell.margin in margins and (cell.value or not cell.margin)
            for above in paths[cell.unit_id]
        }
        place = {unit: at for at, unit in enumerate(_tree_order(parents))}
        return cls(parents, tuple(sorted(keys, key=lambda k: (place[k.unit], k.margin, k.value))))

    @cached_property
    def index(self) -> dict[Key, int]:
        return {key: at for at, key in enumerate(self.keys)}

    def rolled_up(self, source: Collected) -> Moments:
        """Return the moments of every cell: those of a unit and of all below it, added."""
        paths = _paths(self.parents)
        given = [
            (self.index[Key(above, cell.margin, cell.value)], at)
            for at, cell in enumerate(source.cells)
            if cell.value or not cell.margin
            for above in paths[cell.unit_id]
        ]
        to = np.array([group for group, _cell in given], dtype=np.int64)
        cells = np.array([cell for _group, cell in given], dtype=np.int64)
        return merge(source.moments, to, len(self.keys), cell=cells)

    @cached_property
    def counted(self) -> tuple[_Counted, ...]:
        """All cells that the equations speak of; the first ones are `keys`."""
        known = [_Counted(key, own=False) for key in self.keys]
        margins = sorted({key.margin for key in self.keys if key.margin})
        unknown = [
            _Counted(Key(key.unit, margin), own=False)
            for key in self.keys
            if not key.margin
            for margin in margins
        ]
        above = {parent for parent in self.parents.values() if parent is not None}
        own = [_Counted(cell.key, own=True) for cell in known + unknown if cell.key.unit in above]
        return (*known, *unknown, *own)

    @cached_property
    def families(self) -> Families:
        """Every equation of counted cells: unit = units below + own, all = margin + unknown."""
        at = {cell: place for place, cell in enumerate(self.counted)}
        below: dict[int, list[int]] = {}
        for unit, parent in self.parents.items():
            if parent is not None:
                below.setdefault(parent, []).append(unit)
        values: dict[_Counted, dict[str, list[int]]] = {}
        found: list[tuple[int, list[int]]] = []
        for cell, place in at.items():
            unit, margin, _value = cell.key
            if margin:
                everybody = _Counted(Key(unit), own=cell.own)
                values.setdefault(everybody, {}).setdefault(margin, []).append(place)
            own = _Counted(cell.key, own=True)
            if not cell.own and own in at:
                children = [
                    at[child]
                    for each in below[unit]
                    if (child := _Counted(cell.key._replace(unit=each), own=False)) in at
                ]
                found.append((place, [*children, at[own]]))
        for everybody, margins in values.items():
            found += [(at[everybody], places) for places in margins.values()]
        return families_of(found)

    @cached_property
    def published_families(self) -> list[tuple[int, list[int]]]:
        """The same equations, of published cells alone: a parent with its children."""
        children: dict[int, list[int]] = {}
        families = self.families
        for number, child in zip(families.family.tolist(), families.children.tolist(), strict=True):
            if child < len(self.keys):
                children.setdefault(number, []).append(child)
        parents = families.parents.tolist()
        return [
            (parents[number], below)
            for number, below in children.items()
            if parents[number] < len(self.keys)
        ]

    def counts(self, cells: Sequence[SourceCell], people: IntArray) -> IntArray:
        """Return the people in all counted cells, given those in cells of a source.

        people: (source cells, columns)
        """
        at = {cell: place for place, cell in enumerate(self.counted)}
        paths = _paths(self.parents)
        to, given = [], []
        for number, cell in enumerate(cells):
            key = Key(cell.unit_id, cell.margin, cell.value)
            if key not in self.index:
                continue
            above = paths[key.unit]
            places = [at[_Counted(key._replace(unit=unit), own=False)] for unit in above]
            if (own := at.get(_Counted(key, own=True))) is not None:
                places.append(own)
            to += places
            given += [number] * len(places)
        out = np.zeros((len(at), people.shape[1]), dtype=np.int64)
        np.add.at(out, np.array(to, dtype=np.int64), people[np.array(given, dtype=np.int64)])
        self._count_unknown(out, at)
        return out

    def _count_unknown(self, out: IntArray, at: Mapping[_Counted, int]) -> None:
        rest = {
            place: out[at[_Counted(Key(cell.key.unit), own=cell.own)]].copy()
            for cell, place in at.items()
            if cell.key.margin and not cell.key.value
        }
        for cell, place in at.items():
            if cell.key.value:
                unknown = at[_Counted(Key(cell.key.unit, cell.key.margin), own=cell.own)]
                rest[unknown] -= out[place]
        for place, people in rest.items():
            out[place] = np.maximum(people, 0)


def _tree_order(parents: Mapping[int, int | None]) -> list[int]:
    below: dict[int | None, list[int]] = {}
    for unit in sorted(parents):
        below.setdefault(parents[unit], []).append(unit)
    order: list[int] = []
    waiting = list(reversed(below.get(None, [])))
    while waiting:
        unit = waiting.pop()
        order.append(unit)
        waiting += reversed(below.get(unit, []))
    return order


def _paths(parents: Mapping[int, int | None]) -> dict[int, list[int]]:
    """Return each unit with everything above it."""
    paths: dict[int, list[int]] = {}
    for unit in _tree_order(parents):
        above = parents[unit]
        paths[unit] = [unit, *(paths[above] if above is not None else ())]
    return paths


def positions(keys: Sequence[Key], wanted: Sequence[Key]) -> IntArray:
    """Return where each wanted key stands among `keys`, -1 where it does not."""
    at = {key: place for place, key in enumerate(keys)}
    return np.array([at.get(key, -1) for key in wanted], dtype=np.int64)
