"""How customers at risk look over REST."""

from typing import Any

from rest_framework import serializers


class UnitRiskRow(serializers.Serializer[Any]):
    """Shares of the customers last served at a unit or below it; never a single customer."""

    unit = serializers.CharField()
    on = serializers.DateField(help_text="The day that the shares are of: the last of a month")
    scorecard = serializers.IntegerField(help_text="Version of the scorecard")
    n = serializers.IntegerField(allow_null=True, help_text="Customers; null: too few to be told")
    high = serializers.IntegerField(
        allow_null=True, help_text="Percents at high risk, in steps of two customers at least"
    )
    medium = serializers.IntegerField(allow_null=True)
    low = serializers.IntegerField(allow_null=True)
    unknown = serializers.IntegerField(
        allow_null=True, help_text="Percents of whom too little is known"
    )
