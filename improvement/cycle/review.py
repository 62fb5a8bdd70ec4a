"""The tickets of a unit in the review of a period, with their confirmed verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from improvement.tickets.models import Ticket
from improvement.tickets.queries import tickets_listed
from improvement.verification.models import EffectCheck, Verdict
from sqcore.base.text import signed
from sqcore.identity.permissions import Permission
from sqcore.reports.evidence import Question

LISTED = 12


@dataclass(frozen=True)
class ReviewedTicket:
    """A ticket, and what its last confirmed check found by the end of the period."""

    ticket: Ticket
    verdict: str
    between: str
    n: int | None


@dataclass(frozen=True)
class TicketsSection:
    """The tickets that were open in the period, those of units below among them."""

    key: str = "improvement.tickets"
    order: int = 10
    template_name: str = "improvement/_review_tickets.html"

    def context(self, question: Question) -> Mapping[str, object] | None:
        if not question.principal.may(Permission.VIEW_TICKETS, unit_id=question.unit.pk):
            return None
        seen = tickets_listed(question.principal).filter(
            Q(ended_at__isnull=True) | Q(ended_at__date__gte=question.period.start),
            unit__in=question.below,
            proposed_at__date__lt=question.period.end,
        )
        found = list(seen.order_by("proposed_at", "id")[: LISTED + 1])
        checks = _checks(found, question)
        rows = [_row(ticket, checks.get(ticket.pk)) for ticket in found[:LISTED]]
        return {"rows": rows, "more": len(found) > LISTED, "unit": question.unit}


def _checks(tickets: list[Ticket], question: Question) -> dict[int, EffectCheck]:
    """Return the last confirmed check of each ticket by the end of the period. One query."""
    found = EffectCheck.objects.filter(
        plan__ticket__in=tickets,
        confirmed_at__isnull=False,
        confirmed_at__date__lt=question.period.end,
    )
    return {
        check.plan.ticket_id: check
        for check in found.select_related("plan").order_by("confirmed_at", "id")
    }


def _row(ticket: Ticket, check: EffectCheck | None) -> ReviewedTicket:
    if check is None:
        return ReviewedTicket(ticket, "", "", None)
    known = check.low is not None and check.high is not None
    between = f"{signed(check.low or 0, 2)} – {signed(check.high or 0, 2)}" if known else ""
    verdict = str(Verdict(check.confirmed_verdict).label)
    return ReviewedTicket(ticket, verdict, between, check.n_after)
