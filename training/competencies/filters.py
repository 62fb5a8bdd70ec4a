"""By what evidence of skills can be filtered over REST. Nothing else is looked at."""

from django_filters import CharFilter, ChoiceFilter, DateFilter, FilterSet

from training.competencies.models import Evidence


class EvidenceFilter(FilterSet):
    staff = CharFilter("staff__number", help_text="A staff number", max_length=30)
    competency = CharFilter(
        "competency__code", help_text="A competency, by its code", max_length=50
    )
    kind = ChoiceFilter(
        choices=[each for each in Evidence.Kind.choices if each[0] != Evidence.Kind.SELF.value],
        help_text="What kind of evidence it is",
    )
    since = DateFilter("on", lookup_expr="gte", help_text="Seen on this day or later")

    class Meta:
        model = Evidence
        fields: list[str] = []
