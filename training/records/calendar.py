"""Writing a calendar as RFC 5545 wants it: lines of at most 75 octets, CRLF, text escaped, UTC."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

LONGEST_LINE = 75
"""Octets of a line, its end left out (RFC 5545, 3.1)."""
PRODUCT = "-//SQCore//Training//EN"


@dataclass(frozen=True)
class CalendarEvent:
    """Something at a time: a `start` and `end` with hours, or whole days when they are dates.

    uid: the same for the same thing every time, so that a calendar changes it in its place
    is_busy: whether it takes the person's time
    status: CONFIRMED, TENTATIVE or CANCELLED
    """

    uid: str
    title: str
    start: date
    end: date | None = None
    place: str = ""
    text: str = ""
    url: str = ""
    is_busy: bool = True
    status: str = "CONFIRMED"


def written(events: Iterable[CalendarEvent], *, name: str, now: datetime) -> bytes:
    """Return the calendar object with these events.

    >>> written([], name="Training", now=datetime(2026, 3, 2, tzinfo=UTC)).split(b"\\r\\n")[0]
    b'BEGIN:VCALENDAR'
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN"]
    lines += [f"X-WR-CALNAME:{escaped(name)}", "REFRESH-INTERVAL;VALUE=DURATION:PT6H"]
    for event in events:
        lines += _event(event, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded(line)}\r\n" for line in lines).encode()


def _event(event: CalendarEvent, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{escaped(event.uid)}"
    yield f"DTSTAMP:{_moment(now)}"
    yield from _time(event)
    yield f"SUMMARY:{escaped(event.title)}"
    if event.place:
        yield f"LOCATION:{escaped(event.place)}"
    if event.text:
        yield f"DESCRIPTION:{escaped(event.text)}"
    if event.url:
        yield f"URL:{event.url}"
    yield f"STATUS:{event.status}"
    yield f"TRANSP:{'OPAQUE' if event.is_busy else 'TRANSPARENT'}"
    yield "END:VEVENT"


def _time(event: CalendarEvent) -> Iterator[str]:
    if isinstance(event.start, datetime):
        yield f"DTSTART:{_moment(event.start)}"
        if isinstance(event.end, datetime):
            yield f"DTEND:{_moment(event.end)}"
        return
    # The end of whole days is the day after them (3.6.1).
    yield f"DTSTART;VALUE=DATE:{event.start:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{event.end or event.start + timedelta(days=1):%Y%m%d}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """Return text as a value (3.3.11); control characters, which have no place there, are gone.

    >>> escaped("Room 1; north, or\\nabove \\\\ below\\x00")
    'Room 1\\\\; north\\\\, or\\\\nabove \\\\\\\\ below'
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(sign for sign in plain if sign == "\n" or (sign >= " " and sign != "\x7f"))
    for sign in ("\\", ";", ","):
        kept = kept.replace(sign, f"\\{sign}")
    return kept.replace("\n", "\\n")


def folded(line: str) -> str:
    """Break a line after at most 75 octets, never within a character (3.1).

    >>> [len(part.encode()) for part in folded("x" * 160).split("\\r\\n")]
    [75, 75, 12]
    """
    parts, part, size = [], "", 0
    for sign in line:
        octets = len(sign.encode())
        if size + octets > LONGEST_LINE:
            parts.append(part)
            part, size = " ", 1
        part += sign
        size += octets
    return "\r\n".join([*parts, part])
