import hashlib
from datetime import timedelta
from io import BytesIO

import openpyxl
import pytest
import time_machine

from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.org.models import Staff
from sqcore.performance.models import Look
from training.incentives.models import BatchLine, LedgerEntry, PayrollBatch, Scheme
from training.incentives.payroll import freeze_batch, payroll_file, reverse_entry
from training.incentives.queries import batch_lines, batches_seen_by
from training.tests.factories import Bank
from training.tests.incentives.making import (
    APRIL,
    PAY,
    granted,
    make_run,
    make_system,
    proposed,
    result,
    scheme_in_force,
    scores,
    second_hr,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry(bank: Bank) -> LedgerEntry:
    """Li was granted 56,000."""
    version = make_system()
    scheme = scheme_in_force(bank, rules=PAY[:1])
    scores(version, {bank.north: 80.0})
    return granted(bank, proposed(scheme, bank.li))


def freeze(bank: Bank, **over: object) -> PayrollBatch:
    fields: dict[str, object] = {
        "currency": "CNY",
        "through": APRIL.date(),
        "by": bank.as_(bank.hua),
        "now": APRIL,
    }
    return freeze_batch(**{**fields, **over})  # type: ignore[arg-type]  # as named above


def content(bank: Bank, form: str = "csv", number: int = 1) -> bytes:
    name, found = payroll_file(number=number, form=form, by=bank.as_(bank.hua), now=APRIL)
    assert name == f"payroll-{number}-CNY.{form}"
    return found


def test_each_entry_is_in_one_batch_only(bank: Bank, entry: LedgerEntry) -> None:
    batch = freeze(bank)

    assert (batch.number, batch.total, batch.people) == (1, 56_000, 1)
    assert [line.entry for line in batch_lines(batch)] == [entry]
    with pytest.raises(Conflict, match="nothing to pay"):
        freeze(bank)
    assert (PayrollBatch.objects.count(), BatchLine.objects.count()) == (1, 1)


def test_what_is_taken_back_later_is_in_the_next_one(bank: Bank, entry: LedgerEntry) -> None:
    freeze(bank)
    _user, han = second_hr()
    reverse_entry(entry_id=entry.pk, reason="Wrong", by=bank.as_(han), now=APRIL)

    assert freeze(bank).total == -56_000


def test_entries_after_the_day_wait(bank: Bank, entry: LedgerEntry) -> None:
    with pytest.raises(Conflict):
        freeze(bank, through=APRIL.date() - timedelta(days=1))
    with pytest.raises(Conflict):
        freeze(bank, currency="EUR")
    with pytest.raises(InvalidInput):
        freeze(bank, through=APRIL.date() + timedelta(days=1))
    assert PayrollBatch.objects.count() == 0


def test_honours_are_not_paid(bank: Bank, entry: LedgerEntry) -> None:
    Scheme.objects.update(kind="honour")

    with pytest.raises(Conflict):
        freeze(bank)


def test_only_hr_freezes_and_reads(bank: Bank, entry: LedgerEntry) -> None:
    with pytest.raises(NotPermitted):
        freeze(bank, by=bank.as_(bank.mei))
    freeze(bank)
    with pytest.raises(NotPermitted):
        payroll_file(number=1, form="csv", by=bank.as_(bank.mei), now=APRIL)
    with pytest.raises(NotFound):
        payroll_file(number=2, form="csv", by=bank.as_(bank.hua), now=APRIL)
    with pytest.raises(InvalidInput):
        payroll_file(number=1, form="pdf", by=bank.as_(bank.hua), now=APRIL)
    assert not batches_seen_by(bank.as_(bank.mei)).exists()


def test_the_file_has_codes_and_whole_numbers(bank: Bank, entry: LedgerEntry) -> None:
    freeze(bank)

    assert content(bank).decode("utf-8-sig").splitlines() == [
        "staff,amount,currency,period,scheme,unit,entry",
        f"li,56000,CNY,2026-01-01,quarter,north,{entry.key}",
    ]
    sheet = openpyxl.load_workbook(BytesIO(content(bank, "xlsx"))).active
    assert [cell.value for cell in list(sheet.rows)[1]][:3] == ["li", 56_000, "CNY"]  # type: ignore[union-attr]  # one sheet


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_it_is_the_same_bytes_each_time(bank: Bank, entry: LedgerEntry, form: str) -> None:
    freeze(bank)
    digests = set()
    for day in (2, 3):
        Staff.objects.update(name=f"Another name {day}")
        with time_machine.travel(APRIL + timedelta(days=day), tick=False):
            digests.add(hashlib.sha256(content(bank, form)).hexdigest())

    assert len(digests) == 1


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_no_spreadsheet_takes_a_staff_number_for_a_formula(
    bank: Bank, entry: LedgerEntry, form: str
) -> None:
    Staff.objects.filter(pk=bank.li.pk).update(number="=HYPERLINK(1)")
    freeze(bank)
    found = content(bank, form)

    if form == "csv":
        assert "\r\n'=HYPERLINK(1)," in found.decode("utf-8-sig")
    else:
        sheet = openpyxl.load_workbook(BytesIO(found)).active
        assert sheet["A2"].data_type != "f"  # type: ignore[index]  # one sheet


def test_lines_that_are_not_what_was_frozen_are_refused(bank: Bank, entry: LedgerEntry) -> None:
    freeze(bank)
    Staff.objects.filter(pk=bank.li.pk).update(number="0666")

    with pytest.raises(Conflict, match="not those that were frozen"):
        content(bank)


def test_who_takes_the_file_is_told_to_whose_result_is_in_it(bank: Bank) -> None:
    version = make_system()
    result(make_run(), bank.li, bank.north, 4.0)
    scheme = scheme_in_force(bank)
    scores(version, {bank.north: 80.0})
    granted(bank, proposed(scheme, bank.li))
    freeze(bank)
    Look.objects.all().delete()

    content(bank)

    look = Look.objects.get()
    assert (look.staff, look.way, look.viewer_name) == (bank.li, "export", bank.as_(bank.hua).name)
