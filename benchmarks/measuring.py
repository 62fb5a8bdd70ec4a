"""A CSV file of 100,000 measurements taken in, as `manage.py import_measurements` does it.

Daily shares of 50 units over the last days, checked row by row, then taken by the job in one
transaction. The same file again must change nothing; a file in which every tenth value is another
one must leave that many revisions.
"""

import csv
import io
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from benchmarks.side_by_side import report
from sqcore.base.periods import Grain, Period
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, keep_file, take
from sqcore.identity.principals import system_principal
from sqcore.jobs.runner import run_inline
from sqcore.measurements.models import Measure, Observation
from sqcore.measurements.services import define_measure
from sqcore.measurements.sources import MeasurementSource
from sqcore.org.models import Unit

ROWS = 100_000
UNITS, MEASURES = 50, 10
CHANGED_ONE_IN = 10
SECONDS = 60
BY = system_principal("bench")
FIELDS = ("measure", "unit", "period", "numerator", "denominator")


def _file(today: date, *, changed: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(FIELDS)
    for number in range(ROWS):
        rest, unit = divmod(number, UNITS)
        day, measure = divmod(rest, MEASURES)
        errors = number % 7 + (1 if changed and number % changed == 0 else 0)
        on = today - timedelta(days=day + 1)
        writer.writerow([f"measure-{measure}", f"unit-{unit}", on.isoformat(), errors, 200])
    return text.getvalue().encode()


def _imported(content: bytes, now: datetime) -> dict[str, int]:
    kind = ROW_KINDS["measurements"]
    imported = keep_file(kind=kind, file_name="bench.csv", chunks=[content], by=BY, now=now)
    mapping = {"fields": {name: name for name in FIELDS}}
    check(imported=imported, mapping=mapping, by=BY, now=now)
    run_inline(take(imported=imported, by=BY, now=now, tell_worker=False), now=now)
    found = FileImport.objects.get(pk=imported.pk)
    assert found.state == FileImport.State.DONE
    return dict(found.report["counts"])


def _timed(step: Callable[[], object]) -> tuple[float, float]:
    started, worked = time.perf_counter(), time.process_time()
    step()
    return time.process_time() - worked, time.perf_counter() - started


def run() -> bool:
    """Print the scenario; True when its budget is kept. Each import runs once."""
    now = datetime.now(UTC)
    today = now.date()
    first = today - timedelta(days=400)
    Unit.objects.bulk_create(
        Unit(code=f"unit-{n}", name={"en": f"Unit {n}"}, opened_on=first) for n in range(UNITS)
    )
    for number in range(MEASURES):
        define_measure(
            code=f"measure-{number}", name={"en": f"Measure {number}"}, since=first, by=BY, now=now,
            kind=Measure.Kind.SHARE, every=Measure.Every.DAY,
        )  # fmt: skip
    counts: dict[str, dict[str, int]] = {}
    files = {"first": 0, "the same again": 0, "every tenth changed": CHANGED_ONE_IN}
    times = {}
    for name, changed in files.items():
        content = _file(today, changed=changed)
        times[name] = _timed(lambda: counts.update({name: _imported(content, now)}))  # noqa: B023 - called at once
    assert counts["first"]["new"] == ROWS
    assert counts["the same again"]["unchanged"] == ROWS
    assert counts["every tenth changed"]["replaced"] == ROWS // CHANGED_ONE_IN
    assert Observation.objects.current().count() == ROWS
    month = Period.of(today - timedelta(days=60), Grain.MONTH)
    codes = [f"measure-{number}" for number in range(MEASURES)]
    source = MeasurementSource()
    times["a month of all collected"] = _timed(lambda: source.collect(measures=codes, period=month))
    report(f"{ROWS:,} measurements from a file", {n: [cpu] for n, (cpu, _w) in times.items()}, [])
    wall = max(times[name][1] for name in files)
    kept = wall < SECONDS
    print(
        f"  the slowest, checked and taken: {wall:.1f} s wall, {ROWS / wall:,.0f} rows/s,"
        f" budget < {SECONDS} s {'kept' if kept else 'MISSED'}"
    )
    return kept
