"""What can be asked of the page; an address that asks nonsense gets the default."""

from collections.abc import Mapping

from django import forms

from surveys.drivers.queries import Asked

GROUP = r"^(unit|channel|segment):[-\w]{1,50}$"


class MattersFilter(forms.Form):
    """`of` and `against` name a group: `unit:north`, `channel:phone` or `segment:young`."""

    questionnaire = forms.RegexField(r"^[-\w]{1,50}\.\d{1,6}$", required=False)
    period = forms.CharField(max_length=10, required=False)
    of = forms.RegexField(GROUP, required=False)
    against = forms.RegexField(GROUP, required=False)
    outcome = forms.SlugField(max_length=50, required=False)
    by = forms.SlugField(max_length=10, required=False)
    counts = forms.RegexField(r"^(derived|stated)$", required=False)


def asked_of_matters(query: Mapping[str, str]) -> Asked:
    """Return what an address asks for, without what it asks wrongly."""
    form = MattersFilter(query)
    form.is_valid()
    return Asked(**form.cleaned_data)
