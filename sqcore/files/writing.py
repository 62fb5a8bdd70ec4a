"""Tables as files, CSV and XLSX, row by row: a big one needs no more memory than a small one.

What leaves here can be taken in again: cells that a spreadsheet would take for a formula get an
apostrophe, which `meant` takes away. Pure.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from xml.sax.saxutils import escape

BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""
AT_ONCE = 500
FORMULA = frozenset("=+-@")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

Row = Sequence[object]


def harmless(cell: object) -> object:
    """Return text so that no spreadsheet takes it for a formula; anything else as it is.

    >>> harmless("=1+1")
    "'=1+1"
    >>> harmless(-3.5)
    -3.5
    """
    if isinstance(cell, str) and cell.lstrip()[:1] in FORMULA and cell.strip():
        return f"'{cell}"
    return cell


def meant(text: str) -> str:
    """Return what a cell said before `harmless`.

    >>> meant("'=1+1"), meant("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text[:1] == "'" and text[1:].lstrip()[:1] in FORMULA and text[1:] else text


def as_csv(header: Row, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a CSV file in UTF-8, some hundred rows at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    text.write(BYTE_ORDER_MARK)
    writer.writerow(header)
    for number, row in enumerate(rows, start=1):
        writer.writerow([harmless(cell) for cell in row])
        if number % AT_ONCE == 0:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    said = text.getvalue()
    text.seek(0)
    text.truncate()
    return said.encode()


# ---- Workbooks -----------------------------------------------------------------------------------
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_LINKS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_LINKS}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill><patternFill/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/>'
    '<xf numFmtId="14" applyNumberFormat="1"/></cellXfs><cellStyles count="1">'
    '<cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
_FIRST_DAY = date(1899, 12, 30)


class _Pipe(io.RawIOBase):
    """Where the archive writes to; what was written is taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # what an archive hands over
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        said, self._pieces = b"".join(self._pieces), []
        return said


def as_xlsx(header: Row, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a workbook of one sheet; days are days in it."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as book:
        for name, content in _PARTS.items():
            # With an entry of its own: a name alone would write the time, and never the same bytes.
            book.writestr(zipfile.ZipInfo(name), _HEAD + content)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            sheet.write(_line(header).encode())
            piece: list[str] = []
            for row in rows:
                piece.append(_line(row))
                if len(piece) == AT_ONCE:
                    sheet.write("".join(piece).encode())
                    piece.clear()
                    if said := pipe.taken():
                        yield said
            sheet.write("".join([*piece, "</sheetData></worksheet>"]).encode())
    yield pipe.taken()


def _line(row: Row) -> str:
    return f"<row>{''.join(map(_cell, row))}</row>"


def _cell(value: object) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, bool):
        return f"<c><v>{int(value)}</v></c>"
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    if isinstance(value, date) and not isinstance(value, datetime):
        return f'<c s="1"><v>{(value - _FIRST_DAY).days}</v></c>'
    said = escape(_printable(str(harmless(str(value)))))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{said}</t></is></c>'


def _printable(text: str) -> str:
    """XML has no place for most control characters."""
    return text if text.isprintable() else "".join(c for c in text if c >= " " or c in "\t\n\r")


WRITERS: dict[str, Callable[[Row, Iterable[Row]], Iterator[bytes]]] = {
    "csv": as_csv,
    "xlsx": as_xlsx,
}
