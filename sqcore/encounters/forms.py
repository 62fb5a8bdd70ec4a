"""What can be asked of the pages of encounters; an address that asks nonsense gets the default."""

from collections.abc import Mapping

from django import forms

from sqcore.base.periods import Grain
from sqcore.encounters.process import Asked


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
