"""Measurements out of files: by hand on the pages, and by the command."""

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotPermitted
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, discard, folder, keep_file, look_at, take
from sqcore.identity.permissions import Role
from sqcore.jobs.runner import run_inline
from sqcore.measurements.models import Observation
from sqcore.org.models import Unit
from sqcore.tests.factories import (
    NOW,
    give_role,
    make_channel,
    make_principal,
    make_unit,
    make_user,
)
from sqcore.tests.files.making import workbook
from sqcore.tests.measurements.making import SYSTEM, measure
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

CSV = """Measure,Branch,Month,Errors,Total
errors,North,2026-01,5,200
errors,south,2026-01,7,"210"
Errors,south,2026-02,8,220
"""
FIELDS = {
    "measure": "Measure", "unit": "Branch", "period": "Month", "numerator": "Errors",
    "denominator": "Total",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _ground(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    make_unit("north")
    make_unit("south")
    measure()


def kept(content: str | bytes = CSV, name: str = "errors.csv") -> FileImport:
    data = content.encode() if isinstance(content, str) else content
    kind = ROW_KINDS["measurements"]
    return keep_file(kind=kind, file_name=name, chunks=[data], by=SYSTEM, now=NOW)


def checked(content: str | bytes = CSV, **over: Any) -> FileImport:
    mapping = {"fields": FIELDS} | over
    return check(imported=kept(content), mapping=mapping, by=SYSTEM, now=NOW)


def run(imported: FileImport, **how: Any) -> FileImport:
    run_inline(take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False, **how), now=NOW)
    imported.refresh_from_db()
    return imported


def stored() -> list[tuple[str, str, int]]:
    rows = Observation.objects.current().order_by("unit__code", "starts_on")
    return [(row.unit.code, f"{row.starts_on:%Y-%m}", row.numerator) for row in rows]


class TestTheWay:
    def test_columns_are_guessed_by_their_names(self) -> None:
        look = look_at(kept(), by=SYSTEM)

        assert {name: found.column for name, found in look.mapping.fields.items()} == FIELDS
        assert look.samples["Branch"] == ["North", "south"]

    def test_a_file_is_checked_then_taken(self) -> None:
        imported = checked()

        assert (imported.rows_read, imported.rows_left_out, stored()) == (3, 0, [])
        run(imported)

        assert stored() == [
            ("north", "2026-01", 5), ("south", "2026-01", 7), ("south", "2026-02", 8),
        ]  # fmt: skip
        assert imported.state == FileImport.State.DONE
        assert imported.report["counts"] == {
            "read": 3, "left_out": 0, "new": 3, "replaced": 0, "unchanged": 0,
        }  # fmt: skip
        assert not list(folder().iterdir())
        assert set(Observation.objects.values_list("source", flat=True)) == {"file"}

    def test_the_same_file_again_changes_nothing(self) -> None:
        run(checked())
        before = list(Observation.objects.order_by("id").values())

        again = run(checked())

        assert again.report["counts"]["unchanged"] == 3
        assert list(Observation.objects.order_by("id").values()) == before

    def test_a_workbook_with_days_is_read_alike(self) -> None:
        make_channel("phone")
        rows: list[list[Any]] = [
            ["Unit", "Date", "Way", "Errors", "Total"],
            ["North", "01.02.2026", "Phone", 1, 20],
        ]
        fields = {
            "measure": {"constant": "errors"}, "unit": "Unit", "channel": "Way",
            "starts_on": {"column": "Date", "format": "%d.%m.%Y"},
            "numerator": "Errors", "denominator": "Total",
        }  # fmt: skip

        run(checked(workbook(rows), fields=fields))

        row = Observation.objects.get()
        assert (row.channel.code if row.channel else "", row.starts_on.month) == ("phone", 2)

    def test_values_of_the_file_can_be_given_a_meaning(self) -> None:
        content = CSV.replace("North", "N-1")
        fields = FIELDS | {"unit": {"column": "Branch", "values": {"n-1": "north"}}}

        assert checked(content, fields=fields).rows_left_out == 0


class TestErrors:
    WRONG = (
        CSV + "errors,moon,2026-01,5,200\nerrors,north,2026-02,many,200\nerrors,north,2026-01,1,2\n"
    )
    FAULTS = (
        [5, "Branch", "“moon” is not known, or not yours"],
        [6, "Errors", "“many” is no number"],
        [7, "Month", "an earlier row is for the same place and period"],
    )

    def test_every_row_is_named_with_its_column(self) -> None:
        imported = checked(self.WRONG)

        assert imported.rows_left_out == 3
        assert sorted(imported.report["faults"]) == list(self.FAULTS)

    def test_one_wrong_row_refuses_the_file(self) -> None:
        imported = checked(self.WRONG)

        with pytest.raises(Conflict):
            take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False)
        assert not Observation.objects.exists()

    def test_rows_with_errors_can_be_left_out(self) -> None:
        imported = run(checked(self.WRONG), leaves_out=True)

        assert len(stored()) == 3
        assert (imported.rows_read, imported.rows_left_out) == (6, 3)

    def test_what_became_wrong_since_the_check_stores_nothing(self) -> None:
        imported = checked()
        job = take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False)
        Unit.objects.filter(code="south").update(code="west", name={})

        with pytest.raises(DomainError):
            run_inline(job, now=NOW)
        imported.refresh_from_db()
        assert imported.state == FileImport.State.REFUSED
        assert not Observation.objects.exists()

    @pytest.mark.parametrize(
        "mapping",
        [
            {},
            {"fields": {"unit": "Branch"}},
            {"fields": FIELDS | {"unit": "Site"}},
            {"fields": FIELDS | {"colour": "Branch"}},
            {"fields": FIELDS | {"unit": {"column": "Branch", "constant": "north"}}},
            {"fields": FIELDS, "leave_out": "maybe"},
            {"fields": FIELDS, "file": {"delimiter": "--"}},
            {"fields": FIELDS, "more": 1},
            {"fields": []},
        ],
    )
    def test_a_mapping_that_cannot_be_used_is_refused(self, mapping: dict[str, Any]) -> None:
        imported = kept()

        with pytest.raises(InvalidInput):
            check(imported=imported, mapping=mapping, by=SYSTEM, now=NOW)
        imported.refresh_from_db()
        assert imported.state == FileImport.State.GIVEN

    def test_what_is_no_table_is_not_kept(self) -> None:
        with pytest.raises(InvalidInput):
            kept(b"\x89PNG\x00\x01")
        assert not FileImport.objects.exists()
        assert not list(folder().iterdir())

    def test_a_file_that_is_in_cannot_be_forgotten_or_read_otherwise(self) -> None:
        imported = run(checked())

        with pytest.raises(Conflict):
            discard(imported=imported, by=SYSTEM)
        with pytest.raises(Conflict):
            check(imported=imported, mapping={"fields": FIELDS}, by=SYSTEM, now=NOW)

    def test_who_may_not_take_measurements_in_gives_no_file(self) -> None:
        with pytest.raises(NotPermitted):
            keep_file(
                kind=ROW_KINDS["measurements"], file_name="a.csv", chunks=[CSV.encode()],
                by=make_principal({}), now=NOW,
            )  # fmt: skip
        assert not list(folder().iterdir())


class TestPages:
    def client(self, role: Role = Role.ANALYST) -> Client:
        user = make_user("ana")
        give_role(user, role)
        client = Client()
        client.force_login(user)
        return client

    def test_from_the_file_to_the_report(self) -> None:
        client = self.client()
        file = SimpleUploadedFile("errors.csv", CSV.encode())

        columns = client.post("/files/measurements/", {"file": file}, follow=True)
        assert faults_of(columns.content.decode()) == []
        data = {f"{name}-column": column for name, column in FIELDS.items()}
        report = client.post(columns.request["PATH_INFO"], data, follow=True)
        assert faults_of(report.content.decode()) == []
        assert "Take 3 rows in" in report.content.decode()
        imported = FileImport.objects.get()
        client.post(f"/files/{imported.pk}/take/")

        imported.refresh_from_db()
        assert imported.state == FileImport.State.RUNNING
        assert b"measure = { column" in client.get(f"/files/{imported.pk}/mapping.toml").content
        listed = client.get("/files/measurements/").content.decode()
        assert "errors.csv" in listed
        assert faults_of(listed) == []

    def test_a_column_too_few_is_said_beside_the_field(self) -> None:
        client = self.client()
        imported = kept()

        answer = client.post(f"/files/{imported.pk}/columns/", {"unit-column": "Branch"})

        assert answer.status_code == 400
        assert "This is needed." in answer.content.decode()

    def test_rows_with_errors_are_shown_and_can_be_forgotten(self) -> None:
        client = self.client()
        imported = checked(TestErrors.WRONG)

        shown = client.get(f"/files/{imported.pk}/report/").content.decode()

        assert "Leave rows with errors out, take 3 rows in" in shown
        assert "“many” is no number" in shown
        client.post(f"/files/{imported.pk}/discard/")
        assert not FileImport.objects.exists()

    def test_others_see_no_files(self) -> None:
        client = self.client(Role.HR)
        imported = checked()

        assert client.get("/files/measurements/").status_code == 403
        assert client.get(f"/files/{imported.pk}/report/").status_code == 404
        assert client.get("/files/wonders/").status_code == 404


class TestCommand:
    def command(self, tmp_path: Path, content: str, *options: str) -> None:
        file, mapping = tmp_path / "errors.csv", tmp_path / "errors.toml"
        file.write_text(content, encoding="utf-8")
        lines = [f'{name} = "{column}"' for name, column in FIELDS.items()]
        mapping.write_text("\n".join(["[fields]", *lines]), encoding="utf-8")
        call_command("import_measurements", str(file), "--mapping", str(mapping), *options)

    def test_it_takes_a_file_in(self, tmp_path: Path, capsys: Any) -> None:
        self.command(tmp_path, CSV)

        assert len(stored()) == 3
        assert "3 read, 0 left out, 3 new" in capsys.readouterr().out

    def test_a_dry_run_stores_nothing(self, tmp_path: Path) -> None:
        self.command(tmp_path, CSV, "--dry-run")

        assert not Observation.objects.exists()
        assert not FileImport.objects.exists()

    def test_errors_refuse_the_file_unless_they_are_left_out(
        self, tmp_path: Path, capsys: Any
    ) -> None:
        with pytest.raises(CommandError):
            self.command(tmp_path, TestErrors.WRONG)
        assert not Observation.objects.exists()
        assert "row 6, Errors: “many” is no number" in capsys.readouterr().out

        self.command(tmp_path, TestErrors.WRONG, "--leave-out")
        assert len(stored()) == 3


class TestStrangeFiles:
    @pytest.mark.parametrize("start", [b"%PDF-1.7\n1 0 obj\n", b"<!DOCTYPE html>\n", b"{\\rtf1 "])
    def test_what_is_no_table_is_refused_by_what_it_is(self, start: bytes) -> None:
        with pytest.raises(InvalidInput, match="whatever its name says"):
            kept(start + b"measure,unit\n")

        assert not FileImport.objects.exists()

    def test_a_sheet_of_a_workbook_is_chosen_on_the_page(self, client: Client) -> None:
        book = openpyxl.Workbook()
        book.worksheets[0].append(["Just a note"])
        sheet = book.create_sheet("Data & more")
        sheet.append(["Measure", "Branch", "Month", "Errors", "Total"])
        sheet.append(["errors", "north", "2026-01", 5, 200])
        file = io.BytesIO()
        book.save(file)
        imported = kept(file.getvalue(), "errors.xlsx")
        user = make_user("ada")
        give_role(user, Role.ADMINISTRATOR)
        client.force_login(user)
        page = f"/files/{imported.pk}/columns/"
        assert "?sheet=Data%20%26%20more" in client.get(page).content.decode()
        columns = {f"{name}-column": column for name, column in FIELDS.items()}

        answer = client.post(page, columns | {"sheet": "Data & more"})

        assert answer.status_code == 302
        imported.refresh_from_db()
        assert (imported.rows_read, imported.rows_left_out) == (1, 0)
        assert imported.mapping["file"] == {"sheet": "Data & more"}
