"""What is required, and who owes it, over REST."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from sqcore.audit.services import record
from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.models import Post, Unit
from sqcore.org.queries import local_day
from training.courses.models import Course
from training.requirements.filters import ObligationFilter, RequirementFilter
from training.requirements.models import Obligation, Requirement
from training.requirements.queries import Asked, requirements_seen_by, rows_asked
from training.requirements.serializers import ObligationRow, RequirementRequest, RequirementRow
from training.requirements.services import require_course

BY_ID = Keyset(("id",))
SEES = (Permission.VIEW_TRAINING,)


class RequirementListView(ApiView):
    needs = {"GET": SEES, "POST": (Permission.MANAGE_TRAINING,)}

    @documented(
        operation="requirements",
        summary="What training is required of whom",
        tag="Training",
        answer=page_schema(RequirementRow),
        filters=RequirementFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(RequirementFilter, request._request.GET)
        found = requirements_seen_by(self.principal).filter(**asked)
        return json_response(page_of(request._request, found, BY_ID, _requirement))

    @documented(
        operation="require_course",
        summary="Require a course",
        about="Who owes it is worked out afterwards; read `obligations`.",
        tag="Training",
        takes=RequirementRequest,
        answer=RequirementRow,
        status=201,
        problems=(409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = _understood(sent)
        answer = answer_once(
            scope=f"{self.principal.key} requirements",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._require(asked, now),
        )
        return remembered_response(answer)

    def _require(self, asked: Mapping[str, Any], now: datetime) -> Answer:
        made = require_course(
            course=_named(Course.objects.all(), asked, "course"),
            post=_named(Post.objects.all(), asked, "post") if asked["post"] else None,
            unit=_named(Unit.objects.all(), asked, "unit") if asked["unit"] else None,
            within_days=asked["within_days"],
            reason=asked["reason"],
            valid_from=asked["valid_from"],
            by=self.principal,
            now=now,
        )
        return Answer(201, _requirement(made))


class ObligationListView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="obligations",
        summary="Who owes which course, and how they stand",
        about="By staff number, of people of your units. Every reading is recorded.",
        tag="Training",
        answer=page_schema(ObligationRow),
        filters=ObligationFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        now = timezone.now()
        asked = conditions_of(ObligationFilter, request._request.GET)
        found = rows_asked(self.principal, Asked(), on=local_day(now)).filter(**asked)
        page = page_of(request._request, found, BY_ID, _obligation)
        record(
            action="training.read",
            subject="obligations",
            by=self.principal,
            now=now,
            details={"numbers": sorted({row["staff"] for row in page["results"]})},
        )
        return json_response(page)


def _requirement(found: Requirement) -> dict[str, Any]:
    return dict(RequirementRow(found).data)


def _obligation(found: Obligation) -> dict[str, Any]:
    return dict(ObligationRow(found).data)


def _named(rows: Any, asked: Mapping[str, Any], name: str) -> Any:
    found = rows.filter(code=asked[name]).first()
    if found is None:
        raise InvalidInput("Some fields are wrong.", problems=[Problem("is not known", field=name)])
    return found


def _understood(sent: dict[str, Any]) -> dict[str, Any]:
    """raises: InvalidInput for fields that there are not; ValidationError for others"""
    asked = RequirementRequest(data=sent)
    unknown = sorted(set(sent) - set(asked.fields))
    if unknown:
        problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
        raise InvalidInput("Some fields are wrong.", problems=problems)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
