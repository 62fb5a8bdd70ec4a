"""Goals and screening of a version over REST, to read."""

from statistics import mean
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.indicators.pages import version_named
from sqcore.publication.differences import Change, Differences, Part, differences, points_row
from sqcore.publication.models import Candidate, Goal
from sqcore.publication.queries import former_of
from sqcore.publication.serializers import CandidateRow, GoalRow, VersionChanges
from sqcore.publication.services import CRITERIA

BY_PLACE = Keyset(("position",))


class SystemGoalsView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="system_goals", summary="The goals of a version of a system", tag="Indicators",
        answer=page_schema(GoalRow), problems=(404,), pages=True,
    )  # fmt: skip
    def get(self, request: Request, code: str, number: int) -> HttpResponse:
        conditions_of(None, request._request.GET)
        version = version_named(self.principal, code, number)
        found = Goal.objects.visible_to(self.principal).filter(version=version)
        return json_response(
            page_of(request._request, found, BY_PLACE, lambda row: dict(GoalRow(row).data))
        )


class SystemScreeningView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="system_screening", summary="What was screened for a version of a system",
        tag="Indicators", answer=page_schema(CandidateRow), problems=(404,), pages=True,
    )  # fmt: skip
    def get(self, request: Request, code: str, number: int) -> HttpResponse:
        conditions_of(None, request._request.GET)
        version = version_named(self.principal, code, number)
        found = (
            Candidate.objects.visible_to(self.principal)
            .filter(version=version)
            .select_related("indicator")
            .prefetch_related("ratings")
        )
        return json_response(page_of(request._request, found, BY_PLACE, candidate_row))


class SystemChangesView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="system_changes", summary="What changed since an earlier version of a system",
        tag="Indicators", answer=VersionChanges, problems=(404,),
        parameters=[OpenApiParameter(
            "former", int, description="The number of the earlier version; without it, the last"
        )],
    )  # fmt: skip
    def get(self, request: Request, code: str, number: int) -> HttpResponse:
        conditions_of(None, request._request.GET, also=("former",))
        version = version_named(self.principal, code, number)
        former = former_of(version, request._request.GET.get("former", ""))
        found = differences(former, version, principal=self.principal, now=timezone.now())
        return json_response(dict(VersionChanges(changes_row(found)).data))


def changes_row(found: Differences) -> dict[str, Any]:
    return {
        "system": found.later.system.code,
        "former": found.former.number,
        "version": found.later.number,
        "settings": [_change_row(each) for each in found.settings],
        "added": found.added,
        "removed": found.removed,
        "changed": [
            {**_place_row(each.part), "changes": [_change_row(change) for change in each.changes]}
            for each in found.changed
        ],
        "weights": [
            {**_place_row(each.part), "before": each.before, "after": each.after}
            for each in found.weights
        ],
        "goals": [
            *({"before": None, "after": goal} for goal in found.goals_added),
            *({"before": each.before, "after": each.after} for each in found.goals_changed),
            *({"before": goal, "after": None} for goal in found.goals_removed),
        ],
    }


def _place_row(part: Part) -> dict[str, str]:
    return {"kind": part.kind, "code": part.code, "dimension": part.dimension}


def _change_row(change: Change) -> dict[str, object]:
    before, after = points_row(change.before), points_row(change.after)
    return {"field": change.field, "before": before, "after": after}


def candidate_row(candidate: Candidate) -> dict[str, Any]:
    ratings = list(candidate.ratings.all())
    means = {
        name: mean(getattr(each, name) for each in ratings) if ratings else None
        for name in CRITERIA
    }
    row = {
        "position": candidate.position,
        "indicator": candidate.indicator.code if candidate.indicator else None,
        "name": candidate.indicator.name if candidate.indicator else candidate.name,
        "ratings": {"raters": len(ratings), **means},
        "decision": candidate.decision,
        "reason": candidate.reason,
        "decided_at": candidate.decided_at,
    }
    return dict(CandidateRow(row).data)
