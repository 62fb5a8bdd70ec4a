"""What is answered is what was felt, on the scales of SERVQUAL."""

from datetime import date
from functools import cache

import numpy as np

from sqcore.demo.calendar import Ints
from sqcore.demo.history import History, history
from sqcore.demo.impressions import PERSONAL
from surveys.demo.answers import (
    COUNTS,
    DIMENSIONS,
    MISSING,
    NOT_APPLICABLE,
    OUTCOMES,
    as_given,
    comment,
    draw_answers,
)

SEED = 20260101


@cache
def told() -> History:
    return history(seed=SEED, first=date(2024, 3, 1), end=date(2026, 3, 1))


@cache
def answers() -> dict[str, Ints]:
    return draw_answers(seed=SEED, impressions=told().impressions)


def test_everybody_answers_22_pairs_and_three_outcomes_within_their_scales() -> None:
    pairs = {f"{side}{item}" for side in "ep" for item in range(1, 23)}

    points = {f"points-{dimension}" for dimension in DIMENSIONS}
    assert set(answers()) == pairs | points | set(OUTCOMES)
    for code, values in answers().items():
        given = values[values >= 0]
        assert len(values) == 30_000
        assert given.max() <= {"nps": 10}.get(code, 100 if code in points else 7)
        assert given.min() >= (0 if code == "nps" or code in points else 1)


def test_some_questions_are_left_out_but_none_about_the_person_who_served() -> None:
    about_people = {f"p{item}" for item in PERSONAL}

    asked = {code: values for code, values in answers().items() if "points" not in code}
    for code, values in asked.items():
        left_out = ((values == MISSING) | (values == NOT_APPLICABLE)).mean()
        if code in about_people:
            assert left_out == 0
        else:
            assert 0.005 < left_out < 0.035


def test_whoever_looks_at_the_answers_finds_the_pool_of_the_course() -> None:
    drawn, course = told().impressions, told().impressions.courses[0]
    seen = told().visits.at(drawn.visit)
    month = told().calendar.month_of_day()[drawn.answered_day]
    early = seen.solo & (month < 8)
    score = sum(answers()[f"p{item}"] for item in course.truth.items) / len(course.truth.items)
    n = np.bincount(seen.staff[early], minlength=240)
    means = np.bincount(seen.staff[early], np.asarray(score)[early], 240) / np.maximum(n, 1)
    lowest = np.argsort(np.where(n > 0, means, np.inf), kind="stable")[:80]

    assert np.sort(lowest).tolist() == course.pool.tolist()


def test_what_is_left_out_is_not_in_what_is_given() -> None:
    columns = {
        "p1": np.array([NOT_APPLICABLE]),
        "p2": np.array([MISSING]),
        "p3": np.array([6]),
    }

    assert as_given(columns, 0) == {"p1": "na", "p3": 6}


def test_comments_fit_the_judgement_and_the_language() -> None:
    assert comment(6, "en", 0) == "Quick and friendly, thank you."
    assert comment(2, "zh-hans", 1) == "电话转了好几次，问题还是没有解决。"
    assert comment(None, "en", 0) == "I waited far too long although two counters were closed."


def test_most_divide_100_points_and_reliability_gets_most_of_them() -> None:
    points = np.column_stack([answers()[f"points-{dimension}"] for dimension in DIMENSIONS])

    given = points[(points >= 0).all(axis=1)]
    fair = given[given.sum(axis=1) == 100]
    assert 27_900 < len(given) < 28_500
    assert 27_000 < len(fair) < 27_700
    means = dict(zip(DIMENSIONS, fair.mean(axis=0) / 100, strict=True))
    assert means.keys() == COUNTS.keys()
    assert all(abs(means[dimension] - COUNTS[dimension]) < 0.01 for dimension in COUNTS)
