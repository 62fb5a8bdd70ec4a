"""Which category of a known population every respondent belongs to. Pure.

docs/decisions/weights-stand-beside.md argues what may be told of small categories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray

CROSSED = {"unit+channel": "channel", "unit+segment": "segment"}
"""Margins whose categories are cells of two others: a unit and, after the “+”, this."""
MARGINS = ("unit", "channel", "segment", *CROSSED)
UNKNOWN = -1


class Skipped(StrEnum):
    """Why a margin is not weighed by."""

    ONE_CATEGORY = "one_category"
    """All who answered, as far as may be told, are of one category."""
    TOO_FEW = "too_few"
    """What is left beside the categories that may be told of are too few people."""


@dataclass(frozen=True)
class Category:
    """A part of the population and of those who answered.

    codes: the categories put together in it, one where it may be told of by itself; none for
        those of whom the answers do not say where they belong: they keep their share
    population: its share of all, 0..1, as aimed at; people: who answered
    """

    codes: tuple[str, ...]
    population: float
    people: int


@dataclass(frozen=True, eq=False)
class Margin:
    """code: (N,), the place of each respondent's category. unanswered: what the population has
    customers of and nobody answered from."""

    name: str
    categories: tuple[Category, ...]
    code: IntArray
    unanswered: tuple[str, ...] = ()

    @property
    def targets(self) -> FloatArray:
        return np.array([category.population for category in self.categories])


def margin_of(
    name: str,
    figures: Mapping[str, float],
    belongs: IntArray,
    told: BoolArray,
    *,
    k: int,
) -> Margin | Skipped:
    """Return the margin with the categories that may be told of.

    figures: what the population has of each of C categories, not all 0
    belongs: shape (N,), the place of each respondent's category among `figures`, UNKNOWN for none
    told: shape (C,), whether the people of a category may be told by themselves; the others are
        put together. k: the smallest group that is shown

    >>> belongs = np.repeat([0, 1, 2, UNKNOWN], [60, 30, 4, 6])
    >>> found = margin_of("channel", {"counter": 50, "phone": 40, "web": 10}, belongs,
    ...                   np.array([True, True, False]), k=5)
    >>> [(each.codes, round(each.population, 3), each.people) for each in found.categories]
    [(('counter',), 0.47, 60), (('phone',), 0.376, 30), (('web',), 0.154, 10)]
    """
    codes, wanted = list(figures), np.array(list(figures.values()), dtype=np.float64)
    people = np.bincount(belongs[belongs >= 0], minlength=len(codes))
    # Who answered from where there are no customers is of no category.
    alone = told & (wanted > 0) & (people > 0)
    while True:
        found = _drawn_up(codes, wanted, belongs, people, alone, k)
        if found is not None:
            break
        if not alone.any():
            return Skipped.TOO_FEW
        # Too few are left beside them: the smallest joins them.
        alone[np.flatnonzero(alone)[np.argmin(people[alone])]] = False
    categories, code = found
    if sum(1 for each in categories if each.codes and each.people) < 2:
        return Skipped.ONE_CATEGORY
    empty = np.flatnonzero((wanted > 0) & (people == 0)).tolist()
    return Margin(name, categories, code, tuple(codes[at] for at in empty))


def parts_of(code: str) -> tuple[str, str]:
    """Return the unit and the other part of a cell.

    >>> parts_of("north+counter")
    ('north', 'counter')
    """
    unit, _plus, other = code.partition("+")
    return unit, other


def _drawn_up(
    codes: Sequence[str],
    wanted: FloatArray,
    belongs: IntArray,
    people: IntArray,
    alone: BoolArray,
    k: int,
) -> tuple[tuple[Category, ...], IntArray] | None:
    """Return the categories and who is of which; None where one has 1 to k-1 people."""
    pooled = ~alone & (wanted > 0)
    pool = int(alone.sum())
    places = np.full(len(codes) + 1, UNKNOWN, dtype=np.int64)
    places[:-1][alone] = np.arange(pool)
    places[:-1][pooled] = pool
    code = places[belongs]
    in_pool, nowhere = int((code == pool).sum()), int((code == UNKNOWN).sum())
    share = nowhere / max(len(code), 1)
    shares = wanted / wanted.sum() * (1 - share)
    rest = float(shares[pooled].sum())
    # Side by side they would tell of any group of them: who leaves customers out of the figures
    # chooses who is of no category.
    if (in_pool and nowhere) or _is_small(nowhere, k):
        in_pool, rest, nowhere = in_pool + nowhere, rest + share, 0
        code[code == UNKNOWN] = pool
    if _is_small(in_pool, k):
        return None
    categories = [
        Category((codes[at],), float(shares[at]), int(people[at]))
        for at in np.flatnonzero(alone).tolist()
    ]
    if rest > 0:
        others = tuple(codes[at] for at in np.flatnonzero(pooled).tolist())
        categories.append(Category(others, rest, in_pool))
    if nowhere:
        code[code == UNKNOWN] = len(categories)
        categories.append(Category((), share, nowhere))
    return tuple(categories), code


def placed(values: IntArray, ids: Sequence[int]) -> IntArray:
    """Return the place of each value among the ids, UNKNOWN where it is none of them.

    >>> placed(np.array([7, 0, 3]), [3, 7]).tolist()
    [1, -1, 0]
    """
    at = {pk: place for place, pk in enumerate(ids)}
    found, back = np.unique(values, return_inverse=True)
    places = np.array([at.get(int(value), UNKNOWN) for value in found], dtype=np.int64)
    return np.asarray(places[back] if len(found) else np.zeros(0, dtype=np.int64))


def _is_small(people: int, k: int) -> bool:
    return 0 < people < k
