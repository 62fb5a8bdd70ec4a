"""Standards over REST."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from improvement.standards.filters import StandardFilter
from improvement.standards.models import Standard
from improvement.standards.queries import standards_seen_by
from improvement.standards.serializers import StandardRow
from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission

BY_ID = Keyset(("id",))


class StandardListView(ApiView):
    needs = {"GET": (Permission.VIEW_TICKETS,)}

    @documented(
        operation="standards",
        summary="Standards with their approved versions",
        about="Of the whole organisation and of your units. A version holds from its day on until "
        "a newer one does.",
        tag="Standards",
        answer=page_schema(StandardRow),
        filters=StandardFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(StandardFilter, request._request.GET)
        standards = standards_seen_by(self.principal).filter(**asked)
        return json_response(page_of(request._request, standards, BY_ID, _row))


def _row(standard: Standard) -> dict[str, Any]:
    return dict(StandardRow(standard).data)
