"""Whose answers are looked at together: the whole, every unit with all below it, every channel and
every segment of the whole; and which of these groups are sums of which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from sqcore.base.errors import NotFound
from sqcore.base.periods import Period
from sqcore.org.models import Channel, Segment
from sqcore.org.queries import UnitTree, tree_on
from sqcore.stats.arrays import IntArray
from sqcore.stats.suppression import Families, families_of
from surveys.responses.items import ItemAnswers


class Group(NamedTuple):
    """A unit with all below it; with a margin one channel or segment, by code."""

    unit: int
    margin: str = ""
    margin_value: str = ""


@dataclass(frozen=True)
class Groups:
    """The groups that somebody answered in, the whole first; `ids` are those of the values of the
    margins. The whole stands at the root and has every answer, also of units without a place."""

    tree: UnitTree
    of: tuple[Group, ...]
    ids: Mapping[Group, int]

    @property
    def whole(self) -> Group:
        return Group(self.tree.roots[0])

    def answers(self, group: Group, everything: ItemAnswers) -> ItemAnswers:
        """Return the answers of a group."""
        if group == self.whole:
            return everything
        if group.margin == "channel":
            return everything.of(channel=self.ids[group])
        if group.margin == "segment":
            return everything.of(segment=self.ids[group])
        return everything.of(units=list(self.tree.below(group.unit)))

    def people(self, group: Group, everything: ItemAnswers) -> IntArray:
        """Return the ids of a group's answers, ascending."""
        if group == self.whole:
            return everything.response
        if group.margin == "channel":
            keep = everything.channel == self.ids[group]
        elif group.margin == "segment":
            keep = everything.segment == self.ids[group]
        else:
            keep = np.isin(everything.unit, list(self.tree.below(group.unit)))
        return np.asarray(everything.response[keep])

    def families(self) -> Families:
        """Return which groups are sums of others: units of those below them, all of the margins."""
        at = {group: place for place, group in enumerate(self.of)}
        found: list[tuple[int, list[int]]] = []
        for group, place in at.items():
            if not group.margin:
                below = [Group(child) for child in self._below(group.unit)]
                found.append((place, [at[child] for child in below if child in at]))
        for margin in ("channel", "segment"):
            values = [place for group, place in at.items() if group.margin == margin]
            found.append((0, values))
        return families_of(found)

    def _below(self, unit: int) -> list[int]:
        """Other roots, if there are any, are a part of the whole like its own units."""
        others = self.tree.roots[1:] if unit == self.tree.roots[0] else []
        return [*self.tree.children.get(unit, []), *others]


def tree_of(period: Period) -> UnitTree:
    """Return the tree of the period's last day. raises: NotFound when there was no unit then"""
    tree = tree_on(period.end - timedelta(days=1))
    if not tree.roots:
        raise NotFound("There was no unit yet at the end of this period.")
    return tree


def groups_of(everything: ItemAnswers, tree: UnitTree) -> Groups:
    """Return the groups that have answers."""
    found = list(_units(everything, tree))
    names = {("channel", pk): code for pk, code in Channel.objects.values_list("id", "code")}
    names |= {("segment", pk): code for pk, code in Segment.objects.values_list("id", "code")}
    ids: dict[Group, int] = {}
    for margin, values in (("channel", everything.channel), ("segment", everything.segment)):
        for pk in np.unique(values[values > 0]).tolist():
            ids[Group(tree.roots[0], margin, names[margin, pk])] = pk
    return Groups(tree, (*found, *ids), ids)


def _units(everything: ItemAnswers, tree: UnitTree) -> Iterator[Group]:
    """Yield every unit that somebody answered about or below, parents before children."""
    named = {above for unit in np.unique(everything.unit).tolist() for above in tree.path(unit)}
    first, *_others = tree.roots
    if len(everything):
        yield Group(first)
    for unit in _in_order(tree):
        if unit != first and unit in named:
            yield Group(unit)


def _in_order(tree: UnitTree) -> Sequence[int]:
    return [unit for root in tree.roots for unit in tree.below(root)]
