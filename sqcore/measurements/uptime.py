"""What the states of a machine say: how long it worked each day, and its outages. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DOWN = "down"
DEGRADED = "degraded"


@dataclass(frozen=True)
class Span:
    """From `start` to `end` it was in this state; no `end`: it still is."""

    state: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class DayOfUse:
    """Seconds of a local day in which the state was known, in which it worked, and in which it
    worked in part only (these are among those in which it worked)."""

    on: date
    observed: int
    up: int
    degraded: int


def spans_of(states: Sequence[tuple[datetime, str]]) -> list[Span]:
    """Return the spans between changes; states in the order of their time.

    >>> at = datetime.fromisoformat
    >>> told = [(at("2026-05-01T08:00Z"), "up"), (at("2026-05-01T09:00Z"), "up"),
    ...         (at("2026-05-01T10:00Z"), "down")]
    >>> [(span.state, span.start.hour, span.end and span.end.hour) for span in spans_of(told)]
    [('up', 8, 10), ('down', 10, None)]
    """
    changes: list[tuple[datetime, str]] = []
    for at, state in states:
        if not changes or changes[-1][1] != state:
            changes.append((at, state))
    if not changes:
        return []
    ends: list[datetime | None] = [at for at, _state in changes[1:]]
    return [Span(state, at, end) for (at, state), end in zip(changes, [*ends, None], strict=True)]


def outages_of(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.state == DOWN]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


def days_of_use(
    spans: Sequence[Span], *, first: date, end: date, zone: ZoneInfo
) -> Iterator[DayOfUse]:
    """Yield the local days of [first, end) of which something is known; what still lasts, lasts.

    A day of the change of clocks has 23 or 25 hours.
    """
    at = 0
    day = first
    while day < end and spans:
        begin, over = midnight(day, zone), midnight(day + timedelta(days=1), zone)
        seconds: dict[str, int] = {}
        while at < len(spans) and (last := spans[at].end) is not None and last <= begin:
            at += 1
        for span in spans[at:]:
            if span.start >= over:
                break
            if span.end is None or span.end > begin:
                length = _seconds(max(span.start, begin), min(span.end or over, over))
                seconds[span.state] = seconds.get(span.state, 0) + length
        observed = sum(seconds.values())
        if observed:
            down, degraded = seconds.get(DOWN, 0), seconds.get(DEGRADED, 0)
            yield DayOfUse(day, observed, observed - down, degraded)
        day += timedelta(days=1)


def _seconds(start: datetime, end: datetime) -> int:
    # Subtracting two times of one zone would ignore a change of clocks between them.
    return max(0, round(end.timestamp() - start.timestamp()))
