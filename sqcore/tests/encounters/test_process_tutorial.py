"""docs/tutorials/process-map.md, step by step, on the extract of the log."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from sqcore.encounters.models import Encounter
from sqcore.encounters.process import Asked
from sqcore.encounters.process_page import ProcessPage, process_page
from sqcore.identity.principals import system_principal
from sqcore.tests.encounters.hospital import FILE
from sqcore.tests.factories import NOW, make_unit

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorials" / "process-map.md"
MAPPING = ROOT / "docs" / "tutorials" / "hospital" / "events.toml"


@pytest.fixture
def said(settings: Any, tmp_path: Path) -> str:
    """What the command says."""
    settings.MEDIA_ROOT = tmp_path
    make_unit("hospital")
    told = StringIO()
    call_command(
        "import_encounters", str(FILE), "--mapping", str(MAPPING),
        "--kind=events", "--leave-out", stdout=told,
    )  # fmt: skip
    return told.getvalue()


def page_of(period: str) -> ProcessPage:
    page = process_page(
        principal=system_principal("test"), asked=Asked(period=period, against="none"), now=NOW
    )
    assert page is not None
    return page


def test_the_event_without_a_case_is_named(said: str) -> None:
    assert "2,032 rows, 1 with errors" in said
    assert Encounter.objects.count() == 400


def test_the_page_says_what_the_tutorial_says(said: str) -> None:
    text = " ".join(PAGE.read_text().replace("\n> ", "\n").split())
    page = page_of("2013")

    assert page.bottleneck in text
    for row in page.stretches[:3]:
        assert f"| {row.name} | {row.text} |" in text
    for path in page.paths[:2]:
        assert f"| {' → '.join(path.stages)} | {path.n} | {path.share} |" in text
