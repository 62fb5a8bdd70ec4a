"""The mapping: what it may say, how it builds on another, how it refuses what it cannot mean."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from surveys.imports.mapping import (
    read_mapping,
    read_mapping_file,
    read_mapping_texts,
    to_toml,
)
from surveys.tests.imports.making import raw_mapping

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorials" / "sfo"


def refusal(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_mapping(raw)
    return {problem.field: problem.reason for problem in refused.value.problems}


def test_a_small_mapping_is_read_whole() -> None:
    mapping = read_mapping(raw_mapping())

    assert mapping.campaign.code == "visits"
    assert mapping.columns["speed"].names == ("speed",)
    assert mapping.columns["speed"].not_applicable == {"99"}
    assert [place.parent for place in mapping.units] == ["", "whole", "whole"]
    assert mapping.date.known_by == Grain.DAY


def test_an_unknown_key_is_refused_with_what_was_meant() -> None:
    assert refusal(raw_mapping(weights={"column": "w"}, anwsers={})) == {
        "weights": "is no key of a mapping; did you mean “weight”?",
        "anwsers": "is no key of a mapping; did you mean “answers”?",
    }


def test_every_problem_is_named_at_once() -> None:
    raw = raw_mapping(
        campaign={"code": "x", "mode": "secret", "wave": "May"},
        unit={"ranges": {"1-12": "a", "9-20": "b", "x": "c", "5-4": "d"}},
        answers={"outside": "week", "reversed": "yes"},
        file={"delimiter": ";;", "header_row": 0},
    )

    found = refusal(raw)

    assert found["campaign.mode"] == "must be one of anonymous, confidential, identified"
    assert found["campaign.wave"].startswith("“May” names no period")
    assert found["answers.outside"] == "must be one of row, answer"
    assert found["answers.reversed"] == "must be true or false"
    assert found["file.delimiter"] == "must be one character, such as “,” or “;”"
    assert found["file.header_row"] == "must be a row from 1 to 1000"
    assert "unit.ranges" in found
    assert found["unit"] == "say where the unit stands (column), or which one it is (constant)"


def test_ranges_that_overlap_are_refused() -> None:
    raw = raw_mapping(unit={"column": "gate", "ranges": {"1-12": "a", "12-20": "b"}})

    assert refusal(raw) == {"unit.ranges": "a and b overlap at 12"}


def test_a_wave_and_a_day_together_are_refused() -> None:
    raw = raw_mapping(campaign={"code": "x", "wave": "2016"})

    assert refusal(raw) == {
        "date": "give either a column with the day or a wave in [campaign], not both"
    }


class TestExtends:
    def test_tables_are_joined_and_the_rest_is_replaced(self) -> None:
        mapping = read_mapping_texts(
            {
                "base.toml": to_toml(raw_mapping()),
                "may.toml": 'extends = "base.toml"\n[campaign]\nname = "May"\n'
                '[columns]\nspeed = ["Q1", "F1"]\n[answers]\nnot_applicable = [8, "x"]\n',
            }
        )

        assert (mapping.campaign.code, mapping.campaign.name) == ("visits", {"en": "May"})
        assert mapping.columns["speed"].names == ("Q1", "F1")
        assert mapping.columns["care"].names == ("care",)
        assert mapping.columns["care"].not_applicable == {"8", "x"}

    def test_the_tutorials_waves_are_all_read(self) -> None:
        waves = {year: read_mapping_file(TUTORIAL / f"{year}.toml") for year in range(2010, 2017)}

        assert {year: wave.campaign.wave for year, wave in waves.items()} == {
            year: Period(date(year, 1, 1), Grain.YEAR) for year in waves
        }
        assert waves[2011].columns["overall"].names == ("Q8N",)
        assert waves[2016].columns["overall"].names == ("Q8N_WHOLE", "Q7O_WHOLE", "Q7ALL")
        assert waves[2012].weight == ()

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("../base.toml", "not beside it"),
            ("none.toml", "not beside it"),
            ("a.toml", "more than"),
        ],
    )
    def test_only_files_beside_it_and_no_circle(
        self, tmp_path: Path, name: str, message: str
    ) -> None:
        (tmp_path / "a.toml").write_text(f'extends = "{name}"\n')

        with pytest.raises(InvalidInput, match=message):
            read_mapping_file(tmp_path / "a.toml")

    def test_two_mappings_that_have_nothing_to_do_with_each_other_are_refused(self) -> None:
        with pytest.raises(InvalidInput, match="Give one mapping"):
            read_mapping_texts({"a.toml": "", "b.toml": ""})


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", "[" * 2000, "\x00"])
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)

    with pytest.raises(InvalidInput, match=r"a\.toml is not TOML"):
        read_mapping_file(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[campaign]\ncode = "a\\u0000"\n', "has a NUL character"),
        ("[answers]\nmissing = [nan]\n", "has nan where a number must stand"),
        ("[answers.values]\na = -inf\n", "has -inf where a number must stand"),
        ("ignore = [07:00:00]\n", "has a time of day, 07:00:00"),
        ("[system]\nsince = 2020-01-01T08:00:00Z\n", "has a time of day, 2020-01-01T08:00"),
        (f"{'.'.join('a' * 3000)} = 1\n", "deeper than 20 levels"),
        (f"ignore = [{'9' * 5000}]\n", "is not TOML"),
    ],
)
def test_what_toml_can_spell_and_nothing_can_keep_is_refused(text: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read_mapping_texts({"a.toml": text})


@pytest.mark.parametrize("extends", ['["b.toml"]', "{ a = 1 }", "3"])
def test_extends_must_be_a_name(extends: str) -> None:
    with pytest.raises(InvalidInput, match="extends must be the name of a file"):
        read_mapping_texts({"a.toml": f"extends = {extends}\n"})


@pytest.mark.parametrize("form", ["%Q", "%", "%Y%Y", "%d.%m.", "("])
def test_a_format_that_tells_no_day_is_refused(form: str) -> None:
    raw = raw_mapping(date={"column": "day", "format": form})

    assert refusal(raw) == {
        "date.format": "must tell a day, such as %d.%m.%Y for 17.05.2026",
    }


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y %H:%M", "%Y", "%d %B %y"])
def test_a_format_that_tells_a_day_is_taken(form: str) -> None:
    assert read_mapping(raw_mapping(date={"column": "day", "format": form})).date.format == form


def test_a_mapping_survives_being_written_as_toml() -> None:
    raw = raw_mapping(
        unit={"column": 'the "gate"', "ranges": {"1-12": "north"}, "otherwise": ""},
        ignore=["名字 \U000e0001", "back\\slash"],
        weight={"column": "w"},
    )
    raw["units"][0]["opened_on"] = date(2010, 1, 1)

    again = read_mapping_texts({"a.toml": to_toml(raw)})

    assert again == read_mapping(again.raw)
    assert again.raw == raw


def test_toml_has_its_order_whatever_that_of_the_table() -> None:
    raw = raw_mapping()

    assert to_toml(dict(reversed(raw.items()))) == to_toml(raw)
