"""What other rooms draw on a control chart beside the series: a port, filled from above."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sqcore.base.registry import Registry
from sqcore.identity.principals import Principal
from sqcore.monitoring.charts import Chart


@dataclass(frozen=True)
class Stretch:
    """One level during [starts_on, ends_on), in the unit of the indicator, with its interval where
    it has one. `title` is the time in words, `told` what stands behind it in the table."""

    starts_on: date
    ends_on: date
    value: float
    low: float | None = None
    high: float | None = None
    title: str = ""
    told: str = ""


@dataclass(frozen=True)
class ChartLine:
    """A named line of levels, in the order of time."""

    name: str
    stretches: tuple[Stretch, ...]


class LineSource(Protocol):
    """Draws lines on charts. Register an instance in `<app>/plugins.py`: `CHART_LINES`."""

    @property
    def key(self) -> str: ...

    def lines(
        self, *, principal: Principal, chart: Chart, first: date, end: date
    ) -> Sequence[ChartLine]:
        """Return what speaks of a day in [first, end), read only through `visible_to`."""
        ...


CHART_LINES: Registry[LineSource] = Registry("lines on charts")


def lines_on(chart: Chart, *, principal: Principal) -> list[ChartLine]:
    """Return what all sources draw on a chart, cut to the time that it shows."""
    if not chart.points:
        return []
    first, end = chart.points[0].seen.period.start, chart.points[-1].seen.period.end
    return [
        line
        for source in CHART_LINES
        for line in source.lines(principal=principal, chart=chart, first=first, end=end)
    ]
