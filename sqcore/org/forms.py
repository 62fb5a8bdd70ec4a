"""Forms of the organisation."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.forms import TranslatedTextField
from sqcore.org.shifts import MOST_SHIFTS, validate_shifts


class ShiftsForm(forms.Form):
    """The shifts of a day, one a line; a line without hour and name is none."""

    def __init__(self, data: Any = None, *, shifts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(data)
        for at in range(MOST_SHIFTS):
            known = shifts[at] if at < len(shifts) else {}
            self.fields[f"code_{at}"] = forms.CharField(
                widget=forms.HiddenInput, required=False, initial=known.get("code", "")
            )
            self.fields[f"begins_{at}"] = forms.IntegerField(
                label=lazy("Begins at"),
                min_value=0,
                max_value=23,
                required=False,
                initial=known.get("begins"),
            )
            self.fields[f"name_{at}"] = TranslatedTextField(
                label=lazy("Name"), required=False, initial=known.get("name")
            )

    @property
    def lines(self) -> Iterator[tuple[int, forms.BoundField, forms.BoundField, forms.BoundField]]:
        """Yield the number of each line, its code, hour and name."""
        for at in range(MOST_SHIFTS):
            yield at + 1, self[f"code_{at}"], self[f"begins_{at}"], self[f"name_{at}"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        given = [
            (cleaned[f"code_{at}"], cleaned[f"begins_{at}"], cleaned[f"name_{at}"] or {})
            for at in range(MOST_SHIFTS)
        ]
        used = {code for code, _begins, _name in given}
        fresh = (code for number in count(1) if (code := f"shift-{number}") not in used)
        shifts = [
            {"code": code or next(fresh), "begins": begins, "name": name}
            for code, begins, name in given
            if begins is not None or name
        ]
        if any(each["begins"] is None or not each["name"] for each in shifts):
            raise forms.ValidationError(_("Give each shift its hour and its name."))
        validate_shifts(shifts)
        cleaned["shifts"] = shifts
        return cleaned
