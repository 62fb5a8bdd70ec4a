"""What columns are taken for before anybody said it; that choices survive the way and back."""

from pathlib import Path

from sqcore.files.importers import open_table
from surveys.imports.guesses import (
    NEW,
    Choices,
    Known,
    KnownPlaces,
    choices_of,
    guess,
    look,
    to_mapping,
)
from surveys.imports.mapping import read_mapping
from surveys.tests.imports.making import DATA

SHORT = {
    "tangibles": ["Rooms, equipment and papers make a good impression here."],
    "reliability": ["What is promised here is done, correctly and on time."],
    "overall": ["All in all, how good was the service?"],
}
UNITS = KnownPlaces({"north": ["North branch", "城北"], "south": ["South branch", "城南"]})
NOWHERE = KnownPlaces({})


def known(units: KnownPlaces = UNITS) -> Known:
    return Known({"short": SHORT}, {"unit": units, "channel": NOWHERE, "segment": NOWHERE})


def guessed(tmp_path: Path, text: str, *, units: KnownPlaces = UNITS, **over: bool) -> Choices:
    path = tmp_path / "file.csv"
    path.write_text(text, encoding="utf-8")
    return guess(look(open_table(path)), known(units), **over)


def test_a_questionnaire_that_is_there_is_recognised_by_codes_and_wording(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "id,网点,Tangibles,What is promised here is done correctly and on time,overall,x",
            "1,城北,5,6,7,9",
            "2,城南,4,4,4,9",
        ]
    )

    choices = guessed(tmp_path, text)

    assert choices.instrument == "short"
    assert choices.roles == [
        "key",
        "unit",
        "item:tangibles",
        "item:reliability",
        "item:overall",
        "",
    ]
    assert choices.values == {"unit": {"城北": "north", "城南": "south"}}


def test_a_new_one_is_made_of_columns_with_few_whole_numbers(tmp_path: Path) -> None:
    rows = [
        f"{n},2026/01/0{n},{n},{n % 3 + 1},some longer words of a guest {n},{n}.5"
        for n in range(1, 8)
    ]
    text = "\n".join(["respnum,Date,Speed,Overall,remarks,weight", *rows])

    choices = guessed(tmp_path, text)

    assert choices.instrument == ""
    assert choices.roles == ["key", "date", NEW, NEW, "comment", "weight"]
    assert (choices.date_format, choices.low, choices.high) == ("%Y/%m/%d", 1, 7)


def test_units_that_nobody_knows_are_made_only_by_who_may(tmp_path: Path) -> None:
    text = "branch,overall,tangibles\nMoon,5,4\nMars,4,4\n"

    assert guessed(tmp_path, text).values["unit"] == {"Moon": "", "Mars": ""}
    assert guessed(tmp_path, text, makes_places=True).values["unit"] == {"Moon": NEW, "Mars": NEW}


def test_a_few_unknown_among_known_ones_are_left_to_people(tmp_path: Path) -> None:
    text = "branch,overall,tangibles\nMars,5,4\nnorth,4,4\nSouth branch,4,4\n"

    assert guessed(tmp_path, text, makes_places=True).values["unit"] == {
        "Mars": "",
        "north": "north",
        "South branch": "south",
    }


def test_choices_become_a_mapping_and_come_back(tmp_path: Path) -> None:
    names = "id,branch,day,Speed,Overall,told"
    text = f"{names}\n1,Moon,01.02.2026,1,2,a\n2,North branch,03.02.2026,3,5,b\n"
    path = tmp_path / "file.csv"
    path.write_text(text)
    facts = look(open_table(path))
    chosen = Choices(
        roles=["key", "unit", "date", NEW, NEW, "comment"],
        name="Visits",
        low=1,
        high=5,
        date_format="%d.%m.%Y",
        values={"unit": {"Moon": NEW, "North branch": "north"}},
        not_applicable=["9"],
        missing=["0", "-"],
        outside="answer",
        campaign="visits",
        judge=True,
    )
    header = [column.name for column in facts]

    raw = to_mapping(chosen, header, known(), campaign_name={"en": "Visits"})

    mapping = read_mapping(raw)
    assert mapping.unit.values == {"moon": "moon", "north branch": "north"}
    assert [(place.code, place.parent) for place in mapping.units] == [("moon", "north")]
    assert [item["code"] for item in mapping.instrument["items"]] == ["speed", "overall", "told"]
    assert mapping.instrument["items"][1]["role"] == "outcome"
    assert choices_of(raw, facts, known()) == chosen


def test_the_real_survey_gives_a_key_and_its_questions() -> None:
    facts = look(open_table(DATA / "sfo" / "2016.csv"))

    roles = dict(
        zip([column.name for column in facts], guess(facts, known(NOWHERE)).roles, strict=True)
    )

    assert (roles["RESPNUM"], roles["WEIGHT"], roles["LANG"]) == ("key", "weight", "language")
    assert roles["Q7ALL"] == roles["Q10SAFE"] == NEW
