"""Encounters as other systems send them: each row is checked and what is wrong is named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import InvalidInput, NotPermitted, Problem
from sqcore.encounters.models import WHOLE, Encounter, Service, Stage
from sqcore.encounters.services import NewEncounter, Step, Taken, take_encounters
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.org.models import Assignment, Channel, Segment, Unit
from sqcore.org.queries import organisation

MOST_AT_ONCE = 10_000
MOST_PROBLEMS = 1_000
MOST_STAGES = 500
LONGEST_KEY = 80
LONGEST = timedelta(days=30)
"""How long after the arrival a stage may end."""
EARLY = timedelta(minutes=5)
"""How far ahead of ours a sender's clock may be."""
NEARLY = 0.001
"""How far from 1 shares may sum: three thirds as .333 are whole."""
KEYS_AT_ONCE = 900

ALLOWED = (Permission.SEND_MEASUREMENTS, Permission.MANAGE_MEASUREMENTS)
TEXTS = {
    "key": LONGEST_KEY, "unit": 50, "arrived_at": 40, "customer": 120, "channel": 50,
    "segment": 50, "service": 50,
}  # fmt: skip
TRUTHS = ("solved", "reworked")
FIELDS = (*TEXTS, *TRUTHS, "shares", "stages")
STAGE_TEXTS = {"stage": 50, "started_at": 40, "ended_at": 40, "staff": 30}

Assigned = Mapping[tuple[str, int], Sequence[tuple[int, date, date | None]]]
Wrong = list[tuple[str, str]]


def receive_encounters(*, rows: Sequence[Any], by: Principal, now: datetime) -> Taken:
    """Check rows as REST has them and take them in, all or none.

    raises: NotPermitted; InvalidInput naming each row and field
    """
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        raise InvalidInput(
            _("Send 1 to %(most)s encounters at once.") % {"most": f"{MOST_AT_ONCE:,}"}
        )
    good, problems = Check.of(by=by, now=now).read(rows)
    if problems:
        raise InvalidInput(
            _("Some encounters cannot be taken; none was stored."),
            problems=problems[:MOST_PROBLEMS],
        )
    with transaction.atomic():
        taken = take_encounters(rows=good, now=now)
        record(
            action="encounters.received",
            subject="encounters",
            by=by,
            now=now,
            details=taken.as_json(),
        )
    return taken


@dataclass
class Check:
    """What rows can refer to, read once; it remembers the keys of the rows that it let through."""

    now: datetime
    zone: ZoneInfo
    scope: Scope
    units: Mapping[str, Unit]
    channels: Mapping[str, int]
    segments: Mapping[str, int]
    services: Mapping[str, int]
    stages: Mapping[str, int]
    staff: Assigned
    seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, *, by: Principal, now: datetime) -> "Check":
        """raises: NotPermitted for who may send encounters of no unit"""
        scope = Scope()
        for permission in ALLOWED:
            scope |= by.scope(permission)
        if not scope:
            raise NotPermitted(_("You may not send encounters for any unit."))
        units = Unit.objects.all() if scope.everywhere else Unit.objects.filter(pk__in=scope.units)
        return cls(
            now=now,
            zone=ZoneInfo(organisation().time_zone),
            scope=scope,
            units={unit.code: unit for unit in units},
            channels=dict(Channel.objects.values_list("code", "id")),
            segments=dict(Segment.objects.values_list("code", "id")),
            services=dict(Service.objects.values_list("code", "id")),
            stages=dict(Stage.objects.values_list("code", "id")),
            staff=_assigned(scope),
        )

    def read(
        self, rows: Sequence[Any], *, first: int = 1
    ) -> tuple[list[NewEncounter], list[Problem]]:
        """Return the rows that can be taken, and every problem by its row, counted from `first`."""
        foreign = self._keys_of_others(rows)
        good: list[NewEncounter] = []
        problems: list[Problem] = []
        for number, row in enumerate(rows, start=first):
            wrong: Wrong = []
            made = self._row(row, number, foreign, wrong)
            problems += [Problem(reason, field=name, row=number) for name, reason in wrong]
            if made is not None and not wrong:
                good.append(made)
        return good, problems

    def _keys_of_others(self, rows: Sequence[Any]) -> set[str]:
        """Return the keys that are taken by encounters of units that the sender may not touch."""
        if self.scope.everywhere:
            return set()
        keys = [row.get("key") for row in rows if isinstance(row, Mapping)]
        texts = [key for key in keys if isinstance(key, str)]
        found: set[str] = set()
        for at in range(0, len(texts), KEYS_AT_ONCE):
            others = Encounter.objects.exclude(unit_id__in=self.scope.units)
            some = others.filter(key__in=texts[at : at + KEYS_AT_ONCE])
            found |= set(some.values_list("key", flat=True))
        return found

    def _row(self, row: Any, number: int, foreign: set[str], wrong: Wrong) -> NewEncounter | None:
        if not isinstance(row, Mapping):
            wrong.append(("", _("must be an object")))
            return None
        wrong.extend(_misfits(row))
        if wrong:
            return None
        unit = self._unit(row, wrong)
        arrived_at = self._arrival(row, unit, wrong)
        self._key(row["key"], number, foreign, wrong)
        places = [self._code(row, name, wrong) for name in ("channel", "segment", "service")]
        if unit is None or arrived_at is None:
            return None
        on = arrived_at.astimezone(self.zone).date()
        steps = [
            step
            for at, stage in enumerate(row.get("stages") or [])
            for step in self._step(stage, f"stages[{at}]", arrived_at, unit.pk, on, wrong)
        ]
        given = row.get("shares")
        shares = self._shares(given, unit.pk, on, wrong) if given else self._alone(steps, unit, on)
        return NewEncounter(
            key=row["key"],
            unit_id=unit.pk,
            arrived_at=arrived_at,
            customer=row.get("customer") or "",
            channel_id=places[0],
            segment_id=places[1],
            service_id=places[2],
            solved=row.get("solved"),
            reworked=row.get("reworked"),
            shares=shares,
            steps=steps,
        )

    # -- what a row refers to
    def _unit(self, row: Mapping[str, Any], wrong: Wrong) -> Unit | None:
        unit = self.units.get(row["unit"])
        if unit is None:
            wrong.append(("unit", _("“%(row)s” is not known, or not yours") % {"row": row["unit"]}))
        return unit

    def _code(self, row: Mapping[str, Any], name: str, wrong: Wrong) -> int | None:
        known = {"channel": self.channels, "segment": self.segments, "service": self.services}
        code = row.get(name)
        if not code:
            return None
        if code not in known[name]:
            wrong.append(
                (name, _("“%(code)s” is not known") % {"code": code} + _near(code, known[name]))
            )
        return known[name].get(code)

    def _key(self, key: str, number: int, foreign: set[str], wrong: Wrong) -> None:
        before = self.seen.setdefault(key, number)
        if before != number:
            wrong.append(("key", _("row %(before)s has the same key") % {"before": before}))
        if key in foreign:
            wrong.append(("key", _("is taken by an encounter of a unit that is not yours")))

    # -- times
    def _arrival(self, row: Mapping[str, Any], unit: Unit | None, wrong: Wrong) -> datetime | None:
        at = self._moment(row["arrived_at"], "arrived_at", wrong)
        if at is not None and unit is not None:
            on = at.astimezone(self.zone).date()
            if on < unit.opened_on or (unit.closed_on is not None and on >= unit.closed_on):
                wrong.append(("arrived_at", _("is on a day on which the unit was not open")))
        return at

    def _moment(self, text: str, name: str, wrong: Wrong) -> datetime | None:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            wrong.append((name, _("is no time; write 2026-03-02T09:30:00+08:00")))
            return None
        if at.tzinfo is None:
            wrong.append((name, _("has no time zone; end it with Z or an offset such as +08:00")))
            return None
        if not 1900 < at.year < 2200:
            wrong.append((name, _("is no time that can be meant")))
            return None
        if at > self.now + EARLY:
            wrong.append((name, _("is in the future")))
            return None
        return at

    def _step(
        self, stage: Any, where: str, arrived_at: datetime, unit_id: int, on: date, wrong: Wrong
    ) -> Iterator[Step]:
        """Yield the step, unless something is wrong with it."""
        before = len(wrong)
        wrong.extend((f"{where}{name}", reason) for name, reason in _stage_misfits(stage))
        if len(wrong) > before:
            return
        start = self._moment(stage["started_at"], f"{where}.started_at", wrong)
        ended = stage.get("ended_at")
        end = self._moment(ended, f"{where}.ended_at", wrong) if ended else None
        if stage["stage"] not in self.stages:
            near = _near(stage["stage"], self.stages)
            wrong.append(
                (f"{where}.stage", _("“%(stage)s” is not known") % {"stage": stage["stage"]} + near)
            )
        if start is not None:
            wrong.extend(
                (f"{where}.{name}", reason) for name, reason in wrong_times(arrived_at, start, end)
            )
        staff = stage.get("staff") or ""
        if staff and self.staff_id(staff, unit_id, on) is None:
            wrong.append((f"{where}.staff", _("nobody of this number works at the unit that day")))
        if start is not None and len(wrong) == before:
            yield Step(stage["stage"], start, end, staff)

    # -- staff
    def staff_id(self, number: str, unit_id: int, on: date) -> int | None:
        for staff_id, first, end in self.staff.get((number, unit_id), ()):
            if first <= on and (end is None or on < end):
                return staff_id
        return None

    def _shares(self, given: Any, unit_id: int, on: date, wrong: Wrong) -> dict[int, int]:
        """Return the shares in 10,000ths; what rounding leaves goes to the largest."""
        shares: dict[int, int] = {}
        for number, share in given.items():
            staff_id = self.staff_id(number, unit_id, on)
            if staff_id is None:
                reason = _("nobody of this number works at the unit that day")
                wrong.append((f"shares.{number[:30]}", reason))
            elif isinstance(share, bool) or not isinstance(share, int | float):
                wrong.append((f"shares.{number}", _("must be a number")))
            elif not 0 < share <= 1:
                wrong.append((f"shares.{number}", _("must be more than 0 and at most 1")))
            else:
                shares[staff_id] = round(share * WHOLE)
        if len(shares) < len(given):
            return {}
        if abs(sum(given.values()) - 1) > NEARLY:
            wrong.append(
                (
                    "shares",
                    _("sum to %(value)s; they must sum to 1")
                    % {"value": f"{sum(given.values()):g}"},
                )
            )
            return {}
        largest = max(shares, key=lambda staff_id: (shares[staff_id], -staff_id))
        shares[largest] += WHOLE - sum(shares.values())
        return shares

    def _alone(self, steps: Sequence[Step], unit: Unit, on: date) -> dict[int, int]:
        """Where shares are not given: one person who did every stage had all of it."""
        numbers = {step.staff for step in steps}
        if len(numbers) != 1:
            return {}
        staff_id = self.staff_id(numbers.pop(), unit.pk, on)
        return {staff_id: WHOLE} if staff_id is not None else {}


def wrong_times(
    arrived_at: datetime, start: datetime, end: datetime | None
) -> Iterator[tuple[str, str]]:
    """Yield what is impossible about a stage's times, by field."""
    if start < arrived_at:
        yield "started_at", _("is before the arrival")
    elif start > arrived_at + LONGEST:
        yield (
            "started_at",
            _("is more than %(days)s days after the arrival") % {"days": LONGEST.days},
        )
    if end is not None and end < start:
        yield "ended_at", _("is before the start of the stage")
    elif end is not None and end > arrived_at + LONGEST:
        yield "ended_at", _("is more than %(days)s days after the arrival") % {"days": LONGEST.days}


def _misfits(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name what has the wrong form: unknown and missing fields, no text where text must be."""
    for name in row:
        if name not in FIELDS:
            yield str(name)[:60], _("is no field of an encounter") + _near(str(name), FIELDS)
    for name in ("key", "unit", "arrived_at"):
        if row.get(name) in (None, ""):
            yield name, _("is missing")
    yield from _wrong_texts(row, TEXTS)
    for name in TRUTHS:
        if row.get(name) is not None and not isinstance(row[name], bool):
            yield name, _("must be true, false or null")
    shares, stages = row.get("shares"), row.get("stages")
    if shares is not None and not isinstance(shares, Mapping):
        yield "shares", _("must be an object: staff number → share")
    if stages is not None and not isinstance(stages, list):
        yield "stages", _("must be a list")
    elif stages is not None and len(stages) > MOST_STAGES:
        yield "stages", _("are more than %(most)s") % {"most": MOST_STAGES}


def _stage_misfits(stage: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(stage, Mapping):
        yield "", _("must be an object")
        return
    for name in stage:
        if name not in STAGE_TEXTS:
            near = _near(str(name), STAGE_TEXTS)
            yield f".{str(name)[:60]}", _("is no field of a stage") + near
    for name in ("stage", "started_at"):
        if stage.get(name) in (None, ""):
            yield f".{name}", _("is missing")
    for name, reason in _wrong_texts(stage, STAGE_TEXTS):
        yield f".{name}", reason


def _wrong_texts(row: Mapping[str, Any], texts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name, longest in texts.items():
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            yield name, _("must be a text")
        elif value is not None and len(value) > longest:
            yield name, _("has more than %(most)s characters") % {"most": longest}


def _near(code: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    near = get_close_matches(code, known, n=1)
    return f"; did you mean “{near[0]}”?" if near else ""


def _assigned(scope: Scope) -> Assigned:
    """Return who works where and when, by staff number and unit."""
    found: dict[tuple[str, int], list[tuple[int, date, date | None]]] = {}
    rows = Assignment.objects.order_by("id")
    if not scope.everywhere:
        rows = rows.filter(unit_id__in=scope.units)
    for number, unit_id, staff_id, first, end in rows.values_list(
        "staff__number", "unit_id", "staff_id", "valid_from", "valid_to"
    ):
        found.setdefault((number, unit_id), []).append((staff_id, first, end))
    return found
