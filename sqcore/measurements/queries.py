"""Reading measurements: single values, what is late or missing, how machines stand."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery, TextChoices
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.base.text import TranslatedText
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.importers import ready_systems
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.measurements.models import (
    Equipment,
    EquipmentQuerySet,
    EquipmentState,
    Feed,
    Measure,
    Observation,
)
from sqcore.measurements.uptime import Span, spans_of
from sqcore.org.models import Unit
from sqcore.org.queries import fiscal_start, local_day

Part = tuple[int | None, int | None]
"""The ids of a channel and a segment; None: all."""
PartOf = TypeVar("PartOf", tuple[str, str], tuple[int | None, int | None])
Numbers = tuple[int, int, int, int | None]
"""n, numerator, denominator, squares of one observation."""


def measure_of(principal: Principal, code: str) -> Measure:
    """Return the measure of this code. raises: NotFound"""
    found = Measure.objects.visible_to(principal).select_related("feed", "owner")
    measure = found.filter(code=code).first()
    if measure is None:
        raise NotFound(
            gettext("There is no measure “%(code)s”, or it is not for you.") % {"code": code}
        )
    return measure


def units_of(principal: Principal) -> list[Unit]:
    """Return the open units whose measurements the principal may see."""
    scope = principal.scope(Permission.VIEW_RESULTS) | principal.scope(
        Permission.MANAGE_MEASUREMENTS
    )
    units = Unit.objects.filter(closed_on__isnull=True)
    return list((units if scope.everywhere else units.filter(pk__in=scope.units)).order_by("code"))


def whole_of(rows: Mapping[PartOf, Numbers]) -> list[Numbers]:
    """Return the rows that stand for all that a place reported: the whole if it reported one,
    otherwise its parts, each once."""
    whole = [row for (channel, segment), row in rows.items() if not channel and not segment]
    both = [row for (channel, segment), row in rows.items() if channel and segment]
    channels = [row for (channel, segment), row in rows.items() if channel and not segment]
    return whole or both or channels or list(rows.values())


def value_of(measure: Measure, rows: Sequence[Numbers]) -> float | None:
    """Return what observations say together: the mean, the share, the rate or the ratio.

    >>> value_of(Measure(kind="mean", decimals=1), [(2, 250, 0, None)])
    12.5
    >>> value_of(Measure(kind="share"), [(200, 5, 200, None), (100, 4, 100, None)])
    0.03
    """
    above = sum(numerator for _n, numerator, _denominator, _squares in rows)
    is_mean = measure.kind == Measure.Kind.MEAN
    below = sum(row[0] if is_mean else row[2] for row in rows)
    scale = measure.scale if measure.kind in (Measure.Kind.MEAN, Measure.Kind.RATIO) else 1
    return above / below / scale if below else None


def shown(measure: Measure, value: float | None) -> str:
    """Return a value as people read it; empty when there is none."""
    if value is None:
        return ""
    if measure.unit_of_measure in (UnitOfMeasure.SHARE, UnitOfMeasure.PERCENT):
        percent = value * 100 if measure.kind != Measure.Kind.MEAN else value
        return f"{number_format(round(percent, 2), 2)} %"
    # Rounded first, for number_format cuts off.
    return number_format(round(value, 2), 2)


# ---- Late and missing ----------------------------------------------------------------------------
class Standing(TextChoices):
    """Whether what is expected of a unit for a period is there."""

    IN_TIME = "in_time", _("in time")
    LATE = "late", _("late")
    WAITING = "waiting", _("not due yet")
    MISSING = "missing", _("missing")
    NOT_EXPECTED = "not_expected", _("not expected")


@dataclass(frozen=True)
class Cell:
    """What a unit reported for a period."""

    standing: Standing
    value: float | None = None
    n: int = 0
    revision: int = 0
    recorded_at: datetime | None = None
    shown: str = ""
    period_key: str = ""


@dataclass(frozen=True)
class Grid:
    """The newest periods of a measure, newest first, and a row of cells for each unit."""

    periods: Sequence[Period]
    rows: Sequence[tuple[Unit, Sequence[Cell]]]

    def count(self, standing: Standing) -> int:
        return sum(cell.standing == standing for _unit, cells in self.rows for cell in cells)


def is_late(measure: Measure, period: Period, on: date) -> bool:
    return bool(measure.every) and on >= period.end + timedelta(days=measure.due_days)


def last_due(measure: Measure, *, today: date) -> Period | None:
    """Return the newest period that should be in by now; None when none ever should."""
    if not measure.every:
        return None
    period = Period.of(today, measure.grain)
    while not is_late(measure, period, today):
        period = period.previous
    if measure.retired_on and period.start >= measure.retired_on:
        period = Period.of(measure.retired_on - timedelta(days=1), measure.grain)
    return period if period.end > measure.since else None


def newest_periods(measure: Measure, *, today: date, count: int) -> list[Period]:
    """Return the last periods that have begun, newest first; of irregular measures the days on
    which something came."""
    if not measure.every:
        starts = Observation.objects.current().filter(measure=measure).order_by("-starts_on")
        days = starts.values_list("starts_on", flat=True).distinct()[:count]
        return [Period(day, Grain.DAY) for day in days]
    period = Period.of(today, measure.grain)
    found: list[Period] = []
    while len(found) < count and period.end > measure.since:
        found.append(period)
        period = period.previous
    return found


def grid_of(
    measure: Measure,
    units: Sequence[Unit],
    *,
    now: datetime,
    count: int = 12,
    known_at: datetime | None = None,
) -> Grid:
    """Return what these units reported for the newest periods; with `known_at`, as was known then.

    A unit is expected to report from its first report on; units that never did have no row.
    """
    moment = known_at or now
    periods = newest_periods(measure, today=local_day(moment), count=count)
    if not periods:
        return Grid([], [])
    mine = Observation.objects.filter(measure=measure, unit__in=units, recorded_at__lte=moment)
    known = Observation.objects.as_known_at(moment).filter(measure=measure, unit__in=units)
    begins = dict(
        known.order_by("unit_id").values("unit_id").annotate(first=Min("starts_on")).values_list(
            "unit_id", "first"
        )
    )  # fmt: skip
    shown: dict[tuple[int, date], list[Observation]] = defaultdict(list)
    for row in mine.filter(starts_on__gte=periods[-1].start).order_by("recorded_at", "id"):
        shown[row.unit_id, row.starts_on].append(row)
    rows = [
        (
            unit,
            [
                _cell(measure, period, shown[unit.pk, period.start], begins[unit.pk], moment)
                for period in periods
            ],
        )
        for unit in units
        if unit.pk in begins
    ]
    return Grid(periods, rows)


def _cell(
    measure: Measure, period: Period, rows: Sequence[Observation], begins: date, moment: datetime
) -> Cell:
    current = [row for row in rows if row.superseded_at is None or row.superseded_at > moment]
    if current:
        parts = {
            (row.channel_id, row.segment_id): (
                row.n, row.numerator, row.denominator, row.squares,
            )
            for row in current
        }  # fmt: skip
        whole = whole_of(parts)
        # A correction does not make late what came in time.
        late = is_late(measure, period, local_day(rows[0].recorded_at))
        value = value_of(measure, whole)
        return Cell(
            standing=Standing.LATE if late else Standing.IN_TIME,
            value=value,
            shown=shown(measure, value),
            period_key=period.key,
            n=sum(numbers[0] for numbers in whole),
            revision=max(row.revision for row in current),
            recorded_at=max(row.recorded_at for row in current),
        )
    is_over = measure.retired_on is not None and period.start >= measure.retired_on
    if not measure.every or period.start < begins or is_over:
        return Cell(Standing.NOT_EXPECTED)
    late = is_late(measure, period, local_day(moment))
    return Cell(Standing.MISSING if late else Standing.WAITING)


@dataclass(frozen=True)
class Place:
    """A unit in a period of a measure: every revision of all that was reported for it, by channel
    and segment, the newest first."""

    unit: Unit
    period: Period
    revisions: Sequence[tuple[Observation, str]]
    """With the value as people read it."""


def place_of(principal: Principal, measure: Measure, unit_code: str, key: str) -> Place:
    """Return what was reported there. raises: NotFound, InvalidInput for what is no period"""
    unit = next((found for found in units_of(principal) if found.code == unit_code), None)
    if unit is None:
        raise NotFound(
            _("There is no unit “%(code)s”, or it is not for you.") % {"code": unit_code}
        )
    period = Period.parse(key, fiscal_start=fiscal_start())
    rows = Observation.objects.filter(
        measure=measure, unit=unit, grain=period.grain, starts_on=period.start
    )
    rows = rows.select_related("channel", "segment", "feed").order_by("-recorded_at", "-id")
    return Place(unit, period, [(row, shown(measure, _own_value(measure, row))) for row in rows])


def _own_value(measure: Measure, row: Observation) -> float | None:
    return value_of(measure, [(row.n, row.numerator, row.denominator, row.squares)])


def observation_of(principal: Principal, observation_id: int) -> Observation:
    """Return the observation. raises: NotFound"""
    found = Observation.objects.visible_to(principal).select_related("measure", "unit")
    observation = found.filter(pk=observation_id).first()
    if observation is None:
        raise NotFound(gettext("There is no such value, or it is not for you."))
    return observation


@dataclass(frozen=True)
class MeasureStanding:
    """A measure in the list: the newest period that anything came of, its value over the units
    that may be seen, and what is missing of the last period that is due."""

    measure: Measure
    last: Period | None
    value: float | None
    due: Period | None
    expected: int
    missing: int

    @property
    def shown(self) -> str:
        return shown(self.measure, self.value)

    @property
    def reported(self) -> int:
        return self.expected - self.missing


def standings(
    measures: Sequence[Measure], units: Sequence[Unit], *, today: date
) -> list[MeasureStanding]:
    """Return how these measures stand in these units, in three queries."""
    observed = Observation.objects.current().filter(measure__in=measures, unit__in=units)
    expected: dict[int, set[int]] = defaultdict(set)
    last: dict[int, date] = {}
    begins = observed.order_by("measure_id", "unit_id").values("measure_id", "unit_id").annotate(
        newest=Max("starts_on")
    )  # fmt: skip
    for row in begins:
        expected[row["measure_id"]].add(row["unit_id"])
        newest = row["newest"]
        last[row["measure_id"]] = max(last.get(row["measure_id"], newest), newest)
    due = {measure.pk: last_due(measure, today=today) for measure in measures}
    wanted = Q(pk__in=[])
    for measure in measures:
        starts = {last.get(measure.pk), period.start if (period := due[measure.pk]) else None}
        wanted |= Q(measure=measure, starts_on__in=[start for start in starts if start])
    found: dict[tuple[int, date], dict[int, dict[Part, Numbers]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    rows = observed.filter(wanted).values_list(
        *("measure_id", "starts_on", "unit_id", "channel_id", "segment_id"),
        *("n", "numerator", "denominator", "squares"),
    )  # fmt: skip
    for measure_id, start, unit_id, channel, segment, n, above, below, squares in rows:
        found[measure_id, start][unit_id][channel, segment] = (n, above, below, squares)
    return [_standing(measure, last, due, expected, found) for measure in measures]


def _standing(
    measure: Measure,
    last: Mapping[int, date],
    due: Mapping[int, Period | None],
    expected: Mapping[int, set[int]],
    found: Mapping[tuple[int, date], Mapping[int, Mapping[Part, Numbers]]],
) -> MeasureStanding:
    newest = last.get(measure.pk)
    units = found.get((measure.pk, newest), {}) if newest else {}
    rows = [row for parts in units.values() for row in whole_of(parts)]
    period = due[measure.pk]
    reported = set(found.get((measure.pk, period.start), {})) if period else set()
    waiting_for = expected.get(measure.pk, set())
    return MeasureStanding(
        measure=measure,
        last=Period(newest, measure.grain, fiscal_start()) if newest else None,
        value=value_of(measure, rows),
        due=period,
        expected=len(waiting_for),
        missing=len(waiting_for - reported) if period else 0,
    )


# ---- Equipment -----------------------------------------------------------------------------------
def with_present_state(machines: EquipmentQuerySet) -> EquipmentQuerySet:
    """Add `state` and `since`: the last state told, and when it was told first."""
    states = EquipmentState.objects.filter(equipment=OuterRef("pk"))
    before = EquipmentState.objects.filter(equipment=OuterRef("equipment"), at__lt=OuterRef("at"))
    told_before = Subquery(before.order_by("-at").values("state")[:1])
    changes = states.annotate(told_before=told_before).filter(
        Q(told_before__isnull=True) | ~Q(state=F("told_before"))
    )
    return machines.annotate(
        state=Subquery(states.order_by("-at").values("state")[:1]),
        since=Subquery(changes.order_by("-at").values("at")[:1]),
    )


def out_of_order(machines: EquipmentQuerySet) -> int:
    """Return how many of these machines told last that they are out of order."""
    newest = EquipmentState.objects.filter(equipment=OuterRef("pk")).order_by("-at")
    told = machines.annotate(told=Subquery(newest.values("state")[:1]))
    return told.filter(told=EquipmentState.State.DOWN).count()


def equipment_of(principal: Principal, code: str) -> Equipment:
    """Return the machine of this code. raises: NotFound"""
    machines = Equipment.objects.visible_to(principal).select_related("unit", "feed")
    found = machines.filter(code=code).first()
    if found is None:
        raise NotFound(
            gettext("There is no machine “%(code)s”, or it is not for you.") % {"code": code}
        )
    return found


def history_of(machine: Equipment) -> list[Span]:
    """Return the spans of a machine's states, oldest first."""
    told = EquipmentState.objects.filter(equipment=machine).order_by("at")
    return spans_of(list(told.values_list("at", "state")))


# ---- Beside the values ---------------------------------------------------------------------------
@dataclass(frozen=True)
class FeedStanding:
    feed: Feed
    measures: int
    machines: int
    is_silent: bool


def feeds(*, now: datetime) -> list[FeedStanding]:
    """Return who sends, what hangs on it, and whether it fell silent."""
    found = Feed.objects.order_by("code").annotate(
        measure_count=Count("measures", distinct=True),
        machine_count=Count("equipment", distinct=True),
    )
    return [
        FeedStanding(feed, feed.measure_count, feed.machine_count, is_silent(feed, now))
        for feed in found
    ]


def is_silent(feed: Feed, now: datetime) -> bool:
    """True when a feed was heard once and not for as long as it may be silent."""
    if feed.silent_after_days is None or feed.heard_at is None:
        return False
    return now - feed.heard_at > timedelta(days=feed.silent_after_days)


def indicators_of(principal: Principal, measure: Measure) -> list[Indicator]:
    """Return the indicators that are computed from a measure."""
    found = Indicator.objects.visible_to(principal).filter(
        source="measurements", parameters__measure=measure.code
    )
    return list(found.order_by("code"))


@dataclass(frozen=True)
class NeededMeasures:
    """A ready system and the measures that it lacks."""

    code: str
    name: TranslatedText
    missing: Sequence[TranslatedText]


def ready_systems_that_need_measures(principal: Principal) -> list[NeededMeasures]:
    """Return the ready systems that lack measures, for who may define them."""
    if not principal.may(Permission.MANAGE_MEASUREMENTS):
        return []
    there = set(Measure.objects.values_list("code", flat=True))
    found = []
    for ready in ready_systems().values():
        missing = [row.name for row in ready.measures if row.code not in there]
        if missing:
            found.append(NeededMeasures(ready.code, ready.name, missing))
    return found
