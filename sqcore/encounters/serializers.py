"""How encounters, services and stages look over REST; `intake` checks what is sent."""

from typing import Any

from rest_framework import serializers

from sqcore.encounters.intake import LONGEST_KEY, MOST_AT_ONCE
from sqcore.encounters.models import Stage
from sqcore.org.serializers import TranslatedField


class ServiceRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()


class StageRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    phase = serializers.ChoiceField(Stage.Phase.choices)


class StageIn(serializers.Serializer[Any]):
    stage = serializers.CharField(max_length=50, help_text="By its code")
    started_at = serializers.DateTimeField(help_text="With its time zone")
    ended_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Left out where it is not known"
    )
    staff = serializers.CharField(required=False, max_length=30, help_text="Who did it, by number")


class EncounterIn(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=LONGEST_KEY, help_text="Your own, for ever the same")
    unit = serializers.CharField(max_length=50, help_text="By its code")
    arrived_at = serializers.DateTimeField(help_text="With its time zone")
    customer = serializers.CharField(
        required=False, max_length=120, help_text="Your number; kept as a keyed digest only"
    )
    channel = serializers.CharField(required=False, max_length=50)
    segment = serializers.CharField(required=False, max_length=50)
    service = serializers.CharField(required=False, max_length=50)
    solved = serializers.BooleanField(
        required=False, allow_null=True, help_text="At the first contact"
    )
    reworked = serializers.BooleanField(
        required=False, allow_null=True, help_text="Left out: whether a stage comes twice"
    )
    shares = serializers.DictField(
        child=serializers.FloatField(),
        required=False,
        help_text="Who served: staff number → share above 0; together 1",
    )
    stages = StageIn(many=True, required=False)


class EncounterBatch(serializers.Serializer[Any]):
    encounters = EncounterIn(many=True, help_text=f"1 to {MOST_AT_ONCE:,}; all are taken or none")


class TakenEncounters(serializers.Serializer[Any]):
    new = serializers.IntegerField()
    replaced = serializers.IntegerField(help_text="Keys that were there with other content")
    unchanged = serializers.IntegerField(help_text="Keys that were there with this content")


class StepRow(serializers.Serializer[Any]):
    stage = serializers.CharField()
    started_s = serializers.IntegerField(help_text="Seconds after the arrival")
    ended_s = serializers.IntegerField(allow_null=True, help_text="Seconds after the arrival")
    staff = serializers.CharField(help_text="By number; empty when not known")


class EncounterRow(serializers.Serializer[Any]):
    """An encounter; its customer does not leave the house."""

    key = serializers.CharField()
    unit = serializers.CharField()
    channel = serializers.CharField(allow_null=True)
    segment = serializers.CharField(allow_null=True)
    service = serializers.CharField(allow_null=True)
    on = serializers.DateField(help_text="The local day")
    arrived_at = serializers.DateTimeField()
    waiting_s = serializers.IntegerField(allow_null=True)
    handling_s = serializers.IntegerField(allow_null=True)
    solved = serializers.BooleanField(allow_null=True)
    reworked = serializers.BooleanField(allow_null=True)
    stages = StepRow(many=True)
