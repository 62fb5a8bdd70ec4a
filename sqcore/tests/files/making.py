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


def archive(parts: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return file.getvalue()
