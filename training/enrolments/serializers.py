"""How enrolments look over REST, and what other systems send. People are numbers here."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from training.enrolments.models import Attempt, Enrolment


class AttemptRow(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Attempt.Kind.choices)
    number = serializers.IntegerField(help_text="The how-manieth of its kind")
    score = serializers.CharField(help_text="In per cent, with two decimals")
    passed = serializers.BooleanField(allow_null=True, help_text="null: nothing to be passed")
    on = serializers.DateField()


class EnrolmentRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    session = serializers.CharField(help_text="The code of a session")
    staff = serializers.CharField(help_text="A staff number")
    state = serializers.ChoiceField(Enrolment.State.choices)
    origin = serializers.ChoiceField(Enrolment.Origin.choices)
    enrolled_at = serializers.DateTimeField(default_timezone=UTC)
    concluded_on = serializers.DateField(allow_null=True)
    minutes = serializers.IntegerField(help_text="Minutes attended")
    attempts = AttemptRow(many=True)


class EnrolmentRequest(serializers.Serializer[Any]):
    session = serializers.CharField(max_length=50, help_text="The code of a session")
    staff = serializers.CharField(max_length=30, help_text="A staff number")


class AttemptRequest(serializers.Serializer[Any]):
    session = serializers.CharField(max_length=50, help_text="The code of a session")
    staff = serializers.CharField(max_length=30, help_text="A staff number")
    kind = serializers.ChoiceField(Attempt.Kind.choices, default=Attempt.Kind.TEST)
    score = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=0, max_value=100, help_text="In per cent"
    )
    on = serializers.DateField(input_formats=["%Y-%m-%d"], help_text="The day of the test")
