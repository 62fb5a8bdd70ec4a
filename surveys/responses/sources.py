"""Answers as a source of indicators."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.indicators.sources import Between, Collected, Counts, Offer, SourceCell
from sqcore.org.models import Channel, Segment
from sqcore.stats.moments import Moments, add, merge, no_moments, scaled, widened
from surveys.instruments.codebook import Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import RollupMonth
from surveys.responses.queries import (
    CellSums,
    first_and_last_day,
    lock_version,
    period_sums,
    sums_by_week,
)


@dataclass(frozen=True)
class SurveySource:
    """Measures of questionnaires: `{"instrument": code, "measure": key of the codebook}`.

    A measure is summed over all published versions of the instrument that have it. How alike its
    answers are between channels, units and weeks: `"between"`.
    """

    key: str = "surveys"

    @property
    def title(self) -> str:
        return str(_("Survey answers"))

    @property
    def set_up_at(self) -> str:
        return "surveys:instruments-list"

    @property
    def counts(self) -> Counts:
        return Counts.ANSWERS

    def measure(self, parameters: Mapping[str, Any]) -> str:
        instrument, measure = parameters.get("instrument", ""), parameters.get("measure", "")
        books = list(_codebooks(str(instrument)))
        if not books:
            raise InvalidInput(
                gettext("There is no published questionnaire “%(code)s”.") % {"code": instrument}
            )
        known = {found.key for _version, book in books for found in book.measures}
        if measure not in known:
            raise InvalidInput(
                gettext(
                    "The questionnaire “%(code)s” measures no “%(measure)s”; it measures %(known)s."
                )
                % {"code": instrument, "measure": measure, "known": ", ".join(sorted(known))}
            )
        return f"{instrument}/{measure}"

    def offers(self) -> Sequence[Offer]:
        newest = {
            version.instrument.code: version
            for version in InstrumentVersion.objects.published()
            .select_related("instrument")
            .order_by("instrument__code", "number")
        }
        return [
            offer for version in newest.values() for offer in _offers(version, codebook_of(version))
        ]

    def collect(self, *, measures: Sequence[str], period: Period) -> Collected:
        wanted = _by_instrument(measures)
        scales = _scales(wanted, len(measures))
        cells: dict[SourceCell, int] = {}
        total = no_moments(0, len(measures))
        names = _margin_names()
        with transaction.atomic():
            for instrument, places in wanted.items():
                for version, book in _codebooks(instrument):
                    lock_version(version)
                    part = period_sums(version, book, period)
                    moments = _placed(part[1], book, places, scales)
                    total = _merged(total, moments, _source_cells(part, names), cells)
        return Collected(list(cells), list(measures), scales, total)

    def groups_of(self, measure: str) -> Sequence[Between]:
        # The difference of two shares has no spread of its own.
        kind = measure.partition("/")[2].partition(":")[0]
        return () if kind == "nps" else list(SPREADS)

    def collect_groups(
        self, *, measures: Sequence[str], between: Between, period: Period
    ) -> Collected:
        wanted = _by_instrument(measures)
        scales = _scales(wanted, len(measures))
        cells: dict[SourceCell, int] = {}
        total = no_moments(0, len(measures))
        with transaction.atomic():
            for instrument, places in wanted.items():
                for version, book in _codebooks(instrument):
                    lock_version(version)
                    for week, (found, sums) in sums_by_week(version, book, period):
                        whole = [at for at, cell in enumerate(found) if not cell.margin]
                        moments = _placed(sums.take(np.array(whole, dtype=np.int64)), book, places,
                                          scales)  # fmt: skip
                        owners = [
                            SourceCell(found[at].unit_id, between.value, week) for at in whole
                        ]
                        total = _merged(total, moments, owners, cells)
        return Collected(list(cells), list(measures), scales, total)

    def spans(self) -> Mapping[Grain, tuple[date, date]]:
        spans: dict[Grain, tuple[date, date]] = {}
        for version in InstrumentVersion.objects.published().order_by("id"):
            for grain in Grain:
                if found := first_and_last_day(version, grain):
                    first, last = spans.get(grain, found)
                    spans[grain] = (min(first, found[0]), max(last, found[1]))
        return spans

    def changed_since(self, moment: datetime) -> Sequence[tuple[date, date]]:
        months = RollupMonth.objects.filter(changed_at__gt=moment).order_by("month")
        firsts = months.values_list("month", flat=True).distinct()
        return [(first, Period(first, Grain.MONTH).end - timedelta(days=1)) for first in firsts]


SPREADS = {
    Between.CHANNEL: _("%(what)s: how far channels differ"),
    Between.UNIT: _("%(what)s: how far units differ"),
    Between.SEGMENT: _("%(what)s: how far segments differ"),
    Between.WEEK: _("%(what)s: how far weeks differ"),
}
COMPARED = frozenset({"perception", "index"})
"""What a form offers to compare; of anything else one writes the parameters."""
WAYS = {
    "perception": _("%(instrument)s: %(what)s as perceived"),
    "gap": _("%(instrument)s: %(what)s against expectation"),
    "item": _("%(instrument)s: %(what)s, mean"),
    "top2": _("%(instrument)s: %(what)s, share of the two best answers"),
    "nps": _("%(instrument)s: %(what)s, net promoter score"),
    "index": _("%(instrument)s: %(what)s, index 0 to 100"),
}


def _offers(version: InstrumentVersion, book: Codebook) -> Iterator[Offer]:
    names = {dimension["code"]: dimension["name"] for dimension in version.dimensions}
    names |= {item.code: item.text for item in book.items}
    for measure in book.measures:
        kind, _colon, code = measure.key.partition(":")
        asked = {
            "instrument": in_language(version.instrument.name),
            "what": in_language(names.get(code, {"en": code})),
        }
        title = str(WAYS[kind]) % asked if kind in WAYS else measure.key
        parameters = {"instrument": version.instrument.code, "measure": measure.key}
        yield Offer(
            title=title,
            parameters=parameters,
            statistic={"top2": "proportion", "nps": "nps"}.get(kind, "mean"),
            unit_of_measure="share" if kind == "top2" else "points",
        )
        for between, words in SPREADS.items() if kind in COMPARED else ():
            yield Offer(
                title=str(words) % {"what": title},
                parameters={**parameters, "between": between.value},
                statistic="spread",
                unit_of_measure="points",
                lower_is_better=True,
            )


def _codebooks(instrument: str) -> Iterable[tuple[InstrumentVersion, Codebook]]:
    versions = InstrumentVersion.objects.published().filter(instrument__code=instrument)
    for version in versions.select_related("instrument").order_by("number"):
        yield version, codebook_of(version)


def _by_instrument(measures: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return, by instrument, the wanted measures and their places among all that are wanted."""
    wanted: dict[str, dict[str, int]] = {}
    for place, name in enumerate(measures):
        instrument, _slash, measure = name.partition("/")
        wanted.setdefault(instrument, {})[measure] = place
    return wanted


def _scales(wanted: Mapping[str, Mapping[str, int]], count: int) -> list[int]:
    """Return for each measure the largest scale that a version has it in; the others divide it."""
    scales = [1] * count
    for instrument, places in wanted.items():
        for _version, book in _codebooks(instrument):
            for measure in book.measures:
                if measure.key in places:
                    place = places[measure.key]
                    scales[place] = max(scales[place], measure.scale)
    return scales


def _placed(
    moments: Moments, book: Codebook, places: Mapping[str, int], scales: Sequence[int]
) -> Moments:
    """Put a version's measures where the run wants them, in the run's scales."""
    chosen = [at for at, measure in enumerate(book.measures) if measure.key in places]
    targets = [places[book.measures[at].key] for at in chosen]
    factors = [
        scales[to] // book.measures[at].scale for at, to in zip(chosen, targets, strict=True)
    ]
    return widened(scaled(moments.select(chosen), factors), targets, len(scales))


def _margin_names() -> dict[tuple[str, int], str]:
    names = {("channel", pk): code for pk, code in Channel.objects.values_list("id", "code")}
    names |= {("segment", pk): code for pk, code in Segment.objects.values_list("id", "code")}
    return names


def _source_cells(part: CellSums, names: Mapping[tuple[str, int], str]) -> list[SourceCell]:
    return [
        SourceCell(cell.unit_id, cell.margin, names.get((cell.margin, cell.value_id), ""))
        for cell in part[0]
    ]


def _merged(
    total: Moments, part: Moments, part_cells: Sequence[SourceCell], cells: dict[SourceCell, int]
) -> Moments:
    """Add a part to the total, cell by cell; `cells` learns the cells that are new."""
    for cell in part_cells:
        cells.setdefault(cell, len(cells))
    old = merge(total, np.arange(total.cells), len(cells))
    owners = np.array([cells[cell] for cell in part_cells], dtype=np.int64)
    return add(old, merge(part, owners, len(cells)))
