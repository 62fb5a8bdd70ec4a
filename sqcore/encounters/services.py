"""Taking encounters in, and keeping their exact sums up."""

import hmac
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import orjson
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models import Max, Min
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.prepared import PreparedInsert
from sqcore.encounters.models import (
    ALONE,
    MOST_SECONDS,
    Customer,
    Encounter,
    EncounterSums,
    Service,
    Stage,
    TouchedSpan,
)
from sqcore.encounters.queries import first_and_last_day, parts_by_unit, row_sums, rows_of
from sqcore.encounters.sums import Span, bundle, spans_between
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit
from sqcore.org.queries import organisation
from sqcore.stats.moments import pack

BATCH = 5_000
KEYS_AT_ONCE = 900
SPANS_AT_ONCE = 5_000
TRIES = 3
SUMS_LOCK = 0x50E5
"""The number of the lock under which encounters are summed up."""

T = TypeVar("T")
Thing = TypeVar("Thing", Service, Stage)


class Step(NamedTuple):
    """A stage of an encounter: its code, when it ran, and who did it (their staff number).

    `ended_at` is None where it is not known.
    """

    stage: str
    started_at: datetime
    ended_at: datetime | None = None
    staff: str = ""


@dataclass(frozen=True, slots=True)
class NewEncounter:
    """A checked encounter on its way in.

    `customer` is the sender's own number and is kept only as a keyed digest. `shares` maps staff
    ids to parts of 10,000. `reworked` None: whether a stage stands in `steps` twice.
    """

    key: str
    unit_id: int
    arrived_at: datetime
    customer: str = ""
    channel_id: int | None = None
    segment_id: int | None = None
    service_id: int | None = None
    solved: bool | None = None
    reworked: bool | None = None
    shares: Mapping[int, int] = field(default_factory=dict)
    steps: Sequence[Step] = ()


@dataclass(frozen=True)
class Taken:
    """What became of the encounters that were sent."""

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


def take_encounters(*, rows: Iterable[NewEncounter], now: datetime) -> Taken:
    """Store checked encounters in one transaction.

    A key that is there already with other content is replaced, with the same content left alone; of
    a key that comes twice the later one stands. The sums follow with `sum_up`.
    """
    zone = ZoneInfo(organisation().time_zone)
    taken = Taken()
    with transaction.atomic():
        for batch in _batches(rows):
            taken += _take_batch(batch, zone, now=now)
    return taken


def _batches(rows: Iterable[NewEncounter]) -> Iterator[list[NewEncounter]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _take_batch(batch: Sequence[NewEncounter], zone: ZoneInfo, *, now: datetime) -> Taken:
    """Store a batch; again when another sender stored one of its keys in the same moment."""
    customers = _customers(batch, zone)
    ops = connections[DEFAULT_DB_ALIAS].ops  # itself: its proxy costs as much as the work
    recorded_at = ops.adapt_datetimefield_value(now)
    make = partial(_made, customers=customers, zone=zone, ops=ops, recorded_at=recorded_at)
    made = {row.key: make(row) for row in batch}
    repeated = len(batch) - len(made)
    ordered = [made[key] for key in sorted(made)]
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                return _store(ordered) + Taken(unchanged=repeated)
        except IntegrityError:
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def _store(encounters: Sequence["_Made"]) -> Taken:
    former = _stored([each.key for each in encounters])
    fresh = [each for each in encounters if each.key not in former]
    changed = [
        each for each in encounters if each.key in former and former[each.key].digest != each.digest
    ]
    gone = [former[each.key] for each in changed]
    for ids in _pieces([each.pk for each in gone]):
        Encounter.objects.filter(pk__in=ids).delete()
    _inserter().insert_values([each.values for each in (*fresh, *changed)])
    touched = {(each.unit_id, each.on) for each in (*fresh, *changed)}
    _touch(touched | {(each.unit_id, each.on) for each in gone})
    return Taken(len(fresh), len(changed), len(encounters) - len(fresh) - len(changed))


class _Stored(NamedTuple):
    pk: int
    digest: str
    unit_id: int
    on: date


def _stored(keys: Sequence[str]) -> dict[str, _Stored]:
    found = {}
    for some in _pieces(keys):
        rows = Encounter.objects.filter(key__in=some)
        for key, pk, digest, unit_id, on in rows.values_list("key", *_Stored._fields):
            found[key] = _Stored(pk, digest, unit_id, on)
    return found


def _touch(places: Iterable[tuple[int, date]]) -> None:
    """Mark the spans whose sums no longer hold; a row each time, so that none is lost."""
    spans = {(unit_id, Span.of(day).starts_on) for unit_id, day in places}
    TouchedSpan.objects.bulk_create(
        TouchedSpan(unit_id=unit_id, starts_on=starts_on) for unit_id, starts_on in sorted(spans)
    )


@cache
def _inserter() -> PreparedInsert:
    return PreparedInsert(Encounter)


def _pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), KEYS_AT_ONCE):
        yield items[at : at + KEYS_AT_ONCE]


# ---- One encounter -------------------------------------------------------------------------------


class _Made(NamedTuple):
    """An encounter ready to be inserted: its values in the order of the table's columns."""

    key: str
    unit_id: int
    on: date
    digest: str
    values: Sequence[Any]


def _made(
    row: NewEncounter,
    *,
    customers: Mapping[str, int],
    zone: ZoneInfo,
    ops: BaseDatabaseOperations,
    recorded_at: Any,
) -> _Made:
    steps = _steps(row)
    waiting_s, handling_s = times_of(steps)
    reworked = _is_reworked(steps) if row.reworked is None else row.reworked
    on = row.arrived_at.astimezone(zone).date()
    content: dict[str, Any] = {
        "customer_id": customers.get(row.customer),
        "unit_id": row.unit_id,
        "channel_id": row.channel_id,
        "segment_id": row.segment_id,
        "service_id": row.service_id,
        "shares": _json({str(staff): share for staff, share in sorted(row.shares.items())}),
        "arrived_at": ops.adapt_datetimefield_value(row.arrived_at),
        "solved": row.solved,
        "reworked": reworked,
        "steps": _json(steps),
    }
    digest = blake2b(repr(content).encode(), digest_size=16).hexdigest()
    content |= {
        "key": row.key,
        "staff_id": next((who for who, share in row.shares.items() if share >= ALONE), None),
        "on": ops.adapt_datefield_value(on),
        "waiting_s": waiting_s,
        "handling_s": handling_s,
        "digest": digest,
        "recorded_at": recorded_at,
    }
    return _Made(row.key, row.unit_id, on, digest, [content[name] for name in _inserter().names])


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


StoredStep = tuple[str, int, int | None, str]


def _steps(row: NewEncounter) -> list[StoredStep]:
    """Return the steps as they are stored: in whole seconds from the arrival, by their start."""
    start = row.arrived_at
    steps: list[StoredStep] = [
        (
            step.stage,
            int((step.started_at - start).total_seconds()),
            int((step.ended_at - start).total_seconds()) if step.ended_at is not None else None,
            step.staff,
        )
        for step in row.steps
    ]
    return sorted(steps, key=lambda step: step[1])


def times_of(steps: Iterable[StoredStep]) -> tuple[int | None, int | None]:
    """Return the seconds of waiting and of handling; steps in order of their start.

    Handling is the time in which at least one stage runs; waiting the time from the arrival to the
    end of the last stage in which none does. Neither is known without stages, or when the end of
    one is not known, or beyond two years.

    >>> times_of([("number", 0, 60, ""), ("advice", 300, 900, ""), ("copy", 600, 1000, "")])
    (240, 760)
    """
    waiting = handling = until = 0
    known = False
    for _stage, start, end, _staff in steps:
        if end is None:
            return None, None
        known = True
        waiting += max(start - until, 0)
        handling += max(end - max(start, until), 0)
        until = max(until, end)
    if not known or max(waiting, handling) >= MOST_SECONDS:
        return None, None
    return waiting, handling


def _is_reworked(steps: Sequence[StoredStep]) -> bool | None:
    return len({step[0] for step in steps}) < len(steps) if steps else None


# ---- Customers -----------------------------------------------------------------------------------


def pseudonym_of(customer: str) -> str:
    """Return the keyed digest under which a customer is known here; the number is not kept.

    Of a digest without the installation's key the number could be found by trying all there are.
    """
    return _pseudonym(customer, _customer_key())


def _customer_key() -> bytes:
    return salted_hmac("sqcore.encounters.customer", "key", algorithm="sha256").digest()


def _pseudonym(customer: str, key: bytes) -> str:
    return hmac.digest(key, customer.encode(), "sha256").hex()


def _customers(batch: Sequence[NewEncounter], zone: ZoneInfo) -> dict[str, int]:
    """Return the ids of a batch's customers by the sender's number; adds those that are new."""
    key = _customer_key()
    names = {
        number: _pseudonym(number, key)
        for number in {row.customer for row in batch if row.customer}
    }
    known = _known_customers(list(names.values()))
    fresh: dict[str, Customer] = {}
    for row in batch:
        name = names.get(row.customer, "")
        if not name or name in known:
            continue
        day = row.arrived_at.astimezone(zone).date()
        made = fresh.setdefault(name, Customer(pseudonym=name, first_on=day))
        made.first_on = min(made.first_on, day)
        made.segment_id = row.segment_id or made.segment_id
    if fresh:
        rows = [fresh[name] for name in sorted(fresh)]
        Customer.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)
        known |= _known_customers(list(fresh))
    return {number: known[name] for number, name in names.items()}


def _known_customers(pseudonyms: Sequence[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for some in _pieces(pseudonyms):
        known |= dict(
            Customer.objects.filter(pseudonym__in=some).values_list("pseudonym", "pk").order_by()
        )
    return known


# ---- Sums ----------------------------------------------------------------------------------------


def sum_up(*, clock: Callable[[], datetime], limit: int = SPANS_AT_ONCE) -> int:
    """Compute the sums of touched spans anew; return how many marks were worked off.

    Call it again until it returns 0. Of two at once one waits; a mark that an intake sets meanwhile
    stays for the next time.
    """
    with transaction.atomic():
        _one_sums_up()
        marks = list(
            TouchedSpan.objects.select_for_update()
            .order_by("starts_on", "unit_id", "pk")
            .values_list("pk", "starts_on", "unit_id")[:limit]
        )
        if not marks:
            return 0
        now = clock()
        units: dict[Span, set[int]] = {}
        for _pk, starts_on, unit_id in marks:
            units.setdefault(Span.of(starts_on), set()).add(unit_id)
        for span, ids in units.items():
            _sum_span(span, sorted(ids), now=now)
        for pks in _pieces([pk for pk, *_place in marks]):
            TouchedSpan.objects.filter(pk__in=pks).delete()
        return len(marks)


def rebuild_sums(*, clock: Callable[[], datetime]) -> int:
    """Compute the sums of every span anew from its rows, a span a transaction; return how many.

    For first loads that did not come through `take_encounters`, and to make sure.
    """
    found = first_and_last_day()
    first, last = EncounterSums.objects.aggregate(a=Min("starts_on"), z=Max("starts_on")).values()
    days = [day for day in (*(found or ()), first, last) if day is not None]
    if not days:
        return 0
    spans = list(spans_between(min(days), max(days) + timedelta(days=1)))
    units = list(Unit.objects.order_by("pk").values_list("pk", flat=True))
    for span in spans:
        with transaction.atomic():
            _one_sums_up()
            marks = TouchedSpan.objects.select_for_update().filter(starts_on=span.starts_on)
            pks = list(marks.order_by("unit_id", "pk").values_list("pk", flat=True))
            kept = set(
                EncounterSums.objects.filter(starts_on=span.starts_on).values_list(
                    "unit", flat=True
                )
            )
            now = clock()
            _sum_span(span, units, now=now, empty=kept)
            for some in _pieces(pks):
                TouchedSpan.objects.filter(pk__in=some).delete()
    return len(spans)


def _one_sums_up() -> None:
    """Wait until nobody else sums up, and keep others waiting until the commit: whoever read the
    rows first must not store its sums last. On SQLite whoever writes is alone."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SUMS_LOCK])


def _sum_span(
    span: Span, unit_ids: Sequence[int], *, now: datetime, empty: Collection[int] | None = None
) -> None:
    """Store the sums of these units in a span; empty ones where no encounter is left, if the unit
    is among `empty` (None: any unit)."""
    sums = row_sums(rows_of(unit_ids, span))
    parts = parts_by_unit(sums, pack(sums[1]))
    EncounterSums.objects.bulk_create(
        [
            EncounterSums(
                unit_id=unit_id,
                starts_on=span.starts_on,
                ends_on=span.ends_on,
                content=bundle(parts.get(unit_id, {})),
                changed_at=now,
            )
            for unit_id in unit_ids
            if unit_id in parts or empty is None or unit_id in empty
        ],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["unit", "starts_on"],
        update_fields=["ends_on", "content", "changed_at"],
    )


# ---- Services and stages -------------------------------------------------------------------------


@transaction.atomic
def define_service(
    *, code: str, name: Mapping[str, str], by: Principal, now: datetime, position: int = 0
) -> Service:
    """Add a service, or give the one of this code another name or place."""
    by.require(Permission.MANAGE_MEASUREMENTS)
    service = Service.objects.select_for_update().filter(code=code).first() or Service(code=code)
    service.name, service.position = dict(name), position
    return _defined(service, by=by, now=now)


@transaction.atomic
def define_stage(
    *,
    code: str,
    name: Mapping[str, str],
    phase: str,
    by: Principal,
    now: datetime,
    position: int = 0,
) -> Stage:
    """Add a stage, or give the one of this code another name, phase or place."""
    by.require(Permission.MANAGE_MEASUREMENTS)
    stage = Stage.objects.select_for_update().filter(code=code).first() or Stage(code=code)
    stage.name, stage.phase, stage.position = dict(name), phase, position
    return _defined(stage, by=by, now=now)


def _defined(thing: Thing, *, by: Principal, now: datetime) -> Thing:
    """Save a service or a stage. raises: InvalidInput naming each field"""
    try:
        thing.full_clean()
    except ValidationError as error:
        problems = [
            Problem(text, field=name)
            for name, texts in error.message_dict.items()
            for text in texts
        ]
        raise InvalidInput(str(_("This cannot be kept.")), problems=problems) from error
    thing.save()
    kind = thing._meta.model_name
    record(
        action=f"{kind}.defined",
        subject=f"{kind}:{thing.pk}",
        by=by,
        now=now,
        details={"code": thing.code},
    )
    return thing
