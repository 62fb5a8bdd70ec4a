"""How weighings look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.stats.results import MethodStatus
from surveys.analyses.wording import GRAINS
from surveys.representation.margins import MARGINS, Skipped

MARGIN_CHOICES = [(each, each) for each in MARGINS]


class WeighingCategory(serializers.Serializer[Any]):
    """A part of the population and of those who answered."""

    codes = serializers.ListField(
        child=serializers.CharField(),
        help_text="More than one: put together, as few or none answered; none: not known",
    )
    population = serializers.FloatField(help_text="Share of the population, 0 to 1")
    sample = serializers.FloatField(help_text="Share of those who answered, 0 to 1")
    people = serializers.IntegerField(help_text="Who answered")


class WeighingMargin(serializers.Serializer[Any]):
    margin = serializers.ChoiceField(MARGIN_CHOICES)
    unanswered = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Of crossed margins: the cells with customers that nobody answered from",
    )
    categories = WeighingCategory(many=True)


class WeighingFigure(serializers.Serializer[Any]):
    """Rounded so that nobody's answer can be found by subtracting."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval")
    high = serializers.FloatField(allow_null=True)


class WeighingMeasure(serializers.Serializer[Any]):
    measure = serializers.CharField(help_text="As indicators name it, such as nps:recommend")
    n = serializers.IntegerField(allow_null=True, help_text="null: fewer than 30")
    effective = serializers.IntegerField(
        allow_null=True, help_text="How many equal answers tell as much as the weighted ones"
    )
    plain = WeighingFigure(allow_null=True, help_text="As it was answered")
    weighted = WeighingFigure(allow_null=True, help_text="Weighed to the population")


class WeighingSkipped(serializers.Serializer[Any]):
    margin = serializers.ChoiceField(MARGIN_CHOICES)
    reason = serializers.ChoiceField([(each.value, each.value) for each in Skipped])


class WeighingFound(serializers.Serializer[Any]):
    deff = serializers.FloatField(help_text="Design effect: how much larger variances become")
    effective = serializers.IntegerField(help_text="n divided by the design effect")
    off = serializers.FloatField(help_text="By what share a margin is off at most")
    converged = serializers.BooleanField(help_text="Whether all margins are met")
    trimmed = serializers.FloatField(help_text="Share of answers at the smallest or largest weight")
    margins = WeighingMargin(many=True)
    skipped = WeighingSkipped(many=True)
    measures = WeighingMeasure(many=True)


class WeighingRow(serializers.Serializer[Any]):
    """Aggregates of the whole organisation; they enter no indicator."""

    instrument = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the questionnaire")
    grain = serializers.ChoiceField(GRAINS)
    period = serializers.CharField(help_text="2026 or 2026-Q2")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    population = serializers.CharField(help_text="What the answers were weighed to")
    population_source = serializers.CharField(help_text="Where the population is from")
    stated_on = serializers.DateField(help_text="The day that the population is of")
    status = serializers.ChoiceField([(each.value, each.value) for each in MethodStatus])
    n = serializers.IntegerField(allow_null=True, help_text="Respondents; null: too few to say")
    said = serializers.CharField(help_text="The status as a sentence for people")
    remarks = serializers.ListField(
        child=serializers.CharField(), help_text="What to know beside the figures"
    )
    found = WeighingFound(allow_null=True, help_text="null unless the status is ok")
    digest = serializers.CharField(help_text="Hash of the frozen weights, population and results")
    made_at = serializers.DateTimeField(default_timezone=UTC)
