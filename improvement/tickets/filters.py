"""By what tickets can be filtered. Nothing else is looked at."""

from typing import Any

from django import forms
from django_filters import CharFilter, ChoiceFilter, FilterSet

from improvement.tickets.models import PHASE_OF, Phase, Severity, State, Ticket
from sqcore.base.filters import Conditions


class PhaseFilter(Conditions):
    """All states of one column of the board."""

    field_class = forms.ChoiceField

    def conditions(self, value: str) -> dict[str, Any]:
        return {"state__in": [state.value for state, phase in PHASE_OF.items() if phase == value]}


class TicketFilter(FilterSet):
    state = ChoiceFilter(choices=State.choices, help_text="What it waits for")
    phase = PhaseFilter(choices=Phase.choices, help_text="The column of the board")
    unit = CharFilter("unit__code", help_text="A unit, by its code", max_length=50)
    indicator = CharFilter("code", help_text="An indicator, by its code", max_length=80)
    severity = ChoiceFilter(choices=Severity.choices, help_text="1 is the gravest")

    class Meta:
        model = Ticket
        fields: list[str] = []
        form = forms.Form
