"""How the catalogue and the published systems look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.indicators.shapes import Aggregation, Shape
from sqcore.indicators.sources import Counts
from sqcore.org.serializers import TranslatedField

STAGES = f"{', '.join(Indicator.Stage.values)}, or empty"


class TargetRow(serializers.Serializer[Any]):
    value = serializers.FloatField(help_text="What should be reached, in the unit of measure")
    floor = serializers.FloatField(allow_null=True, help_text="What should never be missed")
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True, help_text="The day after the last one")


class IndicatorRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    definition = TranslatedField()
    unit_of_measure = serializers.CharField(allow_blank=True)
    direction = serializers.ChoiceField(Indicator.Direction.choices)
    statistic = serializers.ChoiceField(Indicator.Statistic.choices)
    source = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        allow_blank=True, help_text="Where its values come from; empty for a formula"
    )
    formula = serializers.CharField(
        allow_blank=True, help_text="How it is computed from other indicators, by their codes"
    )
    stage = serializers.CharField(allow_blank=True, help_text=STAGES)
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True, help_text="The day after the last one")
    targets = serializers.ListField(
        child=TargetRow(), source="ordered_targets", help_text="Over time, the first at the front"
    )


class KnotField(serializers.ListField):
    """A value and its points."""

    def __init__(self, **over: Any) -> None:
        number = serializers.FloatField()
        super().__init__(child=number, min_length=2, max_length=2, **over)


class SystemShape(serializers.Serializer[Any]):
    """How values become points, beside the values of 0 and 100."""

    shape = serializers.ChoiceField(
        Shape.choices,
        help_text="goalposts: evenly from worst to best; nominal: 100 points at best, 0 at worst"
        " and as far on the other side; target: 100 points at best, 60 at the limit; knots:"
        " straight lines through the knots",
    )
    dead_band = serializers.FloatField(
        allow_null=True, help_text="Of nominal: so far from best there are still 100 points"
    )
    limit = serializers.FloatField(allow_null=True, help_text="Of target: the value of 60 points")
    knots = serializers.ListField(
        child=KnotField(), help_text="Of knots: value and points of each, in rising order of values"
    )


class SystemIndicator(SystemShape):
    code = serializers.CharField()
    weight = serializers.FloatField(
        help_text="Share of its dimension, 0 to 1; 0 where it is only watched"
    )
    worst = serializers.FloatField(help_text="The value of 0 points")
    best = serializers.FloatField(help_text="The value of 100 points")
    stage = serializers.CharField(allow_blank=True, help_text=STAGES)
    formula = serializers.CharField(allow_blank=True)
    counts = serializers.ChoiceField(Counts.choices, help_text="What its n counts")
    target = serializers.FloatField(allow_null=True, help_text="Today's")
    floor = serializers.FloatField(allow_null=True, help_text="Today's")


class SystemDimension(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    parent = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        allow_null=True, help_text="The dimension that it is part of"
    )
    weight = serializers.FloatField(help_text="Share of its parent, 0 to 1")
    target = serializers.FloatField(allow_null=True, help_text="In points")
    indicators = SystemIndicator(many=True)


class SystemRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    is_active = serializers.BooleanField(help_text="Whether it is evaluated every period")


class SystemVersionRow(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(SystemVersion.State.choices)
    published_at = serializers.DateTimeField(default_timezone=UTC)
    grains = serializers.ListField(child=serializers.ChoiceField(Grain.choices))
    since = serializers.DateField()


class SystemDetail(SystemRow):
    """A system as its published version defines it; without one, no dimensions."""

    version = serializers.IntegerField(allow_null=True)
    published_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    grains = serializers.ListField(child=serializers.ChoiceField(Grain.choices))
    since = serializers.DateField(allow_null=True, help_text="The first day that is evaluated")
    target = serializers.FloatField(allow_null=True, help_text="In points")
    aggregation = serializers.ChoiceField(
        [*Aggregation.choices, ("", "")],
        help_text="How scores become one, in each dimension and overall; empty without a version",
    )
    dimensions = SystemDimension(many=True)
    operands = serializers.ListField(
        child=serializers.CharField(), help_text="Indicators that only formulas need"
    )
    versions = SystemVersionRow(many=True)
