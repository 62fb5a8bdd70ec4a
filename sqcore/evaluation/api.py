"""KPI series and evaluation runs over REST."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import (
    Keyset,
    conditions_of,
    etag_of,
    json_response,
    next_link,
    not_modified,
    page_of,
    page_request,
)
from sqcore.base.errors import NotFound
from sqcore.base.openapi import IF_NONE_MATCH, documented, page_schema
from sqcore.evaluation.filters import KpiFilter, RunFilter
from sqcore.evaluation.kpi_page import ORDER, kpi_page, kpi_stamp
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.serializers import KpiRow, RunRow
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import fiscal_start

SEES_RESULTS = (Permission.VIEW_RESULTS,)
BY_ID = Keyset(("id",))

KPI_EXAMPLE = OpenApiExample(
    "A series",
    response_only=True,
    status_codes=["200"],
    value={
        "results": [
            {
                "system": "service-quality", "unit": "north", "grain": "month",
                "period": "2026-02", "starts_on": "2026-02-01", "ends_on": "2026-03-01",
                "margin": "overall", "margin_value": None, "kind": "dimension",
                "code": "reliability", "status": "ok", "reason": None, "value": None, "low": None,
                "high": None, "score": 71.4, "score_low": 69.9, "score_high": 72.9, "n": 412,
                "coverage": 1.0, "run": 118, "revision": 1, "published_at": "2026-03-01T02:10:07Z",
            }
        ],
        "next": None,
    },
)  # fmt: skip


class KpiListView(ApiView):
    """The hot list: its ETag needs no row, its query is compiled already, its rows are tuples."""

    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="kpi_values", summary="KPI series with n, interval and coverage", tag="Results",
        about="Series after series, each in the order of time; only figures that are current. A "
        "figure of too few answers has the status “suppressed” and no numbers. Send the ETag of "
        "the last answer as If-None-Match: 304 says that nothing was published since.",
        answer=page_schema(KpiRow), filters=KpiFilter, pages=True, problems=(304,),
        parameters=[IF_NONE_MATCH], examples=[KPI_EXAMPLE],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asking = request._request
        page = page_request(asking, ORDER)
        asked = conditions_of(KpiFilter, asking.GET)
        month = fiscal_start()
        scope = self.principal.scope(Permission.VIEW_RESULTS)
        etag = etag_of(
            kpi_stamp(), month, scope.everywhere, sorted(scope.units), asking.META["QUERY_STRING"]
        )
        if unchanged := not_modified(asking, etag):
            return unchanged
        rows, following = kpi_page(
            principal=self.principal, asked=asked, page=page, fiscal_start=month
        )
        link = next_link(asking, ORDER, following) if following else None
        return json_response({"results": rows, "next": link}, etag=etag)


class RunListView(ApiView):
    needs = {"GET": SEES_RESULTS, "POST": (Permission.RUN_EVALUATION,)}

    @documented(
        operation="runs", summary="Evaluation runs", tag="Results",
        answer=page_schema(RunRow), filters=RunFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(RunFilter, request._request.GET)
        runs = EvaluationRun.objects.visible_to(self.principal).filter(**asked)
        runs = runs.select_related("system", "version").defer("definition", "policy", "tree")
        return json_response(page_of(request._request, runs, BY_ID, run_row))


class RunView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="run", summary="One evaluation run", tag="Results", answer=RunRow, problems=(404,)
    )
    def get(self, request: Request, run_id: int) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        runs = EvaluationRun.objects.visible_to(self.principal)
        run = runs.select_related("system", "version").filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        return json_response(run_row(run))


def run_row(run: EvaluationRun) -> dict[str, Any]:
    return dict(RunRow(run).data)
