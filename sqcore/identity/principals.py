"""Who asks: a person or a token, what they may do and where. Every `visible_to` filters by it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqcore.base.errors import NotPermitted
from sqcore.identity.permissions import Permission

if TYPE_CHECKING:
    from django.http import HttpRequest

    from sqcore.identity.models import User


@dataclass(frozen=True)
class Scope:
    """The units a permission holds for: everywhere, or these (descendants already included)."""

    everywhere: bool = False
    units: frozenset[int] = frozenset()

    def __contains__(self, unit_id: int) -> bool:
        return self.everywhere or unit_id in self.units

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.units)

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(self.everywhere or other.everywhere, self.units | other.units)


NOWHERE = Scope()
EVERYWHERE = Scope(everywhere=True)


@dataclass(frozen=True)
class Principal:
    """A person, a token or the system itself, with each permission's scope.

    `key` is stable and says the kind: `user:7`, `token:3`, `system`, `anonymous`.
    `staff_id` is the staff member this person is, if any.
    """

    key: str
    name: str
    permissions: Mapping[Permission, Scope] = field(default_factory=dict)
    user: "User | None" = None
    staff_id: int | None = None

    def scope(self, permission: Permission) -> Scope:
        return self.permissions.get(permission, NOWHERE)

    def may(self, permission: Permission, *, unit_id: int | None = None) -> bool:
        """True when the permission holds at this unit (without a unit: anywhere at all)."""
        scope = self.scope(permission)
        return bool(scope) if unit_id is None else unit_id in scope

    def require(self, permission: Permission, *, unit_id: int | None = None) -> None:
        """Raise NotPermitted unless `may`."""
        if not self.may(permission, unit_id=unit_id):
            raise NotPermitted(f"“{permission.label}” is not among your permissions here.")

    @property
    def is_anonymous(self) -> bool:
        return self.key == "anonymous"


ANONYMOUS = Principal(key="anonymous", name="")


def system_principal(name: str = "system") -> Principal:
    """The software itself, for scheduled work and commands: it may everything, everywhere."""
    return Principal(key="system", name=name, permissions=dict.fromkeys(Permission, EVERYWHERE))


def granted(grants: Iterable[tuple[Permission, Scope]]) -> dict[Permission, Scope]:
    """Join grants of the same permission."""
    joined: dict[Permission, Scope] = {}
    for permission, scope in grants:
        joined[permission] = joined.get(permission, NOWHERE) | scope
    return joined


def principal_of(request: "HttpRequest") -> Principal:
    """Return who asks; set by the roof's middleware for pages and by the token check for REST."""
    principal = getattr(request, "principal", ANONYMOUS)
    return principal if isinstance(principal, Principal) else ANONYMOUS
