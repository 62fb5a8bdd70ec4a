"""Pages about questionnaires."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from surveys.instruments.queries import codebook_rows, version_named, versions_for


@login_required
@require_safe
def instruments(request: HttpRequest) -> HttpResponse:
    """List the questionnaires and their versions."""
    versions = versions_for(principal_of(request))
    return render(request, "surveys/instruments/instruments.html", {"versions": versions})


@login_required
@require_safe
def instrument(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show the codebook of a version."""
    principal = principal_of(request)
    version = version_named(code, number, principal=principal)
    sees_all = principal.scope(Permission.VIEW_RESULTS).everywhere
    trail = [(_("Questionnaires"), reverse("surveys:instruments-list")), (str(version), "")]
    context = {
        "version": version,
        "rows": codebook_rows(version),
        "trail": trail,
        "may_judge": sees_all or principal.may(Permission.MANAGE_SURVEYS),
    }
    return render(request, "surveys/instruments/instrument.html", context)
