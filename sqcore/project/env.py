"""Typed readers of the `SQ_*` environment variables; a value that cannot be meant stops the start.

The process environment wins over a file `.env` beside `manage.py`.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PREFIX = "SQ_"
TEST_PREFIX = "SQ_TEST_"
TEST_SETTINGS = "sqcore.project.settings.test"
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class BadSetting(ImproperlyConfigured):
    """A variable is missing, unknown or has a value that cannot be meant."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")


class Environment:
    """The variables of one start; remembers which were asked for, so that a slip is found."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {key: text for key, text in values.items() if key.startswith(PREFIX)}
        self._known: set[str] = set()

    def text(self, name: str, default: str | None = None) -> str:
        """Return the value, else the default; None as default means that it must be given."""
        self._known.add(name)
        value = self._values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise BadSetting(name, "must be set; .env.example shows every variable.")
        return default

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name, "yes" if default else "no").lower()
        if value in _TRUE | _FALSE:
            return value in _TRUE
        raise BadSetting(name, f"must be yes or no, not “{value}”.")

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        value = self.text(name, str(default))
        if value.isascii() and value.isdecimal() and least <= int(value) <= most:
            return int(value)
        raise BadSetting(name, f"must be a whole number from {least} to {most}, not “{value}”.")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value in choices:
            return value
        raise BadSetting(name, f"must be one of {', '.join(choices)}, not “{value}”.")

    def words(self, name: str, default: str | None = None) -> list[str]:
        """Return the comma-separated words."""
        found = [word.strip() for word in self.text(name, default).split(",") if word.strip()]
        if not found and default is None:
            raise BadSetting(name, "must name at least one.")
        return found

    def folder(self, name: str, default: Path) -> Path:
        path = Path(self.text(name, str(default))).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise BadSetting(name, f"must be a folder; {path} is a file.")
        return path

    def address(self, name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
        """Return a URL of one of these schemes, with a host.

        The value may hold a password, so that no message repeats it.
        """
        value = self.text(name, default)
        try:
            parts = urlsplit(value)
            good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            wanted = " or ".join(f"{scheme}://host" for scheme in schemes)
            raise BadSetting(name, f"must be an address such as {wanted}.")
        return value

    def database(self, name: str, password_name: str) -> dict[str, Any]:
        """Return the connection part of a Django database entry from `postgresql://…/name`.

        The password may stand in a variable of its own, so that it need not be URL-encoded.
        """
        parts = urlsplit(self.address(name, ("postgresql", "postgres")))
        database = unquote(parts.path.lstrip("/"))
        if not database:
            raise BadSetting(
                name, "must end with the name of the database: postgresql://host/name."
            )
        return {
            "NAME": database,
            "USER": unquote(parts.username or ""),
            "PASSWORD": self.text(password_name, unquote(parts.password or "")),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "OPTIONS": dict(parse_qsl(parts.query)),
        }

    def refuse_unknown(self) -> None:
        """Refuse a variable nobody asked for: a typing slip must not pass silently.

        Variables for the test servers may stay in a developer's shell.
        """
        for name in sorted(set(self._values) - self._known):
            if name.startswith(TEST_PREFIX):
                continue
            near = get_close_matches(name, self._known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see .env.example."
            raise BadSetting(name, f"is not a variable of this mode{hint}")


def read_file(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file: NAME=value a line, quotes optional, # comments.

    raises: BadSetting when a line is neither
    """
    found: dict[str, str] = {}
    if not path.is_file():
        return found
    for count, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise BadSetting(path.name, f"line {count} must read NAME=value.")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def read_environment(root: Path) -> Environment:
    """Return the variables in force for this start; the test suite sees only those meant for it."""
    if os.environ.get("DJANGO_SETTINGS_MODULE") == TEST_SETTINGS:
        return Environment({k: v for k, v in os.environ.items() if k.startswith(TEST_PREFIX)})
    return Environment({**read_file(root / ".env"), **os.environ})
