"""How courses and sessions look over REST. People are numbers here, without their names."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.org.serializers import TranslatedField
from training.courses.models import CourseVersion, Mode, Session


class TaughtRow(serializers.Serializer[Any]):
    competency = serializers.CharField(help_text="The code of a competency")
    level = serializers.IntegerField(help_text="1 to 4")


class CourseVersionRow(serializers.Serializer[Any]):
    """The rules of the newest version."""

    number = serializers.IntegerField()
    minutes = serializers.IntegerField()
    pass_mark = serializers.IntegerField(
        allow_null=True, help_text="In per cent; null: presence is passing"
    )
    attempts = serializers.IntegerField(help_text="How often the test may be taken")
    attendance = serializers.IntegerField(help_text="The least share of the minutes, in per cent")
    certifies = serializers.BooleanField()
    valid_months = serializers.IntegerField(allow_null=True, help_text="null: for ever")
    renewal = serializers.ChoiceField(CourseVersion.Renewal.choices)
    renewal_month = serializers.IntegerField(allow_null=True)
    due_days = serializers.IntegerField()


class CourseRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    description = TranslatedField()
    mode = serializers.ChoiceField(Mode.choices)
    is_active = serializers.BooleanField(help_text="Offered at present")
    is_open = serializers.BooleanField(help_text="People may enrol themselves")
    needs = serializers.ListField(
        child=serializers.CharField(), help_text="Codes of courses to be passed before"
    )
    teaches = TaughtRow(many=True)
    version = CourseVersionRow(allow_null=True, help_text="null: none is published yet")


class SlotRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    starts_at = serializers.DateTimeField(default_timezone=UTC)
    ends_at = serializers.DateTimeField(default_timezone=UTC)


class SessionRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    course = serializers.CharField()
    version = serializers.IntegerField()
    mode = serializers.ChoiceField(Mode.choices)
    unit = serializers.CharField(allow_null=True, help_text="null: of the whole organisation")
    place = serializers.CharField()
    trainer = serializers.CharField(allow_null=True, help_text="A staff number")
    provider = serializers.CharField()
    capacity = serializers.IntegerField()
    taken = serializers.IntegerField(help_text="Seats that are taken")
    waiting = serializers.IntegerField(help_text="People on the waiting list")
    state = serializers.ChoiceField(Session.State.choices)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    enrol_until = serializers.DateField(allow_null=True)
    planned_cost = serializers.IntegerField(help_text="In cents")
    actual_cost = serializers.IntegerField(allow_null=True, help_text="In cents")
    slots = SlotRow(many=True)
