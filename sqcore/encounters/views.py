"""Pages of encounters: the overview, single ones, services and stages, the process map."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from sqcore.base.errors import DomainError, NotFound
from sqcore.encounters.forms import (
    EncounterFilterForm,
    ServiceForm,
    StageForm,
    asked_of_process,
)
from sqcore.encounters.models import Encounter, Service, Stage
from sqcore.encounters.overview import overview_page
from sqcore.encounters.process import choose
from sqcore.encounters.process_page import process_page
from sqcore.encounters.services import define_service, define_stage
from sqcore.encounters.timeline import timeline_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.models import Unit

PER_PAGE = 50

# Overview -----------------------------------------------------------------------------------------


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """How many encounters, how long customers waited, what came of it."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    asked = asked_of_process(request.GET)
    chosen = choose(principal=principal, asked=asked, now=timezone.now())
    context = {
        "page": overview_page(chosen, by=request.GET.get("by", "")) if chosen else None,
        "may_manage": principal.may(Permission.MANAGE_MEASUREMENTS),
    }
    return render(request, "sqcore/encounters/overview.html", context)


# Single encounters --------------------------------------------------------------------------------


@login_required
@require_safe
def encounters(request: HttpRequest) -> HttpResponse:
    """List single encounters, the newest first."""
    principal = _manager(request)
    form = EncounterFilterForm(request.GET)
    units = Unit.objects.visible_to(principal, Permission.MANAGE_MEASUREMENTS).order_by("code")
    form.fields["unit"].queryset = units  # type: ignore[attr-defined]  # of a ModelChoiceField
    form.is_valid()
    asked = {name: value for name, value in form.cleaned_data.items() if value}
    names = {"since": "on__gte", "until": "on__lte"}
    found = Encounter.objects.visible_to(principal).filter(
        **{names.get(name, name): value for name, value in asked.items()}
    )
    found = found.select_related("unit", "channel", "segment", "service", "staff")
    page = Paginator(found.order_by("-on", "-arrived_at", "-pk"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {"page": page, "form": form, "trail": _trail((_("Single encounters"), ""))}
    return render(request, "sqcore/encounters/list.html", context)


@login_required
@require_safe
def encounter(request: HttpRequest, encounter_id: int) -> HttpResponse:
    """Show one encounter: its stages in time, who had which share."""
    principal = _manager(request)
    rows = Encounter.objects.visible_to(principal)
    rows = rows.select_related("unit", "channel", "segment", "service", "staff")
    found = rows.filter(pk=encounter_id).first()
    if found is None:
        raise NotFound(_("There is no such encounter, or you may not see it."))
    stages = {stage.code: stage for stage in Stage.objects.order_by("position", "code")}
    context = {
        "encounter": found,
        "timeline": timeline_of(found, stages),
        "phases": Stage.Phase.choices,
        "trail": _trail(
            (_("Single encounters"), reverse("sqcore:encounters-list")), (found.key, "")
        ),
    }
    return render(request, "sqcore/encounters/encounter.html", context)


# Services and stages ------------------------------------------------------------------------------


@login_required
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """List what customers come for, and the stages of it."""
    context = {
        "manager": _manager(request),
        "services": Service.objects.order_by("position", "code"),
        "stages": Stage.objects.order_by("position", "code"),
        "trail": _trail((_("Services and stages"), "")),
    }
    return render(request, "sqcore/encounters/catalogue.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def service(request: HttpRequest, code: str = "") -> HttpResponse:
    """Add a service, or change one."""
    known = Service.objects.filter(code=code).first() if code else None
    form = ServiceForm(request.POST or None, initial=_initial(known, "code", "name", "position"))
    return _define(request, form, define_service, _("Service"), known, code)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def stage(request: HttpRequest, code: str = "") -> HttpResponse:
    """Add a stage, or change one."""
    known = Stage.objects.filter(code=code).first() if code else None
    names = ("code", "name", "position", "phase")
    form = StageForm(request.POST or None, initial=_initial(known, *names))
    return _define(request, form, define_stage, _("Stage"), known, code)


def _initial(known: Service | Stage | None, *names: str) -> dict[str, Any]:
    return {name: getattr(known, name) for name in names} if known else {}


def _define(
    request: HttpRequest,
    form: ServiceForm,
    define: Any,
    title: str,
    known: Service | Stage | None,
    code: str,
) -> HttpResponse:
    """Show the form of a service or stage, or keep what it says."""
    principal = _manager(request)
    if code and known is None:
        raise NotFound(_("There is no such service or stage."))
    if known is not None:
        form.fields["code"].disabled = True
    if request.method == "POST" and form.is_valid():
        try:
            made = define(**form.cleaned_data, by=principal, now=timezone.now())
            messages.success(request, _("Kept: %(name)s") % {"name": made})
            return redirect("sqcore:encounters-catalogue")
        except DomainError as refusal:
            for problem in refusal.problems:
                named = problem.field if problem.field in form.fields else None
                form.add_error(named, problem.reason)
    here = (_("Services and stages"), reverse("sqcore:encounters-catalogue"))
    context = {"form": form, "title": str(known or title), "trail": _trail(here, (title, ""))}
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "sqcore/encounters/form.html", context, status=status)


def _manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_MEASUREMENTS)
    return principal


def _trail(*parts: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Encounters"), reverse("sqcore:encounters-overview")), *parts]


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
