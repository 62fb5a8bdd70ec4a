"""The entrance to the REST interface, and what is answered where there is nothing."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.defaults import server_error as error_page
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers
from rest_framework.request import Request

from sqcore.access.authentication import PersonAuthentication, TokenAuthentication
from sqcore.base.api import json_response, not_found, problem
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented
from sqcore.identity.api import ApiView


class RootRow(serializers.Serializer[Any]):
    you = serializers.CharField(help_text="Who asks: the name of the token or person")
    permissions = serializers.ListField(child=serializers.CharField())
    docs = serializers.URLField()
    schema = serializers.URLField()


class RootView(ApiView):
    """A first request: does my token work, what may it do, where do I read on."""

    @documented(operation="root", summary="Who you are here", tag="Start", answer=RootRow)
    def get(self, request: Request) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        row = {
            "you": self.principal.name,
            "permissions": sorted(code.value for code in self.principal.permissions),
            "docs": request.build_absolute_uri(reverse("sqcore-api:access-docs")),
            "schema": request.build_absolute_uri(reverse("sqcore-api:access-schema")),
        }
        return json_response(row)


def unknown_address(request: HttpRequest) -> HttpResponse:
    """What is answered below /api/ where there is nothing: a problem, not a page."""
    return not_found()


def server_error(request: HttpRequest) -> HttpResponse:
    """What a bug looks like from outside: a problem to programs, a page to people."""
    if request.path.startswith("/api/"):
        detail = "Something went wrong here. It is in the server's log."
        return problem(status=500, code="server_error", detail=detail)
    return error_page(request)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types
    """How the OpenAPI document describes tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "sq_<prefix>_<secret>"}


class PersonScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types
    """How the OpenAPI document describes people who are logged in."""

    target_class = PersonAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
