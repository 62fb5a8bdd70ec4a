"""Reading the cycle: what a person may do with a ticket now, who approved, what came back."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from improvement.actions.models import Action
from improvement.cycle.plan import (
    approvals_given,
    approvers_needed,
    digest_of_plan,
    missing_for_plan,
)
from improvement.cycle.transitions import TABLE, Facts, Who, fits, refusal
from improvement.tickets.models import ENDED, State, Step, Ticket, TicketSignal
from improvement.tickets.rules import reopens
from improvement.verification.queries import deeds_of
from sqcore.identity.directory import directory
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Signal
from sqcore.org.queries import local_day

__all__ = [
    "approvals_given",
    "approvers_needed",
    "digest_of_plan",
    "missing_for_plan",
]


@dataclass(frozen=True)
class PossibleAction:
    """A step that the state of a ticket has. `why_not` says why this person cannot take it now;
    empty when they can. `is_theirs` is False where it is for somebody else."""

    action: str
    title: str | Promise
    why_not: str = ""
    is_theirs: bool = True

    @property
    def is_possible(self) -> bool:
        return not self.why_not


def possible_actions(ticket: Ticket, principal: Principal) -> list[PossibleAction]:
    """Return the steps that people take from the state of a ticket, in order, each with the reason
    why this person cannot take it now."""
    found, facts = [], Facts(ticket, principal)
    for each in TABLE:
        if each.who != Who.SYSTEM and fits(each, ticket):
            why = refusal(each, facts)
            theirs = why is None or why.code != "not_permitted"
            found.append(
                PossibleAction(each.action, each.title, why.message if why else "", theirs)
            )
    return found


def blocked_time(ticket: Ticket, *, now: datetime) -> timedelta:
    """Return how long a ticket stood still in all, with the block that still holds."""
    before = ticket.blocked_for or timedelta(0)
    return before if ticket.blocked_at is None else before + (now - ticket.blocked_at)


# ---- What took effect, and what came back --------------------------------------------------------
def effective_days(ticket: Ticket) -> list[date]:
    """Return the days on which the actions of this cycle took effect, each once."""
    done = Action.objects.filter(ticket=ticket, cycle=ticket.cycle, state=Action.State.DONE)
    return sorted({day for day in done.values_list("effective_on", flat=True) if day})


def alarms_again(signal: Signal, *, now: datetime) -> Ticket | None:
    """Return the ticket that this alarm is a regression of, if it is one."""
    today = local_day(now)
    linked = TicketSignal.objects.filter(signal=signal).values("ticket_id")
    mine = Ticket.objects.filter(Q(signal=signal) | Q(pk__in=linked))
    if signal.is_muted_on(today) or mine.open().exclude(state=State.STANDARD).exists():
        return None
    done = mine.filter(state__in=[State.STANDARD, State.CLOSED])
    ticket = done.order_by("-moved_at", "-id").first()
    if ticket is None or not _is_recent(ticket, today) or _is_taken_up(ticket):
        return None
    deeds = deeds_of(ticket)
    return ticket if deeds is not None and signal.alarm_on > deeds.effective_on else None


def _is_taken_up(ticket: Ticket) -> bool:
    """True when another open ticket has taken this one's place."""
    others = Ticket.objects.open().exclude(pk=ticket.pk)
    same = Q(recurrence_of=ticket)
    if ticket.dedup_key:
        same |= Q(dedup_key=ticket.dedup_key)
    return others.filter(same).exists()


def _is_recent(ticket: Ticket, today: date) -> bool:
    return ticket.ended_at is None or reopens(local_day(ticket.ended_at), on=today)


def times_back(ticket: Ticket) -> int:
    """Return how often this problem came back: as a regression of a ticket, or as the next ticket
    after one that had ended."""
    chain, former = [ticket.pk], ticket.recurrence_of
    while former is not None and former.pk not in chain:
        chain.append(former.pk)
        former = former.recurrence_of
    reopened = Step.objects.filter(ticket__in=chain, action="regressed").count()
    return reopened + len(chain) - 1


# ---- Who has to do with it -----------------------------------------------------------------------
@dataclass(frozen=True)
class Concerned:
    """People who are to know of a ticket, and why. Those who only `look_on` are told nothing more
    once they may no longer see the tickets of the unit."""

    reason: str | Promise
    readers: list[User]
    look_on: bool = False


def concerned_by(ticket: Ticket, state: State, *, now: datetime) -> list[Concerned]:
    """Return who is to know that a ticket came into a state: the owner, who may approve while that
    is waited for, who proposed it, who watches it. A person may stand in several groups."""
    found = []
    if ticket.owner is not None:
        found.append(Concerned(gettext_lazy("You own this ticket."), [ticket.owner]))
    if state == State.REVIEW:
        holders = directory().holders_of(Permission.RUN_TICKETS, unit_id=ticket.unit_id, now=now)
        others = [each for each in holders if each.pk != ticket.owner_id]
        reason = gettext_lazy("You may approve plans of this unit.")
        found.append(Concerned(reason, others, look_on=True))
    if ticket.proposed_by_id is not None and (state in ENDED or state == State.PLAN):
        proposers = list(User.objects.filter(pk=ticket.proposed_by_id))
        found.append(Concerned(gettext_lazy("You proposed this ticket."), proposers))
    watching = User.objects.filter(pk__in=ticket.watchers.values("user_id"), is_active=True)
    reason = gettext_lazy("You watch this ticket.")
    return [*found, Concerned(reason, list(watching.order_by("id")), look_on=True)]
