"""Which groups may be shown, given how many answered and what was shown before. Pure functions.

docs/decisions/analyses-of-groups.md argues the rules.
"""

from dataclasses import dataclass

import numpy as np

from sqcore.stats.arrays import BoolArray, IntArray
from sqcore.stats.suppression import Families, differences, suppress

LEAST = 30
"""Answers that most analyses of a group rest on; below, their figures say more about chance."""
NEVER = -1
"""The count of a group of which nothing is on show."""


@dataclass(frozen=True, eq=False)
class Release:
    """hidden: (C,), nothing is shown; held: (C,), what was shown stays, without the late answers;
    all others are shown as they are now."""

    hidden: BoolArray
    held: BoolArray


def release(
    now: IntArray,
    before: IntArray,
    beside: IntArray,
    families: Families,
    *,
    k: int,
    least: int = LEAST,
) -> Release:
    """Decide what is shown of C groups, so that no difference tells of 1 to k-1 people.

    now: shape (C,), people who answered
    before: shape (C,), people in what is shown of this period now, NEVER where nothing is
    beside: shape (C,), what other periods leave for this one: of a year the sum of its quarters
        that are shown, of a quarter its year less the other quarters; 0 where nothing follows
    families: which groups are sums of which; k: smallest group that is shown; least: fewest answers
        that any of the analyses asked for rests on

    >>> from sqcore.stats.suppression import families_of
    >>> lattice = families_of([(0, [1, 2, 3])])
    >>> nobody = np.full(4, NEVER)
    >>> release(np.array([163, 60, 100, 3]), nobody, np.zeros(4, int), lattice, k=5).hidden.tolist()
    [False, True, False, True]
    """
    change = np.where(before == NEVER, 0, now - before)
    held = _is_small(change, k)
    clash = _is_small(np.where(held, before, now) - beside, k)
    # Groups under `least` are not secret, so nobody else is hidden for their sake.
    hidden = suppress(now, families, k=k, hidden=clash) | (now < least)
    while True:
        told = _told(now, before, Release(hidden, held), families, k)
        if not told.any():
            return Release(hidden, held & ~hidden)
        # What was shown stays as it was, if that helps; else, or the first time, it is hidden.
        helps = ~held & (before != NEVER)
        hidden, held = hidden | (told & ~helps), held | (told & helps)


def _told(
    now: IntArray, before: IntArray, so_far: Release, families: Families, k: int
) -> BoolArray:
    """Return whose figures, less those of the groups within, would be those of a small group.

    Of the people in them, and of those who came or went since they were shown.
    """
    shown = ~so_far.hidden
    counts = np.where(so_far.held, before, now)
    rest = differences(np.maximum(counts, 0), shown, families)
    fresh = shown & ~so_far.held & (before != NEVER)
    change = np.where(fresh, now - before, 0)
    below = np.zeros(families.size, dtype=np.int64)
    np.add.at(below, families.family, change[families.children])
    came = np.where(fresh[families.parents], change[families.parents] - below, 0)
    told = np.zeros(now.shape, dtype=np.bool_)
    told[families.parents[_is_small(rest, k) | _is_small(came, k)]] = True
    return np.asarray(told & shown)


def _is_small(people: IntArray, k: int) -> BoolArray:
    size = np.abs(people)
    return np.asarray((size > 0) & (size < k))
