"""Reading the organisation: its settings, the tree on a day, who a person is here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.base.memory import ShortMemory
from sqcore.identity.models import User
from sqcore.identity.permissions import MATRIX, Permission, Role
from sqcore.identity.principals import EVERYWHERE, Principal, Scope, granted
from sqcore.org.models import Organisation, Placement, RoleGrant, Staff, Unit, during


def organisation() -> Organisation:
    """Return the organisation; before set-up an unsaved one with the defaults."""
    return Organisation.objects.filter(pk=1).first() or Organisation(
        pk=1, name={"en": "My organisation", "zh-hans": "我的机构"}
    )


_remembered: ShortMemory[None, Organisation] = ShortMemory(seconds=30)


def _rules() -> Organisation:
    """Return the organisation for its calendar; a change is seen within 30 seconds."""
    known = _remembered.get(None)
    if known is None:
        known = organisation()
        _remembered.put(None, known)
    return known


def forget_organisation() -> None:
    _remembered.forget()


def fiscal_start() -> int:
    """Return the month in which the fiscal year begins."""
    return _rules().fiscal_start


def local_day(now: datetime, org: Organisation | None = None) -> date:
    """Return the business date of a moment."""
    zone = ZoneInfo((org or _rules()).time_zone)
    return now.astimezone(zone).date()


@dataclass(frozen=True)
class UnitTree:
    """The tree of units as it stood on one day: child id -> parent id (None at the root)."""

    parents: Mapping[int, int | None]

    @cached_property
    def children(self) -> dict[int | None, list[int]]:
        below: dict[int | None, list[int]] = {}
        for child in sorted(self.parents):
            below.setdefault(self.parents[child], []).append(child)
        return below

    @property
    def roots(self) -> list[int]:
        return self.children.get(None, [])

    def path(self, unit_id: int) -> list[int]:
        """Return the unit and everything above it, the unit first."""
        path: list[int] = []
        at: int | None = unit_id
        while at is not None and at not in path:
            path.append(at)
            at = self.parents.get(at)
        return path

    def below(self, unit_id: int) -> Iterator[int]:
        """Yield the unit and everything below it, parents before children."""
        yield unit_id
        for child in self.children.get(unit_id, []):
            yield from self.below(child)

    def within(self, unit_ids: Iterable[int]) -> frozenset[int]:
        """Return these units and all below them."""
        return frozenset(found for unit_id in unit_ids for found in self.below(unit_id))


def tree_on(on: date) -> UnitTree:
    """Return the unit tree as it stood on this day."""
    rows = Placement.objects.filter(during(on)).order_by("unit_id")
    return UnitTree(dict(rows.values_list("unit_id", "parent_id")))


def in_tree_order(units: Iterable[Unit], tree: UnitTree) -> list[tuple[Unit, int]]:
    """Return these units as people read the tree: parents before children, siblings in their
    order, then by code; each with its depth below the highest of them."""
    known = {unit.pk: unit for unit in units}
    below: dict[int | None, list[Unit]] = {}
    for unit in sorted(known.values(), key=lambda unit: (unit.position, unit.code)):
        above = (pk for pk in tree.path(unit.pk)[1:] if pk in known)
        below.setdefault(next(above, None), []).append(unit)

    def walk(at: int | None, depth: int) -> Iterator[tuple[Unit, int]]:
        for unit in below.get(at, []):
            yield unit, depth
            yield from walk(unit.pk, depth + 1)

    return list(walk(None, 0))


def siblings_of(unit: Unit, *, on: date) -> list[Unit]:
    """Return the open units that stand beside this one on this day, it among them, in order."""
    places = Placement.objects.filter(during(on), unit=unit)
    parent = places.values_list("parent_id", flat=True).first()
    if parent is None:
        return [unit]
    beside = Placement.objects.filter(during(on), parent_id=parent)
    units = Unit.objects.open_on(on).filter(pk__in=beside.values("unit_id"))
    return list(units.order_by("position", "code"))


def principal_for(user: User, *, on: date) -> Principal:
    """Return the user as a principal: their roles of this day, each with its units and below."""
    grants: list[tuple[str, int | None]] = list(
        RoleGrant.objects.filter(during(on), user=user)
        .order_by("id")
        .values_list("role", "unit_id")
    )
    if user.is_superuser:
        grants.append((Role.ADMINISTRATOR.value, None))
    tree = tree_on(on) if any(unit_id for _role, unit_id in grants) else UnitTree({})
    staff_id = Staff.objects.filter(user=user).values_list("id", flat=True).first()
    return Principal(
        key=f"user:{user.pk}",
        name=user.name,
        permissions=granted(_permissions(grants, tree)),
        user=user,
        staff_id=staff_id,
    )


def _permissions(
    grants: Iterable[tuple[str, int | None]], tree: UnitTree
) -> Iterator[tuple[Permission, Scope]]:
    for role, unit_id in grants:
        scope = EVERYWHERE if unit_id is None else Scope(units=_scope_units(role, unit_id, tree))
        for permission in MATRIX[Role(role)]:
            yield permission, scope


def _scope_units(role: str, unit_id: int, tree: UnitTree) -> frozenset[int]:
    """A staff role holds at its unit alone, every other at the unit and below."""
    return frozenset({unit_id}) if role == Role.STAFF else tree.within([unit_id])


def roles_of(user: User, *, on: date) -> list[Role]:
    """Return the roles that the user holds on this day, each once."""
    held = RoleGrant.objects.filter(during(on), user=user).values_list("role", flat=True)
    return [role for role in Role if role.value in set(held)]


def root_unit_id(*, on: date) -> int:
    """Return the id of the unit that stands for the whole organisation."""
    roots = tree_on(on).roots
    if not roots:
        raise NotFound(_("There is no unit yet. Add the organisation's units first."))
    return roots[0]


def parent_codes(principal: Principal, *, on: date) -> dict[int, str]:
    """Return, by unit, the code of the unit above it on this day, where the asker may see that."""
    visible = Unit.objects.visible_to(principal)
    rows = Placement.objects.filter(during(on), parent__in=visible)
    return dict(rows.order_by("unit_id").values_list("unit_id", "parent__code"))


def units_named(codes: Iterable[str]) -> list[Unit]:
    """Return the units of these codes. raises: NotFound naming those that there are not"""
    wanted = list(codes)
    units = list(Unit.objects.filter(code__in=wanted).order_by("code"))
    if missing := sorted(set(wanted) - {unit.code for unit in units}):
        raise NotFound(_("There is no unit: %(codes)s.") % {"codes": ", ".join(missing)})
    return units


def managers_of(unit_ids: Iterable[int], *, on: date) -> dict[int, list[str]]:
    """Return the names of those who manage these units themselves on this day, by unit."""
    grants = RoleGrant.objects.filter(during(on), role=Role.MANAGER, unit__in=list(unit_ids))
    found: dict[int, list[str]] = {}
    for unit_id, name in grants.order_by("user__name").values_list("unit_id", "user__name"):
        found.setdefault(unit_id, []).append(name)
    return found
