"""The catalogue of indicators and the published systems over REST."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.errors import NotFound
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    definition_of,
)
from sqcore.indicators.filters import IndicatorFilter
from sqcore.indicators.models import Indicator, IndicatorSystem, Target
from sqcore.indicators.queries import (
    past_versions,
    published_version,
    system_by_code,
    targets_by_code,
)
from sqcore.indicators.serializers import (
    IndicatorRow,
    SystemDetail,
    SystemRow,
    SystemVersionRow,
)
from sqcore.indicators.shapes import shape_of
from sqcore.org.queries import local_day

SEES_RESULTS = {"GET": (Permission.VIEW_RESULTS,)}
BY_CODE = Keyset(("code",))
TAG = "Indicators"


class IndicatorListView(ApiView):
    needs = SEES_RESULTS

    @documented(
        operation="indicators", summary="The catalogue of indicators", tag=TAG,
        answer=page_schema(IndicatorRow), filters=IndicatorFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(IndicatorFilter, request._request.GET)
        indicators = (
            Indicator.objects.visible_to(self.principal).filter(**asked).prefetch_related("targets")
        )
        return json_response(page_of(request._request, indicators, BY_CODE, indicator_row))


class IndicatorView(ApiView):
    needs = SEES_RESULTS

    @documented(
        operation="indicator", summary="One indicator", tag=TAG, answer=IndicatorRow,
        problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        indicator = Indicator.objects.visible_to(self.principal).filter(code=code).first()
        if indicator is None:
            raise NotFound(f"There is no indicator “{code}”.")
        return json_response(indicator_row(indicator))


def indicator_row(indicator: Indicator) -> dict[str, Any]:
    return dict(IndicatorRow(indicator).data)


class SystemListView(ApiView):
    needs = SEES_RESULTS

    @documented(
        operation="systems", summary="Indicator systems", tag=TAG, answer=page_schema(SystemRow),
        pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        systems = IndicatorSystem.objects.visible_to(self.principal)
        return json_response(page_of(request._request, systems, BY_CODE, system_row))


class SystemView(ApiView):
    needs = SEES_RESULTS

    @documented(
        operation="system", summary="A system as it is published: dimensions, weights, goalposts",
        tag=TAG, answer=SystemDetail, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        system = system_by_code(self.principal, code)
        return json_response(system_row(system) | published_row(system))


def system_row(system: IndicatorSystem) -> dict[str, Any]:
    return {"code": system.code, "name": system.name, "is_active": system.is_active}


def published_row(system: IndicatorSystem) -> dict[str, Any]:
    version = published_version(system)
    if version is None:
        return {
            "version": None, "published_at": None, "grains": [], "since": None, "target": None,
            "aggregation": "",
            "dimensions": [], "operands": [], "versions": [],
        }  # fmt: skip
    said = definition_of(version)
    codes = [leaf.code for leaf in said.all_indicators()]
    targets = targets_by_code(codes, on=local_day(timezone.now()))
    return {
        "version": version.number,
        "published_at": version.published_at,
        "grains": version.grains,
        "since": version.since,
        "target": said.target,
        "aggregation": said.aggregation,
        "dimensions": [
            row for top in said.dimensions for row in dimension_rows(top, None, targets)
        ],
        "operands": [operand.code for operand in said.operands],
        "versions": [dict(SystemVersionRow(found).data) for found in past_versions(system)],
    }


def dimension_rows(
    dimension: DimensionDefinition, parent: str | None, targets: Mapping[str, Target]
) -> Iterator[dict[str, Any]]:
    """Yield the dimension and those below it as flat rows, parents first."""
    yield {
        "code": dimension.code,
        "name": dimension.name,
        "parent": parent,
        "weight": dimension.weight,
        "target": dimension.target,
        "indicators": [_leaf_row(leaf, targets.get(leaf.code)) for leaf in dimension.indicators],
    }
    for below in dimension.dimensions:
        yield from dimension_rows(below, dimension.code, targets)


def _leaf_row(leaf: IndicatorDefinition, target: Target | None) -> dict[str, Any]:
    return {
        "code": leaf.code,
        "weight": leaf.weight,
        "worst": leaf.worst,
        "best": leaf.best,
        **shape_of(leaf),
        "stage": leaf.stage,
        "formula": leaf.formula,
        "counts": leaf.counts,
        "target": None if target is None else target.value,
        "floor": None if target is None else target.floor,
    }
