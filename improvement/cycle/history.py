"""What was done with a ticket, and the tickets that belong to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement.cycle.transitions import TRANSITIONS
from improvement.tickets import queries as tickets
from improvement.tickets.models import Step, Ticket
from sqcore.base.text import in_language
from sqcore.dashboards.tags import day
from sqcore.identity.principals import Principal


@dataclass(frozen=True)
class Happening:
    """A line of the history."""

    at: datetime
    who: str
    what: str
    note: str


@dataclass(frozen=True)
class Relation:
    ticket: Ticket
    title: str
    how: str
    url: str


_HAPPENED: Mapping[str, Promise] = {
    "proposed": gettext_lazy("Proposed"),
    "announced": gettext_lazy("Announced to who decides"),
    "accepted": gettext_lazy("Accepted"),
    "rejected": gettext_lazy("Rejected"),
    "duplicate": gettext_lazy("Marked as a duplicate"),
    "grouped": gettext_lazy("Put below a common proposal"),
    "narrowed": gettext_lazy("Moved to the unit where it lies"),
    "effect_planned": gettext_lazy("Effect promised"),
    "cause-added": gettext_lazy("Cause added"),
    "cause-removed": gettext_lazy("Cause removed"),
    "action-added": gettext_lazy("Action added"),
    "action-changed": gettext_lazy("Action changed"),
    "action-done": gettext_lazy("Action done"),
    "action-cancelled": gettext_lazy("Action cancelled"),
    "snoozed": gettext_lazy("Snoozed"),
    "woken": gettext_lazy("Back in the intake"),
    "withdrawn": gettext_lazy("Withdrawn: the numbers recovered"),
    "problem": gettext_lazy("Problem stated"),
    "contain": gettext_lazy("Contained"),
    "submit": gettext_lazy("Plan submitted"),
    "plan-small": gettext_lazy("Small fix planned"),
    "approve": gettext_lazy("Plan approved"),
    "return": gettext_lazy("Plan returned"),
    "block": gettext_lazy("Blocked"),
    "unblock": gettext_lazy("Unblocked"),
    "finish": gettext_lazy("Finished doing"),
    "conclude": gettext_lazy("Check concluded"),
    "standardise": gettext_lazy("Standard written"),
    "approve-standard": gettext_lazy("Standard approved"),
    "return-standard": gettext_lazy("Standard returned"),
    "next-cycle": gettext_lazy("Next cycle started"),
    "extend": gettext_lazy("Check extended"),
    "abandon": gettext_lazy("Abandoned"),
    "cancel": gettext_lazy("Cancelled"),
    "close": gettext_lazy("Closed: the effect held"),
    "not-held": gettext_lazy("Reopened: it did not hold"),
    "regressed": gettext_lazy("Reopened: it came back"),
}


def happening(step: Step) -> Happening:
    """Return a step of a ticket in words."""
    known = _HAPPENED.get(step.action)
    listed = TRANSITIONS.get(step.action)
    plain = step.action.replace("_", " ").replace("-", " ").capitalize()
    what = known or (listed.title if listed else plain)
    who = step.by.name if step.by else _("the software")
    return Happening(step.at, who, str(what), _note(step))


def _note(step: Step) -> str:
    """What was said with a step; the day until which it was snoozed is written as a day."""
    if step.action != "snoozed":
        return step.note
    try:
        return _("until %(day)s") % {"day": day(date.fromisoformat(step.note))}
    except ValueError:
        return step.note


def happened_since(ticket: Ticket, step: int) -> list[Happening]:
    """Return what was done with a ticket after this step of its history."""
    found = ticket.steps.filter(pk__gt=step).select_related("by").order_by("id")
    return [happening(each) for each in found]


def related_to(ticket: Ticket, principal: Principal) -> list[Relation]:
    """Return the tickets above, below and beside this one that this person sees; one query."""
    beside = {ticket.parent_id, ticket.duplicate_of_id, ticket.recurrence_of_id} - {None}
    same = Q(pk__in=beside) | Q(parent=ticket) | Q(duplicate_of=ticket) | Q(recurrence_of=ticket)
    found = Ticket.objects.visible_to(principal).filter(same).select_related("unit")
    return [
        Relation(
            each,
            in_language(tickets.title_of(each)),
            _how(each, ticket),
            reverse("improvement:ticket", args=[each.pk]),
        )
        for each in found.order_by("id")
    ]


def _how(other: Ticket, ticket: Ticket) -> str:
    ways: Sequence[tuple[bool, str]] = (
        (other.pk == ticket.parent_id, _("above it")),
        (other.parent_id == ticket.pk, _("below it")),
        (other.pk == ticket.duplicate_of_id, _("it is a duplicate of this")),
        (other.duplicate_of_id == ticket.pk, _("a duplicate of it")),
        (other.pk == ticket.recurrence_of_id, _("the same problem before")),
        (other.recurrence_of_id == ticket.pk, _("the same problem again")),
    )
    return next(words for fits, words in ways if fits)
