"""The tiny bank of docs/methods/bank-example.md: every number of the page, from the rows."""

import re
from datetime import date
from math import sqrt
from pathlib import Path

import pytest
from scipy import stats

from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.services import evaluate_due
from sqcore.evaluation.wording import verdict_of
from sqcore.indicators.definition import SystemDefinition
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import (
    BEFORE,
    SYSTEM,
    MemorySource,
    branch,
    indicator,
    months_later,
    tree_system,
)
from sqcore.tests.factories import make_unit

PAGE = Path(__file__).parents[3] / "docs" / "methods" / "bank-example.md"
DAY = date(2026, 1, 9)
ANSWERS = {"north": (4, 5, 5, 6, 6, 7), "south": (3, 4, 5, 6, 7)}
ENCOUNTERS: dict[str, tuple[tuple[int, ...], ...]] = {
    "north": (
        (4, 1, 0),
        (6, 1, 0),
        (8, 1, 0),
        (10, 1, 0),
        (10, 0, 1),
        (12, 1, 0),
        (14, 0, 0),
        (16, 1, 0),
    ),
    "south": ((6, 1), (12, 1), (18, 0), (24, 0)),
}


@pytest.fixture
def bank(db: None, source: MemorySource, desk: MemorySource) -> dict[str, Unit]:
    """Evaluate the bank of the page."""
    root = make_unit("bank")
    units = {"bank": root} | {code: make_unit(code, parent=root) for code in ANSWERS}
    indicator("errors", source="desk", statistic="proportion", direction="lower")
    satisfaction = indicator("satisfaction", source="memory", of="overall")
    waiting = indicator("waiting", source="desk", direction="lower", unit_of_measure="min")
    solved = indicator("solved", source="desk", statistic="proportion")
    faultless = indicator("faultless", formula="1 - [errors]")
    set_target(indicator=waiting, value=10, floor=20, on=date(2026, 1, 1), by=SYSTEM, now=BEFORE)
    tree_system(
        [
            branch("experience", 0.4, Leaf(satisfaction, 1, 1, 7)),
            branch(
                "process",
                0.6,
                Leaf(waiting, 0.5, 30, 0),
                Leaf(solved, 0.3, 0.5, 1),
                Leaf(faultless, 0.2, 0.8, 1),
            ),
        ]
    )
    for code, values in ANSWERS.items():
        source.add(units[code], DAY, *[{"overall": value} for value in values])
    names = ("waiting", "solved", "errors")
    for code, rows in ENCOUNTERS.items():
        for minutes, *rest in rows:
            measured = dict(zip(names, (60 * minutes, *rest), strict=False))
            desk.add(units[code], DAY, measured)
    evaluate_due(now=months_later(1))
    return units


def _rows(unit: Unit) -> list[str]:
    rows = KpiValue.objects.filter(unit=unit, margin="").order_by("id")
    return [_line(row) for row in rows]


def _line(row: KpiValue) -> str:
    def between(low: float | None, high: float | None, digits: int) -> str:
        return "" if low is None else f"{low:.{digits}f} to {high:.{digits}f}"

    value = "" if row.value is None else f"{row.value:.4f}"
    cells = [
        row.code,
        value,
        between(row.low, row.high, 4),
        f"{row.score:.3f}",
        between(row.score_low, row.score_high, 3),
        f"{row.n}",
        f"{row.coverage:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.read_text().split(f"### {title}\n")[1], flags=re.M)[0]


@pytest.mark.parametrize("code", ["north", "south", "bank"])
def test_the_tables_of_the_page_are_the_rows(bank: dict[str, Unit], code: str) -> None:
    lines = [line for line in _section(code.title()).splitlines() if line.startswith("|")]

    assert lines[2:] == _rows(bank[code])


def test_the_steps_of_the_page_lead_to_the_rows(bank: dict[str, Unit]) -> None:
    variance = (
        (100 / 30 / 2) ** 2 * 112 / 56
        + 60**2 * 1.5 / 56
        + 100**2 * 0.875 / 56
        + 2 * (100 / 30 / 2) * 60 * 4 / 56
        + 2 * 60 * 100 * 0.75 / 56
    )
    experience = (100 / 6) ** 2 * 5.5 / 30
    parts = 0.16 * experience, 0.36 * variance
    df = sum(parts) ** 2 / (parts[0] ** 2 / 5 + parts[1] ** 2 / 7)
    t5, t7, t = (float(stats.t.ppf(0.975, d)) for d in (5, 7, df))
    page = PAGE.read_text()
    said = {
        "2.57058": t5,
        "2.36462": t7,
        "2.32059": t,
        ".42817": sqrt(5.5 / 5 / 6),
        "1.41421": sqrt(112 / 7 / 8),
        "433.234": variance,
        "20.8143": sqrt(variance),
        "49.218": t7 * sqrt(variance),
        "105.051": 55.8333333 + t7 * sqrt(variance),
        "50.926": experience,
        "8.148": parts[0],
        "155.964": parts[1],
        "164.113": sum(parts),
        "12.8106": sqrt(sum(parts)),
        "7.721": df,
        "29.728": t * sqrt(sum(parts)),
        "31.25": (0.5 * 50 + 0.3 * 0) / 0.8,
        "45.417": 0.4 * 66.6666667 + 0.6 * 31.25,
    }
    for text, number in said.items():
        assert text in page
        assert number == pytest.approx(float(text), abs=0.6 * 10 ** -len(text.split(".")[1]))
    composite = KpiValue.objects.get(unit=bank["north"], margin="", code="composite")
    assert composite.score == pytest.approx(63.5)
    assert composite.score_high == pytest.approx(63.5 + t * sqrt(sum(parts)))


def test_the_verdicts_of_the_page_are_those_of_the_pages(bank: dict[str, Unit]) -> None:
    for code, unit in bank.items():
        row = KpiValue.objects.get(unit=unit, margin="", code="waiting")
        run = SystemDefinition.from_json(row.run.definition)
        leaf = run.indicator("waiting")
        assert leaf is not None
        found = verdict_of(
            row.value, row.low, row.high, target=leaf.target, floor=leaf.floor, rising=False
        )
        assert found is not None
        line = (
            f"| {code.title()} | {row.value:.1f} | {row.low:.1f} to {row.high:.1f} | {found.text} |"
        )
        assert line in PAGE.read_text()
