"""What holds for every request, whatever the page: whose address it is, what may be kept."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]


class ClientAddressMiddleware:
    """Behind one's own proxies, take the client's address from the header they wrote.

    Only the entry that the outermost of `SQ_PROXIES` proxies added is believed; what a client wrote
    itself stands left of it. Without proxies the header is not read at all.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        proxies: int = settings.PROXIES
        if proxies:
            path = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
            if len(path) >= proxies and path[-proxies].strip():
                request.META["REMOTE_ADDR"] = path[-proxies].strip()
        return self.get_response(request)


class NoStoreMiddleware:
    """Keep what a signed-in person or a token saw out of every cache, unless the view chose."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control") and _is_personal(request):
            response["Cache-Control"] = "private, no-store"
        return response


def _is_personal(request: HttpRequest) -> bool:
    if "Authorization" in request.headers:
        return True
    # An untouched session had no part in the page, and looking now would cost a query.
    session = getattr(request, "session", None)
    return bool(session is not None and session.accessed and SESSION_KEY in session)
