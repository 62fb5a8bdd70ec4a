"""How requirements and obligations look over REST."""

from typing import Any

from rest_framework import serializers

from sqcore.org.serializers import TranslatedField
from training.requirements.models import Obligation


class RequirementRow(serializers.Serializer[Any]):
    """Whoever works in this post at this unit or below has to pass the course in so many days."""

    id = serializers.IntegerField()
    course = serializers.CharField(source="course.code")
    name = TranslatedField(source="course.name")
    post = serializers.CharField(source="post.code", allow_null=True, help_text="null: any post")
    unit = serializers.CharField(source="unit.code", allow_null=True, help_text="null: everywhere")
    within_days = serializers.IntegerField()
    reason = serializers.CharField()
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)


class RequirementRequest(serializers.Serializer[Any]):
    course = serializers.CharField(max_length=50)
    post = serializers.CharField(max_length=50, required=False, default="")
    unit = serializers.CharField(max_length=50, required=False, default="")
    within_days = serializers.IntegerField(min_value=0, max_value=3650)
    reason = serializers.CharField(max_length=300, required=False, default="")
    valid_from = serializers.DateField()


class ObligationRow(serializers.Serializer[Any]):
    """What one person owes; `due_on` is the day by which it has or had to be done."""

    id = serializers.IntegerField()
    staff = serializers.CharField(source="staff.number")
    course = serializers.CharField(source="course.code")
    state = serializers.ChoiceField(choices=Obligation.State.choices)
    since_on = serializers.DateField()
    due_on = serializers.DateField()
    holds_until = serializers.DateField(
        allow_null=True, help_text="The day on which what meets it ends; null: never, or not met"
    )
