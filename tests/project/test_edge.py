"""What holds for every request: whose address it is, what may be kept, what browsers are told."""

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from sqcore.project.edge import ClientAddressMiddleware, NoStoreMiddleware


def _address(settings: Settings, proxies: int, header: str) -> str:
    settings.PROXIES = proxies
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=header, REMOTE_ADDR="10.0.0.9")
    ClientAddressMiddleware(lambda request: HttpResponse())(request)
    address: str = request.META["REMOTE_ADDR"]
    return address


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, "203.0.113.5", "10.0.0.9"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        (2, "6.6.6.6, 203.0.113.5, 10.0.0.1", "203.0.113.5"),
        (2, "203.0.113.5", "10.0.0.9"),
        (1, "", "10.0.0.9"),
    ],
)
def test_only_what_ones_own_proxies_wrote_is_believed(
    settings: Settings, proxies: int, header: str, address: str
) -> None:
    assert _address(settings, proxies, header) == address


def _cache_control(request: HttpRequest, response: HttpResponse) -> str | None:
    return NoStoreMiddleware(lambda request: response)(request).get("Cache-Control")


def test_a_signed_in_page_is_not_stored() -> None:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.session[SESSION_KEY] = "1"

    assert _cache_control(request, HttpResponse()) == "private, no-store"


def test_an_answer_to_a_token_is_not_stored() -> None:
    request = RequestFactory().get("/", HTTP_AUTHORIZATION="Bearer x")

    assert _cache_control(request, HttpResponse()) == "private, no-store"


def test_a_view_that_chose_is_left_alone() -> None:
    request = RequestFactory().get("/", HTTP_AUTHORIZATION="Bearer x")

    kept = _cache_control(request, HttpResponse(headers={"Cache-Control": "private, no-cache"}))

    assert kept == "private, no-cache"


def test_a_page_for_everybody_may_be_stored() -> None:
    request = RequestFactory().get("/")
    request.session = SessionStore()

    assert _cache_control(request, HttpResponse()) is None


def test_browsers_are_told_to_trust_nothing_else(client: Client) -> None:
    answer = client.get("/healthz")

    policy = dict(
        part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["form-action"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
