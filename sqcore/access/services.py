"""Making and revoking tokens, and finding out whose token a request carries."""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from sqcore.access.models import ApiToken
from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.memory import ShortMemory
from sqcore.identity.permissions import PERSONAL, TOKEN_PERMISSIONS, Permission
from sqcore.identity.principals import EVERYWHERE, Principal, Scope
from sqcore.org.models import Unit
from sqcore.org.queries import local_day, tree_on

LONGEST_LIFE = timedelta(days=366)
MEMORY_SECONDS = 30.0


@dataclass(frozen=True)
class _Known:
    principal: Principal
    token_id: int
    expires_at: datetime


_known: ShortMemory[str, _Known] = ShortMemory(seconds=MEMORY_SECONDS, entries=2000)
"""Tokens seen of late, by digest. In another process a revoked token lives on this long at most."""


@transaction.atomic
def make_token(
    *,
    name: str,
    permissions: Collection[Permission],
    units: Collection[Unit],
    expires_at: datetime,
    by: Principal,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Make a token; return it with its key, which is stored nowhere and never seen again.

    Without units it holds everywhere. Whoever may manage users may give permissions that they do
    not have themselves, as with roles; the ledger says so.
    raises: InvalidInput when it could do too much, for too long, or people without units
    """
    by.require(Permission.MANAGE_USERS)
    problems = list(_problems(permissions, units, expires_at, now))
    if not name.strip():
        problems.append(Problem("must say what the token is for", field="name"))
    if problems:
        raise InvalidInput("The token cannot be made like this.", problems=problems)
    prefix, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    key = f"sq_{prefix}_{secret}"
    token = ApiToken.objects.create(
        name=name.strip()[:100],
        prefix=prefix,
        digest=_digest(key),
        permissions=sorted(permission.value for permission in permissions),
        created_by=by.user,
        created_at=now,
        expires_at=expires_at,
    )
    token.units.set(units)
    record(
        action="token.made",
        subject=f"token:{token.pk}",
        by=by,
        now=now,
        details={
            "permissions": token.permissions,
            "units": sorted(unit.pk for unit in units),
            "expires_at": expires_at.isoformat(),
        },
    )
    return token, key


def _problems(
    permissions: Collection[Permission],
    units: Collection[Unit],
    expires_at: datetime,
    now: datetime,
) -> list[Problem]:
    problems = []
    if not permissions:
        problems.append(Problem("choose at least one", field="permissions"))
    if beyond := set(permissions) - TOKEN_PERMISSIONS:
        names = ", ".join(sorted(permission.value for permission in beyond))
        problems.append(Problem(f"no token can have: {names}", field="permissions"))
    if PERSONAL & set(permissions) and not units:
        problems.append(
            Problem("a token that sees staff must be bound to units; choose them", field="units")
        )
    if not now < expires_at <= now + LONGEST_LIFE:
        problems.append(
            Problem("must be later than now, by a year at the most", field="expires_at")
        )
    return problems


@transaction.atomic
def revoke_token(*, token: ApiToken, by: Principal, now: datetime) -> None:
    """End a token. This process refuses it at once, others within MEMORY_SECONDS.

    raises: Conflict when it was revoked before
    """
    by.require(Permission.MANAGE_USERS)
    if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        raise Conflict("The token is revoked already.")
    record(action="token.revoked", subject=f"token:{token.pk}", by=by, now=now)
    transaction.on_commit(lambda: forget_token(token.pk))


def forget_token(token_id: int) -> None:
    _known.forget(unless=lambda known: known.token_id != token_id)


def principal_with(key: str, *, now: datetime) -> Principal | None:
    """Return whom this key stands for, or None when it stands for nobody (any more).

    The answer of the database is kept for MEMORY_SECONDS; the day of last use is noted once a day.
    """
    digest = _digest(key)
    known = _known.get(digest)
    if known is None:
        known = _look_up(key, digest, now=now)
        if known is None:
            return None
        _known.put(digest, known)
    return known.principal if now < known.expires_at else None


def _look_up(key: str, digest: str, *, now: datetime) -> _Known | None:
    parts = key.split("_", 2)
    if len(parts) != 3 or parts[0] != "sq" or not parts[1].isalnum():
        return None
    token = ApiToken.objects.filter(prefix=parts[1], revoked_at=None, expires_at__gt=now).first()
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    day = local_day(now)
    if token.last_used_on != day:
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=day)
    unit_ids = list(token.units.values_list("id", flat=True))
    scope = Scope(units=tree_on(day).within(unit_ids)) if unit_ids else EVERYWHERE
    principal = Principal(
        key=f"token:{token.pk}", name=token.name, permissions=dict.fromkeys(token.may, scope)
    )
    return _Known(principal, token.pk, token.expires_at)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
