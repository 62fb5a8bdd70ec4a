"""Pages of operational data: measures and their values, feeds, equipment."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.base.periods import Grain, Period
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.measurements import queries, services
from sqcore.measurements.forms import (
    ChangeMeasureForm,
    KnownAtForm,
    NewFeedForm,
    NewMachineForm,
    NewMeasureForm,
    RetireMachineForm,
    WithdrawForm,
)
from sqcore.measurements.models import Equipment, Measure
from sqcore.measurements.withdrawal import withdraw_measurement
from sqcore.org.queries import fiscal_start, local_day

PER_PAGE = 25
PERIODS = 12
SPANS_SHOWN = 50


@login_required
@require_safe
def measures(request: HttpRequest) -> HttpResponse:
    """List the measures: the last value, what is missing; and the feeds."""
    principal = _reader(request)
    now = timezone.now()
    found = Measure.objects.visible_to(principal).in_force().order_by("code")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    units = queries.units_of(principal)
    context = {
        "page": page,
        "standings": queries.standings(list(page), units, today=local_day(now)),
        "feeds": queries.feeds(now=now),
        "may_manage": principal.may(Permission.MANAGE_MEASUREMENTS),
        "needed": queries.ready_systems_that_need_measures(principal),
    }
    return render(request, "sqcore/measurements/measures.html", context)


@login_required
@require_safe
def measure(request: HttpRequest, code: str) -> HttpResponse:
    """Show the values of a measure by unit and period, now or as they were known."""
    principal = _reader(request)
    found = queries.measure_of(principal, code)
    form = KnownAtForm(request.GET or None)
    known_at = form.moment() if form.is_bound else None
    page = Paginator(queries.units_of(principal), PER_PAGE).get_page(request.GET.get("page"))
    grid = queries.grid_of(found, list(page), now=timezone.now(), count=PERIODS, known_at=known_at)
    context = {
        "measure": found,
        "grid": grid,
        "page": page,
        "missing": grid.count(queries.Standing.MISSING),
        "late": grid.count(queries.Standing.LATE),
        "form": form,
        "known_at": known_at,
        "indicators": queries.indicators_of(principal, found),
        "may_manage": principal.may(Permission.MANAGE_MEASUREMENTS),
        "trail": _trail((str(found), "")),
    }
    return render(request, "sqcore/measurements/measure.html", context)


@login_required
@require_safe
def place(request: HttpRequest, code: str, unit: str, period: str) -> HttpResponse:
    """Show all that was reported for a unit and period, with its revisions."""
    principal = _reader(request)
    found = queries.measure_of(principal, code)
    here = queries.place_of(principal, found, unit, period)
    context = {
        "measure": found,
        "place": here,
        "may_manage": here.unit.pk in principal.scope(Permission.MANAGE_MEASUREMENTS),
        "trail": _trail(
            (str(found), reverse("sqcore:measurements-measure", args=[code])),
            (f"{here.unit} · {here.period.key}", ""),
        ),
    }
    return render(request, "sqcore/measurements/place.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, observation_id: int) -> HttpResponse:
    """Take a value back, with the reason."""
    principal = _manager(request)
    found = queries.observation_of(principal, observation_id)
    key = Period(found.starts_on, Grain(found.grain), fiscal_start()).key
    form = WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            withdraw_measurement(
                observation=found, by=principal, now=timezone.now(), **form.cleaned_data
            )
            messages.success(request, _("The value is withdrawn; results are computed anew."))
            return redirect(
                "sqcore:measurements-place",
                code=found.measure.code,
                unit=found.unit.code,
                period=key,
            )
        except DomainError as refusal:
            _add_refusal(form, refusal)
    where = reverse("sqcore:measurements-place", args=[found.measure.code, found.unit.code, key])
    title = _("Withdraw a value")
    here = (f"{found.measure} · {found.unit} · {key}", where)
    return _form(request, form, title, _("Withdraw it"), here, (title, ""))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_measure(request: HttpRequest) -> HttpResponse:
    """Define a measure."""
    principal = _manager(request)
    now = timezone.now()
    form = NewMeasureForm(request.POST or None, initial={"since": local_day(now) - timedelta(365)})
    if request.method == "POST" and form.is_valid():
        try:
            made = services.define_measure(
                **form.cleaned_data, owner=principal.user, by=principal, now=now
            )
            return redirect("sqcore:measurements-measure", code=made.code)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    return _form(request, form, _("A new measure"), _("Define the measure"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_measure(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is said of a measure."""
    principal = _manager(request)
    found = queries.measure_of(principal, code)
    initial = {name: getattr(found, name) for name in ChangeMeasureForm.base_fields}
    form = ChangeMeasureForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_measure(
                measure=found, by=principal, now=timezone.now(), **form.cleaned_data
            )
            return redirect("sqcore:measurements-measure", code=code)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    here = (str(found), reverse("sqcore:measurements-measure", args=[code]))
    return _form(request, form, str(found), _("Change the measure"), here, (_("Change"), ""))


@login_required
@require_POST
def retire_measure(request: HttpRequest, code: str) -> HttpResponse:
    """Take and expect nothing more from today on."""
    principal = _manager(request)
    now = timezone.now()
    services.retire_measure(
        measure=queries.measure_of(principal, code), on=local_day(now), by=principal, now=now
    )
    messages.success(request, _("The measure is retired; its values stay."))
    return redirect("sqcore:measurements-measures")


@login_required
@require_POST
def define_missing(request: HttpRequest, code: str) -> HttpResponse:
    """Define the measures that a ready system needs and that are not there."""
    principal = _manager(request)
    made = services.define_missing_measures(code=code, by=principal, now=timezone.now())
    names = ", ".join(str(found) for found in made)
    messages.success(request, _("Defined: %(names)s") % {"names": names or "–"})
    return redirect("sqcore:measurements-measures")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_feed(request: HttpRequest) -> HttpResponse:
    """Add a system, device or person that sends."""
    principal = _manager(request)
    form = NewFeedForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.define_feed(
                **form.cleaned_data, owner=principal.user, by=principal, now=timezone.now()
            )
            return redirect("sqcore:measurements-measures")
        except DomainError as refusal:
            _add_refusal(form, refusal)
    return _form(request, form, _("A new feed"), _("Add the feed"))


@login_required
@require_safe
def equipment(request: HttpRequest) -> HttpResponse:
    """List machines: their state now, since when."""
    principal = _reader(request)
    machines = Equipment.objects.visible_to(principal).in_use_on(local_day(timezone.now()))
    kinds = sorted(set(machines.values_list("kind", flat=True)))
    kind = request.GET.get("kind", "")
    if kind in kinds:
        machines = machines.filter(kind=kind)
    shown = queries.with_present_state(machines).select_related("unit").order_by("code")
    context = {
        "page": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
        "kinds": [("", _("All kinds")), *((found, found) for found in kinds)],
        "kind": kind,
        "may_manage": principal.may(Permission.MANAGE_MEASUREMENTS),
        "down": queries.out_of_order(machines),
        "trail": _trail((_("Equipment"), "")),
    }
    return render(request, "sqcore/measurements/equipment.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_machine(request: HttpRequest) -> HttpResponse:
    """Add a machine."""
    principal = _manager(request)
    now = timezone.now()
    form = NewMachineForm(request.POST or None, initial={"installed_on": local_day(now)})
    if request.method == "POST" and form.is_valid():
        try:
            made = services.add_equipment(**form.cleaned_data, by=principal, now=now)
            return redirect("sqcore:measurements-machine", code=made.code)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    return _form(request, form, _("A new machine"), _("Add the machine"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def retire_machine(request: HttpRequest, code: str) -> HttpResponse:
    """Take a machine out of use from a day on."""
    principal = _manager(request)
    now = timezone.now()
    found = queries.equipment_of(principal, code)
    form = RetireMachineForm(request.POST or None, initial={"on": local_day(now)})
    if request.method == "POST" and form.is_valid():
        try:
            services.retire_equipment(equipment=found, by=principal, now=now, **form.cleaned_data)
            messages.success(request, _("The machine is out of use; what it told stays."))
            return redirect("sqcore:measurements-machine", code=code)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    title = _("Retire this machine")
    here = (str(found), reverse("sqcore:measurements-machine", args=[code]))
    return _form(request, form, title, _("Retire it"), here, (title, ""))


@login_required
@require_safe
def machine(request: HttpRequest, code: str) -> HttpResponse:
    """Show what a machine told: its state now, its outages."""
    principal = _reader(request)
    found = queries.equipment_of(principal, code)
    spans = queries.history_of(found)
    outages = [span for span in spans if span.state == "down"]
    context = {
        "machine": found,
        "now": spans[-1] if spans else None,
        "outages": outages[::-1][:SPANS_SHOWN],
        "count": len(outages),
        "may_retire": found.retired_on is None
        and found.unit_id in principal.scope(Permission.MANAGE_MEASUREMENTS),
        "trail": _trail(
            (_("Equipment"), reverse("sqcore:measurements-equipment")), (str(found), "")
        ),
    }
    return render(request, "sqcore/measurements/machine.html", context)


def _reader(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    if not principal.may(Permission.MANAGE_MEASUREMENTS):
        principal.require(Permission.VIEW_RESULTS)
    return principal


def _manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_MEASUREMENTS)
    return principal


def _trail(*parts: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Measurements"), reverse("sqcore:measurements-measures")), *parts]


def _form(
    request: HttpRequest, form: Any, title: str, verb: str, *more: tuple[str, str]
) -> HttpResponse:
    context = {
        "form": form,
        "title": title,
        "verb": verb,
        "trail": _trail(*(more or [(title, "")])),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "sqcore/measurements/form.html", context, status=status)


def _add_refusal(form: Any, refusal: DomainError) -> None:
    for problem in refusal.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)
