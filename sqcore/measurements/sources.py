"""Measurements and equipment as sources of indicators."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Max, Min, Q
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.indicators.sources import Between, Collected, Counts, Offer, SourceCell
from sqcore.measurements.models import (
    Equipment,
    EquipmentQuerySet,
    EquipmentState,
    Feed,
    Measure,
    Observation,
    ObservationQuerySet,
)
from sqcore.measurements.queries import Numbers, whole_of
from sqcore.measurements.uptime import (
    DOWN,
    DayOfUse,
    Span,
    days_of_use,
    midnight,
    outages_of,
    spans_of,
)
from sqcore.org.models import Channel, Segment
from sqcore.org.queries import fiscal_start, organisation
from sqcore.stats.moments import LARGEST, no_moments

ENTERS = {
    Grain.DAY: (Grain.DAY,),
    Grain.WEEK: (Grain.DAY, Grain.WEEK),
    Grain.MONTH: (Grain.DAY, Grain.MONTH),
    Grain.QUARTER: (Grain.DAY, Grain.MONTH, Grain.QUARTER),
    Grain.YEAR: (Grain.DAY, Grain.MONTH, Grain.QUARTER, Grain.YEAR),
}
"""Which grains of observations make up a period: what comes by month says nothing of a week."""
HOUR = 3600
COMPARED = (Measure.Kind.SHARE, Measure.Kind.MEAN)
"""Of these a spread can be taken: they vary inside groups."""
SPREADS = {
    Between.CHANNEL: _("%(measure)s: how far channels differ"),
    Between.SEGMENT: _("%(measure)s: how far segments differ"),
    Between.UNIT: _("%(measure)s: how far units differ"),
    Between.WEEK: _("%(measure)s: how far weeks differ"),
}


@dataclass
class Sums:
    """Exact sums of one measure in one cell, as `Moments` keeps them."""

    n: int = 0
    presence: int = 0
    value: int = 0
    squared_weight: int = 0
    crossed: int = 0
    squared: int = 0

    def add(self, n: int, weight: int, value: int) -> None:
        """Add one weighted observation, of `n` things, whose weight times value is `value`."""
        self.add_sums(n, weight, value, weight * weight, weight * value, value * value)

    def add_sums(
        self, n: int, presence: int, value: int, squared_weight: int, crossed: int, squared: int
    ) -> None:
        self.n += n
        self.presence += presence
        self.value += value
        self.squared_weight += squared_weight
        self.crossed += crossed
        self.squared += squared

    def plus(self, other: "Sums") -> None:
        self.add_sums(
            other.n, other.presence, other.value, other.squared_weight, other.crossed, other.squared
        )


Cells = dict[SourceCell, dict[int, Sums]]
"""The sums by cell and place of the measure among those that are wanted."""


def collected(cells: Cells, measures: Sequence[str], scales: Sequence[int]) -> Collected:
    """Return sums as moments. Nothing ties two measures: their cross-products are 0.

    raises: InvalidInput when a sum does not fit 63 bits
    """
    order = sorted(cells)
    count = len(measures)
    moments = no_moments(len(order), count)
    pairs = [(a, b) for a in range(count) for b in range(a, count)]
    upper = {pair: at for at, pair in enumerate(pairs)}
    for row, cell in enumerate(order):
        for place, sums in cells[cell].items():
            if max(sums.squared_weight, abs(sums.crossed), sums.squared, sums.n) > LARGEST:
                raise InvalidInput(
                    gettext("The sums of “%(measure)s” are too large to be exact.")
                    % {"measure": measures[place]}
                )
            own = upper[place, place]
            moments.n[row, place] = sums.n
            moments.linear[row, place] = sums.presence
            moments.linear[row, count + place] = sums.value
            moments.products[row, own] = sums.squared_weight
            moments.products[row, len(pairs) + place * count + place] = sums.crossed
            moments.products[row, len(pairs) + count * count + own] = sums.squared
    if order:
        moments.respondents[:] = np.max(moments.n, axis=1, initial=0)
    return Collected(order, list(measures), list(scales), moments)


# ---- Measurements --------------------------------------------------------------------------------
@dataclass(frozen=True)
class MeasurementSource:
    """Measures that systems, devices and people report: `{"measure": code}`.

    What a unit reports as a whole stands for it; where it reports by channel or segment alone, the
    whole is their sum. Of shares and means a spread can be taken, between weeks of what is
    reported by day: a mean that came with its sum of squares counts all its readings, one that
    came without is a single value.
    """

    key: str = "measurements"

    @property
    def title(self) -> str:
        return str(_("Measurements"))

    @property
    def set_up_at(self) -> str:
        return "sqcore:measurements-measures"

    @property
    def counts(self) -> Counts:
        return Counts.MEASUREMENTS

    def measure(self, parameters: Mapping[str, Any]) -> str:
        code = str(parameters.get("measure", ""))
        if strange := sorted(set(parameters) - {"measure"}):
            raise InvalidInput(
                gettext("Measurements cannot be asked for “%(name)s”.") % {"name": strange[0]}
            )
        if not Measure.objects.filter(code=code).exists():
            raise InvalidInput(gettext("There is no measure “%(code)s”.") % {"code": code})
        return code

    def offers(self) -> Sequence[Offer]:
        statistics = {Measure.Kind.SHARE: "proportion", Measure.Kind.RATE: "rate"}
        return [
            Offer(
                title=f"{measure} ({measure.get_kind_display()})",
                parameters={"measure": measure.code},
                statistic=statistics.get(Measure.Kind(measure.kind), "mean"),
                unit_of_measure=measure.unit_of_measure,
            )
            for measure in Measure.objects.in_force().order_by("code")
        ] + [
            Offer(
                title=str(words) % {"measure": measure},
                parameters={"measure": measure.code, "between": between.value},
                statistic="spread",
                unit_of_measure=measure.unit_of_measure,
                lower_is_better=True,
            )
            for measure in Measure.objects.in_force().filter(kind__in=COMPARED).order_by("code")
            for between, words in SPREADS.items()
        ]

    def collect(self, *, measures: Sequence[str], period: Period) -> Collected:
        asked = _AskedMeasures.of(measures)
        cells: Cells = {}
        for reports in _reports(asked.places, period):
            for cell, rows in reports.cells():
                asked.add(cells, cell, reports.measure_id, rows)
        return collected(cells, measures, asked.scales)

    def groups_of(self, measure: str) -> Sequence[Between]:
        found = Measure.objects.filter(code=measure, kind__in=COMPARED)
        return list(SPREADS) if found.exists() else ()

    def collect_groups(
        self, *, measures: Sequence[str], between: Between, period: Period
    ) -> Collected:
        asked = _AskedMeasures.of(measures)
        cells: Cells = {}
        for on, reports in _daily(asked.places, period.start, period.end):
            week = SourceCell(reports.unit_id, between.value, Period.of(on, Grain.WEEK).key)
            asked.add(cells, week, reports.measure_id, whole_of(reports.rows))
        return collected(cells, measures, asked.scales)

    def spans(self) -> Mapping[Grain, tuple[date, date]]:
        found: dict[Grain, tuple[date, date]] = {}
        for grain in Grain:
            ends = Observation.objects.filter(grain=grain).aggregate(
                first=Min("starts_on"), last=Max("starts_on")
            )
            if ends["first"] is not None:
                last = Period.of(ends["last"], grain, fiscal_start=fiscal_start())
                found[grain] = (ends["first"], last.end - timedelta(days=1))
        return found

    def days(
        self, *, measure: str, units: Collection[int], through: date
    ) -> Sequence[tuple[date, int, int]]:
        """Return the days that were reported, with what was counted on each and of how many cases
        (of a rate 0), for charts of rare events. What was reported by longer periods is not told.
        """
        found = Measure.objects.filter(code=measure).first()
        if found is None or found.kind not in (Measure.Kind.SHARE, Measure.Kind.RATE):
            return []
        told: dict[date, list[int]] = {}
        for on, reports in _daily([found.pk], date.min, through, units):
            of_day = told.setdefault(on, [0, 0])
            for _n, numerator, denominator, _squares in whole_of(reports.rows):
                of_day[0] += numerator
                of_day[1] += denominator if found.kind == Measure.Kind.SHARE else 0
        return [(on, events, cases) for on, (events, cases) in sorted(told.items())]

    def changed_since(self, moment: datetime) -> Sequence[tuple[date, date]]:
        changed = Observation.objects.filter(recorded_at__gt=moment)
        starts = changed.order_by("grain", "starts_on").values_list("grain", "starts_on").distinct()
        start_of_year = fiscal_start()
        return [
            (
                start,
                Period.of(start, Grain(grain), fiscal_start=start_of_year).end - timedelta(days=1),
            )
            for grain, start in starts
        ]


@dataclass(frozen=True)
class _AskedMeasures:
    """Measures by the id of their row: their place among those asked for, and their kind."""

    places: Mapping[int, int]
    kinds: Mapping[int, str]
    scales: Sequence[int]

    @classmethod
    def of(cls, codes: Sequence[str]) -> "_AskedMeasures":
        found = {each.code: each for each in Measure.objects.filter(code__in=codes)}
        return cls(
            {found[code].pk: at for at, code in enumerate(codes) if code in found},
            {each.pk: each.kind for each in found.values()},
            [_scale(found.get(code)) for code in codes],
        )

    def add(self, cells: Cells, cell: SourceCell, measure_id: int, rows: Iterable[Numbers]) -> None:
        total = cells.setdefault(cell, {}).setdefault(self.places[measure_id], Sums())
        for row in rows:
            _add_row(total, self.kinds[measure_id], row)


def _scale(measure: Measure | None) -> int:
    is_fixed = measure is not None and measure.kind in (Measure.Kind.MEAN, Measure.Kind.RATIO)
    return measure.scale if measure is not None and is_fixed else 1


@dataclass
class _Reports:
    """What one unit reported of one measure for one period, by channel and segment (or neither)."""

    measure_id: int
    unit_id: int
    rows: dict[tuple[str, str], Numbers] = field(default_factory=dict)

    def cells(self) -> Iterator[tuple[SourceCell, Iterable[Numbers]]]:
        """Yield each cell with what counts for it, so that nothing is counted twice."""
        rows = self.rows
        both = {key: row for key, row in rows.items() if key[0] and key[1]}
        channels = {key: row for key, row in rows.items() if key[0] and not key[1]} or both
        segments = {key: row for key, row in rows.items() if key[1] and not key[0]} or both
        yield SourceCell(self.unit_id), whole_of(rows)
        for margin, side, found in (("channel", 0, channels), ("segment", 1, segments)):
            for value in sorted({key[side] for key in found}):
                of_value = [row for key, row in found.items() if key[side] == value]
                yield SourceCell(self.unit_id, margin, value), of_value


def _reports(measure_ids: Iterable[int], period: Period) -> Iterator[_Reports]:
    grains = [grain.value for grain in ENTERS[period.grain]]
    rows = Observation.objects.current().filter(
        measure_id__in=list(measure_ids),
        grain__in=grains,
        starts_on__gte=period.start,
        starts_on__lt=period.end,
    )
    for _on, reports in _gathered(rows):
        yield reports


def _daily(
    measure_ids: Iterable[int], first: date, end: date, units: Collection[int] | None = None
) -> Iterator[tuple[date, _Reports]]:
    """Yield what units (None: all) reported of measures for each single day from `first` on, before
    `end`."""
    rows = Observation.objects.current().filter(
        measure_id__in=list(measure_ids),
        grain=Grain.DAY,
        starts_on__gte=first,
        starts_on__lt=end,
    )
    return _gathered(rows if units is None else rows.filter(unit_id__in=list(units)))


def _gathered(found: ObservationQuerySet) -> Iterator[tuple[date, _Reports]]:
    """Yield observations by measure, unit and start, the parts of each together."""
    channels: dict[int | None, str] = {None: "", **dict(Channel.objects.values_list("id", "code"))}
    segments: dict[int | None, str] = {None: "", **dict(Segment.objects.values_list("id", "code"))}
    rows = found.order_by("measure_id", "unit_id", "starts_on", "id").values_list(
        *("measure_id", "unit_id", "starts_on", "channel_id", "segment_id"),
        *("n", "numerator", "denominator", "squares"),
    )
    key: tuple[int, int, date] | None = None
    reports = _Reports(0, 0)
    for measure_id, unit_id, starts_on, channel, segment, *numbers in rows:
        if key != (measure_id, unit_id, starts_on):
            if key is not None:
                yield key[2], reports
            key, reports = (measure_id, unit_id, starts_on), _Reports(measure_id, unit_id)
        n, numerator, denominator, squares = numbers
        place = channels[channel], segments[segment]
        reports.rows[place] = (n, numerator, denominator, squares)
    if key is not None:
        yield key[2], reports


def _add_row(total: Sums, kind: str, row: Numbers) -> None:
    n, numerator, denominator, squares = row
    if kind == Measure.Kind.SHARE:
        # So many things, of which some have the value 1.
        total.add_sums(n, n, numerator, n, numerator, numerator)
    elif kind == Measure.Kind.MEAN and squares is not None:
        total.add_sums(n, n, numerator, n, numerator, squares)
    elif kind == Measure.Kind.MEAN:
        # A mean whose spread is not known is one observation with the weight of its readings.
        total.add(1, n, numerator)
    else:
        total.add(1, denominator, numerator)


# ---- Equipment -----------------------------------------------------------------------------------
EQUIPMENT_MEASURES = ("availability", "outages", "repair_time", "repaired_in_time")
EQUIPMENT_OFFERS: tuple[tuple[str, str | Promise, str, str, Mapping[str, Any]], ...] = (
    ("availability", _("Available, of the time in use (%(kind)s)"), "mean", "share", {}),
    ("outages", _("Outages in 100 days of a machine (%(kind)s)"), "rate", "per 100", {}),
    ("repair_time", _("Time to repair (%(kind)s)"), "mean", "h", {}),
    (
        "repaired_in_time",
        _("Repaired within 4 hours (%(kind)s)"),
        "proportion",
        "share",
        {"within_h": 4},
    ),
)
"""What a form of a new indicator offers of each kind of equipment."""
LOWER_IS_BETTER = ("outages", "repair_time")


@dataclass(frozen=True)
class EquipmentSource:
    """What machines tell of their state: `{"measure": ..., "kind": code, "within_h": hours}`, or
    with `"equipment": code` in the place of a kind, of one machine alone.

    availability: seconds in which it worked, of those in which its state was known; a machine that
    works in part works. outages: how many began, for each day of a machine of which something is
    known. repair_time: seconds of an outage, told in hours; repaired_in_time: the share of outages
    that took at most `within_h` hours: these two on the day it ended.
    """

    key: str = "equipment"

    @property
    def title(self) -> str:
        return str(_("Equipment"))

    @property
    def set_up_at(self) -> str:
        return "sqcore:measurements-equipment"

    @property
    def counts(self) -> Counts:
        return Counts.MEASUREMENTS

    def measure(self, parameters: Mapping[str, Any]) -> str:
        name, kind = str(parameters.get("measure", "")), str(parameters.get("kind", ""))
        machine, hours = str(parameters.get("equipment", "")), parameters.get("within_h")
        if strange := sorted(set(parameters) - {"measure", "kind", "equipment", "within_h"}):
            raise InvalidInput(
                gettext("Equipment cannot be asked for “%(name)s”.") % {"name": strange[0]}
            )
        if name not in EQUIPMENT_MEASURES:
            raise InvalidInput(
                gettext("Equipment has no “%(name)s”; it has %(known)s.")
                % {"name": name, "known": ", ".join(EQUIPMENT_MEASURES)}
            )
        if "/" in kind:
            raise InvalidInput(gettext("“%(kind)s” is no kind of equipment.") % {"kind": kind})
        if kind and machine:
            raise InvalidInput(gettext("Name a kind of equipment or one machine, not both."))
        if machine and not Equipment.objects.filter(code=machine).exists():
            raise InvalidInput(gettext("There is no machine “%(code)s”.") % {"code": machine})
        if (name == "repaired_in_time") != (hours is not None):
            raise InvalidInput(
                gettext("Give within_h, in hours, with repaired_in_time and with it alone.")
            )
        if hours is not None and (
            isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= 10_000
        ):
            raise InvalidInput(gettext("within_h must be whole hours, from 1 to 10,000."))
        return str(_Asked(name, kind, machine, hours or 0))

    def offers(self) -> Sequence[Offer]:
        kinds = Equipment.objects.order_by("kind").values_list("kind", flat=True).distinct()
        return [
            Offer(
                title=str(title) % {"kind": kind},
                parameters={"measure": measure, "kind": kind, **more},
                statistic=statistic,
                unit_of_measure=unit,
                lower_is_better=measure in LOWER_IS_BETTER,
            )
            for kind in kinds
            for measure, title, statistic, unit, more in EQUIPMENT_OFFERS
        ]

    def collect(self, *, measures: Sequence[str], period: Period) -> Collected:
        zone = ZoneInfo(organisation().time_zone)
        asked = [_Asked.parse(name) for name in measures]
        cells: Cells = {}
        machines = _machines(asked).filter(
            Q(retired_on__isnull=True) | Q(retired_on__gt=period.start), installed_on__lt=period.end
        )
        for machine, spans in _histories(machines, period.start, period.end, zone):
            mine = [(at, one) for at, one in enumerate(asked) if one.means(machine)]
            cell = SourceCell(machine.unit_id)
            sums: dict[int, Sums] = defaultdict(Sums)
            if by_day := [(at, one) for at, one in mine if one.is_by_day]:
                first, end = _in_use(machine, period)
                began = Counter(_day(outage.start, zone) for outage in outages_of(spans))
                for day in days_of_use(spans, first=first, end=end, zone=zone):
                    for at, one in by_day:
                        one.add_day(sums[at], day, began[day.on])
            start, over = midnight(period.start, zone), midnight(period.end, zone)
            for outage in outages_of(spans):
                if outage.end is not None and start <= outage.end < over:
                    for at, one in mine:
                        if not one.is_by_day:
                            one.add_outage(sums[at], _seconds(outage))
            by_place = cells.setdefault(cell, {})
            for place, found in sums.items():
                by_place.setdefault(place, Sums()).plus(found)
        kept = {cell: by_place for cell, by_place in cells.items() if by_place}
        scales = [HOUR if one.name == "repair_time" else 1 for one in asked]
        return collected(kept, measures, scales)

    def days(
        self, *, measure: str, units: Collection[int], through: date
    ) -> Sequence[tuple[date, int, int]]:
        """Return every day since the first that is known, for charts of rare events: how many
        outages began on it (of no number of cases), or how many were repaired in time of those
        that ended on it. Of what is no count, nothing. Two or three queries.
        """
        one, zone = _Asked.parse(measure), ZoneInfo(organisation().time_zone)
        if one.name not in ("outages", "repaired_in_time"):
            return []
        found: Counter[date] = Counter()
        cases: Counter[date] = Counter()
        known: list[date] = []
        machines = _machines([one]).filter(unit_id__in=list(units), installed_on__lt=through)
        for machine, spans in _histories(machines, None, through, zone):
            first, end = max(machine.installed_on, _day(spans[0].start, zone)), through
            known.append(first)
            if machine.retired_on is not None:
                end = min(end, machine.retired_on)
            for outage in outages_of(spans):
                at = outage.start if one.name == "outages" else outage.end
                if at is not None and first <= (on := _day(at, zone)) < end:
                    found[on] += one.name == "outages" or _seconds(outage) <= one.within_s
                    cases[on] += one.name != "outages"
        if not known:
            return []
        length = (through - min(known)).days
        days = (min(known) + timedelta(days=at) for at in range(length))
        return [(day, found[day], cases[day]) for day in days]

    def spans(self) -> Mapping[Grain, tuple[date, date]]:
        zone = ZoneInfo(organisation().time_zone)
        ends = EquipmentState.objects.aggregate(first=Min("at"), last=Max("recorded_at"))
        if ends["first"] is None:
            return {}
        heard = Feed.objects.filter(equipment__isnull=False).aggregate(last=Max("heard_at"))
        last = max(found for found in (ends["last"], heard["last"]) if found is not None)
        return {Grain.DAY: (_day(ends["first"], zone), _day(last, zone))}

    def changed_since(self, moment: datetime) -> Sequence[tuple[date, date]]:
        """What a late state changes lasts until the next one of the same machine."""
        zone = ZoneInfo(organisation().time_zone)
        new = EquipmentState.objects.filter(recorded_at__gt=moment).order_by("equipment_id", "at")
        first_of: dict[int, datetime] = {}
        for equipment_id, at in new.values_list("equipment_id", "at"):
            first_of.setdefault(equipment_id, at)
        if not first_of:
            return []
        last = EquipmentState.objects.aggregate(last=Max("recorded_at"))["last"]
        until = _day(last, zone)
        return sorted({(_day(at, zone), max(until, _day(at, zone))) for at in first_of.values()})


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


@dataclass(frozen=True)
class _Asked:
    """One measure of equipment that is wanted: of a kind, of one machine, or (neither) of all.

    >>> str(_Asked("repaired_in_time", "atm", "", 4)), str(_Asked("outages", "", "atm-7", 0))
    ('repaired_in_time/atm/4', 'outages///atm-7')
    >>> _Asked.parse("outages///atm-7") == _Asked("outages", "", "atm-7", 0)
    True
    """

    name: str
    kind: str
    machine: str
    within_h: int

    @classmethod
    def parse(cls, measure: str) -> "_Asked":
        name, kind, hours, machine = (measure + "///").split("/")[:4]
        return cls(name, kind, machine, int(hours or 0))

    def __str__(self) -> str:
        hours = str(self.within_h or "")
        if self.machine:
            return f"{self.name}/{self.kind}/{hours}/{self.machine}"
        return f"{self.name}/{self.kind}/{hours}" if hours else f"{self.name}/{self.kind}"

    @property
    def within_s(self) -> int:
        return self.within_h * HOUR

    @property
    def is_by_day(self) -> bool:
        return self.name in ("availability", "outages")

    def means(self, machine: Equipment) -> bool:
        return self.kind in ("", machine.kind) and self.machine in ("", machine.code)

    def add_day(self, sums: Sums, day: DayOfUse, began: int) -> None:
        if self.name == "availability":
            sums.add(1, day.observed, day.up)
        else:
            sums.add(1, 1, began)

    def add_outage(self, sums: Sums, seconds: int) -> None:
        sums.add(1, 1, seconds if self.name == "repair_time" else int(seconds <= self.within_s))


def _seconds(outage: Span) -> int:
    return round((outage.end - outage.start).total_seconds()) if outage.end else 0


def _machines(asked: Sequence[_Asked]) -> EquipmentQuerySet:
    found = Equipment.objects.all()
    if any(not one.kind and not one.machine for one in asked):
        return found
    kinds = {one.kind for one in asked if one.kind}
    codes = {one.machine for one in asked if one.machine}
    return found.filter(Q(kind__in=kinds) | Q(code__in=codes))


def _histories(
    machines: EquipmentQuerySet, start: date | None, end: date, zone: ZoneInfo
) -> Iterator[tuple[Equipment, list[Span]]]:
    """Yield machines with the spans of their states until the end; an outage that began before the
    start (None: the beginning) comes whole."""
    states: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    told = EquipmentState.objects.filter(
        equipment__in=machines, at__lt=midnight(end, zone)
    ).order_by("equipment_id", "at")
    if start is not None and (since := _last_working(machines, midnight(start, zone))):
        told = told.filter(at__gte=since)
    for equipment_id, at, state in told.values_list("equipment_id", "at", "state"):
        states[equipment_id].append((at, state))
    for machine in machines.order_by("id"):
        if machine.pk in states:
            yield machine, spans_of(states[machine.pk])


def _last_working(machines: EquipmentQuerySet, before: datetime) -> datetime | None:
    """Return when the machine that is longest silent last said that it works; None if one never
    did."""
    working = Max("states__at", filter=Q(states__at__lt=before) & ~Q(states__state=DOWN))
    found = list(machines.annotate(working=working).values_list("working", flat=True))
    known = [at for at in found if at is not None]
    return min(known) if found and len(known) == len(found) else None


def _in_use(machine: Equipment, period: Period) -> tuple[date, date]:
    end = min(period.end, machine.retired_on) if machine.retired_on else period.end
    return max(period.start, machine.installed_on), end
