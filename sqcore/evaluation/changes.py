"""What became of figures since the period before, on what both periods have."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqcore.evaluation.figures import Change, Figure
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
    scored_leaves,
)
from sqcore.indicators.shapes import is_even, scoring_of
from sqcore.stats.composite import FLOOR
from sqcore.stats.differences import Bounded, difference


class Comparison:
    """The figures of two periods side by side, by code."""

    def __init__(
        self,
        definition: SystemDefinition,
        former: SystemDefinition | None,
        now: Mapping[str, Figure],
        then: Mapping[str, Figure],
    ) -> None:
        self.definition, self.former = definition, former
        self.now, self.then = now, then

    def indicator(self, leaf: IndicatorDefinition) -> Change | None:
        former = self.former.indicator(leaf.code) if self.former else None
        if not asked_alike(self.former, self.definition, leaf.code):
            return None
        now, then = self.now.get(leaf.code), self.then.get(leaf.code)
        return _value_change(now, then, leaf, alike=_scores_alike(former, leaf))

    def is_redefined(self, code: str) -> bool:
        """True when the former period has it too, and it measured something else then."""
        known = self.former is not None and self.former.indicator(code) is not None
        return known and not asked_alike(self.former, self.definition, code)

    def aggregate(self, code: str, roots: Sequence[DimensionDefinition]) -> Change | None:
        """Compare a dimension or the composite on the indicators that both periods show.

        Where these are all there are, the published intervals serve. Else the score of what is
        common is computed anew, with the widest interval that any correlation could give it.
        Between an arithmetic and a geometric mean there is no change: they do not say the same.
        """
        if self.former is not None and self.former.aggregation != self.definition.aggregation:
            return None
        after, before = self.now.get(code), self.then.get(code)
        if after is None or before is None or not (after.is_shown and before.is_shown):
            return None
        common, complete = self._common(roots)
        if not common:
            return None
        if complete:
            return _score_change(_score(after), _score(before), after, before)
        found = _score_change(
            self._partial(roots, common, self.now),
            self._partial(roots, common, self.then),
            after,
            before,
            composition_changed=True,
        )
        now = self._shown(self.definition, self.now, roots)
        then = self._shown(self.former, self.then, roots)
        redefined = {code for code in now & then if self.is_redefined(code)}
        return found and replace(
            found,
            came=self._names(self.definition, now - redefined, common),
            went=self._names(self.former, then - redefined, common),
            redefined=self._names(self.definition, redefined, common),
        )

    def _shown(
        self,
        source: SystemDefinition | None,
        rows: Mapping[str, Figure],
        roots: Sequence[DimensionDefinition],
    ) -> set[str]:
        """The codes of what counts in these dimensions and is shown."""
        codes = self._codes(source, roots)
        return {code for code in codes if code in rows and rows[code].is_shown}

    @staticmethod
    def _names(
        source: SystemDefinition | None, shown: set[str], common: set[str]
    ) -> tuple[str, ...]:
        if source is None:
            return ()
        order = [leaf.code for leaf in source.all_indicators()]
        return tuple(source.name_of(code) for code in order if code in shown - common)

    def _common(self, roots: Sequence[DimensionDefinition]) -> tuple[set[str], bool]:
        """The indicators that both periods show alike, and whether there are no others."""
        mine = {
            leaf.code: leaf for root in roots for each in root.walk() for leaf in each.indicators
        }
        shown = [
            self._shown(self.definition, self.now, roots),
            self._shown(self.former, self.then, roots),
        ]
        alike = {
            code
            for code in shown[0] & shown[1]
            if asked_alike(self.former, self.definition, code)
            and self.former is not None
            and _scores_alike(self.former.indicator(code), mine[code])
        }
        same_tree = self.former is not None and shape_of(self.former) == shape_of(self.definition)
        return alike, same_tree and shown[0] == shown[1] == alike

    def _codes(
        self, source: SystemDefinition | None, roots: Sequence[DimensionDefinition]
    ) -> set[str]:
        if source is None:
            return set()
        wanted = {root.code for root in roots}
        return {
            leaf.code
            for top in source.all_dimensions()
            if top.code in wanted
            for leaf in scored_leaves([replace(top, weight=1.0)])
        }

    def _partial(
        self,
        roots: Sequence[DimensionDefinition],
        common: set[str],
        rows: Mapping[str, Figure],
    ) -> Bounded:
        """The mean of the common indicators, as if they were perfectly correlated."""
        weights = {code: weight for root in roots for code, weight in _leaf_weights(root).items()}
        total = sum(weights[code] for code in common)
        shares = [(weights[code] / total, _score(rows[code])) for code in sorted(common)]
        mean = _geometric if self.definition.is_geometric else _arithmetic
        return Bounded(
            mean([(share, each.value) for share, each in shares]),
            mean([(share, each.low) for share, each in shares]),
            mean([(share, each.high) for share, each in shares]),
        )


def _arithmetic(shares: Sequence[tuple[float, float]]) -> float:
    return sum(share * score for share, score in shares)


def _geometric(shares: Sequence[tuple[float, float]]) -> float:
    return math.exp(sum(share * math.log(max(score, FLOOR)) for share, score in shares))


def _asked(definition: SystemDefinition, leaf: IndicatorDefinition) -> tuple[Any, ...]:
    """What is measured, in what its formula needs too: what makes two values comparable."""
    operands = [(name, definition.indicator(name)) for name in leaf.names]
    return (
        leaf.source,
        leaf.measure,
        leaf.formula,
        leaf.statistic,
        leaf.unit_of_measure,
        *((name, found and _asked(definition, found)) for name, found in operands),
    )


def asked_alike(former: SystemDefinition | None, now: SystemDefinition, code: str) -> bool:
    """Whether an indicator measured the same then; over the border of an epoch it did not."""
    then, leaf = former.indicator(code) if former else None, now.indicator(code)
    if former is None or then is None or leaf is None:
        return False
    return _asked(former, then) == _asked(now, leaf)


def _scores_alike(former: IndicatorDefinition | None, leaf: IndicatorDefinition) -> bool:
    """Whether a value of it had the same score then."""
    return former is not None and scoring_of(former) == scoring_of(leaf)


def shape_of(definition: SystemDefinition) -> Any:
    """All that decides what a score means: targets, names and what is watched do not."""

    def of(dimension: DimensionDefinition) -> Any:
        leaves = [
            (leaf.code, leaf.weight, scoring_of(leaf), _asked(definition, leaf))
            for leaf in dimension.indicators
            if leaf.weight
        ]
        below = [of(each) for each in dimension.dimensions]
        return dimension.code, dimension.weight, leaves, below

    return definition.aggregation, [of(top) for top in definition.dimensions]


def _leaf_weights(root: DimensionDefinition) -> dict[str, float]:
    weights = {leaf.code: root.weight * leaf.weight for leaf in root.indicators}
    for below in root.dimensions:
        weights |= {code: root.weight * weight for code, weight in _leaf_weights(below).items()}
    return weights


def _score(figure: Figure) -> Bounded:
    score = figure.score if figure.score is not None else 0.0
    return Bounded(
        score,
        score if figure.score_low is None else figure.score_low,
        score if figure.score_high is None else figure.score_high,
    )


def _score_change(
    after: Bounded,
    before: Bounded,
    now: Figure,
    then: Figure,
    *,
    composition_changed: bool = False,
) -> Change | None:
    if now.score_low is None or then.score_low is None:
        return None
    by = difference(after, before)
    clear = by.low > 0 or by.high < 0
    return Change(
        since=then.period,
        by=by.value,
        low=by.low,
        high=by.high,
        is_clear=clear,
        is_better=by.value > 0 if clear else None,
        composition_changed=composition_changed,
    )


def _value_change(
    now: Figure | None, then: Figure | None, leaf: IndicatorDefinition, *, alike: bool
) -> Change | None:
    """`alike`: whether a value has the same score on both sides."""
    after, before = _value(now), _value(then)
    if after is None or before is None or now is None or then is None:
        return None
    by = difference(after, before)
    clear = by.low > 0 or by.high < 0
    if not is_even(leaf):
        points = _score_change(_score(now), _score(then), now, then) if alike else None
        better = None if points is None else points.is_better
        return Change(then.period, by.value, by.low, by.high, clear, better, points=points)
    rising_is_better = leaf.best > leaf.worst
    return Change(
        since=then.period,
        by=by.value,
        low=by.low,
        high=by.high,
        is_clear=clear,
        is_better=(by.value > 0) == rising_is_better if clear else None,
    )


def _value(figure: Figure | None) -> Bounded | None:
    if figure is None or figure.value is None or figure.low is None or figure.high is None:
        return None
    return Bounded(figure.value, figure.low, figure.high)


def plain_change(
    now: Figure, then: Figure | None, definition: SystemDefinition, *, same: bool
) -> Change | None:
    if then is None or not now.is_shown or not then.is_shown:
        return None
    leaf = definition.indicator(now.code)
    if leaf is not None:
        return _value_change(now, then, leaf, alike=same)
    if not same or now.coverage != then.coverage:
        return None
    return _score_change(_score(now), _score(then), now, then)
