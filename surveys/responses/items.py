"""Answers item by item, for analyses of a questionnaire that the sums of measures cannot give."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from sqcore.base.periods import FINENESS, Grain, Period
from sqcore.stats.arrays import FloatArray
from sqcore.stats.cross_products import BUCKETS, CrossProducts, cross_products
from surveys.instruments.codebook import NOT_APPLICABLE, Bytes, Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import WEIGHT_ONE, Response
from surveys.responses.queries import answer_columns
from surveys.responses.sums import GRAINS, Ints

SPREAD = 2_654_435_761
"""Knuth's multiplier: rows that came one after the other fall into different buckets."""


@dataclass(frozen=True)
class ItemAnswers:
    """The answers of N respondents to the scored items of one version.

    `packed` has shape (N, scored items), reversed items turned; `unit`, `channel` and `segment`
    are ids, 0 for none; `bucket` 0 to BUCKETS - 1; `weight` 1 where nobody was weighted;
    `response` are the ids of the answers, ascending: to tell who came and who left, never shown.
    """

    codebook: Codebook
    unit: Ints
    channel: Ints
    segment: Ints
    weight: FloatArray
    bucket: Ints
    packed: Bytes
    response: Ints

    def __len__(self) -> int:
        return len(self.unit)

    def of(
        self, *, units: Collection[int] | None = None, channel: int = 0, segment: int = 0
    ) -> "ItemAnswers":
        """Return the answers about these units, by this channel, of this segment; None and 0: any.

        units: ids of units themselves; name all below a unit to have its whole branch
        """
        keep = np.ones(len(self), dtype=np.bool_)
        if units is not None:
            keep &= np.isin(self.unit, list(units))
        if channel:
            keep &= self.channel == channel
        if segment:
            keep &= self.segment == segment
        return ItemAnswers(
            codebook=self.codebook,
            unit=self.unit[keep],
            channel=self.channel[keep],
            segment=self.segment[keep],
            weight=self.weight[keep],
            bucket=self.bucket[keep],
            packed=self.packed[keep],
            response=self.response[keep],
        )

    def values(self, codes: Sequence[str]) -> FloatArray:
        """Return these items' answers, shape (N, len(codes)); NaN: missing or not applicable.

        raises: KeyError for a code that is no scored item
        """
        at = {item.code: place for place, item in enumerate(self.codebook.scored)}
        packed = self.packed[:, [at[code] for code in codes]]
        return np.where(packed < NOT_APPLICABLE, packed, np.nan).astype(np.float64)

    def cross_products(self, columns: FloatArray) -> CrossProducts:
        """Return the weighted sums of such columns, in the respondents' buckets."""
        return cross_products(columns, bucket=self.bucket, weights=self.weight, buckets=BUCKETS)


def item_answers(version: InstrumentVersion, period: Period) -> ItemAnswers:
    """Read all counted answers of a version in a period whose day is known well enough for it."""
    codebook = codebook_of(version)
    known = [grain for grain in GRAINS if FINENESS[Grain(grain)] <= FINENESS[period.grain]]
    rows = Response.objects.counted().filter(
        version=version,
        finest_grain__in=known,
        answered_on__gte=period.start,
        answered_on__lt=period.end,
    )
    pieces = list(answer_columns(rows, codebook))
    ids = np.concatenate([np.zeros(0, dtype=np.int64), *(numbers for numbers, _columns in pieces)])
    place = np.empty(len(ids), dtype=np.int64)
    place[np.argsort(ids)] = np.arange(len(ids))
    found = ItemAnswers(
        codebook=codebook,
        unit=np.empty(len(ids), dtype=np.int64),
        channel=np.empty(len(ids), dtype=np.int64),
        segment=np.empty(len(ids), dtype=np.int64),
        weight=np.empty(len(ids)),
        bucket=np.empty(len(ids), dtype=np.int64),
        packed=np.empty((len(ids), len(codebook.scored)), dtype=np.uint8),
        response=np.empty(len(ids), dtype=np.int64),
    )
    start = len(ids)
    # Each piece makes room as it goes: of a million answers a second copy would be much.
    while pieces:
        numbers, columns = pieces.pop()
        start -= len(numbers)
        to = place[start : start + len(numbers)]
        spread = numbers.astype(np.uint64) * np.uint64(SPREAD) >> np.uint64(16)
        found.unit[to], found.channel[to] = columns.unit, columns.channel
        found.segment[to], found.weight[to] = columns.segment, columns.weight / WEIGHT_ONE
        found.bucket[to] = spread % np.uint64(BUCKETS)
        found.packed[to], found.response[to] = columns.packed, numbers
    return found
