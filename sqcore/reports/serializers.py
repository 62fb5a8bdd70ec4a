"""How a diagnosis looks over REST."""

from typing import Any

from rest_framework import serializers

from sqcore.causes.taxonomy import CLASSES
from sqcore.reports.evidence import Measured, Says, Strength
from sqcore.reports.rules import Verdict


class DiagnosisEvidenceRow(serializers.Serializer[Any]):
    """What one source says. Describes the rows; they are written without it."""

    key = serializers.CharField(help_text="Of the source; it never changes")
    title = serializers.CharField()
    method = serializers.IntegerField(help_text="The version of how it computes")
    says = serializers.ChoiceField(Says.choices)
    strength = serializers.ChoiceField(
        Strength.choices, help_text="Of what speaks for the class, else “none”"
    )
    supports_only = serializers.BooleanField(
        help_text="It has no interval: it is shown and makes no verdict"
    )
    sentence = serializers.CharField(allow_blank=True, help_text="With values in their own unit")
    why = serializers.CharField(allow_blank=True, help_text="Why there is no number or no interval")
    effect = serializers.CharField(allow_null=True, help_text="What was compared with what")
    measured = serializers.ChoiceField([each.value for each in Measured], allow_null=True)
    value = serializers.FloatField(allow_null=True, help_text="Above 0 it speaks for the class")
    low = serializers.FloatField(
        allow_null=True, help_text="95 % interval, wider where the worst of several was picked"
    )
    high = serializers.FloatField(allow_null=True)
    matters = serializers.FloatField(allow_null=True, help_text="The smallest that matters")
    n = serializers.IntegerField(allow_null=True)
    counts = serializers.CharField(allow_null=True, help_text="What n counts")
    since = serializers.DateField(allow_null=True)
    until = serializers.DateField(allow_null=True, help_text="The day after the last one")
    page = serializers.CharField(allow_blank=True, help_text="The page that shows it")


class ClassRow(serializers.Serializer[Any]):
    """A class of problems with its verdict; the heaviest first."""

    code = serializers.ChoiceField(CLASSES)
    name = serializers.CharField()
    verdict = serializers.ChoiceField(Verdict.choices)
    strength = serializers.ChoiceField(Strength.choices)
    weight = serializers.FloatField(
        help_text="The largest effect that speaks for it, in multiples of what matters"
    )
    contradicted = serializers.BooleanField(
        help_text="Something small speaks for it, something else against it"
    )
    evidence = DiagnosisEvidenceRow(many=True)


class DiagnosisRow(serializers.Serializer[Any]):
    """The diagnosis of a unit in a period."""

    unit = serializers.CharField()
    system = serializers.CharField()
    period = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    run = serializers.IntegerField(help_text="The evaluation whose figures were read")
    method = serializers.IntegerField(help_text="The version of the rules of verdicts")
    classes = ClassRow(many=True)
