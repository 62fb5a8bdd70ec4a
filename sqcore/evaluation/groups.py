"""Groups within the cells of a run that are compared with each other: how alike they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from sqcore.evaluation.lattice import Key, Lattice
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.sources import GROUPED, Between, Collected, Counts, base_of, between_of
from sqcore.stats.arrays import BoolArray, FloatArray, IntArray
from sqcore.stats.consistency import consistency
from sqcore.stats.estimates import Estimate, Status, means
from sqcore.stats.results import Figure


def key_of(source: str, between: Between) -> str:
    """Return under which name a run keeps the groups that it read of a source."""
    return f"{source}{GROUPED}{between.value}"


@dataclass(frozen=True, eq=False)
class Groups:
    """G groups in C cells, those that leave the computation too.

    cell: (G,), in which cell; n, size, mean, variance: (G,), people, effective number, and the
    values inside in their natural unit; counts: (G,), is large enough and may be shown
    people: (C,), all who are counted in the cell; least: so many groups are needed
    """

    cell: IntArray
    size: FloatArray
    mean: FloatArray
    variance: FloatArray
    counts: BoolArray
    people: IntArray
    least: int

    @property
    def there(self) -> BoolArray:
        """In which cells there is anything to compare, large enough or not, (C,)."""
        found: BoolArray = np.bincount(self.cell, minlength=len(self.people)) > 1
        return found

    def spread(self, statistic: str, *, confidence: float) -> Estimate:
        """Return the spread in every cell (C,), n_eff the groups that count; NaN where these are
        too few. Its standard error is its interval's width by that of the normal distribution."""
        cells = len(self.people)
        value, low, high = (np.full(cells, np.nan) for _each in range(3))
        counted = np.bincount(self.cell[self.counts], minlength=cells)
        order = np.flatnonzero(self.counts)[np.argsort(self.cell[self.counts], kind="stable")]
        ends = np.cumsum(counted)
        for at in np.flatnonzero(counted >= self.least).tolist():
            mine = order[ends[at] - counted[at] : ends[at]]
            found = consistency(
                self.size[mine],
                self.mean[mine],
                self.variance[mine],
                confidence=confidence,
                least_groups=self.least,
            )
            figure: Figure = found.icc if statistic == "icc" else found.tau
            numbers = (figure.value, figure.low, figure.high)
            value[at], low[at], high[at] = (np.nan if n is None else n for n in numbers)
        wide = 2 * NormalDist().inv_cdf(0.5 + confidence / 2)
        se = (high - low) / wide
        status = np.select(
            [np.isnan(value), np.isnan(se)],
            [Status.NOT_APPLICABLE, Status.INSUFFICIENT_N],
            Status.OK,
        )
        return Estimate(
            value,
            se,
            low,
            high,
            self.people.copy(),
            counted.astype(np.float64),
            status.astype(np.uint8),
        )


def groups_of(
    leaf: IndicatorDefinition,
    sources: Mapping[str, Collected],
    lattice: Lattice,
    may_show: Mapping[str, BoolArray],
    *,
    smallest_group: int,
) -> Groups:
    """Return the groups that the spread of an indicator is taken over, in every cell.

    may_show: by code of an opinion, the cells (C,) in which it may be shown
    smallest_group: of fewer people a group does not count
    """
    between = between_of(leaf.measure) or Between.UNIT
    source = sources[leaf.source]
    everybody = lattice.rolled_up(_one(source, leaf))
    if between.are_cells:
        within, cells = lattice, _cells_in(lattice, between)
        one = everybody
        allowed = may_show.get(leaf.code) if Counts(leaf.counts).are_opinions else None
    else:
        groups = sources[key_of(leaf.source, between)]
        within = Lattice.over(lattice.parents, [groups], margins=(between.value,))
        cells = _cells_of(within, lattice)
        one, allowed = within.rolled_up(_one(groups, leaf)), None
    some = one.n[:, 0] > 0
    at = np.array([place for place, cell in cells if some[place]], dtype=np.int64)
    owner = np.array([cell for place, cell in cells if some[place]], dtype=np.int64)
    estimate = means(one, scale=1 / _one(source, leaf).scales[0])
    size = estimate.n_eff[at, 0]
    se = np.where(np.isnan(estimate.se[at, 0]), 0.0, estimate.se[at, 0])
    counts: BoolArray = one.n[at, 0] >= smallest_group
    if allowed is not None:
        counts &= allowed[at]
    return Groups(
        cell=owner,
        size=size,
        mean=estimate.value[at, 0],
        variance=se**2 * size,
        counts=counts,
        people=everybody.n[:, 0],
        least=between.least_groups,
    )


def _one(source: Collected, leaf: IndicatorDefinition) -> Collected:
    """Return the one measure whose groups are compared."""
    at = list(source.measures).index(base_of(leaf.measure))
    return replace(
        source,
        measures=[source.measures[at]],
        scales=[source.scales[at]],
        moments=source.moments.select([at]),
    )


def _cells_in(lattice: Lattice, between: Between) -> list[tuple[int, int]]:
    """Return the cells that are groups, each with a cell in which it is one."""
    if between != Between.UNIT:
        return [
            (at, lattice.index[Key(key.unit)])
            for at, key in enumerate(lattice.keys)
            if key.margin == between
        ]
    above: dict[int, int | None] = dict(lattice.parents)
    parents = {above[key.unit] for key in lattice.keys}
    found = []
    for at, key in enumerate(lattice.keys):
        up = above[key.unit] if key.unit not in parents else None
        while up is not None:
            found.append((at, lattice.index[key._replace(unit=up)]))
            up = above[up]
    return found


def _cells_of(groups: Lattice, lattice: Lattice) -> list[tuple[int, int]]:
    """Return all cells of groups, each with the unit's cell of everybody."""
    return [
        (at, lattice.index[Key(key.unit)])
        for at, key in enumerate(groups.keys)
        if Key(key.unit) in lattice.index
    ]
