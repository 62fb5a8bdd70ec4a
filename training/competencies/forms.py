"""Forms of skills: the frame, what posts need, and what was seen of a person."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField, TranslatedTextField
from sqcore.org.models import Post
from training.competencies.models import Competency, Evidence, Level


def _day(label: Any, **options: Any) -> DayField:
    return DayField(
        label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **options
    )


def _in_use() -> Any:
    return Competency.objects.filter(is_active=True).order_by("position", "code")


class CompetencyForm(forms.Form):
    """What can be changed of a competency."""

    name = TranslatedTextField(label=_("Name"))
    description = TranslatedTextField(label=_("What it means at work"), required=False)
    measures = forms.CharField(
        label=_("What customers judge of it"),
        max_length=500,
        required=False,
        help_text=_("Keys such as servqual/empathy, with commas between them."),
    )
    position = forms.IntegerField(label=_("Order"), min_value=0, max_value=999, initial=0)
    is_active = forms.BooleanField(label=_("In use"), required=False, initial=True)

    def clean_measures(self) -> list[str]:
        return [part.strip() for part in self.cleaned_data["measures"].split(",") if part.strip()]


class NewCompetencyForm(CompetencyForm):
    code = forms.SlugField(
        label=_("Code"), max_length=50, help_text=_("Short, for programs; it never changes.")
    )
    field_order = ("code",)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if Competency.objects.filter(code=code).exists():
            raise forms.ValidationError(_("There is a competency with this code already."))
        return code


class RequiredForm(forms.Form):
    post = forms.ModelChoiceField(label=_("Post"), queryset=Post.objects.order_by("code"))
    competency = forms.ModelChoiceField(label=_("Competency"), queryset=Competency.objects.none())
    level = forms.TypedChoiceField(
        label=_("Level"),
        coerce=int,
        choices=[(0, _("None any more")), *Level.choices[1:]],
        initial=2,
    )
    valid_from = _day(_("From"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["competency"].queryset = _in_use()  # type: ignore[attr-defined]  # a field of models


class SelfForm(forms.Form):
    """What somebody says of themselves."""

    competency = forms.ModelChoiceField(label=_("Competency"), queryset=Competency.objects.none())
    level = forms.TypedChoiceField(label=_("Level"), coerce=int, choices=Level.choices)
    text = forms.CharField(
        label=_("An example"), max_length=500, required=False, widget=forms.Textarea({"rows": 2})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Beside other forms on one page its fields need ids of their own.
        super().__init__(*args, **{"auto_id": "skill-%s", **kwargs})
        self.fields["competency"].queryset = _in_use()  # type: ignore[attr-defined]  # a field of models

    @property
    def asked(self) -> Mapping[str, Any]:
        return {"kind": Evidence.Kind.SELF, **self.cleaned_data}


class AssessForm(SelfForm):
    """What somebody saw of another person."""

    text = forms.CharField(
        label=_("What you saw"),
        max_length=500,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("What the person did, when and where: not what you think of them."),
    )
    on = _day(_("Seen on"))
    expires_on = _day(
        _("Holds until"), required=False, help_text=_("Empty: until somebody looks again.")
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[
            (kind.value, kind.label)
            for kind in (Evidence.Kind.ASSESSMENT, Evidence.Kind.EXPERIENCE)
        ],
    )
    field_order = ("competency", "level", "kind", "text", "on", "expires_on")

    @property
    def asked(self) -> Mapping[str, Any]:
        return self.cleaned_data


class WithdrawForm(forms.Form):
    why = forms.CharField(label=_("Why it was wrong"), max_length=300)
