"""The forms of weighting: what each method is told, and invitations of experts."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.base.periods import title_of
from sqcore.stats.ahp import USUAL, Aggregation, Prioritisation, RandomIndices
from sqcore.stats.data_weights import Combination
from sqcore.weighting.measured import NEWEST, CombinedWeights
from sqcore.weighting.methods import METHODS, Needs, exact_shares
from sqcore.weighting.queries import Weighting, periods_with_figures

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


HOW = [
    (Combination.ADDITIVE.value, _("Sum: a share of each")),
    (Combination.MULTIPLICATIVE.value, _("Product: both must find it important")),
    (Combination.GEOMETRIC.value, _("Root of the product: nearest to both")),
]


class MethodForm(forms.Form):
    """What a method is told. Without the field `asked_by` in what was sent, it was not asked."""

    asked_by = ""

    def told(self) -> dict[str, Any]:
        """Return what `choose_method` takes besides the method."""
        raise NotImplementedError

    def show(self, refusal: DomainError) -> None:
        """Put what the domain refused beside the fields."""
        if not refusal.problems:
            self.add_error(None, refusal.message)
        for problem in refusal.problems:
            self.add_error(problem.field if problem.field in self.fields else None, problem.reason)


class SharesForm(MethodForm):
    """One share in percent for each part; 0 is only watched."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, weighting: Weighting) -> None:
        # The prefix keeps a part whose code is “method” apart from what the form sends besides.
        super().__init__(data, initial=_shares_now(weighting), prefix="share")
        for each in weighting.group.siblings:
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

    def told(self) -> dict[str, Any]:
        return {
            "settings": {"shares": {name: str(self.cleaned_data[name]) for name in self.fields}}
        }

    def scaled(self) -> dict[str, Decimal]:
        """Return the same proportions with the sum 100; equal ones where there are none."""
        numbers = [self._number(name) for name in self.fields]
        if not sum(numbers):
            numbers = [Decimal(1)] * len(numbers)
        return self._sent(in_tenths(exact_shares(numbers)))

    def equal(self) -> dict[str, Decimal]:
        return self._sent(in_tenths([Decimal(1)] * len(self.fields)))

    def _sent(self, shares: list[Decimal]) -> dict[str, Decimal]:
        return {
            self.add_prefix(name): share for name, share in zip(self.fields, shares, strict=True)
        }

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


class CountsForm(MethodForm):
    """How much each expert counts."""

    asked_by = "counts_asked"

    def __init__(self, data: Mapping[str, Any] | None = None, *, weighting: Weighting) -> None:
        super().__init__(data, initial=self.given(weighting))
        self.experts = weighting.experts
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

    def given(self, weighting: Weighting) -> dict[str, Any]:
        return {}

    def told(self) -> dict[str, Any]:
        return {"exponents": self.exponents()}

    def exponents(self) -> Mapping[int, Decimal]:
        return {
            expert.id: self.cleaned_data[f"exponent-{expert.id}"]
            for expert in self.experts
            if f"exponent-{expert.id}" in self.cleaned_data
        }


class CombineForm(CountsForm):
    """How experts' comparisons become one, and how much each of them counts."""

    asked_by = "aggregation"
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

    def given(self, weighting: Weighting) -> dict[str, Any]:
        return {"leave_out_above": USUAL.usual, **weighting.settings}

    def told(self) -> dict[str, Any]:
        names = ("aggregation", "prioritisation", "indices", "leave_out_above", "strict")
        settings = {name: self.cleaned_data[name] for name in names}
        return {"settings": settings, "exponents": self.exponents()}


class FiguresForm(MethodForm):
    """Whose published figures weigh: those of which closed period."""

    asked_by = "period"
    period = forms.ChoiceField(label=_("Figures of"), required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, weighting: Weighting) -> None:
        super().__init__(data, initial=dict(weighting.settings))
        found = periods_with_figures(weighting.version)
        newest = _("the newest closed period (%(period)s now)") % {
            "period": title_of(found[0]) if found else "–"
        }
        choices = [(NEWEST, newest)]
        choices += [(each.key, title_of(each)) for each in found]
        self.fields["period"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField

    def told(self) -> dict[str, Any]:
        return {"settings": {"period": self.cleaned_data["period"]}}


class MixForm(MethodForm):
    """Which two ways are made one, and how."""

    asked_by = "first"
    first = forms.ChoiceField(label=_("The first way"))
    second = forms.ChoiceField(label=_("The second way"))
    how = forms.ChoiceField(label=_("Made one by"), choices=HOW)
    theta = forms.FloatField(
        label=_("Share of the first way"),
        required=False,
        min_value=0,
        max_value=1,
        help_text=_("From 0 to 1; only of a sum. Empty: 0.5."),
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, weighting: Weighting) -> None:
        super().__init__(data, initial=dict(weighting.settings))
        ways = [(each.key, str(each.title)) for each in METHODS if each.key != CombinedWeights.key]
        for name in ("first", "second"):
            self.fields[name].choices = ways  # type: ignore[attr-defined]  # a ChoiceField

    def told(self) -> dict[str, Any]:
        theta = self.cleaned_data["theta"]
        return {"settings": {**self.cleaned_data, "theta": 0.5 if theta is None else theta}}


class InviteForm(MethodForm):
    """An expert without an account."""

    name = forms.CharField(
        label=_("Name of the expert"), max_length=100, help_text=_("One expert, one link.")
    )
    days = forms.IntegerField(
        label=_("The link holds for so many days"), min_value=1, max_value=180, initial=14
    )

    def told(self) -> dict[str, Any]:
        return {"name": self.cleaned_data["name"], "days": self.cleaned_data["days"]}


FORMS: dict[Needs, Callable[..., MethodForm]] = {
    Needs.SHARES: SharesForm,
    Needs.COMPARISONS: CombineForm,
    Needs.SCORES: CountsForm,
    Needs.FIGURES: FiguresForm,
    Needs.OTHERS: MixForm,
}


def form_for(weighting: Weighting, data: Mapping[str, Any] | None = None) -> MethodForm | None:
    """Return the form of what the method is told; None when there is none or it was not sent."""
    made = FORMS.get(METHODS[weighting.method].needs)
    form = made(data, weighting=weighting) if made else None
    if form is None or data is None or not form.asked_by:
        return form
    return form if form.asked_by in data else None


def _shares_now(weighting: Weighting) -> dict[str, Any]:
    """What was entered before, else the weights as they are."""
    entered = weighting.settings.get("shares", {})
    if set(entered) == set(weighting.group.codes):
        return dict(entered)
    weights = list(weighting.group.weights.values())
    tenths = in_tenths(weights if any(weights) else [Decimal(1)] * len(weights))
    return dict(zip(weighting.group.codes, tenths, strict=True))
