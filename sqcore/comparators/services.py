"""Comparators and their values: add, revise, withdraw; names in files of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.comparators.models import Comparator, ComparatorValue, ForeignName
from sqcore.comparators.rules import NewValue, content_of, faults_of
from sqcore.files.cells import normal
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.org.queries import local_day

AT_ONCE = 500
REVISABLE = frozenset(
    {"value", "low", "high", "n", "source", "url", "published_on", "note"},
)


# ---- Comparators ---------------------------------------------------------------------------------
def add_comparator(
    *,
    code: str,
    name: Mapping[str, str],
    kind: str,
    by: Principal,
    now: datetime,
    note: str = "",
) -> Comparator:
    """Add somebody to compare with. raises: InvalidInput naming each wrong field"""
    by.require(Permission.MANAGE_COMPARATORS)
    comparator = Comparator(code=code, name=dict(name), kind=kind, note=note)
    with transaction.atomic():
        _save(comparator)
        record(
            action="comparator.added",
            subject=f"comparator:{comparator.pk}",
            by=by,
            now=now,
            details={"code": code, "kind": kind},
        )
    return comparator


def change_comparator(
    *,
    comparator: Comparator,
    name: Mapping[str, str],
    kind: str,
    note: str,
    is_active: bool,
    by: Principal,
    now: datetime,
) -> Comparator:
    """Change what is said of a comparator; what is not active is compared with nowhere.

    raises: InvalidInput
    """
    by.require(Permission.MANAGE_COMPARATORS)
    with transaction.atomic():
        stored = Comparator.objects.select_for_update().get(pk=comparator.pk)
        stored.name, stored.kind, stored.note = dict(name), kind, note
        stored.is_active = is_active
        _save(stored)
        record(
            action="comparator.changed",
            subject=f"comparator:{stored.pk}",
            by=by,
            now=now,
            details={"code": stored.code, "kind": kind, "is_active": is_active},
        )
    return stored


# ---- Values --------------------------------------------------------------------------------------
def add_value(
    *,
    comparator: Comparator,
    indicator: Indicator,
    starts_on: date,
    ends_on: date,
    value: float,
    source: str,
    by: Principal,
    now: datetime,
    low: float | None = None,
    high: float | None = None,
    n: int | None = None,
    url: str = "",
    published_on: date | None = None,
    note: str = "",
) -> ComparatorValue:
    """Write down what a comparator reached in [starts_on, ends_on). Locks the comparator.

    Where a value of the same time was withdrawn, this is its next revision.

    raises: InvalidInput naming each wrong field; Conflict where there is one already
    """
    by.require(Permission.MANAGE_COMPARATORS)
    new = NewValue(
        comparator, indicator, starts_on, ends_on, value, source.strip(),
        low, high, n, url, published_on, note,
    )  # fmt: skip
    _require_right(new, now)
    with transaction.atomic():
        _lock([comparator.pk])
        former = _current(new)
        if former is not None and not former.is_withdrawn:
            raise Conflict(_("There is a value of this time already; revise that one."))
        return _write(new, former, by=by, now=now, action="added")


def revise_value(
    *, former: ComparatorValue, by: Principal, now: datetime, **changes: Any
) -> ComparatorValue:
    """Correct a value: what is said now is its next revision. Returns it unchanged where nothing
    differs. Locks the comparator.

    changes: of value, low, high, n, source, url, published_on, note
    raises: InvalidInput; Conflict when it was revised or withdrawn meanwhile
    """
    by.require(Permission.MANAGE_COMPARATORS)
    if unknown := sorted(set(changes) - REVISABLE):
        problems = [Problem(_("cannot be changed"), field=name) for name in unknown]
        raise InvalidInput(_("This cannot be changed."), problems=problems)
    new = replace(_as_new(former), **changes)
    new = replace(new, source=new.source.strip())
    _require_right(new, now)
    with transaction.atomic():
        _lock([former.comparator_id])
        stored = ComparatorValue.objects.get(pk=former.pk)
        _require_in_force(stored)
        if content_of(stored) == new.content:
            return stored
        return _write(new, stored, by=by, now=now, action="revised")


def withdraw_value(
    *, value: ComparatorValue, because: str, by: Principal, now: datetime
) -> ComparatorValue:
    """Compare with it nowhere any more; it stays to be read with the reason. Locks the comparator.

    raises: InvalidInput without a reason; Conflict when it was revised or withdrawn meanwhile
    """
    by.require(Permission.MANAGE_COMPARATORS)
    because = because.strip()
    if not because or len(because) > 300:
        reason = _("is missing") if not because else _("has more than 300 characters")
        raise InvalidInput(
            _("Say why it is withdrawn."), problems=[Problem(reason, field="because")]
        )
    with transaction.atomic():
        _lock([value.comparator_id])
        stored = ComparatorValue.objects.select_related("comparator", "indicator").get(pk=value.pk)
        _require_in_force(stored)
        stored.withdrawn_at, stored.withdrawn_by = now, by.key
        stored.withdrawn_because = because
        stored.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_because"])
        _record("withdrawn", stored, by=by, now=now)
    return stored


@dataclass
class Taken:
    """How many values were new, replaced an earlier revision, or were known already."""

    new: int = 0
    replaced: int = 0
    unchanged: int = 0


def take_values(*, rows: Sequence[NewValue], by: Principal, now: datetime) -> Taken:
    """Bring values up to what a file says, by comparator, indicator and time; right ones only.

    The same again changes nothing, and does not bring back what somebody withdrew. The ledger has
    one entry for the file. Locks the comparators.
    """
    by.require(Permission.MANAGE_COMPARATORS)
    taken = Taken()
    with transaction.atomic():
        _lock({new.comparator.pk for new in rows})
        known = _current_of(rows)
        made: list[ComparatorValue] = []
        superseded: list[int] = []
        for new in rows:
            former = known.get(new.place)
            if former is not None and content_of(former) == new.content:
                taken.unchanged += 1
                continue
            is_new = former is None or former.is_withdrawn
            taken.new += is_new
            taken.replaced += not is_new
            made.append(_next(new, former, by=by, now=now))
            if former is not None:
                superseded.append(former.pk)
        for first in range(0, len(superseded), AT_ONCE):
            some = superseded[first : first + AT_ONCE]
            ComparatorValue.objects.filter(pk__in=some).update(superseded_at=now)
        ComparatorValue.objects.bulk_create(made, batch_size=AT_ONCE)
    return taken


def _as_new(value: ComparatorValue) -> NewValue:
    return NewValue(
        value.comparator, value.indicator, value.starts_on, value.ends_on, value.value,
        value.source, value.low, value.high, value.n, value.url, value.published_on, value.note,
    )  # fmt: skip


def _require_right(new: NewValue, now: datetime) -> None:
    problems = list(faults_of(new, today=local_day(now)))
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _require_in_force(value: ComparatorValue) -> None:
    if value.superseded_at is not None:
        raise Conflict(_("It was revised meanwhile; look at the newest revision."))
    if value.is_withdrawn:
        raise Conflict(_("It was withdrawn; add it anew."))


def _lock(comparators: Sequence[int] | set[int]) -> None:
    found = Comparator.objects.select_for_update().filter(pk__in=comparators).order_by("pk")
    list(found.values_list("pk", flat=True))


def _current(new: NewValue) -> ComparatorValue | None:
    return (
        ComparatorValue.objects.current()
        .filter(
            comparator=new.comparator,
            indicator=new.indicator,
            starts_on=new.starts_on,
            ends_on=new.ends_on,
        )
        .first()
    )


def _current_of(rows: Sequence[NewValue]) -> dict[tuple[int, int, date, date], ComparatorValue]:
    """Return the newest revisions of the comparators and days that rows name. One query."""
    if not rows:
        return {}
    found = ComparatorValue.objects.current().filter(
        comparator__in={new.comparator.pk for new in rows},
        starts_on__in={new.starts_on for new in rows},
    )
    return {
        (each.comparator_id, each.indicator_id, each.starts_on, each.ends_on): each
        for each in found
    }


def _write(
    new: NewValue, former: ComparatorValue | None, *, by: Principal, now: datetime, action: str
) -> ComparatorValue:
    """Store a revision; the one before it is superseded."""
    if former is not None:
        former.superseded_at = now
        former.save(update_fields=["superseded_at"])
    made = _next(new, former, by=by, now=now)
    made.save()
    _record(action, made, by=by, now=now)
    return made


def _next(
    new: NewValue, former: ComparatorValue | None, *, by: Principal, now: datetime
) -> ComparatorValue:
    return ComparatorValue(
        comparator=new.comparator,
        indicator=new.indicator,
        starts_on=new.starts_on,
        ends_on=new.ends_on,
        value=new.value,
        low=new.low,
        high=new.high,
        n=new.n,
        source=new.source,
        url=new.url,
        published_on=new.published_on,
        note=new.note,
        revision=1 if former is None else former.revision + 1,
        recorded_by=by.key,
        recorded_at=now,
    )


def _record(action: str, value: ComparatorValue, *, by: Principal, now: datetime) -> None:
    record(
        action=f"comparator_value.{action}",
        subject=f"comparator_value:{value.pk}",
        by=by,
        now=now,
        details={
            "comparator": value.comparator.code,
            "indicator": value.indicator.code,
            "from": value.starts_on.isoformat(),
            "until": value.ends_on.isoformat(),
            "revision": value.revision,
        },
    )


# ---- Names in files of others --------------------------------------------------------------------
def name_in_files(
    *,
    text: str,
    by: Principal,
    now: datetime,
    indicator: Indicator | None = None,
    comparator: Comparator | None = None,
) -> ForeignName:
    """Keep what files of others call an indicator or a comparator, from the next file on.

    raises: InvalidInput for an empty name, or not exactly one thing; Conflict where it means
        another one already
    """
    by.require(Permission.MANAGE_COMPARATORS)
    plain = normal(text)
    if not plain:
        raise InvalidInput(
            _("Some fields are wrong."), problems=[Problem(_("is missing"), field="text")]
        )
    if (indicator is None) == (comparator is None):
        raise InvalidInput(_("Choose either an indicator or a comparator."))
    with transaction.atomic():
        kept = ForeignName.objects.filter(text=plain, indicator__isnull=indicator is None)
        if kept.exists():
            raise Conflict(_("This name means something already; forget that first."))
        name = ForeignName(text=plain, indicator=indicator, comparator=comparator)
        _save(name)
        record(
            action="comparator_name.kept",
            subject=f"comparator_name:{name.pk}",
            by=by,
            now=now,
            details={"of": (indicator or comparator).code},  # type: ignore[union-attr]  # one of them is there
        )
    return name


def forget_name(*, name_id: int, by: Principal, now: datetime) -> None:
    """Read files without this name from now on. raises: NotFound"""
    by.require(Permission.MANAGE_COMPARATORS)
    with transaction.atomic():
        deleted, _models = ForeignName.objects.filter(pk=name_id).delete()
        if not deleted:
            raise NotFound(_("There is no such name."))
        record(
            action="comparator_name.forgotten",
            subject=f"comparator_name:{name_id}",
            by=by,
            now=now,
        )


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
