"""How comparators, their values and comparisons look over REST. Every field is named."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.comparators.models import Comparator
from sqcore.comparators.rules import Standing
from sqcore.org.serializers import TranslatedField


class ComparatorRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    kind = serializers.ChoiceField(Comparator.Kind.choices)
    note = serializers.CharField(allow_blank=True)
    is_active = serializers.BooleanField(help_text="Whether it is shown beside own results")


class ComparatorValueRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    comparator = serializers.CharField()
    indicator = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The first day after the time that it speaks of")
    value = serializers.FloatField(help_text="In the unit of the indicator")
    low = serializers.FloatField(allow_null=True, help_text="Of a 95 % interval")
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(allow_null=True, help_text="Answers or cases behind it")
    source = serializers.CharField()  # type: ignore[assignment]  # a field of this name
    url = serializers.CharField(allow_blank=True)
    published_on = serializers.DateField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    revision = serializers.IntegerField()
    recorded_at = serializers.DateTimeField(default_timezone=UTC)
    withdrawn_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    withdrawn_because = serializers.CharField(allow_blank=True)


class ComparatorValueRequest(serializers.Serializer[Any]):
    comparator = serializers.CharField(max_length=50)
    indicator = serializers.CharField(max_length=80)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The first day after the time that it speaks of")
    value = serializers.FloatField(help_text="In the unit of the indicator; a share as 0.88")
    low = serializers.FloatField(required=False, allow_null=True, default=None)
    high = serializers.FloatField(required=False, allow_null=True, default=None)
    n = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2_000_000_000
    )
    source = serializers.CharField(max_length=300)  # type: ignore[assignment]  # a field of this name
    url = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)
    published_on = serializers.DateField(required=False, allow_null=True, default=None)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)


class ComparatorWithdrawal(serializers.Serializer[Any]):
    because = serializers.CharField(max_length=300, help_text="Who reads it later reads this")


class ComparedScore(serializers.Serializer[Any]):
    score = serializers.FloatField(help_text="In points; a difference from -100 to 100")
    low = serializers.FloatField(allow_null=True, help_text="null: how sure it is, is not known")
    high = serializers.FloatField(allow_null=True)


class ComparedIndicator(serializers.Serializer[Any]):
    code = serializers.CharField()
    weight = serializers.FloatField(help_text="Its share of the whole")
    own_score = serializers.FloatField()
    comparator_score = serializers.FloatField()
    value = serializers.FloatField(help_text="Of the comparator, in the unit of the indicator")
    starts_on = serializers.DateField(help_text="The time that the value speaks of")
    ends_on = serializers.DateField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of this name


class ComparisonRow(serializers.Serializer[Any]):
    comparator = serializers.CharField()
    kind = serializers.ChoiceField(Comparator.Kind.choices)
    status = serializers.ChoiceField(
        Standing.choices, help_text="Scores are null unless it is “shown”"
    )
    coverage = serializers.FloatField(help_text="The share of the weight that both have, 0 to 1")
    own = ComparedScore(allow_null=True)
    theirs = ComparedScore(allow_null=True)
    difference = ComparedScore(allow_null=True, help_text="Own minus theirs")
    indicators = ComparedIndicator(many=True)


class SystemComparison(serializers.Serializer[Any]):
    system = serializers.CharField()
    unit = serializers.CharField()
    period = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    run = serializers.IntegerField()
    code = serializers.CharField()
    comparisons = ComparisonRow(many=True, help_text="In the order of their codes, never a rank")
