"""Campaigns and answers over REST: what is asked, and responses from other systems."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import Item
from surveys.responses.filters import CampaignFilter
from surveys.responses.intake import receive_responses
from surveys.responses.serializers import (
    CampaignDetail,
    CampaignRow,
    Received,
    ResponseBatch,
    ResponseIn,
)

SEES_CAMPAIGNS = (
    Permission.SUBMIT_RESPONSES,
    Permission.MANAGE_SURVEYS,
    Permission.VIEW_RESULTS,
)
SENDS = {"POST": (Permission.SUBMIT_RESPONSES,)}
BY_CODE = Keyset(("code",))
TAG = "Surveys"

ONE = {
    "unit": "north", "channel": "counter", "answered_on": "2026-05-17", "language": "en",
    "answers": {"p1": 6, "p2": "na", "overall": 7},
}  # fmt: skip
ONE_EXAMPLE = OpenApiExample("A response", request_only=True, value=ONE)
BATCH_EXAMPLE = OpenApiExample("A batch", request_only=True, value={"responses": [ONE]})


class CampaignListView(ApiView):
    needs = {"GET": SEES_CAMPAIGNS}

    @documented(
        operation="campaigns", summary="Campaigns", tag=TAG,
        answer=page_schema(CampaignRow), filters=CampaignFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(CampaignFilter, request._request.GET)
        campaigns = Campaign.objects.visible_to(self.principal).filter(**asked)
        campaigns = campaigns.select_related("version__instrument")
        page = page_of(
            request._request, campaigns, BY_CODE, lambda campaign: CampaignRow(campaign).data
        )
        return json_response(page)


class CampaignView(ApiView):
    needs = {"GET": SEES_CAMPAIGNS}

    @documented(
        operation="campaign", summary="A campaign and its questions", tag=TAG,
        answer=CampaignDetail, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        campaign = _campaign(self, code)
        items = [item_row(item) for item in codebook_of(campaign.version).items]
        row = dict(CampaignRow(campaign).data)
        return json_response(row | {"languages": campaign.version.languages, "items": items})


def item_row(item: Item) -> dict[str, Any]:
    return {
        "code": item.code,
        "kind": item.kind,
        "role": item.role,
        "text": item.text,
        "low": item.low,
        "high": item.high,
        "allows_na": item.allows_na,
        "options": [option.get("code", "") for option in item.options],
    }


class ResponseView(ApiView):
    needs = SENDS

    @documented(
        operation="add_response", summary="Send one response", tag=TAG,
        takes=ResponseIn, answer=Received, status=201, problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY], examples=[ONE_EXAMPLE],
    )  # fmt: skip
    def post(self, request: Request, code: str) -> HttpResponse:
        return _receive(self, request, code, [self.sent(request)], in_list=False)


class ResponseBatchView(ApiView):
    needs = SENDS

    @documented(
        operation="add_responses", summary="Send up to 1000 responses: all are taken or none",
        tag=TAG, takes=ResponseBatch, answer=Received, status=201,
        problems=(404, 409, 413, 415, 422), parameters=[IDEMPOTENCY_KEY], examples=[BATCH_EXAMPLE],
    )  # fmt: skip
    def post(self, request: Request, code: str) -> HttpResponse:
        sent = self.sent(request)
        rows = sent.get("responses")
        if not isinstance(rows, list) or set(sent) != {"responses"}:
            reason = "must be a list of responses, and the only field"
            raise InvalidInput(
                "The batch cannot be read.", problems=[Problem(reason, field="responses")]
            )
        return _receive(self, request, code, rows, in_list=True)


def _campaign(view: ApiView, code: str) -> Campaign:
    campaigns = Campaign.objects.visible_to(view.principal).select_related("version__instrument")
    campaign = campaigns.filter(code=code).first()
    if campaign is None:
        raise NotFound(f"There is no campaign “{code}”, or it is not for you.")
    return campaign


def _receive(
    view: ApiView,
    request: Request,
    code: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    in_list: bool,
) -> HttpResponse:
    """Store and remember in one transaction; answer after the commit."""
    now = timezone.now()
    campaign = _campaign(view, code)

    def make() -> Answer:
        stored = receive_responses(
            campaign=campaign, rows=rows, by=view.principal, now=now, in_list=in_list
        )
        body: dict[str, Any] = {"campaign": campaign.code, "accepted": len(stored)}
        if campaign.mode != Campaign.Mode.ANONYMOUS:
            body["ids"] = [str(response.key) for response in stored]
        return Answer(201, body)

    answer = answer_once(
        scope=f"{view.principal.key} {request._request.path}"[:120],
        key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
        body=view.sent(request),
        today=local_day(now),
        make=make,
    )
    return remembered_response(answer)
