"""Measurements and states of equipment over REST: sent in bulk, read as they are known."""

from collections.abc import Callable
from datetime import datetime
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
from sqcore.base.periods import Grain, Period
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.measurements.filters import EquipmentFilter, MeasureFilter, ObservationFilter
from sqcore.measurements.models import Equipment, Measure, Observation
from sqcore.measurements.queries import value_of, with_present_state
from sqcore.measurements.serializers import (
    EquipmentRow,
    MeasurementBatch,
    MeasureRow,
    ObservationRow,
    StateBatch,
    TakenRow,
    WithdrawalBatch,
    WithdrawnRow,
)
from sqcore.measurements.services import Taken, receive_measurements
from sqcore.measurements.states import receive_states
from sqcore.measurements.withdrawal import Withdrawn, withdraw_measurements
from sqcore.org.queries import fiscal_start, local_day

READS = (Permission.VIEW_RESULTS, Permission.MANAGE_MEASUREMENTS)
SENDS = (Permission.SEND_MEASUREMENTS,)
BY_CODE = Keyset(("code",))
BY_PLACE = Keyset(("unit_id", "starts_on", "id"))
TAG = "Measurements"

SHARE = {
    "measure": "error-rate", "unit": "north", "period": "2026-05",
    "numerator": 5, "denominator": 2000,
}  # fmt: skip
MEAN = {
    "measure": "answer-time", "unit": "north", "channel": "phone", "period": "2026-05-17",
    "n": 40, "sum": 126.5, "sum_of_squares": 512.25,
}  # fmt: skip
MEASUREMENTS = OpenApiExample("A batch", request_only=True, value={"measurements": [SHARE, MEAN]})
WITHDRAWAL = {
    "measure": "error-rate", "unit": "north", "period": "2026-05",
    "because": "Counted at another branch",
}  # fmt: skip
WITHDRAWALS = OpenApiExample("A batch", request_only=True, value={"withdrawals": [WITHDRAWAL]})
STATES = OpenApiExample(
    "A batch",
    request_only=True,
    value={"states": [{"equipment": "atm-1", "state": "down", "at": "2026-05-17T09:30:00Z"}]},
)


class MeasureListView(ApiView):
    needs = {"GET": (*READS, *SENDS)}

    @documented(
        operation="measures", summary="Measures", tag=TAG, answer=page_schema(MeasureRow),
        filters=MeasureFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(MeasureFilter, request._request.GET)
        measures = Measure.objects.visible_to(self.principal).filter(**asked)
        return json_response(
            page_of(request._request, measures, BY_CODE, lambda row: MeasureRow(row).data)
        )


class MeasurementView(ApiView):
    needs = {"GET": READS, "POST": SENDS}
    parser_classes = (BulkJSONParser,)

    @documented(
        operation="measurements", summary="Measurements of a measure", tag=TAG,
        about="The current values of a measure, or those that were known at a moment.",
        answer=page_schema(ObservationRow), filters=ObservationFilter, pages=True,
        problems=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(ObservationFilter, request._request.GET)
        code = asked.pop("measure__code", "")
        measure = Measure.objects.visible_to(self.principal).filter(code=code).first()
        if measure is None:
            reason = _("“%(code)s” is not known") % {"code": code} if code else _("is missing")
            raise InvalidInput(
                _("Some parameters cannot be used."), problems=[Problem(reason, field="measure")]
            )
        known_at = _moment(asked.pop("known_at", ""))
        rows = Observation.objects.visible_to(self.principal).filter(measure=measure, **asked)
        rows = rows.as_known_at(known_at) if known_at else rows.current()
        rows = rows.select_related("unit", "channel", "segment")
        year = fiscal_start()
        return json_response(
            page_of(
                request._request, rows, BY_PLACE, lambda row: observation_row(measure, row, year)
            )
        )

    @documented(
        operation="send_measurements",
        summary="Send up to 10,000 measurements: all are taken or none",
        about="The same values again change nothing; other values are the next revision. Up to"
        " 8 MB at once.",
        tag=TAG, takes=MeasurementBatch, answer=TakenRow, problems=(409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY], examples=[MEASUREMENTS],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        return _take_once(self, request, "measurements", receive_measurements)


class MeasurementWithdrawalView(ApiView):
    needs = {"POST": SENDS}
    parser_classes = (BulkJSONParser,)

    @documented(
        operation="withdraw_measurements",
        summary="Withdraw up to 1,000 measurements: all are taken back or none",
        about="The next revision of each says that it is withdrawn and why; figures that were"
        " computed from it are computed anew. What is reported later is the revision after it.",
        tag=TAG, takes=WithdrawalBatch, answer=WithdrawnRow, problems=(409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY], examples=[WITHDRAWALS],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        return _take_once(self, request, "withdrawals", withdraw_measurements)


class EquipmentListView(ApiView):
    needs = {"GET": READS}

    @documented(
        operation="equipment", summary="Equipment and its present state", tag=TAG,
        answer=page_schema(EquipmentRow), filters=EquipmentFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(EquipmentFilter, request._request.GET)
        machines = Equipment.objects.visible_to(self.principal).filter(**asked)
        machines = with_present_state(machines).select_related("unit")
        return json_response(page_of(request._request, machines, BY_CODE, equipment_row))


class EquipmentStateView(ApiView):
    needs = {"POST": SENDS}
    parser_classes = (BulkJSONParser,)

    @documented(
        operation="send_equipment_states",
        summary="Send up to 10,000 states of equipment: all are taken or none",
        about="From a moment on a machine is up, degraded or down, until it tells otherwise.",
        tag=TAG, takes=StateBatch, answer=TakenRow, problems=(409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY], examples=[STATES],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        return _take_once(self, request, "states", receive_states)


def observation_row(measure: Measure, row: Observation, fiscal_start: int) -> dict[str, Any]:
    is_mean = measure.kind == Measure.Kind.MEAN
    scale = measure.scale if measure.kind in (Measure.Kind.MEAN, Measure.Kind.RATIO) else 1
    squares = row.squares / scale**2 if row.squares is not None else None
    return {
        "measure": measure.code,
        "unit": row.unit.code,
        "channel": row.channel.code if row.channel else None,
        "segment": row.segment.code if row.segment else None,
        "period": Period(row.starts_on, Grain(row.grain), fiscal_start).key,
        "starts_on": row.starts_on,
        "value": value_of(measure, [(row.n, row.numerator, row.denominator, row.squares)]),
        "n": row.n,
        "numerator": row.numerator / scale if scale > 1 else row.numerator,
        "denominator": None if is_mean else row.denominator,
        "sum_of_squares": squares,
        "revision": row.revision,
        "source": row.source,
        "recorded_at": row.recorded_at,
    }


def equipment_row(machine: Equipment) -> dict[str, Any]:
    return {
        "code": machine.code,
        "name": machine.name,
        "kind": machine.kind,
        "unit": machine.unit.code,
        "installed_on": machine.installed_on,
        "retired_on": machine.retired_on,
        "state": getattr(machine, "state", None),
        "since": getattr(machine, "since", None),
    }


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        # A plus sign that was not encoded arrives as a blank.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1900 < moment.year < 2200:
        reason = _("must be a moment with its zone, such as 2026-05-17T09:30:00Z")
        raise InvalidInput(
            _("Some parameters cannot be used."), problems=[Problem(reason, field="known_at")]
        )
    return moment


def _take_once(
    view: ApiView, request: Request, field: str, take: Callable[..., Taken | Withdrawn]
) -> HttpResponse:
    """Store and remember in one transaction; answer after the commit."""
    now = timezone.now()
    sent = view.sent(request)
    rows = sent.get(field)
    if not isinstance(rows, list) or set(sent) != {field}:
        raise InvalidInput(
            _("The batch cannot be read."),
            problems=[Problem(_("must be a list, and the only field"), field=field)],
        )

    def make() -> Answer:
        return Answer(200, take(rows=rows, by=view.principal, now=now).as_json())

    answer = answer_once(
        scope=f"{view.principal.key} {request._request.path}"[:120],
        key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
        body=sent,
        today=local_day(now),
        make=make,
    )
    return remembered_response(answer)
