"""Forms of measures and feeds, and what is asked of their pages."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField, TranslatedTextField
from sqcore.indicators.models import UnitOfMeasure
from sqcore.measurements.models import MOST_DECIMALS, Feed, Measure
from sqcore.measurements.withdrawal import LONGEST_REASON
from sqcore.org.models import Unit


class NewFeedForm(forms.Form):
    code = forms.SlugField(
        label=_("Code"), max_length=50, help_text=_("Short, for programs; it never changes.")
    )
    name = TranslatedTextField(label=_("Name"))
    kind = forms.ChoiceField(label=_("Kind"), choices=Feed.Kind.choices)
    silent_after_days = forms.IntegerField(
        label=_("Silent after days"),
        min_value=1,
        max_value=366,
        required=False,
        help_text=_("You are told when nothing came for so long. Empty: never."),
    )


class NewMachineForm(forms.Form):
    code = forms.SlugField(
        label=_("Code"), max_length=50, help_text=_("Short, for programs; it never changes.")
    )
    name = TranslatedTextField(label=_("Name"))
    kind = forms.SlugField(
        label=_("Kind"),
        max_length=50,
        help_text=_("A code such as atm; indicators are computed by kind."),
    )
    unit = forms.ModelChoiceField(
        label=_("Unit"), queryset=Unit.objects.filter(closed_on__isnull=True).order_by("code")
    )
    feed = forms.ModelChoiceField(
        label=_("Feed"), queryset=Feed.objects.order_by("code"), required=False
    )
    installed_on = DayField(
        label=_("Installed"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )


class RetireMachineForm(forms.Form):
    on = DayField(
        label=_("Out of use from"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("From this day on it counts in no availability and tells no state."),
    )


class WithdrawForm(forms.Form):
    because = forms.CharField(
        label=_("Why"),
        max_length=LONGEST_REASON,
        help_text=_("It stays to be read with the value."),
    )


class ChangeMeasureForm(forms.Form):
    """What can be changed of a measure that has values."""

    name = TranslatedTextField(label=_("Name"))
    definition = TranslatedTextField(label=_("Definition"), required=False)
    unit_of_measure = forms.ChoiceField(
        label=_("Unit of measure"),
        choices=[("", "–"), *UnitOfMeasure.choices],
        required=False,
    )
    every = forms.ChoiceField(label=_("Comes"), choices=Measure.Every.choices, required=False)
    due_days = forms.IntegerField(
        label=_("Days until it is late"),
        min_value=0,
        max_value=366,
        initial=5,
        help_text=_("So many days after a period ended its value is late, or missing."),
    )
    minimum = forms.FloatField(label=_("Least plausible value"), required=False)
    maximum = forms.FloatField(label=_("Greatest plausible value"), required=False)
    feed = forms.ModelChoiceField(
        label=_("Feed"), queryset=Feed.objects.order_by("code"), required=False
    )


class NewMeasureForm(ChangeMeasureForm):
    code = forms.SlugField(
        label=_("Code"), max_length=80, help_text=_("Short, for programs; it never changes.")
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=Measure.Kind.choices,
        help_text=_("What its numbers are; it cannot be changed later."),
    )
    decimals = forms.IntegerField(
        label=_("Decimals"),
        min_value=0,
        max_value=MOST_DECIMALS,
        initial=0,
        help_text=_("How many its numbers may have; it cannot be changed later."),
    )
    since = DayField(
        label=_("Since"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Values of earlier periods are refused."),
    )

    field_order = ("code", "name", "definition", "kind", "unit_of_measure", "decimals", "every")


class KnownAtForm(forms.Form):
    """A moment in the past, at which the values are looked at."""

    known_at = forms.DateTimeField(
        label=_("As known at"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def moment(self) -> datetime | None:
        found: Any = self.cleaned_data.get("known_at") if self.is_valid() else None
        if not isinstance(found, datetime) or not 1900 < found.year < 2200:
            return None
        return found
