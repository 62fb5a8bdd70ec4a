"""Encounters as a source of indicators."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.encounters.models import Service
from sqcore.encounters.queries import (
    JointCell,
    JointSums,
    day_sums,
    first_and_last_day,
    outcomes_by_day,
    span_sums,
    spans_changed_since,
    sums_by_hour,
    sums_by_staff,
)
from sqcore.encounters.sums import MEASURES, SCALES, spans_between
from sqcore.indicators.sources import Between, Collected, Counts, Offer, SourceCell
from sqcore.org.models import Channel, Segment
from sqcore.org.queries import organisation
from sqcore.org.shifts import shift_of, starts_of
from sqcore.stats.moments import Moments, merge, no_moments, stacked, widened

PARAMETERS = {"measure", "channel", "service"}
TIMES, OUTCOMES = {"waiting", "handling"}, {"solved", "reworked"}
OFFERED = {
    "waiting": gettext_lazy("Waiting time"),
    "handling": gettext_lazy("Handling time"),
    "solved": gettext_lazy("Solved at first contact"),
    "reworked": gettext_lazy("Reworked"),
}
"""What a form of a new indicator calls the measures."""
SPREADS = {
    Between.CHANNEL: gettext_lazy("%(measure)s: how far channels differ"),
    Between.UNIT: gettext_lazy("%(measure)s: how far units differ"),
    Between.SEGMENT: gettext_lazy("%(measure)s: how far segments differ"),
    Between.SHIFT: gettext_lazy("%(measure)s: how far shifts differ"),
    Between.STAFF: gettext_lazy("%(measure)s: how far colleagues differ"),
    Between.WEEK: gettext_lazy("%(measure)s: how far weeks differ"),
}
Named = tuple[JointSums, Sequence[str]]
"""Sums, and the name of the group that each cell belongs to."""


@dataclass(frozen=True)
class Wanted:
    """A measure, of encounters of some channels and of one service only; empty: of all.

    >>> str(Wanted("waiting", ("app", "phone"), "loan"))
    'waiting@app,phone#loan'
    >>> Wanted.parse("waiting@app,phone#loan") == Wanted("waiting", ("app", "phone"), "loan")
    True
    """

    measure: str
    channels: tuple[str, ...] = ()
    service: str = ""

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        rest, _hash, service = text.partition("#")
        measure, _at, channels = rest.partition("@")
        return cls(measure, tuple(channels.split(",")) if channels else (), service)

    def __str__(self) -> str:
        at = f"@{','.join(self.channels)}" if self.channels else ""
        return f"{self.measure}{at}{'#' + self.service if self.service else ''}"


@dataclass(frozen=True)
class EncounterSource:
    """Measures of encounters: `{"measure": "waiting" | "handling" | "solved" | "reworked"}`, with
    `"channel"`, a code or a list of codes, and `"service"`, a code, where only those count.

    Times are sums of whole seconds with the scale 60, so that an indicator reads minutes; solved
    and reworked are 0 or 1. Weeks and longer periods come from the kept sums, days and whatever
    names a service from the rows: the same integers either way. How alike they are between
    channels, segments, units, shifts, staff (encounters that were one person's own) and weeks:
    `"between"`.
    """

    key: str = "encounters"

    @property
    def title(self) -> str:
        return str(gettext_lazy("Service encounters"))

    @property
    def counts(self) -> Counts:
        return Counts.ENCOUNTERS

    def measure(self, parameters: Mapping[str, Any]) -> str:
        strange = sorted(set(parameters) - PARAMETERS)
        if strange:
            raise InvalidInput(
                _("Encounters have no parameter “%(name)s”.") % {"name": ", ".join(strange)}
            )
        measure = parameters.get("measure", "")
        if measure not in MEASURES:
            raise InvalidInput(
                _("Encounters measure no “%(measure)s”; they measure %(known)s.")
                % {"measure": measure, "known": ", ".join(MEASURES)}
            )
        channels = _channels(parameters.get("channel") or [])
        service = str(parameters.get("service") or "")
        if service and not Service.objects.filter(code=service).exists():
            raise InvalidInput(_("There is no service “%(code)s”.") % {"code": service})
        return str(Wanted(measure, channels, service))

    def offers(self) -> Sequence[Offer]:
        places = [("", {}), *(
            (f" ({channel})", {"channel": channel.code})
            for channel in Channel.objects.order_by("position", "id")
        )]  # fmt: skip
        plain = [
            Offer(
                title=f"{OFFERED[measure]}{where}",
                parameters={"measure": measure, **asked},
                statistic="mean" if measure in TIMES else "proportion",
                unit_of_measure="min" if measure in TIMES else "share",
                lower_is_better=measure != "solved",
            )
            for where, asked in places
            for measure in OFFERED
        ]
        return plain + [
            Offer(
                title=str(SPREADS[between]) % {"measure": OFFERED[measure]},
                parameters={"measure": measure, "between": between.value},
                statistic="spread",
                unit_of_measure="min" if measure in TIMES else "share",
                lower_is_better=True,
            )
            for measure in OFFERED
            for between in Between
        ]

    def collect(self, *, measures: Sequence[str], period: Period) -> Collected:
        wanted = [Wanted.parse(name) for name in measures]
        sums = _joint_sums(period, by_service=any(each.service for each in wanted))
        cells, moments = _by_margin(_chosen(sums, wanted))
        scales = [SCALES[MEASURES.index(each.measure)] for each in wanted]
        return Collected(cells, list(measures), scales, moments)

    def days(
        self, *, measure: str, units: Collection[int], through: date
    ) -> Sequence[tuple[date, int, int]]:
        """Return the days on which it is known of encounters whether they were solved, or reworked,
        for charts of rare events: of how many it is true, of how many known. Of times nothing.
        One query"""
        wanted = Wanted.parse(measure)
        if wanted.measure not in OUTCOMES:
            return []
        return outcomes_by_day(
            wanted.measure,
            units=units,
            through=through,
            channels=wanted.channels,
            service=wanted.service,
        )

    def groups_of(self, measure: str) -> Sequence[Between]:
        return list(Between)

    def collect_groups(
        self, *, measures: Sequence[str], between: Between, period: Period
    ) -> Collected:
        wanted = [Wanted.parse(name) for name in measures]
        if between is Between.WEEK:
            parts = _parts_by_week(wanted, period)
        elif between is Between.STAFF:
            sums = _chosen(sums_by_staff(period.start, period.end), wanted)
            parts = [(sums, _numbered(sums))]
        else:
            org = organisation()
            starts = starts_of(org.shifts)
            zone = ZoneInfo(org.time_zone)
            sums = _chosen(sums_by_hour(period.start, period.end, zone), wanted)
            parts = [(sums, [shift_of(cell.group, starts) for cell in sums[0]])]
        cells, moments = _by_group(parts, between)
        scales = [SCALES[MEASURES.index(each.measure)] for each in wanted]
        return Collected(cells, list(measures), scales, moments)

    def spans(self) -> Mapping[Grain, tuple[date, date]]:
        found = first_and_last_day()
        return {Grain.DAY: found} if found else {}

    def changed_since(self, moment: datetime) -> Sequence[tuple[date, date]]:
        return [(start, end - timedelta(days=1)) for start, end in spans_changed_since(moment)]


def _channels(given: Any) -> tuple[str, ...]:
    """Return the channels that are named, in the order of their codes."""
    codes = [given] if isinstance(given, str) else given
    if not isinstance(codes, list | tuple) or not all(isinstance(code, str) for code in codes):
        raise InvalidInput(_("Name a channel by its code, or several by a list of codes."))
    known = set(Channel.objects.filter(code__in=codes).values_list("code", flat=True))
    if missing := sorted(set(codes) - known):
        raise InvalidInput(_("There is no channel “%(code)s”.") % {"code": ", ".join(missing)})
    return tuple(sorted(known))


def _joint_sums(period: Period, *, by_service: bool) -> JointSums:
    if period.grain == Grain.DAY or by_service:
        return day_sums(period.start, period.end, by_service=by_service)
    return span_sums(period.start, period.end)


def _chosen(sums: JointSums, wanted: Sequence[Wanted]) -> JointSums:
    """Return, for the cells of each channel and service, the measures that are wanted of them."""
    channels = _codes(Channel)
    services = _codes(Service)
    places: dict[tuple[int, ...], list[int]] = {}
    for at, cell in enumerate(sums[0]):
        asked = tuple(
            place
            for place, each in enumerate(wanted)
            if (not each.channels or channels.get(cell.channel_id) in each.channels)
            and (not each.service or services.get(cell.service_id) == each.service)
        )
        places.setdefault(asked, []).append(at)
    if not places:
        return [], no_moments(0, len(wanted))
    parts = [
        widened(
            sums[1].take(cells).select([MEASURES.index(wanted[place].measure) for place in asked]),
            asked,
            len(wanted),
        )
        for asked, cells in places.items()
    ]
    return [sums[0][at] for cells in places.values() for at in cells], stacked(parts)


def _by_margin(sums: JointSums) -> tuple[list[SourceCell], Moments]:
    """Add up: every unit as a whole, by channel and by segment."""
    channels, segments = _codes(Channel), _codes(Segment)
    index: dict[SourceCell, int] = {}
    owners, sources = [], []
    for at, cell in enumerate(sums[0]):
        for margin in _margins(cell, channels, segments):
            owners.append(index.setdefault(margin, len(index)))
            sources.append(at)
    cells = np.array(sources, dtype=np.int64)
    return list(index), merge(sums[1], np.array(owners, dtype=np.int64), len(index), cell=cells)


def _parts_by_week(wanted: Sequence[Wanted], period: Period) -> list[Named]:
    """Return the sums of each span with its ISO week; a week that the period cuts has its part."""
    parts: list[Named] = []
    by_service = any(each.service for each in wanted)
    for span in spans_between(period.start, period.end):
        first, end = max(span.starts_on, period.start), min(span.ends_on, period.end)
        if by_service or (first, end) != span:
            sums = _chosen(day_sums(first, end, by_service=by_service), wanted)
        else:
            sums = _chosen(span_sums(first, end), wanted)
        parts.append((sums, [Period.of(first, Grain.WEEK).key] * len(sums[0])))
    return parts


def _numbered(sums: JointSums) -> list[str]:
    """Return for each cell a number of its person that says nothing about who it is: they stand in
    the order of their figures, which are the same whenever they are read."""
    cells, moments = sums
    figures: dict[int, list[tuple[Any, ...]]] = {}
    rows = np.concatenate([moments.n, moments.linear, moments.products], axis=1).tolist()
    for cell, row in sorted(zip(cells, rows, strict=True)):
        figures.setdefault(cell.group, []).append((*cell[:4], *row))
    order = sorted(figures, key=figures.__getitem__)
    numbers = {staff: str(at) for at, staff in enumerate(order, 1)}
    return [numbers[cell.group] for cell in cells]


def _by_group(parts: Sequence[Named], between: Between) -> tuple[list[SourceCell], Moments]:
    """Add up by unit and group."""
    index: dict[SourceCell, int] = {}
    owners = [
        index.setdefault(SourceCell(cell.unit_id, between.value, name), len(index))
        for (cells, _moments), names in parts
        for cell, name in zip(cells, names, strict=True)
    ]
    whole = stacked([moments for (_cells, moments), _names in parts])
    return list(index), merge(whole, np.array(owners, dtype=np.int64), len(index))


def _margins(
    cell: JointCell, channels: Mapping[int, str], segments: Mapping[int, str]
) -> Iterable[SourceCell]:
    yield SourceCell(cell.unit_id)
    if cell.channel_id:
        yield SourceCell(cell.unit_id, "channel", channels[cell.channel_id])
    if cell.segment_id:
        yield SourceCell(cell.unit_id, "segment", segments[cell.segment_id])


def _codes(model: type[Channel | Segment | Service]) -> dict[int, str]:
    return dict(model._default_manager.order_by().values_list("pk", "code"))
