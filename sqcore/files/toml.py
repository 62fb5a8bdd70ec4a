"""Mappings as TOML: read within limits, written for people. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from math import isfinite
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput

LONGEST_MAPPING = 500_000
MOST_LEVELS = 20


def toml_text(path: Path) -> str:
    """raises: InvalidInput when it is too long or not in UTF-8"""
    if path.stat().st_size > LONGEST_MAPPING:
        raise InvalidInput(_("%(name)s is too long for a mapping.") % {"name": path.name})
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(_("%(name)s is not written in UTF-8.") % {"name": path.name}) from error


def parsed_toml(name: str, text: str) -> dict[str, Any]:
    """Return the table. raises: InvalidInput when it is no TOML, or holds what cannot be kept"""
    try:
        table = tomllib.loads(text)
    # A number of thousands of digits is a plain ValueError.
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            _("%(name)s is not TOML: %(error)s.") % {"name": name, "error": str(error)[:200]}
        ) from error
    if fault := _unstorable(table):
        raise InvalidInput(_("%(name)s has %(fault)s.") % {"name": name, "fault": fault})
    return table


def _unstorable(table: Mapping[str, Any]) -> str:
    """Say what TOML can spell and a mapping cannot keep; empty when there is nothing of that."""
    waiting: list[tuple[Any, int]] = [(table, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str) and "\0" in value:
            return _("a NUL character in a text")
        if isinstance(value, float) and not isfinite(value):
            return _("%(value)s where a number must stand") % {"value": value}
        if isinstance(value, datetime | time):
            told = _("a time of day, %(time)s; write days alone, such as 2026-05-17")
            return told % {"time": value.isoformat()}
        if isinstance(value, dict | list):
            if depth > MOST_LEVELS:
                told = _("tables within tables deeper than %(most)s levels")
                return told % {"most": MOST_LEVELS}
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            waiting += [(part, depth + 1) for part in inner]
    return ""


# ---- For people ----------------------------------------------------------------------------------
def sections_as_toml(raw: Mapping[str, Any], order: Sequence[str] = ()) -> str:
    """Return a table as TOML that people can read and change.

    The sections come in this order, since a database may give them back in any; others after them.
    """

    def place(key: str) -> int:
        return order.index(key) if key in order else len(order)

    lines: list[str] = []
    _write(lines, dict(sorted(raw.items(), key=lambda part: place(part[0]))), ())
    return "\n".join(lines).strip() + "\n"


def _write(lines: list[str], table: Mapping[str, Any], path: tuple[str, ...]) -> None:
    plain = {key: value for key, value in table.items() if not _is_section(value, path)}
    if path and plain:
        lines.extend(["", f"[{'.'.join(map(_key, path))}]"])
    lines.extend(f"{_key(key)} = {_value(value)}" for key, value in plain.items())
    for key, value in table.items():
        if not _is_section(value, path):
            continue
        if isinstance(value, Mapping):
            _write(lines, value, (*path, key))
        else:
            for entry in value:
                lines.extend(["", f"[[{'.'.join(map(_key, (*path, key)))}]]"])
                lines.extend(f"{_key(name)} = {_value(part)}" for name, part in entry.items())


def _is_section(value: object, path: Sequence[str]) -> bool:
    if isinstance(value, Mapping):
        return len(path) < 1
    tables = isinstance(value, list) and value and all(isinstance(e, Mapping) for e in value)
    return bool(tables) and len(path) < 2


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _quoted(key)


def _quoted(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
