"""The pages of tokens, and the REST interface described as a page and as a file."""

from functools import cache
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2

from sqcore.access.forms import TokenForm
from sqcore.access.queries import token_by_id, token_rows
from sqcore.access.services import make_token, revoke_token
from sqcore.base.errors import DomainError
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of

UNSAFE_INLINE = "'unsafe-inline'"


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """All tokens and the form for a new one; its key is shown in the answer, once."""
    principal, now = principal_of(request), timezone.now()
    principal.require(Permission.MANAGE_USERS)
    form = TokenForm(request.POST or None, now=now)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                token, key = make_token(by=principal, now=now, **form.asked())
            except DomainError as refusal:
                form.show(refusal)
            else:
                context = {"token": token, "key": key, "base": request.build_absolute_uri("/")}
                return render(request, "sqcore/access/made.html", context)
    context = {"form": form, "rows": token_rows(principal=principal, now=now)}
    return render(request, "sqcore/access/tokens.html", context, status=status)


@login_required
@require_POST
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token at once."""
    principal = principal_of(request)
    token = token_by_id(token_id, principal=principal)
    revoke_token(token=token, by=principal, now=timezone.now())
    messages.success(request, _("“%(name)s” is revoked.") % {"name": token.name})
    return redirect("sqcore:access-tokens")


# Swagger UI draws some of its parts with style attributes; scripts stay the house's own files.
@csp_replace({"style-src": [SELF, UNSAFE_INLINE]})
@require_GET
def api_page(request: HttpRequest) -> HttpResponse:
    """The REST interface to read and to try."""
    return render(request, "sqcore/access/api.html")


@require_GET
def schema(request: HttpRequest, form: str = "yaml") -> HttpResponse:
    """The OpenAPI document; it is the same for everybody and holds no data."""
    content_type = "application/json" if form == "json" else "application/yaml; charset=utf-8"
    response = HttpResponse(openapi_document(form), content_type=content_type)
    response["Cache-Control"] = "public, max-age=3600"
    return response


@cache
def openapi_document(form: str) -> bytes:
    """Return the OpenAPI document in English; made once a process."""
    renderer: Any = OpenApiJsonRenderer2() if form == "json" else OpenApiYamlRenderer2()
    with override("en"):
        document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # the library has no types
        rendered: bytes = renderer.render(document, renderer_context={})
    return rendered
