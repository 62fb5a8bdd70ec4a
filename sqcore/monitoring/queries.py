"""Reading series, baselines, signals and annotations.

A person's read starts at `visible_to`; what has no `principal` is for services, which have asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, Scope
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.models import Annotation, Baseline, EarlyWarning, Signal, SignalEvent, Watch
from sqcore.org.models import Placement, Unit
from sqcore.org.queries import UnitTree, fiscal_start


@dataclass(frozen=True)
class SeriesKey:
    """One series: a code of a system (an indicator, a dimension, the whole) at a unit."""

    system_id: int
    unit_id: int
    code: str
    grain: Grain


@dataclass(frozen=True)
class SeriesPoint:
    """One period of a series.

    Of an indicator `value` with its interval is in its natural unit, of a score in points. It is
    None where nothing is shown; `status` and `reason` are those of the figure, "" without one.
    An excluded point keeps its value: it is drawn, and enters no baseline and no signal.
    """

    period: Period
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    is_excluded: bool = False
    exclusion: str = ""
    status: str = ""
    reason: str = ""

    @property
    def is_usable(self) -> bool:
        return self.value is not None and not self.is_excluded


REVISED = "revised"
NOT_WATCHED = "not_watched"
NOTES = {
    REVISED: lazy("The figures as they are now leave nothing of it"),
    NOT_WATCHED: lazy("The indicator is no longer watched on this side"),
}
"""What the software notes on a recovery, as people read it."""


def note_of(event: SignalEvent) -> str:
    """Return the note on an event, of a person or of the software, for people."""
    if event.by_id is None and event.note in NOTES:
        return str(NOTES[event.note])
    return event.note


def key_of(row: Baseline | Signal) -> SeriesKey:
    """Return the series of a baseline or a signal."""
    return SeriesKey(row.system_id, row.unit_id, row.code, Grain(row.grain))


def series_points(*, key: SeriesKey, through: date | None = None) -> list[SeriesPoint]:
    """Return every period from the first to the last figure of a series, in order.

    Only those that ended on or before `through`. Whether somebody may see them is not asked:
    this is for services. Two queries, a third where something is excluded at a unit.
    """
    found = _points(KpiValue.objects.all(), key, through)
    return marked(found, key, EVERYWHERE)


def visible_series(
    *, principal: Principal, key: SeriesKey, through: date | None = None
) -> list[SeriesPoint]:
    """Return the same as `series_points` for somebody who may see it. raises: NotFound

    Of what was excluded at a unit above that they may not see, only that it was is told.
    """
    found = _points(KpiValue.objects.visible_to(principal), key, through)
    if not found:
        raise NotFound(_("There is no such series."))
    return marked(found, key, principal.scope(Permission.VIEW_RESULTS))


_FIELDS = (
    *("kind", "starts_on", "status", "reason", "n"),
    *("value", "low", "high", "score", "score_low", "score_high"),
)


def _points(
    rows: QuerySet[KpiValue, KpiValue], key: SeriesKey, through: date | None
) -> list[SeriesPoint]:
    """Return the points with the gaps filled, nothing marked as excluded."""
    found = list(
        rows.filter(
            is_current=True,
            system_id=key.system_id,
            grain=key.grain,
            unit_id=key.unit_id,
            code=key.code,
            margin="",
        )
        .order_by("starts_on", "id")
        .values(*_FIELDS)
    )
    kinds = {row["kind"] for row in found}
    # A dimension may be called like one of its indicators: the indicator is meant.
    kind = KpiValue.Kind.INDICATOR if KpiValue.Kind.INDICATOR in kinds else next(iter(kinds), "")
    first_month = fiscal_start()
    shown: dict[date, SeriesPoint] = {}
    for row in found:
        period = Period(row["starts_on"], key.grain, first_month)
        if row["kind"] == kind and (through is None or period.end <= through):
            shown[period.start] = _point(period, row)
    if not shown:
        return []
    span = periods_from(min(shown), max(shown), key.grain)
    return [shown.get(period.start, SeriesPoint(period)) for period in span]


def _point(period: Period, row: Mapping[str, Any]) -> SeriesPoint:
    is_value = row["kind"] == KpiValue.Kind.INDICATOR
    names = ("value", "low", "high") if is_value else ("score", "score_low", "score_high")
    value, low, high = (row[name] for name in names)
    return SeriesPoint(
        period=period,
        value=value,
        low=low,
        high=high,
        n=row["n"],
        status=row["status"],
        reason=row["reason"],
    )


def grains_of(
    principal: Principal, *, system: IndicatorSystem, code: str, unit: Unit | None = None
) -> list[Grain]:
    """Return by what lengths of period somebody sees figures of an indicator, of a dimension or of
    the whole: at a unit, or (None) at any. One query."""
    rows = KpiValue.objects.visible_to(principal).current()
    rows = rows.filter(system=system, code=code, margin="")
    if unit is not None:
        rows = rows.filter(unit=unit)
    held = set(rows.order_by().values_list("grain", flat=True).distinct())
    return [grain for grain in Grain if grain.value in held]


def periods_from(first: date, last: date, grain: Grain) -> list[Period]:
    """Return the periods from the one that starts on `first` to the one that starts on `last`."""
    period = Period(first, grain, fiscal_start())
    found = [period]
    while period.start < last:
        period = period.next
        found.append(period)
    return found


def marked(points: Sequence[SeriesPoint], key: SeriesKey, scope: Scope) -> list[SeriesPoint]:
    """Return points with what is excluded marked, and why as far as the scope goes."""
    spans = [each for each in exclusions() if each.holds(key.unit_id, key.code)]
    if not spans:
        return list(points)
    hidden = _("Excluded at a unit above")
    marked = []
    for point in points:
        met = next((each for each in spans if each.touches(point.period)), None)
        if met is not None:
            is_told = met.unit_id is None or met.unit_id in scope
            text = met.text if is_told else hidden
            point = replace(point, is_excluded=True, exclusion=text)
        marked.append(point)
    return marked


@dataclass(frozen=True)
class Exclusion:
    """A span of days that is left out: where (`units` None: everywhere), of what, and why."""

    unit_id: int | None
    units: frozenset[int] | None
    code: str
    starts_on: date
    ends_on: date
    text: str

    def holds(self, unit_id: int, code: str) -> bool:
        return (self.units is None or unit_id in self.units) and self.code in ("", code)

    def touches(self, period: Period) -> bool:
        return self.starts_on < period.end and period.start < self.ends_on


def exclusions() -> list[Exclusion]:
    """Return the exclusions in force, oldest first, each with the units below its own.

    What is below a unit is read off the tree of the first of its days. One query, and a second
    where one of them names a unit.
    """
    found = list(
        Annotation.objects.in_force()
        .filter(kind=Annotation.Kind.EXCLUSION)
        .order_by("starts_on", "id")
        .values_list("unit_id", "code", "starts_on", "ends_on", "text")
    )
    trees = _trees({row[2] for row in found if row[0] is not None})
    return [
        Exclusion(
            unit_id=unit_id,
            units=None if unit_id is None else trees[starts_on].within([unit_id]),
            code=code,
            starts_on=starts_on,
            ends_on=ends_on,
            text=text,
        )
        for unit_id, code, starts_on, ends_on, text in found
    ]


def _trees(days: Iterable[date]) -> dict[date, UnitTree]:
    """Return the unit tree as it stood on each of these days. One query, none without a day."""
    wanted = sorted(days)
    if not wanted:
        return {}
    rows = list(
        Placement.objects.order_by("unit_id").values_list(
            "unit_id", "parent_id", "valid_from", "valid_to"
        )
    )
    return {
        day: UnitTree(
            {
                unit_id: parent_id
                for unit_id, parent_id, since, until in rows
                if since <= day and (until is None or until > day)
            }
        )
        for day in wanted
    }


def baselines_of(key: SeriesKey) -> list[Baseline]:
    """Return the baselines in force of a series, in the order in which they take over."""
    return list(_baselines(key).in_force().order_by("applies_from"))


def baseline_at(baselines: Iterable[Baseline], on: date) -> Baseline | None:
    """Return which of these (in their order) judges the period that starts on this day."""
    found = None
    for each in baselines:
        if each.applies_from <= on:
            found = each
    return found


def _baselines(key: SeriesKey) -> Any:
    return Baseline.objects.filter(
        system_id=key.system_id, grain=key.grain, unit_id=key.unit_id, code=key.code
    )


def annotations_of(principal: Principal, key: SeriesKey) -> list[Annotation]:
    """Return what is written on the chart of a series and the asker may see, oldest first."""
    found = list(
        Annotation.objects.visible_to(principal)
        .in_force()
        .filter(Q(code="") | Q(code=key.code))
        .order_by("starts_on", "id")
    )
    trees = _trees({each.starts_on for each in found if each.unit_id is not None})
    return [
        each
        for each in found
        if each.unit_id is None or each.unit_id in trees[each.starts_on].path(key.unit_id)
    ]


def open_signals(
    *,
    principal: Principal,
    unit_id: int | None = None,
    code: str = "",
    system_id: int | None = None,
) -> QuerySet[Signal]:
    """Return the signals that are not over, the strongest first; muted ones are among them."""
    found = Signal.objects.visible_to(principal).open()
    if unit_id is not None:
        found = found.filter(unit_id=unit_id)
    if code:
        found = found.filter(code=code)
    if system_id is not None:
        found = found.filter(system_id=system_id)
    return found.select_related("system", "unit", "baseline", "muted_by").order_by(
        Abs(F("shift_sigma")).desc(), "id"
    )


def signals_of(principal: Principal, key: SeriesKey) -> list[Signal]:
    """Return the signals of a series, also those that are over: one for each side at most."""
    found = Signal.objects.visible_to(principal).filter(
        system_id=key.system_id, grain=key.grain, unit_id=key.unit_id, code=key.code
    )
    return list(found.select_related("baseline").order_by("id"))


def open_warnings(principal: Principal) -> QuerySet[EarlyWarning]:
    """Return the early warnings somebody sees: the likely ones and those that are near first."""
    found = EarlyWarning.objects.visible_to(principal).open().select_related("system", "unit")
    return found.order_by(F("expected_on").asc(nulls_last=True), "possible_on", "id")


def series_foretold() -> int:
    """Return how many series the last searches for early warnings forecast. One query."""
    return int(Watch.objects.aggregate(total=Sum("foretold"))["total"] or 0)


def ended_warnings() -> tuple[int, int]:
    """Return how many early warnings came true and how many passed off, of all series. One query.

    Of all, whoever asks: how far such warnings can be trusted is a property of the method.
    """
    state = EarlyWarning.State
    found = EarlyWarning.objects.aggregate(
        true=Count("id", filter=Q(state=state.CAME_TRUE)),
        off=Count("id", filter=Q(state=state.PASSED_OFF)),
    )
    return found["true"], found["off"]


def latest_watches(principal: Principal) -> list[Watch]:
    """Return the last pass of each system and grain, for whoever sees results anywhere."""
    if not principal.may(Permission.VIEW_RESULTS):
        return []
    return list(Watch.objects.select_related("system").order_by("system_id", "grain"))
