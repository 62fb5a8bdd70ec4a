"""`manage.py up`: everything that one organisation on one machine needs, in one command."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sqcore.base.errors import DomainError
from sqcore.project.embedded import PortTaken, run
from sqcore.project.supervisor import AlreadyRunning


class Command(BaseCommand):
    help = "Prepare the data home (SQ_HOME) and run web, worker and clock until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="fill an empty home with the demo")
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *, demo: bool, host: str, port: int, **options: Any) -> None:
        if settings.MODE != "embedded":
            raise CommandError("“up” is for SQ_MODE=embedded; on servers each part runs by itself.")
        try:
            run(settings.HOME, demo=demo, host=host, port=port, out=sys.stdout)
        except AlreadyRunning as error:
            raise CommandError(
                f"SQCore runs already from {settings.HOME.path} (process {error}); stop it first."
            ) from error
        except PortTaken as error:
            raise CommandError(
                f"Cannot listen on {host}, port {port}: {error}. "
                f"Choose another: manage.py up --port {port + 1} (make run PORT={port + 1})."
            ) from error
        except DomainError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            print("\nStopped before it was ready. Starting again goes on from here.")
            sys.exit(130)
