"""Training needs over REST."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from training.needs.filters import NeedFilter
from training.needs.models import Need
from training.needs.queries import needs_seen_by
from training.needs.serializers import NeedRow
from training.needs.services import note_results

BY_ID = Keyset(("id",))


class NeedListView(ApiView):
    needs = {"GET": (Permission.VIEW_TRAINING,)}

    @documented(
        operation="training_needs",
        summary="Training needs of people",
        about="A need is developmental, not a finding of incompetence: each row says so, and it "
        "must not be used to part with people. Reasons that tell of a result are there only for "
        "who may see results of the person; each such reading is told to the person.",
        tag="Training",
        answer=page_schema(NeedRow),
        filters=NeedFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked, now = conditions_of(NeedFilter, request._request.GET), timezone.now()
        read: list[Need] = []

        def row(need: Need) -> dict[str, Any]:
            read.append(need)
            return dict(NeedRow(need).data)

        found = needs_seen_by(self.principal, on=local_day(now)).filter(**asked)
        page = page_of(request._request, found, BY_ID, row)
        note_results(read, way="rest", by=self.principal, now=now)
        return json_response(page)
