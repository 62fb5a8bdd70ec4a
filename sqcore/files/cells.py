"""What single cells of a file mean: numbers, days, words to be compared. Pure."""

import math
import unicodedata
from datetime import date, datetime
from zoneinfo import ZoneInfo


def normal(value: str) -> str:
    """Return a value as values are compared: without blanks around it, without upper case.

    >>> normal("  Very  Good ")
    'very good'
    """
    return " ".join(value.split()).casefold()


def whole_number(text: str) -> int | None:
    """Return the number a cell holds, None when it is no whole number.

    >>> [whole_number(text) for text in ("4", " 4.0 ", "４", "4.5", "1e999", "nan", "four", "")]
    [4, 4, 4, None, None, None, None, None]
    """
    if text.isdecimal() and text.isascii() and len(text) < 10:
        return int(text)
    number = plain_number(text)
    return int(number) if number is not None and number == int(number) else None


def plain_number(text: str) -> float | None:
    """Return the finite number a cell holds, with a point or one comma as decimal sign.

    >>> [plain_number(text) for text in ("0,5", "1e999", "inf", "1_000", "-2.5")]
    [0.5, None, None, None, -2.5]
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if "_" in plain or len(plain) > 40:
        return None
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def day_of(text: str, form: str = "") -> date | None:
    """Return the day that a cell holds, written 2026-05-17 or as `form` says; None if it is none.

    >>> day_of("17.05.2026", "%d.%m.%Y")
    datetime.date(2026, 5, 17)
    """
    try:
        if form:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        return datetime.fromisoformat(text).date()
    except (ValueError, OverflowError):
        return None


def with_zone(text: str, zone: ZoneInfo) -> str:
    """Return a moment with its zone: a file that names none means the organisation's.

    >>> with_zone("2026-03-02T09:30:00", ZoneInfo("Asia/Shanghai"))
    '2026-03-02T09:30:00+08:00'
    """
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()
