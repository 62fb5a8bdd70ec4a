"""What people write on a chart, and what can be asked of the pages of charts and signals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.forms import DayField
from sqcore.base.periods import Grain
from sqcore.monitoring.charts import CHARTED, USUAL_PROFILE, VIEWS
from sqcore.monitoring.models import Annotation, EarlyWarning, Signal
from sqcore.monitoring.passes import BASELINE_PERIODS
from sqcore.stats.rules import PROFILES


def _day(label: Any, **options: Any) -> DayField:
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return DayField(label=label, widget=widget, **options)


class SpanForm(forms.Form):
    """A span of days; people name the last day, the house the day after it."""

    starts_on = _day(lazy("From"))
    last_on = _day(lazy("Last day"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("starts_on"), cleaned.get("last_on")
        if first and last and last < first:
            self.add_error("last_on", _("The last day is before the first."))
        return cleaned

    @property
    def ends_on(self) -> date:
        last: date = self.cleaned_data["last_on"]
        return last + timedelta(days=1)


class AnnotationForm(SpanForm):
    """What happened, or what is to be left out."""

    kind = forms.ChoiceField(label=lazy("What it is"), choices=Annotation.Kind.choices)
    text = forms.CharField(
        label=lazy("Text"),
        max_length=300,
        help_text=lazy("Why it is left out, or what happened; everybody who sees the chart reads."),
    )
    reach = forms.ChoiceField(
        label=lazy("Where"),
        choices=[
            ("code", lazy("On this indicator, at this unit and below it")),
            ("unit", lazy("On all indicators of this unit and below it")),
        ],
    )
    field_order = ("kind", "text", "starts_on", "last_on", "reach")

    def without_exclusion(self) -> "AnnotationForm":
        """The form for who may write on a chart, but take nothing out of it."""
        told = [choice for choice in Annotation.Kind.choices if choice[0] != "exclusion"]
        self.fields["kind"].choices = told  # type: ignore[attr-defined]  # a ChoiceField
        return self


class BaselineForm(SpanForm):
    """A new baseline: from which periods, and from when on it judges."""

    applies_from = _day(
        lazy("Judges from"), help_text=lazy("The first period that the new limits judge.")
    )
    reason = forms.CharField(
        label=lazy("Reason"),
        max_length=500,
        help_text=lazy("What changed for good, so that the old limits no longer fit."),
    )
    kind = forms.ChoiceField(
        label=lazy("Kind of chart"),
        required=False,
        help_text=lazy("Only kinds that suit the series are offered; say in the reason why."),
    )

    def __init__(self, *args: Any, kinds: Sequence[tuple[str, str]] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        if kinds:
            self.fields["kind"].choices = list(kinds)  # type: ignore[attr-defined]  # a ChoiceField
        else:
            del self.fields["kind"]


class RowForm(forms.Form):
    """A button beside a row: which row it is."""

    row = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    @property
    def row_id(self) -> int:
        found: int = self.cleaned_data["row"]
        return found


class MuteForm(RowForm):
    """How long a signal is silent, and why."""

    until = _day(lazy("Silent until"), help_text=lazy("On this day it speaks again."))
    reason = forms.CharField(label=lazy("Reason"), max_length=500)


@dataclass(frozen=True)
class AskedChart:
    """Which chart: empty means the default."""

    grain: str = ""
    profile: str = USUAL_PROFILE
    view: str = ""


class ChartFilter(forms.Form):
    grain = forms.ChoiceField(
        choices=[(each.value, each.label) for each in CHARTED], required=False
    )
    profile = forms.ChoiceField(choices=[(key, key) for key in PROFILES], required=False)
    view = forms.ChoiceField(choices=[(key, key) for key in VIEWS], required=False)


@dataclass(frozen=True)
class AskedSignals:
    """Which signals, or early warnings: those that are open, unless told otherwise."""

    state: str = ""
    unit: str = ""
    code: str = ""


OPEN = "open"
MUTED = "muted"
ALL = "all"


class SignalFilter(forms.Form):
    state = forms.ChoiceField(
        choices=[(key, key) for key in (OPEN, MUTED, ALL, *Signal.State.values)], required=False
    )
    unit = forms.SlugField(max_length=50, required=False)
    code = forms.SlugField(max_length=80, required=False)


class EarlyFilter(SignalFilter):
    state = forms.ChoiceField(
        choices=[(key, key) for key in (ALL, *EarlyWarning.State.values)], required=False
    )


def chosen_grain(asked: str, grains: Sequence[Grain]) -> Grain:
    """Return what was asked for, if there is such a chart; else weeks, months, what there is."""
    if asked in grains:
        return Grain(asked)
    return next((each for each in (*BASELINE_PERIODS, *grains) if each in grains), Grain.MONTH)


def asked_chart(query: Mapping[str, str]) -> AskedChart:
    """Return what an address asks for, without what it asks wrongly."""
    form = ChartFilter(query)
    form.is_valid()
    found = form.cleaned_data
    return AskedChart(
        found.get("grain", ""), found.get("profile") or USUAL_PROFILE, found.get("view", "")
    )


def asked_signals(query: Mapping[str, str]) -> AskedSignals:
    """Return what an address asks for, without what it asks wrongly."""
    return _asked(SignalFilter(query))


def asked_warnings(query: Mapping[str, str]) -> AskedSignals:
    """Return which early warnings an address asks for, without what it asks wrongly."""
    return _asked(EarlyFilter(query))


def _asked(form: SignalFilter) -> AskedSignals:
    form.is_valid()
    return AskedSignals(**form.cleaned_data)
