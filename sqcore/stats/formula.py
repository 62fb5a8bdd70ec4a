"""Small formulas over named values: a language of its own, evaluated with its uncertainty.

    1 - [error-rate]        ([a] + 2 * [b]) / [c]        min([a], [b])

In brackets stands the code of a value; else there are numbers, + - * / ( ), min, max and abs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import BoolArray, FloatArray, finite, numbers
from sqcore.stats.errors import StatisticsError

LONGEST = 500
"""A formula has at most so many characters."""
DEEPEST = 30
"""At most so many parentheses, functions and signs stand in each other."""
FUNCTIONS = ("min", "max", "abs")

_TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|\[\s*(?P<name>[A-Za-z0-9_-]+)\s*\]"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign>[-+*/(),])",
    re.ASCII,
)
_WIDE = str.maketrans("（）＋－−＊×／÷，［］【】", "()+--**//,[][]")
"""Signs as a Chinese keyboard writes them, one for one."""


class Fault(StrEnum):
    """What is wrong with a formula; its text is `reason`."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    UNREADABLE = "unreadable"
    VALUE_EXPECTED = "value_expected"
    SIGN_EXPECTED = "sign_expected"
    NOT_CLOSED = "not_closed"
    UNKNOWN_FUNCTION = "unknown_function"
    WRONG_COUNT = "wrong_count"
    NUMBER_TOO_LARGE = "number_too_large"
    DIVIDES_BY_ZERO = "divides_by_zero"
    NO_NAME = "no_name"

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    Fault.EMPTY: "there is no formula",
    Fault.TOO_LONG: f"the formula is longer than {LONGEST} characters",
    Fault.TOO_DEEP: f"more than {DEEPEST} parentheses stand in each other",
    Fault.UNREADABLE: "this is neither a number, a [name] nor a sign",
    Fault.VALUE_EXPECTED: "a number, a [name] or a parenthesis must stand here",
    Fault.SIGN_EXPECTED: "one of + - * / must stand here",
    Fault.NOT_CLOSED: "the parenthesis opened here is never closed",
    Fault.UNKNOWN_FUNCTION: "there are only min, max and abs; names stand in brackets",
    Fault.WRONG_COUNT: "min and max take at least two values, abs takes one",
    Fault.NUMBER_TOO_LARGE: "this number is too large",
    Fault.DIVIDES_BY_ZERO: "this always divides by 0",
    Fault.NO_NAME: "it names nothing that is measured",
}


class FormulaError(StatisticsError):
    """A formula cannot be read: `fault`, and the `place` of the character where, from 1."""

    def __init__(self, fault: Fault, place: int, text: str) -> None:
        self.fault = fault
        self.place = place
        self.found = text[place - 1 : place + 11].strip()
        near = f", at “{self.found}”" if self.found else ""
        super().__init__(f"at character {place}{near}: {fault.reason}")


class FormulaStatus(IntEnum):
    """Whether a cell has a value, or what stood in the way."""

    OK = 0
    MISSING_OPERAND = 1
    DIVISION_BY_ZERO = 2
    NOT_FINITE = 3

    @property
    def code(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, eq=False)
class FormulaValue:
    """What a formula gives in C cells.

    value, se: (C,), NaN where the status is not ok; gradient: (C, K), the derivative by each name,
        0 where the status is not ok, so that gradients can be multiplied with covariances
    status: (C,), uint8, see `FormulaStatus`
    """

    value: FloatArray
    se: FloatArray
    gradient: FloatArray
    status: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Step:
    """One act on the stack of values: push a number or the name at `index`, or combine `count`.

    `act` is “number”, “name”, “negative”, a sign, or the name of a function.
    """

    act: str
    number: float = 0.0
    index: int = 0
    count: int = 0


@dataclass(frozen=True)
class Formula:
    """A formula that could be read: `names` in the order in which they first stand in it, and the
    `steps` that compute it, values first."""

    text: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]

    def evaluate(
        self, values: Mapping[str, npt.ArrayLike], covariance: npt.ArrayLike
    ) -> FormulaValue:
        """Return the formula of the values, cell by cell, and its standard error.

        values: for each of the K names an array of shape (C,), NaN where there is none
        covariance: (C, K, K), how the values vary together, in the order of `names`; 0 where it
            is not known
        returns: FormulaValue. The variance is g' V g with the gradient g at the values (delta
            method, exact derivatives). A cell where a name has no value is missing_operand,
            where a divisor is 0 division_by_zero, where the result overflows not_finite
        raises: StatisticsError if a name or a shape is wrong, or a number infinite
        assumes: a formula that is nearly straight within the uncertainty of its values. Where
            min, max and abs have a corner the slope is that of the side they take
        source: Cochran 1977, Sampling Techniques, section 6.4 (ratio); delta method

        >>> ratio = parse("[errors] / [cases]")
        >>> found = ratio.evaluate(
        ...     {"errors": [2.0, 1.0, np.nan], "cases": [40.0, 0.0, 9.0]},
        ...     np.array([[[0.04, 0.2], [0.2, 4.0]]] * 3),
        ... )
        >>> found.value.tolist(), found.se.round(6).tolist()
        ([0.05, nan, nan], [0.00433, nan, nan])
        >>> [FormulaStatus(status).code for status in found.status]
        ['ok', 'division_by_zero', 'missing_operand']
        """
        v = finite(covariance, "covariance")
        known = len(self.names)
        if v.ndim != 3 or v.shape[1:] != (known, known):
            raise StatisticsError(f"covariance must have shape (cells, {known}, {known})")
        x = self._operands(values, v.shape[0])
        with np.errstate(all="ignore"):
            result, by_zero = _run(self.steps, x)
            spread = np.einsum("ca,cab,cb->c", result.slope, v, result.slope)
        bad = ~(np.isfinite(result.value) & np.isfinite(spread))
        status = np.select(
            [np.isnan(x).any(axis=1), by_zero, bad],
            [
                FormulaStatus.MISSING_OPERAND,
                FormulaStatus.DIVISION_BY_ZERO,
                FormulaStatus.NOT_FINITE,
            ],
            FormulaStatus.OK,
        ).astype(np.uint8)
        ok = status == FormulaStatus.OK
        return FormulaValue(
            np.where(ok, result.value, np.nan),
            np.sqrt(np.where(ok, np.maximum(spread, 0.0), np.nan)),
            np.where(ok[:, None], result.slope, 0.0),
            status,
        )

    def _operands(self, values: Mapping[str, npt.ArrayLike], cells: int) -> FloatArray:
        columns = []
        for name in self.names:
            if name not in values:
                raise StatisticsError(f"there are no values of “{name}”")
            column = numbers(values[name], f"values of “{name}”")
            if column.shape != (cells,):
                raise StatisticsError(f"values of “{name}” must have shape ({cells},)")
            columns.append(column)
        return np.stack(columns, axis=1)


def parse(text: str) -> Formula:
    """Read a formula.

    text: at most `LONGEST` characters, nested at most `DEEPEST` deep, naming at least one value
    returns: Formula
    raises: FormulaError, which says what is wrong and at which character
    assumes: * and / before + and -, from left to right, as at school

    >>> parse("([calls] + 2 * [visits]) / [staff]").names
    ('calls', 'visits', 'staff')
    >>> parse("1 - (2 * [errors]")
    Traceback (most recent call last):
    sqcore.stats.formula.FormulaError: at character 5, at “(2 * [errors”: the parenthesis ...
    """
    return _Parser(text).formula()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> list[_Token]:
    plain, at, found = text.translate(_WIDE), 0, []
    end = len(plain.rstrip())
    while at < end:
        start = end - len(plain[at:end].lstrip())
        match = _TOKEN.match(plain, start)
        if match is None or match.lastgroup is None:
            raise FormulaError(Fault.UNREADABLE, start + 1, text)
        found.append(_Token(match.lastgroup, match[match.lastgroup], start + 1))
        at = match.end()
    found.append(_Token("end", "", end + 1))
    return found


class _Parser:
    """Reads by recursive descent and writes down the steps, values first.

    Each part returns its value where it is made of numbers alone, and None where it is not.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise FormulaError(Fault.TOO_LONG, LONGEST + 1, text)
        if not text.strip():
            raise FormulaError(Fault.EMPTY, 1, text)
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.names: list[str] = []
        self.steps: list[Step] = []

    def formula(self) -> Formula:
        self.sum()
        if self.here.kind != "end":
            raise self.error(Fault.SIGN_EXPECTED)
        if not self.names:
            raise FormulaError(Fault.NO_NAME, 1, self.text)
        return Formula(self.text, tuple(self.names), tuple(self.steps))

    @property
    def here(self) -> _Token:
        return self.tokens[self.at]

    def error(self, fault: Fault, token: _Token | None = None) -> FormulaError:
        return FormulaError(fault, (token or self.here).place, self.text)

    def take(self) -> _Token:
        token = self.here
        self.at += 1
        return token

    def is_sign(self, *signs: str) -> bool:
        return self.here.kind == "sign" and self.here.text in signs

    def sum(self) -> float | None:
        value = self.product()
        while self.is_sign("+", "-"):
            value = self.combine(self.take(), value, self.product())
        return value

    def product(self) -> float | None:
        value = self.part()
        while self.is_sign("*", "/"):
            value = self.combine(self.take(), value, self.part())
        return value

    def combine(self, sign: _Token, left: float | None, right: float | None) -> float | None:
        self.steps.append(Step(sign.text, count=2))
        if sign.text == "/" and right == 0:
            raise self.error(Fault.DIVIDES_BY_ZERO, sign)
        if left is None or right is None:
            return None
        match sign.text:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
        return left / right

    def part(self) -> float | None:
        token = self.here
        if self.depth >= DEEPEST:
            raise self.error(Fault.TOO_DEEP)
        self.depth += 1
        try:
            match token.kind, token.text:
                case "number", _:
                    return self.number()
                case "name", _:
                    self.name()
                    return None
                case "word", _:
                    return self.function()
                case "sign", "-":
                    return self.negative()
                case "sign", "(":
                    self.take()
                    value = self.sum()
                    self.close(token)
                    return value
        finally:
            self.depth -= 1
        raise self.error(Fault.VALUE_EXPECTED)

    def number(self) -> float:
        value = float(self.here.text)
        if not np.isfinite(value):
            raise self.error(Fault.NUMBER_TOO_LARGE)
        self.take()
        self.steps.append(Step("number", number=value))
        return value

    def name(self) -> None:
        name = self.take().text
        if name not in self.names:
            self.names.append(name)
        self.steps.append(Step("name", index=self.names.index(name)))

    def negative(self) -> float | None:
        self.take()
        value = self.part()
        self.steps.append(Step("negative", count=1))
        return None if value is None else -value

    def function(self) -> float | None:
        word = self.take()
        if word.text not in FUNCTIONS:
            raise self.error(Fault.UNKNOWN_FUNCTION, word)
        opening = self.here
        if not self.is_sign("("):
            raise self.error(Fault.VALUE_EXPECTED)
        self.take()
        values = [self.sum()]
        while self.is_sign(","):
            self.take()
            values.append(self.sum())
        self.close(opening)
        if (len(values) == 1) != (word.text == "abs"):
            raise self.error(Fault.WRONG_COUNT, word)
        self.steps.append(Step(word.text, count=len(values)))
        return _constant(word.text, values)

    def close(self, opening: _Token) -> None:
        if self.here.kind == "end":
            raise self.error(Fault.NOT_CLOSED, opening)
        if not self.is_sign(")"):
            raise self.error(Fault.SIGN_EXPECTED)
        self.take()


def _constant(function: str, values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None
    match function:
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
    return abs(numbers[0])


@dataclass(frozen=True, eq=False)
class _Dual:
    """A value in each cell (C,) and its derivative by each name (C, K)."""

    value: FloatArray
    slope: FloatArray

    def times(self, factor: FloatArray) -> FloatArray:
        return self.slope * factor[:, None]


def _run(steps: Sequence[Step], x: FloatArray) -> tuple[_Dual, BoolArray]:
    """Return the result of the steps, and in which cells something was divided by 0."""
    cells, names = x.shape
    stack: list[_Dual] = []
    by_zero = np.zeros(cells, dtype=np.bool_)
    for step in steps:
        match step.act:
            case "number":
                stack.append(_Dual(np.full(cells, step.number), np.zeros((cells, names))))
            case "name":
                unit = np.zeros((cells, names))
                unit[:, step.index] = 1.0
                stack.append(_Dual(x[:, step.index], unit))
            case _:
                taken = stack[-step.count :]
                del stack[-step.count :]
                if step.act == "/":
                    by_zero |= taken[1].value == 0
                stack.append(_combined(step.act, taken))
    return stack[0], by_zero


def _combined(act: str, taken: Sequence[_Dual]) -> _Dual:
    left, right = taken[0], taken[-1]
    match act:
        case "+":
            return _Dual(left.value + right.value, left.slope + right.slope)
        case "-":
            return _Dual(left.value - right.value, left.slope - right.slope)
        case "*":
            return _Dual(
                left.value * right.value, left.times(right.value) + right.times(left.value)
            )
        case "/":
            value = left.value / right.value
            return _Dual(value, (left.slope - right.times(value)) / right.value[:, None])
        case "negative":
            return _Dual(-left.value, -left.slope)
        case "abs":
            return _Dual(np.abs(left.value), left.times(np.where(left.value < 0, -1.0, 1.0)))
    chosen = left
    for other in taken[1:]:
        keeps = chosen.value <= other.value if act == "min" else chosen.value >= other.value
        chosen = _Dual(
            np.where(keeps, chosen.value, other.value),
            np.where(keeps[:, None], chosen.slope, other.slope),
        )
    return chosen
