"""JSON from outside: read within limits, so that what is stored later can be stored at all."""

from collections.abc import Iterator
from typing import Any

import orjson
from django.utils.translation import gettext as _

from sqcore.base.errors import DomainError, InvalidInput, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 50


class TooLarge(DomainError):
    """The body is larger than this address takes."""

    code = "too_large"
    status = 413


def read_json(raw: bytes, *, most: int = MAX_BYTES) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Numbers are finite (JSON has no others); strings hold no NUL, which PostgreSQL cannot store, and
    no lone surrogate, which is not text.

    raises: TooLarge above `most` bytes; InvalidInput for anything else that is not such an object

    >>> read_json(b'{"answers": {"q1": 7}}')
    {'answers': {'q1': 7}}
    """
    if len(raw) > most:
        raise TooLarge(f"The body is larger than {most:,} bytes; send it in parts.")
    if not raw.strip():
        raise InvalidInput(_("The body is empty; send a JSON object."))
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            _("The body is not valid JSON: %(error)s.") % {"error": error}
        ) from error
    if not isinstance(data, dict):
        raise InvalidInput(_("The body must be a JSON object, between { and }."))
    problems = list(_problems(data))
    if problems:
        raise InvalidInput(_("The body holds what cannot be taken."), problems=problems[:20])
    return data


def _problems(root: dict[str, Any]) -> Iterator[Problem]:
    """Walk without recursion: the sender chooses the depth."""
    waiting: list[tuple[str, Any, int]] = [("", root, 1)]
    while waiting:
        path, value, depth = waiting.pop()
        if isinstance(value, str):
            if "\x00" in value:
                yield Problem(_("holds a NUL character (\\u0000)"), field=path)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                yield Problem(
                    _("is nested deeper than %(most)s levels") % {"most": MAX_DEPTH},
                    field=path[:60],
                )
                return
            if isinstance(value, dict):
                yield from _bad_names(path, value)
                inner = [(f"{path}.{name}" if path else name, value[name]) for name in value]
            else:
                inner = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
            waiting.extend((where, item, depth + 1) for where, item in reversed(inner))


def _bad_names(path: str, value: dict[str, Any]) -> Iterator[Problem]:
    if any("\x00" in name for name in value):
        yield Problem(_("has a name with a NUL character (\\u0000)"), field=path)
