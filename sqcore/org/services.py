"""Changing the organisation. Every change leaves an audit row; nothing is ever deleted."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal
from sqcore.org.models import (
    Assignment,
    Organisation,
    Placement,
    Post,
    RoleGrant,
    Staff,
    Unit,
    during,
)
from sqcore.org.queries import forget_organisation, organisation, siblings_of, tree_on
from sqcore.org.shifts import starts_of


@transaction.atomic
def set_up_organisation(
    *,
    name: Mapping[str, str],
    by: Principal,
    now: datetime,
    time_zone: str | None = None,
    fiscal_start: int | None = None,
    smallest_group: int | None = None,
) -> Organisation:
    """Name the organisation and set its rules; what is not given stays as it is."""
    org = organisation()
    org.name = dict(name)
    org.time_zone = time_zone or org.time_zone
    org.fiscal_start = fiscal_start or org.fiscal_start
    org.smallest_group = smallest_group or org.smallest_group
    org.full_clean()
    org.save()
    record(action="organisation.set_up", subject="organisation", by=by, now=now)
    transaction.on_commit(forget_organisation)
    return org


@transaction.atomic
def set_shifts(
    *, shifts: Sequence[Mapping[str, Any]], by: Principal, now: datetime
) -> Organisation:
    """Set the parts of the day; closed periods in which shifts are compared become due again.

    raises: NotPermitted; ValidationError when they are no shifts
    """
    by.require(Permission.MANAGE_ORGANISATION)
    org = organisation()
    org.shifts = sorted(map(dict, shifts), key=itemgetter("begins"))
    org.full_clean()
    org.save(update_fields=None if org._state.adding else ["shifts"])
    record(
        action="organisation.shifts",
        subject="organisation",
        by=by,
        now=now,
        details={"begins": starts_of(org.shifts)},
    )
    transaction.on_commit(forget_organisation)
    return org


@transaction.atomic
def open_unit(
    *,
    code: str,
    name: Mapping[str, str],
    parent: Unit | None,
    on: date,
    by: Principal,
    now: datetime,
    kind: str = "branch",
) -> Unit:
    """Add a unit below `parent` from this day on; the first unit, without parent, is the whole.

    raises: Conflict when the code is taken, or for a second unit without parent
    """
    if Unit.objects.filter(code=code).exists():
        raise Conflict(_("There is a unit “%(code)s” already.") % {"code": code})
    ends_later = Q(valid_to__isnull=True) | Q(valid_to__gt=on)
    if parent is None and Placement.objects.filter(ends_later, parent__isnull=True).exists():
        raise Conflict(_("There is a unit for the whole organisation already; choose a parent."))
    unit = Unit(code=code, name=dict(name), kind=kind, opened_on=on)
    unit.full_clean()
    unit.save()
    Placement.objects.create(unit=unit, parent=parent, valid_from=on)
    record(action="unit.opened", subject=f"unit:{unit.pk}", by=by, now=now, details={"code": code})
    return unit


@transaction.atomic
def move_unit(*, unit: Unit, parent: Unit, on: date, by: Principal, now: datetime) -> Placement:
    """Put the unit below another parent from this day on; earlier days keep their tree.

    Locks the unit's placements. raises: InvalidInput when the parent is the unit or below it, or
    the day is not after the present place began
    """
    present = Placement.objects.select_for_update().get(unit=unit, valid_to__isnull=True)
    if on <= present.valid_from:
        raise InvalidInput(
            _("The unit stands where it is since %(day)s; move it later.")
            % {"day": present.valid_from}
        )
    if parent.pk in set(tree_on(on).below(unit.pk)):
        raise InvalidInput(_("A unit cannot stand below itself."))
    present.valid_to = on
    present.save(update_fields=["valid_to"])
    placement = Placement.objects.create(unit=unit, parent=parent, valid_from=on)
    record(
        action="unit.moved",
        subject=f"unit:{unit.pk}",
        by=by,
        now=now,
        details={"parent": parent.pk, "on": on.isoformat()},
    )
    return placement


@transaction.atomic
def shift_unit(*, unit: Unit, by_places: int, on: date, by: Principal, now: datetime) -> None:
    """Put a unit so many places further down (below 0: up) among those beside it on pages. What
    is computed does not depend on it.

    raises: NotPermitted; Conflict when there is no such place
    """
    by.require(Permission.MANAGE_ORGANISATION)
    beside = siblings_of(unit, on=on)
    # In one order, and read again: two moves at once both count and do not block each other.
    list(Unit.objects.select_for_update().filter(pk__in=[e.pk for e in beside]).order_by("pk"))
    beside = siblings_of(unit, on=on)
    codes = [each.code for each in beside]
    if unit.code not in codes:
        raise Conflict(_("The unit is closed."))
    at = codes.index(unit.code) + by_places
    if by_places == 0 or not 0 <= at < len(beside):
        raise Conflict(_("The unit stands first or last already."))
    moved = beside.pop(codes.index(unit.code))
    beside.insert(at, moved)
    for position, each in enumerate(beside):
        if each.position != position:
            Unit.objects.filter(pk=each.pk).update(position=position)
    record(
        action="unit.shifted",
        subject=f"unit:{unit.pk}",
        by=by,
        now=now,
        details={"order": [each.code for each in beside]},
    )


@transaction.atomic
def close_unit(*, unit: Unit, on: date, by: Principal, now: datetime) -> None:
    """Close a unit from this day on, and end its place, assignments and roles.

    raises: Conflict while units below it are open
    """
    tree = tree_on(on)
    if any(child != unit.pk for child in tree.below(unit.pk)):
        raise Conflict(_("Close or move the units below it first."))
    unit.closed_on = on
    unit.full_clean()
    unit.save(update_fields=["closed_on"])
    for rows in (
        Placement.objects.filter(unit=unit),
        Assignment.objects.filter(unit=unit),
        RoleGrant.objects.filter(unit=unit),
    ):
        rows.filter(valid_to__isnull=True, valid_from__lt=on).update(valid_to=on)
    record(
        action="unit.closed",
        subject=f"unit:{unit.pk}",
        by=by,
        now=now,
        details={"on": on.isoformat()},
    )


@transaction.atomic
def add_staff(
    *,
    number: str,
    name: str,
    unit: Unit,
    post: Post,
    on: date,
    by: Principal,
    now: datetime,
    user: User | None = None,
) -> Staff:
    """Add a person who starts at this unit in this post on this day."""
    if Staff.objects.filter(number=number).exists():
        raise Conflict(_("Staff number %(number)s is taken.") % {"number": number})
    staff = Staff.objects.create(number=number, name=name, user=user, joined_on=on)
    Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=on)
    record(action="staff.added", subject=f"staff:{staff.pk}", by=by, now=now)
    return staff


@transaction.atomic
def assign_staff(
    *, staff: Staff, unit: Unit, post: Post, on: date, by: Principal, now: datetime
) -> Assignment:
    """Move a person to this unit and post from this day on; what they did before ends.

    raises: InvalidInput when the day is not after the present assignment began
    """
    present = Assignment.objects.select_for_update().filter(during(on), staff=staff)
    if present.filter(valid_from__gte=on).exists():
        raise InvalidInput(_("The present assignment begins that day; choose a later one."))
    present.update(valid_to=on)
    assignment = Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=on)
    record(
        action="staff.assigned",
        subject=f"staff:{staff.pk}",
        by=by,
        now=now,
        details={"unit": unit.pk, "post": post.pk, "on": on.isoformat()},
    )
    return assignment


@transaction.atomic
def grant_role(
    *, user: User, role: Role, unit: Unit | None, on: date, by: Principal, now: datetime
) -> RoleGrant:
    """Give a role from this day on; giving it twice changes nothing.

    raises: InvalidInput when a manager's or staff role has no unit, or an administrator's or
    analyst's has one
    """
    if unit is None and role in RoleGrant.NEEDS_UNIT:
        raise InvalidInput(
            _("The role “%(role)s” belongs to a unit; choose one.") % {"role": role.label}
        )
    if unit is not None and role in RoleGrant.EVERYWHERE:
        raise InvalidInput(
            _("The role “%(role)s” holds everywhere; give it without a unit.")
            % {"role": role.label}
        )
    held = RoleGrant.objects.filter(during(on), user=user, role=role, unit=unit).first()
    if held is not None:
        return held
    grant = RoleGrant.objects.create(user=user, role=role, unit=unit, valid_from=on)
    record(
        action="role.granted",
        subject=f"user:{user.pk}",
        by=by,
        now=now,
        details={"role": role.value, "unit": unit.pk if unit else None},
    )
    return grant


@transaction.atomic
def end_role(*, grant: RoleGrant, on: date, by: Principal, now: datetime) -> None:
    """End a role from this day on; one that begins later never begins."""
    rows = RoleGrant.objects.filter(pk=grant.pk).filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=on)
    )
    rows.filter(valid_from__gte=on).delete()
    rows.filter(valid_from__lt=on).update(valid_to=on)
    record(
        action="role.ended",
        subject=f"user:{grant.user_id}",
        by=by,
        now=now,
        details={"role": grant.role, "unit": grant.unit_id, "on": on.isoformat()},
    )
