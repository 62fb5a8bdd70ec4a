"""States of machines as they are sent or stand in a file: each row is checked, what is wrong is
named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotPermitted, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.measurements.models import Equipment, EquipmentState
from sqcore.measurements.services import MOST_AT_ONCE, NewState, Taken, take_states
from sqcore.org.queries import local_day

FIELDS = ("equipment", "state", "at")
EARLY = timedelta(minutes=5)
"""How far ahead of ours the clock of a machine may be."""

Faults = Iterator[tuple[str, str]]


def receive_states(*, rows: Sequence[Any], by: Principal, now: datetime) -> Taken:
    """Check states as REST has them, `equipment`, `state` and `at`, and take them in, all or none.

    raises: NotPermitted; InvalidInput naming each row and field; Conflict
    """
    check = StateCheck.of(by=by, now=now, permissions=(Permission.SEND_MEASUREMENTS,))
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        raise InvalidInput(_("Send 1 to %(most)s states at once.") % {"most": f"{MOST_AT_ONCE:,}"})
    states, problems = check.read(rows)
    if problems:
        raise InvalidInput(
            _("Some states cannot be taken; none was stored."), problems=problems[:1000]
        )
    return take_states(rows=states, now=now)


@dataclass
class StateCheck:
    """The machines that rows can name; it remembers the moments of the rows it let through."""

    machines: Mapping[str, Equipment]
    now: datetime
    seen: dict[tuple[int, datetime], int] = field(default_factory=dict)
    comes_in_pieces: bool = False
    """Rows are counted anew in each piece, so that an earlier one is not named by its number."""

    @classmethod
    def of(cls, *, by: Principal, now: datetime, permissions: Sequence[Permission]) -> "StateCheck":
        """raises: NotPermitted for who may send states of no unit"""
        scope = Scope()
        for permission in permissions:
            scope |= by.scope(permission)
        if not scope:
            raise NotPermitted(_("You may not send measurements for any unit."))
        machines = Equipment.objects.order_by("pk")
        if not scope.everywhere:
            machines = machines.filter(unit_id__in=scope.units)
        return cls({machine.code: machine for machine in machines}, now)

    def read(self, rows: Sequence[Any]) -> tuple[list[NewState], list[Problem]]:
        """Return the states that can be taken, and every problem by its row, counted from 1."""
        states: list[NewState] = []
        problems: list[Problem] = []
        for number, row in enumerate(rows, start=1):
            found = list(self._row(row, number))
            problems += [
                Problem(each[1], field=each[0], row=number)
                for each in found
                if not isinstance(each, NewState)
            ]
            states += [each for each in found if isinstance(each, NewState)]
        return states, problems

    def _row(self, row: Any, number: int) -> Iterator[NewState | tuple[str, str]]:
        """Yield the state of a row, or what is wrong with it."""
        wrong = list(_misfits(row))
        if wrong:
            yield from wrong
            return
        machine = self.machines.get(row["equipment"])
        at = datetime.fromisoformat(row["at"])
        wrong += self._wrong_moment(machine, at)
        if machine is None:
            name = row["equipment"][:50]
            wrong.append(("equipment", _("“%(code)s” is not known, or not yours") % {"code": name}))
        if row["state"] not in EquipmentState.State.values:
            known = ", ".join(EquipmentState.State.values)
            wrong.append(("state", _("must be one of %(known)s") % {"known": known}))
        if machine is not None and not wrong:
            first = self.seen.get((machine.pk, at))
            if first is None:
                self.seen[machine.pk, at] = number
                yield NewState(machine.pk, row["state"], at)
                return
            wrong.append(("at", self._twice(first)))
        yield from wrong

    def _twice(self, first: int) -> str:
        if self.comes_in_pieces:
            return _("an earlier row is of the same machine and moment")
        return _("row %(number)s is of the same machine and moment") % {"number": first}

    def _wrong_moment(self, machine: Equipment | None, at: datetime) -> Faults:
        if at > self.now + EARLY:
            yield "at", _("is in the future")
        elif machine is not None:
            day = local_day(at)
            if day < machine.installed_on or (machine.retired_on and day >= machine.retired_on):
                yield "at", _("the machine was not installed then")


def _misfits(row: Any) -> Faults:
    """Name what has the wrong form."""
    if not isinstance(row, Mapping):
        yield "", _("must be an object")
        return
    for name in row:
        if name not in FIELDS:
            yield str(name)[:60], _("is no field of a state")
    for name in FIELDS:
        if row.get(name) in (None, ""):
            yield name, _("is missing")
        elif not isinstance(row[name], str):
            yield name, _("must be a text")
    if isinstance(row.get("at"), str) and row["at"]:
        yield from _wrong_form_of_moment(row["at"])


def _wrong_form_of_moment(text: str) -> Faults:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        yield "at", _("must be a moment, such as 2026-05-17T09:30:00Z")
        return
    if at.tzinfo is None:
        yield "at", _("needs its zone: Z, or +08:00")
    elif not 1900 < at.year < 2200:
        yield "at", _("must be from 1900 to 2200")


def told_otherwise(states: Sequence[NewState]) -> dict[tuple[int, datetime], str]:
    """Return what machines told before of the moments of these states, where it was another
    state."""
    if not states:
        return {}
    known = EquipmentState.objects.filter(
        equipment_id__in={state.equipment_id for state in states},
        at__gte=min(state.at for state in states),
        at__lte=max(state.at for state in states),
    )
    new = {(state.equipment_id, state.at): state.state for state in states}
    return {
        (machine, at): told
        for machine, at, told in known.values_list("equipment_id", "at", "state")
        if new.get((machine, at), told) != told
    }
