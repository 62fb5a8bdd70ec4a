"""The diagnosis of a unit, whole and in short, and its review of a period."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from sqcore.evaluation.forms import asked
from sqcore.identity.principals import principal_of
from sqcore.reports import pages
from sqcore.reports.paper import paper_of
from sqcore.reports.review import review as review_of

NOTHING = "sqcore/evaluation/nothing.html"


@login_required
@require_GET
def diagnosis(request: HttpRequest, code: str) -> HttpResponse:
    """What speaks for and against each class of problems at a unit."""
    page = pages.diagnosis_page(
        principal=principal_of(request), code=code, asked=asked(request.GET), now=timezone.now()
    )
    if page is None:
        return render(request, NOTHING)
    return render(request, "sqcore/reports/diagnosis.html", {"page": page})


@login_required
@require_GET
def diagnosis_in_short(request: HttpRequest, code: str) -> HttpResponse:
    """The verdicts alone, for the card on the unit's page, which asks for them when it is seen."""
    page = pages.diagnosis_page(
        principal=principal_of(request), code=code, asked=asked(request.GET), now=timezone.now()
    )
    return render(request, "sqcore/reports/_verdicts.html", {"page": page})


@login_required
@require_GET
def review(request: HttpRequest, code: str) -> HttpResponse:
    """One unit and one closed period: standing, changes, diagnosis, what was done."""
    now = timezone.now()
    page = review_of(principal=principal_of(request), code=code, asked=asked(request.GET), now=now)
    if page is None:
        return render(request, NOTHING)
    return render(request, "sqcore/reports/review.html", {"page": page, "now": now})


@login_required
@require_GET
def review_pdf(request: HttpRequest, code: str) -> HttpResponse:
    """The same on paper."""
    now = timezone.now()
    found = paper_of(
        principal=principal_of(request), code=code, asked=asked(request.GET), request=request,
        now=now,
    )  # fmt: skip
    if found is None:
        return render(request, NOTHING)
    return found.response()
