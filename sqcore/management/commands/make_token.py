"""Make an API token from the command line and print its key, once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sqcore.access.services import make_token
from sqcore.base.errors import DomainError
from sqcore.identity.permissions import TOKEN_PERMISSIONS, Permission
from sqcore.identity.principals import system_principal
from sqcore.org.queries import units_named


class Command(BaseCommand):
    help = "Make an API token and print its key, which is stored nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        allowed = sorted(permission.value for permission in TOKEN_PERMISSIONS)
        parser.add_argument("name", help="the system that will use it")
        parser.add_argument(
            "--may", action="append", required=True, choices=allowed, help="repeat for several"
        )
        parser.add_argument(
            "--unit", action="append", default=[], help="only this unit and below, by code; repeat"
        )
        parser.add_argument(
            "--days", type=int, default=90, help="until it expires (90; at most 365)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            _token, key = make_token(
                name=options["name"],
                permissions=[Permission(code) for code in options["may"]],
                units=units_named(options["unit"]),
                expires_at=now + timedelta(days=min(max(options["days"], -1), 9999)),
                by=system_principal("make_token"),
                now=now,
            )
        except DomainError as refusal:
            reasons = "; ".join(map(str, refusal.problems))
            raise CommandError(f"{refusal.message} {reasons}".strip()) from refusal
        self.stdout.write(key)
