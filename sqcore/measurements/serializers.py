"""How measures, measurements and machines look over REST. Every field is named."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from sqcore.measurements.models import EquipmentState, Measure
from sqcore.org.serializers import TranslatedField


class MeasureRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    definition = TranslatedField()
    kind = serializers.ChoiceField(Measure.Kind.choices)
    every = serializers.CharField(help_text="day, week, month, or empty: irregularly, by day")
    unit_of_measure = serializers.CharField(allow_blank=True)
    decimals = serializers.IntegerField(help_text="How many its numbers may have")
    minimum = serializers.FloatField(allow_null=True, help_text="The least plausible value")
    maximum = serializers.FloatField(allow_null=True, help_text="The greatest plausible value")
    due_days = serializers.IntegerField(help_text="Days after a period until it is late")
    since = serializers.DateField()
    retired_on = serializers.DateField(allow_null=True)


class MeasurementIn(serializers.Serializer[Any]):
    measure = serializers.CharField(max_length=80)
    unit = serializers.CharField(max_length=50)
    channel = serializers.CharField(required=False, allow_null=True, max_length=50)
    segment = serializers.CharField(required=False, allow_null=True, max_length=50)
    period = serializers.CharField(
        required=False, help_text="2026-05, 2026-W21, 2026-05-17; or give starts_on"
    )
    grain = serializers.ChoiceField(
        Grain.choices, required=False, help_text="Of starts_on; the measure's if left out"
    )
    starts_on = serializers.DateField(required=False)
    value = serializers.FloatField(required=False, help_text="One reading of a mean")
    n = serializers.IntegerField(required=False, help_text="How many readings of a mean")
    sum = serializers.FloatField(required=False, help_text="Their sum")
    sum_of_squares = serializers.FloatField(
        required=False, help_text="The sum of their squares; without it a mean has no interval"
    )
    numerator = serializers.FloatField(
        required=False, help_text="Of a share, a rate (the count) or a ratio"
    )
    denominator = serializers.IntegerField(
        required=False, help_text="Of what: things, exposure, or the whole amount"
    )
    unit_of_measure = serializers.CharField(
        required=False, help_text="To be sure: refused when it is not the one of the measure"
    )
    feed = serializers.CharField(required=False, help_text="Who reports, if not the measure's feed")


class MeasurementBatch(serializers.Serializer[Any]):
    measurements = MeasurementIn(many=True, help_text="Up to 10,000; all are taken or none")


class TakenRow(serializers.Serializer[Any]):
    new = serializers.IntegerField()
    replaced = serializers.IntegerField(help_text="Other values than before: the next revision")
    unchanged = serializers.IntegerField(help_text="The same values as before")


class WithdrawalIn(serializers.Serializer[Any]):
    measure = serializers.CharField(max_length=80)
    unit = serializers.CharField(max_length=50)
    channel = serializers.CharField(required=False, allow_null=True, max_length=50)
    segment = serializers.CharField(required=False, allow_null=True, max_length=50)
    period = serializers.CharField(help_text="2026-05, 2026-W21, 2026-05-17")
    because = serializers.CharField(max_length=300, help_text="Why; it stays with the value")


class WithdrawalBatch(serializers.Serializer[Any]):
    withdrawals = WithdrawalIn(many=True, help_text="Up to 1,000; all are taken back or none")


class WithdrawnRow(serializers.Serializer[Any]):
    withdrawn = serializers.IntegerField(help_text="How many values were taken back")


class ObservationRow(serializers.Serializer[Any]):
    measure = serializers.CharField()
    unit = serializers.CharField()
    channel = serializers.CharField(allow_null=True)
    segment = serializers.CharField(allow_null=True)
    period = serializers.CharField()
    starts_on = serializers.DateField()
    value = serializers.FloatField(help_text="The mean, the share, the rate or the ratio")
    n = serializers.IntegerField(help_text="Readings, or the things of a share")
    numerator = serializers.FloatField(help_text="Of a mean the sum of its readings")
    denominator = serializers.IntegerField(allow_null=True, help_text="null of a mean")
    sum_of_squares = serializers.FloatField(allow_null=True)
    revision = serializers.IntegerField()
    source = serializers.CharField(help_text="How it came in")  # type: ignore[assignment]  # a field of this name
    recorded_at = serializers.DateTimeField(default_timezone=UTC)


class StateIn(serializers.Serializer[Any]):
    equipment = serializers.CharField(max_length=50)
    state = serializers.ChoiceField(EquipmentState.State.choices)
    at = serializers.DateTimeField(help_text="With its zone")


class StateBatch(serializers.Serializer[Any]):
    states = StateIn(many=True, help_text="Up to 10,000; all are taken or none")


class EquipmentRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    kind = serializers.CharField()
    unit = serializers.CharField()
    installed_on = serializers.DateField()
    retired_on = serializers.DateField(allow_null=True)
    state = serializers.ChoiceField(EquipmentState.State.choices, allow_null=True)
    since = serializers.DateTimeField(
        default_timezone=UTC, allow_null=True, help_text="When this state was first told"
    )
