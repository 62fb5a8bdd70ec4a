"""The page of customers at risk, and the form of its scorecard."""

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
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from surveys.churn import services
from surveys.churn.forms import ScorecardForm
from surveys.churn.pages import RiskPage
from surveys.churn.queries import latest_run, scorecard_in_force, unit_risks

PER_PAGE = 50


@login_required
@require_safe
def risk(request: HttpRequest) -> HttpResponse:
    """Show how many customers of one's units may leave, and how far that can be believed."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    run = latest_run()
    card = run.scorecard if run is not None else scorecard_in_force()
    rows = unit_risks(run, principal=principal)
    context = {
        "risk": RiskPage(card, run) if card is not None else None,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
    }
    return render(request, "surveys/churn/risk.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def define(request: HttpRequest) -> HttpResponse:
    """Write the next version of the scorecard, and try it."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_INDICATORS)
    form = ScorecardForm(request.POST or None, before=scorecard_in_force())
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            card = services.define_scorecard(**form.scorecard(), by=principal, now=now)
            services.run_scorecard(scorecard=card, by=principal, now=now)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, _("The scorecard is being tried; it takes a moment."))
            return redirect("surveys:churn")
    trail = [(_("Customers at risk"), reverse("surveys:churn")), (_("Scorecard"), "")]
    status = 400 if form.errors else 200
    context = {"form": form, "trail": trail}
    return render(request, "surveys/churn/define.html", context, status=status)


@login_required
@require_POST
def again(request: HttpRequest) -> HttpResponse:
    """Run the scorecard in force again, on what is known today."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_INDICATORS)
    if (card := scorecard_in_force()) is not None:
        services.run_scorecard(scorecard=card, by=principal, now=timezone.now())
        messages.success(request, _("The scorecard is being tried; it takes a moment."))
    return redirect("surveys:churn")
