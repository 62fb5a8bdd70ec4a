"""How certificates look over REST, and how other systems send them. People are numbers here."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from training.certificates.models import Standing


class CertificateRow(serializers.Serializer[Any]):
    number = serializers.CharField()
    staff = serializers.CharField(help_text="A staff number")
    course = serializers.CharField(help_text="The code of a course")
    version = serializers.IntegerField(allow_null=True)
    external_key = serializers.CharField(allow_null=True, help_text="Its key in another system")
    renews = serializers.CharField(allow_null=True, help_text="The number of the one before it")
    issued_on = serializers.DateField()
    due_on = serializers.DateField(allow_null=True, help_text="To be renewed from this day")
    expires_on = serializers.DateField(
        allow_null=True, help_text="The first day on which it holds no longer; null: for ever"
    )
    standing = serializers.ChoiceField(Standing.choices, help_text="As it stands today")
    revoked_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)


class CertificateRequest(serializers.Serializer[Any]):
    external_key = serializers.CharField(max_length=80, help_text="Your key of this record")
    staff = serializers.CharField(max_length=30, help_text="A staff number")
    course = serializers.CharField(max_length=50, help_text="The code of a course")
    issued_on = serializers.DateField(input_formats=["%Y-%m-%d"])
    expires_on = serializers.DateField(
        input_formats=["%Y-%m-%d"],
        required=False,
        allow_null=True,
        default=None,
        help_text="Without it the course says how long it holds",
    )
