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


# The process map ----------------------------------------------------------------------------------


class TimesRow(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="Of these the time is known")
    median_s = serializers.FloatField(allow_null=True)
    p90_s = serializers.FloatField(allow_null=True, help_text="Nine of ten took at most this")
    mean_s = serializers.FloatField(allow_null=True)
    low_s = serializers.FloatField(allow_null=True, help_text="95 % interval of the mean")
    high_s = serializers.FloatField(allow_null=True)
    share = serializers.FloatField(allow_null=True, help_text="Of all time in stages and waits")
    share_low = serializers.FloatField(allow_null=True, help_text="95 % interval of the share")
    share_high = serializers.FloatField(allow_null=True)


class MapStageRow(serializers.Serializer[Any]):
    stage = serializers.CharField()
    n = serializers.IntegerField()
    encounters = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Encounters that have it more than once")
    handling = TimesRow()


class MoveRow(serializers.Serializer[Any]):
    source = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        allow_null=True, help_text="A stage; null: the arrival"
    )
    target = serializers.CharField(allow_null=True, help_text="A stage; null: the leaving")
    n = serializers.IntegerField()
    encounters = serializers.IntegerField()
    overlaps = serializers.IntegerField(help_text="The next stage began before this one ended")
    untimed = serializers.IntegerField(
        help_text="The end of the source is not known: the wait runs from its start"
    )
    wait = TimesRow()


class PathRow(serializers.Serializer[Any]):
    stages = serializers.ListField(child=serializers.CharField())
    encounters = serializers.IntegerField()
    share = serializers.FloatField()


class BottleneckRow(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(("stage", "move"))
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # as above
    target = serializers.CharField(allow_null=True)
    share = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="95 % interval of the share")
    high = serializers.FloatField(allow_null=True)
    encounters = serializers.IntegerField()
    is_clear = serializers.BooleanField(help_text="Its interval lies above that of the second")


class ProcessMapRow(serializers.Serializer[Any]):
    unit = serializers.CharField(allow_null=True, help_text="null: all that you may see")
    period = serializers.CharField(allow_null=True, help_text="null: there are no encounters")
    channel = serializers.CharField(allow_null=True)
    segment = serializers.CharField(allow_null=True)
    service = serializers.CharField(allow_null=True)
    is_withheld = serializers.BooleanField(
        help_text="Too few encounters to tell what followed what: no moves, no paths"
    )
    encounters = serializers.IntegerField(help_text="With stages")
    is_cut = serializers.BooleanField(help_text="There are more; these are the latest 20,000")
    smallest_group = serializers.IntegerField(
        help_text="Moves and paths of fewer encounters are left out"
    )
    bottleneck = BottleneckRow(allow_null=True)
    stages = MapStageRow(many=True)
    moves = MoveRow(many=True)
    paths = PathRow(many=True)
