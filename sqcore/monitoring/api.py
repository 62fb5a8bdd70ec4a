"""Control charts, signals and what chance lets expect, over REST."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.base.periods import Grain
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.queries import system_by_code
from sqcore.monitoring.charts import (
    USUAL_PROFILE,
    Chart,
    ChartPoint,
    Lined,
    Segment,
    chart_at,
)
from sqcore.monitoring.filters import (
    ChartFilter,
    EarlyWarningFilter,
    ForecastFilter,
    SignalFilter,
)
from sqcore.monitoring.kinds import suiting_kinds
from sqcore.monitoring.models import Annotation, EarlyWarning, Signal
from sqcore.monitoring.outlook import DatedChange, Outlook, outlook_of
from sqcore.monitoring.queries import latest_watches
from sqcore.monitoring.serializers import (
    AnnotationRow,
    ChartRow,
    EarlyWarningRow,
    OutlookRow,
    SignalRow,
    WatchRow,
)
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from sqcore.stats.results import Figure

SEES_RESULTS = (Permission.VIEW_RESULTS,)
BY_ID = Keyset(("id",))
NEEDED = ("system", "unit", "code", "grain")
SIDES = {1: "high", -1: "low", 0: "neither"}
COUNTED_IN = {"t": "days", "g": "cases"}
DIRECTIONS = {1: "up", -1: "down", 0: "none"}

SIGNAL_EXAMPLE = OpenApiExample(
    "An open signal",
    response_only=True,
    status_codes=["200"],
    value={
        "results": [
            {
                "id": 7, "fingerprint": "5b1c…", "algorithm": 1, "system": "service-quality",
                "unit": "riverside", "code": "counter-waiting-time", "grain": "week",
                "direction": "high", "state": "ongoing", "episode": 1, "baseline": 12,
                "alarm_on": "2026-08-10", "since_on": "2026-07-27", "last_on": "2026-10-26",
                "recovered_on": None, "height": 9.7, "shift": 5.1, "shift_sigma": 3.4,
                "found_at": "2026-08-17T02:10:07Z", "changed_at": "2026-11-02T02:10:07Z",
                "muted_until": None,
            }
        ],
        "next": None,
    },
)  # fmt: skip


class ChartView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="chart",
        summary="The control chart of one series",
        about="Every closed period with its limits and what the rules say of it. `system`, `unit`, "
        "`code` and `grain` name the series. Values are in the indicator's own unit, those of "
        "scores in points. A segment without a baseline has trial limits: they are not frozen.",
        tag="Results",
        answer=ChartRow,
        filters=ChartFilter,
        problems=(404,),
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(ChartFilter, request._request.GET, also=())
        return json_response(chart_row(_chart(self.principal, asked)))


class ForecastView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="chart-forecast",
        summary="Where one series is going: direction, likely changes, next periods",
        about="What the closed periods of a series say: whether it rises or falls and how fast, "
        "when its level probably changed, whether it has a season, and the next periods with "
        "their interval and how far the method erred on the past. Too short: each part says so "
        "in its status. It opens no signal.",
        tag="Results",
        answer=OutlookRow,
        filters=ForecastFilter,
        problems=(404,),
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(ForecastFilter, request._request.GET, also=())
        chart = _chart(self.principal, asked)
        return json_response(outlook_row(chart, outlook_of(chart)))


def _chart(principal: Principal, asked: Mapping[str, Any]) -> Chart:
    missing = [Problem("is needed", field=name) for name in NEEDED if name not in asked]
    if missing:
        raise InvalidInput("Some parameters cannot be used.", problems=missing)
    units = Unit.objects.visible_to(principal, Permission.VIEW_RESULTS)
    system = system_by_code(principal, asked["system"])
    unit = units.filter(code=asked["unit"]).first()
    if unit is None:
        raise NotFound(f"There is no unit “{asked['unit']}”.")
    return chart_at(
        principal=principal,
        system=system,
        unit=unit,
        code=asked["code"],
        grain=Grain(asked["grain"]),
        profile=asked.get("profile", USUAL_PROFILE),
        view=asked.get("view", ""),
        today=local_day(timezone.now()),
    )


class SignalListView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="signals",
        summary="Signals: what really changed for the worse",
        about="One row for each problem, however often it came back. How many of them chance alone "
        "would give, /watches says.",
        tag="Results",
        answer=page_schema(SignalRow),
        filters=SignalFilter,
        pages=True,
        examples=[SIGNAL_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(SignalFilter, request._request.GET)
        found = Signal.objects.visible_to(self.principal).filter(**asked)
        found = found.select_related("system", "unit")
        return json_response(page_of(request._request, found, BY_ID, signal_row))


class EarlyWarningListView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="early-warnings",
        summary="Early warnings: whose forecast passes the floor or the target",
        about="One row a series while its forecast passes its floor (its target, where it has no "
        "floor) to the wrong side within the periods foretold. It opens no signal and no ticket. "
        "`state=came_true` and `state=passed_off` are those that ended: how often they came true.",
        tag="Results",
        answer=page_schema(EarlyWarningRow),
        filters=EarlyWarningFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(EarlyWarningFilter, request._request.GET)
        asked.setdefault("state", EarlyWarning.State.OPEN)
        found = EarlyWarning.objects.visible_to(self.principal).filter(**asked)
        found = found.select_related("system", "unit")
        return json_response(page_of(request._request, found, BY_ID, early_warning_row))


class WatchListView(ApiView):
    needs = {"GET": SEES_RESULTS}

    @documented(
        operation="watches",
        summary="How many signals were found, and how many chance alone would give",
        tag="Results",
        answer=page_schema(WatchRow),
    )
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        found = latest_watches(self.principal)
        return json_response({"results": [dict(WatchRow(row).data) for row in found], "next": None})


def signal_row(signal: Signal) -> dict[str, Any]:
    return dict(SignalRow(signal).data)


def early_warning_row(warning: EarlyWarning) -> dict[str, Any]:
    return dict(EarlyWarningRow(warning).data)


def chart_row(chart: Chart) -> dict[str, Any]:
    """Write a chart as `ChartRow` describes it."""
    return {
        "system": chart.system.code,
        "unit": chart.unit.code,
        "code": chart.key.code,
        "grain": chart.key.grain.value,
        "better": SIDES[chart.better],
        "target": chart.target,
        "profile": {"key": chart.profile.key, "version": chart.profile.version},
        "kind": chart.limits.kind.value,
        "kind_reason": chart.reason,
        "points_are": "periods" if chart.passed is None else "events",
        "counted_in": COUNTED_IN.get(chart.limits.kind.value, "values"),
        "suiting_kinds": [kind.value for kind in suiting_kinds(chart.leaf, chart.window)],
        "variation": chart.variation.value if chart.variation else None,
        "assurance": chart.assurance.value,
        "segments": [_segment(segment) for segment in chart.segments],
        "points": [_point(point) for point in chart.points],
        "annotations": [_annotation(found) for found in chart.annotations],
        "signals": [signal_row(found) for found in chart.signals],
    }


def outlook_row(chart: Chart, found: Outlook) -> dict[str, Any]:
    """Write where a series is going as `OutlookRow` describes it."""
    trend, season = found.trend, found.season
    return {
        "system": chart.system.code,
        "unit": chart.unit.code,
        "code": chart.key.code,
        "grain": chart.key.grain.value,
        "better": SIDES[chart.better],
        "version": found.version,
        "n": found.n,
        "trend": {
            "status": trend.status.value,
            "method": trend.method.value if trend.method else None,
            "direction": DIRECTIONS[trend.direction],
            "tau": trend.tau,
            "p": trend.p,
            "slope": _figure(trend.slope),
            "slope_per": "year" if found.slope_is_a_year else "period",
            "doubtful": trend.is_doubtful,
        },
        "changes": {
            "status": found.changes.status.value,
            "gradual": found.changes.is_gradual,
            "found": [_change(each) for each in found.dated],
        },
        "season": {
            "status": season.status.value,
            "found": season.is_found,
            "p": season.p,
            "years": season.years,
        },
        "autocorrelation": _figure(found.memory),
        "forecast": _forecast(found),
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "n": figure.n,
        "status": figure.status.value,
    }


def _change(dated: DatedChange) -> dict[str, Any]:
    return {
        "starts_on": dated.at.start,
        "earliest_on": dated.earliest.start,
        "latest_on": dated.latest.start,
        "before": dated.change.before,
        "after": dated.change.after,
        "by": _figure(dated.change.by),
    }


def _forecast(found: Outlook) -> dict[str, Any]:
    told = found.forecast
    return {
        "status": told.status.value,
        "method": told.method.value if told.method else None,
        "version": told.version,
        "confidence": told.confidence,
        "error": told.error,
        "naive_error": told.naive_error,
        "tests": told.tests,
        "coverage": _figure(told.coverage),
        "periods": [
            {
                "period": each.period.key,
                "starts_on": each.period.start,
                "value": each.point.value,
                "low": each.point.low,
                "high": each.point.high,
            }
            for each in found.ahead
        ],
        "passes": [
            {
                "line": each.line,
                "value": each.value,
                "worse": each.is_worse,
                "possible_on": each.possible.start if each.possible else None,
                "expected_on": each.expected.start if each.expected else None,
                "certain_on": each.certain.start if each.certain else None,
            }
            for each in found.passings
        ],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    limits, baseline = segment.limits, segment.baseline
    is_known = limits.status != "too_short"
    first = segment.points[0].seen.period.start if segment.points else segment.span[1]
    span = segment.span if limits.n0 else (None, None)
    frozen: dict[str, Any] = {
        "baseline": None,
        "applies_from": first,
        "origin": None,
        "reason": "",
        "approved_by": None,
        "frozen_at": None,
        "kind_chosen": False,
    }
    if baseline is not None:
        frozen = {
            "baseline": baseline.pk,
            "applies_from": baseline.applies_from,
            "origin": baseline.origin,
            "reason": baseline.reason,
            "approved_by": "person" if baseline.decided_by_id else "software",
            "frozen_at": baseline.decided_at or baseline.created_at,
            "kind_chosen": baseline.kind_chosen,
        }
    return {
        **frozen,
        "kind": limits.kind.value,
        "kind_reason": segment.reason,
        "status": limits.status.value,
        "starts_on": span[0],
        "ends_on": span[1],
        "n0": limits.n0,
        "centre": limits.centre if is_known else None,
        "sigma": limits.sigma if is_known else None,
        "allowance": limits.allowance,
        "phi": limits.phi,
        "screened": limits.screened,
    }


def _point(point: ChartPoint) -> dict[str, Any]:
    seen = point.seen
    return {
        "period": seen.period.key,
        "starts_on": seen.period.start,
        "ends_on": seen.period.end,
        "value": seen.value,
        "low": seen.low,
        "high": seen.high,
        "n": seen.n,
        "excluded": seen.is_excluded,
        "exclusion": seen.exclusion,
        "centre": point.centre,
        "lower": point.lower,
        "upper": point.upper,
        "z": point.z,
        "spread": _lined(point.spread),
        "smoothed": _lined(point.smoothed),
        "flags": [
            {"rule": flag.rule.value, "side": SIDES[flag.side], "seen_on": flag.seen_on}
            for flag in point.flags
        ],
    }


def _lined(found: Lined | None) -> dict[str, Any] | None:
    return None if found is None else {**asdict(found), "beyond": found.is_beyond}


def _annotation(annotation: Annotation) -> dict[str, Any]:
    return dict(AnnotationRow(annotation).data)
