"""Rare events of a series: on which days they happened and what passed between them.

A series of which most periods have no event says little by the period; its source may tell days.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol, runtime_checkable

import numpy as np

from sqcore.base.periods import Grain, Period
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.sources import SOURCES
from sqcore.monitoring.models import Kind
from sqcore.monitoring.queries import SeriesPoint
from sqcore.org.queries import tree_on
from sqcore.stats.arrays import BoolArray, FloatArray
from sqcore.stats.rare import between_events, is_rare

DayOfEvents = tuple[date, int, int]
"""A day, how many events happened on it, and of how many cases (0: that is not counted)."""


@runtime_checkable
class TellsDays(Protocol):
    """A source of indicators that knows on which days what it counts happened.

    Fulfilled by sources of what is measured (`sqcore.indicators.SOURCES`: measurements, encounters
    and equipment), never of opinions: a day of a single answer is no group.
    """

    def days(self, *, measure: str, units: Collection[int], through: date) -> Sequence[DayOfEvents]:
        """Return the days that were reported, in order, of these units together, to this day.

        A day without an event stands there with 0. Of a share the events are those with the value
        1; of a rate the cases are 0, its exposure is no number of cases. Empty where only longer
        periods were reported.
        """
        ...


@dataclass(frozen=True, eq=False)
class RareEvents:
    """What passed from one event to the next: one entry for each event but the first, in order.

    on: the days of the later events; days, cases: what passed, (G,); cases None where they are not
    counted. `is_bad`: whether it is good when long nothing happens. `last_on`: of the newest event
    """

    on: tuple[date, ...]
    days: FloatArray
    cases: FloatArray | None
    is_bad: bool
    last_on: date

    @property
    def kind(self) -> Kind:
        """The chart that suits: cases where they are counted, else days."""
        return Kind.T if self.cases is None else Kind.G

    def values(self, kind: str) -> FloatArray:
        """Return what passed, as a chart of this kind counts it."""
        return self.days if kind == Kind.T or self.cases is None else self.cases

    def within(self, starts_on: date, ends_on: date) -> BoolArray:
        """Return which of them ended in [starts_on, ends_on)."""
        return np.array([starts_on <= day < ends_on for day in self.on], dtype=np.bool_)

    def points(self, kind: str) -> list[SeriesPoint]:
        """Return them as points of a series, each in the day on which it ended."""
        return [
            SeriesPoint(Period(day, Grain.DAY), value=float(value), status="ok")
            for day, value in zip(self.on, self.values(kind), strict=True)
        ]


def is_rare_series(leaf: IndicatorDefinition, values: FloatArray, sizes: FloatArray) -> bool:
    """Return whether an indicator counts events that are rare by the period.

    values, sizes: (P,), as the charts of counts read them. Of a share the rarer outcome is meant.
    """
    if leaf.formula or leaf.are_opinions or leaf.statistic not in ("proportion", "rate"):
        return False
    known = ~np.isnan(values) & ~np.isnan(sizes)
    counts = values[known] * sizes[known]
    if leaf.statistic == "proportion" and _is_common(values, sizes):
        counts = sizes[known] - counts
    return is_rare(np.maximum(counts, 0.0))


def _is_common(values: FloatArray, sizes: FloatArray) -> bool:
    """Return whether most cases of a share have the value 1, so that the others are the event."""
    known = ~np.isnan(values) & ~np.isnan(sizes)
    return float((values[known] * sizes[known]).sum()) * 2 > float(sizes[known].sum())


def tells_days(leaf: IndicatorDefinition | None) -> bool:
    """Return whether the source of an indicator can tell the days of its events."""
    if leaf is None or leaf.formula or leaf.are_opinions or leaf.source not in SOURCES:
        return False
    return isinstance(SOURCES[leaf.source], TellsDays)


def rare_events(
    leaf: IndicatorDefinition,
    unit_id: int,
    values: FloatArray,
    sizes: FloatArray,
    *,
    through: date,
) -> RareEvents | None:
    """Return what passed between the events of an indicator at a unit and all below it, until this
    day. None where its source does not tell the days, or there were not two events.

    Who may see the series was asked before. Two queries and those of the source
    """
    if leaf.source not in SOURCES:
        return None
    source = SOURCES[leaf.source]
    if not isinstance(source, TellsDays):
        return None
    units = tree_on(through - timedelta(days=1)).within([unit_id])
    told = source.days(measure=leaf.measure, units=units, through=through)
    if not told:
        return None
    is_share = leaf.statistic == "proportion"
    flipped = is_share and _is_common(values, sizes)
    first = told[0][0]
    length = (told[-1][0] - first).days + 1
    events, cases = np.zeros(length, dtype=np.int64), np.zeros(length, dtype=np.int64)
    for day, happened, of in told:
        at = (day - first).days
        events[at], cases[at] = (of - happened if flipped else happened), of
    if events.sum() < 2 or (events < 0).any():
        return None
    counts_cases = is_share and bool((cases >= events).all())
    found = between_events(events, cases if counts_cases else None)
    return RareEvents(
        on=tuple(first + timedelta(days=int(at)) for at in found.at),
        days=found.days,
        cases=found.cases if counts_cases else None,
        is_bad=(leaf.best < leaf.worst) != flipped,
        last_on=first + timedelta(days=int(found.at[-1])),
    )
