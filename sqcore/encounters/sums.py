"""From encounters to exact sums: spans of days, what is measured, and how sums are kept."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sqcore.base.periods import Grain, Period
from sqcore.stats.errors import StatisticsError
from sqcore.stats.moments import LARGEST, Moments, merge, no_moments

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


UNKNOWN = -1


@dataclass(frozen=True)
class Rows:
    """N encounters, column by column, all int64 of shape (N,); UNKNOWN where a measure is not.

    `place` numbers where they belong: any number that stands for a cell.
    """

    place: Ints
    waiting: Ints
    handling: Ints
    solved: Ints
    reworked: Ints


def moments_by_place(rows: Rows) -> tuple[Ints, Moments]:
    """Return the places, ascending, and the moments of MEASURES at each, as `moments_of` has them.

    What is yes or no has no square of its own, so that rows are first counted and summed where
    place, knowledge and yes or no are the same: six sums, of which every moment follows. Exact.
    """
    if not rows.place.size:
        return rows.place, no_moments(0, len(MEASURES))
    known = (rows.waiting >= 0) * 2 + (rows.handling >= 0)
    kind = (known * 3 + rows.solved + 1) * 3 + rows.reworked + 1
    key = rows.place * KINDS + kind
    order = np.argsort(key, kind="stable")
    keys, starts = np.unique(key[order], return_index=True)
    waiting, handling = (np.maximum(each, 0)[order] for each in (rows.waiting, rows.handling))
    terms = (waiting, handling, waiting**2, handling**2, waiting * handling)
    sums = [np.add.reduceat(term, starts) for term in terms]
    count = np.diff(starts, append=key.size)
    if int(max(waiting.max(), handling.max())) ** 2 * int(count.max()) > LARGEST:
        raise StatisticsError("the sums of a cell could exceed 63 bits")
    places, owner = np.unique(keys // KINDS, return_inverse=True)
    groups = _moments_of_kinds(keys % KINDS, count, *sums)
    return places, merge(groups, owner, len(places))


KINDS = 4 * 3 * 3


def _moments_of_kinds(
    kind: Ints,
    count: Ints,
    waiting: Ints,
    handling: Ints,
    waiting_2: Ints,
    handling_2: Ints,
    both: Ints,
) -> Moments:
    """Return the moments of groups of which each is of one kind; all of shape (G,)."""
    known, solved, reworked = kind // 9, kind // 3 % 3, kind % 3
    there = np.stack([known >= 2, known % 2 == 1, solved > 0, reworked > 0], axis=1)
    yes, again = solved == 2, reworked == 2
    sums = np.stack([waiting, handling, count * yes, count * again], axis=1)
    squares = [
        *(waiting_2, both, waiting * yes, waiting * again),
        *(handling_2, handling * yes, handling * again),
        *(count * yes, count * (yes & again), count * again),
    ]
    upper = np.triu_indices(len(MEASURES))
    pairs = (there[:, upper[0]] & there[:, upper[1]]) * count[:, None]
    crossed = (there[:, :, None] * sums[:, None, :]).reshape(len(kind), -1)
    n = there * count[:, None]
    return Moments(
        n,
        count.astype(np.int64),
        np.concatenate([n, sums], axis=1),
        np.concatenate([pairs, crossed, np.stack(squares, axis=1)], axis=1),
    )


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
