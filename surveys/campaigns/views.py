"""Pages about campaigns: what runs, how much was answered, links, codes to print."""

from io import BytesIO

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day, organisation
from surveys.campaigns import queries, services
from surveys.campaigns.forms import CampaignForm, PlacesForm
from surveys.campaigns.models import Campaign, Link

PER_PAGE = 25
UNITS_PER_PAGE = 50


@login_required
@require_safe
def campaigns(request: HttpRequest) -> HttpResponse:
    """List the campaigns that this person may see."""
    principal = principal_of(request)
    state = request.GET.get("state", "")
    state = state if state in Campaign.State.values else ""
    found = queries.campaigns_for(principal, state=state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": queries.campaign_rows(page, on=local_day(timezone.now())),
        "state": state,
        "states": Campaign.State.choices,
        "may_manage": principal.may(Permission.MANAGE_SURVEYS),
    }
    return render(request, "surveys/campaigns/campaigns.html", context)


@login_required
@require_safe
def campaign(request: HttpRequest, code: str) -> HttpResponse:
    """Show a campaign: its state, its links by unit, how much was answered."""
    principal = principal_of(request)
    found = queries.campaign_named(code, principal=principal)
    units = queries.unit_rows(found, principal=principal)
    now = timezone.now()
    context = {
        "row": queries.campaign_rows([found], on=local_day(now))[0],
        "panels": panels_on(Page.CAMPAIGN, principal=principal, now=now, subject=found),
        "page": Paginator(units, UNITS_PER_PAGE).get_page(request.GET.get("page")),
        "may_manage": principal.may(Permission.MANAGE_SURVEYS),
        "base": settings.BASE_URL,
        **_trail(found),
    }
    return render(request, "surveys/campaigns/campaign.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_campaign(request: HttpRequest) -> HttpResponse:
    """Start a campaign."""
    principal = _manager(request)
    now = timezone.now()
    chosen = {"version": request.GET.get("version")}
    form = CampaignForm(request.POST or None, by=principal, today=local_day(now), initial=chosen)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.start_campaign(**form.campaign(), by=principal, now=now)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, _("The campaign is there."))
            return redirect("surveys:campaigns-detail", code=made.code)
    status = 400 if form.errors else 200
    trail = [(_("Surveys"), reverse("surveys:campaigns-list")), (_("New campaign"), "")]
    may_add = principal.may(Permission.MANAGE_ORGANISATION)
    context = {
        "form": form,
        "trail": trail,
        "has_units": form.has_units,
        "add_unit": reverse("admin:sqcore_unit_add") if may_add else "",
    }
    return render(request, "surveys/campaigns/new.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def links(request: HttpRequest, code: str) -> HttpResponse:
    """Make links for more units and channels."""
    principal = _manager(request)
    found = queries.campaign_named(code, principal=principal)
    now = timezone.now()
    form = PlacesForm(request.POST or None, by=principal, today=local_day(now))
    if request.method == "POST" and form.is_valid():
        try:
            services.make_links(campaign=found, **form.places(), by=principal, now=now)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, _("The links are there."))
            return redirect("surveys:campaigns-detail", code=found.code)
    context = {"form": form, "campaign": found, **_trail(found, _("Links"))}
    status = 400 if form.errors else 200
    return render(request, "surveys/campaigns/links.html", context, status=status)


@login_required
@require_POST
def change_state(request: HttpRequest, code: str) -> HttpResponse:
    """Open or close a campaign."""
    principal = _manager(request)
    found = queries.campaign_named(code, principal=principal)
    if request.POST.get("state") == Campaign.State.OPEN:
        services.open_campaign(campaign=found, by=principal, now=timezone.now())
        messages.success(request, _("The campaign is open: its links take answers."))
    elif request.POST.get("state") == Campaign.State.CLOSED:
        services.close_campaign(campaign=found, by=principal, now=timezone.now())
        messages.success(request, _("The campaign is closed: its links take no more answers."))
    else:
        return HttpResponse(status=400)
    return redirect("surveys:campaigns-detail", code=found.code)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, code: str, token: str) -> HttpResponse:
    """Ask, and then take a link out of use."""
    principal = _manager(request)
    found = queries.campaign_named(code, principal=principal)
    link = queries.link_named(token, campaign=found, principal=principal)
    if request.method != "POST":
        context = {"campaign": found, "link": link, "address": address_of(link)}
        context |= _trail(found, _("Withdraw a link"))
        return render(request, "surveys/campaigns/revoke.html", context)
    services.revoke_link(link=link, by=principal, now=timezone.now())
    messages.success(
        request, _("The link of %(unit)s takes no more answers.") % {"unit": link.unit}
    )
    return redirect("surveys:campaigns-detail", code=found.code)


@login_required
@require_safe
def code_image(request: HttpRequest, code: str, token: str) -> HttpResponse:
    """Draw the QR code of a link."""
    principal = principal_of(request)
    found = queries.campaign_named(code, principal=principal)
    link = queries.link_named(token, campaign=found, principal=principal)
    image = BytesIO()
    qr = segno.make(address_of(link), error="m", micro=False)
    qr.save(image, kind="svg", scale=8, border=3, light="#fff", xmldecl=False)
    response = HttpResponse(image.getvalue(), content_type="image/svg+xml")
    response["Content-Disposition"] = f'inline; filename="{found.code}-{link.unit.code}.svg"'
    response["Cache-Control"] = "private, max-age=86400"
    return response


@login_required
@require_safe
def sheet(request: HttpRequest, code: str) -> HttpResponse:
    """Show the QR codes of a campaign, six on a sheet of A4, to be printed."""
    principal = principal_of(request)
    found = queries.campaign_named(code, principal=principal)
    posters = [
        {
            "link": link,
            "address": address_of(link),
            "image": _drawing(address_of(link)),
        }
        for link in queries.links_for(found, principal=principal)
    ]
    context = {"campaign": found, "organisation": organisation(), "posters": posters}
    return render(request, "surveys/campaigns/sheet.html", context)


def address_of(link: Link) -> str:
    """Return the full address of a link, as it leaves the house."""
    base: str = settings.BASE_URL
    return base + reverse("surveys:responses-answer", args=[link.token])


def _drawing(address: str) -> str:
    image = segno.make(address, error="m", micro=False).svg_inline(border=2, omitsize=True)
    return mark_safe(image)  # noqa: S308 - drawn here, holds no text from outside


def _manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_SURVEYS)
    return principal


def _trail(campaign: Campaign, last: str = "") -> dict[str, list[tuple[str, str]]]:
    here = [(str(campaign), reverse("surveys:campaigns-detail", args=[campaign.code]))]
    trail = [(_("Surveys"), reverse("surveys:campaigns-list")), *here]
    return {"trail": [*trail, (last, "")] if last else [trail[0], (str(campaign), "")]}
