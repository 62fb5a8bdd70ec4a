"""Disputes, their decisions, new rules, and what can be asked of the list of people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.forms import DayField
from sqcore.indicators.models import Indicator
from sqcore.performance.models import Dispute, ResultsPolicy, StaffResult


def _lines(rows: int) -> forms.Textarea:
    return forms.Textarea({"rows": rows})


class DisputeForm(forms.Form):
    """Why an encounter must not count."""

    reason = forms.ChoiceField(
        label=lazy("Reason"), choices=Dispute.Reason.choices, widget=forms.RadioSelect
    )
    text = forms.CharField(
        label=lazy("What happened"),
        max_length=1000,
        required=False,
        widget=_lines(4),
        help_text=lazy("Whoever decides reads it. Name no customer."),
    )


class RowForm(forms.Form):
    """A button beside a row: which row it is."""

    row = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


class DecisionForm(forms.Form):
    """Whether a dispute is upheld, and why; hours only where something was down."""

    outcome = forms.ChoiceField(
        label=lazy("Decision"),
        choices=[
            ("uphold", lazy("Uphold it: the encounter does not count")),
            ("reject", lazy("Reject it: the encounter counts")),
        ],
        widget=forms.RadioSelect,
    )
    outage_from = forms.DateTimeField(
        label=lazy("Down from"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    outage_to = forms.DateTimeField(
        label=lazy("Down until"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=lazy("All encounters at the unit in these hours then count for nobody."),
    )
    decision = forms.CharField(
        label=lazy("Why"),
        max_length=1000,
        widget=_lines(3),
        help_text=lazy("The person reads it."),
    )

    def __init__(self, *args: Any, with_outage: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not with_outage:
            del self.fields["outage_from"], self.fields["outage_to"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("outage_from"), cleaned.get("outage_to")
        if first and last and last <= first:
            self.add_error("outage_to", _("The end is not after the beginning."))
        return cleaned

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments of the decision."""
        told = self.cleaned_data
        upheld = told["outcome"] == "uphold"
        return {
            "uphold": upheld,
            "decision": told["decision"],
            "outage_from": told.get("outage_from") if upheld else None,
            "outage_to": told.get("outage_to") if upheld else None,
        }


class ReversalForm(forms.Form):
    """Why a decision is taken back."""

    why = forms.CharField(label=lazy("Why"), max_length=1000, widget=_lines(2))


class PolicyForm(forms.Form):
    """A new version of the rules; the floors are those of the house."""

    valid_from = DayField(
        label=lazy("In force from"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=lazy("The first run after this day follows them; earlier results stay."),
    )
    smallest_difference = forms.FloatField(
        label=lazy("Smallest difference that matters"),
        min_value=0.01,
        help_text=lazy("In points of the answers."),
    )
    certainty = forms.FloatField(
        label=lazy("Certainty of a verdict"),
        min_value=0.9,
        max_value=0.9999,
        help_text=lazy("A probability, at least 0.9."),
    )
    smallest_n = forms.IntegerField(label=lazy("Fewest answers of a verdict"), min_value=30)
    coaching_reliability = forms.FloatField(
        label=lazy("Reliability for coaching"), min_value=0.7, max_value=1
    )
    pay_reliability = forms.FloatField(
        label=lazy("Reliability for pay"), min_value=0.8, max_value=1
    )
    window_months = forms.IntegerField(
        label=lazy("Months of the window"), min_value=12, max_value=60
    )
    fewest_peers = forms.IntegerField(
        label=lazy("Fewest people of a comparison group at the unit, all counted"), min_value=8
    )
    dispute_days = forms.IntegerField(
        label=lazy("Days to decide a dispute"), min_value=1, max_value=90
    )
    batch = forms.IntegerField(
        label=lazy("Answers shown to a person at once, at least"), min_value=5
    )
    delay_days = forms.IntegerField(
        label=lazy("Days before a person is shown answers"), min_value=0, max_value=365
    )
    freezing = forms.ModelMultipleChoiceField(
        label=lazy("Indicators whose signals freeze verdicts"),
        queryset=Indicator.objects.order_by("code"),
        to_field_name="code",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=lazy(
            "While a unit has an open signal on one of these, its people get no verdict."
        ),
    )
    reason = forms.CharField(label=lazy("Reason"), max_length=300)

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments of a new version."""
        told = dict(self.cleaned_data)
        told["freezing"] = [indicator.code for indicator in told["freezing"]]
        return told


def policy_form(policy: ResultsPolicy | None) -> PolicyForm:
    """Return the form with the rules that are in force."""
    known = policy or ResultsPolicy()
    skipped = {"valid_from", "reason"}
    names = [name for name in PolicyForm.base_fields if name not in skipped]
    return PolicyForm(initial={name: getattr(known, name) for name in names})


@dataclass(frozen=True)
class AskedPeople:
    """Which people, by which measure; there is no order but by unit and by name."""

    measure: str = ""
    unit: str = ""
    post: str = ""
    verdict: str = ""
    name: str = ""
    by: str = ""


class PeopleFilter(forms.Form):
    measure = forms.CharField(max_length=80, required=False)
    unit = forms.SlugField(max_length=50, required=False)
    post = forms.SlugField(max_length=50, required=False)
    verdict = forms.ChoiceField(choices=StaffResult.Verdict.choices, required=False)
    name = forms.CharField(max_length=100, required=False)
    by = forms.ChoiceField(choices=[("unit", "unit"), ("name", "name")], required=False)


class PlaceFilter(forms.Form):
    before = forms.IntegerField(min_value=1, required=False)


def asked_people(query: Mapping[str, str]) -> AskedPeople:
    """Return what an address asks for, without what it asks wrongly."""
    form = PeopleFilter(query)
    form.is_valid()
    return AskedPeople(**form.cleaned_data)


def asked_place(query: Mapping[str, str]) -> int | None:
    """Return from where on a list goes on."""
    form = PlaceFilter(query)
    form.is_valid()
    found: int | None = form.cleaned_data.get("before")
    return found
