"""Pages of files of rows: give a file, say what its columns are, check, take, read the report."""

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
from sqcore.files import queries, services
from sqcore.files.forms import ColumnsForm, UploadForm
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.toml import sections_as_toml
from sqcore.files.writing import CONTENT_TYPES, as_csv
from sqcore.identity.principals import principal_of
from sqcore.jobs.models import OPEN

PER_PAGE = 25
FAULTS_SHOWN = 100
ORDER = ("leave_out", "file", "fields")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def files(request: HttpRequest, kind: str) -> HttpResponse:
    """List the files of a kind, and take a new one."""
    principal = principal_of(request)
    found = queries.kind_of(principal, kind)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            imported = services.keep_file(
                kind=found,
                file_name=file.name,
                chunks=file.chunks(),
                by=principal,
                now=timezone.now(),
            )
            return redirect("sqcore:files-columns", import_id=imported.pk)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    page = Paginator(queries.imports_of(principal, found), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {"kind": found, "page": page, "form": form, "fields": found.fields}
    return render(request, "sqcore/files/files.html", context, status=400 if form.errors else 200)


@login_required
@require_safe
def template_file(request: HttpRequest, kind: str) -> HttpResponse:
    """Return an empty file of a kind: its columns, which are known by their names."""
    found = queries.kind_of(principal_of(request), kind)
    header = [field.name for field in found.fields]
    response = HttpResponse(b"".join(as_csv(header, [])), content_type=CONTENT_TYPES["csv"])
    response["Content-Disposition"] = f'attachment; filename="{found.key}.csv"'
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def columns(request: HttpRequest, import_id: int) -> HttpResponse:
    """Say what each column holds; the first proposal is guessed."""
    principal = principal_of(request)
    imported = queries.import_of(principal, import_id)
    kind = ROW_KINDS[imported.kind]
    sheet = (request.POST or request.GET).get("sheet", "")
    look = services.look_at(imported, by=principal, sheet=sheet)
    form = ColumnsForm(request.POST or None, kind=kind, look=look)
    if request.method == "POST" and form.is_valid():
        try:
            mapping = dict(imported.mapping) | form.mapping()
            if len(look.table.sheets) > 1:
                mapping["file"] = dict(mapping.get("file", {})) | {"sheet": look.table.sheet}
            services.check(imported=imported, mapping=mapping, by=principal, now=timezone.now())
            return redirect("sqcore:files-detail", import_id=imported.pk)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {
        "imported": imported,
        "form": form,
        "look": look,
        "trail": _trail(imported, _("Columns")),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "sqcore/files/columns.html", context, status=status)


@login_required
@require_safe
def detail(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show what taking it would do, how far it is, or what came of it."""
    imported = queries.import_of(principal_of(request), import_id)
    job = queries.job_of(imported)
    faults = imported.report.get("faults", [])
    told = imported.report.get("told", [])
    context = {
        "imported": imported,
        "counts": imported.report.get("counts", {}),
        "refused": imported.report.get("refused", ""),
        "faults": faults[:FAULTS_SHOWN],
        "more_faults": max(len(faults) - FAULTS_SHOWN, 0),
        "told": told[:FAULTS_SHOWN],
        "more_told": max(imported.report.get("told_count", 0) - FAULTS_SHOWN, 0),
        "job": job,
        "is_moving": job is not None and job.state in OPEN,
        "trail": _trail(imported),
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, f"sqcore/files/{'_file' if part else 'file'}.html", context)


@login_required
@require_POST
def take(request: HttpRequest, import_id: int) -> HttpResponse:
    """Start taking the file in; “leave_out” leaves rows with errors out."""
    principal = principal_of(request)
    imported = queries.import_of(principal, import_id)
    services.take(
        imported=imported,
        by=principal,
        now=timezone.now(),
        leaves_out=request.POST.get("leave_out") == "1",
    )
    return redirect("sqcore:files-detail", import_id=import_id)


@login_required
@require_POST
def discard(request: HttpRequest, import_id: int) -> HttpResponse:
    """Forget a file that was not taken in."""
    principal = principal_of(request)
    imported = queries.import_of(principal, import_id)
    services.discard(imported=imported, by=principal)
    messages.success(request, _("The file is forgotten."))
    return redirect("sqcore:files-list", kind=imported.kind)


@login_required
@require_safe
def mapping_file(request: HttpRequest, import_id: int) -> HttpResponse:
    """Give the mapping as a TOML file, for the command."""
    imported = queries.import_of(principal_of(request), import_id)
    content = sections_as_toml(imported.mapping, ORDER)
    response = HttpResponse(content, content_type="application/toml")
    response["Content-Disposition"] = f'attachment; filename="mapping-{imported.pk}.toml"'
    return response


def _add_refusal(form: Any, refusal: DomainError) -> None:
    for message in [refusal.message, *map(str, refusal.problems[:20])]:
        form.add_error(None, message)


def _trail(imported: FileImport, *more: str) -> list[tuple[str, str]]:
    here = reverse("sqcore:files-detail", args=[imported.pk]) if more else ""
    kind = ROW_KINDS[imported.kind]
    trail = [
        (kind.title, reverse("sqcore:files-list", args=[kind.key])),
        (imported.file_name, here),
    ]
    return trail + [(title, "") for title in more]
