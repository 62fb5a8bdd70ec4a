"""The form for a new webhook."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.webhooks.queries import TITLES


class WebhookForm(forms.Form):
    """Who is told, at which address, of what."""

    name = forms.CharField(
        label=_("Who is told"),
        max_length=100,
        help_text=_("The system that receives it, such as “Service desk”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    url = forms.URLField(
        label=_("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=_("It begins with https:// and is not in a private network."),
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Of what"),
        choices=[(event.kind, title) for event, title in TITLES.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    def asked(self) -> dict[str, Any]:
        """Return what `make_webhook` takes."""
        return {name: self.cleaned_data[name] for name in ("name", "url", "kinds")}

    def show(self, error: DomainError) -> None:
        """Put what the domain refused beside the fields."""
        if not error.problems:
            self.add_error(None, error.message)
        for problem in error.problems:
            self.add_error(problem.field if problem.field in self.fields else None, problem.reason)
