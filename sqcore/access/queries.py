"""Reading tokens: never their keys, which nobody has."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from sqcore.access.models import ApiToken
from sqcore.base.errors import NotFound
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


class TokenState(TextChoices):
    ACTIVE = "active", _("In use")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


@dataclass(frozen=True)
class TokenRow:
    """A token as its page shows it."""

    token: ApiToken
    state: TokenState
    permissions: list[str]
    units: list[str]

    @property
    def is_active(self) -> bool:
        return self.state == TokenState.ACTIVE


def token_rows(*, principal: Principal, now: datetime) -> list[TokenRow]:
    """Return all tokens, those in use first, the newest at the front."""
    tokens = ApiToken.objects.visible_to(principal).select_related("created_by")
    rows = [
        TokenRow(
            token,
            state_of(token, now=now),
            [str(permission.label) for permission in Permission if permission in token.may],
            sorted(in_language(unit.name) for unit in token.units.all()),
        )
        for token in tokens.prefetch_related("units").order_by("-created_at", "-id")
    ]
    return sorted(rows, key=lambda row: not row.is_active)


def state_of(token: ApiToken, *, now: datetime) -> TokenState:
    if token.revoked_at is not None:
        return TokenState.REVOKED
    return TokenState.ACTIVE if now < token.expires_at else TokenState.EXPIRED


def token_by_id(token_id: int, *, principal: Principal) -> ApiToken:
    """Return the token. raises: NotFound, also when it is not for who asks"""
    token = ApiToken.objects.visible_to(principal).filter(pk=token_id).first()
    if token is None:
        raise NotFound("There is no such token.")
    return token
