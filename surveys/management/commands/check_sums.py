"""Add answers up again and say where the kept sums differ, if they do."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from surveys.responses.services import check_rollups

SHOWN = 10


class Command(BaseCommand):
    help = (
        "Adds the answers of every published questionnaire up again, month by month, and compares "
        "the kept sums with that, byte for byte. New sums are needed after a change of what a "
        "questionnaire measures."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild", action="store_true", help="make sums that differ again from the answers"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = check_rollups(
            clock=timezone.now,
            rebuild=options["rebuild"],
            report=self._report if options["verbosity"] > 1 else None,
        )
        wrong = {version: places for version, places in found.items() if places}
        for version, places in wrong.items():
            more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            self.stdout.write(
                f"{version.instrument.code} {version.number} differs in"
                f" {', '.join(places[:SHOWN])}{more}"
                f"{'; made again' if options['rebuild'] else ''}"
            )
        if wrong and not options["rebuild"]:
            raise CommandError("Sums differ from the answers; --rebuild makes them again.")
        if not wrong:
            self.stdout.write(f"The sums of {len(found)} questionnaires are those of the answers.")

    def _report(self, done: int, total: int, month: str) -> None:
        self.stderr.write(f"{month}: {done} of {total} months")
