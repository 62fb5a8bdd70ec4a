"""A questionnaire as a plain structure: what is understood, and how a refusal reads."""

from collections import Counter
from typing import Any

import pytest

from sqcore.base.errors import InvalidInput
from sqcore.stats.gaps import CAUSES
from surveys.instruments.definitions import Definition, read_definition, ready_definitions
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


def ready_named(code: str) -> Definition:
    return next(definition for definition in ready_definitions() if definition.code == code)


def kano_definition(**without: Any) -> dict[str, Any]:
    """The two questions of Kano's method about one thing; fields of the second can be changed."""
    scale = {"low": 1, "high": 5}
    raw = raw_definition(dimensions=[])
    raw["items"] = [
        {"code": "tea", "role": "present", "pair": "no-tea", "text": {"en": "Tea"}} | scale,
        {"code": "no-tea", "role": "absent", "text": {"en": "No tea"}} | scale | without,
    ]
    return raw


class TestKanoPairs:
    def test_name_the_question_about_the_same_thing_missing(self) -> None:
        definition = read_definition(kano_definition())

        assert [(item.role, item.pair) for item in definition.items] == [
            ("present", "no-tea"),
            ("absent", ""),
        ]

    @pytest.mark.parametrize(
        ("without", "problem"),
        [
            ({"role": "perception"}, "tea: there is no question about it missing “no-tea”"),
            ({"high": 7}, "no-tea: is answered from 1 (I like it) to 5 (I dislike it)"),
            ({"high": 7}, "tea: has another scale than “no-tea”"),
            ({"is_reversed": True}, "no-tea: cannot be reversed"),
            ({"code": "milk"}, "milk: no question “if it were there” belongs to it"),
            ({"pair": "tea"}, f"no-tea: {UNPAIRED}"),
        ],
    )
    def test_are_refused_when_they_do_not_fit(self, without: dict[str, Any], problem: str) -> None:
        assert problem in problems_of(kano_definition(**without))

    def test_one_who_names_none_is_refused(self) -> None:
        raw = kano_definition()
        raw["items"][0]["pair"] = ""

        assert "tea: names the question about the same thing missing" in problems_of(raw)

    def test_every_answer_of_a_scale_may_have_its_words(self) -> None:
        words = {str(answer): {"en": f"Word {answer}"} for answer in range(1, 6)}

        definition = read_definition(kano_definition(anchors=words))

        assert definition.items[1].anchors["4"] == {"en": "Word 4"}
        del words["4"]
        assert problems_of(kano_definition(anchors=words)) == [
            "no-tea: the words of a scale are low, middle, high, or of each answer"
        ]


class TestReadyDefinitions:
    def test_are_eight_in_two_languages(self) -> None:
        ready = ready_definitions()

        assert [definition.code for definition in ready] == [
            "experience",
            "gaps-managers",
            "gaps-staff",
            "kano-example",
            "servperf",
            "servqual",
            "short-form",
            "training-reaction",
        ]
        assert all(definition.languages == ["en", "zh-hans"] for definition in ready)

    def test_servqual_asks_22_pairs_in_the_standard_order(self) -> None:
        servqual = ready_named("servqual")

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
        servqual = ready_named("servqual")

        about_person = [i.code for i in servqual.items if i.about == "person" and not i.pair]
        assert about_person == ["p12", "p14", "p16", "p17", "p20", "p22"]

    def test_servperf_asks_the_perceptions_of_servqual_in_the_same_words(self) -> None:
        servperf, servqual = ready_named("servperf"), ready_named("servqual")

        others = ("expectation", "importance")
        assert servperf.items == [i for i in servqual.items if i.role not in others]

    def test_servqual_asks_for_100_points_by_dimension(self) -> None:
        asked = [i for i in ready_named("servqual").items if i.role == "importance"]

        assert [(i.code, i.dimension, i.low, i.high) for i in asked] == [
            (f"points-{dimension}", dimension, 0, 100)
            for dimension in (
                "tangibles",
                "reliability",
                "responsiveness",
                "assurance",
                "empathy",
            )
        ]

    def test_those_about_service_ask_for_the_outcome_and_one_comment(self) -> None:
        for definition in map(ready_named, ("servperf", "servqual", "short-form")):
            items = [item for item in definition.items if item.role != "importance"]
            last = [(i.code, i.kind, i.low, i.high) for i in items[-4:]]
            assert last == [
                ("overall", "scale", 1, 7),
                ("nps", "nps", 0, 10),
                ("repurchase", "scale", 1, 7),
                ("comment", "comment", 1, 7),
            ]

    def test_the_one_about_the_experience_asks_three_questions_for_loyalty(self) -> None:
        experience = ready_named("experience")

        assert [(i.code, i.low, i.high) for i in experience.items if i.role == "outcome"] == [
            ("satisfaction", 1, 7),
            ("effort", 1, 7),
            ("value", 1, 7),
            ("brand", 1, 7),
            ("repurchase", 1, 10),
            ("recommend", 0, 10),
            ("preference", 1, 10),
        ]
        loyal = [item.code for item in experience.items if item.dimension == "loyalty"]
        assert loyal == ["repurchase", "recommend", "preference"]

    def test_nothing_that_customers_are_asked_is_negatively_worded_or_reversed(self) -> None:
        turned = {d.code for d in ready_definitions() for i in d.items if i.is_reversed}

        assert turned == {"gaps-managers", "gaps-staff"}

    def test_managers_are_asked_what_customers_expect_in_the_same_words(self) -> None:
        asked = {i.code: i.text for i in ready_named("gaps-managers").items}
        expected = {i.code: i.text for i in ready_named("servqual").items if i.pair}

        assert {code: asked[code] for code in expected} == expected

    def test_questionnaires_of_the_gaps_ask_for_every_cause(self) -> None:
        asked = {
            i.dimension.replace("-", "_")
            for code in ("gaps-managers", "gaps-staff")
            for i in ready_named(code).items
        }

        assert {cause for causes in CAUSES.values() for cause in causes} <= asked

    def test_the_one_after_a_training_judges_no_service(self) -> None:
        reaction = ready_named("training-reaction")

        assert {item.role for item in reaction.items} == {"context"}

    def test_the_example_of_kano_asks_eight_things_twice_in_words(self) -> None:
        kano = ready_named("kano-example")

        assert Counter(item.role for item in kano.items) == {
            "present": 8, "absent": 8, "context": 1,
        }  # fmt: skip
        assert all(set(item.anchors) == set("12345") for item in kano.items[:-1])
