"""Columns that look like personal data: said at the import, never stored unless they are mapped.
Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

SHARE = 0.5
LEAST = 3

NAMES = {
    "e-mail addresses": re.compile(r"e-?mail|邮箱|電郵", re.IGNORECASE),
    "telephone numbers": re.compile(r"phone|mobile|^tel\b|cell ?no|手机|电话|電話", re.IGNORECASE),
    "names": re.compile(
        r"^(full|first|last|given|family|customer|contact|guest)?[ _]?name$|surname|姓名",
        re.IGNORECASE,
    ),
    "identity numbers": re.compile(r"passport|id[ _-]?card|\bssn\b|身份证|护照", re.IGNORECASE),
    "addresses": re.compile(r"street|home ?address|住址|地址", re.IGNORECASE),
}
VALUES = {
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}"),
    "identity numbers": re.compile(r"\d{17}[\dXx]"),
    "telephone numbers": re.compile(r"(\+\d[\d -]{7,16}|1[3-9]\d{9}|0\d{2,3}[ -]?\d{7,8})"),
}


def looks_personal(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Mapping[str, str]:
    """Return the columns that look like personal data, and like which.

    >>> looks_personal(["Q1", "E-mail"], [["5", "a@b.example"]] * 3)
    {'E-mail': 'e-mail addresses'}
    >>> looks_personal(["MAIL", "NAME"], [["1", "2"]] * 9)
    {}
    """
    sample = list(rows)
    found = {}
    for at, name in enumerate(header):
        values = [row[at].strip() for row in sample if at < len(row) and row[at].strip()]
        if kind := _kind(name, values):
            found[name] = kind
    return found


def _kind(name: str, values: Sequence[str]) -> str:
    for kind, pattern in VALUES.items():
        hits = sum(1 for value in values if pattern.fullmatch(value))
        if hits >= LEAST and hits >= SHARE * len(values):
            return kind
    # A code of one or two signs is nobody's name or address, whatever the column is called.
    if not any(len(value) > 2 for value in values):
        return ""
    return next((kind for kind, pattern in NAMES.items() if pattern.search(name)), "")
