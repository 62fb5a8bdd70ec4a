"""Results of people over REST: by staff number, where one may see them, and each look is kept."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from sqcore.performance.filters import PeopleResultFilter
from sqcore.performance.models import Look, ResultsRun, StaffResult
from sqcore.performance.queries import current_runs, people_results, run_figures
from sqcore.performance.serializers import PeopleResultRow, ResultsRunRow
from sqcore.performance.services import note_look

SEES_PEOPLE = {"GET": (Permission.VIEW_PEOPLE_RESULTS,)}
BY_ID = Keyset(("id",))
TAG = "People"
TELL_THE_VERDICT = (
    *("raw", "adjusted", "estimate", "sd", "low", "high", "probability_low", "probability_above"),
)


class PeopleResultsView(ApiView):
    needs = SEES_PEOPLE

    @documented(
        operation="people_results",
        summary="Results of people",
        about="Of the newest window, of who works today where you may see results of people. By "
        "number, in no order of merit. Everybody whose row is read can see that you read it. "
        "Mind `gate`: a result is for nothing but what it says.",
        tag=TAG,
        answer=page_schema(PeopleResultRow),
        filters=PeopleResultFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        now = timezone.now()
        asked = conditions_of(PeopleResultFilter, request._request.GET)
        mine = people_results(self.principal, on=local_day(now))
        results = mine.filter(**asked)
        seen: set[int] = set()
        if number := asked.get("staff__number"):
            # That somebody has not this verdict or gate is told of them too.
            seen.update(mine.filter(staff__number=number).values_list("staff_id", flat=True))

        def row(result: StaffResult) -> dict[str, Any]:
            seen.add(result.staff_id)
            return _row(result)

        page = page_of(request._request, results, BY_ID, row)
        note_look(staff_ids=seen, way=Look.Way.REST, by=self.principal, now=now)
        return json_response(page)


def _row(result: StaffResult) -> dict[str, Any]:
    """What is told of a result: of too few answers not how many, and no figures that would say
    what verdict is held back."""
    row = dict(PeopleResultRow(result).data)
    if result.raw is None:
        row["n"] = None
    if result.verdict == StaffResult.Verdict.HELD:
        row |= dict.fromkeys(TELL_THE_VERDICT)
    return row


class PeopleResultsRunsView(ApiView):
    needs = SEES_PEOPLE

    @documented(
        operation="people_results_runs",
        summary="Runs of results of people",
        about="The run in force of every window, with what it was computed from and how often its "
        "verdicts are wrong by chance. The same rows give the same hashes.",
        tag=TAG,
        answer=page_schema(ResultsRunRow),
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        return json_response(page_of(request._request, current_runs(), BY_ID, _run_row))


def _run_row(run: ResultsRun) -> dict[str, Any]:
    run.measures = run_figures(run).measures  # type: ignore[attr-defined]  # shown with the run
    return dict(ResultsRunRow(run).data)
