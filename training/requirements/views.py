"""Pages of what is required: the matrix, what is overdue or ends soon, the rules, waivers."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, InvalidInput, NotFound
from sqcore.files.writing import CONTENT_TYPES, WRITERS
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope, principal_of
from sqcore.org.models import Staff, Unit
from sqcore.org.queries import local_day
from training.requirements import services
from training.requirements.forms import EndForm, FilterForm, RequirementForm, WaiverForm
from training.requirements.pages import (
    COLUMNS,
    asked_of,
    lines_of,
    matrix_of,
    offers_for,
    query_of,
    table_of,
)
from training.requirements.queries import (
    filters_of,
    outlook_of,
    requirement_of,
    requirements_seen_by,
    waivers_seen_by,
)

PER_PAGE = 50
PAGE = "requirements-matrix"


def _sees(request: HttpRequest) -> tuple[Principal, date]:
    """Return who asks, and today. raises: NotPermitted for who does not see the training of
    people"""
    principal = principal_of(request)
    principal.require(Permission.VIEW_TRAINING)
    return principal, local_day(timezone.now())


# ---- The matrix and its lists --------------------------------------------------------------------
@login_required
@require_safe
def matrix(request: HttpRequest) -> HttpResponse:
    """Show people by what is required of them."""
    principal, on = _sees(request)
    offers = offers_for(principal, on=on)
    asked = asked_of(request.GET, offers)
    title = _("Required training")
    context = {
        "offers": offers,
        "asked": asked,
        "matrix": matrix_of(request, principal, asked, offers, on=on),
        "filters": filters_of(principal, PAGE),
        "query": query_of(asked),
        "trail": [(_("Training"), reverse("training:records-overview")), (title, "")],
    }
    return render(request, "training/requirements/matrix.html", context)


@login_required
@require_safe
def overdue(request: HttpRequest) -> HttpResponse:
    """List what should have been done."""
    return _list(request, "overdue")


@login_required
@require_safe
def expiring(request: HttpRequest) -> HttpResponse:
    """List what ends within 30, 60 or 90 days."""
    return _list(request, "expiring")


def _list(request: HttpRequest, state: str) -> HttpResponse:
    principal, on = _sees(request)
    offers = offers_for(principal, on=on)
    asked = asked_of(request.GET, offers, state=state)
    context = {
        "offers": offers,
        "asked": asked,
        "found": lines_of(request, principal, asked, offers, on=on),
        "query": query_of(asked),
        "within": [(str(days), days) for days in (30, 60, 90)],
        "trail": _trail(_("Overdue") if state == "overdue" else _("Ends soon")),
        "may_manage": principal.may(Permission.MANAGE_TRAINING),
    }
    return render(request, f"training/requirements/{state}.html", context)


@login_required
@require_POST
def export(request: HttpRequest) -> HttpResponseBase:
    """Give what is filtered, all of it, as a file; the ledger says who took it."""
    principal, on = _sees(request)
    form = request.POST.get("format", "csv")
    if form not in WRITERS:
        raise InvalidInput(_("There is no such kind of file."))
    asked = asked_of(QueryDict(request.POST.get("query", "")), offers_for(principal, on=on))
    services.note_export(query=query_of(asked), by=principal, now=timezone.now())
    rows = table_of(principal, asked, on=on)
    response = StreamingHttpResponse(WRITERS[form](COLUMNS, rows), content_type=CONTENT_TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="required-training-{on}.{form}"'
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep what is filtered under a name."""
    principal, on = _sees(request)
    asked = asked_of(QueryDict(request.POST.get("query", "")), offers_for(principal, on=on))
    form = FilterForm(request.POST)
    name = form.cleaned_data["name"] if form.is_valid() else ""
    kept = services.save_filter(page=PAGE, name=name, query=query_of(asked), by=principal)
    messages.success(request, _("“%(name)s” is kept.") % {"name": kept.name})
    return redirect(f"{reverse('training:requirements-matrix')}?{kept.query}")


@login_required
@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a kept filter."""
    services.forget_filter(filter_id=pk, by=principal_of(request))
    return redirect("training:requirements-matrix")


# ---- The rules -----------------------------------------------------------------------------------
@login_required
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """List what is required of whom."""
    principal = principal_of(request)
    on = local_day(timezone.now())
    found = requirements_seen_by(principal).order_by("valid_to", "course__code", "pk")
    page = Paginator(found.exclude(valid_to__lte=on), PER_PAGE).get_page(request.GET.get("page"))
    scope = principal.scope(Permission.MANAGE_TRAINING)
    rows = [(each, each.valid_to is None and _reaches(scope, each.unit_id)) for each in page]
    context = {
        "page": page,
        "rows": rows,
        "today": on,
        "may_manage": bool(scope),
        "trail": _trail(_("Rules")),
    }
    return render(request, "training/requirements/rules.html", context)


def _reaches(scope: Scope, unit_id: int | None) -> bool:
    return scope.everywhere if unit_id is None else unit_id in scope


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def require(request: HttpRequest) -> HttpResponse:
    """Say what a requirement would mean, and require it."""
    principal, on = _sees(request)
    principal.require(Permission.MANAGE_TRAINING)
    scope = principal.scope(Permission.MANAGE_TRAINING)
    units = Unit.objects.visible_to(principal, Permission.MANAGE_TRAINING).open_on(on)
    form = RequirementForm(
        request.POST or None, units=units, anywhere=scope.everywhere, initial={"valid_from": on}
    )
    outlook = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if "look" in request.POST:
            asked = {name: given[name] for name in given if name != "reason"}
            outlook = outlook_of(**asked, on=on)
        else:
            try:
                services.require_course(**given, by=principal, now=timezone.now())
                messages.success(request, _("It is required. Who owes it is being worked out."))
                return redirect("training:requirements-rules")
            except DomainError as refusal:
                _add_refusal(form, refusal)
    context = {
        "form": form,
        "outlook": outlook,
        "trail": _trail(_("Require a course"), rules=True),
    }
    return _answered(request, "require", form, context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask from when on something is required no longer, and end it."""
    principal, on = _sees(request)
    principal.require(Permission.MANAGE_TRAINING)
    found = requirement_of(principal, pk)
    form = EndForm(request.POST or None, initial={"on": on})
    if request.method == "POST" and form.is_valid():
        try:
            services.end_requirement(
                requirement_id=pk, on=form.cleaned_data["on"], by=principal, now=timezone.now()
            )
            messages.success(request, _("It is required no longer from that day on."))
            return redirect("training:requirements-rules")
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {"form": form, "found": found, "trail": _trail(_("End"), rules=True)}
    return _answered(request, "end", form, context)


# ---- Waivers -------------------------------------------------------------------------------------
@login_required
@require_safe
def waivers(request: HttpRequest) -> HttpResponse:
    """List who need not, and why."""
    principal, on = _sees(request)
    page = Paginator(waivers_seen_by(principal, on=on), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "may_manage": principal.may(Permission.MANAGE_TRAINING),
        "trail": _trail(_("Waivers")),
    }
    return render(request, "training/requirements/waivers.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def waive(request: HttpRequest) -> HttpResponse:
    """Say that somebody need not, and why."""
    principal, on = _sees(request)
    principal.require(Permission.MANAGE_TRAINING)
    initial = {name: request.GET.get(name, "") for name in ("number", "course")}
    form = WaiverForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            _waive(principal, form, on)
            messages.success(request, _("It is waived."))
            return redirect("training:requirements-waivers")
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {"form": form, "trail": _trail(_("Waive"))}
    return _answered(request, "waive", form, context)


def _waive(principal: Principal, form: WaiverForm, on: date) -> None:
    given = form.cleaned_data
    person = Staff.objects.filter(number=given["number"]).first()
    if person is None:
        raise NotFound(_("This person does not owe that, or is not yours."))
    services.waive(
        staff_id=person.pk,
        course=given["course"],
        reason=given["reason"],
        until=given["until"],
        by=principal,
        now=timezone.now(),
    )


@login_required
@require_POST
def end_waiver(request: HttpRequest, pk: int) -> HttpResponse:
    """End a waiver now."""
    services.end_waiver(waiver_id=pk, by=principal_of(request), now=timezone.now())
    messages.success(request, _("The waiver has ended."))
    return redirect("training:requirements-waivers")


# ---- Parts ---------------------------------------------------------------------------------------
def _add_refusal(form: Form, refusal: DomainError) -> None:
    named = [problem for problem in refusal.problems if problem.field in form.fields]
    for problem in named:
        form.add_error(problem.field, problem.reason)
    if not named:
        form.add_error(None, refusal.message)


def _answered(
    request: HttpRequest, template: str, form: Form, context: dict[str, Any]
) -> HttpResponse:
    status = 400 if form.is_bound and form.errors else 200
    return render(request, f"training/requirements/{template}.html", context, status=status)


def _trail(title: str, *, rules: bool = False) -> list[tuple[str, str]]:
    above = [
        (_("Training"), reverse("training:records-overview")),
        (_("Required training"), reverse("training:requirements-matrix")),
    ]
    if rules:
        above.append((_("Rules"), reverse("training:requirements-rules")))
    return [*above, (title, "")]
