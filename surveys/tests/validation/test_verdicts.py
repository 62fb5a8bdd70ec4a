"""From numbers to plain words: each verdict, why, and what to do."""

from typing import Any

import numpy as np
import pytest

from surveys.instruments.codebook import MISSING, NOT_APPLICABLE, Codebook
from surveys.instruments.models import InstrumentVersion
from surveys.tests.validation.making import (
    answers_of,
    codebook,
    drawn,
    item,
    two_dimensions,
    with_rows,
)
from surveys.validation.conventions import ALL
from surveys.validation.kinds import Validation
from surveys.validation.reading import Number, Reading, reading_of
from surveys.validation.verdict import Tone, Verdict, between, named
from surveys.validation.verdicts import verdicts_of

VERSION = InstrumentVersion(
    dimensions=[
        {"code": "speed", "name": {"en": "Speed"}},
        {"code": "care", "name": {"en": "Care"}},
    ]
)
BOOK = two_dimensions()


def read(packed: Any, book: Codebook = BOOK) -> Reading:
    found = Validation().find(answers_of(book, packed))
    return reading_of(dict(found.values), VERSION, book.items)


def verdicts(packed: Any, book: Codebook = BOOK) -> dict[str, Verdict]:
    return {verdict.key: verdict for verdict in verdicts_of(read(packed, book))}


class TestSoundQuestionnaire:
    @pytest.fixture
    def found(self) -> dict[str, Verdict]:
        return verdicts(drawn(2000))

    def test_every_answer_is_good(self, found: dict[str, Verdict]) -> None:
        assert {key: verdict.tone for key, verdict in found.items()} == dict.fromkeys(
            ["together", "in-common", "distinct", "attentive", "answered", "tells-apart"],
            Tone.GOOD,
        )

    def test_says_so_in_words(self, found: dict[str, Verdict]) -> None:
        assert found["together"].answer == "In each dimension the questions tell of the same thing."
        assert found["distinct"].question.startswith("Do 2 dimensions describe the answers better")
        assert (
            found["distinct"]
            .because[1]
            .startswith("Most alike are Speed and Care: they go together by 0.3")
        )

    def test_nobody_is_deleted(self, found: dict[str, Verdict]) -> None:
        assert found["attentive"].todo[0].startswith("Nobody’s answers are deleted")


class TestTogether:
    def test_questions_of_chance_do_not_belong_together(self) -> None:
        noise = np.random.default_rng(1).integers(1, 8, (500, 8))

        verdict = verdicts(noise)["together"]

        assert verdict.tone == Tone.BAD
        assert verdict.answer.startswith("In 0 of 2 dimensions")
        assert verdict.todo[0].startswith("Speed: do not report it as one score.")

    def test_a_question_against_the_others_asks_to_be_turned(self) -> None:
        packed = drawn()
        packed[:, 1] = 8 - packed[:, 1]

        verdict = verdicts(packed)["together"]

        assert verdict.tone == Tone.BAD
        assert verdict.todo[0].startswith("Speed: s1 goes against the others.")

    def test_few_answers_leave_it_open(self) -> None:
        verdict = verdicts(drawn(34, own=1.3, seed=9))["together"]

        assert verdict.tone == Tone.WATCH
        assert "wait for more answers" in " ".join(verdict.todo)

    def test_nearly_the_same_question_several_times_is_too_much(self) -> None:
        packed = drawn(600, own=0.05)

        verdict = verdicts(packed)["together"]

        assert verdict.tone == Tone.WATCH
        assert verdict.answer == (
            "In each dimension the questions tell of the same thing. Some can be improved."
        )
        assert "nearly the same" in verdict.todo[0]

    def test_everybody_alike_cannot_be_told(self) -> None:
        verdict = verdicts(np.full((50, 8), 5))["together"]

        assert verdict.tone == Tone.UNKNOWN
        assert verdict.answer == "Everybody gave the same answers: there is nothing to compare."


class TestDistinct:
    def test_dimensions_that_are_one_thing(self) -> None:
        verdict = verdicts(drawn(1500, between=0.999))["distinct"]

        assert verdict.tone in (Tone.BAD, Tone.UNKNOWN)
        if verdict.tone == Tone.BAD:
            assert verdict.todo[0].startswith("Report the overall score")

    def test_dimensions_that_are_nearly_one_thing(self) -> None:
        verdict = verdicts(drawn(4000, between=0.93, own=0.35))["distinct"]

        assert verdict.tone == Tone.WATCH
        assert "hardly two things" in verdict.answer
        assert verdict.todo[0].startswith("Read a difference between such dimensions only where")

    def test_too_few_answers_say_why(self) -> None:
        verdict = verdicts(drawn(60))["distinct"]

        assert verdict.tone == Tone.UNKNOWN
        assert verdict.answer.startswith("Too few people answered")

    def test_is_not_asked_of_one_dimension(self) -> None:
        book = codebook(*(item(f"a{at}", "speed") for at in range(8)))

        assert "distinct" not in verdicts(drawn(), book)


class TestPeople:
    def test_many_straight_lines_are_named(self) -> None:
        verdict = verdicts(with_rows(drawn(400), [[4] * 8] * 120))["attentive"]

        assert verdict.tone == Tone.BAD
        assert verdict.because[0].startswith("Marked are 2")
        assert any("shorter" in each for each in verdict.todo)

    def test_questions_left_open_and_not_for_all(self) -> None:
        packed = drawn(400)
        packed[:80, 0] = MISSING
        packed[:160, 5] = NOT_APPLICABLE

        verdict = verdicts(packed)["answered"]

        assert verdict.tone == Tone.WATCH
        assert verdict.answer == "2 questions stay open, or do not apply, often."
        assert verdict.because[0].startswith("240 of 400 people answered all questions")
        assert "“Question s0”, by 20.0 % (between" in verdict.because[0]
        assert [each.partition(".")[0] for each in verdict.todo] == [
            "Often left open: s0",
            "Often not applicable: c1",
        ]

    def test_findings_that_rest_on_few_say_so(self) -> None:
        packed = drawn(400)
        for row in range(300):
            packed[row, row % 8] = NOT_APPLICABLE

        verdict = verdicts(packed)["answered"]

        assert verdict.tone == Tone.WATCH
        assert verdict.answer == "Hardly any question stays open."
        assert verdict.todo[0].startswith("What is said here of dimensions rests on the 100 who")

    def test_marked_are_counted_among_those_who_answered_enough(self) -> None:
        packed = with_rows(drawn(200), [[3, 4, *[MISSING] * 6]] * 100)

        said = verdicts(packed)["attentive"].because[0]

        assert said.endswith("of the 200 who answered enough to be judged.")

    def test_everybody_at_the_top_leaves_no_room(self) -> None:
        packed = with_rows(drawn(300), [[7, 7, 7, 7, 3, 5, 2, 6]] * 100)

        verdict = verdicts(packed)["tells-apart"]

        assert verdict.tone == Tone.WATCH
        assert verdict.todo[0].startswith("At the top: Speed.")


class TestWords:
    def test_a_number_with_its_interval(self) -> None:
        assert between(Number(0.9, 0.88, 0.92, 50, "ok")) == "0.90 (between 0.88 and 0.92)"
        assert between(Number(0.1, None, None, 50, "ok"), "percent") == "10.0 %"
        assert between(Number(None, None, None, 50, "too_short")) == (
            "There are not enough periods yet."
        )

    def test_a_long_list_is_cut(self) -> None:
        assert named("abc") == "a, b, c"
        assert named("abcdefg") == "a, b, c, d, e and 2 more"

    def test_every_threshold_names_who_set_it(self) -> None:
        assert all(str(convention.source) and str(convention.text) for convention in ALL)
