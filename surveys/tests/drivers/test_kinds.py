"""What is found: planted truths, an airport's guests, penalties, pairs of Kano, and refusals."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.ordinal import proportional_odds
from sqcore.stats.results import MethodStatus
from surveys.drivers.kinds import DriversKind, KanoKind
from surveys.drivers.predictors import by_dimension, levels_of, points_of
from surveys.instruments.codebook import MISSING, NOT_APPLICABLE, Codebook
from surveys.tests.drivers.making import (
    CODES,
    answers_of,
    codebook,
    correlations,
    divided,
    level,
    planted,
    raw_kano,
    raw_visit,
    shares,
)
from surveys.tests.factories import raw_definition

VISIT = codebook(raw_visit())
DRIVERS, KANO = DriversKind(), KanoKind()

GIVEN = (
    "45535 55545 44344 44555 55555 54555 45534 34343 44444 55555 35434 55555 44455 44454 "
    "44544 34454 44554 55555 45555 55555 43214 55555 33333 24444 45334 44445 45444 35545 "
    "34434 54555 34454 24454 35444 45455 54514 44454 23434 45555 53444 55555 24444 54313 "
    "24441 44454 33454 44444 34433 43544 55555 45444 44444 34434 44444 43434 33444 45555 "
    "21132 55555 55555 55555 35544 35534 24544 33354 34444 34334 43233 44555 44554 45554 "
    "55555 33333 24443 44554 44433 45554 14443 24554 44444 34334 45555 34434 34434 43333 "
    "55555 45544 44324 45454 35554 53554 34344 33333 35554 35554 45554 55555 44444 35454 "
    "55355 54545 55555 55554 55455 34434 45444 55545 23454 33333 44414 34444 45444 45535 "
    "33454 55551 54514 44443 24353 44434 44544 45554 34455 13434 54454 55535 45555 44444 "
    "33333 54444 44443 44444 55555 44444 54534 45455 44454 44555 44444 44434 34343 45545 "
    "41454 24354 44534 55555 35534 34223 44444 44455 43454 45554 "
)
"""Food, signs, screens, wireless network and the airport as a whole, 1 to 5: 150 guests, every
eleventh who answered all of it in "SFO Customer Survey 2015", San Francisco International Airport,
DataSF (https://data.sfgov.org), PDDL 1.0."""
GUESTS = GIVEN.split()


def airport() -> Codebook:
    codes = ("food", "signs", "screens", "wifi")
    items = [{"code": code, "text": {"en": code}, "low": 1, "high": 5} for code in codes]
    whole = {"code": "all", "role": "outcome", "text": {"en": "all"}, "low": 1, "high": 5}
    return codebook(raw_definition("airport", dimensions=[], items=[*items, whole]))


class TestDrivers:
    def test_finds_the_dimension_on_which_the_outcome_hangs(self) -> None:
        found = DRIVERS.find(answers_of(VISIT, planted(1000, [0.9, 0.3, 0.0])))

        told = level(found.values)
        parts = shares(told)
        # By construction 0.81 and 0.09 of 0.90 are explained by speed and by care.
        assert parts["speed"][0] < 0.9 < parts["speed"][2]
        assert parts["care"][0] < 0.1 < parts["care"][2]
        assert parts["rooms"][2] < 0.02
        assert sum(value for _low, value, _high in parts.values()) == pytest.approx(1, abs=2e-4)
        assert told["n"] == 1000
        assert told["repeat_each_other"] is False

    def test_equal_parts_have_intervals_that_overlap(self) -> None:
        found = DRIVERS.find(answers_of(VISIT, planted(600, [0.5, 0.5, 0.5])))

        parts = list(shares(level(found.values)).values())
        assert max(low for low, _value, _high in parts) < min(high for _low, _v, high in parts)
        assert all(low < 1 / 3 < high for low, _value, high in parts)

    def test_the_recommendation_hangs_on_the_same(self) -> None:
        found = DRIVERS.find(answers_of(VISIT, planted(1000, [0.0, 0.0, 0.9])))

        parts = shares(level(found.values, "nps"))
        assert max(parts, key=lambda code: parts[code][1]) == "rooms"

    def test_by_question_ten_answers_of_all_are_needed_for_each(self) -> None:
        few = DRIVERS.find(answers_of(VISIT, planted(100, [0.9, 0.3, 0.0], missing=0.02)))
        enough = DRIVERS.find(answers_of(VISIT, planted(100, [0.9, 0.3, 0.0])))

        assert level(few.values, name="item") == {"level": "item", "status": "insufficient_n"}
        assert level(few.values)["status"] == "ok"
        assert [d["code"] for d in level(enough.values, name="item")["drivers"]] == CODES

    def test_one_who_left_out_one_question_of_three_still_counts_by_dimension(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        table[:50, 0], table[50:60, :2] = NOT_APPLICABLE, MISSING

        told = level(DRIVERS.find(answers_of(VISIT, table)).values)

        assert (told["n"], told["left_out"]) == (290, 10)

    def test_says_how_a_dimension_is_judged_from_0_to_100(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        expected = float((table[:, 3:6].mean(axis=1) - 1).mean() / 6 * 100)

        told = level(DRIVERS.find(answers_of(VISIT, table)).values)["drivers"][1]

        assert told["performance"]["value"] == round(expected)
        low, high = told["performance"]["low"], told["performance"]["high"]
        assert low < expected < high

    def test_means_of_two_groups_leave_open_what_the_one_between_them_said(self) -> None:
        table = planted(701, [0.9, 0.3, 0.0])
        sums = []
        for people in (701, 700):
            told = level(DRIVERS.find(answers_of(VISIT, table[:people])).values)["drivers"][1]
            assert told["performance"]["n"] == people
            sums.append(people * told["performance"]["value"])

        # Half a step of each mean is half of the scale: every answer from 0 to 100 fits.
        step = 1.0
        assert 701 * step / 2 + 700 * step / 2 >= 100
        assert all(value == round(value) for value in sums)

    def test_what_counts_and_is_judged_low_is_where_to_act_first(self) -> None:
        table = planted(1000, [0.9, 0.3, 0.0])
        table[:, :3] = np.maximum(table[:, :3].astype(int) - 1, 1)

        placed = level(DRIVERS.find(answers_of(VISIT, table)).values)["drivers"]

        assert [(d["quadrant"], d["is_certain"]) for d in placed] == [
            ("concentrate", True),
            ("possible_overkill", True),
            ("possible_overkill", True),
        ]

    def test_bad_service_that_costs_more_than_good_brings_is_basic(self) -> None:
        table = planted(1000, [0.0, 0.0, 0.3])
        slow = table[:, :3].mean(axis=1) < 3.3
        table[slow, 9] = np.maximum(table[slow, 9].astype(int) - 3, 1)

        told = level(DRIVERS.find(answers_of(VISIT, table)).values)["drivers"][0]

        assert told["effect"] == "basic"
        assert told["penalty"]["low"] > 1 > told["reward"]["high"]

    def test_an_ordinal_regression_checks_the_order_in_odds_for_ten_points(self) -> None:
        table = planted(600, [0.9, 0.3, 0.0])

        told = level(DRIVERS.find(answers_of(VISIT, table)).values)

        points = (table[:, :9].reshape(600, 3, 3).mean(axis=2) - 1) / 6 * 10
        exact = proportional_odds(points, table[:, 9].astype(int))
        assert [driver["odds"]["value"] for driver in told["drivers"]] == [
            round(ratio.value or 0.0, 4) for ratio in exact.odds_ratios
        ]
        assert [driver["odds_place"] for driver in told["drivers"]] == [1, 2, 3]
        assert told["drivers"][0]["odds"]["low"] > 1 > told["drivers"][2]["odds"]["low"]
        assert told["ordinal"]["n"] == 600
        assert told["ordinal"]["alike"]["p"] == round(exact.parallel.p or 0.0, 4)

    def test_too_few_for_an_ordinal_regression_leave_the_shares(self) -> None:
        told = level(DRIVERS.find(answers_of(VISIT, planted(60, [0.9, 0.3, 0.0]))).values)

        assert told["status"] == "ok"
        assert told["ordinal"]["status"] == "insufficient_n"
        assert told["ordinal"]["alike"] == {
            "status": "insufficient_n", "chi2": None, "df": 0, "p": None
        }  # fmt: skip
        assert told["drivers"][0]["odds_place"] is None

    def test_says_nothing_of_fewer_than_the_smallest_group(self) -> None:
        found = DRIVERS.find(answers_of(VISIT, planted(300, [0.9, 0.3, 0.0])), k=301)

        assert found.status == "insufficient_n"

    def test_weights_of_a_half_change_nothing_when_all_have_them(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])

        one = DRIVERS.find(answers_of(VISIT, table))
        half = DRIVERS.find(answers_of(VISIT, table, weight=0.5))

        assert shares(level(half.values)) == shares(level(one.values))

    def test_guests_of_an_airport(self) -> None:
        table = np.array([[int(digit) for digit in guest] for guest in GUESTS])

        told = level(DRIVERS.find(answers_of(airport(), table)).values, "all", "item")

        # Johnson's formula, written out once more: with A^2 = R among the drivers, the parts are
        # A^2 (A^-1 r)^2, all squares entry by entry.
        r = correlations(table.astype(np.float64))
        values, vectors = np.linalg.eigh(r[:4, :4])
        root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
        parts = (root**2) @ (np.linalg.solve(root, r[:4, 4]) ** 2)
        expected = parts / parts.sum()
        found = [driver["share"]["value"] for driver in told["drivers"]]
        assert found == pytest.approx(expected.tolist(), abs=1e-4)
        assert found == [0.3003, 0.2203, 0.3126, 0.1668]
        centred = table - table.mean(axis=0)
        slopes = np.linalg.lstsq(centred[:, :4], centred[:, 4], rcond=None)[0]
        left = centred[:, 4] - centred[:, :4] @ slopes
        r2 = 1 - float(left @ left) / float(centred[:, 4] @ centred[:, 4])
        assert told["r2"]["value"] == pytest.approx(r2, abs=1e-4)
        assert [driver["sign"] for driver in told["drivers"]] == [1, 1, 1, 1]


class TestWhatCannotBeFound:
    def test_a_questionnaire_without_an_outcome_does_not_suit(self) -> None:
        assert not DRIVERS.suits(codebook(raw_visit(outcome=False)))
        assert DRIVERS.suits(VISIT)

    def test_one_with_a_single_question_does_not_suit(self) -> None:
        items = [
            {"code": "p1", "text": {"en": "p1"}},
            {"code": "all", "role": "outcome", "text": {"en": "all"}},
        ]
        assert not DRIVERS.suits(codebook(raw_definition(dimensions=[], items=items)))

    def test_an_outcome_that_is_the_same_for_all_hangs_on_nothing(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        table[:, 9:] = 5

        found = DRIVERS.find(answers_of(VISIT, table))

        assert (found.status, found.values) == (MethodStatus.ZERO_VARIANCE, {})

    def test_one_outcome_that_cannot_be_told_leaves_the_other(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        table[:, 9] = 5

        found = DRIVERS.find(answers_of(VISIT, table))

        assert level(found.values) == {"level": "dimension", "status": "zero_variance"}
        assert level(found.values, "nps")["status"] == "ok"

    def test_dimensions_answered_exactly_alike_cannot_be_told_apart(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        table[:, 3:6] = table[:, 0:3]

        assert DRIVERS.find(answers_of(VISIT, table)).status == MethodStatus.SINGULAR

    def test_a_dimension_that_all_judge_alike_has_no_share_and_says_so(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        table[:, 6:9] = 4

        rooms = level(DRIVERS.find(answers_of(VISIT, table)).values)["drivers"][2]

        assert rooms["share"] == {"status": "zero_variance", "n": 300}
        assert rooms["quadrant"] is None

    def test_a_question_that_nobody_answered_leaves_too_few(self) -> None:
        table = planted(300, [0.9, 0.3, 0.0])
        table[:, :3] = MISSING

        assert DRIVERS.find(answers_of(VISIT, table)).status == MethodStatus.INSUFFICIENT_N

    @given(
        size=st.integers(2, 140),
        seed=st.integers(0, 10_000),
        missing=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
        top=st.sampled_from([1, 2, 7]),
    )
    def test_never_raises_and_never_says_what_is_no_number(
        self, size: int, seed: int, missing: float, top: int
    ) -> None:
        table = planted(size, [0.4, 0.4, 0.4], seed=seed)
        table[:, :10] = np.minimum(table[:, :10], top)
        table[np.random.default_rng(seed).random(table.shape) < missing] = MISSING

        found = DRIVERS.find(answers_of(VISIT, table))

        json.dumps(dict(found.values), allow_nan=False)
        assert (found.status == MethodStatus.OK) == bool(found.values)


class TestPredictors:
    def test_a_question_of_no_dimension_stands_for_itself(self) -> None:
        raw = raw_visit()
        raw["items"][4] |= {"dimension": ""}

        found = by_dimension(codebook(raw))

        assert [(each.code, each.of, len(each.items)) for each in found] == [
            ("speed", "dimension", 3),
            ("care", "dimension", 2),
            ("care2", "item", 1),
            ("rooms", "dimension", 3),
        ]

    def test_dimensions_of_one_question_each_are_these_questions(self) -> None:
        assert list(levels_of(airport())) == ["item"]
        assert list(levels_of(VISIT)) == ["dimension", "item"]

    def test_scales_of_different_length_weigh_alike(self) -> None:
        raw = raw_visit()
        raw["items"][0] |= {"low": 0, "high": 10}
        book = codebook(raw)
        table = np.full((1, 11), 4)
        table[0, :3] = 10, 1, 7

        points = points_of(answers_of(book, table), by_dimension(book))

        assert points.tolist() == [[pytest.approx(200 / 3), 50.0, 50.0]]


class TestKano:
    BOOK = codebook(raw_kano())

    @staticmethod
    def pairs(*counted: tuple[int, int, int]) -> list[tuple[int, int]]:
        return [(with_it, without) for with_it, without, n in counted for _one in range(n)]

    def test_liked_and_not_missed_is_what_delights(self) -> None:
        given = self.pairs((1, 3, 60), (1, 5, 20), (3, 3, 20))

        tea = KANO.find(answers_of(self.BOOK, given)).values["pairs"][0]

        assert (tea["code"], tea["category"], tea["second"], tea["n"]) == ("tea", "A", "O", 100)
        assert tea["shares"]["A"]["value"] == 0.6
        assert (tea["better"]["value"], tea["worse"]["value"]) == (0.8, -0.2)
        assert (tea["is_mixed"], tea["is_questionable"]) == (False, False)

    def test_expected_and_disliked_when_missing_is_taken_for_granted(self) -> None:
        given = self.pairs((2, 5, 40), (3, 5, 20))

        tea = KANO.find(answers_of(self.BOOK, given)).values["pairs"][0]

        assert tea["category"] == "M"
        assert tea["worse"]["value"] == -1.0

    def test_one_who_answered_only_one_of_both_is_not_counted(self) -> None:
        given = [*self.pairs((1, 3, 60)), (1, MISSING), (NOT_APPLICABLE, 3)]

        assert KANO.find(answers_of(self.BOOK, given)).values["pairs"][0]["n"] == 60

    def test_fewer_than_fifty_pairs_tell_nothing(self) -> None:
        found = KANO.find(answers_of(self.BOOK, self.pairs((1, 3, 49))))

        assert (found.status, found.values) == (MethodStatus.INSUFFICIENT_N, {})

    def test_suits_only_who_asks_in_pairs(self) -> None:
        assert KANO.suits(self.BOOK)
        assert not KANO.suits(VISIT)


class TestHowTo:
    PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "read-drivers.md").read_text("utf-8")

    def test_shows_the_very_fields_that_are_found(self) -> None:
        shown = map(json.loads, re.findall(r"```json\n(.*?)```", self.PAGE, re.DOTALL))
        drivers, stated, pairs = shown
        given = TestKano.pairs((1, 3, 60), (1, 5, 20), (3, 3, 20))

        found = DRIVERS.find(answers_of(VISIT, planted(300, [0.9, 0.3, 0.0]))).values
        wanted = KANO.find(answers_of(TestKano.BOOK, given)).values

        table = np.column_stack([planted(300, [0.9, 0.3, 0.0]), divided(300, [50, 30, 20])])
        beside = DRIVERS.find(answers_of(codebook(raw_visit(points=(0, 100))), table)).values

        assert fields_of(drivers) == fields_of(found)
        assert fields_of(drivers | stated) == fields_of(beside)
        assert pairs["pairs"][0] == wanted["pairs"][0] | {"code": "saturday-with"}

    def test_shows_a_pair_that_a_questionnaire_can_have(self) -> None:
        asked = tomllib.loads(re.findall(r"```toml\n(.*?)```", self.PAGE, re.DOTALL)[-1])

        assert KANO.suits(codebook(raw_definition(dimensions=[], **asked)))


def fields_of(found: object) -> object:
    """The structure of JSON: of lists the first thing in them."""
    if isinstance(found, Mapping):
        return {key: fields_of(value) for key, value in found.items()}
    return [fields_of(found[0])] if isinstance(found, list) else None
