"""How results of people look over REST. Every field is named; what is not named does not leave."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.performance.models import StaffResult


class PeopleResultRow(serializers.Serializer[Any]):
    """The result of a person by number; names do not leave over REST. Of fewer answers than the
    smallest group all figures are null."""

    id = serializers.IntegerField()
    staff = serializers.CharField(source="staff.number")
    unit = serializers.CharField(source="unit.code", help_text="On the last day of the window")
    post = serializers.CharField(source="post.code")
    measure = serializers.CharField()
    starts_on = serializers.DateField(help_text="Leave moves it back")
    ends_on = serializers.DateField(source="run.ends_on", help_text="The day after the last one")
    revision = serializers.IntegerField(source="run.revision")
    n = serializers.IntegerField(
        allow_null=True, help_text="Answers; null below the smallest group"
    )
    raw = serializers.FloatField(allow_null=True, help_text="Their mean")
    adjusted = serializers.FloatField(allow_null=True, help_text="Their mean after case mix")
    estimate = serializers.FloatField(allow_null=True, help_text="Drawn towards the group")
    sd = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval")
    high = serializers.FloatField(allow_null=True)
    reliability = serializers.FloatField(allow_null=True, help_text="By the ICC of the year")
    group = serializers.ChoiceField(
        [("", ""), *StaffResult.Group.choices], help_text="Whom the person is compared with"
    )
    peers = serializers.IntegerField(allow_null=True, help_text="How many others are in the group")
    centre = serializers.FloatField(allow_null=True, help_text="The mean of the group")
    weight = serializers.FloatField(allow_null=True, help_text="Of the person's own mean, 0 to 1")
    probability_low = serializers.FloatField(allow_null=True)
    probability_above = serializers.FloatField(allow_null=True)
    verdict = serializers.ChoiceField(StaffResult.Verdict.choices)
    gate = serializers.ChoiceField(StaffResult.Gate.choices, help_text="What it may be used for")
    held = serializers.ChoiceField(
        [("", ""), ("signal", "signal"), ("dispute", "dispute")],
        help_text="Why there is no verdict though there could be one",
    )
    disputed = serializers.IntegerField(help_text="Disputes that were pending")


class ResultsMeasureRow(serializers.Serializer[Any]):
    """One measure of a run as a whole."""

    measure = serializers.CharField(source="measure.key")
    n = serializers.IntegerField()
    people = serializers.IntegerField(help_text="With answers")
    judged = serializers.IntegerField(help_text="Who got a verdict")
    low = serializers.IntegerField()
    above = serializers.IntegerField()
    held = serializers.IntegerField()
    few = serializers.IntegerField(help_text="Not enough data")
    expected_wrong = serializers.FloatField(help_text="Low verdicts that are wrong by chance")
    expected_all = serializers.FloatField(help_text="Low verdicts that the model lets expect")
    icc = serializers.FloatField(allow_null=True, help_text="As frozen for the year")
    within = serializers.FloatField(allow_null=True)
    between = serializers.FloatField(allow_null=True)


class ResultsRunRow(serializers.Serializer[Any]):
    """The run in force of a window of months."""

    ends_on = serializers.DateField(help_text="The day after the last one")
    revision = serializers.IntegerField()
    policy = serializers.IntegerField(source="policy.number", help_text="The version of the rules")
    reason = serializers.CharField(allow_blank=True)
    computed_at = serializers.DateTimeField(default_timezone=UTC)
    input_hash = serializers.CharField()
    result_hash = serializers.CharField()
    measures = ResultsMeasureRow(many=True)
