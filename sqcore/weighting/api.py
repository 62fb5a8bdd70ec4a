"""The weights of published systems over REST, and how they came about."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from sqcore.base.api import json_response
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.indicators.queries import published_version, system_by_code
from sqcore.weighting.queries import Origin, origins_of
from sqcore.weighting.serializers import SystemWeights


class SystemWeightsView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="system_weights", summary="The weights of a system, and how they came about",
        tag="Indicators", answer=SystemWeights, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        system = system_by_code(self.principal, code)
        version = published_version(system)
        origins = origins_of(version) if version else []
        row = {
            "code": system.code,
            "version": version.number if version else None,
            "groups": [group_row(origin) for origin in origins],
        }
        return json_response(dict(SystemWeights(row).data))


def group_row(origin: Origin) -> dict[str, Any]:
    facts = origin.facts or {}
    return {
        "group": origin.group.code,
        "weights": [
            {"code": code, "weight": float(weight)} for code, weight in origin.group.weights.items()
        ],
        "method": origin.method or None,
        "for_version": origin.number,
        "applied_at": origin.at,
        "experts": facts.get("experts"),
        "left_out": facts.get("left_out"),
        "consistency": {
            "ratio": facts["cr"],
            "random_index": facts["ri"],
            "random_index_of": facts["ri_of"],
            "limit": facts["limit"],
        }
        if "cr" in facts
        else None,
    }
