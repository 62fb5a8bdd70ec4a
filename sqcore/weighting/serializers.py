"""How weights and their origin look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers


class WeightRow(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A dimension or an indicator")
    weight = serializers.FloatField(help_text="Share of the group, 0 to 1; 0 is only watched")


class ConsistencyRow(serializers.Serializer[Any]):
    """How consistent the comparisons in pairs were."""

    ratio = serializers.FloatField(help_text="Consistency ratio (CR)")
    random_index = serializers.FloatField(
        allow_null=True, help_text="What the ratio is taken against; null where nothing was"
    )
    random_index_of = serializers.CharField(allow_null=True, help_text="saaty or alonso_lamata")
    limit = serializers.FloatField(help_text="Up to which the ratio counts as consistent")


class WeightGroup(serializers.Serializer[Any]):
    group = serializers.CharField(help_text="A dimension; “dimensions” is the top of the tree")
    weights = WeightRow(many=True)
    method = serializers.CharField(
        allow_null=True, help_text="direct, equal, ahp; null where nobody wrote it down"
    )
    for_version = serializers.IntegerField(
        allow_null=True, help_text="For which version that was; unchanged since"
    )
    applied_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    experts = serializers.IntegerField(allow_null=True, help_text="Whose judgements went in")
    left_out = serializers.IntegerField(allow_null=True)
    consistency = ConsistencyRow(allow_null=True)


class SystemWeights(serializers.Serializer[Any]):
    """The weights of the published version by group; without one, no groups."""

    code = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    groups = WeightGroup(many=True)
