"""A mapping put onto the columns of one file: rows of text become drafts of responses. Pure.

Each column keeps what its values meant, so that a value is worked out once, not once a row.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Protocol

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, Problem
from sqcore.files.cells import day_of, normal, plain_number, whole_number
from sqcore.files.importers import Row, repeated
from surveys.imports.mapping import PLACE_WORDS, CodeMap, ColumnMap, DateMap, ImportMapping

NA_ANSWER = "na"
WEIGHT_ONE = 1000
LARGEST_WEIGHT = 1000
LONGEST_KEY = 120
LONGEST_COMMENT = 4000
EARLIEST = date(1900, 1, 1)
SHOWN = 40
REMEMBERED = 10_000
"""Values of a column whose meaning is kept; a column of comments has more."""


class AnsweredItem(Protocol):
    """What reading needs of a question: an `Item`, or the definition of one."""

    @property
    def code(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def low(self) -> int: ...

    @property
    def high(self) -> int: ...

    @property
    def allows_na(self) -> bool: ...

    @property
    def options(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Wrong:
    """A value that means nothing: why, and whether it costs the row or the answer alone."""

    reason: str
    costs_row: bool = True


@dataclass(frozen=True)
class Fault:
    """One thing wrong in one row, as the report names it."""

    row: int
    column: str
    value: str
    reason: str
    costs_row: bool = True


@dataclass
class Draft:
    """A response with codes still in place of ids."""

    row: int
    answers: dict[str, int | str] = field(default_factory=dict)
    unit: str = ""
    channel: str = ""
    segment: str = ""
    language: str = ""
    answered_on: date = EARLIEST
    weight: int = WEIGHT_ONE
    key: str = ""


class Column:
    """One column of the file and what its values mean."""

    def __init__(self, index: int, name: str, read: Callable[[str], Any]) -> None:
        self.index = index
        self.name = name
        self._read = read
        self._known: dict[str, Any] = {}

    def meaning(self, cells: Sequence[str]) -> Any:
        text = cells[self.index]
        try:
            return self._known[text]
        except KeyError:
            found = self._read(text)
            if len(self._known) < REMEMBERED:
                self._known[text] = found
            return found


@dataclass
class Plan:
    """How each part of a response is read from this file."""

    mapping: ImportMapping
    header: tuple[str, ...]
    items: dict[str, Column]
    absent: tuple[str, ...]
    unit: Column | None
    channel: Column | None
    segment: Column | None
    language: Column | None
    date: Column | None
    weight: Column | None
    key: Column | None

    @property
    def roles(self) -> dict[str, str]:
        """What each mapped column is read as: column name -> item code or section."""
        found = {column.name: code for code, column in self.items.items()}
        for role in ("unit", "channel", "segment", "language", "date", "weight", "key"):
            if column := getattr(self, role):
                found[column.name] = f"[{role}]"
        return found

    def read(self, row: Row) -> tuple[Draft | None, list[Fault]]:
        """Return the row as a draft, or None, and everything that is wrong with it."""
        if row.problem:
            return None, [Fault(row.number, "", "", row.problem)]
        draft = Draft(row.number)
        faults = list(self._read_items(row, draft))
        faults.extend(self._read_rest(row, draft))
        if any(fault.costs_row for fault in faults):
            return None, faults
        if not draft.answers:
            return None, [*faults, Fault(row.number, "", "", _("answers no question"))]
        return draft, faults

    def _read_items(self, row: Row, draft: Draft) -> Iterator[Fault]:
        for code, column in self.items.items():
            meaning = column.meaning(row.cells)
            if meaning is None:
                continue
            if meaning.__class__ is Wrong:
                yield _fault(row, column, meaning)
            else:
                draft.answers[code] = meaning

    def _read_rest(self, row: Row, draft: Draft) -> Iterator[Fault]:
        mapping = self.mapping
        draft.unit = mapping.unit.constant
        draft.channel = mapping.channel.constant
        draft.segment = mapping.segment.constant
        draft.language = mapping.language.constant
        if mapping.campaign.wave:
            draft.answered_on = mapping.campaign.wave.start
        for part, column in self._rest:
            meaning = column.meaning(row.cells)
            if meaning.__class__ is Wrong:
                yield _fault(row, column, meaning)
            else:
                setattr(draft, part, meaning)

    @cached_property
    def _rest(self) -> list[tuple[str, Column]]:
        parts = (
            ("unit", self.unit),
            ("channel", self.channel),
            ("segment", self.segment),
            ("language", self.language),
            ("answered_on", self.date),
            ("weight", self.weight),
            ("key", self.key),
        )
        return [(part, column) for part, column in parts if column is not None]


def _fault(row: Row, column: Column, wrong: Wrong) -> Fault:
    value = row.cells[column.index]
    shown = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
    return Fault(row.number, column.name, shown, wrong.reason, wrong.costs_row)


def make_plan(
    mapping: ImportMapping, header: Sequence[str], items: Iterable[AnsweredItem], *, today: date
) -> Plan:
    """Put the mapping onto these columns.

    raises: InvalidInput naming each column that is missing or meant twice, and each item that the
    questionnaire does not have
    """
    finder = _Finder(header)
    by_code = {item.code: item for item in items}
    columns: dict[str, Column] = {}
    absent = []
    for code, column_map in mapping.columns.items():
        item = by_code.get(code)
        if item is None:
            finder.note(f"columns.{code}", _("the questionnaire has no such question"))
        elif at := finder.find(column_map.names, f"columns.{code}"):
            columns[code] = Column(*at, item_reader(item, column_map))
        else:
            absent.append(code)
    if not columns and not finder.problems:
        finder.note("columns", _("the file has none of the columns with answers"))
    plan = Plan(
        mapping=mapping,
        header=tuple(header),
        items=columns,
        absent=tuple(absent),
        unit=finder.coded(mapping.unit, "unit"),
        channel=finder.coded(mapping.channel, "channel"),
        segment=finder.coded(mapping.segment, "segment"),
        language=finder.coded(mapping.language, "language", lenient=True),
        date=finder.column(mapping.date.names, "date", date_reader(mapping.date, today)),
        weight=finder.column(mapping.weight, "weight", read_weight),
        key=finder.column(mapping.key, "key", read_key),
    )
    finder.check_used_once(plan)
    if finder.problems:
        raise InvalidInput(_("The mapping does not fit the file."), problems=finder.problems[:50])
    return plan


class _Finder:
    """Finds columns by their names and notes what it does not find."""

    def __init__(self, header: Sequence[str]) -> None:
        self.places = {normal(name): (at, name) for at, name in enumerate(header) if name}
        self.twice = {normal(name) for name in repeated(header)}
        self.problems: list[Problem] = []

    def note(self, where: str, reason: str) -> None:
        self.problems.append(Problem(reason, field=where))

    def find(self, names: Sequence[str], where: str) -> tuple[int, str] | None:
        there = list(dict.fromkeys(normal(name) for name in names if normal(name) in self.places))
        if len(there) > 1:
            listed = ", ".join(self.places[name][1] for name in there)
            self.note(
                where,
                _("the file has more than one of its columns: %(listed)s") % {"listed": listed},
            )
        for name in there:
            if name in self.twice:
                self.note(
                    where,
                    _("two columns of the file are called “%(name)s”")
                    % {"name": self.places[name][1]},
                )
        return self.places[there[0]] if there else None

    def column(self, names: Sequence[str], where: str, read: Callable[[str], Any]) -> Column | None:
        if not names:
            return None
        if at := self.find(names, where):
            return Column(*at, read)
        self.note(where, _("the file has no column %(names)s") % {"names": _(" or ").join(names)})
        return None

    def coded(self, codes: CodeMap, where: str, *, lenient: bool = False) -> Column | None:
        return self.column(codes.names, where, code_reader(codes, where, lenient=lenient))

    def check_used_once(self, plan: Plan) -> None:
        used = Counter(column.index for column in plan.items.values())
        for index, times in used.items():
            if times > 1:
                codes = [code for code, column in plan.items.items() if column.index == index]
                self.note(
                    f"columns.{codes[1]}",
                    _("“%(header)s” is read as %(codes)s; choose one")
                    % {"header": plan.header[index], "codes": _(" and ").join(codes)},
                )


# ---- What values mean ----------------------------------------------------------------------------
def item_reader(item: AnsweredItem, column: ColumnMap) -> Callable[[str], int | str | Wrong | None]:
    """Return what turns a cell into an answer to this item; None is no answer."""
    if item.kind == "comment":
        return lambda text: _comment(text, column)
    options = {normal(str(option.get("code"))): str(option.get("code")) for option in item.options}

    def read(text: str) -> int | str | Wrong | None:
        plain = normal(text)
        if not plain or (plain in column.missing and plain not in column.values):
            return None
        if plain in column.values:
            return _mapped(item, column, column.values[plain], options)
        if plain in column.not_applicable:
            return _not_applicable(item, column)
        if item.kind == "choice":
            return options.get(plain) or Wrong(_("is none of the options"), column.outside == "row")
        return _scored(item, column, plain)

    return read


def _mapped(
    item: AnsweredItem, column: ColumnMap, value: int | str, options: Mapping[str, str]
) -> int | str | Wrong | None:
    if value == NA_ANSWER:
        return _not_applicable(item, column)
    if value == "":
        return None
    if item.kind == "choice":
        return options.get(normal(str(value))) or Wrong(
            _("“%(value)s” is none of the options") % {"value": value}
        )
    return _scored(item, column, str(value), turned=False)


def _not_applicable(item: AnsweredItem, column: ColumnMap) -> str | Wrong:
    if item.allows_na:
        return NA_ANSWER
    return Wrong(_("“not applicable” is not possible here"), column.outside == "row")


def _scored(
    item: AnsweredItem, column: ColumnMap, text: str, *, turned: bool = True
) -> int | Wrong:
    number = whole_number(text)
    costs_row = column.outside == "row"
    if number is None:
        return Wrong(
            _("is no whole number from %(low)s to %(high)s") % {"low": item.low, "high": item.high},
            costs_row,
        )
    if not item.low <= number <= item.high:
        return Wrong(
            _("is outside %(low)s to %(high)s") % {"low": item.low, "high": item.high}, costs_row
        )
    return item.low + item.high - number if column.reversed and turned else number


def _comment(text: str, column: ColumnMap) -> str | Wrong | None:
    plain = text.strip()
    if not plain or normal(plain) in column.missing:
        return None
    if len(plain) > LONGEST_COMMENT:
        return Wrong(
            _("has more than %(most)s characters") % {"most": LONGEST_COMMENT},
            column.outside == "row",
        )
    return plain


def code_reader(
    codes: CodeMap, where: str, *, lenient: bool = False
) -> Callable[[str], str | Wrong]:
    """Return what turns a cell into a code; `lenient` takes what it does not know for nothing."""
    otherwise = "" if lenient and codes.otherwise is None else codes.otherwise
    is_open = not codes.values and not codes.ranges

    def read(text: str) -> str | Wrong:
        plain = normal(text)
        if plain in codes.values:
            return codes.values[plain]
        if codes.ranges and (number := plain_number(plain)) is not None:
            for low, high, code in codes.ranges:
                if low <= number <= high:
                    return code
        if is_open and plain:
            return plain
        if otherwise is not None:
            return otherwise
        if not plain and where in ("channel", "segment"):
            return ""
        return Wrong(
            _("no %(what)s is known for it") % {"what": PLACE_WORDS[where]}
            if plain
            else _("the %(what)s is missing") % {"what": PLACE_WORDS[where]}
        )

    return read


def date_reader(dates: DateMap, today: date) -> Callable[[str], date | Wrong]:
    """Return what turns a cell into a day that is not in the future."""

    def read(text: str) -> date | Wrong:
        plain = text.strip()
        if not plain:
            return Wrong(_("the day is missing"))
        day = day_of(plain, dates.format)
        if day is None:
            return Wrong(
                _("is no day written %(format)s") % {"format": dates.format or "2026-05-17"}
            )
        if day > today:
            return Wrong(_("is a day in the future"))
        return day if day >= EARLIEST else Wrong(_("is before %(year)s") % {"year": EARLIEST.year})

    return read


def read_weight(text: str) -> int | Wrong:
    """Return a survey weight in thousandths.

    >>> read_weight("0.8694341151"), read_weight("0").reason
    (869, 'is no weight above 0 and up to 1000')
    """
    number = plain_number(text)
    if number is None or not 0 < number <= LARGEST_WEIGHT or round(number * WEIGHT_ONE) < 1:
        return Wrong(_("is no weight above 0 and up to %(most)s") % {"most": LARGEST_WEIGHT})
    return round(number * WEIGHT_ONE)


def read_key(text: str) -> str | Wrong:
    plain = text.strip()
    if not plain:
        return Wrong(_("the key is missing"))
    return (
        plain
        if len(plain) <= LONGEST_KEY
        else Wrong(_("has more than %(most)s characters") % {"most": LONGEST_KEY})
    )
