"""How KPI values and runs look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from sqcore.evaluation.kpi_page import MARGINS
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.indicators.models import Indicator
from sqcore.indicators.serializers import SystemShape
from sqcore.indicators.shapes import Shape
from sqcore.indicators.sources import Counts


class KpiRow(serializers.Serializer[Any]):
    """One figure with what it rests on. Describes the rows; they are written without it."""

    system = serializers.CharField()
    unit = serializers.CharField(help_text="And everything below it")
    grain = serializers.ChoiceField(Grain.choices)
    period = serializers.CharField(help_text="2026, 2026-Q2, 2026-05, 2026-W21 or 2026-05-17")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    margin = serializers.ChoiceField(MARGINS)
    margin_value = serializers.CharField(allow_null=True, help_text="The channel or segment")
    kind = serializers.ChoiceField(KpiValue.Kind.choices)
    code = serializers.CharField()
    status = serializers.ChoiceField(
        KpiValue.Status.choices, help_text="Only “ok” has numbers; all others are null"
    )
    reason = serializers.CharField(allow_null=True, help_text="Why a figure is as it is")
    value = serializers.FloatField(allow_null=True, help_text="In the indicator's own unit")
    low = serializers.FloatField(allow_null=True, help_text="95 % interval of the value")
    high = serializers.FloatField(allow_null=True)
    score = serializers.FloatField(allow_null=True, help_text="0 to 100 between the goalposts")
    score_low = serializers.FloatField(allow_null=True, help_text="95 % interval of the score")
    score_high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(
        allow_null=True, help_text="What it counts, the series of its run say; 0: no answers in it"
    )
    coverage = serializers.FloatField(allow_null=True, help_text="Share of the weights present")
    run = serializers.IntegerField()
    revision = serializers.IntegerField()
    published_at = serializers.DateTimeField(default_timezone=UTC)


class RunRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    system = serializers.CharField(source="system.code")
    version = serializers.IntegerField(source="version.number")
    grain = serializers.ChoiceField(Grain.choices)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    revision = serializers.IntegerField()
    is_current = serializers.BooleanField()
    state = serializers.ChoiceField(EvaluationRun.State.choices)
    reason = serializers.CharField()
    result_digest = serializers.CharField(help_text="SHA-256 of what it found; a replay finds it")
    created_at = serializers.DateTimeField(default_timezone=UTC)
    collected_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    published_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)


class SeriesMeaning(SystemShape):
    """What a code stands for in a run: the same for all of its figures, so not in every row."""

    code = serializers.CharField()
    kind = serializers.ChoiceField(KpiValue.Kind.choices)
    name = serializers.DictField(child=serializers.CharField(), help_text="By language")
    counts = serializers.ChoiceField(Counts.choices, help_text="What n counts")
    weight = serializers.FloatField(help_text="Among its siblings; 0: watched, in no score")
    target = serializers.FloatField(allow_null=True, help_text="Of scores in points")
    floor = serializers.FloatField(allow_null=True)
    unit_of_measure = serializers.CharField(help_text="Of the value; empty for scores")
    statistic = serializers.ChoiceField([*Indicator.Statistic.choices, ("", "")])
    stage = serializers.ChoiceField([*Indicator.Stage.choices, ("", "")])
    formula = serializers.CharField(help_text="Empty where it has a source")
    worst = serializers.FloatField(allow_null=True, help_text="The value of 0 points")
    best = serializers.FloatField(allow_null=True, help_text="The value of 100 points")
    shape = serializers.ChoiceField([*Shape.choices, ("", "")], help_text="Empty for scores")


class RunWithSeries(RunRow):
    series = SeriesMeaning(many=True, read_only=True)


class RunRequest(serializers.Serializer[Any]):
    system = serializers.CharField(max_length=50, help_text="The code of an indicator system")
    period = serializers.CharField(max_length=10, help_text="A closed period, such as 2026-05")


class RunRequested(serializers.Serializer[Any]):
    system = serializers.CharField()
    period = serializers.CharField()
    job = serializers.CharField(help_text="The job that will evaluate it")
