"""The calendar address of a person: made, renewed, taken away by that person alone."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import NotPermitted
from sqcore.identity.principals import Principal
from training.records.feed import new_ref
from training.records.models import CalendarFeed
from training.records.queries import Export


@transaction.atomic
def make_calendar_address(*, by: Principal, now: datetime) -> CalendarFeed:
    """Give who asks a calendar address; a former one opens nothing from now on.

    raises: NotPermitted for who is no staff member
    """
    staff_id = _oneself(by)
    feed, is_new = CalendarFeed.objects.update_or_create(
        staff_id=staff_id, defaults={"ref": new_ref(), "made_at": now}
    )
    action = "training.calendar.made" if is_new else "training.calendar.renewed"
    record(action=action, subject=f"staff:{staff_id}", by=by, now=now)
    return feed


@transaction.atomic
def remove_calendar_address(*, by: Principal, now: datetime) -> None:
    """Take the calendar address of who asks away; nothing happens when there is none.

    raises: NotPermitted for who is no staff member
    """
    staff_id = _oneself(by)
    removed, _kinds = CalendarFeed.objects.filter(staff_id=staff_id).delete()
    if removed:
        record(action="training.calendar.removed", subject=f"staff:{staff_id}", by=by, now=now)


def _oneself(by: Principal) -> int:
    if by.staff_id is None:
        raise NotPermitted(_("Only who works here has training of their own."))
    return by.staff_id


def note_export(*, kind: Export, by: Principal, now: datetime) -> None:
    """Write into the ledger that people left as a file. raises: NotPermitted"""
    by.require(kind.permission)
    record(action="people.exported", subject=kind.key, by=by, now=now)
