"""Files of measurements and of states of machines: their rows are those that REST takes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import Problem
from sqcore.base.text import in_all_languages
from sqcore.files.cells import with_zone
from sqcore.files.kinds import Intake, RowField, Rows
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.measurements.intake import Check, NewMeasurement
from sqcore.measurements.models import Equipment, EquipmentState, Feed, Measure
from sqcore.measurements.services import NewState, take_measurements, take_states
from sqcore.measurements.states import StateCheck, told_otherwise
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import fiscal_start, local_day, organisation

FIELDS = (
    RowField(
        "measure", gettext_lazy("Measure"), guess=r"measure|indicator|指标|度量", required=True
    ),
    RowField(
        "unit",
        gettext_lazy("Unit"),
        guess=r"unit|branch|store|site|office|department|网点|机构|支行|门店|部门",
        required=True,
    ),
    RowField("channel", gettext_lazy("Channel"), guess=r"channel|渠道"),
    RowField("segment", gettext_lazy("Segment"), guess=r"segment|客群|客户类型"),
    RowField(
        "period", gettext_lazy("Period (2026-05, 2026-W21)"), guess=r"period|month|week|期间|月份"
    ),
    RowField("starts_on", gettext_lazy("First day of the period"), "day", r"date|^day$|日期"),
    RowField("value", gettext_lazy("Value of one reading"), "number", r"value|reading|数值|读数"),
    RowField("n", gettext_lazy("Number of readings"), "number", r"^n$|count|readings|次数|数量"),
    RowField("sum", gettext_lazy("Sum of readings"), "number", r"^sum$|合计"),
    RowField("sum_of_squares", gettext_lazy("Sum of their squares"), "number", r"squares|平方和"),
    RowField("numerator", gettext_lazy("Numerator"), "number", r"numerator|errors|分子"),
    RowField(
        "denominator",
        gettext_lazy("Denominator"),
        "number",
        guess=r"denominator|exposure|^total$|分母|总数",
    ),
    RowField("unit_of_measure", gettext_lazy("Unit of measure"), guess=r"unit of measure|单位"),
)


class MeasurementIntake:
    """Checks piece by piece and takes all in at the end, in one transaction."""

    def __init__(self, check: Check, now: datetime) -> None:
        self._check = check
        self._now = now
        self._good: list[NewMeasurement] = []
        self._rows: list[NewMeasurement] = []

    def problems(self, rows: Rows) -> list[Problem]:
        self._good, problems = self._check.read(rows)
        return problems

    def store(self, rows: Rows) -> None:
        """Keep what the last check of these rows let through, until the end."""
        self._rows += self._good
        self._good = []

    def finish(self) -> Mapping[str, int]:
        return take_measurements(rows=self._rows, source="file", now=self._now).as_json()


class MeasurementRows:
    key = "measurements"
    permission = Permission.MANAGE_MEASUREMENTS
    fields: Sequence[RowField] = FIELDS

    @property
    def title(self) -> str:
        return _("Files of measurements")

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {
            "measure": _named(Measure.objects.values_list("code", "name")),
            "unit": _named(Unit.objects.values_list("code", "name")),
            "channel": _named(Channel.objects.values_list("code", "name")),
            "segment": _named(Segment.objects.values_list("code", "name")),
            "feed": _named(Feed.objects.values_list("code", "name")),
        }

    def open(self, *, by: Principal, now: datetime) -> Intake:
        check = Check.of(by=by, today=local_day(now), fiscal_start=fiscal_start())
        check.comes_in_pieces = True
        return MeasurementIntake(check, now)


# ---- States of machines --------------------------------------------------------------------------
STATE_FIELDS = (
    RowField(
        "equipment",
        gettext_lazy("Machine"),
        guess=r"equipment|machine|device|^atm|terminal|设备|机器|终端",
        required=True,
    ),
    RowField("state", gettext_lazy("State"), guess=r"state|status|状态", required=True),
    RowField("at", gettext_lazy("Since"), "moment", r"^at$|time|since|from|时间", required=True),
)
STATE_WORDS = {
    "up": ("ok", "on", "online", "works", "in service"),
    "degraded": ("limited", "partly"),
    "down": ("off", "offline", "out of service", "fault"),
}
"""What other systems call the states, besides the words of the pages."""


class StateIntake:
    """Checks piece by piece and takes all in at the end, in one transaction."""

    def __init__(self, check: StateCheck, zone: ZoneInfo) -> None:
        self._check = check
        self._zone = zone
        self._good: list[NewState] = []
        self._states: list[NewState] = []

    def problems(self, rows: Rows) -> list[Problem]:
        sent = [
            row | {"at": with_zone(row["at"], self._zone)} if row.get("at") else row
            for row in map(dict, rows)
        ]
        self._good, problems = self._check.read(sent)
        return problems + self._contradictions(sent)

    def _contradictions(self, sent: Rows) -> list[Problem]:
        """Name rows of a moment of which the machine told another state before."""
        told = told_otherwise(self._good)
        if not told:
            return []
        machines = self._check.machines
        found = []
        for number, row in enumerate(sent, start=1):
            machine, at = machines.get(row.get("equipment", "")), row.get("at")
            before = machine and at and told.get((machine.pk, datetime.fromisoformat(at)))
            if before:
                reason = _("it told “%(state)s” of this moment before") % {"state": before}
                found.append(Problem(reason, field="state", row=number))
        self._good = [each for each in self._good if (each.equipment_id, each.at) not in told]
        return found

    def store(self, rows: Rows) -> None:
        """Keep what the last check of these rows let through, until the end."""
        self._states += self._good
        self._good = []

    def finish(self) -> Mapping[str, int]:
        return take_states(rows=self._states, now=self._check.now).as_json()


class StateRows:
    key = "equipment-states"
    permission = Permission.MANAGE_MEASUREMENTS
    fields: Sequence[RowField] = STATE_FIELDS

    @property
    def title(self) -> str:
        return _("Files of states of machines")

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        states = {
            state.value: [*in_all_languages(state.label).values(), *STATE_WORDS[state.value]]
            for state in EquipmentState.State
        }
        return {
            "equipment": _named(Equipment.objects.values_list("code", "name")),
            "state": states,
        }

    def open(self, *, by: Principal, now: datetime) -> Intake:
        allowed = (Permission.SEND_MEASUREMENTS, Permission.MANAGE_MEASUREMENTS)
        check = StateCheck.of(by=by, now=now, permissions=allowed)
        check.comes_in_pieces = True
        return StateIntake(check, ZoneInfo(organisation().time_zone))


def _named(rows: Any) -> dict[str, list[str]]:
    return {code: list(name.values()) for code, name in rows.order_by("code")}
