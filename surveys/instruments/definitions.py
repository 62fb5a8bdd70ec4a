"""A questionnaire as a plain structure: what a TOML file, a form or a REST body says, checked.

    code, name, languages, and optionally description, introduction, thanks
    scales: {name: {low, high, anchors: {low, middle, high}}}, or with words for each answer,
            anchors: {"1": ..., "2": ..., ...}
    dimensions: [{code, name}]
    items: [{code, text, kind, role, dimension, about, pair, scale | low, high, anchors, options,
             is_reversed, allows_na}]

Every text is {language: text} and must be there in each of `languages`.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.text import TranslatedText
from surveys.instruments.models import Item

MOST_ITEMS = 120
MOST_OPTIONS = 40
LONGEST_TEXT = 600
CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
READY = Path(__file__).with_name("ready")

TEXTS = ("name", "description", "introduction", "thanks")
KEYS = {"code", "languages", "scales", "dimensions", "items", *TEXTS}
ITEM_KEYS = {
    "code", "text", "kind", "role", "dimension", "about", "pair", "scale",
    "low", "high", "anchors", "options", "is_reversed", "allows_na",
}  # fmt: skip
ANCHORS = ("low", "middle", "high")
WITH_SCALE = (Item.Kind.SCALE, Item.Kind.NPS)
NAMES = {
    Item.Role.EXPECTATION.value: Item.Role.PERCEPTION,
    Item.Role.PRESENT.value: Item.Role.ABSENT,
}
"""Items that name the one they belong to, by their role, and the role that this one has."""
KANO_ANSWERS = (1, 5)


@dataclass(frozen=True)
class ItemDefinition:
    """The fields of one item, as `Item` has them."""

    code: str
    text: TranslatedText
    kind: str = Item.Kind.SCALE.value
    role: str = Item.Role.PERCEPTION.value
    dimension: str = ""
    about: str = Item.About.UNIT.value
    pair: str = ""
    low: int = 1
    high: int = 7
    anchors: dict[str, TranslatedText] = field(default_factory=dict)
    options: list[dict[str, Any]] = field(default_factory=list)
    is_reversed: bool = False
    allows_na: bool = True


@dataclass(frozen=True)
class Definition:
    """A questionnaire that can be made into a version: everything in it has been checked."""

    code: str
    languages: list[str]
    name: TranslatedText
    description: TranslatedText
    introduction: TranslatedText
    thanks: TranslatedText
    dimensions: list[dict[str, Any]]
    items: list[ItemDefinition]


def ready_definitions() -> list[Definition]:
    """Return the questionnaires that come with the product."""
    files = sorted(READY.glob("*.toml"))
    return [read_definition(tomllib.loads(file.read_text(encoding="utf-8"))) for file in files]


def read_definition(raw: Mapping[str, Any]) -> Definition:
    """Return the structure as a definition.

    raises: InvalidInput that names every item and what is wrong with it
    """
    reader = _Reader(raw)
    definition = reader.read()
    if reader.problems:
        raise InvalidInput(
            "The questionnaire cannot be used as it is.", problems=reader.problems[:50]
        )
    return definition


class _Reader:
    """Reads leniently and notes every problem, so that people hear of all of them at once."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.problems: list[Problem] = []
        self.languages: list[str] = []

    def note(self, reason: str, where: str = "") -> None:
        self.problems.append(Problem(reason, field=where))

    def read(self) -> Definition:
        for key in sorted(set(self.raw) - KEYS, key=str):
            self.note("is not known here", str(key)[:50])
        self.languages = self._languages()
        texts = {
            key: self._text(self.raw.get(key, {}), key, required=key == "name") for key in TEXTS
        }
        dimensions = self._dimensions()
        read = [self._item(raw, at) for at, raw in enumerate(self._list("items"), 1)]
        items = [item for item in read if item is not None]
        self._check_together(items, {dimension["code"] for dimension in dimensions})
        return Definition(
            code=self._code(self.raw.get("code"), "code"),
            languages=self.languages,
            dimensions=dimensions,
            items=items,
            **texts,
        )

    def _languages(self) -> list[str]:
        known = dict(settings.LANGUAGES)
        given = self._list("languages")
        if not given:
            self.note("name at least one language", "languages")
        for language in given:
            if language not in known:
                self.note(f"“{str(language)[:20]}” is none of {', '.join(known)}", "languages")
        return [language for language in given if language in known]

    def _list(self, key: str) -> list[Any]:
        value = self.raw.get(key, [])
        if isinstance(value, Sequence) and not isinstance(value, str):
            return list(value)
        self.note("must be a list", key)
        return []

    def _code(self, value: object, where: str) -> str:
        if isinstance(value, str) and CODE.fullmatch(value):
            return value
        self.note("must be a short code of a-z, 0-9, - and _", where)
        return ""

    def _text(self, value: object, where: str, *, required: bool) -> TranslatedText:
        if not isinstance(value, Mapping) or not all(
            isinstance(part, str) for pair in value.items() for part in pair
        ):
            self.note("must be a text for each language", where)
            return {}
        for language, text in value.items():
            if language not in self.languages:
                self.note(f"“{language[:20]}” is not a language of this questionnaire", where)
            elif len(text) > LONGEST_TEXT:
                self.note(f"must have at most {LONGEST_TEXT} characters", where)
            elif not text.isprintable() or text != text.strip():
                self.note("has characters that cannot be printed, or spaces around it", where)
        if required or any(value.values()):
            for language in self.languages:
                if not value.get(language):
                    self.note(f"the text for “{language}” is missing", where)
        return {str(language): str(text) for language, text in value.items() if text}

    def _dimensions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for at, raw in enumerate(self._list("dimensions"), 1):
            where = f"dimension {at}"
            if not isinstance(raw, Mapping) or set(raw) != {"code", "name"}:
                self.note("must have a code and a name", where)
                continue
            code = self._code(raw["code"], where)
            found.append({"code": code, "name": self._text(raw["name"], where, required=True)})
        for name, times in Counter(str(dimension["code"]) for dimension in found).items():
            if times > 1:
                self.note(f"“{name}” is there {times} times", "dimensions")
        return found

    def _item(self, raw: object, at: int) -> ItemDefinition | None:
        if not isinstance(raw, Mapping):
            self.note("must have a code and a text", f"item {at}")
            return None
        code = self._code(raw.get("code"), f"item {at}")
        where = code or f"item {at}"
        for key in sorted(set(raw) - ITEM_KEYS, key=str):
            self.note(f"“{str(key)[:30]}” is not known here", where)
        kind = self._choice(raw, "kind", Item.Kind.values, Item.Kind.SCALE.value, where)
        low, high, anchors = self._scale(raw, kind, where)
        return ItemDefinition(
            code=code,
            text=self._text(raw.get("text", {}), where, required=True),
            kind=kind,
            role=self._choice(raw, "role", Item.Role.values, Item.Role.PERCEPTION.value, where),
            dimension=self._optional_code(raw, "dimension", where),
            about=self._choice(raw, "about", Item.About.values, Item.About.UNIT.value, where),
            pair=self._optional_code(raw, "pair", where),
            low=low,
            high=high,
            anchors=anchors,
            options=self._options(raw, kind, where),
            is_reversed=self._flag(raw, "is_reversed", where, default=False),
            allows_na=self._flag(raw, "allows_na", where, default=True),
        )

    def _choice(
        self, raw: Mapping[str, Any], key: str, known: Sequence[str], default: str, where: str
    ) -> str:
        value = raw.get(key, default)
        if value in known:
            return str(value)
        self.note(f"{key} is one of {', '.join(known)}, not “{str(value)[:30]}”", where)
        return default

    def _optional_code(self, raw: Mapping[str, Any], key: str, where: str) -> str:
        value = raw.get(key, "")
        return self._code(value, where) if value else ""

    def _flag(self, raw: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
        value = raw.get(key, default)
        if not isinstance(value, bool):
            self.note(f"{key} is true or false", where)
            return default
        return value

    def _scale(
        self, raw: Mapping[str, Any], kind: str, where: str
    ) -> tuple[int, int, dict[str, TranslatedText]]:
        if kind not in WITH_SCALE:
            if {"scale", "low", "high", "anchors"} & set(raw):
                self.note("only questions with a scale have ends", where)
            return 1, 7, {}
        scale: Mapping[str, Any] = raw
        if "scale" in raw:
            scale = self._named_scale(raw["scale"], where)
        default = (0, 10) if kind == Item.Kind.NPS else (1, 7)
        low, high = scale.get("low", default[0]), scale.get("high", default[1])
        if not (_is_whole(low) and _is_whole(high) and 0 <= low < high <= 253):
            self.note("a scale goes from a whole number to a higher one, within 0 to 253", where)
            return *default, {}
        if kind == Item.Kind.NPS and (low, high) != (0, 10):
            self.note("a recommendation is asked from 0 to 10", where)
        return low, high, self._anchors(scale.get("anchors", {}), low, high, where)

    def _named_scale(self, name: object, where: str) -> Mapping[str, Any]:
        scales = self.raw.get("scales", {})
        scale = scales.get(name) if isinstance(scales, Mapping) and isinstance(name, str) else None
        if isinstance(scale, Mapping):
            return scale
        self.note(f"there is no scale “{str(name)[:30]}”", where)
        return {}

    def _anchors(self, raw: object, low: int, high: int, where: str) -> dict[str, TranslatedText]:
        answers = [str(answer) for answer in range(low, high + 1)]
        if isinstance(raw, Mapping) and set(raw) == set(answers):
            return {key: self._text(raw[key], where, required=True) for key in answers}
        if not isinstance(raw, Mapping) or set(raw) - set(ANCHORS):
            self.note(f"the words of a scale are {', '.join(ANCHORS)}, or of each answer", where)
            return {}
        if raw and not {"low", "high"} <= set(raw):
            self.note("a scale has words at both ends", where)
        return {key: self._text(raw[key], where, required=True) for key in ANCHORS if key in raw}

    def _options(self, raw: Mapping[str, Any], kind: str, where: str) -> list[dict[str, Any]]:
        options = raw.get("options", [])
        if kind != Item.Kind.CHOICE:
            if options:
                self.note("only a choice has options", where)
            return []
        if not isinstance(options, list) or not 2 <= len(options) <= MOST_OPTIONS:
            self.note(f"a choice has 2 to {MOST_OPTIONS} options", where)
            return []
        found: list[dict[str, Any]] = []
        for option in options:
            if not isinstance(option, Mapping) or set(option) != {"code", "text"}:
                self.note("an option has a code and a text", where)
                continue
            text = self._text(option["text"], where, required=True)
            found.append({"code": self._code(option["code"], where), "text": text})
        if len({option["code"] for option in found}) < len(found):
            self.note("two options have the same code", where)
        return found

    def _check_together(self, items: Sequence[ItemDefinition], dimensions: set[str]) -> None:
        if not items:
            self.note("there is no question in it", "items")
        if len(items) > MOST_ITEMS:
            self.note(f"there are {len(items)} questions, {MOST_ITEMS} are possible", "items")
        for code, times in Counter(item.code for item in items).items():
            if times > 1:
                self.note(f"there are {times} questions with this code", code)
        for item in items:
            if item.dimension and item.dimension not in dimensions:
                self.note(f"there is no dimension “{item.dimension}”", item.code)
        for where, reason in (*_wrong_pairs(items), *_wrong_importance(items)):
            self.note(reason, where)


_UNPAIRED = {
    Item.Role.EXPECTATION.value: (
        "an expectation, and nothing else, names the perception it belongs to"
    ),
    Item.Role.PRESENT.value: "names the question about the same thing missing",
}
_TWINS = {
    Item.Role.PERCEPTION: "perception",
    Item.Role.ABSENT: "question about it missing",
}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong_pairs(items: Sequence[ItemDefinition]) -> Iterator[tuple[str, str]]:
    """Name each item without its twin on the same scale, and each pair made twice."""
    by_code = {item.code: item for item in items}
    taken: set[str] = set()
    for item in items:
        wanted = NAMES.get(item.role)
        if (wanted is not None) != bool(item.pair):
            yield item.code, _UNPAIRED.get(item.role, _UNPAIRED[Item.Role.EXPECTATION.value])
        if not item.pair or wanted is None:
            continue
        other = by_code.get(item.pair)
        if other is None or other.role != wanted:
            asked = _TWINS[wanted]
            yield item.code, f"there is no {asked} “{item.pair}”"
        elif (other.kind, other.low, other.high) != (item.kind, item.low, item.high):
            yield item.code, f"has another scale than “{item.pair}”"
        elif other.dimension != item.dimension:
            yield item.code, f"is in another dimension than “{item.pair}”"
        if item.pair in taken:
            yield item.code, f"“{item.pair}” has its twin already"
        taken.add(item.pair)
    yield from _wrong_kano(items, taken)


def _wrong_kano(
    items: Sequence[ItemDefinition], taken: Collection[str]
) -> Iterator[tuple[str, str]]:
    for item in items:
        if item.role not in (Item.Role.PRESENT, Item.Role.ABSENT):
            continue
        if item.kind != Item.Kind.SCALE or (item.low, item.high) != KANO_ANSWERS:
            yield item.code, "is answered from 1 (I like it) to 5 (I dislike it)"
        if item.is_reversed:
            yield item.code, "cannot be reversed"
        if item.role == Item.Role.ABSENT and item.code not in taken:
            yield item.code, "no question “if it were there” belongs to it"


def _wrong_importance(items: Sequence[ItemDefinition]) -> Iterator[tuple[str, str]]:
    """Name what does not ask once, on one scale, how much each judged dimension counts."""
    asked = [item for item in items if item.role == Item.Role.IMPORTANCE]
    judged = {item.dimension for item in items if item.role == Item.Role.PERCEPTION}
    times = Counter(item.dimension for item in asked)
    for item in asked:
        if item.kind != Item.Kind.SCALE or item.is_reversed:
            yield item.code, "how much a dimension counts is asked on a scale that is not reversed"
        if not item.dimension or item.dimension not in judged:
            yield item.code, "names no dimension that is judged"
        elif times[item.dimension] > 1:
            yield item.code, f"“{item.dimension}” is asked about {times[item.dimension]} times"
        if (item.low, item.high) != (asked[0].low, asked[0].high):
            yield item.code, f"has another scale than “{asked[0].code}”"
    missing = sorted(judged - set(times) - {""}) if asked else []
    if missing:
        yield asked[0].code, f"how much {', '.join(missing)} counts is not asked"
