"""How goals and the screening of a version look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.org.serializers import TranslatedField
from sqcore.publication.models import Candidate


class GoalRow(serializers.Serializer[Any]):
    key = serializers.UUIDField(help_text="Names it for good, in copied versions too")
    position = serializers.IntegerField(help_text="Its place in the order")
    text = TranslatedField()
    dimension = serializers.CharField(
        allow_blank=True, help_text="The dimension that serves it; empty while none does"
    )


class CandidateRatings(serializers.Serializer[Any]):
    """Means over people, 1 to 5; null while nobody rated it."""

    raters = serializers.IntegerField()
    important = serializers.FloatField(allow_null=True)
    operable = serializers.FloatField(allow_null=True)
    consistent = serializers.FloatField(allow_null=True)
    complete = serializers.FloatField(allow_null=True)
    dynamic = serializers.FloatField(allow_null=True)


class VersionChange(serializers.Serializer[Any]):
    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class VersionPart(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="indicator or dimension")
    code = serializers.CharField()
    dimension = serializers.CharField(
        allow_blank=True, help_text="In which it stands; empty at the top, and for operands"
    )


class ChangedPart(VersionPart):
    changes = VersionChange(many=True)


class WeightChange(VersionPart):
    before = serializers.FloatField(allow_null=True, help_text="Null where it did not stand there")
    after = serializers.FloatField(allow_null=True)


class GoalChange(serializers.Serializer[Any]):
    before = GoalRow(allow_null=True)
    after = GoalRow(allow_null=True)


class VersionChanges(serializers.Serializer[Any]):
    """Each version as it stood on the day of its publication."""

    system = serializers.CharField()
    former = serializers.IntegerField(help_text="The number of the earlier version")
    version = serializers.IntegerField()
    settings = VersionChange(many=True)
    added = VersionPart(many=True)
    removed = VersionPart(many=True)
    changed = ChangedPart(many=True)
    weights = WeightChange(many=True, help_text="Only those that are not the same")
    goals = GoalChange(many=True)


class CandidateRow(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    indicator = serializers.CharField(
        allow_null=True, help_text="Its code in the catalogue; null for one that is proposed"
    )
    name = TranslatedField()
    ratings = CandidateRatings()
    decision = serializers.ChoiceField(Candidate.Decision.choices)
    reason = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
