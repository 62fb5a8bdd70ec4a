"""Figures of the KPI series as they are read: with what they stand for and how they changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.base.periods import Period
from sqcore.evaluation.models import KpiValue
from sqcore.indicators.definition import (
    IndicatorDefinition,
    SystemDefinition,
)


@dataclass(frozen=True)
class Figure:
    """One row of the series. Without numbers, n included, unless `is_shown`."""

    run_id: int
    unit_id: int
    period: Period
    margin: str
    margin_value: str
    kind: str
    code: str
    status: str
    reason: str
    value: float | None
    low: float | None
    high: float | None
    score: float | None
    score_low: float | None
    score_high: float | None
    n: int | None
    coverage: float | None

    @property
    def is_shown(self) -> bool:
        return self.status == KpiValue.Status.OK

    @property
    def status_label(self) -> str:
        return str(KpiValue.Status(self.status).label)

    @property
    def is_held(self) -> bool:
        """True when answers came in since, but too few to show what they changed."""
        return self.reason == KpiValue.Reason.HELD


@dataclass(frozen=True)
class Change:
    """What became of a figure since the period before, on the indicators that both periods have.

    `by` with its interval is in score points, of an indicator in its natural unit. It is clear
    when the interval leaves 0 out; `is_better` is None when it is not. `composition_changed` says
    that the two periods do not have the same indicators: `came` and `went` are their names, and
    `redefined` are those that measure something else now.
    `points`: of an indicator whose score has a shape, the change of the score, and whether that
    says better; None where points rise evenly with the value, or the shape is another.
    """

    since: Period
    by: float
    low: float
    high: float
    is_clear: bool
    is_better: bool | None
    composition_changed: bool = False
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    redefined: tuple[str, ...] = ()
    points: "Change | None" = None


@dataclass(frozen=True)
class Line:
    """A figure in its place in the tree of the system. Without a figure: nothing was measured.

    `is_redefined`: it measured something else in the period before, so that there is no change.
    """

    code: str
    name: str
    kind: str
    weight: float
    figure: Figure | None
    change: Change | None
    children: tuple["Line", ...] = ()
    indicator: IndicatorDefinition | None = None
    is_redefined: bool = False


@dataclass(frozen=True)
class Standing:
    """Where a unit stands in a period: overall, by dimension, by indicator."""

    unit_id: int
    period: Period
    run: "Provenance"
    composite: Line
    dimensions: tuple[Line, ...]


@dataclass(frozen=True)
class UnitLine:
    unit_id: int
    code: str
    name: str
    depth: int
    parent_id: int | None
    figure: Figure
    change: Change | None


@dataclass(frozen=True)
class MarginLine:
    """A channel or segment (value "" and its name "" for all together)."""

    value: str
    name: str
    figure: Figure


@dataclass(frozen=True)
class Overview:
    """One period as a page shows it: a unit's standing, its parts, and other units beside it.

    `units` holds the composite and each dimension (and `code`) of every unit by code, `margins`
    one code of the unit by channel and by segment, without the line of all together.
    """

    standing: "Standing"
    units: Mapping[str, list[UnitLine]]
    margins: Mapping[str, list[MarginLine]]


@dataclass(frozen=True)
class Provenance:
    """From what, how and since when: what stands behind every figure of a run."""

    run_id: int
    revision: int
    period: Period
    system: str
    version: int
    reason: str
    collected_at: datetime | None
    published_at: datetime | None
    sources: tuple[str, ...]
    respondents: int | None
    smallest_group: int
    coverage: float
    confidence: float
    input_digest: str
    result_digest: str
    libraries: Mapping[str, str]
    definition: SystemDefinition
