"""Reliability and factor fit against psych and lavaan, by hand and simulated."""

import json
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sqcore.stats import factor_fit as factor_fits
from sqcore.stats.arrays import FloatArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.psychometrics import (
    Adequacy,
    FactorFit,
    Reliability,
    adequacy,
    factor_fit,
    reliability,
)
from sqcore.stats.results import Figure, MethodStatus

# Chatterjee, Price 1977, Regression Analysis by Example: 30 departments rated by their clerks on
# rating, complaints, privileges, learning, raises, critical, advance (`attitude` in R).
# fmt: off
ATTITUDE = [
    (43, 51, 30, 39, 61, 92, 45), (63, 64, 51, 54, 63, 73, 47), (71, 70, 68, 69, 76, 86, 48),
    (61, 63, 45, 47, 54, 84, 35), (81, 78, 56, 66, 71, 83, 47), (43, 55, 49, 44, 54, 49, 34),
    (58, 67, 42, 56, 66, 68, 35), (71, 75, 50, 55, 70, 66, 41), (72, 82, 72, 67, 71, 83, 31),
    (67, 61, 45, 47, 62, 80, 41), (64, 53, 53, 58, 58, 67, 34), (67, 60, 47, 39, 59, 74, 41),
    (69, 62, 57, 42, 55, 63, 25), (68, 83, 83, 45, 59, 77, 35), (77, 77, 54, 72, 79, 77, 46),
    (81, 90, 50, 72, 60, 54, 36), (74, 85, 64, 69, 79, 79, 63), (65, 60, 65, 75, 55, 80, 60),
    (65, 70, 46, 57, 75, 85, 46), (50, 58, 68, 54, 64, 78, 52), (50, 40, 33, 34, 43, 64, 33),
    (64, 61, 52, 62, 66, 80, 41), (53, 66, 52, 50, 63, 80, 37), (40, 37, 42, 58, 50, 57, 49),
    (63, 54, 42, 48, 66, 75, 33), (66, 77, 66, 63, 88, 76, 72), (78, 75, 58, 74, 80, 78, 49),
    (48, 57, 44, 45, 51, 83, 38), (85, 85, 71, 71, 77, 74, 55), (82, 82, 39, 59, 64, 78, 39),
]
# Holzinger, Swineford 1939, as lavaan's tutorial uses it: covariances of x1 to x9 of 301 pupils,
# divided by 301.
HOLZINGER = [
    [1.358369845513],
    [0.4073713301527, 1.38178386552],
    [0.5798993223437, 0.4510639369323, 1.274864860763],
    [0.5048349961753, 0.208923370336, 0.2081696129124, 1.350664507858],
    [0.4406155373793, 0.2110910751537, 0.1122962908798, 1.097752781573, 1.659785763954],
    [0.4548081306457, 0.2475445713317, 0.2441089815234, 0.8955157093986, 1.014524042116,
     1.196358378026],
    [0.08476543447836, -0.09675101759004, 0.08834183797061, 0.219742589804, 0.1429995481074,
     0.1440783892106, 1.183139464326],
    [0.2638376843539, 0.109659385658, 0.2123226426861, 0.1255933499808, 0.1806052085518,
     0.1654310048975, 0.5352452212484, 1.021982814759],
    [0.4583385470722, 0.2440094508973, 0.3738525709337, 0.2433627371804, 0.2952413296556,
     0.2359969494141, 0.3732972192427, 0.4573165597764, 1.01500386996],
]
# fmt: on
THREE_SKILLS = [0, 0, 0, 1, 1, 1, 2, 2, 2]
TURKIYE = Path(__file__).parent / "data" / "turkiye_evaluation.json"

ANSWERS = st.integers(1, 7)
Tables = arrays(np.float64, st.tuples(st.integers(2, 60), st.integers(1, 6)), elements=ANSWERS)
Loadings = st.lists(st.floats(0.4, 0.9), min_size=4, max_size=8)


def attitude() -> FloatArray:
    return np.cov(np.array(ATTITUDE, dtype=np.float64).T)


def holzinger() -> FloatArray:
    table = np.zeros((9, 9))
    for row, values in enumerate(HOLZINGER):
        table[row, : row + 1] = table[: row + 1, row] = values
    return table * 301 / 300


def alike(items: int, r: float) -> FloatArray:
    """Correlations that are all the same."""
    return np.full((items, items), r) + (1 - r) * np.eye(items)


def structured(loadings: Sequence[float], member: Sequence[int], together: float) -> FloatArray:
    """The correlations that a structure of factors makes."""
    own = np.array(loadings)
    same = np.equal.outer(np.array(member), np.array(member))
    r = np.outer(own, own) * np.where(same, 1.0, together)
    np.fill_diagonal(r, 1.0)
    return r


def numbers(result: Reliability | Adequacy | FactorFit) -> list[float]:
    """All numbers of a result, however deep."""

    def walk(part: object) -> list[float]:
        if isinstance(part, str | bool) or part is None:
            return []
        if isinstance(part, int | float):
            return [float(part)]
        inside = part if isinstance(part, tuple | list) else np.asarray(part).ravel().tolist()
        return [number for each in inside for number in walk(each)]

    return walk(astuple(result))


def same(one: Figure, other: Figure) -> bool:
    if one.value is None or other.value is None:
        return one == other
    return bool(one.value == pytest.approx(other.value, rel=1e-6, abs=1e-6))


def values_of(figures: Sequence[Figure]) -> list[float | None]:
    return [figure.value for figure in figures]


def test_alpha_matches_psych_on_attitude() -> None:
    found = reliability(attitude(), 30)

    # R psych 2.2.9, alpha(attitude); pingouin 0.7 gives the same interval.
    assert found.alpha.value == pytest.approx(0.8431427695648, abs=1e-12)
    assert (found.alpha.low, found.alpha.high) == pytest.approx((0.7393756856431, 0.91577307216))
    assert found.standardised.value == pytest.approx(0.8390838030295, abs=1e-12)
    assert values_of([part.alpha_without for part in found.items]) == pytest.approx(
        [
            0.8097602063089,
            0.7969174572741,
            0.8278477659387,
            0.8030309750226,
            0.7953865741982,
            0.8638723114464,
            0.8404648682655,
        ]
    )
    assert values_of([part.total for part in found.items]) == pytest.approx(
        [
            0.6712620572237,
            0.7421097102222,
            0.5607111114803,
            0.7144454981337,
            0.7862755938344,
            0.2650343391967,
            0.4608105494685,
        ]
    )
    assert (found.turn_round, found.few) == ((), False)


def test_omega_matches_lavaan_on_attitude() -> None:
    # R lavaan 0.6-14, one factor: 0.8563268606295 from the loadings of its own search.
    assert reliability(attitude(), 30).omega.value == pytest.approx(0.8563268606295, abs=1e-6)


def test_kmo_and_bartlett_match_psych_on_attitude() -> None:
    found = adequacy(attitude(), 30, fewest=30)

    # R psych 2.2.9, KMO and cortest.bartlett.
    assert found.kmo.value == pytest.approx(0.7632754321588, abs=1e-10)
    assert found.items == pytest.approx(
        [
            0.7317264047159,
            0.7374956866366,
            0.8441830706469,
            0.8114142306558,
            0.8143752140616,
            0.6935977497254,
            0.651074387769,
        ]
    )
    assert found.chi2 == pytest.approx(98.752778662181, abs=1e-9)
    assert found.df == 21
    assert found.p == pytest.approx(4.79e-12, rel=0.01)


def test_three_factors_match_lavaan_on_holzinger() -> None:
    fit = factor_fit(holzinger(), 301, THREE_SKILLS)

    # lavaan's tutorial: chi2 85.306, df 24, CFI .931, TLI .896, RMSEA .092 (.071 to .114),
    # SRMR .065; more digits from lavaan 0.6-14.
    assert fit.chi2 == pytest.approx(85.305521769973, abs=1e-6)
    assert fit.df == 24
    assert fit.cfi == pytest.approx(0.9305596517993, abs=1e-8)
    assert fit.tli == pytest.approx(0.895839477699, abs=1e-8)
    assert fit.rmsea.value == pytest.approx(0.09212148451017, abs=1e-8)
    assert (fit.rmsea.low, fit.rmsea.high) == pytest.approx((0.071, 0.114), abs=0.0005)
    assert fit.srmr == pytest.approx(0.06520505718439, abs=1e-6)
    raw = np.sqrt(np.diag(holzinger())) * fit.loadings
    assert raw / raw[[0, 0, 0, 3, 3, 3, 6, 6, 6]] == pytest.approx(
        [
            1,
            0.5535002937637,
            0.729370209767,
            1,
            1.113076578119,
            0.9261462366323,
            1,
            1.179950839471,
            1.081530156859,
        ],
        abs=1e-5,
    )


def test_kmo_matches_psych_on_holzinger() -> None:
    found = adequacy(holzinger(), 301)

    # R psych, KMO(x1 to x9), as printed.
    assert found.kmo.value == pytest.approx(0.75, abs=0.005)
    assert found.items[:8] == pytest.approx(
        [0.81, 0.78, 0.73, 0.76, 0.74, 0.81, 0.59, 0.68], abs=0.005
    )


def test_one_factor_fits_three_skills_badly() -> None:
    one, three = (factor_fit(holzinger(), 301, each) for each in ([0] * 9, THREE_SKILLS))

    assert one.chi2 == pytest.approx(312.264, abs=0.001)
    assert one.cfi == pytest.approx(0.677, abs=0.001)
    assert (one.rmsea.low or 0.0) > (three.rmsea.high or 1.0)


def turkiye(everybody: bool) -> tuple[FloatArray, int]:
    """Covariance of the 28 items, with or without those who answered all of them alike."""
    told = json.loads(TURKIYE.read_text(encoding="utf-8"))
    n, sums = told["varied"]["n"], np.array(told["varied"]["sums"])
    products = np.zeros((28, 28), dtype=np.int64)
    for row, values in enumerate(told["varied"]["products"]):
        products[row, : row + 1] = products[: row + 1, row] = values
    if everybody:
        for answer, people in told["alike"].items():
            n, sums = n + people, sums + people * int(answer)
            products = products + people * int(answer) ** 2
    return (products - np.outer(sums, sums) / n) / (n - 1), n


def test_straight_lines_make_alpha_perfect_and_say_nothing() -> None:
    """51 % of 5,820 students answered 28 items alike."""
    everybody, varied = (reliability(*turkiye(each)) for each in (True, False))

    assert (everybody.alpha.n, varied.alpha.n) == (5820, 2835)
    assert everybody.alpha.value == pytest.approx(0.9920, abs=5e-5)
    assert varied.alpha.value == pytest.approx(0.9755, abs=5e-5)


def test_alpha_worked_by_hand() -> None:
    # Variances 2, covariances 1: alpha = 3/2 (1 - 6/12); an item with the other two: 2/sqrt(2 6).
    found = reliability(2 * alike(3, 0.5), 103)

    assert found.alpha.value == pytest.approx(0.75)
    assert found.omega.value == pytest.approx(0.75)
    half = 1.959964 / 10
    middle = np.arctanh(2 / np.sqrt(12))
    assert found.items[1].total == Figure(
        pytest.approx(2 / np.sqrt(12)),  # type: ignore[arg-type]
        pytest.approx(np.tanh(middle - half)),  # type: ignore[arg-type]
        pytest.approx(np.tanh(middle + half)),  # type: ignore[arg-type]
        103,
    )
    assert found.items[1].alpha_without.value == pytest.approx(2 / 3)


def test_an_item_that_was_not_turned_is_named() -> None:
    c = alike(4, 0.5)
    c[2, :2] = c[:2, 2] = c[2, 3] = c[3, 2] = -0.5

    found = reliability(c, 200)

    assert found.turn_round == (2,)
    assert (found.items[2].total.value or 0) < 0
    assert found.items[2].alpha_without.value == pytest.approx(0.75)
    assert found.alpha.value == pytest.approx(0.0)


def test_alpha_may_be_negative() -> None:
    found = reliability([[1, -0.4], [-0.4, 1]], 50)

    assert found.alpha.value == pytest.approx(2 * (1 - 2 / 1.2))
    assert found.turn_round == (0, 1)


def test_fewer_than_thirty_come_with_a_warning_and_without_omega() -> None:
    found = reliability(alike(4, 0.5), 29)

    assert found.few
    assert found.alpha.status is MethodStatus.OK
    assert found.omega == Figure.none(MethodStatus.INSUFFICIENT_N, n=29)


def test_two_items_have_alpha_only() -> None:
    found = reliability(alike(2, 0.5), 50)

    assert found.alpha.value == pytest.approx(2 / 3)
    assert found.omega.status is MethodStatus.NOT_APPLICABLE
    assert found.items[0].total.value == pytest.approx(0.5)
    assert found.items[0].alpha_without.status is MethodStatus.NOT_APPLICABLE


def test_one_item_and_one_respondent_say_so() -> None:
    alone, single = reliability([[2.0]], 50), reliability(alike(3, 0.5), 1)

    assert {alone.alpha.status, alone.omega.status} == {MethodStatus.NOT_APPLICABLE}
    assert alone.items[0].total.status is MethodStatus.NOT_APPLICABLE
    assert single.alpha.status is MethodStatus.INSUFFICIENT_N
    assert single.items[0].total.status is MethodStatus.INSUFFICIENT_N


def test_an_item_with_one_answer_only_says_so() -> None:
    c = alike(4, 0.5)
    c[3] = c[:, 3] = 0.0

    found, enough = reliability(c, 200), adequacy(c, 200)

    assert found.alpha.value == pytest.approx(4 / 3 * (1 - 3 / 6))
    assert found.standardised.status is MethodStatus.ZERO_VARIANCE
    assert found.omega.status is MethodStatus.ZERO_VARIANCE
    assert found.items[3].total.status is MethodStatus.ZERO_VARIANCE
    assert found.items[0].total.status is MethodStatus.OK
    assert enough.kmo.status is enough.status is MethodStatus.ZERO_VARIANCE
    assert factor_fit(c, 200, [0] * 4).status is MethodStatus.ZERO_VARIANCE


def test_nobody_differs_and_the_sum_never_differs() -> None:
    assert reliability(np.zeros((3, 3)), 50).alpha.status is MethodStatus.ZERO_VARIANCE
    opposite = reliability([[1, -1], [-1, 1]], 50)
    assert opposite.alpha.status is MethodStatus.ZERO_VARIANCE
    assert opposite.items[0].total == Figure(-1.0, -1.0, -1.0, 50)


def test_items_that_follow_from_others_are_singular() -> None:
    c = np.array([[1.0, 0.5, 1.5], [0.5, 1.0, 1.5], [1.5, 1.5, 3.0]])

    assert reliability(c, 200).omega.status is MethodStatus.SINGULAR
    assert adequacy(c, 200).status is MethodStatus.SINGULAR
    assert factor_fit(c, 200, [0] * 3).status is MethodStatus.SINGULAR


def test_adequacy_asks_for_people_and_items() -> None:
    assert adequacy(alike(4, 0.5), 99).status is MethodStatus.INSUFFICIENT_N
    assert adequacy(alike(4, 0.5), 100).status is MethodStatus.OK
    assert adequacy(alike(30, 0.5), 149).status is MethodStatus.INSUFFICIENT_N
    assert adequacy(alike(4, 0.5), 3, fewest=3).status is MethodStatus.INSUFFICIENT_N
    assert adequacy(alike(2, 0.5), 200).status is MethodStatus.NOT_APPLICABLE
    assert adequacy(np.eye(4), 200).status is MethodStatus.NOT_APPLICABLE


def test_an_item_apart_from_all_others_has_no_kmo() -> None:
    c = np.eye(4)
    c[:3, :3] = alike(3, 0.5)

    found = adequacy(c, 200)

    assert found.items[3] is None
    # Shared .5, given the third 1/3.
    assert found.items[:3] == pytest.approx([0.25 / (0.25 + 1 / 9)] * 3)


def test_an_item_explained_by_more_than_all_is_improper_not_a_number() -> None:
    # One factor would need a squared loading of .8 .8 / .5 = 1.28.
    heywood = np.array([[1, 0.8, 0.8], [0.8, 1, 0.5], [0.8, 0.5, 1]])

    fit = factor_fit(heywood, 200, [0, 0, 0])

    assert fit.status is MethodStatus.IMPROPER
    assert (fit.chi2, fit.cfi, fit.srmr, fit.loadings) == (None, None, None, ())
    assert fit.rmsea == Figure.none(MethodStatus.IMPROPER, n=200)
    assert reliability(heywood, 200).omega.status is MethodStatus.IMPROPER
    assert reliability(heywood, 200).alpha.status is MethodStatus.OK


def test_factors_that_are_nearer_to_each_other_than_to_themselves_are_improper() -> None:
    c = structured([0.55] * 6, [0, 0, 0, 1, 1, 1], 1.5)

    assert factor_fit(c, 200, [0, 0, 0, 1, 1, 1]).status is MethodStatus.IMPROPER


def test_a_search_without_end_gives_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor_fits, "STEPS", 1)

    fit = factor_fit(holzinger(), 301, THREE_SKILLS)

    assert (fit.status, fit.chi2, fit.loadings) == (MethodStatus.NOT_CONVERGED, None, ())


def test_pairs_of_items_that_stand_alone_can_be_had_in_many_ways() -> None:
    apart = structured([0.7] * 4, [0, 0, 1, 1], 0.0)

    found = factor_fit(apart, 200, [0, 0, 1, 1]).status

    assert found in {MethodStatus.SINGULAR, MethodStatus.NOT_CONVERGED, MethodStatus.IMPROPER}


def test_too_few_items_have_no_structure() -> None:
    assert factor_fit(alike(2, 0.5), 200, [0, 0]).status is MethodStatus.NOT_APPLICABLE
    assert factor_fit(alike(5, 0.5), 200, [0, 0, 0, 0, 1]).status is MethodStatus.NOT_APPLICABLE


def test_three_items_always_fit_and_prove_nothing() -> None:
    fit = factor_fit([[1, 0.6, 0.5], [0.6, 1, 0.4], [0.5, 0.4, 1]], 200, [0, 0, 0])

    assert fit.loadings == pytest.approx([np.sqrt(0.75), np.sqrt(0.48), np.sqrt(1 / 3)], abs=1e-6)
    assert (fit.df, fit.p, fit.cfi, fit.tli) == (0, None, None, None)
    assert fit.rmsea.status is MethodStatus.NOT_APPLICABLE
    assert fit.chi2 == pytest.approx(0, abs=1e-9)


def test_a_fit_asks_for_a_hundred_people_and_five_an_item() -> None:
    assert factor_fit(alike(4, 0.5), 99, [0] * 4).status is MethodStatus.INSUFFICIENT_N
    assert factor_fit(alike(22, 0.5), 109, [0] * 22).status is MethodStatus.INSUFFICIENT_N
    assert factor_fit(alike(22, 0.5), 110, [0] * 22).status is MethodStatus.OK
    assert factor_fit(alike(4, 0.5), 4, [0] * 4, fewest=2).status is MethodStatus.INSUFFICIENT_N


@settings(max_examples=30)
@given(Tables)
def test_whatever_was_answered_every_number_is_finite(table: FloatArray) -> None:
    n, items = table.shape
    c = np.cov(table.T).reshape(items, items)

    found = reliability(c, n)
    others = adequacy(c, n, fewest=2), factor_fit(c, n, [0] * items, fewest=2)

    assert all(np.isfinite(numbers(each)).all() for each in (found, *others))
    alpha = found.alpha
    assert (alpha.value is None) == (alpha.status is not MethodStatus.OK)
    if alpha.value is not None and alpha.low is not None and alpha.high is not None:
        assert alpha.low <= alpha.high <= 1 + 1e-12
        assert alpha.value <= 1 + 1e-12


@settings(max_examples=30)
@given(Tables, st.permutations(range(6)), st.floats(1e-3, 1e3))
def test_neither_order_nor_unit_matters(table: FloatArray, order: list[int], unit: float) -> None:
    n, items = table.shape
    c = np.cov(table.T).reshape(items, items)
    places = [place for place in order if place < items]
    first, second = reliability(c, n), reliability(unit * c[np.ix_(places, places)], n)

    assert second.alpha.status is first.alpha.status
    assert same(second.alpha, first.alpha)
    assert same(second.standardised, first.standardised)
    for part, place in zip(second.items, places, strict=True):
        assert same(part.total, first.items[place].total)


@given(st.integers(3, 12), st.floats(0.05, 0.95), st.integers(40, 500))
def test_items_that_are_alike_follow_spearman_and_brown(items: int, r: float, n: int) -> None:
    found = reliability(alike(items, r), n)
    wanted = items * r / (1 + (items - 1) * r)

    assert found.alpha.value == pytest.approx(wanted)
    assert found.standardised.value == pytest.approx(wanted)
    assert found.omega.value == pytest.approx(wanted, abs=1e-5)


@given(Loadings, Loadings, st.floats(-0.8, 0.8), st.integers(150, 5000))
def test_a_structure_that_holds_is_found_again(
    first: list[float], second: list[float], together: float, n: int
) -> None:
    member = [0] * len(first) + [1] * len(second)
    fit = factor_fit(structured(first + second, member, together), n, member)

    assert fit.status is MethodStatus.OK
    assert fit.loadings == pytest.approx(first + second, abs=1e-4)
    assert fit.correlations[0, 1] == pytest.approx(together, abs=1e-4)
    assert fit.chi2 == pytest.approx(0, abs=1e-6)
    assert (fit.cfi, fit.rmsea.value) == (1.0, 0.0)


@settings(max_examples=30)
@given(
    st.lists(st.floats(0.01, 100), min_size=9, max_size=9), st.permutations(range(9)), st.booleans()
)
def test_the_fit_knows_neither_unit_nor_order_nor_direction(
    units: list[float], order: list[int], turned: bool
) -> None:
    signs = np.where(np.array(THREE_SKILLS) == 2, -1.0 if turned else 1.0, 1.0) * units
    c = holzinger() * np.outer(signs, signs)
    plain = factor_fit(holzinger(), 301, THREE_SKILLS)

    fit = factor_fit(c[np.ix_(order, order)], 301, [THREE_SKILLS[place] for place in order])

    assert fit.chi2 == pytest.approx(plain.chi2, rel=1e-6)
    assert fit.loadings == pytest.approx([plain.loadings[place] for place in order], abs=1e-4)
    sign = -1 if turned else 1
    assert fit.correlations[0, 2] == pytest.approx(sign * plain.correlations[0, 2], abs=1e-4)
    assert fit.correlations[0, 1] == pytest.approx(plain.correlations[0, 1], abs=1e-4)


@settings(max_examples=30)
@given(st.integers(60, 400), st.floats(0.5, 0.99))
def test_more_people_are_surer_and_more_confidence_is_wider(n: int, confidence: float) -> None:
    usual = reliability(attitude(), n, confidence=confidence)
    more = reliability(attitude(), 4 * n, confidence=confidence)
    wide = reliability(attitude(), n, confidence=0.995)

    for name in ("alpha", "omega"):
        a, b, c = (getattr(each, name) for each in (usual, more, wide))
        assert c.low < a.low < b.low < a.value < b.high < a.high < c.high


def drawn(n: int, rng: np.random.Generator) -> FloatArray:
    """Answers to ten items on three factors that go together."""
    spread = np.array([[1, 0.6, 0.4], [0.6, 1, 0.5], [0.4, 0.5, 1]])
    factors = rng.standard_normal((n, 3)) @ np.linalg.cholesky(spread).T
    items = factors[:, [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]] * 0.7
    return np.cov((items + rng.standard_normal((n, 10)) * 0.7).T)


def test_a_true_structure_is_refused_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)

    fits = [factor_fit(drawn(300, rng), 300, [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]) for _ in range(200)]

    assert {fit.status for fit in fits} == {MethodStatus.OK}
    assert 0.01 <= np.mean([(fit.p or 0) < 0.05 for fit in fits]) <= 0.10
    held = [abs(fit.loadings[0] - np.sqrt(0.5)) < 1.96 * fit.loading_errors[0] for fit in fits]
    assert 0.90 <= np.mean(held) <= 0.99
    apart = [fit.correlations[0, 1] - 0.6 for fit in fits]
    errors = [fit.correlation_errors[0, 1] for fit in fits]
    assert 0.90 <= np.mean(np.abs(apart) < 1.96 * np.array(errors)) <= 0.99


def test_intervals_of_alpha_and_omega_hold_the_truth() -> None:
    rng, loading = np.random.default_rng(2), np.full(5, 0.7)
    truth = 3.5**2 / (3.5**2 + 5 * 0.51)

    found = []
    for _ in range(200):
        answers = rng.standard_normal((80, 1)) * loading + rng.standard_normal((80, 5)) * 0.51**0.5
        found.append(reliability(np.cov(answers.T), 80))

    for name in ("alpha", "omega"):
        figures = [getattr(each, name) for each in found]
        assert 0.90 <= np.mean([f.low <= truth <= f.high for f in figures]) <= 0.99


GOOD = alike(4, 0.5)
REFUSED: dict[str, Callable[[], object]] = {
    "a covariance that is not square": lambda: reliability([[1.0, 0.5]], 50),
    "a flat covariance": lambda: adequacy([1.0, 0.5], 50),
    "no items": lambda: reliability(np.zeros((0, 0)), 50),
    "ragged rows": lambda: reliability([[1.0, 0.5], [0.5]], 50),
    "text": lambda: adequacy([["a"]], 50),
    "NaN": lambda: reliability([[np.nan]], 50),
    "infinity": lambda: factor_fit([[np.inf]], 50, [0]),
    "a number beyond squaring": lambda: reliability([[1e101]], 50),
    "no symmetry": lambda: factor_fit([[1.0, 0.5], [0.4, 1.0]], 50, [0, 0]),
    "a negative variance": lambda: reliability([[-1.0]], 50),
    "a correlation above 1": lambda: reliability([[1.0, 1.1], [1.1, 1.0]], 50),
    "negative people": lambda: reliability(GOOD, -1),
    "a confidence of 95": lambda: reliability(GOOD, 50, confidence=95),
    "factors of another length": lambda: factor_fit(GOOD, 200, [0, 0, 0]),
    "a factor without items": lambda: factor_fit(GOOD, 200, [0, 0, 2, 2]),
    "a negative factor": lambda: factor_fit(GOOD, 200, [0, 0, -1, -1]),
    "half a factor": lambda: factor_fit(GOOD, 200, [0, 0.5, 1, 1]),  # type: ignore[list-item]
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
