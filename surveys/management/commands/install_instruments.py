"""Add the questionnaires that come with the product."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from surveys.instruments.services import install_ready_instruments


class Command(BaseCommand):
    help = "Add and publish SERVQUAL, SERVPERF and the short form; safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        added = install_ready_instruments(now=timezone.now())
        for version in added:
            self.stdout.write(f"added {version.instrument.code}")
        if not added:
            self.stdout.write("the questionnaires are there")
