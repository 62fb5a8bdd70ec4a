"""What cells mean: answers, units, days, weights, keys; what is said of those that mean nothing."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from sqcore.base.errors import InvalidInput
from sqcore.files.importers import Row
from sqcore.files.personal import looks_personal
from sqcore.tests.factories import TODAY
from surveys.imports.mapping import ImportMapping, read_mapping
from surveys.imports.reading import Draft, Plan, make_plan
from surveys.tests.imports.making import raw_mapping


@dataclass
class Question:
    code: str
    kind: str = "scale"
    low: int = 1
    high: int = 7
    allows_na: bool = True
    options: list[dict[str, Any]] = field(default_factory=list)


ITEMS = [
    Question("speed"),
    Question("care", allows_na=False),
    Question("told", kind="comment"),
    Question("way", kind="choice", options=[{"code": "app"}, {"code": "desk"}]),
]
HEADER = ("id", "branch", "day", "speed", "care", "told", "way", "w")


def plan_for(header: tuple[str, ...] = HEADER, **over: Any) -> Plan:
    return make_plan(mapping_for(**over), header, ITEMS, today=TODAY)


def mapping_for(**over: Any) -> ImportMapping:
    columns = {"speed": "speed", "care": "care", "told": "told", "way": "way"}
    return read_mapping(raw_mapping(columns=columns, weight={"column": "w"}) | over)


def read(plan: Plan, *cells: str) -> tuple[Draft | None, list[tuple[str, str, str]]]:
    draft, faults = plan.read(Row(7, cells))
    return draft, [(fault.column, fault.value, fault.reason) for fault in faults]


GOOD = ("a-1", "North", "2026-02-01", "7", "6.0", " quick ", "App", "0.25")


def test_a_good_row_becomes_a_draft() -> None:
    draft, faults = read(plan_for(), *GOOD)

    assert faults == []
    assert draft == Draft(
        row=7,
        answers={"speed": 7, "care": 6, "told": "quick", "way": "app"},
        unit="north",
        answered_on=date(2026, 2, 1),
        weight=250,
        key="a-1",
    )


@pytest.mark.parametrize(
    ("at", "cell", "reason"),
    [
        (3, "8", "is outside 1 to 7"),
        (3, "0", "is outside 1 to 7"),
        (3, "4.5", "is no whole number from 1 to 7"),
        (3, "1e999", "is no whole number from 1 to 7"),
        (3, "good", "is no whole number from 1 to 7"),
        (4, "99", "“not applicable” is not possible here"),
        (6, "post", "is none of the options"),
        (1, "", "the unit is missing"),
        (2, "", "the day is missing"),
        (2, "17.5.2026", "is no day written 2026-05-17"),
        (2, "2026-03-03", "is a day in the future"),
        (2, "1899-12-31", "is before 1900"),
        (7, "0", "is no weight above 0 and up to 1000"),
        (7, "-1", "is no weight above 0 and up to 1000"),
        (7, "1e999", "is no weight above 0 and up to 1000"),
        (7, "nan", "is no weight above 0 and up to 1000"),
        (7, "0.0001", "is no weight above 0 and up to 1000"),
        (0, " ", "the key is missing"),
        (0, "k" * 121, "has more than 120 characters"),
    ],
)
def test_a_cell_that_means_nothing_costs_the_row_and_is_named(
    at: int, cell: str, reason: str
) -> None:
    cells = [*GOOD[:at], cell, *GOOD[at + 1 :]]

    draft, faults = read(plan_for(), *cells)

    assert draft is None
    assert faults == [(HEADER[at], cell if len(cell) <= 40 else cell[:40] + "…", reason)]


def test_a_row_names_everything_that_is_wrong_with_it() -> None:
    draft, faults = read(plan_for(), "1", "", "never", "9", "6", "", "", "1")

    assert draft is None
    assert [column for column, _value, _reason in faults] == ["speed", "branch", "day"]


def test_an_answer_alone_may_be_dropped() -> None:
    plan = plan_for(answers={"outside": "answer"})

    draft, faults = read(plan, "1", "north", "2026-02-01", "9", "6", "", "", "1")

    assert draft is not None
    assert draft.answers == {"care": 6}
    assert faults == [("speed", "9", "is outside 1 to 7")]


def test_not_applicable_is_kept_and_missing_is_not() -> None:
    plan = plan_for(answers={"not_applicable": [6], "missing": [0, "n/a"]})

    draft, faults = read(plan, "1", "north", "2026-02-01", "6", "N/A", "n/a", "", "1")

    assert faults == []
    assert draft is not None
    assert draft.answers == {"speed": "na"}


def test_a_row_without_any_answer_is_left_out() -> None:
    assert read(plan_for(), "1", "north", "2026-02-01", "", "", "", "", "1") == (
        None,
        [("", "", "answers no question")],
    )


def test_words_are_mapped_and_a_scale_that_runs_the_other_way_is_turned() -> None:
    plan = plan_for(
        answers={"reversed": True},
        columns={"speed": {"column": "speed", "values": {"Very  good": 7, "none": "na"}}},
    )

    meanings = [plan.items["speed"].meaning(["", "", "", cell]) for cell in ("very good", "1", "3")]

    assert meanings == [7, 7, 5]
    assert plan.items["speed"].meaning(["", "", "", "NONE"]) == "na"


def test_a_gate_tells_the_unit() -> None:
    unit = {
        "column": "branch",
        "values": {"x": "south"},
        "ranges": {"1-12": "north", "20": "south"},
    }
    plan = plan_for(unit=unit)

    def meaning(cell: str) -> Any:
        assert plan.unit is not None
        return plan.unit.meaning(["", cell])

    assert [meaning(cell) for cell in ("1", " 12 ", "20", "X")] == [
        "north",
        "north",
        "south",
        "south",
    ]
    assert [meaning(cell).reason for cell in ("13", "")] == [
        "no unit is known for it",
        "the unit is missing",
    ]


def test_a_day_may_be_written_otherwise() -> None:
    plan = plan_for(date={"column": "day", "format": "%m/%d/%Y %I:%M:%S %p"})
    assert plan.date is not None

    assert plan.date.meaning(["", "", "05/06/2016 12:00:00 AM"]) == date(2016, 5, 6)


class TestColumns:
    def refusal(self, header: tuple[str, ...] = HEADER, **over: Any) -> dict[str, str]:
        with pytest.raises(InvalidInput) as refused:
            plan_for(header, **over)
        return {problem.field: problem.reason for problem in refused.value.problems}

    def test_the_name_that_the_file_has_is_read(self) -> None:
        plan = plan_for(("id", "branch", "day", "Q7ALL", "w"), columns={"speed": ["Q6N", "q7all"]})

        assert plan.items["speed"].name == "Q7ALL"
        assert plan.absent == ()

    def test_an_item_whose_column_is_not_there_is_absent(self) -> None:
        assert plan_for(HEADER[:6] + HEADER[7:]).absent == ("way",)

    def test_two_names_of_one_item_in_the_file_are_refused(self) -> None:
        found = self.refusal(columns={"speed": ["speed", "care"]})

        assert found == {"columns.speed": "the file has more than one of its columns: speed, care"}

    def test_two_columns_of_one_name_are_refused(self) -> None:
        assert self.refusal((*HEADER, "speed")) == {
            "columns.speed": "two columns of the file are called “speed”"
        }

    def test_one_column_for_two_items_is_refused(self) -> None:
        assert self.refusal(columns={"speed": "speed", "care": "speed"}) == {
            "columns.care": "“speed” is read as speed and care; choose one"
        }

    def test_missing_columns_and_unknown_items_are_named(self) -> None:
        found = self.refusal(
            columns={"sped": "speed", "care": "care"}, unit={"column": ["bank", "office"]}
        )

        assert found == {
            "columns.sped": "the questionnaire has no such question",
            "unit": "the file has no column bank or office",
        }

    def test_a_file_of_something_else_is_refused(self) -> None:
        found = self.refusal(("a", "b"))

        assert found["columns"] == "the file has none of the columns with answers"


def test_columns_that_look_personal_are_found() -> None:
    header = ("q1", "contact", "Mobile", "姓名", "id no", "MAIL")
    rows = [
        ("5", f"p{n}@example.org", "", "王小明", "11010519491231002X", str(n % 2)) for n in range(5)
    ]

    assert looks_personal(header, rows) == {
        "contact": "e-mail addresses",
        "姓名": "names",
        "id no": "identity numbers",
    }
