"""How the organisation looks over REST. Every field is named; what is not named does not leave."""

from typing import Any

from rest_framework import serializers

TRANSLATED = 'By language: {"en": …, "zh-hans": …}'


class TranslatedField(serializers.DictField):
    """Text by language."""

    child = serializers.CharField()

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"help_text": TRANSLATED, **options})


class OrganisationRow(serializers.Serializer[Any]):
    name = TranslatedField()
    time_zone = serializers.CharField()
    fiscal_start = serializers.IntegerField(help_text="The month in which the fiscal year begins")
    smallest_group = serializers.IntegerField(
        help_text="Results of fewer answers than this are never shown"
    )


class UnitRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    kind = serializers.CharField()
    parent = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        allow_null=True, help_text="The unit above it on that day, where you may see it"
    )
    opened_on = serializers.DateField()
    closed_on = serializers.DateField(allow_null=True)


class PlaceRow(serializers.Serializer[Any]):
    """A channel or a customer segment."""

    code = serializers.CharField()
    name = TranslatedField()


class AssignmentRow(serializers.Serializer[Any]):
    unit = serializers.CharField(source="unit.code")
    post = serializers.CharField(source="post.code")
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)


class StaffRow(serializers.Serializer[Any]):
    """A staff member by number; names do not leave over REST."""

    number = serializers.CharField()
    assignments = AssignmentRow(many=True, source="shown_assignments")
