"""A small bank whose answers lie in memory: a source for the tests of evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.identity.principals import system_principal
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.models import Indicator, IndicatorSystem, SystemVersion
from sqcore.indicators.services import define_system, draft_version, publish_version
from sqcore.indicators.sources import Collected, Counts, SourceCell
from sqcore.indicators.starters import StarterMeasure, starter_system
from sqcore.indicators.trees import Branch, Leaf
from sqcore.org.models import Unit
from sqcore.stats.moments import moments_of

SYSTEM = system_principal()
BEFORE = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """One respondent: integers by measure; a measure that is not there was not answered."""

    unit_id: int
    on: date
    values: Mapping[str, int]
    channel: str = ""
    segment: str = ""
    came_at: datetime = BEFORE
    weight: int = 1


@dataclass
class MemorySource:
    """Answers in a list. `scales` names its measures."""

    scales: dict[str, int]
    key: str = "memory"
    counts: Counts = Counts.ANSWERS
    answers: list[Answer] = field(default_factory=list)
    collected: int = 0

    @property
    def title(self) -> str:
        return "Answers in memory"

    def measure(self, parameters: Mapping[str, Any]) -> str:
        name = str(parameters.get("measure", ""))
        if name not in self.scales:
            raise InvalidInput(f"There is no measure “{name}”.")
        return name

    def collect(self, *, measures: Sequence[str], period: Period) -> Collected:
        self.collected += 1
        cells: dict[SourceCell, int] = {}
        rows: list[tuple[int, Answer]] = []
        for answer in self.answers:
            if answer.on in period:
                for margin, value in (
                    ("", ""),
                    ("channel", answer.channel),
                    ("segment", answer.segment),
                ):
                    if value or not margin:
                        cell = SourceCell(answer.unit_id, margin, value)
                        rows.append((cells.setdefault(cell, len(cells)), answer))
        values = [[answer.values.get(name, 0) for name in measures] for _cell, answer in rows]
        present = [[name in answer.values for name in measures] for _cell, answer in rows]
        shape = (len(rows), len(measures))
        moments = moments_of(
            np.array(values, dtype=np.int64).reshape(shape),
            np.array(present, dtype=np.bool_).reshape(shape),
            np.array([answer.weight for _cell, answer in rows], dtype=np.int64),
            np.array([cell for cell, _answer in rows], dtype=np.int64),
            len(cells),
        )
        return Collected(list(cells), list(measures), [self.scales[m] for m in measures], moments)

    def spans(self) -> Mapping[Grain, tuple[date, date]]:
        days = sorted(answer.on for answer in self.answers)
        return {Grain.DAY: (days[0], days[-1])} if days else {}

    def changed_since(self, moment: datetime) -> Sequence[tuple[date, date]]:
        return [(answer.on, answer.on) for answer in self.answers if answer.came_at > moment]

    def add(self, unit: Unit, on: date, *rows: Mapping[str, int], **over: Any) -> None:
        """Add one answer a row."""
        self.answers += [Answer(unit.pk, on, row, **over) for row in rows]


def months_later(months: int) -> datetime:
    """Return a moment shortly after so many months of 2026 have closed."""
    return datetime(2026, 1 + months, 1, 8, 0, tzinfo=UTC) + timedelta(hours=1)


def bank_system(
    measures: Sequence[StarterMeasure],
    *,
    grains: Sequence[str] = (Grain.MONTH,),
    since: date = date(2026, 1, 1),
) -> tuple[IndicatorSystem, SystemVersion]:
    version = starter_system(
        code="bank",
        name={"en": "Bank quality"},
        measures=measures,
        grains=grains,
        since=since,
        by=SYSTEM,
        now=BEFORE,
    )
    return version.system, version


def measure(
    code: str,
    group: str,
    *,
    statistic: str = "mean",
    worst: float = 1.0,
    best: float = 7.0,
    source: str = "memory",
) -> StarterMeasure:
    return StarterMeasure(
        code=code,
        name={"en": code.title()},
        group=group,
        group_name={"en": group.title()},
        source=source,
        parameters={"measure": code},
        statistic=statistic,
        worst=worst,
        best=best,
    )


def indicator(code: str, *, source: str = "", formula: str = "", **over: Any) -> Indicator:
    """Add an indicator to the catalogue: a measure of a source of its own code, or a formula."""
    return define_indicator(
        code=code,
        name={"en": code.title()},
        source=source,
        parameters={"measure": over.pop("of", code)} if source else {},
        formula=formula,
        by=SYSTEM,
        now=BEFORE,
        **over,
    )


def tree_system(
    tree: Sequence[Branch],
    *,
    grains: Sequence[str] = (Grain.MONTH,),
    since: date = date(2026, 1, 1),
    **over: Any,
) -> SystemVersion:
    """Publish a version of the bank's system with these dimensions."""
    system = IndicatorSystem.objects.filter(code="bank").first() or define_system(
        code="bank", name={"en": "Bank quality"}, by=SYSTEM, now=BEFORE
    )
    draft = draft_version(
        system=system, grains=grains, since=since, tree=tree, by=SYSTEM, now=BEFORE, **over
    )
    return publish_version(version=draft, by=SYSTEM, now=BEFORE)


def branch(code: str, weight: float, *leaves: Leaf) -> Branch:
    return Branch(code, {"en": code.title()}, weight, leaves)
