"""KPI series and evaluation runs over REST."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import (
    Keyset,
    etag_of,
    json_response,
    next_link,
    not_modified,
    page_of,
    page_request,
    remembered_response,
)
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, IF_NONE_MATCH, documented, page_schema
from sqcore.base.periods import Period
from sqcore.evaluation.filters import KpiFilter, RunFilter
from sqcore.evaluation.kpi_page import kpi_page, kpi_question, kpi_stamp
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.queries import series_of
from sqcore.evaluation.serializers import KpiRow, RunRequest, RunRequested, RunRow, RunWithSeries
from sqcore.evaluation.services import request_run
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.indicators.definition import SystemDefinition
from sqcore.indicators.queries import system_by_code
from sqcore.org.queries import fiscal_start, local_day

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


RUN_EXAMPLE = OpenApiExample(
    "A month", request_only=True, value={"system": "service-quality", "period": "2026-05"}
)


class KpiListView(ApiView):
    """The hot list: its ETag needs no row, its query is compiled already, its rows are tuples."""

    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="kpi_values", summary="KPI series with n, interval and coverage", tag="Results",
        about="Series after series, each in the order of time; of one period, unit after unit. "
        "Only figures that are current. A figure of too few answers has the status “suppressed” "
        "and no numbers; what was measured is never suppressed. What n counts, and the target, "
        "the run says. Send the ETag of the last answer as If-None-Match: 304 says that nothing "
        "was published since.",
        answer=page_schema(KpiRow), filters=KpiFilter, pages=True, problems=(304,),
        parameters=[IF_NONE_MATCH], examples=[KPI_EXAMPLE],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asking = request._request
        asked = conditions_of(KpiFilter, asking.GET)
        month = fiscal_start()
        scope = self.principal.scope(Permission.VIEW_RESULTS)
        etag = etag_of(
            kpi_stamp(), month, scope.everywhere, sorted(scope.units), asking.META["QUERY_STRING"]
        )
        if unchanged := not_modified(asking, etag):
            return unchanged
        question = kpi_question(asked)
        rows, following = kpi_page(
            principal=self.principal,
            question=question,
            page=page_request(asking, question.order),
            fiscal_start=month,
        )
        link = next_link(asking, question.order, following) if following else None
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

    @documented(
        operation="request_run",
        summary="Ask for the evaluation of a closed period",
        about="It is queued; while it waits or runs, the same job is named. Nothing new is "
        "published when nothing changed. For people who may start evaluations, not for tokens.",
        tag="Results",
        takes=RunRequest,
        answer=RunRequested,
        status=202,
        problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
        examples=[RUN_EXAMPLE],
    )
    def post(self, request: Request) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = RunRequest(data=sent)
        unknown = sorted(set(sent) - set(asked.fields))
        if unknown:
            problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
            raise InvalidInput("Some fields are wrong.", problems=problems)
        asked.is_valid(raise_exception=True)
        answer = answer_once(
            scope=f"{self.principal.key} runs",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._start(**asked.validated_data, now=now),
        )
        return remembered_response(answer)

    def _start(self, *, system: str, period: str, now: datetime) -> Answer:
        job = request_run(
            system=system_by_code(self.principal, system),
            period=Period.parse(period, fiscal_start=fiscal_start()),
            by=self.principal,
            now=now,
        )
        if job is None:
            raise Conflict("The system has no published version; publish it first.")
        return Answer(202, {"system": system, "period": period, "job": str(job.pk)})


class RunView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="run",
        summary="One evaluation run, with what its series mean",
        tag="Results",
        about="Targets, floors, units and what each n counts are those that held in its period.",
        answer=RunWithSeries,
        problems=(404,),
    )
    def get(self, request: Request, run_id: int) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        runs = EvaluationRun.objects.visible_to(self.principal)
        run = runs.select_related("system", "version").filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        series = series_of(SystemDefinition.from_json(run.definition)) if run.definition else []
        return json_response({**run_row(run), "series": series})


def run_row(run: EvaluationRun) -> dict[str, Any]:
    return dict(RunRow(run).data)
