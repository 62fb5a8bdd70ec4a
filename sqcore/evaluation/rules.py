"""The computation of a run: frozen inputs in, rows out. No database, no clock."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import orjson

from sqcore.evaluation.lattice import Key, Lattice
from sqcore.evaluation.release import History, Release, release
from sqcore.indicators.definition import (
    COMPOSITE,
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.sources import Collected
from sqcore.stats.arrays import BoolArray, FloatArray, IntArray
from sqcore.stats.composite import Composite, Goalposts, composite, goalpost_scores, independent
from sqcore.stats.estimates import Estimate, MeanCovariance, mean_covariance, means
from sqcore.stats.moments import Moments
from sqcore.stats.proportions import nps, proportion

RESPONDENTS = ""
"""Stands for the respondents among the codes that are counted."""


@dataclass(frozen=True)
class Policy:
    """What holds for every figure of a run."""

    smallest_group: int = 5
    coverage: float = 0.6
    confidence: float = 0.95
    method: int = 1


class Row(NamedTuple):
    """One figure, in the order of its columns. Hidden ones have no numbers."""

    unit_id: int
    margin: str
    margin_value: str
    kind: str
    code: str
    status: str
    reason: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    n: int | None = None
    coverage: float | None = None

    @property
    def key(self) -> Key:
        return Key(self.unit_id, self.margin, self.margin_value)


OK, SUPPRESSED, INSUFFICIENT = "ok", "suppressed", "insufficient"
TOO_FEW, COVERAGE, NO_INTERVAL, HELD = "too_few", "coverage", "no_interval", "held"


@dataclass(frozen=True, eq=False)
class Inputs:
    """All that enters a run; `former` are the figures of the current run of the period."""

    definition: SystemDefinition
    policy: Policy
    parents: Mapping[int, int | None]
    sources: Mapping[str, Collected]
    history: History = field(default_factory=History)
    former: tuple[Row, ...] = ()


def evaluate(inputs: Inputs) -> list[Row]:
    """Return every figure of the run, in the order of the lattice."""
    lattice = Lattice.over(inputs.parents, inputs.sources.values())
    if not lattice.keys:
        return []
    leaves = inputs.definition.all_indicators()
    codes = [RESPONDENTS, *(leaf.code for leaf in leaves)]
    counts = _counts(lattice, leaves, inputs.sources)
    decided = release(
        lattice,
        codes,
        counts,
        k=inputs.policy.smallest_group,
        history=inputs.history,
    )
    sheet = _Sheet(inputs, lattice, leaves, counts[: len(lattice.keys)], decided)
    return list(sheet.rows())


def digest_of(rows: Sequence[Row]) -> str:
    """Return a hash of the figures, rounded to what no library version changes."""
    names = [row[:7] for row in rows]
    numbers = np.array([row[7:] for row in rows], dtype=np.float64)
    canonical = np.round(numbers, 9) + 0.0
    found = hashlib.sha256(orjson.dumps(names))
    found.update(np.where(np.isnan(canonical), -1e99, canonical).astype("<f8").tobytes())
    return found.hexdigest()


def _counts(
    lattice: Lattice, leaves: Sequence[IndicatorDefinition], sources: Mapping[str, Collected]
) -> IntArray:
    """Return the people in all counted cells: all respondents, then those of each indicator."""
    out = np.zeros((len(lattice.counted), 1 + len(leaves)), dtype=np.int64)
    for name, source in sources.items():
        moments = source.moments
        people = lattice.counts(source.cells, np.column_stack([moments.respondents, moments.n]))
        out[:, 0] += people[:, 0]
        for column, leaf in enumerate(leaves, 1):
            if leaf.source == name and leaf.measure in source.measures:
                out[:, column] = people[:, 1 + list(source.measures).index(leaf.measure)]
    return out


class _Sheet:
    """The figures of all cells, column by column, and their rows."""

    def __init__(
        self,
        inputs: Inputs,
        lattice: Lattice,
        leaves: Sequence[IndicatorDefinition],
        people: IntArray,
        decided: Release,
    ) -> None:
        self.inputs, self.lattice, self.leaves = inputs, lattice, leaves
        self.people, self.decided = people, decided
        self.column = {leaf.code: at for at, leaf in enumerate(leaves)}
        self.shown: BoolArray = decided.shown[:, 1:]
        self.goalposts = Goalposts(
            np.array([leaf.worst for leaf in leaves]), np.array([leaf.best for leaf in leaves])
        )
        moments = {name: lattice.rolled_up(each) for name, each in inputs.sources.items()}
        self.means = self._joint_means(moments)
        self.estimates = self._estimates(moments)
        self.scores = {leaf.code: self._scores(leaf) for leaf in leaves}

    def _unit(self, leaf: IndicatorDefinition) -> float:
        """What an integer step of the leaf's measure is worth in its natural unit."""
        source = self.inputs.sources[leaf.source]
        scale = source.scales[list(source.measures).index(leaf.measure)]
        return (100.0 if leaf.statistic == "nps" else 1.0) / scale

    def _joint_means(self, moments: Mapping[str, Moments]) -> MeanCovariance:
        """The means of all leaves and how they vary together; what is not shown is not there."""
        parts, order = [], []
        for name, rolled in moments.items():
            mine = [leaf for leaf in self.leaves if leaf.source == name]
            measures = list(self.inputs.sources[name].measures)
            chosen = rolled.select([measures.index(leaf.measure) for leaf in mine])
            parts.append(mean_covariance(chosen, scale=[self._unit(leaf) for leaf in mine]))
            order += [self.column[leaf.code] for leaf in mine]
        joined = independent(*parts)
        back = np.argsort(order)
        return MeanCovariance(
            np.where(self.shown, joined.value[:, back], np.nan),
            joined.covariance[:, back][:, :, back],
            np.where(self.shown, joined.n[:, back], 0),
            joined.n_eff[:, back],
        )

    def _estimates(self, moments: Mapping[str, Moments]) -> dict[str, Estimate]:
        """Each leaf's value with the interval of its statistic."""
        found = {}
        for leaf in self.leaves:
            source = self.inputs.sources[leaf.source]
            one = moments[leaf.source].select([list(source.measures).index(leaf.measure)])
            found[leaf.code] = _estimate(
                one, leaf.statistic, self._unit(leaf), self.inputs.policy.confidence
            )
        return found

    def rows(self) -> Iterator[Row]:
        columns = [_Column("composite", COMPOSITE, *self._overall())]
        for dimension in self.inputs.definition.all_dimensions():
            columns.append(_Column("dimension", dimension.code, *self._dimension(dimension)))
        for leaf in self.leaves:
            columns.append(self._indicator(leaf))
        former = _by_key(self.inputs.former)
        known = {column.code for column in columns}
        lists = [column.rows_of(self.lattice.keys) for column in columns]
        for at, key in enumerate(self.lattice.keys):
            if self.decided.fresh[at]:
                yield from (rows[at] for rows in lists if rows[at] is not None)  # type: ignore[misc]  # the condition says so
            else:
                yield from (
                    _held(row, self.inputs.policy) for row in former[key] if row.code in known
                )

    def _indicator(self, leaf: IndicatorDefinition) -> "_Column":
        at = self.column[leaf.code]
        estimate, scores = self.estimates[leaf.code], self.scores[leaf.code]
        people = self.people[:, 1 + at]
        return _Column(
            "indicator",
            leaf.code,
            Figures(
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                score=scores.score,
                score_low=scores.low,
                score_high=scores.high,
                n=people,
                coverage=np.ones(len(people)),
            ),
            there=people > 0,
            shown=self.shown[:, at],
            enough=people >= 2,
        )

    def _scores(self, leaf: IndicatorDefinition) -> "_Scores":
        ends = Goalposts(np.array([leaf.worst]), np.array([leaf.best]))
        estimate = self.estimates[leaf.code]
        score, low, high = (
            goalpost_scores(numbers[:, None], ends).score[:, 0]
            for numbers in (estimate.value, estimate.low, estimate.high)
        )
        return _Scores(score, np.minimum(low, high), np.maximum(low, high))

    def _dimension(
        self, dimension: DimensionDefinition
    ) -> tuple["Figures", BoolArray, BoolArray, BoolArray]:
        share = self._share_of(dimension.indicators, dimension.dimensions)
        return self._aggregate(share, _leaves_of([dimension]), respondents=False)

    def _overall(self) -> tuple["Figures", BoolArray, BoolArray, BoolArray]:
        tops = self.inputs.definition.dimensions
        return self._aggregate(self._share_of((), tops), _leaves_of(tops), respondents=True)

    def _share_of(
        self,
        indicators: Iterable[IndicatorDefinition],
        dimensions: Iterable[DimensionDefinition],
    ) -> "_Share":
        """Return what each leaf weighs here, cell by cell, over what is shown.

        A dimension with too little coverage is left out as a whole; the others keep their weights
        among each other, whatever is missing within them.
        """
        cells = len(self.lattice.keys)
        weights, coverage, total = np.zeros(self.shown.shape), np.zeros(cells), np.zeros(cells)
        for leaf in indicators:
            at = self.column[leaf.code]
            weights[:, at] += leaf.weight * self.shown[:, at]
            coverage += leaf.weight * self.shown[:, at]
            total += leaf.weight * self.shown[:, at]
        for dimension in dimensions:
            below = self._share_of(dimension.indicators, dimension.dimensions)
            counts = below.coverage >= self.inputs.policy.coverage - 1e-12
            weights += dimension.weight * below.weights * counts[:, None]
            coverage += dimension.weight * below.coverage * counts
            total += dimension.weight * counts
        return _Share(weights / np.where(total > 0, total, 1.0)[:, None], coverage)

    def _aggregate(
        self, share: "_Share", within: Sequence[IndicatorDefinition], *, respondents: bool
    ) -> tuple["Figures", BoolArray, BoolArray, BoolArray]:
        inside = [self.column[leaf.code] for leaf in within]
        there: BoolArray = np.any(self.people[:, 1:][:, inside] > 0, axis=1)
        some: BoolArray = np.any(share.weights, axis=1)
        enough: BoolArray = some & (share.coverage >= self.inputs.policy.coverage - 1e-12)
        found = self._composite(np.where(enough[:, None], share.weights, 1.0))
        estimate = found.estimate
        n = self.people[:, 0] if respondents else estimate.n
        low, high = estimate.low.copy(), estimate.high.copy()
        alone = (share.weights > 0).sum(axis=1) == 1
        for at in inside:
            # What rests on one indicator is as sure as that one.
            mine = alone & (share.weights[:, at] > 0)
            low[mine] = self.scores[self.leaves[at].code].low[mine]
            high[mine] = self.scores[self.leaves[at].code].high[mine]
        nothing = np.full(len(n), np.nan)
        figures = Figures(
            value=nothing,
            low=nothing,
            high=nothing,
            score=estimate.value,
            score_low=low,
            score_high=high,
            n=n,
            coverage=np.minimum(share.coverage, 1.0),
        )
        any_shown: BoolArray = np.any(self.shown[:, inside], axis=1)
        return figures, there, any_shown, enough & ~np.isnan(estimate.value)

    def _composite(self, weights: FloatArray) -> Composite:
        return composite(
            self.means,
            self.goalposts,
            weights,
            minimum_coverage=0.0,
            confidence=self.inputs.policy.confidence,
        )


@dataclass(frozen=True, eq=False)
class _Scores:
    score: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class _Share:
    """weights: (cells, leaves), summing to 1 where there is anything; coverage: (cells,)."""

    weights: FloatArray
    coverage: FloatArray


@dataclass(frozen=True, eq=False)
class Figures:
    """Numbers of one code in all cells, each (cells,); NaN where there is none."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    score: FloatArray
    score_low: FloatArray
    score_high: FloatArray
    n: IntArray
    coverage: FloatArray


@dataclass(frozen=True, eq=False)
class _Column:
    """One code in all cells: where there is anything at all, may be shown, and is enough."""

    kind: str
    code: str
    figures: Figures
    there: BoolArray
    shown: BoolArray
    enough: BoolArray

    def rows_of(self, keys: Sequence[Key]) -> list[Row | None]:
        """Return the row of every cell, None where there is nothing."""
        f = self.figures
        numbers = zip(
            *(_plain(each) for each in (f.value, f.low, f.high, f.score, f.score_low)),
            _plain(f.score_high),
            f.n.tolist(),
            f.coverage.tolist(),
            strict=True,
        )
        flags = zip(self.there.tolist(), self.shown.tolist(), self.enough.tolist(), strict=True)
        rows: list[Row | None] = []
        for key, each, (there, shown, enough) in zip(keys, numbers, flags, strict=True):
            if not there:
                rows.append(None)
            elif not shown:
                rows.append(Row(*key, self.kind, self.code, SUPPRESSED, TOO_FEW))
            elif not enough:
                rows.append(Row(*key, self.kind, self.code, INSUFFICIENT, COVERAGE))
            else:
                reason = NO_INTERVAL if each[4] is None else ""
                rows.append(Row(*key, self.kind, self.code, OK, reason, *each))
        return rows


def _plain(numbers: FloatArray) -> list[float | None]:
    return [None if number != number else number for number in numbers.tolist()]


def _estimate(one: Moments, statistic: str, unit: float, confidence: float) -> Estimate:
    """Return the values (cells,) of one measure with the interval that its statistic asks for."""
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


def _leaves_of(dimensions: Iterable[DimensionDefinition]) -> list[IndicatorDefinition]:
    return [leaf for top in dimensions for each in top.walk() for leaf in each.indicators]


def _by_key(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found


def _held(row: Row, policy: Policy) -> Row:
    """Return a former figure again, marked as such; hidden if by now its group is too small."""
    if row.status != OK:
        return row
    if row.n is None or row.n < policy.smallest_group:
        return Row(*row.key, row.kind, row.code, SUPPRESSED, TOO_FEW)
    return row._replace(reason=HELD)
