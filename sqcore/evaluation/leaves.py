"""Indicators of a run in all cells: their values, how sure they are, how they vary together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sqcore.evaluation.groups import Groups, groups_of
from sqcore.evaluation.lattice import Lattice
from sqcore.indicators.definition import IndicatorDefinition, SystemDefinition
from sqcore.indicators.models import UnitOfMeasure
from sqcore.indicators.sources import Collected, Counts, base_of, between_of
from sqcore.stats.arrays import BoolArray, IntArray
from sqcore.stats.composite import independent
from sqcore.stats.estimates import Estimate, MeanCovariance, interval_of, mean_covariance, means
from sqcore.stats.formula import Formula, FormulaStatus, parse
from sqcore.stats.moments import Moments
from sqcore.stats.proportions import nps, proportion
from sqcore.stats.rates import rate

POINTS_WITHIN = 9
"""At so many values of an operand's interval a formula of it alone is computed."""
PER = {"per 100": 100.0, "per 1000": 1000.0}
"""What a rate is multiplied by, by its unit of measure."""


def is_opinion(leaf: IndicatorDefinition) -> bool:
    return Counts(leaf.counts).are_opinions


def unit_of(leaf: IndicatorDefinition, source: Collected) -> float:
    """Return what an integer step of the leaf's measure is worth in its natural unit."""
    scale = source.scales[list(source.measures).index(base_of(leaf.measure))]
    per = PER.get(leaf.unit_of_measure, 1.0) if leaf.statistic == "rate" else 1.0
    return (100.0 if leaf.statistic == "nps" else per) / scale


@dataclass(frozen=True, eq=False)
class Leaves:
    """L indicators in C cells; what may not be shown is not there.

    shown: (C, L), has a value that may be shown; people: (C, L), how many it counts, shown or not
    lone: (C, L), rests on a single measurement; hidden: (C, L), is there and may not be shown
    partly: (C, L), something that its formula names is there, if not all
    status: (C, L), `FormulaStatus` of those with a formula
    groups: (L,), indicators of the same respondents or encounters have the same number
    """

    leaves: Sequence[IndicatorDefinition]
    people: IntArray
    shown: BoolArray
    hidden: BoolArray
    lone: BoolArray
    partly: BoolArray
    status: IntArray
    means: MeanCovariance
    groups: IntArray
    estimates: Mapping[str, Estimate]

    def chosen(self, wanted: Sequence[IndicatorDefinition]) -> "Leaves":
        """Return these of them, in this order."""
        at = [self.leaves.index(leaf) for leaf in wanted]
        both = np.ix_(at, at)
        means = self.means
        return Leaves(
            wanted,
            self.people[:, at],
            self.shown[:, at],
            self.hidden[:, at],
            self.lone[:, at],
            self.partly[:, at],
            self.status[:, at],
            MeanCovariance(
                means.value[:, at],
                means.covariance[:, both[0], both[1]],
                means.n[:, at],
                means.n_eff[:, at],
            ),
            self.groups[at],
            self.estimates,
        )


def measured(
    definition: SystemDefinition,
    sources: Mapping[str, Collected],
    lattice: Lattice,
    may_show: Mapping[str, BoolArray],
    *,
    confidence: float,
    smallest_group: int,
) -> Leaves:
    """Return the indicators of the tree and the operands, in their order.

    may_show: by code of an opinion, the cells (C,) in which it may be shown; others always may
    smallest_group: groups of fewer leave a spread
    """
    with_source = [leaf for leaf in definition.everything() if leaf.source]
    direct = [leaf for leaf in with_source if between_of(leaf.measure) is None]
    found = _of_sources(direct, sources, lattice, may_show, confidence=confidence)
    for leaf in with_source:
        if leaf not in direct:
            groups = groups_of(leaf, sources, lattice, may_show, smallest_group=smallest_group)
            found = _with_spread(found, leaf, groups, may_show, confidence=confidence)
    for leaf in definition.formulas():
        found = _with_formula(found, leaf, confidence=confidence)
    return found.chosen(definition.everything())


def _of_sources(
    leaves: Sequence[IndicatorDefinition],
    sources: Mapping[str, Collected],
    lattice: Lattice,
    may_show: Mapping[str, BoolArray],
    *,
    confidence: float,
) -> Leaves:
    nothing = np.zeros((len(lattice.keys), 0))
    none = MeanCovariance(nothing, nothing[:, :, None], nothing.astype(np.int64), nothing)
    estimates: dict[str, Estimate] = {}
    parts: list[MeanCovariance] = [none]
    groups: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    order: list[int] = []
    for name, source in sources.items():
        mine = [leaf for leaf in leaves if leaf.source == name]
        if not mine:
            continue
        rolled = lattice.rolled_up(source)
        units = [unit_of(leaf, source) for leaf in mine]
        chosen = rolled.select([list(source.measures).index(leaf.measure) for leaf in mine])
        for at, leaf in enumerate(mine):
            one = chosen.select([at])
            estimates[leaf.code] = _possible(
                leaf, _estimate(one, leaf.statistic, units[at], confidence)
            )
        part = _with_rates(mean_covariance(chosen, scale=units), mine, estimates)
        parts.append(part)
        groups.append(_linked(chosen) + len(order))
        order += [leaves.index(leaf) for leaf in mine]
    back = np.argsort(np.array(order, dtype=np.int64))
    joined = independent(*parts)
    people = joined.n[:, back]
    shown: BoolArray = (people > 0) & ~np.isnan(joined.value[:, back])
    hidden = np.zeros(shown.shape, dtype=np.bool_)
    lone = np.zeros(shown.shape, dtype=np.bool_)
    for at, leaf in enumerate(leaves):
        if is_opinion(leaf):
            hidden[:, at] = shown[:, at] & ~may_show[leaf.code]
        else:
            lone[:, at] = shown[:, at] & ((people[:, at] < 2) | (joined.n_eff[:, back[at]] <= 1))
    shown &= ~hidden
    return Leaves(
        leaves,
        people,
        shown,
        hidden,
        lone,
        people > 0,
        np.zeros(shown.shape, dtype=np.int64),
        MeanCovariance(
            np.where(shown, joined.value[:, back], np.nan),
            joined.covariance[:, back][:, :, back],
            np.where(shown, people, 0),
            joined.n_eff[:, back],
        ),
        np.concatenate(groups)[back],
        estimates,
    )


def _with_rates(
    means: MeanCovariance,
    leaves: Sequence[IndicatorDefinition],
    estimates: Mapping[str, Estimate],
) -> MeanCovariance:
    """The same with the variances and sizes of counts, where the statistic is a rate."""
    covariance, n_eff = means.covariance.copy(), means.n_eff.copy()
    for at, leaf in enumerate(leaves):
        if leaf.statistic == "rate":
            known = ~np.isnan(estimates[leaf.code].se)
            covariance[:, at, at] = np.where(known, estimates[leaf.code].se, 0.0) ** 2
            n_eff[:, at] = estimates[leaf.code].n_eff
    return MeanCovariance(means.value, covariance, means.n, n_eff)


def _linked(moments: Moments) -> IntArray:
    """Return a number for each measure, the same for those that anything has together."""
    size = moments.measures
    together = (moments.gram[:, :size, :size] != 0).any(axis=0)
    groups = np.arange(size)
    for first, second in zip(*np.nonzero(np.triu(together, 1)), strict=True):
        groups[groups == groups[second]] = groups[first]
    return groups


def _with_spread(
    known: Leaves,
    leaf: IndicatorDefinition,
    groups: Groups,
    may_show: Mapping[str, BoolArray],
    *,
    confidence: float,
) -> Leaves:
    """Return the indicators and one more that says how far groups lie apart.

    Its n are all who are counted in the cell, those in no group that counts too. It varies with
    no other indicator.
    """
    found = groups.spread(leaf.statistic, confidence=confidence)
    estimate = _possible(leaf, found)
    hidden = ~may_show[leaf.code] if is_opinion(leaf) else np.zeros(len(found.n), dtype=np.bool_)
    there = groups.there
    shown = there & ~np.isnan(found.value) & ~hidden
    size = known.means.value.shape[1]
    covariance = np.zeros((len(shown), size + 1, size + 1))
    covariance[:, :-1, :-1] = known.means.covariance
    known_se = np.where(np.isnan(found.se), 0.0, found.se)
    covariance[:, -1, -1] = np.where(shown, known_se, 0.0) ** 2
    people = np.where(there, groups.people, 0)
    return Leaves(
        [*known.leaves, leaf],
        _and(known.people, people),
        _and(known.shown, shown),
        _and(known.hidden, there & hidden),
        _and(known.lone, shown & np.isnan(found.se)),
        _and(known.partly, people > 0),
        _and(known.status, np.zeros(len(shown), dtype=np.int64)),
        MeanCovariance(
            _and(known.means.value, np.where(shown, found.value, np.nan)),
            covariance,
            _and(known.means.n, np.where(shown, people, 0)),
            _and(known.means.n_eff, found.n_eff),
        ),
        np.append(known.groups, size),
        {**known.estimates, leaf.code: replace(estimate, n=people)},
    )


def _with_formula(known: Leaves, leaf: IndicatorDefinition, *, confidence: float) -> Leaves:
    """Return the indicators and one more that is computed from them."""
    formula = parse(leaf.formula)
    codes = [each.code for each in known.leaves]
    at = [codes.index(name) for name in formula.names]
    means = known.means
    square = np.ix_(at, at)
    result = formula.evaluate(
        {name: means.value[:, place] for name, place in zip(formula.names, at, strict=True)},
        means.covariance[:, square[0], square[1]],
    )
    shown: BoolArray = result.status == FormulaStatus.OK
    cross = np.einsum("ck,ckl->cl", result.gradient, means.covariance[:, at, :])
    covariance = np.zeros((len(shown), len(codes) + 1, len(codes) + 1))
    covariance[:, :-1, :-1] = means.covariance
    covariance[:, -1, :-1] = covariance[:, :-1, -1] = cross
    covariance[:, -1, -1] = np.where(shown, result.se, 0.0) ** 2
    people = known.people[:, at].min(axis=1)
    n_eff = means.n_eff[:, at].min(axis=1)
    estimate = interval_of(
        result.value, result.se, np.where(shown, people, 0), n_eff, confidence=confidence
    )
    if len(at) == 1:
        operand = known.estimates[formula.names[0]]
        estimate = _carried(formula, estimate, operand)
    groups = np.append(known.groups, known.groups[at[0]])
    groups[np.isin(groups, known.groups[at])] = known.groups[at[0]]
    return Leaves(
        [*known.leaves, leaf],
        _and(known.people, people),
        _and(known.shown, shown),
        _and(known.hidden, known.hidden[:, at].any(axis=1)),
        _and(known.lone, known.lone[:, at].any(axis=1)),
        _and(known.partly, known.partly[:, at].any(axis=1)),
        _and(known.status, result.status.astype(np.int64)),
        MeanCovariance(
            _and(means.value, result.value),
            covariance,
            _and(means.n, np.where(shown, people, 0)),
            _and(means.n_eff, n_eff),
        ),
        groups,
        {**known.estimates, leaf.code: estimate},
    )


def _and(columns: Any, column: Any) -> Any:
    """The columns and one more."""
    return np.concatenate([columns, column[:, None]], axis=1)


def _carried(formula: Formula, estimate: Estimate, operand: Estimate) -> Estimate:
    """The estimate with its operand's interval carried through a formula of that alone."""
    steps = np.linspace(0.0, 1.0, POINTS_WITHIN)
    nothing = np.zeros((len(operand.value), 1, 1))
    ends = [
        formula.evaluate(
            {formula.names[0]: operand.low + step * (operand.high - operand.low)}, nothing
        ).value
        for step in steps
    ]
    through = np.stack([estimate.value, *ends])
    return replace(estimate, low=through.min(axis=0), high=through.max(axis=0))


def _possible(leaf: IndicatorDefinition, estimate: Estimate) -> Estimate:
    """The estimate with its interval within what can be: nobody waits less than no time."""
    if is_opinion(leaf) or leaf.unit_of_measure not in UnitOfMeasure.values:
        return estimate
    least, most = UnitOfMeasure(leaf.unit_of_measure).limits
    return replace(
        estimate, low=np.maximum(estimate.low, least), high=np.minimum(estimate.high, most)
    )


def _estimate(one: Moments, statistic: str, unit: float, confidence: float) -> Estimate:
    """Return the values (cells,) of one measure with the interval that its statistic asks for."""
    if statistic == "rate":
        exposure, count = (one.linear[:, at] for at in (0, 1))
        return rate(np.maximum(count, 0), exposure, one.n[:, 0], unit=unit, confidence=confidence)
    mean = _flat(means(one, scale=unit, confidence=confidence))
    if statistic == "mean":
        return mean
    n_eff = np.where(mean.n > 0, np.maximum(mean.n_eff, 1e-9), 1.0)
    if statistic == "proportion":
        return proportion(np.clip(mean.value, 0, 1), mean.n, n_eff, confidence=confidence)
    net = np.where(mean.n > 0, mean.value / 100, 0.0)
    both, _crossed, squares = (part[:, 0] for part in one.own)
    ends = np.clip(squares / np.maximum(both, 1), np.abs(net), 1.0)
    size = np.where(mean.n > 0, mean.n_eff, 0.0)
    return nps(
        (ends + net) / 2 * size,
        (1 - ends) * size,
        (ends - net) / 2 * size,
        n=mean.n,
        n_eff=n_eff,
        confidence=confidence,
    )


def _flat(estimate: Estimate) -> Estimate:
    return Estimate(
        *(
            getattr(estimate, name)[:, 0]
            for name in ("value", "se", "low", "high", "n", "n_eff", "status")
        )
    )
