"""How studies and the effect of a course look over REST. There are no people in them."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from training.effect.models import Study
from training.enrolments.models import Attempt


class TrendRow(serializers.Serializer[Any]):
    effect = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class DifferencesRow(serializers.Serializer[Any]):
    trained = serializers.IntegerField(help_text="People")
    controls = serializers.IntegerField(help_text="People")
    trained_before = serializers.FloatField()
    trained_after = serializers.FloatField()
    controls_before = serializers.FloatField()
    controls_after = serializers.FloatField()
    effect = serializers.FloatField(help_text="How much more the trained moved than the others")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    smallest_detectable = serializers.FloatField(allow_null=True)
    pre_trend = TrendRow(allow_null=True, help_text="A window, before the training")


class StudyRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    course = serializers.CharField(source="course.code")
    measure = serializers.CharField()
    pool = serializers.ChoiceField(Study.Pool.choices)
    by_lot = serializers.BooleanField(source="is_by_lot")
    selected_from = serializers.DateField(allow_null=True)
    selected_to = serializers.DateField(allow_null=True)
    before_from = serializers.DateField()
    before_to = serializers.DateField()
    after_from = serializers.DateField()
    after_to = serializers.DateField()
    minimum = serializers.FloatField(help_text="The least effect that counts")
    trained = serializers.IntegerField(help_text="Registered to be trained")
    controls = serializers.IntegerField(help_text="Registered to compare with")
    state = serializers.ChoiceField(Study.State.choices)
    verdict = serializers.ChoiceField([*Study.Verdict.choices, ("", "")])
    differences = DifferencesRow(
        source="outcome.differences", allow_null=True, default=None,
        help_text="null: not concluded, or groups too small to show",
    )  # fmt: skip
    registered_at = serializers.DateTimeField(default_timezone=UTC)
    concluded_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)


class GainRow(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="People")
    before = serializers.FloatField()
    after = serializers.FloatField()
    gain = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    hake = serializers.FloatField(allow_null=True, help_text="Of what was left to learn")


class LearningRow(serializers.Serializer[Any]):
    session = serializers.CharField(
        source="of.code", allow_null=True, default=None, help_text="null: the whole course"
    )
    until = serializers.ChoiceField(Attempt.Kind.choices, source="kind")
    gain = GainRow(allow_null=True, help_text="null: too few people to show")


class QuestionRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    n = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    lowest = serializers.IntegerField(help_text="Of the scale")
    highest = serializers.IntegerField(help_text="Of the scale")


class CourseEffect(serializers.Serializer[Any]):
    course = serializers.CharField()
    reaction = QuestionRow(many=True, help_text="Of all sessions that may be shown together")
    learning = LearningRow(many=True)
    studies = StudyRow(many=True, help_text="The newest first")
