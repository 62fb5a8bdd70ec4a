"""What the overview of encounters shows, by unit, channel or segment: how many, long, good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from django.utils.translation import gettext as _

from sqcore.base.periods import Period, title_of
from sqcore.encounters.process import GRAINS, Chosen
from sqcore.encounters.queries import JointSums, span_sums
from sqcore.encounters.sums import MEASURES, SCALES
from sqcore.stats.estimates import Estimate, means
from sqcore.stats.moments import merge

MARGINS = ("unit", "channel", "segment")
UNIT_SCALE = [1 / scale for scale in SCALES]
TIMES, TRUTHS = (0, 1), (2, 3)
"""Where they stand among MEASURES."""
SHARES = ("solved", "reworked")


@dataclass(frozen=True)
class Figure:
    """A mean with its interval; `value` is None where nobody knows. Shares are percent."""

    measure: str
    value: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def unit(self) -> str:
        return "%" if self.measure in SHARES else _("min")


@dataclass(frozen=True)
class Line:
    name: str
    count: int
    figures: Sequence[Figure]


@dataclass(frozen=True)
class OverviewPage:
    """The overview of a period; `chosen` is what the filter bar of the process map chooses too."""

    chosen: Chosen
    by: str
    whole: Line
    lines: Sequence[Line]

    @property
    def title(self) -> str:
        return title_of(self.chosen.period)

    @property
    def tabs(self) -> list[tuple[str, str]]:
        return [("unit", _("By unit")), ("channel", _("By channel")), ("segment", _("By segment"))]

    @property
    def selects(self) -> list[Mapping[str, object]]:
        units = [(unit.code, "\u2003" * depth + str(unit)) for unit, depth in self.chosen.units]
        if len(units) < 2:
            return []
        options = [("", _("All units")), *units]
        value = self.chosen.asked.unit
        return [{"name": "unit", "label": _("Unit"), "options": options, "value": value}]

    @property
    def grains(self) -> list[tuple[str, str, bool]]:
        current = self.chosen.period.grain
        return [(grain.value, str(grain.label), grain == current) for grain in GRAINS]

    @cached_property
    def shown_periods(self) -> list[Period]:
        listed = self.chosen.listed
        return listed if self.chosen.period in listed else [self.chosen.period, *listed]

    @property
    def periods(self) -> list[tuple[str, str]]:
        return [(period.key, title_of(period)) for period in self.shown_periods]

    @property
    def earlier(self) -> Period | None:
        at = self.shown_periods.index(self.chosen.period) + 1
        return self.shown_periods[at] if at < len(self.shown_periods) else None

    @property
    def later(self) -> Period | None:
        at = self.shown_periods.index(self.chosen.period) - 1
        return self.shown_periods[at] if at >= 0 else None


def overview_page(chosen: Chosen, *, by: str) -> OverviewPage:
    """Return the overview by unit, channel or segment; an unknown margin is by unit."""
    by = by if by in MARGINS else MARGINS[0]
    sums = span_sums(chosen.period.start, chosen.period.end)
    if chosen.unit_ids is not None:
        inside = [at for at, cell in enumerate(sums[0]) if cell.unit_id in chosen.unit_ids]
        sums = [sums[0][at] for at in inside], sums[1].take(inside)
    names = _names(chosen, by)
    owners = [getattr(cell, f"{by}_id") for cell in sums[0]]
    return OverviewPage(
        chosen=chosen,
        by=by,
        whole=next(iter(_lines(sums, [0] * len(owners), {0: _("All")}).values()), Line("", 0, [])),
        lines=sorted(_lines(sums, owners, names).values(), key=lambda line: line.name),
    )


def _names(chosen: Chosen, by: str) -> dict[int, str]:
    if by == "unit":
        return {unit.pk: str(unit) for unit, _depth in chosen.units}
    return {part.id: str(part) for part in chosen.parts[by]} | {0: _("not known")}


def _lines(sums: JointSums, owners: Sequence[int], names: Mapping[int, str]) -> dict[int, Line]:
    """Return a line for each owner of cells."""
    if not owners:
        return {}
    found, index = np.unique(np.array(owners, dtype=np.int64), return_inverse=True)
    moments = merge(sums[1], index, len(found))
    times = means(moments.select(TIMES), scale=UNIT_SCALE[: len(TIMES)])
    shares = means(moments.select(TRUTHS), bounds=(0.0, 1.0))
    return {
        owner: Line(
            names.get(owner, _("not known")),
            int(moments.respondents[at]),
            [
                *(
                    _figure(MEASURES[place], times, at, column)
                    for column, place in enumerate(TIMES)
                ),
                *(
                    _figure(MEASURES[place], shares, at, column)
                    for column, place in enumerate(TRUTHS)
                ),
            ],
        )
        for at, owner in enumerate(found.tolist())
    }


def _figure(measure: str, estimate: Estimate, cell: int, place: int) -> Figure:
    times = 100 if measure in SHARES else 1
    n = int(estimate.n[cell, place])
    value, low, high = (
        float(part[cell, place]) * times for part in (estimate.value, estimate.low, estimate.high)
    )
    return Figure(
        measure,
        value if n and np.isfinite(value) else None,
        max(low, 0.0) if n and np.isfinite(low) else None,
        high if n and np.isfinite(high) else None,
        n,
    )
