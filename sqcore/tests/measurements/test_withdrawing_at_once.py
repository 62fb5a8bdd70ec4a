"""Two real connections that withdraw: on SQLite a file, on PostgreSQL a server."""

from datetime import timedelta
from typing import Any

import pytest

from sqcore.measurements.models import Observation
from sqcore.measurements.withdrawal import withdraw_measurements
from sqcore.tests.factories import NOW, make_unit
from sqcore.tests.measurements.making import SYSTEM, measure, send, share
from sqcore.tests.monitoring.test_at_once import in_threads

pytestmark = pytest.mark.django_db(transaction=True)

CODES = [f"errors-{number:02}" for number in range(20)]


def test_two_batches_that_name_measures_in_another_order_do_not_wait_for_each_other() -> None:
    for code in ("north", "south"):
        make_unit(code)
    for code in CODES:
        measure(code)
    send(
        *[
            share(unit, "2026-01", 5, 200, measure=code)
            for code in CODES
            for unit in ["north", "south"]
        ]
    )

    def withdraw(unit: str, codes: list[str]) -> None:
        rows: list[dict[str, Any]] = [
            {"measure": code, "unit": unit, "period": "2026-01", "because": "Wrong"}
            for code in codes
        ]
        withdraw_measurements(rows=rows, by=SYSTEM, now=NOW + timedelta(hours=1))

    in_threads(lambda: withdraw("north", CODES), lambda: withdraw("south", CODES[::-1]))

    assert not Observation.objects.current().exists()
    assert Observation.objects.exclude(withdrawn_because="").count() == 40
