"""By what studies can be filtered over REST. Nothing else is looked at."""

from django_filters import CharFilter, ChoiceFilter, FilterSet

from training.effect.models import Study


class StudyFilter(FilterSet):
    course = CharFilter("course__code", help_text="A course, by its code", max_length=50)
    state = ChoiceFilter(choices=Study.State.choices, help_text="How far it is")
    verdict = ChoiceFilter(choices=Study.Verdict.choices, help_text="What came out")

    class Meta:
        model = Study
        fields: list[str] = []
