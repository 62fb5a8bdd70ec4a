"""Reading answers: as columns for adding up, as sums by cell, as what there is of them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from django.db.models import (
    Aggregate,
    BigIntegerField,
    BinaryField,
    F,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Coalesce
from psycopg import Cursor

from sqcore.base.periods import FINENESS, Grain, Period
from sqcore.stats.moments import Moments, add, merge, no_moments, pack, subtract, unpack
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response, Rollup
from surveys.responses.sums import (
    GRAINS,
    AnswerColumns,
    Ints,
    Part,
    SumCell,
    sums_by_cell,
    unbundle,
)

DAYS_AT_ONCE = 20
DIGITS_AT_ONCE = 5_000_000
"""So large a piece of answers is added up at once: some 50,000 questionnaires of 50 questions."""

TO_ADD = Q(in_rollup=False, withdrawn=False)
TO_SUBTRACT = Q(in_rollup=True, withdrawn=True)

RANK = {grain: rank for rank, grain in enumerate(GRAINS)}

CellSums = tuple[list[SumCell], Moments]


class _Joined(Aggregate):
    """Whole numbers of many rows as one text: much sooner read than the rows."""

    function = "STRING_AGG"
    template = "%(function)s(CAST((%(expressions)s) AS TEXT), ',')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **extra)


class _JoinedBytes(Aggregate):
    """The bytes of many rows as one; on SQLite, which joins texts only, as hexadecimal digits."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ''::bytea)"
    output_field = BinaryField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "GROUP_CONCAT(HEX(%(expressions)s), '')"
        return self.as_sql(compiler, connection, template=template, **extra)


def _or_zero(name: str) -> Coalesce:
    whole = BigIntegerField()
    return Coalesce(Cast(F(name), whole), Value(0, output_field=whole))


class _Day(NamedTuple):
    """All rows of one day and grain, each column as one text."""

    grain: str
    on: date
    ids: str
    unit: str
    channel: str
    segment: str
    weight: str
    packed: str | bytes

    @property
    def sheets(self) -> bytes:
        return bytes.fromhex(self.packed) if isinstance(self.packed, str) else bytes(self.packed)


def answer_columns(
    rows: QuerySet[Response], codebook: Codebook
) -> Iterator[tuple[Ints, AnswerColumns]]:
    """Yield the responses in pieces: their ids, and what adding up needs of them.

    The database joins the rows of a day, so that of a million some hundred are fetched. A piece
    ends with the day that fills it; rows come in no particular order.
    """
    if rows.query.is_sliced:
        rows = Response.objects.filter(pk__in=rows.values("pk"))
    joined = {
        "ids": _Joined("pk"),
        "units": _Joined("unit_id"),
        "channels": _Joined(_or_zero("channel_id")),
        "segments": _Joined(_or_zero("segment_id")),
        "weights": _Joined("weight"),
        "sheets": _JoinedBytes("packed"),
    }
    # In the order of the index by day: nothing is sorted, and no day waits for another.
    keys = "finest_grain", "answered_on"
    days = rows.order_by(*keys).values(*keys).annotate(**joined).values_list(*keys, *joined)
    waiting: list[_Day] = []
    digits = 0
    for row in days.iterator(chunk_size=DAYS_AT_ONCE):
        day = _Day(*row)
        waiting.append(day)
        digits += len(day.packed)
        if digits >= DIGITS_AT_ONCE:
            yield _columns(waiting, codebook)
            waiting, digits = [], 0
    if waiting:
        yield _columns(waiting, codebook)


def _columns(days: Sequence[_Day], codebook: Codebook) -> tuple[Ints, AnswerColumns]:
    packed = [codebook.decode([day.sheets]) for day in days]
    people = [len(sheets) for sheets in packed]
    month = np.array([day.on for day in days], dtype="datetime64[M]")
    grain = np.array([GRAINS.index(day.grain) for day in days], dtype=np.int64)
    columns = AnswerColumns(
        unit=_numbers(day.unit for day in days),
        channel=_numbers(day.channel for day in days),
        segment=_numbers(day.segment for day in days),
        month=np.repeat(month, people),
        grain=np.repeat(grain, people),
        weight=_numbers(day.weight for day in days),
        packed=np.concatenate(packed),
    )
    return _numbers(day.ids for day in days), columns


def _numbers(texts: Iterable[str]) -> Ints:
    return np.fromstring(",".join(texts), sep=",", dtype=np.int64)


def row_sums(rows: QuerySet[Response], codebook: Codebook) -> CellSums:
    """Return the sums of these responses by unit, month and margin."""
    nothing: CellSums = ([], no_moments(0, len(codebook.measures)))
    pieces = (sums_by_cell(codebook, columns) for _ids, columns in answer_columns(rows, codebook))
    return reduce(combined, pieces, nothing)


def combined(first: CellSums, second: CellSums, *, sign: int = 1) -> CellSums:
    """Return the sums of both (or, with sign -1, of what is in the first and not the second)."""
    index = {cell: at for at, cell in enumerate(dict.fromkeys([*first[0], *second[0]]))}
    spread = [
        merge(moments, np.array([index[cell] for cell in cells], dtype=np.int64), len(index))
        for cells, moments in (first, second)
    ]
    return list(index), add(*spread) if sign > 0 else subtract(*spread)


def lock_version(version: InstrumentVersion) -> None:
    """Wait for the sums of a version and hold them still until the transaction ends."""
    InstrumentVersion.objects.select_for_update().get(pk=version.pk)


def period_sums(version: InstrumentVersion, codebook: Codebook, period: Period) -> CellSums:
    """Return the sums of a version's answers in this period by unit, month and margin.

    Whole months come from the rollups, put right by the rows that these do not hold yet; days and
    weeks from the rows. Both ways give the same integers. Only answers whose day is known well
    enough for the period's grain count. Run it under `lock_version`.
    """
    known = [grain for grain in GRAINS if FINENESS[Grain(grain)] <= FINENESS[period.grain]]
    rows = Response.objects.filter(
        version=version,
        finest_grain__in=known,
        answered_on__gte=period.start,
        answered_on__lt=period.end,
    )
    if period.grain in (Grain.DAY, Grain.WEEK):
        return row_sums(rows.counted(), codebook)
    kept = rollup_sums(version, codebook, period, known)
    late = combined(kept, row_sums(rows.filter(TO_ADD), codebook))
    return combined(late, row_sums(rows.filter(TO_SUBTRACT), codebook), sign=-1)


def sums_by_week(
    version: InstrumentVersion, codebook: Codebook, period: Period
) -> Iterator[tuple[str, CellSums]]:
    """Yield the sums of each ISO week of this period, from the rows; a week that the period cuts
    has its part. Only answers whose week is known count. Run it under `lock_version`."""
    known = [grain for grain in GRAINS if FINENESS[Grain(grain)] <= FINENESS[Grain.WEEK]]
    rows = Response.objects.counted().filter(version=version, finest_grain__in=known)
    first = period.start
    while first < period.end:
        week = Period.of(first, Grain.WEEK)
        end = min(week.end, period.end)
        yield week.key, row_sums(rows.filter(answered_on__gte=first, answered_on__lt=end), codebook)
        first = end


def rollup_sums(
    version: InstrumentVersion, codebook: Codebook, period: Period, known: Sequence[str]
) -> CellSums:
    """Return what the rollups hold of this period."""
    rows = Rollup.objects.filter(
        version=version,
        finest_grain__in=known,
        month__gte=period.start,
        month__lt=period.end,
    )
    return _unpacked(rows, codebook)


def as_bytes(rows: QuerySet[Any, tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    """Return rows of values; PostgreSQL hands over their bytes as they are, where Django's cursor
    asks for them as hexadecimal digits, which takes twice as much to send and three times to read.
    """
    if connection.vendor != "postgresql":
        return rows
    query, parameters = rows.query.sql_with_params()
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        return cursor.execute(query, parameters, binary=True).fetchall()


def stored_parts(codebook: Codebook, places: Iterable[str]) -> dict[str, dict[Part, bytes]]:
    """Return what the rollups hold at these places, still packed."""
    rows = Rollup.objects.filter(version_id=codebook.version_id, place__in=list(places))
    return {
        place: unbundle(bytes(content)) for place, content in rows.values_list("place", "content")
    }


def summed_months(version: InstrumentVersion) -> list[date]:
    """Return the months that a version's sums hold, or should hold, anything of."""
    held = Response.objects.filter(version=version, in_rollup=True)
    kept = Rollup.objects.filter(version=version).values_list("month", flat=True)
    return sorted({*held.dates("answered_on", "month"), *kept})


def held_sums(version: InstrumentVersion, codebook: Codebook, month: date) -> CellSums:
    """Return what the rollups of a month should be: the sums of the rows marked as absorbed, with
    those that were withdrawn and not yet subtracted. Run it under `lock_version`."""
    period = Period(month, Grain.MONTH)
    rows = Response.objects.filter(
        version=version,
        in_rollup=True,
        answered_on__gte=period.start,
        answered_on__lt=period.end,
    )
    return row_sums(rows, codebook)


def differing_places(
    version: InstrumentVersion, codebook: Codebook, month: date, held: CellSums
) -> list[str]:
    """Return the places whose rollup of this month is not, byte for byte, what it should be."""
    nobody = pack(no_moments(1, len(codebook.measures)))[0]
    rows: dict[str, dict[Part, bytes]] = {}
    for cell, content in zip(held[0], pack(held[1]), strict=True):
        rows.setdefault(cell.place, {})[cell.part] = content
    # What everybody withdrew from stays as a sum of nobody.
    stored = Rollup.objects.filter(version=version, month=month).values_list("place", "content")
    kept = {
        place: {part: each for part, each in unbundle(bytes(content)).items() if each != nobody}
        for place, content in stored
    }
    return sorted(
        place for place in rows.keys() | kept if rows.get(place, {}) != kept.get(place, {})
    )


def _unpacked(rows: QuerySet[Rollup], codebook: Codebook) -> CellSums:
    cells: list[SumCell] = []
    packed: list[bytes] = []
    fields = ("unit_id", "month", "finest_grain", "content")
    for unit_id, month, grain, content in as_bytes(rows.order_by("id").values_list(*fields)):
        parts = unbundle(content)
        cells += [SumCell(unit_id, month, grain, *part) for part in parts]
        packed += parts.values()
    if not cells:
        return [], no_moments(0, len(codebook.measures))
    return cells, unpack(packed)


def first_and_last_day(version: InstrumentVersion, grain: Grain) -> tuple[date, date] | None:
    """Return the first and last day of counted answers whose day is known by this grain."""
    days = (
        Response.objects.counted()
        .filter(version=version, finest_grain=grain)
        .values_list("answered_on", flat=True)
    )
    first = days.order_by("answered_on").first()
    last = days.order_by("-answered_on").first()
    return (first, last) if first is not None and last is not None else None
