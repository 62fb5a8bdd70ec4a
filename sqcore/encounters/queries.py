"""Reading encounters: as exact sums by unit, channel and segment, as what there is of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Count,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce

from sqcore.encounters.models import Encounter, EncounterSums, TouchedSpan
from sqcore.encounters.sums import (
    MEASURES,
    Group,
    Part,
    Span,
    moments_of_groups,
    unbundle,
)
from sqcore.stats.moments import Moments, merge, no_moments, stacked, unpack


class JointCell(NamedTuple):
    """A unit itself, a channel and a segment together; by id, 0 where there is none."""

    unit_id: int
    channel_id: int
    segment_id: int
    service_id: int = 0


JointSums = tuple[list[JointCell], Moments]
NOTHING: JointSums = ([], no_moments(0, len(MEASURES)))

_BIG = BigIntegerField()


def _there(name: str) -> ExpressionWrapper:
    return ExpressionWrapper(Q(**{f"{name}__isnull": False}), output_field=BooleanField())


def _sum(first: str, second: str = "") -> Cast:
    """A sum as a whole number of 64 bits, on every database."""
    term: Any = Cast(F(first), _BIG)
    if second:
        term = term * Cast(F(second), _BIG)
    return Cast(Coalesce(Sum(term, output_field=_BIG), Value(0), output_field=_BIG), _BIG)


def row_sums(rows: QuerySet[Encounter], *, by_service: bool = False) -> JointSums:
    """Return the sums of these encounters; the database groups and adds."""
    places = ["unit_id", "channel_id", "segment_id", *(["service_id"] if by_service else [])]
    grouped = (
        rows.order_by()
        .annotate(waiting_known=_there("waiting_s"), handling_known=_there("handling_s"))
        .values_list(*places, "waiting_known", "handling_known", "solved", "reworked")
        .annotate(
            count=Count("*"),
            waiting=_sum("waiting_s"),
            handling=_sum("handling_s"),
            waiting_squared=_sum("waiting_s", "waiting_s"),
            handling_squared=_sum("handling_s", "handling_s"),
            both=_sum("waiting_s", "handling_s"),
        )
    )
    cells: dict[JointCell, int] = {}
    owners, groups = [], []
    for row in grouped.iterator(chunk_size=10_000):
        cell = JointCell(*(value or 0 for value in row[: len(places)]))
        owners.append(cells.setdefault(cell, len(cells)))
        groups.append(Group(*row[len(places) :]))
    return list(cells), moments_of_groups(groups, owners, len(cells))


def rows_of(unit_ids: Iterable[int], span: Span) -> QuerySet[Encounter]:
    """The encounters of these units in a span."""
    return Encounter.objects.filter(
        unit_id__in=list(unit_ids), on__gte=span.starts_on, on__lt=span.ends_on
    )


def touched_in(start: date, end: date) -> dict[Span, list[int]]:
    """Return, by span, the units whose sums of it are not up to their rows."""
    found: dict[Span, list[int]] = {}
    touched = TouchedSpan.objects.filter(starts_on__gte=start, starts_on__lt=end)
    pairs = touched.order_by("starts_on", "unit_id").values_list("starts_on", "unit_id").distinct()
    for starts_on, unit_id in pairs:
        found.setdefault(Span.of(starts_on), []).append(unit_id)
    return found


def span_sums(start: date, end: date) -> JointSums:
    """Return the sums of [start, end), which must be whole spans.

    What is touched is read from its rows, the rest from what is kept: the same integers either way.
    What was touched is asked first, so that a change that comes in between is counted or still
    marked as touched afterwards.
    """
    touched = touched_in(start, end)
    stale = {(unit_id, span.starts_on) for span, units in touched.items() for unit_id in units}
    kept = EncounterSums.objects.filter(starts_on__gte=start, starts_on__lt=end)
    fields = ("unit_id", "starts_on", "content")
    cells: list[JointCell] = []
    packed: list[bytes] = []
    for unit_id, starts_on, content in kept.order_by("id").values_list(*fields).iterator():
        if (unit_id, starts_on) not in stale:
            for part, moments in unbundle(bytes(content)).items():
                cells.append(JointCell(unit_id, *part))
                packed.append(moments)
    parts = [row_sums(rows_of(units, span)) for span, units in touched.items()]
    if packed:
        parts.append((cells, unpack(packed)))
    return joined(parts)


def joined(parts: Sequence[JointSums]) -> JointSums:
    """Return the sums of all parts together, cell by cell."""
    if not parts:
        return NOTHING
    index: dict[JointCell, int] = {}
    owners = [index.setdefault(cell, len(index)) for cells, _moments in parts for cell in cells]
    whole = stacked([moments for _cells, moments in parts])
    return list(index), merge(whole, np.array(owners, dtype=np.int64), len(index))


def parts_by_unit(sums: JointSums, packed: Sequence[bytes]) -> Mapping[int, dict[Part, bytes]]:
    """Return packed sums by unit, as a row of the kept sums holds them."""
    found: dict[int, dict[Part, bytes]] = {}
    for cell, content in zip(sums[0], packed, strict=True):
        found.setdefault(cell.unit_id, {})[Part(cell.channel_id, cell.segment_id)] = content
    return found


def first_and_last_day() -> tuple[date, date] | None:
    """Return the first and the last day that there is an encounter of."""
    days = Encounter.objects.values_list("on", flat=True)
    first, last = days.order_by("on").first(), days.order_by("-on").first()
    return (first, last) if first is not None and last is not None else None


def spans_changed_since(moment: Any) -> Iterator[tuple[date, date]]:
    """Yield [start, end) of the spans whose sums were computed anew after this moment."""
    rows = EncounterSums.objects.filter(changed_at__gt=moment)
    yield from rows.order_by("starts_on").values_list("starts_on", "ends_on").distinct()
