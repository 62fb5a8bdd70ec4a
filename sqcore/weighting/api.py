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
from sqcore.stats.results import Figure, MethodStatus
from sqcore.weighting.queries import Origin, origins_of
from sqcore.weighting.robustness import Sensitivity, sensitivity_of
from sqcore.weighting.serializers import SystemSensitivity, SystemWeights


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


class SystemSensitivityView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="system_sensitivity",
        summary="How the order of units depends on the weights of a system",
        tag="Indicators", answer=SystemSensitivity, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        system = system_by_code(self.principal, code)
        version = published_version(system)
        found = sensitivity_of(version, principal=self.principal) if version else None
        return json_response(dict(SystemSensitivity(sensitivity_row(system.code, found)).data))


def sensitivity_row(code: str, found: Sensitivity | None) -> dict[str, Any]:
    """The order of the units that the asker sees; suppressed figures take no part."""
    robustness = found.robustness if found else None
    return {
        "code": code,
        "version": found.version.number if found else None,
        "period": found.period.key if found and found.period else None,
        "status": found.status.value if found else MethodStatus.INSUFFICIENT_N.value,
        "draws": robustness.draws if robustness else 0,
        "first_changes": _share_row(robustness.first_changes) if robustness else None,
        "any_changes": _share_row(robustness.any_changes) if robustness else None,
        "left_out": found.left_out if found else 0,
        "units": [
            {
                "unit": each.unit.code,
                "rank": each.rank.rank,
                "low": each.rank.low,
                "high": each.rank.high,
                "next_overtakes": each.overtaken,
            }
            for each in (found.units if found else ())
        ],
        "weights": [
            {
                "code": each.code,
                "weight": each.weight,
                "low": each.share.low,
                "high": each.share.high,
                "order_low": each.order.low,
                "order_high": each.order.high,
                "status": each.share.status.value,
            }
            for each in (found.rooms if found else ())
        ],
    }


def _share_row(figure: Figure) -> dict[str, Any] | None:
    if figure.value is None:
        return None
    return {"share": figure.value, "low": figure.low, "high": figure.high}


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
        "rounds": len(facts["rounds"]) if "rounds" in facts else None,
        "agreement": {"w": facts["w"], "p": facts["p"], "p_by": facts["p_by"]}
        if facts.get("w") is not None
        else None,
        "figures": {
            "period": facts["period"],
            "version": facts["of_version"],
            "units": facts.get("units"),
        }
        if "period" in facts
        else None,
        "made_of": {name: facts[name] for name in ("first", "second", "how", "theta")}
        if "first" in facts
        else None,
        "consistency": {
            "ratio": facts["cr"],
            "random_index": facts["ri"],
            "random_index_of": facts["ri_of"],
            "limit": facts["limit"],
        }
        if "cr" in facts
        else None,
    }
