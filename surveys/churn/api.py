"""Customers at risk over REST."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from surveys.churn.models import UnitRisk
from surveys.churn.queries import latest_run
from surveys.churn.serializers import UnitRiskRow

BY_ID = Keyset(("id",))

EXAMPLE = OpenApiExample(
    "A branch",
    response_only=True,
    status_codes=["200"],
    value={
        "results": [
            {
                "unit": "riverside", "on": "2026-02-28", "scorecard": 2, "n": 412,
                "high": 9, "medium": 17, "low": 70, "unknown": 4,
            }
        ],
        "next": None,
    },
)  # fmt: skip


class UnitRiskListView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="customers_at_risk", summary="Shares of customers who may leave", tag="Results",
        about="By unit, at the end of the last month that the scorecard was run for: levels by"
        " rules that people wrote. Units with fewer than 30 customers have no numbers; where only a"
        " few came or left since an earlier month, its numbers stay. Single customers are never"
        " named.",
        answer=page_schema(UnitRiskRow), pages=True, examples=[EXAMPLE],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        run = latest_run()
        rows = UnitRisk.objects.visible_to(self.principal).filter(run=run)
        rows = rows.select_related("unit", "run__scorecard").defer("customers", "run__tried")
        return json_response(page_of(request._request, rows, BY_ID, unit_risk_row))


def unit_risk_row(row: UnitRisk) -> dict[str, Any]:
    return {
        "unit": row.unit.code,
        "on": row.as_of or row.run.on,
        "scorecard": row.run.scorecard.number,
        "n": row.n,
        "high": row.high,
        "medium": row.medium,
        "low": row.low,
        "unknown": row.unknown,
    }
