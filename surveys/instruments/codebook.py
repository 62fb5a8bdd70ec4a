"""How answers to one published version are read: checked, packed into bytes, turned into measures.

A published version never changes, so its codebook is read once a process.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sqcore.base.errors import InvalidInput, Problem
from surveys.instruments.models import InstrumentVersion, Item

NOT_APPLICABLE = 254
MISSING = 255
NA_ANSWER = "na"
LONGEST_COMMENT = 4000
NO_TEXT = re.compile("[\x00\ud800-\udfff]")
"""NUL and halves of surrogate pairs: no database takes them."""

Bytes = npt.NDArray[np.uint8]


JUDGED_ALONE: Mapping[str, frozenset[str]] = {"servqual": frozenset({"p2", "p3", "p22"})}
"""Items of a dimension, by questionnaire, that are a measure by themselves as well: the bank case
judges rooms, staff and recommendations by one question each. Every measure widens the sums, whose
size grows with its square, so not every item is one. The sums hold what was a measure when they
were made: after a change here, make them again (`rebuild_rollups`)."""

LOYALTY = "loyalty"
"""The dimension whose outcomes make an index: would come again, recommend, prefer."""
INDEX_SCALE = 27
"""Makes the mean of three answers on scales of ten or eleven steps whole; others are rounded to
1/27 of a point, so that sums of a million weighted answers fit 63 bits."""


@dataclass(frozen=True)
class Measure:
    """What is summed over respondents: a number of each, times `scale` a whole one.

    `key` names it in indicators: `perception:<dimension>`, `gap:<dimension>`, `item:<code>`,
    `nps:<code>` (-1, 0, 1), `top2:<code>` (0, 1) or `index:<dimension>` (0..100, of answers on
    scales with these `ends`). `columns` are positions among the scored items, `paired` those of the
    expectations that belong to them.
    """

    key: str
    scale: int
    columns: tuple[int, ...]
    paired: tuple[int, ...] = ()
    top: int = 0
    ends: tuple[tuple[int, int], ...] = ()

    @property
    def kind(self) -> str:
        return self.key.partition(":")[0]


@dataclass(frozen=True)
class Codebook:
    """The items of one version in order, and what follows from them."""

    version_id: int
    instrument: str
    items: tuple[Item, ...]

    @cached_property
    def scored(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.is_scored)

    @cached_property
    def by_code(self) -> dict[str, Item]:
        return {item.code: item for item in self.items}

    def problems(self, answers: Mapping[str, Any]) -> list[Problem]:
        """Name each answer that this version cannot have."""
        numbers = self._numbers
        # Nearly all answers are whole numbers within their scale; only the others are looked into.
        others = {
            code: answer
            for code, answer in answers.items()
            if answer.__class__ is not int or answer not in numbers.get(code, ())
        }
        found = [
            Problem("there is no such question", field=str(code)[:80])
            for code in others
            if code not in self.by_code
        ]
        for code, item in self.by_code.items():
            if code in others and (reason := _wrong(item, others[code])):
                found.append(Problem(reason, field=code))
        return found

    @cached_property
    def _numbers(self) -> dict[str, range]:
        return {item.code: range(item.low, item.high + 1) for item in self.scored}

    def check(self, answers: Mapping[str, Any]) -> None:
        """Raise InvalidInput, naming each question, unless every answer is possible."""
        if problems := self.problems(answers):
            raise InvalidInput("Some answers are not possible.", problems=problems)

    def encode(self, answers: Mapping[str, Any]) -> bytes:
        """Return one byte a scored item, reversed items turned; the answers are already checked."""
        return bytes(_byte(item, answers.get(item.code)) for item in self.scored)

    def decode(self, packed: Iterable[bytes]) -> Bytes:
        """Return packed answers as an array of shape (responses, scored items)."""
        width = len(self.scored)
        return np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(-1, width)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        return (*_measures(self.scored), *_single_items(self.instrument, self.scored))


def _wrong(item: Item, answer: object) -> str:
    """Say why this answer is not possible, or nothing."""
    if answer is None or answer == "":
        return ""
    if item.kind == Item.Kind.COMMENT:
        return _wrong_text(answer)
    if item.kind == Item.Kind.CHOICE:
        known = any(answer == option.get("code") for option in item.options)
        return "" if known else "choose one of the options"
    if answer == NA_ANSWER:
        return "" if item.allows_na else "“not applicable” is not possible here"
    if not isinstance(answer, int) or isinstance(answer, bool):
        return f"must be a whole number from {item.low} to {item.high}"
    if not item.low <= answer <= item.high:
        return f"{str(answer)[:20]} is outside {item.low} to {item.high}"
    return ""


def _wrong_text(answer: object) -> str:
    if not isinstance(answer, str):
        return "must be text"
    if len(answer) > LONGEST_COMMENT:
        return f"must have at most {LONGEST_COMMENT} characters"
    if NO_TEXT.search(answer):
        return "has characters that are no text"
    return ""


def _byte(item: Item, answer: object) -> int:
    if answer == NA_ANSWER:
        return NOT_APPLICABLE
    if not isinstance(answer, int):
        return MISSING
    return item.low + item.high - answer if item.is_reversed else answer


def _measures(scored: Sequence[Item]) -> Iterable[Measure]:
    position = {item.code: at for at, item in enumerate(scored)}
    expected = {item.pair: position[item.code] for item in scored if item.pair}
    dimensions = dict.fromkeys(
        item.dimension
        for item in scored
        if item.dimension and item.role == Item.Role.PERCEPTION and item.kind == Item.Kind.SCALE
    )
    members = {
        dimension: [
            item
            for item in scored
            if item.dimension == dimension and item.role == Item.Role.PERCEPTION
        ]
        for dimension in dimensions
    }
    scale = _scale(members)
    for dimension, items in members.items():
        columns = tuple(position[item.code] for item in items)
        yield Measure(f"perception:{dimension}", scale, columns)
    for dimension, items in members.items():
        pairs = [(position[i.code], expected[i.code]) for i in items if i.code in expected]
        if pairs:
            columns, paired = zip(*pairs, strict=True)
            yield Measure(f"gap:{dimension}", scale, columns, paired)
    for item in scored:
        at = (position[item.code],)
        if item.kind == Item.Kind.NPS:
            yield Measure(f"nps:{item.code}", 1, at)
        elif item.role == Item.Role.OUTCOME:
            yield Measure(f"item:{item.code}", 1, at)
            yield Measure(f"top2:{item.code}", 1, at, top=item.high - 1)
    loyal = [i for i in scored if i.dimension == LOYALTY and i.role == Item.Role.OUTCOME]
    if loyal:
        columns = tuple(position[item.code] for item in loyal)
        ends = tuple((item.low, item.high) for item in loyal)
        yield Measure(f"index:{LOYALTY}", INDEX_SCALE, columns, ends=ends)


def _single_items(instrument: str, scored: Sequence[Item]) -> Iterable[Measure]:
    wanted = JUDGED_ALONE.get(instrument, frozenset())
    for at, item in enumerate(scored):
        if item.code in wanted:
            yield Measure(f"item:{item.code}", 1, (at,))


def _scale(members: Mapping[str, Sequence[Item]]) -> int:
    """60 makes every mean of up to six answered items a whole number, 420 of seven; the mean of
    more is rounded to 1/420 of a point, so that sums of a million weighted answers fit 63 bits."""
    longest = max((len(items) for items in members.values()), default=0)
    return 60 if longest <= 6 else 420


@lru_cache(maxsize=256)
def _codebook(version_id: int, instrument: str) -> Codebook:
    items = tuple(Item.objects.filter(version_id=version_id).order_by("position"))
    return Codebook(version_id, instrument, items)


def codebook_of(version: InstrumentVersion) -> Codebook:
    """Return the codebook of a published version."""
    if version.published_at is None:
        raise InvalidInput("The questionnaire is a draft; publish it first.")
    return _codebook(version.pk, version.instrument.code)


def forget_codebooks() -> None:
    """Forget what was read; for tests, where another database may give the same ids again."""
    _codebook.cache_clear()
