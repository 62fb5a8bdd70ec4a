"""A questionnaire as a plain structure: what is understood, and how a refusal reads."""

from collections import Counter
from typing import Any

import pytest

from sqcore.base.errors import InvalidInput
from surveys.instruments.definitions import read_definition, ready_definitions
from surveys.instruments.models import Item
from surveys.tests.factories import raw_definition

TEXT = "has characters that cannot be printed, or spaces around it"
KINDS = "kind is one of scale, nps, choice, comment, not “slider”"
SCALE = "a scale goes from a whole number to a higher one, within 0 to 253"
FOREIGN = "“fr” is not a language of this questionnaire"
UNPAIRED = "an expectation, and nothing else, names the perception it belongs to"


def problems_of(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        read_definition(raw)
    return [str(problem) for problem in refused.value.problems]


def with_item(at: int, **fields: Any) -> dict[str, Any]:
    raw = raw_definition()
    raw["items"][at] |= fields
    return raw


class TestReadDefinition:
    def test_reads_items_in_order_with_their_defaults(self) -> None:
        definition = read_definition(raw_definition())

        assert [item.code for item in definition.items] == ["e1", "p1", "p2", "overall", "comment"]
        assert definition.items[0].pair == "p1"
        assert (definition.items[2].low, definition.items[2].high) == (1, 7)
        assert definition.items[2].about == Item.About.PERSON

    @pytest.mark.parametrize(
        ("raw", "problem"),
        [
            (with_item(1, text={}), "p1: the text for “en” is missing"),
            (with_item(1, text={"en": "a\x00b"}), f"p1: {TEXT}"),
            (with_item(1, text={"en": "a\ud800"}), f"p1: {TEXT}"),
            (with_item(1, text={"en": "a" * 601}), "p1: must have at most 600 characters"),
            (with_item(1, text={"en": "a", "fr": "b"}), f"p1: {FOREIGN}"),
            (with_item(1, text="a"), "p1: must be a text for each language"),
            (with_item(2, dimension="warmth"), "p2: there is no dimension “warmth”"),
            (with_item(2, code="p1"), "p1: there are 2 questions with this code"),
            (with_item(2, code="P 2"), "item 3: must be a short code of a-z, 0-9, - and _"),
            (with_item(2, kind="slider"), f"p2: {KINDS}"),
            (with_item(2, low=5, high=5), f"p2: {SCALE}"),
            (with_item(2, high=254), f"p2: {SCALE}"),
            (with_item(2, high=True), f"p2: {SCALE}"),
            (with_item(2, kind="nps", low=1), "p2: a recommendation is asked from 0 to 10"),
            (with_item(2, kind="choice"), "p2: a choice has 2 to 40 options"),
            (with_item(2, scale="smiles"), "p2: there is no scale “smiles”"),
            (with_item(2, scale=["smiles"]), "p2: there is no scale “['smiles']”"),
            (with_item(2, anchors={"low": {"en": "bad"}}), "p2: a scale has words at both ends"),
            (with_item(2, colour="red"), "p2: “colour” is not known here"),
            (with_item(2, allows_na="no"), "p2: allows_na is true or false"),
            (with_item(0, pair="p9"), "e1: there is no perception “p9”"),
            (with_item(0, pair=""), f"e1: {UNPAIRED}"),
            (with_item(0, high=5), "e1: has another scale than “p1”"),
            (with_item(0, dimension="care"), "e1: is in another dimension than “p1”"),
            (raw_definition(items=[]), "items: there is no question in it"),
            (raw_definition(items="p1"), "items: must be a list"),
            (raw_definition(languages=["en", "xx"]), "languages: “xx” is none of en, zh-hans"),
            (raw_definition(languages=[]), "languages: name at least one language"),
            (raw_definition(theme="dark"), "theme: is not known here"),
        ],
    )  # fmt: skip
    def test_names_the_item_and_the_reason(self, raw: dict[str, Any], problem: str) -> None:
        assert problem in problems_of(raw)

    def test_names_all_problems_at_once(self) -> None:
        raw = raw_definition()
        raw["items"][1]["text"] = {}
        raw["items"][2]["kind"] = "slider"

        assert len(problems_of(raw)) == 2


class TestReadyDefinitions:
    def test_are_three_in_two_languages(self) -> None:
        ready = ready_definitions()

        assert [definition.code for definition in ready] == ["servperf", "servqual", "short-form"]
        assert all(definition.languages == ["en", "zh-hans"] for definition in ready)

    def test_servqual_asks_22_pairs_in_the_standard_order(self) -> None:
        servqual = ready_definitions()[1]

        perceptions = [i for i in servqual.items if i.role == "perception"]
        expectations = [i for i in servqual.items if i.role == "expectation"]
        assert [i.code for i in perceptions] == [f"p{n}" for n in range(1, 23)]
        assert [i.pair for i in expectations] == [f"p{n}" for n in range(1, 23)]
        assert list(Counter(i.dimension for i in perceptions).items()) == [
            ("tangibles", 4),
            ("reliability", 5),
            ("responsiveness", 4),
            ("assurance", 4),
            ("empathy", 5),
        ]

    def test_servqual_is_about_a_person_in_six_attributes_only(self) -> None:
        servqual = ready_definitions()[1]

        about_person = [i.code for i in servqual.items if i.about == "person" and not i.pair]
        assert about_person == ["p12", "p14", "p16", "p17", "p20", "p22"]

    def test_servperf_asks_the_perceptions_of_servqual_in_the_same_words(self) -> None:
        servperf, servqual, _short = ready_definitions()

        assert servperf.items == [i for i in servqual.items if i.role != "expectation"]

    def test_every_one_asks_for_the_outcome_and_one_comment(self) -> None:
        for definition in ready_definitions():
            last = [(i.code, i.kind, i.low, i.high) for i in definition.items[-4:]]
            assert last == [
                ("overall", "scale", 1, 7),
                ("nps", "nps", 0, 10),
                ("repurchase", "scale", 1, 7),
                ("comment", "comment", 1, 7),
            ]

    def test_no_item_is_negatively_worded_or_reversed(self) -> None:
        assert not any(i.is_reversed for d in ready_definitions() for i in d.items)
