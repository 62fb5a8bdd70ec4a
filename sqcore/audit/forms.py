"""The filter of the ledger."""

from django import forms
from django.utils.translation import gettext_lazy as _


class EntriesFilter(forms.Form):
    """Which acts to list: about what, by whom, older than which entry."""

    subject = forms.CharField(
        label=_("About what"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "unit:3", "autocomplete": "off"}),
    )
    actor = forms.CharField(
        label=_("By whom"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": _("user name"), "autocomplete": "off"}),
    )
    before = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
