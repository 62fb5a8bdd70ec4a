"""`manage.py import_responses FILE... --mapping MAPPING`: answers from files into the database."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sqcore.base.errors import DomainError, InvalidInput
from sqcore.identity.principals import system_principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.org.queries import local_day
from surveys.imports.mapping import ImportMapping, read_mapping_file
from surveys.imports.models import Import
from surveys.imports.services import bring_up_to_date, check, discard, keep_file, take

PIECE = 1 << 20
SHOWN = 12
BAR = 30


class Command(BaseCommand):
    help = (
        "Take answers in from CSV or XLSX files. The mapping says what their columns mean; "
        "docs/howto/import-responses.md shows how to write one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--mapping", type=Path, required=True, help="a TOML file")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be taken in; store nothing"
        )
        parser.add_argument(
            "--no-evaluate", action="store_true", help="leave the evaluation to the clock"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            mapping = read_mapping_file(options["mapping"])
            taken = sum(
                self._import(path, mapping, dry_run=options["dry_run"]) for path in options["files"]
            )
        except DomainError as error:
            raise CommandError("\n".join([error.message, *map(_line, error.problems)])) from error
        if taken and not options["no_evaluate"]:
            self._evaluate()

    def _import(self, path: Path, mapping: ImportMapping, *, dry_run: bool) -> int:
        by, now = system_principal("import_responses"), timezone.now()
        self.stdout.write(self.style.MIGRATE_HEADING(f"{path.name}"))
        if not path.is_file():
            raise InvalidInput(f"There is no file {path}.")
        imported = keep_file(
            file_name=path.name, chunks=_pieces(path), mapping=mapping, by=by, now=now
        )
        is_wanted = False
        try:
            check(imported=imported, by=by, today=local_day(now))
            self._say(imported)
            is_known = bool(imported.report["already"]) and not imported.rows_taken
            is_wanted = not dry_run and not is_known
            job = take(imported=imported, by=by, now=now, tell_worker=False) if is_wanted else None
        except BaseException:
            is_wanted = False
            raise
        finally:
            if not is_wanted:
                discard(imported=imported, by=by)
        return self._run(job, imported) if job else 0

    def _run(self, job: Job, imported: Import) -> int:
        """Run the job here; should this process die, a worker finishes it."""
        run_inline(job, now=timezone.now(), on_progress=self._progress)
        imported.refresh_from_db()
        self.stdout.write(
            self.style.SUCCESS(f"  {imported.rows_taken:,} responses are in.") + " " * BAR
        )
        return imported.rows_taken

    # -- what people read
    def _say(self, imported: Import) -> None:
        report = imported.report
        file = report["file"]
        how = f"{file['encoding']} (guessed)" if file["is_guessed"] else file["encoding"]
        cells = f", cells apart by {file['delimiter']!r}" if file["delimiter"] else ""
        self._line("read as", f"{how}{cells}, {file['columns']} columns")
        self._line("mapped", _some([f"{name} → {role}" for name, role in report["roles"].items()]))
        self._line("not in it", _some(report["absent"]))
        self._line("not read", _some(report["unmapped"]))
        for what, codes in report["will_make"].items():
            self._line(f"new {what}", _some(codes))
        for found in report["personal"]:
            stays = f"read as {found['is_read']}" if found["is_read"] else "not stored"
            self._line("personal", f"{found['column']} looks like {found['kind']}: {stays}")
        self._line(
            "rows",
            f"{imported.rows_read:,} read = {imported.rows_taken:,} to take"
            f" + {imported.rows_left_out:,} left out",
        )
        for entry in report["outside"][:SHOWN]:
            self._line("", _outside(entry))
        if len(report["outside"]) > SHOWN:
            self._line("", f"and {len(report['outside']) - SHOWN} more kinds of values")
        if report["already"]:
            self._line("known", f"this very file was taken in on {report['already']}")

    def _line(self, label: str, text: str) -> None:
        if text:
            self.stdout.write(f"  {label:<18} {text}")

    def _progress(self, done: int, total: int, stage: str) -> None:
        if not sys.stdout.isatty() or not total:
            return
        filled = BAR * done // total
        bar = "#" * filled + "." * (BAR - filled)
        self.stdout.write(f"\r  [{bar}] {done:,} of {total:,} {stage:<12}", ending="")

    def _evaluate(self) -> None:
        published = bring_up_to_date(now=timezone.now(), report=self._progress)
        periods = "1 period" if published == 1 else f"{published} periods"
        self.stdout.write(self.style.SUCCESS(f"  Evaluated: {periods}.") + " " * BAR)
        self.stdout.write(f"  Start it with “make own” and look at {settings.BASE_URL}/quality/")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more


def _outside(entry: dict[str, Any]) -> str:
    one = entry["count"] == 1
    if entry["costs_row"]:
        what = "row left out" if one else "rows left out"
    else:
        what = "answer dropped" if one else "answers dropped"
    value = f" “{entry['value']}”" if entry["value"] else ""
    column = f"{entry['column']}{value} " if entry["column"] else ""
    return (
        f"{entry['count']:,} {what}: {column}{entry['reason']} (first in row {entry['first_row']})"
    )


def _line(problem: object) -> str:
    return f"  {problem}"
