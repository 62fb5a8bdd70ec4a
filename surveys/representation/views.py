"""Pages about whether those who answered stand for the customers."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.queries import version_named
from surveys.representation import services
from surveys.representation.forms import PeriodForm, PopulationForm, WeighingForm
from surveys.representation.pages import percent, weighing_page
from surveys.representation.queries import (
    closed_periods,
    closed_quarters_and_years,
    populations_for,
)
from surveys.representation.wording import MARGINS

PER_PAGE = 25


@login_required
@require_safe
def representation(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show how the answers to a version differ from the customers, and what weights change."""
    principal = principal_of(request)
    page = weighing_page(
        code=code, number=number, period=request.GET.get("period", ""), principal=principal
    )
    may_manage = principal.may(Permission.MANAGE_SURVEYS)
    form = _form(page.version) if may_manage else None
    context = {"page": page, "form": form, "may_manage": may_manage, **_trail(page.version)}
    return render(request, "surveys/representation/representation.html", context)


@login_required
@require_POST
def weigh(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Weigh the answers of a closed period by a population."""
    principal, version = _managed(request, code, number)
    form = _form(version, request)
    if form.is_valid():
        try:
            services.weigh_answers(
                version=version,
                period=form.chosen(),
                population=form.cleaned_data["population"],
                by=principal,
                now=timezone.now(),
            )
        except DomainError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, _("The answers are being weighed; it takes a moment."))
    else:
        messages.error(request, _("Choose a period and a population."))
    return redirect("surveys:representation-report", code=code, number=number)


@login_required
@require_POST
def count_invited(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Take who was invited to answer in a period as a population."""
    principal, version = _managed(request, code, number)
    form = PeriodForm(request.POST, periods=closed_periods(version, now=timezone.now()))
    if form.is_valid():
        try:
            services.count_invited(
                version=version, period=form.chosen(), by=principal, now=timezone.now()
            )
        except DomainError as refusal:
            messages.error(request, " ".join([refusal.message, *map(str, refusal.problems)]))
        else:
            messages.success(request, _("The invited are counted; weigh by them now."))
    return redirect("surveys:representation-report", code=code, number=number)


@login_required
@require_safe
def populations(request: HttpRequest) -> HttpResponse:
    """List what is known of the population."""
    principal = principal_of(request)
    found = populations_for(principal)
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "form": PeriodForm(periods=closed_quarters_and_years(now=timezone.now())),
        "trail": [(_("Surveys"), reverse("surveys:campaigns-list")), (_("Populations"), "")],
    }
    return render(request, "surveys/representation/populations.html", context)


@login_required
@require_safe
def population(request: HttpRequest, number: int) -> HttpResponse:
    """Show the figures of a population."""
    principal = principal_of(request)
    found = get_object_or_404(populations_for(principal), pk=number)
    context = {
        "population": found,
        "margins": [
            (MARGINS[margin], [(c, n, percent(n / (sum(of.values()) or 1))) for c, n in of.items()])
            for margin, of in found.figures.items()
        ],
        "trail": [
            (_("Surveys"), reverse("surveys:campaigns-list")),
            (_("Populations"), reverse("surveys:representation-populations")),
            (str(found), ""),
        ],
    }
    return render(request, "surveys/representation/population.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_population(request: HttpRequest) -> HttpResponse:
    """State how many customers there are."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_SURVEYS)
    now = timezone.now()
    form = PopulationForm(
        request.POST or None, request.FILES or None, initial={"stated_on": local_day(now)}
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.state_population(**form.population(), by=principal, now=now)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
            form.show(refusal.problems)
        else:
            messages.success(request, _("The population is there."))
            return redirect("surveys:representation-population", number=made.pk)
    context = {
        "form": form,
        "trail": [
            (_("Surveys"), reverse("surveys:campaigns-list")),
            (_("Populations"), reverse("surveys:representation-populations")),
            (_("New population"), ""),
        ],
    }
    status = 400 if form.errors else 200
    return render(request, "surveys/representation/new.html", context, status=status)


@login_required
@require_POST
def count_served(request: HttpRequest) -> HttpResponse:
    """Take who was served in a period as a population."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_SURVEYS)
    now = timezone.now()
    form = PeriodForm(request.POST, periods=closed_quarters_and_years(now=now))
    if form.is_valid():
        try:
            made = services.count_served(period=form.chosen(), by=principal, now=now)
        except DomainError as refusal:
            messages.error(request, " ".join([refusal.message, *map(str, refusal.problems)]))
        else:
            return redirect("surveys:representation-population", number=made.pk)
    return redirect("surveys:representation-populations")


def _form(version: InstrumentVersion, request: HttpRequest | None = None) -> WeighingForm:
    periods = closed_periods(version, now=timezone.now())
    return WeighingForm(request.POST if request is not None else None, periods=periods)


def _managed(request: HttpRequest, code: str, number: int) -> tuple[Principal, InstrumentVersion]:
    """Return who asks and the version. raises: NotPermitted for who does not run surveys"""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_SURVEYS)
    return principal, version_named(code, number, principal=principal)


def _trail(version: InstrumentVersion) -> dict[str, list[tuple[str, str]]]:
    page = reverse("surveys:instruments-detail", args=[version.instrument.code, version.number])
    return {
        "trail": [
            (_("Questionnaires"), reverse("surveys:instruments-list")),
            (str(version), page),
            (_("Who answered"), ""),
        ]
    }
