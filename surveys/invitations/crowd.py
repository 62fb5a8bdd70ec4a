"""How exactly an anonymous answer may say where it is from: never more exactly than leaves a crowd
of open invitations that it could belong to.

Knows no database. See docs/decisions/invitations-and-anonymity.md.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

V = TypeVar("V", bound=Hashable)


class Context(NamedTuple):
    """Where an encounter was, or as much of it as is told."""

    unit_id: int
    channel_id: int | None = None
    segment_id: int | None = None


def told(counts: Mapping[V, int], *, least: int) -> frozenset[V]:
    """Return the values that may be told: at least this many share each of them, and so many share
    in not being told (or none does).

    >>> sorted(told({"north": 9, "south": 6, "west": 2}, least=5))
    ['north']
    """
    shown = sorted((v for v, n in counts.items() if n >= least), key=lambda v: (counts[v], repr(v)))
    rest = sum(counts.values()) - sum(counts[value] for value in shown)
    while 0 < rest < least and shown:
        rest += counts[shown.pop(0)]
    return frozenset(shown)


class Crowd:
    """The open invitations of a campaign on one day, counted by where their encounters were."""

    def __init__(
        self,
        open_now: Mapping[Context, int],
        *,
        path: Callable[[int], Sequence[int]],
        least: int,
    ) -> None:
        """`path` returns a unit and everything above it, the unit first."""
        self._open, self._path, self._least = open_now, path, least

    def told(self, exact: Context) -> Context:
        """Return what an answer to an invitation from there may say.

        Where a unit's invitations are too few, the answer counts for the lowest unit above all that
        are too few; with too few of them in the whole campaign, for the topmost.
        """
        if exact.unit_id not in self._units:
            return Context(self._unit_above)
        shown = self._channels(exact.unit_id)
        channel_id = exact.channel_id if exact.channel_id in shown else None
        is_shown = exact.channel_id in shown
        alike = Counter[int | None]()
        for one, count in self._at(exact.unit_id).items():
            if (one.channel_id == exact.channel_id) if is_shown else (one.channel_id not in shown):
                alike[one.segment_id] += count
        segments = told(alike, least=self._least)
        segment_id = exact.segment_id if exact.segment_id in segments else None
        return Context(exact.unit_id, channel_id, segment_id)

    def _at(self, unit_id: int) -> Mapping[Context, int]:
        return self._by_unit.get(unit_id, {})

    def _channels(self, unit_id: int) -> frozenset[int | None]:
        counts = Counter[int | None]()
        for one, count in self._at(unit_id).items():
            counts[one.channel_id] += count
        return told(counts, least=self._least)

    @cached_property
    def _by_unit(self) -> dict[int, dict[Context, int]]:
        by_unit: dict[int, dict[Context, int]] = {}
        for one, count in self._open.items():
            by_unit.setdefault(one.unit_id, {})[one] = count
        return by_unit

    @cached_property
    def _units(self) -> frozenset[int]:
        counts = {unit_id: sum(of_unit.values()) for unit_id, of_unit in self._by_unit.items()}
        return told(counts, least=self._least)

    @cached_property
    def _unit_above(self) -> int:
        few = [self._path(unit_id) for unit_id in self._by_unit if unit_id not in self._units]
        if sum(self._open.values()) < self._least:
            return few[0][-1]
        shared = set(few[0]).intersection(*few[1:])
        return next((unit_id for unit_id in few[0] if unit_id in shared), few[0][-1])
