"""A pass of the opener over 10,000 weekly series of two years, and the same pass again.

200 units with 50 indicators each, 104 weeks, normal values with intervals, nothing ever changes:
what is found is false, and stands beside what chance lets expect. The first pass also freezes and
writes 10,000 baselines.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
from django.db import connection, transaction

from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.monitoring.models import Watch
from sqcore.monitoring.passes import judge, leaves_of, read_grid
from sqcore.monitoring.watching import watch
from sqcore.org.models import Unit

UNITS, INDICATORS, WEEKS = 200, 50, 104
SECONDS = 10
FIRST = date(2024, 1, 1)
COLUMNS = (
    *("run", "is_current", "system", "grain", "starts_on", "unit", "margin", "margin_value"),
    *("kind", "code", "status", "reason", "value", "low", "high", "score", "n"),
)


def _codes() -> list[str]:
    return [f"indicator-{number}" for number in range(INDICATORS)]


def _definition() -> SystemDefinition:
    leaves = tuple(
        IndicatorDefinition(
            code=code, name={"en": code}, definition={}, unit_of_measure="min", direction="lower",
            statistic="mean", source="measurements", measure=code, weight=1 / INDICATORS,
            worst=20.0, best=2.0, counts="measurements",
        )
        for code in _codes()
    )  # fmt: skip
    part = DimensionDefinition(code="all", name={"en": "All"}, weight=1.0, indicators=leaves)
    return SystemDefinition("bench", {"en": "Bench"}, 1, (part,), whole=False)


def _runs(system: IndicatorSystem) -> list[EvaluationRun]:
    version = SystemVersion.objects.create(
        system=system, number=1, state="published", grains=["week"], since=FIRST,
        published_at=datetime(2024, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    definition = _definition().as_json()
    starts = [FIRST + timedelta(weeks=week) for week in range(WEEKS)]
    return EvaluationRun.objects.bulk_create(
        EvaluationRun(
            system=system, version=version, grain="week", starts_on=start,
            ends_on=start + timedelta(weeks=1), is_current=True, state="published",
            reason="closed", definition=definition, policy={"confidence": 0.95},
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for start in starts
    )  # fmt: skip


def _rows(
    run: EvaluationRun, units: list[int], generator: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    on = connection.ops.adapt_datefield_value(run.starts_on)
    head = (run.pk, True, run.system_id, "week", on)
    values = generator.normal(9.0, 1.43, size=(len(units), INDICATORS)).tolist()
    for unit, row in zip(units, values, strict=True):
        for code, value in zip(_codes(), row, strict=True):
            yield (
                *head, unit, "", "", "indicator", code, "ok", "",
                value, value - 2.4, value + 2.4, 50.0, 34,
            )  # fmt: skip


def _fill(system: IndicatorSystem) -> None:
    units = Unit.objects.bulk_create(
        Unit(code=f"unit-{n}", name={"en": f"Unit {n}"}, opened_on=FIRST) for n in range(UNITS)
    )
    generator = np.random.default_rng(2026)
    quote = connection.ops.quote_name
    fields = {field.name: field.column for field in KpiValue._meta.concrete_fields}
    names = ", ".join(quote(str(fields[name])) for name in COLUMNS)
    places = ", ".join(["%s"] * len(COLUMNS))
    table = quote(KpiValue._meta.db_table)
    rows = chain.from_iterable(
        _rows(run, [unit.pk for unit in units], generator) for run in _runs(system)
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", list(rows))


Times = tuple[float, float]
"""CPU and wall seconds."""


def _timed(step: Callable[[], object]) -> Times:
    started, worked = time.perf_counter(), time.process_time()
    step()
    return time.process_time() - worked, time.perf_counter() - started


def run() -> bool:
    """Print the scenario; True when its budget is kept."""
    system = IndicatorSystem.objects.create(code="bench", name={"en": "Bench"})
    _fill(system)
    now = datetime.combine(FIRST + timedelta(weeks=WEEKS), datetime.min.time(), UTC)
    through, grain = now.date(), Grain.WEEK
    leaves = leaves_of(system, grain)

    def judged() -> object:
        return judge(system=system, grain=grain, through=through, now=now)

    def passed(hours: int) -> Watch:
        return watch(system=system, grain=grain, now=now + timedelta(hours=hours))

    read = _timed(lambda: read_grid(system, grain, through=through, leaves=leaves))
    freezing, first = _timed(judged), _timed(lambda: passed(0))
    judging, again = _timed(judged), _timed(lambda: passed(1))
    found = passed(2)
    assert found.series == found.judged == UNITS * INDICATORS
    print(f"\n{found.series:,} series x {WEEKS} weeks, seconds of CPU")
    _say("first pass", read, freezing, first)
    _say("the same again", read, judging, again)
    print(
        f"  {found.found_so_far:,} signals in series that never change,"
        f" {found.expected_so_far:,.0f} expected by chance"
    )
    kept = max(first[0], again[0]) < SECONDS
    print(f"  budget < {SECONDS} s CPU a pass {'kept' if kept else 'MISSED'}")
    return kept


def _say(name: str, read: Times, judged: Times, whole: Times) -> None:
    print(
        f"  {name:<16} {whole[0]:.1f} ({whole[1]:.1f} wall): reading {read[0]:.1f}, judging"
        f" {max(judged[0] - read[0], 0):.1f}, writing {max(whole[0] - judged[0], 0):.1f}"
    )
