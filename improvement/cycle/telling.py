"""Telling people of a ticket that moved."""

from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext_lazy

from improvement.cycle.queries import concerned_by
from improvement.tickets.models import State, Step, Ticket
from improvement.tickets.queries import title_of
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.notices.services import notify

_READY = {
    State.PLAN: gettext_lazy("To plan: %(ticket)s"),
    State.REVIEW: gettext_lazy("A plan waits for approval: %(ticket)s"),
    State.DO: gettext_lazy("The plan is approved: %(ticket)s"),
    State.CHECK: gettext_lazy("The effect is being checked: %(ticket)s"),
    State.ACT: gettext_lazy("The verdict is in: %(ticket)s"),
    State.STANDARD: gettext_lazy("It became the standard: %(ticket)s"),
    State.CLOSED: gettext_lazy("Closed: %(ticket)s"),
    State.REJECTED: gettext_lazy("Rejected: %(ticket)s"),
    State.DUPLICATE: gettext_lazy("It is a duplicate: %(ticket)s"),
    State.ABANDONED: gettext_lazy("Abandoned: %(ticket)s"),
    State.CANCELLED: gettext_lazy("Cancelled: %(ticket)s"),
}
"""What people are told of a ticket that came into a state. The intake tells of the others."""

_AGAIN = {
    "return": gettext_lazy("The plan was returned: %(ticket)s"),
    "next-cycle": gettext_lazy("The next cycle begins: %(ticket)s"),
    "not-held": gettext_lazy("The effect did not hold: %(ticket)s"),
    "regressed": gettext_lazy("The problem came back: %(ticket)s"),
    "extend": gettext_lazy("The check is extended: %(ticket)s"),
}


def tell_of_move(*, ticket_id: int, step_id: int, now: datetime) -> int:
    """Tell who has to do with a ticket that it moved, each once and with the reason why they get
    it; nobody of what they did themselves. Return to how many."""
    step = Step.objects.select_related("ticket__owner").get(pk=step_id, ticket=ticket_id)
    text = _AGAIN.get(step.action) or _READY.get(State(step.state))
    if text is None:
        return 0
    told = 0
    done: set[int | None] = {step.by_id}
    for part in concerned_by(step.ticket, State(step.state), now=now):
        waiting = [reader for reader in part.readers if reader.pk not in done]
        done |= {reader.pk for reader in waiting}
        told += notify(
            readers=waiting,
            key=f"ticket-moved:{step.pk}",
            title=in_all_languages(text, ticket=_named(step.ticket)),
            body={"en": step.note} if step.note else {},
            reason=in_all_languages(part.reason),
            link=reverse("improvement:ticket", args=[ticket_id]),
            permission=Permission.VIEW_TICKETS if part.look_on else None,
            unit_id=step.ticket.unit_id if part.look_on else None,
            now=now,
        )
    return told


def _named(ticket: Ticket) -> TranslatedText:
    titles = title_of(ticket)
    return {language: f"{ticket.reference} {title}" for language, title in titles.items()}
