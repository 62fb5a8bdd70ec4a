"""By what encounters can be filtered over REST."""

from django import forms
from django_filters import CharFilter, FilterSet

from sqcore.encounters.models import Encounter
from sqcore.org.filters import IsoDateFilter


class EncounterFilter(FilterSet):
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    channel = CharFilter("channel__code", help_text="A channel, by its code", max_length=50)
    segment = CharFilter("segment__code", help_text="A segment, by its code", max_length=50)
    service = CharFilter("service__code", help_text="A service, by its code", max_length=50)
    key = CharFilter(help_text="The sender's own key", max_length=80)
    since = IsoDateFilter("on", "gte", help_text="On this day or later")
    until = IsoDateFilter("on", "lt", help_text="Before this day")

    class Meta:
        model = Encounter
        fields: list[str] = []
        form = forms.Form


class ProcessMapFilter(FilterSet):
    unit = CharFilter(help_text="A unit with all below it; default all", max_length=50)
    period = CharFilter(
        help_text="One period, such as 2026-05, 2026-Q2 or 2026-W21; default the newest month"
        " that is over",
        max_length=10,
    )
    channel = CharFilter(help_text="A channel, by its code", max_length=50)
    segment = CharFilter(help_text="A segment, by its code", max_length=50)
    service = CharFilter(help_text="A service, by its code", max_length=50)

    class Meta:
        model = Encounter
        fields: list[str] = []
        form = forms.Form
