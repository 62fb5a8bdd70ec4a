"""Taking files of rows in: keep the file, say what its columns are, check it, take it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound
from sqcore.files.importers import Layout, Table, open_table
from sqcore.files.kinds import ROW_KINDS, Intake, RowKind, TellsOfRows
from sqcore.files.mapping import Fault, RowMapping, RowReader, guess, pieces, read_mapping, samples
from sqcore.files.models import FileImport
from sqcore.files.storage import private_folder, stored
from sqcore.identity.principals import Principal, system_principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start

JOB_KIND = "files.rows"
AT_ONCE = 2000
KEPT_FAULTS = 1000
SHOWN_VALUES = 4


def folder() -> Path:
    return private_folder("rows")


def stored_file(imported: FileImport) -> Path:
    """Return where the file lies. raises: NotFound when it is deleted already"""
    path = folder() / imported.stored_as
    if not imported.stored_as or not path.is_file():
        raise NotFound(_("The file was deleted after its import. Give it again."))
    return path


def keep_file(
    *, kind: RowKind, file_name: str, chunks: Iterable[bytes], by: Principal, now: datetime
) -> FileImport:
    """Store a file to be taken in. raises: InvalidInput when it cannot be read; nothing is kept"""
    by.require(kind.permission)
    with stored(chunks, folder()) as (path, digest):
        open_table(path)
        return FileImport.objects.create(
            kind=kind.key,
            file_name=Path(file_name).name[:200],
            file_digest=digest,
            stored_as=path.name,
            created_by=by.user,
            created_at=now,
        )


@dataclass(frozen=True)
class Look:
    """A file as the page of its columns shows it."""

    table: Table
    mapping: RowMapping
    samples: Mapping[str, list[str]]


def look_at(imported: FileImport, *, by: Principal, sheet: str = "") -> Look:
    """Look at the columns; what they hold is guessed until somebody said.

    sheet: of a workbook, another one than was chosen before
    raises: Conflict, InvalidInput when there is no such sheet
    """
    kind = ROW_KINDS[imported.kind]
    by.require(kind.permission)
    _require_open(imported)
    mapping = read_mapping(imported.mapping, kind) if imported.mapping else None
    layout = mapping.layout if mapping else Layout()
    if sheet and sheet != layout.sheet:
        mapping, layout = None, Layout(sheet=sheet)
    table = open_table(stored_file(imported), layout=layout)
    shown = {name: samples(table, at, SHOWN_VALUES) for at, name in enumerate(table.header) if name}
    return Look(table, mapping or guess(table, kind), shown)


def _require_open(imported: FileImport) -> None:
    if imported.state not in (FileImport.State.GIVEN, FileImport.State.CHECKED):
        raise Conflict(_("This import runs or is over; give the file again to read it otherwise."))


@dataclass
class _Tally:
    read: int = 0
    left_out: int = 0
    faults: list[Fault] = field(default_factory=list)
    told: list[Fault] = field(default_factory=list)
    told_count: int = 0

    def note(self, faults: list[Fault]) -> None:
        self.faults += faults[: KEPT_FAULTS - len(self.faults)]

    def tell(self, told: list[Fault]) -> None:
        self.told_count += len(told)
        self.told += told[: KEPT_FAULTS - len(self.told)]

    def as_json(self) -> dict[str, Any]:
        """What the report says of rows."""
        found: dict[str, Any] = {"faults": [fault.as_json() for fault in self.faults]}
        if self.told:
            found["told"] = [fault.as_json() for fault in self.told]
            found["told_count"] = self.told_count
        return found


def _passes(
    imported: FileImport, mapping: RowMapping, intake: Intake, tally: _Tally
) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the good rows of the file piece by piece, and count the others."""
    table = open_table(stored_file(imported), layout=mapping.layout)
    reader = RowReader(table, mapping, ROW_KINDS[imported.kind])
    for piece in pieces(table, AT_ONCE):
        numbers: list[int] = []
        rows: list[Mapping[str, Any]] = []
        for row in piece:
            fields, faults = reader.read(row)
            tally.read += 1
            if faults:
                tally.left_out += 1
                tally.note(faults)
            else:
                numbers.append(row.number)
                rows.append(fields)
        bad: set[int] = set()
        for problem in intake.problems(rows):
            at = (problem.row or 1) - 1
            bad.add(at)
            column = reader.columns.get(problem.field, problem.field)
            tally.note([Fault(numbers[at], column, problem.reason)])
        if isinstance(intake, TellsOfRows):
            tally.tell(
                [
                    Fault(
                        numbers[(problem.row or 1) - 1],
                        reader.columns.get(problem.field, problem.field),
                        problem.reason,
                    )
                    for problem in intake.told()
                ]
            )
        tally.left_out += len(bad)
        yield [row for at, row in enumerate(rows) if at not in bad]


def check(
    *, imported: FileImport, mapping: Mapping[str, Any], by: Principal, now: datetime
) -> FileImport:
    """Read the whole file this way without storing a row; the report says what taking it would do.

    raises: InvalidInput when the file or the mapping cannot be used at all, Conflict
    """
    kind = ROW_KINDS[imported.kind]
    by.require(kind.permission)
    _require_open(imported)
    found = read_mapping(mapping, kind)
    tally = _Tally()
    for _rows in _passes(imported, found, kind.open(by=by, now=now), tally):
        pass
    if not tally.read:
        raise InvalidInput(_("There is no row below the column names."))
    with transaction.atomic():
        changed = FileImport.objects.filter(
            pk=imported.pk, state__in=[FileImport.State.GIVEN, FileImport.State.CHECKED]
        ).update(
            mapping=found.as_json(),
            leaves_out=found.leaves_out,
            state=FileImport.State.CHECKED,
            rows_read=tally.read,
            rows_left_out=tally.left_out,
            report=tally.as_json(),
        )
        if not changed:
            raise Conflict(_("This import runs or is over."))
    imported.refresh_from_db()
    return imported


def take(
    *,
    imported: FileImport,
    by: Principal,
    now: datetime,
    leaves_out: bool | None = None,
    tell_worker: bool = True,
) -> Job:
    """Start taking a checked file in, as a job. raises: Conflict when it cannot be taken"""
    by.require(ROW_KINDS[imported.kind].permission)
    with transaction.atomic():
        locked = FileImport.objects.select_for_update().get(pk=imported.pk)
        if leaves_out is not None:
            locked.leaves_out = leaves_out
        if locked.state != FileImport.State.CHECKED:
            raise Conflict(_("Check the file first."))
        if not locked.rows_good:
            raise Conflict(_("No row of the file can be taken in; the report says why."))
        if locked.rows_left_out and not locked.leaves_out:
            raise Conflict(_("Some rows have errors. Correct them, or choose to leave them out."))
        job = start(
            kind=JOB_KIND,
            key=f"file:{locked.pk}",
            title={"en": f"Import of {locked.file_name}", "zh-hans": f"导入 {locked.file_name}"},
            parameters={"import_id": locked.pk, "by": by.key},
            owner=by.user,
            now=now,
            tell_worker=tell_worker,
        )
        locked.state = FileImport.State.RUNNING
        locked.job_key = str(job.pk)
        locked.save(update_fields=["state", "job_key", "leaves_out"])
    imported.refresh_from_db()
    return job


class RowsJob:
    """Takes the rows of a file in, piece by piece under the fence, and ends it in one transaction.

    Beginning again is harmless: rooms change nothing for rows that they have already.
    """

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        imported = FileImport.objects.get(pk=context.parameters["import_id"])
        if imported.state == FileImport.State.DONE:
            return
        try:
            with override(context.language):
                self._take(context, imported)
        except (InvalidInput, NotFound, Conflict) as error:
            with context.fenced():
                imported.state = FileImport.State.REFUSED
                imported.finished_at = context.now()
                imported.report = imported.report | {"refused": error.message}
                imported.save(update_fields=["state", "finished_at", "report"])
            forget_file(imported)
            raise

    def _take(self, context: JobContext, imported: FileImport) -> None:
        kind = ROW_KINDS[imported.kind]
        # Who may take the file in was asked when it was given; here the job works.
        intake = kind.open(by=system_principal(str(context.parameters["by"])), now=context.now())
        tally = _Tally()
        context.progress(0, imported.rows_read, "Reading")
        for rows in _passes(imported, read_mapping(imported.mapping, kind), intake, tally):
            if tally.left_out and not imported.leaves_out:
                raise InvalidInput(_("Some rows cannot be taken any more; check the file again."))
            with context.fenced():
                intake.store(rows)
            context.progress(tally.read, imported.rows_read, "Storing")
        counts = {"read": tally.read, "left_out": tally.left_out}
        with context.completing(counts) as outcome:
            outcome.update(intake.finish())
            imported.rows_left_out = tally.left_out
            imported.report = tally.as_json() | {"counts": dict(outcome)}
            imported.state = FileImport.State.DONE
            imported.finished_at = context.now()
            imported.save(update_fields=["rows_left_out", "report", "state", "finished_at"])
            record(
                action="file.imported",
                subject=f"file:{imported.pk}",
                by=Principal(key=str(context.parameters["by"]), name=""),
                now=context.now(),
                details={"kind": kind.key, "sha256": imported.file_digest, **outcome},
            )
        forget_file(imported)


def forget_file(imported: FileImport) -> None:
    if imported.stored_as:
        (folder() / imported.stored_as).unlink(missing_ok=True)


def discard(*, imported: FileImport, by: Principal) -> None:
    """Forget a file that was not taken in. raises: Conflict"""
    by.require(ROW_KINDS[imported.kind].permission)
    states = [FileImport.State.GIVEN, FileImport.State.CHECKED, FileImport.State.REFUSED]
    deleted, _models = FileImport.objects.filter(pk=imported.pk, state__in=states).delete()
    if not deleted:
        raise Conflict(_("Rows of this file are in, or on their way."))
    forget_file(imported)


def forget_abandoned(*, before: datetime) -> int:
    """Forget files that were given before this time and never taken in; return how many."""
    forgotten = 0
    states = [FileImport.State.GIVEN, FileImport.State.CHECKED]
    for imported in list(FileImport.objects.filter(state__in=states, created_at__lt=before)):
        with suppress(Conflict):
            discard(imported=imported, by=system_principal("files"))
            forgotten += 1
    kept = set(FileImport.objects.values_list("stored_as", flat=True))
    for path in folder().iterdir():
        if path.name not in kept and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
    return forgotten
