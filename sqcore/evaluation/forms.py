"""What can be asked of the pages of results; an address that asks nonsense gets the default."""

from collections.abc import Mapping
from dataclasses import dataclass

from django import forms

from sqcore.base.periods import Grain


@dataclass(frozen=True)
class Asked:
    """Which results: empty means the default. `period` (a key) decides about the grain as well."""

    system: str = ""
    grain: str = ""
    period: str = ""
    unit: str = ""
    by: str = ""
    part: str = ""
    order: str = ""


class ResultsFilter(forms.Form):
    """The fields of every page of results; `part` is `channel:counter` or `segment:personal`."""

    system = forms.SlugField(max_length=50, required=False)
    grain = forms.ChoiceField(choices=Grain.choices, required=False)
    period = forms.CharField(max_length=10, required=False)
    unit = forms.SlugField(max_length=50, required=False)
    by = forms.SlugField(max_length=80, required=False)
    part = forms.RegexField(r"^(channel|segment):[-\w]{1,50}$", required=False)
    order = forms.RegexField(r"^-?(tree|score|change|n)$", required=False)


def asked(query: Mapping[str, str]) -> Asked:
    """Return what an address asks for, without what it asks wrongly."""
    form = ResultsFilter(query)
    form.is_valid()
    return Asked(**form.cleaned_data)
