"""Files as rows of text: CSV in any usual encoding, and XLSX. Parse only.

Nothing here believes a file: its size, what it unpacks to, its columns, rows and cells are bounded
before and while it is read, and whatever is wrong is said with its row.
"""

import csv
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, Problem
from sqcore.files.encodings import guess_encoding

if TYPE_CHECKING:
    import openpyxl

DELIMITERS = (",", ";", "\t", "|")
LONGEST_LINE = 1_000_000
LONGEST_CELL = 100_000
OTHER_FILES = ((b"%PDF", "PDF"), (b"{\\rtf", "RTF"), (b"<!DOC", "HTML"), (b"<html", "HTML"))
"""What files begin with that are text and yet no table."""
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"
FORMULA = re.compile(rb"<(?:\w{1,10}:)?f[\s>/]")
"""In the XML of a sheet."""
NO_RESULT = "\x00formula"
"""Stands for a formula that was never computed; no cell can hold it."""

# What openpyxl and the standard library raise for a workbook that is none; a cell of it may be
# anything, so that the list is long. defusedxml's refusals are ValueErrors.
BROKEN_WORKBOOK = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


@dataclass(frozen=True)
class Limits:
    """How big a file may be. A workbook is judged by what it says that it unpacks to."""

    file_bytes: int = 200 * 1024 * 1024
    unpacked_bytes: int = 256 * 1024 * 1024
    ratio: int = 150
    ratio_from: int = 20 * 1024 * 1024
    members: int = 1000
    columns: int = 2000
    rows: int = 2_000_000


LIMITS = Limits()


@dataclass(frozen=True)
class Layout:
    """How a file is to be read; what is empty is guessed. Rows count from 1."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header_row: int = 1
    first_row: int = 0

    @property
    def first(self) -> int:
        return self.first_row or self.header_row + 1


@dataclass(frozen=True)
class Row:
    """A row of the file as a spreadsheet numbers it; `problem` says why it cannot be read."""

    number: int
    cells: Sequence[str]
    problem: str = ""


@dataclass
class Table:
    """An opened file: what was found out about it, and its rows, each time from the first."""

    path: Path
    kind: str
    header: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    has_formulas: bool = False
    layout: Layout = field(default_factory=Layout)
    limits: Limits = LIMITS

    def rows(self) -> Iterator[Row]:
        """Yield every row that is not blank, in order.

        raises: InvalidInput when the file breaks off or has more rows than are possible
        """
        width = len(self.header)
        for count, (number, cells) in enumerate(_filled(_records(self)), 1):
            if count > self.limits.rows:
                raise InvalidInput(
                    _("The file has more than %(most)s rows. Split it.")
                    % {"most": f"{self.limits.rows:,}"}
                )
            yield Row(number, cells, _wrong_shape(cells, width))


def open_table(path: Path, *, layout: Layout | None = None, limits: Limits = LIMITS) -> Table:
    """Open a CSV or XLSX file and read its column names.

    raises: InvalidInput when it is too big, empty, or not such a file
    """
    layout = layout or Layout()
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput(_("The file is empty."))
    if size > limits.file_bytes:
        raise InvalidInput(
            _("The file has %(size)s MB; at most %(most)s are possible.")
            % {"size": f"{size / 1e6:,.0f}", "most": f"{limits.file_bytes / 1e6:,.0f}"}
        )
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(OLD_OFFICE):
        raise InvalidInput(
            _(
                "This is an old .xls workbook, or one with a password. "
                "Open it, save it as “Excel workbook (.xlsx)” without a password, or as CSV."
            )
        )
    for mark, name in OTHER_FILES:
        if start.lstrip(b"\xef\xbb\xbf \r\n").lower().startswith(mark.lower()):
            told = _(
                "This is a %(kind)s file, whatever its name says. Save the table as CSV or XLSX."
            )
            raise InvalidInput(told % {"kind": name})
    is_workbook = start.startswith(ZIP)
    table = (
        _open_workbook(path, layout, limits) if is_workbook else _open_text(path, layout, limits)
    )
    return _with_header(table)


# ---- Header and shape ----------------------------------------------------------------------------
def clean_name(name: str) -> str:
    """Return a column's name without what programs leave around it: blanks, a mark, an asterisk.

    >>> clean_name(chr(0xFEFF) + "*RESPNUM ")
    'RESPNUM'
    >>> clean_name("AIRLINE   CODE")
    'AIRLINE CODE'
    """
    return " ".join(name.replace("\ufeff", "").strip().lstrip("*").split())


def _with_header(table: Table) -> Table:
    wanted = table.layout.header_row
    found = next(
        (cells for number, cells in _records(table, all_rows=True) if number == wanted), None
    )
    if found is None:
        raise InvalidInput(
            _("The file has no row %(row)s, where the column names should be.") % {"row": wanted}
        )
    names = [clean_name(name) for name in found]
    while names and not names[-1]:
        names.pop()
    if not names:
        problems = [Problem(_("is empty"), row=wanted)]
        raise InvalidInput(_("There are no column names."), problems=problems)
    if len(names) > table.limits.columns:
        raise InvalidInput(
            _("The file has %(count)s columns; at most %(most)s are possible.")
            % {"count": f"{len(names):,}", "most": f"{table.limits.columns:,}"}
        )
    if problem := _unreadable(found) or _strange("".join(found)):
        raise InvalidInput(
            _("The column names cannot be read."), problems=[Problem(problem, row=wanted)]
        )
    table.header = tuple(names)
    return table


def repeated(header: Sequence[str]) -> list[str]:
    """Return the names that more than one column has."""
    return [name for name, times in Counter(header).items() if times > 1 and name]


def _filled(records: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    return ((number, cells) for number, cells in records if any(cells))


def _wrong_shape(cells: Sequence[str], width: int) -> str:
    if len(cells) != width and (len(cells) < width or any(cells[width:])):
        return _("has %(count)s cells, the column names are %(width)s") % {
            "count": len(cells),
            "width": width,
        }
    return _unreadable(cells)


def _unreadable(cells: Sequence[str]) -> str:
    if NO_RESULT in cells:
        return _(
            "has a formula whose result is not in the file; "
            "open it in a spreadsheet program and save it there"
        )
    joined = "".join(cells)
    if "\x00" in joined:
        return _("has a NUL byte")
    if not joined.isascii() and any("\ud800" <= letter <= "\udfff" for letter in joined):
        return _("has half a character (a lone surrogate)")
    return ""


def _strange(names: str) -> str:
    is_text = all(letter >= " " or letter in "\t\r\n" for letter in names)
    return "" if is_text else _("has characters that are no text")


def _records(table: Table, *, all_rows: bool = False) -> Iterator[tuple[int, list[str]]]:
    read = _workbook_records if table.kind == "xlsx" else _text_records
    first = 1 if all_rows else table.layout.first
    return ((number, cells) for number, cells in enumerate(read(table), 1) if number >= first)


# ---- Text ----------------------------------------------------------------------------------------
def _open_text(path: Path, layout: Layout, limits: Limits) -> Table:
    encoding = layout.encoding or guess_encoding(path)
    if encoding is None:
        raise InvalidInput(
            _(
                "The file is neither text in a known encoding nor an XLSX workbook. "
                "Save it as CSV in UTF-8, or name its encoding."
            )
        )
    try:
        delimiter = layout.delimiter or _guess_delimiter(path, encoding)
    except LookupError as error:
        raise InvalidInput(
            _("There is no encoding “%(name)s”.") % {"name": encoding[:40]}
        ) from error
    return Table(path, "csv", (), encoding, delimiter, layout=layout, limits=limits)


def _lines(file: IO[str], encoding: str) -> Iterator[str]:
    number = 0
    try:
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise InvalidInput(
                    _("A line is too long for a row."),
                    problems=[Problem(_too_long(), row=number)],
                )
            yield line
    except UnicodeError as error:
        raise InvalidInput(
            _("The file is not written in %(encoding)s.") % {"encoding": encoding},
            problems=[
                Problem(
                    _("has bytes that mean nothing in %(encoding)s") % {"encoding": encoding},
                    row=number + 1,
                )
            ],
        ) from error


def _too_long() -> str:
    return _("has more than %(most)s characters") % {"most": f"{LONGEST_LINE:,}"}


def _guess_delimiter(path: Path, encoding: str) -> str:
    """Return what gives the most rows of one same width above 1; a comma when nothing does."""
    with path.open(encoding=encoding, newline="") as file:
        sample = list(islice(_lines(file, encoding), 60))
    best, score = ",", (0, 0)
    for delimiter in DELIMITERS:
        try:
            widths = [len(cells) for cells in csv.reader(sample, delimiter=delimiter) if cells]
        except csv.Error:
            continue
        width, times = Counter(widths).most_common(1)[0] if widths else (0, 0)
        if width > 1 and (times, width) > score:
            best, score = delimiter, (times, width)
    return best


def _text_records(table: Table) -> Iterator[list[str]]:
    number = 0
    with table.path.open(encoding=table.encoding, newline="") as file:
        reader = csv.reader(_lines(file, table.encoding), delimiter=table.delimiter, strict=True)
        try:
            for cells in reader:
                number += 1
                yield cells
        except csv.Error as error:
            raise InvalidInput(
                _("The file is not well-formed CSV."),
                problems=[Problem(_what_is_wrong(str(error)), row=number + 1)],
            ) from error


def _what_is_wrong(message: str) -> str:
    if "unexpected end" in message:
        return _("a quotation mark opens here and never closes")
    if "expected after" in message:
        return _("a quotation mark closes in the middle of a cell")
    if "field larger" in message:
        return _("a cell is too long")
    return message[:100]


# ---- Workbooks -----------------------------------------------------------------------------------
def _open_workbook(path: Path, layout: Layout, limits: Limits) -> Table:
    _refuse_bombs(path, limits)
    try:
        with _workbook(path) as book:
            sheets = tuple(sheet.title for sheet in book.worksheets)
        has_formulas = _has_formulas(path)
    except BROKEN_WORKBOOK as error:
        raise InvalidInput(_("The workbook is damaged or not an Excel workbook.")) from error
    if not sheets:
        raise InvalidInput(_("The workbook has no sheet."))
    sheet = layout.sheet or sheets[0]
    if sheet not in sheets:
        raise InvalidInput(
            _("There is no sheet “%(name)s”; there are %(known)s.")
            % {"name": sheet[:60], "known": ", ".join(sheets)[:200]}
        )
    return Table(
        path, "xlsx", (), "xlsx", "", sheet, sheets, has_formulas, layout=layout, limits=limits
    )


def _refuse_bombs(path: Path, limits: Limits) -> None:
    """Look at the archive's own list, which costs nothing; what lies about its size fails its
    checksum while it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except BROKEN_WORKBOOK as error:
        raise InvalidInput(_("The workbook is damaged or not an Excel workbook.")) from error
    if any(member.flag_bits & 1 for member in members):
        raise InvalidInput(_("The workbook has a password. Save it without one."))
    unpacked = sum(member.file_size for member in members)
    if len(members) > limits.members or unpacked > limits.unpacked_bytes:
        raise InvalidInput(
            _(
                "The workbook unpacks to %(unpacked)s MB in %(parts)s parts; at most "
                "%(most)s MB in %(most_parts)s are possible. Save the sheet as CSV."
            )
            % {
                "unpacked": f"{unpacked / 1e6:,.0f}",
                "parts": f"{len(members):,}",
                "most": f"{limits.unpacked_bytes / 1e6:,.0f}",
                "most_parts": f"{limits.members:,}",
            }
        )
    for member in members:
        if member.file_size > limits.ratio_from and (
            member.file_size > limits.ratio * member.compress_size
        ):
            raise InvalidInput(
                _(
                    "The part %(name)s of the workbook unpacks to %(size)s MB from "
                    "%(packed)s. Save the sheet as CSV."
                )
                % {
                    "name": member.filename[:60],
                    "size": f"{member.file_size / 1e6:,.0f}",
                    "packed": f"{member.compress_size / 1e6:,.1f}",
                }
            )
    if "xl/workbook.xml" not in {member.filename for member in members}:
        raise InvalidInput(
            _("This is an archive, not an Excel workbook. Give the CSV or XLSX itself.")
        )


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                with archive.open(name) as sheet:
                    before = b""
                    while piece := sheet.read(1 << 20):
                        if FORMULA.search(before + piece):
                            return True
                        before = piece[-20:]
    return False


@contextmanager
def _workbook(path: Path, *, results: bool = True) -> "Iterator[openpyxl.Workbook]":
    """Open a workbook; its formulas give their results, or themselves."""
    # Imported here: every process holds this module, few ever open a workbook.
    import openpyxl

    # By its content: openpyxl would judge a path by the ending of its name.
    with path.open("rb") as file:
        book = openpyxl.load_workbook(file, read_only=True, data_only=results, keep_links=False)
        try:
            yield book
        finally:
            book.close()


def _workbook_records(table: Table) -> Iterator[list[str]]:
    number = 0
    try:
        for values in _sheet_values(table):
            number += 1
            if len(values) > table.limits.columns:
                told = _("has %(count)s cells") % {"count": f"{len(values):,}"}
                raise InvalidInput(
                    _("The sheet has more than %(most)s columns.")
                    % {"most": f"{table.limits.columns:,}"},
                    problems=[Problem(told, row=number)],
                )
            yield _even([cell_text(value) for value in values], len(table.header))
    except BROKEN_WORKBOOK as error:
        raise InvalidInput(
            _("The workbook is damaged."), problems=[Problem(_("cannot be read"), row=number + 1)]
        ) from error


def _sheet_values(table: Table) -> Iterator[Sequence[Any]]:
    with _workbook(table.path) as book:
        sheet = book[table.sheet]
        sheet.reset_dimensions()
        if not table.has_formulas:
            yield from sheet.iter_rows(values_only=True)
            return
        with _workbook(table.path, results=False) as asked:
            formulas = asked[table.sheet]
            formulas.reset_dimensions()
            for cells, asks in zip(
                sheet.iter_rows(), formulas.iter_rows(values_only=True), strict=True
            ):
                yield [
                    NO_RESULT if _was_not_computed(cell, asked_for) else cell.value
                    for cell, asked_for in zip(cells, asks, strict=True)
                ]


def _was_not_computed(cell: Any, formula: Any) -> bool:
    """An empty text as a result is one: its cell says that it is a text."""
    return formula is not None and cell.value is None and cell.data_type == "n"


def _even(cells: list[str], width: int) -> list[str]:
    """A sheet keeps no empty cells at the end of a row: that is not a ragged row."""
    return cells + [""] * (width - len(cells))


def cell_text(value: Any) -> str:
    """Return a cell of a workbook as it would stand in a CSV file.

    >>> [cell_text(value) for value in (4.0, True, None, date(2026, 5, 17), " so ")]
    ['4', '1', '', '2026-05-17', ' so ']
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
