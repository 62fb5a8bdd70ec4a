"""Reading answers: as columns for adding up, as sums by cell, as what there is of them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import reduce

import numpy as np
from django.db import connection
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from sqcore.base.periods import FINENESS, Grain, Period
from sqcore.stats.moments import Moments, add, merge, no_moments, subtract, unpack
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response, Rollup
from surveys.responses.sums import GRAINS, AnswerColumns, Part, SumCell, sums_by_cell, unbundle

AT_ONCE = 50_000

TO_ADD = Q(in_rollup=False, withdrawn=False)
TO_SUBTRACT = Q(in_rollup=True, withdrawn=True)

RANK = {grain: rank for rank, grain in enumerate(GRAINS)}

CellSums = tuple[list[SumCell], Moments]


def answer_columns(
    rows: QuerySet[Response], codebook: Codebook
) -> Iterator[tuple[list[int], AnswerColumns]]:
    """Yield the responses in pieces: their ids, and what adding up needs of them."""
    # As text: the day needs no date object on its way into an array of months.
    as_text = rows.annotate(day=Cast("answered_on", CharField()))
    fields = ("id", "unit_id", "channel_id", "segment_id", "day", "finest_grain", "weight")
    query, parameters = as_text.values_list(*fields, "packed").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        while piece := cursor.fetchmany(AT_ONCE):
            ids, unit, channel, segment, day, grain, weight, packed = zip(*piece, strict=True)
            yield (
                list(ids),
                AnswerColumns(
                    unit=np.array(unit, dtype=np.int64),
                    channel=np.array([value or 0 for value in channel], dtype=np.int64),
                    segment=np.array([value or 0 for value in segment], dtype=np.int64),
                    month=np.array(day, dtype="datetime64[D]").astype("datetime64[M]"),
                    grain=np.array([GRAINS.index(value) for value in grain], dtype=np.int64),
                    weight=np.array(weight, dtype=np.int64),
                    packed=codebook.decode(packed),
                ),
            )


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


def stored_parts(codebook: Codebook, places: Iterable[str]) -> dict[str, dict[Part, bytes]]:
    """Return what the rollups hold at these places, still packed."""
    rows = Rollup.objects.filter(version_id=codebook.version_id, place__in=list(places))
    return {
        place: unbundle(bytes(content)) for place, content in rows.values_list("place", "content")
    }


def _unpacked(rows: QuerySet[Rollup], codebook: Codebook) -> CellSums:
    cells: list[SumCell] = []
    packed: list[bytes] = []
    fields = ("unit_id", "month", "finest_grain", "content")
    for unit_id, month, grain, content in rows.order_by("id").values_list(*fields):
        parts = unbundle(bytes(content))
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
