"""Units of measure in formulas: what may be added, what comes out, and in which unit.

    [waiting: min] + [error-rate: share]    refused, whatever the numbers are
    60 * [waiting: h]                       hours, or minutes: 60 is what turns one into the other

A number that stands in a formula has no unit. Multiplied with a value it may be a plain factor or
one that turns its unit into another, so that a value can have several *readings*; the rest of the
formula, and the unit that is declared for its result, say which of them is meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import product

from sqcore.stats.errors import StatisticsError
from sqcore.stats.formula import Formula, Step

TIME, MONTH, POINTS, THINGS = range(4)
"""What is measured, as the places of `Reading.powers`. A month has no fixed number of days: it
converts into no other time. Points are places on a scale; things are what was counted."""


@dataclass(frozen=True, order=True)
class Reading:
    """A unit as powers of what is measured, and how large it is in the smallest unit of that."""

    powers: tuple[int, int, int, int]
    size: Fraction

    @property
    def is_number(self) -> bool:
        """True where a plain number can be added: shares, percent, counts, points."""
        return not self.powers[TIME] and not self.powers[MONTH]


def _reading(size: Fraction | int, **powers: int) -> Reading:
    at = {"time": TIME, "month": MONTH, "points": POINTS, "things": THINGS}
    found = [0, 0, 0, 0]
    for name, power in powers.items():
        found[at[name]] = power
    return Reading((found[0], found[1], found[2], found[3]), Fraction(size))


UNITS: dict[str, Reading] = {
    "share": _reading(1),
    "%": _reading(Fraction(1, 100)),
    "per 100": _reading(Fraction(1, 100)),
    "per 1000": _reading(Fraction(1, 1000)),
    "count": _reading(1, things=1),
    "points": _reading(1, points=1),
    "s": _reading(1, time=1),
    "min": _reading(60, time=1),
    "h": _reading(3600, time=1),
    "days": _reading(86400, time=1),
    "per month": _reading(1, month=-1),
}
"""The units that are known, by the words in which indicators are kept."""
ONE = UNITS["share"]
MOST = 64
"""A part of a formula keeps at most so many readings: beyond, only those in known units."""


class UnitStatus(StrEnum):
    """Whether the units of a formula go together."""

    OK = "ok"
    NOT_KNOWN = "not_known"
    """Something in it has no unit, so that the result cannot be told; nothing contradicts."""
    UNLIKE = "unlike"
    """Two values are added or compared that are of different things or in different units."""
    NUMBER_BESIDE = "number_beside"
    """A plain number is added to something that has a unit."""
    OTHER_RESULT = "other_result"
    """The result is not in the unit that is declared for it."""


@dataclass(frozen=True)
class Side:
    """A part of a formula as it is written, and the units it can be read in; none: not known."""

    text: str
    units: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"“{self.text}” ({' or '.join(self.units)})" if self.units else f"“{self.text}”"


@dataclass(frozen=True)
class UnitCheck:
    """What the units of a formula say.

    units: in what the result can be read, known units by their words, others as products such as
        “min²” or “1/min”; empty where that is not known
    left, right: the two parts that do not go together, where the status is unlike or
        number_beside; else None
    declared: the unit that was asked for, or ""
    """

    status: UnitStatus
    units: tuple[str, ...]
    declared: str
    left: Side | None = None
    right: Side | None = None

    @property
    def is_refused(self) -> bool:
        return self.status not in (UnitStatus.OK, UnitStatus.NOT_KNOWN)

    @property
    def reason(self) -> str:
        """One sentence for people; empty where nothing speaks against it."""
        if self.left is not None and self.right is not None:
            if self.status == UnitStatus.NUMBER_BESIDE:
                return f"{self.right.words} is a plain number and cannot be added to" + (
                    f" {self.left.words}"
                )
            return f"{self.left.words} and {self.right.words} cannot be added or compared"
        if self.status == UnitStatus.OTHER_RESULT:
            return f"the result is in {' or '.join(self.units)}, and not in {self.declared}"
        return ""


def check_units(formula: Formula, units: Mapping[str, str], declared: str = "") -> UnitCheck:
    """Return whether the units in a formula go together and give the unit of its result.

    units: for each name its unit, a key of `UNITS`, or "" where it has none: that goes with all
    declared: the unit of the result, "" where none is declared
    returns: UnitCheck, with a status and a sentence that names both sides
    raises: StatisticsError if a name has no entry, or a unit is not known
    assumes: like is added to like, in the same unit; a factor converts where it is exactly the
        one between two units (60 from hours to minutes, 100 from a share to percent); a plain
        number beside + or - takes the unit of a share, percent, count or points, never of a time
        or a rate, and 0 that of anything; in min and max a number is a bound in the unit of what
        stands beside it. Equal units divided give a number, which serves as share or count; a
        score in points may be made of anything that is a number
    source: Bridgman 1931, Dimensional Analysis, chapters 2 and 4

    >>> from sqcore.stats.formula import parse
    >>> check_units(parse("60 * [wait]"), {"wait": "h"}, "min").status.value
    'ok'
    >>> check_units(parse("[wait] + [errors]"), {"wait": "min", "errors": "share"}).reason
    '“[wait]” (min) and “[errors]” (share) cannot be added or compared'
    """
    for name in formula.names:
        if name not in units:
            raise StatisticsError(f"there is no unit of “{name}”")
    for unit in (*(units[name] for name in formula.names), declared):
        if unit and unit not in UNITS:
            raise StatisticsError(f"“{unit}” is no known unit")
    try:
        result = _run(formula, units)
    except _Unlike as found:
        left, right = (Side(_bare(each.text), each.words) for each in (found.left, found.right))
        status = UnitStatus.NUMBER_BESIDE if found.right.is_plain else UnitStatus.UNLIKE
        return UnitCheck(status, (), declared, left, right)
    if result.readings is None:
        return UnitCheck(UnitStatus.NOT_KNOWN, (), declared)
    if declared and not _serves(result.readings, UNITS[declared]):
        return UnitCheck(UnitStatus.OTHER_RESULT, result.words, declared)
    return UnitCheck(UnitStatus.OK, result.words, declared)


def _serves(readings: Iterable[Reading], wanted: Reading) -> bool:
    """Whether one of the readings is the unit that is declared."""
    if wanted == UNITS["points"]:
        return any(each.is_number for each in readings)
    if wanted == UNITS["count"]:
        return any(each in (wanted, ONE) for each in readings)
    return wanted in readings


@dataclass(frozen=True)
class _Part:
    """What stands on the stack: a text with the strength of its weakest sign, and its readings
    (None: not known), or a plain number with the factors it is made of."""

    text: str
    binds: int
    readings: frozenset[Reading] | None = None
    factors: tuple[Fraction, ...] = ()

    @property
    def is_plain(self) -> bool:
        return bool(self.factors)

    @property
    def number(self) -> Fraction:
        return self.factors[0]

    @property
    def words(self) -> tuple[str, ...]:
        if self.is_plain or self.readings is None:
            return ()
        named = {each for each in self.readings if _is_named(each)} or self.readings
        return tuple(dict.fromkeys(_name(each) for each in sorted(named)))


class _Unlike(Exception):
    def __init__(self, left: _Part, right: _Part) -> None:
        self.left, self.right = (right, left) if left.is_plain else (left, right)
        super().__init__(f"{self.left.text}, {self.right.text}")


SUM, PRODUCT, WHOLE = range(3)


def _run(formula: Formula, units: Mapping[str, str]) -> _Part:
    stack: list[_Part] = []
    for step in formula.steps:
        match step.act:
            case "number":
                stack.append(_plain(step.number))
            case "name":
                name = formula.names[step.index]
                unit = units[name]
                found = frozenset([UNITS[unit]]) if unit else None
                stack.append(_Part(f"[{name}]", WHOLE, found))
            case _:
                taken = stack[-step.count :]
                del stack[-step.count :]
                stack.append(_combined(step, taken))
    return stack[0]


def _plain(value: float) -> _Part:
    return _Part(f"{value:g}", WHOLE, factors=(Fraction(repr(value)),))


def _combined(step: Step, taken: Sequence[_Part]) -> _Part:
    left, right = taken[0], taken[-1]
    match step.act:
        case "negative":
            return _Part(
                f"-{_within(left, PRODUCT)}",
                PRODUCT,
                left.readings,
                tuple(-each for each in left.factors),
            )
        case "abs":
            return _Part(
                f"abs({left.text})",
                WHOLE,
                left.readings,
                tuple(abs(each) for each in left.factors[:1]),
            )
        case "min" | "max":
            return _alike(taken, f"{step.act}({', '.join(each.text for each in taken)})", WHOLE)
        case "+" | "-":
            text = f"{left.text} {step.act} {_within(right, PRODUCT)}"
            return _alike(taken, text, SUM, sign=step.act)
        case "*":
            return _product(left, right, 1)
    return _product(left, right, -1)


def _within(part: _Part, least: int) -> str:
    return part.text if part.binds >= least else f"({part.text})"


def _bare(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _alike(taken: Sequence[_Part], text: str, binds: int, *, sign: str = "") -> _Part:
    """Return what is added (with a `sign`) or compared: all of it must have a reading in common."""
    if all(each.is_plain for each in taken):
        return _Part(
            text, binds, factors=(_of_numbers([each.number for each in taken], text, sign),)
        )
    valued = [each for each in taken if not each.is_plain]
    common, told = valued[0].readings, valued[0]
    for each in valued[1:]:
        if each.readings is None or common is None:
            common, told = (each.readings, each) if common is None else (common, told)
            continue
        if not (common & each.readings):
            raise _Unlike(told, each)
        common = common & each.readings
    for each in taken:
        if sign and each.is_plain and each.number and common is not None:
            joined = frozenset(reading for reading in common if reading.is_number)
            if not joined:
                raise _Unlike(told, each)
            common = joined
    return _Part(text, binds, common)


def _of_numbers(numbers: Sequence[Fraction], text: str, sign: str) -> Fraction:
    if not sign:
        return min(numbers) if text.startswith("min") else max(numbers)
    return numbers[0] + numbers[1] if sign == "+" else numbers[0] - numbers[1]


def _product(left: _Part, right: _Part, power: int) -> _Part:
    text = f"{_within(left, PRODUCT)} {'*' if power > 0 else '/'} {_within(right, WHOLE)}"
    if left.is_plain and right.is_plain:
        if power < 0 and not right.number:
            # What is 0 but for rounding, as 0.1 + 0.2 - 0.3: nothing is known of it.
            return _Part(text, PRODUCT)
        whole = left.number * right.number**power
        atoms = (*left.factors, *(each**power for each in right.factors if each))
        return _Part(text, PRODUCT, factors=tuple(dict.fromkeys((whole, *atoms))))
    if left.is_plain:
        turned = None if right.readings is None else {_power(r, power) for r in right.readings}
        return _Part(text, PRODUCT, _converted(turned, left.factors))
    if right.is_plain:
        factors = [each**power for each in right.factors if each]
        return _Part(text, PRODUCT, _converted(left.readings, factors))
    if left.readings is None or right.readings is None:
        return _Part(text, PRODUCT, None)
    pairs = product(left.readings, right.readings)
    return _Part(text, PRODUCT, _few({_times(a, _power(b, power)) for a, b in pairs}))


def _power(reading: Reading, power: int) -> Reading:
    a, b, c, d = (each * power for each in reading.powers)
    return Reading((a, b, c, d), reading.size**power)


def _times(one: Reading, two: Reading) -> Reading:
    time, month, points, things = (a + b for a, b in zip(one.powers, two.powers, strict=True))
    # What was counted counts each: minutes a case are minutes, cases of cases are cases.
    things = 0 if time or month or points else min(things, 1)
    return Reading((time, month, points, things), one.size * two.size)


def _converted(
    readings: Iterable[Reading] | None, factors: Iterable[Fraction]
) -> frozenset[Reading] | None:
    """Return the readings, and those in the unit into which a factor turns one of them."""
    if readings is None:
        return None
    found = set(readings)
    for factor in factors:
        if factor > 0:
            found |= {Reading(each.powers, each.size / factor) for each in found}
            found = set(_few(found))
    return frozenset(found)


def _few(readings: set[Reading]) -> frozenset[Reading]:
    """Return them all, or where they are too many those in known units, else the first."""
    if len(readings) <= MOST:
        return frozenset(readings)
    named = [each for each in sorted(readings) if _is_named(each)]
    return frozenset((named or sorted(readings))[:MOST])


def _is_named(reading: Reading) -> bool:
    """True for a known unit and for one over it."""
    return reading in UNITS.values() or _power(reading, -1) in UNITS.values()


_SIGNS = ("time", "month", "points", "count")


def _name(reading: Reading) -> str:
    """Return the words of a known unit, or a product of what is measured."""
    for name, unit in UNITS.items():
        if unit == reading:
            return name
    time = {unit.size: name for name, unit in UNITS.items() if unit.powers[TIME] == 1}
    size, power = reading.size, reading.powers[TIME]
    known = next((name for each, name in time.items() if power and each**power == size), "time")
    names = (known, *_SIGNS[1:])
    above = [_raised(name, n) for name, n in zip(names, reading.powers, strict=True) if n > 0]
    below = [_raised(name, -n) for name, n in zip(names, reading.powers, strict=True) if n < 0]
    top = "·".join(above) or ("1" if below else "number")
    return f"{top}/{'·'.join(below)}" if below else top


def _raised(name: str, power: int) -> str:
    return name if power == 1 else f"{name}{'²³'[power - 2] if power < 4 else f'^{power}'}"
