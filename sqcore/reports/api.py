"""The diagnosis and the review of a unit over REST."""

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request

from sqcore.base.api import json_response
from sqcore.base.errors import NotFound
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented
from sqcore.evaluation.forms import Asked
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.reports.filters import DiagnosisFilter
from sqcore.reports.pages import diagnosis, rows_of
from sqcore.reports.paper import MEDIA_TYPE, paper_of
from sqcore.reports.rules import METHOD
from sqcore.reports.serializers import DiagnosisRow


class DiagnosisView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="diagnosis",
        summary="What speaks for and against six classes of problems at a unit",
        about="A class has a verdict only by evidence with an interval. What is compared with "
        "“the others” is compared with the units of the same level that the asker sees.",
        tag="Results",
        answer=DiagnosisRow,
        filters=DiagnosisFilter,
        problems=(404,),
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        asked = Asked(**conditions_of(DiagnosisFilter, request._request.GET, also=()))
        now = timezone.now()
        found = diagnosis(principal=self.principal, code=code, asked=asked, now=now)
        if found is None:
            raise NotFound("Nothing was evaluated here yet.")
        question = found.question
        return json_response(
            {
                "unit": question.unit.code,
                "system": question.system.code,
                "period": question.period.key,
                "starts_on": question.period.start,
                "ends_on": question.period.end,
                "run": question.run.pk,
                "method": METHOD,
                "classes": list(rows_of(found)),
            }
        )


class ReviewView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="review",
        summary="The review of a unit and a closed period as a PDF",
        about="What the page says: where the unit stands, what really changed, what speaks for "
        "which problem, and what was done. In the language that is asked for.",
        tag="Results",
        answer=OpenApiTypes.BINARY,
        media=MEDIA_TYPE,
        filters=DiagnosisFilter,
        problems=(404,),
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        asked = Asked(**conditions_of(DiagnosisFilter, request._request.GET, also=()))
        now = timezone.now()
        found = paper_of(
            principal=self.principal, code=code, asked=asked, request=request._request, now=now
        )
        if found is None:
            raise NotFound("Nothing was evaluated here yet.")
        return found.response()
