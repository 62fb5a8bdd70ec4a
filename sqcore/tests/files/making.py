"""Plain makers of files for tests."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl


def workbook(rows: Sequence[Sequence[Any]], *, title: str = "Answers") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def patched(content: bytes, part: str, *changes: tuple[bytes, bytes]) -> bytes:
    """Return a workbook with one of its parts changed, as a spreadsheet program would write it."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    for before, after in changes:
        assert before in parts[part], parts[part]
        parts[part] = parts[part].replace(before, after)
    return archive(parts)


def archive(parts: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return file.getvalue()
