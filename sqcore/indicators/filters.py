"""By what the catalogue can be filtered."""

from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.indicators.models import Indicator


class IndicatorFilter(FilterSet):
    source = CharFilter(help_text="Where values come from", max_length=60)
    direction = ChoiceFilter(choices=Indicator.Direction.choices, help_text="Which way is better")

    stage = ChoiceFilter(
        choices=Indicator.Stage.choices, help_text="The part of a service that it speaks of"
    )

    class Meta:
        model = Indicator
        fields: list[str] = []
