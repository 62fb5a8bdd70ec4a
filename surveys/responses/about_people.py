"""What customers answer about the person who served them, as a source of results of people.

Only items about a person, as perceived; only counted answers of campaigns that are not anonymous,
whose day is known by the month at least, about somebody who had the encounter as their own.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from sqcore.base.periods import Grain
from sqcore.base.text import in_all_languages
from sqcore.encounters.models import Encounter
from sqcore.performance.sources import PersonAnswers, PersonMeasure
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import NOT_APPLICABLE, Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion, Item
from surveys.responses.models import Response

OVERALL = "overall"
MONTHLY = (Grain.DAY, Grain.MONTH)
"""How exactly the day must be known for an answer to belong to a closed month."""
SURE = (Response.Origin.INVITED, Response.Origin.LINK)
"""Answers of these names whoever had at least 0.8 of the encounter, or nobody."""
AT_ONCE = 50_000
STAFF_AT_ONCE = 900
"""Of so many people the database is asked by name; of more, all are read."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]
Scale = tuple[int, int]


@dataclass(frozen=True)
class AnswersAboutPeople:
    """The person source of questionnaires: `<instrument>/overall` and `<instrument>/<dimension>`.

    A measure is the mean of its answered items, where at least half of them were answered. Its
    scale is that of the newest published version; older ones with another scale do not count.
    """

    key: str = "surveys"

    def measures(self) -> Sequence[PersonMeasure]:
        return [each.measure for each in _asked()]

    def collect(
        self, *, first: date, end: date, staff_ids: Collection[int] | None = None
    ) -> PersonAnswers:
        asked = _asked()
        versions = [] if staff_ids is not None and not staff_ids else _versions()
        parts = [
            part
            for version, codebook in versions
            if (columns := _columns(codebook, asked))
            for part in _answers(version, codebook, columns, len(asked), first, end, staff_ids)
        ]
        return _in_order(tuple(each.measure for each in asked), parts)


@dataclass(frozen=True)
class _Asked:
    """A measure and the codes of its items, which mean the same in every version."""

    instrument: str
    measure: PersonMeasure
    codes: frozenset[str]

    @property
    def scale(self) -> Scale:
        return int(self.measure.lowest), int(self.measure.highest)


@dataclass(frozen=True)
class _Part:
    """Answers as they were read: `order` is at random but always the same."""

    order: npt.NDArray[np.uint64]
    day: npt.NDArray[np.datetime64]
    staff: Ints
    unit: Ints
    channel: Ints
    segment: Ints
    encounter: tuple[str, ...]
    answer: Keys
    values: Floats


def _versions() -> Iterator[tuple[InstrumentVersion, Codebook]]:
    versions = InstrumentVersion.objects.published().select_related("instrument")
    for version in versions.order_by("instrument__code", "number"):
        yield version, codebook_of(version)


def _asked() -> list[_Asked]:
    """Return what the newest version of each questionnaire asks about a person."""
    newest = {version.instrument.code: (version, book) for version, book in _versions()}
    return [asked for version, book in newest.values() for asked in _measures(version, book)]


def _about_person(codebook: Codebook) -> list[Item]:
    return [
        item
        for item in codebook.scored
        if item.about == Item.About.PERSON
        and item.role == Item.Role.PERCEPTION
        and item.kind == Item.Kind.SCALE
    ]


def _measures(version: InstrumentVersion, codebook: Codebook) -> Iterator[_Asked]:
    items = _about_person(codebook)
    instrument = version.instrument.code
    if items:
        name = in_all_languages(_("%(instrument)s: the person"), instrument=version.instrument.name)
        yield from _measure(instrument, OVERALL, name, items)
    for dimension in version.dimensions:
        part = [item for item in items if item.dimension == dimension["code"]]
        # A dimension may be called like the measure of all; that one goes first.
        if part and dimension["code"] != OVERALL:
            name = in_all_languages(_("%(dimension)s of the person"), dimension=dimension["name"])
            yield from _measure(instrument, dimension["code"], name, part)


def _measure(
    instrument: str, code: str, name: Mapping[str, str], items: Sequence[Item]
) -> Iterator[_Asked]:
    """Yield the measure; none where its items are answered on different scales."""
    scales = {(item.low, item.high) for item in items}
    if len(scales) > 1:
        return
    lowest, highest = scales.pop()
    measure = PersonMeasure(
        key=f"{instrument}/{code}",
        name=name,
        lowest=float(lowest),
        highest=float(highest),
        questions=tuple(item.text for item in items),
        is_overall=code == OVERALL,
    )
    yield _Asked(instrument, measure, frozenset(item.code for item in items))


def _columns(codebook: Codebook, asked: Sequence[_Asked]) -> dict[int, list[int]]:
    """Return, by the place of a measure, where this version has its items among the packed ones."""
    items = {item.pk for item in _about_person(codebook)}
    found: dict[int, list[int]] = {}
    for place, each in enumerate(asked):
        if each.instrument != codebook.instrument:
            continue
        columns = [
            at
            for at, item in enumerate(codebook.scored)
            if item.pk in items and item.code in each.codes
        ]
        if columns and all(
            (codebook.scored[at].low, codebook.scored[at].high) == each.scale for at in columns
        ):
            found[place] = columns
    return found


def _answers(
    version: InstrumentVersion,
    codebook: Codebook,
    columns: Mapping[int, Sequence[int]],
    measures: int,
    first: date,
    end: date,
    staff_ids: Collection[int] | None,
) -> Iterator[_Part]:
    rows = _rows(version, first, end)
    is_few = staff_ids is not None and len(staff_ids) <= STAFF_AT_ONCE
    if staff_ids is not None and is_few:
        rows = rows.filter(staff__in=list(staff_ids))
    for piece in _pieces(rows):
        order, day, staff, unit, channel, segment, encounter, packed = zip(*piece, strict=True)
        # Keys are drawn at random when an answer is given; their first half tells them apart.
        halves = np.array(order, dtype="S16").view(">u8").reshape(-1, 2).astype(np.uint64)
        part = _Part(
            order=halves,
            day=np.array(day, dtype="datetime64[D]"),
            staff=np.array(staff, dtype=np.int64),
            unit=np.array(unit, dtype=np.int64),
            channel=np.array([value or 0 for value in channel], dtype=np.int64),
            segment=np.array([value or 0 for value in segment], dtype=np.int64),
            encounter=encounter,
            answer=_numbers(halves, packed),
            values=_values(codebook, packed, columns, measures),
        )
        yield part if staff_ids is None or is_few else _of_staff(part, staff_ids)


def _rows(version: InstrumentVersion, first: date, end: date) -> QuerySet[Response]:
    """Return the answers that count.

    Who is invited after an encounter, or follows somebody's link, answers about one person. Whoever
    sends answers may name one of two people who served together: there the shares decide.
    """
    others = Encounter.objects.filter(key=OuterRef("encounter_key")).exclude(
        staff_id=OuterRef("staff_id")
    )
    campaigns = Campaign.objects.filter(version=version).exclude(mode=Campaign.Mode.ANONYMOUS)
    return Response.objects.counted().filter(
        Q(origin__in=SURE) | ~Exists(others),
        version=version,
        campaign__in=campaigns.values("pk"),
        staff__isnull=False,
        finest_grain__in=MONTHLY,
        answered_on__gte=first,
        answered_on__lt=end,
    )


def _pieces(rows: QuerySet[Response]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows in the order in which they lie in the table, the fastest to read."""
    # As text: day and key need no objects on their way into arrays.
    as_text = rows.annotate(day=Cast("answered_on", CharField()), order=Cast("key", CharField()))
    fields = ("order", "day", "staff_id", "unit_id", "channel_id", "segment_id")
    chosen = as_text.order_by("id").values_list(*fields, "encounter_key", "packed")
    query, parameters = chosen.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        while piece := cursor.fetchmany(AT_ONCE):
            yield piece


def _numbers(order: Keys, packed: Sequence[bytes]) -> Keys:
    """Return the numbers that stand for answers: of their keys and of what was answered."""
    number = np.fromiter((zlib.crc32(answers) for answers in packed), np.uint64, len(packed))
    for half in (order[:, 0], order[:, 1]):
        # The finalizer of SplitMix64: every bit of what goes in moves half of those that come out.
        number = number ^ half
        number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        number = number ^ (number >> np.uint64(31))
    return number


def _values(
    codebook: Codebook,
    packed: Sequence[bytes],
    columns: Mapping[int, Sequence[int]],
    measures: int,
) -> Floats:
    answers = codebook.decode(packed)
    values = np.full((len(answers), measures), np.nan)
    for place, items in columns.items():
        part = answers[:, list(items)]
        there = part < NOT_APPLICABLE
        count = there.sum(axis=1)
        total = np.where(there, part, 0).sum(axis=1, dtype=np.int64)
        enough = (count > 0) & (2 * count >= len(items))
        values[enough, place] = total[enough] / count[enough]
    return values


def _of_staff(part: _Part, staff_ids: Collection[int]) -> _Part:
    wanted = np.flatnonzero(np.isin(part.staff, list(staff_ids)))
    columns = {
        name: getattr(part, name)[wanted]
        for name in ("order", "day", "staff", "unit", "channel", "segment", "answer", "values")
    }
    return _Part(**columns, encounter=tuple(part.encounter[at] for at in wanted.tolist()))


def _in_order(measures: tuple[PersonMeasure, ...], parts: Sequence[_Part]) -> PersonAnswers:
    """Put all parts together, day by day, within a day at random."""
    if not parts:
        nobody = np.zeros(0, dtype=np.int64)
        days = np.zeros(0, dtype="datetime64[D]")
        none, values = np.zeros(0, dtype=np.uint64), np.zeros((0, len(measures)))
        return PersonAnswers(measures, nobody, nobody, days, nobody, nobody, (), none, values)
    order = np.concatenate([part.order for part in parts])
    day = np.concatenate([part.day for part in parts])
    at = np.lexsort((order[:, 1], order[:, 0], day))
    encounter = [key for part in parts for key in part.encounter]
    return PersonAnswers(
        measures=measures,
        staff=np.concatenate([part.staff for part in parts])[at],
        unit=np.concatenate([part.unit for part in parts])[at],
        on=day[at],
        channel=np.concatenate([part.channel for part in parts])[at],
        segment=np.concatenate([part.segment for part in parts])[at],
        encounter=[encounter[place] for place in at.tolist()],
        answer=np.concatenate([part.answer for part in parts])[at],
        values=np.concatenate([part.values for part in parts])[at],
    )
