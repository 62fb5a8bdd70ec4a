"""By what KPI values and runs can be filtered. Nothing else is looked at."""

from typing import Any

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.base.filters import Conditions
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.kpi_page import MARGINS, OVERALL
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.org.filters import IsoDateFilter
from sqcore.org.queries import fiscal_start


class PeriodFilter(Conditions):
    """One period by its key: 2026, 2026-Q2, 2026-05, 2026-W21 or 2026-05-17."""

    field_class = forms.CharField

    def conditions(self, value: str) -> dict[str, Any]:
        period = Period.parse(value, fiscal_start=fiscal_start())
        return {"grain": period.grain.value, "starts_on": period.start}


class MarginFilter(Conditions):
    """Over all answers, or those of one kind of part of them."""

    field_class = forms.ChoiceField

    def conditions(self, value: str) -> dict[str, Any]:
        return {"margin": "" if value == OVERALL else value}


class FlagFilter(Conditions):
    """true or false, in these words."""

    field_class = forms.ChoiceField

    def __init__(self, field_name: str, **options: Any) -> None:
        super().__init__(field_name, choices=[("true", "Yes"), ("false", "No")], **options)

    def conditions(self, value: str) -> dict[str, Any]:
        return {self.field_name: value == "true"}


class KpiFilter(FilterSet):
    system = CharFilter("system__code", help_text="An indicator system", max_length=50)
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    grain = ChoiceFilter(choices=Grain.choices, help_text="How long the periods are")
    period = PeriodFilter(help_text="One period, such as 2026-05 or 2026-Q2", max_length=10)
    since = IsoDateFilter("starts_on", "gte", help_text="Periods that start on this day or later")
    until = IsoDateFilter("starts_on", "lt", help_text="Periods that start before this day")
    kind = ChoiceFilter(choices=KpiValue.Kind.choices, help_text="The overall score, or its parts")
    code = CharFilter(help_text="An indicator, a dimension or “composite”", max_length=80)
    margin = MarginFilter(choices=MARGINS, help_text="Over all answers, or by a part of them")
    margin_value = CharFilter(help_text="The channel or segment, by its code", max_length=50)
    status = ChoiceFilter(choices=KpiValue.Status.choices, help_text="Whether there is a figure")

    class Meta:
        model = KpiValue
        fields: list[str] = []
        form = forms.Form


class RunFilter(FilterSet):
    system = CharFilter("system__code", help_text="An indicator system", max_length=50)
    grain = ChoiceFilter(choices=Grain.choices, help_text="How long the periods are")
    period = PeriodFilter(help_text="One period, such as 2026-05 or 2026-Q2", max_length=10)
    state = ChoiceFilter(choices=EvaluationRun.State.choices, help_text="Waiting or published")
    is_current = FlagFilter("is_current", help_text="Whether its figures are the ones shown")

    class Meta:
        model = EvaluationRun
        fields: list[str] = []
        form = forms.Form
