"""The tutorial's mappings on an extract of the real survey: seven waves, none like the other.

The expected figures are computed here from the files themselves, without any code of the product.
"""

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count

from sqcore.org.models import Organisation
from sqcore.org.queries import tree_on
from surveys.imports.models import Import
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response
from surveys.tests.imports.making import DATA

pytestmark = pytest.mark.django_db

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorials" / "sfo"
OVERALL = {2010: "Q6N", 2011: "Q8N", 2012: "Q8N_WHOLE", 2013: "Q7O_WHOLE"}
WAVES = range(2010, 2017)


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def import_wave(year: int) -> None:
    call_command(
        "import_responses",
        str(DATA / "sfo" / f"{year}.csv"),
        mapping=TUTORIAL / f"{year}.toml",
        no_evaluate=True,
        verbosity=0,
    )


def rows_of(year: int) -> list[dict[str, str]]:
    with (DATA / "sfo" / f"{year}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def in_file(year: int) -> tuple[int, int, int]:
    """n, the sum of weights and of weighted ratings of the airport as a whole, from the file."""
    column = OVERALL.get(year, "Q7ALL")
    rated = [row for row in rows_of(year) if row[column] in set("12345")]
    weights = [round(float(row.get("WEIGHT", "1")) * 1000) for row in rated]
    total = sum(weight * int(row[column]) for weight, row in zip(weights, rated, strict=True))
    return len(rated), sum(weights), total


def in_database(year: int) -> tuple[int, int, int]:
    rated = [
        (answers["overall"], weight)
        for answers, weight in Response.objects.filter(
            campaign__code=f"sfo-{year}", withdrawn=False
        ).values_list("answers", "weight")
        if isinstance(answers.get("overall"), int)
    ]
    return len(rated), sum(w for _r, w in rated), sum(w * rating for rating, w in rated)


@pytest.mark.parametrize("year", WAVES)
def test_a_wave_has_the_ratings_of_its_file(year: int) -> None:
    import_wave(year)

    assert in_database(year) == in_file(year)
    assert set(Response.objects.values_list("answered_on__year", "finest_grain")) == {
        (year, "year")
    }


def test_the_figures_of_the_extract() -> None:
    """Pinned, so that both ways of computing them cannot drift together."""
    assert {year: in_file(year) for year in (2010, 2011, 2016)} == {
        2010: (57, 56247, 221808),
        2011: (59, 59000, 230000),
        2016: (53, 55101, 216351),
    }


def test_gates_and_letters_lead_to_the_same_boarding_areas() -> None:
    for year in (2012, 2014):
        import_wave(year)

    letters = Counter(f"area-{row['AREA'].lower()}" for row in rows_of(2014) if _answers(row))
    counted = Response.objects.filter(campaign__code="sfo-2014")
    assert dict(counted.values_list("unit__code").annotate(n=Count("id"))) == letters
    by_gate = Response.objects.filter(campaign__code="sfo-2012", unit__code="area-a")
    assert by_gate.count() == sum(1 for row in rows_of(2012) if int(row["GATE"]) <= 12)


def _answers(row: dict[str, str]) -> bool:
    return any(
        value not in ("", "0") for name, value in row.items() if name[:2] in ("Q7", "Q9", "Q1")
    )


def test_seven_waves_share_one_questionnaire_and_one_tree() -> None:
    for year in WAVES:
        import_wave(year)

    assert InstrumentVersion.objects.count() == 1
    assert Organisation.objects.get().time_zone == "America/Los_Angeles"
    assert len(tree_on(date(2016, 1, 1)).parents) == 12
    totals = Import.objects.values_list("rows_read", "rows_taken", "rows_left_out")
    assert all(read == taken + left_out for read, taken, left_out in totals)
    assert sum(taken for _read, taken, _left_out in totals) == Response.objects.count()
    assert set(Response.objects.values_list("segment__code", flat=True)) == {
        "business",
        "holiday",
        "visit",
        "other-purpose",
    }


def test_a_guest_who_rated_nothing_is_left_out_and_named() -> None:
    import_wave(2010)

    imported = Import.objects.get()
    assert (imported.rows_read, imported.rows_taken) == (61, 60)
    assert [fault[3] for fault in imported.report["faults"]] == ["answers no question"]


def test_0_and_6_are_no_ratings() -> None:
    import_wave(2016)

    given = Counter(
        answer
        for answers in Response.objects.values_list("answers", flat=True)
        for answer in answers.values()
    )
    assert set(given) == {1, 2, 3, 4, 5, "na"}
