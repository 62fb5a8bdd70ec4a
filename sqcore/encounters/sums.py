"""From encounters to exact sums: spans of days, what is measured, and how sums are kept."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sqcore.base.periods import Grain, Period
from sqcore.stats.moments import Moments, merge, no_moments

MEASURES = ("waiting", "handling", "solved", "reworked")
SCALES = (60, 60, 1, 1)
"""Seconds are kept; minutes are shown."""

Ints = npt.NDArray[np.int64]


class Span(NamedTuple):
    """The days that an ISO week and a month share, from `starts_on` up to but not `ends_on`.

    Weeks, months, quarters and years are all whole spans put together.
    """

    starts_on: date
    ends_on: date

    @classmethod
    def of(cls, day: date) -> "Span":
        """Return the span that this day lies in.

        >>> Span.of(date(2026, 4, 30))
        Span(starts_on=datetime.date(2026, 4, 27), ends_on=datetime.date(2026, 5, 1))
        """
        week, month = Period.of(day, Grain.WEEK), Period.of(day, Grain.MONTH)
        return cls(max(week.start, month.start), min(week.end, month.end))


def spans_between(start: date, end: date) -> Iterator[Span]:
    """Yield, oldest first, every span that touches [start, end)."""
    span = Span.of(start)
    while span.starts_on < end:
        yield span
        span = Span.of(span.ends_on)


class Part(NamedTuple):
    """A channel and a segment together, by id; 0 where there is none."""

    channel_id: int
    segment_id: int


class Group(NamedTuple):
    """Encounters that have the same measures and the same yes and no, counted and summed.

    Of these six numbers every moment of the four measures follows, for what is yes or no has no
    square of its own.
    """

    waiting_known: bool
    handling_known: bool
    solved: bool | None
    reworked: bool | None
    count: int
    waiting: int
    handling: int
    waiting_squared: int
    handling_squared: int
    waiting_handling: int


def moments_of_groups(groups: Sequence[Group], owners: Sequence[int], cells: int) -> Moments:
    """Return the moments of MEASURES by cell, as `moments_of` gives them for the single rows.

    groups: G groups
    owners: shape (G,), the cell of each group
    returns: Moments of `cells` cells, exact
    """
    if not groups:
        return no_moments(cells, len(MEASURES))
    column = np.array(
        [tuple(-1 if value is None else int(value) for value in group) for group in groups],
        dtype=np.int64,
    ).T
    waiting_there, handling_there, solved, reworked, count = column[:5]
    waiting, handling, waiting_2, handling_2, both = column[5:]
    there = np.stack([waiting_there, handling_there, solved >= 0, reworked >= 0], axis=1)
    yes, again = solved.clip(min=0), reworked.clip(min=0)
    sums = np.stack([waiting, handling, count * yes, count * again], axis=1)
    squares = [
        *(waiting_2, both, waiting * yes, waiting * again),
        *(handling_2, handling * yes, handling * again),
        *(count * yes, count * yes * again, count * again),
    ]
    upper = np.triu_indices(len(MEASURES))
    pairs = there[:, upper[0]] * there[:, upper[1]] * count[:, None]
    crossed = (there[:, :, None] * sums[:, None, :]).reshape(len(groups), -1)
    n = there * count[:, None]
    each = Moments(
        n.astype(np.int64),
        count.copy(),
        np.concatenate([n, sums], axis=1).astype(np.int64),
        np.concatenate([pairs, crossed, np.stack(squares, axis=1)], axis=1).astype(np.int64),
    )
    return merge(each, np.asarray(owners, dtype=np.int64), cells)


_PART = struct.Struct("<QQI")


def bundle(parts: Mapping[Part, bytes]) -> bytes:
    """Return packed moments by part as one string of bytes.

    >>> unbundle(bundle({Part(1, 2): b"counter", Part(0, 0): b"unknown"}))
    {Part(channel_id=0, segment_id=0): b'unknown', Part(channel_id=1, segment_id=2): b'counter'}
    """
    return b"".join(
        _PART.pack(*part, len(content)) + content for part, content in sorted(parts.items())
    )


def unbundle(content: bytes) -> dict[Part, bytes]:
    """Return what `bundle` wrote."""
    parts = {}
    at = 0
    while at < len(content):
        channel_id, segment_id, length = _PART.unpack_from(content, at)
        start = at + _PART.size
        at = start + length
        parts[Part(channel_id, segment_id)] = content[start:at]
    return parts
