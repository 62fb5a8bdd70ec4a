"""By what awards can be filtered. Nothing else is looked at."""

from django import forms
from django_filters import CharFilter, ChoiceFilter, DateFilter, FilterSet

from training.incentives.models import LedgerEntry, PayrollBatch, Proposal, Scheme


class SchemeFilter(FilterSet):
    kind = ChoiceFilter(choices=Scheme.Kind.choices)
    state = ChoiceFilter(choices=Scheme.State.choices)

    class Meta:
        model = Scheme
        fields: list[str] = []
        form = forms.Form


class ProposalFilter(FilterSet):
    scheme = CharFilter("scheme__code", help_text="A scheme, by its code", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    period = DateFilter("period_start", help_text="The first day of a period")
    state = ChoiceFilter(choices=Proposal.State.choices)

    class Meta:
        model = Proposal
        fields: list[str] = []
        form = forms.Form


class LedgerFilter(FilterSet):
    scheme = CharFilter("scheme__code", help_text="A scheme, by its code", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    staff = CharFilter("staff__number", help_text="A person, by staff number", max_length=30)
    period = DateFilter("period_start", help_text="The first day of a period")

    class Meta:
        model = LedgerEntry
        fields: list[str] = []
        form = forms.Form


class BatchFilter(FilterSet):
    currency = CharFilter("currency", help_text="With three letters", max_length=3)

    class Meta:
        model = PayrollBatch
        fields: list[str] = []
        form = forms.Form
