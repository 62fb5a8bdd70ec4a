from contextlib import suppress

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sqcore.stats.arrays import FloatArray
from sqcore.stats.estimates import mean_covariance
from sqcore.stats.formula import (
    DEEPEST,
    LONGEST,
    Fault,
    FormulaError,
    FormulaStatus,
    FormulaValue,
    parse,
)
from sqcore.stats.moments import moments_of

NUMBERS = st.floats(-100, 100, allow_nan=False).map(lambda number: round(number, 3))


def at(text: str, **values: float) -> FormulaValue:
    """The formula in one cell, the values known without error."""
    formula = parse(text)
    known = len(formula.names)
    return formula.evaluate(
        {name: [value] for name, value in values.items()}, np.zeros((1, known, known))
    )


def value(text: str, **values: float) -> float:
    return float(at(text, **values).value[0])


def texts() -> st.SearchStrategy[str]:
    """Formulas over a, b and c that name at least one of them."""
    leaves = st.one_of(
        st.sampled_from(["[a]", "[b]", "[c]"]), st.floats(0.5, 9).map(lambda x: f"{x:.2f}")
    )
    grown = st.recursive(
        leaves,
        lambda below: st.one_of(
            st.tuples(below, st.sampled_from("+-*/"), below).map(
                lambda part: f"({part[0]} {part[1]} {part[2]})"
            ),
            st.tuples(st.sampled_from(["min", "max"]), below, below).map(
                lambda part: f"{part[0]}({part[1]}, {part[2]})"
            ),
            below.map(lambda part: f"-{part}"),
            below.map(lambda part: f"abs({part})"),
        ),
        max_leaves=8,
    )
    return grown.filter(lambda text: "[" in text)


class TestReading:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[a] - [b] - 1", 2.0),
            ("[a] - ([b] - 1)", 4.0),
            ("[a] / [b] / 2", 1.25),
            ("[a] + [b] * 3", 11.0),
            ("([a] + [b]) * 3", 21.0),
            ("-[a] * -[b]", 10.0),
            ("--[a]", 5.0),
            ("1 - -[a]", 6.0),
            ("min([a], [b], 3)", 2.0),
            ("max(1, [a], [b])", 5.0),
            ("abs([b] - [a])", 3.0),
            ("100*[a]", 500.0),
            (".5 * [a] + 1. + 1e-1", 3.6),
            ("  ( [ a ] + [b] ) ", 7.0),
            ("（［a］＋【b】）×2÷4－1", 2.5),
        ],
    )
    def test_counts_as_at_school(self, text: str, expected: float) -> None:
        assert value(text, a=5.0, b=2.0) == pytest.approx(expected)

    def test_names_stand_in_order_each_once(self) -> None:
        assert parse("[b] / ([a_1] + [b]) * [late-calls]").names == ("b", "a_1", "late-calls")

    def test_is_kept_as_it_was_written(self) -> None:
        assert parse(" 1-[a] ").text == " 1-[a] "


REFUSED = {
    "": (Fault.EMPTY, 1),
    "   ": (Fault.EMPTY, 1),
    "1 + 2": (Fault.NO_NAME, 1),
    "[a] + ": (Fault.VALUE_EXPECTED, 6),
    "* [a]": (Fault.VALUE_EXPECTED, 1),
    "+[a]": (Fault.VALUE_EXPECTED, 1),
    "[a] ** 2": (Fault.VALUE_EXPECTED, 6),
    "[a] [b]": (Fault.SIGN_EXPECTED, 5),
    "[a] 2": (Fault.SIGN_EXPECTED, 5),
    "[a] + 1)": (Fault.SIGN_EXPECTED, 8),
    "([a], [b])": (Fault.SIGN_EXPECTED, 5),
    "2 * ([a] + (1": (Fault.NOT_CLOSED, 12),
    "min([a], [b]": (Fault.NOT_CLOSED, 4),
    "min([a])": (Fault.WRONG_COUNT, 1),
    "1 + abs([a], 2)": (Fault.WRONG_COUNT, 5),
    "min [a]": (Fault.VALUE_EXPECTED, 5),
    "()": (Fault.VALUE_EXPECTED, 2),
    "log([a])": (Fault.UNKNOWN_FUNCTION, 1),
    "1 - a": (Fault.UNKNOWN_FUNCTION, 5),
    "__import__('os')": (Fault.UNREADABLE, 12),
    "1 - [a b]": (Fault.UNREADABLE, 5),
    "1 - []": (Fault.UNREADABLE, 5),
    "[a": (Fault.UNREADABLE, 1),
    "[a] % 2": (Fault.UNREADABLE, 5),
    "[a] = 2": (Fault.UNREADABLE, 5),
    "[a] > 2": (Fault.UNREADABLE, 5),
    "[a].real": (Fault.UNREADABLE, 4),
    "[客户]": (Fault.UNREADABLE, 1),
    "[a] * 1e999": (Fault.NUMBER_TOO_LARGE, 7),
    "[a] / 0": (Fault.DIVIDES_BY_ZERO, 5),
    "[a] / (2 - 2)": (Fault.DIVIDES_BY_ZERO, 5),
    "[a] / max(-1, 0)": (Fault.DIVIDES_BY_ZERO, 5),
    "[a]" + " " * LONGEST: (Fault.TOO_LONG, LONGEST + 1),
    "(" * 40 + "[a]" + ")" * 40: (Fault.TOO_DEEP, DEEPEST + 1),
    "-" * 40 + "[a]": (Fault.TOO_DEEP, DEEPEST + 1),
}


class TestRefusing:
    @pytest.mark.parametrize("text", REFUSED)
    def test_says_what_is_wrong_and_where(self, text: str) -> None:
        with pytest.raises(FormulaError) as refusal:
            parse(text)

        assert (refusal.value.fault, refusal.value.place) == REFUSED[text]
        assert refusal.value.fault.reason in str(refusal.value)
        assert f"at character {refusal.value.place}" in str(refusal.value)

    @given(st.text(alphabet="[]abc012.+-*/(), minxe", max_size=60))
    def test_reads_or_refuses_whatever_it_is_given(self, text: str) -> None:
        with suppress(FormulaError):
            formula = parse(text)
            values = {name: [1.0] for name in formula.names}
            formula.evaluate(values, np.zeros((1, len(values), len(values))))

    def test_the_longest_formula_is_read_and_evaluated(self) -> None:
        text = "[a]" + "+[a]" * ((LONGEST - 3) // 4)

        assert value(text, a=1.0) == 125.0


class TestEvaluating:
    def test_a_ratio_has_the_variance_of_cochran(self) -> None:
        # Cochran 1977, section 6.4: v(R) = sum (y - R x)^2 / (n (n - 1) mean(x)^2);
        # by hand for y = 1 2 3 6, x = 2 4 4 10: R = .6, residuals -.2 -.4 .6 0, sum of squares .56
        values = np.array([[1, 2], [2, 4], [3, 4], [6, 10]])
        means = mean_covariance(moments_of(values, np.ones((4, 2), dtype=bool), None, [0] * 4, 1))
        found = parse("[errors] / [cases]").evaluate(
            {"errors": means.value[:, 0], "cases": means.value[:, 1]}, means.covariance
        )

        assert found.value[0] == pytest.approx(0.6)
        assert found.se[0] ** 2 == pytest.approx(0.56 / (4 * 3 * 5.0**2))

    def test_a_complement_is_as_sure_as_what_it_complements(self) -> None:
        formula = parse("1 - [error-rate]")
        found = formula.evaluate({"error-rate": [0.05, 0.2]}, [[[0.0004]], [[0.0016]]])

        assert found.value.tolist() == [0.95, 0.8]
        assert found.se.tolist() == pytest.approx([0.02, 0.04])
        assert found.gradient.tolist() == [[-1.0], [-1.0]]

    def test_what_varies_together_cancels(self) -> None:
        together = np.array([[[4.0, 4.0], [4.0, 4.0]]])
        values = {"a": [5.0], "b": [3.0]}

        assert parse("[a] - [b]").evaluate(values, together).se.tolist() == [0.0]
        assert parse("[a] + [b]").evaluate(values, together).se.tolist() == [4.0]

    def test_min_and_max_follow_the_side_they_take(self) -> None:
        formula = parse("min([a], [b]) + max([a], 4)")
        found = formula.evaluate(
            {"a": [3.0, 5.0], "b": [7.0, 1.0]}, np.stack([np.diag([1.0, 9.0])] * 2)
        )

        assert found.value.tolist() == [7.0, 6.0]
        assert found.gradient.tolist() == [[1.0, 0.0], [1.0, 1.0]]
        assert found.se.tolist() == pytest.approx([1.0, np.sqrt(10)])

    def test_an_absolute_value_is_not_certain_at_zero(self) -> None:
        found = parse("abs([a])").evaluate({"a": [0.0, -2.0]}, [[[4.0]], [[4.0]]])

        assert found.se.tolist() == [2.0, 2.0]

    def test_says_cell_by_cell_why_there_is_no_value(self) -> None:
        formula = parse("[a] / [b]")
        found = formula.evaluate(
            {"a": [1.0, np.nan, 1.0, np.nan, 1e308], "b": [2.0, 2.0, 0.0, 0.0, 1e-9]},
            np.stack([np.eye(2)] * 5),
        )

        assert [FormulaStatus(status).code for status in found.status] == [
            "ok",
            "missing_operand",
            "division_by_zero",
            "missing_operand",
            "not_finite",
        ]
        assert np.isfinite(found.value).tolist() == [True, False, False, False, False]
        assert np.isfinite(found.se).tolist() == [True, False, False, False, False]
        assert (found.gradient[1:] == 0).all()

    def test_a_division_by_zero_is_not_hidden_by_what_comes_after(self) -> None:
        assert at("min(1 / [a], 5)", a=0.0).status.tolist() == [FormulaStatus.DIVISION_BY_ZERO]
        assert at("1 / (1 / [a])", a=0.0).status.tolist() == [FormulaStatus.DIVISION_BY_ZERO]

    def test_no_cells_give_no_values(self) -> None:
        found = parse("1 - [a]").evaluate({"a": []}, np.zeros((0, 1, 1)))

        assert found.value.shape == (0,)
        assert found.gradient.shape == (0, 1)

    @given(texts(), NUMBERS, NUMBERS, NUMBERS)
    def test_counts_as_python_does(self, text: str, a: float, b: float, c: float) -> None:
        python = text.translate(str.maketrans("", "", "[]"))
        try:
            expected = eval(python, {"a": a, "b": b, "c": c, "__builtins__": {}} | BUILTINS)  # noqa: S307
        except ZeroDivisionError:
            assert at(text, a=a, b=b, c=c).status.tolist() == [FormulaStatus.DIVISION_BY_ZERO]
        else:
            assume(abs(expected) < 1e12)
            assert value(text, a=a, b=b, c=c) == pytest.approx(expected, rel=1e-9, abs=1e-9)

    @given(texts(), NUMBERS, NUMBERS, NUMBERS)
    def test_its_slopes_are_those_of_small_differences(
        self, text: str, a: float, b: float, c: float
    ) -> None:
        names = parse(text).names
        start = {"a": a, "b": b, "c": c}
        # A corner within a corner, as min(abs(a), b) at 0, looks smooth from both sides.
        assume(0.0 not in start.values())
        exact = at(text, **start)
        assume(exact.status[0] == FormulaStatus.OK)
        for place, name in enumerate(names):
            slopes = [
                (value(text, **(start | {name: start[name] + step})) - exact.value[0]) / step
                for step in (1e-6, -1e-6)
            ]
            assume(np.isfinite(slopes).all() and np.abs(slopes).max() < 1e5)
            # At a corner and where it bends strongly the two sides differ.
            assume(abs(slopes[0] - slopes[1]) < 1e-3)
            assert exact.gradient[0, place] == pytest.approx(slopes[0], rel=2e-3, abs=2e-3)

    @given(NUMBERS, NUMBERS, NUMBERS)
    def test_ways_to_write_the_same_are_the_same(self, a: float, b: float, c: float) -> None:
        assume(abs(c) > 0.01 and len({a, b, c}) == 3)
        covariance = np.array([[[4.0, 1.0, 0.5], [1.0, 2.0, 0.3], [0.5, 0.3, 1.0]]])
        values = {"a": [a], "b": [b], "c": [c]}

        def both(text: str) -> FloatArray:
            formula = parse(text)
            order = ["abc".index(name) for name in formula.names]
            found = formula.evaluate(values, covariance[:, order][:, :, order])
            return np.array([found.value[0], found.se[0]])

        np.testing.assert_allclose(
            both("([a] + [b]) / [c]"), both("[a] / [c] + [b] / [c]"), rtol=1e-6, atol=1e-6
        )
        np.testing.assert_allclose(
            both("max([a], [b], [c])"),
            both("-min(-[a], -max([c], [b]))"),
            rtol=1e-6,
            atol=1e-6,
        )

    @given(st.floats(0.01, 50), NUMBERS, NUMBERS)
    def test_a_unit_of_measure_changes_value_and_error_alike(
        self, times: float, a: float, b: float
    ) -> None:
        covariance = np.array([[[4.0, 1.0], [1.0, 2.0]]])
        plain = parse("[a] - [b]").evaluate({"a": [a], "b": [b]}, covariance)
        scaled = parse("[a] - [b]").evaluate(
            {"a": [a * times], "b": [b * times]}, covariance * times**2
        )

        np.testing.assert_allclose(scaled.value, plain.value * times, atol=1e-9)
        np.testing.assert_allclose(scaled.se, plain.se * times)


BUILTINS = {"min": min, "max": max, "abs": abs}
