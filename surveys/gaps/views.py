"""The page of the five gaps."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from sqcore.org.queries import local_day
from surveys.gaps.pages import gaps_page


@login_required
@require_safe
def gaps(request: HttpRequest) -> HttpResponse:
    """Show the five gaps with their intervals and what may cause them."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    page = gaps_page(
        principal=principal,
        until=request.GET.get("until", ""),
        on=local_day(timezone.now()),
    )
    return render(request, "surveys/gaps/gaps.html", {"page": page})
