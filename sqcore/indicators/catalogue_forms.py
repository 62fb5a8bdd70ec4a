"""Forms of the catalogue: an indicator, its epochs and its targets."""

import json
from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField
from sqcore.identity.models import User
from sqcore.indicators.fields import LANGUAGES, Day, NamedForm, line_fields, number_field
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.indicators.sources import SOURCES, Offer, OffersMeasures

FORMULA = "formula"


OWN = "own"


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
        definition = line_fields(
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
    value = number_field(label=_("Target"))
    floor = number_field(
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
