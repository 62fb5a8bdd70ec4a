"""`manage.py import_measurements FILE... --mapping MAPPING`: measurements from files."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sqcore.base.errors import Conflict, DomainError, InvalidInput
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, discard, keep_file, take
from sqcore.files.toml import parsed_toml, toml_text
from sqcore.identity.principals import system_principal
from sqcore.jobs.runner import run_inline

PIECE = 1 << 20
FIRST = ("read", "left_out")
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Take rows in from CSV or XLSX files, all of a file or none. The mapping says which column "
        "holds which field; docs/howto/feed-operational-data.md shows how to write one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--mapping", type=Path, required=True, help="a TOML file")
        parser.add_argument(
            "--kind",
            default="measurements",
            choices=sorted(kind.key for kind in ROW_KINDS),
            help="what the rows are",
        )
        parser.add_argument(
            "--leave-out", action="store_true", help="leave rows with errors out, take the others"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be taken in; store nothing"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            path: Path = options["mapping"]
            if not path.is_file():
                raise InvalidInput(f"There is no mapping {path}.")
            mapping = parsed_toml(path.name, toml_text(path))
            if options["leave_out"]:
                mapping["leave_out"] = True
            for file in options["files"]:
                self._import(file, mapping, kind=options["kind"], dry_run=options["dry_run"])
        except DomainError as error:
            problems = [f"  {problem}" for problem in error.problems[:SHOWN]]
            raise CommandError("\n".join([error.message, *problems])) from error

    def _import(self, path: Path, mapping: Mapping[str, Any], *, kind: str, dry_run: bool) -> None:
        if not path.is_file():
            raise InvalidInput(f"There is no file {path}.")
        by, now = system_principal("import_measurements"), timezone.now()
        imported = keep_file(
            kind=ROW_KINDS[kind], file_name=path.name, chunks=_pieces(path), by=by, now=now
        )
        job = None
        try:
            check(imported=imported, mapping=mapping, by=by, now=now)
            self._say(imported)
            if not dry_run:
                job = take(imported=imported, by=by, now=now, tell_worker=False)
        except Conflict as error:
            raise CommandError(error.message) from error
        finally:
            if job is None:
                discard(imported=imported, by=by)
        if job is not None:
            run_inline(job, now=timezone.now())
            imported.refresh_from_db()
            counts: Mapping[str, int] = imported.report["counts"]
            # A database may give the names back in an order of its own.
            names = sorted(
                sorted(counts), key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)
            )
            said = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names)
            self.stdout.write(self.style.SUCCESS(f"  {said}"))

    def _say(self, imported: FileImport) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(imported.file_name))
        self.stdout.write(f"  {imported.rows_read:,} rows, {imported.rows_left_out:,} with errors")
        for row, column, reason in imported.report["faults"][:SHOWN]:
            self.stdout.write(f"  row {row}{f', {column}' if column else ''}: {reason}")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
