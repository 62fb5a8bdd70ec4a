"""By what standards can be filtered over REST. Nothing else is looked at."""

from django_filters import CharFilter, FilterSet

from improvement.standards.models import Standard


class StandardFilter(FilterSet):
    indicator = CharFilter(help_text="The code of an indicator", max_length=80)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    code = CharFilter(help_text="The code of the standard", max_length=50)

    class Meta:
        model = Standard
        fields: list[str] = []
