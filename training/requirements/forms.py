"""Forms of requirements: what is required of whom, and who need not."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField
from sqcore.org.models import Post, Unit
from training.courses.models import Course
from training.requirements.services import LONGEST_DAYS


def _day(label: Any, **options: Any) -> DayField:
    return DayField(
        label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **options
    )


class RequirementForm(forms.Form):
    """`units`: where the asker may require something; `anywhere` when that is everywhere."""

    course = forms.ModelChoiceField(
        Course.objects.filter(is_active=True).order_by("code"),
        label=_("Course"),
        to_field_name="code",
    )
    post = forms.ModelChoiceField(
        Post.objects.order_by("code"),
        label=_("Post"),
        to_field_name="code",
        required=False,
        empty_label=_("Any post"),
    )
    unit = forms.ModelChoiceField(
        Unit.objects.none(),
        label=_("Unit"),
        to_field_name="code",
        required=False,
        empty_label=_("Everywhere"),
        help_text=_("It holds for this unit and all below it."),
    )
    within_days = forms.IntegerField(
        label=_("Within days"),
        min_value=0,
        max_value=LONGEST_DAYS,
        initial=90,
        help_text=_("Counted from the day on which somebody comes under it."),
    )
    valid_from = _day(_("From"))
    reason = forms.CharField(label=_("Why"), max_length=300, required=False)

    def __init__(self, *args: Any, units: Any, anywhere: bool, **over: Any) -> None:
        super().__init__(*args, **over)
        unit = self.fields["unit"]
        unit.required = not anywhere
        if isinstance(unit, forms.ModelChoiceField):
            unit.queryset = units.order_by("code")


class EndForm(forms.Form):
    on = _day(_("From this day on it is required no longer"))


class WaiverForm(forms.Form):
    number = forms.CharField(label=_("Staff number"), max_length=30)
    course = forms.ModelChoiceField(
        Course.objects.order_by("code"), label=_("Course"), to_field_name="code"
    )
    reason = forms.CharField(label=_("Why"), max_length=500, widget=forms.Textarea({"rows": 3}))
    until = _day(
        _("Until"),
        required=False,
        help_text=_("On this day it is owed again. Empty: never again."),
    )


class FilterForm(forms.Form):
    name = forms.CharField(label=_("Name of this view"), max_length=80)
