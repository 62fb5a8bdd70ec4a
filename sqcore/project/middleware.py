"""What every request passes through."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from sqcore.identity.models import User
from sqcore.identity.principals import ANONYMOUS, Principal
from sqcore.org.queries import local_day, principal_for


class PrincipalMiddleware:
    """Put who asks on the request, looked up when first needed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = SimpleLazyObject(lambda: _principal(request))  # type: ignore[attr-defined]  # Django's requests are open for this
        return self.get_response(request)


def _principal(request: HttpRequest) -> Principal:
    user = request.user
    if not isinstance(user, User):
        return ANONYMOUS
    return principal_for(user, on=local_day(timezone.now()))
