"""The ledger and its way to payroll: what was wrong is taken back by another entry, what is paid is
frozen in batches.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from sqcore.achievements.models import Kind
from sqcore.achievements.services import take_back
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.files.writing import WRITERS
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day, organisation
from sqcore.performance.models import Look
from sqcore.performance.services import note_look
from training.incentives.guards import (
    LONGEST_REASON,
    checked_text,
    note_act,
    person_other_than,
    require_everywhere,
)
from training.incentives.models import BatchLine, LedgerEntry, PayrollBatch, Scheme
from training.incentives.queries import batch_lines, batch_of, entries_to_pay

COLUMNS = ("staff", "amount", "currency", "period", "scheme", "unit", "entry")
"""Of a payroll file. No names: they change, and the file must stay the same."""


@transaction.atomic
def reverse_entry(*, entry_id: int, reason: str, by: Principal, now: datetime) -> LedgerEntry:
    """Take back what was granted wrongly by an entry of the opposite amount; the budget gets it
    back. Somebody else than who granted it does so, and nobody for themselves.

    raises: NotFound; NotPermitted; InvalidInput; Conflict when it was taken back already
    """
    entry = (
        LedgerEntry.objects.visible_to(by)
        .select_for_update(of=("self",))
        .select_related("scheme")
        .filter(pk=entry_id)
        .first()
    )
    if entry is None:
        raise NotFound(_("There is no such entry of the ledger."))
    by.require(Permission.APPROVE_AWARDS, unit_id=entry.unit_id)
    user = person_other_than(entry.staff_id, by)
    if user.pk == entry.entered_by_id:
        raise NotPermitted(_("Somebody else than who granted an award takes it back."))
    said = checked_text(reason, most=LONGEST_REASON, name="reason")
    if entry.reverses_id is not None or LedgerEntry.objects.filter(reverses=entry).exists():
        raise Conflict(_("This entry cannot be taken back, or was already."))
    back = LedgerEntry.objects.create(
        key=f"back:{entry.pk}",
        staff_id=entry.staff_id,
        unit_id=entry.unit_id,
        scheme=entry.scheme,
        reverses=entry,
        period_start=entry.period_start,
        amount=-entry.amount,
        currency=entry.currency,
        title=entry.title,
        reason=said,
        entered_by=user,
        entered_at=now,
    )
    take_back(
        staff_id=entry.staff_id,
        kind=Kind.AWARD,
        title=entry.title,
        reference=f"award:{entry.pk}",
        reason=_("The award was taken back."),
        now=now,
    )
    details = {"entry": entry.pk, "amount": back.amount}
    note_act("award.reversed", f"ledger:{back.pk}", by, now, details)
    return back


@transaction.atomic
def freeze_batch(*, currency: str, through: date, by: Principal, now: datetime) -> PayrollBatch:
    """Freeze the entries of pay until a day that no batch has yet: each is paid in one batch only.

    raises: NotPermitted; InvalidInput for a day to come; Conflict when there is nothing to pay
    """
    require_everywhere(by, Permission.MANAGE_AWARDS)
    if by.user is None:
        raise NotPermitted(_("People freeze payroll batches, no program does."))
    if through > local_day(now):
        reason = _("Choose a day that is not to come.")
        raise InvalidInput(reason, problems=[Problem(reason, field="through")])
    # Who freezes at the same time waits here, and then finds nothing left.
    schemes = Scheme.objects.select_for_update(of=("self",)).filter(kind=Scheme.Kind.PAY)
    list(schemes.order_by("id").values_list("id", flat=True))
    zone = ZoneInfo(organisation().time_zone)
    ended = datetime.combine(through + timedelta(days=1), time.min, tzinfo=zone)
    entries = list(
        entries_to_pay(currency)
        .filter(entered_at__lt=ended)
        .select_related("staff", "unit", "scheme")
    )
    if not entries:
        raise Conflict(_("There is nothing to pay in this currency until that day."))
    last = PayrollBatch.objects.aggregate(last=Max("number"))["last"] or 0
    batch = PayrollBatch.objects.create(
        number=last + 1,
        through=through,
        currency=currency,
        total=sum(entry.amount for entry in entries),
        people=len({entry.staff_id for entry in entries}),
        content_hash=_hash([_cells(entry) for entry in entries]),
        frozen_by=by.user,
        frozen_at=now,
    )
    BatchLine.objects.bulk_create([BatchLine(batch=batch, entry=entry) for entry in entries])
    details = {"total": batch.total, "lines": len(entries), "hash": batch.content_hash}
    note_act("payroll.frozen", f"batch:{batch.pk}", by, now, details)
    return batch


def _cells(entry: LedgerEntry) -> list[str | int]:
    """Return a line of a payroll file: codes and numbers that do not change."""
    return [
        entry.staff.number,
        entry.amount,
        entry.currency,
        entry.period_start.isoformat(),
        entry.scheme.code,
        entry.unit.code,
        entry.key,
    ]


def _hash(lines: Sequence[Sequence[str | int]]) -> str:
    text = json.dumps(lines, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def payroll_file(*, number: int, form: str, by: Principal, now: datetime) -> tuple[str, bytes]:
    """Return the name and content of a batch as `csv` or `xlsx`, the same bytes each time.

    Amounts are in minor units: whole numbers that no spreadsheet rounds.

    raises: NotPermitted; NotFound; InvalidInput; Conflict when its lines are not what was frozen
    """
    require_everywhere(by, Permission.VIEW_AWARDS)
    if form not in WRITERS:
        raise InvalidInput(_("A payroll batch is had as csv or xlsx."))
    batch = batch_of(by, number)
    lines = [_cells(line.entry) for line in batch_lines(batch)]
    if _hash(lines) != batch.content_hash:
        raise Conflict(
            _("The lines of this batch are not those that were frozen. Ask who runs it.")
        )
    content = b"".join(WRITERS[form](COLUMNS, lines))
    note_act("payroll.exported", f"batch:{batch.pk}", by, now, {"form": form, "lines": len(lines)})
    paid = paid_by_result(LedgerEntry.objects.filter(line__batch=batch))
    note_look(staff_ids=paid, way=Look.Way.EXPORT, by=by, now=now)
    return f"payroll-{batch.number}-{batch.currency}.{form}", content


def paid_by_result(entries: QuerySet[LedgerEntry]) -> list[int]:
    """Return the people whose own result can be told from the amounts of these entries."""
    found = entries.order_by().values_list(
        "staff_id", "proposal__basis__run", "reverses__proposal__basis__run"
    )
    return [staff for staff, *runs in found if any(run is not None for run in runs)]
