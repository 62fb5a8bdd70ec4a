"""Reading actions: my own, those of a ticket, and what is overdue."""

from datetime import date

from django.db.models import QuerySet

from improvement.actions.models import Action
from improvement.tickets.models import State, Ticket
from sqcore.identity.models import User
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Staff, during
from sqcore.org.queries import tree_on

WORKED_ON = (State.PLAN, State.REVIEW, State.DO)
"""The states in which there is still something to do."""


def actions_of(ticket: Ticket) -> list[Action]:
    """Return the actions of all cycles of a ticket, in order. One query."""
    found = ticket.actions.select_related("owner", "ended_by")
    return list(found.order_by("cycle", "due_on", "id"))


def my_actions(user: User) -> list[Action]:
    """Return what this person has still to do, the first due first. One query."""
    found = Action.objects.open().filter(owner=user, ticket__state__in=WORKED_ON)
    return list(found.select_related("ticket__unit").order_by("due_on", "id"))


def my_ended_actions(user: User, *, most: int = 20) -> list[Action]:
    """Return what this person had to do and is over, the newest first. One query."""
    found = Action.objects.exclude(state=Action.State.OPEN).filter(owner=user)
    return list(found.select_related("ticket__unit").order_by("-ended_at", "-id")[:most])


def overdue(*, on: date) -> QuerySet[Action]:
    """Return what was to be done before this day and is still open, while its ticket is in Do."""
    found = Action.objects.open().filter(due_on__lt=on, ticket__state=State.DO)
    return found.select_related("owner", "ticket__owner", "ticket__unit").order_by("due_on", "id")


def trainable_people(ticket: Ticket, principal: Principal, *, on: date) -> list[Staff]:
    """Return who works at the unit of a ticket or below it, as far as the asker sees them. Two
    queries."""
    units = tree_on(on).within([ticket.unit_id])
    works = Assignment.objects.filter(during(on), unit__in=units)
    seen = Staff.objects.visible_to(principal, on=on).filter(pk__in=works.values("staff_id"))
    return list(seen.order_by("name", "id"))


def doers_of(ticket: Ticket) -> list[int]:
    """Return the staff members who owned what was done in the present cycle of a ticket."""
    done = ticket.actions.filter(cycle=ticket.cycle, state=Action.State.DONE)
    people = done.filter(owner__staff__isnull=False).order_by("owner__staff")
    return list(people.values_list("owner__staff", flat=True).distinct())
