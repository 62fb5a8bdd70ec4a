"""A CSV file of 100,000 SERVQUAL answers taken in, as `manage.py import_responses` does it.

The file is kept, checked whole (a report names every row that is left out), and taken by the job
that shows its progress and stores all or nothing. Its evaluation is another scenario; bringing the
sums up to date is printed by itself. One row in 500 is wrong in one of four ways.

`barest` is what a script of twenty lines does with the same file, knowing it beforehand: the csv
module, and an insert of the same rows in one transaction. It checks nothing.
"""

import csv
import io
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from benchmarks.side_by_side import report
from sqcore.identity.principals import system_principal
from sqcore.jobs.runner import run_inline
from surveys.imports.mapping import ImportMapping, read_mapping
from surveys.imports.models import Import
from surveys.imports.services import check, keep_file, take
from surveys.instruments.codebook import Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion, Item
from surveys.instruments.services import install_ready_instruments
from surveys.responses.models import Response
from surveys.responses.services import absorb

ROWS = 100_000
DIFFERENT = 2_000
NA = "99"
WRONG_ONE_IN = 500
UNITS = 20
SECONDS = 60
FIRST, DAYS = date(2025, 1, 1), 365
BY = system_principal("bench")
COMMENTS = ("", "", "", "Kind and quick.", "I waited for half an hour.", "办得很快，谢谢。")


# ---- The file ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """The file, how many of its rows are wrong, and the sum of each question over the others."""

    content: bytes
    wrong: int
    sums: Counter[str]


def make_file(book: Codebook) -> File:
    chance = random.Random(11)
    text, sums, wrong = io.StringIO(), Counter[str](), 0
    writer = csv.writer(text)
    codes = [item.code for item in book.items]
    sheets = [[_answer(item, chance) for item in book.items] for _sheet in range(DIFFERENT)]
    used: Counter[int] = Counter()
    writer.writerow(["id", "branch", "day", *codes])
    for number in range(ROWS):
        sheet = chance.randrange(DIFFERENT)
        day = FIRST + timedelta(days=chance.randrange(DAYS))
        row = [f"r{number}", f"branch-{chance.randrange(UNITS)}", day.isoformat(), *sheets[sheet]]
        if number % WRONG_ONE_IN == WRONG_ONE_IN - 1:
            _spoil(row, wrong)
            wrong += 1
        else:
            used[sheet] += 1
        writer.writerow(row)
    for sheet, times in used.items():
        for code, answer in zip(codes, sheets[sheet], strict=True):
            sums[code] += times * int(answer) if answer.isdecimal() and answer != NA else 0
    return File(text.getvalue().encode(), wrong, sums)


def _answer(item: Item, chance: random.Random) -> str:
    if item.kind == Item.Kind.COMMENT:
        return chance.choice(COMMENTS)
    dice = chance.random()
    if dice < 0.03:
        return "" if dice < 0.02 else NA
    return str(chance.randint(item.low, item.high))


def _spoil(row: list[str], number: int) -> None:
    """Give the row an unknown unit, a day that is none, an answer off the scale, or a taken key."""
    at, value = [(1, "branch-x"), (2, "2025-02-30"), (3, "8"), (0, "r0")][number % 4]
    row[at] = value


def mapping_of(book: Codebook) -> ImportMapping:
    branches = [{"code": f"branch-{number}", "parent": "whole"} for number in range(UNITS)]
    return read_mapping(
        {
            "campaign": {"code": "bench", "name": "Bench"},
            "instrument": {"code": "servqual"},
            "units": [{"code": "whole"}, *branches],
            "answers": {"not_applicable": [int(NA)]},
            "columns": {item.code: item.code for item in book.items},
            "unit": {"column": "branch"},
            "date": {"column": "day"},
            "key": {"column": "id"},
        }
    )


# ---- The candidates ------------------------------------------------------------------------------


class Ours:
    """An import through its services; each step can be timed by itself."""

    def __init__(self, file: File, mapping: ImportMapping) -> None:
        now = datetime.now(UTC)
        self._shown: list[int] = []
        self.steps: dict[str, Callable[[], None]] = {
            "kept and checked": lambda: self._check(file, mapping, now),
            "taken": lambda: self._take(now),
        }

    def _check(self, file: File, mapping: ImportMapping, now: datetime) -> None:
        self.imported = keep_file(
            file_name="bench.csv", chunks=[file.content], mapping=mapping, by=BY, now=now
        )
        check(imported=self.imported, by=BY, today=now.date())

    def _take(self, now: datetime) -> None:
        job = take(imported=self.imported, by=BY, now=now, tell_worker=False)
        run_inline(job, now=now, on_progress=lambda done, _total, _stage: self._shown.append(done))
        self.imported.refresh_from_db()

    def verify(self, file: File) -> None:
        """Refuse to report what is not right: every row is accounted for, every sum is exact."""
        found = self.imported
        assert found.state == Import.State.DONE
        assert found.rows_read == ROWS == found.rows_taken + found.rows_left_out
        assert found.rows_left_out == file.wrong
        assert Response.objects.filter(import_id=found.pk, withdrawn=False).count() == (
            found.rows_taken
        )
        assert self._shown == sorted(self._shown)
        assert len(set(self._shown)) > 3, "no progress was shown"
        assert _stored_sums() == +file.sums


def _stored_sums() -> Counter[str]:
    sums: Counter[str] = Counter()
    for answers in Response.objects.values_list("answers", flat=True).iterator():
        sums.update({code: value for code, value in answers.items() if type(value) is int})
    return sums


BAREST = (
    "key, campaign_id, version_id, unit_id, answered_on, answers, packed, external_key,"
    " subject, encounter_key, finest_grain, language, origin, weight, withdrawn, in_rollup"
)


def barest(file: File, book: Codebook, campaign_id: int, units: dict[str, int]) -> None:
    """Insert the rows that ours took, in one transaction which is then taken back."""
    marks = ", ".join(["%s"] * 8)
    insert = (
        f"INSERT INTO surveys_response ({BAREST})"
        f" VALUES ({marks}, '', '', 'day', '', 'import', 1000, false, false)"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(insert, list(_bare_rows(file, book, campaign_id, units)))
        transaction.set_rollback(True)


def _bare_rows(
    file: File, book: Codebook, campaign_id: int, units: dict[str, int]
) -> Iterator[tuple[Any, ...]]:
    reader = csv.reader(io.StringIO(file.content.decode()))
    codes = next(reader)[3:]
    scored = [at for at, item in enumerate(book.items) if item.is_scored]
    for number, (key, unit, day, *cells) in enumerate(reader):
        if number % WRONG_ONE_IN == WRONG_ONE_IN - 1:
            continue
        answers: dict[str, Any] = {}
        for code, cell in zip(codes, cells, strict=True):
            if cell == NA:
                answers[code] = "na"
            elif cell:
                answers[code] = int(cell) if cell.isdecimal() else cell
        packed = bytes(int(cells[at] or 255) for at in scored)
        yield (
            uuid.uuid4().hex, campaign_id, book.version_id, units[unit], day,
            json.dumps(answers), packed, f"{key}-",
        )  # fmt: skip


# ---- The scenario --------------------------------------------------------------------------------


def _timed(step: Callable[[], None]) -> tuple[float, float]:
    started, worked = time.perf_counter(), time.process_time()
    step()
    return time.process_time() - worked, time.perf_counter() - started


def run() -> bool:
    """Print the scenario; True when its budget is kept. The import runs once: it is long enough."""
    install_ready_instruments(now=datetime.now(UTC))
    book = codebook_of(InstrumentVersion.objects.get(instrument__code="servqual"))
    file = make_file(book)
    ours = Ours(file, mapping_of(book))
    times = {name: _timed(step) for name, step in ours.steps.items()}
    ours.verify(file)
    campaign = Response.objects.values_list("campaign_id", flat=True)[0]
    units = dict(Response.objects.values_list("unit__code", "unit_id").distinct())
    times["summed up"] = _timed(_absorb_all)
    times["barest, for comparison"] = _timed(lambda: barest(file, book, campaign, units))
    megabytes = len(file.content) / 1e6
    report(
        f"{ROWS:,} rows of SERVQUAL ({megabytes:.0f} MB) imported, {file.wrong} of them left out",
        {name: [cpu] for name, (cpu, _wall) in times.items()},
        [],
    )
    wall = sum(times[name][1] for name in ours.steps)
    kept = wall < SECONDS
    print(
        f"  checked and taken: {wall:.1f} s wall, {ROWS / wall:,.0f} rows/s,"
        f" budget < {SECONDS} s {'kept' if kept else 'MISSED'}"
    )
    return kept


def _absorb_all() -> None:
    while absorb(clock=lambda: datetime.now(UTC)):
        pass
