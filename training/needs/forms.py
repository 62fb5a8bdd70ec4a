"""Forms of training needs: asking for training, dismissing, taking the list along."""

from typing import Any

from django import forms
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from training.competencies.models import Competency
from training.courses.models import Course


class Purpose(TextChoices):
    """What a list of needs may be taken along for. There is no other purpose."""

    PLANNING = "planning", _("Planning courses and sessions")
    BUDGET = "budget", _("Budget of training")
    TALK = "talk", _("Talk about development")


class AskForm(forms.Form):
    """What somebody wants to learn, or should."""

    subject = forms.ChoiceField(label=_("What"), choices=())
    text = forms.CharField(label=_("What for"), max_length=500, widget=forms.Textarea({"rows": 2}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Beside other forms on one page its fields need ids of their own.
        super().__init__(*args, **{"auto_id": "need-%s", **kwargs})
        skills = Competency.objects.filter(is_active=True).order_by("position", "code")
        courses = Course.objects.filter(is_active=True).order_by("code")
        self.fields["subject"].choices = [  # type: ignore[attr-defined]  # a field of choices
            (_("Competencies"), [(f"competency:{each.code}", str(each)) for each in skills]),
            (_("Courses"), [(f"course:{each.code}", str(each)) for each in courses]),
        ]

    @property
    def asked(self) -> dict[str, Any]:
        kind, _colon, code = self.cleaned_data["subject"].partition(":")
        model: Any = Competency if kind == "competency" else Course
        found = model.objects.get(code=code)
        return {kind: found, "text": self.cleaned_data["text"]}


class DismissForm(forms.Form):
    why = forms.CharField(
        label=_("Why no training is needed"), max_length=300, widget=forms.Textarea({"rows": 2})
    )
