"""The page “What matters”."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from surveys.drivers.forms import asked_of_matters
from surveys.drivers.pages import MattersPage, matters_page


@login_required
@require_safe
def matters(request: HttpRequest) -> HttpResponse:
    """Show what the outcome hangs on, what to do first, and what is taken for granted."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    page = matters_page(principal=principal, asked=asked_of_matters(request.GET))
    if isinstance(page, MattersPage):
        return render(request, "surveys/drivers/matters.html", {"page": page})
    return render(request, "surveys/drivers/nothing.html", {"nothing": page})
