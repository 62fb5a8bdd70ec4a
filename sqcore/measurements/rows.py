"""Files of measurements: their rows are those that REST takes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import Problem
from sqcore.files.kinds import Intake, RowField, Rows
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.measurements.intake import Check, NewMeasurement
from sqcore.measurements.models import Feed, Measure
from sqcore.measurements.services import take_measurements
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import fiscal_start, local_day

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


def _named(rows: Any) -> dict[str, list[str]]:
    return {code: list(name.values()) for code, name in rows.order_by("code")}
