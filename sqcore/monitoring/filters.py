"""By what charts and signals can be asked for over REST. Nothing else is looked at."""

from typing import Any

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.base.filters import Conditions
from sqcore.base.periods import Grain
from sqcore.evaluation.models import KpiValue
from sqcore.monitoring.charts import CHARTED, EWMA
from sqcore.monitoring.models import EarlyWarning, Signal
from sqcore.stats.rules import PROFILES

OPEN = "open"
GRAINS = [(grain.value, grain.label) for grain in CHARTED]


class StateFilter(Conditions):
    """One state, or both in which a signal is open."""

    field_class = forms.ChoiceField

    def conditions(self, value: str) -> dict[str, Any]:
        if value == OPEN:
            return {"state__in": (Signal.State.NEW.value, Signal.State.ONGOING.value)}
        return {"state__in": (value,)}


class ChartFilter(FilterSet):
    """The first four name one series, so that all of them are needed."""

    system = CharFilter(help_text="An indicator system (needed)", max_length=50)
    unit = CharFilter(help_text="A unit, by its code (needed)", max_length=50)
    code = CharFilter(help_text="An indicator, a dimension or “composite” (needed)", max_length=80)
    grain = ChoiceFilter(choices=GRAINS, help_text="How long the periods are (needed)")
    profile = ChoiceFilter(
        choices=[(key, key) for key in PROFILES], help_text="Which rules; default nhs"
    )
    view = ChoiceFilter(
        choices=[(EWMA, EWMA)],
        help_text="ewma: with the smoothed line of each point, on a chart of single values",
    )

    class Meta:
        model = KpiValue
        fields: list[str] = []
        form = forms.Form


class ForecastFilter(FilterSet):
    """All four name one series, so that all of them are needed."""

    system = CharFilter(help_text="An indicator system (needed)", max_length=50)
    unit = CharFilter(help_text="A unit, by its code (needed)", max_length=50)
    code = CharFilter(help_text="An indicator, a dimension or “composite” (needed)", max_length=80)
    grain = ChoiceFilter(choices=GRAINS, help_text="How long the periods are (needed)")

    class Meta:
        model = KpiValue
        fields: list[str] = []
        form = forms.Form


class SignalFilter(FilterSet):
    state = StateFilter(
        "state",
        choices=[(OPEN, "Open"), *Signal.State.choices],
        help_text="One state, or open: new and ongoing",
    )
    system = CharFilter("system__code", help_text="An indicator system", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    code = CharFilter(help_text="An indicator", max_length=80)
    grain = ChoiceFilter(choices=Grain.choices, help_text="How long the periods are")

    class Meta:
        model = Signal
        fields: list[str] = []
        form = forms.Form


class EarlyWarningFilter(FilterSet):
    state = ChoiceFilter(
        choices=EarlyWarning.State.choices, help_text="open (default), came_true or passed_off"
    )
    system = CharFilter("system__code", help_text="An indicator system", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    code = CharFilter(help_text="An indicator", max_length=80)
    grain = ChoiceFilter(choices=Grain.choices, help_text="How long the periods are")

    class Meta:
        model = EarlyWarning
        fields: list[str] = []
        form = forms.Form
