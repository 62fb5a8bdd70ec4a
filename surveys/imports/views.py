"""Pages of imports: give a file, say what its columns are, check, take, read the report."""

import csv
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.jobs.models import Job
from sqcore.org.queries import local_day
from surveys.imports import queries, services
from surveys.imports.forms import ColumnsForm, TextForm, UploadForm
from surveys.imports.guesses import PLACES, Choices, place_values, to_mapping
from surveys.imports.mapping import read_mapping, to_toml
from surveys.imports.models import Import
from surveys.imports.report import fault_rows
from surveys.instruments.queries import is_judged

PER_PAGE = 25
FAULTS_SHOWN = 50
MADE = {
    "units": gettext_lazy("Units"),
    "channels": gettext_lazy("Channels"),
    "segments": gettext_lazy("Segments"),
    "campaign": gettext_lazy("Campaign"),
    "indicator system": gettext_lazy("Indicator system"),
    "questionnaire": gettext_lazy("Questionnaire"),
}
MOVING = frozenset({Job.State.QUEUED, Job.State.RUNNING})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest) -> HttpResponse:
    """List the imports, and take a new file."""
    principal = _manager(request)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _keep(request, form, principal)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    page = Paginator(queries.imports_for(principal), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form}
    status = 400 if form.errors else 200
    return render(request, "surveys/imports/imports.html", context, status=status)


def _keep(request: HttpRequest, form: UploadForm, principal: Principal) -> HttpResponse:
    mapping = form.cleaned_data["mapping"]
    file = form.cleaned_data["file"]
    imported = services.keep_file(
        file_name=file.name, chunks=file.chunks(), mapping=mapping, by=principal, now=timezone.now()
    )
    if mapping is None:
        return redirect("surveys:imports-columns", import_id=imported.pk)
    try:
        return _check(imported, dict(mapping.raw), principal)
    except DomainError as refusal:
        for message in [refusal.message, *map(str, refusal.problems[:20])]:
            messages.error(request, message)
        return redirect("surveys:imports-text", import_id=imported.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def columns(request: HttpRequest, import_id: int) -> HttpResponse:
    """Say what each column of the file is; the first proposal is guessed."""
    principal = _manager(request)
    imported = queries.import_of(principal, import_id)
    look = services.look_at(imported, known=queries.known(), by=principal)
    choices = look.choices
    may_make_places = principal.may(Permission.MANAGE_ORGANISATION)
    if not imported.mapping:
        choices.judge = principal.may(Permission.MANAGE_INDICATORS) and not is_judged(
            choices.instrument
        )
    if request.method == "POST":
        _follow_columns(request, choices, look, makes_places=may_make_places)
    form = ColumnsForm(
        request.POST or None,
        facts=look.facts,
        known=look.known,
        choices=choices,
        may_make_places=may_make_places,
    )
    if request.method == "POST" and "update" not in request.POST and form.is_valid():
        try:
            raw = to_mapping(
                form.chosen(),
                look.table.header,
                look.known,
                campaign_name=form.campaign_name(),
            )
            return _check(imported, raw, principal)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {
        "imported": imported,
        "form": form,
        "table": look.table,
        "personal": look.personal,
        "trail": _trail(imported, _("Columns")),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "surveys/imports/columns.html", context, status=status)


def _follow_columns(
    request: HttpRequest, choices: Choices, look: services.Look, *, makes_places: bool
) -> None:
    """Offer the values of the columns that are chosen now."""
    chosen = [request.POST.get(f"role-{at}", "") for at in range(len(look.facts))]
    for role in PLACES:
        place = chosen.index(role) if role in chosen else None
        if place is None:
            choices.values.pop(role, None)
        elif role not in choices.values or choices.roles[place] != role:
            choices.values[role] = place_values(
                look.facts[place], look.known.places[role], makes_places=makes_places
            )
    choices.roles = chosen


def _check(imported: Import, raw: dict[str, Any], principal: Principal) -> HttpResponse:
    services.read_anew(
        imported=imported,
        mapping=read_mapping(raw),
        by=principal,
        today=local_day(timezone.now()),
    )
    return redirect("surveys:imports-detail", import_id=imported.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def text(request: HttpRequest, import_id: int) -> HttpResponse:
    """Read or change the mapping as text, for what the guided page does not offer."""
    principal = _manager(request)
    imported = queries.import_of(principal, import_id)
    initial = {"text": to_toml(services.mapping_table(imported))}
    form = TextForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            return _check(imported, dict(form.cleaned_data["text"].raw), principal)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {"imported": imported, "form": form, "trail": _trail(imported, _("Mapping"))}
    status = 400 if form.errors else 200
    return render(request, "surveys/imports/text.html", context, status=status)


@login_required
@require_safe
def detail(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show what taking it would do, how far it is, or what came of it."""
    imported = queries.import_of(_manager(request), import_id)
    job = queries.job_of_import(imported)
    faults = fault_rows(imported.report)
    context = {
        "imported": imported,
        "report": imported.report,
        "roles": [(n, r) for n, r in imported.report.get("roles", {}).items()],
        "will_make": [
            (MADE.get(what, what), codes)
            for what, codes in imported.report.get("will_make", {}).items()
            if codes
        ],
        "faults": faults[:FAULTS_SHOWN],
        "more_faults": max(len(faults) - FAULTS_SHOWN, 0) + imported.report.get("faults_beyond", 0),
        "job": job,
        "is_moving": job is not None and job.state in MOVING,
        "trail": _trail(imported),
    }
    part = request.headers.get("HX-Request") == "true"
    template = "_import.html" if part else "import.html"
    return render(request, f"surveys/imports/{template}", context)


@login_required
@require_POST
def take(request: HttpRequest, import_id: int) -> HttpResponse:
    """Start taking the file in."""
    principal = _manager(request)
    imported = queries.import_of(principal, import_id)
    services.take(imported=imported, by=principal, now=timezone.now())
    return redirect("surveys:imports-detail", import_id=import_id)


@login_required
@require_POST
def discard(request: HttpRequest, import_id: int) -> HttpResponse:
    """Forget a file that was not taken in."""
    principal = _manager(request)
    services.discard(imported=queries.import_of(principal, import_id), by=principal)
    messages.success(request, _("The file is forgotten."))
    return redirect("surveys:imports-list")


@login_required
@require_safe
def mapping_file(request: HttpRequest, import_id: int) -> HttpResponse:
    """Give the mapping as a TOML file, to be used again."""
    imported = queries.import_of(_manager(request), import_id)
    content = to_toml(services.mapping_table(imported))
    return _attachment(content, f"mapping-{imported.pk}.toml", "application/toml")


@login_required
@require_safe
def left_out(request: HttpRequest, import_id: int) -> HttpResponse:
    """Give every row that was left out, and why, as a CSV file."""
    imported = queries.import_of(_manager(request), import_id)
    response = _attachment("\ufeff", f"left-out-{imported.pk}.csv", "text/csv; charset=utf-8")
    writer = csv.writer(response)
    writer.writerow([_("row"), _("column"), _("value"), _("reason"), _("left out")])
    for row in fault_rows(imported.report):
        writer.writerow([_plain_text(cell) for cell in row])
    return response


def _plain_text(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as text."""
    risky = isinstance(cell, str) and cell.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{cell}" if risky else cell


def _attachment(content: str, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_SURVEYS)
    return principal


def _add_refusal(form: Any, refusal: DomainError) -> None:
    for message in [refusal.message, *map(str, refusal.problems[:20])]:
        form.add_error(None, message)


def _trail(imported: Import, *more: str) -> list[tuple[str, str]]:
    here = reverse("surveys:imports-detail", args=[imported.pk]) if more else ""
    trail = [(_("Imports"), reverse("surveys:imports-list")), (imported.file_name, here)]
    return trail + [(title, "") for title in more]
