"""By what the lists of the organisation can be filtered."""

from typing import Any

from django import forms
from django_filters import CharFilter, DateFilter, FilterSet

from sqcore.org.models import Staff, Unit


class IsoDateFilter(DateFilter):
    """A date in one notation, 2026-05-17, whatever the language of the request."""

    def __init__(self, *names: str, **options: Any) -> None:
        super().__init__(*names, input_formats=["%Y-%m-%d"], **options)


class UnitFilter(FilterSet):
    on = IsoDateFilter(help_text="The day whose tree is shown; default today")
    kind = CharFilter(help_text="Only units of this kind", max_length=30)

    class Meta:
        model = Unit
        fields: list[str] = []
        form = forms.Form


class StaffFilter(FilterSet):
    on = IsoDateFilter(help_text="The day whose assignments are shown; default today")
    unit = CharFilter(help_text="Only who is assigned to this unit, by its code", max_length=50)

    class Meta:
        model = Staff
        fields: list[str] = []
        form = forms.Form
