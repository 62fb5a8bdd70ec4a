"""The ledger of awards, and the batches in which it goes to payroll."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.utils.translation import gettext as _

from sqcore.base.errors import NotPermitted
from sqcore.base.periods import title_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from training.incentives.marks import Mark, period_of
from training.incentives.models import LedgerEntry, PayrollBatch, Scheme
from training.incentives.queries import batch_lines, batches_seen_by, ledger_seen_by, unpaid_totals
from training.incentives.readers import sees_awards_of_all, writes_schemes
from training.incentives.wording import money

PER_PAGE = 25


@dataclass(frozen=True)
class EntryRow:
    entry: LedgerEntry
    amount: str
    period: str
    state: Mark
    may_reverse: bool


@dataclass(frozen=True)
class LedgerPage:
    page: Page[LedgerEntry]
    rows: list[EntryRow]
    schemes: list[tuple[str, str]]
    text: str
    scheme: str
    sees_payroll: bool


def ledger_page(*, principal: Principal, text: str, scheme: str, page: str) -> LedgerPage:
    """raises: NotPermitted for who sees the awards of nobody"""
    principal.require(Permission.VIEW_AWARDS)
    words = text.strip()[:100]
    found = ledger_seen_by(principal).select_related("reversal", "line__batch", "entered_by")
    if words:
        found = found.filter(Q(staff__name__icontains=words) | Q(staff__number__iexact=words))
    if scheme:
        found = found.filter(scheme__code=scheme)
    shown = Paginator(found, PER_PAGE).get_page(page)
    offered = [(each.code, str(each)) for each in Scheme.objects.visible_to(principal)]
    return LedgerPage(
        page=shown,
        rows=[row_of(each, principal) for each in shown.object_list],
        schemes=[("", _("All schemes")), *sorted(offered, key=lambda each: each[1])],
        text=words,
        scheme=scheme,
        sees_payroll=sees_awards_of_all(principal),
    )


def row_of(entry: LedgerEntry, principal: Principal) -> EntryRow:
    reversal = getattr(entry, "reversal", None)
    line = getattr(entry, "line", None)
    if entry.reverses_id is not None:
        state = Mark(_("Takes back an award"), "watch", "retry")
    elif reversal is not None:
        state = Mark(_("Taken back"), "", "close")
    elif line is not None:
        state = Mark(_("In payroll batch %(n)s") % {"n": line.batch.number}, "good", "check")
    else:
        state = Mark(_("Stands"), "good", "check")
    return EntryRow(
        entry=entry,
        amount=money(entry.amount, entry.currency) if entry.currency else "–",
        period=title_of(period_of(entry.scheme, entry.period_start)),
        state=state,
        may_reverse=reversal is None
        and entry.reverses_id is None
        and _takes_back(principal, entry),
    )


def _takes_back(principal: Principal, entry: LedgerEntry) -> bool:
    if principal.user is None or entry.staff_id == principal.staff_id:
        return False
    other = entry.entered_by_id != principal.user.pk
    return other and principal.may(Permission.APPROVE_AWARDS, unit_id=entry.unit_id)


def entry_row(*, principal: Principal, entry_id: int) -> EntryRow | None:
    found = ledger_seen_by(principal).select_related("reversal", "line__batch", "entered_by")
    entry = found.filter(pk=entry_id).first()
    return row_of(entry, principal) if entry else None


@dataclass(frozen=True)
class BatchRow:
    batch: PayrollBatch
    total: str


@dataclass(frozen=True)
class BatchesPage:
    page: Page[PayrollBatch]
    rows: list[BatchRow]
    open: list[tuple[str, int, str]]
    may_freeze: bool


def _require_payroll(principal: Principal) -> None:
    principal.require(Permission.VIEW_AWARDS)
    if not sees_awards_of_all(principal):
        raise NotPermitted(_("Payroll belongs to the whole organisation, you see a part of it."))


def batches_page(*, principal: Principal, page: str) -> BatchesPage:
    """Return the batches, and by currency what no batch has yet.

    raises: NotPermitted for who does not see the awards of all
    """
    _require_payroll(principal)
    shown = Paginator(batches_seen_by(principal), PER_PAGE).get_page(page)
    return BatchesPage(
        page=shown,
        rows=[BatchRow(each, money(each.total, each.currency)) for each in shown.object_list],
        open=[(each, count, money(total, each)) for each, count, total in unpaid_totals()],
        may_freeze=writes_schemes(principal),
    )


def currencies() -> list[str]:
    """Return the currencies in which schemes pay."""
    paying = Scheme.objects.filter(kind=Scheme.Kind.PAY).order_by("currency")
    return list(paying.values_list("currency", flat=True).distinct())


@dataclass(frozen=True)
class BatchPage:
    batch: PayrollBatch
    total: str
    page: Page[Any]
    lines: list[EntryRow]


def batch_page(batch: PayrollBatch, *, principal: Principal, page: str) -> BatchPage:
    shown = Paginator(batch_lines(batch), PER_PAGE).get_page(page)
    return BatchPage(
        batch=batch,
        total=money(batch.total, batch.currency),
        page=shown,
        lines=[
            EntryRow(
                each.entry,
                money(each.entry.amount, each.entry.currency),
                title_of(period_of(each.entry.scheme, each.entry.period_start)),
                Mark(""),
                may_reverse=False,
            )
            for each in shown.object_list
        ],
    )
