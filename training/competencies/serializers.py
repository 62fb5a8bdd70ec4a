"""How skills look over REST, and what is taken."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from training.competencies.models import Evidence, Level


class CompetencyRow(serializers.Serializer[Any]):
    """A competency with the levels that posts need today."""

    code = serializers.CharField()
    name = serializers.DictField(child=serializers.CharField(), help_text="By language")
    description = serializers.DictField(child=serializers.CharField(), help_text="By language")
    measures = serializers.ListField(
        child=serializers.CharField(), help_text="What customers judge of it"
    )
    is_active = serializers.BooleanField()
    required_levels = serializers.DictField(
        child=serializers.IntegerField(), help_text="The level that posts need today, by post"
    )


class EvidenceRow(serializers.Serializer[Any]):
    """Evidence that counts: what somebody was seen to have."""

    id = serializers.IntegerField()
    staff = serializers.CharField(source="staff.number")
    competency = serializers.CharField(source="competency.code")
    level = serializers.ChoiceField(choices=Level.choices)
    kind = serializers.ChoiceField(choices=Evidence.Kind.choices)
    on = serializers.DateField()
    expires_on = serializers.DateField(allow_null=True)
    reference = serializers.CharField(allow_null=True)
    recorded_at = serializers.DateTimeField(default_timezone=UTC)


class EvidenceRequest(serializers.Serializer[Any]):
    staff = serializers.CharField(max_length=30, help_text="A staff number")
    competency = serializers.SlugField(max_length=50, help_text="A competency, by its code")
    level = serializers.IntegerField(min_value=0, max_value=4)
    kind = serializers.ChoiceField(
        choices=[
            (each.value, each.label)
            for each in (Evidence.Kind.ASSESSMENT, Evidence.Kind.EXPERIENCE)
        ]
    )
    on = serializers.DateField()
    expires_on = serializers.DateField(required=False, allow_null=True, default=None)
    text = serializers.CharField(
        max_length=500, required=False, default="", help_text="What was seen; an assessment has one"
    )
    reference = serializers.CharField(
        max_length=80, help_text="Your key of it; the same again is kept once"
    )
