"""Compute the audit chain again and say where it breaks, if it does."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sqcore.audit.queries import Head, check_chain, head, read_anchors


class Command(BaseCommand):
    help = (
        "Computes the audit ledger's chain of hashes again, from the first link, and names the "
        "first that was changed, deleted, inserted or swapped. With an anchor, a file of heads "
        "that was kept elsewhere, it also finds a cut tail and a chain that was rewritten whole."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchor", type=Path, metavar="FILE", help="heads that were written down earlier"
        )
        parser.add_argument(
            "--head",
            action="store_true",
            help="only print the head, to be kept elsewhere as an anchor",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["head"]:
            at = head()
            self.stdout.write(f'{{"sequence": {at.sequence}, "digest": "{at.digest}"}}')
            return
        report = check_chain(anchors=self._anchors(options["anchor"]))
        if report.problem:
            raise CommandError(
                f"The audit chain is broken. {report.problem} "
                f"It holds up to link {report.head.sequence} ({report.head.digest})."
            )
        self.stdout.write(
            f"The audit chain holds: {report.head.sequence} links, head {report.head.digest}; "
            f"{report.unsealed} newer entries are not sealed yet."
        )

    def _anchors(self, path: Path | None) -> list[Head]:
        if path is None:
            return []
        try:
            with path.open(encoding="utf-8") as lines:
                return list(read_anchors(lines))
        except (OSError, ValueError) as error:
            raise CommandError(f"The anchor {path} cannot be read: {error}") from error
