"""By what weighings can be filtered. Nothing else is looked at."""

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.org.filters import IsoDateFilter
from surveys.analyses.wording import GRAINS
from surveys.representation.models import Weighing


class WeighingFilter(FilterSet):
    instrument = CharFilter(
        "version__instrument__code", help_text="A questionnaire, by its code", max_length=50
    )
    grain = ChoiceFilter(choices=GRAINS, help_text="How long the periods are")
    starts_on = IsoDateFilter(help_text="The first day of a period")

    class Meta:
        model = Weighing
        fields: list[str] = []
        form = forms.Form
