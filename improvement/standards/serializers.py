"""How standards look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from improvement.standards.models import Standard


class VersionRow(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="number")
    title = serializers.CharField()
    text = serializers.CharField()
    valid_from = serializers.DateField()
    ticket = serializers.IntegerField(
        source="ticket_id", allow_null=True, help_text="The ticket that it came out of"
    )
    approved_at = serializers.DateTimeField(default_timezone=UTC)


class StandardRow(serializers.ModelSerializer[Standard]):
    """A standard with its approved versions, the newest first."""

    unit = serializers.CharField(
        source="unit.code", allow_null=True, help_text="null: of the whole organisation"
    )
    versions = VersionRow(many=True)

    class Meta:
        model = Standard
        fields = ("id", "code", "title", "unit", "indicator", "versions")
