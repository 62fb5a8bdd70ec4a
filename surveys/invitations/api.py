"""Invitations over REST: whoever runs the core system fetches the links and sends them.

A link says nothing about whether it was used: who answered is not told.
"""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.audit.services import record
from sqcore.base.api import BulkJSONParser, Keyset, json_response, page_of
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from surveys.campaigns.models import Campaign
from surveys.invitations.filters import InvitationFilter
from surveys.invitations.links import address_of
from surveys.invitations.models import Invitation
from surveys.invitations.serializers import HandedOut, HandOut, InvitationRow
from surveys.invitations.services import hand_out

SENDS = (Permission.SEND_MEASUREMENTS,)
BY_ENCOUNTER = Keyset(("encounter_key",))
TAG = "Invitations"
EXAMPLE = OpenApiExample(
    "Sent", request_only=True, value={"campaign": "after-the-visit", "encounters": ["2026-05-1"]}
)


class InvitationListView(ApiView):
    needs = {"GET": SENDS}

    @documented(
        operation="invitations", summary="Open invitations of a campaign, with their links",
        about="Those at the units that you send encounters for. The same links come each time,"
        " whether or not they were used. Every reading is recorded.",
        tag=TAG, answer=page_schema(InvitationRow), filters=InvitationFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(InvitationFilter, request._request.GET)
        now = timezone.now()
        campaign = _campaign(asked.pop("campaign__code", None))
        invitations = Invitation.objects.visible_to(self.principal).open_on(local_day(now))
        invitations = invitations.filter(campaign=campaign, **asked)
        with transaction.atomic():
            page = page_of(
                request._request,
                invitations.select_related("unit", "channel"),
                BY_ENCOUNTER,
                invitation_row,
            )
            record(
                action="invitations.read",
                subject=f"campaign:{campaign.pk}",
                by=self.principal,
                now=now,
                details={"rows": len(page["results"])},
            )
        return json_response(page)


class HandOutView(ApiView):
    needs = {"POST": SENDS}
    parser_classes = (BulkJSONParser,)

    @documented(
        operation="hand_out_invitations", summary="Note that invitations left the house",
        about="All are noted or none; those that were noted before stay as they are.",
        tag=TAG, takes=HandOut, answer=HandedOut, problems=(413, 415), examples=[EXAMPLE],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        sent = self.sent(request)
        keys = sent.get("encounters")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise _refusal("must be a list of your keys", field="encounters")
        if unknown := sorted(set(sent) - {"campaign", "encounters"}):
            raise _refusal("is not a field here", field=str(unknown[0])[:60])
        campaign = _campaign(sent.get("campaign"))
        count = hand_out(
            campaign=campaign, encounter_keys=keys, by=self.principal, now=timezone.now()
        )
        return json_response({"campaign": campaign.code, "handed_out": count})


def invitation_row(invitation: Invitation) -> dict[str, Any]:
    return {
        "encounter": invitation.encounter_key,
        "link": address_of(invitation),
        "unit": invitation.unit.code,
        "channel": invitation.channel.code if invitation.channel else None,
        "encounter_on": invitation.encounter_on,
        "invited_on": invitation.invited_on,
        "valid_until": invitation.valid_until,
        "handed_out_on": invitation.handed_out_on,
    }


def _campaign(code: object) -> Campaign:
    """Return the campaign. One that never invited is as one that there is not."""
    if not isinstance(code, str) or not code:
        raise _refusal("is missing", field="campaign")
    inviting = Campaign.objects.filter(code=code, sampling_plans__isnull=False)
    campaign = inviting.first() if "\0" not in code else None
    if campaign is None:
        raise _refusal(f"“{code[:60]}” is no campaign that invites", field="campaign")
    return campaign


def _refusal(reason: str, *, field: str) -> InvalidInput:
    return InvalidInput("This cannot be used.", problems=[Problem(reason, field=field)])
