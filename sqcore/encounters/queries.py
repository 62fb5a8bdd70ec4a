"""Reading encounters: as exact sums by unit, channel and segment, as what there is of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from typing import Any, NamedTuple

import numpy as np
from django.db.models import (
    Aggregate,
    BigIntegerField,
    Case,
    Count,
    F,
    Max,
    Model,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, ExtractHour

from sqcore.encounters.models import (
    MOST_SECONDS,
    Encounter,
    EncounterSums,
    Service,
    TouchedSpan,
)
from sqcore.encounters.sums import (
    MEASURES,
    UNKNOWN,
    Part,
    Rows,
    Span,
    moments_by_place,
    spans_between,
    unbundle,
)
from sqcore.org.models import Channel, Segment, Staff
from sqcore.stats.moments import Moments, merge, no_moments, stacked, unpack


class JointCell(NamedTuple):
    """A unit itself, a channel and a segment together; by id, 0 where there is none.

    `group` is the id of who served, or the hour of the arrival, where that was asked for.
    """

    unit_id: int
    channel_id: int
    segment_id: int
    service_id: int = 0
    group: int = 0


class Grouping(NamedTuple):
    """Whole numbers from 0 on, below `size`, by which encounters are told apart."""

    number: Any
    size: int


JointSums = tuple[list[JointCell], Moments]
NOTHING: JointSums = ([], no_moments(0, len(MEASURES)))


class _Joined(Aggregate):
    """Whole numbers of many rows as one text: much sooner read than the rows."""

    function = "STRING_AGG"
    template = "%(function)s(CAST((%(expressions)s) AS TEXT), ',')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **extra)


_BIG = BigIntegerField()


def _number(value: int) -> Value:
    return Value(value, output_field=_BIG)


def _whole(name: str, unknown: int) -> Coalesce:
    return Coalesce(Cast(F(name), _BIG), _number(unknown), output_field=_BIG)


def _truth(name: str) -> Case:
    yes, no = When(**{name: True}, then=_number(1)), When(**{name: False}, then=_number(0))
    return Case(yes, no, default=_number(UNKNOWN), output_field=_BIG)


def _ids_below(model: type[Model]) -> int:
    """Return a number above every id of this model."""
    return (model._default_manager.aggregate(last=Max("pk"))["last"] or 0) + 1


def row_sums(
    rows: QuerySet[Encounter], *, by_service: bool = False, by: Grouping | None = None
) -> JointSums:
    """Return the sums of these encounters; with `by` also by service.

    Of each row the database sends two numbers, one that says where it belongs and one that holds
    its measures; all of a queryset at once, which should therefore be of one span at the most.
    """
    models: dict[str, type[Model]] = {"channel_id": Channel, "segment_id": Segment}
    if by_service or by is not None:
        models["service_id"] = Service
    sizes = [_ids_below(model) for model in models.values()]
    place: Any = Cast(F("unit_id"), _BIG)
    for name, size in zip(models, sizes, strict=True):
        place = place * _number(size) + _whole(name, 0)
    if by is not None:
        place = place * _number(by.size) + Cast(by.number, _BIG)
        sizes.append(by.size)
    measures: Any = _whole("waiting_s", UNKNOWN) + _number(1)
    measures = measures * _number(MOST_SECONDS) + _whole("handling_s", UNKNOWN) + _number(1)
    for name in ("solved", "reworked"):
        measures = measures * _number(3) + _truth(name) + _number(1)
    found = rows.order_by().aggregate(place=_Joined(place), measures=_Joined(measures))
    if found["place"] is None:
        return NOTHING
    places, packed = (np.fromstring(found[name], sep=",", dtype=np.int64) for name in found)
    packed, reworked = np.divmod(packed, 3)
    packed, solved = np.divmod(packed, 3)
    waiting, handling = np.divmod(packed, MOST_SECONDS)
    columns = Rows(places, waiting - 1, handling - 1, solved - 1, reworked - 1)
    places, moments = moments_by_place(columns)
    parts = []
    for size in reversed(sizes):
        places, part = np.divmod(places, size)
        parts.append(part)
    columns_of_ids = [places, *reversed(parts)]
    return [JointCell(*ids) for ids in np.stack(columns_of_ids, axis=1).tolist()], moments


def rows_of(unit_ids: Iterable[int], span: Span) -> QuerySet[Encounter]:
    """The encounters of these units in a span."""
    return Encounter.objects.filter(
        unit_id__in=list(unit_ids), on__gte=span.starts_on, on__lt=span.ends_on
    )


def day_sums(start: date, end: date, *, by_service: bool) -> JointSums:
    """Return the sums of [start, end) from the rows, a span at a time."""
    found = []
    for span in spans_between(start, end):
        days = Encounter.objects.filter(
            on__gte=max(span.starts_on, start), on__lt=min(span.ends_on, end)
        )
        found.append(row_sums(days, by_service=by_service))
    return joined(found)


def sums_by_staff(start: date, end: date) -> JointSums:
    """Return the sums of [start, end) by who had the encounter as their own; of no others."""
    staff = Grouping(F("staff_id"), _ids_below(Staff))
    return _group_sums(Encounter.objects.filter(staff__isnull=False), staff, start, end)


def sums_by_hour(start: date, end: date, zone: tzinfo) -> JointSums:
    """Return the sums of [start, end) by the hour of the arrival, 0 to 23, in this time zone."""
    hour = Grouping(ExtractHour("arrived_at", tzinfo=zone), 24)
    return _group_sums(Encounter.objects.all(), hour, start, end)


def _group_sums(rows: QuerySet[Encounter], by: Grouping, start: date, end: date) -> JointSums:
    return joined(
        [
            row_sums(
                rows.filter(on__gte=max(span.starts_on, start), on__lt=min(span.ends_on, end)),
                by=by,
            )
            for span in spans_between(start, end)
        ]
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


def outcomes_by_day(
    outcome: str,
    *,
    units: Iterable[int],
    through: date,
    channels: Sequence[str] = (),
    service: str = "",
) -> list[tuple[date, int, int]]:
    """Return the days before `through` on which it is known of an encounter of these units whether
    it was solved, or reworked: day, of how many it is true, of how many it is known."""
    rows = Encounter.objects.filter(
        **{"unit_id__in": list(units), "on__lt": through, f"{outcome}__isnull": False}
    )
    if channels:
        rows = rows.filter(channel__code__in=channels)
    if service:
        rows = rows.filter(service__code=service)
    by_day = rows.order_by("on").values("on")
    counted = by_day.annotate(true=Count("pk", filter=Q(**{outcome: True})), known=Count("pk"))
    return list(counted.values_list("on", "true", "known"))


def spans_changed_since(moment: Any) -> Iterator[tuple[date, date]]:
    """Yield [start, end) of the spans whose sums were computed anew after this moment."""
    rows = EncounterSums.objects.filter(changed_at__gt=moment)
    yield from rows.order_by("starts_on").values_list("starts_on", "ends_on").distinct()
