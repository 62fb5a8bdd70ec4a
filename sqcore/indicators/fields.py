"""What forms of Set-up share: a name in each language, numbers, and where a refusal is told."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.base.text import TranslatedText

LANGUAGES = [code for code, _name in settings.LANGUAGES]


class Day(forms.DateInput):
    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")


def number_field(**over: Any) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"})
    return forms.FloatField(widget=widget, **over)


def line_fields(key: str, label: str, *, length: int, optional: bool) -> dict[str, forms.Field]:
    """One line for each language."""
    return {
        f"{key}_{code}": forms.CharField(
            label=label % {"language": name},
            max_length=length,
            required=False,
            widget=forms.TextInput(attrs={"lang": code}),
            help_text=_("One language is enough.") if at == 0 and not optional else "",
        )
        for at, (code, name) in enumerate(settings.LANGUAGES)
    }


class NamedForm(forms.Form):
    """A form that begins with a name in each language."""

    def __init__(self, *args: Any, name: TranslatedText | None = None, **over: Any) -> None:
        super().__init__(*args, **over)
        self.fields = (
            line_fields("name", str(_("Name, in %(language)s")), length=100, optional=False)
            | self.fields
        )
        for language, text in (name or {}).items():
            if f"name_{language}" in self.fields:
                self.fields[f"name_{language}"].initial = text

    def text(self, key: str) -> TranslatedText:
        """Return what was written under this key, by language."""
        found = {code: self.cleaned_data.get(f"{key}_{code}", "") for code in LANGUAGES}
        return {code: text for code, text in found.items() if text}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.text("name"):
            self.add_error(f"name_{LANGUAGES[0]}", _("Give a name in at least one language."))
        return cleaned

    def chosen_code(self, otherwise: str) -> str:
        """Return the code that was given, or one made of the English name."""
        given: str = self.cleaned_data.get("code", "")
        return given or slugify(self.cleaned_data.get("name_en", ""))[:50] or otherwise


def tell(form: forms.Form, refusal: DomainError) -> None:
    """Put a refusal beside the fields that it is about, else above the form."""
    placed = False
    for problem in refusal.problems:
        if problem.field in form.fields:
            form.add_error(problem.field, problem.reason)
            placed = True
    if not placed:
        form.add_error(None, refusal.message)
        for problem in refusal.problems:
            if problem.reason != refusal.message:
                form.add_error(None, str(problem))
