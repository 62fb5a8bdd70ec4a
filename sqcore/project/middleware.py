"""What every request passes through."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from sqcore.base.errors import DomainError, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.identity.principals import ANONYMOUS, Principal, principal_of
from sqcore.org.queries import local_day, organisation, principal_for


class PrincipalMiddleware:
    """Put who asks on the request, looked up when first needed; their pages tell local time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = SimpleLazyObject(lambda: _principal(request))  # type: ignore[attr-defined]  # Django's requests are open for this
        try:
            return self.get_response(request)
        finally:
            timezone.deactivate()


def _principal(request: HttpRequest) -> Principal:
    user = request.user
    if not isinstance(user, User):
        return ANONYMOUS
    # The organisation is read for the day anyway, so its time zone for pages costs nothing here.
    org = organisation()
    timezone.activate(ZoneInfo(org.time_zone))
    return principal_for(user, on=local_day(timezone.now(), org))


class RefusalMiddleware:
    """Show what the domain refuses as a page with its reason, so that views need not catch it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DomainError):
            return None
        if isinstance(exception, NotPermitted) and principal_of(request).is_anonymous:
            return redirect_to_login(request.get_full_path())
        template = {NotFound: "404.html", NotPermitted: "403.html"}.get(
            type(exception), "refused.html"
        )
        context = {"refusal": exception.message, "problems": exception.problems}
        return render(request, template, context, status=exception.status)
