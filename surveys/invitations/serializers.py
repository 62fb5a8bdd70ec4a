"""How invitations look over REST."""

from typing import Any

from rest_framework import serializers

from surveys.invitations.services import MOST_AT_ONCE


class InvitationRow(serializers.Serializer[Any]):
    encounter = serializers.CharField(help_text="Your key of the service encounter")
    link = serializers.URLField(help_text="Good for one answer; a secret of whom it is sent to")
    unit = serializers.CharField()
    channel = serializers.CharField(allow_null=True)
    encounter_on = serializers.DateField()
    invited_on = serializers.DateField()
    valid_until = serializers.DateField(help_text="The first day on which it is no longer valid")
    handed_out_on = serializers.DateField(
        allow_null=True, help_text="When you noted that it left the house"
    )


class HandOut(serializers.Serializer[Any]):
    campaign = serializers.CharField(max_length=60)
    encounters = serializers.ListField(
        child=serializers.CharField(max_length=80),
        help_text=f"1 to {MOST_AT_ONCE} of your keys; all are noted or none",
    )


class HandedOut(serializers.Serializer[Any]):
    campaign = serializers.CharField()
    handed_out = serializers.IntegerField()
