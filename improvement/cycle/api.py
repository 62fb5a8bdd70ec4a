"""Steps of tickets and the checks of their effects over REST."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request

from improvement.cycle import intake, services
from improvement.cycle.serializers import FIELDS_OF, CheckRow, StepRequest, StepTaken, taken
from improvement.tickets.models import Ticket
from improvement.tickets.queries import ticket_of
from improvement.verification.models import EffectCheck
from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day

BY_ID = Keyset(("id",))
STEPS: dict[str, Callable[..., Ticket]] = {
    "accept": intake.accept,
    "reject": intake.reject,
    "duplicate": intake.mark_duplicate,
    "snooze": intake.snooze,
    "problem": services.state_problem,
    "contain": services.contain,
    "submit": services.submit_plan,
    "plan-small": services.plan_small,
    "approve": services.approve_plan,
    "return": services.return_plan,
    "block": services.block,
    "unblock": services.unblock,
    "finish": services.finish_doing,
    "conclude": services.conclude_check,
    "standardise": services.standardise,
    "approve-standard": services.approve_standard,
    "return-standard": services.return_standard,
    "next-cycle": services.next_cycle,
    "extend": services.extend,
    "abandon": services.abandon,
    "cancel": services.cancel,
}
ACTION = OpenApiParameter(
    "action", OpenApiTypes.STR, OpenApiParameter.PATH, enum=list(STEPS), description="The step"
)
RETURN_EXAMPLE = OpenApiExample(
    "Return a plan", request_only=True, value={"revision": 7, "comment": "Since which week?"}
)


class StepView(ApiView):
    needs = {"POST": (Permission.RUN_TICKETS,)}

    @documented(
        operation="take_step",
        summary="Take a step with a ticket",
        about="For people who run tickets, not for tokens: no token can be given this permission. "
        "Name the revision of the ticket that you saw; when somebody changed it since, nothing "
        "happens (409). Fields that the step does not take are refused.",
        tag="Tickets",
        takes=StepRequest,
        answer=StepTaken,
        problems=(404, 409, 413, 415, 422),
        parameters=[ACTION, IDEMPOTENCY_KEY],
        examples=[RETURN_EXAMPLE],
    )
    def post(self, request: Request, ticket_id: int, action: str) -> HttpResponse:
        now = timezone.now()
        if action not in STEPS:
            raise NotFound(f"There is no step “{action[:40]}”.")
        sent = self.sent(request)
        said = _said(action, sent)
        answer = answer_once(
            scope=f"{self.principal.key} tickets {ticket_id} {action}",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._take(action, ticket_id, said, now=now),
        )
        return remembered_response(answer)

    def _take(self, action: str, ticket_id: int, said: dict[str, Any], *, now: datetime) -> Answer:
        ticket = STEPS[action](ticket_id=ticket_id, by=self.principal, now=now, **said)
        return Answer(200, taken(ticket))


def _said(action: str, sent: dict[str, Any]) -> dict[str, Any]:
    """Return what was said with a step. raises: InvalidInput naming each field"""
    needed, also = FIELDS_OF[action]
    known = {"revision", *needed, *also}
    problems = [
        Problem("is not a field of this step", field=name[:60])
        for name in sorted(set(sent) - known)
    ]
    problems += [Problem("is needed", field=name) for name in sorted(needed - set(sent))]
    if problems:
        raise InvalidInput("Some fields are wrong.", problems=problems)
    asked = StepRequest(data=sent)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


class CheckListView(ApiView):
    needs = {"GET": (Permission.VIEW_TICKETS,)}

    @documented(
        operation="ticket_checks",
        summary="The checks of a ticket's effect",
        about="In order, those of all cycles. An interim look has no verdict.",
        tag="Tickets",
        answer=page_schema(CheckRow),
        pages=True,
        problems=(404,),
    )
    def get(self, request: Request, ticket_id: int) -> HttpResponse:
        conditions_of(None, request._request.GET)
        ticket = ticket_of(self.principal, ticket_id)
        # They are figures of the unit; a ticket may be somebody's own at a unit they see no more.
        self.principal.require(Permission.VIEW_RESULTS, unit_id=ticket.unit_id)
        checks = EffectCheck.objects.filter(plan__ticket=ticket).select_related("plan__unit")
        return json_response(page_of(request._request, checks, BY_ID, _check_row))


def _check_row(check: EffectCheck) -> dict[str, Any]:
    return dict(CheckRow(check).data)
