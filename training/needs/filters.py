"""By what training needs can be filtered over REST. Nothing else is looked at."""

from django_filters import CharFilter, ChoiceFilter, FilterSet

from training.needs.models import Need


class NeedFilter(FilterSet):
    staff = CharFilter("staff__number", help_text="A staff number", max_length=30)
    competency = CharFilter(
        "competency__code", help_text="A competency, by its code", max_length=50
    )
    course = CharFilter("course__code", help_text="A course, by its code", max_length=50)
    state = ChoiceFilter(choices=Need.State.choices, help_text="How the need stands")

    class Meta:
        model = Need
        fields: list[str] = []
