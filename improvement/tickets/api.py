"""Tickets over REST: other systems propose them and read how they stand."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from improvement.tickets.comments import comment
from improvement.tickets.filters import TicketFilter
from improvement.tickets.models import INTAKE, Ticket
from improvement.tickets.queries import history, signals_seen_by, ticket_of, tickets_listed
from improvement.tickets.serializers import (
    CommentMade,
    CommentRequest,
    SignalLink,
    TicketDetail,
    TicketRequest,
    TicketRow,
    TicketStepRow,
)
from improvement.tickets.services import propose
from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.models import Unit
from sqcore.org.queries import local_day

SEES = (Permission.VIEW_TICKETS,)
PROPOSES = (Permission.PROPOSE_TICKETS,)
BY_ID = Keyset(("id",))
EXAMPLE = OpenApiExample(
    "From a monitoring system",
    request_only=True,
    value={
        "unit": "north",
        "title": "The queue machine fails every morning",
        "indicator": "waiting-time",
        "dedup_key": "queue-machine-north",
    },
)


class TicketListView(ApiView):
    needs = {"GET": SEES, "POST": PROPOSES}

    @documented(
        operation="tickets", summary="Improvement tickets and proposals", tag="Improvement",
        answer=page_schema(TicketRow), filters=TicketFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(TicketFilter, request._request.GET)
        tickets = tickets_listed(self.principal).filter(**asked)
        return json_response(page_of(request._request, tickets, BY_ID, ticket_row))

    @documented(
        operation="propose_ticket",
        summary="Propose an improvement ticket",
        about="People decide on it in the intake. 201 answers the new proposal; 200 the ticket "
        "with the same dedup_key that is still open, and nothing is created. A ticket is about a "
        "service, never about a person.",
        tag="Improvement",
        takes=TicketRequest,
        answer=TicketRow,
        status=201,
        problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = _understood(TicketRequest, sent)
        if self.principal.user is None and not asked["dedup_key"]:
            raise InvalidInput(
                "Some fields are wrong.",
                problems=[Problem("is needed from programs", field="dedup_key")],
            )
        answer = answer_once(
            scope=f"{self.principal.key} tickets",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._propose(**asked, now=now),
        )
        return remembered_response(answer)

    def _propose(
        self,
        *,
        unit: str,
        title: str,
        description: str,
        indicator: str,
        dedup_key: str,
        now: datetime,
    ) -> Answer:
        here = Unit.objects.visible_to(self.principal, Permission.PROPOSE_TICKETS)
        found = here.filter(code=unit).first()
        if found is None:
            raise NotFound(f"There is no unit “{unit}”.")
        ticket, is_new = propose(
            unit=found,
            title=title,
            description=description,
            code=indicator,
            dedup_key=dedup_key,
            source=Ticket.Source.PERSON if self.principal.user else Ticket.Source.CLIENT,
            by=self.principal,
            now=now,
        )
        return Answer(201 if is_new else 200, ticket_row(ticket))


class TicketView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="ticket",
        summary="One ticket with its history",
        tag="Improvement",
        answer=TicketDetail,
        problems=(404,),
    )
    def get(self, request: Request, ticket_id: int) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        ticket = ticket_of(self.principal, ticket_id)
        detail = {
            **ticket_row(ticket),
            "description": ticket.description,
            "problem": ticket.problem,
            "customers_affected": ticket.customers_affected,
            "revision": ticket.revision,
            "steps": TicketStepRow(history(ticket), many=True).data,
            "signals": SignalLink(signals_seen_by(self.principal, ticket), many=True).data,
        }
        return json_response(detail)


class CommentsView(ApiView):
    needs = {"POST": SEES}

    @documented(
        operation="comment_on_ticket",
        summary="Comment on a ticket",
        about="Its people are told. For people, not for tokens: a comment is somebody's word.",
        tag="Improvement",
        takes=CommentRequest,
        answer=CommentMade,
        status=201,
        problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, ticket_id: int) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = _understood(CommentRequest, sent)
        answer = answer_once(
            scope=f"{self.principal.key} comments on {ticket_id}",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._comment(ticket_id, asked["text"], now=now),
        )
        return remembered_response(answer)

    def _comment(self, ticket_id: int, text: str, *, now: datetime) -> Answer:
        made = comment(ticket_id=ticket_id, text=text, by=self.principal, now=now)
        row = CommentMade({"id": made.pk, "ticket": ticket_id, "at": made.at}).data
        return Answer(201, dict(row))


def ticket_row(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.pk,
        "reference": ticket.reference,
        "title": ticket.title,
        "unit": ticket.unit.code,
        "indicator": ticket.code,
        "grain": ticket.grain,
        "source": str(ticket.source),
        "state": str(ticket.state),
        "phase": str(ticket.phase.value),
        "severity": ticket.severity,
        "cycle": ticket.cycle,
        "has_owner": ticket.state not in INTAKE and ticket.owner_id is not None,
        "is_blocked": ticket.is_blocked,
        "is_over_budget": ticket.is_over_budget,
        "parent": ticket.parent_id,
        "duplicate_of": ticket.duplicate_of_id,
        "recurrence_of": ticket.recurrence_of_id,
        "end_reason": str(ticket.end_reason),
        "proposed_at": _moment(ticket.proposed_at),
        "accepted_at": _moment(ticket.accepted_at),
        "moved_at": _moment(ticket.moved_at),
        "ended_at": _moment(ticket.ended_at),
    }


def _moment(at: datetime | None) -> str | None:
    """Write a moment as the rest of the interface does; answers that are kept hold only text."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _understood(kind: type[serializers.Serializer[Any]], sent: dict[str, Any]) -> dict[str, Any]:
    """raises: InvalidInput for fields that there are not; ValidationError for others"""
    asked = kind(data=sent)
    unknown = sorted(set(sent) - set(asked.fields))
    if unknown:
        problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
        raise InvalidInput("Some fields are wrong.", problems=problems)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
