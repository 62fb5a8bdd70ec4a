"""HR's page of training and its files; one's own training, and the calendar that reads it by a
secret address."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from sqcore.base.errors import InvalidInput, NotFound, NotPermitted
from sqcore.files.writing import CONTENT_TYPES, WRITERS
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from sqcore.org.queries import local_day
from training.records import services
from training.records.fairness import audit_of
from training.records.feed import calendar_behind
from training.records.mine import mine
from training.records.pages import file_cards, overview_of
from training.records.queries import EXPORTS


@login_required
@require_safe
def my_training(request: HttpRequest) -> HttpResponse:
    """Show what is due for who asks, their sessions, certificates and needs."""
    principal = principal_of(request)
    if principal.staff_id is None:
        raise NotPermitted(_("Only who works here has training of their own."))
    page = mine(principal=principal, staff_id=principal.staff_id, now=timezone.now())
    return render(request, "training/records/mine.html", {"page": page})


@login_required
@require_POST
def make_address(request: HttpRequest) -> HttpResponse:
    """Make the calendar address of who asks, or a new one in the place of the former."""
    services.make_calendar_address(by=principal_of(request), now=timezone.now())
    messages.success(request, _("The address is below. A former one opens nothing any more."))
    return redirect("training:records-mine")


@login_required
@require_POST
def remove_address(request: HttpRequest) -> HttpResponse:
    """Take the calendar address of who asks away."""
    services.remove_calendar_address(by=principal_of(request), now=timezone.now())
    messages.success(request, _("The address opens nothing any more."))
    return redirect("training:records-mine")


@require_safe
def calendar(request: HttpRequest, secret: str) -> HttpResponse:
    """Hand out the calendar behind a secret address; without logging in, as calendars read it."""
    try:
        found = calendar_behind(secret, now=timezone.now())
    except NotFound as error:
        return HttpResponse(error.message, status=404, content_type="text/plain; charset=utf-8")
    response = HttpResponse(found, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="training.ics"'
    response["Cache-Control"] = "private, max-age=900"
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show what waits, how far the units are, and the year."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_TRAINING)
    code = request.GET.get("unit", "")
    found = overview_of(principal=principal, unit_code=code, now=timezone.now())
    above = (_("Training"), reverse("training:records-overview"))
    trail = [above, (str(found.above), "")] if found.above else []
    context = {
        "overview": found,
        "trail": trail,
        "may_compare": principal.scope(Permission.VIEW_PEOPLE_RESULTS).everywhere,
    }
    return render(request, "training/records/overview.html", context)


@login_required
@require_safe
def fairness(request: HttpRequest) -> HttpResponse:
    """Show whether low verdicts and needs fall on groups of people alike."""
    audit = audit_of(principal=principal_of(request), now=timezone.now())
    above = (_("Training"), reverse("training:records-overview"))
    context = {"audit": audit, "trail": [above, (_("Groups"), "")]}
    return render(request, "training/records/fairness.html", context)


@login_required
@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    """Offer the files of people and training."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_TRAINING)
    context = {
        "cards": file_cards(principal),
        "may_take_leave": principal.scope(Permission.MANAGE_PEOPLE).everywhere,
        "trail": [(_("Training"), reverse("training:records-overview")), (_("Files"), "")],
    }
    return render(request, "training/records/exports.html", context)


@login_required
@require_POST
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Give one kind of file, as far as who asks sees people; the ledger says so."""
    principal, now = principal_of(request), timezone.now()
    form = request.POST.get("format", "csv")
    if kind not in EXPORTS:
        raise NotFound(_("There is no such kind of file."))
    if form not in WRITERS:
        raise InvalidInput(_("There is no such kind of file."))
    found = EXPORTS[kind]
    services.note_export(kind=found, by=principal, now=now)
    on = local_day(now)
    response = StreamingHttpResponse(
        WRITERS[form](found.columns, found.rows(principal, on)), content_type=CONTENT_TYPES[form]
    )
    response["Content-Disposition"] = f'attachment; filename="{kind}-{on}.{form}"'
    response["Cache-Control"] = "no-store"
    return response
