"""Defining measures, taking measurements in, and what machines tell of their state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Max, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.prepared import PreparedInsert
from sqcore.base.text import in_all_languages
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.importers import ready_measures
from sqcore.measurements.intake import Check, NewMeasurement, Place
from sqcore.measurements.models import (
    MOST_DECIMALS,
    Equipment,
    EquipmentState,
    Feed,
    Measure,
    Observation,
)
from sqcore.measurements.queries import is_silent
from sqcore.notices.services import notify
from sqcore.org.models import Unit
from sqcore.org.queries import fiscal_start, local_day

MOST_AT_ONCE = 10_000
PIECE = 5_000
IDS_AT_ONCE = 900


@dataclass(frozen=True)
class Taken:
    """How many rows were new, replaced an earlier revision, or said what was known already."""

    new: int = 0
    replaced: int = 0
    unchanged: int = 0

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(
            self.new + other.new,
            self.replaced + other.replaced,
            self.unchanged + other.unchanged,
        )

    def as_json(self) -> dict[str, int]:
        return {"new": self.new, "replaced": self.replaced, "unchanged": self.unchanged}


# ---- Measures and feeds --------------------------------------------------------------------------
def define_measure(
    *,
    code: str,
    name: Mapping[str, str],
    kind: str,
    since: date,
    by: Principal,
    now: datetime,
    definition: Mapping[str, str] | None = None,
    every: str = "",
    unit_of_measure: str = "",
    decimals: int = 0,
    minimum: float | None = None,
    maximum: float | None = None,
    due_days: int = 5,
    feed: Feed | None = None,
    owner: User | None = None,
) -> Measure:
    """Add a measure. raises: InvalidInput naming each wrong field, or a code that is taken"""
    by.require(Permission.MANAGE_MEASUREMENTS)
    measure = Measure(
        code=code,
        name=dict(name),
        definition=dict(definition or {}),
        kind=kind,
        every=every,
        unit_of_measure=unit_of_measure,
        decimals=decimals,
        minimum=minimum,
        maximum=maximum,
        due_days=due_days,
        feed=feed,
        owner=owner,
        since=since,
    )
    with transaction.atomic():
        _save(measure)
        record(
            action="measure.defined",
            subject=f"measure:{measure.pk}",
            by=by,
            now=now,
            details={"code": code, "kind": kind, "every": every},
        )
    return measure


def define_missing_measures(
    *, code: str, by: Principal, now: datetime, since: date | None = None
) -> list[Measure]:
    """Define the measures that a ready system needs and that are not there; return these.

    raises: NotFound when there is no such ready system
    """
    by.require(Permission.MANAGE_MEASUREMENTS)
    first = since or local_day(now).replace(month=1, day=1) - timedelta(days=5 * 365)
    with transaction.atomic():
        there = set(Measure.objects.values_list("code", flat=True))
        return [
            define_measure(
                code=row.code,
                name=row.name,
                kind=row.kind,
                unit_of_measure=row.unit,
                every=row.every,
                decimals=MOST_DECIMALS if row.kind == Measure.Kind.MEAN else 0,
                since=first,
                owner=by.user,
                by=by,
                now=now,
            )
            for row in ready_measures(code)
            if row.code not in there
        ]


CHANGEABLE = frozenset(
    {
        *("name", "definition", "unit_of_measure", "minimum", "maximum"),
        *("every", "due_days", "feed", "owner"),
    }
)


def change_measure(*, measure: Measure, by: Principal, now: datetime, **changes: Any) -> Measure:
    """Change what is said of a measure. Its kind and decimals stay, for its numbers mean them.

    raises: InvalidInput; Conflict when it is to come in another grain and has observations
    """
    by.require(Permission.MANAGE_MEASUREMENTS)
    if unknown := set(changes) - CHANGEABLE:
        raise InvalidInput(_("This cannot be changed."), problems=_named(unknown))
    with transaction.atomic():
        stored = Measure.objects.select_for_update().get(pk=measure.pk)
        grain = stored.grain
        for name, value in changes.items():
            setattr(stored, name, value)
        if stored.grain != grain and Observation.objects.filter(measure=stored).exists():
            raise Conflict(_("There are measurements by the former period; define a new measure."))
        _save(stored)
        record(
            action="measure.changed",
            subject=f"measure:{stored.pk}",
            by=by,
            now=now,
            details={"fields": sorted(changes)},
        )
    return stored


def _named(names: Iterable[str]) -> list[Problem]:
    return [Problem(_("cannot be changed"), field=name) for name in sorted(names)]


def retire_measure(*, measure: Measure, on: date, by: Principal, now: datetime) -> Measure:
    """Expect and take nothing from this day on. raises: InvalidInput, Conflict"""
    by.require(Permission.MANAGE_MEASUREMENTS)
    with transaction.atomic():
        stored = Measure.objects.select_for_update().get(pk=measure.pk)
        if stored.retired_on is not None:
            raise Conflict(_("This measure is retired already."))
        stored.retired_on = on
        _save(stored)
        record(
            action="measure.retired",
            subject=f"measure:{stored.pk}",
            by=by,
            now=now,
            details={"on": on.isoformat()},
        )
    return stored


def define_feed(
    *,
    code: str,
    name: Mapping[str, str],
    by: Principal,
    now: datetime,
    kind: str = Feed.Kind.SYSTEM,
    silent_after_days: int | None = None,
    owner: User | None = None,
) -> Feed:
    """Add a sender. raises: InvalidInput naming each wrong field, or a code that is taken"""
    by.require(Permission.MANAGE_MEASUREMENTS)
    feed = Feed(
        code=code, name=dict(name), kind=kind, silent_after_days=silent_after_days, owner=owner
    )
    with transaction.atomic():
        _save(feed)
        record(
            action="feed.defined",
            subject=f"feed:{feed.pk}",
            by=by,
            now=now,
            details={"code": code, "kind": str(kind)},
        )
    return feed


def _save(row: models.Model) -> None:
    """Save what is right. raises: InvalidInput naming the fields"""
    try:
        row.full_clean()
    except ValidationError as error:
        problems = [
            Problem(message, field="" if name == "__all__" else name)
            for name, messages in error.message_dict.items()
            for message in messages
        ]
        raise InvalidInput(_("Some fields are wrong."), problems=problems) from error
    row.save()


# ---- Measurements --------------------------------------------------------------------------------
def receive_measurements(
    *, rows: Sequence[Any], by: Principal, now: datetime, source: str = "api"
) -> Taken:
    """Check rows as REST has them and take them in, all or none.

    raises: NotPermitted; InvalidInput naming each row and field
    """
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        raise InvalidInput(
            _("Send 1 to %(most)s measurements at once.") % {"most": f"{MOST_AT_ONCE:,}"}
        )
    check = Check.of(by=by, today=local_day(now), fiscal_start=fiscal_start())
    good, problems = check.read(rows)
    if problems:
        raise InvalidInput(
            _("Some measurements cannot be taken; none was stored."), problems=problems[:1000]
        )
    return take_measurements(rows=good, source=source, now=now)


def take_measurements(*, rows: Sequence[NewMeasurement], source: str, now: datetime) -> Taken:
    """Take checked rows in, in one transaction. The same values again change nothing; others are
    the next revision of their place.

    raises: InvalidInput when two rows are of one place
    """
    ordered = sorted(rows, key=_by_place)
    for one, other in pairwise(ordered):
        if one.place == other.place:
            raise InvalidInput(
                _("Two rows are of one place and period: %(place)s.") % {"place": one.place}
            )
    taken = Taken()
    with transaction.atomic():
        ids = sorted({row.measure_id for row in ordered})
        # One sender at a time for a measure: what is current is read and replaced under its lock.
        list(Measure.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
        for measure_id, group in groupby(ordered, key=lambda row: row.measure_id):
            of_measure = list(group)
            for at in range(0, len(of_measure), PIECE):
                taken += _take_piece(measure_id, of_measure[at : at + PIECE], source, now)
        _hear({row.feed_id for row in ordered if row.feed_id is not None}, now)
    return taken


def _by_place(row: NewMeasurement) -> tuple[int, date, int, int, int]:
    return (
        row.measure_id, row.starts_on, row.unit_id, row.channel_id or 0, row.segment_id or 0,
    )  # fmt: skip


def _take_piece(
    measure_id: int, rows: Sequence[NewMeasurement], source: str, now: datetime
) -> Taken:
    days = rows[0].starts_on, rows[-1].starts_on
    current, newest = _current(measure_id, *days)
    withdrawn = _withdrawn(measure_id, *days)
    # A sender that began earlier may have waited for one that began later: time goes on in between.
    now = max(now, newest) if newest else now
    new: list[tuple[NewMeasurement, int]] = []
    replaced: list[int] = []
    for row in rows:
        before = current.get(row.place)
        if before is not None and before[2:] == _values(row):
            continue
        revision = withdrawn.get(row.place, 0) + 1
        if before is not None:
            replaced.append(before[0])
            revision = before[1] + 1
        new.append((row, revision))
    for at in range(0, len(replaced), IDS_AT_ONCE):
        ids = replaced[at : at + IDS_AT_ONCE]
        Observation.objects.filter(pk__in=ids).update(superseded_at=now)
    _insert(new, source, now)
    return Taken(len(new) - len(replaced), len(replaced), len(rows) - len(new))


Known = tuple[int, int, int, int, int, int | None]


def _current(
    measure_id: int, first: date, last: date
) -> tuple[dict[Place, Known], datetime | None]:
    """Return, by place, id, revision and values of what is current in these days; and when the
    newest of it was recorded."""
    found = Observation.objects.current().filter(
        measure_id=measure_id, starts_on__gte=first, starts_on__lte=last
    )
    known = {
        (measure_id, starts_on, unit, channel, segment): (pk, revision, *values)
        for pk, revision, starts_on, unit, channel, segment, *values in found.values_list(
            *("id", "revision", "starts_on", "unit_id", "channel_id", "segment_id"),
            *("n", "numerator", "denominator", "squares"),
        )
    }
    return known, found.aggregate(newest=Max("recorded_at"))["newest"] if known else None


def _withdrawn(measure_id: int, first: date, last: date) -> dict[Place, int]:
    """Return, by place, the last revision that withdrew what was reported for it."""
    found = Observation.objects.filter(
        ~Q(withdrawn_because=""), measure_id=measure_id, starts_on__gte=first, starts_on__lte=last
    )
    rows = found.order_by("revision").values_list(
        "starts_on", "unit_id", "channel_id", "segment_id", "revision"
    )
    return {
        (measure_id, starts_on, unit, channel, segment): revision
        for starts_on, unit, channel, segment, revision in rows
    }


def _values(row: NewMeasurement) -> tuple[int, int, int, int | None]:
    return row.n, row.numerator, row.denominator, row.squares


def _insert(rows: Sequence[tuple[NewMeasurement, int]], source: str, now: datetime) -> None:
    """Insert rows with their revisions: building a model for each would cost three times more."""
    adapt = connection.ops.adapt_datefield_value
    recorded_at = connection.ops.adapt_datetimefield_value(now)
    insert = PreparedInsert(Observation)
    found: list[dict[str, Any]] = [
        row._asdict()
        | {
            "starts_on": adapt(row.starts_on),
            "revision": revision,
            "source": source,
            "recorded_at": recorded_at,
            "superseded_at": None,
            "withdrawn_because": "",
        }
        for row, revision in rows
    ]
    insert.insert_values([[values[name] for name in insert.names] for values in found])


def _hear(feed_ids: Iterable[int], now: datetime) -> None:
    heard = Q(heard_at__isnull=True) | Q(heard_at__lt=now)
    Feed.objects.filter(heard, pk__in=sorted(feed_ids)).update(heard_at=now)


# ---- Equipment -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class NewState:
    equipment_id: int
    state: str
    at: datetime


def add_equipment(
    *,
    code: str,
    name: Mapping[str, str],
    kind: str,
    unit: Unit,
    installed_on: date,
    by: Principal,
    now: datetime,
    feed: Feed | None = None,
) -> Equipment:
    """Add a machine. raises: InvalidInput naming each wrong field, or a code that is taken"""
    by.require(Permission.MANAGE_MEASUREMENTS)
    equipment = Equipment(
        code=code, name=dict(name), kind=kind, unit=unit, feed=feed, installed_on=installed_on
    )
    with transaction.atomic():
        _save(equipment)
        record(
            action="equipment.added",
            subject=f"equipment:{equipment.pk}",
            by=by,
            now=now,
            details={"code": code, "kind": kind, "unit": unit.code},
        )
    return equipment


def retire_equipment(*, equipment: Equipment, on: date, by: Principal, now: datetime) -> Equipment:
    """Take a machine out of use from this day on. raises: InvalidInput, Conflict"""
    by.require(Permission.MANAGE_MEASUREMENTS)
    with transaction.atomic():
        stored = Equipment.objects.select_for_update().get(pk=equipment.pk)
        if stored.retired_on is not None:
            raise Conflict(_("This is retired already."))
        stored.retired_on = on
        _save(stored)
        record(
            action="equipment.retired",
            subject=f"equipment:{stored.pk}",
            by=by,
            now=now,
            details={"on": on.isoformat()},
        )
    return stored


def take_states(*, rows: Sequence[NewState], now: datetime) -> Taken:
    """Take checked states in, in one transaction; those that are known already change nothing.

    raises: Conflict when a machine told another state of the same moment
    """
    if not rows:
        return Taken()
    ids = sorted({row.equipment_id for row in rows})
    with transaction.atomic():
        machines = list(Equipment.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
        first, last = min(row.at for row in rows), max(row.at for row in rows)
        known = {
            (equipment, at): state
            for equipment, at, state in EquipmentState.objects.filter(
                equipment_id__in=ids, at__gte=first, at__lte=last
            ).values_list("equipment_id", "at", "state")
        }
        fresh = [row for row in rows if (row.equipment_id, row.at) not in known]
        codes = {machine.pk: machine.code for machine in machines}
        for row in rows:
            told = known.get((row.equipment_id, row.at), row.state)
            if told != row.state:
                raise Conflict(
                    _("“%(machine)s” told “%(state)s” of %(at)s before.")
                    % {
                        "machine": codes[row.equipment_id],
                        "state": told,
                        "at": row.at.isoformat(),
                    }
                )
        EquipmentState.objects.bulk_create(
            [
                EquipmentState(
                    equipment_id=row.equipment_id, state=row.state, at=row.at, recorded_at=now
                )
                for row in fresh
            ],
            batch_size=2000,
        )
        _hear({machine.feed_id for machine in machines if machine.feed_id is not None}, now)
    return Taken(new=len(fresh), unchanged=len(rows) - len(fresh))


# ---- Feeds that fell silent ----------------------------------------------------------------------
def tell_of_silence(*, now: datetime) -> int:
    """Tell the owners of feeds that fell silent, once a silence; return how many were told."""
    told = 0
    feeds = Feed.objects.filter(owner__isnull=False, silent_after_days__isnull=False)
    for feed in feeds.select_related("owner").order_by("id"):
        if feed.owner is None or not is_silent(feed, now) or feed.heard_at is None:
            continue
        told += notify(
            readers=[feed.owner],
            key=f"silent:{feed.pk}:{feed.heard_at:%Y%m%d%H%M%S}",
            title=in_all_languages(lazy("%(feed)s fell silent"), feed=feed.name),
            body=in_all_languages(
                lazy("Nothing came from it since %(day)s."),
                day=local_day(feed.heard_at),
            ),
            reason=in_all_languages(lazy("You look after this feed.")),
            link=reverse("sqcore:measurements-measures"),
            permission=Permission.MANAGE_MEASUREMENTS,
            now=now,
        )
    return told
