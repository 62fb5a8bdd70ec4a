"""The computation of a run: frozen inputs in, rows out. No database, no clock."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from sqcore.evaluation.lattice import Key, Lattice
from sqcore.evaluation.leaves import Leaves, is_opinion, measured
from sqcore.evaluation.release import History, Release, release
from sqcore.evaluation.standard_errors import NO_ERRORS, StandardErrors, spread_of
from sqcore.indicators.definition import (
    COMPOSITE,
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
    counts_of,
    scored_leaves,
)
from sqcore.indicators.shapes import curve_of
from sqcore.indicators.sources import Collected, Counts, base_of, between_of
from sqcore.stats.arrays import BoolArray, FloatArray, IntArray
from sqcore.stats.composite import FLOOR, Composite, composite
from sqcore.stats.formula import FormulaStatus
from sqcore.stats.scoring import Goalposts, goalpost_scores

RESPONDENTS = ""
"""Stands for the respondents among the codes that are counted."""


METHOD = 2
"""1: one group of respondents for all degrees of freedom. 2: each source's own (Satterthwaite)."""


@dataclass(frozen=True)
class Policy:
    """What holds for every figure of a run.

    shifts: in which hour each begins, where shifts are compared and are not the usual ones
    """

    smallest_group: int = 5
    coverage: float = 0.6
    confidence: float = 0.95
    method: int = METHOD
    shifts: Mapping[str, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as a run stores it; what was frozen before shifts could be chosen is the same.

        >>> "shifts" in Policy().as_json(), Policy(shifts={"late": 14}).as_json()["shifts"]
        (False, {'late': 14})
        """
        stored = asdict(self)
        if self.shifts is None:
            del stored["shifts"]
        return stored


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
PARTLY, MISSING, UNDEFINED = "partly", "missing", "undefined"
FEW_GROUPS = "few_groups"


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
    return evaluate_with_errors(inputs)[0]


def evaluate_with_errors(inputs: Inputs) -> tuple[list[Row], StandardErrors]:
    """Return every figure of the run, and how sure the scores of its units are."""
    lattice = Lattice.over(inputs.parents, inputs.sources.values())
    if not lattice.keys:
        return [], NO_ERRORS
    decided = _decided(inputs, lattice)
    leaves = measured(
        inputs.definition,
        inputs.sources,
        lattice,
        decided.may_show,
        confidence=inputs.policy.confidence,
        smallest_group=inputs.policy.smallest_group,
    )
    sheet = _Sheet(inputs, lattice, leaves, decided)
    return list(sheet.rows()), sheet.errors()


def opinions(definition: SystemDefinition) -> list[IndicatorDefinition]:
    """Return the indicators of answers, formulas left out: their counts are guarded."""
    return [leaf for leaf in definition.all_indicators() if leaf.source and is_opinion(leaf)]


def digest_of(rows: Sequence[Row]) -> str:
    """Return a hash of the figures, rounded to what no library version changes."""
    names = [row[:7] for row in rows]
    numbers = np.array([row[7:] for row in rows], dtype=np.float64)
    canonical = np.round(numbers, 9) + 0.0
    found = hashlib.sha256(orjson.dumps(names))
    found.update(np.where(np.isnan(canonical), -1e99, canonical).astype("<f8").tobytes())
    return found.hexdigest()


@dataclass(frozen=True, eq=False)
class _Decided:
    """What is decided about opinions, for each cell of the lattice.

    may_show: by code, (C,); fresh: (C,), False where the former figures stay; respondents: (C,),
    0 where they are not shown
    """

    may_show: Mapping[str, BoolArray]
    fresh: BoolArray
    respondents: IntArray


def _decided(inputs: Inputs, lattice: Lattice) -> _Decided:
    """Decide as if there were nothing but answers: what was measured changes nothing in it."""
    guarded = opinions(inputs.definition)
    cells = len(lattice.keys)
    nowhere = {
        leaf.code: np.zeros(cells, dtype=np.bool_)
        for leaf in inputs.definition.operands
        if leaf.source and is_opinion(leaf)
    }
    fresh, respondents = np.ones(cells, dtype=np.bool_), np.zeros(cells, dtype=np.int64)
    names = {leaf.source for leaf in guarded}
    sources = {name: source for name, source in inputs.sources.items() if name in names}
    people = Lattice.over(inputs.parents, sources.values())
    may_show = {leaf.code: np.zeros(cells, dtype=np.bool_) for leaf in guarded} | nowhere
    if not people.keys:
        return _Decided(may_show, fresh, respondents)
    counts = _counts(people, guarded, sources)
    found: Release = release(
        people,
        [RESPONDENTS, *(leaf.code for leaf in guarded)],
        counts,
        k=inputs.policy.smallest_group,
        history=inputs.history,
    )
    at = np.array([lattice.index[key] for key in people.keys], dtype=np.int64)
    fresh[at] = found.fresh
    respondents[at] = np.where(found.shown[:, 0], counts[: len(people.keys), 0], 0)
    for column, leaf in enumerate(guarded, 1):
        may_show[leaf.code][at] = found.shown[:, column]
    return _Decided(may_show, fresh, respondents)


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
            if leaf.source == name and base_of(leaf.measure) in source.measures:
                at = list(source.measures).index(base_of(leaf.measure))
                out[:, column] = people[:, 1 + at]
    return out


class _Sheet:
    """The figures of all cells, column by column, and their rows."""

    def __init__(
        self, inputs: Inputs, lattice: Lattice, everything: Leaves, decided: _Decided
    ) -> None:
        self.inputs, self.lattice, self.decided = inputs, lattice, decided
        self.leaves = inputs.definition.all_indicators()
        self.found = everything.chosen(self.leaves)
        self.column = {leaf.code: at for at, leaf in enumerate(self.leaves)}
        self.shown = self.found.shown
        self.opinion: BoolArray = np.array([is_opinion(leaf) for leaf in self.leaves])
        self.curves = [curve_of(leaf) for leaf in self.leaves]
        self.goalposts = Goalposts(
            np.array([leaf.worst for leaf in self.leaves]),
            np.array([leaf.best for leaf in self.leaves]),
            {at: curve for at, curve in enumerate(self.curves) if curve is not None},
        )
        self.scores = {leaf.code: self._scores(leaf) for leaf in self.leaves}
        self.sure = {leaf.code: self._sure(leaf) for leaf in self.leaves}

    @cached_property
    def columns(self) -> "list[_Column]":
        definition = self.inputs.definition
        columns = []
        if definition.whole:
            columns.append(self._overall())
            columns += [self._dimension(each) for each in definition.all_dimensions()]
        return columns + [self._indicator(leaf) for leaf in self.leaves]

    def errors(self) -> StandardErrors:
        """How sure the scores of whole units are that are published as they were computed."""
        wholes = [
            at
            for at, key in enumerate(self.lattice.keys)
            if not key.margin and self.decided.fresh[at]
        ]
        columns = self.columns
        shown = np.column_stack([each.shown & each.enough for each in columns])[wholes]
        return StandardErrors(
            tuple(self.lattice.keys[at].unit for at in wholes),
            tuple(each.code for each in columns),
            np.where(shown, np.column_stack([each.se for each in columns])[wholes], np.nan),
            np.where(shown, np.column_stack([each.df for each in columns])[wholes], np.nan),
        )

    def rows(self) -> Iterator[Row]:
        columns = self.columns
        former = _by_key(self.inputs.former)
        known = {column.code for column in columns if column.is_opinion}
        lists = [(column, column.rows_of(self.lattice.keys)) for column in columns]
        for at, key in enumerate(self.lattice.keys):
            if self.decided.fresh[at]:
                yield from (row for _column, rows in lists if (row := rows[at]) is not None)
                continue
            yield from (_held(row, self.inputs.policy) for row in former[key] if row.code in known)
            yield from (
                row
                for column, rows in lists
                if not column.is_opinion and (row := rows[at]) is not None
            )

    def _indicator(self, leaf: IndicatorDefinition) -> "_Column":
        at = self.column[leaf.code]
        estimate, scores = self.found.estimates[leaf.code], self.scores[leaf.code]
        people = self.found.people[:, at]
        reason = np.where(
            self.found.status[:, at] == FormulaStatus.MISSING_OPERAND, MISSING, UNDEFINED
        )
        enough = self.shown[:, at] & ((people >= 2) | ~self.opinion[at])
        se, df = self.sure[leaf.code]
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
            there=self._there(leaf),
            shown=~self.found.hidden[:, at],
            enough=enough,
            short=reason if leaf.formula else np.full(len(people), _too_little(leaf)),
            is_opinion=bool(self.opinion[at]),
            se=se,
            df=df,
        )

    def _there(self, leaf: IndicatorDefinition) -> BoolArray:
        """Whether there is anything of it: of a formula, whether all or some it names is there."""
        at = self.column[leaf.code]
        some: BoolArray = self.found.people[:, at] > 0
        if leaf.formula:
            some = some | self.found.partly[:, at]
        return some

    def _scores(self, leaf: IndicatorDefinition) -> "_Scores":
        """The score of the value, between the least and the most of what its interval holds.

        A shape is of the mean: what a respondent said is never scored by itself.
        """
        estimate, curve = self.found.estimates[leaf.code], self.curves[self.column[leaf.code]]
        if curve is not None:
            return _Scores(curve.at(estimate.value), *curve.between(estimate.low, estimate.high))
        ends = Goalposts(np.array([leaf.worst]), np.array([leaf.best]))
        score, low, high = (
            goalpost_scores(numbers[:, None], ends).score[:, 0]
            for numbers in (estimate.value, estimate.low, estimate.high)
        )
        return _Scores(score, np.minimum(low, high), np.maximum(low, high))

    def _sure(self, leaf: IndicatorDefinition) -> tuple[FloatArray, FloatArray]:
        """The standard error of its score in points, with its degrees of freedom.

        Where points rise evenly the value's own; of shares and the like, whose interval is no
        multiple of it, and where a shape bends, at least what the interval of the score says.
        """
        estimate, scores = self.found.estimates[leaf.code], self.scores[leaf.code]
        is_mean = bool(leaf.formula) or leaf.statistic == "mean"
        se, df = spread_of(
            estimate,
            scores.low,
            scores.high,
            confidence=self.inputs.policy.confidence,
            normal=not is_mean,
            own=False,
        )
        if self.curves[self.column[leaf.code]] is None:
            step = abs(100 / (leaf.best - leaf.worst))
            within = (scores.score > 0) & (scores.score < 100)
            se = np.where(within, np.fmax(se, step * estimate.se), se)
        return se, df

    def _dimension(self, dimension: DimensionDefinition) -> "_Column":
        share = self._share_of(dimension.indicators, dimension.dimensions)
        inside = scored_leaves([replace(dimension, weight=1.0)])
        return self._aggregate("dimension", dimension.code, share, inside)

    def _overall(self) -> "_Column":
        tops = self.inputs.definition.dimensions
        share = self._share_of((), tops)
        return self._aggregate("composite", COMPOSITE, share, scored_leaves(tops))

    def _share_of(
        self,
        indicators: Iterable[IndicatorDefinition],
        dimensions: Iterable[DimensionDefinition],
    ) -> "_Share":
        """Return what each leaf weighs here, cell by cell, over what is shown.

        A dimension with too little coverage is left out as a whole; the others keep their weights
        among each other, whatever is missing within them. A geometric mean of geometric means has
        the same shares, as exponents.
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
        self, kind: str, code: str, share: "_Share", within: Sequence[IndicatorDefinition]
    ) -> "_Column":
        inside = [self.column[leaf.code] for leaf in within]
        used = share.weights > 0
        enough: BoolArray = used.any(axis=1) & (
            share.coverage >= self.inputs.policy.coverage - 1e-12
        )
        found = self._composite(np.where(enough[:, None], share.weights, 1.0))
        estimate = found.estimate
        low, high = estimate.low.copy(), estimate.high.copy()
        se, df = spread_of(estimate, low, high, confidence=self.inputs.policy.confidence)
        alone = used.sum(axis=1) == 1
        least = FLOOR if self.inputs.definition.is_geometric else 0.0
        for at in inside:
            # What rests on one indicator is as sure as that one.
            mine = alone & used[:, at]
            low[mine] = np.maximum(self.scores[self.leaves[at].code].low[mine], least)
            high[mine] = np.maximum(self.scores[self.leaves[at].code].high[mine], least)
            for mean, own in zip((se, df), self.sure[self.leaves[at].code], strict=True):
                mean[mine] = own[mine]
        nothing = np.full(len(low), np.nan)
        there: BoolArray = np.any(self._anything[:, inside], axis=1)
        return _Column(
            kind,
            code,
            Figures(
                value=nothing,
                low=nothing,
                high=nothing,
                score=estimate.value,
                score_low=low,
                score_high=high,
                n=self._counted(code, used, within),
                coverage=np.minimum(share.coverage, 1.0),
            ),
            there=there,
            shown=np.any(self.shown[:, inside], axis=1),
            enough=enough & ~np.isnan(estimate.value),
            short=np.full(len(low), COVERAGE),
            partly=np.any(used & self._unsure, axis=1),
            is_opinion=bool(self.opinion[inside].any()),
            se=se,
            df=df,
            missing=~np.any(self.found.hidden[:, inside], axis=1),
        )

    @cached_property
    def _anything(self) -> BoolArray:
        return np.column_stack([self._there(leaf) for leaf in self.leaves])

    @cached_property
    def _unsure(self) -> BoolArray:
        """Which rest on a single measurement, of which nobody knows how sure it is."""
        unknown = [np.isnan(self.found.estimates[leaf.code].low) for leaf in self.leaves]
        unsure: BoolArray = self.found.lone & np.column_stack(unknown)
        return unsure

    def _counted(
        self, code: str, used: BoolArray, within: Sequence[IndicatorDefinition]
    ) -> IntArray:
        """What a score rests on: its answers where opinions belong to it, else its largest count.

        Of the overall score all respondents. 0 where only what was measured may be shown.
        """
        n = np.where(used, self.found.means.n, 0)
        if counts_of(within) != Counts.ANSWERS.value:
            return np.asarray(n.max(axis=1, initial=0), dtype=np.int64)
        n = np.where(self.opinion, n, 0).max(axis=1, initial=0)
        return np.asarray(
            np.where(n > 0, self.decided.respondents, 0) if code == COMPOSITE else n,
            dtype=np.int64,
        )

    def _composite(self, weights: FloatArray) -> Composite:
        return composite(
            self.found.means,
            self.goalposts,
            weights,
            minimum_coverage=0.0,
            confidence=self.inputs.policy.confidence,
            groups=self.found.groups if self.inputs.policy.method > 1 else None,
            lone=self.found.lone,
            aggregation=self.inputs.definition.aggregation,
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
    """One code in all cells: where there is anything at all, may be shown, and is enough.

    short: what is said where it is not enough; partly: where its interval leaves something out;
    se, df: standard error of the score in points, and on how many degrees of freedom it rests
    missing: where nothing of it is hidden, so that what is not shown is just not there
    """

    kind: str
    code: str
    figures: Figures
    there: BoolArray
    shown: BoolArray
    enough: BoolArray
    short: npt.NDArray[np.str_]
    is_opinion: bool
    se: FloatArray
    df: FloatArray
    partly: BoolArray | None = None
    missing: BoolArray | None = None

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
        partly = self.shown & False if self.partly is None else self.partly
        shown = self.shown if self.missing is None else self.shown | self.missing
        flags = zip(
            self.there.tolist(),
            shown.tolist(),
            self.enough.tolist(),
            self.short.tolist(),
            partly.tolist(),
            strict=True,
        )
        rows: list[Row | None] = []
        for key, each, (there, may, enough, short, part) in zip(keys, numbers, flags, strict=True):
            if not there:
                rows.append(None)
            elif not may:
                rows.append(Row(*key, self.kind, self.code, SUPPRESSED, TOO_FEW))
            elif not enough:
                rows.append(Row(*key, self.kind, self.code, INSUFFICIENT, short))
            else:
                reason = NO_INTERVAL if each[4] is None else PARTLY if part else ""
                rows.append(Row(*key, self.kind, self.code, OK, reason, *each))
        return rows


def _too_little(leaf: IndicatorDefinition) -> str:
    """What is said of an indicator with a source that is there and has no value."""
    return COVERAGE if between_of(leaf.measure) is None else FEW_GROUPS


def _plain(numbers: FloatArray) -> list[float | None]:
    return [None if number != number else number for number in numbers.tolist()]


def _by_key(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found


def _held(row: Row, policy: Policy) -> Row:
    """Return a former figure again, marked as such; hidden if by now its group is too small.

    A score whose n is 0 has no opinion in it.
    """
    if row.status != OK:
        return row
    if row.n is None or 0 < row.n < policy.smallest_group:
        return Row(*row.key, row.kind, row.code, SUPPRESSED, TOO_FEW)
    return row._replace(reason=HELD)
