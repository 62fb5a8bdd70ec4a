"""By what analyses can be filtered. Nothing else is looked at."""

from typing import Any

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.base.filters import Conditions
from sqcore.org.filters import IsoDateFilter
from sqcore.stats.results import MethodStatus
from surveys.analyses.models import Analysis
from surveys.analyses.wording import GRAINS, MARGINS, OVERALL

STATUSES = tuple((status.value, status.value) for status in MethodStatus)


class MarginFilter(Conditions):
    field_class = forms.ChoiceField

    def conditions(self, value: str) -> dict[str, Any]:
        return {"margin": "" if value == OVERALL else value}


class AnalysisFilter(FilterSet):
    kind = CharFilter(help_text="What was looked for, such as “validation”", max_length=40)
    instrument = CharFilter(
        "version__instrument__code", help_text="A questionnaire, by its code", max_length=50
    )
    grain = ChoiceFilter(choices=GRAINS, help_text="How long the periods are")
    starts_on = IsoDateFilter(help_text="The first day of a period")
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    margin = MarginFilter(choices=MARGINS, help_text="All answers, or a part of them")
    margin_value = CharFilter(help_text="The channel or segment, by its code", max_length=50)
    status = ChoiceFilter(choices=STATUSES, help_text="Whether something was found, or why not")

    class Meta:
        model = Analysis
        fields: list[str] = []
        form = forms.Form
