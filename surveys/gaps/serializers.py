"""How expectations look over REST."""

from typing import Any

from rest_framework import serializers

from sqcore.stats.results import MethodStatus


class ExpectationChange(serializers.Serializer[Any]):
    value = serializers.FloatField(help_text="Points more than then")
    low = serializers.FloatField(help_text="95 % interval")
    high = serializers.FloatField()
    p = serializers.FloatField()
    q = serializers.FloatField(
        help_text="Rate of false discoveries among all dimensions of the whole and its segments, of"
        " one questionnaire, quarter and comparison"
    )
    is_clear = serializers.BooleanField(help_text="q is below 0.05")


class ExpectationDimension(serializers.Serializer[Any]):
    code = serializers.CharField()
    n = serializers.IntegerField()
    mean = serializers.FloatField(help_text="0 to 100, so coarse that it tells of nobody")
    low = serializers.FloatField(help_text="95 % interval")
    high = serializers.FloatField()
    since_quarter = ExpectationChange(allow_null=True, help_text="Against the former quarter")
    since_year = ExpectationChange(allow_null=True, help_text="Against the same quarter before")


class ExpectationRow(serializers.Serializer[Any]):
    """Of the whole organisation, or one segment of it."""

    instrument = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the questionnaire")
    period = serializers.CharField(help_text="2026-Q2")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    segment = serializers.CharField(allow_null=True, help_text="null: all customers")
    status = serializers.ChoiceField([(each.value, each.value) for each in MethodStatus])
    n = serializers.IntegerField(allow_null=True, help_text="Respondents; null: too few to say")
    said = serializers.CharField(help_text="The status as a sentence for people")
    dimensions = ExpectationDimension(many=True)
