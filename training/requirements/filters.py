"""By what requirements and obligations can be filtered over REST. Nothing else is looked at."""

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.org.filters import IsoDateFilter
from training.requirements.models import Obligation, Requirement


class RequirementFilter(FilterSet):
    course = CharFilter("course__code", help_text="A course, by its code", max_length=50)
    post = CharFilter("post__code", help_text="A post, by its code", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)

    class Meta:
        model = Requirement
        fields: list[str] = []
        form = forms.Form


class ObligationFilter(FilterSet):
    staff = CharFilter("staff__number", help_text="A person, by staff number", max_length=30)
    course = CharFilter("course__code", help_text="A course, by its code", max_length=50)
    state = ChoiceFilter(choices=Obligation.State.choices, help_text="How it stands")
    due_before = IsoDateFilter("due_on", "lt", help_text="Due before this day")
    ends_before = IsoDateFilter("holds_until", "lt", help_text="Met until before this day")

    class Meta:
        model = Obligation
        fields: list[str] = []
        form = forms.Form
