"""Analyses over REST."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.base.periods import Grain, Period
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import fiscal_start
from surveys.analyses.filters import AnalysisFilter
from surveys.analyses.models import Analysis
from surveys.analyses.port import KINDS
from surveys.analyses.serializers import AnalysisRow
from surveys.analyses.wording import OVERALL, sentence

SEES = (Permission.VIEW_RESULTS, Permission.MANAGE_SURVEYS)
BY_ID = Keyset(("id",))

EXAMPLE = OpenApiExample(
    "A year",
    response_only=True,
    status_codes=["200"],
    value={
        "results": [
            {
                "kind": "validation", "title": "Is the questionnaire sound?", "method": 1,
                "instrument": "servqual", "version": 1, "grain": "year", "period": "2025",
                "starts_on": "2025-01-01", "ends_on": "2026-01-01", "unit": "bank",
                "margin": "overall", "margin_value": None, "status": "ok", "n": 14210,
                "said": "Found in the answers of 14210 people.", "found": {"share": 0.031},
                "made_at": "2026-01-01T02:10:07Z",
            }
        ],
        "next": None,
    },
)  # fmt: skip


class AnalysisListView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="analyses", summary="What analyses found in the answers", tag="Results",
        about="By questionnaire, closed quarter or year, and group: a unit with all below it, or a"
        " channel or segment of the whole organisation. Only groups that are large enough have"
        " numbers. The order is that in which rows were made: a row that is made anew stands last.",
        answer=page_schema(AnalysisRow), filters=AnalysisFilter, pages=True, examples=[EXAMPLE],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(AnalysisFilter, request._request.GET)
        rows = Analysis.objects.visible_to(self.principal).filter(**asked)
        rows = rows.select_related("version__instrument", "unit")
        month = fiscal_start()
        page = page_of(request._request, rows, BY_ID, lambda row: analysis_row(row, month))
        return json_response(page)


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was found without covariances: with few people these give single answers away.

    >>> told({"side": {"mean": [4.5], "covariance": [[0.2]]}})
    {'side': {'mean': [4.5]}}
    """
    return {
        name: told(value) if isinstance(value, dict) else value
        for name, value in found.items()
        if name != "covariance"
    }


def analysis_row(row: Analysis, fiscal_month: int) -> dict[str, Any]:
    period = Period(row.starts_on, Grain(row.grain), fiscal_month)
    return {
        "kind": row.kind,
        "title": str(KINDS[row.kind].title) if row.kind in KINDS else row.kind,
        "method": row.method,
        "instrument": row.version.instrument.code,
        "version": row.version.number,
        "grain": row.grain,
        "period": period.key,
        "starts_on": row.starts_on,
        "ends_on": period.end,
        "unit": row.unit.code,
        "margin": row.margin or OVERALL,
        "margin_value": row.margin_value or None,
        "status": row.status,
        "n": row.n,
        "said": sentence(row.status, row.n),
        "found": told(row.found),
        "made_at": row.made_at,
    }
