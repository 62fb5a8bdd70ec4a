"""Encounters over REST: sent in bulk by core systems, single ones read by who takes them in."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.base.api import BulkJSONParser, Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.encounters.filters import EncounterFilter, ProcessMapFilter
from sqcore.encounters.intake import receive_encounters
from sqcore.encounters.models import Encounter, Service, Stage
from sqcore.encounters.process import Asked, choose, map_as_json, no_map, read
from sqcore.encounters.serializers import (
    EncounterBatch,
    EncounterRow,
    ProcessMapRow,
    ServiceRow,
    StageRow,
    TakenEncounters,
)
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day

KNOWS = (
    Permission.VIEW_RESULTS,
    Permission.SEND_MEASUREMENTS,
    Permission.MANAGE_MEASUREMENTS,
)
BY_CODE = Keyset(("code",))
BY_DAY = Keyset(("on", "id"))
TAG = "Encounters"

ENCOUNTER = {
    "key": "T-20260517-0042", "unit": "north", "arrived_at": "2026-05-17T09:30:00+08:00",
    "customer": "6222-0001", "channel": "counter", "segment": "private", "service": "account",
    "solved": True, "shares": {"1001": 0.8, "1002": 0.2},
    "stages": [
        {"stage": "number", "started_at": "2026-05-17T09:30:00+08:00",
         "ended_at": "2026-05-17T09:30:20+08:00"},
        {"stage": "advice", "started_at": "2026-05-17T09:41:00+08:00",
         "ended_at": "2026-05-17T09:52:30+08:00", "staff": "1001"},
    ],
}  # fmt: skip
ENCOUNTERS = OpenApiExample("A batch", request_only=True, value={"encounters": [ENCOUNTER]})


class ServiceListView(ApiView):
    needs = {"GET": KNOWS}

    @documented(
        operation="services", summary="Services that customers come for", tag=TAG,
        answer=page_schema(ServiceRow), pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        services = Service.objects.all()
        return json_response(
            page_of(request._request, services, BY_CODE, lambda row: ServiceRow(row).data)
        )


class StageListView(ApiView):
    needs = {"GET": KNOWS}

    @documented(
        operation="stages", summary="Stages of services", tag=TAG,
        answer=page_schema(StageRow), pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        stages = Stage.objects.all()
        return json_response(
            page_of(request._request, stages, BY_CODE, lambda row: StageRow(row).data)
        )


class EncounterView(ApiView):
    needs = {
        "GET": (Permission.MANAGE_MEASUREMENTS,),
        "POST": (Permission.SEND_MEASUREMENTS,),
    }
    parser_classes = (BulkJSONParser,)

    @documented(
        operation="encounters", summary="Single encounters", tag=TAG,
        about="For who takes operational data in; never for a token. Without the customer.",
        answer=page_schema(EncounterRow), filters=EncounterFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(EncounterFilter, request._request.GET)
        rows = Encounter.objects.visible_to(self.principal).filter(**asked)
        rows = rows.select_related("unit", "channel", "segment", "service")
        return json_response(page_of(request._request, rows, BY_DAY, encounter_row))

    @documented(
        operation="send_encounters",
        summary="Send up to 10,000 encounters: all are taken or none",
        about="The same again changes nothing; other content of a key replaces it. Up to 8 MB at"
        " once. Waiting and handling are computed from the stages.",
        tag=TAG, takes=EncounterBatch, answer=TakenEncounters, problems=(409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY], examples=[ENCOUNTERS],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        sent = self.sent(request)
        rows = sent.get("encounters")
        if not isinstance(rows, list) or set(sent) != {"encounters"}:
            reason = _("must be a list of encounters, and the only field")
            raise InvalidInput(
                _("The batch cannot be read."), problems=[Problem(reason, field="encounters")]
            )
        now = timezone.now()

        def make() -> Answer:
            return Answer(200, receive_encounters(rows=rows, by=self.principal, now=now).as_json())

        answer = answer_once(
            scope=f"{self.principal.key} {request._request.path}"[:120],
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=make,
        )
        return remembered_response(answer)


def encounter_row(encounter: Encounter) -> dict[str, Any]:
    return {
        "key": encounter.key,
        "unit": encounter.unit.code,
        "channel": encounter.channel.code if encounter.channel else None,
        "segment": encounter.segment.code if encounter.segment else None,
        "service": encounter.service.code if encounter.service else None,
        "on": encounter.on,
        "arrived_at": encounter.arrived_at,
        "waiting_s": encounter.waiting_s,
        "handling_s": encounter.handling_s,
        "solved": encounter.solved,
        "reworked": encounter.reworked,
        "stages": [
            {"stage": stage, "started_s": start, "ended_s": end, "staff": staff}
            for stage, start, end, staff in encounter.steps
        ],
    }


# The process map ----------------------------------------------------------------------------------


class ProcessMapView(ApiView):
    needs = {"GET": (Permission.VIEW_RESULTS,)}

    @documented(
        operation="process_map", summary="The process map: stages, moves, waits, bottleneck",
        tag=TAG, about="Of a unit and all below it in a period, from its latest 20,000 encounters. "
        "Times are in seconds. Moves and paths of fewer encounters than the smallest group are left"
        " out.",
        answer=ProcessMapRow, filters=ProcessMapFilter, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = Asked(**conditions_of(ProcessMapFilter, request._request.GET, also=()))
        chosen = choose(principal=self.principal, asked=asked, now=timezone.now())
        return json_response(map_as_json(chosen, read(chosen)) if chosen else no_map(asked))
