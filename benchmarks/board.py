"""The board with 5,000 open tickets in all phases, as a manager of all of them opens it.

Promised are 300 ms (of CPU time) and 15 queries; the page is asked for over the whole stack,
without a server.
"""

import time
from datetime import timedelta
from statistics import median
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from improvement.actions.models import Action
from improvement.tickets.models import INTAKE, State, Ticket
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.models import Indicator
from sqcore.org.models import Placement, RoleGrant, Unit

TICKETS, UNITS, OWNERS, INDICATORS = 5_000, 100, 40, 20
ROUNDS = 9
SECONDS, QUERIES = 0.3, 15
OPEN = (
    *(State.PROPOSED, State.PLAN, State.REVIEW, State.DO, State.CHECK, State.ACT, State.STANDARD),
)


def run() -> bool:
    """Print how long the board takes and how many queries it asks; True when both are kept."""
    call_command("collectstatic", verbosity=0, interactive=False)
    asker = _bank()
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(asker)
    asked: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    client.get("/board/", secure=True)
    with connection.execute_wrapper(count):
        page = client.get("/board/", secure=True)
    taken = []
    for _round in range(ROUNDS):
        started = time.process_time()
        assert client.get("/board/", secure=True).status_code == 200
        taken.append(time.process_time() - started)
    cards = page.content.decode().count('class="board-card"')
    print(f"\nboard: {TICKETS:,} open tickets, {cards} cards, {len(page.content):,} bytes")
    print(f"  {median(taken) * 1000:.0f} ms (limit {SECONDS * 1000:.0f}), "
          f"{min(taken) * 1000:.0f} to {max(taken) * 1000:.0f} in {ROUNDS} rounds")  # fmt: skip
    print(f"  {len(asked)} queries (limit {QUERIES})")
    return median(taken) <= SECONDS and len(asked) <= QUERIES


def _bank() -> User:
    now = timezone.now()
    since = (now - timedelta(days=900)).date()
    root = Unit.objects.create(code="bank", name={"en": "Bank"}, opened_on=since)
    Placement.objects.create(unit=root, valid_from=since)
    units = []
    for number in range(UNITS):
        unit = Unit.objects.create(
            code=f"unit-{number}", name={"en": f"Unit {number}"}, opened_on=since
        )
        Placement.objects.create(unit=unit, parent=root, valid_from=since)
        units.append(unit)
    people = [
        User.objects.create_user(f"owner-{number}", name=f"Owner {number}")
        for number in range(OWNERS)
    ]
    RoleGrant.objects.create(user=people[0], role=Role.MANAGER, unit=root, valid_from=since)
    for number in range(INDICATORS):
        Indicator.objects.create(
            code=f"indicator-{number}", name={"en": f"Indicator {number}"}, source="measurements"
        )
    Ticket.objects.bulk_create(_ticket(number, units, people) for number in range(TICKETS))
    Action.objects.bulk_create(
        Action(
            ticket=ticket,
            cycle=1,
            text="Do it",
            owner=people[ticket.pk % OWNERS],
            due_on=(now + timedelta(days=ticket.pk % 20 - 10)).date(),
            created_at=now,
        )
        for ticket in Ticket.objects.filter(state__in=[State.PLAN, State.DO])
    )
    return people[0]


def _ticket(number: int, units: list[Unit], people: list[User]) -> Ticket:
    state = OPEN[number % len(OPEN)]
    now = timezone.now() - timedelta(hours=number % 2000)
    return Ticket(
        title=f"People wait too long at counter {number}",
        unit=units[number % UNITS],
        code=f"indicator-{number % INDICATORS}",
        grain="week",
        source=Ticket.Source.PERSON,
        state=state,
        severity=None if state in INTAKE else number % 4 + 1,
        owner=people[number % OWNERS],
        problem="It takes too long.",
        proposed_at=now,
        moved_at=now,
    )
