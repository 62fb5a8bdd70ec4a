"""The stages of one encounter as a drawing: bars from the arrival on, waits between them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqcore.encounters.models import Encounter, Stage

LEAST_WIDTH = 0.6
"""Percent of the drawing: what takes no time is still seen."""
ROW = 30


@dataclass(frozen=True)
class Bar:
    """A stage: where it lies in percent of the whole, in which row, and what the table says."""

    name: str
    phase: str
    phase_name: str
    started_s: int
    ended_s: int | None
    staff: str
    x: float
    width: float
    y: int

    @property
    def lasted_s(self) -> int | None:
        return None if self.ended_s is None else self.ended_s - self.started_s


@dataclass(frozen=True)
class Timeline:
    bars: list[Bar]
    waits: list[tuple[float, float]]
    whole_s: int

    @property
    def height(self) -> int:
        return ROW * len(self.bars) + 6


def timeline_of(encounter: Encounter, stages: Mapping[str, Stage]) -> Timeline:
    """Return the drawing of an encounter; empty when it has no stages."""
    steps = encounter.steps
    whole = max([1, *(end or start for _stage, start, end, _staff in steps)])
    bars: list[Bar] = []
    waits: list[tuple[float, float]] = []
    until = 0
    for row, (code, start, end, staff) in enumerate(steps):
        stage = stages.get(code)
        x = min(100 * start / whole, 100 - LEAST_WIDTH)
        bars.append(
            Bar(
                name=str(stage) if stage else code,
                phase=stage.phase if stage else "",
                phase_name=str(stage.get_phase_display()) if stage else "",
                started_s=start,
                ended_s=end,
                staff=staff,
                x=round(x, 2),
                width=round(max(100 * ((end or start) - start) / whole, LEAST_WIDTH), 2),
                y=ROW * row + 6,
            )
        )
        if start > until:
            waits.append((round(100 * until / whole, 2), round(100 * (start - until) / whole, 2)))
        until = max(until, end or start)
    return Timeline(bars, waits, whole)
