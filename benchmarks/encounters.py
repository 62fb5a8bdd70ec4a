"""Encounters from their rows to weekly and monthly indicators, as a first load needs it.

The rows are made by the database or by numpy, beside the product's own way in, which is timed with
a tenth of them. Then every span is summed up from the rows (`rebuild_sums`), and the source of
indicators is asked for every week and month of two years. Every row must be counted once.
With `SQ_MODE=server` and its settings it is the PostgreSQL database there.
"""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from sqcore.base.periods import Grain, periods_between
from sqcore.encounters.models import Encounter
from sqcore.encounters.services import (
    NewEncounter,
    Step,
    rebuild_sums,
    sum_up,
    take_encounters,
)
from sqcore.encounters.sources import EncounterSource
from sqcore.org.models import Channel, Segment, Unit

ROWS = 1_000_000
UNITS, CHANNELS, SEGMENTS, DAYS = 200, 3, 4, 730
FIRST = date(2024, 1, 1)
BASE_SECONDS, SECONDS_A_MILLION = 10.0, 5.0
"""Sixty seconds for ten million; the cells cost something however few rows they have."""
MEASURES = ["waiting", "handling", "solved", "reworked"]


def run(rows: int | None = None) -> bool:
    """Time the way in, the sums and the indicators; True when the budget is kept."""
    rows = rows or ROWS
    print(f"\nencounters: {rows:,} rows, {connection.vendor}", flush=True)
    _world()
    now = datetime.now(UTC)
    small = rows // 10
    taken = _timed(lambda: take_encounters(rows=_sent(small), now=now))
    print(f"  {small:,} through take_encounters: {taken}")
    print(f"  and summed up: {_timed(lambda: _sum_all_up(now))}")
    Encounter.objects.all().delete()
    _fill(rows)
    started = time.perf_counter()
    print(f"  rebuild_sums: {_timed(lambda: rebuild_sums(clock=lambda: now))}")
    counted = dict.fromkeys((Grain.WEEK, Grain.MONTH), 0)
    for grain in counted:
        print(f"  every {grain.value}: {_timed(lambda: _collect(grain, counted))}")  # noqa: B023
    assert set(counted.values()) == {rows}, counted
    seconds = time.perf_counter() - started
    budget = BASE_SECONDS + SECONDS_A_MILLION * rows / 1e6
    print(f"  rows to weekly and monthly indicators: {seconds:.1f} s, budget {budget:.0f} s")
    return seconds <= budget


def _timed(step: Callable[[], object]) -> str:
    started, worked = time.perf_counter(), time.process_time()
    step()
    wall, own = time.perf_counter() - started, time.process_time() - worked
    return f"{wall:.1f} s, of which {own:.1f} s here"


def _world() -> None:
    for number in range(UNITS):
        Unit.objects.create(code=f"u{number}", name={"en": f"U{number}"}, opened_on=FIRST)
    for number in range(CHANNELS):
        Channel.objects.create(code=f"c{number}", name={"en": f"C{number}"})
    for number in range(SEGMENTS):
        Segment.objects.create(code=f"s{number}", name={"en": f"S{number}"})


def _sent(count: int) -> Iterator[NewEncounter]:
    chance = random.Random(1)
    units = list(Unit.objects.values_list("pk", flat=True))
    channels = list(Channel.objects.values_list("pk", flat=True))
    start = datetime(FIRST.year, FIRST.month, FIRST.day, 1, tzinfo=UTC)
    for number in range(count):
        at = start + timedelta(minutes=number * DAYS * 1440 // count)
        called = at + timedelta(seconds=chance.randrange(1200))
        yield NewEncounter(
            key=f"sent-{number}",
            unit_id=chance.choice(units),
            arrived_at=at,
            customer=str(chance.randrange(count // 3 + 1)),
            channel_id=chance.choice(channels),
            solved=chance.random() < 0.8,
            steps=[Step("advice", called, called + timedelta(seconds=chance.randrange(900)))],
        )


def _sum_all_up(now: datetime) -> None:
    while sum_up(clock=lambda: now):
        pass


def _fill(rows: int) -> None:
    """Insert plain rows by the database itself: no client writes ten million in a minute."""
    units, channels, segments = (
        min(model._default_manager.values_list("pk", flat=True))
        for model in (Unit, Channel, Segment)
    )
    vendor = connection.vendor
    if vendor == "postgresql":
        series = f"generate_series(0, {rows - 1}) AS t(g)"
        on = f"DATE '{FIRST}' + (g * {DAYS}::bigint / {rows})::int"
        at, chance = f"TIMESTAMPTZ '{FIRST} 01:00Z'", "(random() * {} - 0.5)::int"
        json = "'{}'::jsonb"
    else:
        series = (
            f"(WITH RECURSIVE t(g) AS (SELECT 0 UNION ALL SELECT g + 1 FROM t WHERE g < {rows - 1})"
            " SELECT g FROM t)"
        )
        on = f"date('{FIRST}', '+' || (g * {DAYS} / {rows}) || ' days')"
        at, chance = f"'{FIRST} 01:00:00'", "abs(random() % {})"
        json = "'{}'"
    sql = (
        'INSERT INTO sqcore_encounter (key, unit_id, channel_id, segment_id, shares, "on",'
        " arrived_at, waiting_s, handling_s, solved, reworked, steps, digest, recorded_at)"
        f" SELECT 'e-' || g, {units} + {chance.format(UNITS)}, {channels} + g % {CHANNELS},"
        f" {segments} + g % {SEGMENTS}, {json}, {on}, {at},"
        f" CASE WHEN g % 50 > 0 THEN {chance.format(2000)} END, {chance.format(1500)},"
        " CASE WHEN g % 10 > 0 THEN g % 5 > 0 END, g % 10 = 1,"
        f" {json}, '', {at} FROM {series}"
    )
    with connection.cursor() as cursor:
        if vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")  # no check of foreign keys
        cursor.execute(sql)
        if vendor == "postgresql":
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute("ANALYZE sqcore_encounter")


def _collect(grain: Grain, counted: dict[Grain, int]) -> None:
    source = EncounterSource()
    for period in periods_between(FIRST, FIRST + timedelta(days=DAYS), grain):
        found = source.collect(measures=MEASURES, period=period)
        whole = [at for at, cell in enumerate(found.cells) if not cell.margin]
        counted[grain] += int(found.moments.respondents[whole].sum())
