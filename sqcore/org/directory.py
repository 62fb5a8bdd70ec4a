"""Answers the port `sqcore.identity.directory` from the roles by unit."""

from datetime import datetime

from django.db.models import Q

from sqcore.identity.models import User
from sqcore.identity.permissions import MATRIX, Permission, Role
from sqcore.identity.principals import Principal
from sqcore.org.models import RoleGrant, during
from sqcore.org.queries import local_day, principal_for, tree_on


class RoleDirectory:
    """Reads the role grants of the local day."""

    def principal_of(self, user: User, *, now: datetime) -> Principal:
        return principal_for(user, on=local_day(now))

    def holders_of(
        self, permission: Permission, *, unit_id: int | None, now: datetime
    ) -> list[User]:
        on = local_day(now)
        roles = [role for role in Role if permission in MATRIX[role]]
        grants = RoleGrant.objects.filter(during(on), role__in=roles)
        if unit_id is not None:
            above = Q(unit__in=tree_on(on).path(unit_id)) & ~Q(role=Role.STAFF)
            grants = grants.filter(Q(unit__isnull=True) | above | Q(unit=unit_id))
        holders = Q(pk__in=grants.values("user_id"))
        if permission in MATRIX[Role.ADMINISTRATOR]:
            holders |= Q(is_superuser=True)
        return list(User.objects.filter(holders, is_active=True).order_by("pk"))
