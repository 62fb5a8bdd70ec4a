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


class AgreementRow(serializers.Serializer[Any]):
    """How far experts agreed who scored the parts in rounds."""

    w = serializers.FloatField(help_text="Kendall's W, 0 to 1")
    p = serializers.FloatField(
        help_text="How probable at least this much is when all order by chance"
    )
    p_by = serializers.CharField(help_text="exact, permutation or chi_squared")


class FiguresRow(serializers.Serializer[Any]):
    """Whose published scores the weights were computed from."""

    period = serializers.CharField()
    version = serializers.IntegerField(help_text="By which version it was evaluated")
    units = serializers.IntegerField(allow_null=True)


class MadeOfRow(serializers.Serializer[Any]):
    """The two ways that were made one."""

    first = serializers.CharField()
    second = serializers.CharField()
    how = serializers.CharField(help_text="additive, multiplicative or geometric")
    theta = serializers.FloatField(help_text="Share of the first, of an additive one")


class WeightGroup(serializers.Serializer[Any]):
    group = serializers.CharField(help_text="A dimension; “dimensions” is the top of the tree")
    weights = WeightRow(many=True)
    method = serializers.CharField(
        allow_null=True,
        help_text="direct, equal, ahp, rounds, entropy, critic, combined; null where nobody wrote"
        " it down",
    )
    for_version = serializers.IntegerField(
        allow_null=True, help_text="For which version that was; unchanged since"
    )
    applied_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    experts = serializers.IntegerField(allow_null=True, help_text="Whose judgements went in")
    left_out = serializers.IntegerField(allow_null=True)
    consistency = ConsistencyRow(allow_null=True)
    rounds = serializers.IntegerField(allow_null=True, help_text="Closed rounds of expert scores")
    agreement = AgreementRow(allow_null=True)
    figures = FiguresRow(allow_null=True)
    made_of = MadeOfRow(allow_null=True)


class SystemWeights(serializers.Serializer[Any]):
    """The weights of the published version by group; without one, no groups."""

    code = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    groups = WeightGroup(many=True)


class DrawnShare(serializers.Serializer[Any]):
    """A share of draws; the interval says how well it is simulated."""

    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class RankRow(serializers.Serializer[Any]):
    unit = serializers.CharField()
    rank = serializers.IntegerField(help_text="1 is best; ties share a place")
    low = serializers.IntegerField(help_text="The best place in nine of ten draws")
    high = serializers.IntegerField(help_text="The worst place in nine of ten draws")
    next_overtakes = serializers.FloatField(
        allow_null=True, help_text="Share of draws in which the next unit is ahead"
    )


class RoomRow(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A dimension")
    weight = serializers.FloatField()
    low = serializers.FloatField(
        allow_null=True, help_text="Down to which weight the first unit stays first"
    )
    high = serializers.FloatField(allow_null=True, help_text="Up to which")
    order_low = serializers.FloatField(
        allow_null=True, help_text="Down to which weight no two units change places"
    )
    order_high = serializers.FloatField(allow_null=True, help_text="Up to which")
    status = serializers.CharField(help_text="ok, or why there are no ends")


class SystemSensitivity(serializers.Serializer[Any]):
    """How the order of the units you see depends on the weights, in the newest closed period."""

    code = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    period = serializers.CharField(allow_null=True)
    status = serializers.CharField(
        help_text="ok; insufficient_n without two units; not_applicable where one part counts alone"
    )
    draws = serializers.IntegerField()
    first_changes = DrawnShare(allow_null=True, help_text="Another unit is first")
    any_changes = DrawnShare(allow_null=True, help_text="Any two neighbours change places")
    left_out = serializers.IntegerField(help_text="Units with too few published figures")
    units = RankRow(many=True)
    weights = RoomRow(many=True)
