"""How analyses look over REST."""

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from sqcore.stats.results import MethodStatus
from surveys.analyses.wording import GRAINS, MARGINS


@extend_schema_field({"type": "object"})
class FoundField(serializers.DictField):
    """What a kind found: each kind has its own names, told in the how-to of that kind."""


class AnalysisRow(serializers.Serializer[Any]):
    """Aggregates only: of a group, never of a person."""

    kind = serializers.CharField(help_text="What was looked for")
    title = serializers.CharField(help_text="The kind, for people")
    method = serializers.IntegerField(help_text="Version of the method")
    instrument = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the questionnaire")
    grain = serializers.ChoiceField(GRAINS)
    period = serializers.CharField(help_text="2026 or 2026-Q2")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    unit = serializers.CharField(help_text="And everything below it")
    margin = serializers.ChoiceField(MARGINS)
    margin_value = serializers.CharField(allow_null=True, help_text="The channel or segment")
    status = serializers.ChoiceField([(each.value, each.value) for each in MethodStatus])
    n = serializers.IntegerField(allow_null=True, help_text="Respondents; null: too few to say")
    said = serializers.CharField(help_text="The status as a sentence for people")
    found = FoundField(help_text="What the kind found; empty unless the status is ok")
    made_at = serializers.DateTimeField(default_timezone=UTC)
