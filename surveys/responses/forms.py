"""The respondent's form: what it shows, screen by screen, and how what comes back is read.

No Django form: a questionnaire is data, nothing in it is required, and a page of 44 scales stays
under 50 kB.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import QueryDict

from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.text import in_language
from surveys.instruments.codebook import NA_ANSWER, Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion, Item

OWN = "_"
"""How the names of the form's own fields begin; no code of an item does."""
CARDS_A_SCREEN = 6
SECONDS = {Item.Kind.SCALE: 7, Item.Kind.NPS: 7, Item.Kind.CHOICE: 9, Item.Kind.COMMENT: 20}
NUMBER = re.compile(r"[0-9]{1,3}")
REPLACED = "\ufffd"
"""What a decoder puts where the bytes were no text."""


@dataclass(frozen=True)
class Seal:
    """What a form was made with: its random key, and the privacy that is printed on it.

    Signed for one link, so that a form cannot be sent under another promise or at another place.
    """

    key: uuid.UUID
    mode: str

    @classmethod
    def new(cls, mode: str) -> "Seal":
        return cls(uuid.uuid4(), mode)

    def signed(self, token: str) -> str:
        return _signer(token).sign(f"{self.key.hex}.{self.mode}")

    @classmethod
    def read(cls, signed: str, token: str) -> "Seal":
        """raises: InvalidInput for anything that was not made here for this link"""
        try:
            key, mode = _signer(token).unsign(signed).split(".")
        except BadSignature as error:
            raise InvalidInput("The form that was sent is not complete.") from error
        return cls(uuid.UUID(hex=key), mode)


def _signer(token: str) -> Signer:
    return Signer(salt=f"surveys.answer.{token}")


@dataclass(frozen=True)
class Choice:
    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class Question:
    """One question as it is shown, with what was answered so far."""

    name: str
    kind: str
    role: str
    text: str
    choices: list[Choice]
    ends: list[str]
    allows_na: bool
    is_na: bool
    value: str
    problem: str

    is_worded: bool = False
    """Each answer of the scale has its words."""

    is_points: bool = False
    """A part of 100 points: typed, as nobody chooses among a hundred circles."""

    @property
    def is_expectation(self) -> bool:
        return self.role == Item.Role.EXPECTATION

    @property
    def is_kano(self) -> bool:
        """One of the two questions about something that might be there or be missing."""
        return self.role in (Item.Role.PRESENT, Item.Role.ABSENT)


@dataclass(frozen=True)
class Screen:
    """What is seen at once: up to six cards, each one question or an expectation and its twin."""

    number: int
    cards: list[list[Question]]
    minutes_left: int
    of: int

    @property
    def has_pairs(self) -> bool:
        return any(len(card) > 1 for card in self.cards)

    @property
    def is_last(self) -> bool:
        return self.number == self.of

    @property
    def before(self) -> int:
        return self.number - 1

    @property
    def after(self) -> int:
        return self.number + 1


@dataclass(frozen=True)
class Answering:
    """A questionnaire on its way through the hands of one respondent."""

    version: InstrumentVersion
    codebook: Codebook
    language: str
    answers: Mapping[str, Any]
    problems: Sequence[Problem]

    @classmethod
    def of(
        cls,
        version: InstrumentVersion,
        language: str,
        answers: Mapping[str, Any],
        problems: Sequence[Problem] = (),
    ) -> "Answering":
        return cls(version, codebook_of(version), language, answers, problems)

    @property
    def introduction(self) -> str:
        return in_language(self.version.introduction, self.language)

    @property
    def screens(self) -> list[Screen]:
        blocks = list(_blocks(_cards(self.codebook.items)))
        seconds = [sum(SECONDS[Item.Kind(i.kind)] for card in b for i in card) for b in blocks]
        return [
            Screen(
                number=at,
                cards=[[self._question(item) for item in card] for card in block],
                minutes_left=max(1, round(sum(seconds[at - 1 :]) / 60)),
                of=len(blocks),
            )
            for at, block in enumerate(blocks, 1)
        ]

    def _question(self, item: Item) -> Question:
        answer = self.answers.get(item.code)
        reasons = [problem.reason for problem in self.problems if problem.field == item.code]
        return Question(
            name=item.code,
            kind=item.kind,
            role=item.role,
            text=in_language(item.text, self.language),
            choices=self._choices(item, answer),
            ends=[in_language(text, self.language) for text in _ends(item.anchors)],
            allows_na=item.allows_na and item.kind != Item.Kind.COMMENT,
            is_na=answer == NA_ANSWER,
            value=_as_typed(item, answer),
            problem=reasons[0] if reasons else "",
            is_worded=str(item.low) in item.anchors,
            is_points=item.is_points,
        )

    def _choices(self, item: Item, answer: object) -> list[Choice]:
        if item.kind == Item.Kind.COMMENT or item.is_points:
            return []
        if item.kind == Item.Kind.CHOICE:
            return [
                Choice(
                    value=option["code"],
                    text=in_language(option["text"], self.language),
                    is_chosen=option["code"] == answer,
                )
                for option in item.options
            ]
        return [
            Choice(str(value), self._answer_text(item, value), is_chosen=value == answer)
            for value in range(item.low, item.high + 1)
        ]

    def _answer_text(self, item: Item, value: int) -> str:
        words = item.anchors.get(str(value))
        return in_language(words, self.language) if words else str(value)


def _as_typed(item: Item, answer: object) -> str:
    """Return what stands in a field that is typed into."""
    if item.is_points and isinstance(answer, int):
        return str(answer)
    return answer if isinstance(answer, str) else ""


def _ends(anchors: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return [anchors[key] for key in ("low", "middle", "high") if key in anchors]


def _cards(items: Sequence[Item]) -> list[list[Item]]:
    """Put each expectation together with its perception, where the first of them stands."""
    twin = {item.pair: item for item in items if item.pair}
    cards, shown = [], set()
    by_code = {item.code: item for item in items}
    for item in items:
        if item.code in shown:
            continue
        pair = [item, by_code[item.pair]] if item.pair else [item]
        if item.code in twin:
            pair = [twin[item.code], item]
        cards.append(pair)
        shown |= {one.code for one in pair}
    return cards


def _blocks(cards: Sequence[list[Item]]) -> Iterator[list[list[Item]]]:
    """Cut into screens: topics stay together, small ones share a screen, large ones are split."""
    block: list[list[Item]] = []
    for _topic, group in groupby(cards, key=lambda card: _topic_of(card[-1])):
        for part in _even_parts(list(group)):
            if block and len(block) + len(part) > CARDS_A_SCREEN:
                yield block
                block = []
            block = block + part
    if block:
        yield block


def _topic_of(item: Item) -> str:
    """Points are divided over all dimensions: they stand together."""
    return item.role if item.role == Item.Role.IMPORTANCE else item.dimension


def _even_parts(topic: list[list[Item]]) -> Iterator[list[list[Item]]]:
    parts = -(-len(topic) // CARDS_A_SCREEN)
    size = -(-len(topic) // parts)
    for start in range(0, len(topic), size):
        yield topic[start : start + size]


def read_answers(codebook: Codebook, data: QueryDict) -> tuple[dict[str, Any], list[Problem]]:
    """Return the answers that were given, and what is wrong with the others.

    A question left open is simply not in it.
    """
    answers: dict[str, Any] = {}
    problems: list[Problem] = []
    for code, values in data.lists():
        if code.startswith(OWN):
            continue
        given = [value for value in values if value]
        if len(given) > 1:
            problems.append(Problem("has more than one answer", field=code[:80]))
        elif given:
            answers[code] = _answer(codebook.by_code.get(code), str(given[0]))
    wrong = codebook.problems(answers) + list(_no_text(answers))
    for problem in wrong:
        answers.pop(problem.field, None)
    known = {code: answer for code, answer in answers.items() if code in codebook.by_code}
    return {code: answer for code, answer in known.items() if answer != ""}, problems + wrong


def _answer(item: Item | None, given: str) -> object:
    if item is None or item.kind == Item.Kind.CHOICE or given == NA_ANSWER:
        return given
    if item.kind == Item.Kind.COMMENT:
        return given.replace("\r\n", "\n").strip()
    return int(given) if NUMBER.fullmatch(given) else given


def _no_text(answers: Mapping[str, Any]) -> Iterator[Problem]:
    for code, answer in answers.items():
        if isinstance(answer, str) and REPLACED in answer:
            yield Problem("has characters that are no text", field=code[:80])
