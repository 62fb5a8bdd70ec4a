"""Files as rows of text: what is guessed, what is tidied, what is refused and how it says so."""

import io
import resource
import time
import zipfile
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sqcore.base.errors import InvalidInput
from sqcore.files.encodings import guess_encoding
from sqcore.files.importers import Layout, Limits, open_table
from sqcore.tests.files.making import archive, patched, workbook

CHINESE = "编号,网点,满意度,意见\n1,城东,5,柜员态度很好，等候时间太长\n2,城西,4,服务效率不高\n"
TAIWANESE = "編號,分行,滿意度,意見\n1,東區,5,櫃員態度親切，但是等候時間太長\n2,西區,4,服務很好\n"
KOREAN = "번호,지점,만족도,의견\n1,강남,5,직원이 친절하고 대기 시간이 짧았습니다\n2,강북,4,좋아요\n"
JAPANESE = "番号,支店,満足度,コメント\n1,東,5,とても親切でした。ありがとうございます\n"
FRENCH = "numéro;agence;note;avis\n1;Zürich;5;très bien, café à côté\n2;Genève;4;à améliorer\n"


FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, content: str | bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (CHINESE, "gb18030"),
        (TAIWANESE, "big5"),
        (KOREAN, "cp949"),
        (JAPANESE, "cp932"),
        (FRENCH, "cp1252"),
        (FRENCH, "utf-16-le"),
    ],
)
def test_the_encoding_is_guessed_and_the_text_comes_out_whole(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = write(tmp_path, text.encode(encoding))

    table = open_table(path)

    assert guess_encoding(path) == table.encoding == encoding
    assert list(table.header) == text.splitlines()[0].split(table.delimiter)
    assert [len(row.cells) for row in table.rows()] == [4] * (len(text.splitlines()) - 1)


def test_a_named_encoding_wins_over_the_guess(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, FRENCH), layout=Layout(encoding="cp1252"))

    assert table.header[0] == "numÃ©ro"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_guessed(tmp_path: Path, delimiter: str) -> None:
    lines = ["name,x;y|z\tw", "4,5;6|7\t8"]
    text = "\n".join(delimiter.join(["a", "b, c" if delimiter != "," else "b", "c"]) for _ in lines)

    assert open_table(write(tmp_path, text)).delimiter == delimiter


def test_column_names_lose_blanks_marks_and_asterisks(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "\ufeff*RESPNUM,NETPRO  , AIRLINE   CODE ,,\n1,2,3,,\n"))

    assert table.header == ("RESPNUM", "NETPRO", "AIRLINE CODE")
    assert [row.problem for row in table.rows()] == [""]


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    text = 'a,b\n1,"two\nlines"\n\n3,4\n'

    assert [row.number for row in open_table(write(tmp_path, text)).rows()] == [2, 4]


def test_ragged_rows_are_named(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a,b,c\n1,2,3\n1,2\n1,2,3,4\n1,2,3,,\n"))

    assert [(row.number, row.problem) for row in table.rows()] == [
        (2, ""),
        (3, "has 2 cells, the column names are 3"),
        (4, "has 4 cells, the column names are 3"),
        (5, ""),
    ]


def test_names_may_stand_lower_and_labels_below_them_be_skipped(tmp_path: Path) -> None:
    text = "Survey of May,\nq1,q2\nHow fast?,How kind?\n4,5\n"

    table = open_table(write(tmp_path, text), layout=Layout(header_row=2, first_row=4))

    assert table.header == ("q1", "q2")
    assert [list(row.cells) for row in table.rows()] == [["4", "5"]]


def test_a_workbook_reads_like_a_csv_file(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["id ", "day", "score"],
        [1, date(2026, 5, 17), 4.0],
        [2, None, "n/a"],
        [None] * 3,
    ]

    table = open_table(write(tmp_path, workbook(rows)))

    assert (table.kind, table.sheet, table.header) == ("xlsx", "Answers", ("id", "day", "score"))
    assert [list(row.cells) for row in table.rows()] == [["1", "2026-05-17", "4"], ["2", "", "n/a"]]


def test_a_formula_is_its_value_never_its_text(tmp_path: Path) -> None:
    content = workbook([["a", "b"], ["=1+1", 3], ['=IF(1,"",1)', 4], ["=2", 5]])
    computed = patched(
        content,
        "xl/worksheets/sheet1.xml",
        (b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"),
        (b'r="A3"><f>', b'r="A3" t="str"><f>'),
    )

    table = open_table(write(tmp_path, computed))

    told = "has a formula whose result is not in the file; open it in a spreadsheet program"
    assert [(list(row.cells[1:]), row.problem) for row in table.rows()] == [
        (["3"], ""), (["4"], ""), (["5"], f"{told} and save it there"),
    ]  # fmt: skip
    assert [row.cells[0] for row in table.rows()][:2] == ["2", ""]


def test_half_a_character_is_refused_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\n1,2\n3,\xed\xa0\x80\n")

    with pytest.raises(InvalidInput) as refused:
        list(open_table(path, layout=Layout(encoding="utf-8")).rows())

    assert [str(problem) for problem in refused.value.problems] == [
        "row 1: has bytes that mean nothing in utf-8"
    ]


def test_a_nul_is_named_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\n1,2\n3,\x004\n")

    table = open_table(path, layout=Layout(encoding="utf-8"))

    assert [row.problem for row in table.rows()] == ["", "has a NUL byte"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"\n\n\n", "There are no column names."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "old .xls workbook"),
        (b"PK\x03\x04 no zip at all", "not an Excel workbook"),
        (b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x81\x8d" * 90, "neither text in a known encoding"),
        (b"\x00\x01\x02\x03" * 400, "The column names cannot be read."),
        (",".join(f"c{n}" for n in range(100_000)).encode() + b"\n", "100,000 columns"),
        (b"a" * 1_100_000, "A line is too long"),
    ],
)
def test_what_is_no_table_is_refused_with_advice(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        open_table(write(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "row", "reason"),
    [
        ('a,b\n1,2\n3,"4\n5,6\n', 3, "a quotation mark opens here and never closes"),
        ('a,b\n1,"2"x\n', 2, "a quotation mark closes in the middle of a cell"),
        ("a,b\n1," + "x" * 140_000 + "\n", 2, "a cell is too long"),
    ],
)
def test_malformed_csv_is_refused_with_its_row(
    tmp_path: Path, content: str, row: int, reason: str
) -> None:
    table = open_table(write(tmp_path, content), layout=Layout(delimiter=","))

    with pytest.raises(InvalidInput) as refused:
        list(table.rows())
    assert [(problem.row, problem.reason) for problem in refused.value.problems] == [(row, reason)]


def test_too_big_a_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at most 0 are possible"):
        open_table(write(tmp_path, "a,b\n1,2\n"), limits=Limits(file_bytes=4))


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a\n" + "1\n" * 11), limits=Limits(rows=10))

    with pytest.raises(InvalidInput, match="more than 10 rows"):
        list(table.rows())


class TestBombs:
    def test_a_workbook_that_unpacks_to_300_mb_is_refused_at_once(self, tmp_path: Path) -> None:
        bomb = archive({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(300 * 10**6)})
        path = write(tmp_path, bomb, "bomb.xlsx")
        del bomb
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()

        with pytest.raises(InvalidInput, match="unpacks to 300 MB"):
            open_table(path)

        assert time.perf_counter() - started < 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000

    def test_a_part_that_grows_too_much_is_refused(self, tmp_path: Path) -> None:
        bomb = archive({"xl/workbook.xml": b"<x/>", "xl/sharedStrings.xml": bytes(30 * 10**6)})

        with pytest.raises(InvalidInput, match=r"xl/sharedStrings.xml of the workbook unpacks"):
            open_table(write(tmp_path, bomb))

    def test_an_archive_of_very_many_parts_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="in 1,200 parts"):
            open_table(write(tmp_path, archive({f"p{n}": b"" for n in range(1200)})))

    def test_entities_in_a_sheet_are_refused(self, tmp_path: Path) -> None:
        good = workbook([["a"], ["1"]])
        path = write(tmp_path, _with_entities(good))

        with pytest.raises(InvalidInput, match="damaged"):
            list(open_table(path).rows())


def _with_entities(book: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(book)) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    laughs = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = laughs + sheet[sheet.index(b"<worksheet") :]
    return archive(parts)


@settings(parent=FUZZ, max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.text(alphabet='ab,;\t|"\n\r\x00é网\ud800', max_size=120).map(
            lambda text: text.encode("utf-8", "surrogatepass")
        ),
        st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail),
        st.binary(max_size=200).map(lambda tail: b"\xff\xfe" + tail),
    )
)
def test_whatever_the_bytes_are_only_refusals_come_out(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)

    try:
        table = open_table(path)
        rows = list(table.rows())
    except InvalidInput:
        return
    assert table.header
    assert all(len(row.cells) >= len(table.header) or row.problem for row in rows)


@settings(parent=FUZZ, max_examples=150)
@given(data=st.data())
def test_a_damaged_workbook_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    book = bytearray(BOOK)
    for _ in range(data.draw(st.integers(1, 6))):
        book[data.draw(st.integers(0, len(book) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path, bytes(book))

    with suppress(InvalidInput):
        list(open_table(path).rows())


BOOK = workbook([["id", "score"], *([n, n % 5] for n in range(40))])
