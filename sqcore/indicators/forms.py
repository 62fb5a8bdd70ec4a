"""Forms of Set-up: systems, dimensions, indicators in their place, the catalogue, targets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.base.forms import DayField
from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText, in_language
from sqcore.identity.models import User
from sqcore.indicators.importers import ready_systems
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.indicators.shapes import (
    Aggregation,
    HasShape,
    Scoring,
    Shape,
    along,
    by_limit,
    fault_of,
    in_the_middle,
)
from sqcore.indicators.sources import SOURCES, Offer, OffersMeasures

LANGUAGES = [code for code, _name in settings.LANGUAGES]
NEAR = Decimal("0.5")
"""Percentages may miss 100 by this much: people round."""
_HIGHER = Indicator.Direction.HIGHER.value
FORMULA = "formula"
OWN = "own"


class Day(forms.DateInput):
    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")


def _number(**over: Any) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"})
    return forms.FloatField(widget=widget, **over)


def _lines(key: str, label: str, *, length: int, optional: bool) -> dict[str, forms.Field]:
    """One line for each language."""
    return {
        f"{key}_{code}": forms.CharField(
            label=label % {"language": name},
            max_length=length,
            required=False,
            widget=forms.TextInput(attrs={"lang": code}),
            help_text=_("One language is enough.") if at == 0 and not optional else "",
        )
        for at, (code, name) in enumerate(settings.LANGUAGES)
    }


class NamedForm(forms.Form):
    """A form that begins with a name in each language."""

    def __init__(self, *args: Any, name: TranslatedText | None = None, **over: Any) -> None:
        super().__init__(*args, **over)
        self.fields = (
            _lines("name", str(_("Name, in %(language)s")), length=100, optional=False)
            | self.fields
        )
        for language, text in (name or {}).items():
            if f"name_{language}" in self.fields:
                self.fields[f"name_{language}"].initial = text

    def text(self, key: str) -> TranslatedText:
        """Return what was written under this key, by language."""
        found = {code: self.cleaned_data.get(f"{key}_{code}", "") for code in LANGUAGES}
        return {code: text for code, text in found.items() if text}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.text("name"):
            self.add_error(f"name_{LANGUAGES[0]}", _("Give a name in at least one language."))
        return cleaned

    def chosen_code(self, otherwise: str) -> str:
        """Return the code that was given, or one made of the English name."""
        given: str = self.cleaned_data.get("code", "")
        return given or slugify(self.cleaned_data.get("name_en", ""))[:50] or otherwise


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
    target = _number(
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
    target = _number(label=_("Target, in points"), required=False, min_value=0, max_value=100)


class GoalpostsForm(forms.Form):
    """The values of 0 and 100 points."""

    worst = _number(label=_("Value of 0 points"))
    best = _number(label=_("Value of 100 points"))


class ShapeForm(forms.Form):
    """How values of an indicator become points; one form a shape. `scoring` once it is valid."""

    shape = Shape.GOALPOSTS
    scoring: Scoring | None = None

    def __init__(self, *args: Any, rising: bool, **over: Any) -> None:
        super().__init__(*args, **over)
        self.rising = rising

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        """Return what stands in the form of an indicator that is scored so, or in another shape."""
        return {"worst": present.worst, "best": present.best}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            self.scoring = self.made(cleaned)
            if fault := fault_of(self.scoring):
                self.scoring = None
                self.add_error(fault[0] if fault[0] in self.fields else None, fault[1])
        return cleaned

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        return Scoring(cleaned["worst"], cleaned["best"])


class EvenForm(ShapeForm, GoalpostsForm):
    """Evenly from the value of 0 points to that of 100."""


class MiddleForm(ShapeForm):
    """Best at a value, worse on either side."""

    shape = Shape.NOMINAL
    best = _number(label=_("Best value"))
    tolerance = _number(
        label=_("Tolerance"), help_text=_("So far from it, on either side, there are 0 points.")
    )
    dead_band = _number(
        label=_("Dead band"),
        required=False,
        help_text=_("So far from it, on either side, there are still 100 points."),
    )

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        tolerance = abs(present.best - present.worst)
        return {"best": present.best, "tolerance": tolerance, "dead_band": present.dead_band}

    def clean_tolerance(self) -> float:
        tolerance: float = self.cleaned_data["tolerance"]
        if tolerance <= 0:
            raise forms.ValidationError(_("The tolerance must be above 0."))
        return tolerance

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        band = cleaned.get("dead_band") or 0.0
        return in_the_middle(cleaned["best"], cleaned["tolerance"], band, rising=self.rising)


class LimitForm(ShapeForm):
    """By a target and a limit."""

    shape = Shape.TARGET
    best = _number(label=_("Target: the value of 100 points"))
    limit = _number(label=_("Limit: the value of 60 points"))

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        limit = present.best + 0.4 * (present.worst - present.best)
        known = present.limit if present.limit is not None else round(limit, 6)
        return {"best": present.best, "limit": known}

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        return by_limit(cleaned["best"], cleaned["limit"])


class KnotsForm(ShapeForm):
    """Along given points."""

    shape = Shape.KNOTS
    knots = forms.CharField(
        label=_("Values and their points"),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_(
            "One a line, the least value first: the value, a space, its points. Between them points"
            " run straight, beyond the ends they stay."
        ),
    )

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        ends = sorted([(present.worst, 0.0), (present.best, 100.0)])
        if present.shape == Shape.NOMINAL:
            ends = sorted([*ends, (2 * present.best - present.worst, 0.0)])
        knots = present.knots or ends
        return {"knots": "\n".join(f"{value:.12g} {points:g}" for value, points in knots)}

    def clean_knots(self) -> list[tuple[float, float]]:
        found = []
        for line in self.cleaned_data["knots"].splitlines():
            if not line.strip():
                continue
            parts = line.replace(",", ".").split()
            try:
                value, points = (float(part) for part in parts)
            except ValueError as error:
                raise forms.ValidationError(
                    _("“%(line)s” is not a value and its points."), params={"line": line.strip()}
                ) from error
            found.append((value, points))
        return found

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        return along(cleaned["knots"])


SHAPE_FORMS: Mapping[str, type[ShapeForm]] = {
    form.shape.value: form for form in (EvenForm, MiddleForm, LimitForm, KnotsForm)
}


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


class IndicatorForm(NamedForm):
    """An indicator: what it is called, what it measures, how it is judged."""

    code = forms.SlugField(
        label=_("Code"),
        max_length=80,
        required=False,
        help_text=_("Formulas name it by this code. Leave it out to have one made of the name."),
    )
    measures = forms.ChoiceField(label=_("What is measured"))
    parameters = forms.CharField(
        label=_("Parameters"),
        required=False,
        help_text=_('Only where you write them yourself: source and parameters, such as {"source":'
                    ' "encounters", "measure": "waiting"}.'),
    )  # fmt: skip
    formula = forms.CharField(
        label=_("Formula"),
        required=False,
        max_length=500,
        help_text=_("Only for a formula: codes of indicators in brackets, + - * / ( ), min, max and"
                    " abs. 1 - [error-rate]"),
    )  # fmt: skip
    statistic = forms.ChoiceField(
        label=_("Statistic"),
        required=False,
        choices=[("", _("As the source says")), *Indicator.Statistic.choices],
    )
    unit_of_measure = forms.ChoiceField(
        label=_("Unit of measure"),
        required=False,
        choices=[("", _("As the source says, or none")), *UnitOfMeasure.choices],
    )
    direction = forms.ChoiceField(
        label=_("Direction"),
        required=False,
        choices=[("", _("As the source says")), *Indicator.Direction.choices],
    )
    stage = forms.ChoiceField(
        label=_("Stage"), required=False, choices=[("", _("None")), *Indicator.Stage.choices]
    )
    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("name", "username"),
        label=_("Owner"),
        required=False,
        empty_label=_("Nobody"),
    )
    valid_from = DayField(label=_("From"), required=False, widget=Day())
    valid_to = DayField(
        label=_("Until"),
        required=False,
        widget=Day(),
        help_text=_("The first day on which it is not valid any more."),
    )

    def __init__(
        self, *args: Any, indicator: Indicator | None = None, epoch: bool = False, **over: Any
    ) -> None:
        name = None if indicator is None else indicator.name
        super().__init__(*args, name=name, **over)
        definition = _lines(
            "definition", str(_("Definition, in %(language)s")), length=500, optional=True
        )
        self.fields |= definition
        self.offers = list(_offers())
        choices: list[tuple[str, Any]] = [("", _("Choose what is measured"))]
        for source in SOURCES:
            mine = [(key, offer.title) for key, of, offer in self.offers if of == source.key]
            if mine:
                choices.append((source.title, mine))
        choices += [(FORMULA, _("A formula over other indicators"))]
        choices += [(OWN, _("Something else: I write source and parameters"))]
        self.fields["measures"].choices = choices  # type: ignore[attr-defined]  # a choice field
        if indicator is not None:
            del self.fields["code"]
            self._fill(indicator)
        if epoch:
            self.fields |= _epoch_fields()
        names = [f"name_{code}" for code in LANGUAGES]
        definitions = [f"definition_{code}" for code in LANGUAGES]
        first = [*names, "measures", "formula", "parameters", "unit_of_measure", "statistic"]
        last = ["stage", "owner", "valid_from", "valid_to", "code"]
        begun = ["direction", "reason", "starts_on"]
        self.order_fields([*first, *begun, *definitions, *last])

    def _fill(self, indicator: Indicator) -> None:
        for key in ("formula", "statistic", "unit_of_measure", "direction", "stage", "owner"):
            self.fields[key].initial = getattr(indicator, key)
        for key in ("valid_from", "valid_to"):
            self.fields[key].initial = getattr(indicator, key)
        for language, text in indicator.definition.items():
            if f"definition_{language}" in self.fields:
                self.fields[f"definition_{language}"].initial = text
        for key, source, offer in self.offers:
            if (source, dict(offer.parameters)) == (indicator.source, indicator.parameters):
                self.fields["measures"].initial = key
                return
        if indicator.formula:
            self.fields["measures"].initial = FORMULA
            return
        self.fields["measures"].initial = OWN
        written = {"source": indicator.source, **indicator.parameters}
        self.fields["parameters"].initial = json.dumps(written, ensure_ascii=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind = cleaned.get("measures")
        if kind == FORMULA and not cleaned.get("formula"):
            self.add_error("formula", _("Write the formula."))
        if kind == OWN:
            cleaned["written"] = self._written(cleaned.get("parameters", ""))
        return cleaned

    def _written(self, text: str) -> dict[str, Any]:
        try:
            written = json.loads(text)
        except ValueError:
            written = None
        if not isinstance(written, dict) or not isinstance(written.get("source"), str):
            self.add_error(
                "parameters", _('Write an object with a source: {"source": "encounters", …}.')
            )
            return {}
        return written

    def measured(self) -> dict[str, Any]:
        """Return what it measures, in the words of the service."""
        cleaned = self.cleaned_data
        chosen = next((row for row in self.offers if row[0] == cleaned["measures"]), None)
        offer = None if chosen is None else chosen[2]
        source, parameters = "", {}
        if chosen is not None and offer is not None:
            source, parameters = chosen[1], dict(offer.parameters)
        elif cleaned["measures"] == OWN:
            parameters = dict(cleaned["written"])
            source = parameters.pop("source")
        lower = Indicator.Direction.LOWER
        offered = lower if offer is not None and offer.lower_is_better else ""
        return {
            "source": source,
            "parameters": parameters,
            "formula": cleaned["formula"] if cleaned["measures"] == FORMULA else "",
            "statistic": cleaned["statistic"]
            or (offer.statistic if offer else Indicator.Statistic.MEAN.value),
            "unit_of_measure": cleaned["unit_of_measure"]
            or (offer.unit_of_measure if offer else ""),
            "direction": cleaned["direction"] or offered or Indicator.Direction.HIGHER.value,
        }

    def begun(self) -> dict[str, Any]:
        """Return why and from when on it measures something else, in the words of the service."""
        cleaned = self.cleaned_data
        return {key: cleaned[key] for key in ("reason", "starts_on") if key in self.fields}

    def told(self) -> dict[str, Any]:
        """Return how it is spoken of and when it is valid, in the words of the service."""
        cleaned = self.cleaned_data
        plain = {key: cleaned[key] for key in ("stage", "owner", "valid_from", "valid_to")}
        return {"name": self.text("name"), "definition": self.text("definition"), **plain}


def _offers() -> Iterator[tuple[str, str, Offer]]:
    for source in SOURCES:
        if isinstance(source, OffersMeasures):
            for offer in source.offers():
                asked = json.dumps(dict(offer.parameters), sort_keys=True)
                yield f"{source.key}:{asked}", source.key, offer


def _epoch_fields() -> dict[str, forms.Field]:
    """Why, and from which day on, a published indicator measures something else."""
    return {
        "reason": forms.CharField(
            label=_("Why it measures something else"),
            max_length=300,
            required=False,
            help_text=_(
                "Only where you change what is measured, its unit, statistic or direction."
            ),
        ),
        "starts_on": DayField(
            label=_("From which day on"),
            required=False,
            widget=Day(),
            help_text=_("What was published for periods before it stays as it was measured."),
        ),
    }


class TargetForm(forms.Form):
    value = _number(label=_("Target"))
    floor = _number(
        label=_("Floor"), required=False, help_text=_("What it should never fall short of.")
    )
    on = DayField(label=_("First day"), widget=Day())
    until = DayField(
        label=_("Until"),
        required=False,
        widget=Day(),
        help_text=_("Leave it out for a target that holds until another one does."),
    )


class DayForm(forms.Form):
    on = DayField(label=_("First day without it"), widget=Day())


def tell(form: forms.Form, refusal: DomainError) -> None:
    """Put a refusal beside the fields that it is about, else above the form."""
    placed = False
    for problem in refusal.problems:
        if problem.field in form.fields:
            form.add_error(problem.field, problem.reason)
            placed = True
    if not placed:
        form.add_error(None, refusal.message)
        for problem in refusal.problems:
            if problem.reason != refusal.message:
                form.add_error(None, str(problem))
