"""How the columns of a file become the fields of rows: a small TOML file, or choices on a page.

```toml
leave_out = true                 # rows with errors are left out; otherwise one refuses the file

[file]                           # all of it is guessed if left out
encoding = "gb18030"

[fields]
measure = { constant = "error-rate" }
unit = { column = "Branch", values = { "Old Town" = "old-town" } }
starts_on = { column = "Day", format = "%d.%m.%Y" }
numerator = "Errors"
```

Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, Problem
from sqcore.files.cells import day_of, normal, plain_number
from sqcore.files.importers import Layout, Row, Table
from sqcore.files.kinds import RowField, RowKind
from sqcore.files.writing import meant

TRUE = frozenset({"1", "true", "yes", "y", "x", "是", "对"})
FALSE = frozenset({"0", "false", "no", "n", "-", "否", "不"})
LOOKED_AT = 200
DAYS = ("", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y年%m月%d日", "%Y%m%d")
FIELD_KEYS = {"column", "constant", "values", "format"}
FILE_KEYS = {"encoding": str, "delimiter": str, "sheet": str, "header_row": int, "first_row": int}


@dataclass(frozen=True)
class FieldMap:
    """Where a field stands: a column, or one constant for all rows. `values` turns what a cell
    says into what is meant."""

    column: str = ""
    constant: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    format: str = ""


@dataclass(frozen=True)
class RowMapping:
    fields: Mapping[str, FieldMap]
    layout: Layout = field(default_factory=Layout)
    leaves_out: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the table that `read_mapping` reads back, without what says nothing."""
        layout = {
            name: value
            for name in FILE_KEYS
            if (value := getattr(self.layout, name)) != getattr(Layout(), name)
        }
        fields = {
            name: {
                key: value
                for key in ("column", "constant", "values", "format")
                if (value := getattr(found, key))
            }
            for name, found in self.fields.items()
        }
        table: dict[str, Any] = {"fields": fields}
        if layout:
            table["file"] = layout
        if self.leaves_out:
            table["leave_out"] = True
        return table


def read_mapping(raw: Mapping[str, Any], kind: RowKind) -> RowMapping:
    """Return a table as a mapping. raises: InvalidInput naming every key that is wrong"""
    known = {row_field.name: row_field for row_field in kind.fields}
    problems = [
        Problem(_("is no key of a mapping; known are leave_out, file and fields"), field=key[:60])
        for key in raw
        if key not in ("leave_out", "file", "fields")
    ]
    fields: dict[str, FieldMap] = {}
    given = raw.get("fields", {})
    if not isinstance(given, Mapping):
        given = {}
    for name, value in given.items():
        where = f"fields.{name}"[:60]
        if name not in known:
            told = _("is no field; there are %(known)s") % {"known": ", ".join(known)}
            problems.append(Problem(told, field=where))
        elif found := _field_map(value):
            fields[name] = found
        else:
            problems.append(Problem(_("must name a column or a constant"), field=where))
    problems += [
        Problem(_("is needed"), field=f"fields.{name}")
        for name, row_field in known.items()
        if row_field.required and name not in given
    ]
    layout = _layout(raw.get("file", {}), problems)
    leaves_out = raw.get("leave_out", False)
    if not isinstance(leaves_out, bool):
        problems.append(Problem(_("must be true or false"), field="leave_out"))
    if problems:
        raise InvalidInput(_("The mapping cannot be used as it is."), problems=problems[:50])
    return RowMapping(fields, layout, leaves_out)


def _field_map(value: object) -> FieldMap | None:
    if isinstance(value, str) and value:
        return FieldMap(column=value)
    if not isinstance(value, Mapping) or set(value) - FIELD_KEYS:
        return None
    column, constant, values = value.get("column", ""), value.get("constant", ""), {}
    if isinstance(constant, int | float) and not isinstance(constant, bool):
        constant = str(constant)
    if isinstance(found := value.get("values", {}), Mapping):
        values = {str(key): str(code) for key, code in found.items()}
    form = value.get("format", "")
    if not all(isinstance(part, str) for part in (column, constant, form)):
        return None
    return FieldMap(column, constant, values, form) if bool(column) != bool(constant) else None


def _layout(raw: Any, problems: list[Problem]) -> Layout:
    if not isinstance(raw, Mapping):
        problems.append(Problem(_("must be a table"), field="file"))
        return Layout()
    found: dict[str, Any] = {}
    for key, value in raw.items():
        kind = FILE_KEYS.get(key)
        is_right = kind is not None and isinstance(value, kind) and not isinstance(value, bool)
        if is_right and isinstance(value, int):
            is_right = 1 <= value <= 1000
        if is_right and key == "delimiter":
            is_right = len(value) == 1 and value not in '"\r\n'
        if is_right:
            found[key] = value
        else:
            problems.append(
                Problem(_("is no key here, or not its kind of value"), field=f"file.{key}")
            )
    return Layout(**found)


# ---- Guessing ------------------------------------------------------------------------------------
def guess(table: Table, kind: RowKind) -> RowMapping:
    """Propose which column holds which field, by the names of the columns."""
    taken: set[str] = set()
    fields: dict[str, FieldMap] = {}
    for row_field in kind.fields:
        free = [name for name in table.header if name and name not in taken]
        same = [name for name in free if normal(name).replace(" ", "_") == row_field.name]
        like = [name for name in free if _is_like(name, row_field)]
        name = next(iter([*same, *like]), "")
        if name:
            taken.add(name)
            fields[row_field.name] = FieldMap(name, format=_format(table, name, row_field))
    return RowMapping(fields)


def _is_like(name: str, row_field: RowField) -> bool:
    return bool(row_field.guess and re.search(row_field.guess, normal(name), re.IGNORECASE))


def _format(table: Table, name: str, row_field: RowField) -> str:
    if row_field.reads != "day":
        return ""
    values = samples(table, table.header.index(name))
    return next((form for form in DAYS if all(day_of(value, form) for value in values)), "")


def samples(table: Table, at: int, count: int = LOOKED_AT) -> list[str]:
    """Return the first different values of a column."""
    found: dict[str, None] = {}
    for number, row in enumerate(table.rows()):
        if number >= LOOKED_AT or len(found) >= count:
            break
        if not row.problem and row.cells[at].strip():
            found[row.cells[at].strip()] = None
    return list(found)


# ---- Reading -------------------------------------------------------------------------------------
class Unreadable(Exception):
    """What a cell must be and is not."""


Read = Callable[[str], Any]


@dataclass(frozen=True)
class Fault:
    """What is wrong in one row of the file."""

    row: int
    column: str
    reason: str

    def as_json(self) -> list[Any]:
        return [self.row, self.column, self.reason]


class RowReader:
    """Turns rows of a file into rows of fields; each value is worked out once."""

    def __init__(self, table: Table, mapping: RowMapping, kind: RowKind) -> None:
        """raises: InvalidInput naming each column that the file does not have"""
        places = {normal(name): at for at, name in enumerate(table.header)}
        codes = kind.codes()
        self._columns: list[tuple[str, str, int, Read]] = []
        self._constants: dict[str, Any] = {}
        self.columns = {name: found.column or name for name, found in mapping.fields.items()}
        problems = []
        for row_field in kind.fields:
            found = mapping.fields.get(row_field.name)
            if found is None:
                continue
            read = _remembering(_reader(row_field, found, codes.get(row_field.name, {})))
            if found.constant:
                try:
                    self._constants[row_field.name] = read(found.constant)
                except Unreadable as error:
                    problems.append(Problem(str(error), field=f"fields.{row_field.name}"))
            elif (at := places.get(normal(found.column))) is None:
                reason = _("the file has no column “%(name)s”") % {"name": found.column}
                problems.append(Problem(reason, field=f"fields.{row_field.name}"))
            else:
                self._columns.append((row_field.name, table.header[at], at, read))
        if problems:
            raise InvalidInput(_("The mapping does not fit the file."), problems=problems)

    def read(self, row: Row) -> tuple[dict[str, Any], list[Fault]]:
        """Return the fields of a row, without those that are empty, and what cannot be read."""
        if row.problem:
            return {}, [Fault(row.number, "", row.problem)]
        fields = dict(self._constants)
        faults = []
        for name, column, at, read in self._columns:
            try:
                value = read(row.cells[at])
            except Unreadable as error:
                faults.append(Fault(row.number, column, str(error)))
                continue
            if value is not None:
                fields[name] = value
        return fields, faults


def _remembering(read: Read, most: int = 10_000) -> Read:
    known: dict[str, Any] = {}

    def remembered(text: str) -> Any:
        if text in known:
            return known[text]
        value = read(text)
        if len(known) < most:
            known[text] = value
        return value

    return remembered


def _reader(row_field: RowField, found: FieldMap, codes: Mapping[str, Sequence[str]]) -> Read:
    values = {normal(value): code for value, code in found.values.items()}
    for code, names in codes.items():
        for name in (code, *names):
            values.setdefault(normal(name), code)

    def read(text: str) -> Any:
        # What left as '=1, so that no spreadsheet takes it for a formula, comes back as =1.
        plain = meant(text.strip())
        if not plain:
            return None
        plain = values.get(normal(plain), plain)
        if row_field.reads == "number":
            return _number(plain)
        if row_field.reads == "truth":
            return _truth(plain)
        if row_field.reads == "day":
            return _day(plain, found.format)
        if row_field.reads == "moment":
            return _moment(plain, found.format)
        return plain

    return read


def _number(text: str) -> int | float:
    number = plain_number(text)
    if number is None:
        raise Unreadable(_("“%(text)s” is no number") % {"text": text[:40]})
    return int(number) if number == int(number) and abs(number) < 2**63 else number


def _truth(text: str) -> bool:
    plain = normal(text)
    if plain not in TRUE | FALSE:
        raise Unreadable(_("“%(text)s” is neither yes nor no") % {"text": text[:40]})
    return plain in TRUE


def _day(text: str, form: str) -> str:
    day = day_of(text, form)
    if day is None:
        raise Unreadable(
            _("“%(text)s” is no day written %(form)s")
            % {"text": text[:40], "form": form or "2026-05-17"}
        )
    return day.isoformat()


def _moment(text: str, form: str) -> str:
    try:
        found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007 - whose zone it is, the room knows
    except ValueError as error:
        wanted = form or "2026-05-17T09:30:00"
        raise Unreadable(
            _("“%(text)s” is no moment written %(form)s") % {"text": text[:40], "form": wanted}
        ) from error
    return found.isoformat()


def pieces(table: Table, size: int) -> Iterator[list[Row]]:
    """Yield the rows of a file, so many at a time."""
    piece: list[Row] = []
    for row in table.rows():
        piece.append(row)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
