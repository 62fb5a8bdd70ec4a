"""By what comparators and their values can be filtered over REST."""

from django import forms
from django_filters import BooleanFilter, CharFilter, ChoiceFilter, FilterSet

from sqcore.base.periods import Grain
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.org.filters import IsoDateFilter


class ComparatorFilter(FilterSet):
    kind = ChoiceFilter(choices=Comparator.Kind.choices, help_text="What it is")
    is_active = BooleanFilter(help_text="Whether it is shown beside own results")

    class Meta:
        model = Comparator
        fields: list[str] = []
        form = forms.Form


class ComparatorValueFilter(FilterSet):
    comparator = CharFilter("comparator__code", help_text="A comparator, by code", max_length=50)
    indicator = CharFilter("indicator__code", help_text="An indicator, by code", max_length=80)
    kind = ChoiceFilter(
        "comparator__kind", choices=Comparator.Kind.choices, help_text="The kind of comparator"
    )
    since = IsoDateFilter("ends_on", "gt", help_text="What speaks of this day or a later one")
    until = IsoDateFilter("starts_on", "lt", help_text="What speaks of a day before this one")

    class Meta:
        model = ComparatorValue
        fields: list[str] = []
        form = forms.Form


class ComparisonFilter(FilterSet):
    unit = CharFilter(help_text="A unit, by code; default the highest you see", max_length=50)
    period = CharFilter(help_text="2026-05, 2026-Q2; default the newest", max_length=20)
    grain = ChoiceFilter(choices=Grain.choices, help_text="Of the newest period")
    code = CharFilter(
        help_text="composite, or a dimension by its code; default composite", max_length=80
    )

    class Meta:
        model = ComparatorValue
        fields: list[str] = []
        form = forms.Form
