"""`manage.py import_responses`: what it says, and how it refuses."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from surveys.imports.mapping import to_toml
from surveys.imports.models import Import
from surveys.imports.services import folder
from surveys.responses.models import Response
from surveys.tests.imports.making import CSV, raw_mapping

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "visits.toml"
    path.write_text(to_toml(raw_mapping()), encoding="utf-8")
    return path


def run(tmp_path: Path, content: str, mapping: Path, **options: Any) -> str:
    path, out = tmp_path / "answers.csv", StringIO()
    path.write_text(content, encoding="utf-8")
    call_command(
        "import_responses", str(path), mapping=mapping, no_evaluate=True, stdout=out, **options
    )
    return out.getvalue()


def test_it_says_how_the_file_is_read_and_what_is_left_out(tmp_path: Path, mapping: Path) -> None:
    said = run(tmp_path, CSV, mapping)

    assert "utf-8 (guessed), cells apart by ',', 6 columns" in said
    assert "speed → speed" in said
    assert "3 read = 2 to take + 1 left out" in said
    assert "1 row left out: care “9” is outside 1 to 7 (first in row 3)" in said
    assert "2 responses are in." in said
    assert Response.objects.counted().count() == 2


def test_a_dry_run_stores_nothing(tmp_path: Path, mapping: Path) -> None:
    said = run(tmp_path, CSV, mapping, dry_run=True)

    assert "3 read = 2 to take + 1 left out" in said
    assert "are in" not in said
    assert not Response.objects.exists()
    assert not Import.objects.exists()
    assert list(folder().iterdir()) == []


def test_the_same_file_again_is_said_and_is_no_failure(tmp_path: Path, mapping: Path) -> None:
    run(tmp_path, CSV, mapping)

    said = run(tmp_path, CSV, mapping)

    assert "this very file was taken in on" in said
    assert Response.objects.count() == 2
    assert Import.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CSV.replace("branch", "office"), "unit: the file has no column branch"),
        (CSV + '4,"north,2026-02-01,7,6,\n', "row 5: a quotation mark opens here and never closes"),
        ("", "The file is empty."),
    ],
)
def test_a_refusal_says_why_and_leaves_nothing(
    tmp_path: Path, mapping: Path, content: str, message: str
) -> None:
    with pytest.raises(CommandError, match=message) as refused:
        run(tmp_path, content, mapping)

    assert refused.value.returncode == 1
    assert not Import.objects.exists()
    assert not Response.objects.exists()
    assert list(folder().iterdir()) == []


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no mapping"):
        run(tmp_path, CSV, tmp_path / "none.toml")
