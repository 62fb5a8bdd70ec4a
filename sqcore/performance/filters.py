"""By what results of people can be asked for over REST. Nothing else is looked at."""

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.performance.models import StaffResult


class PeopleResultFilter(FilterSet):
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    post = CharFilter("post__code", help_text="A post, by its code", max_length=50)
    staff = CharFilter("staff__number", help_text="Somebody, by staff number", max_length=30)
    measure = CharFilter(help_text="A measure, such as servqual/overall", max_length=80)
    verdict = ChoiceFilter(choices=StaffResult.Verdict.choices, help_text="Only this verdict")
    gate = ChoiceFilter(choices=StaffResult.Gate.choices, help_text="What it may be used for")

    class Meta:
        model = StaffResult
        fields: list[str] = []
        form = forms.Form
