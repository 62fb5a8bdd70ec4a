"""The view that every REST address stands on: who asks, whether they may, and how often."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from sqcore.base.api import OneForm, OrjsonRenderer, StrictJSONParser, count_request
from sqcore.base.errors import NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of


class ApiView(APIView):
    """Refuses whoever has none of the permissions that `needs` names for the method.

    Where the permission holds is for the query: `visible_to(self.principal)`. A method that `needs`
    leaves out asks for log-in only.
    """

    needs: ClassVar[Mapping[str, tuple[Permission, ...]]] = {}

    parser_classes = (StrictJSONParser,)
    renderer_classes = (OrjsonRenderer,)
    content_negotiation_class = OneForm
    principal: Principal

    def check_permissions(self, request: Request) -> None:
        self.principal = principal_of(request._request)
        if self.principal.is_anonymous:
            raise NotAuthenticated("Log in, or send a token: “Authorization: Bearer sq_…”.")
        needed = self.needs.get(request.method or "")
        if needed and not any(self.principal.may(permission) for permission in needed):
            names = " or ".join(f"“{permission.label}”" for permission in needed)
            raise NotPermitted(f"You need the permission {names}.")

    def sent(self, request: Request) -> dict[str, Any]:
        """Return the object that was sent; the parser lets nothing else through."""
        return dict(request.data)

    def check_throttles(self, request: Request) -> None:
        is_read = request.method in ("GET", "HEAD", "OPTIONS")
        count_request("read" if is_read else "write", self.principal.key)
