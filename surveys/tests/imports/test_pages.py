"""The pages of imports, without scripts: give a file, decide, check, take, read the report."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.files.making import workbook
from surveys.imports.mapping import to_toml
from surveys.imports.models import Import
from surveys.imports.services import folder
from surveys.responses.models import Response
from surveys.tests.imports.making import CSV, checked, raw_mapping

pytestmark = pytest.mark.django_db

LIST = "/surveys/imports/"


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def as_user(name: str, role: Role | None, unit: Unit | None = None) -> Client:
    user: User = make_user(name)
    if role:
        give_role(user, role, unit)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def whole() -> Unit:
    unit = make_unit("whole")
    make_unit("north", parent=unit)
    make_unit("south", parent=unit)
    return unit


@pytest.fixture
def ana(whole: Unit) -> Client:
    return as_user("ana", Role.ANALYST)


@pytest.fixture
def ada() -> Client:
    return as_user("ada", Role.ADMINISTRATOR)


def upload(client: Client, content: str | bytes, *mappings: str, name: str = "a.csv") -> Any:
    data = content.encode() if isinstance(content, str) else content
    files: dict[str, Any] = {"file": SimpleUploadedFile(name, data)}
    if mappings:
        files["mapping"] = [
            SimpleUploadedFile(f"m{n}.toml", text.encode()) for n, text in enumerate(mappings)
        ]
    return client.post(LIST, files)


def form_of(client: Client, url: str) -> dict[str, Any]:
    """What a browser would send if nothing were changed."""
    form = client.get(url).context["form"]
    return {
        name: value
        for name, field in form.fields.items()
        if (value := form.get_initial_for_field(field, name)) not in (None, False)
    }


class TestGuided:
    def test_a_file_goes_from_upload_to_answers(self, ana: Client) -> None:
        answer = upload(ana, CSV)
        imported = Import.objects.get()
        columns = reverse("surveys:imports-columns", args=[imported.pk])
        assert answer.headers["Location"] == columns

        sent = form_of(ana, columns)
        assert [sent[f"role-{at}"] for at in range(3)] == ["key", "unit", "date"]
        sent |= {"campaign": "Our visits", "low": 1, "high": 7, "role-3": "new", "role-4": "new",
                 "role-5": "comment", "missing": "99", "judge": "on"}  # fmt: skip
        answer = ana.post(columns, sent)
        detail = reverse("surveys:imports-detail", args=[imported.pk])
        assert answer.headers["Location"] == detail
        page = ana.get(detail).content.decode()
        assert "Take 2 rows in" in page
        assert "is outside 1 to 7" in page
        assert not Response.objects.exists()

        ana.post(reverse("surveys:imports-take", args=[imported.pk]))
        waiting = ana.get(detail, headers={"HX-Request": "true"}).content.decode()
        assert 'hx-trigger="every 1s"' in waiting
        assert "<html" not in waiting
        run_inline(Job.objects.get(kind="surveys.import"), now=NOW)

        assert "2 answers are in" in ana.get(detail).content.decode()
        assert list(Response.objects.order_by("id").values_list("answers", flat=True)) == [
            {"speed": 7, "care": 6, "told": "quick"},
            {"care": 5},
        ]
        assert list(folder().iterdir()) == []

    def test_an_empty_house_is_furnished_by_an_administrator(self, ada: Client) -> None:
        upload(ada, CSV)
        imported = Import.objects.get()
        columns = reverse("surveys:imports-columns", args=[imported.pk])
        sent = form_of(ada, columns)
        assert sent["unit-value-0"] == "new"
        ada.post(columns, sent | {"role-3": "new", "role-4": "new", "low": 1, "high": 9})

        ada.post(reverse("surveys:imports-take", args=[imported.pk]))

        assert set(Unit.objects.values_list("code", flat=True)) == {
            "organisation",
            "north",
            "south",
        }

    def test_what_the_guess_misses_is_said_where_it_is_to_be_chosen(self, ana: Client) -> None:
        upload(ana, CSV)
        columns = reverse("surveys:imports-columns", args=[Import.objects.get().pk])

        answer = ana.post(columns, form_of(ana, columns) | {"role-1": "", "low": 5, "high": 3})

        assert answer.status_code == 400
        assert "The highest answer must be above the lowest." in answer.content.decode()
        answer = ana.post(columns, form_of(ana, columns) | {"role-1": "", "role-3": "new"})
        assert "say where the unit stands (column), or which one it is" in answer.content.decode()
        assert Import.objects.get().mapping == {}

    def test_the_values_of_another_column_can_be_asked_for(self, ana: Client) -> None:
        upload(ana, CSV)
        columns = reverse("surveys:imports-columns", args=[Import.objects.get().pk])

        answer = ana.post(columns, form_of(ana, columns) | {"role-5": "segment", "update": "1"})

        assert answer.status_code == 200
        assert "segment-value-0" in answer.content.decode()


class TestWithMapping:
    def test_files_that_extend_each_other_come_together(self, ada: Client) -> None:
        wave = 'extends = "m0.toml"\n[campaign]\ncode = "may"\n'

        answer = upload(ada, CSV, to_toml(raw_mapping()), wave)

        imported = Import.objects.get()
        assert answer.headers["Location"] == reverse("surveys:imports-detail", args=[imported.pk])
        assert (imported.rows_read, imported.rows_taken) == (3, 2)
        assert imported.mapping["campaign"] == {"code": "may", "name": "Visits"}

    def test_a_wrong_one_is_refused_by_key(self, ada: Client) -> None:
        answer = upload(ada, CSV, to_toml(raw_mapping(colums={"a": "b"})))

        assert answer.status_code == 400
        assert "did you mean “columns”?" in answer.content.decode()
        assert not Import.objects.exists()

    def test_one_that_does_not_fit_the_file_can_be_mended_as_text(self, ada: Client) -> None:
        raw = raw_mapping(unit={"column": "office"})
        answer = upload(ada, CSV, to_toml(raw))
        url = reverse("surveys:imports-text", args=[Import.objects.get().pk])
        assert answer.headers["Location"] == url
        assert "the file has no column office" in ada.get(url).content.decode()

        answer = ada.post(url, {"text": to_toml(raw_mapping())})

        assert answer.headers["Location"].endswith(f"/{Import.objects.get().pk}/")
        assert Import.objects.get().rows_taken == 2

    @pytest.mark.parametrize("items", [5, [{"code": ["speed"]}], ["speed"]])
    def test_a_questionnaire_that_is_none_is_said_on_the_page_of_columns(
        self, ada: Client, items: object
    ) -> None:
        raw = raw_mapping(instrument=raw_mapping()["instrument"] | {"items": items})
        upload(ada, CSV, to_toml(raw))

        answer = ada.get(reverse("surveys:imports-columns", args=[Import.objects.get().pk]))

        assert answer.status_code == 400
        assert "The questionnaire cannot be used as it is" in answer.content.decode()

    def test_it_is_given_back_as_a_file(self, ada: Client) -> None:
        imported = checked()

        answer = ada.get(reverse("surveys:imports-file", args=[imported.pk]))

        assert answer.headers["Content-Type"] == "application/toml"
        assert tomllib.loads(answer.content.decode()) == raw_mapping()


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.csv", "The submitted file is empty."),
        (b"PK\x03\x04x", "a.xlsx", "not an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "a.xls", "old .xls workbook"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x81\x8d" * 90, "a.csv", "neither text in a known encoding"),
    ],
)
def test_a_file_that_is_none_is_refused_on_the_page(
    ana: Client, content: bytes, name: str, message: str
) -> None:
    answer = upload(ana, content, name=name)

    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert not Import.objects.exists()
    assert list(folder().iterdir()) == []


def test_a_workbook_is_looked_at_too(ana: Client) -> None:
    upload(ana, workbook([line.split(",") for line in CSV.splitlines()]), name="a.xlsx")

    page = ana.get(reverse("surveys:imports-columns", args=[Import.objects.get().pk]))
    assert "Sheet “Answers”, 6 columns." in page.content.decode()


def test_what_was_left_out_comes_as_a_file_that_no_spreadsheet_runs(ana: Client) -> None:
    imported = checked(CSV + '4,north,2026-02-01,"=HYPERLINK(1)",2,\n')

    content = ana.get(reverse("surveys:imports-left-out", args=[imported.pk])).content.decode()

    assert content.splitlines()[2] == "5,speed,'=HYPERLINK(1),is no whole number from 1 to 7,row"


def test_a_file_can_be_forgotten(ana: Client) -> None:
    upload(ana, CSV)

    ana.post(reverse("surveys:imports-discard", args=[Import.objects.get().pk]))

    assert not Import.objects.exists()
    assert list(folder().iterdir()) == []


class TestPermission:
    @pytest.mark.parametrize("role", [Role.MANAGER, Role.HR, None])
    def test_who_does_not_run_surveys_sees_nothing_and_changes_nothing(
        self, whole: Unit, role: Role | None
    ) -> None:
        imported = checked()
        client = as_user("mei", role, whole if role == Role.MANAGER else None)

        assert upload(client, CSV).status_code == 403
        for name in ("detail", "columns", "text", "file", "left-out"):
            url = reverse(f"surveys:imports-{name}", args=[imported.pk])
            assert client.get(url).status_code == 403
        for name in ("take", "discard"):
            url = reverse(f"surveys:imports-{name}", args=[imported.pk])
            assert client.post(url).status_code == 403
        assert Import.objects.count() == 1
        assert not Job.objects.exists()

    def test_strangers_are_sent_to_log_in(self) -> None:
        answer = Client().get(LIST)

        assert answer.status_code == 302
        assert "log-in" in answer.headers["Location"]


def test_the_list_costs_the_same_however_long_it_is(
    ana: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        checked(CSV, name=f"f{number}.csv")

    with django_assert_max_num_queries(12):
        assert "f11.csv" in ana.get(LIST).content.decode()
