"""Tables as files: what is written can be read again, and no spreadsheet runs it."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from sqcore.files.importers import open_table
from sqcore.files.writing import WRITERS, harmless, meant

HEADER = ("number", "name", "day", "minutes", "score", "nothing")
ROWS = [
    ("007", "王 芳", date(2026, 5, 17), 90, 82.5, None),
    ("8", "=1+1", date(1999, 12, 31), 0, None, ""),
    ("9", ' "A", <b> & c\x07', date(2026, 1, 1), 3, 0.0, None),
]


def read(path: Path, form: str, rows: Iterable[tuple[object, ...]]) -> list[list[str]]:
    path.write_bytes(b"".join(WRITERS[form](HEADER, rows)))
    table = open_table(path)
    assert table.header == HEADER
    return [list(row.cells) for row in table.rows()]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_is_written_is_read_again(tmp_path: Path, form: str) -> None:
    found = read(tmp_path / "table", form, ROWS)

    assert found[0] == ["007", "王 芳", "2026-05-17", "90", "82.5", ""]
    assert found[1] == ["8", "'=1+1", "1999-12-31", "0", "", ""]
    assert found[2][1].replace("\x07", "") == ' "A", <b> & c'


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_long_table_comes_in_pieces(tmp_path: Path, form: str) -> None:
    rows = [(str(n), "x", date(2026, 1, 1), n, 1.5, None) for n in range(1201)]

    pieces = list(WRITERS[form](HEADER, rows))

    assert len(pieces) >= 2
    assert all(pieces)
    assert len(read(tmp_path / "table", form, rows)) == 1201


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", " =1", "'=1", "plain", "", "'tis", "-"])
def test_what_was_made_harmless_means_the_same(text: str) -> None:
    made = str(harmless(text))

    assert made.lstrip()[:1] not in ("=", "+", "-", "@")
    assert meant(made) == text or text == "'=1"
