"""The forms of weighting: shares of parts, and how experts are combined."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.stats.ahp import USUAL, Aggregation, Prioritisation, RandomIndices
from sqcore.weighting.methods import exact_shares
from sqcore.weighting.queries import Expert, Group, Weighting

TENTH = Decimal("0.1")
AGGREGATIONS = [
    (Aggregation.JUDGEMENTS.value, _("Judgements first: one body of experts (AIJ)")),
    (Aggregation.PRIORITIES.value, _("Weights of each: separate persons (AIP)")),
]
PRIORITISATIONS = [
    (Prioritisation.EIGENVECTOR.value, _("Principal eigenvector (Saaty)")),
    (Prioritisation.GEOMETRIC_MEAN.value, _("Geometric mean (least squares)")),
]
INDICES = [
    (RandomIndices.SAATY.value, _("Saaty's table")),
    (RandomIndices.ALONSO_LAMATA.value, _("Fit of Alonso and Lamata")),
]


class _DomainForm(forms.Form):
    def show(self, refusal: DomainError) -> None:
        """Put what the domain refused beside the fields."""
        if not refusal.problems:
            self.add_error(None, refusal.message)
        for problem in refusal.problems:
            self.add_error(problem.field if problem.field in self.fields else None, problem.reason)


class SharesForm(_DomainForm):
    """One share in percent for each part; 0 is only watched."""

    def __init__(self, *args: Any, group: Group, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for each in group.siblings:
            self.fields[each.code] = forms.DecimalField(
                label=each.name,
                min_value=0,
                max_value=100,
                max_digits=9,
                decimal_places=6,
                widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
            )

    @property
    def total(self) -> Decimal:
        """The sum of what stands in the fields now."""
        return sum((self._number(name) for name in self.fields), Decimal(0))

    def shares(self) -> dict[str, str]:
        """Return what `choose_method` takes as shares."""
        return {name: str(self.cleaned_data[name]) for name in self.fields}

    def scaled(self) -> dict[str, Decimal]:
        """Return the same proportions with the sum 100; equal ones where there are none."""
        numbers = [self._number(name) for name in self.fields]
        if not sum(numbers):
            numbers = [Decimal(1)] * len(numbers)
        return dict(zip(self.fields, in_tenths(exact_shares(numbers)), strict=True))

    def equal(self) -> dict[str, Decimal]:
        return dict(zip(self.fields, in_tenths([Decimal(1)] * len(self.fields)), strict=True))

    def _number(self, name: str) -> Decimal:
        value = self[name].value()
        try:
            number = self.fields[name].clean(value)
        except forms.ValidationError:
            return Decimal(0)
        return number if isinstance(number, Decimal) else Decimal(0)


def in_tenths(weights: list[Decimal]) -> list[Decimal]:
    """Return shares in percent with one decimal that sum to exactly 100.

    >>> [str(share) for share in in_tenths([Decimal(1)] * 3)]
    ['33.4', '33.3', '33.3']
    """
    exact = [share * 100 for share in exact_shares(weights)]
    floors = [share.quantize(TENTH, rounding="ROUND_FLOOR") for share in exact]
    left = int((100 - sum(floors)) / TENTH)
    order = sorted(range(len(exact)), key=lambda at: (floors[at] - exact[at], at))
    for at in order[:left]:
        floors[at] += TENTH
    return floors


class CombineForm(_DomainForm):
    """How experts' comparisons become one, and how much each of them counts."""

    aggregation = forms.ChoiceField(label=_("Average over experts"), choices=AGGREGATIONS)
    prioritisation = forms.ChoiceField(label=_("Weights from"), choices=PRIORITISATIONS)
    indices = forms.ChoiceField(label=_("Random index"), choices=INDICES)
    leave_out_above = forms.FloatField(
        label=_("Leave out experts with a consistency ratio above"),
        required=False,
        min_value=0.001,
        max_value=1,
        help_text=_("Empty: leave nobody out."),
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    strict = forms.BooleanField(
        label=_("Strict limits: 0.05 for three parts, 0.08 for four"), required=False
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, weighting: Weighting) -> None:
        settings = {"leave_out_above": USUAL.usual, **weighting.settings}
        super().__init__(data, initial=settings)
        for expert in weighting.experts:
            self.fields[f"exponent-{expert.id}"] = forms.DecimalField(
                label=_("%(name)s counts") % {"name": expert.name},
                min_value=0,
                max_value=100,
                decimal_places=2,
                max_digits=5,
                initial=expert.exponent.normalize(),
                widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
            )

    def told(self) -> dict[str, Any]:
        """Return what `choose_method` takes as settings."""
        names = ("aggregation", "prioritisation", "indices", "leave_out_above", "strict")
        return {name: self.cleaned_data[name] for name in names}

    def exponents(self, experts: tuple[Expert, ...]) -> Mapping[int, Decimal]:
        return {
            expert.id: self.cleaned_data[f"exponent-{expert.id}"]
            for expert in experts
            if f"exponent-{expert.id}" in self.cleaned_data
        }
