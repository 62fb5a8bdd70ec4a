"""The page “Is the questionnaire sound?”."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sqcore.identity.principals import principal_of
from surveys.validation.pages import report_page


@login_required
@require_safe
def report(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show whether a version of a questionnaire is sound, by the answers of a closed period."""
    page = report_page(
        code=code,
        number=number,
        period=request.GET.get("period", ""),
        principal=principal_of(request),
    )
    trail = [
        (_("Questionnaires"), reverse("surveys:instruments-list")),
        (str(page.version), reverse("surveys:instruments-detail", args=[code, number])),
        (_("Is it sound?"), ""),
    ]
    return render(request, "surveys/validation/report.html", {"page": page, "trail": trail})
