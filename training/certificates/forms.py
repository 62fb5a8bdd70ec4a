"""Forms of certificates: the filter of the list, closing, revoking, claiming and deciding."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from training.certificates.files import LARGEST
from training.certificates.models import Standing
from training.courses.forms import MoneyField, StaffNumberField, day_field

Choices = Sequence[tuple[str, str]]


class CertificateFilter(forms.Form):
    """What the list is filtered by; what cannot be meant filters nothing."""

    text = forms.CharField(max_length=100, required=False)
    course = forms.CharField(max_length=50, required=False)
    unit = forms.CharField(max_length=50, required=False)
    standing = forms.ChoiceField(choices=Standing.choices, required=False)

    def asked(self) -> dict[str, str]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


class CloseForm(forms.Form):
    actual_cost = MoneyField(
        label=_("What it cost"), required=False, help_text=_("Empty: not known yet.")
    )


class RevokeForm(forms.Form):
    why = forms.CharField(
        label=_("Why"),
        max_length=300,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("The person reads this."),
    )


class ClaimForm(forms.Form):
    staff = StaffNumberField(
        label=_("Staff number"), required=False, help_text=_("Empty: your own training.")
    )
    title = forms.CharField(label=_("What was learnt"), max_length=200)
    course = forms.ChoiceField(
        label=_("It stands for the course"),
        required=False,
        choices=(),
        help_text=_("Where it does what a course of the house does; who decides may change it."),
    )
    provider = forms.CharField(label=_("Where"), max_length=150)
    ended_on = day_field(_("Last day"))
    minutes = forms.IntegerField(label=_("Minutes"), min_value=1, max_value=1_000_000)
    cost = MoneyField(label=_("What it cost"), required=False)
    evidence = forms.FileField(
        label=_("Evidence"),
        required=False,
        help_text=_("A certificate or confirmation: PDF, PNG, JPEG or WebP, 10 MB at the most."),
    )

    def __init__(self, *args: Any, courses: Choices, for_others: bool, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.fields["course"].choices = [("", _("none of them")), *courses]  # type: ignore[attr-defined]  # it is a choice field
        if not for_others:
            del self.fields["staff"]

    def clean_evidence(self) -> Any:
        file = self.cleaned_data["evidence"]
        if file is not None and (file.size or 0) > LARGEST:
            raise forms.ValidationError(
                _("The file is larger than %(most)d MB. Attach a smaller one."),
                params={"most": LARGEST // (1024 * 1024)},
            )
        return file


class DecideForm(forms.Form):
    course = forms.ChoiceField(
        label=_("It counts as the course"),
        required=False,
        choices=(),
        help_text=_("Then it also gives its certificate."),
    )
    why = forms.CharField(
        label=_("Reason"),
        max_length=300,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("Needed when it is not accepted; the person reads it."),
    )

    def __init__(self, *args: Any, courses: Choices, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.fields["course"].choices = [("", _("none of them")), *courses]  # type: ignore[attr-defined]  # it is a choice field
