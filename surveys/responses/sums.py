"""From packed answers to exact sums by cell: the one way in which answers are added up."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sqcore.base.periods import Grain
from sqcore.stats.loyalty import loyalty_scores
from sqcore.stats.moments import Moments, moments_of, stacked
from sqcore.stats.servqual import Scores, dimension_scores, gap_scores
from surveys.instruments.codebook import NOT_APPLICABLE, Bytes, Codebook, Measure

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Months = npt.NDArray[np.datetime64]

MARGINS = ("", "channel", "segment")
PART = struct.Struct("<BQI")
Part = tuple[str, int]
"""A margin and the id of its value: ("", 0) is all."""
GRAINS = tuple(grain.value for grain in Grain)
PROMOTER, DETRACTOR = 9, 6


@dataclass(frozen=True)
class AnswerColumns:
    """What adding up needs of N responses, column by column.

    `channel` and `segment` hold ids, 0 for none; `grain` positions in `GRAINS`; `month` is
    datetime64[M]; `packed` has shape (N, scored items).
    """

    unit: Ints
    channel: Ints
    segment: Ints
    month: Months
    grain: Ints
    weight: Ints
    packed: Bytes

    def __len__(self) -> int:
        return len(self.unit)


class SumCell(NamedTuple):
    """A unit itself in one month: all of it, or one channel or segment (by id)."""

    unit_id: int
    month: date
    finest_grain: str
    margin: str = ""
    value_id: int = 0

    @property
    def place(self) -> str:
        """What a rollup row is found by."""
        return f"{self.unit_id}:{self.month.year}-{self.month.month:02d}:{self.finest_grain}"

    @property
    def part(self) -> Part:
        return self.margin, self.value_id


def bundle(parts: Mapping[Part, bytes]) -> bytes:
    """Return packed moments of the parts of a place as one string of bytes.

    >>> unbundle(bundle({("", 0): b"all", ("channel", 7): b"one"}))
    {('', 0): b'all', ('channel', 7): b'one'}
    """
    return b"".join(
        PART.pack(MARGINS.index(margin), value_id, len(content)) + content
        for (margin, value_id), content in sorted(parts.items())
    )


def unbundle(content: bytes) -> dict[Part, bytes]:
    """Return what `bundle` wrote."""
    parts = {}
    at = 0
    while at < len(content):
        margin, value_id, length = PART.unpack_from(content, at)
        start = at + PART.size
        at = start + length
        parts[(MARGINS[margin], value_id)] = content[start:at]
    return parts


def measure_values(codebook: Codebook, answers: Bytes) -> tuple[npt.NDArray[np.int32], Bools]:
    """Return each measure of each respondent, times its scale, and whether it is there.

    answers: shape (N, scored items), as packed. returns: two arrays of shape (N, measures)
    """
    there = answers < NOT_APPLICABLE
    # 32 bits hold every answer times its scale, and are read in half the time.
    values = np.zeros((len(answers), len(codebook.measures)), dtype=np.int32)
    present = np.zeros(values.shape, dtype=np.bool_)
    kinds = [measure.kind for measure in codebook.measures]
    for kind, score in (("perception", _perceptions), ("gap", _gaps)):
        places = [at for at, found in enumerate(kinds) if found == kind]
        if places:
            scores = score([codebook.measures[at] for at in places], answers, there)
            values[:, places], present[:, places] = scores.values, scores.present
    for at, measure in enumerate(codebook.measures):
        if measure.kind == "index":
            values[:, at], present[:, at] = _index(measure, answers, there)
        elif measure.kind not in ("perception", "gap"):
            values[:, at] = _outcome(measure, answers)
            present[:, at] = there[:, measure.columns[0]]
    return values, present


def _perceptions(measures: Sequence[Measure], answers: Bytes, there: Bools) -> Scores:
    columns = [column for measure in measures for column in measure.columns]
    dimension = np.repeat(np.arange(len(measures)), [len(each.columns) for each in measures])
    return dimension_scores(
        answers[:, columns], there[:, columns], dimension, scale=measures[0].scale
    )


def _gaps(measures: Sequence[Measure], answers: Bytes, there: Bools) -> Scores:
    columns = [column for measure in measures for column in measure.columns]
    paired = [column for measure in measures for column in measure.paired]
    dimension = np.repeat(np.arange(len(measures)), [len(each.columns) for each in measures])
    return gap_scores(
        answers[:, paired],
        answers[:, columns],
        there[:, paired],
        there[:, columns],
        dimension,
        scale=measures[0].scale,
    )


def _index(measure: Measure, answers: Bytes, there: Bools) -> tuple[Ints, Bools]:
    columns = list(measure.columns)
    given = np.where(there[:, columns], answers[:, columns].astype(np.float64), np.nan)
    own = loyalty_scores(given, measure.ends)
    present = ~np.isnan(own)
    return np.rint(np.where(present, own, 0.0) * measure.scale).astype(np.int64), present


def _outcome(measure: Measure, answers: Bytes) -> Ints:
    answer = answers[:, measure.columns[0]].astype(np.int64)
    if measure.kind == "nps":
        return (answer >= PROMOTER).astype(np.int64) - (answer <= DETRACTOR)
    if measure.kind == "top2":
        return (answer >= measure.top).astype(np.int64)
    return answer


def sums_by_cell(codebook: Codebook, rows: AnswerColumns) -> tuple[list[SumCell], Moments]:
    """Return the cells that these responses fall into, and the moments of each.

    Every response counts in the cell of its unit and month, and again in that of its channel and of
    its segment where it has one.
    """
    values, present = measure_values(codebook, rows.packed)
    nobody = np.zeros(len(rows), dtype=np.int64)
    cells: list[SumCell] = []
    parts: list[Moments] = []
    for margin, value in (("", nobody), ("channel", rows.channel), ("segment", rows.segment)):
        has = slice(None) if margin == "" or value.all() else np.flatnonzero(value)
        found, owner = _cells(rows, has, margin, value[has])
        cells += found
        parts.append(moments_of(values[has], present[has], rows.weight[has], owner, len(found)))
    return cells, stacked(parts)


def _cells(
    rows: AnswerColumns, chosen: Ints | slice, margin: str, value: Ints
) -> tuple[list[SumCell], Ints]:
    """Number the distinct cells of these rows; return them and the cell of each row."""
    if not len(value):
        return [], value
    units, unit_at = np.unique(rows.unit[chosen], return_inverse=True)
    months, month_at = np.unique(rows.month[chosen], return_inverse=True)
    values, value_at = np.unique(value, return_inverse=True)
    sizes = (len(units), len(months), len(GRAINS), len(values))
    key = np.ravel_multi_index((unit_at, month_at, rows.grain[chosen], value_at), sizes)
    keys, owner = np.unique(key, return_inverse=True)
    names = units.tolist(), months.tolist(), GRAINS, values.tolist()
    places = [place.tolist() for place in np.unravel_index(keys, sizes)]
    cells = [
        SumCell(names[0][u], names[1][m], names[2][g], margin, names[3][v])
        for u, m, g, v in zip(*places, strict=True)
    ]
    return cells, owner
