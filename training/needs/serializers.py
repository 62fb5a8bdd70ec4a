"""How training needs look over REST."""

from typing import Any

from rest_framework import serializers

from training.needs.models import Need, NeedReason


class ReasonRow(serializers.Serializer[Any]):
    origin = serializers.ChoiceField(choices=NeedReason.Origin.choices)
    text = serializers.DictField(child=serializers.CharField(), help_text="By language")
    benefit = serializers.FloatField()
    on = serializers.DateField()


class NeedRow(serializers.Serializer[Any]):
    """A training need. It is developmental, not a finding of incompetence, and must not be used to
    part with people."""

    id = serializers.IntegerField()
    staff = serializers.CharField(source="staff.number")
    competency = serializers.CharField(source="competency.code", allow_null=True, default=None)
    course = serializers.CharField(source="course.code", allow_null=True, default=None)
    state = serializers.ChoiceField(choices=Need.State.choices)
    benefit = serializers.FloatField(help_text="Orders the list: the larger, the sooner")
    session = serializers.CharField(
        source="enrolment.session.code", allow_null=True, default=None, help_text="When planned"
    )
    opened_on = serializers.DateField()
    closed_on = serializers.DateField(allow_null=True)
    reasons = ReasonRow(source="reasons.all", many=True)
    note = serializers.SerializerMethodField()

    def get_note(self, _need: Need) -> str:
        return "Developmental, not a finding of incompetence."
