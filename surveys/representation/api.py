"""Weighings over REST."""

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
from surveys.representation.filters import WeighingFilter
from surveys.representation.models import Weighing
from surveys.representation.serializers import WeighingRow
from surveys.representation.wording import remarks, sentence

SEES = (Permission.VIEW_RESULTS, Permission.MANAGE_SURVEYS)
BY_ID = Keyset(("id",))

EXAMPLE = OpenApiExample(
    "A quarter",
    response_only=True,
    status_codes=["200"],
    value={
        "results": [
            {
                "instrument": "experience", "version": 1, "grain": "quarter",
                "period": "2025-Q4", "starts_on": "2025-10-01", "ends_on": "2026-01-01",
                "population": "Customers, end of 2025", "population_source": "Core system",
                "stated_on": "2025-12-31", "status": "ok", "n": 812,
                "said": "Weighed the answers of 812 people.", "remarks": [],
                "found": {
                    "deff": 1.21, "effective": 671, "off": 0.0, "converged": True,
                    "trimmed": 0.0, "skipped": [],
                    "margins": [
                        {
                            "margin": "channel",
                            "categories": [
                                {"codes": ["counter"], "population": 0.4, "sample": 0.62,
                                 "people": 503},
                                {"codes": ["mobile"], "population": 0.6, "sample": 0.38,
                                 "people": 309},
                            ],
                        }
                    ],
                    "measures": [
                        {
                            "measure": "nps:recommend", "n": 805, "effective": 665,
                            "plain": {"value": 31.0, "low": 26.0, "high": 36.5},
                            "weighted": {"value": 27.5, "low": 21.5, "high": 33.5},
                        }
                    ],
                },
                "digest": "9c1185a5c5e9fc54612808977ee8f548b2258d31ad8ab0c1e2d8e2d6cb4bd3d6",
                "made_at": "2026-01-05T08:10:07Z",
            }
        ],
        "next": None,
    },
)  # fmt: skip


class WeighingListView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="weighings", summary="Answers weighed to a known population", tag="Results",
        about="By questionnaire and closed quarter or year, of the whole organisation: how those"
        " who answered differ from the customers, and results as answered beside weighted ones."
        " Indicators are never weighted by them.",
        answer=page_schema(WeighingRow), filters=WeighingFilter, pages=True, examples=[EXAMPLE],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(WeighingFilter, request._request.GET)
        rows = Weighing.objects.visible_to(self.principal).filter(**asked)
        rows = rows.select_related("version__instrument", "population").defer("weights", "groups")
        month = fiscal_start()
        page = page_of(request._request, rows, BY_ID, lambda row: weighing_row(row, month))
        return json_response(page)


def weighing_row(row: Weighing, fiscal_month: int) -> dict[str, Any]:
    period = Period(row.starts_on, Grain(row.grain), fiscal_month)
    return {
        "instrument": row.version.instrument.code,
        "version": row.version.number,
        "grain": row.grain,
        "period": period.key,
        "starts_on": row.starts_on,
        "ends_on": period.end,
        "population": row.population.name,
        "population_source": row.population.source,
        "stated_on": row.population.stated_on,
        "status": row.status,
        "n": row.n,
        "said": sentence(row.status, row.n),
        "remarks": list(remarks(row.found)) if row.found else [],
        "found": row.found or None,
        "digest": row.digest,
        "made_at": row.made_at,
    }
