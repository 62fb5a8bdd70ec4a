"""Forms of the import pages: the files, and the guided reading of columns."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Period
from sqcore.base.text import TranslatedText
from sqcore.files.toml import LONGEST_MAPPING
from surveys.campaigns.models import Campaign
from surveys.imports.guesses import NEW, PLACES, Choices, ColumnFacts, Known, slug
from surveys.imports.mapping import (
    ImportMapping,
    read_mapping_texts,
)

CODES = forms.TextInput(attrs={"autocomplete": "off"})


class SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    widget = SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(SeveralFilesField, self).clean(one, initial) for one in given]


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File of answers"),
        help_text=_("CSV or XLSX, one row a respondent, with the names of the columns on top."),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
    )
    mapping = SeveralFilesField(
        label=_("Mapping"),
        required=False,
        help_text=_(
            "A TOML file from an earlier import, with the files that it extends. "
            "Without one, the columns are guessed and you decide."
        ),
        widget=SeveralFiles(attrs={"accept": ".toml"}),
    )

    def clean_mapping(self) -> ImportMapping | None:
        texts = {}
        for file in self.cleaned_data["mapping"]:
            if file.size > LONGEST_MAPPING:
                raise ValidationError(_("This is too long for a mapping."))
            try:
                texts[file.name] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValidationError(_("A mapping is written in UTF-8.")) from error
        return _mapping(texts) if texts else None


class TextForm(forms.Form):
    text = forms.CharField(
        label=_("Mapping"),
        widget=forms.Textarea(attrs={"rows": 30, "spellcheck": "false", "class": "code"}),
        max_length=LONGEST_MAPPING,
    )

    def clean_text(self) -> ImportMapping:
        return _mapping({str(_("The mapping")): self.cleaned_data["text"]})


def _mapping(texts: dict[str, str]) -> ImportMapping:
    try:
        return read_mapping_texts(texts)
    except InvalidInput as error:
        raise ValidationError([error.message, *map(str, error.problems)]) from error


class ColumnsForm(forms.Form):
    """The guided reading: what each column is, and what its values stand for."""

    instrument = forms.ChoiceField(label=_("Questionnaire"), required=False)
    name = forms.CharField(label=_("Name of the new questionnaire"), max_length=100, required=False)
    low = forms.IntegerField(label=_("Lowest answer"), min_value=0, max_value=252)
    high = forms.IntegerField(label=_("Highest answer"), min_value=1, max_value=253)
    campaign = forms.CharField(
        label=_("Name of this survey"),
        max_length=100,
        help_text=_(
            "Files under the same name join one campaign; a row's key is taken once in it."
        ),
    )
    mode = forms.ChoiceField(label=_("Privacy"), choices=Campaign.Mode.choices)
    wave = forms.CharField(
        label=_("Wave"),
        max_length=10,
        required=False,
        help_text=_("When no column holds the day: 2026, 2026-Q2 or 2026-05."),
    )
    date_format = forms.CharField(
        label=_("How days are written"),
        max_length=40,
        required=False,
        help_text=_("Empty for 2026-05-17; %d.%m.%Y for 17.05.2026, %m/%d/%Y for 05/17/2026."),
    )
    unit = forms.ChoiceField(
        label=_("Unit of every row"),
        required=False,
        help_text=_("When no column tells the unit."),
    )
    not_applicable = forms.CharField(
        label=_("Codes for “not applicable”"), required=False, widget=CODES,
        help_text=_("Separated by commas, such as 6, 98."),
    )  # fmt: skip
    missing = forms.CharField(
        label=_("Codes for “no answer”"), required=False, widget=CODES,
        help_text=_("Separated by commas, such as 0, 99. Empty cells are no answer anyway."),
    )  # fmt: skip
    is_reversed = forms.BooleanField(
        label=_("The lowest number is the best answer"), required=False
    )
    outside = forms.ChoiceField(
        label=_("A value that means nothing"),
        choices=[("row", _("leaves out the whole row")), ("answer", _("drops that answer alone"))],
    )
    judge = forms.BooleanField(
        label=_("Evaluate these answers"),
        required=False,
        help_text=_("Makes an indicator system with equal weights; change it later in Set-up."),
    )

    def __init__(
        self,
        *args: Any,
        facts: Sequence[ColumnFacts],
        known: Known,
        choices: Choices,
        may_make_places: bool,
        **over: Any,
    ) -> None:
        self.facts = facts
        self.known = known
        self.choices = choices
        super().__init__(*args, **{**over, "initial": self._initial()})
        instruments = [(code, code) for code in known.instruments]
        self._choose("instrument", [("", _("A new one, from these columns")), *instruments])
        self._choose("unit", [("", "–"), *_labels(known, "unit")])
        for at, column in enumerate(facts):
            self.fields[f"role-{at}"] = forms.ChoiceField(
                label=column.name,
                choices=self._roles(),
                required=False,
                initial=choices.roles[at],
            )
        for role in PLACES:
            self._add_values(role, may_make_places=may_make_places)

    def _initial(self) -> dict[str, Any]:
        chosen = self.choices
        return {
            "instrument": chosen.instrument,
            "name": chosen.name,
            "low": chosen.low,
            "high": chosen.high,
            "campaign": chosen.campaign,
            "mode": chosen.mode,
            "wave": chosen.wave,
            "date_format": chosen.date_format,
            "unit": chosen.unit,
            "not_applicable": ", ".join(chosen.not_applicable),
            "missing": ", ".join(chosen.missing),
            "is_reversed": chosen.is_reversed,
            "outside": chosen.outside,
            "judge": chosen.judge,
        }

    def _choose(self, name: str, options: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = options  # type: ignore[attr-defined]  # a choice field

    def _roles(self) -> list[tuple[str, Any]]:
        given = self.data.get("instrument") if self.is_bound else self.choices.instrument
        items = self.known.instruments.get(str(given or ""), {})
        answers = [
            (f"item:{code}", f"{code}: {next(iter(texts), '')[:60]}")
            for code, texts in items.items()
        ]
        fresh = [(NEW, _("A question with numbers")), ("comment", _("A question in own words"))]
        return [
            ("", _("Not read")),
            (str(_("About the row")), [
                ("unit", _("Unit")), ("channel", _("Channel")), ("segment", _("Segment")),
                ("date", _("Day")), ("key", _("Key of the row")), ("weight", _("Survey weight")),
                ("language", _("Language")),
            ]),
            (str(_("Answers")), answers or fresh),
        ]  # fmt: skip

    def _add_values(self, role: str, *, may_make_places: bool) -> None:
        values = self.choices.values.get(role, {})
        options: list[tuple[str, Any]] = [
            ("", _("Leave the row out") if role == "unit" else _("None"))
        ]
        options += _labels(self.known, role)
        if may_make_places:
            options.append((NEW, _("Make it new")))
        for at, (value, code) in enumerate(values.items()):
            self.fields[f"{role}-value-{at}"] = forms.ChoiceField(
                label=value, choices=options, required=False, initial=code
            )

    # -- for the template
    def columns(self) -> list[tuple[ColumnFacts, Any]]:
        return [(column, self[f"role-{at}"]) for at, column in enumerate(self.facts)]

    def values(self) -> list[tuple[Any, list[Any]]]:
        titles = {"unit": _("Units"), "channel": _("Channels"), "segment": _("Segments")}
        return [
            (titles[role], [self[f"{role}-value-{at}"] for at in range(len(values))])
            for role in PLACES
            if (values := self.choices.values.get(role, {}))
        ]

    def general(self) -> list[Any]:
        return [self[name] for name in self.base_fields]

    # -- what was chosen
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("low", 0) >= cleaned.get("high", 1):
            self.add_error("high", _("The highest answer must be above the lowest."))
        if cleaned.get("wave"):
            try:
                Period.parse(cleaned["wave"])
            except InvalidInput as error:
                self.add_error("wave", error.message)
        return cleaned

    def campaign_name(self) -> TranslatedText:
        return {"en": self.cleaned_data["campaign"]}

    def chosen(self) -> Choices:
        cleaned = self.cleaned_data
        roles = [cleaned[f"role-{at}"] for at in range(len(self.facts))]
        return Choices(
            roles=roles,
            instrument=cleaned["instrument"],
            name=cleaned["name"] or cleaned["campaign"],
            low=cleaned["low"],
            high=cleaned["high"],
            wave="" if "date" in roles else cleaned["wave"],
            date_format=cleaned["date_format"],
            unit=cleaned["unit"],
            values={role: self._values_of(role) for role in PLACES if role in roles},
            not_applicable=_codes(cleaned["not_applicable"]),
            missing=_codes(cleaned["missing"]),
            is_reversed=cleaned["is_reversed"],
            outside=cleaned["outside"],
            campaign=slug(cleaned["campaign"]),
            mode=cleaned["mode"],
            judge=cleaned["judge"],
        )

    def _values_of(self, role: str) -> dict[str, str]:
        """Return what was chosen for the values shown; of another column now chosen, none yet."""
        values = self.choices.values.get(role, {})
        if self.choices.roles.index(role) != self._place(role) if values else True:
            return {}
        return {
            value: self.cleaned_data.get(f"{role}-value-{at}", "")
            for at, value in enumerate(values)
        }

    def _place(self, role: str) -> int:
        roles = [self.cleaned_data[f"role-{at}"] for at in range(len(self.facts))]
        return roles.index(role)


def _labels(known: Known, role: str) -> list[tuple[str, str]]:
    return [(code, next(iter(names), code)) for code, names in known.places[role].names.items()]


def _codes(text: str) -> list[str]:
    return [code.strip() for code in text.replace("，", ",").split(",") if code.strip()]
