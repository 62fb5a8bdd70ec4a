"""Evaluate what is due, or one period, from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sqcore.base.errors import DomainError
from sqcore.evaluation.services import evaluate_from_outside


class Command(BaseCommand):
    help = "Evaluate every closed period that is due, or one period of one system."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--system", default="", help="only this indicator system, by code")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--period", default="", help="2026, 2026-Q2, 2026-05, 2026-W21 or 2026-05-17"
        )
        what.add_argument("--due", action="store_true", help="what is due (the default)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            published = evaluate_from_outside(
                system_code=options["system"],
                period_key=options["period"],
                now=timezone.now(),
                report=self._report,
            )
        except DomainError as refusal:
            reasons = "; ".join(map(str, refusal.problems))
            raise CommandError(f"{refusal.message} {reasons}".strip()) from refusal
        self.stdout.write(f"{published} evaluations published.")

    def _report(self, done: int, total: int, stage: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done} of {total}  {stage:<12}", ending="")
            if done == total:
                self.stderr.write("")
