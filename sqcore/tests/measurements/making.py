"""Plain makers for the tests of measurements."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, Scope, system_principal
from sqcore.measurements.models import Equipment, Measure
from sqcore.measurements.services import (
    NewState,
    Taken,
    add_equipment,
    define_measure,
    receive_measurements,
    take_states,
)
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, make_principal

ZONE = ZoneInfo("Asia/Shanghai")
SYSTEM = system_principal("test")


def measure(code: str = "errors", kind: str = "share", **over: Any) -> Measure:
    fields: dict[str, Any] = {
        "name": {"en": code.replace("-", " ").title()},
        "every": "month",
        "since": date(2020, 1, 1),
    }
    return define_measure(code=code, kind=kind, by=SYSTEM, now=NOW, **{**fields, **over})


def sender(unit: Unit | None = None) -> Principal:
    """A token that may send for one unit (without one: for all), and nothing else."""
    scope = Scope(units=frozenset({unit.pk})) if unit else EVERYWHERE
    return make_principal({Permission.SEND_MEASUREMENTS: scope}, key="token:7")


def send(*rows: Any, by: Principal = SYSTEM, now: datetime = NOW) -> Taken:
    return receive_measurements(rows=rows, by=by, now=now)


def share(unit: str, period: str, numerator: int, denominator: int, **over: Any) -> dict[str, Any]:
    row = {"measure": "errors", "unit": unit, "period": period}
    return row | {"numerator": numerator, "denominator": denominator} | over


def machine(code: str, unit: Unit, *, kind: str = "atm", **over: Any) -> Equipment:
    fields: dict[str, Any] = {"installed_on": date(2025, 1, 1), **over}
    return add_equipment(
        code=code, name={"en": code.upper()}, kind=kind, unit=unit, by=SYSTEM, now=NOW, **fields
    )


def tell(equipment: Equipment, *states: tuple[str, str], now: datetime = NOW) -> Taken:
    """States as ("02-03 10:00", "down"), in 2026, in the zone of an organisation without set-up."""
    rows = [
        NewState(equipment.pk, state, datetime.fromisoformat(f"2026-{at}").replace(tzinfo=ZONE))
        for at, state in states
    ]
    return take_states(rows=rows, now=now)
