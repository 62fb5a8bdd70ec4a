"""Which levels of the customers of units may be told, after all that was ever told. Pure.

docs/decisions/who-may-leave.md argues the rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sqcore.org.queries import UnitTree
from sqcore.stats.arrays import IntArray
from sqcore.stats.loyalty import Level
from sqcore.stats.suppression import families_of
from surveys.analyses.release import LEAST, History, People, gross, release

FUZZY = 2
"""A share is told in steps of so many people at least: one more or less stays open."""
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, eq=False)
class UnitShares:
    """What may be told of a unit: percents by level, and whose; both None where nothing may.
    `stays`: what was told last is not told anew, since only a few came or left."""

    unit: int
    customers: People | None = None
    percents: Mapping[str, int] | None = None
    stays: bool = False


def shares_of(
    customers: IntArray,
    units: IntArray,
    levels: Sequence[Level],
    tree: UnitTree,
    *,
    k: int,
    earlier: Iterable[Mapping[int, People]] = (),
) -> list[UnitShares]:
    """Return the units that somebody was last served at or below, parents before children.

    customers, units, levels: one each; customers ascending. Those of units without a place in the
        tree are in no unit
    k: smallest group that is shown; earlier: whose customers every earlier run showed, by unit,
        the newest last
    """
    order = [unit for root in tree.roots for unit in tree.below(root)]
    inside = {unit: np.isin(units, list(tree.below(unit))) for unit in order}
    named = [unit for unit in order if inside[unit].any()]
    place = {unit: at for at, unit in enumerate(named)}
    families = families_of(
        [
            (at, [place[child] for child in tree.children.get(unit, []) if child in place])
            for unit, at in place.items()
        ]
    )
    people = [customers[inside[unit]] for unit in named]
    history = History([[shown.get(unit) for unit in named] for shown in earlier])
    decided = release(people, families, k=k, history=history, least=max(k, LEAST))
    kinds = np.array(levels, dtype=object)
    return [
        UnitShares(unit, stays=bool(decided.held[at]))
        if decided.hidden[at] or decided.held[at]
        else UnitShares(unit, people[at], percents(kinds[inside[unit]].tolist()))
        for unit, at in place.items()
    ]


def percents(levels: Sequence[Level]) -> dict[str, int]:
    """Return the share of each level in percents, coarse where there are few customers.

    >>> percents([Level.HIGH] * 7 + [Level.LOW] * 33)
    {'low': 80, 'medium': 0, 'high': 20, 'unknown': 0}
    """
    n = len(levels)
    step = step_of(n)
    return {
        level.value: int(step * round(100 * sum(each is level for each in levels) / n / step))
        for level in Level
    }


def step_of(n: int) -> int:
    """Return in which steps, in percents, a share of n people is told.

    >>> step_of(40), step_of(100), step_of(400)
    (5, 2, 1)
    """
    return next((step for step in STEPS if step * n >= 100 * FUZZY), STEPS[-1])


def may_be_told(now: People, earlier: Iterable[People], *, k: int) -> bool:
    """Whether no earlier group differs from this one by 1 to k-1 people."""
    return all(not 0 < gross([now], [other]) < k for other in earlier)
