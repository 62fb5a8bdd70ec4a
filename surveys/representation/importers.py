"""Reading the figures of a population: lines of a form, or a file with a row for each category."""

import csv
import re
from collections.abc import Iterator
from io import StringIO

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, Problem
from sqcore.files.cells import plain_number
from surveys.representation.margins import MARGINS

COLUMNS = ("margin", "code", "number")
LONGEST = 200_000
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
"""1,200 customers are more than one: with three digits behind it a comma parts thousands."""
CROSS = re.compile(r"\s*[+×]\s*")
Figures = dict[str, dict[str, float]]


def read_lines(text: str, margin: str) -> Figures:
    """Return a margin's figures from lines such as “counter 1200”; nothing from no line.

    raises: InvalidInput naming each line that cannot be read

    >>> read_lines("counter 1200\\nweb = 800", "channel")
    {'channel': {'counter': 1200.0, 'web': 800.0}}
    >>> read_lines("north + counter 300", "unit+channel")
    {'unit+channel': {'north+counter': 300.0}}
    """
    rows = []
    for at, line in enumerate(text.splitlines(), 1):
        if line.strip():
            plain = CROSS.sub("+", line)
            words = plain.replace("=", " ").replace(":", " ").replace("\t", " ").split(maxsplit=1)
            rows.append((at, [margin, *words]))
    return _figures(iter(rows))


def read_file(content: bytes) -> Figures:
    """Return the figures of a CSV file with the columns margin, code and number.

    raises: InvalidInput naming each row that cannot be read
    """
    if len(content) > LONGEST:
        raise InvalidInput(_("The file is too large for a list of categories."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(_("The file is no text in UTF-8.")) from error
    if "\x00" in text:
        raise InvalidInput(_("The file is no text in UTF-8."))
    delimiter = ";" if text.partition("\n")[0].count(";") else ","
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        table = [(at, [cell.strip() for cell in row]) for at, row in enumerate(rows, 1) if any(row)]
    except csv.Error as error:
        raise InvalidInput(_("The file is no table.")) from error
    if not table or tuple(cell.lower() for cell in table[0][1]) != COLUMNS:
        raise InvalidInput(
            _("The first line of the file must be: %(columns)s") % {"columns": ",".join(COLUMNS)}
        )
    return _figures(iter(table[1:]))


def _figures(rows: Iterator[tuple[int, list[str]]]) -> Figures:
    found: Figures = {}
    problems: list[Problem] = []
    for at, cells in rows:
        if len(cells) != len(COLUMNS):
            problems.append(Problem(_("must be a category and a number"), row=at))
            continue
        margin, code, text = cells
        margin, code = CROSS.sub("+", margin), CROSS.sub("+", code)
        number = plain_number(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)
        if margin not in MARGINS:
            problems.append(
                Problem(_("must be one of %(names)s") % {"names": ", ".join(MARGINS)}, row=at)
            )
        elif number is None or number < 0:
            problems.append(Problem(_("must be a number, 0 or more"), field=code[:50], row=at))
        elif code in found.get(margin, {}):
            problems.append(Problem(_("stands here twice"), field=code[:50], row=at))
        else:
            found.setdefault(margin, {})[code] = number
    if problems:
        raise InvalidInput(_("Some figures cannot be read."), problems=problems[:50])
    return found
