"""Signs of leaving, and who left."""

import numpy as np
import pytest

from surveys.churn.signs import Rows, Standing, chosen_signs, left_after, standing_on

NAN = float("nan")
NO_ONE = np.zeros(0, dtype=np.int64)
NONE = Rows(NO_ONE, NO_ONE, np.zeros(0), NO_ONE)


def rows(*visits: tuple[int, int, float], unit: int = 7) -> Rows:
    customer, day, value = (np.array(column) for column in zip(*sorted(visits), strict=True))
    return Rows(customer, day, value.astype(np.float64), np.full(len(day), unit))


def standing(visits: Rows, day: int, answers: Rows = NONE) -> Standing:
    return standing_on(visits, answers, day, active_days=100, horizon_days=30)


def test_reads_only_what_was_known_before_the_day() -> None:
    visits = rows((1, 10, 0.0), (1, 50, 1.0), (2, 60, 0.0))

    found = standing(visits, 50)

    assert found.customer.tolist() == [1]
    assert found.present[0, 0] == 0.0


def test_who_came_too_long_ago_is_no_customer() -> None:
    assert standing(rows((1, 10, 0.0), (2, 150, 0.0)), 160).customer.tolist() == [2]


def test_long_away_is_measured_by_ones_own_gaps() -> None:
    often = [(1, day, 0.0) for day in (10, 20, 30, 40)]
    seldom = [(2, day, 0.0) for day in (0, 20, 40)]

    found = standing(rows(*often, *seldom, (3, 40, 0.0)), 61)

    np.testing.assert_array_equal(found.present[:, 1], [1.0, 0.0, NAN])


def test_fewer_visits_than_before_need_two_before() -> None:
    visits = rows(
        *((1, day, 0.0) for day in (45, 55, 65, 80)),
        *((2, day, 0.0) for day in (45, 75, 85)),
    )

    found = standing(visits, 100)

    np.testing.assert_array_equal(found.present[:, 2], [1.0, NAN])


def test_named_answers_speak_where_there_are_some() -> None:
    visits = rows((1, 90, 0.0), (2, 90, 0.0), (4, 90, 0.0))
    answers = rows((1, 50, 9.0), (1, 60, 8.0), (1, 70, 6.0), (3, 60, 2.0), (4, 60, 9.0))

    found = standing(visits, 100, answers)

    np.testing.assert_array_equal(found.present[:, 3], [1.0, NAN, 0.0])
    np.testing.assert_array_equal(found.present[:, 4], [1.0, NAN, NAN])


def test_only_the_last_three_answers_fall_or_not() -> None:
    visits = rows((1, 90, 0.0), (2, 90, 0.0))
    long_ago_lower = [
        (1, day, value) for day, value in ((40, 2.0), (50, 9.0), (60, 8.0), (70, 6.0))
    ]
    long_ago_higher = [
        (2, day, value) for day, value in ((40, 9.0), (50, 5.0), (60, 6.0), (70, 5.0))
    ]

    found = standing(visits, 100, rows(*long_ago_lower, *long_ago_higher))

    np.testing.assert_array_equal(found.present[:, 4], [1.0, 0.0])


def test_left_is_who_did_not_come_within_the_horizon() -> None:
    visits = rows((1, 40, 0.0), (1, 79, 0.0), (2, 40, 0.0), (2, 80, 0.0), (3, 45, 0.0))

    found = standing(visits, 50)

    assert left_after(visits, found, 50, horizon_days=30).tolist() == [False, True, True]


def test_nobody_has_no_signs() -> None:
    found = standing(NONE, 50)

    assert found.present.shape == (0, 5)


@pytest.mark.parametrize(
    ("points", "codes"),
    [
        ({"detractor": 3, "unsolved_last": 1}, ["unsolved_last", "detractor"]),
        ({"detractor": 0, "long_away": 2}, ["long_away"]),
    ],
)
def test_signs_without_points_are_left_out(points: dict[str, int], codes: list[str]) -> None:
    assert [sign.code for sign in chosen_signs(points)] == codes
