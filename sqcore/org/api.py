"""The organisation over REST: its rules, units, channels, segments and, for the few, its staff."""

from datetime import date
from typing import Any

from django.db.models import Prefetch
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request

from sqcore.audit.services import record
from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.errors import NotFound
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.filters import StaffFilter, UnitFilter
from sqcore.org.models import Assignment, Channel, Segment, Staff, Unit, during
from sqcore.org.queries import local_day, organisation, parent_codes
from sqcore.org.serializers import OrganisationRow, PlaceRow, StaffRow, UnitRow

BY_CODE = Keyset(("code",))
BY_NUMBER = Keyset(("number",))
SEES_ORGANISATION = {"GET": (Permission.VIEW_ORGANISATION,)}
SEES_PEOPLE = {"GET": (Permission.VIEW_PEOPLE,)}
TAG = "Organisation"


def _no_parameters(request: Request) -> None:
    conditions_of(None, request._request.GET, also=())


class OrganisationView(ApiView):
    needs = SEES_ORGANISATION

    @documented(
        operation="organisation", summary="The organisation and its rules", tag=TAG,
        answer=OrganisationRow,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        _no_parameters(request)
        return json_response(OrganisationRow(organisation()).data)


class UnitListView(ApiView):
    needs = SEES_ORGANISATION

    @documented(
        operation="units", summary="Units in the tree of a day", tag=TAG,
        about="Each unit names the one above it on that day, so that the rows are the tree.",
        answer=page_schema(UnitRow), filters=UnitFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(UnitFilter, request._request.GET)
        on: date = asked.pop("on", None) or local_day(timezone.now())
        parents = parent_codes(self.principal, on=on)
        units = Unit.objects.visible_to(self.principal).open_on(on).filter(**asked)
        page = page_of(request._request, units, BY_CODE, lambda unit: unit_row(unit, parents))
        return json_response(page)


class UnitView(ApiView):
    needs = SEES_ORGANISATION

    @documented(
        operation="unit", summary="One unit, as it stands today", tag=TAG,
        answer=UnitRow, problems=(404,),
    )  # fmt: skip
    def get(self, request: Request, code: str) -> HttpResponse:
        _no_parameters(request)
        unit = Unit.objects.visible_to(self.principal).filter(code=code).first()
        if unit is None:
            raise NotFound(
                _("There is no unit “%(code)s”, or you may not see it.") % {"code": code}
            )
        parents = parent_codes(self.principal, on=local_day(timezone.now()))
        return json_response(unit_row(unit, parents))


def unit_row(unit: Unit, parents: dict[int, str]) -> dict[str, Any]:
    return {
        "code": unit.code,
        "name": unit.name,
        "kind": unit.kind,
        "parent": parents.get(unit.pk),
        "opened_on": unit.opened_on,
        "closed_on": unit.closed_on,
    }


class ChannelListView(ApiView):
    needs = SEES_ORGANISATION

    @documented(
        operation="channels", summary="Channels of service", tag=TAG,
        answer=page_schema(PlaceRow), pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        return json_response(page_of(request._request, Channel.objects.all(), BY_CODE, place_row))


class SegmentListView(ApiView):
    needs = SEES_ORGANISATION

    @documented(
        operation="segments", summary="Segments of customers", tag=TAG,
        answer=page_schema(PlaceRow), pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET)
        return json_response(page_of(request._request, Segment.objects.all(), BY_CODE, place_row))


def place_row(place: Channel | Segment) -> dict[str, Any]:
    return {"code": place.code, "name": place.name}


class StaffListView(ApiView):
    """Numbers and assignments only, and each reading stands in the ledger."""

    needs = SEES_PEOPLE

    @documented(
        operation="staff", summary="Staff by number, with their assignments of a day", tag="Staff",
        about="For tokens bound to units: who works there, by number. Every reading is recorded.",
        answer=page_schema(StaffRow), filters=StaffFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(StaffFilter, request._request.GET)
        on: date = asked.pop("on", None) or local_day(timezone.now())
        assigned = self._assignments(on, unit=asked.pop("unit", None))
        staff = (
            Staff.objects.visible_to(self.principal, on=on)
            .filter(pk__in=assigned.values("staff_id"))
            .prefetch_related(Prefetch("assignments", assigned, to_attr="shown_assignments"))
        )
        page = page_of(request._request, staff, BY_NUMBER, lambda person: StaffRow(person).data)
        record(
            action="people.read",
            subject="staff",
            by=self.principal,
            now=timezone.now(),
            details={
                "numbers": [row["number"] for row in page["results"]],
                "on": on.isoformat(),
            },
        )
        return json_response(page)

    def _assignments(self, on: date, *, unit: str | None) -> Any:
        """Assignments of the day at units whose people the asker may see, and nowhere else."""
        units = Unit.objects.visible_to(self.principal, Permission.VIEW_PEOPLE)
        if unit is not None:
            units = units.filter(code=unit)
        return (
            Assignment.objects.filter(during(on), unit__in=units)
            .select_related("unit", "post")
            .order_by("valid_from", "id")
        )
