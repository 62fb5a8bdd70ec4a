"""KPI series over REST: our list beside raw SQL in a bare Django view and beside stock DRF.

One million KPI values in SQLite, one series of one unit and indicator asked for with a token, the
first page of fifty. All candidates answer through Django's own WSGI handler in this process; the
answers are compared byte for byte (stock DRF: value for value) before anything is timed.

    python -m benchmarks.kpi_rest
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from sqcore.access.services import make_token
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import system_principal
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.org.models import Placement, Unit

UNITS, MONTHS = 200, 36
MARGINS = [("", ""), *(("channel", code) for code in ("counter", "telephone", "app", "agent"))]
CODES = [
    ("composite", "composite"),
    *(("dimension", f"dimension-{number}") for number in range(5)),
    *(("indicator", f"indicator-{number}") for number in range(22)),
]
NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)


def fill() -> None:
    """Write 200 units x 36 months x 28 codes x 5 margins = 1,008,000 values."""
    if KpiValue.objects.exists():
        return
    with transaction.atomic():
        system, runs, units = _ground()
        with connection.cursor() as cursor:
            cursor.executemany(_insert(), _rows(system, runs, units))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _ground() -> tuple[IndicatorSystem, list[EvaluationRun], list[Unit]]:
    first = date(2023, 1, 1)
    system = IndicatorSystem.objects.create(code="service", name={"en": "Service quality"})
    version = SystemVersion.objects.create(
        system=system, number=1, state="published", since=first, published_at=NOW
    )
    units = Unit.objects.bulk_create(
        Unit(code=f"unit-{number}", name={"en": f"Unit {number}"}, opened_on=first)
        for number in range(UNITS)
    )
    Placement.objects.bulk_create(
        Placement(unit=unit, parent=units[0] if unit is not units[0] else None, valid_from=first)
        for unit in units
    )
    runs, period = [], Period.of(first, Grain.MONTH)
    for _month in range(MONTHS):
        runs.append(
            EvaluationRun(
                system=system, version=version, grain="month", starts_on=period.start,
                ends_on=period.end, is_current=True, state="published", reason="closed",
                created_at=NOW, published_at=NOW,
            )
        )  # fmt: skip
        period = period.next
    return system, EvaluationRun.objects.bulk_create(runs), units


def _columns() -> list[str]:
    return [field.column for field in KpiValue._meta.concrete_fields if not field.primary_key]


def _insert() -> str:
    columns = _columns()
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {KpiValue._meta.db_table} ({', '.join(columns)}) VALUES ({marks})"


def _rows(
    system: IndicatorSystem, runs: list[EvaluationRun], units: list[Unit]
) -> Iterator[tuple[Any, ...]]:
    """One row in fifty is suppressed; the numbers have as many digits as real ones."""
    chance = random.Random(7)
    columns = _columns()
    for run in runs:
        for unit in units:
            for margin, margin_value in MARGINS:
                for kind, code in CODES:
                    row = {
                        "run_id": run.pk, "is_current": True, "system_id": system.pk,
                        "grain": "month", "starts_on": run.starts_on.isoformat(),
                        "unit_id": unit.pk, "margin": margin, "margin_value": margin_value,
                        "kind": kind, "code": code, "status": "suppressed", "reason": "small",
                    }  # fmt: skip
                    if chance.random() > 0.02:
                        score = 40 + 50 * chance.random()
                        row |= {"status": "ok", "reason": "", "score": score, "n": 120,
                                "score_low": score - 1.7, "score_high": score + 1.7,
                                "coverage": 1.0}  # fmt: skip
                        if kind == "indicator":
                            row |= {"value": score / 15, "low": score / 15 - 0.1,
                                    "high": score / 15 + 0.1}  # fmt: skip
                    yield tuple(row.get(column) for column in columns)


def token() -> str:
    """Return a fresh token that sees results everywhere."""
    now = datetime.now(UTC)
    _token, key = make_token(
        name="bench", permissions=[Permission.VIEW_RESULTS], units=[],
        expires_at=now + timedelta(days=1), by=system_principal(), now=now,
    )  # fmt: skip
    return key
