"""Taking back what was reported: a revision that says so, with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted, Problem
from sqcore.base.periods import Period
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.measurements.models import Measure, Observation
from sqcore.org.models import Unit
from sqcore.org.queries import fiscal_start

LONGEST_REASON = 300
MOST_AT_ONCE = 1_000
NEEDED = ("measure", "unit", "period", "because")
FIELDS = (*NEEDED, "channel", "segment")
SENDERS = (Permission.SEND_MEASUREMENTS, Permission.MANAGE_MEASUREMENTS)


@dataclass(frozen=True)
class Withdrawn:
    """How many values were taken back."""

    count: int

    def as_json(self) -> dict[str, int]:
        return {"withdrawn": self.count}


def withdraw_measurement(
    *, observation: Observation, because: str, by: Principal, now: datetime
) -> Observation:
    """Take back what is current at a place: the next revision says so, and nothing is current
    there until something is reported again. Whatever was computed from it is computed anew.

    raises: NotPermitted; InvalidInput without a reason; Conflict when it is not current any more
    """
    if not any(observation.unit_id in by.scope(permission) for permission in SENDERS):
        raise NotPermitted(_("You may not send measurements for this unit."))
    reason = because.strip()
    if wrong := _wrong_reason(reason):
        problems = [Problem(wrong, field="because")]
        raise InvalidInput(_("Say why it is withdrawn."), problems=problems)
    with transaction.atomic():
        # As who takes measurements in: what is current is read and replaced under this lock.
        Measure.objects.select_for_update().get(pk=observation.measure_id)
        last = Observation.objects.current().filter(pk=observation.pk).first()
        if last is None:
            raise Conflict(_("This value was replaced or withdrawn meanwhile."))
        at = max(now, last.recorded_at)
        Observation.objects.filter(pk=last.pk).update(superseded_at=at)
        withdrawal = Observation.objects.get(pk=last.pk)
        withdrawal.pk = None
        withdrawal.revision += 1
        withdrawal.source = "withdrawal"
        withdrawal.recorded_at = withdrawal.superseded_at = at
        withdrawal.withdrawn_because = reason
        withdrawal.save(force_insert=True)
        record(
            action="measurement.withdrawn",
            subject=f"measure:{last.measure_id}",
            by=by,
            now=now,
            details={
                "unit": last.unit_id,
                "channel": last.channel_id,
                "segment": last.segment_id,
                "starts_on": last.starts_on.isoformat(),
                "revision": withdrawal.revision,
                "because": reason,
            },
        )
    return withdrawal


def _wrong_reason(reason: str) -> str:
    if not reason:
        return _("is missing")
    if len(reason) > LONGEST_REASON:
        return _("has more than %(most)s characters") % {"most": LONGEST_REASON}
    return ""


# ---- Over REST -----------------------------------------------------------------------------------
def withdraw_measurements(*, rows: Sequence[Any], by: Principal, now: datetime) -> Withdrawn:
    """Withdraw the values that rows name by measure, unit, period and perhaps channel and
    segment, each with its reason; all or none.

    raises: NotPermitted; InvalidInput naming each row and field
    """
    if not any(by.may(permission) for permission in SENDERS):
        raise NotPermitted(_("You may not send measurements for any unit."))
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        most = f"{MOST_AT_ONCE:,}"
        raise InvalidInput(_("Send 1 to %(most)s withdrawals at once.") % {"most": most})
    found: dict[int, tuple[Observation, str]] = {}
    problems: list[Problem] = []
    units = {
        unit.code: unit
        for permission in SENDERS
        for unit in Unit.objects.visible_to(by, permission)
    }
    for number, row in enumerate(rows, start=1):
        wrong = list(_misfits(row))
        observation = None if wrong else _named(row, units, wrong)
        if observation is not None and observation.pk in found:
            wrong.append(("period", _("an earlier row is for the same place and period")))
        if observation is not None and not wrong:
            found[observation.pk] = observation, row["because"]
        problems += [Problem(reason, field=name, row=number) for name, reason in wrong]
    if problems:
        message = _("Some values cannot be withdrawn; none was.")
        raise InvalidInput(message, problems=problems)
    with transaction.atomic():
        # In one order, as who takes measurements in: two batches at once do not block each other.
        ids = sorted({observation.measure_id for observation, _because in found.values()})
        list(Measure.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
        for observation, because in found.values():
            withdraw_measurement(observation=observation, because=because, by=by, now=now)
    return Withdrawn(len(found))


def _misfits(row: Any) -> Sequence[tuple[str, str]]:
    """Return what has the wrong form."""
    if not isinstance(row, Mapping):
        return [("", _("must be an object"))]
    wrong = [(str(name)[:60], _("is no field here")) for name in row if name not in FIELDS]
    for name in FIELDS:
        value = row.get(name)
        if value in (None, ""):
            wrong += [(name, _("is missing"))] if name in NEEDED else []
        elif not isinstance(value, str):
            wrong.append((name, _("must be a text")))
        elif name == "because" and (reason := _wrong_reason(value.strip())):
            wrong.append((name, reason))
    return wrong


def _named(
    row: Mapping[str, Any], units: Mapping[str, Unit], wrong: list[tuple[str, str]]
) -> Observation | None:
    """Return the current value that a row names, or note why there is none."""
    unit = units.get(row["unit"])
    if unit is None:
        name = row["unit"][:50]
        wrong.append(("unit", _("“%(code)s” is not known, or not yours") % {"code": name}))
        return None
    try:
        period = Period.parse(row["period"], fiscal_start=fiscal_start())
    except InvalidInput as error:
        wrong.append(("period", error.message))
        return None
    current = Observation.objects.current().filter(
        measure__code=row["measure"],
        unit=unit,
        grain=period.grain,
        starts_on=period.start,
        channel__code=row.get("channel") or None,
        segment__code=row.get("segment") or None,
    )
    found = current.first()
    if found is None:
        wrong.append(("period", _("nothing is current there that could be withdrawn")))
    return found
