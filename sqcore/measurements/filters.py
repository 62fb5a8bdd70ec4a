"""By what measurements and machines can be filtered over REST."""

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.measurements.models import Equipment, Measure, Observation
from sqcore.org.filters import IsoDateFilter


class MeasureFilter(FilterSet):
    kind = ChoiceFilter(choices=Measure.Kind.choices, help_text="What its numbers are")
    every = ChoiceFilter(
        choices=[choice for choice in Measure.Every.choices if choice[0]],
        help_text="How often it comes",
    )

    class Meta:
        model = Measure
        fields: list[str] = []
        form = forms.Form


class ObservationFilter(FilterSet):
    measure = CharFilter("measure__code", help_text="The measure; needed", max_length=80)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    since = IsoDateFilter("starts_on", "gte", help_text="Periods that start on this day or later")
    until = IsoDateFilter("starts_on", "lt", help_text="Periods that start before this day")
    known_at = CharFilter(
        help_text="What was known at this moment, such as 2026-05-17T09:30:00Z; default now",
        max_length=40,
    )

    class Meta:
        model = Observation
        fields: list[str] = []
        form = forms.Form


class EquipmentFilter(FilterSet):
    kind = CharFilter(help_text="Only machines of this kind", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)

    class Meta:
        model = Equipment
        fields: list[str] = []
        form = forms.Form
