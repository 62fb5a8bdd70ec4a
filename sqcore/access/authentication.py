"""Who asks over REST: a token's client or a person who is logged in; and what is said to others."""

import logging
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpResponse
from django.urls import ResolverMatch
from django.utils import timezone
from django.utils.encoding import escape_uri_path
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from sqcore.access.services import principal_with
from sqcore.audit.services import record
from sqcore.base.api import count_request, problem_of
from sqcore.base.memory import ShortMemory
from sqcore.identity.principals import Principal, principal_of

log = logging.getLogger("sqcore.api")

_noted: ShortMemory[tuple[str, str, int], bool] = ShortMemory(seconds=60)
"""Refusals that the ledger has heard of in this minute."""


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer sq_…`. A wrong token is refused, not taken for nobody."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Principal] | None:
        scheme, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        principal = principal_with(key.strip(), now=timezone.now())
        if principal is None:
            count_request("refused", request.META.get("REMOTE_ADDR", ""))
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        request._request.principal = principal  # type: ignore[attr-defined]  # Django's requests are open for this
        return AnonymousUser(), principal

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="sqcore"'


class PersonAuthentication(SessionAuthentication):
    """The session of a person who is logged in; whatever changes something needs a CSRF token."""


def forget_refusals() -> None:
    _noted.forget()


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Turn what a view raised into a problem document; note who was refused what."""
    response = problem_of(error)
    if response is not None and response.status_code in (401, 403, 429):
        _note_refusal(context["request"], response.status_code)
    return response


def _note_refusal(request: Request, status: int) -> None:
    """Log every refusal; the ledger gets those of known principals, one a minute and address."""
    principal = principal_of(request._request)
    match: ResolverMatch | None = request.resolver_match
    route = match.route if match else ""
    log.warning(
        "refused %s %s to %s from %s: %s",
        request.method,
        escape_uri_path(request.path),
        principal.key,
        request.META.get("REMOTE_ADDR", ""),
        status,
    )
    seen = (principal.key, route, status)
    if status != 403 or principal.is_anonymous or _noted.get(seen):
        return
    _noted.put(seen, value=True)
    with transaction.atomic():
        record(
            action="api.refused",
            subject=principal.key,
            by=principal,
            now=timezone.now(),
            details={"method": request.method, "route": route},
        )
