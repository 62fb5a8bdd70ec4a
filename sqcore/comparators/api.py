"""Competitors and the market over REST: who, what they reach, scores side by side."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.base.periods import Grain, Period
from sqcore.comparators.comparing import Compared, compared
from sqcore.comparators.filters import (
    ComparatorFilter,
    ComparatorValueFilter,
    ComparisonFilter,
)
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.comparators.queries import value_of
from sqcore.comparators.rules import OwnScore
from sqcore.comparators.serializers import (
    ComparatorRow,
    ComparatorValueRequest,
    ComparatorValueRow,
    ComparatorWithdrawal,
    SystemComparison,
)
from sqcore.comparators.services import add_value, withdraw_value
from sqcore.evaluation.chosen import choose
from sqcore.evaluation.forms import Asked
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.indicators.definition import COMPOSITE, SystemDefinition
from sqcore.indicators.models import Indicator
from sqcore.org.queries import fiscal_start, local_day

READS = (Permission.VIEW_RESULTS, Permission.MANAGE_COMPARATORS)
KEEPS = (Permission.MANAGE_COMPARATORS,)
BY_CODE = Keyset(("code",))
BY_ID = Keyset(("id",))
TAG = "Competitors and market"

EXAMPLE = OpenApiExample(
    "The average of a market",
    request_only=True,
    value={
        "comparator": "market", "indicator": "solved", "starts_on": "2025-01-01",
        "ends_on": "2026-01-01", "value": 0.86, "low": 0.84, "high": 0.88, "n": 5200,
        "source": "Yearbook of banks 2025, table 4", "published_on": "2026-02-01",
    },
)  # fmt: skip


class ComparatorListView(ApiView):
    needs = {"GET": READS}

    @documented(
        operation="comparators", summary="Competitors, averages and bests of the market", tag=TAG,
        answer=page_schema(ComparatorRow), filters=ComparatorFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(ComparatorFilter, request._request.GET)
        found = Comparator.objects.visible_to(self.principal).filter(**asked)
        return json_response(
            page_of(request._request, found, BY_CODE, lambda row: ComparatorRow(row).data)
        )


class ComparatorValueListView(ApiView):
    needs = {"GET": READS, "POST": KEEPS}

    @documented(
        operation="comparator_values", summary="What competitors and the market reached", tag=TAG,
        about="The newest revision of each; withdrawn ones say when and why.",
        answer=page_schema(ComparatorValueRow), filters=ComparatorValueFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(ComparatorValueFilter, request._request.GET)
        found = ComparatorValue.objects.visible_to(self.principal).current().filter(**asked)
        found = found.select_related("comparator", "indicator")
        return json_response(page_of(request._request, found, BY_ID, value_row))

    @documented(
        operation="add_comparator_value", summary="Write down what a comparator reached", tag=TAG,
        about="One value for a comparator, an indicator and a time. A second one is a conflict; "
        "where the first was withdrawn it is the next revision.",
        takes=ComparatorValueRequest, answer=ComparatorValueRow, status=201,
        problems=(409, 413, 415, 422), parameters=[IDEMPOTENCY_KEY], examples=[EXAMPLE],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = _understood(ComparatorValueRequest, sent)
        answer = answer_once(
            scope=f"{self.principal.key} comparator-values",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=lambda: self._add(dict(asked), now),
        )
        return remembered_response(answer)

    def _add(self, told: dict[str, Any], now: datetime) -> Answer:
        comparators = Comparator.objects.visible_to(self.principal)
        comparator = comparators.filter(code=told.pop("comparator")).first()
        indicator = Indicator.objects.filter(code=told.pop("indicator")).first()
        if comparator is None or indicator is None:
            name = "comparator" if comparator is None else "indicator"
            raise InvalidInput("Some fields are wrong.", problems=[Problem("is not known", name)])
        made = add_value(
            comparator=comparator, indicator=indicator, by=self.principal, now=now, **told
        )
        return Answer(201, dict(ComparatorValueRow(value_row(made)).data))


class ComparatorWithdrawalView(ApiView):
    needs = {"POST": KEEPS}

    @documented(
        operation="withdraw_comparator_value", summary="Withdraw a value of a comparator", tag=TAG,
        about="It is compared with nowhere from now on, and stays to be read with the reason.",
        takes=ComparatorWithdrawal, answer=ComparatorValueRow,
        problems=(404, 409, 413, 415, 422), parameters=[IDEMPOTENCY_KEY],
    )  # fmt: skip
    def post(self, request: Request, value_id: int) -> HttpResponse:
        now = timezone.now()
        sent = self.sent(request)
        asked = _understood(ComparatorWithdrawal, sent)

        def make() -> Answer:
            value = withdraw_value(
                value=value_of(self.principal, value_id),
                because=asked["because"],
                by=self.principal,
                now=now,
            )
            return Answer(200, dict(ComparatorValueRow(value_row(value)).data))

        answer = answer_once(
            scope=f"{self.principal.key} comparator-values {value_id} withdraw",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=make,
        )
        return remembered_response(answer)


class SystemComparisonView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="system_comparison",
        summary="The score of a unit beside competitors and the market",
        about="Both scores are made of the indicators that both have, with the same goalposts and "
        "weights; below 60 % of the weight there are no scores. The interval of a side is the "
        "widest that any correlation could give it, and null where it is not known.",
        tag=TAG, answer=SystemComparison, filters=ComparisonFilter, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        asked = conditions_of(ComparisonFilter, request._request.GET, also=())
        part = asked.pop("code", COMPOSITE)
        chosen = choose(principal=self.principal, asked=Asked(system=code, **asked))
        if chosen is None or not chosen.tops:
            raise NotFound("Nothing was evaluated here yet.")
        definition = SystemDefinition.from_json(chosen.run.definition)
        if part not in {COMPOSITE, *(each.code for each in definition.all_dimensions())}:
            raise NotFound("There is no such dimension.")
        unit, run = chosen.tops[0], chosen.run
        found = compared(principal=self.principal, run=run, unit=unit, code=part)
        period = Period(run.starts_on, Grain(run.grain), fiscal_start())
        return json_response(
            {
                "system": chosen.system.code,
                "unit": unit.code,
                "period": period.key,
                "starts_on": period.start,
                "ends_on": period.end,
                "run": run.pk,
                "code": part,
                "comparisons": [comparison_row(each) for each in found],
            }
        )


def value_row(value: ComparatorValue) -> dict[str, Any]:
    return {
        "id": value.pk,
        "comparator": value.comparator.code,
        "indicator": value.indicator.code,
        "starts_on": value.starts_on,
        "ends_on": value.ends_on,
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "n": value.n,
        "source": value.source,
        "url": value.url,
        "published_on": value.published_on,
        "note": value.note,
        "revision": value.revision,
        "recorded_at": value.recorded_at,
        "withdrawn_at": value.withdrawn_at,
        "withdrawn_because": value.withdrawn_because,
    }


def comparison_row(each: Compared) -> dict[str, Any]:
    found = each.comparison
    return {
        "comparator": each.comparator.code,
        "kind": each.comparator.kind,
        "status": found.standing.value,
        "coverage": found.coverage,
        "own": _score_row(found.own),
        "theirs": _score_row(found.market),
        "difference": _score_row(found.by),
        "indicators": [
            {
                "code": pair.leaf.code,
                "weight": pair.weight,
                "own_score": pair.own.score,
                "comparator_score": pair.market.value,
                "value": pair.value.value,
                "starts_on": pair.value.starts_on,
                "ends_on": pair.value.ends_on,
                "source": pair.value.source,
            }
            for pair in found.pairs
        ],
    }


def _score_row(score: OwnScore | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {"score": score.score, "low": score.low, "high": score.high}


def _understood(kind: type[serializers.Serializer[Any]], sent: dict[str, Any]) -> dict[str, Any]:
    """raises: InvalidInput for fields that there are not; ValidationError for others"""
    asked = kind(data=sent)
    if unknown := sorted(set(sent) - set(asked.fields)):
        problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
        raise InvalidInput("Some fields are wrong.", problems=problems)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
