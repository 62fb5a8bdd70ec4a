"""Public statistics out of files: what is understood, what is told, what is refused."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from sqcore.base.errors import NotPermitted
from sqcore.comparators.models import ComparatorValue
from sqcore.comparators.services import name_in_files, withdraw_value
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, keep_file, look_at, take
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE
from sqcore.jobs.runner import run_inline
from sqcore.tests.comparators.making import SYSTEM, make_comparator, make_indicator
from sqcore.tests.factories import NOW, give_role, make_principal, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

EXAMPLE = Path(__file__).parents[3] / "docs" / "howto" / "compare-with-the-market.csv"
SOURCE = {"source": {"constant": "Public survey of patients, edition of 2026"}}
PLAIN = """who,measure id,from,until,value,low,high,source
market,solved,2025-01-01,2025-12-31,0.88,0.86,0.90,Yearbook
Market,Solved,2024-01-01,2024-12-31,85 %,83 %,87 %,Yearbook
"""
FIELDS = {
    "comparator": "who", "indicator": "measure id", "starts_on": "from", "last_on": "until",
    "value": "value", "low": "low", "high": "high", "source": "source",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def kept(content: str) -> FileImport:
    kind = ROW_KINDS["comparators"]
    return keep_file(
        kind=kind, file_name="market.csv", chunks=[content.encode()], by=SYSTEM, now=NOW
    )


def checked(content: str, fields: Any = FIELDS, **over: Any) -> FileImport:
    return check(imported=kept(content), mapping={"fields": fields} | over, by=SYSTEM, now=NOW)


def run(imported: FileImport) -> FileImport:
    run_inline(take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False), now=NOW)
    imported.refresh_from_db()
    return imported


def stored() -> list[tuple[str, str, int, float, int | None]]:
    rows = ComparatorValue.objects.current().order_by("comparator__code", "starts_on", "value")
    return [
        (each.comparator.code, each.indicator.code, each.starts_on.year, each.value, each.n)
        for each in rows.select_related("comparator", "indicator")
    ]


def told(imported: FileImport) -> list[tuple[int, str, str]]:
    return [(row, column, reason) for row, column, reason in imported.report["told"]]


@pytest.fixture
def _patients() -> None:
    """Two clinics to compare with, and two indicators, under the names of the public file."""
    for code, text in (("riverbank", "990001"), ("hillside", "990002")):
        made = make_comparator(code, "competitor")
        name_in_files(text=text, comparator=made, by=SYSTEM, now=NOW)
    for code, text in (("nurses", "H_COMP_1_A_P"), ("quiet", "H_QUIET_HSP_A_P")):
        name_in_files(text=text, indicator=make_indicator(code), by=SYSTEM, now=NOW)


@pytest.mark.usefixtures("_patients")
class TestAPublicFile:
    def fields(self) -> dict[str, Any]:
        look = look_at(kept(EXAMPLE.read_text(encoding="utf-8")), by=SYSTEM)
        guessed: dict[str, Any] = look.mapping.as_json()["fields"]
        return guessed | SOURCE

    def test_its_columns_are_guessed(self) -> None:
        fields = self.fields()

        assert {name: found["column"] for name, found in fields.items() if name != "source"} == {
            "comparator": "Facility ID",
            "indicator": "HCAHPS Measure ID",
            "starts_on": "Start Date",
            "last_on": "End Date",
            "percent": "HCAHPS Answer Percent",
            "n": "Number of Completed Surveys",
            "note": "HCAHPS Answer Percent Footnote",
        }
        assert fields["starts_on"]["format"] == "%m/%d/%Y"

    def test_what_is_ours_comes_in_and_the_rest_is_told(self) -> None:
        imported = checked(EXAMPLE.read_text(encoding="utf-8"), self.fields())

        assert (imported.rows_read, imported.rows_left_out, stored()) == (6, 0, [])
        assert told(imported) == [
            (4, "HCAHPS Measure ID", "“H_STAR_RATING” is none of yours: left out"),
            (
                5,
                "Number of Completed Surveys",
                "“FEWER THAN 100”: the value is taken without its number",
            ),
            (
                6,
                "HCAHPS Answer Percent",
                "no value: 1 - The number of cases is too small to report.",
            ),
            (7, "Facility ID", "“990003” is none of yours: left out"),
        ]

        run(imported)

        assert stored() == [
            ("hillside", "nurses", 2025, 0.76, None),
            ("riverbank", "quiet", 2025, 0.58, 412),
            ("riverbank", "nurses", 2025, 0.81, 412),
        ]
        assert imported.report["counts"] == {
            "read": 6, "left_out": 0, "new": 3, "replaced": 0, "unchanged": 0,
        }  # fmt: skip
        assert imported.report["told_count"] == 4

    def test_the_same_again_changes_nothing(self) -> None:
        text, fields = EXAMPLE.read_text(encoding="utf-8"), self.fields()
        run(checked(text, fields))
        before = list(ComparatorValue.objects.order_by("id").values())

        again = run(checked(text, fields))

        assert again.report["counts"]["unchanged"] == 3
        assert list(ComparatorValue.objects.order_by("id").values()) == before

    def test_a_new_edition_revises(self) -> None:
        text, fields = EXAMPLE.read_text(encoding="utf-8"), self.fields()
        run(checked(text, fields))

        again = run(checked(text.replace("well,81,", "well,82,"), fields))

        assert again.report["counts"]["replaced"] == 1
        assert ("riverbank", "nurses", 2025, 0.82, 412) in stored()
        assert ComparatorValue.objects.count() == 4

    def test_pages_tell_what_is_left_out(self, client: Client) -> None:
        user = make_user("ana")
        give_role(user, Role.ANALYST)
        client.force_login(user)
        file = SimpleUploadedFile("patients.csv", EXAMPLE.read_bytes())
        client.post("/files/comparators/", {"file": file})
        imported = FileImport.objects.get()
        chosen = {
            f"{name}-column": found.get("column", "")
            for name, found in self.fields().items()
            if "column" in found
        }
        client.post(
            f"/files/{imported.pk}/columns/",
            chosen | {"source-constant": "Edition of 2026", "day_format": "%m/%d/%Y"},
        )

        html = client.get(f"/files/{imported.pk}/report/").content.decode()

        assert faults_of(html) == []
        assert "Rows without a mistake that bring less" in html
        assert "The number of cases is too small to report." in html


class TestAnOwnFile:
    @pytest.fixture(autouse=True)
    def _ground(self) -> None:
        make_comparator()
        make_indicator()

    def test_is_read_in_the_unit_of_the_indicator(self) -> None:
        run(checked(PLAIN))

        assert stored() == [
            ("market", "solved", 2024, 0.85, None),
            ("market", "solved", 2025, 0.88, None),
        ]
        value = ComparatorValue.objects.get(starts_on__year=2025)
        assert (value.low, value.high, value.source) == (0.86, 0.9, "Yearbook")
        assert f"{value.ends_on}" == "2026-01-01"

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            ("0.88", "88", [2, "value", "88 is no share from 0 to 1; write 88 % for 0.88"]),
            ("0.88", "good", [2, "value", "“good” is no number"]),
            ("0.90", "0.87", [2, "value", "lies outside its own interval"]),
            ("2025-12-31", "2024-12-31", [2, "until", "is not after the first day"]),
            ("0.90,Yearbook", "0.90,", [2, "source", "is missing"]),
            (
                "Market,Solved,2024-01-01,2024-12-31",
                "Market,Solved,2025-01-01,2025-12-31",
                [3, "measure id", "an earlier row of the file says the same thing"],
            ),
        ],
    )
    def test_a_mistake_is_an_error_of_its_row(self, old: str, new: str, fault: list[Any]) -> None:
        imported = checked(PLAIN.replace(old, new, 1))

        assert imported.rows_left_out == 1
        assert imported.report == {"faults": [fault]}

    def test_what_was_withdrawn_stays_so(self) -> None:
        run(checked(PLAIN))
        first = ComparatorValue.objects.get(starts_on__year=2025)
        withdraw_value(value=first, because="A misprint.", by=SYSTEM, now=NOW)

        run(checked(PLAIN))

        assert ComparatorValue.objects.in_force().get().starts_on.year == 2024

    def test_a_cell_without_a_value_is_told(self) -> None:
        imported = checked(PLAIN.replace("0.88,0.86,0.90", ",,"))

        assert (imported.rows_left_out, told(imported)) == (
            0,
            [(2, "percent", "no value: no value")],
        )

    def test_is_for_those_who_keep_the_market(self) -> None:
        reader = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            ROW_KINDS["comparators"].open(by=reader, now=NOW)


def test_the_mapping_of_the_how_to_reads_its_file() -> None:
    page = EXAMPLE.with_suffix(".md").read_text(encoding="utf-8")
    [toml] = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    for code in ("riverbank", "hillside"):
        make_comparator(code, "competitor")
    make_indicator("nurses")

    imported = check(
        imported=kept(EXAMPLE.read_text(encoding="utf-8")),
        mapping=tomllib.loads(toml),
        by=SYSTEM,
        now=NOW,
    )
    run(imported)

    assert stored() == [
        ("hillside", "nurses", 2025, 0.76, None),
        ("riverbank", "nurses", 2025, 0.81, 412),
    ]
    assert ComparatorValue.objects.first().source == "Public survey of patients, edition of 2026"  # type: ignore[union-attr]  # two are there


def test_a_day_without_end_and_a_number_without_measure_are_told() -> None:
    make_comparator()
    make_indicator()
    head = "who,measure id,from,until,value,low,high,source,n\n"
    row = "market,solved,2025-01-01,{last},0.88,0.86,0.90,Yearbook,{n}\n"

    imported = checked(head + row.format(last="9999-12-31", n=40), FIELDS | {"n": "n"})
    assert "cannot be meant" in str(imported.report)

    imported = run(
        checked(head + row.format(last="2025-12-31", n=3_000_000_000), FIELDS | {"n": "n"})
    )
    assert told(imported) == [(2, "n", "“3000000000”: the value is taken without its number")]
    assert stored() == [("market", "solved", 2025, 0.88, None)]
