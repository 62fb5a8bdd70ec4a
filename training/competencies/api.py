"""Skills over REST: the frame, and evidence of what people can do."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from training.competencies.filters import EvidenceFilter
from training.competencies.models import Competency, Evidence
from training.competencies.queries import (
    competency_named,
    evidence_seen_by,
    levels_by_post_code,
    person_seen_by,
)
from training.competencies.serializers import CompetencyRow, EvidenceRequest, EvidenceRow
from training.competencies.services import record_evidence

BY_ID = Keyset(("id",))
SEES = (Permission.VIEW_TRAINING,)


class CompetencyListView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="competencies",
        summary="Competencies and the levels that posts need",
        tag="Training",
        answer=page_schema(CompetencyRow),
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        required = levels_by_post_code(on=local_day(timezone.now()))

        def row(found: Competency) -> dict[str, Any]:
            given = {
                **{name: getattr(found, name) for name in ("code", "name", "description")},
                "measures": found.measures,
                "is_active": found.is_active,
                "required_levels": required.get(found.pk, {}),
            }
            return dict(CompetencyRow(given).data)

        return json_response(page_of(request._request, Competency.objects.all(), BY_ID, row))


class EvidenceListView(ApiView):
    needs = {
        "GET": SEES,
        "POST": (Permission.PLAN_TRAINING, Permission.MANAGE_TRAINING),
    }

    @documented(
        operation="evidence",
        summary="Evidence of what people can do",
        about="What counts: withdrawn evidence, and what people say of themselves, is left out.",
        tag="Training",
        answer=page_schema(EvidenceRow),
        filters=EvidenceFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(EvidenceFilter, request._request.GET)
        found = evidence_seen_by(self.principal, on=local_day(timezone.now())).filter(**asked)
        return json_response(page_of(request._request, found, BY_ID, _row))

    @documented(
        operation="record_evidence",
        summary="Record what somebody was seen to be able to do",
        about="An assessment, or experience on record. Courses and certificates speak for "
        "themselves. The same reference again is kept once.",
        tag="Training",
        takes=EvidenceRequest,
        answer=EvidenceRow,
        status=201,
        problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> HttpResponse:
        now, sent = timezone.now(), self.sent(request)
        asked = EvidenceRequest(data=sent)
        if unknown := sorted(set(sent) - set(asked.fields)):
            problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
            raise InvalidInput("Some fields are wrong.", problems=problems)
        asked.is_valid(raise_exception=True)
        answer = answer_once(
            scope=f"{self.principal.key} evidence",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._record(now=now, **asked.validated_data),
        )
        return remembered_response(answer)

    def _record(self, *, staff: str, competency: str, now: datetime, **given: Any) -> Answer:
        made = record_evidence(
            staff=person_seen_by(self.principal, staff, on=local_day(now)),
            competency=competency_named(competency),
            by=self.principal,
            now=now,
            **given,
        )
        return Answer(201, _row(made))


def _row(found: Evidence) -> dict[str, Any]:
    return dict(EvidenceRow(found).data)
