"""Files of encounters: one row an encounter, or one row an event of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import Problem
from sqcore.encounters.intake import EARLY, LONGEST_KEY, Check
from sqcore.encounters.models import WHOLE, Service, Stage
from sqcore.encounters.services import (
    NewEncounter,
    Step,
    define_stage,
    take_encounters,
)
from sqcore.files.cells import normal, with_zone
from sqcore.files.kinds import Intake, RowField, Rows
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit

PLACES = (
    RowField(
        "unit",
        gettext_lazy("Unit"),
        guess=r"unit|branch|store|site|office|department|网点|机构|支行|门店|部门",
        required=True,
    ),
    RowField("channel", gettext_lazy("Channel"), guess=r"channel|渠道"),
    RowField("segment", gettext_lazy("Segment"), guess=r"segment|客群|客户类型"),
    RowField("service", gettext_lazy("Service"), guess=r"service|product|业务|服务"),
    RowField("customer", gettext_lazy("Customer number"), guess=r"customer|client|客户号|客户编号"),
)
ENCOUNTER_FIELDS = (
    RowField(
        "key",
        gettext_lazy("Your key of the encounter"),
        guess=r"^key$|^id$|ticket|number|流水|编号|单号",
        required=True,
    ),
    *PLACES,
    RowField(
        "arrived_at",
        gettext_lazy("Arrival"),
        "moment",
        guess=r"arriv|taken|drawn|queued|到达|取号|进线",
        required=True,
    ),
    RowField("stage", gettext_lazy("Stage that served the customer"), guess=r"^stage$|环节"),
    RowField(
        "started_at", gettext_lazy("Service began"), "moment", r"start|begin|called|开始|叫号"
    ),
    RowField("ended_at", gettext_lazy("Service ended"), "moment", r"end|finish|done|结束|完成"),
    RowField("staff", gettext_lazy("Staff number"), guess=r"staff|agent|teller|employee|工号|柜员"),
    RowField(
        "solved", gettext_lazy("Solved at first contact"), "truth", r"solved|resolved|fcr|解决"
    ),
    RowField("reworked", gettext_lazy("Reworked"), "truth", r"rework|返工"),
)
EVENT_FIELDS = (
    RowField(
        "case",
        gettext_lazy("Case: the encounter an event belongs to"),
        guess=r"case|trace|ticket|案例|流水",
        required=True,
    ),
    RowField(
        "activity",
        gettext_lazy("Activity: becomes a stage"),
        guess=r"activity|event|stage|concept:name|活动|环节",
        required=True,
    ),
    RowField("at", gettext_lazy("Time"), "moment", r"time|date|时间", required=True),
    RowField(
        "resource",
        gettext_lazy("Resource: who did it"),
        guess=r"resource|staff|agent|资源|人员|工号",
    ),
    RowField(
        "lifecycle", gettext_lazy("Start or complete"), guess=r"lifecycle|transition|生命周期"
    ),
    *PLACES,
)  # fmt: skip
STARTS = {"start", "started", "begin", "开始"}
ENDS = {"complete", "completed", "end", "finish", "完成", "结束"}


class EncounterRows:
    """One row an encounter, with at most one stage."""

    key = "encounters"
    permission = Permission.MANAGE_MEASUREMENTS
    fields: Sequence[RowField] = ENCOUNTER_FIELDS

    @property
    def title(self) -> str:
        return _("Files of encounters")

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return _place_codes() | {"stage": _named(Stage.objects.values_list("code", "name"))}

    def open(self, *, by: Principal, now: datetime) -> Intake:
        return EncounterIntake(Check.of(by=by, now=now))


class EventRows:
    """One row an event: case, activity, time, and who did it. A case is an encounter."""

    key = "events"
    permission = Permission.MANAGE_MEASUREMENTS
    fields: Sequence[RowField] = EVENT_FIELDS

    @property
    def title(self) -> str:
        return _("Event logs of encounters")

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return _place_codes()

    def open(self, *, by: Principal, now: datetime) -> Intake:
        return EventIntake(Check.of(by=by, now=now), by)


def _place_codes() -> dict[str, Mapping[str, Sequence[str]]]:
    return {
        "unit": _named(Unit.objects.values_list("code", "name")),
        "channel": _named(Channel.objects.values_list("code", "name")),
        "segment": _named(Segment.objects.values_list("code", "name")),
        "service": _named(Service.objects.values_list("code", "name")),
    }


def _named(rows: Any) -> dict[str, list[str]]:
    return {code: list(name.values()) for code, name in rows.order_by("code")}


# ---- One row an encounter ------------------------------------------------------------------------


class EncounterIntake:
    """Checks piece by piece and takes all in at the end, in one transaction."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._passed = 0
        self._good: list[NewEncounter] = []
        self._rows: list[NewEncounter] = []

    def problems(self, rows: Rows) -> list[Problem]:
        first = self._passed + 1
        self._passed += len(rows)
        made = [_as_sent(row, self._check.zone) for row in rows]
        self._good, problems = self._check.read(made, first=first)
        return [
            Problem(each.reason, field=_column(each.field), row=(each.row or first) - first + 1)
            for each in problems
        ]

    def store(self, rows: Rows) -> None:
        """Keep what the last check of these rows let through, until the end."""
        self._rows += self._good
        self._good = []

    def finish(self) -> Mapping[str, int]:
        return take_encounters(rows=self._rows, now=self._check.now).as_json()


STAGE_FIELDS = ("stage", "started_at", "ended_at", "staff")


def _as_sent(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return a row of a file as REST takes it."""
    sent = {name: value for name, value in row.items() if name not in STAGE_FIELDS}
    for name in ("key", "customer"):
        if name in sent:
            sent[name] = str(sent[name])
    if "arrived_at" in sent:
        sent["arrived_at"] = with_zone(sent["arrived_at"], zone)
    stage = {name: str(row[name]) for name in STAGE_FIELDS if name in row}
    for name in ("started_at", "ended_at"):
        if name in stage:
            stage[name] = with_zone(stage[name], zone)
    if "staff" in stage and not {"started_at", "ended_at"} & set(stage):
        sent["shares"] = {stage["staff"]: 1}
    elif set(stage) - {"stage"}:
        sent["stages"] = [stage]
    return sent


def _column(name: str) -> str:
    if name.startswith("shares"):
        return "staff"
    return re.sub(r"^stages\[\d+\]\.?", "", name)


# ---- One row an event ----------------------------------------------------------------------------


class Event(NamedTuple):
    at: datetime
    activity: str
    resource: str
    kind: str


@dataclass
class Case:
    """What the events of a case have said of it; the first to name a place decides."""

    unit: Unit
    places: dict[str, int | None]
    customer: str
    events: list[Event] = field(default_factory=list)


class EventIntake:
    """Gathers the events of a whole file by case, and takes all cases in at the end.

    An activity that is no stage yet becomes one. A resource that is nobody's staff number stays as
    a name of the log on its stages, and has no share. An event without a resource was done by
    somebody or something unknown: it counts as an event, and its case is nobody's alone.
    """

    def __init__(self, check: Check, by: Principal) -> None:
        self._check = check
        self._by = by
        self._cases: dict[str, Case] = {}

    def problems(self, rows: Rows) -> list[Problem]:
        return [
            Problem(reason, field=name, row=number)
            for number, row in enumerate(rows, start=1)
            for name, reason in self._wrong(row)
        ]

    def _wrong(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name in ("case", "activity", "at", "unit"):
            if not row.get(name):
                yield name, _("is missing")
        if len(str(row.get("case", ""))) > LONGEST_KEY:
            yield "case", _("has more than %(most)s characters") % {"most": LONGEST_KEY}
        if row.get("unit") and row["unit"] not in self._check.units:
            yield "unit", _("is not known, or not yours")
        for name, known in self._known().items():
            if row.get(name) and row[name] not in known:
                yield name, _("is not known")
        kind = normal(row.get("lifecycle") or "")
        if kind and kind not in STARTS | ENDS:
            yield "lifecycle", _("is neither start nor complete")
        if row.get("at") and self._moment(row) > self._check.now + EARLY:
            yield "at", _("is in the future")

    def _known(self) -> Mapping[str, Mapping[str, int]]:
        check = self._check
        return {
            "channel": check.channels,
            "segment": check.segments,
            "service": check.services,
        }

    def _moment(self, row: Mapping[str, Any]) -> datetime:
        return datetime.fromisoformat(with_zone(row["at"], self._check.zone))

    def store(self, rows: Rows) -> None:
        for row in rows:
            known = self._known()
            case = self._cases.setdefault(
                str(row["case"]),
                Case(
                    unit=self._check.units[row["unit"]],
                    places={name: codes.get(row.get(name, "")) for name, codes in known.items()},
                    customer=str(row.get("customer", "")),
                ),
            )
            kind = normal(row.get("lifecycle") or "")
            resource = str(row.get("resource", ""))[:30]
            case.events.append(
                Event(
                    self._moment(row),
                    str(row["activity"]),
                    resource,
                    "start" if kind in STARTS else "complete" if kind in ENDS else "",
                )
            )

    def finish(self) -> Mapping[str, int]:
        stages, made = self._stages()
        encounters = (self._encounter(key, case, stages) for key, case in self._cases.items())
        taken = take_encounters(rows=encounters, now=self._check.now)
        return {"encounters": len(self._cases), "new_stages": made, **taken.as_json()}

    def _stages(self) -> tuple[dict[str, str], int]:
        """Return the code of each activity's stage, and how many were made for them."""
        codes: dict[str, str] = {}
        for code, name in Stage.objects.order_by("-pk").values_list("code", "name"):
            codes |= {normal(text): code for text in (code, *name.values())}
        activities = {event.activity for case in self._cases.values() for event in case.events}
        fresh = sorted(name for name in activities if normal(name) not in codes)
        taken = set(codes.values())
        for position, name in enumerate(fresh, start=len(taken)):
            code = stage_code(name)
            if code in taken:
                codes[normal(name)] = code
                continue
            phase = Stage.Phase.EXECUTION
            define_stage(
                code=code,
                name={"en": name},
                phase=phase,
                position=position,
                by=self._by,
                now=self._check.now,
            )
            taken.add(code)
            codes[normal(name)] = code
        return {name: codes[normal(name)] for name in activities}, len(fresh)

    def _encounter(self, key: str, case: Case, stages: Mapping[str, str]) -> NewEncounter:
        steps = steps_of(case.events, stages)
        arrived_at = min(event.at for event in case.events)
        return NewEncounter(
            key=key,
            unit_id=case.unit.pk,
            arrived_at=arrived_at,
            customer=case.customer,
            channel_id=case.places["channel"],
            segment_id=case.places["segment"],
            service_id=case.places["service"],
            shares=self._shares(case, arrived_at),
            steps=steps,
        )

    def _shares(self, case: Case, arrived_at: datetime) -> dict[int, int]:
        """One person who did every event had all of it; more is not known from a log."""
        resources = {event.resource for event in case.events}
        on = arrived_at.astimezone(self._check.zone).date()
        staff_id = (
            self._check.staff_id(resources.pop(), case.unit.pk, on) if len(resources) == 1 else None
        )
        return {} if staff_id is None else {staff_id: WHOLE}


def stage_code(activity: str) -> str:
    """Return the code of the stage that an activity becomes.

    >>> stage_code("CODE OK"), stage_code("取号")
    ('code-ok', 'stage-fd6bf1f3')
    """
    plain = slugify(activity)[:50]
    return plain or f"stage-{blake2b(activity.encode(), digest_size=4).hexdigest()}"


def steps_of(events: Sequence[Event], stages: Mapping[str, str]) -> list[Step]:
    """Return the stages of a case: a start and the next completion of the same activity are one.

    A completion without a start is a stage of which only a moment is known; its end stays open, so
    that nobody takes it for a stage of no length.
    """
    steps: list[Step] = []
    begun: dict[str, list[int]] = {}
    for event in sorted(events, key=lambda event: event.at):
        code = stages[event.activity]
        waiting = begun.setdefault(code, [])
        if event.kind == "complete" and waiting:
            at = waiting.pop(0)
            steps[at] = steps[at]._replace(ended_at=event.at)
            continue
        if event.kind == "start":
            waiting.append(len(steps))
        steps.append(Step(code, event.at, None, event.resource))
    return steps
