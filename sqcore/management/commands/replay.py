"""Compute a published run anew from what it froze, and compare."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sqcore.base.errors import DomainError
from sqcore.evaluation.services import replay


class Command(BaseCommand):
    help = "Compute a published evaluation anew from its frozen inputs and compare the results."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="the number of the run")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = replay(run_id=options["run"])
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if not found.is_same:
            raise CommandError(
                f"{found.run}: {found.fault} Published {found.run.result_digest}, "
                f"computed {found.digest}."
            )
        self.stdout.write(f"{found.run}: {len(found.rows)} figures, the same: {found.digest}")
