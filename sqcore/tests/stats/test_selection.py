import numpy as np
import pytest
from scipy import stats

from sqcore.stats.errors import StatisticsError
from sqcore.stats.selection import benjamini_hochberg, compare_groups, is_alarm

BENJAMINI_HOCHBERG_1995 = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]
"""The 15 comparisons of their section 4.1: at .05 they reject four."""


def test_the_fifteen_comparisons_of_benjamini_and_hochberg_1995_give_four_discoveries() -> None:
    q = benjamini_hochberg(BENJAMINI_HOCHBERG_1995)

    assert (q < 0.05).tolist() == [True] * 4 + [False] * 11
    assert q[:4].round(6).tolist() == [0.0015, 0.003, 0.0095, 0.035625]
    assert np.allclose(q, stats.false_discovery_control(BENJAMINI_HOCHBERG_1995))


def test_the_order_does_not_matter_and_what_cannot_be_said_does_not_count() -> None:
    q = benjamini_hochberg([0.04, np.nan, 0.01])

    assert q[[0, 2]].tolist() == [0.04, 0.02]
    assert np.isnan(q[1])
    assert benjamini_hochberg([]).tolist() == []


def test_48_of_80_and_12_of_40_are_half_as_the_guidelines_of_1979_say() -> None:
    """Questions and answers on the uniform guidelines (EEOC 1979): 60 % and 30 %."""
    found = compare_groups([1] * 48 + [0] * 32 + [1] * 12 + [0] * 28, [0] * 80 + [1] * 40, 2)

    assert found.n.tolist() == [80, 40]
    assert found.mean.tolist() == [0.6, 0.3]
    assert found.ratio.tolist() == [1.0, 0.5]
    assert found.p[1] == pytest.approx(0.0033, abs=0.0003)
    assert is_alarm(found, benjamini_hochberg(found.p)).tolist() == [False, True]


def test_amounts_are_compared_by_welch() -> None:
    ours, theirs = [100, 120, 90, 110.0], [200, 260, 180, 220, 240.0]

    found = compare_groups([*ours, *theirs], [0] * 4 + [1] * 5, 2)

    assert found.reference == 1
    assert found.p[0] == pytest.approx(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)
    assert found.ratio[0] == pytest.approx(105 / 220)


def test_two_people_beside_two_are_no_certainty_however_alike_each_pair_is() -> None:
    found = compare_groups([100, 100, 200, 200], [0, 0, 1, 1], 2)

    assert found.p[0] == pytest.approx(1 / 3)


def test_a_ratio_that_chance_explains_is_no_alarm() -> None:
    found = compare_groups([1, 1, 0, 0, 1, 0, 0, 0], [0] * 4 + [1] * 4, 2)

    assert found.ratio.tolist() == [1.0, 0.5]
    assert not is_alarm(found, benjamini_hochberg(found.p)).any()


def test_where_nobody_or_everybody_got_the_same_all_are_alike() -> None:
    for value in (0, 5):
        found = compare_groups([value] * 6, [0, 0, 0, 1, 1, 1], 2)
        assert found.ratio.tolist() == [1.0, 1.0]
        assert found.effect.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("values", "group", "groups"),
    [([1, 2], [0], 1), ([-1.0], [0], 1), ([1, 2], [0, 2], 3), ([1], [0], 0), ([], [], 1)],
)
def test_what_cannot_be_compared_is_refused(
    values: list[float], group: list[int], groups: int
) -> None:
    with pytest.raises(StatisticsError):
        compare_groups(values, group, groups)


@pytest.mark.parametrize("p", [[1.2], [-0.1]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    with pytest.raises(StatisticsError):
        benjamini_hochberg(p)
