"""Home and the pages of results: Quality, Unit, Indicator, and a series as a file."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from sqcore.dashboards.panels import Page, panels_on
from sqcore.evaluation import exports
from sqcore.evaluation.forms import asked
from sqcore.evaluation.indicator_page import indicator_page
from sqcore.evaluation.quality_page import quality_page
from sqcore.evaluation.unit_page import unit_page
from sqcore.identity.principals import principal_of

NOTHING = "sqcore/evaluation/nothing.html"


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What needs this person today, in the panels of the rooms that know."""
    panels = panels_on(Page.HOME, principal=principal_of(request), now=timezone.now())
    return render(request, "sqcore/evaluation/home.html", {"panels": panels})


@login_required
@require_GET
def quality(request: HttpRequest) -> HttpResponse:
    """How good is the service, and did anything change?"""
    principal = principal_of(request)
    page = quality_page(principal=principal, asked=asked(request.GET))
    if page is None:
        return render(request, NOTHING)
    now = timezone.now()
    panels = [
        *panels_on(Page.STANDING, principal=principal, now=now, subject=page),
        *panels_on(Page.QUALITY, principal=principal, now=now),
    ]
    return render(request, "sqcore/evaluation/quality.html", {"page": page, "panels": panels})


@login_required
@require_GET
def unit(request: HttpRequest, code: str) -> HttpResponse:
    """Where a unit stands, in what, and the units below it."""
    principal, now = principal_of(request), timezone.now()
    page = unit_page(
        principal=principal, code=code, asked=asked(request.GET), on=timezone.localdate(now)
    )
    if page is None:
        return render(request, NOTHING)
    panels = [
        *panels_on(Page.STANDING, principal=principal, now=now, subject=page),
        *panels_on(Page.UNIT, principal=principal, now=now, subject=page.unit),
    ]
    return render(request, "sqcore/evaluation/unit.html", {"page": page, "panels": panels})


@login_required
@require_GET
def indicator(request: HttpRequest, code: str) -> HttpResponse:
    """One series with its interval, what it means and where it comes from."""
    principal = principal_of(request)
    page = indicator_page(principal=principal, code=code, asked=asked(request.GET))
    if page is None:
        return render(request, NOTHING)
    panels = panels_on(Page.INDICATOR, principal=principal, now=timezone.now(), subject=page)
    return render(request, "sqcore/evaluation/indicator.html", {"page": page, "panels": panels})


@login_required
@require_GET
def series_file(request: HttpRequest, code: str) -> HttpResponse:
    """The same series as a file for a spreadsheet."""
    file = exports.export_series(
        principal=principal_of(request), code=code, asked=asked(request.GET), now=timezone.now()
    )
    response = HttpResponse(file.content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response
