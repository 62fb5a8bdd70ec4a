"""What a diagnosis can be asked for over REST."""

from django import forms
from django_filters import CharFilter, FilterSet

from sqcore.evaluation.models import EvaluationRun


class DiagnosisFilter(FilterSet):
    system = CharFilter(
        help_text="An indicator system, by its code; default the first with results", max_length=50
    )
    period = CharFilter(
        help_text="A closed period, such as 2026-05 or 2026-Q2; default the newest quarter",
        max_length=10,
    )

    class Meta:
        model = EvaluationRun
        fields: list[str] = []
        form = forms.Form
