"""What is asked to register a study and to end it."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.errors import DomainError
from sqcore.base.forms import DayField
from sqcore.base.text import in_language
from sqcore.performance.sources import PersonMeasure
from training.courses.models import Session
from training.effect.models import Study

ENDS = ("selected", "before", "after")


def _day(label: Any, **options: Any) -> DayField:
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return DayField(label=label, widget=widget, **options)


class StudyForm(forms.Form):
    """A study before its results are in. People name the last day, the house the day after it."""

    code = forms.SlugField(
        label=lazy("Code"), max_length=60, help_text=lazy("Its short name, such as listening-2026.")
    )
    measure = forms.ChoiceField(label=lazy("Judged by"), choices=())
    minimum = forms.FloatField(
        label=lazy("Least effect that counts"),
        help_text=lazy("On the scale of the questions. A smaller effect is not worth the course."),
    )
    pool = forms.ChoiceField(
        label=lazy("Who is compared"),
        choices=Study.Pool.choices,
        help_text=lazy(
            "Of those who were judged lowest half are drawn by lot to be trained; the others are "
            "what they are compared with."
        ),
    )
    size = forms.IntegerField(
        label=lazy("People in the pool"),
        min_value=1,
        max_value=100_000,
        required=False,
        help_text=lazy("A third of all who were judged, unless you say how many."),
    )
    selected_from = _day(lazy("Judged lowest, from"), required=False)
    selected_last = _day(
        lazy("Judged lowest, last day"),
        required=False,
        help_text=lazy("For the waiting list leave both empty."),
    )
    before_from = _day(lazy("Before the training, from"))
    before_last = _day(lazy("Before the training, last day"))
    after_from = _day(lazy("After the training, from"))
    after_last = _day(lazy("After the training, last day"))

    def __init__(self, *args: Any, measures: list[PersonMeasure], **options: Any) -> None:
        super().__init__(*args, **options)
        offered = [(each.key, in_language(dict(each.name))) for each in measures]
        self.fields["measure"].choices = offered  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def asked(self) -> dict[str, Any]:
        """What the service takes; windows half-open."""
        told = dict(self.cleaned_data)
        for name in ENDS:
            last: date | None = told.pop(f"{name}_last")
            told[f"{name}_to"] = last and last + timedelta(days=1)
        if told["pool"] == Study.Pool.WAITING:
            told["selected_from"] = told["selected_to"] = None
        return told

    def refuse(self, refusal: DomainError) -> None:
        """Say what the service found wrong, beside its field."""
        names = {f"{name}_to": f"{name}_last" for name in ENDS}
        for problem in refusal.problems:
            name = names.get(problem.field, problem.field)
            self.add_error(name if name in self.fields else None, problem.reason)
        if not refusal.problems:
            self.add_error(None, refusal.message)


class EnrolForm(forms.Form):
    """Into which session those are enrolled who were drawn."""

    session = forms.TypedChoiceField(label=lazy("Session"), coerce=int, choices=())

    def __init__(self, *args: Any, sessions: Iterable[Session], **options: Any) -> None:
        super().__init__(*args, **options)
        offered = [(each.pk, f"{each.starts_on:%Y-%m-%d} · {each.code}") for each in sessions]
        self.fields["session"].choices = offered  # type: ignore[attr-defined]  # a ChoiceField


class AbandonForm(forms.Form):
    why = forms.CharField(
        label=lazy("Why it is given up"),
        max_length=300,
        help_text=lazy("It stays in the list with this reason."),
    )
