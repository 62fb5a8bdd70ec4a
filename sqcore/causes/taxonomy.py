"""The one taxonomy of causes of service problems: six classes, read from `ready.toml` at start."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqcore.base.text import TranslatedText, in_language

READY = Path(__file__).parent / "ready.toml"
CLASSES = ("awareness", "process", "skills", "standards", "feedback", "support")
LANGUAGES = ("en", "zh-hans")
LONGEST_CODE = 50
OTHER = "other"


class BrokenTaxonomy(RuntimeError):
    """The file is not what it has to be: the program must not start."""


@dataclass(frozen=True)
class Cause:
    """One kind of cause. `of` is the code of its class."""

    code: str
    name: TranslatedText
    of: str

    def __str__(self) -> str:
        return in_language(self.name)

    @property
    def is_other(self) -> bool:
        return self.code == f"{self.of}-{OTHER}"


@dataclass(frozen=True)
class CauseClass:
    """A class of causes: a branch of the fishbone. Its last cause is the “other”."""

    code: str
    name: TranslatedText
    causes: tuple[Cause, ...]

    def __str__(self) -> str:
        return in_language(self.name)


@dataclass(frozen=True)
class Taxonomy:
    """All causes by their code, in the order of their classes."""

    version: int
    classes: tuple[CauseClass, ...]

    def __getitem__(self, code: str) -> Cause:
        return self._by_code[code]

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def __iter__(self) -> Iterator[Cause]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def class_of(self, cause: Cause) -> CauseClass:
        return next(each for each in self.classes if each.code == cause.of)

    @cached_property
    def _by_code(self) -> dict[str, Cause]:
        return {cause.code: cause for each in self.classes for cause in each.causes}


def taxonomy_from(text: str) -> Taxonomy:
    """Read a taxonomy. raises: BrokenTaxonomy naming what is wrong"""
    given = tomllib.loads(text)
    found = Taxonomy(int(given["version"]), tuple(map(_class, given["classes"])))
    if tuple(each.code for each in found.classes) != CLASSES:
        raise BrokenTaxonomy(f"the classes are not {', '.join(CLASSES)}, in this order")
    if len(found) != sum(len(each.causes) for each in found.classes):
        raise BrokenTaxonomy("a code stands for two causes")
    return found


def _class(given: Mapping[str, Any]) -> CauseClass:
    code = given["code"]
    causes = tuple(_cause(each, code) for each in given["causes"])
    if not causes or [each.is_other for each in causes] != [False] * (len(causes) - 1) + [True]:
        raise BrokenTaxonomy(f"{code} does not end with its one “{code}-{OTHER}”")
    return CauseClass(code, _name(given), causes)


def _cause(given: Mapping[str, Any], of: str) -> Cause:
    code = given["code"]
    if not code.startswith(f"{of}-") or len(code) > LONGEST_CODE:
        raise BrokenTaxonomy(f"{code} does not begin with {of}-, or is too long")
    return Cause(code, _name(given), of)


def _name(given: Mapping[str, Any]) -> TranslatedText:
    name = given["name"]
    if set(name) != set(LANGUAGES) or not all(text.strip() for text in name.values()):
        raise BrokenTaxonomy(f"{given['code']} needs a name in {' and '.join(LANGUAGES)}")
    return dict(name)


CAUSES = taxonomy_from(READY.read_text(encoding="utf-8"))
"""What findings, complaints and encounters name their causes by."""
