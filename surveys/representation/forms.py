"""The forms of populations and weighings."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError, Problem
from sqcore.base.forms import DayField
from sqcore.base.periods import Period, title_of
from surveys.representation.importers import Figures, read_file, read_lines
from surveys.representation.margins import MARGINS
from surveys.representation.models import Population

LINES = 20_000


class PopulationForm(forms.Form):
    """How many customers there are, typed or out of a file."""

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Such as “Customers, end of 2025”.")
    )
    source = forms.CharField(
        label=_("Source"),
        max_length=200,
        help_text=_("Where the figures come from, so that somebody else finds them."),
    )
    stated_on = DayField(
        label=_("As of"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    unit = forms.CharField(
        label=_("Units"),
        required=False,
        max_length=LINES,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("A line each: code and number. A unit stands for all below it."),
    )
    channel = forms.CharField(
        label=_("Channels"),
        required=False,
        max_length=LINES,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("A line each: code and number of customers, or share."),
    )
    segment = forms.CharField(
        label=_("Segments"),
        required=False,
        max_length=LINES,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("A line each: code and number of customers, or share."),
    )
    unit_by_channel = forms.CharField(
        label=_("Units by channel"),
        required=False,
        max_length=LINES,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("If you know how they cross: a line each, such as “north+counter 1200”."),
    )
    unit_by_segment = forms.CharField(
        label=_("Units by segment"),
        required=False,
        max_length=LINES,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("If you know how they cross: a line each, such as “north+private 1200”."),
    )
    file = forms.FileField(
        label=_("Or a file"),
        required=False,
        help_text=_(
            "CSV in UTF-8 with the columns margin, code, number. A margin is unit, channel, "
            "segment, unit+channel or unit+segment; a code of the last two is such as "
            "north+counter."
        ),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        figures: Figures = {}
        for margin in MARGINS:
            field = margin.replace("+", "_by_")
            try:
                figures |= read_lines(data.get(field) or "", margin)
            except DomainError as refusal:
                self.show(refusal.problems, field)
        if data.get("file"):
            if figures:
                self.add_error("file", _("Give the figures in lines or in a file, not both."))
            try:
                figures = read_file(data["file"].read())
            except DomainError as refusal:
                self.add_error("file", refusal.message)
                self.show(refusal.problems, "file")
        data["figures"] = figures
        return data

    def show(self, problems: Sequence[Problem], field: str | None = None) -> None:
        for problem in problems:
            self.add_error(field, str(problem))

    def population(self) -> dict[str, Any]:
        data = self.cleaned_data
        is_file = bool(data.get("file"))
        return {
            "name": data["name"],
            "source": data["source"],
            "stated_on": data["stated_on"],
            "figures": data["figures"],
            "origin": Population.Origin.FILE if is_file else Population.Origin.TYPED,
        }


class PeriodForm(forms.Form):
    """A closed quarter or year."""

    def __init__(self, *args: Any, periods: Sequence[Period], **options: Any) -> None:
        super().__init__(*args, **options)
        self.periods = {period.key: period for period in periods}
        self.options = [(key, title_of(period)) for key, period in self.periods.items()]
        self.fields["period"] = forms.ChoiceField(label=_("Period"), choices=self.options)

    def chosen(self) -> Period:
        return self.periods[self.cleaned_data["period"]]


class WeighingForm(PeriodForm):
    """Which answers are weighed, by which population."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        known = Population.objects.order_by("-stated_on", "-id")
        self.fields["population"] = forms.ModelChoiceField(known, label=_("Population"))
