"""Forms of Set-up: systems, dimensions, indicators in their place, weights."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField
from sqcore.base.periods import Grain
from sqcore.base.text import in_language
from sqcore.indicators.fields import LANGUAGES, Day, NamedForm, number_field
from sqcore.indicators.importers import ready_systems
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.indicators.shapes import Aggregation

NEAR = Decimal("0.5")
"""Percentages may miss 100 by this much: people round."""


_HIGHER = Indicator.Direction.HIGHER.value


class PeriodsForm(forms.Form):
    """What a version is evaluated by, from which day on, and what it should reach."""

    grains = forms.MultipleChoiceField(
        label=_("Evaluated by"),
        choices=[(grain.value, grain.label) for grain in Grain if grain != Grain.DAY],
        initial=[Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.YEAR],
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "Beside months, weeks hold only what was measured: answers by week could be subtracted"
            " from those by month."
        ),
    )
    since = DayField(
        label=_("First day"),
        widget=Day(),
        help_text=_("Periods that begin before it are not evaluated."),
    )
    target = number_field(
        label=_("Target of the overall score"), required=False, min_value=0, max_value=100
    )
    aggregation = forms.ChoiceField(
        label=_("How scores become one"),
        choices=Aggregation.choices,
        initial=Aggregation.ARITHMETIC,
        required=False,
        widget=forms.RadioSelect,
        help_text=_(
            "In each dimension and overall. In an arithmetic mean a good score makes up for a bad"
            " one; in a geometric mean it does so less, the worse the bad one is."
        ),
    )

    def clean_aggregation(self) -> str | None:
        """What is left out stays as it is."""
        return self.cleaned_data["aggregation"] or None


class NewSystemForm(NamedForm):
    """A new system, empty or from a ready one."""

    ready = forms.ChoiceField(label=_("Begin with"), widget=forms.RadioSelect, initial="")
    since = DayField(
        label=_("First day"),
        widget=Day(),
        help_text=_("Periods that begin before it are not evaluated."),
    )
    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        required=False,
        help_text=_("Names it in REST and in files. Leave it out to have one made of the name."),
    )

    def __init__(self, *args: Any, **over: Any) -> None:
        super().__init__(*args, **over)
        choices = [(ready.code, in_language(ready.description)) for ready in _ready()]
        empty = ("", _("An empty system: add dimensions and indicators yourself."))
        self.fields["ready"].choices = [*choices, empty]  # type: ignore[attr-defined]  # a choice field
        self.fields["ready"].required = False
        self.fields["name_en"].help_text = _(
            "One language is enough. A ready system brings its own name along."
        )
        self.order_fields(["ready", *(f"name_{code}" for code in LANGUAGES), "since", "code"])

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("ready"):
            return self.cleaned_data
        return super().clean()


def _ready() -> Iterator[Any]:
    yield from ready_systems().values()


class NewDimensionForm(NamedForm):
    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        required=False,
        help_text=_("Names it in REST and in files. Leave it out to have one made of the name."),
    )


class DimensionForm(NamedForm):
    target = number_field(label=_("Target, in points"), required=False, min_value=0, max_value=100)


class PlaceForm(forms.Form):
    """Which indicator is put into a dimension: one of the catalogue or of a ready system."""

    indicator = forms.ChoiceField(label=_("Indicator"))

    def __init__(self, *args: Any, present: Sequence[str], **over: Any) -> None:
        super().__init__(*args, **over)
        taken = set(present)
        catalogue = list(Indicator.objects.exclude(code__in=taken).order_by("code"))
        known = taken | {indicator.code for indicator in catalogue}
        self.rising = {each.code: each.direction == _HIGHER for each in catalogue}
        groups: list[tuple[str, list[tuple[str, str]]]] = [
            (str(_("Catalogue")), [(found.code, _with_unit(found)) for found in catalogue])
        ]
        for ready in _ready():
            free = [each for each in ready.indicators if each.code not in known]
            named = {f"{ready.code}:{each.code}": each for each in free}
            self.rising |= {key: each.direction == _HIGHER for key, each in named.items()}
            choices = [(key, in_language(each.name)) for key, each in named.items()]
            groups.append((in_language(ready.name), choices))
        chosen = [("", _("Choose an indicator")), *(group for group in groups if group[1])]
        self.fields["indicator"].choices = chosen  # type: ignore[attr-defined]  # a choice field

    @property
    def is_rising(self) -> bool:
        """Whether more is better of what was chosen."""
        return self.rising.get(self["indicator"].value() or "", True)

    @property
    def is_ready(self) -> bool:
        """Whether it brings along how it gives points."""
        return ":" in (self["indicator"].value() or "")


def _with_unit(indicator: Indicator) -> str:
    unit = indicator.unit_of_measure
    label = UnitOfMeasure(unit).label if unit in UnitOfMeasure.values else unit
    return f"{in_language(indicator.name)} ({label})" if unit else in_language(indicator.name)


def weights_given(
    data: Mapping[str, Any], shown: Mapping[str, tuple[str, Decimal]]
) -> tuple[dict[str, Decimal], dict[str, str]]:
    """Return the weights of a group as they were entered in percent, and what is wrong with them.

    data: the form; shown: by code, the percent that stood there and the exact weight. What was
    left as it stood stays exact; what misses 100 by no more than rounding is brought to it.
    """
    weights: dict[str, Decimal] = {}
    wrong: dict[str, str] = {}
    for code, (text, exact) in shown.items():
        given = str(data.get(f"weight-{code}", "")).strip().replace(",", ".").removesuffix("%")
        try:
            share = exact if given == text else Decimal(given or "0") / 100
        except InvalidOperation:
            wrong[code] = str(_("This is no number."))
            continue
        if share.is_finite() and 0 <= share <= 1:
            weights[code] = share
        else:
            wrong[code] = str(_("A weight lies between 0 and 100 percent."))
    if wrong:
        return {}, wrong
    total = sum(weights.values(), Decimal(0))
    rescale = "rescale" in data or abs(total * 100 - 100) <= NEAR
    if total and rescale:
        weights = {code: share / total for code, share in weights.items()}
    return weights, wrong
