"""By what expectations can be filtered. Nothing else is looked at."""

from django import forms
from django_filters import CharFilter, FilterSet

from sqcore.org.filters import IsoDateFilter
from surveys.analyses.models import Analysis


class ExpectationFilter(FilterSet):
    instrument = CharFilter(
        "version__instrument__code", help_text="A questionnaire, by its code", max_length=50
    )
    starts_on = IsoDateFilter(help_text="The first day of a quarter")
    segment = CharFilter("margin_value", help_text="A segment, by its code", max_length=50)

    class Meta:
        model = Analysis
        fields: list[str] = []
        form = forms.Form
