"""Making, changing and publishing questionnaires. What is published never changes."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from django.db import IntegrityError, transaction

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from surveys.instruments.definitions import Definition, ready_definitions
from surveys.instruments.models import Instrument, InstrumentVersion, Item

MEANING = ("kind", "role", "dimension", "pair", "low", "high", "is_reversed")
"""What makes an item's answers what they are: it stays the same through all versions."""


@transaction.atomic
def create_instrument(*, definition: Definition, by: Principal, now: datetime) -> InstrumentVersion:
    """Add a questionnaire and its first version, a draft.

    raises: Conflict when the code is taken
    """
    by.require(Permission.MANAGE_SURVEYS)
    try:
        with transaction.atomic():
            instrument = Instrument.objects.create(
                code=definition.code, name=definition.name, description=definition.description
            )
    except IntegrityError as error:
        raise Conflict(f"There is a questionnaire “{definition.code}” already.") from error
    version = InstrumentVersion(instrument=instrument, number=1)
    _fill(version, definition)
    record(
        action="instrument.created",
        subject=f"instrument:{instrument.pk}",
        by=by,
        now=now,
        details={"code": instrument.code},
    )
    return version


@transaction.atomic
def change_draft(*, version: InstrumentVersion, definition: Definition, by: Principal) -> None:
    """Replace everything in a draft. Locks the version.

    raises: Conflict when it is published, InvalidInput when the definition is another instrument's
    """
    by.require(Permission.MANAGE_SURVEYS)
    locked = _locked_draft(version)
    if definition.code != locked.instrument.code:
        raise InvalidInput(f"This is the questionnaire “{locked.instrument.code}”.")
    locked.items.all().delete()
    _fill(locked, definition)


@transaction.atomic
def publish_version(*, version: InstrumentVersion, by: Principal, now: datetime) -> None:
    """Make a draft usable and unchangeable. Locks the version; publishing twice changes nothing.

    raises: InvalidInput naming each item that means something else than in an earlier version
    """
    by.require(Permission.MANAGE_SURVEYS)
    locked = InstrumentVersion.objects.select_for_update().get(pk=version.pk)
    version.published_at = locked.published_at
    if locked.published_at is not None:
        return
    items = list(locked.items.order_by("position"))
    if not items:
        raise InvalidInput("There is no question in it yet.")
    if problems := list(_changed_meanings(locked, items)):
        raise InvalidInput(
            "Some questions mean something else than before; give them new codes.",
            problems=problems,
        )
    version.published_at = locked.published_at = now
    locked.save(update_fields=["published_at"])
    record(
        action="instrument.published",
        subject=f"instrument:{locked.instrument_id}",
        by=by,
        now=now,
        details={"version": locked.number, "items": len(items)},
    )


@transaction.atomic
def draft_next_version(*, version: InstrumentVersion, by: Principal) -> InstrumentVersion:
    """Return a new draft with the same questions under the same codes.

    Locks the instrument. raises: Conflict while the version, or a later one, is a draft
    """
    by.require(Permission.MANAGE_SURVEYS)
    instrument = Instrument.objects.select_for_update().get(pk=version.instrument_id)
    latest = instrument.versions.order_by("-number")[0]
    if latest.published_at is None:
        raise Conflict(f"Version {latest.number} is still a draft; change or publish that one.")
    draft = InstrumentVersion.objects.create(
        instrument=instrument,
        number=latest.number + 1,
        languages=version.languages,
        dimensions=version.dimensions,
        introduction=version.introduction,
        thanks=version.thanks,
    )
    items = list(version.items.order_by("position"))
    for item in items:
        item.pk, item.version = None, draft
    Item.objects.bulk_create(items)
    return draft


@transaction.atomic
def install_ready_instruments(*, now: datetime) -> list[InstrumentVersion]:
    """Add and publish the questionnaires that come with the product; those there are left alone."""
    system = system_principal("set-up")
    there = set(Instrument.objects.values_list("code", flat=True))
    added = []
    for definition in ready_definitions():
        if definition.code in there:
            continue
        version = create_instrument(definition=definition, by=system, now=now)
        publish_version(version=version, by=system, now=now)
        added.append(version)
    return added


def _locked_draft(version: InstrumentVersion) -> InstrumentVersion:
    locked = (
        InstrumentVersion.objects.select_for_update(of=("self",))
        .select_related("instrument")
        .get(pk=version.pk)
    )
    if locked.published_at is not None:
        raise Conflict(
            f"Version {locked.number} is published and never changes; draft the next version."
        )
    return locked


def _fill(version: InstrumentVersion, definition: Definition) -> None:
    version.languages = definition.languages
    version.dimensions = definition.dimensions
    version.introduction = definition.introduction
    version.thanks = definition.thanks
    version.save()
    Item.objects.bulk_create(
        Item(version=version, position=at, **asdict(item))
        for at, item in enumerate(definition.items, 1)
    )


def _changed_meanings(version: InstrumentVersion, items: Iterable[Item]) -> Iterable[Problem]:
    earlier: dict[str, Item] = {}
    published = Item.objects.filter(
        version__instrument=version.instrument_id, version__published_at__isnull=False
    )
    for item in published.select_related("version").order_by("version__number"):
        earlier[item.code] = item
    for item in items:
        before = earlier.get(item.code)
        if before is None:
            continue
        changed = [name for name in MEANING if getattr(item, name) != getattr(before, name)]
        if changed:
            yield Problem(
                f"{', '.join(changed)} was different in version {before.version.number}",
                field=item.code,
            )
