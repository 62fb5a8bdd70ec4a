"""How charts, signals and passes look over REST."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from sqcore.monitoring.models import Annotation, Baseline, EarlyWarning, Kind, Signal
from sqcore.stats.charts import ChartStatus
from sqcore.stats.results import MethodStatus
from sqcore.stats.rules import PROFILES, Assurance, Rule, Variation
from sqcore.stats.smoothing import Method
from sqcore.stats.trend import TrendMethod


def _choices(names: Any) -> list[str]:
    return [each.value for each in names]


SIDES = [("high", "high"), ("low", "low"), ("neither", "neither")]
METHOD_STATUSES = _choices(MethodStatus)


class FlagRow(serializers.Serializer[Any]):
    rule = serializers.ChoiceField(_choices(Rule))
    side = serializers.ChoiceField(SIDES)
    seen_on = serializers.DateField(
        help_text="The start of the period with which this could first be seen"
    )


class ChartLineRow(serializers.Serializer[Any]):
    """Another number of a point with its own limits. Describes; written without it."""

    value = serializers.FloatField()
    centre = serializers.FloatField()
    lower = serializers.FloatField()
    upper = serializers.FloatField()
    beyond = serializers.BooleanField()


class ChartPointRow(serializers.Serializer[Any]):
    """A period. Describes the points of a chart; they are written without it."""

    period = serializers.CharField(help_text="2026-05 or 2026-W21")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="95 % interval of the value")
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(allow_null=True)
    excluded = serializers.BooleanField(help_text="Drawn, and in no limits and no signal")
    exclusion = serializers.CharField(allow_blank=True, help_text="Why it is left out")
    centre = serializers.FloatField(allow_null=True)
    lower = serializers.FloatField(allow_null=True)
    upper = serializers.FloatField(allow_null=True)
    z = serializers.FloatField(allow_null=True, help_text="Distance from the centre in sigma")
    spread = ChartLineRow(
        allow_null=True, help_text="Of xbar_s: standard deviation within the period"
    )
    smoothed = ChartLineRow(allow_null=True, help_text="With view=ewma: the smoothed line")
    flags = FlagRow(many=True)


class SegmentRow(serializers.Serializer[Any]):
    """The limits that judge a stretch of points, from `applies_from` to that of the next."""

    baseline = serializers.IntegerField(allow_null=True, help_text="null: limits not frozen")
    applies_from = serializers.DateField(help_text="The first judges what came before as well")
    kind = serializers.ChoiceField(Kind.choices)
    kind_reason = serializers.CharField(help_text="Why this kind, as a stable code")
    kind_chosen = serializers.BooleanField(help_text="By a person, not by the data")
    status = serializers.ChoiceField(_choices(ChartStatus))
    starts_on = serializers.DateField(allow_null=True, help_text="Computed from these periods")
    ends_on = serializers.DateField(allow_null=True)
    n0 = serializers.IntegerField(help_text="Periods (t, g: events) that it was computed from")
    centre = serializers.FloatField(allow_null=True)
    sigma = serializers.FloatField(
        allow_null=True,
        help_text="xmr: of a point; xbar_s: within a period; t: of days^(1/3.6); else a factor",
    )
    allowance = serializers.FloatField(help_text="xbar_s: sigma between periods that is added")
    phi = serializers.FloatField(help_text="Autocorrelation, 0 to .8")
    screened = serializers.IntegerField(help_text="Steps left out as leaps")
    origin = serializers.ChoiceField(Baseline.Origin.choices, allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    approved_by = serializers.ChoiceField(["software", "person"], allow_null=True)
    frozen_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)


class AnnotationRow(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Annotation.Kind.choices)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(help_text="The day after the last one")
    text = serializers.CharField()
    reference = serializers.CharField(allow_blank=True)


class SignalRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    fingerprint = serializers.CharField(help_text="Of the problem, whatever the period")
    algorithm = serializers.IntegerField()
    system = serializers.CharField(source="system.code")
    unit = serializers.CharField(source="unit.code")
    code = serializers.CharField()
    grain = serializers.ChoiceField(Grain.choices)
    direction = serializers.ChoiceField(Signal.Direction.choices)
    state = serializers.ChoiceField(Signal.State.choices)
    episode = serializers.IntegerField(help_text="How often it came; 1 the first time")
    baseline = serializers.IntegerField(source="baseline_id")
    alarm_on = serializers.DateField(help_text="The start of the period in which it was found")
    since_on = serializers.DateField(help_text="The estimated start of the change")
    last_on = serializers.DateField(help_text="The start of the newest period judged")
    recovered_on = serializers.DateField(allow_null=True)
    height = serializers.FloatField(help_text="Of the sum that alarmed, in sigma")
    shift = serializers.FloatField(help_text="From the centre, in the indicator's own unit")
    shift_sigma = serializers.FloatField(help_text="The same in sigma")
    found_at = serializers.DateTimeField(default_timezone=UTC)
    changed_at = serializers.DateTimeField(default_timezone=UTC)
    muted_until = serializers.DateField(allow_null=True)


class EarlyWarningRow(serializers.Serializer[Any]):
    """A series whose forecast passes its floor or its target to the wrong side."""

    id = serializers.IntegerField()
    system = serializers.CharField(source="system.code")
    unit = serializers.CharField(source="unit.code")
    code = serializers.CharField()
    grain = serializers.ChoiceField(Grain.choices)
    direction = serializers.ChoiceField(Signal.Direction.choices, help_text="The wrong side")
    line = serializers.ChoiceField(EarlyWarning.Line.choices)
    line_at = serializers.FloatField(help_text="In the unit of the indicator, as all that follow")
    state = serializers.ChoiceField(EarlyWarning.State.choices)
    possible_on = serializers.DateField(help_text="The first period whose interval passes it")
    expected_on = serializers.DateField(
        allow_null=True, help_text="The first period whose forecast itself passes it"
    )
    horizon_on = serializers.DateField(help_text="The last period that was foretold")
    forecast = serializers.FloatField(help_text="Of the period in which it is passed")
    low = serializers.FloatField()
    high = serializers.FloatField()
    confidence = serializers.FloatField(help_text="Of low and high")
    n = serializers.IntegerField(help_text="Periods that it was foretold from")
    error = serializers.FloatField(allow_null=True, help_text="Mean error on the past")
    tests = serializers.IntegerField()
    last_on = serializers.DateField(help_text="The newest period that was known")
    found_at = serializers.DateTimeField(default_timezone=UTC)
    changed_at = serializers.DateTimeField(default_timezone=UTC)
    ended_on = serializers.DateField(allow_null=True)


class ProfileRow(serializers.Serializer[Any]):
    key = serializers.ChoiceField(list(PROFILES))
    version = serializers.IntegerField()


class ChartRow(serializers.Serializer[Any]):
    """A control chart. Describes the answer; it is written without it."""

    system = serializers.CharField()
    unit = serializers.CharField()
    code = serializers.CharField()
    grain = serializers.ChoiceField(Grain.choices)
    better = serializers.ChoiceField(SIDES)
    target = serializers.FloatField(allow_null=True)
    profile = ProfileRow()
    kind = serializers.ChoiceField(Kind.choices, help_text="Of the newest limits")
    kind_reason = serializers.CharField(help_text="A code: why this kind of chart")
    points_are = serializers.ChoiceField(["periods", "events"])
    counted_in = serializers.ChoiceField(
        ["values", "days", "cases"], help_text="What the points are: days, cases between events"
    )
    suiting_kinds = serializers.ListField(
        child=serializers.ChoiceField(Kind.choices), help_text="What a person may choose"
    )
    variation = serializers.ChoiceField(_choices(Variation), allow_null=True)
    assurance = serializers.ChoiceField(_choices(Assurance))
    segments = SegmentRow(many=True)
    points = ChartPointRow(many=True)
    annotations = AnnotationRow(many=True)
    signals = SignalRow(many=True)


class FigureRow(serializers.Serializer[Any]):
    """A number with its interval and the n behind it; without a number, the reason."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    status = serializers.ChoiceField(METHOD_STATUSES)


class SeriesTrendRow(serializers.Serializer[Any]):
    status = serializers.ChoiceField(METHOD_STATUSES)
    method = serializers.ChoiceField(_choices(TrendMethod), allow_null=True)
    direction = serializers.ChoiceField(
        ["up", "down", "none"], help_text="none: nothing beyond chance (p >= .05)"
    )
    tau = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True)
    slope = FigureRow(help_text="Sen's slope with its 95 % interval")
    slope_per = serializers.ChoiceField(["period", "year"])
    doubtful = serializers.BooleanField(
        help_text="Periods resemble the one before, and p does not allow for it"
    )


class ChangeRow(serializers.Serializer[Any]):
    starts_on = serializers.DateField(help_text="Of the first period of the new level")
    earliest_on = serializers.DateField(help_text="It lies between these with 95 %")
    latest_on = serializers.DateField()
    before = serializers.FloatField()
    after = serializers.FloatField()
    by = FigureRow()


class ChangesRow(serializers.Serializer[Any]):
    status = serializers.ChoiceField(METHOD_STATUSES)
    gradual = serializers.BooleanField(help_text="A straight line explains it better than steps")
    found = ChangeRow(many=True)


class SeasonRow(serializers.Serializer[Any]):
    status = serializers.ChoiceField(METHOD_STATUSES)
    found = serializers.BooleanField()
    p = serializers.FloatField(allow_null=True)
    years = serializers.IntegerField(help_text="Complete ones")


class AheadRow(serializers.Serializer[Any]):
    period = serializers.CharField()
    starts_on = serializers.DateField()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class PassingRow(serializers.Serializer[Any]):
    """A line that the forecast passes."""

    line = serializers.ChoiceField(["floor", "target"])
    value = serializers.FloatField()
    worse = serializers.BooleanField(help_text="To the bad side: a warning")
    possible_on = serializers.DateField(
        allow_null=True, help_text="From here on the interval reaches beyond it"
    )
    expected_on = serializers.DateField(allow_null=True, help_text="The forecast itself does")
    certain_on = serializers.DateField(allow_null=True, help_text="The whole interval does")


class ForecastPartRow(serializers.Serializer[Any]):
    status = serializers.ChoiceField(METHOD_STATUSES)
    method = serializers.ChoiceField(_choices(Method), allow_null=True)
    version = serializers.IntegerField()
    confidence = serializers.FloatField(help_text="Of the intervals")
    error = serializers.FloatField(
        allow_null=True, help_text="Mean absolute error over the tests; null: not tried"
    )
    naive_error = serializers.FloatField(allow_null=True, help_text="Of “as the last one”")
    tests = serializers.IntegerField()
    coverage = FigureRow(help_text="Share of next values in the interval that their past gave")
    periods = AheadRow(many=True)
    passes = PassingRow(many=True)


class OutlookRow(serializers.Serializer[Any]):
    """Where a series is going. Describes the answer; it is written without it."""

    system = serializers.CharField()
    unit = serializers.CharField()
    code = serializers.CharField()
    grain = serializers.ChoiceField(Grain.choices)
    better = serializers.ChoiceField(SIDES)
    version = serializers.IntegerField()
    n = serializers.IntegerField(help_text="Periods with a value that counts")
    trend = SeriesTrendRow()
    changes = ChangesRow()
    season = SeasonRow()
    autocorrelation = FigureRow()
    forecast = ForecastPartRow()


class OpenerRow(serializers.Serializer[Any]):
    """The rule that opens signals: a one-sided CUSUM, with its numbers in sigma."""

    version = serializers.IntegerField()
    k = serializers.FloatField()
    h = serializers.FloatField(help_text="It alarms when the sum exceeds this")
    cool_down = serializers.IntegerField(help_text="Periods without an alarm after one")
    baseline = serializers.IntegerField(help_text="Weekly periods that give the limits")


class WatchRow(serializers.Serializer[Any]):
    """The last pass over all series of a system in one grain."""

    system = serializers.CharField(source="system.code")
    grain = serializers.ChoiceField(Grain.choices)
    through = serializers.DateField(help_text="The end of the newest period that was judged")
    watched_at = serializers.DateTimeField(default_timezone=UTC)
    series = serializers.IntegerField()
    judged = serializers.IntegerField(help_text="Series that have a baseline")
    found_so_far = serializers.IntegerField()
    expected_so_far = serializers.FloatField(help_text="False signals that chance alone gives")
    expected_a_year = serializers.FloatField()
    open_signals = serializers.IntegerField()
    opener = OpenerRow()
