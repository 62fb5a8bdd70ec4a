"""Requests to Django's own WSGI handler, without a network: nothing but the answer is timed."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory, override_settings

Environ = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


def handler(*, bare: bool = False) -> WSGIHandler:
    """Return the web application, in the product's stack of middleware or (bare) in none."""
    if not bare:
        return WSGIHandler()
    with override_settings(MIDDLEWARE=[]):
        return WSGIHandler()


def get(address: str, **extra: str) -> Environ:
    """Return what a server hands over for a GET; can be asked any number of times."""
    return RequestFactory().get(address, **extra).environ  # type: ignore[arg-type]  # headers


def post(address: str, body: bytes, **extra: str) -> Environ:
    """Return what a server hands over for a form that was sent; its body can be read once."""
    environ = RequestFactory().get(address, **extra).environ  # type: ignore[arg-type]  # headers
    return environ | {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }


def ask(application: WSGIHandler, environ: Environ) -> Answer:
    """Ask, read the whole answer and close it, as a server does."""
    response = application(dict(environ), lambda *_head: lambda _body: None)
    body = b"".join(response)
    response.close()
    return Answer(response.status_code, body, response.headers)
