"""The parameters of rules: what each is called, what it may be, and what is wrong with a value."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _

NEEDED = object()
"""The default of a parameter that has none."""


class Parameter(Protocol):
    """One parameter of a rule: what it is called and what it may be."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    @property
    def default(self) -> Any: ...

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value, nothing when it may be."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return what it may be, as JSON Schema has it."""
        ...


@dataclass(frozen=True)
class Whole:
    """A whole number between two others."""

    name: str
    title: str | Promise
    least: int
    most: int
    default: Any = NEEDED

    def fault(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            return _("must be a whole number")
        if not self.least <= value <= self.most:
            return _("must lie between %(least)d and %(most)d") % {
                "least": self.least,
                "most": self.most,
            }
        return ""

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Choices(Protocol):
    def __call__(self) -> Collection[str]: ...


@dataclass(frozen=True)
class Code:
    """One of the codes that there are."""

    name: str
    title: str | Promise
    choices: Choices
    default: Any = NEEDED

    def fault(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices():
            return _("there is no such thing: %(value)s") % {"value": str(value)[:60]}
        return ""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(self.choices())}


@dataclass(frozen=True)
class Codes:
    """Some of the codes that there are, each once."""

    name: str
    title: str | Promise
    choices: Choices
    default: Any = NEEDED
    fewest: int = 0

    def fault(self, value: Any) -> str:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            return _("must be a list of codes")
        if len(set(value)) != len(value):
            return _("names something twice")
        if len(value) < self.fewest:
            return _("must name at least %(fewest)d") % {"fewest": self.fewest}
        if missing := sorted(set(value) - set(self.choices())):
            return _("there is no such thing: %(value)s") % {"value": ", ".join(missing)[:200]}
        return ""

    def schema(self) -> dict[str, Any]:
        items = {"type": "string", "enum": sorted(self.choices())}
        return {"type": "array", "items": items, "minItems": self.fewest}


@dataclass(frozen=True)
class Words:
    """A text in one or more languages."""

    name: str
    title: str | Promise
    most: int = 300
    default: Any = NEEDED

    def fault(self, value: Any) -> str:
        if not isinstance(value, dict) or not any(value.values()):
            return _("must be a text in at least one language")
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
            return _("must be a text in at least one language")
        if any(len(text) > self.most or "\x00" in text for text in value.values()):
            return _("is too long, or has a character that cannot be kept")
        return ""

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "maxLength": self.most}
        return {"type": "object", "additionalProperties": text, "minProperties": 1}
