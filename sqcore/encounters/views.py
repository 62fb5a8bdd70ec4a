"""Pages of encounters: the process map."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from sqcore.encounters.forms import asked_of_process
from sqcore.encounters.process_page import process_page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of

# The process map ----------------------------------------------------------------------------------


@login_required
@require_GET
def process(request: HttpRequest) -> HttpResponse:
    """How customers go through the stages, and where most of their time goes."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    page = process_page(
        principal=principal, asked=asked_of_process(request.GET), now=timezone.now()
    )
    return render(request, "sqcore/encounters/process.html", {"page": page})
