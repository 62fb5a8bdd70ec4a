"""How the catalogue and the published systems look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from sqcore.indicators.models import Indicator
from sqcore.org.serializers import TranslatedField


class IndicatorRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    definition = TranslatedField()
    unit_of_measure = serializers.CharField(allow_blank=True)
    direction = serializers.ChoiceField(Indicator.Direction.choices)
    statistic = serializers.ChoiceField(Indicator.Statistic.choices)
    source = serializers.CharField(help_text="Where its values come from")  # type: ignore[assignment]  # a field of this name
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True, help_text="The day after the last one")


class SystemIndicator(serializers.Serializer[Any]):
    code = serializers.CharField()
    weight = serializers.FloatField(help_text="Share of its dimension, 0 to 1")
    worst = serializers.FloatField(help_text="The value of 0 points")
    best = serializers.FloatField(help_text="The value of 100 points")


class SystemDimension(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    parent = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        allow_null=True, help_text="The dimension that it is part of"
    )
    weight = serializers.FloatField(help_text="Share of its parent, 0 to 1")
    indicators = SystemIndicator(many=True)


class SystemRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    is_active = serializers.BooleanField(help_text="Whether it is evaluated every period")


class SystemDetail(SystemRow):
    """A system as its published version defines it; without one, no dimensions."""

    version = serializers.IntegerField(allow_null=True)
    published_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    grains = serializers.ListField(child=serializers.ChoiceField(Grain.choices))
    since = serializers.DateField(allow_null=True, help_text="The first day that is evaluated")
    dimensions = SystemDimension(many=True)
