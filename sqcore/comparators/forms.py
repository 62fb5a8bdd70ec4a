"""Forms of comparators and their values, and what can be asked of their list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.errors import DomainError
from sqcore.base.forms import DayField, TranslatedTextField
from sqcore.comparators.models import Comparator
from sqcore.comparators.rules import reading
from sqcore.indicators.models import Indicator


def _day(label: Any, **options: Any) -> DayField:
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return DayField(label=label, widget=widget, **options)


def _number(label: Any, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=40, **options)


class NewComparatorForm(forms.Form):
    code = forms.SlugField(
        label=lazy("Code"), max_length=50, help_text=lazy("Short, for programs; it never changes.")
    )
    name = TranslatedTextField(label=lazy("Name"))
    kind = forms.ChoiceField(label=lazy("Kind"), choices=Comparator.Kind.choices)
    note = forms.CharField(
        label=lazy("Note"),
        max_length=300,
        required=False,
        help_text=lazy("Who or what it is, and how far it can be compared."),
    )


class ChangeComparatorForm(NewComparatorForm):
    code = None  # type: ignore[assignment]  # it never changes
    is_active = forms.BooleanField(
        label=lazy("Shown beside own results"),
        required=False,
        help_text=lazy("Without it its values stay, and are compared with nowhere."),
    )


class ReviseForm(forms.Form):
    """What is said of a value; numbers as people write them, in the unit of the indicator."""

    value = _number(
        lazy("Value"), help_text=lazy("In the unit of the indicator; a share also as 88 %.")
    )
    low = _number(lazy("Lower end of its 95 % interval"), required=False)
    high = _number(lazy("Upper end of its 95 % interval"), required=False)
    n = forms.IntegerField(
        label=lazy("Number of answers or cases"),
        min_value=1,
        max_value=2_000_000_000,
        required=False,
    )
    source = forms.CharField(
        label=lazy("Source"),
        max_length=300,
        help_text=lazy("Where somebody else finds this number."),
    )
    url = forms.URLField(
        label=lazy("Address of the source"),
        max_length=500,
        required=False,
        assume_scheme="https",
    )
    published_on = _day(lazy("Published"), required=False)
    note = forms.CharField(label=lazy("Note"), max_length=300, required=False)

    def __init__(self, *args: Any, indicator: Indicator | None = None, **over: Any) -> None:
        super().__init__(*args, **over)
        self._indicator = indicator

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        indicator = cleaned.get("indicator", self._indicator)
        for name in ("value", "low", "high"):
            text = cleaned.get(name, "")
            if not text:
                cleaned[name] = None
                continue
            found = reading(text, indicator)
            if found is None:
                self.add_error(name, _("“%(text)s” is no number") % {"text": text})
            cleaned[name] = found
        return cleaned


class AddValueForm(ReviseForm):
    comparator = forms.ModelChoiceField(
        label=lazy("Competitor or market"), queryset=Comparator.objects.order_by("code")
    )
    indicator = forms.ModelChoiceField(
        label=lazy("Indicator"), queryset=Indicator.objects.order_by("code")
    )
    starts_on = _day(lazy("From"), help_text=lazy("The first day that the number speaks of."))
    last_on = _day(lazy("Last day"))
    field_order = ("comparator", "indicator", "starts_on", "last_on")

    def fields_of_value(self) -> dict[str, Any]:
        """Return what the service takes; people name the last day, the house the day after it."""
        told = dict(self.cleaned_data)
        last: date = told.pop("last_on")
        return {**told, "ends_on": last + timedelta(days=1)}


class WithdrawForm(forms.Form):
    because = forms.CharField(
        label=lazy("Why"),
        max_length=300,
        help_text=lazy("Who reads the value later reads this beside it."),
    )


class NameForm(forms.Form):
    """What files of others call one thing."""

    text = forms.CharField(
        label=lazy("In the file"),
        max_length=100,
        help_text=lazy("As it stands in the cell: H_COMP_1_A_P, 450021."),
    )
    indicator = forms.ModelChoiceField(
        label=lazy("is this indicator"), queryset=Indicator.objects.order_by("code"), required=False
    )
    comparator = forms.ModelChoiceField(
        label=lazy("or this competitor or market"),
        queryset=Comparator.objects.order_by("code"),
        required=False,
    )


@dataclass(frozen=True)
class AskedValues:
    """Which values: empty means all."""

    indicator: str = ""
    comparator: str = ""
    kind: str = ""
    on: date | None = None


class ValueFilterForm(forms.Form):
    indicator = forms.SlugField(max_length=80, required=False)
    comparator = forms.SlugField(max_length=50, required=False)
    kind = forms.ChoiceField(choices=Comparator.Kind.choices, required=False)
    on = DayField(required=False)


def asked_values(query: Mapping[str, str]) -> AskedValues:
    """Return what an address asks for, without what it asks wrongly."""
    form = ValueFilterForm(query)
    form.is_valid()
    return AskedValues(**form.cleaned_data)


NAMES = {"ends_on": "last_on"}


def tell(form: forms.Form, refusal: DomainError) -> None:
    """Put a refusal beside the fields that it is about, else above the form."""
    for problem in refusal.problems:
        name = NAMES.get(problem.field, problem.field)
        form.add_error(name if name in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)
