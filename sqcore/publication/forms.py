"""Forms of goals and of the screening."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Period, title_of
from sqcore.base.text import TranslatedText, in_language
from sqcore.indicators.models import Dimension, Indicator, SystemVersion
from sqcore.publication.models import Candidate, Rating
from sqcore.publication.services import CRITERIA

QUESTIONS = {
    "important": (_("Important"), _("It speaks of what a goal is about.")),
    "operable": (_("Operable"), _("There is a source, and it has data.")),
    "consistent": (_("Consistent"), _("Its unit and definition are the same everywhere.")),
    "complete": (_("Complete"), _("With the others nothing that matters is left out.")),
    "dynamic": (_("Dynamic"), _("It moves when the service changes.")),
}


class InLanguages(forms.Form):
    """A text in each language; one is enough."""

    def __init__(
        self, *args: Any, label: str, text: TranslatedText | None = None, **over: Any
    ) -> None:
        super().__init__(*args, **over)
        lines = {
            f"text_{code}": forms.CharField(
                label=label % {"language": name},
                max_length=200,
                required=False,
                initial=(text or {}).get(code, ""),
                widget=forms.TextInput(attrs={"lang": code}),
            )
            for code, name in settings.LANGUAGES
        }
        self.fields = lines | self.fields

    def text(self) -> TranslatedText:
        found = {code: self.cleaned_data.get(f"text_{code}", "") for code, _n in settings.LANGUAGES}
        return {code: text for code, text in found.items() if text}


class GoalForm(InLanguages):
    dimension = forms.ChoiceField(
        label=_("Served by"), required=False, help_text=_("The dimension that answers it.")
    )

    def __init__(self, *args: Any, version: SystemVersion, **over: Any) -> None:
        super().__init__(*args, label=str(_("Goal, in %(language)s")), **over)
        found = Dimension.objects.filter(version=version).order_by("position", "code")
        choices = [("", _("None yet")), *((each.code, in_language(each.name)) for each in found)]
        self.fields["dimension"].choices = choices  # type: ignore[attr-defined]  # a choice field

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.text():
            first = next(code for code, _name in settings.LANGUAGES)
            self.add_error(f"text_{first}", _("Say it in at least one language."))
        return cleaned


class CandidateForm(InLanguages):
    indicator = forms.ChoiceField(label=_("Indicator of the catalogue"), required=False)

    def __init__(self, *args: Any, version: SystemVersion, **over: Any) -> None:
        label = str(_("Or one that is proposed, in %(language)s"))
        super().__init__(*args, label=label, **over)
        free = Indicator.objects.exclude(candidacies__version=version).order_by("code")
        choices = [("", _("None")), *((each.code, in_language(each.name)) for each in free)]
        self.fields["indicator"].choices = choices  # type: ignore[attr-defined]  # a choice field
        self.order_fields(["indicator"])


class PeriodForm(forms.Form):
    """Which closed period is evaluated anew: of each grain of the version the newest."""

    period = forms.ChoiceField(label=_("Closed period"))

    def __init__(self, *args: Any, periods: Sequence[Period], **over: Any) -> None:
        super().__init__(*args, **over)
        groups: dict[str, list[tuple[str, str]]] = {}
        for each in periods:
            groups.setdefault(str(each.grain.label), []).append((each.key, title_of(each)))
        choices = [("", _("Choose a period")), *groups.items()]
        self.fields["period"].choices = choices  # type: ignore[attr-defined]  # a choice field
        self.periods = {each.key: each for each in periods}

    @property
    def chosen(self) -> Period:
        return self.periods[self.cleaned_data["period"]]


class RatingForm(forms.Form):
    """Five criteria from 1 to 5."""

    def __init__(self, *args: Any, own: Rating | None = None, **over: Any) -> None:
        super().__init__(*args, **over)
        for name in CRITERIA:
            label, asked = QUESTIONS[name]
            self.fields[name] = forms.TypedChoiceField(
                label=label,
                help_text=asked,
                coerce=int,
                choices=[("", "–"), *((n, str(n)) for n in range(1, 6))],
                initial=getattr(own, name, ""),
            )


class DecisionForm(forms.Form):
    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[
            (Candidate.Decision.KEEP.value, _("Keep it")),
            (Candidate.Decision.DROP.value, _("Drop it")),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label=_("Why"), max_length=300)
