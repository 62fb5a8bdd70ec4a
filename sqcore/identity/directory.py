"""The port through which lower rooms ask who a person is here and who may do something.

Roles belong to units and stand in a higher room, which provides the directory at start.
"""

from datetime import datetime
from typing import Protocol

from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


class Directory(Protocol):
    """Knows the roles of people at a moment."""

    def principal_of(self, user: User, *, now: datetime) -> Principal:
        """Return the user with what they may do now."""
        ...

    def holders_of(
        self, permission: Permission, *, unit_id: int | None, now: datetime
    ) -> list[User]:
        """Return who may do this at the unit (without one: anywhere at all) and may log in."""
        ...


_provided: list[Directory] = []


def provide_directory(directory: Directory) -> None:
    """Name the one directory of this program."""
    _provided[:] = [directory]


def directory() -> Directory:
    """Return the directory that was provided at start."""
    return _provided[0]
