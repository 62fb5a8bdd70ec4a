"""The inbox."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from sqcore.identity.principals import principal_of
from sqcore.notices import queries, services

PER_PAGE = 25


@login_required
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """List the notices of this person, newest first; `?show=unread` leaves the read ones out."""
    unread_only = request.GET.get("show") == "unread"
    notices = queries.inbox_of(principal_of(request), unread_only=unread_only)
    page = Paginator(notices, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "sqcore/notices/inbox.html", {"page": page, "unread_only": unread_only})


@login_required
@require_GET
def notice(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Mark a notice as read and go where it leads."""
    found = services.read_notice(
        principal=principal_of(request), notice_id=notice_id, now=timezone.now()
    )
    inside = url_has_allowed_host_and_scheme(found.link, allowed_hosts={request.get_host()})
    return redirect(found.link if inside else "sqcore:notices-inbox")


@login_required
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark every notice as read."""
    services.read_all(principal=principal_of(request), now=timezone.now())
    return redirect("sqcore:notices-inbox")
