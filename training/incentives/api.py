"""Awards over REST: schemes with their rules, proposals and the two steps, ledger, payroll batches.

Each reading of people's awards stands in the audit ledger. Deciding is for people, not for tokens.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django_filters import FilterSet
from rest_framework import serializers
from rest_framework.request import Request

from sqcore.audit.services import record
from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from sqcore.performance.models import Look
from sqcore.performance.services import note_look
from training.incentives.deciding import approve_proposal, review_proposal
from training.incentives.filters import BatchFilter, LedgerFilter, ProposalFilter, SchemeFilter
from training.incentives.models import LedgerEntry, Proposal
from training.incentives.payroll import paid_by_result
from training.incentives.queries import (
    batches_seen_by,
    ledger_seen_by,
    proposals_seen_by,
    schemes_seen_by,
)
from training.incentives.serializers import (
    BatchRow,
    DecisionMade,
    DecisionRequest,
    LedgerRow,
    ProposalRow,
    SchemeRow,
)

SEES = (Permission.VIEW_AWARDS,)
BY_ID = Keyset(("id",))
TAG = "Incentives"


class _ListView(ApiView):
    needs = {"GET": SEES}

    def page(
        self,
        request: Request,
        found: QuerySet[Any],
        filters: type[FilterSet],
        row: type[serializers.Serializer[Any]],
        *,
        subject: str = "",
        told_of: Callable[[Sequence[int]], Iterable[int]] | None = None,
    ) -> HttpResponse:
        """`told_of` says of the ids that are shown whose own results their amounts tell."""
        asked = conditions_of(filters, request._request.GET)
        page = page_of(
            request._request, found.filter(**asked), BY_ID, lambda each: dict(row(each).data)
        )
        if subject:
            numbers = sorted({each["staff"] for each in page["results"]})
            details = {"numbers": numbers}
            record(
                action="awards.read",
                subject=subject,
                by=self.principal,
                now=timezone.now(),
                details=details,
            )
        if told_of is not None:
            shown = told_of([each["id"] for each in page["results"]])
            note_look(staff_ids=shown, way=Look.Way.REST, by=self.principal, now=timezone.now())
        return json_response(page)


class SchemeListView(_ListView):
    @documented(
        operation="schemes", summary="Incentive schemes with their rules", tag=TAG,
        about="Rules are for everybody to read: what somebody gets can be computed from them.",
        answer=page_schema(SchemeRow), filters=SchemeFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page(request, schemes_seen_by(self.principal), SchemeFilter, SchemeRow)


class ProposalListView(_ListView):
    @documented(
        operation="proposals", summary="Proposed awards and how they were decided", tag=TAG,
        about="Of the units that you may see. Every reading is recorded.",
        answer=page_schema(ProposalRow), filters=ProposalFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        found = proposals_seen_by(self.principal)
        return self.page(
            request, found, ProposalFilter, ProposalRow, subject="proposals", told_of=_proposed
        )


class LedgerView(_ListView):
    @documented(
        operation="ledger", summary="The ledger of what was granted", tag=TAG,
        about="It is only ever added to: what was wrong is reversed by an entry of the opposite "
        "amount. Every reading is recorded.",
        answer=page_schema(LedgerRow), filters=LedgerFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        found = ledger_seen_by(self.principal)
        return self.page(
            request, found, LedgerFilter, LedgerRow, subject="ledger", told_of=_granted
        )


def _proposed(ids: Sequence[int]) -> Iterable[int]:
    rows = Proposal.objects.filter(pk__in=ids).values_list("staff_id", "basis__run")
    return [staff for staff, run in rows if run is not None]


def _granted(ids: Sequence[int]) -> Iterable[int]:
    return paid_by_result(LedgerEntry.objects.filter(pk__in=ids))


class BatchListView(_ListView):
    @documented(
        operation="payroll_batches", summary="Frozen payroll batches", tag=TAG,
        answer=page_schema(BatchRow), filters=BatchFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page(request, batches_seen_by(self.principal), BatchFilter, BatchRow)


Step = Callable[[int, Mapping[str, Any], datetime], Answer]


class _StepView(ApiView):
    """One step of a decision, once a key."""

    def decide(self, request: Request, proposal_id: int, *, step: str, take: Step) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = _understood(sent)
        answer = answer_once(
            scope=f"{self.principal.key} {step} of {proposal_id}",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: take(proposal_id, asked, now),
        )
        return remembered_response(answer)


class ReviewView(_StepView):
    needs = {"POST": (Permission.REVIEW_AWARDS,)}

    @documented(
        operation="review_proposal", summary="Review a proposed award: the first step", tag=TAG,
        about="By a manager of the unit, never about oneself, with a reason.",
        takes=DecisionRequest, answer=DecisionMade, problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
    )  # fmt: skip
    def post(self, request: Request, proposal_id: int) -> HttpResponse:
        return self.decide(request, proposal_id, step="review", take=self._take)

    def _take(self, proposal_id: int, asked: Mapping[str, Any], now: datetime) -> Answer:
        found = review_proposal(
            proposal_id=proposal_id,
            agrees=asked["agrees"],
            reason=asked["reason"],
            by=self.principal,
            now=now,
        )
        return Answer(200, {"proposal": found.pk, "state": str(found.state), "entry": None})


class ApprovalView(_StepView):
    needs = {"POST": (Permission.APPROVE_AWARDS,)}

    @documented(
        operation="approve_proposal", summary="Approve a reviewed award: the second step", tag=TAG,
        about="By HR, by somebody else than who reviewed it, never about oneself, with a reason. "
        "Nothing beyond the budget of the period is granted.",
        takes=DecisionRequest, answer=DecisionMade, problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
    )  # fmt: skip
    def post(self, request: Request, proposal_id: int) -> HttpResponse:
        return self.decide(request, proposal_id, step="approval", take=self._take)

    def _take(self, proposal_id: int, asked: Mapping[str, Any], now: datetime) -> Answer:
        entry = approve_proposal(
            proposal_id=proposal_id,
            agrees=asked["agrees"],
            reason=asked["reason"],
            by=self.principal,
            now=now,
        )
        state = "approved" if entry else "declined"
        key = entry.key if entry else None
        return Answer(200, {"proposal": proposal_id, "state": state, "entry": key})


def _understood(sent: dict[str, Any]) -> dict[str, Any]:
    """raises: InvalidInput for fields that there are not; ValidationError for others"""
    asked = DecisionRequest(data=sent)
    if unknown := sorted(set(sent) - set(asked.fields)):
        problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
        raise InvalidInput("Some fields are wrong.", problems=problems)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
