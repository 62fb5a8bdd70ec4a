"""What the kind finds: numbers of known answers, and no number where there can be none."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.stats.results import MethodStatus
from surveys.instruments.codebook import MISSING, NOT_APPLICABLE
from surveys.instruments.models import Item
from surveys.tests.validation.making import (
    answers_of,
    codebook,
    drawn,
    item,
    two_dimensions,
    with_rows,
)
from surveys.validation.kinds import Validation

BOOK = two_dimensions()


def _varied(packed: Any) -> Any:
    """Which rows are not the same answer throughout."""
    return packed.min(axis=1) < packed.max(axis=1)


def found(packed: Any, book: Any = BOOK) -> dict[str, Any]:
    result = Validation().find(answers_of(book, packed))
    assert result.status == MethodStatus.OK
    values: dict[str, Any] = json.loads(json.dumps(result.values, allow_nan=False))
    return values


class TestSuits:
    def test_three_questions_on_a_scale(self) -> None:
        assert Validation().suits(codebook(item("a"), item("b"), item("c")))
        assert not Validation().suits(codebook(item("a"), item("b")))

    def test_expectations_and_outcomes_do_not_count(self) -> None:
        others = [
            item("e", role=Item.Role.EXPECTATION),
            item("o", role=Item.Role.OUTCOME),
            item("n", kind=Item.Kind.NPS, low=0, high=10),
        ]

        assert not Validation().suits(codebook(item("a"), item("b"), *others))


class TestReliability:
    def test_alpha_is_that_of_the_formula(self) -> None:
        packed = drawn()
        c = np.cov(packed[:, :4].T.astype(float))
        alpha = 4 / 3 * (1 - np.trace(c) / c.sum())

        speed = found(packed)["all"]["dimensions"][0]

        assert speed["code"] == "speed"
        assert (speed["n"], speed["left_out"]) == (400, 0)
        assert speed["alpha"]["value"] == pytest.approx(alpha, abs=1e-6)
        assert speed["alpha"]["low"] < alpha < speed["alpha"]["high"]
        assert [each["code"] for each in speed["items"]] == ["s0", "s1", "s2", "s3"]

    def test_who_left_a_question_open_is_left_out_and_counted(self) -> None:
        packed = drawn()
        packed[:7, 0] = MISSING
        packed[7:10, 5] = NOT_APPLICABLE

        speed, care = found(packed)["all"]["dimensions"]

        assert (speed["n"], speed["left_out"]) == (393, 7)
        assert (care["n"], care["left_out"]) == (397, 3)

    def test_the_share_of_straight_lines_stands_beside_alpha(self) -> None:
        packed = with_rows(drawn(), [[4] * 8] * 100)

        whole = found(packed)["all"]["whole"]

        assert whole["straight"]["n"] == 500
        assert whole["straight"]["value"] >= 0.2

    def test_a_question_against_the_others_is_named(self) -> None:
        packed = drawn()
        packed[:, 1] = 8 - packed[:, 1]

        assert found(packed)["all"]["dimensions"][0]["turn_round"] == ["s1"]

    def test_all_at_the_top_is_counted(self) -> None:
        packed = with_rows(drawn(90, middle=4.0)[:90], [[7, 7, 7, 7, 1, 2, 3, 4]] * 10)
        top = float((packed[:, :4] == 7).all(axis=1).mean())

        speed = found(packed)["all"]["dimensions"][0]

        assert speed["highest"]["value"] == pytest.approx(top)
        assert top >= 0.1


class TestDimensions:
    def test_two_fit_better_than_one_where_there_are_two(self) -> None:
        whole = found(drawn(2000))["all"]["whole"]

        assert whole["many"]["cfi"] > 0.99
        assert whole["one"]["cfi"] < 0.8
        assert whole["many"]["correlations"][0][1] == pytest.approx(0.3, abs=0.06)
        assert whole["adequacy"]["kmo"]["value"] > 0.7

    def test_too_few_for_a_fit_say_so(self) -> None:
        whole = found(drawn(60))["all"]["whole"]

        assert whole["many"]["status"] == "insufficient_n"
        assert whole["one"]["cfi"] is None

    def test_one_dimension_is_not_compared_with_itself(self) -> None:
        book = codebook(*(item(f"a{at}", "only") for at in range(4)))

        whole = found(drawn()[:, :4], book)["all"]["whole"]

        assert whole["many"] == {"status": "not_applicable"}
        assert whole["one"]["status"] == "ok"

    def test_questions_without_dimensions_are_judged_together(self) -> None:
        book = codebook(*(item(f"a{at}") for at in range(8)))

        part = found(drawn(), book)["all"]

        assert part["dimensions"] == []
        assert part["whole"]["alpha"]["status"] == "ok"
        assert part["whole"]["one"]["status"] == "not_applicable"


class TestAttention:
    def test_the_same_answer_to_half_of_the_questions_is_marked(self) -> None:
        book = two_dimensions(10)
        generator = np.random.default_rng(3)
        honest = drawn(200, size=10)
        in_a_row = [[2] * 10 + generator.integers(1, 8, 10).tolist() for _ in range(10)]

        careless = found(with_rows(honest, in_a_row), book)["careless"]

        assert careless["limit"] == 10
        assert careless["in_a_row"]["value"] * 210 == pytest.approx(10, abs=3)

    def test_a_short_questionnaire_has_no_long_rows(self) -> None:
        book = two_dimensions(2)

        careless = found(drawn(size=2), book)["careless"]

        assert careless["in_a_row"]["status"] == "not_applicable"
        assert careless["straight"]["status"] == "insufficient_n"

    def test_without_the_marked_is_a_comparison_of_fewer_people(self) -> None:
        values = found(with_rows(drawn(), [[4] * 8] * 100))

        marked = round(values["careless"]["either"]["value"] * 500)
        assert marked >= 100
        assert values["all"]["people"] == 500
        assert values["attentive"]["people"] == 500 - marked
        assert (
            values["attentive"]["whole"]["alpha"]["value"]
            != values["all"]["whole"]["alpha"]["value"]
        )

    @pytest.mark.parametrize(("marked", "is_told"), [(1, False), (29, False), (30, True)])
    def test_few_marked_are_not_told_by_what_is_left_without_them(
        self, marked: int, is_told: bool
    ) -> None:
        alike = np.full((marked, 8), 1, dtype=np.uint8)
        values = found(np.concatenate([drawn(300), alike]))

        assert round(values["careless"]["in_a_row"]["value"] * (300 + marked)) == marked
        assert (values["attentive"] is not None) == is_told

    def test_few_marked_in_one_dimension_are_not_told_either(self) -> None:
        alike = np.full((40, 8), 1, dtype=np.uint8)
        partly = alike.copy()
        partly[1:, 7] = MISSING

        assert found(np.concatenate([drawn(300), alike]))["attentive"] is not None
        assert found(np.concatenate([drawn(300), partly]))["attentive"] is None

    def test_who_is_unusual_is_counted_apart_and_stays_among_the_attentive(self) -> None:
        torn = [[7, 1] * 4] * 5
        values = found(with_rows(drawn(300), [[4] * 8] * 40 + torn))

        careless, attentive = values["careless"], values["attentive"]
        assert round(careless["unusual"]["value"] * 345) >= 5
        assert round(careless["either"]["value"] * 345) == 345 - attentive["people"]
        assert careless["either"]["value"] == careless["straight"]["value"]
        alone = found(with_rows(drawn(300)[_varied(drawn(300))], torn))["all"]
        assert attentive["whole"]["alpha"] == alone["whole"]["alpha"]

    def test_a_reversed_question_shows_who_does_not_read(self) -> None:
        items = [item(f"s{at}", "speed", is_reversed=at == 3) for at in range(8)]
        book = codebook(*items)
        read = np.array([[6] * 8] * 40, dtype=np.uint8)
        alike = np.array([[6, 6, 6, 2, 6, 6, 6, 6]] * 10, dtype=np.uint8)

        careless = found(np.concatenate([read, alike]), book)["careless"]

        assert careless["straight"]["value"] == 0.2, "packed answers of reversed items are turned"


class TestQuestions:
    def test_open_and_not_applicable_are_counted_apart(self) -> None:
        packed = drawn(100)
        packed[:10, 2] = MISSING
        packed[10:25, 2] = NOT_APPLICABLE
        packed[25:, 2] = 7
        packed[25:40, 2] = 1

        question = found(packed)["questions"][2]

        shares = {name: question[name]["value"] for name in ("missing", "not_applicable")}
        assert shares == {"missing": 0.1, "not_applicable": 0.15}
        assert (question["lowest"]["value"], question["lowest"]["n"]) == (0.2, 75)
        assert question["highest"]["value"] == 0.8


class TestFewAnswers:
    def test_the_opinions_of_few_are_never_shown(self) -> None:
        packed = drawn(100)
        packed[29:, 0] = NOT_APPLICABLE

        values = found(packed)

        assert values["questions"][0]["lowest"] == {
            **dict.fromkeys(("value", "low", "high")), "n": 0, "status": "insufficient_n"
        }  # fmt: skip
        speed = values["all"]["dimensions"][0]
        assert speed["n"] == 29
        assert {speed[name]["value"] for name in ("alpha", "omega", "highest")} == {None}
        assert values["questions"][0]["not_applicable"]["value"] == 0.71


class TestStrangeAnswers:
    @pytest.mark.parametrize("value", [1, 7, MISSING, NOT_APPLICABLE])
    def test_everybody_alike_gives_reasons_and_no_number(self, value: int) -> None:
        values = found(np.full((40, 8), value))

        assert values["all"]["whole"]["alpha"]["value"] is None
        assert values["all"]["whole"]["one"]["status"] != "ok"

    def test_two_questions_answered_exactly_alike(self) -> None:
        packed = drawn()
        packed[:, 1] = packed[:, 0]

        whole = found(packed)["all"]["whole"]

        assert whole["one"]["status"] == "singular"
        assert whole["alpha"]["status"] == "ok"

    def test_nobody(self) -> None:
        values = found(np.zeros((0, 8)))

        assert values["all"]["people"] == 0
        assert values["careless"]["either"]["status"] == "insufficient_n"

    @settings(max_examples=40)
    @given(
        st.lists(
            st.lists(
                st.sampled_from([1, 2, 4, 6, 7, NOT_APPLICABLE, MISSING]), min_size=8, max_size=8
            ),
            max_size=60,
        )
    )
    def test_never_an_error_nor_anything_but_numbers(self, rows: list[list[int]]) -> None:
        values = found(np.array(rows, dtype=np.uint8).reshape(-1, 8))

        assert values["all"]["people"] == len(rows)

    @settings(max_examples=20)
    @given(st.permutations(range(60)))
    def test_the_order_of_people_does_not_matter(self, order: list[int]) -> None:
        packed = drawn(60)

        assert found(packed[order])["all"]["dimensions"] == found(packed)["all"]["dimensions"]
