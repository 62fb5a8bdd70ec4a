"""The form for a new token."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.base.text import in_language
from sqcore.identity.permissions import TOKEN_PERMISSIONS, Permission
from sqcore.org.models import Unit

LIVES = [
    (30, _("30 days")),
    (90, _("90 days")),
    (180, _("half a year")),
    (365, _("one year")),
]


if TYPE_CHECKING:
    ModelField = forms.ModelMultipleChoiceField[Unit]
else:
    ModelField = forms.ModelMultipleChoiceField


class UnitsField(ModelField):
    def label_from_instance(self, unit: Any) -> str:
        return f"{in_language(unit.name)} ({unit.code})"


class TokenForm(forms.Form):
    """What the token is for, what it may do, where, and for how long."""

    name = forms.CharField(
        label=_("What it is for"),
        max_length=100,
        help_text=_("The system that will use it, such as “Data warehouse, nightly”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    permissions = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=[(p.value, p.label) for p in Permission if p in TOKEN_PERMISSIONS],
        widget=forms.CheckboxSelectMultiple,
    )
    units = UnitsField(
        label=_("Only for these units and all below them"),
        queryset=Unit.objects.none(),
        required=False,
        help_text=_(
            "Choose none for the whole organisation. A token that sees staff needs at least one."
        ),
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )
    days = forms.TypedChoiceField(label=_("Expires after"), choices=LIVES, coerce=int, initial=90)

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        self.fields["units"].queryset = Unit.objects.order_by("code")  # type: ignore[attr-defined]  # a UnitsField

    def asked(self) -> dict[str, Any]:
        """Return what `make_token` takes."""
        return {
            "name": self.cleaned_data["name"],
            "permissions": [Permission(code) for code in self.cleaned_data["permissions"]],
            "units": list(self.cleaned_data["units"]),
            "expires_at": self.now + timedelta(days=self.cleaned_data["days"]),
        }

    def show(self, error: DomainError) -> None:
        """Put what the domain refused beside the fields."""
        if not error.problems:
            self.add_error(None, error.message)
        for problem in error.problems:
            field = {"expires_at": "days"}.get(problem.field, problem.field)
            self.add_error(field if field in self.fields else None, problem.reason)
