from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.arrays import FloatArray
from sqcore.stats.composite import composite
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import mean_covariance
from sqcore.stats.moments import moments_of
from sqcore.stats.ranks import Place, places
from sqcore.stats.results import MethodStatus
from sqcore.stats.scoring import Goalposts

Drawn = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""True scores; what was found, its standard errors and their degrees of freedom."""


def told(score: list[float], se: float) -> list[tuple[int | None, int | None, int | None]]:
    return [(each.rank, each.low, each.high) for each in places(score, [se] * len(score))]


def test_scores_far_apart_have_firm_places() -> None:
    assert told([70, 90, 80], 0.05) == [(3, 3, 3), (1, 1, 1), (2, 2, 2)]


def test_scores_that_nobody_can_tell_apart_may_have_any_place() -> None:
    assert told([70.0, 70.1, 70.2], 4.0) == [(3, 1, 3), (2, 1, 3), (1, 1, 3)]


def test_equal_scores_share_the_better_place() -> None:
    assert [rank for rank, _low, _high in told([80, 80, 70, 60], 0.05)] == [1, 1, 3, 4]


def test_what_has_no_standard_error_takes_no_part_and_moves_nobody() -> None:
    found = places([80, 75, 70], [0.5, np.nan, 0.5])

    assert found[1].status == MethodStatus.NOT_APPLICABLE
    assert (found[1].rank, found[0].rank, found[2].rank) == (None, 1, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"score": [[1.0, 2.0], [3.0]]},
        {"score": ["a", "b"]},
        {"score": [1.7e308, -1.7e308]},
        {"se": [1e300, 1.0]},
        {"se": [-1.0, 1.0]},
        {"df": ["a", "b"]},
        {"df": [0.0, 9.0]},
        {"seed": -1},
    ],
)
def test_refuses_in_words(arguments: dict[str, Any]) -> None:
    with pytest.raises(StatisticsError):
        places(**({"score": [1.0, 2.0], "se": [1.0, 1.0]} | arguments))


def test_one_alone_has_no_place() -> None:
    found = places([80.0], [0.5])

    assert (found[0].rank, found[0].status) == (None, MethodStatus.INSUFFICIENT_N)
    assert places([], []) == ()


def test_two_units_change_places_as_often_as_the_normal_distribution_says() -> None:
    """Apart by 1.64 standard errors of the difference, 5 % of draws turn them; by 2.33, 1 % do."""
    se = 5.0

    assert told([50 + 1.64 * se * np.sqrt(2), 50], se)[0] == (1, 1, 2)
    assert told([50 + 2.33 * se * np.sqrt(2), 50], se)[0] == (1, 1, 1)


def test_an_error_that_rests_on_few_is_less_sure() -> None:
    score, se = [80, 65], [5.0, 5.0]

    assert places(score, se)[0] == Place(1, 1, 1)
    assert places(score, se, [3, 3])[0] == Place(1, 1, 2)


def test_the_best_of_many_alike_is_not_sure_to_be_best() -> None:
    """Whoever is found best of units that are all alike was lucky: the others know it."""
    found = np.random.default_rng(3).standard_normal(100) * 2 + 70
    best = int(np.argmax(found))

    assert places(found, [2.0] * 100)[best].high is not None
    assert (places(found, [2.0] * 100)[best].high or 0) > 60


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), min_size=2, max_size=12),
)
def test_each_place_lies_within_its_ends_and_among_the_units(rows: list[tuple[int, int]]) -> None:
    score, se = ([float(row[at]) for row in rows] for at in (0, 1))
    found = places(score, se, draws=200)

    for each in found:
        assert each.rank is not None
        assert each.low is not None
        assert each.high is not None
        assert 1 <= each.low <= each.rank <= each.high <= len(rows)
    assert found == places(score, se, draws=200)


# ---- How often the true place lies between the ends ----------------------------------------------
def alike(rng: np.random.Generator) -> Drawn:
    """Forty units whose true scores lie a third of a standard error apart."""
    truth, se = rng.normal(70, 1, 40), rng.uniform(2, 4, 40)
    return truth, rng.normal(truth, se), se, np.full(40, np.inf)


def apart(rng: np.random.Generator) -> Drawn:
    truth, se = rng.normal(70, 9, 40), rng.uniform(2, 4, 40)
    return truth, rng.normal(truth, se), se, np.full(40, np.inf)


def lopsided(rng: np.random.Generator) -> Drawn:
    """True scores with a long tail downwards, as where most units are good and some are not."""
    truth, se = 90 - rng.exponential(5, 40), rng.uniform(2, 4, 40)
    return truth, rng.normal(truth, se), se, np.full(40, np.inf)


def _asked(rng: np.random.Generator, n: tuple[int, int], tail: float) -> Drawn:
    """Composites of three questions from 1 to 7 that go together, of n people a unit.

    tail: how many of the answers are about the best one; the rest fall off from there
    """
    units, size = 20, 3
    level = rng.normal(0, 0.35, units)

    def answers(unit: int, people: int) -> FloatArray:
        person = rng.normal(level[unit], 0.8, (people, 1))
        latent = person + rng.normal(0, 0.7, (people, size)) + tail
        return np.clip(np.rint(latent + 4), 1, 7)

    ends = Goalposts(np.full(size, 1.0), np.full(size, 7.0))
    people = rng.integers(n[0], n[1] + 1, units)
    given = np.concatenate([answers(at, count) for at, count in enumerate(people.tolist())])
    unit = np.repeat(np.arange(units), people)
    yes = np.ones(given.shape, dtype=np.bool_)
    moments = moments_of(given.astype(np.int64), yes, None, unit, units)
    found = composite(mean_covariance(moments), ends, [0.5, 0.3, 0.2]).estimate
    many = [answers(at, 5_000).mean(axis=0) @ [0.5, 0.3, 0.2] for at in range(units)]
    return (np.array(many) - 1) / 6 * 100, found.value, found.se, found.n_eff - 1


def few_people(rng: np.random.Generator) -> Drawn:
    return _asked(rng, (5, 10), 0.0)


def skewed_answers(rng: np.random.Generator) -> Drawn:
    """Two answers of three are the best one."""
    return _asked(rng, (12, 40), 2.6)


def few_skewed_answers(rng: np.random.Generator) -> Drawn:
    return _asked(rng, (5, 10), 1.8)


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        (alike, 0.95),
        (apart, 0.95),
        (lopsided, 0.94),
        (few_people, 0.95),
        (skewed_answers, 0.95),
        (few_skewed_answers, 0.93),
    ],
)
def test_the_true_place_lies_between_the_ends_in_95_of_100_cases(
    draw: Callable[[np.random.Generator], Drawn], least: float
) -> None:
    rng = np.random.default_rng(11)
    inside: list[bool] = []
    for _world in range(50):
        truth, score, se, df = draw(rng)
        rank = 1 + (truth[:, None] < truth).sum(axis=1)
        for true, each in zip(rank.tolist(), places(score, se, df, draws=400), strict=True):
            inside.append((each.low or 0) <= true <= (each.high or 0))

    assert least <= np.mean(inside) <= 0.995
