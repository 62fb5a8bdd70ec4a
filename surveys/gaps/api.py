"""Expectations and their shifts over REST."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.base.periods import Grain, Period
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import fiscal_start, local_day
from surveys.analyses.models import Analysis
from surveys.analyses.wording import sentence
from surveys.gaps.filters import ExpectationFilter
from surveys.gaps.serializers import ExpectationRow
from surveys.gaps.shifts import (
    Change,
    Changes,
    changes_in,
    expectation_rows,
    expected_in,
    with_families,
)

SEES = (Permission.VIEW_RESULTS, Permission.MANAGE_SURVEYS)
BY_ID = Keyset(("id",))
DIGITS = 6

EXAMPLE = OpenApiExample(
    "A segment",
    response_only=True,
    status_codes=["200"],
    value={
        "results": [
            {
                "instrument": "servqual", "version": 1, "period": "2025-Q4",
                "starts_on": "2025-10-01", "ends_on": "2026-01-01", "segment": "private",
                "status": "ok", "n": 412, "said": "Found in the answers of 412 people.",
                "dimensions": [
                    {
                        "code": "reliability", "n": 410, "mean": 84.0, "low": 82.2, "high": 85.8,
                        "since_quarter": {
                            "value": 4.0, "low": 1.4, "high": 6.6, "p": 0.0028, "q": 0.014,
                            "is_clear": True,
                        },
                        "since_year": None,
                    }
                ],
            }
        ],
        "next": None,
    },
)  # fmt: skip


class ExpectationListView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="expectations", summary="What customers expect, and how that shifts",
        tag="Results",
        about="By questionnaire, closed quarter, and segment or all customers. Each mean stands"
        " beside its change since the former quarter and since the same quarter a year before."
        " Groups that are not shown among the analyses have no numbers, and nothing is compared"
        " with them. A q-value counts all dimensions of all customers and of every segment in the"
        " same questionnaire, quarter and comparison, whatever is filtered by.",
        answer=page_schema(ExpectationRow), filters=ExpectationFilter, pages=True,
        examples=[EXAMPLE],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(ExpectationFilter, request._request.GET)
        rows = expectation_rows(self.principal, on=local_day(timezone.now()))
        some = rows.filter(**asked).select_related("version__instrument")
        page = page_of(request._request, some, BY_ID, lambda row: {"row": row})
        found = [each["row"] for each in page["results"]]
        # What counts as clear hangs on all groups of a quarter, whichever of them are asked for.
        changes = changes_in(with_families(rows, found))
        month = fiscal_start()
        page["results"] = [expectation_row(row, changes, month) for row in found]
        return json_response(page)


def expectation_row(row: Analysis, changes: Changes, fiscal_month: int) -> dict[str, Any]:
    period = Period(row.starts_on, Grain.QUARTER, fiscal_month)
    dimensions = []
    for each in expected_in(row):
        low, high = each.interval
        dimensions.append(
            {
                "code": each.code,
                "n": each.n,
                "mean": each.mean,
                "low": round(low, DIGITS),
                "high": round(high, DIGITS),
                "since_quarter": _change(changes.get((row.pk, each.code, "quarter"))),
                "since_year": _change(changes.get((row.pk, each.code, "year"))),
            }
        )
    return {
        "instrument": row.version.instrument.code,
        "version": row.version.number,
        "period": period.key,
        "starts_on": row.starts_on,
        "ends_on": period.end,
        "segment": row.margin_value or None,
        "status": row.status,
        "n": row.n,
        "said": sentence(row.status, row.n),
        "dimensions": dimensions,
    }


def _change(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    numbers = {name: round(getattr(change, name), DIGITS) for name in ("value", "low", "high")}
    return {**numbers, "p": change.p, "q": change.q, "is_clear": change.is_clear}
