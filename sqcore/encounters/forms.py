"""What can be asked of the pages of encounters; an address that asks nonsense gets the default."""

from collections.abc import Mapping

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField, TranslatedTextField
from sqcore.base.periods import Grain
from sqcore.encounters.models import Stage
from sqcore.encounters.process import Asked
from sqcore.org.models import Channel, Segment, Unit


class ProcessFilter(forms.Form):
    """The fields of the process map."""

    unit = forms.SlugField(max_length=50, required=False)
    grain = forms.ChoiceField(choices=Grain.choices, required=False)
    period = forms.CharField(max_length=10, required=False)
    against = forms.CharField(max_length=10, required=False)
    channel = forms.SlugField(max_length=50, required=False)
    segment = forms.SlugField(max_length=50, required=False)
    service = forms.SlugField(max_length=50, required=False)


def asked_of_process(query: Mapping[str, str]) -> Asked:
    """Return which process map an address asks for, without what it asks wrongly."""
    form = ProcessFilter(query)
    form.is_valid()
    return Asked(**form.cleaned_data)


class EncounterFilterForm(forms.Form):
    """By what the list of single encounters can be filtered."""

    unit = forms.ModelChoiceField(
        label=_("Unit"),
        queryset=Unit.objects.none(),
        to_field_name="code",
        required=False,
        empty_label=_("All"),
    )
    channel = forms.ModelChoiceField(
        label=_("Channel"),
        queryset=Channel.objects.order_by("position", "code"),
        to_field_name="code",
        required=False,
        empty_label=_("All"),
    )
    segment = forms.ModelChoiceField(
        label=_("Segment"),
        queryset=Segment.objects.order_by("position", "code"),
        to_field_name="code",
        required=False,
        empty_label=_("All"),
    )
    since = DayField(label=_("From"), required=False, widget=forms.DateInput({"type": "date"}))
    until = DayField(label=_("Until"), required=False, widget=forms.DateInput({"type": "date"}))
    key = forms.CharField(label=_("Encounter key"), required=False, max_length=80)


class ServiceForm(forms.Form):
    code = forms.SlugField(
        label=_("Code"), max_length=50, help_text=_("Short, for programs; it never changes.")
    )
    name = TranslatedTextField(label=_("Name"))
    position = forms.IntegerField(
        label=_("Place in lists"), min_value=0, max_value=32_767, initial=0
    )


class StageForm(ServiceForm):
    phase = forms.ChoiceField(
        label=_("Phase"), choices=Stage.Phase.choices, initial=Stage.Phase.EXECUTION
    )
