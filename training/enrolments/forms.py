"""Forms of a session: who is enrolled, minutes, results, the code at the door.

Lists are pasted a line a person: the staff number, then the figure, with a space, tab, comma or
semicolon between them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from training.courses.forms import day_field, long_field
from training.enrolments.models import Attempt
from training.enrolments.pages import Cell, Grid, GridRow, ResultRow
from training.enrolments.services import Presence

BETWEEN = re.compile(r"[\s,;]+")
MOST_LINES = 1000


@dataclass(frozen=True)
class Line:
    """One line of a pasted list, counted from 1."""

    row: int
    number: str
    figure: str


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines that say something.

    >>> [(line.row, line.number, line.figure) for line in lines_of("A1 90\\n\\nA2;45")]
    [(1, 'A1', '90'), (3, 'A2', '45')]
    """
    for row, said in enumerate(text.splitlines(), start=1):
        parts = [part for part in BETWEEN.split(said.strip()) if part]
        if parts:
            yield Line(row, parts[0], parts[-1] if len(parts) > 1 else "")


class EnrolForm(forms.Form):
    """People that were ticked, and numbers that were typed."""

    staff = forms.TypedMultipleChoiceField(coerce=int, required=False, choices=())
    numbers = long_field(
        _("Staff numbers"),
        most=20_000,
        required=False,
        help_text=_("One a line, or with spaces between; from a table, for example."),
    )

    def __init__(self, *args: Any, offered: Sequence[int], **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.fields["staff"].choices = [(pk, pk) for pk in offered]  # type: ignore[attr-defined]  # it is a choice field

    def clean_numbers(self) -> list[str]:
        return [part for part in BETWEEN.split(self.cleaned_data["numbers"]) if part]

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if not self.errors and not asked.get("staff") and not asked.get("numbers"):
            raise forms.ValidationError(_("Choose somebody, or write their number."))
        return asked


def _minutes_field(cell: Cell) -> forms.IntegerField:
    said = {
        "inputmode": "numeric",
        "placeholder": cell.most,
        "aria-label": f"{cell.label}, {cell.when}",
    }
    return forms.IntegerField(
        label=cell.label,
        required=False,
        min_value=0,
        max_value=cell.most,
        initial=cell.minutes,
        widget=forms.NumberInput(said),
    )


class PresenceForm(forms.Form):
    """The grid of minutes: a field for each cell that may be filled."""

    def __init__(self, *args: Any, grid: Grid, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.grid = grid
        for row in grid.rows:
            for cell in row.cells:
                if cell.is_open:
                    self.fields[cell.name] = _minutes_field(cell)

    @property
    def lines(self) -> list[tuple[GridRow, list[tuple[Cell, forms.BoundField | None]]]]:
        """The rows of the grid, each cell with its field where it may be filled."""
        return [
            (row, [(cell, self[cell.name] if cell.is_open else None) for cell in row.cells])
            for row in self.grid.rows
        ]

    def changed(self, *, fill: bool = False) -> list[Presence]:
        """Return what differs from the record. What was emptied counts as no minutes; `fill` gives
        everybody without a record the whole slot."""
        found = []
        for row in self.grid.rows:
            for cell, slot in zip(row.cells, self.grid.slots, strict=True):
                if not cell.is_open:
                    continue
                given = self.cleaned_data.get(cell.name)
                if given is None and cell.minutes is None:
                    given = cell.most if fill else None
                elif given is None:
                    given = 0
                if given is not None and given != cell.minutes:
                    found.append(Presence(row.enrolment.pk, slot.pk, given))
        return found


class PastedPresenceForm(forms.Form):
    """A list of numbers and minutes for one slot."""

    slot = forms.TypedChoiceField(label=_("Slot"), coerce=int, choices=())
    lines = long_field(
        _("Numbers and minutes"),
        most=40_000,
        rows=6,
        help_text=_("A line a person: the staff number and the minutes. Without minutes: all."),
    )

    def __init__(
        self, *args: Any, slots: Sequence[tuple[int, str]], inside: Mapping[str, int],
        most: Mapping[int, int], **kw: Any,
    ) -> None:  # fmt: skip
        """inside: the enrolments by staff number; most: the minutes of each slot."""
        super().__init__(*args, **kw)
        self.inside, self.most = inside, most
        self.fields["slot"].choices = slots  # type: ignore[attr-defined]  # it is a choice field

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if "slot" in asked and "lines" in asked:
            asked["rows"] = list(self._rows(asked["slot"], asked["lines"]))
        return asked

    def _rows(self, slot: int, text: str) -> Iterator[Presence]:
        for line in lines_of(text):
            enrolment = self.inside.get(line.number)
            minutes = line.figure or str(self.most[slot])
            if enrolment is None:
                self._refuse(line, _("is not in the session"))
            elif not (minutes.isascii() and minutes.isdecimal()) or len(minutes) > 5:
                self._refuse(line, _("has no whole number of minutes"))
            else:
                yield Presence(enrolment, slot, int(minutes))

    def _refuse(self, line: Line, why: Any) -> None:
        said = _("Line %(row)d: %(number)s %(why)s.")
        self.add_error("lines", said % {"row": line.row, "number": line.number, "why": why})


class ResultsForm(forms.Form):
    """One kind of test on one day, with a score for each person."""

    kind = forms.ChoiceField(label=_("Test"), choices=())
    on = day_field(_("Day"))

    def __init__(self, *args: Any, rows: Sequence[ResultRow], is_planned: bool, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.everybody = rows
        self.rows = [row for row in rows if row.is_open]
        kinds = [Attempt.Kind.TEST, Attempt.Kind.BEFORE] if is_planned else [Attempt.Kind.LATER]
        self.fields["kind"].choices = [(kind.value, kind.label) for kind in kinds]  # type: ignore[attr-defined]  # it is a choice field
        for row in self.rows:
            said = _("New score of %(name)s") % {"name": row.enrolment.staff.name}
            self.fields[row.name] = forms.DecimalField(
                label=row.enrolment.staff.name,
                required=False,
                min_value=0,
                max_value=100,
                max_digits=5,
                decimal_places=2,
                widget=forms.NumberInput({"inputmode": "decimal", "aria-label": said}),
            )

    @property
    def lines(self) -> list[tuple[ResultRow, forms.BoundField | None]]:
        """Everybody, each with a field where a result may be added."""
        return [(row, self[row.name] if row.is_open else None) for row in self.everybody]

    @property
    def scores(self) -> dict[int, Decimal]:
        """The scores that were given, by enrolment."""
        given = {row.enrolment.pk: self.cleaned_data.get(row.name) for row in self.rows}
        return {pk: score for pk, score in given.items() if score is not None}

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if not self.errors and not self.scores:
            raise forms.ValidationError(_("Give at least one score."))
        return asked


class SignInForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=12,
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"}
        ),
        help_text=_("Six letters and figures, as the trainer shows them."),
    )
