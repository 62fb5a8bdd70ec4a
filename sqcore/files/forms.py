"""Forms of files: give one, and say what its columns hold."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.files.kinds import RowKind
from sqcore.files.services import Look


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or XLSX, with the names of the columns on top."),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
    )


class ColumnsForm(forms.Form):
    """For each field of the rows: the column that holds it, or one value for all rows."""

    def __init__(self, *args: Any, kind: RowKind, look: Look, **over: Any) -> None:
        super().__init__(*args, **over)
        self.kind = kind
        columns = [(name, name) for name in dict.fromkeys(look.table.header) if name]
        for row_field in kind.fields:
            found = look.mapping.fields.get(row_field.name)
            self.fields[f"{row_field.name}-column"] = forms.ChoiceField(
                label=row_field.title,
                choices=[("", "–"), *columns],
                required=False,
                initial=found.column if found else "",
            )
            self.fields[f"{row_field.name}-constant"] = forms.CharField(
                label=_("One value for all rows"),
                required=False,
                max_length=100,
                initial=found.constant if found else "",
            )
        self._formats = {name: found.format for name, found in look.mapping.fields.items()}
        self._values = {name: dict(found.values) for name, found in look.mapping.fields.items()}
        self.fields["day_format"] = forms.CharField(
            label=_("How days are written"),
            max_length=40,
            required=False,
            help_text=_("Empty for 2026-05-17; %d.%m.%Y for 17.05.2026, %m/%d/%Y for 05/17/2026."),
            initial=next((form for form in self._formats.values() if form), ""),
        )

    def rows(self) -> list[tuple[Any, Any, Any]]:
        """Each field with its two questions, for the template."""
        return [
            (row_field, self[f"{row_field.name}-column"], self[f"{row_field.name}-constant"])
            for row_field in self.kind.fields
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for row_field in self.kind.fields:
            column = cleaned.get(f"{row_field.name}-column")
            constant = cleaned.get(f"{row_field.name}-constant")
            if column and constant:
                message = _("Choose a column or give one value, not both.")
                self.add_error(f"{row_field.name}-constant", message)
            elif row_field.required and not column and not constant:
                self.add_error(f"{row_field.name}-column", _("This is needed."))
        return cleaned

    def mapping(self) -> dict[str, Any]:
        """Return what was chosen as the table of a mapping."""
        fields: dict[str, dict[str, Any]] = {}
        for row_field in self.kind.fields:
            column = self.cleaned_data[f"{row_field.name}-column"]
            constant = self.cleaned_data[f"{row_field.name}-constant"]
            if not column and not constant:
                continue
            fields[row_field.name] = {"column": column} if column else {"constant": constant}
            if row_field.reads in ("day", "moment") and self.cleaned_data["day_format"]:
                fields[row_field.name]["format"] = self.cleaned_data["day_format"]
            if values := self._values.get(row_field.name):
                fields[row_field.name]["values"] = values
        return {"fields": fields}
