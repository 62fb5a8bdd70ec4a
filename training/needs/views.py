"""Pages of training needs: the list by expected benefit, one need, asking for training."""

import csv
import io
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.files.writing import BYTE_ORDER_MARK, harmless
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from training.competencies.queries import competencies, may_for, person_seen_by
from training.needs import services
from training.needs.forms import AskForm, DismissForm, Purpose
from training.needs.models import Need, NeedReason
from training.needs.queries import DEVELOPMENTAL, need_of, needs_listed, offers_for, places_of

PER_PAGE = 25


@login_required
@require_safe
def needs(request: HttpRequest) -> HttpResponse:
    """List the needs that wait, the greatest benefit first."""
    principal, now = principal_of(request), timezone.now()
    principal.require(Permission.VIEW_TRAINING)
    units = _units(principal)
    page = Paginator(_asked(request, principal, units), PER_PAGE).get_page(request.GET.get("page"))
    found = list(page)
    services.note_results(found, way="list", by=principal, now=now)
    places = places_of([each.staff_id for each in found], on=local_day(now))
    context = {
        "page": page,
        "rows": [(each, places.get(each.staff_id)) for each in found],
        "developmental": DEVELOPMENTAL,
        "asked": {
            name: request.GET.get(name, "") for name in ("unit", "state", "origin", "subject")
        },
        "units": [("", _("All my units")), *((each.code, str(each)) for each in units)],
        "states": [("", _("Waiting")), *Need.State.choices],
        "origins": [("", _("All reasons")), *NeedReason.Origin.choices],
        "subjects": [
            ("", _("All competencies")),
            *((f"competency:{each.code}", str(each)) for each in competencies()),
        ],
        "purposes": Purpose.choices,
        "may_plan": principal.may(Permission.PLAN_TRAINING),
    }
    return render(request, "training/needs/list.html", context)


def _units(principal: Principal) -> list[Unit]:
    seen = Unit.objects.visible_to(principal, Permission.VIEW_TRAINING)
    return list(seen.open_on(local_day(timezone.now())).order_by("code"))


def _asked(request: HttpRequest, principal: Principal, units: list[Unit]) -> QuerySet[Need]:
    given = request.GET
    return needs_listed(
        principal,
        on=local_day(timezone.now()),
        unit=next((each for each in units if each.code == given.get("unit")), None),
        state=given.get("state", ""),
        origin=given.get("origin", ""),
        subject=given.get("subject", ""),
    )


@login_required
@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """Give the list as a file, for what it may be used for."""
    principal = principal_of(request)
    rows = services.export_needs(
        needs=_asked(request, principal, _units(principal)),
        purpose=request.POST.get("purpose", ""),
        by=principal,
        now=timezone.now(),
    )
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow(services.COLUMNS)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="training-needs.csv"'
    response["Cache-Control"] = "no-store"
    return response


# One need ----------------------------------------------------------------------------------------


@login_required
@require_safe
def need(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a need with its reasons and what answers it."""
    return _need(request, pk)


def _need(request: HttpRequest, pk: int, *, status: int = 200, **over: Any) -> HttpResponse:
    principal, now = principal_of(request), timezone.now()
    today = local_day(now)
    found = need_of(principal, pk, on=today)
    services.note_results([found], way="page", by=principal, now=now)
    may_plan = may_for(principal, Permission.PLAN_TRAINING, found.staff_id, on=today)
    is_open = found.state == Need.State.OPEN
    is_own = principal.staff_id == found.staff_id and all(
        reason.origin == NeedReason.Origin.PERSON for reason in found.reasons.all()
    )
    context = {
        "need": found,
        "place": places_of([found.staff_id], on=today).get(found.staff_id),
        "developmental": DEVELOPMENTAL,
        "may_plan": may_plan,
        "offers": offers_for(principal, found, on=today) if may_plan and is_open else [],
        "form": DismissForm() if may_plan or is_own else None,
        "waits": found.state in Need.WAITING,
        "refusal": None,
        "trail": [(_("Training needs"), reverse("training:needs-list")), (found.staff.name, "")]
        if principal.may(Permission.VIEW_TRAINING)
        else [],
        **over,
    }
    return render(request, "training/needs/need.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Enrol the person of a need in a session."""
    if request.method != "POST":
        return redirect("training:needs-need", pk=pk)
    principal = principal_of(request)
    chosen = request.POST.get("session", "")
    session_id = int(chosen) if chosen.isascii() and chosen.isdecimal() and len(chosen) < 10 else 0
    try:
        planned = services.plan_need(
            need_id=pk, session_id=session_id, by=principal, now=timezone.now()
        )
    except DomainError as refusal:
        if refusal.status == 404:
            raise
        return _need(request, pk, refusal=refusal, status=refusal.status)
    said = {"name": planned.staff.name}
    messages.success(request, _("%(name)s is enrolled; the need is planned.") % said)
    return redirect("training:needs-need", pk=pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """End a need that training does not answer."""
    if request.method != "POST":
        return redirect("training:needs-need", pk=pk)
    principal = principal_of(request)
    form = DismissForm(request.POST)
    if form.is_valid():
        try:
            services.dismiss_need(need_id=pk, **form.cleaned_data, by=principal, now=timezone.now())
            messages.success(request, _("The need is dismissed."))
            return redirect("training:needs-need", pk=pk)
        except DomainError as refusal:
            if refusal.status == 404:
                raise
            form.add_error(None, refusal.message)
    return _need(request, pk, form=form, status=400)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, number: str) -> HttpResponse:
    """Ask for training, for oneself or somebody whose training one plans."""
    principal, now = principal_of(request), timezone.now()
    staff = person_seen_by(principal, number, on=local_day(now))
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.ask_for_training(staff_id=staff.pk, **form.asked, by=principal, now=now)
            messages.success(request, _("It is on the list of training needs."))
            return redirect("training:needs-need", pk=made.pk)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
    context = {
        "form": form,
        "title": _("Ask for training"),
        "trail": [
            (staff.name, reverse("training:competencies-person", args=[number])),
            (_("Ask for training"), ""),
        ],
    }
    status = 400 if form.errors else 200
    return render(request, "training/competencies/form.html", context, status=status)
