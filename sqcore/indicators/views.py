"""Set-up: indicator systems and their versions, from begun to published."""

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators import pages, ready, services
from sqcore.indicators.draft_views import version_page
from sqcore.indicators.fields import tell
from sqcore.indicators.form_page import draft_for, form_page, manager, reader, to_version, trail_of
from sqcore.indicators.forms import NewSystemForm
from sqcore.indicators.models import SystemVersion
from sqcore.org.queries import local_day


@login_required
@require_safe
def systems(request: HttpRequest) -> HttpResponse:
    """List the indicator systems with what is published and what is drafted."""
    principal = reader(request)
    context = {
        "rows": pages.system_rows(principal),
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
    }
    return render(request, "sqcore/indicators/systems.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_system(request: HttpRequest) -> HttpResponse:
    """Begin a system: from a ready one, or with nothing in it."""
    principal, now = manager(request), timezone.now()
    form = NewSystemForm(request.POST or None, initial={"since": local_day(now).replace(day=1)})
    if request.method == "POST" and form.is_valid():
        try:
            draft = _begin(form, by=principal, now=now)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The draft is there. Look through it, check and publish."))
            return to_version(draft)
    trail = [(_("Indicator systems"), reverse("sqcore:indicators-systems")), (_("New"), "")]
    return form_page(
        request,
        form,
        _("New indicator system"),
        trail,
        lead=_("A draft counts for nothing until you publish it."),
        verb=_("Make the draft"),
    )


def _begin(form: NewSystemForm, *, by: Principal, now: datetime) -> SystemVersion:
    cleaned = form.cleaned_data
    if cleaned["ready"]:
        return ready.install_ready_system(
            code=cleaned["ready"],
            since=cleaned["since"],
            system_code=cleaned["code"],
            by=by,
            now=now,
        )
    return services.begin_system(
        code=form.chosen_code("quality"),
        name=form.text("name"),
        since=cleaned["since"],
        by=by,
        now=now,
    )


@login_required
@require_safe
def system(request: HttpRequest, code: str) -> HttpResponse:
    """Show a system: what the published version says, and all its versions."""
    principal = reader(request)
    found = pages.system_named(principal, code)
    versions = pages.versions_of(principal, found)
    by_state = {version.state: version for version in versions}
    published = by_state.get(SystemVersion.State.PUBLISHED)
    groups = pages.groups_of(published, on=local_day(timezone.now())) if published else []
    context = {
        "system": found,
        "versions": versions,
        "published": published,
        "draft": by_state.get(SystemVersion.State.DRAFT),
        "groups": groups,
        "panels": panels_on(
            Page.SYSTEM, principal=principal, now=timezone.now(), subject=published
        ),
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
        "may_evaluate": principal.may(Permission.RUN_EVALUATION),
        "trail": trail_of(found.name),
    }
    return render(request, "sqcore/indicators/system.html", context)


@login_required
@require_POST
def copy(request: HttpRequest, code: str) -> HttpResponse:
    """Draft the next version from the published one."""
    principal = manager(request)
    found = pages.system_named(principal, code)
    draft = services.copy_version(system=found, by=principal, now=timezone.now())
    messages.success(request, _("The draft says what the published version says. Change it here."))
    return to_version(draft)


@login_required
@require_safe
def version(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show a version; a draft can be changed group by group."""
    principal = reader(request)
    found = pages.version_named(principal, code, number)
    return version_page(request, found)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Check a draft: what stops its publication, and where that is mended; then publish it."""
    principal, found = draft_for(request, code, number)
    problems = services.problems_of_draft(found)
    if request.method == "POST" and not problems:
        services.publish_version(version=found, by=principal, now=timezone.now())
        messages.success(
            request, _("Version %(number)d counts from now on.") % {"number": found.number}
        )
        return redirect("sqcore:indicators-system", code=code)
    groups = pages.groups_of(found, on=local_day(timezone.now()))
    former = found.system.versions.filter(state=SystemVersion.State.PUBLISHED).first()
    context = {
        "version": found,
        "system": found.system,
        "problems": pages.shown_problems(found, problems, groups),
        "doubts": pages.shown_problems(found, services.doubts_of_draft(found), groups),
        "former": former,
        "indicators": sum(len(group.leaves) for group in groups),
        "dimensions": len(groups) - 1,
        "trail": trail_of(found.system.name, (_("Check"), ""), found),
    }
    status = 400 if request.method == "POST" else 200
    return render(request, "sqcore/indicators/publish.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def discard(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Ask, and then throw a draft away."""
    principal, found = draft_for(request, code, number)
    if request.method == "POST":
        services.discard_draft(version=found, by=principal, now=timezone.now())
        messages.success(request, _("The draft is discarded."))
        return redirect("sqcore:indicators-system", code=code)
    context = {
        "version": found,
        "trail": trail_of(found.system.name, (_("Discard"), ""), found),
    }
    return render(request, "sqcore/indicators/discard.html", context)
