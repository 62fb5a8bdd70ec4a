"""A scorecard tried on history."""

import numpy as np
import pytest

from sqcore.stats.loyalty import Sign
from surveys.churn.trials import Snapshot, trial_of
from surveys.churn.wording import judged

SIGNS = [Sign("unsolved_last", 3), Sign("long_away", 2)]


def snapshot(day: int, *groups: tuple[tuple[int, int], int, int]) -> Snapshot:
    """Groups of customers: the signs they show, how many left, how many stayed."""
    signs, left = [], []
    for present, gone, stayed in groups:
        signs += [present] * (gone + stayed)
        left += [True] * gone + [False] * stayed
    table = np.array(signs, dtype=np.float64)
    points = (table @ [3, 2]).astype(np.int64)
    return Snapshot(day, table, points, np.array(left))


EARLY = snapshot(1, ((0, 0), 8, 92), ((0, 1), 20, 60), ((1, 1), 30, 30))
LATE = snapshot(91, ((0, 0), 4, 46), ((0, 1), 10, 30), ((1, 1), 10, 10))


def test_tells_the_share_that_left_by_points_with_wilson_intervals() -> None:
    found = trial_of(SIGNS, [EARLY, LATE], k=5)

    assert [(each["from"], each["n"], each["share"]) for each in found["groups"]] == [
        (0, 50, 0.1),
        (2, 40, 0.25),
        (5, 20, 0.5),
    ]
    # Wilson for 10 of 20
    assert (found["groups"][2]["low"], found["groups"][2]["high"]) == (0.2993, 0.7007)
    assert (found["day"], found["customers"], found["left"]) == (91, 110, 0.22)


def test_points_that_few_have_are_put_together() -> None:
    late = snapshot(91, ((0, 0), 4, 46), ((0, 1), 10, 30), ((1, 0), 1, 1), ((1, 1), 1, 1))

    found = trial_of(SIGNS, [late], k=5)

    assert [(each["from"], each["to"], each["n"]) for each in found["groups"]] == [
        (0, 0, 50),
        (2, 5, 44),
    ]


def test_chances_are_learnt_on_earlier_days_only() -> None:
    found = trial_of(SIGNS, [EARLY, LATE], k=5)
    alone = trial_of(SIGNS, [LATE], k=5)

    assert found["brier"] < found["brier_of_base"]
    assert (alone["brier"], alone["brier_of_base"]) == (None, None)


def test_the_model_waits_for_fifty_who_left() -> None:
    few = snapshot(1, ((0, 0), 10, 92), ((1, 1), 39, 30))

    assert trial_of(SIGNS, [few, LATE], k=5)["model"]["status"] == "insufficient_n"
    model = trial_of(SIGNS, [EARLY, LATE], k=5)["model"]
    assert (model["status"], model["events"]) == ("ok", 58)
    assert model["auc"]["value"] == 0.733
    assert set(model["odds"]) == {"unsolved_last", "long_away"}


def test_where_all_stayed_nothing_can_be_judged() -> None:
    found = trial_of(SIGNS, [snapshot(1, ((0, 0), 0, 50))], k=5)

    assert found["auc"]["status"] == "not_applicable"
    assert found["groups"][0]["share"] == 0.0


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ((((0, 0), 4, 46), ((1, 1), 30, 10)), "It tells something"),
        ((((0, 0), 30, 10), ((1, 1), 4, 46)), "It points the wrong way"),
        ((((0, 0), 10, 10), ((1, 1), 10, 10)), "not shown to be better than chance"),
        ((((0, 0), 0, 50),), "cannot be judged"),
    ],
)
def test_says_in_words_how_far_it_can_be_believed(
    groups: tuple[tuple[tuple[int, int], int, int], ...], said: str
) -> None:
    assert said in judged(trial_of(SIGNS, [snapshot(1, *groups)], k=5))
