"""Plain makers of things for tests: exact values, nothing random."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal, Scope
from sqcore.org.models import Channel, Placement, Post, RoleGrant, Segment, Staff, Unit

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
PASSWORD = "correct horse battery"


def make_user(username: str, **over: object) -> User:
    fields: dict[str, object] = {"name": username.title(), "email": f"{username}@bank.test"}
    return User.objects.create_user(username, PASSWORD, **{**fields, **over})


def make_unit(code: str, *, parent: Unit | None = None, on: date = date(2020, 1, 1)) -> Unit:
    unit = Unit.objects.create(code=code, name={"en": code.title()}, opened_on=on)
    Placement.objects.create(unit=unit, parent=parent, valid_from=on)
    return unit


def make_channel(code: str) -> Channel:
    return Channel.objects.create(code=code, name={"en": code.title()})


def make_segment(code: str) -> Segment:
    return Segment.objects.create(code=code, name={"en": code.title()})


def make_staff(number: str, *, user: User | None = None) -> Staff:
    return Staff.objects.create(
        number=number, name=f"Staff {number}", user=user, joined_on=date(2020, 1, 1)
    )


def make_post(code: str = "teller") -> Post:
    return Post.objects.create(code=code, name={"en": code.title()})


def give_role(user: User, role: Role, unit: Unit | None = None) -> RoleGrant:
    return RoleGrant.objects.create(user=user, role=role, unit=unit, valid_from=date(2020, 1, 1))


def make_principal(
    permissions: Mapping[Permission, Scope], *, key: str = "user:0", user: User | None = None
) -> Principal:
    return Principal(key=key, name="Somebody", permissions=permissions, user=user)
